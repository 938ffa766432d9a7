/* SPDX-License-Identifier: MIT */
/* program.c - from the language of models to instructions.
 *
 * Each value gets a register of its own; afterwards those that are never
 * needed at the same time share one.  A register that nothing reads any more
 * is no part of a machine's state, so it has to be known which are read.
 */
#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "program.h"

enum { LABELS = 64, VALUES = 100, UNKNOWN = 255 };

/* The program that is being made. */
static struct program *now;
static const char *left_out;
static bool asked;
static int nvalues, nlabels;
static uint8_t place[LABELS];

bool
rule(const char *name)
{
	if (!left_out || strcmp(name, left_out) != 0)
		return true;
	asked = true;
	return false;
}

static struct insn *
put(enum op op)
{
	struct insn *i = &now->insn[now->n++];

	assert(now->n <= PROGRAM_INSNS);
	memset(i, 0, sizeof(*i));
	i->op = (uint8_t)op;
	i->dst = -1;
	return i;
}

static val
result(struct insn *i)
{
	assert(nvalues < VALUES);
	i->dst = (int16_t)nvalues++;
	return PROGRAM_VALUE + i->dst;
}

/* An address is a word, or word:8 | span:8 | register + 1. */
int
at(int base, int n, val i)
{
	if (!is_reg(i))
		return base + i;
	return base | n << 8 | (i - PROGRAM_VALUE + 1) << 16;
}

static struct insn *
put_access(enum op op, int word, unsigned order)
{
	struct insn *i = put(op);
	int r = word >> 16;

	i->word = (uint8_t)word;
	i->span = r ? (uint8_t)(word >> 8) : 1;
	i->index = r ? (int16_t)(PROGRAM_VALUE + r - 1) : 0;
	i->order = (uint8_t)order;
	assert(i->word + i->span <= MODEL_WORDS);
	return i;
}

val
load(int word)
{
	return result(put_access(OP_LOAD, word, ACQUIRE));
}

val
peek(int word)
{
	return result(put_access(OP_LOAD, word, 0));
}

void
store(int word, val v)
{
	put_access(OP_STORE, word, RELEASE)->a = (int16_t)v;
}

void
store_plain(int word, val v)
{
	put_access(OP_STORE, word, 0)->a = (int16_t)v;
}

static val
put_cas(int word, val old, val new, unsigned order)
{
	struct insn *i = put_access(OP_CAS, word, order);

	i->a = (int16_t)old;
	i->b = (int16_t) new;
	return result(i);
}

val
cas(int word, val old, val new)
{
	return put_cas(word, old, new, ACQUIRE | RELEASE);
}

val
cas_relaxed(int word, val old, val new)
{
	return put_cas(word, old, new, 0);
}

static val
put_add(int word, val n, unsigned order)
{
	struct insn *i = put_access(OP_ADD, word, order);

	i->a = (int16_t)n;
	return result(i);
}

val
add(int word, val n)
{
	return put_add(word, n, ACQUIRE | RELEASE);
}

val
add_relaxed(int word, val n)
{
	return put_add(word, n, 0);
}

void
fence(void)
{
	put(OP_FENCE)->order = FENCE_FULL;
}

void
store_fence(void)
{
	put(OP_FENCE)->order = FENCE_STORES;
}

void
load_fence(void)
{
	put(OP_FENCE)->order = FENCE_LOADS;
}

void
compiler_fence(void)
{
	/* The machines do what the program says. */
}

void
barrier(void)
{
	put(OP_BARRIER);
}

val
sleep_on(int word, val seen, int asleep)
{
	struct insn *i = put_access(OP_SLEEP, word, 0);

	i->a = (int16_t)seen;
	i->b = (int16_t)asleep;
	return result(i);
}

void
wake(int asleep)
{
	put_access(OP_WAKE, asleep, 0);
}

val
await(int word, enum test test, val v)
{
	struct insn *i = put_access(OP_AWAIT, word, ACQUIRE);

	i->test = (uint8_t)test;
	i->a = (int16_t)v;
	return result(i);
}

val
killed(int thread)
{
	struct insn *i = put(OP_KILLED);

	i->a = (int16_t)thread;
	return result(i);
}

static val
put_sum(enum op op, val a, val b)
{
	struct insn *i;

	if (!is_reg(a) && !is_reg(b))
		switch (op) {
		case OP_PLUS:
			return a + b;
		case OP_MINUS:
			return a - b;
		case OP_BOTH:
			return a & b;
		case OP_EITHER:
			return a | b;
		default:
			return a >> b;
		}
	i = put(op);
	i->a = (int16_t)a;
	i->b = (int16_t)b;
	return result(i);
}

val
plus(val a, val b)
{
	return put_sum(OP_PLUS, a, b);
}

val
minus(val a, val b)
{
	return put_sum(OP_MINUS, a, b);
}

val
both(val a, val b)
{
	return put_sum(OP_BOTH, a, b);
}

val
either(val a, val b)
{
	return put_sum(OP_EITHER, a, b);
}

val
shift(val a, val n)
{
	return put_sum(OP_SHIFT, a, n);
}

val
var(val v)
{
	struct insn *i = put(OP_PLUS);

	i->a = (int16_t)v;
	return result(i);
}

void
set(val to, val v)
{
	struct insn *i = put(OP_PLUS);

	i->a = (int16_t)v;
	i->dst = (int16_t)(to - PROGRAM_VALUE);
}

label
new_label(void)
{
	assert(nlabels < LABELS);
	place[nlabels] = UNKNOWN;
	return nlabels++;
}

void
here(label l)
{
	place[l] = (uint8_t)now->n;
}

void
go_if(val a, enum test test, val b, label l)
{
	struct insn *i = put(OP_GO_IF);

	i->a = (int16_t)a;
	i->test = (uint8_t)test;
	i->b = (int16_t)b;
	i->to = (uint8_t)l;
}

void
go(label l)
{
	go_if(0, EQ, 0, l);
}

void
must(val a, enum test test, val b, const char *what)
{
	struct insn *i = put(OP_MUST);

	i->a = (int16_t)a;
	i->test = (uint8_t)test;
	i->b = (int16_t)b;
	i->text = what;
}

void
never(const char *what)
{
	must(0, EQ, 1, what);
}

/*
 * What is known of a program
 */

/* The values that an instruction reads. */
static unsigned
operands(const struct insn *i, int16_t out[3])
{
	int16_t all[3] = {i->index, i->a, i->b};
	unsigned n = 0, k;

	for (k = 0; k < 3; k++)
		if (is_reg(all[k]))
			out[n++] = (int16_t)(all[k] - PROGRAM_VALUE);
	return n;
}

typedef unsigned __int128 set_of_values;
#define BIT(v) ((set_of_values)1 << (v))

static void
find_live(const struct program *p, set_of_values *live)
{
	bool changed = true;
	unsigned pc, k;

	memset(live, 0, p->n * sizeof(*live));
	while (changed) {
		changed = false;
		for (pc = p->n; pc-- > 0;) {
			const struct insn *i = &p->insn[pc];
			set_of_values s = 0;
			int16_t used[3];

			if (i->op != OP_END)
				s |= live[pc + 1];
			if (i->op == OP_GO_IF)
				s |= live[i->to];
			if (i->dst >= 0)
				s &= ~BIT(i->dst);
			for (k = operands(i, used); k-- > 0;)
				s |= BIT(used[k]);
			changed |= s != live[pc];
			live[pc] = s;
		}
	}
}

/* Give each value a register that no other has while it is needed. */
static void
choose_registers(const struct program *p, const set_of_values *live,
		 int8_t reg[VALUES])
{
	set_of_values near[VALUES] = {0};
	unsigned pc;
	int v, u;

	for (pc = 0; pc < p->n; pc++)
		if (p->insn[pc].dst >= 0) {
			v = p->insn[pc].dst;
			near[v] |= live[pc + 1];
			for (u = 0; u < nvalues; u++)
				if (live[pc + 1] & BIT(u))
					near[u] |= BIT(v);
		}
	for (v = 0; v < nvalues; v++) {
		unsigned taken = 0;

		for (u = 0; u < v; u++)
			if (near[v] & BIT(u))
				taken |= 1u << reg[u];
		reg[v] = (int8_t)__builtin_ctz(~taken);
		assert(reg[v] < PROGRAM_REGS);
	}
}

static void
rename_one(int16_t *operand, const int8_t *reg)
{
	if (is_reg(*operand))
		*operand = (int16_t)(PROGRAM_VALUE +
				     reg[*operand - PROGRAM_VALUE]);
}

static void
allocate(struct program *p)
{
	set_of_values live[PROGRAM_INSNS];
	int8_t reg[VALUES] = {0};
	unsigned pc;
	int v;

	find_live(p, live);
	choose_registers(p, live, reg);
	for (pc = 0; pc < p->n; pc++) {
		struct insn *i = &p->insn[pc];

		p->live[pc] = 0;
		for (v = 0; v < nvalues; v++)
			if (live[pc] & BIT(v))
				p->live[pc] |= (uint16_t)(1u << reg[v]);
		rename_one(&i->index, reg);
		rename_one(&i->a, reg);
		rename_one(&i->b, reg);
		if (i->dst >= 0)
			i->dst = reg[i->dst];
	}
}

static void
touched(const struct insn *i, uint32_t *loads, uint32_t *stores)
{
	uint32_t words = ((UINT32_C(1) << i->span) - 1) << i->word;

	if (reads(i) || i->op == OP_SLEEP)
		*loads |= words;
	if (writes(i) || i->op == OP_WAKE)
		*stores |= words;
	if (i->op == OP_SLEEP)
		*stores |= UINT32_C(1) << i->b;
}

static void
find_touched(struct program *p)
{
	bool changed = true;
	unsigned pc;

	memset(p->loads, 0, sizeof(p->loads));
	memset(p->stores, 0, sizeof(p->stores));
	while (changed) {
		changed = false;
		for (pc = p->n; pc-- > 0;) {
			const struct insn *i = &p->insn[pc];
			uint32_t l = p->loads[pc], s = p->stores[pc];

			touched(i, &l, &s);
			if (i->op != OP_END) {
				l |= p->loads[pc + 1];
				s |= p->stores[pc + 1];
			}
			if (i->op == OP_GO_IF) {
				l |= p->loads[i->to];
				s |= p->stores[i->to];
			}
			changed |= l != p->loads[pc] || s != p->stores[pc];
			p->loads[pc] = l;
			p->stores[pc] = s;
		}
	}
}

void
program_make(struct program *p, void (*f)(void), const char *without)
{
	unsigned pc;

	now = p;
	left_out = without;
	asked = false;
	nvalues = nlabels = 0;
	p->n = 0;
	f();
	put(OP_END);
	for (pc = 0; pc < p->n; pc++)
		if (p->insn[pc].op == OP_GO_IF) {
			p->insn[pc].to = place[p->insn[pc].to];
			assert(p->insn[pc].to < p->n);
		}
	allocate(p);
	find_touched(p);
}

bool
program_asked(void)
{
	return asked;
}

/*
 * For a trace
 */

static void
value_text(int v, char out[12])
{
	sprintf(out, is_reg(v) ? "r%d" : "%d",
		is_reg(v) ? v - PROGRAM_VALUE : v);
}

static const char *const op_name[] = {
	"load",    "await",  "store", "cas",    "add",  "fence",
	"barrier", "sleep",  "wake",  "killed", "plus", "minus",
	"both",    "either", "shift", "go_if",  "must", "end"};

void
program_print(const struct program *p, unsigned pc,
	      const struct model_word *word, char *out, unsigned size)
{
	const struct insn *i = &p->insn[pc];
	char index[12] = "", a[12] = "", b[12] = "", to[12] = "";
	bool access = reads(i) || writes(i), plain = access && !i->order;

	if (i->dst >= 0)
		sprintf(to, "r%d = ", i->dst);
	if (is_reg(i->index))
		value_text(i->index, index);
	if (i->op != OP_LOAD)
		value_text(i->a, a);
	if (i->op == OP_CAS)
		value_text(i->b, b);
	snprintf(out, size, "%u: %s%s%s(%s %s%s %s)", pc, to, op_name[i->op],
		 plain ? "_plain" : "", access ? word[i->word].name : "", index,
		 a, b);
}

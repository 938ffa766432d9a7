/* SPDX-License-Identifier: MIT */
/* machine.c - abstract machines with one memory and threads that are not in
 * order: what a step does.
 *
 * Loads and stores that need not wait (order.c) are steps.  All else is done at
 * once when it can be: what is done and oldest is retired; sums and branches
 * are worked out as soon as what they need is known; what comes next is
 * fetched, unless all of it would have to wait.  A branch of which it is not
 * known where it goes is followed both ways; the wrong way ends when it is
 * known.
 *
 * A kernel's barrier is a fence in each other thread, at some moment of that
 * thread while the call lasts: when nothing of it is done ahead of something
 * older that is not.  Calls of the kernel wait for all that is older.
 *
 * A thread that may be killed ends ahead of any instruction that stores, calls
 * or waits: the older ones reach memory, the younger ones are never fetched.
 */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "machine.h"

static bool
compare(uint8_t a, unsigned test, uint8_t b)
{
	return test == EQ ? a == b : test == NE ? a != b : a < b;
}

/*
 * What becomes of a state
 */

/* The word was stored to.  A load that got what was there before is stale; if
 * an older load of the word will get the new, the state is none. */
static bool
age(const struct machine *m, struct state *s, unsigned t, unsigned addr)
{
	unsigned u, i, k;

	for (u = 0; u < m->ncores; u++)
		for (k = 0; u != t && k < s->core[u].n; k++) {
			struct entry *e = &s->core[u].w[k];

			if (e->addr != addr || e->from ||
			    !reads(machine_insn(m, s, u, k)) ||
			    !(e->is & (DONE | HALF)))
				continue;
			for (i = 0; i < k; i++) {
				const struct entry *o = &s->core[u].w[i];

				if (!unread(machine_insn(m, s, u, i), o))
					continue;
				if (o->addr == addr)
					return false;
				if (o->addr == UNKNOWN)
					e->is |= STALE;
			}
		}
	return true;
}

/* Entry k stores; false: the state is none. */
static bool
do_write(const struct machine *m, struct state *s, unsigned t, unsigned k,
	 uint8_t v)
{
	struct core *c = &s->core[t];
	unsigned i;

	s->mem[c->w[k].addr] = v;
	c->w[k].is |= DONE;
	for (i = k + 1; i < c->n; i++)
		if (c->w[i].from == k + 1)
			c->w[i].from = 0;
	return age(m, s, t, c->w[k].addr);
}

/* The address of entry k is known now.  A younger load of the word must not
 * have been answered by something older. */
static bool
overtaken(const struct machine *m, const struct state *s, unsigned t,
	  unsigned k)
{
	const struct core *c = &s->core[t];
	bool stores = writes(machine_insn(m, s, t, k));
	unsigned i;

	for (i = k + 1; i < c->n; i++)
		if (c->w[i].addr == c->w[k].addr &&
		    reads(machine_insn(m, s, t, i)) &&
		    c->w[i].is & (DONE | HALF) &&
		    (stores ? c->w[i].from < k + 1 : c->w[i].is & STALE))
			return true;
	return false;
}

static uint8_t
sum(unsigned op, uint8_t a, uint8_t b)
{
	switch (op) {
	case OP_PLUS:
		return (uint8_t)(a + b);
	case OP_MINUS:
		return (uint8_t)(a - b);
	case OP_BOTH:
		return a & b;
	case OP_EITHER:
		return a | b;
	default:
		return (uint8_t)(a >> b);
	}
}

static void
forget(struct core *c, unsigned k)
{
	unsigned i;

	memmove(&c->w[k], &c->w[k + 1], (c->n - k - 1) * sizeof(c->w[0]));
	memset(&c->w[--c->n], 0, sizeof(c->w[0]));
	for (i = k; i < c->n; i++)
		if (c->w[i].from > k + 1)
			c->w[i].from--;
}

/* Do what follows from what is known for entry k: work out an address, a sum,
 * or which way a branch goes.  False: the state is none. */
static bool
work_out(struct machine *m, struct state *s, unsigned t, unsigned *k)
{
	struct core *c = &s->core[t];
	struct entry *e = &c->w[*k];
	const struct insn *i = machine_insn(m, s, t, *k);
	uint8_t a, b;

	if ((reads(i) || writes(i)) && e->addr == UNKNOWN &&
	    order_known(m, s, t, *k, i->index, &a)) {
		e->addr = (uint8_t)(i->word + a % i->span);
		if (overtaken(m, s, t, *k))
			return false;
	}
	if (e->is & DONE || !order_known(m, s, t, *k, i->a, &a) ||
	    !order_known(m, s, t, *k, i->b, &b))
		return true;
	if (is_sum(i)) {
		e->val = sum(i->op, a, b);
		e->is |= DONE;
	} else if (i->op == OP_GO_IF) {
		if (compare(a, i->test, b) != !!(e->is & TAKEN))
			return false;
		forget(c, (*k)--);
	}
	return true;
}

/* Take away the oldest entries that are done. */
static void
retire(struct machine *m, struct state *s, unsigned t)
{
	struct core *c = &s->core[t];

	while (c->n) {
		const struct insn *i = machine_insn(m, s, t, 0);
		uint8_t a, b;

		if (i->op == OP_MUST) {
			order_known(m, s, t, 0, i->a, &a);
			order_known(m, s, t, 0, i->b, &b);
			if (!compare(a, i->test, b))
				m->wrong = i->text;
		} else if (i->op != OP_FENCE && !(c->w[0].is & DONE)) {
			return;
		}
		if (i->dst >= 0)
			c->reg[i->dst] = c->w[0].val;
		forget(c, 0);
	}
}

/* What nothing reads any more is no part of the state. */
static void
tidy(const struct machine *m, struct state *s, unsigned t)
{
	struct core *c = &s->core[t];
	unsigned pc = c->n ? c->w[0].pc : c->pc, r;

	if (c->over && !c->n)
		c->pc = (uint8_t)(m->program[t].n - 1);
	for (r = 0; r < PROGRAM_REGS; r++)
		if (!(m->program[t].live[pc] & 1u << r) || (c->over && !c->n))
			c->reg[r] = 0;
}

static void settle(struct machine *m, struct state *s, unsigned t);

static void
fetched(struct machine *m, struct state *s, unsigned t, uint8_t is)
{
	struct core *c = &s->core[t];
	const struct insn *i = &m->program[t].insn[c->pc];
	struct entry *e = &c->w[c->n++];

	memset(e, 0, sizeof(*e));
	e->pc = c->pc;
	e->is = is;
	e->addr = UNKNOWN;
	c->pc = is & TAKEN ? i->to : (uint8_t)(c->pc + 1);
}

/* Fetch a branch.  Where it is not known which way it goes, it goes both. */
static void
fetch_branch(struct machine *m, struct state *s, unsigned t)
{
	struct core *c = &s->core[t];
	const struct insn *i = &m->program[t].insn[c->pc];
	struct state other;
	uint8_t a, b;

	if (order_known(m, s, t, c->n, i->a, &a) &&
	    order_known(m, s, t, c->n, i->b, &b)) {
		c->pc = compare(a, i->test, b) ? i->to : (uint8_t)(c->pc + 1);
		return;
	}
	other = *s;
	fetched(m, &other, t, TAKEN);
	settle(m, &other, t);
	fetched(m, s, t, 0);
}

/* Fetch one instruction; false: none can be. */
static bool
fetch(struct machine *m, struct state *s, unsigned t)
{
	struct core *c = &s->core[t];
	const struct insn *i = &m->program[t].insn[c->pc];
	struct state other;

	if (c->over || order_closed(m, s, t))
		return false;
	if (i->op == OP_END) {
		c->over = ENDED;
		return false;
	}
	if (c->n == MACHINE_WINDOW) {
		m->narrow = true;
		return false;
	}
	if (i->op == OP_GO_IF) {
		fetch_branch(m, s, t);
		return true;
	}
	if (m->model->mortal & 1u << t &&
	    (writes(i) || is_call(i) || i->op == OP_AWAIT)) {
		other = *s;
		other.core[t].over = KILLED;
		tidy(m, &other, t);
		m->reach(m, &other, &m->step);
	}
	fetched(m, s, t, 0);
	return true;
}

/* Something has happened in a core: do all that follows without another
 * thread's seeing it, and pass on each state that it may lead to. */
static void
settle(struct machine *m, struct state *s, unsigned t)
{
	unsigned k;

	do {
		for (k = 0; k < s->core[t].n; k++)
			if (!work_out(m, s, t, &k))
				return;
		retire(m, s, t);
	} while (fetch(m, s, t));
	tidy(m, s, t);
	m->reach(m, s, &m->step);
}

/*
 * Steps
 */

static void
stepped(struct machine *m, struct state *s, unsigned t, unsigned pc,
	const char *what)
{
	m->step = (struct step){(uint8_t)t, (uint8_t)pc, what};
	settle(m, s, t);
}

/* Entry k loads, if it can.  Where a read-modify-write is one step it stores
 * too. */
static bool
step_read(struct machine *m, const struct state *from, unsigned t, unsigned k)
{
	const struct insn *i = machine_insn(m, from, t, k);
	struct state s;
	struct entry *e = &s.core[t].w[k];
	uint8_t v, a = 0, new;
	int source;

	if (!order_can_read(m, from, t, k, &v, &source) ||
	    !order_known(m, from, t, k, i->a, &a))
		return false;
	if (i->op == OP_AWAIT && !compare(v, i->test, a))
		return false;
	s = *from;
	e->val = v;
	e->from = (uint8_t)source;
	e->is |= DONE;
	if (i->op == OP_CAS)
		e->val = v == a;
	if (i->op == OP_ADD || (i->op == OP_CAS && v == a)) {
		e->is ^= DONE | HALF;
		if (m->arch <= TSO && (!order_stored(m, &s, t, k, &new) ||
				       !do_write(m, &s, t, k, new)))
			return false;
	}
	stepped(m, &s, t, e->pc, source ? "loads ahead of memory" : "loads");
	return true;
}

static bool
step_write(struct machine *m, const struct state *from, unsigned t, unsigned k)
{
	struct state s;
	uint8_t v;

	if (!order_can_write(m, from, t, k, &v))
		return false;
	s = *from;
	if (do_write(m, &s, t, k, v))
		stepped(m, &s, t, s.core[t].w[k].pc, "stores");
	return true;
}

static bool
step_access(struct machine *m, const struct state *s, unsigned t, unsigned k)
{
	const struct insn *i = machine_insn(m, s, t, k);
	const struct entry *e = &s->core[t].w[k];

	if (unread(i, e))
		return step_read(m, s, t, k);
	return unwritten(i, e) && step_write(m, s, t, k);
}

/* Is nothing done ahead of something older that is not? */
static bool
in_order(const struct machine *m, const struct state *s, unsigned t)
{
	unsigned k;

	for (k = 0; k < s->core[t].n; k++) {
		const struct insn *i = machine_insn(m, s, t, k);

		if ((reads(i) || writes(i)) &&
		    s->core[t].w[k].is & (DONE | HALF))
			return false;
	}
	return true;
}

static bool
is_over(const struct state *s, unsigned t)
{
	return s->core[t].over > UNBORN && !s->core[t].n;
}

/* The barrier comes to one of those threads to which it has not yet. */
static bool
step_barrier(struct machine *m, const struct state *from, unsigned t)
{
	unsigned u, all = 0, had = from->core[t].w[0].val;
	bool any = false;

	for (u = 0; u + 1 < m->ncores; u++)
		if (u != t && !is_over(from, u))
			all |= 1u << u;
	for (u = 0; u + 1 < m->ncores; u++) {
		struct state s = *from;

		if (!(all & ~had & 1u << u) || !in_order(m, from, u))
			continue;
		any = true;
		s.core[t].w[0].val |= (uint8_t)(1u << u);
		if (!(all & ~had & ~(1u << u)))
			s.core[t].w[0].is |= DONE;
		stepped(m, &s, t, s.core[t].w[0].pc, "has a barrier run");
	}
	if (!(all & ~had)) {
		struct state s = *from;

		s.core[t].w[0].is |= DONE;
		stepped(m, &s, t, s.core[t].w[0].pc, "has its barrier");
		return true;
	}
	return any;
}

/* The oldest entry is a call. */
static bool
step_call(struct machine *m, const struct state *from, unsigned t)
{
	const struct insn *i = machine_insn(m, from, t, 0);
	struct state s = *from;
	struct entry *e = &s.core[t].w[0];
	uint8_t a;

	order_known(m, from, t, 0, i->a, &a);
	switch (i->op) {
	case OP_BARRIER:
		return step_barrier(m, from, t);
	case OP_KILLED:
		if (!is_over(from, a))
			return false;
		e->val = from->core[a].over == KILLED;
		break;
	case OP_SLEEP:
		e->val = from->mem[i->word] == a;
		if (e->val) {
			if (order_reserved(m, from, t, (unsigned)i->b))
				return false;
			s.mem[i->b] = 1;
			if (!age(m, &s, t, (unsigned)i->b))
				return true;
		}
		break;
	case OP_WAKE:
		s.mem[i->word] = 0;
		if (!age(m, &s, t, i->word))
			return true;
	}
	e->is |= DONE;
	stepped(m, &s, t, e->pc, "calls");
	return true;
}

/* The oldest entry of a core may go first of all if what it touches is none
 * of the others' any more: whatever they do, they do the same after it. */
static bool
goes_first(const struct machine *m, const struct state *s, unsigned t)
{
	const struct insn *i = machine_insn(m, s, t, 0);
	unsigned addr = s->core[t].w[0].addr, u;

	if (is_call(i) || addr == UNKNOWN)
		return false;
	for (u = 0; u + 1 < m->ncores; u++) {
		const struct core *c = &s->core[u];
		const struct program *p = &m->program[u];
		unsigned pc = c->n ? c->w[0].pc : c->pc;
		uint32_t theirs = p->stores[pc];

		if (u == t || is_over(s, u))
			continue;
		if (writes(i))
			theirs |= p->loads[pc];
		if (theirs >> addr & 1)
			return false;
	}
	return true;
}

bool
machine_steps(struct machine *m, const struct state *s)
{
	unsigned last = m->ncores - 1, t, k;
	bool any = false, others = false;

	for (t = 0; t < m->ncores; t++)
		if (s->core[t].over == UNBORN) {
			struct state next = *s;

			next.core[t].over = RUNNING;
			stepped(m, &next, t, 0, NULL);
			return true;
		}
	for (t = 0; t < last; t++) {
		others |= !is_over(s, t);
		if (s->core[t].n && goes_first(m, s, t) &&
		    step_access(m, s, t, 0))
			return true;
	}
	for (t = 0; t < m->ncores; t++) {
		if ((t == last && others) || !s->core[t].n)
			continue;
		if (is_call(machine_insn(m, s, t, 0)))
			any |= step_call(m, s, t);
		for (k = 0; k < s->core[t].n; k++)
			any |= step_access(m, s, t, k);
	}
	return any;
}

bool
machine_over(const struct machine *m, const struct state *s)
{
	unsigned t;

	for (t = 0; t < m->ncores; t++)
		if (!is_over(s, t))
			return false;
	return true;
}

bool
machine_stuck(const struct machine *m, const struct state *s)
{
	unsigned t;

	for (t = 0; t + 1 < m->ncores; t++) {
		unsigned op =
			s->core[t].n ? machine_insn(m, s, t, 0)->op : OP_END;

		if (!is_over(s, t) &&
		    ((op != OP_AWAIT && op != OP_KILLED) || !in_order(m, s, t)))
			return false;
	}
	return true;
}

/*
 * The beginning
 */

static void
nothing(void)
{
}

void
machine_make(struct machine *m, const struct model *model, enum arch arch,
	     const char *without)
{
	bool asked = false;
	unsigned t;

	memset(m, 0, sizeof(*m));
	m->model = model;
	m->arch = arch;
	for (t = 0; t < MODEL_THREADS && model->thread[t]; t++) {
		program_make(&m->program[t], model->thread[t], without);
		asked |= program_asked();
	}
	program_make(&m->program[t], model->after ? model->after : nothing,
		     without);
	m->ncores = t + 1;
	assert(asked || !without);
}

void
machine_begin(struct machine *m)
{
	const struct model_word *w = m->model->word;
	struct state s;
	unsigned k;

	memset(&s, 0, sizeof(s));
	for (k = 0; w[k].name; k++)
		s.mem[k] = (uint8_t)w[k].value;
	for (k = 0; k < m->ncores; k++)
		s.core[k].over = UNBORN;
	m->reach(m, &s, &m->step);
}

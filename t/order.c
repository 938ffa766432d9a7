/* SPDX-License-Identifier: MIT */
/* order.c - what has to wait for what.
 *
 * Each thread fetches its program into a window (machine.c).  A load that is in
 * the window is answered, and a store reaches memory, as soon as that need
 * not wait for something older in the window.  The machines differ in nothing
 * else:
 *
 *   SC    an access waits for every older one.
 *   TSO   the same, but loads do not wait for older stores: these are the
 *         store buffer of x86.  A read-modify-write or a fence waits for all.
 *   ARM   ARMv8, after the operational model "Flat" (Pulte, Flur, Deacon,
 *         French, Sarkar, Sewell: Simplifying ARM concurrency, POPL 2018),
 *         which is multi-copy atomic: a store is seen by all others at once.
 *         What is ordered: by dependencies, of addresses and data and, for
 *         stores, of branches and the addresses of older accesses; accesses of
 *         one word, but that a younger load may be answered first if both
 *         get the same store; LDAR ahead of all that is younger, STLR
 *         behind all that is older, LDAR behind older STLR; DMB ISH, ISHLD and
 *         ISHST.  A compare-and-swap is LDAXR and STLXR, two steps, and
 *         nobody stores to the word in between; what comes behind it waits for
 *         the first only.  (CASAL orders more.)
 *   RCPC  the same, but a load-acquire is LDAPR, which does not wait for
 *         older STLR: what newer compilers make of one for ARMv8.3.
 *   LOOSE the same, and the acquire of a read-modify-write is no stronger, and
 *         may be answered by an own store-exclusive.  No machine is known to
 *         do that; but C11 does not promise more of acquire and release.
 *
 * Whatever a machine would have to take back because it went ahead on a wrong
 * guess is guessed right here, or the state is dropped: which way a branch
 * goes; a load that was answered before an older store or load of the
 * same word was known to be one; a reservation that was lost.  A state that is
 * dropped stands for no run of the machine, and a run without wrong
 * guesses is found by itself.
 *
 * Coarser than Flat, that is, allowing more: a window is as large as the
 * program needs; a store-exclusive's success is known as soon as its load is
 * answered.  Finer in nothing that is known; ISB, accesses of different sizes,
 * and programs that change do not occur.
 */
#include "config.h"

#include "machine.h"

const char *const arch_name[ARCHS] = {"SC", "TSO", "ARM", "RCPC", "LOOSE"};

/* The value of an operand of entry k of a core, if it is known. */
bool
order_known(const struct machine *m, const struct state *s, unsigned t,
	    unsigned k, int operand, uint8_t *out)
{
	const struct core *c = &s->core[t];

	if (!is_reg(operand)) {
		*out = (uint8_t)operand;
		return true;
	}
	while (k-- > 0)
		if (machine_insn(m, s, t, k)->dst == operand - PROGRAM_VALUE) {
			*out = c->w[k].val;
			return c->w[k].is & (DONE | HALF);
		}
	*out = c->reg[operand - PROGRAM_VALUE];
	return true;
}

enum phase { READ, WRITE };

/* Is something ahead of the fence at i not done that it orders, for a younger
 * access in this phase? */
static bool
fence_closed(const struct machine *m, const struct state *s, unsigned t,
	     unsigned i, enum phase phase)
{
	unsigned what = machine_insn(m, s, t, i)->order, j;

	for (j = 0; j < i; j++) {
		const struct insn *a = machine_insn(m, s, t, j);
		const struct entry *e = &s->core[t].w[j];

		if (unread(a, e) && what != FENCE_STORES)
			return true;
		if (unwritten(a, e) &&
		    (what == FENCE_FULL ||
		     (what == FENCE_STORES && phase == WRITE)))
			return true;
	}
	return false;
}

/* On ARM: must a younger access, in its phase, wait for the older access? */
static bool
arm_waits(const struct machine *m, const struct insn *old,
	  const struct entry *e, const struct insn *new, const struct entry *f,
	  enum phase phase)
{
	bool ldar = new->order &ACQUIRE &&
		    (m->arch == ARM || (m->arch == RCPC && is_rmw(new)));

	if (unread(old, e) && old->order & ACQUIRE)
		return true;
	if (phase == READ)
		return unwritten(old, e) && old->order & RELEASE && ldar;
	return new->order &RELEASE || e->addr == f->addr || e->addr == UNKNOWN;
}

/* Must entry k of a core, in its phase, wait for the older entry i? */
static bool
waits_for(const struct machine *m, const struct state *s, unsigned t,
	  unsigned i, unsigned k, enum phase phase)
{
	const struct insn *old = machine_insn(m, s, t, i);
	const struct insn *new = machine_insn(m, s, t, k);
	const struct entry *e = &s->core[t].w[i], *f = &s->core[t].w[k];

	if (e->is & DONE)
		return false;
	if (old->op == OP_FENCE)
		return m->arch != SC && fence_closed(m, s, t, i, phase);
	if (old->op == OP_GO_IF)
		return phase == WRITE;
	if (is_call(old))
		return true;
	if (!reads(old) && !writes(old))
		return false;
	if (m->arch == SC)
		return true;
	if (m->arch == TSO)
		return !(old->op == OP_STORE && !writes(new));
	return arm_waits(m, old, e, new, f, phase);
}

/* Has all to wait for entry i that is younger than it? */
static bool
closes(const struct machine *m, const struct state *s, unsigned t, unsigned i)
{
	const struct insn *a = machine_insn(m, s, t, i);
	const struct entry *e = &s->core[t].w[i];

	if (e->is & DONE)
		return false;
	if (is_call(a))
		return true;
	if (a->op == OP_FENCE)
		return m->arch != SC && fence_closed(m, s, t, i, READ);
	if (m->arch == SC)
		return reads(a) || writes(a);
	return unread(a, e) && (m->arch == TSO || a->order & ACQUIRE);
}

bool
order_closed(const struct machine *m, const struct state *s, unsigned t)
{
	unsigned i;

	for (i = 0; i < s->core[t].n; i++)
		if (closes(m, s, t, i))
			return true;
	return false;
}

bool
order_reserved(const struct machine *m, const struct state *s, unsigned t,
	       unsigned addr)
{
	unsigned u, k;

	for (u = 0; u < m->ncores; u++)
		for (k = 0; u != t && k < s->core[u].n; k++) {
			const struct entry *e = &s->core[u].w[k];

			if (e->is & HALF && !(e->is & DONE) && !e->from &&
			    e->addr == addr)
				return true;
		}
	return false;
}

bool
order_stored(const struct machine *m, const struct state *s, unsigned t,
	     unsigned k, uint8_t *out)
{
	const struct insn *i = machine_insn(m, s, t, k);
	uint8_t n;

	if (i->op == OP_ADD) {
		*out = s->core[t].w[k].val;
		if (!order_known(m, s, t, k, i->a, &n))
			return false;
		*out = (uint8_t)(*out + n);
		return s->core[t].w[k].is & HALF;
	}
	if (i->op == OP_CAS && !(s->core[t].w[k].is & HALF))
		return false;
	return order_known(m, s, t, k, i->op == OP_CAS ? i->b : i->a, out);
}

/* An older store to the same word that has not reached memory answers a load:
 * 1 + its place; 0: memory does; -1: nobody can yet. */
static int
answers(const struct machine *m, const struct state *s, unsigned t, unsigned k,
	uint8_t *out)
{
	const struct core *c = &s->core[t];
	const struct insn *new = machine_insn(m, s, t, k);
	unsigned i;

	for (i = k; i-- > 0;) {
		const struct insn *old = machine_insn(m, s, t, i);

		if (!writes(old) || c->w[i].addr != c->w[k].addr)
			continue;
		if (c->w[i].is & DONE)
			break;
		/* A store-exclusive is no answer to an acquire. */
		if (is_rmw(old) && new->order & ACQUIRE && m->arch != LOOSE)
			return -1;
		return order_stored(m, s, t, i, out) ? (int)i + 1 : -1;
	}
	*out = s->mem[c->w[k].addr];
	return 0;
}

bool
order_can_read(const struct machine *m, const struct state *s, unsigned t,
	       unsigned k, uint8_t *out, int *from)
{
	unsigned i;

	if (s->core[t].w[k].addr == UNKNOWN)
		return false;
	for (i = 0; i < k; i++)
		if (waits_for(m, s, t, i, k, READ))
			return false;
	*from = answers(m, s, t, k, out);
	return *from >= 0;
}

bool
order_can_write(const struct machine *m, const struct state *s, unsigned t,
		unsigned k, uint8_t *out)
{
	unsigned i;

	if (s->core[t].w[k].addr == UNKNOWN || !order_stored(m, s, t, k, out))
		return false;
	for (i = 0; i < k; i++)
		if (waits_for(m, s, t, i, k, WRITE))
			return false;
	return !order_reserved(m, s, t, s->core[t].w[k].addr);
}

/* SPDX-License-Identifier: MIT */
/* collect.c - the collector of cycles.
 *
 * Counts free everything but circles of objects that refer to each other and
 * that nobody else refers to.  While writers stand still, everything that a
 * process holds, that is in a place of the heap or that a thread owns is
 * marked, and all that can be reached from it.  What is left is garbage; each
 * container of it is emptied, as its last user could have done, and dies by
 * its counts.
 *
 * INVARIANTS
 *   I1  while the gate is shut nothing that is not marked can be reached by
 *       anybody: a reader gets only to what a held object leads to;
 *   I2  holds are only added meanwhile, by readers, to what is marked (a
 *       drop is a write, and waits at the gate);
 *   I3  emptying is an operation like any other: a death in the middle is
 *       recovered like any other, and what is not emptied yet is garbage
 *       still.
 *
 * Marks and the stack are private memory; without memory for them nothing is
 * collected.
 */
#include "config.h"

#include <stdlib.h>

#include "gate.h"
#include "walk.h"

/* So much is in use when the first collection happens by itself. */
#define FIRST_SIZE (UINT64_C(32) << 20)

struct collection {
	struct posh__self *self;
	uint64_t **mark; /* a span: a bit for each block, or NULL */
	uint64_t spans;
	uint64_t *stack;
	size_t n, max;
	bool failed; /* no memory */
	int64_t found;
};

static void
push(struct collection *c, uint64_t block)
{
	if (c->n == c->max) {
		size_t max = c->max ? 2 * c->max : 1024;
		uint64_t *p = realloc(c->stack, max * sizeof(*p));

		if (!p) {
			c->failed = true;
			return;
		}
		c->stack = p;
		c->max = max;
	}
	c->stack[c->n++] = block;
}

/* The word with a block's mark, made if need be, and its bit; NULL: it is no
 * block, or there is no memory. */
static uint64_t *
mark_of(struct collection *c, uint64_t block, uint64_t *bit)
{
	struct posh_heap *h = c->self->h;
	uint64_t n = block >> POSH__SPAN_BITS, i;
	posh__word *w = posh__block_word(h, block);

	if (!w || n >= c->spans)
		return NULL;
	i = (uint64_t)(w - posh__span_at(h, n)->state);
	if (i >= POSH__SPAN / 16)
		return NULL; /* damaged */
	if (!c->mark[n])
		c->mark[n] = calloc(POSH__SPAN / 16 / 64, sizeof(uint64_t));
	if (!c->mark[n]) {
		c->failed = true;
		return NULL;
	}
	*bit = UINT64_C(1) << i % 64;
	return &c->mark[n][i / 64];
}

/* Mark a block that is referred to, and see to what it refers to. */
static void
reach(struct collection *c, uint64_t block)
{
	uint64_t bit, *word = mark_of(c, block, &bit);

	if (!word || *word & bit)
		return;
	*word |= bit;
	push(c, block);
}

static void
reach_slot(struct collection *c, posh__word *slot)
{
	uint64_t value = posh__load(slot);

	if (POSH__TAG(value) == POSH__TAG_BOX ||
	    POSH__TAG(value) == POSH__TAG_OBJECT)
		reach(c, POSH__PAYLOAD(value));
}

static void
reach_rows(struct collection *c, const struct posh__row *row, int n)
{
	uint64_t i;

	while (n-- > 0)
		for (i = 0; i < row[n].n; i++)
			reach_slot(c, posh__at(c->self->h,
					       row[n].off + i * row[n].stride));
}

static void
trace(struct collection *c)
{
	struct posh__row row[POSH__ROWS];
	uint64_t body;

	while (c->n && !c->failed) {
		uint64_t block = c->stack[--c->n];

		reach_rows(c, row, posh__rows(c->self->h, block, row, &body));
	}
}

static void
reach_hold(uint64_t object, unsigned state, void *arg)
{
	(void)state;
	reach(arg, object);
}

static void
reach_body(struct collection *c, uint64_t body)
{
	struct posh__row row[POSH__ROWS];

	if (body)
		reach_rows(c, row, posh__body_rows(c->self->h, body, row));
}

static void
mark(struct collection *c)
{
	struct posh_heap *h = c->self->h;
	uint64_t high = posh__load(&h->hdr->threads_high), i;
	int k;

	for (k = 0; k < 4; k++)
		reach_slot(c, &h->hdr->place[k]);
	for (i = 1; i < high && i < POSH__THREADS; i++) {
		struct posh__thread *t = posh__thread_at(h, (uint32_t)i);

		if (POSH__THREAD_STATE(posh__load(&t->state)) ==
		    POSH__THREAD_FREE)
			continue;
		for (k = 0; k < 4; k++)
			reach_slot(c, &t->val[k]);
		reach_body(c, posh__load(&t->stage));
		reach_body(c, posh__load(&t->trash));
	}
	high = posh__load(&h->hdr->members_high);
	for (i = 0; i < high && i < POSH__MEMBERS; i++)
		posh__holds_each(h, posh__member_at(h, (uint32_t)i), reach_hold,
				 c);
	trace(c);
}

/* An object that is not marked goes on the stack. */
static void
find_garbage(struct posh__self *self, uint64_t block, posh__word *word,
	     void *arg)
{
	struct collection *c = arg;
	unsigned kind = posh__object(self->h, block)->kind;
	uint64_t bit, *m;

	if (kind < POSH__KIND_LIST || kind > POSH__KIND_OBJECTS ||
	    POSH__STATE(posh__load(word)) != POSH__LIVE)
		return;
	m = mark_of(c, block, &bit);
	if (m && !(*m & bit))
		push(c, block);
}

/* Empty the slots of an instance, one by one. */
static void
empty_slots(struct posh__self *self, uint64_t object)
{
	struct posh__instance *p = posh__at(self->h, object);
	unsigned i;

	for (i = 0; i < p->head.flags; i++)
		if (posh__peek(&p->slot[i])) {
			posh__slot_set(self, object, &p->slot[i], 0);
			posh__release(self);
		}
	if (posh__peek(&p->head.body))
		posh__slot_set(self, object, &p->head.body, 0);
}

/* Empty a container of the garbage, if it has not died already. */
static void
empty(struct posh__self *self, uint64_t object)
{
	struct posh__object *o = posh__object(self->h, object);
	posh__word *word = posh__block_word(self->h, object);

	if (!word || POSH__STATE(posh__load(word)) != POSH__LIVE ||
	    o->kind == POSH__KIND_TUPLE || posh__hold(self, object))
		return;
	if (posh__lock(self, object, 0) == 0) {
		if (o->kind == POSH__KIND_INSTANCE)
			empty_slots(self, object);
		else if (posh__peek(&o->body))
			posh__body_swap(self, object, 0, UINT64_MAX, false);
		posh__unlock(self, object);
		posh__release(self);
	}
	posh__drop(self, object);
}

/* The world stands still.  Returns how many objects were garbage. */
static int64_t
collect(struct posh__self *self)
{
	struct collection c = {self, NULL, 0, NULL, 0, 0, false, 0};
	uint64_t i;

	c.spans = self->h->hdr->nspans;
	c.mark = calloc(c.spans, sizeof(*c.mark));
	if (!c.mark)
		return -ENOMEM;
	mark(&c);
	if (!c.failed)
		posh__walk(self, find_garbage, &c);
	if (!c.failed) {
		c.found = (int64_t)c.n;
		for (i = 0; i < c.n; i++)
			empty(self, c.stack[i]);
	}
	for (i = 0; i < c.spans; i++)
		free(c.mark[i]);
	free(c.mark);
	free(c.stack);
	return c.failed ? -ENOMEM : c.found;
}

/* How many bytes of spans are in use. */
static uint64_t
used(struct posh_heap *h)
{
	uint64_t first = h->hdr->first;
	uint64_t end = posh__load(&h->hdr->size) >> POSH__SPAN_BITS;

	return (end - first - posh__span_count(h, POSH__MAP_FREE))
	       << POSH__SPAN_BITS;
}

static int64_t
collect_now(struct posh__self *self)
{
	int64_t n;
	int rc;

	posh__member_reap(self);
	rc = posh__gate_shut(self);
	if (rc)
		return rc;
	n = posh__recount(self);
	if (n == 0)
		n = collect(self);
	posh__store(&self->h->hdr->collected, used(self->h));
	posh__gate_open(self);
	return n;
}

int64_t
posh_heap_collect(posh_heap *h)
{
	struct posh__self *self;
	int64_t n = posh__enter_write(h, &self);

	if (n)
		return n;
	n = collect_now(self);
	posh__leave(self);
	return n;
}

/* Is it time?  Twice what was in use after the last time, or, when the heap
 * is nearly full, somewhat more. */
static bool
due(struct posh_heap *h)
{
	uint64_t now = used(h), last = posh__load(&h->hdr->collected);
	uint64_t max = h->hdr->max_size;
	uint64_t first = FIRST_SIZE < max / 2 ? FIRST_SIZE : max / 2;

	return now >= first && (now >= 2 * last ||
				(now >= max / 4 * 3 && now >= last + max / 16));
}

void
posh__collect_soon(struct posh__self *self)
{
	struct posh_heap *h = self->h;
	void *token = NULL;

	/* Not inside a monitor: others may be at the gate with theirs. */
	if (self->nheld || self->hookless)
		return;
	h->grown = false;
	if (!due(h))
		return;
	/* Other threads of this process may run meanwhile. */
	if (h->before && h->after)
		token = h->before(h->hook_arg);
	self->hookless = true;
	collect_now(self);
	self->hookless = false;
	if (!h->before || !h->after)
		return;
	/* Outside: one that came meanwhile may wait for that, in its first
	 * call, and have what the hook waits for. */
	posh__leave(self);
	h->after(token, h->hook_arg);
	posh__begin_write(self);
}

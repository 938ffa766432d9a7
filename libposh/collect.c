/* SPDX-License-Identifier: MIT */
/* collect.c - the collector of cycles.
 *
 * Counts free everything but circles of objects that refer to each other and
 * that nobody else refers to.  While writers stand still, everything that a
 * process holds, that is in a place of the heap or that a thread owns is
 * marked, and all that can be reached from it.  What is left is garbage.  A
 * depth-first search finds objects in it that are in every circle, and holds
 * them.  Then the world goes on, and they are emptied, as their last user
 * could have done; the rest dies by its counts.
 *
 * INVARIANTS
 *   I1  while the gate is shut nothing that is not marked can be reached by
 *       anybody: a reader gets only to what a held object leads to;
 *   I2  holds are only added meanwhile, by readers, to what is marked; one
 *       that is dropped stays DROPPING, which counts as a hold here: it may
 *       have been the way to what was entered behind our back;
 *   I3  garbage is reached by nobody when the gate is open again; what is held
 *       of it cannot be freed and used again before it is emptied;
 *   I4  emptying is an operation like any other: a death in the middle is
 *       recovered like any other, and what is not emptied yet is garbage
 *       still.
 *
 * Marks and the stack are private memory; without memory for them nothing is
 * collected, and neither where objects have more values than there is room
 * for, as those of a damaged heap may, which name each other's.
 */
#include "config.h"

#include <stdlib.h>

#include "gate.h"
#include "ref.h"
#include "walk.h"

/* So much is in use when the first collection happens by itself. */
#define FIRST_SIZE (UINT64_C(32) << 20)

/* A bit for each block, span by span as needed. */
struct bits {
	uint64_t **span;
};

/* Where a depth-first search stands in an object. */
struct frame {
	uint64_t block, i;
	int row;
};

struct collection {
	struct posh__self *self;
	uint64_t spans;
	struct bits marked; /* reached from what is alive; later: seen */
	struct bits path;   /* on the search's way */
	uint64_t *stack;
	size_t n, max;
	struct frame *frame;
	size_t nframes, frames_max;
	uint64_t *breaker; /* objects that break all circles if emptied */
	size_t nbreakers, breakers_max;
	uint64_t budget; /* of slots */
	bool all;        /* all of the garbage has to be emptied */
	int error;       /* what broke it off */
};

/* Room for one more in an array; false: no memory. */
static bool
room(struct collection *c, void **array, size_t n, size_t *max, size_t size)
{
	size_t more = *max ? 2 * *max : 1024;
	void *p;

	if (n < *max)
		return true;
	p = realloc(*array, more * size);
	if (!p) {
		c->error = -ENOMEM;
		return false;
	}
	*array = p;
	*max = more;
	return true;
}

static void
push(struct collection *c, uint64_t block)
{
	if (room(c, (void **)&c->stack, c->n, &c->max, sizeof(*c->stack)))
		c->stack[c->n++] = block;
}

/* The word with a block's bit, made if need be; NULL: it is no block, or
 * there is no memory. */
static uint64_t *
word_of(struct collection *c, struct bits *b, uint64_t block, uint64_t *bit)
{
	struct posh_heap *h = c->self->h;
	uint64_t n = block >> POSH__SPAN_BITS, i;
	posh__word *w = posh__block_word(h, block);

	if (!w || n >= c->spans)
		return NULL;
	i = (uint64_t)(w - posh__span_at(h, n)->state);
	if (i >= POSH__SPAN / 16)
		return NULL; /* damaged */
	if (!b->span[n])
		b->span[n] = calloc(POSH__SPAN / 16 / 64, sizeof(uint64_t));
	if (!b->span[n]) {
		c->error = -ENOMEM;
		return NULL;
	}
	*bit = UINT64_C(1) << i % 64;
	return &b->span[n][i / 64];
}

/* Set a block's bit; true if it was not set. */
static bool
set_bit(struct collection *c, struct bits *b, uint64_t block)
{
	uint64_t bit, *word = word_of(c, b, block, &bit);

	if (!word || *word & bit)
		return false;
	*word |= bit;
	return true;
}

static bool
has_bit(struct collection *c, struct bits *b, uint64_t block)
{
	uint64_t bit, *word = word_of(c, b, block, &bit);

	return word && *word & bit;
}

/* Mark a block that is referred to, and see to what it refers to. */
static void
reach(struct collection *c, uint64_t block)
{
	if (set_bit(c, &c->marked, block))
		push(c, block);
}

static void
reach_slot(struct collection *c, posh__word *slot)
{
	uint64_t value = posh__load(slot);

	if (!posh__is_plain(value))
		reach(c, POSH__PAYLOAD(value));
}

/* Are there so many slots?  More than the heap has room for are not. */
static bool
afford(struct collection *c, uint64_t n)
{
	if (!posh__afford(&c->budget, n))
		c->error = -EUCLEAN;
	return !c->error;
}

static void
reach_rows(struct collection *c, const struct posh__row *row, int n)
{
	uint64_t i;

	while (n-- > 0 && afford(c, row[n].n))
		for (i = 0; i < row[n].n; i++)
			reach_slot(c, posh__at(c->self->h,
					       row[n].off + i * row[n].stride));
}

static void
trace(struct collection *c)
{
	struct posh__row row[POSH__ROWS];
	uint64_t body;

	while (c->n && !c->error) {
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
	for (i = 0; POSH_RULE(HELD) && i < high && i < POSH__MEMBERS; i++)
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

	if (posh__kind_is_object(kind) &&
	    POSH__STATE(posh__load(word)) == POSH__LIVE &&
	    !has_bit(c, &c->marked, block))
		push(c, block);
}

static bool
is_tuple(struct collection *c, uint64_t block)
{
	return posh__object(c->self->h, block)->kind == POSH__KIND_TUPLE;
}

/* The reference from one object to another closes a circle.  Either will do,
 * but a tuple cannot be emptied.  If both are tuples there are others in the
 * circle, but not the same in each that this reference closes. */
static void
closed(struct collection *c, uint64_t from, uint64_t to)
{
	uint64_t block = is_tuple(c, to) ? from : to;

	if (is_tuple(c, block))
		c->all = true;
	else if (room(c, (void **)&c->breaker, c->nbreakers, &c->breakers_max,
		      sizeof(*c->breaker)))
		c->breaker[c->nbreakers++] = block;
}

/* The search enters an object, unless it has seen it.  One that it is in the
 * middle of closes a circle: every circle has one. */
static void
visit(struct collection *c, uint64_t block)
{
	if (set_bit(c, &c->marked, block)) {
		set_bit(c, &c->path, block);
		if (room(c, (void **)&c->frame, c->nframes, &c->frames_max,
			 sizeof(*c->frame)))
			c->frame[c->nframes++] = (struct frame){block, 0, 0};
	} else if (has_bit(c, &c->path, block)) {
		closed(c, c->frame[c->nframes - 1].block, block);
	}
}

static void
leave(struct collection *c)
{
	uint64_t bit;
	uint64_t block = c->frame[--c->nframes].block;
	uint64_t *word = word_of(c, &c->path, block, &bit);

	if (word)
		*word &= ~bit;
}

/* The next object that the topmost frame refers to, or 0. */
static uint64_t
next_child(struct collection *c)
{
	struct frame *f = &c->frame[c->nframes - 1];
	struct posh__row row[POSH__ROWS];
	uint64_t body;
	int n = posh__rows(c->self->h, f->block, row, &body);

	for (; f->row < n; f->row++, f->i = 0)
		while (f->i < row[f->row].n && afford(c, 1)) {
			posh__word *slot = posh__at(
				c->self->h,
				row[f->row].off + f->i++ * row[f->row].stride);
			uint64_t value = posh__load(slot);

			if (POSH__TAG(value) == POSH__TAG_OBJECT)
				return POSH__PAYLOAD(value);
		}
	return 0;
}

/* Search the garbage depth first.  What is alive is marked, and so is passed
 * by like what was seen. */
static void
find_breakers(struct collection *c)
{
	size_t i;

	for (i = 0; i < c->n && !c->error; i++) {
		visit(c, c->stack[i]);
		while (c->nframes && !c->error) {
			uint64_t child = next_child(c);

			if (child)
				visit(c, child);
			else
				leave(c);
		}
	}
}

/* Hold them, so that they can be emptied when the world goes on. */
static void
hold_breakers(struct collection *c)
{
	size_t i;

	if (c->all) {
		free(c->breaker);
		c->breaker = c->stack;
		c->nbreakers = c->n;
		c->stack = NULL;
	}
	for (i = 0; i < c->nbreakers; i++)
		if (POSH_RULE(BREAKER) && posh__hold(c->self, c->breaker[i]))
			break; /* the rest is for another time */
	c->nbreakers = i;
}

/* Empty the slots of an instance, one by one. */
static void
empty_slots(struct posh__self *self, uint64_t object)
{
	struct posh__instance *p = posh__at(self->h, object);
	unsigned i;

	if (!posh__inside(self->h, object,
			  sizeof(*p) + 8 * (uint64_t)p->head.flags))
		return; /* damaged */
	for (i = 0; i < p->head.flags; i++)
		if (posh__peek(&p->slot[i])) {
			posh__slot_set(self, object, &p->slot[i], 0);
			posh__release(self);
		}
	if (posh__peek(&p->head.body))
		posh__slot_set(self, object, &p->head.body, 0);
}

/* Empty a container of the garbage, which is held, and let it go. */
static void
empty(struct posh__self *self, uint64_t object)
{
	struct posh__object *o = posh__object(self->h, object);

	if (o->kind != POSH__KIND_TUPLE && posh__lock(self, object, 0) == 0) {
		if (o->kind == POSH__KIND_INSTANCE)
			empty_slots(self, object);
		else if (posh__peek(&o->body))
			posh__body_swap(self, object, 0, UINT64_MAX, false);
		posh__unlock(self, object);
		posh__release(self);
	}
	posh__drop(self, object);
}

/* Find the garbage, while the world stands still.  Returns how many objects
 * it is. */
static int64_t
search(struct collection *c)
{
	c->spans = posh__span_end(c->self->h);
	c->marked.span = calloc(c->spans, sizeof(uint64_t *));
	c->path.span = calloc(c->spans, sizeof(uint64_t *));
	if (!c->marked.span || !c->path.span)
		return -ENOMEM;
	c->budget = posh__slots_most(c->self->h);
	mark(c);
	if (!c->error)
		posh__walk(c->self, find_garbage, c);
	if (!c->error)
		find_breakers(c);
	if (c->error)
		return c->error;
	hold_breakers(c);
	return (int64_t)c->n;
}

static void
free_bits(struct collection *c, struct bits *b)
{
	uint64_t i;

	for (i = 0; b->span && i < c->spans; i++)
		free(b->span[i]);
	free(b->span);
}

static void
finish(struct collection *c)
{
	free_bits(c, &c->marked);
	free_bits(c, &c->path);
	free(c->stack);
	free(c->frame);
	free(c->breaker);
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
	struct collection c = {.self = self};
	int64_t n;
	size_t i;
	int rc;

	posh__member_reap(self);
	rc = posh__gate_shut(self);
	if (rc) {
		/* Somebody is stopped in a call.  All have waited for that
		 * one: not again before there is as much once more. */
		posh__store(&self->h->hdr->collected, used(self->h));
		return rc;
	}
	n = posh__suspects(self) ? posh__recount(self) : 0;
	if (n == 0)
		n = search(&c);
	posh__store(&self->h->hdr->collected, used(self->h));
	posh__gate_open(self);
	for (i = 0; n > 0 && i < c.nbreakers; i++)
		empty(self, c.breaker[i]);
	if (n > 0)
		posh__store(&self->h->hdr->collected, used(self->h));
	finish(&c);
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

static void
collect_if_due(struct posh__self *self)
{
	struct posh_heap *h = self->h;
	void *token = NULL;

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

void
posh__chores(struct posh__self *self)
{
	struct posh_heap *h = self->h;

	posh__private_store(&h->due, 0);
	if (posh__private_load(&h->late))
		posh__drops_own(self);
	/* Not inside a monitor: others may be at the gate with theirs. */
	if (self->nheld || self->hookless)
		posh__private_store(&h->due, 1);
	else
		collect_if_due(self);
}

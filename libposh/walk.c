/* SPDX-License-Identifier: MIT */
/* walk.c - going through all blocks of a heap: the recount and the check are
 * made of this.  Numbers that make no sense are skipped: the check names
 * them. */
#include "config.h"

#include <stdlib.h>

#include "walk.h"

/* How many blocks a span has, cut to what its table can hold. */
static uint32_t
blocks_of(struct posh_heap *h, uint64_t n)
{
	uint64_t w = posh__load(posh__span_word(h, n));
	struct posh__span *s = posh__span_at(h, n);
	uint64_t count = posh__peek(&s->word0) >> 32 & 0xffff;
	uint64_t max = (POSH__SPAN - sizeof(*s)) / 8;

	switch (POSH__SPAN_STATE(w)) {
	case POSH__SPAN_OWNED:
	case POSH__SPAN_ORPHAN:
		return (uint32_t)(count < max ? count : max);
	case POSH__SPAN_RUN:
		return 1;
	}
	return 0;
}

static uint64_t
block_of(struct posh_heap *h, uint64_t n, uint32_t i)
{
	struct posh__span *s = posh__span_at(h, n);

	return (n << POSH__SPAN_BITS) + posh__peek(&s->blocks_off) +
	       (uint64_t)i * (uint32_t)posh__peek(&s->word0);
}

void
posh__walk(struct posh__self *self, posh__visit *f, void *arg)
{
	struct posh_heap *h = self->h;
	uint64_t end = posh__span_end(h), n;
	uint32_t i;

	for (n = h->hdr->first; n < end; n++) {
		uint32_t count = blocks_of(h, n);

		for (i = 0; i < count; i++) {
			posh__word *w = &posh__span_at(h, n)->state[i];
			uint64_t block = block_of(h, n, i);

			if (posh__load(w) && posh__block_word(h, block) == w)
				f(self, block, w, arg);
		}
	}
}

/* Counters for n blocks; ahead of them n itself, since what a damaged heap
 * says it has may be something else a moment later. */
static uint32_t *
counters(uint32_t n)
{
	uint32_t *p = calloc((size_t)n + 1, sizeof(*p));

	if (p)
		p[0] = n;
	return p;
}

static uint32_t *
counted(const struct posh__census *c, uint64_t span, ptrdiff_t i)
{
	uint32_t *p = c->count[span];

	return p && i < p[0] ? &p[i + 1] : NULL;
}

/* The count of a block, made if need be; NULL: it is no block. */
static uint32_t *
counter(struct posh__self *self, struct posh__census *c, uint64_t block)
{
	struct posh_heap *h = self->h;
	uint64_t n = block >> POSH__SPAN_BITS;
	posh__word *w = posh__block_word(h, block);

	if (!w || !posh__load(w) || n >= c->spans)
		return NULL;
	if (!c->count[n])
		c->count[n] = counters(blocks_of(h, n));
	if (!c->count[n]) {
		c->error = -ENOMEM;
		return NULL;
	}
	return counted(c, n, w - posh__span_at(h, n)->state);
}

static void
count_slot(struct posh__self *self, struct posh__census *c, posh__word *slot)
{
	uint64_t value = posh__load(slot);
	uint32_t *count;

	if (posh__is_plain(value))
		return;
	count = counter(self, c, POSH__PAYLOAD(value));
	if (count)
		(*count)++;
	else if (c->stray && !c->error)
		c->stray(self, slot, c->arg);
}

static void
count_rows(struct posh__self *self, struct posh__census *c,
	   const struct posh__row *row, int n)
{
	uint64_t i;

	while (n-- > 0) {
		if (!posh__afford(&c->budget, row[n].n))
			c->error = -EUCLEAN;
		if (c->error)
			return;
		for (i = 0; i < row[n].n; i++)
			count_slot(self, c,
				   posh__at(self->h,
					    row[n].off + i * row[n].stride));
	}
}

/* A body, or other memory, that this word names.  False: others name it too,
 * and were counted before. */
static bool
count_body(struct posh__self *self, struct posh__census *c, posh__word *owner)
{
	uint64_t body = posh__load(owner);
	uint32_t *count = body ? counter(self, c, body) : NULL;

	if (count)
		(*count)++;
	else if (body && c->stray && !c->error)
		c->stray(self, owner, c->arg);
	return !count || *count == 1;
}

static void
count_block(struct posh__self *self, uint64_t block, posh__word *word,
	    void *arg)
{
	struct posh__census *c = arg;
	struct posh__row row[POSH__ROWS];
	struct posh__object *o = posh__object(self->h, block);
	uint64_t body;
	int n;

	if (POSH__STATE(posh__load(word)) == POSH__DEAD ||
	    o->kind >= POSH__KIND_BODY)
		return; /* a body is counted where it is named */
	n = posh__rows(self->h, block, row, &body);
	/* Of a body that thousands name the values count once. */
	if (!body || count_body(self, c, &o->body))
		count_rows(self, c, row, n);
}

/* What the entry of a thread owns. */
static void
count_thread(struct posh__self *self, struct posh__census *c,
	     struct posh__thread *t)
{
	struct posh__row row[POSH__ROWS];
	uint64_t from = posh__load(&t->trash_from);
	uint64_t to = posh__load(&t->trash_to);
	int i, n;

	for (i = 0; i < 4; i++)
		count_slot(self, c, &t->val[i]);
	count_body(self, c, &t->newbody);
	count_body(self, c, &t->stage);
	if (posh__load(&t->stage))
		count_rows(
			self, c, row,
			posh__body_rows(self->h, posh__load(&t->stage), row));
	count_body(self, c, &t->trash);
	if (!posh__load(&t->trash))
		return;
	n = posh__body_rows(self->h, posh__load(&t->trash), row);
	for (i = 0; i < n; i++) {
		uint64_t end = to < row[i].n ? to : row[i].n;

		row[i].off += from * row[i].stride;
		row[i].n = end > from ? end - from : 0;
	}
	count_rows(self, c, row, n);
}

int
posh__census_take(struct posh__self *self, struct posh__census *c)
{
	struct posh_heap *h = self->h;
	uint32_t high = (uint32_t)posh__load(&h->hdr->threads_high), tid;
	int i;

	c->spans = posh__span_end(h);
	c->budget = posh__slots_most(h);
	c->error = 0;
	c->count = calloc(c->spans, sizeof(*c->count));
	if (!c->count)
		return -ENOMEM;
	for (i = 0; i < 4; i++)
		count_slot(self, c, &h->hdr->place[i]);
	for (tid = 1; tid < high && tid < POSH__THREADS; tid++) {
		struct posh__thread *t = posh__thread_at(h, tid);

		if (POSH__THREAD_STATE(posh__load(&t->state)) !=
		    POSH__THREAD_FREE)
			count_thread(self, c, t);
	}
	posh__walk(self, count_block, c);
	if (c->error)
		posh__census_free(c);
	return c->error;
}

uint32_t
posh__census_of(struct posh__self *self, const struct posh__census *c,
		uint64_t block)
{
	uint64_t n = block >> POSH__SPAN_BITS;
	posh__word *w = posh__block_word(self->h, block);
	uint32_t *count;

	if (!w || n >= c->spans)
		return 0;
	count = counted(c, n, w - posh__span_at(self->h, n)->state);
	return count ? *count : 0;
}

void
posh__census_free(struct posh__census *c)
{
	uint64_t n;

	for (n = 0; c->count && n < c->spans; n++)
		free(c->count[n]);
	free(c->count);
	c->count = NULL;
}

/* SPDX-License-Identifier: MIT */
/* stats.c - figures of a heap, counted by a walk: a counter that every
 * process writes would be a cache line that every process waits for. */
#include "config.h"

#include <string.h>

#include "walk.h"

static void
count(struct posh__self *self, uint64_t block, posh__word *word, void *arg)
{
	struct posh_stats *s = arg;
	uint64_t w = posh__load(word);

	s->live_blocks++;
	s->live_bytes += posh__block_bytes(self->h, block);
	if (w & POSH__SUSPECT)
		s->suspects++;
}

static void
count_spans(struct posh_heap *h, struct posh_stats *s)
{
	uint64_t n, end = posh__load(&h->hdr->size) >> POSH__SPAN_BITS;

	for (n = h->hdr->first; n < end && n < h->hdr->nspans; n++) {
		uint64_t w = posh__load(posh__span_word(h, n));
		unsigned st = POSH__SPAN_STATE(w);

		if (st == POSH__SPAN_FREE || st == POSH__SPAN_LIMBO)
			s->free_bytes += POSH__SPAN;
	}
}

int
posh_heap_stats(posh_heap *h, struct posh_stats *out, size_t size)
{
	struct posh__self *self;
	struct posh_stats s = {0};
	uint32_t i;
	int rc;

	if (!out || size < sizeof(s.size))
		return -EINVAL;
	rc = posh__enter_write(h, &self);
	if (rc)
		return rc;
	/* Without those whose pages were given back. */
	s.bytes = posh__load(&h->hdr->size) -
		  ((h->hdr->first + posh__span_punched(h)) << POSH__SPAN_BITS);
	s.max_size = h->hdr->max_size;
	posh__walk(self, count, &s);
	count_spans(h, &s);
	for (i = 0; i < posh__load(&h->hdr->members_high); i++) {
		struct posh__member *m = posh__member_at(h, i);

		if ((posh__load(&m->state) & 0xff) == POSH__MEMBER_FREE)
			continue;
		s.members++;
		if (i != h->index && posh__member_dead(h, i))
			s.dead++;
	}
	posh__leave(self);
	s.size = size < sizeof(s) ? size : sizeof(s);
	memcpy(out, &s, s.size);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* span.h - the table of spans: who has which 64 KiB, and for what. */
#ifndef POSH_SPAN_H
#define POSH_SPAN_H

#include "thread.h"

#define POSH__SPAN_STATE(w) ((unsigned)((w)&0xff))
#define POSH__SPAN_CLASS(w) ((unsigned)((w) >> 8 & 0xff))
#define POSH__SPAN_OWNER(w) ((uint32_t)((w) >> 16 & 0xffff))
#define POSH__SPAN_STAMP(w) ((uint32_t)((w) >> 32))
#define POSH__SPAN_WORD(st, cls, owner, stamp)                                 \
	((uint64_t)(st) | (uint64_t)(cls) << 8 | (uint64_t)(owner) << 16 |     \
	 (uint64_t)(stamp) << 32)
#define POSH__CLASS_RUN 255

static inline posh__word *
posh__span_word(const struct posh_heap *h, uint64_t n)
{
	return (posh__word *)(h->base + h->hdr->spans_off) + n;
}

static inline struct posh__span *
posh__span_at(const struct posh_heap *h, uint64_t n)
{
	return (struct posh__span *)posh__at(h, n << POSH__SPAN_BITS);
}

/* Where the spans in use end. */
static inline uint64_t
posh__span_end(const struct posh_heap *h)
{
	uint64_t n = posh__load(&h->hdr->size) >> POSH__SPAN_BITS;

	return n < h->hdr->nspans ? n : h->hdr->nspans;
}

/* The bit maps: hints, where to look first. */
enum posh__map { POSH__MAP_FREE, POSH__MAP_ORPHAN, POSH__MAP_REMOTE };
void posh__span_mark(struct posh_heap *h, enum posh__map map, uint64_t n);
void posh__span_unmark(struct posh_heap *h, enum posh__map map, uint64_t n);
bool posh__span_marked(struct posh_heap *h, enum posh__map map, uint64_t n);
/* How many are marked. */
uint64_t posh__span_count(struct posh_heap *h, enum posh__map map);
/* The first marked span at or after n, or 0. */
uint64_t posh__span_next(struct posh_heap *h, enum posh__map map, uint64_t n);

/* Claim one free span for self, or n adjoining ones for state st
 * (RUN, HOLDS); grows the heap when there is none.  The first span's number
 * is in self->t->span_busy (or *busy) until the caller clears it.
 *   -ENOMEM */
int posh__span_claim(struct posh__self *self, uint64_t *out);
int posh__span_run(struct posh__self *self, unsigned st, uint32_t n,
		   posh__word *busy, uint64_t *out);

/* The same for the free map, if the span is free: somebody may have died
 * between the one and the other. */
void posh__span_remark(struct posh_heap *h, uint64_t n);

/* Is any span free but for those who may still look at it? */
bool posh__span_closed(struct posh__self *self);

/* Give spans back: to LIMBO, and from there to FREE once every thread that
 * was inside has left. */
void posh__span_give(struct posh__self *self, uint64_t first);

/* Give the pages of long runs of free spans back to the system; without all,
 * only if much is free.  Not by who acts for another. */
void posh__span_trim(struct posh__self *self, bool all);

/* How many spans have no pages; and has this one? */
uint64_t posh__span_punched(struct posh_heap *h);
bool posh__span_is_punched(struct posh_heap *h, uint64_t n);

/* Part with an own span of a class, which is in no list: it is given back,
 * or an orphan if there is something in it. */
void posh__span_part(struct posh__self *self, uint64_t n);

/* Finish or undo the claim or the giving that a dead thread was in. */
void posh__span_settle(struct posh__self *self, posh__word *busy);

#endif

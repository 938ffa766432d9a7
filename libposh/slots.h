/* SPDX-License-Identifier: MIT */
/* slots.h - where a block keeps values.  See slots.c. */
#ifndef POSH_SLOTS_H
#define POSH_SLOTS_H

#include "ref.h"

/* A row of slots: at off, n of them, each stride bytes behind the last. */
struct posh__row {
	uint64_t off, n, stride;
};

enum { POSH__ROWS = 3 };

/* A list's body. */
struct posh__body {
	posh__half capacity;
	uint16_t kind;
	uint16_t flags;
	posh__word length;
	posh__word slot[];
};

/* A dict's body: entries in order of insertion, then the index. */
struct posh__entry {
	posh__word hash;
	posh__word number; /* of the insertion, growing */
	posh__word key;
	posh__word value; /* EMPTY: the entry was deleted */
};

struct posh__dbody {
	posh__half capacity; /* entries */
	uint16_t kind;
	uint16_t flags;    /* log2 of the index's size */
	posh__word fill;   /* entries used:32 | of these, live:32 */
	posh__word number; /* the next insertion's */
	posh__half marks;  /* what keys were entered: see dict.h */
	posh__half first;  /* the entries before this one are deleted */
	struct posh__entry entry[];
};

#define POSH__FILL(used, live) ((uint64_t)(used) << 32 | (live))
#define POSH__USED(fill)       ((uint32_t)((fill) >> 32))
#define POSH__LIVE_(fill)      ((uint32_t)(fill))

/* A deque, and its body: see deque.c. */
enum { POSH__RING_LEAST = 8 }; /* slots of a ring */

struct posh__deque {
	struct posh__object head;
	posh__word bound; /* elements at most, + 1; 0: no bound */
};

struct posh__ring {
	posh__half capacity; /* a power of two */
	uint16_t kind;
	uint16_t flags;
	posh__word fill; /* start:32 | length:32 */
	posh__word slot[];
};

struct posh__tuple {
	struct posh__object head;
	posh__word length;
	posh__word slot[];
};

struct posh__instance {
	struct posh__object head; /* body: the value of the dict, or EMPTY */
	posh__word cls;           /* the value of the class */
	posh__word slot[];        /* flags: how many */
};

/* Bytes.  Those of a window are in use; see buffer.c. */
struct posh__blob {
	struct posh__object head;
	posh__word bytes;  /* of data */
	posh__word window; /* start:24 | length:40 */
	posh__word pad;    /* data of a run begins with a cache line */
	uint8_t data[];
};

#define POSH__WINDOW_SHIFT     40
#define POSH__WINDOW_LENGTH(w) ((w) & ((UINT64_C(1) << 40) - 1))
#define POSH__WINDOW_START(w)  ((w) >> POSH__WINDOW_SHIFT)

struct posh__buffer {
	struct posh__object head;
	posh__word blob; /* the value of the blob */
	posh__word meta; /* what its bytes mean: the users' */
};

static inline struct posh__body *
posh__body_at(const struct posh_heap *h, uint64_t body)
{
	return (struct posh__body *)(h->base + body);
}

static inline struct posh__dbody *
posh__dbody_at(const struct posh_heap *h, uint64_t body)
{
	return (struct posh__dbody *)(h->base + body);
}

static inline struct posh__ring *
posh__ring_at(const struct posh_heap *h, uint64_t body)
{
	return (struct posh__ring *)(h->base + body);
}

/* The rows of a block, cut to what its memory can hold.  Returns how many.
 * *body is its body, or 0. */
int posh__rows(struct posh_heap *h, uint64_t block, struct posh__row *row,
	       uint64_t *body);

/* The rows of a body, of either kind. */
int posh__body_rows(struct posh_heap *h, uint64_t body, struct posh__row *row);

/* Slots take 8 bytes each and have one owner: those who go through all of a
 * heap meet no more than this, unless it is damaged. */
static inline uint64_t
posh__slots_most(const struct posh_heap *h)
{
	return posh__load(&h->hdr->size) / 8;
}

/* Take n of a budget; false: there are not so many left. */
static inline bool
posh__afford(uint64_t *budget, uint64_t n)
{
	if (n > *budget)
		return false;
	*budget -= n;
	return true;
}

/* Unlink all values of a row (death.c); the dead wait. */
void posh__row_unlink(struct posh__self *self, const struct posh__row *row);

#endif

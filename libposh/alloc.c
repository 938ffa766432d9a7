/* SPDX-License-Identifier: MIT */
/* alloc.c - blocks.
 *
 * A span of a size class belongs to a thread, which takes blocks from a list
 * of its own without an atomic read-modify-write.  Others free by storing
 * FREE in the block's state word and counting it in the span's header; the
 * owner finds such blocks by reading the state words, once a good part of
 * the span is free.  So there is no list that two processes change, and none
 * that a death can tear: *a block is free if and only if its word is 0.*
 *
 * STATES of a block's word here: FREE -birth-> LIVE ... DEAD(t) -free-> FREE
 *
 * INVARIANTS
 *   I1  FREE to LIVE is done by the span's owner only, LIVE of a run by the
 *       thread that made it; so both are plain stores;
 *   I2  DEAD(t) to FREE is done by t only, or who recovers t: a plain store;
 *   I3  a FREE block's kind is RAW, stored ahead of FREE (the recovery of an
 *       allocation must not find a former life's kind);
 *   I4  the private list names FREE blocks only; a FREE block that it does
 *       not name is found when the span is swept;
 *   I5  remote counts blocks freed by others since the last sweep, about: a
 *       death between FREE and the count loses one, until the next sweep.
 *
 * PROGRESS  allocation and freeing are lock-free, except that the heap may
 * have to grow (grow.c).
 *
 * STEPS      effect                       if the process dies here
 *   alloc.1  a new span's header written  span_busy: recovery frees the span
 *   alloc.2  span OWNED, not in the list  span_busy: recovery gives it back
 *   alloc.3  span in the owner's list     the span becomes an orphan
 *   alloc.4  block LIVE                   the caller's journal names it
 *   alloc.5  kind RAW, a run is the       freeing names it: freed again
 *            freer's
 *   alloc.6  block FREE                   the owner's next sweep finds it
 *   alloc.7  counted as remote            as alloc.6
 *   alloc.8  an empty span out of the     span_busy: recovery gives it back
 *            list
 *   alloc.9  span_busy names an own span  recovery parts with it
 *   alloc.10 it is an orphan, or free     recovery goes on with the list
 *   alloc.11 an orphan OWNED              span_busy: an orphan again
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "quiesce.h"
#include "ref.h"

/* Sizes grow by a quarter at most up to 16 KiB; beyond, as many blocks as
 * fit a span. */
static const uint16_t sizes[] = {
	16,   32,   48,    64,    80,    96,    112,   128,  160,  192,
	224,  256,  320,   384,   448,   512,   640,   768,  896,  1024,
	1280, 1536, 1792,  2048,  2560,  3072,  3584,  4096, 5120, 6528,
	8176, 9344, 10896, 13072, 16352, 21808, 32720,
};

enum {
	NSIZES = sizeof(sizes) / sizeof(sizes[0]),
	MOST = POSH__SPAN / 16, /* blocks in a span: less than that */
	LARGE = 64, /* spans: freeing a run of these is worth a look */
	FRONT = sizeof(struct posh__span), /* ahead of the state words */
	RUN_OFF = (FRONT + 8 + 15) & ~15,
	ROUNDS = 1000, /* of waiting for memory, */
	NAP = 100000,  /* ns, between them */
	LOOKS = 1000,  /* at orphans */
};

_Static_assert((int)NSIZES <= (int)POSH__CLASSES, "struct posh__self has room");

static unsigned
class_of(uint64_t bytes)
{
	unsigned c = 0;

	if (bytes <= 128)
		return bytes ? (unsigned)((bytes - 1) / 16) : 0;
	/* Four classes to each power of two, up to 4096. */
	if (bytes <= 4096) {
		unsigned top = 63 - (unsigned)__builtin_clzll(bytes - 1);

		return 8 + (top - 7) * 4 +
		       (unsigned)((bytes - 1) >> (top - 2) & 3);
	}
	for (c = 28; c < NSIZES && sizes[c] < bytes; c++)
		;
	return c;
}

uint64_t
posh__block_round(uint64_t bytes)
{
	unsigned c = class_of(bytes);

	if (c < NSIZES)
		return sizes[c];
	return ((bytes + RUN_OFF + POSH__SPAN - 1) & ~(POSH__SPAN - 1)) -
	       RUN_OFF;
}

/* Fields of a span's header. */

static uint32_t
block_size(const struct posh__span *s)
{
	return (uint32_t)posh__peek(&s->word0);
}

static uint32_t
block_count(const struct posh__span *s)
{
	return (uint32_t)(posh__peek(&s->word0) >> 32 & 0xffff);
}

/* list: head + 1:16 | bump:16 | free:16 | in avail:1; the owner's alone. */
#define LIST_HEAD(l)  ((uint32_t)((l)&0xffff))
#define LIST_BUMP(l)  ((uint32_t)((l) >> 16 & 0xffff))
#define LIST_FREE(l)  ((uint32_t)((l) >> 32 & 0xffff))
#define LIST_AVAIL(l) ((uint32_t)((l) >> 48 & 1))
#define LIST(head, bump, nfree, avail)                                         \
	((uint64_t)(head) | (uint64_t)(bump) << 16 | (uint64_t)(nfree) << 32 | \
	 (uint64_t)(avail) << 48)

static uint32_t
index_of(const struct posh__span *s, uint64_t block)
{
	uint64_t off = (block & (POSH__SPAN - 1)) - posh__peek(&s->blocks_off);

	return (uint32_t)(off * posh__peek(&s->inverse) >> 32);
}

static uint64_t
block_at(uint64_t n, const struct posh__span *s, uint32_t i)
{
	return (n << POSH__SPAN_BITS) + posh__peek(&s->blocks_off) +
	       (uint64_t)i * block_size(s);
}

/* Where a free block of the private list keeps the next one's index + 1. */
static posh__word *
next_of(struct posh_heap *h, uint64_t block)
{
	return (posh__word *)posh__at(h, block + 8);
}

posh__word *
posh__block_word(struct posh_heap *h, uint64_t block)
{
	uint64_t n = block >> POSH__SPAN_BITS, off = block & (POSH__SPAN - 1);
	struct posh__span *s;
	unsigned st;
	uint32_t i;

	if (block & 15 || n < h->hdr->first || n >= h->hdr->nspans ||
	    !posh__inside(h, block, 16))
		return NULL;
	s = posh__span_at(h, n);
	st = POSH__SPAN_STATE(posh__load(posh__span_word(h, n)));
	if (st == POSH__SPAN_RUN)
		return off == RUN_OFF ? &s->state[0] : NULL;
	if (st != POSH__SPAN_OWNED && st != POSH__SPAN_ORPHAN)
		return NULL;
	if (off < posh__peek(&s->blocks_off))
		return NULL;
	i = index_of(s, block);
	if (i >= block_count(s) || i >= MOST || block_at(n, s, i) != block)
		return NULL;
	return &s->state[i];
}

uint64_t
posh__block_around(struct posh_heap *h, uint64_t off)
{
	uint64_t n = off >> POSH__SPAN_BITS, block = 0, w;
	struct posh__span *s;

	if (n < h->hdr->first || n >= h->hdr->nspans ||
	    !posh__inside(h, off, 1))
		return 0;
	w = posh__load(posh__span_word(h, n));
	if (POSH__SPAN_STATE(w) == POSH__SPAN_CONT &&
	    POSH__SPAN_STAMP(w) <= n - h->hdr->first) {
		n -= POSH__SPAN_STAMP(w);
		w = posh__load(posh__span_word(h, n));
	}
	s = posh__span_at(h, n);
	if (POSH__SPAN_STATE(w) == POSH__SPAN_RUN)
		block = (n << POSH__SPAN_BITS) + RUN_OFF;
	else if (off - (n << POSH__SPAN_BITS) >= posh__peek(&s->blocks_off))
		block = block_at(n, s, index_of(s, off));
	return block && block <= off && posh__block_word(h, block) &&
			       off - block < posh__block_bytes(h, block)
		       ? block
		       : 0;
}

uint64_t
posh__block_bytes(struct posh_heap *h, uint64_t block)
{
	struct posh__span *s = posh__span_at(h, block >> POSH__SPAN_BITS);
	uint64_t bytes = block_size(s), room, limit;

	/* No further than the memory goes: a damaged heap is walked too. */
	if (bytes) {
		room = POSH__SPAN - (block & (POSH__SPAN - 1));
		return bytes < room ? bytes : room;
	}
	bytes = posh__peek(&s->bytes);
	if (posh__inside(h, block, bytes))
		return bytes;
	limit = posh__private_load(&h->limit);
	return block < limit ? limit - block : 0;
}

/* Have the class's list of spans that may have blocks take one more. */
static bool
avail_room(struct posh__self *self, unsigned c)
{
	uint32_t max = self->avail_max[c] ? 2 * self->avail_max[c] : 8, *p;

	if (self->navail[c] < self->avail_max[c])
		return true;
	p = realloc(self->avail[c], max * sizeof(*p));
	if (!p)
		return false;
	self->avail[c] = p;
	self->avail_max[c] = max;
	return true;
}

/* Have that list name this one. */
static void
make_avail(struct posh__self *self, unsigned c, uint64_t n)
{
	struct posh__span *s = posh__span_at(self->h, n);

	if (LIST_AVAIL(posh__peek(&s->list)) || !avail_room(self, c))
		return; /* or it is found by a sweep */
	self->avail[c][self->navail[c]++] = (uint32_t)n;
	posh__store(&s->list, posh__peek(&s->list) | UINT64_C(1) << 48);
}

/* In a test, have who reads a freed block notice. */
static void
poison(struct posh_heap *h, uint64_t block)
{
#ifdef POSH_CHECK
	uint64_t bytes = posh__block_bytes(h, block);

	if (bytes > 16)
		memset((char *)posh__at(h, block + 16), 0xdb,
		       (bytes < 4096 ? bytes : 4096) - 16);
#else
	(void)h;
	(void)block;
#endif
}

/* Read the state words of an own span and make its list of all FREE ones. */
static void
sweep(struct posh__self *self, uint64_t n)
{
	struct posh__span *s = posh__span_at(self->h, n);
	uint32_t count = block_count(s), nfree = 0, head = 0, i;

	posh__store(&s->remote, 0);
	if (POSH_RULE(SWEEP_FENCE))
		posh__fence(); /* a free counted from here on is found next
				* time */
	for (i = count; i-- > 0;) {
		uint64_t block = block_at(n, s, i);
		struct posh__block *b = posh__at(self->h, block);

		if (posh__load(&s->state[i]))
			continue;
		b->kind = POSH__KIND_RAW; /* it may never have been in use */
		posh__store(next_of(self->h, block), head);
		head = i + 1;
		nfree++;
	}
	posh__store(&s->list,
		    LIST(head, count, nfree, LIST_AVAIL(posh__peek(&s->list))));
}

static void
list_span(struct posh__self *self, uint64_t n)
{
	struct posh__span *s = posh__span_at(self->h, n);

	posh__store(&s->next, posh__peek(&self->t->spans));
	posh__store(&s->prev, 0);
	if (posh__peek(&self->t->spans))
		posh__store(&posh__span_at(self->h, posh__peek(&self->t->spans))
				     ->prev,
			    n);
	posh__store(&self->t->spans, n);
	POSH_STEP("alloc.3");
	posh__store(&self->t->span_busy, 0);
}

/* How many blocks of a size a span has, and where they begin. */
static uint64_t
shape(uint64_t size, uint64_t *off)
{
	uint64_t count = (POSH__SPAN - FRONT) / (size + 8);

	while (*off = (FRONT + 8 * count + 15) & ~UINT64_C(15),
	       *off + count * size > POSH__SPAN)
		count--;
	return count;
}

static uint64_t
inverse_of(uint64_t size)
{
	return ((UINT64_C(1) << 32) + size - 1) / size;
}

static void
write_header(struct posh__span *s, uint32_t size)
{
	uint64_t off, count = shape(size, &off);

	posh__store(&s->word0, count << 32 | size);
	posh__store(&s->blocks_off, off);
	posh__store(&s->inverse, inverse_of(size));
	posh__store(&s->remote, 0);
	posh__store(&s->list, LIST(0, 0, count, 0));
	posh__store(&s->bytes, 0);
	memset((void *)s->state, 0, 8 * count);
}

/* Is the header that of a span of this class?  One from a damaged heap may be
 * anything. */
static bool
sound(const struct posh__span *s, unsigned c)
{
	uint64_t off, count;

	if (c >= NSIZES)
		return false;
	count = shape(sizes[c], &off);
	return posh__peek(&s->word0) == (count << 32 | sizes[c]) &&
	       posh__peek(&s->blocks_off) == off &&
	       posh__peek(&s->inverse) == inverse_of(sizes[c]);
}

static int
new_span(struct posh__self *self, unsigned c)
{
	struct posh_heap *h = self->h;
	uint64_t n;
	int rc = posh__span_claim(self, &n);

	if (rc)
		return rc;
	write_header(posh__span_at(h, n), sizes[c]);
	POSH_STEP("alloc.1");
	posh__store(posh__span_word(h, n),
		    POSH__SPAN_WORD(POSH__SPAN_OWNED, c, self->tid, 0));
	POSH_STEP("alloc.2");
	list_span(self, n);
	make_avail(self, c, n);
	return 0;
}

/* The number of a span in a list, or 0: a damaged one ends there. */
static uint64_t
listed(struct posh_heap *h, uint64_t n)
{
	return n < h->hdr->nspans &&
			       posh__inside(h, n << POSH__SPAN_BITS, POSH__SPAN)
		       ? n
		       : 0;
}

/* Give back an own span that is wholly free. */
static void
give_span(struct posh__self *self, uint64_t n)
{
	struct posh_heap *h = self->h;
	struct posh__span *s = posh__span_at(h, n);
	uint64_t next = listed(h, posh__peek(&s->next));
	uint64_t prev = listed(h, posh__peek(&s->prev));

	posh__store(&self->t->span_busy, UINT64_C(1) << 32 | n);
	if (prev)
		posh__store(&posh__span_at(h, prev)->next, next);
	else
		posh__store(&self->t->spans, next);
	if (next)
		posh__store(&posh__span_at(h, next)->prev, prev);
	POSH_STEP("alloc.8");
	posh__span_give(self, n);
	posh__store(&self->t->span_busy, 0);
}

static bool
mine(struct posh__self *self, uint64_t n, unsigned c)
{
	return posh__load(posh__span_word(self->h, n)) ==
	       POSH__SPAN_WORD(POSH__SPAN_OWNED, c, self->tid, 0);
}

/* An own span has become wholly free: one is kept, others go. */
static void
now_empty(struct posh__self *self, unsigned c, uint64_t n)
{
	uint32_t spare = self->empty[c];
	struct posh__span *s;

	if (spare == n)
		return;
	if (spare && mine(self, spare, c)) {
		s = posh__span_at(self->h, spare);
		if (LIST_FREE(posh__peek(&s->list)) == block_count(s)) {
			give_span(self, n);
			return;
		}
	}
	self->empty[c] = (uint32_t)n;
}

static bool
worth_a_sweep(const struct posh__span *s)
{
	uint64_t n = posh__load(&s->remote);

	return n && n >= block_count(s) / 8;
}

/* Others freed blocks of ours: find the spans. */
static void
collect_remote(struct posh__self *self)
{
	struct posh_heap *h = self->h;
	uint64_t n = 0;

	posh__store(&self->t->remote, 0);
	if (POSH_RULE(TOLD_FENCE))
		posh__fence(); /* the bit of who stores 1 after this is left
				* for him */
	while ((n = posh__span_next(h, POSH__MAP_REMOTE, n + 1)) != 0) {
		uint64_t w = posh__load(posh__span_word(h, n));
		unsigned c = POSH__SPAN_CLASS(w);
		struct posh__span *s = posh__span_at(h, n);

		if (!mine(self, n, c) || !sound(s, c))
			continue;
		posh__span_unmark(h, POSH__MAP_REMOTE, n);
		/* The list must be run down: a sweep makes it anew. */
		sweep(self, n);
		if (LIST_FREE(posh__peek(&s->list)) == block_count(s)) {
			make_avail(self, c, n);
			now_empty(self, c, n);
		} else if (LIST_FREE(posh__peek(&s->list))) {
			make_avail(self, c, n);
		}
	}
}

/* Is a block free in an orphan?  As far as its last owner knew, or somebody
 * has freed one since. */
static bool
has_free(const struct posh__span *s)
{
	return LIST_FREE(posh__peek(&s->list)) || posh__load(&s->remote);
}

/* Adopt an orphan of the class that has a free block, one of so many that
 * come after the last one that was looked at. */
static bool
adopt_orphan(struct posh__self *self, unsigned c, uint64_t looks)
{
	struct posh_heap *h = self->h;
	uint64_t want = POSH__SPAN_WORD(POSH__SPAN_ORPHAN, c, 0, 0);
	uint64_t n = self->orphan[c];

	if (!posh__peek(&h->hdr->orphans))
		return false;
	while (looks-- > 0 &&
	       (n = posh__span_next(h, POSH__MAP_ORPHAN, n + 1)) != 0) {
		self->orphan[c] = (uint32_t)n;
		if (posh__load(posh__span_word(h, n)) != want ||
		    !sound(posh__span_at(h, n), c))
			continue;
		if (!has_free(posh__span_at(h, n)))
			continue;
		posh__store(&self->t->span_busy, UINT64_C(1) << 32 | n);
		if (!posh__cas(
			    posh__span_word(h, n), want,
			    POSH__SPAN_WORD(POSH__SPAN_OWNED, c, self->tid, 0)))
			continue;
		POSH_STEP("alloc.11");
		posh__span_unmark(h, POSH__MAP_ORPHAN, n);
		posh__add(&h->hdr->orphans, (uint64_t)-1);
		posh__store(&posh__span_at(h, n)->list, 0);
		sweep(self, n);
		list_span(self, n);
		make_avail(self, c, n);
		return true;
	}
	if (!n)
		self->orphan[c] = 0; /* from the beginning next time */
	posh__store(&self->t->span_busy, 0);
	return false;
}

static bool
wholly_free(const struct posh__span *s)
{
	return LIST_FREE(posh__peek(&s->list)) == block_count(s);
}

/* Sweep all own spans with remote frees, and give the empty ones back. */
static bool
melt_own(struct posh__self *self)
{
	struct posh_heap *h = self->h;
	uint64_t n, next, left = h->hdr->nspans;
	bool any = false;

	for (n = posh__peek(&self->t->spans); n && left-- > 0; n = next) {
		struct posh__span *s = posh__span_at(h, n);
		uint64_t w = posh__load(posh__span_word(h, n));

		next = listed(h, posh__peek(&s->next));
		if (!sound(s, POSH__SPAN_CLASS(w)))
			continue;
		if (posh__load(&s->remote))
			sweep(self, n);
		if (wholly_free(s)) {
			give_span(self, n);
			any = true;
		} else if (LIST_FREE(posh__peek(&s->list))) {
			make_avail(self, POSH__SPAN_CLASS(w), n);
		}
	}
	memset(self->empty, 0, sizeof(self->empty));
	return any;
}

/* Look for memory that is free but is somebody's. */
static bool
melt(struct posh__self *self)
{
	unsigned c;

	for (c = 0; c < NSIZES; c++) {
		self->orphan[c] = 0;
		while (adopt_orphan(self, c, UINT64_MAX))
			;
	}
	return melt_own(self);
}

/* The heap is full.  Is it worth another try?  Spans in LIMBO open when those
 * who are in a call have left it: that is waited for, a tenth of a second and
 * more.  Two that wait must not wait for each other, so who waits says that
 * it does not look at anything: as at a lock, what it has is under a monitor
 * or its own. */
static bool
make_way(struct posh__self *self, unsigned *round)
{
	unsigned r = (*round)++;
	bool any = false;

	if (r >= ROUNDS)
		return false;
	if (r % (ROUNDS / 4) == 0) {
		any = posh__member_reap(self) > 0;
		any |= melt(self);
	}
	if (any)
		return true;
	posh__begin(self, 3);
	if (posh__span_closed(self))
		posh__pause(NAP);
	else
		*round = ROUNDS; /* all that there is: the last try */
	return true;
}

static int
refill(struct posh__self *self, unsigned c)
{
	unsigned round = 0;
	int rc;

	if (!avail_room(self, c))
		return -ENOMEM; /* or nobody would know what we find */
	if (posh__peek(&self->t->remote)) {
		collect_remote(self);
		if (self->navail[c])
			return 0;
	}
	if (adopt_orphan(self, c, LOOKS))
		return 0;
	for (;;) {
		rc = new_span(self, c);
		if (!posh__is_full(rc) || !make_way(self, &round))
			return rc;
		if (self->navail[c])
			return 0;
	}
}

/* Does a block that a span's header leads to lie in the span? */
static bool
fits(uint64_t n, uint64_t block, unsigned c)
{
	return block >> POSH__SPAN_BITS == n &&
	       (block & (POSH__SPAN - 1)) + sizes[c] <= POSH__SPAN;
}

/* Take a block from an own span's list, or return 0. */
static uint64_t
take(struct posh__self *self, uint64_t n, unsigned c)
{
	struct posh_heap *h = self->h;
	struct posh__span *s = posh__span_at(h, n);
	uint64_t l = posh__peek(&s->list), block;
	uint32_t head = LIST_HEAD(l), bump = LIST_BUMP(l);

	if (head) {
		uint32_t next;

		block = block_at(n, s, head - 1);
		if (!fits(n, block, c))
			return 0;
		next = (uint32_t)posh__peek(next_of(h, block));
		if (next > block_count(s))
			next = 0;
		l = LIST(next, bump, LIST_FREE(l) - 1, LIST_AVAIL(l));
	} else if (bump < block_count(s)) {
		block = block_at(n, s, bump);
		if (!fits(n, block, c))
			return 0;
		((struct posh__block *)posh__at(h, block))->kind =
			POSH__KIND_RAW;
		l = LIST(0, bump + 1, LIST_FREE(l) - 1, LIST_AVAIL(l));
	} else {
		return 0;
	}
	posh__store(&s->list, l);
	return block;
}

static int
reserve_run(struct posh__self *self, uint64_t bytes, uint64_t *out)
{
	uint64_t n = (bytes + RUN_OFF + POSH__SPAN - 1) >> POSH__SPAN_BITS;
	uint64_t first;
	struct posh__span *s;
	unsigned round = 0;
	int rc;

	if (bytes > self->h->hdr->reserve || n > UINT32_MAX)
		return -ENOMEM;
	do
		rc = posh__span_run(self, POSH__SPAN_RUN, (uint32_t)n,
				    &self->t->span_busy, &first);
	while (posh__is_full(rc) && make_way(self, &round));
	if (rc)
		return rc;
	s = posh__span_at(self->h, first);
	/* The state word first: until it is 0, settle would find the span's
	 * former life there. */
	posh__store(&s->state[0], 0);
	posh__store(&s->word0, UINT64_C(1) << 32);
	posh__store(&s->blocks_off, RUN_OFF);
	posh__store(&s->inverse, 0);
	posh__store(&s->bytes, bytes);
	*out = (first << POSH__SPAN_BITS) + RUN_OFF;
	memset(posh__at(self->h, *out), 0, 16);
	return 0;
}

int
posh__block_reserve(struct posh__self *self, uint64_t bytes, uint64_t *out)
{
	unsigned c = class_of(bytes);
	int rc;

	if (c >= NSIZES)
		return reserve_run(self, bytes, out);
	for (;;) {
		while (self->navail[c]) {
			uint32_t n = self->avail[c][self->navail[c] - 1];
			struct posh__span *s = posh__span_at(self->h, n);

			if (mine(self, n, c)) {
				*out = take(self, n, c);
				if (*out)
					return 0;
				if (worth_a_sweep(s) && sound(s, c)) {
					sweep(self, n);
					continue;
				}
				posh__store(&s->list,
					    posh__peek(&s->list) &
						    ~(UINT64_C(1) << 48));
			}
			self->navail[c]--;
		}
		rc = refill(self, c);
		if (rc)
			return rc;
	}
}

static posh__word *
word_of(struct posh_heap *h, uint64_t block)
{
	struct posh__span *s = posh__span_at(h, block >> POSH__SPAN_BITS);

	return &s->state[index_of(s, block) & (MOST - 1)];
}

void
posh__block_birth(struct posh__self *self, uint64_t block, uint64_t links)
{
	/* Plain (I1): nobody else leads a word out of FREE. */
	posh__store(word_of(self->h, block),
		    POSH__WORD(POSH__LIVE, self->tid, 0, links));
	POSH_STEP("alloc.4");
	if (posh__peek(&self->t->span_busy))
		posh__store(&self->t->span_busy, 0);
}

/* Put a block back on the list of an own span. */
static void
put(struct posh__self *self, uint64_t n, uint64_t block, unsigned c)
{
	struct posh__span *s = posh__span_at(self->h, n);
	uint64_t l = posh__peek(&s->list);

	posh__store(next_of(self->h, block), LIST_HEAD(l));
	l = LIST(index_of(s, block) + 1, LIST_BUMP(l), LIST_FREE(l) + 1,
		 LIST_AVAIL(l));
	posh__store(&s->list, l);
	make_avail(self, c, n);
	if (LIST_FREE(l) == block_count(s))
		now_empty(self, c, n);
}

void
posh__block_unreserve(struct posh__self *self, uint64_t block)
{
	uint64_t n = block >> POSH__SPAN_BITS;
	uint64_t w = posh__load(posh__span_word(self->h, n));

	if (POSH__SPAN_STATE(w) == POSH__SPAN_RUN) {
		posh__span_give(self, n);
		posh__store(&self->t->span_busy, 0);
		return;
	}
	put(self, n, block, POSH__SPAN_CLASS(w));
}

/* Have the owner look for spans that are marked. */
static void
call_owner(struct posh_heap *h, uint64_t n)
{
	uint32_t owner = POSH__SPAN_OWNER(posh__load(posh__span_word(h, n)));

	if (owner && owner < POSH__THREADS)
		posh__store(&posh__thread_at(h, owner)->remote, 1);
}

static void
tell_owner(struct posh_heap *h, struct posh__span *s, uint64_t n)
{
	uint32_t threshold = block_count(s) / 8 ? block_count(s) / 8 : 1;
	uint64_t count = posh__add(&s->remote, 1) + 1;

	POSH_STEP("alloc.7");
	if (count % threshold)
		return;
	if (!POSH_RULE(TELL_LAST))
		call_owner(h, n);
	posh__span_mark(h, POSH__MAP_REMOTE, n);
	if (POSH_RULE(TELL_LAST))
		call_owner(h, n);
}

static void
make_raw(struct posh_heap *h, uint64_t block)
{
	struct posh__block *b = posh__at(h, block);

	b->kind = POSH__KIND_RAW; /* plain: FREE releases it */
	if (POSH_RULE(KIND))
		poison(h, block);
}

/* What many large blocks leave goes back to the system. */
static void
give_run(struct posh__self *self, uint64_t first, uint64_t n)
{
	posh__span_give(self, first);
	if (n >= LARGE && !self->acting)
		posh__span_trim(self, false);
}

void
posh__block_free(struct posh__self *self, uint64_t block)
{
	struct posh_heap *h = self->h;
	uint64_t n = block >> POSH__SPAN_BITS;
	struct posh__span *s = posh__span_at(h, n);
	uint64_t w = posh__load(posh__span_word(h, n));
	bool run = POSH__SPAN_STATE(w) == POSH__SPAN_RUN;
	bool own = POSH__SPAN_OWNER(w) == self->tid && !self->acting &&
		   POSH__SPAN_STATE(w) == POSH__SPAN_OWNED;

	if (POSH_RULE(RAW) && POSH_RULE(RAW_FIRST))
		make_raw(h, block);
	if (!run && !own && !POSH_RULE(COUNT_LAST))
		tell_owner(h, s, n);
	if (run)
		posh__store(posh__span_word(h, n),
			    POSH__SPAN_WORD(POSH__SPAN_RUN, POSH__CLASS_RUN,
					    self->tid, POSH__SPAN_STAMP(w)));
	POSH_STEP("alloc.5");
	posh__store(word_of(h, block), 0);
	POSH_STEP("alloc.6");
	if (!POSH_RULE(RAW_FIRST))
		make_raw(h, block);
	if (run)
		give_run(self, n, POSH__SPAN_STAMP(w));
	else if (own)
		put(self, n, block, POSH__SPAN_CLASS(w));
	else if (POSH_RULE(COUNT_LAST))
		tell_owner(h, s, n);
}

void
posh__alloc_abandon(struct posh__self *self)
{
	struct posh_heap *h = self->h;
	uint64_t n, left = h->hdr->nspans;

	posh__span_settle(self, &self->t->span_busy);
	while ((n = posh__peek(&self->t->spans)) != 0 && left-- > 0) {
		struct posh__span *s = posh__span_at(h, n);
		uint64_t w;

		if (n < h->hdr->first || n >= h->hdr->nspans ||
		    !posh__inside(h, n << POSH__SPAN_BITS, POSH__SPAN))
			break; /* damaged */
		w = posh__load(posh__span_word(h, n));
		posh__store(&self->t->span_busy, UINT64_C(1) << 32 | n);
		POSH_STEP("alloc.9");
		posh__store(&self->t->spans, posh__peek(&s->next));
		if (POSH__SPAN_STATE(w) == POSH__SPAN_OWNED &&
		    POSH__SPAN_OWNER(w) == self->tid) {
			posh__span_part(self, n);
			POSH_STEP("alloc.10");
		}
		posh__store(&self->t->span_busy, 0);
	}
	posh__store(&self->t->spans, 0);
}

/*
 * The check
 */

/* The private list names FREE blocks, as many as it says, and ends. */
static const char *
list_wrong(struct posh_heap *h, uint64_t n)
{
	struct posh__span *s = posh__span_at(h, n);
	uint64_t l = posh__peek(&s->list);
	uint32_t count = block_count(s), bump = LIST_BUMP(l), i;
	uint32_t left = LIST_FREE(l) + bump - count;

	if (bump > count || left > count)
		return "a list of free blocks out of range";
	for (i = bump; i < count; i++)
		if (posh__load(&s->state[i]))
			return "a live block that was never taken";
	for (i = LIST_HEAD(l); i && left; left--) {
		if (i > count || posh__load(&s->state[i - 1]))
			return "a list of free blocks with another one in it";
		i = (uint32_t)posh__peek(next_of(h, block_at(n, s, i - 1)));
	}
	return i || left ? "a list of free blocks of another length" : NULL;
}

const char *
posh__span_wrong(struct posh_heap *h, uint64_t n, unsigned cls, bool owned)
{
	struct posh__span *s = posh__span_at(h, n);
	uint64_t l = posh__peek(&s->list);
	uint32_t i;

	if (!sound(s, cls))
		return "another front than its class";
	for (i = 0; i < block_count(s); i++) {
		const struct posh__block *b = posh__at(h, block_at(n, s, i));
		uint64_t w = posh__load(&s->state[i]);

		if (w && !(w >> POSH__STATE_SHIFT & POSH__STATE_MASK))
			return "a free block with links or a claimer";
		if (!w && i < LIST_BUMP(l) && b->kind != POSH__KIND_RAW)
			return "a free block with a kind";
	}
	/* That of an orphan was perhaps being made anew when its owner died:
	 * who adopts it does not look at it. */
	return owned ? list_wrong(h, n) : NULL;
}

const char *
posh__run_wrong(struct posh_heap *h, uint64_t n)
{
	struct posh__span *s = posh__span_at(h, n);
	uint64_t spans = POSH__SPAN_STAMP(posh__load(posh__span_word(h, n)));
	uint64_t bytes = posh__peek(&s->bytes);

	if (posh__peek(&s->word0) != UINT64_C(1) << 32 ||
	    posh__peek(&s->blocks_off) != RUN_OFF || posh__peek(&s->inverse))
		return "another front than a run";
	if (bytes > h->hdr->reserve ||
	    (bytes + RUN_OFF + POSH__SPAN - 1) >> POSH__SPAN_BITS != spans)
		return "a block of another size";
	return posh__load(&s->state[0]) ? NULL : "no block";
}

/* SPDX-License-Identifier: MIT */
/* span.c - the table of spans.
 *
 * The truth about a span is its word in the table; three bit maps are hints
 * where to look first.  A bit may be set without reason, and costs a look;
 * it is missing without reason only while the one who owes it lives, and
 * recovery pays the debt.  Setting a bit twice is setting it once, which is
 * what a list could not offer a process that may die between any two
 * stores: there is nothing to be torn, and nothing to be ABA.
 *
 * STATES  (POSH__SPAN_ in layout.h)
 *
 *   FREE --> CLAIMED(t) --> OWNED(t) --------> LIMBO(stamp) --> CLAIMED
 *                 |          |    ^  all free       ^
 *                 |    leave v    | claim           |
 *                 |         ORPHAN                  |
 *                 +---> RUN or HOLDS, CONT ... -----+
 *
 * INVARIANTS
 *   I1  only the thread that a CLAIMED or OWNED word names writes the span's
 *       header and private list;
 *   I2  every CLAIMED span, and every span in a list of spans that is about
 *       to leave it, lies in the range that its thread's span_busy names;
 *   I3  a LIMBO span is entered again only when its stamp is before the
 *       horizon (quiesce.h);
 *   I4  a run's first word says RUN or HOLDS before any CONT is given up,
 *       and until all of them are.
 *
 * PROGRESS  claiming one span is lock-free: a failed compare-and-swap means
 * that another thread got it.  Growth is not (grow.c).
 *
 * STEPS     effect                          if the process dies here
 *   span.1  span_busy names the range       recovery finds nothing claimed
 *   span.2  one span CLAIMED                recovery frees it
 *   span.3  CONT of a run stored            as span.2
 *   span.4  RUN or HOLDS stored             recovery gives it back unless
 *                                           its block was born
 *   span.6  a CONT is LIMBO                 recovery goes on from here (I4)
 *   span.7  FREE or LIMBO, without its bit  recovery sets the bits of all
 *                                           that it finds to be free
 *   span.8  marked                          nothing is left to do
 *   span.9  spans CLAIMED to be punched     recovery takes them for punched
 *   span.10 their pages are gone            as span.9
 */
#include "config.h"

#include "quiesce.h"
#include "span.h"

/* Spans: 4 MiB; the shortest run that is worth a hole; 64 MiB. */
enum { LOOK_AFTER = 64, HOLE = 64, KEEP = 1024 };

/* The word of a free span whose pages were given back to the system. */
#define PUNCHED POSH__SPAN_WORD(POSH__SPAN_FREE, 1, 0, 0)

#define BUSY(first, n) ((uint64_t)(n) << 32 | (first))

static posh__word *
map_word(struct posh_heap *h, enum posh__map map, uint64_t n)
{
	uint64_t words = (h->hdr->nspans + 63) / 64;

	return (posh__word *)(h->base + h->hdr->bits_off) + map * words +
	       n / 64;
}

void
posh__span_mark(struct posh_heap *h, enum posh__map map, uint64_t n)
{
	posh__or(map_word(h, map, n), UINT64_C(1) << n % 64);
}

void
posh__span_unmark(struct posh_heap *h, enum posh__map map, uint64_t n)
{
	posh__and(map_word(h, map, n), ~(UINT64_C(1) << n % 64));
}

bool
posh__span_marked(struct posh_heap *h, enum posh__map map, uint64_t n)
{
	return posh__load(map_word(h, map, n)) >> n % 64 & 1;
}

uint64_t
posh__span_next(struct posh_heap *h, enum posh__map map, uint64_t n)
{
	uint64_t end = posh__span_end(h);

	if (n < h->hdr->first) /* the tables: nobody's */
		n = h->hdr->first;
	while (n < end) {
		uint64_t w = posh__load(map_word(h, map, n)) >> n % 64;

		if (w) {
			n += (uint64_t)__builtin_ctzll(w);
			return n < end ? n : 0;
		}
		n = (n | 63) + 1;
	}
	return 0;
}

uint64_t
posh__span_count(struct posh_heap *h, enum posh__map map)
{
	uint64_t end = posh__span_end(h), n, count = 0;

	for (n = 0; n < end; n += 64)
		count += (uint64_t)__builtin_popcountll(
			posh__load(map_word(h, map, n)));
	return count;
}

/* This process has taken spans: now and then it looks whether to collect.  Of
 * two threads at once one may count for nothing: the next look is later. */
static void
taken(struct posh_heap *h, uint64_t n)
{
	n += posh__private_load(&h->taken);
	if (n >= LOOK_AFTER) {
		n = 0;
		posh__private_store(&h->due, 1);
	}
	posh__private_store(&h->taken, n);
}

/* Who looks for a span: the horizon is found out when first needed. */
struct hunt {
	struct posh__self *self;
	bool asked, known;
	uint32_t horizon;
};

/* May the span of this word be entered? */
static bool
open_to(struct hunt *q, uint64_t w)
{
	if (POSH__SPAN_STATE(w) == POSH__SPAN_FREE)
		return true;
	if (POSH__SPAN_STATE(w) != POSH__SPAN_LIMBO)
		return false;
	if (!POSH_RULE(LIMBO))
		return true;
	if (!q->asked) {
		q->asked = true;
		q->known = posh__epoch_horizon(q->self, &q->horizon);
	}
	return q->known && posh__epoch_before(POSH__SPAN_STAMP(w), q->horizon);
}

bool
posh__span_closed(struct posh__self *self)
{
	struct posh_heap *h = self->h;
	struct hunt q = {self, false, false, 0};
	uint64_t n = h->hdr->first;

	for (; (n = posh__span_next(h, POSH__MAP_FREE, n)) != 0; n++) {
		uint64_t w = posh__load(posh__span_word(h, n));

		if (POSH__SPAN_STATE(w) == POSH__SPAN_LIMBO && !open_to(&q, w))
			return true;
	}
	return false;
}

static void
release(struct posh_heap *h, uint64_t n, uint64_t w)
{
	posh__store(posh__span_word(h, n), w);
	POSH_STEP("span.7");
	posh__span_mark(h, POSH__MAP_FREE, n);
	if (n < posh__peek(&h->hdr->free_hint))
		posh__store(&h->hdr->free_hint, n);
}

/* The span is claimed, as one whose pages are gone: get them again.  False:
 * they are not to be had. */
static bool
refill(struct posh__self *self, uint64_t n)
{
	struct posh_heap *h = self->h;

	if (posh__heap_populate(h, n << POSH__SPAN_BITS, POSH__SPAN)) {
		release(h, n, PUNCHED);
		return false;
	}
	posh__store(posh__span_word(h, n),
		    POSH__SPAN_WORD(POSH__SPAN_CLAIMED, 0, self->tid, 0));
	return true;
}

/* Claim span n; its bit goes, or stays with whoever has the span. */
static bool
enter(struct hunt *q, uint64_t n)
{
	struct posh_heap *h = q->self->h;
	posh__word *word = posh__span_word(h, n);
	uint64_t w = posh__load(word);
	bool empty = w == PUNCHED;

	if (open_to(q, w) &&
	    posh__cas(word, w,
		      POSH__SPAN_WORD(POSH__SPAN_CLAIMED, empty, q->self->tid,
				      0))) {
		POSH_STEP("span.2");
		posh__span_unmark(h, POSH__MAP_FREE, n);
		return !empty || refill(q->self, n);
	}
	if (POSH__SPAN_STATE(w) != POSH__SPAN_LIMBO &&
	    POSH__SPAN_STATE(w) != POSH__SPAN_FREE) {
		/* A bit without reason; unless the span is being freed
		 * just now. */
		posh__span_unmark(h, POSH__MAP_FREE, n);
		w = posh__load(word);
		if (POSH__SPAN_STATE(w) == POSH__SPAN_FREE ||
		    POSH__SPAN_STATE(w) == POSH__SPAN_LIMBO)
			posh__span_mark(h, POSH__MAP_FREE, n);
	}
	return false;
}

void
posh__span_remark(struct posh_heap *h, uint64_t n)
{
	unsigned st;

	if (n < h->hdr->first || n >= posh__span_end(h))
		return;
	st = POSH__SPAN_STATE(posh__load(posh__span_word(h, n)));
	if (st == POSH__SPAN_FREE || st == POSH__SPAN_LIMBO)
		posh__span_mark(h, POSH__MAP_FREE, n);
}

/* Where the spans end that anything may be made of.  Those behind are what the
 * heap has beyond max_size, for hold tables alone: a full heap can be read. */
static uint64_t
data_end(const struct posh_heap *h)
{
	return h->hdr->first + (h->hdr->max_size >> POSH__SPAN_BITS);
}

/* One pass over the marked spans from `from` to `to`. */
static uint64_t
find_one(struct hunt *q, uint64_t from, uint64_t to)
{
	struct posh_heap *h = q->self->h;
	uint64_t n;

	for (n = posh__span_next(h, POSH__MAP_FREE, from); n && n < to;
	     n = posh__span_next(h, POSH__MAP_FREE, n + 1)) {
		if (POSH_RULE(BUSY))
			posh__store(&q->self->t->span_busy, BUSY(n, 1));
		POSH_STEP("span.1");
		if (enter(q, n))
			return n;
	}
	return 0;
}

int
posh__span_claim(struct posh__self *self, uint64_t *out)
{
	struct posh_heap *h = self->h;

	for (;;) {
		struct hunt q = {self, false, false, 0};
		uint64_t hint = posh__peek(&h->hdr->free_hint), n;
		uint64_t end = data_end(h);
		int rc;

		n = find_one(&q, hint, end);
		if (!n)
			n = find_one(&q, h->hdr->first,
				     hint < end ? hint : end);
		if (n) {
			posh__store(&h->hdr->free_hint, n + 1);
			taken(h, 1);
			*out = n;
			return 0;
		}
		posh__store(&self->t->span_busy, 0);
		rc = posh__heap_grow(self, 1, false);
		if (rc)
			return rc;
	}
}

/* Claim n adjoining spans from first on, or none. */
static bool
enter_all(struct hunt *q, posh__word *busy, uint64_t first, uint32_t n)
{
	struct posh_heap *h = q->self->h;
	uint32_t i;

	posh__store(busy, BUSY(first, n));
	POSH_STEP("span.1");
	for (i = 0; i < n; i++)
		if (!enter(q, first + i))
			break;
	if (i == n)
		return true;
	while (i-- > 0)
		release(h, first + i,
			POSH__SPAN_WORD(POSH__SPAN_FREE, 0, 0, 0));
	posh__store(busy, 0);
	return false;
}

/* The first of n adjoining spans that all may be entered, from n0 on and ahead
 * of end. */
static uint64_t
find_run(struct hunt *q, uint64_t n0, uint32_t n, uint64_t end)
{
	struct posh_heap *h = q->self->h;
	uint64_t first = 0, i;

	for (i = posh__span_next(h, POSH__MAP_FREE, n0); i && i < end;
	     i = posh__span_next(h, POSH__MAP_FREE, i + 1)) {
		if (!open_to(q, posh__load(posh__span_word(h, i)))) {
			first = 0;
			continue;
		}
		if (!first || i - first >= n)
			first = i;
		else if (!posh__span_marked(h, POSH__MAP_FREE, i - 1) ||
			 !open_to(q, posh__load(posh__span_word(h, i - 1))))
			first = i;
		if (i - first + 1 == n)
			return first;
	}
	return 0;
}

int
posh__span_run(struct posh__self *self, unsigned st, uint32_t n,
	       posh__word *busy, uint64_t *out)
{
	struct posh_heap *h = self->h;
	uint32_t owner = st == POSH__SPAN_HOLDS
				 ? (uint32_t)(self->m - posh__member_at(h, 0))
				 : self->tid;
	uint64_t end = st == POSH__SPAN_HOLDS ? UINT64_MAX : data_end(h);
	uint32_t i;

	for (;;) {
		struct hunt q = {self, false, false, 0};
		uint64_t first = h->hdr->first;
		int rc;

		while ((first = find_run(&q, first, n, end)) != 0) {
			if (enter_all(&q, busy, first, n))
				break;
			first++;
		}
		if (!first) {
			rc = posh__heap_grow(self, n, st == POSH__SPAN_HOLDS);
			if (rc)
				return rc;
			continue;
		}
		for (i = 1; i < n; i++) {
			posh__store(posh__span_word(h, first + i),
				    POSH__SPAN_WORD(POSH__SPAN_CONT, 0, 0, i));
			POSH_STEP("span.3");
		}
		/* Of a run that is whole, 0 says that its block is unborn. */
		if (st == POSH__SPAN_RUN)
			posh__store(&posh__span_at(h, first)->state[0], 0);
		posh__store(posh__span_word(h, first),
			    POSH__SPAN_WORD(st, POSH__CLASS_RUN, owner, n));
		POSH_STEP("span.4");
		taken(h, n);
		*out = first;
		return 0;
	}
}

void
posh__span_give(struct posh__self *self, uint64_t first)
{
	struct posh_heap *h = self->h;
	uint64_t w = posh__load(posh__span_word(h, first));
	unsigned st = POSH__SPAN_STATE(w);
	uint64_t limbo =
		POSH__SPAN_WORD(POSH__SPAN_LIMBO, 0, 0, posh__epoch_stamp(h));
	uint64_t most = posh__span_end(h) - first;
	uint64_t i = st == POSH__SPAN_RUN || st == POSH__SPAN_HOLDS
			     ? POSH__SPAN_STAMP(w)
			     : 1;

	if (i < 1 || i > most)
		i = 1; /* damaged */
	if (!POSH_RULE(RUN_END)) {
		release(h, first, limbo);
		POSH_STEP("span.8");
	}
	/* Those that a predecessor gave up before it died may have a new
	 * owner already; a CONT that counts from here is ours. */
	while (--i > 0) {
		uint64_t cont = POSH__SPAN_WORD(POSH__SPAN_CONT, 0, 0, i);

		if (posh__load(posh__span_word(h, first + i)) != cont) {
			posh__span_remark(h, first + i);
			continue;
		}
		release(h, first + i, limbo);
		POSH_STEP("span.6");
	}
	release(h, first, limbo);
	POSH_STEP("span.8");
}

/* Take span n out of the list of its owner's spans, if it is there. */
static void
unlist(struct posh__self *self, uint64_t n)
{
	struct posh_heap *h = self->h;
	uint64_t end = posh__span_end(h), left = end;
	posh__word *link = &self->t->spans;

	while (posh__peek(link) >= h->hdr->first && posh__peek(link) < end &&
	       left-- > 0) {
		struct posh__span *s = posh__span_at(h, posh__peek(link));

		if (posh__peek(link) == n) {
			posh__store(link, posh__peek(&s->next));
			return;
		}
		link = &s->next;
	}
}

static bool
all_free(struct posh__span *s)
{
	uint64_t n = posh__peek(&s->word0) >> 32 & 0xffff, i;

	for (i = 0; i < n && i < POSH__SPAN / 16; i++)
		if (posh__load(&s->state[i]))
			return false;
	return true;
}

/* How many spans from n on, to end at most, may be entered and have pages. */
static uint64_t
hole_at(struct hunt *q, uint64_t n, uint64_t end)
{
	struct posh_heap *h = q->self->h;
	uint64_t i;

	for (i = n; i < end && posh__span_marked(h, POSH__MAP_FREE, i); i++) {
		uint64_t w = posh__load(posh__span_word(h, i));

		if (w == PUNCHED || !open_to(q, w))
			break;
	}
	return i - n;
}

/* Give the pages of n claimed spans back; then the spans. */
static void
punch(struct posh__self *self, uint64_t first, uint64_t n)
{
	struct posh_heap *h = self->h;
	uint64_t i;

	for (i = 0; i < n; i++)
		posh__store(
			posh__span_word(h, first + i),
			POSH__SPAN_WORD(POSH__SPAN_CLAIMED, 1, self->tid, 0));
	POSH_STEP("span.9");
	posh__heap_punch(h, first << POSH__SPAN_BITS, n << POSH__SPAN_BITS);
	POSH_STEP("span.10");
	for (i = n; i-- > 0;)
		release(h, first + i, PUNCHED);
	posh__store(&self->t->span_busy, 0);
}

void
posh__span_trim(struct posh__self *self, bool all)
{
	struct posh_heap *h = self->h;
	struct hunt q = {self, false, false, 0};
	uint64_t end = posh__span_end(h), n = h->hdr->first, len;

	if (!all && posh__span_count(h, POSH__MAP_FREE) < KEEP)
		return;
	while ((n = posh__span_next(h, POSH__MAP_FREE, n)) != 0) {
		len = hole_at(&q, n, end);
		if (len >= HOLE &&
		    enter_all(&q, &self->t->span_busy, n, (uint32_t)len))
			punch(self, n, len);
		n += len ? len : 1;
	}
}

bool
posh__span_is_punched(struct posh_heap *h, uint64_t n)
{
	return posh__load(posh__span_word(h, n)) == PUNCHED;
}

uint64_t
posh__span_punched(struct posh_heap *h)
{
	uint64_t end = posh__span_end(h), n, count = 0;

	for (n = h->hdr->first; n < end; n++)
		count += posh__span_is_punched(h, n);
	return count;
}

void
posh__span_part(struct posh__self *self, uint64_t n)
{
	struct posh_heap *h = self->h;
	posh__word *word = posh__span_word(h, n);
	uint64_t w = posh__load(word);

	if (all_free(posh__span_at(h, n))) {
		posh__span_give(self, n);
		return;
	}
	/* What a dead one had taken and not used yet is free: its list does
	 * not say so, but who adopts the span shall look. */
	if (self->acting)
		posh__add(&posh__span_at(h, n)->remote, 1);
	posh__add(&h->hdr->orphans, 1);
	posh__span_mark(h, POSH__MAP_ORPHAN, n);
	posh__store(word, POSH__SPAN_WORD(POSH__SPAN_ORPHAN,
					  POSH__SPAN_CLASS(w), 0, 0));
}

/* A table of holds that span n begins, of this member: was it being made by
 * the dead thread?  Not if the member's entry names it; nor if it is another
 * member's, who has made it of a span that the dead one only thought of, or
 * that an earlier recovery gave back. */
static bool
unused_holds(struct posh__self *self, uint64_t n, uint32_t owner)
{
	return owner == (uint32_t)(self->m - posh__member_at(self->h, 0)) &&
	       (posh__load(&self->m->holds) & 0xffffffff) != n;
}

/* Settle a single span or a run's first that span_busy names. */
static void
settle_first(struct posh__self *self, uint64_t n)
{
	struct posh_heap *h = self->h;
	uint64_t w = posh__load(posh__span_word(h, n));

	switch (POSH__SPAN_STATE(w)) {
	case POSH__SPAN_OWNED:
		if (POSH__SPAN_OWNER(w) != self->tid)
			return;
		unlist(self, n);
		posh__span_part(self, n);
		return;
	case POSH__SPAN_RUN:
		if (POSH__SPAN_OWNER(w) == self->tid &&
		    !posh__load(&posh__span_at(h, n)->state[0]))
			posh__span_give(self, n);
		return;
	case POSH__SPAN_HOLDS:
		if (unused_holds(self, n, POSH__SPAN_OWNER(w)))
			posh__span_give(self, n);
	}
}

void
posh__span_settle(struct posh__self *self, posh__word *busy)
{
	struct posh_heap *h = self->h;
	uint64_t b = posh__load(busy);
	uint64_t first = b & 0xffffffff, n = b >> 32, i;
	uint64_t claimed = POSH__SPAN_WORD(POSH__SPAN_CLAIMED, 0, self->tid, 0);

	if (!b)
		return;
	if (first >= h->hdr->first && first + n <= posh__span_end(h)) {
		uint64_t head = posh__load(posh__span_word(h, first));
		bool whole = POSH__SPAN_STATE(head) == POSH__SPAN_RUN ||
			     POSH__SPAN_STATE(head) == POSH__SPAN_HOLDS;

		for (i = n; i-- > 0;) {
			posh__word *word = posh__span_word(h, first + i);
			uint64_t w = posh__load(word);

			/* From the end, so that the head tells until the
			 * last whose the CONTs are. */
			if (w == POSH__SPAN_WORD(POSH__SPAN_CLAIMED, 1,
						 self->tid, 0))
				release(h, first + i, PUNCHED);
			else if (w == claimed ||
				 (i > 0 && !whole && head == claimed &&
				  w == POSH__SPAN_WORD(POSH__SPAN_CONT, 0, 0,
						       i)))
				release(h, first + i,
					POSH__SPAN_WORD(POSH__SPAN_FREE, 0, 0,
							0));
			else
				posh__span_remark(h, first + i);
		}
		settle_first(self, first);
	}
	posh__store(busy, 0);
}

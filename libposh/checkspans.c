/* SPDX-License-Identifier: MIT */
/* checkspans.c - a part of posh_heap_check: the table of spans, the fronts of
 * spans, and the lists that go through them.
 *
 * A reader may claim spans meanwhile, for a larger table of holds, and give
 * the old ones back.  Whatever it is in the middle of is named: by span_busy
 * of its entry, or holds_busy of its member's.  What looks wrong is therefore
 * looked up there, and then looked at again.
 */
#include "config.h"

#include <stdlib.h>

#include "check.h"

static uint64_t
word_of(struct posh_heap *h, uint64_t n)
{
	return posh__load(posh__span_word(h, n));
}

/* Does this thread say that it is at the span? */
static bool
busy_with(const struct posh__thread *t, uint64_t n)
{
	uint64_t b = posh__load(&t->span_busy), first = b & UINT32_MAX;

	return b && n >= first && n - first < b >> 32;
}

/* Is a thread that is in a call at the span? */
static bool
being_made(struct posh_heap *h, uint64_t n)
{
	uint64_t high = posh__load(&h->hdr->threads_high);
	uint32_t tid;

	for (tid = 1; tid < high && tid < POSH__THREADS; tid++) {
		struct posh__thread *t = posh__thread_at(h, tid);

		if (busy_with(t, n) && posh__load(&t->active))
			return true;
	}
	return false;
}

/* Is it the first span of a member's table of holds, or of the one before
 * that?  In this order, as a table goes from the one word to the other. */
static bool
is_table(const struct posh__member *m, uint64_t n)
{
	return (posh__load(&m->holds) & UINT32_MAX) == n ||
	       posh__load(&m->holds_busy) == n;
}

/* Is it of a table that is being given back? */
static bool
being_given(struct posh_heap *h, uint64_t n)
{
	uint64_t high = posh__load(&h->hdr->members_high), first, w;
	uint32_t i;

	for (i = 0; i < high && i < POSH__MEMBERS; i++) {
		first = posh__load(&posh__member_at(h, i)->holds_busy);
		if (!first || n < first || first >= posh__span_end(h))
			continue;
		w = word_of(h, first);
		if (n == first || (POSH__SPAN_STATE(w) == POSH__SPAN_HOLDS &&
				   n - first < POSH__SPAN_STAMP(w)))
			return true;
	}
	return false;
}

/* Is the span what it was when it had this word, and nobody's work? */
static bool
stays(struct posh_heap *h, uint64_t n, uint64_t w)
{
	return !being_made(h, n) && !being_given(h, n) && word_of(h, n) == w;
}

static bool
thread_known(struct posh_heap *h, uint32_t tid)
{
	return tid && tid < posh__load(&h->hdr->threads_high);
}

static bool
owner_lives(struct posh_heap *h, uint32_t tid)
{
	return thread_known(h, tid) &&
	       POSH__THREAD_STATE(posh__load(
		       &posh__thread_at(h, tid)->state)) != POSH__THREAD_FREE;
}

/* May such a word be in the table? */
static bool
legal(struct posh_heap *h, uint64_t w)
{
	unsigned cls = POSH__SPAN_CLASS(w);
	uint32_t owner = POSH__SPAN_OWNER(w), stamp = POSH__SPAN_STAMP(w);

	switch (POSH__SPAN_STATE(w)) {
	case POSH__SPAN_FREE: /* class 1: it has no pages */
		return cls <= 1 && !owner && !stamp;
	case POSH__SPAN_OWNED:
		return !stamp;
	case POSH__SPAN_ORPHAN:
		return !owner && !stamp;
	case POSH__SPAN_LIMBO:
		return !cls && !owner &&
		       (int32_t)((uint32_t)posh__load(&h->hdr->epoch) -
				 stamp) >= 0;
	case POSH__SPAN_RUN:
		return cls == POSH__CLASS_RUN && thread_known(h, owner);
	case POSH__SPAN_CONT:
		return !cls && !owner;
	case POSH__SPAN_HOLDS:
		return cls == POSH__CLASS_RUN &&
		       owner < posh__load(&h->hdr->members_high);
	case POSH__SPAN_CLAIMED:
		return cls <= 1 && !stamp && thread_known(h, owner);
	}
	return false;
}

/* A run's other spans count the distance from its first. */
static void
check_run(struct posh__check *c, uint64_t n, uint64_t w)
{
	struct posh_heap *h = c->self->h;
	uint64_t len = POSH__SPAN_STAMP(w), end = posh__span_end(h), i;

	if (!len || len > end - n) {
		posh__say(c, "the run at span %llu has %llu spans",
			  posh__hex(n), posh__hex(len));
		return;
	}
	for (i = 1; i < len; i++)
		if (word_of(h, n + i) !=
			    POSH__SPAN_WORD(POSH__SPAN_CONT, 0, 0, i) &&
		    stays(h, n, w)) {
			posh__say(c, "span %llu is not part of the run at %llu",
				  posh__hex(n + i), posh__hex(n));
			return; /* those behind it may be others' as well */
		}
}

/* The first of a run of spans lies so far before. */
static void
check_cont(struct posh__check *c, uint64_t n, uint64_t w)
{
	struct posh_heap *h = c->self->h;
	uint64_t back = POSH__SPAN_STAMP(w), head = 0;
	unsigned st;

	if (back && back <= n && n - back >= h->hdr->first)
		head = word_of(h, n - back);
	st = POSH__SPAN_STATE(head);
	if ((st == POSH__SPAN_RUN || st == POSH__SPAN_HOLDS) &&
	    POSH__SPAN_STAMP(head) > back)
		return;
	if (stays(h, n, w))
		posh__say(c, "span %llu continues no run", posh__hex(n));
}

/* Whose table of holds? */
static void
check_table(struct posh__check *c, uint64_t n, uint64_t w)
{
	struct posh_heap *h = c->self->h;
	struct posh__member *m = posh__member_at(h, POSH__SPAN_OWNER(w));

	if (!being_made(h, n) && !is_table(m, n) && word_of(h, n) == w)
		posh__say(c, "span %llu has a table of holds that is nobody's",
			  posh__hex(n));
}

/* What nobody has says so in the map. */
static void
check_free(struct posh__check *c, uint64_t n, uint64_t w)
{
	struct posh_heap *h = c->self->h;

	/* Those that growth has not marked yet, it will. */
	if (n >= posh__load(&h->hdr->marked) ||
	    posh__span_marked(h, POSH__MAP_FREE, n))
		return;
	if (stays(h, n, w) && !posh__span_marked(h, POSH__MAP_FREE, n) &&
	    word_of(h, n) == w)
		posh__say(c, "span %llu is free, and nothing says so",
			  posh__hex(n));
}

/* A span of a size class. */
static void
check_class(struct posh__check *c, uint64_t n, uint64_t w)
{
	struct posh_heap *h = c->self->h;
	bool owned = POSH__SPAN_STATE(w) == POSH__SPAN_OWNED;
	const char *wrong = posh__span_wrong(h, n, POSH__SPAN_CLASS(w), owned);

	if (wrong)
		posh__say(c, "span %llu has %s", posh__hex(n), wrong);
	if (!owned) {
		c->orphans++;
		if (!posh__span_marked(h, POSH__MAP_ORPHAN, n))
			posh__say(c,
				  "span %llu is an orphan, and nothing "
				  "says so",
				  posh__hex(n));
		return;
	}
	if (!owner_lives(h, POSH__SPAN_OWNER(w)))
		posh__say(c, "span %llu belongs to thread %u, which is none",
			  posh__hex(n), POSH__SPAN_OWNER(w));
	else if (c->lists[n] != POSH__SPAN_OWNER(w))
		posh__say(c, "span %llu is in no list of thread %u",
			  posh__hex(n), POSH__SPAN_OWNER(w));
}

static void
check_span(struct posh__check *c, uint64_t n)
{
	struct posh_heap *h = c->self->h;
	uint64_t w = word_of(h, n);
	const char *wrong;

	if (!legal(h, w)) {
		posh__say(c, "span %llu has word %#llx", posh__hex(n),
			  posh__hex(w));
		return;
	}
	switch (POSH__SPAN_STATE(w)) {
	case POSH__SPAN_FREE:
	case POSH__SPAN_LIMBO:
		check_free(c, n, w);
		return;
	case POSH__SPAN_OWNED:
	case POSH__SPAN_ORPHAN:
		check_class(c, n, w);
		break;
	case POSH__SPAN_RUN:
		check_run(c, n, w);
		wrong = posh__run_wrong(h, n);
		if (wrong)
			posh__say(c, "the run at span %llu has %s",
				  posh__hex(n), wrong);
		break;
	case POSH__SPAN_CONT:
		check_cont(c, n, w);
		return;
	case POSH__SPAN_HOLDS:
		check_run(c, n, w);
		check_table(c, n, w);
		return;
	default:
		if (stays(h, n, w))
			posh__say(c, "span %llu is still being claimed",
				  posh__hex(n));
		return;
	}
	if (n >= h->hdr->first + (h->hdr->max_size >> POSH__SPAN_BITS))
		posh__say(c, "span %llu is for tables of holds only",
			  posh__hex(n));
}

/* The spans of a thread: each names those before and behind it. */
static void
check_list(struct posh__check *c, uint32_t tid)
{
	struct posh_heap *h = c->self->h;
	struct posh__thread *t = posh__thread_at(h, tid);
	uint64_t n = posh__load(&t->spans), before = 0, w;

	for (; n; before = n, n = posh__load(&posh__span_at(h, n)->next)) {
		if (n < h->hdr->first || n >= posh__span_end(h)) {
			posh__say(c, "thread %u lists span %llu, which is none",
				  tid, posh__hex(n));
			return;
		}
		w = word_of(h, n);
		if (POSH__SPAN_STATE(w) != POSH__SPAN_OWNED ||
		    POSH__SPAN_OWNER(w) != tid || c->lists[n]) {
			posh__say(c, "thread %u lists span %llu, which is %s",
				  tid, posh__hex(n),
				  c->lists[n] ? "listed" : "not its own");
			return;
		}
		c->lists[n] = (uint16_t)tid;
		if (posh__load(&posh__span_at(h, n)->prev) != before)
			posh__say(c, "span %llu says it comes after %llu",
				  posh__hex(n),
				  posh__hex(posh__load(
					  &posh__span_at(h, n)->prev)));
	}
}

int
posh__check_spans(struct posh__check *c)
{
	struct posh_heap *h = c->self->h;
	uint64_t high = posh__load(&h->hdr->threads_high), n;
	uint64_t end = posh__span_end(h);
	uint32_t tid;

	c->lists = calloc(end, sizeof(*c->lists));
	if (!c->lists)
		return -ENOMEM;
	for (tid = 1; tid < high && tid < POSH__THREADS; tid++)
		if (POSH__THREAD_STATE(
			    posh__load(&posh__thread_at(h, tid)->state)) !=
		    POSH__THREAD_FREE)
			check_list(c, tid);
	for (n = h->hdr->first; n < end; n++)
		check_span(c, n);
	free(c->lists);
	c->lists = NULL;
	/* Who dies in between may leave it too high, which costs a look. */
	if (posh__load(&h->hdr->orphans) < c->orphans)
		posh__say(c, "%llu spans are orphans, said to be %llu",
			  posh__hex(c->orphans),
			  posh__hex(posh__load(&h->hdr->orphans)));
	return 0;
}

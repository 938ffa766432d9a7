/* SPDX-License-Identifier: MIT */
/* recover.c - paying what the dead owe.
 *
 * A member that died, or that leaves, is recovered by somebody alive: its
 * threads' intents are finished or undone, its monitors opened, its holds
 * dropped, its spans given up, and its entries freed, in this order.  All of
 * it looks at words and not at where the dead one was; so it may be done
 * again by the next, from the beginning, when the one who does it dies.
 *
 * STATES of member->reaper: 0 -claim-> name of a thread -done-> 0
 *                                       |    ^
 *                                       +----+ stolen from a dead one
 *
 * INVARIANTS
 *   I1  one living thread at a time acts for a member;
 *   I2  who acts for a thread writes that thread's entry, and counts under
 *       that thread's name; nothing of the actor's own;
 *   I3  intents before monitors (what an intent says of its container is
 *       true while the dead one has the monitor), monitors before holds
 *       (what is locked may be held by nobody else), holds before spans
 *       (a journal may name an unborn block, which must stay unborn).
 *
 * COST  follows what the member held: its hold table and its spans.
 *
 * STEPS        effect                      if the process dies here
 *   recover.1  the member is claimed       the next steals the claim
 *   recover.2  intents are settled         the next finds nothing in flight
 *   recover.3  monitors are open           the next finds them open
 *   recover.4  holds are dropped           the next finds none
 *   recover.5  spans are given up          the next finds none
 *   recover.6  thread entries are free     the next goes on
 *   recover.7  the member entry is free    the claim is left; it is void
 */
#include "config.h"

#include "op.h"

/* Settle what a thread's entry says it is in the middle of, or owns. */
static void
settle_journal(struct posh__self *self)
{
	posh__link_settle(self);
	posh__op_finish(self);
	posh__release(self);
	posh__store(&self->t->waits, 0);
}

void
posh__thread_settle(struct posh__self *self)
{
	posh__begin(self, 3);
	settle_journal(self);
	while (self->nheld) {
		struct posh__held *top = &self->held[self->nheld - 1];

		top->depth = 1;
		posh__unlock(self, top->object);
	}
	posh__alloc_abandon(self);
	posh__leave(self);
}

/* Who acts for thread tid of member m. */
static struct posh__self
actor(struct posh__self *self, uint32_t m, uint32_t tid)
{
	struct posh__self as = {0};
	struct posh__thread *t = posh__thread_at(self->h, tid);

	as.h = self->h;
	as.t = t;
	as.m = posh__member_at(self->h, m);
	as.tid = tid;
	as.name = POSH__THREAD_GEN(posh__load(&t->state)) << 16 | tid;
	as.acting = true;
	return as;
}

static uint32_t
thread_end(struct posh_heap *h)
{
	uint64_t high = posh__load(&h->hdr->threads_high);

	return high < POSH__THREADS ? (uint32_t)high : POSH__THREADS;
}

/* Is the thread entry tid one of member m? */
static bool
is_thread(struct posh_heap *h, uint32_t m, uint32_t tid)
{
	uint64_t w = posh__load(&posh__thread_at(h, tid)->state);

	return POSH__THREAD_STATE(w) != POSH__THREAD_FREE &&
	       POSH__THREAD_MEMBER(w) == m;
}

/* The next thread entry of a member after tid, or 0. */
static uint32_t
next_thread(struct posh_heap *h, uint32_t m, uint32_t tid)
{
	uint32_t end = thread_end(h);

	while (++tid < end)
		if (is_thread(h, m, tid))
			return tid;
	return 0;
}

/* A thread entry of the member to act for.  Threads that end leave their
 * holds to the process: if all of them have ended, one more is made. */
static int
first_thread(struct posh_heap *h, uint32_t m, uint32_t *out)
{
	struct posh__member *member = posh__member_at(h, m);

	*out = next_thread(h, m, 0);
	if (*out ||
	    !(posh__load(&member->holds) | posh__load(&member->holds_busy)))
		return 0;
	return posh__thread_claim(h, m, out);
}

/* All that is done for a member but to free its entry.
 *   -EAGAIN  no thread entry is left to act for */
static int
recover_threads(struct posh__self *self, uint32_t m)
{
	struct posh_heap *h = self->h;
	struct posh__member *member = posh__member_at(h, m);
	uint32_t first, tid;
	struct posh__self as;
	int rc = first_thread(h, m, &first);

	if (rc)
		return rc;
	if (first && !POSH_RULE(ORDER)) {
		as = actor(self, m, first);
		posh__holds_purge(&as, member);
	}
	for (tid = first; tid && !POSH_RULE(OPEN);
	     tid = next_thread(h, m, tid)) {
		as = actor(self, m, tid);
		posh__locks_open(self, as.t, as.name);
	}
	for (tid = first; tid; tid = next_thread(h, m, tid)) {
		as = actor(self, m, tid);
		/* Inside until all is given back: who shuts the gate does not
		 * take a recovery that was broken off for an end of it. */
		posh__begin(&as, 3);
		settle_journal(&as);
	}
	POSH_STEP("recover.2");
	for (tid = first; tid; tid = next_thread(h, m, tid)) {
		as = actor(self, m, tid);
		posh__locks_open(self, as.t, as.name);
	}
	POSH_STEP("recover.3");
	if (first) {
		as = actor(self, m, first);
		posh__holds_purge(&as, member);
		POSH_STEP("recover.4");
		posh__holds_destroy(&as, member);
	}
	for (tid = first; tid; tid = next_thread(h, m, tid)) {
		as = actor(self, m, tid);
		posh__alloc_abandon(&as);
	}
	POSH_STEP("recover.5");
	/* From the last on: the first acts for the holds. */
	for (tid = thread_end(h); tid-- > 1;)
		if (is_thread(h, m, tid))
			posh__thread_release(h, tid);
	POSH_STEP("recover.6");
	return 0;
}

/* Claim the member for recovery. */
static bool
claim(struct posh__self *self, struct posh__member *member)
{
	uint64_t w = posh__load(&member->reaper);

	if (w && (uint32_t)w != self->name &&
	    !posh__name_dead(self->h, (uint32_t)w, NULL) && POSH_RULE(CLAIM))
		return false;
	return posh__cas(&member->reaper, w, self->name);
}

int
posh__recover(struct posh__self *self, uint32_t m, bool leaving)
{
	struct posh_heap *h = self->h;
	struct posh__member *member = posh__member_at(h, m);
	uint64_t name = self->name, w;
	int rc = 0;

	/* A reader that waits for a dead one's monitor writes from here on. */
	if (!(posh__peek(&self->t->active) & 2))
		posh__begin_write(self);
	if (!claim(self, member))
		return -EBUSY;
	POSH_STEP("recover.1");
	w = posh__load(&member->state);
	if ((w & 0xff) != POSH__MEMBER_FREE &&
	    (leaving || posh__member_dead(h, m))) {
		rc = recover_threads(self, m);
		if (!leaving && !rc) {
			posh__member_free(h, m, w);
			POSH_STEP("recover.7");
		}
	}
	posh__cas(&member->reaper, name, 0);
	return rc ? -EBUSY : 0;
}

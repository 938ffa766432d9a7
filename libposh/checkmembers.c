/* SPDX-License-Identifier: MIT */
/* checkmembers.c - a part of posh_heap_check: who is attached, what they hold,
 * what they are in the middle of, and the monitors they are inside of. */
#include "config.h"

#include <sched.h>

#include "check.h"
#include "lock.h"

enum { LOOKS = 10 };

/*
 * Members
 */

static void
check_hold(uint64_t object, unsigned state, void *arg)
{
	struct posh__check *c = arg;
	struct posh_heap *h = c->self->h;
	posh__word *w = posh__block_word(h, object);
	unsigned kind;

	/* By a reader: to be seen; a drop to be finished. */
	if (state == POSH__HOLD_ENTERING || state == POSH__HOLD_DROPPING)
		return;
	if (state != POSH__HOLD_HELD) {
		posh__say(c,
			  "a hold of %#llx is in state %u, which does not "
			  "last",
			  posh__hex(object), state);
		return;
	}
	kind = w ? posh__object(h, object)->kind : 0;
	if (!w || POSH__STATE(posh__load(w)) != POSH__LIVE)
		posh__say(c, "%#llx is held, and no live block",
			  posh__hex(object));
	else if (!posh__kind_is_object(kind))
		posh__say(c, "%#llx is held, and no object", posh__hex(object));
}

static void
check_member(struct posh__check *c, uint32_t i)
{
	struct posh_heap *h = c->self->h;
	struct posh__member *m = posh__member_at(h, i);
	unsigned st = (unsigned)posh__load(&m->state) & 0xff;
	uint64_t lost;

	if (st > POSH__MEMBER_LEAVING)
		posh__say(c, "member %u is in state %u", i, st);
	if (st == POSH__MEMBER_FREE) {
		if (posh__load(&m->holds) || posh__load(&m->holds_busy))
			posh__say(c, "member %u is free and has a hold table",
				  i);
		return;
	}
	if (!posh__load(&m->holds) && st != POSH__MEMBER_LIVE)
		return; /* about to get one */
	if (!posh__holds_sound(h, m)) {
		posh__say(c, "member %u has no table of holds where it says",
			  i);
		return;
	}
	posh__holds_each(h, m, check_hold, c);
	lost = posh__holds_lost(h, m);
	if (lost)
		posh__say(c,
			  "member %u holds %#llx where nobody finds it, or "
			  "twice",
			  i, posh__hex(lost));
}

void
posh__check_members(struct posh__check *c)
{
	uint64_t high = posh__load(&c->self->h->hdr->members_high);
	uint32_t i;

	for (i = 0; i < high && i < POSH__MEMBERS; i++)
		check_member(c, i);
}

/*
 * Threads
 */

/* Words that are 0 while no operation is in flight. */
static bool
in_flight(const struct posh__thread *t)
{
	return posh__load(&t->opno) & 1 || posh__load(&t->step) ||
	       posh__load(&t->freeing) || posh__load(&t->dying) ||
	       posh__load(&t->dead);
}

/* What an operation owns, also while it waits for a monitor. */
static bool
owns(const struct posh__thread *t)
{
	int i;

	for (i = 0; i < 4; i++)
		if (posh__load(&t->val[i]))
			return true;
	return posh__load(&t->newbody) || posh__load(&t->stage) ||
	       posh__load(&t->trash);
}

static bool
lists_monitors(const struct posh__thread *t)
{
	int i;

	for (i = 0; i < POSH__HELD; i++)
		if (posh__load(&t->held[i]))
			return true;
	return posh__load(&t->held_more);
}

static void
check_free(struct posh__check *c, uint32_t tid)
{
	struct posh__thread *t = posh__thread_at(c->self->h, tid);
	uint64_t w = posh__load(&t->state);

	if ((in_flight(t) || owns(t) || lists_monitors(t) ||
	     posh__load(&t->waits) || posh__load(&t->spans) ||
	     posh__load(&t->span_busy) || posh__load(&t->active)) &&
	    posh__load(&t->state) == w)
		posh__say(c, "thread %u is free and owns something", tid);
}

/* A span that a thread is at: only while it is in a call, maybe reading. */
static bool
idle_and_busy(const struct posh__thread *t)
{
	uint64_t b = posh__load(&t->span_busy);
	int i;

	for (i = 0; i < LOOKS && b; i++) {
		if (posh__load(&t->active) || posh__load(&t->span_busy) != b)
			return false;
		sched_yield();
	}
	return b;
}

/* A place where an object might be. */
static bool
is_place(struct posh_heap *h, uint64_t object)
{
	return !(object & 15) &&
	       posh__inside(h, object, sizeof(struct posh__object));
}

/* A body that the thread has prepared, or is to take apart. */
static void
check_body(struct posh__check *c, uint32_t tid, const posh__word *word)
{
	struct posh_heap *h = c->self->h;
	uint64_t body = posh__load(word);
	struct posh__row row[POSH__ROWS];

	if (body && posh__block_word(h, body) && !posh__body_rows(h, body, row))
		posh__say(c, "thread %u has %#llx, which is no body", tid,
			  posh__hex(body));
}

/* The values of a batch that waits to be applied. */
static void
check_stage(struct posh__check *c, uint64_t stage)
{
	struct posh_heap *h = c->self->h;
	struct posh__row row[POSH__ROWS];
	int n = stage && posh__block_word(h, stage)
			? posh__body_rows(h, stage, row)
			: 0;
	uint64_t i;

	while (n-- > 0)
		for (i = 0; i < row[n].n; i++)
			posh__check_value(
				c, stage,
				posh__load(posh__at(
					h, row[n].off + i * row[n].stride)));
}

static void
check_names(struct posh__check *c, uint32_t tid)
{
	struct posh_heap *h = c->self->h;
	struct posh__thread *t = posh__thread_at(h, tid);
	uint64_t waits = posh__load(&t->waits) & POSH__HANDLE_MASK;
	int i;

	if (waits && !is_place(h, waits))
		posh__say(c, "thread %u waits for %#llx", tid,
			  posh__hex(waits));
	for (i = 0; i < POSH__HELD; i++) {
		uint64_t object = posh__load(&t->held[i]);

		if (object && !is_place(h, object))
			posh__say(c, "thread %u lists a monitor %#llx", tid,
				  posh__hex(object));
	}
	for (i = 0; i < 4; i++)
		posh__check_value(c, 0, posh__load(&t->val[i]));
	check_body(c, tid, &t->newbody);
	check_body(c, tid, &t->stage);
	check_body(c, tid, &t->trash);
	check_stage(c, posh__load(&t->stage));
}

/* Nobody is in a call that is yet to come.  In this order, as time goes on. */
static bool
ahead_of_time(struct posh_heap *h, const struct posh__thread *t)
{
	uint64_t epoch = posh__load(&t->active) >> 2;

	return epoch > posh__load(&h->hdr->epoch);
}

static void
check_thread(struct posh__check *c, uint32_t tid)
{
	struct posh_heap *h = c->self->h;
	struct posh__thread *t = posh__thread_at(h, tid);
	uint64_t w = posh__load(&t->state);

	if (POSH__THREAD_STATE(w) == POSH__THREAD_FREE) {
		check_free(c, tid);
		return;
	}
	if (POSH__THREAD_STATE(w) > POSH__THREAD_DYING)
		posh__say(c, "thread %u is in state %u", tid,
			  POSH__THREAD_STATE(w));
	if (posh__nobodys(h, POSH__THREAD_MEMBER(w)) &&
	    posh__load(&t->state) == w)
		posh__say(c, "thread %u is of member %u, which is none", tid,
			  POSH__THREAD_MEMBER(w));
	if (in_flight(t))
		posh__say(c, "thread %u is in the middle of something", tid);
	if (tid != c->self->tid && idle_and_busy(t))
		posh__say(c, "thread %u is at a span, and in no call", tid);
	if (ahead_of_time(h, t))
		posh__say(c, "thread %u is in a call of the future", tid);
	check_names(c, tid);
}

void
posh__check_threads(struct posh__check *c)
{
	uint64_t high = posh__load(&c->self->h->hdr->threads_high);
	uint32_t tid;

	for (tid = 1; tid < high && tid < POSH__THREADS; tid++)
		check_thread(c, tid);
}

/*
 * Monitors
 */

/* Is that the name of a thread entry in use?  Its member may be dead, and yet
 * to be recovered. */
static bool
is_name(struct posh_heap *h, uint32_t name)
{
	uint32_t member;

	return !posh__name_dead(h, name, &member) || member != UINT32_MAX;
}

void
posh__check_mutex(struct posh__check *c, const posh__half *w, const char *what)
{
	uint32_t name = posh__half_load(w) & ~POSH__LOCK_WAITS;

	if (name && !is_name(c->self->h, name) &&
	    (posh__half_load(w) & ~POSH__LOCK_WAITS) == name)
		posh__say(c, "the lock of %s has an owner of no name", what);
}

void
posh__check_lock(struct posh__check *c, uint64_t object)
{
	struct posh_heap *h = c->self->h;
	struct posh__object *o = posh__object(h, object);
	uint32_t name = posh__half_load(&o->lock) & ~POSH__LOCK_WAITS;
	bool known;

	if (!name) {
		if (posh__load(&o->seq) & 1)
			posh__say(c,
				  "object %#llx: sequence odd, and nobody "
				  "inside",
				  posh__hex(object));
		return;
	}
	known = is_name(h, name);
	/* Readers enter and leave monitors, and change nothing else. */
	if ((known && posh__lists(posh__thread_at(h, name & 0xffff), object)) ||
	    (posh__half_load(&o->lock) & ~POSH__LOCK_WAITS) != name)
		return;
	if (!known)
		posh__say(c,
			  "object %#llx: its monitor has an owner of no name",
			  posh__hex(object));
	else
		posh__say(c,
			  "object %#llx: its owner, thread %u, does not "
			  "list it",
			  posh__hex(object), name & 0xffff);
}

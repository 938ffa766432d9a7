/* SPDX-License-Identifier: MIT */
/* lock.c - monitors: one word, which is a futex.
 *
 *     31      30          16 15            0
 *    +-------+--------------+---------------+
 *    | waits |  generation  |  thread entry |      0: nobody is inside
 *    +-------+--------------+---------------+
 *
 * The word names its owner, so everybody can ask whether that one is alive.
 * How often the owner is inside, and whether it has made the sequence odd, is
 * private to it (its held list): nobody else needs that.  Which monitors a
 * thread is inside of is in its entry too, for its recovery.  A waiter that
 * finds the owner dead has its member recovered, which finishes or undoes what
 * the dead one was doing to the object, and then goes on.
 *
 * STATES
 *
 *           lock                    a second one comes
 *      0 ---------> {0, owner} ------------------------> {waits, owner}
 *      ^                | unlock                              |
 *      +----------------+---------------------- unlock, wake -+
 *
 *     {_, dead} --- break ---> {_, breaker}, sequence even --> 0, wake
 *
 * INVARIANTS
 *   I1  who writes to an object has its name in the lock word from before
 *       the first to behind the last store;
 *   I2  the sequence is odd only while somebody is inside, or died there;
 *       it never goes back;
 *   I3  a sleeper has set waits, or sleeps no longer than 5 ms;
 *   I4  a word that names a thread names one that has the object in its
 *       entry's list, or has others there: recovery opens all of them, and
 *       no word names a thread of former times when its entry is used again;
 *       a waiter that finds it otherwise says that the heap is damaged.
 *
 * PROGRESS  none is promised past an owner that is stopped.  A dead one costs
 * a waiter one question to the kernel, at once if it died before, otherwise
 * within 5 ms; one that is none, 40 ms.
 *
 * STEPS     effect                       if the process dies here
 *   lock.1  0 to {_, self}               waiters break it
 *   lock.2  waits set                    one wake too many
 *   lock.3  sequence odd                 who breaks it makes it even
 *   lock.4  sequence even                as lock.1
 *   lock.5  {_, self} to 0               sleepers wake by themselves (I3)
 *   lock.6  {_, dead} to {_, self}       as lock.1
 *   lock.7  the entry has the object     recovery looks at its word, which
 *                                        may name anybody
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include "circle.h"
#include "lock.h"
#include "ref.h"
#include "walk.h"

#define SPINS  100
#define LISTEN 16 /* sleeps between two pauses for signals */
#define LOOKS  10 /* at the list of who has a monitor, in each of so many */
#define ROUNDS 8  /* rounds of waiting: fewer than LISTEN */
#define NAME   (~POSH__LOCK_WAITS)

static int64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/*
 * The held list
 */

struct posh__held *
posh__held(struct posh__self *self, uint64_t object)
{
	unsigned i;

	for (i = self->nheld; i-- > 0;)
		if (self->held[i].object == object)
			return &self->held[i];
	return NULL;
}

static int
make_room(struct posh__self *self)
{
	unsigned max = self->held_max ? 2 * self->held_max : 8;
	struct posh__held *p;

	if (self->nheld < self->held_max)
		return 0;
	p = realloc(self->held, max * sizeof(*p));
	if (!p)
		return -ENOMEM;
	self->held = p;
	self->held_max = max;
	return 0;
}

/* Write down in the entry what the next place of the list will have (I4). */
static void
announce(struct posh__self *self, uint64_t object)
{
	if (!POSH_RULE(ANNOUNCE))
		return;
	if (self->nheld < POSH__HELD)
		posh__store(&self->t->held[self->nheld], object);
	else
		posh__store(&self->t->held_more, 1);
	POSH_STEP("lock.7");
}

/* The list has shrunk to what it is: the place behind it is free. */
static void
retract(struct posh__self *self)
{
	if (self->nheld < POSH__HELD)
		posh__store(&self->t->held[self->nheld], 0);
	else if (self->nheld == POSH__HELD)
		posh__store(&self->t->held_more, 0);
}

static void
push(struct posh__self *self, uint64_t object)
{
	struct posh__held *e = &self->held[self->nheld++];

	e->object = object;
	e->depth = 1;
	e->odd = false;
}

/* The last one takes the place of e; for a moment it has both. */
static void
pull(struct posh__self *self, struct posh__held *e)
{
	uint64_t i = (uint64_t)(e - self->held);

	*e = self->held[--self->nheld];
	if (i < POSH__HELD)
		posh__store(&self->t->held[i], e->object);
	retract(self);
}

/* One moves from the end of the list to a gap in it and is in both places
 * meanwhile: so from the end. */
bool
posh__lists(const struct posh__thread *t, uint64_t object)
{
	int i;

	if (posh__load(&t->held_more))
		return true;
	for (i = POSH__HELD; i-- > 0;)
		if (posh__load(&t->held[i]) == object)
			return true;
	return false;
}

/*
 * The word
 */

static void
word_unlock(struct posh__self *self, posh__half *w)
{
	/* A plain store, half the price of a write: a waiter that sets its
	 * bit in between sleeps on a word that is 0, which is no sleep, or
	 * in the rarest case 5 ms. */
	if (posh__half_load(w) == self->name) {
		posh__half_store(w, 0);
		POSH_STEP("lock.5");
		return;
	}
	if (posh__half_cas(w, self->name | POSH__LOCK_WAITS, 0)) {
		POSH_STEP("lock.5");
		posh__wake(w, 1);
	}
}

/* Have the dead owner of the object recovered, and see to it that the word
 * does not name it any more.
 *   -EBUSY  somebody alive is at it */
static int
succeed(struct posh__self *self, uint64_t object, uint32_t owner,
	uint32_t member)
{
	int rc = 0;

	if (member != UINT32_MAX)
		rc = posh__recover(self, member, false);
	if (!rc)
		posh__lock_break(self, object, owner);
	return rc;
}

struct wait {
	int64_t timeout, end; /* end: 0 if not known yet */
	uint32_t waits;       /* the bit to take the word with */
	unsigned sleeps;
	unsigned unlisted; /* rounds in a row in which the owner was no owner */
};

/* How long may we sleep?  0: no longer. */
static int64_t
remaining(struct wait *q)
{
	int64_t t;

	if (q->timeout < 0)
		return INT64_MAX;
	if (!q->timeout)
		return 0;
	t = now();
	if (!q->end)
		q->end =
			q->timeout > INT64_MAX - t ? INT64_MAX : t + q->timeout;
	return q->end > t ? q->end - t : 0;
}

/* A signal that came between the hook and the sleep did not end it.  So now
 * and then the call ends as if one had come: the caller looks, and calls
 * again.  Not if there is a timeout, which would begin anew. */
static int
listen(struct posh__self *self, struct wait *q)
{
	return self->h->before && !self->hookless && q->timeout < 0 &&
			       ++q->sleeps % LISTEN == 0
		       ? -EINTR
		       : 0;
}

/* The owner lives.  Does it know that it has the monitor?  If not, nobody will
 * ever open it: the heap is damaged.
 *
 * An owner has it in its list from before it takes the word to after it gives
 * it back (I4; quick.h too), and recovery lists what it takes over.  So one
 * look at the list that does not find it, with the owner's name in the word
 * before and behind, says that the owner went out and in again meanwhile; or
 * that the word lies.  Some that go in and out all the time may be seen like
 * that once; not at LOOKS looks in a row, in ROUNDS rounds in a row, each of
 * them behind a sleep.  And were one: a call fails, and nothing is broken. */
static bool
unlisted(struct posh__self *self, uint64_t object, uint32_t owner)
{
	const struct posh__thread *t = posh__thread_at(self->h, owner & 0xffff);
	const posh__half *word = &posh__object(self->h, object)->lock;
	int i;

	for (i = 0; i < LOOKS; i++)
		if (posh__lists(t, object) ||
		    (posh__half_load(word) & NAME) != owner)
			return false;
	return true;
}

/* One round of waiting for a word that said w.  0: look again. */
static int
wait_round(struct posh__self *self, uint64_t object, uint32_t w, struct wait *q)
{
	posh__half *word = &posh__object(self->h, object)->lock;
	uint32_t owner = w & NAME, member;
	int64_t left;
	int rc;

	if (owner == self->name || posh__name_dead(self->h, owner, &member)) {
		if (owner == self->name)
			member = UINT32_MAX; /* not in our list: a wreck */
		rc = succeed(self, object, owner, member);
		if (!rc)
			return 0;
	} else if (!unlisted(self, object, owner)) {
		q->unlisted = 0;
	} else if (++q->unlisted == ROUNDS) {
		return -EUCLEAN;
	}
	left = remaining(q);
	if (!left)
		return -ETIMEDOUT;
	if (!(w & POSH__LOCK_WAITS) &&
	    !posh__half_cas(word, w, w | POSH__LOCK_WAITS))
		return 0;
	POSH_STEP("lock.2");
	/* We may not be the last who sleeps when we get it. */
	q->waits = POSH__LOCK_WAITS;
	posh__circle_enter(self, object);
	rc = posh__circle_closed(self)
		     ? -EDEADLK
		     : posh__sleep(self, word, w | POSH__LOCK_WAITS, left);
	posh__circle_leave(self);
	return rc ? rc : listen(self, q);
}

static int
lock_slowly(struct posh__self *self, uint64_t object, int64_t timeout)
{
	posh__half *word = &posh__object(self->h, object)->lock;
	struct wait q = {timeout, 0, 0, 0, 0};

	if (timeout)
		posh__spin(word, NAME, SPINS);
	for (;;) {
		uint32_t w = posh__half_load(word);
		int rc;

		if (!(w & NAME)) {
			if (posh__half_cas(word, w, self->name | w | q.waits))
				return 0;
			continue;
		}
		rc = wait_round(self, object, w, &q);
		if (rc)
			return rc;
		/* Who opened monitors of a dead one used our place. */
		announce(self, object);
	}
}

int
posh__lock(struct posh__self *self, uint64_t object, int64_t timeout)
{
	struct posh__held *e = posh__held(self, object);
	int rc;

	if (e) {
		e->depth++;
		return 0;
	}
	rc = make_room(self);
	if (rc)
		return rc;
	announce(self, object);
	if (!posh__half_cas(&posh__object(self->h, object)->lock, 0,
			    self->name) &&
	    POSH_RULE(MONITOR)) {
		rc = lock_slowly(self, object, timeout);
		if (rc) {
			retract(self);
			return rc;
		}
	}
	POSH_STEP("lock.1");
	push(self, object);
	return 0;
}

static void
make_even(struct posh__object *o)
{
	uint64_t seq = posh__peek(&o->seq);

	/* Release: who sees it even sees all that was written. */
	if (seq & 1)
		posh__store(&o->seq, seq + 1);
	POSH_STEP("lock.4");
}

void
posh__unlock(struct posh__self *self, uint64_t object)
{
	struct posh__held *e = posh__held(self, object);
	struct posh__object *o = posh__object(self->h, object);

	if (!e || --e->depth)
		return;
	if (e->odd)
		make_even(o);
	if (!POSH_RULE(RETRACT))
		pull(self, e);
	word_unlock(self, &o->lock);
	if (POSH_RULE(RETRACT))
		pull(self, e);
}

void
posh__write_begin(struct posh__self *self, uint64_t object)
{
	struct posh__held *e = posh__held(self, object);
	struct posh__object *o = posh__object(self->h, object);

	if (!e || e->odd)
		return;
	e->odd = true;
	posh__store(&o->seq, posh__peek(&o->seq) | POSH_RULE(ODD));
	POSH_STEP("lock.3");
	/* What follows may not be seen before the odd number is: a reader
	 * that saw a new word and then the old sequence would believe it.
	 * Pairs with the reader's loads, each an acquire, of the data and
	 * then of the sequence. */
	posh__store_fence();
}

void
posh__write_end(struct posh__self *self, uint64_t object)
{
	struct posh__held *e = posh__held(self, object);

	if (!e || e->depth > 1 || !e->odd)
		return;
	make_even(posh__object(self->h, object));
	e->odd = false;
}

void
posh__lock_break(struct posh__self *self, uint64_t object, uint32_t name)
{
	struct posh__object *o = posh__object(self->h, object);
	uint32_t w = posh__half_load(&o->lock);

	if ((w & NAME) != name)
		return;
	/* Who acts for the dead one has it in the list already. */
	if (!self->acting)
		announce(self, object);
	/* One of those who find it takes the word: only that one may touch
	 * the sequence (I1). */
	while ((w & NAME) == name) {
		if (!posh__half_cas(&o->lock, w,
				    self->name | (w & POSH__LOCK_WAITS))) {
			w = posh__half_load(&o->lock);
			continue;
		}
		POSH_STEP("lock.6");
		if (POSH_RULE(EVEN))
			make_even(o);
		word_unlock(self, &o->lock);
		break;
	}
	if (!self->acting)
		retract(self);
}

/* Open the monitor of an object if that thread has it. */
static void
open_one(struct posh__self *self, uint64_t object, uint32_t name)
{
	struct posh__block *b = posh__at(self->h, object);

	if (posh__block_word(self->h, object) && posh__kind_is_object(b->kind))
		posh__lock_break(self, object, name);
}

static void
visit(struct posh__self *self, uint64_t block, posh__word *word, void *name)
{
	(void)word;
	open_one(self, block, *(uint32_t *)name);
}

void
posh__locks_open(struct posh__self *self, struct posh__thread *t, uint32_t name)
{
	struct posh__header *hdr = self->h->hdr;
	posh__half *own[] = {&hdr->grow_lock, &hdr->gate_lock};
	unsigned i;

	for (i = 0; i < POSH__HELD; i++) {
		uint64_t object = posh__load(&t->held[i]);

		if (object)
			open_one(self, object, name);
		posh__store(&t->held[i], 0);
	}
	if (posh__load(&t->held_more)) {
		posh__walk(self, visit, &name);
		posh__store(&t->held_more, 0);
	}
	/* What these guard is done again by the next owner (lock.h). */
	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		posh__half_cas(own[i], name, 0);
		posh__half_cas(own[i], name | POSH__LOCK_WAITS, 0);
	}
}

/*
 * The heap's own locks
 */

void
posh__mutex_lock(struct posh__self *self, posh__half *word)
{
	uint32_t waits = 0;

	for (;;) {
		uint32_t w = posh__half_load(word), owner = w & NAME;

		/* What a dead one left half done is done again (lock.h): its
		 * member's recovery can wait, and might need this lock. */
		if (!owner || owner == self->name ||
		    posh__name_dead(self->h, owner, NULL)) {
			if (posh__half_cas(word, w,
					   self->name | waits |
						   (w & POSH__LOCK_WAITS)))
				return;
			continue;
		}
		if (posh__spin(word, NAME, SPINS))
			continue;
		if (!(w & POSH__LOCK_WAITS) &&
		    !posh__half_cas(word, w, w | POSH__LOCK_WAITS))
			continue;
		waits = POSH__LOCK_WAITS;
		posh__nap(word, w | POSH__LOCK_WAITS);
	}
}

void
posh__mutex_unlock(struct posh__self *self, posh__half *word)
{
	word_unlock(self, word);
}

/*
 * The public calls
 */

/* Is it an object, as far as can be seen? */
static int
validate(struct posh_heap *h, uint64_t object)
{
	posh__word *state = posh__block_word(h, object);
	uint16_t kind;

	if (!state || POSH__STATE(posh__load(state)) == POSH__FREE)
		return -EINVAL;
	kind = posh__object(h, object)->kind;
	return posh__kind_is_object(kind) ? 0 : -EINVAL;
}

int
posh_object_lock(posh_heap *h, posh_handle o, int64_t timeout)
{
	struct posh__self *self;
	int rc = posh__enter_write(h, &self);

	if (rc)
		return rc;
	rc = validate(h, o.off);
	if (!rc)
		rc = posh__lock(self, o.off, timeout);
	posh__leave(self);
	return rc;
}

int
posh_object_unlock(posh_heap *h, posh_handle o)
{
	struct posh__self *self;
	int rc = posh__enter_write(h, &self);

	if (rc)
		return rc;
	if (posh__held(self, o.off))
		posh__unlock(self, o.off);
	else
		rc = -EPERM;
	posh__leave(self);
	return rc;
}

bool
posh_object_locked(posh_heap *h, posh_handle o)
{
	struct posh__self *self;

	return posh__self(h, &self) == 0 && posh__held(self, o.off);
}

/* SPDX-License-Identifier: MIT */
/* thread.h - the calling thread's entry, and its quiescent points.
 *
 * Every call on a heap runs between posh__enter_read or posh__enter_write
 * and posh__leave, which store the thread's active word: what it has seen of
 * the heap before the enter it will not look at after it.  Waits are
 * outside.  A writer stands still at the enter while hdr->gate is shut.
 */
#ifndef POSH_THREAD_H
#define POSH_THREAD_H

#include <errno.h>

#include "heap.h"

enum { POSH__CLASSES = 48 };

struct posh__scratch;

/* A monitor that the thread is inside. */
struct posh__held {
	uint64_t object;
	uint32_t depth;
	bool odd; /* it made the sequence odd */
};

/* A thread of this process attached to a heap; or, in a recovery, somebody
 * who acts for a dead one. */
struct posh__self {
	struct posh_heap *h;
	struct posh__thread *t;
	struct posh__member *m;
	uint32_t tid;    /* thread entry */
	uint32_t name;   /* generation << 16 | tid: what lock words hold */
	bool acting;     /* for a dead thread: nothing is private */
	bool hookless;   /* forking or leaving: no wait hooks */
	uint16_t waitno; /* number of the last wait; see circle.c */

	struct posh__held *held; /* a stack */
	unsigned nheld, held_max;

	uint32_t *avail[POSH__CLASSES]; /* own spans that may have blocks */
	uint32_t navail[POSH__CLASSES], avail_max[POSH__CLASSES];
	uint32_t empty[POSH__CLASSES];  /* the class's spare span, or 0 */
	uint32_t orphan[POSH__CLASSES]; /* the last that was looked at */

	struct posh__scratch *scratch; /* what reads return by pointer */

	uint64_t *entered; /* objects whose holds a reading entered */
	unsigned nentered, entered_max;

	struct posh__self *next, *prev; /* the heap's list */
};

int posh__self_find(struct posh_heap *h, struct posh__self **out);
void posh__gate_wait(struct posh__self *self);

/* collect.c: finish drops, and collect cycles if it is time to. */
void posh__chores(struct posh__self *self);

/* The struct that the calling thread used last, and the serial number of its
 * attachment: pthread_getspecific costs as much as the rest of a read. */
struct posh__tls {
	uint64_t serial;
	struct posh__self *self;
};
extern __thread struct posh__tls posh__tls __attribute__((
	__visibility__("hidden"), __tls_model__("initial-exec")));

static inline int
posh__self(struct posh_heap *h, struct posh__self **out)
{
	if (__builtin_expect(posh__tls.serial == h->serial &&
				     posh__peek(h->cookie),
			     1)) {
		*out = posh__tls.self;
		return 0;
	}
	return posh__self_find(h, out);
}

static inline void
posh__begin(struct posh__self *self, uint64_t bits)
{
	/* No fence: whoever needs to know runs a membarrier first.  But nothing
	 * is looked at before the epoch is: an acquire. */
	posh__store(&self->t->active,
		    posh__load(&self->h->hdr->epoch) << 2 | bits);
	if (__builtin_expect(self->h->fences, 0))
		posh__fence();
	posh__compiler_fence();
}

static inline void
posh__begin_write(struct posh__self *self)
{
	posh__begin(self, 3);
	/* An acquire: what was done behind the gate is seen now. */
	if (__builtin_expect(posh__load(&self->h->hdr->gate) != 0, 0) &&
	    POSH_RULE(GATE))
		posh__gate_wait(self);
}

/* A reader becomes a writer if that takes no wait; false: it does. */
static inline bool
posh__try_write(struct posh__self *self)
{
	uint64_t g;

	posh__begin(self, 3);
	g = posh__load(&self->h->hdr->gate);
	if (__builtin_expect(!g, 1) || (uint32_t)g == self->name ||
	    !POSH_RULE(GATE))
		return true;
	posh__begin(self, 1);
	return false;
}

static inline int
posh__enter_read(struct posh_heap *h, struct posh__self **out)
{
	int rc = posh__self(h, out);

	if (rc == 0)
		posh__begin(*out, 1);
	return rc;
}

/* Ahead of a writing call: what is due, but no part of any. */
static inline void
posh__soon(struct posh__self *self)
{
	if (__builtin_expect(posh__private_load(&self->h->due) != 0, 0))
		posh__chores(self);
}

static inline int
posh__enter_write(struct posh_heap *h, struct posh__self **out)
{
	int rc = posh__self(h, out);

	if (rc)
		return rc;
	posh__begin_write(*out);
	posh__soon(*out);
	return 0;
}

static inline void
posh__leave(struct posh__self *self)
{
	posh__store(&self->t->active, 0);
}

static inline struct posh__thread *
posh__thread_at(const struct posh_heap *h, uint32_t tid)
{
	return (struct posh__thread *)(h->base + h->hdr->threads_off) + tid;
}

static inline struct posh__member *
posh__member_at(const struct posh_heap *h, uint32_t index)
{
	return (struct posh__member *)(h->base + h->hdr->members_off) + index;
}

/* check.c: verify a heap that nobody else is in.  How many things are wrong,
 * or a negative errno. */
int posh__check_quiet(struct posh__self *self);

/* dict.c: make the objects that are always there; are they? */
int posh__places_create(struct posh__self *self);
bool posh__places_sound(struct posh_heap *h);

#define POSH__THREAD_STATE(w)  ((unsigned)((w)&0xff))
#define POSH__THREAD_MEMBER(w) ((uint32_t)((w) >> 8 & 0xffff))
#define POSH__THREAD_GEN(w)    ((uint32_t)((w) >> 32 & 0x7fff))
#define POSH__THREAD_WORD(gen, member, st)                                     \
	((uint64_t)(gen) << 32 | (uint64_t)(member) << 8 | (st))

/* Claim a thread entry for member m (-EAGAIN: none is left), or give it
 * back: its generation grows, nothing of the old name is valid any more. */
int posh__thread_claim(struct posh_heap *h, uint32_t member, uint32_t *tid);
void posh__thread_release(struct posh_heap *h, uint32_t tid);

/* Is the thread of this name (generation << 16 | entry) gone?  If so and
 * *member is not NULL, it gets the member to recover, or UINT32_MAX where
 * there is nothing to recover because the entry was purged. */
bool posh__name_dead(struct posh_heap *h, uint32_t name, uint32_t *member);

/* Is there no such member?  Its threads' entries were freed before its own;
 * or the heap is damaged, and nobody else will ever free them. */
bool posh__nobodys(struct posh_heap *h, uint32_t m);

/* member.c */

/* Is this member a dead one?  Asks the kernel: about 1 microsecond. */
bool posh__member_dead(struct posh_heap *h, uint32_t index);

/* Take a member entry for this process and a hold table; then recover whoever
 * is dead.  And the reverse. */
int posh__member_attach(struct posh_heap *h);
void posh__member_detach(struct posh_heap *h);

/* Give a member entry back, the last step of a recovery: nothing of the
 * member is left anywhere.  state is what its state word was all the time. */
void posh__member_free(struct posh_heap *h, uint32_t index, uint64_t state);

/* Recover every dead member of the heap; returns how many. */
int posh__member_reap(struct posh__self *self);

/* Wait for *w to change from the value seen: at most ns nanoseconds and 5 ms.
 * Leaves the quiescent state and calls the wait hooks; 0, or -EINTR as
 * posh.h says. */
int posh__sleep(struct posh__self *self, posh__half *w, uint32_t seen,
		int64_t ns);
void posh__wake(posh__half *w, int n);

/* The same sleep, inside the call, without hooks: for a lock that is held for
 * moments only. */
void posh__nap(posh__half *w, uint32_t seen);

/* Wait so many nanoseconds, inside the call. */
void posh__pause(int64_t ns);

/* Wait a moment for the bits to go: true when they have. */
bool posh__spin(const posh__half *w, uint32_t mask, unsigned rounds);

/* The private lock of a process: spins, then sleeps. */
void posh__private_lock(posh__half *w);
void posh__private_unlock(posh__half *w);

/* recover.c */

/* Recover member m, which is dead (or, leaving: is self's own).  0, or -EBUSY:
 * somebody alive is at it. */
int posh__recover(struct posh__self *self, uint32_t m, bool leaving);

/* Settle what a thread owns before its entry is given back: intent, values,
 * monitors (those of its held list), spans. */
void posh__thread_settle(struct posh__self *self);

#endif

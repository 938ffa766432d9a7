/* SPDX-License-Identifier: MIT */
/* gate.c - the gate that makes writers stand still.
 *
 * A writer stores in its entry that it is inside, then looks at the gate,
 * without a fence in between.  Who shuts the gate stores it, has the kernel
 * run a full barrier on every running thread, and waits until nobody is
 * inside: a writer that it does not see has not looked at the gate yet, and
 * will wait there.  Threads that wait for a monitor, or are between two
 * calls, are outside, whatever monitors they have; readers do not look, but
 * where they drop a hold (I3).
 *
 * INVARIANTS
 *   I1  while the gate is shut and its owner past the wait, no intent is in
 *       flight, and no count is changed but by the owner; a reader that has
 *       to recover a dead one becomes a writer first;
 *   I2  the gate names its owner; whoever finds that one dead opens it;
 *   I3  a reader that drops a hold meanwhile leaves it DROPPING.  It looks at
 *       the gate once more after that, and who opens the gate looks at the
 *       holds after that: one of the two finishes the drop.
 *
 * PROGRESS  none for writers while it is shut: a walk over the heap.  Who
 * shuts it gives up on a thread that stays inside for a second (it is
 * stopped), and recovers a dead one.
 *
 * STEPS     effect              if the process dies here
 *   gate.1  the gate is shut    a waiter opens it
 *   gate.2  it is open          what was dropped meanwhile is left to whose
 *                               holds they were, and to the next who opens
 */
#include "config.h"

#include "gate.h"
#include "lock.h"
#include "quiesce.h"
#include "ref.h"

enum { ROUNDS = 10000, NAP = 100000 /* ns: a second in all */ };

static posh__half *
gate_half(struct posh_heap *h)
{
	/* The low half of the word, where the name is. */
	return (posh__half *)&h->hdr->gate +
	       (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

void
posh__gate_wait(struct posh__self *self)
{
	struct posh_heap *h = self->h;
	uint64_t g;

	while ((g = posh__load(&h->hdr->gate)) != 0) {
		if ((uint32_t)g == self->name)
			return; /* it is ours */
		posh__leave(self);
		if (POSH_RULE(ABANDONED) &&
		    posh__name_dead(h, (uint32_t)g, NULL))
			posh__cas(&h->hdr->gate, g, 0);
		else
			posh__sleep(self, gate_half(h), (uint32_t)g, INT64_MAX);
		posh__begin(self, 3);
	}
}

/* Is a thread other than self inside a writing call?  One that is dead is
 * recovered. */
static bool
anybody_inside(struct posh__self *self, bool look_for_dead)
{
	struct posh_heap *h = self->h;
	uint32_t high = (uint32_t)posh__load(&h->hdr->threads_high), tid;
	bool any = false;

	for (tid = 1; tid < high; tid++) {
		struct posh__thread *t = posh__thread_at(h, tid);
		uint64_t w = posh__load(&t->state);
		uint32_t m = POSH__THREAD_MEMBER(w);

		if (tid == self->tid || !(posh__load(&t->active) & 2) ||
		    POSH__THREAD_STATE(w) == POSH__THREAD_FREE)
			continue;
		any = true;
		if (!look_for_dead)
			continue;
		if (posh__nobodys(h, m))
			posh__thread_release(h, tid);
		else if (posh__member_dead(h, m))
			posh__recover(self, m, false);
	}
	return any;
}

int
posh__gate_shut(struct posh__self *self)
{
	struct posh_heap *h = self->h;
	int i;

	/* Two that shut it at once: the second waits outside, or the first
	 * would wait for it. */
	posh__leave(self);
	posh__mutex_lock(self, &h->hdr->gate_lock);
	posh__begin(self, 3);
	posh__store(&h->hdr->gate, self->name);
	POSH_STEP("gate.1");
	if (!posh__barrier()) {
		posh__gate_open(self);
		return -ENOSYS;
	}
	for (i = 0; i < ROUNDS; i++) {
		if (!POSH_RULE(INSIDE) || !anybody_inside(self, i % 10 == 9))
			return 0;
		posh__pause(NAP);
		/* One may be inside that waits for memory which is in limbo as
		 * long as we are in a call from before. */
		posh__begin(self, 3);
	}
	posh__gate_open(self);
	return -ETIMEDOUT;
}

void
posh__gate_open(struct posh__self *self)
{
	struct posh_heap *h = self->h;

	posh__store(&h->hdr->gate, 0);
	POSH_STEP("gate.2");
	posh__wake(gate_half(h), INT32_MAX);
	posh__mutex_unlock(self, &h->hdr->gate_lock);
	posh__fence(); /* I3: open, then look */
	if (POSH_RULE(LATE))
		posh__drops_finish(self);
}

/* SPDX-License-Identifier: MIT */
/* circle.c - do threads wait for each other in a circle?
 *
 * A waiter follows: the monitor it waits for, its owner, the monitor that one
 * waits for, ...  If that comes back to the waiter, nobody in the circle will
 * ever go on.  One has to give up: the one with the highest thread entry, so
 * that it is one only.  It may have gone to sleep before the circle closed;
 * it asks again every 5 ms.
 *
 *   waits   number of the wait:16 | object:48
 *
 * The walk sees each edge at another moment, so it is made twice.  A thread
 * that has the same word (and number) in waits both times waited in between,
 * and so neither took nor left a monitor: all edges were there at once.
 *
 * A dead thread is no part of a circle: its monitors will be broken.
 */
#include "config.h"

#include "circle.h"
#include "lock.h"

enum { LONGEST = 64 };

struct edge {
	uint32_t owner;
	uint64_t waits; /* of the owner */
};

void
posh__circle_enter(struct posh__self *self, uint64_t object)
{
	uint64_t number = ++self->waitno;

	posh__store(&self->t->waits, number << 48 | object);
	/* Of two that close a circle at once, one has to see the other. */
	posh__fence();
}

void
posh__circle_leave(struct posh__self *self)
{
	posh__store(&self->t->waits, 0);
}

/* Who has the monitor that a waits word names, and what does that one wait
 * for?  False if it is somebody who goes on. */
static bool
follow(struct posh_heap *h, uint64_t waits, struct edge *out)
{
	uint64_t object = waits & POSH__HANDLE_MASK;
	struct posh__thread *t;
	uint64_t state;
	uint32_t tid;

	if (!object || !posh__inside(h, object, sizeof(struct posh__object)))
		return false;
	out->owner = posh__half_load(&posh__object(h, object)->lock) &
		     ~POSH__LOCK_WAITS;
	tid = out->owner & 0xffff;
	if (!tid || tid >= posh__load(&h->hdr->threads_high))
		return false;
	t = posh__thread_at(h, tid);
	state = posh__load(&t->state);
	if (POSH__THREAD_STATE(state) == POSH__THREAD_FREE ||
	    POSH__THREAD_GEN(state) != out->owner >> 16)
		return false;
	out->waits = posh__load(&t->waits);
	return true;
}

/* Walk from self back to self; how many edges, or 0. */
static unsigned
walk(struct posh__self *self, struct edge *path)
{
	uint64_t waits = posh__load(&self->t->waits);
	unsigned n;

	for (n = 0; n < LONGEST; n++) {
		if (!follow(self->h, waits, &path[n]))
			return 0;
		if (path[n].owner == self->name)
			return n + 1;
		waits = path[n].waits;
	}
	return 0;
}

bool
posh__circle_closed(struct posh__self *self)
{
	struct edge once[LONGEST], again[LONGEST];
	unsigned n = walk(self, once), i;

	if (!n || walk(self, again) != n)
		return false;
	for (i = 0; i < n; i++) {
		uint32_t tid = once[i].owner & 0xffff;

		if (once[i].owner != again[i].owner ||
		    once[i].waits != again[i].waits || tid > self->tid ||
		    (tid != self->tid &&
		     posh__name_dead(self->h, once[i].owner, NULL)))
			return false;
	}
	return true;
}

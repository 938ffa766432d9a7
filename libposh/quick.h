/* SPDX-License-Identifier: MIT */
/* quick.h - changing one word of an object quickly.
 *
 * Where a plain value takes the place of a plain one there is nothing to own
 * and nothing to finish: no intent, nothing that could wait.  So the monitor
 * is taken without the private list of those the thread is inside of, if it
 * is free and the thread is inside none.
 *
 * STEPS      effect                   if the process dies here
 *   quick.1  the monitor is announced  recovery looks at it
 *   quick.2  it is the thread's        recovery opens it
 *   quick.3  the sequence is odd       recovery makes it even
 *   quick.4  the sequence is even      recovery opens the monitor
 *   quick.5  the monitor is open       recovery looks at it
 */
#ifndef POSH_QUICK_H
#define POSH_QUICK_H

#include "op.h"

/* Begin a change; false: not so quickly. */
static inline bool
posh__quick_begin(struct posh__self *self, struct posh__object *o)
{
	posh__word *held = &self->t->held[0];

	if (self->nheld && POSH_RULE(INNER))
		return false;
	posh__store(held, (uint64_t)((char *)o - self->h->base));
	POSH_STEP("quick.1");
	if (!posh__half_cas(&o->lock, 0, self->name) && POSH_RULE(QUICK)) {
		posh__store(held, 0);
		return false;
	}
	POSH_STEP("quick.2");
	posh__store(&o->seq, posh__peek(&o->seq) | 1);
	POSH_STEP("quick.3");
	posh__store_fence();
	return true;
}

/* Somebody waits for the monitor (op.c). */
void posh__quick_wake(struct posh__self *self, struct posh__object *o);

/* End it. */
static inline void
posh__quick_end(struct posh__self *self, struct posh__object *o)
{
	posh__store(&o->seq, posh__peek(&o->seq) + 1);
	POSH_STEP("quick.4");
	/* A plain store: a waiter that sets its bit in between sleeps on a
	 * word that is 0, or 5 ms (wait.c). */
	if (__builtin_expect(posh__half_load(&o->lock) == self->name, 1))
		posh__half_store(&o->lock, 0);
	else
		posh__quick_wake(self, o);
	POSH_STEP("quick.5");
	posh__store(&self->t->held[0], 0);
}

#endif

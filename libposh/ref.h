/* SPDX-License-Identifier: MIT */
/* ref.h - references: holds of processes, links of objects, and death. */
#ifndef POSH_REF_H
#define POSH_REF_H

#include "alloc.h"

#define POSH__STATE(w) ((unsigned)((w) >> POSH__STATE_SHIFT & POSH__STATE_MASK))
#define POSH__WHO(w)   ((uint32_t)((w) >> POSH__WHO_SHIFT & POSH__WHO_MASK))
#define POSH__SEQ(w)   ((unsigned)((w) >> POSH__SEQ_SHIFT & POSH__SEQ_MASK))
#define POSH__LINKS(w) ((w)&POSH__LINKS_MASK)
#define POSH__WORD(st, who, seq, links)                                        \
	((uint64_t)(st) << POSH__STATE_SHIFT |                                 \
	 (uint64_t)(who) << POSH__WHO_SHIFT |                                  \
	 (uint64_t)(seq) << POSH__SEQ_SHIFT | (uint64_t)(links))

/* hold.c: the table of the member's holds. */

/* Enter a hold of an object that may be stale; to be confirmed after the
 * container was found unchanged, otherwise cancelled.  The caller has done
 * its fence when enter returns.
 *   -ENOMEM */
int posh__hold_enter(struct posh__self *self, uint64_t object);
void posh__hold_confirm(struct posh__self *self, uint64_t object);
void posh__hold_cancel(struct posh__self *self, uint64_t object);

/* All of that in one: hold an object that a container named while its sequence
 * was seq.  False: it has changed, or there is no room. */
bool posh__hold_if(struct posh__self *self, uint64_t object,
		   const struct posh__object *container, uint64_t seq);

/* A hold of an object that is known to live, and its end. */
int posh__hold(struct posh__self *self, uint64_t object);
void posh__drop(struct posh__self *self, uint64_t object);

/* The end of a hold for who may not write now: the object may live on until
 * the gate is open again. */
void posh__drop_late(struct posh__self *self, uint64_t object);

/* For writers: finish the late drops of this process; run the free check that
 * is due to those of all members. */
void posh__drops_own(struct posh__self *self);
void posh__drops_finish(struct posh__self *self);

/* Reserve a block for an object, entered as ALLOCATING and born with no
 * link; the constructor ends with posh__hold_confirm. */
int posh__hold_alloc(struct posh__self *self, uint64_t bytes, uint64_t *out);

/* Is the object in the hold table of any member? */
bool posh__held_anywhere(struct posh__self *self, uint64_t object);

/* The same, or is its check due? */
bool posh__named_anywhere(struct posh__self *self, uint64_t object);

/* Make the member's table, or (recovery, detach) give it back. */
int posh__holds_create(struct posh__self *self);
void posh__holds_destroy(struct posh__self *self, struct posh__member *m);

/* Recovery: drop everything in m's table. */
void posh__holds_purge(struct posh__self *self, struct posh__member *m);

/* Call f for each entry of m's table that is in a state. */
void posh__holds_each(struct posh_heap *h, struct posh__member *m,
		      void (*f)(uint64_t object, unsigned state, void *arg),
		      void *arg);

/* The check: is the table of m where its entry says, and of that size?  An
 * object whose entry a search for it does not find, or 0. */
bool posh__holds_sound(struct posh_heap *h, const struct posh__member *m);
uint64_t posh__holds_lost(struct posh_heap *h, const struct posh__member *m);

/* The process gets a second thread: the table needs its lock from now on.
 * Waits until the first is in no call. */
void posh__holds_share(struct posh__self *self);

/* Fork.  In the parent: stop the table (prepare), make the child's with the
 * confirmed holds, let go again.  In the child: adopt it. */
void posh__holds_freeze(struct posh_heap *h);
int posh__holds_copy(struct posh__self *self, struct posh__member *child);
void posh__holds_thaw(struct posh_heap *h);
void posh__holds_adopt(struct posh_heap *h);

/* link.c */

/* Add a link to an object (the caller keeps it alive), owned by *owner, which
 * becomes word. */
void posh__link(struct posh__self *self, uint64_t object, posh__word *owner,
		uint64_t word);

/* Take away the value that *owner owns, whatever it is; *owner becomes EMPTY.
 * What dies by that is destroyed. */
void posh__unlink(struct posh__self *self, posh__word *owner);

/* The same, but what dies by that waits on self->t->dead. */
void posh__unlink_only(struct posh__self *self, posh__word *owner);

/* Recovery of a count step in flight, and of dying, dead and freeing. */
void posh__link_settle(struct posh__self *self);

/* death.c */

/* Run the free check on an object that may have lost its last reference. */
void posh__free_check(struct posh__self *self, uint64_t object);

/* Take apart what hangs on self->t->dead. */
void posh__destroy(struct posh__self *self);

/* Put a block that is DEAD(self), named by dying, on the list; take its
 * head off. */
void posh__dead_push(struct posh__self *self, uint64_t block);
void posh__dead_pop(struct posh__self *self);

/* Free a body or another block without links of its own, that *owner names
 * (*owner becomes 0).  What is in its slots is not looked at. */
void posh__body_free(struct posh__self *self, posh__word *owner);

#endif

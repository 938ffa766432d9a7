/* SPDX-License-Identifier: MIT */
/* lock.h - monitors: the one-word lock of an object, and of the heap's own
 * few critical sections.  See lock.c. */
#ifndef POSH_LOCK_H
#define POSH_LOCK_H

#include "thread.h"

#define POSH__LOCK_WAITS (UINT32_C(1) << 31)

/* Enter an object's monitor; recursive.  timeout in ns, < 0: none.
 *   -ETIMEDOUT, -EINTR, -EDEADLK, -ENOMEM (the private held list) */
int posh__lock(struct posh__self *self, uint64_t object, int64_t timeout);

/* Leave it once: the outermost leave makes an odd sequence even first. */
void posh__unlock(struct posh__self *self, uint64_t object);

/* The entry of the held list, or NULL: is the caller inside? */
struct posh__held *posh__held(struct posh__self *self, uint64_t object);

/* About to change the object, inside its monitor: make the sequence odd, or
 * leave it so.  posh__write_end makes it even again unless an outer entry
 * (depth > 1) is going on. */
void posh__write_begin(struct posh__self *self, uint64_t object);
void posh__write_end(struct posh__self *self, uint64_t object);

/* A lock of the heap itself; not recursive, no timeout, never -EINTR.  What
 * it guards must be idempotent: the next owner starts again. */
void posh__mutex_lock(struct posh__self *self, posh__half *w);
void posh__mutex_unlock(struct posh__self *self, posh__half *w);

/* Does the thread with this entry list the object's monitor?  Who has one
 * does, from before it is taken to after it is given back. */
bool posh__lists(const struct posh__thread *t, uint64_t object);

/* The dead thread of this name left the monitor of an object locked: make an
 * odd sequence even (the next value), and free the word.  Recovery only. */
void posh__lock_break(struct posh__self *self, uint64_t object, uint32_t name);

/* Open every monitor, and every lock of the heap, that the dead thread with
 * this entry and name has.  Its intent is settled before. */
void posh__locks_open(struct posh__self *self, struct posh__thread *t,
		      uint32_t name);

#endif

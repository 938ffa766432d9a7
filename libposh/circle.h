/* SPDX-License-Identifier: MIT */
/* circle.h - do threads wait for each other in a circle?  See circle.c. */
#ifndef POSH_CIRCLE_H
#define POSH_CIRCLE_H

#include "thread.h"

/* Say that self is about to wait for an object's monitor, and that it does
 * not any more. */
void posh__circle_enter(struct posh__self *self, uint64_t object);
void posh__circle_leave(struct posh__self *self);

/* Does self wait, by way of others, for a monitor of its own, and is it the
 * one of them to give up? */
bool posh__circle_closed(struct posh__self *self);

#endif

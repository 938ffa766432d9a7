/* SPDX-License-Identifier: MIT */
/* quiesce.h - when has everybody left who may still look?  See quiesce.c. */
#ifndef POSH_QUIESCE_H
#define POSH_QUIESCE_H

#include "thread.h"

/* Let this process's threads be seen by others' barriers; at attach, and in
 * the child of a fork. */
void posh__barrier_register(struct posh_heap *h);

/* Order the memory of every running thread of every process.  False: this
 * system cannot. */
bool posh__barrier(void);

/* A stamp for something that is no longer reachable: the low half of the
 * epoch. */
uint32_t posh__epoch_stamp(struct posh_heap *h);

/* The horizon: everything with a stamp before it is out of everybody else's
 * sight.  Moves the epoch on.  False: unknown. */
bool posh__epoch_horizon(struct posh__self *self, uint32_t *out);

static inline bool
posh__epoch_before(uint32_t stamp, uint32_t horizon)
{
	return (int32_t)(horizon - stamp) > 0;
}

#endif

/* SPDX-License-Identifier: MIT */
/* gate.h - making all writers stand still.  See gate.c. */
#ifndef POSH_GATE_H
#define POSH_GATE_H

#include "thread.h"

/* Shut the gate, and wait until nobody but self is in a writing call.
 *   -ETIMEDOUT  a stopped thread stays inside; the gate is open again
 *   -ENOSYS     the system has no membarrier */
int posh__gate_shut(struct posh__self *self);
void posh__gate_open(struct posh__self *self);

#endif

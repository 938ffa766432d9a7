/* SPDX-License-Identifier: MIT */
/* roster.h - who is in a heap's tables of members and threads. */
#ifndef POSH_ROSTER_H
#define POSH_ROSTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "posh.h"

/* How many entries are not FREE? */
unsigned roster_members(posh_heap *h);
unsigned roster_threads(posh_heap *h);

/* The member entry of a process, or -1; and the state that one is in. */
int roster_find(posh_heap *h, pid_t pid);
unsigned roster_state(posh_heap *h, int index);

/* Is that member there, and dead, or alive? */
bool roster_dead(posh_heap *h, int index);
bool roster_alive(posh_heap *h, int index);

/* Recover the dead, without a recount: how many there were. */
int roster_reap(posh_heap *h);

#endif

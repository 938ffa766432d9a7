/* SPDX-License-Identifier: MIT */
/* clock.h - how long something took that was not for want of a processor. */
#ifndef POSH_CLOCK_H
#define POSH_CLOCK_H

#include <stdint.h>
#include <sys/types.h>

/* Nanoseconds since some moment. */
int64_t clock_ns(void);

/* Nanoseconds for which this thread could have run, and others ran; 0 where
 * the kernel does not say. */
int64_t clock_queued_ns(void);

/* The same of another thread, by its id. */
int64_t clock_queued_of(pid_t thread);

/* The same, and those for which it ran: the rest it slept. */
int64_t clock_busy_ns(void);

void clock_sleep(int64_t ns);

#endif

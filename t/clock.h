/* SPDX-License-Identifier: MIT */
/* clock.h - how long something took that was not for want of a processor. */
#ifndef POSH_CLOCK_H
#define POSH_CLOCK_H

#include <stdint.h>

/* Nanoseconds since some moment. */
int64_t clock_ns(void);

/* Nanoseconds for which this thread could have run, and others ran; 0 where
 * the kernel does not say. */
int64_t clock_queued_ns(void);

void clock_sleep(int64_t ns);

#endif

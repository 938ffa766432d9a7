/* SPDX-License-Identifier: MIT */
/* cancel.h - no thread is cancelled in the middle of a call.
 *
 * System calls that open, read or wait are points where pthread_cancel ends a
 * thread; what it had locked within the process would stay locked.  Functions
 * that make such calls begin with POSH__UNCANCELLED: the thread is cancelled
 * at its next point behind the call.  Sleeps on a futex are no such points.
 */
#ifndef POSH_CANCEL_H
#define POSH_CANCEL_H

#include <pthread.h>

static inline int
posh__cancel_defer(void)
{
	int was = PTHREAD_CANCEL_ENABLE;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &was);
	return was;
}

static inline void
posh__cancel_restore(const int *was)
{
	pthread_setcancelstate(*was, NULL);
}

/* The last of a function's declarations: until it returns. */
#define POSH__UNCANCELLED                                                      \
	int posh__cancel_was                                                   \
		__attribute__((__cleanup__(posh__cancel_restore), unused)) =   \
			posh__cancel_defer()

#endif

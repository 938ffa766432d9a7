/* SPDX-License-Identifier: MIT */
/* dying.h - processes that die at their nth step, for crash tests.
 *
 * A step is a POSH_STEP of libposh-check.  A test runs a scenario for n = 1,
 * 2, 3... in a child that calls dying_at(n), until one outlives it, and each
 * time looks what it has left behind.
 */
#ifndef POSH_DYING_H
#define POSH_DYING_H

#include <stdbool.h>

/* Before anything else. */
void dying_init(void);

/* The process dies by SIGKILL at its nth step from now, or that of a child
 * that it forks.  files: count only those of these files, "lock fork" for
 * instance; NULL: all. */
void dying_at(long n, const char *files);

/* The name of the last step that anybody reached, which is noted as
 * covered. */
const char *dying_last(void);

/* Was that step reached ever?  For each of file.1 .. file.n a test. */
bool dying_covered(const char *name);
void dying_report(const char *file, int n);

#endif

/* SPDX-License-Identifier: MIT */
/* tap.h - report tests in the Test Anything Protocol.
 *
 * A test calls ok() for each fact, and returns tap_done() from main, which
 * prints the plan last: a test that dies half-way has none, and fails.
 */
#ifndef POSH_TAP_H
#define POSH_TAP_H

#include <stdbool.h>

bool tap_ok(bool pass, const char *file, int line, const char *fmt, ...)
	__attribute__((__format__(__printf__, 4, 5)));

/* Report n tests that cannot run here. */
void tap_skip(int n, const char *why);

/* Say something to whoever reads the log. */
void tap_note(const char *fmt, ...)
	__attribute__((__format__(__printf__, 1, 2)));

/* How many times as long everything takes, under a tool that makes programs
 * slow: POSH_SLOW, or 1. */
unsigned tap_slow(void);

/* Shall what takes long be only a part?  POSH_BRIEF says so. */
bool tap_brief(void);

/* For how many seconds shall what has no end of its own go on?  Then what has
 * bounds takes the larger ones, too.  POSH_SOAK says so; 0: in all, quickly. */
unsigned tap_soak(void);

/* Die after so many seconds, times tap_slow().  0: never. */
void tap_limit(unsigned seconds);

/* Print the plan; return main's exit status. */
int tap_done(void);

/* Report a fact, and return whether it is one. */
#define ok(test, ...) tap_ok((test), __FILE__, __LINE__, __VA_ARGS__)

#endif

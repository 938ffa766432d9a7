/* SPDX-License-Identifier: MIT */
/* actor.h - a child process that a test talks to, a byte at a time.
 *
 * Both ends wait for the other's word, never for a time: a test of what
 * happens while somebody waits, stops or dies needs no sleep to be right.
 */
#ifndef POSH_ACTOR_H
#define POSH_ACTOR_H

#include <stdbool.h>
#include <sys/types.h>

struct actor {
	pid_t pid;
	int to, from; /* pipes; in the child the other ends of them */
};

/* Fork a child that runs f and exits with what that returns.  armed: the
 * child becomes a member of all heaps.  raw: fork by the bare system call,
 * as no library function does. */
enum { ACTOR_STRAY = 0, ACTOR_ARMED = 1, ACTOR_RAW = 2 };
void actor_start(struct actor *a, unsigned how,
		 int (*f)(struct actor *me, void *arg), void *arg);

/* Fork by the system call: no handler runs, and nothing but the kernel tells
 * the child that it is one. */
pid_t actor_raw_fork(void);

/* Does the kernel tell it?  An emulator may promise to and not do it. */
bool actor_raw_works(void);

/* Run this program again, with an argument; returns if that cannot be done.
 * POSH_EMULATOR is the program, if any, that runs it. */
void actor_exec_self(const char *arg);

/* Say a byte, wait for one (0: the other has gone). */
void actor_say(struct actor *a, char c);
char actor_hear(struct actor *a);

/* For actor_start: say 'r', and return when something is heard. */
int actor_stays(struct actor *me, void *arg);

/* Kill the child, or wait for its end: its exit status, or -signal. */
void actor_kill(struct actor *a);
int actor_end(struct actor *a);

#endif

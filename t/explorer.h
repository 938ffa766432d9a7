/* SPDX-License-Identifier: MIT */
/* explorer.h - all interleavings of a few members, up to a bound.
 *
 * A program has a few actors, each a member of one heap or a thread of one,
 * that are coroutines of this process.  Ahead of each access to memory that
 * another actor uses too, the explorer may go on with another actor, as
 * often as the bound on preemptions allows, or let the actor's process die
 * there, as at each POSH_STEP.  All such schedules are run, one after the
 * other, from the same state of memory; what fails is printed, and can be run
 * again.
 *
 * A preemption ahead of an access to memory that only one actor uses leads
 * to nothing new, and is left out.  Which memory that is, is found out by
 * running: first schedules at random; and when a word turns out to be shared
 * later, the search begins again.
 *
 * Stores to hold tables, to the words that say who is in a call, and by an
 * owner to those that say what others have freed, may be held back, past later
 * accesses to other memory, until the actor's next fence or read-modify-write
 * or somebody's barrier for all, as machines do: whenever another actor goes
 * on, it may or may not see them.  All else is sequentially consistent.
 */
#ifndef POSH_EXPLORER_H
#define POSH_EXPLORER_H

#include "posh.h"

enum { EXPLORER_ACTORS = 4, EXPLORER_MEMBERS = 4 };

/* It brings its own malloc, which sanitizers do too. */
#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define EXPLORER_WORKS 0
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define EXPLORER_WORKS 0
#endif
#ifndef EXPLORER_WORKS
#define EXPLORER_WORKS 1
#endif

enum {
	EXPLORER_MAY_DIE = 1,
	EXPLORER_AFTER_DEATH = 2, /* begins only when somebody has died */
};

struct explorer_actor {
	void (*run)(posh_heap *h);
	unsigned member; /* actors of one member are threads of a process */
	unsigned how;
};

struct explorer_program {
	const char *name;
	/* Make the world; what setup does with member[i] is the first thing
	 * that member has done.  observer is a member of its own. */
	void (*setup)(posh_heap *observer, posh_heap *const *member);
	/* After each execution; the dead are recovered by then, and the heap
	 * is verified. */
	void (*check)(posh_heap *observer);
	struct explorer_actor actor[EXPLORER_ACTORS]; /* ends with run NULL */
	unsigned preemptions, deaths;                 /* bounds */
	unsigned long_preemptions, long_deaths;       /* if there is time */
	bool late;    /* stores to active words may be held back too */
	bool steps;   /* deaths at each POSH_STEP alone, unless in full */
	bool as_left; /* check ahead of the verification, which shuts the
		       * gate and finishes drops when it opens it */
	/* Tried again with a death: 1: without preemptions, 2: with one; if
	 * there is time, with one more. */
	unsigned mortal;
	uint64_t max_size; /* of the heap; 0: the smallest */
};

struct explorer_result {
	long executions; /* of the last search, which knew all shared words */
	long dead;       /* of these, with a death */
	long pairs;      /* of these, with more than one */
	long searches;
	unsigned shared; /* words */
	unsigned points; /* most in an execution */
	double seconds;
};

/* Run all schedules, in a process of its own.  False: one failed, and was
 * printed. */
bool explorer_run(const struct explorer_program *p, bool in_full,
		  struct explorer_result *out);

/* Run one schedule as it was printed, and print every access.  Once in the
 * life of a process. */
bool explorer_replay(const struct explorer_program *p, const char *schedule);

/* What an actor, or a check, finds is wrong. */
void explorer_fail(const char *fmt, ...)
	__attribute__((__format__(__printf__, 1, 2)));

/* In a check: did the member die? */
bool explorer_died(unsigned member);

/* The actor's process, with a child_token, forks here: the child that it has
 * made ready lives from now on.  If it dies before, there is no child. */
void explorer_fork(posh_heap *h);

/* In a check: is there a child? */
bool explorer_forked(void);

/* From here to the end, in the actor that calls: nobody else goes on, and
 * nobody dies. */
void explorer_still_begin(void);
void explorer_still_end(void);

#endif

/* SPDX-License-Identifier: MIT */
/* model.h - small programs for abstract machines, and their search.
 *
 * A model is a few threads over a few shared words.  A thread's program is
 * made by a C function that calls the ones below, which stand for atomic.h's:
 * it reads like the code that it is a model of.  What a load returns names a
 * register; numbers up to 255 stand for themselves.
 *
 *	static void
 *	reader(void)
 *	{
 *		label out = new_label();
 *		val seq = load(SEQ);
 *
 *		go_if(seq, NE, load(SEQ), out);
 *		must(peek(DATA), EQ, 1, "what was read is whole");
 *		here(out);
 *	}
 *
 * A rule that a program follows can be left out, as with POSH_RULE: such a
 * twin of the model has to fail.
 */
#ifndef POSH_MODEL_H
#define POSH_MODEL_H

#include <stdbool.h>
#include <stdint.h>

/* The machines: see machine.c. */
enum arch { SC, TSO, ARM, RCPC, LOOSE, ARCHS };

/* Sets of them. */
enum {
	NOWHERE = 0,
	ON_TSO = 1 << TSO,
	ON_ARM = 1 << ARM | 1 << RCPC | 1 << LOOSE,
	ON_RCPC = 1 << RCPC | 1 << LOOSE,
	ON_LOOSE = 1 << LOOSE,
	BUT_SC = ON_TSO | ON_ARM,
	EVERYWHERE = 1 << SC | BUT_SC,
};

extern const char *const arch_name[ARCHS];

enum {
	MODEL_THREADS = 4,
	MODEL_WORDS = 32,
	MODEL_TWINS = 12,
};

struct model_word {
	const char *name; /* NULL: the end */
	int value;        /* at the beginning */
};

/* What fails if a rule is left out. */
struct model_twin {
	const char *rule; /* NULL: the end */
	unsigned caught;  /* on which machines it fails */
};

struct model {
	const char *name;
	const struct model_word *word;
	void (*thread[MODEL_THREADS])(void); /* ends with NULL */
	void (*after)(void);                 /* runs alone, when all are over */
	unsigned mortal; /* 1 << a thread that may be killed | ... */
	bool large;      /* for when there is time */
	struct model_twin twin[MODEL_TWINS];
};

struct verdict {
	bool failed;
	bool unknown; /* too much for the search */
	char why[128];
	long states;
	double seconds;
};

/* Search all that the model can do on a machine, without a rule unless that
 * is NULL.  With trace, print the steps that lead to a failure. */
void model_search(const struct model *m, enum arch arch, const char *without,
		  bool trace, struct verdict *out);

/*
 * The language
 */

typedef int val;   /* a number, or a register */
typedef int label; /* a place in a program */

/* Is the rule followed? */
bool rule(const char *name);

/* The word that lies i words behind base; i < n. */
int at(int base, int n, val i);

/* Loads: posh__load, an acquire; posh__peek, and plain ones of C. */
val load(int word);
val peek(int word);

/* Stores: posh__store, a release; plain ones of C. */
void store(int word, val v);
void store_plain(int word, val v);

/* posh__cas: did it?  posh__add: what was there.  And what would do without
 * the acquire or the release. */
val cas(int word, val old, val new);
val cas_relaxed(int word, val old, val new);
val add(int word, val n);
val add_relaxed(int word, val n);

void fence(void);
void store_fence(void);
void load_fence(void);
void compiler_fence(void);

/* The kernel's: a barrier on every running thread; sleep on a word while it
 * has a value, which sets the word asleep; wake who sleeps. */
void barrier(void);
val sleep_on(int word, val seen, int asleep);
void wake(int asleep);

enum test { EQ, NE, LT };

/* Load (acquire) until the word compares like that. */
val await(int word, enum test test, val v);

/* Wait until the thread is over, and all that it stored is seen: was it
 * killed? */
val killed(int thread);

val plus(val a, val b);
val minus(val a, val b);
val both(val a, val b);   /* a & b */
val either(val a, val b); /* a | b */
val shift(val a, val n);  /* a >> n */

/* A variable, and an assignment to it. */
val var(val v);
void set(val var, val v);

label new_label(void);
void here(label l);
void go(label l);
void go_if(val a, enum test test, val b, label l);

/* What must be true, or never be reached. */
void must(val a, enum test test, val b, const char *what);
void never(const char *what);

#endif

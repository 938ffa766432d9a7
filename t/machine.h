/* SPDX-License-Identifier: MIT */
/* machine.h - the abstract machines: states, and steps between them. */
#ifndef POSH_MACHINE_H
#define POSH_MACHINE_H

#include "program.h"

enum { MACHINE_WINDOW = 48, MACHINE_THREADS = MODEL_THREADS + 1 };

/* An instruction that was fetched and is not retired. */
struct entry {
	uint8_t pc;
	uint8_t is;   /* what has happened */
	uint8_t val;  /* of its register; a barrier: who had it */
	uint8_t addr; /* of an access, if known */
	uint8_t from; /* 1 + the pending store that a load was answered by */
};

enum {
	DONE = 1,
	HALF = 2,  /* a read-modify-write: read */
	STALE = 4, /* the word was stored to since it was loaded */
	TAKEN = 8, /* a branch: which way it will have gone */
};
enum { UNKNOWN = 255 };

struct core {
	uint8_t pc; /* to be fetched next */
	uint8_t n;  /* entries, the oldest first */
	uint8_t over;
	uint8_t reg[PROGRAM_REGS];
	struct entry w[MACHINE_WINDOW];
};

enum { RUNNING, UNBORN, ENDED, KILLED };

struct state {
	uint8_t mem[MODEL_WORDS];
	struct core core[MACHINE_THREADS];
};

/* What a step did, for a trace. */
struct step {
	uint8_t core, pc;
	const char *what;
};

struct machine {
	const struct model *model;
	enum arch arch;
	unsigned ncores; /* the threads, then what runs after them */
	struct program program[MACHINE_THREADS];

	/* Called with each state that a step, or the beginning, leads to. */
	void (*reach)(struct machine *m, const struct state *s,
		      const struct step *by);
	/* Something must not have happened. */
	const char *wrong;
	bool narrow; /* a window was too small */
	struct step step;
};

void machine_make(struct machine *m, const struct model *model, enum arch arch,
		  const char *without);
void machine_begin(struct machine *m);

/* All steps from a state, but for those that lead to nothing that others do
 * not lead to.  False: there is none. */
bool machine_steps(struct machine *m, const struct state *s);

/* Has everything come to its end?  Or is everybody waiting, in the order of
 * his program, for somebody else to do something? */
bool machine_over(const struct machine *m, const struct state *s);
bool machine_stuck(const struct machine *m, const struct state *s);

/* order.c: the value of an operand of entry k of core t, if it is known; and
 * what the entry stores, if it has read what that depends on. */
bool order_known(const struct machine *m, const struct state *s, unsigned t,
		 unsigned k, int operand, uint8_t *out);
bool order_stored(const struct machine *m, const struct state *s, unsigned t,
		  unsigned k, uint8_t *out);

/* Is there something that all that comes next has to wait for? */
bool order_closed(const struct machine *m, const struct state *s, unsigned t);

/* Can the entry load?  From memory, or (from: 1 + its place) an older store.
 * Can it store? */
bool order_can_read(const struct machine *m, const struct state *s, unsigned t,
		    unsigned k, uint8_t *out, int *from);
bool order_can_write(const struct machine *m, const struct state *s, unsigned t,
		     unsigned k, uint8_t *out);

/* Has another thread loaded the word in order to store to it? */
bool order_reserved(const struct machine *m, const struct state *s, unsigned t,
		    unsigned addr);

static inline const struct insn *
machine_insn(const struct machine *m, const struct state *s, unsigned t,
	     unsigned k)
{
	return &m->program[t].insn[s->core[t].w[k].pc];
}

/* Is the part of an access that loads, or stores, still to be done? */
static inline bool
unread(const struct insn *i, const struct entry *e)
{
	return reads(i) && !(e->is & (DONE | HALF));
}

static inline bool
unwritten(const struct insn *i, const struct entry *e)
{
	return writes(i) && !(e->is & DONE);
}

#endif

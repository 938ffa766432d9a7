/* SPDX-License-Identifier: MIT */
/* program.h - what the language of model.h is compiled to. */
#ifndef POSH_PROGRAM_H
#define POSH_PROGRAM_H

#include "model.h"

enum {
	PROGRAM_INSNS = 250,
	PROGRAM_REGS = 12,
	PROGRAM_VALUE = 256, /* registers are numbered from here */
};

enum op {
	OP_LOAD,
	OP_AWAIT,
	OP_STORE,
	OP_CAS,
	OP_ADD,
	OP_FENCE, /* order says which */
	OP_BARRIER,
	OP_SLEEP,
	OP_WAKE,
	OP_KILLED,
	OP_PLUS,
	OP_MINUS,
	OP_BOTH,
	OP_EITHER,
	OP_SHIFT,
	OP_GO_IF,
	OP_MUST,
	OP_END,
};

/* Orders of an access, or what a fence orders. */
enum {
	ACQUIRE = 1,
	RELEASE = 2,
	FENCE_LOADS = 1,
	FENCE_STORES = 2,
	FENCE_FULL = 4,
};

struct insn {
	uint8_t op, order, test;
	uint8_t word, span; /* the address is word + index, < word + span */
	uint8_t to;         /* where a branch goes */
	int16_t dst;        /* a register, or -1 */
	int16_t index;      /* values: numbers, or VALUE + register */
	int16_t a, b;
	const char *text;
};

struct program {
	struct insn insn[PROGRAM_INSNS];
	unsigned n;
	/* Of each instruction and all that may follow it. */
	uint32_t loads[PROGRAM_INSNS], stores[PROGRAM_INSNS];
	uint16_t live[PROGRAM_INSNS]; /* registers that are read */
};

/* Compile what f says, following all rules but one. */
void program_make(struct program *p, void (*f)(void), const char *without);

/* Did the last one ask for that rule? */
bool program_asked(void);

/* One instruction, for a trace. */
void program_print(const struct program *p, unsigned pc,
		   const struct model_word *word, char *out, unsigned size);

static inline bool
is_reg(int v)
{
	return v >= PROGRAM_VALUE;
}

static inline bool
is_rmw(const struct insn *i)
{
	return i->op == OP_CAS || i->op == OP_ADD;
}

static inline bool
reads(const struct insn *i)
{
	return i->op == OP_LOAD || i->op == OP_AWAIT || is_rmw(i);
}

static inline bool
writes(const struct insn *i)
{
	return i->op == OP_STORE || is_rmw(i);
}

/* Only when all before it is done, and all behind it comes later. */
static inline bool
is_call(const struct insn *i)
{
	return i->op >= OP_BARRIER && i->op <= OP_KILLED;
}

static inline bool
is_sum(const struct insn *i)
{
	return i->op >= OP_PLUS && i->op <= OP_SHIFT;
}

#endif

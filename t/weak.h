/* SPDX-License-Identifier: MIT */
/* weak.h - the models that weak.t searches. */
#ifndef POSH_WEAK_H
#define POSH_WEAK_H

#include "model.h"

/* A few accesses, and an outcome that only some machines show. */
struct litmus {
	const char *name; /* NULL: the end */
	const char *threads, *outcome;
	unsigned seen; /* on which machines */
};
extern const struct litmus litmus[];

/* The test as a model, valid until the next is made. */
void litmus_model(const struct litmus *l, struct model *out);

/* Kernels of libposh; each list ends with NULL. */
extern const struct model *const hold_kernels[],
	*const read_kernels[], *const quiet_kernels[], *const alloc_kernels[];

#endif

/* SPDX-License-Identifier: MIT */
/* scenario.h - operations in the middle of which somebody dies: a process
 * (crash.c), or an actor of the explorer (pairs.c). */
#ifndef POSH_SCENARIO_H
#define POSH_SCENARIO_H

#include <stddef.h>

#include "world.h"

enum {
	SCENARIO_MANY = 1,  /* several operations: any state in between is
			     * right, as far as can be seen from the root */
	SCENARIO_LARGE = 2, /* takes more than the smallest heap has */
	SCENARIO_LONG = 4,  /* so many steps that pairs take minutes */
};

struct scenario {
	const char *name;
	void (*op)(struct world *w);
	unsigned how;
	void (*prepare)(struct world *w); /* nobody dies here yet; or NULL */
};

/* What one thread can do in a heap; ends with a name that is NULL. */
extern const struct scenario scenarios[];

/* Called with the name of each public operation that a scenario calls. */
extern void (*scenario_calls)(const char *name);
#define CALL(f)                                                                \
	(scenario_calls ? scenario_calls("posh_" #f) : (void)0, posh_##f)

/* Some of them, for scenarios that are made of others. */
void scenario_append(struct world *w);
void scenario_append_bytes(struct world *w); /* of a size like no other */
void scenario_splice(struct world *w);
void scenario_update(struct world *w);
void scenario_destroy(struct world *w);

#endif

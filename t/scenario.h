/* SPDX-License-Identifier: MIT */
/* scenario.h - operations in the middle of which somebody dies: a process
 * (crash.c), or an actor of the explorer (pairs.c). */
#ifndef POSH_SCENARIO_H
#define POSH_SCENARIO_H

#include <stddef.h>

#include "world.h"

enum {
	SCENARIO_SAME = 1,  /* changes nothing that world_digest() sees */
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

/* What can be seen, in order: ahead of a scenario, between two operations of
 * it, and behind it.  After a death nothing else may be seen. */
enum { SCENARIO_STATES = 8 };
struct scenario_states {
	uint64_t digest[SCENARIO_STATES];
	int n;
};

/* Note what can be seen now. */
void scenario_note(struct scenario_states *s, posh_heap *h);

/* Is that one of them, or, if the scenario came to its end, the last? */
bool scenario_has(const struct scenario_states *s, uint64_t digest, bool ended);

/* Does each operation change what can be seen, or, if the scenario is said to
 * change nothing, none? */
bool scenario_changes(const struct scenario *is,
		      const struct scenario_states *s);

/* Called where a scenario is between two operations; may be NULL. */
extern void (*scenario_between)(struct world *w);

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

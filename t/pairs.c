/* SPDX-License-Identifier: MIT */
/* All pairs of deaths: somebody dies at each point of an operation, who
 * recovers that dies at each point of the recovery, and a third one recovers
 * both.
 *
 * The scenarios are those of crash.c; here they are run by the explorer, in
 * one process.  A point is a POSH_STEP, or with POSH_SOAK also every store
 * to memory that another one looks at.  After each, every invariant holds, what
 * hangs from the root is as before or as after, and when all is taken away the
 * heap has as many live bytes as an empty one.
 *
 *   pairs.t [NAME [SCHEDULE]]     as explore.t
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explorer.h"
#include "scenario.h"
#include "tap.h"

enum { LARGE_HEAP = 32 << 20 };

static const struct scenario *scenario;
static struct world world;
static uint64_t empty, before, after;

static void
setup(posh_heap *o, posh_heap *const *m)
{
	struct posh_stats st = {0};

	posh_heap_stats(o, &st, sizeof(st));
	empty = st.live_bytes;
	world.h = m[0];
	world_make(&world);
	world_soil(&world);
	if (scenario->prepare)
		scenario->prepare(&world);
	before = world_digest(o);
}

static void
act(posh_heap *h)
{
	struct world w = world;

	w.h = h;
	scenario->op(&w);
}

static void
reap(posh_heap *h)
{
	if (posh_heap_reap(h) < 0)
		explorer_fail("the recovery failed");
}

static void
check(posh_heap *o)
{
	uint64_t now = world_digest(o), bytes, suspects = 0;

	/* There are two states; the other one shows when it is met. */
	if (!(scenario->how & SCENARIO_MANY) && now != before) {
		if (after && now != after)
			explorer_fail("neither as before nor as after");
		after = now;
	}
	if (!explorer_died(0))
		return; /* and holds what it held */
	bytes = world_clear(o, &suspects);
	if (bytes != empty || suspects)
		explorer_fail("%lld bytes too many, %llu suspects",
			      (long long)(bytes - empty),
			      (unsigned long long)suspects);
}

static struct explorer_program
program_of(const struct scenario *s)
{
	struct explorer_program p = {
		.name = s->name,
		.setup = setup,
		.check = check,
		.actor = {{act, 0, EXPLORER_MAY_DIE},
			  {reap, 1, EXPLORER_MAY_DIE | EXPLORER_AFTER_DEATH}},
		.deaths = 2,
		.steps = true,
		.long_deaths = 2,
	};

	if (s->how & SCENARIO_LARGE)
		p.max_size = LARGE_HEAP;
	return p;
}

int
main(int argc, char **argv)
{
	static char buffer[BUFSIZ];
	bool in_full = tap_soak();
	struct explorer_result r;
	long dead = 0, pairs = 0;

	setvbuf(stdout, buffer, _IOLBF, sizeof(buffer));
	if (!EXPLORER_WORKS) {
		printf("1..0 # SKIP sanitizers want their own malloc\n");
		return 0;
	}
	for (scenario = scenarios; scenario->name; scenario++) {
		struct explorer_program p = program_of(scenario);
		bool right;

		if (argc > 1 && !strstr(p.name, argv[1]))
			continue;
		if (scenario->how & SCENARIO_LONG && !in_full && argc < 2) {
			tap_skip(1, "pairs of it with POSH_SOAK");
			continue;
		}
		if (argc > 2)
			return !explorer_replay(&p, argv[2]);
		right = explorer_run(&p, in_full, &r);
		ok(right && r.pairs > 0,
		   "%s: %ld deaths, %ld of them in pairs; %.1f s", p.name,
		   r.dead, r.pairs, r.seconds);
		dead += r.dead;
		pairs += r.pairs;
		if (!right && getenv("POSH_TWIN"))
			break; /* one is enough */
	}
	tap_note("%ld deaths, %ld of them in pairs", dead, pairs);
	return tap_done();
}

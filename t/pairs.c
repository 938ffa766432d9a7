/* SPDX-License-Identifier: MIT */
/* All pairs of deaths: somebody dies at each point of an operation, who
 * recovers that dies at each point of the recovery, and a third one recovers
 * both.
 *
 * The scenarios are those of crash.c; here they are run by the explorer, in
 * one process.  A point is a POSH_STEP, or with POSH_SOAK also every store
 * to memory that another one looks at.  After each, every invariant holds, what
 * hangs from the root is as before or as after an operation, as a run without a
 * death shows them, a recovery has left one suspect at most, and when all is
 * taken away the heap has as many live bytes as an empty one.
 *
 *   pairs.t [NAME [SCHEDULE]]     as explore.t
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach.h"
#include "explorer.h"
#include "scenario.h"
#include "tap.h"

enum { LARGE_HEAP = 32 << 20 };

static const struct scenario *scenario;
static struct scenario_states *clean; /* what a run without a death shows */
static struct world world;
static uint64_t empty, had; /* live bytes; suspects */

static void
make_world(posh_heap *h)
{
	world.h = h;
	world_make(&world);
	world_soil(&world);
	if (scenario->prepare)
		scenario->prepare(&world);
}

static void
note_state(struct world *w)
{
	scenario_note(clean, w->h);
}

/* Note all that may be seen of a scenario, from a run in a heap of its own. */
static bool
note_states(void)
{
	struct posh_options opts = {sizeof(opts), 256 << 20, 0, 0};
	int status = 0;
	posh_heap *h;
	pid_t pid;

	memset(clean, 0, sizeof(*clean));
	pid = fork();
	if (pid == 0) {
		if (posh_heap_create(&opts, &h))
			_exit(3);
		make_world(h);
		note_state(&world);
		scenario_between = note_state;
		scenario->op(&world);
		note_state(&world);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 &&
	       scenario_changes(scenario, clean);
}

static uint64_t
suspects(posh_heap *h)
{
	struct posh_stats st = {0};

	posh_heap_stats(h, &st, sizeof(st));
	return st.suspects;
}

static void
setup(posh_heap *o, posh_heap *const *m)
{
	struct posh_stats st = {0};

	posh_heap_stats(o, &st, sizeof(st));
	empty = st.live_bytes;
	make_world(m[0]);
	had = suspects(o);
}

static void
act(posh_heap *h)
{
	struct world w = world;

	w.h = h;
	scenario->op(&w);
}

/* First without the recount that follows it. */
static void
reap(posh_heap *h)
{
	struct posh__self *self;

	if (posh__enter_write(h, &self))
		explorer_fail("no recovery");
	posh__member_reap(self);
	posh__leave(self);
	explorer_still_begin();
	if (suspects(h) > had + 1)
		explorer_fail("more than one suspect of one death");
	explorer_still_end();
	if (posh_heap_reap(h) < 0)
		explorer_fail("the recovery failed");
}

static void
check(posh_heap *o)
{
	uint64_t bytes, more = 0;

	if (!scenario_has(clean, world_digest(o), !explorer_died(0)))
		explorer_fail("neither as before nor as after an operation");
	if (!explorer_died(0))
		return; /* and holds what it held */
	bytes = world_clear(o, &more);
	if (bytes != empty || more)
		explorer_fail("%lld bytes too many, %llu suspects",
			      (long long)(bytes - empty),
			      (unsigned long long)more);
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
	clean = mmap(NULL, sizeof(*clean), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (clean == MAP_FAILED)
		return 1;
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
			return !note_states() || !explorer_replay(&p, argv[2]);
		memset(&r, 0, sizeof(r));
		right = note_states() && explorer_run(&p, in_full, &r);
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

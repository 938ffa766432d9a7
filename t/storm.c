/* SPDX-License-Identifier: MIT */
/* Kill one of two processes at a random moment, a thousand times.
 *
 * Two processes do random operations on the same nested objects.  One is
 * killed: by a signal from outside at any instruction, or by itself at a step
 * chosen at random, so that short windows are met as often as long ones.  The
 * other goes on, needs everything that the dead one had, and checks the heap
 * while it is at work.  When all is dropped, the heap is as it was.
 *
 *   storm.t [-n ROUNDS] [-t SECONDS] [-s SEED] [-r FIRST]
 *
 * A seed, which is printed, makes the same choices again; the moments at
 * which two processes meet are their own.
 */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "clock.h"
#include "graph.h"
#include "posh.h"
#include "tap.h"

enum {
	NAME = 24,
	NAMES = 400,
	AFTER = 60,        /* steps that the survivor does after a death */
	HUNG = 20000,      /* ms after which it counts as hung */
	LATE = 10000000,   /* ns that it may sleep for a dead one's sake */
	LIMIT = 100000000, /* that a step may need in all, but for a few */
	MOST = 1000000000, /* that any may need */
};

struct shared {
	volatile int ready;  /* who is at work */
	volatile bool alone; /* the victim will die by itself */
	volatile int dead;   /* the victim is */
	volatile int64_t since;
	char last[NAME]; /* step of the victim's death, if by itself */
	char what[160];  /* of the survivor */
	int64_t longest; /* of its steps after the death, ns */
	int64_t slept;   /* at most in one of these */
	long steps;      /* of both */
};

static struct shared *shared;
static struct graph graph;
static long left;        /* steps left to live; 0: for ever */
static unsigned pattern; /* which names of steps count; 64: all */
static bool slow;        /* give way at steps, to meet the other */
static uint64_t lottery;
static char names[NAMES][NAME];
static int nnames;

/* The machine lacks something that the test needs. */
static void
give_up(const char *what)
{
	tap_note("cannot go on: %s", what);
	exit(3);
}

static void
at_step(const char *name)
{
	const char *p;
	unsigned x = 5381;

	if (slow) {
		lottery = lottery * UINT64_C(6364136223846793005) + 1;
		if (lottery >> 58 == 0)
			sched_yield();
	}
	if (!left)
		return;
	for (p = name; *p; p++)
		x = 33 * x + (unsigned char)*p;
	if (pattern < 64 && x % 64 != pattern)
		return;
	if (--left == 0) {
		snprintf(shared->last, NAME, "%s", name);
		raise(SIGKILL);
	}
}

static void
note(const char *what, void *arg)
{
	(void)arg;
	if (!shared->what[0])
		snprintf(shared->what, sizeof(shared->what), "%s", what);
}

static void
tell(const char *what, void *arg)
{
	(void)arg;
	tap_note("%s", what);
}

static void
victim(posh_heap *h, uint64_t seed)
{
	graph_join(&graph, h, seed);
	/* A quarter of them is killed from outside, whenever that is. */
	if (graph_random(&graph) & 3) {
		pattern = (unsigned)(graph_random(&graph) % 72);
		left = 1 + (long)(graph_random(&graph) %
				  (pattern < 64 ? 12 : 3000));
		shared->alone = true;
	}
	slow = graph_random(&graph) % 4 == 0;
	lottery = seed;
	posh__step = at_step;
	for (;;) {
		graph_step(&graph);
		__atomic_fetch_add(&shared->steps, 1, __ATOMIC_RELAXED);
		shared->ready |= 1;
	}
}

/* What the survivor has slept and paused in libposh.  What is more than it
 * asked for was for want of a processor. */
static int64_t slept;

static void
after_sleep(const volatile void *p, uint32_t seen, int64_t from, int64_t most)
{
	int64_t t;

	(void)p, (void)seen;
	if (!shared->dead)
		return;
	t = clock_ns() - (from < shared->since ? shared->since : from);
	slept += t < most ? t : most;
}

/* With hooks, calls that wait end with -EINTR now and then. */
static void *
before_wait(void *arg)
{
	return arg;
}

static void
after_wait(void *token, void *arg)
{
	(void)token, (void)arg;
}

static void
timed(void (*f)(struct graph *))
{
	int64_t queued = clock_queued_ns(), from = clock_ns(), t;

	slept = 0;
	f(&graph);
	if (!shared->dead)
		return;
	t = clock_ns() - (from < shared->since ? shared->since : from);
	if (t > shared->longest) {
		t -= clock_queued_ns() - queued;
		if (t > shared->longest)
			shared->longest = t;
	}
	if (slept > shared->slept)
		shared->slept = slept;
}

/* While others may be at work: it waits for those who are in a call. */
static void
check(struct graph *g)
{
	int n = posh_heap_check(g->h, note, NULL);

	if (n < 0)
		note(posh_error_text(n), NULL);
	g->wrong += n != 0;
}

static int
survivor(posh_heap *h, uint64_t seed)
{
	int i;

	graph_join(&graph, h, ~seed);
	posh_heap_wait_hooks(h, before_wait, after_wait, NULL);
	posh__slept = after_sleep;
	slow = graph_random(&graph) % 4 == 0;
	lottery = ~seed;
	posh__step = at_step;
	while (!shared->dead) {
		timed(graph_step);
		__atomic_fetch_add(&shared->steps, 1, __ATOMIC_RELAXED);
		shared->ready |= 2;
	}
	for (i = 0; i < AFTER; i++)
		timed(graph_step);
	timed(check);
	timed(graph_visit);
	for (i = 0; i < AFTER; i++)
		timed(graph_step);
	if (graph.wrong)
		note(graph.what, NULL);
	/* Some leave in order; the others' holds are a matter of recovery. */
	if (seed & 1) {
		graph_leave(&graph);
		posh_heap_close(h);
	}
	return graph.wrong != 0;
}

static pid_t
start(posh_heap *h, uint64_t seed, bool dies)
{
	pid_t pid;

	posh_fork_arm();
	pid = fork();
	if (pid < 0)
		give_up(strerror(errno));
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dies)
		victim(h, seed);
	_exit(survivor(h, seed));
}

static void
note_name(const char *name)
{
	int i;

	for (i = 0; i < nnames; i++)
		if (strcmp(names[i], name) == 0)
			return;
	if (name[0] && nnames < NAMES)
		snprintf(names[nnames++], NAME, "%s", name);
}

/* Wait for a child's end without taking its body; false: it hangs. */
static bool
ended(pid_t pid, int ms)
{
	int64_t until = clock_ns() + ms * INT64_C(1000000);
	siginfo_t info;

	do {
		info.si_pid = 0;
		waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
		if (info.si_pid)
			return true;
		clock_sleep(50000);
	} while (clock_ns() < until);
	return false;
}

static void
kill_at_random(pid_t pid, uint64_t random)
{
	int64_t until = clock_ns() + INT64_C(1000000000);
	siginfo_t info = {0};

	while (shared->ready != 3 && !info.si_pid && clock_ns() < until) {
		waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
		clock_sleep(20000);
	}
	/* Who never comes to the step that was chosen is killed too. */
	if (shared->alone)
		ended(pid, 30);
	else
		clock_sleep((int64_t)(random >> 32) % 5000000);
	kill(pid, SIGKILL);
	ended(pid, HUNG * tap_slow());
	shared->since = clock_ns();
	shared->dead = 1;
}

static bool
drop_all(posh_heap *h, uint64_t empty)
{
	struct posh_stats st;
	bool right;
	int rc;

	graph_clear(h);
	rc = posh_heap_reap(h);
	posh_heap_stats(h, &st, sizeof(st));
	right = rc >= 0 && st.live_bytes == empty && st.members == 1 &&
		st.suspects == 0;
	if (!right)
		tap_note("reap %d; %llu live bytes of %llu, %u members, "
			 "%llu suspects",
			 rc, (unsigned long long)st.live_bytes,
			 (unsigned long long)empty, st.members,
			 (unsigned long long)st.suspects);
	return right;
}

struct tally {
	long rounds, wrong, hung, suspects, late;
	int64_t longest, slept;
};

/* What is left of a round, once both processes are gone. */
static bool
aftermath(posh_heap *h, uint64_t empty, struct tally *t)
{
	struct graph g;
	struct posh_stats st;
	bool right = true;

	graph_join(&g, h, 1);
	if (posh_heap_check(h, tell, NULL))
		right = false;
	posh_heap_stats(h, &st, sizeof(st));
	t->suspects += (long)st.suspects;
	if (st.suspects > 1) {
		tap_note("%llu suspects of one dead thread",
			 (unsigned long long)st.suspects);
		right = false;
	}
	graph_visit(&g);
	if (g.wrong) {
		tap_note("%s", g.what);
		right = false;
	}
	return drop_all(h, empty) && right;
}

static bool
play(posh_heap *h, uint64_t seed, uint64_t empty, struct tally *t)
{
	struct graph g = {.random = seed};
	pid_t a, b;
	bool hangs, right = true;
	int status = 0;

	memset(shared, 0, sizeof(*shared));
	a = start(h, seed, true);
	b = start(h, seed, false);
	kill_at_random(a, graph_random(&g));
	/* A zombie is as dead as one that was buried. */
	if (graph_random(&g) & 1)
		waitpid(a, NULL, 0);
	hangs = !ended(b, HUNG * tap_slow());
	if (hangs) {
		tap_note("the survivor hangs, pid %ld", (long)b);
		if (getenv("POSH_KEEP"))
			pause();
		t->hung++;
		kill(b, SIGKILL);
	}
	waitpid(b, &status, 0);
	waitpid(a, NULL, 0);
	note_name(shared->last);
	if (shared->what[0])
		tap_note("%s", shared->what);
	if (WIFSIGNALED(status))
		tap_note("the survivor died of signal %d", WTERMSIG(status));
	t->late += shared->longest > (int64_t)LIMIT * tap_slow();
	if (shared->longest > t->longest)
		t->longest = shared->longest;
	if (shared->slept > t->slept)
		t->slept = shared->slept;
	right = !status && !hangs;
	return aftermath(h, empty, t) && right;
}

static posh_heap *
make_heap(uint64_t *empty)
{
	struct posh_options opts = {sizeof(opts), 512 << 20, 0, 0};
	struct posh_stats st;
	struct graph g;
	posh_heap *h;
	int rc = posh_heap_create(&opts, &h);

	if (rc)
		give_up(posh_error_text(rc));
	graph_join(&g, h, 1);
	posh_heap_stats(h, &st, sizeof(st));
	*empty = st.live_bytes;
	return h;
}

int
main(int argc, char **argv)
{
	long seconds = tap_soak(), first = 0, i;
	long rounds = seconds ? INT32_MAX : tap_brief() ? 50 : 200;
	uint64_t seed = (uint64_t)clock_ns(), empty, steps = 0;
	int64_t begin = clock_ns();
	struct tally t = {0};
	posh_heap *h;
	int c;

	while ((c = getopt(argc, argv, "n:r:s:t:")) != -1) {
		if (c == 'n')
			rounds = atol(optarg);
		else if (c == 't')
			seconds = atol(optarg), rounds = INT32_MAX;
		else if (c == 'r')
			first = atol(optarg);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	tap_note("seed %llu", (unsigned long long)seed);
	h = make_heap(&empty);
	for (i = first; i < rounds && t.wrong < 5; i++) {
		struct graph g = {.random = seed + (uint64_t)i};

		if (seconds && clock_ns() - begin > seconds * 1000000000L)
			break;
		t.rounds++;
		if (!play(h, graph_random(&g), empty, &t)) {
			tap_note("round %ld of seed %llu, death at %s", i,
				 (unsigned long long)seed,
				 shared->last[0] ? shared->last : "large");
			t.wrong++;
			h = make_heap(&empty); /* the old one is spoilt */
		}
		steps += (uint64_t)shared->steps;
	}
	ok(!t.wrong, "%ld rounds, a process killed in each, %ld were wrong",
	   t.rounds, t.wrong);
	ok(!t.hung, "the survivor never hung");
	ok(t.slept <= LATE,
	   "no step slept or paused more than 10 ms for the dead, but %ld us",
	   (long)(t.slept / 1000));
	/* The machine may be busy elsewhere for once. */
	ok(t.late <= t.rounds / 50, "in %ld rounds it needed more than %u ms",
	   t.late, 100 * tap_slow());
	ok(t.longest <= (int64_t)MOST * tap_slow(),
	   "no step needed more than %u ms after the death", 1000 * tap_slow());
	ok(t.suspects <= t.rounds, "%ld suspects in all", t.suspects);
	ok(steps > 20 * (uint64_t)t.rounds, "%llu operations before the deaths",
	   (unsigned long long)steps);
	tap_note("%d different steps of death; longest step %ld us", nnames,
		 (long)(t.longest / 1000));
	tap_note("%ld ms", (long)((clock_ns() - begin) / 1000000));
	return tap_done();
}

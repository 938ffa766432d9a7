/* SPDX-License-Identifier: MIT */
/* Kill a process after each step of each operation; another recovers.
 *
 * For every scenario and n = 1, 2, 3...: a child begins the operation and
 * dies at its nth step, until one outlives it.  Each time the parent recovers
 * the child, and then: every invariant holds, the containers are as before
 * the operation or as after it, and when all is dropped the heap has as many
 * live bytes as an empty one.
 *
 * Where processes come and go, a second child recovers the first, and dies at
 * its mth step; then the parent recovers both.  That is done for all n and m
 * with POSH_SOAK, otherwise for a quarter of the pairs.  (Of what one thread
 * does in a heap, pairs.c does it for all, without processes.)
 * With POSH_BRIEF=1 every fifth n is tried, and fewer m.
 */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "atomic.h"
#include "attach.h"
#include "scenario.h"
#include "tap.h"

enum { MAX_NAMES = 400, NAME = 32, PAIRS = 64, SAME = SCENARIO_SAME };

/* What the processes tell each other. */
struct shared {
	long steps;                   /* that the child has made */
	bool died;                    /* it, or a child of its own */
	bool noting;                  /* what can be seen, in clean: */
	struct scenario_states clean; /* where nobody dies */
	char last[NAME];              /* the name of the last step */
	char called[MAX_NAMES][NAME]; /* by a scenario, while it may die */
};

/* Names that were seen, and how many. */
struct names {
	char name[MAX_NAMES][NAME];
	int n;
};

static struct shared *shared;
static uint64_t maker; /* the name of the thread that made the world */
static long left;      /* steps left to live; 0: for ever */
static struct names covered;

static void
die_in_time(const char *name)
{
	shared->steps++;
	if (!shared->died)
		strncpy(shared->last, name, NAME - 1);
	if (left && --left == 0) {
		shared->died = true;
		raise(SIGKILL);
	}
}

static void
note_call(const char *name)
{
	int i;

	if (!posh__step)
		return;
	for (i = 0; i < MAX_NAMES && shared->called[i][0]; i++)
		if (!strcmp(shared->called[i], name))
			return;
	if (i < MAX_NAMES)
		strncpy(shared->called[i], name, NAME - 1);
}

static void
note_state(struct world *w)
{
	scenario_note(&shared->clean, w->h);
}

static void
note_name(const char *name)
{
	int i;

	for (i = 0; i < covered.n; i++)
		if (strcmp(covered.name[i], name) == 0)
			return;
	if (covered.n < MAX_NAMES)
		snprintf(covered.name[covered.n++], NAME, "%s", name);
}

static void
world_open(struct world *w)
{
	struct posh_options opts = {sizeof(opts), 256 << 20, 0, 0};

	if (posh_heap_create(&opts, &w->h))
		exit(3);
	world_make(w);
	maker = w->h->selves->name;
}

/*
 * Scenarios of more than one thread, heap or process
 */

static void
close_heap(struct world *w)
{
	CALL(heap_close)(w->h);
}

static void
must(int rc)
{
	if (rc == 0)
		return;
	printf("# a call failed: %s\n", posh_error_text(rc));
	fflush(stdout);
	_exit(3);
}

/* Leave the heap, and attach again. */
static void
attach(struct world *w)
{
	int fd = dup(posh_heap_fileno(w->h));
	posh_heap *h;

	posh_heap_close(w->h);
	must(CALL(heap_open_fd)(fd, &h));
	posh_heap_close(h);
}

static void *
append_in_thread(void *arg)
{
	scenario_append(arg);
	return NULL;
}

static void
thread(struct world *w)
{
	pthread_t t;

	if (pthread_create(&t, NULL, append_in_thread, w) == 0)
		pthread_join(t, NULL);
}

static void
create(struct world *w)
{
	posh_heap *h;

	(void)w;
	must(CALL(heap_create)(NULL, &h));
	posh_heap_close(h);
}

/* A heap with a name.  What dies leaves a file, or none. */
static void
name_heap(struct world *w)
{
	struct posh_options opts = {sizeof(opts), 0, 0, POSH_CREATE};
	const char *tmp = getenv("POSH_TMP");
	char name[1000];
	posh_heap *h;

	(void)w;
	snprintf(name, sizeof(name), "%s/crash-%ld.heap", tmp ? tmp : "/tmp",
		 (long)getppid());
	must(CALL(heap_open)(name, &opts, &h));
	posh_heap_close(h);
	must(CALL(heap_unlink)(name));
}

/* The gate is the maker's meanwhile, who is not waited for. */
static void
drop_at_gate(struct world *w)
{
	posh_handle o;

	must(posh_list_new(w->h, &o));
	world_append(w->h, o, world_text("a text that dies with it"));
	posh__store(&w->h->hdr->gate, maker);
	CALL(object_drop)(w->h, o);
	posh__store(&w->h->hdr->gate, 0);
	CALL(object_drop)(w->h, w->own);
}

static volatile bool inside;

static void *
lock_in_thread(void *arg)
{
	struct world *w = arg;

	/* Until the process ends. */
	posh_object_lock(w->h, w->list, -1);
	inside = true;
	pause();
	return NULL;
}

static void *
before_wait(void *arg)
{
	return arg;
}

static void
after_wait(void *token, void *arg)
{
	(void)token;
	(void)arg;
}

static void
prepare_wait(struct world *w)
{
	pthread_t t;

	if (pthread_create(&t, NULL, lock_in_thread, w))
		exit(3);
	while (!inside)
		usleep(100);
}

/* Wait for a monitor that somebody else is in. */
static void
wait_for(struct world *w)
{
	CALL(heap_wait_hooks)(w->h, before_wait, after_wait, NULL);
	CALL(object_lock)(w->h, w->list, 8000000);
}

static void
fork_child(struct world *w)
{
	pid_t pid;

	CALL(fork_disarm)();
	CALL(fork_arm)();
	pid = fork();
	if (pid == 0) {
		world_append(w->h, w->list, posh_int(1));
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

/* A grandchild dies in the middle of something; its recovery dies too. */
static void
recover_after(struct world *w, void (*op)(struct world *), long after)
{
	pid_t pid;
	long mine = left;
	int go[2], status = 0;

	left = 0;
	if (pipe(go))
		exit(3);
	posh_fork_arm();
	pid = fork();
	if (pid == 0) {
		char c;

		/* Not before the fork is over: it would see to the death. */
		if (read(go[0], &c, 1) != 1)
			exit(3);
		left = after;
		op(w);
		_exit(0);
	}
	if (write(go[1], "", 1) != 1)
		exit(3);
	close(go[0]);
	close(go[1]);
	/* It is dead, or with after 0 has come to its end. */
	if (waitpid(pid, &status, 0) != pid || WIFSIGNALED(status) != !!after ||
	    (!after && WEXITSTATUS(status))) {
		printf("# the one to recover %s\n",
		       after ? "did not die" : "did not end");
		fflush(stdout);
		_exit(3);
	}
	left = mine;
	shared->died = false;
	posh_heap_reap(w->h);
}

static void
recover_list(struct world *w)
{
	recover_after(w, scenario_splice, 30);
}

static void
recover_dict(struct world *w)
{
	recover_after(w, scenario_update, 64);
}

static void
recover_fork(struct world *w)
{
	recover_after(w, fork_child, 10);
}

static void
recover_death(struct world *w)
{
	recover_after(w, scenario_destroy, 70);
}

/* A dead one's spans are taken over. */
static void
prepare_orphans(struct world *w)
{
	recover_after(w, scenario_append_bytes, 0);
}

static const struct scenario processes[] = {
	{"close the heap", close_heap, SAME | PAIRS, NULL},
	{"leave and attach again", attach, SAME | PAIRS, NULL},
	{"a thread comes and goes", thread, PAIRS, NULL},
	{"create a heap", create, SAME, NULL},
	{"a heap with a name", name_heap, SAME, NULL},
	{"drop at a shut gate", drop_at_gate, SAME, NULL},
	{"wait for a monitor", wait_for, SAME | PAIRS, prepare_wait},
	{"fork", fork_child, PAIRS, NULL},
	{"take over orphans", scenario_append_bytes, PAIRS, prepare_orphans},
	{"recover a splice", recover_list, 0, NULL},
	{"recover a fork", recover_fork, SAME, NULL},
	{"recover an update", recover_dict, 0, NULL},
	{"recover a destruction", recover_death, SAME, NULL},
	{NULL, NULL, 0, NULL},
};

/*
 * Deaths
 */

/* From here on the process may die; s NULL: it recovers the dead. */
static void
act(struct world *w, const struct scenario *s, long n)
{
	left = n;
	posh__step = die_in_time;
	scenario_between = shared->noting ? note_state : NULL;
	if (s)
		s->op(w);
	else
		posh_heap_reap(w->h);
}

static void
prepare(struct world *w, const struct scenario *s)
{
	if (!s)
		return;
	world_soil(w);
	if (s->prepare)
		s->prepare(w);
	if (shared->noting)
		note_state(w);
}

/* Run the operation in a child that dies at its nth step, or with s NULL
 * recover the dead.  False: it outlived it, or never got that far. */
static bool
child_dies_at(struct world *w, const struct scenario *s, long n)
{
	int status = 0;
	pid_t pid;

	shared->died = false;
	shared->steps = 0;
	posh_fork_arm();
	pid = fork();
	if (pid == 0) {
		prepare(w, s);
		act(w, s, n);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		exit(3);
	if (!WIFSIGNALED(status) && WEXITSTATUS(status))
		exit(3);
	if (shared->died)
		note_name(shared->last);
	return shared->died;
}

static void
tell(const char *what, void *arg)
{
	(void)arg;
	printf("# %s\n", what);
}

/* Note all that may be seen of a scenario.  False: it has no change to be
 * seen, and is said to have one, or the reverse. */
static bool
note_states(const struct scenario *s)
{
	struct world w;

	memset(&shared->clean, 0, sizeof(shared->clean));
	world_open(&w);
	shared->noting = true;
	child_dies_at(&w, s, 0);
	posh_heap_reap(w.h);
	note_state(&w);
	shared->noting = false;
	posh_heap_close(w.h);
	if (scenario_changes(s, &shared->clean))
		return true;
	printf("# %s: %s\n", s->name,
	       s->how & SCENARIO_SAME ? "there is a change to be seen"
				      : "there is no change to be seen");
	return false;
}

/* Everything is dropped: what is left is what an empty heap has. */
static bool
all_given_back(struct world *w, uint64_t empty)
{
	uint64_t bytes, suspects;

	posh_object_drop(w->h, w->list);
	posh_object_drop(w->h, w->dict);
	posh_object_drop(w->h, w->own);
	posh_object_drop(w->h, w->set);
	posh_object_drop(w->h, w->inst);
	posh_object_drop(w->h, w->deque);
	bytes = world_clear(w->h, &suspects);
	if (bytes != empty || suspects)
		printf("# %llu live bytes, %llu in an empty heap; %llu "
		       "suspects\n",
		       (unsigned long long)bytes, (unsigned long long)empty,
		       (unsigned long long)suspects);
	return bytes == empty && !suspects;
}

/* Everybody who was to die is dead; ended: nobody was. */
static bool
is_right(struct world *w, uint64_t empty, bool ended)
{
	uint64_t seen = world_digest(w->h), now;
	bool right = true;
	struct posh_stats st;
	int rc = posh_heap_reap(w->h);

	if (rc < 0) {
		printf("# reap: %s\n", posh_error_text(rc));
		right = false;
	}
	if (posh_heap_check(w->h, tell, NULL))
		right = false;
	now = world_digest(w->h);
	if (!scenario_has(&shared->clean, now, ended)) {
		printf("# neither as before nor as after an operation\n");
		right = false;
	}
	if (now != seen) {
		printf("# changed by recovery after it was read\n");
		right = false;
	}
	posh_heap_stats(w->h, &st, sizeof(st));
	if (st.members != 1) {
		printf("# %u members\n", st.members);
		right = false;
	}
	return right & all_given_back(w, empty);
}

/* One death, or with m a second one in the recovery of the first.  *died:
 * the last of them happened. */
static bool
survives(const struct scenario *s, uint64_t empty, long n, long m, bool *died)
{
	struct world w;
	bool right;

	world_open(&w);
	*died = child_dies_at(&w, s, n);
	if (*died && m)
		*died = child_dies_at(&w, NULL, m);
	right = is_right(&w, empty, !*died && !m);
	if (!right)
		printf("# %s: death at step %ld, then at %ld, %s\n", s->name, n,
		       m, shared->last);
	posh_heap_close(w.h);
	return right;
}

static uint64_t
empty_bytes(void)
{
	struct posh_stats st;
	posh_heap *h;

	if (posh_heap_create(NULL, &h) || posh_heap_stats(h, &st, sizeof(st)))
		exit(3);
	posh_heap_close(h);
	return st.live_bytes;
}

/* All deaths after that at step n. */
static long
run_pairs(const struct scenario *s, uint64_t empty, long n, long *wrong)
{
	long stride = tap_soak() ? 1 : tap_brief() ? 16 : 4;
	long m = 1 + n % stride, count = 0;
	bool died = true;

	for (; died && *wrong < 3; m += stride, count += died)
		*wrong += !survives(s, empty, n, m, &died);
	return count;
}

/* Of each scenario whose name has that in it, all deaths. */
static void
run(const struct scenario *s, const char *only, long *deaths, long *pairs)
{
	uint64_t empty = empty_bytes();
	long every = tap_brief() ? 5 : 1;

	for (; s->name; s++) {
		long n, wrong = 0, one = 0, two = 0;
		bool died = true;

		if (only && !strstr(s->name, only))
			continue;
		wrong += !note_states(s);
		for (n = 1; died && wrong < 3; n += every) {
			wrong += !survives(s, empty, n, 0, &died);
			one += died;
			if (died && s->how & PAIRS)
				two += run_pairs(s, empty, n, &wrong);
		}
		ok(!wrong && one && (two || !(s->how & PAIRS)),
		   "%s: %ld deaths, one at each %s, and %ld in pairs", s->name,
		   one, every == 1 ? "step" : "fifth step", two);
		*deaths += one;
		*pairs += two;
	}
}

/*
 * Nothing is left out
 */

static bool
has_name(char (*list)[NAME], const char *name)
{
	int i;

	for (i = 0; i < MAX_NAMES && list[i][0]; i++)
		if (!strcmp(list[i], name))
			return true;
	return false;
}

/* Every line that the command prints is in the list. */
static bool
all_in(const char *cmd, char (*list)[NAME], const char *what, int least)
{
	char name[200];
	FILE *f = popen(cmd, "r");
	int n = 0, missed = 0;

	while (f && fgets(name, sizeof(name), f)) {
		name[strcspn(name, "\n")] = '\0';
		n++;
		if (has_name(list, name))
			continue;
		missed++;
		printf("# nobody died %s %s\n", what, name);
	}
	if (f)
		pclose(f);
	printf("# %d of %d covered: %s\n", n - missed, n, what);
	return n >= least && !missed;
}

static void
nothing_left_out(const char *srcdir, const char *map)
{
	char cmd[1000];

	snprintf(cmd, sizeof(cmd),
		 "sed -n 's/.*POSH_STEP(\"\\([^\"]*\\)\").*/\\1/p' "
		 "'%s'/libposh/*.[ch] | grep -v file.n | sort -u",
		 srcdir);
	ok(all_in(cmd, covered.name, "at", 100),
	   "every step of the sources was a place to die at");
	snprintf(cmd, sizeof(cmd),
		 "sed -n 's/.*\\(posh_[a-z0-9_]*\\);.*/\\1/p' "
		 "'%s'",
		 map);
	ok(all_in(cmd, shared->called, "in", 50),
	   "every public operation was one to die in");
}

int
main(int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : NULL;
	long deaths = 0, pairs = 0;

	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	scenario_calls = note_call;
	run(scenarios, only, &deaths, &pairs);
	run(processes, only, &deaths, &pairs);
	printf("# %ld deaths, and %ld pairs of them\n", deaths, pairs);
	if (!only && !tap_brief() && getenv("srcdir") && getenv("POSH_MAP"))
		nothing_left_out(getenv("srcdir"), getenv("POSH_MAP"));
	return tap_done();
}

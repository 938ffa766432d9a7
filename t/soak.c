/* SPDX-License-Identifier: MIT */
/* A storm of kills on many processes.
 *
 * Workers of two threads each do random operations on one graph of objects.
 * Besides, each has a list of its own, and says in a pipe what it is about to
 * do to that and when it has done it.  The killer sends SIGKILL, SIGSTOP and
 * SIGCONT; workers fork, announced or not, and call exec.  Who is killed is
 * replaced at once.  One is spared until it has made steps since the last
 * death of another: if it waits for the dead for ever, it is there to be seen.
 *
 * While they live, workers hold each value that they read to its checksum
 * (freed blocks are poisoned), and one or another checks the heap.  After a
 * death, a worker's list is as its log says, before or after what it was
 * doing.  Now and then all are killed together; then the heap has not one
 * byte more than it has to.
 *
 *   soak.t [-t SECONDS] [-w WORKERS] [-s SEED]
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "attach.h"
#include "clock.h"
#include "graph.h"
#include "lock.h"
#include "posh.h"
#include "tap.h"

enum {
	WORKERS = 16,    /* at most */
	ITEMS = 40,      /* of a worker's own list */
	THREADS = 2,     /* of a worker: one keeps the log */
	HUNG = 1,        /* s without a step, while the others made so many: */
	OTHERS = 5000,   /* that is a hang; */
	ALL_HUNG = 10,   /* or s, whatever the others do */
	LATE = 10,       /* ms that a step may sleep for a dead one's sake */
	MORE = 20,       /* s to wait for what happens seldom */
	SELDOM = 512,    /* steps, about, from one such to the next */
	GENERATION = 100 /* kills until all are killed together */
};

/* What a worker is about to do to its own list; that it has done it; or that
 * the heap is full and it has not. */
enum op { DONE, APPEND, POP, SET, INSERT, EXTEND, DELETE, UNDONE };

struct record {
	uint32_t op, at;
	uint64_t value;
};

/* What the list has to be. */
struct model {
	uint64_t item[ITEMS + 4];
	unsigned n;
};

struct worker {
	pid_t pid;
	bool killed;
	int log;                    /* the pipe's reading end */
	struct model before, after; /* the same if nothing is in flight */
};

/* What the processes tell the killer, and it them. */
struct shared {
	struct {
		volatile uint64_t steps;
		volatile uint32_t name; /* in the heap; 0: not known yet */
	} thread[WORKERS][THREADS];
	volatile bool away[WORKERS]; /* called exec: it makes no steps */
	struct {
		volatile uint32_t name;
		volatile int64_t since;
	} dead[1 << 16];        /* by the heap's entries for threads */
	volatile int64_t slept; /* ns, at most, for a dead one in one step */
	volatile long forks, execs, checks, collections, circles, wrong;
	char what[200];
};

static struct shared *shared;
static struct worker worker[WORKERS];
static int nworkers = 4;
static posh_heap *heap;
static uint64_t empty;
static struct graph dice; /* the killer's */
static long kills, stops, restarts, violations, generations;
static struct {
	int index;               /* who is not killed now */
	bool bereft;             /* another died meanwhile */
	uint64_t steps[THREADS]; /* that it had made when that died */
} spared;

/* The machine lacks something that the test needs. */
static void
give_up(const char *what)
{
	tap_note("cannot go on: %s", what);
	exit(3);
}

static void
violated(const char *what)
{
	violations++;
	tap_note("violation: %s", what);
}

static void
tell(const char *what, void *arg)
{
	(void)arg;
	violated(what);
}

/* In a worker: something is wrong.  It goes on. */
static void
note(const char *what, void *arg)
{
	(void)arg;
	if (__atomic_fetch_add(&shared->wrong, 1, __ATOMIC_RELAXED) == 0)
		snprintf(shared->what, sizeof(shared->what), "%s", what);
	if (getenv("POSH_KEEP"))
		kill(0, SIGSTOP); /* for a debugger */
}

/*
 * A worker's own list, and its model
 */

static struct posh_value
value_of(uint64_t x, char *text)
{
	if (x & 1)
		return posh_int((int64_t)(x >> 1));
	snprintf(text, 64, "%016llx and again %016llx", (unsigned long long)x,
		 (unsigned long long)~x);
	return posh_utf8(text, strlen(text));
}

static bool
is_value(const struct posh_value *v, uint64_t x)
{
	char text[64];
	struct posh_value want = value_of(x, text);

	if (want.type == POSH_INT)
		return v->type == POSH_INT && v->i == want.i;
	return v->type == POSH_STR && v->width == 1 && v->size == want.size &&
	       !memcmp(v->data, text, v->size);
}

static void
model_apply(struct model *m, const struct record *r)
{
	unsigned at = r->at, i, more = r->op == EXTEND ? 3 : 1;

	switch (r->op) {
	case APPEND:
	case EXTEND:
		for (i = 0; i < more; i++)
			m->item[m->n++] = r->value + i;
		break;
	case INSERT:
		memmove(&m->item[at + 1], &m->item[at],
			(m->n++ - at) * sizeof(m->item[0]));
		m->item[at] = r->value;
		break;
	case SET:
		m->item[at] = r->value;
		break;
	case POP:
	case DELETE:
		more = r->op == POP ? 1 : (unsigned)r->value;
		memmove(&m->item[at], &m->item[at + more],
			(m->n - at - more) * sizeof(m->item[0]));
		m->n -= more;
	}
}

static int
list_apply(posh_handle list, const struct record *r)
{
	char text[3][64];
	struct posh_value v[3];
	unsigned i;

	for (i = 0; i < 3; i++)
		v[i] = value_of(r->value + i, text[i]);
	switch (r->op) {
	case APPEND:
		return posh_list_append(heap, list, v);
	case EXTEND:
		return posh_list_extend(heap, list, v, 3);
	case INSERT:
		return posh_list_insert(heap, list, r->at, v);
	case SET:
		return posh_list_set(heap, list, r->at, v);
	case POP:
		return posh_list_pop(heap, list, r->at, NULL);
	default:
		return posh_list_delete(heap, list, r->at, r->at + r->value);
	}
}

static void
choose(struct graph *g, const struct model *m, struct record *r)
{
	uint64_t x = graph_random(g);

	r->op = APPEND + x % 6;
	r->value = x >> 16;
	if (m->n == 0 && (r->op == POP || r->op == SET || r->op == DELETE))
		r->op = APPEND;
	if (m->n >= ITEMS - 3)
		r->op = DELETE;
	r->at = m->n ? (uint32_t)(x >> 8 & 0xff) % m->n : 0;
	if (r->op == DELETE)
		r->value = (x >> 16) % (m->n - r->at + 1);
}

/* Make a ticket for a list: see POSH_TICKETS. */
static int
make_ticket(posh_handle d, struct posh_value *number, struct posh_value *out)
{
	struct posh_value list = posh_fresh(POSH_KIND_LIST), t = posh_float(0),
			  n = posh_int(1);
	posh_handle ticket;
	int rc = posh_list_new(heap, &ticket);

	if (rc)
		return rc;
	rc = posh_list_append(heap, ticket, &list);
	if (!rc)
		rc = posh_list_append(heap, ticket, &t);
	if (!rc)
		rc = posh_list_append(heap, ticket, &n);
	if (!rc) {
		struct posh_value v = posh_object(ticket);

		rc = posh_dict_setdefault(heap, d, number, &v, out);
	}
	posh_object_drop(heap, ticket);
	return rc;
}

/* The list of worker i has a ticket, as the graph's changes don't reach it
 * there.  The caller owns a hold. */
static posh_handle
own_list(int i)
{
	struct posh_value k = posh_int(i), ticket, list;
	posh_handle d = posh_heap_place(heap, POSH_TICKETS);
	int rc;

	if (posh_dict_get(heap, d, &k, &ticket) &&
	    make_ticket(d, &k, &ticket) < 0)
		return (posh_handle){0};
	rc = posh_list_get(heap, ticket.object, 0, &list);
	posh_object_drop(heap, ticket.object);
	return rc ? (posh_handle){0} : list.object;
}

/* Where the list differs from the model: an index, or -1 if nowhere. */
static int64_t
differs(posh_handle list, const struct model *m)
{
	struct posh_value *v;
	int64_t n = posh_list_snapshot(heap, list, &v, NULL), i;

	for (i = 0; i < n && i < (int64_t)m->n; i++)
		if (!is_value(&v[i], m->item[i]))
			break;
	if (n >= 0)
		free(v);
	return i == n && i == (int64_t)m->n ? -1 : i;
}

static bool
list_is(posh_handle list, const struct model *m)
{
	return differs(list, m) < 0;
}

/*
 * A worker
 */

struct thread {
	int index, number;
	uint64_t seed;
	struct model model;
	int log;
};

static void
log_write(int fd, const struct record *r)
{
	if (write(fd, r, sizeof(*r)) != sizeof(*r))
		_exit(4);
}

static void
own_step(struct graph *g, struct thread *t, posh_handle list)
{
	static const struct record done = {DONE, 0, 0}, undone = {UNDONE, 0, 0};
	struct record r;
	char text[160];
	int64_t rc;

	choose(g, &t->model, &r);
	log_write(t->log, &r);
	rc = list_apply(list, &r);
	if (rc < 0 && (rc != -ENOMEM || r.op == POP || r.op == DELETE)) {
		note(posh_error_text((int)rc), NULL);
		_exit(4);
	}
	if (rc == 0)
		model_apply(&t->model, &r);
	log_write(t->log, rc ? &undone : &done);
	rc = differs(list, &t->model);
	if (rc < 0)
		return;
	snprintf(text, sizeof(text),
		 "own list %#llx: item %ld of %u (%ld) after op %u at %u",
		 (unsigned long long)list.off, (long)rc, t->model.n,
		 (long)posh_list_len(heap, list), r.op, r.at);
	note(text, NULL);
}

/* A child that works a little, and goes without a word; or one that nobody
 * announced, which gets nothing but a clear error. */
static void
fork_step(struct graph *g)
{
	bool announced = graph_random(g) & 1;
	int64_t len;
	pid_t pid;
	int i;

	if (announced)
		posh_fork_arm();
	pid = fork();
	if (pid) {
		shared->forks++;
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (announced) {
		for (i = 0; i < 30; i++)
			graph_step(g);
		if (g->wrong)
			note(g->what, NULL);
		raise(SIGKILL);
	}
	len = posh_dict_len(heap, posh_heap_place(heap, POSH_ROOT));
	if (len != -ECHILD)
		note("an unannounced child was let in", NULL);
	/* It has what its parent had open, for a while. */
	clock_sleep(5000000);
	_exit(0);
}

/* Sleeps for the sake of one dead thread, in this step. */
static _Thread_local struct {
	uint32_t name;
	int64_t ns;
} mourning;

/* Whom does one wait for that waits for this thread?  For who recovers it, if
 * somebody is at it. */
static uint32_t
awaited(uint32_t name)
{
	struct posh__thread *t = posh__thread_at(heap, name & 0xffff);
	uint64_t w = posh__load(&t->state), reaper;

	if (POSH__THREAD_GEN(w) != (name >> 16 & 0x7fff))
		return name;
	reaper = posh__load(
		&posh__member_at(heap, POSH__THREAD_MEMBER(w))->reaper);
	return reaper ? (uint32_t)reaper : name;
}

/* Who slept waited for the dead one if the word names that one still, and
 * nobody was at it.  What is more than was asked for was for want of a
 * processor. */
static void
after_sleep(const volatile void *p, uint32_t seen, int64_t from, int64_t most)
{
	int64_t since, t;
	uint32_t name;

	if (!p || (posh__half_load(p) ^ seen) & ~POSH__LOCK_WAITS)
		return;
	name = awaited(seen & ~POSH__LOCK_WAITS);
	if (shared->dead[name & 0xffff].name != name)
		return;
	since = shared->dead[name & 0xffff].since;
	if (mourning.name != name)
		mourning.ns = 0;
	mourning.name = name;
	t = clock_ns() - (from < since ? since : from);
	mourning.ns += t < most ? t : most;
	if (mourning.ns > shared->slept)
		shared->slept = mourning.ns;
}

static void
seldom(struct graph *g, struct thread *t, unsigned what)
{
	switch (what) {
	case 0:
		if (posh_heap_check(heap, note, NULL) >= 0)
			shared->checks++;
		break;
	case 1:
		posh_heap_reap(heap);
		break;
	case 2:
		if (posh_heap_collect(heap) >= 0)
			shared->collections++;
		break;
	case 3:
		fork_step(g);
		break;
	case 4:
		/* Of the thread that keeps the log, it would be an end as good
		 * as any, but there is one exec for all threads. */
		if (t->number == 0)
			break;
		shared->away[t->index] = true;
		shared->execs++;
		actor_exec_self("-x");
		_exit(4);
	default:
		graph_circle(g);
		shared->circles++;
	}
}

static void
step(struct graph *g, struct thread *t, posh_handle list)
{
	unsigned r = (unsigned)(graph_random(g) >> 40) % SELDOM;

	if (r % 2 == 0 && r < 16)
		seldom(g, t, r / 2);
	else if (t->number == 0 && r & 1)
		own_step(g, t, list);
	else
		graph_step(g);
}

/* Let the killer know who this thread is. */
static void
sign(const struct thread *t)
{
	struct posh__self *self;

	if (posh__self(heap, &self))
		return;
	shared->dead[self->name & 0xffff].name = 0;
	shared->thread[t->index][t->number].name = self->name;
}

static void *
work(void *arg)
{
	struct thread *t = arg;
	struct graph g;
	posh_handle list = {0};

	graph_join(&g, heap, t->seed + (uint64_t)t->number);
	sign(t);
	if (t->number == 0) {
		list = own_list(t->index);
		if (!list_is(list, &t->model))
			note("a list is not as it was left", NULL);
	}
	for (;;) {
		mourning.ns = 0;
		step(&g, t, list);
		shared->thread[t->index][t->number].steps++;
		if (g.wrong) {
			note(g.what, NULL);
			g.wrong = 0;
		}
	}
	return NULL;
}

static void
worker_main(int index, uint64_t seed, int log)
{
	static struct thread thread[THREADS];
	pthread_t id;
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	posh__slept = after_sleep;
	for (i = THREADS - 1; i >= 0; i--) {
		thread[i] = (struct thread){index, i, seed, worker[index].after,
					    log};
		if (i && pthread_create(&id, NULL, work, &thread[i]))
			_exit(4);
	}
	work(&thread[0]);
}

/*
 * The killer
 */

static void
start(int i)
{
	struct worker *w = &worker[i];
	uint64_t seed = graph_random(&dice);
	int end[2], j;

	shared->away[i] = false;
	for (j = 0; j < THREADS; j++)
		shared->thread[i][j].name = 0;
	if (pipe2(end, O_CLOEXEC))
		give_up(strerror(errno));
	posh_fork_arm();
	w->pid = fork();
	if (w->pid < 0)
		give_up(strerror(errno));
	if (w->pid == 0) {
		close(end[0]);
		worker_main(i, seed, end[1]);
	}
	w->killed = false;
	close(end[1]);
	fcntl(end[0], F_SETFL, O_NONBLOCK);
	w->log = end[0];
	restarts++;
}

static void
start_all(void)
{
	int i;

	/* The heap may be full later. */
	for (i = 0; i < nworkers; i++)
		posh_object_drop(heap, own_list(i));
	for (i = 0; i < nworkers; i++)
		start(i);
}

/* Read what the worker said. */
static void
follow(struct worker *w)
{
	struct record r[64];
	ssize_t n;
	size_t i;

	while ((n = read(w->log, r, sizeof(r))) > 0)
		for (i = 0; i < (size_t)n / sizeof(r[0]); i++) {
			if (r[i].op == DONE)
				w->before = w->after;
			else if (r[i].op == UNDONE)
				w->after = w->before;
			else
				model_apply(&w->after, &r[i]);
		}
}

/* The worker is dead: its list is as before or as after. */
static void
settle(int i)
{
	struct worker *w = &worker[i];
	char text[100];
	posh_handle list = own_list(i);

	follow(w);
	close(w->log);
	if (list_is(list, &w->after)) {
		w->before = w->after;
	} else if (list_is(list, &w->before)) {
		w->after = w->before;
	} else {
		snprintf(text, sizeof(text),
			 "list %d is neither as before nor as after", i);
		violated(text);
		posh_list_delete(heap, list, 0, SIZE_MAX);
		w->before.n = w->after.n = 0;
	}
	posh_object_drop(heap, list);
}

static void
destroy(int i)
{
	if (worker[i].killed)
		return;
	kill(worker[i].pid, SIGKILL);
	worker[i].killed = true;
	kills++;
}

/* Wait for the end of one that was killed, or with WNOHANG just look. */
static bool
bury(int i, int how)
{
	char text[100];
	int status = 0;

	if (waitpid(worker[i].pid, &status, how) != worker[i].pid)
		return false;
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
		snprintf(text, sizeof(text), "a worker ended with status %#x",
			 (unsigned)status);
		violated(text);
	}
	settle(i);
	return true;
}

/* Choose who is spared from now on. */
static void
spare(void)
{
	spared.index = (int)(graph_random(&dice) % (unsigned)nworkers);
	spared.bereft = false;
}

/* Has the one that is spared begun and ended a step since the last death, in
 * each thread?  Or will it never again? */
static bool
is_over_it(void)
{
	int j;

	if (shared->away[spared.index])
		return true;
	for (j = 0; j < THREADS; j++)
		if (shared->thread[spared.index][j].steps < spared.steps[j] + 2)
			return false;
	return spared.bereft;
}

/* Wait until one that was killed is dead, and tell the others. */
static void
mourn(int i)
{
	siginfo_t info;
	int j;

	waitid(P_PID, (id_t)worker[i].pid, &info, WEXITED | WNOWAIT);
	for (j = 0; j < THREADS; j++) {
		uint32_t name = shared->thread[i][j].name;

		shared->dead[name & 0xffff].since = clock_ns();
		shared->dead[name & 0xffff].name = name;
		spared.steps[j] = shared->thread[spared.index][j].steps;
	}
	spared.bereft = true;
}

static uint64_t
all_steps(void)
{
	uint64_t n = 0;
	int i;

	for (i = 0; i < WORKERS * THREADS; i++)
		n += shared->thread[i / THREADS][i % THREADS].steps;
	return n;
}

/* A worker that is alive makes steps.  On a machine that is busy elsewhere all
 * of them are slow: so others' steps are the clock, as long as there are any.
 */
static void
watch(bool restart)
{
	static struct {
		uint64_t steps, all;
		int64_t since;
	} last[WORKERS][THREADS];
	uint64_t all = all_steps();
	int64_t now = clock_ns(), ns;
	int i, j;

	for (i = 0; i < nworkers; i++)
		for (j = 0; j < THREADS; j++) {
			uint64_t steps = shared->thread[i][j].steps;

			ns = now - last[i][j].since;
			if (!restart && !worker[i].killed && !shared->away[i] &&
			    steps == last[i][j].steps) {
				if (ns < HUNG * INT64_C(1000000000) ||
				    (all - last[i][j].all < OTHERS &&
				     ns < ALL_HUNG * INT64_C(1000000000) *
						     tap_slow()))
					continue;
				tap_note("worker %d, pid %ld, thread %d: %ld "
					 "ms, %ld steps of others",
					 i, (long)worker[i].pid, j,
					 (long)(ns / 1000000),
					 (long)(all - last[i][j].all));
				violated("a thread hangs");
				if (getenv("POSH_KEEP"))
					kill(0, SIGSTOP); /* it may go on */
			}
			last[i][j].steps = steps;
			last[i][j].all = all;
			last[i][j].since = now;
		}
}

static void
strike(void)
{
	unsigned others = (unsigned)nworkers - 1;
	int i = (spared.index + 1 + (int)(graph_random(&dice) % others)) %
		nworkers;
	pid_t pid = worker[i].pid;
	uint64_t r = graph_random(&dice);

	if (worker[i].killed)
		return;
	if (r % 8 == 0) {
		kill(pid, SIGSTOP);
		stops++;
		clock_sleep((int64_t)(r >> 8) % 10000000);
		if (r & 16) {
			kill(pid, SIGCONT);
			return;
		}
	}
	destroy(i);
	mourn(i);
}

static bool
is_empty(void)
{
	struct posh_stats st;
	int64_t rc = posh_heap_reap(heap);

	if (rc >= 0)
		rc = posh_heap_collect(heap);
	if (posh_heap_stats(heap, &st, sizeof(st)))
		return false;
	if (rc >= 0 && st.live_bytes == empty && st.members == 1 &&
	    !st.suspects)
		return true;
	tap_note("collect %d: %llu live bytes of %llu, %u members, %llu "
		 "suspects",
		 (int)rc, (unsigned long long)st.live_bytes,
		 (unsigned long long)empty, st.members,
		 (unsigned long long)st.suspects);
	return false;
}

/* Children of workers die with these, or soon. */
static void
bury_orphans(void)
{
	int64_t until =
		clock_ns() + ALL_HUNG * INT64_C(1000000000) * tap_slow();
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0) {
		if (pid)
			continue;
		if (clock_ns() > until) {
			violated("a worker's child hangs");
			return;
		}
		clock_sleep(100000);
	}
}

/* Kill all at once; see what they left; begin again. */
static void
generation(bool last)
{
	static long kills_before, forks_before;
	struct posh_stats st;
	struct graph g;
	int i;

	for (i = 0; i < nworkers; i++)
		destroy(i);
	for (i = 0; i < nworkers; i++)
		bury(i, 0);
	bury_orphans();
	if (posh_heap_check(heap, tell, NULL) < 0)
		violated("the check gave up");
	posh_heap_stats(heap, &st, sizeof(st));
	/* A child has one thread. */
	if (st.suspects > THREADS * (uint64_t)(kills - kills_before) +
				  (uint64_t)(shared->forks - forks_before))
		violated("more suspects than killed threads");
	kills_before = kills;
	forks_before = shared->forks;
	graph_join(&g, heap, 1);
	graph_visit(&g);
	if (g.wrong)
		violated(g.what);
	if (last || generations++ % 2) {
		graph_clear(heap);
		posh_dict_clear(heap, posh_heap_place(heap, POSH_TICKETS));
		memset(worker, 0, sizeof(worker));
		if (!is_empty())
			violated("the heap is not as it was");
	}
	if (!last)
		start_all();
	spare();
	watch(true);
}

/* Has all happened that workers do seldom? */
static bool
has_all(void)
{
	return shared->checks && shared->collections && shared->forks &&
	       shared->execs && shared->circles;
}

static void
soak(int64_t until)
{
	int64_t end = until + MORE * INT64_C(1000000000);
	bool due = false;
	int i;

	start_all();
	spare();
	watch(true);
	while (clock_ns() < (has_all() ? until : end) && violations < 10) {
		clock_sleep((int64_t)(graph_random(&dice) >> 8) % 2000000);
		for (i = 0; i < nworkers; i++) {
			follow(&worker[i]);
			if (bury(i, WNOHANG))
				start(i);
		}
		strike();
		watch(false);
		due |= graph_random(&dice) % GENERATION == 0;
		if (is_over_it()) {
			spare();
			if (due)
				generation(false);
			due = false;
		}
		if (shared->wrong) {
			violated(shared->what);
			shared->wrong = 0;
		}
	}
	generation(true);
}

static void
make_heap(uint64_t max_size)
{
	struct posh_options opts = {sizeof(opts), max_size, 0, 0};
	struct posh_stats st;
	struct graph g;
	int rc = posh_heap_create(&opts, &heap);

	if (rc)
		give_up(posh_error_text(rc));
	graph_join(&g, heap, 1);
	posh_heap_stats(heap, &st, sizeof(st));
	empty = st.live_bytes;
}

int
main(int argc, char **argv)
{
	long seconds = tap_soak() ? tap_soak() : 5;
	uint64_t seed = (uint64_t)clock_ns(), steps;
	int c;

	while ((c = getopt(argc, argv, "s:t:w:x")) != -1) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 't')
			seconds = atol(optarg);
		else if (c == 'w')
			nworkers = atoi(optarg);
		else if (c == 'x') /* who called exec, until it is killed */
			for (;;)
				pause();
	}
	if (nworkers < 2 || nworkers > WORKERS)
		return 2;
	tap_note("seed %llu", (unsigned long long)seed);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	dice.random = seed;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* With room, and with hardly any. */
	make_heap(512 << 20);
	soak(clock_ns() + seconds * INT64_C(700000000));
	posh_heap_close(heap);
	make_heap(4 << 20);
	soak(clock_ns() + seconds * INT64_C(300000000));
	posh_heap_close(heap);
	steps = all_steps();
	tap_note("%ld kills survived, %ld restarts, %ld violations", kills,
		 restarts, violations);
	tap_note("%ld stops; by workers %ld forks, %ld execs, %ld checks, "
		 "%ld collections, %ld circles",
		 stops, shared->forks, shared->execs, shared->checks,
		 shared->collections, shared->circles);
	tap_note("%llu steps", (unsigned long long)steps);
	ok(!violations, "%ld kills, %ld violations", kills, violations);
	ok(shared->slept <= LATE * INT64_C(1000000) * tap_slow(),
	   "no step slept more than %u ms for a dead one, but %ld us",
	   LATE * tap_slow(), (long)(shared->slept / 1000));
	ok(kills > 10 * seconds && steps > 1000 * (uint64_t)seconds,
	   "the storm was one");
	ok(has_all(), "the workers checked, collected, forked, called exec "
		      "and left circles behind");
	return tap_done();
}

/* SPDX-License-Identifier: MIT */
/* posh_heap_check while others work, wait, have stopped, or have just died: it
 * has nothing to say, or gives up on who stopped in the middle of a write. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "attach.h"
#include "clock.h"
#include "graph.h"
#include "posh.h"
#include "tap.h"

static posh_heap *heap;
static posh_handle list;
static int said;

static void
tell(const char *what, void *arg)
{
	(void)arg;
	if (said++ < 3)
		tap_note("%s", what);
}

static int
check(void)
{
	said = 0;
	return posh_heap_check(heap, tell, NULL);
}

static posh_handle
make_list(const char *name)
{
	struct posh_value k = posh_utf8(name, strlen(name));
	struct posh_value v = posh_fresh(POSH_KIND_LIST);

	if (posh_dict_set(heap, posh_heap_place(heap, POSH_ROOT), &k, &v) < 0)
		abort();
	return v.object;
}

/*
 * At work
 */

enum { WORKERS = 3, CHECKS = 60, DEATHS = 20 };

static int
works(struct actor *me, void *arg)
{
	struct graph g;

	graph_join(&g, heap, (uintptr_t)arg);
	actor_say(me, 'r');
	while (!g.wrong)
		graph_step(&g);
	return 1;
}

static void
at_work(void)
{
	struct actor a[WORKERS];
	int i, bad = 0, late = 0, rc;

	for (i = 0; i < WORKERS; i++) {
		actor_start(&a[i], ACTOR_ARMED, works, (void *)(intptr_t)i);
		actor_hear(&a[i]);
	}
	for (i = 0; i < CHECKS; i++) {
		rc = check();
		late += rc == -ETIMEDOUT; /* nobody ran it for a second */
		bad += rc && rc != -ETIMEDOUT;
		clock_sleep(200000);
	}
	ok(!bad && late < CHECKS, "%d processes work: %d checks are clean",
	   WORKERS, CHECKS - late);
	for (i = bad = 0; i < DEATHS; i++) {
		struct actor *x = &a[i % WORKERS];

		actor_kill(x);
		if (i % 2)
			actor_end(x); /* or it is a zombie yet */
		rc = check();
		bad += rc && rc != -ETIMEDOUT;
		if (!(i % 2))
			actor_end(x);
		actor_start(x, ACTOR_ARMED, works, (void *)(intptr_t)(9 + i));
		actor_hear(x);
	}
	ok(!bad, "so are those just after %d deaths", DEATHS);
	for (i = 0; i < WORKERS; i++) {
		actor_kill(&a[i]);
		actor_end(&a[i]);
	}
	ok(check() == 0, "and the last");
}

/*
 * Holding, waiting
 */

static int
waits(struct actor *me, void *arg)
{
	struct posh_value v = posh_utf8("owned while it waits", 20);

	(void)arg;
	actor_say(me, 'r');
	return posh_list_append(heap, list, &v) ? 1 : 0;
}

/* Does anybody wait for a monitor? */
static bool
somebody_waits(void)
{
	uint32_t tid;

	for (tid = 1; tid < heap->hdr->threads_high; tid++)
		if (posh__load(&posh__thread_at(heap, tid)->waits))
			return true;
	return false;
}

static void
waiting(void)
{
	struct actor a;
	int rc;

	posh_object_lock(heap, list, -1);
	actor_start(&a, ACTOR_ARMED, waits, NULL);
	actor_hear(&a);
	while (!somebody_waits())
		clock_sleep(100000);
	rc = check();
	ok(rc == 0, "a process waits for our monitor, with a value of its own");
	posh_object_unlock(heap, list);
	ok(actor_end(&a) == 0 && check() == 0, "it gets it");
}

static int
stops_with(struct actor *me, void *arg)
{
	posh_handle fresh;

	(void)arg;
	if (posh_list_new(heap, &fresh) || posh_object_lock(heap, list, -1))
		return 1;
	actor_say(me, 'r');
	raise(SIGSTOP);
	return posh_object_unlock(heap, list) ? 1 : 0;
}

static void
stopped(void)
{
	struct actor a;
	int status;

	actor_start(&a, ACTOR_ARMED, stops_with, NULL);
	actor_hear(&a);
	waitpid(a.pid, &status, WUNTRACED);
	ok(WIFSTOPPED(status) && check() == 0,
	   "a process has stopped, with a hold and inside a monitor");
	kill(a.pid, SIGCONT);
	ok(actor_end(&a) == 0 && check() == 0, "it goes on");
}

/*
 * In the middle of something
 */

static struct actor *self_actor;
static const char *const *steps; /* to stop at */

/* Say that we are here, and wait until we may go on. */
static void
at_step(const char *name)
{
	size_t i;

	for (i = 0; steps[i]; i++)
		if (!strncmp(name, steps[i], strlen(steps[i]))) {
			actor_say(self_actor, 's');
			actor_hear(self_actor);
		}
}

static int
writes(struct actor *me, void *arg)
{
	static const char *const append[] = {"list.6", NULL};
	struct posh_value v = posh_utf8("a text that is appended", 23);

	(void)arg;
	self_actor = me;
	steps = append;
	posh__step = at_step;
	posh_list_append(heap, list, &v);
	posh__step = NULL;
	actor_say(me, 'e');
	return 0;
}

static void
inside_a_write(void)
{
	struct actor a;
	int rc;

	actor_start(&a, ACTOR_ARMED, writes, NULL);
	if (actor_hear(&a) != 's')
		abort();
	rc = check();
	ok(rc == -ETIMEDOUT, "one inside a write: the check gives up");
	actor_say(&a, 'g');
	if (actor_hear(&a) != 'e')
		abort();
	actor_end(&a);
	ok(check() == 0, "when it has gone on all is in order");
}

/* So many holds that the table grows twice. */
enum { MANY = 13000 };

static posh_handle many;

static int
reads(struct actor *me, void *arg)
{
	static const char *const growth[] = {"span.", "grow.", "hold.6",
					     "hold.7", NULL};
	struct posh_value *v;

	(void)arg;
	self_actor = me;
	steps = growth;
	posh__step = at_step;
	if (posh_list_snapshot(heap, many, &v, NULL) != MANY)
		return 1;
	posh__step = NULL;
	actor_say(me, 'e');
	actor_hear(me);
	return 0;
}

/* Nobody looks dead. */
static bool
all_alive(struct posh_heap *h, uint32_t member, bool *answer)
{
	(void)h;
	(void)member;
	*answer = false;
	return true;
}

/* Look at each step; at step n (from 1 on) kill it, and look again: as long
 * as nobody knows, and when somebody does.  False: it had not as many. */
static bool
watch(long n, long *looks, int *bad)
{
	struct actor a;
	char c;
	long k;

	actor_start(&a, ACTOR_ARMED, reads, NULL);
	for (k = 1; (c = actor_hear(&a)) == 's' && k != n; k++) {
		if (!n) {
			(*looks)++;
			*bad += check() != 0;
		}
		actor_say(&a, 'g');
	}
	if (c == 's' || n < 2) {
		if (c == 's')
			actor_kill(&a);
		posh__dead_hook = all_alive;
		*bad += check() != 0;
		posh__dead_hook = NULL;
		(*looks)++;
	}
	if (c == 'e')
		actor_say(&a, 'g');
	actor_end(&a);
	*bad += check() != 0;
	return c == 's';
}

static void
inside_a_read(void)
{
	struct posh_value v[1000];
	long n, looks = 0;
	int bad = 0, i;

	for (i = 0; i < 1000; i++)
		v[i] = posh_fresh(POSH_KIND_LIST);
	many = make_list("many");
	for (i = 0; i < MANY; i += 1000)
		if (posh_list_extend(heap, many, v, 1000))
			abort();
	watch(0, &looks, &bad);
	ok(!bad && looks > 15,
	   "a reader's table of holds grows: %ld looks find nothing", looks);
	looks = 0;
	for (n = 1; watch(n, &looks, &bad); n++)
		;
	ok(!bad && looks > 15, "nor do %ld after its death in that", looks);
}

int
main(void)
{
	struct posh_options o = {sizeof(o), 64 << 20, 0, 0};

	alarm(250);
	if (posh_heap_create(&o, &heap))
		abort();
	list = make_list("list");
	waiting();
	stopped();
	inside_a_write();
	inside_a_read();
	at_work();
	ok(check() == 0, "the heap is in order");
	posh_heap_close(heap);
	return tap_done();
}

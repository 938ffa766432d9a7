/* SPDX-License-Identifier: MIT */
/* Threads that end in a process that lives: what they had goes on. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "actor.h"
#include "attach.h"
#include "posh.h"
#include "roster.h"
#include "tap.h"

#define MIB (UINT64_C(1) << 20)

static posh_heap *heap;
static posh_handle root;
static int result; /* of the call that the thread was cancelled in */

static int
call(void)
{
	int rc = posh_object_lock(heap, root, 1000000000);

	return rc ? rc : posh_object_unlock(heap, root);
}

/* With a cancellation pending: the first point of one ends the thread. */
static void *
grows_cancelled(void *arg)
{
	struct posh_value k = posh_utf8("large", 5), v;
	static char data[6 * MIB];

	(void)arg;
	v = posh_bytes(data, sizeof(data));
	pthread_cancel(pthread_self());
	result = posh_dict_set(heap, root, &k, &v);
	pthread_testcancel();
	return NULL;
}

static void *
makes_cancelled(void *arg)
{
	struct posh_options o = {sizeof(o), MIB, 0, 0};
	posh_heap *h;

	(void)arg;
	pthread_cancel(pthread_self());
	result = posh_heap_create(&o, &h);
	if (!result)
		posh_heap_close(h);
	pthread_testcancel();
	return NULL;
}

static void *
reaps_cancelled(void *arg)
{
	(void)arg;
	pthread_cancel(pthread_self());
	result = posh_heap_reap(heap);
	pthread_testcancel();
	return NULL;
}

static void *
leaves_inside(void *arg)
{
	(void)arg;
	result = posh_object_lock(heap, root, -1);
	pthread_exit(NULL);
}

static void *
run(void *(*f)(void *))
{
	pthread_t t;
	void *out = NULL;

	result = -1;
	if (pthread_create(&t, NULL, f, NULL) || pthread_join(t, &out))
		abort();
	return out;
}

static void
cancelled(void)
{
	unsigned before = roster_threads(heap);
	struct posh_value k = posh_utf8("large", 5);
	struct actor a;

	ok(run(grows_cancelled) == PTHREAD_CANCELED && result == 1,
	   "a thread is cancelled behind the growth that it is in");
	ok(call() == 0 && posh_dict_pop(heap, root, &k, NULL) == 0,
	   "what it stored is there, and nothing is locked");
	ok(run(makes_cancelled) == PTHREAD_CANCELED && result == 0,
	   "and behind the making of a heap, and its closing");
	actor_start(&a, ACTOR_ARMED, actor_stays, NULL);
	actor_hear(&a);
	actor_kill(&a);
	actor_end(&a);
	ok(run(reaps_cancelled) == PTHREAD_CANCELED && result == 1 &&
		   roster_members(heap) == 1,
	   "and behind a recovery");
	ok(roster_threads(heap) == before, "their entries are given back");
}

static void
exits_inside(void)
{
	unsigned before = roster_threads(heap);

	run(leaves_inside);
	ok(result == 0 && call() == 0,
	   "a thread that ends inside a monitor opens it");
	ok(roster_threads(heap) == before, "and gives its entry back");
}

/* No destructor runs, and the kernel tells nobody. */
static void *
vanishes(void *arg)
{
	(void)arg;
	result = posh_object_lock(heap, root, -1);
	syscall(SYS_exit, 0);
	return NULL;
}

static int
has_vanished(struct actor *me, void *arg)
{
	(void)arg;
	run(vanishes);
	actor_say(me, result ? 'x' : 'r');
	actor_hear(me);
	return 0;
}

static void
vanished(void)
{
	unsigned before = roster_threads(heap);
	struct actor a;

	actor_start(&a, ACTOR_ARMED, has_vanished, NULL);
	ok(actor_hear(&a) == 'r' &&
		   posh_object_lock(heap, root, 20000000) == -ETIMEDOUT,
	   "a thread that ends without a destructor counts as a stopped one");
	actor_kill(&a);
	actor_end(&a);
	ok(call() == 0, "until its process ends");
	roster_reap(heap);
	ok(roster_threads(heap) == before, "which gives back all of it");
}

static pthread_barrier_t inside, leave;

static void *
holds_monitor(void *arg)
{
	(void)arg;
	result = posh_object_lock(heap, root, -1);
	pthread_barrier_wait(&inside);
	pthread_barrier_wait(&leave);
	result |= posh_object_unlock(heap, root);
	return NULL;
}

static int
alone_here(struct actor *me, void *arg)
{
	int rc = 0;

	(void)arg;
	if (posh_object_unlock(heap, root) != -EPERM)
		rc |= 1;
	if (posh_object_lock(heap, root, 0) != -ETIMEDOUT)
		rc |= 2;
	if (heap->selves == NULL || heap->selves->next != NULL)
		rc |= 4;
	actor_say(me, 'r');
	actor_hear(me);
	if (call())
		rc |= 8;
	return rc;
}

static void
forks_beside(void)
{
	struct actor a;
	pthread_t t;
	int rc;

	pthread_barrier_init(&inside, NULL, 2);
	pthread_barrier_init(&leave, NULL, 2);
	pthread_create(&t, NULL, holds_monitor, NULL);
	pthread_barrier_wait(&inside);
	actor_start(&a, ACTOR_ARMED, alone_here, NULL);
	actor_hear(&a);
	ok(posh_object_lock(heap, root, 0) == -ETIMEDOUT,
	   "the monitor of a thread stays its own when another one forks");
	pthread_barrier_wait(&leave);
	pthread_join(t, NULL);
	ok(result == 0, "and it leaves it");
	actor_say(&a, 'g');
	rc = actor_end(&a);
	ok(rc == 0,
	   "in the child the thread that forked is the only one, and is "
	   "inside nothing (%d)",
	   rc);
	roster_reap(heap);
}

int
main(void)
{
	struct posh_options o = {sizeof(o), 64 * MIB, 0, 0};

	tap_limit(60);
	if (posh_heap_create(&o, &heap))
		abort();
	root = posh_heap_place(heap, POSH_ROOT);
	cancelled();
	exits_inside();
	vanished();
	forks_beside();
	ok(posh_heap_check(heap, NULL, NULL) == 0, "the heap is in order");
	posh_heap_close(heap);
	return tap_done();
}

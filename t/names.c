/* SPDX-License-Identifier: MIT */
/* A damaged heap whose locks name a thread that is yet to come: when it is
 * there, nobody waits for it. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actor.h"
#include "attach.h"
#include "clock.h"
#include "lock.h"
#include "posh.h"
#include "tap.h"

enum { LIMIT = 20 };

static char path[2100];
static posh_heap *heap;

static posh_handle
list_of(posh_heap *h)
{
	struct posh_value k = posh_utf8("list", 4), v;

	if (posh_dict_get(h, posh_heap_place(h, POSH_ROOT), &k, &v))
		abort();
	posh_object_drop(h, v.object);
	return v.object;
}

static int
leaves_a_list(struct actor *me, void *arg)
{
	struct posh_options o = {sizeof(o), 64 << 20, 0, POSH_CREATE};
	struct posh_value k = posh_utf8("list", 4);
	struct posh_value v = posh_fresh(POSH_KIND_LIST), one = posh_int(1);

	(void)me;
	(void)arg;
	if (posh_heap_open(path, &o, &heap) ||
	    posh_dict_set(heap, posh_heap_place(heap, POSH_ROOT), &k, &v) < 0 ||
	    posh_list_append(heap, list_of(heap), &one))
		return 1;
	posh_heap_close(heap);
	return 0;
}

/*
 * The file of a heap that nobody has open
 */

static void
file_read(void *to, size_t size, uint64_t at)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0 || pread(fd, to, size, (off_t)at) != (ssize_t)size)
		abort();
	close(fd);
}

static void
file_write(const void *from, size_t size, uint64_t at)
{
	int fd = open(path, O_RDWR);

	if (fd < 0 || pwrite(fd, from, size, (off_t)at) != (ssize_t)size)
		abort();
	close(fd);
}

/* What the next process to open it will be called. */
static uint32_t
next_name(void)
{
	struct posh__header hdr;
	struct posh__thread t;

	file_read(&hdr, sizeof(hdr), 0);
	file_read(&t, sizeof(t), hdr.threads_off + sizeof(t));
	return POSH__THREAD_GEN(t.state) << 16 | 1;
}

static void
in_gate(uint64_t name)
{
	file_write(&name, 8, offsetof(struct posh__header, gate));
}

static void
in_gate_lock(uint64_t name)
{
	file_write(&name, 4, offsetof(struct posh__header, gate_lock));
}

static void
in_grow_lock(uint64_t name)
{
	file_write(&name, 4, offsetof(struct posh__header, grow_lock));
}

/* Of the second member. */
static void
in_reaper(uint64_t name)
{
	struct posh__header hdr;

	file_read(&hdr, sizeof(hdr), 0);
	file_write(&name, 8,
		   hdr.members_off + sizeof(struct posh__member) +
			   offsetof(struct posh__member, reaper));
}

static const struct row {
	const char *what;
	void (*damage)(uint64_t name);
	uint64_t bits;
} rows[] = {
	{"the gate", in_gate, 0},
	{"the gate, with a bit more", in_gate, POSH__LOCK_WAITS},
	{"the gate, with bits beyond", in_gate, UINT64_C(7) << 32},
	{"the gate's lock", in_gate_lock, 0},
	{"the gate's lock, and others wait", in_gate_lock, POSH__LOCK_WAITS},
	{"growth's lock", in_grow_lock, 0},
	{"growth's lock, and others wait", in_grow_lock, POSH__LOCK_WAITS},
	{"the recovery of a member", in_reaper, 0},
};

/* The second process.  It dies inside a monitor. */
static int
dies_inside(struct actor *me, void *arg)
{
	posh_heap *h;

	(void)me;
	(void)arg;
	alarm(LIMIT);
	if (posh_heap_open(path, NULL, &h) ||
	    posh_object_lock(h, list_of(h), -1))
		return 1;
	raise(SIGKILL);
	return 0;
}

/* The third: writes, lets the heap grow, checks it. */
static int
uses_all(struct actor *me, void *arg)
{
	static char bytes[8 << 20];
	struct posh_value v = posh_bytes(bytes, sizeof(bytes));
	posh_heap *h;

	(void)me;
	(void)arg;
	alarm(LIMIT);
	if (posh_heap_open(path, NULL, &h) ||
	    posh_list_append(h, list_of(h), &v) ||
	    posh_heap_check(h, NULL, NULL))
		return 1;
	posh_heap_close(h);
	return 0;
}

static int
outcome(unsigned how, int (*f)(struct actor *me, void *arg))
{
	struct actor a;

	actor_start(&a, how, f, NULL);
	return actor_end(&a);
}

static void
nobody_waits(const struct row *r)
{
	uint32_t name;
	int second, third;

	unlink(path);
	if (outcome(ACTOR_STRAY, leaves_a_list))
		abort();
	name = next_name();
	r->damage(name | r->bits);
	if (posh_heap_open(path, NULL, &heap))
		abort();
	if (heap->selves->name != name)
		abort();
	second = outcome(ACTOR_STRAY, dies_inside);
	third = outcome(ACTOR_STRAY, uses_all);
	if (!ok(second == -SIGKILL && third == 0,
		"%s has a name, then a thread has it", r->what))
		tap_note("the second: %d, the third: %d", second, third);
	posh_heap_close(heap);
}

/*
 * Monitors
 */

static posh_handle list;

static int
gets_an_error(struct actor *me, void *arg)
{
	struct posh_value v = posh_int(2), out;

	(void)me;
	(void)arg;
	alarm(LIMIT);
	return posh_list_get(heap, list, 0, &out) != -EUCLEAN ||
	       posh_list_append(heap, list, &v) != -EUCLEAN ||
	       posh_object_lock(heap, list, 0) != -ETIMEDOUT ||
	       posh_object_lock(heap, list, -1) != -EUCLEAN;
}

static int
gets_in(struct actor *me, void *arg)
{
	struct posh_value out;

	alarm(LIMIT);
	actor_say(me, 'r');
	if (posh_object_lock(heap, list, -1) ||
	    posh_list_get(heap, list, 0, &out))
		return 1;
	(void)arg;
	return posh_object_unlock(heap, list);
}

static void
a_monitor(void)
{
	struct posh__object *o = posh__object(heap, list.off);
	struct posh_value v = posh_int(3);

	posh__half_store(&o->lock, heap->selves->name);
	posh__store(&o->seq, posh__load(&o->seq) | 1);
	ok(outcome(ACTOR_ARMED, gets_an_error) == 0,
	   "a monitor has a name, and its thread does not know: an error");
	ok(posh_list_append(heap, list, &v) == 0, "to the thread it is open");
	ok(outcome(ACTOR_ARMED, gets_in) == 0, "and then to others");
}

/* Inside of n others as well, for longer than a waiter needs to tell. */
static void
inside(int n)
{
	posh_handle o[2 * POSH__HELD];
	struct actor a;
	int i, rc;

	for (i = 0; i < n; i++)
		if (posh_list_new(heap, &o[i]) ||
		    posh_object_lock(heap, o[i], -1))
			abort();
	posh_object_lock(heap, list, -1);
	actor_start(&a, ACTOR_ARMED, gets_in, NULL);
	actor_hear(&a);
	clock_sleep(150000000);
	/* The last takes the place of each. */
	for (i = 0; i < n; i += 2) {
		clock_sleep(20000000);
		posh_object_unlock(heap, o[i]);
	}
	clock_sleep(150000000);
	posh_object_unlock(heap, list);
	rc = actor_end(&a);
	for (i = 1; i < n; i += 2)
		posh_object_unlock(heap, o[i]);
	for (i = 0; i < n; i++)
		posh_object_drop(heap, o[i]);
	if (!ok(rc == 0, "one inside of %d others too has it for long", n))
		tap_note("%d", rc);
}

static volatile bool over;

/* In and out, and never for long. */
static void *
busy(void *arg)
{
	struct posh_value v = posh_int(5);
	bool quick = arg != NULL;

	while (!over) {
		if (quick) {
			posh_list_set(heap, list, 0, &v);
			continue;
		}
		posh_object_lock(heap, list, -1);
		posh_object_unlock(heap, list);
	}
	return NULL;
}

static int
gets_in_often(struct actor *me, void *arg)
{
	int i, n = tap_brief() ? 3000 : 30000, rc = 0;

	(void)me;
	(void)arg;
	for (i = 0; i < n && rc == 0; i++) {
		rc = posh_object_lock(heap, list, -1);
		if (rc == 0)
			rc = posh_object_unlock(heap, list);
	}
	return -rc;
}

static void
in_and_out(void)
{
	pthread_t t[2];
	struct actor a[2];
	int i, rc;

	for (i = 0; i < 2; i++)
		actor_start(&a[i], ACTOR_ARMED, gets_in_often, NULL);
	for (i = 0; i < 2; i++)
		if (pthread_create(&t[i], NULL, busy, i ? path : NULL))
			abort();
	rc = actor_end(&a[0]) | actor_end(&a[1]);
	over = true;
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	ok(rc == 0, "of those who go in and out none is taken for no owner");
}

int
main(void)
{
	const char *tmp = getenv("POSH_TMP");
	size_t i;

	alarm(250);
	snprintf(path, sizeof(path), "%s/names-%ld.posh", tmp ? tmp : "/tmp",
		 (long)getpid());
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		nobody_waits(&rows[i]);
	if (posh_heap_open(path, NULL, &heap))
		abort();
	list = list_of(heap);
	a_monitor();
	inside(0);
	inside(6);
	inside(POSH__HELD + 4);
	in_and_out();
	ok(posh_heap_check(heap, NULL, NULL) == 0, "the heap is in order");
	posh_heap_close(heap);
	unlink(path);
	return tap_done();
}

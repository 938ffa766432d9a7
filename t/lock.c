/* SPDX-License-Identifier: MIT */
/* Monitors: recursion, waiting, owners that die, stop or wait in a circle. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "actor.h"
#include "attach.h"
#include "lock.h"
#include "posh.h"
#include "tap.h"

static posh_heap *heap;
static posh_handle one, two, three; /* three objects that are there */

/* What the processes of a test share besides the heap. */
static struct {
	volatile long count;
	volatile int deadlocks;
	volatile pid_t loser; /* who gave up last */
} * shared;

static posh_handle
handle(uint64_t off)
{
	posh_handle o = {off};

	return o;
}

static void
recursion(void)
{
	int i, rc = 0;

	ok(posh_object_unlock(heap, one) == -EPERM,
	   "nobody leaves a monitor without being inside");
	for (i = 0; i < 5; i++)
		rc |= posh_object_lock(heap, one, -1);
	ok(rc == 0, "a monitor is entered five times over");
	for (i = 0; i < 4; i++)
		rc |= posh_object_unlock(heap, one);
	ok(rc == 0 && posh_object_locked(heap, one),
	   "after four leaves the thread is still inside");
	ok(posh_object_unlock(heap, one) == 0 && !posh_object_locked(heap, one),
	   "after the fifth it is not");
	ok(posh_object_unlock(heap, one) == -EPERM, "there is no sixth");
}

static void
nonsense(void)
{
	static const uint64_t off[] = {0,
				       1,
				       8,
				       4096,
				       65536,
				       UINT64_C(1) << 40,
				       UINT64_C(1) << 47,
				       UINT64_MAX,
				       UINT64_MAX - 15};
	unsigned i, bad = 0;

	for (i = 0; i < sizeof(off) / sizeof(off[0]); i++)
		if (posh_object_lock(heap, handle(off[i]), 0) != -EINVAL)
			bad++;
	for (i = 1; i < 64; i++) {
		uint64_t near = one.off + i;

		if (near != two.off && near != three.off &&
		    posh_object_lock(heap, handle(near), 0) != -EINVAL)
			bad++;
	}
	ok(!bad, "what is no object has no monitor");
}

static void
sequence(void)
{
	struct posh__object *o = posh__object(heap, one.off);
	struct posh__self *self;
	uint64_t seq = posh__load(&o->seq);

	if (posh__enter_write(heap, &self) || posh__lock(self, one.off, -1))
		abort();
	posh__write_begin(self, one.off);
	ok(posh__load(&o->seq) == seq + 1, "a write makes the sequence odd");
	posh__write_end(self, one.off);
	ok(posh__load(&o->seq) == seq + 2, "and its end even");
	posh__lock(self, one.off, -1);
	posh__write_begin(self, one.off);
	posh__write_end(self, one.off);
	posh__unlock(self, one.off);
	ok(posh__load(&o->seq) == seq + 3,
	   "inside a monitor that is entered already it stays odd");
	posh__unlock(self, one.off);
	ok(posh__load(&o->seq) == seq + 4, "until the monitor is left");
	posh__leave(self);
}

/* A word with the name of a thread that was, whose entry is another's. */
static void
former_owner(void)
{
	struct posh__object *o = posh__object(heap, one.off);
	struct posh__self *self;

	if (posh__self(heap, &self))
		abort();
	posh__half_store(&o->lock, self->name + (1 << 16));
	posh__store(&o->seq, posh__load(&o->seq) | 1);
	ok(posh_object_lock(heap, one, -1) == 0 && !(o->seq & 1),
	   "the monitor of a thread that is not any more is taken over");
	posh_object_unlock(heap, one);
	posh__half_store(&o->lock, 0x7fff);
	ok(posh_object_lock(heap, one, -1) == 0,
	   "that of a thread that never was too");
	posh_object_unlock(heap, one);
}

/* Hold a monitor until told to let go. */
static int
holder(struct actor *me, void *arg)
{
	posh_handle *o = arg;

	if (posh_object_lock(heap, *o, -1))
		return 1;
	actor_say(me, 'l');
	actor_hear(me);
	return posh_object_unlock(heap, *o) != 0;
}

static int64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
timeouts(void)
{
	struct actor a;
	int64_t t;

	actor_start(&a, ACTOR_ARMED, holder, &one);
	actor_hear(&a);
	ok(posh_object_lock(heap, one, 0) == -ETIMEDOUT,
	   "a try fails while another process is inside");
	t = now();
	ok(posh_object_lock(heap, one, 30000000) == -ETIMEDOUT &&
		   now() - t >= 30000000,
	   "a timeout comes, and not too early");
	ok(!posh_object_locked(heap, one) &&
		   posh_object_unlock(heap, one) == -EPERM,
	   "who timed out is not inside");
	actor_say(&a, 'g');
	ok(posh_object_lock(heap, one, -1) == 0,
	   "the monitor comes when the other leaves");
	posh_object_unlock(heap, one);
	ok(actor_end(&a) == 0, "the other left in order");
}

/* Enter, make the sequence odd, and wait to be killed. */
static int
writer(struct actor *me, void *arg)
{
	posh_handle *o = arg;
	struct posh__self *self;

	if (posh__enter_write(heap, &self) || posh__lock(self, o->off, -1))
		return 1;
	posh__write_begin(self, o->off);
	actor_say(me, 'w');
	actor_hear(me);
	return 0;
}

static void
dead_owner(int (*f)(struct actor *, void *), bool reaped, const char *what)
{
	struct posh__object *o = posh__object(heap, one.off);
	uint64_t seq = posh__load(&o->seq);
	struct actor a;

	actor_start(&a, ACTOR_ARMED, f, &one);
	actor_hear(&a);
	actor_kill(&a);
	if (reaped)
		actor_end(&a);
	ok(posh_object_lock(heap, one, -1) == 0,
	   "the monitor of a dead process is taken over (%s)", what);
	ok(!(posh__load(&o->seq) & 1) &&
		   (f != writer || posh__load(&o->seq) > seq),
	   "its sequence is even and has not gone back (%s)", what);
	posh_object_unlock(heap, one);
	if (!reaped)
		actor_end(&a);
}

/* Say that we go to wait, and wait. */
static int
waiter(struct actor *me, void *arg)
{
	posh_handle *o = arg;
	int rc;

	actor_say(me, 'r');
	rc = posh_object_lock(heap, *o, -1);
	actor_say(me, 'l');
	posh_object_unlock(heap, *o);
	return rc != 0;
}

static void
owner_dies_with_sleepers(void)
{
	struct posh__object *o = posh__object(heap, one.off);
	struct actor a, b[3];
	unsigned i, bad = 0;

	actor_start(&a, ACTOR_ARMED, holder, &one);
	actor_hear(&a);
	for (i = 0; i < 3; i++) {
		actor_start(&b[i], ACTOR_ARMED, waiter, &one);
		actor_hear(&b[i]);
	}
	while (!(posh__half_load(&o->lock) & POSH__LOCK_WAITS))
		usleep(100);
	actor_kill(&a);
	for (i = 0; i < 3; i++)
		if (actor_hear(&b[i]) != 'l' || actor_end(&b[i]))
			bad++;
	ok(!bad, "three that slept get the monitor of the one that died");
	actor_end(&a);
}

static void
stopped_owner(void)
{
	struct actor a;
	uint32_t name;

	actor_start(&a, ACTOR_ARMED, holder, &one);
	actor_hear(&a);
	kill(a.pid, SIGSTOP);
	name = posh__half_load(&posh__object(heap, one.off)->lock);
	ok(posh_object_lock(heap, one, 20000000) == -ETIMEDOUT,
	   "the monitor of a stopped process is not taken over");
	ok((posh__half_load(&posh__object(heap, one.off)->lock) &
	    ~POSH__LOCK_WAITS) == name,
	   "it still names the stopped one");
	kill(a.pid, SIGCONT);
	actor_say(&a, 'g');
	ok(posh_object_lock(heap, one, -1) == 0 && actor_end(&a) == 0,
	   "it comes when that one goes on");
	posh_object_unlock(heap, one);
}

enum { TURNS = 20000 };

static int
counter(struct actor *me, void *arg)
{
	int i;

	(void)arg;
	actor_say(me, 'r');
	actor_hear(me);
	for (i = 0; i < TURNS; i++) {
		if (posh_object_lock(heap, one, -1))
			return 1;
		shared->count = shared->count + 1;
		if (posh_object_unlock(heap, one))
			return 1;
	}
	return 0;
}

static void
processes_count(void)
{
	struct actor a[2];
	int i, rc = 0;

	shared->count = 0;
	for (i = 0; i < 2; i++) {
		actor_start(&a[i], ACTOR_ARMED, counter, NULL);
		actor_hear(&a[i]);
	}
	for (i = 0; i < 2; i++)
		actor_say(&a[i], 'g');
	for (i = 0; i < 2; i++)
		rc |= actor_end(&a[i]);
	ok(rc == 0 && shared->count == 2 * TURNS,
	   "two processes count to %ld without losing one", shared->count);
}

static void *
counting_thread(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < TURNS; i++) {
		if (posh_object_lock(heap, one, -1))
			return (void *)"failed";
		shared->count = shared->count + 1;
		posh_object_unlock(heap, one);
	}
	return NULL;
}

static void
threads_count(void)
{
	pthread_t t[4];
	unsigned i, bad = 0;
	void *rc;

	shared->count = 0;
	for (i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, counting_thread, NULL);
	for (i = 0; i < 4; i++) {
		pthread_join(t[i], &rc);
		bad += rc != NULL;
	}
	ok(!bad && shared->count == 4 * TURNS,
	   "four threads count to %ld without losing one", shared->count);
}

static void *
private_thread(void *arg)
{
	posh__half *lock = arg;
	int i;

	for (i = 0; i < TURNS; i++) {
		long was;

		posh__private_lock(lock);
		was = shared->count;
		if (i % 64 == 0)
			sched_yield();
		shared->count = was + 1;
		posh__private_unlock(lock);
	}
	return NULL;
}

static void
private_lock(void)
{
	posh__half lock = 0;
	pthread_t t[4];
	int i;

	shared->count = 0;
	for (i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, private_thread, (void *)&lock);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	ok(shared->count == 4 * TURNS && lock == 0,
	   "four threads count under a private lock");
}

/* Take the first of two, and when told the second. */
static int
circling(struct actor *me, void *arg)
{
	posh_handle *o = arg;
	int rc;

	if (posh_object_lock(heap, o[0], -1))
		return 1;
	actor_say(me, 'l');
	actor_hear(me);
	rc = posh_object_lock(heap, o[1], -1);
	if (rc == -EDEADLK) {
		__sync_fetch_and_add(&shared->deadlocks, 1);
		shared->loser = getpid();
	} else if (rc || posh_object_unlock(heap, o[1])) {
		return 1;
	}
	return posh_object_unlock(heap, o[0]) != 0;
}

static void
circle(unsigned n)
{
	posh_handle o[3] = {one, two, three}, pair[3][2];
	struct actor a[3];
	unsigned i, rc = 0;

	shared->deadlocks = 0;
	for (i = 0; i < n; i++) {
		pair[i][0] = o[i];
		pair[i][1] = o[(i + 1) % n];
		actor_start(&a[i], ACTOR_ARMED, circling, pair[i]);
		actor_hear(&a[i]);
	}
	for (i = 0; i < n; i++)
		actor_say(&a[i], 'g');
	for (i = 0; i < n; i++)
		rc |= (unsigned)actor_end(&a[i]);
	ok(rc == 0 && shared->deadlocks == 1,
	   "of %u that wait in a circle one gives up (%d did)", n,
	   shared->deadlocks);
}

/* The one that gives up is the one with the highest entry, also if it waits
 * already. */
static void
circle_victim(void)
{
	posh_handle pair[2][2] = {{one, two}, {two, one}};
	posh__half *lock = &posh__object(heap, one.off)->lock;
	uint32_t first, second;
	struct actor a[2];
	int i, rc;

	shared->deadlocks = 0;
	for (i = 0; i < 2; i++) {
		actor_start(&a[i], ACTOR_ARMED, circling, pair[i]);
		actor_hear(&a[i]);
	}
	first = posh__half_load(lock) & 0xffff;
	second = posh__half_load(&posh__object(heap, two.off)->lock) & 0xffff;
	actor_say(&a[1], 'g');
	while (!(posh__half_load(lock) & POSH__LOCK_WAITS))
		sched_yield();
	actor_say(&a[0], 'g');
	rc = actor_end(&a[0]) | actor_end(&a[1]);
	ok(rc == 0 && second > first && shared->deadlocks == 1 &&
		   shared->loser == a[1].pid,
	   "the highest gives up, though it waited first");
}

/* The one in the circle that would have to give up is killed. */
static void
circle_broken_by_death(void)
{
	posh_handle pair[2][2] = {{one, two}, {two, one}};
	struct actor a[2];
	int i;

	shared->deadlocks = 0;
	for (i = 0; i < 2; i++) {
		actor_start(&a[i], ACTOR_ARMED, circling, pair[i]);
		actor_hear(&a[i]);
	}
	actor_say(&a[0], 'g');
	actor_kill(&a[1]);
	ok(actor_end(&a[0]) == 0 && shared->deadlocks == 0,
	   "who waits for a dead process has no deadlock");
	actor_end(&a[1]);
}

static int before_calls, after_calls, waiting_fd = -1;
static void *token;

static void *
before(void *arg)
{
	before_calls++;
	if (waiting_fd >= 0 && write(waiting_fd, "w", 1) < 0)
		abort();
	waiting_fd = -1;
	return arg;
}

static void
after(void *t, void *arg)
{
	after_calls++;
	token = t == arg ? t : NULL;
}

static void
on_signal(int n)
{
	(void)n;
}

/* Say through the hook that we wait, then report how it ended. */
static int
hooked(struct actor *me, void *arg)
{
	struct sigaction act;
	posh_handle *o = arg;
	int rc;

	memset(&act, 0, sizeof(act));
	act.sa_handler = on_signal;
	sigaction(SIGUSR1, &act, NULL);
	waiting_fd = me->to;
	posh_heap_wait_hooks(heap, before, after, &token);
	rc = posh_object_lock(heap, *o, -1);
	if (rc != -EINTR || !before_calls || before_calls != after_calls ||
	    token != &token)
		return 1;
	return posh_object_locked(heap, *o);
}

static void
interrupts(void)
{
	struct actor a;

	posh_object_lock(heap, one, -1);
	actor_start(&a, ACTOR_ARMED, hooked, &one);
	actor_hear(&a);
	/* Between the hook and the sleep a signal may slip by: more of them
	 * come, each sleep being short. */
	while (kill(a.pid, SIGUSR1) == 0 && usleep(2000) == 0) {
		siginfo_t info;

		memset(&info, 0, sizeof(info));
		if (waitid(P_PID, (id_t)a.pid, &info,
			   WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    info.si_pid)
			break;
	}
	ok(actor_end(&a) == 0,
	   "with hooks a signal ends the wait, and the hooks pair up");
	posh_object_unlock(heap, one);
}

static void *
early_signal(void *arg)
{
	if (!before_calls++)
		raise(SIGUSR1);
	return arg;
}

static int
hooked_early(struct actor *me, void *arg)
{
	posh_handle *o = arg;

	(void)me;
	signal(SIGUSR1, on_signal);
	posh_heap_wait_hooks(heap, early_signal, after, &token);
	return posh_object_lock(heap, *o, -1) != -EINTR;
}

static void
early_interrupt(void)
{
	struct actor a;

	posh_object_lock(heap, one, -1);
	actor_start(&a, ACTOR_ARMED, hooked_early, &one);
	ok(actor_end(&a) == 0, "so does one that comes just before the sleep");
	posh_object_unlock(heap, one);
}

static int
mutex_holder(struct actor *me, void *arg)
{
	struct posh__self *self;

	(void)arg;
	if (posh__enter_write(heap, &self))
		return 1;
	posh__mutex_lock(self, &heap->hdr->grow_lock);
	actor_say(me, 'l');
	actor_hear(me);
	return 0;
}

static void
dead_mutex(void)
{
	struct posh__self *self;
	struct actor a;

	actor_start(&a, ACTOR_ARMED, mutex_holder, NULL);
	actor_hear(&a);
	actor_kill(&a);
	if (posh__enter_write(heap, &self))
		return;
	posh__mutex_lock(self, &heap->hdr->grow_lock);
	ok((heap->hdr->grow_lock & ~POSH__LOCK_WAITS) == self->name,
	   "a lock of the heap is taken over from a dead process");
	posh__mutex_unlock(self, &heap->hdr->grow_lock);
	posh__leave(self);
	ok(heap->hdr->grow_lock == 0, "and is free afterwards");
	actor_end(&a);
}

int
main(void)
{
	tap_limit(60);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!ok(posh_heap_create(NULL, &heap) == 0, "a heap is made"))
		return tap_done();
	one = posh_heap_place(heap, POSH_ROOT);
	two = posh_heap_place(heap, POSH_CLASSES);
	three = posh_heap_place(heap, POSH_TICKETS);
	recursion();
	nonsense();
	sequence();
	former_owner();
	timeouts();
	dead_owner(holder, false, "a zombie");
	dead_owner(holder, true, "gone");
	dead_owner(writer, false, "a zombie, while writing");
	dead_owner(writer, true, "gone, while writing");
	owner_dies_with_sleepers();
	stopped_owner();
	processes_count();
	threads_count();
	private_lock();
	circle(2);
	circle(3);
	circle_victim();
	circle_broken_by_death();
	interrupts();
	early_interrupt();
	dead_mutex();
	posh_heap_close(heap);
	return tap_done();
}

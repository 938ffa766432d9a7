/* SPDX-License-Identifier: MIT */
/* Moments that only two threads or processes at once, a full heap, or long use
 * make: who holds what, and who gives what back. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "dict.h"
#include "gate.h"
#include "lock.h"
#include "posh.h"
#include "ref.h"
#include "tap.h"

enum { BIG = 100000 };

static char big[BIG];

static posh_heap *
heap_of(uint64_t max_size)
{
	struct posh_options opts = {sizeof(opts), max_size, 0, 0};
	posh_heap *h;

	if (posh_heap_create(&opts, &h))
		abort();
	return h;
}

static uint64_t
live_bytes(posh_heap *h)
{
	struct posh_stats st;

	if (posh_heap_stats(h, &st, sizeof(st)))
		abort();
	return st.live_bytes;
}

/* Append big values: n of them, or until one fails.  How many? */
static size_t
fill(posh_heap *h, posh_handle list, size_t n)
{
	struct posh_value v = posh_bytes(big, BIG);
	size_t i;

	for (i = 0; i < n && posh_list_append(h, list, &v) == 0; i++)
		;
	return i;
}

struct reading {
	posh_heap *h;
	posh_handle list;
	size_t n;
};

static int
read_for_ever(struct actor *me, void *arg)
{
	struct reading *r = arg;
	struct posh_value v;
	size_t i;

	actor_say(me, 'r');
	for (i = 0;; i++)
		posh_list_get(r->h, r->list, (int64_t)(i % r->n), &v);
	return 0;
}

/* What is replaced in a heap that is nearly full is free as soon as those
 * who are reading have finished a call. */
static void
test_full_while_read(void)
{
	struct reading r = {heap_of(4 << 20), {0}, 24};
	struct posh_value v = posh_bytes(big, BIG);
	struct actor a;
	int i, failed = 0;

	posh_list_new(r.h, &r.list);
	ok(fill(r.h, r.list, r.n) == r.n, "a heap is nearly full");
	actor_start(&a, ACTOR_ARMED, read_for_ever, &r);
	actor_hear(&a);
	for (i = 0; i < 300; i++)
		failed += posh_list_set(r.h, r.list, i % (int)r.n, &v) != 0;
	ok(!failed,
	   "its values are replaced while another reads them: "
	   "%d of 300 failed",
	   failed);
	actor_kill(&a);
	actor_end(&a);
	posh_heap_close(r.h);
}

static int
fill_and_wait(struct actor *me, void *arg)
{
	struct reading *r = arg;
	posh_handle list;

	posh_list_new(r->h, &list);
	fill(r->h, list, SIZE_MAX);
	actor_say(me, 'f');
	actor_hear(me);
	return 0;
}

/* Who needs memory recovers the dead. */
static void
test_full_of_the_dead(void)
{
	struct reading r = {heap_of(4 << 20), {0}, 0};
	struct actor a;

	posh_list_new(r.h, &r.list);
	actor_start(&a, ACTOR_ARMED, fill_and_wait, &r);
	actor_hear(&a);
	ok(fill(r.h, r.list, 1) == 0, "a process has filled the heap");
	actor_kill(&a);
	actor_end(&a);
	ok(fill(r.h, r.list, 20) == 20, "its memory is free when it is dead");
	posh_heap_close(r.h);
}

/* The state of this process's entry of an object; 0: there is none. */
static void
look(uint64_t object, unsigned state, void *arg)
{
	uint64_t *want = arg;

	if (object == want[0])
		want[1] = state;
}

static unsigned
state_of(posh_heap *h, uint64_t object)
{
	uint64_t want[2] = {object, 0};

	posh__holds_each(h, h->member, look, want);
	return (unsigned)want[1];
}

/* A thread enters a hold of what has died; another makes a new object of the
 * same block; the first gives up. */
static void
test_late_reader(void)
{
	posh_heap *h = heap_of(64 << 20);
	struct posh__self *self;
	uint64_t block;
	posh_handle o;

	posh_list_new(h, &o);
	posh_object_drop(h, o);
	posh__enter_write(h, &self);
	posh__hold_enter(self, o.off);
	posh__hold_alloc(self, sizeof(struct posh__object), &block);
	ok(block == o.off, "a block is used again while a late reader is at "
			   "it");
	posh__hold_cancel(self, block);
	ok(POSH__STATE(posh__load(posh__block_word(h, block))) == POSH__LIVE &&
		   state_of(h, block) != 0,
	   "the late reader does not take the new object's hold away");
	posh__hold_confirm(self, block);
	posh__drop(self, block);
	ok(posh__load(posh__block_word(h, block)) == 0,
	   "and it dies when its maker drops it");
	posh__leave(self);
	posh_heap_close(h);
}

/* A thread enters a hold of an object; another takes one, knowing that it
 * lives; the first gives up. */
static void
test_known_and_entered(void)
{
	posh_heap *h = heap_of(64 << 20);
	posh_handle root = posh_heap_place(h, POSH_ROOT);
	struct posh__self *self;

	posh__enter_write(h, &self);
	posh__hold_enter(self, root.off);
	posh__leave(self);
	posh_object_hold(h, root);
	posh__enter_write(h, &self);
	posh__hold_cancel(self, root.off);
	posh__leave(self);
	ok(state_of(h, root.off) == POSH__HOLD_HELD,
	   "a hold of what is known to live is one for a child too");
	posh_object_drop(h, root);
	posh_heap_close(h);
}

static void *
make_lists(void *arg)
{
	posh_handle o;
	posh_heap *h;
	int i;

	if (posh_heap_open_fd(*(int *)arg, &h))
		abort();
	for (i = 0; i < 10; i++)
		posh_list_new(h, &o);
	return NULL;
}

static int
work_in_a_thread(struct actor *me, void *arg)
{
	pthread_t t;

	if (pthread_create(&t, NULL, make_lists, arg))
		return 1;
	pthread_join(t, NULL);
	actor_say(me, 'm');
	actor_hear(me);
	return 0;
}

/* The only thread that was ever in the heap has ended, its process goes on
 * and dies. */
static void
test_threads_gone(void)
{
	posh_heap *h = heap_of(64 << 20);
	uint64_t empty = live_bytes(h);
	int fd = posh_heap_fileno(h);
	struct actor a;

	actor_start(&a, ACTOR_STRAY, work_in_a_thread, &fd);
	actor_hear(&a);
	ok(live_bytes(h) > empty, "a process has what its thread made");
	actor_kill(&a);
	actor_end(&a);
	ok(posh_heap_reap(h) == 1, "it is recovered when it has died");
	ok(live_bytes(h) == empty, "and has left nothing: %lld bytes",
	   (long long)(live_bytes(h) - empty));
	ok(posh_heap_check(h, NULL, NULL) == 0, "and nothing is wrong");
	posh_heap_close(h);
}

/* Who wants to write while the gate is shut. */
struct writer {
	posh_heap *h;
	posh_handle list, gone;
	void (*write)(struct writer *w);
};

static int
write_on_command(struct actor *me, void *arg)
{
	struct writer *w = arg;

	actor_say(me, 'r');
	actor_hear(me);
	w->write(w);
	actor_say(me, 'w');
	actor_hear(me);
	return 0;
}

/* A reading that fails lets go of what it entered, which dies of that. */
static void
give_up(struct writer *w)
{
	struct posh__self *self;

	posh__enter_read(w->h, &self);
	posh__hold_enter(self, w->gone.off);
	posh__hold_cancel(self, w->gone.off);
	posh__leave(self);
}

/* A reading that has to take the monitor, whose owner is dead. */
static void
succeed(struct writer *w)
{
	struct posh__self *self;

	posh__enter_read(w->h, &self);
	posh__lock(self, w->list.off, -1);
	posh__unlock(self, w->list.off);
	posh__leave(self);
}

static void
leave_heap(struct writer *w)
{
	posh_heap_close(w->h);
}

static int
lock_and_wait(struct actor *me, void *arg)
{
	struct writer *w = arg;

	posh_object_lock(w->h, w->list, -1);
	actor_say(me, 'l');
	actor_hear(me);
	return 0;
}

static bool
leaving(posh_heap *h)
{
	uint32_t i;

	for (i = 0; i < posh__load(&h->hdr->members_high); i++)
		if ((posh__load(&posh__member_at(h, i)->state) & 0xff) ==
		    POSH__MEMBER_LEAVING)
			return true;
	return false;
}

static void
test_gate(const char *what, void (*write)(struct writer *), bool waits)
{
	struct writer w = {heap_of(64 << 20), {0}, {0}, write};
	struct posh__self *self;
	struct pollfd said = {0, POLLIN, 0};
	struct actor dead, a;

	posh_list_new(w.h, &w.list);
	actor_start(&dead, ACTOR_ARMED, lock_and_wait, &w);
	actor_hear(&dead);
	posh_list_new(w.h, &w.gone);
	actor_start(&a, ACTOR_ARMED, write_on_command, &w);
	actor_hear(&a);
	actor_kill(&dead);
	actor_end(&dead);
	posh__enter_write(w.h, &self);
	ok(posh__gate_shut(self) == 0, "the gate is shut");
	actor_say(&a, 'g');
	said.fd = a.from;
	ok(poll(&said, 1, waits ? 100 : -1) == !waits && !leaving(w.h), "%s %s",
	   what, waits ? "waits at the gate" : "goes on");
	posh__gate_open(self);
	posh__leave(self);
	ok(actor_hear(&a) == 'w' && posh_heap_check(w.h, NULL, NULL) == 0,
	   "all is well when it opens");
	actor_kill(&a);
	actor_end(&a);
	posh_heap_close(w.h);
}

/* What an interpreter's lock is to a process of Python. */
static struct {
	pthread_mutex_t lock;
	posh_heap *h;
	posh__half away, second; /* the first is away; the second is in */
} gil = {PTHREAD_MUTEX_INITIALIZER, NULL, 0, 0};

static void *
gil_leave(void *arg)
{
	pthread_mutex_unlock(&gil.lock);
	posh__half_store(&gil.away, 1);
	while (!posh__half_load(&gil.second))
		usleep(100);
	return arg;
}

static void
gil_enter(void *token, void *arg)
{
	(void)token;
	(void)arg;
	pthread_mutex_lock(&gil.lock);
}

static void *
second_thread(void *arg)
{
	posh_handle o;

	while (!posh__half_load(&gil.away))
		usleep(100);
	pthread_mutex_lock(&gil.lock);
	posh__half_store(&gil.second, 1);
	if (posh_list_new(gil.h, &o) == 0)
		posh_object_drop(gil.h, o);
	pthread_mutex_unlock(&gil.lock);
	return arg;
}

/* A thread collects because the heap has grown; a second one makes its first
 * call meanwhile. */
static void
test_collect_and_second(void)
{
	posh_handle list;
	pthread_t t;

	gil.h = heap_of(64 << 20);
	posh_list_new(gil.h, &list);
	fill(gil.h, list, 400); /* as large as a collection asks for */
	pthread_mutex_lock(&gil.lock);
	posh_heap_wait_hooks(gil.h, gil_leave, gil_enter, NULL);
	if (pthread_create(&t, NULL, second_thread, NULL))
		abort();
	posh__private_store(&gil.h->due, 1);
	posh__store(&gil.h->hdr->collected, 0);
	tap_limit(20);
	fill(gil.h, list, 1);
	pthread_mutex_unlock(&gil.lock);
	pthread_join(t, NULL);
	tap_limit(0);
	ok(posh__half_load(&gil.second),
	   "a second thread comes while the first collects");
	posh_heap_wait_hooks(gil.h, NULL, NULL, NULL);
	posh_object_drop(gil.h, list);
	posh_heap_close(gil.h);
}

/* A process that has not looked at the heap's size for a while takes apart a
 * list whose body lies across what was the end. */
static void
test_across_the_end(void)
{
	posh_heap *h = heap_of(64 << 20);
	uint64_t empty = live_bytes(h), body;
	struct posh_value v = posh_utf8("a text that is boxed", 20);
	posh_handle list;
	int i;

	posh_list_new(h, &list);
	for (i = 0; i < 20000; i++)
		posh_list_append(h, list, &v);
	body = posh__load(&posh__object(h, list.off)->body);
	h->limit = body + POSH__SPAN;
	posh_object_drop(h, list);
	ok(live_bytes(h) == empty,
	   "a body across the former end of the heap "
	   "is taken apart: %lld bytes are left",
	   (long long)(live_bytes(h) - empty));
	posh_heap_close(h);
}

/* New keys are set and popped for a long time: searches still end. */
static void
test_keys_come_and_go(void)
{
	posh_heap *h = heap_of(64 << 20);
	struct posh_value k, v = posh_int(1);
	struct posh__dview view;
	uint32_t i, empty = 0;
	posh_handle d;

	posh_dict_new(h, &d);
	for (i = 0; i < 1000; i++) {
		k = posh_int(i);
		posh_dict_set(h, d, &k, &v);
	}
	for (; i < 60000; i++) {
		k = posh_int(i);
		posh_dict_set(h, d, &k, &v);
		posh_dict_pop(h, d, &k, NULL);
	}
	ok(posh__dview(h, d.off, &view) == 0 && view.live == 1000,
	   "keys come and go in a dict");
	for (i = 0; i <= view.mask; i++)
		empty += posh__half_load(&view.index[i]) == POSH__INDEX_EMPTY;
	ok(empty > view.mask / 8, "its index has %u of %u places empty", empty,
	   view.mask + 1);
	posh_heap_close(h);
}

/* Circles of lists and tuples.  The tuples lie lower, and are found first. */
static void
test_circles_of_tuples(void)
{
	posh_heap *h = heap_of(64 << 20);
	uint64_t empty = live_bytes(h);
	posh_handle list, t, u, fill[3000];
	struct posh_value v;
	int i;

	posh_tuple_new(h, POSH_FORM_PLAIN, NULL, 1, &t);
	for (i = 0; i < 3000; i++)
		posh_list_new(h, &fill[i]);
	posh_object_drop(h, t);
	for (i = 0; i < 2; i++) {
		if (i)
			posh_list_new(h, &list);
		posh_tuple_new(h, POSH_FORM_PLAIN, NULL, 1, &t);
		posh_tuple_new(h, POSH_FORM_PLAIN, NULL, 1, &u);
		if (!i)
			posh_list_new(h, &list);
		v = posh_object(t);
		posh_list_append(h, list, &v);
		v = posh_object(i ? u : list);
		posh_tuple_init(h, t, 0, &v);
		v = posh_object(list);
		posh_tuple_init(h, u, 0, &v);
		posh_object_drop(h, list);
		posh_object_drop(h, t);
		posh_object_drop(h, u);
	}
	/* Two tuples in a row, the first of which lies lowest. */
	posh_tuple_new(h, POSH_FORM_PLAIN, NULL, 1, &t);
	posh_list_new(h, &list);
	posh_tuple_new(h, POSH_FORM_PLAIN, NULL, 1, &u);
	v = posh_object(list);
	posh_tuple_init(h, t, 0, &v);
	v = posh_object(u);
	posh_list_append(h, list, &v);
	v = posh_object(t);
	posh_tuple_init(h, u, 0, &v);
	posh_object_drop(h, list);
	posh_object_drop(h, t);
	posh_object_drop(h, u);
	for (i = 0; i < 3000; i++)
		posh_object_drop(h, fill[i]);
	ok(posh_heap_collect(h) >= 7, "circles with tuples in them are found");
	ok(live_bytes(h) == empty, "and nothing of them is left: %lld bytes",
	   (long long)(live_bytes(h) - empty));
	ok(posh_heap_check(h, NULL, NULL) == 0, "and nothing is wrong");
	posh_heap_close(h);
}

static void
stop_here(const char *name)
{
	(void)name;
	posh__step = NULL;
	raise(SIGSTOP);
}

static int
stop_in_a_call(struct actor *me, void *arg)
{
	posh_handle o;

	actor_say(me, 's');
	posh__step = stop_here;
	posh_list_new(arg, &o);
	actor_hear(me);
	return 0;
}

/* A process is stopped in a call, and the world cannot stand still. */
static void
test_stopped_in_a_call(void)
{
	posh_heap *h = heap_of(64 << 20);
	posh_handle list;
	struct actor a;
	int status;

	posh_list_new(h, &list);
	fill(h, list, 400); /* as large as a collection asks for */
	actor_start(&a, ACTOR_ARMED, stop_in_a_call, h);
	actor_hear(&a);
	while (waitpid(a.pid, &status, WUNTRACED) < 0 && errno == EINTR)
		;
	posh__store(&h->hdr->collected, 0);
	posh__private_store(&h->due, 1);
	ok(fill(h, list, 1) == 1, "a process is stopped in a call; another "
				  "gives its collection up, and goes on");
	ok(posh__load(&h->hdr->collected) > UINT64_C(32) << 20,
	   "and does not try at once again");
	actor_kill(&a);
	actor_end(&a);
	posh_heap_close(h);
}

static int
leave_lists(struct actor *me, void *arg)
{
	struct reading *r = arg;
	struct posh_value v;
	size_t i;

	for (i = 0; i < r->n; i++) {
		v = posh_fresh(POSH_KIND_LIST);
		posh_list_append(r->h, r->list, &v);
	}
	actor_say(me, 'm');
	actor_hear(me);
	posh_heap_close(r->h);
	return 0;
}

static int
orphans(posh_heap *h)
{
	return (int)posh__load(&h->hdr->orphans);
}

/* Have a process come, make lists, and leave.  How many orphans has it left
 * alone? */
static int
come_and_go(struct reading *r, size_t n)
{
	struct actor a;
	int alone;

	r->n = n;
	actor_start(&a, ACTOR_ARMED, leave_lists, r);
	actor_hear(&a);
	alone = orphans(r->h);
	actor_say(&a, 'g');
	actor_end(&a);
	return alone;
}

/* What processes have left that came before is not gone through by each that
 * comes after; but what is free of it is used. */
static void
test_orphans(void)
{
	struct reading r = {heap_of(64 << 20), {0}, 0};
	int before, alone;

	posh_list_new(r.h, &r.list);
	come_and_go(&r, 20000);
	before = orphans(r.h);
	ok(before >= 12, "a process leaves %d spans", before);
	alone = come_and_go(&r, 1);
	ok(alone >= before - 2,
	   "the next one takes those that it can use: "
	   "%d are left alone",
	   alone);
	posh_list_delete(r.h, r.list, 0, 19000);
	come_and_go(&r, 19000);
	ok(orphans(r.h) <= before + 3,
	   "what was freed in them is used again: "
	   "%d",
	   orphans(r.h));
	posh_heap_close(r.h);
}

int
main(void)
{
	test_orphans();
	test_stopped_in_a_call();
	test_circles_of_tuples();
	test_keys_come_and_go();
	test_across_the_end();
	test_collect_and_second();
	test_gate("a reader that gives up", give_up, false);
	test_gate("a reader that recovers", succeed, true);
	test_gate("a process that leaves", leave_heap, true);
	test_threads_gone();
	test_late_reader();
	test_known_and_entered();
	test_full_while_read();
	test_full_of_the_dead();
	return tap_done();
}

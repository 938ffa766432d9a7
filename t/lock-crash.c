/* SPDX-License-Identifier: MIT */
/* Kill a process at each step of entering, writing in, leaving and taking
 * over a monitor; the next one enters and finds the object whole. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "actor.h"
#include "attach.h"
#include "dying.h"
#include "lock.h"
#include "posh.h"
#include "tap.h"

static posh_heap *heap;
static posh_handle root;

static int
in_and_out(struct posh__self *self)
{
	if (posh__lock(self, root.off, -1))
		return 1;
	posh__unlock(self, root.off);
	return 0;
}

static int
writes(struct posh__self *self)
{
	if (posh__lock(self, root.off, -1))
		return 1;
	posh__write_begin(self, root.off);
	posh__write_end(self, root.off);
	posh__write_begin(self, root.off);
	posh__write_end(self, root.off);
	posh__unlock(self, root.off);
	return 0;
}

static int
writes_within(struct posh__self *self)
{
	if (posh__lock(self, root.off, -1) || writes(self))
		return 1;
	posh__unlock(self, root.off);
	return 0;
}

/* Somebody is inside. */
static int
waits(struct posh__self *self)
{
	return posh__lock(self, root.off, 1000000) != -ETIMEDOUT;
}

static int
locks_the_heap(struct posh__self *self)
{
	posh__mutex_lock(self, &heap->hdr->grow_lock);
	posh__mutex_unlock(self, &heap->hdr->grow_lock);
	return 0;
}

/* What is there before: nobody, somebody inside, or a dead one. */
enum before { NOBODY, HOLDER, DEAD };

static const struct scenario {
	const char *name;
	int (*f)(struct posh__self *);
	enum before before;
	int deaths; /* at least */
} scenarios[] = {
	{"entering and leaving", in_and_out, NOBODY, 3},
	{"writing twice", writes, NOBODY, 6},
	{"writing inside the monitor", writes_within, NOBODY, 4},
	{"waiting", waits, HOLDER, 1},
	{"taking over from a dead one", in_and_out, DEAD, 5},
	{"writing after a dead one", writes, DEAD, 9},
	{"locking the heap", locks_the_heap, NOBODY, 1},
};

static int
holds(struct actor *me, void *arg)
{
	struct posh__self *self;

	(void)arg;
	if (posh__enter_write(heap, &self) || posh__lock(self, root.off, -1))
		return 1;
	posh__write_begin(self, root.off);
	posh__leave(self);
	actor_say(me, 'l');
	actor_hear(me);
	posh__unlock(self, root.off);
	return 0;
}

struct run {
	const struct scenario *s;
	long n;
};

static int
dies(struct actor *me, void *arg)
{
	struct run *r = arg;
	struct posh__self *self;
	int rc;

	(void)me;
	if (posh__enter_write(heap, &self))
		return 1;
	dying_at(r->n, "lock");
	rc = r->s->f(self);
	posh__leave(self);
	return rc;
}

/* What is wrong, or NULL.  Either somebody wants the monitor, or recovery has
 * to find it by itself. */
static const char *
aftermath(uint64_t seq, bool wanted)
{
	struct posh__object *o = posh__object(heap, root.off);

	if (!wanted) {
		posh_heap_reap(heap);
		if (o->lock)
			return "recovery left it locked";
	}
	if (posh_object_lock(heap, root, -1))
		return "the monitor cannot be entered";
	if (posh__load(&o->seq) & 1)
		return "the sequence is odd";
	if (posh__load(&o->seq) < seq)
		return "the sequence went back";
	if (posh_object_unlock(heap, root))
		return "the monitor cannot be left";
	posh_heap_reap(heap);
	if (o->lock)
		return "the lock word is not 0";
	return posh_heap_check(heap, NULL, NULL) ? "the check complains" : NULL;
}

static void
crash(const struct scenario *s, bool wanted)
{
	int deaths = 0, bad = 0, rc;
	struct run r = {s, 0};
	struct actor a, b;

	do {
		uint64_t seq = posh__load(&posh__object(heap, root.off)->seq);
		const char *wrong;

		r.n++;
		if (s->before != NOBODY) {
			actor_start(&b, ACTOR_ARMED, holds, NULL);
			actor_hear(&b);
		}
		if (s->before == DEAD) {
			actor_kill(&b);
			actor_end(&b);
		}
		actor_start(&a, ACTOR_ARMED, dies, &r);
		rc = actor_end(&a);
		if (s->before == HOLDER) {
			actor_say(&b, 'g');
			actor_end(&b);
		}
		wrong = aftermath(seq, wanted);
		if (wrong && !bad++)
			ok(false, "%s: death after %s: %s", s->name,
			   dying_last(), wrong);
		deaths += rc == -SIGKILL;
	} while (rc == -SIGKILL && r.n < 100);
	ok(rc == 0 && deaths >= s->deaths && !bad,
	   "%s: %d deaths leave the monitor whole", s->name, deaths);
}

enum { MANY = 30 }; /* more than a thread's entry has room for */

struct several {
	posh_handle o[MANY];
	int n;
};

static int
holds_many(struct actor *me, void *arg)
{
	struct several *s = arg;
	int i;

	for (i = 0; i < s->n; i++)
		if (posh_object_lock(heap, s->o[i], -1))
			return 1;
	for (i = 0; i < s->n; i += 7)
		posh_object_unlock(heap, s->o[i]);
	actor_say(me, 'l');
	actor_hear(me);
	return 0;
}

static void
many(int n)
{
	struct several s = {.n = n};
	struct actor a;
	int i, bad = 0;

	for (i = 0; i < n; i++)
		bad += posh_list_new(heap, &s.o[i]) != 0;
	actor_start(&a, ACTOR_ARMED, holds_many, &s);
	actor_hear(&a);
	actor_kill(&a);
	actor_end(&a);
	ok(!bad && posh_heap_reap(heap) == 1,
	   "one that was inside of %d monitors is recovered", n);
	for (i = 0; i < n; i++) {
		bad += posh__object(heap, s.o[i].off)->lock != 0;
		posh_object_drop(heap, s.o[i]);
	}
	ok(!bad && posh_heap_check(heap, NULL, NULL) == 0,
	   "all of them are open");
}

int
main(void)
{
	unsigned i;

	tap_limit(60);
	dying_init();
	if (!ok(posh_heap_create(NULL, &heap) == 0, "a heap is made"))
		return tap_done();
	root = posh_heap_place(heap, POSH_ROOT);
	for (i = 0; i < 2 * sizeof(scenarios) / sizeof(scenarios[0]); i++)
		crash(&scenarios[i / 2], i & 1);
	many(POSH__HELD - 2);
	many(MANY);
	dying_report("lock", 7);
	posh_heap_close(heap);
	return tap_done();
}

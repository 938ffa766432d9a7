/* SPDX-License-Identifier: MIT */
/* Kill parent or child at each step of a fork; nothing of either is left. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "attach.h"
#include "dying.h"
#include "posh.h"
#include "span.h"
#include "tap.h"

#define HELD 20 /* objects that only the forking process holds */

static posh_heap *heap;
static bool orphans; /* do not come to us */

static uint64_t
live_bytes(void)
{
	struct posh_stats s;

	return posh_heap_stats(heap, &s, sizeof(s)) ? 0 : s.live_bytes;
}

/* Hold some objects, fork, and have the child use them. */
static int
forks(void)
{
	posh_handle o[HELD];
	int i, status;
	pid_t pid;

	for (i = 0; i < HELD; i++)
		if (posh_list_new(heap, &o[i]))
			return 2;
	posh_fork_arm();
	pid = fork();
	if (pid < 0)
		return 3;
	for (i = 0; i < HELD; i++)
		posh_object_drop(heap, o[i]);
	if (!pid) {
		posh_heap_close(heap);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		return 4;
	return WIFSIGNALED(status) ? 5 : WEXITSTATUS(status);
}

struct run {
	long n;
	const char *files;
};

static int
dies(struct actor *me, void *arg)
{
	struct run *r = arg;
	int rc;

	(void)me;
	dying_at(r->n, r->files);
	rc = forks();
	posh_heap_close(heap);
	return rc;
}

/* The children of a dead parent come to us. */
static void
bury(void)
{
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

/* Orphans that do not come to us take a moment to die. */
static void
recover(void)
{
	struct posh_stats s;
	int moments = orphans ? 200 : 0;

	for (;;) {
		posh_heap_reap(heap);
		posh_heap_stats(heap, &s, sizeof(s));
		if (s.members == 1 || moments-- == 0)
			return;
		usleep(10000);
	}
}

/* Recover the child alone, and have another have its entry before anybody
 * recovers the parent. */
static void
replace_child(struct actor *newcomer)
{
	struct posh__self *self;
	uint32_t i;

	if (posh__enter_write(heap, &self))
		return;
	for (i = 0; i < posh__load(&heap->hdr->members_high); i++) {
		struct posh__member *m = posh__member_at(heap, i);

		if (POSH__MEMBER_STATE(posh__load(&m->state)) ==
			    POSH__MEMBER_HANDOVER &&
		    posh__member_dead(heap, i))
			posh__recover(self, i, false);
	}
	posh__leave(self);
	actor_start(newcomer, ACTOR_ARMED, actor_stays, NULL);
	actor_hear(newcomer);
	posh_heap_reap(heap);
	actor_kill(newcomer);
	actor_end(newcomer);
}

static void
crash(const char *files, const char *what, int least, bool replaced)
{
	uint64_t bytes = live_bytes();
	struct run r = {0, files};
	int deaths = 0, bad = 0, rc;
	struct posh_stats s;
	struct actor a;

	do {
		r.n++;
		actor_start(&a, ACTOR_ARMED, dies, &r);
		rc = actor_end(&a);
		bury();
		deaths += rc != 0;
		if (replaced)
			replace_child(&a);
		recover();
		posh_heap_stats(heap, &s, sizeof(s));
		if ((s.members != 1 || s.live_bytes != bytes ||
		     posh_heap_check(heap, NULL, NULL)) &&
		    !bad++)
			ok(false,
			   "%s: death after %s: %u members, %ld bytes more",
			   what, dying_last(), s.members,
			   (long)(s.live_bytes - bytes));
	} while (rc && r.n < 2000);
	ok(rc == 0 && deaths >= least && !bad, "%s: %d deaths leave nothing",
	   what, deaths);
}

/* A fork that fails leaves nothing either. */
static int
cannot_fork(struct actor *me, void *arg)
{
	struct rlimit none = {0, 0};
	unsigned before;
	struct posh_stats s;

	(void)me;
	(void)arg;
	/* The superuser may always; anybody else is counted. */
	if (geteuid() == 0 && setuid(65534))
		return 77;
	if (setrlimit(RLIMIT_NPROC, &none))
		return 77;
	posh_heap_stats(heap, &s, sizeof(s));
	before = s.members;
	posh_fork_arm();
	if (fork() != -1)
		return 77;
	posh_heap_stats(heap, &s, sizeof(s));
	return s.members != before;
}

static int
is_left_alone(struct actor *me, void *arg)
{
	posh_handle *o = arg;
	int i, rc = 0;

	/* The parent drops its holds now. */
	actor_say(me, 'r');
	actor_hear(me);
	for (i = 0; i < HELD; i++) {
		struct posh_value v = posh_int(i);

		rc |= posh_object_kind(heap, o[i]) != POSH_KIND_LIST;
		rc |= posh_list_append(heap, o[i], &v);
		posh_object_drop(heap, o[i]);
		rc |= posh_object_kind(heap, o[i]) != POSH_KIND_NONE;
	}
	return rc;
}

static void
child_keeps(void)
{
	uint64_t bytes = live_bytes();
	posh_handle o[HELD];
	struct actor a;
	int i, rc = 0;

	for (i = 0; i < HELD; i++)
		rc |= posh_list_new(heap, &o[i]);
	actor_start(&a, ACTOR_ARMED, is_left_alone, o);
	actor_hear(&a);
	for (i = 0; i < HELD; i++)
		posh_object_drop(heap, o[i]);
	actor_say(&a, 'g');
	ok(!rc && actor_end(&a) == 0,
	   "a child keeps alive what its parent held at the fork");
	posh_heap_reap(heap);
	ok(live_bytes() == bytes, "until it drops it");
}

/* Dies when it had thought of a span that another has made a table of. */
static int
thinks_of(struct actor *me, void *arg)
{
	uint64_t *n = arg;
	struct posh__self *self;

	(void)me;
	if (posh__enter_write(heap, &self))
		return 1;
	posh__store(&self->t->span_busy, UINT64_C(1) << 32 | *n);
	raise(SIGKILL);
	return 2;
}

static void
table_in_making(void)
{
	struct posh__self *self;
	struct actor a;
	uint64_t n, w;
	int rc;

	/* The word of its maker's own entry is not yet stored. */
	rc = posh__enter_write(heap, &self) ||
	     posh__span_run(self, POSH__SPAN_HOLDS, 1, &self->t->span_busy, &n);
	if (rc) {
		ok(false, "a table is begun");
		return;
	}
	posh__leave(self);
	w = posh__load(posh__span_word(heap, n));
	actor_start(&a, ACTOR_ARMED, thinks_of, &n);
	rc = actor_end(&a);
	ok(rc == -SIGKILL && posh_heap_reap(heap) == 1 &&
		   posh__load(posh__span_word(heap, n)) == w,
	   "a table in the making is left to its maker");
	if (posh__enter_write(heap, &self))
		return;
	posh__span_give(self, n);
	posh__store(&self->t->span_busy, 0);
	posh__leave(self);
}

int
main(void)
{
	struct actor a;
	int rc;

	tap_limit(100);
	orphans = prctl(PR_SET_CHILD_SUBREAPER, 1) != 0;
	dying_init();
	if (!ok(posh_heap_create(NULL, &heap) == 0, "a heap is made"))
		return tap_done();
	crash("fork", "steps of the fork", 6, false);
	crash("fork member thread hold span", "steps that it consists of", 20,
	      false);
	crash("fork member thread hold span",
	      "the child's entry another's before its parent is recovered", 20,
	      true);
	child_keeps();
	table_in_making();
	actor_start(&a, ACTOR_ARMED, cannot_fork, NULL);
	rc = actor_end(&a);
	if (rc == 77)
		tap_skip(1, "a fork cannot be made to fail here");
	else
		ok(rc == 0, "a fork that fails leaves no member (%d)", rc);
	posh_heap_reap(heap);
	ok(posh_heap_check(heap, NULL, NULL) == 0, "the heap is whole");
	dying_report("fork", 6);
	posh_heap_close(heap);
	return tap_done();
}

/* SPDX-License-Identifier: MIT */
/* Kill a process at each step of making, joining and leaving a heap, of its
 * threads' coming and going, and of growth. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actor.h"
#include "attach.h"
#include "dying.h"
#include "posh.h"
#include "span.h"
#include "tap.h"

#define MIB (UINT64_C(1) << 20)

static posh_heap *heap; /* the parent's */
static char dir[2000], path[2100];

static int
use(posh_heap *h)
{
	struct posh_value v = posh_utf8("a text that is boxed", 20);
	posh_handle o;
	int rc = posh_list_new(h, &o);

	if (rc)
		return rc;
	rc = posh_list_append(h, o, &v);
	posh_object_drop(h, o);
	return rc;
}

static int
joins(void)
{
	posh_heap *h;

	if (posh_heap_open(path, NULL, &h) || use(h))
		return 1;
	posh_heap_close(h);
	return 0;
}

static void *
in_a_thread(void *arg)
{
	return use(arg) ? "failed" : NULL;
}

static int
has_threads(void)
{
	posh_heap *h;
	pthread_t t;
	int i;

	if (posh_heap_open(path, NULL, &h))
		return 1;
	for (i = 0; i < 2; i++) {
		pthread_create(&t, NULL, in_a_thread, h);
		pthread_join(t, NULL);
	}
	posh_heap_close(h);
	return 0;
}

/* Leave with objects held, and inside a monitor. */
static int
leaves_in_a_hurry(void)
{
	posh_handle o[5];
	posh_heap *h;
	int i;

	if (posh_heap_open(path, NULL, &h))
		return 1;
	for (i = 0; i < 5; i++)
		if (posh_list_new(h, &o[i]) || posh_object_lock(h, o[i], -1))
			return 1;
	posh_object_lock(h, posh_heap_place(h, POSH_ROOT), -1);
	posh_heap_close(h);
	return 0;
}

static int
grows(void)
{
	struct posh__self *self;
	posh_heap *h;
	int i, rc = 0;

	if (posh_heap_open(path, NULL, &h) || posh__enter_write(h, &self))
		return 1;
	for (i = 0; i < 2; i++)
		rc |= posh__heap_grow(self, 1, false);
	posh__leave(self);
	posh_heap_close(h);
	return rc != 0 && rc != -ENOMEM;
}

struct run {
	int (*f)(void);
	const char *files;
	long n;
};

static int
dies(struct actor *me, void *arg)
{
	struct run *r = arg;

	(void)me;
	dying_at(r->n, r->files);
	return r->f();
}

/* Are all free spans marked that were there before? */
static bool
marked(void)
{
	uint64_t end = posh__load(&heap->hdr->marked), n;

	for (n = heap->hdr->first; n < end; n++)
		if (!posh__load(posh__span_word(heap, n)) &&
		    !posh__span_marked(heap, POSH__MAP_FREE, n))
			return false;
	return true;
}

/* What is wrong, or NULL. */
static const char *
aftermath(const struct posh_stats *before)
{
	struct posh_stats s;

	if (use(heap))
		return "the heap cannot be used";
	if (posh_heap_reap(heap) < 0)
		return "the heap cannot be reaped";
	posh_heap_stats(heap, &s, sizeof(s));
	if (s.members != before->members)
		return "a member is left";
	if (s.live_bytes != before->live_bytes)
		return "objects are left";
	if (!marked())
		return "a free span is not marked";
	return posh_heap_check(heap, NULL, NULL) ? "the check complains" : NULL;
}

static void
crash(int (*f)(void), const char *files, const char *what, int least)
{
	struct run r = {f, files, 0};
	struct posh_options opts = {sizeof(opts), 64 * MIB, 0, POSH_CREATE};
	int deaths = 0, bad = 0, rc;
	struct posh_stats before;

	if (posh_heap_open(path, &opts, &heap))
		abort();
	posh_heap_stats(heap, &before, sizeof(before));
	do {
		const char *wrong;
		struct actor a;

		r.n++;
		actor_start(&a, ACTOR_STRAY, dies, &r);
		rc = actor_end(&a);
		deaths += rc == -SIGKILL;
		wrong = aftermath(&before);
		if (wrong && !bad++)
			ok(false, "%s: death after %s: %s", what, dying_last(),
			   wrong);
	} while (rc == -SIGKILL && r.n < 3000);
	ok(rc == 0 && deaths >= least && !bad, "%s: %d deaths leave nothing",
	   what, deaths);
	posh_heap_unlink(path);
	posh_heap_close(heap);
}

static int
makes(void)
{
	struct posh_options opts = {sizeof(opts), 8 * MIB, 0,
				    POSH_CREATE | POSH_EXCLUSIVE};
	posh_heap *h;

	if (posh_heap_open(path, &opts, &h))
		return 1;
	posh_heap_close(h);
	return 0;
}

/* How many files are in the directory? */
static int
files(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	if (d)
		closedir(d);
	return n;
}

/* A name has no heap, or a whole one. */
static void
creation(void)
{
	struct run r = {makes, NULL, 0};
	int deaths = 0, whole = 0, bad = 0, rc;

	do {
		const char *wrong = NULL;
		struct actor a;
		posh_heap *h;

		r.n++;
		actor_start(&a, ACTOR_STRAY, dies, &r);
		rc = actor_end(&a);
		deaths += rc == -SIGKILL;
		switch (posh_heap_open(path, NULL, &h)) {
		case 0:
			whole++;
			if (use(h) || posh_heap_check(h, NULL, NULL))
				wrong = "the heap is not whole";
			posh_heap_close(h);
			posh_heap_unlink(path);
			break;
		case -ENOENT:
			break;
		default:
			wrong = "there is something else";
		}
		if (files())
			wrong = "a file is left";
		if (wrong && !bad++)
			ok(false, "death after %s: %s", dying_last(), wrong);
	} while (rc == -SIGKILL && r.n < 3000);
	ok(rc == 0 && deaths > 20 && whole > 1 && !bad,
	   "%d deaths leave no heap or a whole one", deaths);
}

int
main(void)
{
	const char *tmp = getenv("POSH_TMP");

	tap_limit(100);
	dying_init();
	snprintf(dir, sizeof(dir), "%s/member-crash-%ld", tmp ? tmp : ".",
		 (long)getpid());
	snprintf(path, sizeof(path), "%s/heap", dir);
	if (mkdir(dir, 0700))
		return 1;
	creation();
	crash(joins, "member thread", "joining and leaving", 7);
	crash(joins, NULL, "all steps of joining, a list, leaving", 50);
	crash(has_threads, "member thread", "threads", 12);
	crash(leaves_in_a_hurry, NULL, "leaving in a hurry", 50);
	crash(grows, NULL, "growing", 20);
	ok(files() == 0, "no file is left");
	rmdir(dir);
	dying_report("member", 6);
	dying_report("thread", 4);
	dying_report("grow", 3);
	return tap_done();
}

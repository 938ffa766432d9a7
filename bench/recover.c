/* SPDX-License-Identifier: MIT */
/* What a death costs the living, and what a collection costs.
 *
 *   recover [rounds]      prints a table, in milliseconds, medians
 *   recover -m [rounds]   prints lines for a program: row ms
 *
 * A process that holds objects, and has the monitor of a list, is killed; the
 * time is that of posh_object_lock in another, which finds it dead, recovers
 * it and goes on.  Then a collection, of a heap whose objects are all in use,
 * and of one in which they are garbage: how long it takes, and meanwhile the
 * longest time between two operations of another process, one that writes or
 * one that reads.
 */
#include "config.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posh.h"

enum { MAX_ROUNDS = 99 };

static void
must(int64_t rc)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "recover: %s\n", posh_error_text((int)rc));
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static posh_heap *
make_heap(posh_handle *list)
{
	struct posh_options opts = {sizeof(opts), UINT64_C(2) << 30, 0, 0};
	posh_heap *h;

	must(posh_heap_create(&opts, &h));
	must(posh_list_new(h, list));
	return h;
}

/* A child that holds n objects and has the monitor; it tells when it does. */
static pid_t
victim(posh_heap *h, posh_handle list, int n)
{
	int ready[2];
	pid_t pid;
	char c;

	if (pipe(ready))
		exit(1);
	posh_fork_arm();
	pid = fork();
	if (pid == 0) {
		posh_handle o;

		while (n-- > 0)
			must(posh_list_new(h, &o));
		must(posh_object_lock(h, list, -1));
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	if (pid < 0 || read(ready[0], &c, 1) != 1)
		exit(1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static double
death(posh_heap *h, posh_handle list, int held)
{
	pid_t pid = victim(h, list, held);
	double t;

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	t = now();
	must(posh_object_lock(h, list, -1));
	t = now() - t;
	must(posh_object_unlock(h, list));
	return t;
}

/* Fill a heap with so many bytes. */
static void
fill(posh_heap *h, posh_handle list, size_t bytes)
{
	static char block[4000];
	struct posh_value v;

	for (; bytes >= sizeof(block); bytes -= sizeof(block)) {
		v = posh_bytes(block, sizeof(block));
		must(posh_list_append(h, list, &v));
	}
}

/* What a process that works beside a collection has waited. */
static volatile double *longest;

enum work { NOTHING, WRITE, READ };

static pid_t
worker(posh_heap *h, posh_handle list, posh_handle ring, enum work what)
{
	struct posh_value v = posh_int(1);
	double last, t;
	pid_t pid;

	if (what == NOTHING)
		return 0;
	if (what == READ)
		v = posh_fresh(POSH_KIND_LIST);
	must(posh_list_append(h, list, &v));
	*longest = -1;
	posh_fork_arm();
	pid = fork();
	if (pid)
		return pid;
	posh_object_drop(h, ring);
	for (last = now();; last = t) {
		if (what == WRITE) {
			must(posh_list_set(h, list, 0, &v));
		} else {
			must(posh_list_get(h, list, 0, &v));
			posh_object_drop(h, v.object);
		}
		t = now();
		if (t - last > *longest)
			*longest = t - last;
	}
}

static double
collection(int objects, bool garbage, enum work what)
{
	posh_handle list, ring;
	posh_heap *h = make_heap(&list);
	struct posh_value v;
	pid_t pid;
	double t;

	must(posh_list_new(h, &ring));
	while (objects-- > 0) {
		v = posh_fresh(POSH_KIND_LIST);
		must(posh_list_append(h, ring, &v));
	}
	v = posh_object(ring);
	must(posh_list_append(h, ring, &v));
	pid = worker(h, list, ring, what);
	while (pid && *longest < 0)
		usleep(1000);
	if (garbage)
		posh_object_drop(h, ring);
	*longest = 0;
	t = now();
	must(posh_heap_collect(h));
	t = now() - t;
	if (pid) {
		usleep(20000);
		t = *longest;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	posh_heap_close(h);
	return t;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static const struct row {
	const char *name;
	int held;
	size_t heap;
	int objects;
	bool garbage;
	enum work beside;
} rows[] = {
	{"death of an owner that held 1 object", 1, 0, 0, false, NOTHING},
	{"death of an owner that held 10,000", 10000, 0, 0, false, NOTHING},
	{"the same in a heap of 1 GiB", 10000, (size_t)1 << 30, 0, false,
	 NOTHING},
	{"collection, 1,000,000 objects in use", 0, 0, 1000000, false, NOTHING},
	{"a writer meanwhile, at the longest", 0, 0, 1000000, false, WRITE},
	{"a reader meanwhile, at the longest", 0, 0, 1000000, false, READ},
	{"collection, 1,000,000 objects of garbage", 0, 0, 1000000, true,
	 NOTHING},
	{"a writer meanwhile, at the longest", 0, 0, 1000000, true, WRITE},
	{"a reader meanwhile, at the longest", 0, 0, 1000000, true, READ},
};

static double
median(const struct row *r, int rounds)
{
	double t[MAX_ROUNDS];
	posh_handle list;
	posh_heap *h = NULL;
	int i;

	if (!r->objects) {
		h = make_heap(&list);
		fill(h, list, r->heap);
	}
	for (i = 0; i < rounds; i++)
		t[i] = h ? death(h, list, r->held)
			 : collection(r->objects, r->garbage, r->beside);
	posh_heap_close(h);
	qsort(t, (size_t)rounds, sizeof(*t), by_size);
	return t[rounds / 2];
}

int
main(int argc, char **argv)
{
	bool lines = argc > 1 && strcmp(argv[1], "-m") == 0;
	int rounds = argc > 1 + lines ? atoi(argv[1 + lines]) : 7;
	size_t i;

	longest = mmap(NULL, sizeof(*longest), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (rounds < 1 || rounds > MAX_ROUNDS) {
		fprintf(stderr, "usage: recover [-m] [rounds]\n");
		return 2;
	}
	if (!lines)
		printf("%-44s %8s\n", "milliseconds", "median");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double ms = median(&rows[i], rounds);

		printf(lines ? "%s\t%.3f\n" : "%-44s %8.3f\n", rows[i].name,
		       ms);
		fflush(stdout);
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* Threads that read a list, a dict and a deque beside threads that write to
 * them: for ThreadSanitizer above all.  Elements are numbers and objects.
 *
 * A reader that is late reads memory that was freed and used again, finds that
 * out, and reads once more: to ThreadSanitizer that is a race with whoever uses
 * it.  So there objects stay, and bodies are not replaced. */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>

#include "atomic.h"
#include "posh.h"
#include "tap.h"

#ifdef __SANITIZE_THREAD__
enum { REUSE = false };
#else
enum { REUSE = true };
#endif

enum { MARK = 1000, LENGTH = 12, KEYS = 7, ITEMS = 64 };

static posh_heap *heap;
static posh_handle list, dict, deque;
static posh__word done, wrong, objects;
static long rounds = 20000;

static void
must(int64_t rc)
{
	if (rc < 0)
		abort();
}

/* An object that is known by what is in it. */
static struct posh_value
marked(void)
{
	struct posh_value v = posh_int(MARK);
	posh_handle o;

	must(posh_list_new(heap, &o));
	must(posh_list_append(heap, o, &v));
	return posh_object(o);
}

/* A value that a reader got: a small number, or a marked object. */
static void
look(const struct posh_value *v)
{
	struct posh_value in;

	if (v->type == POSH_INT && v->i >= 0 && v->i < MARK)
		return;
	if (v->type != POSH_OBJECT || posh_list_get(heap, v->object, 0, &in) ||
	    in.type != POSH_INT || in.i != MARK)
		posh__store(&wrong, 1);
	if (v->type == POSH_OBJECT) {
		posh__store(&objects, 1);
		posh_object_drop(heap, v->object);
	}
}

static void
look_all(struct posh_value *v, int64_t n)
{
	int64_t i;

	for (i = 0; i < n; i++)
		look(&v[i]);
	if (n >= 0)
		free(v);
	else
		posh__store(&wrong, 1);
}

/* A number, or an object that is new, or one of a few. */
static struct posh_value
value(long i)
{
	static struct posh_value old[KEYS];

	if (i % 3)
		return posh_int(i % MARK);
	if (REUSE)
		return marked();
	if (old[i % KEYS].type != POSH_OBJECT)
		old[i % KEYS] = marked();
	return old[i % KEYS];
}

static void
write_once(long i)
{
	struct posh_value v = value(i), k, out;

	must(posh_list_set(heap, list, i % LENGTH, &v));
	must(posh_list_append(heap, list, &v));
	must(posh_list_delete(heap, list, 0, 1));
	k = posh_int(i % KEYS);
	must(posh_dict_set(heap, dict, &k, &v));
	must(posh_deque_append(heap, deque, &v));
	must(posh_deque_popleft(heap, deque, &out));
	look(&out);
	if (!REUSE)
		return;
	k = posh_int((i + 3) % KEYS);
	posh_dict_pop(heap, dict, &k, NULL);
	if (i % 50 == 0)
		must(posh_dict_clear(heap, dict));
	if (v.type == POSH_OBJECT)
		posh_object_drop(heap, v.object);
}

static void *
writes(void *arg)
{
	long i;

	for (i = 0; i < rounds; i++)
		write_once(i);
	posh__store(&done, 1);
	return arg;
}

static void *
reads(void *arg)
{
	struct posh_value *all, k, v, item[2 * ITEMS];
	uint64_t cursor;
	int64_t n, i;
	long turn;

	for (turn = 0; !posh__load(&done); turn++) {
		if (posh_list_get(heap, list, turn % LENGTH, &v) == 0)
			look(&v);
		n = posh_list_snapshot(heap, list, &all, NULL);
		look_all(all, n);
		k = posh_int(turn % KEYS);
		if (posh_dict_get(heap, dict, &k, &v) == 0)
			look(&v);
		cursor = 0;
		n = posh_dict_read(heap, dict, &cursor, ITEMS, 0, item, NULL);
		for (i = 0; i < n; i++)
			look(&item[2 * i + 1]);
		n = posh_deque_len(heap, deque, NULL);
		if (n < LENGTH || n > LENGTH + 1)
			posh__store(&wrong, 1);
	}
	return arg;
}

/* Circles are made and collected meanwhile. */
static void *
collects(void *arg)
{
	posh_handle a;
	struct posh_value v;

	while (!posh__load(&done)) {
		must(posh_list_new(heap, &a));
		v = posh_object(a);
		must(posh_list_append(heap, a, &v));
		posh_object_drop(heap, a);
		must(posh_heap_collect(heap));
	}
	return arg;
}

static void
beside(void *(*third)(void *), const char *what)
{
	void *(*run[])(void *) = {writes, reads, third};
	pthread_t t[3];
	int i;

	posh__store(&done, 0);
	posh__store(&objects, 0);
	for (i = 0; i < 3; i++)
		if (pthread_create(&t[i], NULL, run[i], NULL))
			abort();
	for (i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	ok(!posh__load(&wrong) && posh__load(&objects),
	   "a thread reads beside one that writes and one that %s", what);
	ok(posh_heap_check(heap, NULL, NULL) == 0, "the heap is in order");
}

int
main(void)
{
	struct posh_value v = posh_int(1);
	int i;

	tap_limit(60);
	if (tap_brief())
		rounds = 2000;
	must(posh_heap_create(NULL, &heap));
	must(posh_list_new(heap, &list));
	must(posh_dict_new(heap, &dict));
	must(posh_deque_new(heap, -1, &deque));
	must(posh_list_reserve(heap, list, 2 * LENGTH));
	for (i = 0; i < KEYS; i++) {
		struct posh_value k = posh_int(i);

		must(posh_dict_set(heap, dict, &k, &v));
	}
	for (i = 0; i < LENGTH; i++) {
		must(posh_list_append(heap, list, &v));
		must(posh_deque_append(heap, deque, &v));
	}
	beside(reads, "reads");
	if (REUSE)
		beside(collects, "collects");
	posh_heap_close(heap);
	return tap_done();
}

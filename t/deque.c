/* SPDX-License-Identifier: MIT */
/* Deques against a model: an array of numbers, each of which stands for an
 * int, a text or an object of its own. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "posh.h"
#include "tap.h"

enum { MOST = 4000, OBJECTS = 7 };

static posh_heap *heap;
static posh_handle deque, object[OBJECTS];
static int model[2 * MOST];
static int len, bound = -1;
static char text[40];

static unsigned
below(unsigned n)
{
	static uint64_t x = 88172645463325252;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (unsigned)(x >> 11) % n;
}

static struct posh_value
value(int n)
{
	if (n % 3 == 0)
		return posh_int(n);
	if (n % 3 == 1)
		return posh_object(object[n % OBJECTS]);
	snprintf(text, sizeof(text), "a text that is boxed, number %d", n);
	return posh_utf8(text, strlen(text));
}

/* Does this value stand for n?  Its hold is given back. */
static bool
is(const struct posh_value *v, int n)
{
	struct posh_value w = value(n);
	bool same = false;

	if (w.type == POSH_INT)
		return v->type == POSH_INT && v->i == n;
	if (w.type == POSH_OBJECT) {
		same = v->type == POSH_OBJECT && v->object.off == w.object.off;
		if (v->type == POSH_OBJECT)
			posh_object_drop(heap, v->object);
		return same;
	}
	return v->type == POSH_STR && v->size == w.size &&
	       !memcmp(v->data, w.data, w.size);
}

static void
report(const char *what, void *arg)
{
	(void)arg;
	tap_note("%s", what);
}

/* The deque is the model, and the heap is sound. */
static bool
same(void)
{
	struct posh_value *all = NULL, v;
	int64_t n = posh_deque_snapshot(heap, deque, &all, NULL), i, maxlen;
	uint64_t cursor = UINT64_MAX;
	bool good = n == len && posh_deque_len(heap, deque, &maxlen) == len &&
		    maxlen == bound;

	for (i = 0; i < n; i++) {
		/* The texts lie in the thread's buffer until the next call. */
		if (all[i].type == POSH_OBJECT)
			continue;
		good = good && is(&all[i], model[i]);
	}
	for (i = 0; i < n; i++)
		if (all[i].type == POSH_OBJECT)
			good = is(&all[i], model[i]) && good;
	free(all);
	for (i = 0; i < len && good; i++)
		good = posh_deque_read(heap, deque, &cursor, 1, 0, &v, NULL) ==
			       1 &&
		       is(&v, model[i]);
	good = good &&
	       posh_deque_read(heap, deque, &cursor, 1, 0, &v, NULL) == 0;
	if (len) {
		i = below((unsigned)len);
		good = good && posh_deque_get(heap, deque, i, &v) == 0 &&
		       is(&v, model[i]);
		good = good && posh_deque_get(heap, deque, -1, &v) == 0 &&
		       is(&v, model[len - 1]);
	}
	return posh_deque_get(heap, deque, len, &v) == -ERANGE && good;
}

static void
model_insert(int at, int n)
{
	memmove(&model[at + 1], &model[at], sizeof(int) * (size_t)(len - at));
	model[at] = n;
	len++;
}

static void
model_remove(int at)
{
	len--;
	memmove(&model[at], &model[at + 1], sizeof(int) * (size_t)(len - at));
}

static void
model_push(int left, int n)
{
	if (bound == 0)
		return;
	if (len == bound)
		model_remove(left ? len - 1 : 0);
	model_insert(left ? 0 : len, n);
}

static bool
do_push(int left)
{
	int n = (int)below(1000);
	struct posh_value v = value(n);

	model_push(left, n);
	return (left ? posh_deque_appendleft : posh_deque_append)(heap, deque,
								  &v) == 0;
}

static bool
do_pop(int left)
{
	int n = len ? model[left ? 0 : len - 1] : 0, rc;
	struct posh_value v;
	bool out = below(2);

	rc = (left ? posh_deque_popleft : posh_deque_pop)(heap, deque,
							  out ? &v : NULL);
	if (!len)
		return rc == -ERANGE;
	model_remove(left ? 0 : len - 1);
	return rc == 0 && (!out || is(&v, n));
}

static bool
do_extend(int left)
{
	static char texts[40][40];
	struct posh_value v[40];
	int k = (int)below(40), i;

	for (i = 0; i < k; i++) {
		int n = (int)below(1000);

		v[i] = value(n);
		if (v[i].type == POSH_UTF8) {
			strcpy(texts[i], text);
			v[i].data = texts[i];
		}
		model_push(left, n);
	}
	return (left ? posh_deque_extendleft
		     : posh_deque_extend)(heap, deque, v, (size_t)k) == 0;
}

static bool
do_rotate(void)
{
	int n = (int)below(9) - 4, i, rc;

	if (below(4) == 0)
		n = (int)below(3000) - 1500;
	rc = posh_deque_rotate(heap, deque, n);
	for (i = len ? (n % len + len) % len : 0; i > 0; i--) {
		int last = model[len - 1];

		model_remove(len - 1);
		model_insert(0, last);
	}
	return rc == 0;
}

static bool
do_insert(void)
{
	int n = (int)below(1000), i = (int)below(60) - 30, rc;
	struct posh_value v = value(n);

	rc = posh_deque_insert(heap, deque, i, &v);
	if (len == bound)
		return rc == -ERANGE;
	i = i < 0 ? i + len : i;
	model_insert(i < 0 ? 0 : i > len ? len : i, n);
	return rc == 0;
}

static bool
do_delete(void)
{
	int i = (int)below(60) - 30, rc = posh_deque_delete(heap, deque, i);

	i = i < 0 ? i + len : i;
	if (i < 0 || i >= len)
		return rc == -ERANGE;
	model_remove(i);
	return rc == 0;
}

static bool
do_set(void)
{
	int n = (int)below(1000), i = (int)below(60) - 30, rc;
	struct posh_value v = value(n);

	rc = posh_deque_set(heap, deque, i, &v);
	i = i < 0 ? i + len : i;
	if (i < 0 || i >= len)
		return rc == -ERANGE;
	model[i] = n;
	return rc == 0;
}

static bool
do_reverse(void)
{
	int i;

	for (i = 0; i < len / 2; i++) {
		int n = model[i];

		model[i] = model[len - 1 - i];
		model[len - 1 - i] = n;
	}
	return posh_deque_reverse(heap, deque) == 0;
}

static bool
do_bound(void)
{
	int new = (int)below(80) - 10, rc;

	new = new < 0 ? -1 : new;
	rc = posh_deque_bound(heap, deque, new);
	if (new >= 0 && len > new)
		return rc == -EBUSY;
	bound = new;
	return rc == 0;
}

static bool
do_clear(void)
{
	len = 0;
	return posh_deque_clear(heap, deque) == 0;
}

static bool
step(void)
{
	if (len > MOST - 50)
		return do_clear();
	switch (below(40)) {
	case 0:
	case 1:
	case 2:
	case 3:
		return do_extend((int)below(2));
	case 4:
	case 5:
		return do_rotate();
	case 6:
	case 7:
		return do_insert();
	case 8:
	case 9:
		return do_delete();
	case 10:
	case 11:
		return do_set();
	case 12:
		return do_reverse();
	case 13:
		return do_bound();
	case 14:
		return below(8) || do_clear();
	default:
		return below(2) ? do_push((int)below(2))
				: do_pop((int)below(2));
	}
}

static void
run(int steps)
{
	int i, bad = 0, unsound = 0;

	for (i = 0; i < steps && !bad; i++) {
		bad += !step() || !same();
		if (i % 64 == 0)
			unsound += posh_heap_check(heap, report, NULL) != 0;
	}
	ok(!bad, "%d operations do what they do to an array", i);
	ok(!unsound, "the heap is sound meanwhile");
}

/* An iterator goes on where it was, whatever happens at the ends. */
static void
iterate(void)
{
	uint64_t cursor = UINT64_MAX;
	struct posh_value v, in;
	int i, good = 1;

	posh_deque_clear(heap, deque);
	posh_deque_bound(heap, deque, -1);
	for (i = 0; i < 100; i++) {
		in = posh_int(i);
		posh_deque_append(heap, deque, &in);
	}
	for (i = 0; i < 10; i++)
		posh_deque_read(heap, deque, &cursor, 1, 0, &v, NULL);
	posh_deque_popleft(heap, deque, NULL);
	in = posh_int(-1);
	posh_deque_appendleft(heap, deque, &in);
	for (i = 0; i < 100; i++) {
		in = posh_int(100 + i);
		posh_deque_append(heap, deque, &in); /* in a new body */
	}
	for (i = 10; i < 200; i++)
		good = good &&
		       posh_deque_read(heap, deque, &cursor, 1, 0, &v, NULL) ==
			       1 &&
		       v.i == i;
	ok(good, "an iterator meets each element once");
	cursor = UINT64_MAX;
	posh_deque_read(heap, deque, &cursor, 1, 0, &v, NULL);
	for (i = 0; i < 50; i++)
		posh_deque_popleft(heap, deque, NULL);
	posh_deque_read(heap, deque, &cursor, 1, 0, &v, NULL);
	ok(v.i == 50, "an iterator goes on with the first that is left");
}

/* What has left it is freed. */
static void
give_back(uint64_t before)
{
	struct posh_stats st;
	int i;

	posh_object_drop(heap, deque);
	for (i = 0; i < OBJECTS; i++)
		posh_object_drop(heap, object[i]);
	posh_heap_stats(heap, &st, sizeof(st));
	ok(st.live_bytes == before, "nothing is left (%lld bytes)",
	   (long long)(st.live_bytes - before));
}

int
main(void)
{
	struct posh_value v = posh_int(1);
	struct posh_stats st;
	posh_handle list;
	int i;

	tap_limit(60);
	if (posh_heap_create(NULL, &heap))
		return 1;
	posh_list_new(heap, &list);
	posh_heap_stats(heap, &st, sizeof(st));
	for (i = 0; i < OBJECTS; i++)
		posh_list_new(heap, &object[i]);
	ok(posh_deque_new(heap, 3, &deque) == 0, "a deque");
	bound = 3;
	ok(same(), "it is empty, and has its bound");
	ok(posh_object_kind(heap, deque) == POSH_KIND_DEQUE, "of its kind");
	ok(posh_deque_append(heap, list, &v) == -EINVAL, "a list is none");
	ok(posh_list_append(heap, deque, &v) == -EINVAL, "it is no list");
	run(20000 / (int)tap_slow());
	iterate();
	give_back(st.live_bytes);
	return tap_done();
}

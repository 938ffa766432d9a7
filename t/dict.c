/* SPDX-License-Identifier: MIT */
/* The order of dicts against a model: an array of keys, some of which are
 * texts, with values that say when they were set. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "posh.h"
#include "tap.h"

enum { KEYS = 60, QUEUE = 100000 };

static posh_heap *heap;
static posh_handle dict;
static int model[KEYS], at_value[KEYS], len;
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
key_of(int n)
{
	if (n % 2)
		return posh_int(n);
	snprintf(text, sizeof(text), "a key that is boxed, number %d", n);
	return posh_utf8(text, strlen(text));
}

static bool
is_key(const struct posh_value *v, int n)
{
	struct posh_value w = key_of(n);

	if (w.type == POSH_INT)
		return v->type == POSH_INT && v->i == n;
	return v->type == POSH_STR && v->size == w.size &&
	       !memcmp(v->data, w.data, w.size);
}

static bool
is_item(const struct posh_value *item, int n)
{
	return is_key(&item[0], n) && item[1].type == POSH_INT &&
	       item[1].i == at_value[n];
}

static void
report(const char *what, void *arg)
{
	(void)arg;
	tap_note("%s", what);
}

/* The dict is the model, whichever way it is read. */
static bool
same(void)
{
	struct posh_value *all = NULL, v[2], k;
	uint64_t front = 0, back = UINT64_MAX;
	int64_t n = posh_dict_snapshot(heap, dict, &all, NULL), i;
	bool good = n == len && posh_dict_len(heap, dict) == len;

	for (i = 0; i < n && good; i++)
		good = is_item(&all[2 * i], model[i]);
	free(all);
	for (i = 0; i < len && good; i++)
		good = posh_dict_read(heap, dict, &front, 1, 0, v, NULL) == 1 &&
		       is_item(v, model[i]) &&
		       posh_dict_read_back(heap, dict, &back, 1, 0, v, NULL) ==
			       1 &&
		       is_item(v, model[len - 1 - i]);
	for (i = 0; i < len && good; i++) {
		k = key_of(model[i]);
		good = posh_dict_get(heap, dict, &k, v) == 0 &&
		       v[0].i == at_value[model[i]];
	}
	return good && posh_dict_read(heap, dict, &front, 1, 0, v, NULL) == 0 &&
	       posh_dict_read_back(heap, dict, &back, 1, 0, v, NULL) == 0;
}

static int
model_find(int n)
{
	int i;

	for (i = 0; i < len && model[i] != n; i++)
		;
	return i;
}

static void
model_remove(int at)
{
	len--;
	memmove(&model[at], &model[at + 1], sizeof(int) * (size_t)(len - at));
}

static bool
set(int n, int value)
{
	struct posh_value k = key_of(n), v = posh_int(value);
	bool is_new = model_find(n) == len;

	if (is_new)
		model[len++] = n;
	at_value[n] = value;
	return posh_dict_set(heap, dict, &k, &v) == is_new;
}

static bool
pop(int n)
{
	struct posh_value k = key_of(n), v;
	int at = model_find(n), rc = posh_dict_pop(heap, dict, &k, &v);

	if (at == len)
		return rc == -ENOENT;
	model_remove(at);
	return rc == 0 && v.i == at_value[n];
}

static bool
pop_end(enum posh_end end)
{
	struct posh_value v[2];
	int at = end == POSH_FIRST ? 0 : len - 1, n;
	int rc = end == POSH_FIRST
			 ? posh_dict_popfirst(heap, dict, &v[0], &v[1])
			 : posh_dict_popitem(heap, dict, &v[0], &v[1]);

	if (!len)
		return rc == -ENOENT;
	n = model[at];
	model_remove(at);
	return rc == 0 && is_item(v, n);
}

static bool
move(int n, enum posh_end end)
{
	struct posh_value k = key_of(n);
	int at = model_find(n), rc = posh_dict_move(heap, dict, &k, end);

	if (at == len)
		return rc == -ENOENT;
	model_remove(at);
	if (end == POSH_FIRST)
		memmove(&model[1], &model[0], sizeof(int) * (size_t)len);
	model[end == POSH_FIRST ? 0 : len] = n;
	len++;
	return rc == 0;
}

static bool
step(unsigned op, int n, int i)
{
	enum posh_end end = below(2) ? POSH_FIRST : POSH_LAST;

	if (op < 4)
		return set(n, i);
	if (op < 6)
		return pop(n);
	if (op < 8)
		return pop_end(end);
	if (op < 31)
		return move(n, end);
	/* Again and again: an end of the body is reached. */
	for (i = 0; i < 40; i++)
		if (len && !move(model[below((unsigned)len)], end))
			return false;
	return true;
}

static void
run(int steps)
{
	int i;
	bool good = true;

	for (i = 0; i < steps && good; i++) {
		unsigned op = below(32);
		int n = (int)below(KEYS);

		good = step(op, n, i) && same();
		if (good && i % 50 == 0)
			good = posh_heap_check(heap, report, NULL) == 0;
		if (!good)
			tap_note("step %d, operation %u, key %d", i, op, n);
	}
	ok(good, "%d operations leave it as the model is", steps);
}

/* An iterator goes on whatever moves: what does not, it meets once. */
static void
iterate(void)
{
	struct posh_value k, v[2];
	uint64_t cursor = 0;
	int i;
	bool good = true;

	posh_dict_clear(heap, dict);
	len = 0;
	for (i = 0; i < 50; i++)
		set(i, i);
	for (i = 0; i < 50; i++) {
		good = good &&
		       posh_dict_read(heap, dict, &cursor, 1, 0, v, NULL) ==
			       1 &&
		       is_key(&v[0], i);
		/* What was seen goes to the beginning. */
		k = key_of(i);
		good = good && posh_dict_move(heap, dict, &k, POSH_FIRST) == 0;
	}
	good = good && posh_dict_read(heap, dict, &cursor, 1, 0, v, NULL) == 0;
	ok(good, "an iterator meets once what moves to the beginning");
}

/* Had each to pass over all that went before it, this would take hours. */
static void
queue(void)
{
	struct posh_value k, v[2];
	uint64_t cursor;
	int i;
	bool good = true;

	posh_dict_clear(heap, dict);
	for (i = 0; i < QUEUE; i++) {
		k = posh_int(i);
		good = good && posh_dict_set(heap, dict, &k, &k) == 1;
	}
	for (i = 0; i < QUEUE && good; i++) {
		cursor = 0;
		good = posh_dict_read(heap, dict, &cursor, 1, 0, v, NULL) ==
			       1 &&
		       v[0].i == i;
		k = posh_int(i);
		good = good && posh_dict_move(heap, dict, &k, POSH_LAST) == 0;
	}
	ok(good, "each of %d items in turn goes to the end", QUEUE);
	for (i = QUEUE - 1; i >= 0 && good; i--) {
		cursor = UINT64_MAX;
		good = posh_dict_read_back(heap, dict, &cursor, 1, 0, v,
					   NULL) == 1 &&
		       v[0].i == i;
		k = posh_int(i);
		good = good && posh_dict_move(heap, dict, &k, POSH_FIRST) == 0;
	}
	ok(good, "and back to the beginning");
	ok(posh_heap_check(heap, report, NULL) == 0, "the heap is sound");
	for (i = 0; i < QUEUE && good; i++)
		good = posh_dict_popfirst(heap, dict, &v[0], &v[1]) == 0 &&
		       v[0].i == i;
	ok(good && posh_dict_len(heap, dict) == 0,
	   "the first goes, until there is none");
}

/* What has left it is freed. */
static void
give_back(uint64_t before)
{
	struct posh_stats st;

	posh_object_drop(heap, dict);
	posh_heap_stats(heap, &st, sizeof(st));
	ok(st.live_bytes == before, "nothing is left (%lld bytes)",
	   (long long)(st.live_bytes - before));
}

int
main(void)
{
	struct posh_stats st;
	struct posh_value k = posh_int(1);
	posh_handle list;

	tap_limit(60);
	if (posh_heap_create(NULL, &heap))
		return 1;
	posh_list_new(heap, &list);
	posh_heap_stats(heap, &st, sizeof(st));
	ok(posh_dict_new(heap, &dict) == 0, "a dict");
	ok(posh_dict_move(heap, list, &k, POSH_LAST) == -EINVAL,
	   "a list has no order of keys");
	ok(posh_dict_move(heap, dict, &k, POSH_FIRST) == -ENOENT &&
		   posh_dict_popfirst(heap, dict, &k, &k) == -ENOENT,
	   "an empty dict has nothing to move or to pop");
	run(20000 / (int)tap_slow());
	iterate();
	queue();
	give_back(st.live_bytes);
	return tap_done();
}

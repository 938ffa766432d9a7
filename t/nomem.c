/* SPDX-License-Identifier: MIT */
/* A process runs out of private memory: every malloc of an operation fails
 * once, alone or with all that follow.  The operation fails or succeeds; the
 * heap is as before or as after, and whole. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actor.h"
#include "dying.h"
#include "posh.h"
#include "tap.h"

/*
 * The allocator, by ld's --wrap
 */

static long left;  /* until one fails; 0: none does */
static bool after; /* those behind it too */

static bool
fails(void)
{
	if (left == 1 && after)
		return true;
	return left && --left == 0;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_realloc(void *p, size_t n);

void *
__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t m)
{
	return fails() ? NULL : __real_calloc(n, m);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

/*
 * A heap
 */

enum { KEYS = 12 };

static posh_heap *heap;
static posh_handle dict, list; /* places in it, never held */

static struct posh_value
text(const char *s)
{
	return posh_utf8(s, strlen(s));
}

/* Keys that are boxes: texts, numbers, tuples. */
static struct posh_value
key(int i, struct posh_value *item)
{
	static char name[KEYS][24];

	item[0] = posh_int(i);
	item[1] = text("in a tuple");
	if (i % 4 == 2)
		return posh_int(INT64_MAX - i);
	if (i % 4 == 3)
		return (struct posh_value){
			.type = POSH_TUPLE, .size = 2, .items = item};
	memset(name[i], 'a' + i, sizeof(name[i]));
	return posh_bytes(name[i], sizeof(name[i]));
}

static int
update(int from, int to, int64_t value, unsigned flags)
{
	struct posh_value pair[2 * KEYS], item[2 * KEYS];
	int i;

	for (i = from; i < to; i++) {
		pair[2 * (i - from)] = key(i, &item[2 * i]);
		pair[2 * (i - from) + 1] = posh_int(value + i);
	}
	return posh_dict_update(heap, dict, pair, (size_t)(to - from), flags);
}

static posh_handle
make(const char *name, enum posh_kind kind)
{
	struct posh_value k = text(name), v = posh_fresh(kind);

	if (posh_dict_set(heap, posh_heap_place(heap, POSH_ROOT), &k, &v) < 0)
		abort();
	return v.object;
}

/* Open it once more, as a process does that has allocated nothing yet. */
static void
again(void)
{
	int fd = dup(posh_heap_fileno(heap));

	posh_heap_close(heap);
	if (posh_heap_open_fd(fd, &heap))
		abort();
	close(fd);
}

static void
fill(void)
{
	struct posh_options o = {.size = sizeof(o), .max_size = 4 << 20};
	struct posh_value v = text("an element of the list");
	int i;

	if (posh_heap_create(&o, &heap))
		abort();
	dict = make("dict", POSH_KIND_DICT);
	list = make("list", POSH_KIND_LIST);
	if (update(0, 8, 0, 0))
		abort();
	for (i = 0; i < 5; i++)
		posh_list_append(heap, list, &v);
	again();
}

/*
 * What is in it, as a number
 */

static uint64_t
mix(uint64_t sum, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n-- > 0)
		sum = (sum ^ *p++) * UINT64_C(0x100000001b3);
	return sum;
}

static uint64_t
sum_of(uint64_t sum, const struct posh_value *v)
{
	size_t i;

	sum = mix(sum, &v->type, 1);
	if (v->type == POSH_INT)
		return mix(sum, &v->i, 8);
	if (v->type == POSH_STR || v->type == POSH_BYTES)
		return mix(sum, v->data, v->size);
	if (v->type == POSH_TUPLE)
		for (i = 0; i < v->size; i++)
			sum = sum_of(sum, &v->items[i]);
	return sum;
}

static uint64_t
contents(void)
{
	struct posh_value *v;
	uint64_t sum = 0;
	int64_t n = posh_dict_snapshot(heap, dict, &v, NULL), i;

	for (i = 0; i < 2 * n; i++)
		sum = sum_of(sum, &v[i]);
	if (n >= 0)
		free(v);
	n = posh_list_snapshot(heap, list, &v, NULL);
	for (i = 0; i < n; i++)
		sum = sum_of(sum, &v[i]);
	if (n >= 0)
		free(v);
	return sum;
}

/*
 * Operations
 */

static int
op_update(void)
{
	return update(2, KEYS, 100, 0);
}

static int
op_replace(void)
{
	return update(2, KEYS, 100, POSH_REPLACE);
}

static int
op_set(void)
{
	struct posh_value item[2], k = key(3, item);
	struct posh_value v = text("a new value of an old key");

	return posh_dict_set(heap, dict, &k, &v);
}

static int
op_pop(void)
{
	struct posh_value item[2], k = key(7, item), v;

	return posh_dict_pop(heap, dict, &k, &v);
}

static int
op_extend(void)
{
	struct posh_value v[3] = {text("one more element"), posh_object(dict),
				  posh_fresh(POSH_KIND_LIST)};

	return posh_list_extend(heap, list, v, 3);
}

static int
op_splice(void)
{
	struct posh_value v = text("for three others");

	return posh_list_splice(heap, list, 1, 4, &v, 1);
}

static int
op_read(void)
{
	struct posh_value *v;
	int64_t n = posh_dict_snapshot(heap, dict, &v, NULL);

	if (n >= 0)
		free(v);
	return n < 0 ? (int)n : 0;
}

static int
op_open(void)
{
	int fd = dup(posh_heap_fileno(heap)), rc;
	posh_heap *h;

	posh_heap_close(heap);
	rc = posh_heap_open_fd(fd, &h);
	left = 0;
	if (rc && posh_heap_open_fd(fd, &h))
		abort();
	heap = h;
	close(fd);
	return rc;
}

static int
op_collect(void)
{
	int64_t n = posh_heap_collect(heap);

	return n < 0 ? (int)n : 0;
}

static int
op_check(void)
{
	return posh_heap_check(heap, NULL, NULL);
}

static const struct op {
	const char *name;
	int (*f)(void);
} ops[] = {
	{"an update of a dict", op_update},
	{"a new content of a dict", op_replace},
	{"setting a key", op_set},
	{"a pop", op_pop},
	{"extending a list", op_extend},
	{"splicing a list", op_splice},
	{"a snapshot", op_read},
	{"opening", op_open},
	{"a collection", op_collect},
	{"the check", op_check},
};

/* Run it with the nth allocation failing: false: it had not as many. */
static bool
attempt(const struct op *op, long n, int *bad)
{
	uint64_t before, done;
	int rc, wrong;
	bool reached;

	fill();
	before = contents();
	again();
	left = n;
	rc = op->f();
	reached = left == 0 || (after && left == 1);
	left = 0;
	done = contents();
	wrong = posh_heap_check(heap, NULL, NULL);
	if (wrong || (rc < 0 && (rc != -ENOMEM || done != before))) {
		(*bad)++;
		tap_note("%s, allocation %ld: %d, %d are wrong", op->name, n,
			 rc, wrong);
	}
	posh_heap_close(heap);
	return n && (reached || op->f == op_open) && n < 100;
}

static void
all_fail_once(void)
{
	size_t i;
	long n = 0;
	int bad = 0, total = 0;

	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		bad = 0;
		for (after = false;; after = true) {
			for (n = 1; attempt(&ops[i], n, &bad); n++)
				total++;
			if (after)
				break;
		}
		ok(!bad, "%s is whole or not at all", ops[i].name);
	}
	ok(total > 30, "%d times there was no memory", total);
}

/*
 * Recovery
 */

static int
dies(struct actor *me, void *arg)
{
	(void)me;
	dying_at(*(long *)arg, "dict");
	return update(2, KEYS, 100, 0);
}

static void
a_recovery(void)
{
	int bad = 0, rc;
	struct actor a;
	int64_t items;
	long n = 0;

	do {
		n++;
		fill();
		actor_start(&a, ACTOR_ARMED, dies, &n);
		rc = actor_end(&a);
		left = after = true;
		posh_heap_reap(heap);
		left = 0;
		items = posh_dict_len(heap, dict);
		if (posh_heap_check(heap, NULL, NULL) ||
		    (items != 8 && items != KEYS)) {
			bad++;
			tap_note("death %ld, at %s: %lld items", n,
				 dying_last(), (long long)items);
		}
		posh_heap_close(heap);
	} while (rc < 0 && n < 1000);
	ok(rc == 0 && n > 20 && !bad,
	   "after %ld deaths in an update it is finished without memory",
	   n - 1);
}

int
main(void)
{
	alarm(200);
	dying_init();
	all_fail_once();
	a_recovery();
	return tap_done();
}

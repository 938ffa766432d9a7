/* SPDX-License-Identifier: MIT */
/* visit.c - everything that can be done with a heap, done to one that may be
 * damaged: it ends, with or without an error. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

enum { OBJECTS = 40, MANY = 64 };

/* Objects that are yet to be looked at; each with a hold of ours. */
struct tour {
	posh_heap *h;
	posh_handle todo[OBJECTS];
	size_t n;    /* ever noted */
	size_t done; /* of them looked at */
};

static void
note(struct tour *t, posh_handle o)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->todo[i].off == o.off)
			break;
	if (i < t->n || t->n == OBJECTS)
		posh_object_drop(t->h, o);
	else
		t->todo[t->n++] = o;
}

static volatile unsigned char sink;

/* Use what a read returned: its memory is there. */
static void
use(struct tour *t, const struct posh_value *v, bool held)
{
	size_t i, bytes = v->size;

	switch (v->type) {
	case POSH_OBJECT:
		if (held)
			note(t, v->object);
		break;
	case POSH_STR:
		bytes *= v->width;
		/* fall through */
	case POSH_BYTES:
	case POSH_BIGINT:
		for (i = 0; i < bytes; i += 97)
			sink = ((const unsigned char *)v->data)[i];
		if (bytes)
			sink = ((const unsigned char *)v->data)[bytes - 1];
		if (v->type == POSH_STR)
			free(posh_value_utf8(v, NULL));
		break;
	case POSH_TUPLE:
		for (i = 0; i < v->size; i++)
			use(t, &v->items[i], false);
	}
}

static void
use_all(struct tour *t, const struct posh_value *v, int64_t n)
{
	int64_t i;

	for (i = 0; i < n; i++)
		use(t, &v[i], true);
}

static void
see_list(struct tour *t, posh_handle o)
{
	struct posh_value v, some[MANY], *all, in[2];
	uint64_t version;
	int64_t n = posh_list_len(t->h, o);
	size_t order[2] = {1, 0};

	n = posh_list_read(t->h, o, 0, MANY, 0, some, &version);
	use_all(t, some, n);
	n = posh_list_read(t->h, o, 3, MANY, POSH_SCALARS, some, NULL);
	use_all(t, some, n);
	n = posh_list_snapshot(t->h, o, &all, NULL);
	if (n >= 0) {
		use_all(t, all, n);
		free(all);
	}
	if (posh_list_get(t->h, o, -1, &v) == 0)
		use(t, &v, true);
	in[0] = posh_int(1);
	posh_list_set(t->h, o, 0, in);
	posh_list_append(t->h, o, in);
	in[0] = posh_utf8("a text for a list", 17);
	in[1] = posh_object(o);
	posh_list_set(t->h, o, 1, in);
	posh_list_insert(t->h, o, 1, in);
	posh_list_extend(t->h, o, in, 2);
	posh_list_splice(t->h, o, 1, 3, in, 2);
	if (posh_list_pop(t->h, o, 0, &v) == 0)
		use(t, &v, true);
	posh_list_delete(t->h, o, 2, 4);
	posh_list_reserve(t->h, o, 20);
	posh_list_permute(t->h, o, order, 2, posh_object_version(t->h, o));
}

static void
see_dict(struct tour *t, posh_handle o)
{
	static const char *const keys[] = {"list", "a longer key", "none"};
	struct posh_value k, v, some[2 * MANY], *all;
	uint64_t cursor = 0;
	int64_t n = posh_dict_len(t->h, o);
	size_t i;

	for (i = 0; i < 3; i++) {
		k = posh_utf8(keys[i], strlen(keys[i]));
		if (posh_dict_get(t->h, o, &k, &v) == 0)
			use(t, &v, true);
	}
	n = posh_dict_read(t->h, o, &cursor, MANY, 0, some, NULL);
	use_all(t, some, 2 * n);
	cursor = UINT64_MAX;
	n = posh_dict_read_back(t->h, o, &cursor, MANY, POSH_SCALARS, some,
				NULL);
	use_all(t, some, 2 * n);
	n = posh_dict_snapshot(t->h, o, &all, NULL);
	if (n >= 0) {
		use_all(t, all, 2 * n);
		free(all);
	}
	k = posh_int(5);
	v = posh_bool(true);
	posh_dict_set(t->h, o, &k, &v);
	v = posh_object(o);
	posh_dict_set(t->h, o, &k, &v);
	some[0] = k;
	some[1] = posh_float(0.5);
	some[2] = posh_utf8("a key of an update", 18);
	some[3] = v;
	posh_dict_update(t->h, o, some, 2, 0);
	v = posh_utf8("a text for a dict", 17);
	if (posh_dict_setdefault(t->h, o, &k, &v, &some[0]) >= 0)
		use(t, &some[0], true);
	if (posh_dict_pop(t->h, o, &k, &v) == 0)
		use(t, &v, true);
	posh_dict_move(t->h, o, &some[2], POSH_FIRST);
	posh_dict_move(t->h, o, &some[2], POSH_LAST);
	if (posh_dict_popfirst(t->h, o, &k, &v) == 0) {
		use(t, &k, true);
		use(t, &v, true);
	}
	if (posh_dict_popitem(t->h, o, &k, &v) == 0) {
		use(t, &k, true);
		use(t, &v, true);
	}
	k = posh_int(7);
	n = posh_dict_candidates(t->h, o, &k, MANY, some);
	use_all(t, some, n < MANY ? n : MANY);
	posh_dict_clear(t->h, o);
}

static void
see_tuple(struct tour *t, posh_handle o)
{
	int64_t n = posh_tuple_len(t->h, o), i;
	struct posh_value v;

	for (i = 0; i < n && i < MANY; i++)
		if (posh_tuple_get(t->h, o, (size_t)i, &v) == 0)
			use(t, &v, true);
}

static void
see_instance(struct tour *t, posh_handle o)
{
	posh_handle cls, extra;
	struct posh_value v;
	size_t slots, i;

	if (posh_instance_class(t->h, o, &cls, &slots))
		return;
	v = posh_utf8("slot", 4);
	v.type = POSH_STR;
	v.width = 1;
	if (posh_object_kind(t->h, cls) == POSH_KIND_LIST)
		posh_class_slot(t->h, cls, &v, 0);
	for (i = 0; i < slots && i < MANY; i++)
		if (posh_instance_get(t->h, o, i, &v) == 0)
			use(t, &v, true);
	v = posh_utf8("a text for an instance", 22);
	posh_instance_set(t->h, o, 0, &v);
	posh_instance_set(t->h, o, 1, NULL);
	if (posh_instance_extra(t->h, o, 1, &extra) == 0)
		note(t, extra);
}

static void
see_blob(struct tour *t, posh_handle o)
{
	posh_handle found;
	uint64_t n, at;
	void *p;

	if (posh_blob_data(t->h, o, &p, &n))
		return;
	if (n)
		sink = ((const uint8_t *)p)[n - 1];
	posh_blob_find(t->h, p, &found, &at);
}

static void
see_buffer(struct tour *t, posh_handle o)
{
	struct posh_value meta;
	posh_handle blob;
	uint8_t bytes[64];
	uint64_t n;
	void *p;

	if (posh_buffer_meta(t->h, o, &meta) == 0)
		use(t, &meta, false);
	if (posh_buffer_view(t->h, o, &blob, &p, &n) == 0) {
		if (n)
			sink = ((const uint8_t *)p)[n - 1];
		note(t, blob);
	}
	posh_buffer_read(t->h, o, 1, sizeof(bytes), bytes, &n);
	posh_buffer_write(t->h, o, 0, bytes, 1);
	posh_buffer_write(t->h, o, 1, bytes, 3);
	posh_buffer_splice(t->h, o, 1, 2, bytes, 40);
	posh_buffer_splice(t->h, o, 0, 3, NULL, 0);
	posh_buffer_splice(t->h, o, 5, 3, NULL, 0);
	posh_buffer_splice(t->h, o, 5, UINT64_MAX, NULL, 0);
}

static void
see_deque(struct tour *t, posh_handle o)
{
	struct posh_value v = posh_utf8("a text for a deque", 18), x[8];
	struct posh_value *all;
	uint64_t cursor = UINT64_MAX;
	int64_t n;

	n = posh_deque_read(t->h, o, &cursor, 8, 0, x, NULL);
	use_all(t, x, n);
	n = posh_deque_snapshot(t->h, o, &all, NULL);
	if (n >= 0) {
		use_all(t, all, n);
		free(all);
	}
	posh_deque_len(t->h, o, NULL);
	posh_deque_append(t->h, o, &v);
	posh_deque_extendleft(t->h, o, &v, 1);
	posh_deque_set(t->h, o, 1, &v);
	posh_deque_insert(t->h, o, 3, &v);
	posh_deque_rotate(t->h, o, 2);
	posh_deque_delete(t->h, o, -2);
	posh_deque_reverse(t->h, o);
	if (posh_deque_pop(t->h, o, x) == 0)
		use(t, x, true);
	posh_deque_popleft(t->h, o, NULL);
	posh_deque_bound(t->h, o, 7);
	posh_deque_clear(t->h, o);
}

static void
see(struct tour *t, posh_handle o)
{
	switch (posh_object_kind(t->h, o)) {
	case POSH_KIND_LIST:
		see_list(t, o);
		break;
	case POSH_KIND_DICT:
	case POSH_KIND_SET:
		see_dict(t, o);
		break;
	case POSH_KIND_TUPLE:
		see_tuple(t, o);
		break;
	case POSH_KIND_INSTANCE:
		see_instance(t, o);
		break;
	case POSH_KIND_BLOB:
		see_blob(t, o);
		break;
	case POSH_KIND_BUFFER:
		see_buffer(t, o);
		break;
	case POSH_KIND_DEQUE:
		see_deque(t, o);
		break;
	case POSH_KIND_NONE:
		break;
	}
	if (posh_object_lock(t->h, o, 0) == 0)
		posh_object_unlock(t->h, o);
}

static void
report(const char *what, void *arg)
{
	(void)arg;
	sink = (unsigned char)what[0];
}

/* All that is about the heap as a whole. */
static void
survey(posh_heap *h)
{
	struct posh_stats s;

	posh_heap_check(h, report, NULL);
	posh_heap_stats(h, &s, sizeof(s));
	posh_heap_reap(h);
}

void
visit_file(int fd)
{
	struct tour t = {.n = 0};
	enum posh_place p;
	posh_handle cls;

	if (posh_heap_open_fd(fd, &t.h))
		return;
	survey(t.h);
	for (p = POSH_ROOT; p <= POSH_TICKETS; p++) {
		posh_handle o = posh_heap_place(t.h, p);

		if (posh_object_hold(t.h, o) == 0)
			note(&t, o);
	}
	while (t.done < t.n)
		see(&t, t.todo[t.done++]);
	posh_class_intern(t.h, "Class", &cls);
	posh_class_intern(t.h, "Other", &cls);
	while (t.n)
		posh_object_drop(t.h, t.todo[--t.n]);
	posh_heap_collect(t.h);
	survey(t.h);
	posh_heap_close(t.h);
}

static int
raw_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("raw", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	return fd;
}

/* Before the first input, which would take the time for it. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	images_make();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool raw = size >= 8 && !memcmp(data, "POSHHEAP", 8);
	int fd = raw ? raw_file(data, size) : image_file(data, size);

	visit_file(fd);
	close(fd);
	return 0;
}

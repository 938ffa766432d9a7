/* SPDX-License-Identifier: MIT */
/* world.c - a little heap for crash tests. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "world.h"

static void
must(int rc)
{
	if (rc < 0)
		exit(3);
}

struct posh_value
world_text(const char *text)
{
	return posh_utf8(text, strlen(text));
}

struct posh_value
world_absent(void)
{
	return world_text("a key that no dict has");
}

void
world_set(posh_heap *h, posh_handle dict, const char *key, struct posh_value v)
{
	struct posh_value k = world_text(key);

	must(posh_dict_set(h, dict, &k, &v));
}

void
world_append(posh_heap *h, posh_handle list, struct posh_value v)
{
	must(posh_list_append(h, list, &v));
}

void
world_fill(posh_heap *h, posh_handle buffer, uint64_t bytes)
{
	struct posh_value meta = world_text("what the bytes mean");
	posh_handle blob;
	uint64_t i;
	void *p;

	must(posh_blob_new(h, bytes, &blob));
	must(posh_blob_data(h, blob, &p, NULL));
	for (i = 0; i < bytes; i++)
		((uint8_t *)p)[i] = (uint8_t)(i * 7);
	must(posh_buffer_init(h, buffer, blob, &meta));
	posh_object_drop(h, blob);
}

void
world_graph(posh_heap *h, posh_handle list, int depth)
{
	struct posh_value v;
	int i;

	for (i = 0; i < 3; i++) {
		world_append(h, list, world_text("a text that is boxed"));
		if (!depth)
			continue;
		v = posh_fresh(POSH_KIND_LIST);
		must(posh_list_append(h, list, &v));
		world_graph(h, v.object, depth - 1);
	}
}

/* Its ring is full, and begins in the middle. */
static void
fill_deque(struct world *w)
{
	struct posh_value v[3] = {posh_int(1), world_text("text in the deque"),
				  posh_object(w->own)};
	int i;

	for (i = 0; i < 8; i++)
		must((i < 3 ? posh_deque_appendleft
			    : posh_deque_append)(w->h, w->deque, &v[i % 3]));
}

void
world_make(struct world *w)
{
	posh_heap *h = w->h;
	posh_handle root = posh_heap_place(h, POSH_ROOT);
	int i;

	must(posh_list_new(h, &w->list));
	must(posh_dict_new(h, &w->dict));
	must(posh_set_new(h, &w->set));
	must(posh_list_new(h, &w->own));
	must(posh_class_intern(h, "crash.Dog", &w->cls));
	must(posh_instance_new(h, w->cls, 4, &w->inst));
	must(posh_deque_new(h, 12, &w->deque));
	world_set(h, root, "list", posh_object(w->list));
	world_set(h, root, "dict", posh_object(w->dict));
	world_set(h, root, "set", posh_object(w->set));
	world_set(h, root, "instance", posh_object(w->inst));
	world_set(h, root, "deque", posh_object(w->deque));
	for (i = 0; i < 4; i++) {
		world_append(h, w->list, posh_int(i));
		world_append(h, w->list, world_text("an element of the list"));
	}
	world_append(h, w->list, posh_fresh(POSH_KIND_DICT));
	must(posh_buffer_new(h, &w->buffer));
	world_set(h, root, "buffer", posh_object(w->buffer));
	world_fill(h, w->buffer, 100);
	posh_object_drop(h, w->buffer);
	fill_deque(w);
	world_set(h, w->dict, "a", posh_int(1));
	world_set(h, w->dict, "the second key", world_text("the second value"));
	world_set(h, w->dict, "third", posh_fresh(POSH_KIND_LIST));
	world_set(h, w->set, "a", posh_bool(true));
	world_set(h, w->set, "the second element", posh_bool(true));
	world_set(h, w->set, "third", posh_bool(true));
	world_graph(h, w->own, 0);
}

void
world_garbage(const struct world *w)
{
	posh_heap *h = w->h;
	posh_handle l, d, o, x, set;
	struct posh_value v, k;

	must(posh_list_new(h, &l));
	must(posh_dict_new(h, &d));
	must(posh_instance_new(h, w->cls, 3, &o));
	world_append(h, l, posh_object(l));
	world_append(h, l, posh_object(d));
	world_append(h, l, world_text("a text in the garbage"));
	world_set(h, d, "an instance", posh_object(o));
	v = posh_object(l);
	must(posh_instance_set(h, o, 0, &v));
	v = posh_object(o);
	must(posh_instance_set(h, o, 1, &v));
	must(posh_instance_extra(h, o, 1, &x));
	world_set(h, x, "round", posh_object(d));
	v = posh_fresh(POSH_KIND_SET);
	must(posh_list_append(h, l, &v));
	set = v.object;
	v = posh_object(l);
	k = posh_bool(true);
	must(posh_dict_set(h, set, &v, &k));
	posh_object_drop(h, x);
	posh_object_drop(h, l);
	posh_object_drop(h, d);
	posh_object_drop(h, o);
}

void
world_soil(const struct world *w)
{
	posh_heap *h = w->h;
	struct posh_value v[6] = {world_text("the first text of all"),
				  posh_int(3),
				  world_text("the third text of all"),
				  world_text("the fourth text of all"),
				  posh_fresh(POSH_KIND_LIST),
				  posh_none()};
	posh_handle l, d, o;
	int i;

	must(posh_list_new(h, &l));
	must(posh_dict_new(h, &d));
	must(posh_instance_new(h, w->cls, 40, &o));
	for (i = 0; i < 9; i++)
		must(posh_list_extend(h, l, v, 6));
	must(posh_list_insert(h, l, 7, &v[0]));
	must(posh_list_delete(h, l, 20, 40));
	for (i = 0; i < 40; i++) {
		v[1].i = i;
		must(posh_dict_set(h, d, &v[1], &v[0]));
	}
	must(posh_dict_update(h, d, v, 2, 0));
	must(posh_dict_pop(h, d, &v[0], NULL));
	must(posh_instance_set(h, o, 39, &v[0]));
	posh_object_drop(h, l);
	posh_object_drop(h, d);
	posh_object_drop(h, o);
}

/*
 * Digest
 */

static uint64_t digest_of(posh_heap *h, const struct posh_value *v, int depth);

static uint64_t
mix(uint64_t a, uint64_t b)
{
	a ^= b + UINT64_C(0x9e3779b97f4a7c15) + (a << 6) + (a >> 2);
	return a * UINT64_C(0xff51afd7ed558ccd);
}

static uint64_t
mix_bytes(uint64_t d, const void *p, size_t n)
{
	const char *c = p;
	uint64_t word;

	for (d = mix(d, n); n; c += sizeof(word)) {
		word = 0;
		memcpy(&word, c, n < sizeof(word) ? n : sizeof(word));
		d = mix(d, word);
		n -= n < sizeof(word) ? n : sizeof(word);
	}
	return d;
}

static uint64_t
digest_array(posh_heap *h, struct posh_value *v, int64_t n, int depth)
{
	uint64_t d = (uint64_t)n;
	int64_t i;

	/* Data lies in the thread's buffer: first what is there. */
	for (i = 0; i < n; i++)
		if (v[i].type != POSH_OBJECT)
			d = mix(d, mix((uint64_t)i, digest_of(h, &v[i], 0)));
	for (i = 0; i < n; i++)
		if (v[i].type == POSH_OBJECT) {
			d = mix(d,
				mix((uint64_t)i, digest_of(h, &v[i], depth)));
			posh_object_drop(h, v[i].object);
		}
	free(v);
	return d;
}

/* Of a value that was read on its own, and its hold is given up. */
static uint64_t
digest_one(posh_heap *h, const struct posh_value *v, int depth)
{
	uint64_t d = digest_of(h, v, depth);

	if (v->type == POSH_OBJECT)
		posh_object_drop(h, v->object);
	return d;
}

/* Its slots, and the dict of its other attributes. */
static uint64_t
digest_instance(posh_heap *h, posh_handle o, int depth)
{
	struct posh_value v;
	uint64_t d = 5;
	size_t i;

	for (i = 0; i < 4; i++)
		if (posh_instance_get(h, o, i, &v) == 0)
			d = mix(d, mix(i, digest_one(h, &v, depth)));
	v = posh_object(o);
	if (posh_instance_extra(h, o, 0, &v.object) == 0) {
		v.kind = POSH_KIND_DICT;
		d = mix(d, mix(i, digest_one(h, &v, depth)));
	}
	return d;
}

static uint64_t
digest_tuple(posh_heap *h, posh_handle o, int depth)
{
	int64_t n = posh_tuple_len(h, o), i;
	uint64_t d = mix((uint64_t)n, (uint64_t)posh_tuple_form(h, o));
	struct posh_value v;

	for (i = 0; i < n; i++) {
		int rc = posh_tuple_get(h, o, (size_t)i, &v);

		d = mix(d, rc ? (uint64_t)rc : digest_one(h, &v, depth));
	}
	return d;
}

/* The items of a dict or set, and, if one of its keys is an object, what it
 * says of a key that it does not have. */
static uint64_t
digest_dict(posh_heap *h, posh_handle o, int depth)
{
	struct posh_value *all = NULL, absent = world_absent();
	int64_t n = posh_dict_snapshot(h, o, &all, NULL), i;
	bool object = false;
	uint64_t d;

	if (n < 0)
		return (uint64_t)n;
	for (i = 0; i < n; i++)
		object = object || all[2 * i].type == POSH_OBJECT;
	d = digest_array(h, all, 2 * n, depth);
	return object ? mix(d, (uint64_t)posh_dict_get(h, o, &absent, NULL))
		      : d;
}

/* Its elements and its bound. */
static uint64_t
digest_deque(posh_heap *h, posh_handle o, int depth)
{
	struct posh_value *all = NULL;
	int64_t n = posh_deque_snapshot(h, o, &all, NULL), maxlen = 0;
	uint64_t d = n < 0 ? (uint64_t)n : digest_array(h, all, n, depth);

	posh_deque_len(h, o, &maxlen);
	return mix(d, (uint64_t)maxlen);
}

static uint64_t
digest_list(posh_heap *h, posh_handle o, int depth)
{
	struct posh_value *all = NULL;
	int64_t n = posh_list_snapshot(h, o, &all, NULL);

	return n < 0 ? (uint64_t)n : digest_array(h, all, n, depth);
}

static uint64_t
digest_buffer(posh_heap *h, posh_handle o)
{
	int64_t n = posh_buffer_len(h, o);
	uint8_t *p = malloc(n > 0 ? (size_t)n : 1);
	uint64_t d = mix(8, (uint64_t)n);
	struct posh_value meta;

	if (!p)
		exit(3);
	n = posh_buffer_read(h, o, 0, (uint64_t)n, p, NULL);
	d = n < 0 ? mix(d, (uint64_t)n) : mix_bytes(d, p, (size_t)n);
	free(p);
	/* Without a blob it is not made yet. */
	if (n >= 0 && posh_buffer_meta(h, o, &meta) == 0)
		d = mix(d, digest_one(h, &meta, 1));
	return d;
}

static uint64_t
digest_object(posh_heap *h, const struct posh_value *v, int depth)
{
	switch (v->kind) {
	case POSH_KIND_INSTANCE:
		return digest_instance(h, v->object, depth);
	case POSH_KIND_BUFFER:
		return digest_buffer(h, v->object);
	case POSH_KIND_LIST:
		return digest_list(h, v->object, depth);
	case POSH_KIND_DEQUE:
		return digest_deque(h, v->object, depth);
	case POSH_KIND_DICT:
	case POSH_KIND_SET:
		return digest_dict(h, v->object, depth);
	case POSH_KIND_TUPLE:
		return digest_tuple(h, v->object, depth);
	default:
		return 0; /* a blob: its buffer has its bytes */
	}
}

static uint64_t
digest_of(posh_heap *h, const struct posh_value *v, int depth)
{
	uint64_t d = v->type;
	size_t i;

	switch (v->type) {
	case POSH_STR:
		return mix_bytes(mix(d, v->width), v->data, v->size * v->width);
	case POSH_BYTES:
	case POSH_BIGINT:
		return mix_bytes(d, v->data, v->size);
	case POSH_TUPLE:
		d = mix(d, mix(v->width, v->size));
		for (i = 0; i < v->size; i++)
			d = mix(d, digest_of(h, &v->items[i], 0));
		return d;
	case POSH_COMPLEX:
		d = mix_bytes(d, &v->im, sizeof(v->im));
		return mix_bytes(d, &v->f, sizeof(v->f));
	case POSH_OBJECT:
		d = mix(d, v->kind);
		return depth > 0 ? mix(d, digest_object(h, v, depth - 1)) : d;
	default:
		return mix(d, (uint64_t)v->i);
	}
}

uint64_t
world_digest(posh_heap *h)
{
	struct posh_value root = posh_object(posh_heap_place(h, POSH_ROOT)),
			  classes =
				  posh_object(posh_heap_place(h, POSH_CLASSES));

	root.kind = classes.kind = POSH_KIND_DICT;
	return mix(digest_of(h, &root, 6), digest_of(h, &classes, 6));
}

uint64_t
world_clear(posh_heap *h, uint64_t *suspects)
{
	struct posh_stats st;

	posh_dict_clear(h, posh_heap_place(h, POSH_ROOT));
	posh_dict_clear(h, posh_heap_place(h, POSH_CLASSES));
	posh_heap_reap(h);
	posh_heap_collect(h);
	if (posh_heap_stats(h, &st, sizeof(st)))
		return 0;
	*suspects = st.suspects;
	return st.live_bytes;
}

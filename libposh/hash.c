/* SPDX-License-Identifier: MIT */
/* hash.c - hashes of values: of content, and equal in every process.
 *
 * Numbers hash by CPython's numeric hash, texts and bytes by XXH3 of the
 * canonical form with the width as the seed, tuples by their items' hashes
 * (whether they are boxes or objects), other objects by handle; and what is
 * like another value, as that does.  A value that
 * is stored as an immediate, but no number, hashes by its word: an equal value
 * is always stored as that same word. What no hash function mixes by itself
 * goes through posh__mix.
 *
 * A hash is part of the layout: boxes keep theirs.
 */
#include "config.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "canon.h"
#include "op.h"

enum { SEED_BYTES = 8 };

/* Hash a text that has to be converted, by pieces. */
static uint64_t
hash_pieces(struct posh__text *t)
{
	uint32_t piece[64];
	XXH3_state_t state;
	size_t n;

	XXH3_INITSTATE(&state);
	XXH3_64bits_reset_withSeed(&state, t->width);
	while ((n = posh__text_take(t, piece, 64)) > 0)
		XXH3_64bits_update(&state, piece, n * t->width);
	return XXH3_64bits_digest(&state);
}

uint64_t
posh__text_hash(struct posh__text t)
{
	if (!posh__text_plain(&t))
		return hash_pieces(&t);
	return XXH3_64bits_withSeed(t.at, (size_t)(t.end - t.at), t.width);
}

uint64_t
posh__bytes_hash(const void *data, size_t size)
{
	return XXH3_64bits_withSeed(data, size, SEED_BYTES);
}

static uint64_t
number_hash(const struct posh__number *n)
{
	return posh__mix((uint64_t)posh__number_hash(n));
}

uint64_t
posh__immediate_hash(uint64_t value)
{
	struct posh__number n;

	if (POSH__TAG(value) == POSH__TAG_TEXT)
		return posh__mix(value);
	if (POSH__TAG(value) == POSH__TAG_INT) {
		int64_t i = posh__word_int(value);

		/* Below the prime, so CPython's hash but for -1. */
		return posh__mix((uint64_t)(i == -1 ? -2 : i));
	}
	if (POSH__TAG(value) >= POSH__TAG_FLOAT) {
		n.type = POSH__NUM_FLOAT;
		n.f = posh__word_float(value);
	} else if (value == POSH__TRUE || value == POSH__FALSE) {
		n.type = POSH__NUM_INT;
		n.i = value == POSH__TRUE;
	} else {
		return posh__mix(value);
	}
	return number_hash(&n);
}

/* A walk through a tuple. */
struct walk {
	struct posh_heap *h;
	int depth;
	unsigned budget; /* of tuples in the heap that may yet be entered */
	bool impure;     /* a thing was met that is no value */
};

/* Begin with a tuple's items, and end with the hash that it has as an item of
 * another one: a tuple that has objects in it, maybe itself, has the same as
 * all such.  (Equality does look into it.) */
static bool
enter(struct walk *w)
{
	bool outer = w->impure;

	w->impure = false;
	w->depth++;
	return outer;
}

static uint64_t
leave(struct walk *w, bool outer, uint64_t hash)
{
	w->depth--;
	if (w->impure && w->depth > 0)
		hash = POSH__INNER_HASH;
	w->impure |= outer;
	return hash;
}

static int hash_word(struct walk *w, uint64_t value, uint64_t *out);

static int
hash_slots(struct walk *w, const struct posh__items *t, uint64_t *out)
{
	uint64_t acc = posh__tuple_hash_begin(t->form, t->n), item = 0, i;
	uint64_t n = t->n;
	bool outer = enter(w);
	int rc = 0;

	if (w->depth > POSH__DEPTH || w->budget == 0) {
		w->impure = true;
		n = 0;
	} else {
		w->budget--;
	}
	for (i = 0; i < n && rc == 0; i++) {
		rc = hash_word(w, posh__load(&t->slot[i]), &item);
		acc = posh__tuple_hash_step(t->form, acc, i, item);
	}
	*out = leave(w, outer, acc);
	return rc;
}

static int
hash_word(struct walk *w, uint64_t value, uint64_t *out)
{
	struct posh__items t;
	struct posh__view v;
	int rc = 0;

	if (POSH__TAG(value) == POSH__TAG_OBJECT) {
		rc = posh__unlike(w->h, &value, &t);
		if (rc == 1 && POSH__TAG(value) == POSH__TAG_OBJECT)
			return hash_slots(w, &t, out);
		if (rc < 0)
			return rc;
	}

	switch (POSH__TAG(value)) {
	case POSH__TAG_BOX:
		rc = posh__box_view(w->h, POSH__PAYLOAD(value), &v);
		if (rc == 0)
			*out = posh__peek(&v.box->hash);
		return rc;
	case POSH__TAG_OBJECT:
		w->impure = true;
		*out = posh__mix(value);
		return 0;
	default:
		*out = posh__immediate_hash(value);
		return 0;
	}
}

static int hash_input(struct walk *w, const struct posh_value *in,
		      uint64_t *out);

static int
hash_tuple(struct walk *w, const struct posh_value *in, uint64_t *out)
{
	uint64_t acc = posh__tuple_hash_begin(in->width, in->size);
	uint64_t item = 0, last = 0;
	bool outer;
	size_t i;
	int rc = 0;

	if (w->depth >= POSH__DEPTH || !posh__tuple_fits(in))
		return -EINVAL;
	outer = enter(w);
	for (i = 0; i < in->size && rc == 0; i++) {
		rc = hash_input(w, &in->items[i], &item);
		acc = posh__tuple_hash_step(in->width, acc, i, item);
		if (rc == 0 && in->width == POSH_FORM_SET && item < last)
			rc = -EINVAL;
		last = item;
	}
	*out = leave(w, outer, acc);
	return rc;
}

static int
hash_text(const struct posh_value *in, uint64_t *out)
{
	struct posh__text t;
	int rc;

	/* Of width 1 it is canonical. */
	if (in->type == POSH_STR && in->width == 1 && in->data) {
		*out = XXH3_64bits_withSeed(in->data, in->size, 1);
		return 0;
	}
	rc = posh__text_begin(in, &t);
	if (rc == 0)
		*out = posh__text_hash(t);
	return rc;
}

/* What is no tuple and no object: 0 or -EINVAL; otherwise 1. */
static int
hash_scalar(const struct posh_value *in, uint64_t *out)
{
	struct posh__number n;
	uint64_t word;

	if (posh__value_immediate(in, &word)) {
		*out = posh__immediate_hash(word);
		return 0;
	}
	switch (in->type) {
	case POSH_STR:
	case POSH_UTF8:
		return hash_text(in, out);
	case POSH_BYTES:
		if (!in->data && in->size)
			return -EINVAL;
		*out = posh__bytes_hash(in->data, in->size);
		return 0;
	case POSH_TUPLE:
	case POSH_OBJECT:
		return 1;
	default:
		if (!posh__number_of(in, &n))
			return -EINVAL;
		*out = number_hash(&n);
		return 0;
	}
}

static int
hash_input(struct walk *w, const struct posh_value *in, uint64_t *out)
{
	int rc;

	in = posh__input_like(in);
	rc = in ? hash_scalar(in, out) : -EINVAL;
	if (rc <= 0)
		return rc;
	if (in->type == POSH_TUPLE)
		return hash_tuple(w, in, out);
	rc = hash_word(
		w,
		POSH__TAGGED(POSH__TAG_OBJECT, POSH__PAYLOAD(in->object.off)),
		out);
	return rc ? -EINVAL : 0;
}

static struct walk
walk(struct posh__self *self)
{
	return (struct walk){self ? self->h : NULL, 0, 1 << 16, false};
}

int
posh__value_hash(struct posh__self *self, const struct posh_value *in,
		 uint64_t *out)
{
	struct walk w;
	uint64_t hash;
	int rc = hash_scalar(in, out);

	if (rc <= 0)
		return rc;
	w = walk(self);
	rc = hash_input(&w, in, &hash);
	if (rc == 0)
		*out = hash;
	return rc;
}

int
posh__word_hash(struct posh__self *self, uint64_t value, uint64_t *out)
{
	struct walk w = walk(self);

	return hash_word(&w, value, out);
}

/*
 * The order of a set: by the hashes that its items have as such.
 */

bool
posh__sorted(struct posh__self *self, const posh__word *slot, uint64_t n)
{
	uint64_t i, item = 0, last = 0;

	for (i = 0; i < n; i++, last = item) {
		struct walk w = walk(self);

		enter(&w);
		if (hash_word(&w, posh__load(&slot[i]), &item) || item < last)
			return false;
	}
	return true;
}

struct hashed {
	uint64_t hash;
	struct posh_value v;
};

static int
by_hash(const void *a, const void *b)
{
	const struct hashed *p = a, *q = b;

	return (p->hash > q->hash) - (p->hash < q->hash);
}

static int
sort(struct posh__self *self, struct posh_value *v, size_t n)
{
	struct hashed *item = malloc(n * sizeof(*item));
	size_t i;
	int rc = 0;

	if (!item)
		return -ENOMEM;
	for (i = 0; i < n && rc == 0; i++) {
		struct walk w = walk(self);

		enter(&w);
		item[i].v = v[i];
		rc = hash_input(&w, &v[i], &item[i].hash);
	}
	if (rc == 0)
		qsort(item, n, sizeof(*item), by_hash);
	for (i = 0; i < n && rc == 0; i++)
		v[i] = item[i].v;
	free(item);
	return rc;
}

int
posh_value_sort(posh_heap *h, struct posh_value *v, size_t n)
{
	struct posh__self *self;
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	if (n)
		rc = sort(self, v, n);
	posh__leave(self);
	return rc;
}

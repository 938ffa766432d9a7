/* SPDX-License-Identifier: MIT */
/* hash.c - hashes of values: of content, and equal in every process.
 *
 * Numbers hash by CPython's numeric hash, texts and bytes by XXH3 of the
 * canonical form with the width as the seed, tuples by their items' hashes,
 * objects by handle.  A value that is stored as an immediate, but no number,
 * hashes by its word: an equal value is always stored as that same word.
 * What no hash function mixes by itself goes through posh__mix.
 *
 * A hash is part of the layout: boxes keep theirs.
 */
#include "config.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "canon.h"

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

static int hash_input(struct posh__self *self, const struct posh_value *in,
		      uint64_t *out, int depth);

static int
hash_tuple(struct posh__self *self, const struct posh_value *in, uint64_t *out,
	   int depth)
{
	uint64_t acc = posh__tuple_hash_begin(in->size), item;
	size_t i;
	int rc;

	if (depth >= POSH__DEPTH || (!in->items && in->size))
		return -EINVAL;
	for (i = 0; i < in->size; i++) {
		rc = hash_input(self, &in->items[i], &item, depth + 1);
		if (rc)
			return rc;
		acc = posh__tuple_hash_step(acc, item);
	}
	*out = acc;
	return 0;
}

static int
hash_input(struct posh__self *self, const struct posh_value *in, uint64_t *out,
	   int depth)
{
	struct posh__number n;
	struct posh__text t;
	uint64_t word;
	int rc;

	if (posh__value_immediate(in, &word)) {
		*out = posh__immediate_hash(word);
		return 0;
	}
	switch (in->type) {
	case POSH_STR:
		if (in->width == 1 && in->data) {
			*out = XXH3_64bits_withSeed(in->data, in->size, 1);
			return 0;
		}
		/* fall through */
	case POSH_UTF8:
		rc = posh__text_begin(in, &t);
		if (rc == 0)
			*out = posh__text_hash(t);
		return rc;
	case POSH_BYTES:
		if (!in->data && in->size)
			return -EINVAL;
		*out = posh__bytes_hash(in->data, in->size);
		return 0;
	case POSH_TUPLE:
		return hash_tuple(self, in, out, depth);
	case POSH_OBJECT:
		return posh__word_hash(
			self, POSH__TAGGED(POSH__TAG_OBJECT, in->object.off),
			out);
	default:
		if (!posh__number_of(in, &n))
			return -EINVAL;
		*out = number_hash(&n);
		return 0;
	}
}

int
posh__value_hash(struct posh__self *self, const struct posh_value *in,
		 uint64_t *out)
{
	return hash_input(self, in, out, 0);
}

int
posh__word_hash(struct posh__self *self, uint64_t value, uint64_t *out)
{
	struct posh__view v;
	int rc;

	switch (POSH__TAG(value)) {
	case POSH__TAG_BOX:
		rc = posh__box_view(self->h, POSH__PAYLOAD(value), &v);
		if (rc == 0)
			*out = posh__peek(&v.box->hash);
		return rc;
	case POSH__TAG_OBJECT:
		*out = posh__mix(value);
		return 0;
	default:
		*out = posh__immediate_hash(value);
		return 0;
	}
}

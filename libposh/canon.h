/* SPDX-License-Identifier: MIT */
/* canon.h - the one form that all equal inputs have.
 *
 * A text may come in any width or as UTF-8, an integer as POSH_INT or with
 * more bytes than it needs.  What is stored, hashed and compared is the
 * canonical form: a text in its narrowest width, an integer in the fewest
 * bytes, a NaN as the one NaN.
 */
#ifndef POSH_CANON_H
#define POSH_CANON_H

#include "value.h"

/* Tuples in tuples may go this deep, in an input and in a heap. */
enum { POSH__DEPTH = 200 };

/* text.c */

/* An input text on its way to canonical form. */
struct posh__text {
	const uint8_t *at, *end; /* what was not taken yet */
	size_t chars;            /* how many there are in all */
	unsigned from;           /* width of the input, 0: UTF-8, not ASCII */
	unsigned width;          /* the canonical one */
	bool ascii;
};

/* Look at a POSH_STR or POSH_UTF8.
 *   -EINVAL  it is malformed */
int posh__text_begin(const struct posh_value *in, struct posh__text *t);

/* Write up to max characters in the canonical width to `to` (aligned to 4),
 * and move on.  Returns how many. */
size_t posh__text_take(struct posh__text *t, void *to, size_t max);

/* Is the input canonical already, from at on? */
static inline bool
posh__text_plain(const struct posh__text *t)
{
	return t->from == t->width;
}

static inline bool
posh__all_ascii(const uint8_t *p, size_t n)
{
	uint64_t bits = 0, word;

	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&word, p, 8);
		bits |= word;
	}
	while (n--)
		bits |= *p++;
	return !(bits & UINT64_C(0x8080808080808080));
}

/* utf8.c */

/* Decode the character at *at, which is below end, and move behind it.
 * Returns UINT32_MAX for what is no UTF-8; lone surrogates are accepted. */
uint32_t posh__utf8_next(const uint8_t **at, const uint8_t *end);

/* number.c */

enum { POSH__NUM_INT, POSH__NUM_BIG, POSH__NUM_FLOAT, POSH__NUM_COMPLEX };

/* A number in canonical form: INT if it has 64 bits; otherwise BIG, in the
 * fewest bytes; COMPLEX only if the imaginary part is not 0. */
struct posh__number {
	int type;
	union {
		int64_t i;
		double f; /* FLOAT, COMPLEX */
		const uint8_t *data;
	};
	union {
		double im;
		size_t size;
	};
};

/* How many of n > 0 bytes of two's complement do not only repeat the sign. */
size_t posh__number_minimal(const uint8_t *p, size_t n);

/* The number that an input is; false: it is none, or malformed. */
bool posh__number_of(const struct posh_value *in, struct posh__number *n);

/* The number that a stored value is: 1, 0: it is none, or -EAGAIN. */
int posh__number_load(struct posh_heap *h, uint64_t value,
		      struct posh__number *n);

/* Are they equal, exactly, as Python compares them; but NaN equals NaN. */
bool posh__number_equal(const struct posh__number *a,
			const struct posh__number *b);

/* CPython's hash of the number; of a NaN 0. */
int64_t posh__number_hash(const struct posh__number *n);

/* hash.c */

/* Of a tuple in a tuple, if objects are in it. */
#define POSH__INNER_HASH UINT64_C(0x2545f4914f6cdd1d)

uint64_t posh__text_hash(struct posh__text t);
uint64_t posh__bytes_hash(const void *data, size_t size);

/* Spread what distinguishes two words over all bits. */
static inline uint64_t
posh__mix(uint64_t x)
{
	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	x = (x ^ x >> 29) * UINT64_C(0x9fb21c651e98df25);
	return x ^ x >> 32;
}

/* The hash of a tuple: begin with its form and length, step for each item. */
static inline uint64_t
posh__tuple_hash_begin(unsigned form, size_t n)
{
	return UINT64_C(0x9e3779b97f4a7c15) ^ n ^ (uint64_t)form << 56;
}

static inline uint64_t
posh__tuple_hash_step(unsigned form, uint64_t acc, size_t i, uint64_t item)
{
	if (form == POSH_FORM_LIKE || form == POSH_FORM_KEY)
		return i == 1 ? item : acc;
	return posh__mix(acc + item);
}

/* Are the items of a stored set in order? */
bool posh__sorted(struct posh__self *self, const posh__word *slot, uint64_t n);

/* How many items a tuple of that form may have. */
static inline bool
posh__form_fits(unsigned form, uint64_t n)
{
	switch (form) {
	case POSH_FORM_TYPED:
		return n == 2;
	case POSH_FORM_LIKE:
		return n == 2 || n == 3;
	case POSH_FORM_KEY:
		return n == 3;
	default:
		return form <= POSH_FORM_SET;
	}
}

/* Are there items, as many as the form has, and is its class a text? */
static inline bool
posh__tuple_fits(const struct posh_value *in)
{
	if ((!in->items && in->size) || !posh__form_fits(in->width, in->size))
		return false;
	return in->width == POSH_FORM_PLAIN || in->width == POSH_FORM_SET ||
	       in->items->type == POSH_STR || in->items->type == POSH_UTF8;
}

/* What an input is equal to: itself, or what it is like.  NULL: malformed. */
static inline const struct posh_value *
posh__input_like(const struct posh_value *in)
{
	while (in->type == POSH_TUPLE && in->width == POSH_FORM_LIKE) {
		if (!posh__tuple_fits(in))
			return NULL;
		in = &in->items[1];
	}
	return in;
}

/* box.c */

/* A box as far as it can be trusted: it lies in the heap, all its length. */
struct posh__view {
	const struct posh__box *box;
	unsigned kind, flags;
	uint64_t length; /* as in the box */
	uint64_t bytes;  /* of data */
};

/* Look at the box of this handle: 0 or -EAGAIN. */
int posh__box_view(struct posh_heap *h, uint64_t handle, struct posh__view *v);

/* The slots of a stored tuple, boxed or an object. */
struct posh__items {
	const posh__word *slot;
	uint64_t n; /* fits the form */
	unsigned form;
};

/* Look at a stored tuple: 1, 0: it is none, or -EAGAIN. */
int posh__items_view(struct posh_heap *h, uint64_t value,
		     struct posh__items *out);

/* The same, having put in the place of *value what it is like: *out is of no
 * POSH_FORM_LIKE. */
int posh__unlike(struct posh_heap *h, uint64_t *value, struct posh__items *out);

/* Make a box for an input that is not immediate, as posh__value_encode: a
 * text, bytes, a number, or a tuple of such. */
int posh__box_make(struct posh__self *self, const struct posh_value *in,
		   posh__word *owner);

/* Flags of a STR: its width in the low three bits, and this. */
#define POSH__STR_ASCII 8

#endif

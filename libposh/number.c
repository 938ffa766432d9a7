/* SPDX-License-Identifier: MIT */
/* number.c - one number, whatever its type: comparison and hash.
 *
 * Both are exact, and both are Python's: 1 == 1.0 == True == 1+0j, but
 * 2**53 + 1 != float(2**53).  The hash is the number modulo the prime
 * 2**61 - 1, which a shift by k bits multiplies by 2**(k % 61): that makes
 * it the same for ints and floats without converting one to the other.
 */
#include "config.h"

#include <math.h>

#include "canon.h"

#define PRIME ((UINT64_C(1) << 61) - 1)

/* Bytes of the largest float as two's complement, rounded up. */
enum { FLOAT_BYTES = 136 };

size_t
posh__number_minimal(const uint8_t *p, size_t n)
{
	while (n > 1 && ((p[n - 1] == 0 && p[n - 2] < 0x80) ||
			 (p[n - 1] == 0xff && p[n - 2] >= 0x80)))
		n--;
	return n;
}

static void
set_int(struct posh__number *n, int64_t i)
{
	n->type = POSH__NUM_INT;
	n->i = i;
}

static void
set_big(struct posh__number *n, const uint8_t *p, size_t size)
{
	int64_t i = 0;

	if (size)
		size = posh__number_minimal(p, size);
	if (size > 8) {
		n->type = POSH__NUM_BIG;
		n->data = p;
		n->size = size;
		return;
	}
	if (size) {
		i = p[size - 1] >= 0x80 ? -1 : 0;
		while (size)
			i = (int64_t)((uint64_t)i << 8 | p[--size]);
	}
	set_int(n, i);
}

static void
set_complex(struct posh__number *n, double re, double im)
{
	n->type = im == 0 ? POSH__NUM_FLOAT : POSH__NUM_COMPLEX;
	n->f = re;
	n->im = im;
}

bool
posh__number_of(const struct posh_value *in, struct posh__number *n)
{
	switch (in->type) {
	case POSH_BOOL:
		set_int(n, in->i != 0);
		return true;
	case POSH_INT:
		set_int(n, in->i);
		return true;
	case POSH_BIGINT:
		if (!in->data && in->size)
			return false;
		set_big(n, in->data, in->size);
		return true;
	case POSH_FLOAT:
		n->type = POSH__NUM_FLOAT;
		n->f = in->f;
		return true;
	case POSH_COMPLEX:
		set_complex(n, in->f, in->im);
		return true;
	default:
		return false;
	}
}

static double
word_double(uint64_t bits)
{
	double f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

static int
load_box(struct posh_heap *h, uint64_t handle, struct posh__number *n)
{
	struct posh__view v;
	int rc = posh__box_view(h, handle, &v);

	if (rc)
		return rc;
	if (v.kind == POSH__KIND_COMPLEX) {
		set_complex(n, word_double(posh__peek(&v.box->data[0])),
			    word_double(posh__peek(&v.box->data[1])));
		return 1;
	}
	if (v.kind != POSH__KIND_INT)
		return 0;
	set_big(n, (const uint8_t *)v.box->data, v.bytes);
	return 1;
}

int
posh__number_load(struct posh_heap *h, uint64_t value, struct posh__number *n)
{
	unsigned tag = POSH__TAG(value);

	if (tag >= POSH__TAG_FLOAT) {
		n->type = POSH__NUM_FLOAT;
		n->f = posh__word_float(value);
		return 1;
	}
	switch (tag) {
	case POSH__TAG_INT:
		set_int(n, posh__word_int(value));
		return 1;
	case POSH__TAG_SPECIAL:
		if (value != POSH__FALSE && value != POSH__TRUE)
			return 0;
		set_int(n, value == POSH__TRUE);
		return 1;
	case POSH__TAG_BOX:
		return load_box(h, POSH__PAYLOAD(value), n);
	default:
		return 0;
	}
}

static bool
same(double a, double b)
{
	return a == b || (a != a && b != b);
}

/* 2**63 is a double, INT64_MAX is none. */
static bool
int_is(int64_t i, double f)
{
	return f >= -0x1p63 && f < 0x1p63 && (double)(int64_t)f == f &&
	       (int64_t)f == i;
}

/* A finite float without its sign is the result, below 2**53, by 2**e. */
static uint64_t
split(double f, int *e)
{
	uint64_t bits;
	int exponent;

	memcpy(&bits, &f, sizeof(bits));
	exponent = (int)(bits >> 52 & 0x7ff);
	bits &= (UINT64_C(1) << 52) - 1;
	*e = (exponent ? exponent : 1) - 1075;
	return exponent ? bits | UINT64_C(1) << 52 : bits;
}

static bool
big_is(const uint8_t *p, size_t size, double f)
{
	uint8_t buf[FLOAT_BYTES] = {0};
	uint64_t m;
	int e, i, carry = 1;

	if (!isfinite(f) || size > FLOAT_BYTES)
		return false;
	m = split(f, &e);
	if (e <= 0)
		return false; /* below 2**53: no BIG, which has 65 bits */
	for (i = 0; i < 8; i++) {
		uint64_t part = (m >> i * 8 & 0xff) << e % 8;

		buf[e / 8 + i] |= (uint8_t)part;
		buf[e / 8 + i + 1] = (uint8_t)(part >> 8);
	}
	for (i = 0; f < 0 && i < FLOAT_BYTES; i++) {
		carry += (uint8_t)~buf[i];
		buf[i] = (uint8_t)carry;
		carry >>= 8;
	}
	return posh__number_minimal(buf, FLOAT_BYTES) == size &&
	       !memcmp(buf, p, size);
}

bool
posh__number_equal(const struct posh__number *a, const struct posh__number *b)
{
	if (a->type > b->type) {
		const struct posh__number *swap = a;

		a = b;
		b = swap;
	}
	switch (b->type) {
	case POSH__NUM_INT:
		return a->i == b->i;
	case POSH__NUM_BIG:
		return a->type == POSH__NUM_BIG && a->size == b->size &&
		       !memcmp(a->data, b->data, a->size);
	case POSH__NUM_FLOAT:
		if (a->type == POSH__NUM_INT)
			return int_is(a->i, b->f);
		if (a->type == POSH__NUM_BIG)
			return big_is(a->data, a->size, b->f);
		return same(a->f, b->f);
	default:
		return a->type == POSH__NUM_COMPLEX && same(a->f, b->f) &&
		       same(a->im, b->im);
	}
}

/* Into 0 .. PRIME - 1. */
static uint64_t
reduce(uint64_t x)
{
	x = (x & PRIME) + (x >> 61);
	return x >= PRIME ? x - PRIME : x;
}

/* x * 2**k modulo PRIME, of an x below it. */
static uint64_t
shift(uint64_t x, unsigned k)
{
	return k ? (x << k & PRIME) | x >> (61 - k) : x;
}

static int64_t
signed_hash(uint64_t magnitude, bool negative)
{
	int64_t x = negative ? -(int64_t)magnitude : (int64_t)magnitude;

	return x == -1 ? -2 : x;
}

static int64_t
int_hash(int64_t i)
{
	return signed_hash(reduce(i < 0 ? 0 - (uint64_t)i : (uint64_t)i),
			   i < 0);
}

/* As if unsigned first; of a negative number that is 2**(8 n) too much. */
static int64_t
big_hash(const uint8_t *p, size_t n)
{
	bool negative = p[n - 1] >= 0x80;
	uint64_t hash = 0, word, over;
	size_t i = n;

	for (; i % 8; i--)
		hash = reduce(shift(hash, 8) + p[i - 1]);
	for (; i; i -= 8) {
		memcpy(&word, p + i - 8, 8);
		hash = reduce(shift(hash, 64 - 61) + reduce(word));
	}
	if (!negative)
		return signed_hash(hash, false);
	over = shift(1, (unsigned)(n % 61 * 8 % 61));
	return signed_hash(reduce(over + PRIME - hash), true);
}

static int64_t
float_hash(double f)
{
	uint64_t m;
	int e;

	if (!isfinite(f))
		return f != f ? 0 : f > 0 ? 314159 : -314159;
	if (f >= -0x1p53 && f <= 0x1p53 && (double)(int64_t)f == f)
		return int_hash((int64_t)f);
	m = split(f, &e);
	/* A multiple of 61 that makes it positive, for the unsigned modulo. */
	return signed_hash(shift(m, (unsigned)(e + 18 * 61) % 61), f < 0);
}

int64_t
posh__number_hash(const struct posh__number *n)
{
	uint64_t hash;

	switch (n->type) {
	case POSH__NUM_INT:
		return int_hash(n->i);
	case POSH__NUM_BIG:
		return big_hash(n->data, n->size);
	case POSH__NUM_FLOAT:
		return float_hash(n->f);
	default:
		hash = (uint64_t)float_hash(n->f) +
		       UINT64_C(1000003) * (uint64_t)float_hash(n->im);
		return (int64_t)hash == -1 ? -2 : (int64_t)hash;
	}
}

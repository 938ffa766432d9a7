/* SPDX-License-Identifier: MIT */
/* value.h - the 64-bit tagged value, and the boxed ones.
 *
 *   63     48 47                                              0
 *  +---------+-------------------------------------------------+
 *  |   0     |  0 EMPTY, 1 None, 2 False, 3 True, 4 Ellipsis   |
 *  |   1     |  integer, 48 bits, two's complement             |
 *  |   2     |  text of 0 to 6 ASCII characters, none NUL      |
 *  |   3     |  handle of a boxed value                        |
 *  |   4     |  handle of an object                            |
 *  | 15...   |  bits of a double + 15 << 48; one NaN only      |
 *  +---------+-------------------------------------------------+
 *
 * A text is padded with NULs, its first character in the lowest byte.
 */
#ifndef POSH_VALUE_H
#define POSH_VALUE_H

#include <stddef.h>
#include <string.h>

#include "ref.h"

#define POSH__TAG_SHIFT    48
#define POSH__TAG(v)       ((unsigned)((v) >> POSH__TAG_SHIFT))
#define POSH__PAYLOAD(v)   ((v)&POSH__HANDLE_MASK)
#define POSH__TAGGED(t, p) ((uint64_t)(t) << POSH__TAG_SHIFT | (p))

enum {
	POSH__TAG_SPECIAL = 0,
	POSH__TAG_INT = 1,
	POSH__TAG_TEXT = 2,
	POSH__TAG_BOX = 3,
	POSH__TAG_OBJECT = 4,
	POSH__TAG_FLOAT = 15, /* this and above */
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "the type of a struct posh_value is its lowest byte");

#define POSH__EMPTY    UINT64_C(0)
#define POSH__NONE     UINT64_C(1)
#define POSH__FALSE    UINT64_C(2)
#define POSH__TRUE     UINT64_C(3)
#define POSH__ELLIPSIS UINT64_C(4)

/* Does a value own nothing: is it neither a box nor an object? */
static inline bool
posh__is_plain(uint64_t value)
{
	return POSH__TAG(value) != POSH__TAG_BOX &&
	       POSH__TAG(value) != POSH__TAG_OBJECT;
}

/* The boxes.  All begin with struct posh__block, whose `first` is 0.
 *
 *   STR    {block, hash, bytes, data...}   flags: width 1, 2, 4 | ASCII << 3
 *   BYTES  {block, hash, bytes, data...}
 *   INT    {block, hash, bytes, two's complement low byte first}
 *   COMPLEX {block, hash, 16, bits of re, bits of im}
 *   BOXTUPLE {block, hash, number of slots, slots...}: links boxes only
 *                                           flags: enum posh_form
 *
 * Equal values are equal words or boxes of one kind with the same payload,
 * but for a number: that may be an int, a float or a complex; and for what is
 * like another value (POSH_FORM_LIKE): that is equal where the other one is.
 */
struct posh__box {
	struct posh__block block;
	posh__word hash;
	posh__word length;
	posh__word data[];
};

/* Turn an input into a value that *owner owns: an immediate, a new box, a
 * link to an object, or a new object (POSH_NEW, or a POSH_TUPLE with objects
 * in it).  *owner is set before anything is owned and is the value in the
 * end; it must be EMPTY before, and lie where recovery finds it.
 *   -ENOMEM, -EINVAL, -EXDEV: *owner is EMPTY again */
int posh__value_encode(struct posh__self *self, struct posh_value *in,
		       posh__word *owner);

/* The immediate value of n bytes of ASCII; false: there is none. */
static inline bool
posh__ascii_immediate(const void *data, size_t n, uint64_t *out)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint8_t *p = (const uint8_t *)data;
	uint64_t word = 0, full;
	uint32_t low, high;

	if (n > 6 || (n && !p))
		return false;
	/* No byte behind the text is read. */
	if (n >= 4) {
		memcpy(&low, p, 4);
		memcpy(&high, p + n - 4, 4);
		word = low | (uint64_t)high << (n - 4) * 8;
	} else if (n) {
		word = p[0] | (uint64_t)p[n / 2] << n / 2 * 8 |
		       (uint64_t)p[n - 1] << (n - 1) * 8;
	}
	/* Nothing beyond ASCII, and no NUL: with ones behind the text each of
	 * the eight bytes is 1 to 127, so that none borrows. */
	full = word | ones << n * 8;
	*out = POSH__TAGGED(POSH__TAG_TEXT, word);
	return !((full | (full - ones)) & ones << 7);
}

/* The same of any text. */
bool posh__text_immediate(const struct posh_value *in, uint64_t *out);

/* There is one NaN. */
static inline uint64_t
posh__float_word(double f)
{
	uint64_t bits;

	memcpy(&bits, &f, sizeof(bits));
	if (__builtin_expect(f != f, 0))
		bits = UINT64_C(0x7ff8) << POSH__TAG_SHIFT;
	return bits + POSH__TAGGED(POSH__TAG_FLOAT, 0);
}

static inline double
posh__word_float(uint64_t word)
{
	double f;

	word -= POSH__TAGGED(POSH__TAG_FLOAT, 0);
	memcpy(&f, &word, sizeof(f));
	return f;
}

static inline int64_t
posh__word_int(uint64_t word)
{
	return (int64_t)(word << (64 - POSH__TAG_SHIFT)) >>
	       (64 - POSH__TAG_SHIFT);
}

/* Does it fit into 48 bits? */
static inline bool
posh__int_word(int64_t i, uint64_t *out)
{
	*out = POSH__TAGGED(POSH__TAG_INT, POSH__PAYLOAD((uint64_t)i));
	return posh__word_int(*out) == i;
}

/* The value of an input that needs no memory: false if it does, or is
 * malformed. */
static inline bool
posh__value_immediate(const struct posh_value *in, uint64_t *out)
{
	switch (in->type) {
	case POSH_NONE:
		*out = POSH__NONE;
		return true;
	case POSH_BOOL:
		*out = in->i ? POSH__TRUE : POSH__FALSE;
		return true;
	case POSH_INT:
		return posh__int_word(in->i, out);
	case POSH_FLOAT:
		*out = posh__float_word(in->f);
		return true;
	case POSH_ELLIPSIS:
		*out = POSH__ELLIPSIS;
		return true;
	case POSH_STR:
		if (__builtin_expect(in->width != 1, 0))
			return posh__text_immediate(in, out);
		return posh__ascii_immediate(in->data, in->size, out);
	case POSH_UTF8:
		return posh__ascii_immediate(in->data, in->size, out);
	default:
		return false;
	}
}

/* Turn a value into an output.  Texts and the like are copied to the thread's
 * scratch memory (posh__scratch).  Everything is checked, as the memory may
 * be stale; the caller validates afterwards.  Objects are not held here:
 * out->object and out->kind are set.
 *   -EAGAIN  it makes no sense (stale, or damaged)
 *   -ENOMEM  no memory for the scratch buffer */
int posh__value_decode(struct posh__self *self, uint64_t value,
		       struct posh_value *out);

/* A plain value in two registers: the first word of a struct posh_value, and
 * its last. */
struct posh__plain {
	uint64_t head;
	uint64_t data;
};

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define POSH__HEAD(type) ((uint64_t)(type))
#else
#define POSH__HEAD(type) ((uint64_t)(type) << 56)
#endif

/* Numbers, None and the truth values; false: something else. */
static inline bool
posh__value_plain(uint64_t value, struct posh__plain *out)
{
	unsigned tag = POSH__TAG(value);

	if (tag == POSH__TAG_INT) {
		out->head = POSH__HEAD(POSH_INT);
		out->data = (uint64_t)posh__word_int(value);
		return true;
	}
	if (tag >= POSH__TAG_FLOAT) {
		out->head = POSH__HEAD(POSH_FLOAT);
		out->data = value - POSH__TAGGED(POSH__TAG_FLOAT, 0);
		return true;
	}
	if (value - POSH__NONE > POSH__TRUE - POSH__NONE)
		return false;
	out->head = POSH__HEAD(value == POSH__NONE ? POSH_NONE : POSH_BOOL);
	out->data = value == POSH__TRUE;
	return true;
}

/* In three stores of a word, which the caller's loads can forward. */
static inline void
posh__plain_put(const struct posh__plain *p, struct posh_value *out)
{
	memcpy(out, &p->head, sizeof(p->head));
	out->size = 0;
	out->i = (int64_t)p->data;
}

/* posh__value_decode for a value that needs no scratch memory; false if it
 * does. */
static inline bool
posh__value_decode_fast(uint64_t value, struct posh_value *out)
{
	struct posh__plain p;

	if (!posh__value_plain(value, &p))
		return false;
	posh__plain_put(&p, out);
	return true;
}

/* scratch.c: what a call returns by pointer. */

struct posh__scratch {
	char *begin, *at, *end;    /* of the current chunk */
	struct posh__chunk *chunk; /* the current one, and those before it */
	struct posh__scratch *other;
	bool trim; /* more is there than a reset keeps */
};

struct posh__chunk {
	struct posh__chunk *next;
	size_t bytes; /* of data */
	max_align_t data[];
};

void posh__scratch_trim(struct posh__self *self);
void *posh__scratch_more(struct posh__self *self, size_t bytes);
void posh__scratch_free(struct posh__self *self);

/* Change to the thread's other scratch memory: for a call that may read again
 * and again while its input is what the last call returned. */
void posh__scratch_flip(struct posh__self *self);

/* Begin a call that returns data: what was taken before is void. */
static inline void
posh__scratch_reset(struct posh__self *self)
{
	struct posh__scratch *s = self->scratch;

	if (!s)
		return;
	if (__builtin_expect(s->trim, 0))
		posh__scratch_trim(self);
	else
		s->at = s->begin;
}

/* Take bytes, 16-byte aligned; they stay where they are until the next reset.
 * NULL: there is no memory. */
static inline void *
posh__scratch(struct posh__self *self, size_t bytes)
{
	struct posh__scratch *s = self->scratch;
	char *p;

	if (__builtin_expect(!s || (size_t)(s->end - s->at) < bytes, 0))
		return posh__scratch_more(self, bytes);
	p = s->at;
	s->at += (bytes + 15) & ~(size_t)15;
	return p;
}

/* The hash of an input and of a stored value: equal for equal ones, in every
 * process.  -EINVAL: the input is malformed; -EAGAIN as above. */
int posh__value_hash(struct posh__self *self, const struct posh_value *in,
		     uint64_t *out);
int posh__word_hash(struct posh__self *self, uint64_t value, uint64_t *out);
uint64_t posh__immediate_hash(uint64_t value); /* no box and no object */

/* tuple.c and object.c: encode a tuple that has objects in it, and POSH_NEW. */
int posh__tuple_make(struct posh__self *self, const struct posh_value *in,
		     posh__word *owner);
int posh__object_make(struct posh__self *self, struct posh_value *in,
		      posh__word *owner);

/* Is a stored value equal to an input (1, 0, or -EAGAIN)?  The input must have
 * a hash.  Objects are equal by handle; but those that are tuples, as tuples
 * are. */
int posh__value_equal(struct posh__self *self, uint64_t value,
		      const struct posh_value *in);

/* The same of two stored values.  Needs no memory. */
int posh__words_equal(struct posh__self *self, uint64_t a, uint64_t b);

#endif

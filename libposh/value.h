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

#include "ref.h"

#define POSH__TAG_SHIFT   48
#define POSH__TAG(v)      ((unsigned)((v) >> POSH__TAG_SHIFT))
#define POSH__PAYLOAD(v)  ((v) & POSH__HANDLE_MASK)
#define POSH__TAGGED(t, p) ((uint64_t)(t) << POSH__TAG_SHIFT | (p))

enum {
	POSH__TAG_SPECIAL = 0,
	POSH__TAG_INT = 1,
	POSH__TAG_TEXT = 2,
	POSH__TAG_BOX = 3,
	POSH__TAG_OBJECT = 4,
	POSH__TAG_FLOAT = 15, /* this and above */
};

#define POSH__EMPTY    UINT64_C(0)
#define POSH__NONE     UINT64_C(1)
#define POSH__FALSE    UINT64_C(2)
#define POSH__TRUE     UINT64_C(3)
#define POSH__ELLIPSIS UINT64_C(4)

/* The boxes.  All begin with struct posh__block; `first` is the length in
 * bytes of a short payload or 0.
 *
 *   STR    {block, hash, length, data...}  flags: width 1, 2, 4 | ASCII << 3
 *   BYTES  {block, hash, length, data...}
 *   INT    {block, hash, length in bytes, two's complement low byte first}
 *   COMPLEX {block, hash, re, im} as doubles
 *   BOXTUPLE {block, hash, length, slots...}: links boxed values only
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

/* The same for scalars that need no memory: false if it does. */
bool posh__value_immediate(const struct posh_value *in, uint64_t *out);

/* Turn a value into an output.  Texts and the like are copied to the thread's
 * scratch memory (posh__scratch).  Everything is checked, as the memory may
 * be stale; the caller validates afterwards.  Objects are not held here:
 * out->object and out->kind are set.
 *   -EAGAIN  it makes no sense (stale, or damaged)
 *   -ENOMEM  no memory for the scratch buffer */
int posh__value_decode(struct posh__self *self, uint64_t value,
		       struct posh_value *out);

/* Begin a call that returns data, and take bytes of the scratch memory, 16-byte
 * aligned; what was taken stays where it is until the next reset (chunks;
 * a reset keeps one of the largest size so far, at most 1 MiB). */
void posh__scratch_reset(struct posh__self *self);
void *posh__scratch(struct posh__self *self, size_t bytes);

/* The hash of an input and of a stored value: equal for equal ones, in every
 * process.  -EINVAL: the input is malformed; -EAGAIN as above. */
int posh__value_hash(struct posh__self *self, const struct posh_value *in,
		     uint64_t *out);
int posh__word_hash(struct posh__self *self, uint64_t value, uint64_t *out);

/* Is a stored value equal to an input (1, 0, or -EAGAIN)?  Objects are equal
 * by handle. */
int posh__value_equal(struct posh__self *self, uint64_t value,
		      const struct posh_value *in);

#endif

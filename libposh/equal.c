/* SPDX-License-Identifier: MIT */
/* equal.c - is a stored value equal to an input?
 *
 * The input is not brought into canonical form for this: its characters are
 * compared one by one where the widths differ.  What is stored may be stale
 * and changing; the answer is then any, and the caller throws it away.
 */
#include "config.h"

#include "canon.h"

static inline uint32_t
char_at(const uint8_t *p, size_t i, unsigned width)
{
	uint16_t two;
	uint32_t four;

	if (width == 1)
		return p[i];
	if (width == 2) {
		memcpy(&two, p + 2 * i, 2);
		return two;
	}
	memcpy(&four, p + 4 * i, 4);
	return four;
}

static int
equal_utf8(const struct posh__view *v, unsigned width,
	   const struct posh_value *in)
{
	const uint8_t *data = (const uint8_t *)v->box->data;
	const uint8_t *at = in->data, *end = at + in->size;
	size_t i, chars = v->bytes / width;

	if (v->flags & POSH__STR_ASCII)
		return chars == in->size && !memcmp(data, at, chars);
	for (i = 0; i < chars && at < end; i++)
		if (posh__utf8_next(&at, end) != char_at(data, i, width))
			return 0;
	return i == chars && at == end;
}

static int
equal_text(const struct posh__view *v, const struct posh_value *in)
{
	const uint8_t *data = (const uint8_t *)v->box->data;
	unsigned width = v->flags & 7;
	size_t i;

	if (v->kind != POSH__KIND_STR || (in->size && !in->data))
		return 0;
	if (in->type == POSH_UTF8)
		return equal_utf8(v, width, in);
	if (in->width < width || v->bytes / width != in->size)
		return 0;
	if (in->width == width)
		return !memcmp(data, in->data, v->bytes);
	for (i = 0; i < in->size; i++)
		if (char_at(data, i, width) != char_at(in->data, i, in->width))
			return 0;
	return 1;
}

static int equal(struct posh_heap *h, uint64_t value,
		 const struct posh_value *in, int depth);

static int
equal_tuple(struct posh_heap *h, const struct posh__view *v,
	    const struct posh_value *in, int depth)
{
	size_t i;
	int rc = 1;

	if (v->kind != POSH__KIND_BOXTUPLE || v->length != in->size ||
	    depth >= POSH__DEPTH)
		return 0;
	for (i = 0; i < in->size && rc == 1; i++)
		rc = equal(h, posh__load(&v->box->data[i]), &in->items[i],
			   depth + 1);
	return rc;
}

static int
equal_box(struct posh_heap *h, uint64_t value, const struct posh_value *in,
	  int depth)
{
	struct posh__view v;
	int rc;

	if (POSH__TAG(value) != POSH__TAG_BOX)
		return 0;
	rc = posh__box_view(h, POSH__PAYLOAD(value), &v);
	if (rc)
		return rc;
	if (in->type == POSH_TUPLE)
		return equal_tuple(h, &v, in, depth);
	if (in->type != POSH_BYTES)
		return equal_text(&v, in);
	return v.kind == POSH__KIND_BYTES && v.bytes == in->size &&
	       (v.bytes == 0 ||
		!memcmp((const void *)v.box->data, in->data, v.bytes));
}

static int
equal_number(struct posh_heap *h, uint64_t value, const struct posh_value *in)
{
	struct posh__number a, b;
	int rc;

	if (!posh__number_of(in, &b))
		return 0;
	rc = posh__number_load(h, value, &a);
	return rc == 1 ? posh__number_equal(&a, &b) : rc;
}

static int
equal(struct posh_heap *h, uint64_t value, const struct posh_value *in,
      int depth)
{
	uint64_t word;

	if (posh__value_immediate(in, &word)) {
		if (word == value)
			return 1;
		/* One word only is equal to a text, None or Ellipsis. */
		if (in->type != POSH_BOOL && in->type != POSH_INT &&
		    in->type != POSH_FLOAT)
			return 0;
	}
	switch (in->type) {
	case POSH_STR:
	case POSH_UTF8:
	case POSH_BYTES:
	case POSH_TUPLE:
		return equal_box(h, value, in, depth);
	case POSH_OBJECT:
		return value == POSH__TAGGED(POSH__TAG_OBJECT, in->object.off);
	default:
		return equal_number(h, value, in);
	}
}

int
posh__value_equal(struct posh__self *self, uint64_t value,
		  const struct posh_value *in)
{
	return equal(self->h, value, in, 0);
}

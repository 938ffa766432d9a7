/* SPDX-License-Identifier: MIT */
/* equal.c - is a stored value equal to an input?
 *
 * The input is not brought into canonical form for this: its characters are
 * compared one by one where the widths differ.  What is stored may be stale
 * and changing; the answer is then any, and the caller throws it away.
 * The input is one that has a hash: hashing found it well formed.
 */
#include "config.h"

#include "canon.h"

/* A walk through tuples. */
struct walk {
	struct posh_heap *h;
	int depth;
	uint64_t budget; /* of pairs of tuples: objects may be in a circle */
};

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

static int equal(struct walk *w, uint64_t value, const struct posh_value *in);

/* Items of a set that have the same hash are in any order. */
static int
set_has(struct walk *w, const struct posh__items *t,
	const struct posh_value *in)
{
	uint64_t i;
	int rc = 0;

	for (i = 0; i < t->n && rc == 0; i++)
		rc = equal(w, posh__load(&t->slot[i]), in);
	return rc;
}

static int
equal_tuple(struct walk *w, const struct posh__items *t,
	    const struct posh_value *in)
{
	size_t i;
	int rc = t->n == in->size && t->form == in->width &&
		 w->depth < POSH__DEPTH;

	w->depth++;
	for (i = 0; i < in->size && rc == 1; i++) {
		rc = equal(w, posh__load(&t->slot[i]), &in->items[i]);
		if (rc == 0 && t->form == POSH_FORM_SET)
			rc = set_has(w, t, &in->items[i]);
	}
	w->depth--;
	return rc;
}

static int
equal_box(struct walk *w, uint64_t value, const struct posh_value *in)
{
	struct posh__view v;
	int rc;

	if (POSH__TAG(value) != POSH__TAG_BOX)
		return 0;
	rc = posh__box_view(w->h, POSH__PAYLOAD(value), &v);
	if (rc)
		return rc;
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

/* Two boxes that are no numbers and no tuples. */
static int
boxes_equal(struct walk *w, uint64_t a, uint64_t b)
{
	struct posh__view v, u;
	int rc = posh__box_view(w->h, POSH__PAYLOAD(a), &v);

	if (rc == 0)
		rc = posh__box_view(w->h, POSH__PAYLOAD(b), &u);
	if (rc)
		return rc;
	return v.kind == u.kind && v.flags == u.flags && v.bytes == u.bytes &&
	       !memcmp((const void *)v.box->data, (const void *)u.box->data,
		       v.bytes);
}

static int words_equal(struct walk *w, uint64_t a, uint64_t b);

/* As set_has. */
static int
set_has_word(struct walk *w, const struct posh__items *t, uint64_t word)
{
	uint64_t i;
	int rc = 0;

	for (i = 0; i < t->n && rc == 0; i++)
		rc = words_equal(w, posh__load(&t->slot[i]), word);
	return rc;
}

static int
tuples_equal(struct walk *w, const struct posh__items *a,
	     const struct posh__items *b)
{
	uint64_t i;
	int rc = 1;

	if (a->form != b->form || a->n != b->n || w->depth >= POSH__DEPTH ||
	    w->budget == 0)
		return 0;
	w->budget--;
	w->depth++;
	for (i = 0; i < a->n && rc == 1; i++) {
		uint64_t word = posh__load(&b->slot[i]);

		rc = words_equal(w, posh__load(&a->slot[i]), word);
		if (rc == 0 && a->form == POSH_FORM_SET)
			rc = set_has_word(w, a, word);
	}
	w->depth--;
	return rc;
}

static int
words_equal(struct walk *w, uint64_t a, uint64_t b)
{
	struct posh__items t, u;
	struct posh__number p, q;
	int one, two, tuple, other;

	if (a == b)
		return 1;
	tuple = posh__unlike(w->h, &a, &t);
	other = posh__unlike(w->h, &b, &u);
	if (tuple < 0 || other < 0)
		return -EAGAIN;
	if (a == b)
		return 1;
	if (tuple || other)
		return tuple && other ? tuples_equal(w, &t, &u) : 0;
	one = posh__number_load(w->h, a, &p);
	two = posh__number_load(w->h, b, &q);
	if (one < 0 || two < 0)
		return -EAGAIN;
	if (one || two)
		return one && two && posh__number_equal(&p, &q);
	if (POSH__TAG(a) != POSH__TAG_BOX || POSH__TAG(b) != POSH__TAG_BOX)
		return 0;
	return boxes_equal(w, a, b);
}

static int
equal_object(struct walk *w, uint64_t value, const struct posh_value *in)
{
	uint64_t word =
		POSH__TAGGED(POSH__TAG_OBJECT, POSH__PAYLOAD(in->object.off));

	/* A tuple may be equal to another one, or to a box. */
	return words_equal(w, value, word);
}

static int
equal(struct walk *w, uint64_t value, const struct posh_value *in)
{
	struct posh__items t;
	uint64_t word;
	int rc;

	in = posh__input_like(in);
	if (!in)
		return 0;
	rc = posh__unlike(w->h, &value, &t);
	if (rc < 0)
		return rc;
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
		return equal_box(w, value, in);
	case POSH_TUPLE:
		return rc == 1 ? equal_tuple(w, &t, in) : 0;
	case POSH_OBJECT:
		return equal_object(w, value, in);
	default:
		return equal_number(w->h, value, in);
	}
}

static struct walk
walk(struct posh__self *self)
{
	return (struct walk){self->h, 0,
			     posh__private_load(&self->h->limit) / 32};
}

int
posh__value_equal(struct posh__self *self, uint64_t value,
		  const struct posh_value *in)
{
	struct walk w = walk(self);

	return equal(&w, value, in);
}

int
posh__words_equal(struct posh__self *self, uint64_t a, uint64_t b)
{
	struct walk w = walk(self);

	return words_equal(&w, a, b);
}

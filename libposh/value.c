/* SPDX-License-Identifier: MIT */
/* value.c - values into the heap and out of it. */
#include "config.h"

#include "canon.h"

/* Is there an object in it, at any depth?  -EINVAL: it is malformed. */
static int
has_object(const struct posh_value *in, int depth)
{
	int any = 0, rc;
	size_t i;

	if (in->type == POSH_OBJECT || in->type == POSH_NEW)
		return 1;
	if (in->type != POSH_TUPLE)
		return 0;
	if (depth >= POSH__DEPTH || !posh__tuple_fits(in))
		return -EINVAL;
	for (i = 0; i < in->size; i++) {
		rc = has_object(&in->items[i], depth + 1);
		if (rc < 0)
			return rc;
		any |= rc;
	}
	return any;
}

static int
encode_object(struct posh__self *self, const struct posh_value *in,
	      posh__word *owner)
{
	uint64_t object = in->object.off;
	posh__word *state = posh__block_word(self->h, object);
	unsigned kind, st;

	if (!state)
		return -EXDEV;
	st = POSH__STATE(posh__load(state));
	if (st != POSH__LIVE && st != POSH__CONDEMNED)
		return -EXDEV;
	kind = posh__object(self->h, object)->kind;
	if (!posh__kind_is_object(kind))
		return -EINVAL;
	posh__link(self, object, owner, POSH__TAGGED(POSH__TAG_OBJECT, object));
	return 0;
}

int
posh__value_encode(struct posh__self *self, struct posh_value *in,
		   posh__word *owner)
{
	uint64_t word;
	int rc;

	if (posh__value_immediate(in, &word)) {
		posh__store(owner, word);
		return 0;
	}
	switch (in->type) {
	case POSH_OBJECT:
		return encode_object(self, in, owner);
	case POSH_NEW:
		return posh__object_make(self, in, owner);
	case POSH_TUPLE:
		rc = has_object(in, 0);
		if (rc < 0)
			return rc;
		if (rc)
			return posh__tuple_make(self, in, owner);
		return posh__box_make(self, in, owner);
	default:
		return posh__box_make(self, in, owner);
	}
}

/* What is left to do of a decoding: a damaged heap may have circles. */
struct decoding {
	struct posh__self *self;
	uint64_t budget; /* bytes that may still come: each has one owner */
	int depth;
};

static int decode(struct decoding *d, uint64_t value, struct posh_value *out);

static int
decode_text(struct posh__self *self, uint64_t value, struct posh_value *out)
{
	uint64_t text = POSH__PAYLOAD(value);
	char *to;

	if (text & UINT64_C(0x8080808080808080))
		return -EAGAIN;
	to = posh__scratch(self, 8);
	if (!to)
		return -ENOMEM;
	memcpy(to, &text, 8);
	out->type = POSH_STR;
	out->width = 1;
	out->ascii = 1;
	out->size = text ? (size_t)(71 - __builtin_clzll(text)) / 8 : 0;
	out->data = to;
	return 0;
}

/* Copy a box's bytes out, with NULs behind them. */
static int
decode_bytes(struct posh__self *self, const struct posh__view *v,
	     struct posh_value *out)
{
	char *to = posh__scratch(self, v->bytes + 4);

	if (!to)
		return -ENOMEM;
	memcpy(to, (const void *)v->box->data, v->bytes);
	memset(to + v->bytes, 0, 4);
	out->data = to;
	out->size = v->bytes;
	return 0;
}

/* The characters are such, and ASCII if that is said: a caller makes a text of
 * its own of them, and looks at nothing. */
static int
decode_str(struct posh__self *self, const struct posh__view *v,
	   struct posh_value *out)
{
	const uint32_t *wide;
	size_t i;
	int rc = decode_bytes(self, v, out);

	if (rc)
		return rc;
	out->type = POSH_STR;
	out->width = v->flags & 7;
	out->ascii = (v->flags & POSH__STR_ASCII) && out->width == 1;
	out->size /= out->width;
	if (out->ascii && !posh__all_ascii(out->data, out->size))
		return -EAGAIN;
	wide = out->data;
	for (i = 0; out->width == 4 && i < out->size; i++)
		if (wide[i] > 0x10ffff)
			return -EAGAIN;
	return 0;
}

static int
decode_int(struct posh__self *self, const struct posh__view *v,
	   struct posh_value *out)
{
	int64_t i = 0;

	if (v->bytes > 8) {
		out->type = POSH_BIGINT;
		return decode_bytes(self, v, out);
	}
	/* Low bytes first: the sign is in the last one. */
	memcpy(&i, (const void *)v->box->data, v->bytes);
	i = (int64_t)((uint64_t)i << (64 - 8 * v->bytes));
	out->type = POSH_INT;
	out->i = i >> (64 - 8 * v->bytes);
	return 0;
}

static int
decode_tuple(struct decoding *d, const struct posh__view *v,
	     struct posh_value *out)
{
	struct posh_value *items;
	size_t i;
	int rc = 0;

	if (d->depth == 0)
		d->budget = posh__load(&d->self->h->hdr->size);
	if (d->depth >= POSH__DEPTH)
		return -EAGAIN;
	items = posh__scratch(d->self, (v->length + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	d->depth++;
	for (i = 0; i < v->length && rc == 0; i++)
		rc = decode(d, posh__load(&v->box->data[i]), &items[i]);
	d->depth--;
	out->type = POSH_TUPLE;
	out->width = (uint8_t)v->flags;
	out->size = v->length;
	out->items = items;
	return rc;
}

static int
decode_box(struct decoding *d, uint64_t handle, struct posh_value *out)
{
	struct posh__view v;
	uint64_t word[2];
	int rc = posh__box_view(d->self->h, handle, &v);

	if (rc)
		return rc;
	if (d->depth > 0) {
		if (v.bytes > d->budget)
			return -EAGAIN;
		d->budget -= v.bytes;
	}
	switch (v.kind) {
	case POSH__KIND_STR:
		return decode_str(d->self, &v, out);
	case POSH__KIND_BYTES:
		out->type = POSH_BYTES;
		return decode_bytes(d->self, &v, out);
	case POSH__KIND_INT:
		return decode_int(d->self, &v, out);
	case POSH__KIND_COMPLEX:
		word[0] = posh__peek(&v.box->data[0]);
		word[1] = posh__peek(&v.box->data[1]);
		out->type = POSH_COMPLEX;
		memcpy(&out->f, &word[0], 8);
		memcpy(&out->im, &word[1], 8);
		return 0;
	default:
		return decode_tuple(d, &v, out);
	}
}

static int
decode_object(struct posh__self *self, uint64_t object, struct posh_value *out)
{
	unsigned kind;

	if (object & 15 ||
	    !posh__inside(self->h, object, sizeof(struct posh__object)))
		return -EAGAIN;
	kind = posh__object(self->h, object)->kind;
	if (!posh__kind_is_object(kind))
		return -EAGAIN;
	out->type = POSH_OBJECT;
	out->kind = (uint8_t)kind;
	out->object.off = object;
	return 0;
}

static int
decode(struct decoding *d, uint64_t value, struct posh_value *out)
{
	if (posh__value_decode_fast(value, out))
		return 0;
	memset(out, 0, sizeof(*out));
	switch (POSH__TAG(value)) {
	case POSH__TAG_TEXT:
		return decode_text(d->self, value, out);
	case POSH__TAG_BOX:
		return decode_box(d, POSH__PAYLOAD(value), out);
	case POSH__TAG_OBJECT:
		return decode_object(d->self, POSH__PAYLOAD(value), out);
	default:
		if (value != POSH__ELLIPSIS)
			return -EAGAIN;
		out->type = POSH_ELLIPSIS;
		return 0;
	}
}

int
posh__value_decode(struct posh__self *self, uint64_t value,
		   struct posh_value *out)
{
	struct decoding d = {self, 0, 0};

	return decode(&d, value, out);
}

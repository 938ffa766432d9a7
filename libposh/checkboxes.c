/* SPDX-License-Identifier: MIT */
/* checkboxes.c - a part of posh_heap_check: values, and boxes.
 *
 * A value has one form only (canon.h).  Whoever looks for one takes that for
 * granted: a text in another width or with another hash is not found. */
#include "config.h"

#include "canon.h"
#include "check.h"

static int
kind_of(struct posh_heap *h, uint64_t block)
{
	posh__word *w = posh__block_word(h, block);

	if (!w || POSH__STATE(posh__load(w)) != POSH__LIVE)
		return -1; /* the census says so */
	return posh__object(h, block)->kind;
}

/* Does it lead deeper than a value can?  Those who have lost count of boxes
 * walk in circles. */
static bool
too_deep(struct posh__check *c, uint64_t value, int depth)
{
	struct posh__items t;
	uint64_t i;

	if (POSH__TAG(value) != POSH__TAG_BOX ||
	    posh__items_view(c->self->h, value, &t) != 1)
		return false;
	/* Each takes 8 bytes or more, and is looked at once. */
	if (depth >= POSH__DEPTH || !posh__afford(&c->budget, t.n + 1))
		return true;
	for (i = 0; i < t.n; i++)
		if (too_deep(c, posh__load(&t.slot[i]), depth + 1))
			return true;
	return false;
}

/* A text of up to six characters, padded with NULs. */
static bool
is_text(uint64_t word)
{
	uint64_t text = POSH__PAYLOAD(word), out;
	size_t n = text ? (size_t)(71 - __builtin_clzll(text)) / 8 : 0;

	return posh__ascii_immediate(&text, n, &out) && out == word;
}

/* Is the word one that this value would have? */
static bool
well_formed(uint64_t value)
{
	unsigned tag = POSH__TAG(value);

	if (tag >= POSH__TAG_FLOAT)
		return posh__float_word(posh__word_float(value)) == value;
	switch (tag) {
	case POSH__TAG_SPECIAL:
		return value <= POSH__ELLIPSIS;
	case POSH__TAG_TEXT:
		return is_text(value);
	}
	return tag <= POSH__TAG_OBJECT;
}

void
posh__check_value(struct posh__check *c, uint64_t block, uint64_t value)
{
	unsigned tag = POSH__TAG(value);
	int kind;

	if (!well_formed(value)) {
		posh__say(c, "block %#llx has %#llx, which is no value",
			  posh__hex(block), posh__hex(value));
		return;
	}
	if (tag != POSH__TAG_BOX && tag != POSH__TAG_OBJECT)
		return;
	kind = kind_of(c->self->h, POSH__PAYLOAD(value));
	if (kind < 0)
		return;
	if (tag == POSH__TAG_BOX
		    ? kind < POSH__KIND_STR || kind > POSH__KIND_BOXTUPLE
		    : !posh__kind_is_object(kind))
		posh__say(c, "block %#llx has %#llx, which is of kind %d",
			  posh__hex(block), posh__hex(value), kind);
	else if (tag == POSH__TAG_BOX && too_deep(c, value, 0))
		posh__say(c, "block %#llx has a tuple that is too deep",
			  posh__hex(block));
}

/* Each of these says what is wrong with a box, and its hash. */

static const char *
text_wrong(const struct posh__view *v, uint64_t *hash)
{
	struct posh_value in = {.type = POSH_STR};
	struct posh__text t;
	uint64_t word;

	in.width = v->flags & 7;
	in.size = v->bytes / in.width;
	in.data = (const void *)v->box->data;
	if (posh__text_begin(&in, &t))
		return "a character that is none";
	if (t.width != in.width)
		return "a width that is too large";
	if (v->flags != (t.width | (t.ascii ? POSH__STR_ASCII : 0)))
		return "wrong flags";
	if (posh__text_immediate(&in, &word))
		return "a text that fits a word";
	*hash = posh__text_hash(t);
	return NULL;
}

static const char *
int_wrong(const struct posh__view *v, const struct posh__number *n,
	  uint64_t *hash)
{
	const uint8_t *p = (const void *)v->box->data;
	uint64_t word;

	if (posh__number_minimal(p, v->bytes) != v->bytes)
		return "a number with more bytes than it needs";
	if (n->type == POSH__NUM_INT && posh__int_word(n->i, &word))
		return "a number that fits a word";
	*hash = posh__mix((uint64_t)posh__number_hash(n));
	return NULL;
}

static const char *
complex_wrong(const struct posh__view *v, const struct posh__number *n,
	      uint64_t *hash)
{
	const uint64_t zero = POSH__TAGGED(POSH__TAG_FLOAT, 0);

	if (v->length != 16)
		return "another length than a complex number";
	if (!well_formed(posh__peek(&v->box->data[0]) + zero) ||
	    !well_formed(posh__peek(&v->box->data[1]) + zero))
		return "a float that is none";
	*hash = posh__mix((uint64_t)posh__number_hash(n));
	return NULL;
}

const char *
posh__form_wrong(struct posh__check *c, unsigned form, const posh__word *slot,
		 uint64_t n)
{
	uint64_t cls;

	if (!posh__form_fits(form, n))
		return "a form that does not fit its length";
	if (form == POSH_FORM_PLAIN)
		return NULL;
	if (form == POSH_FORM_SET)
		return posh__sorted(c->self, slot, n) ? NULL
						      : "a set out of order";
	cls = posh__load(&slot[0]);
	if (POSH__TAG(cls) != POSH__TAG_TEXT &&
	    (POSH__TAG(cls) != POSH__TAG_BOX ||
	     kind_of(c->self->h, POSH__PAYLOAD(cls)) != POSH__KIND_STR))
		return "a class that is no text";
	return NULL;
}

static const char *
tuple_wrong(struct posh__check *c, const struct posh__view *v, uint64_t *hash)
{
	uint64_t i, item;

	*hash = posh__tuple_hash_begin(v->flags, v->length);
	for (i = 0; i < v->length; i++) {
		uint64_t value = posh__load(&v->box->data[i]);

		if (!value || POSH__TAG(value) == POSH__TAG_OBJECT)
			return value ? "an object" : "an item that is EMPTY";
		if (!well_formed(value))
			return "an item that is no value";
		if (POSH__TAG(value) == POSH__TAG_BOX &&
		    kind_of(c->self->h, POSH__PAYLOAD(value)) < POSH__KIND_STR)
			return "an item that is no box";
		if (posh__word_hash(c->self, value, &item))
			return "an item that makes no sense";
		*hash = posh__tuple_hash_step(v->flags, *hash, i, item);
	}
	return posh__form_wrong(c, v->flags, v->box->data, v->length);
}

static const char *
wrong(struct posh__check *c, uint64_t box, uint64_t *hash)
{
	struct posh__number n;
	struct posh__view v;

	if (posh__box_view(c->self->h, box, &v) ||
	    posh__block_bytes(c->self->h, box) < sizeof(*v.box) + v.bytes)
		return "a length that does not fit";
	*hash = posh__peek(&v.box->hash);
	if (posh__half_load(&v.box->block.first))
		return "a lock";
	if (v.kind == POSH__KIND_STR)
		return text_wrong(&v, hash);
	if (v.kind == POSH__KIND_BOXTUPLE)
		return tuple_wrong(c, &v, hash);
	if (v.flags)
		return "wrong flags";
	if (v.kind == POSH__KIND_BYTES) {
		*hash = posh__bytes_hash((const void *)v.box->data, v.bytes);
		return NULL;
	}
	if (posh__number_load(c->self->h, POSH__TAGGED(POSH__TAG_BOX, box),
			      &n) != 1)
		return "a number that is none";
	return v.kind == POSH__KIND_INT ? int_wrong(&v, &n, hash)
					: complex_wrong(&v, &n, hash);
}

void
posh__check_box(struct posh__check *c, uint64_t box)
{
	struct posh__box *b = posh__at(c->self->h, box);
	uint64_t hash = 0;
	const char *what = wrong(c, box, &hash);

	if (!what && hash != posh__peek(&b->hash))
		what = "a wrong hash";
	if (what)
		posh__say(c, "box %#llx (kind %u) has %s", posh__hex(box),
			  b->block.kind, what);
}

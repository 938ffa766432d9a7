/* SPDX-License-Identifier: MIT */
/* box.c - boxes: the immutable values that do not fit into a word.
 *
 * A box has one link, from the slot that it was made for, and dies with it.
 * It is built where its owner's recovery can see it: the owner names the
 * block before that is one.
 *
 * STATES of what the owner's slot names
 *
 *   FREE block --birth--> LIVE, kind RAW --kind--> LIVE box
 *
 * INVARIANTS
 *   I1  a block that is FREE owes nothing: a slot that names one is as good
 *       as an empty slot;
 *   I2  kind RAW has no children; the slots of a tuple are all EMPTY ahead of
 *       its kind, and filled after it, each as an owner of its own;
 *   I3  a box that anybody but its maker can reach never changes.
 *
 * PROGRESS  as the allocator's.
 *
 * STEPS    effect                        if the process dies here
 *   box.1  the owner names a FREE block  recovery empties the slot (I1)
 *   box.2  payload written, kind RAW     recovery unlinks: the block is freed
 *   box.3  kind stored                   recovery unlinks the box, and what a
 *                                        tuple has so far (I2)
 *   box.4  a tuple's hash stored         as box.3
 */
#include "config.h"

#include "canon.h"
#include "slots.h"

/* Beyond this a block may be a run of spans, whose length is looked up. */
enum { CHECK_BYTES = 16384 };

int
posh__box_view(struct posh_heap *h, uint64_t handle, struct posh__view *v)
{
	struct posh__block front;
	uint64_t word, total;

	if (handle & 15 || !posh__inside(h, handle, sizeof(*v->box)))
		return -EAGAIN;
	v->box = posh__at(h, handle);
	word = posh__load((const posh__word *)v->box);
	memcpy(&front, &word, sizeof(front));
	v->kind = front.kind;
	v->flags = front.flags;
	v->bytes = v->length = posh__peek(&v->box->length);
	if (v->length > POSH__HANDLE_MASK >> 3)
		return -EAGAIN;
	switch (v->kind) {
	case POSH__KIND_STR: {
		unsigned width = v->flags & 7;

		if ((width != 1 && width != 2 && width != 4) ||
		    v->length & (width - 1))
			return -EAGAIN;
		break;
	}
	case POSH__KIND_INT:
		if (v->length == 0)
			return -EAGAIN;
		break;
	case POSH__KIND_BYTES:
		break;
	case POSH__KIND_COMPLEX:
		v->bytes = 16;
		break;
	case POSH__KIND_BOXTUPLE:
		if (!posh__form_fits(v->flags, v->length))
			return -EAGAIN;
		v->bytes = v->length * 8;
		break;
	default:
		return -EAGAIN;
	}
	total = sizeof(*v->box) + v->bytes;
	if (!posh__inside(h, handle, total))
		return -EAGAIN;
	if (total > CHECK_BYTES && (!posh__block_word(h, handle) ||
				    posh__block_bytes(h, handle) < total))
		return -EAGAIN;
	return 0;
}

int
posh__items_view(struct posh_heap *h, uint64_t value, struct posh__items *out)
{
	uint64_t at = POSH__PAYLOAD(value);
	const struct posh__tuple *t = posh__at(h, at);
	struct posh__view v;
	int rc;

	if (POSH__TAG(value) == POSH__TAG_BOX) {
		rc = posh__box_view(h, at, &v);
		if (rc)
			return rc;
		*out = (struct posh__items){v.box->data, v.length, v.flags};
		return v.kind == POSH__KIND_BOXTUPLE;
	}
	if (POSH__TAG(value) != POSH__TAG_OBJECT)
		return 0;
	if (at & 15 || !posh__inside(h, at, sizeof(*t)))
		return -EAGAIN;
	if (t->head.kind != POSH__KIND_TUPLE)
		return 0;
	*out = (struct posh__items){t->slot, posh__load(&t->length),
				    t->head.flags};
	if (out->n > POSH__HANDLE_MASK >> 3 ||
	    !posh__inside(h, at, sizeof(*t) + out->n * 8) ||
	    !posh__form_fits(out->form, out->n))
		return -EAGAIN;
	return 1;
}

int
posh__unlike(struct posh_heap *h, uint64_t *value, struct posh__items *out)
{
	int i, rc;

	for (i = 0; i < POSH__DEPTH; i++) {
		if (posh__is_plain(*value))
			return 0;
		rc = posh__items_view(h, *value, out);
		if (rc != 1 || out->form != POSH_FORM_LIKE)
			return rc;
		*value = posh__load(&out->slot[1]);
	}
	return -EAGAIN;
}

/* Make a block for a payload of that many bytes, owned by *owner, with a hash
 * and a length; it is RAW yet. */
static int
begin(struct posh__self *self, posh__word *owner, uint64_t bytes,
      uint64_t length, uint64_t hash, struct posh__box **out)
{
	struct posh__box *box;
	uint64_t block;
	int rc;

	if (bytes > POSH__HANDLE_MASK)
		return -ENOMEM;
	rc = posh__block_reserve(self, sizeof(*box) + bytes, &block);
	if (rc)
		return rc;
	posh__store(owner, POSH__TAGGED(POSH__TAG_BOX, block));
	POSH_STEP("box.1");
	posh__block_birth(self, block, 1);
	box = posh__at(self->h, block);
	posh__store(&box->hash, hash);
	posh__store(&box->length, length);
	*out = box;
	return 0;
}

/* Kind and flags are one store, and a release: what was written before is
 * there for whoever sees the kind. */
static void
end(struct posh__box *box, unsigned kind, unsigned flags)
{
	struct posh__block front = {0, (uint16_t)kind, (uint16_t)flags};
	uint64_t word;

	POSH_STEP("box.2");
	memcpy(&word, &front, sizeof(word));
	posh__store((posh__word *)box, word);
	POSH_STEP("box.3");
}

static int
make_text(struct posh__self *self, const struct posh_value *in,
	  posh__word *owner)
{
	struct posh__box *box;
	struct posh__text t;
	uint64_t bytes;
	int rc = posh__text_begin(in, &t);

	if (rc)
		return rc;
	bytes = (uint64_t)t.chars * t.width;
	rc = begin(self, owner, bytes, bytes, posh__text_hash(t), &box);
	if (rc)
		return rc;
	posh__text_take(&t, (void *)box->data, t.chars);
	end(box, POSH__KIND_STR, t.width | (t.ascii ? POSH__STR_ASCII : 0));
	return 0;
}

static int
make_bytes(struct posh__self *self, const struct posh_value *in,
	   posh__word *owner)
{
	struct posh__box *box;
	int rc;

	if (!in->data && in->size)
		return -EINVAL;
	rc = begin(self, owner, in->size, in->size,
		   posh__bytes_hash(in->data, in->size), &box);
	if (rc)
		return rc;
	if (in->size)
		memcpy((void *)box->data, in->data, in->size);
	end(box, POSH__KIND_BYTES, 0);
	return 0;
}

static int
make_complex(struct posh__self *self, const struct posh_value *in,
	     posh__word *owner, uint64_t hash)
{
	const uint64_t zero = POSH__TAGGED(POSH__TAG_FLOAT, 0);
	struct posh__box *box;
	int rc = begin(self, owner, 16, 16, hash, &box);

	if (rc)
		return rc;
	posh__store(&box->data[0], posh__float_word(in->f) - zero);
	posh__store(&box->data[1], posh__float_word(in->im) - zero);
	end(box, POSH__KIND_COMPLEX, 0);
	return 0;
}

static int
make_number(struct posh__self *self, const struct posh_value *in,
	    posh__word *owner)
{
	struct posh__number n;
	struct posh__box *box;
	uint64_t hash, word;
	uint8_t small[8];
	size_t i;
	int rc;

	if (!posh__number_of(in, &n))
		return -EINVAL;
	hash = posh__mix((uint64_t)posh__number_hash(&n));
	if (in->type == POSH_COMPLEX)
		return make_complex(self, in, owner, hash);
	if (n.type == POSH__NUM_INT) {
		if (posh__int_word(n.i, &word)) {
			posh__store(owner, word);
			return 0;
		}
		for (i = 0; i < 8; i++)
			small[i] = (uint8_t)((uint64_t)n.i >> i * 8);
		n.data = small;
		n.size = posh__number_minimal(small, 8);
	}
	rc = begin(self, owner, n.size, n.size, hash, &box);
	if (rc)
		return rc;
	memcpy((void *)box->data, n.data, n.size);
	end(box, POSH__KIND_INT, 0);
	return 0;
}

/* The items are known to be values, and not too deep, and the form fits. */
static int
make_tuple(struct posh__self *self, const struct posh_value *in,
	   posh__word *owner)
{
	struct posh__box *box;
	uint64_t hash = posh__tuple_hash_begin(in->width, in->size);
	uint64_t word, item, last = 0;
	size_t i;
	int rc;

	if (in->size > POSH__HANDLE_MASK >> 3)
		return -ENOMEM;
	rc = begin(self, owner, in->size * 8, in->size, 0, &box);
	if (rc)
		return rc;
	for (i = 0; i < in->size; i++)
		posh__store(&box->data[i], POSH__EMPTY);
	end(box, POSH__KIND_BOXTUPLE, in->width);
	for (i = 0; i < in->size; i++) {
		if (posh__value_immediate(&in->items[i], &word)) {
			posh__store(&box->data[i], word);
		} else {
			rc = posh__box_make(self, &in->items[i], &box->data[i]);
			if (rc)
				goto fail;
		}
		rc = posh__word_hash(self, posh__peek(&box->data[i]), &item);
		if (rc == 0 && in->width == POSH_FORM_SET && item < last)
			rc = -EINVAL;
		if (rc)
			goto fail;
		hash = posh__tuple_hash_step(in->width, hash, i, item);
		last = item;
	}
	posh__store(&box->hash, hash);
	POSH_STEP("box.4");
	return 0;
fail:
	posh__unlink(self, owner);
	return rc;
}

int
posh__box_make(struct posh__self *self, const struct posh_value *in,
	       posh__word *owner)
{
	switch (in->type) {
	case POSH_STR:
	case POSH_UTF8:
		return make_text(self, in, owner);
	case POSH_BYTES:
		return make_bytes(self, in, owner);
	case POSH_TUPLE:
		return make_tuple(self, in, owner);
	default:
		return make_number(self, in, owner);
	}
}

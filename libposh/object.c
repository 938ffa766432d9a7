/* SPDX-License-Identifier: MIT */
/* object.c - what is common to objects of all kinds.
 *
 * STEPS       effect                   if the process dies here
 *   object.1  the head is cleared      the kind is RAW: the block is freed
 *   object.2  the kind is stored       it is an empty object: destroyed
 *   object.3  *owner names a block     the block is FREE or RAW, or 2
 */
#include "config.h"

#include <string.h>

#include "canon.h"
#include "op.h"

/* Clear a new block, and only then say what it is.  Of a blob only the front:
 * what it has in it is its maker's. */
static void
construct(struct posh__self *self, uint64_t block, uint64_t bytes,
	  unsigned kind, unsigned flags)
{
	struct posh__object *o = posh__object(self->h, block);

	if (!POSH_RULE(KIND)) {
		o->kind = (uint16_t)kind;
		POSH_STEP("object.2");
	}
	if (kind == POSH__KIND_BLOB)
		bytes = sizeof(struct posh__blob);
	memset((char *)o + 8, 0, bytes - 8);
	posh__half_store(&o->lock, 0);
	o->flags = (uint16_t)flags;
	POSH_STEP("object.1");
	posh__compiler_fence();
	o->kind = (uint16_t)kind;
	POSH_STEP("object.2");
}

int
posh__object_new(struct posh__self *self, uint64_t bytes, unsigned kind,
		 unsigned flags, uint64_t *out)
{
	int rc = posh__hold_alloc(self, bytes, out);

	if (rc)
		return rc;
	construct(self, *out, bytes, kind, flags);
	return 0;
}

/* The bytes of an empty object that POSH_NEW asks for; 0: no such. */
static uint64_t
size_of(struct posh__self *self, const struct posh_value *in)
{
	switch (in->kind) {
	case POSH_KIND_LIST:
	case POSH_KIND_DICT:
	case POSH_KIND_SET:
		return sizeof(struct posh__object);
	case POSH_KIND_DEQUE:
		return sizeof(struct posh__deque);
	case POSH_KIND_TUPLE:
		if (in->size > UINT32_MAX ||
		    !posh__form_fits(in->width, in->size))
			return 0;
		return sizeof(struct posh__tuple) + 8 * (uint64_t)in->size;
	case POSH_KIND_INSTANCE:
		if (in->size > POSH_CLASS_SLOTS ||
		    posh__object_is(self->h, in->object, POSH__KIND_LIST))
			return 0;
		return sizeof(struct posh__instance) + 8 * (uint64_t)in->size;
	case POSH_KIND_BUFFER:
		return sizeof(struct posh__buffer);
	}
	return 0;
}

int
posh__object_empty(posh_heap *h, uint64_t bytes, unsigned kind,
		   posh_handle *out)
{
	struct posh__self *self;
	uint64_t b;
	int rc = posh__enter_write(h, &self);

	if (rc)
		return rc;
	rc = posh__object_new(self, bytes, kind, 0, &b);
	if (rc == 0) {
		posh__hold_confirm(self, b);
		out->off = b;
	}
	posh__leave(self);
	return rc;
}

int
posh__object_born(struct posh__self *self, uint64_t bytes, unsigned kind,
		  unsigned flags, posh__word *owner)
{
	uint64_t b;
	int rc = posh__block_reserve(self, bytes, &b);

	if (rc)
		return rc;
	if (!POSH_RULE(BORN))
		posh__block_birth(self, b, 1);
	posh__store(owner, POSH__TAGGED(POSH__TAG_OBJECT, b));
	POSH_STEP("object.3");
	posh__block_birth(self, b, 1);
	construct(self, b, bytes, kind, flags);
	return 0;
}

int
posh__object_make(struct posh__self *self, struct posh_value *in,
		  posh__word *owner)
{
	uint64_t bytes = size_of(self, in), b;
	bool inst = in->kind == POSH_KIND_INSTANCE;
	unsigned flags = inst                          ? (unsigned)in->size
			 : in->kind == POSH_KIND_TUPLE ? in->width
						       : 0;
	int rc;

	if (!bytes)
		return -EINVAL;
	rc = posh__object_born(self, bytes, in->kind, flags, owner);
	if (rc)
		return rc;
	b = POSH__PAYLOAD(posh__peek(owner));
	if (in->kind == POSH_KIND_TUPLE) {
		struct posh__tuple *t = posh__at(self->h, b);

		posh__store(&t->length, in->size);
	} else if (in->kind == POSH_KIND_DEQUE) {
		struct posh__deque *d = posh__at(self->h, b);

		posh__store(&d->bound, in->size);
	} else if (inst) {
		struct posh__instance *p = posh__at(self->h, b);

		posh__link(self, in->object.off, &p->cls,
			   POSH__TAGGED(POSH__TAG_OBJECT, in->object.off));
	}
	in->object.off = b;
	return 0;
}

int
posh__tuple_make(struct posh__self *self, const struct posh_value *in,
		 posh__word *owner)
{
	struct posh_value make = {
		.type = POSH_NEW, .width = in->width, .kind = POSH_KIND_TUPLE};
	struct posh__tuple *t;
	size_t i;
	int rc;

	make.size = in->size;
	rc = posh__object_make(self, &make, owner);
	if (rc)
		return rc;
	t = posh__at(self->h, make.object.off);
	for (i = 0; i < in->size && rc == 0; i++)
		rc = posh__value_encode(self, &in->items[i], &t->slot[i]);
	if (rc == 0 && in->width == POSH_FORM_SET &&
	    !posh__sorted(self, t->slot, in->size))
		rc = -EINVAL;
	if (rc)
		posh__unlink(self, owner);
	return rc;
}

enum posh_kind
posh_object_kind(posh_heap *h, posh_handle o)
{
	struct posh__self *self;
	posh__word *w;
	unsigned kind = 0;

	if (posh__enter_read(h, &self))
		return POSH_KIND_NONE;
	w = posh__block_word(h, o.off);
	if (w && POSH__STATE(posh__load(w)) != POSH__FREE)
		kind = posh__object(h, o.off)->kind;
	posh__leave(self);
	return posh__kind_is_object(kind) ? (enum posh_kind)kind
					  : POSH_KIND_NONE;
}

int
posh_object_hold(posh_heap *h, posh_handle o)
{
	struct posh__self *self;
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	if (!posh__block_word(h, o.off))
		rc = -EINVAL;
	else
		rc = posh__hold(self, o.off);
	posh__leave(self);
	return rc;
}

void
posh_object_drop(posh_heap *h, posh_handle o)
{
	struct posh__self *self;

	if (posh__enter_read(h, &self))
		return;
	if (posh__try_write(self)) {
		posh__soon(self);
		posh__drop(self, o.off);
	} else {
		posh__drop_late(self, o.off);
	}
	posh__leave(self);
}

uint64_t
posh_object_version(posh_heap *h, posh_handle o)
{
	if (h->closed || !posh__inside(h, o.off, sizeof(struct posh__object)))
		return 0;
	return posh__load(&posh__object(h, o.off)->seq);
}

/* SPDX-License-Identifier: MIT */
/* instance.c - instances of classes: slots behind the head, in one piece, so
 * that a small object's lock and fields share a cache line; and a dict for
 * the attributes that have no slot, whose value lies where other objects
 * have their body. */
#include "config.h"

#include "quick.h"

static int
instance_at(posh_heap *h, posh_handle o, struct posh__instance **out)
{
	int rc = posh__object_is(h, o, POSH__KIND_INSTANCE);

	if (rc)
		return rc;
	*out = posh__at(h, o.off);
	return posh__inside(h, o.off,
			    sizeof(**out) + 8 * (uint64_t)(*out)->head.flags)
		       ? 0
		       : -EUCLEAN;
}

int
posh_instance_new(posh_heap *h, posh_handle cls, size_t slots, posh_handle *out)
{
	struct posh__self *self;
	struct posh__instance *p;
	uint64_t b;
	int rc = posh__enter_write(h, &self);

	if (rc)
		return rc;
	rc = posh__object_is(h, cls, POSH__KIND_LIST);
	if (rc == 0 && slots > POSH_CLASS_SLOTS)
		rc = -EINVAL;
	if (rc == 0)
		rc = posh__object_new(self, sizeof(*p) + 8 * slots,
				      POSH__KIND_INSTANCE, (unsigned)slots, &b);
	if (rc == 0) {
		posh__hold_confirm(self, b);
		p = posh__at(h, b);
		posh__link(self, cls.off, &p->cls,
			   POSH__TAGGED(POSH__TAG_OBJECT, cls.off));
		out->off = b;
	}
	posh__leave(self);
	return rc;
}

int
posh_instance_class(posh_heap *h, posh_handle o, posh_handle *cls,
		    size_t *slots)
{
	struct posh__self *self;
	struct posh__instance *p;
	posh_handle c = {0};
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = instance_at(h, o, &p);
	if (rc == 0) {
		uint64_t value = posh__load(&p->cls);

		c.off = POSH__PAYLOAD(value);
		if (POSH__TAG(value) != POSH__TAG_OBJECT ||
		    posh__object_is(h, c, POSH__KIND_LIST))
			rc = -EUCLEAN;
	}
	if (rc == 0 && cls)
		*cls = c;
	if (rc == 0 && slots)
		*slots = p->head.flags;
	posh__leave(self);
	return rc;
}

struct get {
	posh__word *slot;
	struct posh_value *out;
};

static int
read_get(struct posh__self *self, uint64_t object, void *arg)
{
	struct get *g = arg;
	uint64_t w = posh__load(g->slot);

	(void)object;
	if (w == POSH__EMPTY)
		return -ENOENT;
	posh__scratch_reset(self);
	return posh__read_value(self, w, g->out);
}

int
posh_instance_get(posh_heap *h, posh_handle o, size_t slot,
		  struct posh_value *out)
{
	struct posh__self *self;
	struct posh__instance *p;
	struct get g = {NULL, out};
	uint64_t seq;
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = instance_at(h, o, &p);
	if (rc == 0 && slot >= p->head.flags)
		rc = -ERANGE;
	if (rc == 0 && posh__seq_even(&p->head, &seq)) {
		uint64_t w = posh__load(&p->slot[slot]);

		if (w != POSH__EMPTY && posh__seq_same(&p->head, seq) &&
		    (posh__value_decode_fast(w, out) ||
		     posh__read_object(self, &p->head, seq, w, out))) {
			posh__leave(self);
			return 0;
		}
	}
	if (rc == 0) {
		g.slot = &p->slot[slot];
		rc = posh__read(self, o.off, read_get, &g);
	}
	posh__leave(self);
	return rc;
}

/* Store the new value of a slot, which is val[0] unless immediate. */
static void
store(struct posh__self *self, uint64_t object, posh__word *slot, bool imm,
      uint64_t value)
{
	if (imm && posh__is_plain(posh__peek(slot))) {
		posh__write_begin(self, object);
		posh__store(slot, value);
		posh__write_end(self, object);
		return;
	}
	if (imm)
		posh__store(&self->t->val[0], value);
	posh__slot_set(self, object, slot, 0);
}

/* A plain value over a plain value; false: not so quickly. */
static bool
quick_set(struct posh__self *self, struct posh__object *o, posh__word *slot,
	  uint64_t value)
{
	bool done = false;

	if (!posh__quick_begin(self, o))
		return false;
	if (posh__is_plain(posh__peek(slot))) {
		posh__store(slot, value);
		done = true;
	}
	posh__quick_end(self, o);
	return done;
}

int
posh_instance_set(posh_heap *h, posh_handle o, size_t slot,
		  struct posh_value *v)
{
	struct posh__self *self;
	struct posh__instance *p;
	uint64_t value = POSH__EMPTY;
	bool imm = !v || posh__value_immediate(v, &value);
	int rc = posh__enter_write(h, &self);

	if (rc)
		return rc;
	rc = instance_at(h, o, &p);
	if (rc == 0 && slot >= p->head.flags)
		rc = -ERANGE;
	if (rc == 0 && v && imm &&
	    quick_set(self, &p->head, &p->slot[slot], value)) {
		posh__leave(self);
		return 0;
	}
	if (rc == 0 && !imm)
		rc = posh__value_encode(self, v, &self->t->val[0]);
	if (rc == 0)
		rc = posh__lock(self, o.off, -1);
	if (rc == 0) {
		if (!v && posh__peek(&p->slot[slot]) == POSH__EMPTY)
			rc = -ENOENT;
		else
			store(self, o.off, &p->slot[slot], imm, value);
		posh__unlock(self, o.off);
	}
	posh__release(self);
	posh__leave(self);
	return rc;
}

/* Make the dict of the attributes without a slot; inside the monitor. */
static int
make_extra(struct posh__self *self, uint64_t object)
{
	struct posh__instance *p = posh__at(self->h, object);
	struct posh_value in = posh_fresh(POSH_KIND_DICT);
	int rc;

	if (posh__peek(&p->head.body))
		return 0;
	rc = posh__object_make(self, &in, &self->t->val[0]);
	if (rc == 0)
		posh__slot_set(self, object, &p->head.body, 0);
	return rc;
}

/* What has no slot is in a dict. */
static int
read_extra(struct posh__self *self, uint64_t object, void *arg)
{
	struct get *g = arg;
	int rc = read_get(self, object, arg);

	return rc == 0 && (g->out->type != POSH_OBJECT ||
			   g->out->kind != POSH_KIND_DICT)
		       ? -EAGAIN
		       : rc;
}

int
posh_instance_extra(posh_heap *h, posh_handle o, unsigned create,
		    posh_handle *out)
{
	struct posh__self *self;
	struct posh__instance *p;
	struct posh_value v;
	struct get g = {NULL, &v};
	int rc = create ? posh__enter_write(h, &self)
			: posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = instance_at(h, o, &p);
	if (rc == 0 && create && !posh__load(&p->head.body)) {
		rc = posh__lock(self, o.off, -1);
		if (rc == 0) {
			rc = make_extra(self, o.off);
			posh__unlock(self, o.off);
		}
		posh__release(self);
	}
	if (rc == 0) {
		g.slot = &p->head.body;
		rc = posh__read(self, o.off, read_extra, &g);
	}
	if (rc == 0)
		*out = v.object;
	posh__leave(self);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* tuple.c - tuples that are objects, because something in them is one.  They
 * never change, so reading needs no sequence word: who holds the tuple may
 * follow its slots. */
#include "config.h"

#include "canon.h"
#include "op.h"

static int
tuple_at(posh_heap *h, posh_handle o, struct posh__tuple **out)
{
	int rc = posh__object_is(h, o, POSH__KIND_TUPLE);
	uint64_t n;

	if (rc)
		return rc;
	*out = posh__at(h, o.off);
	n = posh__load(&(*out)->length);
	return n <= UINT32_MAX &&
			       posh__inside(h, o.off, sizeof(**out) + 8 * n) &&
			       posh__form_fits((*out)->head.flags, n)
		       ? 0
		       : -EUCLEAN;
}

/* May it have these items?  A set has all from the beginning. */
static bool
fits(enum posh_form form, struct posh_value *v, size_t n)
{
	struct posh_value in = {.type = POSH_TUPLE, .width = (uint8_t)form};

	in.size = n;
	in.items = v;
	if (v || form == POSH_FORM_SET)
		return posh__tuple_fits(&in);
	return posh__form_fits(form, n);
}

int
posh_tuple_new(posh_heap *h, enum posh_form form, struct posh_value *v,
	       size_t n, posh_handle *out)
{
	struct posh__self *self;
	struct posh__tuple *t;
	uint64_t b;
	size_t i;
	int rc = posh__enter_write(h, &self);

	if (rc)
		return rc;
	if (n > UINT32_MAX)
		rc = -ENOMEM;
	else if (!fits(form, v, n))
		rc = -EINVAL;
	if (rc == 0)
		rc = posh__object_new(self, sizeof(*t) + 8 * (uint64_t)n,
				      POSH__KIND_TUPLE, form, &b);
	if (rc == 0) {
		posh__hold_confirm(self, b);
		t = posh__at(h, b);
		posh__store(&t->length, n);
		for (i = 0; v && i < n && rc == 0; i++)
			rc = posh__value_encode(self, &v[i], &t->slot[i]);
		if (rc == 0 && form == POSH_FORM_SET &&
		    !posh__sorted(self, t->slot, n))
			rc = -EINVAL;
		if (rc)
			posh__drop(self, b);
		else
			out->off = b;
	}
	posh__leave(self);
	return rc;
}

int64_t
posh_tuple_len(posh_heap *h, posh_handle o)
{
	struct posh__self *self;
	struct posh__tuple *t;
	int64_t n = 0;
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = tuple_at(h, o, &t);
	if (rc == 0)
		n = (int64_t)posh__load(&t->length);
	posh__leave(self);
	return rc ? rc : n;
}

int
posh_tuple_form(posh_heap *h, posh_handle o)
{
	struct posh__self *self;
	struct posh__tuple *t;
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = tuple_at(h, o, &t);
	if (rc == 0)
		rc = t->head.flags;
	posh__leave(self);
	return rc;
}

struct get {
	size_t i;
	struct posh_value *out;
};

static int
read_get(struct posh__self *self, uint64_t tuple, void *arg)
{
	struct get *g = arg;
	struct posh__tuple *t = posh__at(self->h, tuple);

	posh__scratch_reset(self);
	return posh__read_value(self, posh__load(&t->slot[g->i]), g->out);
}

int
posh_tuple_get(posh_heap *h, posh_handle o, size_t i, struct posh_value *out)
{
	struct posh__self *self;
	struct posh__tuple *t;
	struct get g = {i, out};
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = tuple_at(h, o, &t);
	if (rc == 0 && i >= posh__load(&t->length))
		rc = -ERANGE;
	if (rc == 0)
		rc = posh__read(self, o.off, read_get, &g);
	posh__leave(self);
	return rc;
}

/* May item i be this one, of a tuple of that form? */
static bool
may_be(unsigned form, size_t i, const struct posh_value *v)
{
	return form == POSH_FORM_PLAIN ||
	       (form != POSH_FORM_SET &&
		(i || v->type == POSH_STR || v->type == POSH_UTF8));
}

int
posh_tuple_init(posh_heap *h, posh_handle o, size_t i, struct posh_value *v)
{
	struct posh__self *self;
	struct posh__tuple *t;
	int rc = posh__enter_write(h, &self);

	if (rc)
		return rc;
	rc = tuple_at(h, o, &t);
	if (rc == 0 && i >= posh__load(&t->length))
		rc = -ERANGE;
	if (rc == 0 && !may_be(t->head.flags, i, v))
		rc = -EINVAL;
	if (rc == 0)
		rc = posh__value_encode(self, v, &self->t->val[0]);
	if (rc == 0)
		rc = posh__lock(self, o.off, -1);
	if (rc == 0) {
		if (posh__load(&t->slot[i]) != POSH__EMPTY)
			rc = -EEXIST;
		else
			posh__slot_set(self, o.off, &t->slot[i], 0);
		posh__unlock(self, o.off);
	}
	posh__release(self);
	posh__leave(self);
	return rc;
}

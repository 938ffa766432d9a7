/* SPDX-License-Identifier: MIT */
/* read.c - reading without writing.
 *
 * A container's sequence word is odd while a writer is inside.  A reader
 * loads it, reads, and loads it again: if it was even and is the same, what
 * was read was there at one moment.  An object that was read is entered in
 * the reader's own hold table before the second load, with a full fence in
 * between, so that it lives if the second load agrees.  All that is read in
 * between may be stale, and is checked before it is followed.
 *
 * After some tries the reader takes the monitor, so that no writer can keep
 * it from reading for ever, and so that it finds a dead writer.
 *
 * PROGRESS  wait-free without writers; with them, as the monitor.
 */
#include "config.h"

#include <stdlib.h>

#include "op.h"

enum { TRIES = 100 };

static int
note_entered(struct posh__self *self, uint64_t object)
{
	if (self->nentered == self->entered_max) {
		unsigned max = self->entered_max ? 2 * self->entered_max : 16;
		uint64_t *p = realloc(self->entered, max * sizeof(*p));

		if (!p)
			return -ENOMEM;
		self->entered = p;
		self->entered_max = max;
	}
	self->entered[self->nentered++] = object;
	return 0;
}

static void
confirm(struct posh__self *self)
{
	while (self->nentered)
		posh__hold_confirm(self, self->entered[--self->nentered]);
}

static void
cancel(struct posh__self *self)
{
	while (self->nentered)
		posh__hold_cancel(self, self->entered[--self->nentered]);
}

int
posh__read_value(struct posh__self *self, uint64_t value,
		 struct posh_value *out)
{
	uint64_t object = POSH__PAYLOAD(value);
	int rc = posh__value_decode(self, value, out);

	if (rc || POSH__TAG(value) != POSH__TAG_OBJECT)
		return rc;
	rc = note_entered(self, object);
	if (rc)
		return rc;
	rc = posh__hold_enter(self, object);
	if (rc)
		self->nentered--;
	return rc;
}

bool
posh__read_object(struct posh__self *self, struct posh__object *container,
		  uint64_t seq, uint64_t value, struct posh_value *out)
{
	posh_handle o = {POSH__PAYLOAD(value)};

	if (POSH__TAG(value) != POSH__TAG_OBJECT || o.off & 15 ||
	    !posh__inside(self->h, o.off, sizeof(struct posh__object)))
		return false;
	if (!posh__hold_if(self, o.off, container, seq))
		return false;
	*out = posh_object(o);
	out->kind = (uint8_t)posh__object(self->h, o.off)->kind;
	return true;
}

/* The outcome of a reading that was valid. */
static int
settled(struct posh__self *self, int rc)
{
	if (rc < 0)
		cancel(self);
	else
		confirm(self);
	return rc == -EAGAIN ? -EUCLEAN : rc;
}

int
posh__read(struct posh__self *self, uint64_t object, posh__reader *f, void *arg)
{
	struct posh__object *o = posh__object(self->h, object);
	int tries, rc;
	uint64_t seq;

	for (tries = 0; tries < TRIES; tries++) {
		if (!posh__seq_even(o, &seq)) {
			if (posh__held(self, object))
				return settled(self, f(self, object, arg));
			continue;
		}
		rc = f(self, object, arg);
		if (posh__seq_same(o, seq))
			return settled(self, rc);
		cancel(self);
		if (rc == -ENOMEM)
			return rc;
	}
	rc = posh__lock(self, object, -1);
	if (rc)
		return rc;
	rc = settled(self, f(self, object, arg));
	posh__unlock(self, object);
	return rc;
}

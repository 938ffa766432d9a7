/* SPDX-License-Identifier: MIT */
/* blob.c - memory that is an object: so many bytes, which are read and written
 * in place.
 *
 * STEPS     effect                 if the process dies here
 *   blob.1  it has its bytes       it is held or owned, and dies with that
 */
#include "config.h"

#include "op.h"

enum { FRONT = sizeof(struct posh__blob) };

/* The block is one of a blob of this size, that owns nothing. */
static void
set_size(struct posh__blob *b, uint64_t bytes, uint64_t length)
{
	posh__store(&b->window, length);
	posh__store(&b->bytes, bytes);
	POSH_STEP("blob.1");
}

static bool
too_large(uint64_t bytes)
{
	return bytes > POSH__WINDOW_LENGTH(UINT64_MAX);
}

int
posh__blob_make(struct posh__self *self, uint64_t room, uint64_t length,
		posh__word *owner)
{
	uint64_t bytes;
	int rc;

	if (too_large(room))
		return -ENOMEM;
	bytes = posh__block_round(FRONT + room);
	rc = posh__object_born(self, bytes, POSH__KIND_BLOB, 0, owner);
	if (rc == 0)
		set_size(posh__at(self->h, POSH__PAYLOAD(posh__peek(owner))),
			 bytes - FRONT, length);
	return rc;
}

int
posh__blob_at(struct posh_heap *h, uint64_t blob, struct posh__blob **out,
	      uint64_t *window)
{
	struct posh__blob *b = posh__at(h, blob);
	uint64_t bytes, w;

	if (blob & 15 || !posh__inside(h, blob, FRONT) ||
	    b->head.kind != POSH__KIND_BLOB)
		return -EAGAIN;
	bytes = posh__load(&b->bytes);
	w = posh__load(&b->window);
	if (too_large(bytes) || !posh__inside(h, blob, FRONT + bytes) ||
	    POSH__WINDOW_START(w) > bytes ||
	    POSH__WINDOW_LENGTH(w) > bytes - POSH__WINDOW_START(w))
		return -EAGAIN;
	*out = b;
	*window = w;
	return 0;
}

int
posh_blob_new(posh_heap *h, uint64_t bytes, posh_handle *out)
{
	struct posh__self *self;
	uint64_t b;
	int rc = posh__enter_write(h, &self);

	if (rc)
		return rc;
	if (too_large(bytes))
		rc = -ENOMEM;
	if (rc == 0)
		rc = posh__object_new(self, FRONT + bytes, POSH__KIND_BLOB, 0,
				      &b);
	if (rc == 0) {
		posh__hold_confirm(self, b);
		posh__heap_clear(h, b + FRONT, bytes);
		set_size(posh__at(h, b), bytes, bytes);
		out->off = b;
	}
	posh__leave(self);
	return rc;
}

int
posh_blob_data(posh_heap *h, posh_handle o, void **data, uint64_t *bytes)
{
	struct posh__self *self;
	struct posh__blob *b;
	uint64_t window;
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = posh__object_is(h, o, POSH__KIND_BLOB);
	if (rc == 0 && posh__blob_at(h, o.off, &b, &window))
		rc = -EUCLEAN;
	if (rc == 0 && data)
		*data = b->data;
	if (rc == 0 && bytes)
		*bytes = posh__load(&b->bytes);
	posh__leave(self);
	return rc;
}

int
posh_blob_find(posh_heap *h, const void *address, posh_handle *out,
	       uint64_t *at)
{
	struct posh__self *self;
	uint64_t off = (uint64_t)((const char *)address - h->base), block;
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	block = off < h->reserve ? posh__block_around(h, off) : 0;
	if (block && posh__object(h, block)->kind == POSH__KIND_BLOB &&
	    off - block >= FRONT) {
		out->off = block;
		*at = off - block - FRONT;
	} else {
		rc = -ENOENT;
	}
	posh__leave(self);
	return rc;
}

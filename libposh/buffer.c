/* SPDX-License-Identifier: MIT */
/* buffer.c - sequences of bytes that grow and shrink.
 *
 * A buffer refers to a blob, of whose bytes those in a window are the
 * sequence.  The window is one word of the blob, {start, length}: so to add
 * at the end, where there is room, and to remove at either end are one store;
 * and to replace the blob replaces the window with it.  Everything else is
 * written to another blob, which then takes the place of the first.
 *
 * Whoever holds a blob has its address.  A blob that was replaced is changed
 * by nobody else any more.
 *
 * INVARIANTS
 *   I1  a buffer's blob and window change inside its monitor, in which the
 *       buffer's sequence is odd, the blob's is not used;
 *   I2  bytes outside of the window are nobody's;
 *   I3  bytes in the window change by one store, or from newbody, which an
 *       intent names.
 *
 * PROGRESS  reads as in read.c; writes under the buffer's monitor.
 *
 * STEPS      effect                          if the process dies here
 *   buffer.1 bytes stored behind the window  they are nobody's (I2)
 *   buffer.2 the window has changed          that was it
 *   buffer.3 WRITE noted                     sequence even: nothing happened
 *   buffer.4 half of newbody's bytes written recovery writes them again
 *   buffer.5 all of them written             as buffer.4
 *   buffer.6 one word of bytes written       that was it
 */
#include "config.h"

#include "quick.h"

enum {
	START_MAX = (1 << 24) - 1, /* bytes removed at the beginning */
	SMALL = 4096,              /* memory that is not worth shrinking */
};

/* Where the bytes of a buffer are. */
struct place {
	struct posh__blob *blob;
	uint64_t handle; /* of the blob */
	uint64_t start, length;
};

/* As seen by a reader, who validates it afterwards. */
static int
place_of(struct posh_heap *h, uint64_t buffer, struct place *p)
{
	struct posh__buffer *b = posh__at(h, buffer);
	uint64_t value = posh__load(&b->blob), window;
	int rc;

	p->handle = POSH__PAYLOAD(value);
	if (POSH__TAG(value) != POSH__TAG_OBJECT)
		return -EAGAIN;
	rc = posh__blob_at(h, p->handle, &p->blob, &window);
	if (rc)
		return rc;
	p->start = POSH__WINDOW_START(window);
	p->length = POSH__WINDOW_LENGTH(window);
	return 0;
}

/* The same inside the monitor. */
static int
place_now(struct posh__self *self, uint64_t buffer, struct place *p)
{
	return place_of(self->h, buffer, p) ? -EUCLEAN : 0;
}

static uint8_t *
bytes_at(const struct place *p, uint64_t at)
{
	return p->blob->data + p->start + at;
}

static int
is_buffer(struct posh_heap *h, posh_handle o)
{
	int rc = posh__object_is(h, o, POSH__KIND_BUFFER);

	return rc == 0 && !posh__inside(h, o.off, sizeof(struct posh__buffer))
		       ? -EUCLEAN
		       : rc;
}

int
posh_buffer_new(posh_heap *h, posh_handle *out)
{
	return posh__object_empty(h, sizeof(struct posh__buffer),
				  POSH__KIND_BUFFER, out);
}

/* val[0] is a link to the blob, and val[1] the meta. */
static int
encode_parts(struct posh__self *self, posh_handle blob, struct posh_value *meta)
{
	struct posh_value v = posh_object(blob);
	int rc = posh__object_is(self->h, blob, POSH__KIND_BLOB);

	if (rc == 0)
		rc = posh__value_encode(self, &v, &self->t->val[0]);
	if (rc == 0)
		rc = posh__value_encode(self, meta, &self->t->val[1]);
	if (rc == 0 &&
	    POSH__TAG(posh__peek(&self->t->val[1])) == POSH__TAG_OBJECT)
		rc = -EINVAL;
	return rc;
}

int
posh_buffer_init(posh_heap *h, posh_handle o, posh_handle blob,
		 struct posh_value *meta)
{
	struct posh__self *self;
	struct posh__buffer *b = posh__at(h, o.off);
	int rc = posh__enter_write(h, &self);

	if (rc)
		return rc;
	rc = is_buffer(h, o);
	if (rc == 0)
		rc = encode_parts(self, blob, meta);
	if (rc == 0)
		rc = posh__lock(self, o.off, -1);
	if (rc == 0) {
		if (posh__peek(&b->blob) != POSH__EMPTY) {
			rc = -EEXIST;
		} else {
			/* Who sees the blob sees the meta. */
			if (POSH_RULE(META))
				posh__slot_set(self, o.off, &b->meta, 1);
			posh__slot_set(self, o.off, &b->blob, 0);
			if (!POSH_RULE(META))
				posh__slot_set(self, o.off, &b->meta, 1);
		}
		posh__unlock(self, o.off);
	}
	return posh__leave_object(self, rc);
}

/*
 * Reading
 */

static int
read_meta(struct posh__self *self, uint64_t buffer, void *arg)
{
	struct posh__buffer *b = posh__at(self->h, buffer);

	posh__scratch_reset(self);
	return posh__read_value(self, posh__load(&b->meta), arg);
}

int
posh_buffer_meta(posh_heap *h, posh_handle o, struct posh_value *out)
{
	struct posh__self *self;
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = is_buffer(h, o);
	if (rc == 0)
		rc = posh__read(self, o.off, read_meta, out);
	posh__leave(self);
	return rc;
}

/* With a hold of the blob. */
static int
read_view(struct posh__self *self, uint64_t buffer, void *arg)
{
	struct posh_value v;
	struct place *p = arg;
	int rc = place_of(self->h, buffer, p);

	return rc ? rc
		  : posh__read_value(self,
				     POSH__TAGGED(POSH__TAG_OBJECT, p->handle),
				     &v);
}

int
posh_buffer_view(posh_heap *h, posh_handle o, posh_handle *blob, void **data,
		 uint64_t *length)
{
	struct posh__self *self;
	struct place p;
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = is_buffer(h, o);
	if (rc == 0)
		rc = posh__read(self, o.off, read_view, &p);
	if (rc == 0) {
		blob->off = p.handle;
		*data = bytes_at(&p, 0);
		*length = p.length;
	}
	posh__leave(self);
	return rc;
}

struct range {
	uint64_t at, n;
	void *data;
	uint64_t length; /* of the buffer */
};

static int
read_range(struct posh__self *self, uint64_t buffer, void *arg)
{
	struct range *r = arg;
	struct place p;
	uint64_t n = r->n;
	int rc = place_of(self->h, buffer, &p);

	if (rc)
		return rc;
	r->length = p.length;
	if (r->at > p.length)
		r->at = p.length;
	if (n > p.length - r->at)
		n = p.length - r->at;
	if (n)
		memcpy(r->data, bytes_at(&p, r->at), n);
	r->n = n;
	return 0;
}

/* Each try begins with what was asked for. */
static int
read_anew(struct posh__self *self, uint64_t buffer, void *arg)
{
	struct range *asked = arg, r = asked[0];
	int rc = read_range(self, buffer, &r);

	asked[1] = r;
	return rc;
}

int64_t
posh_buffer_read(posh_heap *h, posh_handle o, uint64_t at, uint64_t n,
		 void *data, uint64_t *length)
{
	struct posh__self *self;
	struct range r[2] = {{at, n, data, 0}};
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = is_buffer(h, o);
	if (rc == 0)
		rc = posh__read(self, o.off, read_anew, r);
	posh__leave(self);
	if (rc)
		return rc;
	if (length)
		*length = r[1].length;
	return (int64_t)r[1].n;
}

int64_t
posh_buffer_len(posh_heap *h, posh_handle o)
{
	uint64_t length;
	int64_t n = posh_buffer_read(h, o, 0, 0, NULL, &length);

	return n < 0 ? n : (int64_t)length;
}

/*
 * Writing, inside the monitor
 */

/* So many bytes are one store at this place. */
static bool
is_word(const void *to, uint64_t n)
{
	return (n == 1 || n == 2 || n == 4 || n == 8) && (uintptr_t)to % n == 0;
}

static void
store_word(void *to, const void *data, uint64_t n)
{
	uint64_t v = 0;

	memcpy(&v, data, n);
	switch (n) {
	case 1:
		*(volatile uint8_t *)to = (uint8_t)v;
		break;
	case 2:
		*(volatile uint16_t *)to = (uint16_t)v;
		break;
	case 4:
		*(volatile uint32_t *)to = (uint32_t)v;
		break;
	default:
		posh__store(to, v);
	}
	POSH_STEP("buffer.6");
}

/* Write what newbody has: also by recovery, as often as need be. */
static void
write_noted(struct posh__self *self)
{
	struct posh__thread *t = self->t;
	struct posh__blob *b = posh__at(self->h, posh__peek(&t->body));
	uint8_t *to = b->data + posh__peek(&t->pos);
	uint64_t n = posh__peek(&t->count);
	const char *from = posh__at(self->h, posh__peek(&t->newbody) +
						     sizeof(struct posh__body));

	memcpy(to, from, n / 2);
	POSH_STEP("buffer.4");
	memcpy(to + n / 2, from + n / 2, n - n / 2);
	POSH_STEP("buffer.5");
}

void
posh__buffer_finish(struct posh__self *self)
{
	struct posh__thread *t = self->t;
	uint64_t body = posh__load(&t->newbody), n = posh__load(&t->count);
	uint64_t pos = posh__load(&t->pos), window;
	struct posh__blob *b;

	if (!POSH_RULE(WHOLE) ||
	    !posh__block_word(self->h, posh__load(&t->body)) ||
	    posh__blob_at(self->h, posh__load(&t->body), &b, &window) ||
	    pos > posh__load(&b->bytes) || n > posh__load(&b->bytes) - pos ||
	    !posh__block_word(self->h, body) ||
	    posh__block_bytes(self->h, body) < sizeof(struct posh__body) + n)
		return; /* damaged */
	write_noted(self);
}

/* Bytes over bytes.  What comes from newbody is private until it is noted, so
 * data may be anywhere. */
static int
overwrite(struct posh__self *self, uint64_t buffer, const struct place *p,
	  uint64_t at, const void *data, uint64_t n)
{
	struct posh__thread *t = self->t;
	int rc;

	if (n == 0)
		return 0;
	if (is_word(bytes_at(p, at), n)) {
		posh__write_begin(self, buffer);
		store_word(bytes_at(p, at), data, n);
		posh__write_end(self, buffer);
		return 0;
	}
	rc = posh__body_alloc(self, sizeof(struct posh__body) + n,
			      POSH__KIND_BODY);
	if (rc)
		return rc;
	memcpy((void *)posh__body_at(self->h, posh__peek(&t->newbody))->slot,
	       data, n);
	posh__store(&t->container, buffer);
	posh__store(&t->body, p->handle);
	posh__store(&t->pos, p->start + at);
	posh__store(&t->count, n);
	posh__op_begin(self, POSH__OP_WRITE);
	POSH_STEP("buffer.3");
	posh__write_begin(self, buffer);
	write_noted(self);
	posh__write_end(self, buffer);
	posh__op_end(self);
	return 0;
}

static void
set_window(struct posh__self *self, uint64_t buffer, const struct place *p,
	   uint64_t start, uint64_t length)
{
	posh__write_begin(self, buffer);
	posh__store(&p->blob->window,
		    (length ? start : 0) << POSH__WINDOW_SHIFT | length);
	POSH_STEP("buffer.2");
	posh__write_end(self, buffer);
}

/* Another blob with room for so much, in which n bytes of data have taken the
 * place of del. */
static int
rebuild(struct posh__self *self, uint64_t buffer, const struct place *p,
	uint64_t at, uint64_t del, const void *data, uint64_t n, uint64_t room)
{
	struct posh__buffer *b = posh__at(self->h, buffer);
	struct posh__blob *new;
	uint64_t length = p->length - del + n;
	int rc = posh__blob_make(self, room, length, &self->t->val[0]);

	if (rc)
		return rc;
	new = posh__at(self->h, POSH__PAYLOAD(posh__peek(&self->t->val[0])));
	memcpy(new->data, bytes_at(p, 0), at);
	if (n)
		memcpy(new->data + at, data, n);
	memcpy(new->data + at + n, bytes_at(p, at + del), p->length - at - del);
	posh__slot_set(self, buffer, &b->blob, 0);
	return 0;
}

/* Is there so much room left that a smaller blob is worth it? */
static bool
is_roomy(const struct place *p, uint64_t length)
{
	uint64_t bytes = posh__load(&p->blob->bytes);

	return bytes > SMALL && length < bytes / 4;
}

/* Remove bytes at one of the ends: no memory is needed. */
static int
trim(struct posh__self *self, uint64_t buffer, const struct place *p,
     uint64_t at, uint64_t del)
{
	uint64_t length = p->length - del;

	if (is_roomy(p, length) &&
	    rebuild(self, buffer, p, at, del, NULL, 0, length) == 0)
		return 0;
	set_window(self, buffer, p, at ? p->start : p->start + del, length);
	return 0;
}

static bool
can_trim(const struct place *p, uint64_t at, uint64_t del)
{
	return at + del == p->length ||
	       (at == 0 && p->start + del <= START_MAX);
}

/* Add bytes at the end, where there is room. */
static void
append(struct posh__self *self, uint64_t buffer, const struct place *p,
       const void *data, uint64_t n)
{
	if (!POSH_RULE(WINDOW))
		set_window(self, buffer, p, p->start, p->length + n);
	memcpy(bytes_at(p, p->length), data, n);
	POSH_STEP("buffer.1");
	set_window(self, buffer, p, p->start, p->length + n);
}

static bool
has_room(const struct place *p, uint64_t n)
{
	return n <= posh__load(&p->blob->bytes) - p->start - p->length;
}

/* With some room to grow, or without if there is not so much memory. */
static int
regrow(struct posh__self *self, uint64_t buffer, const struct place *p,
       uint64_t at, uint64_t del, const void *data, uint64_t n)
{
	uint64_t length = p->length - del + n;
	uint64_t ample = length + (n > del ? length / 8 + 16 : 0);
	int rc = rebuild(self, buffer, p, at, del, data, n, ample);

	return posh__is_full(rc) && ample > length
		       ? rebuild(self, buffer, p, at, del, data, n, length)
		       : rc;
}

static int
splice(struct posh__self *self, uint64_t buffer, uint64_t at, uint64_t del,
       const void *data, uint64_t n)
{
	struct place p;
	int rc = place_now(self, buffer, &p);

	if (rc)
		return rc;
	if (at > p.length)
		return -ERANGE;
	if (del > p.length - at)
		del = p.length - at;
	if (n > POSH__HANDLE_MASK)
		return -ENOMEM;
	if (del == n)
		return overwrite(self, buffer, &p, at, data, n);
	if (n == 0 && can_trim(&p, at, del))
		return trim(self, buffer, &p, at, del);
	if (at == p.length && has_room(&p, n))
		return append(self, buffer, &p, data, n), 0;
	return regrow(self, buffer, &p, at, del, data, n);
}

int
posh_buffer_splice(posh_heap *h, posh_handle o, uint64_t at, uint64_t del,
		   const void *data, uint64_t n)
{
	struct posh__self *self;
	int rc = posh__enter_write(h, &self);

	if (rc)
		return rc;
	rc = is_buffer(h, o);
	if (rc == 0)
		rc = posh__lock(self, o.off, -1);
	if (rc == 0) {
		rc = splice(self, o.off, at, del, data, n);
		posh__unlock(self, o.off);
	}
	return posh__leave_object(self, rc);
}

static int
write_range(struct posh__self *self, uint64_t buffer, uint64_t at,
	    const void *data, uint64_t n)
{
	struct place p;
	int rc = place_now(self, buffer, &p);

	if (rc)
		return rc;
	if (at > p.length || n > p.length - at)
		return -ERANGE;
	return overwrite(self, buffer, &p, at, data, n);
}

/* One word; false: not so quickly. */
static bool
quick_write(struct posh__self *self, uint64_t buffer, uint64_t at,
	    const void *data, uint64_t n)
{
	struct posh__object *o = posh__object(self->h, buffer);
	struct place p;
	bool done = false, early = !POSH_RULE(PLACE);

	if (n > 8 || (early && place_of(self->h, buffer, &p)) ||
	    !posh__quick_begin(self, o))
		return false;
	if ((early || place_of(self->h, buffer, &p) == 0) && at <= p.length &&
	    n <= p.length - at && is_word(bytes_at(&p, at), n)) {
		store_word(bytes_at(&p, at), data, n);
		done = true;
	}
	posh__quick_end(self, o);
	return done;
}

int
posh_buffer_write(posh_heap *h, posh_handle o, uint64_t at, const void *data,
		  uint64_t n)
{
	struct posh__self *self;
	int rc = posh__enter_write(h, &self);

	if (rc)
		return rc;
	rc = is_buffer(h, o);
	if (rc == 0 && quick_write(self, o.off, at, data, n)) {
		posh__leave(self);
		return 0;
	}
	if (rc == 0)
		rc = posh__lock(self, o.off, -1);
	if (rc == 0) {
		rc = write_range(self, o.off, at, data, n);
		posh__unlock(self, o.off);
	}
	return posh__leave_object(self, rc);
}

/* SPDX-License-Identifier: MIT */
/* deque.c - double-ended queues: a header with a bound, and a body that is a
 * ring of slots.
 *
 * One word of the body says where the queue begins and how long it is; its
 * store commits what happened at either end, at both at once if the queue is
 * bounded.  The beginning counts on beyond the ring's size, so it says which
 * element it is: an iterator goes by that.
 *
 *     fill    start:32 | length:32     element i: slot[(start + i) % capacity]
 *
 * What is done at an end is a *shift*: some values come in on one side, some
 * go out on the other.  A pop is a shift that nothing comes in by; in a
 * rotation the same values come in that go out.
 *
 * INVARIANTS
 *   I1  length <= capacity, a power of two that fits the body's block; and
 *       length <= the bound, if there is one;
 *   I2  slots outside are EMPTY or hold a plain value, which owns nothing,
 *       unless an operation is in flight;
 *   I3  what comes in by a shift has slots that what goes out has not;
 *   I4  every intent of this file is rolled forward by recovery: all of its
 *       steps can be done again.
 *
 * PROGRESS  reads as read.c says; writes are under the monitor.
 *
 * STEPS      effect                            if the process dies here
 *   deque.1  a plain slot is stored            the deque is as after
 *   deque.2  a plain value outside             the deque is as before
 *   deque.3  the fill word is stored           the deque is as after
 *   deque.4  an intent is noted                the deque is as before
 *   deque.5  values that come in are outside   recovery goes on
 *   deque.6  the fill word of a shift          recovery goes on
 *   deque.7  val or the stage owns nothing     recovery goes on
 *   deque.8  a slot that went out is EMPTY     recovery empties the rest
 *   deque.9  a slot moved up                   recovery moves the rest
 *   deque.10 the value is in its slot          recovery goes on
 *   deque.11 the fill word covers it           recovery goes on
 *   deque.12 val does not own it               recovery ends it
 *   deque.13 the slot is unlinked              recovery goes on
 *   deque.14 a slot moved down                 recovery moves the rest
 *   deque.15 the slot behind is EMPTY          recovery goes on
 *   deque.16 the fill word is one less         recovery ends it
 *   deque.17 the bound is stored               the deque has it
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "quick.h"

/* Which side values come in by. */
enum side { RIGHT = 0, LEFT = 1 };

/* Where they come from. */
enum source { FROM_VAL, FROM_STAGE, FROM_SELF };

/* pos of a shift: how many go out, source, side. */
#define SHIFT(out, source, side) ((uint64_t)(out) << 3 | (source) << 1 | (side))

static uint32_t
start_of(uint64_t fill)
{
	return (uint32_t)(fill >> 32);
}

static uint32_t
length_of(uint64_t fill)
{
	return (uint32_t)fill;
}

static uint64_t
fill_of(uint32_t start, uint32_t length)
{
	return (uint64_t)start << 32 | length;
}

/* The fill word behind a shift. */
static uint64_t
shifted(uint64_t fill, enum side side, uint32_t in, uint32_t out)
{
	uint32_t start = start_of(fill);

	start = side == RIGHT ? start + out : start - in;
	return fill_of(start, length_of(fill) + in - out);
}

/* Element i, counted from the right with LEFT.  An i of length or more is
 * outside, where the side's next one comes in. */
static posh__word *
slot_at(struct posh__ring *b, uint64_t fill, enum side side, uint32_t i)
{
	uint32_t n = side == RIGHT ? start_of(fill) + i
				   : start_of(fill) + length_of(fill) - 1 - i;

	return &b->slot[n & (posh__half_load(&b->capacity) - 1)];
}

/* A view of a ring that may be followed, stale or not: its slots can be read
 * without a fault.
 *   -EAGAIN  nonsense */
struct view {
	struct posh__ring *ring; /* NULL: an empty deque */
	uint64_t fill;
	uint32_t mask;
};

static int
look(struct posh_heap *h, uint64_t deque, struct view *v)
{
	uint64_t off = posh__load(&posh__object(h, deque)->body), cap;

	*v = (struct view){NULL, 0, 0};
	if (!off)
		return 0;
	if (off & 15 || !posh__inside(h, off, sizeof(*v->ring)))
		return -EAGAIN;
	v->ring = posh__ring_at(h, off);
	cap = posh__half_load(&v->ring->capacity);
	v->fill = posh__load(&v->ring->fill);
	if (v->ring->kind != POSH__KIND_RING || cap < POSH__RING_LEAST ||
	    cap & (cap - 1) || length_of(v->fill) > cap ||
	    !posh__inside(h, off, sizeof(*v->ring) + 8 * cap))
		return -EAGAIN;
	v->mask = (uint32_t)cap - 1;
	return 0;
}

static uint64_t
element(const struct view *v, uint32_t i)
{
	return posh__load(&v->ring->slot[(start_of(v->fill) + i) & v->mask]);
}

static uint64_t
capacity(const struct view *v)
{
	return v->ring ? (uint64_t)v->mask + 1 : 0;
}

/* Enter the monitor and look at the body. */
static int
lock_view(struct posh__self *self, uint64_t deque, struct view *v)
{
	int rc = posh__lock(self, deque, -1);

	if (rc)
		return rc;
	rc = look(self->h, deque, v);
	if (rc)
		posh__unlock(self, deque);
	return rc ? -EUCLEAN : 0;
}

/* Enter a deque and its monitor, and look at the body. */
static int
enter_deque(posh_heap *h, posh_handle o, struct posh__self **self,
	    struct view *v)
{
	int rc = posh__enter_object(h, o, POSH__KIND_DEQUE, self);

	if (rc)
		return rc;
	rc = lock_view(*self, o.off, v);
	return rc ? posh__leave_object(*self, rc) : 0;
}

static int
leave_deque(struct posh__self *self, uint64_t deque, int rc)
{
	posh__unlock(self, deque);
	return posh__leave_object(self, rc);
}

/* How many elements it may have. */
static uint64_t
bound_of(struct posh__self *self, uint64_t deque)
{
	struct posh__deque *d = posh__at(self->h, deque);
	uint64_t bound = posh__load(&d->bound);

	return bound ? bound - 1 : UINT64_MAX;
}

/* A bound as it is stored; 0 is none. */
static int
bound_word(int64_t maxlen, uint64_t *out)
{
	if (maxlen > INT64_MAX - 1)
		return -EINVAL;
	*out = maxlen < 0 ? 0 : (uint64_t)maxlen + 1;
	return 0;
}

int
posh_deque_new(posh_heap *h, int64_t maxlen, posh_handle *out)
{
	struct posh__self *self;
	uint64_t b, bound;
	int rc = bound_word(maxlen, &bound);

	if (rc == 0)
		rc = posh__enter_write(h, &self);
	if (rc)
		return rc;
	rc = posh__object_new(self, sizeof(struct posh__deque),
			      POSH__KIND_DEQUE, 0, &b);
	if (rc == 0) {
		posh__store(&((struct posh__deque *)posh__at(h, b))->bound,
			    bound);
		posh__hold_confirm(self, b);
		out->off = b;
	}
	posh__leave(self);
	return rc;
}

int
posh_deque_bound(posh_heap *h, posh_handle o, int64_t maxlen)
{
	struct posh__self *self;
	struct view v;
	uint64_t bound;
	int rc = bound_word(maxlen, &bound);

	if (rc == 0)
		rc = enter_deque(h, o, &self, &v);
	if (rc)
		return rc;
	if (length_of(v.fill) > bound - 1) {
		rc = -EBUSY;
	} else {
		posh__write_begin(self, o.off);
		posh__store(&((struct posh__deque *)posh__at(h, o.off))->bound,
			    bound);
		POSH_STEP("deque.17");
		posh__write_end(self, o.off);
	}
	return leave_deque(self, o.off, rc);
}

/* Reading */

struct size {
	int64_t len, maxlen;
};

static int
read_size(struct posh__self *self, uint64_t deque, void *arg)
{
	struct size *size = arg;
	struct view v;
	int rc = look(self->h, deque, &v);
	uint64_t bound = bound_of(self, deque);

	size->len = length_of(v.fill);
	size->maxlen = bound == UINT64_MAX ? -1 : (int64_t)bound;
	return rc;
}

int64_t
posh_deque_len(posh_heap *h, posh_handle o, int64_t *maxlen)
{
	struct posh__self *self;
	struct size size;
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = posh__object_is(h, o, POSH__KIND_DEQUE);
	if (rc == 0)
		rc = posh__read(self, o.off, read_size, &size);
	posh__leave(self);
	if (rc == 0 && maxlen)
		*maxlen = size.maxlen;
	return rc ? rc : size.len;
}

struct get {
	int64_t i;
	struct posh_value *out;
};

/* Resolve an index that may count from the end. */
static int
locate(const struct view *v, int64_t i, uint32_t *out)
{
	int64_t n = length_of(v->fill);

	if (i < 0)
		i += n;
	if (i < 0 || i >= n)
		return -ERANGE;
	*out = (uint32_t)i;
	return 0;
}

static int
read_get(struct posh__self *self, uint64_t deque, void *arg)
{
	struct get *g = arg;
	struct view v;
	uint32_t at;
	int rc = look(self->h, deque, &v);

	if (rc == 0)
		rc = locate(&v, g->i, &at);
	if (rc)
		return rc;
	posh__scratch_reset(self);
	return posh__read_value(self, element(&v, at), g->out);
}

int
posh_deque_get(posh_heap *h, posh_handle o, int64_t i, struct posh_value *out)
{
	struct posh__self *self;
	struct get g = {i, out};
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = posh__object_is(h, o, POSH__KIND_DEQUE);
	if (rc == 0)
		rc = posh__read(self, o.off, read_get, &g);
	posh__leave(self);
	return rc;
}

struct batch {
	uint64_t cursor, next;
	uint64_t n, got;
	unsigned flags;
	bool whole; /* -ENOSPC if n is less than the length */
	struct posh_value *out;
	uint64_t version;
};

/* The first element that an iterator has not seen. */
static uint32_t
unseen(const struct view *v, uint64_t cursor)
{
	uint32_t i = (uint32_t)cursor - start_of(v->fill);

	/* Half the numbers are behind, what went out at the left. */
	return cursor == UINT64_MAX || i > UINT32_MAX / 2 ? 0 : i;
}

static int
read_batch(struct posh__self *self, uint64_t deque, void *arg)
{
	struct batch *r = arg;
	struct view v;
	uint32_t i, len;
	int rc;

	r->version = posh__load(&posh__object(self->h, deque)->seq);
	r->got = 0;
	r->next = r->cursor;
	rc = look(self->h, deque, &v);
	if (rc)
		return rc;
	len = length_of(v.fill);
	if (r->whole && len > r->n) {
		r->got = len;
		return -ENOSPC;
	}
	posh__scratch_reset(self);
	for (i = unseen(&v, r->cursor); i < len && r->got < r->n; i++) {
		uint64_t w = element(&v, i);
		bool object = POSH__TAG(w) == POSH__TAG_OBJECT;

		if (object && r->flags & POSH_SCALARS && r->got)
			break;
		if (!posh__value_decode_fast(w, &r->out[r->got]))
			rc = posh__read_value(self, w, &r->out[r->got]);
		if (rc)
			return rc;
		r->got++;
		r->next = (uint64_t)(start_of(v.fill) + i + 1);
		if (object && r->flags & POSH_SCALARS)
			break;
	}
	return 0;
}

int64_t
posh_deque_read(posh_heap *h, posh_handle o, uint64_t *cursor, size_t n,
		unsigned flags, struct posh_value *out, uint64_t *version)
{
	struct posh__self *self;
	struct batch r = {*cursor, 0, n, 0, flags, false, out, 0};
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = posh__object_is(h, o, POSH__KIND_DEQUE);
	if (rc == 0)
		rc = posh__read(self, o.off, read_batch, &r);
	posh__leave(self);
	if (rc)
		return rc;
	*cursor = r.next;
	if (version)
		*version = r.version;
	return (int64_t)r.got;
}

int64_t
posh_deque_snapshot(posh_heap *h, posh_handle o, struct posh_value **out,
		    uint64_t *version)
{
	struct posh__self *self;
	struct batch r = {UINT64_MAX, 0, 0, 16, 0, true, NULL, 0};
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = posh__object_is(h, o, POSH__KIND_DEQUE);
	while (rc == 0) {
		free(r.out);
		r.n = r.got + r.got / 8;
		r.out = malloc((r.n + 1) * sizeof(*r.out));
		rc = r.out ? posh__read(self, o.off, read_batch, &r) : -ENOMEM;
		if (rc != -ENOSPC)
			break;
		rc = 0;
	}
	posh__leave(self);
	if (rc) {
		free(r.out);
		return rc;
	}
	*out = r.out;
	if (version)
		*version = r.version;
	return (int64_t)r.got;
}

/* Bodies */

/* A ring in newbody, with room for n and this fill word; its slots EMPTY. */
static int
make_ring(struct posh__self *self, uint64_t n, uint64_t fill)
{
	struct posh__ring *b;
	uint64_t cap = POSH__RING_LEAST;
	int rc;

	while (cap < n)
		cap *= 2;
	if (cap > UINT32_C(1) << 31)
		return -ENOMEM;
	rc = posh__body_alloc(self, sizeof(*b) + 8 * cap, POSH__KIND_RING);
	if (rc)
		return rc;
	b = posh__ring_at(self->h, posh__peek(&self->t->newbody));
	posh__half_store(&b->capacity, (uint32_t)cap);
	posh__store(&b->fill, fill);
	memset((void *)b->slot, 0, 8 * cap);
	return 0;
}

/* Give the deque another ring, for n values and for all it has; inside the
 * monitor.  *v is the view of it. */
static int
rebody(struct posh__self *self, uint64_t deque, uint64_t n, struct view *v)
{
	struct posh__ring *new;
	uint32_t i, len = length_of(v->fill);
	int rc = make_ring(self, n, v->fill);

	if (rc)
		return rc;
	new = posh__ring_at(self->h, posh__peek(&self->t->newbody));
	for (i = 0; i < len; i++)
		posh__store(slot_at(new, v->fill, RIGHT, i), element(v, i));
	posh__body_swap(self, deque, 0, 0, false);
	posh__body_free(self, &self->t->trash);
	return look(self->h, deque, v) ? -EUCLEAN : 0;
}

static int
room(struct posh__self *self, uint64_t deque, uint64_t n, struct view *v)
{
	return n <= capacity(v) ? 0 : rebody(self, deque, n, v);
}

/* A deque that has lost most of its elements gets a smaller ring, if there is
 * memory for one; inside the monitor. */
static void
shrink(struct posh__self *self, uint64_t deque)
{
	struct view v;

	if (look(self->h, deque, &v) || capacity(&v) < 1024 ||
	    length_of(v.fill) > capacity(&v) / 4)
		return;
	rebody(self, deque, length_of(v.fill) + capacity(&v) / 8, &v);
}

/* Shifts */

/* A shift from where it stands. */
static void
run_shift(struct posh__self *self, struct posh__ring *b)
{
	struct posh__thread *t = self->t;
	uint64_t old = posh__peek(&t->index), pos = posh__peek(&t->pos);
	uint32_t in = (uint32_t)posh__peek(&t->count);
	uint32_t out = (uint32_t)(pos >> 3), len = length_of(old), i;
	enum side side = pos & 1;
	enum source source = pos >> 1 & 3;
	struct posh__body *stage =
		posh__body_at(self->h, posh__peek(&t->stage));

	if (posh__peek(&b->fill) != posh__peek(&t->aux) || !POSH_RULE(AGAIN)) {
		if (!POSH_RULE(FILL))
			posh__store(&b->fill, posh__peek(&t->aux));
		for (i = 0; i < in; i++)
			posh__store(
				slot_at(b, old, side, len + i),
				source == FROM_VAL ? posh__peek(&t->val[0])
				: source == FROM_STAGE
					? posh__peek(&stage->slot[i])
					: posh__peek(slot_at(b, old, side, i)));
		POSH_STEP("deque.5");
		posh__store(&b->fill, posh__peek(&t->aux));
		POSH_STEP("deque.6");
	}
	if (source == FROM_VAL && in)
		posh__store(&t->val[0], POSH__EMPTY);
	else if (source == FROM_STAGE)
		posh__store(&stage->length, 0);
	POSH_STEP("deque.7");
	for (i = 0; i < out; i++) {
		posh__word *slot = slot_at(b, old, side, i);

		if (source == FROM_SELF && POSH_RULE(TURN))
			posh__store(slot, POSH__EMPTY);
		else if (posh__peek(slot))
			posh__unlink_only(self, slot);
		POSH_STEP("deque.8");
	}
}

/* Note what an operation on the ring is about; the rest is set before. */
static void
intend(struct posh__self *self, uint64_t deque, const struct view *v,
       uint64_t op)
{
	struct posh__thread *t = self->t;

	posh__store(&t->container, deque);
	posh__store(&t->body, (uint64_t)((char *)v->ring - self->h->base));
	posh__op_begin(self, op);
	POSH_STEP("deque.4");
}

/* in values come in by a side, out go out by the other; there is room. */
static void
shift(struct posh__self *self, uint64_t deque, const struct view *v,
      enum side side, enum source source, uint32_t in, uint32_t out)
{
	struct posh__thread *t = self->t;

	posh__store(&t->index, v->fill);
	posh__store(&t->aux, shifted(v->fill, side, in, out));
	posh__store(&t->count, in);
	posh__store(&t->pos, SHIFT(out, source, side));
	intend(self, deque, v, POSH__OP_SHIFT);
	posh__write_begin(self, deque);
	run_shift(self, v->ring);
	posh__write_end(self, deque);
	posh__op_end(self);
}

/* The same for one plain value, if what goes out is plain: no intent. */
static void
shift_plain(const struct view *v, enum side side, uint64_t value, uint32_t out)
{
	posh__store(slot_at(v->ring, v->fill, side, length_of(v->fill)), value);
	POSH_STEP("deque.2");
	posh__store(&v->ring->fill, shifted(v->fill, side, 1, out));
	POSH_STEP("deque.3");
}

/* Can what goes out, on the side that is not this one, be left where it is? */
static bool
out_plain(const struct view *v, enum side side, uint32_t out)
{
	return !out || !POSH_RULE(PLAIN) ||
	       posh__is_plain(posh__peek(slot_at(v->ring, v->fill, side, 0)));
}

/* A plain value comes in; false: not so quickly. */
static bool
quick_push(struct posh__self *self, uint64_t deque, enum side side,
	   uint64_t value)
{
	struct posh__object *o = posh__object(self->h, deque);
	struct view v;
	uint32_t out;
	bool done = false;

	if (!posh__quick_begin(self, o))
		return false;
	if (look(self->h, deque, &v) == 0 && length_of(v.fill) < capacity(&v)) {
		out = length_of(v.fill) >= bound_of(self, deque);
		if (out_plain(&v, side, out) && length_of(v.fill) >= out) {
			shift_plain(&v, side, value, out);
			done = true;
		}
	}
	posh__quick_end(self, o);
	return done;
}

/* A value comes in: val[0], or with imm a plain one; inside the monitor. */
static int
push_locked(struct posh__self *self, uint64_t deque, enum side side, bool imm,
	    uint64_t value, struct view *v)
{
	uint64_t bound = bound_of(self, deque);
	uint32_t len = length_of(v->fill), out = len >= bound;
	int rc = bound ? room(self, deque, (uint64_t)len + 1, v) : 0;

	if (rc || !bound)
		return rc;
	if (imm && out_plain(v, side, out)) {
		posh__write_begin(self, deque);
		shift_plain(v, side, value, out);
		posh__write_end(self, deque);
		return 0;
	}
	if (imm)
		posh__store(&self->t->val[0], value);
	shift(self, deque, v, side, FROM_VAL, 1, out);
	return 0;
}

static int
push(posh_heap *h, posh_handle o, enum side side, struct posh_value *in)
{
	struct posh__self *self;
	struct view v;
	uint64_t value = 0;
	bool imm = posh__value_immediate(in, &value);
	int rc = posh__enter_object(h, o, POSH__KIND_DEQUE, &self);

	if (rc)
		return rc;
	if (imm && quick_push(self, o.off, side, value)) {
		posh__leave(self);
		return 0;
	}
	if (!imm)
		rc = posh__value_encode(self, in, &self->t->val[0]);
	if (rc == 0)
		rc = lock_view(self, o.off, &v);
	if (rc)
		return posh__leave_object(self, rc);
	rc = push_locked(self, o.off, side, imm, value, &v);
	return leave_deque(self, o.off, rc);
}

int
posh_deque_append(posh_heap *h, posh_handle o, struct posh_value *v)
{
	return push(h, o, RIGHT, v);
}

int
posh_deque_appendleft(posh_heap *h, posh_handle o, struct posh_value *v)
{
	return push(h, o, LEFT, v);
}

/* The stage's n values come in; inside the monitor.
 *   -EAGAIN  they are more than the bound */
static int
extend_locked(struct posh__self *self, uint64_t deque, enum side side,
	      uint32_t n, struct view *v)
{
	uint64_t bound = bound_of(self, deque);
	uint64_t len = length_of(v->fill), all = len + n;
	int rc;

	if (n > bound)
		return -EAGAIN;
	rc = room(self, deque, all, v);
	if (rc == 0)
		shift(self, deque, v, side, FROM_STAGE, n,
		      all > bound ? (uint32_t)(all - bound) : 0);
	return rc;
}

/* One try, with no more values than the bound is now. */
static int
extend_once(struct posh__self *self, uint64_t deque, enum side side,
	    struct posh_value *in, size_t n)
{
	uint64_t bound = bound_of(self, deque);
	struct view v;
	int rc;

	if (n > bound) {
		in += n - bound;
		n = bound;
	}
	if (!n)
		return 0;
	rc = posh__stage_make(self, in, n);
	if (rc == 0)
		rc = lock_view(self, deque, &v);
	if (rc)
		return rc;
	rc = extend_locked(self, deque, side, (uint32_t)n, &v);
	posh__unlock(self, deque);
	return rc;
}

static int
extend(posh_heap *h, posh_handle o, enum side side, struct posh_value *in,
       size_t n)
{
	struct posh__self *self;
	int rc = posh__enter_object(h, o, POSH__KIND_DEQUE, &self);

	if (rc)
		return rc;
	/* Again, if somebody has lowered the bound. */
	while ((rc = extend_once(self, o.off, side, in, n)) == -EAGAIN)
		posh__release(self);
	return posh__leave_object(self, rc);
}

int
posh_deque_extend(posh_heap *h, posh_handle o, struct posh_value *v, size_t n)
{
	return extend(h, o, RIGHT, v, n);
}

int
posh_deque_extendleft(posh_heap *h, posh_handle o, struct posh_value *v,
		      size_t n)
{
	return extend(h, o, LEFT, v, n);
}

/* A plain value goes out, and is read; false: not so quickly. */
static bool
quick_pop(struct posh__self *self, uint64_t deque, enum side side,
	  struct posh_value *out)
{
	struct posh__object *o = posh__object(self->h, deque);
	struct view v;
	uint64_t w;
	bool done = false;

	if (!posh__quick_begin(self, o))
		return false;
	if (look(self->h, deque, &v) == 0 && length_of(v.fill) &&
	    (capacity(&v) < 1024 || length_of(v.fill) > capacity(&v) / 4 + 1)) {
		w = posh__peek(slot_at(v.ring, v.fill, side, 0));
		if (posh__is_plain(w) && posh__value_decode_fast(w, out)) {
			posh__store(&v.ring->fill, shifted(v.fill, side, 0, 1));
			POSH_STEP("deque.3");
			done = true;
		}
	}
	posh__quick_end(self, o);
	return done;
}

/* One goes out; inside the monitor. */
static void
pop_locked(struct posh__self *self, uint64_t deque, enum side side,
	   const struct view *v)
{
	if (out_plain(v, side, 1)) {
		posh__write_begin(self, deque);
		posh__store(&v->ring->fill, shifted(v->fill, side, 0, 1));
		POSH_STEP("deque.3");
		posh__write_end(self, deque);
	} else {
		shift(self, deque, v, side, FROM_VAL, 0, 1);
	}
}

/* What goes out by a pop on the right comes in by the left, so to say. */
static int
pop(posh_heap *h, posh_handle o, enum side side, struct posh_value *out)
{
	struct posh__self *self;
	struct get g = {side == RIGHT ? 0 : -1, out};
	struct view v;
	int rc = posh__enter_object(h, o, POSH__KIND_DEQUE, &self);

	if (rc)
		return rc;
	if (out && quick_pop(self, o.off, side, out)) {
		posh__leave(self);
		return 0;
	}
	rc = lock_view(self, o.off, &v);
	if (rc)
		return posh__leave_object(self, rc);
	if (!length_of(v.fill))
		rc = -ERANGE;
	else if (out) /* the monitor is ours: the reading is valid at once */
		rc = posh__read(self, o.off, read_get, &g);
	if (rc == 0) {
		pop_locked(self, o.off, side, &v);
		shrink(self, o.off);
	}
	return leave_deque(self, o.off, rc);
}

int
posh_deque_pop(posh_heap *h, posh_handle o, struct posh_value *out)
{
	return pop(h, o, LEFT, out);
}

int
posh_deque_popleft(posh_heap *h, posh_handle o, struct posh_value *out)
{
	return pop(h, o, RIGHT, out);
}

/* n steps to the right, 0 < n < len; the shorter way round. */
static int
rotate(struct posh__self *self, uint64_t deque, uint32_t n, struct view *v)
{
	uint32_t len = length_of(v->fill);
	enum side side = n <= len / 2 ? LEFT : RIGHT;
	int rc;

	if (side == RIGHT)
		n = len - n;
	rc = room(self, deque, (uint64_t)len + n, v);
	if (rc == 0)
		shift(self, deque, v, side, FROM_SELF, n, n);
	return rc;
}

int
posh_deque_rotate(posh_heap *h, posh_handle o, int64_t n)
{
	struct posh__self *self;
	struct view v;
	int64_t len;
	int rc = enter_deque(h, o, &self, &v);

	if (rc)
		return rc;
	len = length_of(v.fill);
	n = len ? n % len : 0;
	n = n < 0 ? n + len : n;
	if (n)
		rc = rotate(self, o.off, (uint32_t)n, &v);
	return leave_deque(self, o.off, rc);
}

/* In the middle */

int
posh_deque_set(posh_heap *h, posh_handle o, int64_t i, struct posh_value *in)
{
	struct posh__self *self;
	struct view v;
	posh__word *slot;
	uint64_t value = 0;
	uint32_t at;
	bool imm = posh__value_immediate(in, &value);
	int rc = posh__enter_object(h, o, POSH__KIND_DEQUE, &self);

	if (rc)
		return rc;
	if (imm)
		posh__store(&self->t->val[0], value);
	else
		rc = posh__value_encode(self, in, &self->t->val[0]);
	if (rc == 0)
		rc = lock_view(self, o.off, &v);
	if (rc)
		return posh__leave_object(self, rc);
	rc = locate(&v, i, &at);
	slot = rc ? NULL : slot_at(v.ring, v.fill, RIGHT, at);
	if (slot && imm && posh__is_plain(posh__peek(slot))) {
		posh__write_begin(self, o.off);
		posh__store(slot, value);
		POSH_STEP("deque.1");
		posh__write_end(self, o.off);
	} else if (slot) {
		posh__slot_set(self, o.off, slot, 0);
	}
	return leave_deque(self, o.off, rc);
}

/* The words of an operation at element i, which moves those on the shorter
 * side: counted from that end, elements `at` to length - 1. */
static enum side
aim(struct posh__self *self, const struct view *v, uint32_t i, uint32_t at_left)
{
	struct posh__thread *t = self->t;
	uint32_t len = length_of(v->fill);
	enum side side = i >= len / 2 ? RIGHT : LEFT;

	posh__store(&t->index, side == RIGHT ? i : at_left);
	posh__store(&t->count, len);
	posh__store(&t->oldval, v->fill);
	return side;
}

#define OP_SIDE(op, side) ((uint64_t)(op) | (uint64_t)(side) << 8)

/* INSERT from where it stands: pos. */
static void
run_insert(struct posh__self *self, struct posh__ring *b, enum side side)
{
	struct posh__thread *t = self->t;
	uint64_t fill = posh__peek(&t->oldval);
	uint32_t at = (uint32_t)posh__peek(&t->index), p;

	for (p = (uint32_t)posh__peek(&t->pos); p > at; p--) {
		if (POSH_RULE(RSHIFT))
			posh__store(&t->pos, p);
		posh__store(slot_at(b, fill, side, p),
			    posh__peek(slot_at(b, fill, side, p - 1)));
		POSH_STEP("deque.9");
	}
	posh__store(&t->pos, at);
	posh__store(slot_at(b, fill, side, at), posh__peek(&t->val[0]));
	POSH_STEP("deque.10");
	posh__store(&b->fill, posh__peek(&t->aux));
	POSH_STEP("deque.11");
	if (POSH_RULE(RPLACED))
		posh__op_next(self, POSH__OP_PLACED);
	posh__store(&t->val[0], POSH__EMPTY);
	posh__store(&t->val[1], POSH__EMPTY);
	POSH_STEP("deque.12");
}

static void
insert(struct posh__self *self, uint64_t deque, const struct view *v,
       uint32_t i)
{
	struct posh__thread *t = self->t;
	uint32_t len = length_of(v->fill);
	enum side side = aim(self, v, i, len - i);

	posh__store(&t->pos, len);
	posh__store(&t->aux, shifted(v->fill, side, 1, 0));
	intend(self, deque, v, OP_SIDE(POSH__OP_RINSERT, side));
	posh__write_begin(self, deque);
	run_insert(self, v->ring, side);
	posh__write_end(self, deque);
	posh__op_end(self);
}

int
posh_deque_insert(posh_heap *h, posh_handle o, int64_t i, struct posh_value *in)
{
	struct posh__self *self;
	struct view v;
	int64_t len;
	int rc = posh__enter_object(h, o, POSH__KIND_DEQUE, &self);

	if (rc)
		return rc;
	rc = posh__value_encode(self, in, &self->t->val[0]);
	if (rc == 0)
		rc = lock_view(self, o.off, &v);
	if (rc)
		return posh__leave_object(self, rc);
	len = length_of(v.fill);
	if ((uint64_t)len >= bound_of(self, o.off))
		rc = -ERANGE;
	else
		rc = room(self, o.off, (uint64_t)len + 1, &v);
	if (i < 0)
		i += len;
	i = i < 0 ? 0 : i > len ? len : i;
	if (rc == 0)
		insert(self, o.off, &v, (uint32_t)i);
	return leave_deque(self, o.off, rc);
}

/* A deletion from where it stands: op and pos. */
static void
run_delete(struct posh__self *self, struct posh__ring *b, unsigned op,
	   enum side side)
{
	struct posh__thread *t = self->t;
	uint64_t fill = posh__peek(&t->oldval);
	uint32_t last = (uint32_t)posh__peek(&t->count) - 1, p;
	posh__word *slot;

	if (op == POSH__OP_REMPTY) {
		p = (uint32_t)posh__peek(&t->index);
		slot = slot_at(b, fill, side, p);
		if (posh__peek(slot))
			posh__unlink_only(self, slot);
		POSH_STEP("deque.13");
		posh__store(&t->pos, p);
		op = POSH__OP_RCLOSE;
		posh__op_next(self, OP_SIDE(op, side));
	}
	if (op == POSH__OP_RCLOSE) {
		for (p = (uint32_t)posh__peek(&t->pos); p < last; p++) {
			if (POSH_RULE(RSHIFT))
				posh__store(&t->pos, p);
			posh__store(slot_at(b, fill, side, p),
				    posh__peek(slot_at(b, fill, side, p + 1)));
			POSH_STEP("deque.14");
		}
		posh__op_next(self, OP_SIDE(POSH__OP_RCUT, side));
	}
	if (POSH_RULE(OUTSIDE))
		posh__store(slot_at(b, fill, side, last), POSH__EMPTY);
	POSH_STEP("deque.15");
	posh__store(&b->fill, posh__peek(&t->aux));
	POSH_STEP("deque.16");
}

static void
delete_at(struct posh__self *self, uint64_t deque, const struct view *v,
	  uint32_t i)
{
	enum side side = aim(self, v, i, length_of(v->fill) - 1 - i);

	posh__store(&self->t->pos, 0);
	/* As if it went out by the end whose elements move. */
	posh__store(&self->t->aux, shifted(v->fill, !side, 0, 1));
	intend(self, deque, v, OP_SIDE(POSH__OP_REMPTY, side));
	posh__write_begin(self, deque);
	run_delete(self, v->ring, POSH__OP_REMPTY, side);
	posh__write_end(self, deque);
	posh__op_end(self);
}

int
posh_deque_delete(posh_heap *h, posh_handle o, int64_t i)
{
	struct posh__self *self;
	struct view v;
	uint32_t at;
	int rc = enter_deque(h, o, &self, &v);

	if (rc)
		return rc;
	rc = locate(&v, i, &at);
	if (rc == 0) {
		delete_at(self, o.off, &v, at);
		shrink(self, o.off);
	}
	return leave_deque(self, o.off, rc);
}

/* The whole */

int
posh_deque_reverse(posh_heap *h, posh_handle o)
{
	struct posh__self *self;
	struct posh__ring *new;
	struct view v;
	uint32_t i, len;
	int rc = enter_deque(h, o, &self, &v);

	if (rc)
		return rc;
	len = length_of(v.fill);
	if (len > 1)
		rc = make_ring(self, capacity(&v), v.fill);
	if (rc == 0 && len > 1) {
		new = posh__ring_at(self->h, posh__peek(&self->t->newbody));
		for (i = 0; i < len; i++)
			posh__store(slot_at(new, v.fill, LEFT, i),
				    element(&v, i));
		posh__body_swap(self, o.off, 0, 0, false);
	}
	return leave_deque(self, o.off, rc);
}

int
posh_deque_clear(posh_heap *h, posh_handle o)
{
	struct posh__self *self;
	struct view v;
	int rc = enter_deque(h, o, &self, &v);

	if (rc)
		return rc;
	if (v.ring)
		posh__body_swap(self, o.off, 0, UINT64_MAX, false);
	return leave_deque(self, o.off, 0);
}

/* Recovery */

/* Do the intent's numbers fit the ring?  A damaged heap must not crash its
 * recovery. */
static bool
sound(struct posh__self *self, unsigned op, uint64_t body, uint64_t cap)
{
	struct posh__thread *t = self->t;
	uint64_t index = posh__load(&t->index), count = posh__load(&t->count);
	uint64_t pos = posh__load(&t->pos), stage = posh__load(&t->stage);

	if (posh__ring_at(self->h, body)->kind != POSH__KIND_RING ||
	    cap < POSH__RING_LEAST || cap & (cap - 1) ||
	    sizeof(struct posh__ring) + 8 * cap >
		    posh__block_bytes(self->h, body))
		return false;
	if (op == POSH__OP_RINSERT)
		return index <= count && count < cap && pos <= count;
	if (op != POSH__OP_SHIFT)
		return index < count && count <= cap && pos <= count;
	if (length_of(index) > cap || count > cap || pos >> 3 > cap)
		return false;
	return (pos >> 1 & 3) != FROM_STAGE ||
	       (!(stage & 15) &&
		posh__inside(self->h, stage,
			     sizeof(struct posh__body) + 8 * count));
}

void
posh__deque_finish(struct posh__self *self, uint64_t op)
{
	uint64_t body = posh__load(&self->t->body);
	enum side side = op >> 8 & 1;
	struct posh__ring *b;

	op &= 0xff;
	if (!posh__block_word(self->h, body) || op > POSH__OP_RCUT)
		return;
	b = posh__ring_at(self->h, body);
	if (!sound(self, (unsigned)op, body, posh__half_load(&b->capacity)))
		return;
	if (op == POSH__OP_SHIFT)
		run_shift(self, b);
	else if (op == POSH__OP_RINSERT)
		run_insert(self, b, side);
	else
		run_delete(self, b, (unsigned)op, side);
}

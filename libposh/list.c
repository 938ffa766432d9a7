/* SPDX-License-Identifier: MIT */
/* list.c - lists: a header and a body of slots.
 *
 * INVARIANTS
 *   I1  length <= capacity, and the capacity fits the body's block;
 *   I2  slots from length on are EMPTY or hold a plain value, which owns
 *       nothing, unless an operation is in flight;
 *   I3  a change of plain values by plain values needs no intent: it is one
 *       store, or the length's store makes it visible.
 *
 * PROGRESS  reads as read.c says; writes are under the monitor.
 *
 * STEPS     effect                          if the process dies here
 *   list.1  a plain slot is stored          the list is as after
 *   list.2  a plain value beyond the end    the list is as before
 *   list.3  the length covers it            the list is as after
 *   list.4  an intent is noted              the list is as before
 *   list.5  values beyond the end           APPEND, EXTEND: taken back
 *   list.6  the length covers them          recovery ends it
 *   list.7  the stage owns nothing          recovery ends it
 *   list.8  a slot moved up                 recovery moves the rest
 *   list.9  the value is in its slot        recovery ends it
 *   list.10 val does not own it             recovery ends it
 *   list.11 a slot unlinked                 recovery unlinks the rest
 *   list.12 a slot moved down               recovery moves the rest
 *   list.13 the slots behind are EMPTY      recovery ends it
 *   list.14 the length is stored            recovery ends it
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "quick.h"

static struct posh__body *
body_of(struct posh__self *self, uint64_t list)
{
	uint64_t b = posh__peek(&posh__object(self->h, list)->body);

	return b ? posh__body_at(self->h, b) : NULL;
}

/* Can the list be written to?  What its header names is a body, in which its
 * numbers fit; or the heap is damaged. */
static bool
whole(struct posh__self *self, uint64_t list)
{
	uint64_t off = posh__peek(&posh__object(self->h, list)->body), cap;
	struct posh__body *b;

	if (!off)
		return true;
	if (off & 15 || !posh__inside(self->h, off, sizeof(*b)))
		return false;
	b = posh__body_at(self->h, off);
	cap = posh__half_load(&b->capacity);
	return b->kind == POSH__KIND_BODY && posh__peek(&b->length) <= cap &&
	       posh__inside(self->h, off, sizeof(*b) + 8 * cap);
}

/* Enter the monitor of a list. */
static int
lock_list(struct posh__self *self, uint64_t list)
{
	int rc = posh__lock(self, list, -1);

	if (rc || whole(self, list))
		return rc;
	posh__unlock(self, list);
	return -EUCLEAN;
}

static uint64_t
length_of(const struct posh__body *b)
{
	return b ? posh__peek(&b->length) : 0;
}

static uint64_t
capacity_of(const struct posh__body *b)
{
	return b ? posh__half_load(&b->capacity) : 0;
}

/* Resolve an index that may count from the end. */
static int
locate(const struct posh__body *b, int64_t i, uint64_t *out)
{
	int64_t n = (int64_t)length_of(b);

	if (i < 0)
		i += n;
	if (i < 0 || i >= n)
		return -ERANGE;
	*out = (uint64_t)i;
	return 0;
}

/* A body in newbody, with room for n values and length 0. */
static int
make_body(struct posh__self *self, uint64_t n)
{
	uint64_t bytes;
	int rc;

	if (n > UINT32_MAX - 8192)
		return -ENOMEM;
	bytes = posh__block_round(sizeof(struct posh__body) + 8 * n);
	rc = posh__body_alloc(self, bytes, POSH__KIND_BODY);
	if (rc)
		return rc;
	posh__half_store(&posh__body_at(self->h, posh__peek(&self->t->newbody))
				  ->capacity,
			 (uint32_t)((bytes - sizeof(struct posh__body)) / 8));
	return 0;
}

/* Give the list another body with room for n values, and for all it has;
 * inside the monitor.  The old one waits in trash. */
static int
rebody(struct posh__self *self, uint64_t list, uint64_t n)
{
	struct posh__body *old = body_of(self, list), *new;
	uint64_t len = length_of(old);
	int rc;

	rc = make_body(self, n);
	if (rc)
		return rc;
	new = posh__body_at(self->h, posh__peek(&self->t->newbody));
	if (len)
		memcpy((void *)new->slot, (void *)old->slot, 8 * len);
	memset((void *)&new->slot[len], 0, 8 * (capacity_of(new) - len));
	posh__store(&new->length, len);
	posh__body_swap(self, list, 0, 0, false);
	return 0;
}

/* Have the list's body hold n values. */
static int
make_room(struct posh__self *self, uint64_t list, uint64_t n)
{
	return n <= capacity_of(body_of(self, list)) ? 0
						     : rebody(self, list, n);
}

/* How many a growing list gets room for. */
static uint64_t
ample(uint64_t n)
{
	return n + n / 2 + 4;
}

/* The same, without insisting on more than n. */
static int
grow(struct posh__self *self, uint64_t list, uint64_t n)
{
	int rc;

	if (n <= capacity_of(body_of(self, list)))
		return 0;
	rc = make_room(self, list, ample(n));
	if (posh__is_full(rc))
		rc = make_room(self, list, n);
	/* The old body waits in trash. */
	posh__body_free(self, &self->t->trash);
	return rc;
}

int
posh_list_new(posh_heap *h, posh_handle *out)
{
	return posh__object_empty(h, sizeof(struct posh__object),
				  POSH__KIND_LIST, out);
}

/* Reading */

/* The body that a reader may follow, its length bounded by what may be read
 * without a fault: NULL for an empty list, or with *bad for nonsense. */
static inline struct posh__body *
stale_body(struct posh_heap *h, uint64_t list, uint64_t *len, bool *bad)
{
	uint64_t off = posh__load(&posh__object(h, list)->body);
	struct posh__body *b;

	*len = 0;
	*bad = false;
	if (!off)
		return NULL;
	*bad = true;
	if (off & 15 || !posh__inside(h, off, sizeof(*b)))
		return NULL;
	b = posh__body_at(h, off);
	*len = posh__load(&b->length);
	if (*len > UINT32_MAX || !posh__inside(h, off, sizeof(*b) + 8 * *len))
		return NULL;
	*bad = false;
	return b;
}

static int
read_len(struct posh__self *self, uint64_t list, void *arg)
{
	bool bad;

	stale_body(self->h, list, arg, &bad);
	return bad ? -EAGAIN : 0;
}

int64_t
posh_list_len(posh_heap *h, posh_handle o)
{
	struct posh__self *self;
	struct posh__object *p = posh__object(h, o.off);
	uint64_t len, seq;
	bool bad;
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = posh__object_is(h, o, POSH__KIND_LIST);
	if (rc == 0 && posh__seq_even(p, &seq)) {
		stale_body(h, o.off, &len, &bad);
		if (!bad && posh__seq_same(p, seq)) {
			posh__leave(self);
			return (int64_t)len;
		}
	}
	if (rc == 0)
		rc = posh__read(self, o.off, read_len, &len);
	posh__leave(self);
	return rc ? rc : (int64_t)len;
}

struct get {
	int64_t i;
	struct posh_value *out;
};

static int
read_get(struct posh__self *self, uint64_t list, void *arg)
{
	struct get *g = arg;
	uint64_t len;
	bool bad;
	struct posh__body *b = stale_body(self->h, list, &len, &bad);
	int64_t i = g->i < 0 ? g->i + (int64_t)len : g->i;

	if (bad)
		return -EAGAIN;
	if (i < 0 || i >= (int64_t)len)
		return -ERANGE;
	posh__scratch_reset(self);
	return posh__read_value(self, posh__load(&b->slot[i]), g->out);
}

int
posh_list_get(posh_heap *h, posh_handle o, int64_t i, struct posh_value *out)
{
	struct posh__self *self;
	struct posh__object *p = posh__object(h, o.off);
	struct get g = {i, out};
	uint64_t seq, len;
	bool bad;
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = posh__object_is(h, o, POSH__KIND_LIST);
	if (rc == 0 && i >= 0 && posh__seq_even(p, &seq)) {
		struct posh__body *b = stale_body(h, o.off, &len, &bad);

		if (b && (uint64_t)i < len) {
			uint64_t w = posh__load(&b->slot[i]);

			if (posh__seq_same(p, seq) &&
			    (posh__value_decode_fast(w, out) ||
			     posh__read_object(self, p, seq, w, out))) {
				posh__leave(self);
				return 0;
			}
		}
	}
	if (rc == 0)
		rc = posh__read(self, o.off, read_get, &g);
	posh__leave(self);
	return rc;
}

struct batch {
	uint64_t start, n, got;
	unsigned flags;
	bool whole; /* -ENOSPC if n is less than the length */
	struct posh_value *out;
	uint64_t version;
};

static int
read_batch(struct posh__self *self, uint64_t list, void *arg)
{
	struct batch *r = arg;
	uint64_t len, i, n;
	bool bad;
	struct posh__body *b;
	int rc;

	r->version = posh__load(&posh__object(self->h, list)->seq);
	b = stale_body(self->h, list, &len, &bad);
	r->got = 0;
	if (bad)
		return -EAGAIN;
	if (r->whole && len > r->n) {
		r->got = len;
		return -ENOSPC;
	}
	posh__scratch_reset(self);
	n = r->start >= len ? 0 : len - r->start;
	n = n < r->n ? n : r->n;
	for (i = 0; i < n; i++) {
		uint64_t w = posh__load(&b->slot[r->start + i]);
		bool object = POSH__TAG(w) == POSH__TAG_OBJECT;

		if (posh__value_decode_fast(w, &r->out[i]))
			continue;
		if (object && r->flags & POSH_SCALARS && i > 0)
			break;
		rc = posh__read_value(self, w, &r->out[i]);
		if (rc)
			return rc;
		if (object && r->flags & POSH_SCALARS) {
			i++;
			break;
		}
	}
	r->got = i;
	return 0;
}

int64_t
posh_list_read(posh_heap *h, posh_handle o, size_t start, size_t n,
	       unsigned flags, struct posh_value *out, uint64_t *version)
{
	struct posh__self *self;
	struct batch r = {start, n, 0, flags, false, out, 0};
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = posh__object_is(h, o, POSH__KIND_LIST);
	if (rc == 0)
		rc = posh__read(self, o.off, read_batch, &r);
	posh__leave(self);
	if (rc)
		return rc;
	if (version)
		*version = r.version;
	return (int64_t)r.got;
}

int64_t
posh_list_snapshot(posh_heap *h, posh_handle o, struct posh_value **out,
		   uint64_t *version)
{
	struct posh__self *self;
	struct batch r = {0, 0, 0, 0, true, NULL, 0};
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = posh__object_is(h, o, POSH__KIND_LIST);
	r.got = 16;
	while (rc == 0) {
		free(r.out);
		r.n = r.got + r.got / 8;
		r.out = malloc(r.n * sizeof(*r.out));
		if (!r.out) {
			rc = -ENOMEM;
			break;
		}
		rc = posh__read(self, o.off, read_batch, &r);
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

/* Writing */

/* Store a plain value in a slot with a plain value in it. */
static void
set_plain(struct posh__self *self, uint64_t list, posh__word *slot,
	  uint64_t value)
{
	posh__write_begin(self, list);
	posh__store(slot, value);
	POSH_STEP("list.1");
	posh__write_end(self, list);
}

/* A plain value over a plain value; false: not so quickly. */
static bool
quick_set(struct posh__self *self, uint64_t list, int64_t i, uint64_t value)
{
	struct posh__object *o = posh__object(self->h, list);
	struct posh__body *b;
	uint64_t at;
	bool done = false;

	if (!posh__quick_begin(self, o))
		return false;
	b = whole(self, list) ? body_of(self, list) : NULL;
	if (locate(b, i, &at) == 0 &&
	    posh__is_plain(posh__peek(&b->slot[at]))) {
		posh__store(&b->slot[at], value);
		POSH_STEP("list.1");
		done = true;
	}
	posh__quick_end(self, o);
	return done;
}

int
posh_list_set(posh_heap *h, posh_handle o, int64_t i, struct posh_value *v)
{
	struct posh__self *self;
	struct posh__body *b;
	uint64_t value, at;
	bool imm = posh__value_immediate(v, &value);
	int rc = posh__enter_object(h, o, POSH__KIND_LIST, &self);

	if (rc)
		return rc;
	if (imm && quick_set(self, o.off, i, value)) {
		posh__leave(self);
		return 0;
	}
	if (!imm)
		rc = posh__value_encode(self, v, &self->t->val[0]);
	if (rc == 0)
		rc = lock_list(self, o.off);
	if (rc)
		return posh__leave_object(self, rc);
	b = body_of(self, o.off);
	rc = locate(b, i, &at);
	if (rc == 0 && imm && posh__is_plain(posh__peek(&b->slot[at]))) {
		set_plain(self, o.off, &b->slot[at], value);
		posh__unlock(self, o.off);
		posh__leave(self);
		return 0;
	}
	if (rc == 0) {
		if (imm)
			posh__store(&self->t->val[0], value);
		posh__slot_set(self, o.off, &b->slot[at], 0);
	}
	posh__unlock(self, o.off);
	return posh__leave_object(self, rc);
}

/* n plain values beyond the end, then the length; there is room. */
static void
append_plain(struct posh__self *self, uint64_t list, struct posh_value *v,
	     uint64_t n)
{
	struct posh__body *b = body_of(self, list);
	uint64_t len = length_of(b), i, value = 0;

	posh__write_begin(self, list);
	for (i = 0; i < n; i++) {
		posh__value_immediate(&v[i], &value);
		posh__store(&b->slot[len + i], value);
	}
	POSH_STEP("list.2");
	posh__store(&b->length, len + n);
	POSH_STEP("list.3");
	posh__write_end(self, list);
}

/* Note what an operation on the body is about; pos and aux are set before. */
static void
intend(struct posh__self *self, uint64_t list, uint64_t index, uint64_t count,
       enum posh__op op)
{
	struct posh__thread *t = self->t;

	posh__store(&t->container, list);
	posh__store(&t->body, posh__peek(&posh__object(self->h, list)->body));
	posh__store(&t->index, index);
	posh__store(&t->count, count);
	posh__op_begin(self, op);
	POSH_STEP("list.4");
}

/* Append val[0]; there is room. */
static void
append_val(struct posh__self *self, uint64_t list)
{
	struct posh__thread *t = self->t;
	struct posh__body *b = body_of(self, list);
	uint64_t len = length_of(b);

	posh__store(&self->t->pos, 0);
	intend(self, list, len, 1, POSH__OP_APPEND);
	posh__write_begin(self, list);
	posh__store(&b->slot[len], posh__peek(&t->val[0]));
	POSH_STEP("list.5");
	posh__store(&b->length, len + 1);
	POSH_STEP("list.6");
	posh__store(&t->val[0], POSH__EMPTY);
	POSH_STEP("list.10");
	posh__write_end(self, list);
	posh__op_end(self);
}

/* A plain value, and there is room. */
static bool
quick_append(struct posh__self *self, uint64_t list, uint64_t value)
{
	struct posh__object *o = posh__object(self->h, list);
	struct posh__body *b;
	uint64_t len;
	bool done = false;

	if (!posh__quick_begin(self, o))
		return false;
	b = whole(self, list) ? body_of(self, list) : NULL;
	len = length_of(b);
	if (b && len < capacity_of(b)) {
		posh__store(&b->slot[len], value);
		POSH_STEP("list.2");
		posh__store(&b->length, len + 1);
		POSH_STEP("list.3");
		done = true;
	}
	posh__quick_end(self, o);
	return done;
}

int
posh_list_append(posh_heap *h, posh_handle o, struct posh_value *v)
{
	struct posh__self *self;
	uint64_t value;
	bool imm = posh__value_immediate(v, &value);
	int rc = posh__enter_object(h, o, POSH__KIND_LIST, &self);

	if (rc)
		return rc;
	if (imm && quick_append(self, o.off, value)) {
		posh__leave(self);
		return 0;
	}
	if (!imm)
		rc = posh__value_encode(self, v, &self->t->val[0]);
	if (rc == 0)
		rc = lock_list(self, o.off);
	if (rc)
		return posh__leave_object(self, rc);
	rc = grow(self, o.off, length_of(body_of(self, o.off)) + 1);
	if (rc == 0 && imm)
		append_plain(self, o.off, v, 1);
	else if (rc == 0)
		append_val(self, o.off);
	posh__unlock(self, o.off);
	if (rc)
		return posh__leave_object(self, rc);
	posh__leave(self);
	return 0;
}

/* Append the stage's values; there is room. */
static void
append_stage(struct posh__self *self, uint64_t list, uint64_t n)
{
	struct posh__body *b = body_of(self, list);
	struct posh__body *stage =
		posh__body_at(self->h, posh__peek(&self->t->stage));
	uint64_t len = length_of(b), i;

	posh__store(&self->t->pos, 0);
	intend(self, list, len, n, POSH__OP_EXTEND);
	posh__write_begin(self, list);
	for (i = 0; i < n; i++)
		posh__store(&b->slot[len + i], posh__peek(&stage->slot[i]));
	POSH_STEP("list.5");
	posh__store(&b->length, len + n);
	POSH_STEP("list.6");
	posh__store(&stage->length, 0);
	POSH_STEP("list.7");
	posh__write_end(self, list);
	posh__op_end(self);
}

static bool
all_plain(const struct posh_value *v, size_t n)
{
	uint64_t value;
	size_t i;

	for (i = 0; i < n; i++)
		if (!posh__value_immediate(&v[i], &value))
			return false;
	return true;
}

int
posh_list_extend(posh_heap *h, posh_handle o, struct posh_value *v, size_t n)
{
	struct posh__self *self;
	bool imm = all_plain(v, n);
	int rc = posh__enter_object(h, o, POSH__KIND_LIST, &self);

	if (rc)
		return rc;
	if (!imm)
		rc = posh__stage_make(self, v, n);
	if (rc == 0)
		rc = lock_list(self, o.off);
	if (rc)
		return posh__leave_object(self, rc);
	rc = grow(self, o.off, length_of(body_of(self, o.off)) + n);
	if (rc == 0 && imm && n)
		append_plain(self, o.off, v, n);
	else if (rc == 0 && n)
		append_stage(self, o.off, n);
	posh__unlock(self, o.off);
	return posh__leave_object(self, rc);
}

/* INSERT from where it stands: pos. */
static void
run_insert(struct posh__self *self, struct posh__body *b)
{
	struct posh__thread *t = self->t;
	uint64_t at = posh__peek(&t->index), p;

	for (p = posh__peek(&t->pos); p > at; p--) {
		if (POSH_RULE(SHIFT))
			posh__store(&t->pos, p);
		posh__store(&b->slot[p], posh__peek(&b->slot[p - 1]));
		POSH_STEP("list.8");
	}
	posh__store(&t->pos, at);
	posh__store(&b->slot[at], posh__peek(&t->val[0]));
	POSH_STEP("list.9");
	posh__store(&b->length, posh__peek(&t->count) + 1);
	POSH_STEP("list.14");
	if (POSH_RULE(PLACED))
		posh__op_next(self, POSH__OP_PLACED);
	posh__store(&t->val[0], POSH__EMPTY);
	POSH_STEP("list.10");
}

static void
insert_val(struct posh__self *self, uint64_t list, uint64_t at)
{
	struct posh__body *b = body_of(self, list);
	uint64_t len = length_of(b);

	posh__store(&self->t->pos, len);
	intend(self, list, at, len, POSH__OP_INSERT);
	posh__write_begin(self, list);
	run_insert(self, b);
	posh__write_end(self, list);
	posh__op_end(self);
}

int
posh_list_insert(posh_heap *h, posh_handle o, int64_t i, struct posh_value *v)
{
	struct posh__self *self;
	int64_t len;
	int rc = posh__enter_object(h, o, POSH__KIND_LIST, &self);

	if (rc)
		return rc;
	rc = posh__value_encode(self, v, &self->t->val[0]);
	if (rc == 0)
		rc = lock_list(self, o.off);
	if (rc)
		return posh__leave_object(self, rc);
	len = (int64_t)length_of(body_of(self, o.off));
	if (i < 0)
		i += len;
	i = i < 0 ? 0 : i > len ? len : i;
	rc = grow(self, o.off, (uint64_t)len + 1);
	if (rc == 0 && i == len)
		append_val(self, o.off);
	else if (rc == 0)
		insert_val(self, o.off, (uint64_t)i);
	posh__unlock(self, o.off);
	return posh__leave_object(self, rc);
}

/* A deletion from where it stands: op and pos. */
static void
run_delete(struct posh__self *self, struct posh__body *b, uint64_t op)
{
	struct posh__thread *t = self->t;
	uint64_t from = posh__peek(&t->index), to = posh__peek(&t->count);
	uint64_t len = posh__peek(&t->aux), p;

	if (op == POSH__OP_EMPTY) {
		for (p = from; p < to; p++)
			if (posh__peek(&b->slot[p])) {
				posh__unlink_only(self, &b->slot[p]);
				POSH_STEP("list.11");
			}
		posh__store(&t->pos, from);
		posh__op_next(self, POSH__OP_CLOSE);
		op = POSH__OP_CLOSE;
	}
	if (op == POSH__OP_CLOSE) {
		for (p = posh__peek(&t->pos); p < len; p++) {
			posh__store(&t->pos, p);
			posh__store(&b->slot[p],
				    posh__peek(&b->slot[p + (to - from)]));
			POSH_STEP("list.12");
		}
		posh__op_next(self, POSH__OP_CUT);
	}
	for (p = len; p < len + (to - from) && POSH_RULE(BEYOND); p++)
		posh__store(&b->slot[p], POSH__EMPTY);
	POSH_STEP("list.13");
	posh__store(&b->length, len);
	POSH_STEP("list.14");
}

/* Remove from .. to - 1, inside the monitor. */
static void
delete_range(struct posh__self *self, uint64_t list, uint64_t from, uint64_t to)
{
	struct posh__body *b = body_of(self, list);

	posh__store(&self->t->aux, length_of(b) - (to - from));
	posh__store(&self->t->pos, from);
	intend(self, list, from, to, POSH__OP_EMPTY);
	posh__write_begin(self, list);
	run_delete(self, b, POSH__OP_EMPTY);
	posh__write_end(self, list);
	posh__op_end(self);
}

/* A list that has lost most of its elements gets a smaller body, if there is
 * memory for one; inside the monitor. */
static void
shrink(struct posh__self *self, uint64_t list)
{
	struct posh__body *b = body_of(self, list);
	uint64_t len = length_of(b);

	if (capacity_of(b) < 1024 || len > capacity_of(b) / 4)
		return;
	if (rebody(self, list, ample(len)) == 0)
		posh__body_free(self, &self->t->trash);
}

/* The last value, a plain one, is cut off. */
static void
cut_plain(struct posh__self *self, uint64_t list)
{
	struct posh__body *b = body_of(self, list);

	posh__write_begin(self, list);
	posh__store(&b->length, length_of(b) - 1);
	POSH_STEP("list.3");
	posh__write_end(self, list);
}

int
posh_list_pop(posh_heap *h, posh_handle o, int64_t i, struct posh_value *out)
{
	struct posh__self *self;
	struct get g = {i, out};
	struct posh__body *b;
	uint64_t at;
	int rc = posh__enter_object(h, o, POSH__KIND_LIST, &self);

	if (rc)
		return rc;
	rc = lock_list(self, o.off);
	if (rc)
		return posh__leave_object(self, rc);
	b = body_of(self, o.off);
	rc = locate(b, i, &at);
	/* The monitor is ours: the reading is valid at once. */
	if (rc == 0 && out)
		rc = posh__read(self, o.off, read_get, &g);
	if (rc == 0) {
		if (at + 1 == length_of(b) &&
		    posh__is_plain(posh__peek(&b->slot[at])))
			cut_plain(self, o.off);
		else
			delete_range(self, o.off, at, at + 1);
		shrink(self, o.off);
	}
	posh__unlock(self, o.off);
	return posh__leave_object(self, rc);
}

int
posh_list_delete(posh_heap *h, posh_handle o, size_t from, size_t to)
{
	struct posh__self *self;
	uint64_t len;
	int rc = posh__enter_object(h, o, POSH__KIND_LIST, &self);

	if (rc)
		return rc;
	rc = lock_list(self, o.off);
	if (rc)
		return posh__leave_object(self, rc);
	len = length_of(body_of(self, o.off));
	to = to < len ? to : len;
	if (from == 0 && to == len && len)
		posh__body_swap(self, o.off, 0, len, false); /* to none */
	else if (from < to)
		delete_range(self, o.off, from, to);
	if (from || to < len)
		shrink(self, o.off);
	posh__unlock(self, o.off);
	return posh__leave_object(self, 0);
}

/* newbody: the list without from .. to - 1 and with the stage's values. */
static int
splice_body(struct posh__self *self, uint64_t list, uint64_t from, uint64_t to,
	    uint64_t n)
{
	struct posh__body *old = body_of(self, list), *new, *stage;
	uint64_t len = length_of(old), rest = len - to;
	int rc;

	if (from + n + rest == 0)
		return 0;
	rc = make_body(self, from + n + rest);
	if (rc)
		return rc;
	new = posh__body_at(self->h, posh__peek(&self->t->newbody));
	stage = posh__body_at(self->h, posh__peek(&self->t->stage));
	if (from)
		memcpy((void *)new->slot, (void *)old->slot, 8 * from);
	memcpy((void *)&new->slot[from], (void *)stage->slot, 8 * n);
	if (rest)
		memcpy((void *)&new->slot[from + n], (void *)&old->slot[to],
		       8 * rest);
	len = from + n + rest;
	memset((void *)&new->slot[len], 0, 8 * (capacity_of(new) - len));
	posh__store(&new->length, len);
	return 0;
}

int
posh_list_splice(posh_heap *h, posh_handle o, size_t from, size_t to,
		 struct posh_value *v, size_t n)
{
	struct posh__self *self;
	uint64_t len;
	int rc = posh__enter_object(h, o, POSH__KIND_LIST, &self);

	if (rc)
		return rc;
	rc = posh__stage_make(self, v, n);
	if (rc == 0)
		rc = lock_list(self, o.off);
	if (rc)
		return posh__leave_object(self, rc);
	len = length_of(body_of(self, o.off));
	to = to < len ? to : len;
	from = from < len ? from : len;
	to = to < from ? from : to;
	rc = splice_body(self, o.off, from, to, n);
	if (rc == 0 && len + n)
		posh__body_swap(self, o.off, from, to, true);
	posh__unlock(self, o.off);
	return posh__leave_object(self, rc);
}

/* Is order a permutation of 0 .. n - 1?  seen has n bits, all 0. */
static bool
is_permutation(const size_t *order, size_t n, uint64_t *seen)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (order[i] >= n || seen[order[i] / 64] >> order[i] % 64 & 1)
			return false;
		seen[order[i] / 64] |= UINT64_C(1) << order[i] % 64;
	}
	return true;
}

static int
permute(struct posh__self *self, uint64_t list, const size_t *order, size_t n)
{
	struct posh__body *old = body_of(self, list), *new;
	size_t i;
	int rc;

	if (!n)
		return 0;
	rc = make_body(self, n);
	if (rc)
		return rc;
	new = posh__body_at(self->h, posh__peek(&self->t->newbody));
	for (i = 0; i < n; i++)
		posh__store(&new->slot[i], posh__peek(&old->slot[order[i]]));
	memset((void *)&new->slot[n], 0, 8 * (capacity_of(new) - n));
	posh__store(&new->length, n);
	posh__body_swap(self, list, 0, 0, false);
	return 0;
}

int
posh_list_permute(posh_heap *h, posh_handle o, const size_t *order, size_t n,
		  uint64_t version)
{
	struct posh__self *self;
	uint64_t *seen = calloc(n / 64 + 1, sizeof(*seen));
	bool good = seen && is_permutation(order, n, seen);
	int rc = seen ? posh__enter_object(h, o, POSH__KIND_LIST, &self)
		      : -ENOMEM;

	free(seen);
	if (rc)
		return rc;
	rc = good ? lock_list(self, o.off) : -EINVAL;
	if (rc)
		return posh__leave_object(self, rc);
	if (posh__load(&posh__object(h, o.off)->seq) != version ||
	    length_of(body_of(self, o.off)) != n)
		rc = -ESTALE;
	else
		rc = permute(self, o.off, order, n);
	posh__unlock(self, o.off);
	return posh__leave_object(self, rc);
}

int
posh_list_reserve(posh_heap *h, posh_handle o, size_t n)
{
	struct posh__self *self;
	int rc = posh__enter_object(h, o, POSH__KIND_LIST, &self);

	if (rc)
		return rc;
	rc = lock_list(self, o.off);
	if (rc)
		return posh__leave_object(self, rc);
	rc = make_room(self, o.off, n);
	posh__unlock(self, o.off);
	return posh__leave_object(self, rc);
}

/* Recovery */

static void
finish_append(struct posh__self *self, struct posh__body *b, uint64_t op)
{
	struct posh__thread *t = self->t;
	uint64_t len = posh__load(&t->index), n = posh__load(&t->count), i;
	uint64_t stage = posh__load(&t->stage);

	if (posh__load(&b->length) == len) {
		for (i = 0; i < n; i++)
			posh__store(&b->slot[len + i], POSH__EMPTY);
	} else if (op == POSH__OP_APPEND) {
		posh__store(&t->val[0], POSH__EMPTY);
	} else if (!(stage & 15) && posh__inside(self->h, stage, sizeof(*b)) &&
		   POSH_RULE(STAGE)) {
		posh__store(&posh__body_at(self->h, stage)->length, 0);
	}
}

/* Do the intent's numbers fit the body?  A damaged heap must not crash its
 * recovery. */
static bool
sound(struct posh__self *self, uint64_t op, uint64_t body)
{
	struct posh__thread *t = self->t;
	uint64_t index = posh__load(&t->index), count = posh__load(&t->count);
	uint64_t pos = posh__load(&t->pos), aux = posh__load(&t->aux), cap;

	if (!posh__block_word(self->h, body) ||
	    posh__block_bytes(self->h, body) < sizeof(struct posh__body))
		return false;
	cap = (posh__block_bytes(self->h, body) - sizeof(struct posh__body)) /
	      8;
	if (index > cap || count > cap || pos > cap)
		return false;
	if (op == POSH__OP_INSERT)
		return count < cap && index <= count && pos <= count;
	if (op >= POSH__OP_EMPTY)
		return index <= count && aux <= cap &&
		       aux + (count - index) <= cap;
	return index + count <= cap;
}

void
posh__list_finish(struct posh__self *self, uint64_t op)
{
	uint64_t body = posh__load(&self->t->body);
	struct posh__body *b;

	if (op != POSH__OP_APPEND && op != POSH__OP_EXTEND &&
	    op != POSH__OP_INSERT && op != POSH__OP_EMPTY &&
	    op != POSH__OP_CLOSE && op != POSH__OP_CUT)
		return;
	if (!sound(self, op, body))
		return;
	b = posh__body_at(self->h, body);
	if (op == POSH__OP_INSERT)
		run_insert(self, b);
	else if (op >= POSH__OP_EMPTY)
		run_delete(self, b, op);
	else
		finish_append(self, b, op);
}

/* SPDX-License-Identifier: MIT */
/* op.c - the operations that all containers share.
 *
 * INVARIANTS
 *   I1  a body's values belong to the container whose header names it, and
 *       to the thread whose trash names it;
 *   I2  newbody's values belong to somebody else: they are not looked at;
 *   I3  between begin and end the thread has the container's monitor;
 *   I4  a value is owned by exactly one word: a slot, or a word of the
 *       thread's entry; an operation in flight says which of two.
 *
 * PROGRESS  not lock-free: under the container's monitor.
 *
 * STEPS    effect                          if the process dies here
 *   op.1   a body LIVE, in newbody         recovery frees it
 *   op.2   SET noted                       sequence even: nothing happened
 *   op.3   the slot has the new value      recovery moves the old to val
 *   op.4   val has the old value           recovery unlinks it
 *   op.5   SWAP noted                      sequence even: nothing happened
 *   op.6   the header names the new body   recovery goes on
 *   op.7   newbody is 0                    as op.6
 *   op.8   the stage owns nothing          as op.6
 *   op.9   trash is the old body           recovery unlinks and frees it
 *   op.10  released                        nothing is owned
 */
#include "config.h"

#include "quick.h"

void
posh__quick_wake(struct posh__self *self, struct posh__object *o)
{
	posh__half_cas(&o->lock, self->name | POSH__LOCK_WAITS, 0);
	posh__wake(&o->lock, 1);
}

void
posh__release(struct posh__self *self)
{
	struct posh__thread *t = self->t;
	struct posh__row row[POSH__ROWS];
	int i, n;

	/* A body on its way from newbody to stage is in both. */
	if (posh__peek(&t->stage) == posh__peek(&t->newbody))
		posh__store(&t->newbody, 0);
	for (i = 0; i < 4; i++)
		if (posh__peek(&t->val[i]))
			posh__unlink_only(self, &t->val[i]);
	if (posh__peek(&t->newbody))
		posh__body_free(self, &t->newbody);
	if (posh__peek(&t->stage)) {
		n = posh__body_rows(self->h, posh__peek(&t->stage), row);
		while (n-- > 0)
			posh__row_unlink(self, &row[n]);
		posh__body_free(self, &t->stage);
	}
	if (posh__peek(&t->trash)) {
		uint64_t from = posh__peek(&t->trash_from);
		uint64_t to = posh__peek(&t->trash_to);

		n = posh__body_rows(self->h, posh__peek(&t->trash), row);
		while (n-- > 0 && to) {
			to = to < row[n].n ? to : row[n].n;
			row[n].off += from * row[n].stride;
			row[n].n = to > from ? to - from : 0;
			posh__row_unlink(self, &row[n]);
		}
		posh__body_free(self, &t->trash);
	}
	posh__destroy(self);
	POSH_STEP("op.10");
}

int
posh__body_alloc(struct posh__self *self, uint64_t bytes, uint16_t kind)
{
	uint64_t b;
	struct posh__body *body;
	int rc = posh__block_reserve(self, bytes, &b);

	if (rc)
		return rc;
	if (!POSH_RULE(JOURNAL))
		posh__block_birth(self, b, 1);
	posh__store(&self->t->newbody, b);
	posh__block_birth(self, b, 1);
	POSH_STEP("op.1");
	body = posh__body_at(self->h, b);
	posh__store(&body->length, 0);
	posh__half_store(&body->capacity, 0);
	body->flags = 0;
	posh__compiler_fence();
	body->kind = kind;
	return 0;
}

int
posh__stage_make(struct posh__self *self, struct posh_value *v, size_t n)
{
	struct posh__thread *t = self->t;
	struct posh__body *stage;
	size_t i;
	int rc;

	if (n > UINT32_MAX)
		return -ENOMEM;
	rc = posh__body_alloc(self, sizeof(*stage) + 8 * (uint64_t)n,
			      POSH__KIND_BODY);
	if (rc)
		return rc;
	stage = posh__body_at(self->h, posh__peek(&t->newbody));
	for (i = 0; i < n; i++)
		posh__store(&stage->slot[i], POSH__EMPTY);
	posh__half_store(&stage->capacity, (uint32_t)n);
	posh__store(&stage->length, n);
	posh__store(&t->stage, posh__peek(&t->newbody));
	posh__store(&t->newbody, 0);
	for (i = 0; i < n && rc == 0; i++) {
		uint64_t w;

		if (posh__value_immediate(&v[i], &w))
			posh__store(&stage->slot[i], w);
		else
			rc = posh__value_encode(self, &v[i], &stage->slot[i]);
	}
	if (rc)
		posh__release(self);
	return rc;
}

/* What is left to do when the header names the new body. */
static void
swapped(struct posh__self *self)
{
	struct posh__thread *t = self->t;
	uint64_t stage = posh__peek(&t->stage);

	posh__store(&t->newbody, 0);
	POSH_STEP("op.7");
	if (posh__peek(&t->pos) && !(stage & 15) &&
	    posh__inside(self->h, stage, sizeof(struct posh__body)))
		posh__store(&posh__body_at(self->h, stage)->length, 0);
	POSH_STEP("op.8");
	posh__store(&t->trash_from, posh__peek(&t->index));
	posh__store(&t->trash_to,
		    POSH_RULE(BODY) ? posh__peek(&t->count) : UINT64_MAX);
	posh__store(&t->trash, posh__peek(&t->body));
	POSH_STEP("op.9");
}

void
posh__body_swap(struct posh__self *self, uint64_t container, uint64_t from,
		uint64_t to, bool disown)
{
	struct posh__thread *t = self->t;
	struct posh__object *o = posh__object(self->h, container);

	posh__store(&t->container, container);
	posh__store(&t->body, posh__peek(&o->body));
	posh__store(&t->aux, posh__peek(&t->newbody));
	posh__store(&t->index, from);
	posh__store(&t->count, to);
	posh__store(&t->pos, disown);
	posh__op_begin(self, POSH__OP_SWAP);
	POSH_STEP("op.5");
	posh__write_begin(self, container);
	posh__store(&o->body, posh__peek(&t->aux));
	POSH_STEP("op.6");
	swapped(self);
	posh__write_end(self, container);
	posh__op_end(self);
}

void
posh__slot_set(struct posh__self *self, uint64_t container, posh__word *slot,
	       unsigned k)
{
	struct posh__thread *t = self->t;
	uint64_t old = posh__peek(slot), new = posh__peek(&t->val[k]);

	posh__store(&t->container, container);
	posh__store(&t->pos, (uint64_t)((char *)slot - self->h->base));
	posh__store(&t->oldval, old);
	posh__store(&t->aux, new);
	posh__store(&t->index, k);
	if (!POSH_RULE(INTENT))
		posh__store(slot, new);
	posh__op_begin(self, POSH__OP_SET);
	POSH_STEP("op.2");
	posh__write_begin(self, container);
	posh__store(slot, new);
	POSH_STEP("op.3");
	posh__store(&t->val[k], old);
	POSH_STEP("op.4");
	posh__write_end(self, container);
	posh__op_end(self);
}

static void
finish_set(struct posh__self *self)
{
	struct posh__thread *t = self->t;
	uint64_t off = posh__load(&t->pos), k = posh__load(&t->index);

	if (off & 7 || k > 3 || !posh__inside(self->h, off, 8))
		return;
	if (posh__load((posh__word *)posh__at(self->h, off)) ==
	    posh__load(&t->aux))
		posh__store(&t->val[k], posh__load(POSH_RULE(OWNED) ? &t->oldval
								    : &t->aux));
}

static void
finish_swap(struct posh__self *self)
{
	struct posh__thread *t = self->t;
	uint64_t container = posh__load(&t->container);

	if (posh__block_word(self->h, container) &&
	    posh__load(&posh__object(self->h, container)->body) ==
		    posh__load(&t->aux) &&
	    posh__load(&t->aux) != posh__load(&t->body))
		swapped(self);
}

/* Is the operation begun and not over?  It stores to the container between
 * the store that makes the sequence odd and the one that makes it even.  What
 * others read while it is even does not change any more by recovery, also if
 * they come before that. */
static bool
under_way(struct posh__self *self)
{
	uint64_t container = posh__load(&self->t->container);

	return !POSH_RULE(UNDER_WAY) || !posh__block_word(self->h, container) ||
	       posh__load(&posh__object(self->h, container)->seq) & 1;
}

static void
finish(struct posh__self *self, uint64_t op)
{
	struct posh__thread *t = self->t;

	switch (op) {
	case POSH__OP_SET:
		finish_set(self);
		break;
	case POSH__OP_SWAP:
		finish_swap(self);
		break;
	case POSH__OP_PLACED:
		posh__store(&t->val[0], POSH__EMPTY);
		posh__store(&t->val[1], POSH__EMPTY);
		break;
	case POSH__OP_WRITE:
		posh__buffer_finish(self);
		break;
	default:
		if ((op & 0xff) < POSH__OP_DINSERT)
			posh__list_finish(self, op);
		else if ((op & 0xff) >= POSH__OP_SHIFT)
			posh__deque_finish(self, op);
		else
			posh__dict_finish(self, op);
	}
}

void
posh__op_finish(struct posh__self *self)
{
	if (!(posh__load(&self->t->opno) & 1))
		return;
	if (POSH_RULE(FINISH) && under_way(self))
		finish(self, posh__load(&self->t->op));
	posh__op_end(self);
}

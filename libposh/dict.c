/* SPDX-License-Identifier: MIT */
/* dict.c - changing a dict.  Reading one is dread.c, its body dbody.c.
 *
 * INVARIANTS
 *   I1  an entry with a value is named by exactly one slot of the index, on
 *       the probe chain of its hash;
 *   I2  an entry without a value is deleted and has no key; no slot of the
 *       index names it;
 *   I3  entries from `used` on, and those before `first`, have no key and no
 *       value; first <= used; numbers grow with the entries;
 *   I4  every intent of this file is rolled forward by recovery: all of its
 *       steps can be done again;
 *   I5  a body has the marks of its keys, from before it has the key.
 *
 * PROGRESS  under the monitor.
 *
 * STEPS     effect                            if the process dies here
 *   dict.1  an intent is noted                the dict is as before
 *   dict.2  the entry is written              recovery goes on
 *   dict.3  the index names it                recovery goes on
 *   dict.4  fill covers it                    recovery goes on
 *   dict.5  the entry's number is taken       recovery goes on
 *   dict.6  val owns nothing                  recovery ends it
 *   dict.7  the value is EMPTY                recovery goes on
 *   dict.8  the key is EMPTY                  recovery goes on
 *   dict.9  the index slot is DUMMY or EMPTY  recovery goes on
 *   dict.10 fill is one less                  recovery goes on
 *   dict.11 val owns key and value            recovery unlinks them
 *   dict.12 an entry and the stage exchanged  recovery goes on with the stage
 *   dict.13 a pair has left the stage         recovery goes on with the stage
 *   dict.14 a plain value is replaced         the dict is as after
 *   dict.15 the body is marked                the dict is as before
 *   dict.16 first passes over what is deleted recovery ends it
 *   dict.17 what moves is written again       recovery goes on
 *   dict.18 the index names its new entry     recovery goes on
 *   dict.19 the old entry has no value        recovery goes on
 *   dict.20 the old entry has no key          recovery goes on
 *   dict.21 first covers it                   recovery goes on
 *   dict.22 fill covers it                    recovery goes on
 *   dict.23 its number is taken               recovery goes on
 */
#include "config.h"

#include "dict.h"
#include "quick.h"

/* Enter a write on a dict, or a set. */
static int
enter_dict(posh_heap *h, posh_handle o, struct posh__self **self)
{
	int rc = posh__enter_write(h, self);

	if (rc)
		return rc;
	rc = posh__object_is_dict(h, o);
	if (rc)
		posh__leave(*self);
	return rc;
}

/* Enter the monitor and look at the body. */
static int
lock_view(struct posh__self *self, uint64_t dict, struct posh__dview *v)
{
	int rc = posh__lock(self, dict, -1);

	if (rc)
		return rc;
	rc = posh__dview(self->h, dict, v);
	if (rc == 0)
		return 0;
	posh__unlock(self, dict);
	return rc == -EAGAIN ? -EUCLEAN : rc;
}

static int
lookup(struct posh__self *self, const struct posh__dview *v,
       const struct posh__key *key, struct posh__place *at)
{
	int rc = posh__dlookup(self, v, key, at);

	return rc == -EAGAIN ? -EUCLEAN : rc;
}

/* May the container have this value? */
static int
check_value(posh_heap *h, posh_handle o, const struct posh_value *v)
{
	if (posh__object(h, o.off)->kind != POSH__KIND_SET)
		return 0;
	return v->type == POSH_BOOL && v->i ? 0 : -EINVAL;
}

static int
make(posh_heap *h, unsigned kind, posh_handle *out)
{
	return posh__object_empty(h, sizeof(struct posh__object), kind, out);
}

int
posh_dict_new(posh_heap *h, posh_handle *out)
{
	return make(h, POSH__KIND_DICT, out);
}

int
posh_set_new(posh_heap *h, posh_handle *out)
{
	return make(h, POSH__KIND_SET, out);
}

/* Write entry `index`, name it in index slot pos, count it; again and again
 * if need be.  count is the fill from before. */
static void
run_entry(struct posh__self *self, struct posh__dview *v, uint64_t n,
	  uint64_t hash, uint64_t key, uint64_t value)
{
	struct posh__thread *t = self->t;
	struct posh__entry *e = &v->body->entry[n];
	uint64_t number = posh__peek(&v->body->number);

	posh__store(&e->hash, hash);
	posh__store(&e->number, number);
	posh__store(&e->key, key);
	posh__store(&e->value, value);
	POSH_STEP("dict.2");
	posh__half_store(&v->index[posh__peek(&t->pos)],
			 (uint32_t)n + POSH__INDEX_FIRST);
	POSH_STEP("dict.3");
	posh__store(&v->body->fill, posh__peek(&t->count) + POSH__FILL(1, 1));
	POSH_STEP("dict.4");
	if (POSH_RULE(NUMBER))
		posh__store(&v->body->number, number + 1);
	POSH_STEP("dict.5");
}

static void
run_insert(struct posh__self *self, struct posh__dview *v)
{
	struct posh__thread *t = self->t;

	run_entry(self, v, posh__peek(&t->index), posh__peek(&t->aux),
		  posh__peek(&t->val[0]), posh__peek(&t->val[1]));
	if (POSH_RULE(DPLACED))
		posh__op_next(self, POSH__OP_PLACED);
	posh__store(&t->val[0], POSH__EMPTY);
	posh__store(&t->val[1], POSH__EMPTY);
	POSH_STEP("dict.6");
}

/* The words of an intent on one entry. */
static void
intend(struct posh__self *self, uint64_t dict, const struct posh__dview *v,
       uint64_t entry, uint64_t pos)
{
	struct posh__thread *t = self->t;

	posh__store(&t->container, dict);
	posh__store(&t->body, (uint64_t)((char *)v->body - self->h->base));
	posh__store(&t->index, entry);
	posh__store(&t->pos, pos);
}

/* Insert val[0]: val[1]; the index has room at pos. */
static void
insert_vals(struct posh__self *self, uint64_t dict, struct posh__dview *v,
	    uint64_t hash, uint32_t pos)
{
	struct posh__thread *t = self->t;

	intend(self, dict, v, v->used, pos);
	posh__store(&t->aux, hash);
	posh__store(&t->count, POSH__FILL(v->used, v->live));
	posh__op_begin(self, POSH__OP_DINSERT);
	POSH_STEP("dict.1");
	posh__write_begin(self, dict);
	run_insert(self, v);
	posh__write_end(self, dict);
	posh__op_end(self);
}

/* Give the entry a value; val[1] holds it unless it is an immediate. */
static void
replace(struct posh__self *self, uint64_t dict, struct posh__entry *e, bool imm,
	uint64_t value)
{
	if (imm && posh__is_plain(posh__peek(&e->value))) {
		posh__write_begin(self, dict);
		posh__store(&e->value, value);
		POSH_STEP("dict.14");
		posh__write_end(self, dict);
		return;
	}
	if (imm)
		posh__store(&self->t->val[1], value);
	posh__slot_set(self, dict, &e->value, 1);
}

/* Mark the body, which is about to have such a key, for as long as it lives
 * and has copies. */
static void
mark(struct posh__dbody *b, uint64_t marks)
{
	uint64_t old = posh__half_load(&b->marks);

	if (!(marks & ~old))
		return;
	posh__half_store(&b->marks, (uint32_t)(old | marks));
	POSH_STEP("dict.15");
}

/* Insert a key that is not there; inside the monitor. */
static int
insert(struct posh__self *self, uint64_t dict, struct posh__dview *v,
       struct posh_value *in, const struct posh__key *key,
       struct posh__place *at, bool imm, uint64_t value)
{
	uint64_t marks;
	int rc = posh__dmissing(self, v, key);

	if (rc == -ENOENT)
		rc = posh__value_encode(self, in, &self->t->val[0]);
	if (rc)
		return rc;
	if (!v->body || v->used + 1 > v->capacity ||
	    posh__dcrowded(v, key->hash)) {
		rc = posh__dict_anew(self, dict, 0, 1, v);
		if (rc == 0)
			rc = lookup(self, v, key, at);
		if (rc)
			return rc;
	}
	if (imm)
		posh__store(&self->t->val[1], value);
	marks = posh__dict_marks(self->h, in);
	if (POSH_RULE(MARKED))
		mark(v->body, marks);
	insert_vals(self, dict, v, key->hash, at->pos);
	if (!POSH_RULE(MARKED))
		mark(v->body, marks);
	return 0;
}

/* A plain value over a plain value; false: not so quickly. */
static bool
quick_set(struct posh__self *self, uint64_t dict, const struct posh__key *key,
	  uint64_t value)
{
	struct posh__object *o = posh__object(self->h, dict);
	struct posh__dview v;
	struct posh__place at;
	bool done = false;

	if (!posh__quick_begin(self, o))
		return false;
	if (posh__dview(self->h, dict, &v) == 0 &&
	    posh__dlookup(self, &v, key, &at) == 0 && at.found &&
	    posh__is_plain(posh__peek(&v.body->entry[at.entry].value))) {
		posh__store(&v.body->entry[at.entry].value, value);
		POSH_STEP("dict.14");
		done = true;
	}
	posh__quick_end(self, o);
	return done;
}

int
posh_dict_set(posh_heap *h, posh_handle o, struct posh_value *in,
	      struct posh_value *v)
{
	struct posh__self *self;
	struct posh__dview view;
	struct posh__key key;
	struct posh__place at;
	uint64_t value = 0;
	bool imm = posh__value_immediate(v, &value);
	int rc = enter_dict(h, o, &self);

	if (rc)
		return rc;
	rc = check_value(h, o, v);
	if (rc == 0)
		rc = posh__key(self, in, &key);
	if (rc == 0 && imm && quick_set(self, o.off, &key, value)) {
		posh__leave(self);
		return 0;
	}
	if (rc == 0 && !imm)
		rc = posh__value_encode(self, v, &self->t->val[1]);
	if (rc == 0)
		rc = lock_view(self, o.off, &view);
	if (rc)
		return posh__leave_object(self, rc);
	rc = lookup(self, &view, &key, &at);
	if (rc == 0 && at.found)
		replace(self, o.off, &view.body->entry[at.entry], imm, value);
	else if (rc == 0)
		rc = insert(self, o.off, &view, in, &key, &at, imm, value);
	posh__unlock(self, o.off);
	return posh__leave_object(self, rc ? rc : !at.found);
}

struct entry_read {
	uint32_t entry;
	struct posh_value *key, *value;
};

static int
read_entry(struct posh__self *self, uint64_t dict, void *arg)
{
	struct entry_read *r = arg;
	struct posh__dview v;
	struct posh__entry *e;
	int rc = posh__dview(self->h, dict, &v);

	if (rc)
		return rc;
	e = &v.body->entry[r->entry];
	posh__scratch_reset(self);
	if (r->key)
		rc = posh__read_value(self, posh__load(&e->key), r->key);
	if (rc == 0 && r->value)
		rc = posh__read_value(self, posh__load(&e->value), r->value);
	return rc;
}

int
posh_dict_setdefault(posh_heap *h, posh_handle o, struct posh_value *in,
		     struct posh_value *v, struct posh_value *out)
{
	struct posh__self *self;
	struct posh__dview view;
	struct posh__key key;
	struct posh__place at;
	struct entry_read r = {0, NULL, out};
	int rc = enter_dict(h, o, &self);

	if (rc)
		return rc;
	rc = check_value(h, o, v);
	if (rc == 0)
		rc = posh__key(self, in, &key);
	if (rc == 0)
		rc = posh__value_encode(self, v, &self->t->val[1]);
	if (rc == 0)
		rc = lock_view(self, o.off, &view);
	if (rc)
		return posh__leave_object(self, rc);
	rc = lookup(self, &view, &key, &at);
	r.entry = at.entry;
	if (rc == 0 && !at.found) {
		rc = insert(self, o.off, &view, in, &key, &at, false, 0);
		r.entry = view.used;
	}
	if (rc == 0 && out)
		rc = posh__read(self, o.off, read_entry, &r);
	posh__unlock(self, o.off);
	return posh__leave_object(self, rc ? rc : !at.found);
}

/* An index slot names nothing any more.  DUMMY keeps the chains that go on
 * behind it; where none does it becomes EMPTY, and so do those before it, or
 * an index of a dict whose keys come and go would be all DUMMY one day, and
 * each search go through all of it. */
static void
clear_slot(struct posh__dview *v, uint32_t i)
{
	uint32_t left = v->mask;

	posh__half_store(&v->index[i], POSH__INDEX_DUMMY);
	if (posh__half_load(&v->index[(i + 1) & v->mask]) != POSH__INDEX_EMPTY)
		return;
	while (posh__half_load(&v->index[i]) == POSH__INDEX_DUMMY &&
	       left-- > 0) {
		posh__half_store(&v->index[i], POSH__INDEX_EMPTY);
		i = (i - 1) & v->mask;
	}
}

/* Entries that are deleted at the beginning are passed over, each once in the
 * life of a body. */
static void
raise_first(struct posh__dbody *b)
{
	uint64_t used = POSH__USED(posh__peek(&b->fill));
	uint64_t first = posh__half_load(&b->first), i = first;

	while (i < used && posh__peek(&b->entry[i].value) == POSH__EMPTY)
		i++;
	if (i != first)
		posh__half_store(&b->first, (uint32_t)i);
	POSH_STEP("dict.16");
}

/* What is used when entry n goes: if it is the last, those that are deleted
 * before it go as well. */
static uint32_t
used_without(const struct posh__dview *v, uint32_t n)
{
	if (n + 1 != v->used)
		return v->used;
	while (n > v->first &&
	       posh__peek(&v->body->entry[n - 1].value) == POSH__EMPTY)
		n--;
	return n;
}

/* The entry index goes: its key is aux, its value oldval; fill becomes
 * count. */
static void
run_delete(struct posh__self *self, struct posh__dview *v)
{
	struct posh__thread *t = self->t;
	struct posh__entry *e = &v->body->entry[posh__peek(&t->index)];

	posh__store(&e->value, POSH__EMPTY);
	POSH_STEP("dict.7");
	posh__store(&e->key, POSH__EMPTY);
	POSH_STEP("dict.8");
	clear_slot(v, (uint32_t)posh__peek(&t->pos));
	POSH_STEP("dict.9");
	posh__store(&v->body->fill, posh__peek(&t->count));
	POSH_STEP("dict.10");
	raise_first(v->body);
	posh__store(&t->val[0], posh__peek(&t->aux));
	posh__store(&t->val[1], posh__peek(&t->oldval));
	POSH_STEP("dict.11");
}

static void
delete_entry(struct posh__self *self, uint64_t dict, struct posh__dview *v,
	     const struct posh__place *at)
{
	struct posh__thread *t = self->t;
	struct posh__entry *e = &v->body->entry[at->entry];
	uint32_t used = used_without(v, at->entry);

	intend(self, dict, v, at->entry, at->pos);
	posh__store(&t->aux, posh__peek(&e->key));
	posh__store(&t->oldval, posh__peek(&e->value));
	posh__store(&t->count, POSH__FILL(used, v->live - 1));
	posh__op_begin(self, POSH__OP_DDELETE);
	POSH_STEP("dict.1");
	posh__write_begin(self, dict);
	run_delete(self, v);
	posh__write_end(self, dict);
	posh__op_end(self);
}

int
posh_dict_pop(posh_heap *h, posh_handle o, const struct posh_value *in,
	      struct posh_value *out)
{
	struct posh__self *self;
	struct posh__dview view;
	struct posh__key key;
	struct posh__place at;
	struct entry_read r = {0, NULL, out};
	int rc = enter_dict(h, o, &self);

	if (rc)
		return rc;
	rc = posh__key(self, in, &key);
	if (rc == 0)
		rc = lock_view(self, o.off, &view);
	if (rc)
		return posh__leave_object(self, rc);
	rc = lookup(self, &view, &key, &at);
	if (rc == 0 && !at.found)
		rc = posh__dmissing(self, &view, &key);
	r.entry = at.entry;
	if (rc == 0 && out)
		rc = posh__read(self, o.off, read_entry, &r);
	if (rc == 0)
		delete_entry(self, o.off, &view, &at);
	posh__unlock(self, o.off);
	return posh__leave_object(self, rc);
}

/* Where the index names an entry. */
static int
find_slot(const struct posh__dview *v, uint32_t entry, uint32_t *out)
{
	uint32_t i = (uint32_t)posh__peek(&v->body->entry[entry].hash), n;

	for (n = 0; n <= v->mask; n++, i++) {
		uint32_t e = posh__half_load(&v->index[i & v->mask]);

		if (e == entry + POSH__INDEX_FIRST) {
			*out = i & v->mask;
			return 0;
		}
		if (e == POSH__INDEX_EMPTY)
			break;
	}
	return -EUCLEAN;
}

/* The entry at one of the ends; v->used if there is none. */
static uint32_t
entry_at(const struct posh__dview *v, enum posh_end end)
{
	uint32_t i, n;

	for (n = v->first; n < v->used; n++) {
		i = end == POSH_FIRST ? n : v->used - 1 - (n - v->first);
		if (posh__peek(&v->body->entry[i].value) != POSH__EMPTY)
			return i;
	}
	return v->used;
}

static int
pop_end(posh_heap *h, posh_handle o, enum posh_end end, struct posh_value *key,
	struct posh_value *value)
{
	struct posh__self *self;
	struct posh__dview v;
	struct posh__place at = {true, 0, 0};
	struct entry_read r = {0, key, value};
	int rc = enter_dict(h, o, &self);

	if (rc)
		return rc;
	rc = lock_view(self, o.off, &v);
	if (rc)
		return posh__leave_object(self, rc);
	r.entry = at.entry = entry_at(&v, end);
	rc = at.entry < v.used ? find_slot(&v, at.entry, &at.pos) : -ENOENT;
	if (rc == 0)
		rc = posh__read(self, o.off, read_entry, &r);
	if (rc == 0)
		delete_entry(self, o.off, &v, &at);
	posh__unlock(self, o.off);
	return posh__leave_object(self, rc);
}

int
posh_dict_popitem(posh_heap *h, posh_handle o, struct posh_value *key,
		  struct posh_value *value)
{
	return pop_end(h, o, POSH_LAST, key, value);
}

int
posh_dict_popfirst(posh_heap *h, posh_handle o, struct posh_value *key,
		   struct posh_value *value)
{
	return pop_end(h, o, POSH_FIRST, key, value);
}

/* count of a move: the new entry, and what is used then. */
#define MOVE(to, used)   POSH__FILL(to, used)
#define MOVE_TO(count)   POSH__USED(count)
#define MOVE_USED(count) POSH__LIVE_(count)

/* The item {aux, oldval} goes from entry index to another, as count says. */
static void
run_move(struct posh__self *self, struct posh__dview *v)
{
	struct posh__thread *t = self->t;
	uint64_t count = posh__peek(&t->count), from = posh__peek(&t->index);
	uint64_t number = posh__peek(&v->body->number);
	struct posh__entry *old = &v->body->entry[from];
	struct posh__entry *e = &v->body->entry[MOVE_TO(count)];
	bool last = MOVE_TO(count) > from;

	posh__store(&e->hash, posh__peek(&old->hash));
	if (last)
		posh__store(&e->number, number);
	posh__store(&e->key,
		    posh__peek(POSH_RULE(MOVED) ? &t->aux : &old->key));
	posh__store(&e->value,
		    posh__peek(POSH_RULE(MOVED) ? &t->oldval : &old->value));
	POSH_STEP("dict.17");
	posh__half_store(&v->index[posh__peek(&t->pos)],
			 MOVE_TO(count) + POSH__INDEX_FIRST);
	POSH_STEP("dict.18");
	posh__store(&old->value, POSH__EMPTY);
	POSH_STEP("dict.19");
	posh__store(&old->key, POSH__EMPTY);
	POSH_STEP("dict.20");
	if (!last && POSH_RULE(FIRST))
		posh__half_store(&v->body->first, MOVE_TO(count));
	POSH_STEP("dict.21");
	posh__store(&v->body->fill, POSH__FILL(MOVE_USED(count), v->live));
	POSH_STEP("dict.22");
	if (last)
		posh__store(&v->body->number, number + 1);
	POSH_STEP("dict.23");
	raise_first(v->body);
}

static void
move_entry(struct posh__self *self, uint64_t dict, struct posh__dview *v,
	   const struct posh__place *at, enum posh_end end)
{
	struct posh__thread *t = self->t;
	struct posh__entry *e = &v->body->entry[at->entry];

	intend(self, dict, v, at->entry, at->pos);
	posh__store(&t->aux, posh__peek(&e->key));
	posh__store(&t->oldval, posh__peek(&e->value));
	posh__store(&t->count,
		    end == POSH_LAST
			    ? MOVE(v->used, v->used + 1)
			    : MOVE(v->first - 1, used_without(v, at->entry)));
	posh__op_begin(self, POSH__OP_DMOVE);
	POSH_STEP("dict.1");
	posh__write_begin(self, dict);
	run_move(self, v);
	posh__write_end(self, dict);
	posh__op_end(self);
}

/* Have an entry at one of the ends that is free. */
static int
end_room(struct posh__self *self, uint64_t dict, enum posh_end end,
	 struct posh__dview *v)
{
	int rc;

	if (end == POSH_LAST)
		return posh__dict_room(self, dict, 1, v);
	if (v->first)
		return 0;
	rc = posh__dict_anew(self, dict, v->live / 2 + 1, 0, v);
	return posh__is_full(rc) ? posh__dict_anew(self, dict, 1, 0, v) : rc;
}

/* Inside the monitor. */
static int
move(struct posh__self *self, uint64_t dict, struct posh__dview *v,
     const struct posh__key *key, enum posh_end end)
{
	struct posh__place at;
	int rc = lookup(self, v, key, &at);

	if (rc == 0 && !at.found)
		rc = posh__dmissing(self, v, key);
	if (rc || at.entry == entry_at(v, end))
		return rc;
	rc = end_room(self, dict, end, v);
	if (rc == 0)
		rc = lookup(self, v, key, &at);
	if (rc == 0 && !at.found)
		rc = -EUCLEAN; /* it was no item of the old body's */
	if (rc == 0)
		move_entry(self, dict, v, &at, end);
	return rc;
}

int
posh_dict_move(posh_heap *h, posh_handle o, const struct posh_value *in,
	       enum posh_end end)
{
	struct posh__self *self;
	struct posh__dview v;
	struct posh__key key;
	int rc = enter_dict(h, o, &self);

	if (rc)
		return rc;
	rc = posh__key(self, in, &key);
	if (rc == 0)
		rc = lock_view(self, o.off, &v);
	if (rc)
		return posh__leave_object(self, rc);
	rc = move(self, o.off, &v, &key, end);
	posh__unlock(self, o.off);
	return posh__leave_object(self, rc);
}

int
posh_dict_clear(posh_heap *h, posh_handle o)
{
	struct posh__self *self;
	struct posh__dview v;
	int rc = enter_dict(h, o, &self);

	if (rc)
		return rc;
	rc = lock_view(self, o.off, &v);
	if (rc)
		return posh__leave_object(self, rc);
	if (v.body)
		posh__body_swap(self, o.off, 0, UINT64_MAX, false);
	posh__unlock(self, o.off);
	return posh__leave_object(self, 0);
}

/* Many items at once */

static struct posh__body *
stage_of(struct posh__self *self)
{
	return posh__body_at(self->h, posh__peek(&self->t->stage));
}

/* Look a stored key up; needs no memory, as an update is under way.  Nonsense
 * counts as not found. */
static void
lookup_word(struct posh__self *self, const struct posh__dview *v, uint64_t word,
	    struct posh__place *at, uint64_t *hash)
{
	struct posh__key key;

	at->found = false;
	at->pos = 0;
	*hash = 0;
	if (posh__stored_key(self, word, &key))
		return;
	*hash = key.hash;
	posh__dlookup(self, v, &key, at);
}

/* Pair i of the stage against the entry at pos. */
static void
run_update_set(struct posh__self *self, struct posh__dview *v, uint64_t i)
{
	struct posh__thread *t = self->t;

	posh__store(&v->body->entry[posh__peek(&t->pos)].value,
		    posh__peek(&t->aux));
	posh__store(&stage_of(self)->slot[2 * i + 1], posh__peek(&t->oldval));
	POSH_STEP("dict.12");
}

/* Pair i of the stage becomes an entry. */
static void
run_update_insert(struct posh__self *self, struct posh__dview *v, uint64_t i)
{
	struct posh__thread *t = self->t;
	uint64_t key = posh__peek(&t->oldval), hash = 0;

	posh__word_hash(self, key, &hash);
	run_entry(self, v, POSH__USED(posh__peek(&t->count)), hash, key,
		  posh__peek(&t->aux));
	posh__store(&stage_of(self)->slot[2 * i], POSH__EMPTY);
	posh__store(&stage_of(self)->slot[2 * i + 1], POSH__EMPTY);
	POSH_STEP("dict.13");
}

/* UPDATE from where it stands. */
static void
run_update(struct posh__self *self, uint64_t dict, uint64_t op)
{
	struct posh__thread *t = self->t;
	uint64_t n = posh__peek(&stage_of(self)->length) / 2, hash;
	struct posh__dview v;
	struct posh__place at;

	while (op >> 8 < n) {
		uint64_t i = op >> 8, key, value;

		if (posh__dview(self->h, dict, &v) || !v.body)
			return;
		switch (op & 0xff) {
		case POSH__OP_UPDATESET:
			if (posh__peek(&t->pos) >= v.capacity)
				return; /* damaged */
			run_update_set(self, &v, i);
			op = POSH__OP_UPDATE | (i + 1) << 8;
			break;
		case POSH__OP_UPDATEINS:
			if (posh__peek(&t->pos) > v.mask ||
			    POSH__USED(posh__peek(&t->count)) >= v.capacity)
				return; /* damaged */
			run_update_insert(self, &v, i);
			op = POSH__OP_UPDATE | (i + 1) << 8;
			break;
		default:
			key = posh__peek(&stage_of(self)->slot[2 * i]);
			value = posh__peek(&stage_of(self)->slot[2 * i + 1]);
			lookup_word(self, &v, key, &at, &hash);
			posh__store(&t->pos, at.found ? at.entry : at.pos);
			posh__store(&t->aux, value);
			posh__store(&t->count, POSH__FILL(v.used, v.live));
			posh__store(
				&t->oldval,
				at.found ? posh__peek(&v.body->entry[at.entry]
							       .value)
					 : key);
			op = (at.found ? POSH__OP_UPDATESET
				       : POSH__OP_UPDATEINS) |
			     i << 8;
		}
		if (POSH_RULE(PAIR) || (op & 0xff) == POSH__OP_UPDATE)
			posh__op_next(self, op);
		POSH_STEP("dict.1");
	}
}

static void
update_stage(struct posh__self *self, uint64_t dict)
{
	posh__store(&self->t->container, dict);
	posh__store(&self->t->body,
		    posh__peek(&posh__object(self->h, dict)->body));
	posh__store(&self->t->pos, 0);
	posh__op_begin(self, POSH__OP_UPDATE);
	POSH_STEP("dict.1");
	posh__write_begin(self, dict);
	run_update(self, dict, POSH__OP_UPDATE);
	posh__write_end(self, dict);
	posh__op_end(self);
}

/* newbody from the stage's pairs, whose keys all differ. */
static int
body_of_stage(struct posh__self *self, size_t n, uint64_t marks)
{
	struct posh__dbody *b;
	struct posh__dview v;
	struct posh__place at;
	uint64_t hash, i;
	int rc = posh__dbody_make(self, n, 0, NULL);

	if (rc)
		return rc;
	b = posh__dbody_at(self->h, posh__peek(&self->t->newbody));
	posh__half_store(&b->marks, (uint32_t)marks);
	v = (struct posh__dview){
		b,
		(posh__half *)&b->entry[posh__half_load(&b->capacity)],
		(UINT32_C(1) << b->flags) - 1,
		0,
		0,
		0,
		posh__half_load(&b->capacity)};
	for (i = 0; i < n; i++) {
		uint64_t key = posh__peek(&stage_of(self)->slot[2 * i]);

		v.used = v.live = (uint32_t)i;
		lookup_word(self, &v, key, &at, &hash);
		if (at.found)
			return -EINVAL;
		posh__store(&self->t->pos, at.pos);
		posh__store(&self->t->count, POSH__FILL(i, i));
		run_entry(self, &v, i, hash, key,
			  posh__peek(&stage_of(self)->slot[2 * i + 1]));
	}
	return 0;
}

/* Enter the stage's pairs, whose keys have these marks; inside the monitor. */
static int
enter_stage(struct posh__self *self, uint64_t dict, struct posh__dview *v,
	    size_t n, uint64_t marks, bool distinct)
{
	int rc;

	if (!distinct && v->body && posh__half_load(&v->body->marks))
		return -ENOTUNIQ;
	rc = posh__dict_room(self, dict, n, v);
	if (rc)
		return rc;
	if (POSH_RULE(MARKED))
		mark(v->body, marks);
	update_stage(self, dict);
	if (!POSH_RULE(MARKED))
		mark(v->body, marks);
	return 0;
}

int
posh_dict_update(posh_heap *h, posh_handle o, struct posh_value *item, size_t n,
		 unsigned flags)
{
	struct posh__self *self;
	struct posh__dview v;
	struct posh__key key;
	uint64_t marks = 0;
	bool distinct = true;
	size_t i;
	int rc = enter_dict(h, o, &self);

	if (rc)
		return rc;
	for (i = 0; i < n && rc == 0; i++) {
		rc = check_value(h, o, &item[2 * i + 1]);
		if (rc == 0) /* malformed? */
			rc = posh__key(self, &item[2 * i], &key);
		if (rc == 0)
			marks |= posh__dict_marks(h, &item[2 * i]);
		distinct = distinct && item[2 * i].flags & POSH_DISTINCT;
	}
	if (rc == 0)
		rc = posh__stage_make(self, item, 2 * n);
	if (rc == 0 && flags & POSH_REPLACE)
		rc = body_of_stage(self, n, marks);
	if (rc == 0)
		rc = lock_view(self, o.off, &v);
	if (rc)
		return posh__leave_object(self, rc);
	if (flags & POSH_REPLACE) {
		posh__body_swap(self, o.off, 0, UINT64_MAX, true);
	} else if (n) {
		rc = enter_stage(self, o.off, &v, n, marks, distinct);
	}
	posh__unlock(self, o.off);
	return posh__leave_object(self, rc);
}

/* Does the stage lie in a block, with all its values? */
static bool
sound_stage(struct posh__self *self)
{
	uint64_t stage = posh__load(&self->t->stage), bytes;
	const uint64_t front = sizeof(struct posh__body);

	if (!posh__block_word(self->h, stage))
		return false;
	bytes = posh__block_bytes(self->h, stage);
	return bytes >= front &&
	       posh__load(&stage_of(self)->length) <= (bytes - front) / 8;
}

/* Recovery.  Numbers of a damaged heap must not crash it. */
static void
finish_delete(struct posh__self *self, struct posh__dview *v)
{
	if (POSH__USED(posh__load(&self->t->count)) <= v->capacity)
		run_delete(self, v);
}

static void
finish_move(struct posh__self *self, struct posh__dview *v)
{
	uint64_t count = posh__load(&self->t->count);

	if (MOVE_TO(count) < v->capacity && MOVE_USED(count) <= v->capacity)
		run_move(self, v);
}

void
posh__dict_finish(struct posh__self *self, uint64_t op)
{
	struct posh__thread *t = self->t;
	uint64_t dict = posh__load(&t->container);
	struct posh__dview v;

	if (!posh__block_word(self->h, dict) ||
	    !posh__kind_is_dict(posh__object(self->h, dict)->kind) ||
	    posh__dview(self->h, dict, &v) || !v.body ||
	    posh__load(&t->body) != (uint64_t)((char *)v.body - self->h->base))
		return;
	if ((op & 0xff) < POSH__OP_UPDATE &&
	    (posh__load(&t->index) >= v.capacity ||
	     posh__load(&t->pos) > v.mask))
		return;
	if ((op & 0xff) == POSH__OP_DINSERT && POSH_RULE(INSERTED))
		run_insert(self, &v);
	else if ((op & 0xff) == POSH__OP_DDELETE && POSH_RULE(DELETED))
		finish_delete(self, &v);
	else if ((op & 0xff) == POSH__OP_DMOVE)
		finish_move(self, &v);
	else if (sound_stage(self))
		run_update(self, dict, op);
}

int
posh__places_create(struct posh__self *self)
{
	struct posh_heap *h = self->h;
	uint64_t b;
	int i, rc = 0;

	for (i = 0; i < 3 && rc == 0; i++) {
		rc = posh__object_new(self, sizeof(struct posh__object),
				      POSH__KIND_DICT, 0, &b);
		if (rc)
			break;
		posh__hold_confirm(self, b);
		posh__link(self, b, &h->hdr->place[i],
			   POSH__TAGGED(POSH__TAG_OBJECT, b));
		posh__drop(self, b);
	}
	return rc;
}

bool
posh__places_sound(struct posh_heap *h)
{
	int i;

	for (i = 0; i < 3; i++) {
		uint64_t place = posh__load(&h->hdr->place[i]);
		uint64_t dict = POSH__PAYLOAD(place);
		posh__word *word = posh__block_word(h, dict);

		if (POSH__TAG(place) != POSH__TAG_OBJECT || !word ||
		    POSH__STATE(posh__load(word)) != POSH__LIVE ||
		    posh__object(h, dict)->kind != POSH__KIND_DICT)
			return false;
	}
	return true;
}

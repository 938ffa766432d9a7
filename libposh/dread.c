/* SPDX-License-Identifier: MIT */
/* dread.c - reading a dict: lookups, and runs of items in the order of their
 * insertion.  A run finds its place by the number of the last insertion it
 * has seen, so that it goes on in a new body as well. */
#include "config.h"

#include <stdlib.h>

#include "canon.h"
#include "dict.h"

static int
read_len(struct posh__self *self, uint64_t dict, void *arg)
{
	return posh__dview(self->h, dict, arg);
}

int64_t
posh_dict_len(posh_heap *h, posh_handle o)
{
	struct posh__self *self;
	struct posh__object *p = posh__object(h, o.off);
	struct posh__dview v;
	uint64_t seq;
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = posh__object_is_dict(h, o);
	if (rc == 0 && posh__seq_even(p, &seq) &&
	    posh__dview(h, o.off, &v) == 0 && posh__seq_same(p, seq)) {
		posh__leave(self);
		return v.live;
	}
	if (rc == 0)
		rc = posh__read(self, o.off, read_len, &v);
	posh__leave(self);
	return rc ? rc : (int64_t)v.live;
}

struct get {
	struct posh__key key;
	struct posh_value *out;
};

static int
read_get(struct posh__self *self, uint64_t dict, void *arg)
{
	struct get *g = arg;
	struct posh__dview v;
	struct posh__place at;
	int rc = posh__dview(self->h, dict, &v);

	if (rc == 0)
		rc = posh__dlookup(self, &v, &g->key, &at);
	if (rc)
		return rc;
	if (!at.found)
		return posh__dmissing(self, &v, &g->key);
	if (!g->out)
		return 0;
	posh__scratch_reset(self);
	return posh__read_value(
		self, posh__load(&v.body->entry[at.entry].value), g->out);
}

int
posh_dict_get(posh_heap *h, posh_handle o, const struct posh_value *key,
	      struct posh_value *out)
{
	struct posh__self *self;
	struct posh__object *p = posh__object(h, o.off);
	struct get g;
	struct posh__dview v;
	struct posh__place at;
	uint64_t seq;
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = posh__object_is_dict(h, o);
	if (rc == 0)
		rc = posh__key(self, key, &g.key);
	g.out = out;
	if (rc == 0 && out && posh__seq_even(p, &seq) &&
	    posh__dview(h, o.off, &v) == 0 &&
	    posh__dlookup(self, &v, &g.key, &at) == 0 && at.found) {
		uint64_t w = posh__load(&v.body->entry[at.entry].value);

		if (posh__seq_same(p, seq) &&
		    (posh__value_decode_fast(w, out) ||
		     posh__read_object(self, p, seq, w, out))) {
			posh__leave(self);
			return 0;
		}
	}
	if (rc == 0 && !g.key.immediate)
		posh__scratch_flip(self); /* the key may lie in this half */
	if (rc == 0)
		rc = posh__read(self, o.off, read_get, &g);
	posh__leave(self);
	return rc;
}

struct candidates {
	struct posh__key key;
	size_t n, got;
	struct posh_value *out;
};

/* Is it a key that has this value? */
static int
has_value(struct posh__self *self, uint64_t word, const struct posh_value *in)
{
	struct posh__items t;
	int rc = posh__items_view(self->h, word, &t);

	if (rc == 1 && t.form != POSH_FORM_KEY)
		rc = 0;
	return rc == 1 ? posh__value_equal(self, posh__load(&t.slot[1]), in)
		       : rc;
}

static int
read_candidate(struct posh__self *self, struct candidates *c,
	       const struct posh__entry *e)
{
	uint64_t word = posh__load(&e->key);
	int rc;

	if (posh__load(&e->hash) != c->key.hash ||
	    posh__load(&e->value) == POSH__EMPTY)
		return 0;
	rc = has_value(self, word, c->key.in);
	if (rc != 1)
		return rc;
	if (c->got < c->n)
		rc = posh__read_value(self, word, &c->out[c->got]);
	c->got++;
	return rc < 0 ? rc : 0;
}

/* Along the chain of the hash. */
static int
read_candidates(struct posh__self *self, uint64_t dict, void *arg)
{
	struct candidates *c = arg;
	struct posh__dview v;
	uint32_t i, k;
	int rc = posh__dview(self->h, dict, &v);

	c->got = 0;
	if (rc || !v.body)
		return rc;
	posh__scratch_reset(self);
	i = (uint32_t)c->key.hash & v.mask;
	for (k = 0; k <= v.mask && rc == 0; k++, i = (i + 1) & v.mask) {
		uint32_t e = posh__half_load(&v.index[i]);

		if (e == POSH__INDEX_EMPTY)
			break;
		if (e != POSH__INDEX_DUMMY && e - POSH__INDEX_FIRST < v.used)
			rc = read_candidate(
				self, c, &v.body->entry[e - POSH__INDEX_FIRST]);
	}
	return rc;
}

int64_t
posh_dict_candidates(posh_heap *h, posh_handle o,
		     const struct posh_value *value, size_t n,
		     struct posh_value *out)
{
	struct posh__self *self;
	struct candidates c = {.n = n, .out = out};
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	rc = posh__object_is_dict(h, o);
	if (rc == 0)
		rc = posh__key(self, value, &c.key);
	if (rc == 0 && !c.key.immediate)
		posh__scratch_flip(self); /* the value may lie in this half */
	if (rc == 0)
		rc = posh__read(self, o.off, read_candidates, &c);
	posh__leave(self);
	return rc ? rc : (int64_t)c.got;
}

struct run {
	uint64_t cursor, n, got;
	unsigned flags;
	bool back, whole;
	struct posh_value *item;
	uint64_t version;
	uint64_t next; /* the cursor behind what was read */
};

/* The first entry whose number is above (or not below) a number. */
static uint32_t
place_of(const struct posh__dview *v, uint64_t number)
{
	uint32_t low = v->first, high = v->used;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (posh__load(&v->body->entry[mid].number) < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Read one entry; 1: it counts, 0: it is deleted, 2: stop ahead of it.  A
 * cursor that would not move on is for ever. */
static int
read_item(struct posh__self *self, struct run *r, const struct posh__entry *e)
{
	uint64_t number = posh__load(&e->number);
	struct posh_value *item = &r->item[2 * r->got];
	uint64_t key = posh__load(&e->key), value = posh__load(&e->value);
	bool object = POSH__TAG(key) == POSH__TAG_OBJECT ||
		      POSH__TAG(value) == POSH__TAG_OBJECT;
	int rc = 0;

	if (value == POSH__EMPTY || key == POSH__EMPTY)
		return 0;
	if (r->back ? number >= r->next : number <= r->next)
		return -EAGAIN;
	if (object && r->flags & POSH_SCALARS && r->got)
		return 2;
	if (!posh__value_decode_fast(key, &item[0]))
		rc = posh__read_value(self, key, &item[0]);
	if (rc == 0 && !posh__value_decode_fast(value, &item[1]))
		rc = posh__read_value(self, value, &item[1]);
	if (rc)
		return rc;
	r->got++;
	r->next = number;
	return object && r->flags & POSH_SCALARS ? 2 : 1;
}

static int
read_run(struct posh__self *self, uint64_t dict, void *arg)
{
	struct run *r = arg;
	struct posh__dview v;
	uint32_t i;
	int rc;

	r->version = posh__load(&posh__object(self->h, dict)->seq);
	r->got = 0;
	r->next = r->cursor;
	rc = posh__dview(self->h, dict, &v);
	if (rc || !v.body)
		return rc;
	if (r->whole && v.live > r->n) {
		r->got = v.live;
		return -ENOSPC;
	}
	posh__scratch_reset(self);
	if (r->back) {
		for (i = place_of(&v, r->cursor);
		     i > v.first && r->got < r->n;) {
			rc = read_item(self, r, &v.body->entry[--i]);
			if (rc < 0 || rc == 2)
				break;
		}
		return rc < 0 ? rc : 0;
	}
	for (i = place_of(&v, r->cursor + 1); i < v.used && r->got < r->n;
	     i++) {
		rc = read_item(self, r, &v.body->entry[i]);
		if (rc < 0 || rc == 2)
			break;
	}
	return rc < 0 ? rc : 0;
}

static int64_t
read_items(posh_heap *h, posh_handle o, uint64_t *cursor, struct run *r,
	   uint64_t *version)
{
	struct posh__self *self;
	int rc = posh__enter_read(h, &self);

	if (rc)
		return rc;
	r->cursor = *cursor;
	rc = posh__object_is_dict(h, o);
	if (rc == 0)
		rc = posh__read(self, o.off, read_run, r);
	posh__leave(self);
	if (rc)
		return rc;
	*cursor = r->next;
	if (version)
		*version = r->version;
	return (int64_t)r->got;
}

int64_t
posh_dict_read(posh_heap *h, posh_handle o, uint64_t *cursor, size_t n,
	       unsigned flags, struct posh_value *item, uint64_t *version)
{
	struct run r = {0, n, 0, flags, false, false, item, 0, 0};

	return read_items(h, o, cursor, &r, version);
}

int64_t
posh_dict_read_back(posh_heap *h, posh_handle o, uint64_t *cursor, size_t n,
		    unsigned flags, struct posh_value *item, uint64_t *version)
{
	struct run r = {0, n, 0, flags, true, false, item, 0, 0};

	return read_items(h, o, cursor, &r, version);
}

int64_t
posh_dict_snapshot(posh_heap *h, posh_handle o, struct posh_value **out,
		   uint64_t *version)
{
	struct run r = {0, 0, 16, 0, false, true, NULL, 0, 0};
	int64_t rc;

	do {
		uint64_t cursor = 0;

		free(r.item);
		r.n = r.got + r.got / 8;
		r.item = malloc(2 * r.n * sizeof(*r.item));
		if (!r.item)
			return -ENOMEM;
		rc = read_items(h, o, &cursor, &r, version);
	} while (rc == -ENOSPC);
	if (rc < 0) {
		free(r.item);
		return rc;
	}
	*out = r.item;
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* checkobjects.c - a part of posh_heap_check: objects, their bodies, and those
 * that are always there. */
#include "config.h"

#include "canon.h"
#include "check.h"
#include "dict.h"

static bool
is_live(struct posh_heap *h, uint64_t block, unsigned kind)
{
	posh__word *w = posh__block_word(h, block);

	return w && POSH__STATE(posh__load(w)) == POSH__LIVE &&
	       posh__object(h, block)->kind == kind;
}

/* The object of a value, if it is one of this kind; or 0. */
static uint64_t
object_of(struct posh_heap *h, uint64_t value, unsigned kind)
{
	uint64_t object = POSH__PAYLOAD(value);

	return POSH__TAG(value) == POSH__TAG_OBJECT && is_live(h, object, kind)
		       ? object
		       : 0;
}

/* Do others have the same body?  Then that is said of the body (check.c), and
 * nobody looks at all of it once for each. */
static bool
shared(struct posh__check *c, uint64_t body)
{
	return posh__census_of(c->self, &c->census, body) > 1;
}

/*
 * Lists
 */

static bool
body_fits(struct posh_heap *h, uint64_t body)
{
	const struct posh__body *b = posh__body_at(h, body);
	uint64_t cap = posh__half_load(&b->capacity);

	return b->kind == POSH__KIND_BODY && posh__load(&b->length) <= cap &&
	       sizeof(*b) + 8 * cap <= posh__block_bytes(h, body);
}

/* The body of a list that is sound: its slots, and how many. */
static uint64_t
elements(struct posh_heap *h, uint64_t list, posh__word **slot)
{
	uint64_t body = posh__load(&posh__object(h, list)->body);

	if (!body || !is_live(h, body, POSH__KIND_BODY) || !body_fits(h, body))
		return 0;
	*slot = posh__body_at(h, body)->slot;
	return posh__load(&posh__body_at(h, body)->length);
}

/* Slot i of what has its elements in a row: one of them, or beyond. */
static void
check_slot(struct posh__check *c, const char *what, uint64_t object, uint64_t i,
	   uint64_t value, bool inside)
{
	if (inside && !value)
		posh__say(c, "%s %#llx: element %llu is EMPTY", what,
			  posh__hex(object), posh__hex(i));
	else if (inside)
		posh__check_value(c, object, value);
	else if (!posh__is_plain(value))
		posh__say(c, "%s %#llx: a value behind its end", what,
			  posh__hex(object));
}

static void
check_list(struct posh__check *c, uint64_t list)
{
	struct posh_heap *h = c->self->h;
	uint64_t body = posh__load(&posh__object(h, list)->body), i, len;
	struct posh__body *b = posh__body_at(h, body);

	if (!body || !posh__block_word(h, body))
		return; /* a stray is said elsewhere */
	len = posh__load(&b->length);
	if (!body_fits(h, body)) {
		posh__say(c, "list %#llx: %llu elements, room for %u",
			  posh__hex(list), posh__hex(len),
			  posh__half_load(&b->capacity));
		return;
	}
	if (shared(c, body))
		return;
	for (i = 0; i < posh__half_load(&b->capacity); i++)
		check_slot(c, "list", list, i, posh__load(&b->slot[i]),
			   i < len);
}

/*
 * Deques
 */

static void
check_deque(struct posh__check *c, uint64_t deque)
{
	struct posh_heap *h = c->self->h;
	struct posh__deque *d = posh__at(h, deque);
	uint64_t body = posh__load(&d->head.body), fill, cap, i;
	uint64_t bound = posh__load(&d->bound);
	struct posh__ring *b = posh__ring_at(h, body);
	uint32_t start, len;

	if (!body || !posh__block_word(h, body))
		return; /* a stray is said elsewhere */
	cap = posh__half_load(&b->capacity);
	fill = posh__load(&b->fill);
	start = (uint32_t)(fill >> 32);
	len = (uint32_t)fill;
	if (b->kind != POSH__KIND_RING || cap < POSH__RING_LEAST ||
	    cap & (cap - 1) || len > cap ||
	    sizeof(*b) + 8 * cap > posh__block_bytes(h, body)) {
		posh__say(c, "deque %#llx: %u elements, room for %llu",
			  posh__hex(deque), len, posh__hex(cap));
		return;
	}
	if (bound && len > bound - 1)
		posh__say(c, "deque %#llx: %u elements, of %llu at most",
			  posh__hex(deque), len, posh__hex(bound - 1));
	if (shared(c, body))
		return;
	for (i = 0; i < cap; i++)
		check_slot(c, "deque", deque, i,
			   posh__load(&b->slot[(start + i) & (cap - 1)]),
			   i < len);
}

/*
 * Dicts
 */

/* Where a key is.  A lookup may be as long as the index. */
static bool
look_up(struct posh__check *c, const struct posh__dview *v,
	const struct posh__key *k, struct posh__place *at)
{
	bool found = posh__dlookup(c->self, v, k, at) == 0 && at->found;
	uint64_t n = found ? ((at->pos - (uint32_t)k->hash) & v->mask) + 1
			   : (uint64_t)v->mask + 1;

	c->looks -= n < c->looks ? n : c->looks;
	return found;
}

static void
check_entry(struct posh__check *c, uint64_t dict, const struct posh__dview *v,
	    uint32_t i)
{
	const struct posh__entry *e = &v->body->entry[i];
	uint64_t key = posh__load(&e->key), value = posh__load(&e->value);
	struct posh__place at = {false, 0, 0};
	struct posh__items t;
	struct posh__key k;

	if (!value != !key)
		posh__say(c, "dict %#llx: entry %u is half deleted",
			  posh__hex(dict), i);
	if (i >= v->used && (key || value))
		posh__say(c, "dict %#llx: entry %u behind its end",
			  posh__hex(dict), i);
	if (i >= v->used || !value)
		return;
	posh__check_value(c, dict, key);
	posh__check_value(c, dict, value);
	if (posh__items_view(c->self->h, key, &t) == 1 &&
	    t.form == POSH_FORM_KEY &&
	    !(posh__half_load(&v->body->marks) & POSH__DICT_VALUED))
		posh__say(c,
			  "dict %#llx: entry %u has a value that the body"
			  " is not marked for",
			  posh__hex(dict), i);
	if (posh__stored_key(c->self, key, &k) ||
	    posh__load(&e->hash) != k.hash)
		posh__say(c, "dict %#llx: entry %u has a wrong hash",
			  posh__hex(dict), i);
	else if (c->looks && (!look_up(c, v, &k, &at) || at.entry != i))
		posh__say(c, "dict %#llx: entry %u is not found",
			  posh__hex(dict), i);
}

static void
check_order(struct posh__check *c, uint64_t dict, const struct posh__dview *v)
{
	uint64_t last = 0, number;
	uint32_t i, live = 0;

	for (i = 0; i < v->used; i++) {
		number = posh__load(&v->body->entry[i].number);
		if (number <= last)
			posh__say(c, "dict %#llx: entry %u out of order",
				  posh__hex(dict), i);
		last = number;
		live += posh__load(&v->body->entry[i].value) != POSH__EMPTY;
	}
	for (i = 0; i < posh__half_load(&v->body->first); i++)
		if (i >= v->used ||
		    posh__load(&v->body->entry[i].value) != POSH__EMPTY) {
			posh__say(c, "dict %#llx: entry %u is passed over",
				  posh__hex(dict), i);
			break;
		}
	if (live != v->live)
		posh__say(c, "dict %#llx: %u items, said to be %u",
			  posh__hex(dict), live, v->live);
	if (posh__load(&v->body->number) <= last)
		posh__say(c, "dict %#llx: its next number was given already",
			  posh__hex(dict));
}

static void
check_index(struct posh__check *c, uint64_t dict, const struct posh__dview *v)
{
	uint32_t named = 0, i, e;

	for (i = 0; i <= v->mask; i++) {
		e = posh__half_load(&v->index[i]);
		if (e < POSH__INDEX_FIRST)
			continue;
		named++;
		e -= POSH__INDEX_FIRST;
		if (e >= v->used || !posh__load(&v->body->entry[e].value))
			posh__say(c, "dict %#llx: its index names no item",
				  posh__hex(dict));
	}
	if (named != v->live)
		posh__say(c, "dict %#llx: its index names %u of %u items",
			  posh__hex(dict), named, v->live);
}

static void
check_dict(struct posh__check *c, uint64_t dict)
{
	struct posh_heap *h = c->self->h;
	uint64_t body = posh__load(&posh__object(h, dict)->body);
	struct posh__dview v;
	uint32_t i;

	if (!body || !posh__block_word(h, body))
		return;
	if (posh__dview(h, dict, &v) ||
	    (uint64_t)((char *)&v.index[v.mask + 1] - h->base) - body >
		    posh__block_bytes(h, body)) {
		posh__say(c, "dict %#llx: its body makes no sense",
			  posh__hex(dict));
		return;
	}
	if (shared(c, body))
		return;
	check_order(c, dict, &v);
	check_index(c, dict, &v);
	for (i = 0; i < v.capacity; i++)
		check_entry(c, dict, &v, i);
}

/* A set is a dict whose values are all True. */
static void
check_set(struct posh__check *c, uint64_t set)
{
	struct posh__dview v;
	uint32_t i;

	check_dict(c, set);
	if (posh__dview(c->self->h, set, &v) ||
	    shared(c, posh__load(&posh__object(c->self->h, set)->body)))
		return;
	for (i = 0; v.body && i < v.used; i++) {
		uint64_t value = posh__load(&v.body->entry[i].value);

		if (value && value != POSH__TRUE)
			posh__say(c, "set %#llx: element %u has a value",
				  posh__hex(set), i);
	}
}

/* The value of a stored key in a dict that is always there, or EMPTY. */
static uint64_t
value_of(struct posh__check *c, enum posh_place place, uint64_t key)
{
	struct posh_heap *h = c->self->h;
	uint64_t dict = object_of(h, posh__load(&h->hdr->place[place]),
				  POSH__KIND_DICT);
	struct posh__place at;
	struct posh__dview v;
	struct posh__key k;

	if (!dict || posh__dview(h, dict, &v) ||
	    posh__stored_key(c->self, key, &k) || !look_up(c, &v, &k, &at))
		return POSH__EMPTY;
	return posh__load(&v.body->entry[at.entry].value);
}

/*
 * Tuples and instances
 */

static void
check_slots(struct posh__check *c, uint64_t block, posh__word *slot, uint64_t n)
{
	for (; n > 0; n--, slot++)
		posh__check_value(c, block, posh__load(slot));
}

/* Its first item may be EMPTY: it is being made. */
static const char *
check_items(struct posh__check *c, uint64_t tuple, struct posh__tuple *t,
	    uint64_t n)
{
	unsigned form = t->head.flags;

	check_slots(c, tuple, t->slot, n);
	if (posh__form_fits(form, n) && n &&
	    posh__load(&t->slot[0]) == POSH__EMPTY)
		return NULL;
	return posh__form_wrong(c, form, t->slot, n);
}

static void
check_tuple(struct posh__check *c, uint64_t tuple)
{
	struct posh_heap *h = c->self->h;
	struct posh__tuple *t = posh__at(h, tuple);
	uint64_t n = posh__load(&t->length),
		 bytes = posh__block_bytes(h, tuple);
	const char *what = NULL;

	if (n > bytes || sizeof(*t) + 8 * n > bytes)
		posh__say(c, "tuple %#llx: %llu items, in %llu bytes",
			  posh__hex(tuple), posh__hex(n), posh__hex(bytes));
	else
		what = check_items(c, tuple, t, n);
	if (what)
		posh__say(c, "tuple %#llx has %s", posh__hex(tuple), what);
	if (posh__load(&t->head.body))
		posh__say(c, "tuple %#llx has a body", posh__hex(tuple));
}

static void
check_instance(struct posh__check *c, uint64_t instance)
{
	struct posh_heap *h = c->self->h;
	struct posh__instance *p = posh__at(h, instance);
	uint64_t cls = posh__load(&p->cls), list, extra;
	unsigned n = p->head.flags;
	posh__word *name;

	if (n > POSH_CLASS_SLOTS ||
	    sizeof(*p) + 8 * (uint64_t)n > posh__block_bytes(h, instance))
		posh__say(c, "instance %#llx: %u slots, in %llu bytes",
			  posh__hex(instance), n,
			  posh__hex(posh__block_bytes(h, instance)));
	else
		check_slots(c, instance, p->slot, n);
	extra = posh__load(&p->head.body);
	if (extra && !object_of(h, extra, POSH__KIND_DICT))
		posh__say(c, "instance %#llx: its attributes are no dict",
			  posh__hex(instance));
	list = object_of(h, cls, POSH__KIND_LIST);
	if (!list || !elements(h, list, &name) ||
	    (c->looks && value_of(c, POSH_CLASSES, posh__load(name)) != cls))
		posh__say(c, "instance %#llx: its class is none of the heap's",
			  posh__hex(instance));
}

/*
 * Blobs and buffers
 */

static void
check_blob(struct posh__check *c, uint64_t blob)
{
	uint64_t room = posh__block_bytes(c->self->h, blob), window;
	struct posh__blob *b;

	if (room < sizeof(*b) || posh__blob_at(c->self->h, blob, &b, &window) ||
	    posh__load(&b->bytes) > room - sizeof(*b))
		posh__say(c, "blob %#llx: its bytes make no sense, in %llu",
			  posh__hex(blob), posh__hex(room));
	if (posh__load(&posh__object(c->self->h, blob)->body))
		posh__say(c, "blob %#llx has a body", posh__hex(blob));
}

static void
check_buffer(struct posh__check *c, uint64_t buffer)
{
	struct posh_heap *h = c->self->h;
	struct posh__buffer *b = posh__at(h, buffer);
	uint64_t blob = posh__load(&b->blob), meta = posh__load(&b->meta);

	if (blob && !object_of(h, blob, POSH__KIND_BLOB))
		posh__say(c, "buffer %#llx: its blob is none",
			  posh__hex(buffer));
	if (POSH__TAG(meta) == POSH__TAG_OBJECT)
		posh__say(c, "buffer %#llx: its meta is an object",
			  posh__hex(buffer));
	else
		posh__check_value(c, buffer, meta);
	if (posh__load(&b->head.body))
		posh__say(c, "buffer %#llx has a body", posh__hex(buffer));
}

void
posh__check_object(struct posh__check *c, uint64_t object)
{
	struct posh__object *o = posh__object(c->self->h, object);
	uint64_t front =
		o->kind == POSH__KIND_BUFFER ? sizeof(struct posh__buffer)
		: o->kind >= POSH__KIND_TUPLE && o->kind != POSH__KIND_SET
			? sizeof(struct posh__tuple)
			: sizeof(*o);

	if (posh__block_bytes(c->self->h, object) < front) {
		posh__say(c, "object %#llx (kind %u) has no room for its front",
			  posh__hex(object), o->kind);
		return;
	}
	posh__check_lock(c, object);
	if (o->kind != POSH__KIND_INSTANCE && o->kind != POSH__KIND_TUPLE &&
	    o->flags)
		posh__say(c, "object %#llx has flags %#x", posh__hex(object),
			  o->flags);
	switch (o->kind) {
	case POSH__KIND_LIST:
		check_list(c, object);
		break;
	case POSH__KIND_DICT:
		check_dict(c, object);
		break;
	case POSH__KIND_DEQUE:
		check_deque(c, object);
		break;
	case POSH__KIND_SET:
		check_set(c, object);
		break;
	case POSH__KIND_TUPLE:
		check_tuple(c, object);
		break;
	case POSH__KIND_BLOB:
		check_blob(c, object);
		break;
	case POSH__KIND_BUFFER:
		check_buffer(c, object);
		break;
	default:
		check_instance(c, object);
		break;
	}
}

/*
 * What is always there
 */

static bool
is_name(struct posh_heap *h, uint64_t value)
{
	struct posh__object *b = posh__object(h, POSH__PAYLOAD(value));

	return POSH__TAG(value) == POSH__TAG_TEXT ||
	       (POSH__TAG(value) == POSH__TAG_BOX &&
		posh__block_word(h, POSH__PAYLOAD(value)) &&
		b->kind == POSH__KIND_STR);
}

/* A class is a list: its name, and those of its attributes, which differ. */
static bool
is_class(struct posh__check *c, uint64_t key, uint64_t value)
{
	struct posh_heap *h = c->self->h;
	uint64_t list = object_of(h, value, POSH__KIND_LIST), n, i, k;
	posh__word *name;

	n = list ? elements(h, list, &name) : 0;
	if (!n || n > POSH_CLASS_SLOTS + 1 || !is_name(h, key) ||
	    posh__words_equal(c->self, posh__load(name), key) != 1)
		return false;
	for (i = 1; i < n; i++) {
		if (!is_name(h, posh__load(&name[i])))
			return false;
		for (k = 1; k < i; k++)
			if (posh__words_equal(c->self, posh__load(&name[i]),
					      posh__load(&name[k])) != 0)
				return false;
	}
	return true;
}

/* A ticket is a number, and a list: an object, when it expires, and how many
 * pickles of it are on their way. */
static bool
is_ticket(struct posh__check *c, uint64_t key, uint64_t value)
{
	struct posh_heap *h = c->self->h;
	uint64_t list = object_of(h, value, POSH__KIND_LIST);
	posh__word *slot;

	return POSH__TAG(key) == POSH__TAG_INT && list &&
	       elements(h, list, &slot) == 3 &&
	       POSH__TAG(posh__load(&slot[0])) == POSH__TAG_OBJECT &&
	       POSH__TAG(posh__load(&slot[1])) >= POSH__TAG_FLOAT &&
	       POSH__TAG(posh__load(&slot[2])) == POSH__TAG_INT;
}

/* A dict at a place, and of each item whether it is such a thing. */
static void
check_place(struct posh__check *c, enum posh_place place, const char *what,
	    bool (*is)(struct posh__check *c, uint64_t key, uint64_t value))
{
	struct posh_heap *h = c->self->h;
	uint64_t dict = object_of(h, posh__load(&h->hdr->place[place]),
				  POSH__KIND_DICT);
	struct posh__dview v;
	uint32_t i;

	if (!dict) {
		posh__say(c, "the dict of %s is none", what);
		return;
	}
	if (!is || posh__dview(h, dict, &v))
		return;
	for (i = 0; v.body && i < v.used; i++) {
		const struct posh__entry *e = &v.body->entry[i];

		if (posh__load(&e->value) &&
		    !is(c, posh__load(&e->key), posh__load(&e->value)))
			posh__say(c, "entry %u of the dict of %s is none", i,
				  what);
	}
}

void
posh__check_places(struct posh__check *c)
{
	check_place(c, POSH_ROOT, "the users", NULL);
	check_place(c, POSH_CLASSES, "classes", is_class);
	check_place(c, POSH_TICKETS, "tickets", is_ticket);
	if (posh__load(&c->self->h->hdr->place[POSH_TICKETS + 1]))
		posh__say(c, "there is a place more than there are");
}

/* SPDX-License-Identifier: MIT */
/* graph.c - random operations on a graph of shared objects. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "graph.h"

enum {
	DEEPEST = 4,   /* objects of this depth have only values in them */
	SLOTS = 4,     /* of an instance */
	KEYS = 40,     /* that a dict may have, besides objects */
	BATCH = 6,     /* values of an extend or update */
	ROOM = 130000, /* of the longest text */
	LONG = 30,     /* a list or dict is made shorter from here on */
	VISITS = 5000,
};

/* An object that the walk is at; the root is not held. */
struct place {
	posh_handle o;
	unsigned kind, depth;
	bool held;
};

static void complain(struct graph *g, const char *fmt, ...)
	__attribute__((__format__(__printf__, 2, 3)));

static void
complain(struct graph *g, const char *fmt, ...)
{
	va_list ap;

	if (g->wrong++)
		return;
	va_start(ap, fmt);
	vsnprintf(g->what, sizeof(g->what), fmt, ap);
	va_end(ap);
}

/* Errors that an operation meets because others work on the graph too. */
static int
expect(struct graph *g, const char *op, int64_t rc)
{
	if (rc < 0 && rc != -ENOENT && rc != -ERANGE && rc != -ESTALE &&
	    rc != -EDEADLK && rc != -ENOMEM &&
	    rc != -EINTR) /* of a wait with hooks, now and then */
		complain(g, "%s: %s", op, posh_error_text((int)rc));
	return (int)rc;
}

uint64_t
graph_random(struct graph *g)
{
	/* splitmix64: any seed will do. */
	uint64_t x = g->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static unsigned
below(struct graph *g, unsigned n)
{
	return (unsigned)(graph_random(g) >> 32) % n;
}

/*
 * Values: made, and held to their checksums
 */

static uint32_t
sum(const uint8_t *data, size_t n, unsigned width)
{
	uint32_t x = UINT32_C(2166136261), c;
	size_t i;

	for (i = 0; i < n; i++) {
		if (width == 1)
			c = data[i];
		else if (width == 2)
			c = ((const uint16_t *)(const void *)data)[i];
		else
			c = ((const uint32_t *)(const void *)data)[i];
		x = (x ^ c) * UINT32_C(16777619);
	}
	return x;
}

/* 44 bits whose low 12 are a checksum of the others. */
static int64_t
number(uint64_t payload)
{
	uint8_t byte[4];

	payload &= UINT32_MAX;
	memcpy(byte, &payload, 4);
	return (int64_t)(payload << 12 | (sum(byte, 4, 1) & 0xfff));
}

static bool
is_number(int64_t i)
{
	return i == number((uint64_t)i >> 12);
}

/* Memory for the values of one operation. */
struct making {
	struct posh_value item[4 * BATCH + 8];
	size_t nitem;
	uint8_t text[2 * ROOM];
	size_t used;
	struct place held[2 * BATCH + 4]; /* objects that values name */
	size_t nheld;
};

static _Thread_local struct making making; /* one operation at a time */

static void let_go(struct graph *g, const struct place *p);
static bool find(struct graph *g, unsigned depth, struct place *out);

static void
made(struct graph *g)
{
	while (making.nheld)
		let_go(g, &making.held[--making.nheld]);
	making.nitem = making.used = 0;
}

static size_t
text_size(struct graph *g)
{
	unsigned r = below(g, 200);

	if (r == 0)
		return 16 + below(g, ROOM - 16);
	if (r < 10)
		return 16 + below(g, 8000);
	return 12 + below(g, r < 100 ? 20 : 120);
}

/* A text or bytes: 8 hexadecimal digits of the checksum, then the payload. */
static struct posh_value
ascii(struct graph *g, size_t n, uint64_t payload, bool bytes)
{
	uint8_t *to = making.text + making.used;
	char head[9];
	size_t i;

	(void)g;
	if (making.used + n > sizeof(making.text))
		return posh_int(number(payload));
	making.used += n;
	for (i = 8; i < n; i++)
		to[i] = (uint8_t)('a' + (payload >> i % 8 * 4 & 15));
	snprintf(head, sizeof(head), "%08x", sum(to + 8, n - 8, 1));
	memcpy(to, head, 8);
	return bytes ? posh_bytes(to, n) : posh_utf8((char *)to, n);
}

/* A text whose characters need 1, 2 or 4 bytes each. */
static struct posh_value
wide(struct graph *g, uint64_t payload)
{
	static const char *const letter[3] = {"\303\251", "\342\230\203",
					      "\360\237\230\200"};
	static const uint32_t code[3] = {0xe9, 0x2603, 0x1f600};
	unsigned k = (unsigned)(payload % 3), n = 3 + payload / 3 % 40, i;
	size_t each = strlen(letter[k]);
	uint32_t points[48];
	char *to = (char *)making.text + making.used;

	(void)g;
	if (making.used + 8 + each * n >= sizeof(making.text))
		return posh_int(number(payload));
	for (i = 0; i < n; i++)
		points[i] = code[k];
	snprintf(to, 9, "%08x", sum((uint8_t *)points, n, 4));
	for (i = 0; i < n; i++)
		memcpy(to + 8 + each * i, letter[k], each);
	making.used += 8 + each * n;
	return posh_utf8(to, 8 + each * n);
}

static struct posh_value
big(uint64_t payload)
{
	uint8_t *to = making.text + making.used;
	struct posh_value v = {.type = POSH_BIGINT};
	uint32_t x;

	if (making.used + 24 > sizeof(making.text))
		return posh_int(number(payload));
	making.used += 24;
	memcpy(to, &payload, 8);
	payload = ~payload;
	memcpy(to + 8, &payload, 8);
	x = sum(to, 16, 1);
	memcpy(to + 16, &x, 4);
	memcpy(to + 20, "posh", 4); /* positive, and no shorter */
	v.data = to;
	v.size = 24;
	return v;
}

static struct posh_value
complex_of(uint64_t payload)
{
	struct posh_value v = posh_float((double)number(payload));

	v.type = POSH_COMPLEX;
	v.im = v.f + 1;
	return v;
}

static struct posh_value *
items(size_t n)
{
	struct posh_value *v = &making.item[making.nitem];

	if (making.nitem + n > sizeof(making.item) / sizeof(making.item[0]))
		return NULL;
	making.nitem += n;
	return v;
}

static struct posh_value
plain(struct graph *g)
{
	uint64_t r = graph_random(g), payload = r >> 8;
	struct posh_value v, *item;

	switch (r % 12) {
	case 0:
		return posh_none();
	case 1:
		return posh_bool(payload & 1);
	case 2:
	case 3:
		return posh_int(number(payload));
	case 4:
		return posh_float((double)number(payload));
	case 5:
		return complex_of(payload);
	case 6:
		return big(payload);
	case 7:
		return wide(g, payload);
	case 8:
		return ascii(g, text_size(g), payload, true);
	case 9:
		item = items(2);
		if (!item)
			return posh_none();
		item[0] = ascii(g, text_size(g), payload, false);
		item[1] = plain(g);
		memset(&v, 0, sizeof(v));
		v.type = POSH_TUPLE;
		v.size = 2;
		v.items = item;
		return v;
	default:
		return ascii(g, text_size(g), payload, false);
	}
}

/* Of a deque: -1, or how many elements it may have. */
static uint64_t
bound(struct graph *g)
{
	return below(g, 3) ? UINT64_MAX : below(g, 20);
}

/* A container that is made in its place. */
static struct posh_value
fresh(struct graph *g)
{
	static const enum posh_kind kinds[] = {POSH_KIND_LIST, POSH_KIND_DICT,
					       POSH_KIND_INSTANCE,
					       POSH_KIND_SET, POSH_KIND_DEQUE};
	enum posh_kind kind = kinds[below(g, 5)];
	struct posh_value v = posh_fresh(kind);

	if (kind == POSH_KIND_INSTANCE) {
		v.size = SLOTS;
		v.object = g->cls;
	}
	if (kind == POSH_KIND_DEQUE)
		v.size = bound(g) + 1;
	return v;
}

/* A new object of this depth: empty, or of bytes. */
static int
make(struct graph *g, unsigned depth, struct place *p)
{
	enum posh_kind kind;
	int rc;

	p->depth = depth;
	p->held = true;
	switch (below(g, 6)) {
	case 0:
		p->kind = POSH_KIND_LIST;
		return posh_list_new(g->h, &p->o);
	case 1:
		p->kind = POSH_KIND_DICT;
		return posh_dict_new(g->h, &p->o);
	case 2:
		p->kind = POSH_KIND_SET;
		return posh_set_new(g->h, &p->o);
	case 3:
		p->kind = POSH_KIND_DEQUE;
		return posh_deque_new(g->h, (int64_t)bound(g), &p->o);
	case 4:
		p->kind = POSH_KIND_INSTANCE;
		return posh_instance_new(g->h, g->cls, SLOTS, &p->o);
	}
	rc = bytes_make(g->h, graph_random(g), &kind, &p->o);
	p->kind = kind;
	return rc;
}

/* A new object of this depth that is made ahead of its place, or a value. */
static struct posh_value
made_ahead(struct graph *g, unsigned depth)
{
	struct place p;

	if (making.nheld == sizeof(making.held) / sizeof(making.held[0]) ||
	    expect(g, "make", make(g, depth, &p)))
		return plain(g);
	making.held[making.nheld++] = p;
	return posh_object(p.o);
}

/* An object of this depth that is there already, or a value. */
static struct posh_value
existing(struct graph *g, unsigned depth)
{
	struct place p;

	if (making.nheld == sizeof(making.held) / sizeof(making.held[0]) ||
	    !find(g, depth, &p))
		return plain(g);
	making.held[making.nheld++] = p;
	return posh_object(p.o);
}

/* A tuple with an object in it: an object itself. */
static struct posh_value
pair(struct graph *g, unsigned depth)
{
	struct posh_value v, *item = items(2);

	if (!item)
		return posh_none();
	memset(&v, 0, sizeof(v));
	v.type = POSH_TUPLE;
	v.size = 2;
	v.items = item;
	item[0] = existing(g, depth + 1);
	item[1] = ascii(g, 20, graph_random(g), false);
	return v;
}

/* A value for an object of this depth. */
static struct posh_value
any_value(struct graph *g, unsigned depth)
{
	unsigned r = below(g, 32);

	if (depth >= DEEPEST || r < 18)
		return plain(g);
	if (r < 24)
		return existing(g, depth + 1);
	if (r < 26 && depth + 1 < DEEPEST)
		return pair(g, depth + 1);
	if (r < 29)
		return made_ahead(g, depth + 1);
	return fresh(g);
}

static struct posh_value
any_key(struct graph *g, unsigned depth)
{
	unsigned k = below(g, KEYS);

	if (depth < DEEPEST && below(g, 16) == 0)
		return existing(g, depth + 1);
	switch (k % 5) {
	case 0:
		return posh_int(number(k));
	case 1:
		return posh_float((double)number(k));
	case 2:
		return ascii(g, 10 + k, k, true);
	case 3:
		return big(k);
	default:
		return ascii(g, 10 + k, k, false);
	}
}

static bool
text_right(const struct posh_value *v, unsigned width)
{
	const uint8_t *d = v->data;
	char head[9];
	size_t i;

	if (v->size < 8) /* the key of a twin */
		return v->size == 4 || v->size == 5;
	snprintf(head, sizeof(head), "%08x",
		 sum(d + 8 * width, v->size - 8, width));
	for (i = 0; i < 8; i++)
		if (sum((const uint8_t *)&head[i], 1, 1) !=
		    sum(d + i * width, 1, width))
			return false;
	return true;
}

static bool
big_right(const struct posh_value *v)
{
	const uint8_t *d = v->data;
	uint32_t x = v->size == 24 ? sum(d, 16, 1) : 0;

	return v->size == 24 && !memcmp(d + 16, &x, 4) &&
	       !memcmp(d + 20, "posh", 4);
}

static bool
right(const struct posh_value *v)
{
	switch (v->type) {
	case POSH_NONE:
		return true;
	case POSH_BOOL:
		return v->i == 0 || v->i == 1;
	case POSH_INT:
		return is_number(v->i);
	case POSH_FLOAT:
		return is_number((int64_t)v->f);
	case POSH_COMPLEX:
		return is_number((int64_t)v->f) && v->im == v->f + 1;
	case POSH_BIGINT:
		return big_right(v);
	case POSH_STR:
		return text_right(v, v->width);
	case POSH_BYTES:
		return text_right(v, 1);
	case POSH_TUPLE:
		return v->size == 2 && right(&v->items[0]) &&
		       right(&v->items[1]);
	case POSH_OBJECT:
		return v->kind >= POSH_KIND_LIST && v->kind <= POSH_KIND_BUFFER;
	}
	return false;
}

/* What a read gave: look at it, and let go of what it holds. */
static void
took(struct graph *g, const char *op, struct posh_value *v, size_t n)
{
	size_t i;

	/* Data is good until the next call: first all of that. */
	for (i = 0; i < n; i++)
		if (!right(&v[i]))
			complain(g, "%s: value %zu of type %u, %zu long", op, i,
				 v[i].type, v[i].size);
	for (i = 0; i < n; i++)
		if (v[i].type == POSH_OBJECT)
			posh_object_drop(g->h, v[i].object);
}

/*
 * Walks
 */

static void
let_go(struct graph *g, const struct place *p)
{
	if (p->held)
		posh_object_drop(g->h, p->o);
}

/* Read something out of an object; 0 if there was something. */
static int
pick(struct graph *g, const struct place *p, struct posh_value *v)
{
	int64_t n;

	switch (p->kind) {
	case POSH_KIND_LIST:
		n = posh_list_len(g->h, p->o);
		return n > 0 ? posh_list_get(g->h, p->o, below(g, (unsigned)n),
					     v)
			     : -ENOENT;
	case POSH_KIND_DEQUE:
		n = posh_deque_len(g->h, p->o, NULL);
		return n > 0 ? posh_deque_get(g->h, p->o, below(g, (unsigned)n),
					      v)
			     : -ENOENT;
	case POSH_KIND_TUPLE:
		return posh_tuple_get(g->h, p->o, 0, v);
	case POSH_KIND_INSTANCE:
		return posh_instance_get(g->h, p->o, below(g, SLOTS), v);
	}
	return -ENOENT;
}

static int
pick_item(struct graph *g, const struct place *p, struct posh_value *v)
{
	uint64_t cursor = 0;
	struct posh_value item[2 * 64];
	int64_t n, k;

	if (p->kind != POSH_KIND_DICT && p->kind != POSH_KIND_SET)
		return pick(g, p, v);
	n = posh_dict_read(g->h, p->o, &cursor, 64, 0, item, NULL);
	if (n <= 0)
		return n < 0 ? (int)n : -ENOENT;
	k = 2 * (int64_t)below(g, (unsigned)n) + (p->kind == POSH_KIND_DICT);
	*v = item[k];
	item[k] = posh_none();
	took(g, "dict read", item, 2 * (size_t)n);
	return 0;
}

/* Go one deeper, if an object is met soon. */
static bool
descend(struct graph *g, struct place *p)
{
	struct posh_value v;
	int tries, rc;

	for (tries = 0; tries < 4; tries++) {
		rc = pick_item(g, p, &v);
		if (expect(g, "descend", rc) < 0)
			continue;
		if (v.type != POSH_OBJECT) {
			if (p->kind != POSH_KIND_DICT &&
			    p->kind != POSH_KIND_SET && !right(&v))
				complain(g, "kind %u: value of type %u",
					 p->kind, v.type);
			continue;
		}
		let_go(g, p);
		p->o = v.object;
		p->kind = v.kind;
		p->depth++;
		p->held = true;
		return true;
	}
	return false;
}

static void
at_root(struct graph *g, struct place *p)
{
	unsigned k = below(g, 2 * GRAPH_OWN);

	p->o = posh_heap_place(g->h, POSH_ROOT);
	p->kind = POSH_KIND_DICT;
	p->depth = 0;
	p->held = false;
	if (k < g->nown) {
		p->o = g->own[k].o;
		p->kind = g->own[k].kind;
		p->depth = g->own[k].depth;
	}
}

/* Find an object of just this depth, and hold it. */
static bool
find(struct graph *g, unsigned depth, struct place *out)
{
	at_root(g, out);
	while (out->depth < depth && descend(g, out))
		;
	if (out->depth == depth && out->held)
		return true;
	let_go(g, out);
	return false;
}

/*
 * Operations
 */

static void
list_many(struct graph *g, const struct place *p, unsigned op)
{
	struct posh_value v[BATCH];
	unsigned n = below(g, BATCH), i, from = below(g, 12);

	for (i = 0; i < n; i++)
		v[i] = any_value(g, p->depth);
	if (op == 0)
		expect(g, "extend", posh_list_extend(g->h, p->o, v, n));
	else
		expect(g, "splice",
		       posh_list_splice(g->h, p->o, from, from + below(g, 6), v,
					n));
}

static void
list_permute(struct graph *g, const struct place *p)
{
	size_t order[64], n, i;
	uint64_t version = posh_object_version(g->h, p->o);
	int64_t len = posh_list_len(g->h, p->o);

	if (len < 0 || len > 64)
		return;
	n = (size_t)len;
	for (i = 0; i < n; i++)
		order[i] = n - 1 - i;
	expect(g, "permute", posh_list_permute(g->h, p->o, order, n, version));
}

static void
list_read(struct graph *g, const struct place *p)
{
	struct posh_value *all, v[16];
	int64_t n;

	if (below(g, 2)) {
		n = posh_list_snapshot(g->h, p->o, &all, NULL);
		if (expect(g, "list snapshot", n) >= 0) {
			took(g, "list snapshot", all, (size_t)n);
			free(all);
		}
		return;
	}
	n = posh_list_read(g->h, p->o, below(g, 20), 16,
			   below(g, 2) ? POSH_SCALARS : 0, v, NULL);
	if (expect(g, "list read", n) > 0)
		took(g, "list read", v, (size_t)n);
}

static void
list_step(struct graph *g, const struct place *p)
{
	posh_heap *h = g->h;
	int64_t len = posh_list_len(h, p->o);
	unsigned op = below(g, 16);
	struct posh_value v;
	int64_t i = len > 0 ? below(g, (unsigned)len) : 0;

	if (len > LONG)
		op = 9;
	switch (op) {
	case 0:
	case 1:
	case 2:
		v = any_value(g, p->depth);
		expect(g, "append", posh_list_append(h, p->o, &v));
		break;
	case 3:
	case 4:
	case 5:
		v = any_value(g, p->depth);
		expect(g, "list set", posh_list_set(h, p->o, i, &v));
		break;
	case 6:
		v = any_value(g, p->depth);
		expect(g, "insert", posh_list_insert(h, p->o, i, &v));
		break;
	case 7:
	case 8:
		if (expect(g, "pop", posh_list_pop(h, p->o, i - 1, &v)) == 0)
			took(g, "pop", &v, 1);
		break;
	case 9:
		expect(g, "delete",
		       posh_list_delete(h, p->o, (size_t)i,
					(size_t)i + below(g, 8)));
		if (len > LONG && below(g, 4) == 0)
			expect(g, "clear",
			       posh_list_delete(h, p->o, 0, SIZE_MAX));
		break;
	case 10:
		list_permute(g, p);
		break;
	case 11:
	case 12:
		list_many(g, p, op - 11);
		break;
	case 13:
		expect(g, "reserve", posh_list_reserve(h, p->o, below(g, 100)));
		break;
	default:
		list_read(g, p);
	}
}

static void
deque_read(struct graph *g, const struct place *p)
{
	struct posh_value *all, v[16];
	uint64_t cursor = UINT64_MAX;
	int64_t n;

	if (below(g, 2)) {
		n = posh_deque_snapshot(g->h, p->o, &all, NULL);
		if (expect(g, "deque snapshot", n) >= 0) {
			took(g, "deque snapshot", all, (size_t)n);
			free(all);
		}
		return;
	}
	n = posh_deque_read(g->h, p->o, &cursor, 16,
			    below(g, 2) ? POSH_SCALARS : 0, v, NULL);
	if (expect(g, "deque read", n) > 0)
		took(g, "deque read", v, (size_t)n);
}

static void
deque_put(struct graph *g, const struct place *p, int64_t i)
{
	struct posh_value v[BATCH];
	unsigned n = below(g, BATCH), j;

	for (j = 0; j < n || j == 0; j++)
		v[j] = any_value(g, p->depth);
	switch (below(g, 8)) {
	case 0:
	case 1:
		expect(g, "append", posh_deque_append(g->h, p->o, v));
		break;
	case 2:
	case 3:
		expect(g, "appendleft", posh_deque_appendleft(g->h, p->o, v));
		break;
	case 4:
		expect(g, "extend", posh_deque_extend(g->h, p->o, v, n));
		break;
	case 5:
		expect(g, "extendleft",
		       posh_deque_extendleft(g->h, p->o, v, n));
		break;
	case 6:
		expect(g, "deque insert", posh_deque_insert(g->h, p->o, i, v));
		break;
	default:
		expect(g, "deque set", posh_deque_set(g->h, p->o, i, v));
	}
}

static void
deque_step(struct graph *g, const struct place *p)
{
	posh_heap *h = g->h;
	int64_t len = posh_deque_len(h, p->o, NULL), rc;
	int64_t i = len > 0 ? below(g, (unsigned)len) : 0;
	unsigned op = below(g, 16);
	struct posh_value v;

	if (len > LONG)
		op = below(g, 4) ? 13 : 14;
	if (op < 7) {
		deque_put(g, p, i);
	} else if (op < 9) {
		rc = op == 7 ? posh_deque_pop(h, p->o, &v)
			     : posh_deque_popleft(h, p->o, &v);
		if (expect(g, "deque pop", rc) == 0)
			took(g, "deque pop", &v, 1);
	} else if (op == 9) {
		expect(g, "rotate",
		       posh_deque_rotate(h, p->o, (int64_t)below(g, 20) - 10));
	} else if (op == 10) {
		expect(g, "deque reverse", posh_deque_reverse(h, p->o));
	} else if (op == 11) {
		/* One that is shorter than the deque is refused. */
		rc = posh_deque_bound(h, p->o, (int64_t)bound(g));
		if (rc != -EBUSY)
			expect(g, "bound", rc);
	} else if (op < 14) {
		expect(g, "deque delete", posh_deque_delete(h, p->o, i));
	} else if (op == 14 && below(g, 4) == 0) {
		expect(g, "deque clear", posh_deque_clear(h, p->o));
	} else {
		deque_read(g, p);
	}
}

static void
bytes_step(struct graph *g, const struct place *p)
{
	const char *op;
	int rc = bytes_change(g->h, p->o, (enum posh_kind)p->kind,
			      graph_random(g), &op);

	if (rc == BYTES_WRONG)
		complain(g, "%s: wrong bytes", op);
	else
		expect(g, op, rc);
}

/* A value for a dict; a set has but one. */
static struct posh_value
value_for(struct graph *g, const struct place *p)
{
	return p->kind == POSH_KIND_SET ? posh_bool(true)
					: any_value(g, p->depth);
}

/* The values of two keys that are only ever set together. */
static void
dict_twins(struct graph *g, const struct place *p, unsigned flags)
{
	struct posh_value v[2 * BATCH];
	unsigned n = 2 + below(g, BATCH - 2), i;

	if (flags && n > 3)
		n = 3; /* keys that all differ are asked for */
	v[0] = posh_utf8("left", 4);
	v[2] = posh_utf8("right", 5);
	v[1] = v[3] = p->kind == POSH_KIND_SET
			      ? posh_bool(true)
			      : posh_int(number(graph_random(g)));
	for (i = 2; i < n; i++) {
		v[2 * i] = any_key(g, p->depth);
		v[2 * i + 1] = value_for(g, p);
	}
	expect(g, "update", posh_dict_update(g->h, p->o, v, n, flags));
}

/* The items of a dict at one moment. */
static void
dict_look(struct graph *g, const char *op, struct posh_value *v, size_t n)
{
	int64_t left = -1, other = -1;
	size_t i;

	for (i = 0; i < 2 * n; i += 2) {
		if (v[i].type != POSH_STR || v[i].size > 5)
			continue;
		if (v[i].size == 4)
			left = v[i + 1].i;
		else
			other = v[i + 1].i;
	}
	if (left >= 0 && other >= 0 && left != other)
		complain(g, "%s: twins of %#llx and %#llx", op,
			 (unsigned long long)left, (unsigned long long)other);
	took(g, op, v, 2 * n);
}

static void
dict_read(struct graph *g, const struct place *p)
{
	struct posh_value *all, v[2 * 64];
	uint64_t cursor = 0, last = UINT64_MAX;
	int64_t n;

	switch (below(g, 3)) {
	case 0:
		n = posh_dict_snapshot(g->h, p->o, &all, NULL);
		if (expect(g, "dict snapshot", n) >= 0) {
			dict_look(g, "dict snapshot", all, (size_t)n);
			free(all);
		}
		break;
	case 1:
		n = posh_dict_read(g->h, p->o, &cursor, 64, 0, v, NULL);
		if (expect(g, "dict read", n) > 0)
			dict_look(g, "dict read", v, (size_t)n);
		break;
	default:
		n = posh_dict_read_back(g->h, p->o, &last, 64, 0, v, NULL);
		if (expect(g, "dict read back", n) > 0)
			dict_look(g, "dict read back", v, (size_t)n);
	}
}

static void
dict_step(struct graph *g, const struct place *p)
{
	posh_heap *h = g->h;
	struct posh_value k = any_key(g, p->depth), v[2];
	unsigned op = below(g, 32);

	if (posh_dict_len(h, p->o) > LONG)
		op = 28;
	if (op < 10) {
		v[0] = value_for(g, p);
		expect(g, "dict set", posh_dict_set(h, p->o, &k, v));
	} else if (op < 13) {
		v[0] = value_for(g, p);
		if (expect(g, "setdefault",
			   posh_dict_setdefault(h, p->o, &k, v, &v[1])) >= 0)
			took(g, "setdefault", &v[1], 1);
	} else if (op < 18) {
		if (expect(g, "dict pop", posh_dict_pop(h, p->o, &k, v)) == 0)
			took(g, "dict pop", v, 1);
	} else if (op < 19) {
		if (expect(g, "popitem",
			   posh_dict_popitem(h, p->o, &v[0], &v[1])) == 0)
			dict_look(g, "popitem", v, 1);
	} else if (op == 19) {
		if (expect(g, "popfirst",
			   posh_dict_popfirst(h, p->o, &v[0], &v[1])) == 0)
			dict_look(g, "popfirst", v, 1);
	} else if (op < 24) {
		dict_twins(g, p, 0);
	} else if (op == 24) {
		dict_twins(g, p, POSH_REPLACE);
	} else if (op == 25) {
		expect(g, "dict move",
		       posh_dict_move(h, p->o, &k,
				      below(g, 2) ? POSH_FIRST : POSH_LAST));
	} else if (op < 28) {
		if (expect(g, "dict get", posh_dict_get(h, p->o, &k, v)) == 0)
			took(g, "dict get", v, 1);
	} else if (op == 28) {
		/* Of the root seldom: it takes the graph. */
		if (p->depth || below(g, 16) == 0)
			expect(g, "dict clear", posh_dict_clear(h, p->o));
	} else {
		dict_read(g, p);
	}
}

static void
instance_step(struct graph *g, const struct place *p)
{
	struct posh_value v;
	struct place extra = {{0}, POSH_KIND_DICT, p->depth + 1, true};
	unsigned op = below(g, 8), slot = below(g, SLOTS);
	int rc;

	if (op < 4) {
		v = any_value(g, p->depth);
		expect(g, "attribute set",
		       posh_instance_set(g->h, p->o, slot, &v));
	} else if (op < 5) {
		expect(g, "attribute delete",
		       posh_instance_set(g->h, p->o, slot, NULL));
	} else if (op < 7) {
		rc = posh_instance_get(g->h, p->o, slot, &v);
		if (expect(g, "attribute get", rc) == 0)
			took(g, "attribute get", &v, 1);
	} else if (p->depth < DEEPEST) {
		rc = posh_instance_extra(g->h, p->o, below(g, 2), &extra.o);
		if (expect(g, "extra", rc) == 0) {
			dict_step(g, &extra);
			let_go(g, &extra);
		}
	}
}

static void
change(struct graph *g, const struct place *p)
{
	switch (p->kind) {
	case POSH_KIND_LIST:
		list_step(g, p);
		break;
	case POSH_KIND_DICT:
	case POSH_KIND_SET:
		dict_step(g, p);
		break;
	case POSH_KIND_INSTANCE:
		instance_step(g, p);
		break;
	case POSH_KIND_DEQUE:
		deque_step(g, p);
		break;
	case POSH_KIND_BLOB:
	case POSH_KIND_BUFFER:
		bytes_step(g, p);
		break;
	}
	made(g);
}

/* Make an object and keep it, or let one go. */
static void
own_step(struct graph *g)
{
	struct place p;
	unsigned k;

	if (g->nown == GRAPH_OWN || (g->nown && below(g, 3) == 0)) {
		k = below(g, g->nown);
		posh_object_drop(g->h, g->own[k].o);
		g->own[k] = g->own[--g->nown];
		return;
	}
	if (below(g, 5) == 0) {
		if (!find(g, 1 + below(g, DEEPEST), &p))
			return;
	} else if (expect(g, "new", make(g, 1 + below(g, DEEPEST), &p))) {
		return;
	}
	g->own[g->nown].o = p.o;
	g->own[g->nown].kind = (uint8_t)p.kind;
	g->own[g->nown++].depth = (uint8_t)p.depth;
}

void
graph_step(struct graph *g)
{
	struct place p;
	bool locked;
	unsigned n;

	g->steps++;
	if (below(g, 10) == 0) {
		own_step(g);
		return;
	}
	at_root(g, &p);
	while (below(g, 4) && descend(g, &p))
		;
	/* Now and then several in one: what is deeper is locked later, so
	 * nobody waits in a circle. */
	locked = below(g, 20) == 0;
	if (locked && expect(g, "lock", posh_object_lock(g->h, p.o, -1)))
		locked = false;
	for (n = locked ? 3 : 1; n > 0; n--)
		change(g, &p);
	if (locked)
		expect(g, "unlock", posh_object_unlock(g->h, p.o));
	let_go(g, &p);
}

/* Have a container refer to a value. */
static int
refer(struct graph *g, const struct place *from, struct posh_value *v)
{
	struct posh_value k = any_key(g, DEEPEST), yes = posh_bool(true);

	switch (from->kind) {
	case POSH_KIND_LIST:
		return posh_list_append(g->h, from->o, v);
	case POSH_KIND_DEQUE:
		return posh_deque_append(g->h, from->o, v);
	case POSH_KIND_INSTANCE:
		return posh_instance_set(g->h, from->o, below(g, SLOTS), v);
	case POSH_KIND_DICT:
	case POSH_KIND_SET:
		if (from->kind == POSH_KIND_DICT && below(g, 2))
			return posh_dict_set(g->h, from->o, &k, v);
		return posh_dict_set(g->h, from->o, v, &yes);
	}
	return 0; /* bytes */
}

void
graph_circle(struct graph *g)
{
	struct posh_value v = pair(g, 1), from_b;
	struct place a, b;

	if (expect(g, "make", make(g, 1, &a)))
		return;
	if (expect(g, "make", make(g, 1, &b)) == 0) {
		/* By the pair to b, which has something of the graph, too. */
		v.items[0] = posh_object(b.o);
		from_b = posh_object(a.o);
		expect(g, "circle", refer(g, &a, &v));
		expect(g, "circle", refer(g, &b, &from_b));
		from_b = existing(g, 1 + below(g, DEEPEST));
		expect(g, "circle", refer(g, &b, &from_b));
		let_go(g, &b);
	}
	let_go(g, &a);
	made(g);
}

static void visit(struct graph *g, const struct place *p);

static void
visit_values(struct graph *g, struct posh_value *v, size_t n, unsigned depth)
{
	struct place p = {{0}, 0, depth, true};
	size_t i;

	for (i = 0; i < n; i++)
		if (v[i].type != POSH_OBJECT && !right(&v[i]))
			complain(g, "visit: value %zu of type %u, %zu long", i,
				 v[i].type, v[i].size);
	for (i = 0; i < n; i++) {
		if (v[i].type != POSH_OBJECT)
			continue;
		p.o = v[i].object;
		p.kind = v[i].kind;
		visit(g, &p);
		let_go(g, &p);
	}
}

static void
visit(struct graph *g, const struct place *p)
{
	struct posh_value *all, v;
	int64_t n;
	size_t i;

	/* What has many names is met as often. */
	if (--g->budget < 0)
		return;
	if (p->depth > DEEPEST + 1)
		complain(g, "an object of depth %u", p->depth);
	if (expect(g, "lock", posh_object_lock(g->h, p->o, -1)) == 0)
		expect(g, "unlock", posh_object_unlock(g->h, p->o));
	switch (p->kind) {
	case POSH_KIND_LIST:
		n = posh_list_snapshot(g->h, p->o, &all, NULL);
		if (expect(g, "visit list", n) >= 0) {
			visit_values(g, all, (size_t)n, p->depth + 1);
			free(all);
		}
		break;
	case POSH_KIND_DEQUE:
		n = posh_deque_snapshot(g->h, p->o, &all, NULL);
		if (expect(g, "visit deque", n) >= 0) {
			visit_values(g, all, (size_t)n, p->depth + 1);
			free(all);
		}
		break;
	case POSH_KIND_BLOB:
	case POSH_KIND_BUFFER:
		n = bytes_look(g->h, p->o, (enum posh_kind)p->kind);
		if (n == BYTES_WRONG)
			complain(g, "visit: wrong bytes");
		else
			expect(g, "visit bytes", n);
		break;
	case POSH_KIND_DICT:
	case POSH_KIND_SET:
		n = posh_dict_snapshot(g->h, p->o, &all, NULL);
		if (expect(g, "visit dict", n) < 0)
			break;
		visit_values(g, all, 2 * (size_t)n, p->depth + 1);
		free(all);
		break;
	case POSH_KIND_TUPLE:
	case POSH_KIND_INSTANCE:
		for (i = 0; i < (p->kind == POSH_KIND_TUPLE ? 2 : SLOTS); i++)
			if (expect(g, "visit slot",
				   p->kind == POSH_KIND_TUPLE
					   ? posh_tuple_get(g->h, p->o, i, &v)
					   : posh_instance_get(g->h, p->o, i,
							       &v)) == 0)
				visit_values(g, &v, 1, p->depth + 1);
	}
}

void
graph_visit(struct graph *g)
{
	struct place p = {posh_heap_place(g->h, POSH_ROOT), POSH_KIND_DICT, 0,
			  false};

	g->budget = VISITS;
	visit(g, &p);
}

void
graph_clear(posh_heap *h)
{
	posh_dict_clear(h, posh_heap_place(h, POSH_ROOT));
}

void
graph_join(struct graph *g, posh_heap *h, uint64_t seed)
{
	memset(g, 0, sizeof(*g));
	g->h = h;
	g->random = seed;
	expect(g, "class", posh_class_intern(h, "graph.Node", &g->cls));
}

void
graph_leave(struct graph *g)
{
	while (g->nown)
		posh_object_drop(g->h, g->own[--g->nown].o);
}

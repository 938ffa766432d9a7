/* SPDX-License-Identifier: MIT */
/* damage.c - a good heap, of which tests of posh_heap_check damage a word. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actor.h"
#include "damage.h"
#include "tap.h"

char heap_path[2100];
posh_heap *heap;
posh_handle list, dict, tuple, instance, lonely;
struct posh__self *self;

static struct posh_value
text(const char *s)
{
	return posh_utf8(s, strlen(s));
}

static void
put(const char *name, struct posh_value v)
{
	struct posh_value k = text(name);

	if (posh_dict_set(heap, posh_heap_place(heap, POSH_ROOT), &k, &v) < 0)
		abort();
}

/* The object of that name, which stays in the root. */
static posh_handle
get(const char *name)
{
	struct posh_value k = text(name), v;

	if (posh_dict_get(heap, posh_heap_place(heap, POSH_ROOT), &k, &v))
		abort();
	posh_object_drop(heap, v.object);
	return v.object;
}

static const uint16_t wide[] = {0x20, 0x2020, 0x41, 0x2021, 0x42, 0x43, 0x44};
static const uint32_t wider[] = {0x20, 0x12020, 0x41, 0x42, 0x43};
static const uint8_t big[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

static void
fill_list(void)
{
	struct posh_value inner[2] = {posh_int(7), text("an inner text")};
	struct posh_value v[ELEMENTS] = {
		[TEXT] = text("a text that is too long for a word"),
		[BYTES] = posh_bytes("\0\1\2\3\4\5\6\7\10", 9),
		[BIG] = {.type = POSH_BIGINT},
		[COMPLEX] = {.type = POSH_COMPLEX},
		[WIDE] = {.type = POSH_STR, .width = 2},
		[WIDER] = {.type = POSH_STR, .width = 4},
		[BOXTUPLE] = {.type = POSH_TUPLE},
		[EMPTY_LIST] = posh_fresh(POSH_KIND_LIST),
	};

	v[BIG].data = big;
	v[BIG].size = sizeof(big);
	v[COMPLEX].f = 1.5;
	v[COMPLEX].im = -2.5;
	v[WIDE].data = wide;
	v[WIDE].size = sizeof(wide) / 2;
	v[WIDER].data = wider;
	v[WIDER].size = sizeof(wider) / 4;
	v[BOXTUPLE].items = inner;
	v[BOXTUPLE].size = 2;
	if (posh_list_extend(heap, list, v, ELEMENTS))
		abort();
}

static void
fill_dict(void)
{
	static const char *const keys[] = {"a",       "b", "a longer key",
					   "another", "y", "z"};
	struct posh_value k, v;
	size_t i;

	for (i = 0; i < 6; i++) {
		k = text(keys[i]);
		v = posh_int((int)i);
		posh_dict_set(heap, dict, &k, &v);
	}
	k = text("b");
	posh_dict_pop(heap, dict, &k, NULL);
}

static void
fill_instance(void)
{
	struct posh_value name = {.type = POSH_STR, .width = 1}, v;
	posh_handle cls, extra;

	name.data = "slot";
	name.size = 4;
	if (posh_class_intern(heap, "Class", &cls) ||
	    posh_class_slot(heap, cls, &name, 1) < 0 ||
	    posh_instance_new(heap, cls, 3, &instance) ||
	    posh_instance_extra(heap, instance, 1, &extra))
		abort();
	v = text("the value of a slot");
	posh_instance_set(heap, instance, 0, &v);
	posh_object_drop(heap, extra);
	put("instance", posh_object(instance));
	posh_object_drop(heap, instance);
}

static void
fill_tickets(void)
{
	struct posh_value k = posh_int(4711), v = posh_fresh(POSH_KIND_LIST);
	struct posh_value item[3] = {posh_object(list), posh_float(1e9),
				     posh_int(1)};

	if (posh_list_new(heap, &lonely) ||
	    posh_list_extend(heap, lonely, item, 3))
		abort();
	v = posh_object(lonely);
	posh_dict_set(heap, posh_heap_place(heap, POSH_TICKETS), &k, &v);
	posh_object_drop(heap, lonely);
}

/* A tuple in a tuple in a tuple... */
static struct posh_value
deep(unsigned depth, struct posh_value *item)
{
	struct posh_value v = {.type = POSH_TUPLE, .size = 1};
	unsigned i;

	item[0] = posh_int(1);
	for (i = 1; i < depth; i++) {
		item[i] = v;
		item[i].items = &item[i - 1];
	}
	v.items = &item[depth - 1];
	return v;
}

static void
fill(void)
{
	static const char zeros[200000];
	struct posh_value item[150], v;

	put("list", posh_fresh(POSH_KIND_LIST));
	put("dict", posh_fresh(POSH_KIND_DICT));
	list = get("list");
	dict = get("dict");
	fill_list();
	fill_dict();
	fill_instance();
	fill_tickets();
	item[0] = posh_int(1);
	item[1] = posh_object(list);
	v = (struct posh_value){.type = POSH_TUPLE, .size = 2, .items = item};
	put("tuple", v);
	put("run", posh_bytes(zeros, sizeof(zeros)));
	put("deep 1", deep(150, item));
	put("deep 2", deep(150, item));
	put("for a moment", text("a block that is free again"));
	put("for a moment", posh_int(0));
}

static int
leaves_something(struct actor *me, void *arg)
{
	struct posh_options o = {sizeof(o), 4 << 20, 0, POSH_CREATE};

	(void)me;
	(void)arg;
	if (posh_heap_open(heap_path, &o, &heap))
		return 1;
	fill();
	posh_heap_close(heap);
	return 0;
}

void
damage_make(void)
{
	const char *tmp = getenv("POSH_TMP");
	struct posh_value v;
	struct actor a;

	snprintf(heap_path, sizeof(heap_path), "%s/damage-%ld.posh",
		 tmp ? tmp : "/tmp", (long)getpid());
	unlink(heap_path);
	actor_start(&a, ACTOR_STRAY, leaves_something, NULL);
	if (actor_end(&a) || posh_heap_open(heap_path, NULL, &heap))
		abort();
	self = heap->selves;
	list = get("list");
	dict = get("dict");
	tuple = get("tuple");
	instance = get("instance");
	/* A span of our own, with blocks that were freed. */
	v = posh_bytes(heap_path, 1000);
	put("x", v);
	put("y", v);
	put("z", v);
	put("y", posh_int(0));
	if (posh_list_new(heap, &lonely))
		abort();
	/* Beyond what is for data. */
	posh__begin(self, 3);
	while (posh__load(&heap->hdr->size) >> POSH__SPAN_BITS <=
	       heap->hdr->first + (heap->hdr->max_size >> POSH__SPAN_BITS))
		if (posh__heap_grow(self, 1, true))
			abort();
	posh__leave(self);
}

/*
 * Damage, and its end
 */

static struct {
	char *at;
	size_t size;
	uint64_t old;
} undo[16];

static unsigned undos;

void
poke(volatile void *at, size_t size, uint64_t value)
{
	undo[undos].at = (char *)at;
	undo[undos].size = size;
	undo[undos].old = 0;
	memcpy(&undo[undos].old, (void *)at, size);
	memcpy((void *)at, &value, size);
	undos++;
}

void
damage_undo(void)
{
	while (undos > 0) {
		undos--;
		memcpy(undo[undos].at, &undo[undos].old, undo[undos].size);
	}
}

void
set(posh__word *w, uint64_t value)
{
	poke(w, 8, value);
}

posh__word *
word_at(uint64_t off)
{
	return posh__at(heap, off);
}

/* Where things are. */

struct posh__body *
body(void)
{
	return posh__body_at(heap, posh__object(heap, list.off)->body);
}

struct posh__dbody *
dbody(void)
{
	return posh__dbody_at(heap, posh__object(heap, dict.off)->body);
}

struct posh__box *
box(unsigned i)
{
	return posh__at(heap, POSH__PAYLOAD(body()->slot[i]));
}

posh__word *
state_of(uint64_t block)
{
	return posh__block_word(heap, block);
}

/* A value of the root. */
posh__word *
root_slot(const char *name)
{
	uint64_t root = posh_heap_place(heap, POSH_ROOT).off;
	struct posh_value v = text(name);
	struct posh__place at;
	struct posh__dview view;
	struct posh__key key;

	if (posh__dview(heap, root, &view) || posh__key(self, &v, &key) ||
	    posh__dlookup(self, &view, &key, &at) || !at.found)
		abort();
	return &view.body->entry[at.entry].value;
}

/* A block that is free, and was used. */
uint64_t
free_block(void)
{
	uint64_t x = POSH__PAYLOAD(*root_slot("x"));
	uint64_t z = POSH__PAYLOAD(*root_slot("z")), b;

	for (b = x < z ? x : z;; b += 16)
		if (state_of(b) && !*state_of(b))
			return b;
}

/*
 * Trying it out
 */

struct hearing {
	const char *says;
	int n, found;
	char first[200];
};

static void
hear(const char *what, void *arg)
{
	struct hearing *x = arg;

	if (!x->n++)
		snprintf(x->first, sizeof(x->first), "%s", what);
	x->found += strstr(what, x->says) != NULL;
}

static void
one(const struct damage *d)
{
	struct hearing x = {.says = d->says}, after = {.says = ""};
	int rc, again;

	d->f();
	rc = posh_heap_check(heap, hear, &x);
	damage_undo();
	again = posh_heap_check(heap, hear, &after);
	if (!ok(rc == x.n && x.found && !again, "%s: it says so", d->what))
		tap_note("%d things, of these the first: %s; later: %s", rc,
			 x.first, after.first);
}

void
damage_all(const struct damage *d, size_t n)
{
	ok(posh_heap_check(heap, NULL, NULL) == 0, "a good heap is in order");
	for (; n > 0; n--, d++)
		one(d);
	ok(posh_heap_check(heap, NULL, NULL) == 0, "it is in order again");
}

bool
damage_heard(const char *says)
{
	struct hearing x = {.says = says};

	posh_heap_check(heap, hear, &x);
	return x.found;
}

void
damage_end(void)
{
	posh_heap_close(heap);
	unlink(heap_path);
}

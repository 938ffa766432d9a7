/* SPDX-License-Identifier: MIT */
/* posh_heap_check, of deques, sets, blobs and buffers, and of a dict
 * with keys of all kinds. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "damage.h"
#include "tap.h"

static posh_handle deque, elements, keys, blob, buffer;

static void
make(void)
{
	struct posh_value v[2] = {posh_utf8("an element of some length", 25),
				  posh_bool(true)};
	struct posh_value key = {.type = POSH_TUPLE, .width = POSH_FORM_KEY};
	struct posh_value item[3] = {posh_utf8("a class", 7), posh_int(7),
				     posh_none()};
	int i;

	key.size = 3;
	key.items = item;
	if (posh_deque_new(heap, 5, &deque) || posh_dict_new(heap, &keys) ||
	    posh_dict_set(heap, keys, &key, v) < 0 ||
	    posh_set_new(heap, &elements) || posh_blob_new(heap, 100, &blob) ||
	    posh_buffer_new(heap, &buffer) ||
	    posh_buffer_init(heap, buffer, blob, v) ||
	    posh_dict_update(heap, elements, v, 1, 0))
		abort();
	/* The ring begins in its middle. */
	for (i = 0; i < 3; i++)
		if (posh_deque_appendleft(heap, deque, v))
			abort();
}

static struct posh__ring *
ring(void)
{
	return posh__ring_at(heap, posh__object(heap, deque.off)->body);
}

/* The element's slot, counted round. */
static posh__word *
slot(uint64_t i)
{
	return &ring()->slot[((ring()->fill >> 32) + i) &
			     (ring()->capacity - 1)];
}

static void
deque_length(void)
{
	set(&ring()->fill, 9);
}

static void
deque_bound(void)
{
	struct posh__deque *d = posh__at(heap, deque.off);

	set(&d->bound, 3);
}

static void
deque_room(void)
{
	poke(&ring()->capacity, 4, 1024);
}

static void
deque_odd(void)
{
	poke(&ring()->capacity, 4, 7);
}

/* A power of two, with room for what is in it. */
static void
deque_small(void)
{
	set(&ring()->fill, 3);
	poke(&ring()->capacity, 4, 4);
}

static void
deque_hole(void)
{
	set(slot(0), POSH__EMPTY);
}

static void
deque_behind(void)
{
	set(slot(3), *slot(0));
}

static void
deque_list(void)
{
	set(&posh__object(heap, deque.off)->body,
	    posh__object(heap, list.off)->body);
}

static void
set_value(void)
{
	set(&posh__dbody_at(heap, posh__object(heap, elements.off)->body)
		     ->entry[0]
		     .value,
	    POSH__NONE);
}

static void
dict_marks(void)
{
	poke(&posh__dbody_at(heap, posh__object(heap, keys.off)->body)->marks,
	     4, 0);
}

static void
blob_bytes(void)
{
	struct posh__blob *b = posh__at(heap, blob.off);

	set(&b->bytes, 1000);
}

static void
blob_window(void)
{
	struct posh__blob *b = posh__at(heap, blob.off);

	set(&b->window, b->window + 50);
}

static void
blob_body(void)
{
	set(&posh__object(heap, blob.off)->body,
	    posh__object(heap, list.off)->body);
}

static void
buffer_blob(void)
{
	struct posh__buffer *b = posh__at(heap, buffer.off);

	set(&b->blob, POSH__TAGGED(POSH__TAG_OBJECT, list.off));
}

static void
buffer_meta(void)
{
	struct posh__buffer *b = posh__at(heap, buffer.off);

	set(&b->meta, POSH__TAGGED(POSH__TAG_OBJECT, list.off));
}

static void
buffer_meta_tag(void)
{
	struct posh__buffer *b = posh__at(heap, buffer.off);

	set(&b->meta, POSH__TAGGED(9, 5));
}

static void
buffer_body(void)
{
	set(&posh__object(heap, buffer.off)->body,
	    posh__object(heap, list.off)->body);
}

static const struct damage damages[] = {
	{"more elements than a ring has", deque_length, "9 elements, room for"},
	{"more elements than are allowed", deque_bound, "of 2 at most"},
	{"a ring larger than its block", deque_room, "room for 1024"},
	{"a ring of seven", deque_odd, "room for 7"},
	{"a ring of four", deque_small, "3 elements, room for 4"},
	{"a deque with a hole", deque_hole, "element 0 is EMPTY"},
	{"a value behind a deque's end", deque_behind, "behind its end"},
	{"a ring that is a list's", deque_list, "elements, room for"},
	{"a set with a value", set_value, "element 0 has a value"},
	{"a key without a mark", dict_marks, "the body is not marked for"},
	{"a blob longer than its block", blob_bytes, "bytes make no sense"},
	{"a window beyond its blob", blob_window, "bytes make no sense"},
	{"a blob with a body", blob_body, "has a body"},
	{"a buffer of a list", buffer_blob, "its blob is none"},
	{"a buffer whose meta is a list", buffer_meta, "its meta is an object"},
	{"a buffer whose meta is nothing", buffer_meta_tag, "is no value"},
	{"a buffer with a body", buffer_body, "has a body"},
};

/*
 * One body of many, or one box: the check does not look at all of it for each
 */

enum { ITEMS = 3000, COPIES = 1000 };

static long accesses;

static void
count_access(const volatile void *p, enum posh__access kind)
{
	(void)p;
	(void)kind;
	accesses++;
}

static long
accesses_of_check(int *rc)
{
	accesses = 0;
	posh__access = count_access;
	*rc = posh_heap_check(heap, NULL, NULL);
	posh__access = NULL;
	return accesses;
}

static long
accesses_of_collect(int64_t *rc)
{
	accesses = 0;
	posh__access = count_access;
	*rc = posh_heap_collect(heap);
	posh__access = NULL;
	return accesses;
}

/* How many words there are. */
static long
words(void)
{
	return (long)(heap->hdr->size / 8);
}

/* copies[0] has many items, the others none. */
static void
one_body(const char *what, posh_handle *copies)
{
	long before, after, quick, slow;
	int sound, damaged, i;
	int64_t rc;

	before = accesses_of_check(&sound);
	quick = accesses_of_collect(&rc);
	sound |= rc != 0;
	for (i = 1; i < COPIES; i++)
		posh__store(&posh__object(heap, copies[i].off)->body,
			    posh__object(heap, copies[0].off)->body);
	after = accesses_of_check(&damaged);
	slow = accesses_of_collect(&rc);
	for (i = 1; i < COPIES; i++)
		posh__store(&posh__object(heap, copies[i].off)->body, 0);
	if (!ok(sound == 0 && damaged > 0 && after < 2 * before,
		"the check of a body of a thousand %s looks at it once", what))
		tap_note("%d, %d; %ld accesses, %ld", sound, damaged, before,
			 after);
	if (!ok(rc == -EUCLEAN && slow < quick + 3 * words(),
		"and a collection as often as there is room for it"))
		tap_note("%ld; %ld accesses, %ld", (long)rc, quick, slow);
	for (i = 0; i < COPIES; i++)
		posh_object_drop(heap, copies[i]);
}

static void
bodies(void)
{
	static posh_handle lists[COPIES], dicts[COPIES], sets[COPIES],
		deques[COPIES];
	struct posh_value v[ITEMS], yes = posh_bool(true);
	int i;

	for (i = 0; i < COPIES; i++)
		if (posh_list_new(heap, &lists[i]) ||
		    posh_dict_new(heap, &dicts[i]) ||
		    posh_set_new(heap, &sets[i]) ||
		    posh_deque_new(heap, -1, &deques[i]))
			abort();
	for (i = 0; i < ITEMS; i++) {
		v[i] = posh_int(i);
		if (posh_dict_set(heap, dicts[0], &v[i], &yes) < 0 ||
		    posh_dict_set(heap, sets[0], &v[i], &yes) < 0)
			abort();
	}
	if (posh_list_extend(heap, lists[0], v, ITEMS) ||
	    posh_deque_extend(heap, deques[0], v, ITEMS))
		abort();
	one_body("lists", lists);
	one_body("dicts", dicts);
	one_body("sets", sets);
	one_body("deques", deques);
}

static void
one_tuple(void)
{
	struct posh_value item[ITEMS], v = {.type = POSH_TUPLE, .size = ITEMS};
	long before, after;
	struct posh__body *b;
	posh_handle o;
	int i, rc, sound;

	for (i = 0; i < ITEMS; i++)
		item[i] = posh_int(i);
	v.items = item;
	if (posh_list_new(heap, &o) || posh_list_append(heap, o, &v) ||
	    posh_list_reserve(heap, o, COPIES))
		abort();
	for (i = 1; i < COPIES; i++)
		if (posh_list_append(heap, o, &item[i]))
			abort();
	before = accesses_of_check(&sound);
	b = posh__body_at(heap, posh__object(heap, o.off)->body);
	for (i = 1; i < COPIES; i++)
		posh__store(&b->slot[i], b->slot[0]);
	after = accesses_of_check(&rc);
	for (i = 1; i < COPIES; i++)
		posh__store(&b->slot[i], POSH__NONE);
	if (!ok(sound == 0 && rc > 0 && after - before < words() + 20 * COPIES,
		"nor at a tuple of a thousand slots more than it may"))
		tap_note("%d, %d; %ld accesses, %ld", sound, rc, before, after);
	posh_object_drop(heap, o);
}

/* A dict whose index has everything half of it further on, and no end. */
static void
far_away(void)
{
	struct posh_value v, yes = posh_bool(true);
	long before, after;
	struct posh__dview d;
	uint32_t *old;
	posh_handle o;
	int i, sound, rc;
	uint32_t k;

	if (posh_dict_new(heap, &o))
		abort();
	for (i = 0; i < ITEMS; i++) {
		v = posh_int(i);
		if (posh_dict_set(heap, o, &v, &yes) < 0)
			abort();
	}
	before = accesses_of_check(&sound);
	if (posh__dview(heap, o.off, &d) ||
	    !(old = malloc((d.mask + 1) * sizeof(*old))))
		abort();
	for (k = 0; k <= d.mask; k++)
		old[k] = d.index[k];
	for (k = 0; k <= d.mask; k++)
		d.index[(k + d.mask / 2) & d.mask] = old[k] == POSH__INDEX_EMPTY
							     ? POSH__INDEX_DUMMY
							     : old[k];
	after = accesses_of_check(&rc);
	if (!ok(sound == 0 && rc == 0 && after < before + 6 * words(),
		"keys that are far from where they belong are not all found"))
		tap_note("%d, %d; %ld accesses, %ld", sound, rc, before, after);
	free(old);
	posh_object_drop(heap, o);
}

/* Runs that begin inside each other, in a larger heap. */
static void
nested(void)
{
	enum { SPANS = 500 };
	posh_heap *smaller = heap;
	uint64_t n, i, w;
	long before, after;
	int sound, rc;
	posh_handle o;

	if (posh_heap_create(NULL, &heap) ||
	    posh_blob_new(heap, SPANS * POSH__SPAN, &o))
		abort();
	before = accesses_of_check(&sound);
	n = o.off >> POSH__SPAN_BITS;
	w = posh__load(posh__span_word(heap, n));
	for (i = 1; i < POSH__SPAN_STAMP(w); i++)
		posh__store(posh__span_word(heap, n + i),
			    POSH__SPAN_WORD(POSH__SPAN_RUN, POSH__CLASS_RUN,
					    POSH__SPAN_OWNER(w),
					    POSH__SPAN_STAMP(w) - i));
	after = accesses_of_check(&rc);
	if (!ok(sound == 0 && rc > 0 && after < before + 1000 * SPANS,
		"each of many runs in each other is looked at once"))
		tap_note("%d, %d; %ld accesses, %ld", sound, rc, before, after);
	posh_heap_close(heap);
	heap = smaller;
}

int
main(void)
{
	alarm(200);
	damage_make();
	make();
	damage_all(damages, sizeof(damages) / sizeof(damages[0]));
	posh_object_drop(heap, deque);
	posh_object_drop(heap, elements);
	posh_object_drop(heap, keys);
	posh_object_drop(heap, blob);
	posh_object_drop(heap, buffer);
	bodies();
	one_tuple();
	far_away();
	nested();
	ok(posh_heap_check(heap, NULL, NULL) == 0, "the heap is in order");
	damage_end();
	return tap_done();
}

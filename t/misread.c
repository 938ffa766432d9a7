/* SPDX-License-Identifier: MIT */
/* Reading what is damaged, and moving it: an error, and never something that
 * the caller has to look at first. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "damage.h"
#include "tap.h"

/*
 * Damage
 */

static void
latin_ascii(void)
{
	poke((char *)box(TEXT)->data + 5, 1, 0xe4);
}

static void
no_character(void)
{
	poke((uint32_t *)box(WIDER)->data + 1, 4, 0x110000);
}

static void
no_width(void)
{
	poke(&box(WIDE)->block.flags, 2, 3);
	set(&box(WIDE)->length, 12);
}

static void
no_order(void)
{
	set(&dbody()->entry[2].number, 1);
}

static void
no_order_back(void)
{
	set(&dbody()->entry[2].number, 100);
}

static void
too_many(void)
{
	set(&dbody()->fill, POSH__FILL(6, 0x40000000));
}

static void
too_long(void)
{
	set(&body()->length, UINT64_C(1) << 31);
}

static void
endless_tuple(void)
{
	struct posh__tuple *t = posh__at(heap, tuple.off);

	set(&t->length, UINT64_C(1) << 40);
}

static void
in_itself(void)
{
	uint64_t b = body()->slot[BOXTUPLE];

	set(&box(BOXTUPLE)->data[0], b);
	set(&box(BOXTUPLE)->data[1], b);
}

static void
no_attributes(void)
{
	set(&posh__object(heap, instance.off)->body, POSH__NONE);
}

static void
list_of_attributes(void)
{
	set(&posh__object(heap, instance.off)->body,
	    POSH__TAGGED(POSH__TAG_OBJECT, list.off));
}

static void
no_class(void)
{
	struct posh__instance *p = posh__at(heap, instance.off);

	set(&p->cls, POSH__TAGGED(POSH__TAG_OBJECT, dict.off));
}

/*
 * Reads
 */

static int64_t
element(unsigned i)
{
	struct posh_value v;

	return posh_list_get(heap, list, i, &v);
}

static int64_t
a_text(void)
{
	return element(TEXT);
}

static int64_t
a_wide_text(void)
{
	return element(WIDE);
}

static int64_t
a_wider_text(void)
{
	return element(WIDER);
}

static int64_t
a_tuple(void)
{
	return element(BOXTUPLE);
}

static int64_t
all_elements(void)
{
	struct posh_value *v;
	int64_t n = posh_list_snapshot(heap, list, &v, NULL);

	if (n >= 0)
		free(v);
	return n;
}

/* One item after the other: a reader may not go in circles. */
static int64_t
items(void)
{
	struct posh_value v[2];
	uint64_t cursor = 0;
	int64_t n, all;

	for (all = 0; all < 100; all++) {
		n = posh_dict_read(heap, dict, &cursor, 1, 0, v, NULL);
		if (n <= 0)
			return n < 0 ? n : all;
	}
	return all;
}

static int64_t
items_back(void)
{
	struct posh_value v[20];
	uint64_t cursor = UINT64_MAX;

	return posh_dict_read_back(heap, dict, &cursor, 10, 0, v, NULL);
}

static int64_t
all_items(void)
{
	struct posh_value *v;
	int64_t n = posh_dict_snapshot(heap, dict, &v, NULL);

	if (n >= 0)
		free(v);
	return n;
}

static int64_t
dict_length(void)
{
	return posh_dict_len(heap, dict);
}

static int64_t
list_length(void)
{
	return posh_list_len(heap, list);
}

static int64_t
tuple_length(void)
{
	return posh_tuple_len(heap, tuple);
}

static int64_t
key_of(void)
{
	struct posh_value k = posh_utf8("another", 7), v;

	return posh_dict_get(heap, dict, &k, &v);
}

static int64_t
attributes(void)
{
	posh_handle extra;
	int rc = posh_instance_extra(heap, instance, 0, &extra);

	if (rc == 0)
		posh_object_drop(heap, extra);
	return rc;
}

static int64_t
class_of(void)
{
	posh_handle cls;

	return posh_instance_class(heap, instance, &cls, NULL);
}

/* What is damaged; what is read; and how that went before. */
static const struct {
	const char *what;
	void (*damage)(void);
	int64_t (*read)(void);
	int64_t before;
} rows[] = {
	{"ASCII that is none", latin_ascii, a_text, 0},
	{"ASCII that is none, among others", latin_ascii, all_elements,
	 ELEMENTS},
	{"a character that is none", no_character, a_wider_text, 0},
	{"a text of no width", no_width, a_wide_text, 0},
	{"a tuple in itself", in_itself, a_tuple, 0},
	{"entries out of order", no_order, all_items, 5},
	{"entries out of order, one by one", no_order, items, 5},
	{"entries out of order, backwards", no_order_back, items_back, 5},
	{"a billion items", too_many, dict_length, 5},
	{"a billion items, all at once", too_many, all_items, 5},
	{"a billion items, and a key", too_many, key_of, 0},
	{"two billion elements", too_long, list_length, ELEMENTS},
	{"two billion elements, all at once", too_long, all_elements, ELEMENTS},
	{"an endless tuple", endless_tuple, tuple_length, 2},
	{"attributes that are nothing", no_attributes, attributes, 0},
	{"attributes that are a list", list_of_attributes, attributes, 0},
	{"a class that is a dict", no_class, class_of, 0},
};

/* An item before the first is moved to where a new body is made for it: what
 * was read says that it is there, and the new body has no such item. */
static void
move_what_is_not(void)
{
	struct posh_value k = posh_utf8("a", 1);
	uint32_t capacity = posh__half_load(&dbody()->capacity);
	int rc;

	poke(&dbody()->first, 4, 3);
	set(&dbody()->fill, POSH__FILL(capacity, 5));
	rc = posh_dict_move(heap, dict, &k, POSH_LAST);
	if (!ok(rc == -EUCLEAN, "moving an item that gets lost"))
		tap_note("%d", rc);
}

int
main(void)
{
	int64_t before, rc, after;
	size_t i;

	alarm(200);
	damage_make();
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		before = rows[i].read();
		rows[i].damage();
		rc = rows[i].read();
		damage_undo();
		after = rows[i].read();
		if (!ok(before == rows[i].before && after == before &&
				rc == -EUCLEAN,
			"%s: the heap is damaged", rows[i].what))
			tap_note("before %lld, damaged %lld, after %lld",
				 (long long)before, (long long)rc,
				 (long long)after);
	}
	ok(posh_heap_check(heap, NULL, NULL) == 0, "the heap is in order");
	move_what_is_not(); /* spoils it */
	damage_end();
	return tap_done();
}

/* SPDX-License-Identifier: MIT */
/* posh_heap_check, of what is in objects: values, boxes, bodies, classes,
 * tickets. */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "damage.h"
#include "tap.h"

static void
value_tag(void)
{
	set(root_slot("y"), POSH__TAGGED(9, 5));
}

static void
value_special(void)
{
	set(root_slot("y"), 77);
}

static void
value_nul(void)
{
	set(root_slot("y"), POSH__TAGGED(POSH__TAG_TEXT, 0x610061));
}

static void
value_latin(void)
{
	set(root_slot("y"), POSH__TAGGED(POSH__TAG_TEXT, 0xe4));
}

static void
value_nan(void)
{
	set(root_slot("y"),
	    UINT64_C(0x7ff80000deadbeef) + POSH__TAGGED(POSH__TAG_FLOAT, 0));
}

static void
value_box(void)
{
	set(&body()->slot[EMPTY_LIST],
	    POSH__TAGGED(POSH__TAG_BOX,
			 POSH__PAYLOAD(body()->slot[EMPTY_LIST])));
}

static void
value_object(void)
{
	set(&body()->slot[TEXT],
	    POSH__TAGGED(POSH__TAG_OBJECT, POSH__PAYLOAD(body()->slot[TEXT])));
}

static void
value_deep(void)
{
	uint64_t at = *root_slot("deep 1"), other = *root_slot("deep 2");
	struct posh__box *b = NULL;

	while (POSH__TAG(at) == POSH__TAG_BOX) {
		b = posh__at(heap, POSH__PAYLOAD(at));
		at = b->data[0];
	}
	set(&b->data[0], other);
	set(root_slot("deep 2"), POSH__NONE);
}

static void
box_width(void)
{
	poke((uint16_t *)box(WIDE)->data + 1, 2, 0x20);
	poke((uint16_t *)box(WIDE)->data + 3, 2, 0x20);
}

static void
box_ascii(void)
{
	poke(&box(TEXT)->block.flags, 2, 1);
}

static void
box_character(void)
{
	poke((uint32_t *)box(WIDER)->data + 1, 4, 0x110000);
}

static void
box_short(void)
{
	set(&box(TEXT)->length, 3);
}

static void
box_long(void)
{
	set(&box(TEXT)->length, 300);
}

static void
box_odd(void)
{
	set(&box(WIDE)->length, 9);
}

static void
box_hash(void)
{
	set(&box(TEXT)->hash, 1);
}

static void
box_content(void)
{
	set(&box(BYTES)->data[0], 1);
}

static void
box_minimal(void)
{
	poke((char *)box(BIG)->data + 11, 1, 0);
}

static void
box_small(void)
{
	set(&box(BIG)->data[0], 5);
	set(&box(BIG)->length, 1);
}

static void
box_number(void)
{
	set(&box(BIG)->data[0], 5);
}

static void
box_parts(void)
{
	set(&box(COMPLEX)->length, 24);
}

static void
box_nan(void)
{
	set(&box(COMPLEX)->data[1], UINT64_C(0xfff8000000000001));
}

static void
box_flags(void)
{
	poke(&box(BYTES)->block.flags, 2, 1);
}

static void
box_form(void)
{
	poke(&box(BOXTUPLE)->block.flags, 2, POSH_FORM_TYPED);
}

static void
box_form_length(void)
{
	poke(&box(BOXTUPLE)->block.flags, 2, POSH_FORM_LIKE);
	set(&box(BOXTUPLE)->length, 1);
}

/* The one of the two orders of the items that is none of a set's. */
static void
box_set(void)
{
	uint64_t a = box(BOXTUPLE)->data[0], b = box(BOXTUPLE)->data[1];
	uint64_t inner = ((struct posh__box *)word_at(POSH__PAYLOAD(b)))->hash;

	poke(&box(BOXTUPLE)->block.flags, 2, POSH_FORM_SET);
	if (posh__immediate_hash(a) < inner) {
		set(&box(BOXTUPLE)->data[0], b);
		set(&box(BOXTUPLE)->data[1], a);
	}
}

static void
box_lock(void)
{
	poke(&box(BYTES)->block.first, 4, self->name);
}

static void
box_item(void)
{
	set(&box(BOXTUPLE)->data[0], POSH__EMPTY);
}

static void
box_item_object(void)
{
	set(&box(BOXTUPLE)->data[0], POSH__TAGGED(POSH__TAG_OBJECT, list.off));
}

static void
box_item_other(void)
{
	set(&box(BOXTUPLE)->data[0], posh__float_word(7.5));
}

static void
box_item_tag(void)
{
	set(&box(BOXTUPLE)->data[0], POSH__TAGGED(9, 5));
}

static void
box_item_list(void)
{
	set(&box(BOXTUPLE)->data[0], POSH__TAGGED(POSH__TAG_BOX, list.off));
}

static void
box_item_long(void)
{
	struct posh__box *b =
		posh__at(heap, POSH__PAYLOAD(box(BOXTUPLE)->data[1]));

	set(&b->length, UINT64_C(1) << 40);
}

static void
list_length(void)
{
	set(&body()->length, body()->capacity + 1);
}

static void
list_room(void)
{
	poke(&body()->capacity, 4, 1000);
}

static void
list_hole(void)
{
	set(&body()->slot[EMPTY_LIST], POSH__EMPTY);
}

static void
list_behind(void)
{
	set(&body()->slot[body()->length],
	    POSH__TAGGED(POSH__TAG_OBJECT, lonely.off));
}

static void
dict_capacity(void)
{
	poke(&dbody()->capacity, 4, 4);
}

static void
dict_room(void)
{
	poke(&dbody()->capacity, 4, 42);
	poke(&dbody()->flags, 2, 6);
}

static void
dict_half(void)
{
	set(&dbody()->entry[0].key, POSH__EMPTY);
}

static void
dict_behind(void)
{
	set(&dbody()->fill, POSH__FILL(5, 4));
}

static void
dict_order(void)
{
	set(&dbody()->entry[2].number, 1);
}

static void
dict_live(void)
{
	set(&dbody()->fill, dbody()->fill + 1);
}

static void
dict_number(void)
{
	set(&dbody()->number, 3);
}

static void
dict_hash(void)
{
	set(&dbody()->entry[0].hash, dbody()->entry[0].hash ^ 1);
}

static void
dict_twice(void)
{
	set(&dbody()->entry[4].key, dbody()->entry[5].key);
	set(&dbody()->entry[4].hash, dbody()->entry[5].hash);
}

/* The slot of the index that names an entry. */
static posh__half *
index_slot(uint32_t entry)
{
	posh__half *i = (posh__half *)&dbody()->entry[dbody()->capacity];

	while (*i != entry + POSH__INDEX_FIRST)
		i++;
	return i;
}

static void
dict_index(void)
{
	poke(index_slot(0), 4, POSH__INDEX_DUMMY);
}

static void
dict_first(void)
{
	poke(&dbody()->first, 4, 3);
}

static void
dict_deleted(void)
{
	poke(index_slot(0), 4, 1 + POSH__INDEX_FIRST);
}

static void
tuple_length(void)
{
	set(&((struct posh__tuple *)word_at(tuple.off))->length, 90);
}

static void
tuple_form(void)
{
	poke(&posh__object(heap, tuple.off)->flags, 2, POSH_FORM_TYPED);
}

static void
tuple_no_form(void)
{
	poke(&posh__object(heap, tuple.off)->flags, 2, 9);
}

static void
tuple_body(void)
{
	set(&posh__object(heap, tuple.off)->body, 16);
}

static void
instance_slots(void)
{
	poke(&posh__object(heap, instance.off)->flags, 2, 60);
}

static void
instance_extra(void)
{
	set(&posh__object(heap, instance.off)->body, POSH__NONE);
}

static void
instance_class(void)
{
	set(&((struct posh__instance *)word_at(instance.off))->cls,
	    POSH__TAGGED(POSH__TAG_OBJECT, list.off));
}

static void
instance_no_class(void)
{
	set(&((struct posh__instance *)word_at(instance.off))->cls,
	    POSH__EMPTY);
}

static void
object_flags(void)
{
	poke(&posh__object(heap, list.off)->flags, 2, 3);
}

static void
place_list(void)
{
	set(&heap->hdr->place[POSH_ROOT],
	    POSH__TAGGED(POSH__TAG_OBJECT, list.off));
}

static void
place_more(void)
{
	set(&heap->hdr->place[3], POSH__NONE);
}

/* The first value of the dict at a place: a list's slots. */
static posh__word *
first_of(enum posh_place place)
{
	posh_handle o = posh_heap_place(heap, place);
	struct posh__dbody *d =
		posh__dbody_at(heap, posh__object(heap, o.off)->body);
	uint64_t l = POSH__PAYLOAD(d->entry[0].value);

	return posh__body_at(heap, posh__object(heap, l)->body)->slot;
}

static void
class_name(void)
{
	uint64_t other;

	posh__ascii_immediate("Cat", 3, &other);
	set(&first_of(POSH_CLASSES)[0], other);
}

static void
class_slots(void)
{
	posh__word *slot = first_of(POSH_CLASSES);

	set(&slot[2], slot[1]);
	set(slot - 1, 3);
}

static void
class_numbers(void)
{
	set(&first_of(POSH_CLASSES)[1], posh__float_word(1));
}

static void
ticket_time(void)
{
	set(&first_of(POSH_TICKETS)[1], POSH__NONE);
}

static void
ticket_length(void)
{
	set(first_of(POSH_TICKETS) - 1, 1);
}

static const struct damage damages[] = {
	{"a value of no type", value_tag, "which is no value"},
	{"a constant that is none", value_special, "which is no value"},
	{"a short text with a NUL in it", value_nul, "which is no value"},
	{"a short text beyond ASCII", value_latin, "which is no value"},
	{"another NaN", value_nan, "which is no value"},
	{"a list with the tag of a box", value_box, "which is of kind 1"},
	{"a box with the tag of an object", value_object, "is of kind 16"},
	{"tuples that are too deep", value_deep, "that is too deep"},
	{"a text wider than it needs", box_width, "width that is too large"},
	{"ASCII that does not say so", box_ascii, "wrong flags"},
	{"a character that is none", box_character, "character that is none"},
	{"a box with a short text", box_short, "a text that fits a word"},
	{"a text longer than its block", box_long, "that does not fit"},
	{"half a character", box_odd, "that does not fit"},
	{"a wrong hash", box_hash, "a wrong hash"},
	{"bytes that changed", box_content, "a wrong hash"},
	{"a number with a byte too many", box_minimal, "more bytes than"},
	{"a box with a small number", box_small, "number that fits a word"},
	{"a number that changed", box_number, "a wrong hash"},
	{"a complex number of three", box_parts, "another length than"},
	{"a NaN in a complex number", box_nan, "a float that is none"},
	{"bytes with a flag", box_flags, "wrong flags"},
	{"a value whose class is no text", box_form, "a class that is no text"},
	{"a value of a class without a state", box_form_length,
	 "a length that does not fit"},
	{"a set in another order", box_set, "a set out of order"},
	{"a box that is locked", box_lock, "has a lock"},
	{"a tuple with a hole", box_item, "an item that is EMPTY"},
	{"a boxed tuple with an object", box_item_object, "has an object"},
	{"a boxed tuple with no value", box_item_tag, "item that is no value"},
	{"a boxed tuple with a list", box_item_list, "item that is no box"},
	{"an item longer than its block", box_item_long, "makes no sense"},
	{"a tuple that changed", box_item_other, "a wrong hash"},

	{"a list longer than its body", list_length, "elements, room for"},
	{"a body larger than its block", list_room, "elements, room for 1000"},
	{"a list with a hole", list_hole, "is EMPTY"},
	{"a value behind a list's end", list_behind, "behind its end"},
	{"a dict with a wrong capacity", dict_capacity, "makes no sense"},
	{"a dict larger than its block", dict_room, "makes no sense"},
	{"an entry without a key", dict_half, "is half deleted"},
	{"an entry behind a dict's end", dict_behind, "behind its end"},
	{"entries out of order", dict_order, "out of order"},
	{"an item that is not counted", dict_live, "said to be"},
	{"a number given twice", dict_number, "was given already"},
	{"an entry with a wrong hash", dict_hash, "has a wrong hash"},
	{"a key that is there twice", dict_twice, "is not found"},
	{"an entry that the index lacks", dict_index, "is not found"},
	{"an index that lacks an entry", dict_index, "names 4 of 5 items"},
	{"an item before the first", dict_first, "entry 0 is passed over"},
	{"an index of what was deleted", dict_deleted, "names no item"},
	{"a tuple longer than its block", tuple_length, "90 items, in"},
	{"a tuple of a class that is none", tuple_form, "a class that is no"},
	{"a tuple of no form", tuple_no_form, "a form that does not fit"},
	{"a tuple with a body", tuple_body, "has a body"},
	{"an instance beyond its block", instance_slots, "60 slots, in"},
	{"attributes that are no dict", instance_extra, "are no dict"},
	{"a class that is a list", instance_class, "its class is none"},
	{"an instance of no class", instance_no_class, "its class is none"},
	{"a list with flags", object_flags, "has flags 0x3"},
	{"a root that is a list", place_list, "the dict of the users is none"},
	{"a fourth place", place_more, "a place more than there are"},
	{"a class of another name", class_name, "dict of classes is none"},
	{"a class with a name twice", class_slots, "dict of classes is none"},
	{"a class with a number", class_numbers, "dict of classes is none"},
	{"a ticket without a time", ticket_time, "dict of tickets is none"},
	{"half a ticket", ticket_length, "dict of tickets is none"},
};

int
main(void)
{
	alarm(200);
	damage_make();
	damage_all(damages, sizeof(damages) / sizeof(damages[0]));
	damage_end();
	return tap_done();
}

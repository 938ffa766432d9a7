/* SPDX-License-Identifier: MIT */
/* Small programs of a few members, in all interleavings up to a bound.
 *
 *   explore.t                  all programs
 *   explore.t NAME             those whose name has NAME in it
 *   explore.t NAME SCHEDULE    one, as a failure was printed; prints each
 *                              access to shared memory
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "dict.h"
#include "explorer.h"
#include "gate.h"
#include "tap.h"

/* What the programs work with, made by their setup. */
static posh_handle list, other, dict, deque, buffer, x, y;

static struct posh_value
text(const char *s)
{
	return posh_utf8(s, strlen(s));
}

static void
must(int rc)
{
	if (rc >= 0)
		return;
	explorer_fail("a call failed: %s", posh_error_text(rc));
}

static posh_handle
new_list(posh_heap *h)
{
	posh_handle o = {0};

	must(posh_list_new(h, &o));
	return o;
}

static void
append(posh_heap *h, posh_handle l, struct posh_value v)
{
	must(posh_list_append(h, l, &v));
}

static void
set(posh_heap *h, posh_handle l, int64_t i, struct posh_value v)
{
	must(posh_list_set(h, l, i, &v));
}

static void
set_item(posh_heap *h, const char *key, struct posh_value v)
{
	struct posh_value k = text(key);

	must(posh_dict_set(h, dict, &k, &v));
}

/* A list in a list, known by a mark: nothing but the element refers to it. */
static posh_handle
marked_in(posh_heap *h, posh_handle l, int64_t mark)
{
	struct posh_value v = posh_fresh(POSH_KIND_LIST);

	must(posh_list_append(h, l, &v));
	append(h, v.object, posh_int(mark));
	return v.object;
}

enum { MARK_X = 1001, MARK_Y = 1002 };

/* An object that the caller holds is alive, and is what it was. */
static void
lives(posh_heap *h, posh_handle o, int64_t mark)
{
	struct posh_value v = {0};
	posh__word *w;
	unsigned st;

	explorer_still_begin();
	w = posh__block_word(h, o.off);
	st = w ? POSH__STATE(posh__load(w)) : POSH__FREE;
	if (st != POSH__LIVE && st != POSH__CONDEMNED)
		explorer_fail("held, and freed");
	else if (posh_list_get(h, o, 0, &v) || v.type != POSH_INT ||
		 v.i != mark)
		explorer_fail("held, and another's now");
	explorer_still_end();
}

static bool
is_text(const struct posh_value *v, const char *s)
{
	return v->type == POSH_STR && v->width == 1 && v->size == strlen(s) &&
	       !memcmp(v->data, s, v->size);
}

/*
 * A list with x in it, and in places one in `other`
 */

static void
make_lists(posh_heap *o)
{
	list = new_list(o);
	other = new_list(o);
	x = marked_in(o, list, MARK_X);
}

static void
setup_linked(posh_heap *o, posh_heap *const *m)
{
	(void)m;
	make_lists(o);
	append(o, other, posh_int(0));
}

/* x in the list, and held by the first two members. */
static void
setup_held(posh_heap *o, posh_heap *const *m)
{
	setup_linked(o, m);
	must(posh_object_hold(m[0], x));
	must(posh_object_hold(m[1], x));
}

/* x without links. */
static void
setup_unlinked(posh_heap *o, posh_heap *const *m)
{
	setup_held(o, m);
	set(o, list, 0, posh_int(0));
}

static void
get_and_drop(posh_heap *h)
{
	struct posh_value v;

	must(posh_list_get(h, list, 0, &v));
	if (v.type != POSH_OBJECT) {
		if (v.type != POSH_INT || v.i)
			explorer_fail("the list has what nobody put there");
		return;
	}
	lives(h, v.object, MARK_X);
	posh_object_drop(h, v.object);
}

/* The same, by what reads any number of values. */
static void
get_all_and_drop(posh_heap *h)
{
	struct posh_value *v = NULL;
	int64_t n = posh_list_snapshot(h, list, &v, NULL);

	must((int)n);
	if (n == 1 && v[0].type == POSH_OBJECT) {
		lives(h, v[0].object, MARK_X);
		posh_object_drop(h, v[0].object);
	} else if (n != 1 || v[0].type != POSH_INT || v[0].i) {
		explorer_fail("the list has what nobody put there");
	}
	free(v);
}

static void
set_0(posh_heap *h)
{
	set(h, list, 0, posh_int(0));
}

static void
drop_x(posh_heap *h)
{
	lives(h, x, MARK_X);
	posh_object_drop(h, x);
}

/* Put x, which is held, in the other list; it can be had from there. */
static void
link_x(posh_heap *h)
{
	set(h, other, 0, posh_object(x));
	posh_object_drop(h, x);
}

static void
unlink_x(posh_heap *h)
{
	set(h, other, 0, posh_int(0));
}

/* Element 0 is a 0 now. */
static void
check_0(posh_heap *o)
{
	struct posh_value v;

	must(posh_list_get(o, list, 0, &v));
	if (v.type != POSH_INT && v.type != POSH_OBJECT)
		explorer_fail("element 0 is something else");
	if (v.type == POSH_OBJECT)
		posh_object_drop(o, v.object);
}

/*
 * A graph: x has y in it, and so has the other list
 */

static void
setup_graph(posh_heap *o, posh_heap *const *m)
{
	make_lists(o);
	y = marked_in(o, x, MARK_Y);
	/* The last change of y's count is the first member's. */
	append(m[0], other, posh_object(y));
}

/* There is a third that refers to y. */
static void
setup_three(posh_heap *o, posh_heap *const *m)
{
	setup_graph(o, m);
	append(o, new_list(o), posh_object(y));
}

/*
 * Objects that are made
 */

static void
new_and_drop(posh_heap *h)
{
	posh_object_drop(h, new_list(h));
}

/* x goes; a body takes the place of its body, an object that of x. */
static void
drop_and_reuse(posh_heap *h)
{
	posh_object_drop(h, x);
	append(h, other, posh_int(1));
	posh_object_drop(h, new_list(h));
}

/* The body of the first member's list is as small as an instance; it is
 * full, of what others have too. */
static void
setup_full(posh_heap *o, posh_heap *const *m)
{
	setup_linked(o, m);
	other = new_list(m[0]);
	must(posh_list_reserve(m[0], other, 2));
	append(m[0], other, posh_object(x));
	append(m[0], other, posh_object(x));
	must(posh_class_intern(m[0], "explore.Dog", &dict));
	/* Blocks of that size lie behind one another in the list of the free:
	 * so one has a number there. */
	y = new_list(m[0]);
	posh_object_drop(m[0], new_list(m[0]));
	posh_object_drop(m[0], y);
}

/* The list grows; an instance takes the place of its body. */
static void
grow_and_make(posh_heap *h)
{
	posh_handle o;

	append(h, other, posh_int(1));
	must(posh_instance_new(h, dict, 0, &o));
	posh_object_drop(h, o);
}

static void
setup_own(posh_heap *o, posh_heap *const *m)
{
	posh_handle made = new_list(m[0]);

	other = new_list(o);
	x = made;
	append(m[0], x, posh_int(MARK_X));
}

/* A text in the list; and an instance of the first member, as large as three
 * words of bytes. */
static void
setup_instance(posh_heap *o, posh_heap *const *m)
{
	posh_handle cls;

	make_lists(o);
	set(o, list, 0, text("a text that stays where it is"));
	must(posh_class_intern(o, "explore.Dog", &cls));
	must(posh_instance_new(m[0], cls, 2, &x));
}

/* Bytes that would be references if they were slots. */
static void
drop_and_fake(posh_heap *h)
{
	struct posh__object *o = posh__object(h, list.off);
	struct posh__body *b = posh__body_at(h, posh__load(&o->body));
	uint64_t fake[3];
	unsigned i;

	for (i = 0; i < 3; i++)
		fake[i] = posh__load(&b->slot[0]);
	posh_object_drop(h, x);
	append(h, other, posh_bytes(fake, sizeof(fake)));
}

/*
 * Threads of one process
 */

static void
setup_shared_hold(posh_heap *o, posh_heap *const *m)
{
	setup_linked(o, m);
	must(posh_object_hold(m[0], x));
}

static void
drop_shared(posh_heap *h)
{
	posh_object_drop(h, x);
}

static void
get_other_and_drop(posh_heap *h)
{
	struct posh_value v;

	must(posh_list_get(h, other, 0, &v));
	if (v.type != POSH_OBJECT)
		return;
	lives(h, v.object, MARK_X);
	posh_object_drop(h, v.object);
}

/* x can be had from the other list for a while; few steps for many. */
static void
link_for_a_while(posh_heap *h)
{
	explorer_still_begin();
	set(h, other, 0, posh_object(x));
	explorer_still_end();
	must((int)posh_list_len(h, other));
	explorer_still_begin();
	set(h, other, 0, posh_int(0));
	posh_object_drop(h, x);
	explorer_still_end();
}

/* Two threads take x's last links away, one after the other; in between x was
 * linked by a second process and taken by a third thread. */
static void
link_in_a_moment(posh_heap *h)
{
	explorer_still_begin();
	link_x(h);
	explorer_still_end();
}

static void
take_in_a_moment(posh_heap *h)
{
	struct posh_value v;

	explorer_still_begin();
	must(posh_list_get(h, other, 0, &v));
	explorer_still_end();
	if (v.type != POSH_OBJECT)
		return;
	lives(h, v.object, MARK_X);
	posh_object_drop(h, v.object);
}

static void
setup_prover(posh_heap *o, posh_heap *const *m)
{
	setup_linked(o, m);
	must(posh_object_hold(m[1], x));
}

/*
 * A table of holds that grows
 */

static void
setup_full_table(posh_heap *o, posh_heap *const *m)
{
	struct posh__holds *p = &m[0]->holds;
	posh__word *t = posh__at(m[0], p->table);
	posh_handle grown;
	uint64_t i;

	setup_linked(o, m);
	must(posh_object_hold(m[0], x));
	/* Spans for what comes. */
	grown = new_list(m[0]);
	posh_object_drop(m[0], grown);
	for (i = 0; p->used < (UINT64_C(3) << p->bits) / 4; i++)
		if (!posh__load(&t[i])) {
			posh__store(&t[i], POSH__HOLD_TOMB);
			p->used++;
		}
	posh__private_store(&p->tight, 1);
}

static void
hold_more(posh_heap *h)
{
	must(posh_object_hold(h, other));
	lives(h, x, MARK_X);
	posh_object_drop(h, x);
	posh_object_drop(h, other);
}

/*
 * A fork
 */

static void
setup_fork(posh_heap *o, posh_heap *const *m)
{
	posh_heap *spare = m[1];

	setup_linked(o, m);
	must(posh_object_hold(m[2], x));
	/* The child's entry will be this one, ahead of its parent's. */
	posh__member_detach(spare);
	m[2]->child_token = posh__reopen(m[2]->fd);
}

static void
setup_fork_reading(posh_heap *o, posh_heap *const *m)
{
	setup_fork(o, m);
	posh_object_drop(m[2], x);
}

/* What happens in a process that forks, up to the fork. */
static void
fork_only(posh_heap *h)
{
	struct posh__self *self;

	must(posh__enter_write(h, &self));
	posh__holds_freeze(h);
	must(posh__child_make(self));
	explorer_fork(h);
	posh__holds_thaw(h);
	posh__leave(self);
}

static void
fork_and_drop(posh_heap *h)
{
	fork_only(h);
	posh_object_drop(h, x);
}

/* The child, which holds what its parent did, has it. */
static void
check_child(posh_heap *o)
{
	check_0(o);
	if (explorer_forked())
		lives(o, x, MARK_X);
}

/*
 * Values
 */

static int64_t made; /* elements of the list at first */

static void
setup_values(posh_heap *o, posh_heap *const *m)
{
	int i;

	(void)m;
	list = new_list(o);
	for (i = 0; i < 4; i++)
		append(o, list, text("the first text, which is boxed"));
	append(o, list, posh_int(0));
	/* A body that is full. */
	while (posh__half_load(
		       &posh__body_at(o, posh__object(o, list.off)->body)
				->capacity) > (unsigned)posh_list_len(o, list))
		append(o, list, posh_int(0));
	made = posh_list_len(o, list);
}

static bool
is_another(const struct posh_value *v)
{
	return is_text(v, "another text, as long as that!");
}

/* How many texts were put in front of what the list was made with and behind
 * it, and was its element 1 replaced?  All else is as it was. */
static void
look_at_list(posh_heap *o, int64_t *front, bool *replaced, int64_t *behind)
{
	struct posh_value *v = NULL, *was;
	int64_t n = posh_list_snapshot(o, list, &v, NULL), i;

	must((int)n);
	for (*front = 0; *front < n && is_another(&v[*front]); ++*front)
		;
	*behind = n - *front - made;
	if (*behind < 0) {
		explorer_fail("an element is lost");
		return;
	}
	was = v + *front;
	*replaced = is_another(&was[1]);
	for (i = 0; i < made; i++)
		if (!(i == 1 && *replaced) &&
		    !(i < 4 ? is_text(&was[i], "the first text, which is boxed")
			    : was[i].type == POSH_INT && was[i].i == 0))
			explorer_fail("elements that never were so");
	for (; i < made + *behind; i++)
		if (!is_another(&was[i]))
			explorer_fail("another order than anybody made");
	free(v);
}

/* What these members do is done once, unless they died. */
static void
check_writes(posh_heap *o, bool inserted, bool replaced, bool appended)
{
	int64_t front, behind;
	bool other_text;

	look_at_list(o, &front, &other_text, &behind);
	if (front > 1 || (inserted && front != 1))
		explorer_fail("%d insertions", (int)front);
	if (replaced && !other_text)
		explorer_fail("what was written has gone");
	if (behind > 1 || (appended && behind != 1))
		explorer_fail("%d were appended", (int)behind);
}

/* Written by the second. */
static void
check_text(posh_heap *o)
{
	check_writes(o, false, !explorer_died(1), false);
}

/* Written by the third, who does not die. */
static void
check_text_of_third(posh_heap *o)
{
	check_writes(o, false, true, false);
}

/* Appended to by the first, inserted in by the second. */
static void
check_both_writes(posh_heap *o)
{
	check_writes(o, !explorer_died(1), false, !explorer_died(0));
}

/* After the first one's death two have appended. */
static void
check_after_death(posh_heap *o)
{
	int64_t front, behind;
	bool replaced;

	look_at_list(o, &front, &replaced, &behind);
	if (front || replaced || behind != (explorer_died(0) ? 2 : 0))
		explorer_fail("%d were appended", (int)behind);
}

static void
read_text(posh_heap *h)
{
	struct posh_value v;

	if (posh_list_get(h, list, 1, &v) == -ERANGE)
		return; /* the list was cleared */
	if (!is_text(&v, "the first text, which is boxed") &&
	    !is_text(&v, "another text, as long as that!") &&
	    v.type != POSH_INT)
		explorer_fail("a text that nobody wrote");
}

static void
write_text(posh_heap *h)
{
	set(h, list, 1, text("another text, as long as that!"));
}

static void
write_and_reuse(posh_heap *h)
{
	set(h, list, 1, posh_int(7));
	set(h, list, 2, text("another text, as long as that!"));
}

/* The list grows: a new body. */
static void
append_texts(posh_heap *h)
{
	append(h, list, text("another text, as long as that!"));
}

static void
insert_text(posh_heap *h)
{
	struct posh_value v = text("another text, as long as that!");

	must(posh_list_insert(h, list, 0, &v));
}

static void
delete_front(posh_heap *h)
{
	must(posh_list_delete(h, list, 0, 2));
}

static void
clear_list(posh_heap *h)
{
	must(posh_list_delete(h, list, 0, SIZE_MAX));
}

/* All elements as of one moment: texts first, then ints. */
static void
read_all(posh_heap *h)
{
	struct posh_value *v = NULL;
	int64_t n = posh_list_snapshot(h, list, &v, NULL), i;
	bool ints = false;

	must((int)n);
	for (i = 0; i < n; i++) {
		if (v[i].type == POSH_INT)
			ints = true;
		else if (!is_text(&v[i], "the first text, which is boxed") &&
			 !is_text(&v[i], "another text, as long as that!"))
			explorer_fail("a text that nobody wrote");
		else if (ints && i != n - 1)
			explorer_fail("elements that never were so");
	}
	free(v);
}

/*
 * Dicts
 */

static void
setup_dict(posh_heap *o, posh_heap *const *m)
{
	char key[30];
	int i;

	(void)m;
	must(posh_dict_new(o, &dict));
	for (i = 0; i < 5; i++) {
		snprintf(key, sizeof(key), "the key of number %d", i);
		set_item(o, key, text("the first text, which is boxed"));
	}
}

static void
read_item(posh_heap *h)
{
	struct posh_value k = text("the key of number 1"), v;
	int rc = posh_dict_get(h, dict, &k, &v);

	if (rc != -ENOENT)
		must(rc);
	if (rc == 0 && !is_text(&v, "the first text, which is boxed") &&
	    !is_text(&v, "another text, as long as that!"))
		explorer_fail("a value that nobody set");
}

static void
read_kept(posh_heap *h)
{
	struct posh_value k = text("the key of number 3"), v;

	must(posh_dict_get(h, dict, &k, &v));
	if (!is_text(&v, "the first text, which is boxed"))
		explorer_fail("a value that nobody set");
}

static void
grow_dict(posh_heap *h)
{
	set_item(h, "the key of number 5", posh_int(5));
}

static void
replace_item(posh_heap *h)
{
	set_item(h, "the key of number 1",
		 text("another text, as long as that!"));
}

static void
pop_item(posh_heap *h)
{
	struct posh_value k = text("the key of number 1");
	int rc = posh_dict_pop(h, dict, &k, NULL);

	if (rc != -ENOENT)
		must(rc);
}

static void
move_item(posh_heap *h)
{
	struct posh_value k = text("the key of number 1");
	int rc = posh_dict_move(h, dict, &k, POSH_LAST);

	if (rc != -ENOENT)
		must(rc);
}

static void
pop_moving(posh_heap *h)
{
	struct posh_value k = text("the key of number 1");

	must(posh_dict_pop(h, dict, &k, NULL));
}

static void
move_ahead(posh_heap *h)
{
	struct posh_value k = text("the key of number 4");

	must(posh_dict_move(h, dict, &k, POSH_FIRST));
}

/* The first of five is another when one has moved, never two. */
static void
read_order(posh_heap *h)
{
	struct posh_value *v = NULL;
	int64_t n = posh_dict_snapshot(h, dict, &v, NULL), i;
	char key[30];
	int first;

	must((int)n);
	first = n && is_text(&v[0], "the key of number 4") ? 4 : 0;
	if (n != 5)
		explorer_fail("an item that moves is there twice, or nowhere");
	for (i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "the key of number %d",
			 (int)(first + i) % 5);
		if (!is_text(&v[2 * i], key))
			explorer_fail("an order that never was so");
	}
	free(v);
}

static void
check_dict(posh_heap *o)
{
	read_kept(o);
}

static void
check_popped(posh_heap *o)
{
	struct posh_value k = text("the key of number 1");
	int rc = posh_dict_get(o, dict, &k, NULL);

	check_dict(o);
	if (rc != -ENOENT && (rc || !explorer_died(1)))
		explorer_fail("an item that was popped is there");
}

/*
 * Deques: numbers one behind the other, that are boxed
 */

static struct posh_value
number(int i)
{
	return posh_int((INT64_C(1) << 60) + i);
}

static void
push(posh_heap *h, struct posh_value v)
{
	must(posh_deque_append(h, deque, &v));
}

static void
make_deque(posh_heap *o, int maxlen, int n)
{
	int i;

	must(posh_deque_new(o, maxlen, &deque));
	for (i = 1; i <= n; i++)
		push(o, number(i));
}

/* As many as the ring has slots; it is the second member's memory. */
static void
setup_full_ring(posh_heap *o, posh_heap *const *m)
{
	make_deque(m[1], -1, 8);
	must(posh_object_hold(o, deque));
}

static void
setup_four(posh_heap *o, posh_heap *const *m)
{
	(void)m;
	make_deque(o, -1, 4);
}

static void
setup_bounded(posh_heap *o, posh_heap *const *m)
{
	(void)m;
	make_deque(o, 4, 4);
}

/* A plain value on the right. */
static void
setup_plain_end(posh_heap *o, posh_heap *const *m)
{
	setup_four(o, m);
	push(o, posh_int(0));
}

static void
setup_empty_deque(posh_heap *o, posh_heap *const *m)
{
	(void)m;
	make_deque(o, 4, 0);
}

/* All elements as of one moment.  Returns how many; the first is *first. */
static int64_t
read_deque(posh_heap *h, int *first, bool round)
{
	struct posh_value *v = NULL;
	int64_t n = posh_deque_snapshot(h, deque, &v, NULL), i;

	must((int)n);
	for (i = 0; i < n; i++) {
		int64_t want = v[0].i - number(0).i + i;

		if (round && want > n)
			want -= n;
		if (v[i].type != POSH_INT || v[i].i != number((int)want).i)
			explorer_fail("elements that never were so");
	}
	*first = n ? (int)(v[0].i - number(0).i) : 0;
	free(v);
	return n;
}

static void
read_numbers(posh_heap *h)
{
	int first;

	read_deque(h, &first, false);
}

static void
read_bounded(posh_heap *h)
{
	int first;

	if (read_deque(h, &first, false) != 4 || first < 1 || first > 2)
		explorer_fail("a bounded deque that never was so");
}

/* One to four, from whichever on. */
static void
read_round(posh_heap *h)
{
	int first;

	if (read_deque(h, &first, true) != 4)
		explorer_fail("a rotation has lost an element");
}

static void
push_5(posh_heap *h)
{
	push(h, number(5));
}

static void
push_9(posh_heap *h)
{
	push(h, number(9));
}

/* A larger ring, and one of another deque where the first was. */
static void
push_and_reuse(posh_heap *h)
{
	struct posh_value v = posh_int(0);

	push_9(h);
	explorer_still_begin();
	must(posh_deque_new(h, -1, &other));
	must(posh_deque_append(h, other, &v));
	posh_object_drop(h, other);
	explorer_still_end();
}

static void
pop_1(posh_heap *h)
{
	struct posh_value v;

	must(posh_deque_popleft(h, deque, &v));
	if (v.type != POSH_INT || v.i != number(1).i)
		explorer_fail("the first element is another");
}

static void
check_both_ends(posh_heap *o)
{
	int first;
	int64_t n = read_deque(o, &first, false);

	if (first != 2 && (first != 1 || !explorer_died(1)))
		explorer_fail("the pop has gone");
	if (first + n != 6 && (first + n != 5 || !explorer_died(0)))
		explorer_fail("the push has gone");
}

static void
rotate(posh_heap *h)
{
	must(posh_deque_rotate(h, deque, 1));
}

static void
insert_and_delete(posh_heap *h)
{
	struct posh_value v = number(4);

	must(posh_deque_delete(h, deque, 3));
	must(posh_deque_insert(h, deque, 3, &v));
}

/* The fourth of eight may be missing. */
static void
read_middle(posh_heap *h)
{
	struct posh_value *v = NULL;
	int64_t n = posh_deque_snapshot(h, deque, &v, NULL), i;

	must((int)n);
	if (n != 7 && n != 8)
		explorer_fail("a deque that never was so long");
	for (i = 0; i < n; i++)
		if (v[i].type != POSH_INT ||
		    v[i].i != number((int)(i < 3 ? i + 1 : i + 9 - n)).i)
			explorer_fail("elements that never were so");
	free(v);
}

static void
push_plain(posh_heap *h)
{
	push(h, posh_int(1));
}

static void
check_pushed(posh_heap *o)
{
	int64_t n = posh_deque_len(o, deque, NULL);

	if (n != 7 && !explorer_died(0) && !explorer_died(1))
		explorer_fail("two pushed, and %d are there", (int)n);
}

static void
extend_by_three(posh_heap *h)
{
	struct posh_value v[3] = {number(1), number(2), number(3)};

	must(posh_deque_extend(h, deque, v, 3));
}

static void
lower_bound(posh_heap *h)
{
	int rc = posh_deque_bound(h, deque, 2);

	if (rc != -EBUSY)
		must(rc);
}

static void
check_bound(posh_heap *o)
{
	int64_t max, n = posh_deque_len(o, deque, &max);

	if (n > max)
		explorer_fail("%d elements, of at most %d", (int)n, (int)max);
}

/*
 * Buffers: of one byte many times, or of another
 */

enum { SHORT = 40, TALL = 100, PART = 20 };

/* The longest; also for what takes the place of a blob. */
static void
fill(char *bytes, char c)
{
	memset(bytes, c, TALL);
}

static void
splice(posh_heap *h, uint64_t at, uint64_t del, char c, uint64_t n)
{
	char bytes[TALL];

	fill(bytes, c);
	must(posh_buffer_splice(h, buffer, at, del, bytes, n));
}

/* The blob's memory is the second member's, who uses it again. */
static void
setup_bare(posh_heap *o, posh_heap *const *m)
{
	void *p;

	must(posh_buffer_new(o, &buffer));
	must(posh_blob_new(m[1], SHORT, &x));
	must(posh_object_hold(o, x));
	must(posh_blob_data(o, x, &p, NULL));
	memset(p, 'a', SHORT);
}

static void
init_buffer(posh_heap *h)
{
	struct posh_value meta = text("a meta of the buffer's that is boxed");
	int rc = posh_buffer_init(h, buffer, x, &meta);

	must(rc == -EEXIST ? 0 : rc);
}

static void
setup_buffer(posh_heap *o, posh_heap *const *m)
{
	setup_bare(o, m);
	init_buffer(o);
	posh_object_drop(o, x);
	posh_object_drop(m[1], x);
}

/* It had more, so that there is room. */
static void
setup_roomy(posh_heap *o, posh_heap *const *m)
{
	setup_buffer(o, m);
	splice(o, SHORT, 0, 'b', PART);
	must(posh_buffer_splice(o, buffer, SHORT, PART, NULL, 0));
	splice(o, SHORT, 0, 'z', PART);
	must(posh_buffer_splice(o, buffer, SHORT, PART, NULL, 0));
}

static bool
all_are(const char *p, uint64_t n, char c)
{
	while (n-- > 0)
		if (*p++ != c)
			return false;
	return true;
}

/* Short and of a, or tall and of b. */
static void
look_at(const char *p, uint64_t n)
{
	if (!(n == SHORT && all_are(p, n, 'a')) &&
	    !(n == TALL && all_are(p, n, 'b')))
		explorer_fail("bytes that never were so");
}

static void
read_buffer(posh_heap *h)
{
	char bytes[TALL];
	uint64_t length;

	must((int)posh_buffer_read(h, buffer, 0, TALL, bytes, &length));
	look_at(bytes, length);
}

/* Its memory, with a pause in between. */
static void
view_buffer(posh_heap *h)
{
	posh_handle blob = {0};
	uint64_t n = 0;
	void *p = NULL;

	must(posh_buffer_view(h, buffer, &blob, &p, &n));
	must((int)posh_buffer_len(h, buffer));
	explorer_still_begin();
	look_at(p, n);
	explorer_still_end();
	posh_object_drop(h, blob);
}

static void
replace_bytes(posh_heap *h)
{
	splice(h, 0, SHORT, 'b', TALL);
}

/* Another blob, and a third one where the first was. */
static void
replace_and_reuse(posh_heap *h)
{
	posh_handle blob = {0};
	void *p = NULL;

	replace_bytes(h);
	explorer_still_begin();
	must(posh_blob_new(h, SHORT, &blob));
	must(posh_blob_data(h, blob, &p, NULL));
	memset(p, 'z', SHORT);
	posh_object_drop(h, blob);
	explorer_still_end();
}

static void
write_item(posh_heap *h)
{
	char bytes[TALL];

	fill(bytes, 'b');
	must(posh_buffer_write(h, buffer, 8, bytes, 8));
}

/* The item is written in memory that is the buffer's. */
static void
widen(posh_heap *h)
{
	splice(h, SHORT, 0, 'a', TALL - SHORT);
}

static void
read_item_of(posh_heap *h)
{
	char bytes[8];

	must((int)posh_buffer_read(h, buffer, 8, 8, bytes, NULL));
	if (!all_are(bytes, 8, 'a') && !all_are(bytes, 8, 'b'))
		explorer_fail("an item that is half another");
}

static void
check_item(posh_heap *o)
{
	char bytes[TALL];
	uint64_t length;

	must((int)posh_buffer_read(o, buffer, 0, TALL, bytes, &length));
	if (!all_are(&bytes[8], 8, 'b') &&
	    !(explorer_died(0) && all_are(&bytes[8], 8, 'a')))
		explorer_fail("an item was written elsewhere");
	if (!all_are(bytes, 8, 'a') || !all_are(&bytes[16], length - 16, 'a'))
		explorer_fail("bytes that never were so");
}

/* More than a word. */
static void
write_part(posh_heap *h)
{
	char bytes[TALL];

	fill(bytes, 'b');
	must(posh_buffer_write(h, buffer, 3, bytes, PART));
}

static void
read_part(posh_heap *h)
{
	char bytes[SHORT];

	must((int)posh_buffer_read(h, buffer, 0, SHORT, bytes, NULL));
	if (!all_are(&bytes[3], PART, 'a') && !all_are(&bytes[3], PART, 'b'))
		explorer_fail("bytes that are half others");
}

static void
add_bytes(posh_heap *h)
{
	splice(h, SHORT, 0, 'b', PART);
}

static void
read_added(posh_heap *h)
{
	char bytes[TALL];
	uint64_t n;

	must((int)posh_buffer_read(h, buffer, 0, TALL, bytes, &n));
	if (!all_are(bytes, SHORT, 'a') || (n != SHORT && n != SHORT + PART) ||
	    !all_are(&bytes[SHORT], n - SHORT, 'b'))
		explorer_fail("bytes that nobody added");
}

/* Whoever sees the blob sees what its bytes mean. */
static void
read_begun(posh_heap *h)
{
	struct posh_value meta;

	if (posh_buffer_len(h, buffer) < 0)
		return;
	must(posh_buffer_meta(h, buffer, &meta));
	if (!is_text(&meta, "a meta of the buffer's that is boxed"))
		explorer_fail("a buffer without its meta");
}

static void
check_begun(posh_heap *o)
{
	read_begun(o);
	init_buffer(o);
	if (posh_buffer_len(o, buffer) != SHORT)
		explorer_fail("a buffer that has no blob and gets none");
	posh_object_drop(o, x);
}

/*
 * Recovery
 */

static void
reap(posh_heap *h)
{
	struct posh__self *self;

	must(posh__enter_write(h, &self));
	posh__member_reap(self);
	posh__leave(self);
}

/* Takes what a dead one had for something new. */
static void
reap_and_write(posh_heap *h)
{
	reap(h);
	write_text(h);
}

/*
 * Spans
 */

enum { BIG = 15000, BIGGER = 30000 };
static char big[BIGGER];

static struct posh_value
block(size_t n, char c)
{
	memset(big, c, n);
	return posh_bytes(big, n);
}

static posh_heap *owner;

/* The first member has a span with blocks of others. */
static void
setup_spans(posh_heap *o, posh_heap *const *m)
{
	int i;

	owner = m[0];
	list = new_list(o);
	other = new_list(o);
	for (i = 0; i < 4; i++)
		append(m[0], list, block(BIG, 'a'));
	append(m[0], list, posh_int(0));
	append(m[1], other, posh_int(0));
}

/* Free another's blocks. */
static void
free_blocks(posh_heap *h)
{
	must(posh_list_delete(h, list, 0, 2));
}

static void
free_a_block(posh_heap *h)
{
	must(posh_list_delete(h, list, 0, 1));
}

/* The first member has two. */
static void
setup_two_spans(posh_heap *o, posh_heap *const *m)
{
	int i;

	setup_spans(o, m);
	for (i = 0; i < 4; i++)
		append(m[0], list, block(BIG, 'a'));
}

/* One of the second span, then one of the first. */
static void
free_in_both(posh_heap *h)
{
	must(posh_list_delete(h, list, 7, 8));
	must(posh_list_delete(h, list, 0, 1));
}

static void
alloc_block(posh_heap *h)
{
	set(h, other, 0, block(BIG, 'b'));
}

static void
alloc_bigger(posh_heap *h)
{
	set(h, other, 0, block(BIGGER, 'c'));
}

static void
check_blocks(posh_heap *o)
{
	struct posh_value v;
	int64_t i, n = posh_list_len(o, list);
	size_t j;

	for (i = 0; i < n; i++) {
		must(posh_list_get(o, list, i, &v));
		for (j = 0; v.type == POSH_BYTES && j < v.size; j++)
			if (((const char *)v.data)[j] != 'a') {
				explorer_fail("a block has another's bytes");
				return;
			}
	}
	must(posh_list_get(o, other, 0, &v));
	for (j = 1; v.type == POSH_BYTES && j < v.size; j++)
		if (((const char *)v.data)[j] != ((const char *)v.data)[0]) {
			explorer_fail("a block has another's bytes");
			return;
		}
}

/* How many spans of such blocks has the owner, and how many of these are
 * free?  Those that are not in the owner's list are counted as remote. */
static unsigned
owned_spans(unsigned *nfree)
{
	struct posh__header *hdr = owner->hdr;
	unsigned spans = 0, here;
	uint64_t n, i;

	*nfree = 0;
	for (n = hdr->first; n < hdr->nspans; n++) {
		uint64_t w = *posh__span_word(owner, n);
		struct posh__span *s = posh__span_at(owner, n);

		if (POSH__SPAN_STATE(w) != POSH__SPAN_OWNED ||
		    POSH__SPAN_OWNER(w) != owner->selves->tid ||
		    (uint32_t)s->word0 < BIG || (uint32_t)s->word0 >= BIGGER)
			continue;
		spans++;
		for (here = i = 0; i < (s->word0 >> 32 & 0xffff); i++)
			here += s->state[i] == POSH__FREE;
		if (here > (s->list >> 32 & 0xffff) + s->remote)
			explorer_fail("a free block that nobody counts");
		*nfree += here;
	}
	return spans;
}

/* What is free in the owner's spans, whoever freed it, the owner uses before
 * it takes another span.  A death may cost the next sweep (alloc.c, I5). */
static void
check_found(posh_heap *o)
{
	unsigned nfree, left, spans;

	check_blocks(o);
	if (explorer_died(0) || explorer_died(1))
		return;
	spans = owned_spans(&nfree);
	for (left = nfree; left > 0; left--)
		append(owner, other, block(BIG, 'd'));
	if (owned_spans(&nfree) != spans || nfree)
		explorer_fail("a free block that its owner does not find");
}

static void
setup_gate(posh_heap *o, posh_heap *const *m)
{
	setup_values(o, m);
	/* Room, so that there is but little to do. */
	must(posh_list_reserve(o, list, 40));
}

static void
append_plain(posh_heap *h)
{
	append(h, list, posh_int(1));
}

/* Takes over a dead one's thread entry, and writes under its name. */
static void
rename_and_write(posh_heap *h)
{
	struct posh__self *self;
	uint32_t tid;

	explorer_still_begin();
	reap(h);
	must(posh__self_make(h, &self));
	must(posh__thread_claim(h, h->index, &tid));
	posh__self_rebind(self, tid);
	explorer_still_end();
	append_texts(h);
}

/* Dies inside the list's monitor, or next to it. */
static void
lock_list(posh_heap *h)
{
	must(posh_object_lock(h, list, -1));
	must(posh_object_unlock(h, list));
}

/*
 * A late look at a span that is carved again
 */

enum { SLOTS = 1300, ROW = 12, FAKE = 32000 / 8 };
static uint64_t fake[FAKE];

static unsigned
place_in_span(posh_heap *h, posh_handle o)
{
	posh__word *w = posh__block_word(h, o.off);

	return (unsigned)(w -
			  posh__span_at(h, o.off >> POSH__SPAN_BITS)->state);
}

/* x, of which nobody has a link, is the last block of a span that has no
 * other.  Of the class it was carved for next, the word is data. */
static void
setup_last_block(posh_heap *o, posh_heap *const *m)
{
	posh_handle t[ROW];
	int i, last = -1;

	other = new_list(o);
	append(m[1], other, posh_int(0));
	for (i = 0; i < ROW; i++) {
		must(posh_tuple_new(m[1], POSH_FORM_PLAIN, NULL, SLOTS, &t[i]));
		if (last < 0 && place_in_span(o, t[i]) == 5)
			last = i;
	}
	x = t[last];
	must(posh_object_hold(m[0], x));
	/* First the other span, so that this one is given back. */
	for (i = ROW; i-- > 0;)
		if (i != last)
			posh_object_drop(m[1], t[i]);
	for (i = 0; i < FAKE; i++)
		fake[i] = posh__load(posh__block_word(o, x.off));
}

static void
drop_last(posh_heap *h)
{
	posh_object_drop(h, x);
}

static void
drop_and_carve(posh_heap *h)
{
	posh_object_drop(h, x);
	explorer_still_begin();
	set(h, other, 0, posh_bytes(fake, sizeof(fake)));
	explorer_still_end();
}

static void
check_fake(posh_heap *o)
{
	struct posh_value v;

	must(posh_list_get(o, other, 0, &v));
	if (v.type != POSH_BYTES || v.size != sizeof(fake) ||
	    memcmp(v.data, fake, sizeof(fake)))
		explorer_fail("a late look changed another's bytes");
}

/*
 * The gate, and the collector
 */

/* While the gate is shut nothing of the list changes. */
static void
shut_and_look(posh_heap *h)
{
	struct posh__object *o = posh__object(h, list.off);
	struct posh__self *self;
	uint64_t seq, len, body;

	must(posh__enter_write(h, &self));
	must(posh__gate_shut(self));
	seq = posh__load(&o->seq);
	body = posh__load(&o->body);
	len = posh__load(&posh__body_at(h, body)->length);
	if (seq & 1)
		explorer_fail("a writer is inside");
	if (posh__load(&posh__body_at(h, body)->length) != len ||
	    posh__load(&o->body) != body || posh__load(&o->seq) != seq)
		explorer_fail("a list changes while the world stands still");
	posh__gate_open(self);
	posh__leave(self);
}

static void
append_and_set(posh_heap *h)
{
	append(h, list, posh_int(1));
	set(h, list, 1, posh_int(2));
}

static void
collect(posh_heap *h)
{
	must((int)posh_heap_collect(h));
}

/* x, which is in the list, has itself: a circle. */
static void
setup_circle(posh_heap *o, posh_heap *const *m)
{
	setup_linked(o, m);
	append(o, x, posh_object(x));
}

/* Nobody has the circle but the first member. */
static void
setup_own_circle(posh_heap *o, posh_heap *const *m)
{
	setup_circle(o, m);
	must(posh_object_hold(m[0], x));
	set(o, list, 0, posh_int(0));
}

/* x is the first member's alone. */
static void
setup_own_x(posh_heap *o, posh_heap *const *m)
{
	setup_linked(o, m);
	must(posh_object_hold(m[0], x));
	set(o, list, 0, posh_int(0));
}

static void
check_freed(posh_heap *o)
{
	unsigned st = POSH__STATE(posh__load(posh__block_word(o, x.off)));

	if (st == POSH__LIVE || st == POSH__CONDEMNED)
		explorer_fail("what was dropped is still there");
}

/* With a death the next who opens the gate sees to it. */
static void
check_freed_later(posh_heap *o)
{
	must((int)posh_heap_collect(o));
	check_freed(o);
}

/* What nobody has is found, by this collection or the next. */
static void
check_collected(posh_heap *o)
{
	must((int)posh_heap_collect(o));
	if (posh_heap_collect(o) != 0)
		explorer_fail("what was collected is still there");
}

/* Circles through one another: when the first is broken, others die.  Their
 * memory is the second member's, who has no other left, and looks for what was
 * freed. */
static void
setup_circles(posh_heap *o, posh_heap *const *m)
{
	posh_handle r = new_list(m[1]), a = new_list(m[1]), b = new_list(m[1]);
	struct posh__span *s = posh__span_at(o, r.off >> POSH__SPAN_BITS);

	append(o, r, posh_object(a));
	append(o, a, posh_object(b));
	append(o, b, posh_object(a));
	append(o, b, posh_object(r));
	while (posh__load(&s->list) >> 32 & 0xffff)
		new_list(m[1]);
	posh__store(&s->remote, POSH__SPAN);
	posh_object_drop(m[1], a);
	posh_object_drop(m[1], b);
	posh_object_drop(m[1], r);
}

/* Make lists, in the place of what was freed. */
static void
make_lists_there(posh_heap *h)
{
	x = new_list(h);
	append(h, x, posh_int(MARK_X));
	y = new_list(h);
	append(h, y, posh_int(MARK_X));
}

static void
check_made(posh_heap *o)
{
	check_collected(o);
	lives(o, x, MARK_X);
	lives(o, y, MARK_X);
}

static void
setup_unheld_circle(posh_heap *o, posh_heap *const *m)
{
	setup_circle(o, m);
	set(o, list, 0, posh_int(0));
}

/* The first member has a list of its own, with x in it. */
static void
setup_path(posh_heap *o, posh_heap *const *m)
{
	setup_circle(o, m);
	other = new_list(m[0]);
	append(m[0], other, posh_object(x));
	set(o, list, 0, posh_int(0));
}

/* Go from the list to x, and leave the list behind. */
static void
step_along(posh_heap *h)
{
	struct posh_value v;

	must(posh_list_get(h, other, 0, &v));
	posh_object_drop(h, other);
	lives(h, v.object, MARK_X);
	posh_object_drop(h, v.object);
}

/*
 * The programs
 */

#define ALL EXPLORER_MAY_DIE

static void
must_last(uint64_t object, unsigned state, void *arg)
{
	(void)object;
	(void)arg;
	if (state == POSH__HOLD_DROPPING)
		explorer_fail("a drop is left that no gate has kept");
}

static void
check_inherited(posh_heap *o)
{
	uint64_t i;

	check_0(o);
	for (i = 0; i < posh__load(&o->hdr->members_high); i++)
		posh__holds_each(o, posh__member_at(o, (uint32_t)i), must_last,
				 NULL);
}

static const struct explorer_program programs[] = {
	{.name = "a hold of what is unlinked",
	 .setup = setup_linked,
	 .check = check_0,
	 .actor = {{get_and_drop, 0, ALL}, {set_0, 1, ALL}},
	 .preemptions = 3,
	 .long_preemptions = 4},
	{.name = "a hold of what is unlinked, with a death",
	 .setup = setup_linked,
	 .check = check_0,
	 .actor = {{get_and_drop, 0, ALL}, {set_0, 1, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1},
	{.name = "all of a list is held, and unlinked",
	 .setup = setup_linked,
	 .check = check_0,
	 .actor = {{get_all_and_drop, 0, ALL}, {set_0, 1, ALL}},
	 .preemptions = 2,
	 .long_preemptions = 4,
	 .mortal = 1},
	{.name = "two holds and an unlink",
	 .setup = setup_linked,
	 .check = check_0,
	 .actor = {{get_and_drop, 0, ALL},
		   {get_and_drop, 1, ALL},
		   {set_0, 2, ALL}},
	 .preemptions = 2,
	 .long_preemptions = 3},
	{.name = "two drop the last holds",
	 .setup = setup_unlinked,
	 .actor = {{drop_x, 0, ALL}, {drop_x, 1, ALL}},
	 .preemptions = 2,
	 .deaths = 1,
	 .long_preemptions = 3,
	 .long_deaths = 1},
	{.name = "two drops and an unlink",
	 .setup = setup_held,
	 .check = check_0,
	 .actor = {{drop_x, 0, ALL}, {drop_x, 1, ALL}, {set_0, 2, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1},
	{.name = "a link of what is dropped, and read",
	 .setup = setup_unlinked,
	 .actor = {{link_x, 0, ALL}, {drop_x, 1, ALL}, {unlink_x, 2, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1},
	{.name = "a list dies, not its child",
	 .setup = setup_graph,
	 .actor = {{set_0, 0, ALL}},
	 .deaths = 1,
	 .long_deaths = 1},
	{.name = "two lists with one child die",
	 .setup = setup_graph,
	 .actor = {{set_0, 0, ALL}, {unlink_x, 1, ALL}},
	 .preemptions = 2,
	 .deaths = 1,
	 .long_preemptions = 3,
	 .long_deaths = 1},
	{.name = "a thread drops, another takes again",
	 .setup = setup_shared_hold,
	 .check = check_0,
	 .actor = {{drop_shared, 0, ALL},
		   {get_and_drop, 0, ALL},
		   {set_0, 1, ALL}},
	 .preemptions = 2,
	 .long_preemptions = 3},
	{.name = "a thread drops what is linked and taken again",
	 .setup = setup_unlinked,
	 .actor = {{drop_shared, 0, ALL},
		   {get_other_and_drop, 0, ALL},
		   {link_for_a_while, 1, ALL}},
	 .preemptions = 3,
	 .long_preemptions = 3,
	 .long_deaths = 1},
	{.name = "three lists with one child, two die",
	 .setup = setup_three,
	 .actor = {{set_0, 0, ALL}, {unlink_x, 1, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 3,
	 .long_deaths = 2},
	{.name = "an object is made",
	 .setup = setup_own,
	 .actor = {{new_and_drop, 0, ALL}},
	 .deaths = 1,
	 .long_deaths = 1},
	{.name = "an object is made in place of another",
	 .setup = setup_own,
	 .actor = {{drop_and_reuse, 0, ALL}},
	 .deaths = 1,
	 .long_deaths = 1},
	{.name = "an instance is made where a body was",
	 .setup = setup_full,
	 .actor = {{grow_and_make, 0, ALL}},
	 .deaths = 1,
	 .long_deaths = 1},
	{.name = "bytes are made where an instance was",
	 .setup = setup_instance,
	 .actor = {{drop_and_fake, 0, ALL}},
	 .deaths = 1,
	 .long_deaths = 1},
	{.name = "a thread holds what another unlinks",
	 .setup = setup_linked,
	 .check = check_0,
	 .actor = {{get_and_drop, 0, ALL}, {set_0, 0, ALL}},
	 .preemptions = 2,
	 .long_preemptions = 3,
	 .mortal = 2},
	{.name = "two threads check what a third has taken",
	 .setup = setup_prover,
	 .check = check_0,
	 .actor = {{set_0, 0, 0},
		   {unlink_x, 0, 0},
		   {take_in_a_moment, 0, 0},
		   {link_in_a_moment, 1, 0}},
	 .preemptions = 2,
	 .long_preemptions = 4},
	{.name = "a table of holds grows under a scan",
	 .setup = setup_full_table,
	 .check = check_0,
	 .actor = {{hold_more, 0, ALL}, {set_0, 1, ALL}},
	 .preemptions = 2,
	 .long_preemptions = 3,
	 .mortal = 2},
	{.name = "a fork, a drop and an unlink",
	 .setup = setup_fork,
	 .check = check_child,
	 .actor = {{fork_and_drop, 2, ALL}, {set_0, 0, ALL}},
	 .preemptions = 3,
	 .long_preemptions = 4,
	 .mortal = 2},
	{.name = "a fork in the middle of a read",
	 .setup = setup_fork_reading,
	 .check = check_inherited,
	 .actor = {{get_and_drop, 2, ALL},
		   {fork_only, 2, ALL},
		   {set_0, 0, ALL}},
	 .preemptions = 2,
	 .long_preemptions = 3,
	 .mortal = 1},
	{.name = "a text is read and replaced",
	 .setup = setup_values,
	 .check = check_text,
	 .actor = {{read_text, 0, ALL}, {write_text, 1, ALL}},
	 .preemptions = 2,
	 .deaths = 1,
	 .long_preemptions = 3,
	 .long_deaths = 1},
	{.name = "a text is read, freed, and its block used",
	 .setup = setup_values,
	 .actor = {{read_text, 0, ALL}, {write_and_reuse, 1, ALL}},
	 .preemptions = 3,
	 .long_preemptions = 4,
	 .mortal = 2},
	{.name = "a list is read and grows",
	 .setup = setup_values,
	 .actor = {{read_all, 0, ALL}, {append_texts, 1, ALL}},
	 .preemptions = 3,
	 .long_preemptions = 4,
	 .mortal = 2},
	{.name = "a list is read, deleted from and inserted in",
	 .setup = setup_values,
	 .actor = {{read_all, 0, ALL},
		   {delete_front, 1, ALL},
		   {insert_text, 2, ALL}},
	 .preemptions = 1,
	 .long_preemptions = 2,
	 .mortal = 1},
	{.name = "a list is read and cleared",
	 .setup = setup_values,
	 .actor = {{read_text, 0, ALL}, {clear_list, 1, ALL}},
	 .preemptions = 3,
	 .long_preemptions = 4,
	 .mortal = 2},
	{.name = "two write to a list, one dies",
	 .setup = setup_values,
	 .check = check_both_writes,
	 .actor = {{append_texts, 0, ALL}, {insert_text, 1, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1},
	{.name = "a dict is read and grows",
	 .setup = setup_dict,
	 .check = check_dict,
	 .actor = {{read_kept, 0, ALL}, {grow_dict, 1, ALL}},
	 .preemptions = 2,
	 .long_preemptions = 3,
	 .mortal = 2},
	{.name = "a dict is read, set and popped from",
	 .setup = setup_dict,
	 .check = check_dict,
	 .actor = {{read_item, 0, ALL},
		   {replace_item, 1, ALL},
		   {pop_item, 2, ALL}},
	 .preemptions = 1,
	 .long_preemptions = 2,
	 .mortal = 1},
	{.name = "a dict is read while an item moves ahead",
	 .setup = setup_dict,
	 .check = read_order,
	 .actor = {{read_order, 0, ALL}, {move_ahead, 1, ALL}},
	 .preemptions = 2,
	 .long_preemptions = 3,
	 .mortal = 2},
	{.name = "an item moves while it is popped, one dies",
	 .setup = setup_dict,
	 .check = check_popped,
	 .actor = {{move_item, 0, ALL}, {pop_moving, 1, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1,
	 .steps = true},
	{.name = "two write to a dict, one dies",
	 .setup = setup_dict,
	 .check = check_dict,
	 .actor = {{grow_dict, 0, ALL}, {pop_item, 1, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1},
	{.name = "a deque is read and gets a larger ring",
	 .setup = setup_full_ring,
	 .check = read_numbers,
	 .actor = {{read_numbers, 0, ALL}, {push_and_reuse, 1, ALL}},
	 .preemptions = 2,
	 .long_preemptions = 4},
	{.name = "a deque gets a larger ring, with a death",
	 .setup = setup_full_ring,
	 .check = read_numbers,
	 .actor = {{read_numbers, 0, ALL}, {push_9, 1, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1,
	 .steps = true},
	{.name = "a bounded deque is read and pushed to",
	 .setup = setup_bounded,
	 .check = read_bounded,
	 .actor = {{read_bounded, 0, ALL}, {push_5, 1, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1},
	{.name = "a deque is pushed to, popped from and read",
	 .setup = setup_four,
	 .check = check_both_ends,
	 .actor = {{push_5, 0, ALL}, {pop_1, 1, ALL}, {read_numbers, 2, ALL}},
	 .preemptions = 1,
	 .long_preemptions = 2},
	{.name = "a deque is pushed to and popped from, one dies",
	 .setup = setup_four,
	 .check = check_both_ends,
	 .actor = {{push_5, 0, ALL}, {pop_1, 1, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1,
	 .steps = true},
	{.name = "a deque is read and rotated, one dies",
	 .setup = setup_four,
	 .check = read_round,
	 .actor = {{read_round, 0, ALL}, {rotate, 1, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1},
	{.name = "the middle of a deque goes and comes back",
	 .setup = setup_full_ring,
	 .check = read_middle,
	 .actor = {{read_middle, 0, ALL}, {insert_and_delete, 1, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1,
	 .steps = true},
	{.name = "two push plain values",
	 .setup = setup_plain_end,
	 .check = check_pushed,
	 .actor = {{push_plain, 0, ALL}, {push_plain, 1, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1},
	{.name = "a deque is extended, and its bound lowered",
	 .setup = setup_empty_deque,
	 .check = check_bound,
	 .actor = {{extend_by_three, 0, ALL}, {lower_bound, 1, ALL}},
	 .preemptions = 2,
	 .long_preemptions = 3},
	{.name = "a buffer is read and gets another blob",
	 .setup = setup_buffer,
	 .check = read_buffer,
	 .actor = {{read_buffer, 0, ALL}, {replace_and_reuse, 1, ALL}},
	 .preemptions = 3,
	 .long_preemptions = 4},
	{.name = "a view of a buffer that gets another blob",
	 .setup = setup_buffer,
	 .check = read_buffer,
	 .actor = {{view_buffer, 0, ALL}, {replace_and_reuse, 1, ALL}},
	 .preemptions = 2,
	 .long_preemptions = 3},
	{.name = "a view of a buffer, with a death",
	 .setup = setup_buffer,
	 .check = read_buffer,
	 .actor = {{view_buffer, 0, ALL}, {replace_bytes, 1, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1,
	 .steps = true},
	{.name = "an item is written and read, and its blob replaced",
	 .setup = setup_buffer,
	 .check = check_item,
	 .actor = {{write_item, 0, ALL},
		   {widen, 1, ALL},
		   {read_item_of, 2, ALL}},
	 .preemptions = 1,
	 .long_preemptions = 2},
	{.name = "an item is written, its blob replaced, and one dies",
	 .setup = setup_buffer,
	 .check = check_item,
	 .actor = {{write_item, 0, ALL}, {widen, 1, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1,
	 .steps = true},
	{.name = "bytes are overwritten, with a death",
	 .setup = setup_buffer,
	 .check = read_part,
	 .actor = {{read_part, 0, ALL}, {write_part, 1, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1},
	{.name = "bytes are added where there is room, with a death",
	 .setup = setup_roomy,
	 .check = read_added,
	 .actor = {{read_added, 0, ALL}, {add_bytes, 1, ALL}},
	 .preemptions = 2,
	 .deaths = 1,
	 .long_preemptions = 3,
	 .long_deaths = 1},
	{.name = "a buffer gets its blob, and is read",
	 .setup = setup_bare,
	 .check = check_begun,
	 .actor = {{read_begun, 0, ALL}, {init_buffer, 1, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1,
	 .steps = true},
	{.name = "two recover one, and may die",
	 .setup = setup_graph,
	 .actor = {{set_0, 0, ALL},
		   {reap, 1, ALL | EXPLORER_AFTER_DEATH},
		   {reap, 2, ALL | EXPLORER_AFTER_DEATH}},
	 .deaths = 2,
	 .long_preemptions = 1,
	 .long_deaths = 2},
	{.name = "two recover one at once",
	 .setup = setup_graph,
	 .actor = {{set_0, 0, ALL},
		   {reap, 1, EXPLORER_AFTER_DEATH},
		   {reap, 2, EXPLORER_AFTER_DEATH}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1},
	{.name = "one is recovered, others write",
	 .setup = setup_values,
	 .check = check_text_of_third,
	 .actor = {{write_text, 0, ALL},
		   {reap_and_write, 1, ALL | EXPLORER_AFTER_DEATH},
		   {write_text, 2, 0}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 1,
	 .long_deaths = 1,
	 .steps = true},
	{.name = "a name is used again",
	 .setup = setup_gate,
	 .check = check_after_death,
	 .actor = {{lock_list, 0, ALL},
		   {append_texts, 1, EXPLORER_AFTER_DEATH},
		   {rename_and_write, 2, EXPLORER_AFTER_DEATH}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1,
	 .steps = true},
	{.name = "a late look at a span that is carved again",
	 .setup = setup_last_block,
	 .check = check_fake,
	 .actor = {{drop_last, 0, 0}, {drop_and_carve, 1, 0}},
	 .preemptions = 2,
	 .long_preemptions = 3},
	{.name = "a block is freed by another, and found",
	 .setup = setup_spans,
	 .check = check_found,
	 .actor = {{alloc_block, 0, ALL}, {free_a_block, 1, ALL}},
	 .preemptions = 2,
	 .long_preemptions = 3},
	{.name = "blocks of two spans are freed by another, and found",
	 .setup = setup_two_spans,
	 .check = check_found,
	 .actor = {{alloc_block, 0, ALL}, {free_in_both, 1, ALL}},
	 .preemptions = 2,
	 .long_preemptions = 3},
	{.name = "blocks freed by another, used again",
	 .setup = setup_spans,
	 .check = check_found,
	 .actor = {{alloc_block, 0, ALL}, {free_blocks, 1, ALL}},
	 .preemptions = 2,
	 .deaths = 1,
	 .long_preemptions = 3,
	 .long_deaths = 1},
	{.name = "blocks freed, and their span carved again",
	 .setup = setup_spans,
	 .check = check_blocks,
	 .actor = {{clear_list, 0, ALL},
		   {free_blocks, 1, ALL},
		   {alloc_bigger, 2, ALL}},
	 .preemptions = 1,
	 .long_preemptions = 2,
	 .mortal = 1},
	{.name = "the gate is shut while one writes",
	 .setup = setup_gate,
	 .actor = {{append_and_set, 0, ALL}, {shut_and_look, 1, ALL}},
	 .preemptions = 2,
	 .long_preemptions = 3,
	 .late = true},
	{.name = "the gate is shut while one writes, with a death",
	 .setup = setup_gate,
	 .actor = {{append_plain, 0, ALL},
		   {shut_and_look, 1, ALL},
		   {append_plain, 2, 0}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1,
	 .late = true},
	{.name = "two shut the gate, one dies",
	 .setup = setup_gate,
	 .actor = {{shut_and_look, 0, ALL}, {shut_and_look, 1, ALL}},
	 .preemptions = 2,
	 .deaths = 1,
	 .long_preemptions = 3,
	 .long_deaths = 1,
	 .late = true},
	{.name = "a circle is read, unlinked and collected",
	 .setup = setup_circle,
	 .check = check_collected,
	 .actor = {{get_and_drop, 0, ALL}, {set_0, 1, ALL}, {collect, 2, ALL}},
	 .preemptions = 1,
	 .long_preemptions = 3,
	 .mortal = 1},
	{.name = "a circle is dropped while it is collected",
	 .setup = setup_own_circle,
	 .check = check_collected,
	 .actor = {{drop_x, 0, ALL}, {collect, 1, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 3,
	 .long_deaths = 1,
	 .late = true},
	{.name = "a reader goes on while its way is collected",
	 .setup = setup_path,
	 .check = check_collected,
	 .actor = {{step_along, 0, ALL}, {collect, 1, ALL}},
	 .preemptions = 2,
	 .long_preemptions = 4,
	 .late = true,
	 .mortal = 2},
	{.name = "a hold is dropped at a shut gate",
	 .setup = setup_own_x,
	 .check = check_freed,
	 .actor = {{drop_x, 0, 0}, {shut_and_look, 1, 0}},
	 .preemptions = 2,
	 .long_preemptions = 4,
	 .late = true,
	 .as_left = true},
	{.name = "a hold is dropped at a shut gate, with a death",
	 .setup = setup_own_x,
	 .check = check_freed_later,
	 .actor = {{drop_x, 0, ALL}, {shut_and_look, 1, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 1,
	 .late = true,
	 .steps = true},
	{.name = "circles through one another are collected",
	 .setup = setup_circles,
	 .check = check_made,
	 .actor = {{collect, 0, ALL}, {make_lists_there, 1, 0}},
	 .preemptions = 1,
	 .long_preemptions = 2,
	 .mortal = 1},
	{.name = "two collect one circle, and may die",
	 .setup = setup_unheld_circle,
	 .check = check_collected,
	 .actor = {{collect, 0, ALL}, {collect, 1, ALL}},
	 .preemptions = 1,
	 .deaths = 1,
	 .long_preemptions = 2,
	 .long_deaths = 2,
	 .steps = true},
};

enum { PROGRAMS = sizeof(programs) / sizeof(programs[0]) };

/* A program, or what it is with a death. */
static struct explorer_program
version(const struct explorer_program *p, bool with_death)
{
	static char name[100];
	struct explorer_program q = *p;

	if (with_death) {
		snprintf(name, sizeof(name), "%s, with a death", p->name);
		q.name = name;
		q.preemptions = p->mortal - 1;
		q.long_preemptions = p->mortal;
		q.deaths = q.long_deaths = 1;
		q.steps = true;
	}
	if (tap_brief() && q.preemptions)
		q.preemptions--;
	return q;
}

static bool
explore(const struct explorer_program *p, bool in_full, long *executions)
{
	struct explorer_result r;
	bool right = explorer_run(p, in_full, &r);

	ok(right,
	   "%s: %ld executions (%ld with a death), at most %u preemptions and "
	   "%u deaths; %.1f s",
	   p->name, r.executions, r.dead,
	   in_full ? p->long_preemptions : p->preemptions,
	   in_full ? p->long_deaths : p->deaths, r.seconds);
	tap_note("%u shared words, up to %u points, %ld searches", r.shared,
		 r.points, r.searches);
	*executions += r.executions;
	return right;
}

int
main(int argc, char **argv)
{
	static char line[BUFSIZ];
	bool twin = getenv("POSH_TWIN"), right = true, in_full = tap_soak();
	long executions = 0;
	size_t i;

	setvbuf(stdout, line, _IOLBF, sizeof(line));
	if (!EXPLORER_WORKS) {
		printf("1..0 # SKIP sanitizers want their own malloc\n");
		return 0;
	}
	/* Of a twin one failure is enough: most show at small bounds. */
	do {
		for (i = 0; i < 2 * PROGRAMS && (right || !twin); i++) {
			bool with_death = i % 2;
			struct explorer_program p =
				version(&programs[i / 2], with_death);

			if ((with_death && !p.mortal) ||
			    (argc > 1 && !strstr(p.name, argv[1])))
				continue;
			if (argc > 2)
				return !explorer_replay(&p, argv[2]);
			right = explore(&p, in_full, &executions) && right;
		}
		in_full = !in_full;
	} while (twin && right && in_full);
	tap_note("%ld executions in all", executions);
	return tap_done();
}

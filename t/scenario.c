/* SPDX-License-Identifier: MIT */
/* scenario.c - operations in the middle of which somebody dies. */
#include "config.h"

#include <stdlib.h>

#include "scenario.h"
#include "slots.h"

void (*scenario_calls)(const char *name);
void (*scenario_between)(struct world *w);

void
scenario_note(struct scenario_states *s, posh_heap *h)
{
	if (s->n == SCENARIO_STATES)
		exit(3);
	s->digest[s->n++] = world_digest(h);
}

bool
scenario_has(const struct scenario_states *s, uint64_t digest, bool ended)
{
	int i;

	for (i = ended ? s->n - 1 : 0; i < s->n; i++)
		if (s->digest[i] == digest)
			return true;
	return false;
}

bool
scenario_changes(const struct scenario *is, const struct scenario_states *s)
{
	bool same = is->how & SCENARIO_SAME;
	int i;

	for (i = 1; i < s->n; i++)
		if ((s->digest[i] == s->digest[i - 1]) != same)
			return false;
	return s->n > 1;
}

/* One operation of several is over. */
static void
between(struct world *w)
{
	if (scenario_between)
		scenario_between(w);
}

static struct posh_value
text(const char *s)
{
	return world_text(s);
}

static void
set(struct world *w, const char *key, struct posh_value v)
{
	struct posh_value k = text(key);

	CALL(dict_set)(w->h, w->dict, &k, &v);
}

static void
append(struct world *w, struct posh_value v)
{
	CALL(list_append)(w->h, w->list, &v);
}

/*
 * Lists
 */

static void
set_plain(struct world *w)
{
	struct posh_value v = posh_int(99);

	CALL(list_set)(w->h, w->list, 0, &v);
}

static void
set_text(struct world *w)
{
	struct posh_value v = text("a new text for the slot");

	CALL(list_set)(w->h, w->list, 1, &v);
}

static void
set_object(struct world *w)
{
	struct posh_value v = posh_object(w->own);

	CALL(list_set)(w->h, w->list, 8, &v);
}

static void
set_tuple(struct world *w)
{
	struct posh_value in[2] = {text("the first of two"), posh_int(2)};
	struct posh_value out[3] = {
		{0}, text("beside it, a text"), posh_object(w->own)};
	struct posh_value v = {.type = POSH_TUPLE};

	out[0].type = POSH_TUPLE;
	out[0].size = 2;
	out[0].items = in;
	v.size = 3;
	v.items = out;
	CALL(list_set)(w->h, w->list, 0, &v);
	between(w);
	v = out[0];
	CALL(list_set)(w->h, w->list, 0, &v);
}

/* A value of a class, and a set with an object in it, which is a key too. */
static void
set_forms(struct world *w)
{
	struct posh_value state[2] = {text("a class of somebody's"),
				      text("and its state")};
	struct posh_value item[3] = {
		{0}, posh_object(w->own), text("a text in a set")};
	struct posh_value v = {.type = POSH_TUPLE, .width = POSH_FORM_SET};

	item[0] = (struct posh_value){.type = POSH_TUPLE,
				      .width = POSH_FORM_TYPED};
	item[0].size = 2;
	item[0].items = state;
	v.size = 3;
	v.items = item;
	if (CALL(value_sort)(w->h, item, 3))
		return;
	CALL(dict_set)(w->h, w->dict, &v, &v);
	between(w);
	CALL(list_set)(w->h, w->list, 0, &v);
}

static void
append_plain(struct world *w)
{
	append(w, posh_int(5));
}

void
scenario_append(struct world *w)
{
	append(w, text("one more, which is boxed"));
}

/* The list's body, or the dict's, is full: the next one needs a new body. */
static void
prepare_full_list(struct world *w)
{
	uint64_t body = posh__load(&posh__object(w->h, w->list.off)->body);
	struct posh__body *b = posh__body_at(w->h, body);

	while (posh__load(&b->length) < posh__half_load(&b->capacity))
		append_plain(w);
}

void
scenario_append_bytes(struct world *w)
{
	static char data[3000];

	append(w, posh_bytes(data, sizeof(data)));
}

static void
extend(struct world *w)
{
	struct posh_value v[3] = {posh_int(1), text("in the middle of three"),
				  posh_fresh(POSH_KIND_DICT)};

	CALL(list_extend)(w->h, w->list, v, 3);
}

static void
insert(struct world *w)
{
	struct posh_value v = text("pushed in between");

	CALL(list_insert)(w->h, w->list, 2, &v);
}

static void
pop(struct world *w)
{
	struct posh_value v;

	CALL(list_pop)(w->h, w->list, 1, &v);
}

static void
pop_object(struct world *w)
{
	struct posh_value v;

	if (CALL(list_pop)(w->h, w->list, -1, &v) == 0)
		CALL(object_drop)(w->h, v.object);
}

static void
delete_range(struct world *w)
{
	CALL(list_delete)(w->h, w->list, 1, 6);
}

static void
clear_list(struct world *w)
{
	CALL(list_delete)(w->h, w->list, 0, SIZE_MAX);
}

void
scenario_splice(struct world *w)
{
	struct posh_value v[2] = {text("spliced in as one"), posh_int(2)};

	CALL(list_splice)(w->h, w->list, 1, 5, v, 2);
}

static void
permute(struct world *w)
{
	size_t order[9] = {8, 7, 6, 5, 4, 3, 2, 1, 0};

	CALL(list_permute)
	(w->h, w->list, order, 9, CALL(object_version)(w->h, w->list));
}

static void
reserve(struct world *w)
{
	CALL(list_reserve)(w->h, w->list, 100);
}

/* A body that most of its elements have left is replaced by a smaller one. */
static void
prepare_shrink(struct world *w)
{
	struct posh_value v[100];
	int i;

	for (i = 0; i < 100; i++)
		v[i] = posh_int(i);
	posh_list_extend(w->h, w->list, v, 100);
	posh_list_reserve(w->h, w->list, 2000);
}

static void
pop_plain(struct world *w)
{
	CALL(list_pop)(w->h, w->list, -1, NULL);
}

/*
 * Deques
 */

static void
deque_append(struct world *w)
{
	struct posh_value v = text("appended to the deque");

	CALL(deque_append)(w->h, w->deque, &v);
}

static void
deque_appendleft(struct world *w)
{
	struct posh_value v = text("appended on the left");

	CALL(deque_appendleft)(w->h, w->deque, &v);
}

static void
deque_plain(struct world *w)
{
	struct posh_value v = posh_int(5);

	CALL(deque_append)(w->h, w->deque, &v);
}

static void
deque_room(struct world *w)
{
	posh_deque_popleft(w->h, w->deque, NULL);
}

/* Its bound is as many as it has. */
static void
prepare_full_deque(struct world *w)
{
	deque_append(w);
	posh_deque_bound(w->h, w->deque, 9);
}

static void
deque_extend(struct world *w)
{
	struct posh_value v[3] = {posh_int(1), text("one of three for a deque"),
				  posh_fresh(POSH_KIND_DEQUE)};

	v[2].size = 4;
	CALL(deque_extend)(w->h, w->deque, v, 3);
}

static void
deque_extendleft(struct world *w)
{
	struct posh_value v[2] = {text("a text, and an int"), posh_int(2)};

	CALL(deque_extendleft)(w->h, w->deque, v, 2);
}

static void
deque_pop(struct world *w)
{
	struct posh_value v;

	if (CALL(deque_pop)(w->h, w->deque, &v) == 0 && v.type == POSH_OBJECT)
		CALL(object_drop)(w->h, v.object);
}

static void
deque_popleft(struct world *w)
{
	struct posh_value v;

	if (CALL(deque_popleft)(w->h, w->deque, &v) == 0 &&
	    v.type == POSH_OBJECT)
		CALL(object_drop)(w->h, v.object);
}

/* A plain value is at that end, and the way is the long one. */
static void
prepare_plain_end(struct world *w)
{
	struct posh_value v = posh_int(1);

	posh_deque_popleft(w->h, w->deque, NULL);
	posh_deque_appendleft(w->h, w->deque, &v);
	posh_object_lock(w->h, w->list, -1);
}

static void
deque_rotate(struct world *w)
{
	CALL(deque_rotate)(w->h, w->deque, 3);
}

static void
deque_rotate_back(struct world *w)
{
	CALL(deque_rotate)(w->h, w->deque, -2);
}

static void
deque_insert(struct world *w)
{
	struct posh_value v = text("pushed into the deque");

	CALL(deque_insert)(w->h, w->deque, 5, &v);
}

static void
deque_insert_left(struct world *w)
{
	struct posh_value v = text("pushed in on the left");

	CALL(deque_insert)(w->h, w->deque, 2, &v);
}

static void
deque_delete(struct world *w)
{
	CALL(deque_delete)(w->h, w->deque, -3);
}

static void
deque_delete_left(struct world *w)
{
	CALL(deque_delete)(w->h, w->deque, 2);
}

static void
deque_set(struct world *w)
{
	struct posh_value v = text("a new one in the deque");

	CALL(deque_set)(w->h, w->deque, 1, &v);
}

static void
prepare_plain(struct world *w)
{
	struct posh_value v = posh_int(1);

	posh_deque_set(w->h, w->deque, 1, &v);
}

static void
deque_set_plain(struct world *w)
{
	struct posh_value v = posh_int(6);

	CALL(deque_set)(w->h, w->deque, 1, &v);
}

static void
deque_reverse(struct world *w)
{
	CALL(deque_reverse)(w->h, w->deque);
}

static void
deque_clear(struct world *w)
{
	CALL(deque_clear)(w->h, w->deque);
}

static void
deque_bound(struct world *w)
{
	CALL(deque_bound)(w->h, w->deque, 20);
}

/* One more pop, and it gets a smaller ring. */
static void
prepare_shrink_deque(struct world *w)
{
	struct posh_value v[600];
	int i;

	for (i = 0; i < 600; i++)
		v[i] = posh_int(i);
	posh_deque_bound(w->h, w->deque, -1);
	posh_deque_extend(w->h, w->deque, v, 600);
	for (i = 0; i < 351; i++)
		posh_deque_pop(w->h, w->deque, NULL);
}

/*
 * Dicts
 */

static void
dict_plain(struct world *w)
{
	set(w, "a", posh_int(2));
}

static void
dict_text(struct world *w)
{
	set(w, "the second key", text("a value for the old one"));
}

static void
dict_new(struct world *w)
{
	set(w, "a key that is new", text("a value that is new"));
}

static void
dict_opaque(struct world *w)
{
	struct posh_value k = posh_object(w->own), v = posh_int(1);

	k.flags = POSH_OPAQUE | POSH_DISTINCT;
	CALL(dict_set)(w->h, w->dict, &k, &v);
}

/* A key {class, value, object}, POSH_FORM_KEY; item has room for three. */
static struct posh_value
valued_key(posh_handle o, struct posh_value *item)
{
	struct posh_value key = {.type = POSH_TUPLE, .width = POSH_FORM_KEY};

	item[0] = text("a class");
	item[1] = world_absent();
	item[2] = posh_object(o);
	key.size = 3;
	key.items = item;
	return key;
}

static void
dict_valued(struct world *w)
{
	struct posh_value item[3], k = valued_key(w->own, item);
	struct posh_value v = posh_int(1);

	CALL(dict_set)(w->h, w->dict, &k, &v);
}

static void
prepare_full_dict(struct world *w)
{
	uint64_t body = posh__load(&posh__object(w->h, w->dict.off)->body);
	struct posh__dbody *b = posh__dbody_at(w->h, body);
	struct posh_value k = posh_int(0), v = posh_int(0);

	k.flags = POSH_DISTINCT;
	while (POSH__USED(posh__load(&b->fill)) < posh__half_load(&b->capacity))
		posh_dict_set(w->h, w->dict, (k.i++, &k), &v);
}

/* One that knows of keys that may be equal to others. */
static void
prepare_full_opaque(struct world *w)
{
	dict_opaque(w);
	prepare_full_dict(w);
}

static void
prepare_full_valued(struct world *w)
{
	dict_valued(w);
	prepare_full_dict(w);
}

static void
dict_distinct(struct world *w)
{
	struct posh_value k = text("a key that is new"), v = posh_int(1);

	k.flags = POSH_DISTINCT;
	CALL(dict_set)(w->h, w->dict, &k, &v);
}

static void
dict_pop(struct world *w)
{
	struct posh_value k = text("the second key"), v;

	CALL(dict_pop)(w->h, w->dict, &k, &v);
}

static void
dict_popitem(struct world *w)
{
	struct posh_value k, v;

	if (CALL(dict_popitem)(w->h, w->dict, &k, &v) == 0 &&
	    v.type == POSH_OBJECT)
		CALL(object_drop)(w->h, v.object);
}

static void
dict_popfirst(struct world *w)
{
	struct posh_value k, v;

	CALL(dict_popfirst)(w->h, w->dict, &k, &v);
}

static void
dict_move_last(struct world *w)
{
	struct posh_value k = text("the second key");

	CALL(dict_move)(w->h, w->dict, &k, POSH_LAST);
}

/* To a free entry at the beginning, or a new body. */
static void
dict_move_first(struct world *w)
{
	struct posh_value k = text("third");

	CALL(dict_move)(w->h, w->dict, &k, POSH_FIRST);
}

static void
prepare_front(struct world *w)
{
	struct posh_value k = text("a");

	posh_dict_pop(w->h, w->dict, &k, NULL);
}

static void
dict_clear(struct world *w)
{
	CALL(dict_clear)(w->h, w->dict);
}

static void
dict_setdefault(struct world *w)
{
	struct posh_value k = text("a default one"), v = text("its default");
	struct posh_value out;

	CALL(dict_setdefault)(w->h, w->dict, &k, &v, &out);
}

static void
dict_keep(struct world *w)
{
	struct posh_value k = text("third"), v = text("not its default");
	struct posh_value out;

	if (CALL(dict_setdefault)(w->h, w->dict, &k, &v, &out) == 0)
		CALL(object_drop)(w->h, out.object);
}

void
scenario_update(struct world *w)
{
	struct posh_value v[6] = {text("the second key"),
				  text("another second value"),
				  text("a fourth key"),
				  posh_fresh(POSH_KIND_DICT),
				  text("a"),
				  posh_int(3)};

	CALL(dict_update)(w->h, w->dict, v, 3, 0);
}

static void
update_special(struct world *w, unsigned flags)
{
	struct posh_value item[3],
		v[6] = {posh_object(w->own), posh_int(1), text("a fourth key"),
			posh_int(2),         {0},         posh_int(3)};

	v[4] = valued_key(w->own, item);
	v[0].flags = POSH_OPAQUE | POSH_DISTINCT;
	CALL(dict_update)(w->h, w->dict, v, 3, flags);
}

static void
dict_update_special(struct world *w)
{
	update_special(w, 0);
}

static void
dict_replace_special(struct world *w)
{
	update_special(w, POSH_REPLACE);
}

static void
dict_replace(struct world *w)
{
	struct posh_value v[4] = {text("the only key"), posh_int(1),
				  text("but for this one"),
				  text("and its value")};

	CALL(dict_update)(w->h, w->dict, v, 2, POSH_REPLACE);
}

/*
 * Sets: dicts whose values are all True
 */

static void
set_add(struct world *w)
{
	struct posh_value k = text("an element more"), v = posh_bool(true);

	CALL(dict_set)(w->h, w->set, &k, &v);
}

static void
set_remove(struct world *w)
{
	struct posh_value k = text("the second element");

	CALL(dict_pop)(w->h, w->set, &k, NULL);
}

static void
set_update(struct world *w)
{
	struct posh_value v[4] = {text("the second element"), posh_bool(true),
				  text("a fourth element"), posh_bool(true)};

	CALL(dict_update)(w->h, w->set, v, 2, 0);
}

static void
set_replace(struct world *w)
{
	struct posh_value v[2] = {text("the only element"), posh_bool(true)};

	CALL(dict_update)(w->h, w->set, v, 1, POSH_REPLACE);
}

/*
 * Instances, tuples, classes
 */

static void
set_attribute(struct world *w)
{
	struct posh_value v = text("the value of a slot");

	CALL(instance_set)(w->h, w->inst, 1, &v);
}

static void
prepare_attribute(struct world *w)
{
	set_attribute(w);
}

static void
set_attribute_plain(struct world *w)
{
	struct posh_value v = posh_int(1);

	CALL(instance_set)(w->h, w->inst, 2, &v);
}

static void
delete_attribute(struct world *w)
{
	CALL(instance_set)(w->h, w->inst, 1, NULL);
}

static void
make_extra(struct world *w)
{
	posh_handle d;

	if (CALL(instance_extra)(w->h, w->inst, 1, &d) == 0)
		CALL(object_drop)(w->h, d);
}

static void
make_class(struct world *w)
{
	struct posh_value name = {.type = POSH_STR, .width = 1, .size = 5};
	posh_handle cls;

	name.data = "color";
	if (CALL(class_intern)(w->h, "crash.Cat", &cls))
		return;
	between(w);
	CALL(class_slot)(w->h, cls, &name, 1);
}

static void
make_and_drop(struct world *w)
{
	struct posh_value v = posh_object(w->own);
	posh_handle o;

	if (CALL(list_new)(w->h, &o) == 0) {
		CALL(list_append)(w->h, o, &v);
		CALL(object_drop)(w->h, o);
	}
	if (CALL(dict_new)(w->h, &o) == 0)
		CALL(object_drop)(w->h, o);
	if (CALL(set_new)(w->h, &o) == 0)
		CALL(object_drop)(w->h, o);
	if (CALL(instance_new)(w->h, w->cls, 3, &o) == 0)
		CALL(object_drop)(w->h, o);
	if (CALL(tuple_new)(w->h, POSH_FORM_PLAIN, &v, 1, &o) == 0)
		CALL(object_drop)(w->h, o);
	if (CALL(deque_new)(w->h, 2, &o) == 0) {
		CALL(deque_append)(w->h, o, &v);
		CALL(object_drop)(w->h, o);
	}
}

/* A tuple is made in its place, and filled there. */
static void
make_in_place(struct world *w)
{
	struct posh_value v = posh_fresh(POSH_KIND_TUPLE), item;

	v.size = 2;
	if (CALL(list_append)(w->h, w->list, &v))
		return;
	between(w);
	item = text("an item of the tuple");
	CALL(tuple_init)(w->h, v.object, 0, &item);
	between(w);
	item = posh_fresh(POSH_KIND_INSTANCE);
	item.object = w->cls;
	item.size = 4;
	CALL(tuple_init)(w->h, v.object, 1, &item);
}

/* The last reference to a graph. */
void
scenario_destroy(struct world *w)
{
	struct posh_value v = posh_fresh(POSH_KIND_DICT), k, item;
	posh_handle o;

	if (CALL(list_new)(w->h, &o))
		return;
	world_append(w->h, o, text("a text that is boxed"));
	posh_list_append(w->h, o, &v);
	k = text("a key that is boxed");
	item = posh_fresh(POSH_KIND_LIST);
	posh_dict_set(w->h, v.object, &k, &item);
	world_append(w->h, item.object, text("and a text three deep"));
	CALL(object_drop)(w->h, o);
}

/*
 * Blobs and buffers
 */

static const char words[] = "so many bytes that they are no word";

static void
write_bytes(struct world *w)
{
	CALL(buffer_write)(w->h, w->buffer, 3, words, sizeof(words));
}

static void
write_word(struct world *w)
{
	CALL(buffer_write)(w->h, w->buffer, 8, words, 8);
}

static void
add_bytes(struct world *w)
{
	CALL(buffer_splice)(w->h, w->buffer, 100, 0, words, sizeof(words));
}

/* It had more, so that there is room now. */
static void
prepare_room(struct world *w)
{
	posh_buffer_splice(w->h, w->buffer, 100, 0, words, sizeof(words));
	posh_buffer_splice(w->h, w->buffer, 100, sizeof(words), NULL, 0);
}

static void
cut_front(struct world *w)
{
	CALL(buffer_splice)(w->h, w->buffer, 0, 5, NULL, 0);
}

static void
cut_middle(struct world *w)
{
	CALL(buffer_splice)(w->h, w->buffer, 40, 5, words, 3);
}

static void
prepare_large(struct world *w)
{
	static char large[20000];

	posh_buffer_splice(w->h, w->buffer, 50, 0, large, sizeof(large));
}

static void
cut_most(struct world *w)
{
	CALL(buffer_splice)(w->h, w->buffer, 200, SIZE_MAX, NULL, 0);
}

/* A buffer is made in its place, and another that dies with its blob. */
static void
make_buffers(struct world *w)
{
	struct posh_value v = posh_fresh(POSH_KIND_BUFFER);
	struct posh_value meta = text("the meta of the new one");
	posh_handle blob, other;

	if (CALL(blob_new)(w->h, 300000, &blob))
		return;
	if (CALL(list_append)(w->h, w->list, &v) == 0) {
		between(w);
		CALL(buffer_init)(w->h, v.object, blob, &meta);
	}
	if (CALL(buffer_new)(w->h, &other) == 0) {
		CALL(buffer_init)(w->h, other, blob, &meta);
		CALL(object_drop)(w->h, other);
	}
	CALL(object_drop)(w->h, blob);
}

static void
read_buffer(struct world *w)
{
	posh_handle blob, found;
	struct posh_value v;
	uint64_t n, at;
	char bytes[50];
	void *p;

	CALL(buffer_len)(w->h, w->buffer);
	CALL(buffer_read)(w->h, w->buffer, 7, sizeof(bytes), bytes, NULL);
	CALL(buffer_meta)(w->h, w->buffer, &v);
	if (CALL(buffer_view)(w->h, w->buffer, &blob, &p, &n))
		return;
	CALL(blob_data)(w->h, blob, &p, &n);
	CALL(blob_find)(w->h, p, &found, &at);
	CALL(object_drop)(w->h, blob);
}

/*
 * Reading
 */

static void
drop_all(struct world *w, struct posh_value *v, int64_t n)
{
	while (n-- > 0)
		if (v[n].type == POSH_OBJECT)
			CALL(object_drop)(w->h, v[n].object);
}

static void
read_list(struct world *w)
{
	struct posh_value v[9], *all = NULL;
	int64_t n;

	CALL(list_len)(w->h, w->list);
	if (CALL(list_get)(w->h, w->list, 8, v) == 0)
		drop_all(w, v, 1);
	n = CALL(list_read)(w->h, w->list, 0, 9, 0, v, NULL);
	drop_all(w, v, n);
	n = CALL(list_snapshot)(w->h, w->list, &all, NULL);
	drop_all(w, all, n);
	free(all);
}

/* Two objects that are keys with the same value. */
static void
prepare_keys(struct world *w)
{
	struct posh_value item[3], key, v = text("third");
	posh_handle o[2] = {w->own, w->list};
	size_t i;

	for (i = 0; i < 2; i++) {
		key = valued_key(o[i], item);
		CALL(dict_set)(w->h, w->dict, &key, &v);
	}
}

static void
read_dict(struct world *w)
{
	struct posh_value k = text("third"), v[6], *all = NULL;
	struct posh_value value = world_absent();
	uint64_t front = 0, back = UINT64_MAX;
	int64_t n;

	CALL(dict_len)(w->h, w->dict);
	if (CALL(dict_get)(w->h, w->dict, &k, v) == 0)
		drop_all(w, v, 1);
	n = CALL(dict_candidates)(w->h, w->dict, &value, 6, v);
	drop_all(w, v, n);
	n = CALL(dict_read)(w->h, w->dict, &front, 3, 0, v, NULL);
	drop_all(w, v, 2 * n);
	n = CALL(dict_read_back)(w->h, w->dict, &back, 3, 0, v, NULL);
	drop_all(w, v, 2 * n);
	n = CALL(dict_snapshot)(w->h, w->dict, &all, NULL);
	drop_all(w, all, 2 * n);
	free(all);
}

static void
read_deque(struct world *w)
{
	struct posh_value v[9], *all = NULL;
	uint64_t cursor = UINT64_MAX;
	int64_t n;

	CALL(deque_len)(w->h, w->deque, NULL);
	if (CALL(deque_get)(w->h, w->deque, -1, v) == 0)
		drop_all(w, v, 1);
	n = CALL(deque_read)(w->h, w->deque, &cursor, 9, 0, v, NULL);
	drop_all(w, v, n);
	n = CALL(deque_snapshot)(w->h, w->deque, &all, NULL);
	drop_all(w, all, n);
	free(all);
}

static void
prepare_tuple(struct world *w)
{
	make_in_place(w);
}

static void
read_others(struct world *w)
{
	struct posh_value t, v;
	posh_handle cls;
	size_t slots;
	char *s;

	if (CALL(list_get)(w->h, w->list, -1, &t) || t.type != POSH_OBJECT)
		return;
	CALL(object_hold)(w->h, t.object);
	CALL(object_kind)(w->h, t.object);
	CALL(tuple_len)(w->h, t.object);
	CALL(tuple_form)(w->h, t.object);
	if (CALL(tuple_get)(w->h, t.object, 0, &v) == 0) {
		s = CALL(value_utf8)(&v, NULL);
		free(s);
	}
	CALL(object_drop)(w->h, t.object);
	CALL(object_drop)(w->h, t.object);
	CALL(instance_class)(w->h, w->inst, &cls, &slots);
	CALL(instance_get)(w->h, w->inst, 0, &v);
}

/* What asks, and changes nothing. */
static void
ask(struct world *w)
{
	struct posh_stats st;

	CALL(version)();
	CALL(error_text)(-1);
	CALL(heap_id)(w->h);
	CALL(heap_fileno)(w->h);
	CALL(heap_place)(w->h, POSH_ROOT);
	CALL(object_locked)(w->h, w->list);
	CALL(heap_stats)(w->h, &st, sizeof(st));
	append_plain(w); /* one has to die somewhere */
}

/*
 * Memory
 */

/* Runs: blocks of several spans, made and freed. */
static void
run(struct world *w)
{
	static char big[200000];
	struct posh_value v = posh_bytes(big, sizeof(big));

	CALL(list_set)(w->h, w->list, 1, &v);
	between(w);
	v = posh_int(1);
	CALL(list_set)(w->h, w->list, 1, &v);
}

/* So much that its pages go back to the system. */
static void
prepare_hole(struct world *w)
{
	static char big[5 << 20];
	struct posh_value v = posh_bytes(big, sizeof(big));

	posh_list_set(w->h, w->list, 1, &v);
	v = posh_int(1);
	posh_list_set(w->h, w->list, 1, &v);
}

static void
hole(struct world *w)
{
	static char big[1 << 20];
	struct posh_value v = posh_bytes(big, sizeof(big));

	CALL(heap_reap)(w->h);
	CALL(list_set)(w->h, w->list, 1, &v);
}

/* Spans of a class, taken, emptied and given back. */
static void
spans(struct world *w)
{
	static char big[15000];
	struct posh_value v[5];
	int i;

	for (i = 0; i < 5; i++)
		v[i] = posh_bytes(big, sizeof(big));
	CALL(list_splice)(w->h, w->list, 1, 2, v, 5);
	between(w);
	CALL(list_delete)(w->h, w->list, 1, 6);
}

/* The heap grows. */
static void
grow_heap(struct world *w)
{
	static char big[3 << 20];
	struct posh_value v = posh_bytes(big, sizeof(big));

	CALL(list_set)(w->h, w->list, 1, &v);
}

/* The hold table is about to grow: full of what was there before. */
static void
prepare_holds(struct world *w)
{
	struct posh__holds *p = &w->h->holds;
	posh__word *t = posh__at(w->h, p->table);
	uint64_t i;

	for (i = 0; p->used < (UINT64_C(3) << p->bits) / 4; i++)
		if (!posh__load(&t[i])) {
			posh__store(&t[i], POSH__HOLD_TOMB);
			p->used++;
		}
	posh__private_store(&p->tight, 1);
}

static void
grow_holds(struct world *w)
{
	posh_handle o;

	CALL(list_new)(w->h, &o);
}

/*
 * Monitors, and the whole heap
 */

static void
transaction(struct world *w)
{
	CALL(object_lock)(w->h, w->list, -1);
	append_plain(w);
	CALL(object_unlock)(w->h, w->list);
}

/* Inside the monitors of more objects than the thread's entry names. */
static void
prepare_monitors(struct world *w)
{
	posh_handle o;
	int i;

	for (i = 0; i < POSH__HELD + 1; i++)
		if (posh_list_new(w->h, &o) == 0)
			posh_object_lock(w->h, o, -1);
}

static void
reap_and_check(struct world *w)
{
	CALL(heap_reap)(w->h);
	CALL(heap_check)(w->h, NULL, NULL);
}

/* A count that is one too high, as a death leaves it. */
static void
make_suspect(struct world *w, uint64_t block)
{
	posh__word *word = posh__block_word(w->h, block);

	*word = (*word + 1) | POSH__SUSPECT;
}

static void
prepare_recount(struct world *w)
{
	struct posh_value v;
	posh_handle o;
	uint64_t box, n;

	make_suspect(w, w->list.off);
	posh_list_new(w->h, &o);
	make_suspect(w, o.off);
	posh_object_drop(w->h, o);
	/* A box that nothing refers to: the text that dies here. */
	posh_list_get(w->h, w->list, 1, &v);
	n = posh__load(&posh__object(w->h, w->list.off)->body);
	box = posh__load((posh__word *)posh__at(w->h, n + 16 + 8)) &
	      POSH__HANDLE_MASK;
	make_suspect(w, box);
	v = posh_int(1);
	posh_list_set(w->h, w->list, 1, &v);
}

static void
recount(struct world *w)
{
	CALL(heap_reap)(w->h);
}

static void
prepare_collect(struct world *w)
{
	world_garbage(w);
}

static void
collect(struct world *w)
{
	CALL(heap_collect)(w->h);
}

enum { SAME = SCENARIO_SAME, LARGE = SCENARIO_LARGE, LONG = SCENARIO_LONG };

const struct scenario scenarios[] = {
	{"a plain value over a plain one", set_plain, 0, NULL},
	{"a text over a text", set_text, 0, NULL},
	{"an object over an object", set_object, 0, NULL},
	{"a tuple with an object, then one without", set_tuple, 0, NULL},
	{"a set with an object and a value of a class", set_forms, 0, NULL},
	{"append a plain value", append_plain, 0, NULL},
	{"append a text", scenario_append, 0, NULL},
	{"append, and the body grows", scenario_append, 0, prepare_full_list},
	{"extend by three", extend, 0, NULL},
	{"insert in the middle", insert, 0, NULL},
	{"pop a text", pop, 0, NULL},
	{"pop an object", pop_object, 0, NULL},
	{"pop, and the body shrinks", pop_plain, LARGE, prepare_shrink},
	{"delete a range", delete_range, 0, NULL},
	{"clear a list", clear_list, 0, NULL},
	{"splice", scenario_splice, 0, NULL},
	{"permute", permute, 0, NULL},
	{"reserve", reserve, SAME, NULL},
	{"deque: append, and the ring grows", deque_append, 0, NULL},
	{"deque: append", deque_append, 0, deque_room},
	{"deque: append a plain value", deque_plain, 0, deque_room},
	{"deque: append in two monitors", deque_plain, 0, prepare_plain_end},
	{"deque: append to a full one", deque_append, 0, prepare_full_deque},
	{"deque: append on the left", deque_appendleft, 0, deque_room},
	{"deque: extend", deque_extend, 0, NULL},
	{"deque: extend a full one", deque_extend, 0, prepare_full_deque},
	{"deque: extend on the left", deque_extendleft, 0, NULL},
	{"deque: pop", deque_pop, 0, NULL},
	{"deque: pop on the left", deque_popleft, 0, NULL},
	{"deque: pop a plain value", deque_popleft, 0, prepare_plain_end},
	{"deque: pop, and the ring shrinks", deque_pop, LARGE,
	 prepare_shrink_deque},
	{"deque: rotate", deque_rotate, 0, NULL},
	{"deque: rotate back", deque_rotate_back, 0, deque_append},
	{"deque: insert", deque_insert, 0, deque_room},
	{"deque: insert on the left", deque_insert_left, 0, deque_room},
	{"deque: delete", deque_delete, 0, NULL},
	{"deque: delete on the left", deque_delete_left, 0, NULL},
	{"deque: set", deque_set, 0, NULL},
	{"deque: set a plain value", deque_set_plain, 0, prepare_plain},
	{"deque: reverse", deque_reverse, 0, NULL},
	{"deque: clear", deque_clear, 0, NULL},
	{"deque: another bound", deque_bound, 0, NULL},
	{"dict: a plain value over a plain one", dict_plain, 0, NULL},
	{"dict: a text over a text", dict_text, 0, NULL},
	{"dict: a new key", dict_new, 0, NULL},
	{"dict: an opaque key", dict_opaque, 0, NULL},
	{"dict: a key with a value", dict_valued, 0, NULL},
	{"dict: grow", dict_new, 0, prepare_full_dict},
	{"dict: grow one with an opaque key", dict_distinct, 0,
	 prepare_full_opaque},
	{"dict: grow one whose keys have values", dict_new, 0,
	 prepare_full_valued},
	{"dict: pop", dict_pop, 0, NULL},
	{"dict: popitem", dict_popitem, 0, NULL},
	{"dict: pop the first", dict_popfirst, 0, NULL},
	{"dict: move to the end", dict_move_last, 0, NULL},
	{"dict: move to the end of a full one", dict_move_last, 0,
	 prepare_full_dict},
	{"dict: move to the beginning", dict_move_first, 0, prepare_front},
	{"dict: move to the beginning, and another body", dict_move_first, 0,
	 NULL},
	{"dict: clear", dict_clear, 0, NULL},
	{"dict: setdefault of a new key", dict_setdefault, 0, NULL},
	{"dict: setdefault of an old key", dict_keep, SAME, NULL},
	{"dict: update", scenario_update, 0, NULL},
	{"dict: update with keys of all kinds", dict_update_special, 0, NULL},
	{"dict: replace", dict_replace, 0, NULL},
	{"dict: replace by keys of all kinds", dict_replace_special, 0, NULL},
	{"set: add", set_add, 0, NULL},
	{"set: remove", set_remove, 0, NULL},
	{"set: update", set_update, 0, NULL},
	{"set: replace", set_replace, 0, NULL},
	{"set an attribute", set_attribute, 0, NULL},
	{"set an attribute to a plain value", set_attribute_plain, 0, NULL},
	{"delete an attribute", delete_attribute, 0, prepare_attribute},
	{"make the extra dict", make_extra, 0, NULL},
	{"make a class", make_class, 0, NULL},
	{"make and drop objects", make_and_drop, SAME, NULL},
	{"make a tuple in its place", make_in_place, 0, NULL},
	{"destroy a graph", scenario_destroy, SAME, NULL},
	{"buffer: overwrite bytes", write_bytes, 0, NULL},
	{"buffer: overwrite a word", write_word, 0, NULL},
	{"buffer: add bytes", add_bytes, 0, prepare_room},
	{"buffer: add bytes, and it grows", add_bytes, 0, NULL},
	{"buffer: cut the front", cut_front, 0, NULL},
	{"buffer: replace in the middle", cut_middle, 0, NULL},
	{"buffer: cut most, and it shrinks", cut_most, 0, prepare_large},
	{"make buffers", make_buffers, LARGE, NULL},
	{"read a buffer", read_buffer, SAME, NULL},
	{"read a list", read_list, SAME, NULL},
	{"read a dict", read_dict, SAME, prepare_keys},
	{"read a deque", read_deque, SAME, NULL},
	{"read tuples and instances", read_others, SAME, prepare_tuple},
	{"ask", ask, 0, NULL},
	{"a large run", run, 0, NULL},
	{"spans taken and given back", spans, 0, NULL},
	{"pages given back", hole, LARGE | LONG, prepare_hole},
	{"the heap grows", grow_heap, LARGE | LONG, NULL},
	{"the hold table grows", grow_holds, SAME, prepare_holds},
	{"a transaction", transaction, 0, NULL},
	{"many monitors", transaction, 0, prepare_monitors},
	{"reap and check", reap_and_check, SAME, NULL},
	{"recount suspects", recount, SAME, prepare_recount},
	{"collect circles", collect, SAME, prepare_collect},
	{NULL, NULL, 0, NULL},
};

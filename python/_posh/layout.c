/* SPDX-License-Identifier: MIT */
/* layout.c - the slots of a user class's attributes in one heap.
 *
 * A class of the heap is a growing list of attribute names, and a name's
 * place in it is the number of its slot.  A layout mirrors what this process
 * has seen of it: names never move, so what was found stays right.  That a
 * name has *no* slot is right only until another process adds one, which
 * changes the class's version.
 *
 * heap->layouts leads from a class_object, and from the handle of a class as
 * an int, to the layout.
 */
#include "sharing.h"

enum { SPARE = 2 }; /* slots of an instance for names to come */

static layout_object *
layout_new(class_object *cls, posh_handle handle)
{
	layout_object *l =
		PyObject_New(layout_object, posh_state->InstanceLayout);
	if (!l)
		return NULL;
	Py_INCREF(cls);
	l->cls = cls;
	l->handle = handle;
	memset(l->cache, 0, sizeof(l->cache));
	l->slots = PyDict_New();
	if (!l->slots) {
		Py_DECREF(l);
		return NULL;
	}
	return l;
}

struct layout_hot layout_hot[LAYOUT_HOT];

static void
cool(layout_object *l)
{
	for (int i = 0; i < LAYOUT_HOT; i++)
		if (layout_hot[i].layout == l)
			layout_hot[i].entry.tag = 0;
}

static void
layout_dealloc(PyObject *op)
{
	layout_object *l = (layout_object *)op;
	PyTypeObject *tp = Py_TYPE(op);
	cool(l);
	for (int i = 0; i < LAYOUT_CACHE; i++)
		Py_XDECREF(l->cache[i].name);
	Py_XDECREF(l->cls);
	Py_XDECREF(l->slots);
	PyObject_Free(op);
	Py_DECREF(tp);
}

int
layout_name(heap_object *heap, PyObject *name, struct posh_value *v, encoder *e)
{
	int rc;
	if (!PyUnicode_CheckExact(name) && PyUnicode_Check(name)) {
		name = PyUnicode_FromObject(name);
		if (!name || encoder_keep(e, name) < 0)
			return -ENOMEM;
	}
	rc = value_encode_plain(heap, name, v, e);
	return rc > 0 ? 0 : -EINVAL;
}

static int
ask(layout_object *l, heap_object *heap, PyObject *name, unsigned create)
{
	struct posh_value v;
	encoder e;
	int rc;
	encoder_init(&e, heap);
	rc = layout_name(heap, name, &v, &e);
	if (rc == 0)
		CALL(rc, posh_class_slot(heap->h, l->handle, &v, create));
	encoder_clear(&e);
	return rc;
}

int
layout_slot(layout_object *l, heap_object *heap, PyObject *name,
	    unsigned create)
{
	PyObject *number = PyDict_GetItemWithError(l->slots, name);
	int slot;
	if (number)
		return (int)PyLong_AsLong(number);
	if (PyErr_Occurred())
		return -2;
	slot = ask(l, heap, name, create);
	if (slot == -ENOENT || slot == -ERANGE)
		return -1;
	if (slot < 0) {
		if (!PyErr_Occurred())
			error_set(posh_state, slot);
		return -2;
	}
	number = PyLong_FromLong(slot);
	if (!number || PyDict_SetItem(l->slots, name, number) < 0)
		slot = -2;
	Py_XDECREF(number);
	return slot;
}

size_t
layout_room(layout_object *l, size_t n)
{
	size_t known = (size_t)PyDict_GET_SIZE(l->slots);
	size_t room = (n > known ? n : known) + SPARE;
	return room < POSH_CLASS_SLOTS ? room : POSH_CLASS_SLOTS;
}

static void
enter(struct layout_entry *e, const struct layout_entry *from)
{
	PyObject *old = e->name;
	Py_INCREF(from->name);
	*e = *from;
	Py_XDECREF(old);
}

void
layout_note(layout_object *l, PyObject *name, PyObject *descr, int slot,
	    int data, uint64_t version)
{
	PyTypeObject *type = l->cls->type;
	struct layout_hot *hot = layout_hot_entry(type, name);
	struct layout_entry e = {name,       descr,          slot,
				 (char)data, type_tag(type), version};
	enter(layout_entry(l, name), &e);
	enter(&hot->entry, &e);
	hot->type = type;
	hot->layout = l;
	hot->offset = l->cls->offset;
}

/* Give all names that are known beforehand their slots. */
static int
add_names(layout_object *l, heap_object *heap)
{
	PyObject *names = l->cls->names;
	for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++)
		if (layout_slot(l, heap, PyTuple_GET_ITEM(names, i), 1) == -2)
			return -1;
	return 0;
}

static int
remember(heap_object *heap, layout_object *l)
{
	PyObject *key;
	int rc;
	if (!heap->layouts && !(heap->layouts = PyDict_New()))
		return -1;
	if (PyDict_SetItem(heap->layouts, (PyObject *)l->cls, (PyObject *)l))
		return -1;
	if (!l->cls->current)
		return 0;
	key = PyLong_FromUnsignedLongLong(l->handle.off);
	rc = key ? PyDict_SetItem(heap->layouts, key, (PyObject *)l) : -1;
	Py_XDECREF(key);
	return rc;
}

static layout_object *
recall(heap_object *heap, PyObject *key)
{
	PyObject *found = NULL;
	if (heap->layouts)
		found = PyDict_GetItemWithError(heap->layouts, key);
	Py_XINCREF(found);
	return (layout_object *)found;
}

layout_object *
layout_of_class(heap_object *heap, class_object *cls)
{
	layout_object *l = recall(heap, (PyObject *)cls);
	const char *name;
	posh_handle handle;
	int rc;
	if (l || PyErr_Occurred())
		return l;
	name = PyUnicode_AsUTF8(cls->name);
	if (!name)
		return NULL;
	CALL(rc, posh_class_intern(heap->h, name, &handle));
	if (rc < 0)
		return (layout_object *)error_set(posh_state, rc);
	l = layout_new(cls, handle);
	if (l && (add_names(l, heap) < 0 || remember(heap, l) < 0))
		Py_CLEAR(l);
	return l;
}

layout_object *
layout_of_handle(heap_object *heap, posh_handle handle)
{
	PyObject *key = PyLong_FromUnsignedLongLong(handle.off);
	layout_object *l = NULL;
	class_object *cls;
	struct posh_value v;
	PyObject *name;
	int rc;
	if (key)
		l = recall(heap, key);
	Py_XDECREF(key);
	if (PyErr_Occurred())
		return NULL;
	if (l && l->cls->current)
		return l;
	Py_CLEAR(l);
	CALL(rc, posh_list_get(heap->h, handle, 0, &v));
	if (rc < 0)
		return (layout_object *)error_set(posh_state, rc);
	name = value_decode(heap, &v);
	if (!name)
		return NULL;
	cls = class_resolve(name);
	Py_DECREF(name);
	return cls ? layout_of_class(heap, cls) : NULL;
}

static PyType_Slot layout_slots[] = {{Py_tp_dealloc, layout_dealloc},
				     {0, NULL}};

static PyType_Spec layout_spec = {
	.name = "posh._posh.InstanceLayout",
	.basicsize = sizeof(layout_object),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = layout_slots,
};

int
layout_exec(PyObject *module, module_state *state)
{
	return type_add(module, &layout_spec, &state->InstanceLayout);
}

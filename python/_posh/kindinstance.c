/* SPDX-License-Identifier: MIT */
/* kindinstance.c - what share() and unshare() do with instances of user
 * classes. */
#include "sharing.h"

/* Set the heap for what is made by T(...), or with NULL no one. */
static int
set_current_heap(PyObject *heap)
{
	PyObject *dict = PyThreadState_GetDict();
	if (!dict)
		return PyErr_NoMemory(), -1;
	return PyDict_SetItemString(dict, "posh.heap", heap ? heap : Py_None);
}

/* Run the class's init(S, x), whose result is the copy. */
static PyObject *
call_init(sharer *s, PyObject *x, class_object *cls)
{
	PyObject *dict = PyThreadState_GetDict(), *type, *value, *tb;
	PyObject *before, *r;
	before = dict ? PyDict_GetItemString(dict, "posh.heap") : NULL;
	Py_XINCREF(before);
	r = NULL;
	if (set_current_heap((PyObject *)s->heap) == 0)
		r = PyObject_CallFunctionObjArgs(cls->init, cls->type, x, NULL);
	PyErr_Fetch(&type, &value, &tb);
	if (set_current_heap(before) < 0)
		Py_CLEAR(r);
	if (type)
		PyErr_Restore(type, value, tb);
	Py_XDECREF(before);
	return r;
}

static enum outcome
add_initialised(sharer *s, PyObject *x, class_object *cls, struct posh_value *v)
{
	heap_object *heap;
	posh_handle o;
	PyObject *p = call_init(s, x, cls);
	int rc;
	if (!p)
		return FAILED;
	if (proxy_check(posh_state, p, &heap, &o) == POSH_KIND_NONE ||
	    heap->h != s->heap->h) {
		PyErr_Format(PyExc_TypeError,
			     "init of '%.200s' has to return a new shared "
			     "object, not '%.200s'",
			     cls->base->tp_name, Py_TYPE(p)->tp_name);
		Py_DECREF(p);
		return FAILED;
	}
	*v = posh_object(o);
	rc = sharer_note(s, x, o, p);
	Py_DECREF(p);
	return rc < 0 ? FAILED : ADDED;
}

/* Some classes are made shareable when an instance is first met. */
static int
adopt(PyTypeObject *type, class_object **cls)
{
	PyObject *r;
	if (!posh_state->adopt)
		return 0;
	r = PyObject_CallOneArg(posh_state->adopt, (PyObject *)type);
	if (!r)
		return -1;
	Py_DECREF(r);
	*cls = class_find(type);
	return 0;
}

static enum outcome
instance_fresh(sharer *s, PyObject *x, struct posh_value *v)
{
	class_object *cls = class_find(Py_TYPE(x));
	layout_object *l;
	size_t n = 0;
	if (!cls && adopt(Py_TYPE(x), &cls) < 0)
		return FAILED;
	if (!cls || cls->base != Py_TYPE(x))
		return sharer_refuse(s, x, NULL);
	if (cls->init)
		return add_initialised(s, x, cls, v);
	l = layout_of_class(s->heap, cls);
	if (!l)
		return FAILED;
	if (Py_TYPE(x)->tp_dictoffset) {
		PyObject *dict = PyObject_GenericGetDict(x, NULL);
		n = dict ? (size_t)PyDict_GET_SIZE(dict) : 0;
		Py_XDECREF(dict);
		PyErr_Clear();
	}
	*v = posh_fresh(POSH_KIND_INSTANCE);
	v->object = l->handle;
	v->size = layout_room(l, n);
	Py_DECREF(l);
	return ADDED;
}

static int
instance_make(heap_object *heap, struct posh_value *v, posh_handle *o)
{
	return posh_instance_new(heap->h, v->object, v->size, o);
}

/* The content of an object whose class derives from a mutable builtin. */
static int
fill_content(sharer *s, PyObject *x, posh_handle o, layout_object *l)
{
	PyObject *plain = PyObject_CallFunctionObjArgs(
		posh_state->plain_content, x, l->cls->builtin, NULL);
	int rc = -1;
	if (plain && sharer_add(s, plain) == ADDED &&
	    instance_put(s->heap, o, l, posh_state->content_name, s->v) == 0)
		rc = sharer_done(s, 0);
	Py_XDECREF(plain);
	return rc;
}

/* Is the order of the names that which they have in the heap: by slot, and
 * what has none last?  1, 0, or -1. */
static int
in_order(heap_object *heap, posh_handle o, layout_object *l, PyObject *state)
{
	PyObject *name, *value;
	Py_ssize_t at = 0;
	posh_handle cls;
	size_t count, last = 0, rank;
	int rc;
	CALL(rc, posh_instance_class(heap->h, o, &cls, &count));
	if (rc < 0)
		return error_set(posh_state, rc), -1;
	while (PyDict_Next(state, &at, &name, &value)) {
		int slot = layout_slot(l, heap, name, 0);
		if (slot == -2)
			return -1;
		rank = slot < 0 || (size_t)slot > count ? count : (size_t)slot;
		if (rank < last)
			return 0;
		last = rank;
	}
	return 1;
}

/* Write the order down where it is another. */
static int
fill_order(sharer *s, posh_handle o, layout_object *l, PyObject *state)
{
	PyObject *names;
	int rc = l->cls->closed ? 1 : in_order(s->heap, o, l, state);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	names = PySequence_Tuple(state);
	rc = -1;
	if (names && sharer_add(s, names) == ADDED &&
	    instance_put(s->heap, o, l, posh_state->order_name, s->v) == 0)
		rc = sharer_done(s, 0);
	Py_XDECREF(names);
	return rc;
}

static int
fill_instance(sharer *s, PyObject *x, posh_handle o)
{
	PyObject *state = instance_plain_state(x), *name, *value;
	layout_object *l = NULL;
	Py_ssize_t at = 0;
	int rc = -1;
	if (state)
		l = layout_of_class(s->heap, class_find(Py_TYPE(x)));
	while (l && (rc = PyDict_Next(state, &at, &name, &value)) != 0) {
		rc = -1;
		if (!PyUnicode_Check(name)) {
			sharer_refuse(s, x, "attribute");
			break;
		}
		if (sharer_add(s, value) != ADDED ||
		    instance_put(s->heap, o, l, name, s->v) < 0 ||
		    sharer_done(s, 0) < 0)
			break;
	}
	if (l && rc == 0)
		rc = fill_order(s, o, l, state);
	if (l && rc == 0 && l->cls->content)
		rc = fill_content(s, x, o, l);
	Py_XDECREF(state);
	Py_XDECREF(l);
	return rc;
}

static PyObject *
instance_empty(copier *c, posh_handle o)
{
	posh_handle cls;
	size_t slots;
	layout_object *l;
	PyObject *x;
	int rc;
	CALL(rc, posh_instance_class(c->heap->h, o, &cls, &slots));
	if (rc < 0)
		return error_set(posh_state, rc);
	l = layout_of_handle(c->heap, cls);
	if (!l)
		return NULL;
	x = instance_plain(l->cls);
	Py_DECREF(l);
	return x;
}

/* It is given its content when all copies are made. */
static int
refill_content(copier *c, posh_handle o, layout_object *l, PyObject *copy)
{
	int slot = layout_slot(l, c->heap, posh_state->content_name, 0), rc;
	struct posh_value v;
	PyObject *content, *item;
	if (slot < 0)
		return slot == -1 ? 0 : -1;
	CALL(rc, posh_instance_get(c->heap->h, o, (size_t)slot, &v));
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return error_set(posh_state, rc), -1;
	content = copier_copy(c, &v);
	item = content ? PyTuple_Pack(3, copy, l->cls->builtin, content) : NULL;
	rc = item ? PyList_Append(c->contents, item) : -1;
	Py_XDECREF(content);
	Py_XDECREF(item);
	return rc;
}

static int
refill_instance(copier *c, posh_handle o, PyObject *copy)
{
	posh_handle cls;
	size_t slots;
	layout_object *l;
	PyObject *dict = NULL, *name, *value;
	Py_ssize_t at = 0;
	int rc;
	CALL(rc, posh_instance_class(c->heap->h, o, &cls, &slots));
	if (rc < 0)
		return error_set(posh_state, rc), -1;
	l = layout_of_handle(c->heap, cls);
	if (l)
		dict = instance_attributes(c->heap, o, l, c);
	if (!dict)
		rc = -1;
	if (rc == 0 && l->cls->content)
		rc = refill_content(c, o, l, copy);
	Py_XDECREF(l);
	while (rc == 0 && PyDict_Next(dict, &at, &name, &value))
		rc = instance_plain_set(copy, name, value);
	Py_XDECREF(dict);
	return rc;
}

const struct kind kind_instance = {instance_fresh, instance_make,
				   fill_instance,  instance_wrap,
				   instance_empty, refill_instance};

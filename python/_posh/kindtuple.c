/* SPDX-License-Identifier: MIT */
/* kindtuple.c - what share() and unshare() do with tuples that have objects in
 * them, and how those are read: as plain tuples, whose items are proxies; or as
 * what they stand for (form.c). */
#include "sharing.h"

/* A set is made at once: its items are keys. */
static enum outcome
tuple_fresh(sharer *s, PyObject *x, struct posh_value *v)
{
	form_object *f;
	unsigned form = POSH_FORM_PLAIN;
	size_t n;
	if (PyTuple_CheckExact(x)) {
		n = (size_t)PyTuple_GET_SIZE(x);
	} else {
		f = form_of(x);
		if (!f)
			return PyErr_Occurred() ? FAILED
						: sharer_refuse(s, x, NULL);
		form = f->form;
		n = (size_t)PyTuple_GET_SIZE(f->items);
		Py_DECREF((PyObject *)f);
	}
	if (form == POSH_FORM_SET)
		return sharer_add_parts(s, x, v);
	*v = posh_fresh(POSH_KIND_TUPLE);
	v->size = n;
	v->width = (uint8_t)form;
	return ADDED;
}

/* A tuple is made in its place in a list, which then goes away. */
static int
tuple_make(heap_object *heap, struct posh_value *v, posh_handle *o)
{
	posh_heap *h = heap->h;
	posh_handle list;
	int rc = posh_list_new(h, &list);
	if (rc < 0)
		return rc;
	CALL(rc, posh_list_append(h, list, v));
	if (rc == 0)
		CALL(rc, posh_object_hold(h, v->object));
	heap_drop(heap, list);
	*o = v->object;
	return rc;
}

static int
fill_form(sharer *s, PyObject *x, posh_handle o)
{
	form_object *f = form_of(x);
	int rc = -1;
	if (f)
		rc = kind_tuple.fill(s, f->items, o);
	else if (!PyErr_Occurred())
		sharer_refuse(s, x, NULL);
	Py_XDECREF((PyObject *)f);
	return rc;
}

static int
fill_tuple(sharer *s, PyObject *x, posh_handle o)
{
	if (!PyTuple_CheckExact(x))
		return fill_form(s, x, o);
	for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(x); i++) {
		int rc;
		if (sharer_add(s, PyTuple_GET_ITEM(x, i)) != ADDED)
			return -1;
		CALL(rc, posh_tuple_init(s->heap->h, o, (size_t)i, s->v));
		if (sharer_done(s, rc) < 0)
			return -1;
	}
	return 0;
}

/* Is it a tuple with a form?  Then its hold is given back. */
static bool
has_form(heap_object *heap, const struct posh_value *v)
{
	if (v->type == POSH_TUPLE)
		return v->width != POSH_FORM_PLAIN;
	if (v->type != POSH_OBJECT || v->kind != POSH_KIND_TUPLE ||
	    posh_tuple_form(heap->h, v->object) == POSH_FORM_PLAIN)
		return false;
	heap_drop(heap, v->object);
	return true;
}

/* Read a tuple that is an object; the caller keeps it held. */
static PyObject *
tuple_read(heap_object *heap, posh_handle o)
{
	int form;
	int64_t n;
	struct posh_value v;
	PyObject *t;
	PyObject *x;
	int64_t i;
	int rc;

	CALL(n, posh_tuple_len(heap->h, o));
	CALL(form, posh_tuple_form(heap->h, o));
	if (n < 0 || form < 0)
		return error_set(heap->state, n < 0 ? n : form);
	t = PyTuple_New((Py_ssize_t)n);
	for (i = 0; t && i < n; i++) {
		CALL(rc, posh_tuple_get(heap->h, o, (size_t)i, &v));
		if (rc)
			x = error_set(heap->state, rc);
		else if (form_is_key((unsigned)form, n, i) &&
			 has_form(heap, &v))
			x = Py_NewRef(Py_None);
		else
			x = value_decode(heap, &v);
		if (x)
			PyTuple_SET_ITEM(t, (Py_ssize_t)i, x);
		else
			Py_CLEAR(t);
	}
	return t ? form_build((unsigned)form, t) : NULL;
}

static PyObject *
tuple_wrap(heap_object *heap, posh_handle o)
{
	PyObject *t = NULL;

	/* A damaged heap may have a tuple inside itself. */
	if (!Py_EnterRecursiveCall(" while reading a tuple")) {
		t = tuple_read(heap, o);
		Py_LeaveRecursiveCall();
	}
	heap_drop(heap, o);
	return t;
}

/* Copy what stands for something else, which is made of its items: the tuples
 * among them are copied at once, too. */
static PyObject *
copy_now(copier *c, posh_handle o)
{
	Py_ssize_t n = (Py_ssize_t)posh_tuple_len(c->heap->h, o);
	int form = posh_tuple_form(c->heap->h, o), rc;
	struct posh_value v;
	PyObject *t, *x;
	if (n < 0 || form < 0)
		return error_set(posh_state, n < 0 ? n : form);
	if (Py_EnterRecursiveCall(" while copying a tuple"))
		return NULL;
	t = PyTuple_New(n);
	for (Py_ssize_t i = 0; t && i < n; i++) {
		CALL(rc, posh_tuple_get(c->heap->h, o, (size_t)i, &v));
		if (rc < 0) {
			x = error_set(posh_state, rc);
		} else if (form_is_key((unsigned)form, n, i) &&
			   has_form(c->heap, &v)) {
			x = Py_NewRef(Py_None);
		} else if (v.type == POSH_OBJECT && v.kind == POSH_KIND_TUPLE) {
			x = copy_now(c, v.object);
			heap_drop(c->heap, v.object);
		} else {
			x = copier_copy(c, &v);
		}
		if (x)
			PyTuple_SET_ITEM(t, i, x);
		else
			Py_CLEAR(t);
	}
	Py_LeaveRecursiveCall();
	return t ? form_build((unsigned)form, t) : NULL;
}

static PyObject *
tuple_empty(copier *c, posh_handle o)
{
	Py_ssize_t n = (Py_ssize_t)posh_tuple_len(c->heap->h, o);
	int form = posh_tuple_form(c->heap->h, o);
	PyObject *t;
	if (n < 0 || form < 0)
		return error_set(posh_state, n < 0 ? n : form);
	if (form != POSH_FORM_PLAIN)
		return copy_now(c, o);
	t = PyTuple_New(n);
	for (Py_ssize_t i = 0; t && i < n; i++) {
		Py_INCREF(Py_None);
		PyTuple_SET_ITEM(t, i, Py_None);
	}
	return t;
}

static int
refill_tuple(copier *c, posh_handle o, PyObject *copy)
{
	if (posh_tuple_form(c->heap->h, o) != POSH_FORM_PLAIN)
		return 0;
	for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(copy); i++) {
		struct posh_value v;
		PyObject *x, *old = PyTuple_GET_ITEM(copy, i);
		int rc;
		CALL(rc, posh_tuple_get(c->heap->h, o, (size_t)i, &v));
		if (rc < 0)
			return error_set(posh_state, rc), -1;
		x = copier_copy(c, &v);
		if (!x)
			return -1;
		PyTuple_SET_ITEM(copy, i, x);
		Py_DECREF(old);
	}
	return 0;
}

const struct kind kind_tuple = {tuple_fresh, tuple_make,  fill_tuple,
				tuple_wrap,  tuple_empty, refill_tuple};

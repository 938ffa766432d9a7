/* SPDX-License-Identifier: MIT */
/* listops.c - operations on all elements of a shared list.
 *
 * What gives a new object works on a plain snapshot and lets the builtin
 * do it.  Searching reads batch by batch, and falls back on a snapshot if
 * the list changes meanwhile: the answer is true of one moment.
 */
#include "list.h"

/* The plain list of an operand, or NULL without an exception if it is no
 * list at all. */
static PyObject *
plain_list(PyObject *x)
{
	if (is_list_proxy(posh_state, x))
		return list_snapshot((proxy_object *)x);
	if (PyList_Check(x))
		return Py_NewRef(x);
	return NULL;
}

PyObject *
list_repr(PyObject *self)
{
	return proxy_repr(self, list_snapshot, "[...]");
}

PyObject *
list_richcompare(PyObject *self, PyObject *other, int op)
{
	PyObject *a, *b;
	PyObject *r = NULL;

	if (!PyList_Check(other) && !is_list_proxy(posh_state, other))
		Py_RETURN_NOTIMPLEMENTED;
	a = plain_list(self);
	b = a ? plain_list(other) : NULL;
	if (b)
		r = PyObject_RichCompare(a, b, op);
	Py_XDECREF(a);
	Py_XDECREF(b);
	return r;
}

/*
 * Operators.
 */

PyObject *
list_add(PyObject *a, PyObject *b)
{
	PyObject *x, *y;
	PyObject *r = NULL;

	x = plain_list(a);
	if (!x && !PyErr_Occurred())
		Py_RETURN_NOTIMPLEMENTED;
	y = x ? plain_list(b) : NULL;
	if (y && is_list_proxy(posh_state, a))
		r = PySequence_Concat(x, y);
	else if (y)
		r = proxy_reflected_add(x, y);
	else if (!PyErr_Occurred())
		r = Py_NewRef(Py_NotImplemented);
	Py_XDECREF(x);
	Py_XDECREF(y);
	return r;
}

PyObject *
list_concat(PyObject *self, PyObject *other)
{
	PyObject *a = list_snapshot((proxy_object *)self);
	PyObject *b = a ? plain_operand(posh_state, other) : NULL;
	PyObject *r = b ? PySequence_Concat(a, b) : NULL;

	Py_XDECREF(a);
	Py_XDECREF(b);
	return r;
}

PyObject *
list_repeat(PyObject *self, Py_ssize_t n)
{
	PyObject *list = list_snapshot((proxy_object *)self);
	PyObject *r = list ? PySequence_Repeat(list, n) : NULL;

	Py_XDECREF(list);
	return r;
}

/* Append the elements as they are another n - 1 times. */
static int
repeat_locked(proxy_object *p, size_t n, encoder *e)
{
	PyObject *list = list_snapshot(p);
	struct posh_value *v;
	size_t size, i;
	int rc;

	if (!list || encoder_keep(e, list) < 0)
		return -1;
	size = (size_t)PyList_GET_SIZE(list);
	if (!size || n == 1)
		return 0;
	if (n > PY_SSIZE_T_MAX / sizeof(*v) / size) {
		PyErr_NoMemory();
		return -1;
	}
	v = encoder_alloc(e, (n - 1) * size * sizeof(*v));
	if (!v)
		return -1;
	for (i = 0; i < size; i++)
		if (value_encode(p->heap, PyList_GET_ITEM(list, (Py_ssize_t)i),
				 &v[i], e) < 0)
			return -1;
	for (; i < (n - 1) * size; i++)
		v[i] = v[i - size];
	WRITE(p, rc, posh_list_extend(HEAP(p), p->handle, v, (n - 1) * size));
	return rc ? proxy_failed(p, rc) : 0;
}

PyObject *
list_inplace_repeat(PyObject *self, Py_ssize_t n)
{
	proxy_object *p = (proxy_object *)self;
	encoder e;
	int rc;

	if (proxy_lock(p) < 0)
		return NULL;
	encoder_init(&e, p->heap);
	if (n > 0) {
		rc = repeat_locked(p, (size_t)n, &e);
	} else {
		WRITE(p, rc, posh_list_delete(HEAP(p), p->handle, 0, SIZE_MAX));
		if (rc)
			proxy_error(p, rc);
	}
	proxy_unlock(p);
	encoder_clear(&e);
	return rc ? NULL : Py_NewRef(self);
}

/*
 * Searching.
 */

enum { BATCH = 64 };

enum { MOVED = -3, ERROR = -2, NOWHERE = -1 };

/* A search: x, and how far it is. */
struct search {
	PyObject *x;
	Py_ssize_t at;
	Py_ssize_t count; /* of those that are equal */
	bool all;         /* count them all instead of stopping at the first */
};

/* Compare without making an object, for the commonest types: 1, 0, or -1
 * if that can't be said. */
static int
quick(const struct posh_value *v, PyObject *x)
{
	int64_t i;

	if (v->type == POSH_OBJECT || v->type == POSH_TUPLE)
		return -1;
	if (PyUnicode_CheckExact(x)) {
		if (v->type != POSH_STR)
			return 0;
		return v->size == (size_t)PyUnicode_GET_LENGTH(x) &&
		       v->width == PyUnicode_KIND(x) &&
		       !memcmp(v->data, PyUnicode_DATA(x), v->size * v->width);
	}
	if (small_int(x, &i)) {
		if (v->type == POSH_INT)
			return v->i == i;
		return v->type == POSH_STR || v->type == POSH_NONE ? 0 : -1;
	}
	return x == Py_None ? v->type == POSH_NONE : -1;
}

/* Go through items that were decoded: an index, NOWHERE, or ERROR. */
static Py_ssize_t
search_items(struct search *s, PyObject *const *item, Py_ssize_t n)
{
	PyObject *x;
	Py_ssize_t i;
	int equal;

	for (i = 0; i < n; i++) {
		x = Py_NewRef(item[i]);
		equal = PyObject_RichCompareBool(x, s->x, Py_EQ);
		Py_DECREF(x);
		if (equal < 0)
			return ERROR;
		if (!equal)
			continue;
		s->count++;
		if (!s->all)
			return s->at + i;
	}
	s->at += n;
	return NOWHERE;
}

static Py_ssize_t
search_decoded(proxy_object *p, struct search *s, struct posh_value *v,
	       Py_ssize_t n)
{
	PyObject *item[BATCH];
	Py_ssize_t r, i;

	if (value_decode_array(p->heap, v, (size_t)n, item) < 0)
		return ERROR;
	r = search_items(s, item, n);
	for (i = 0; i < n; i++)
		Py_DECREF(item[i]);
	return r;
}

/* Go through values as they were read; consumes their holds. */
static Py_ssize_t
search_values(proxy_object *p, struct search *s, struct posh_value *v,
	      Py_ssize_t n)
{
	Py_ssize_t count = 0;
	Py_ssize_t i;
	int equal;

	for (i = 0; i < n; i++) {
		equal = quick(&v[i], s->x);
		if (equal < 0)
			return search_decoded(p, s, v, n);
		count += equal;
		if (equal && !s->all)
			break;
	}
	value_drop_array(p->heap, v + i, (size_t)(n - i));
	s->count += count;
	s->at += i;
	return i < n ? s->at : NOWHERE;
}

static Py_ssize_t
search_live(proxy_object *p, struct search *s)
{
	struct posh_value v[BATCH];
	uint64_t version, first = 0, writes = p->writes;
	Py_ssize_t r;
	int64_t n;

	for (;;) {
		CALL(n, posh_list_read(HEAP(p), p->handle, (size_t)s->at, BATCH,
				       0, v, &version));
		if (n < 0)
			return proxy_failed(p, n), ERROR;
		if (s->at == 0)
			first = version;
		if (version != first || p->writes != writes) {
			value_drop_array(p->heap, v, (size_t)n);
			return MOVED;
		}
		if (!n)
			return NOWHERE;
		r = search_values(p, s, v, (Py_ssize_t)n);
		if (r != NOWHERE)
			return r;
	}
}

/* Find x, or count it: an index, NOWHERE or ERROR. */
static Py_ssize_t
search(proxy_object *p, struct search *s)
{
	Py_ssize_t r = search_live(p, s);
	PyObject *list;

	if (r != MOVED)
		return r;
	list = list_snapshot(p);
	if (!list)
		return ERROR;
	s->at = s->count = 0;
	r = search_items(s, PySequence_Fast_ITEMS(list), PyList_GET_SIZE(list));
	Py_DECREF(list);
	return r;
}

int
list_contains(PyObject *self, PyObject *x)
{
	struct search s = {x, 0, 0, false};
	Py_ssize_t i = search((proxy_object *)self, &s);

	return i == ERROR ? -1 : i != NOWHERE;
}

PyObject *
list_index(METHOD_ARGS)
{
	struct search s = {NULL, 0, 0, false};
	PyObject *list;
	PyObject *r;
	Py_ssize_t i;

	if (nargs != 1 || kwnames) {
		list = list_snapshot((proxy_object *)self);
		r = list ? proxy_delegate(list, "index", args, nargs, kwnames)
			 : NULL;
		Py_XDECREF(list);
		return r;
	}
	s.x = args[0];
	i = search((proxy_object *)self, &s);
	if (i == NOWHERE)
		return LIST_MISUSE("index");
	return i == ERROR ? NULL : PyLong_FromSsize_t(i);
}

PyObject *
list_count(METHOD_ARGS)
{
	struct search s = {NULL, 0, 0, true};

	if (nargs != 1 || kwnames)
		return LIST_MISUSE("count");
	s.x = args[0];
	if (search((proxy_object *)self, &s) == ERROR)
		return NULL;
	return PyLong_FromSsize_t(s.count);
}

PyObject *
list_remove(METHOD_ARGS)
{
	proxy_object *p = (proxy_object *)self;
	struct search s = {NULL, 0, 0, false};
	Py_ssize_t i;
	int rc = 0;

	if (nargs != 1 || kwnames)
		return LIST_MISUSE("remove");
	if (proxy_lock(p) < 0)
		return NULL;
	s.x = args[0];
	i = search(p, &s);
	if (i >= 0) {
		WRITE(p, rc,
		      posh_list_delete(HEAP(p), p->handle, (size_t)i,
				       (size_t)i + 1));
		if (rc)
			proxy_error(p, rc);
	}
	proxy_unlock(p);
	if (i == NOWHERE)
		return LIST_MISUSE("remove");
	if (i < 0 || rc)
		return NULL;
	Py_RETURN_NONE;
}

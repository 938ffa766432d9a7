/* SPDX-License-Identifier: MIT */
/* dictops.c - operations on all items of a shared dict. */
#include "dict.h"

PyObject *
dict_repr(PyObject *self)
{
	return proxy_repr(self, dict_snapshot, "{...}");
}

static bool
is_dict(PyObject *x)
{
	return PyDict_Check(x) || is_dict_proxy(posh_state, x);
}

PyObject *
dict_richcompare(PyObject *self, PyObject *other, int op)
{
	if (!is_dict(other) || (op != Py_EQ && op != Py_NE))
		Py_RETURN_NOTIMPLEMENTED;
	return proxy_compare(self, other, op);
}

PyObject *
dict_or(PyObject *a, PyObject *b)
{
	PyObject *x, *y;
	PyObject *r = NULL;

	if (!is_dict(a) || !is_dict(b))
		Py_RETURN_NOTIMPLEMENTED;
	x = plain_operand(posh_state, a);
	y = x ? plain_operand(posh_state, b) : NULL;
	if (y)
		r = PyNumber_Or(x, y);
	Py_XDECREF(x);
	Py_XDECREF(y);
	return r;
}

PyObject *
dict_inplace_or(PyObject *self, PyObject *other)
{
	if (dict_merge((proxy_object *)self, other, NULL) < 0)
		return NULL;
	return Py_NewRef(self);
}

/*
 * Update.
 */

/* Let the builtin read the arguments, whatever they are. */
static PyObject *
gather(PyObject *other, PyObject *kwds)
{
	PyObject *dict = PyDict_New();
	PyObject *update = NULL, *args = NULL, *r = NULL;

	if (!dict)
		return NULL;
	update = PyObject_GetAttrString(dict, "update");
	if (other)
		other = plain_operand(posh_state, other);
	else
		args = PyTuple_New(0);
	if (other)
		args = PyTuple_Pack(1, other);
	if (update && args)
		r = PyObject_Call(update, args, kwds);
	if (!r)
		Py_CLEAR(dict);
	Py_XDECREF(r);
	Py_XDECREF(args);
	Py_XDECREF(other);
	Py_XDECREF(update);
	return dict;
}

enum { UNRESOLVED = 0 }; /* type of a key that Python has to compare */

/* Encode all items, but for keys that Python has to compare. */
static struct posh_value *
encode_items(proxy_object *p, PyObject *items, encoder *e)
{
	size_t n = (size_t)PyList_GET_SIZE(items);
	struct posh_value *v = encoder_alloc(e, 2 * n * sizeof(*v));
	PyObject *pair;
	size_t i;
	int how;

	for (i = 0; v && i < n; i++) {
		pair = PyList_GET_ITEM(items, (Py_ssize_t)i);
		how = key_encode(p, PyTuple_GET_ITEM(pair, 0), &v[2 * i], e);
		if (how == KEY_SLOW)
			v[2 * i].type = UNRESOLVED;
		if (how < 0 || value_encode(p->heap, PyTuple_GET_ITEM(pair, 1),
					    &v[2 * i + 1], e) < 0)
			return NULL;
	}
	return v;
}

/* Compare all keys with those that only Python can compare. */
static int
settle_keys(proxy_object *p, PyObject *items, struct posh_value *v, encoder *e)
{
	Py_ssize_t i;
	int rc;

	for (i = 0; i < PyList_GET_SIZE(items); i++) {
		struct posh_value *k = &v[2 * i];
		PyObject *key = PyTuple_GET_ITEM(PyList_GET_ITEM(items, i), 0);

		CALL(rc, posh_dict_get(HEAP(p), p->handle, k, NULL));
		if (rc == -ENOTUNIQ && key_settle(p, key, k, e) < 0)
			return -1;
		if (rc && rc != -ENOENT && rc != -ENOTUNIQ)
			return proxy_failed(p, rc);
		k->flags |= POSH_DISTINCT;
	}
	return 0;
}

static int
update_locked(proxy_object *p, PyObject *items, struct posh_value *v,
	      encoder *e, unsigned flags)
{
	size_t n = (size_t)PyList_GET_SIZE(items);
	int64_t before, after;
	PyObject *key;
	size_t i;
	int rc;

	for (i = 0; i < n; i++) {
		if (v[2 * i].type != UNRESOLVED)
			continue;
		key = PyTuple_GET_ITEM(PyList_GET_ITEM(items, (Py_ssize_t)i),
				       0);
		/* Keys that replace all others differ from one another. */
		if ((flags & POSH_REPLACE ? key_new(p, key, &v[2 * i], e)
					  : key_make(p, key, &v[2 * i], e)) < 0)
			return -1;
	}
	CALL(before, posh_dict_len(HEAP(p), p->handle));
	WRITE(p, rc, posh_dict_update(HEAP(p), p->handle, v, n, flags));
	if (rc == -ENOTUNIQ) {
		if (settle_keys(p, items, v, e) < 0)
			return -1;
		WRITE(p, rc, posh_dict_update(HEAP(p), p->handle, v, n, flags));
	}
	CALL(after, posh_dict_len(HEAP(p), p->handle));
	if (rc < 0)
		return proxy_failed(p, rc);
	p->added += after;
	if (flags & POSH_REPLACE)
		p->removed += before;
	else
		p->added -= before;
	return 0;
}

static int
apply(proxy_object *p, PyObject *dict, unsigned flags)
{
	PyObject *items = PyDict_Items(dict);
	struct posh_value *v;
	encoder e;
	int rc = -1;

	if (!items)
		return -1;
	encoder_init(&e, p->heap);
	v = encode_items(p, items, &e);
	if (v && PyList_GET_SIZE(items) == 0 && !(flags & POSH_REPLACE)) {
		rc = 0;
	} else if (v && proxy_lock(p) == 0) {
		rc = update_locked(p, items, v, &e, flags);
		proxy_unlock(p);
	}
	encoder_clear(&e);
	Py_DECREF(items);
	return rc;
}

int
dict_merge(proxy_object *p, PyObject *other, PyObject *kwds)
{
	PyObject *dict = gather(other, kwds);
	int rc = dict ? apply(p, dict, 0) : -1;

	Py_XDECREF(dict);
	return rc;
}

int
dict_replace(proxy_object *p, PyObject *plain)
{
	return apply(p, plain, POSH_REPLACE);
}

/* Make a dict of keyword arguments. */
static PyObject *
keywords(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
	PyObject *kwds = PyDict_New();
	Py_ssize_t i;

	for (i = 0; kwds && i < PyTuple_GET_SIZE(kwnames); i++)
		if (PyDict_SetItem(kwds, PyTuple_GET_ITEM(kwnames, i),
				   args[nargs + i]) < 0)
			Py_CLEAR(kwds);
	return kwds;
}

PyObject *
dict_update(METHOD_ARGS)
{
	PyObject *kwds = NULL;
	int rc;

	if (nargs > 1)
		return DICT_MISUSE("update");
	if (kwnames) {
		kwds = keywords(args, nargs, kwnames);
		if (!kwds)
			return NULL;
	}
	rc = dict_merge((proxy_object *)self, nargs ? args[0] : NULL, kwds);
	Py_XDECREF(kwds);
	if (rc < 0)
		return NULL;
	Py_RETURN_NONE;
}

PyObject *
dict_fromkeys(METHOD_ARGS)
{
	PyObject *dict = proxy_delegate((PyObject *)&PyDict_Type, "fromkeys",
					args, nargs, kwnames);
	PyObject *p = dict ? PyObject_CallOneArg(self, dict) : NULL;

	Py_XDECREF(dict);
	return p;
}

PyObject *
dict_clear(METHOD_ARGS)
{
	proxy_object *p = (proxy_object *)self;
	int64_t n;
	int rc;

	if (nargs || kwnames)
		return DICT_MISUSE("clear");
	if (proxy_lock(p) < 0)
		return NULL;
	CALL(n, posh_dict_len(HEAP(p), p->handle));
	WRITE(p, rc, posh_dict_clear(HEAP(p), p->handle));
	if (rc)
		proxy_error(p, rc);
	else
		p->removed += n;
	proxy_unlock(p);
	if (rc)
		return NULL;
	Py_RETURN_NONE;
}

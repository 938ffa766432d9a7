/* SPDX-License-Identifier: MIT */
/* dictkey.c - keys of shared dicts.
 *
 * libposh compares immutable values as Python does, and objects by
 * identity, also those in tuples.  What needs Python to compare it (an instance
 * with an __eq__ of its own, a Decimal, an IntEnum) is looked up in a plain
 * dict of the keys that are there: right, and slow.
 */
#include "dict.h"

/* Does it compare and hash as object does, or is it no proxy?  A tuple does
 * if all that is in it does. */
static bool
by_identity(module_state *st, PyObject *x)
{
	heap_object *heap;
	posh_handle o;
	Py_ssize_t i;

	if (!PyTuple_CheckExact(x))
		return proxy_check(st, x, &heap, &o) == POSH_KIND_NONE ||
		       Py_TYPE(x)->tp_hash == PyBaseObject_Type.tp_hash;
	for (i = 0; i < PyTuple_GET_SIZE(x); i++)
		if (!by_identity(st, PyTuple_GET_ITEM(x, i)))
			return false;
	return true;
}

enum { MAX_DEPTH = 200 }; /* libposh compares no tuples deeper */

static int
depth_of(PyObject *x, int above)
{
	int deepest = above, depth;
	Py_ssize_t i;

	if (!PyTuple_CheckExact(x) || above > MAX_DEPTH)
		return above;
	for (i = 0; i < PyTuple_GET_SIZE(x); i++) {
		depth = depth_of(PyTuple_GET_ITEM(x, i), above + 1);
		if (depth > deepest)
			deepest = depth;
	}
	return deepest;
}

int
key_encode(proxy_object *p, PyObject *key, struct posh_value *k, encoder *e)
{
	module_state *st = p->heap->state;
	struct posh_value v;
	heap_object *heap;
	posh_handle o;
	int rc;

	if (LIKELY(value_encode_scalar(key, k)))
		return KEY_DIRECT;
	if (!PyTuple_CheckExact(key) &&
	    proxy_check(st, key, &heap, &o) == POSH_KIND_NONE) {
		rc = value_encode_plain(p->heap, key, k, e);
		if (rc)
			return rc < 0 ? -1 : KEY_DIRECT;
		return PyObject_Hash(key) == -1 ? -1 : KEY_SLOW;
	}
	if (PyObject_Hash(key) == -1)
		return -1;
	rc = value_encode_plain(p->heap, key, &v, e);
	if (rc < 0 && PyErr_ExceptionMatches(st->WrongHeapError)) {
		PyErr_Clear();
		return KEY_SLOW;
	}
	if (rc <= 0)
		return rc < 0 ? -1 : KEY_SLOW;
	if (v.type == POSH_OBJECT && depth_of(key, 0) >= MAX_DEPTH) {
		PyErr_SetString(st->NotShareableError,
				"a tuple that deep can't be a key");
		return -1;
	}
	if (v.type == POSH_OBJECT && !by_identity(st, key))
		return KEY_SLOW;
	*k = v;
	return KEY_DIRECT;
}

/* Return the key that is there, new, or NULL, maybe with an exception. */
static PyObject *
stored_key(proxy_object *p, PyObject *key)
{
	PyObject *dict = dict_snapshot(p);
	PyObject *found = NULL;
	PyObject *x;
	Py_ssize_t at = 0;

	if (!dict)
		return NULL;
	/* Only the dict itself knows which key it took for equal. */
	while (PyDict_Next(dict, &at, &x, NULL)) {
		Py_INCREF(x);
		if (PyDict_SetItem(dict, x, x) < 0) {
			Py_DECREF(x);
			Py_DECREF(dict);
			return NULL;
		}
		Py_DECREF(x);
	}
	found = PyDict_GetItemWithError(dict, key);
	Py_XINCREF(found);
	Py_DECREF(dict);
	return found;
}

int
key_find(proxy_object *p, PyObject *key, struct posh_value *k, encoder *e)
{
	PyObject *found = stored_key(p, key);

	if (!found)
		return PyErr_Occurred() ? -1 : 0;
	if (encoder_keep(e, found) < 0)
		return -1;
	return value_encode_plain(p->heap, found, k, e);
}

int
key_make(proxy_object *p, PyObject *key, struct posh_value *k, encoder *e)
{
	int rc = key_find(p, key, k, e);

	if (rc)
		return rc < 0 ? -1 : 0;
	return value_encode(p->heap, key, k, e);
}

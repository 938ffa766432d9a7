/* SPDX-License-Identifier: MIT */
/* dictkey.c - keys of shared dicts.
 *
 * libposh compares immutable values as Python does, and objects by
 * identity, also those in tuples.  What needs Python to compare it (an instance
 * or a subclass of str with an __eq__ of its own) is looked up in a plain dict
 * of the keys that are there: right, and slow.
 */
#include "dict.h"

enum { MAX_DEPTH = 200 }; /* libposh compares no tuples deeper */

/* Encode what is no exact builtin scalar: 1, 0 for what is not shared yet, or
 * -1.  e->opaque tells whether libposh can compare it. */
static int
encode(proxy_object *p, PyObject *key, struct posh_value *k, encoder *e)
{
	int rc = value_encode_plain(p->heap, key, k, e);

	if (rc < 0 && PyErr_ExceptionMatches(p->heap->state->WrongHeapError)) {
		PyErr_Clear();
		return 0;
	}
	if (rc > 0 && e->depth >= MAX_DEPTH) {
		PyErr_SetString(p->heap->state->NotShareableError,
				"a tuple that deep can't be a key");
		return -1;
	}
	return rc;
}

int
key_encode(proxy_object *p, PyObject *key, struct posh_value *k, encoder *e)
{
	struct posh_value v;
	int rc;

	if (LIKELY(value_encode_scalar(key, k)))
		return KEY_DIRECT;
	if (PyBytes_CheckExact(key) || PyLong_CheckExact(key)) {
		rc = value_encode_plain(p->heap, key, k, e);
		return rc < 0 ? -1 : KEY_DIRECT;
	}
	if (PyObject_Hash(key) == -1)
		return -1;
	e->depth = 0;
	rc = encode(p, key, &v, e);
	if (rc < 0)
		return -1;
	if (rc == 0 || e->opaque)
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

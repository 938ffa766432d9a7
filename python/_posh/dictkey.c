/* SPDX-License-Identifier: MIT */
/* dictkey.c - keys of shared dicts.
 *
 * libposh compares immutable values as Python does, and objects by
 * identity, also those in tuples.  What needs Python to compare it (an instance
 * or a subclass of str with an __eq__ of its own) is looked up in a plain dict
 * of the keys that are there: right, and slow; but for objects of classes with
 * hash=, which are looked for by that.
 *
 * A dict that has such keys says so of what it does not find (-ENOTUNIQ): it
 * may be equal to one of them.
 */
#include "dict.h"
#include "sharing.h"

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
	e->opaque = false;
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

/* Objects of a class with hash= are looked for by its value, and then
 * compared. */

enum { SOME = 8 };

/* Read the keys that have the value: how many, into *out, or -1.  They are
 * held by e. */
static int64_t
candidates(proxy_object *p, const struct posh_value *value,
	   struct posh_value **out, encoder *e)
{
	int64_t room = SOME, n, i;

	for (;; room = n) {
		struct posh_value *v =
			encoder_alloc(e, (size_t)room * sizeof(*v));

		if (!v)
			return -1;
		CALL(n, posh_dict_candidates(HEAP(p), p->handle, value,
					     (size_t)room, v));
		if (n < 0)
			return proxy_failed(p, n);
		for (i = 0; i < n && i < room; i++)
			if (encoder_hold(e, v[i].object) < 0) {
				value_drop_array(
					p->heap, v + i + 1,
					(size_t)((n < room ? n : room) - i -
						 1));
				return -1;
			}
		*out = v;
		if (n <= room)
			return n;
	}
}

/* Is a stored key equal to this one?  1, 0 or -1.  One whose class is unknown
 * here is not. */
static int
key_equal(proxy_object *p, const struct posh_value *stored, PyObject *key)
{
	PyObject *x = NULL;
	int rc;

	CALL(rc, posh_object_hold(HEAP(p), stored->object));
	if (rc)
		return proxy_failed(p, rc);
	x = value_decode(p->heap, stored);
	if (!x)
		return value_unknown() ? 0 : -1;
	rc = PyObject_RichCompareBool(x, key, Py_EQ);
	Py_DECREF(x);
	return rc;
}

static int
find_candidate(proxy_object *p, PyObject *key, const struct posh_value *value,
	       struct posh_value *k, encoder *e)
{
	struct posh_value *v = NULL;
	int64_t n, i;
	int rc = 0;

	n = candidates(p, value, &v, e);
	for (i = 0; i < n && rc == 0; i++) {
		rc = key_equal(p, &v[i], key);
		if (rc > 0)
			*k = v[i];
	}
	return n < 0 ? -1 : rc;
}

/* Is the value itself a key, and equal to this one? */
static int
is_value(proxy_object *p, const struct posh_value *value, PyObject *key)
{
	PyObject *x;
	int rc;

	CALL(rc, posh_dict_get(HEAP(p), p->handle, value, NULL));
	if (rc == -ENOENT || rc == -ENOTUNIQ)
		return 0;
	if (rc)
		return proxy_failed(p, rc);
	x = value_decode(p->heap, value);
	if (!x)
		return -1;
	rc = PyObject_RichCompareBool(x, key, Py_EQ);
	Py_DECREF(x);
	return rc;
}

static int
find_by_value(proxy_object *p, class_object *cls, PyObject *key,
	      struct posh_value *k, encoder *e)
{
	struct posh_value value;
	int rc;

	if (class_key_value(cls, key, &value, e) < 0)
		return -1;
	rc = find_candidate(p, key, &value, k, e);
	if (rc == 0) {
		rc = is_value(p, &value, key);
		*k = value;
	}
	return rc;
}

/* Encode a key that was found among all. */
static int
encode_found(proxy_object *p, PyObject *found, struct posh_value *k, encoder *e)
{
	class_object *cls = class_of_key(found);
	struct posh_value v;
	int rc = value_encode_plain(p->heap, found, &v, e);

	if (rc > 0 && cls)
		return class_key(cls, found, &v, k, e) < 0 ? -1 : 1;
	if (rc > 0)
		*k = v;
	return rc;
}

static int
find_among_all(proxy_object *p, PyObject *key, struct posh_value *k, encoder *e)
{
	PyObject *found = stored_key(p, key);

	if (!found)
		return PyErr_Occurred() ? -1 : 0;
	if (encoder_keep(e, found) < 0)
		return -1;
	return encode_found(p, found, k, e);
}

int
key_find(proxy_object *p, PyObject *key, struct posh_value *k, encoder *e)
{
	class_object *cls = class_of_key(key);
	int rc = cls ? find_by_value(p, cls, key, k, e)
		     : find_among_all(p, key, k, e);

	if (rc > 0)
		k->flags = POSH_DISTINCT;
	return rc;
}

int
key_alike(proxy_object *p, PyObject *key, const struct posh_value *in,
	  struct posh_value *k, encoder *e)
{
	int rc = find_candidate(p, key, in, k, e);

	if (rc == 0)
		rc = find_among_all(p, key, k, e);
	if (rc > 0)
		k->flags = POSH_DISTINCT;
	return rc;
}

int
key_settle(proxy_object *p, PyObject *key, struct posh_value *k, encoder *e)
{
	struct posh_value found;
	int rc = key_alike(p, key, k, &found, e);

	if (rc > 0)
		*k = found;
	k->flags |= POSH_DISTINCT;
	return rc < 0 ? -1 : 0;
}

/* May something in it be equal to what libposh can't know?  If in doubt, yes.
 */
static bool
has_opaque(PyObject *x)
{
	Py_ssize_t i;

	if (class_find(Py_TYPE(x)))
		return Py_TYPE(x)->tp_hash != PyBaseObject_Type.tp_hash;
	if (!PyTuple_CheckExact(x))
		return form_known(x);
	for (i = 0; i < PyTuple_GET_SIZE(x); i++)
		if (has_opaque(PyTuple_GET_ITEM(x, i)))
			return true;
	return false;
}

int
key_new(proxy_object *p, PyObject *key, struct posh_value *k, encoder *e)
{
	class_object *cls = class_of_key(key);
	struct posh_value v;
	int rc;

	e->opaque = false;
	if (value_encode(p->heap, key, &v, e) < 0)
		return -1;
	if (cls)
		return class_key(cls, key, &v, k, e);
	*k = v;
	k->flags = POSH_DISTINCT;
	if (!e->opaque && !has_opaque(key))
		return 0;
	k->flags |= POSH_OPAQUE;
	rc = form_hashes_alike(p->heap, k);
	if (rc == 0)
		PyErr_Format(p->heap->state->NotShareableError,
			     "'%.200s' object can't be a key: it has another "
			     "hash each time that it is read",
			     Py_TYPE(key)->tp_name);
	return rc > 0 ? 0 : -1;
}

int
key_make(proxy_object *p, PyObject *key, struct posh_value *k, encoder *e)
{
	int rc = key_find(p, key, k, e);

	if (rc)
		return rc < 0 ? -1 : 0;
	return key_new(p, key, k, e);
}

bool
key_has_value(PyObject *key)
{
	return class_of_key(key) != NULL;
}

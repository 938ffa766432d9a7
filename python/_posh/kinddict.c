/* SPDX-License-Identifier: MIT */
/* kinddict.c - what share() and unshare() do with dicts. */
#include "sharing.h"

static enum outcome
dict_fresh(sharer *Py_UNUSED(s), PyObject *Py_UNUSED(x), struct posh_value *v)
{
	*v = posh_fresh(POSH_KIND_DICT);
	return ADDED;
}

static int
dict_make(heap_object *heap, struct posh_value *Py_UNUSED(v), posh_handle *o)
{
	return posh_dict_new(heap->h, o);
}

/* FULL comes ahead of the key, whose hold ends with the batch. */
static enum outcome
add_item(sharer *s, PyObject *key, PyObject *value)
{
	enum outcome rc;
	if (s->n == 2 * BATCH || sharer_pending(s, key) ||
	    sharer_pending(s, value))
		return FULL;
	rc = sharer_add_key(s, key);
	if (rc != ADDED)
		return rc;
	rc = sharer_add(s, value);
	if (rc == FULL)
		s->n--; /* the key comes again */
	return rc;
}

static int
write_items(sharer *s, posh_handle o)
{
	int rc = 0;
	if (s->n)
		CALL(rc, posh_dict_update(s->heap->h, o, s->v, s->n / 2, 0));
	return sharer_done(s, rc);
}

/* A copy of the dict stays as it is, whoever changes the dict meanwhile. */
static int
fill_dict(sharer *s, PyObject *x, posh_handle o)
{
	PyObject *copy = PyDict_Copy(x), *key, *value;
	Py_ssize_t at = 0, before;
	enum outcome rc = copy ? ADDED : FAILED;
	int err = 0;
	while (err == 0 && rc != FAILED) {
		before = at;
		if (!PyDict_Next(copy, &at, &key, &value))
			break;
		rc = add_item(s, key, value);
		if (rc == FULL) {
			at = before;
			err = write_items(s, o);
		}
	}
	if (err == 0 && rc != FAILED)
		err = write_items(s, o);
	Py_XDECREF(copy);
	return rc == FAILED ? -1 : err;
}

static PyObject *
dict_empty(copier *Py_UNUSED(c), posh_handle Py_UNUSED(o))
{
	return PyDict_New();
}

int
copier_refill_items(copier *c, posh_handle o, PyObject *copy)
{
	struct posh_value *v;
	PyObject *items;
	bool late = false;
	int64_t n;
	int rc = -1;
	CALL(n, posh_dict_snapshot(c->heap->h, o, &v, NULL));
	if (n < 0)
		return error_set(posh_state, n), -1;
	for (int64_t i = 0; i < n && !late; i++)
		late = v[2 * i].type == POSH_OBJECT;
	items = copier_list(c, v, 2 * (size_t)n);
	free(v);
	if (items && late)
		rc = copier_late(c, copy, items);
	else if (items)
		rc = copier_insert(copy, items);
	Py_XDECREF(items);
	return rc;
}

const struct kind kind_dict = {dict_fresh, dict_make,  fill_dict,
			       NULL,       dict_empty, copier_refill_items};

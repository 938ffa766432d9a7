/* SPDX-License-Identifier: MIT */
/* kindlist.c - what share() and unshare() do with lists. */
#include "sharing.h"

static enum outcome
list_fresh(sharer *Py_UNUSED(s), PyObject *Py_UNUSED(x), struct posh_value *v)
{
	*v = posh_fresh(POSH_KIND_LIST);
	return ADDED;
}

static int
list_make(heap_object *heap, struct posh_value *Py_UNUSED(v), posh_handle *o)
{
	return posh_list_new(heap->h, o);
}

static int
write_list(sharer *s, posh_handle o)
{
	int rc = 0;
	if (s->n)
		CALL(rc, posh_list_extend(s->heap->h, o, s->v, s->n));
	return sharer_done(s, rc);
}

static int
fill_list(sharer *s, PyObject *x, posh_handle o)
{
	posh_heap *h = s->heap->h;
	Py_ssize_t i = 0, n = PyList_GET_SIZE(x);
	enum outcome rc = ADDED;
	int err;
	if (n > BATCH) {
		CALL(err, posh_list_reserve(h, o, (size_t)n));
		if (err < 0)
			return error_set(posh_state, err), -1;
	}
	while (i < PyList_GET_SIZE(x)) {
		PyObject *item = Py_NewRef(PyList_GET_ITEM(x, i));
		if (s->n < BATCH)
			rc = sharer_add(s, item);
		else
			rc = FULL;
		if (rc == ADDED && encoder_keep(&s->values, item) < 0)
			return -1;
		if (rc == ADDED) {
			i++;
			continue;
		}
		Py_DECREF(item);
		if (rc == FAILED || write_list(s, o) < 0)
			return -1;
	}
	return write_list(s, o);
}

static PyObject *
list_empty(copier *Py_UNUSED(c), posh_handle Py_UNUSED(o))
{
	return PyList_New(0);
}

static int
refill_list(copier *c, posh_handle o, PyObject *copy)
{
	struct posh_value *v;
	PyObject *list;
	int64_t n;
	int rc = -1;
	CALL(n, posh_list_snapshot(c->heap->h, o, &v, NULL));
	if (n < 0)
		return error_set(posh_state, n), -1;
	list = copier_list(c, v, (size_t)n);
	free(v);
	if (list)
		rc = PyList_SetSlice(copy, 0, 0, list);
	Py_XDECREF(list);
	return rc;
}

const struct kind kind_list = {list_fresh, list_make,  fill_list,
			       NULL,       list_empty, refill_list};

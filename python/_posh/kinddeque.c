/* SPDX-License-Identifier: MIT */
/* kinddeque.c - what share() and unshare() do with deques. */
#include "sharing.h"

static enum outcome
deque_fresh(sharer *Py_UNUSED(s), PyObject *x, struct posh_value *v)
{
	PyObject *maxlen = PyObject_GetAttrString(x, "maxlen");
	Py_ssize_t n = -1;
	*v = posh_fresh(POSH_KIND_DEQUE);
	if (maxlen && maxlen != Py_None)
		n = PyLong_AsSsize_t(maxlen);
	Py_XDECREF(maxlen);
	if (PyErr_Occurred())
		return FAILED;
	v->size = (size_t)(n + 1);
	return ADDED;
}

static int
deque_make(heap_object *heap, struct posh_value *v, posh_handle *o)
{
	return posh_deque_new(heap->h, (int64_t)v->size - 1, o);
}

static int
write_deque(sharer *s, posh_handle o)
{
	int rc = 0;
	if (s->n)
		CALL(rc, posh_deque_extend(s->heap->h, o, s->v, s->n));
	return sharer_done(s, rc);
}

/* A list of the elements stays as it is, whoever changes the deque. */
static int
fill_deque(sharer *s, PyObject *x, posh_handle o)
{
	PyObject *list = PySequence_List(x);
	Py_ssize_t i = 0;
	int rc = list ? 0 : -1;
	while (rc == 0 && i < PyList_GET_SIZE(list)) {
		enum outcome added = FULL;
		if (s->n < BATCH)
			added = sharer_add(s, PyList_GET_ITEM(list, i));
		if (added == ADDED)
			i++;
		else
			rc = added == FAILED ? -1 : write_deque(s, o);
	}
	if (rc == 0)
		rc = write_deque(s, o);
	Py_XDECREF(list);
	return rc;
}

static PyObject *
deque_empty(copier *c, posh_handle o)
{
	int64_t maxlen, n;
	CALL(n, posh_deque_len(c->heap->h, o, &maxlen));
	if (n < 0)
		return error_set(posh_state, n);
	if (maxlen < 0)
		return PyObject_CallNoArgs(posh_state->deque);
	return PyObject_CallFunction(posh_state->deque, "()L",
				     (long long)maxlen);
}

static int
refill_deque(copier *c, posh_handle o, PyObject *copy)
{
	struct posh_value *v;
	PyObject *list, *r = NULL;
	int64_t n;
	CALL(n, posh_deque_snapshot(c->heap->h, o, &v, NULL));
	if (n < 0)
		return error_set(posh_state, n), -1;
	list = copier_list(c, v, (size_t)n);
	free(v);
	if (list)
		r = PyObject_CallMethod(copy, "extend", "(O)", list);
	Py_XDECREF(list);
	Py_XDECREF(r);
	return r ? 0 : -1;
}

const struct kind kind_deque = {deque_fresh, deque_make,  fill_deque,
				NULL,        deque_empty, refill_deque};

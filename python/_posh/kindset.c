/* SPDX-License-Identifier: MIT */
/* kindset.c - what share() and unshare() do with sets. */
#include "sharing.h"

static enum outcome
set_fresh(sharer *Py_UNUSED(s), PyObject *Py_UNUSED(x), struct posh_value *v)
{
	*v = posh_fresh(POSH_KIND_SET);
	return ADDED;
}

static int
set_make(heap_object *heap, struct posh_value *Py_UNUSED(v), posh_handle *o)
{
	return posh_set_new(heap->h, o);
}

static int
write_elements(sharer *s, posh_handle o)
{
	int rc = 0;
	if (s->n)
		CALL(rc, posh_dict_update(s->heap->h, o, s->v, s->n / 2, 0));
	return sharer_done(s, rc);
}

static int
add_element(sharer *s, posh_handle o, PyObject *x)
{
	if ((s->n == 2 * BATCH || sharer_pending(s, x)) &&
	    write_elements(s, o) < 0)
		return -1;
	if (sharer_add_key(s, x) != ADDED || sharer_add(s, Py_True) != ADDED)
		return -1;
	return 0;
}

/* A copy of the set stays as it is, whoever changes the set meanwhile. */
static int
fill_set(sharer *s, PyObject *x, posh_handle o)
{
	PyObject *copy = PySequence_Tuple(x);
	Py_ssize_t i;
	int rc = copy ? 0 : -1;
	for (i = 0; rc == 0 && i < PyTuple_GET_SIZE(copy); i++)
		rc = add_element(s, o, PyTuple_GET_ITEM(copy, i));
	if (rc == 0)
		rc = write_elements(s, o);
	Py_XDECREF(copy);
	return rc;
}

static PyObject *
set_empty(copier *Py_UNUSED(c), posh_handle Py_UNUSED(o))
{
	return PySet_New(NULL);
}

const struct kind kind_set = {set_fresh, set_make,  fill_set,
			      NULL,      set_empty, copier_refill_items};

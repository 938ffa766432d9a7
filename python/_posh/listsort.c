/* SPDX-License-Identifier: MIT */
/* listsort.c - putting the elements of a shared list in another order.
 *
 * The builtin sorts the indices 0 .. n-1 by the elements' keys, so that its
 * order, its stability and its comparisons are the builtin's; libposh then
 * permutes the elements in one step.  The monitor is held all the time:
 * only the key function and the comparisons, which run in this thread, can
 * change the list meanwhile, and that is the builtin's error.
 */
#include "list.h"

/* Return the sort keys of a list of elements: a new reference. */
static PyObject *
keys_of(PyObject *list, PyObject *key)
{
	Py_ssize_t n = PyList_GET_SIZE(list);
	PyObject *keys;
	PyObject *x;
	Py_ssize_t i;

	if (!key || key == Py_None)
		return Py_NewRef(list);
	keys = PyList_New(n);
	for (i = 0; keys && i < n; i++) {
		x = PyObject_CallOneArg(key, PyList_GET_ITEM(list, i));
		if (x)
			PyList_SET_ITEM(keys, i, x);
		else
			Py_CLEAR(keys);
	}
	return keys;
}

/* Return the list of indices in order. */
static PyObject *
order_of(PyObject *keys, PyObject *reverse)
{
	PyObject *range = NULL, *order = NULL, *get = NULL, *sort = NULL;
	PyObject *none = NULL, *kwds = NULL, *args = NULL;

	range = PyObject_CallFunction((PyObject *)&PyRange_Type, "n",
				      PyList_GET_SIZE(keys));
	order = range ? PySequence_List(range) : NULL;
	get = order ? PyObject_GetAttrString(keys, "__getitem__") : NULL;
	sort = get ? PyObject_GetAttrString(order, "sort") : NULL;
	args = sort ? PyTuple_New(0) : NULL;
	kwds = args ? Py_BuildValue("{sOsO}", "key", get, "reverse",
				    reverse ? reverse : Py_False)
		    : NULL;
	none = kwds ? PyObject_Call(sort, args, kwds) : NULL;
	if (!none)
		Py_CLEAR(order);
	Py_XDECREF(none);
	Py_XDECREF(kwds);
	Py_XDECREF(args);
	Py_XDECREF(sort);
	Py_XDECREF(get);
	Py_XDECREF(range);
	return order;
}

/* Permute; to_index gives the place that element k comes from. */
static int
permute(proxy_object *p, PyObject *order, uint64_t version)
{
	size_t n = (size_t)PyList_GET_SIZE(order);
	size_t *from = PyMem_New(size_t, n + 1);
	size_t i;
	int rc;

	if (!from) {
		PyErr_NoMemory();
		return -1;
	}
	for (i = 0; i < n; i++)
		from[i] =
			PyLong_AsSize_t(PyList_GET_ITEM(order, (Py_ssize_t)i));
	WRITE(p, rc, posh_list_permute(HEAP(p), p->handle, from, n, version));
	PyMem_Free(from);
	if (rc == -ESTALE) {
		PyErr_SetString(PyExc_ValueError, "list modified during sort");
		return -1;
	}
	return rc ? proxy_failed(p, rc) : 0;
}

static int
sort_locked(proxy_object *p, PyObject *key, PyObject *reverse)
{
	uint64_t version = posh_object_version(HEAP(p), p->handle);
	uint64_t writes = p->writes;
	PyObject *list = list_snapshot(p);
	PyObject *keys = list ? keys_of(list, key) : NULL;
	PyObject *order = keys ? order_of(keys, reverse) : NULL;
	int rc = -1;

	if (order && p->writes != writes)
		PyErr_SetString(PyExc_ValueError, "list modified during sort");
	else if (order)
		rc = permute(p, order, version);

	Py_XDECREF(list);
	Py_XDECREF(keys);
	Py_XDECREF(order);
	return rc;
}

/* Let the builtin check the arguments. */
static int
check_arguments(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
	PyObject *list = PyList_New(0);
	PyObject *r;

	if (!list)
		return -1;
	r = proxy_delegate(list, "sort", args, nargs, kwnames);
	Py_DECREF(list);
	Py_XDECREF(r);
	return r ? 0 : -1;
}

PyObject *
list_sort(METHOD_ARGS)
{
	proxy_object *p = (proxy_object *)self;
	Py_ssize_t n = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
	PyObject *key = NULL;
	PyObject *reverse = NULL;
	Py_ssize_t i;
	int rc;

	if (check_arguments(args, nargs, kwnames) < 0)
		return NULL;
	for (i = 0; i < n; i++) {
		if (PyUnicode_CompareWithASCIIString(
			    PyTuple_GET_ITEM(kwnames, i), "key") == 0)
			key = args[nargs + i];
		else
			reverse = args[nargs + i];
	}
	if (proxy_lock(p) < 0)
		return NULL;
	rc = sort_locked(p, key, reverse);
	proxy_unlock(p);
	if (rc < 0)
		return NULL;
	Py_RETURN_NONE;
}

PyObject *
list_reverse(METHOD_ARGS)
{
	proxy_object *p = (proxy_object *)self;
	size_t *from = NULL;
	int64_t n, i;
	int64_t rc;

	if (nargs || kwnames)
		return LIST_MISUSE("reverse");
	if (proxy_lock(p) < 0)
		return NULL;
	CALL(n, posh_list_len(HEAP(p), p->handle));
	rc = n < 0 ? n : 0;
	if (n > 1) {
		from = PyMem_New(size_t, (size_t)n);
		for (i = 0; from && i < n; i++)
			from[i] = (size_t)(n - 1 - i);
		rc = -ENOMEM;
		if (from)
			WRITE(p, rc,
			      posh_list_permute(
				      HEAP(p), p->handle, from, (size_t)n,
				      posh_object_version(HEAP(p), p->handle)));
	}
	proxy_unlock(p);
	PyMem_Free(from);
	if (rc)
		return proxy_error(p, rc);
	Py_RETURN_NONE;
}

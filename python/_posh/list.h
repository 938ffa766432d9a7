/* SPDX-License-Identifier: MIT */
/* list.h - what list.c, listslice.c and listops.c share. */
#ifndef POSH_LIST_H
#define POSH_LIST_H

#include "module.h"

/* Slices (listslice.c). */
PyObject *list_slice_get(proxy_object *p, PyObject *slice);
int list_slice_set(proxy_object *p, PyObject *slice, PyObject *value);
int list_slice_delete(proxy_object *p, PyObject *slice);

/* Operations on a snapshot, or on all elements (listops.c). */
PyObject *list_repr(PyObject *self);
PyObject *list_richcompare(PyObject *self, PyObject *other, int op);
PyObject *list_add(PyObject *a, PyObject *b);
PyObject *list_concat(PyObject *self, PyObject *other);
PyObject *list_repeat(PyObject *self, Py_ssize_t n);
PyObject *list_inplace_repeat(PyObject *self, Py_ssize_t n);
int list_contains(PyObject *self, PyObject *x);
PyObject *list_index(METHOD_ARGS);
PyObject *list_count(METHOD_ARGS);
PyObject *list_remove(METHOD_ARGS);
PyObject *list_sort(METHOD_ARGS);
PyObject *list_reverse(METHOD_ARGS);

/* Raise what list's method of that name raises for such arguments. */
#define LIST_MISUSE(name)                                                      \
	proxy_misuse(PyList_New(0), name, args, nargs, kwnames)

#endif

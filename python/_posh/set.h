/* SPDX-License-Identifier: MIT */
/* set.h - what set.c and setops.c share. */
#ifndef POSH_SET_H
#define POSH_SET_H

#include "dict.h"

/* Return a plain set of the elements as of one moment. */
PyObject *set_snapshot(proxy_object *p);

/* Add all elements of a plain set: all or none. */
int set_merge(proxy_object *p, PyObject *plain);

/* Replace all elements by those of a plain set.  The monitor is the
 * caller's. */
int set_replace(proxy_object *p, PyObject *plain);

/* Remove an element: 1, 0 if there was none, or -1. */
int set_take(proxy_object *p, PyObject *key);

/* Is x a set, frozenset, or shared set? */
bool is_any_set(PyObject *x);

PyObject *set_repr(PyObject *self);
PyObject *set_richcompare(PyObject *self, PyObject *other, int op);

/* The operators, and the in-place ones. */
PyObject *set_or(PyObject *a, PyObject *b);
PyObject *set_and(PyObject *a, PyObject *b);
PyObject *set_sub(PyObject *a, PyObject *b);
PyObject *set_xor(PyObject *a, PyObject *b);
PyObject *set_ior(PyObject *self, PyObject *other);
PyObject *set_iand(PyObject *self, PyObject *other);
PyObject *set_isub(PyObject *self, PyObject *other);
PyObject *set_ixor(PyObject *self, PyObject *other);

/* Methods that make a plain result of a snapshot, and that change the set. */
PyObject *set_union(METHOD_ARGS);
PyObject *set_intersection(METHOD_ARGS);
PyObject *set_difference(METHOD_ARGS);
PyObject *set_symmetric_difference(METHOD_ARGS);
PyObject *set_issubset(METHOD_ARGS);
PyObject *set_issuperset(METHOD_ARGS);
PyObject *set_isdisjoint(METHOD_ARGS);
PyObject *set_update(METHOD_ARGS);
PyObject *set_intersection_update(METHOD_ARGS);
PyObject *set_difference_update(METHOD_ARGS);
PyObject *set_symmetric_difference_update(METHOD_ARGS);

/* Raise what set's method of that name raises for such arguments. */
#define SET_MISUSE(name)                                                       \
	proxy_misuse(PySet_New(NULL), name, args, nargs, kwnames)

#endif

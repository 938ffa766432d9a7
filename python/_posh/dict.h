/* SPDX-License-Identifier: MIT */
/* dict.h - what dict.c, dictkey.c and dictops.c share. */
#ifndef POSH_DICT_H
#define POSH_DICT_H

#include "module.h"

/*
 * Keys (dictkey.c).
 */

enum {
	KEY_DIRECT = 0, /* libposh compares it */
	KEY_SLOW = 1,   /* Python has to, with the keys that are there */
};

/* Encode a key: KEY_DIRECT, KEY_SLOW with *k untouched, or -1 with an
 * exception, for what has no hash. */
int key_encode(proxy_object *p, PyObject *key, struct posh_value *k,
	       encoder *e);

/* Encode the key that is there and equal to key, for lookup: 1, 0 if there
 * is none, or -1. */
int key_find(proxy_object *p, PyObject *key, struct posh_value *k, encoder *e);

/* Is it looked for by a value (allow_sharing's hash=), not among all? */
bool key_has_value(PyObject *key);

/* The same for one that was encoded as *in, which is not there but may be equal
 * to one that only Python can compare (-ENOTUNIQ). */
int key_alike(proxy_object *p, PyObject *key, const struct posh_value *in,
	      struct posh_value *k, encoder *e);

/* Let *k be what key_alike finds, if anything, and fit to be set: 0 or -1.  The
 * monitor is the caller's. */
int key_settle(proxy_object *p, PyObject *key, struct posh_value *k,
	       encoder *e);

/* The same as key_find, but a key that is not there is shared to be set.  The
 * monitor is the caller's. */
int key_make(proxy_object *p, PyObject *key, struct posh_value *k, encoder *e);

/* The same for a dict that the key is known not to be in: nothing is compared.
 */
int key_new(proxy_object *p, PyObject *key, struct posh_value *k, encoder *e);

/*
 * Items one by one (dict.c).
 */

int dict_set_item(proxy_object *p, PyObject *key, PyObject *x);

/* Remove a key and give its value, unless out is NULL: 1, 0 if there was
 * none, or -1: then, as when its value can't be decoded, it is still there. */
int dict_take(proxy_object *p, PyObject *key, PyObject **out);

/* The same of the last item: a key and its value. */
int dict_take_last(proxy_object *p, PyObject **item);

/*
 * Operations on all items (dictops.c).
 */

/* Set all that dict.update would for such arguments: all or nothing. */
int dict_merge(proxy_object *p, PyObject *other, PyObject *kwds);
/* Replace all items by those of a plain dict: all or nothing.  The monitor
 * is the caller's. */
int dict_replace(proxy_object *p, PyObject *plain);
PyObject *dict_update(METHOD_ARGS);
PyObject *dict_fromkeys(METHOD_ARGS);
PyObject *dict_repr(PyObject *self);
PyObject *dict_richcompare(PyObject *self, PyObject *other, int op);
PyObject *dict_or(PyObject *a, PyObject *b);
PyObject *dict_inplace_or(PyObject *self, PyObject *other);
PyObject *dict_clear(METHOD_ARGS);

/* Raise what dict's method of that name raises for such arguments. */
#define DICT_MISUSE(name) proxy_misuse(PyDict_New(), name, args, nargs, kwnames)

#endif

/* SPDX-License-Identifier: MIT */
/* setops.c - operations on all elements of a shared set.
 *
 * Results are computed by the builtin from snapshots.  What changes the set
 * reads its arguments first, and then replaces the elements under the
 * monitor, in one operation: a death in between leaves all or nothing.
 */
#include "set.h"

PyObject *
set_snapshot(proxy_object *p)
{
	PyObject *dict = dict_snapshot(p);
	PyObject *set = dict ? PySet_New(dict) : NULL;

	Py_XDECREF(dict);
	return set;
}

bool
is_any_set(PyObject *x)
{
	return PyAnySet_Check(x) || is_set_proxy(posh_state, x);
}

/* What the builtin set compares itself and works with. */
static bool
is_set_like(PyObject *x)
{
	module_state *st = posh_state;

	return is_any_set(x) || Py_TYPE(x) == st->DictKeys ||
	       Py_TYPE(x) == st->DictItems || PyDictKeys_Check(x) ||
	       PyDictItems_Check(x);
}

PyObject *
set_repr(PyObject *self)
{
	return proxy_repr(self, set_snapshot, "set(...)");
}

PyObject *
set_richcompare(PyObject *self, PyObject *other, int op)
{
	if (!is_set_like(other))
		Py_RETURN_NOTIMPLEMENTED;
	return proxy_compare(self, other, op);
}

/*
 * Operators.
 */

/* a OP b; plain OP= shared changes the plain set. */
static PyObject *
operate(PyObject *a, PyObject *b, binaryfunc op, binaryfunc in_place)
{
	PyObject *x, *y;
	PyObject *r = NULL;
	int changes = 0;

	if (!is_any_set(a) || !is_any_set(b))
		Py_RETURN_NOTIMPLEMENTED;
	if (PySet_Check(a))
		changes = proxy_in_place();
	x = changes < 0 ? NULL : plain_operand(posh_state, a);
	y = x ? plain_operand(posh_state, b) : NULL;
	if (y)
		r = changes ? in_place(x, y) : op(x, y);
	Py_XDECREF(x);
	Py_XDECREF(y);
	return r;
}

PyObject *
set_or(PyObject *a, PyObject *b)
{
	return operate(a, b, PyNumber_Or, PyNumber_InPlaceOr);
}

PyObject *
set_and(PyObject *a, PyObject *b)
{
	return operate(a, b, PyNumber_And, PyNumber_InPlaceAnd);
}

PyObject *
set_sub(PyObject *a, PyObject *b)
{
	return operate(a, b, PyNumber_Subtract, PyNumber_InPlaceSubtract);
}

PyObject *
set_xor(PyObject *a, PyObject *b)
{
	return operate(a, b, PyNumber_Xor, PyNumber_InPlaceXor);
}

/*
 * Methods that change nothing.
 */

/* Call the builtin's method on a snapshot. */
static PyObject *
on_snapshot(const char *name, METHOD_ARGS)
{
	PyObject *set = set_snapshot((proxy_object *)self);
	PyObject **plain = PyMem_New(PyObject *, (size_t)nargs + 1);
	PyObject *r = NULL;
	Py_ssize_t n = 0;

	if (!plain)
		PyErr_NoMemory();
	for (; set && plain && n < nargs; n++) {
		plain[n] = plain_operand(posh_state, args[n]);
		if (!plain[n])
			break;
	}
	if (set && plain && n == nargs && !kwnames)
		r = proxy_delegate(set, name, plain, n, NULL);
	else if (set && plain && n == nargs)
		r = proxy_misuse(Py_NewRef(set), name, args, nargs, kwnames);
	while (n-- > 0)
		Py_DECREF(plain[n]);
	PyMem_Free(plain);
	Py_XDECREF(set);
	return r;
}

#define ON_SNAPSHOT(name)                                                      \
	PyObject *set_##name(METHOD_ARGS)                                      \
	{                                                                      \
		return on_snapshot(#name, self, args, nargs, kwnames);         \
	}

ON_SNAPSHOT(union)
ON_SNAPSHOT(intersection)
ON_SNAPSHOT(difference)
ON_SNAPSHOT(symmetric_difference)
ON_SNAPSHOT(issubset)
ON_SNAPSHOT(issuperset)
ON_SNAPSHOT(isdisjoint)

/*
 * Methods that change the set.
 */

/* A dict of the elements of a plain set, each with True. */
static PyObject *
dict_of(PyObject *plain)
{
	PyObject *dict = PyDict_New();
	PyObject *iter = dict ? PyObject_GetIter(plain) : NULL;
	PyObject *x;

	while (iter && (x = PyIter_Next(iter))) {
		int rc = PyDict_SetItem(dict, x, Py_True);

		Py_DECREF(x);
		if (rc < 0)
			break;
	}
	Py_XDECREF(iter);
	if (!iter || PyErr_Occurred())
		Py_CLEAR(dict);
	return dict;
}

int
set_merge(proxy_object *p, PyObject *plain)
{
	PyObject *dict = dict_of(plain);
	int rc = dict ? dict_merge(p, dict, NULL) : -1;

	Py_XDECREF(dict);
	return rc;
}

int
set_replace(proxy_object *p, PyObject *plain)
{
	PyObject *dict = dict_of(plain);
	int rc = dict ? dict_replace(p, dict) : -1;

	Py_XDECREF(dict);
	return rc;
}

/* All elements of the arguments in one plain set. */
static PyObject *
gather(PyObject *const *args, Py_ssize_t nargs)
{
	PyObject *set = PySet_New(NULL);
	Py_ssize_t i;

	for (i = 0; set && i < nargs; i++) {
		PyObject *x = plain_operand(posh_state, args[i]);
		PyObject *r =
			x ? PyObject_CallMethod(set, "update", "(O)", x) : NULL;

		if (!r)
			Py_CLEAR(set);
		Py_XDECREF(r);
		Py_XDECREF(x);
	}
	return set;
}

PyObject *
set_update(METHOD_ARGS)
{
	PyObject *plain;
	int rc;

	if (kwnames)
		return SET_MISUSE("update");
	plain = gather(args, nargs);
	rc = plain ? set_merge((proxy_object *)self, plain) : -1;
	Py_XDECREF(plain);
	if (rc < 0)
		return NULL;
	Py_RETURN_NONE;
}

/* An argument as of now: a set, or a dict of what it yields, since of equal
 * elements an intersection takes those of a set only if it is the smaller
 * one, but those of others always. */
static PyObject *
settled(PyObject *x)
{
	x = plain_operand(posh_state, x);
	if (x && PyDict_CheckExact(x))
		Py_SETREF(x, PyDict_Copy(x)); /* which hashes nothing again */
	else if (x && !PyAnySet_Check(x))
		Py_SETREF(x, dict_of(x));
	return x;
}

enum equals { KEEPS_EQUALS, MAY_TAKE_EQUALS };

/* Replace the elements by what the builtin's method makes of them; if all
 * that stay are the set's own, and all but one do, take the one out. */
static int
become(proxy_object *p, const char *name, enum equals equals,
       PyObject *const *args, Py_ssize_t nargs)
{
	PyObject *before = set_snapshot(p);
	PyObject *after = NULL, *gone = NULL, *one = NULL;
	Py_ssize_t more = 0;
	int rc = -1;

	if (before)
		after = proxy_delegate(before, name, args, nargs, NULL);
	if (after)
		gone = PyNumber_Subtract(before, after);
	if (gone) {
		more = PySet_GET_SIZE(after) + PySet_GET_SIZE(gone) -
		       PySet_GET_SIZE(before);
		if (equals == MAY_TAKE_EQUALS) {
			rc = set_replace(p, after);
		} else if (more == 0 && PySet_GET_SIZE(gone) == 0) {
			rc = 0;
		} else if (more == 0 && PySet_GET_SIZE(gone) == 1) {
			one = PySet_Pop(gone);
			rc = one ? dict_take(p, one, NULL) : -1;
		} else {
			rc = set_replace(p, after);
		}
	}
	Py_XDECREF(one);
	Py_XDECREF(gone);
	Py_XDECREF(after);
	Py_XDECREF(before);
	return rc < 0 ? -1 : 0;
}

/* Read the arguments, and become something else. */
static PyObject *
change(const char *name, enum equals equals, METHOD_ARGS)
{
	proxy_object *p = (proxy_object *)self;
	PyObject **plain = PyMem_New(PyObject *, (size_t)nargs + 1);
	Py_ssize_t n = 0;
	int rc = -1;

	(void)kwnames;
	if (!plain)
		return PyErr_NoMemory();
	for (; n < nargs; n++) {
		plain[n] = settled(args[n]);
		if (!plain[n])
			break;
	}
	if (n == nargs && proxy_lock(p) == 0) {
		rc = become(p, name, equals, plain, nargs);
		proxy_unlock(p);
	}
	while (n-- > 0)
		Py_DECREF(plain[n]);
	PyMem_Free(plain);
	if (rc < 0)
		return NULL;
	Py_RETURN_NONE;
}

PyObject *
set_intersection_update(METHOD_ARGS)
{
	if (kwnames)
		return SET_MISUSE("intersection_update");
	return change("intersection", MAY_TAKE_EQUALS, self, args, nargs, NULL);
}

PyObject *
set_difference_update(METHOD_ARGS)
{
	if (kwnames)
		return SET_MISUSE("difference_update");
	return change("difference", KEEPS_EQUALS, self, args, nargs, NULL);
}

PyObject *
set_symmetric_difference_update(METHOD_ARGS)
{
	if (kwnames || nargs != 1)
		return SET_MISUSE("symmetric_difference_update");
	return change("symmetric_difference", KEEPS_EQUALS, self, args, nargs,
		      NULL);
}

/*
 * In-place operators.
 */

static PyObject *
change_in_place(PyObject *self, PyObject *other,
		PyObject *(*method)(METHOD_ARGS))
{
	PyObject *r;

	if (!is_any_set(other))
		Py_RETURN_NOTIMPLEMENTED;
	r = method(self, &other, 1, NULL);
	if (!r)
		return NULL;
	Py_DECREF(r);
	return Py_NewRef(self);
}

PyObject *
set_ior(PyObject *self, PyObject *other)
{
	return change_in_place(self, other, set_update);
}

PyObject *
set_iand(PyObject *self, PyObject *other)
{
	return change_in_place(self, other, set_intersection_update);
}

PyObject *
set_isub(PyObject *self, PyObject *other)
{
	return change_in_place(self, other, set_difference_update);
}

PyObject *
set_ixor(PyObject *self, PyObject *other)
{
	return change_in_place(self, other, set_symmetric_difference_update);
}

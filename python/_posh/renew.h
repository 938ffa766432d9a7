/* SPDX-License-Identifier: MIT */
/* renew.h - numbers that nobody has any more, for the next values.
 *
 * An iterator that keeps a reference to each number that it gave finds, a
 * batch later, that most of them are its alone: the loop went on.  Such a
 * number can get another value in place, as enumerate() does with its
 * tuples; making and freeing one costs more than all the rest of a step.
 *
 * Ints have one digit only, before and after, and none is one of those that
 * CPython keeps.  Where their layout is not known they are made anew.
 */
#ifndef POSH_RENEW_H
#define POSH_RENEW_H

#include "module.h"

#define SMALL_FIRST (-5)
#define SMALL_LAST  256

#if PY_VERSION_HEX < 0x030c0000
static inline bool
renew_int(PyObject *x, int64_t i)
{
	Py_ssize_t size = Py_SIZE(x);

	if ((size != 1 && size != -1) || i >= PyLong_BASE ||
	    i <= -(int64_t)PyLong_BASE || (i >= SMALL_FIRST && i <= SMALL_LAST))
		return false;
	Py_SET_SIZE((PyVarObject *)x, i < 0 ? -1 : 1);
	((PyLongObject *)x)->ob_digit[0] = (digit)(i < 0 ? -i : i);
	return true;
}
#elif PY_VERSION_HEX < 0x030e0000
static inline bool
renew_int(PyObject *x, int64_t i)
{
	PyLongObject *n = (PyLongObject *)x;

	/* Above three bits for the sign lies the number of digits. */
	if (n->long_value.lv_tag >> 3 != 1 || i >= PyLong_BASE ||
	    i <= -(int64_t)PyLong_BASE || (i >= SMALL_FIRST && i <= SMALL_LAST))
		return false;
	n->long_value.lv_tag = (uintptr_t)1 << 3 | (i < 0 ? 2 : 0);
	n->long_value.ob_digit[0] = (digit)(i < 0 ? -i : i);
	return true;
}
#else
static inline bool
renew_int(PyObject *x, int64_t i)
{
	(void)x;
	(void)i;
	return false;
}
#endif

/* Is it worth keeping? */
static inline bool
renewable(PyObject *x)
{
	return PyLong_CheckExact(x) || PyFloat_CheckExact(x);
}

/* Give x, which is renewable and one's own, the value: false if that can't
 * be done. */
static inline bool
renew(PyObject *x, const struct posh_value *v)
{
	if (Py_REFCNT(x) != 1)
		return false;
	if (v->type == POSH_INT)
		return PyLong_CheckExact(x) && renew_int(x, v->i);
	if (v->type != POSH_FLOAT || !PyFloat_CheckExact(x) || v->f != v->f)
		return false;
	((PyFloatObject *)x)->ob_fval = v->f;
	return true;
}

#endif

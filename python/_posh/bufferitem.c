/* SPDX-License-Identifier: MIT */
/* bufferitem.c - single items of bytearrays and arrays. */
#include "buffer.h"

#include <wchar.h>

#define ITEMS(X)                                                               \
	X('b', signed char, PyLong_FromLong)                                   \
	X('B', unsigned char, PyLong_FromLong)                                 \
	X('h', short, PyLong_FromLong)                                         \
	X('H', unsigned short, PyLong_FromLong)                                \
	X('i', int, PyLong_FromLong)                                           \
	X('I', unsigned int, PyLong_FromUnsignedLong)                          \
	X('l', long, PyLong_FromLong)                                          \
	X('L', unsigned long, PyLong_FromUnsignedLong)                         \
	X('q', long long, PyLong_FromLongLong)                                 \
	X('Q', unsigned long long, PyLong_FromUnsignedLongLong)                \
	X('f', float, PyFloat_FromDouble)                                      \
	X('d', double, PyFloat_FromDouble)                                     \
	X('u', wchar_t, from_wide)                                             \
	X('w', Py_UCS4, from_ucs4)

static PyObject *
from_wide(wchar_t c)
{
	return PyUnicode_FromWideChar(&c, 1);
}

static PyObject *
from_ucs4(Py_UCS4 c)
{
	return PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, &c, 1);
}

Py_ssize_t
item_size(char code)
{
	switch (code) {
#define X(c, type, from)                                                       \
	case c:                                                                \
		return (Py_ssize_t)sizeof(type);
		ITEMS(X)
#undef X
	}
	return 0;
}

PyObject *
item_get(char code, const void *p)
{
	switch (code) {
#define X(c, type, from)                                                       \
	case c: {                                                              \
		type v;                                                        \
                                                                               \
		memcpy(&v, p, sizeof(v));                                      \
		return from(v);                                                \
	}
		ITEMS(X)
#undef X
	}
	PyErr_SetString(PyExc_SystemError, "no type code");
	return NULL;
}

/* Integers in the range of all that are of this size and signedness, and
 * floats: anything else, and every error, is the builtin's. */
int
item_set(char code, void *p, PyObject *x)
{
	static const char codes[] = "bBhHiIlLqQ";
	Py_ssize_t size = item_size(code);
	int64_t i, max;

	if (code == 'd' && PyFloat_CheckExact(x)) {
		double d = PyFloat_AS_DOUBLE(x);

		memcpy(p, &d, sizeof(d));
		return 1;
	}
	if (!strchr(codes, code) || !small_int(x, &i))
		return 0;
	max = size == 8 ? INT64_MAX
			: (INT64_C(1) << (8 * size - (code > 'Z'))) - 1;
	if (i > max || i < (code > 'Z' ? -max : 0))
		return 0;
	memcpy(p, &i, (size_t)size); /* little-endian, as the library */
	return 1;
}

/* SPDX-License-Identifier: MIT */
/* kinds.c - the kinds of objects. */
#include "sharing.h"

static const struct kind *const kinds[KINDS] = {
	[POSH_KIND_LIST] = &kind_list,
	[POSH_KIND_DICT] = &kind_dict,
	[POSH_KIND_TUPLE] = &kind_tuple,
	[POSH_KIND_INSTANCE] = &kind_instance,
	[POSH_KIND_BUFFER] = &kind_buffer,
	[POSH_KIND_SET] = &kind_set,
	[POSH_KIND_DEQUE] = &kind_deque,
};

const struct kind *
kind_table(enum posh_kind kind)
{
	return (unsigned)kind < KINDS ? kinds[kind] : NULL;
}

enum posh_kind
kind_of(PyObject *x)
{
	if (PyList_CheckExact(x))
		return POSH_KIND_LIST;
	if (PyDict_CheckExact(x))
		return POSH_KIND_DICT;
	if (PyTuple_CheckExact(x))
		return POSH_KIND_TUPLE;
	if (PySet_CheckExact(x))
		return POSH_KIND_SET;
	if ((PyObject *)Py_TYPE(x) == posh_state->deque)
		return POSH_KIND_DEQUE;
	if (kind_is_buffer(x))
		return POSH_KIND_BUFFER;
	return form_known(x) ? POSH_KIND_TUPLE : POSH_KIND_INSTANCE;
}

/* SPDX-License-Identifier: MIT */
/* set.c - SharedSet, the proxy of a shared set: elements one by one.
 *
 * To libposh a set is a dict whose values are all True, and so it is here:
 * an element is a key, found as dict.c and dictkey.c find it.
 */
#include "set.h"
#include "sharing.h"

/*
 * Elements.
 */

/* Return the set that the object of a class derived from set has, borrowed;
 * x itself if it is none; or NULL. */
static PyObject *
content_of(PyObject *x)
{
	class_object *cls = NULL;
	ref_object *r;

	if (Py_TYPE(x)->tp_hash == PyObject_HashNotImplemented)
		cls = class_find(Py_TYPE(x));
	if (!cls || cls->content != POSH_KIND_SET)
		return x;
	r = instance_ref(x, cls);
	return r ? instance_content(r) : NULL;
}

/* A set is looked for among frozensets, as the builtin does. */
static PyObject *
element_of(PyObject *x)
{
	if (PySet_Check(x))
		return PyFrozenSet_New(x);
	x = content_of(x);
	if (!x || !is_set_proxy(posh_state, x))
		return Py_XNewRef(x);
	x = set_snapshot((proxy_object *)x);
	if (x)
		Py_SETREF(x, PyFrozenSet_New(x));
	return x;
}

static int
set_contains(PyObject *self, PyObject *x)
{
	int rc;

	x = element_of(x);
	if (!x)
		return -1;
	rc = dict_contains(self, x);
	Py_DECREF(x);
	return rc;
}

int
set_take(proxy_object *p, PyObject *x)
{
	int rc;

	x = element_of(x);
	if (!x)
		return -1;
	rc = dict_take(p, x, NULL);
	Py_DECREF(x);
	return rc;
}

static Py_ssize_t
set_length(PyObject *self)
{
	proxy_object *p = (proxy_object *)self;
	int64_t n;

	CALL(n, posh_dict_len(HEAP(p), p->handle));
	return n < 0 ? proxy_failed(p, n) : (Py_ssize_t)n;
}

static PyObject *
set_iter(PyObject *self)
{
	return dict_iter_new((proxy_object *)self, VIEW_KEYS, false);
}

/*
 * Methods.
 */

static PyObject *
set_add(METHOD_ARGS)
{
	if (nargs != 1 || kwnames)
		return SET_MISUSE("add");
	if (dict_set_item((proxy_object *)self, args[0], Py_True) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *
set_discard(METHOD_ARGS)
{
	if (nargs != 1 || kwnames)
		return SET_MISUSE("discard");
	if (set_take((proxy_object *)self, args[0]) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *
set_remove(METHOD_ARGS)
{
	int rc;

	if (nargs != 1 || kwnames)
		return SET_MISUSE("remove");
	rc = set_take((proxy_object *)self, args[0]);
	if (rc == 0)
		error_set_key(args[0]);
	if (rc <= 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *
set_pop(METHOD_ARGS)
{
	PyObject *item[2];
	int rc;

	if (nargs || kwnames)
		return SET_MISUSE("pop");
	rc = dict_take_last((proxy_object *)self, item);
	if (rc == 0)
		PyErr_SetString(PyExc_KeyError, "pop from an empty set");
	if (rc <= 0)
		return NULL;
	Py_DECREF(item[1]);
	return item[0];
}

static PyObject *
set_clear(METHOD_ARGS)
{
	if (nargs || kwnames)
		return SET_MISUSE("clear");
	return dict_clear(self, NULL, 0, NULL);
}

static PyObject *
set_copy(METHOD_ARGS)
{
	if (nargs || kwnames)
		return SET_MISUSE("copy");
	return set_snapshot((proxy_object *)self);
}

static PyObject *
set_contains_method(PyObject *self, PyObject *x)
{
	int rc = set_contains(self, x);

	return rc < 0 ? NULL : PyBool_FromLong(rc);
}

static PyObject *
set_sizeof(PyObject *self, PyObject *Py_UNUSED(unused))
{
	Py_ssize_t n = set_length(self);

	if (n < 0)
		return NULL;
	return PyLong_FromSsize_t((Py_ssize_t)sizeof(proxy_object) + n * 24);
}

static PyObject *
set_get_class(PyObject *Py_UNUSED(self), void *Py_UNUSED(closure))
{
	return Py_NewRef((PyObject *)&PySet_Type);
}

/*
 * Making one.
 */

static PyObject *
set_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *kwds)
{
	PyObject *heap = kwds ? PyDict_GetItemString(kwds, "heap") : NULL;

	return proxy_create(type, heap, POSH_KIND_SET);
}

static int
set_init(PyObject *self, PyObject *args, PyObject *kwds)
{
	static char *names[] = {(char *)"", (char *)"heap", NULL};
	proxy_object *p = (proxy_object *)self;
	PyObject *x = NULL, *heap, *plain;
	int rc;

	if (!PyArg_ParseTupleAndKeywords(args, kwds, "|O$O:set", names, &x,
					 &heap))
		return -1;
	if (x)
		x = plain_operand(posh_state, x);
	else if (set_length(self) == 0)
		return 0;
	plain = x || !PyErr_Occurred() ? PySet_New(x) : NULL;
	Py_XDECREF(x);
	if (!plain)
		return -1;
	rc = proxy_lock(p);
	if (rc == 0) {
		rc = set_replace(p, plain);
		proxy_unlock(p);
	}
	Py_DECREF(plain);
	return rc;
}

static PyMethodDef methods[] = {
	METHOD("add", set_add, "add($self, x, /)\n--\n\nAdd an element."),
	METHOD("clear", set_clear,
	       "clear($self, /)\n--\n\nRemove all elements."),
	METHOD("copy", set_copy,
	       "copy($self, /)\n--\n\n"
	       "Return a plain set of the elements as of one moment."),
	METHOD("difference", set_difference,
	       "Return a plain set: what is in this one and in none of the "
	       "others."),
	METHOD("difference_update", set_difference_update,
	       "Remove what is in the others: all or nothing."),
	METHOD("discard", set_discard,
	       "discard($self, x, /)\n--\n\nRemove an element if it is there."),
	METHOD("intersection", set_intersection,
	       "Return a plain set: what is in this one and in all others."),
	METHOD("intersection_update", set_intersection_update,
	       "Keep only what is in all others: all or nothing."),
	METHOD("isdisjoint", set_isdisjoint,
	       "isdisjoint($self, other, /)\n--\n\n"
	       "Do the two have no element in common?"),
	METHOD("issubset", set_issubset,
	       "issubset($self, other, /)\n--\n\n"
	       "Are all elements in the other one?"),
	METHOD("issuperset", set_issuperset,
	       "issuperset($self, other, /)\n--\n\n"
	       "Are all elements of the other one in this one?"),
	METHOD("pop", set_pop,
	       "pop($self, /)\n--\n\n"
	       "Remove an element and return it.\n\n"
	       "Raises KeyError if the set is empty."),
	METHOD("remove", set_remove,
	       "remove($self, x, /)\n--\n\n"
	       "Remove an element.\n\nRaises KeyError if it is not there."),
	METHOD("symmetric_difference", set_symmetric_difference,
	       "symmetric_difference($self, other, /)\n--\n\n"
	       "Return a plain set: what is in one of the two."),
	METHOD("symmetric_difference_update", set_symmetric_difference_update,
	       "symmetric_difference_update($self, other, /)\n--\n\n"
	       "Keep what is in one of the two: all or nothing."),
	METHOD("union", set_union,
	       "Return a plain set: what is in this one or in any other."),
	METHOD("update", set_update, "Add what is in the others: all or none."),
	{"__contains__", set_contains_method, METH_O | METH_COEXIST,
	 "Is it an element?"},
	{"__sizeof__", set_sizeof, METH_NOARGS,
	 "Return the size of the set in memory, in bytes."},
	{"__copy__", (PyCFunction)(void (*)(void))set_copy,
	 METH_FASTCALL | METH_KEYWORDS, "Return a plain set."},
	{"__deepcopy__", proxy_deepcopy, METH_O,
	 "Return a plain set with plain copies of everything in it."},
	{"__reduce_ex__", proxy_reduce_ex, METH_O, "Helper for pickle."},
	{"__class_getitem__", proxy_class_getitem, METH_O | METH_CLASS,
	 "See PEP 585"},
	{NULL, NULL, 0, NULL}};

static PyGetSetDef getset[] = {{"__class__", set_get_class, NULL, "set", NULL},
			       {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot slots[] = {
	{Py_tp_new, set_new},
	{Py_tp_init, set_init},
	{Py_tp_dealloc, proxy_dealloc},
	{Py_tp_hash, PyObject_HashNotImplemented},
	{Py_tp_repr, set_repr},
	{Py_tp_richcompare, set_richcompare},
	{Py_tp_iter, set_iter},
	{Py_tp_methods, methods},
	{Py_tp_getset, getset},
	{Py_tp_members, proxy_members},
	{Py_tp_doc, "set(iterable=(), /, *, heap=None)\n\n"
		    "A set in shared memory.\n\n"
		    "Each single operation is atomic; results of operations "
		    "are ordinary\nsets.  It remembers the order in which "
		    "elements were added."},
	{Py_nb_or, set_or},
	{Py_nb_and, set_and},
	{Py_nb_subtract, set_sub},
	{Py_nb_xor, set_xor},
	{Py_nb_inplace_or, set_ior},
	{Py_nb_inplace_and, set_iand},
	{Py_nb_inplace_subtract, set_isub},
	{Py_nb_inplace_xor, set_ixor},
	{Py_sq_contains, set_contains},
	{Py_sq_length, set_length},
	{0, NULL}};

static PyType_Spec spec = {
	.name = "posh.set",
	.basicsize = sizeof(proxy_object),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.slots = slots,
};

int
set_exec(PyObject *module, module_state *st)
{
	st->SharedSet = proxy_type_new(module, &spec, "set", POSH_KIND_SET);
	if (!st->SharedSet)
		return -1;
	return PyModule_AddObject(module, "SharedSet",
				  Py_NewRef((PyObject *)st->SharedSet));
}

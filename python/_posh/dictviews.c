/* SPDX-License-Identifier: MIT */
/* dictviews.c - the keys, values and items of a shared dict as views.
 *
 * A view is live: length, membership and iteration ask the dict.  Set
 * operations and comparisons are the builtin view's, on a snapshot.
 */
#include "dict.h"

typedef struct {
	PyObject_HEAD proxy_object *dict; /* strong */
	enum view_kind what;
} view_object;

static const char *const name_of[] = {"keys", "values", "items"};

PyObject *
dict_view_new(proxy_object *p, enum view_kind what)
{
	module_state *st = posh_state;
	PyTypeObject *const type[] = {st->DictKeys, st->DictValues,
				      st->DictItems};
	view_object *view = PyObject_New(view_object, type[what]);

	if (!view)
		return NULL;
	view->dict = (proxy_object *)Py_NewRef((PyObject *)p);
	view->what = what;
	return (PyObject *)view;
}

static void
view_dealloc(PyObject *self)
{
	PyTypeObject *tp = Py_TYPE(self);

	Py_DECREF(((view_object *)self)->dict);
	tp->tp_free(self);
	Py_DECREF(tp);
}

PyObject *
dict_view_plain(PyObject *self)
{
	view_object *view = (view_object *)self;
	PyObject *dict = dict_snapshot(view->dict);
	PyObject *plain;

	if (!dict)
		return NULL;
	plain = PyObject_CallMethod(dict, name_of[view->what], NULL);
	Py_DECREF(dict);
	return plain;
}

static Py_ssize_t
view_length(PyObject *self)
{
	return PyObject_Size((PyObject *)((view_object *)self)->dict);
}

static PyObject *
view_iter(PyObject *self)
{
	view_object *view = (view_object *)self;

	return dict_iter_new(view->dict, view->what, false);
}

static PyObject *
view_reversed(PyObject *self, PyObject *Py_UNUSED(unused))
{
	view_object *view = (view_object *)self;

	return dict_iter_new(view->dict, view->what, true);
}

static PyObject *
view_repr(PyObject *self)
{
	PyObject *list;
	PyObject *text = NULL;
	int rc = Py_ReprEnter(self);

	if (rc)
		return rc > 0 ? PyUnicode_FromString("...") : NULL;
	list = dict_view_plain(self);
	if (list)
		Py_SETREF(list, PySequence_List(list));
	if (list)
		text = PyUnicode_FromFormat("%s(%R)", Py_TYPE(self)->tp_name,
					    list);
	Py_XDECREF(list);
	Py_ReprLeave(self);
	return text;
}

static PyObject *
view_mapping(PyObject *self, void *Py_UNUSED(closure))
{
	return PyDictProxy_New((PyObject *)((view_object *)self)->dict);
}

static PyObject *
view_class(PyObject *self, void *Py_UNUSED(closure))
{
	module_state *st = posh_state;
	PyObject *const type[] = {st->dict_keys, st->dict_values,
				  st->dict_items};

	return Py_NewRef(type[((view_object *)self)->what]);
}

/*
 * Sets.
 */

static int
keys_contains(PyObject *self, PyObject *key)
{
	return dict_contains((PyObject *)((view_object *)self)->dict, key);
}

static int
items_contains(PyObject *self, PyObject *pair)
{
	PyObject *x;
	int rc;

	if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2)
		return 0;
	x = dict_lookup(((view_object *)self)->dict, PyTuple_GET_ITEM(pair, 0));
	if (!x)
		return PyErr_Occurred() ? -1 : 0;
	rc = PyObject_RichCompareBool(x, PyTuple_GET_ITEM(pair, 1), Py_EQ);
	Py_DECREF(x);
	return rc;
}

static PyObject *
operate(PyObject *a, PyObject *b, binaryfunc op)
{
	PyObject *x = plain_operand(posh_state, a);
	PyObject *y = x ? plain_operand(posh_state, b) : NULL;
	PyObject *r = y ? op(x, y) : NULL;

	Py_XDECREF(x);
	Py_XDECREF(y);
	return r;
}

static PyObject *
view_subtract(PyObject *a, PyObject *b)
{
	return operate(a, b, PyNumber_Subtract);
}

static PyObject *
view_and(PyObject *a, PyObject *b)
{
	return operate(a, b, PyNumber_And);
}

static PyObject *
view_or(PyObject *a, PyObject *b)
{
	return operate(a, b, PyNumber_Or);
}

static PyObject *
view_xor(PyObject *a, PyObject *b)
{
	return operate(a, b, PyNumber_Xor);
}

static PyObject *
view_richcompare(PyObject *self, PyObject *other, int op)
{
	PyObject *x = dict_view_plain(self);
	PyObject *y = x ? plain_operand(posh_state, other) : NULL;
	PyObject *r = y ? Py_TYPE(x)->tp_richcompare(x, y, op) : NULL;

	Py_XDECREF(x);
	Py_XDECREF(y);
	return r;
}

static PyObject *
isdisjoint(PyObject *x, PyObject *y)
{
	return PyObject_CallMethod(x, "isdisjoint", "(O)", y);
}

static PyObject *
view_isdisjoint(METHOD_ARGS)
{
	if (nargs != 1 || kwnames)
		return proxy_misuse(dict_view_plain(self), "isdisjoint", args,
				    nargs, kwnames);
	return operate(self, args[0], isdisjoint);
}

/*
 * Types.
 */

#define REVERSED                                                               \
	{                                                                      \
		"__reversed__", view_reversed, METH_NOARGS,                    \
			"Return a reverse iterator."                           \
	}
#define ISDISJOINT                                                             \
	METHOD("isdisjoint", view_isdisjoint,                                  \
	       "Return True if the view and the given iterable have a null "   \
	       "intersection.")

static PyMethodDef set_methods[] = {
	REVERSED, ISDISJOINT, {NULL, NULL, 0, NULL}};
static PyMethodDef values_methods[] = {REVERSED, {NULL, NULL, 0, NULL}};

static PyGetSetDef getset[] = {
	{"mapping", view_mapping, NULL, "dictionary that this view refers to",
	 NULL},
	{"__class__", view_class, NULL, "what the view is", NULL},
	{NULL, NULL, NULL, NULL, NULL}};

#define COMMON_SLOTS                                                           \
	{Py_tp_dealloc, view_dealloc}, {Py_tp_repr, view_repr},                \
		{Py_tp_iter, view_iter}, {Py_tp_getset, getset},               \
	{                                                                      \
		Py_sq_length, view_length                                      \
	}

#define SET_SLOTS                                                              \
	{Py_tp_hash, PyObject_HashNotImplemented},                             \
		{Py_tp_richcompare, view_richcompare},                         \
		{Py_tp_methods, set_methods}, {Py_nb_subtract, view_subtract}, \
		{Py_nb_and, view_and}, {Py_nb_or, view_or},                    \
	{                                                                      \
		Py_nb_xor, view_xor                                            \
	}

static PyType_Slot keys_slots[] = {
	COMMON_SLOTS, SET_SLOTS, {Py_sq_contains, keys_contains}, {0, NULL}};
static PyType_Slot items_slots[] = {
	COMMON_SLOTS, SET_SLOTS, {Py_sq_contains, items_contains}, {0, NULL}};
static PyType_Slot values_slots[] = {
	COMMON_SLOTS, {Py_tp_methods, values_methods}, {0, NULL}};

static PyTypeObject *
make(PyObject *module, const char *name, PyType_Slot *slots)
{
	PyType_Spec spec = {
		.name = name,
		.basicsize = sizeof(view_object),
		.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
		.slots = slots,
	};

	return (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
}

/* Return the type of a view of a plain dict. */
static PyObject *
plain_type(enum view_kind what)
{
	PyObject *dict = PyDict_New();
	PyObject *view = NULL;
	PyObject *type = NULL;

	if (dict)
		view = PyObject_CallMethod(dict, name_of[what], NULL);
	if (view)
		type = Py_NewRef((PyObject *)Py_TYPE(view));
	Py_XDECREF(view);
	Py_XDECREF(dict);
	return type;
}

int
dictviews_exec(PyObject *module, module_state *st)
{
	st->DictKeys = make(module, "posh._posh.DictKeys", keys_slots);
	st->DictValues = make(module, "posh._posh.DictValues", values_slots);
	st->DictItems = make(module, "posh._posh.DictItems", items_slots);
	st->dict_keys = plain_type(VIEW_KEYS);
	st->dict_values = plain_type(VIEW_VALUES);
	st->dict_items = plain_type(VIEW_ITEMS);
	if (!st->DictKeys || !st->DictValues || !st->DictItems ||
	    !st->dict_keys || !st->dict_values || !st->dict_items)
		return -1;
	proxy_disguise(st->DictKeys, "dict_keys");
	proxy_disguise(st->DictValues, "dict_values");
	proxy_disguise(st->DictItems, "dict_items");
	return 0;
}

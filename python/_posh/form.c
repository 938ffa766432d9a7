/* SPDX-License-Identifier: MIT */
/* form.c - immutable values of other types: a Decimal, a frozenset, a member
 * of an Enum, what register_value() was told about.
 *
 * In a heap each is a tuple with a form (posh.h: enum posh_form) of immutable
 * values; here a Form stands for such a tuple.  A *codec* is a function that
 * returns the Form of an object, or None if it has none, a *builder* one that
 * makes an object of what is behind the name in a Form; they are Python's
 * (_values.py), and may be anybody's code.
 *
 * So nothing is built while what a read returned is still to be decoded: it
 * is decoded to tuples and Forms first, and these are revived afterwards.
 */
#include "sharing.h"

static form_object *
form_new(unsigned form, PyObject *items, bool opaque)
{
	form_object *f;

	if (!items)
		return NULL;
	f = PyObject_New(form_object, posh_state->Form);
	if (!f) {
		Py_DECREF(items);
		return NULL;
	}
	f->form = (uint8_t)form;
	f->opaque = opaque;
	f->items = items;
	return f;
}

PyObject *
form_wrap(unsigned form, PyObject *items)
{
	return (PyObject *)form_new(form, items, false);
}

static void
form_dealloc(PyObject *op)
{
	PyTypeObject *tp = Py_TYPE(op);

	Py_XDECREF(((form_object *)op)->items);
	PyObject_Free(op);
	Py_DECREF(tp);
}

static PyObject *
form_make(PyTypeObject *Py_UNUSED(type), PyObject *args, PyObject *kwds)
{
	static char *names[] = {(char *)"form", (char *)"items",
				(char *)"opaque", NULL};
	PyObject *items;
	int form, opaque = 0;

	if (!PyArg_ParseTupleAndKeywords(args, kwds, "iO!|p:Form", names, &form,
					 &PyTuple_Type, &items, &opaque))
		return NULL;
	return (PyObject *)form_new((unsigned)form, Py_NewRef(items),
				    opaque != 0);
}

/*
 * From objects.
 */

/* Types that are met all the time, and are none. */
static bool
is_common(PyObject *x)
{
	return PyList_CheckExact(x) || PyDict_CheckExact(x) ||
	       PyAnySet_CheckExact(x) || PyByteArray_CheckExact(x);
}

/* Return the codec of a type, borrowed, or NULL, maybe with an exception. */
static PyObject *
codec_of(PyTypeObject *tp)
{
	module_state *st = posh_state;
	PyObject *codec;

	if (!st->codecs || !st->find_codec)
		return NULL;
	codec = PyDict_GetItemWithError(st->codecs, (PyObject *)tp);
	if (codec || PyErr_Occurred() || class_find(tp))
		return codec;
	/* It is in the dict afterwards, if there is one. */
	codec = PyObject_CallOneArg(st->find_codec, (PyObject *)tp);
	if (!codec)
		return NULL;
	Py_DECREF(codec);
	return PyDict_GetItemWithError(st->codecs, (PyObject *)tp);
}

bool
form_known(PyObject *x)
{
	PyObject *codec;

	if (PyFrozenSet_CheckExact(x) || Py_TYPE(x) == posh_state->Form)
		return true;
	if (is_common(x))
		return false;
	codec = codec_of(Py_TYPE(x));
	PyErr_Clear();
	return codec != NULL;
}

form_object *
form_of(PyObject *x)
{
	PyObject *codec;
	PyObject *f;

	if (Py_TYPE(x) == posh_state->Form)
		return (form_object *)Py_NewRef(x);
	if (PyFrozenSet_CheckExact(x))
		return form_new(POSH_FORM_SET, PySequence_Tuple(x), false);
	if (is_common(x))
		return NULL;
	codec = codec_of(Py_TYPE(x));
	if (!codec)
		return NULL;
	Py_INCREF(codec);
	f = PyObject_CallOneArg(codec, x);
	Py_DECREF(codec);
	if (f == Py_None) {
		Py_DECREF(f);
		return NULL;
	}
	if (f && Py_TYPE(f) != posh_state->Form) {
		PyErr_SetString(PyExc_TypeError, "a codec returns a Form");
		Py_CLEAR(f);
	}
	return (form_object *)f;
}

/*
 * To objects.
 */

/* Return the builder of what a class is called, new. */
static PyObject *
builder_of(PyObject *name)
{
	module_state *st = posh_state;
	PyObject *f;

	if (!st->builders || !st->find_builder || !PyUnicode_Check(name))
		return error_set(st, -EUCLEAN);
	f = PyDict_GetItemWithError(st->builders, name);
	if (f)
		return Py_NewRef(f);
	if (PyErr_Occurred())
		return NULL;
	return PyObject_CallOneArg(st->find_builder, name);
}

PyObject *
form_build(unsigned form, PyObject *items)
{
	Py_ssize_t n = PyTuple_GET_SIZE(items);
	PyObject *f;
	PyObject *x = NULL;

	if (form == POSH_FORM_PLAIN)
		return items;
	if (form == POSH_FORM_KEY && n == 3) {
		x = Py_NewRef(PyTuple_GET_ITEM(items, 2));
	} else if (form == POSH_FORM_SET) {
		x = PyFrozenSet_New(items);
	} else if (n < 2) {
		error_set(posh_state, -EUCLEAN);
	} else {
		f = builder_of(PyTuple_GET_ITEM(items, 0));
		if (f)
			x = PyObject_Vectorcall(f, &PyTuple_GET_ITEM(items, 1),
						(size_t)n - 1, NULL);
		Py_XDECREF(f);
	}
	Py_DECREF(items);
	return x;
}

/* Revive the items of a tuple that is ours alone. */
static int
revive_items(unsigned form, PyObject *t)
{
	PyObject *x;
	Py_ssize_t i;

	for (i = 0; i < PyTuple_GET_SIZE(t); i++) {
		bool is_form;

		x = PyTuple_GET_ITEM(t, i);
		is_form = Py_TYPE(x) == posh_state->Form;
		if (!PyTuple_CheckExact(x) && !is_form)
			continue;
		PyTuple_SET_ITEM(t, i, NULL);
		if (is_form && form_is_key(form, PyTuple_GET_SIZE(t), i)) {
			Py_DECREF(x);
			x = Py_NewRef(Py_None);
		} else {
			x = form_revive(x);
			if (form == POSH_FORM_PLAIN)
				x = missing_instead(x);
		}
		if (!x)
			return -1;
		PyTuple_SET_ITEM(t, i, x);
	}
	return 0;
}

PyObject *
form_revive(PyObject *x)
{
	bool is_form = Py_TYPE(x) == posh_state->Form;
	unsigned form = is_form ? ((form_object *)x)->form : POSH_FORM_PLAIN;
	PyObject *t = x;
	int rc;

	if (is_form) {
		t = Py_NewRef(((form_object *)x)->items);
		Py_DECREF(x);
	}
	if (Py_EnterRecursiveCall(" while reading a value")) {
		Py_DECREF(t);
		return NULL;
	}
	rc = revive_items(form, t);
	Py_LeaveRecursiveCall();
	if (rc < 0) {
		Py_DECREF(t);
		return NULL;
	}
	return form_build(form, t);
}

bool
value_has_form(const struct posh_value *v)
{
	size_t i;

	if (v->type != POSH_TUPLE)
		return false;
	if (v->width != POSH_FORM_PLAIN)
		return true;
	for (i = 0; i < v->size; i++)
		if (value_has_form(&v->items[i]))
			return true;
	return false;
}

bool
value_has_object(const struct posh_value *v)
{
	size_t i;

	if (v->type != POSH_TUPLE)
		return v->type == POSH_OBJECT;
	for (i = 0; i < v->size; i++)
		if (value_has_object(&v->items[i]))
			return true;
	return false;
}

/* Two that are alive at the same time: hashes may be addresses. */
int
form_hashes_alike(heap_object *heap, const struct posh_value *v)
{
	PyObject *a, *b;
	Py_hash_t hash;
	bool same = false;

	if (v->type != POSH_TUPLE || value_has_object(v))
		return 1;
	a = value_decode(heap, v);
	b = a ? value_decode(heap, v) : NULL;
	hash = b ? PyObject_Hash(a) : -1;
	if (hash != -1)
		same = PyObject_Hash(b) == hash;
	Py_XDECREF(a);
	Py_XDECREF(b);
	return PyErr_Occurred() ? -1 : same;
}

static PyMemberDef members[] = {
	{"form", T_UBYTE, offsetof(form_object, form), READONLY, NULL},
	{"items", T_OBJECT_EX, offsetof(form_object, items), READONLY, NULL},
	{"opaque", T_BOOL, offsetof(form_object, opaque), READONLY, NULL},
	{NULL, 0, 0, 0, NULL}};

static PyType_Slot slots[] = {
	{Py_tp_new, form_make},
	{Py_tp_dealloc, form_dealloc},
	{Py_tp_members, members},
	{Py_tp_doc,
	 "Form(form, items, opaque=False)\n--\n\n"
	 "What an immutable value of another type is in shared memory.\n\n"
	 "items is a tuple: of FORM_TYPED the name of a class and a state; of\n"
	 "FORM_LIKE the name, what it is equal to, and, if that is not its\n"
	 "state, the state.  opaque: it is equal to things that only Python\n"
	 "knows."},
	{0, NULL}};

static PyType_Spec spec = {
	.name = "posh._posh.Form",
	.basicsize = sizeof(form_object),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = slots,
};

int
form_exec(PyObject *module, module_state *st)
{
	if (type_add(module, &spec, &st->Form) < 0 ||
	    PyModule_AddObject(module, "Form",
			       Py_NewRef((PyObject *)st->Form)) < 0 ||
	    PyModule_AddIntConstant(module, "FORM_TYPED", POSH_FORM_TYPED) <
		    0 ||
	    PyModule_AddIntConstant(module, "FORM_LIKE", POSH_FORM_LIKE) < 0)
		return -1;
	return 0;
}

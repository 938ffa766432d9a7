/* SPDX-License-Identifier: MIT */
/* missing.c - what stands in a repr for an object whose class is not found.
 *
 * Reads of many elements raise ClassNotFoundError as a whole.  A repr is for
 * whoever wants to know what is there, so it has a text instead of each
 * element that this process can't make.
 */
#include "module.h"

typedef struct {
	PyObject_HEAD PyObject *text;
} missing_object;

/* Is a repr being made by this thread? */
static _Thread_local bool showing;

bool
missing_show(bool yes)
{
	bool before = showing;

	showing = yes;
	return before;
}

/* <posh: class m.C not found>, of the exception that is set. */
static PyObject *
text_of(PyObject *error)
{
	PyObject *name = error ? PyObject_GetAttrString(error, "name") : NULL;
	PyObject *path = NULL, *text = NULL;

	if (name && PyUnicode_Check(name))
		path = PyObject_CallMethod(name, "replace", "ss", ":", ".");
	if (path)
		text = PyUnicode_FromFormat("<posh: class %U not found>", path);
	else if (!PyErr_Occurred())
		text = PyUnicode_FromString("<posh: class not found>");
	Py_XDECREF(path);
	Py_XDECREF(name);
	return text;
}

PyObject *
missing_instead(PyObject *x)
{
	PyObject *type, *error, *tb;
	missing_object *m;

	if (LIKELY(x || !showing) ||
	    !PyErr_ExceptionMatches(posh_state->ClassNotFoundError))
		return x;
	PyErr_Fetch(&type, &error, &tb);
	PyErr_NormalizeException(&type, &error, &tb);
	m = PyObject_New(missing_object, posh_state->Missing);
	if (m) {
		m->text = text_of(error);
		if (!m->text)
			Py_CLEAR(m);
	}
	Py_XDECREF(type);
	Py_XDECREF(error);
	Py_XDECREF(tb);
	return (PyObject *)m;
}

static void
missing_dealloc(PyObject *op)
{
	PyTypeObject *tp = Py_TYPE(op);

	Py_XDECREF(((missing_object *)op)->text);
	PyObject_Free(op);
	Py_DECREF(tp);
}

static PyObject *
missing_repr(PyObject *op)
{
	return Py_NewRef(((missing_object *)op)->text);
}

PyDoc_STRVAR(show_doc,
	     "_show_missing(yes)\n--\n\n"
	     "Have objects whose class is not found be replaced by what only\n"
	     "has a repr, or not; return what it was before.");

static PyObject *
show(PyObject *Py_UNUSED(module), PyObject *yes)
{
	int on = PyObject_IsTrue(yes);

	return on < 0 ? NULL : PyBool_FromLong(missing_show(on));
}

static PyMethodDef functions[] = {{"_show_missing", show, METH_O, show_doc},
				  {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {{Py_tp_dealloc, missing_dealloc},
			      {Py_tp_repr, missing_repr},
			      {0, NULL}};

static PyType_Spec spec = {
	.name = "posh._posh.Missing",
	.basicsize = sizeof(missing_object),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = slots,
};

int
missing_exec(PyObject *module, module_state *st)
{
	st->Missing =
		(PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
	return st->Missing ? PyModule_AddFunctions(module, functions) : -1;
}

/* SPDX-License-Identifier: MIT */
/* synch.c - monitors by hand, and the two calls around a fork. */
#include "sharing.h"

#include <math.h>

static int
argument(PyObject *x, heap_object **heap, posh_handle *o)
{
	if (proxy_check(posh_state, x, heap, o) != POSH_KIND_NONE)
		return 0;
	PyErr_Format(PyExc_TypeError,
		     "a shared object was expected, not '%.200s'",
		     Py_TYPE(x)->tp_name);
	return -1;
}

/* Seconds, or None: no limit. */
static int
timeout_of(PyObject *x, int64_t *out)
{
	double seconds;
	*out = -1;
	if (!x || x == Py_None)
		return 0;
	seconds = PyFloat_AsDouble(x);
	if (seconds == -1.0 && PyErr_Occurred())
		return -1;
	if (isnan(seconds) || seconds < 0) {
		PyErr_SetString(PyExc_ValueError,
				"a timeout must not be negative");
		return -1;
	}
	if (seconds < 9e9)
		*out = (int64_t)(seconds * 1e9);
	return 0;
}

PyDoc_STRVAR(lock_doc, "_lock(x, timeout=None)\n--\n\n"
		       "Enter the monitor of a shared object.");

static PyObject *
lock(PyObject *Py_UNUSED(module), PyObject *args)
{
	PyObject *x, *timeout = NULL;
	heap_object *heap;
	posh_handle o, content;
	int64_t ns;
	int rc, two;
	if (!PyArg_ParseTuple(args, "O|O:_lock", &x, &timeout) ||
	    timeout_of(timeout, &ns) < 0 || argument(x, &heap, &o) < 0)
		return NULL;
	two = instance_content_of(x, &content);
	if (two < 0)
		return NULL;
	CALL(rc, posh_object_lock(heap->h, o, ns));
	if (rc == 0 && two) {
		CALL(rc, posh_object_lock(heap->h, content, ns));
		if (rc < 0)
			posh_object_unlock(heap->h, o);
	}
	if (rc == -ETIMEDOUT)
		return PyErr_Format(posh_state->LockTimeoutError,
				    "for %R s others were inside the monitor "
				    "of the '%.200s' object: give more time, "
				    "or try again later",
				    timeout ? timeout : Py_None,
				    Py_TYPE(x)->tp_name);
	if (rc < 0)
		return error_set(posh_state, rc);
	Py_RETURN_NONE;
}

PyDoc_STRVAR(unlock_doc,
	     "_unlock(x)\n--\n\n"
	     "Leave the monitor of a shared object.  Returns False if this\n"
	     "thread is not inside, as the child of a fork inside is not.");

static PyObject *
unlock(PyObject *Py_UNUSED(module), PyObject *x)
{
	heap_object *heap;
	posh_handle o, content;
	int rc;
	if (argument(x, &heap, &o) < 0)
		return NULL;
	rc = instance_content_of(x, &content);
	if (rc < 0)
		return NULL;
	if (rc)
		posh_object_unlock(heap->h, content);
	rc = posh_object_unlock(heap->h, o);
	if (rc < 0 && rc != -EPERM && rc != -ESHUTDOWN)
		return error_set(posh_state, rc);
	return PyBool_FromLong(rc == 0);
}

PyDoc_STRVAR(where_doc,
	     "_where(x)\n--\n\n"
	     "Return (id of the heap, handle) of a shared object: the same\n"
	     "in all processes.");

static PyObject *
where(PyObject *Py_UNUSED(module), PyObject *x)
{
	heap_object *heap;
	posh_handle o;
	if (argument(x, &heap, &o) < 0)
		return NULL;
	return Py_BuildValue("(KK)", (unsigned long long)posh_heap_id(heap->h),
			     (unsigned long long)o.off);
}

PyDoc_STRVAR(heap_of_doc, "_heap_of(x)\n--\n\n"
			  "Return the heap of a shared object.");

static PyObject *
heap_of(PyObject *Py_UNUSED(module), PyObject *x)
{
	heap_object *heap;
	posh_handle o;
	if (argument(x, &heap, &o) < 0)
		return NULL;
	return Py_NewRef((PyObject *)heap);
}

static PyObject *
fork_arm(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
	posh_fork_arm();
	Py_RETURN_NONE;
}

static PyObject *
fork_disarm(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
	posh_fork_disarm();
	Py_RETURN_NONE;
}

PyDoc_STRVAR(in_place_doc, "_is_in_place(frame)\n--\n\n"
			   "Is a frame at an in-place operator?");

static PyObject *
is_in_place(PyObject *Py_UNUSED(module), PyObject *frame)
{
	int yes = proxy_frame_in_place(frame);
	return yes < 0 ? NULL : PyBool_FromLong(yes);
}

static PyMethodDef synch_functions[] = {
	{"_is_in_place", is_in_place, METH_O, in_place_doc},
	{"_lock", lock, METH_VARARGS, lock_doc},
	{"_unlock", unlock, METH_O, unlock_doc},
	{"_heap_of", heap_of, METH_O, heap_of_doc},
	{"_where", where, METH_O, where_doc},
	{"_fork_arm", fork_arm, METH_NOARGS, "Call just before a fork."},
	{"_fork_disarm", fork_disarm, METH_NOARGS, "Call just after it."},
	{NULL, NULL, 0, NULL}};

int
synch_exec(PyObject *module, module_state *state)
{
	(void)state;
	return PyModule_AddFunctions(module, synch_functions);
}

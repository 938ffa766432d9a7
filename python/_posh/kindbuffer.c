/* SPDX-License-Identifier: MIT */
/* kindbuffer.c - what share() and unshare() do with bytearrays, arrays and
 * ndarrays.  What of an object are its bytes says Python. */
#include "buffer.h"

static bool
is_named(PyObject *x, const char *name)
{
	return !strcmp(Py_TYPE(x)->tp_name, name);
}

bool
kind_is_buffer(PyObject *x)
{
	if (PyByteArray_CheckExact(x) ||
	    (PyObject *)Py_TYPE(x) == posh_state->ndarray_type)
		return true;
	/* Their modules are not imported here. */
	return !PyType_HasFeature(Py_TYPE(x), Py_TPFLAGS_LONG_SUBCLASS) &&
	       (is_named(x, "array.array") || is_named(x, "numpy.ndarray"));
}

static PyObject *
describe(heap_object *heap, PyObject *x)
{
	if (!posh_state->buffer_describe) {
		PyErr_SetString(posh_state->Error,
				"the posh package is not loaded");
		return NULL;
	}
	return PyObject_CallFunctionObjArgs(posh_state->buffer_describe,
					    (PyObject *)heap, x, NULL);
}

static enum outcome
buffer_fresh(sharer *s, PyObject *x, struct posh_value *v)
{
	PyObject *d;
	enum outcome rc = ADDED;

	*v = posh_fresh(POSH_KIND_BUFFER);
	if (PyByteArray_CheckExact(x))
		return ADDED;
	d = describe(s->heap, x);
	if (!d)
		return FAILED;
	if (PyUnicode_Check(d)) {
		const char *why = PyUnicode_AsUTF8(d);

		rc = why ? sharer_refuse(s, x, why) : FAILED;
	}
	Py_DECREF(d);
	return rc;
}

static int
buffer_make(heap_object *heap, struct posh_value *Py_UNUSED(v), posh_handle *o)
{
	return posh_buffer_new(heap->h, o);
}

/* A blob with a copy of the bytes, held. */
static int
blob_of(heap_object *heap, PyObject *source, posh_handle *blob)
{
	Py_buffer b;
	void *p;
	int rc;

	if (PyObject_GetBuffer(source, &b, PyBUF_SIMPLE) < 0)
		return -1;
	CALL(rc, posh_blob_new(heap->h, (uint64_t)b.len, blob));
	if (rc == 0) {
		rc = posh_blob_data(heap->h, *blob, &p, NULL);
		if (rc == 0 && b.len)
			memcpy(p, b.buf, (size_t)b.len);
		else if (rc)
			heap_drop(heap, *blob);
	}
	PyBuffer_Release(&b);
	if (rc == 0)
		return 0;
	error_set(posh_state, rc);
	return -1;
}

/* The same of a number of bytes, all 0, or of another's blob, named by its
 * handle in a tuple. */
static int
blob_like(heap_object *heap, PyObject *source, posh_handle *blob)
{
	unsigned long long n;
	int rc;

	if (PyTuple_Check(source)) {
		blob->off =
			PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(source, 0));
		rc = posh_object_hold(heap->h, *blob);
	} else if (PyLong_Check(source)) {
		n = PyLong_AsUnsignedLongLong(source);
		if (PyErr_Occurred())
			return -1;
		CALL(rc, posh_blob_new(heap->h, n, blob));
	} else {
		return blob_of(heap, source, blob);
	}
	if (rc == 0)
		return 0;
	error_set(posh_state, rc);
	return -1;
}

static int
init(heap_object *heap, posh_handle o, PyObject *meta, PyObject *source)
{
	struct posh_value v;
	posh_handle blob;
	encoder e;
	int rc;

	if (blob_like(heap, source, &blob) < 0)
		return -1;
	encoder_init(&e, heap);
	rc = value_encode(heap, meta, &v, &e);
	if (rc == 0) {
		CALL(rc, posh_buffer_init(heap->h, o, blob, &v));
		if (rc)
			error_set(posh_state, rc);
	}
	encoder_clear(&e);
	heap_drop(heap, blob);
	return rc ? -1 : 0;
}

static int
fill_buffer(sharer *s, PyObject *x, posh_handle o)
{
	PyObject *d, *meta, *source;
	int rc = -1;

	if (PyByteArray_CheckExact(x))
		return init(s->heap, o, Py_None, x);
	d = describe(s->heap, x);
	if (d && PyArg_ParseTuple(d, "OO", &meta, &source))
		rc = init(s->heap, o, meta, source);
	Py_XDECREF(d);
	return rc;
}

static PyObject *
buffer_wrap(heap_object *heap, posh_handle o)
{
	PyObject *p = buffer_new(heap, o);

	return p ? buffer_present(p) : NULL;
}

static PyObject *
buffer_empty(copier *c, posh_handle o)
{
	PyObject *p, *bytes, *copy = NULL;
	int rc;

	p = heap_find(c->heap, o);
	if (!p) {
		CALL(rc, posh_object_hold(c->heap->h, o));
		if (rc)
			return error_set(posh_state, rc);
		p = buffer_new(c->heap, o);
	}
	bytes = p ? buffer_snapshot((buffer_object *)p) : NULL;
	if (bytes)
		copy = PyObject_CallFunctionObjArgs(posh_state->buffer_plain,
						    ((buffer_object *)p)->meta,
						    bytes, NULL);
	Py_XDECREF(bytes);
	Py_XDECREF(p);
	return copy;
}

/* It was complete when it was made. */
static int
refill_buffer(copier *Py_UNUSED(c), posh_handle Py_UNUSED(o),
	      PyObject *Py_UNUSED(copy))
{
	return 0;
}

const struct kind kind_buffer = {buffer_fresh, buffer_make,  fill_buffer,
				 buffer_wrap,  buffer_empty, refill_buffer};

/*
 * Made in place
 */

int
buffer_create(heap_object *heap, PyObject *meta, PyObject *source,
	      posh_handle *o)
{
	int rc;

	CALL(rc, posh_buffer_new(heap->h, o));
	if (rc)
		return error_set(posh_state, rc), -1;
	if (init(heap, *o, meta, source) == 0)
		return 0;
	heap_drop(heap, *o);
	return -1;
}

PyDoc_STRVAR(new_buffer_doc,
	     "_new_buffer(heap, meta, source)\n--\n\n"
	     "Make a buffer of so many zero bytes, of a copy of bytes, or of\n"
	     "another's blob; and return what stands for it.");

static PyObject *
new_buffer(PyObject *Py_UNUSED(module), PyObject *args)
{
	PyObject *arg, *meta, *source, *r = NULL;
	heap_object *heap;
	posh_handle o;

	if (!PyArg_ParseTuple(args, "OOO:_new_buffer", &arg, &meta, &source))
		return NULL;
	heap = heap_argument(posh_state, arg);
	if (!heap)
		return NULL;
	if (buffer_create(heap, meta, source, &o) == 0)
		r = buffer_wrap(heap, o);
	Py_DECREF(heap);
	return r;
}

static PyMethodDef functions[] = {
	{"_new_buffer", new_buffer, METH_VARARGS, new_buffer_doc},
	{NULL, NULL, 0, NULL}};

int
kindbuffer_exec(PyObject *module, module_state *state)
{
	(void)state;
	return PyModule_AddFunctions(module, functions);
}

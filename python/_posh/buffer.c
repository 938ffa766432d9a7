/* SPDX-License-Identifier: MIT */
/* buffer.c - proxies of buffers: what bytearrays, arrays and the memory of
 * ndarrays have in common.  The methods of the first two are in Python
 * (posh/_bytes.py): most of them work on a snapshot, and let the builtin do
 * it.
 *
 * EXPORTS  A view holds the blob of its bytes.  While this process has views
 * of a proxy, what would change the length raises BufferError, as with the
 * builtins.  Another process does not know of them: if it changes the length,
 * the views keep the memory that they have, which is the object's own as
 * long as no other was needed.
 */
#include "buffer.h"

#define BUF(x) ((buffer_object *)(x))

/* What a view keeps of its own. */
struct export
{
	posh_handle blob; /* a hold */
	Py_ssize_t shape, stride;
};

static int
failed(buffer_object *b, int64_t rc)
{
	return proxy_failed(&b->p, rc);
}

Py_ssize_t
buffer_bytes(buffer_object *b)
{
	int64_t n;

	CALL(n, posh_buffer_len(HEAP(&b->p), b->p.handle));
	return n < 0 ? failed(b, n) : (Py_ssize_t)n;
}

/* Read as much as fits `most`; *length is how much there was. */
static PyObject *
read_bytes(buffer_object *b, uint64_t at, uint64_t most, uint64_t *length)
{
	PyObject *r = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)most);
	int64_t n;

	if (!r)
		return NULL;
	CALL(n, posh_buffer_read(HEAP(&b->p), b->p.handle, at, most,
				 PyBytes_AS_STRING(r), length));
	if (n < 0) {
		Py_DECREF(r);
		return proxy_error(&b->p, n);
	}
	if ((uint64_t)n < most)
		_PyBytes_Resize(&r, (Py_ssize_t)n);
	return r;
}

PyObject *
buffer_snapshot(buffer_object *b)
{
	Py_ssize_t n = buffer_bytes(b);
	uint64_t length = (uint64_t)n;
	PyObject *r;
	int tries;

	if (n < 0)
		return NULL;
	for (tries = 0; tries < 4; tries++) {
		uint64_t most = length;

		r = read_bytes(b, 0, most, &length);
		if (!r || length <= most)
			return r;
		Py_DECREF(r); /* it has grown */
	}
	if (proxy_lock(&b->p) < 0)
		return NULL;
	n = buffer_bytes(b);
	r = n < 0 ? NULL : read_bytes(b, 0, (uint64_t)n, &length);
	proxy_unlock(&b->p);
	return r;
}

/*
 * Making
 */

/* Set what the meta says. */
static int
set_meta(buffer_object *b, PyObject *meta)
{
	const char *code = "B";

	if (PyTuple_Check(meta)) {
		b->meta = Py_NewRef(meta);
		b->format[0] = 'B';
		b->itemsize = 1;
		return 0;
	}
	if (PyUnicode_Check(meta) && PyUnicode_GET_LENGTH(meta) == 1)
		code = PyUnicode_AsUTF8(meta);
	if (!code || (meta != Py_None && !PyUnicode_Check(meta)) ||
	    !item_size(code[0]))
		return failed(b, -EUCLEAN);
	b->meta = Py_NewRef(meta);
	b->format[0] = code[0];
	b->itemsize = item_size(code[0]);
	return 0;
}

static PyObject *
read_meta(heap_object *heap, posh_handle o)
{
	struct posh_value v;
	PyObject *r;
	int rc, token;

	CALL(rc, posh_buffer_meta(heap->h, o, &v));
	if (rc)
		return error_set(heap->state, rc);
	token = decode_begin();
	r = value_decode(heap, &v);
	decode_end(token);
	return r;
}

/* The type that the package has for such a meta: (bytearray, array, memory
 * of an ndarray). */
static PyTypeObject *
type_of(module_state *st, PyObject *meta)
{
	Py_ssize_t i = PyTuple_Check(meta) ? 2 : meta != Py_None;

	if (!st->buffer_types) {
		PyErr_SetString(st->Error, "the posh package is not loaded");
		return NULL;
	}
	return (PyTypeObject *)PyTuple_GET_ITEM(st->buffer_types, i);
}

PyObject *
buffer_new(heap_object *heap, posh_handle o)
{
	PyObject *meta = read_meta(heap, o);
	PyTypeObject *type = meta ? type_of(heap->state, meta) : NULL;
	PyObject *r = NULL;

	if (type)
		r = proxy_new(type, heap, o, POSH_KIND_BUFFER);
	else
		heap_drop(heap, o);
	if (r && set_meta(BUF(r), meta) < 0)
		Py_CLEAR(r);
	Py_XDECREF(meta);
	return r;
}

PyObject *
buffer_present(PyObject *proxy)
{
	buffer_object *b = BUF(proxy);
	PyObject *r;

	if (!b->meta || !PyTuple_Check(b->meta))
		return proxy;
	r = PyObject_CallFunctionObjArgs(b->p.heap->state->buffer_present,
					 proxy, NULL);
	Py_DECREF(proxy);
	return r;
}

buffer_object *
buffer_behind(PyObject *x)
{
	module_state *st = posh_state;
	PyObject *r;

	if (!st->ndarray_type || (PyObject *)Py_TYPE(x) != st->ndarray_type)
		return NULL;
	r = PyObject_GetAttrString(x, "_posh_memory");
	if (!r || !PyObject_TypeCheck(r, st->Buffer)) {
		PyErr_Clear();
		Py_XDECREF(r);
		return NULL;
	}
	Py_DECREF(r); /* x has it */
	return BUF(r);
}

static void
buffer_dealloc(PyObject *self)
{
	Py_CLEAR(BUF(self)->meta);
	Py_CLEAR(BUF(self)->view);
	proxy_dealloc(self);
}

/*
 * Views
 */

static int
fill_view(buffer_object *b, Py_buffer *view, struct export *e, void *data,
	  uint64_t length)
{
	e->stride = b->itemsize;
	e->shape = (Py_ssize_t)length / b->itemsize;
	view->obj = Py_NewRef((PyObject *)b);
	view->buf = data;
	view->len = e->shape * b->itemsize;
	view->readonly = 0;
	view->itemsize = b->itemsize;
	view->format = NULL;
	view->ndim = 1;
	view->shape = NULL;
	view->strides = NULL;
	view->suboffsets = NULL;
	view->internal = e;
	return 0;
}

static int
getbuffer(PyObject *self, Py_buffer *view, int flags)
{
	buffer_object *b = BUF(self);
	struct export *e = PyMem_Malloc(sizeof(*e));
	uint64_t length;
	void *data;
	int rc;

	if (!view) {
		PyMem_Free(e);
		PyErr_SetString(PyExc_BufferError,
				"there is no buffer to describe");
		return -1;
	}
	view->obj = NULL;
	if (!e) {
		PyErr_NoMemory();
		return -1;
	}
	CALL(rc, posh_buffer_view(HEAP(&b->p), b->p.handle, &e->blob, &data,
				  &length));
	if (rc) {
		PyMem_Free(e);
		return failed(b, rc);
	}
	fill_view(b, view, e, data, length);
	if (flags & PyBUF_FORMAT)
		/* What array calls 'u' is 'w' elsewhere. */
		view->format = b->format[0] == 'u' ? (char *)"w" : b->format;
	if ((flags & PyBUF_ND) == PyBUF_ND)
		view->shape = &e->shape;
	if ((flags & PyBUF_STRIDES) == PyBUF_STRIDES)
		view->strides = &e->stride;
	b->exports++;
	return 0;
}

static void
releasebuffer(PyObject *self, Py_buffer *view)
{
	struct export *e = view->internal;

	heap_drop(BUF(self)->p.heap, e->blob);
	PyMem_Free(e);
	BUF(self)->exports--;
}

/*
 * Items
 */

static Py_ssize_t
length(PyObject *self)
{
	Py_ssize_t n = buffer_bytes(BUF(self));

	return n < 0 ? n : n / BUF(self)->itemsize;
}

/* Where an index is, in bytes; with what is there in item, or NULL.  False:
 * out of range, or -1 with an exception. */
static int
find(buffer_object *b, Py_ssize_t i, uint64_t *at, void *item)
{
	int64_t n;
	uint64_t total;

	if (i < 0) {
		Py_ssize_t len = length((PyObject *)b);

		if (len < 0)
			return -1;
		i += len;
	}
	if (i < 0)
		return 0;
	*at = (uint64_t)i * (uint64_t)b->itemsize;
	CALL(n,
	     posh_buffer_read(HEAP(&b->p), b->p.handle, *at,
			      item ? (uint64_t)b->itemsize : 0, item, &total));
	if (n < 0)
		return failed(b, n);
	return total >= *at + (uint64_t)b->itemsize;
}

/* Without an exception if there is no such item. */
static PyObject *
load(buffer_object *b, Py_ssize_t i)
{
	uint64_t at;
	char item[8];

	if (find(b, i, &at, item) <= 0)
		return NULL;
	return item_get(b->format[0], item);
}

static PyObject *
item(PyObject *self, Py_ssize_t i)
{
	PyObject *r = i < 0 ? NULL : load(BUF(self), i);

	if (!r && !PyErr_Occurred())
		PyErr_SetString(PyExc_IndexError, "index out of range");
	return r;
}

/* Let Python do it: slices, and what is an error. */
static PyObject *
subscript(PyObject *self, PyObject *key)
{
	int64_t i;
	PyObject *r = NULL;

	if (small_int(key, &i))
		r = load(BUF(self), (Py_ssize_t)i);
	if (r || PyErr_Occurred())
		return r;
	return PyObject_CallMethod(self, "_get", "(O)", key);
}

static int
ass_subscript(PyObject *self, PyObject *key, PyObject *value)
{
	buffer_object *b = BUF(self);
	PyObject *r;
	char item[8];
	uint64_t at;
	int64_t i;
	int rc = 0;

	if (value && small_int(key, &i)) {
		rc = item_set(b->format[0], item, value);
		if (rc > 0)
			rc = find(b, (Py_ssize_t)i, &at, NULL);
	}
	if (rc > 0) {
		WRITE(&b->p, rc,
		      posh_buffer_write(HEAP(&b->p), b->p.handle, at, item,
					(uint64_t)b->itemsize));
		if (rc != -ERANGE) /* it has become shorter */
			return rc ? failed(b, rc) : 0;
	}
	if (rc < 0 && PyErr_Occurred())
		return -1;
	r = value ? PyObject_CallMethod(self, "_set", "OO", key, value)
		  : PyObject_CallMethod(self, "_del", "(O)", key);
	Py_XDECREF(r);
	return r ? 0 : -1;
}

/* For PySequence_SetItem and its like, which have added the length to what
 * is negative. */
static int
ass_item(PyObject *self, Py_ssize_t i, PyObject *value)
{
	PyObject *key = PyLong_FromSsize_t(i < 0 ? PY_SSIZE_T_MAX : i);
	int rc = key ? ass_subscript(self, key, value) : -1;

	Py_XDECREF(key);
	return rc;
}

/*
 * What the Python part is made of
 */

static PyObject *
read_method(PyObject *self, PyObject *args)
{
	unsigned long long at = 0, n = 0;
	uint64_t total;

	if (!PyArg_ParseTuple(args, "|KK:_read", &at, &n))
		return NULL;
	if (PyTuple_GET_SIZE(args) == 0)
		return buffer_snapshot(BUF(self));
	return read_bytes(BUF(self), at, n, &total);
}

static PyObject *
splice(PyObject *self, PyObject *args)
{
	buffer_object *b = BUF(self);
	unsigned long long at, del;
	Py_buffer data;
	int rc;

	if (!PyArg_ParseTuple(args, "KKy*:_splice", &at, &del, &data))
		return NULL;
	WRITE(&b->p, rc,
	      posh_buffer_splice(HEAP(&b->p), b->p.handle, at, del, data.buf,
				 (uint64_t)data.len));
	PyBuffer_Release(&data);
	if (rc)
		return proxy_error(&b->p, rc);
	Py_RETURN_NONE;
}

static PyObject *
lock_method(PyObject *self, PyObject *Py_UNUSED(unused))
{
	if (proxy_lock(&BUF(self)->p) < 0)
		return NULL;
	return Py_NewRef(self);
}

static PyObject *
unlock_method(PyObject *self, PyObject *Py_UNUSED(args))
{
	proxy_unlock(&BUF(self)->p);
	Py_RETURN_NONE;
}

static PyObject *
get_exports(PyObject *self, void *Py_UNUSED(unused))
{
	return PyLong_FromSsize_t(BUF(self)->exports);
}

static PyObject *
get_meta(PyObject *self, void *Py_UNUSED(unused))
{
	PyObject *meta = BUF(self)->meta;

	return Py_NewRef(meta ? meta : Py_None);
}

static PyObject *
get_view(PyObject *self, void *Py_UNUSED(unused))
{
	PyObject *view = BUF(self)->view;

	return Py_NewRef(view ? view : Py_None);
}

static int
set_view(PyObject *self, PyObject *view, void *Py_UNUSED(unused))
{
	Py_XINCREF(view);
	Py_XSETREF(BUF(self)->view, view);
	return 0;
}

static PyMethodDef methods[] = {
	{"_read", read_method, METH_VARARGS,
	 "_read($self, at=0, n=None, /)\n--\n\n"
	 "Return n bytes, or all, as of one moment."},
	{"_splice", splice, METH_VARARGS,
	 "_splice($self, at, removed, data, /)\n--\n\n"
	 "Replace bytes by others."},
	{"_enter", lock_method, METH_NOARGS,
	 "_enter($self, /)\n--\n\nEnter the monitor."},
	{"_leave", unlock_method, METH_NOARGS,
	 "_leave($self, /)\n--\n\nLeave the monitor."},
	{"__deepcopy__", proxy_deepcopy, METH_O, "Return a private copy."},
	{"__reduce_ex__", proxy_reduce_ex, METH_O, "Helper for pickle."},
	{NULL, NULL, 0, NULL}};

static PyGetSetDef getset[] = {
	{"_exports", get_exports, NULL, "How many views there are.", NULL},
	{"_meta", get_meta, NULL, "What the bytes mean.", NULL},
	{"_view", get_view, set_view, "A reference to the ndarray.", NULL},
	{NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot slots[] = {{Py_tp_dealloc, buffer_dealloc},
			      {Py_tp_hash, PyObject_HashNotImplemented},
			      {Py_tp_iter, PySeqIter_New},
			      {Py_tp_methods, methods},
			      {Py_tp_getset, getset},
			      {Py_tp_members, proxy_members},
			      {Py_tp_doc, "Bytes in shared memory."},
			      {Py_sq_length, length},
			      {Py_sq_item, item},
			      {Py_sq_ass_item, ass_item},
			      {Py_mp_length, length},
			      {Py_mp_subscript, subscript},
			      {Py_mp_ass_subscript, ass_subscript},
			      {Py_bf_getbuffer, getbuffer},
			      {Py_bf_releasebuffer, releasebuffer},
			      {0, NULL}};

static PyType_Spec spec = {
	.name = "posh._posh.Buffer",
	.basicsize = sizeof(buffer_object),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE |
		 Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = slots,
};

/*
 * Functions
 */

static PyObject *
set_types(PyObject *Py_UNUSED(module), PyObject *args)
{
	module_state *st = posh_state;
	PyObject *types, *describe, *plain, *present;

	if (!PyArg_ParseTuple(args, "O!OOO", &PyTuple_Type, &types, &describe,
			      &plain, &present))
		return NULL;
	Py_XSETREF(st->buffer_types, Py_NewRef(types));
	Py_XSETREF(st->buffer_describe, Py_NewRef(describe));
	Py_XSETREF(st->buffer_plain, Py_NewRef(plain));
	Py_XSETREF(st->buffer_present, Py_NewRef(present));
	Py_RETURN_NONE;
}

static PyObject *
set_ndarray(PyObject *Py_UNUSED(module), PyObject *type)
{
	Py_XSETREF(posh_state->ndarray_type, Py_NewRef(type));
	Py_RETURN_NONE;
}

static PyObject *
blob_at(PyObject *Py_UNUSED(module), PyObject *args)
{
	unsigned long long address;
	PyObject *heap;
	posh_handle o;
	uint64_t at;
	int rc;

	if (!PyArg_ParseTuple(args, "O!K:_blob_at", posh_state->HeapBase, &heap,
			      &address))
		return NULL;
	rc = posh_blob_find(((heap_object *)heap)->h,
			    (void *)(uintptr_t)address, &o, &at);
	if (rc == -ENOENT)
		Py_RETURN_NONE;
	if (rc)
		return error_set(posh_state, rc);
	return Py_BuildValue("(KK)", (unsigned long long)o.off,
			     (unsigned long long)at);
}

static PyMethodDef functions[] = {
	{"_set_buffer_types", set_types, METH_VARARGS,
	 "_set_buffer_types(types, describe, plain, present)\n--\n\n"
	 "Set what Python does for buffers.  types are those of the proxies;\n"
	 "describe(heap, x) returns the meta and the bytes of what is to be\n"
	 "shared, or why it can't be; plain(meta, bytes) makes a private\n"
	 "copy; present(proxy) returns the ndarray of one."},
	{"_set_ndarray_type", set_ndarray, METH_O,
	 "_set_ndarray_type(type)\n--\n\nSet the type of shared ndarrays."},
	{"_blob_at", blob_at, METH_VARARGS,
	 "_blob_at(heap, address)\n--\n\n"
	 "Return the handle of the blob that has this address, and how far\n"
	 "behind its beginning it is; or None."},
	{NULL, NULL, 0, NULL}};

int
buffer_exec(PyObject *module, module_state *st)
{
	st->Buffer = (PyTypeObject *)PyType_FromModuleAndSpec(
		module, &spec, (PyObject *)st->Proxy);
	if (!st->Buffer || PyModule_AddFunctions(module, functions) < 0)
		return -1;
	return PyModule_AddObject(module, "Buffer",
				  Py_NewRef((PyObject *)st->Buffer));
}

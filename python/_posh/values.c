/* SPDX-License-Identifier: MIT */
/* values.c - the bridge between Python objects and struct posh_value.
 *
 * By value go exact builtins only: a subclass (an IntEnum, a str subclass)
 * has behaviour that a copy would lose.  Everything else is an object:
 * a proxy names its object, and what is no proxy is share.c's business.
 *
 * DECODING  A read returns text and the like in a buffer of the thread,
 * which the thread's next call to libposh overwrites.  Two things could
 * make that call in the middle of decoding: wrapping an object (which may
 * import its class) and a garbage collection (which may run finalizers).
 * So arrays are decoded in two passes, objects last, and collections are
 * held off while tuples are made.
 */
#include "module.h"

#include <errno.h>

/*
 * Encoder.
 */

struct chunk {
	struct chunk *next;
	_Alignas(16) char data[];
};

enum { CHUNK = 1000, ALIGN = 16 };

void *
encoder_alloc(encoder *e, size_t size)
{
	struct chunk *c;
	size_t room;

	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (size <= (size_t)(e->end - e->at)) {
		e->at += size;
		return e->at - size;
	}
	room = size > CHUNK ? size : CHUNK;
	c = PyMem_Malloc(sizeof(*c) + room);
	if (!c) {
		PyErr_NoMemory();
		return NULL;
	}
	c->next = e->chunks;
	e->chunks = c;
	e->at = c->data + size;
	e->end = c->data + room;
	return c->data;
}

/* Make room for one more in an array of n items of that size. */
static int
grow(void *array, size_t n, size_t *room, size_t item)
{
	void **p = array;
	size_t more = *room ? *room * 2 : 8;
	void *q;

	if (n < *room)
		return 0;
	q = PyMem_Realloc(*p, more * item);
	if (!q) {
		PyErr_NoMemory();
		return -1;
	}
	*p = q;
	*room = more;
	return 0;
}

int
encoder_hold(encoder *e, posh_handle o)
{
	if (grow(&e->hold, e->holds, &e->hold_room, sizeof(*e->hold)) < 0) {
		heap_drop(e->heap, o);
		return -1;
	}
	e->hold[e->holds++] = o;
	return 0;
}

int
encoder_keep(encoder *e, PyObject *x)
{
	if (grow(&e->ref, e->refs, &e->ref_room, sizeof(*e->ref)) < 0) {
		Py_DECREF(x);
		return -1;
	}
	e->ref[e->refs++] = x;
	return 0;
}

void
encoder_finish(encoder *e)
{
	encoder old = *e;
	struct chunk *next;

	encoder_init(e, old.heap);
	while (old.holds)
		heap_drop(old.heap, old.hold[--old.holds]);
	while (old.refs)
		Py_DECREF(old.ref[--old.refs]);
	Py_XDECREF(old.memo);
	for (; old.chunks; old.chunks = next) {
		next = old.chunks->next;
		PyMem_Free(old.chunks);
	}
	PyMem_Free(old.hold);
	PyMem_Free(old.ref);
}

/*
 * Python to posh.
 */

static inline void
set(struct posh_value *out, enum posh_type type, size_t size)
{
	out->type = (uint8_t)type;
	out->width = out->ascii = out->kind = 0;
	out->reserved = 0;
	out->size = size;
}

static int
encode_big(PyObject *x, struct posh_value *out, encoder *e)
{
	module_state *st = posh_state;
	PyObject *args[4];
	PyObject *n;
	PyObject *data;
	size_t bits = _PyLong_NumBits(x);

	if (bits == (size_t)-1 && PyErr_Occurred())
		return -1;
	n = PyLong_FromSize_t(bits / 8 + 1);
	if (!n)
		return -1;
	args[0] = x;
	args[1] = n;
	args[2] = st->str_little;
	args[3] = Py_True;
	data = PyObject_Vectorcall(st->int_to_bytes, args, 3,
				   st->signed_kwname);
	Py_DECREF(n);
	if (!data)
		return -1;
	if (encoder_keep(e, data) < 0)
		return -1;
	set(out, POSH_BIGINT, (size_t)PyBytes_GET_SIZE(data));
	out->data = PyBytes_AS_STRING(data);
	return 1;
}

static int
encode_int(PyObject *x, struct posh_value *out, encoder *e)
{
	int overflow;
	long long i = PyLong_AsLongLongAndOverflow(x, &overflow);

	if (UNLIKELY(overflow))
		return encode_big(x, out, e);
	set(out, POSH_INT, 0);
	out->i = i;
	return 1;
}

static int
encode_str(PyObject *x, struct posh_value *out)
{
#if PY_VERSION_HEX < 0x030c0000
	if (PyUnicode_READY(x) < 0)
		return -1;
#endif
	set(out, POSH_STR, (size_t)PyUnicode_GET_LENGTH(x));
	out->width = (uint8_t)PyUnicode_KIND(x);
	out->ascii = PyUnicode_IS_ASCII(x) != 0;
	out->data = PyUnicode_DATA(x);
	return 1;
}

/* A tuple that has an object in it becomes an object, held by e. */
static int
tuple_object(heap_object *heap, struct posh_value *items, size_t n,
	     struct posh_value *out, encoder *e)
{
	posh_handle o;
	int rc;

	CALL(rc, posh_tuple_new(heap->h, items, n, &o));
	if (rc) {
		error_set(heap->state, rc);
		return -1;
	}
	if (encoder_hold(e, o) < 0)
		return -1;
	set(out, POSH_OBJECT, 0);
	out->kind = POSH_KIND_TUPLE;
	out->object = o;
	return 1;
}

static int
encode_tuple(heap_object *heap, PyObject *x, struct posh_value *out, encoder *e)
{
	size_t n = (size_t)PyTuple_GET_SIZE(x);
	struct posh_value *items = encoder_alloc(e, n * sizeof(*items));
	bool objects = false;
	int rc = 1;
	size_t i;

	if (!items)
		return -1;
	if (Py_EnterRecursiveCall(" while sharing a tuple"))
		return -1;
	for (i = 0; i < n && rc > 0; i++) {
		rc = value_encode_plain(
			heap, PyTuple_GET_ITEM(x, (Py_ssize_t)i), &items[i], e);
		if (rc > 0)
			objects |= items[i].type == POSH_OBJECT;
	}
	Py_LeaveRecursiveCall();
	if (rc <= 0)
		return rc;
	if (objects)
		return tuple_object(heap, items, n, out, e);
	set(out, POSH_TUPLE, n);
	out->items = items;
	return 1;
}

static int
encode_proxy(heap_object *heap, PyObject *x, struct posh_value *out)
{
	module_state *st = heap->state;
	heap_object *owner;
	posh_handle o;
	enum posh_kind kind = proxy_check(st, x, &owner, &o);

	if (kind == POSH_KIND_NONE)
		return 0;
	if (UNLIKELY(owner != heap)) {
		error_set(st, -EXDEV);
		return -1;
	}
	set(out, POSH_OBJECT, 0);
	out->kind = (uint8_t)kind;
	out->object = o;
	return 1;
}

/* The types that are rarer than those of value_encode_plain. */
static int
encode_rare(heap_object *heap, PyObject *x, struct posh_value *out, encoder *e)
{
	if (PyTuple_CheckExact(x))
		return encode_tuple(heap, x, out, e);
	if (PyBytes_CheckExact(x)) {
		set(out, POSH_BYTES, (size_t)PyBytes_GET_SIZE(x));
		out->data = PyBytes_AS_STRING(x);
		return 1;
	}
	if (PyComplex_CheckExact(x)) {
		set(out, POSH_COMPLEX, 0);
		out->f = PyComplex_RealAsDouble(x);
		out->im = PyComplex_ImagAsDouble(x);
		return 1;
	}
	if (x == Py_Ellipsis) {
		set(out, POSH_ELLIPSIS, 0);
		return 1;
	}
	return encode_proxy(heap, x, out);
}

int
value_encode_plain(heap_object *heap, PyObject *x, struct posh_value *out,
		   encoder *e)
{
	PyTypeObject *tp = Py_TYPE(x);

	if (tp == &PyLong_Type)
		return encode_int(x, out, e);
	if (tp == &PyUnicode_Type)
		return encode_str(x, out);
	if (tp == &PyFloat_Type) {
		set(out, POSH_FLOAT, 0);
		out->f = PyFloat_AS_DOUBLE(x);
		return 1;
	}
	if (x == Py_None) {
		set(out, POSH_NONE, 0);
		return 1;
	}
	if (tp == &PyBool_Type) {
		set(out, POSH_BOOL, 0);
		out->i = x == Py_True;
		return 1;
	}
	return encode_rare(heap, x, out, e);
}

int
value_encode(heap_object *heap, PyObject *x, struct posh_value *out, encoder *e)
{
	int rc = value_encode_plain(heap, x, out, e);

	if (LIKELY(rc > 0))
		return 0;
	if (rc < 0)
		return -1;
	return share_into(heap, x, out, e);
}

struct posh_value *
value_encode_array(heap_object *heap, PyObject *const *x, size_t n, encoder *e)
{
	struct posh_value *v = encoder_alloc(e, n * sizeof(*v));
	size_t i;

	for (i = 0; v && i < n; i++)
		if (value_encode(heap, x[i], &v[i], e) < 0)
			v = NULL;
	return v;
}

/*
 * Posh to Python.
 */

#if PY_VERSION_HEX >= 0x030c0000
/* Collections start between bytecodes only. */
int
decode_begin(void)
{
	return 0;
}

void
decode_end(int token)
{
	(void)token;
}
#elif PY_VERSION_HEX >= 0x030a0000
int
decode_begin(void)
{
	return PyGC_Disable();
}

void
decode_end(int token)
{
	if (token)
		PyGC_Enable();
}
#else
static int
gc_call(const char *name)
{
	PyObject *gc = PyImport_ImportModule("gc");
	PyObject *r = gc ? PyObject_CallMethod(gc, name, NULL) : NULL;
	int yes = r && PyObject_IsTrue(r) > 0;

	PyErr_Clear();
	Py_XDECREF(r);
	Py_XDECREF(gc);
	return yes;
}

int
decode_begin(void)
{
	int on = gc_call("isenabled");

	if (on)
		gc_call("disable");
	return on;
}

void
decode_end(int token)
{
	if (token)
		gc_call("enable");
}
#endif

static PyObject *
decode_str(const struct posh_value *v)
{
	PyObject *s;

	if (!v->ascii || v->size < 2)
		return PyUnicode_FromKindAndData(v->width, v->data,
						 (Py_ssize_t)v->size);
	s = PyUnicode_New((Py_ssize_t)v->size, 127);
	if (s)
		memcpy(PyUnicode_DATA(s), v->data, v->size);
	return s;
}

static PyObject *
decode_big(const struct posh_value *v)
{
	module_state *st = posh_state;
	PyObject *args[3];
	PyObject *data;
	PyObject *x;

	data = PyBytes_FromStringAndSize(v->data, (Py_ssize_t)v->size);
	if (!data)
		return NULL;
	args[0] = data;
	args[1] = st->str_little;
	args[2] = Py_True;
	x = PyObject_Vectorcall(st->int_from_bytes, args, 2, st->signed_kwname);
	Py_DECREF(data);
	return x;
}

/* The elements of a tuple that is a value are values too. */
static PyObject *
decode_tuple(heap_object *heap, const struct posh_value *v)
{
	PyObject *t = NULL;
	PyObject *x;
	size_t i;
	int token;

	if (Py_EnterRecursiveCall(" while reading a tuple"))
		return NULL;
	token = decode_begin();
	t = PyTuple_New((Py_ssize_t)v->size);
	for (i = 0; t && i < v->size; i++) {
		x = value_decode(heap, &v->items[i]);
		if (x)
			PyTuple_SET_ITEM(t, (Py_ssize_t)i, x);
		else
			Py_CLEAR(t);
	}
	decode_end(token);
	Py_LeaveRecursiveCall();
	return t;
}

PyObject *
value_decode(heap_object *heap, const struct posh_value *v)
{
	switch ((enum posh_type)v->type) {
	case POSH_NONE:
		return Py_NewRef(Py_None);
	case POSH_BOOL:
		return Py_NewRef(v->i ? Py_True : Py_False);
	case POSH_INT:
		return PyLong_FromLongLong(v->i);
	case POSH_BIGINT:
		return decode_big(v);
	case POSH_FLOAT:
		return PyFloat_FromDouble(v->f);
	case POSH_COMPLEX:
		return PyComplex_FromDoubles(v->f, v->im);
	case POSH_STR:
		return decode_str(v);
	case POSH_BYTES:
		return PyBytes_FromStringAndSize(v->data, (Py_ssize_t)v->size);
	case POSH_TUPLE:
		return decode_tuple(heap, v);
	case POSH_ELLIPSIS:
		return Py_NewRef(Py_Ellipsis);
	case POSH_OBJECT:
		return proxy_wrap(heap, v->object, (enum posh_kind)v->kind);
	case POSH_UTF8:
	case POSH_NEW:
		break;
	}
	return error_set(heap->state, -EUCLEAN);
}

void
value_drop_array(heap_object *heap, const struct posh_value *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (v[i].type == POSH_OBJECT)
			heap_drop(heap, v[i].object);
}

/* First pass: everything that lies in the buffer. */
static int
decode_scalars(heap_object *heap, const struct posh_value *v, size_t n,
	       PyObject **out)
{
	int token = decode_begin();
	int rc = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		out[i] = NULL;
		if (rc || v[i].type == POSH_OBJECT)
			continue;
		out[i] = value_decode(heap, &v[i]);
		rc = out[i] ? 0 : -1;
	}
	decode_end(token);
	return rc;
}

int
value_decode_array(heap_object *heap, struct posh_value *v, size_t n,
		   PyObject **out)
{
	int rc = decode_scalars(heap, v, n, out);
	size_t i;

	for (i = 0; i < n && rc == 0; i++) {
		if (v[i].type != POSH_OBJECT)
			continue;
		v[i].type = POSH_NONE;
		out[i] = proxy_wrap(heap, v[i].object,
				    (enum posh_kind)v[i].kind);
		rc = out[i] ? 0 : -1;
	}
	if (rc == 0)
		return 0;
	value_drop_array(heap, v, n);
	for (i = 0; i < n; i++)
		Py_CLEAR(out[i]);
	return -1;
}

int
values_exec(PyObject *Py_UNUSED(module), module_state *st)
{
	PyObject *type = (PyObject *)&PyLong_Type;

	st->int_to_bytes = PyObject_GetAttrString(type, "to_bytes");
	st->int_from_bytes = PyObject_GetAttrString(type, "from_bytes");
	st->str_little = PyUnicode_InternFromString("little");
	st->signed_kwname = Py_BuildValue("(s)", "signed");
	if (!st->int_to_bytes || !st->int_from_bytes || !st->str_little ||
	    !st->signed_kwname)
		return -1;
	return 0;
}

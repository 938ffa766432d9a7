/* SPDX-License-Identifier: MIT */
/* values.c - one half of the bridge between Python objects and struct
 * posh_value: encoding.
 *
 * By value go exact builtins, and immutable types with a codec (form.c).
 * Everything else is an object: a proxy names its object, and what is no proxy
 * is share.c's business.
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

	size = size ? (size + ALIGN - 1) & ~(size_t)(ALIGN - 1) : ALIGN;
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
	value_set(out, POSH_BIGINT, (size_t)PyBytes_GET_SIZE(data));
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
	value_set(out, POSH_INT, 0);
	out->i = i;
	return 1;
}

int
value_sort(heap_object *heap, struct posh_value *items, size_t n)
{
	int rc;

	CALL(rc, posh_value_sort(heap->h, items, n));
	if (rc)
		error_set(heap->state, rc);
	return rc ? -1 : 0;
}

/* A tuple that has an object in it, or is deep, becomes an object, held by
 * e. */
static int
tuple_object(heap_object *heap, unsigned form, struct posh_value *items,
	     size_t n, struct posh_value *out, encoder *e)
{
	posh_handle o;
	int rc;

	CALL(rc, posh_tuple_new(heap->h, form, items, n, &o));
	if (rc) {
		error_set(heap->state, rc);
		return -1;
	}
	if (encoder_hold(e, o) < 0)
		return -1;
	value_set(out, POSH_OBJECT, 0);
	out->kind = POSH_KIND_TUPLE;
	out->object = o;
	return 1;
}

enum { MAX_DEPTH = 100 }; /* libposh takes deeper ones as objects only */

/* Encode the elements of a tuple: 1, with e->depth how deep they go and
 * whether any is an object, 0 or -1 as value_encode_plain. */
static int
encode_items(heap_object *heap, PyObject *x, struct posh_value *items,
	     bool *objects, encoder *e)
{
	Py_ssize_t n = PyTuple_GET_SIZE(x);
	unsigned depth = 0;
	Py_ssize_t i;
	int rc;

	*objects = false;
	for (i = 0; i < n; i++) {
		e->depth = 0;
		rc = value_encode_plain(heap, PyTuple_GET_ITEM(x, i), &items[i],
					e);
		if (rc <= 0)
			return rc;
		if (items[i].type == POSH_OBJECT)
			*objects = true;
		if (e->depth > depth)
			depth = e->depth;
	}
	e->depth = depth;
	return 1;
}

/* Encode a tuple, which stands for something else if it has a form. */
static int
encode_tuple(heap_object *heap, unsigned form, PyObject *x,
	     struct posh_value *out, encoder *e)
{
	size_t n = (size_t)PyTuple_GET_SIZE(x);
	struct posh_value *items = encoder_alloc(e, n * sizeof(*items));
	bool objects;
	int rc;

	if (!items)
		return -1;
	if (Py_EnterRecursiveCall(" while sharing a tuple"))
		return -1;
	rc = encode_items(heap, x, items, &objects, e);
	Py_LeaveRecursiveCall();
	if (rc <= 0)
		return rc;
	if (form == POSH_FORM_SET && (rc = value_sort(heap, items, n)) < 0)
		return rc;
	objects |= e->depth >= MAX_DEPTH;
	e->depth++;
	if (objects)
		return tuple_object(heap, form, items, n, out, e);
	value_set(out, POSH_TUPLE, n);
	out->width = (uint8_t)form;
	out->items = items;
	return 1;
}

/* Encode an immutable value of another type. */
static int
encode_form(heap_object *heap, PyObject *x, struct posh_value *out, encoder *e)
{
	form_object *f = form_of(x);

	if (!f)
		return PyErr_Occurred() ? -1 : 0;
	if (encoder_keep(e, (PyObject *)f) < 0)
		return -1;
	e->opaque |= f->opaque;
	return encode_tuple(heap, f->form, f->items, out, e);
}

static int
encode_proxy(heap_object *heap, PyObject *x, struct posh_value *out, encoder *e)
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
	e->opaque |= Py_TYPE(x)->tp_hash != PyBaseObject_Type.tp_hash;
	value_set(out, POSH_OBJECT, 0);
	out->kind = (uint8_t)kind;
	out->object = o;
	return 1;
}

/* The types that are rarer than those of value_encode_plain. */
static int
encode_rare(heap_object *heap, PyObject *x, struct posh_value *out, encoder *e)
{
	int rc;

	if (PyTuple_CheckExact(x))
		return encode_tuple(heap, POSH_FORM_PLAIN, x, out, e);
	if (PyBytes_CheckExact(x)) {
		value_set(out, POSH_BYTES, (size_t)PyBytes_GET_SIZE(x));
		out->data = PyBytes_AS_STRING(x);
		return 1;
	}
	if (PyComplex_CheckExact(x)) {
		value_set(out, POSH_COMPLEX, 0);
		out->f = PyComplex_RealAsDouble(x);
		out->im = PyComplex_ImagAsDouble(x);
		return 1;
	}
	if (x == Py_Ellipsis) {
		value_set(out, POSH_ELLIPSIS, 0);
		return 1;
	}
	rc = encode_proxy(heap, x, out, e);
	return rc ? rc : encode_form(heap, x, out, e);
}

int
value_encode_plain(heap_object *heap, PyObject *x, struct posh_value *out,
		   encoder *e)
{
	PyTypeObject *tp = Py_TYPE(x);

	if (tp == &PyLong_Type)
		return encode_int(x, out, e);
	if (tp == &PyUnicode_Type)
		return value_encode_str(x, out);
	if (tp == &PyFloat_Type) {
		value_set(out, POSH_FLOAT, 0);
		out->f = PyFloat_AS_DOUBLE(x);
		return 1;
	}
	if (x == Py_None) {
		value_set(out, POSH_NONE, 0);
		return 1;
	}
	if (tp == &PyBool_Type) {
		value_set(out, POSH_BOOL, 0);
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

int
values_exec(PyObject *Py_UNUSED(module), module_state *st)
{
	PyObject *type = (PyObject *)&PyLong_Type;
	PyObject *math = PyImport_ImportModule("math");

	if (!math)
		return -1;
	st->nan = PyObject_GetAttrString(math, "nan");
	Py_DECREF(math);
	st->int_to_bytes = PyObject_GetAttrString(type, "to_bytes");
	st->int_from_bytes = PyObject_GetAttrString(type, "from_bytes");
	st->str_little = PyUnicode_InternFromString("little");
	st->signed_kwname = Py_BuildValue("(s)", "signed");
	if (!st->nan || !st->int_to_bytes || !st->int_from_bytes ||
	    !st->str_little || !st->signed_kwname)
		return -1;
	return 0;
}

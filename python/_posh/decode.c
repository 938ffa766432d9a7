/* SPDX-License-Identifier: MIT */
/* decode.c - the other half of the bridge: decoding values that were read.
 *
 * A read returns text and the like in a buffer of the thread, which the
 * thread's next call to libposh overwrites.  Two things could make that
 * call in the middle of decoding: wrapping an object (which may import its
 * class), building a value of another type (form.c), and a garbage collection
 * (which may run finalizers).  So arrays are decoded in two passes, objects
 * and forms last, and collections are held off while tuples are made: of all
 * that is not an object, only they are known to the collector.
 */
#include "module.h"

/*
 * Collections.
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
#else
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
#endif

/*
 * Text.  Short texts are kept, for the same few come again and again: as
 * keys, as names of states.
 */

enum { KEPT_MIN = 2, KEPT_MAX = 8 };

/* A number that two texts of the same length share only if equal. */
static inline uint64_t
word_of(const char *data, size_t size)
{
	uint32_t head = 0, tail = 0;

	if (size >= 4) {
		memcpy(&head, data, 4);
		memcpy(&tail, data + size - 4, 4);
	} else {
		memcpy(&head, data, 2);
		tail = (unsigned char)data[size - 1];
	}
	return head | (uint64_t)tail << 32;
}

static PyObject *
ascii_new(const struct posh_value *v)
{
	PyObject *s = PyUnicode_New((Py_ssize_t)v->size, 127);

	if (s)
		memcpy(PyUnicode_DATA(s), v->data, v->size);
	return s;
}

static PyObject *
decode_short(module_state *st, const struct posh_value *v)
{
	uint64_t word = word_of(v->data, v->size);
	struct text_entry *e =
		&st->texts[(word * 0x9e3779b97f4a7c15u) >> (64 - TEXT_BITS)];

	if (e->text && e->word == word &&
	    (size_t)PyUnicode_GET_LENGTH(e->text) == v->size)
		return Py_NewRef(e->text);
	Py_XSETREF(e->text, ascii_new(v));
	e->word = word;
	Py_XINCREF(e->text);
	return e->text;
}

static PyObject *
decode_str(const struct posh_value *v)
{
	if (LIKELY(v->ascii && v->size >= KEPT_MIN)) {
		if (v->size <= KEPT_MAX)
			return decode_short(posh_state, v);
		return ascii_new(v);
	}
	return PyUnicode_FromKindAndData(v->width, v->data,
					 (Py_ssize_t)v->size);
}

/*
 * The other types.
 */

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

static PyObject *decode(heap_object *heap, const struct posh_value *v);

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
		x = decode(heap, &v->items[i]);
		if (x)
			PyTuple_SET_ITEM(t, (Py_ssize_t)i, x);
		else
			Py_CLEAR(t);
	}
	decode_end(token);
	Py_LeaveRecursiveCall();
	if (t && v->width != POSH_FORM_PLAIN)
		return form_wrap(v->width, t);
	return t;
}

/* What has a form becomes a Form. */
static PyObject *
decode(heap_object *heap, const struct posh_value *v)
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
		return value_float(heap->state, v->f);
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

PyObject *
value_decode(heap_object *heap, const struct posh_value *v)
{
	PyObject *x = decode(heap, v);

	if (UNLIKELY(x && value_has_form(v)))
		x = form_revive(x);
	return missing_instead(x);
}

void
value_drop_array(heap_object *heap, const struct posh_value *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (v[i].type == POSH_OBJECT)
			heap_drop(heap, v[i].object);
}

Py_ssize_t
value_decode_raw(heap_object *heap, struct posh_value *v, size_t n,
		 PyObject **out)
{
	Py_ssize_t left = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (UNLIKELY(v[i].type == POSH_OBJECT)) {
			out[i] = NULL;
			left++;
			continue;
		}
		if (UNLIKELY(value_has_form(&v[i]))) {
			out[i] = decode(heap, &v[i]);
			v[i].type = POSH_NEW;
			left++;
		} else {
			out[i] = value_decode_fast(heap, &v[i]);
		}
		if (UNLIKELY(!out[i])) {
			memset(&out[i], 0, (n - i) * sizeof(*out));
			return -1;
		}
	}
	return left;
}

/* The second pass. */
static int
wrap_objects(heap_object *heap, struct posh_value *v, size_t n, PyObject **out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (v[i].type == POSH_NEW) {
			out[i] = missing_instead(form_revive(out[i]));
			if (!out[i])
				return -1;
		}
		if (v[i].type != POSH_OBJECT)
			continue;
		v[i].type = POSH_NONE;
		out[i] = missing_instead(proxy_wrap(heap, v[i].object,
						    (enum posh_kind)v[i].kind));
		if (!out[i])
			return -1;
	}
	return 0;
}

int
value_decode_array(heap_object *heap, struct posh_value *v, size_t n,
		   PyObject **out)
{
	Py_ssize_t objects = value_decode_raw(heap, v, n, out);
	size_t i;

	if (LIKELY(objects == 0))
		return 0;
	if (objects > 0 && wrap_objects(heap, v, n, out) == 0)
		return 0;
	value_drop_array(heap, v, n);
	for (i = 0; i < n; i++)
		Py_CLEAR(out[i]);
	return -1;
}

bool
value_unknown(void)
{
	if (!PyErr_ExceptionMatches(posh_state->ClassNotFoundError))
		return false;
	PyErr_Clear();
	return true;
}

PyObject *
value_decode_list(heap_object *heap, struct posh_value *v, size_t n)
{
	int token = decode_begin();
	PyObject *list = PyList_New((Py_ssize_t)n);

	decode_end(token);
	if (!list)
		value_drop_array(heap, v, n);
	else if (value_decode_array(heap, v, n, PySequence_Fast_ITEMS(list)) <
		 0)
		Py_CLEAR(list);
	return list;
}

/* SPDX-License-Identifier: MIT */
/* list.c - SharedList, the proxy of a shared list: elements one by one.
 *
 * Looks like a list and says so (__class__), but does not derive from it: C
 * code would read such a one as empty.  Each single call is one atomic
 * operation on the shared list, and all or nothing; results are ordinary
 * objects.  libposh does the locking.
 */
#include "list.h"

/*
 * Snapshots.
 */

PyObject *
list_snapshot(proxy_object *p)
{
	struct posh_value *v;
	uint64_t version;
	PyObject *list;
	int64_t n;

	CALL(n, posh_list_snapshot(HEAP(p), p->handle, &v, &version));
	if (n < 0)
		return proxy_error(p, n);
	list = value_decode_list(p->heap, v, (size_t)n);
	free(v);
	return list;
}

/* Collect what an iterator gives, whatever it says of its length. */
static PyObject *
collect(PyObject *iterable)
{
	PyObject *it = PyObject_GetIter(iterable);
	PyObject *list = it ? PyList_New(0) : NULL;
	PyObject *x;
	int rc;

	while (list && (x = PyIter_Next(it))) {
		rc = PyList_Append(list, x);
		Py_DECREF(x);
		if (rc < 0)
			Py_CLEAR(list);
	}
	if (PyErr_Occurred())
		Py_CLEAR(list);
	Py_XDECREF(it);
	return list;
}

/* Drain an iterable into a list or tuple that nobody else changes. */
static PyObject *
drain(PyObject *x)
{
	if (PyTuple_CheckExact(x))
		return Py_NewRef(x);
	if (is_list_proxy(posh_state, x))
		return list_snapshot((proxy_object *)x);
	if (PyList_CheckExact(x))
		return PySequence_List(x);
	return collect(x);
}

/*
 * Elements.
 */

static Py_ssize_t
list_length(PyObject *self)
{
	proxy_object *p = (proxy_object *)self;
	int64_t n;

	CALL(n, posh_list_len(HEAP(p), p->handle));
	if (UNLIKELY(n < 0))
		return proxy_failed(p, n);
	return (Py_ssize_t)n;
}

/* Raise for a failed access to an element. */
static int
failed(proxy_object *p, int rc, const char *range)
{
	if (rc != -ERANGE)
		return proxy_failed(p, rc);
	PyErr_SetString(PyExc_IndexError, range);
	return -1;
}

static inline PyObject *
get(proxy_object *p, int64_t i)
{
	struct posh_value v;
	int rc;

	CALL(rc, posh_list_get(HEAP(p), p->handle, i, &v));
	if (UNLIKELY(rc)) {
		failed(p, rc, "list index out of range");
		return NULL;
	}
	return value_decode_fast(p->heap, &v);
}

static int delete (proxy_object *p, int64_t i)
{
	int rc;

	WRITE(p, rc, posh_list_pop(HEAP(p), p->handle, i, NULL));
	return rc ? failed(p, rc, "list assignment index out of range") : 0;
}

static int
set_rest(proxy_object *p, int64_t i, PyObject *x)
{
	struct posh_value v;
	encoder e;
	int rc;

	encoder_init(&e, p->heap);
	rc = value_encode(p->heap, x, &v, &e);
	if (rc == 0) {
		WRITE(p, rc, posh_list_set(HEAP(p), p->handle, i, &v));
		if (rc)
			failed(p, rc, "list assignment index out of range");
	}
	encoder_clear(&e);
	return rc ? -1 : 0;
}

static inline int
set(proxy_object *p, int64_t i, PyObject *x)
{
	struct posh_value v;
	int rc;

	if (UNLIKELY(!value_encode_scalar(x, &v)))
		return set_rest(p, i, x);
	WRITE(p, rc, posh_list_set(HEAP(p), p->handle, i, &v));
	if (UNLIKELY(rc))
		return failed(p, rc, "list assignment index out of range");
	return 0;
}

static PyObject *
list_item(PyObject *self, Py_ssize_t i)
{
	if (UNLIKELY(i < 0)) {
		PyErr_SetString(PyExc_IndexError, "list index out of range");
		return NULL;
	}
	return get((proxy_object *)self, i);
}

static int
list_ass_item(PyObject *self, Py_ssize_t i, PyObject *x)
{
	proxy_object *p = (proxy_object *)self;

	if (i < 0) {
		PyErr_SetString(PyExc_IndexError,
				"list assignment index out of range");
		return -1;
	}
	return x ? set(p, i, x) : delete (p, i);
}

static void
bad_index(PyObject *key)
{
	PyErr_Format(PyExc_TypeError,
		     "list indices must be integers or slices, not %.200s",
		     Py_TYPE(key)->tp_name);
}

static PyObject *
list_subscript(PyObject *self, PyObject *key)
{
	proxy_object *p = (proxy_object *)self;
	int64_t i;

	if (LIKELY(small_int(key, &i)))
		return get(p, i);
	if (PyIndex_Check(key)) {
		i = PyNumber_AsSsize_t(key, PyExc_IndexError);
		if (i == -1 && PyErr_Occurred())
			return NULL;
		return get(p, i);
	}
	if (PySlice_Check(key))
		return list_slice_get(p, key);
	bad_index(key);
	return NULL;
}

static int
list_ass_subscript(PyObject *self, PyObject *key, PyObject *x)
{
	proxy_object *p = (proxy_object *)self;
	int64_t i;

	if (UNLIKELY(!small_int(key, &i))) {
		if (PySlice_Check(key))
			return x ? list_slice_set(p, key, x)
				 : list_slice_delete(p, key);
		if (!PyIndex_Check(key)) {
			bad_index(key);
			return -1;
		}
		i = PyNumber_AsSsize_t(key, PyExc_IndexError);
		if (i == -1 && PyErr_Occurred())
			return -1;
	}
	return LIKELY(x != NULL) ? set(p, i, x) : delete (p, i);
}

/*
 * Methods.
 */

static int
append_rest(proxy_object *p, PyObject *x)
{
	struct posh_value v;
	encoder e;
	int rc;

	encoder_init(&e, p->heap);
	rc = value_encode(p->heap, x, &v, &e);
	if (rc == 0) {
		WRITE(p, rc, posh_list_append(HEAP(p), p->handle, &v));
		if (rc)
			proxy_error(p, rc);
	}
	encoder_clear(&e);
	return rc ? -1 : 0;
}

static PyObject *
list_append(METHOD_ARGS)
{
	proxy_object *p = (proxy_object *)self;
	struct posh_value v;
	int rc;

	if (UNLIKELY(nargs != 1 || kwnames))
		return LIST_MISUSE("append");
	if (LIKELY(value_encode_scalar(args[0], &v))) {
		WRITE(p, rc, posh_list_append(HEAP(p), p->handle, &v));
		if (UNLIKELY(rc))
			return proxy_error(p, rc);
	} else if (append_rest(p, args[0]) < 0) {
		return NULL;
	}
	Py_RETURN_NONE;
}

/* An index as list.pop and list.insert take it. */
static int
index_argument(PyObject *arg, Py_ssize_t *i)
{
	PyObject *n = PyNumber_Index(arg);

	if (!n)
		return -1;
	*i = PyLong_AsSsize_t(n);
	Py_DECREF(n);
	return *i == -1 && PyErr_Occurred() ? -1 : 0;
}

static PyObject *
list_insert(METHOD_ARGS)
{
	proxy_object *p = (proxy_object *)self;
	struct posh_value v;
	Py_ssize_t i;
	encoder e;
	int rc;

	if (nargs != 2 || kwnames)
		return LIST_MISUSE("insert");
	if (index_argument(args[0], &i) < 0)
		return NULL;
	encoder_init(&e, p->heap);
	rc = value_encode(p->heap, args[1], &v, &e);
	if (rc == 0) {
		WRITE(p, rc, posh_list_insert(HEAP(p), p->handle, i, &v));
		if (rc)
			proxy_error(p, rc);
	}
	encoder_clear(&e);
	if (rc)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *
list_pop(METHOD_ARGS)
{
	proxy_object *p = (proxy_object *)self;
	struct posh_value v;
	PyObject *x = NULL;
	Py_ssize_t i = -1;
	int rc;

	if (nargs > 1 || kwnames)
		return LIST_MISUSE("pop");
	if (nargs && index_argument(args[0], &i) < 0)
		return NULL;
	if (proxy_lock(p) < 0)
		return NULL;
	CALL(rc, posh_list_get(HEAP(p), p->handle, i, &v));
	if (rc == 0)
		x = value_decode_fast(p->heap, &v);
	if (x)
		WRITE(p, rc, posh_list_pop(HEAP(p), p->handle, i, NULL));
	if (rc) {
		Py_CLEAR(x);
		failed(p, rc,
		       posh_list_len(HEAP(p), p->handle) == 0
			       ? "pop from empty list"
			       : "pop index out of range");
	}
	proxy_unlock(p);
	return x;
}

static int
extend(proxy_object *p, PyObject *iterable)
{
	PyObject *items = drain(iterable);
	struct posh_value *v;
	size_t n;
	encoder e;
	int rc = -1;

	if (!items)
		return -1;
	encoder_init(&e, p->heap);
	n = (size_t)PySequence_Fast_GET_SIZE(items);
	v = value_encode_array(p->heap, PySequence_Fast_ITEMS(items), n, &e);
	if (v && n) {
		WRITE(p, rc, posh_list_extend(HEAP(p), p->handle, v, n));
		if (rc)
			proxy_error(p, rc);
	}
	encoder_clear(&e);
	Py_DECREF(items);
	return v && (rc == 0 || !n) ? 0 : -1;
}

static PyObject *
list_extend(METHOD_ARGS)
{
	if (nargs != 1 || kwnames)
		return LIST_MISUSE("extend");
	if (extend((proxy_object *)self, args[0]) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *
list_inplace_concat(PyObject *self, PyObject *other)
{
	if (!is_list_proxy(posh_state, self))
		Py_RETURN_NOTIMPLEMENTED;
	if (extend((proxy_object *)self, other) < 0)
		return NULL;
	return Py_NewRef(self);
}

static PyObject *
list_clear(METHOD_ARGS)
{
	proxy_object *p = (proxy_object *)self;
	int rc;

	if (nargs || kwnames)
		return LIST_MISUSE("clear");
	WRITE(p, rc, posh_list_delete(HEAP(p), p->handle, 0, SIZE_MAX));
	if (rc)
		return proxy_error(p, rc);
	Py_RETURN_NONE;
}

static PyObject *
list_copy(METHOD_ARGS)
{
	if (nargs || kwnames)
		return LIST_MISUSE("copy");
	return list_snapshot((proxy_object *)self);
}

static PyObject *
list_sizeof(PyObject *self, PyObject *Py_UNUSED(unused))
{
	Py_ssize_t n = list_length(self);

	if (n < 0)
		return NULL;
	return PyLong_FromSsize_t((Py_ssize_t)sizeof(proxy_object) + n * 8);
}

static PyObject *
list_get_class(PyObject *Py_UNUSED(self), void *Py_UNUSED(closure))
{
	return Py_NewRef((PyObject *)&PyList_Type);
}

/*
 * Making one.
 */

static PyObject *
list_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *kwds)
{
	PyObject *heap = kwds ? PyDict_GetItemString(kwds, "heap") : NULL;

	return proxy_create(type, heap, POSH_KIND_LIST);
}

/* Replace everything, as list.__init__ does. */
static int
fill(proxy_object *p, PyObject *iterable)
{
	PyObject *items = drain(iterable);
	struct posh_value *v;
	size_t n;
	encoder e;
	int rc = -1;

	if (!items)
		return -1;
	encoder_init(&e, p->heap);
	n = (size_t)PySequence_Fast_GET_SIZE(items);
	v = value_encode_array(p->heap, PySequence_Fast_ITEMS(items), n, &e);
	if (v) {
		WRITE(p, rc,
		      posh_list_splice(HEAP(p), p->handle, 0, SIZE_MAX, v, n));
		if (rc)
			proxy_error(p, rc);
	}
	encoder_clear(&e);
	Py_DECREF(items);
	return rc ? -1 : 0;
}

static int
list_init(PyObject *self, PyObject *args, PyObject *kwds)
{
	proxy_object *p = (proxy_object *)self;
	Py_ssize_t n = PyTuple_GET_SIZE(args);
	int rc;

	if (n > 1) {
		PyErr_Format(PyExc_TypeError,
			     "list expected at most 1 argument, got %zd", n);
		return -1;
	}
	if (kwds && PyDict_GET_SIZE(kwds) &&
	    !(PyDict_GET_SIZE(kwds) == 1 &&
	      PyDict_GetItemString(kwds, "heap"))) {
		PyErr_SetString(PyExc_TypeError,
				"list() takes no keyword arguments but heap");
		return -1;
	}
	if (n)
		return fill(p, PyTuple_GET_ITEM(args, 0));
	WRITE(p, rc, posh_list_delete(HEAP(p), p->handle, 0, SIZE_MAX));
	return rc ? proxy_failed(p, rc) : 0;
}

static PyMethodDef methods[] = {
	METHOD("append", list_append,
	       "append($self, object, /)\n--\n\n"
	       "Append an object to the end of the list."),
	METHOD("clear", list_clear,
	       "clear($self, /)\n--\n\nRemove all elements."),
	METHOD("copy", list_copy,
	       "copy($self, /)\n--\n\n"
	       "Return a plain list of the elements as of one moment."),
	METHOD("count", list_count,
	       "count($self, value, /)\n--\n\n"
	       "Return the number of elements that equal value."),
	METHOD("extend", list_extend,
	       "extend($self, iterable, /)\n--\n\n"
	       "Append all elements of an iterable, or none."),
	METHOD("index", list_index,
	       "index($self, value, start=0, stop=9223372036854775807, /)\n"
	       "--\n\nReturn the first index of value.\n\n"
	       "Raises ValueError if the value is not present."),
	METHOD("insert", list_insert,
	       "insert($self, index, object, /)\n--\n\n"
	       "Insert an object ahead of an index."),
	METHOD("pop", list_pop,
	       "pop($self, index=-1, /)\n--\n\n"
	       "Remove the element at an index and return it.\n\n"
	       "Raises IndexError if there is none."),
	METHOD("remove", list_remove,
	       "remove($self, value, /)\n--\n\n"
	       "Remove the first element that equals value.\n\n"
	       "Raises ValueError if the value is not present."),
	METHOD("reverse", list_reverse,
	       "reverse($self, /)\n--\n\nReverse the list in place."),
	METHOD("sort", list_sort,
	       "sort($self, /, *, key=None, reverse=False)\n--\n\n"
	       "Sort the list in place and stably, inside its monitor.\n\n"
	       "Nothing has changed if a comparison raises."),
	{"__reversed__", list_reversed, METH_NOARGS,
	 "Return a reverse iterator."},
	{"__getitem__", list_subscript, METH_O | METH_COEXIST,
	 "Return self[key]."},
	{"__sizeof__", list_sizeof, METH_NOARGS,
	 "Return the size of the list in memory, in bytes."},
	{"__copy__", (PyCFunction)(void (*)(void))list_copy,
	 METH_FASTCALL | METH_KEYWORDS, "Return a plain list."},
	{"__deepcopy__", proxy_deepcopy, METH_O,
	 "Return a plain list with plain copies of everything in it."},
	{"__reduce_ex__", proxy_reduce_ex, METH_O, "Helper for pickle."},
	{"__class_getitem__", proxy_class_getitem, METH_O | METH_CLASS,
	 "See PEP 585"},
	{NULL, NULL, 0, NULL}};

static PyGetSetDef getset[] = {
	{"__class__", list_get_class, NULL, "list", NULL},
	{NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot slots[] = {
	{Py_tp_new, list_new},
	{Py_tp_init, list_init},
	{Py_tp_dealloc, proxy_dealloc},
	{Py_tp_hash, PyObject_HashNotImplemented},
	{Py_tp_repr, list_repr},
	{Py_tp_richcompare, list_richcompare},
	{Py_tp_iter, list_iter},
	{Py_tp_methods, methods},
	{Py_tp_getset, getset},
	{Py_tp_members, proxy_members},
	{Py_tp_doc, "list(iterable=(), /, *, heap=None)\n--\n\n"
		    "A list in shared memory.\n\n"
		    "Each single operation is atomic.  Elements that are "
		    "mutable are shared as\nwell; results of operations are "
		    "ordinary objects."},
	{Py_nb_add, list_add},
	{Py_nb_inplace_add, list_inplace_concat},
	{Py_sq_length, list_length},
	{Py_sq_concat, list_concat},
	{Py_sq_repeat, list_repeat},
	{Py_sq_item, list_item},
	{Py_sq_ass_item, list_ass_item},
	{Py_sq_contains, list_contains},
	{Py_sq_inplace_concat, list_inplace_concat},
	{Py_sq_inplace_repeat, list_inplace_repeat},
	{Py_mp_length, list_length},
	{Py_mp_subscript, list_subscript},
	{Py_mp_ass_subscript, list_ass_subscript},
	{0, NULL}};

static PyType_Spec spec = {
	.name = "posh.list",
	.basicsize = sizeof(proxy_object),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_SEQUENCE,
	.slots = slots,
};

int
list_exec(PyObject *module, module_state *st)
{
	st->SharedList = proxy_type_new(module, &spec, "list", POSH_KIND_LIST);
	if (!st->SharedList)
		return -1;
	return PyModule_AddObject(module, "SharedList",
				  Py_NewRef((PyObject *)st->SharedList));
}

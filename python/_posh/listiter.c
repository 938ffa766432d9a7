/* SPDX-License-Identifier: MIT */
/* listiter.c - iterators over a shared list, both ways.
 *
 * As the builtin's they go by a live index.  Elements are read and decoded
 * in batches, and what is left of a batch is dropped when the list has
 * changed; batches grow while it doesn't, so that a loop which writes to
 * the list it goes over reads one element at a time.
 *
 * item[0 .. at-1] were given; of those it keeps the numbers (renew.h) and
 * has NULL for the others.  item[at .. n-1] are to be given.  From n to
 * used - 1 there are numbers of earlier batches, or NULL.
 */
#include "list.h"
#include "renew.h"

enum { BATCH = 64, FIRST = 8 };

typedef struct {
	PyObject_HEAD proxy_object *list; /* strong; NULL when exhausted */
	Py_ssize_t index;                 /* of the element that comes next */
	struct moment moment;             /* of the batch */
	int at, n; /* next element of the batch, and its end */
	int used;  /* items that are in use at all */
	int size;  /* how many to read the next time */
	PyObject *item[BATCH];
} iter_object;

static PyObject *
iter_new(PyTypeObject *type, proxy_object *list, Py_ssize_t index)
{
	iter_object *it = PyObject_New(iter_object, type);

	if (!it)
		return NULL;
	it->list = (proxy_object *)Py_NewRef((PyObject *)list);
	it->index = index;
	it->at = it->n = it->used = 0;
	it->size = FIRST;
	return (PyObject *)it;
}

PyObject *
list_iter(PyObject *self)
{
	return iter_new(posh_state->ListIterator, (proxy_object *)self, 0);
}

/* Forget what was to be given. */
static void
drop_batch(iter_object *it)
{
	int n = it->n;
	int i = it->at;

	it->at = it->n = 0;
	for (; i < n; i++)
		Py_CLEAR(it->item[i]);
}

static void
drop_all(iter_object *it)
{
	int n = it->used;
	int i;

	it->at = it->n = it->used = 0;
	for (i = 0; i < n; i++)
		Py_XDECREF(it->item[i]);
}

static void
iter_dealloc(PyObject *self)
{
	PyTypeObject *tp = Py_TYPE(self);
	iter_object *it = (iter_object *)self;

	drop_all(it);
	Py_XDECREF(it->list);
	tp->tp_free(self);
	Py_DECREF(tp);
}

/* To wrap or to build it may run anything. */
static inline bool
comes_alone(const struct posh_value *v)
{
	return v->type == POSH_OBJECT ||
	       (v->type == POSH_TUPLE && value_has_form(v));
}

/* Decode the first of n values that come together, which runs nobody's code:
 * 0 or -1. */
static int
decode_batch(iter_object *it, heap_object *heap, const struct posh_value *v,
	     int n)
{
	PyObject **item = it->item;
	int used = it->used;
	PyObject *x = NULL;
	int i;

	for (i = 0; i < n && !comes_alone(&v[i]); i++) {
		if (i < used && item[i]) {
			x = item[i];
			if (renew(x, &v[i]))
				continue;
			Py_DECREF(x);
		}
		x = value_decode_fast(heap, &v[i]);
		item[i] = x;
		if (UNLIKELY(!x)) {
			it->n = i;
			it->used = i < used ? used : i + 1;
			return -1;
		}
	}
	if (i < n)
		it->size = 1;
	it->n = i;
	it->used = i < used ? used : i;
	return 0;
}

static int
decode_object(iter_object *it, heap_object *heap, const struct posh_value *v)
{
	PyObject *x = value_decode(heap, v);

	if (!x)
		return -1;
	drop_batch(it);
	if (it->used)
		Py_XDECREF(it->item[0]);
	else
		it->used = 1;
	it->item[0] = x;
	it->n = 1;
	return 0;
}

/* Read the next batch: how many, or -1.  Another thread may end the
 * iterator while this one waits: the list is kept. */
static int
read_batch(iter_object *it, proxy_object *p)
{
	struct posh_value v[BATCH];
	int64_t n;
	int rc;

	CALL(n, posh_list_read(HEAP(p), p->handle, (size_t)it->index,
			       (size_t)it->size, POSH_SCALARS, v,
			       &it->moment.version));
	if (n < 0)
		return proxy_failed(p, n);
	drop_batch(it);
	it->moment.writes = p->writes;
	if (n > 0 && comes_alone(&v[0])) {
		it->size = 1;
		rc = decode_object(it, p->heap, v);
	} else {
		rc = decode_batch(it, p->heap, v, (int)n);
	}
	if (rc < 0) {
		drop_batch(it);
		return -1;
	}
	it->size = it->size * 2 < BATCH ? it->size * 2 : BATCH;
	return it->n;
}

/* Give the next item of the batch. */
static inline PyObject *
give(iter_object *it)
{
	PyObject **item = &it->item[it->at++];
	PyObject *x = *item;

	it->index++;
	if (Py_REFCNT(x) == 1 && renewable(x))
		return Py_NewRef(x);
	*item = NULL;
	return x;
}

/* Go on behind the end of a batch. */
static PyObject *
next_batch(iter_object *it)
{
	proxy_object *p = (proxy_object *)Py_NewRef((PyObject *)it->list);
	PyObject *x = NULL;
	int n = read_batch(it, p);

	if (n > 0) {
		x = give(it);
	} else if (n == 0) {
		drop_all(it);
		Py_CLEAR(it->list);
	}
	Py_DECREF(p);
	return x;
}

static PyObject *
iter_next(PyObject *self)
{
	iter_object *it = (iter_object *)self;
	proxy_object *p = it->list;

	if (UNLIKELY(!p))
		return NULL;
	if (LIKELY(it->at < it->n)) {
		if (LIKELY(!proxy_moved(p, &it->moment)))
			return give(it);
		drop_batch(it);
		it->size = 1;
	}
	return next_batch(it);
}

static PyObject *
iter_length_hint(PyObject *self, PyObject *Py_UNUSED(unused))
{
	iter_object *it = (iter_object *)self;
	int64_t n = 0;

	if (it->list) {
		CALL(n, posh_list_len(HEAP(it->list), it->list->handle));
		if (n < 0)
			return proxy_error(it->list, n);
		n = n > it->index ? n - it->index : 0;
	}
	return PyLong_FromLongLong(n);
}

/* What copy and pickle rebuild the iterator from. */
static PyObject *
reduce(PyObject *self, const char *function)
{
	iter_object *it = (iter_object *)self;
	PyObject *builtins = PyImport_ImportModule("builtins");
	PyObject *f = NULL;
	PyObject *r = NULL;

	if (builtins)
		f = PyObject_GetAttrString(builtins,
					   it->list ? function : "iter");
	if (f && it->list)
		r = Py_BuildValue("N(O)n", f, it->list, it->index);
	else if (f)
		r = Py_BuildValue("N([])", f);
	Py_XDECREF(builtins);
	return r;
}

static PyObject *
iter_reduce(PyObject *self, PyObject *Py_UNUSED(unused))
{
	return reduce(self, "iter");
}

static PyObject *
iter_setstate(PyObject *self, PyObject *state)
{
	iter_object *it = (iter_object *)self;
	Py_ssize_t i = PyLong_AsSsize_t(state);

	if (i == -1 && PyErr_Occurred())
		return NULL;
	drop_batch(it);
	it->index = i < 0 ? 0 : i;
	Py_RETURN_NONE;
}

static PyMethodDef iter_methods[] = {
	{"__length_hint__", iter_length_hint, METH_NOARGS,
	 "Private method returning an estimate of len(list(it))."},
	{"__reduce__", iter_reduce, METH_NOARGS,
	 "Return state information for pickling."},
	{"__setstate__", iter_setstate, METH_O,
	 "Set state information for unpickling."},
	{NULL, NULL, 0, NULL}};

static PyType_Slot iter_slots[] = {{Py_tp_dealloc, iter_dealloc},
				   {Py_tp_iter, PyObject_SelfIter},
				   {Py_tp_iternext, iter_next},
				   {Py_tp_methods, iter_methods},
				   {0, NULL}};

static PyType_Spec iter_spec = {
	.name = "posh._posh.ListIterator",
	.basicsize = sizeof(iter_object),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = iter_slots,
};

/*
 * Backwards, one at a time.
 */

PyObject *
list_reversed(PyObject *self, PyObject *Py_UNUSED(unused))
{
	proxy_object *p = (proxy_object *)self;
	int64_t n;

	CALL(n, posh_list_len(HEAP(p), p->handle));
	if (n < 0)
		return proxy_error(p, n);
	return iter_new(posh_state->ListReverseIterator, p, (Py_ssize_t)n - 1);
}

static PyObject *
reverse_next(PyObject *self)
{
	iter_object *it = (iter_object *)self;
	proxy_object *p = it->list;
	PyObject *x = NULL;
	struct posh_value v;
	int rc = -ERANGE;

	if (!p)
		return NULL;
	Py_INCREF(p);
	if (it->index >= 0)
		CALL(rc, posh_list_get(HEAP(p), p->handle, it->index, &v));
	if (rc == 0) {
		it->index--;
		x = value_decode_fast(p->heap, &v);
	} else if (rc == -ERANGE) {
		it->index = -1;
		Py_CLEAR(it->list);
	} else {
		proxy_error(p, rc);
	}
	Py_DECREF(p);
	return x;
}

static PyObject *
reverse_length_hint(PyObject *self, PyObject *Py_UNUSED(unused))
{
	iter_object *it = (iter_object *)self;
	int64_t n = 0;

	if (it->list) {
		CALL(n, posh_list_len(HEAP(it->list), it->list->handle));
		if (n < 0)
			return proxy_error(it->list, n);
	}
	return PyLong_FromSsize_t(n > it->index ? it->index + 1 : 0);
}

static PyObject *
reverse_reduce(PyObject *self, PyObject *Py_UNUSED(unused))
{
	return reduce(self, "reversed");
}

static PyObject *
reverse_setstate(PyObject *self, PyObject *state)
{
	iter_object *it = (iter_object *)self;
	Py_ssize_t i = PyLong_AsSsize_t(state);
	int64_t n;

	if (i == -1 && PyErr_Occurred())
		return NULL;
	if (it->list) {
		CALL(n, posh_list_len(HEAP(it->list), it->list->handle));
		if (n < 0)
			return proxy_error(it->list, n);
		it->index = i < -1 ? -1 : i > n - 1 ? (Py_ssize_t)n - 1 : i;
	}
	Py_RETURN_NONE;
}

static PyMethodDef reverse_methods[] = {
	{"__length_hint__", reverse_length_hint, METH_NOARGS,
	 "Private method returning an estimate of len(list(it))."},
	{"__reduce__", reverse_reduce, METH_NOARGS,
	 "Return state information for pickling."},
	{"__setstate__", reverse_setstate, METH_O,
	 "Set state information for unpickling."},
	{NULL, NULL, 0, NULL}};

static PyType_Slot reverse_slots[] = {{Py_tp_dealloc, iter_dealloc},
				      {Py_tp_iter, PyObject_SelfIter},
				      {Py_tp_iternext, reverse_next},
				      {Py_tp_methods, reverse_methods},
				      {0, NULL}};

static PyType_Spec reverse_spec = {
	.name = "posh._posh.ListReverseIterator",
	.basicsize = sizeof(iter_object),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = reverse_slots,
};

int
listiter_exec(PyObject *module, module_state *st)
{
	PyObject *type = PyType_FromModuleAndSpec(module, &iter_spec, NULL);

	st->ListIterator = (PyTypeObject *)type;
	if (!type)
		return -1;
	type = PyType_FromModuleAndSpec(module, &reverse_spec, NULL);
	st->ListReverseIterator = (PyTypeObject *)type;
	return type ? 0 : -1;
}

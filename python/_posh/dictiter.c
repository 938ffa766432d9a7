/* SPDX-License-Identifier: MIT */
/* dictiter.c - iterators over the keys, values and items of a shared dict.
 *
 * Items are read and decoded in batches, each as of one moment.  When the
 * dict has changed since, each item that is left of the batch is looked up
 * again before it is given: one that has gone is left out, and a value is
 * the present one.  So each key that is there throughout comes exactly once.
 * It is an error only if this process changed the dict's size meanwhile, or
 * puts keys in as fast as it takes them out.
 */
#include "dict.h"

enum { BATCH = 32, FIRST = 8 };

typedef struct {
	PyObject_HEAD proxy_object *dict; /* strong; NULL when exhausted */
	int64_t added; /* the proxy's, when the iterator was made */
	int64_t removed;
	uint64_t cursor;      /* behind the batch */
	struct moment moment; /* of the batch */
	int64_t left;         /* items that are to come, about */
	enum view_kind what;
	bool reverse;
	bool failed; /* the size changed: the error stays */
	bool stale;  /* the dict changed since the batch was read */
	int at, n;   /* next item of the batch, and its end */
	int size;    /* how many to read the next time */
	PyObject *item[2 * BATCH]; /* keys and values by turns */
} iter_object;

PyObject *
dict_iter_new(proxy_object *p, enum view_kind what, bool reverse)
{
	iter_object *it;
	int64_t n;

	CALL(n, posh_dict_len(HEAP(p), p->handle));
	if (n < 0)
		return proxy_error(p, n);
	it = PyObject_New(iter_object, posh_state->DictIterator);
	if (!it)
		return NULL;
	it->dict = (proxy_object *)Py_NewRef((PyObject *)p);
	it->added = p->added;
	it->removed = p->removed;
	it->cursor = reverse ? UINT64_MAX : 0;
	it->left = n;
	it->what = what;
	it->reverse = reverse;
	it->failed = it->stale = false;
	it->at = it->n = 0;
	it->size = FIRST;
	return (PyObject *)it;
}

static void
drop_batch(iter_object *it)
{
	int n = it->n;
	int i = it->at;

	it->at = it->n = 0;
	for (; i < n; i++) {
		Py_DECREF(it->item[2 * i]);
		Py_DECREF(it->item[2 * i + 1]);
	}
}

static void
iter_dealloc(PyObject *self)
{
	PyTypeObject *tp = Py_TYPE(self);
	iter_object *it = (iter_object *)self;

	drop_batch(it);
	Py_XDECREF(it->dict);
	tp->tp_free(self);
	Py_DECREF(tp);
}

/* Read items behind a cursor, either way. */
static int64_t
read_items(iter_object *it, proxy_object *p, struct posh_value *v)
{
	int64_t n;

	if (it->reverse)
		CALL(n, posh_dict_read_back(HEAP(p), p->handle, &it->cursor,
					    (size_t)it->size, POSH_SCALARS, v,
					    &it->moment.version));
	else
		CALL(n, posh_dict_read(HEAP(p), p->handle, &it->cursor,
				       (size_t)it->size, POSH_SCALARS, v,
				       &it->moment.version));
	return n;
}

/* Keys need no values: forget those that were read.  An item with an object
 * comes alone; its hold is left to the caller. */
static posh_handle
leave_values(struct posh_value *v, size_t n)
{
	posh_handle unused = {0};
	size_t i;

	for (i = 0; i < n; i++) {
		if (v[2 * i + 1].type == POSH_OBJECT)
			unused = v[2 * i + 1].object;
		v[2 * i + 1].type = POSH_NONE;
	}
	return unused;
}

/* Read the next batch: how many, or -1. */
static int
read_batch(iter_object *it, proxy_object *p)
{
	struct posh_value v[2 * BATCH];
	posh_handle unused = {0};
	uint64_t cursor = it->cursor, writes = p->writes;
	int64_t n = read_items(it, p, v);
	int rc;

	if (n < 0)
		return proxy_failed(p, n);
	drop_batch(it);
	if (it->what == VIEW_KEYS)
		unused = leave_values(v, (size_t)n);
	rc = value_decode_array(p->heap, v, 2 * (size_t)n, it->item);
	if (unused.off)
		heap_drop(p->heap, unused);
	if (rc < 0 && n > 1 && value_unknown()) {
		it->cursor = cursor;
		it->size = 1;
		return read_batch(it, p);
	}
	if (rc < 0)
		return -1;
	it->moment.writes = writes;
	it->at = 0;
	it->n = (int)n;
	it->stale = false;
	it->size = it->size * 2 < BATCH ? it->size * 2 : BATCH;
	return (int)n;
}

/* Look the next item of the batch up again: 1, 0 if it has gone, or -1. */
static int
refresh(iter_object *it, proxy_object *p)
{
	PyObject **item = &it->item[2 * it->at];
	PyObject *x = NULL;
	int rc;

	if (it->what == VIEW_KEYS) {
		rc = dict_contains((PyObject *)p, item[0]);
	} else {
		x = dict_lookup(p, item[0]);
		rc = x ? 1 : PyErr_Occurred() ? -1 : 0;
	}
	if (rc > 0 && x) {
		Py_SETREF(item[1], x);
	} else if (rc == 0) {
		it->at++;
		Py_DECREF(item[0]);
		Py_DECREF(item[1]);
	}
	return rc;
}

/* Have an item at it->at: 1, 0 at the end, or -1. */
static int
advance(iter_object *it, proxy_object *p)
{
	int rc;

	for (;;) {
		if (it->at == it->n) {
			rc = read_batch(it, p);
			if (rc <= 0)
				return rc;
			return 1;
		}
		if (!it->stale && !proxy_moved(p, &it->moment))
			return 1;
		it->stale = true;
		rc = refresh(it, p);
		if (rc)
			return rc;
	}
}

static PyObject *
give(iter_object *it)
{
	PyObject *key = it->item[2 * it->at];
	PyObject *value = it->item[2 * it->at + 1];
	PyObject *pair;

	it->at++;
	it->left--;
	if (it->what == VIEW_KEYS) {
		Py_DECREF(value);
		return key;
	}
	if (it->what == VIEW_VALUES) {
		Py_DECREF(key);
		return value;
	}
	pair = PyTuple_New(2);
	if (!pair) {
		Py_DECREF(key);
		Py_DECREF(value);
		return NULL;
	}
	PyTuple_SET_ITEM(pair, 0, key);
	PyTuple_SET_ITEM(pair, 1, value);
	return pair;
}

/* Did this process change the size since the iterator was made? */
static inline bool
resized(const iter_object *it, const proxy_object *p)
{
	return p->added - it->added != p->removed - it->removed;
}

static PyObject *
iter_next(PyObject *self)
{
	iter_object *it = (iter_object *)self;
	proxy_object *p = it->dict;
	PyObject *x = NULL;
	int rc;

	if (UNLIKELY(!p))
		return NULL;
	if (UNLIKELY(it->failed || resized(it, p))) {
		it->failed = true;
		PyErr_SetString(
			PyExc_RuntimeError,
			p->kind == POSH_KIND_SET
				? "Set changed size during iteration"
				: "dictionary changed size during iteration");
		return NULL;
	}
	Py_INCREF(p);
	rc = advance(it, p);
	if (UNLIKELY(rc > 0 && it->left <= 0 && p->added != it->added))
		PyErr_SetString(
			PyExc_RuntimeError,
			p->kind == POSH_KIND_SET
				? "Set changed during iteration"
				: "dictionary keys changed during iteration");
	else if (LIKELY(rc > 0))
		x = give(it);
	else if (rc == 0)
		Py_CLEAR(it->dict);
	Py_DECREF(p);
	return x;
}

static PyObject *
iter_length_hint(PyObject *self, PyObject *Py_UNUSED(unused))
{
	iter_object *it = (iter_object *)self;
	bool ended = !it->dict || it->failed || resized(it, it->dict);

	return PyLong_FromLongLong(ended || it->left < 0 ? 0 : it->left);
}

/* Return an iterator that goes on where this one is. */
static PyObject *
duplicate(iter_object *it)
{
	iter_object *copy =
		(iter_object *)dict_iter_new(it->dict, it->what, it->reverse);
	int i;

	if (!copy)
		return NULL;
	copy->added = it->added;
	copy->removed = it->removed;
	copy->cursor = it->cursor;
	copy->moment = it->moment;
	copy->failed = it->failed;
	copy->stale = it->stale;
	copy->at = it->at;
	copy->n = it->n;
	copy->size = it->size;
	for (i = 2 * it->at; i < 2 * it->n; i++)
		copy->item[i] = Py_NewRef(it->item[i]);
	return (PyObject *)copy;
}

static PyObject *
iter_reduce(PyObject *self, PyObject *Py_UNUSED(unused))
{
	iter_object *it = (iter_object *)self;
	PyObject *copy = it->dict ? duplicate(it) : NULL;
	PyObject *list = NULL;
	PyObject *builtins;
	PyObject *r = NULL;

	if (copy)
		list = PySequence_List(copy);
	else if (!it->dict)
		list = PyList_New(0);
	Py_XDECREF(copy);
	builtins = list ? PyImport_ImportModule("builtins") : NULL;
	if (builtins)
		r = Py_BuildValue(
			"N(O)", PyObject_GetAttrString(builtins, "iter"), list);
	Py_XDECREF(builtins);
	Py_XDECREF(list);
	return r;
}

static PyMethodDef methods[] = {
	{"__length_hint__", iter_length_hint, METH_NOARGS,
	 "Private method returning an estimate of len(list(it))."},
	{"__reduce__", iter_reduce, METH_NOARGS,
	 "Return state information for pickling."},
	{NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {{Py_tp_dealloc, iter_dealloc},
			      {Py_tp_iter, PyObject_SelfIter},
			      {Py_tp_iternext, iter_next},
			      {Py_tp_methods, methods},
			      {0, NULL}};

static PyType_Spec spec = {
	.name = "posh._posh.DictIterator",
	.basicsize = sizeof(iter_object),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = slots,
};

int
dictiter_exec(PyObject *module, module_state *st)
{
	PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);

	st->DictIterator = (PyTypeObject *)type;
	return type ? 0 : -1;
}

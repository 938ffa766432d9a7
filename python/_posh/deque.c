/* SPDX-License-Identifier: MIT */
/* deque.c - SharedDeque, the proxy of a shared collections.deque.
 *
 * Each single call is one atomic operation, and all or nothing.  What gives a
 * new object, and what searches, works on a plain deque of the elements as of
 * one moment.  p->added counts the changes of this process other than those
 * of one element: by it an iterator sees that it has to end, as the
 * builtin's does; what other processes do does not disturb it.
 */
#include "sharing.h"

/*
 * Snapshots.
 */

/* A plain deque of items, which may be NULL: none. */
static PyObject *
plain_new(PyObject *items, int64_t maxlen)
{
	PyObject *empty = items ? NULL : PyTuple_New(0), *r = NULL;

	if (items || empty)
		r = maxlen < 0 ? PyObject_CallOneArg(posh_state->deque,
						     items ? items : empty)
			       : PyObject_CallFunction(posh_state->deque, "OL",
						       items ? items : empty,
						       (long long)maxlen);
	Py_XDECREF(empty);
	return r;
}

/* A plain list of the elements as of one moment. */
static PyObject *
list_of(proxy_object *p)
{
	struct posh_value *v;
	PyObject *list;
	int64_t n;

	CALL(n, posh_deque_snapshot(HEAP(p), p->handle, &v, NULL));
	if (n < 0)
		return proxy_error(p, n);
	list = value_decode_list(p->heap, v, (size_t)n);
	free(v);
	return list;
}

static int64_t
size_of(proxy_object *p, int64_t *maxlen)
{
	int64_t n;

	CALL(n, posh_deque_len(HEAP(p), p->handle, maxlen));
	if (UNLIKELY(n < 0))
		return proxy_failed(p, n);
	return n;
}

PyObject *
deque_snapshot(proxy_object *p)
{
	PyObject *list, *r;
	int64_t maxlen;

	if (size_of(p, &maxlen) < 0)
		return NULL;
	list = list_of(p);
	r = list ? plain_new(list, maxlen) : NULL;
	Py_XDECREF(list);
	return r;
}

/* Raise what deque's method of that name raises for such arguments. */
#define DEQUE_MISUSE(name)                                                     \
	proxy_misuse(deque_snapshot((proxy_object *)self), name, args, nargs,  \
		     kwnames)

/* CALL for what changes more than one element's value. */
#define CHANGE(p, rc, call)                                                    \
	do {                                                                   \
		(p)->added++;                                                  \
		WRITE(p, rc, call);                                            \
	} while (0)

/*
 * Elements.
 */

static Py_ssize_t
deque_length(PyObject *self)
{
	return (Py_ssize_t)size_of((proxy_object *)self, NULL);
}

static int
failed(proxy_object *p, int rc, const char *range)
{
	if (rc != -ERANGE)
		return proxy_failed(p, rc);
	PyErr_SetString(PyExc_IndexError, range);
	return -1;
}

static int
index_of(PyObject *key, int64_t *i)
{
	if (small_int(key, i))
		return 0;
	if (!PyIndex_Check(key)) {
		PyErr_Format(PyExc_TypeError,
			     "sequence index must be integer, not '%.200s'",
			     Py_TYPE(key)->tp_name);
		return -1;
	}
	*i = PyNumber_AsSsize_t(key, PyExc_IndexError);
	return *i == -1 && PyErr_Occurred() ? -1 : 0;
}

static PyObject *
deque_subscript(PyObject *self, PyObject *key)
{
	proxy_object *p = (proxy_object *)self;
	struct posh_value v;
	int64_t i;
	int rc;

	if (index_of(key, &i) < 0)
		return NULL;
	CALL(rc, posh_deque_get(HEAP(p), p->handle, i, &v));
	if (rc) {
		failed(p, rc, "deque index out of range");
		return NULL;
	}
	return value_decode_fast(p->heap, &v);
}

static PyObject *
deque_item(PyObject *self, Py_ssize_t i)
{
	PyObject *key, *r;

	if (i < 0) {
		PyErr_SetString(PyExc_IndexError, "deque index out of range");
		return NULL;
	}
	key = PyLong_FromSsize_t(i);
	r = key ? deque_subscript(self, key) : NULL;
	Py_XDECREF(key);
	return r;
}

static int
set(proxy_object *p, int64_t i, PyObject *x)
{
	struct posh_value v;
	encoder e;
	int rc;

	encoder_init(&e, p->heap);
	rc = value_encode(p->heap, x, &v, &e);
	if (rc == 0) {
		WRITE(p, rc, posh_deque_set(HEAP(p), p->handle, i, &v));
		if (rc)
			failed(p, rc, "deque index out of range");
	}
	encoder_clear(&e);
	return rc ? -1 : 0;
}

static int
deque_ass_subscript(PyObject *self, PyObject *key, PyObject *x)
{
	proxy_object *p = (proxy_object *)self;
	int64_t i;
	int rc;

	if (index_of(key, &i) < 0)
		return -1;
	if (x)
		return set(p, i, x);
	CHANGE(p, rc, posh_deque_delete(HEAP(p), p->handle, i));
	return rc ? failed(p, rc, "deque index out of range") : 0;
}

/*
 * At the ends.
 */

typedef int push_function(posh_heap *h, posh_handle o, struct posh_value *v);
typedef int extend_function(posh_heap *h, posh_handle o, struct posh_value *v,
			    size_t n);
typedef int pop_function(posh_heap *h, posh_handle o, struct posh_value *out);

static PyObject *
push(PyObject *self, PyObject *x, push_function *f)
{
	proxy_object *p = (proxy_object *)self;
	struct posh_value v;
	encoder e;
	int rc;

	encoder_init(&e, p->heap);
	rc = LIKELY(value_encode_scalar(x, &v))
		     ? 0
		     : value_encode(p->heap, x, &v, &e);
	if (rc == 0) {
		CHANGE(p, rc, f(HEAP(p), p->handle, &v));
		if (rc)
			proxy_error(p, rc);
	}
	encoder_clear(&e);
	if (rc)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *
deque_append(METHOD_ARGS)
{
	if (nargs != 1 || kwnames)
		return DEQUE_MISUSE("append");
	return push(self, args[0], posh_deque_append);
}

static PyObject *
deque_appendleft(METHOD_ARGS)
{
	if (nargs != 1 || kwnames)
		return DEQUE_MISUSE("appendleft");
	return push(self, args[0], posh_deque_appendleft);
}

/* Remove element i, an end, with f; what can't be decoded stays. */
static PyObject *
pop(PyObject *self, int64_t i, pop_function *f)
{
	proxy_object *p = (proxy_object *)self;
	struct posh_value v;
	PyObject *x = NULL;
	int rc;

	if (proxy_lock(p) < 0)
		return NULL;
	CALL(rc, posh_deque_get(HEAP(p), p->handle, i, &v));
	if (rc == 0)
		x = value_decode_fast(p->heap, &v);
	if (x)
		CHANGE(p, rc, f(HEAP(p), p->handle, NULL));
	if (rc) {
		Py_CLEAR(x);
		failed(p, rc, "pop from an empty deque");
	}
	proxy_unlock(p);
	return x;
}

static PyObject *
deque_pop(METHOD_ARGS)
{
	if (nargs || kwnames)
		return DEQUE_MISUSE("pop");
	return pop(self, -1, posh_deque_pop);
}

static PyObject *
deque_popleft(METHOD_ARGS)
{
	if (nargs || kwnames)
		return DEQUE_MISUSE("popleft");
	return pop(self, 0, posh_deque_popleft);
}

/* Drain an iterable into a list. */
static PyObject *
drain(PyObject *x)
{
	PyObject *plain = plain_operand(posh_state, x);
	PyObject *list = plain ? PySequence_List(plain) : NULL;

	Py_XDECREF(plain);
	return list;
}

static int
extend(proxy_object *p, PyObject *iterable, extend_function *f)
{
	PyObject *items = drain(iterable);
	struct posh_value *v;
	size_t n;
	encoder e;
	int rc = 0;

	if (!items)
		return -1;
	encoder_init(&e, p->heap);
	n = (size_t)PyList_GET_SIZE(items);
	v = value_encode_array(p->heap, PySequence_Fast_ITEMS(items), n, &e);
	if (v && n) {
		CHANGE(p, rc, f(HEAP(p), p->handle, v, n));
		if (rc)
			proxy_error(p, rc);
	}
	encoder_clear(&e);
	Py_DECREF(items);
	return v && rc == 0 ? 0 : -1;
}

static PyObject *
deque_extend(METHOD_ARGS)
{
	if (nargs != 1 || kwnames)
		return DEQUE_MISUSE("extend");
	if (extend((proxy_object *)self, args[0], posh_deque_extend) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *
deque_extendleft(METHOD_ARGS)
{
	if (nargs != 1 || kwnames)
		return DEQUE_MISUSE("extendleft");
	if (extend((proxy_object *)self, args[0], posh_deque_extendleft) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *
deque_inplace_concat(PyObject *self, PyObject *other)
{
	if (!is_deque_proxy(posh_state, self))
		Py_RETURN_NOTIMPLEMENTED;
	if (extend((proxy_object *)self, other, posh_deque_extend) < 0)
		return NULL;
	return Py_NewRef(self);
}

static PyObject *
deque_rotate(METHOD_ARGS)
{
	proxy_object *p = (proxy_object *)self;
	Py_ssize_t n = 1;
	int rc;

	if (nargs > 1 || kwnames || (nargs && !PyIndex_Check(args[0])))
		return DEQUE_MISUSE("rotate");
	if (nargs)
		n = PyNumber_AsSsize_t(args[0], PyExc_OverflowError);
	if (n == -1 && PyErr_Occurred())
		return NULL;
	CHANGE(p, rc, posh_deque_rotate(HEAP(p), p->handle, n));
	if (rc)
		return proxy_error(p, rc);
	Py_RETURN_NONE;
}

/*
 * In the middle.
 */

static PyObject *
deque_insert(METHOD_ARGS)
{
	proxy_object *p = (proxy_object *)self;
	struct posh_value v;
	Py_ssize_t i;
	encoder e;
	int rc;

	if (nargs != 2 || kwnames || !PyIndex_Check(args[0]))
		return DEQUE_MISUSE("insert");
	i = PyNumber_AsSsize_t(args[0], PyExc_OverflowError);
	if (i == -1 && PyErr_Occurred())
		return NULL;
	encoder_init(&e, p->heap);
	rc = value_encode(p->heap, args[1], &v, &e);
	if (rc == 0) {
		CHANGE(p, rc, posh_deque_insert(HEAP(p), p->handle, i, &v));
		if (rc)
			failed(p, rc, "deque already at its maximum size");
	}
	encoder_clear(&e);
	if (rc)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *
mutated(const char *text, PyObject *type)
{
	PyErr_SetString(type, text);
	return NULL;
}

/* Let a plain deque do it; its comparisons may run anything. */
static PyObject *
search(PyObject *self, const char *name, PyObject *const *args,
       Py_ssize_t nargs, PyObject *kwnames)
{
	proxy_object *p = (proxy_object *)self;
	PyObject *plain = deque_snapshot(p), *r;
	int64_t added = p->added;

	if (!plain)
		return NULL;
	r = proxy_delegate(plain, name, args, nargs, kwnames);
	Py_DECREF(plain);
	/* "Not found" means nothing then either. */
	if (p->added != added &&
	    (r || PyErr_ExceptionMatches(PyExc_ValueError))) {
		Py_XDECREF(r);
		return mutated("deque mutated during iteration",
			       PyExc_RuntimeError);
	}
	return r;
}

static PyObject *
deque_index(METHOD_ARGS)
{
	return search(self, "index", args, nargs, kwnames);
}

static PyObject *
deque_count(METHOD_ARGS)
{
	return search(self, "count", args, nargs, kwnames);
}

static int
deque_contains(PyObject *self, PyObject *x)
{
	PyObject *r = search(self, "__contains__", &x, 1, NULL);
	int yes = r ? PyObject_IsTrue(r) : -1;

	Py_XDECREF(r);
	return yes;
}

/* Where x is in a list; -1: nowhere, -2: an exception. */
static Py_ssize_t
find(PyObject *list, PyObject *x)
{
	for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
		int same = PyObject_RichCompareBool(PyList_GET_ITEM(list, i), x,
						    Py_EQ);

		if (same)
			return same < 0 ? -2 : i;
	}
	return -1;
}

/* Inside the monitor: 1, 0 if it is not there, -1. */
static int
remove_locked(proxy_object *p, PyObject *x)
{
	PyObject *list = list_of(p);
	int64_t added = p->added;
	Py_ssize_t i;
	int rc;

	if (!list)
		return -1;
	i = find(list, x);
	Py_DECREF(list);
	if (i == -2)
		return -1;
	if (p->added != added) {
		mutated("deque mutated during remove().", PyExc_IndexError);
		return -1;
	}
	if (i < 0)
		return 0;
	CHANGE(p, rc, posh_deque_delete(HEAP(p), p->handle, i));
	return rc ? proxy_failed(p, rc) : 1;
}

static PyObject *
deque_remove(METHOD_ARGS)
{
	proxy_object *p = (proxy_object *)self;
	int rc;

	if (nargs != 1 || kwnames)
		return DEQUE_MISUSE("remove");
	if (proxy_lock(p) < 0)
		return NULL;
	rc = remove_locked(p, args[0]);
	proxy_unlock(p);
	if (rc == 0)
		return DEQUE_MISUSE("remove");
	if (rc < 0)
		return NULL;
	Py_RETURN_NONE;
}

/*
 * The whole.
 */

static PyObject *
deque_reverse(METHOD_ARGS)
{
	proxy_object *p = (proxy_object *)self;
	int rc;

	if (nargs || kwnames)
		return DEQUE_MISUSE("reverse");
	WRITE(p, rc, posh_deque_reverse(HEAP(p), p->handle));
	if (rc)
		return proxy_error(p, rc);
	Py_RETURN_NONE;
}

static int
clear(proxy_object *p)
{
	int rc;

	CHANGE(p, rc, posh_deque_clear(HEAP(p), p->handle));
	return rc ? proxy_failed(p, rc) : 0;
}

static PyObject *
deque_clear(METHOD_ARGS)
{
	if (nargs || kwnames)
		return DEQUE_MISUSE("clear");
	if (clear((proxy_object *)self) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *
deque_copy(METHOD_ARGS)
{
	if (nargs || kwnames)
		return DEQUE_MISUSE("copy");
	return deque_snapshot((proxy_object *)self);
}

static PyObject *
deque_repr(PyObject *self)
{
	return proxy_repr(self, deque_snapshot, "[...]");
}

/* The plain deque of an operand, or NULL without an exception if it is no
 * deque at all. */
static PyObject *
plain_deque(PyObject *x)
{
	int is;

	if (is_deque_proxy(posh_state, x))
		return deque_snapshot((proxy_object *)x);
	is = PyObject_TypeCheck(x, (PyTypeObject *)posh_state->deque);
	return is ? Py_NewRef(x) : NULL;
}

static PyObject *
deque_richcompare(PyObject *self, PyObject *other, int op)
{
	PyObject *b = plain_deque(other), *a, *r = NULL;

	if (!b && !PyErr_Occurred())
		Py_RETURN_NOTIMPLEMENTED;
	a = b ? plain_deque(self) : NULL;
	if (a)
		r = PyObject_RichCompare(a, b, op);
	Py_XDECREF(a);
	Py_XDECREF(b);
	return r;
}

static PyObject *
deque_add(PyObject *a, PyObject *b)
{
	PyObject *x = plain_deque(a), *y = x ? plain_deque(b) : NULL, *r = NULL;

	if (y)
		r = x == a ? proxy_reflected_add(x, y)
			   : PySequence_Concat(x, y);
	else if (!PyErr_Occurred())
		r = Py_NewRef(Py_NotImplemented);
	Py_XDECREF(x);
	Py_XDECREF(y);
	return r;
}

static PyObject *
deque_concat(PyObject *self, PyObject *other)
{
	PyObject *a = deque_snapshot((proxy_object *)self);
	PyObject *b = a ? plain_operand(posh_state, other) : NULL;
	PyObject *r = b ? PySequence_Concat(a, b) : NULL;

	Py_XDECREF(a);
	Py_XDECREF(b);
	return r;
}

static PyObject *
deque_repeat(PyObject *self, Py_ssize_t n)
{
	PyObject *plain = deque_snapshot((proxy_object *)self);
	PyObject *r = plain ? PySequence_Repeat(plain, n) : NULL;

	Py_XDECREF(plain);
	return r;
}

/* Append the elements as they are another n - 1 times; inside the monitor. */
static int
repeat_locked(proxy_object *p, Py_ssize_t n)
{
	PyObject *list, *more;
	int rc;

	if (n <= 0)
		return clear(p);
	list = list_of(p);
	more = list ? PySequence_Repeat(list, n - 1) : NULL;
	rc = more ? extend(p, more, posh_deque_extend) : -1;
	Py_XDECREF(list);
	Py_XDECREF(more);
	return rc;
}

static PyObject *
deque_inplace_repeat(PyObject *self, Py_ssize_t n)
{
	proxy_object *p = (proxy_object *)self;
	int rc;

	if (proxy_lock(p) < 0)
		return NULL;
	rc = repeat_locked(p, n);
	proxy_unlock(p);
	return rc < 0 ? NULL : Py_NewRef(self);
}

static PyObject *
deque_sizeof(PyObject *self, PyObject *Py_UNUSED(unused))
{
	Py_ssize_t n = deque_length(self);

	if (n < 0)
		return NULL;
	return PyLong_FromSsize_t((Py_ssize_t)sizeof(proxy_object) + n * 8);
}

static PyObject *
deque_get_class(PyObject *Py_UNUSED(self), void *Py_UNUSED(closure))
{
	return Py_NewRef(posh_state->deque);
}

static PyObject *
deque_get_maxlen(PyObject *self, void *Py_UNUSED(closure))
{
	int64_t maxlen;

	if (size_of((proxy_object *)self, &maxlen) < 0)
		return NULL;
	if (maxlen < 0)
		Py_RETURN_NONE;
	return PyLong_FromLongLong(maxlen);
}

/*
 * Making one.
 */

static PyObject *
deque_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *kwds)
{
	PyObject *heap = kwds ? PyDict_GetItemString(kwds, "heap") : NULL;

	return proxy_create(type, heap, POSH_KIND_DEQUE);
}

static int
bound_of(PyObject *arg, int64_t *maxlen)
{
	*maxlen = -1;
	if (!arg || arg == Py_None)
		return 0;
	*maxlen = PyLong_AsSsize_t(arg);
	if (*maxlen == -1 && PyErr_Occurred())
		return -1;
	if (*maxlen >= 0)
		return 0;
	PyErr_SetString(PyExc_ValueError, "maxlen must be non-negative");
	return -1;
}

/* Replace everything, as deque.__init__ does; inside the monitor. */
static int
init_locked(proxy_object *p, PyObject *items, int64_t maxlen)
{
	int rc;

	if (clear(p) < 0)
		return -1;
	CHANGE(p, rc, posh_deque_bound(HEAP(p), p->handle, maxlen));
	if (rc)
		return proxy_failed(p, rc);
	return items ? extend(p, items, posh_deque_extend) : 0;
}

static int
deque_init(PyObject *self, PyObject *args, PyObject *kwds)
{
	static char *names[] = {(char *)"iterable", (char *)"maxlen",
				(char *)"heap", NULL};
	proxy_object *p = (proxy_object *)self;
	PyObject *iterable = NULL, *bound = NULL, *heap = NULL, *items = NULL;
	int64_t maxlen;
	int rc;

	if (!PyArg_ParseTupleAndKeywords(args, kwds, "|OO$O:deque", names,
					 &iterable, &bound, &heap) ||
	    bound_of(bound, &maxlen) < 0)
		return -1;
	if (iterable && !(items = drain(iterable)))
		return -1;
	rc = proxy_lock(p);
	if (rc == 0) {
		rc = init_locked(p, items, maxlen);
		proxy_unlock(p);
	}
	Py_XDECREF(items);
	return rc;
}

/*
 * Iterators.  They read and decode some elements at a time, and drop what is
 * left of them when the deque has changed; the cursor names an element, so
 * they go on where they were.  Backwards they go over a snapshot.
 */

enum { SOME = 64 };

typedef struct {
	PyObject_HEAD proxy_object *p; /* strong */
	bool done;                     /* exhausted */
	int64_t added;                 /* p's, when this began */
	uint64_t cursor;               /* behind what was read */
	struct moment moment;          /* when */
	PyObject *list;                /* what was read, or a snapshot */
	Py_ssize_t at;                 /* forwards; */
	Py_ssize_t left;               /* backwards, or 0 */
	int64_t given;
} iter_object;

static iter_object *
iter_new(PyTypeObject *type, PyObject *self)
{
	iter_object *it = PyObject_New(iter_object, type);

	if (!it)
		return NULL;
	it->p = (proxy_object *)Py_NewRef(self);
	it->done = false;
	it->added = it->p->added;
	it->cursor = UINT64_MAX;
	it->list = NULL;
	it->at = it->left = 0;
	it->given = 0;
	return it;
}

static PyObject *
deque_iter(PyObject *self)
{
	return (PyObject *)iter_new(posh_state->DequeIterator, self);
}

static PyObject *
deque_reversed(PyObject *self, PyObject *Py_UNUSED(unused))
{
	iter_object *it = iter_new(posh_state->DequeReverseIterator, self);

	if (!it)
		return NULL;
	it->list = list_of(it->p);
	if (!it->list) {
		Py_DECREF(it);
		return NULL;
	}
	it->left = PyList_GET_SIZE(it->list);
	if (!it->left)
		it->left = -1;
	return (PyObject *)it;
}

static void
iter_dealloc(PyObject *self)
{
	PyTypeObject *tp = Py_TYPE(self);
	iter_object *it = (iter_object *)self;

	Py_XDECREF(it->list);
	Py_XDECREF(it->p);
	tp->tp_free(self);
	Py_DECREF(tp);
}

/* Read what comes next: how many, or -1. */
static Py_ssize_t
read_some(iter_object *it)
{
	proxy_object *p = it->p;
	struct posh_value v[SOME];
	uint64_t cursor;
	int64_t n;

	if (it->list && it->at < PyList_GET_SIZE(it->list))
		it->cursor = (uint32_t)(it->cursor -
					(uint64_t)(PyList_GET_SIZE(it->list) -
						   it->at));
	Py_CLEAR(it->list);
	it->at = 0;
	it->moment.writes = p->writes;
	cursor = it->cursor;
	for (size_t some = SOME;; some = 1) {
		it->cursor = cursor;
		CALL(n, posh_deque_read(HEAP(p), p->handle, &it->cursor, some,
					0, v, &it->moment.version));
		if (n < 0)
			return proxy_failed(p, n);
		it->list = value_decode_list(p->heap, v, (size_t)n);
		if (it->list)
			return (Py_ssize_t)n;
		if (n == 1 || !value_unknown())
			return -1;
	}
}

/* The next element forwards, or NULL. */
static PyObject *
next_forward(iter_object *it)
{
	if (!it->list || it->at == PyList_GET_SIZE(it->list) ||
	    proxy_moved(it->p, &it->moment))
		if (read_some(it) <= 0)
			return NULL;
	return Py_NewRef(PyList_GET_ITEM(it->list, it->at++));
}

static PyObject *
iter_next(PyObject *self)
{
	iter_object *it = (iter_object *)self;
	PyObject *x = NULL;

	if (it->done)
		return NULL;
	if (it->p->added != it->added) {
		it->done = true;
		return mutated("deque mutated during iteration",
			       PyExc_RuntimeError);
	}
	if (it->left > 0) {
		x = Py_NewRef(PyList_GET_ITEM(it->list, --it->left));
		if (!it->left)
			it->left = -1;
	} else if (it->left == 0) {
		x = next_forward(it);
	}
	if (x)
		it->given++;
	else
		it->done = true;
	return x;
}

static PyObject *
iter_hint(PyObject *self, PyObject *Py_UNUSED(unused))
{
	iter_object *it = (iter_object *)self;
	int64_t n = it->done ? 0 : size_of(it->p, NULL);

	if (n < 0)
		return NULL;
	return PyLong_FromLongLong(n > it->given ? n - it->given : 0);
}

/* What copy and pickle rebuild the iterator from: where it is. */
static PyObject *
iter_reduce(PyObject *self, PyObject *Py_UNUSED(unused))
{
	iter_object *it = (iter_object *)self;
	int64_t given = it->done ? INT64_MAX : it->given;

	return Py_BuildValue("O(OL)", Py_TYPE(it), it->p, (long long)given);
}

/* Leave out what was given already. */
static int
iter_skip(PyObject *self, int64_t n)
{
	PyObject *x;

	while (n-- > 0 && (x = iter_next(self)))
		Py_DECREF(x);
	return PyErr_Occurred() ? -1 : 0;
}

static PyObject *
iter_make(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwds))
{
	bool forward = type == posh_state->DequeIterator;
	PyObject *p, *it;
	long long given = 0;

	if (!PyArg_ParseTuple(args, "O!|L", posh_state->SharedDeque, &p,
			      &given))
		return NULL;
	it = forward ? deque_iter(p) : deque_reversed(p, NULL);
	if (it && iter_skip(it, given) < 0)
		Py_CLEAR(it);
	return it;
}

static PyMethodDef iter_methods[] = {
	{"__length_hint__", iter_hint, METH_NOARGS,
	 "Return about how many elements are to come."},
	{"__reduce__", iter_reduce, METH_NOARGS,
	 "Return what the iterator can be made from again."},
	{NULL, NULL, 0, NULL}};

static PyType_Slot iter_slots[] = {
	{Py_tp_new, iter_make},          {Py_tp_dealloc, iter_dealloc},
	{Py_tp_iter, PyObject_SelfIter}, {Py_tp_iternext, iter_next},
	{Py_tp_methods, iter_methods},   {0, NULL}};

static PyType_Spec iter_spec = {
	.name = "posh._posh.DequeIterator",
	.basicsize = sizeof(iter_object),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = iter_slots,
};

static PyType_Spec reverse_spec = {
	.name = "posh._posh.DequeReverseIterator",
	.basicsize = sizeof(iter_object),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = iter_slots,
};

/*
 * The type.
 */

static PyMethodDef methods[] = {
	METHOD("append", deque_append,
	       "append($self, object, /)\n--\n\n"
	       "Append an object on the right.\n\n"
	       "A full deque loses its first element by it."),
	METHOD("appendleft", deque_appendleft,
	       "appendleft($self, object, /)\n--\n\n"
	       "Append an object on the left.\n\n"
	       "A full deque loses its last element by it."),
	METHOD("clear", deque_clear,
	       "clear($self, /)\n--\n\nRemove all elements."),
	METHOD("copy", deque_copy,
	       "copy($self, /)\n--\n\n"
	       "Return a plain deque of the elements as of one moment."),
	METHOD("count", deque_count,
	       "count($self, value, /)\n--\n\n"
	       "Return the number of elements that equal value."),
	METHOD("extend", deque_extend,
	       "extend($self, iterable, /)\n--\n\n"
	       "Append all elements of an iterable on the right, or none."),
	METHOD("extendleft", deque_extendleft,
	       "extendleft($self, iterable, /)\n--\n\n"
	       "Append all elements of an iterable on the left, one after the\n"
	       "other, or none."),
	METHOD("index", deque_index,
	       "index($self, value, start=0, stop=9223372036854775807, /)\n"
	       "--\n\nReturn the first index of value.\n\n"
	       "Raises ValueError if the value is not present."),
	METHOD("insert", deque_insert,
	       "insert($self, index, object, /)\n--\n\n"
	       "Insert an object ahead of an index.\n\n"
	       "Raises IndexError if the deque is full."),
	METHOD("pop", deque_pop,
	       "pop($self, /)\n--\n\n"
	       "Remove the last element and return it.\n\n"
	       "Raises IndexError if there is none."),
	METHOD("popleft", deque_popleft,
	       "popleft($self, /)\n--\n\n"
	       "Remove the first element and return it.\n\n"
	       "Raises IndexError if there is none."),
	METHOD("remove", deque_remove,
	       "remove($self, value, /)\n--\n\n"
	       "Remove the first element that equals value.\n\n"
	       "Raises ValueError if the value is not present."),
	METHOD("reverse", deque_reverse,
	       "reverse($self, /)\n--\n\nReverse the deque in place."),
	METHOD("rotate", deque_rotate,
	       "rotate($self, n=1, /)\n--\n\n"
	       "Move n elements from the right end to the left."),
	{"__reversed__", deque_reversed, METH_NOARGS,
	 "Return a reverse iterator over the elements as of one moment."},
	{"__getitem__", deque_subscript, METH_O | METH_COEXIST,
	 "Return self[key]."},
	{"__sizeof__", deque_sizeof, METH_NOARGS,
	 "Return the size of the deque in memory, in bytes."},
	{"__copy__", (PyCFunction)(void (*)(void))deque_copy,
	 METH_FASTCALL | METH_KEYWORDS, "Return a plain deque."},
	{"__deepcopy__", proxy_deepcopy, METH_O,
	 "Return a plain deque with plain copies of everything in it."},
	{"__reduce_ex__", proxy_reduce_ex, METH_O, "Helper for pickle."},
	{"__class_getitem__", proxy_class_getitem, METH_O | METH_CLASS,
	 "See PEP 585"},
	{NULL, NULL, 0, NULL}};

static PyGetSetDef getset[] = {
	{"__class__", deque_get_class, NULL, "collections.deque", NULL},
	{"maxlen", deque_get_maxlen, NULL,
	 "How many elements it has at most, or None.", NULL},
	{NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot slots[] = {
	{Py_tp_new, deque_new},
	{Py_tp_init, deque_init},
	{Py_tp_dealloc, proxy_dealloc},
	{Py_tp_hash, PyObject_HashNotImplemented},
	{Py_tp_repr, deque_repr},
	{Py_tp_richcompare, deque_richcompare},
	{Py_tp_iter, deque_iter},
	{Py_tp_methods, methods},
	{Py_tp_getset, getset},
	{Py_tp_members, proxy_members},
	{Py_tp_doc, "deque(iterable=(), maxlen=None, *, heap=None)\n--\n\n"
		    "A double-ended queue in shared memory.\n\n"
		    "Each single operation is atomic, also where a full deque "
		    "loses an element at\nthe other end."},
	{Py_nb_add, deque_add},
	{Py_nb_inplace_add, deque_inplace_concat},
	{Py_sq_length, deque_length},
	{Py_sq_concat, deque_concat},
	{Py_sq_repeat, deque_repeat},
	{Py_sq_item, deque_item},
	{Py_sq_contains, deque_contains},
	{Py_sq_inplace_concat, deque_inplace_concat},
	{Py_sq_inplace_repeat, deque_inplace_repeat},
	{Py_mp_length, deque_length},
	{Py_mp_subscript, deque_subscript},
	{Py_mp_ass_subscript, deque_ass_subscript},
	{0, NULL}};

static PyType_Spec spec = {
	.name = "posh.deque",
	.basicsize = sizeof(proxy_object),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_SEQUENCE,
	.slots = slots,
};

int
deque_exec(PyObject *module, module_state *st)
{
	PyObject *collections = PyImport_ImportModule("collections");

	if (!collections)
		return -1;
	st->deque = PyObject_GetAttrString(collections, "deque");
	Py_DECREF(collections);
	if (!st->deque)
		return -1;
	st->SharedDeque = proxy_type_new(module, &spec, "collections.deque",
					 POSH_KIND_DEQUE);
	if (!st->SharedDeque ||
	    type_add(module, &iter_spec, &st->DequeIterator) < 0 ||
	    type_add(module, &reverse_spec, &st->DequeReverseIterator) < 0 ||
	    PyModule_AddObject(module, "DequeIterator",
			       Py_NewRef((PyObject *)st->DequeIterator)) < 0 ||
	    PyModule_AddObject(
		    module, "DequeReverseIterator",
		    Py_NewRef((PyObject *)st->DequeReverseIterator)) < 0)
		return -1;
	return PyModule_AddObject(module, "SharedDeque",
				  Py_NewRef((PyObject *)st->SharedDeque));
}

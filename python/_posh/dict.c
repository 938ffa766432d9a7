/* SPDX-License-Identifier: MIT */
/* dict.c - SharedDict, the proxy of a shared dict: items one by one.
 *
 * As with SharedList, it looks like a dict without deriving from it, each
 * single call is atomic, and results are ordinary objects.  There is no
 * sq_item slot, or C code would take it for a sequence.
 */
#include "dict.h"

/*
 * Snapshots.
 */

/* Build a dict of keys and values by turns, consuming the references. */
static PyObject *
build(PyObject **item, size_t n)
{
	PyObject *dict = PyDict_New();
	size_t i;

	for (i = 0; i < n; i++) {
		if (dict &&
		    PyDict_SetItem(dict, item[2 * i], item[2 * i + 1]) < 0)
			Py_CLEAR(dict);
		Py_DECREF(item[2 * i]);
		Py_DECREF(item[2 * i + 1]);
	}
	return dict;
}

PyObject *
dict_snapshot(proxy_object *p)
{
	struct posh_value *v;
	PyObject *dict = NULL;
	PyObject **item;
	uint64_t version;
	int64_t n;

	CALL(n, posh_dict_snapshot(HEAP(p), p->handle, &v, &version));
	if (n < 0)
		return proxy_error(p, n);
	item = PyMem_New(PyObject *, (size_t)n * 2 + 1);
	if (!item) {
		value_drop_array(p->heap, v, (size_t)n * 2);
		PyErr_NoMemory();
	} else if (value_decode_array(p->heap, v, (size_t)n * 2, item) == 0) {
		dict = build(item, (size_t)n);
	}
	PyMem_Free(item);
	free(v);
	return dict;
}

/*
 * Items.
 */

/* Encode a key that needs no encoder, texts first: false for others. */
static inline bool
key_scalar(PyObject *key, struct posh_value *k)
{
	if (LIKELY(PyUnicode_CheckExact(key)))
		return value_encode_str(key, k) > 0;
	return value_encode_scalar(key, k);
}

static Py_ssize_t
dict_length(PyObject *self)
{
	proxy_object *p = (proxy_object *)self;
	int64_t n;

	CALL(n, posh_dict_len(HEAP(p), p->handle));
	if (UNLIKELY(n < 0))
		return proxy_failed(p, n);
	return (Py_ssize_t)n;
}

/* Return the value of a key that was found in another way. */
static PyObject *
get_found(proxy_object *p, const struct posh_value *k)
{
	struct posh_value v;
	int rc;

	CALL(rc, posh_dict_get(HEAP(p), p->handle, k, &v));
	if (rc == 0)
		return value_decode_fast(p->heap, &v);
	if (rc != -ENOENT)
		proxy_error(p, rc);
	return NULL;
}

enum { TRIES = 8 };

/* Look up a key that may be equal to one that only Python can compare. */
static PyObject *
lookup_alike(proxy_object *p, PyObject *key, const struct posh_value *k)
{
	struct posh_value found;
	PyObject *x = NULL;
	encoder e;
	int i, rc = 1;

	encoder_init(&e, p->heap);
	for (i = 0; i < TRIES && rc > 0 && !x && !PyErr_Occurred(); i++) {
		rc = key_alike(p, key, k, &found, &e);
		if (rc > 0)
			x = get_found(p, &found);
	}
	encoder_clear(&e);
	return x;
}

static inline PyObject *
lookup(proxy_object *p, PyObject *key, const struct posh_value *k)
{
	struct posh_value v;
	int rc;

	CALL(rc, posh_dict_get(HEAP(p), p->handle, k, &v));
	if (LIKELY(rc == 0))
		return value_decode_fast(p->heap, &v);
	if (UNLIKELY(rc == -ENOTUNIQ))
		return lookup_alike(p, key, k);
	if (rc != -ENOENT)
		proxy_error(p, rc);
	return NULL;
}

/* Look up a key that is looked for by a value.  Another process may replace it
 * before its value is read. */
static PyObject *
lookup_by_value(proxy_object *p, PyObject *key, encoder *e)
{
	struct posh_value k;
	PyObject *x = NULL;
	int i, rc = 1;

	for (i = 0; i < TRIES && rc > 0 && !x && !PyErr_Occurred(); i++) {
		rc = key_find(p, key, &k, e);
		if (rc > 0)
			x = get_found(p, &k);
	}
	return x;
}

/* Look up a key that only Python can compare. */
static PyObject *
lookup_slow(proxy_object *p, PyObject *key, encoder *e)
{
	PyObject *dict;
	PyObject *x = NULL;

	if (key_has_value(key))
		return lookup_by_value(p, key, e);
	dict = dict_snapshot(p);
	if (dict) {
		x = PyDict_GetItemWithError(dict, key);
		Py_XINCREF(x);
		Py_DECREF(dict);
	}
	return x;
}

static PyObject *
lookup_rest(proxy_object *p, PyObject *key)
{
	struct posh_value k;
	PyObject *x = NULL;
	encoder e;
	int rc;

	encoder_init(&e, p->heap);
	rc = key_encode(p, key, &k, &e);
	if (rc == KEY_DIRECT)
		x = lookup(p, key, &k);
	else if (rc == KEY_SLOW)
		x = lookup_slow(p, key, &e);
	encoder_clear(&e);
	return x;
}

PyObject *
dict_lookup(proxy_object *p, PyObject *key)
{
	struct posh_value k;

	if (LIKELY(key_scalar(key, &k)))
		return lookup(p, key, &k);
	return lookup_rest(p, key);
}

static int
contains_rest(proxy_object *p, PyObject *key)
{
	PyObject *x = lookup_rest(p, key);

	Py_XDECREF(x);
	return x ? 1 : PyErr_Occurred() ? -1 : 0;
}

int
dict_contains(PyObject *self, PyObject *key)
{
	proxy_object *p = (proxy_object *)self;
	struct posh_value k;
	int rc;

	if (UNLIKELY(!key_scalar(key, &k)))
		return contains_rest(p, key);
	CALL(rc, posh_dict_get(HEAP(p), p->handle, &k, NULL));
	if (LIKELY(rc == 0))
		return 1;
	if (UNLIKELY(rc == -ENOTUNIQ))
		return contains_rest(p, key);
	return rc == -ENOENT ? 0 : proxy_failed(p, rc);
}

static PyObject *
dict_subscript(PyObject *self, PyObject *key)
{
	PyObject *x = dict_lookup((proxy_object *)self, key);

	if (UNLIKELY(!x) && !PyErr_Occurred())
		error_set_key(key);
	return x;
}

/* Set an item whose key only Python can compare. */
static int
set_slow(proxy_object *p, PyObject *key, struct posh_value *v, encoder *e)
{
	struct posh_value k;
	int rc;

	if (proxy_lock(p) < 0)
		return -1;
	rc = key_make(p, key, &k, e);
	if (rc == 0) {
		WRITE(p, rc, posh_dict_set(HEAP(p), p->handle, &k, v));
		p->added += rc > 0;
		rc = rc < 0 ? proxy_failed(p, rc) : 0;
	}
	proxy_unlock(p);
	return rc;
}

/* Set an item whose key may be equal to one that only Python can compare. */
static int
set_alike(proxy_object *p, PyObject *key, struct posh_value *k,
	  struct posh_value *v)
{
	encoder e;
	int rc;

	if (proxy_lock(p) < 0)
		return -1;
	encoder_init(&e, p->heap);
	rc = key_settle(p, key, k, &e);
	if (rc == 0) {
		WRITE(p, rc, posh_dict_set(HEAP(p), p->handle, k, v));
		p->added += rc > 0;
		rc = rc < 0 ? proxy_failed(p, rc) : 0;
	}
	encoder_clear(&e);
	proxy_unlock(p);
	return rc;
}

static inline int
set_direct(proxy_object *p, PyObject *key, struct posh_value *k,
	   struct posh_value *v)
{
	int rc;

	WRITE(p, rc, posh_dict_set(HEAP(p), p->handle, k, v));
	p->added += rc > 0;
	if (LIKELY(rc >= 0))
		return 0;
	return rc == -ENOTUNIQ ? set_alike(p, key, k, v) : proxy_failed(p, rc);
}

static int
set_rest(proxy_object *p, PyObject *key, PyObject *x)
{
	struct posh_value k, v;
	encoder e;
	int rc = -1;
	int how;

	encoder_init(&e, p->heap);
	how = key_encode(p, key, &k, &e);
	if (how >= 0 && value_encode(p->heap, x, &v, &e) == 0)
		rc = how == KEY_SLOW ? set_slow(p, key, &v, &e)
				     : set_direct(p, key, &k, &v);
	encoder_clear(&e);
	return rc;
}

int
dict_set_item(proxy_object *p, PyObject *key, PyObject *x)
{
	struct posh_value k, v;

	if (LIKELY(key_scalar(key, &k) && value_encode_scalar(x, &v)))
		return set_direct(p, key, &k, &v);
	return set_rest(p, key, x);
}

/* 0: there is no such key; -ENOTUNIQ: that is for Python to say. */
static int
not_there(proxy_object *p, int rc)
{
	if (rc == -ENOENT)
		return 0;
	return rc == -ENOTUNIQ ? rc : proxy_failed(p, rc);
}

static int
drop(proxy_object *p, const struct posh_value *k)
{
	int rc;

	WRITE(p, rc, posh_dict_pop(HEAP(p), p->handle, k, NULL));
	if (rc)
		return not_there(p, rc);
	p->removed++;
	return 1;
}

/* Remove a key; its value goes to arg, a PyObject **, unless that is NULL. */
static int
take(proxy_object *p, const struct posh_value *k, void *arg)
{
	PyObject **out = arg;
	struct posh_value v;
	int rc;

	if (!out)
		return drop(p, k);
	if (proxy_lock(p) < 0)
		return -1;
	CALL(rc, posh_dict_get(HEAP(p), p->handle, k, &v));
	if (rc) {
		rc = not_there(p, rc);
	} else {
		*out = value_decode_fast(p->heap, &v);
		rc = *out ? drop(p, k) : -1;
		if (rc <= 0)
			Py_CLEAR(*out);
	}
	proxy_unlock(p);
	return rc;
}

/* What is done to a key that was encoded: 1, 0 if it is not there, -1, or
 * -ENOTUNIQ. */
typedef int key_function(proxy_object *p, const struct posh_value *k,
			 void *arg);

/* Do it to a key, however that is found: 1, 0 or -1. */
static int
with_key(proxy_object *p, PyObject *key, key_function *f, void *arg)
{
	struct posh_value k, found;
	encoder e;
	int rc;

	encoder_init(&e, p->heap);
	rc = key_encode(p, key, &k, &e);
	if (rc == KEY_DIRECT) {
		rc = f(p, &k, arg);
		if (rc == -ENOTUNIQ) {
			rc = key_alike(p, key, &k, &found, &e);
			if (rc > 0)
				rc = f(p, &found, arg);
		}
	} else if (rc == KEY_SLOW) {
		rc = key_find(p, key, &k, &e);
		if (rc > 0)
			rc = f(p, &k, arg);
	}
	encoder_clear(&e);
	return rc;
}

int
dict_take(proxy_object *p, PyObject *key, PyObject **out)
{
	return with_key(p, key, take, out);
}

static int
dict_ass_subscript(PyObject *self, PyObject *key, PyObject *x)
{
	proxy_object *p = (proxy_object *)self;
	int rc;

	if (LIKELY(x != NULL))
		return dict_set_item(p, key, x);
	rc = dict_take(p, key, NULL);
	if (rc == 0)
		error_set_key(key);
	return rc > 0 ? 0 : -1;
}

/*
 * Methods.
 */

static PyObject *
dict_get(METHOD_ARGS)
{
	PyObject *x;

	if (UNLIKELY(nargs < 1 || nargs > 2 || kwnames))
		return DICT_MISUSE("get");
	x = dict_lookup((proxy_object *)self, args[0]);
	if (x || PyErr_Occurred())
		return x;
	return Py_NewRef(nargs == 2 ? args[1] : Py_None);
}

static PyObject *
dict_setdefault(METHOD_ARGS)
{
	proxy_object *p = (proxy_object *)self;
	PyObject *x = nargs == 2 ? args[1] : Py_None;
	struct posh_value k, v, now;
	PyObject *r = NULL;
	bool locked = false;
	encoder e;
	int rc;

	if (nargs < 1 || nargs > 2 || kwnames)
		return DICT_MISUSE("setdefault");
	r = dict_lookup(p, args[0]);
	if (r || PyErr_Occurred())
		return r;
	encoder_init(&e, p->heap);
	rc = key_encode(p, args[0], &k, &e);
	if (rc < 0 || value_encode(p->heap, x, &v, &e) < 0)
		goto out;
	if (rc == KEY_SLOW) {
		locked = proxy_lock(p) == 0;
		if (!locked || key_make(p, args[0], &k, &e) < 0)
			goto out;
	}
	WRITE(p, rc, posh_dict_setdefault(HEAP(p), p->handle, &k, &v, &now));
	if (rc == -ENOTUNIQ) {
		locked = proxy_lock(p) == 0;
		if (!locked || key_settle(p, args[0], &k, &e) < 0)
			goto out;
		WRITE(p, rc,
		      posh_dict_setdefault(HEAP(p), p->handle, &k, &v, &now));
	}
	p->added += rc > 0;
	r = rc < 0 ? proxy_error(p, rc) : value_decode(p->heap, &now);
out:
	if (locked)
		proxy_unlock(p);
	encoder_clear(&e);
	return r;
}

static PyObject *
dict_pop(METHOD_ARGS)
{
	PyObject *x = NULL;
	int rc;

	if (nargs < 1 || nargs > 2 || kwnames)
		return DICT_MISUSE("pop");
	rc = dict_take((proxy_object *)self, args[0], &x);
	if (rc > 0)
		return x;
	if (rc == 0 && nargs == 2)
		return Py_NewRef(args[1]);
	if (rc == 0)
		error_set_key(args[0]);
	return NULL;
}

/* Read the first or the last item. */
static int64_t
read_end(proxy_object *p, enum posh_end end, struct posh_value *v)
{
	uint64_t cursor = end == POSH_FIRST ? 0 : UINT64_MAX;
	int64_t n;

	if (end == POSH_FIRST)
		CALL(n, posh_dict_read(HEAP(p), p->handle, &cursor, 1, 0, v,
				       NULL));
	else
		CALL(n, posh_dict_read_back(HEAP(p), p->handle, &cursor, 1, 0,
					    v, NULL));
	return n;
}

/* Remove it. */
static int
drop_end(proxy_object *p, enum posh_end end)
{
	int rc;

	if (end == POSH_FIRST)
		WRITE(p, rc,
		      posh_dict_popfirst(HEAP(p), p->handle, NULL, NULL));
	else
		WRITE(p, rc, posh_dict_popitem(HEAP(p), p->handle, NULL, NULL));
	return rc;
}

static int
take_end(proxy_object *p, enum posh_end end, PyObject **item)
{
	struct posh_value v[2];
	int64_t n;
	int rc = -1;

	if (proxy_lock(p) < 0)
		return -1;
	n = read_end(p, end, v);
	if (n <= 0) {
		rc = n ? proxy_failed(p, n) : 0;
	} else if (value_decode_array(p->heap, v, 2, item) == 0) {
		rc = drop_end(p, end);
		p->removed += rc == 0;
		rc = rc ? proxy_failed(p, rc) : 1;
		if (rc < 0) {
			Py_CLEAR(item[0]);
			Py_CLEAR(item[1]);
		}
	}
	proxy_unlock(p);
	return rc;
}

int
dict_take_last(proxy_object *p, PyObject **item)
{
	return take_end(p, POSH_LAST, item);
}

static PyObject *
pop_end(PyObject *self, enum posh_end end, const char *empty)
{
	PyObject *item[2];
	PyObject *pair;
	int rc = take_end((proxy_object *)self, end, item);

	if (rc == 0)
		PyErr_SetString(PyExc_KeyError, empty);
	if (rc <= 0)
		return NULL;
	pair = PyTuple_Pack(2, item[0], item[1]);
	Py_DECREF(item[0]);
	Py_DECREF(item[1]);
	return pair;
}

static PyObject *
dict_popitem(METHOD_ARGS)
{
	if (nargs || kwnames)
		return DICT_MISUSE("popitem");
	return pop_end(self, POSH_LAST, "popitem(): dictionary is empty");
}

static PyObject *
dict_popfirst(PyObject *self, PyObject *unused)
{
	(void)unused;
	return pop_end(self, POSH_FIRST, "dictionary is empty");
}

/* Move a key to the end that arg is, an enum posh_end *. */
static int
move(proxy_object *p, const struct posh_value *k, void *arg)
{
	enum posh_end *end = arg;
	int rc;

	WRITE(p, rc, posh_dict_move(HEAP(p), p->handle, k, *end));
	return rc ? not_there(p, rc) : 1;
}

static PyObject *
dict_move(METHOD_ARGS)
{
	enum posh_end end;
	int last, rc;

	if (nargs != 2 || kwnames)
		return DICT_MISUSE("_move");
	last = PyObject_IsTrue(args[1]);
	if (last < 0)
		return NULL;
	end = last ? POSH_LAST : POSH_FIRST;
	rc = with_key((proxy_object *)self, args[0], move, &end);
	if (rc == 0)
		error_set_key(args[0]);
	if (rc <= 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *
dict_copy(METHOD_ARGS)
{
	if (nargs || kwnames)
		return DICT_MISUSE("copy");
	return dict_snapshot((proxy_object *)self);
}

static PyObject *
dict_keys(METHOD_ARGS)
{
	if (nargs || kwnames)
		return DICT_MISUSE("keys");
	return dict_view_new((proxy_object *)self, VIEW_KEYS);
}

static PyObject *
dict_values(METHOD_ARGS)
{
	if (nargs || kwnames)
		return DICT_MISUSE("values");
	return dict_view_new((proxy_object *)self, VIEW_VALUES);
}

static PyObject *
dict_items(METHOD_ARGS)
{
	if (nargs || kwnames)
		return DICT_MISUSE("items");
	return dict_view_new((proxy_object *)self, VIEW_ITEMS);
}

static PyObject *
dict_iter(PyObject *self)
{
	return dict_iter_new((proxy_object *)self, VIEW_KEYS, false);
}

static PyObject *
dict_reversed(PyObject *self, PyObject *Py_UNUSED(unused))
{
	return dict_iter_new((proxy_object *)self, VIEW_KEYS, true);
}

static PyObject *
dict_contains_method(PyObject *self, PyObject *key)
{
	int rc = dict_contains(self, key);

	return rc < 0 ? NULL : PyBool_FromLong(rc);
}

static PyObject *
dict_sizeof(PyObject *self, PyObject *Py_UNUSED(unused))
{
	Py_ssize_t n = dict_length(self);

	if (n < 0)
		return NULL;
	return PyLong_FromSsize_t((Py_ssize_t)sizeof(proxy_object) + n * 24);
}

static PyObject *
dict_get_class(PyObject *Py_UNUSED(self), void *Py_UNUSED(closure))
{
	return Py_NewRef((PyObject *)&PyDict_Type);
}

/*
 * Making one.  The keyword heap names a heap if it is one, or None;
 * anything else is an item of that name.
 */

static PyObject *
heap_keyword(PyObject *kwds)
{
	PyObject *arg = kwds ? PyDict_GetItemString(kwds, "heap") : NULL;

	if (arg && arg != Py_None &&
	    !PyObject_TypeCheck(arg, posh_state->HeapBase))
		arg = NULL;
	return arg;
}

static PyObject *
dict_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *kwds)
{
	return proxy_create(type, heap_keyword(kwds), POSH_KIND_DICT);
}

static int
dict_init(PyObject *self, PyObject *args, PyObject *kwds)
{
	proxy_object *p = (proxy_object *)self;
	Py_ssize_t n = PyTuple_GET_SIZE(args);
	PyObject *other = n ? PyTuple_GET_ITEM(args, 0) : NULL;
	int rc;

	if (n > 1) {
		PyErr_Format(PyExc_TypeError,
			     "dict expected at most 1 argument, got %zd", n);
		return -1;
	}
	if (!other && (!kwds || !PyDict_GET_SIZE(kwds)))
		return 0;
	if (!heap_keyword(kwds))
		return dict_merge(p, other, kwds);
	kwds = PyDict_Copy(kwds);
	if (!kwds)
		return -1;
	rc = PyDict_DelItemString(kwds, "heap");
	if (rc == 0)
		rc = dict_merge(p, other, kwds);
	Py_DECREF(kwds);
	return rc;
}

static PyMethodDef methods[] = {
	METHOD("clear", dict_clear, "clear($self, /)\n--\n\nRemove all items."),
	METHOD("copy", dict_copy,
	       "copy($self, /)\n--\n\n"
	       "Return a plain dict of the items as of one moment."),
	{"fromkeys", (PyCFunction)(void (*)(void))dict_fromkeys,
	 METH_CLASS | METH_FASTCALL | METH_KEYWORDS,
	 "fromkeys($type, iterable, value=None, /)\n--\n\n"
	 "Make a shared dict with keys from iterable and values set to value."},
	METHOD("get", dict_get,
	       "get($self, key, default=None, /)\n--\n\n"
	       "Return the value for key if it is there, else default."),
	METHOD("items", dict_items,
	       "items($self, /)\n--\n\nReturn a set-like view of the items."),
	METHOD("keys", dict_keys,
	       "keys($self, /)\n--\n\nReturn a set-like view of the keys."),
	METHOD("pop", dict_pop,
	       "pop($self, key, default=<unrepresentable>, /)\n--\n\n"
	       "Remove a key and return its value.\n\n"
	       "If it is not there, return the default if given; otherwise,\n"
	       "raise a KeyError."),
	METHOD("popitem", dict_popitem,
	       "popitem($self, /)\n--\n\n"
	       "Remove the last item and return it as a pair.\n\n"
	       "Raises KeyError if the dict is empty."),
	METHOD("setdefault", dict_setdefault,
	       "setdefault($self, key, default=None, /)\n--\n\n"
	       "Return the value for key, having set it to default if it was "
	       "not there."),
	METHOD("update", dict_update,
	       "Set all items of a mapping or of an iterable of pairs, and of "
	       "the keywords:\nall or none."),
	METHOD("values", dict_values,
	       "values($self, /)\n--\n\nReturn a view of the values."),
	{"__contains__", dict_contains_method, METH_O | METH_COEXIST,
	 "Is the key in the dict?"},
	{"__getitem__", dict_subscript, METH_O | METH_COEXIST,
	 "Return self[key]."},
	{"_move", (PyCFunction)(void (*)(void))dict_move,
	 METH_FASTCALL | METH_KEYWORDS,
	 "Move a key to the end, or if the second argument is false to the "
	 "beginning."},
	{"_popfirst", dict_popfirst, METH_NOARGS,
	 "Remove the first item and return it as a pair."},
	{"__reversed__", dict_reversed, METH_NOARGS,
	 "Return a reverse iterator over the keys."},
	{"__sizeof__", dict_sizeof, METH_NOARGS,
	 "Return the size of the dict in memory, in bytes."},
	{"__copy__", (PyCFunction)(void (*)(void))dict_copy,
	 METH_FASTCALL | METH_KEYWORDS, "Return a plain dict."},
	{"__deepcopy__", proxy_deepcopy, METH_O,
	 "Return a plain dict with plain copies of everything in it."},
	{"__reduce_ex__", proxy_reduce_ex, METH_O, "Helper for pickle."},
	{"__class_getitem__", proxy_class_getitem, METH_O | METH_CLASS,
	 "See PEP 585"},
	{NULL, NULL, 0, NULL}};

static PyGetSetDef getset[] = {
	{"__class__", dict_get_class, NULL, "dict", NULL},
	{NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot slots[] = {
	{Py_tp_new, dict_new},
	{Py_tp_init, dict_init},
	{Py_tp_dealloc, proxy_dealloc},
	{Py_tp_hash, PyObject_HashNotImplemented},
	{Py_tp_repr, dict_repr},
	{Py_tp_richcompare, dict_richcompare},
	{Py_tp_iter, dict_iter},
	{Py_tp_methods, methods},
	{Py_tp_getset, getset},
	{Py_tp_members, proxy_members},
	{Py_tp_doc, "dict(mapping_or_pairs=(), /, *, heap=None, **kwargs)\n\n"
		    "A dict in shared memory.\n\n"
		    "Each single operation is atomic.  Values that are "
		    "mutable are shared as\nwell; results of operations are "
		    "ordinary objects."},
	{Py_nb_or, dict_or},
	{Py_nb_inplace_or, dict_inplace_or},
	{Py_sq_contains, dict_contains},
	{Py_mp_length, dict_length},
	{Py_mp_subscript, dict_subscript},
	{Py_mp_ass_subscript, dict_ass_subscript},
	{0, NULL}};

static PyType_Spec spec = {
	.name = "posh.dict",
	.basicsize = sizeof(proxy_object),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_MAPPING,
	.slots = slots,
};

int
dict_exec(PyObject *module, module_state *st)
{
	st->SharedDict = proxy_type_new(module, &spec, "dict", POSH_KIND_DICT);
	if (!st->SharedDict)
		return -1;
	return PyModule_AddObject(module, "SharedDict",
				  Py_NewRef((PyObject *)st->SharedDict));
}

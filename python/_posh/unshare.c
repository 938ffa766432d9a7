/* SPDX-License-Identifier: MIT */
/* unshare.c - deep private copies of shared objects.
 *
 * For each object an empty copy is made when it is first met, and filled
 * later, from a stack of our own: depth is no limit, and aliasing and cycles
 * come out as they were.  A dict that has objects among its keys is filled
 * last, when they can be hashed.
 *
 * A shallow copy is the same with one object and proxies for the rest.
 */
#include "sharing.h"

struct task {
	posh_handle o; /* owns a hold */
	enum posh_kind kind;
	PyObject *copy; /* borrowed from the map */
};

struct copier {
	heap_object *heap;
	struct map map; /* handle -> copy, a strong reference */
	struct task *task;
	size_t tasks, room;
	PyObject *late; /* list of (dict, keys and values by turns) */
	bool shallow;
};

/*
 * Empty copies.
 */

static PyObject *
empty_tuple(Py_ssize_t n)
{
	PyObject *t;
	if (n < 0)
		return error_set(posh_state, n);
	t = PyTuple_New(n);
	for (Py_ssize_t i = 0; t && i < n; i++) {
		Py_INCREF(Py_None);
		PyTuple_SET_ITEM(t, i, Py_None);
	}
	return t;
}

static PyObject *
empty_instance(heap_object *heap, posh_handle o)
{
	posh_handle cls;
	size_t slots;
	layout_object *l;
	PyObject *x;
	int rc;
	CALL(rc, posh_instance_class(heap->h, o, &cls, &slots));
	if (rc < 0)
		return error_set(posh_state, rc);
	l = layout_of_handle(heap, cls);
	if (!l)
		return NULL;
	x = instance_plain(l->cls);
	Py_DECREF(l);
	return x;
}

static PyObject *
empty_copy(heap_object *heap, posh_handle o, enum posh_kind kind)
{
	switch (kind) {
	case POSH_KIND_LIST:
		return PyList_New(0);
	case POSH_KIND_DICT:
		return PyDict_New();
	case POSH_KIND_TUPLE:
		return empty_tuple((Py_ssize_t)posh_tuple_len(heap->h, o));
	case POSH_KIND_INSTANCE:
		return empty_instance(heap, o);
	case POSH_KIND_NONE:
		break;
	}
	return error_set(posh_state, -EUCLEAN);
}

static int
task_add(struct copier *c, posh_handle o, enum posh_kind kind, PyObject *copy)
{
	if (c->tasks == c->room) {
		size_t room = c->room ? 2 * c->room : 32;
		struct task *t = PyMem_Realloc(c->task, room * sizeof(*t));
		if (!t) {
			PyErr_NoMemory();
			return -1;
		}
		c->task = t;
		c->room = room;
	}
	c->task[c->tasks].o = o;
	c->task[c->tasks].kind = kind;
	c->task[c->tasks++].copy = copy;
	return 0;
}

/* Return the copy of an object, a new reference; consumes the hold. */
static PyObject *
copy_of(struct copier *c, posh_handle o, enum posh_kind kind)
{
	struct map_entry *e = map_find(&c->map, o.off);
	PyObject *copy;
	if (e) {
		heap_drop(c->heap, o);
		return Py_NewRef((PyObject *)(uintptr_t)e->value);
	}
	copy = empty_copy(c->heap, o, kind);
	e = copy ? map_add(&c->map, o.off) : NULL;
	if (e)
		e->value = (uint64_t)(uintptr_t)copy;
	else
		Py_CLEAR(copy);
	if (!copy || task_add(c, o, kind, copy) < 0) {
		heap_drop(c->heap, o);
		return NULL;
	}
	return Py_NewRef(copy);
}

/*
 * Filling.  What a read returned lies in a buffer until the next call, so
 * all immutable values are decoded ahead of the first object.
 */

static PyObject *
child(struct copier *c, const struct posh_value *v)
{
	if (c->shallow)
		return value_decode(c->heap, v);
	return copy_of(c, v->object, (enum posh_kind)v->kind);
}

static int
decode_plain(struct copier *c, const struct posh_value *v, size_t n,
	     PyObject **out)
{
	int token = decode_begin(), rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (v[i].type == POSH_OBJECT)
			continue;
		out[i] = value_decode(c->heap, &v[i]);
		rc = out[i] ? 0 : -1;
	}
	decode_end(token);
	return rc;
}

/* Return a list of n copies; consumes the holds. */
static PyObject *
decode_all(struct copier *c, const struct posh_value *v, size_t n)
{
	PyObject *list = PyList_New((Py_ssize_t)n), **out;
	size_t i = 0;
	int rc = -1;
	if (list) {
		out = ((PyListObject *)list)->ob_item;
		rc = decode_plain(c, v, n, out);
	}
	for (; i < n && rc == 0; i++)
		if (v[i].type == POSH_OBJECT && !(out[i] = child(c, &v[i]))) {
			rc = -1;
			i++;
			break;
		}
	if (rc == 0)
		return list;
	if (i < n)
		value_drop_array(c->heap, v + i, n - i);
	Py_XDECREF(list);
	return NULL;
}

static int
fill_list(struct copier *c, const struct task *t)
{
	struct posh_value *v;
	PyObject *list;
	int64_t n;
	int rc = -1;
	CALL(n, posh_list_snapshot(c->heap->h, t->o, &v, NULL));
	if (n < 0)
		return error_set(posh_state, n), -1;
	list = decode_all(c, v, (size_t)n);
	free(v);
	if (list)
		rc = PyList_SetSlice(t->copy, 0, 0, list);
	Py_XDECREF(list);
	return rc;
}

static int
insert_items(PyObject *dict, PyObject *items)
{
	for (Py_ssize_t i = 0; i + 1 < PyList_GET_SIZE(items); i += 2)
		if (PyDict_SetItem(dict, PyList_GET_ITEM(items, i),
				   PyList_GET_ITEM(items, i + 1)) < 0)
			return -1;
	return 0;
}

static int
insert_late(struct copier *c, PyObject *dict, PyObject *items)
{
	PyObject *pair = PyTuple_Pack(2, dict, items);
	int rc = pair ? PyList_Append(c->late, pair) : -1;
	Py_XDECREF(pair);
	return rc;
}

static int
fill_dict(struct copier *c, const struct task *t)
{
	struct posh_value *v;
	PyObject *items;
	bool late = false;
	int64_t n;
	int rc = -1;
	CALL(n, posh_dict_snapshot(c->heap->h, t->o, &v, NULL));
	if (n < 0)
		return error_set(posh_state, n), -1;
	for (int64_t i = 0; i < n && !late; i++)
		late = v[2 * i].type == POSH_OBJECT;
	items = decode_all(c, v, 2 * (size_t)n);
	free(v);
	if (items && late)
		rc = insert_late(c, t->copy, items);
	else if (items)
		rc = insert_items(t->copy, items);
	Py_XDECREF(items);
	return rc;
}

static int
fill_tuple(struct copier *c, const struct task *t)
{
	for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(t->copy); i++) {
		struct posh_value v;
		PyObject *x, *old = PyTuple_GET_ITEM(t->copy, i);
		int rc;
		CALL(rc, posh_tuple_get(c->heap->h, t->o, (size_t)i, &v));
		if (rc < 0)
			return error_set(posh_state, rc), -1;
		x = v.type == POSH_OBJECT ? child(c, &v)
					  : value_decode(c->heap, &v);
		if (!x)
			return -1;
		PyTuple_SET_ITEM(t->copy, i, x);
		Py_DECREF(old);
	}
	return 0;
}

/* Replace the proxies in a plain dict by copies. */
static int
copy_values(struct copier *c, PyObject *dict)
{
	PyObject *name, *value;
	Py_ssize_t at = 0;
	while (PyDict_Next(dict, &at, &name, &value)) {
		heap_object *heap;
		posh_handle o;
		PyObject *copy;
		enum posh_kind kind = proxy_check(posh_state, value, &heap, &o);
		int rc;
		if (kind == POSH_KIND_NONE)
			continue;
		CALL(rc, posh_object_hold(heap->h, o));
		if (rc < 0)
			return error_set(posh_state, rc), -1;
		copy = copy_of(c, o, kind);
		rc = copy ? PyDict_SetItem(dict, name, copy) : -1;
		Py_XDECREF(copy);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int
fill_instance(struct copier *c, const struct task *t)
{
	posh_handle cls;
	size_t slots;
	layout_object *l;
	PyObject *dict = NULL, *name, *value;
	Py_ssize_t at = 0;
	int rc;
	CALL(rc, posh_instance_class(c->heap->h, t->o, &cls, &slots));
	if (rc < 0)
		return error_set(posh_state, rc), -1;
	l = layout_of_handle(c->heap, cls);
	if (l)
		dict = instance_attributes(c->heap, t->o, l);
	Py_XDECREF(l);
	if (!dict || (!c->shallow && copy_values(c, dict) < 0)) {
		Py_XDECREF(dict);
		return -1;
	}
	while (rc == 0 && PyDict_Next(dict, &at, &name, &value))
		rc = instance_plain_set(t->copy, name, value);
	Py_DECREF(dict);
	return rc;
}

static int
fill(struct copier *c, const struct task *t)
{
	switch (t->kind) {
	case POSH_KIND_LIST:
		return fill_list(c, t);
	case POSH_KIND_DICT:
		return fill_dict(c, t);
	case POSH_KIND_TUPLE:
		return fill_tuple(c, t);
	default:
		return fill_instance(c, t);
	}
}

/*
 * The whole.
 */

static int
fill_all(struct copier *c)
{
	int rc = 0;
	while (c->tasks) {
		struct task t = c->task[--c->tasks];
		if (rc == 0)
			rc = fill(c, &t);
		heap_drop(c->heap, t.o);
	}
	for (Py_ssize_t i = 0; rc == 0 && i < PyList_GET_SIZE(c->late); i++) {
		PyObject *pair = PyList_GET_ITEM(c->late, i);
		rc = insert_items(PyTuple_GET_ITEM(pair, 0),
				  PyTuple_GET_ITEM(pair, 1));
	}
	return rc;
}

static void
copier_fini(struct copier *c)
{
	for (size_t i = 0; i <= c->map.mask; i++)
		if (c->map.entry[i].key)
			Py_DECREF((PyObject *)(uintptr_t)c->map.entry[i].value);
	map_fini(&c->map);
	PyMem_Free(c->task);
	Py_XDECREF(c->late);
}

static PyObject *
copy_proxy(heap_object *heap, posh_handle o, enum posh_kind kind, bool shallow)
{
	struct copier c;
	PyObject *r = NULL;
	int rc;
	memset(&c, 0, sizeof(c));
	c.heap = heap;
	c.shallow = shallow;
	map_init(&c.map);
	c.late = PyList_New(0);
	CALL(rc, posh_object_hold(heap->h, o));
	if (rc < 0)
		error_set(posh_state, rc);
	else if (c.late)
		r = copy_of(&c, o, kind);
	if (fill_all(&c) < 0)
		Py_CLEAR(r);
	copier_fini(&c);
	return r;
}

/* A tuple that came out of the heap has proxies in it. */
static PyObject *
copy_tuple(PyObject *x)
{
	Py_ssize_t n = PyTuple_GET_SIZE(x);
	PyObject *r = PyTuple_New(n), *module, *item;
	bool same = true;
	module = r ? PyImport_ImportModule("posh._posh") : NULL;
	for (Py_ssize_t i = 0; module && i < n; i++) {
		item = PyObject_CallMethod(module, "unshare", "O",
					   PyTuple_GET_ITEM(x, i));
		if (!item) {
			Py_CLEAR(module);
			break;
		}
		same = same && item == PyTuple_GET_ITEM(x, i);
		PyTuple_SET_ITEM(r, i, item);
	}
	if (!module) {
		Py_XDECREF(r);
		return NULL;
	}
	Py_DECREF(module);
	if (!same)
		return r;
	Py_DECREF(r);
	return Py_NewRef(x);
}

PyDoc_STRVAR(unshare_doc,
	     "unshare(x)\n--\n\n"
	     "Return a deep private copy of a shared object.\n\n"
	     "Aliasing and cycles are kept.  Each container is copied as of\n"
	     "one moment.  What is not shared is returned as it is.");

static PyObject *
unshare_function(PyObject *Py_UNUSED(module), PyObject *x)
{
	heap_object *heap;
	posh_handle o;
	enum posh_kind kind = proxy_check(posh_state, x, &heap, &o);
	if (kind != POSH_KIND_NONE)
		return copy_proxy(heap, o, kind, false);
	if (PyTuple_CheckExact(x))
		return copy_tuple(x);
	return Py_NewRef(x);
}

PyDoc_STRVAR(shallow_doc,
	     "_copy(x)\n--\n\n"
	     "Return a private copy of a shared object that has proxies for\n"
	     "what the object contains.");

static PyObject *
shallow(PyObject *Py_UNUSED(module), PyObject *x)
{
	heap_object *heap;
	posh_handle o;
	enum posh_kind kind = proxy_check(posh_state, x, &heap, &o);
	if (kind == POSH_KIND_NONE)
		return Py_NewRef(x);
	return copy_proxy(heap, o, kind, true);
}

static PyMethodDef unshare_functions[] = {
	{"unshare", unshare_function, METH_O, unshare_doc},
	{"_copy", shallow, METH_O, shallow_doc},
	{NULL, NULL, 0, NULL}};

int
unshare_exec(PyObject *module, module_state *state)
{
	(void)state;
	return PyModule_AddFunctions(module, unshare_functions);
}

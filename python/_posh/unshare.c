/* SPDX-License-Identifier: MIT */
/* unshare.c - deep private copies of shared objects.
 *
 * For each object an empty copy is made when it is first met, and filled
 * later, from a stack of our own: depth is no limit, and aliasing and cycles
 * come out as they were.  A dict that has objects among its keys is filled
 * last, when they can be hashed.
 *
 * A shallow copy is the same with one object and proxies for the rest.
 *
 * copy.deepcopy() may come to several proxies: what it gives all of them, its
 * memo, has the copies that were made.  They hold the objects that they are
 * copies of: another object at such an address would be taken for it.
 */
#include "sharing.h"

struct copies {
	PyObject_HEAD heap_object *heap; /* strong */
	struct map map;                  /* handle -> copy, strong references */
	posh_handle *held;
	size_t count, room;
};

struct copy_task {
	posh_handle o; /* owns a hold */
	enum posh_kind kind;
	PyObject *copy; /* borrowed from the map */
};

static int
task_add(copier *c, posh_handle o, enum posh_kind kind, PyObject *copy)
{
	if (c->tasks == c->room) {
		size_t room = c->room ? 2 * c->room : 32;
		struct copy_task *t = PyMem_Realloc(c->task, room * sizeof(*t));
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
copy_of(copier *c, posh_handle o, enum posh_kind kind)
{
	struct map_entry *e = map_find(&c->copies->map, o.off);
	const struct kind *table;
	PyObject *copy;
	if (e) {
		heap_drop(c->heap, o);
		return Py_NewRef((PyObject *)(uintptr_t)e->value);
	}
	table = kind_table(kind);
	copy = table ? table->empty(c, o) : error_set(posh_state, -EUCLEAN);
	e = copy ? map_add(&c->copies->map, o.off) : NULL;
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

static int
decode_plain(copier *c, struct posh_value *v, size_t n, PyObject **out)
{
	int token = decode_begin();
	Py_ssize_t rc = value_decode_raw(c->heap, v, n, out);
	decode_end(token);
	return rc < 0 ? -1 : 0;
}

/* What is not decoded yet. */
static int
copy_rest(copier *c, const struct posh_value *v, PyObject **out)
{
	if (v->type == POSH_OBJECT)
		*out = copier_copy(c, v);
	else if (v->type == POSH_NEW)
		*out = form_revive(*out);
	return *out ? 0 : -1;
}

PyObject *
copier_copy(copier *c, const struct posh_value *v)
{
	if (v->type != POSH_OBJECT || c->shallow)
		return value_decode(c->heap, v);
	return copy_of(c, v->object, (enum posh_kind)v->kind);
}

PyObject *
copier_list(copier *c, struct posh_value *v, size_t n)
{
	PyObject *list = PyList_New((Py_ssize_t)n), **out;
	size_t i = 0;
	int rc = -1;
	if (list) {
		out = ((PyListObject *)list)->ob_item;
		rc = decode_plain(c, v, n, out);
	}
	while (i < n && rc == 0) {
		rc = copy_rest(c, &v[i], &out[i]);
		i++;
	}
	if (rc == 0)
		return list;
	if (i < n)
		value_drop_array(c->heap, v + i, n - i);
	Py_XDECREF(list);
	return NULL;
}

int
copier_insert(PyObject *dict, PyObject *items)
{
	for (Py_ssize_t i = 0; i + 1 < PyList_GET_SIZE(items); i += 2)
		if ((PySet_Check(dict)
			     ? PySet_Add(dict, PyList_GET_ITEM(items, i))
			     : PyDict_SetItem(dict, PyList_GET_ITEM(items, i),
					      PyList_GET_ITEM(items, i + 1))) <
		    0)
			return -1;
	return 0;
}

int
copier_late(copier *c, PyObject *dict, PyObject *items)
{
	PyObject *pair = PyTuple_Pack(2, dict, items);
	int rc = pair ? PyList_Append(c->late, pair) : -1;
	Py_XDECREF(pair);
	return rc;
}

/* Take over a hold, or give it back. */
static int
keep(copier *c, posh_handle o)
{
	copies_object *m = c->copies;
	if (!c->keeps) {
		heap_drop(c->heap, o);
		return 0;
	}
	if (m->count == m->room) {
		size_t room = m->room ? 2 * m->room : 16;
		posh_handle *held = PyMem_Realloc(m->held, room * sizeof(o));
		if (!held) {
			heap_drop(c->heap, o);
			PyErr_NoMemory();
			return -1;
		}
		m->held = held;
		m->room = room;
	}
	m->held[m->count++] = o;
	return 0;
}

static int
fill_all(copier *c)
{
	int rc = 0;
	while (c->tasks) {
		struct copy_task t = c->task[--c->tasks];
		if (rc == 0)
			rc = kind_table(t.kind)->refill(c, t.o, t.copy);
		if (keep(c, t.o) < 0)
			rc = -1;
	}
	for (Py_ssize_t i = 0; rc == 0 && i < PyList_GET_SIZE(c->late); i++) {
		PyObject *pair = PyList_GET_ITEM(c->late, i);
		rc = copier_insert(PyTuple_GET_ITEM(pair, 0),
				   PyTuple_GET_ITEM(pair, 1));
	}
	for (Py_ssize_t i = 0; rc == 0 && i < PyList_GET_SIZE(c->contents);
	     i++) {
		PyObject *r =
			PyObject_CallObject(posh_state->fill_plain,
					    PyList_GET_ITEM(c->contents, i));
		rc = r ? 0 : -1;
		Py_XDECREF(r);
	}
	return rc;
}

/*
 * What copies there are.
 */

static copies_object *
copies_new(heap_object *heap)
{
	copies_object *m = PyObject_New(copies_object, posh_state->Copies);
	if (!m)
		return NULL;
	Py_INCREF(heap);
	m->heap = heap;
	map_init(&m->map);
	m->held = NULL;
	m->count = m->room = 0;
	return m;
}

static void
copies_dealloc(PyObject *op)
{
	copies_object *m = (copies_object *)op;
	PyTypeObject *tp = Py_TYPE(op);
	for (size_t i = 0; i <= m->map.mask; i++)
		if (m->map.entry[i].key)
			Py_DECREF((PyObject *)(uintptr_t)m->map.entry[i].value);
	map_fini(&m->map);
	for (size_t i = 0; i < m->count; i++)
		heap_drop(m->heap, m->held[i]);
	PyMem_Free(m->held);
	Py_DECREF(m->heap);
	PyObject_Free(op);
	Py_DECREF(tp);
}

/* Return those of a heap in the memo of a deepcopy(), a new reference: under
 * the heap, for all other keys are ints. */
static copies_object *
copies_in(PyObject *memo, heap_object *heap)
{
	PyObject *m = PyDict_GetItemWithError(memo, (PyObject *)heap);
	if (m && Py_TYPE(m) == posh_state->Copies)
		return (copies_object *)Py_NewRef(m);
	m = PyErr_Occurred() ? NULL : (PyObject *)copies_new(heap);
	if (m && PyDict_SetItem(memo, (PyObject *)heap, m) < 0)
		Py_CLEAR(m);
	return (copies_object *)m;
}

/* Some may not be filled. */
static void
forget(PyObject *memo, heap_object *heap)
{
	PyObject *type, *value, *tb;
	PyErr_Fetch(&type, &value, &tb);
	if (PyDict_DelItem(memo, (PyObject *)heap) < 0)
		PyErr_Clear();
	PyErr_Restore(type, value, tb);
}

/*
 * The whole.
 */

/* memo: a dict, or NULL. */
static PyObject *
copy_proxy(heap_object *heap, posh_handle o, enum posh_kind kind, bool shallow,
	   PyObject *memo)
{
	copier c;
	PyObject *r = NULL;
	int rc;
	memset(&c, 0, sizeof(c));
	c.heap = heap;
	c.shallow = shallow;
	c.keeps = memo != NULL;
	c.copies = memo ? copies_in(memo, heap) : copies_new(heap);
	c.late = c.copies ? PyList_New(0) : NULL;
	c.contents = c.late ? PyList_New(0) : NULL;
	if (c.contents) {
		CALL(rc, posh_object_hold(heap->h, o));
		if (rc < 0)
			error_set(posh_state, rc);
		else
			r = copy_of(&c, o, kind);
		if (fill_all(&c) < 0)
			Py_CLEAR(r);
	}
	if (!r && memo)
		forget(memo, heap);
	PyMem_Free(c.task);
	Py_XDECREF(c.late);
	Py_XDECREF(c.contents);
	Py_XDECREF(c.copies);
	return r;
}

static PyObject *unshare_function(PyObject *module, PyObject *x);

/* A tuple that came out of the heap has proxies in it. */
static PyObject *
copy_tuple(PyObject *x)
{
	Py_ssize_t n = PyTuple_GET_SIZE(x);
	PyObject *r = PyTuple_New(n), *item;
	bool same = true;
	for (Py_ssize_t i = 0; r && i < n; i++) {
		item = unshare_function(NULL, PyTuple_GET_ITEM(x, i));
		if (!item) {
			Py_CLEAR(r);
			break;
		}
		same = same && item == PyTuple_GET_ITEM(x, i);
		PyTuple_SET_ITEM(r, i, item);
	}
	if (!r || !same)
		return r;
	Py_DECREF(r);
	return Py_NewRef(x);
}

/* So may any other immutable value. */
static PyObject *
copy_form(PyObject *x)
{
	form_object *f = form_of(x);
	PyObject *items = f ? copy_tuple(f->items) : NULL, *r = NULL;
	if (!f && !PyErr_Occurred())
		return Py_NewRef(x);
	if (items && items == f->items)
		r = Py_NewRef(x);
	else if (items && Py_TYPE(x) == posh_state->Form)
		r = form_wrap(f->form, Py_NewRef(items));
	else if (items)
		r = form_revive(form_wrap(f->form, Py_NewRef(items)));
	Py_XDECREF(items);
	Py_XDECREF((PyObject *)f);
	return r;
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
		return copy_proxy(heap, o, kind, false, NULL);
	if (PyTuple_CheckExact(x))
		return copy_tuple(x);
	if (form_known(x))
		return copy_form(x);
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
	return copy_proxy(heap, o, kind, true, NULL);
}

PyObject *
proxy_deepcopy(PyObject *self, PyObject *memo)
{
	heap_object *heap;
	posh_handle o;
	enum posh_kind kind = proxy_check(posh_state, self, &heap, &o);
	if (kind == POSH_KIND_NONE)
		return Py_NewRef(self);
	return copy_proxy(heap, o, kind, false,
			  PyDict_Check(memo) ? memo : NULL);
}

PyDoc_STRVAR(deepcopy_doc,
	     "_deepcopy(x, memo)\n--\n\n"
	     "Return unshare(x); what was copied with that memo before is not\n"
	     "copied again.");

static PyObject *
deepcopy(PyObject *Py_UNUSED(module), PyObject *args)
{
	PyObject *x, *memo;
	if (!PyArg_ParseTuple(args, "OO:_deepcopy", &x, &memo))
		return NULL;
	return proxy_deepcopy(x, memo);
}

static PyMethodDef unshare_functions[] = {
	{"unshare", unshare_function, METH_O, unshare_doc},
	{"_copy", shallow, METH_O, shallow_doc},
	{"_deepcopy", deepcopy, METH_VARARGS, deepcopy_doc},
	{NULL, NULL, 0, NULL}};

static PyType_Slot copies_slots[] = {{Py_tp_dealloc, copies_dealloc},
				     {0, NULL}};

static PyType_Spec copies_spec = {
	.name = "posh._posh.Copies",
	.basicsize = sizeof(copies_object),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = copies_slots,
};

int
unshare_exec(PyObject *module, module_state *state)
{
	if (type_add(module, &copies_spec, &state->Copies) < 0)
		return -1;
	return PyModule_AddFunctions(module, unshare_functions);
}

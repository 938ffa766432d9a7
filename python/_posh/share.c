/* SPDX-License-Identifier: MIT */
/* share.c - deep copies of plain objects into a heap.
 *
 * The copy is made from the top down.  Its root is held, and each nested
 * container is made in the place where its parent refers to it (POSH_NEW),
 * so at every moment all that exists hangs on the root: to give up, dropping
 * the root is enough.  What has been made but not filled waits on a stack of
 * our own, so depth is no limit.
 *
 * The memo leads from objects to the handles of their copies, which keeps
 * aliasing and cycles; handle 0 means that the copy is part of the batch
 * that is being put together, and a second reference to it has to wait until
 * that batch is written.  It belongs to the encoder, so that everything that
 * one operation shares is one graph.
 */
#include "sharing.h"

enum { BATCH = 64 };

/* An object that has a copy, which is to be filled. */
struct task {
	PyObject *x; /* borrowed from the memo's keep */
	posh_handle o;
};

struct memo {
	struct map map; /* object -> handle */
	PyObject *keep; /* list: the objects, which must not be freed */
};

struct sharer {
	heap_object *heap;
	PyObject *root;
	struct memo *memo;
	struct task *task;
	size_t tasks, room;
	/* The batch: */
	encoder values;
	size_t n;
	struct posh_value v[2 * BATCH];
	PyObject *made[2 * BATCH]; /* what v[i] is a new copy of, or NULL */
};

enum outcome { FAILED = -1, FULL = 0, ADDED = 1 };

/*
 * The memo.
 */

static void
memo_free(PyObject *capsule)
{
	struct memo *memo = PyCapsule_GetPointer(capsule, NULL);
	map_fini(&memo->map);
	Py_XDECREF(memo->keep);
	PyMem_Free(memo);
}

static struct memo *
memo_of(encoder *e)
{
	struct memo *memo;
	if (e->memo)
		return PyCapsule_GetPointer(e->memo, NULL);
	memo = PyMem_Malloc(sizeof(*memo));
	if (!memo)
		return (struct memo *)PyErr_NoMemory();
	map_init(&memo->map);
	memo->keep = PyList_New(0);
	e->memo = memo->keep ? PyCapsule_New(memo, NULL, memo_free) : NULL;
	if (!e->memo) {
		Py_XDECREF(memo->keep);
		PyMem_Free(memo);
		return NULL;
	}
	return memo;
}

static int
memo_set(struct memo *memo, PyObject *x, posh_handle o)
{
	uint64_t key = (uint64_t)(uintptr_t)x;
	struct map_entry *e = map_find(&memo->map, key);
	if (!e) {
		if (PyList_Append(memo->keep, x) < 0)
			return -1;
		e = map_add(&memo->map, key);
	}
	if (!e)
		return -1;
	e->value = o.off;
	return 0;
}

/*
 * Tasks.
 */

static int
task_add(struct sharer *s, PyObject *x, posh_handle o)
{
	if (s->tasks == s->room) {
		size_t room = s->room ? 2 * s->room : 32;
		struct task *t = PyMem_Realloc(s->task, room * sizeof(*t));
		if (!t) {
			PyErr_NoMemory();
			return -1;
		}
		s->task = t;
		s->room = room;
	}
	s->task[s->tasks].x = x;
	s->task[s->tasks++].o = o;
	return memo_set(s->memo, x, o);
}

/* Raise NotShareableError for x, which is somewhere in the root. */
static enum outcome
refuse(struct sharer *s, PyObject *x, const char *why)
{
	PyObject *r;
	if (!posh_state->not_shareable) {
		PyErr_Format(posh_state->NotShareableError,
			     "'%.200s' objects can't be shared",
			     Py_TYPE(x)->tp_name);
		return FAILED;
	}
	r = PyObject_CallFunction(posh_state->not_shareable, "OOz", s->root, x,
				  why);
	Py_XDECREF(r);
	if (!PyErr_Occurred())
		PyErr_SetNone(posh_state->NotShareableError);
	return FAILED;
}

/*
 * One value.
 */

/* Set the heap for what is made by T(...), or with NULL no one. */
static int
set_current_heap(PyObject *heap)
{
	PyObject *dict = PyThreadState_GetDict();
	if (!dict)
		return PyErr_NoMemory(), -1;
	return PyDict_SetItemString(dict, "posh.heap", heap ? heap : Py_None);
}

/* Run the class's init(S, x), whose result is the copy. */
static PyObject *
call_init(struct sharer *s, PyObject *x, class_object *cls)
{
	PyObject *dict = PyThreadState_GetDict(), *type, *value, *tb;
	PyObject *before, *r;
	before = dict ? PyDict_GetItemString(dict, "posh.heap") : NULL;
	Py_XINCREF(before);
	r = NULL;
	if (set_current_heap((PyObject *)s->heap) == 0)
		r = PyObject_CallFunctionObjArgs(cls->init, cls->type, x, NULL);
	PyErr_Fetch(&type, &value, &tb);
	if (set_current_heap(before) < 0)
		Py_CLEAR(r);
	if (type)
		PyErr_Restore(type, value, tb);
	Py_XDECREF(before);
	return r;
}

static enum outcome
add_initialised(struct sharer *s, PyObject *x, class_object *cls,
		struct posh_value *v)
{
	heap_object *heap;
	posh_handle o;
	PyObject *p = call_init(s, x, cls);
	int rc;
	if (!p)
		return FAILED;
	if (proxy_check(posh_state, p, &heap, &o) == POSH_KIND_NONE ||
	    heap->h != s->heap->h) {
		PyErr_Format(PyExc_TypeError,
			     "init of '%.200s' has to return a new shared "
			     "object, not '%.200s'",
			     cls->base->tp_name, Py_TYPE(p)->tp_name);
		Py_DECREF(p);
		return FAILED;
	}
	*v = posh_object(o);
	rc = memo_set(s->memo, x, o);
	if (rc == 0)
		rc = PyList_Append(s->memo->keep, p);
	Py_DECREF(p);
	return rc < 0 ? FAILED : ADDED;
}

static enum outcome
fresh_instance(struct sharer *s, PyObject *x, struct posh_value *v)
{
	class_object *cls = class_find(Py_TYPE(x));
	layout_object *l;
	size_t n = 0;
	if (!cls || cls->base != Py_TYPE(x))
		return refuse(s, x, NULL);
	if (cls->init)
		return add_initialised(s, x, cls, v);
	l = layout_of_class(s->heap, cls);
	if (!l)
		return FAILED;
	if (Py_TYPE(x)->tp_dictoffset) {
		PyObject *dict = PyObject_GenericGetDict(x, NULL);
		n = dict ? (size_t)PyDict_GET_SIZE(dict) : 0;
		Py_XDECREF(dict);
		PyErr_Clear();
	}
	*v = posh_fresh(POSH_KIND_INSTANCE);
	v->object = l->handle;
	v->size = layout_room(l, n);
	Py_DECREF(l);
	return ADDED;
}

/* What is made for a plain object that is not in the memo. */
static enum outcome
fresh(struct sharer *s, PyObject *x, struct posh_value *v)
{
	if (PyList_CheckExact(x)) {
		*v = posh_fresh(POSH_KIND_LIST);
	} else if (PyDict_CheckExact(x)) {
		*v = posh_fresh(POSH_KIND_DICT);
	} else if (PyTuple_CheckExact(x)) {
		*v = posh_fresh(POSH_KIND_TUPLE);
		v->size = (size_t)PyTuple_GET_SIZE(x);
	} else {
		return fresh_instance(s, x, v);
	}
	return ADDED;
}

/* Add x to the batch.  FULL: the batch has to be written first. */
static enum outcome
batch_add(struct sharer *s, PyObject *x)
{
	struct posh_value *v = &s->v[s->n];
	struct map_entry *m;
	enum outcome rc;
	int plain = value_encode_plain(s->heap, x, v, &s->values);
	s->made[s->n] = NULL;
	if (plain != 0) {
		s->n += plain > 0;
		return plain > 0 ? ADDED : FAILED;
	}
	m = map_find(&s->memo->map, (uint64_t)(uintptr_t)x);
	if (m && !m->value)
		return FULL;
	if (m) {
		posh_handle o = {m->value};
		*v = posh_object(o);
		s->n++;
		return ADDED;
	}
	rc = fresh(s, x, v);
	if (rc != ADDED)
		return rc;
	if (v->type == POSH_NEW) {
		posh_handle pending = {0};
		if (memo_set(s->memo, x, pending) < 0)
			return FAILED;
		s->made[s->n] = x;
	}
	s->n++;
	return ADDED;
}

/* The batch was written (rc >= 0) or not: its new objects become tasks. */
static int
batch_done(struct sharer *s, int rc)
{
	encoder_clear(&s->values);
	if (rc < 0) {
		error_set(posh_state, rc);
		return -1;
	}
	for (size_t i = 0; i < s->n; i++)
		if (s->made[i] && task_add(s, s->made[i], s->v[i].object) < 0)
			return -1;
	s->n = 0;
	return 0;
}

/*
 * Filling.
 */

static int
write_list(struct sharer *s, posh_handle o)
{
	int rc = 0;
	if (s->n)
		CALL(rc, posh_list_extend(s->heap->h, o, s->v, s->n));
	return batch_done(s, rc);
}

static int
fill_list(struct sharer *s, PyObject *x, posh_handle o)
{
	posh_heap *h = s->heap->h;
	Py_ssize_t i = 0, n = PyList_GET_SIZE(x);
	enum outcome rc = ADDED;
	int err;
	if (n > BATCH) {
		CALL(err, posh_list_reserve(h, o, (size_t)n));
		if (err < 0)
			return error_set(posh_state, err), -1;
	}
	while (i < PyList_GET_SIZE(x)) {
		PyObject *item = Py_NewRef(PyList_GET_ITEM(x, i));
		if (s->n < BATCH)
			rc = batch_add(s, item);
		else
			rc = FULL;
		if (rc == ADDED && encoder_keep(&s->values, item) < 0)
			return -1;
		if (rc == ADDED) {
			i++;
			continue;
		}
		Py_DECREF(item);
		if (rc == FAILED || write_list(s, o) < 0)
			return -1;
	}
	return write_list(s, o);
}

static int
fill_tuple(struct sharer *s, PyObject *x, posh_handle o)
{
	for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(x); i++) {
		int rc;
		if (batch_add(s, PyTuple_GET_ITEM(x, i)) != ADDED)
			return -1;
		CALL(rc, posh_tuple_init(s->heap->h, o, (size_t)i, s->v));
		if (batch_done(s, rc) < 0)
			return -1;
	}
	return 0;
}

/* A key that is no immutable value: an instance that is equal to itself
 * only.  It is held until the batch is written. */
static enum outcome
add_key_object(struct sharer *s, PyObject *x)
{
	struct map_entry *m = map_find(&s->memo->map, (uint64_t)(uintptr_t)x);
	struct posh_value *v = &s->v[s->n];
	posh_handle o;
	int rc;
	if (Py_TYPE(x)->tp_hash != PyBaseObject_Type.tp_hash)
		return refuse(s, x, "key");
	if (m) {
		o.off = m->value;
		*v = posh_object(o);
		s->made[s->n++] = NULL;
		return ADDED;
	}
	if (fresh_instance(s, x, v) != ADDED)
		return FAILED;
	if (v->type == POSH_NEW) {
		CALL(rc, posh_instance_new(s->heap->h, v->object, v->size, &o));
		if (rc < 0)
			return error_set(posh_state, rc), FAILED;
		if (encoder_hold(&s->values, o) < 0 || task_add(s, x, o) < 0)
			return FAILED;
		*v = posh_object(o);
	}
	s->made[s->n++] = NULL;
	return ADDED;
}

static enum outcome
add_key(struct sharer *s, PyObject *key)
{
	int plain = value_encode_plain(s->heap, key, &s->v[s->n], &s->values);
	if (plain == 0)
		return add_key_object(s, key);
	s->made[s->n] = NULL;
	s->n += plain > 0;
	return plain > 0 ? ADDED : FAILED;
}

static bool
is_pending(struct sharer *s, PyObject *x)
{
	struct map_entry *m = map_find(&s->memo->map, (uint64_t)(uintptr_t)x);
	return m && !m->value;
}

/* FULL comes ahead of the key, whose hold ends with the batch. */
static enum outcome
add_item(struct sharer *s, PyObject *key, PyObject *value)
{
	if (s->n == 2 * BATCH || is_pending(s, key) || is_pending(s, value))
		return FULL;
	if (add_key(s, key) != ADDED)
		return FAILED;
	return batch_add(s, value) == ADDED ? ADDED : FAILED;
}

static int
write_items(struct sharer *s, posh_handle o)
{
	int rc = 0;
	if (s->n)
		CALL(rc, posh_dict_update(s->heap->h, o, s->v, s->n / 2, 0));
	return batch_done(s, rc);
}

/* A copy of the dict stays as it is, whoever changes the dict meanwhile. */
static int
fill_dict(struct sharer *s, PyObject *x, posh_handle o)
{
	PyObject *copy = PyDict_Copy(x), *key, *value;
	Py_ssize_t at = 0, before;
	enum outcome rc = copy ? ADDED : FAILED;
	int err = 0;
	while (err == 0 && rc != FAILED) {
		before = at;
		if (!PyDict_Next(copy, &at, &key, &value))
			break;
		rc = add_item(s, key, value);
		if (rc == FULL) {
			at = before;
			err = write_items(s, o);
		}
	}
	if (err == 0 && rc != FAILED)
		err = write_items(s, o);
	Py_XDECREF(copy);
	return rc == FAILED ? -1 : err;
}

static int
fill_instance(struct sharer *s, PyObject *x, posh_handle o)
{
	PyObject *state = instance_plain_state(x), *name, *value;
	layout_object *l = NULL;
	Py_ssize_t at = 0;
	int rc = -1;
	if (state)
		l = layout_of_class(s->heap, class_find(Py_TYPE(x)));
	while (l && (rc = PyDict_Next(state, &at, &name, &value)) != 0) {
		rc = -1;
		if (!PyUnicode_Check(name)) {
			refuse(s, x, "attribute");
			break;
		}
		if (batch_add(s, value) != ADDED ||
		    instance_put(s->heap, o, l, name, s->v) < 0 ||
		    batch_done(s, 0) < 0)
			break;
	}
	Py_XDECREF(state);
	Py_XDECREF(l);
	return rc;
}

static int
fill(struct sharer *s, PyObject *x, posh_handle o)
{
	s->n = 0;
	if (PyList_CheckExact(x))
		return fill_list(s, x, o);
	if (PyDict_CheckExact(x))
		return fill_dict(s, x, o);
	if (PyTuple_CheckExact(x))
		return fill_tuple(s, x, o);
	return fill_instance(s, x, o);
}

static int
fill_all(struct sharer *s)
{
	while (s->tasks) {
		struct task t = s->task[--s->tasks];
		if (fill(s, t.x, t.o) < 0)
			return -1;
	}
	return 0;
}

/*
 * The root.
 */

/* A tuple is made in its place in a list, which then goes away. */
static int
root_in_list(struct sharer *s, struct posh_value *v)
{
	posh_heap *h = s->heap->h;
	posh_handle list;
	int rc = posh_list_new(h, &list);
	if (rc < 0)
		return rc;
	CALL(rc, posh_list_append(h, list, v));
	if (rc == 0)
		CALL(rc, posh_object_hold(h, v->object));
	heap_drop(s->heap, list);
	return rc;
}

static int
make_root(struct sharer *s, struct posh_value *v, encoder *e)
{
	posh_heap *h = s->heap->h;
	posh_handle o = {0};
	uint8_t kind = v->kind;
	int rc;
	if (kind == POSH_KIND_LIST)
		CALL(rc, posh_list_new(h, &o));
	else if (kind == POSH_KIND_DICT)
		CALL(rc, posh_dict_new(h, &o));
	else if (kind == POSH_KIND_INSTANCE)
		CALL(rc, posh_instance_new(h, v->object, v->size, &o));
	else if ((rc = root_in_list(s, v)) == 0)
		o = v->object;
	if (rc < 0)
		return error_set(posh_state, rc), -1;
	*v = posh_object(o);
	v->kind = kind;
	return encoder_hold(e, o);
}

static int
share_root(struct sharer *s, PyObject *x, struct posh_value *out, encoder *e)
{
	struct map_entry *m = map_find(&s->memo->map, (uint64_t)(uintptr_t)x);
	posh_handle o;
	if (m) {
		o.off = m->value;
		*out = posh_object(o);
		out->kind = (uint8_t)posh_object_kind(s->heap->h, o);
		return 0;
	}
	if (fresh(s, x, out) != ADDED)
		return -1;
	if (out->type != POSH_NEW) {
		out->kind = POSH_KIND_INSTANCE;
		return 0;
	}
	if (make_root(s, out, e) < 0 || task_add(s, x, out->object) < 0)
		return -1;
	return fill_all(s);
}

int
share_into(heap_object *heap, PyObject *x, struct posh_value *out, encoder *e)
{
	struct sharer s;
	struct posh_value v;
	int rc;
	s.heap = heap;
	s.root = x;
	s.memo = memo_of(e);
	if (!s.memo)
		return -1;
	s.task = NULL;
	s.tasks = s.room = s.n = 0;
	encoder_init(&s.values, heap);
	rc = share_root(&s, x, &v, e);
	encoder_clear(&s.values);
	PyMem_Free(s.task);
	if (rc == 0)
		*out = v;
	return rc;
}

/*
 * share() and its like.
 */

static PyObject *
share_new(heap_object *heap, PyObject *x)
{
	struct posh_value v;
	PyObject *r = NULL;
	encoder e;
	int rc;
	encoder_init(&e, heap);
	rc = value_encode_plain(heap, x, &v, &e);
	if (rc > 0) {
		r = Py_NewRef(x);
	} else if (rc == 0 && share_into(heap, x, &v, &e) == 0) {
		CALL(rc, posh_object_hold(heap->h, v.object));
		if (rc < 0)
			error_set(posh_state, rc);
		else
			r = proxy_wrap(heap, v.object, v.kind);
	}
	encoder_clear(&e);
	return r;
}

PyDoc_STRVAR(
	share_doc,
	"share(x, heap=None)\n--\n\n"
	"Copy x into shared memory and return a proxy of the copy.\n\n"
	"What x contains is copied as well; aliasing and cycles are kept.\n"
	"Immutable values need no proxy and are returned as they are, and\n"
	"so is a proxy.  Without a heap, the default heap is used.\n"
	"NotShareableError names what can't be shared, and then nothing\n"
	"was.");

static PyObject *
share(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwds)
{
	static char *names[] = {(char *)"x", (char *)"heap", NULL};
	PyObject *x, *arg = NULL, *r;
	heap_object *heap;
	posh_handle o;
	if (!PyArg_ParseTupleAndKeywords(args, kwds, "O|O:share", names, &x,
					 &arg))
		return NULL;
	if ((!arg || arg == Py_None) && proxy_check(posh_state, x, &heap, &o))
		return Py_NewRef(x);
	heap = heap_argument(posh_state, arg);
	if (!heap)
		return NULL;
	r = share_new(heap, x);
	Py_DECREF(heap);
	return r;
}

/* Leave nothing of the attributes out, but run no init. */
PyDoc_STRVAR(generic_init_doc,
	     "generic_init(S, x)\n--\n\n"
	     "Return an instance of the shared type S with x's attributes.\n\n"
	     "This is how instances are shared when allow_sharing() was given\n"
	     "no init.");

static PyObject *
generic_init(PyObject *Py_UNUSED(module), PyObject *args)
{
	PyObject *type, *x, *empty, *self, *state, *name, *value;
	class_object *cls;
	ref_object *r;
	Py_ssize_t at = 0;
	int rc = 1;
	if (!PyArg_ParseTuple(args, "O!O:generic_init", &PyType_Type, &type,
			      &x))
		return NULL;
	cls = class_find((PyTypeObject *)type);
	empty = PyTuple_New(0);
	if (!cls || !empty) {
		Py_XDECREF(empty);
		return PyErr_Format(PyExc_TypeError, "%R is no shared type",
				    type);
	}
	self = PyBaseObject_Type.tp_new(cls->type, empty, NULL);
	Py_DECREF(empty);
	state = self ? instance_plain_state(x) : NULL;
	r = state ? instance_ref(self, cls) : NULL;
	while (r && rc > 0 && PyDict_Next(state, &at, &name, &value))
		rc = instance_store(r, name, value);
	Py_XDECREF(state);
	if (!r || rc < 0)
		Py_CLEAR(self);
	return self;
}

PyDoc_STRVAR(is_shared_doc, "is_shared(x)\n--\n\n"
			    "Is x a proxy of an object in shared memory?");

static PyObject *
is_shared(PyObject *Py_UNUSED(module), PyObject *x)
{
	heap_object *heap;
	posh_handle o;
	return PyBool_FromLong(proxy_check(posh_state, x, &heap, &o) !=
			       POSH_KIND_NONE);
}

PyDoc_STRVAR(hooks_doc,
	     "_set_sharing_hooks(resolve, not_shareable, monitor)\n--\n\n"
	     "Set what Python does for sharing: resolve(name) returns the\n"
	     "shared type of a class, not_shareable(root, x, why) raises the\n"
	     "error, monitor is the policy object of that name.");

static PyObject *
set_sharing_hooks(PyObject *Py_UNUSED(module), PyObject *args)
{
	PyObject *resolve, *refuse_hook, *monitor;
	if (!PyArg_ParseTuple(args, "OOO", &resolve, &refuse_hook, &monitor))
		return NULL;
	Py_XSETREF(posh_state->resolve_class, Py_NewRef(resolve));
	Py_XSETREF(posh_state->not_shareable, Py_NewRef(refuse_hook));
	Py_XSETREF(posh_state->monitor, Py_NewRef(monitor));
	Py_RETURN_NONE;
}

static PyMethodDef share_functions[] = {
	{"share", (PyCFunction)(void (*)(void))share,
	 METH_VARARGS | METH_KEYWORDS, share_doc},
	{"generic_init", generic_init, METH_VARARGS, generic_init_doc},
	{"is_shared", is_shared, METH_O, is_shared_doc},
	{"_set_sharing_hooks", set_sharing_hooks, METH_VARARGS, hooks_doc},
	{NULL, NULL, 0, NULL}};

int
share_exec(PyObject *module, module_state *state)
{
	if (PyModule_AddFunctions(module, share_functions) < 0 ||
	    unshare_exec(module, state) < 0)
		return -1;
	return synch_exec(module, state);
}

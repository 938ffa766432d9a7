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

/* An object that has a copy, which is to be filled. */
struct share_task {
	PyObject *x; /* borrowed from the memo's keep */
	posh_handle o;
};

struct memo {
	struct map map; /* object -> handle */
	PyObject *keep; /* list: the objects, which must not be freed */
};

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
task_add(sharer *s, PyObject *x, posh_handle o)
{
	if (s->tasks == s->room) {
		size_t room = s->room ? 2 * s->room : 32;
		struct share_task *t =
			PyMem_Realloc(s->task, room * sizeof(*t));
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

enum outcome
sharer_refuse(sharer *s, PyObject *x, const char *why)
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

enum outcome
sharer_add(sharer *s, PyObject *x)
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
	rc = kind_table(kind_of(x))->fresh(s, x, v);
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

/* Its new objects become tasks. */
int
sharer_done(sharer *s, int rc)
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

/* Make x as an object of its own, held until the batch is written; it is a
 * task from now on. */
static enum outcome
add_apart(sharer *s, PyObject *x)
{
	const struct kind *kind = kind_table(kind_of(x));
	struct posh_value *v = &s->v[s->n];
	posh_handle o;
	int rc;
	if (kind->fresh(s, x, v) != ADDED)
		return FAILED;
	if (v->type == POSH_NEW) {
		uint8_t what = v->kind;
		CALL(rc, kind->make(s->heap, v, &o));
		if (rc < 0)
			return error_set(posh_state, rc), FAILED;
		if (encoder_hold(&s->values, o) < 0 || task_add(s, x, o) < 0)
			return FAILED;
		*v = posh_object(o);
		v->kind = what;
	}
	s->made[s->n++] = NULL;
	return ADDED;
}

static enum outcome add_key_item(sharer *s, PyObject *key);

static enum outcome
key_parts(sharer *s, PyObject *x)
{
	enum outcome rc = sharer_add_parts(s, x, &s->v[s->n]);
	if (rc != ADDED)
		return rc;
	s->made[s->n++] = NULL;
	return ADDED;
}

/* A key that is no immutable value: an instance.  It is held until the batch
 * is written. */
static enum outcome
add_key_object(sharer *s, PyObject *x)
{
	struct map_entry *m = map_find(&s->memo->map, (uint64_t)(uintptr_t)x);
	struct posh_value *v = &s->v[s->n];
	posh_handle o;
	if (kind_of(x) == POSH_KIND_TUPLE)
		return key_parts(s, x);
	s->values.opaque |= Py_TYPE(x)->tp_hash != PyBaseObject_Type.tp_hash;
	if (m && !m->value)
		return FULL;
	if (m) {
		o.off = m->value;
		*v = posh_object(o);
		s->made[s->n++] = NULL;
		return ADDED;
	}
	return add_apart(s, x);
}

/* A key, or an item of one. */
static enum outcome
add_key_item(sharer *s, PyObject *key)
{
	int plain = value_encode_plain(s->heap, key, &s->v[s->n], &s->values);
	if (plain == 0)
		return add_key_object(s, key);
	s->made[s->n] = NULL;
	s->n += plain > 0;
	return plain > 0 ? ADDED : FAILED;
}

/* A key that libposh can't compare is found by its hash, by which it is read.
 */
static enum outcome
opaque_key(sharer *s, PyObject *key, struct posh_value *v)
{
	int rc = form_hashes_alike(s->heap, v);
	v->flags |= POSH_OPAQUE;
	if (rc == 0)
		return sharer_refuse(s, key, "hash");
	return rc < 0 ? FAILED : ADDED;
}

enum outcome
sharer_add_key(sharer *s, PyObject *key)
{
	class_object *cls = class_of_key(key);
	struct posh_value *v, object;
	enum outcome rc;
	s->values.opaque = false;
	rc = add_key_item(s, key);
	if (rc != ADDED)
		return rc;
	v = &s->v[s->n - 1];
	v->flags = POSH_DISTINCT;
	if (!cls)
		return s->values.opaque ? opaque_key(s, key, v) : ADDED;
	object = *v;
	return class_key(cls, key, &object, v, &s->values) < 0 ? FAILED : ADDED;
}

/* A state that is not what its value is equal to may be anything. */
static enum outcome
add_any(sharer *s, PyObject *x)
{
	struct posh_value *v = &s->v[s->n];
	int plain = value_encode_plain(s->heap, x, v, &s->values);
	struct map_entry *m;
	posh_handle o;
	if (plain == 0) {
		m = map_find(&s->memo->map, (uint64_t)(uintptr_t)x);
		if (!m)
			return add_apart(s, x);
		if (!m->value)
			return FULL;
		o.off = m->value;
		*v = posh_object(o);
	}
	s->made[s->n] = NULL;
	s->n += plain >= 0;
	return plain >= 0 ? ADDED : FAILED;
}

/* Each item is in the batch only as long as it takes to make it. */
static enum outcome
add_items(sharer *s, unsigned form, PyObject *t, struct posh_value *items)
{
	for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(t); i++) {
		PyObject *x = PyTuple_GET_ITEM(t, i);
		bool is_state = form == POSH_FORM_LIKE && i == 2;
		enum outcome rc = is_state ? add_any(s, x) : add_key_item(s, x);
		if (rc != ADDED)
			return rc;
		items[i] = s->v[--s->n];
	}
	return ADDED;
}

enum outcome
sharer_add_parts(sharer *s, PyObject *x, struct posh_value *v)
{
	form_object *f = NULL;
	PyObject *t = x;
	struct posh_value *items;
	unsigned form = POSH_FORM_PLAIN;
	size_t n;
	enum outcome rc;
	if (!PyTuple_CheckExact(x)) {
		f = form_of(x);
		if (!f && !PyErr_Occurred())
			return sharer_refuse(s, x, NULL);
		if (!f || encoder_keep(&s->values, (PyObject *)f) < 0)
			return FAILED;
		t = f->items;
		form = f->form;
	}
	n = (size_t)PyTuple_GET_SIZE(t);
	items = encoder_alloc(&s->values, n * sizeof(*items));
	if (!items || Py_EnterRecursiveCall(" while sharing a key"))
		return FAILED;
	rc = add_items(s, form, t, items);
	Py_LeaveRecursiveCall();
	if (rc != ADDED)
		return rc;
	if (form == POSH_FORM_SET && value_sort(s->heap, items, n) < 0)
		return FAILED;
	value_set(v, POSH_TUPLE, n);
	v->width = (uint8_t)form;
	v->items = items;
	return ADDED;
}

bool
sharer_pending(sharer *s, PyObject *x)
{
	struct map_entry *m = map_find(&s->memo->map, (uint64_t)(uintptr_t)x);
	return m && !m->value;
}

int
sharer_note(sharer *s, PyObject *x, posh_handle o, PyObject *p)
{
	if (memo_set(s->memo, x, o) < 0)
		return -1;
	return PyList_Append(s->memo->keep, p);
}

static int
fill_all(sharer *s)
{
	while (s->tasks) {
		struct share_task t = s->task[--s->tasks];
		s->n = 0;
		if (kind_table(kind_of(t.x))->fill(s, t.x, t.o) < 0)
			return -1;
	}
	return 0;
}

/*
 * The root.
 */

static int
make_root(sharer *s, struct posh_value *v, encoder *e)
{
	posh_handle o = {0};
	uint8_t kind = v->kind;
	int rc;
	CALL(rc, kind_table(kind)->make(s->heap, v, &o));
	if (rc < 0)
		return error_set(posh_state, rc), -1;
	*v = posh_object(o);
	v->kind = kind;
	return encoder_hold(e, o);
}

/* A set is made with its items, new objects that are to be filled. */
static int
make_set(sharer *s, struct posh_value *v, encoder *e)
{
	posh_handle o;
	int rc;
	CALL(rc, posh_tuple_new(s->heap->h, v->width, v->items, v->size, &o));
	if (rc < 0)
		return error_set(posh_state, rc), -1;
	*v = posh_object(o);
	v->kind = POSH_KIND_TUPLE;
	if (encoder_hold(e, o) < 0)
		return -1;
	return fill_all(s);
}

static int
share_root(sharer *s, PyObject *x, struct posh_value *out, encoder *e)
{
	struct map_entry *m = map_find(&s->memo->map, (uint64_t)(uintptr_t)x);
	posh_handle o;
	if (m) {
		o.off = m->value;
		*out = posh_object(o);
		out->kind = (uint8_t)posh_object_kind(s->heap->h, o);
		return 0;
	}
	if (kind_table(kind_of(x))->fresh(s, x, out) != ADDED)
		return -1;
	if (out->type == POSH_TUPLE)
		return make_set(s, out, e);
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
	sharer s;
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
	if (r && rc > 0 && cls->content && Py_TYPE(x) == cls->base) {
		value = PyObject_CallFunctionObjArgs(posh_state->plain_content,
						     x, cls->builtin, NULL);
		rc = value ? instance_store(r, posh_state->content_name, value)
			   : -1;
		Py_XDECREF(value);
	}
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

/* SPDX-License-Identifier: MIT */
/* heap.c - _posh.HeapBase: an attachment to a heap, and its proxy map.
 *
 * The map leads from handles to this process's proxies, so that there is
 * one for an object at a time.  It owns nothing.  A proxy whose refcount is
 * 0 is on its way out (a weak reference's callback may run in between): a
 * lookup ignores it, a new proxy replaces it, and it removes the entry only
 * if the entry is still its own.
 */
#include "module.h"

#include <errno.h>

/*
 * Proxy map.
 */

enum { MAP_FIRST = 64 };

static inline size_t
place(const heap_object *heap, uint64_t off)
{
	return (size_t)((off * 0x9e3779b97f4a7c15u) >> 32) & heap->mask;
}

PyObject *
heap_find(heap_object *heap, posh_handle o)
{
	const struct proxy_entry *e;
	size_t i;

	for (i = place(heap, o.off);; i = (i + 1) & heap->mask) {
		e = &heap->map[i];
		if (e->off == o.off)
			break;
		if (!e->off)
			return NULL;
	}
	if (UNLIKELY(Py_REFCNT(e->proxy) == 0))
		return NULL;
	return Py_NewRef(e->proxy);
}

static void
put(heap_object *heap, uint64_t off, PyObject *proxy)
{
	size_t i = place(heap, off);

	while (heap->map[i].off && heap->map[i].off != off)
		i = (i + 1) & heap->mask;
	heap->used += heap->map[i].off == 0;
	heap->map[i].off = off;
	heap->map[i].proxy = proxy;
}

static int
resize(heap_object *heap, size_t size)
{
	struct proxy_entry *old = heap->map;
	size_t n = old ? heap->mask + 1 : 0;
	size_t i;

	heap->map = PyMem_Calloc(size, sizeof(*heap->map));
	if (!heap->map) {
		heap->map = old;
		PyErr_NoMemory();
		return -1;
	}
	heap->mask = size - 1;
	heap->used = 0;
	for (i = 0; i < n; i++)
		if (old[i].off)
			put(heap, old[i].off, old[i].proxy);
	PyMem_Free(old);
	return 0;
}

int
heap_enter(heap_object *heap, posh_handle o, PyObject *proxy)
{
	if (UNLIKELY(heap->used * 2 > heap->mask) &&
	    resize(heap, (heap->mask + 1) * 2) < 0)
		return -1;
	put(heap, o.off, proxy);
	return 0;
}

/* Close the gap at i by moving entries back that probed past it. */
static void
close_gap(heap_object *heap, size_t i)
{
	size_t mask = heap->mask;
	size_t j, home;

	for (j = (i + 1) & mask; heap->map[j].off; j = (j + 1) & mask) {
		home = place(heap, heap->map[j].off);
		if (((j - home) & mask) < ((j - i) & mask))
			continue;
		heap->map[i] = heap->map[j];
		i = j;
	}
	heap->map[i].off = 0;
	heap->used--;
}

void
heap_leave(heap_object *heap, posh_handle o, PyObject *proxy)
{
	size_t i = place(heap, o.off);

	for (; heap->map[i].off; i = (i + 1) & heap->mask) {
		if (heap->map[i].off != o.off)
			continue;
		if (heap->map[i].proxy == proxy)
			close_gap(heap, i);
		return;
	}
}

/*
 * Attaching.
 */

static void *
wait_before(void *arg)
{
	heap_object *heap = arg;

	if (heap->pid != getpid()) {
		heap->pid = getpid();
		heap->waiting = 0;
	}
	heap->waiting++;
	return PyEval_SaveThread();
}

static void
wait_after(void *token, void *arg)
{
	PyEval_RestoreThread(token);
	((heap_object *)arg)->waiting--;
}

static heap_object *
find_attachment(module_state *st, const posh_heap *h)
{
	heap_object *heap;

	for (heap = st->heaps; heap; heap = heap->next)
		if (heap->h == h && !heap->closed && Py_REFCNT(heap) > 0)
			break;
	return heap;
}

/* Return the object of an attachment that was just opened. */
static PyObject *
attached(PyObject *type, posh_heap *h)
{
	module_state *st = posh_state;
	heap_object *heap = find_attachment(st, h);

	if (heap) {
		heap->opens++;
		heap->refs++;
		return Py_NewRef((PyObject *)heap);
	}
	heap = (heap_object *)((PyTypeObject *)type)
		       ->tp_alloc((PyTypeObject *)type, 0);
	if (!heap) {
		posh_heap_close(h);
		return NULL;
	}
	heap->h = h;
	heap->state = st;
	heap->opens = heap->refs = 1;
	heap->next = st->heaps;
	st->heaps = heap;
	if (resize(heap, MAP_FIRST) < 0) {
		Py_DECREF(heap);
		return NULL;
	}
	posh_heap_wait_hooks(h, wait_before, wait_after, heap);
	return (PyObject *)heap;
}

static PyObject *
heap_create(PyObject *type, PyObject *args, PyObject *kwds)
{
	static char *names[] = {(char *)"max_size", NULL};
	struct posh_options opts = {sizeof(opts), 0, 0, 0};
	unsigned long long size = 0;
	posh_heap *h;
	int rc;

	if (!PyArg_ParseTupleAndKeywords(args, kwds, "|K:_create", names,
					 &size))
		return NULL;
	opts.max_size = size;
	rc = posh_heap_create(&opts, &h);
	if (rc)
		return error_set_heap(posh_state, rc, NULL);
	return attached(type, h);
}

static PyObject *
heap_open(PyObject *type, PyObject *args, PyObject *kwds)
{
	static char *names[] = {(char *)"name", (char *)"flags",
				(char *)"max_size", (char *)"mode", NULL};
	struct posh_options opts = {sizeof(opts), 0, 0, 0};
	unsigned long long size = 0;
	PyObject *name = NULL;
	posh_heap *h;
	int rc;

	if (!PyArg_ParseTupleAndKeywords(args, kwds, "O&|IKI:_open", names,
					 PyUnicode_FSConverter, &name,
					 &opts.flags, &size, &opts.mode))
		return NULL;
	opts.max_size = size;
	rc = posh_heap_open(PyBytes_AS_STRING(name), &opts, &h);
	if (rc) {
		error_set_heap(posh_state, rc, PyTuple_GET_ITEM(args, 0));
		Py_DECREF(name);
		return NULL;
	}
	Py_DECREF(name);
	return attached(type, h);
}

static PyObject *
heap_open_fd(PyObject *type, PyObject *arg)
{
	int fd = PyObject_AsFileDescriptor(arg);
	posh_heap *h;
	int rc;

	if (fd < 0)
		return NULL;
	rc = posh_heap_open_fd(fd, &h);
	if (rc)
		return error_set_heap(posh_state, rc, NULL);
	return attached(type, h);
}

static PyObject *
heap_unlink(PyObject *Py_UNUSED(type), PyObject *arg)
{
	PyObject *name = NULL;
	int rc;

	if (!PyUnicode_FSConverter(arg, &name))
		return NULL;
	rc = posh_heap_unlink(PyBytes_AS_STRING(name));
	Py_DECREF(name);
	if (rc)
		return error_set_heap(posh_state, rc, arg);
	Py_RETURN_NONE;
}

heap_object *
heap_argument(module_state *st, PyObject *arg)
{
	PyObject *heap;

	if (arg && arg != Py_None) {
		if (PyObject_TypeCheck(arg, st->HeapBase))
			return (heap_object *)Py_NewRef(arg);
		PyErr_Format(PyExc_TypeError,
			     "heap must be a posh.Heap or None, not %.200s",
			     Py_TYPE(arg)->tp_name);
		return NULL;
	}
	if (!st->default_heap) {
		PyErr_SetString(st->Error, "there is no default heap");
		return NULL;
	}
	heap = PyObject_CallNoArgs(st->default_heap);
	if (heap && !PyObject_TypeCheck(heap, st->HeapBase)) {
		Py_DECREF(heap);
		PyErr_SetString(PyExc_TypeError,
				"default_heap() returned no heap");
		return NULL;
	}
	return (heap_object *)heap;
}

/*
 * Detaching.
 */

static void
forget(heap_object *heap)
{
	heap_object **link = &heap->state->heaps;

	while (*link && *link != heap)
		link = &(*link)->next;
	if (*link)
		*link = heap->next;
}

static void
heap_dealloc(PyObject *op)
{
	PyTypeObject *tp = Py_TYPE(op);
	heap_object *heap = (heap_object *)op;

	if (heap->weakrefs)
		PyObject_ClearWeakRefs(op);
	if (heap->state)
		forget(heap);
	while (heap->refs) {
		heap->refs--;
		posh_heap_close(heap->h);
	}
	Py_CLEAR(heap->layouts);
	PyMem_Free(heap->map);
	tp->tp_free(op);
	Py_DECREF(tp);
}

/* The first close of h gives up the attachment, the last one frees it:
 * proxies that are left need one that is to come. */
static int
keep_open(heap_object *heap)
{
	posh_heap *h;
	int rc = posh_heap_open_fd(posh_heap_fileno(heap->h), &h);

	if (rc) {
		error_set_heap(heap->state, rc, NULL);
		return -1;
	}
	if (h != heap->h) {
		posh_heap_close(h);
		PyErr_SetString(heap->state->Error,
				"the heap's file descriptor is not its own");
		return -1;
	}
	heap->refs++;
	return 0;
}

static PyObject *
heap_close(PyObject *op, PyObject *Py_UNUSED(unused))
{
	heap_object *heap = (heap_object *)op;

	if (heap->closed)
		Py_RETURN_NONE;
	if (heap->opens > 1) {
		heap->opens--;
		Py_RETURN_NONE;
	}
	if (heap->waiting && heap->pid == getpid()) {
		PyErr_SetString(PyExc_RuntimeError,
				"a thread of this process waits in the heap");
		return NULL;
	}
	if (heap->refs < 2 && keep_open(heap) < 0)
		return NULL;
	heap->closed = 1;
	heap->refs--;
	posh_heap_close(heap->h);
	Py_RETURN_NONE;
}

/*
 * Questions.
 */

static PyObject *
heap_fileno(PyObject *op, PyObject *Py_UNUSED(unused))
{
	heap_object *heap = (heap_object *)op;
	int fd = posh_heap_fileno(heap->h);

	if (fd < 0)
		return error_set(heap->state, fd);
	return PyLong_FromLong(fd);
}

static PyObject *
heap_place(PyObject *op, PyObject *arg)
{
	heap_object *heap = (heap_object *)op;
	long which = PyLong_AsLong(arg);
	posh_handle o;
	int rc;

	if (which == -1 && PyErr_Occurred())
		return NULL;
	if (heap->closed)
		return error_set(heap->state, -ESHUTDOWN);
	if (which < POSH_ROOT || which > POSH_TICKETS) {
		PyErr_SetString(PyExc_ValueError, "no such place");
		return NULL;
	}
	o = posh_heap_place(heap->h, (enum posh_place)which);
	CALL(rc, posh_object_hold(heap->h, o));
	if (rc)
		return error_set(heap->state, rc);
	return proxy_wrap(heap, o, posh_object_kind(heap->h, o));
}

static PyObject *
heap_stats(PyObject *op, PyObject *Py_UNUSED(unused))
{
	heap_object *heap = (heap_object *)op;
	struct posh_stats s;
	int rc;

	CALL(rc, posh_heap_stats(heap->h, &s, sizeof(s)));
	if (rc)
		return error_set(heap->state, rc);
	return Py_BuildValue("{s:K,s:K,s:K,s:K,s:K,s:K,s:I,s:I}", "bytes",
			     (unsigned long long)s.bytes, "max_size",
			     (unsigned long long)s.max_size, "live_bytes",
			     (unsigned long long)s.live_bytes, "live_blocks",
			     (unsigned long long)s.live_blocks, "suspects",
			     (unsigned long long)s.suspects, "free_bytes",
			     (unsigned long long)s.free_bytes, "members",
			     (unsigned)s.members, "dead", (unsigned)s.dead);
}

static void
report(const char *what, void *arg)
{
	PyObject *text;

	if (PyErr_Occurred())
		return;
	text = PyUnicode_DecodeUTF8(what, (Py_ssize_t)strlen(what), "replace");
	if (text)
		PyList_Append(arg, text);
	Py_XDECREF(text);
}

static PyObject *
heap_check(PyObject *op, PyObject *Py_UNUSED(unused))
{
	heap_object *heap = (heap_object *)op;
	PyObject *list = PyList_New(0);
	int rc;

	if (!list)
		return NULL;
	rc = posh_heap_check(heap->h, report, list);
	if (rc < 0)
		error_set(heap->state, rc);
	if (rc < 0 || PyErr_Occurred())
		Py_CLEAR(list);
	return list;
}

static PyObject *
heap_collect(PyObject *op, PyObject *Py_UNUSED(unused))
{
	heap_object *heap = (heap_object *)op;
	int64_t rc;

	CALL(rc, posh_heap_collect(heap->h));
	if (rc < 0)
		return error_set(heap->state, (int)rc);
	return PyLong_FromLongLong(rc);
}

static PyObject *
heap_reap(PyObject *op, PyObject *Py_UNUSED(unused))
{
	heap_object *heap = (heap_object *)op;
	int rc;

	CALL(rc, posh_heap_reap(heap->h));
	if (rc < 0)
		return error_set(heap->state, rc);
	return PyLong_FromLong(rc);
}

static PyObject *
heap_get_id(PyObject *op, void *Py_UNUSED(closure))
{
	heap_object *heap = (heap_object *)op;

	if (heap->closed)
		return error_set(heap->state, -ESHUTDOWN);
	return PyLong_FromUnsignedLongLong(posh_heap_id(heap->h));
}

static PyObject *
heap_get_closed(PyObject *op, void *Py_UNUSED(closure))
{
	return PyBool_FromLong(((heap_object *)op)->closed);
}

static PyObject *
heap_new(PyTypeObject *type, PyObject *Py_UNUSED(args),
	 PyObject *Py_UNUSED(kwds))
{
	PyErr_Format(PyExc_TypeError, "%.200s is made by _create and _open",
		     type->tp_name);
	return NULL;
}

#define CLASS_KEYWORDS (METH_CLASS | METH_VARARGS | METH_KEYWORDS)

static PyMethodDef methods[] = {
	{"_create", (PyCFunction)(void (*)(void))heap_create, CLASS_KEYWORDS,
	 "_create($type, max_size=0)\n--\n\nMake an anonymous heap."},
	{"_open", (PyCFunction)(void (*)(void))heap_open, CLASS_KEYWORDS,
	 "_open($type, name, flags=0, max_size=0, mode=0)\n--\n\n"
	 "Open the heap of that name."},
	{"_open_fd", heap_open_fd, METH_CLASS | METH_O,
	 "_open_fd($type, fd, /)\n--\n\nOpen the heap behind a file "
	 "descriptor."},
	{"_unlink", heap_unlink, METH_STATIC | METH_O,
	 "_unlink(name, /)\n--\n\nTake away the name of a heap."},
	{"_place", heap_place, METH_O,
	 "_place($self, which, /)\n--\n\nReturn a dict that is always there."},
	{"_stats", heap_stats, METH_NOARGS,
	 "_stats($self, /)\n--\n\nReturn the heap's figures in a dict."},
	{"check", heap_check, METH_NOARGS,
	 "check($self, /)\n--\n\nReturn a list of what is wrong with the "
	 "heap."},
	{"collect", heap_collect, METH_NOARGS,
	 "collect($self, /)\n--\n\nFree shared objects that only refer to each "
	 "other; "
	 "return how many there were.\n\nHappens by itself as the heap grows.  "
	 "Writers in all processes wait meanwhile,\nreaders do not."},
	{"reap", heap_reap, METH_NOARGS,
	 "reap($self, /)\n--\n\nRecover what dead processes left; return how "
	 "many."},
	{"fileno", heap_fileno, METH_NOARGS,
	 "fileno($self, /)\n--\n\nReturn the heap's file descriptor."},
	{"close", heap_close, METH_NOARGS,
	 "close($self, /)\n--\n\nGive up this process's attachment to the "
	 "heap."},
	{NULL, NULL, 0, NULL}};

static PyGetSetDef getset[] = {
	{"_id", heap_get_id, NULL, "the heap's random number", NULL},
	{"closed", heap_get_closed, NULL, "whether close() was called", NULL},
	{NULL, NULL, NULL, NULL, NULL}};

static PyMemberDef members[] = {
	{"__weaklistoffset__", T_PYSSIZET, offsetof(heap_object, weakrefs),
	 READONLY, NULL},
	{"_waiting", T_UINT, offsetof(heap_object, waiting), READONLY,
	 "how many threads of this process wait"},
	{NULL, 0, 0, 0, NULL}};

static PyType_Slot slots[] = {
	{Py_tp_new, heap_new},
	{Py_tp_dealloc, heap_dealloc},
	{Py_tp_methods, methods},
	{Py_tp_getset, getset},
	{Py_tp_members, members},
	{Py_tp_doc, "An attachment of this process to a heap."},
	{0, NULL}};

static PyType_Spec spec = {
	.name = "posh._posh.HeapBase",
	.basicsize = sizeof(heap_object),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.slots = slots,
};

int
heap_exec(PyObject *module, module_state *st)
{
	st->HeapBase =
		(PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
	if (!st->HeapBase)
		return -1;
	return PyModule_AddObject(module, "HeapBase",
				  Py_NewRef((PyObject *)st->HeapBase));
}

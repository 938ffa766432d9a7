/* SPDX-License-Identifier: MIT */
/* instance.c - proxies of instances of user classes.
 *
 * A proxy is an ordinary Python object of the shared type T; allocation,
 * deallocation and garbage collection are CPython's.  Its one slot has a
 * ref_object, which owns the hold and goes with it.  An object that
 * T.__new__ made has none yet: it gets one, and with it an object in the
 * heap, when it is first used.
 *
 * This file has what all access to attributes rests on: reading and writing
 * them by name.  How names are found in T, Dog and the heap is attribute.c.
 */
#include "buffer.h"

/*
 * The ref.
 */

static ref_object *
ref_new(heap_object *heap, posh_handle o, PyObject *owner, layout_object *l)
{
	ref_object *r = PyObject_New(ref_object, posh_state->InstanceRef);
	if (!r)
		return NULL;
	Py_INCREF(heap);
	Py_INCREF(l);
	r->heap = heap;
	r->h = heap->h;
	r->handle = o;
	r->owner = owner;
	r->layout = l;
	r->content = NULL;
	return r;
}

static void
ref_dealloc(PyObject *op)
{
	ref_object *r = (ref_object *)op;
	PyTypeObject *tp = Py_TYPE(op);
	Py_XDECREF(r->content);
	heap_leave(r->heap, r->handle, r->owner);
	heap_drop(r->heap, r->handle);
	Py_DECREF(r->heap);
	Py_DECREF(r->layout);
	PyObject_Free(op);
	Py_DECREF(tp);
}

/* Make self the proxy of an object; consumes the hold. */
static ref_object *
attach(PyObject *self, heap_object *heap, posh_handle o, layout_object *l)
{
	PyObject **slot = (PyObject **)((char *)self + l->cls->offset);
	ref_object *r = ref_new(heap, o, self, l);
	if (!r) {
		heap_drop(heap, o);
		return NULL;
	}
	if (heap_enter(heap, o, self) < 0) {
		Py_DECREF(r);
		return NULL;
	}
	*slot = (PyObject *)r;
	return r;
}

/* While init(S, x) runs, what it makes goes into the heap of the share(). */
static heap_object *
current_heap(void)
{
	PyObject *dict = PyThreadState_GetDict();
	PyObject *heap = NULL;
	if (dict)
		heap = PyDict_GetItemString(dict, "posh.heap");
	return heap_argument(posh_state, heap);
}

ref_object *
instance_bind(PyObject *self, class_object *cls)
{
	heap_object *heap = current_heap();
	layout_object *l;
	ref_object *r = NULL;
	posh_handle o;
	int rc;
	if (!heap)
		return NULL;
	l = layout_of_class(heap, cls);
	if (l) {
		CALL(rc, posh_instance_new(heap->h, l->handle,
					   layout_room(l, 0), &o));
		if (rc < 0)
			error_set(posh_state, rc);
		else
			r = attach(self, heap, o, l);
	}
	Py_XDECREF(l);
	Py_DECREF(heap);
	return r;
}

/* Finding the layout may have run Python code, which may have wrapped the
 * same object. */
static PyObject *
wrap(heap_object *heap, posh_handle o, layout_object *l)
{
	PyObject *self = heap_find(heap, o);
	if (self) {
		heap_drop(heap, o);
		return self;
	}
	self = l->cls->type->tp_alloc(l->cls->type, 0);
	if (!self) {
		heap_drop(heap, o);
		return NULL;
	}
	if (!attach(self, heap, o, l))
		Py_CLEAR(self);
	return self;
}

PyObject *
instance_wrap(heap_object *heap, posh_handle o)
{
	posh_handle cls;
	size_t slots;
	layout_object *l = NULL;
	PyObject *self;
	int rc;
	CALL(rc, posh_instance_class(heap->h, o, &cls, &slots));
	if (rc < 0)
		error_set(posh_state, rc);
	else
		l = layout_of_handle(heap, cls);
	if (!l) {
		heap_drop(heap, o);
		return NULL;
	}
	self = wrap(heap, o, l);
	Py_DECREF(l);
	return self;
}

bool
instance_check(module_state *state, PyObject *x, heap_object **heap,
	       posh_handle *o)
{
	class_object *cls = class_of_proxy(x);
	ref_object *r;
	(void)state;
	if (!cls)
		return false;
	r = instance_ref(x, cls);
	if (!r) {
		PyErr_Clear();
		return false;
	}
	*heap = r->heap;
	*o = r->handle;
	return true;
}

/*
 * Attributes.
 */

/* Read one from the dict of those that have no slot. */
static int
extra_load(heap_object *heap, posh_handle o, PyObject *name, PyObject **out)
{
	struct posh_value key, v;
	posh_handle extra;
	encoder e;
	int rc;
	CALL(rc, posh_instance_extra(heap->h, o, 0, &extra));
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return error_set(posh_state, rc), -1;
	encoder_init(&e, heap);
	rc = layout_name(heap, name, &key, &e);
	if (rc == 0)
		CALL(rc, posh_dict_get(heap->h, extra, &key, &v));
	encoder_clear(&e);
	if (rc == 0)
		*out = value_decode(heap, &v);
	heap_drop(heap, extra);
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return error_set(posh_state, rc), -1;
	return *out ? 1 : -1;
}

int
instance_load(ref_object *r, PyObject *name, PyObject **out)
{
	struct posh_value v;
	int slot = layout_slot(r->layout, r->heap, name, 0);
	int rc = -ERANGE;
	if (slot == -2)
		return -1;
	if (slot >= 0)
		CALL(rc, posh_instance_get(r->h, r->handle, (size_t)slot, &v));
	if (rc == -ENOENT)
		return 0;
	if (rc == -ERANGE)
		return extra_load(r->heap, r->handle, name, out);
	if (rc < 0)
		return error_set(posh_state, rc), -1;
	*out = value_decode(r->heap, &v);
	return *out ? 1 : -1;
}

/* Set or remove one in that dict. */
static int
extra_put(heap_object *heap, posh_handle o, PyObject *name,
	  struct posh_value *v)
{
	struct posh_value key;
	posh_handle extra;
	encoder e;
	int rc;
	CALL(rc, posh_instance_extra(heap->h, o, v != NULL, &extra));
	if (rc < 0)
		return rc;
	encoder_init(&e, heap);
	rc = layout_name(heap, name, &key, &e);
	if (rc == 0 && v)
		CALL(rc, posh_dict_set(heap->h, extra, &key, v));
	else if (rc == 0)
		CALL(rc, posh_dict_pop(heap->h, extra, &key, NULL));
	encoder_clear(&e);
	heap_drop(heap, extra);
	return rc < 0 ? rc : 0;
}

/* Set the attribute, or with v NULL remove it: 0 or a negative errno. */
static int
put(heap_object *heap, posh_handle o, layout_object *l, PyObject *name,
    struct posh_value *v)
{
	int slot = layout_slot(l, heap, name, v != NULL);
	int rc = -ERANGE;
	if (slot == -2)
		return -EINVAL;
	if (slot >= 0)
		CALL(rc, posh_instance_set(heap->h, o, (size_t)slot, v));
	return rc == -ERANGE ? extra_put(heap, o, name, v) : rc;
}

int
instance_put(heap_object *heap, posh_handle o, layout_object *l, PyObject *name,
	     struct posh_value *v)
{
	int rc = put(heap, o, l, name, v);
	if (rc == 0)
		return 0;
	if (!PyErr_Occurred())
		error_set(posh_state, rc);
	return -1;
}

int
instance_store(ref_object *r, PyObject *name, PyObject *value)
{
	struct posh_value v;
	encoder e;
	int rc;
	if (!value) {
		rc = put(r->heap, r->handle, r->layout, name, NULL);
	} else {
		encoder_init(&e, r->heap);
		rc = value_encode(r->heap, value, &v, &e);
		if (rc == 0)
			rc = put(r->heap, r->handle, r->layout, name, &v);
		encoder_clear(&e);
	}
	if (rc == 0)
		return 1;
	if (rc == -ENOENT && !value)
		return 0;
	if (!PyErr_Occurred())
		error_set(posh_state, rc);
	return -1;
}

/* Make the content.  A buffer has to be complete before anybody sees it. */
static int
make_content(ref_object *r)
{
	enum posh_kind kind = r->layout->cls->content;
	struct posh_value v = posh_fresh(kind);
	PyObject *empty;
	posh_handle o;
	int rc;
	if (kind == POSH_KIND_BUFFER) {
		empty = PyBytes_FromStringAndSize(NULL, 0);
		rc = empty ? buffer_create(r->heap, Py_None, empty, &o) : -1;
		Py_XDECREF(empty);
		if (rc < 0)
			return rc;
		v = posh_object(o);
	}
	rc = instance_put(r->heap, r->handle, r->layout,
			  posh_state->content_name, &v);
	if (kind == POSH_KIND_BUFFER)
		heap_drop(r->heap, o);
	return rc;
}

/* Find the content, or make it; inside the monitor. */
static int
find_content(ref_object *r)
{
	PyObject *name = posh_state->content_name;
	int rc = instance_load(r, name, &r->content);
	if (rc != 0)
		return rc;
	rc = make_content(r);
	return rc < 0 ? rc : instance_load(r, name, &r->content);
}

PyObject *
instance_content(ref_object *r)
{
	int rc;
	if (LIKELY(r->content != NULL))
		return r->content;
	if (!r->layout->cls->content) {
		PyErr_SetString(PyExc_TypeError, "the object has no content");
		return NULL;
	}
	CALL(rc, posh_object_lock(r->h, r->handle, -1));
	if (rc < 0)
		return error_set(posh_state, rc);
	if (!r->content)
		find_content(r);
	posh_object_unlock(r->h, r->handle);
	return r->content;
}

/*
 * The buffer of one whose class derives from bytearray is the content's.
 */

static int
getbuffer(PyObject *self, Py_buffer *view, int flags)
{
	class_object *cls = class_find(Py_TYPE(self));
	ref_object *r = instance_ref(self, cls);
	PyObject *content = r ? instance_content(r) : NULL;
	view->obj = NULL;
	if (!content || PyObject_GetBuffer(content, view, flags) < 0)
		return -1;
	/* The view keeps self, which keeps the content. */
	Py_SETREF(view->obj, Py_NewRef(self));
	return 0;
}

static void
releasebuffer(PyObject *self, Py_buffer *view)
{
	PyObject *content =
		instance_ref(self, class_find(Py_TYPE(self)))->content;
	Py_TYPE(content)->tp_as_buffer->bf_releasebuffer(content, view);
}

void
instance_give_buffer(PyTypeObject *type)
{
	PyBufferProcs *procs = type->tp_as_buffer;
	if (procs->bf_getbuffer)
		return;
	procs->bf_getbuffer = getbuffer;
	procs->bf_releasebuffer = releasebuffer;
}

int
instance_content_of(PyObject *x, posh_handle *o)
{
	class_object *cls = class_of_proxy(x);
	ref_object *r;
	PyObject *content;
	if (!cls || !cls->content)
		return 0;
	r = instance_ref(x, cls);
	content = r ? instance_content(r) : NULL;
	if (!content)
		return -1;
	*o = ((proxy_object *)content)->handle;
	return 1;
}

/* Add what lies in the slots to a dict, or copies. */
static int
read_slots(heap_object *heap, posh_handle o, layout_object *l, PyObject *out,
	   copier *c)
{
	for (Py_ssize_t i = 0; i < POSH_CLASS_SLOTS; i++) {
		struct posh_value name, v;
		PyObject *key, *value;
		int rc;
		CALL(rc, posh_instance_get(heap->h, o, (size_t)i, &v));
		if (rc == -ERANGE)
			return 0;
		if (rc == -ENOENT)
			continue;
		if (rc < 0)
			return error_set(posh_state, rc), -1;
		value = c ? copier_copy(c, &v) : value_decode(heap, &v);
		if (!value)
			return -1;
		CALL(rc, posh_list_get(heap->h, l->handle, i + 1, &name));
		key = rc < 0 ? error_set(posh_state, rc)
			     : value_decode(heap, &name);
		if (key)
			PyUnicode_InternInPlace(&key);
		rc = key ? PyDict_SetItem(out, key, value) : -1;
		Py_XDECREF(key);
		Py_DECREF(value);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int
copy_extra(heap_object *heap, posh_handle extra, PyObject *out, copier *c)
{
	struct posh_value *v;
	PyObject *items;
	int64_t n;
	int rc;
	CALL(n, posh_dict_snapshot(heap->h, extra, &v, NULL));
	if (n < 0)
		return error_set(posh_state, n), -1;
	items = copier_list(c, v, 2 * (size_t)n);
	free(v);
	rc = items ? copier_insert(out, items) : -1;
	Py_XDECREF(items);
	return rc;
}

/* Add what lies in the dict of the others, or copies. */
static int
read_extra(heap_object *heap, posh_handle o, PyObject *out, copier *c)
{
	posh_handle extra;
	PyObject *proxy;
	int rc;
	CALL(rc, posh_instance_extra(heap->h, o, 0, &extra));
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return error_set(posh_state, rc), -1;
	if (c) {
		rc = copy_extra(heap, extra, out, c);
		heap_drop(heap, extra);
		return rc;
	}
	proxy = proxy_wrap(heap, extra, POSH_KIND_DICT);
	if (!proxy)
		return -1;
	rc = PyDict_Update(out, proxy);
	Py_DECREF(proxy);
	return rc;
}

/* Have the attributes in the order in which the object had them when it was
 * shared, and what came later behind them; takes over the dict. */
static PyObject *
in_order(PyObject *attributes)
{
	PyObject *name = posh_state->order_name, *value;
	PyObject *order = Py_NewRef(PyDict_GetItem(attributes, name));
	PyObject *out = PyDict_New();
	Py_ssize_t n = PyTuple_Check(order) ? PyTuple_GET_SIZE(order) : 0;
	int rc = out ? PyDict_DelItem(attributes, name) : -1;
	for (Py_ssize_t i = 0; i < n && rc == 0; i++) {
		name = PyTuple_GET_ITEM(order, i);
		value = PyDict_GetItem(attributes, name);
		if (value)
			rc = PyDict_SetItem(out, name, value);
	}
	if (rc == 0)
		rc = PyDict_Merge(out, attributes, 0);
	if (rc < 0)
		Py_CLEAR(out);
	Py_DECREF(order);
	Py_DECREF(attributes);
	return out;
}

PyObject *
instance_attributes(heap_object *heap, posh_handle o, layout_object *l,
		    copier *c)
{
	PyObject *out = PyDict_New();
	int rc;
	if (!out)
		return NULL;
	CALL(rc, posh_object_lock(heap->h, o, -1));
	if (rc < 0) {
		Py_DECREF(out);
		return error_set(posh_state, rc);
	}
	rc = read_slots(heap, o, l, out, c);
	if (rc == 0)
		rc = read_extra(heap, o, out, c);
	posh_object_unlock(heap->h, o);
	if (rc == 0 && PyDict_GetItem(out, posh_state->content_name))
		rc = PyDict_DelItem(out, posh_state->content_name);
	if (rc < 0)
		Py_CLEAR(out);
	return out && PyDict_GetItem(out, posh_state->order_name)
		       ? in_order(out)
		       : out;
}

/*
 * Plain objects of the class.
 */

PyObject *
instance_plain(class_object *cls)
{
	PyObject *args = PyTuple_New(0), *x;
	if (!args)
		return NULL;
	x = (cls->builtin ? cls->builtin : &PyBaseObject_Type)
		    ->tp_new(cls->base, args, NULL);
	Py_DECREF(args);
	return x;
}

int
instance_plain_set(PyObject *x, PyObject *name, PyObject *value)
{
	PyObject *descr = _PyType_Lookup(Py_TYPE(x), name), *dict;
	int rc;
	if (descr && Py_TYPE(descr) == &PyMemberDescr_Type)
		return Py_TYPE(descr)->tp_descr_set(descr, x, value);
	dict = PyObject_GenericGetDict(x, NULL);
	if (!dict)
		return -1;
	rc = PyDict_SetItem(dict, name, value);
	Py_DECREF(dict);
	return rc;
}

/* Add the values of the members that the __slots__ of a type made.  From
 * CPython 3.12 list and dict, which have none, have no tp_dict either. */
static int
add_members(PyObject *x, PyTypeObject *type, PyObject *out)
{
	PyObject *name, *d, *value;
	Py_ssize_t at = 0;
	while (type->tp_dict && PyDict_Next(type->tp_dict, &at, &name, &d)) {
		if (Py_TYPE(d) != &PyMemberDescr_Type ||
		    !PyUnicode_CompareWithASCIIString(name, "__dict__"))
			continue;
		value = Py_TYPE(d)->tp_descr_get(d, x, (PyObject *)type);
		if (!value) {
			if (!PyErr_ExceptionMatches(PyExc_AttributeError))
				return -1;
			PyErr_Clear();
			continue;
		}
		if (PyDict_SetItem(out, name, value) < 0) {
			Py_DECREF(value);
			return -1;
		}
		Py_DECREF(value);
	}
	return 0;
}

PyObject *
instance_plain_state(PyObject *x)
{
	PyObject *out = PyDict_New();
	PyObject *mro = Py_TYPE(x)->tp_mro, *dict;
	class_object *cls = class_find(Py_TYPE(x));
	int rc = out ? 0 : -1;
	for (Py_ssize_t i = PyTuple_GET_SIZE(mro); i-- > 0 && rc == 0;) {
		PyTypeObject *t = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);
		if (PyType_HasFeature(t, Py_TPFLAGS_HEAPTYPE) ||
		    (cls && t == cls->builtin))
			rc = add_members(x, t, out);
	}
	if (rc == 0 && Py_TYPE(x)->tp_dictoffset) {
		dict = PyObject_GenericGetDict(x, NULL);
		rc = dict ? PyDict_Update(out, dict) : -1;
		Py_XDECREF(dict);
	}
	/* typing's note of Box[int](...), which is no part of the object */
	if (rc == 0 && PyDict_GetItemString(out, "__orig_class__"))
		rc = PyDict_DelItemString(out, "__orig_class__");
	if (rc < 0)
		Py_CLEAR(out);
	return out;
}

static PyType_Slot ref_slots[] = {{Py_tp_dealloc, ref_dealloc}, {0, NULL}};

static PyType_Spec ref_spec = {
	.name = "posh._posh.InstanceRef",
	.basicsize = sizeof(ref_object),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = ref_slots,
};

int
instance_exec(PyObject *module, module_state *state)
{
	state->dunder = PyUnicode_InternFromString("__");
	state->content_name = PyUnicode_InternFromString("<content>");
	state->order_name = PyUnicode_InternFromString("<order>");
	if (!state->dunder || !state->content_name || !state->order_name ||
	    type_add(module, &ref_spec, &state->InstanceRef) < 0 ||
	    class_exec(module, state) < 0 || layout_exec(module, state) < 0 ||
	    attribute_exec(module, state) < 0 ||
	    PyModule_AddObject(module, "_CONTENT",
			       Py_NewRef(state->content_name)) < 0)
		return -1;
	return monitor_exec(module, state);
}

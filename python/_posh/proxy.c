/* SPDX-License-Identifier: MIT */
/* proxy.c - what proxies of lists and dicts have in common.
 *
 * A proxy that nobody uses any more goes to a free list, for it is what
 * matrix[row][column] makes and drops each time.  Subtypes made in Python
 * are allocated as usual.
 */
#include "buffer.h"

/* Subtypes made in Python have none. */
static struct free_list *
free_list_of(module_state *st, PyTypeObject *type, enum posh_kind kind)
{
	return type == st->shared_type[kind] ? &st->free[kind] : NULL;
}

static proxy_object *
alloc(PyTypeObject *type, struct free_list *list)
{
	proxy_object *p;

	if (UNLIKELY(!list || !list->count))
		return (proxy_object *)type->tp_alloc(type, 0);
	/* It kept its type, and the reference to it. */
	p = list->item[--list->count];
#ifdef Py_TRACE_REFS
	_Py_NewReference((PyObject *)p);
#else
	Py_SET_REFCNT(p, 1);
#endif
	return p;
}

PyObject *
proxy_new(PyTypeObject *type, heap_object *heap, posh_handle o,
	  enum posh_kind kind)
{
	proxy_object *p = alloc(type, free_list_of(heap->state, type, kind));

	if (UNLIKELY(!p)) {
		heap_drop(heap, o);
		return NULL;
	}
	p->heap = (heap_object *)Py_NewRef((PyObject *)heap);
	p->handle = o;
	p->kind = kind;
	p->writes = 0;
	p->added = p->removed = 0;
	p->weakrefs = NULL;
	if (UNLIKELY(heap_enter(heap, o, (PyObject *)p) < 0)) {
		Py_DECREF(p);
		return NULL;
	}
	return (PyObject *)p;
}

PyObject *
proxy_create(PyTypeObject *type, PyObject *arg, enum posh_kind kind)
{
	module_state *st = posh_state;
	heap_object *heap = heap_argument(st, arg);
	struct posh_value v = posh_fresh(kind);
	PyObject *p = NULL;
	posh_handle o;
	int rc;

	if (!heap)
		return NULL;
	CALL(rc, kind_table(kind)->make(heap, &v, &o));
	if (rc)
		error_set(st, rc);
	else
		p = proxy_new(type == st->shared_type[kind]
				      ? st->proxy_type[kind]
				      : type,
			      heap, o, kind);
	Py_DECREF(heap);
	return p;
}

void
proxy_dealloc(PyObject *self)
{
	PyTypeObject *tp = Py_TYPE(self);
	proxy_object *p = (proxy_object *)self;
	heap_object *heap = p->heap;
	struct free_list *list = NULL;

	if (UNLIKELY(p->weakrefs != NULL))
		PyObject_ClearWeakRefs(self);
	if (LIKELY(heap != NULL)) {
		heap_leave(heap, p->handle, self);
		heap_drop(heap, p->handle);
		list = free_list_of(heap->state, tp, p->kind);
		Py_DECREF(heap);
	}
	if (LIKELY(list && list->count < FREE_PROXIES)) {
		list->item[list->count++] = p;
		return;
	}
	tp->tp_free(self);
	Py_DECREF(tp);
}

void
proxy_free_lists_clear(module_state *st)
{
	int kind;

	for (kind = 0; kind < KINDS; kind++)
		while (st->free[kind].count) {
			PyObject_Free(
				st->free[kind].item[--st->free[kind].count]);
			Py_DECREF(st->shared_type[kind]);
		}
}

PyObject *
proxy_wrap(heap_object *heap, posh_handle o, enum posh_kind kind)
{
	module_state *st = heap->state;
	PyObject *p = heap_find(heap, o);
	const struct kind *table;

	if (p) {
		heap_drop(heap, o);
		return UNLIKELY(kind == POSH_KIND_BUFFER) ? buffer_present(p)
							  : p;
	}
	table = kind_table(kind);
	if (LIKELY(table && !table->wrap))
		return proxy_new(st->proxy_type[kind], heap, o, kind);
	if (table)
		return table->wrap(heap, o);
	heap_drop(heap, o);
	return error_set(st, -EUCLEAN);
}

enum posh_kind
proxy_check(module_state *st, PyObject *x, heap_object **heap, posh_handle *o)
{
	proxy_object *p = (proxy_object *)x;

	if (!PyObject_TypeCheck(x, st->Proxy)) {
		buffer_object *memory = buffer_behind(x);

		if (instance_check(st, x, heap, o))
			return POSH_KIND_INSTANCE;
		if (!memory)
			return POSH_KIND_NONE;
		p = &memory->p;
	}
	*heap = p->heap;
	*o = p->handle;
	return p->kind;
}

PyObject *
plain_operand(module_state *st, PyObject *x)
{
	if (is_list_proxy(st, x))
		return list_snapshot((proxy_object *)x);
	if (is_dict_proxy(st, x))
		return dict_snapshot((proxy_object *)x);
	if (is_set_proxy(st, x))
		return set_snapshot((proxy_object *)x);
	if (is_deque_proxy(st, x))
		return deque_snapshot((proxy_object *)x);
	if (Py_TYPE(x) == st->DictKeys || Py_TYPE(x) == st->DictValues ||
	    Py_TYPE(x) == st->DictItems)
		return dict_view_plain(x);
	return Py_NewRef(x);
}

/*
 * Help for operations.
 */

PyObject *
proxy_error(proxy_object *p, int64_t rc)
{
	return error_set(p->heap->state, rc);
}

int
proxy_failed(proxy_object *p, int64_t rc)
{
	error_set(p->heap->state, rc);
	return -1;
}

int
proxy_lock(proxy_object *p)
{
	int rc;

	CALL(rc, posh_object_lock(HEAP(p), p->handle, -1));
	return rc ? proxy_failed(p, rc) : 0;
}

void
proxy_unlock(proxy_object *p)
{
	posh_object_unlock(HEAP(p), p->handle);
}

PyObject *
proxy_repr(PyObject *self, PyObject *(*snapshot)(proxy_object *p),
	   const char *empty)
{
	PyObject *plain, *text = NULL;
	int rc = Py_ReprEnter(self);

	if (rc)
		return rc > 0 ? PyUnicode_FromString(empty) : NULL;
	plain = snapshot((proxy_object *)self);
	if (!plain && value_unknown()) {
		bool before = missing_show(true);

		plain = snapshot((proxy_object *)self);
		missing_show(before);
	}
	if (plain)
		text = PyObject_Repr(plain);
	Py_XDECREF(plain);
	Py_ReprLeave(self);
	return text;
}

PyObject *
proxy_compare(PyObject *self, PyObject *other, int op)
{
	PyObject *a = plain_operand(posh_state, self);
	PyObject *b = a ? plain_operand(posh_state, other) : NULL;
	PyObject *r = b ? PyObject_RichCompare(a, b, op) : NULL;

	Py_XDECREF(a);
	Py_XDECREF(b);
	return r;
}

PyObject *
proxy_delegate(PyObject *plain, const char *name, PyObject *const *args,
	       Py_ssize_t nargs, PyObject *kwnames)
{
	PyObject *key = PyUnicode_InternFromString(name);
	PyObject *method = key ? PyObject_GetAttr(plain, key) : NULL;
	PyObject *r = NULL;

	if (method)
		r = PyObject_Vectorcall(method, args, (size_t)nargs, kwnames);
	Py_XDECREF(method);
	Py_XDECREF(key);
	return r;
}

PyObject *
proxy_misuse(PyObject *plain, const char *name, PyObject *const *args,
	     Py_ssize_t nargs, PyObject *kwnames)
{
	PyObject *r;

	if (!plain)
		return NULL;
	r = proxy_delegate(plain, name, args, nargs, kwnames);
	Py_DECREF(plain);
	if (!r)
		return NULL;
	Py_DECREF(r);
	PyErr_Format(PyExc_TypeError, "bad arguments for %s()", name);
	return NULL;
}

/*
 * Methods.
 */

PyObject *
proxy_reduce_ex(PyObject *self, PyObject *Py_UNUSED(protocol))
{
	module_state *st = posh_state;

	if (!st->reduce) {
		PyErr_SetString(PyExc_TypeError,
				"cannot pickle a shared object: "
				"the posh package is not loaded");
		return NULL;
	}
	return PyObject_CallOneArg(st->reduce, self);
}

PyObject *
proxy_class_getitem(PyObject *type, PyObject *item)
{
	return Py_GenericAlias(type, item);
}

/*
 * In-place operators.
 *
 * For a += b with a plain list a, CPython asks b first, by the same slot as
 * for a + b.  Only the bytecode tells which it is.
 */

static long
opcode_of(const char *name)
{
	PyObject *module = PyImport_ImportModule("opcode");
	PyObject *map = NULL;
	PyObject *number = NULL;
	long code = -1;

	if (module)
		map = PyObject_GetAttrString(module, "opmap");
	if (map)
		number = PyMapping_GetItemString(map, name);
	if (number)
		code = PyLong_AsLong(number);
	PyErr_Clear();
	Py_XDECREF(number);
	Py_XDECREF(map);
	Py_XDECREF(module);
	return code;
}

static bool
is_in_place(const unsigned char *code, Py_ssize_t size, long at)
{
	enum { NB_INPLACE_ADD = 13, NB_INPLACE_XOR = 25 };
	static long binary_op;

	if (!binary_op)
		binary_op = opcode_of("BINARY_OP");
	return at >= 0 && at + 1 < size && code[at] == binary_op &&
	       code[at + 1] >= NB_INPLACE_ADD && code[at + 1] <= NB_INPLACE_XOR;
}

int
proxy_frame_in_place(PyObject *frame)
{
	PyObject *lasti = NULL;
	PyObject *code = NULL;
	PyObject *bytes = NULL;
	int yes = -1;

	lasti = PyObject_GetAttrString(frame, "f_lasti");
	code = PyObject_GetAttrString(frame, "f_code");
	if (code)
		bytes = PyObject_GetAttrString(code, "co_code");
	if (lasti && bytes && PyBytes_Check(bytes))
		yes = is_in_place((unsigned char *)PyBytes_AS_STRING(bytes),
				  PyBytes_GET_SIZE(bytes),
				  PyLong_AsLong(lasti));
	Py_XDECREF(lasti);
	Py_XDECREF(code);
	Py_XDECREF(bytes);
	return yes;
}

int
proxy_in_place(void)
{
	PyObject *frame = (PyObject *)PyEval_GetFrame();

	return frame ? proxy_frame_in_place(frame) : 0;
}

PyObject *
proxy_reflected_add(PyObject *plain, PyObject *y)
{
	int in_place = proxy_in_place();

	if (in_place < 0)
		return NULL;
	return in_place ? PySequence_InPlaceConcat(plain, y)
			: PySequence_Concat(plain, y);
}

/*
 * The type that all of them derive from.
 */

PyMemberDef proxy_members[] = {{"__weaklistoffset__", T_PYSSIZET,
				offsetof(proxy_object, weakrefs), READONLY,
				NULL},
			       {NULL, 0, 0, 0, NULL}};

static PyType_Slot slots[] = {
	{Py_tp_dealloc, proxy_dealloc},
	{Py_tp_doc, "What the proxies of builtin types have in common."},
	{0, NULL}};

static PyType_Spec spec = {
	.name = "posh._posh.Proxy",
	.basicsize = sizeof(proxy_object),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE |
		 Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = slots,
};

void
proxy_disguise(PyTypeObject *type, const char *name)
{
	type->tp_name = name;
}

PyTypeObject *
proxy_type_new(PyObject *module, PyType_Spec *type_spec, const char *name,
	       enum posh_kind kind)
{
	module_state *st = posh_state;
	PyTypeObject *type;

	type = (PyTypeObject *)PyType_FromModuleAndSpec(module, type_spec,
							(PyObject *)st->Proxy);
	if (!type)
		return NULL;
	proxy_disguise(type, name);
	st->shared_type[kind] = type;
	st->proxy_type[kind] = (PyTypeObject *)Py_NewRef(type);
	return type;
}

int
proxy_exec(PyObject *module, module_state *st)
{
	st->Proxy =
		(PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
	return st->Proxy ? 0 : -1;
}

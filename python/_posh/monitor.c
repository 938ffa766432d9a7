/* SPDX-License-Identifier: MIT */
/* monitor.c - methods and properties of shared objects, inside a policy.
 *
 * T has a Monitored for each function of Dog, and a MonitoredProperty for
 * each property.  A call enters what the class's policy says, calls Dog's
 * function, and leaves, whatever the function did.  What Dog has under the
 * name is looked up again when T's tag says that something changed, so a
 * patched Dog is a patched T.
 *
 * A generator or coroutine is inside only while it is created.
 *
 * A __getattribute__ or __setattr__ of Dog's own may go on to object's, which
 * knows an attribute by T's descriptor only: T learns the name ahead of it.
 */
#include "sharing.h"

typedef struct {
	PyObject_HEAD vectorcallfunc vectorcall;
	class_object *cls;
	PyObject *name;
	PyObject *original; /* what Dog had when this was made */
	PyObject *current;  /* what it has */
	unsigned tag;       /* of T, when that was looked up */
	char learns;        /* 1: reads attributes by name, 2: writes them */
	PyObject *weakrefs;
} monitored_object;

/*
 * Sections.
 */

/* An instance comes ahead of its content, everywhere. */
static int
enter_content(struct section *s)
{
	PyObject *content = instance_content(s->ref);
	int rc = -EINVAL;
	if (content) {
		s->content = ((proxy_object *)content)->handle;
		CALL(rc, posh_object_lock(s->ref->h, s->content, -1));
	}
	if (rc < 0)
		posh_object_unlock(s->ref->h, s->ref->handle);
	return rc;
}

static int
enter_monitor(struct section *s)
{
	int rc;
	CALL(rc, posh_object_lock(s->ref->h, s->ref->handle, -1));
	if (rc == 0 && s->cls->content)
		rc = enter_content(s);
	if (rc == 0)
		return 0;
	Py_CLEAR(s->ref);
	if (!PyErr_Occurred())
		error_set(posh_state, rc);
	return -1;
}

static PyObject *
call_policy(class_object *cls, const char *method, PyObject *self,
	    PyObject *arg)
{
	PyObject *f = PyObject_GetAttrString(cls->synch, method), *r;
	if (!f)
		return NULL;
	r = PyObject_CallFunctionObjArgs(f, self, arg, NULL);
	Py_DECREF(f);
	return r;
}

int
section_enter(struct section *s, PyObject *self, class_object *cls,
	      PyObject *opname)
{
	s->cls = cls;
	s->state = NULL;
	s->ref = NULL;
	s->content.off = 0;
	if (cls->policy == POLICY_CUSTOM) {
		s->state = call_policy(cls, "enter", self, opname);
		return s->state ? 0 : -1;
	}
	if (cls->policy == POLICY_NONE)
		return 0;
	s->ref = instance_ref(self, cls);
	if (!s->ref)
		return -1;
	Py_INCREF(s->ref);
	return enter_monitor(s);
}

/* A child that was forked inside is not inside, and a heap that was closed
 * inside has no monitors: neither is worth an exception. */
static void
leave_monitor(struct section *s)
{
	if (s->content.off)
		posh_object_unlock(s->ref->h, s->content);
	posh_object_unlock(s->ref->h, s->ref->handle);
	Py_CLEAR(s->ref);
}

/* Make an earlier exception (stolen) the context of the one that is set. */
static void
chain(PyObject *type, PyObject *value, PyObject *tb)
{
	PyObject *type2, *value2, *tb2;
	if (!type)
		return;
	PyErr_Fetch(&type2, &value2, &tb2);
	PyErr_NormalizeException(&type, &value, &tb);
	PyErr_NormalizeException(&type2, &value2, &tb2);
	if (tb)
		PyException_SetTraceback(value, tb);
	if (value2 != value)
		PyException_SetContext(value2, Py_NewRef(value));
	Py_XDECREF(type);
	Py_XDECREF(value);
	Py_XDECREF(tb);
	PyErr_Restore(type2, value2, tb2);
}

int
section_leave(struct section *s, PyObject *self)
{
	PyObject *type, *value, *tb, *r;
	if (s->ref)
		leave_monitor(s);
	if (!s->state)
		return 0;
	PyErr_Fetch(&type, &value, &tb);
	r = call_policy(s->cls, "leave", self, s->state);
	Py_CLEAR(s->state);
	if (!r) {
		chain(type, value, tb);
		return -1;
	}
	Py_DECREF(r);
	PyErr_Restore(type, value, tb);
	return 0;
}

/*
 * Monitored, both types.
 */

/* Return what Dog has under the name now, a new reference. */
static PyObject *
function(monitored_object *m)
{
	unsigned tag;
	PyObject *f;
	if (class_refresh(m->cls) < 0)
		return NULL;
	tag = type_tag(m->cls->type);
	if (LIKELY(tag && tag == m->tag))
		return Py_NewRef(m->current);
	f = _PyType_Lookup(m->cls->source, m->name);
	if (!f) {
		PyErr_Format(PyExc_AttributeError,
			     "type object '%.100s' has no attribute '%U'",
			     m->cls->base->tp_name, m->name);
		return NULL;
	}
	Py_INCREF(f);
	Py_INCREF(f);
	Py_XSETREF(m->current, f);
	_PyType_Lookup(m->cls->type, m->name); /* gives T a tag */
	m->tag = type_tag(m->cls->type);
	return f;
}

/* The class of what a method is called on, or NULL. */
static inline class_object *
class_of_self(monitored_object *m, PyObject *self)
{
	if (LIKELY(Py_TYPE(self) == m->cls->type))
		return m->cls;
	return class_of_proxy(self);
}

/* Call what is no function: bind it first, as attribute access does. */
static PyObject *
call_other(PyObject *f, PyObject *const *args, size_t nargs, PyObject *kwnames)
{
	descrgetfunc get = Py_TYPE(f)->tp_descr_get;
	PyObject *bound, *r;
	bound = get ? get(f, args[0], (PyObject *)Py_TYPE(args[0]))
		    : Py_NewRef(f);
	if (!bound)
		return NULL;
	r = PyObject_Vectorcall(bound, args + 1, nargs - 1, kwnames);
	Py_DECREF(bound);
	return r;
}

static PyObject *
call(PyObject *f, PyObject *const *args, size_t nargs, PyObject *kwnames)
{
	if (LIKELY(PyFunction_Check(f)) || nargs == 0)
		return PyObject_Vectorcall(f, args, nargs, kwnames);
	return call_other(f, args, nargs, kwnames);
}

static inline int
learn(monitored_object *m, class_object *cls, PyObject *const *args,
      size_t nargs)
{
	if (LIKELY(!m->learns) || nargs < 2)
		return 0;
	return attribute_learn(args[0], cls, args[1], m->learns == 2);
}

static char
learns(PyObject *name)
{
	if (!PyUnicode_CompareWithASCIIString(name, "__getattribute__"))
		return 1;
	return PyUnicode_CompareWithASCIIString(name, "__setattr__") ? 0 : 2;
}

static PyObject *
monitored_vectorcall(PyObject *op, PyObject *const *args, size_t nargsf,
		     PyObject *kwnames)
{
	monitored_object *m = (monitored_object *)op;
	size_t nargs = (size_t)PyVectorcall_NARGS(nargsf);
	class_object *cls = nargs ? class_of_self(m, args[0]) : NULL;
	PyObject *f = function(m), *r;
	struct section s;
	if (!f)
		return NULL;
	if (!cls) {
		r = call(f, args, nargs, kwnames);
	} else if (section_enter(&s, args[0], cls, m->name) < 0) {
		r = NULL;
	} else {
		r = learn(m, cls, args, nargs) < 0
			    ? NULL
			    : call(f, args, nargs, kwnames);
		if (section_leave(&s, args[0]) < 0)
			Py_CLEAR(r);
	}
	Py_DECREF(f);
	return r;
}

static PyObject *
monitored_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
	PyObject *cls, *name, *f;
	monitored_object *m;
	(void)kwds;
	if (!PyArg_ParseTuple(args, "O!UO", posh_state->InstanceClass, &cls,
			      &name, &f))
		return NULL;
	m = (monitored_object *)type->tp_alloc(type, 0);
	if (!m)
		return NULL;
	m->vectorcall = monitored_vectorcall;
	m->cls = (class_object *)Py_NewRef(cls);
	m->name = Py_NewRef(name);
	m->original = Py_NewRef(f);
	m->current = Py_NewRef(f);
	m->tag = 0;
	m->learns = learns(name);
	return (PyObject *)m;
}

static void
monitored_dealloc(PyObject *op)
{
	monitored_object *m = (monitored_object *)op;
	PyTypeObject *tp = Py_TYPE(op);
	if (m->weakrefs)
		PyObject_ClearWeakRefs(op);
	Py_XDECREF(m->cls);
	Py_XDECREF(m->name);
	Py_XDECREF(m->original);
	Py_XDECREF(m->current);
	tp->tp_free(op);
	Py_DECREF(tp);
}

static PyObject *
monitored_get(PyObject *op, PyObject *obj, PyObject *type)
{
	monitored_object *m = (monitored_object *)op;
	unsigned tag = type_tag(m->cls->type);
	PyObject *f, *r;
	descrgetfunc get;
	(void)type;
	if (!obj || obj == Py_None)
		return Py_NewRef(op);
	if (LIKELY(tag && tag == m->tag && PyFunction_Check(m->current)))
		return PyMethod_New(op, obj);
	f = function(m);
	if (!f)
		return NULL;
	get = Py_TYPE(f)->tp_descr_get;
	if (PyFunction_Check(f))
		r = PyMethod_New(op, obj);
	else
		r = get ? get(f, obj, (PyObject *)Py_TYPE(obj)) : Py_NewRef(f);
	Py_DECREF(f);
	return r;
}

/* A wrapper looks like its function: name, signature, coroutine flag. */
static PyObject *
monitored_getattro(PyObject *op, PyObject *name)
{
	PyObject *r = PyObject_GenericGetAttr(op, name), *f;
	if (r || !PyErr_ExceptionMatches(PyExc_AttributeError))
		return r;
	PyErr_Clear();
	f = function((monitored_object *)op);
	if (!f)
		return NULL;
	r = PyObject_GetAttr(f, name);
	Py_DECREF(f);
	return r;
}

static PyObject *
monitored_class(PyObject *op, void *unused)
{
	(void)unused;
	return Py_NewRef(
		(PyObject *)Py_TYPE(((monitored_object *)op)->current));
}

static PyObject *
monitored_doc(PyObject *op, void *unused)
{
	(void)unused;
	return PyObject_GetAttrString(((monitored_object *)op)->current,
				      "__doc__");
}

static PyObject *
monitored_module(PyObject *op, void *unused)
{
	(void)unused;
	return PyObject_GetAttrString(((monitored_object *)op)->current,
				      "__module__");
}

static PyObject *
monitored_repr(PyObject *op)
{
	return PyObject_Repr(((monitored_object *)op)->current);
}

static PyMemberDef monitored_members[] = {
	{"__wrapped__", T_OBJECT, offsetof(monitored_object, current), READONLY,
	 NULL},
	{"_original", T_OBJECT, offsetof(monitored_object, original), READONLY,
	 NULL},
	{"__weaklistoffset__", T_PYSSIZET, offsetof(monitored_object, weakrefs),
	 READONLY, NULL},
	{"__vectorcalloffset__", T_PYSSIZET,
	 offsetof(monitored_object, vectorcall), READONLY, NULL},
	{NULL, 0, 0, 0, NULL}};

static PyGetSetDef monitored_getset[] = {
	{"__class__", monitored_class, NULL, NULL, NULL},
	{"__doc__", monitored_doc, NULL, NULL, NULL},
	{"__module__", monitored_module, NULL, NULL, NULL},
	{NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot monitored_slots[] = {{Py_tp_new, monitored_new},
					{Py_tp_dealloc, monitored_dealloc},
					{Py_tp_call, PyVectorcall_Call},
					{Py_tp_descr_get, monitored_get},
					{Py_tp_getattro, monitored_getattro},
					{Py_tp_repr, monitored_repr},
					{Py_tp_members, monitored_members},
					{Py_tp_getset, monitored_getset},
					{0, NULL}};

#ifdef Py_TPFLAGS_HAVE_VECTORCALL
#define VECTORCALL Py_TPFLAGS_HAVE_VECTORCALL
#else
#define VECTORCALL _Py_TPFLAGS_HAVE_VECTORCALL
#endif

static PyType_Spec monitored_spec = {
	.name = "posh._posh.Monitored",
	.basicsize = sizeof(monitored_object),
	.flags = Py_TPFLAGS_DEFAULT | VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
	.slots = monitored_slots,
};

/*
 * Properties: the same object, but a data descriptor.
 */

static PyObject *
property_get(PyObject *op, PyObject *obj, PyObject *type)
{
	monitored_object *m = (monitored_object *)op;
	class_object *cls = obj ? class_of_self(m, obj) : NULL;
	PyObject *f = function(m), *r = NULL;
	descrgetfunc get;
	struct section s;
	if (!f)
		return NULL;
	get = Py_TYPE(f)->tp_descr_get;
	if (!get)
		return f;
	if (!cls) {
		r = get(f, obj, type);
	} else if (section_enter(&s, obj, cls, m->name) == 0) {
		r = get(f, obj, type);
		if (section_leave(&s, obj) < 0)
			Py_CLEAR(r);
	}
	Py_DECREF(f);
	return r;
}

/* Dog has no data descriptor here any more: set the attribute. */
static int
set_plain(PyObject *obj, class_object *cls, PyObject *name, PyObject *value)
{
	ref_object *r = cls ? instance_ref(obj, cls) : NULL;
	int rc = r ? instance_store(r, name, value) : -1;
	if (rc == 0)
		PyErr_SetObject(PyExc_AttributeError, name);
	return rc > 0 ? 0 : -1;
}

static int
property_set(PyObject *op, PyObject *obj, PyObject *value)
{
	monitored_object *m = (monitored_object *)op;
	class_object *cls = class_of_self(m, obj);
	PyObject *f = function(m);
	descrsetfunc set;
	struct section s;
	int rc = -1;
	if (!f)
		return -1;
	set = Py_TYPE(f)->tp_descr_set;
	if (!set) {
		rc = set_plain(obj, cls, m->name, value);
	} else if (!cls) {
		rc = set(f, obj, value);
	} else if (section_enter(&s, obj, cls, m->name) == 0) {
		rc = set(f, obj, value);
		if (section_leave(&s, obj) < 0)
			rc = -1;
	}
	Py_DECREF(f);
	return rc;
}

static PyType_Slot property_slots[] = {{Py_tp_new, monitored_new},
				       {Py_tp_dealloc, monitored_dealloc},
				       {Py_tp_descr_get, property_get},
				       {Py_tp_descr_set, property_set},
				       {Py_tp_getattro, monitored_getattro},
				       {Py_tp_repr, monitored_repr},
				       {Py_tp_members, monitored_members},
				       {Py_tp_getset, monitored_getset},
				       {0, NULL}};

static PyType_Spec property_spec = {
	.name = "posh._posh.MonitoredProperty",
	.basicsize = sizeof(monitored_object),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = property_slots,
};

int
monitor_exec(PyObject *module, module_state *state)
{
	if (type_add(module, &monitored_spec, &state->Monitored) < 0 ||
	    type_add(module, &property_spec, &state->MonitoredProperty) < 0)
		return -1;
	if (PyModule_AddType(module, state->Monitored) < 0)
		return -1;
	return PyModule_AddType(module, state->MonitoredProperty);
}

/* SPDX-License-Identifier: MIT */
/* attribute.c - attribute access of proxies of user classes.
 *
 * A name is looked up as Python does, with the heap in the place of the
 * instance's __dict__: a data descriptor of the class comes first, then the
 * heap, then anything else in the class.  What a name meant is noted in the
 * layout's cache, under the tag of T, so that the next lookup is one
 * comparison.
 *
 * Two base types bring this into T's method resolution order *behind* Dog,
 * so that super().__setattr__ in Dog's methods arrives here as well:
 * InstanceBase has it as type slots.  CPython refuses object.__setattr__(p)
 * to objects with a slot of their own, so classes whose code spells that get
 * InstanceSlowBase, which has ordinary methods instead.
 *
 * For calls that go to object.__getattribute__ or object.__setattr__
 * directly, T has an Attribute, a data descriptor, for each name that was
 * known when T was made.
 */
#include "sharing.h"

/*
 * What the class says about a name.
 */

typedef struct {
	PyObject_HEAD PyObject *name;
} attribute_object;

PyObject *
instance_descr(class_object *cls, PyObject *name)
{
	PyObject *d = _PyType_Lookup(cls->type, name);
	if (d && Py_TYPE(d) == posh_state->Attribute)
		d = _PyType_Lookup(cls->source, name);
	if (d && Py_TYPE(d) == &PyMemberDescr_Type)
		d = NULL; /* of __slots__: it leads to the proxy's memory */
	return d;
}

static PyObject *
raise_missing(PyObject *self, PyObject *name)
{
	PyErr_Format(PyExc_AttributeError,
		     "'%.100s' object has no attribute '%U'",
		     Py_TYPE(self)->tp_name, name);
	return NULL;
}

/* Make what a descriptor (a strong reference, consumed) gives for self. */
static PyObject *
describe(PyObject *descr, PyObject *self)
{
	descrgetfunc get = Py_TYPE(descr)->tp_descr_get;
	PyObject *r;
	if (!get)
		return descr;
	r = get(descr, self, (PyObject *)Py_TYPE(self));
	Py_DECREF(descr);
	return r;
}

/*
 * Reading.
 */

/* A function that was put into Dog after T was made has no monitor yet. */
static PyObject *
monitored(class_object *cls, PyObject *name, PyObject *descr)
{
	PyObject *m;
	if (cls->policy == POLICY_NONE || !PyFunction_Check(descr) ||
	    _PyType_Lookup(cls->source, name) != descr)
		return descr;
	m = PyObject_CallFunctionObjArgs((PyObject *)posh_state->Monitored, cls,
					 name, descr, NULL);
	if (m)
		PyType_Type.tp_setattro((PyObject *)cls->type, name, m);
	Py_DECREF(descr);
	if (m && PyErr_Occurred())
		Py_CLEAR(m);
	return m;
}

/* A class whose slots are all taken gets more attributes without a trace. */
static bool
is_full(ref_object *r)
{
	int64_t n = posh_list_len(r->h, r->layout->handle);
	return n < 0 || n > POSH_CLASS_SLOTS;
}

static void
note(ref_object *r, PyObject *name, PyObject *descr, int data)
{
	layout_object *l = r->layout;
	uint64_t version = posh_object_version(r->h, l->handle);
	int slot;
	if (!PyUnicode_CheckExact(name) || !PyUnicode_CHECK_INTERNED(name))
		return;
	slot = layout_slot(l, r->heap, name, 0);
	if (slot == -2)
		PyErr_Clear();
	else if (slot >= 0 || data || !is_full(r))
		layout_note(l, name, descr, slot, data, version);
}

static PyObject *
getattr_slow(PyObject *self, PyObject *name, class_object *cls, ref_object *r)
{
	PyObject *descr = instance_descr(cls, name), *value;
	int rc, data = descr && Py_TYPE(descr)->tp_descr_set;
	if (!PyUnicode_Check(name))
		return PyObject_GenericGetAttr(self, name);
	Py_XINCREF(descr);
	if (descr && !(descr = monitored(cls, name, descr)))
		return NULL;
	note(r, name, descr, data);
	if (data)
		return describe(descr, self);
	rc = instance_load(r, name, &value);
	if (rc != 0) {
		Py_XDECREF(descr);
		return rc > 0 ? value : NULL;
	}
	return descr ? describe(descr, self) : raise_missing(self, name);
}

/* Read by what was noted, or give up: NULL without an exception. */
static inline PyObject *
getattr_noted(PyObject *self, ref_object *r, struct layout_entry *e)
{
	struct posh_value v;
	if (e->slot >= 0 && !e->data) {
		if (UNLIKELY(posh_instance_get(r->h, r->handle, (size_t)e->slot,
					       &v)))
			return NULL;
		if (v.type == POSH_INT)
			return PyLong_FromLongLong(v.i);
		if (v.type == POSH_FLOAT)
			return PyFloat_FromDouble(v.f);
		return value_decode(r->heap, &v);
	}
	if (e->descr &&
	    (e->data ||
	     e->version == posh_object_version(r->h, r->layout->handle)))
		return describe(Py_NewRef(e->descr), self);
	return NULL;
}

/* By the layout's cache. */
static PyObject *
getattr_cached(PyObject *self, PyObject *name)
{
	class_object *cls = class_of_proxy(self);
	ref_object *r;
	struct layout_entry *e;
	PyObject *value;
	if (UNLIKELY(!cls))
		return PyObject_GenericGetAttr(self, name);
	r = instance_ref(self, cls);
	if (UNLIKELY(!r))
		return NULL;
	e = layout_entry(r->layout, name);
	if (e->name == name && e->tag && e->tag == type_tag(cls->type)) {
		value = getattr_noted(self, r, e);
		if (value || PyErr_Occurred())
			return value;
	}
	return getattr_slow(self, name, cls, r);
}

/* The ref of self, if the name is among those that were used last. */
static inline ref_object *
hot_ref(PyObject *self, PyObject *name, struct layout_hot *hot)
{
	PyTypeObject *type = Py_TYPE(self);
	ref_object *r;
	if (hot->type != type || hot->entry.name != name || !hot->entry.tag ||
	    hot->entry.tag != type_tag(type))
		return NULL;
	r = *(ref_object **)((char *)self + hot->offset);
	return r && r->layout == hot->layout ? r : NULL;
}

static PyObject *
instance_getattro(PyObject *self, PyObject *name)
{
	struct layout_hot *hot = layout_hot_entry(Py_TYPE(self), name);
	ref_object *r = hot_ref(self, name, hot);
	PyObject *value;
	if (LIKELY(r != NULL)) {
		value = getattr_noted(self, r, &hot->entry);
		if (LIKELY(value != NULL) || PyErr_Occurred())
			return value;
	}
	return getattr_cached(self, name);
}

/*
 * Writing.
 */

static int
is_known(class_object *cls, PyObject *name)
{
	PyObject *d = PyDict_GetItemWithError(cls->type->tp_dict, name);
	return d && Py_TYPE(d) == posh_state->Attribute;
}

static int
setattr_slow(PyObject *self, PyObject *name, PyObject *value, class_object *cls,
	     ref_object *r)
{
	PyObject *descr;
	descrsetfunc set;
	int rc;
	if (!PyUnicode_Check(name)) {
		PyErr_Format(PyExc_TypeError,
			     "attribute name must be string, not '%.200s'",
			     Py_TYPE(name)->tp_name);
		return -1;
	}
	descr = instance_descr(cls, name);
	set = descr ? Py_TYPE(descr)->tp_descr_set : NULL;
	if (set) {
		Py_INCREF(descr);
		rc = set(descr, self, value);
		Py_DECREF(descr);
		return rc;
	}
	if (cls->closed && !is_known(cls, name)) {
		if (!descr)
			raise_missing(self, name);
		else
			PyErr_Format(PyExc_AttributeError,
				     "'%.100s' object attribute '%U' is "
				     "read-only",
				     Py_TYPE(self)->tp_name, name);
		return -1;
	}
	rc = instance_store(r, name, value);
	if (rc > 0)
		note(r, name, descr, 0);
	if (rc == 0) {
		raise_missing(self, name);
		return -1;
	}
	return rc < 0 ? -1 : 0;
}

/* A number: 0 or a negative errno, or 1 if it is none. */
static int
store_number(ref_object *r, int slot, PyObject *value)
{
	struct posh_value v;
	int overflow;
	if (PyLong_CheckExact(value)) {
		v = posh_int(PyLong_AsLongLongAndOverflow(value, &overflow));
		if (overflow)
			return 1;
	} else if (PyFloat_CheckExact(value)) {
		v = posh_float(PyFloat_AS_DOUBLE(value));
	} else {
		return 1;
	}
	return posh_instance_set(r->h, r->handle, (size_t)slot, &v);
}

/* 0, -ERANGE, or -1 with an exception. */
static int
store_fast(ref_object *r, int slot, PyObject *value)
{
	struct posh_value v;
	encoder e;
	int rc = store_number(r, slot, value);
	if (rc == 0)
		return 0;
	encoder_init(&e, r->heap);
	rc = value_encode(r->heap, value, &v, &e);
	if (rc == 0)
		CALL(rc, posh_instance_set(r->h, r->handle, (size_t)slot, &v));
	encoder_clear(&e);
	if (rc == 0 || rc == -ERANGE)
		return rc;
	if (!PyErr_Occurred())
		error_set(posh_state, rc);
	return -1;
}

/* By the layout's cache. */
static int
setattr_cached(PyObject *self, PyObject *name, PyObject *value)
{
	class_object *cls = class_of_proxy(self);
	ref_object *r;
	struct layout_entry *e;
	int rc;
	if (!cls)
		return PyObject_GenericSetAttr(self, name, value);
	r = instance_ref(self, cls);
	if (!r)
		return -1;
	e = layout_entry(r->layout, name);
	if (value && e->name == name && e->slot >= 0 && !e->data && e->tag &&
	    e->tag == type_tag(cls->type)) {
		rc = store_fast(r, e->slot, value);
		if (rc != -ERANGE)
			return rc;
	}
	return setattr_slow(self, name, value, cls, r);
}

static int
instance_setattro(PyObject *self, PyObject *name, PyObject *value)
{
	struct layout_hot *hot = layout_hot_entry(Py_TYPE(self), name);
	ref_object *r = value ? hot_ref(self, name, hot) : NULL;
	int rc = -ERANGE;
	if (r && hot->entry.slot >= 0 && !hot->entry.data)
		rc = store_fast(r, hot->entry.slot, value);
	return rc == -ERANGE ? setattr_cached(self, name, value) : rc;
}

/*
 * The two base types.
 */

static PyType_Slot base_slots[] = {{Py_tp_getattro, instance_getattro},
				   {Py_tp_setattro, instance_setattro},
				   {0, NULL}};

static PyType_Spec base_spec = {
	.name = "posh._posh.InstanceBase",
	.basicsize = sizeof(PyObject),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.slots = base_slots,
};

static PyObject *
slow_setattr(PyObject *self, PyObject *args)
{
	PyObject *name, *value;
	if (!PyArg_ParseTuple(args, "OO:__setattr__", &name, &value) ||
	    instance_setattro(self, name, value) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *
slow_delattr(PyObject *self, PyObject *name)
{
	if (instance_setattro(self, name, NULL) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyMethodDef slow_methods[] = {
	{"__setattr__", slow_setattr, METH_VARARGS,
	 "Implement setattr(self, name, value)."},
	{"__delattr__", slow_delattr, METH_O, "Implement delattr(self, name)."},
	{NULL, NULL, 0, NULL}};

static PyType_Slot slow_slots[] = {{Py_tp_getattro, instance_getattro},
				   {Py_tp_methods, slow_methods},
				   {0, NULL}};

static PyType_Spec slow_spec = {
	.name = "posh._posh.InstanceSlowBase",
	.basicsize = sizeof(PyObject),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.slots = slow_slots,
};

/* For classes that have a copy, which may have to change first. */
static PyObject *
rebased_getattro(PyObject *self, PyObject *name)
{
	class_object *cls = class_of_proxy(self);
	if (cls && class_refresh(cls) < 0)
		return NULL;
	return instance_getattro(self, name);
}

static PyType_Slot rebased_slots[] = {{Py_tp_getattro, rebased_getattro},
				      {0, NULL}};

static PyType_Spec rebased_spec = {
	.name = "posh._posh.InstanceRebased",
	.basicsize = sizeof(PyObject),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.slots = rebased_slots,
};

/*
 * Attribute: the descriptor of a known name.
 */

static PyObject *
attribute_new(PyTypeObject *type, PyObject *args, PyObject *kwds)
{
	PyObject *name;
	attribute_object *a;
	(void)kwds;
	if (!PyArg_ParseTuple(args, "U:Attribute", &name))
		return NULL;
	a = (attribute_object *)type->tp_alloc(type, 0);
	if (!a)
		return NULL;
	Py_INCREF(name);
	PyUnicode_InternInPlace(&name);
	a->name = name;
	return (PyObject *)a;
}

static void
attribute_dealloc(PyObject *op)
{
	PyTypeObject *tp = Py_TYPE(op);
	Py_XDECREF(((attribute_object *)op)->name);
	tp->tp_free(op);
	Py_DECREF(tp);
}

/* T.name: what Dog.name is. */
static PyObject *
attribute_of_type(PyObject *op, PyObject *type)
{
	PyObject *name = ((attribute_object *)op)->name;
	class_object *cls = NULL;
	if (type && PyType_Check(type))
		cls = class_find((PyTypeObject *)type);
	if (!cls)
		return Py_NewRef(op);
	return PyObject_GetAttr((PyObject *)cls->base, name);
}

static PyObject *
attribute_get(PyObject *op, PyObject *obj, PyObject *type)
{
	class_object *cls = obj ? class_of_proxy(obj) : NULL;
	if (!cls)
		return attribute_of_type(op, type);
	return instance_getattro(obj, ((attribute_object *)op)->name);
}

static int
attribute_set(PyObject *op, PyObject *obj, PyObject *value)
{
	return instance_setattro(obj, ((attribute_object *)op)->name, value);
}

static PyType_Slot attribute_slots[] = {{Py_tp_new, attribute_new},
					{Py_tp_dealloc, attribute_dealloc},
					{Py_tp_descr_get, attribute_get},
					{Py_tp_descr_set, attribute_set},
					{0, NULL}};

static PyType_Spec attribute_spec = {
	.name = "posh._posh.Attribute",
	.basicsize = sizeof(attribute_object),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = attribute_slots,
};

/* May T have a descriptor for it? */
static bool
learnable(class_object *cls, PyObject *name)
{
	PyObject *descr;
	if (!PyUnicode_CheckExact(name) || cls->closed ||
	    PyDict_GetItemWithError(cls->type->tp_dict, name) ||
	    PyUnicode_Tailmatch(name, posh_state->dunder, 0, 2, -1))
		return false;
	descr = _PyType_Lookup(cls->source, name);
	return !descr || !Py_TYPE(descr)->tp_descr_set ||
	       Py_TYPE(descr) == &PyMemberDescr_Type;
}

/* Has this instance, or one of those that the class's slots are for, such an
 * attribute?  1, 0 or -1. */
static int
is_stored(ref_object *r, PyObject *name)
{
	PyObject *value;
	int slot = layout_slot(r->layout, r->heap, name, 0), rc;
	if (slot != -1)
		return slot == -2 ? -1 : 1;
	rc = instance_load(r, name, &value);
	if (rc > 0)
		Py_DECREF(value);
	return rc;
}

int
attribute_learn(PyObject *self, class_object *cls, PyObject *name, bool store)
{
	ref_object *r;
	PyObject *a;
	int rc = store;
	if (!learnable(cls, name))
		return PyErr_Occurred() ? -1 : 0;
	r = instance_ref(self, cls);
	if (!r)
		return -1;
	if (!store)
		rc = is_stored(r, name);
	if (rc <= 0)
		return rc;
	a = PyObject_CallOneArg((PyObject *)posh_state->Attribute, name);
	if (!a)
		return -1;
	rc = PyType_Type.tp_setattro((PyObject *)cls->type, name, a);
	Py_DECREF(a);
	return rc;
}

/*
 * For the mapping that is a proxy's __dict__, in Python.
 */

static ref_object *
ref_argument(PyObject *x)
{
	class_object *cls = class_of_proxy(x);
	if (cls)
		return instance_ref(x, cls);
	PyErr_SetString(PyExc_TypeError, "a shared instance was expected");
	return NULL;
}

PyDoc_STRVAR(attrs_doc, "_attrs(x)\n--\n\n"
			"Return a plain dict of a shared object's attributes.");

static PyObject *
attrs(PyObject *Py_UNUSED(module), PyObject *x)
{
	ref_object *r = ref_argument(x);
	return r ? instance_attributes(r->heap, r->handle, r->layout, NULL)
		 : NULL;
}

PyDoc_STRVAR(attrs_get_doc, "_attrs_get(x, name)\n--\n\n"
			    "Return an attribute; KeyError without it.");

static PyObject *
attrs_get(PyObject *Py_UNUSED(module), PyObject *args)
{
	PyObject *x, *name, *value = NULL;
	ref_object *r;
	int rc = 0;
	if (!PyArg_ParseTuple(args, "OO", &x, &name))
		return NULL;
	r = ref_argument(x);
	if (!r)
		return NULL;
	if (PyUnicode_Check(name))
		rc = instance_load(r, name, &value);
	if (rc == 0)
		error_set_key(name);
	return rc > 0 ? value : NULL;
}

PyDoc_STRVAR(attrs_set_doc,
	     "_attrs_set(x, name[, value])\n--\n\n"
	     "Set an attribute, or without value delete it (KeyError).");

static PyObject *
attrs_set(PyObject *Py_UNUSED(module), PyObject *args)
{
	PyObject *x, *name, *value = NULL;
	ref_object *r;
	int rc;
	if (!PyArg_ParseTuple(args, "OU|O", &x, &name, &value))
		return NULL;
	r = ref_argument(x);
	if (!r)
		return NULL;
	rc = instance_store(r, name, value);
	if (rc == 0)
		error_set_key(name);
	if (rc <= 0)
		return NULL;
	Py_RETURN_NONE;
}

PyDoc_STRVAR(content_doc, "_content(x)\n--\n\n"
			  "Return the content of a shared object whose class\n"
			  "derives from a mutable builtin.");

static PyObject *
content(PyObject *Py_UNUSED(module), PyObject *x)
{
	ref_object *r = ref_argument(x);
	PyObject *found = r ? instance_content(r) : NULL;
	return found ? Py_NewRef(found) : NULL;
}

static PyMethodDef attribute_functions[] = {
	{"_content", content, METH_O, content_doc},
	{"_attrs", attrs, METH_O, attrs_doc},
	{"_attrs_get", attrs_get, METH_VARARGS, attrs_get_doc},
	{"_attrs_set", attrs_set, METH_VARARGS, attrs_set_doc},
	{NULL, NULL, 0, NULL}};

int
attribute_exec(PyObject *module, module_state *state)
{
	if (type_add(module, &base_spec, &state->InstanceBase) < 0 ||
	    type_add(module, &slow_spec, &state->InstanceSlowBase) < 0 ||
	    type_add(module, &rebased_spec, &state->InstanceRebased) < 0 ||
	    type_add(module, &attribute_spec, &state->Attribute) < 0)
		return -1;
	if (PyModule_AddType(module, state->InstanceBase) < 0 ||
	    PyModule_AddType(module, state->InstanceSlowBase) < 0 ||
	    PyModule_AddType(module, state->InstanceRebased) < 0 ||
	    PyModule_AddType(module, state->Attribute) < 0)
		return -1;
	return PyModule_AddFunctions(module, attribute_functions);
}

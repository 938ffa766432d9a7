/* SPDX-License-Identifier: MIT */
/* class.c - user classes that were made shareable in this process.
 *
 * Python makes the shared type T of a class Dog; class_object is what C
 * needs to know of the pair.  Both stay for the life of the process, as the
 * heap may show an instance at any time.
 */
#include "sharing.h"

/* T and Dog -> class_object: open addressing, at most half full. */
static struct map classes;
static int classes_ready;

class_object *
class_find(PyTypeObject *type)
{
	struct map_entry *e = map_find(&classes, (uint64_t)(uintptr_t)type);
	return e ? (class_object *)(uintptr_t)e->value : NULL;
}

static int
enter(PyTypeObject *type, class_object *cls)
{
	struct map_entry *e = map_add(&classes, (uint64_t)(uintptr_t)type);
	if (!e)
		return -1;
	e->value = (uint64_t)(uintptr_t)cls;
	return 0;
}

class_object *
class_resolve(PyObject *name)
{
	class_object *cls;
	PyObject *type;
	if (!posh_state->resolve_class) {
		PyErr_SetObject(posh_state->ClassNotFoundError, name);
		return NULL;
	}
	type = PyObject_CallFunctionObjArgs(posh_state->resolve_class, name,
					    NULL);
	if (!type)
		return NULL;
	cls = class_find((PyTypeObject *)type);
	Py_DECREF(type);
	if (!cls)
		PyErr_SetObject(posh_state->ClassNotFoundError, name);
	return cls;
}

/* A proxy has no dict: whatever would go there belongs to the heap.  Its
 * finalizer is not the plain object's. */
static void
strip(PyTypeObject *type)
{
	type->tp_dictoffset = 0;
#ifdef Py_TPFLAGS_MANAGED_DICT
	type->tp_flags &= ~(unsigned long)Py_TPFLAGS_MANAGED_DICT;
#else
	type->tp_flags &= ~(1UL << 4);
#endif
#ifdef Py_TPFLAGS_INLINE_VALUES
	type->tp_flags &= ~(unsigned long)Py_TPFLAGS_INLINE_VALUES;
#endif
	type->tp_finalize = NULL;
	PyType_Modified(type);
}

static enum policy
policy_of(PyObject *synch)
{
	if (synch == Py_None)
		return POLICY_NONE;
	return synch == posh_state->monitor ? POLICY_MONITOR : POLICY_CUSTOM;
}

/* Find where a proxy keeps its ref_object: a member that __slots__ made. */
static Py_ssize_t
ref_offset(PyTypeObject *type)
{
	PyObject *d = PyDict_GetItemString(type->tp_dict, "_posh_ref");
	if (!d || Py_TYPE(d) != &PyMemberDescr_Type) {
		PyErr_SetString(PyExc_TypeError, "the type has no _posh_ref");
		return -1;
	}
	return ((PyMemberDescrObject *)d)->d_member->offset;
}

/* The kind of what has the content of a type's instances. */
static enum posh_kind
kind_of_content(PyObject *type)
{
	if (type == (PyObject *)&PyList_Type)
		return POSH_KIND_LIST;
	if (type == (PyObject *)&PyDict_Type)
		return POSH_KIND_DICT;
	if (type == (PyObject *)&PySet_Type)
		return POSH_KIND_SET;
	if (type == (PyObject *)&PyByteArray_Type)
		return POSH_KIND_BUFFER;
	return type == posh_state->deque ? POSH_KIND_DEQUE : POSH_KIND_NONE;
}

int
class_renew(class_object *cls)
{
	PyObject *r =
		PyObject_CallOneArg(posh_state->refresh, (PyObject *)cls->type);
	if (!r)
		return -1;
	Py_DECREF(r);
	_PyType_Lookup(cls->base, posh_state->dunder); /* gives it a tag */
	cls->watched = type_tag(cls->base);
	return 0;
}

PyDoc_STRVAR(
	class_new_doc,
	"_class_new(type, base, name, names, init, synch, closed, source,\n"
	"           builtin, content, hash)\n--\n\n"
	"Make type the shared type of base.\n\n"
	"source is where base's members are looked up: base, or if it\n"
	"derives from a mutable builtin its copy; content is the type of\n"
	"what the instances then have beside their attributes, or None.");

static PyObject *
class_new(PyObject *Py_UNUSED(module), PyObject *args)
{
	PyObject *type, *base, *name, *names, *init, *synch;
	PyObject *source, *builtin, *content, *hash;
	class_object *cls;
	Py_ssize_t offset;
	int closed;
	if (!PyArg_ParseTuple(args, "O!O!UO!OOpO!OOO", &PyType_Type, &type,
			      &PyType_Type, &base, &name, &PyTuple_Type, &names,
			      &init, &synch, &closed, &PyType_Type, &source,
			      &builtin, &content, &hash))
		return NULL;
	offset = ref_offset((PyTypeObject *)type);
	if (offset < 0)
		return NULL;
	cls = PyObject_New(class_object, posh_state->InstanceClass);
	if (!cls)
		return NULL;
	cls->type = (PyTypeObject *)Py_NewRef(type);
	cls->base = (PyTypeObject *)Py_NewRef(base);
	cls->source = (PyTypeObject *)Py_NewRef(source);
	cls->builtin =
		builtin == Py_None ? NULL : (PyTypeObject *)Py_NewRef(builtin);
	cls->content = kind_of_content(content);
	cls->watched = 0;
	cls->name = Py_NewRef(name);
	cls->names = Py_NewRef(names);
	cls->init = init == Py_None ? NULL : Py_NewRef(init);
	cls->hash = hash == Py_None ? NULL : Py_NewRef(hash);
	cls->synch = Py_NewRef(synch);
	cls->policy = policy_of(synch);
	cls->offset = offset;
	cls->closed = (char)closed;
	cls->current = 1;
	strip(cls->type);
	if (cls->content == POSH_KIND_BUFFER)
		instance_give_buffer(cls->type);
	if (enter(cls->type, cls) < 0 || enter(cls->base, cls) < 0) {
		Py_DECREF(cls);
		return NULL;
	}
	return Py_NewRef((PyObject *)cls); /* one reference is the table's */
}

int
class_key_value(class_object *cls, PyObject *x, struct posh_value *v,
		encoder *e)
{
	PyObject *value = PyObject_CallOneArg(cls->hash, x);
	int rc;
	if (!value || encoder_keep(e, value) < 0)
		return -1;
	rc = value_encode_plain(e->heap, value, v, e);
	if (rc > 0 && !value_has_object(v))
		return 0;
	if (rc >= 0)
		PyErr_Format(PyExc_TypeError,
			     "hash of '%.200s' has to return an immutable "
			     "value, not '%.200s'",
			     cls->base->tp_name, Py_TYPE(value)->tp_name);
	return -1;
}

int
class_key(class_object *cls, PyObject *x, const struct posh_value *object,
	  struct posh_value *v, encoder *e)
{
	struct posh_value *item = encoder_alloc(e, 3 * sizeof(*item));
	if (!item || value_encode_str(cls->name, &item[0]) < 0 ||
	    class_key_value(cls, x, &item[1], e) < 0)
		return -1;
	item[2] = *object;
	value_set(v, POSH_TUPLE, 3);
	v->width = POSH_FORM_KEY;
	v->flags = POSH_DISTINCT;
	v->items = item;
	return 0;
}

PyDoc_STRVAR(class_retire_doc, "_class_retire(type)\n--\n\n"
			       "Another class has this one's name now.");

static PyObject *
class_retire(PyObject *Py_UNUSED(module), PyObject *type)
{
	class_object *cls = class_find((PyTypeObject *)type);
	if (cls)
		cls->current = 0;
	Py_RETURN_NONE;
}

PyDoc_STRVAR(shared_type_doc, "_shared_type(cls)\n--\n\n"
			      "Return the shared type of a class, or None.");

static PyObject *
shared_type(PyObject *Py_UNUSED(module), PyObject *type)
{
	class_object *cls = class_find((PyTypeObject *)type);
	if (!cls)
		Py_RETURN_NONE;
	return Py_NewRef((PyObject *)cls->type);
}

static void
class_dealloc(PyObject *op)
{
	class_object *cls = (class_object *)op;
	PyTypeObject *tp = Py_TYPE(op);
	Py_XDECREF(cls->type);
	Py_XDECREF(cls->base);
	Py_XDECREF(cls->source);
	Py_XDECREF(cls->builtin);
	Py_XDECREF(cls->name);
	Py_XDECREF(cls->names);
	Py_XDECREF(cls->init);
	Py_XDECREF(cls->hash);
	Py_XDECREF(cls->synch);
	PyObject_Free(op);
	Py_DECREF(tp);
}

static PyType_Slot class_slots[] = {{Py_tp_dealloc, class_dealloc}, {0, NULL}};

static PyType_Spec class_spec = {
	.name = "posh._posh.InstanceClass",
	.basicsize = sizeof(class_object),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = class_slots,
};

static PyMethodDef class_functions[] = {
	{"_class_new", class_new, METH_VARARGS, class_new_doc},
	{"_class_retire", class_retire, METH_O, class_retire_doc},
	{"_shared_type", shared_type, METH_O, shared_type_doc},
	{NULL, NULL, 0, NULL}};

int
class_exec(PyObject *module, module_state *state)
{
	if (!classes_ready) {
		map_init(&classes);
		classes_ready = 1;
	}
	if (type_add(module, &class_spec, &state->InstanceClass) < 0)
		return -1;
	return PyModule_AddFunctions(module, class_functions);
}

/* SPDX-License-Identifier: MIT */
/* module.c - the module posh._posh: state, hooks, and start.
 *
 * One interpreter a process: members and threads of a heap are those of
 * the process, and two interpreters would take each other's proxies.
 */
#include "module.h"

module_state *posh_state;

/*
 * Hooks.
 */

static int
set_hook(module_state *st, PyObject *name, PyObject *value)
{
	const char *s = PyUnicode_AsUTF8(name);
	PyObject *old;

	if (!s)
		return -1;
	if (!PyCallable_Check(value) && !PyDict_Check(value)) {
		PyErr_Format(PyExc_TypeError, "bad value for hook %R", name);
		return -1;
	}
#define X(type, hook)                                                          \
	if (strcmp(s, #hook) == 0) {                                           \
		old = (PyObject *)st->hook;                                    \
		st->hook = (type *)Py_NewRef(value);                           \
		Py_XDECREF(old);                                               \
		return 0;                                                      \
	}
	STATE_HOOKS(X)
#undef X
	PyErr_Format(PyExc_TypeError, "there is no hook %R", name);
	return -1;
}

static PyObject *
set_hooks(PyObject *module, PyObject *args, PyObject *kwds)
{
	module_state *st = PyModule_GetState(module);
	PyObject *name, *value;
	Py_ssize_t at = 0;

	if (PyTuple_GET_SIZE(args)) {
		PyErr_SetString(PyExc_TypeError, "hooks are named");
		return NULL;
	}
	while (kwds && PyDict_Next(kwds, &at, &name, &value))
		if (set_hook(st, name, value) < 0)
			return NULL;
	Py_RETURN_NONE;
}

/* Proxies of the kind that base is the type of get the type from now on. */
static PyObject *
set_proxy_type(PyObject *module, PyObject *args)
{
	module_state *st = PyModule_GetState(module);
	PyTypeObject *base, *type;
	int kind;

	if (!PyArg_ParseTuple(args, "O!O!:_set_proxy_type", &PyType_Type, &base,
			      &PyType_Type, &type))
		return NULL;
	for (kind = 0; kind < KINDS; kind++)
		if (base == st->shared_type[kind] &&
		    PyType_IsSubtype(type, base)) {
			Py_INCREF(type);
			Py_XSETREF(st->proxy_type[kind], type);
			Py_RETURN_NONE;
		}
	PyErr_Format(PyExc_TypeError, "%R can't stand for %R", type, base);
	return NULL;
}

static PyMethodDef functions[] = {
	{"_set_proxy_type", set_proxy_type, METH_VARARGS,
	 "_set_proxy_type(base, type)\n--\n\n"
	 "Have proxies that were of type base be of a subtype of it."},
	{"_set_hooks", (PyCFunction)(void (*)(void))set_hooks,
	 METH_VARARGS | METH_KEYWORDS,
	 "_set_hooks(**hooks)\n--\n\nConnect the package's own functions."},
	{NULL, NULL, 0, NULL}};

/*
 * Start and end.
 */

typedef int (*exec_function)(PyObject *module, module_state *state);

static const exec_function execs[] = {
	errors_exec, values_exec,   form_exec,      missing_exec,
	heap_exec,   proxy_exec,    list_exec,      listiter_exec,
	dict_exec,   dictiter_exec, dictviews_exec, deque_exec,
	share_exec,  instance_exec, buffer_exec,    kindbuffer_exec,
	set_exec,
};

static int
module_exec(PyObject *module)
{
	module_state *st = PyModule_GetState(module);
	size_t i;

	if (posh_state ||
	    PyInterpreterState_Get() != PyInterpreterState_Main()) {
		PyErr_SetString(PyExc_ImportError,
				"posh works in the main interpreter of a "
				"process only, and is loaded once: use threads "
				"or processes, not subinterpreters");
		return -1;
	}
	posh_state = st;
	for (i = 0; i < sizeof(execs) / sizeof(*execs); i++)
		if (execs[i](module, st) < 0)
			goto fail;
	if (PyModule_AddStringConstant(module, "version", posh_version()) < 0)
		goto fail;
	return 0;
fail:
	posh_state = NULL;
	return -1;
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
	module_state *st = PyModule_GetState(module);
	int kind;

#define X(type, name) Py_VISIT(st->name);
	STATE_ALL(X)
#undef X
	for (kind = 0; kind < KINDS; kind++)
		Py_VISIT(st->proxy_type[kind]);
	return 0;
}

static int
module_clear(PyObject *module)
{
	module_state *st = PyModule_GetState(module);

#define X(type, name) Py_CLEAR(st->name);
	STATE_HOOKS(X)
#undef X
	(void)st;
	return 0;
}

/* Proxies may outlive the module, and need its types and errors: the state
 * of the one interpreter stays as it is. */
static void
module_free(void *module)
{
	module_state *st = PyModule_GetState(module);

	if (st)
		proxy_free_lists_clear(st);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, module_exec},
#ifdef Py_mod_multiple_interpreters
				   {Py_mod_multiple_interpreters,
				    Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
				   {0, NULL}};

static PyModuleDef module_def = {
	PyModuleDef_HEAD_INIT,          .m_name = "posh._posh",
	.m_doc = "The C part of posh.", .m_size = sizeof(module_state),
	.m_methods = functions,         .m_slots = slots,
	.m_traverse = module_traverse,  .m_clear = module_clear,
	.m_free = module_free,
};

PyMODINIT_FUNC PyInit__posh(void);
PyMODINIT_FUNC
PyInit__posh(void)
{
	return PyModuleDef_Init(&module_def);
}

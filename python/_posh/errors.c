/* SPDX-License-Identifier: MIT */
/* errors.c - the bridge from negative errnos to exceptions.
 *
 * Each exception derives from posh.Error and from the builtin one that a
 * caller would catch for it.
 */
#include "module.h"

#include <errno.h>

/* The second base of each, or NULL, and its docstring. */
#define BASE_Error               NULL
#define BASE_NotShareableError   PyExc_TypeError
#define BASE_HeapFullError       PyExc_MemoryError
#define BASE_HeapExistsError     PyExc_FileExistsError
#define BASE_HeapNotFoundError   PyExc_FileNotFoundError
#define BASE_LockTimeoutError    PyExc_TimeoutError
#define BASE_DeadlockError       PyExc_RuntimeError
#define BASE_OwnerDiedError      PyExc_RuntimeError
#define BASE_ClosedError         PyExc_ValueError
#define BASE_CorruptHeapError    PyExc_OSError
#define BASE_StaleReferenceError PyExc_ReferenceError
#define BASE_WrongHeapError      PyExc_ValueError
#define BASE_ClassNotFoundError  PyExc_ImportError

#define DOC_Error               "The base of all errors of posh."
#define DOC_NotShareableError   "The object is of a type that can't be shared."
#define DOC_HeapFullError       "The heap has no room left."
#define DOC_HeapExistsError     "There is a heap of that name already."
#define DOC_HeapNotFoundError   "There is no heap of that name."
#define DOC_LockTimeoutError    "Somebody else was inside all the time."
#define DOC_DeadlockError       "Waiting would close a circle of waiters."
#define DOC_OwnerDiedError      "The process that was at it died."
#define DOC_ClosedError         "The heap was closed by this process."
#define DOC_CorruptHeapError    "The heap is damaged, or is none."
#define DOC_StaleReferenceError "The object is not there any more."
#define DOC_WrongHeapError      "The object belongs to another heap."
#define DOC_ClassNotFoundError  "The class of an object can't be found here."

/* Make one exception.  base is its builtin base, or NULL for the root. */
static PyObject *
make(const char *name, const char *doc, PyObject *root, PyObject *base)
{
	PyObject *bases;
	PyObject *error;

	if (!base)
		return PyErr_NewExceptionWithDoc(name, doc, NULL, NULL);
	bases = PyTuple_Pack(2, root, base);
	if (!bases)
		return NULL;
	error = PyErr_NewExceptionWithDoc(name, doc, bases, NULL);
	Py_DECREF(bases);
	return error;
}

int
errors_exec(PyObject *module, module_state *st)
{
#define X(type, name)                                                          \
	st->name = make("posh." #name, DOC_##name, st->Error, BASE_##name);    \
	if (!st->name)                                                         \
		return -1;                                                     \
	if (PyModule_AddObject(module, #name, Py_NewRef(st->name)) < 0)        \
		return -1;
	STATE_ERRORS(X)
#undef X
	return 0;
}

/* Raise with an errno, so that e.errno says what it was. */
static void
raise_os(PyObject *type, int code, const char *text, PyObject *name)
{
	PyObject *e;

	if (name && name != Py_None)
		e = PyObject_CallFunction(type, "isO", code, text, name);
	else
		e = PyObject_CallFunction(type, "is", code, text);
	if (!e)
		return;
	PyErr_SetObject(type, e);
	Py_DECREF(e);
}

/* A heap that can't be used: e.errno tells which way. */
static void
raise_corrupt(module_state *st, int code, PyObject *name)
{
	const char *text;

	if (code == EBADMSG)
		text = "the file is not a heap: it was left as it is";
	else if (code == EPROTONOSUPPORT)
		text = "the heap has another layout or byte order: use the "
		       "version of posh that made it, or make it anew";
	else
		text = "the heap is damaged: save what can be read, and make "
		       "it anew";
	raise_os(st->CorruptHeapError, code, text, name);
}

static void
raise_text(PyObject *type, int rc)
{
	PyErr_SetString(type, posh_error_text(rc));
}

PyObject *
error_set(module_state *st, int64_t error)
{
	int rc = (int)error;

	switch (-rc) {
	case EINTR:
		if (!PyErr_Occurred())
			PyErr_SetNone(PyExc_InterruptedError);
		break;
	case ENOMEM:
	case ENOSPC:
		PyErr_SetString(st->HeapFullError,
				"the heap is full and nothing was changed: "
				"free objects, or make it with a larger "
				"max_size");
		break;
	case EBADF:
		PyErr_SetString(st->HeapFullError,
				"the heap cannot grow: the program closed its "
				"file descriptor, Heap.fileno()");
		break;
	case EUCLEAN:
	case EBADMSG:
	case EPROTONOSUPPORT:
		raise_corrupt(st, -rc, NULL);
		break;
	case ESHUTDOWN:
		PyErr_SetString(st->ClosedError,
				"this process closed the heap: what it needs "
				"afterwards, posh.unshare(x) keeps");
		break;
	case EDEADLK:
		PyErr_SetString(st->DeadlockError,
				"waiting for the monitor would close a circle "
				"of waiting threads: enter several at once, "
				"with posh.synchronized(x, y)");
		break;
	case ETIMEDOUT:
		raise_text(st->LockTimeoutError, rc);
		break;
	case EXDEV:
		PyErr_SetString(st->WrongHeapError,
				"the object belongs to another heap: store a "
				"copy, posh.unshare(x), or share all in one "
				"heap");
		break;
	case ERANGE:
		PyErr_SetString(PyExc_IndexError, "index out of range");
		break;
	case ENOENT:
		PyErr_SetString(PyExc_KeyError, "no such key");
		break;
	case EPERM:
		raise_text(PyExc_RuntimeError, rc);
		break;
	case EINVAL:
		raise_text(PyExc_ValueError, rc);
		break;
	case ESTALE:
		raise_text(st->StaleReferenceError, rc);
		break;
	case ECHILD:
	case EAGAIN:
	default:
		raise_text(st->Error, rc);
		break;
	}
	return NULL;
}

bool
error_again(void)
{
	return PyErr_CheckSignals() == 0;
}

PyObject *
error_set_heap(module_state *st, int64_t error, PyObject *name)
{
	int rc = (int)error;

	switch (-rc) {
	case ENOENT:
		raise_os(st->HeapNotFoundError, -rc,
			 "there is no such heap; posh.Heap(name) makes one",
			 name);
		break;
	case EEXIST:
		raise_os(st->HeapExistsError, -rc,
			 "there is a heap of that name already; "
			 "posh.attach(name) opens it",
			 name);
		break;
	case EUCLEAN:
	case EBADMSG:
	case EPROTONOSUPPORT:
		raise_corrupt(st, -rc, name);
		break;
	case EINVAL:
		PyErr_Format(PyExc_ValueError,
			     "bad name (%R) or size of a heap: a name is a "
			     "word or a path, a size 1 MiB or more",
			     name ? name : Py_None);
		break;
	case EACCES:
		raise_os(PyExc_OSError, -rc,
			 "no permission to open or make the heap: it, or its "
			 "folder, is another user's (with mode=0o660 a heap is "
			 "made for a group)",
			 name);
		break;
	case EBADF:
	case EIO:
	case EISDIR:
	case EMFILE:
	case ENFILE:
	case ENOTDIR:
	case EROFS:
	case ELOOP:
	case ENAMETOOLONG:
	case EPERM:
		raise_os(PyExc_OSError, -rc, strerror(-rc), name);
		break;
	default:
		error_set(st, rc);
		break;
	}
	return NULL;
}

void
error_set_key(PyObject *key)
{
	PyObject *args = PyTuple_Pack(1, key);

	if (!args)
		return;
	PyErr_SetObject(PyExc_KeyError, args);
	Py_DECREF(args);
}

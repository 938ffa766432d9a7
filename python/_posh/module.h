/* SPDX-License-Identifier: MIT */
/* module.h - what the files of the extension share.
 *
 * The extension knows libposh through posh.h only.  Two bridges and no
 * others lead to it: values (values.c: Python object <-> struct posh_value)
 * and errors (errors.c: negative errno -> exception).
 *
 * A proxy is the one Python object of this process for an object of a heap.
 * It owns one hold on it and a strong reference to the heap.  The heap's
 * proxy map (heap.c) leads from handles to proxies and owns nothing.
 *
 * OWNERSHIP OF HOLDS  Functions named wrap or decode consume the hold that
 * came with a value, also when they fail.  Encoding takes none, except that
 * what is shared on the way is held by the encoder until encoder_clear().
 *
 * ORDER IN EVERY OPERATION  Arguments are evaluated, iterables drained,
 * children shared (all of which may run anybody's code), and only then
 * libposh is called.  What a read returns by pointer is decoded before
 * anything that might call libposh again: see decode_begin().
 */
#ifndef POSH_MODULE_H
#define POSH_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "posh.h"
#include <errno.h>
#include <structmember.h>
#include <unistd.h>

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/*
 * Module state.  Everything in this list is a strong reference, or NULL.
 */

/* Exceptions: name, docstring's beginning is in errors.c. */
#define STATE_ERRORS(X)                                                        \
	X(PyObject, Error)                                                     \
	X(PyObject, NotShareableError)                                         \
	X(PyObject, HeapFullError)                                             \
	X(PyObject, HeapExistsError)                                           \
	X(PyObject, HeapNotFoundError)                                         \
	X(PyObject, LockTimeoutError)                                          \
	X(PyObject, DeadlockError)                                             \
	X(PyObject, OwnerDiedError)                                            \
	X(PyObject, ClosedError)                                               \
	X(PyObject, CorruptHeapError)                                          \
	X(PyObject, StaleReferenceError)                                       \
	X(PyObject, WrongHeapError)                                            \
	X(PyObject, ClassNotFoundError)

/* Types of the core of the extension. */
#define STATE_TYPES(X)                                                         \
	X(PyTypeObject, HeapBase)                                              \
	X(PyTypeObject, Proxy)                                                 \
	X(PyTypeObject, SharedList)                                            \
	X(PyTypeObject, SharedDict)                                            \
	X(PyTypeObject, SharedSet)                                             \
	X(PyTypeObject, ListIterator)                                          \
	X(PyTypeObject, ListReverseIterator)                                   \
	X(PyTypeObject, DictIterator)                                          \
	X(PyTypeObject, DictKeys)                                              \
	X(PyTypeObject, DictValues)                                            \
	X(PyTypeObject, DictItems)                                             \
	X(PyTypeObject, SharedDeque)                                           \
	X(PyTypeObject, Form)                                                  \
	X(PyTypeObject, Missing)                                               \
	X(PyTypeObject, DequeIterator)                                         \
	X(PyTypeObject, DequeReverseIterator)

/* Hooks, set from Python by _posh._set_hooks(name=callable, ...).
 *   default_heap()   -> the heap for what is made without naming one
 *   reduce(proxy)    -> what __reduce_ex__ returns (a ticket)
 *   adopt(type)      makes a class shareable if it needs no declaration
 *   refresh(type)    brings the copy of a class up to date
 *   plain_content(x, builtin), fill_plain(x, builtin, content)
 *                    of plain objects that derive from a builtin
 *   codecs           dict: immutable type -> its codec (form.c)
 *   find_codec(type) puts a codec there, if there is one
 *   builders         dict: name of a type -> its builder
 *   find_builder(name) -> the builder of any other class */
#define STATE_HOOKS(X)                                                         \
	X(PyObject, default_heap)                                              \
	X(PyObject, reduce)                                                    \
	X(PyObject, adopt)                                                     \
	X(PyObject, refresh)                                                   \
	X(PyObject, plain_content)                                             \
	X(PyObject, fill_plain)                                                \
	X(PyObject, codecs)                                                    \
	X(PyObject, find_codec)                                                \
	X(PyObject, builders)                                                  \
	X(PyObject, find_builder)

/* Methods and constants that values.c and others call, and what the views
 * say they are. */
#define STATE_OBJECTS(X)                                                       \
	X(PyObject, int_to_bytes)                                              \
	X(PyObject, int_from_bytes)                                            \
	X(PyObject, nan)                                                       \
	X(PyObject, str_little)                                                \
	X(PyObject, signed_kwname)                                             \
	X(PyObject, dict_keys)                                                 \
	X(PyObject, dict_values)                                               \
	X(PyObject, dict_items)                                                \
	X(PyObject, deque)

/* What share.c and instance.c keep: append here. */
#define STATE_SHARING(X)                                                       \
	X(PyTypeObject, Copies)                                                \
	X(PyTypeObject, InstanceRef)                                           \
	X(PyTypeObject, InstanceClass)                                         \
	X(PyTypeObject, InstanceLayout)                                        \
	X(PyTypeObject, InstanceBase)                                          \
	X(PyTypeObject, InstanceSlowBase)                                      \
	X(PyTypeObject, InstanceRebased)                                       \
	X(PyObject, content_name)                                              \
	X(PyObject, order_name)                                                \
	X(PyTypeObject, Attribute)                                             \
	X(PyTypeObject, Monitored)                                             \
	X(PyObject, resolve_class)                                             \
	X(PyObject, not_shareable)                                             \
	X(PyTypeObject, MonitoredProperty)                                     \
	X(PyObject, monitor)                                                   \
	X(PyObject, dunder)

/* What buffer.c and kindbuffer.c keep. */
#define STATE_BUFFERS(X)                                                       \
	X(PyTypeObject, Buffer)                                                \
	X(PyObject, buffer_types)                                              \
	X(PyObject, buffer_describe)                                           \
	X(PyObject, buffer_plain)                                              \
	X(PyObject, buffer_present)                                            \
	X(PyObject, ndarray_type)

#define STATE_ALL(X)                                                           \
	STATE_BUFFERS(X)                                                       \
	STATE_ERRORS(X)                                                        \
	STATE_TYPES(X)                                                         \
	STATE_HOOKS(X)                                                         \
	STATE_OBJECTS(X)                                                       \
	STATE_SHARING(X)

typedef struct heap_object heap_object;
typedef struct proxy_object proxy_object;

enum { FREE_PROXIES = 80, KINDS = 16 };

/* Proxies of one type that were freed, for the next ones. */
struct free_list {
	int count;
	proxy_object *item[FREE_PROXIES];
};

/* A short text that was decoded, for the next time (decode.c). */
enum { TEXT_BITS = 11 };
struct text_entry {
	uint64_t word;
	PyObject *text; /* strong, or NULL */
};

typedef struct {
#define X(type, name) type *name;
	STATE_ALL(X)
#undef X
	heap_object *heaps; /* all that are open, borrowed */
	/* By kind: the type that is made here, one of STATE_TYPES, and the
	 * one that proxies get, strong: a subtype of it with the same layout.
	 * NULL for kinds that have no type of their own. */
	PyTypeObject *shared_type[KINDS], *proxy_type[KINDS];
	struct free_list free[KINDS]; /* of the former */
	struct text_entry texts[1 << TEXT_BITS];
} module_state;

/* The state of the only module: one interpreter a process. */
extern module_state *posh_state;

/*
 * Heaps (heap.c).
 */

struct proxy_entry {
	uint64_t off;    /* 0: the entry is empty */
	PyObject *proxy; /* borrowed; one with refcount 0 is being freed */
};

/* _posh.HeapBase; posh.Heap derives from it.  Instances come from the class
 * methods _create, _open, _open_fd only, and there is one for each
 * attachment of the process. */
struct heap_object {
	PyObject_HEAD posh_heap *h; /* valid until dealloc, also when closed */
	module_state *state;
	struct proxy_entry *map; /* open addressing, linear probes */
	size_t mask;             /* its size - 1 */
	size_t used;
	heap_object *next; /* in state->heaps */
	unsigned opens;    /* closes from Python that are to come */
	unsigned refs;     /* closes of h that are to come */
	unsigned waiting;  /* threads in a wait, without the GIL, */
	pid_t pid;         /* of this process: a child has none of them */
	char closed;
	PyObject *layouts; /* of instances (layout.c), strong or NULL */
	PyObject *weakrefs;
};

/* Return the live proxy of an object, a new reference, or NULL without an
 * exception. */
PyObject *heap_find(heap_object *heap, posh_handle o);

/* Enter a proxy.  An older entry of that handle is replaced. */
int heap_enter(heap_object *heap, posh_handle o, PyObject *proxy);

/* Remove the entry if it still names this proxy. */
void heap_leave(heap_object *heap, posh_handle o, PyObject *proxy);

/* Give back a hold, from a dealloc or anywhere: runs no Python code and
 * keeps a pending exception. */
static inline void
heap_drop(heap_object *heap, posh_handle o)
{
	posh_object_drop(heap->h, o);
}

/* Return the heap that an optional argument names, a new reference: NULL
 * and None are the default heap; else NULL with an exception. */
heap_object *heap_argument(module_state *state, PyObject *arg);

/*
 * Errors (errors.c).
 */

/* Set the exception for a negative errno and return NULL.  -EINTR keeps the
 * exception that the signal handler raised. */
PyObject *error_set(module_state *state, int64_t rc);

/* The same for opening the heap of that name (or NULL). */
PyObject *error_set_heap(module_state *state, int64_t rc, PyObject *name);

/* Handle the signal that ended a call with -EINTR: true if the call is to
 * be repeated, false with the handler's exception. */
bool error_again(void);

/* Make a call of libposh that may wait, and repeat it after signals whose
 * handlers raise nothing. */
#define CALL(rc, call)                                                         \
	do                                                                     \
		(rc) = (call);                                                 \
	while (UNLIKELY((rc) == -EINTR) && error_again())

/* KeyError(key), also for keys that are tuples. */
void error_set_key(PyObject *key);

/*
 * Proxies of lists and dicts (proxy.c).
 */

struct proxy_object {
	PyObject_HEAD heap_object *heap; /* strong */
	posh_handle handle;
	enum posh_kind kind;
	uint64_t writes; /* of this process, tried ones included */
	int64_t added; /* since the proxy was made, by this process: dict: keys
			*/
	int64_t removed; /* put in and taken out; deque: see there */
	PyObject *weakrefs;
};

/* The posh_heap of a proxy. */
#define HEAP(p) ((p)->heap->h)

/* CALL for what changes the proxy's object.  Inside one's own monitor the
 * version of an object stands still: there only the count tells. */
#define WRITE(p, rc, call)                                                     \
	do {                                                                   \
		(p)->writes++;                                                 \
		CALL(rc, call);                                                \
	} while (0)

/* When an object was read: proxy_moved() is true after it has changed. */
struct moment {
	uint64_t version;
	uint64_t writes;
};

static inline bool
proxy_moved(const proxy_object *p, const struct moment *m)
{
	return p->writes != m->writes ||
	       posh_object_version(HEAP(p), p->handle) != m->version;
}

static inline bool
is_list_proxy(module_state *st, PyObject *x)
{
	return Py_TYPE(x) == st->SharedList ||
	       PyObject_TypeCheck(x, st->SharedList);
}

static inline bool
is_dict_proxy(module_state *st, PyObject *x)
{
	return Py_TYPE(x) == st->SharedDict ||
	       PyObject_TypeCheck(x, st->SharedDict);
}

static inline bool
is_deque_proxy(module_state *st, PyObject *x)
{
	return PyObject_TypeCheck(x, st->SharedDeque);
}

static inline bool
is_set_proxy(module_state *st, PyObject *x)
{
	return Py_TYPE(x) == st->SharedSet ||
	       PyObject_TypeCheck(x, st->SharedSet);
}

/* Return the proxy of an object that the caller has a hold of, a new
 * reference; the hold is consumed.  POSH_KIND_TUPLE gives a plain tuple with
 * its elements decoded, POSH_KIND_INSTANCE goes to instance_wrap. */
PyObject *proxy_wrap(heap_object *heap, posh_handle o, enum posh_kind kind);

/* Make the proxy of that type for an object known to have none, consuming
 * the hold. */
PyObject *proxy_new(PyTypeObject *type, heap_object *heap, posh_handle o,
		    enum posh_kind kind);

/* If x is a proxy of any kind (list, dict, instance), give its heap
 * (borrowed) and handle and return its kind, otherwise POSH_KIND_NONE.
 * Raises nothing. */
enum posh_kind proxy_check(module_state *state, PyObject *x, heap_object **heap,
			   posh_handle *o);

/* Enter and leave the monitor: 0, or -1 with an exception.  Leaving keeps a
 * pending one. */
int proxy_lock(proxy_object *p);
void proxy_unlock(proxy_object *p);

/* Raise -rc for an operation on a proxy, and return NULL or -1. */
PyObject *proxy_error(proxy_object *p, int64_t rc);
int proxy_failed(proxy_object *p, int64_t rc);

/* Call the method of that name of another object. */
PyObject *proxy_delegate(PyObject *plain, const char *name,
			 PyObject *const *args, Py_ssize_t nargs,
			 PyObject *kwnames);

/* Raise what the builtin raises for such arguments; plain is stolen. */
PyObject *proxy_misuse(PyObject *plain, const char *name, PyObject *const *args,
		       Py_ssize_t nargs, PyObject *kwnames);

/* A method whose misuse is the builtin's: METH_FASTCALL | METH_KEYWORDS. */
#define METHOD_ARGS                                                            \
	PyObject *self, PyObject *const *args, Py_ssize_t nargs,               \
		PyObject *kwnames
#define METHOD(name, function, doc)                                            \
	{                                                                      \
		name, (PyCFunction)(void (*)(void))function,                   \
			METH_FASTCALL | METH_KEYWORDS, doc                     \
	}

/* Give a type the name that the builtin's error messages have. */
void proxy_disguise(PyTypeObject *type, const char *name);

/* Make the type of the proxies of a kind: it derives from Proxy, has the
 * builtin's name in error messages, and is what share() makes.  Returns what
 * shared_type has, a new reference. */
PyTypeObject *proxy_type_new(PyObject *module, PyType_Spec *spec,
			     const char *name, enum posh_kind kind);

/* Return a new, empty object of a kind, for tp_new: arg names the heap.  A
 * type that is not of Python is that of the policy. */
PyObject *proxy_create(PyTypeObject *type, PyObject *arg, enum posh_kind kind);

/* Members, slots and methods that all types have. */
extern PyMemberDef proxy_members[];
void proxy_dealloc(PyObject *self);
PyObject *proxy_reduce_ex(PyObject *self, PyObject *protocol);
PyObject *proxy_class_getitem(PyObject *type, PyObject *item);
void proxy_free_lists_clear(module_state *state);

/* unshare(self), in which what was copied with the same memo before is not
 * copied again (unshare.c). */
PyObject *proxy_deepcopy(PyObject *self, PyObject *memo);

/* The repr of a plain snapshot; empty is that of an object within itself.
 * Elements whose class is not found are <posh: class m.C not found>. */
PyObject *proxy_repr(PyObject *self, PyObject *(*snapshot)(proxy_object *p),
		     const char *empty);

/* Compare the plain snapshots of two. */
PyObject *proxy_compare(PyObject *self, PyObject *other, int op);

/* Plain + proxy, or plain += proxy, of sequences; y is the proxy's
 * snapshot. */
PyObject *proxy_reflected_add(PyObject *plain, PyObject *y);

/* Is the bytecode that runs an in-place operator (a += b)?  It decides
 * whether a reflected operator may change its left operand. */
int proxy_in_place(void);

/* The same of that frame. */
int proxy_frame_in_place(PyObject *frame);

/*
 * Values (values.c).
 */

/* Owns what a value in the making needs until the call that takes it is
 * over.  Small ones live on the stack; encoder_clear() is idempotent. */
typedef struct encoder encoder;
struct encoder {
	heap_object *heap;    /* borrowed */
	struct chunk *chunks; /* memory */
	char *at, *end;       /* room in the newest chunk */
	PyObject *memo;     /* for share.c: id -> handle of this call; strong */
	unsigned depth;     /* of the tuple that was encoded last */
	bool opaque;        /* something was that only Python can compare */
	size_t holds, refs; /* how many of: */
	size_t hold_room, ref_room;
	posh_handle *hold; /* given back by encoder_clear */
	PyObject **ref;    /* likewise */
};

static inline void
encoder_init(encoder *e, heap_object *heap)
{
	e->heap = heap;
	e->chunks = NULL;
	e->at = e->end = NULL;
	e->memo = NULL;
	e->depth = 0;
	e->opaque = false;
	e->holds = e->refs = e->hold_room = e->ref_room = 0;
	e->hold = NULL;
	e->ref = NULL;
}

void encoder_finish(encoder *e);

static inline void
encoder_clear(encoder *e)
{
	if (UNLIKELY(e->chunks || e->memo || e->hold || e->ref))
		encoder_finish(e);
}

/* Return memory that lives as long as the encoder, or NULL with an
 * exception. */
void *encoder_alloc(encoder *e, size_t size);

/* Hand over a hold; on failure (-1, an exception) it was given back. */
int encoder_hold(encoder *e, posh_handle o);

/* Keep an object alive: steals the reference, also on failure. */
int encoder_keep(encoder *e, PyObject *x);

/* Encode an immutable value or a proxy: 1.  Return 0 for anything else,
 * with *out untouched: a plain object (also a tuple that has one in it) that
 * share_into would copy.  -1 with an exception; a proxy of another heap is
 * a WrongHeapError.  Runs no code of users but codecs (form.c).  x must stay
 * alive during the call that takes *out. */
int value_encode_plain(heap_object *heap, PyObject *x, struct posh_value *out,
		       encoder *e);

/* Encode anything: as above, else by share_into.  0, or -1. */
int value_encode(heap_object *heap, PyObject *x, struct posh_value *out,
		 encoder *e);

/* Encode n objects into an array of the encoder; NULL with an exception. */
struct posh_value *value_encode_array(heap_object *heap, PyObject *const *x,
				      size_t n, encoder *e);

/* Give the value of an int of one digit. */
static inline bool
small_int(PyObject *x, int64_t *i)
{
	if (!PyLong_CheckExact(x))
		return false;
#if PY_VERSION_HEX >= 0x030c0000
	if (!PyUnstable_Long_IsCompact((PyLongObject *)x))
		return false;
	*i = PyUnstable_Long_CompactValue((PyLongObject *)x);
#else
	Py_ssize_t size = Py_SIZE(x);

	if (size < -1 || size > 1)
		return false;
	*i = size * (int64_t)((PyLongObject *)x)->ob_digit[0];
#endif
	return true;
}

static inline void
value_set(struct posh_value *out, enum posh_type type, size_t size)
{
	out->type = (uint8_t)type;
	out->width = out->ascii = out->kind = 0;
	out->flags = 0;
	out->size = size;
}

/* Encode an exact str: 1, or -1. */
static inline int
value_encode_str(PyObject *x, struct posh_value *out)
{
#if PY_VERSION_HEX < 0x030c0000
	if (PyUnicode_READY(x) < 0)
		return -1;
#endif
	value_set(out, POSH_STR, (size_t)PyUnicode_GET_LENGTH(x));
	out->width = (uint8_t)PyUnicode_KIND(x);
	out->ascii = PyUnicode_IS_ASCII(x) != 0;
	out->data = PyUnicode_DATA(x);
	return 1;
}

/* Encode the commonest scalars, which need no encoder: false for others. */
static inline bool
value_encode_scalar(PyObject *x, struct posh_value *out)
{
	int64_t i;

	if (small_int(x, &i)) {
		value_set(out, POSH_INT, 0);
		out->i = i;
		return true;
	}
	if (PyUnicode_CheckExact(x))
		return value_encode_str(x, out) > 0;
	if (PyFloat_CheckExact(x)) {
		value_set(out, POSH_FLOAT, 0);
		out->f = PyFloat_AS_DOUBLE(x);
		return true;
	}
	return false;
}

/* Bring the items of a frozenset into order: 0 or -1. */
int value_sort(heap_object *heap, struct posh_value *items, size_t n);

/* Return the Python object of a value that a read gave, a new reference;
 * consumes its hold. */
PyObject *value_decode(heap_object *heap, const struct posh_value *v);

/* All NaN are one value in a heap, and one object here: math.nan.  So a list
 * that has it equals its copy, as with the builtin. */
static inline PyObject *
value_float(module_state *state, double f)
{
	if (UNLIKELY(f != f))
		return Py_NewRef(state->nan);
	return PyFloat_FromDouble(f);
}

/* The same, with the commonest types first. */
static inline PyObject *
value_decode_fast(heap_object *heap, const struct posh_value *v)
{
	if (LIKELY(v->type == POSH_INT))
		return PyLong_FromLongLong(v->i);
	if (v->type == POSH_FLOAT)
		return value_float(heap->state, v->f);
	if (v->type == POSH_OBJECT)
		return proxy_wrap(heap, v->object, (enum posh_kind)v->kind);
	return value_decode(heap, v);
}

/* Decode n values into new references, consuming their holds.  Everything
 * that lies in the thread's buffer is decoded before any object is wrapped.
 * On failure out is cleared and -1 returned. */
int value_decode_array(heap_object *heap, struct posh_value *v, size_t n,
		       PyObject **out);

/* The first half of that: what lies in the thread's buffer is decoded, but
 * objects are not wrapped, and what has a form is not built: v[i] is marked
 * POSH_NEW, and out[i] to be revived.  Returns how many of either are left, or
 * -1. */
Py_ssize_t value_decode_raw(heap_object *heap, struct posh_value *v, size_t n,
			    PyObject **out);

/* Decode n values into a new list, consuming their holds also on failure. */
PyObject *value_decode_list(heap_object *heap, struct posh_value *v, size_t n);

/* Was decoding many ended by a class that is unknown here?  Then there is no
 * exception any more: they are to be read one by one, so that the error comes
 * in its place. */
bool value_unknown(void);

/* Have objects whose class is not found be replaced by what only has a repr,
 * or not: in this thread, until the value that is returned is given back. */
bool missing_show(bool yes);

/* Return what decoding x gave, or what is shown instead. */
PyObject *missing_instead(PyObject *x);

/* Give back the holds that came with n values. */
void value_drop_array(heap_object *heap, const struct posh_value *v, size_t n);

/* Between these no cyclic collection starts, so that nobody's finalizer
 * calls libposh while its buffer is in use.  Nests. */
int decode_begin(void);
void decode_end(int token);

/*
 * Immutable values of other types (form.c).
 */

typedef struct {
	PyObject_HEAD uint8_t form; /* enum posh_form */
	bool opaque;                /* compared as only Python knows */
	PyObject *items;            /* tuple, strong */
} form_object;

/* Return a Form of the items, which are stolen. */
PyObject *form_wrap(unsigned form, PyObject *items);

/* Is x of a type that has a codec, a frozenset, or a Form? */
bool form_known(PyObject *x);

/* Return its Form, new; NULL for others and for what a codec declines, or
 * with an exception.  Runs a codec. */
form_object *form_of(PyObject *x);

/* Return what a form is with these items, a tuple, which is stolen.  Runs a
 * builder. */
PyObject *form_build(unsigned form, PyObject *items);

/* Is item i of so many there for comparisons only, if it has a form itself?
 * Then a builder gets None. */
static inline bool
form_is_key(unsigned form, Py_ssize_t n, Py_ssize_t i)
{
	return form == POSH_FORM_LIKE && n == 3 && i == 1;
}

/* Return what was decoded with its Forms built; steals it. */
PyObject *form_revive(PyObject *x);

/* Is there a form, or an object, in a value, at any depth? */
bool value_has_form(const struct posh_value *v);
bool value_has_object(const struct posh_value *v);

/* Has each reading of an immutable value the same hash?  1, 0 or -1. */
int form_hashes_alike(heap_object *heap, const struct posh_value *v);

/*
 * Lists and dicts, for each other and for share.c.
 */

/* Return a plain list, dict or set of the same elements as of one moment. */
PyObject *list_snapshot(proxy_object *p);
PyObject *dict_snapshot(proxy_object *p);
PyObject *set_snapshot(proxy_object *p);
PyObject *deque_snapshot(proxy_object *p);

/* If x is a proxy of a list, dict, set or deque or a view of one, return its
 * plain snapshot, else x itself: a new reference. */
PyObject *plain_operand(module_state *state, PyObject *x);

PyObject *list_iter(PyObject *self);
PyObject *list_reversed(PyObject *self, PyObject *unused);

enum view_kind { VIEW_KEYS, VIEW_VALUES, VIEW_ITEMS };
PyObject *dict_iter_new(proxy_object *p, enum view_kind what, bool reverse);
PyObject *dict_view_new(proxy_object *p, enum view_kind what);
/* Return the same view of a plain snapshot. */
PyObject *dict_view_plain(PyObject *view);

/* Is the key in the dict?  1, 0 or -1. */
int dict_contains(PyObject *self, PyObject *key);

/* Return the value of a key, or NULL without an exception if there is no
 * such key. */
PyObject *dict_lookup(proxy_object *p, PyObject *key);

/*
 * Sharing (share.c) and instances of user classes (instance.c).
 */

/* Copy a plain object graph into the heap, as value_encode says: *out
 * becomes a POSH_OBJECT whose hold is handed to the encoder (or a plain
 * value).  0, or -1 with an exception. */
int share_into(heap_object *heap, PyObject *x, struct posh_value *out,
	       encoder *e);

/* Return the proxy of an instance that has none, entering it in the heap's
 * map; consumes the hold. */
PyObject *instance_wrap(heap_object *heap, posh_handle o);

/* If x is a proxy of an instance, give its heap (borrowed) and handle and
 * return true. */
bool instance_check(module_state *state, PyObject *x, heap_object **heap,
		    posh_handle *o);

/* Each file's part of the module: makes its types, adds its functions. */
int errors_exec(PyObject *module, module_state *state);
int values_exec(PyObject *module, module_state *state);
int proxy_exec(PyObject *module, module_state *state);
int heap_exec(PyObject *module, module_state *state);
int list_exec(PyObject *module, module_state *state);
int listiter_exec(PyObject *module, module_state *state);
int dict_exec(PyObject *module, module_state *state);
int dictiter_exec(PyObject *module, module_state *state);
int dictviews_exec(PyObject *module, module_state *state);
int buffer_exec(PyObject *module, module_state *state);
int kindbuffer_exec(PyObject *module, module_state *state);
int deque_exec(PyObject *module, module_state *state);
int form_exec(PyObject *module, module_state *state);
int missing_exec(PyObject *module, module_state *state);
int set_exec(PyObject *module, module_state *state);
int share_exec(PyObject *module, module_state *state);
int instance_exec(PyObject *module, module_state *state);

#endif

/* SPDX-License-Identifier: MIT */
/* sharing.h - what the files of sharing and of user classes share.
 *
 * A user class that was made shareable (Dog, the *base*) has a shared type
 * (T, made in Python), whose instances are the proxies.  A class_object says
 * what is known of the pair in this process; a layout_object what is known
 * of it in one heap: the numbers of its attributes' slots.  A proxy has one
 * slot of its own, with a ref_object that owns the hold:
 *
 *     proxy (T) --> ref_object --> heap_object, handle, layout_object
 *                                                       --> class_object
 */
#ifndef POSH_SHARING_H
#define POSH_SHARING_H

#include "module.h"

/*
 * Classes (class.c).  They are never forgotten.
 */

enum policy { POLICY_NONE, POLICY_MONITOR, POLICY_CUSTOM };

typedef struct class_object {
	PyObject_HEAD PyTypeObject *type; /* T */
	PyTypeObject *base;               /* Dog */
	PyTypeObject *source;   /* what has its members: Dog, or its copy */
	PyTypeObject *builtin;  /* the mutable one it derives from, or NULL */
	enum posh_kind content; /* that instances have, or NONE */
	unsigned watched;       /* Dog's tag when source was as Dog */
	PyObject *name;         /* the same in all processes */
	PyObject *names;        /* tuple: attributes known so far */
	PyObject *init;         /* or NULL: copy the attributes */
	PyObject *hash;         /* makes a value of an object, or NULL */
	PyObject *synch;        /* the policy as it was given */
	enum policy policy;
	Py_ssize_t offset; /* in a proxy: its ref_object */
	char closed;       /* has no attributes but names */
	char current;      /* is the newest class of its name */
} class_object;

/* Return what is known of T or of Dog, borrowed, or NULL. */
class_object *class_find(PyTypeObject *type);

/* The same, if it is a proxy's type. */
static inline class_object *
class_of_proxy(PyObject *x)
{
	class_object *cls = class_find(Py_TYPE(x));
	return cls && cls->type == Py_TYPE(x) ? cls : NULL;
}

/* Return the class of a key that is looked for by a value, or NULL: that of an
 * object or proxy whose class has a hash of its own, and hash=. */
static inline class_object *
class_of_key(PyObject *x)
{
	class_object *cls;
	if (LIKELY(PyUnicode_CheckExact(x) || PyTuple_CheckExact(x)))
		return NULL;
	cls = class_find(Py_TYPE(x));
	return cls && cls->hash &&
			       Py_TYPE(x)->tp_hash != PyBaseObject_Type.tp_hash
		       ? cls
		       : NULL;
}

/* Encode the value that a key is looked for by: 0 or -1. */
int class_key_value(class_object *cls, PyObject *x, struct posh_value *v,
		    encoder *e);

/* Make of an object and the x it is of a key, POSH_FORM_KEY, for one that is
 * not there: 0 or -1. */
int class_key(class_object *cls, PyObject *x, const struct posh_value *object,
	      struct posh_value *v, encoder *e);

/* Return the class of that name, borrowed, asking Python to find it, or NULL
 * with an exception. */
class_object *class_resolve(PyObject *name);

/* Bring the copy of a class up to date: 0 or -1. */
int class_renew(class_object *cls);

/* Return the version of a type's dict, or 0 if it has none just now. */
static inline unsigned
type_tag(PyTypeObject *type)
{
	return type->tp_version_tag;
}

/* The same if the class has a copy and has changed. */
static inline int
class_refresh(class_object *cls)
{
	unsigned tag;
	if (LIKELY(cls->source == cls->base))
		return 0;
	tag = type_tag(cls->base);
	return LIKELY(tag && tag == cls->watched) ? 0 : class_renew(cls);
}

/*
 * Layouts (layout.c).
 */

enum { LAYOUT_CACHE = 64 };

/* What an attribute's name means to proxies of the class, as long as T's
 * tag is the same. */
struct layout_entry {
	PyObject *name;   /* strong, or NULL */
	PyObject *descr;  /* in T's dict, borrowed, or NULL: see slot */
	int slot;         /* of the name, or -1 if it had none */
	char data;        /* descr comes ahead of a slot */
	unsigned tag;     /* of T */
	uint64_t version; /* of the class in the heap: slot -1 until then */
};

typedef struct layout_object {
	PyObject_HEAD class_object *cls; /* strong */
	posh_handle handle;              /* of the class in the heap */
	PyObject *slots;                 /* dict: name -> number */
	struct layout_entry cache[LAYOUT_CACHE];
} layout_object;

/* Return the layout of a class in a heap, a new reference. */
layout_object *layout_of_class(heap_object *heap, class_object *cls);

/* The same, by the class's handle. */
layout_object *layout_of_handle(heap_object *heap, posh_handle cls);

/* Return the slot of a name; -1 if it has none (with create: if there are
 * too many), -2 with an exception. */
int layout_slot(layout_object *l, heap_object *heap, PyObject *name,
		unsigned create);

/* Encode an attribute's name, of a subclass of str too: 0 or a negative
 * errno. */
int layout_name(heap_object *heap, PyObject *name, struct posh_value *v,
		encoder *e);

/* How many slots a new instance gets that has n attributes. */
size_t layout_room(layout_object *l, size_t n);

static inline struct layout_entry *
layout_entry(layout_object *l, PyObject *name)
{
	return &l->cache[((uintptr_t)name >> 4) % LAYOUT_CACHE];
}

/* The names that were used last, of all types: what a lookup needs to know
 * lies in one place. */
enum { LAYOUT_HOT = 256 };

struct layout_hot {
	PyTypeObject *type;        /* T, borrowed */
	layout_object *layout;     /* borrowed: gone from here before it goes */
	Py_ssize_t offset;         /* of the ref in a proxy */
	struct layout_entry entry; /* tag 0: empty */
};
extern struct layout_hot layout_hot[LAYOUT_HOT];

static inline struct layout_hot *
layout_hot_entry(PyTypeObject *type, PyObject *name)
{
	uintptr_t mix = (uintptr_t)type >> 6 ^ (uintptr_t)name >> 4;
	return &layout_hot[mix % LAYOUT_HOT];
}

/* Enter what a lookup found. */
void layout_note(layout_object *l, PyObject *name, PyObject *descr, int slot,
		 int data, uint64_t version);

/*
 * Instances (instance.c).
 */

typedef struct ref_object {
	PyObject_HEAD heap_object *heap; /* strong */
	posh_heap *h;                    /* the heap's */
	posh_handle handle;              /* owns a hold */
	PyObject *owner;                 /* the proxy, borrowed */
	layout_object *layout;           /* strong */
	PyObject *content;               /* a proxy, strong, or NULL */
} ref_object;

/* Return the ref of a proxy, borrowed.  One that was made by T.__new__
 * becomes an object of the heap here; NULL with an exception. */
ref_object *instance_bind(PyObject *self, class_object *cls);

static inline ref_object *
instance_ref(PyObject *self, class_object *cls)
{
	ref_object *r = *(ref_object **)((char *)self + cls->offset);
	return LIKELY(r != NULL) ? r : instance_bind(self, cls);
}

/* Return the content of an instance whose class derives from a mutable
 * builtin, borrowed: it is made with its first use.  NULL with an
 * exception. */
PyObject *instance_content(ref_object *r);

/* Have instances of T, whose content is a buffer, give it, unless the class
 * has a __buffer__ of its own. */
void instance_give_buffer(PyTypeObject *type);

/* Give the handle of x's content: 1, or 0 if it has none, or -1. */
int instance_content_of(PyObject *x, posh_handle *o);

/* Read an attribute: 1, or 0 if there is none, or -1. */
int instance_load(ref_object *r, PyObject *name, PyObject **out);

/* Write one, or with value NULL remove it: 1, 0 if there is none, -1. */
int instance_store(ref_object *r, PyObject *name, PyObject *value);

/* Set one of an instance to an encoded value; v's handle is set if it is
 * POSH_NEW.  0 or -1. */
int instance_put(heap_object *heap, posh_handle o, layout_object *l,
		 PyObject *name, struct posh_value *v);

/* Return a plain dict of an instance's attributes; their values are proxies,
 * or with a copier copies. */
struct copier;
PyObject *instance_attributes(heap_object *heap, posh_handle o,
			      layout_object *l, struct copier *c);

/* Return what the class of a proxy says about a name, borrowed or NULL. */
PyObject *instance_descr(class_object *cls, PyObject *name);

/* Give T a descriptor for a name that some instance has as an attribute, or
 * with store is about to have: for object.__getattribute__ and the like.
 * 0 or -1. */
int attribute_learn(PyObject *self, class_object *cls, PyObject *name,
		    bool store);

/* Make a plain, empty instance of a class, running none of its code; set an
 * attribute of one. */
PyObject *instance_plain(class_object *cls);
int instance_plain_set(PyObject *x, PyObject *name, PyObject *value);

/* The attributes of a plain object, in a new dict. */
PyObject *instance_plain_state(PyObject *x);

/*
 * A map of 64-bit numbers (map.c).
 */

struct map {
	size_t mask, used;
	struct map_entry {
		uint64_t key; /* 0: empty */
		uint64_t value;
	} * entry;
	struct map_entry small[16];
};

void map_init(struct map *m);
void map_fini(struct map *m);
struct map_entry *map_find(struct map *m, uint64_t key);
struct map_entry *map_add(struct map *m, uint64_t key); /* or NULL, set */

/*
 * Sharing (share.c) and unsharing (unshare.c): what they do alike for all
 * kinds of objects, and what each kind has of its own (kind*.c).
 */

enum { BATCH = 64 };
enum outcome { FAILED = -1, FULL = 0, ADDED = 1 };

/* A copy into a heap that is being made.  What is to be written next is in
 * the batch: v[0] to v[n - 1]. */
typedef struct sharer {
	heap_object *heap;
	PyObject *root;
	struct memo *memo;
	struct share_task *task;
	size_t tasks, room;
	/* The batch: */
	encoder values;
	size_t n;
	struct posh_value v[2 * BATCH];
	PyObject *made[2 * BATCH]; /* what v[i] is a new copy of, or NULL */
} sharer;

/* Add x to the batch, or as a key that differs from all others.  FULL: the
 * batch has to be written first. */
enum outcome sharer_add(sharer *s, PyObject *x);
enum outcome sharer_add_key(sharer *s, PyObject *x);

/* Is x a new object of the batch, which may not be in it twice? */
bool sharer_pending(sharer *s, PyObject *x);

/* The batch was written (rc >= 0) or not: 0, or -1 with an exception. */
int sharer_done(sharer *s, int rc);

/* Make a value of immutable parts and new objects: what x, which is known to
 * form.c or a tuple, is as a key. */
enum outcome sharer_add_parts(sharer *s, PyObject *x, struct posh_value *v);

/* Raise NotShareableError for x, which is somewhere in the root. */
enum outcome sharer_refuse(sharer *s, PyObject *x, const char *why);

/* x has a copy already: o, which p, its proxy, holds. */
int sharer_note(sharer *s, PyObject *x, posh_handle o, PyObject *p);

/* A private copy that is being made; shallow: of one object. */
typedef struct copies copies_object;
typedef struct copier {
	heap_object *heap;
	copies_object *copies; /* all that were made */
	struct copy_task *task;
	size_t tasks, room;
	PyObject *late;     /* list of (dict, keys and values by turns) */
	PyObject *contents; /* list of (object, builtin, its content) */
	bool shallow;
	bool keeps; /* are the copies there for another copy()? */
} copier;

/* Return a list of n copies, or one copy; consumes the holds. */
PyObject *copier_list(copier *c, struct posh_value *v, size_t n);
PyObject *copier_copy(copier *c, const struct posh_value *v);

/* Put the items into the dict when all else is done: their hashes may need
 * that. */
int copier_late(copier *c, PyObject *dict, PyObject *items);

/* Put keys and values into a dict, or the keys into a set. */
int copier_insert(PyObject *dict, PyObject *items);

/* Fill the copy of a dict or a set. */
int copier_refill_items(copier *c, posh_handle o, PyObject *copy);

/* Functions return -1 or NULL or FAILED with an exception. */
struct kind {
	/* What share() makes for x: *v becomes a POSH_NEW, or a value. */
	enum outcome (*fresh)(sharer *s, PyObject *x, struct posh_value *v);
	/* Make it where nothing refers to it yet: 0, a hold of *o, or a
	 * negative errno. */
	int (*make)(heap_object *heap, struct posh_value *v, posh_handle *o);
	/* Fill the copy o of x. */
	int (*fill)(sharer *s, PyObject *x, posh_handle o);
	/* Return what stands for o in this process, consuming the hold; NULL:
	 * a proxy of the kind's type. */
	PyObject *(*wrap)(heap_object *heap, posh_handle o);
	/* Make an empty private copy of o, and fill it. */
	PyObject *(*empty)(copier *c, posh_handle o);
	int (*refill)(copier *c, posh_handle o, PyObject *copy);
};

/* Return the table of a kind, or NULL. */
const struct kind *kind_table(enum posh_kind kind);

/* Return the kind that share() makes for a plain object. */
enum posh_kind kind_of(PyObject *x);

/* Is x a plain bytearray, array or ndarray (kindbuffer.c)? */
bool kind_is_buffer(PyObject *x);

extern const struct kind kind_buffer, kind_set;
extern const struct kind kind_list, kind_dict, kind_tuple, kind_instance;
extern const struct kind kind_deque;

/*
 * Monitors (monitor.c).
 */

struct section {
	class_object *cls;
	ref_object *ref;
	posh_handle content; /* that is locked too, or 0 */
	PyObject *state;     /* of a custom policy */
};

/* Enter and leave what the class's policy puts around a method.  Leaving
 * keeps a pending exception, and returns -1 with an exception. */
int section_enter(struct section *s, PyObject *self, class_object *cls,
		  PyObject *opname);
int section_leave(struct section *s, PyObject *self);

/* Functions that other files add to the module. */
int class_exec(PyObject *module, module_state *state);
int layout_exec(PyObject *module, module_state *state);
int attribute_exec(PyObject *module, module_state *state);
int monitor_exec(PyObject *module, module_state *state);
int unshare_exec(PyObject *module, module_state *state);
int synch_exec(PyObject *module, module_state *state);

/* Make a heap type into *slot. */
static inline int
type_add(PyObject *module, PyType_Spec *spec, PyTypeObject **slot)
{
	*slot = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
	return *slot ? 0 : -1;
}

#endif

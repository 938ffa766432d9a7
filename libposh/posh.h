/* SPDX-License-Identifier: MIT */
/* posh.h - objects in shared memory.
 *
 * A heap is a region of shared memory with objects in it.  Processes that
 * open the same heap see the same objects, at whatever address each has
 * them: an object is named by a handle, which means the same in all of
 * them.
 *
 * CAVEATS
 *
 *  - A handle is good only while something keeps its object alive: a hold
 *    of this process (posh_object_hold, every call below that says "the
 *    caller owns a hold"), or a place in a container that stays there.
 *  - Data that a read returns by pointer (text, bytes, the elements of a
 *    tuple) lies in a buffer of the calling thread, and is good until that
 *    thread's next call on the same heap.
 *  - A process that forks must have called posh_fork_arm() just before, in
 *    the same thread.  The child of any other fork gets -ECHILD from every
 *    call; the parent is not touched.
 *  - A program may close the heap's descriptors, or go to another
 *    directory: it works on.  Only growth and forks need a descriptor, which
 *    is then got by the heap's name, or from another process that has the
 *    heap; an anonymous heap that nobody else has grows no more.  Members
 *    in another pid namespace take a process for dead that has closed them.
 *  - A process that is killed loses nothing and blocks nobody: what it was
 *    doing is finished or undone by the next process that meets it.  There
 *    is no promise over a loss of power.
 *  - Any file may be given to open, and what is in a heap may be damaged:
 *    calls end, with an error or without.  That is not promised of a file
 *    that somebody truncates, or writes to but by this library, while it is
 *    open.
 *
 * ERRORS  Calls return 0 (or a count, where said) or a negative errno.
 * Every call may return these, and its comment does not repeat them:
 *
 *   -ECHILD     this process was forked without posh_fork_arm(), or the
 *               fork could not make it a member for want of memory or
 *               descriptors
 *   -EBADF      the heap has to grow, and its descriptor was closed
 *   -ESHUTDOWN  the heap was closed
 *   -EUCLEAN    the heap is damaged; posh_heap_check() says where
 *   -EINTR      a signal came, or may have come, while the call waited, and
 *               the heap has wait hooks; handle signals and call again
 *   -EDEADLK    waiting would close a circle of waiting threads
 *   -EAGAIN     more threads use the heap than it can name (32,639)
 *
 * After an error nothing has changed and no output has been written.
 *
 * THREADS  Every call may be made by any thread at any time, except
 * posh_heap_close.  Reads are lock-free and store to nothing that another
 * process uses; writes take the object's monitor.
 *
 * SIGNALS  No call may be made from a signal handler.
 */
#ifndef POSH_H
#define POSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <posh/version.h>

#if defined(__GNUC__)
#define POSH_API __attribute__((__visibility__("default")))
#else
#define POSH_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* An attachment of this process to a heap. */
typedef struct posh_heap posh_heap;

/* The name of an object in a heap; off 0 names none. */
typedef struct {
	uint64_t off;
} posh_handle;

/* Return the version of the library that runs, like POSH_VERSION_STRING of
 * the one that was compiled against.  Since 0.1. */
POSH_API const char *posh_version(void);

/* Return a sentence for the negative errno of a call.  The text is static.
 * Since 0.1. */
POSH_API const char *posh_error_text(int error);

/*
 * HEAPS
 *
 * An anonymous heap lives as long as a process has it; it leaves nothing
 * behind, whatever is killed.  A named one is a file and stays until
 * posh_heap_unlink.  A bare name is a file in /dev/shm; a name with a
 * slash is a path.  A heap grows by itself up to its max_size.
 */

enum {
	POSH_CREATE = 1,    /* make the heap if there is none of this name */
	POSH_EXCLUSIVE = 2, /* with POSH_CREATE: fail if there is one */
};

struct posh_options {
	size_t size;       /* sizeof(struct posh_options) */
	uint64_t max_size; /* bytes; 0: half of what machine or cgroup has */
	unsigned mode;     /* permissions of a named heap; 0: 0600 */
	unsigned flags;    /* POSH_CREATE, POSH_EXCLUSIVE; others are 0 */
};

/* Make an anonymous heap.  opts may be NULL; its flags and mode are not
 * used.  The caller owns *out, and closes it.
 *   -EINVAL  max_size is below 1 MiB, or opts->size is of no version
 *   -ENOMEM  there is no memory or address space for it
 *   -EMFILE, -ENFILE
 * Since 0.1. */
POSH_API int posh_heap_create(const struct posh_options *opts, posh_heap **out);

/* Open the heap of that name, or make it (opts->flags).  Opening one that
 * this process has open gives the same attachment, counted.  The caller
 * owns *out, and closes it.
 *   -ENOENT  there is none, and POSH_CREATE was not given
 *   -EEXIST  there is one, and POSH_EXCLUSIVE was given
 *   -EACCES  it belongs to another user, or may only be read
 *   -EBADMSG          the file is no heap, or no regular file
 *   -EPROTONOSUPPORT  it is a heap of another layout or byte order
 *   -EUCLEAN          it is truncated or damaged
 *   -EINVAL  the name is empty, ".", "..", too long, or opts as above
 *   -ENOMEM  there is no address space or memory for it
 *   -EIO     it can't be read
 *   -EMFILE, -ENFILE
 * Since 0.1. */
POSH_API int posh_heap_open(const char *name, const struct posh_options *opts,
			    posh_heap **out);

/* Open the heap behind a file descriptor, as inherited from or sent by a
 * process that got it from posh_heap_fileno.  The descriptor stays the
 * caller's.  Errors as posh_heap_open, and
 *   -EBADF  it is not open
 * Since 0.1. */
POSH_API int posh_heap_open_fd(int fd, posh_heap **out);

/* Return a descriptor to pass on; it stays the heap's.
 *   -EBADF  the program closed it, and it cannot be opened again
 * Since 0.1. */
POSH_API int posh_heap_fileno(posh_heap *h);

/* Give up the attachment: what it holds is dropped, and the rest of this
 * process's calls on it return -ESHUTDOWN.  The struct itself goes with the
 * matching number of closes; memory that reads returned goes too.  No other
 * thread may be in a call.  Since 0.1. */
POSH_API void posh_heap_close(posh_heap *h);

/* Take away the name.  Processes that have the heap keep it.
 *   -ENOENT, -EACCES, -EINVAL
 * Since 0.1. */
POSH_API int posh_heap_unlink(const char *name);

/* Return the random number that a heap got when it was made.  Since 0.1. */
POSH_API uint64_t posh_heap_id(posh_heap *h);

struct posh_stats {
	size_t size;          /* bytes of this struct that were filled */
	uint64_t bytes;       /* bytes of memory the heap has taken */
	uint64_t max_size;    /* bytes it may take */
	uint64_t live_bytes;  /* bytes in live blocks; tables do not count */
	uint64_t live_blocks; /* how many those are */
	uint64_t suspects;    /* of these, with a count that may be too high */
	uint64_t free_bytes;  /* bytes free for new objects without growth */
	uint32_t members;     /* processes attached */
	uint32_t dead;        /* of these, dead and not yet recovered */
};

/* Fill the first size bytes of *out.  Walks the heap: time goes with its
 * size; the figures of a heap in use are not of one moment.  Since 0.1. */
POSH_API int posh_heap_stats(posh_heap *h, struct posh_stats *out, size_t size);

/* Recover every member that died, and recount every suspect.  Returns how
 * many members were recovered.
 *   -ETIMEDOUT  after about a second: a stopped process, in the middle of a
 *               write, keeps the world from standing still; the dead were
 *               recovered, suspects stay
 * Since 0.1. */
POSH_API int posh_heap_reap(posh_heap *h);

/* Free the objects that only refer to each other: cycles, which counts do not
 * find.  Writers stand still meanwhile, readers do not.  Happens by itself
 * when twice as much is in use as after the last time.  Returns how many
 * objects were garbage.
 *   -ETIMEDOUT  as posh_heap_reap; nothing was freed
 *   -ENOMEM     there is no private memory for the marks
 * Since 0.1. */
POSH_API int64_t posh_heap_collect(posh_heap *h);

/* Verify every invariant of the heap while its writers stand still, and
 * call report once for each thing that is wrong (what, in words; its text is
 * good during the call).  No call on the heap may be made from report.
 * Returns how many.
 *   -ETIMEDOUT  as posh_heap_reap
 *   -ENOMEM     there is no private memory for the counts
 * Since 0.1. */
POSH_API int posh_heap_check(posh_heap *h,
			     void (*report)(const char *what, void *arg),
			     void *arg);

/* Objects of the heap that are always there: no hold is needed. */
enum posh_place {
	POSH_ROOT = 0,    /* the dict for the heap's users */
	POSH_CLASSES = 1, /* the dict of classes: name -> list of names */
	POSH_TICKETS = 2, /* the dict of tickets, for bindings: number ->
			     list of an object, the time when it expires, and
			     how often it is on its way */
};
POSH_API posh_handle posh_heap_place(posh_heap *h, enum posh_place place);

/* Have before called ahead of each sleep in a wait, and after behind it,
 * with what before returned (a binding gives up its interpreter lock there).
 * No call on the heap may be made from a hook.  With hooks, a signal during
 * the sleep ends the call with -EINTR; without them the wait goes on.  Since
 * 0.1. */
POSH_API void posh_heap_wait_hooks(posh_heap *h, void *(*before)(void *arg),
				   void (*after)(void *token, void *arg),
				   void *arg);

/* Announce that this thread is about to fork, or that it is not any more.
 * The fork then makes the child a member with the same holds.  Both are
 * cheap and may be repeated.  Since 0.1. */
POSH_API void posh_fork_arm(void);
POSH_API void posh_fork_disarm(void);

/*
 * VALUES
 *
 * What a slot of a container holds: an immutable value, which is copied in
 * and out, or a handle of an object.  A struct posh_value passes one
 * through a call.  Immutable values are equal, as dict keys too, when
 * Python says so: 1 == 1.0 == True; but there is one NaN, equal to itself.
 * Tuples go 200 deep; -EINVAL beyond.
 */

enum posh_type {
	POSH_NONE = 1,
	POSH_BOOL,     /* i: 0 or 1 */
	POSH_INT,      /* i */
	POSH_BIGINT,   /* data, size: two's complement, low byte first */
	POSH_FLOAT,    /* f */
	POSH_COMPLEX,  /* f and im */
	POSH_STR,      /* data, size, width: size characters of width bytes */
	POSH_UTF8,     /* data, size: bytes of UTF-8; input only */
	POSH_BYTES,    /* data, size */
	POSH_TUPLE,    /* items, size */
	POSH_ELLIPSIS, /* Python's ... */
	POSH_OBJECT,   /* object, kind */
	POSH_NEW,      /* input only: an empty object of kind, made in place;
			  object is set to its handle, of which the container
			  owns the only reference.  For an instance, size is
			  its number of slots and object its class; for a deque
			  size is its bound + 1, or 0 for none; for a tuple
			  size is its length and width its form, no set's. */
};

/* What a tuple stands for: the width of a POSH_TUPLE.  Bindings have other
 * immutable types so.  A reader that knows no class sees what it is made of.
 */
enum posh_form {
	POSH_FORM_PLAIN = 0, /* a tuple */
	POSH_FORM_TYPED = 1, /* {class, state}: an immutable value of a class,
				equal to one of the same class and state */
	POSH_FORM_LIKE = 2,  /* {class, like} or {class, like, state}: one that
				is equal to whatever `like` is equal to, so that
				either finds the other as a key */
	POSH_FORM_SET = 3,   /* a set that never changes; see posh_value_sort */
	POSH_FORM_KEY = 4, /* {class, value, object}: an object as a key, equal
			      only to itself, that is looked for by a value;
			      see posh_dict_candidates */
};

enum posh_kind {
	POSH_KIND_NONE = 0,
	POSH_KIND_LIST = 1,
	POSH_KIND_DICT = 2,
	POSH_KIND_TUPLE = 3, /* a tuple that has objects in it */
	POSH_KIND_INSTANCE = 4,
	POSH_KIND_SET = 5,
	POSH_KIND_DEQUE = 6,
	POSH_KIND_BLOB = 7,   /* bytes in place */
	POSH_KIND_BUFFER = 8, /* a blob that may be replaced */
};

/* What the caller knows of a key, which it alone can compare. */
enum posh_key_flags {
	POSH_OPAQUE = 1,   /* it may be equal to any other */
	POSH_DISTINCT = 2, /* it is none of those that are there, unless
			      libposh finds it */
};

struct posh_value {
	uint8_t type;   /* enum posh_type */
	uint8_t width;  /* POSH_STR: 1, 2 or 4; POSH_TUPLE: enum posh_form */
	uint8_t ascii;  /* POSH_STR from a read: all ASCII, NUL-terminated */
	uint8_t kind;   /* POSH_OBJECT, POSH_NEW: enum posh_kind */
	uint32_t flags; /* of a key: enum posh_key_flags, else 0 */
	union {
		size_t size;
		double im;
	};
	union {
		int64_t i;
		double f;
		const void *data;
		struct posh_value *items;
		posh_handle object;
	};
};

/* Short ways to write a value in C. */
static inline struct posh_value
posh_int(int64_t i)
{
	struct posh_value v = {POSH_INT, 0, 0, 0, 0, {0}, {0}};
	v.i = i;
	return v;
}

static inline struct posh_value
posh_float(double f)
{
	struct posh_value v = {POSH_FLOAT, 0, 0, 0, 0, {0}, {0}};
	v.f = f;
	return v;
}

static inline struct posh_value
posh_none(void)
{
	struct posh_value v = {POSH_NONE, 0, 0, 0, 0, {0}, {0}};
	return v;
}

static inline struct posh_value
posh_bool(bool b)
{
	struct posh_value v = {POSH_BOOL, 0, 0, 0, 0, {0}, {0}};
	v.i = b;
	return v;
}

static inline struct posh_value
posh_utf8(const char *text, size_t bytes)
{
	struct posh_value v = {POSH_UTF8, 0, 0, 0, 0, {0}, {0}};
	v.data = text;
	v.size = bytes;
	return v;
}

static inline struct posh_value
posh_bytes(const void *data, size_t bytes)
{
	struct posh_value v = {POSH_BYTES, 0, 0, 0, 0, {0}, {0}};
	v.data = data;
	v.size = bytes;
	return v;
}

static inline struct posh_value
posh_object(posh_handle o)
{
	struct posh_value v = {POSH_OBJECT, 0, 0, 0, 0, {0}, {0}};
	v.object = o;
	return v;
}

static inline struct posh_value
posh_fresh(enum posh_kind kind)
{
	struct posh_value v = {POSH_NEW, 0, 0, 0, 0, {0}, {0}};
	v.kind = (uint8_t)kind;
	return v;
}

/* Return a text value that a read gave as UTF-8, NUL-terminated, in a
 * buffer that the caller frees, or NULL without memory or if v is no text.
 * Lone surrogates come out as three bytes each.  Since 0.1. */
POSH_API char *posh_value_utf8(const struct posh_value *v, size_t *bytes);

/* Bring n values, no two of which are equal, into the order that the items of
 * a POSH_FORM_SET have: by their hashes.  Sets in another order are malformed.
 *   -EINVAL  a value is malformed, or POSH_NEW
 *   -ENOMEM  there is no private memory
 * Since 0.1. */
POSH_API int posh_value_sort(posh_heap *h, struct posh_value *v, size_t n);

/*
 * OBJECTS
 *
 * What is common to all kinds.  An object lives while a container refers
 * to it or a process holds it.  Holds are counted, in the process.
 */

/* Return the object's kind, or POSH_KIND_NONE for what is no object.  Any
 * number may be given as handle.  Since 0.1. */
POSH_API enum posh_kind posh_object_kind(posh_heap *h, posh_handle o);

/* Add a hold to an object that is known to live.
 *   -ENOMEM  the table of holds is full and cannot grow
 * Since 0.1. */
POSH_API int posh_object_hold(posh_heap *h, posh_handle o);

/* Give back a hold.  The object dies if it was the last reference; while the
 * heap is collected, recounted or checked, when that is over.  Never fails,
 * and does not wait for that; after posh_heap_close it does nothing.  Since
 * 0.1. */
POSH_API void posh_object_drop(posh_heap *h, posh_handle o);

/* Enter the object's monitor, which is recursive.  Others' writes wait; so
 * do their reads from the first write in here until the unlock.  timeout is
 * in nanoseconds, negative: no limit.  A monitor whose owner died is taken
 * over, its object whole.
 *   -ETIMEDOUT  somebody else was inside all the time
 * Since 0.1. */
POSH_API int posh_object_lock(posh_heap *h, posh_handle o, int64_t timeout);

/* Leave the monitor.
 *   -EPERM  the calling thread is not inside
 * Since 0.1. */
POSH_API int posh_object_unlock(posh_heap *h, posh_handle o);

/* Does the calling thread have the monitor?  Since 0.1. */
POSH_API bool posh_object_locked(posh_heap *h, posh_handle o);

/* Return a number that is another one after each change of the object's own
 * slots; changes that the calling thread makes inside the monitor count as one
 * until it leaves.  Since 0.1. */
POSH_API uint64_t posh_object_version(posh_heap *h, posh_handle o);

/*
 * LISTS
 *
 * A value that a read returns as POSH_OBJECT comes with a hold that the
 * caller owns.  Input objects need be alive only during the call.  Besides
 * what is said, writes may return
 *   -ENOMEM  the heap is full
 *   -EINVAL  a value is malformed, or o is not a list
 *   -EXDEV   an object in a value is none of this heap
 */

/* Make an empty list.  The caller owns a hold.  Since 0.1. */
POSH_API int posh_list_new(posh_heap *h, posh_handle *out);

/* Return how many elements it has.  Since 0.1. */
POSH_API int64_t posh_list_len(posh_heap *h, posh_handle o);

/* Read element i, or with negative i count from the end.
 *   -ERANGE  there is no such element
 * Since 0.1. */
POSH_API int posh_list_get(posh_heap *h, posh_handle o, int64_t i,
			   struct posh_value *out);

/* Read up to n elements from start on, all as of one moment.  With
 * POSH_SCALARS it stops ahead of the first object unless that comes first,
 * and then returns just that one.  Returns how many.  A number of elements
 * beyond the end is no error.
 *   -ENOMEM  no memory for the buffer
 * Since 0.1. */
enum { POSH_SCALARS = 1 };
POSH_API int64_t posh_list_read(posh_heap *h, posh_handle o, size_t start,
				size_t n, unsigned flags,
				struct posh_value *out, uint64_t *version);

/* Read the whole list, as of one moment, into an array that the caller
 * frees with free(); texts and bytes lie in the thread's buffer.  Returns
 * how many.  Since 0.1. */
POSH_API int64_t posh_list_snapshot(posh_heap *h, posh_handle o,
				    struct posh_value **out, uint64_t *version);

/* Replace element i (negative: from the end).
 *   -ERANGE
 * Since 0.1. */
POSH_API int posh_list_set(posh_heap *h, posh_handle o, int64_t i,
			   struct posh_value *v);

/* Append one value.  Since 0.1. */
POSH_API int posh_list_append(posh_heap *h, posh_handle o,
			      struct posh_value *v);

/* Insert ahead of element i; beyond either end means that end.  Since
 * 0.1. */
POSH_API int posh_list_insert(posh_heap *h, posh_handle o, int64_t i,
			      struct posh_value *v);

/* Append n values: all or none.  Since 0.1. */
POSH_API int posh_list_extend(posh_heap *h, posh_handle o, struct posh_value *v,
			      size_t n);

/* Remove element i (negative: from the end); the value goes to *out unless
 * that is NULL.  Needs no memory in the heap.
 *   -ERANGE
 * Since 0.1. */
POSH_API int posh_list_pop(posh_heap *h, posh_handle o, int64_t i,
			   struct posh_value *out);

/* Remove elements from .. to - 1, cut to the list's length.  Needs no
 * memory in the heap.  Since 0.1. */
POSH_API int posh_list_delete(posh_heap *h, posh_handle o, size_t from,
			      size_t to);

/* Replace elements from .. to - 1 by n values: all or nothing.  With the
 * range 0 .. SIZE_MAX, the whole list.  Since 0.1. */
POSH_API int posh_list_splice(posh_heap *h, posh_handle o, size_t from,
			      size_t to, struct posh_value *v, size_t n);

/* Make element k what element order[k] was, for all n elements.
 *   -EINVAL  order is no permutation of 0 .. n - 1
 *   -ESTALE  the version is not this one any more, or n not the length
 * Since 0.1. */
POSH_API int posh_list_permute(posh_heap *h, posh_handle o, const size_t *order,
			       size_t n, uint64_t version);

/* Make room for n elements in all.  Since 0.1. */
POSH_API int posh_list_reserve(posh_heap *h, posh_handle o, size_t n);

/*
 * DEQUES
 *
 * Double-ended queues, which may be bounded: what is appended to one that is
 * full pushes an element out at the other end, in the same operation.
 * Appending and popping take the same time at both ends, whatever the length.
 * Errors of writes as with lists.
 */

/* Make an empty deque of at most maxlen elements; negative: as many as you
 * like.  The caller owns a hold.  Since 0.1. */
POSH_API int posh_deque_new(posh_heap *h, int64_t maxlen, posh_handle *out);

/* Give a deque another bound.
 *   -EBUSY  it has more elements than that
 * Since 0.1. */
POSH_API int posh_deque_bound(posh_heap *h, posh_handle o, int64_t maxlen);

/* Return how many elements it has; its bound goes to *maxlen, -1 for none,
 * unless that is NULL.  Since 0.1. */
POSH_API int64_t posh_deque_len(posh_heap *h, posh_handle o, int64_t *maxlen);

/* Read element i, or with negative i count from the end.
 *   -ERANGE  there is no such element
 * Since 0.1. */
POSH_API int posh_deque_get(posh_heap *h, posh_handle o, int64_t i,
			    struct posh_value *out);

/* Replace element i (negative: from the end).
 *   -ERANGE
 * Since 0.1. */
POSH_API int posh_deque_set(posh_heap *h, posh_handle o, int64_t i,
			    struct posh_value *v);

/* Append one value on the right, or on the left.  A bound of 0 drops it.
 * Since 0.1. */
POSH_API int posh_deque_append(posh_heap *h, posh_handle o,
			       struct posh_value *v);
POSH_API int posh_deque_appendleft(posh_heap *h, posh_handle o,
				   struct posh_value *v);

/* Append n values, one after the other, all or none; values that the bound
 * leaves no room for are not looked at.  Since 0.1. */
POSH_API int posh_deque_extend(posh_heap *h, posh_handle o,
			       struct posh_value *v, size_t n);
POSH_API int posh_deque_extendleft(posh_heap *h, posh_handle o,
				   struct posh_value *v, size_t n);

/* Remove the last element, or the first; it goes to *out unless that is
 * NULL.  Needs no memory in the heap.
 *   -ERANGE  the deque is empty
 * Since 0.1. */
POSH_API int posh_deque_pop(posh_heap *h, posh_handle o,
			    struct posh_value *out);
POSH_API int posh_deque_popleft(posh_heap *h, posh_handle o,
				struct posh_value *out);

/* Insert ahead of element i; beyond either end means that end.
 *   -ERANGE  the deque is full
 * Since 0.1. */
POSH_API int posh_deque_insert(posh_heap *h, posh_handle o, int64_t i,
			       struct posh_value *v);

/* Remove element i (negative: from the end).  Needs no memory in the heap.
 *   -ERANGE
 * Since 0.1. */
POSH_API int posh_deque_delete(posh_heap *h, posh_handle o, int64_t i);

/* Move n elements from the right end to the left; negative: the other way
 * round.  Since 0.1. */
POSH_API int posh_deque_rotate(posh_heap *h, posh_handle o, int64_t n);

/* Reverse the order.  Since 0.1. */
POSH_API int posh_deque_reverse(posh_heap *h, posh_handle o);

/* Remove everything.  Needs no memory in the heap.  Since 0.1. */
POSH_API int posh_deque_clear(posh_heap *h, posh_handle o);

/* Read up to n elements from *cursor on, UINT64_MAX at first, all as of one
 * moment, and move the cursor behind them.  The cursor names an element, not
 * a place: what comes and goes at the ends meanwhile does not disturb it.
 * POSH_SCALARS as with posh_list_read.  Returns how many.  Since 0.1. */
POSH_API int64_t posh_deque_read(posh_heap *h, posh_handle o, uint64_t *cursor,
				 size_t n, unsigned flags,
				 struct posh_value *out, uint64_t *version);

/* Read the whole deque as of one moment, as posh_list_snapshot does.  Since
 * 0.1. */
POSH_API int64_t posh_deque_snapshot(posh_heap *h, posh_handle o,
				     struct posh_value **out,
				     uint64_t *version);

/*
 * DICTS
 *
 * Insertion order is kept.  A key is an immutable value, or an object, which
 * is then equal only to itself; but a tuple with objects in it is equal to
 * another one with equal items.  Errors of writes as with lists.
 *
 * Opaque keys are compared by those who set them.  A key without POSH_DISTINCT
 * that is not found is -ENOTUNIQ, and nothing is changed, if one that is there
 * may be equal to it: one of POSH_FORM_KEY that has it as its value, or, if
 * POSH_OPAQUE keys were set since the dict was made, cleared or replaced, any.
 * posh_dict_update says so already if there are such keys; those of one call
 * are not compared with each other.  Of a POSH_NEW value `object` is to be set
 * again.
 */

/* Make an empty dict.  The caller owns a hold.  Since 0.1. */
POSH_API int posh_dict_new(posh_heap *h, posh_handle *out);

/* Return how many items it has.  Since 0.1. */
POSH_API int64_t posh_dict_len(posh_heap *h, posh_handle o);

/* Read the value of a key; out may be NULL.
 *   -ENOENT  there is no such key
 *   -ENOTUNIQ
 * Since 0.1. */
POSH_API int posh_dict_get(posh_heap *h, posh_handle o,
			   const struct posh_value *key,
			   struct posh_value *out);

/* Read up to n of the keys {class, value, object}, POSH_FORM_KEY, that have
 * this value, as of one moment: which one of the objects is the right one is
 * the caller's to know.  Returns how many there are, which may be more.
 *   -EINVAL  value is malformed, or has an object
 * Since 0.1. */
POSH_API int64_t posh_dict_candidates(posh_heap *h, posh_handle o,
				      const struct posh_value *value, size_t n,
				      struct posh_value *out);

/* Set the value of a key.  A key that is there stays the one it was, as in
 * Python.  Returns 1 if the key is new, otherwise 0.
 *   -ENOTUNIQ
 * Since 0.1. */
POSH_API int posh_dict_set(posh_heap *h, posh_handle o, struct posh_value *key,
			   struct posh_value *v);

/* Set the value of a key that is not there, in one operation, and read the
 * value that is there afterwards into *out.  Returns as posh_dict_set.
 * Since 0.1. */
POSH_API int posh_dict_setdefault(posh_heap *h, posh_handle o,
				  struct posh_value *key, struct posh_value *v,
				  struct posh_value *out);

/* Remove a key; its value goes to *out unless that is NULL.  Needs no memory
 * in the heap.
 *   -ENOENT, -ENOTUNIQ
 * Since 0.1. */
POSH_API int posh_dict_pop(posh_heap *h, posh_handle o,
			   const struct posh_value *key,
			   struct posh_value *out);

/* Remove the last item.
 *   -ENOENT  the dict is empty
 * Since 0.1. */
POSH_API int posh_dict_popitem(posh_heap *h, posh_handle o,
			       struct posh_value *key,
			       struct posh_value *value);

/* The same of the first item.  Since 0.1. */
POSH_API int posh_dict_popfirst(posh_heap *h, posh_handle o,
				struct posh_value *key,
				struct posh_value *value);

/* Move an item to the end of the order, or to its beginning; as a rule in
 * constant time.  A reader finds it in its old place or in its new one; who
 * goes through the items meanwhile may meet it twice, or not at all.
 *   -ENOENT, -ENOTUNIQ
 *   -ENOMEM  once in a while there has to be another body
 * Since 0.1. */
enum posh_end { POSH_LAST, POSH_FIRST };
POSH_API int posh_dict_move(posh_heap *h, posh_handle o,
			    const struct posh_value *key, enum posh_end end);

/* Remove everything.  Needs no memory in the heap.  Since 0.1. */
POSH_API int posh_dict_clear(posh_heap *h, posh_handle o);

/* Set n items: all or none.  item[2 k] is a key, item[2 k + 1] its value.
 * With POSH_REPLACE, everything else goes.
 *   -EINVAL  as with lists; or with POSH_REPLACE, two keys are equal
 *   -ENOTUNIQ
 * Since 0.1. */
enum { POSH_REPLACE = 1 };
POSH_API int posh_dict_update(posh_heap *h, posh_handle o,
			      struct posh_value *item, size_t n,
			      unsigned flags);

/* Read up to n items that come after *cursor, 0 at first, in order of
 * insertion, all as of one moment, and move the cursor behind them.
 * item[2 k] is a key, item[2 k + 1] its value; POSH_SCALARS as with
 * posh_list_read.  Items set meanwhile by anybody come or do not come; an
 * item that is there throughout comes exactly once.  Returns how many.
 * Since 0.1. */
POSH_API int64_t posh_dict_read(posh_heap *h, posh_handle o, uint64_t *cursor,
				size_t n, unsigned flags,
				struct posh_value *item, uint64_t *version);

/* The same backwards; *cursor is UINT64_MAX at first.  Since 0.1. */
POSH_API int64_t posh_dict_read_back(posh_heap *h, posh_handle o,
				     uint64_t *cursor, size_t n, unsigned flags,
				     struct posh_value *item,
				     uint64_t *version);

/* Read the whole dict as of one moment into an array of keys and values by
 * turns, which the caller frees with free().  Returns how many items.
 * Since 0.1. */
POSH_API int64_t posh_dict_snapshot(posh_heap *h, posh_handle o,
				    struct posh_value **out, uint64_t *version);

/*
 * SETS
 *
 * A set is a dict whose values are all True: every call for dicts takes one,
 * and none accepts another value for it (-EINVAL).  An element is a key.
 */

/* Make an empty set.  The caller owns a hold.  Since 0.1. */
POSH_API int posh_set_new(posh_heap *h, posh_handle *out);

/*
 * TUPLES
 *
 * A tuple of immutable values is a value itself (POSH_TUPLE).  One that has
 * an object in it is an object of kind POSH_KIND_TUPLE.  It never changes.
 */

/* Make a tuple that is an object, also if there is no object in it.  The
 * caller owns a hold.  Errors as with lists.  Since 0.1. */
POSH_API int posh_tuple_new(posh_heap *h, enum posh_form form,
			    struct posh_value *v, size_t n, posh_handle *out);
POSH_API int64_t posh_tuple_len(posh_heap *h, posh_handle o);

/* Return what the tuple stands for: an enum posh_form.  Since 0.1. */
POSH_API int posh_tuple_form(posh_heap *h, posh_handle o);

/* Read element i.
 *   -ERANGE
 * Since 0.1. */
POSH_API int posh_tuple_get(posh_heap *h, posh_handle o, size_t i,
			    struct posh_value *out);

/* Set element i of a tuple that was made with POSH_NEW (its size) or without
 * elements, and is no set.  To read one that is not set is -EUCLEAN: nobody
 * else should see the tuple yet. -EEXIST  it was set already -ERANGE Since 0.1.
 */
POSH_API int posh_tuple_init(posh_heap *h, posh_handle o, size_t i,
			     struct posh_value *v);

/*
 * BLOBS AND BUFFERS
 *
 * A blob is memory: a number of bytes that never changes, to be read and
 * written in place by all who hold it.  What the bytes are is none of the
 * library's business, and a process that is killed while it writes in place
 * leaves what it has written so far.
 *
 * A buffer is a sequence of bytes that grows and shrinks: it refers to a
 * blob that has them, and has a value, its meta, that says what they mean.
 * Its operations are atomic, like those of a list: others see all of a write
 * or nothing, and so does who comes after a death.  Who has the address of its
 * bytes reads and writes past the monitor.  What does not fit the blob goes to
 * another one, which takes its place; the old one lives as long as somebody
 * holds it, and has no more to do with the buffer.
 */

/* Make a blob of so many bytes, all 0.  Memory that was never used is not
 * touched.  The caller owns a hold.
 *   -ENOMEM  the heap is full
 * Since 0.1. */
POSH_API int posh_blob_new(posh_heap *h, uint64_t bytes, posh_handle *out);

/* Find a blob's memory, 16-byte aligned, and how many bytes it has.  The
 * address is this process's, and good as long as the blob is held and the
 * struct posh_heap is there.  Either output may be NULL.
 *   -EINVAL  o is no blob
 * Since 0.1. */
POSH_API int posh_blob_data(posh_heap *h, posh_handle o, void **data,
			    uint64_t *bytes);

/* Find the blob that has this address in its memory, which the caller
 * knows to live, and how far behind the blob's first byte it is.
 *   -ENOENT  there is none
 * Since 0.1. */
POSH_API int posh_blob_find(posh_heap *h, const void *address, posh_handle *out,
			    uint64_t *at);

/* Make a buffer without a blob.  The caller owns a hold.  Since 0.1. */
POSH_API int posh_buffer_new(posh_heap *h, posh_handle *out);

/* Give one that was made so, or by POSH_NEW, its blob and its meta, which is
 * an immutable value.  To read it before is -EUCLEAN.
 *   -EEXIST  it has a blob
 *   -EINVAL  blob is none, or meta is or has an object
 *   -ENOMEM  the heap is full
 * Since 0.1. */
POSH_API int posh_buffer_init(posh_heap *h, posh_handle o, posh_handle blob,
			      struct posh_value *meta);

/* Read the meta.  Since 0.1. */
POSH_API int posh_buffer_meta(posh_heap *h, posh_handle o,
			      struct posh_value *out);

/* Find where the bytes are now, and how many.  The caller owns a hold of the
 * blob, for as long as it uses the address.  Since 0.1. */
POSH_API int posh_buffer_view(posh_heap *h, posh_handle o, posh_handle *blob,
			      void **data, uint64_t *length);

/* Return how many bytes there are.  Since 0.1. */
POSH_API int64_t posh_buffer_len(posh_heap *h, posh_handle o);

/* Copy up to n bytes from byte `at` on to data, as of one moment, and tell
 * how many the buffer had then unless length is NULL.  Returns how many were
 * copied.  Since 0.1. */
POSH_API int64_t posh_buffer_read(posh_heap *h, posh_handle o, uint64_t at,
				  uint64_t n, void *data, uint64_t *length);

/* Overwrite n bytes from byte `at` on.
 *   -ERANGE  there are not so many
 *   -ENOMEM  the heap is full (not for 1, 2, 4 or 8 aligned bytes)
 * Since 0.1. */
POSH_API int posh_buffer_write(posh_heap *h, posh_handle o, uint64_t at,
			       const void *data, uint64_t n);

/* Replace the `del` bytes from byte `at` on, or what there is of them, by n.
 * If that are as many, the bytes are overwritten where they are.  To remove
 * some at the beginning or the end needs no memory in the heap.
 *   -ERANGE  at is behind the end
 *   -ENOMEM  the heap is full
 * Since 0.1. */
POSH_API int posh_buffer_splice(posh_heap *h, posh_handle o, uint64_t at,
				uint64_t del, const void *data, uint64_t n);

/*
 * CLASSES AND INSTANCES
 *
 * A class is a name and a growing list of attribute names; an attribute's
 * place in it is the number of its slot in every instance.  An instance
 * has room for a number of slots, and a dict for all others.
 */

/* Find the class of that name, or make it.  The handle needs no hold.
 *   -EINVAL  the name is empty or no UTF-8
 * Since 0.1. */
POSH_API int posh_class_intern(posh_heap *h, const char *name,
			       posh_handle *out);

/* Find the slot of an attribute, or add it.  Returns its number, from 0.
 *   -ENOENT  there is none, and create was 0
 *   -ERANGE  the class has POSH_CLASS_SLOTS already
 * Since 0.1. */
enum { POSH_CLASS_SLOTS = 64 };
POSH_API int posh_class_slot(posh_heap *h, posh_handle cls,
			     const struct posh_value *name, unsigned create);

/* Read a class's name (i = 0) or the name of its slot i - 1: classes are
 * lists, for posh_list_get and posh_list_len too. */

/* Make an instance with empty slots, of a class from posh_class_intern.  The
 * caller owns a hold.  Since 0.1. */
POSH_API int posh_instance_new(posh_heap *h, posh_handle cls, size_t slots,
			       posh_handle *out);

/* Return the class of an instance, and how many slots it has room for.
 * Since 0.1. */
POSH_API int posh_instance_class(posh_heap *h, posh_handle o, posh_handle *cls,
				 size_t *slots);

/* Read a slot.
 *   -ENOENT  it is empty
 *   -ERANGE  the instance has no such slot
 * Since 0.1. */
POSH_API int posh_instance_get(posh_heap *h, posh_handle o, size_t slot,
			       struct posh_value *out);

/* Set a slot, or with v NULL empty it.
 *   -ENOENT  v is NULL and it is empty
 *   -ERANGE
 * Since 0.1. */
POSH_API int posh_instance_set(posh_heap *h, posh_handle o, size_t slot,
			       struct posh_value *v);

/* Find the dict of the attributes that have no slot, and with create make
 * it.  The caller owns a hold of it.
 *   -ENOENT  there is none, and create was 0
 * Since 0.1. */
POSH_API int posh_instance_extra(posh_heap *h, posh_handle o, unsigned create,
				 posh_handle *out);

#ifdef __cplusplus
}
#endif

#endif

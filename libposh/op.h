/* SPDX-License-Identifier: MIT */
/* op.h - intents: what makes an operation on a container whole.
 *
 * A thread's entry says what it is in the middle of, while opno is odd, in
 * words that stay valid while the thread has the container's monitor, living
 * or dead.  Each operation is written so that doing it again from its intent
 * finishes it, or shows that it did not begin; recovery calls the same code
 * on the dead thread's entry.  Between an operation's begin and its end
 * nothing can fail, wait, or allocate.  It changes the container only while
 * that's sequence is odd: if recovery finds it even, there is nothing to do.
 *
 * What is owned by nobody but the thread lies in val, newbody, stage and
 * trash, at all times; posh__release gives it back.
 */
#ifndef POSH_OP_H
#define POSH_OP_H

#include "lock.h"
#include "slots.h"
#include "value.h"

enum posh__op {
	POSH__OP_NONE,
	POSH__OP_PLACED,  /* val[0] and val[1] are in the container */
	POSH__OP_SET,     /* slot at pos: oldval -> aux == val[index] */
	POSH__OP_APPEND,  /* body's slot[index] = val[0] */
	POSH__OP_EXTEND,  /* body's slot[index..] = the stage's count values */
	POSH__OP_INSERT,  /* slots from index on move up, down to pos */
	POSH__OP_EMPTY,   /* body's slots index..count - 1 are unlinked, */
	POSH__OP_CLOSE,   /* those from count on move down, from pos on, */
	POSH__OP_CUT,     /* and what is left behind aux is cut off */
	POSH__OP_SWAP,    /* container's body: body -> aux */
	POSH__OP_DINSERT, /* entry index, index slot pos (was oldval) */
	POSH__OP_DDELETE, /* entry index, index slot pos; fill becomes count */
	POSH__OP_DMOVE,   /* entry index, index slot pos: see dict.c */
	/* With the number of a pair of the stage in the bits from 8 on: */
	POSH__OP_UPDATE,    /* the pairs before it are done */
	POSH__OP_UPDATESET, /* entry pos: oldval -> aux, then the stage */
	POSH__OP_UPDATEINS, /* {oldval, aux} in index slot pos; fill: count */
	POSH__OP_WRITE, /* body's data[pos] = count bytes of newbody's slots */
	/* Of a deque whose fill word is index or, of the last four, oldval, and
	 * becomes aux; these have the side in bit 8: see deque.c. */
	POSH__OP_SHIFT,   /* count values come in, as pos says, others go out */
	POSH__OP_RINSERT, /* elements from index on move up, down to pos */
	POSH__OP_REMPTY,  /* element index is unlinked, */
	POSH__OP_RCLOSE,  /* those behind it move down, from pos on, */
	POSH__OP_RCUT,    /* and the last of count is cut off */
};

static inline void
posh__op_begin(struct posh__self *self, enum posh__op op)
{
	struct posh__thread *t = self->t;

	posh__store(&t->op, op);
	posh__store(&t->opno, posh__peek(&t->opno) | 1);
}

static inline void
posh__op_next(struct posh__self *self, uint64_t op)
{
	posh__store(&self->t->op, op);
}

static inline void
posh__op_end(struct posh__self *self)
{
	posh__store(&self->t->opno, posh__peek(&self->t->opno) + 1);
}

/* Give back what the thread owns; what dies by that is destroyed. */
void posh__release(struct posh__self *self);

/* Recovery: finish or undo what is in flight. */
void posh__op_finish(struct posh__self *self);

/* A stage of n values (encoded from v) in self->t->stage.
 *   as posh__value_encode */
int posh__stage_make(struct posh__self *self, struct posh_value *v, size_t n);

/* Allocate a body of a kind with at least bytes, in t->newbody. */
int posh__body_alloc(struct posh__self *self, uint64_t bytes, uint16_t kind);

/* Make newbody, or with to 0 nothing, the container's body; inside its
 * monitor.  Of the old one, the values from .. to - 1 of each row go; with
 * disown the values of the stage are in the new one.  The caller ends with
 * posh__release, after the unlock. */
void posh__body_swap(struct posh__self *self, uint64_t container, uint64_t from,
		     uint64_t to, bool disown);

/* Replace the value of a slot of the container, inside its monitor, by
 * val[k], which gets the old one. */
void posh__slot_set(struct posh__self *self, uint64_t container,
		    posh__word *slot, unsigned k);

/* A blob with room for at least so many bytes, all of which may be anything
 * and are in use, owned by *owner.
 *   -ENOMEM */
int posh__blob_make(struct posh__self *self, uint64_t room, uint64_t length,
		    posh__word *owner);

/* The blob at a handle that may be stale: its memory and window, which then
 * lie in the heap.
 *   -EAGAIN  it makes no sense */
int posh__blob_at(struct posh_heap *h, uint64_t blob, struct posh__blob **out,
		  uint64_t *window);

/* The finishers of lists, deques, dicts and buffers. */
void posh__list_finish(struct posh__self *self, uint64_t op);
void posh__deque_finish(struct posh__self *self, uint64_t op);
void posh__dict_finish(struct posh__self *self, uint64_t op);
void posh__buffer_finish(struct posh__self *self);

/* Does the handle name a live object of this kind?  0 or -EINVAL. */
static inline int
posh__object_is(struct posh_heap *h, posh_handle o, unsigned kind)
{
	if (__builtin_expect(o.off & 15 ||
				     !posh__inside(h, o.off,
						   sizeof(struct posh__object)),
			     0))
		return -EINVAL;
	return posh__object(h, o.off)->kind == kind ? 0 : -EINVAL;
}

/* The same of a dict, or a set: that is a dict whose values are all True. */
static inline bool
posh__kind_is_dict(unsigned kind)
{
	return kind == POSH__KIND_DICT || kind == POSH__KIND_SET;
}

static inline int
posh__object_is_dict(struct posh_heap *h, posh_handle o)
{
	return posh__object_is(h, o, POSH__KIND_DICT)
		       ? posh__object_is(h, o, POSH__KIND_SET)
		       : 0;
}

/* Enter a write on an object of this kind.
 *   -EINVAL  the handle names none */
static inline int
posh__enter_object(posh_heap *h, posh_handle o, unsigned kind,
		   struct posh__self **self)
{
	int rc = posh__enter_write(h, self);

	if (rc)
		return rc;
	rc = posh__object_is(h, o, kind);
	if (rc)
		posh__leave(*self);
	return rc;
}

/* End it: give back what the thread owns, and return rc. */
static inline int
posh__leave_object(struct posh__self *self, int rc)
{
	posh__release(self);
	posh__leave(self);
	return rc;
}

/* Make an empty object with a front of so many bytes, of which the caller
 * owns a hold. */
int posh__object_empty(posh_heap *h, uint64_t bytes, unsigned kind,
		       posh_handle *out);

/* Make an object: a block with its head cleared, ALLOCATING; then its kind
 * is stored and the hold confirmed. */
int posh__object_new(struct posh__self *self, uint64_t bytes, unsigned kind,
		     unsigned flags, uint64_t *out);

/* Make an object whose only link is *owner. */
int posh__object_born(struct posh__self *self, uint64_t bytes, unsigned kind,
		      unsigned flags, posh__word *owner);

/* Make an object that *owner owns by its only link: POSH_NEW. */
int posh__object_make(struct posh__self *self, struct posh_value *in,
		      posh__word *owner);

/* A tuple with an object in it. */
int posh__tuple_make(struct posh__self *self, const struct posh_value *in,
		     posh__word *owner);

/* Read one slot of an object that is protected by its sequence word: see
 * read.c.  The reader is called again until its reading is valid. */
typedef int posh__reader(struct posh__self *self, uint64_t object, void *arg);
int posh__read(struct posh__self *self, uint64_t object, posh__reader *f,
	       void *arg);

/* Decode a slot's value, and enter a hold if it is an object.  A reader
 * registers what it holds so that a failed reading lets go. */
int posh__read_value(struct posh__self *self, uint64_t value,
		     struct posh_value *out);

/* If value is an object's, which a slot had while the sequence was seq, an
 * even number: hold it.  False: it is not, or is there no more. */
bool posh__read_object(struct posh__self *self, struct posh__object *container,
		       uint64_t seq, uint64_t value, struct posh_value *out);

/* The fast path: a valid read of one word, or false. */
static inline bool
posh__seq_even(const struct posh__object *o, uint64_t *seq)
{
	*seq = posh__load(&o->seq);
	return (*seq & 1) == 0;
}

static inline bool
posh__seq_same(const struct posh__object *o, uint64_t seq)
{
	/* What was read before by plain loads, too, is not read later. */
	posh__load_fence();
	return posh__load(&o->seq) == seq || !POSH_RULE(REREAD);
}

#endif

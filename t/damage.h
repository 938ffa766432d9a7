/* SPDX-License-Identifier: MIT */
/* damage.h - a good heap, of which tests of posh_heap_check damage a word.
 *
 * One part of it was made by a process that has left, the other by us. */
#ifndef POSH_DAMAGE_H
#define POSH_DAMAGE_H

#include "attach.h"
#include "dict.h"
#include "posh.h"

extern posh_heap *heap;
extern char heap_path[]; /* its file */
extern posh_handle list, dict, tuple, instance, lonely;
extern struct posh__self *self;

/* The elements of list. */
enum { TEXT, BYTES, BIG, COMPLEX, WIDE, WIDER, BOXTUPLE, EMPTY_LIST, ELEMENTS };

/* A way to damage the heap, and a part of what the check has to say. */
struct damage {
	const char *what;
	void (*f)(void);
	const char *says;
};

/* Make the heap; do each damage, see that the check says so, and that it does
 * not when the damage is undone. */
void damage_make(void);
void damage_all(const struct damage *d, size_t n);
void damage_end(void);

/* Run the check: does it say that, among other things? */
bool damage_heard(const char *says);

/* Change so many bytes, until it is undone; a word.  Undo all. */
void poke(volatile void *at, size_t size, uint64_t value);
void set(posh__word *w, uint64_t value);
void damage_undo(void);

/* What lies at this offset; a value of the root; the state word of a block; a
 * free block that was in use. */
posh__word *word_at(uint64_t off);
posh__word *root_slot(const char *name);
posh__word *state_of(uint64_t block);
uint64_t free_block(void);

/* The bodies of list and dict, and an element of list that is a box. */
struct posh__body *body(void);
struct posh__dbody *dbody(void);
struct posh__box *box(unsigned i);

#endif

/* SPDX-License-Identifier: MIT */
/* walk.h - going through all blocks of a heap, and counting who refers to
 * whom.  See walk.c. */
#ifndef POSH_WALK_H
#define POSH_WALK_H

#include "op.h"

typedef void posh__visit(struct posh__self *self, uint64_t block,
			 posh__word *word, void *arg);

/* Call f for each block whose state word is not 0. */
void posh__walk(struct posh__self *self, posh__visit *f, void *arg);

/* How many references there are to each block; see posh__census_of. */
struct posh__census {
	uint32_t **count; /* a span: its blocks, or NULL */
	uint64_t spans;
	uint64_t budget; /* of slots */
	int error;       /* what broke the counting off */
	/* Called for a reference to what is no live block, or NULL. */
	void (*stray)(struct posh__self *self, posh__word *slot, void *arg);
	void *arg;
};

/* Count the references of all slots, and of the entries of all threads.  The
 * world stands still.
 *   -ENOMEM   there is no private memory
 *   -EUCLEAN  there are more than the heap has room for */
int posh__census_take(struct posh__self *self, struct posh__census *c);
uint32_t posh__census_of(struct posh__self *self, const struct posh__census *c,
			 uint64_t block);
void posh__census_free(struct posh__census *c);

/* Make the count of every suspect exact; what dies by that is destroyed.
 * The world stands still. */
int posh__recount(struct posh__self *self);

/* Is there any? */
bool posh__suspects(struct posh__self *self);

#endif

/* SPDX-License-Identifier: MIT */
/* world.h - a little heap for crash tests: a list, a dict, a set and an
 * instance in the root, and an object that nobody refers to but who made the
 * world. */
#ifndef POSH_WORLD_H
#define POSH_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "posh.h"

struct world {
	posh_heap *h;
	posh_handle list, dict, set, own, inst, cls, deque;
	posh_handle buffer; /* the root holds it alone */
};

/* Fill a heap, w->h; its maker holds all of these. */
void world_make(struct world *w);

/* A number that tells two states of all that hangs from the root apart, and
 * of the classes. */
uint64_t world_digest(posh_heap *h);

/* Take away all that hangs from the root, recover and collect.  Returns how
 * many bytes live then, in *suspects how many suspects there are. */
uint64_t world_clear(posh_heap *h, uint64_t *suspects);

/* Leave old numbers in all words of the calling thread's journal: no
 * operation may take what an earlier one left there for its own. */
void world_soil(const struct world *w);

/* What scenarios are made of.  They end the process if the heap fails. */
struct posh_value world_text(const char *text);
/* A key that no dict has; but there may be an object that is looked for by
 * this value. */
struct posh_value world_absent(void);
void world_set(posh_heap *h, posh_handle dict, const char *key,
	       struct posh_value v);
/* Give a new buffer a blob of so many bytes, of all sorts, and a meta. */
void world_fill(posh_heap *h, posh_handle buffer, uint64_t bytes);
void world_append(posh_heap *h, posh_handle list, struct posh_value v);
/* A list of lists of texts, as deep as that. */
void world_graph(posh_heap *h, posh_handle list, int depth);
/* Circles of all kinds of objects, which nobody refers to. */
void world_garbage(const struct world *w);

#endif

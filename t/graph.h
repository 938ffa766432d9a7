/* SPDX-License-Identifier: MIT */
/* graph.h - random operations on a graph of shared objects.
 *
 * The graph hangs from the heap's root.  Every object has a depth, and refers
 * to objects one deeper only, so there is no cycle but those that are left
 * behind.  Every text, number, tuple, blob and buffer that goes in carries a
 * checksum of itself, and every value that comes out is held to its own: one
 * that is torn, or read out of memory that was freed, is noticed by whoever
 * reads it.
 */
#ifndef POSH_GRAPH_H
#define POSH_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "posh.h"

enum { GRAPH_OWN = 6 };

struct graph {
	posh_heap *h;
	posh_handle cls;
	uint64_t random;
	long steps;
	long wrong;     /* how often something was not as it has to be */
	char what[160]; /* the first of these */
	struct {
		posh_handle o;
		uint8_t kind, depth;
	} own[GRAPH_OWN]; /* held by this process */
	unsigned nown;
	int budget; /* of a visit */
};

/* Begin to work on the heap's graph; the choices follow from the seed.  Make
 * the class first of all, so that an empty graph's heap is the same always.
 * Owns nothing but holds, for graph_leave. */
void graph_join(struct graph *g, posh_heap *h, uint64_t seed);
void graph_leave(struct graph *g);

uint64_t graph_random(struct graph *g);

/* Do one thing to the graph. */
void graph_step(struct graph *g);

/* Leave a circle behind that nobody has: of two objects of any kinds and a
 * tuple, with something of the graph in it. */
void graph_circle(struct graph *g);

/* Read all of it, and write to every object. */
void graph_visit(struct graph *g);

/* Take everything away that hangs from the root. */
void graph_clear(posh_heap *h);

#endif

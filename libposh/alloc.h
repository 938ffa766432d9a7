/* SPDX-License-Identifier: MIT */
/* alloc.h - blocks: see alloc.c for the protocol. */
#ifndef POSH_ALLOC_H
#define POSH_ALLOC_H

#include "span.h"

/* Take a FREE block of at least bytes for the caller, in private: if it dies
 * the block is free.  Then note its handle where recovery finds it, then
 * give birth to it, or put it back.
 *   -ENOMEM */
int posh__block_reserve(struct posh__self *self, uint64_t bytes, uint64_t *out);
void posh__block_unreserve(struct posh__self *self, uint64_t block);
void posh__block_birth(struct posh__self *self, uint64_t block, uint64_t links);

/* Free a block that is DEAD(self). */
void posh__block_free(struct posh__self *self, uint64_t block);

/* The state word of a block, or NULL for a number that names none: for any
 * number whatever. */
posh__word *posh__block_word(struct posh_heap *h, uint64_t block);

/* The block that has this byte, or 0. */
uint64_t posh__block_around(struct posh_heap *h, uint64_t off);

/* How many bytes the block has (its class's size), for a valid block. */
uint64_t posh__block_bytes(struct posh_heap *h, uint64_t block);

/* Bytes that a request of this size gets. */
uint64_t posh__block_round(uint64_t bytes);

/* What is wrong with the front, the words and (owned) the list of free blocks
 * of a span of a size class; with that of a run: or NULL. */
const char *posh__span_wrong(struct posh_heap *h, uint64_t n, unsigned cls,
			     bool owned);
const char *posh__run_wrong(struct posh_heap *h, uint64_t n);

/* The thread goes: its spans become orphans. */
void posh__alloc_abandon(struct posh__self *self);

#endif

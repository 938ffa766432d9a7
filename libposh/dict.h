/* SPDX-License-Identifier: MIT */
/* dict.h - the body of a dict: entries and index.  See dbody.c. */
#ifndef POSH_DICT_H
#define POSH_DICT_H

#include "op.h"

/* A body as a reader may follow it: every number of it was read once, and
 * what they span may be read without a fault. */
struct posh__dview {
	struct posh__dbody *body; /* NULL: an empty dict */
	posh__half *index;
	uint32_t mask;  /* of the index */
	uint32_t first; /* entries before it are deleted */
	uint32_t used, live;
	uint32_t capacity;
};

/* What is looked for: an input, its hash, and its immediate value if it has
 * one; or, with in NULL, a stored value. */
struct posh__key {
	const struct posh_value *in;
	uint64_t hash;
	uint64_t word;
	bool immediate;
};

/* Where it was found, or where the index has room for it. */
struct posh__place {
	bool found;
	uint32_t entry;
	uint32_t pos;
};

enum { POSH__INDEX_EMPTY = 0, POSH__INDEX_DUMMY = 1, POSH__INDEX_FIRST = 2 };

/* -EAGAIN: nonsense, stale or damaged */
int posh__dview(struct posh_heap *h, uint64_t dict, struct posh__dview *out);

int posh__key(struct posh__self *self, const struct posh_value *in,
	      struct posh__key *out);

/* The key that is stored already, as word.  Looking for it needs no memory.
 *   -EAGAIN */
int posh__stored_key(struct posh__self *self, uint64_t word,
		     struct posh__key *out);

/* 0, or -EAGAIN. */
int posh__dlookup(struct posh__self *self, const struct posh__dview *v,
		  const struct posh__key *key, struct posh__place *out);

/* What the marks of a body say: a key may have been entered that is opaque, or
 * one of POSH_FORM_KEY. */
enum { POSH__DICT_OPAQUE = 1, POSH__DICT_VALUED = 2 };

/* Return the marks of a body that has this key. */
uint64_t posh__dict_marks(struct posh_heap *h, const struct posh_value *in);

/* What a lookup of an input returns that found nothing:
 *   -ENOENT
 *   -ENOTUNIQ  there are keys that may be equal, which the caller compares */
int posh__dmissing(struct posh__self *self, const struct posh__dview *v,
		   const struct posh__key *key);

/* Is the chain of this hash full of what was deleted? */
bool posh__dcrowded(const struct posh__dview *v, uint64_t hash);

/* Make newbody, for n entries at least, and with `keep`'s live ones behind
 * `front` that are deleted. */
int posh__dbody_make(struct posh__self *self, uint64_t n, uint32_t front,
		     const struct posh__dview *keep);

/* Have a body without deleted entries but `front` at the beginning, and with
 * room for n more, if there is memory or no room yet; inside the monitor; *v
 * is the view after it. */
int posh__dict_anew(struct posh__self *self, uint64_t dict, uint32_t front,
		    uint64_t n, struct posh__dview *v);

/* The same if there is no room yet. */
int posh__dict_room(struct posh__self *self, uint64_t dict, uint64_t n,
		    struct posh__dview *v);

#endif

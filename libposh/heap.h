/* SPDX-License-Identifier: MIT */
/* heap.h - the mapping of a heap into this process, and its growth. */
#ifndef POSH_HEAP_H
#define POSH_HEAP_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "layout.h"
#include "posh.h"

struct posh__self;

/* What this process keeps of the holds it has; see hold.h. */
struct posh__holds {
	posh__half lock;  /* private; 0 or 1, 2: somebody sleeps */
	unsigned bits;    /* log2 of the table's entries */
	uint64_t table;   /* offset of the shared table */
	uint64_t used;    /* entries that are not 0, tombs too */
	uint64_t live;    /* entries in a state */
	uint32_t *count;  /* users of each entry */
	posh__word tight; /* used is too much: looked at without the lock */
};

struct posh_heap {
	char *base;
	struct posh__header *hdr; /* == base */
	struct posh__member *member;
	uint32_t index;     /* of the member entry */
	bool closed;        /* calls return -ESHUTDOWN */
	posh__word due;     /* look whether to collect, or to finish drops */
	posh__word late;    /* drops were made at a shut gate: see hold.c */
	posh__word taken;   /* spans since this was looked at */
	posh__word threads; /* more than one has been here: see hold.c */
	uint64_t serial;    /* of the attachment; UINT64_MAX when closed */
	bool fences;        /* no membarrier: fence at each entry */
	posh__word *cookie; /* in a page that a fork wipes; 1 */
	pthread_key_t key;  /* the thread's struct posh__self */
	posh__word limit;   /* cached hdr->size; see posh__inside */
	uint64_t low;       /* where the spans begin */
	struct posh__holds holds;
	void *(*before)(void *);
	void (*after)(void *, void *);
	void *hook_arg;

	/* heap.c, member.c and fork.c only: see attach.h. */
	int fd;           /* to pass on, to grow */
	int token;        /* its description owns the member's byte */
	unsigned refs;    /* opens of the same file */
	unsigned pins;    /* threads on their way out: close waits */
	bool apart;       /* not to be found by another open (tests) */
	bool ram;         /* its pages are the machine's memory */
	uint64_t reserve; /* bytes mapped */
	char mapped[48];  /* device and inode, as /proc says it */
	char *path;       /* to open a named one again, or NULL */
	dev_t dev;
	ino_t ino;
	pthread_mutex_t lock; /* of selves and of attach in this process */
	struct posh__self *selves;
	struct posh_heap *next; /* of the process's list of heaps */
	int child_token;        /* fork: made in prepare */
	uint32_t child_index, child_tid;
	posh__half free_tid; /* where to look for a thread entry first */
};

/* What lies at a handle, if it is one: that may be checked later. */
static inline void *
posh__at(const struct posh_heap *h, uint64_t handle)
{
	return (void *)((uintptr_t)h->base + handle);
}

static inline struct posh__object *
posh__object(const struct posh_heap *h, uint64_t handle)
{
	return (struct posh__object *)posh__at(h, handle);
}

/* Do bytes at this offset lie in the spans, where they may be read without a
 * fault?  Anything may be asked: what a reader follows may be stale. */
static inline bool
posh__inside(struct posh_heap *h, uint64_t off, uint64_t bytes)
{
	uint64_t limit = posh__private_load(&h->limit);

	if (off < h->low)
		return false;
	if (bytes <= limit && off <= limit - bytes)
		return true;
	limit = posh__load(&h->hdr->size);
	posh__private_store(&h->limit, limit);
	return bytes <= limit && off <= limit - bytes;
}

/* Make the heap at least one step (POSH__GROW) and n spans larger.  for_holds:
 * may go beyond max_size, by the reserve of the hold tables.  Serialized by
 * hdr->grow_lock; idempotent, so that a death in the middle is nothing.
 *   -ENOMEM  max_size, machine, cgroup or file system is full
 *   -EBADF   the program closed the heap's descriptor */
int posh__heap_grow(struct posh__self *self, uint64_t n, bool for_holds);

/* Is this an error that another try, or less of it, may be spared? */
static inline bool
posh__is_full(int rc)
{
	return rc == -ENOMEM || rc == -EBADF;
}

/* Allocate the file's pages of [off, off + bytes).  Errors as above. */
int posh__heap_populate(struct posh_heap *h, uint64_t off, uint64_t bytes);

/* Have all pages that a heap in use has, in the tables and in the spans: a
 * file that was copied with holes may lack some, and to touch one when there
 * is no memory is a signal.  surely: look for more than the size tells.
 *   -ENOMEM */
int posh__heap_fill_tables(struct posh_heap *h);
int posh__heap_fill(struct posh_heap *h, bool surely);

/* Give the pages of a range back to the system; they read as zero. */
void posh__heap_punch(struct posh_heap *h, uint64_t off, uint64_t bytes);

/* Make memory zero that the caller has to itself.  Pages that were never
 * stored to are not touched. */
void posh__heap_clear(struct posh_heap *h, uint64_t off, uint64_t bytes);

#endif

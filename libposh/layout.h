/* SPDX-License-Identifier: MIT */
/* layout.h - what lies where in a heap.
 *
 * Everything in here is shared memory, seen by processes of one layout
 * version.  No pointer is ever stored: a reference is a byte offset from the
 * heap's base (a handle) or the number of a span or table entry.
 *
 *   0            header                            one span
 *   members_off  member table                      grows by chunks
 *   threads_off  thread table                      grows by chunks
 *   spans_off    span table, one word a span       allocated at creation
 *   bits_off     three bit maps over the spans     allocated at creation
 *   first << 16  spans, up to hdr->size            grows
 *
 * Change POSH__LAYOUT with any change here.
 */
#ifndef POSH_LAYOUT_H
#define POSH_LAYOUT_H

#include "atomic.h"

#define POSH__MAGIC     "POSHHEAP"
#define POSH__LAYOUT    3
#define POSH__ENDIAN    UINT32_C(0x01020304)
#define POSH__SPAN_BITS 16
#define POSH__SPAN      (UINT64_C(1) << POSH__SPAN_BITS)
#define POSH__MEMBERS   4096
#define POSH__THREADS   32767              /* entry 0 is nobody */
#define POSH__CHUNK     UINT64_C(0x10000)  /* tables are allocated by these */
#define POSH__GROW      UINT64_C(0x200000) /* and the heap by these */

/* The byte of the heap's file that member m locks for life. */
#define POSH__TOKEN(m) ((int64_t)((UINT64_C(1) << 62) + (m)))

struct posh__header {
	/* Fixed at creation. */
	char magic[8];
	uint32_t layout;
	uint32_t endian;
	uint32_t span_bytes;
	uint32_t member_bytes;
	uint32_t thread_bytes;
	uint32_t pad0;
	uint64_t id;       /* random */
	uint64_t reserve;  /* bytes of address space; nothing lies beyond */
	uint64_t max_size; /* bytes the spans may take (hold tables: more) */
	uint64_t members_off, threads_off, spans_off, bits_off;
	uint64_t first;  /* number of the first span after the tables */
	uint64_t nspans; /* reserve / POSH__SPAN */
	uint8_t pad1[128 - 96 - 8];

	/* Changed by growth and attachment, under grow_lock. */
	posh__word size;         /* end of the spans in use, in bytes */
	posh__word members_high; /* entries ever used */
	posh__word threads_high;
	posh__word boot;  /* hash of the boot id of the last attacher */
	posh__word clean; /* 1: the last member left in order */
	posh__half grow_lock;
	posh__half gate_lock;
	posh__word place[4];  /* handles: root, classes, tickets */
	posh__word marked;    /* spans before this have had their bit set */
	posh__word collected; /* bytes of spans after the last collection */
	uint8_t pad3[128 - 96];

	/* Read by everybody at each call, written seldom. */
	posh__word epoch; /* of quiescence; see thread.h */
	posh__word gate;  /* not 0: writers stand still; see gate.h */
	posh__word attach_epoch;
	uint8_t pad4[64 - 24];

	/* Hints where to look first. */
	posh__word free_hint;
	posh__word orphans; /* spans with the orphan bit, about */
	uint8_t pad5[64 - 16];
};

/* A member: one attachment.  256 bytes.
 *
 *   state   gen:32 | - | st:8
 *
 *      FREE --attach--> CLAIMED --> LIVE --detach or death--> FREE
 *                ^         |                (recovery)
 *        fork: HANDOVER ---+   (the parent prepared it, the child lives)
 */
enum {
	POSH__MEMBER_FREE = 0,
	POSH__MEMBER_CLAIMED = 1,
	POSH__MEMBER_LIVE = 2,
	POSH__MEMBER_HANDOVER = 3,
	POSH__MEMBER_LEAVING = 4,
};

struct posh__member {
	posh__word state;
	posh__word pid;
	posh__word start;  /* start time of the process, in clock ticks */
	posh__word pidns;  /* inode of its pid namespace */
	posh__word boot;   /* hash of the boot id */
	posh__word reaper; /* {gen:32, thread entry:32} of who recovers it */
	uint8_t pad0[64 - 48];
	posh__word holds;      /* {log2 of entries:16, first span:48} or 0 */
	posh__word holds_busy; /* a table that holds replaces, or will name */
	uint8_t pad1[192 - 16];
};

/* A value as a container holds it: see value.h.  0 is EMPTY. */

/* A thread entry.  512 bytes.  All but remote is written by its thread only,
 * or, when that is dead, by the one who recovers its member.
 *
 *   state    gen:32 | member:16 | st:8       (gen: 15 bits used)
 *   active   0: outside; epoch << 2 | writing << 1 | 1
 */
enum { POSH__HELD = 12 };

enum {
	POSH__THREAD_FREE = 0,
	POSH__THREAD_LIVE = 1,
	POSH__THREAD_DYING = 2, /* left, but what it owned is not purged yet */
};

struct posh__thread {
	posh__word state;
	posh__word active;
	posh__word waits;     /* handle of the monitor it waits for */
	posh__word spans;     /* number of the first span it owns */
	posh__word span_busy; /* the span it is claiming or giving up */
	uint8_t pad0[64 - 40];

	posh__word remote; /* others: you have spans with remote frees */
	uint8_t pad1[64 - 8];

	/* The intent: see op.h. */
	posh__word opno; /* odd: in flight */
	posh__word op;
	posh__word container;
	posh__word body;
	posh__word newbody;
	posh__word index;
	posh__word count;
	posh__word pos;
	posh__word oldval;
	posh__word stage;
	posh__word aux;
	/* What the thread owns outside any container: values, */
	posh__word val[4];
	/* the values from .. to - 1 of each row of a body, and its memory, */
	posh__word trash, trash_from, trash_to;
	/* and, above, newbody (memory alone) and stage (with its values). */
	posh__word owner;   /* offset of the word that step or freeing is for */
	posh__word step;    /* the count step in flight: see link.c */
	posh__word freeing; /* a block on its way from DEAD to FREE */
	posh__word dying;   /* an object whose free check is under way */
	posh__word dead;    /* head of the list of dead blocks to take apart */
	/* The monitors that it is inside of, or about to enter; see lock.c. */
	posh__word held[POSH__HELD];
	posh__word held_more; /* 1: there are others */
	uint8_t pad2[512 - 128 - (23 + POSH__HELD + 1) * 8];
};

_Static_assert(sizeof(struct posh__member) == 256, "member entry");
_Static_assert(sizeof(struct posh__thread) == 512, "thread entry");

/* Span word:
 *
 *   state:8 | class:8 | owner:16 | stamp:32
 *
 *   FREE -claim-> OWNED -last block freed, given up-> LIMBO -> FREE
 *                  | ^                               (epoch passed)
 *      owner left  v | claim
 *                 ORPHAN
 *   FREE -> RUN (first of a large run) + CONT (the others) -> LIMBO -> FREE
 *   FREE -> HOLDS (a hold table, all its spans; owner is the *member*)
 *
 * owner: a thread; of HOLDS the *member*; of RUN who made it or is freeing
 * it.  stamp: for LIMBO the low 32 bits of the epoch at which it was given up;
 * for RUN and HOLDS the number of spans; for CONT the distance to the first.
 */
enum {
	POSH__SPAN_FREE = 0,
	POSH__SPAN_OWNED = 1,
	POSH__SPAN_ORPHAN = 2,
	POSH__SPAN_LIMBO = 3,
	POSH__SPAN_RUN = 4,
	POSH__SPAN_CONT = 5,
	POSH__SPAN_HOLDS = 6,
	POSH__SPAN_CLAIMED = 7, /* part of a run that is being put together */
};

/* The front of a span of a size class, and of a run (class 255). */
struct posh__span {
	posh__word word0; /* blocks:16 << 32 | block bytes:32 (of a run 0) */
	posh__word blocks_off; /* offset in the span of block 0 */
	posh__word inverse;    /* ceil(2^32 / block bytes) */
	posh__word remote;     /* blocks freed by others since the last sweep */
	posh__word next, prev; /* the owner's spans; numbers, 0 ends */
	posh__word list;       /* the owner's free list: see alloc.c */
	posh__word bytes;      /* of a run: size of its block */
	posh__word state[];    /* the refcount table */
};

/* State word of a block:
 *
 *   63      60 59                44 43       36 35                     0
 *  +----------+--------------------+-----------+-----------------------+
 *  | S |state |        who         |    seq    |         links         |
 *  +----------+--------------------+-----------+-----------------------+
 *   S: suspect.  who: thread entry.  seq: of its count step.
 */
enum {
	POSH__FREE = 0,
	POSH__LIVE = 1,
	POSH__CONDEMNED = 2,
	POSH__DEAD = 3,
};

#define POSH__STATE_SHIFT 60
#define POSH__STATE_MASK  UINT64_C(7)
#define POSH__SUSPECT     (UINT64_C(1) << 63)
#define POSH__WHO_SHIFT   44
#define POSH__WHO_MASK    UINT64_C(0xffff)
#define POSH__SEQ_SHIFT   36
#define POSH__SEQ_MASK    UINT64_C(0xff)
#define POSH__LINKS_MASK  ((UINT64_C(1) << 36) - 1)

/* Hold table entry: state:8 << 56 | handle.  0 is never used, 1 was used.
 * HELD, ENTERING and ALLOCATING count as holds for who scans. */
enum {
	POSH__HOLD_ENTERING = 1,
	POSH__HOLD_HELD = 2,
	POSH__HOLD_DROPPING = 3,
	POSH__HOLD_ALLOCATING = 4,
};
#define POSH__HOLD_TOMB   UINT64_C(1)
#define POSH__HOLD_SHIFT  56
#define POSH__HANDLE_MASK ((UINT64_C(1) << 48) - 1)

/* The first word of every block: half of the block's own, then kind and
 * flags.  A FREE block's kind is RAW. */
struct posh__block {
	posh__half first; /* object: lock word; others: their own */
	uint16_t kind;
	uint16_t flags;
};

/* Objects are 1 to 15, boxed values 16 to 31, bodies from 32 on. */
enum {
	POSH__KIND_RAW = 0,
	POSH__KIND_LIST = 1, /* objects: as in posh.h */
	POSH__KIND_DICT = 2,
	POSH__KIND_TUPLE = 3,
	POSH__KIND_INSTANCE = 4,
	POSH__KIND_SET = 5, /* a dict whose values are all True */
	POSH__KIND_DEQUE = 6,
	POSH__KIND_BLOB = 7,
	POSH__KIND_BUFFER = 8,
	POSH__KIND_LAST = POSH__KIND_BUFFER,
	POSH__KIND_STR = 16, /* boxed values */
	POSH__KIND_BYTES = 17,
	POSH__KIND_INT = 18,
	POSH__KIND_COMPLEX = 19,
	POSH__KIND_BOXTUPLE = 20,
	POSH__KIND_BOXES = 31,
	POSH__KIND_BODY = 32,  /* a list's slots */
	POSH__KIND_DBODY = 33, /* a dict's index and entries */
	POSH__KIND_RING = 34,  /* a deque's slots */
};

static inline bool
posh__kind_is_object(unsigned kind)
{
	return kind >= POSH__KIND_LIST && kind <= POSH__KIND_LAST;
}

/* The front of every object: 24 bytes. */
struct posh__object {
	posh__half lock; /* waits:1 | generation:15 | thread entry:16 */
	uint16_t kind;
	uint16_t flags;
	posh__word seq;  /* odd while a writer is inside */
	posh__word body; /* handle of its body, or 0 */
};

#endif

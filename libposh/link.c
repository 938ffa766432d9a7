/* SPDX-License-Identifier: MIT */
/* link.c - links: references from one object to another, counted.
 *
 * A count changes by one compare-and-swap of the block's state word, which
 * also leaves a tag there: who, and the number seq of the change.  Ahead of
 * it the thread notes {block, +1 or -1, seq} in its entry (step), and which
 * word owns the reference (owner).  After a crash the tag tells whether the
 * change happened, unless another thread has changed the count since: then
 * nothing can tell, the count is left alone, and the block is a suspect.
 *
 *   step   - | active:1 | minus:1 | seq:8 | handle >> 4:44
 *
 * INVARIANTS
 *   I1  seq is not the one in the word when its tag is the thread's own;
 *   I2  links >= the words that own a reference, always;
 *   I3  links is exact, unless the suspect bit is set or the block's thread
 *       is in a step with it.
 *
 * PROGRESS  lock-free: a compare-and-swap fails when another thread changed
 * the word.
 *
 * STEPS     effect                        if the process dies here
 *   link.1  step is noted                 nothing has happened: but see I3
 *   link.2  links one more                tag: *owner is completed; no tag:
 *                                         suspect
 *   link.3  *owner has the reference      it stays
 *   link.4  links one less                tag: *owner is cleared, and the
 *                                         free check run; no tag: suspect
 *   link.5  *owner is EMPTY               as the tag says
 *   link.6  a box is DEAD                 dying names it: it is freed
 */
#include "config.h"

#include "value.h"

#define STEP_ACTIVE (UINT64_C(1) << 53)
#define STEP_MINUS  (UINT64_C(1) << 52)
#define STEP(block, seq, bits)                                                 \
	((block) >> 4 | (uint64_t)(seq) << 44 | (bits) | STEP_ACTIVE)
#define STEP_BLOCK(s) (((s) & ((UINT64_C(1) << 44) - 1)) << 4)
#define STEP_SEQ(s)   ((unsigned)((s) >> 44 & 0xff))

static uint64_t
offset_of(struct posh__self *self, posh__word *w)
{
	return (uint64_t)((char *)w - self->h->base);
}

/* I1 */
static unsigned
next_seq(struct posh__self *self, uint64_t w)
{
	if (!POSH_RULE(SEQ))
		return 0;
	return POSH__WHO(w) == self->tid ? (POSH__SEQ(w) + 1) & 0xff : 0;
}

void
posh__link(struct posh__self *self, uint64_t object, posh__word *owner,
	   uint64_t value)
{
	posh__word *word = posh__block_word(self->h, object);
	struct posh__thread *t = self->t;
	uint64_t w, n;

	if (!word)
		return;
	posh__store(&t->owner, offset_of(self, owner));
	do {
		unsigned seq;

		w = posh__load(word);
		seq = next_seq(self, w);
		if (POSH__LINKS(w) == POSH__LINKS_MASK)
			break; /* immortal */
		/* A claim of a free check ends here: LIVE. */
		n = POSH__WORD(POSH_RULE(RESET) ? POSH__LIVE : POSH__STATE(w),
			       self->tid, seq, POSH__LINKS(w) + 1) |
		    (w & POSH__SUSPECT);
		posh__store(&t->step, STEP(object, seq, 0));
		POSH_STEP("link.1");
	} while (!posh__cas(word, w, n));
	POSH_STEP("link.2");
	posh__store(owner, value);
	POSH_STEP("link.3");
	posh__store(&t->step, 0);
}

static bool
is_leaf(unsigned kind)
{
	return kind != POSH__KIND_BOXTUPLE && kind >= POSH__KIND_STR &&
	       kind <= POSH__KIND_BOXES;
}

/* Take one link off.  True: it was the last. */
static bool
count_down(struct posh__self *self, uint64_t block, posh__word *word, bool box)
{
	struct posh__thread *t = self->t;
	uint64_t w, n;

	do {
		unsigned seq, st = POSH__LIVE;

		w = posh__load(word);
		if (!POSH__LINKS(w) || POSH__LINKS(w) == POSH__LINKS_MASK)
			return false; /* unborn, damaged, or immortal */
		seq = next_seq(self, w);
		/* Nobody holds a box: it dies with the link. */
		if (box && POSH__LINKS(w) == 1) {
			st = POSH__DEAD;
			posh__store(&t->dying, block);
		}
		n = POSH__WORD(st, self->tid, seq, POSH__LINKS(w) - 1) |
		    (st == POSH__LIVE ? w & POSH__SUSPECT : 0);
		posh__store(&t->step, STEP(block, seq, STEP_MINUS));
		POSH_STEP("link.1");
		if (!POSH_RULE(NOTED))
			posh__store(&t->step, 0);
	} while (!posh__cas(word, w, n));
	POSH_STEP("link.4");
	return POSH__LINKS(n) == 0;
}

static void
owner_empty(struct posh__self *self, posh__word *owner)
{
	posh__store(owner, POSH__EMPTY);
	POSH_STEP("link.5");
	posh__store(&self->t->step, 0);
}

/* The last link of a box is gone: DEAD(self), and dying names it. */
static void
box_dead(struct posh__self *self, uint64_t block)
{
	struct posh__thread *t = self->t;
	struct posh__block *b = posh__at(self->h, block);

	POSH_STEP("link.6");
	if (!is_leaf(b->kind)) {
		posh__dead_push(self, block);
		return;
	}
	posh__store(&t->owner, 0);
	posh__store(&t->freeing, block);
	posh__store(&t->dying, 0);
	posh__block_free(self, block);
	posh__store(&t->freeing, 0);
}

/* Like posh__unlink, but what dies is left on the list of the dead. */
void
posh__unlink_only(struct posh__self *self, posh__word *owner)
{
	struct posh__thread *t = self->t;
	uint64_t value = posh__load(owner), block = POSH__PAYLOAD(value);
	bool box = POSH__TAG(value) == POSH__TAG_BOX;
	posh__word *word;
	bool last;

	if (!box && POSH__TAG(value) != POSH__TAG_OBJECT) {
		if (value)
			posh__store(owner, POSH__EMPTY);
		return;
	}
	word = posh__block_word(self->h, block);
	posh__store(&t->owner, offset_of(self, owner));
	last = word && count_down(self, block, word, box);
	if (last && !box && POSH_RULE(SETTLED))
		posh__store(&t->dying, block);
	owner_empty(self, owner);
	if (last && box)
		box_dead(self, block);
	else if (last)
		posh__free_check(self, block);
}

void
posh__unlink(struct posh__self *self, posh__word *owner)
{
	posh__unlink_only(self, owner);
	posh__destroy(self);
}

/* The word that owner names: a slot, or one of a thread's entry or the
 * heap's header.  NULL: it is none of these. */
static posh__word *
owner_at(struct posh_heap *h, uint64_t off)
{
	struct posh__header *hdr = h->hdr;
	uint64_t place = offsetof(struct posh__header, place);

	if (!off || off & 7)
		return NULL;
	if (posh__inside(h, off, 8) ||
	    (off >= hdr->threads_off && off < hdr->spans_off) ||
	    (off >= place && off < place + sizeof(hdr->place)))
		return posh__at(h, off);
	return NULL;
}

static void
suspect(posh__word *word)
{
	uint64_t w;

	do {
		w = posh__load(word);
		if (POSH__STATE(w) != POSH__LIVE &&
		    POSH__STATE(w) != POSH__CONDEMNED)
			return;
	} while (!posh__cas(word, w, w | POSH__SUSPECT));
}

/* A step was in flight when the thread died. */
static void
settle_step(struct posh__self *self)
{
	struct posh__thread *t = self->t;
	uint64_t s = posh__load(&t->step), block = STEP_BLOCK(s);
	posh__word *owner = owner_at(self->h, posh__load(&t->owner));
	posh__word *word = posh__block_word(self->h, block);
	bool minus = s & STEP_MINUS;
	uint64_t w;

	if (!s)
		return;
	if (!word || !owner) {
		posh__store(&t->step, 0);
		return;
	}
	w = posh__load(word);
	if (POSH__WHO(w) == self->tid && POSH__SEQ(w) == STEP_SEQ(s)) {
		/* It happened. */
		if (minus) {
			posh__store(owner, POSH__EMPTY);
			if (!POSH__LINKS(w))
				posh__store(&t->dying, block);
		} else {
			posh__store(owner,
				    POSH__TAGGED(POSH__TAG_OBJECT, block));
		}
	} else if (minus ? posh__load(owner) != POSH__EMPTY
			 : POSH__PAYLOAD(posh__load(owner)) != block) {
		/* Perhaps.  One too many is mended; one too few never.  The
		 * owner last: it tells the next recovery that this is done. */
		if (minus && !POSH_RULE(UNDECIDED))
			count_down(self, block, word, false);
		else if (POSH_RULE(SUSPECT))
			suspect(word);
		posh__store(owner, POSH__EMPTY);
	}
	posh__store(&t->step, 0);
}

/* An object or box was dying. */
static void
settle_dying(struct posh__self *self)
{
	struct posh__thread *t = self->t;
	uint64_t block = posh__load(&t->dying);
	posh__word *word = block ? posh__block_word(self->h, block) : NULL;
	uint64_t w = word ? posh__load(word) : 0;

	if (POSH__STATE(w) == POSH__DEAD && POSH__WHO(w) == self->tid) {
		if (posh__load(&t->dead) != block &&
		    posh__load(&t->freeing) != block)
			posh__dead_push(self, block);
	} else if (w && !POSH__LINKS(w) &&
		   posh__object(self->h, block)->kind < POSH__KIND_STR) {
		posh__free_check(self, block);
	}
	posh__store(&t->dying, 0);
}

static void
settle_freeing(struct posh__self *self)
{
	struct posh__thread *t = self->t;
	uint64_t block = posh__load(&t->freeing);
	posh__word *owner = owner_at(self->h, posh__load(&t->owner));
	posh__word *word = block ? posh__block_word(self->h, block) : NULL;
	uint64_t w = word ? posh__load(word) : 0;

	if (POSH__STATE(w) == POSH__DEAD && POSH__WHO(w) == self->tid) {
		if (posh__load(&t->dead) == block)
			posh__dead_pop(self);
		if (owner && posh__load(owner) == block)
			posh__store(owner, 0);
		posh__block_free(self, block);
	} else if (word && !w) {
		/* A run on its way back; the freer is its owner. */
		uint64_t n = block >> POSH__SPAN_BITS;
		uint64_t sw = posh__load(posh__span_word(self->h, n));

		if (POSH__SPAN_STATE(sw) == POSH__SPAN_RUN &&
		    POSH__SPAN_OWNER(sw) == self->tid)
			posh__span_give(self, n);
	}
	posh__span_remark(self->h, block >> POSH__SPAN_BITS);
	posh__store(&t->freeing, 0);
}

void
posh__link_settle(struct posh__self *self)
{
	settle_freeing(self);
	settle_step(self);
	settle_dying(self);
	posh__destroy(self);
}

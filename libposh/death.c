/* SPDX-License-Identifier: MIT */
/* death.c - when an object dies, and how it is taken apart.
 *
 * An object dies when it has no links and no process holds it.  Whoever may
 * have caused that runs the free check: it claims the object, looks at the
 * hold tables of all members, and kills it or lets it live.  The dead are
 * taken apart without recursion: they wait on a list that goes through their
 * own memory and begins in the entry of the thread that killed them.
 *
 * STATES
 *
 *           claim (links 0)          none holds it        taken apart
 *     LIVE ---------------> CONDEMNED(t) ----------> DEAD(t) --------> FREE
 *      ^ ^                   |  |    ^
 *      | +-------------------+  |    | another checker steals
 *      |   linked, or held      +----+
 *      +- links grow: by compare-and-swap, whatever the claim
 *
 * INVARIANTS
 *   I1  an object in CONDEMNED has no links: linking it makes it LIVE;
 *   I2  CONDEMNED(t) becomes LIVE or DEAD by t only, or is stolen; so the
 *       scan whose outcome counts was made after the last claim;
 *   I3  dying names the object from before the claim until it is known to
 *       live or is on the list of the dead;
 *   I4  every block on the list of thread t is DEAD(t), and the list is t's;
 *   I5  a slot of a dead block names its child until the child is settled:
 *       alive without this link, or on the list itself.
 *
 * PROGRESS  lock-free: who steals a claim goes on with the check itself.
 *
 * STEPS      effect                        if the process dies here
 *   death.1  dying noted                   recovery runs the check
 *   death.2  CONDEMNED(t)                  as death.1; others steal it
 *   death.3  LIVE again                    nothing is owed
 *   death.4  DEAD(t)                       dying names it: it goes on the
 *                                          list
 *   death.5  its next is stored            as death.4
 *   death.6  head of the list              recovery takes the list apart
 *   death.7  freeing noted                 it is freed, see pop and body
 *   death.8  off the list                  freeing names it
 *   death.9  a body is DEAD                freeing and owner name it
 *   death.10 its owner is 0                freeing names it
 */
#include "config.h"

#include "slots.h"
#include "value.h"

/* Where a dead block keeps the next of the list. */
static posh__word *
next_of(struct posh_heap *h, uint64_t block)
{
	return (posh__word *)posh__at(h, block + 8);
}

/* Put a block, DEAD(self), on the list; dying names it. */
void
posh__dead_push(struct posh__self *self, uint64_t block)
{
	struct posh__thread *t = self->t;

	uint64_t next = posh__peek(&t->dead);

	if (!POSH_RULE(CHAIN)) {
		posh__store(&t->dead, block);
		POSH_STEP("death.6");
	}
	posh__store(next_of(self->h, block), next);
	POSH_STEP("death.5");
	posh__store(&t->dead, block);
	POSH_STEP("death.6");
	posh__store(&t->dying, 0);
}

void
posh__dead_pop(struct posh__self *self)
{
	uint64_t block = posh__peek(&self->t->dead);

	posh__store(&self->t->dead, posh__peek(next_of(self->h, block)));
	POSH_STEP("death.8");
}

/* Claim, scan and decide; true: decided, false: try again. */
static bool
decide(struct posh__self *self, uint64_t object, posh__word *word)
{
	struct posh_heap *h = self->h;
	uint64_t w = posh__load(word), claim, epoch;
	uint64_t keep = w & (POSH__SUSPECT | POSH__SEQ_MASK << POSH__SEQ_SHIFT);
	uint32_t me = POSH_RULE(WHO) ? self->tid : POSH__THREADS;

	if (POSH__LINKS(w) ||
	    (POSH__STATE(w) != POSH__LIVE && POSH__STATE(w) != POSH__CONDEMNED))
		return true;
	if (POSH__STATE(w) == POSH__CONDEMNED && POSH__WHO(w) != self->tid &&
	    !POSH_RULE(STEAL))
		return true;
	/* Another's tag goes with another's claim: seq too. */
	if (POSH__WHO(w) != self->tid)
		keep &= POSH__SUSPECT;
	claim = POSH__WORD(POSH__CONDEMNED, me, 0, 0) | keep;
	if (!posh__cas(word, w, claim))
		return false;
	POSH_STEP("death.2");
	posh__fence(); /* the claim is seen before the tables are read */
	epoch = posh__load(&h->hdr->attach_epoch);
	if (POSH_RULE(SCAN) && posh__held_anywhere(self, object)) {
		/* Lost to a thief or a link: they know better. */
		posh__cas(word, claim,
			  POSH__WORD(POSH__LIVE, self->tid, 0, 0) | keep);
		POSH_STEP("death.3");
		return true;
	}
	/* A fork may have copied a hold to a table already passed. */
	if (POSH_RULE(EPOCH) && posh__load(&h->hdr->attach_epoch) != epoch)
		return false;
	if (posh__cas(word, claim,
		      POSH__WORD(POSH__DEAD, self->tid, 0, 0) |
			      (keep & ~POSH__SUSPECT))) {
		POSH_STEP("death.4");
		posh__dead_push(self, object);
	}
	return true;
}

void
posh__free_check(struct posh__self *self, uint64_t object)
{
	posh__word *word = posh__block_word(self->h, object);

	posh__store(&self->t->dying, POSH_RULE(DYING) ? object : 0);
	POSH_STEP("death.1");
	/* Its span may be carved for another size by now. */
	while (word && !decide(self, object, word))
		;
	posh__store(&self->t->dying, 0);
}

void
posh__body_free(struct posh__self *self, posh__word *owner)
{
	struct posh__thread *t = self->t;
	uint64_t block = posh__load(owner);
	posh__word *word = block ? posh__block_word(self->h, block) : NULL;

	if (!word || POSH__STATE(posh__load(word)) != POSH__LIVE) {
		posh__store(owner, 0);
		return;
	}
	posh__store(&t->owner, (uint64_t)((char *)owner - self->h->base));
	posh__store(&t->freeing, block);
	POSH_STEP("death.7");
	/* Plain: a body has a link, so no check claims it. */
	posh__store(word, POSH__WORD(POSH__DEAD, self->tid, 0, 0));
	POSH_STEP("death.9");
	posh__store(owner, 0);
	POSH_STEP("death.10");
	posh__block_free(self, block);
	posh__store(&t->freeing, 0);
}

/* Unlink all values of a row. */
void
posh__row_unlink(struct posh__self *self, const struct posh__row *row)
{
	uint64_t i;

	for (i = 0; i < row->n; i++) {
		posh__word *slot =
			posh__at(self->h, row->off + i * row->stride);

		if (posh__load(slot))
			posh__unlink_only(self, slot);
	}
}

/* Free the head of the list, which has nothing in it any more. */
static void
pop(struct posh__self *self, uint64_t block)
{
	struct posh__thread *t = self->t;

	posh__store(&t->owner, 0);
	posh__store(&t->freeing, block);
	POSH_STEP("death.7");
	posh__dead_pop(self);
	posh__block_free(self, block);
	posh__store(&t->freeing, 0);
}

static bool
is_dead(struct posh__self *self, uint64_t block)
{
	posh__word *word = posh__block_word(self->h, block);
	uint64_t w = word ? posh__load(word) : 0;

	return POSH__STATE(w) == POSH__DEAD && POSH__WHO(w) == self->tid;
}

void
posh__destroy(struct posh__self *self)
{
	struct posh__thread *t = self->t;
	uint64_t block;

	while ((block = posh__peek(&t->dead)) != 0) {
		struct posh__row row[POSH__ROWS];
		uint64_t body;
		int n;

		/* What a recovery finds may be damaged. */
		if (self->acting && !is_dead(self, block)) {
			posh__store(&t->dead, 0);
			break;
		}
		n = posh__rows(self->h, block, row, &body);
		while (n-- > 0)
			posh__row_unlink(self, &row[n]);
		/* Children that died lie ahead of it now; come back. */
		if (posh__peek(&t->dead) != block)
			continue;
		if (body)
			posh__body_free(self,
					&posh__object(self->h, block)->body);
		pop(self, block);
	}
}

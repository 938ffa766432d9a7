/* SPDX-License-Identifier: MIT */
/* recount.c - making the counts of suspects exact again.
 *
 * A suspect is a block whose count may be too high by one, because a thread
 * died when it was undecidable whether its change had happened.  While the
 * world stands still, the slots that refer to it are counted.
 *
 * STEPS        effect                    if the process dies here
 *   recount.1  a suspect's count is set  the others stay suspects; dying
 *                                        names it if it is 0
 *   recount.2  a box without links is    dying names it
 *              DEAD
 */
#include "config.h"

#include "gate.h"
#include "walk.h"

static void
mend(struct posh__self *self, uint64_t block, posh__word *word, void *arg)
{
	struct posh__census *c = arg;
	uint64_t w = posh__load(word), n = posh__census_of(self, c, block);
	bool box = posh__object(self->h, block)->kind >= POSH__KIND_STR;

	if (!(w & POSH__SUSPECT))
		return;
	if (box && !n) {
		posh__store(&self->t->dying, block);
		posh__store(word, POSH__WORD(POSH__DEAD, self->tid, 0, 0));
		POSH_STEP("recount.2");
		posh__dead_push(self, block);
		return;
	}
	if (!n)
		posh__store(&self->t->dying, block);
	/* A tag of ours: it decides nothing any more. */
	posh__store(word, POSH__WORD(POSH__LIVE, self->tid, 0, n));
	POSH_STEP("recount.1");
	if (!n)
		posh__free_check(self, block);
}

int
posh__recount(struct posh__self *self)
{
	struct posh__census c = {0};
	int rc = posh__census_take(self, &c);

	if (rc)
		return rc;
	posh__walk(self, mend, &c);
	posh__census_free(&c);
	posh__destroy(self);
	return 0;
}

static void
is_suspect(struct posh__self *self, uint64_t block, posh__word *word, void *arg)
{
	(void)self;
	(void)block;
	if (posh__load(word) & POSH__SUSPECT)
		*(bool *)arg = true;
}

bool
posh__suspects(struct posh__self *self)
{
	bool any = false;

	posh__walk(self, is_suspect, &any);
	return any;
}

int
posh_heap_reap(posh_heap *h)
{
	struct posh__self *self;
	int n, rc = posh__enter_write(h, &self);

	if (rc)
		return rc;
	n = posh__member_reap(self);
	if (n >= 0 && posh__suspects(self)) {
		rc = posh__gate_shut(self);
		if (rc == 0) {
			rc = posh__recount(self);
			posh__gate_open(self);
		}
	}
	posh__span_trim(self, true);
	posh__leave(self);
	return rc ? rc : n;
}

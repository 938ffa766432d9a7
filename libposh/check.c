/* SPDX-License-Identifier: MIT */
/* check.c - posh_heap_check: every invariant of a heap that stands still.
 *
 * What it verifies:
 *
 *   the header is one that creation would have made, the file as large as
 *   the heap; the numbers that grow are in range
 *   each span's word is legal, its owner known, its front what the class
 *   wants; runs are whole, and their block fits              checkspans.c
 *   each thread's list of spans has all of its own, and no others; each
 *   list of free blocks too; orphans and free spans have their bit
 *   each state word is legal; what is FREE is RAW
 *   free entries of members and threads own nothing; no thread is in the
 *   middle of anything                                       checkmembers.c
 *   each entry of a table of holds is found, and names a live object
 *   a monitor is free, or its owner lists it; the sequence is odd only
 *   while somebody is inside
 *   links are as many as slots that refer to the block; no links: somebody
 *   holds it; bodies and boxes have one
 *   each value is one, and names what its tag says           checkboxes.c
 *   boxes are canonical, and their hash is that of their content
 *   objects fit their blocks, and bodies theirs
 *   dicts find their keys, as far as the time goes: of keys with equal
 *   hashes a lookup passes by all
 *   an instance's class is one of the heap's                 checkobjects.c
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "attach.h"
#include "check.h"
#include "format.h"
#include "gate.h"

void
posh__say(struct posh__check *c, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	c->wrong++;
	if (!c->report)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->report(text, c->arg);
}

static void
stray(struct posh__self *self, posh__word *slot, void *arg)
{
	posh__say(arg, "slot at %#llx names no live block: %#llx",
		  posh__hex((uint64_t)((char *)slot - self->h->base)),
		  posh__hex(posh__load(slot)));
}

static void
check_header(struct posh__check *c)
{
	struct posh_heap *h = c->self->h;
	struct posh__header *hdr = h->hdr;
	uint64_t hint = posh__load(&hdr->free_hint); /* ahead of size */
	struct stat st;

	/* Or did the user close it? */
	if (!posh__fd_ours(h, h->fd) || fstat(h->fd, &st))
		st.st_size = (off_t)h->reserve;
	if (posh__format_check(hdr, (uint64_t)st.st_size))
		posh__say(c, "the header is none of a heap with %llu bytes",
			  (unsigned long long)st.st_size);
	if (posh__load(&hdr->collected) > posh__load(&hdr->size))
		posh__say(c, "more was in use than there is");
	if (hint < hdr->first || hint > posh__span_end(h))
		posh__say(c, "span %llu is none to look from for a free one",
			  posh__hex(hint));
	posh__check_mutex(c, &hdr->grow_lock, "growth");
}

static void
check_links(struct posh__check *c, uint64_t block, uint64_t w, unsigned kind)
{
	uint64_t links = POSH__LINKS(w);
	uint32_t refs = posh__census_of(c->self, &c->census, block);
	bool many = links > refs && !(w & POSH__SUSPECT);

	if (links < refs || many)
		posh__say(c, "block %#llx (kind %u) has %llu links %s %u",
			  posh__hex(block), kind, posh__hex(links),
			  many ? "instead of" : "of", refs);
	if (kind >= POSH__KIND_STR &&
	    (refs > 1 || (links > 1 && !(w & POSH__SUSPECT))))
		posh__say(c, "block %#llx (kind %u) has %llu owners",
			  posh__hex(block), kind,
			  posh__hex(links > refs ? links : refs));
	if (!links && !posh__named_anywhere(c->self, block))
		posh__say(c, "block %#llx (kind %u) lives for nobody",
			  posh__hex(block), kind);
}

static bool
is_object(unsigned kind)
{
	return posh__kind_is_object(kind);
}

static bool
is_box(unsigned kind)
{
	return kind >= POSH__KIND_STR && kind <= POSH__KIND_BOXTUPLE;
}

static void
check_block(struct posh__self *self, uint64_t block, posh__word *word,
	    void *arg)
{
	struct posh__check *c = arg;
	uint64_t w = posh__load(word);
	unsigned kind = posh__object(self->h, block)->kind;

	if (POSH__STATE(w) != POSH__LIVE) {
		posh__say(c, "block %#llx is in state %u, which does not last",
			  posh__hex(block), POSH__STATE(w));
		return;
	}
	if (!POSH__WHO(w) ||
	    POSH__WHO(w) >= posh__load(&self->h->hdr->threads_high))
		posh__say(c, "block %#llx was changed by thread %u, of none",
			  posh__hex(block), POSH__WHO(w));
	check_links(c, block, w, kind);
	if (is_object(kind))
		posh__check_object(c, block);
	else if (is_box(kind))
		posh__check_box(c, block);
	else if (kind != POSH__KIND_BODY && kind != POSH__KIND_DBODY &&
		 kind != POSH__KIND_RING)
		posh__say(c, "block %#llx is live, of kind %u",
			  posh__hex(block), kind);
}

static int
check_all(struct posh__check *c)
{
	struct posh_heap *h = c->self->h;
	int rc;

	c->census.stray = stray;
	c->census.arg = c;
	c->budget = c->looks = posh__slots_most(h);
	check_header(c);
	if (c->wrong)
		return c->wrong;
	rc = posh__check_spans(c);
	if (rc)
		return rc;
	posh__check_members(c);
	posh__check_threads(c);
	rc = posh__census_take(c->self, &c->census);
	if (rc == -EUCLEAN) {
		posh__say(c, "objects have more values than there is room for");
		return c->wrong;
	}
	if (rc)
		return rc;
	posh__walk(c->self, check_block, c);
	posh__check_places(c);
	posh__census_free(&c->census);
	return c->wrong;
}

int
posh__check_quiet(struct posh__self *self)
{
	struct posh__check c = {.self = self};

	return check_all(&c);
}

int
posh_heap_check(posh_heap *h, void (*report)(const char *what, void *arg),
		void *arg)
{
	struct posh__check c = {.report = report, .arg = arg};
	int rc = posh__enter_write(h, &c.self);

	if (rc)
		return rc;
	posh__member_reap(c.self);
	rc = posh__gate_shut(c.self);
	if (rc == 0) {
		rc = check_all(&c);
		posh__gate_open(c.self);
	}
	posh__leave(c.self);
	return rc;
}

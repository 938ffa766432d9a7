/* SPDX-License-Identifier: MIT */
/* check.c - posh_heap_check: every invariant of a heap that stands still. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "dict.h"
#include "gate.h"
#include "walk.h"

struct check {
	struct posh__census census;
	void (*report)(const char *what, void *arg);
	void *arg;
	int wrong;
};

static void __attribute__((__format__(__printf__, 2, 3)))
say(struct check *c, const char *fmt, ...)
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
	say(arg, "slot at %#llx names no live block: %#llx",
	    (unsigned long long)((char *)slot - self->h->base),
	    (unsigned long long)posh__load(slot));
}

static void
check_header(struct posh_heap *h, struct check *c)
{
	uint64_t size = posh__load(&h->hdr->size);

	if (size > h->hdr->reserve || size & (POSH__SPAN - 1) ||
	    size < h->hdr->first << POSH__SPAN_BITS)
		say(c, "the heap's size is %#llx", (unsigned long long)size);
	if (posh__load(&h->hdr->members_high) > POSH__MEMBERS)
		say(c, "more members than there can be");
	if (posh__load(&h->hdr->threads_high) > POSH__THREADS)
		say(c, "more threads than there can be");
}

/* A span of a size class: its header and its words. */
static void
check_blocks(struct posh_heap *h, uint64_t n, struct check *c)
{
	struct posh__span *s = posh__span_at(h, n);
	uint64_t count = posh__peek(&s->word0) >> 32;
	uint64_t size = (uint32_t)posh__peek(&s->word0);
	uint64_t off = posh__peek(&s->blocks_off), i;

	if (!size || size & 15 || off & 15 || count > POSH__SPAN ||
	    off > POSH__SPAN || off < sizeof(*s) + 8 * count ||
	    off + count * size > POSH__SPAN) {
		say(c, "span %llu has a wrong header", (unsigned long long)n);
		return;
	}
	for (i = 0; i < count; i++) {
		uint64_t w = posh__load(&s->state[i]);

		if (w && POSH__STATE(w) == POSH__FREE)
			say(c, "block %#llx is free and has a word %#llx",
			    (unsigned long long)((n << POSH__SPAN_BITS) + off +
						 i * size),
			    (unsigned long long)w);
	}
}

static bool
owner_known(struct posh_heap *h, uint32_t tid)
{
	return tid && tid < posh__load(&h->hdr->threads_high) &&
	       POSH__THREAD_STATE(posh__load(
		       &posh__thread_at(h, tid)->state)) != POSH__THREAD_FREE;
}

/* A run's other spans count the distance from its first. */
static void
check_run(struct posh_heap *h, uint64_t n, uint64_t end, struct check *c)
{
	uint32_t len = POSH__SPAN_STAMP(posh__load(posh__span_word(h, n)));
	uint32_t i;

	if (!len || n + len > end) {
		say(c, "the run at span %llu has %u spans",
		    (unsigned long long)n, len);
		return;
	}
	for (i = 1; i < len; i++)
		if (posh__load(posh__span_word(h, n + i)) !=
		    POSH__SPAN_WORD(POSH__SPAN_CONT, 0, 0, i))
			say(c, "span %llu is not part of the run at %llu",
			    (unsigned long long)(n + i), (unsigned long long)n);
}

static void
check_spans(struct posh_heap *h, struct check *c)
{
	uint64_t end = posh__load(&h->hdr->size) >> POSH__SPAN_BITS, n;
	uint64_t covered = 0;

	for (n = h->hdr->first; n < end && n < h->hdr->nspans; n++) {
		uint64_t w = posh__load(posh__span_word(h, n));
		unsigned st = POSH__SPAN_STATE(w);

		if (st == POSH__SPAN_OWNED || st == POSH__SPAN_ORPHAN)
			check_blocks(h, n, c);
		if (st == POSH__SPAN_OWNED &&
		    !owner_known(h, POSH__SPAN_OWNER(w)))
			say(c, "span %llu belongs to thread %u, which is none",
			    (unsigned long long)n, POSH__SPAN_OWNER(w));
		if (st == POSH__SPAN_RUN || st == POSH__SPAN_HOLDS) {
			check_run(h, n, end, c);
			covered = n + POSH__SPAN_STAMP(w);
		}
		if (st == POSH__SPAN_RUN &&
		    !posh__load(&posh__span_at(h, n)->state[0]))
			say(c, "the run at span %llu has no block",
			    (unsigned long long)n);
		if (st == POSH__SPAN_CONT && n >= covered)
			say(c, "span %llu continues no run",
			    (unsigned long long)n);
		if (st == POSH__SPAN_CLAIMED)
			say(c, "span %llu is still being claimed",
			    (unsigned long long)n);
		if (st > POSH__SPAN_CLAIMED)
			say(c, "span %llu has word %#llx",
			    (unsigned long long)n, (unsigned long long)w);
		/* Those that growth has not marked yet, it will. */
		if ((st == POSH__SPAN_FREE || st == POSH__SPAN_LIMBO) &&
		    n < posh__load(&h->hdr->marked) &&
		    !posh__span_marked(h, POSH__MAP_FREE, n))
			say(c, "span %llu is free, and nothing says so",
			    (unsigned long long)n);
	}
}

static void
check_monitor(struct posh__self *self, uint64_t block, struct check *c)
{
	struct posh_heap *h = self->h;
	struct posh__object *o = posh__object(h, block);
	uint32_t name = posh__half_load(&o->lock) & ~POSH__LOCK_WAITS;
	uint64_t seq = posh__load(&o->seq);
	uint32_t member;

	if (!name && seq & 1)
		say(c, "object %#llx: sequence odd, and nobody inside",
		    (unsigned long long)block);
	/* One who died a moment ago is yet to be recovered. */
	if (name && posh__name_dead(h, name, &member) && member == UINT32_MAX)
		say(c, "object %#llx: its monitor has an owner of no name",
		    (unsigned long long)block);
}

static void
check_dict(struct posh__self *self, uint64_t block, struct check *c)
{
	struct posh__dview v;
	uint32_t i, live = 0, named = 0;
	uint64_t last = 0;

	if (posh__dview(self->h, block, &v)) {
		say(c, "dict %#llx: its body makes no sense",
		    (unsigned long long)block);
		return;
	}
	for (i = 0; v.body && i < v.used; i++) {
		struct posh__entry *e = &v.body->entry[i];

		if (posh__load(&e->number) <= last)
			say(c, "dict %#llx: entry %u out of order",
			    (unsigned long long)block, i);
		last = posh__load(&e->number);
		live += posh__load(&e->value) != POSH__EMPTY;
		if (!posh__load(&e->value) != !posh__load(&e->key))
			say(c, "dict %#llx: entry %u is half deleted",
			    (unsigned long long)block, i);
	}
	if (live != v.live)
		say(c, "dict %#llx: %u items, said to be %u",
		    (unsigned long long)block, live, v.live);
	for (i = 0; v.body && i <= v.mask; i++) {
		uint32_t e = posh__half_load(&v.index[i]);

		if (e < POSH__INDEX_FIRST)
			continue;
		named++;
		if (e - POSH__INDEX_FIRST >= v.used ||
		    !posh__load(&v.body->entry[e - POSH__INDEX_FIRST].value))
			say(c, "dict %#llx: its index names no item",
			    (unsigned long long)block);
	}
	if (named != v.live)
		say(c, "dict %#llx: its index names %u of %u items",
		    (unsigned long long)block, named, v.live);
}

/* Every item of a dict is found under its key. */
static void
check_found(struct posh__self *self, uint64_t block, struct check *c)
{
	struct posh__dview v;
	uint32_t i;

	if (posh__dview(self->h, block, &v))
		return;
	for (i = 0; v.body && i < v.used; i++) {
		uint64_t word = posh__load(&v.body->entry[i].key);
		struct posh__key key;
		struct posh__place at = {false, 0, 0};

		if (!posh__load(&v.body->entry[i].value))
			continue;
		if (posh__stored_key(self, word, &key) ||
		    posh__dlookup(self, &v, &key, &at) || !at.found ||
		    at.entry != i)
			say(c, "dict %#llx: entry %u is not found",
			    (unsigned long long)block, i);
	}
}

static void
check_list(struct posh__self *self, uint64_t block, struct check *c)
{
	struct posh_heap *h = self->h;
	uint64_t body = posh__load(&posh__object(h, block)->body), cap, len;

	if (!body || !posh__block_word(h, body))
		return; /* a stray is said elsewhere */
	cap = posh__half_load(&posh__body_at(h, body)->capacity);
	len = posh__load(&posh__body_at(h, body)->length);
	if (posh__body_at(h, body)->kind != POSH__KIND_BODY || len > cap ||
	    sizeof(struct posh__body) + 8 * cap > posh__block_bytes(h, body))
		say(c, "list %#llx: %llu elements, room for %llu",
		    (unsigned long long)block, (unsigned long long)len,
		    (unsigned long long)cap);
	else
		while (len-- > 0)
			if (!posh__load(&posh__body_at(h, body)->slot[len]))
				say(c, "list %#llx: element %llu is EMPTY",
				    (unsigned long long)block,
				    (unsigned long long)len);
}

static void
check_links(struct posh__self *self, uint64_t block, uint64_t w,
	    struct check *c)
{
	uint64_t links = POSH__LINKS(w);
	uint32_t refs = posh__census_of(self, &c->census, block);
	unsigned kind = posh__object(self->h, block)->kind;

	if (links < refs)
		say(c, "block %#llx (kind %u) has %llu links of %u",
		    (unsigned long long)block, kind, (unsigned long long)links,
		    refs);
	if (links > refs && !(w & POSH__SUSPECT))
		say(c, "block %#llx (kind %u) has %llu links, should be %u",
		    (unsigned long long)block, kind, (unsigned long long)links,
		    refs);
	if (!links && !posh__held_anywhere(self, block))
		say(c, "block %#llx (kind %u) lives for nobody",
		    (unsigned long long)block, kind);
}

static void
check_block(struct posh__self *self, uint64_t block, posh__word *word,
	    void *arg)
{
	struct check *c = arg;
	uint64_t w = posh__load(word);
	unsigned kind = posh__object(self->h, block)->kind;

	if (POSH__STATE(w) != POSH__LIVE) {
		say(c, "block %#llx is in state %u, which does not last",
		    (unsigned long long)block, POSH__STATE(w));
		return;
	}
	check_links(self, block, w, c);
	if (kind >= POSH__KIND_LIST && kind <= POSH__KIND_OBJECTS)
		check_monitor(self, block, c);
	if (kind == POSH__KIND_LIST)
		check_list(self, block, c);
	if (kind == POSH__KIND_DICT) {
		check_dict(self, block, c);
		check_found(self, block, c);
	}
	if (kind == POSH__KIND_RAW || kind > POSH__KIND_DBODY)
		say(c, "block %#llx is live, of kind %u",
		    (unsigned long long)block, kind);
}

static void
check_hold(uint64_t object, unsigned state, void *arg)
{
	struct check *c = ((void **)arg)[0];
	struct posh_heap *h = ((void **)arg)[1];
	posh__word *w = posh__block_word(h, object);

	if (state < POSH__HOLD_ENTERING || state > POSH__HOLD_ALLOCATING)
		say(c, "a hold of %#llx is in state %u",
		    (unsigned long long)object, state);
	else if (state != POSH__HOLD_ENTERING && /* by a reader: to be seen */
		 (!w || POSH__STATE(posh__load(w)) != POSH__LIVE))
		say(c, "%#llx is held, and no live block",
		    (unsigned long long)object);
}

static void
check_members(struct posh_heap *h, struct check *c)
{
	uint32_t i;
	void *arg[2] = {c, h};

	for (i = 0; i < posh__load(&h->hdr->members_high); i++) {
		struct posh__member *m = posh__member_at(h, i);

		if ((posh__load(&m->state) & 0xff) != POSH__MEMBER_FREE)
			posh__holds_each(h, m, check_hold, arg);
		else if (posh__load(&m->holds))
			say(c, "member %u is free and has a hold table", i);
	}
}

static void
check_threads(struct posh__self *self, struct check *c)
{
	struct posh_heap *h = self->h;
	uint32_t tid;

	for (tid = 1; tid < posh__load(&h->hdr->threads_high); tid++) {
		struct posh__thread *t = posh__thread_at(h, tid);
		uint64_t w = posh__load(&t->state);

		if (POSH__THREAD_STATE(w) == POSH__THREAD_FREE) {
			if (posh__load(&t->spans) || posh__load(&t->dead) ||
			    posh__load(&t->val[0]) || posh__load(&t->stage))
				say(c, "thread %u is free and owns something",
				    tid);
		} else if (tid != self->tid && posh__load(&t->opno) & 1) {
			say(c, "thread %u is in the middle of something", tid);
		}
	}
}

static int
check_all(struct posh__self *self, struct check *c)
{
	int rc;

	c->census.stray = stray;
	c->census.arg = c;
	check_header(self->h, c);
	if (c->wrong)
		return c->wrong;
	check_spans(self->h, c);
	check_members(self->h, c);
	check_threads(self, c);
	rc = posh__census_take(self, &c->census);
	if (rc)
		return rc;
	posh__walk(self, check_block, c);
	posh__census_free(&c->census);
	return c->wrong;
}

int
posh__check_quiet(struct posh__self *self)
{
	struct check c = {0};

	return check_all(self, &c);
}

int
posh_heap_check(posh_heap *h, void (*report)(const char *what, void *arg),
		void *arg)
{
	struct check c = {0};
	struct posh__self *self;
	int rc = posh__enter_write(h, &self);

	if (rc)
		return rc;
	c.report = report;
	c.arg = arg;
	posh__member_reap(self);
	rc = posh__gate_shut(self);
	if (rc == 0) {
		rc = check_all(self, &c);
		posh__gate_open(self);
	}
	posh__leave(self);
	return rc;
}

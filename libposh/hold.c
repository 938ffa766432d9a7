/* SPDX-License-Identifier: MIT */
/* hold.c - the table of a member's holds.
 *
 * A hold keeps an object alive for a process.  It is an entry of the member's
 * own table, a hash of handles with one writer, the process; others only
 * read it, when they find an object without links.  So taking a hold of an
 * object writes nothing that another process uses.
 *
 * STATES of an entry
 *
 *             hold_alloc               confirm
 *      NONE --------------> ALLOCATING -----+
 *       | ^                                 v        last drop
 *       | |   hold_enter                  HELD ------------------+
 *       | +-------------- ENTERING --confirm-^ ^                 |
 *       |                    ^                 | enter again     v
 *       |                    +-----------------+----------- DROPPING
 *       ^                                                        |
 *       +--------------------------------------------------------+
 *                         the free check has decided
 *
 * INVARIANTS
 *   I1  entries change under the process's private lock, if it has threads;
 *       each has a private count of users, 0 in DROPPING and NONE;
 *   I2  an object is in one entry at most; an entry in use does not move
 *       while somebody may read the table it is in;
 *   I3  ENTERING, HELD and ALLOCATING keep an object alive, for whoever
 *       scans after them; DROPPING does not, or two droppers would each
 *       find the other;
 *   I4  a probe chain has no 0 before its entry;
 *   I5  while the gate is shut a reader's drop ends at DROPPING, which the
 *       collector takes for a hold.  The check is run when the gate is open,
 *       by who opened it, and the entry goes with the next call of the
 *       process that writes or drops.
 *
 * ORDER  hold_enter stores the entry, then fences, then the caller looks at
 * the container again; the unlinker changes the container, then the count,
 * then scans (with a compare-and-swap and a fence in between).  One of the
 * two sees the other.  A drop stores DROPPING, fences, then reads the count;
 * the unlinker counts, fences, then reads the entry: the same.
 *
 * PROGRESS  for other processes wait-free: their scan is bounded by the size
 * of the table.  In the process a lock.
 *
 * STEPS     effect                         if the process dies here
 *   hold.1  an entry ENTERING              recovery drops it
 *   hold.2  ENTERING or ALLOCATING became  recovery drops it
 *           HELD
 *   hold.3  HELD became DROPPING           recovery runs the free check
 *   hold.4  the entry is NONE              the hold is given back
 *   hold.5  an entry ALLOCATING            recovery finds the block FREE, or
 *                                          drops it
 *   hold.6  holds_busy names the old       recovery compares it with holds
 *           table
 *   hold.7  holds names the new one        recovery gives the old one back
 *   hold.8  the child's table is whole     the child is dead: recovered
 *   hold.9  recovery: an entry purged      the next goes on with the rest
 *   hold.10 recovery: holds_busy names     the next goes on
 *           the table
 *   hold.11 recovery: holds is 0           holds_busy names the table
 *   hold.12 HELD became DROPPING, at a     as hold.3
 *           shut gate
 *   hold.13 the child's holds_busy names   the table is its maker's, whose
 *           the table                      recovery gives it back
 *   hold.14 the table is the child's       holds_busy names it
 */
#include "config.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "quiesce.h"
#include "ref.h"

enum { FIRST_BITS = POSH__SPAN_BITS - 3 }; /* one span of 8-byte entries */

#define ENTRY(st, object) ((uint64_t)(st) << POSH__HOLD_SHIFT | (object))
#define TABLE(bits, n)    ((uint64_t)(bits) << 48 | (n))
#define TABLE_BITS(w)     ((unsigned)((w) >> 48))
#define TABLE_SPAN(w)     ((w)&0xffffffff)

/* A process with one thread needs no lock.  threads is set once, by the
 * second thread, while the first is in no call. */
static inline void
lock(struct posh_heap *h)
{
	if (posh__private_load(&h->threads))
		posh__private_lock(&h->holds.lock);
}

static inline void
unlock(struct posh_heap *h)
{
	if (posh__private_load(&h->threads))
		posh__private_unlock(&h->holds.lock);
}

void
posh__holds_share(struct posh__self *self)
{
	struct posh_heap *h = self->h;
	struct posh__self *s;

	if (posh__private_load(&h->threads))
		return;
	posh__private_store(&h->threads, 1);
	posh__barrier();
	/* Who is in a call may be in the middle of a change; one that begins
	 * now sees that there are threads. */
	for (s = h->selves; s; s = s->next)
		while (posh__load(&s->t->active))
			sched_yield();
}

static uint64_t
hash(uint64_t object, unsigned bits)
{
	return (object >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - bits);
}

static posh__word *
table_at(const struct posh_heap *h, uint64_t table)
{
	return (posh__word *)(h->base + table);
}

/* The entry of an object in a table, or NULL. */
static posh__word *
find(posh__word *t, unsigned bits, uint64_t object)
{
	uint64_t mask = (UINT64_C(1) << bits) - 1, i = hash(object, bits), n;

	for (n = 0; n <= mask; n++, i = (i + 1) & mask) {
		uint64_t e = posh__load(&t[i]);

		if ((e & POSH__HANDLE_MASK) == object)
			return &t[i];
		if (!e)
			break;
	}
	return NULL;
}

/* A place for a new entry: a tomb of its chain, or its end. */
static posh__word *
vacant(posh__word *t, unsigned bits, uint64_t object)
{
	uint64_t mask = (UINT64_C(1) << bits) - 1, i = hash(object, bits), n;

	for (n = 0; n <= mask; n++, i = (i + 1) & mask)
		if (posh__peek(&t[i]) <= POSH__HOLD_TOMB)
			return &t[i];
	return NULL;
}

/* So many entries are used now: three quarters are too many.  Lock held. */
static void
use(struct posh__holds *p, uint64_t used)
{
	p->used = used;
	posh__private_store(&p->tight, used >= (UINT64_C(3) << p->bits) / 4);
}

static posh__word *
own_find(struct posh_heap *h, uint64_t object)
{
	return find(table_at(h, h->holds.table), h->holds.bits, object);
}

static uint32_t *
count_of(struct posh_heap *h, const posh__word *e)
{
	return &h->holds.count[e - table_at(h, h->holds.table)];
}

/* Add a user to an object's entry, made in state st if there is none or it
 * was DROPPING.  Private lock held; NULL: the table is full. */
static posh__word *
add_user(struct posh_heap *h, uint64_t object, unsigned st)
{
	struct posh__holds *p = &h->holds;
	posh__word *t = table_at(h, p->table), *room = NULL, *e = NULL;
	uint64_t mask = (UINT64_C(1) << p->bits) - 1;
	uint64_t i = hash(object, p->bits), n, w = 0;

	for (n = 0; n <= mask; n++, i = (i + 1) & mask) {
		e = &t[i];
		w = posh__peek(e);
		if ((w & POSH__HANDLE_MASK) == object) {
			if ((*count_of(h, e))++ == 0)
				posh__store(e, ENTRY(st, object));
			return e;
		}
		if (w == POSH__HOLD_TOMB && !room)
			room = e;
		if (!w)
			break;
	}
	if (p->live + 1 > mask)
		return NULL;
	if (!room) {
		room = e;
		use(p, p->used + 1);
	}
	p->live++;
	*count_of(h, room) = 1;
	posh__store(room, ENTRY(st, object));
	return room;
}

/* Take an entry away.  A tomb that ends its chain is needed by nobody. */
static void
erase(struct posh_heap *h, posh__word *e)
{
	struct posh__holds *p = &h->holds;
	posh__word *t = table_at(h, p->table);
	uint64_t mask = (UINT64_C(1) << p->bits) - 1, i = (uint64_t)(e - t);

	p->live--;
	posh__store(e, POSH__HOLD_TOMB);
	POSH_STEP("hold.4");
	if (posh__peek(&t[(i + 1) & mask]))
		return;
	while (posh__peek(&t[i]) == POSH__HOLD_TOMB) {
		posh__store(&t[i], 0);
		use(p, p->used - 1);
		i = (i - 1) & mask;
	}
}

/* Fill a private count table and a shared one from the present ones. */
static void
rehash(struct posh_heap *h, uint64_t table, unsigned bits, uint32_t *count)
{
	posh__word *old = table_at(h, h->holds.table);
	posh__word *new = table_at(h, table);
	uint64_t n = UINT64_C(1) << h->holds.bits, i;

	memset((void *)new, 0, sizeof(*new) << bits);
	for (i = 0; i < n; i++) {
		uint64_t e = posh__peek(&old[i]);
		posh__word *to;

		if (e <= POSH__HOLD_TOMB)
			continue;
		to = vacant(new, bits, e & POSH__HANDLE_MASK);
		posh__store(to, e);
		count[to - new] = h->holds.count[i];
	}
}

/* Replace the table by one of 2^bits entries, made in span n.  Private lock
 * held.  Scanners of the old table still find what they must: an entry that
 * changes from now on is checked by who changes it. */
static void
replace(struct posh__self *self, uint64_t n, unsigned bits, uint32_t *count)
{
	struct posh_heap *h = self->h;
	uint64_t old = h->holds.table >> POSH__SPAN_BITS;

	if (!POSH_RULE(GROW))
		posh__store(&self->m->holds, TABLE(bits, n));
	rehash(h, n << POSH__SPAN_BITS, bits, count);
	posh__store(&self->m->holds_busy, old);
	POSH_STEP("hold.6");
	posh__store(&self->m->holds, TABLE(bits, n));
	POSH_STEP("hold.7");
	posh__store(&self->t->span_busy, 0);
	free(h->holds.count);
	h->holds.count = count;
	h->holds.bits = bits;
	h->holds.table = n << POSH__SPAN_BITS;
	use(&h->holds, h->holds.live);
	posh__span_give(self, old);
	posh__store(&self->m->holds_busy, 0);
}

static unsigned
wanted_bits(const struct posh__holds *p)
{
	unsigned bits = p->bits;

	while (p->live >= (UINT64_C(1) << bits) / 2)
		bits++;
	return bits;
}

/* Make room ahead of an insertion.  Without memory there may be room still:
 * the insertion tells. */
static void
room(struct posh__self *self)
{
	struct posh_heap *h = self->h;
	struct posh__holds *p = &h->holds;
	unsigned bits;
	uint64_t n;
	uint32_t *count;

	if (__builtin_expect(posh__private_load(&p->tight) == 0, 1))
		return;
	lock(h);
	bits = wanted_bits(p);
	unlock(h);
	/* Not under the private lock: growth may wait. */
	count = calloc(sizeof(*count), UINT64_C(1) << bits);
	if (!count)
		return;
	if (posh__span_run(self, POSH__SPAN_HOLDS,
			   UINT32_C(1) << (bits - FIRST_BITS),
			   &self->t->span_busy, &n)) {
		free(count);
		return;
	}
	lock(h);
	if (wanted_bits(p) <= bits && posh__private_load(&p->tight)) {
		replace(self, n, bits, count);
		count = NULL;
	}
	unlock(h);
	if (count) { /* another thread was faster */
		free(count);
		posh__span_give(self, n);
		posh__store(&self->t->span_busy, 0);
	}
}

/* Add a user to an object's entry, made in state st if there is none. */
static int
acquire(struct posh__self *self, uint64_t object, unsigned st)
{
	struct posh_heap *h = self->h;
	posh__word *e;

	room(self);
	lock(h);
	e = add_user(h, object, st);
	/* Another thread's reading may fail: what is known to live is held
	 * for the child of a fork too. */
	if (e && st == POSH__HOLD_HELD)
		posh__store(e, ENTRY(st, object));
	POSH_STEP("hold.1");
	unlock(h);
	return e ? 0 : -ENOMEM;
}

/* hold_enter, a look at the container's sequence, and hold_confirm, in one;
 * false: the container has changed, or there is no room. */
bool
posh__hold_if(struct posh__self *self, uint64_t object,
	      const struct posh__object *container, uint64_t seq)
{
	struct posh_heap *h = self->h;
	posh__word *e;
	bool same;

	room(self);
	lock(h);
	e = add_user(h, object, POSH__HOLD_ENTERING);
	POSH_STEP("hold.1");
	if (POSH_RULE(ENTER_FENCE))
		posh__fence(); /* ORDER: store, fence, then revalidate */
	same = posh__load(&container->seq) == seq || !POSH_RULE(REVALIDATE);
	if (e && same) {
		posh__store(e, ENTRY(POSH__HOLD_HELD, object));
		POSH_STEP("hold.2");
	}
	unlock(h);
	if (e && !same)
		posh__hold_cancel(self, object);
	return e && same;
}

int
posh__hold_enter(struct posh__self *self, uint64_t object)
{
	int rc = acquire(self, object, POSH__HOLD_ENTERING);

	if (POSH_RULE(READ_FENCE))
		posh__fence(); /* ORDER: store, fence, then revalidate */
	return rc;
}

int
posh__hold(struct posh__self *self, uint64_t object)
{
	return acquire(self, object, POSH__HOLD_HELD);
}

void
posh__hold_confirm(struct posh__self *self, uint64_t object)
{
	struct posh_heap *h = self->h;
	posh__word *e;

	lock(h);
	e = own_find(h, object);
	if (e)
		posh__store(e, ENTRY(POSH__HOLD_HELD, object));
	POSH_STEP("hold.2");
	unlock(h);
}

/* After the free check: the entry goes, unless somebody took a hold again. */
static void
dropped(struct posh_heap *h, uint64_t object)
{
	posh__word *e;

	lock(h);
	e = own_find(h, object);
	if (e && (posh__peek(e) == ENTRY(POSH__HOLD_DROPPING, object) ||
		  !POSH_RULE(REACQUIRE)))
		erase(h, e);
	unlock(h);
}

/* One user less.  The entry, DROPPING, with the lock held, if it was the last;
 * otherwise NULL. */
static posh__word *
remove_user(struct posh_heap *h, uint64_t object)
{
	posh__word *e;

	lock(h);
	e = own_find(h, object);
	if (!e || *count_of(h, e) == 0 || --*count_of(h, e) > 0) {
		unlock(h);
		return NULL;
	}
	posh__store(e, ENTRY(POSH__HOLD_DROPPING, object));
	return e;
}

static void
drop(struct posh__self *self, uint64_t object, bool checked)
{
	struct posh_heap *h = self->h;
	posh__word *word, *e = remove_user(h, object);

	if (!e)
		return;
	POSH_STEP("hold.3");
	if (POSH_RULE(DROP_FENCE))
		posh__fence(); /* ORDER: store, fence, then read the count */
	if (!POSH_RULE(ENTRY))
		posh__store(e, POSH__HOLD_TOMB);
	word = posh__block_word(h, object);
	if (!word || POSH__LINKS(posh__load(word)) || !checked) {
		erase(h, e);
		unlock(h);
		return;
	}
	/* From here on dying says it too: another thread, which has dropped
	 * the object before us, may erase our entry with its own. */
	posh__store(&self->t->dying, object);
	unlock(h);
	posh__free_check(self, object);
	dropped(h, object);
	posh__destroy(self);
}

void
posh__drop(struct posh__self *self, uint64_t object)
{
	drop(self, object, true);
}

/* Entries that are DROPPING and have no user: a check is due.  May find one
 * whose check another thread is at: that does no harm. */
void
posh__drops_own(struct posh__self *self)
{
	struct posh_heap *h = self->h;
	uint64_t table = 0, object, i = 0;

	posh__private_store(&h->late, 0);
	for (;;) {
		posh__word *e;

		object = 0;
		lock(h);
		if (table != h->holds.table)
			i = 0; /* it was replaced */
		table = h->holds.table;
		for (; !object && i < UINT64_C(1) << h->holds.bits; i++) {
			e = table_at(h, table) + i;
			if (posh__peek(e) >> POSH__HOLD_SHIFT ==
			    POSH__HOLD_DROPPING)
				object = posh__peek(e) & POSH__HANDLE_MASK;
		}
		if (object)
			posh__store(&self->t->dying, object);
		unlock(h);
		if (!object)
			break;
		posh__free_check(self, object);
		dropped(h, object);
		posh__destroy(self);
	}
}

static void
check_dropping(uint64_t object, unsigned state, void *arg)
{
	if (state != POSH__HOLD_DROPPING)
		return;
	posh__free_check(arg, object);
	posh__destroy(arg);
}

void
posh__drops_finish(struct posh__self *self)
{
	struct posh_heap *h = self->h;
	uint64_t high = posh__load(&h->hdr->members_high), i;

	for (i = 0; i < high && i < POSH__MEMBERS; i++)
		posh__holds_each(h, posh__member_at(h, (uint32_t)i),
				 check_dropping, self);
}

void
posh__drop_late(struct posh__self *self, uint64_t object)
{
	struct posh_heap *h = self->h;
	posh__word *e = remove_user(h, object);

	if (!e)
		return;
	POSH_STEP("hold.12");
	if (!POSH_RULE(DEFER))
		erase(h, e);
	unlock(h);
	posh__private_store(&h->late, 1);
	posh__private_store(&h->due, 1);
	posh__fence(); /* ORDER: store, fence, then look at the gate */
	if (POSH_RULE(OPENED) && posh__try_write(self)) {
		posh__drops_own(self);
		posh__begin(self, 1);
	}
}

void
posh__hold_cancel(struct posh__self *self, uint64_t object)
{
	bool reading = (posh__peek(&self->t->active) & 3) == 1;

	/* What dies of it is taken apart: that is for writers, who stand
	 * still while the gate is shut.  What was read before is void. */
	if (reading && !posh__try_write(self)) {
		posh__drop_late(self, object);
		return;
	}
	drop(self, object, POSH_RULE(CANCEL));
	if (reading)
		posh__begin(self, 1);
}

int
posh__hold_alloc(struct posh__self *self, uint64_t bytes, uint64_t *out)
{
	struct posh_heap *h = self->h;
	uint64_t b;
	posh__word *e;
	int rc;

	room(self);
	rc = posh__block_reserve(self, bytes, &b);
	if (rc)
		return rc;
	if (!POSH_RULE(ALLOCATING))
		posh__block_birth(self, b, 0);
	lock(h);
	/* There may be an entry from the block's former life: DROPPING, or
	 * ENTERING by a thread whose reading will fail.  That one counts until
	 * then, or it would take our hold away in place of its own. */
	e = add_user(h, b, POSH__HOLD_ALLOCATING);
	POSH_STEP("hold.5");
	unlock(h);
	if (!e) {
		posh__block_unreserve(self, b);
		return -ENOMEM;
	}
	posh__block_birth(self, b, 0);
	*out = b;
	return 0;
}

/* The table that a member's word names, or NULL if it makes no sense. */
static posh__word *
table_of(struct posh_heap *h, const struct posh__member *m, unsigned *bits)
{
	uint64_t w = posh__load(&m->holds);
	uint64_t table = TABLE_SPAN(w) << POSH__SPAN_BITS;

	*bits = TABLE_BITS(w);
	if (!w || *bits < FIRST_BITS || *bits > 40 ||
	    TABLE_SPAN(w) < h->hdr->first ||
	    !posh__inside(h, table, UINT64_C(8) << *bits))
		return NULL;
	return table_at(h, table);
}

/* Is the object in any member's table, in a state that keeps it or, if asked
 * for, DROPPING? */
static bool
named(struct posh__self *self, uint64_t object, bool dropping)
{
	struct posh_heap *h = self->h;
	uint64_t high = posh__load(&h->hdr->members_high), i;

	for (i = 0; i < high && i < POSH__MEMBERS; i++) {
		struct posh__member *m = posh__member_at(h, (uint32_t)i);
		unsigned bits;
		posh__word *t = table_of(h, m, &bits), *e;
		unsigned st;

		if (!POSH_RULE(OWN_TABLE) && m == self->m)
			continue;
		e = t ? find(t, bits, object) : NULL;
		if (!e)
			continue;
		st = (unsigned)(posh__load(e) >> POSH__HOLD_SHIFT);
		if (st == POSH__HOLD_ENTERING || st == POSH__HOLD_HELD ||
		    st == POSH__HOLD_ALLOCATING ||
		    (st == POSH__HOLD_DROPPING &&
		     (dropping || !POSH_RULE(DROPPING))))
			return true;
	}
	return false;
}

bool
posh__held_anywhere(struct posh__self *self, uint64_t object)
{
	return named(self, object, false);
}

bool
posh__named_anywhere(struct posh__self *self, uint64_t object)
{
	return named(self, object, true);
}

int
posh__holds_create(struct posh__self *self)
{
	struct posh_heap *h = self->h;
	uint64_t n;
	int rc;

	h->holds.count = calloc(sizeof(uint32_t), UINT64_C(1) << FIRST_BITS);
	if (!h->holds.count)
		return -ENOMEM;
	rc = posh__span_run(self, POSH__SPAN_HOLDS, 1, &self->t->span_busy, &n);
	if (rc) {
		free(h->holds.count);
		h->holds.count = NULL;
		return rc;
	}
	h->holds.bits = FIRST_BITS;
	h->holds.table = n << POSH__SPAN_BITS;
	h->holds.live = 0;
	use(&h->holds, 0);
	memset(posh__at(h, h->holds.table), 0, POSH__SPAN);
	posh__store(&self->m->holds, TABLE(FIRST_BITS, n));
	posh__store(&self->t->span_busy, 0);
	return 0;
}

/* Give back the table that holds_busy names, unless the member uses it, or it
 * was given back before and is another's now. */
static void
settle_busy(struct posh__self *self, struct posh__member *m)
{
	struct posh_heap *h = self->h;
	uint64_t n = posh__load(&m->holds_busy), w;

	if (n >= h->hdr->first && n < h->hdr->nspans &&
	    n != TABLE_SPAN(posh__load(&m->holds))) {
		w = posh__load(posh__span_word(h, n));
		if (POSH__SPAN_STATE(w) == POSH__SPAN_HOLDS &&
		    POSH__SPAN_OWNER(w) ==
			    (uint32_t)(m - posh__member_at(h, 0)))
			posh__span_give(self, n);
		else
			posh__span_remark(h, n);
	}
	posh__store(&m->holds_busy, 0);
}

void
posh__holds_destroy(struct posh__self *self, struct posh__member *m)
{
	uint64_t w = posh__load(&m->holds);

	settle_busy(self, m);
	if (!w)
		return;
	posh__store(&m->holds_busy, TABLE_SPAN(w));
	POSH_STEP("hold.10");
	posh__store(&m->holds, 0);
	POSH_STEP("hold.11");
	settle_busy(self, m);
}

void
posh__holds_each(struct posh_heap *h, struct posh__member *m,
		 void (*f)(uint64_t object, unsigned state, void *arg),
		 void *arg)
{
	unsigned bits;
	posh__word *t = table_of(h, m, &bits);
	uint64_t i;

	for (i = 0; t && i < UINT64_C(1) << bits; i++) {
		uint64_t e = posh__load(&t[i]);

		if (e > POSH__HOLD_TOMB)
			f(e & (ENTRY(1, 0) - 1),
			  (unsigned)(e >> POSH__HOLD_SHIFT), arg);
	}
}

bool
posh__holds_sound(struct posh_heap *h, const struct posh__member *m)
{
	uint64_t w, owner = (uint64_t)(m - posh__member_at(h, 0)), stamp = 0;
	unsigned bits;
	bool sound;

	do { /* a reader may be replacing it */
		w = posh__load(&m->holds);
		sound = table_of(h, m, &bits) && TABLE_SPAN(w) < h->hdr->nspans;
		if (sound)
			stamp = UINT64_C(1) << (bits - FIRST_BITS);
		sound = sound &&
			posh__load(posh__span_word(h, TABLE_SPAN(w))) ==
				POSH__SPAN_WORD(POSH__SPAN_HOLDS,
						POSH__CLASS_RUN, owner, stamp);
	} while (posh__load(&m->holds) != w);
	return sound;
}

uint64_t
posh__holds_lost(struct posh_heap *h, const struct posh__member *m)
{
	unsigned bits;
	posh__word *t = table_of(h, m, &bits);
	uint64_t i;

	for (i = 0; t && i < UINT64_C(1) << bits; i++) {
		uint64_t object = posh__load(&t[i]) & POSH__HANDLE_MASK;

		if (object > POSH__HOLD_TOMB && find(t, bits, object) != &t[i])
			return object;
	}
	return 0;
}

void
posh__holds_purge(struct posh__self *self, struct posh__member *m)
{
	struct posh_heap *h = self->h;
	unsigned bits;
	posh__word *t = table_of(h, m, &bits);
	uint64_t i;

	for (i = 0; t && i < UINT64_C(1) << bits; i++) {
		uint64_t object = posh__load(&t[i]) & POSH__HANDLE_MASK;
		posh__word *word;

		if (posh__load(&t[i]) <= POSH__HOLD_TOMB)
			continue;
		posh__store(&t[i], ENTRY(POSH__HOLD_DROPPING, object));
		posh__fence();
		word = posh__block_word(h, object);
		if (word && posh__load(word) &&
		    !POSH__LINKS(posh__load(word))) {
			posh__free_check(self, object);
			posh__destroy(self);
		}
		posh__store(&t[i], POSH__HOLD_TOMB);
		POSH_STEP("hold.9");
	}
}

void
posh__holds_freeze(struct posh_heap *h)
{
	/* In any case: a second thread may come between here and the fork. */
	posh__private_lock(&h->holds.lock);
}

void
posh__holds_thaw(struct posh_heap *h)
{
	posh__private_unlock(&h->holds.lock);
}

int
posh__holds_copy(struct posh__self *self, struct posh__member *child)
{
	struct posh_heap *h = self->h;
	uint32_t spans = UINT32_C(1) << (h->holds.bits - FIRST_BITS);
	uint64_t n, i, size = UINT64_C(1) << h->holds.bits;
	posh__word *from = table_at(h, h->holds.table), *to;
	int rc = posh__span_run(self, POSH__SPAN_HOLDS, spans,
				&self->t->span_busy, &n);

	if (rc)
		return rc;
	to = table_at(h, n << POSH__SPAN_BITS);
	for (i = 0; i < size; i++) {
		uint64_t e = posh__peek(&from[i]);
		bool held = e >> POSH__HOLD_SHIFT == POSH__HOLD_HELD;

		if (e > POSH__HOLD_TOMB && !POSH_RULE(ENTERING))
			held = true;
		posh__store(&to[i], held || !e ? e : POSH__HOLD_TOMB);
	}
	/* Ours until the child's entry names it: of the two that are dead then
	 * the child may be recovered first, and its entry be another's. */
	if (POSH_RULE(HANDED))
		posh__store(&child->holds_busy, n);
	POSH_STEP("hold.13");
	posh__store(posh__span_word(h, n),
		    POSH__SPAN_WORD(POSH__SPAN_HOLDS, POSH__CLASS_RUN,
				    h->child_index, spans));
	POSH_STEP("hold.14");
	posh__store(&child->holds, TABLE(h->holds.bits, n));
	POSH_STEP("hold.8");
	posh__store(&child->holds_busy, 0);
	posh__store(&self->t->span_busy, 0);
	return 0;
}

/* In the child, whose memory is the parent's at the fork. */
void
posh__holds_adopt(struct posh_heap *h)
{
	uint64_t w = posh__load(&h->member->holds), i, used = 0;
	posh__word *t = table_at(h, TABLE_SPAN(w) << POSH__SPAN_BITS);

	h->holds.table = TABLE_SPAN(w) << POSH__SPAN_BITS;
	h->holds.live = 0;
	for (i = 0; i < UINT64_C(1) << h->holds.bits; i++) {
		uint64_t e = posh__peek(&t[i]);

		used += e != 0;
		if (e > POSH__HOLD_TOMB)
			h->holds.live++;
		else
			h->holds.count[i] = 0;
	}
	use(&h->holds, used);
	posh__half_store(&h->holds.lock, 0);
	posh__private_store(&h->threads, 0); /* this one alone came along */
}

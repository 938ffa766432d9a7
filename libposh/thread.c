/* SPDX-License-Identifier: MIT */
/* thread.c - the table of threads, and what a thread knows of itself.
 *
 * A thread gets its entry with its first call on a heap and gives it back
 * when it ends.  Lock words, claims and intents name threads, by entry and
 * generation: a name is never used for a second one while anything names the
 * first.
 *
 * STATES
 *
 *           claim                     the thread ends
 *     FREE -------> LIVE(gen, member) ---------------> DYING(gen, member)
 *      ^                  |                                |
 *      |                  | the member dies                | settled
 *      +-- gen + 1 -------+--------------------------------+
 *
 * INVARIANTS
 *   I1  only the thread itself, or who recovers its member, writes a LIVE
 *       or DYING entry;
 *   I2  nothing in the heap names a FREE entry's last generation as owner,
 *       except lock words that whoever meets them may break;
 *   I3  no lock, gate or claim names a thread that has not taken it: what a
 *       damaged heap says of a name that is yet to come is forgotten when it
 *       comes, but for monitors, whose owners list them (lock.c).
 *
 * PROGRESS  claiming is lock-free: a failed compare-and-swap means that
 * another thread got the entry.
 *
 * STEPS       effect                     if the process dies here
 *   thread.1  threads_high raised        the entries are FREE
 *   thread.2  LIVE                       its member's recovery frees it
 *   thread.3  DYING                      as thread.2
 *   thread.4  FREE                       nothing is left to do
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "lock.h"
#include "ref.h"
#include "value.h"

enum { FOR_JOINING = 127 };

/* Make room for a chunk of entries more. */
static int
extend(struct posh_heap *h, uint64_t high)
{
	uint64_t n = POSH__CHUNK / sizeof(struct posh__thread);
	uint64_t off = h->hdr->threads_off + high * sizeof(struct posh__thread);

	if (high + n > POSH__THREADS + 1 ||
	    posh__heap_populate(h, off, POSH__CHUNK))
		return -EAGAIN;
	/* Who loses this finds that another has done it. */
	posh__cas(&h->hdr->threads_high, high, high + n);
	POSH_STEP("thread.1");
	return 0;
}

/* The entries from here on are not for this one.  A few are left to who
 * joins: were all those of the dead in use, nobody could become a thread that
 * recovers them. */
static uint64_t
end_for(struct posh_heap *h, uint32_t member)
{
	uint64_t w = posh__load(&posh__member_at(h, member)->state);

	if ((w & 0xff) == POSH__MEMBER_CLAIMED)
		return POSH__THREADS;
	return POSH__THREADS - FOR_JOINING;
}

/* A free entry owns nothing; unless the heap is damaged. */
static void
clean(struct posh__thread *t)
{
	posh__store(&t->active, 0);
	posh__store(&t->waits, 0);
	posh__store(&t->spans, 0);
	posh__store(&t->span_busy, 0);
	memset((void *)&t->opno, 0,
	       sizeof(*t) - offsetof(struct posh__thread, opno));
}

/* A name is nobody's before its thread has it; unless the heap is damaged:
 * then all would wait for that thread, which knows nothing of it. */
static void
disown(struct posh_heap *h, uint32_t name)
{
	const uint32_t flags = POSH__LOCK_WAITS;
	posh__half *half[] = {&h->hdr->grow_lock, &h->hdr->gate_lock};
	uint64_t high = posh__load(&h->hdr->members_high), w;
	uint32_t i;

	for (i = 0; i < sizeof(half) / sizeof(half[0]); i++) {
		posh__half_cas(half[i], name, 0);
		posh__half_cas(half[i], name | flags, 0);
	}
	w = posh__load(&h->hdr->gate);
	if (((uint32_t)w & ~flags) == name)
		posh__cas(&h->hdr->gate, w, 0);
	for (i = 0; i < high; i++) {
		posh__word *reaper = &posh__member_at(h, i)->reaper;

		w = posh__load(reaper);
		if (((uint32_t)w & ~flags) == name)
			posh__cas(reaper, w, 0);
	}
}

/* Claim a free entry of those before end, if there is one. */
static bool
claim(struct posh_heap *h, uint32_t member, uint32_t from, uint64_t end,
      uint32_t *tid)
{
	for (; from < end; from++) {
		posh__word *state = &posh__thread_at(h, from)->state;
		uint64_t w = posh__load(state);

		if (POSH__THREAD_STATE(w) != POSH__THREAD_FREE ||
		    !posh__cas(state, w,
			       POSH__THREAD_WORD(POSH__THREAD_GEN(w), member,
						 POSH__THREAD_LIVE)))
			continue;
		POSH_STEP("thread.2");
		clean(posh__thread_at(h, from));
		disown(h, POSH__THREAD_GEN(w) << 16 | from);
		posh__half_store(&h->free_tid, from + 1);
		*tid = from;
		return true;
	}
	return false;
}

int
posh__thread_claim(struct posh_heap *h, uint32_t member, uint32_t *tid)
{
	uint64_t end = end_for(h, member);
	uint32_t hint = posh__half_load(&h->free_tid);

	for (;;) {
		uint64_t high = posh__load(&h->hdr->threads_high);
		uint64_t top = high < end ? high : end;

		if (claim(h, member, hint ? hint : 1, top, tid) ||
		    claim(h, member, 1, hint < top ? hint : top, tid))
			return 0;
		if (high >= end || extend(h, high))
			return -EAGAIN;
		hint = (uint32_t)high;
	}
}

void
posh__thread_release(struct posh_heap *h, uint32_t tid)
{
	struct posh__thread *t = posh__thread_at(h, tid);
	uint64_t w = posh__load(&t->state);

	if (POSH__THREAD_STATE(w) == POSH__THREAD_FREE)
		return;
	posh__store(&t->active, 0);
	posh__store(&t->waits, 0);
	posh__cas(
		&t->state, w,
		POSH__THREAD_WORD(
			(POSH__THREAD_GEN(w) + POSH_RULE(GENERATION)) & 0x7fff,
			0, POSH__THREAD_FREE));
	POSH_STEP("thread.4");
	if (tid < posh__half_load(&h->free_tid))
		posh__half_store(&h->free_tid, tid);
}

bool
posh__nobodys(struct posh_heap *h, uint32_t m)
{
	return m >= posh__load(&h->hdr->members_high) ||
	       POSH__MEMBER_STATE(posh__load(&posh__member_at(h, m)->state)) ==
		       POSH__MEMBER_FREE;
}

bool
posh__name_dead(struct posh_heap *h, uint32_t name, uint32_t *member)
{
	uint32_t tid = name & 0xffff, gen = name >> 16 & 0x7fff, m;
	posh__word *state;
	uint64_t w;

	if (member)
		*member = UINT32_MAX;
	if (!tid || tid >= posh__load(&h->hdr->threads_high))
		return true; /* a name that never was */
	state = &posh__thread_at(h, tid)->state;
	w = posh__load(state);
	if (POSH__THREAD_STATE(w) == POSH__THREAD_FREE ||
	    POSH__THREAD_GEN(w) != gen)
		return true;
	m = POSH__THREAD_MEMBER(w);
	if (!posh__member_dead(h, m))
		return posh__nobodys(h, m);
	/* Recovered meanwhile: then there is nothing left to recover. */
	if (member && posh__load(state) == w)
		*member = m;
	return true;
}

/*
 * The private side
 */

/* Bind a struct to the entry that it got. */
static void
bind_entry(struct posh__self *self, uint32_t tid)
{
	struct posh_heap *h = self->h;

	self->t = posh__thread_at(h, tid);
	self->m = h->member;
	self->tid = tid;
	self->name = POSH__THREAD_GEN(posh__load(&self->t->state)) << 16 | tid;
}

void
posh__self_rebind(struct posh__self *self, uint32_t tid)
{
	unsigned i;

	bind_entry(self, tid);
	self->nheld = 0;
	for (i = 0; i < POSH__CLASSES; i++) {
		self->navail[i] = 0;
		self->empty[i] = 0;
	}
}

static int
self_new(struct posh_heap *h, struct posh__self **out)
{
	struct posh__self *self = calloc(1, sizeof(*self));
	uint32_t tid;
	int rc;

	if (!self)
		return -ENOMEM;
	rc = posh__thread_claim(h, h->index, &tid);
	if (rc)
		goto fail;
	self->h = h;
	bind_entry(self, tid);
	rc = -pthread_setspecific(h->key, self);
	if (rc)
		goto fail_entry;
	if (h->selves)
		posh__holds_share(self);
	self->next = h->selves;
	if (h->selves)
		h->selves->prev = self;
	h->selves = self;
	*out = self;
	return 0;
fail_entry:
	posh__thread_release(h, tid);
fail:
	free(self);
	return rc;
}

int
posh__self_make(struct posh_heap *h, struct posh__self **out)
{
	int rc = 0;

	*out = pthread_getspecific(h->key);
	if (*out)
		return 0;
	pthread_mutex_lock(&h->lock);
	rc = self_new(h, out);
	pthread_mutex_unlock(&h->lock);
	return rc;
}

__thread struct posh__tls posh__tls;

int
posh__self_find(struct posh_heap *h, struct posh__self **out)
{
	int rc;

	if (h->closed)
		return -ESHUTDOWN;
	if (!posh__ours(h))
		return -ECHILD;
	rc = posh__self_make(h, out);
	if (rc == 0) {
		posh__tls.serial = h->serial;
		posh__tls.self = *out;
	}
	return rc;
}

void
posh__self_free(struct posh__self *self)
{
	unsigned i;

	posh__scratch_free(self);
	for (i = 0; i < POSH__CLASSES; i++)
		free(self->avail[i]);
	free(self->held);
	free(self->entered);
	free(self);
}

/* The heap that has this struct in its list; the struct itself may be gone,
 * with a heap that was closed. */
static struct posh_heap *
owner_of(const struct posh__self *self)
{
	struct posh_heap *h;
	struct posh__self *s;

	for (h = posh__heaps; h; h = h->next)
		for (s = h->selves; s; s = s->next)
			if (s == self)
				return h;
	return NULL;
}

static void
unlist(struct posh_heap *h, struct posh__self *self)
{
	pthread_mutex_lock(&h->lock);
	if (self->prev)
		self->prev->next = self->next;
	else
		h->selves = self->next;
	if (self->next)
		self->next->prev = self->prev;
	pthread_mutex_unlock(&h->lock);
}

/* Settle what the thread owns, and give its entry back. */
static void
retire(struct posh__self *self)
{
	struct posh_heap *h = self->h;

	self->hookless = true;
	posh__store(&self->t->state,
		    POSH__THREAD_WORD(self->name >> 16, h->index,
				      POSH__THREAD_DYING));
	POSH_STEP("thread.3");
	posh__begin_write(self);
	posh__thread_settle(self);
	posh__leave(self);
	posh__thread_release(h, self->tid);
}

void
posh__thread_exit(void *arg)
{
	struct posh__self *self = arg;
	struct posh_heap *h;

	pthread_mutex_lock(&posh__heaps_lock);
	h = owner_of(self);
	if (h) {
		unlist(h, self);
		h->pins++;
	}
	pthread_mutex_unlock(&posh__heaps_lock);
	if (!h)
		return;
	if (posh__ours(h))
		retire(self);
	if (posh__tls.self == self)
		posh__tls.serial = 0;
	posh__self_free(self);
	pthread_mutex_lock(&posh__heaps_lock);
	if (--h->pins == 0)
		pthread_cond_broadcast(&posh__heaps_unpinned);
	pthread_mutex_unlock(&posh__heaps_lock);
}

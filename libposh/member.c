/* SPDX-License-Identifier: MIT */
/* member.c - the table of who is attached.
 *
 * A member entry belongs to whom the kernel says: the open file description
 * that has the entry's byte of the file locked.  The state word tells what
 * became of it.
 *
 * STATES
 *
 *             byte locked,
 *             signed             table of holds made
 *      FREE -------> CLAIMED(gen) -------> LIVE(gen)
 *       ^ ^             |                 /   |
 *       | |             | death          /    | detach
 *       | |             v               v     v
 *       | +------- recovery <--- death    LEAVING(gen)
 *       |               ^                     |
 *       |               | death               | nothing is left
 *       |   HANDOVER(gen), see fork.c         |
 *       +-- gen + 1 --------------------------+
 *
 * INVARIANTS
 *   I1  an entry leaves FREE only by whom has its byte locked;
 *   I2  pid, start, pidns and boot are those of the occupant from before the
 *       entry is CLAIMED until it is FREE (HANDOVER: they are 0);
 *   I3  a FREE entry owns nothing: no thread entry names it, no hold table;
 *   I4  gen grows with each return to FREE: a state word names one occupant.
 *
 * PROGRESS  joining is serialized by one more byte, which the kernel frees
 * when its owner dies; for a stopped one others wait PATIENCE and then join
 * all the same.  (What it saves is work: of many that join at once one
 * recovers the dead.)  Recovery is anybody's, at any time.
 *
 * STEPS       effect                     if the process dies here
 *   member.1  signed, still FREE         the byte is free again: as before
 *   member.2  CLAIMED                    recovery finds nothing to drop
 *   member.3  LIVE                       recovery
 *   member.4  LEAVING                    recovery goes on from here
 *   member.5  FREE                       nothing is left to do
 *   member.6  members_high raised        the entries are FREE
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "quiesce.h"
#include "ref.h"

enum { PATIENCE = 2000 }; /* ms */

static struct flock
one_byte(int64_t byte, short type)
{
	struct flock lock;

	memset(&lock, 0, sizeof(lock));
	lock.l_type = type;
	lock.l_whence = SEEK_SET;
	lock.l_start = byte;
	lock.l_len = 1;
	return lock;
}

int
posh__byte_lock(int fd, int64_t byte)
{
	struct flock lock = one_byte(byte, F_WRLCK);

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

int
posh__byte_wait(int fd, int64_t byte, int ms)
{
	int tries = 5 * ms, rc;

	/* Not by F_OFD_SETLKW, which waits for ever. */
	while ((rc = posh__byte_lock(fd, byte)) == -EAGAIN && tries-- > 0)
		posh__pause(200000);
	return rc;
}

void
posh__byte_unlock(int fd, int64_t byte)
{
	struct flock lock = one_byte(byte, F_UNLCK);

	fcntl(fd, F_OFD_SETLK, &lock);
}

void
posh__member_become(struct posh__member *m, unsigned st)
{
	uint64_t gen = posh__load(&m->state) >> 32;

	posh__store(&m->state, POSH__MEMBER_WORD(gen, st));
}

/* Take entry i if it is FREE and its byte is too. */
static int
claim(struct posh_heap *h, int fd, unsigned st, uint32_t i)
{
	struct posh__member *m = posh__member_at(h, i);
	uint64_t w = posh__load(&m->state);
	int rc;

	if (POSH__MEMBER_STATE(w) != POSH__MEMBER_FREE)
		return -EAGAIN;
	rc = posh__byte_lock(fd, POSH__TOKEN(i));
	if (rc)
		return rc;
	/* From here on nobody else takes it (I1); but somebody may have, and
	 * died, before the lock. */
	w = posh__load(&m->state);
	if (POSH__MEMBER_STATE(w) != POSH__MEMBER_FREE) {
		posh__byte_unlock(fd, POSH__TOKEN(i));
		return -EAGAIN;
	}
	/* Not reaper: somebody may have it who does not know yet that the
	 * entry is no dead one's. */
	posh__store(&m->holds, 0);
	posh__store(&m->holds_busy, 0);
	if (st == POSH__MEMBER_HANDOVER) {
		posh__store(&m->pid, 0);
		posh__store(&m->start, 0);
		posh__store(&m->pidns, 0);
		posh__store(&m->boot, 0);
	} else {
		posh__member_sign(h, m);
	}
	POSH_STEP("member.1");
	posh__member_become(m, st);
	POSH_STEP("member.2");
	return 0;
}

/* Make room for a chunk of entries more. */
static int
extend(struct posh_heap *h, uint64_t high)
{
	uint64_t n = POSH__CHUNK / sizeof(struct posh__member);
	uint64_t off = h->hdr->members_off + high * sizeof(struct posh__member);
	int rc;

	if (high + n > POSH__MEMBERS)
		return -EAGAIN;
	rc = posh__heap_populate(h, off, POSH__CHUNK);
	if (rc)
		return rc;
	/* Who loses this finds that another has done it. */
	posh__cas(&h->hdr->members_high, high, high + n);
	POSH_STEP("member.6");
	return 0;
}

/* No thread is of an entry that was FREE (I3), unless the heap is damaged:
 * then it would be taken for one of ours, which lives. */
static void
lay_ghosts(struct posh_heap *h, uint32_t index)
{
	uint64_t high = posh__load(&h->hdr->threads_high), w;
	uint32_t tid;

	for (tid = 1; tid < high; tid++) {
		w = posh__load(&posh__thread_at(h, tid)->state);
		if (POSH__THREAD_STATE(w) != POSH__THREAD_FREE &&
		    POSH__THREAD_MEMBER(w) == index)
			posh__thread_release(h, tid);
	}
}

int
posh__member_claim(struct posh_heap *h, int fd, unsigned st, uint32_t *index)
{
	uint32_t i = 0;

	for (;;) {
		uint64_t high = posh__load(&h->hdr->members_high);
		int rc;

		for (; i < high; i++) {
			rc = claim(h, fd, st, i);
			if (rc == -EAGAIN)
				continue;
			if (rc == 0)
				lay_ghosts(h, i);
			*index = i;
			return rc;
		}
		rc = extend(h, high);
		if (rc)
			return rc;
	}
}

void
posh__member_free(struct posh_heap *h, uint32_t index, uint64_t state)
{
	struct posh__member *m = posh__member_at(h, index);
	uint64_t gen = (state >> 32) + 1;

	/* A second one who recovers it finds this done. */
	posh__cas(&m->state, state,
		  POSH__MEMBER_WORD(gen & UINT32_MAX, POSH__MEMBER_FREE));
	POSH_STEP("member.5");
}

/* Is there no member but this one, alive or not yet recovered? */
static bool
alone(struct posh_heap *h, bool dead_too)
{
	uint64_t high = posh__load(&h->hdr->members_high), i;

	for (i = 0; i < high; i++) {
		struct posh__member *m = posh__member_at(h, (uint32_t)i);

		if (i == h->index || POSH__MEMBER_STATE(posh__load(
					     &m->state)) == POSH__MEMBER_FREE)
			continue;
		if (dead_too || !posh__member_dead(h, (uint32_t)i))
			return false;
	}
	return true;
}

/* A heap that was in use when the machine went down may be anything. */
static int
inspect(struct posh__self *self)
{
	struct posh_heap *h = self->h;
	uint64_t boot = posh__load(&h->hdr->boot), now = posh__boot();
	int rc;

	if (!boot || !now || boot == now || posh__load(&h->hdr->clean) ||
	    !alone(h, false))
		return 0;
	rc = posh__rehearse(self);
	/* Another one may have come in before us, and mended it. */
	return rc && posh__load(&h->hdr->boot) == now ? 0 : rc;
}

/* Give back what the process has of the heap, and the entry.  Other threads
 * are not in a call. */
static void
leave(struct posh__self *self)
{
	struct posh_heap *h = self->h;
	struct posh__self *other;
	int tries = 1000;
	uint64_t state;

	posh__begin_write(self);
	posh__member_become(h->member, POSH__MEMBER_LEAVING);
	POSH_STEP("member.4");
	for (other = h->selves; other; other = other->next) {
		if (other != self) {
			posh__thread_settle(other);
			posh__thread_release(h, other->tid);
		}
	}
	posh__thread_settle(self);
	posh__begin_write(self);
	/* Who looks whether we are dead has us claimed for a moment. */
	while (posh__recover(self, h->index, true) && tries-- > 0)
		posh__pause(1000000);
	/* That gave the thread's entry back as well: it may be another's. */
	if (tries < 0)
		return;
	state = posh__load(&h->member->state);
	if (POSH__MEMBER_STATE(state) == POSH__MEMBER_LEAVING)
		posh__member_free(h, h->index, state);
}

/* Has this process another attachment that is member i?  Their list is
 * locked while one is made. */
static bool
attached(const struct posh_heap *h, uint64_t i)
{
	const struct posh_heap *g;

	for (g = posh__heaps; g; g = g->next)
		if (g->index == i && posh__ours(g) && posh__fd_ours(g, h->fd))
			return true;
	return false;
}

/* This process may have been a member before, and then called exec.  It has
 * the heap mapped again, so nobody can tell that the former one is dead; but
 * we can, even if a copy of its token keeps the byte locked: the one that who
 * forked us had yet to close.  A start time that no process has tells
 * everybody. */
static void
disown_former(struct posh_heap *h)
{
	uint64_t high = posh__load(&h->hdr->members_high), i;

	for (i = 0; i < high; i++) {
		struct posh__member *m = posh__member_at(h, (uint32_t)i);
		unsigned st = POSH__MEMBER_STATE(posh__load(&m->state));

		if (i != h->index && st != POSH__MEMBER_FREE &&
		    posh__load(&m->pidns) &&
		    posh__load(&m->pidns) == posh__load(&h->member->pidns) &&
		    posh__load(&m->pid) == posh__load(&h->member->pid) &&
		    posh__load(&m->start) == posh__load(&h->member->start) &&
		    (posh__byte_free(h, POSH__TOKEN(i)) ||
		     (st == POSH__MEMBER_LIVE && !attached(h, i))))
			posh__store(&m->start, UINT64_MAX);
	}
}

static int
settle_in(struct posh_heap *h)
{
	struct posh__self *self;
	int rc = posh__self_make(h, &self);

	if (rc)
		return rc;
	/* Who is here has done that. */
	rc = posh__heap_fill(h, alone(h, false));
	if (!rc)
		rc = inspect(self);
	if (rc)
		return rc;
	posh__store(&h->hdr->clean, 0);
	posh__store(&h->hdr->boot, posh__boot());
	posh__begin_write(self);
	rc = posh__holds_create(self);
	posh__leave(self);
	if (rc)
		return rc;
	posh__member_become(h->member, POSH__MEMBER_LIVE);
	POSH_STEP("member.3");
	disown_former(h);
	posh__member_reap(self);
	return 0;
}

int
posh__member_attach(struct posh_heap *h)
{
	struct posh__self *self;
	uint32_t index;
	int fd = posh__reopen(h->fd), rc;

	if (fd < 0)
		return fd;
	posh__barrier_register(h);
	h->token = fd;
	rc = posh__byte_wait(fd, POSH__TOKEN(POSH__MEMBERS), PATIENCE);
	if (rc && rc != -EAGAIN)
		goto fail;
	rc = posh__member_claim(h, fd, POSH__MEMBER_CLAIMED, &index);
	if (rc)
		goto fail_joining;
	h->index = index;
	h->member = posh__member_at(h, index);
	rc = settle_in(h);
	posh__byte_unlock(fd, POSH__TOKEN(POSH__MEMBERS));
	if (!rc)
		return 0;
	self = pthread_getspecific(h->key);
	if (self)
		leave(self);
	else
		posh__member_free(h, index, posh__load(&h->member->state));
	goto fail;
fail_joining:
	posh__byte_unlock(fd, POSH__TOKEN(POSH__MEMBERS));
fail:
	close(fd);
	h->token = -1;
	return rc;
}

/* The last one out writes down that all is in order.  One that is stopped
 * while it joins does not keep us: then it is not written down, and costs a
 * rehearsal after a reboot. */
static void
sign_off(struct posh_heap *h)
{
	if (!posh__fd_ours(h, h->token) ||
	    posh__byte_wait(h->token, POSH__TOKEN(POSH__MEMBERS), 100))
		return;
	if (alone(h, true)) {
		if (!h->ram && posh__heap_fd(h) >= 0)
			fdatasync(h->fd);
		posh__store(&h->hdr->clean, 1);
		/* One that ran out of patience may be joining all the
		 * same: it claims its entry, then stores 0. */
		posh__fence();
		if (!alone(h, true))
			posh__store(&h->hdr->clean, 0);
	}
	posh__byte_unlock(h->token, POSH__TOKEN(POSH__MEMBERS));
}

void
posh__member_detach(struct posh_heap *h)
{
	struct posh__self *self;

	if (posh__self_make(h, &self)) {
		/* No thread entry for us: then it is as if we died. */
		self = h->selves;
		if (!self)
			return;
	}
	self->hookless = true;
	leave(self);
	/* The entry is FREE, the byte not yet: the next one to look for an
	 * entry passes it by. */
	sign_off(h);
	if (posh__fd_ours(h, h->token))
		close(h->token);
	h->token = -1;
}

int
posh__member_reap(struct posh__self *self)
{
	struct posh_heap *h = self->h;
	uint64_t high = posh__load(&h->hdr->members_high), i;
	bool outside = !posh__peek(&self->t->active);
	int n = 0;

	if (outside)
		posh__begin_write(self);
	for (i = 0; i < high; i++)
		if (posh__member_dead(h, (uint32_t)i) &&
		    posh__recover(self, (uint32_t)i, false) == 0)
			n++;
	if (outside)
		posh__leave(self);
	return n;
}

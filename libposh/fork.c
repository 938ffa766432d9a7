/* SPDX-License-Identifier: MIT */
/* fork.c - a child becomes a member by the fork itself.
 *
 * The parent makes everything ready in the prepare handler: a member entry,
 * whose byte is locked by a fresh open file description; a thread entry; a
 * copy of its table of holds.  Then the process forks, and the description
 * is in both.  The parent closes its copy, the child keeps it: at no moment
 * is the byte free while the child lives, and it is free as soon as the
 * child is dead, whatever becomes of the parent.
 *
 * Only a fork that was announced by posh_fork_arm does all that.  The child
 * of any other has nothing: a page that reads as zero there tells it so at
 * its first call, even if no handler ran.
 *
 * STATES of the child's member entry
 *
 *     FREE --> HANDOVER -------------------> LIVE
 *                 |         the child signs
 *                 | the byte is free: the child died, or there is none
 *                 v
 *              recovery
 *
 * INVARIANTS
 *   I1  the entry is HANDOVER until the child is LIVE, and by its byte alone
 *       dead or alive;
 *   I2  attach_epoch has moved on before the parent gives back any hold that
 *       was copied: who scans the tables for holds and might have passed the
 *       child's, while it was not there, scans again.
 *
 * PROGRESS  the handler waits for the process's other threads where they hold
 * private locks, which is for moments, and for a shut gate.
 *
 * STEPS     effect                        if the process dies here
 *   fork.1  HANDOVER, the byte locked     recovery finds little to do
 *   fork.2  thread entry claimed          recovery frees it
 *   fork.3  holds copied                  recovery drops them
 *   fork.4  attach_epoch moved on         the same
 *   fork.5  the child signed              the same
 *   fork.6  the child LIVE                the child's own recovery
 */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "attach.h"
#include "cancel.h"
#include "quiesce.h"
#include "ref.h"

static __thread bool armed;
static __thread bool aside; /* the handlers do nothing */

void
posh_fork_arm(void)
{
	armed = true;
}

void
posh_fork_disarm(void)
{
	armed = false;
}

/*
 * Prepare
 */

int
posh__child_make(struct posh__self *self)
{
	struct posh_heap *h = self->h;
	struct posh__member *m;
	int rc = posh__member_claim(h, h->child_token, POSH__MEMBER_HANDOVER,
				    &h->child_index);

	if (rc)
		return rc;
	POSH_STEP("fork.1");
	m = posh__member_at(h, h->child_index);
	rc = posh__thread_claim(h, h->child_index, &h->child_tid);
	if (rc)
		goto fail;
	POSH_STEP("fork.2");
	if (!POSH_RULE(EPOCH_ORDER))
		posh__add(&h->hdr->attach_epoch, 1);
	rc = posh__holds_copy(self, m);
	if (rc)
		goto fail_thread;
	POSH_STEP("fork.3");
	if (POSH_RULE(EPOCH_ORDER))
		posh__add(&h->hdr->attach_epoch, 1);
	POSH_STEP("fork.4");
	return 0;
fail_thread:
	posh__thread_release(h, h->child_tid);
fail:
	posh__member_free(h, h->child_index, posh__load(&m->state));
	return rc;
}

/* Should anything fail the fork goes on, and the child is nobody. */
static void
prepare_child(struct posh_heap *h)
{
	struct posh__self *self;
	int fd = posh__heap_fd(h), rc;

	if (fd < 0 || posh__self_make(h, &self))
		return;
	posh__token_keep(h);
	h->child_token = posh__reopen(fd);
	if (h->child_token < 0)
		return;
	/* The caller may have an interpreter's lock, and shall keep it. */
	self->hookless = true;
	posh__begin_write(self);
	posh__holds_freeze(h);
	rc = posh__child_make(self);
	if (posh__is_full(rc)) {
		/* Maybe there is room for the child's holds in what the dead
		 * have. */
		posh__holds_thaw(h);
		posh__member_reap(self);
		posh__holds_freeze(h);
		rc = posh__child_make(self);
	}
	if (rc) {
		posh__holds_thaw(h);
		close(h->child_token);
		h->child_token = -1;
	}
	posh__leave(self);
	self->hookless = false;
}

static void
prepare(void)
{
	struct posh_heap *h;
	POSH__UNCANCELLED;

	if (aside)
		return;
	pthread_mutex_lock(&posh__heaps_lock);
	for (h = posh__heaps; h; h = h->next) {
		h->child_token = -1;
		if (armed && posh__ours(h))
			prepare_child(h);
		pthread_mutex_lock(&h->lock);
	}
}

/*
 * In the parent
 */

/* The fork may have failed, or the child be dead already. */
static void
see_off(struct posh_heap *h)
{
	struct posh__self *self = pthread_getspecific(h->key);

	if (!self || !posh__member_dead(h, h->child_index))
		return;
	self->hookless = true;
	posh__begin_write(self);
	posh__recover(self, h->child_index, false);
	posh__leave(self);
	self->hookless = false;
}

static void
in_parent(void)
{
	struct posh_heap *h;
	POSH__UNCANCELLED;

	if (aside)
		return;
	for (h = posh__heaps; h; h = h->next) {
		pthread_mutex_unlock(&h->lock);
		if (h->child_token < 0)
			continue;
		close(h->child_token);
		h->child_token = -1;
		posh__holds_thaw(h);
		see_off(h);
	}
	armed = false;
	pthread_mutex_unlock(&posh__heaps_lock);
}

/*
 * In the child
 */

/* Let go of the parent's byte; the last to do so is not the child that
 * nobody knows of. */
static void
drop_token(struct posh_heap *h)
{
	if (posh__fd_ours(h, h->token))
		close(h->token);
	h->token = -1;
}

/* Move in.  The thread that forked is the only one here. */
static void
adopt(struct posh_heap *h)
{
	struct posh__self *self = pthread_getspecific(h->key);

	h->token = h->child_token;
	h->child_token = -1;
	h->index = h->child_index;
	h->member = posh__member_at(h, h->index);
	posh__barrier_register(h);
	posh__self_rebind(self, h->child_tid);
	self->next = self->prev = NULL;
	h->selves = self;
	posh__holds_adopt(h);
	posh__member_sign(h, h->member);
	POSH_STEP("fork.5");
	posh__member_become(h->member, POSH__MEMBER_LIVE);
	POSH_STEP("fork.6");
	posh__store(h->cookie, 1);
}

static void
in_child(void)
{
	struct posh_heap *h;
	POSH__UNCANCELLED;

	if (aside)
		return;
	for (h = posh__heaps; h; h = h->next)
		drop_token(h);
	for (h = posh__heaps; h; h = h->next) {
		/* It is 0, but for emulators, which do not wipe it. */
		posh__store(h->cookie, 0);
		h->pins = 0;
		pthread_mutex_unlock(&h->lock);
		if (h->child_token >= 0)
			adopt(h);
	}
	armed = false;
	/* Whoever waited for it is not here. */
	posh__heaps_unpinned = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	pthread_mutex_unlock(&posh__heaps_lock);
}

static void
register_handlers(void)
{
	pthread_atfork(prepare, in_parent, in_child);
}

void
posh__fork_register(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_handlers);
}

pid_t
posh__fork_aside(void)
{
	pid_t pid;

	aside = true;
	pid = fork();
	aside = false;
	return pid;
}

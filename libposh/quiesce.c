/* SPDX-License-Identifier: MIT */
/* quiesce.c - epochs of quiescence.
 *
 * A thread in a call may look at a block that was freed meanwhile: it reads
 * it, finds its container changed, and lets go.  It may even try a
 * compare-and-swap on the block's state word, which is harmless while the
 * span keeps its class: the word still is a state word.  So a span must not
 * get another class, nor its pages be taken away, before every thread that
 * was in a call has left it.
 *
 * A thread stores the epoch in its entry when it enters a call and 0 when it
 * leaves, with plain stores.  Who wants to know the horizon moves the epoch
 * on, has the kernel run a full barrier on every running thread, and then
 * reads the entries.  A thread whose store the barrier did not bring out has
 * not begun to look.
 *
 * INVARIANTS
 *   I1  a thread that may look at something stamped s has an active word
 *       with an epoch <= s;
 *   I2  the horizon is above s only if no such thread is left but the one
 *       that asks.  It is about to change the span itself, and what it has
 *       read before in this call it looks up anew (posh__block_word).
 *
 * PROGRESS  wait-free for who enters and leaves; a thread that is stopped in
 * a call holds the horizon back, and costs memory only.  What a dead one
 * holds back is let go by its recovery.
 */
#include "config.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "quiesce.h"

static long
membarrier(int cmd)
{
	return syscall(SYS_membarrier, cmd, 0, 0);
}

void
posh__barrier_register(struct posh_heap *h)
{
	h->fences = membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) != 0;
}

bool
posh__barrier(void)
{
	if (!POSH_RULE(BARRIER))
		return true;
	posh__fence();
	POSH_ACCESS(NULL, BARRIER);
	return membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED) == 0;
}

uint32_t
posh__epoch_stamp(struct posh_heap *h)
{
	/* What made it unreachable is seen before the epoch is read: who is in
	 * time to see it yet has read no later epoch. */
	posh__fence();
	return (uint32_t)posh__load(&h->hdr->epoch);
}

bool
posh__epoch_horizon(struct posh__self *self, uint32_t *out)
{
	struct posh_heap *h = self->h;
	uint64_t epoch = posh__load(&h->hdr->epoch);
	uint32_t high, tid, horizon = (uint32_t)epoch + 1;

	/* Who loses this has had it moved on by another. */
	posh__cas(&h->hdr->epoch, epoch, epoch + 1);
	if (!posh__barrier())
		return false;
	/* Not before: a thread that has come meanwhile may have the epoch
	 * from before the barrier. */
	high = (uint32_t)posh__load(&h->hdr->threads_high);
	for (tid = 1; tid < high; tid++) {
		struct posh__thread *t = posh__thread_at(h, tid);
		uint64_t w = posh__load(&t->active);
		uint32_t e = (uint32_t)(w >> 2);

		/* Of a free entry only if the heap is damaged. */
		if (w && POSH__THREAD_STATE(posh__load(&t->state)) ==
				 POSH__THREAD_FREE)
			continue;
		if (w && tid != self->tid && posh__epoch_before(e, horizon))
			horizon = e;
	}
	*out = horizon;
	return true;
}

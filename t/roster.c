/* SPDX-License-Identifier: MIT */
/* roster.c - who is in a heap's tables of members and threads. */
#include "config.h"

#include "attach.h"
#include "roster.h"

unsigned
roster_state(posh_heap *h, int index)
{
	return POSH__MEMBER_STATE(
		posh__load(&posh__member_at(h, (uint32_t)index)->state));
}

int
roster_find(posh_heap *h, pid_t pid)
{
	int i, high = (int)posh__load(&h->hdr->members_high);

	for (i = 0; i < high; i++)
		if (roster_state(h, i) != POSH__MEMBER_FREE &&
		    posh__load(&posh__member_at(h, (uint32_t)i)->pid) ==
			    (uint64_t)pid)
			return i;
	return -1;
}

unsigned
roster_members(posh_heap *h)
{
	int i, high = (int)posh__load(&h->hdr->members_high);
	unsigned n = 0;

	for (i = 0; i < high; i++)
		n += roster_state(h, i) != POSH__MEMBER_FREE;
	return n;
}

unsigned
roster_threads(posh_heap *h)
{
	uint32_t i, high = (uint32_t)posh__load(&h->hdr->threads_high);
	unsigned n = 0;

	for (i = 1; i < high; i++)
		n += POSH__THREAD_STATE(
			     posh__load(&posh__thread_at(h, i)->state)) !=
		     POSH__THREAD_FREE;
	return n;
}

bool
roster_dead(posh_heap *h, int index)
{
	return index >= 0 && posh__member_dead(h, (uint32_t)index);
}

bool
roster_alive(posh_heap *h, int index)
{
	return index >= 0 && !posh__member_dead(h, (uint32_t)index);
}

int
roster_reap(posh_heap *h)
{
	struct posh__self *self;

	return posh__self(h, &self) ? -1 : posh__member_reap(self);
}

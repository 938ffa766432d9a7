/* SPDX-License-Identifier: MIT */
/* format.c - a heap's header: made, and verified.
 *
 * Everything that is fixed at creation follows from max_size.  So a header
 * from a file is right if it is what would be made from its max_size: there
 * is no other rule to verify.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "format.h"

static uint64_t
up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* Place the tables for a number of spans. */
static void
place_tables(struct posh__header *f, uint64_t nspans)
{
	uint64_t bits = 3 * ((nspans + 63) / 64) * 8;

	f->members_off = POSH__SPAN;
	f->threads_off =
		f->members_off +
		up(POSH__MEMBERS * sizeof(struct posh__member), POSH__SPAN);
	f->spans_off = f->threads_off +
		       up((POSH__THREADS + 1) * sizeof(struct posh__thread),
			  POSH__SPAN);
	f->bits_off = f->spans_off + up(nspans * 8, POSH__SPAN);
	f->first = up(f->bits_off + bits, POSH__SPAN) >> POSH__SPAN_BITS;
	f->nspans = nspans;
}

void
posh__format(struct posh__header *f, uint64_t max_size)
{
	uint64_t holds = up(max_size / 32, POSH__SPAN);
	uint64_t data, nspans = 0;

	memset(f, 0, sizeof(*f));
	memcpy(f->magic, POSH__MAGIC, sizeof(f->magic));
	f->layout = POSH__LAYOUT;
	f->endian = POSH__ENDIAN;
	f->span_bytes = (uint32_t)POSH__SPAN;
	f->member_bytes = sizeof(struct posh__member);
	f->thread_bytes = sizeof(struct posh__thread);
	f->max_size = up(max_size, POSH__SPAN);
	if (holds < POSH__MIN_SIZE)
		holds = POSH__MIN_SIZE;
	data = (f->max_size + holds) >> POSH__SPAN_BITS;
	/* The tables are spans too, which need entries: a few rounds. */
	do {
		place_tables(f, nspans);
		nspans = f->first + data;
	} while (nspans != f->nspans);
	f->reserve = nspans << POSH__SPAN_BITS;
	f->size = f->first << POSH__SPAN_BITS;
	f->marked = f->first;
	f->free_hint = f->first;
	f->epoch = 1;
	f->attach_epoch = 1;
	f->clean = 1;
}

static bool
same_shape(const struct posh__header *a, const struct posh__header *b)
{
	return a->reserve == b->reserve && a->max_size == b->max_size &&
	       a->members_off == b->members_off &&
	       a->threads_off == b->threads_off &&
	       a->spans_off == b->spans_off && a->bits_off == b->bits_off &&
	       a->first == b->first && a->nspans == b->nspans;
}

/* Are the numbers that grow possible ones? */
static bool
sane(const struct posh__header *hdr)
{
	uint64_t members = posh__load(&hdr->members_high);
	uint64_t threads = posh__load(&hdr->threads_high);
	uint64_t size = posh__load(&hdr->size);

	return size % POSH__SPAN == 0 && size <= hdr->reserve &&
	       posh__load(&hdr->marked) >= hdr->first &&
	       size >= hdr->first << POSH__SPAN_BITS &&
	       posh__load(&hdr->marked) <= size >> POSH__SPAN_BITS &&
	       members <= POSH__MEMBERS && threads <= POSH__THREADS + 1;
}

int
posh__format_check(const struct posh__header *hdr, uint64_t file_bytes)
{
	struct posh__header fresh;

	if (memcmp(hdr->magic, POSH__MAGIC, sizeof(hdr->magic)))
		return -EBADMSG;
	if (hdr->endian != POSH__ENDIAN || hdr->layout != POSH__LAYOUT ||
	    hdr->span_bytes != POSH__SPAN ||
	    hdr->member_bytes != sizeof(struct posh__member) ||
	    hdr->thread_bytes != sizeof(struct posh__thread))
		return -EPROTONOSUPPORT;
	if (hdr->max_size < POSH__MIN_SIZE || hdr->max_size > POSH__MAX_SIZE)
		return -EUCLEAN;
	posh__format(&fresh, hdr->max_size);
	if (!same_shape(hdr, &fresh) || !sane(hdr))
		return -EUCLEAN;
	return posh__load(&hdr->size) <= file_bytes &&
			       file_bytes <= hdr->reserve
		       ? 0
		       : -EUCLEAN;
}

/* SPDX-License-Identifier: MIT */
/* grow.c - more memory for a heap, and less.
 *
 * A heap's file only ever grows, by fallocate alone, which cannot shrink it
 * when two processes do it at once.  The pages are there before anybody is
 * told of them; so no access faults later because the memory has run out,
 * and running out is an error of this file's alone.
 *
 * INVARIANTS
 *   I1  pages before hdr->size are allocated, and words in the span table
 *       before it too;
 *   I2  hdr->size only grows;
 *   I3  a span between hdr->marked and hdr->size is one whose bit may not
 *       have been set yet: who grows next sets it.
 *
 * PROGRESS  one at a time, under hdr->grow_lock.  Its owner may die at any
 * step: the next one begins again, and finds done what was done.
 *
 * STEPS     effect                          if the process dies here
 *   grow.1  pages allocated                 they are allocated already
 *   grow.2  hdr->size stored                I3
 *   grow.3  bits set, hdr->marked stored    nothing is left to do
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "attach.h"
#include "cancel.h"
#include "lock.h"
#include "memory.h"
#include "span.h"

/* What is left to others when memory is short. */
#define RESERVE (UINT64_C(16) << 20)

/* fallocate may be interrupted, and on some file systems then begins from
 * the start: in pieces it gets on. */
#define PIECE (UINT64_C(4) << 20)

/* It is worth asking the kernel which pages of so much memory are zero. */
#define SPARSE (UINT64_C(256) << 10)

/* Growth beyond this limit would be a signal, SIGXFSZ. */
static bool
within_limit(uint64_t end)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) || end <= limit.rlim_cur;
}

/* Has the machine so much, and some for others? */
static bool
available(const struct posh_heap *h, uint64_t bytes)
{
	struct posh__memory memory;
	POSH__UNCANCELLED;

	if (!h->ram)
		return true;
	posh__memory_ask(&memory);
	return memory.available >= RESERVE &&
	       bytes <= memory.available - RESERVE;
}

int
posh__heap_populate(struct posh_heap *h, uint64_t off, uint64_t bytes)
{
	int fd = posh__heap_fd(h);
	POSH__UNCANCELLED;

	if (fd < 0)
		return fd;
	if (!within_limit(off + bytes))
		return -ENOMEM;
	while (bytes > 0) {
		uint64_t n = bytes < PIECE ? bytes : PIECE;

		if (fallocate(fd, 0, (off_t)off, (off_t)n)) {
			if (errno == EINTR)
				continue;
			return -ENOMEM;
		}
		off += n;
		bytes -= n;
	}
	return 0;
}

int
posh__heap_fill_tables(struct posh_heap *h)
{
	const struct posh__header *hdr = h->hdr;
	struct {
		uint64_t off, bytes;
	} part[] = {
		{0, sizeof(*hdr)},
		{hdr->members_off,
		 posh__load(&hdr->members_high) * sizeof(struct posh__member)},
		{hdr->threads_off,
		 posh__load(&hdr->threads_high) * sizeof(struct posh__thread)},
		{hdr->spans_off, 8 * posh__span_end(h)},
		{hdr->bits_off,
		 (hdr->first << POSH__SPAN_BITS) - hdr->bits_off},
	};
	unsigned i;
	int rc = 0;

	for (i = 0; i < sizeof(part) / sizeof(part[0]) && rc == 0; i++)
		if (part[i].bytes)
			rc = posh__heap_populate(h, part[i].off, part[i].bytes);
	return rc;
}

/* How many bytes of pages the spans seem to lack.  Pages elsewhere count for
 * them, so there may be more. */
static uint64_t
lacking(struct posh_heap *h)
{
	uint64_t spans = posh__span_end(h) - h->hdr->first;
	uint64_t bytes = (spans - posh__span_punched(h)) << POSH__SPAN_BITS;
	struct stat st;
	uint64_t has;

	if (fstat(h->fd, &st))
		return 0;
	has = (uint64_t)st.st_blocks * 512;
	return bytes > has ? bytes - has : 0;
}

/* Has the file system room for so many bytes? */
static bool
has_room(const struct posh_heap *h, uint64_t bytes)
{
	struct statfs fs;

	return fstatfs(h->fd, &fs) || !fs.f_blocks ||
	       bytes / (uint64_t)fs.f_bsize < fs.f_bavail;
}

int
posh__heap_fill(struct posh_heap *h, bool surely)
{
	uint64_t n = h->hdr->first, end = posh__span_end(h), from;
	uint64_t bytes = lacking(h);
	int rc = 0;

	if ((!bytes && !surely) || end < n)
		return 0;
	/* Not by trying: that would take all there is. */
	if (bytes && (!available(h, bytes) || !has_room(h, bytes)))
		return -ENOMEM;
	while (n < end && rc == 0) {
		while (n < end && posh__span_is_punched(h, n))
			n++;
		for (from = n; n < end && !posh__span_is_punched(h, n);)
			n++;
		if (n > from)
			rc = posh__heap_populate(h, from << POSH__SPAN_BITS,
						 (n - from) << POSH__SPAN_BITS);
	}
	return rc;
}

void
posh__heap_punch(struct posh_heap *h, uint64_t off, uint64_t bytes)
{
	int fd = posh__heap_fd(h);
	POSH__UNCANCELLED;

#ifdef POSH_CHECK
	/* The explorer puts memory back that was stored to. */
	if (posh__wait_hook) {
		memset(posh__at(h, off), 0, bytes);
		return;
	}
#endif
	/* If it fails the pages stay, and what is in them. */
	while (fd >= 0 &&
	       fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 (off_t)off, (off_t)bytes) &&
	       errno == EINTR)
		;
}

void
posh__heap_clear(struct posh_heap *h, uint64_t off, uint64_t bytes)
{
	int fd = bytes < SPARSE ? -1 : posh__heap_fd(h);
	uint64_t end = off + bytes;

	while (off < end) {
		int64_t data = (int64_t)off, hole = (int64_t)end;

		if (fd >= 0) {
			data = lseek(fd, (off_t)off, SEEK_DATA);
			if (data < 0 && errno == ENXIO)
				return; /* never stored to */
			hole = lseek(fd, (off_t)data, SEEK_HOLE);
		}
		if (data < 0 || hole < 0) {
			fd = -1;
			continue;
		}
		if ((uint64_t)data > off)
			off = (uint64_t)data;
		if ((uint64_t)hole > end)
			hole = (int64_t)end;
		if (off >= end)
			return;
		memset(posh__at(h, off), 0, (uint64_t)hole - off);
		off = (uint64_t)hole;
	}
}

/* Set the bits of the spans before `to` that are free (I3). */
static void
mark(struct posh_heap *h, uint64_t to)
{
	uint64_t n = posh__load(&h->hdr->marked);
	uint64_t from = n;

	if (n < h->hdr->first)
		return;
	for (; n < to; n++)
		if (POSH__SPAN_STATE(posh__load(posh__span_word(h, n))) ==
		    POSH__SPAN_FREE)
			posh__span_mark(h, POSH__MAP_FREE, n);
	if (to > from)
		posh__cas(&h->hdr->marked, from, to);
	POSH_STEP("grow.3");
}

/* How many spans may be added in all? */
static uint64_t
room(struct posh_heap *h, uint64_t size, bool for_holds)
{
	uint64_t tables = h->hdr->first << POSH__SPAN_BITS;
	uint64_t end = for_holds ? h->hdr->reserve : tables + h->hdr->max_size;

	return size < end ? (end - size) >> POSH__SPAN_BITS : 0;
}

/* Allocate what n spans at the heap's end need. */
static int
allocate(struct posh_heap *h, uint64_t size, uint64_t n)
{
	uint64_t bytes = n << POSH__SPAN_BITS;
	uint64_t first = size >> POSH__SPAN_BITS;
	uint64_t words = h->hdr->spans_off + first * 8;
	uint64_t from = words / POSH__SPAN * POSH__SPAN;
	int rc;

	if (!available(h, bytes))
		return -ENOMEM;
	rc = posh__heap_populate(h, from, words + n * 8 - from);
	if (!rc)
		rc = posh__heap_populate(h, size, bytes);
	POSH_STEP("grow.1");
	return rc;
}

/* Grow by an eighth, which keeps growth rare; or if there is no room for
 * that by one step, or by just what was asked for. */
static int
grow(struct posh_heap *h, uint64_t size, uint64_t n, bool for_holds)
{
	uint64_t step = POSH__GROW >> POSH__SPAN_BITS;
	uint64_t data = (size >> POSH__SPAN_BITS) - h->hdr->first;
	uint64_t most = room(h, size, for_holds), try[3];
	int rc = -ENOMEM;
	unsigned i;

	if (n > most)
		return -ENOMEM;
	try[0] = n + data / 8 / step * step;
	try[1] = n > step ? n : step;
	try[2] = n;
	if (try[0] < try[1])
		try[0] = try[1];
	for (i = 0; i < 3; i++) {
		uint64_t spans = try[i] < most ? try[i] : most;

		if (i && spans == try[i - 1])
			continue;
		rc = allocate(h, size, spans);
		if (rc)
			continue;
		/* Who loses this finds that another has grown it. */
		posh__cas(&h->hdr->size, size,
			  size + (spans << POSH__SPAN_BITS));
		POSH_STEP("grow.2");
		return 0;
	}
	return rc;
}

int
posh__heap_grow(struct posh__self *self, uint64_t n, bool for_holds)
{
	struct posh_heap *h = self->h;
	struct posh__header *hdr = h->hdr;
	uint64_t seen = posh__load(&hdr->size), size;
	int rc = 0;

	posh__mutex_lock(self, &hdr->grow_lock);
	size = posh__load(&hdr->size);
	if (posh__load(&hdr->marked) << POSH__SPAN_BITS == size &&
	    (size == seen || size - seen < n << POSH__SPAN_BITS))
		rc = grow(h, size, n, for_holds);
	if (!rc)
		mark(h, posh__load(&hdr->size) >> POSH__SPAN_BITS);
	posh__mutex_unlock(self, &hdr->grow_lock);
	return rc;
}

/* SPDX-License-Identifier: MIT */
/* fd.c - the heap's descriptors, which the program may close.
 *
 * A daemon closes every descriptor that it does not know, and a program may
 * open something else at the number of one of ours.  So whoever is about to
 * use one asks first whether it is of the heap's file still.  If not, the
 * file is opened again:
 *
 *   by its name                     if that is this file still
 *   by the mapping                  for the privileged
 *   by a descriptor of another      of the same user
 *   member
 *
 * With it the process locks its byte again, which went with the token: members
 * in other pid namespaces know it by nothing else.  A child that closes all
 * at once may be quicker than its parent is with its copy of the token, and a
 * child by a bare system call has one for life: so the byte may be locked, and
 * each further use of the descriptor tries again.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "attach.h"
#include "cancel.h"
#include "file.h"

bool
posh__fd_ours(const struct posh_heap *h, int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == h->dev &&
	       st.st_ino == h->ino;
}

/* What was opened, if it is the heap's file; else -EBADF. */
static int
checked(const struct posh_heap *h, int fd)
{
	if (fd < 0)
		return -EBADF;
	if (posh__fd_ours(h, fd))
		return fd;
	close(fd);
	return -EBADF;
}

static int
by_name(const struct posh_heap *h)
{
	return h->path ? checked(h, posh__file_open(h->path)) : -EBADF;
}

static int
by_mapping(const struct posh_heap *h)
{
	char link[80];

	snprintf(link, sizeof(link), "/proc/self/map_files/%lx-%lx",
		 (unsigned long)h->base, (unsigned long)h->base + h->reserve);
	return checked(h, posh__link_open(link));
}

/* A descriptor of the heap's file among those of a process. */
static int
by_process(const struct posh_heap *h, uint64_t pid)
{
	char name[40], link[300];
	struct dirent *e;
	struct stat st;
	int fd = -EBADF;
	DIR *d;

	snprintf(name, sizeof(name), "/proc/%lu/fd", (unsigned long)pid);
	d = opendir(name);
	while (d && fd < 0 && (e = readdir(d))) {
		snprintf(link, sizeof(link), "%s/%s", name, e->d_name);
		if (stat(link, &st) == 0 && st.st_dev == h->dev &&
		    st.st_ino == h->ino)
			fd = checked(h, posh__link_open(link));
	}
	if (d)
		closedir(d);
	return fd;
}

static int
by_member(const struct posh_heap *h)
{
	uint64_t high = posh__load(&h->hdr->members_high), i;
	int fd = -EBADF;

	for (i = 0; i < high && i < POSH__MEMBERS && fd < 0; i++) {
		struct posh__member *m = posh__member_at(h, (uint32_t)i);

		if (i != h->index && posh__load(&m->pidns) &&
		    posh__load(&m->pidns) == posh__load(&h->member->pidns) &&
		    POSH__MEMBER_STATE(posh__load(&m->state)) ==
			    POSH__MEMBER_LIVE)
			fd = by_process(h, posh__load(&m->pid));
	}
	return fd;
}

/* Put fd where was is, unless another thread has put one there. */
static bool
replace(int *place, int was, int fd)
{
	return posh__half_cas((posh__half *)place, (uint32_t)was, (uint32_t)fd);
}

/* Forget a token that was closed: its number may come back, as that of
 * another descriptor of ours. */
static void
forget_token(struct posh_heap *h)
{
	int token = h->token;

	if (token >= 0 && !posh__fd_ours(h, token))
		replace(&h->token, token, -1);
}

/* How long a parent takes at most to close its copy, in ms. */
#define PARENT 10

/* Lock the process's byte again, if it is free within ms milliseconds.  A
 * child that is no member has the member of its parent here. */
static void
renew_token(struct posh_heap *h, int ms)
{
	int was = h->token, fd;

	if (!h->member || !posh__ours(h) || was >= 0)
		return;
	fd = posh__reopen(h->fd);
	if (fd < 0)
		return;
	if (posh__byte_wait(fd, POSH__TOKEN(h->index), ms) ||
	    !replace(&h->token, was, fd))
		close(fd);
}

void
posh__token_keep(struct posh_heap *h)
{
	forget_token(h);
	renew_token(h, 0);
}

int
posh__heap_fd(struct posh_heap *h)
{
	int was = h->fd, fd;
	POSH__UNCANCELLED;

	if (posh__fd_ours(h, was)) {
		renew_token(h, 0);
		return was;
	}
	if (!h->base)
		return -EBADF;
	forget_token(h);
	fd = by_name(h);
	if (fd < 0)
		fd = by_mapping(h);
	if (fd < 0 && h->member)
		fd = by_member(h);
	if (fd < 0)
		return -EBADF;
	if (!replace(&h->fd, was, fd)) {
		close(fd);
		return posh__fd_ours(h, h->fd) ? h->fd : -EBADF;
	}
	renew_token(h, PARENT);
	return fd;
}

/* SPDX-License-Identifier: MIT */
/* file.c - the files that heaps are in: names, and descriptors. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attach.h"
#include "file.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

/* The errno of posh_heap_open for one of a system call. */
static int
translate(int error)
{
	switch (error) {
	case ENOTDIR:
		return -ENOENT;
	case EPERM:
	case EROFS:
	case ETXTBSY:
		return -EACCES;
	case EISDIR:
	case ELOOP:
	case ENXIO:
	case ENODEV:
		return -EBADMSG;
	case ENAMETOOLONG:
		return -EINVAL;
	case ENOSPC:
	case EDQUOT:
		return -ENOMEM;
	default:
		return -error;
	}
}

/* Keep clear of the numbers of the standard streams: a program that closed
 * those may get them back from somebody else. */
static int
above_streams(int fd)
{
	int high;

	if (fd < 0 || fd > 2)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (high < 0)
		high = -errno;
	close(fd);
	return high;
}

int
posh__file_path(const char *name, char path[POSH__PATH_MAX])
{
	bool bare = !strchr(name, '/');
	int n;

	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	n = snprintf(path, POSH__PATH_MAX, "%s%s", bare ? "/dev/shm/" : "",
		     name);
	if (n >= POSH__PATH_MAX || name[strlen(name) - 1] == '/')
		return -EINVAL;
	return 0;
}

/* May we have it?  The superuser could have any file; but a private file of
 * another user is not meant for it. */
static int
usable(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if (st.st_uid != geteuid() && !(st.st_mode & 022))
		return -EACCES;
	return 0;
}

int
posh__file_open(const char *path)
{
	struct stat st;
	int fd, rc;

	/* To open a device may do something. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return -EBADMSG;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return translate(errno);
	rc = usable(fd);
	if (rc) {
		close(fd);
		return rc;
	}
	return above_streams(fd);
}

int
posh__link_open(const char *link)
{
	int fd = open(link, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return errno == ENOENT ? -EBADF : translate(errno);
	return above_streams(fd);
}

int
posh__reopen(int fd)
{
	char link[40];
	struct stat st;

	if (fstat(fd, &st))
		return -EBADF;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return posh__link_open(link);
}

int
posh__file_anonymous(void)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("posh", flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL) /* an older kernel */
		fd = memfd_create("posh", flags);
	if (fd < 0)
		return -errno;
	/* Nobody who gets the descriptor can make others' reads fail. */
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
	return above_streams(fd);
}

/* The directory of a path, in buf. */
static const char *
directory(const char *path, char buf[POSH__PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t n = slash == path ? 1 : (size_t)(slash - path);

	memcpy(buf, path, n);
	buf[n] = '\0';
	return buf;
}

/* For file systems that have no O_TMPFILE. */
static int
temporary(const char *path, char temp[POSH__PATH_MAX])
{
	char dir[POSH__PATH_MAX];
	int fd;

	if (snprintf(temp, POSH__PATH_MAX, "%s/.posh-XXXXXX",
		     directory(path, dir)) >= POSH__PATH_MAX)
		return -EINVAL;
	fd = mkostemp(temp, O_CLOEXEC);
	return fd < 0 ? translate(errno) : fd;
}

int
posh__file_unnamed(const char *path, unsigned mode, char temp[POSH__PATH_MAX])
{
	char dir[POSH__PATH_MAX];
	int fd = open(directory(path, dir), O_TMPFILE | O_RDWR | O_CLOEXEC,
		      0600);

	temp[0] = '\0';
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		fd = temporary(path, temp);
	else if (fd < 0)
		return translate(errno);
	if (fd < 0)
		return fd;
	/* Exactly that mode: who shares a heap with a group says so. */
	if (fchmod(fd, mode & 07777)) {
		posh__file_discard(temp);
		close(fd);
		return translate(errno);
	}
	return above_streams(fd);
}

int
posh__file_publish(int fd, const char *temp, const char *path)
{
	char link[40];
	int rc;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	rc = temp[0] ? linkat(AT_FDCWD, temp, AT_FDCWD, path, 0)
		     : linkat(AT_FDCWD, link, AT_FDCWD, path,
			      AT_SYMLINK_FOLLOW);
	rc = rc ? translate(errno) : 0;
	posh__file_discard(temp);
	return rc;
}

void
posh__file_discard(const char *temp)
{
	if (temp[0])
		unlink(temp);
}

int
posh__file_unlink(const char *path)
{
	if (unlink(path) == 0)
		return 0;
	return errno == EISDIR ? -EINVAL : translate(errno);
}

int
posh__file_header(int fd, struct posh__header *out, struct stat *st)
{
	ssize_t n;
	int rc = usable(fd);

	if (rc)
		return rc;
	if (fstat(fd, st))
		return -errno;
	memset(out, 0, sizeof(*out));
	n = pread(fd, out, sizeof(*out), 0);
	if (n < 0)
		return translate(errno);
	if (n < (ssize_t)sizeof(*out))
		return n >= 8 && !memcmp(out->magic, POSH__MAGIC, 8) ? -EUCLEAN
								     : -EBADMSG;
	return posh__format_check(out, (uint64_t)st->st_size);
}

bool
posh__file_in_ram(const struct statfs *fs)
{
	return fs->f_type == TMPFS_MAGIC || fs->f_type == RAMFS_MAGIC;
}

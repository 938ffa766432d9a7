/* SPDX-License-Identifier: MIT */
/* heap.c - the attachments of this process: create, open, close.
 *
 * A heap is a file that is mapped once, over all the address space that it
 * may ever need: what is beyond the file's end appears there when the file
 * grows.  A process has one attachment for a file, whatever name or
 * descriptor it comes by, and counts how often it was opened.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "attach.h"
#include "cancel.h"
#include "file.h"
#include "format.h"
#include "memory.h"

struct posh_heap *posh__heaps;
pthread_mutex_t posh__heaps_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t posh__heaps_unpinned = PTHREAD_COND_INITIALIZER;

/*
 * The struct and the mapping
 */

/* A page that reads as 1, and in a child that nobody prepared as 0. */
static posh__word *
cookie_make(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	if (madvise(p, page, MADV_WIPEONFORK)) {
		munmap(p, page);
		return NULL;
	}
	posh__store(p, 1);
	return p;
}

/* The path as it is from anywhere: the program may go to another directory. */
static char *
absolute(const char *path)
{
	char dir[POSH__PATH_MAX], *out;

	if (*path == '/' || !getcwd(dir, sizeof(dir)))
		return strdup(path);
	return asprintf(&out, "%s/%s", dir, path) < 0 ? NULL : out;
}

/* A number for each attachment that this process ever had. */
static posh__word serials;

/* An attachment of the file behind fd, which it owns from now on, also when
 * this fails. */
static int
heap_alloc(int fd, const char *path, struct posh_heap **out)
{
	struct posh_heap *h = calloc(1, sizeof(*h));
	struct statfs fs;
	struct stat st;

	if (!h || fstat(fd, &st) || fstatfs(fd, &fs))
		goto fail;
	h->path = path ? absolute(path) : NULL;
	h->cookie = cookie_make();
	if ((path && !h->path) || !h->cookie ||
	    pthread_key_create(&h->key, posh__thread_exit))
		goto fail_parts;
	pthread_mutex_init(&h->lock, NULL);
	h->fd = fd;
	h->token = h->child_token = -1;
	h->refs = 1;
	h->serial = posh__add(&serials, 1) + 1;
	h->dev = st.st_dev;
	h->ino = st.st_ino;
	h->ram = posh__file_in_ram(&fs);
	*out = h;
	return 0;
fail_parts:
	if (h->cookie)
		munmap((void *)h->cookie, (size_t)sysconf(_SC_PAGESIZE));
	free(h->path);
fail:
	free(h);
	close(fd);
	return -ENOMEM;
}

static void
free_selves(struct posh_heap *h)
{
	struct posh__self *self, *next;

	for (self = h->selves; self; self = next) {
		next = self->next;
		posh__self_free(self);
	}
	h->selves = NULL;
}

static void
heap_free(struct posh_heap *h)
{
	free_selves(h);
	if (!h->closed)
		pthread_key_delete(h->key);
	if (h->base)
		munmap(h->base, h->reserve);
	if (posh__fd_ours(h, h->token))
		close(h->token);
	if (posh__fd_ours(h, h->fd))
		close(h->fd);
	munmap((void *)h->cookie, (size_t)sysconf(_SC_PAGESIZE));
	pthread_mutex_destroy(&h->lock);
	free(h->holds.count);
	free(h->path);
	free(h);
}

static int
map(struct posh_heap *h, const struct posh__header *hdr)
{
	uint64_t reserve = hdr->reserve;
	void *p = mmap(NULL, reserve, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_NORESERVE, h->fd, 0);

	if (p == MAP_FAILED) /* or it is sealed */
		return errno == EPERM || errno == EACCES ? -EACCES : -ENOMEM;
	h->base = p;
	h->hdr = p;
	h->reserve = reserve;
	h->low = hdr->first << POSH__SPAN_BITS;
	posh__note_mapping(h);
	return 0;
}

/*
 * The list
 */

static void
enlist(struct posh_heap *h)
{
	h->next = posh__heaps;
	posh__heaps = h;
}

static void
unlist(struct posh_heap *h)
{
	struct posh_heap **p = &posh__heaps;

	while (*p && *p != h)
		p = &(*p)->next;
	if (*p)
		*p = h->next;
}

/* Leave the heap.  A child that nobody prepared has no part in it, and only
 * forgets it. */
static void
shut(struct posh_heap *h)
{
	if (posh__ours(h))
		posh__member_detach(h);
	h->closed = true;
	h->serial = UINT64_MAX;
	unlist(h);
	pthread_key_delete(h->key);
	free_selves(h);
}

/*
 * Making one
 */

/* How large a heap in this file may get if nobody says. */
static uint64_t
default_max(int fd)
{
	struct posh__memory memory;
	struct statfs fs = {0};
	uint64_t max, disk = UINT64_MAX;

	posh__memory_ask(&memory);
	max = memory.total / 2;
	if (fstatfs(fd, &fs) == 0 && fs.f_blocks)
		disk = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
	if (!posh__file_in_ram(&fs) && disk != UINT64_MAX)
		max = disk; /* pages of a disk's file can be written out */
	if (disk < max)
		max = disk;
	if (max > UINT64_C(1) << 40)
		max = UINT64_C(1) << 40;
	return max < POSH__MIN_SIZE ? POSH__MIN_SIZE : max;
}

static uint64_t
random_id(void)
{
	uint64_t id = 0;
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (read(fd, &id, sizeof(id)) != sizeof(id))
			id = 0;
		close(fd);
	}
	return id ? id : (uint64_t)(uintptr_t)&id ^ (uint64_t)getpid() << 32;
}

/* Lay out the heap in its empty file, and map it.  A default size that the
 * address space has no room for gives way. */
static int
lay_out(struct posh_heap *h, uint64_t max_size)
{
	uint64_t max = max_size ? max_size : default_max(h->fd);
	struct posh__header f;
	int rc;

	for (;;) {
		posh__format(&f, max);
		rc = map(h, &f);
		if (!rc || max_size || max / 2 < POSH__MIN_SIZE)
			break;
		max /= 2;
	}
	if (rc)
		return rc;
	f.id = random_id();
	rc = posh__heap_populate(h, f.bits_off,
				 (f.first << POSH__SPAN_BITS) - f.bits_off);
	if (!rc)
		rc = posh__heap_populate(h, 0, POSH__SPAN);
	/* Plain: nobody has the file yet. */
	if (!rc)
		memcpy(h->base, &f, sizeof(f));
	return rc;
}

/* Make a whole heap in the file behind fd, and be its first member. */
static int
make(int fd, const char *path, uint64_t max_size, struct posh_heap **out)
{
	struct posh__self *self;
	struct posh_heap *h;
	int rc = heap_alloc(fd, path, &h);

	if (rc)
		return rc;
	rc = lay_out(h, max_size);
	if (!rc)
		rc = posh__member_attach(h);
	if (rc)
		goto fail;
	rc = posh__enter_write(h, &self);
	if (!rc) {
		rc = posh__places_create(self);
		posh__leave(self);
	}
	if (!rc) {
		*out = h;
		return 0;
	}
	shut(h);
fail:
	heap_free(h);
	return rc;
}

/* Join the heap in the file behind fd, which has been there. */
static int
join(int fd, const char *path, struct posh_heap **out)
{
	struct posh__header hdr;
	struct posh_heap *h;
	struct stat st;
	int rc = posh__file_header(fd, &hdr, &st);

	if (rc) {
		close(fd);
		return rc;
	}
	rc = heap_alloc(fd, path, &h);
	if (rc)
		return rc;
	rc = map(h, &hdr);
	if (!rc)
		rc = posh__heap_fill_tables(h);
	if (!rc)
		rc = posh__member_attach(h);
	if (!rc && !posh__places_sound(h)) {
		shut(h);
		rc = -EUCLEAN;
	}
	if (rc)
		heap_free(h);
	else
		*out = h;
	return rc;
}

static struct posh_heap *
find(int fd)
{
	struct posh_heap *h;

	for (h = posh__heaps; h; h = h->next)
		if (posh__ours(h) && !h->apart && posh__fd_ours(h, fd))
			return h;
	return NULL;
}

/* Take the file behind fd, which goes with it: an attachment that is there,
 * or a new one. */
static int
adopt(int fd, const char *path, bool apart, struct posh_heap **out)
{
	struct posh_heap *h = apart ? NULL : find(fd);
	int rc;

	if (h) {
		close(fd);
		h->refs++;
		*out = h;
		return 0;
	}
	rc = join(fd, path, out);
	if (!rc) {
		(*out)->apart = apart;
		enlist(*out);
	}
	return rc;
}

/*
 * The public calls
 */

#ifdef POSH_CHECK
#define APART (UINT32_C(1) << 31) /* have a second attachment */
#else
#define APART 0
#endif

static const struct posh_options no_options = {
	.size = sizeof(struct posh_options),
};

static bool
options_valid(const struct posh_options *o)
{
	return o->size == sizeof(*o) &&
	       (!o->max_size || (o->max_size >= POSH__MIN_SIZE &&
				 o->max_size <= POSH__MAX_SIZE));
}

int
posh_heap_create(const struct posh_options *opts, posh_heap **out)
{
	int fd, rc;
	POSH__UNCANCELLED;

	if (!opts)
		opts = &no_options;
	if (!options_valid(opts))
		return -EINVAL;
	posh__fork_register();
	fd = posh__file_anonymous();
	if (fd < 0)
		return fd;
	pthread_mutex_lock(&posh__heaps_lock);
	rc = make(fd, NULL, opts->max_size, out);
	if (!rc)
		enlist(*out);
	pthread_mutex_unlock(&posh__heaps_lock);
	return rc;
}

/* Make the heap of that name: no process sees it before it is whole.
 *   -EEXIST  somebody else was quicker */
static int
create_named(const char *path, const struct posh_options *opts,
	     struct posh_heap **out)
{
	char temp[POSH__PATH_MAX];
	struct posh_heap *h;
	int fd = posh__file_unnamed(path, opts->mode ? opts->mode : 0600, temp);
	int rc;

	if (fd < 0)
		return fd;
	rc = make(fd, path, opts->max_size, &h);
	if (rc) {
		posh__file_discard(temp);
		return rc;
	}
	rc = posh__file_publish(h->fd, temp, path);
	if (rc) {
		shut(h);
		heap_free(h);
		return rc;
	}
	enlist(h);
	*out = h;
	return 0;
}

static int
open_locked(const char *path, const struct posh_options *opts,
	    struct posh_heap **out)
{
	bool apart = (opts->flags & APART) != 0;
	int fd, rc;

	for (;;) {
		fd = posh__file_open(path);
		if (fd >= 0) {
			if (opts->flags & POSH_EXCLUSIVE) {
				close(fd);
				return -EEXIST;
			}
			return adopt(fd, path, apart, out);
		}
		if (fd != -ENOENT || !(opts->flags & POSH_CREATE))
			return fd;
		rc = create_named(path, opts, out);
		if (rc != -EEXIST)
			return rc;
	}
}

int
posh_heap_open(const char *name, const struct posh_options *opts,
	       posh_heap **out)
{
	char path[POSH__PATH_MAX];
	unsigned known = POSH_CREATE | POSH_EXCLUSIVE | APART;
	int rc;
	POSH__UNCANCELLED;

	if (!opts)
		opts = &no_options;
	if (!options_valid(opts) || opts->flags & ~known ||
	    opts->mode & ~07777u ||
	    (opts->flags & POSH_EXCLUSIVE && !(opts->flags & POSH_CREATE)))
		return -EINVAL;
	rc = posh__file_path(name, path);
	if (rc)
		return rc;
	posh__fork_register();
	pthread_mutex_lock(&posh__heaps_lock);
	rc = open_locked(path, opts, out);
	pthread_mutex_unlock(&posh__heaps_lock);
	return rc;
}

int
posh_heap_open_fd(int fd, posh_heap **out)
{
	int own, rc;
	POSH__UNCANCELLED;

	own = posh__reopen(fd);
	if (own < 0)
		return own;
	posh__fork_register();
	pthread_mutex_lock(&posh__heaps_lock);
	rc = adopt(own, NULL, false, out);
	pthread_mutex_unlock(&posh__heaps_lock);
	return rc;
}

int
posh_heap_fileno(posh_heap *h)
{
	if (h->closed)
		return -ESHUTDOWN;
	return posh__heap_fd(h);
}

void
posh_heap_close(posh_heap *h)
{
	POSH__UNCANCELLED;

	if (!h)
		return;
	pthread_mutex_lock(&posh__heaps_lock);
	while (h->pins)
		pthread_cond_wait(&posh__heaps_unpinned, &posh__heaps_lock);
	if (!h->closed)
		shut(h);
	if (--h->refs == 0)
		heap_free(h);
	pthread_mutex_unlock(&posh__heaps_lock);
}

int
posh_heap_unlink(const char *name)
{
	char path[POSH__PATH_MAX];
	int rc = posh__file_path(name, path);
	POSH__UNCANCELLED;

	return rc ? rc : posh__file_unlink(path);
}

uint64_t
posh_heap_id(posh_heap *h)
{
	return h->hdr->id;
}

posh_handle
posh_heap_place(posh_heap *h, enum posh_place place)
{
	posh_handle o = {0};

	if ((unsigned)place <= POSH_TICKETS)
		o.off = posh__load(&h->hdr->place[place]) & POSH__HANDLE_MASK;
	return o;
}

void
posh_heap_wait_hooks(posh_heap *h, void *(*before)(void *),
		     void (*after)(void *, void *), void *arg)
{
	h->before = before;
	h->after = after;
	h->hook_arg = arg;
}

/* SPDX-License-Identifier: MIT */
/* Heaps: names, files that are none, opening twice, closing, and growth. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "attach.h"
#include "format.h"
#include "group.h"
#include "memory.h"
#include "posh.h"
#include "span.h"
#include "tap.h"

#define MIB (UINT64_C(1) << 20)

static char bare[64], path[4000]; /* a name in /dev/shm, and a path */

static int
call(posh_heap *h)
{
	posh_handle o = posh_heap_place(h, POSH_ROOT);
	int rc = posh_object_lock(h, o, 0);

	return rc ? rc : posh_object_unlock(h, o);
}

static struct posh_options
options(unsigned flags)
{
	struct posh_options o = {sizeof(o), 4 * MIB, 0, flags};

	return o;
}

static int
create(const char *name, unsigned flags, posh_heap **out)
{
	struct posh_options o = options(POSH_CREATE | flags);

	return posh_heap_open(name, &o, out);
}

static void
bad_options(void)
{
	static const struct posh_options bad[] = {
		{0, 0, 0, POSH_CREATE},
		{sizeof(bad[0]) + 8, 0, 0, POSH_CREATE},
		{sizeof(bad[0]), MIB - 1, 0, POSH_CREATE},
		{sizeof(bad[0]), UINT64_MAX, 0, POSH_CREATE},
		{sizeof(bad[0]), 0, 010000, POSH_CREATE},
		{sizeof(bad[0]), 0, 0, POSH_EXCLUSIVE},
		{sizeof(bad[0]), 0, 0, POSH_CREATE | 4},
	};
	posh_heap *h = NULL;
	unsigned i, wrong = 0;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		wrong += posh_heap_open(bare, &bad[i], &h) != -EINVAL;
	for (i = 0; i < 4; i++)
		wrong += posh_heap_create(&bad[i], &h) != -EINVAL;
	ok(!wrong && !h, "options that are not valid make no heap");
}

static void
bad_names(void)
{
	static char longest[5000];
	const char *name[] = {"", ".", "..", "/", "dir/", longest};
	struct posh_options o = options(POSH_CREATE);
	posh_heap *h = NULL;
	unsigned i, wrong = 0;

	memset(longest, 'x', sizeof(longest) - 1);
	for (i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
		wrong += posh_heap_open(name[i], NULL, &h) != -EINVAL;
		wrong += posh_heap_open(name[i], &o, &h) != -EINVAL;
		wrong += posh_heap_unlink(name[i]) != -EINVAL;
	}
	longest[300] = '\0'; /* too long for the file system only */
	wrong += posh_heap_open(longest, &o, &h) != -EINVAL;
	ok(!wrong && !h, "names that are not valid name no heap");
	ok(posh_heap_open("/nowhere/at/all", &o, &h) == -ENOENT,
	   "nor does a path of which there is no directory");
}

static void
names(const char *name, const char *file)
{
	posh_heap *h, *again;
	struct stat st;
	uint64_t id;

	ok(posh_heap_open(name, NULL, &h) == -ENOENT,
	   "%s: nothing is opened that is not there", name);
	ok(posh_heap_unlink(name) == -ENOENT, "%s: nor unlinked", name);
	ok(create(name, POSH_EXCLUSIVE, &h) == 0, "%s: it is made", name);
	ok(stat(file, &st) == 0 && (st.st_mode & 07777) == 0600,
	   "%s: for its user alone", name);
	ok(create(name, POSH_EXCLUSIVE, &again) == -EEXIST,
	   "%s: it is made once", name);
	ok(create(name, 0, &again) == 0 && again == h,
	   "%s: opened again it is the same attachment", name);
	id = posh_heap_id(h);
	ok(id && call(h) == 0, "%s: it works", name);
	posh_heap_close(again);
	ok(call(h) == -ESHUTDOWN, "%s: once closed it does not", name);
	posh_heap_close(h);
	ok(posh_heap_open(name, NULL, &h) == 0 && posh_heap_id(h) == id,
	   "%s: it is still there after the last one closed it", name);
	ok(posh_heap_unlink(name) == 0 && stat(file, &st) < 0 && call(h) == 0,
	   "%s: without a name it works on", name);
	posh_heap_close(h);
}

static void
descriptors(void)
{
	posh_heap *h, *again, *other;
	int fd, p[2];

	if (posh_heap_create(NULL, &h) || posh_heap_create(NULL, &other))
		abort();
	fd = dup(posh_heap_fileno(h));
	ok(posh_heap_open_fd(fd, &again) == 0 && again == h,
	   "a descriptor of an open heap is that heap");
	ok(fcntl(fd, F_GETFD) >= 0, "and stays open");
	close(fd);
	ok(posh_heap_id(h) != posh_heap_id(other) && other != h,
	   "another heap is another");
	posh_heap_close(again);
	posh_heap_close(h);
	fd = open("/dev/null", O_RDWR);
	ok(posh_heap_open_fd(fd, &again) == -EBADMSG &&
		   posh_heap_open_fd(-1, &again) < 0,
	   "other descriptors are none");
	close(fd);
	if (pipe(p))
		abort();
	ok(posh_heap_open_fd(p[0], &again) == -EBADMSG, "nor are pipes");
	close(p[0]);
	close(p[1]);
	/* Somebody closes our descriptors, and opens others there. */
	fd = open("/dev/null", O_RDWR);
	p[0] = posh_heap_fileno(other);
	dup2(fd, p[0]);
	p[1] = posh_heap_fileno(other);
	ok((p[1] == -EBADF || posh__fd_ours(other, p[1])) && call(other) == 0,
	   "a heap whose descriptor was closed is not taken for another file");
	posh_heap_close(other);
	ok(fcntl(p[0], F_GETFD) >= 0, "and does not close that one");
	close(p[0]);
	close(fd);
}

static void
modes(void)
{
	struct posh_options o = options(POSH_CREATE);
	mode_t mask = umask(077);
	struct stat st;
	posh_heap *h;

	o.mode = 0664;
	if (posh_heap_open(path, &o, &h))
		abort();
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0664,
	   "a heap has the permissions that were asked for");
	umask(mask);
	posh_heap_close(h);
	if (geteuid() == 0) {
		if (chmod(path, 0600) || chown(path, 65534, 65534))
			abort();
		ok(posh_heap_open(path, NULL, &h) == -EACCES,
		   "another user's private heap is not ours");
	} else {
		chmod(path, 0);
		ok(posh_heap_open(path, NULL, &h) == -EACCES,
		   "a heap that may not be read is not opened");
	}
	posh_heap_unlink(path);
}

/* Replace the file by one with these contents; what is zero is a hole. */
static void
put(const void *data, size_t bytes, off_t size)
{
	static const char zeros[POSH__SPAN];
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	size_t i, n;

	if (fd < 0 || ftruncate(fd, size))
		abort();
	for (i = 0; i < bytes && i < (size_t)size; i += n) {
		const char *from = (const char *)data + i;

		n = bytes - i < sizeof(zeros) ? bytes - i : sizeof(zeros);
		if (memcmp(from, zeros, n) &&
		    pwrite(fd, from, n, (off_t)i) != (ssize_t)n)
			abort();
	}
	if (ftruncate(fd, size))
		abort();
	close(fd);
}

static int
try_open(void)
{
	posh_heap *h;
	int rc = posh_heap_open(path, NULL, &h);

	if (!rc) {
		call(h);
		posh_heap_close(h);
	}
	return rc;
}

static void
no_heaps(void)
{
	posh_heap *h;

	put("", 0, 0);
	ok(try_open() == -EBADMSG, "an empty file is no heap");
	put("POSH", 4, 4);
	ok(try_open() == -EBADMSG, "nor is half a word");
	put("#!/bin/sh\n", 10, 100000);
	ok(try_open() == -EBADMSG, "nor a file of something else");
	put(POSH__MAGIC, 8, 8);
	ok(try_open() == -EUCLEAN, "one that ends in the header is truncated");
	unlink(path);
	if (mkdir(path, 0700))
		abort();
	ok(try_open() == -EBADMSG, "a directory is no heap");
	ok(posh_heap_unlink(path) == -EINVAL, "and is not unlinked");
	rmdir(path);
	if (mkfifo(path, 0600))
		abort();
	ok(try_open() == -EBADMSG,
	   "nor is a named pipe, which nobody waits for");
	unlink(path);
	if (symlink(path, path))
		abort();
	ok(try_open() == -EBADMSG, "nor a link to itself");
	unlink(path);
	ok(posh_heap_open("/proc/self/nothing", NULL, &h) == -ENOENT,
	   "what is not there is not there");
}

/* Read a whole heap that nobody has open. */
static size_t
image(char **out)
{
	posh_heap *h;
	struct stat st;
	int fd;

	unlink(path);
	if (create(path, 0, &h))
		abort();
	posh_heap_close(h);
	fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		abort();
	*out = malloc((size_t)st.st_size);
	if (!*out || pread(fd, *out, (size_t)st.st_size, 0) != st.st_size)
		abort();
	close(fd);
	return (size_t)st.st_size;
}

static void
other_layouts(char *data, size_t bytes)
{
	struct posh__header *hdr = (struct posh__header *)data;

	put(data, bytes, (off_t)bytes);
	ok(try_open() == 0, "a copy of a heap is a heap");
	hdr->layout++;
	put(data, bytes, (off_t)bytes);
	ok(try_open() == -EPROTONOSUPPORT, "one of another layout is not");
	hdr->layout--;
	hdr->endian = __builtin_bswap32(hdr->endian);
	put(data, bytes, (off_t)bytes);
	ok(try_open() == -EPROTONOSUPPORT, "nor one of another byte order");
	hdr->endian = __builtin_bswap32(hdr->endian);
	put(data, bytes, (off_t)(bytes - POSH__SPAN));
	ok(try_open() == -EUCLEAN, "nor one that is cut short");
}

/* Open the file in a child: it may do as it likes, but not crash. */
static int
opens(struct actor *me, void *arg)
{
	(void)me;
	(void)arg;
	tap_limit(5);
	return try_open() != 0;
}

static void
bit_flips(char *data, size_t bytes)
{
	unsigned crashes = 0, refused = 0, n = 0, at = 0;
	struct actor a;
	size_t i;
	int rc;

	/* The fixed part of the header, then the part that grows. */
	for (i = 0; i < 256; i++) {
		data[i] = (char)(data[i] ^ (1 << i % 8));
		put(data, bytes, (off_t)bytes);
		actor_start(&a, ACTOR_STRAY, opens, NULL);
		rc = actor_end(&a);
		if (rc < 0 && !crashes++)
			at = (unsigned)i;
		refused += rc == 1;
		n++;
		data[i] = (char)(data[i] ^ (1 << i % 8));
	}
	ok(!crashes,
	   "no bit of the header, flipped, makes the opener crash "
	   "(%u of %u, first at %u)",
	   crashes, n, at);
	ok(refused > 80, "most are noticed (%u of %u)", refused, n);
}

static void
growth(void)
{
	struct posh_options o = options(0);
	struct posh__self *self;
	uint64_t first, size, n;
	posh_heap *h;
	struct stat st;
	int rc;

	o.max_size = 4 * MIB;
	if (posh_heap_create(&o, &h) || posh__enter_write(h, &self))
		abort();
	first = h->hdr->first << POSH__SPAN_BITS;
	do {
		size = posh__load(&h->hdr->size);
		rc = posh__heap_grow(self, 1, false);
	} while (!rc && posh__load(&h->hdr->size) > size);
	ok(rc == -ENOMEM && posh__load(&h->hdr->size) - first == 4 * MIB,
	   "a heap grows to its max_size");
	for (n = h->hdr->first; n < size >> POSH__SPAN_BITS; n++)
		if (POSH__SPAN_STATE(posh__load(posh__span_word(h, n))) ==
			    POSH__SPAN_FREE &&
		    !posh__span_marked(h, POSH__MAP_FREE, n))
			break;
	ok(n == size >> POSH__SPAN_BITS, "every free span is marked");
	ok(fstat(h->fd, &st) == 0 &&
		   (uint64_t)st.st_size >= posh__load(&h->hdr->size),
	   "its file is as large");
	ok(posh__heap_grow(self, 16, true) == 0 &&
		   posh__load(&h->hdr->size) - first >= 5 * MIB,
	   "tables of holds get more");
	while (posh__heap_grow(self, 1, true) == 0)
		;
	ok(posh__load(&h->hdr->size) <= h->hdr->reserve,
	   "up to the end of the address space");
	posh__leave(self);
	posh_heap_close(h);
}

/* A death between the size and the bits. */
static void
growth_unmarked(void)
{
	struct posh_options o = options(0);
	struct posh__self *self;
	posh_heap *h;
	uint64_t n, size;

	o.max_size = 16 * MIB;
	if (posh_heap_create(&o, &h) || posh__enter_write(h, &self))
		abort();
	size = posh__load(&h->hdr->size);
	posh__heap_grow(self, 1, false);
	n = posh__load(&h->hdr->size) >> POSH__SPAN_BITS;
	while (n-- > size >> POSH__SPAN_BITS)
		posh__span_unmark(h, POSH__MAP_FREE, n);
	posh__store(&h->hdr->marked, size >> POSH__SPAN_BITS);
	n = posh__load(&h->hdr->size);
	ok(posh__heap_grow(self, 1, false) == 0 &&
		   posh__load(&h->hdr->size) == n &&
		   posh__span_marked(h, POSH__MAP_FREE,
				     size >> POSH__SPAN_BITS),
	   "spans that a dead one left unmarked are found");
	posh__leave(self);
	posh_heap_close(h);
}

static int
grows(struct actor *me, void *arg)
{
	struct posh__self *self;
	posh_heap *h = arg;
	int i, rc = 0;

	actor_hear(me);
	if (posh__enter_write(h, &self))
		return 1;
	for (i = 0; i < 20; i++)
		rc |= posh__heap_grow(self, 1, false);
	posh__leave(self);
	return rc && rc != -ENOMEM;
}

static void
growth_together(void)
{
	struct posh_options o = options(0);
	struct actor a[3];
	posh_heap *h;
	uint64_t n, end;
	int i, rc = 0;

	o.max_size = 64 * MIB;
	if (posh_heap_create(&o, &h))
		abort();
	for (i = 0; i < 3; i++)
		actor_start(&a[i], ACTOR_ARMED, grows, h);
	for (i = 0; i < 3; i++)
		actor_say(&a[i], 'g');
	for (i = 0; i < 3; i++)
		rc |= actor_end(&a[i]);
	end = posh__load(&h->hdr->size) >> POSH__SPAN_BITS;
	for (n = h->hdr->first; n < end; n++)
		if (posh__span_marked(h, POSH__MAP_FREE, n))
			memset(h->base + (n << POSH__SPAN_BITS), 0, 4096);
	ok(rc == 0 && posh__load(&h->hdr->marked) == end,
	   "processes that grow a heap at once lose nothing");
	posh_heap_close(h);
}

/* On a file system of 6 MiB. */
static int
full_disk(struct actor *me, void *arg)
{
	struct posh_options o = options(POSH_CREATE);
	struct posh__self *self;
	char name[4200];
	posh_heap *h;
	uint64_t n;
	int rc;

	(void)me;
	(void)arg;
	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mkdir(path, 0700) || mount("none", path, "tmpfs", 0, "size=6m"))
		return 77;
	snprintf(name, sizeof(name), "%s/heap", path);
	o.max_size = 64 * MIB;
	if (posh_heap_open(name, &o, &h) || posh__enter_write(h, &self))
		return 1;
	while ((rc = posh__heap_grow(self, 1, false)) == 0)
		;
	for (n = h->hdr->first; n < posh__load(&h->hdr->size) >> 16; n++)
		if (posh__span_marked(h, POSH__MAP_FREE, n))
			memset(h->base + (n << 16), 1, POSH__SPAN);
	posh__leave(self);
	return rc != -ENOMEM || posh__load(&h->hdr->size) > 64 * MIB;
}

static void
full_file_system(void)
{
	struct actor a;
	int rc;

	actor_start(&a, ACTOR_STRAY, full_disk, NULL);
	rc = actor_end(&a);
	rmdir(path);
	if (rc == 77)
		tap_skip(1, "nothing may be mounted here");
	else
		ok(rc == 0, "a full file system is -ENOMEM, not a signal (%d)",
		   rc);
}

static bool
has_space(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p != MAP_FAILED && munmap(p, bytes) == 0;
}

static int
little_space(struct actor *me, void *arg)
{
	struct rlimit limit = {UINT64_C(1) << 30, UINT64_C(1) << 30};
	struct posh_options o = options(0);
	posh_heap *h;

	(void)me;
	(void)arg;
	/* A sanitizer has taken more already; an emulator does not care. */
	if (setrlimit(RLIMIT_AS, &limit) || !has_space(512 * MIB) ||
	    has_space(2048 * MIB))
		return 77;
	o.max_size = UINT64_C(8) << 30;
	if (posh_heap_create(&o, &h) != -ENOMEM)
		return 1;
	if (posh_heap_create(NULL, &h) || call(h))
		return 2;
	return h->hdr->max_size >= UINT64_C(1) << 30 ? 3 : 0;
}

static void
address_space(void)
{
	struct actor a;
	int rc;

	actor_start(&a, ACTOR_STRAY, little_space, NULL);
	rc = actor_end(&a);
	if (rc == 77)
		tap_skip(1, "no process has little address space here");
	else
		ok(rc == 0,
		   "with little address space the default is smaller (%d)", rc);
}

/* A heap may not be larger than a file. */
static int
small_files(struct actor *me, void *arg)
{
	struct rlimit limit = {UINT64_C(64) << 20, UINT64_C(64) << 20};
	struct posh__self *self;
	posh_heap *h;

	(void)me;
	(void)arg;
	if (setrlimit(RLIMIT_FSIZE, &limit) || posh_heap_create(NULL, &h) ||
	    posh__enter_write(h, &self))
		return 1;
	return posh__heap_grow(self, 2048, false) != -ENOMEM;
}

static int
few_descriptors(struct actor *me, void *arg)
{
	struct rlimit limit = {0, 0};
	posh_heap *h;
	int fd = dup(0);

	(void)me;
	(void)arg;
	close(fd);
	/* One more descriptor, and then none. */
	limit.rlim_cur = limit.rlim_max = (rlim_t)fd + 1;
	if (setrlimit(RLIMIT_NOFILE, &limit) ||
	    posh_heap_create(NULL, &h) != -EMFILE)
		return 1;
	return dup(0) != fd;
}

static void
limits(void)
{
	struct actor a;
	int rc;

	actor_start(&a, ACTOR_STRAY, small_files, NULL);
	rc = actor_end(&a);
	ok(rc == 0, "a limit of file sizes is -ENOMEM, not a signal (%d)", rc);
	actor_start(&a, ACTOR_STRAY, few_descriptors, NULL);
	rc = actor_end(&a);
	ok(rc == 0, "without descriptors there is -EMFILE, and none lost (%d)",
	   rc);
}

static void
memory(void)
{
	struct posh__memory m;
	posh_heap *h;

	posh__memory_ask(&m);
	ok(m.total > 16 * MIB && m.total < UINT64_MAX && m.available <= m.total,
	   "the machine says how much memory it has");
	if (posh_heap_create(NULL, &h))
		abort();
	ok(h->hdr->max_size >= MIB && h->hdr->max_size <= m.total,
	   "a heap by default gets a part of it");
	posh_heap_close(h);
}

/* In a control group of 64 MiB, where memory that is not there is a kill. */
static int
little_memory(struct actor *me, void *arg)
{
	struct posh_options o = options(0);
	struct posh__self *self;
	posh_heap *h;
	uint64_t n;
	int rc;

	(void)me;
	if (!group_join(arg))
		return 77;
	if (posh_heap_create(NULL, &h))
		return 1;
	if (h->hdr->max_size > 32 * MIB)
		return 2;
	o.max_size = 512 * MIB;
	if (posh_heap_create(&o, &h) || posh__enter_write(h, &self))
		return 3;
	while ((rc = posh__heap_grow(self, 1, false)) == 0)
		;
	for (n = h->hdr->first; n < posh__load(&h->hdr->size) >> 16; n++)
		if (posh__span_marked(h, POSH__MAP_FREE, n))
			memset(h->base + (n << 16), 1, POSH__SPAN);
	posh__leave(self);
	return rc == -ENOMEM ? 0 : 4;
}

static void
memory_group(void)
{
	char group[GROUP_NAME];
	struct actor a;
	int rc = 77;

	if (group_make(group, "67108864")) {
		actor_start(&a, ACTOR_STRAY, little_memory, group);
		rc = actor_end(&a);
		group_remove(group);
	}
	if (rc == 77)
		tap_skip(1, "no memory control group can be made here");
	else
		ok(rc == 0, "a full control group is -ENOMEM, not a kill (%d)",
		   rc);
}

/* Many make the heap of one name at once. */
static int
races(struct actor *me, void *arg)
{
	uint64_t id[2];
	posh_heap *h;
	int *out = arg;

	actor_hear(me);
	if (create(path, 0, &h))
		return 1;
	id[0] = posh_heap_id(h);
	id[1] = (uint64_t)call(h);
	if (write(out[1], id, sizeof(id)) != sizeof(id))
		return 1;
	actor_say(me, 'o');
	actor_hear(me);
	posh_heap_close(h);
	return 0;
}

static void
creation_race(void)
{
	struct actor a[6];
	uint64_t id[2], first = 0;
	int p[2], i, rc = 0;

	if (pipe(p))
		abort();
	for (i = 0; i < 6; i++)
		actor_start(&a[i], ACTOR_STRAY, races, p);
	for (i = 0; i < 6; i++)
		actor_say(&a[i], 'g');
	for (i = 0; i < 6; i++) {
		actor_hear(&a[i]);
		if (read(p[0], id, sizeof(id)) != sizeof(id) || id[1] ||
		    (first && id[0] != first))
			rc = 1;
		first = id[0];
	}
	for (i = 0; i < 6; i++) {
		actor_say(&a[i], 'g');
		rc |= actor_end(&a[i]);
	}
	ok(!rc, "of six that make a heap of one name all have the same");
	posh_heap_unlink(path);
}

static void
errors(void)
{
	ok(!strcmp(posh_version(), POSH_VERSION_STRING),
	   "the library's version is the header's");
	ok(!strcmp(posh_error_text(0), "no error") &&
		   strstr(posh_error_text(-EUCLEAN), "damaged") &&
		   strstr(posh_error_text(-12345), "unknown"),
	   "errors have texts");
}

int
main(void)
{
	const char *tmp = getenv("POSH_TMP");
	char *data, shm[100];
	size_t bytes;

	tap_limit(120);
	snprintf(bare, sizeof(bare), "posh-heap-%ld", (long)getpid());
	snprintf(shm, sizeof(shm), "/dev/shm/%s", bare);
	snprintf(path, sizeof(path), "%s/heap-%ld.posh", tmp ? tmp : ".",
		 (long)getpid());
	bad_options();
	bad_names();
	names(bare, shm);
	names(path, path);
	descriptors();
	modes();
	no_heaps();
	bytes = image(&data);
	other_layouts(data, bytes);
	bit_flips(data, bytes);
	free(data);
	unlink(path);
	growth();
	growth_unmarked();
	growth_together();
	full_file_system();
	address_space();
	limits();
	memory();
	memory_group();
	creation_race();
	errors();
	return tap_done();
}

/* SPDX-License-Identifier: MIT */
/* Whatever is given to open as a heap: a heap, or an error that says why not.
 * Each file is opened by a process of its own, which has to come to an end. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "actor.h"
#include "format.h"
#include "posh.h"
#include "tap.h"

enum { LIMIT = 60 /* seconds for a file */ };

static char dir[2000], path[2100];

/* A whole heap, as bytes. */
static unsigned char *whole;
static size_t whole_size;

/*
 * What may be there
 */

static int
file_of(const void *data, size_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	return fd;
}

static int
sized(off_t size)
{
	int fd = file_of("", 0);

	return ftruncate(fd, size) ? -1 : fd;
}

static int
nothing(void)
{
	return -1;
}

static int
a_directory(void)
{
	mkdir(path, 0700);
	return open(path, O_RDONLY | O_DIRECTORY);
}

static int
a_fifo(void)
{
	mkfifo(path, 0600);
	return open(path, O_RDWR);
}

static int
a_socket(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	/* Its path would be too long. */
	if (chdir(dir))
		abort();
	strcpy(a.sun_path, strrchr(path, '/') + 1);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)))
		abort();
	return fd;
}

static int
device(const char *name)
{
	if (symlink(name, path))
		abort();
	return open(name, O_RDWR);
}

static int
null(void)
{
	return device("/dev/null");
}

static int
zero(void)
{
	return device("/dev/zero");
}

static int
full(void)
{
	return device("/dev/full");
}

static int
a_circle(void)
{
	return symlink(path, path) ? -1 : -1;
}

static int
leads_nowhere(void)
{
	return symlink("/nonexistent", path) ? -1 : -1;
}

static int
under_a_file(void)
{
	close(file_of("x", 1));
	strcat(path, "/heap");
	return -1;
}

static int
a_pipe(void)
{
	int ends[2];

	return pipe(ends) ? -1 : ends[0];
}

static int
an_epoll(void)
{
	return epoll_create1(0);
}

static int
an_event(void)
{
	return eventfd(0, 0);
}

static int
closed(void)
{
	return 999;
}

static int
a_path_only(void)
{
	close(file_of("not a heap", 10));
	return open(path, O_PATH);
}

static int
of_the_kernel(void)
{
	return device("/proc/version");
}

static int
memory(void)
{
	return device("/proc/self/mem");
}

static int
empty(void)
{
	return file_of("", 0);
}

static int
short_text(void)
{
	return file_of("POSHHEA", 7);
}

static int
text(void)
{
	return file_of("This is no heap, whatever it is called.\n", 40);
}

static int
zeros(void)
{
	return sized(1 << 20);
}

static int
huge_zeros(void)
{
	return sized((off_t)1 << 40);
}

static int
the_magic(void)
{
	return file_of("POSHHEAP", 8);
}

static int
half_a_header(void)
{
	return file_of(whole, 200);
}

static int
a_header(void)
{
	return file_of(whole, sizeof(struct posh__header));
}

static int
half(void)
{
	return file_of(whole, whole_size / 2);
}

static int
a_byte_less(void)
{
	return file_of(whole, whole_size - 1);
}

/* The heap, with another header. */
static int
with(void (*change)(struct posh__header *))
{
	struct posh__header f;
	int fd = file_of(whole, whole_size);

	memcpy(&f, whole, sizeof(f));
	change(&f);
	if (pwrite(fd, &f, sizeof(f), 0) != sizeof(f))
		abort();
	return fd;
}

static void
change_layout(struct posh__header *f)
{
	f->layout++;
}

static void
change_order(struct posh__header *f)
{
	f->endian = __builtin_bswap32(f->endian);
}

static void
change_entry(struct posh__header *f)
{
	f->thread_bytes = 1024;
}

static void
change_limit(struct posh__header *f)
{
	f->max_size *= 2;
}

static void
no_limit(struct posh__header *f)
{
	f->max_size = UINT64_MAX;
}

static void
no_reserve(struct posh__header *f)
{
	f->reserve = 0;
}

static void
no_place(struct posh__header *f)
{
	f->place[POSH_TICKETS] = 0;
}

static void
no_object(struct posh__header *f)
{
	f->place[POSH_ROOT] += 8;
}

static int
of_another_layout(void)
{
	return with(change_layout);
}

static int
of_another_order(void)
{
	return with(change_order);
}

static int
of_other_entries(void)
{
	return with(change_entry);
}

static int
of_another_limit(void)
{
	return with(change_limit);
}

static int
without_limit(void)
{
	return with(no_limit);
}

static int
without_room(void)
{
	return with(no_reserve);
}

static int
without_tickets(void)
{
	return with(no_place);
}

static int
without_root(void)
{
	return with(no_object);
}

/* A header, and nothing behind it. */
static int
a_hollow_one(void)
{
	struct posh__header f;
	int fd;

	posh__format(&f, 4 << 20);
	fd = file_of(&f, sizeof(f));
	return ftruncate(fd, (off_t)f.size) ? -1 : fd;
}

/* 8 TiB, of no memory. */
static int
a_hollow_giant(void)
{
	struct posh__header f;
	int fd = memfd_create("hollow", MFD_CLOEXEC);

	posh__format(&f, POSH__MAX_SIZE);
	f.size += UINT64_C(1) << 43;
	if (pwrite(fd, &f, sizeof(f), 0) != sizeof(f) ||
	    ftruncate(fd, (off_t)f.size))
		abort();
	return fd;
}

static int
longer(off_t by)
{
	int fd = file_of(whole, whole_size);

	return ftruncate(fd, (off_t)whole_size + by) ? -1 : fd;
}

static int
extended(void)
{
	return longer(100000);
}

static int
too_long(void)
{
	return longer((off_t)1 << 30);
}

static int
good(void)
{
	return file_of(whole, whole_size);
}

static int
linked(void)
{
	char real[2200];

	snprintf(real, sizeof(real), "%s/real", dir);
	strcpy(path + strlen(path), ".real");
	close(file_of(whole, whole_size));
	if (rename(path, real))
		abort();
	*strrchr(path, '.') = '\0';
	return symlink(real, path) ? -1 : open(path, O_RDWR);
}

static int
read_only_fd(void)
{
	close(good());
	return open(path, O_RDONLY);
}

static int
sealed(void)
{
	int fd = memfd_create("sealed", MFD_ALLOW_SEALING);

	if (write(fd, whole, whole_size) != (ssize_t)whole_size ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE))
		abort();
	return fd;
}

/* The superuser's own are these of others. */
static int
of_another_user(void)
{
	int fd = good();

	if (chown(path, 12345, 12345))
		return -1;
	return fd;
}

static int
read_only_file(void)
{
	int fd = good();

	chmod(path, 0400);
	if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
		abort();
	close(fd);
	return -1;
}

enum { NONE = 1 /* does not apply */ };

static const struct file {
	const char *what;
	int (*make)(void);
	int by_name, by_fd; /* what open says */
} files[] = {
	{"nothing", nothing, -ENOENT, -EBADF},
	{"a directory", a_directory, -EBADMSG, -EBADMSG},
	{"a fifo", a_fifo, -EBADMSG, -EBADMSG},
	{"a socket", a_socket, -EBADMSG, -EBADMSG},
	{"/dev/null", null, -EBADMSG, -EBADMSG},
	{"/dev/zero", zero, -EBADMSG, -EBADMSG},
	{"/dev/full", full, -EBADMSG, -EBADMSG},
	{"a link to itself", a_circle, -EBADMSG, NONE},
	{"a link that leads nowhere", leads_nowhere, -ENOENT, NONE},
	{"a path with a file in the middle", under_a_file, -ENOENT, NONE},
	{"a pipe", a_pipe, NONE, -EBADMSG},
	{"an epoll descriptor", an_epoll, NONE, -EBADMSG},
	{"an eventfd", an_event, NONE, -EBADMSG},
	{"a closed descriptor", closed, NONE, -EBADF},
	{"a descriptor of a path only", a_path_only, -EBADMSG, -EBADMSG},
	{"a file of the kernel's", of_the_kernel, -EBADMSG, -EBADMSG},
	{"the memory of a process", memory, -EIO, -EIO},
	{"an empty file", empty, -EBADMSG, -EBADMSG},
	{"seven letters", short_text, -EBADMSG, -EBADMSG},
	{"a text", text, -EBADMSG, -EBADMSG},
	{"zeros", zeros, -EBADMSG, -EBADMSG},
	{"a TiB of zeros", huge_zeros, -EBADMSG, -EBADMSG},
	{"eight letters", the_magic, -EUCLEAN, -EUCLEAN},
	{"half a header", half_a_header, -EUCLEAN, -EUCLEAN},
	{"a header", a_header, -EUCLEAN, -EUCLEAN},
	{"half a heap", half, -EUCLEAN, -EUCLEAN},
	{"a heap without its last byte", a_byte_less, -EUCLEAN, -EUCLEAN},
	{"another layout", of_another_layout, -EPROTONOSUPPORT,
	 -EPROTONOSUPPORT},
	{"another byte order", of_another_order, -EPROTONOSUPPORT,
	 -EPROTONOSUPPORT},
	{"entries of another size", of_other_entries, -EPROTONOSUPPORT,
	 -EPROTONOSUPPORT},
	{"another limit", of_another_limit, -EUCLEAN, -EUCLEAN},
	{"no limit", without_limit, -EUCLEAN, -EUCLEAN},
	{"no room", without_room, -EUCLEAN, -EUCLEAN},
	{"no dict of tickets", without_tickets, -EUCLEAN, -EUCLEAN},
	{"a root that is no object", without_root, -EUCLEAN, -EUCLEAN},
	{"a header and nothing else", a_hollow_one, -EUCLEAN, -EUCLEAN},
	{"one of 8 TiB and nothing else", a_hollow_giant, NONE, -ENOMEM},
	{"a heap", good, 0, 0},
	{"a heap with more behind it", extended, 0, 0},
	{"more than may be behind one", too_long, -EUCLEAN, -EUCLEAN},
	{"a link to a heap", linked, 0, 0},
	{"a descriptor for reading", read_only_fd, 0, 0},
	{"a sealed heap", sealed, NONE, -EACCES},
	{"a heap of another user", of_another_user, -EACCES, -EACCES},
	{"a heap that may only be read", read_only_file, -EACCES, NONE},
};

/*
 * Trying to open them
 */

/* Use what was opened. */
static int
use(posh_heap *h)
{
	struct posh_value k = posh_utf8("key", 3), v = posh_int(1);
	posh_handle root = posh_heap_place(h, POSH_ROOT);
	int rc = posh_dict_set(h, root, &k, &v);

	if (rc == 0 || rc == 1)
		rc = posh_heap_check(h, NULL, NULL);
	posh_heap_close(h);
	return rc;
}

struct outcome {
	int by_name, by_fd;
};

static int
try_it(struct actor *me, void *arg)
{
	const struct file *f = arg;
	struct outcome got;
	posh_heap *h;
	int fd;

	alarm(LIMIT);
	fd = f->make();
	got.by_name = posh_heap_open(path, NULL, &h);
	if (!got.by_name)
		got.by_name = use(h);
	got.by_fd = posh_heap_open_fd(fd, &h);
	if (!got.by_fd)
		got.by_fd = use(h);
	return write(me->to, &got, sizeof(got)) != sizeof(got);
}

static void
name_file(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
}

static void
open_it(const struct file *f)
{
	struct outcome got = {2, 2};
	struct actor a;

	name_file("heap");
	actor_start(&a, ACTOR_STRAY, try_it, (void *)(uintptr_t)f);
	if (read(a.from, &got, sizeof(got)) != sizeof(got))
		got.by_name = 3;
	ok(actor_end(&a) == 0 &&
		   (got.by_name == f->by_name || f->by_name == NONE) &&
		   (got.by_fd == f->by_fd || f->by_fd == NONE),
	   "%s: %s, %s", f->what,
	   f->by_name == NONE ? "-" : posh_error_text(f->by_name),
	   f->by_fd == NONE ? "-" : posh_error_text(f->by_fd));
	if ((got.by_name != f->by_name && f->by_name != NONE) ||
	    (got.by_fd != f->by_fd && f->by_fd != NONE))
		tap_note("by name %d, by descriptor %d", got.by_name,
			 got.by_fd);
	unlink(path);
	rmdir(path);
}

/*
 * A file system that is full
 */

/* Copy the heap there, but for its zeros from an offset on, as cp --sparse
 * does. */
static void
copy_sparse(uint64_t from)
{
	static const unsigned char none[4096];
	int fd = sized((off_t)whole_size);
	size_t at;

	for (at = 0; at < whole_size; at += 4096)
		if ((at < from || memcmp(whole + at, none, 4096)) &&
		    pwrite(fd, whole + at, 4096, (off_t)at) != 4096)
			abort();
	close(fd);
}

static void
fill_up(void)
{
	static char block[4096];
	char name[2200];
	int fd;

	snprintf(name, sizeof(name), "%s/filler", dir);
	fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
}

enum { OPENED = 100 };

/* Opens, and takes what there is, without a signal. */
static int
opens_and_writes(struct actor *me, void *arg)
{
	struct posh_value v = posh_bytes(whole, 60000);
	posh_heap *h;
	posh_handle o;
	int rc, i;

	(void)me;
	(void)arg;
	alarm(LIMIT);
	rc = posh_heap_open(path, NULL, &h);
	if (rc)
		return -rc;
	rc = posh_list_new(h, &o);
	for (i = 0; i < 200 && rc == 0; i++)
		rc = posh_list_append(h, o, &v);
	if (posh_heap_check(h, NULL, NULL))
		return 1;
	posh_heap_close(h);
	return OPENED - rc;
}

static int
outcome_of(int (*f)(struct actor *, void *))
{
	struct actor a;

	actor_start(&a, ACTOR_STRAY, f, NULL);
	return actor_end(&a);
}

static void
empty_it(void)
{
	char name[2200];

	snprintf(name, sizeof(name), "%s/filler", dir);
	unlink(name);
	unlink(path);
}

enum { SPARSE, NO_TABLES, NO_SPANS, NO_ROOM, CASES };

/* In a mount namespace of its own. */
static int
on_a_small_disk(struct actor *me, void *arg)
{
	const struct posh__header *hdr = (const void *)whole;
	struct posh_options o = {sizeof(o), 4 << 20, 0, POSH_CREATE};
	posh_heap *h;
	char size[40];
	int got[CASES];

	(void)arg;
	snprintf(size, sizeof(size), "size=%zu", whole_size + (1 << 20));
	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("posh", dir, "tmpfs", 0, size))
		return 1;
	name_file("heap");
	copy_sparse(0);
	got[SPARSE] = outcome_of(opens_and_writes);
	copy_sparse(0);
	fill_up();
	got[NO_TABLES] = outcome_of(opens_and_writes);
	empty_it();
	copy_sparse(hdr->first << POSH__SPAN_BITS);
	fill_up();
	got[NO_SPANS] = outcome_of(opens_and_writes);
	unlink(path);
	fill_up();
	got[NO_ROOM] = posh_heap_open(path, &o, &h);
	return write(me->to, got, sizeof(got)) != sizeof(got);
}

static void
small_disk(void)
{
	int got[CASES] = {0};
	struct actor a;
	ssize_t n;

	actor_start(&a, ACTOR_STRAY, on_a_small_disk, NULL);
	n = read(a.from, got, sizeof(got));
	if (actor_end(&a) == 1 && n == 0) {
		tap_skip(CASES, "no file system may be mounted here");
		return;
	}
	ok(got[SPARSE] == OPENED + ENOMEM,
	   "a copy with holes is a heap, which gets full (%d)", got[SPARSE]);
	ok(got[NO_TABLES] == ENOMEM,
	   "on a full file system there is no memory for its tables (%d)",
	   got[NO_TABLES]);
	ok(got[NO_SPANS] == ENOMEM, "nor for its spans (%d)", got[NO_SPANS]);
	ok(got[NO_ROOM] == -ENOMEM, "nor for a new one (%d)", got[NO_ROOM]);
}

/*
 * /dev/shm of 64 MiB, read-only, or not there
 */

/* A list of texts of a MiB each, until there is no room. */
static int64_t
fill_heap(posh_heap *h, posh_handle list, int *rc)
{
	static char mib[1 << 20];
	struct posh_value v = posh_bytes(mib, sizeof(mib));

	while ((*rc = posh_list_append(h, list, &v)) == 0)
		;
	return posh_list_len(h, list);
}

/* Returns what is wrong, or 0. */
static int
fills_shm(void)
{
	struct posh_options o = {sizeof(o), 256 << 20, 0, POSH_CREATE};
	struct posh_value v = posh_fresh(POSH_KIND_LIST), k, got;
	posh_handle list;
	posh_heap *h;
	int64_t n;
	int rc, i;

	k = posh_utf8("list", 4);
	if (posh_heap_open("posh-64", &o, &h) ||
	    posh_dict_set(h, posh_heap_place(h, POSH_ROOT), &k, &v) < 0 ||
	    posh_dict_get(h, posh_heap_place(h, POSH_ROOT), &k, &v))
		return 1;
	list = v.object;
	n = fill_heap(h, list, &rc);
	if (rc != -ENOMEM || n < 40 || n > 64)
		return 2;
	for (i = 0; i < n; i++)
		if (posh_list_get(h, list, i, &got) || got.size != 1 << 20)
			return 3;
	if (posh_heap_check(h, NULL, NULL))
		return 4;
	/* What is freed is good for as much again. */
	for (i = 0; i < n / 2; i++)
		if (posh_list_pop(h, list, -1, NULL))
			return 5;
	if (fill_heap(h, list, &rc) != n || rc != -ENOMEM)
		return 6;
	posh_heap_close(h);
	/* It is opened while there is no page left. */
	fill_up();
	if (posh_heap_open("posh-64", NULL, &h))
		return 7;
	rc = posh_list_pop(h, list, -1, NULL);
	posh_heap_close(h);
	return rc ? 8 : 0;
}

enum { FULL, READ_ONLY, NO_NEW, ABSENT, ABSENT_NEW, ANONYMOUS, SHM_CASES };

static int
with_other_shm(struct actor *me, void *arg)
{
	struct posh_options o = {sizeof(o), 4 << 20, 0, POSH_CREATE};
	int got[SHM_CASES];
	posh_heap *h;

	(void)arg;
	alarm(LIMIT);
	strcpy(dir, "/dev/shm");
	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("posh", dir, "tmpfs", 0, "size=64m"))
		return 1;
	got[FULL] = fills_shm();
	if (mount("posh", dir, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=64m"))
		return 1;
	got[READ_ONLY] = posh_heap_open("posh-64", NULL, &h);
	got[NO_NEW] = posh_heap_open("posh-new", &o, &h);
	if (mount("posh", "/dev", "tmpfs", 0, "size=1m"))
		return 1;
	got[ABSENT] = posh_heap_open("posh-64", NULL, &h);
	got[ABSENT_NEW] = posh_heap_open("posh-new", &o, &h);
	got[ANONYMOUS] = posh_heap_create(&o, &h);
	return write(me->to, got, sizeof(got)) != sizeof(got);
}

static void
other_shm(void)
{
	int got[SHM_CASES] = {0};
	struct actor a;
	ssize_t n;

	actor_start(&a, ACTOR_STRAY, with_other_shm, NULL);
	n = read(a.from, got, sizeof(got));
	if (actor_end(&a) == 1 && n == 0) {
		tap_skip(4, "no file system may be mounted here");
		return;
	}
	ok(n == sizeof(got) && got[FULL] == 0,
	   "/dev/shm of 64 MiB: full is an error, nothing is lost, and what "
	   "is freed is used again (%d)",
	   got[FULL]);
	ok(got[READ_ONLY] == -EACCES && got[NO_NEW] == -EACCES,
	   "a read-only /dev/shm: %s (%d, %d)", posh_error_text(-EACCES),
	   got[READ_ONLY], got[NO_NEW]);
	ok(got[ABSENT] == -ENOENT && got[ABSENT_NEW] == -ENOENT,
	   "no /dev/shm: %s (%d, %d)", posh_error_text(-ENOENT), got[ABSENT],
	   got[ABSENT_NEW]);
	ok(got[ANONYMOUS] == 0, "anonymous heaps need none (%d)",
	   got[ANONYMOUS]);
}

/*
 * A file that is cut short
 */

/* At each page, from the end: how many opens said anything else. */
static int
opens_short(struct actor *me, void *arg)
{
	off_t at = (off_t)(whole_size - 1) & ~(off_t)4095;
	int fd = file_of(whole, whole_size), bad = 0, rc;
	posh_heap *h;

	(void)arg;
	alarm(LIMIT);
	for (; at >= 0; at -= 4096) {
		if (ftruncate(fd, at))
			abort();
		rc = posh_heap_open(path, NULL, &h);
		bad += rc != (at ? -EUCLEAN : -EBADMSG);
	}
	return write(me->to, &bad, sizeof(bad)) != sizeof(bad);
}

static void
cut_short(void)
{
	struct posh_options o = {sizeof(o), 4 << 20, 0, 0};
	struct actor a;
	posh_heap *h;
	int bad = -1;

	name_file("short");
	actor_start(&a, ACTOR_STRAY, opens_short, NULL);
	if (read(a.from, &bad, sizeof(bad)) != sizeof(bad))
		bad = -1;
	ok(actor_end(&a) == 0 && bad == 0,
	   "a heap that is cut short at any page is an error (%d)", bad);
	unlink(path);
	if (posh_heap_create(&o, &h))
		abort();
	ok(ftruncate(posh_heap_fileno(h), 4096) && errno == EPERM &&
		   posh_heap_check(h, NULL, NULL) == 0,
	   "nobody can cut an anonymous heap short");
	posh_heap_close(h);
}

/*
 * The heap that all come from
 */

static int
makes_one(struct actor *me, void *arg)
{
	struct posh_options o = {sizeof(o), 4 << 20, 0, POSH_CREATE};
	struct posh_value k = posh_utf8("list", 4);
	struct posh_value v = posh_fresh(POSH_KIND_LIST);
	posh_heap *h;

	(void)me;
	(void)arg;
	if (posh_heap_open(path, &o, &h) ||
	    posh_dict_set(h, posh_heap_place(h, POSH_ROOT), &k, &v) < 0)
		return 1;
	posh_heap_close(h);
	return 0;
}

static void
make_whole(void)
{
	struct stat st;
	int fd;

	name_file("heap");
	if (outcome_of(makes_one) || stat(path, &st))
		abort();
	whole_size = (size_t)st.st_size;
	whole = malloc(whole_size);
	fd = open(path, O_RDONLY);
	if (read(fd, whole, whole_size) != (ssize_t)whole_size)
		abort();
	close(fd);
	unlink(path);
}

int
main(void)
{
	const char *tmp = getenv("POSH_TMP");
	char real[2200];
	size_t i;

	alarm(250);
	snprintf(dir, sizeof(dir), "%s/files-%ld", tmp ? tmp : "/tmp",
		 (long)getpid());
	mkdir(dir, 0755);
	make_whole();
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (files[i].make == of_another_user && geteuid()) {
			tap_skip(1, "needs root");
			continue;
		}
		open_it(&files[i]);
	}
	small_disk();
	other_shm();
	cut_short();
	snprintf(real, sizeof(real), "%s/real", dir);
	unlink(real);
	rmdir(dir);
	return tap_done();
}

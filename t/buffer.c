/* SPDX-License-Identifier: MIT */
/* Blobs and buffers: bytes that are read and written in place. */
#include "config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "op.h"
#include "tap.h"

static posh_heap *h;

static posh_handle
blob_of(uint64_t bytes)
{
	posh_handle o;

	if (posh_blob_new(h, bytes, &o))
		exit(3);
	return o;
}

static uint8_t *
data_of(posh_handle blob)
{
	void *p;

	if (posh_blob_data(h, blob, &p, NULL))
		exit(3);
	return p;
}

/* A buffer with these bytes. */
static posh_handle
buffer_of(const char *bytes, uint64_t n)
{
	struct posh_value meta = posh_utf8("m", 1);
	posh_handle o, blob = blob_of(n);

	if (n)
		memcpy(data_of(blob), bytes, n);
	if (posh_buffer_new(h, &o) || posh_buffer_init(h, o, blob, &meta))
		exit(3);
	posh_object_drop(h, blob);
	return o;
}

static bool
has(posh_handle o, const char *bytes, uint64_t n)
{
	static char got[100000];
	uint64_t length = 0;
	int64_t rc = posh_buffer_read(h, o, 0, sizeof(got), got, &length);

	return rc == (int64_t)n && length == n && !memcmp(got, bytes, n) &&
	       posh_buffer_len(h, o) == (int64_t)n;
}

static uint64_t
live(void)
{
	struct posh_stats st;

	posh_heap_stats(h, &st, sizeof(st));
	return st.live_bytes;
}

static void
tell(const char *what, void *arg)
{
	(void)arg;
	tap_note("%s", what);
}

static bool
sound(void)
{
	return posh_heap_check(h, tell, NULL) == 0;
}

static void
test_blob(void)
{
	posh_handle o = blob_of(1000), found = {0};
	uint64_t n = 0, at = 0, before = live();
	uint8_t *p = data_of(o);
	void *q;
	int i, sum = 0;

	for (i = 0; i < 1000; i++)
		sum |= p[i];
	ok(!sum && (uintptr_t)p % 16 == 0, "a new blob is zero, and aligned");
	ok(posh_object_kind(h, o) == POSH_KIND_BLOB &&
		   posh_blob_data(h, o, NULL, &n) == 0 && n == 1000,
	   "it knows its size");
	ok(posh_blob_find(h, p + 999, &found, &at) == 0 && found.off == o.off &&
		   at == 999 && posh_blob_find(h, p - 1, &found, &at) < 0,
	   "it is found by an address of its own, and by no other");
	ok(posh_blob_find(h, &n, &found, &at) == -ENOENT &&
		   posh_blob_find(h, h->base, &found, &at) == -ENOENT &&
		   posh_blob_find(h, h->base + 64, &found, &at) == -ENOENT,
	   "other addresses have no blob");
	memset(p, 0xff, 1000);
	posh_object_drop(h, o);
	ok(live() < before, "it dies with its last hold");
	o = blob_of(1000);
	for (p = data_of(o), sum = i = 0; i < 1000; i++)
		sum |= p[i];
	ok(!sum, "memory that was in use before is zero again");
	posh_object_drop(h, o);
	o = blob_of(0);
	ok(posh_blob_data(h, o, &q, &n) == 0 && n == 0, "a blob may be empty");
	posh_object_drop(h, o);
	ok(posh_blob_new(h, UINT64_MAX, &o) == -ENOMEM &&
		   posh_blob_new(h, UINT64_C(1) << 39, &o) == -ENOMEM,
	   "one that is too large is an error");
	ok(posh_blob_data(h, posh_heap_place(h, POSH_ROOT), &q, &n) == -EINVAL,
	   "a dict is no blob");
}

/* How many bytes of a range were ever stored to. */
static uint64_t
stored(uint64_t off, uint64_t bytes)
{
	uint64_t end = off + bytes, sum = 0;
	off_t data, hole;

	while (off < end && (data = lseek(h->fd, (off_t)off, SEEK_DATA)) >= 0 &&
	       (uint64_t)data < end) {
		hole = lseek(h->fd, data, SEEK_HOLE);
		if (hole < 0 || (uint64_t)hole > end)
			hole = (off_t)end;
		sum += (uint64_t)(hole - data);
		off = (uint64_t)hole;
	}
	return sum;
}

static void
test_sparse(void)
{
	/* Less than what goes back to the system when it is freed. */
	enum { LARGE = 64 << 20, SOME = 3 << 20 };
	posh_handle o = blob_of(LARGE);
	uint64_t off = (uint64_t)((char *)data_of(o) - h->base), i;
	uint8_t *p, *q;
	bool zero = true;

	ok(stored(off, LARGE) < (2 << 20),
	   "memory that was never used is not touched");
	posh_object_drop(h, o);
	o = blob_of(SOME);
	p = data_of(o);
	p[SOME / 2] = 1;
	memset(p + SOME / 4, 1, 100000);
	posh_object_drop(h, o);
	o = blob_of(SOME);
	for (q = data_of(o), i = 0; i < SOME; i++)
		zero = zero && !q[i];
	ok(zero && p == q, "and what was stored to is cleared");
	posh_object_drop(h, o);
}

static void
test_init(void)
{
	struct posh_value meta = posh_int(5), out, tuple = {.type = POSH_TUPLE};
	posh_handle o, blob = blob_of(10), root = posh_heap_place(h, POSH_ROOT);
	struct posh_value item = posh_object(root);
	uint64_t n;
	void *p;

	posh_buffer_new(h, &o);
	ok(posh_buffer_len(h, o) == -EUCLEAN &&
		   posh_buffer_write(h, o, 0, "a", 1) == -EUCLEAN &&
		   posh_buffer_view(h, o, &blob, &p, &n) == -EUCLEAN && sound(),
	   "a buffer without a blob can't be used, but is sound");
	tuple.items = &item;
	tuple.size = 1;
	ok(posh_buffer_init(h, o, root, &meta) == -EINVAL &&
		   posh_buffer_init(h, o, blob, &item) == -EINVAL &&
		   posh_buffer_init(h, o, blob, &tuple) == -EINVAL &&
		   posh_buffer_init(h, root, blob, &meta) == -EINVAL,
	   "only a blob, and an immutable value for a meta, go into one");
	ok(posh_buffer_init(h, o, blob, &meta) == 0 &&
		   posh_buffer_init(h, o, blob, &meta) == -EEXIST,
	   "it is given a blob once");
	ok(posh_buffer_meta(h, o, &out) == 0 && out.type == POSH_INT &&
		   out.i == 5 && posh_buffer_len(h, o) == 10,
	   "it has its meta and all bytes of the blob");
	posh_object_drop(h, blob);
	ok(posh_buffer_len(h, o) == 10, "the blob lives as long as the buffer");
	posh_object_drop(h, o);
}

/* A buffer and its twin in private memory. */
static bool
twins(unsigned seed)
{
	static uint8_t twin[100000], some[3000];
	uint64_t n = 50, i;
	posh_handle o;
	int round;
	bool same = true;

	srandom(seed);
	for (i = 0; i < n; i++)
		twin[i] = (uint8_t)random();
	o = buffer_of((char *)twin, n);
	for (round = 0; round < 3000 && same; round++) {
		uint64_t at = (uint64_t)random() % (n + 1);
		uint64_t del = (uint64_t)random() % 40 * (random() % 3 != 0);
		uint64_t add = (uint64_t)random() % 40 * (random() % 3 != 0);

		if (random() % 4 == 0)
			at = random() % 2 ? 0 : n;
		if (random() % 50 == 0)
			add = (uint64_t)random() % sizeof(some);
		if (random() % 50 == 0)
			del = UINT64_MAX;
		for (i = 0; i < add; i++)
			some[i] = (uint8_t)random();
		if (posh_buffer_splice(h, o, at, del, some, add))
			return false;
		if (del > n - at)
			del = n - at;
		memmove(twin + at + add, twin + at + del, n - at - del);
		memcpy(twin + at, some, add);
		n = n - del + add;
		at = n ? (uint64_t)random() % n : 0;
		add = n - at < 20 ? n - at : 20;
		memset(twin + at, round, add);
		memset(some, round, add);
		same = posh_buffer_write(h, o, at, some, add) == 0 &&
		       has(o, (char *)twin, n);
	}
	posh_object_drop(h, o);
	return same;
}

static void
test_changes(void)
{
	posh_handle o = buffer_of("0123456789", 10);
	uint64_t before = live();
	unsigned seed;
	bool right = true;

	ok(posh_buffer_write(h, o, 8, "abc", 3) == -ERANGE &&
		   posh_buffer_write(h, o, 11, "", 0) == -ERANGE &&
		   posh_buffer_splice(h, o, 11, 0, "a", 1) == -ERANGE &&
		   has(o, "0123456789", 10),
	   "what does not fit is an error and changes nothing");
	posh_buffer_splice(h, o, 0, 10, NULL, 0);
	ok(has(o, "", 0), "a buffer may be empty");
	posh_object_drop(h, o);
	for (seed = 1; seed <= 5; seed++)
		right = right && twins(seed);
	ok(right, "random changes are those of the twin");
	ok(live() < before && sound(), "nothing is left of it");
}

static void
test_view(void)
{
	posh_handle o = buffer_of("0123456789", 10), blob, other;
	uint64_t n, m, before;
	char big[1000] = {0};
	uint8_t *q;
	void *p;

	posh_buffer_view(h, o, &blob, &p, &n);
	memcpy(p, "abc", 3);
	ok(n == 10 && has(o, "abc3456789", 10), "a view writes in place");
	posh_buffer_write(h, o, 4, "xyz", 3);
	ok(!memcmp(p, "abc3xyz789", 10), "and sees what is overwritten");
	posh_buffer_splice(h, o, 3, 4, "four", 4);
	ok(!memcmp(p, "abcfour789", 10),
	   "also by a splice of as many bytes as it replaces");
	posh_buffer_splice(h, o, 5, 0, big, sizeof(big));
	q = p;
	q[0] = 'X';
	posh_buffer_view(h, o, &other, &p, &m);
	ok(m == 1010 && other.off != blob.off && *(char *)p == 'a' &&
		   !memcmp(q, "Xbcfour789", 10),
	   "what needs more memory leaves a view its own");
	before = live();
	posh_object_drop(h, blob);
	ok(live() < before && posh_buffer_len(h, o) == 1010,
	   "the old blob dies with its last hold");
	posh_object_drop(h, other);
	posh_object_drop(h, o);
}

static void
test_window(void)
{
	static char big[60000];
	posh_handle o = buffer_of(big, sizeof(big)), blob, other;
	uint64_t n, bytes = 0;
	void *p, *q;

	posh_buffer_view(h, o, &blob, &p, &n);
	posh_buffer_splice(h, o, 0, 100, NULL, 0);
	posh_object_drop(h, blob);
	posh_buffer_view(h, o, &other, &q, &n);
	ok(blob.off == other.off && (char *)q == (char *)p + 100 && n == 59900,
	   "removing at the front copies nothing");
	posh_object_drop(h, other);
	posh_buffer_splice(h, o, 1000, UINT64_MAX, NULL, 0);
	posh_buffer_view(h, o, &other, &q, &n);
	posh_blob_data(h, other, &q, &bytes);
	ok(n == 1000 && bytes < 4000, "what is mostly empty shrinks");
	posh_object_drop(h, other);
	posh_object_drop(h, o);
}

/* Readers see all of a write or nothing. */
static void
test_atomic(void)
{
	enum { SIZE = 5000, ROUNDS = 3000 };
	static char bytes[SIZE];
	posh_handle o = buffer_of(bytes, SIZE);
	bool torn = false;
	pid_t pid;
	int i, k, status = 0;

	posh_fork_arm();
	pid = fork();
	if (pid == 0) {
		for (i = 1; i < ROUNDS; i++) {
			memset(bytes, i, SIZE);
			posh_buffer_write(h, o, 0, bytes, SIZE);
		}
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		posh_buffer_read(h, o, 0, SIZE, bytes, NULL);
		for (k = 1; k < SIZE; k++)
			torn = torn || bytes[k] != bytes[0];
	}
	ok(pid > 0 && !status && !torn, "no reader sees half of a write");
	posh_object_drop(h, o);
}

/* Nothing but a view holds the blob of somebody who is killed. */
static void
test_killed(void)
{
	posh_handle o = buffer_of("0123456789", 10), blob;
	uint64_t before = live(), n;
	char big[1000] = {0}, c;
	int status, go[2];
	pid_t pid;
	void *p;

	if (pipe(go))
		exit(3);
	posh_fork_arm();
	pid = fork();
	if (pid == 0) {
		posh_buffer_view(h, o, &blob, &p, &n);
		posh_buffer_splice(h, o, 0, 0, big, sizeof(big));
		posh_buffer_splice(h, o, 0, sizeof(big), NULL, 0);
		*(char *)p = 'K';
		if (write(go[1], p, 1) != 1)
			_exit(1);
		pause();
	}
	ok(read(go[0], &c, 1) == 1 && c == 'K' && has(o, "0123456789", 10) &&
		   live() > before,
	   "a view of what was replaced has memory of its own");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	posh_heap_reap(h);
	posh_object_drop(h, o);
	ok(live() < before && sound(), "which goes when its holder is killed");
	close(go[0]);
	close(go[1]);
}

/* A full heap can be emptied, and what fails changes nothing. */
static void
test_full(void)
{
	struct posh_options opts = {sizeof(opts), 1 << 20, 0, 0};
	posh_heap *whole = h;
	static char big[200000];
	posh_handle o, more[100];
	int n = 0;

	if (posh_heap_create(&opts, &h))
		exit(3);
	o = buffer_of(big, sizeof(big));
	while (n < 100 && posh_blob_new(h, 60000, &more[n]) == 0)
		n++;
	ok(n < 100 && posh_buffer_splice(h, o, 5, 0, big, 3) == -ENOMEM &&
		   posh_buffer_splice(h, o, 5, 2, NULL, 0) == -ENOMEM &&
		   posh_buffer_len(h, o) == sizeof(big),
	   "without memory a buffer stays as it is");
	ok(posh_buffer_write(h, o, 0, "12345678", 8) == 0 &&
		   posh_buffer_splice(h, o, 0, 7, NULL, 0) == 0 &&
		   posh_buffer_splice(h, o, 10, UINT64_MAX, NULL, 0) == 0 &&
		   has(o, "8\0\0\0\0\0\0\0\0\0", 10) && sound(),
	   "words can be written, and bytes removed at both ends");
	posh_heap_close(h);
	h = whole;
}

/* The check finds what is wrong with them. */
static void
test_check(void)
{
	posh_handle o = buffer_of("0123456789", 10), blob;
	struct posh__buffer *b = posh__at(h, o.off);
	struct posh__blob *d;
	uint64_t n, bytes, window, value;
	void *p;

	posh_buffer_view(h, o, &blob, &p, &n);
	d = posh__at(h, blob.off);
	bytes = d->bytes;
	window = d->window;
	d->bytes = 1 << 20;
	ok(posh_heap_check(h, NULL, NULL) == 1, "a blob beyond its block");
	d->bytes = bytes;
	d->window = UINT64_C(5) << POSH__WINDOW_SHIFT | bytes;
	ok(posh_heap_check(h, NULL, NULL) == 1 &&
		   posh_buffer_len(h, o) == -EUCLEAN,
	   "a window beyond its blob");
	d->window = window;
	value = b->meta;
	b->meta = b->blob;
	ok(posh_heap_check(h, NULL, NULL) > 0, "an object for a meta");
	b->meta = value;
	value = b->blob;
	b->blob = POSH__TAGGED(POSH__TAG_OBJECT,
			       posh_heap_place(h, POSH_ROOT).off);
	ok(posh_heap_check(h, NULL, NULL) > 0, "a dict for a blob");
	b->blob = value;
	d->head.body = 16;
	ok(posh_heap_check(h, NULL, NULL) == 1, "a blob with a body");
	d->head.body = 0;
	b->head.body = 16;
	ok(posh_heap_check(h, NULL, NULL) == 1, "a buffer with one");
	b->head.body = 0;
	ok(sound(), "is found by the check, and nothing else");
	posh_object_drop(h, blob);
	posh_object_drop(h, o);
}

int
main(void)
{
	uint64_t before;

	if (posh_heap_create(NULL, &h))
		return 3;
	before = live();
	test_blob();
	test_sparse();
	test_init();
	test_changes();
	test_view();
	test_window();
	test_atomic();
	test_killed();
	test_full();
	test_check();
	ok(live() == before && sound(), "all is given back");
	posh_heap_close(h);
	return tap_done();
}

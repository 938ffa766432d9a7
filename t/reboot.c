/* SPDX-License-Identifier: MIT */
/* A heap in a file that was in use when the machine went down: what is whole,
 * or can be made whole, is opened; what is damaged is refused. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actor.h"
#include "attach.h"
#include "dying.h"
#include "posh.h"
#include "tap.h"

static char path[2100];

static struct posh_value
text(const char *s)
{
	return posh_utf8(s, strlen(s));
}

static int
set(posh_heap *h, const char *key, struct posh_value v)
{
	struct posh_value k = text(key);

	return posh_dict_set(h, posh_heap_place(h, POSH_ROOT), &k, &v);
}

static int
get(posh_heap *h, const char *key, struct posh_value *out)
{
	struct posh_value k = text(key);

	return posh_dict_get(h, posh_heap_place(h, POSH_ROOT), &k, out);
}

/* Use the heap in a child, and die or leave. */
struct life {
	long n;     /* die at this step of the work; 0: when it is done */
	bool leave; /* or close the heap */
};

static int
lives(struct actor *me, void *arg)
{
	struct posh_options opts = {sizeof(opts), 8 << 20, 0, POSH_CREATE};
	struct life *l = arg;
	posh_handle list;
	posh_heap *h;

	(void)me;
	if (posh_heap_open(path, &opts, &h) ||
	    set(h, "the first key", text("a value in a box")) < 0)
		return 1;
	if (l->n)
		dying_at(l->n, NULL);
	if (posh_list_new(h, &list) || set(h, "list", posh_object(list)) < 0)
		return 1;
	posh_object_lock(h, list, -1);
	posh_object_lock(h, posh_heap_place(h, POSH_ROOT), -1);
	if (posh_list_append(h, list, &(struct posh_value){.type = POSH_NONE}))
		return 1;
	if (l->n)
		return 0;
	if (!l->leave)
		raise(SIGKILL);
	posh_heap_close(h);
	return 0;
}

static int
live(long n, bool leave)
{
	struct life l = {n, leave};
	struct actor a;

	actor_start(&a, ACTOR_STRAY, lives, &l);
	return actor_end(&a);
}

/* Another boot: what the file says of the last one is not true any more. */
static void
reboot(void)
{
	struct posh__header hdr;
	struct posh__member m;
	int fd = open(path, O_RDWR), i;

	if (fd < 0 || pread(fd, &hdr, sizeof(hdr), 0) != sizeof(hdr))
		abort();
	hdr.boot ^= 4711;
	if (pwrite(fd, &hdr, sizeof(hdr), 0) != sizeof(hdr))
		abort();
	for (i = 0; i < (int)hdr.members_high; i++) {
		off_t at = (off_t)hdr.members_off + i * (off_t)sizeof(m);

		if (pread(fd, &m, sizeof(m), at) != sizeof(m))
			abort();
		if (m.boot)
			m.boot ^= 4711;
		if (pwrite(fd, &m, sizeof(m), at) != sizeof(m))
			abort();
	}
	close(fd);
}

/* Open the heap and see that it is whole: what open said, or 1. */
static int
opens(void)
{
	struct posh_value v;
	posh_heap *h;
	int rc = posh_heap_open(path, NULL, &h);

	if (rc)
		return rc;
	if (posh_heap_check(h, NULL, NULL) || get(h, "the first key", &v) ||
	    v.size != 16)
		rc = 1;
	posh_heap_close(h);
	return rc;
}

static void
whole(void)
{
	int rc;

	rc = live(0, true);
	reboot();
	ok(rc == 0 && opens() == 0, "a heap that was left is opened");
	rc = live(0, false);
	reboot();
	ok(rc == -SIGKILL && opens() == 0,
	   "one whose member died inside two monitors too");
}

/* Die at each step; recovery is what it always is. */
static void
mended(void)
{
	int n = 0, bad = 0, rc;

	do {
		unlink(path);
		rc = live(++n, false);
		reboot();
		if (opens() && !bad++)
			ok(false, "death after %s", dying_last());
	} while (rc == -SIGKILL && n < 1000);
	ok(rc == 0 && n > 20 && !bad,
	   "after %d deaths in the middle it is mended and opened", n - 1);
}

/* Change a word of the file. */
static void
scribble(uint64_t off, uint64_t value)
{
	int fd = open(path, O_RDWR);

	if (fd < 0 || pwrite(fd, &value, 8, (off_t)off) != 8)
		abort();
	close(fd);
}

static void
damaged(void)
{
	posh_heap *h;
	uint64_t root;

	unlink(path);
	live(0, false);
	if (posh_heap_open(path, NULL, &h))
		abort();
	root = posh_heap_place(h, POSH_ROOT).off;
	posh_heap_close(h);
	live(0, false);
	scribble(root + offsetof(struct posh__object, body), 12345);
	reboot();
	ok(opens() == -EUCLEAN, "a heap with a body that is none is refused");
	ok(opens() == -EUCLEAN, "the next time as well");
}

static int
opens_scribbled(struct actor *me, void *arg)
{
	posh_heap *h;
	int rc;

	(void)me;
	(void)arg;
	tap_limit(20);
	rc = posh_heap_open(path, NULL, &h);
	return rc == 0 ? 0 : rc == -EUCLEAN ? 1 : 2;
}

/* Pages that were never written, words that are old. */
static void
random_damage(unsigned seed)
{
	unsigned opened = 0, refused = 0, other = 0, i, k;
	struct actor a;
	struct stat st;

	srandom(seed);
	for (i = 0; i < 60; i++) {
		unlink(path);
		live(0, false);
		if (stat(path, &st))
			abort();
		for (k = 0; k < 40; k++) {
			uint64_t off = (uint64_t)random() %
				       ((uint64_t)st.st_size - 4096) / 8 * 8;

			if (k % 2) /* near the spans' fronts */
				off = off / 65536 * 65536 + off % 4096;
			if (off > 4096)
				scribble(off,
					 (uint64_t)random() * (k % 3 ? 1 : 16));
		}
		reboot();
		actor_start(&a, ACTOR_STRAY, opens_scribbled, NULL);
		switch (actor_end(&a)) {
		case 0:
			opened++;
			break;
		case 1:
			refused++;
			break;
		default:
			other++;
		}
	}
	ok(!other,
	   "whatever the damage: opened %u, refused %u, crashed %u (seed %u)",
	   opened, refused, other, seed);
}

int
main(void)
{
	const char *tmp = getenv("POSH_TMP");

	tap_limit(200);
	dying_init();
	snprintf(path, sizeof(path), "%s/reboot-%ld.posh", tmp ? tmp : ".",
		 (long)getpid());
	whole();
	mended();
	damaged();
	random_damage((unsigned)getpid());
	unlink(path);
	return tap_done();
}

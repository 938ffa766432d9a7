/* SPDX-License-Identifier: MIT */
/* A program that closes our descriptors, as daemons do, or opens something
 * else in their places: it works on, and counts as alive. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "attach.h"
#include "posh.h"
#include "roster.h"
#include "tap.h"

#define MIB (UINT64_C(1) << 20)

static posh_heap *heap; /* of the test itself: anonymous, or named */
static char dir[2000], path[2100];

/* Close all descriptors but those that lead to the other. */
static bool
close_all(struct actor *me)
{
	int to = dup2(me->to, 1), from = dup2(me->from, 0);

	me->to = to;
	me->from = from;
	return syscall(SYS_close_range, 3U, ~0U, 0U) == 0;
}

/* Open a file that is no heap at each of these numbers. */
static void
occupy(int from, int to)
{
	int fd = memfd_create("other", 0), i;

	if (fd < 0)
		abort();
	for (i = from; i < to; i++)
		if (fcntl(i, F_GETFD) < 0)
			dup2(fd, i);
}

/* Use the heap without growth. */
static int
small_change(posh_heap *h)
{
	struct posh_value k = posh_utf8("small", 5), v = posh_int(1), got;
	posh_handle root = posh_heap_place(h, POSH_ROOT);
	int rc = posh_dict_set(h, root, &k, &v);

	if (rc < 0)
		return rc;
	rc = posh_dict_get(h, root, &k, &got);
	return rc ? rc : posh_dict_pop(h, root, &k, NULL);
}

/* Put more into it than it has memory for. */
static int
large_change(posh_heap *h)
{
	struct posh_value k = posh_utf8("large", 5), v;
	char *data = calloc(1, 6 * MIB);
	int rc;

	v = posh_bytes(data, 6 * MIB);
	rc = posh_dict_set(h, posh_heap_place(h, POSH_ROOT), &k, &v);
	free(data);
	return rc;
}

static int
take_back(posh_heap *h)
{
	struct posh_value k = posh_utf8("large", 5);

	return posh_dict_pop(h, posh_heap_place(h, POSH_ROOT), &k, NULL);
}

static void
make_heap(const char *name)
{
	struct posh_options o = {sizeof(o), 64 * MIB, 0, POSH_CREATE};

	if (name ? posh_heap_open(name, &o, &heap)
		 : posh_heap_create(&o, &heap))
		abort();
}

/* Close all, open other files there, go elsewhere, and work on. */
static int
works_on(struct actor *me, void *arg)
{
	int rc = 0;

	(void)arg;
	if (!close_all(me))
		return 77;
	occupy(3, 40);
	if (chdir("/"))
		return 1;
	actor_say(me, 'c');
	actor_hear(me);
	rc |= small_change(heap) ? 2 : 0;
	rc |= large_change(heap) != 1 ? 4 : 0;
	rc |= take_back(heap) ? 8 : 0;
	return rc;
}

static void
closes(const char *how)
{
	struct actor a;
	int i, rc;

	actor_start(&a, ACTOR_ARMED, works_on, NULL);
	if (actor_hear(&a) != 'c') {
		tap_skip(3, "no close_range");
		actor_end(&a);
		return;
	}
	i = roster_find(heap, a.pid);
	ok(roster_alive(heap, i) && roster_reap(heap) == 0,
	   "%s: a process that closed all descriptors is alive", how);
	actor_say(&a, 'g');
	rc = actor_end(&a);
	ok(rc == 0, "%s: it works on (%d)", how, rc);
	ok(roster_dead(heap, i) && roster_reap(heap) == 1 &&
		   roster_members(heap) == 1,
	   "%s: at its end it is dead, and is recovered", how);
}

/* As an ordinary user, and the only one who has the heap. */
static int
nobody_to_ask(struct actor *me, void *arg)
{
	(void)arg;
	make_heap(NULL);
	if (geteuid() == 0 && setuid(65534))
		return 77;
	if (!close_all(me))
		return 77;
	if (large_change(heap) != -EBADF)
		return 1;
	if (posh_heap_fileno(heap) != -EBADF)
		return 2;
	return small_change(heap) ? 3 : 0;
}

static void
cannot_grow(void)
{
	struct actor a;
	int rc;

	actor_start(&a, ACTOR_STRAY, nobody_to_ask, NULL);
	rc = actor_end(&a);
	if (rc == 77)
		tap_skip(1, "no close_range");
	else
		ok(rc == 0,
		   "a heap that cannot be opened again does not grow, with an "
		   "error that says so (%d)",
		   rc);
}

/* The same, but another member of that user has it open. */
static int
asks_another(struct actor *me, void *arg)
{
	struct actor a;
	int rc;

	(void)me;
	(void)arg;
	if (geteuid() == 0 && setuid(65534))
		return 77;
	/* Not to be looked at, after a change of users. */
	prctl(PR_SET_DUMPABLE, 1);
	make_heap(NULL);
	actor_start(&a, ACTOR_ARMED, works_on, NULL);
	if (actor_hear(&a) != 'c')
		return 77;
	actor_say(&a, 'g');
	rc = actor_end(&a);
	return rc;
}

static void
other_has_it(void)
{
	struct actor a;
	int rc;

	actor_start(&a, ACTOR_STRAY, asks_another, NULL);
	rc = actor_end(&a);
	if (rc == 77)
		tap_skip(1, "no close_range");
	else
		ok(rc == 0,
		   "a heap without a name grows by the descriptor that another "
		   "member has (%d)",
		   rc);
}

static void
note(const char *what, void *arg)
{
	(void)arg;
	tap_note("%s", what);
}

/* Tell a lie about a living member, so that its byte alone counts, and look
 * at it with a descriptor that is not the heap's any more. */
static void
other_file(void)
{
	struct posh__member *m;
	struct actor a;
	uint64_t ns;
	int i, was;

	make_heap(NULL);
	actor_start(&a, ACTOR_ARMED, actor_stays, NULL);
	actor_hear(&a);
	i = roster_find(heap, a.pid);
	m = posh__member_at(heap, (uint32_t)i);
	ns = posh__load(&m->pidns);
	posh__store(&m->pidns, ns + 1);
	ok(roster_alive(heap, i), "a member lives by its byte");
	was = dup(heap->fd);
	close(heap->fd);
	occupy(heap->fd, heap->fd + 1);
	ok(roster_alive(heap, i),
	   "whatever file is at the number of the heap's descriptor");
	posh__store(&m->pidns, ns);
	close(was);
	actor_say(&a, 'g');
	actor_end(&a);
	posh_heap_reap(heap);
	close(heap->fd);
	occupy(heap->fd, heap->fd + 1);
	ok(posh_heap_check(heap, note, NULL) == 0,
	   "a check does not take it for the heap's");
	posh_heap_close(heap);
}

/* Close all, and fork. */
static int
is_member(struct actor *me, void *arg)
{
	(void)arg;
	actor_say(me, small_change(heap) ? 'x' : 'r');
	actor_hear(me);
	return small_change(heap) ? 1 : 0;
}

static int
forks_without(struct actor *me, void *arg)
{
	struct actor a;
	char c;
	int rc;

	actor_hear(me);
	if (!close_all(me))
		return 77;
	if (arg)
		occupy(3, 40);
	actor_start(&a, ACTOR_ARMED, is_member, NULL);
	c = actor_hear(&a);
	actor_say(me, c);
	if (write(me->to, &a.pid, sizeof(a.pid)) != sizeof(a.pid))
		return 1;
	actor_hear(me);
	actor_say(&a, 'g');
	rc = actor_end(&a);
	return rc || small_change(heap) ? 2 : 0;
}

static void
fork_without(void *occupied, const char *how)
{
	struct actor a;
	pid_t child = 0;
	int i, j, rc;

	make_heap(path);
	actor_start(&a, ACTOR_ARMED, forks_without, occupied);
	/* By now we have closed our copy of its token. */
	actor_say(&a, 'g');
	ok(actor_hear(&a) == 'r' &&
		   read(a.from, &child, sizeof(child)) == sizeof(child),
	   "%s: the child of a process that closed them is a member", how);
	i = roster_find(heap, child);
	j = roster_find(heap, a.pid);
	ok(i >= 0 && !posh__byte_free(heap, POSH__TOKEN(i)) &&
		   roster_alive(heap, i) && roster_reap(heap) == 0,
	   "%s: its byte of the right file is locked", how);
	ok(j >= 0 && !posh__byte_free(heap, POSH__TOKEN(j)),
	   "%s: so is its parent's again", how);
	actor_say(&a, 'g');
	rc = actor_end(&a);
	roster_reap(heap);
	ok(rc == 0 && roster_members(heap) == 1, "%s: both worked (%d)", how,
	   rc);
	posh_heap_unlink(path);
	posh_heap_close(heap);
}

/* Another process, or this one, has a copy of the token that was closed: the
 * byte is locked as long as that is there. */
static void
copy_of_token(void)
{
	int copy, index;

	make_heap(NULL);
	index = (int)heap->index;
	copy = dup(heap->token);
	close(heap->token);
	close(heap->fd);
	ok(posh_heap_fileno(heap) >= 0 && heap->token < 0,
	   "a byte that a copy of the token has is not locked again");
	close(copy);
	ok(posh_heap_fileno(heap) >= 0 && heap->token >= 0 &&
		   !posh__byte_free(heap, POSH__TOKEN(index)),
	   "but when the copy has gone");
	posh_heap_close(heap);
}

/* A child that is no member has its parent's heap, not its byte. */
static int
takes_no_byte(struct actor *me, void *arg)
{
	(void)arg;
	actor_say(me, 'r');
	actor_hear(me);
	close(heap->fd);
	posh_heap_fileno(heap);
	return heap->token >= 0;
}

static void
strays_byte(void)
{
	struct actor a;
	int rc;

	make_heap(path);
	actor_start(&a, ACTOR_STRAY, takes_no_byte, NULL);
	actor_hear(&a);
	posh__byte_unlock(heap->token, POSH__TOKEN(heap->index));
	actor_say(&a, 'g');
	rc = actor_end(&a);
	ok(rc == 0,
	   "a child that is no member does not lock its parent's "
	   "byte (%d)",
	   rc);
	posh_heap_unlink(path);
	posh_heap_close(heap);
}

int
main(void)
{
	const char *tmp = getenv("POSH_TMP");
	char here[2000];

	alarm(100);
	snprintf(dir, sizeof(dir), "%s/descriptors-%ld", tmp ? tmp : ".",
		 (long)getpid());
	snprintf(path, sizeof(path), "%s/heap", dir);
	if (mkdir(dir, 0700) || !getcwd(here, sizeof(here)))
		return 1;
	make_heap(path);
	closes("a named heap");
	posh_heap_unlink(path);
	posh_heap_close(heap);
	if (chdir(dir))
		return 1;
	make_heap("./heap");
	closes("a relative name");
	posh_heap_unlink("./heap");
	if (chdir(here))
		return 1;
	make_heap(NULL);
	closes("without a name");
	posh_heap_close(heap);
	cannot_grow();
	other_has_it();
	other_file();
	fork_without(NULL, "closed");
	fork_without(path, "opened to others");
	copy_of_token();
	strays_byte();
	rmdir(dir);
	return tap_done();
}

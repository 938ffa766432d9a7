/* SPDX-License-Identifier: MIT */
/* Members: who counts as dead, and what a fork, an exec and an exit do. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "attach.h"
#include "posh.h"
#include "roster.h"
#include "tap.h"

static posh_heap *heap;
static posh_handle root;

static struct posh__member *
entry(uint32_t index)
{
	return posh__member_at(heap, index);
}

/* A call that any member can make, also when others make it as well. */
static int
call(posh_heap *h)
{
	int rc = posh_object_lock(h, posh_heap_place(h, POSH_ROOT), -1);

	return rc ? rc : posh_object_unlock(h, posh_heap_place(h, POSH_ROOT));
}

static int
idle(struct actor *me, void *arg)
{
	(void)arg;
	actor_say(me, call(heap) ? 'x' : 'r');
	actor_hear(me);
	return 0;
}

static void
armed_fork(void)
{
	unsigned before = roster_members(heap);
	struct actor a;
	uint64_t was;
	int i;

	actor_start(&a, ACTOR_ARMED, idle, NULL);
	ok(actor_hear(&a) == 'r', "the child of an armed fork has the heap");
	i = roster_find(heap, a.pid);
	ok(roster_alive(heap, i) && roster_state(heap, i) == POSH__MEMBER_LIVE,
	   "it is a member, and alive");
	ok(roster_members(heap) == before + 1, "it is one more");
	was = i < 0 ? 0 : posh__load(&entry((uint32_t)i)->state);
	actor_kill(&a);
	while (roster_alive(heap, i))
		sched_yield();
	ok(roster_dead(heap, i), "killed it is dead, also as a zombie");
	actor_end(&a);
	ok(roster_dead(heap, i), "and when its parent knows");
	ok(roster_reap(heap) == 1 && roster_members(heap) == before && i >= 0 &&
		   posh__load(&entry((uint32_t)i)->state) >> 32 ==
			   (was >> 32) + 1,
	   "recovered its entry is free, of the next generation");
	ok(call(heap) == 0, "the parent goes on");
}

static int
unarmed(struct actor *me, void *arg)
{
	posh_heap *own;
	int fd = heap->fd, rc = 0;

	(void)arg;
	if (call(heap) != -ECHILD)
		rc |= 1;
	if (posh_heap_open_fd(fd, &own))
		return rc | 2;
	if (own == heap || call(own))
		rc |= 4;
	actor_say(me, 'r');
	actor_hear(me);
	if (call(heap) != -ECHILD)
		rc |= 8;
	posh_heap_close(heap);
	if (call(own))
		rc |= 16;
	posh_heap_close(own);
	return rc;
}

static void
unarmed_fork(unsigned how, const char *what)
{
	unsigned before = roster_members(heap);
	struct actor a;
	int rc;

	actor_start(&a, how, unarmed, NULL);
	actor_hear(&a);
	ok(roster_members(heap) == before + 1,
	   "a child that nobody prepared joins by itself (%s)", what);
	actor_say(&a, 'g');
	rc = actor_end(&a);
	ok(rc == 0, "it got -ECHILD until then (%s): %d", what, rc);
	ok(roster_members(heap) == before && call(heap) == 0 &&
		   roster_reap(heap) == 0,
	   "its leaving both is not its parent's (%s)", what);
}

/* A member that makes a child nobody knows of, which inherits its lock. */
static int
has_stray(struct actor *me, void *arg)
{
	int *out = arg;
	pid_t pid = actor_raw_fork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	if (write(out[1], &pid, sizeof(pid)) < 0)
		return 1;
	return idle(me, NULL);
}

static void
stray_child(void)
{
	struct actor a;
	pid_t stray = 0;
	int p[2], i;

	if (pipe(p))
		abort();
	actor_start(&a, ACTOR_ARMED, has_stray, p);
	actor_hear(&a);
	i = roster_find(heap, a.pid);
	ok(roster_alive(heap, i), "a member with a stray child is alive");
	actor_kill(&a);
	while (roster_alive(heap, i))
		sched_yield();
	ok(roster_dead(heap, i), "killed it is dead, though only a zombie");
	actor_end(&a);
	ok(i >= 0 && !posh__byte_free(heap, POSH__TOKEN(i)),
	   "the stray child keeps its byte locked");
	ok(roster_dead(heap, i), "it is dead all the same");
	ok(roster_reap(heap) == 1, "and is recovered");
	actor_start(&a, ACTOR_ARMED, idle, NULL);
	ok(actor_hear(&a) == 'r' && roster_find(heap, a.pid) != i,
	   "nobody gets the entry while the stray child has the byte");
	actor_say(&a, 'g');
	actor_end(&a);
	if (read(p[0], &stray, sizeof(stray)) == sizeof(stray))
		kill(stray, SIGKILL);
	close(p[0]);
	close(p[1]);
	roster_reap(heap);
}

static int
executes(struct actor *me, void *arg)
{
	char *const argv[] = {"cat", NULL};

	(void)arg;
	actor_say(me, call(heap) ? 'x' : 'r');
	actor_hear(me);
	dup2(me->from, 0);
	/* Closed by the exec itself: the parent hears nothing then. */
	fcntl(me->to, F_SETFD, FD_CLOEXEC);
	execvp(argv[0], argv);
	return 1;
}

static void
exec_is_death(void)
{
	struct actor a;
	int i;

	actor_start(&a, ACTOR_ARMED, executes, NULL);
	actor_hear(&a);
	i = roster_find(heap, a.pid);
	ok(roster_alive(heap, i),
	   "a member is alive before it runs another program");
	actor_say(&a, 'g');
	actor_hear(&a);
	ok(kill(a.pid, 0) == 0 && roster_dead(heap, i),
	   "a process that runs another program is dead as a member");
	ok(roster_reap(heap) == 1, "and is recovered");
	close(a.to);
	a.to = -1;
	actor_end(&a);
}

/* Run this program again, inside of a monitor, for a descriptor of the heap:
 * the new one is to enter that monitor. */
static int
restarts(struct actor *me, void *arg)
{
	char fd[20];

	(void)me;
	if (posh_object_lock(heap, root, -1))
		return 1;
	/* Somebody keeps a copy of our token, as who forked us does for a
	 * moment. */
	if (arg && actor_raw_fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(60);
		for (;;)
			pause();
	}
	snprintf(fd, sizeof(fd), "%d", dup(heap->fd));
	actor_exec_self(fd);
	return 2;
}

static int
restarted(int fd)
{
	posh_handle o;
	posh_heap *h;

	tap_limit(20);
	if (posh_heap_open_fd(fd, &h))
		return 3;
	o = posh_heap_place(h, POSH_ROOT);
	return posh_object_lock(h, o, -1) ? 4 : 0;
}

static void
exec_and_join(const char *how, void *arg)
{
	struct actor a;
	int rc;

	actor_start(&a, ACTOR_ARMED, restarts, arg);
	rc = actor_end(&a);
	ok(rc == 0,
	   "a member that runs a program that joins the heap%s is not "
	   "its own predecessor (%d)",
	   how, rc);
	roster_reap(heap);
}

static int
closes_all(struct actor *me, void *arg)
{
	int to = dup2(me->to, 1), from = dup2(me->from, 0);

	(void)arg;
	if (syscall(SYS_close_range, 3U, ~0U, 0U))
		return 77;
	me->to = to;
	me->from = from;
	actor_say(me, 'c');
	actor_hear(me);
	return call(heap) != 0;
}

static void
closed_descriptors(void)
{
	struct actor a;
	int i, rc;

	actor_start(&a, ACTOR_ARMED, closes_all, NULL);
	if (actor_hear(&a) != 'c') {
		tap_skip(3, "no close_range");
		actor_end(&a);
		return;
	}
	i = roster_find(heap, a.pid);
	ok(i >= 0 && posh__byte_free(heap, POSH__TOKEN(i)),
	   "a process that closes all descriptors frees its byte");
	ok(roster_alive(heap, i) && roster_reap(heap) == 0,
	   "and is alive all the same");
	actor_say(&a, 'g');
	rc = actor_end(&a);
	ok(rc == 0 && roster_dead(heap, i) && roster_reap(heap) == 1,
	   "it works on, and at its end is dead (%d)", rc);
}

/* Tell lies about a living member. */
static void
identity(void)
{
	struct actor a;
	struct posh__member *m;
	uint64_t start, boot, pidns;
	int i;

	actor_start(&a, ACTOR_ARMED, idle, NULL);
	actor_hear(&a);
	i = roster_find(heap, a.pid);
	if (!ok(roster_alive(heap, i), "a member is alive"))
		return;
	m = entry((uint32_t)i);
	start = posh__load(&m->start);
	boot = posh__load(&m->boot);
	pidns = posh__load(&m->pidns);
	posh__store(&m->start, start + 1);
	ok(roster_dead(heap, i),
	   "a process of another start time is not the member");
	posh__store(&m->start, start);
	posh__store(&m->boot, boot + 1);
	ok(roster_dead(heap, i), "a member of another boot is dead");
	posh__store(&m->boot, boot);
	posh__store(&m->pidns, pidns + 1);
	posh__store(&m->pid, 1);
	ok(roster_alive(heap, i),
	   "one of another pid namespace lives by its byte");
	actor_kill(&a);
	while (!posh__byte_free(heap, POSH__TOKEN(i)))
		sched_yield();
	ok(roster_dead(heap, i) && roster_reap(heap) == 1, "and dies by it");
	actor_end(&a);
}

/* In a pid namespace of its own. */
static int
elsewhere(struct actor *me, void *arg)
{
	pid_t pid;

	(void)arg;
	if (unshare(CLONE_NEWPID)) {
		actor_say(me, 's');
		return 0;
	}
	posh_fork_arm();
	pid = fork();
	if (pid == 0) {
		uint64_t mine = heap->index;

		if (call(heap))
			_exit(1);
		actor_say(me, 'r');
		actor_say(me, (char)mine);
		actor_hear(me);
		_exit(0);
	}
	actor_hear(me); /* the child does; this one too, to the end */
	waitpid(pid, NULL, 0);
	return 0;
}

static void
other_namespace(void)
{
	struct actor a;
	int i;

	actor_start(&a, ACTOR_ARMED, elsewhere, NULL);
	if (actor_hear(&a) != 'r') {
		tap_skip(2, "no pid namespaces for us");
		actor_end(&a);
		return;
	}
	i = (unsigned char)actor_hear(&a);
	ok(roster_alive(heap, i) && roster_state(heap, i) == POSH__MEMBER_LIVE,
	   "a member in another pid namespace is alive");
	actor_say(&a, 'g');
	actor_say(&a, 'g');
	actor_end(&a);
	/* Its parent may have found it dead right after the fork. */
	ok(roster_dead(heap, i) || roster_state(heap, i) == POSH__MEMBER_FREE,
	   "when it has ended it is dead");
	roster_reap(heap);
}

/* The child is gone before it could take its entry. */
static void
no_child(void)
{
	unsigned before = roster_members(heap);
	struct posh__self *self;
	uint32_t index;
	int fd = posh__reopen(heap->fd);

	if (posh__self(heap, &self) || fd < 0)
		abort();
	ok(posh__member_claim(heap, fd, POSH__MEMBER_HANDOVER, &index) == 0 &&
		   roster_members(heap) == before + 1,
	   "an entry is there for a child");
	ok(roster_alive(heap, (int)index),
	   "it is alive while its byte is locked");
	close(fd);
	ok(roster_dead(heap, (int)index) && roster_reap(heap) == 1 &&
		   roster_members(heap) == before,
	   "without a child it is dead, and recovered");
}

static void *
one_call(void *arg)
{
	(void)arg;
	return call(heap) ? "failed" : NULL;
}

static void
threads_come_and_go(void)
{
	unsigned before = roster_threads(heap), i, bad = 0;
	uint64_t high;
	pthread_t t[200];
	void *rc;

	for (i = 0; i < 200; i++) {
		pthread_create(&t[i], NULL, one_call, NULL);
		pthread_join(t[i], &rc);
		bad += rc != NULL;
	}
	ok(!bad && roster_threads(heap) == before,
	   "a thread that ends gives its entry back");
	high = posh__load(&heap->hdr->threads_high);
	for (i = 0; i < 200; i++)
		pthread_create(&t[i], NULL, one_call, NULL);
	for (i = 0; i < 200; i++)
		pthread_join(t[i], NULL);
	ok(roster_threads(heap) == before,
	   "so do many at once (%lu, %lu entries)", (unsigned long)high,
	   (unsigned long)posh__load(&heap->hdr->threads_high));
}

/* Take every thread entry that there is, and die. */
static int
takes_all(struct actor *me, void *arg)
{
	pthread_t t;
	uint32_t tid;
	void *rc;
	int n = 0;

	(void)arg;
	while (posh__thread_claim(heap, heap->index, &tid) == 0)
		n++;
	pthread_create(&t, NULL, one_call, NULL);
	pthread_join(t, &rc);
	actor_say(me, n > 32000 && rc ? 'y' : 'n');
	actor_hear(me);
	return 0;
}

static int
joins(struct actor *me, void *arg)
{
	posh_heap *h;

	(void)me;
	(void)arg;
	if (posh_heap_open_fd(heap->fd, &h) || call(h))
		return 1;
	posh_heap_close(h);
	return 0;
}

static void
no_names_left(void)
{
	struct actor a, b;

	actor_start(&a, ACTOR_ARMED, takes_all, NULL);
	ok(actor_hear(&a) == 'y', "there are some 32,000 thread entries");
	ok(call(heap) == 0, "who has one does not need one");
	actor_kill(&a);
	actor_end(&a);
	actor_start(&b, ACTOR_STRAY, joins, NULL);
	ok(actor_end(&b) == 0 && roster_members(heap) == 1 &&
		   roster_threads(heap) == 1,
	   "were they all of a dead one, who joins recovers it");
}

static void *
leaves_locked(void *arg)
{
	(void)arg;
	return posh_object_lock(heap, root, -1) ? "failed" : NULL;
}

static void
thread_ends_inside(void)
{
	pthread_t t;

	pthread_create(&t, NULL, leaves_locked, NULL);
	pthread_join(t, NULL);
	ok(posh__object(heap, root.off)->lock == 0,
	   "a thread that ends leaves its monitors");
	ok(posh_object_lock(heap, root, -1) == 0,
	   "the monitor of a thread that ended comes to the next");
	posh_object_unlock(heap, root);
}

/* Two attachments in one process, one of them declared dead. */
static uint32_t victim;

static bool
judge(struct posh_heap *h, uint32_t member, bool *answer)
{
	(void)h;
	*answer = member == victim;
	return member == victim;
}

static void
two_in_one(void)
{
	struct posh_options o = {sizeof(o), 8 << 20, 0, POSH_CREATE};
	posh_heap *a, *b, *save = heap;
	char name[40];

	snprintf(name, sizeof(name), "posh-member-%ld", (long)getpid());
	if (posh_heap_open(name, &o, &a))
		abort();
	o.flags = UINT32_C(1) << 31;
	ok(posh_heap_open(name, &o, &b) == 0 && a != b,
	   "a test has one heap twice");
	posh_heap_unlink(name);
	heap = a;
	ok(roster_members(heap) == 2 && a->index != b->index, "as two members");
	ok(roster_alive(heap, (int)b->index), "which both live");
	posh_object_lock(b, posh_heap_place(b, POSH_ROOT), -1);
	victim = b->index;
	posh__dead_hook = judge;
	ok(roster_dead(heap, (int)b->index),
	   "until the test says that one is dead");
	ok(posh_object_lock(a, posh_heap_place(a, POSH_ROOT), -1) == 0,
	   "its monitor goes to the other");
	ok(roster_members(heap) == 1, "after its recovery");
	posh_object_unlock(a, posh_heap_place(a, POSH_ROOT));
	posh__dead_hook = NULL;
	posh__store(b->cookie, 0); /* it is dead, and has nothing to leave */
	posh_heap_close(b);
	posh_heap_close(a);
	heap = save;
}

static int
joins_and_dies(struct actor *me, void *arg)
{
	posh_heap *h;

	(void)me;
	if (posh_heap_open(arg, NULL, &h) || call(h))
		return 1;
	raise(SIGKILL);
	return 0;
}

static void
first_attach(void)
{
	struct posh_options o = {sizeof(o), 8 << 20, 0, POSH_CREATE};
	posh_heap *h, *save = heap;
	struct actor a;
	char name[40];
	int i, rc = 0;

	snprintf(name, sizeof(name), "posh-member-%ld", (long)getpid());
	if (posh_heap_open(name, &o, &h))
		abort();
	ok(posh__load(&h->hdr->clean) == 0, "a heap in use is not clean");
	for (i = 0; i < 5; i++) {
		actor_start(&a, ACTOR_STRAY, joins_and_dies, name);
		rc |= actor_end(&a) != -SIGKILL;
	}
	posh_heap_close(h);
	/* Whoever joined recovered the one before it. */
	if (posh_heap_open(name, NULL, &h))
		abort();
	heap = h;
	ok(!rc && roster_members(heap) == 1 && roster_threads(heap) == 1,
	   "who joins recovers the dead");
	posh_heap_unlink(name);
	posh_heap_close(h);
	heap = save;
}

/* Somebody was stopped while it joined. */
static int
blocks_joining(struct actor *me, void *arg)
{
	int fd = posh__reopen(*(int *)arg);

	if (posh__byte_lock(fd, POSH__TOKEN(POSH__MEMBERS)))
		return 1;
	actor_say(me, 'l');
	actor_hear(me);
	return 0;
}

static void
leaving(void)
{
	struct posh_options o = {sizeof(o), 8 << 20, 0, POSH_CREATE};
	posh_heap *h, *save = heap;
	struct actor a;
	char name[40];
	int fd;

	snprintf(name, sizeof(name), "posh-member-%ld", (long)getpid());
	if (posh_heap_open(name, &o, &h))
		abort();
	fd = dup(posh_heap_fileno(h));
	posh_heap_close(h);
	if (posh_heap_open(name, NULL, &h))
		abort();
	ok(posh__load(&h->hdr->clean) == 0, "who joins makes it unclean");
	actor_start(&a, ACTOR_STRAY, blocks_joining, &fd);
	actor_hear(&a);
	posh_heap_close(h);
	ok(posh_heap_open(name, NULL, &h) == 0,
	   "one that is stopped while it joins keeps others neither in nor "
	   "out");
	posh_heap_close(h);
	actor_say(&a, 'g');
	ok(actor_end(&a) == 0, "it goes on");
	if (posh_heap_open(name, NULL, &h))
		abort();
	heap = h;
	ok(roster_members(heap) == 1, "who left is gone");
	posh_heap_unlink(name);
	posh_heap_close(h);
	heap = save;
	close(fd);
}

static int
forks_inside(struct actor *me, void *arg)
{
	int rc;

	(void)arg;
	/* The parent is inside, and the child is not. */
	rc = posh_object_locked(heap, root) ? 1 : 0;
	if (posh_object_unlock(heap, root) != -EPERM)
		rc |= 2;
	if (posh_object_lock(heap, root, 0) != -ETIMEDOUT)
		rc |= 4;
	actor_say(me, 'r');
	if (posh_object_lock(heap, root, -1))
		rc |= 8;
	posh_object_unlock(heap, root);
	return rc;
}

static void
fork_inside(void)
{
	struct actor a;
	int rc;

	posh_object_lock(heap, root, -1);
	actor_start(&a, ACTOR_ARMED, forks_inside, NULL);
	actor_hear(&a);
	ok(posh_object_locked(heap, root) && !posh_object_unlock(heap, root),
	   "a parent that forks inside a monitor stays inside");
	rc = actor_end(&a);
	ok(rc == 0, "its child is not inside, and enters after it (%d)", rc);
	roster_reap(heap);
}

static int
grandchildren(struct actor *me, void *arg)
{
	long left = (long)arg;
	struct actor a;
	int rc;

	(void)me;
	if (call(heap))
		return 1;
	if (!left)
		return 0;
	actor_start(&a, ACTOR_ARMED, grandchildren, (void *)(left - 1));
	rc = actor_end(&a);
	roster_reap(heap);
	return rc;
}

/* Threads fork while others use the heap. */
static void *
forking_thread(void *arg)
{
	struct actor a;
	int i, rc = 0;

	(void)arg;
	for (i = 0; i < 20; i++) {
		actor_start(&a, ACTOR_ARMED, grandchildren, NULL);
		rc |= actor_end(&a);
	}
	return rc ? "failed" : NULL;
}

static posh__half stop;

static void *
busy_thread(void *arg)
{
	(void)arg;
	while (!posh__half_load(&stop))
		if (posh_object_hold(heap, root) == 0)
			posh_object_drop(heap, root);
	return NULL;
}

static void
forks_of_threads(void)
{
	unsigned before = roster_members(heap), bad = 0, i;
	pthread_t t[2], busy;
	void *rc;

	pthread_create(&busy, NULL, busy_thread, NULL);
	for (i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, forking_thread, NULL);
	for (i = 0; i < 2; i++) {
		pthread_join(t[i], &rc);
		bad += rc != NULL;
	}
	posh__half_store(&stop, 1);
	pthread_join(busy, NULL);
	/* The kernel may show an ended process for a moment yet. */
	for (i = 0;
	     i < 200 && (roster_reap(heap), roster_members(heap) != before);
	     i++)
		usleep(10000);
	printf("# %u failed, %u members of %u, %u rounds\n", bad,
	       roster_members(heap), before, i);
	ok(!bad && roster_members(heap) == before,
	   "threads fork while another one takes and drops holds");
}

int
main(int argc, char **argv)
{
	struct posh_options opts = {sizeof(opts), 64 << 20, 0, 0};
	struct actor a;

	if (argc > 1)
		return restarted(atoi(argv[1]));
	tap_limit(60);
	if (!ok(posh_heap_create(&opts, &heap) == 0, "a heap is made"))
		return tap_done();
	root = posh_heap_place(heap, POSH_ROOT);
	ok(roster_members(heap) == 1 && roster_alive(heap, (int)heap->index),
	   "its maker is the only member");
	ok(roster_reap(heap) == 0, "nobody is dead");
	armed_fork();
	unarmed_fork(ACTOR_STRAY, "fork");
	if (actor_raw_works())
		unarmed_fork(ACTOR_RAW, "the system call");
	else
		tap_skip(3, "no page is wiped by a fork");
	stray_child();
	exec_is_death();
	exec_and_join("", NULL);
	exec_and_join(", a copy of its token left,", heap);
	closed_descriptors();
	identity();
	other_namespace();
	no_child();
	threads_come_and_go();
	no_names_left();
	thread_ends_inside();
	two_in_one();
	first_attach();
	leaving();
	fork_inside();
	actor_start(&a, ACTOR_ARMED, grandchildren, (void *)3L);
	ok(actor_end(&a) == 0, "a child's child's child is a member too");
	roster_reap(heap);
	forks_of_threads();
	ok(roster_members(heap) == 1,
	   "in the end its maker is the only member");
	posh_heap_close(heap);
	return tap_done();
}

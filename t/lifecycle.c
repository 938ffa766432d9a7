/* SPDX-License-Identifier: MIT */
/* What becomes of members and their objects when processes daemonize, run
 * other programs, get the pid of a dead one, are killed for want of memory, or
 * are stopped while they recover another. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "attach.h"
#include "clock.h"
#include "group.h"
#include "posh.h"
#include "roster.h"
#include "tap.h"

#define MIB    (UINT64_C(1) << 20)
#define SECOND INT64_C(1000000000)

static posh_heap *heap;
static posh_handle list; /* held by the test */
static struct posh_stats was;

/* A call that any member can make, also when others make it as well. */
static int
call(posh_handle o)
{
	int rc = posh_object_lock(heap, o, 10 * SECOND);

	return rc ? rc : posh_object_unlock(heap, o);
}

/* From here on something is to come out exact. */
static void
mark(void)
{
	posh_heap_reap(heap);
	posh_heap_collect(heap);
	posh_heap_stats(heap, &was, sizeof(was));
}

/* Is the heap as it was, and the test its only member? */
static bool
exact(void)
{
	struct posh_stats now;
	int i;

	/* The kernel may show an ended process for a moment yet. */
	for (i = 0; i < 500; i++) {
		posh_heap_reap(heap);
		if (roster_members(heap) == 1)
			break;
		usleep(10000);
	}
	posh_heap_stats(heap, &now, sizeof(now));
	if (roster_members(heap) != 1 || now.live_bytes != was.live_bytes ||
	    now.live_blocks != was.live_blocks || now.suspects)
		tap_note("%u members, %llu bytes of %llu, %llu suspects",
			 roster_members(heap),
			 (unsigned long long)now.live_bytes,
			 (unsigned long long)was.live_bytes,
			 (unsigned long long)now.suspects);
	return roster_members(heap) == 1 && now.live_bytes == was.live_bytes &&
	       now.live_blocks == was.live_blocks && !now.suspects &&
	       posh_heap_check(heap, NULL, NULL) == 0;
}

/* Add a text that is a block of its own. */
static int
add(posh_handle o)
{
	struct posh_value v = posh_utf8("a text that is boxed", 20);

	return posh_list_append(heap, o, &v);
}

/*
 * Daemons
 */

/* Go on in a child whose parent has ended. */
static void
leave_parent(void)
{
	pid_t parent = getpid(), pid;

	posh_fork_arm();
	pid = fork();
	if (pid)
		_exit(pid < 0);
	while (getppid() == parent)
		usleep(1000);
}

static int
daemonizes(struct actor *me, void *arg)
{
	posh_handle o;
	pid_t pid;

	(void)arg;
	if (posh_list_new(heap, &o) || add(o))
		return 1;
	leave_parent();
	if (setsid() < 0)
		return 1;
	leave_parent();
	alarm(60);
	pid = getpid();
	if (chdir("/") || add(o) || write(me->to, &pid, sizeof(pid)) < 0)
		return 1;
	actor_hear(me);
	actor_say(me, add(o) || posh_list_len(heap, o) != 3 ? 'x' : 'd');
	actor_hear(me);
	return 0;
}

static void
daemons(void)
{
	struct actor a;
	pid_t pid = 0;
	int i;

	mark();
	actor_start(&a, ACTOR_ARMED, daemonizes, NULL);
	ok(read(a.from, &pid, sizeof(pid)) == sizeof(pid),
	   "a process becomes a daemon, and uses its object");
	i = roster_find(heap, pid);
	posh_heap_reap(heap);
	ok(roster_alive(heap, i) && roster_members(heap) == 2,
	   "it is a member, and its parents are recovered");
	actor_say(&a, 'g');
	ok(actor_hear(&a) == 'd', "its object has outlived their recovery");
	actor_say(&a, 'g');
	ok(actor_end(&a) == 0 && exact(), "at its end nothing is left");
}

/*
 * Other programs
 */

/* Has the process a descriptor or a mapping of the heap? */
static bool
has_heap(pid_t pid)
{
	char name[300], line[4500];
	bool found = false;
	struct dirent *e;
	struct stat st;
	FILE *f;
	DIR *d;

	snprintf(name, sizeof(name), "/proc/%ld/fd", (long)pid);
	d = opendir(name);
	while (d && (e = readdir(d))) {
		snprintf(name, sizeof(name), "/proc/%ld/fd/%.200s", (long)pid,
			 e->d_name);
		found |= stat(name, &st) == 0 && st.st_dev == heap->dev &&
			 st.st_ino == heap->ino;
	}
	if (!d)
		return true;
	closedir(d);
	snprintf(name, sizeof(name), "/proc/%ld/maps", (long)pid);
	f = fopen(name, "re");
	while (f && fgets(line, sizeof(line), f))
		found |= strstr(line, heap->mapped) != NULL;
	if (f)
		fclose(f);
	return found;
}

static char *const cat[] = {"cat", NULL};
static char *const none[] = {NULL};

/* Start cat, which ends with its input; -1 if there is none. */
static pid_t
by_spawn(int in)
{
	posix_spawn_file_actions_t files;
	pid_t pid;
	int rc;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in, 0);
	rc = posix_spawn(&pid, "/bin/cat", &files, NULL, cat, none);
	posix_spawn_file_actions_destroy(&files);
	return rc ? -1 : pid;
}

/* The compiler warns of vfork, which is what this is about. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static pid_t
by_vfork(int in)
{
	pid_t pid = vfork();

	if (pid == 0) {
		dup2(in, 0);
		execve("/bin/cat", cat, none);
		_exit(127);
	}
	return pid;
}

/* A program that is not there: the child ends as a copy of its parent. */
static pid_t
by_failure(int in)
{
	pid_t pid = vfork();

	(void)in;
	if (pid == 0) {
		execve("/nonexistent/program", cat, none);
		_exit(127);
	}
	return pid;
}

struct way {
	const char *name;
	pid_t (*start)(int in);
	bool runs;
};

/* A member starts one, inside of a monitor, and says its pid. */
static int
starts_program(struct actor *me, void *arg)
{
	const struct way *way = arg;
	pid_t pid;

	if (posh_object_lock(heap, list, -1))
		return 1;
	pid = way->start(me->from);
	if (write(me->to, &pid, sizeof(pid)) < 0)
		return 1;
	for (;;)
		pause();
}

static void
programs(const struct way *way)
{
	struct actor a;
	siginfo_t info;
	pid_t pid = -1;
	int i;

	mark();
	actor_start(&a, ACTOR_ARMED, starts_program, (void *)(uintptr_t)way);
	if (read(a.from, &pid, sizeof(pid)) != sizeof(pid) || pid < 0) {
		actor_kill(&a);
		actor_end(&a);
		tap_skip(3, "no such program");
		exact();
		return;
	}
	i = roster_find(heap, a.pid);
	ok(roster_alive(heap, i) && !posh__byte_free(heap, POSH__TOKEN(i)) &&
		   roster_members(heap) == 2 &&
		   posh_object_lock(heap, list, SECOND / 50) == -ETIMEDOUT,
	   "%s: the member keeps its byte and its monitor", way->name);
	ok(!way->runs || !has_heap(pid), "%s: the program has nothing of it",
	   way->name);
	kill(a.pid, SIGKILL);
	waitid(P_PID, (id_t)a.pid, &info, WEXITED | WNOWAIT);
	/* The other program lives on. */
	ok(posh__byte_free(heap, POSH__TOKEN(i)) && call(list) == 0 && exact(),
	   "%s: the member dies, the program does not: nothing is left",
	   way->name);
	actor_end(&a);
}

/*
 * A pid that comes again
 */

/* Have the next process get this pid, if that is permitted. */
static bool
next_pid(pid_t pid)
{
	int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && dprintf(fd, "%ld", (long)pid - 1) > 0;

	if (fd >= 0)
		close(fd);
	return done;
}

static int
dies_inside(struct actor *me, void *arg)
{
	posh_handle o;

	(void)arg;
	if (posh_list_new(heap, &o) || add(o) ||
	    posh_object_lock(heap, list, -1))
		return 1;
	actor_say(me, 'r');
	for (;;)
		pause();
}

/* Start a process of that pid which is no member, but has the heap mapped. */
static bool
impostor(struct actor *b, pid_t pid)
{
	int i;

	for (i = 0; i < 20; i++) {
		if (!next_pid(pid))
			return false;
		actor_start(b, ACTOR_STRAY, actor_stays, NULL);
		if (b->pid == pid && actor_hear(b) == 'r')
			return true;
		actor_kill(b);
		actor_end(b);
	}
	return false;
}

static void
pid_again(void)
{
	struct actor a, b;
	int64_t since;
	int i, rc;

	mark();
	actor_start(&a, ACTOR_ARMED, dies_inside, NULL);
	actor_hear(&a);
	i = roster_find(heap, a.pid);
	/* Two clock ticks: start times are told in them. */
	usleep(40000);
	actor_kill(&a);
	actor_end(&a);
	if (!impostor(&b, a.pid)) {
		tap_skip(3, "no pid can be used again here");
		exact();
		return;
	}
	ok(kill(b.pid, 0) == 0 && roster_find(heap, b.pid) == i &&
		   roster_dead(heap, i),
	   "a member is dead though a process of its pid has the heap");
	since = clock_ns() - clock_queued_ns();
	rc = posh_object_lock(heap, list, SECOND);
	since = clock_ns() - clock_queued_ns() - since;
	ok(rc == 0 && posh_object_unlock(heap, list) == 0 &&
		   since < SECOND / 10 * tap_slow(),
	   "its monitor is taken over (%d, %ld us)", rc, (long)since / 1000);
	ok(exact() && kill(b.pid, 0) == 0, "and nothing of it is left");
	actor_say(&b, 'g');
	actor_end(&b);
}

/*
 * Killed for want of memory
 */

/* Take private memory in a group that has less. */
static int
takes_memory(struct actor *me, void *arg)
{
	posh_handle o;
	char *p;
	int i;

	if (!group_join(arg))
		return 77;
	if (posh_list_new(heap, &o) || add(o) ||
	    posh_object_lock(heap, list, -1) || add(list))
		return 1;
	actor_say(me, 'r');
	p = mmap(NULL, 200 * MIB, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (i = 0; p != MAP_FAILED && i < 200; i++)
		memset(p + i * MIB, 1, MIB);
	return 77;
}

static void
out_of_memory(void)
{
	char group[GROUP_NAME];
	struct actor a;
	int64_t n;
	int rc;

	if (!group_make(group, "67108864")) {
		tap_skip(3, "no memory control group can be made here");
		return;
	}
	add(list);
	n = posh_list_len(heap, list);
	mark();
	actor_start(&a, ACTOR_ARMED, takes_memory, group);
	actor_hear(&a);
	rc = actor_end(&a);
	group_remove(group);
	if (rc == 77) {
		tap_skip(3, "the group's limit is not kept");
		return;
	}
	ok(rc == -SIGKILL, "a member takes more than its group has (%d)", rc);
	ok(call(list) == 0 && posh_list_len(heap, list) == n + 1 &&
		   posh_list_pop(heap, list, -1, NULL) == 0,
	   "its monitor is taken over, what it wrote is there");
	ok(exact(), "and nothing else of it is left");
}

/*
 * A recoverer that is stopped
 */

static long left;

static void
stop_here(const char *name)
{
	(void)name;
	if (--left == 0)
		raise(SIGSTOP);
}

/* Recover all dead; stop at a step. */
static int
recovers(struct actor *me, void *arg)
{
	actor_say(me, 'r');
	actor_hear(me);
	left = (long)(intptr_t)arg;
	posh__step = stop_here;
	return posh_heap_reap(heap) < 0;
}

/* What everybody can do whatever the stopped one is in, and that each wait has
 * a bound. */
static bool
others_go_on(posh_handle other, bool reap, bool *waits)
{
	struct posh_value v;
	int64_t since = clock_ns();
	bool fine;
	int rc;

	fine = posh_list_get(heap, list, 0, &v) == 0 && call(other) == 0 &&
	       add(other) == 0 && posh_list_pop(heap, other, -1, NULL) == 0;
	if (clock_ns() - since > SECOND * tap_slow())
		fine = false;
	rc = posh_object_lock(heap, list, SECOND / 50);
	*waits |= rc == -ETIMEDOUT;
	if (rc == 0)
		posh_object_unlock(heap, list);
	else if (rc != -ETIMEDOUT)
		fine = false;
	/* It may have to give up, which takes a second, but not to wait for
	 * ever. */
	rc = reap ? posh_heap_reap(heap) : 0;
	return fine && (rc >= 0 || rc == -ETIMEDOUT) &&
	       clock_ns() - since < 10 * SECOND * tap_slow();
}

/* One that comes meanwhile, and may get the entries that the dead one had. */
static int
newcomer(struct actor *me, void *arg)
{
	posh_handle *other = arg, o;

	if (posh_list_new(heap, &o) || add(o) ||
	    posh_object_lock(heap, *other, -1))
		return 1;
	actor_say(me, 'r');
	actor_hear(me);
	return posh_list_len(heap, o) != 1 || add(o) ||
	       posh_object_unlock(heap, *other) != 0;
}

/* Is the child stopped, rather than at its end? */
static bool
is_stopped(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOWAIT) ==
		       0 &&
	       info.si_code == CLD_STOPPED;
}

static void
stopped_recoverer(bool killed)
{
	bool waits = false, stops = true, went = true, whole = true;
	posh_handle other;
	struct actor a, b, c;
	long n;

	/* It has its room from the beginning. */
	if (posh_list_new(heap, &other) || add(other) ||
	    posh_list_pop(heap, other, -1, NULL))
		return;
	mark();
	for (n = 1; stops && went && whole && n < 1000;
	     n += tap_brief() ? 3 : 1) {
		actor_start(&b, ACTOR_ARMED, recovers, (void *)n);
		actor_hear(&b);
		actor_start(&a, ACTOR_ARMED, dies_inside, NULL);
		actor_hear(&a);
		actor_kill(&a);
		actor_end(&a);
		actor_say(&b, 'g');
		stops = is_stopped(b.pid);
		if (stops)
			went = others_go_on(other, n % 8 == 4, &waits);
		actor_start(&c, ACTOR_ARMED, newcomer, &other);
		went &= actor_hear(&c) == 'r';
		kill(b.pid, killed ? SIGKILL : SIGCONT);
		whole = actor_end(&b) == (stops && killed ? -SIGKILL : 0) &&
			call(list) == 0 &&
			posh_object_lock(heap, other, SECOND / 100) ==
				-ETIMEDOUT;
		actor_say(&c, 'g');
		whole &= actor_end(&c) == 0 && exact();
	}
	tap_note("%ld steps", n - 1);
	ok(!stops && n > 20,
	   "who recovers another is stopped at each of its steps%s",
	   killed ? ", and killed" : "");
	ok(went, "meanwhile others read, and write elsewhere, and no wait is "
		 "longer than its bound");
	ok(waits, "the dead one's monitor is what may have to wait");
	ok(whole, "%s: all is exact",
	   killed ? "when it was killed another one has done it"
		  : "it goes on");
	posh_object_drop(heap, other);
}

/*
 * A collector that is stopped
 */

static void
stop_at_gate(const char *name)
{
	if (!strcmp(name, "gate.1"))
		raise(SIGSTOP);
}

static int
collects(struct actor *me, void *arg)
{
	(void)arg;
	actor_say(me, 'r');
	actor_hear(me);
	posh__step = stop_at_gate;
	return posh_heap_collect(heap) < 0;
}

static int
writes(struct actor *me, void *arg)
{
	(void)arg;
	actor_say(me, 'r');
	actor_hear(me);
	actor_say(me, add(list) ? 'x' : 'w');
	return 0;
}

/* Read an object, and let it go. */
static bool
reads(int64_t i)
{
	struct posh_value v;

	if (posh_list_get(heap, list, i, &v) || v.type != POSH_OBJECT)
		return false;
	posh_object_drop(heap, v.object);
	return true;
}

static void
stopped_collector(bool killed)
{
	struct posh_value v = posh_fresh(POSH_KIND_LIST);
	struct pollfd silent;
	bool went = true;
	struct actor b, c;
	posh_handle own;
	int64_t since;
	int i;

	mark();
	if (posh_list_append(heap, list, &v) || posh_list_new(heap, &own) ||
	    add(own))
		return;
	posh_object_drop(heap, v.object);
	actor_start(&b, ACTOR_ARMED, collects, NULL);
	actor_start(&c, ACTOR_ARMED, writes, NULL);
	actor_hear(&b);
	actor_hear(&c);
	actor_say(&b, 'g');
	if (!ok(is_stopped(b.pid), "a collector is stopped behind its gate"))
		return;
	since = clock_ns();
	for (i = 0; i < 1000; i++)
		went &= reads(-1);
	posh_object_drop(heap, own);
	ok(went && clock_ns() - since < SECOND * tap_slow(),
	   "others read objects meanwhile, and let them go");
	actor_say(&c, 'g');
	silent = (struct pollfd){.fd = c.from, .events = POLLIN};
	ok(poll(&silent, 1, 100) == 0, "a writer waits");
	kill(b.pid, killed ? SIGKILL : SIGCONT);
	ok(actor_hear(&c) == 'w' && actor_end(&c) == 0 &&
		   actor_end(&b) == (killed ? -SIGKILL : 0),
	   "until that one %s", killed ? "is dead" : "goes on");
	went = posh_list_pop(heap, list, -1, NULL) == 0 &&
	       posh_list_pop(heap, list, -1, NULL) == 0;
	ok(went && exact(), "what was let go is gone, and all is exact");
}

int
main(void)
{
	static const struct way ways[] = {
		{"posix_spawn", by_spawn, true},
		{"vfork and exec", by_vfork, true},
		{"vfork and no exec", by_failure, false},
	};
	struct posh_options opts = {sizeof(opts), 64 << 20, 0, 0};
	size_t i;

	tap_limit(120);
	if (!ok(posh_heap_create(&opts, &heap) == 0 &&
			posh_list_new(heap, &list) == 0 && add(list) == 0,
		"a heap is made"))
		return tap_done();
	daemons();
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (ways[i].start != by_spawn && getenv("POSH_EMULATOR"))
			tap_skip(3, "an emulator's vfork is a fork");
		else
			programs(&ways[i]);
	pid_again();
	out_of_memory();
	stopped_recoverer(false);
	stopped_recoverer(true);
	stopped_collector(false);
	stopped_collector(true);
	posh_heap_close(heap);
	return tap_done();
}

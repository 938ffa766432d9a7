/* SPDX-License-Identifier: MIT */
/* actor.c - a child process that a test talks to, a byte at a time. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "posh.h"

pid_t
actor_raw_fork(void)
{
#ifdef SYS_fork
	return (pid_t)syscall(SYS_fork);
#else
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
}

bool
actor_raw_works(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status = -1;
	pid_t pid;

	if (p == MAP_FAILED || madvise(p, page, MADV_WIPEONFORK))
		return false;
	*p = 1;
	pid = actor_raw_fork();
	if (pid == 0)
		_exit(*p);
	waitpid(pid, &status, 0);
	munmap(p, page);
	return status == 0;
}

static pid_t
split(unsigned how)
{
	if (how & ACTOR_ARMED)
		posh_fork_arm();
	return how & ACTOR_RAW ? actor_raw_fork() : fork();
}

void
actor_start(struct actor *a, unsigned how, int (*f)(struct actor *, void *),
	    void *arg)
{
	int down[2], up[2];

	if (pipe(down) || pipe(up))
		abort();
	a->pid = split(how);
	if (a->pid < 0)
		abort();
	if (!a->pid) {
		/* A test that dies takes its children along. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(down[1]);
		close(up[0]);
		a->from = down[0];
		a->to = up[1];
		_exit(f(a, arg));
	}
	close(down[0]);
	close(up[1]);
	a->to = down[1];
	a->from = up[0];
}

void
actor_exec_self(const char *arg)
{
	const char *emulator = getenv("POSH_EMULATOR");
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return;
	self[n] = '\0';
	if (emulator)
		execl(emulator, emulator, self, arg, NULL);
	else
		execl(self, self, arg, NULL);
}

void
actor_say(struct actor *a, char c)
{
	while (write(a->to, &c, 1) < 0 && errno == EINTR)
		;
}

char
actor_hear(struct actor *a)
{
	char c = 0;

	while (read(a->from, &c, 1) < 0 && errno == EINTR)
		;
	return c;
}

int
actor_stays(struct actor *me, void *arg)
{
	(void)arg;
	actor_say(me, 'r');
	actor_hear(me);
	return 0;
}

void
actor_kill(struct actor *a)
{
	kill(a->pid, SIGKILL);
}

int
actor_end(struct actor *a)
{
	int status = 0;

	while (waitpid(a->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(a->to);
	close(a->from);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

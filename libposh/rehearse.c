/* SPDX-License-Identifier: MIT */
/* rehearse.c - would a recovery of this heap end well?
 *
 * A heap that was in use when the machine went down has members that died.
 * If its file is as they left it, recovery mends it like after any death.  If
 * not, because the power was lost and some pages were never written, it may
 * be anything, and recovery the wrong medicine.  So it is tried out on a
 * copy: in a child that maps the file once more, privately, over the mapping
 * that it inherited.  What the child writes nobody sees, and if it crashes or
 * does not come to an end that is an answer too.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach.h"

enum { PATIENCE = 60 }; /* seconds */

/* The signals that end a rehearsal shall end it. */
static void
defaults(void)
{
	static const int fatal[] = {SIGALRM, SIGSEGV, SIGBUS, SIGILL,
				    SIGFPE,  SIGABRT, SIGTERM};
	sigset_t none;
	unsigned i;

	for (i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		signal(fatal[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	alarm(PATIENCE);
}

/* Make the mapping a copy, and the descriptor one that cannot write. */
static bool
detach_copy(struct posh_heap *h)
{
	char link[40];
	int fd;

	if (mmap(h->base, h->reserve, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, h->fd,
		 0) == MAP_FAILED)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", h->fd);
	fd = open(link, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && dup2(fd, h->fd) >= 0;
}

static void
rehearse(struct posh__self *self, int result)
{
	bool well;

	defaults();
	if (!detach_copy(self->h))
		_exit(1);
	posh__member_reap(self);
	well = posh__check_quiet(self) == 0;
	_exit(!well || write(result, "w", 1) != 1);
}

int
posh__rehearse(struct posh__self *self)
{
	int ends[2];
	ssize_t n;
	char c;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	pid = posh__fork_aside();
	if (pid == 0) {
		close(ends[0]);
		rehearse(self, ends[1]);
	}
	close(ends[1]);
	/* By the pipe, as somebody else may wait for our children. */
	do
		n = pid < 0 ? 0 : read(ends[0], &c, 1);
	while (n < 0 && errno == EINTR);
	close(ends[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (pid < 0)
		return -ENOMEM;
	return n == 1 ? 0 : -EUCLEAN;
}

/* SPDX-License-Identifier: MIT */
/* alive.c - is a member dead?  The kernel knows.
 *
 * A member has two proofs of life.  One is a lock on its byte of the heap's
 * own file, far beyond the file's end, that an open file description of its
 * process owns: it goes with the last descriptor, by exit, exec or close.
 * The other is the process's identity: pid, start time, pid namespace, boot.
 * Neither will do alone.  A child that nobody prepared inherits the
 * description and keeps the byte locked when its parent is long gone; and a
 * program that closes all descriptors from 3 on, as daemons do, frees the
 * byte while it uses the heap.
 *
 *   another boot                  dead
 *   another pid namespace, or     dead if the byte is free
 *   a child not yet here (HANDOVER)
 *   the pid is gone, or is        dead, whatever the byte says
 *   another process's, or all
 *   threads of it have ended
 *   otherwise                     dead if the byte is free, and the process
 *                                 is a zombie or has the heap no longer
 *                                 mapped (it called exec)
 *
 * Whatever the kernel does not tell (hidden pids, no /proc) counts as life.
 *
 * All of this asks about a moment.  The answer "dead" is for ever: a member
 * entry goes from death to FREE only by recovery, and the state word, read
 * before and behind the questions, names one occupant.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach.h"
#include "cancel.h"

static uint64_t
fnv(const char *text, size_t n)
{
	uint64_t x = UINT64_C(0xcbf29ce484222325);

	while (n-- > 0)
		x = (x ^ (unsigned char)*text++) * UINT64_C(0x100000001b3);
	return x ? x : 1;
}

uint64_t
posh__boot(void)
{
	static posh__word known;
	char text[64];
	ssize_t n;
	int fd;

	if (posh__load(&known))
		return posh__load(&known);
	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n <= 0)
		return 0;
	posh__store(&known, fnv(text, (size_t)n));
	return posh__load(&known);
}

/* A number for the pid namespace and the one of time, which start times are
 * told in; 0 if /proc does not show this process by its pid. */
static uint64_t
namespaces(void)
{
	char self[24];
	ssize_t n = readlink("/proc/self", self, sizeof(self) - 1);
	struct stat pid, clock;

	if (n <= 0)
		return 0;
	self[n] = '\0';
	if (strtol(self, NULL, 10) != getpid() ||
	    stat("/proc/self/ns/pid", &pid))
		return 0;
	if (stat("/proc/self/ns/time", &clock))
		clock.st_ino = 0;
	return (uint64_t)pid.st_ino ^ (uint64_t)clock.st_ino << 32;
}

struct process {
	char state;
	uint64_t threads; /* that have not ended; a zombie itself is one */
	uint64_t start;
};

/* A number of such a file, text being the end of the second field. */
static uint64_t
field(const char *text, int number)
{
	for (; number > 2 && text; number--) {
		text = strchr(text, ' ');
		if (text)
			text++;
	}
	return text ? strtoull(text, NULL, 10) : UINT64_MAX;
}

/* Read what /proc says of the process's first thread, which it says of the
 * process too; false if that is nothing.  Not /proc/PID/stat, which emulators
 * make up for the process that they run, but for no other. */
static bool
look_up(pid_t pid, struct process *out)
{
	char text[1024], *p;
	ssize_t n;
	int fd;

	snprintf(text, sizeof(text), "/proc/%ld/task/%ld/stat", (long)pid,
		 (long)pid);
	fd = open(text, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	p = strrchr(text, ')'); /* behind the name, which may have anything */
	if (!p || p[1] != ' ')
		return false;
	out->state = p[2];
	out->threads = field(p, 20);
	out->start = field(p, 22);
	return out->start != UINT64_MAX;
}

void
posh__member_sign(struct posh_heap *h, struct posh__member *m)
{
	struct process self = {0, 0, 0};

	(void)h;
	look_up(getpid(), &self);
	posh__store(&m->start, self.start);
	posh__store(&m->pidns, self.start ? namespaces() : 0);
	posh__store(&m->boot, posh__boot());
	posh__store(&m->pid, (uint64_t)getpid());
}

/* Cut a line of /proc/PID/maps down to "device inode", or NULL. */
static char *
which_file(char *line)
{
	int column;
	char *start, *end;

	for (column = 0; column < 3; column++) {
		line = strchr(line, ' ');
		if (!line)
			return NULL;
		line++;
	}
	start = line;
	end = strchr(start, ' ');
	if (!end)
		return NULL;
	end = strpbrk(end + 1, " \n");
	if (end)
		*end = '\0';
	return start;
}

void
posh__note_mapping(struct posh_heap *h)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[4500];

	h->mapped[0] = '\0';
	while (f && fgets(line, sizeof(line), f)) {
		char *end, *file;
		uintptr_t from = strtoull(line, &end, 16), to;

		to = *end == '-' ? strtoull(end + 1, NULL, 16) : 0;
		if ((uintptr_t)h->base < from || (uintptr_t)h->base >= to)
			continue;
		file = which_file(line);
		if (file && strlen(file) < sizeof(h->mapped))
			strcpy(h->mapped, file);
		break;
	}
	if (f)
		fclose(f);
}

/* Does the process have the heap mapped, as far as is known? */
static bool
maps(struct posh_heap *h, pid_t pid)
{
	char line[4500];
	bool found = false;
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%ld/maps", (long)pid);
	f = h->mapped[0] ? fopen(line, "re") : NULL;
	if (!f)
		return true;
	while (!found && fgets(line, sizeof(line), f)) {
		char *file = which_file(line);

		found = file && !strcmp(file, h->mapped);
	}
	if (ferror(f)) /* not allowed to */
		found = true;
	fclose(f);
	return found;
}

bool
posh__byte_free(struct posh_heap *h, int64_t byte)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = byte,
		.l_len = 1,
	};
	int fd = posh__heap_fd(h);

	/* Asked by the description of h->fd, which owns no lock. */
	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 &&
	       lock.l_type == F_UNLCK;
}

/* Is the process, which was of this boot and these namespaces, gone? */
static bool
gone(struct posh_heap *h, uint32_t index, pid_t pid, uint64_t start)
{
	struct process p;

	/* No such process, nor a zombie of one. */
	if (kill(pid, 0) && errno == ESRCH)
		return true;
	if (!look_up(pid, &p))
		return false;
	if (start && p.start != start)
		return true;
	if (p.state == 'Z' && p.threads == 1)
		return true;
	return posh__byte_free(h, POSH__TOKEN(index)) &&
	       (p.state == 'Z' || p.state == 'X' || !maps(h, pid));
}

static bool
ask(struct posh_heap *h, uint32_t index, uint64_t state)
{
	struct posh__member *m = posh__member_at(h, index);
	uint64_t boot = posh__load(&m->boot), now = posh__boot();
	uint64_t pid = posh__load(&m->pid);
	uint64_t pidns = posh__load(&m->pidns);
	bool here;
	POSH__UNCANCELLED;

	if (POSH__MEMBER_STATE(state) == POSH__MEMBER_HANDOVER)
		return posh__byte_free(h, POSH__TOKEN(index));
	if (boot && now && boot != now)
		return true;
	here = pidns && pid && pid <= INT32_MAX &&
	       pidns == posh__load(&h->member->pidns);
	if (!here)
		return posh__byte_free(h, POSH__TOKEN(index));
	return gone(h, index, (pid_t)pid, posh__load(&m->start));
}

bool
posh__member_dead(struct posh_heap *h, uint32_t index)
{
	struct posh__member *m = posh__member_at(h, index);
	uint64_t state;
	bool dead;

	if (index >= posh__load(&h->hdr->members_high))
		return false;
	state = posh__load(&m->state);
	if (POSH__MEMBER_STATE(state) == POSH__MEMBER_FREE)
		return false;
#ifdef POSH_CHECK
	if (posh__dead_hook && posh__dead_hook(h, index, &dead))
		return dead;
#endif
	if (index == h->index)
		return false;
	dead = ask(h, index, state);
	return dead && posh__load(&m->state) == state;
}

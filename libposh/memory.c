/* SPDX-License-Identifier: MIT */
/* memory.c - how much memory the machine has for us.
 *
 * Under a memory control group nothing that takes memory fails: the process
 * is killed.  So whoever is about to take much asks here first.  Between the
 * answer and the taking others may be quicker; that is what max_size leaves
 * half of the machine for.
 */
#include "config.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

/* Read the front of a file as text; false if there is none. */
static bool
slurp(const char *path, char *buf, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got;

	if (fd < 0)
		return false;
	while (n < bytes - 1 && (got = read(fd, buf + n, bytes - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	buf[n] = '\0';
	return n > 0;
}

/* The number behind a word at the front of a line, or UINT64_MAX. */
static uint64_t
field(const char *text, const char *key)
{
	size_t n = strlen(key);
	const char *line = text;

	while (line) {
		if (!strncmp(line, key, n))
			return strtoull(line + n, NULL, 10);
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return UINT64_MAX;
}

/* What a file says that has one number in it; "max" is UINT64_MAX. */
static uint64_t
number(const char *dir, const char *name)
{
	char path[4400], text[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (!slurp(path, text, sizeof(text)) || text[0] < '0' || text[0] > '9')
		return UINT64_MAX;
	return strtoull(text, NULL, 10);
}

/* What the kernel would give back before it kills somebody. */
static uint64_t
reclaimable(const char *dir, const char *const key[2])
{
	char path[4400], text[8192];
	uint64_t a, b;

	snprintf(path, sizeof(path), "%s/memory.stat", dir);
	if (!slurp(path, text, sizeof(text)))
		return 0;
	a = field(text, key[0]);
	b = field(text, key[1]);
	return (a == UINT64_MAX ? 0 : a) + (b == UINT64_MAX ? 0 : b);
}

struct version {
	const char *mount, *limit, *used, *file[2];
};

static const struct version v2 = {
	"/sys/fs/cgroup",
	"memory.max",
	"memory.current",
	{"active_file ", "inactive_file "},
};
static const struct version v1 = {
	"/sys/fs/cgroup/memory",
	"memory.limit_in_bytes",
	"memory.usage_in_bytes",
	{"total_active_file ", "total_inactive_file "},
};

static void
see_group(const struct version *v, const char *dir, struct posh__memory *out)
{
	uint64_t limit = number(dir, v->limit);
	uint64_t used = number(dir, v->used), room;

	if (limit == UINT64_MAX)
		return;
	if (limit < out->total)
		out->total = limit;
	if (used == UINT64_MAX)
		return;
	room = limit + reclaimable(dir, v->file);
	room = room > used ? room - used : 0;
	if (room < out->available)
		out->available = room;
}

/* The group and all those above it.  In a container the path may lie above
 * what is mounted; the mount itself is then the container's group. */
static void
see_groups(const struct version *v, const char *group, struct posh__memory *out)
{
	char dir[4200];
	size_t root = strlen(v->mount);
	char *slash;

	snprintf(dir, sizeof(dir), "%s%s", v->mount, group);
	while (strlen(dir) > root) {
		see_group(v, dir, out);
		slash = strrchr(dir, '/');
		*slash = '\0';
	}
	see_group(v, v->mount, out);
}

/* Lines are "number:controllers:path"; number 0 is version 2. */
static void
see_line(char *line, struct posh__memory *out)
{
	char *kind = strchr(line, ':');
	char *group = kind ? strchr(kind + 1, ':') : NULL;

	if (!group)
		return;
	*group++ = '\0';
	kind++;
	if (!strncmp(line, "0:", 2))
		see_groups(&v2, group, out);
	else if (strstr(kind, "memory"))
		see_groups(&v1, group, out);
}

void
posh__memory_ask(struct posh__memory *out)
{
	char text[8192], *line, *save;

	out->total = out->available = UINT64_MAX;
	if (slurp("/proc/meminfo", text, sizeof(text))) {
		uint64_t kib = field(text, "MemTotal:");

		if (kib != UINT64_MAX)
			out->total = kib << 10;
		kib = field(text, "MemAvailable:");
		if (kib != UINT64_MAX)
			out->available = kib << 10;
	}
	if (!slurp("/proc/self/cgroup", text, sizeof(text)))
		return;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		see_line(line, out);
}

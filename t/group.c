/* SPDX-License-Identifier: MIT */
/* group.c - a memory control group, where one can be made. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "group.h"

static bool
put_text(const char *group, const char *name, const char *value)
{
	char file[200];
	bool done;
	int fd;

	snprintf(file, sizeof(file), "%s/%s", group, name);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	done = fd >= 0 &&
	       write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	if (fd >= 0)
		close(fd);
	return done;
}

bool
group_make(char group[GROUP_NAME], const char *bytes)
{
	static const struct {
		const char *dir, *limit;
	} kind[] = {
		{"/sys/fs/cgroup", "memory.max"},
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
	};
	int i;

	for (i = 0; i < 2; i++) {
		snprintf(group, GROUP_NAME, "%s/posh-test-%ld", kind[i].dir,
			 (long)getpid());
		if (mkdir(group, 0755))
			continue;
		if (put_text(group, kind[i].limit, bytes))
			return true;
		group_remove(group);
	}
	return false;
}

bool
group_join(const char *group)
{
	return put_text(group, "cgroup.procs", "0");
}

void
group_remove(const char *group)
{
	while (rmdir(group) && errno == EBUSY)
		usleep(1000);
}

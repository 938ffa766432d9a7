/* SPDX-License-Identifier: MIT */
/* clock.c - how long something took that was not for want of a processor. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

int64_t
clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
schedstat(const char *path, long long *ran, long long *queued)
{
	char text[80];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	*ran = *queued = 0;
	sscanf(text, "%lld %lld", ran, queued);
}

int64_t
clock_queued_ns(void)
{
	long long ran, queued;

	schedstat("/proc/thread-self/schedstat", &ran, &queued);
	return queued;
}

int64_t
clock_queued_of(pid_t thread)
{
	long long ran, queued;
	char path[40];

	snprintf(path, sizeof(path), "/proc/%ld/schedstat", (long)thread);
	schedstat(path, &ran, &queued);
	return queued;
}

int64_t
clock_busy_ns(void)
{
	long long ran, queued;

	schedstat("/proc/thread-self/schedstat", &ran, &queued);
	return ran + queued;
}

void
clock_sleep(int64_t ns)
{
	struct timespec t = {ns / 1000000000, ns % 1000000000};

	nanosleep(&t, NULL);
}

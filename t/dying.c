/* SPDX-License-Identifier: MIT */
/* dying.c - processes that die at their nth step, for crash tests. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "atomic.h"
#include "dying.h"
#include "tap.h"

enum { MAX = 300, NAME = 32 };

/* What all processes of the test share. */
static struct {
	char last[NAME];
	char covered[MAX][NAME];
} * shared;

static long left;
static const char *only;

static bool
counts(const char *name)
{
	size_t n = strcspn(name, ".");
	const char *at = only;

	if (!only)
		return true;
	for (; *at; at += strcspn(at, " "), at += strspn(at, " "))
		if (strcspn(at, " ") == n && !strncmp(at, name, n))
			return true;
	return false;
}

static void
note(const char *name)
{
	int i;

	for (i = 0; i < MAX && shared->covered[i][0]; i++)
		if (!strcmp(shared->covered[i], name))
			return;
	if (i < MAX)
		strncpy(shared->covered[i], name, NAME - 1);
}

static void
step(const char *name)
{
	if (!counts(name))
		return;
	memset(shared->last, 0, NAME);
	strncpy(shared->last, name, NAME - 1);
	note(name);
	if (--left == 0)
		raise(SIGKILL);
}

void
dying_init(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		abort();
}

void
dying_at(long n, const char *files)
{
	left = n;
	only = files;
	posh__step = step;
}

const char *
dying_last(void)
{
	return shared->last;
}

bool
dying_covered(const char *name)
{
	int i;

	for (i = 0; i < MAX; i++)
		if (!strcmp(shared->covered[i], name))
			return true;
	return false;
}

void
dying_report(const char *file, int n)
{
	char name[NAME];
	int i;

	for (i = 1; i <= n; i++) {
		snprintf(name, sizeof(name), "%s.%d", file, i);
		ok(dying_covered(name), "step %s was a moment of death", name);
	}
}

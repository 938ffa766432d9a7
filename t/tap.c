/* SPDX-License-Identifier: MIT */
/* tap.c - report tests in the Test Anything Protocol. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tap.h"

static int count, failed;

/* A line at once, so that a child that was forked has nothing to repeat. */
static void
line(const char *head, int number, const char *fmt, va_list ap)
{
	char text[512];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (number)
		printf("%s %d - %s\n", head, number, text);
	else
		printf("%s %s\n", head, text);
	fflush(stdout);
}

bool
tap_ok(bool pass, const char *file, int lineno, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(pass ? "ok" : "not ok", ++count, fmt, ap);
	va_end(ap);
	if (!pass) {
		failed++;
		tap_note("failed at %s:%d", file, lineno);
	}
	return pass;
}

void
tap_skip(int n, const char *why)
{
	while (n-- > 0)
		printf("ok %d # SKIP %s\n", ++count, why);
	fflush(stdout);
}

void
tap_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line("#", 0, fmt, ap);
	va_end(ap);
}

static unsigned
number(const char *name, unsigned otherwise)
{
	const char *s = getenv(name);
	int n = s ? atoi(s) : 0;

	return n > 0 ? (unsigned)n : otherwise;
}

unsigned
tap_slow(void)
{
	return number("POSH_SLOW", 1);
}

unsigned
tap_soak(void)
{
	return number("POSH_SOAK", 0);
}

bool
tap_brief(void)
{
	return getenv("POSH_BRIEF") != NULL;
}

void
tap_limit(unsigned seconds)
{
	alarm(seconds * tap_slow());
}

int
tap_done(void)
{
	printf("1..%d\n", count);
	fflush(stdout);
	return failed != 0;
}

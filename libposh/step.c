/* SPDX-License-Identifier: MIT */
/* step.c - where the tests take hold of the library. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"

#ifdef POSH_CHECK
void (*posh__access)(const volatile void *p, enum posh__access kind);
void (*posh__wait_hook)(const volatile void *p, uint32_t seen, bool timed);
void (*posh__slept)(const volatile void *p, uint32_t seen, int64_t from,
		    int64_t most);
enum posh__rule posh__broken;

static const char *const rules[] = {"",
#define X(name, text) #name,
				    POSH__RULES(X)
#undef X
};

/* The rule that POSH_TWIN names is left out. */
static void __attribute__((__constructor__)) break_rule(void)
{
	const char *name = getenv("POSH_TWIN");
	size_t i;

	for (i = 0; name && *name && i < sizeof(rules) / sizeof(*rules); i++)
		if (!strcmp(rules[i], name))
			posh__broken = (enum posh__rule)i;
	if (name && *name && !posh__broken) {
		fprintf(stderr, "no rule is called %s\n", name);
		exit(99);
	}
}

void (*posh__step)(const char *name);
bool (*posh__dead_hook)(struct posh_heap *h, uint32_t member, bool *answer);
#endif

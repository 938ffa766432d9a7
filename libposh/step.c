/* SPDX-License-Identifier: MIT */
/* step.c - where the tests take hold of the library. */
#include "config.h"

#include "attach.h"

#ifdef POSH_CHECK
void (*posh__step)(const char *name);
bool (*posh__dead_hook)(struct posh_heap *h, uint32_t member, bool *answer);
#endif

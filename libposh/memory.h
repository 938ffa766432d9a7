/* SPDX-License-Identifier: MIT */
/* memory.h - how much memory the machine has for us. */
#ifndef POSH_MEMORY_H
#define POSH_MEMORY_H

#include <stdint.h>

struct posh__memory {
	uint64_t total;     /* of the machine, or of the control group */
	uint64_t available; /* of that, without swapping or a kill */
};

/* Ask the kernel; what it does not tell is UINT64_MAX. */
void posh__memory_ask(struct posh__memory *out);

#endif

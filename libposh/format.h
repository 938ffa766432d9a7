/* SPDX-License-Identifier: MIT */
/* format.h - a heap's header: made, and verified. */
#ifndef POSH_FORMAT_H
#define POSH_FORMAT_H

#include "layout.h"

#define POSH__MIN_SIZE (UINT64_C(1) << 20)
#define POSH__MAX_SIZE (UINT64_C(1) << 46)

/* Fill in a header for a heap of max_size bytes, which lies between the two
 * above, as it is before anybody attaches. */
void posh__format(struct posh__header *out, uint64_t max_size);

/* Is this the header of a heap that we can use?  file_bytes is the size of
 * its file.
 *   -EBADMSG, -EPROTONOSUPPORT, -EUCLEAN */
int posh__format_check(const struct posh__header *hdr, uint64_t file_bytes);

#endif

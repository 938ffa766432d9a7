/* SPDX-License-Identifier: MIT */
/* bytes.h - buffers and blobs that say themselves whether they are whole.
 *
 * A blob has a checksum of all of its bytes, and is never written again.  So
 * has a buffer of one half, which is only ever written in whole.  Those of the
 * other half are rows of records with a checksum each, which come and go.
 */
#ifndef POSH_BYTES_H
#define POSH_BYTES_H

#include <stdint.h>

#include "posh.h"

/* Bytes are not what somebody wrote. */
enum { BYTES_WRONG = 1 };

/* Make a buffer or a blob; the caller owns a hold.  Returns 0 or a negative
 * errno.  What is made, and done, follows from the random number. */
int bytes_make(posh_heap *h, uint64_t random, enum posh_kind *kind,
	       posh_handle *out);

/* Do something to a buffer, or read a blob.  Returns 0, BYTES_WRONG or a
 * negative errno that others' work may be the cause of; *op is what was done.
 */
int bytes_change(posh_heap *h, posh_handle o, enum posh_kind kind,
		 uint64_t random, const char **op);

/* Read all of it.  Returns the same. */
int bytes_look(posh_heap *h, posh_handle o, enum posh_kind kind);

#endif

/* SPDX-License-Identifier: MIT */
/* peer.h - an allocator that bench/alloc compares. */
#ifndef POSH_PEER_H
#define POSH_PEER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct peer {
	const char *name;
	void *(*alloc)(size_t bytes);
	void (*free)(void *p);
};

/* Boost.Interprocess, where configure found it. */
const struct peer *boost_peer(void);

#ifdef __cplusplus
}
#endif

#endif

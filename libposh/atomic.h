/* SPDX-License-Identifier: MIT */
/* atomic.h - the one door to libatomic_ops, and the test hooks.
 *
 * Every access to memory that another process may use at the same time goes
 * through here.  POSH_STEP("file.n") stands after each effect that others
 * can see: it is nothing in the installed library, and a call in
 * libposh-check, where a test kills the process or switches to another.
 *
 * Orders: a load is an acquire, a store a release; a compare-and-swap is
 * both, and *also* a full barrier on x86 only.  Where a store must be seen
 * before a later load is made, there is a posh__fence() in between.
 */
#ifndef POSH_ATOMIC_H
#define POSH_ATOMIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <atomic_ops.h>

#include "rule.h"

/* A word of shared memory, and half of one. */
typedef volatile AO_t posh__word;
typedef volatile unsigned int posh__half;

_Static_assert(sizeof(AO_t) == 8, "libposh needs a 64-bit machine");
_Static_assert(sizeof(unsigned int) == 4, "a lock word has 32 bits");

enum posh__access {
	POSH__ACCESS_LOAD,
	POSH__ACCESS_STORE,
	POSH__ACCESS_RMW,     /* a read-modify-write, successful or not */
	POSH__ACCESS_FENCE,   /* a full one: of no address */
	POSH__ACCESS_BARRIER, /* one that every thread makes: of no address */
};

#ifdef POSH_CHECK
extern void (*posh__step)(const char *name);
#define POSH_STEP(name) (posh__step ? posh__step(name) : (void)0)

/* Called ahead of each access: a test may have another member go on here. */
extern void (*posh__access)(const volatile void *p, enum posh__access kind);
#define POSH_ACCESS(p, kind)                                                   \
	(posh__access ? posh__access((p), POSH__ACCESS_##kind) : (void)0)
#else
#define POSH_STEP(name)      ((void)0)
#define POSH_ACCESS(p, kind) ((void)0)
#endif

static inline uint64_t
posh__load(const posh__word *w)
{
	POSH_ACCESS(w, LOAD);
	return AO_load_acquire(w);
}

/* A load whose order does not matter: the caller owns the word, or checks
 * the value with a compare-and-swap. */
static inline uint64_t
posh__peek(const posh__word *w)
{
	POSH_ACCESS(w, LOAD);
	return AO_load(w);
}

static inline void
posh__store(posh__word *w, uint64_t v)
{
	POSH_ACCESS(w, STORE);
	AO_store_release(w, v);
}

/* Words of this process alone which its threads look at without a lock: each
 * is a hint, or is read again under one.  No order, and no other process. */
static inline uint64_t
posh__private_load(const posh__word *w)
{
	return AO_load(w);
}

static inline void
posh__private_store(posh__word *w, uint64_t v)
{
	AO_store(w, v);
}

/* A full barrier.  A locked instruction on the stack is a tenth of what
 * mfence costs, which AO_nop_full is with some compilers. */
static inline void
posh__fence(void)
{
	POSH_ACCESS(NULL, FENCE);
#if defined(__x86_64__)
	__asm__ volatile("lock orl $0, -4(%%rsp)" ::: "memory", "cc");
#else
	AO_nop_full();
#endif
}

/* Keep later stores behind earlier ones. */
static inline void
posh__store_fence(void)
{
	AO_nop_write();
}

/* Keep later loads behind earlier ones: nothing on x86. */
static inline void
posh__load_fence(void)
{
	AO_nop_read();
}

/* Keep the compiler from moving accesses; for what only has to be in
 * program order, as a killed process leaves it. */
static inline void
posh__compiler_fence(void)
{
	AO_compiler_barrier();
}

static inline bool
posh__cas(posh__word *w, uint64_t old, uint64_t new)
{
	POSH_ACCESS(w, RMW);
	return AO_compare_and_swap_full(w, old, new);
}

static inline uint64_t
posh__add(posh__word *w, uint64_t n)
{
	POSH_ACCESS(w, RMW);
	return AO_fetch_and_add_full(w, n);
}

static inline void
posh__or(posh__word *w, uint64_t bits)
{
	POSH_ACCESS(w, RMW);
	AO_or_full(w, bits);
}

static inline void
posh__and(posh__word *w, uint64_t bits)
{
	POSH_ACCESS(w, RMW);
	AO_and_full(w, bits);
}

static inline uint32_t
posh__half_load(const posh__half *w)
{
	POSH_ACCESS(w, LOAD);
	return AO_int_load_acquire(w);
}

static inline void
posh__half_store(posh__half *w, uint32_t v)
{
	POSH_ACCESS(w, STORE);
	AO_int_store_release(w, v);
}

static inline bool
posh__half_cas(posh__half *w, uint32_t old, uint32_t new)
{
	POSH_ACCESS(w, RMW);
	return AO_int_compare_and_swap_full(w, old, new);
}

#endif

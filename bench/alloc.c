/* SPDX-License-Identifier: MIT */
/* The allocator beside others: what an allocation and its freeing cost.
 *
 *   alloc [rounds]     prints a table, in nanoseconds a pair, medians
 *   alloc -m [rounds]  prints lines for a program: workload peer ns
 *
 * Each peer does each workload once in a round, by turns.  All are called
 * through a pointer, in one process; mimalloc is loaded so that it does not
 * take malloc's place.  POSH does what making and dropping a boxed value
 * does: reserve, note in a journal, birth, and a compare-and-swap ahead of
 * the freeing.
 */
#include "config.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "peer.h"
#include "ref.h"

enum { PAIRS = 200000, SLOTS = 1000, MAX_ROUNDS = 99 };

static posh_heap *heap;
static struct posh__self *self;

static void *
posh_alloc(size_t bytes)
{
	uint64_t block;

	if (posh__block_reserve(self, bytes, &block))
		return NULL;
	posh__store(&self->t->val[0], block);
	posh__block_birth(self, block, 1);
	return posh__at(heap, block);
}

static void
posh_free(void *p)
{
	uint64_t block = (uint64_t)((char *)p - heap->base);
	posh__word *w = posh__block_word(heap, block);

	if (!posh__cas(w, posh__load(w),
		       POSH__WORD(POSH__DEAD, self->tid, 0, 0)))
		abort();
	posh__block_free(self, block);
}

static struct peer peers[] = {
	{"malloc", malloc, free},
	{"posh", posh_alloc, posh_free},
	{"mimalloc", NULL, NULL},
	{"boost", NULL, NULL},
};

enum { NPEERS = sizeof(peers) / sizeof(peers[0]) };

static void
load_peers(void)
{
	void *lib = dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_LOCAL);

	if (!lib)
		lib = dlopen("libmimalloc.so", RTLD_NOW | RTLD_LOCAL);
	if (lib) {
		*(void **)&peers[2].alloc = dlsym(lib, "mi_malloc");
		*(void **)&peers[2].free = dlsym(lib, "mi_free");
	}
#ifdef HAVE_BOOST
	peers[3] = *boost_peer();
#endif
}

/* A size as programs ask for: half of them below 48, few above 1024. */
static size_t
size_of(uint64_t r)
{
	unsigned shift = (unsigned)__builtin_ctzll(r | 64);

	return 16 + (size_t)(r >> 32 & 31) + ((size_t)32 << shift) - 32;
}

static uint64_t
next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* One block at a time, beside a hundred others. */
static void
pair64(const struct peer *p)
{
	void *other[100];
	int i;

	for (i = 0; i < 100; i++)
		other[i] = p->alloc(64);
	for (i = 0; i < PAIRS; i++) {
		volatile char *b = p->alloc(64);

		b[32] = 1;
		p->free((void *)b);
	}
	for (i = 0; i < 100; i++)
		p->free(other[i]);
}

/* Blocks of mixed sizes, any one of which is replaced. */
static void
mixed(const struct peer *p)
{
	static char *slot[SLOTS];
	uint64_t x = UINT64_C(0x9e3779b97f4a7c15);
	int i;

	for (i = 0; i < SLOTS; i++)
		slot[i] = p->alloc(size_of(next(&x)));
	for (i = 0; i < PAIRS; i++) {
		uint64_t r = next(&x);
		char **s = &slot[(r >> 8) % SLOTS];

		p->free(*s);
		*s = p->alloc(size_of(r));
		(*s)[8] = 1;
	}
	for (i = 0; i < SLOTS; i++)
		p->free(slot[i]);
}

/* Many of one size, then none: as a list that is filled and cleared. */
static void
wave(const struct peer *p)
{
	static void *slot[PAIRS / 10];
	int i, k;

	for (k = 0; k < 10; k++) {
		for (i = 0; i < PAIRS / 10; i++) {
			slot[i] = p->alloc(48);
			((char *)slot[i])[8] = 1;
		}
		for (i = 0; i < PAIRS / 10; i++)
			p->free(slot[i]);
	}
}

static const struct {
	const char *name;
	void (*run)(const struct peer *p);
} loads[] = {
	{"64 bytes", pair64},
	{"mixed sizes", mixed},
	{"20,000 of 48 bytes", wave},
};

enum { NLOADS = sizeof(loads) / sizeof(loads[0]) };

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double took[NLOADS][NPEERS][MAX_ROUNDS];

static int
order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
measure(int rounds)
{
	int r, l, p;

	for (r = -1; r < rounds; r++) /* the first one warms up */
		for (l = 0; l < NLOADS; l++)
			for (p = 0; p < NPEERS; p++) {
				double t = now();

				if (!peers[p].alloc)
					continue;
				loads[l].run(&peers[p]);
				if (r >= 0)
					took[l][p][r] = (now() - t) / PAIRS;
			}
	for (l = 0; l < NLOADS; l++)
		for (p = 0; p < NPEERS; p++)
			qsort(took[l][p], (size_t)rounds, sizeof(double),
			      order);
}

static void
print_table(int rounds)
{
	int l, p;

	printf("%-20s", "allocate and free");
	for (p = 0; p < NPEERS; p++)
		if (peers[p].alloc)
			printf("%10s", peers[p].name);
	printf("%14s\n", "posh/malloc");
	for (l = 0; l < NLOADS; l++) {
		printf("%-20s", loads[l].name);
		for (p = 0; p < NPEERS; p++)
			if (peers[p].alloc)
				printf("%7.1f ns", took[l][p][rounds / 2]);
		printf("%14.2f\n",
		       took[l][1][rounds / 2] / took[l][0][rounds / 2]);
	}
}

static void
print_lines(int rounds)
{
	int l, p;

	for (l = 0; l < NLOADS; l++)
		for (p = 0; p < NPEERS; p++)
			if (peers[p].alloc)
				printf("%s\t%s\t%.2f\n", loads[l].name,
				       peers[p].name, took[l][p][rounds / 2]);
}

int
main(int argc, char **argv)
{
	bool lines = argc > 1 && strcmp(argv[1], "-m") == 0;
	int rounds = argc > 1 + lines ? atoi(argv[1 + lines]) : 9;
	int rc = posh_heap_create(NULL, &heap);

	if (rc) {
		fprintf(stderr, "alloc: %s\n", posh_error_text(rc));
		return 1;
	}
	if (rounds < 1 || rounds > MAX_ROUNDS) {
		fprintf(stderr, "usage: alloc [-m] [rounds up to %d]\n",
			MAX_ROUNDS);
		return 2;
	}
	load_peers();
	if (posh__enter_write(heap, &self))
		return 1;
	measure(rounds);
	posh__store(&self->t->val[0], 0);
	posh__leave(self);
	posh_heap_close(heap);
	if (lines)
		print_lines(rounds);
	else
		print_table(rounds);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* fuzz.c - damaged heaps without a fuzzer: by the recipes of fuzz/seeds.txt
 * and others from a fixed sequence of random numbers, each tried by a child
 * that must come to an end.
 *
 *   t/fuzz.t FILE...      print inputs, and replay them
 *   t/fuzz.t --seeds DIR  write a corpus for the fuzzer to begin with
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../fuzz/fuzz.h"
#include "tap.h"

enum {
	CHANGES = 4,
	MAX = 1 + 8 * RECIPE, /* bytes of an input */
	SEEDS = 1000,
	BATCH = 25,
	BATCHES = 80,
	LIMIT = 60, /* seconds for a batch, on a busy machine */
	QUICK = 20, /* seconds for all */
};

static uint64_t seed = 20260101;

static uint64_t
dice(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return seed >> 24;
}

/* The recipe of a number: which kind of damage, where and what is by
 * chance. */
static size_t
recipe(uint64_t number, uint8_t *out)
{
	size_t size = 1, i, changes;

	seed = number * UINT64_C(0x9e3779b97f4a7c15) + 1;
	dice();
	out[0] = (uint8_t)dice();
	changes = 1 + dice() % CHANGES;
	for (i = 0; i < changes * RECIPE; i++)
		out[size++] = (uint8_t)(dice() >> 8);
	return size;
}

static struct {
	uint8_t data[MAX];
	size_t size;
} seeds[SEEDS];

static size_t
seed_of(uint64_t number, uint8_t *out)
{
	memcpy(out, seeds[number].data, seeds[number].size);
	return seeds[number].size;
}

/* The bytes of a line in hexadecimal; how many, or 0 if it is none. */
static size_t
bytes_of(const char *line, uint8_t *out)
{
	size_t size = 0;
	int used;
	unsigned byte;

	while (size < MAX && sscanf(line, "%2x%n", &byte, &used) == 1 &&
	       used == 2) {
		out[size++] = (uint8_t)byte;
		line += 2;
	}
	return *line == '\n' ? size : 0;
}

/* Read fuzz/seeds.txt; how many there are, or 0 if it is not as it should
 * be. */
static size_t
read_seeds(void)
{
	const char *tree = getenv("srcdir");
	char path[4096], line[4096];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/fuzz/seeds.txt", tree ? tree : ".");
	f = fopen(path, "r");
	while (f && n < SEEDS && fgets(line, sizeof(line), f)) {
		if (*line == '#' || *line == '\n')
			continue;
		seeds[n].size = bytes_of(line, seeds[n].data);
		if (!seeds[n++].size) {
			tap_note("%s: no input: %s", path, line);
			n = 0;
			break;
		}
	}
	if (f)
		fclose(f);
	return n;
}

static void
print(const uint8_t *data, size_t size)
{
	char text[2 * MAX + 1];
	size_t i;

	for (i = 0; i < size; i++)
		snprintf(text + 2 * i, 3, "%02x", data[i]);
	tap_note("input: %s", text);
}

/* Where a batch is, for whom it leaves behind. */
static uint64_t *now;

typedef size_t source(uint64_t number, uint8_t *out);

/* Inputs from one number to before another. */
static bool
batch(source *input, uint64_t from, uint64_t to)
{
	uint8_t data[MAX];
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		tap_limit(LIMIT);
		for (*now = from; *now < to; ++*now)
			LLVMFuzzerTestOneInput(data, input(*now, data));
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	if (!status)
		return true;
	tap_note("input %llu ended with status %#x", (unsigned long long)*now,
		 (unsigned)status);
	print(data, input(*now, data));
	return false;
}

/* Each by its own child, so that one that fails hides no other. */
static uint64_t
replay_seeds(size_t n)
{
	uint64_t i, failed = 0;

	for (i = 0; i < n; i++)
		failed += !batch(seed_of, i, i + 1);
	return failed;
}

static int
replay(const char *name)
{
	static uint8_t data[1 << 20];
	ssize_t n = -1;
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		n = read(fd, data, sizeof(data));
		close(fd);
	}
	if (n < 0) {
		fprintf(stderr, "%s: %s\n", name, strerror(errno));
		return 1;
	}
	if (n <= MAX)
		print(data, (size_t)n);
	LLVMFuzzerTestOneInput(data, (size_t)n);
	return 0;
}

static bool
write_seed(const char *directory, size_t i, const uint8_t *data, size_t size)
{
	char name[4096];
	bool good;
	int fd;

	snprintf(name, sizeof(name), "%s/seed-%zu", directory, i);
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	good = fd >= 0 && write(fd, data, size) == (ssize_t)size;
	if (!good)
		fprintf(stderr, "%s: %s\n", name, strerror(errno));
	if (fd >= 0)
		close(fd);
	return good;
}

/* Those of the tree; each image as it is; and each with random changes. */
static int
write_seeds(const char *directory)
{
	size_t n = images_make(), known = read_seeds(), i, size;
	uint8_t data[MAX];
	bool good = known > 0;

	for (i = 0; good && i < known; i++)
		good = write_seed(directory, i, seeds[i].data, seeds[i].size);
	for (i = 0; good && i < 2 * n; i++) {
		size = i < n ? 1 : recipe(i, data);
		data[0] = (uint8_t)(i % n);
		good = write_seed(directory, known + i, data, size);
	}
	return !good;
}

/* Images that nobody damaged are whole, also after their recovery. */
static bool
all_whole(void)
{
	size_t n = images_make(), i;
	int wrong = 0;

	for (i = 0; i < n; i++) {
		uint8_t which = (uint8_t)i;
		int fd = image_file(&which, 1), found = -1;
		posh_heap *h;

		if (posh_heap_open_fd(fd, &h) == 0) {
			found = posh_heap_check(h, NULL, NULL);
			posh_heap_close(h);
		}
		if (found) {
			wrong++;
			tap_note("image %zu: %d", i, found);
		}
		close(fd);
	}
	return !wrong;
}

int
main(int argc, char **argv)
{
	time_t end = time(NULL) + (tap_soak() ? tap_soak() : QUICK);
	uint64_t i, failed = 0;
	size_t known;
	int rc = 0, k;

	if (argc == 3 && !strcmp(argv[1], "--seeds"))
		return write_seeds(argv[2]);
	for (k = 1; k < argc; k++)
		rc |= replay(argv[k]);
	if (argc > 1)
		return rc;
	now = mmap(NULL, sizeof(*now), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (now == MAP_FAILED)
		abort();
	ok(images_make() > 30, "heaps are left whole and half-way");
	ok(all_whole(), "without damage all of them are in order");
	known = read_seeds();
	ok(known && !replay_seeds(known),
	   "%zu heaps that were chosen crash nothing, and keep nobody", known);
	for (i = 0; (i < BATCHES || tap_soak()) && time(NULL) < end; i++)
		failed += !batch(recipe, i * BATCH, (i + 1) * BATCH);
	ok(!failed, "%llu damaged heaps crash nothing, and keep nobody",
	   (unsigned long long)(i * BATCH));
	return tap_done();
}

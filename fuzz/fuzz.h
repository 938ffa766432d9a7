/* SPDX-License-Identifier: MIT */
/* fuzz.h - damaged heaps: made from whole ones by recipe, and used. */
#ifndef POSH_FUZZ_H
#define POSH_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "posh.h"

/* A heap's file, as its pages that are not all zeros. */
enum { IMAGE_PAGE = 4096 };

struct image {
	uint64_t size; /* of the file */
	size_t pages;
	uint64_t *at; /* where each lies */
	unsigned char (*data)[IMAGE_PAGE];
};

/* Heaps that were left in order, and by processes that died in the middle of
 * something.  Made once, by processes that are forked; returns how many. */
size_t images_make(void);
const struct image *image_get(size_t i);

/* A file of the image as the recipe changes it, in memory.
 *
 * A recipe is the number of an image, a byte, and then changes of RECIPE
 * bytes: how:8, which word:24, and a number:64. */
enum { RECIPE = 12 };
int image_file(const uint8_t *recipe, size_t size);

/* Open the heap in the file, and do everything with it that one can. */
void visit_file(int fd);

/* What the fuzzer calls.  One input: a recipe, or if it begins as a heap does,
 * the file itself. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif

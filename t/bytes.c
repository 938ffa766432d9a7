/* SPDX-License-Identifier: MIT */
/* bytes.c - buffers and blobs that say themselves whether they are whole. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"

enum {
	WORDS = 12000, /* of the longest */
	LONG = 1000,   /* a row of records is made shorter from here on */
	RECORD = 8,    /* bytes of a record, a word */
};

#define POISON UINT64_C(0xdbdbdbdbdbdbdbdb) /* of freed blocks */

static _Thread_local uint64_t words[WORDS]; /* of one operation */

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/*
 * What the bytes are
 */

static void
make_records(uint64_t random, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		uint64_t x = mix(random + i) & UINT32_MAX;

		words[i] = x << 32 | (mix(x) & UINT32_MAX);
	}
}

static bool
records_right(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((words[i] & UINT32_MAX) !=
		    (mix(words[i] >> 32) & UINT32_MAX))
			return false;
	return true;
}

static uint64_t
sum(size_t n)
{
	uint64_t x = n;
	size_t i;

	for (i = 1; i < n; i++)
		x = mix(x ^ words[i]);
	return x;
}

static void
make_whole(uint64_t random, size_t n)
{
	size_t i;

	for (i = 1; i < n; i++)
		words[i] = mix(random + i);
	words[0] = sum(n);
}

static bool
whole_right(size_t n)
{
	return words[0] == sum(n);
}

static size_t
whole_size(uint64_t random)
{
	if (random % 64 == 0)
		return 2 + (random >> 8) % (WORDS - 2);
	return 2 + (random >> 8) % (random % 8 ? 40 : LONG);
}

/* How many words a buffer has that is only written in whole; 0: records. */
static int
whole_of(posh_heap *h, posh_handle o, size_t *n)
{
	struct posh_value meta;
	int rc = posh_buffer_meta(h, o, &meta);

	if (rc)
		return rc;
	*n = (size_t)meta.i;
	return meta.type == POSH_INT && meta.i >= 0 && meta.i <= WORDS
		       ? 0
		       : BYTES_WRONG;
}

/*
 * Making
 */

static int
make_blob(posh_heap *h, size_t n, posh_handle *out)
{
	void *data;
	int rc = posh_blob_new(h, n * RECORD, out);

	if (rc)
		return rc;
	rc = posh_blob_data(h, *out, &data, NULL);
	if (rc)
		posh_object_drop(h, *out);
	else
		memcpy(data, words, n * RECORD);
	return rc;
}

int
bytes_make(posh_heap *h, uint64_t random, enum posh_kind *kind,
	   posh_handle *out)
{
	bool records = random >> 61 & 1;
	size_t n = records ? (random >> 8) % 40 : whole_size(random);
	struct posh_value meta = posh_int(records ? 0 : (int64_t)n);
	posh_handle blob;
	int rc;

	if (records)
		make_records(random, n);
	else
		make_whole(random, n);
	rc = make_blob(h, n, &blob);
	*kind = !records && random >> 63 ? POSH_KIND_BLOB : POSH_KIND_BUFFER;
	if (rc || *kind == POSH_KIND_BLOB) {
		*out = blob;
		return rc;
	}
	rc = posh_buffer_new(h, out);
	if (rc == 0) {
		rc = posh_buffer_init(h, *out, blob, &meta);
		if (rc)
			posh_object_drop(h, *out);
	}
	posh_object_drop(h, blob);
	return rc;
}

/*
 * Reading
 */

static int
look_blob(posh_heap *h, posh_handle o)
{
	uint64_t bytes;
	void *data;
	int rc = posh_blob_data(h, o, &data, &bytes);

	if (rc)
		return rc;
	if (bytes < RECORD || bytes > sizeof(words))
		return BYTES_WRONG;
	memcpy(words, data, bytes);
	return whole_right(bytes / RECORD) ? 0 : BYTES_WRONG;
}

int
bytes_look(posh_heap *h, posh_handle o, enum posh_kind kind)
{
	uint64_t length;
	size_t whole;
	int64_t n;
	int rc;

	if (kind == POSH_KIND_BLOB)
		return look_blob(h, o);
	rc = whole_of(h, o, &whole);
	if (rc)
		return rc;
	n = posh_buffer_read(h, o, 0, sizeof(words), words, &length);
	if (n < 0)
		return (int)n;
	if ((uint64_t)n != length || n % RECORD)
		return BYTES_WRONG;
	n /= RECORD;
	if (!whole)
		return records_right((size_t)n) ? 0 : BYTES_WRONG;
	return (size_t)n == whole && whole_right(whole) ? 0 : BYTES_WRONG;
}

/* By the address of the bytes, which others may write meanwhile: but what is
 * held is not freed. */
static int
view(posh_heap *h, posh_handle o)
{
	uint64_t length, i, x;
	posh_handle blob;
	void *data;
	int rc = posh_buffer_view(h, o, &blob, &data, &length);

	if (rc)
		return rc;
	for (i = 0; i + RECORD <= length && !rc; i += RECORD) {
		memcpy(&x, (char *)data + i, RECORD);
		if (x == POISON)
			rc = BYTES_WRONG;
	}
	posh_object_drop(h, blob);
	return rc;
}

/*
 * Writing
 */

static int
change_whole(posh_heap *h, posh_handle o, size_t n, uint64_t random,
	     const char **op)
{
	switch (random % 4) {
	case 0:
		*op = "write of a whole";
		make_whole(random, n);
		return posh_buffer_write(h, o, 0, words, n * RECORD);
	case 1:
		*op = "splice of a whole";
		make_whole(random, n);
		return posh_buffer_splice(h, o, 0, n * RECORD, words,
					  n * RECORD);
	case 2:
		*op = "view";
		return view(h, o);
	default:
		*op = "read of a whole";
		return bytes_look(h, o, POSH_KIND_BUFFER);
	}
}

/* Others may add and remove records all the time: a place beyond the end is
 * an error as good as any. */
static int
change_records(posh_heap *h, posh_handle o, uint64_t random, const char **op)
{
	int64_t length = posh_buffer_len(h, o), got;
	size_t n = 1 + (random >> 8) % (random >> 16 & 15 ? 8 : 200);
	uint64_t at, del = (random >> 24) % 12 * RECORD;

	if (length < 0 || length % RECORD)
		return length < 0 ? (int)length : BYTES_WRONG;
	at = (random >> 32) % (uint64_t)(length / RECORD + 1) * RECORD;
	make_records(random, n);
	switch (length / RECORD > LONG ? 5 : random % 9) {
	case 0:
	case 1:
		*op = "records appended";
		return posh_buffer_splice(h, o, (uint64_t)length, 0, words,
					  n * RECORD);
	case 2:
		*op = "records written";
		return posh_buffer_write(h, o, at, words, n * RECORD);
	case 3:
		*op = "record written";
		return posh_buffer_write(h, o, at, words, RECORD);
	case 4:
		*op = "records spliced";
		return posh_buffer_splice(h, o, at, del, words, n * RECORD);
	case 5:
		*op = "records removed at the end";
		return posh_buffer_splice(h, o, at, UINT64_MAX, NULL, 0);
	case 6:
		*op = "records removed at the beginning";
		return posh_buffer_splice(h, o, 0, del, NULL, 0);
	case 7:
		*op = "view";
		return view(h, o);
	}
	*op = "records read";
	got = posh_buffer_read(h, o, at, n * RECORD, words, NULL);
	if (got < 0)
		return (int)got;
	return got % RECORD == 0 && records_right((size_t)got / RECORD)
		       ? 0
		       : BYTES_WRONG;
}

int
bytes_change(posh_heap *h, posh_handle o, enum posh_kind kind, uint64_t random,
	     const char **op)
{
	size_t whole;
	int rc;

	*op = "blob";
	if (kind == POSH_KIND_BLOB)
		return look_blob(h, o);
	*op = "meta";
	rc = whole_of(h, o, &whole);
	if (rc)
		return rc;
	return whole ? change_whole(h, o, whole, random, op)
		     : change_records(h, o, random, op);
}

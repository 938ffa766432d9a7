/* SPDX-License-Identifier: MIT */
/* Values without a heap: canonical forms, hashes, comparison, UTF-8; and with
 * a heap of garbage: nothing that is read from one may do harm. */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "canon.h"
#include "slots.h"
#include "tap.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct posh_value
bigint(const void *data, size_t size)
{
	struct posh_value v = {.type = POSH_BIGINT};

	v.data = data;
	v.size = size;
	return v;
}

static struct posh_value
complex_value(double re, double im)
{
	struct posh_value v = {.type = POSH_COMPLEX};

	v.f = re;
	v.im = im;
	return v;
}

static struct posh_value
str(const void *data, size_t chars, unsigned width)
{
	struct posh_value v = {.type = POSH_STR};

	v.data = data;
	v.size = chars;
	v.width = (uint8_t)width;
	return v;
}

static struct posh_value
tuple(struct posh_value *items, size_t n)
{
	struct posh_value v = {.type = POSH_TUPLE};

	v.items = items;
	v.size = n;
	return v;
}

/* What CPython's hash() says of each. */
static void
test_number_hash(void)
{
	const struct {
		struct posh_value v;
		int64_t hash;
	} row[] = {
		{posh_int(0), 0},
		{posh_int(1), 1},
		{posh_bool(true), 1},
		{posh_int(-1), -2}, /* -1 is no hash */
		{posh_int(-2), -2},
		{posh_int((INT64_C(1) << 61) - 2), 2305843009213693950},
		{posh_int((INT64_C(1) << 61) - 1), 0}, /* the prime */
		{posh_int(INT64_C(1) << 61), 1},
		{posh_int(1 - (INT64_C(1) << 61)), 0},
		{posh_int(INT64_MAX), 3},
		{posh_int(INT64_MIN), -4},
		/* 2**63, with 9 bytes the least that has no 64 bits */
		{bigint("\0\0\0\0\0\0\0\x80\0", 9), 4},
		{bigint("\xff\xff\xff\xff\xff\xff\xff\x7f\xff", 9), -5},
		{bigint("\0\0\0\0\0\0\0\0\1", 9), 8},
		{bigint("\0\0\0\0\0\0\0\0\0\0\0\0\x10", 13), 549755813888},
		{bigint("\0\0\0\0\0\0\0\0\0\0\0\0\xf0", 13), -549755813888},
		/* 10**40 and -10**40: no multiple of 8 bytes */
		{bigint("\0\0\0\0\0\x61\xf5\xb9\xab\xbf\xa4\x5c\xc3\xf1\x29"
			"\x63\x1d",
			17),
		 1388497483929617590},
		{bigint("\0\0\0\0\0\x9f\x0a\x46\x54\x40\x5b\xa3\x3c\x0e\xd6"
			"\x9c\xe2",
			17),
		 -1388497483929617590},
		/* Multiples of the prime. */
		{bigint("\0\0\0\0\0\0\0\xe0\xff\xff\xff\xff\xff\xff\xff\x03",
			16),
		 0},
		/* 1 with more bytes than it needs, and as many as -1 has */
		{bigint("\1\0\0\0\0\0\0\0\0\0\0", 11), 1},
		{bigint("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10), -2},
		{bigint("", 0), 0},
		{posh_float(0.0), 0},
		{posh_float(-0.0), 0},
		{posh_float(1.0), 1},
		{posh_float(-1.0), -2},
		{posh_float(0.5), 1152921504606846976},
		{posh_float(-0.5), -1152921504606846976},
		{posh_float(1.5), 1152921504606846977},
		{posh_float(3.14), 322818021289917443},
		{posh_float(0.1), 230584300921369408},
		{posh_float(1e300), 1224995262755759164},
		{posh_float(-1e300), -1224995262755759164},
		{posh_float(1e22), 1864712049423028464},
		{posh_float(5e-324), 16777216}, /* the least */
		{posh_float(2.5e-310), 386353265232576880},
		{posh_float(0x1p61), 1},
		{posh_float(0x1p100), 549755813888},
		{posh_float(0x1p-61), 1},
		{posh_float((double)INFINITY), 314159},
		{posh_float(-(double)INFINITY), -314159},
		{posh_float((double)NAN), 0}, /* ours: CPython has an address */
		{complex_value(1, 0), 1},
		{complex_value(1, 2), 2000007},
		{complex_value(0, 1), 1000003},
		{complex_value(-0.0, -1), -2000006},
		{complex_value(0.5, -0.25), -576460752303423488},
		{complex_value(0, (double)INFINITY), 314159942477},
	};
	struct posh__number n;
	size_t i;

	for (i = 0; i < COUNT(row); i++) {
		int64_t hash = -1;

		if (posh__number_of(&row[i].v, &n))
			hash = posh__number_hash(&n);
		if (!ok(hash == row[i].hash, "number %zu hashes as in CPython",
			i))
			tap_note("%lld, not %lld", (long long)hash,
				 (long long)row[i].hash);
	}
}

/* Each line is a class of equal numbers; those of two lines differ. */
static void
test_number_equal(void)
{
	const struct {
		int line;
		struct posh_value v;
	} row[] = {
		{0, posh_int(0)},
		{0, posh_bool(false)},
		{0, posh_float(0.0)},
		{0, posh_float(-0.0)},
		{0, complex_value(-0.0, -0.0)},
		{1, posh_int(1)},
		{1, posh_bool(true)},
		{1, posh_float(1)},
		{1, complex_value(1, 0)},
		{1, bigint("\1\0\0", 3)},
		{2, posh_float(1.5)},
		{2, complex_value(1.5, 0)},
		{3, complex_value(1, 1.5)},
		{4, complex_value(1, -1.5)},
		{5, posh_int(-1)},
		{5, bigint("\xff\xff\xff", 3)},
		{6, posh_int(INT64_C(1) << 53)},
		{6, posh_float(0x1p53)},
		/* These two are one float. */
		{7, posh_int((INT64_C(1) << 53) + 1)},
		{8, posh_int(INT64_MAX)},
		{9, posh_float(0x1p63)},
		{9, bigint("\0\0\0\0\0\0\0\x80\0", 9)},
		{10, posh_int(INT64_MIN)},
		{10, posh_float(-0x1p63)},
		{10, bigint("\0\0\0\0\0\0\0\x80\xff\xff", 10)},
		{11, bigint("\xff\xff\xff\xff\xff\xff\xff\x7f\xff", 9)},
		{12, posh_float(0x1p64)},
		{12, bigint("\0\0\0\0\0\0\0\0\1", 9)},
		{13, bigint("\1\0\0\0\0\0\0\0\1", 9)},
		{14, posh_float(-0x1p64)},
		{14, bigint("\0\0\0\0\0\0\0\0\xff", 9)},
		{15, posh_float(0x1.8p72)},
		{15, bigint("\0\0\0\0\0\0\0\0\x80\1", 10)},
		{16, posh_float(-0x1.8p72)},
		{16, bigint("\0\0\0\0\0\0\0\0\x80\xfe", 10)},
		{17, posh_float((double)INFINITY)},
		{18, posh_float(-(double)INFINITY)},
		{19, posh_float((double)NAN)},
		{19, posh_float(-(double)NAN)},
		{19, complex_value((double)NAN, 0)},
		{20, posh_float(5e-324)},
		{21, complex_value((double)NAN, (double)NAN)},
		{21, complex_value(-(double)NAN, (double)NAN)},
		{22, posh_float(0.5)},
		{23, posh_int(INT64_C(1) << 47)},
		{23, posh_float(0x1p47)},
		{24, posh_int(-(INT64_C(1) << 47))},
		{24, bigint("\0\0\0\0\0\x80", 6)},
	};
	struct posh__number a, b;
	bool right = true, hashed = true;
	size_t i, j;

	for (i = 0; i < COUNT(row); i++)
		for (j = 0; j < COUNT(row); j++) {
			bool want = row[i].line == row[j].line;
			uint64_t ha = 0, hb = 1;

			posh__number_of(&row[i].v, &a);
			posh__number_of(&row[j].v, &b);
			if (posh__number_equal(&a, &b) != want) {
				tap_note("numbers %zu and %zu", i, j);
				right = false;
			}
			posh__value_hash(NULL, &row[i].v, &ha);
			posh__value_hash(NULL, &row[j].v, &hb);
			if (want && ha != hb) {
				tap_note("hashes of %zu and %zu", i, j);
				hashed = false;
			}
		}
	ok(right, "numbers are equal exactly when Python says so");
	ok(hashed, "numbers that are equal have one hash");
}

/* The largest float, against its integer and the next ones to that. */
static void
test_largest_float(void)
{
	uint8_t big[129] = {0};
	struct posh_value f = posh_float(0x1.fffffffffffffp1023);
	struct posh_value i = bigint(big, sizeof(big));
	struct posh__number a, b;

	memset(big + 122, 0xff, 6);
	big[121] = 0xf8;
	posh__number_of(&f, &a);
	posh__number_of(&i, &b);
	ok(posh__number_equal(&a, &b), "the largest float equals its integer");
	ok(posh__number_hash(&a) == posh__number_hash(&b),
	   "and they hash the same");
	big[0] = 1;
	ok(!posh__number_equal(&a, &b), "but not that integer and 1");
	big[0] = 0;
	big[128] = 1;
	ok(!posh__number_equal(&b, &a), "nor one beyond all floats");
}

static bool
same_hash(const struct posh_value *a, const struct posh_value *b)
{
	uint64_t ha = 0, hb = 1;

	return posh__value_hash(NULL, a, &ha) == 0 &&
	       posh__value_hash(NULL, b, &hb) == 0 && ha == hb;
}

/* Write an ASCII or Latin-1 text in another width. */
static void
widen(void *to, const char *from, size_t n, unsigned width)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (width == 2)
			((uint16_t *)to)[i] = (uint8_t)from[i];
		else
			((uint32_t *)to)[i] = (uint8_t)from[i];
}

static void
test_text_forms(void)
{
	char latin[1000], utf8[2000];
	uint16_t two[1000];
	uint32_t four[1000];
	const size_t sizes[] = {0, 1, 5, 6, 7, 63, 64, 65, 240, 241, 1000};
	size_t i, k;
	int rest;

	for (rest = 0; rest < 2; rest++) {
		bool same = true, canonical = true;

		for (i = 0; i < COUNT(sizes); i++) {
			size_t n = sizes[i], bytes = 0;
			struct posh_value a, b, c, d;
			struct posh__text t;

			for (k = 0; k < n; k++)
				latin[k] = (char)(rest ? 0xe0 + k % 31
						       : 'a' + k % 26);
			widen(two, latin, n, 2);
			widen(four, latin, n, 4);
			for (k = 0; k < n; k++) {
				uint8_t ch = (uint8_t)latin[k];

				if (ch >= 0x80)
					utf8[bytes++] = (char)(0xc0 | ch >> 6);
				utf8[bytes++] =
					(char)(ch < 0x80 ? ch
							 : 0x80 | (ch & 0x3f));
			}
			a = str(latin, n, 1);
			b = str(two, n, 2);
			c = str(four, n, 4);
			d = posh_utf8(utf8, bytes);
			if (!same_hash(&a, &b) || !same_hash(&a, &c) ||
			    !same_hash(&a, &d)) {
				tap_note("%zu characters", n);
				same = false;
			}
			canonical &= posh__text_begin(&c, &t) == 0 &&
				     t.width == 1 && t.chars == n &&
				     t.ascii == (!rest || n == 0);
			canonical &= posh__text_begin(&d, &t) == 0 &&
				     t.width == 1 && t.chars == n &&
				     t.ascii == (!rest || n == 0);
		}
		ok(same, "a %s text hashes the same in all widths and UTF-8",
		   rest ? "Latin-1" : "ASCII");
		ok(canonical, "and its canonical width is 1");
	}
}

static void
test_text_widths(void)
{
	const uint32_t chars[] = {'x',    0x7ff,  0x800,   0xd800,
				  0xdfff, 0xffff, 0x10000, 0x10ffff,
				  0,      0xff,   0x100};
	const uint16_t narrow[] = {'x', 0x7ff, 0x800, 0xd800, 0xdfff, 0xffff};
	const char *utf8 = "x\xdf\xbf\xe0\xa0\x80\xed\xa0\x80\xed\xbf\xbf"
			   "\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\0"
			   "\xc3\xbf\xc4\x80";
	struct posh_value wide = str(chars, COUNT(chars), 4);
	struct posh_value u = posh_utf8(utf8, 28);
	struct posh_value six = str(chars, 6, 4), two = str(narrow, 6, 2);
	uint32_t out[COUNT(chars)] = {0};
	uint32_t bad = 0x110000;
	struct posh__text t;
	size_t bytes = 0;
	char *text;

	ok(posh__text_begin(&u, &t) == 0 && t.chars == COUNT(chars) &&
		   t.width == 4 && !t.ascii,
	   "UTF-8 with characters of all lengths is of width 4");
	ok(posh__text_take(&t, out, 100) == COUNT(chars) &&
		   !memcmp(out, chars, sizeof(chars)),
	   "and decodes right, lone surrogates too");
	ok(same_hash(&u, &wide), "and hashes as the text of width 4");
	ok(same_hash(&six, &two), "a narrower one hashes as of width 2");
	text = posh_value_utf8(&wide, &bytes);
	ok(text && bytes == 28 && !memcmp(text, utf8, 29),
	   "and it comes out as the same UTF-8, NUL-terminated");
	free(text);
	text = posh_value_utf8(&two, NULL);
	ok(text && !memcmp(text, utf8, 15) && !text[15],
	   "the UTF-8 of a text of width 2");
	free(text);
	text = posh_value_utf8(&u, &bytes);
	ok(text && bytes == 28 && !memcmp(text, utf8, 29), "of UTF-8 itself");
	free(text);
	wide = str(&bad, 1, 4);
	ok(posh__text_begin(&wide, &t) == -EINVAL,
	   "a character beyond U+10FFFF is malformed");
	wide = posh_int(3);
	ok(!posh_value_utf8(&wide, &bytes), "an int has no UTF-8");
}

static void
test_bad_utf8(void)
{
	const struct {
		const char *text;
		size_t bytes; /* a cut one goes on well behind them */
		const char *what;
	} row[] = {
		{"\x80", 1, "a continuation byte alone"},
		{"\xff", 1, "a byte that is never there"},
		{"\xc0\x80", 2, "an overlong NUL"},
		{"\xc1\xbf", 2, "an overlong character of two bytes"},
		{"\xe0\x9f\xbf", 3, "an overlong character of three bytes"},
		{"\xf0\x8f\xbf\xbf", 4, "an overlong character of four bytes"},
		{"\xf4\x90\x80\x80", 4, "a character beyond U+10FFFF"},
		{"\xf5\x80\x80\x80", 4, "a lead byte beyond U+10FFFF"},
		{"abcdefghi\xc3\xa9", 10, "a cut character of two bytes"},
		{"\xe2\x82\xac", 2, "a cut character of three bytes"},
		{"\xf0\x9f\x98\x80", 3, "a cut character of four bytes"},
		{"\xc3\xc3", 2, "a lead byte in place of a continuation"},
		{"\xe2\x28\xa1", 3, "ASCII in place of a continuation"},
	};
	struct posh__text t;
	uint64_t hash = 7;
	size_t i;

	for (i = 0; i < COUNT(row); i++) {
		struct posh_value v = posh_utf8(row[i].text, row[i].bytes);

		ok(posh__text_begin(&v, &t) == -EINVAL &&
			   posh__value_hash(NULL, &v, &hash) == -EINVAL &&
			   hash == 7,
		   "%s is no UTF-8", row[i].what);
	}
}

static void
test_immediate(void)
{
	uint16_t wide[] = {'w', 'i', 'd', 'e'}, latin[] = {'w', 0xe9};
	const struct {
		struct posh_value v;
		bool is;
		uint64_t word;
	} row[] = {
		{posh_none(), true, POSH__NONE},
		{posh_bool(false), true, POSH__FALSE},
		{posh_bool(true), true, POSH__TRUE},
		{posh_int(0), true, UINT64_C(0x0001000000000000)},
		{posh_int(-1), true, UINT64_C(0x0001ffffffffffff)},
		{posh_int((INT64_C(1) << 47) - 1), true,
		 UINT64_C(0x00017fffffffffff)},
		{posh_int(-(INT64_C(1) << 47)), true,
		 UINT64_C(0x0001800000000000)},
		{posh_int(INT64_C(1) << 47), false, 0},
		{posh_int(-(INT64_C(1) << 47) - 1), false, 0},
		{posh_float(0.0), true, UINT64_C(0x000f000000000000)},
		{posh_float(-0.0), true, UINT64_C(0x800f000000000000)},
		{posh_float(-(double)INFINITY), true,
		 UINT64_C(0xffff000000000000)},
		{posh_float(-(double)NAN), true, UINT64_C(0x8007000000000000)},
		{posh_utf8("", 0), true, UINT64_C(0x0002000000000000)},
		{posh_utf8("a", 1), true, UINT64_C(0x0002000000000061)},
		{posh_utf8("ab", 2), true, UINT64_C(0x0002000000006261)},
		{posh_utf8("abc", 3), true, UINT64_C(0x0002000000636261)},
		{posh_utf8("abcd", 4), true, UINT64_C(0x0002000064636261)},
		{posh_utf8("abcde", 5), true, UINT64_C(0x0002006564636261)},
		{posh_utf8("abcdef", 6), true, UINT64_C(0x0002666564636261)},
		{posh_utf8("\x7f\1", 2), true, UINT64_C(0x000200000000017f)},
		{posh_utf8("abcdefg", 7), false, 0},
		{posh_utf8("a\0b", 3), false, 0},
		{posh_utf8("abcde\0", 6), false, 0},
		{posh_utf8("\xc3\xa9", 2), false, 0},
		{str(wide, 4, 2), true, UINT64_C(0x0002000065646977)},
		{str(latin, 2, 2), false, 0},
		{str("x", 1, 3), false, 0},
		{str(NULL, 1, 1), false, 0},
		{posh_bytes("x", 1), false, 0},
	};
	uint64_t word = 0;
	size_t i;

	for (i = 0; i < COUNT(row); i++)
		ok(posh__value_immediate(&row[i].v, &word) == row[i].is &&
			   (!row[i].is || word == row[i].word),
		   "value %zu is %simmediate", i, row[i].is ? "" : "not ");
}

static void
test_decode_fast(void)
{
	const struct posh_value row[] = {
		posh_none(),
		posh_bool(false),
		posh_bool(true),
		posh_int(0),
		posh_int(-1),
		posh_int((INT64_C(1) << 47) - 1),
		posh_int(-(INT64_C(1) << 47)),
		posh_float(-0.0),
		posh_float(1e308),
		posh_float(-(double)INFINITY),
		posh_float((double)NAN),
	};
	const uint64_t none[] = {
		POSH__EMPTY,       POSH__ELLIPSIS,    5,
		UINT64_C(2) << 48, UINT64_C(3) << 48, UINT64_C(4) << 48,
		UINT64_C(14) << 48};
	struct posh_value out;
	uint64_t word = 0;
	size_t i;

	for (i = 0; i < COUNT(row); i++)
		ok(posh__value_immediate(&row[i], &word) &&
			   posh__value_decode_fast(word, &out) &&
			   !memcmp(&out, &row[i], sizeof(out)),
		   "immediate %zu comes back as it was", i);
	for (i = 0; i < COUNT(none); i++)
		ok(!posh__value_decode_fast(none[i], &out),
		   "word %zu is left to the slow way", i);
}

static void
test_hash(void)
{
	struct posh_value ab[] = {posh_int(1), posh_utf8("two", 3)};
	struct posh_value ba[] = {posh_utf8("two", 3), posh_int(1)};
	struct posh_value fb[] = {posh_float(1), posh_utf8("two", 3)};
	struct posh_value a = tuple(ab, 2), b = tuple(ba, 2), f = tuple(fb, 2);
	struct posh_value one = tuple(ab, 1), none = tuple(NULL, 0);
	struct posh_value nested[] = {tuple(ab, 2)};
	struct posh_value outer = tuple(nested, 1);
	struct posh_value bytes = posh_bytes("abcdefgh", 8);
	struct posh_value text = posh_utf8("abcdefgh", 8);
	struct posh_value deep[POSH__DEPTH + 1];
	uint64_t low = 0, hash;
	int64_t i;

	ok(same_hash(&a, &f), "tuples of equal items have one hash");
	ok(!same_hash(&a, &b), "the order of items matters");
	ok(!same_hash(&a, &one) && !same_hash(&one, &none), "and the number");
	ok(!same_hash(&a, &outer), "and the nesting");
	ok(!same_hash(&bytes, &text), "bytes are not their text");
	for (i = 0; i < 64; i++) {
		struct posh_value v = posh_int(i << 40);

		posh__value_hash(NULL, &v, &hash);
		low |= UINT64_C(1) << (hash & 63);
	}
	ok(__builtin_popcountll(low) > 30,
	   "hashes of round numbers differ in their low bits");
	deep[0] = posh_int(1);
	for (i = 1; i <= POSH__DEPTH; i++)
		deep[i] = tuple(&deep[i - 1], 1);
	ok(posh__value_hash(NULL, &deep[POSH__DEPTH], &hash) == 0,
	   "tuples go %d deep", POSH__DEPTH);
	outer = tuple(&deep[POSH__DEPTH], 1);
	ok(posh__value_hash(NULL, &outer, &hash) == -EINVAL, "and no deeper");
	a = tuple(NULL, 2);
	ok(posh__value_hash(NULL, &a, &hash) == -EINVAL,
	   "a tuple without its items is malformed");
	a.type = 99;
	ok(posh__value_hash(NULL, &a, &hash) == -EINVAL,
	   "so is a type that is none");
}

static void
test_scratch(void)
{
	const size_t sizes[] = {1,     16,    100,     5000, 0,
				70000, 40000, 3 << 20, 24,   900000};
	struct posh__self self = {0};
	char *p[COUNT(sizes)];
	bool whole = true, aligned = true;
	size_t i, k, round;
	void *kept;

	for (round = 0; round < 3; round++) {
		posh__scratch_reset(&self);
		for (i = 0; i < COUNT(sizes); i++) {
			p[i] = posh__scratch(&self, sizes[i]);
			aligned &= (uintptr_t)p[i] % 16 == 0;
			memset(p[i], (int)i + 1, sizes[i]);
		}
		for (i = 0; i < COUNT(sizes); i++)
			for (k = 0; k < sizes[i]; k++)
				whole &= p[i][k] == (char)(i + 1);
	}
	ok(whole, "scratch memory stays as it was until the reset");
	ok(aligned, "it is aligned");
	posh__scratch_reset(&self);
	ok(!self.scratch->chunk->next && self.scratch->chunk->bytes >= 900000 &&
		   self.scratch->chunk->bytes <= 1 << 20,
	   "a reset keeps one chunk, the largest up to 1 MiB");
	kept = posh__scratch(&self, 500000);
	posh__scratch_reset(&self);
	ok(posh__scratch(&self, 500000) == kept, "which is used again");
	ok(!posh__scratch(&self, SIZE_MAX) &&
		   !posh__scratch(&self, SIZE_MAX - 8),
	   "more than there can be is NULL");
	memset(kept, 'k', 500000);
	posh__scratch_flip(&self);
	posh__scratch_reset(&self);
	p[0] = posh__scratch(&self, 500000);
	memset(p[0], 'p', 500000);
	posh__scratch_reset(&self);
	ok(posh__scratch(&self, 500000) == p[0] && ((char *)kept)[0] == 'k' &&
		   ((char *)kept)[499999] == 'k',
	   "the other half has memory of its own");
	posh__scratch_flip(&self);
	posh__scratch_reset(&self);
	ok(posh__scratch(&self, 500000) == kept, "and there are two of them");
	posh__scratch_free(&self);
	ok(!self.scratch, "and all of it can be freed");
	posh__scratch(&self, 4 << 20);
	posh__scratch_reset(&self);
	ok(!self.scratch->chunk->next && self.scratch->chunk->bytes <= 1 << 20,
	   "a large chunk alone is not kept either");
	posh__scratch_free(&self);
}

/* A heap by hand: enough for reads, and the test says what is in it. */
enum { IMAGE = 1 << 20, FIRST_SPAN = 4 };

static char *
image_make(struct posh_heap *h)
{
	char *base = aligned_alloc(4096, IMAGE);

	memset(base, 0, IMAGE);
	memset(h, 0, sizeof(*h));
	h->base = base;
	h->hdr = (struct posh__header *)base;
	h->hdr->size = h->limit = IMAGE;
	h->hdr->spans_off = 4096;
	h->hdr->first = FIRST_SPAN;
	h->hdr->nspans = IMAGE >> POSH__SPAN_BITS;
	return base;
}

static uint64_t
random_word(void)
{
	static uint64_t x = UINT64_C(0x123456789abcdef1);

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* Something that looks like a value of a heap of this size. */
static uint64_t
random_value(void)
{
	uint64_t r = random_word();
	uint64_t handle = (random_word() % IMAGE) & ~UINT64_C(15);

	switch (r % 8) {
	case 0:
		return random_word() % 8;
	case 1:
		return POSH__TAGGED(r >> 8 & 15, random_word() >> 16);
	case 2:
		return POSH__TAGGED(POSH__TAG_OBJECT, handle);
	case 3:
		return POSH__TAGGED(POSH__TAG_TEXT,
				    random_word() >> 16 &
					    UINT64_C(0x7f7f7f7f7f7f));
	default:
		return POSH__TAGGED(POSH__TAG_BOX, handle);
	}
}

/* Strew boxes over the image, of any length; their data is the next ones. */
static void
strew(char *base)
{
	struct posh__block front = {0};
	posh__word *at;
	size_t i;

	for (i = FIRST_SPAN << POSH__SPAN_BITS; i < IMAGE; i += 8) {
		uint64_t w = random_value();

		memcpy(base + i, &w, 8);
	}
	for (i = FIRST_SPAN << POSH__SPAN_BITS; i < IMAGE; i += 64) {
		const unsigned widths[] = {1, 2, 4, 9, 3};
		uint64_t r = random_word();

		front.kind = (uint16_t)(r % 9 ? 16 + r % 5 : r >> 32);
		front.flags = (uint16_t)widths[(r >> 8) % 5];
		memcpy(base + i, &front, 8);
		at = (posh__word *)(base + i);
		at[2] = r >> 16 & 1 ? r >> 20 & 31
				    : random_word() >> (r >> 20 & 63);
	}
}

static void
test_garbage(void)
{
	struct posh_heap h;
	struct posh__self self = {0};
	char *base = image_make(&h);
	unsigned decoded = 0, refused = 0, equal = 0, other = 0;
	struct posh_value out;
	uint64_t hash, a, b;
	int i;

	self.h = &h;
	for (i = 0; i < 20000; i++) {
		if (i % 1000 == 0)
			strew(base);
		posh__scratch_reset(&self);
		a = random_value();
		b = i % 4 ? random_value() : a;
		if (posh__value_decode(&self, a, &out)) {
			refused++;
			continue;
		}
		decoded++;
		if (posh__value_equal(&self, b, &out) == 1)
			equal++;
		posh__word_hash(&self, b, &hash);
		if (posh__value_hash(&self, &out, &hash))
			other++;
	}
	tap_note("%u decoded, %u refused, %u equal, %u without hash", decoded,
		 refused, equal, other);
	ok(decoded > 1000 && refused > 1000 && equal > 100,
	   "no garbage does harm");
	posh__scratch_free(&self);
	free(base);
}

enum { DATA = FIRST_SPAN << POSH__SPAN_BITS }; /* where boxes may lie */

static uint64_t
put_box(char *base, uint64_t at, unsigned kind, unsigned flags, uint64_t length,
	const void *data, size_t bytes)
{
	struct posh__block front = {0, (uint16_t)kind, (uint16_t)flags};

	memcpy(base + at, &front, 8);
	memcpy(base + at + 16, &length, 8);
	memcpy(base + at + 24, data, bytes);
	return POSH__TAGGED(POSH__TAG_BOX, at);
}

/* Circles, and what a walk would not end in. */
static void
test_depth(void)
{
	struct posh_heap h;
	struct posh__self self = {0};
	char *base = image_make(&h);
	uint64_t slot[64], at = DATA, box;
	struct posh_value out;
	size_t i;

	self.h = &h;
	for (i = 0; i < 64; i++)
		slot[i] = POSH__NONE;
	box = put_box(base, at, POSH__KIND_BOXTUPLE, 0, 64, slot, 512);
	ok(posh__value_decode(&self, box, &out) == 0 && out.size == 64 &&
		   out.items[63].type == POSH_NONE,
	   "a tuple is read");
	slot[0] = box;
	put_box(base, at, POSH__KIND_BOXTUPLE, 0, 1, slot, 8);
	ok(posh__value_decode(&self, box, &out) == -EAGAIN,
	   "one that has itself in it makes no sense");
	slot[0] = POSH__NONE;
	for (i = 0; i < 60; i++) {
		slot[1] = slot[0];
		slot[0] = put_box(base, at + 64 * i, POSH__KIND_BOXTUPLE, 0, 2,
				  slot, 16);
	}
	ok(posh__value_decode(&self, slot[0], &out) == -EAGAIN,
	   "nor one that has more in it than the heap");
	slot[0] = POSH__NONE;
	for (i = 0; i <= POSH__DEPTH; i++) {
		slot[0] = put_box(base, at + 64 * i, POSH__KIND_BOXTUPLE, 0, 1,
				  slot, 8);
		if (i == POSH__DEPTH - 1)
			ok(posh__value_decode(&self, slot[0], &out) == 0,
			   "tuples are read %d deep", POSH__DEPTH);
	}
	ok(posh__value_decode(&self, slot[0], &out) == -EAGAIN,
	   "and no deeper");
	posh__scratch_free(&self);
	free(base);
}

/* What does not fit, by a little. */
static void
test_malformed(void)
{
	const uint64_t end = IMAGE - 64;
	struct posh_heap h;
	struct posh__self self = {0};
	char *base = image_make(&h), data[40] = {0};
	const struct {
		uint64_t value;
		int rc;
		const char *what;
	} row[] = {
		{put_box(base, end, POSH__KIND_BYTES, 0, 40, data, 40), 0,
		 "bytes up to the end of the heap"},
		{put_box(base, end - 64, POSH__KIND_BYTES, 0, 105, data, 40),
		 -EAGAIN, "bytes beyond it"},
		{put_box(base, end - 128, POSH__KIND_BYTES, 0, UINT64_MAX, data,
			 40),
		 -EAGAIN, "bytes of no length that there is"},
		{put_box(base, end - 192, POSH__KIND_BOXTUPLE, 0,
			 UINT64_C(1) << 61, data, 40),
		 -EAGAIN, "slots of no number that there is"},
		{put_box(base, end - 256, POSH__KIND_STR, 3, 3, data, 40),
		 -EAGAIN, "a text of width 3"},
		{put_box(base, end - 320, POSH__KIND_STR, 4, 6, data, 40),
		 -EAGAIN, "one and a half characters"},
		{put_box(base, end - 384, POSH__KIND_INT, 0, 0, data, 40),
		 -EAGAIN, "an integer of no bytes"},
		{put_box(base, end - 448, 77, 0, 8, data, 40), -EAGAIN,
		 "a box of no kind"},
		{put_box(base, end - 512, POSH__KIND_BYTES, 0, 8, data, 40) + 8,
		 -EAGAIN, "a box that is not aligned"},
		{POSH__TAGGED(POSH__TAG_BOX, IMAGE - 16), -EAGAIN,
		 "a box half in the heap"},
		{POSH__TAGGED(POSH__TAG_OBJECT, IMAGE), -EAGAIN,
		 "an object behind the heap"},
		{POSH__TAGGED(POSH__TAG_TEXT, 0x6180), -EAGAIN,
		 "a short text that is not ASCII"},
		{POSH__TAGGED(POSH__TAG_TEXT, 0x6161), 0, "a short text"},
		{POSH__EMPTY, -EAGAIN, "an empty slot"},
		{POSH__TAGGED(9, 0), -EAGAIN, "a tag that there is not"},
	};
	struct posh_value out;
	size_t i;

	self.h = &h;
	for (i = 0; i < COUNT(row); i++)
		ok(posh__value_decode(&self, row[i].value, &out) == row[i].rc,
		   "%s: %s", row[i].what, row[i].rc ? "no" : "yes");
	posh__scratch_free(&self);
	free(base);
}

/* Stored texts and bytes against all inputs: one line, and it is equal. */
static void
test_equal(void)
{
	const uint16_t two[] = {'l', 'o', 'n', 'g', 'e', 'r', 0x100};
	const uint32_t four[] = {'l', 'o', 'n', 'g', 'e', 'r', 0x10000};
	const uint16_t ascii[] = {'l', 'o', 'n', 'g', 'e', 'r', '!'};
	const uint32_t wide[] = {'l', 'o', 'n', 'g', 'e', 'r', 0x100};
	const uint32_t latin[] = {'l', 'o', 'n', 'g', 'e', 'r', 0xe9};
	struct posh_value nothing = posh_utf8("longer!", 7);
	struct posh_value item[] = {posh_int(1), posh_utf8("longer!", 7)};
	struct posh_value change[] = {posh_float(1), str(ascii, 7, 2)};
	struct posh_value shorter[] = {posh_int(1)};
	struct posh_heap h;
	struct posh__self self = {0};
	char *base = image_make(&h);
	uint64_t slot[] = {POSH__TAGGED(POSH__TAG_INT, 1), 0};
	uint64_t stored[8];
	const struct {
		int line;
		struct posh_value v;
	} row[] = {
		{0, posh_utf8("longer!", 7)},
		{0, str("longer!", 7, 1)},
		{0, str(ascii, 7, 2)},
		{1, str("longer\xe9", 7, 1)},
		{1, str(latin, 7, 4)},
		{1, posh_utf8("longer\xc3\xa9", 8)},
		{2, str(two, 7, 2)},
		{2, str(wide, 7, 4)},
		{2, posh_utf8("longer\xc4\x80", 8)},
		{3, str(four, 7, 4)},
		{3, posh_utf8("longer\xf0\x90\x80\x80", 10)},
		{4, posh_bytes("longer!", 7)},
		{5, tuple(item, 2)},
		{5, tuple(change, 2)},
		{6, tuple(shorter, 1)},
		{7, tuple(NULL, 0)},
		{99, str("longer", 6, 1)},
		{99, posh_utf8("longer!\0", 8)},
		{99, posh_bytes("longer", 6)},
		{99, posh_bytes("longer?", 7)},
		{99, posh_utf8("longer?", 7)},
		{99, posh_utf8("longer\xc3\xa8", 8)},
		{99, posh_utf8("longer\xc4\x81", 8)},
		{99, posh_int(1)},
		{99, posh_none()},
		{99, posh_float(0.5)},
		{99, tuple(&nothing, 1)},
	};
	size_t i, j;

	self.h = &h;
	stored[0] = put_box(base, DATA, POSH__KIND_STR, 1 | POSH__STR_ASCII, 7,
			    "longer!", 7);
	stored[1] =
		put_box(base, DATA + 64, POSH__KIND_STR, 1, 7, "longer\xe9", 7);
	stored[2] = put_box(base, DATA + 128, POSH__KIND_STR, 2, 14, two, 14);
	stored[3] = put_box(base, DATA + 192, POSH__KIND_STR, 4, 28, four, 28);
	stored[4] =
		put_box(base, DATA + 256, POSH__KIND_BYTES, 0, 7, "longer!", 7);
	slot[1] = stored[0];
	stored[5] =
		put_box(base, DATA + 320, POSH__KIND_BOXTUPLE, 0, 2, slot, 16);
	stored[6] =
		put_box(base, DATA + 384, POSH__KIND_BOXTUPLE, 0, 1, slot, 8);
	stored[7] =
		put_box(base, DATA + 448, POSH__KIND_BOXTUPLE, 0, 0, slot, 0);
	for (i = 0; i < COUNT(stored); i++) {
		bool right = true;

		for (j = 0; j < COUNT(row); j++) {
			int rc = posh__value_equal(&self, stored[i], &row[j].v);

			if (rc != (row[j].line == (int)i)) {
				tap_note("input %zu: %d", j, rc);
				right = false;
			}
		}
		ok(right, "stored value %zu equals what it should", i);
	}
	free(base);
}

/* A tuple that is an object equals the box, and the input. */
static void
test_tuple_object(void)
{
	struct posh_heap h;
	struct posh__self self = {0};
	char *base = image_make(&h);
	uint64_t slot[] = {POSH__TAGGED(POSH__TAG_INT, 1), POSH__NONE};
	uint64_t list = POSH__TAGGED(POSH__TAG_OBJECT, DATA + 512);
	uint64_t box, object[4], a = 0, b = 0, c = 0;
	struct posh_value item[] = {posh_float(1), posh_none()};
	struct posh_value pair = tuple(item, 2), twin, outer, nest;
	size_t i;

	self.h = &h;
	box = put_box(base, DATA, POSH__KIND_BOXTUPLE, 0, 2, slot, 16);
	for (i = 0; i < 4; i++) {
		struct posh__tuple *t =
			(struct posh__tuple *)(base + DATA + 64 * (i + 1));

		/* 0, 1: (1, None); 2, 3: (the list, itself) */
		object[i] = POSH__TAGGED(POSH__TAG_OBJECT,
					 (uint64_t)((char *)t - base));
		t->head.kind = POSH__KIND_TUPLE;
		t->length = 2;
		t->slot[0] = i < 2 ? slot[0] : list;
		t->slot[1] = i < 2 ? slot[1] : object[i];
	}
	((struct posh__object *)(base + DATA + 512))->kind = POSH__KIND_LIST;

	posh__value_hash(&self, &pair, &a);
	posh__word_hash(&self, object[0], &b);
	twin = posh_object((posh_handle){POSH__PAYLOAD(object[1])});
	posh__value_hash(&self, &twin, &c);
	ok(a == b && b == c, "an object that is a tuple hashes as its items");
	ok(posh__value_equal(&self, object[0], &pair) == 1 &&
		   posh__value_equal(&self, object[0], &twin) == 1 &&
		   posh__value_equal(&self, box, &twin) == 1,
	   "and is equal to such a tuple, and another such object");
	ok(posh__value_equal(&self, object[2], &twin) == 0 &&
		   posh__value_equal(&self, object[2], &pair) == 0,
	   "but not to one with other items");

	outer = tuple(&twin, 1);
	nest = tuple(&pair, 1);
	posh__value_hash(&self, &outer, &a);
	posh__value_hash(&self, &nest, &b);
	ok(a == b, "it hashes so in a tuple too");

	twin = posh_object((posh_handle){POSH__PAYLOAD(object[3])});
	ok(posh__word_hash(&self, object[2], &a) == 0 &&
		   posh__value_hash(&self, &twin, &b) == 0 && a == b,
	   "a tuple that has itself in it has a hash");
	ok(posh__value_equal(&self, object[3], &twin) == 1, "equals itself");
	ok(posh__value_equal(&self, object[2], &twin) == 0,
	   "and is not compared without end");
	item[0] = posh_object((posh_handle){POSH__PAYLOAD(list)});
	item[1] = twin;
	pair = tuple(item, 2);
	ok(posh__value_equal(&self, object[3], &pair) == 1 &&
		   posh__value_hash(&self, &pair, &b) == 0 && a == b,
	   "it is found by its items");
	item[0] = posh_object((posh_handle){POSH__PAYLOAD(list) + 16});
	ok(posh__value_equal(&self, object[3], &pair) == 0,
	   "but not with another list in it");
	free(base);
}

int
main(void)
{
	test_number_hash();
	test_number_equal();
	test_largest_float();
	test_text_forms();
	test_text_widths();
	test_bad_utf8();
	test_immediate();
	test_decode_fast();
	test_hash();
	test_scratch();
	test_garbage();
	test_depth();
	test_malformed();
	test_equal();
	test_tuple_object();
	return tap_done();
}

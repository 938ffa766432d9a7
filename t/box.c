/* SPDX-License-Identifier: MIT */
/* Values through a heap: into lists and dicts and back. */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "posh.h"
#include "tap.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static posh_heap *heap;
static posh_handle list, dict;

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
	v.ascii = width == 1;
	return v;
}

static struct posh_value
latin(const char *text)
{
	struct posh_value v = str(text, strlen(text), 1);

	v.ascii = 0;
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

static struct posh_value
form(enum posh_form form, struct posh_value *items, size_t n)
{
	struct posh_value v = tuple(items, n);

	v.width = (uint8_t)form;
	return v;
}

static struct posh_value
ellipsis(void)
{
	struct posh_value v = {.type = POSH_ELLIPSIS};

	return v;
}

/* Is what was read exactly this?  A NaN is any. */
static bool
is(const struct posh_value *got, const struct posh_value *want)
{
	size_t i;

	if (got->type != want->type || got->width != want->width)
		return false;
	switch (got->type) {
	case POSH_STR:
		return got->ascii == want->ascii && got->size == want->size &&
		       !memcmp(got->data, want->data, got->size * got->width) &&
		       (!got->ascii || !((const char *)got->data)[got->size]);
	case POSH_BYTES:
	case POSH_BIGINT:
		return got->size == want->size &&
		       (!got->size ||
			!memcmp(got->data, want->data, got->size));
	case POSH_TUPLE:
		for (i = 0; i < got->size && i < want->size; i++)
			if (!is(&got->items[i], &want->items[i]))
				return false;
		return got->size == want->size;
	case POSH_FLOAT:
		return (got->f != got->f && want->f != want->f) ||
		       !memcmp(&got->f, &want->f, 8);
	case POSH_COMPLEX:
		return !memcmp(&got->f, &want->f, 8) &&
		       !memcmp(&got->im, &want->im, 8);
	case POSH_NONE:
	case POSH_ELLIPSIS:
		return true;
	default:
		return got->i == want->i;
	}
}

static uint64_t
live_blocks(void)
{
	struct posh_stats s;

	if (posh_heap_stats(heap, &s, sizeof(s)))
		return UINT64_MAX;
	return s.live_blocks;
}

static void
count_wrong(const char *what, void *arg)
{
	tap_note("%s", what);
	++*(int *)arg;
}

static void
check(const char *when)
{
	int wrong = 0;

	ok(posh_heap_check(heap, count_wrong, &wrong) == 0 && !wrong,
	   "the heap is whole %s", when);
}

/* What goes in, and what comes out if that is something else. */
static void
test_round_trip(void)
{
	static const uint16_t two[] = {'x', 0x3b1, 0xd800, 0xffff};
	static const uint32_t four[] = {'x', 0x1f600, 0, 0x10ffff};
	static const uint32_t wide[] = {'n', 'a', 'r', 'r', 'o', 'w', 0xe9};
	static const uint16_t nul[] = {'a', 0, 'b'};
	static const uint8_t big[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0x8a, 0xff};
	struct posh_value none = posh_none();
	struct posh_value three[] = {posh_int(1), posh_utf8("immed", 5),
				     posh_utf8("not immediate", 13)};
	struct posh_value three_out[] = {posh_int(1), str("immed", 5, 1),
					 str("not immediate", 13, 1)};
	struct posh_value deep[] = {tuple(three, 3), posh_bytes("b", 1),
				    tuple(NULL, 0), tuple(&none, 1)};
	struct posh_value deep_out[] = {tuple(three_out, 3), posh_bytes("b", 1),
					tuple(NULL, 0), tuple(&none, 1)};
	struct posh_value state[] = {str("pkg:Class", 9, 1),
				     str("the state", 9, 1),
				     tuple(three_out, 3)};
	struct posh_value inner[] = {str("Other", 5, 1),
				     form(POSH_FORM_LIKE, state, 3)};
	struct {
		struct posh_value in, out;
	} row[] = {
		{form(POSH_FORM_TYPED, state, 2),
		 form(POSH_FORM_TYPED, state, 2)},
		{form(POSH_FORM_LIKE, state, 2),
		 form(POSH_FORM_LIKE, state, 2)},
		{form(POSH_FORM_LIKE, state, 3),
		 form(POSH_FORM_LIKE, state, 3)},
		{form(POSH_FORM_LIKE, inner, 2),
		 form(POSH_FORM_LIKE, inner, 2)},
		{form(POSH_FORM_SET, NULL, 0), form(POSH_FORM_SET, NULL, 0)},
		{form(POSH_FORM_SET, &none, 1), form(POSH_FORM_SET, &none, 1)},
		{posh_none(), posh_none()},
		{posh_bool(true), posh_bool(true)},
		{posh_bool(false), posh_bool(false)},
		{ellipsis(), ellipsis()},
		{posh_int(0), posh_int(0)},
		{posh_int(-1), posh_int(-1)},
		{posh_int((INT64_C(1) << 47) - 1),
		 posh_int((INT64_C(1) << 47) - 1)},
		{posh_int(INT64_C(1) << 47), posh_int(INT64_C(1) << 47)},
		{posh_int(-(INT64_C(1) << 47)), posh_int(-(INT64_C(1) << 47))},
		{posh_int(-(INT64_C(1) << 47) - 1),
		 posh_int(-(INT64_C(1) << 47) - 1)},
		{posh_int(INT64_C(1) << 55), posh_int(INT64_C(1) << 55)},
		{posh_int(INT64_MAX), posh_int(INT64_MAX)},
		{posh_int(INT64_MIN), posh_int(INT64_MIN)},
		{bigint(big, 11), bigint(big, 10)},
		{bigint(big, 8), posh_int(INT64_C(0x0807060504030201))},
		{bigint("\xff\xff\xff", 3), posh_int(-1)},
		{bigint("\0\0\0\0\0\0\0\x80\0\0", 10),
		 bigint("\0\0\0\0\0\0\0\x80\0", 9)},
		{bigint("", 0), posh_int(0)},
		{posh_float(-0.0), posh_float(-0.0)},
		{posh_float(5e-324), posh_float(5e-324)},
		{posh_float(-(double)INFINITY), posh_float(-(double)INFINITY)},
		{posh_float(-(double)NAN), posh_float((double)NAN)},
		{complex_value(-0.0, 0), complex_value(-0.0, 0)},
		{complex_value(1.5, -(double)INFINITY),
		 complex_value(1.5, -(double)INFINITY)},
		{posh_utf8("", 0), str("", 0, 1)},
		{posh_utf8("abcdef", 6), str("abcdef", 6, 1)},
		{posh_utf8("abcdefg", 7), str("abcdefg", 7, 1)},
		{posh_utf8("a\0b", 3), str("a\0b", 3, 1)},
		{str(nul, 3, 2), str("a\0b", 3, 1)},
		{posh_utf8("\xc3\xa9", 2), latin("\xe9")},
		{str(wide, 7, 4), latin("narrow\xe9")},
		{str(wide, 6, 4), str("narrow", 6, 1)},
		{str(two, 4, 2), str(two, 4, 2)},
		{str(four, 4, 4), str(four, 4, 4)},
		{posh_utf8("x\xce\xb1\xed\xa0\x80\xef\xbf\xbf", 9),
		 str(two, 4, 2)},
		{posh_utf8("x\xf0\x9f\x98\x80\0\xf4\x8f\xbf\xbf", 10),
		 str(four, 4, 4)},
		{posh_bytes("", 0), posh_bytes("", 0)},
		{posh_bytes("a\0b", 3), posh_bytes("a\0b", 3)},
		{tuple(NULL, 0), tuple(NULL, 0)},
		{tuple(three, 3), tuple(three_out, 3)},
		{tuple(deep, 4), tuple(deep_out, 4)},
	};
	uint64_t before = live_blocks();
	struct posh_value out;
	bool listed = true, keyed = true, twice = true;
	size_t i;

	for (i = 0; i < COUNT(row); i++) {
		struct posh_value want = row[i].out;

		listed &= posh_list_append(heap, list, &row[i].in) == 0;
		if (posh_list_get(heap, list, -1, &out) || !is(&out, &want)) {
			tap_note("value %zu comes back as another", i);
			listed = false;
		}
		/* What came back goes in again. */
		twice &= posh_list_append(heap, list, &out) == 0 &&
			 posh_list_pop(heap, list, -1, &out) == 0 &&
			 is(&out, &want);
		posh_dict_clear(heap, dict);
		out = posh_int((int64_t)i);
		if (posh_dict_set(heap, dict, &row[i].in, &out) != 1 ||
		    posh_dict_set(heap, dict, &row[i].out, &out) != 0 ||
		    posh_dict_get(heap, dict, &row[i].out, &out) ||
		    out.i != (int64_t)i) {
			tap_note("value %zu is not found as a key", i);
			keyed = false;
		}
	}
	ok(listed, "values come back from a list as what they were");
	ok(twice, "what came back may go in again");
	ok(keyed, "values are keys, in any form");
	for (i = 0; i < COUNT(row); i++)
		listed &= posh_list_get(heap, list, (int64_t)i, &out) == 0 &&
			  is(&out, &row[i].out);
	ok(listed, "and they are still there at the end");
	check("with all of them in it");
	posh_dict_clear(heap, dict);
	posh_list_delete(heap, list, 0, SIZE_MAX);
	posh_list_reserve(heap, list, 64);
	out = posh_none();
	posh_dict_set(heap, dict, &out, &out);
	ok(live_blocks() <= before + 2,
	   "and when they are taken out nothing is left");
}

/* All of one line are one key. */
static void
test_keys(void)
{
	static const uint16_t wide[] = {'s', 'p', 'a', 'm', 's', 'p', 'a', 'm'};
	struct posh_value one = posh_int(1), real = posh_float(1);
	struct posh_value yes = posh_bool(true), text = posh_utf8("1", 1);
	struct posh_value like[] = {posh_utf8("a:Decimal", 9), posh_float(1),
				    posh_utf8("1.0", 3)};
	struct posh_value nested[] = {posh_utf8("b:Other", 7),
				      form(POSH_FORM_LIKE, like, 3)};
	struct posh_value name[] = {posh_utf8("c:Name", 6),
				    posh_utf8("spamspam", 8)};
	struct posh_value pair[] = {posh_utf8("d:Pair", 6), tuple(&one, 1)};
	struct posh_value items[] = {form(POSH_FORM_LIKE, like, 2)};
	struct posh_value ab[] = {posh_int(7), posh_utf8("spam", 4),
				  posh_utf8("a longer one", 12)};
	struct posh_value ba[] = {posh_utf8("a longer one", 12), posh_float(7),
				  posh_utf8("spam", 4)};
	struct {
		int line;
		struct posh_value v;
	} row[] = {
		{0, posh_int(1)},
		{0, posh_float(1)},
		{0, posh_bool(true)},
		{0, complex_value(1, 0)},
		{0, bigint("\1", 1)},
		{0, form(POSH_FORM_LIKE, like, 3)},
		{0, form(POSH_FORM_LIKE, nested, 2)},
		{1, posh_utf8("1", 1)},
		{2, posh_bytes("1", 1)},
		{3, tuple(&one, 1)},
		{3, tuple(&real, 1)},
		{3, tuple(&yes, 1)},
		{3, form(POSH_FORM_LIKE, pair, 2)},
		{3, tuple(items, 1)},
		{4, tuple(&text, 1)},
		{5, posh_float(0x1p70)},
		{5, bigint("\0\0\0\0\0\0\0\0\x40", 9)},
		{6, bigint("\1\0\0\0\0\0\0\0\x40", 9)},
		{7, posh_int(INT64_C(1) << 50)},
		{7, posh_float(0x1p50)},
		{8, posh_utf8("spamspam", 8)},
		{8, str("spamspam", 8, 1)},
		{8, str(wide, 8, 2)},
		{8, form(POSH_FORM_LIKE, name, 2)},
		{9, posh_bytes("spamspam", 8)},
		{10, posh_float((double)NAN)},
		{10, posh_float(-(double)NAN)},
		{11, posh_float(-0.0)},
		{11, posh_int(0)},
		{11, posh_bool(false)},
		{12, posh_none()},
		{13, ellipsis()},
		{14, tuple(NULL, 0)},
		{15, posh_utf8("", 0)},
		{16, posh_bytes("", 0)},
		{17, complex_value(1, 1)},
		{18, form(POSH_FORM_TYPED, name, 2)},
		{19, tuple(name, 2)},
		{20, form(POSH_FORM_TYPED, pair, 2)},
		{21, form(POSH_FORM_SET, ab, 3)},
		{21, form(POSH_FORM_SET, ba, 3)},
		{22, tuple(ab, 3)},
		{23, form(POSH_FORM_SET, NULL, 0)},
	};
	struct posh_value v, out;
	bool news = true, found = true, gone = true;
	size_t i;

	ok(posh_value_sort(heap, ab, 3) == 0 &&
		   posh_value_sort(heap, ba, 3) == 0,
	   "the items of a set are put in order");
	posh_dict_clear(heap, dict);
	for (i = 0; i < COUNT(row); i++) {
		bool is_new = i == 0 || row[i - 1].line != row[i].line;

		v = posh_int(row[i].line);
		news &= posh_dict_set(heap, dict, &row[i].v, &v) == is_new;
	}
	for (i = 0; i < COUNT(row); i++)
		if (posh_dict_get(heap, dict, &row[i].v, &out) ||
		    out.type != POSH_INT || out.i != row[i].line) {
			tap_note("key %zu", i);
			found = false;
		}
	ok(news, "a key is new exactly when no equal one is there");
	ok(found, "and is found in all its forms");
	ok(posh_dict_len(heap, dict) == 24, "there are as many as lines");
	for (i = COUNT(row); i-- > 0;) {
		bool there =
			i + 1 == COUNT(row) || row[i + 1].line != row[i].line;

		gone &= posh_dict_pop(heap, dict, &row[i].v, NULL) ==
			(there ? 0 : -ENOENT);
	}
	ok(gone && posh_dict_len(heap, dict) == 0,
	   "and all can be removed in any form");
}

/* A text of each size about those where the storage changes. */
static void
test_sizes(void)
{
	static const size_t about[] = {0,    16,    64,    240,   1000,  4096,
				       8152, 16384, 32696, 65536, 200000};
	char *text = malloc(300000);
	uint64_t before;
	struct posh_value v, out;
	bool whole = true;
	size_t i, n;

	for (i = 0; i < 300000; i++)
		text[i] = (char)('a' + i % 25);
	before = live_blocks();
	for (i = 0; i < COUNT(about); i++)
		for (n = about[i] < 12 ? 0 : about[i] - 12; n < about[i] + 12;
		     n++) {
			struct posh_value want = str(text, n, 1);

			v = posh_utf8(text, n);
			whole &= posh_list_append(heap, list, &v) == 0 &&
				 posh_list_get(heap, list, -1, &out) == 0 &&
				 is(&out, &want);
			want = v = posh_bytes(text, n);
			whole &= posh_list_append(heap, list, &v) == 0 &&
				 posh_list_get(heap, list, -1, &out) == 0 &&
				 is(&out, &want);
			whole &= posh_dict_set(heap, dict, &v, &v) == 1 &&
				 posh_dict_pop(heap, dict, &v, &out) == 0 &&
				 is(&out, &want);
		}
	ok(whole, "texts and bytes of all sizes come back");
	posh_list_delete(heap, list, 0, SIZE_MAX);
	ok(live_blocks() <= before + 1, "and leave nothing behind");
	free(text);
}

static void
test_malformed(void)
{
	static const uint32_t beyond[] = {0x110000};
	struct posh_value bad_item[] = {posh_utf8("good enough", 11),
					posh_utf8("long and bad \xff", 14)};
	struct posh_value items[202], spoilt[3];
	struct posh_value name[] = {posh_utf8("a", 1), posh_int(1), posh_int(2),
				    posh_int(3)};
	struct posh_value order[] = {posh_int(1), posh_int(2)}, swap;
	const struct {
		struct posh_value v;
		const char *what;
	} row[] = {
		{{.type = 0}, "no type"},
		{{.type = 77}, "a type that there is not"},
		{str("abcdefgh", 8, 3), "a text of width 3"},
		{str(NULL, 8, 1), "a text without data"},
		{str(beyond, 1, 4), "a character beyond U+10FFFF"},
		{posh_utf8("abcdefgh\xff", 9), "a text that is not UTF-8"},
		{posh_utf8("\xff", 1), "a short one"},
		{posh_bytes(NULL, 8), "bytes without data"},
		{bigint(NULL, 8), "an integer without data"},
		{tuple(NULL, 2), "a tuple without items"},
		{tuple(bad_item, 2), "a tuple with such in it"},
		{tuple(&items[201], 1), "a tuple that is too deep"},
		{posh_fresh((enum posh_kind)9), "a new object of no kind"},
		{form((enum posh_form)5, name, 2), "a tuple of no form"},
		{form(POSH_FORM_TYPED, name, 3), "a class with two states"},
		{form(POSH_FORM_TYPED, order, 2), "a class that is no text"},
		{form(POSH_FORM_LIKE, name, 1), "like nothing"},
		{form(POSH_FORM_LIKE, name, 4), "like too much"},
		{form(POSH_FORM_SET, order, 2), "a set out of order"},
		{tuple(spoilt, 3), "objects made, and then such"},
	};
	uint64_t before;
	struct posh_value v, out, key = posh_utf8("key", 3);
	size_t i;

	posh_value_sort(heap, order, 2);
	swap = order[0];
	order[0] = order[1];
	order[1] = swap;
	items[0] = posh_int(1);
	for (i = 1; i < COUNT(items); i++)
		items[i] = tuple(&items[i - 1], 1);
	v = posh_utf8("a text in the list", 18);
	posh_list_append(heap, list, &v);
	posh_dict_set(heap, dict, &key, &v);
	before = live_blocks();
	for (i = 0; i < COUNT(row); i++) {
		spoilt[0] = posh_fresh(POSH_KIND_LIST);
		spoilt[1] = posh_object(dict);
		spoilt[2] = posh_bytes(NULL, 9);
		v = row[i].v;
		ok(posh_list_append(heap, list, &v) == -EINVAL &&
			   posh_list_set(heap, list, 0, &v) == -EINVAL &&
			   posh_dict_set(heap, dict, &key, &v) == -EINVAL &&
			   posh_dict_set(heap, dict, &v, &key) == -EINVAL &&
			   posh_dict_get(heap, dict, &v, &out) == -EINVAL,
		   "%s: is refused", row[i].what);
	}
	ok(posh_list_len(heap, list) == 1 && posh_dict_len(heap, dict) == 1 &&
		   posh_dict_get(heap, dict, &key, &out) == 0 && out.size == 18,
	   "nothing has changed by that");
	ok(live_blocks() == before, "and nothing was left behind");
	posh_list_delete(heap, list, 0, SIZE_MAX);
	posh_dict_clear(heap, dict);
}

/* How a dict answers for a key that is not there: by get, set, setdefault, pop
 * and update, all the same, having changed nothing. */
static int
missing(struct posh_value key)
{
	struct posh_value item[2] = {key, posh_int(0)}, out;
	int64_t n = posh_dict_len(heap, dict);
	int rc = posh_dict_get(heap, dict, &key, NULL);

	if (posh_dict_get(heap, dict, &key, &out) != rc ||
	    posh_dict_pop(heap, dict, &key, NULL) != rc)
		return 1;
	if (rc == -ENOENT)
		return rc;
	if (posh_dict_set(heap, dict, &item[0], &item[1]) != rc ||
	    posh_dict_setdefault(heap, dict, &item[0], &item[1], &out) != rc ||
	    posh_dict_update(heap, dict, item, 1, 0) != rc ||
	    posh_dict_len(heap, dict) != n)
		return 2;
	return rc;
}

/* Keys that may be equal to others as libposh can't know. */
static void
test_opaque(void)
{
	struct posh_value key = posh_utf8("some key or other", 17),
			  v = posh_int(1);
	struct posh_value item[4] = {posh_int(7), v, posh_int(8), v};
	struct posh_value opaque;
	posh_handle o;
	bool good = true;
	int i;

	posh_dict_clear(heap, dict);
	if (posh_list_new(heap, &o))
		return;
	opaque = posh_object(o);
	opaque.flags = POSH_OPAQUE;
	ok(missing(key) == -ENOENT &&
		   posh_dict_set(heap, dict, &item[0], &v) == 1 &&
		   missing(key) == -ENOENT,
	   "a key that is not there is not there");
	ok(posh_dict_set(heap, dict, &opaque, &v) == 1 &&
		   missing(key) == -ENOTUNIQ,
	   "but where there are opaque keys, one may be equal");
	opaque.flags |= POSH_DISTINCT;
	ok(posh_dict_get(heap, dict, &item[0], &v) == 0 && v.i == 1 &&
		   posh_dict_set(heap, dict, &item[0], &v) == 0 &&
		   posh_dict_set(heap, dict, &opaque, &v) == 0,
	   "those that are found are found");
	for (i = 10; i < 200; i++) {
		struct posh_value k = posh_int(i);

		good &= missing(k) == -ENOTUNIQ;
		k.flags = POSH_DISTINCT;
		good &= missing(k) == -ENOENT &&
			posh_dict_set(heap, dict, &k, &v) == 1;
	}
	ok(good, "the body's successors know it as well");
	key.flags = item[0].flags = item[2].flags = POSH_DISTINCT;
	ok(posh_dict_update(heap, dict, item, 2, 0) == 0 &&
		   posh_dict_setdefault(heap, dict, &key, &v, &v) == 1 &&
		   posh_dict_pop(heap, dict, &key, NULL) == 0,
	   "who has compared them may set others");
	key.flags = item[0].flags = item[2].flags = 0;
	ok(posh_dict_update(heap, dict, item, 2, POSH_REPLACE) == 0 &&
		   missing(key) == -ENOENT,
	   "a dict that was replaced has other keys");
	item[2] = opaque;
	ok(posh_dict_update(heap, dict, item, 2, 0) == 0 &&
		   missing(key) == -ENOTUNIQ &&
		   posh_dict_clear(heap, dict) == 0 && missing(key) == -ENOENT,
	   "an update may have opaque keys, and a dict that is empty has none");
	ok(posh_dict_update(heap, dict, item, 2, POSH_REPLACE) == 0 &&
		   missing(key) == -ENOTUNIQ,
	   "so may what replaces it");
	posh_object_drop(heap, o);
	check("with opaque keys");
}

/* Objects that are looked for by a value. */
static void
test_candidates(void)
{
	struct posh_value value = posh_utf8("the value of both", 17);
	struct posh_value other = posh_utf8("that of the third", 17);
	struct posh_value item[3][3], key[3], out[3], v;
	posh_handle o[3];
	bool news = true, found = true;
	size_t i;

	posh_dict_clear(heap, dict);
	posh_dict_set(heap, dict, &value, &other);
	for (i = 0; i < 3; i++) {
		if (posh_list_new(heap, &o[i]))
			return;
		item[i][0] = posh_utf8("a:Class", 7);
		item[i][1] = i < 2 ? value : other;
		item[i][2] = posh_object(o[i]);
		key[i] = form(POSH_FORM_KEY, item[i], 3);
		v = posh_int((int64_t)i);
		news &= posh_dict_set(heap, dict, &key[i], &v) == 1 &&
			posh_dict_set(heap, dict, &key[i], &v) == 0;
	}
	for (i = 0; i < 3; i++)
		found &= posh_dict_get(heap, dict, &key[i], &v) == 0 &&
			 v.i == (int64_t)i;
	ok(news && found,
	   "objects with a value are keys, each equal to itself");
	ok(missing(other) == -ENOTUNIQ && missing(posh_int(5)) == -ENOENT,
	   "which may be equal to their value, and to nothing else");
	ok(posh_dict_candidates(heap, dict, &value, 3, out) == 2 &&
		   posh_dict_get(heap, dict, &out[0], &v) == 0 && v.i == 0 &&
		   posh_dict_get(heap, dict, &out[1], &v) == 0 && v.i == 1,
	   "those with a value are found by it, and are keys again");
	v = posh_int(0);
	ok(posh_dict_clear(heap, dict) == 0 &&
		   posh_dict_set(heap, dict, &out[0], &v) == 1 &&
		   missing(value) == -ENOTUNIQ,
	   "also in another dict");
	posh_dict_clear(heap, dict);
	for (i = 0; i < 3; i++)
		posh_dict_set(heap, dict, &key[i], &v);
	posh_object_drop(heap, out[0].object);
	posh_object_drop(heap, out[1].object);
	ok(posh_dict_candidates(heap, dict, &value, 1, out) == 2,
	   "or as many as there is room for");
	posh_object_drop(heap, out[0].object);
	v = posh_utf8("no value", 8);
	ok(posh_dict_candidates(heap, dict, &other, 3, out) == 1 &&
		   posh_dict_candidates(heap, dict, &v, 3, out + 1) == 0,
	   "and no others");
	posh_object_drop(heap, out[0].object);
	check("with objects as keys");
	posh_dict_clear(heap, dict);
	for (i = 0; i < 3; i++)
		posh_object_drop(heap, o[i]);
}

static void
test_objects(void)
{
	posh_handle other = {0}, wrong;
	posh_heap *foreign = NULL;
	struct posh_value v, out, none = posh_none();
	struct posh_value pair[2], inner[2];
	uint64_t before = live_blocks();

	posh_heap_create(NULL, &foreign);
	posh_list_new(foreign, &other);
	wrong.off = 12345;
	v = posh_object(wrong);
	ok(posh_list_append(heap, list, &v) == -EXDEV,
	   "a handle of nothing is refused");
	wrong.off = UINT64_MAX - 7;
	v = posh_object(wrong);
	ok(posh_list_append(heap, list, &v) == -EXDEV, "a wild one too");

	pair[0] = posh_object(dict);
	pair[1] = posh_utf8("beside the dict", 15);
	v = tuple(pair, 2);
	ok(posh_list_append(heap, list, &v) == 0 &&
		   posh_list_get(heap, list, -1, &out) == 0 &&
		   out.type == POSH_OBJECT && out.kind == POSH_KIND_TUPLE,
	   "a tuple with an object in it is an object");
	wrong = out.object;
	ok(posh_tuple_get(heap, wrong, 1, &out) == 0 && out.size == 15 &&
		   posh_tuple_get(heap, wrong, 0, &out) == 0 &&
		   out.object.off == dict.off,
	   "with these items");
	posh_object_drop(heap, dict);
	posh_object_drop(heap, wrong);
	ok(posh_dict_set(heap, dict, &v, &none) == 1 &&
		   posh_dict_get(heap, dict, &v, &out) == 0 &&
		   out.type == POSH_NONE,
	   "as a key it is found by its items");
	inner[0] = v;
	inner[1] = posh_int(2);
	v = tuple(inner, 2);
	ok(posh_dict_set(heap, dict, &v, &none) == 1 &&
		   posh_dict_set(heap, dict, &v, &none) == 0 &&
		   posh_dict_len(heap, dict) == 2,
	   "and so in another tuple");
	inner[1] = posh_int(3);
	ok(posh_dict_get(heap, dict, &v, &out) == -ENOENT,
	   "but not with other ones");
	v = posh_object(list);
	ok(posh_dict_set(heap, dict, &v, &none) == 1 &&
		   posh_dict_get(heap, dict, &v, &out) == 0,
	   "an object is a key");
	v = posh_object(dict);
	ok(posh_dict_get(heap, dict, &v, &out) == -ENOENT,
	   "and equal to itself only");
	posh_dict_clear(heap, dict);
	posh_list_delete(heap, list, 0, SIZE_MAX);
	ok(live_blocks() <= before, "and all of it goes");
	posh_heap_close(foreign);
}

/* What a read returned is the key of the next one. */
static void
test_own_output(void)
{
	struct posh_value v = posh_utf8("a key that is not immediate", 27);
	struct posh_value w = posh_utf8("and a value that is as long", 27);
	struct posh_value key, got;
	bool found = true;
	int i;

	posh_list_append(heap, list, &v);
	posh_dict_set(heap, dict, &v, &w);
	for (i = 0; i < 10; i++) {
		found &= posh_list_get(heap, list, 0, &key) == 0 &&
			 posh_dict_get(heap, dict, &key, &got) == 0 &&
			 got.size == 27 && !memcmp(got.data, w.data, 27);
		found &=
			posh_list_get(heap, list, 0, &got) == 0 &&
			posh_dict_setdefault(heap, dict, &key, &v, &got) == 0 &&
			got.size == 27 && !memcmp(got.data, w.data, 27);
	}
	ok(found, "what a read returned may be the next call's key");
	posh_dict_clear(heap, dict);
	posh_list_delete(heap, list, 0, SIZE_MAX);
}

static volatile bool stop;

/* Change the dict all the time. */
static void *
disturb(void *arg)
{
	struct posh_value key = posh_utf8("another", 7), v = posh_none();

	(void)arg;
	while (!stop)
		posh_dict_set(heap, dict, &key, &v);
	return NULL;
}

/* The same, when the second read has to be made again. */
static void
test_disturbed(void)
{
	struct posh_value v = posh_utf8("a key that is not immediate", 27);
	struct posh_value w = posh_utf8("and a value that is as long", 27);
	struct posh_value key, got;
	pthread_t thread;
	bool found = true;
	int i;

	posh_list_append(heap, list, &v);
	posh_dict_set(heap, dict, &v, &w);
	stop = false;
	pthread_create(&thread, NULL, disturb, NULL);
	for (i = 0; i < 50000; i++)
		found &= posh_list_get(heap, list, 0, &key) == 0 &&
			 posh_dict_get(heap, dict, &key, &got) == 0 &&
			 got.size == 27 && !memcmp(got.data, w.data, 27);
	stop = true;
	pthread_join(thread, NULL);
	ok(found, "also while the dict is being changed");
	posh_dict_clear(heap, dict);
	posh_list_delete(heap, list, 0, SIZE_MAX);
}

/* Keys that the heap has already, and hashes by what it has of them. */
static void
test_update(void)
{
	struct posh_value pair[] = {posh_int(1), posh_utf8("one of two", 10)};
	struct posh_value nest[] = {tuple(pair, 2), posh_bytes("b", 1)};
	struct posh_value key[] = {
		posh_utf8("a text that is boxed", 20),
		posh_utf8("\xce\xb1\xce\xb2\xce\xb3", 6),
		posh_utf8("short", 5),
		posh_bytes("some bytes", 10),
		posh_int(INT64_MAX),
		bigint("\0\0\0\0\0\0\0\0\0\1", 10),
		posh_float(2.5),
		posh_int(-1),
		complex_value(1, 2),
		complex_value(7, 0),
		tuple(NULL, 0),
		tuple(pair, 2),
		tuple(nest, 2),
		posh_object(list),
	};
	struct posh_value item[2 * COUNT(key)], out;
	bool found = true;
	size_t i;

	for (i = 0; i < COUNT(key); i++) {
		item[2 * i] = key[i];
		item[2 * i + 1] = posh_int((int64_t)i);
	}
	ok(posh_dict_update(heap, dict, item, COUNT(key), 0) == 0 &&
		   posh_dict_len(heap, dict) == COUNT(key),
	   "a dict is updated with keys of all types");
	for (i = 0; i < COUNT(key); i++)
		if (posh_dict_get(heap, dict, &key[i], &out) ||
		    out.i != (int64_t)i) {
			tap_note("key %zu", i);
			found = false;
		}
	ok(found, "and all are found");
	posh_dict_clear(heap, dict);
}

/* A tuple that fails half-way, in memory that was used for other things. */
static void
test_used_memory(void)
{
	uint64_t word[30];
	struct posh_value v, item[27], bytes = posh_bytes(word, sizeof(word));
	uint64_t before;
	size_t i;

	for (i = 0; i < COUNT(word); i++)
		word[i] = UINT64_C(0x0003000000400040);
	for (i = 0; i < COUNT(item); i++)
		item[i] = posh_utf8("not immediate", 13);
	item[1] = posh_bytes(NULL, 3);
	v = tuple(item, COUNT(item));
	posh_list_append(heap, list, &bytes);
	before = live_blocks();
	for (i = 0; i < 500; i++)
		posh_list_append(heap, list, &bytes);
	posh_list_delete(heap, list, 1, SIZE_MAX);
	for (i = 0; i < 500; i++)
		if (posh_list_append(heap, list, &v) != -EINVAL)
			break;
	ok(i == 500 && live_blocks() == before,
	   "a tuple that fails half-way leaves nothing in used memory");
	check("after that");
	posh_list_delete(heap, list, 0, SIZE_MAX);
}

/* A heap that is full refuses a value whole, and lets others go. */
static void
test_full(void)
{
	struct posh_options opts = {.size = sizeof(opts), .max_size = 4 << 20};
	struct posh_value item[20], v, out;
	posh_heap *big = heap;
	char *text = calloc(1, 40000);
	int64_t n, i;
	uint64_t full;
	int rc;

	if (!ok(posh_heap_create(&opts, &heap) == 0, "a small heap"))
		return;
	posh_list_new(heap, &list);
	memset(text, 'x', 40000);
	for (i = 0; i < 20; i++)
		item[i] = posh_utf8(text, (size_t)(i * 2000));
	v = tuple(item, 20);
	for (n = 0; (rc = posh_list_append(heap, list, &v)) == 0 && n < 100;)
		n++;
	ok(rc == -ENOMEM && n > 2, "takes some tuples and then no more");
	full = live_blocks();
	rc = posh_list_append(heap, list, &v);
	ok(rc == -ENOMEM && live_blocks() == full &&
		   posh_list_len(heap, list) == n,
	   "nothing of the one too many stays");
	check("when it is full");
	ok(posh_list_pop(heap, list, 0, NULL) == 0 &&
		   posh_list_append(heap, list, &v) == 0 &&
		   posh_list_get(heap, list, -1, &out) == 0 && out.size == 20,
	   "one that goes makes room for another");
	posh_object_drop(heap, list);
	ok(live_blocks() < full / 2, "all of it goes");
	posh_heap_close(heap);
	heap = big;
	free(text);
}

int
main(void)
{
	if (posh_heap_create(NULL, &heap) || posh_list_new(heap, &list) ||
	    posh_dict_new(heap, &dict)) {
		ok(false, "a heap can be made");
		return tap_done();
	}
	test_round_trip();
	test_keys();
	test_sizes();
	test_malformed();
	test_opaque();
	test_candidates();
	test_objects();
	test_own_output();
	test_disturbed();
	test_update();
	test_used_memory();
	check("after all that");
	posh_object_drop(heap, list);
	posh_object_drop(heap, dict);
	test_full();
	posh_heap_close(heap);
	return tap_done();
}

/* SPDX-License-Identifier: MIT */
/* Read values while another process replaces them.
 *
 * Every value is made from one number, and says which: a reader that is given
 * parts of two, or of memory that has become something else, sees it.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actor.h"
#include "posh.h"
#include "tap.h"

enum { SLOTS = 4, READS = 500000, LARGE = 80000 };

static posh_heap *heap;
static posh_handle list, dict;
static char *buf; /* of a writer: what its value points to */

/* A value made from a number, with its items in item. */
static struct posh_value
make(uint64_t n, struct posh_value *item)
{
	size_t size = n % 5 == 0 ? n % 3000 : n % 97 == 0 ? LARGE : n % 40;
	struct posh_value v = {.type = POSH_TUPLE};
	struct posh_value *in = item + 4;
	uint32_t *wide = (uint32_t *)(buf + LARGE);
	size_t i;

	memset(buf, 'a' + (int)(n % 26), size);
	for (i = 0; i < 12; i++)
		wide[i] = (uint32_t)(0x1000 + n % 0xffff + 0x10000 * (n & 1));
	item[0] = posh_int((int64_t)n);
	item[1] = n & 2 ? posh_utf8(buf, size) : posh_bytes(buf, size);
	item[2] = (struct posh_value){.type = POSH_STR, .width = 4};
	item[2].data = wide;
	item[2].size = 12;
	in[0] = posh_int((int64_t)(n << 40 | n));
	in[1] = posh_float((double)n);
	item[3] = v;
	item[3].items = in;
	item[3].size = n % 3;
	v.items = item;
	v.size = 4;
	return v;
}

/* Is it such a value, all from one number? */
static bool
whole(const struct posh_value *v)
{
	const struct posh_value *item = v->items;
	uint64_t n, size;
	uint32_t c;
	size_t i;

	if (v->type != POSH_TUPLE || v->size != 4 || item[0].type != POSH_INT)
		return false;
	n = (uint64_t)item[0].i;
	size = n % 5 == 0 ? n % 3000 : n % 97 == 0 ? LARGE : n % 40;
	if (item[1].type != (n & 2 ? POSH_STR : POSH_BYTES) ||
	    item[1].size != size)
		return false;
	for (i = 0; i < size; i++)
		if (((const char *)item[1].data)[i] != 'a' + (int)(n % 26))
			return false;
	c = (uint32_t)(0x1000 + n % 0xffff + 0x10000 * (n & 1));
	if (item[2].type != POSH_STR || item[2].size != 12 ||
	    item[2].width != (c < 0x10000 ? 2 : 4))
		return false;
	for (i = 0; i < 12; i++)
		if (c != (item[2].width == 2
				  ? ((const uint16_t *)item[2].data)[i]
				  : ((const uint32_t *)item[2].data)[i]))
			return false;
	if (item[3].type != POSH_TUPLE || item[3].size != n % 3)
		return false;
	return (n % 3 < 1 || item[3].items[0].i == (int64_t)(n << 40 | n)) &&
	       (n % 3 < 2 || item[3].items[1].f == (double)n);
}

/* Replace values until the parent says that it is enough. */
static int
writer(struct actor *me, void *arg)
{
	struct posh_value item[8], key;
	uint64_t n = 1;
	int rc = 0;

	(void)arg;
	actor_say(me, 'r');
	while (!rc) {
		struct posh_value v = make(n, item);
		struct posh_value stop;

		key = posh_int((int64_t)(n % SLOTS));
		if (posh_list_set(heap, list, (int64_t)(n % SLOTS), &v))
			rc = 1;
		if (posh_dict_set(heap, dict, &v, &key) < 0)
			rc = 2;
		v = make(n - 1, item);
		if (n > 1 && posh_dict_pop(heap, dict, &v, NULL))
			rc = 3;
		n++;
		if (n % 64 == 0 && posh_list_get(heap, list, SLOTS, &stop) == 0)
			break;
	}
	posh_heap_close(heap);
	return rc;
}

static int64_t
read_keys(uint64_t *cursor, struct posh_value *item)
{
	int64_t n = posh_dict_read(heap, dict, cursor, 4, 0, item, NULL);

	if (n == 0)
		*cursor = 0;
	return n;
}

int
main(void)
{
	struct posh_value v, item[8];
	struct actor child;
	bool listed = true, keyed = true;
	uint64_t cursor = 0;
	long keys = 0;
	int64_t n, k;
	int i;

	buf = malloc(LARGE + 64);
	if (posh_heap_create(NULL, &heap) || posh_list_new(heap, &list) ||
	    posh_dict_new(heap, &dict))
		return 1;
	v = make(0, item);
	for (i = 0; i < SLOTS; i++)
		posh_list_append(heap, list, &v);
	actor_start(&child, ACTOR_ARMED, writer, NULL);
	actor_hear(&child);
	for (i = 0; i < READS && listed && keyed; i++) {
		listed = posh_list_get(heap, list, i % SLOTS, &v) == 0 &&
			 whole(&v);
		n = read_keys(&cursor, item);
		keyed = n >= 0;
		for (k = 0; k < n; k++, keys++)
			keyed &= whole(&item[2 * k]);
	}
	ok(listed, "a list's values are whole while they are replaced");
	ok(keyed && keys > 0, "and a dict's keys while they come and go");
	v = posh_none();
	posh_list_append(heap, list, &v);
	ok(actor_end(&child) == 0, "the writer could write all the time");
	tap_note("%ld keys were read", keys);
	ok(posh_heap_check(heap, NULL, NULL) == 0, "the heap is whole");
	posh_heap_close(heap);
	free(buf);
	return tap_done();
}

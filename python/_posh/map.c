/* SPDX-License-Identifier: MIT */
/* map.c - a map of 64-bit numbers, for copies that keep aliasing.
 *
 * Open addressing with linear probes, at most half full.  Nothing is ever
 * removed from it.
 */
#include "sharing.h"

void
map_init(struct map *m)
{
	memset(m->small, 0, sizeof(m->small));
	m->entry = m->small;
	m->mask = sizeof(m->small) / sizeof(m->small[0]) - 1;
	m->used = 0;
}

void
map_fini(struct map *m)
{
	if (m->entry != m->small)
		PyMem_Free(m->entry);
	m->entry = m->small;
}

static struct map_entry *
probe(struct map_entry *entry, size_t mask, uint64_t key)
{
	size_t i = (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & mask;
	while (entry[i].key && entry[i].key != key)
		i = (i + 1) & mask;
	return &entry[i];
}

struct map_entry *
map_find(struct map *m, uint64_t key)
{
	struct map_entry *e = probe(m->entry, m->mask, key);
	return e->key ? e : NULL;
}

static int
grow(struct map *m)
{
	size_t mask = m->mask * 4 + 3;
	struct map_entry *entry = PyMem_Calloc(mask + 1, sizeof(*entry));
	if (!entry) {
		PyErr_NoMemory();
		return -1;
	}
	for (size_t i = 0; i <= m->mask; i++)
		if (m->entry[i].key)
			*probe(entry, mask, m->entry[i].key) = m->entry[i];
	map_fini(m);
	m->entry = entry;
	m->mask = mask;
	return 0;
}

struct map_entry *
map_add(struct map *m, uint64_t key)
{
	struct map_entry *e;
	if (m->used * 2 > m->mask && grow(m) < 0)
		return NULL;
	e = probe(m->entry, m->mask, key);
	if (!e->key) {
		e->key = key;
		m->used++;
	}
	return e;
}

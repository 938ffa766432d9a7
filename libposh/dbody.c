/* SPDX-License-Identifier: MIT */
/* dbody.c - the body of a dict.
 *
 *   head | entry 0 | entry 1 | ... | entry capacity - 1 | index
 *
 * Entries lie in order of insertion; the index is a hash table of their
 * numbers + 2, with linear probing, a power of two and at least half as
 * large again as the entries.  The entries are the truth, the index a way
 * to find them.  At the beginning may be entries that are deleted, which are
 * passed over; an item that is moved to the beginning takes the last of them.
 */
#include "config.h"

#include <string.h>

#include "canon.h"
#include "dict.h"

enum { MIN_BITS = 3, MAX_BITS = 31, DUMMIES = 32 };

/* The number of a dict's first insertion: what is moved to the beginning has
 * a smaller one. */
#define FIRST_NUMBER (UINT64_C(1) << 62)

static uint64_t
capacity_of(unsigned bits)
{
	return (UINT64_C(2) << bits) / 3;
}

static posh__half *
index_of(struct posh__dbody *b, uint32_t capacity)
{
	return (posh__half *)&b->entry[capacity];
}

int
posh__dview(struct posh_heap *h, uint64_t dict, struct posh__dview *out)
{
	uint64_t off = posh__load(&posh__object(h, dict)->body), fill, first;
	struct posh__dbody *b;
	unsigned bits;

	memset(out, 0, sizeof(*out));
	if (!off)
		return 0;
	if (off & 15 || !posh__inside(h, off, sizeof(*b)))
		return -EAGAIN;
	b = posh__dbody_at(h, off);
	if (b->kind != POSH__KIND_DBODY)
		return -EAGAIN;
	bits = b->flags;
	fill = posh__load(&b->fill);
	first = posh__half_load(&b->first);
	out->capacity = posh__half_load(&b->capacity);
	if (bits < MIN_BITS || bits > MAX_BITS ||
	    out->capacity != capacity_of(bits) ||
	    POSH__USED(fill) > out->capacity ||
	    POSH__LIVE_(fill) > POSH__USED(fill) ||
	    !posh__inside(h, off,
			  sizeof(*b) +
				  (uint64_t)out->capacity *
					  sizeof(struct posh__entry) +
				  (UINT64_C(4) << bits)))
		return -EAGAIN;
	out->body = b;
	out->index = index_of(b, out->capacity);
	out->mask = (UINT32_C(1) << bits) - 1;
	out->used = POSH__USED(fill);
	out->live = POSH__LIVE_(fill);
	out->first = first < out->used ? (uint32_t)first : out->used;
	return 0;
}

int
posh__key(struct posh__self *self, const struct posh_value *in,
	  struct posh__key *out)
{
	out->in = in;
	out->immediate = posh__value_immediate(in, &out->word);
	if (!out->immediate)
		return posh__value_hash(self, in, &out->hash);
	out->hash = posh__immediate_hash(out->word);
	return 0;
}

int
posh__stored_key(struct posh__self *self, uint64_t word, struct posh__key *out)
{
	out->in = NULL;
	out->word = word;
	out->immediate = true; /* the same word is the same key, whatever */
	return posh__word_hash(self, word, &out->hash);
}

/* The commonest comparison: a text of the same width, byte by byte. */
static bool
same_text(struct posh_heap *h, uint64_t word, const struct posh_value *in)
{
	uint64_t off = POSH__PAYLOAD(word);
	uint64_t bytes = (uint64_t)in->size * in->width;
	const struct posh__box *b;

	if (in->type != POSH_STR || POSH__TAG(word) != POSH__TAG_BOX ||
	    off & 15 || bytes > POSH__SPAN ||
	    !posh__inside(h, off, sizeof(*b) + bytes))
		return false;
	b = posh__at(h, off);
	return b->block.kind == POSH__KIND_STR &&
	       posh__load(&b->length) == bytes &&
	       (b->block.flags & 7) == in->width &&
	       memcmp((const void *)b->data, in->data, bytes) == 0;
}

static int
matches(struct posh__self *self, const struct posh__entry *e,
	const struct posh__key *key)
{
	uint64_t word;

	if (posh__load(&e->hash) != key->hash ||
	    posh__load(&e->value) == POSH__EMPTY)
		return 0;
	word = posh__load(&e->key);
	if (key->immediate && word == key->word)
		return 1;
	if (!key->in)
		return posh__words_equal(self, word, key->word);
	return same_text(self->h, word, key->in) ||
	       posh__value_equal(self, word, key->in);
}

int
posh__dlookup(struct posh__self *self, const struct posh__dview *v,
	      const struct posh__key *key, struct posh__place *out)
{
	uint32_t i, n;
	bool room = false;

	out->found = false;
	out->pos = 0;
	if (!v->body)
		return 0;
	i = (uint32_t)key->hash & v->mask;
	for (n = 0; n <= v->mask; n++, i = (i + 1) & v->mask) {
		uint32_t e = posh__half_load(&v->index[i]);
		int rc;

		if (e < POSH__INDEX_FIRST && !room) {
			room = true;
			out->pos = i;
		}
		if (e == POSH__INDEX_EMPTY)
			return 0;
		if (e == POSH__INDEX_DUMMY)
			continue;
		if (e - POSH__INDEX_FIRST >= v->used)
			continue; /* stale, or being inserted */
		rc = matches(self, &v->body->entry[e - POSH__INDEX_FIRST], key);
		if (rc < 0)
			return rc;
		if (rc) {
			out->found = true;
			out->entry = e - POSH__INDEX_FIRST;
			out->pos = i;
			return 0;
		}
	}
	return room ? 0 : -EAGAIN;
}

/* Is a key {class, value, object} on the chain of this hash, which is then
 * its value's? */
static bool
has_alike(struct posh__self *self, const struct posh__dview *v, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & v->mask, n;

	for (n = 0; n <= v->mask; n++, i = (i + 1) & v->mask) {
		uint32_t e = posh__half_load(&v->index[i]);
		const struct posh__entry *entry;
		struct posh__items t;

		if (e == POSH__INDEX_EMPTY)
			break;
		if (e == POSH__INDEX_DUMMY || e - POSH__INDEX_FIRST >= v->used)
			continue;
		entry = &v->body->entry[e - POSH__INDEX_FIRST];
		if (posh__load(&entry->hash) == hash &&
		    posh__load(&entry->value) != POSH__EMPTY &&
		    posh__items_view(self->h, posh__load(&entry->key), &t) ==
			    1 &&
		    t.form == POSH_FORM_KEY)
			return true;
	}
	return false;
}

int
posh__dmissing(struct posh__self *self, const struct posh__dview *v,
	       const struct posh__key *key)
{
	uint64_t marks = v->body ? posh__half_load(&v->body->marks) : 0;

	if (!marks || key->in->flags & POSH_DISTINCT)
		return -ENOENT;
	if (marks & POSH__DICT_OPAQUE)
		return -ENOTUNIQ;
	if (posh__dict_marks(self->h, key->in))
		return -ENOENT; /* who sets such a key compares it */
	return has_alike(self, v, key->hash) ? -ENOTUNIQ : -ENOENT;
}

uint64_t
posh__dict_marks(struct posh_heap *h, const struct posh_value *in)
{
	uint64_t marks = in->flags & POSH_OPAQUE ? POSH__DICT_OPAQUE : 0;
	struct posh__items t;
	bool valued = in->type == POSH_TUPLE && in->width == POSH_FORM_KEY;

	if (in->type == POSH_OBJECT) /* one that was read */
		valued = posh__items_view(
				 h,
				 POSH__TAGGED(POSH__TAG_OBJECT, in->object.off),
				 &t) == 1 &&
			 t.form == POSH_FORM_KEY;
	return marks | (valued ? POSH__DICT_VALUED : 0);
}

static bool
has_room(const struct posh__dview *v, uint64_t n)
{
	return v->body && v->used + n <= v->capacity;
}

bool
posh__dcrowded(const struct posh__dview *v, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & v->mask, dummies = 0, n;

	for (n = 0; n <= v->mask; n++, i = (i + 1) & v->mask) {
		uint32_t e = posh__half_load(&v->index[i]);

		if (e == POSH__INDEX_EMPTY)
			return false;
		if (e == POSH__INDEX_DUMMY && ++dummies > DUMMIES)
			return true;
	}
	return false;
}

/* Copy the live entries to a new body, closing the gaps, behind so many that
 * are deleted.
 *   -EUCLEAN  there are more than was said */
static int
copy_entries(struct posh__dbody *to, uint32_t mask, uint32_t front,
	     const struct posh__dview *from)
{
	posh__half *index = index_of(to, posh__half_load(&to->capacity));
	uint32_t i, n = front;

	for (i = from->first; i < from->used; i++) {
		const struct posh__entry *e = &from->body->entry[i];
		uint32_t at;

		if (posh__peek(&e->value) == POSH__EMPTY)
			continue;
		if (n == posh__half_load(&to->capacity))
			return -EUCLEAN;
		memcpy((void *)&to->entry[n], (const void *)e, sizeof(*e));
		at = (uint32_t)posh__peek(&e->hash) & mask;
		while (posh__half_load(&index[at]))
			at = (at + 1) & mask;
		posh__half_store(&index[at], n + POSH__INDEX_FIRST);
		n++;
	}
	for (i = 0; i < front; i++)
		posh__store(&to->entry[i].number,
			    posh__peek(&to->entry[front].number) - front + i);
	posh__half_store(&to->first, front);
	posh__store(&to->fill, POSH__FILL(n, n - front));
	posh__store(&to->number, posh__peek(&from->body->number));
	posh__half_store(&to->marks, posh__half_load(&from->body->marks));
	return 0;
}

int
posh__dbody_make(struct posh__self *self, uint64_t n, uint32_t front,
		 const struct posh__dview *keep)
{
	struct posh__dbody *b;
	unsigned bits = MIN_BITS;
	uint64_t cap, bytes;
	int rc;

	while (bits <= MAX_BITS && capacity_of(bits) < n)
		bits++;
	if (bits > MAX_BITS)
		return -ENOMEM;
	cap = capacity_of(bits);
	bytes = sizeof(*b) + cap * sizeof(struct posh__entry) +
		(UINT64_C(4) << bits);
	rc = posh__body_alloc(self, bytes, POSH__KIND_DBODY);
	if (rc)
		return rc;
	b = posh__dbody_at(self->h, posh__peek(&self->t->newbody));
	posh__half_store(&b->capacity, (uint32_t)cap);
	b->flags = (uint16_t)bits;
	posh__store(&b->fill, 0);
	posh__store(&b->number, FIRST_NUMBER);
	posh__half_store(&b->marks, 0);
	posh__half_store(&b->first, 0);
	memset((void *)b->entry, 0, bytes - sizeof(*b));
	if (keep && keep->body)
		return copy_entries(b, (UINT32_C(1) << bits) - 1, front, keep);
	return 0;
}

int
posh__dict_anew(struct posh__self *self, uint64_t dict, uint32_t front,
		uint64_t n, struct posh__dview *v)
{
	uint64_t need = (uint64_t)v->live + front + n;
	int rc;

	/* Twice what lives: a dict that is used as a queue keeps its size. */
	rc = posh__dbody_make(self, need > 5 ? need + need / 2 : need, front,
			      v);
	if (posh__is_full(rc))
		rc = posh__dbody_make(self, need, front, v);
	if (posh__is_full(rc) && !front && has_room(v, n))
		return 0;
	if (rc)
		return rc;
	posh__body_swap(self, dict, 0, 0, false);
	posh__body_free(self, &self->t->trash);
	return posh__dview(self->h, dict, v);
}

int
posh__dict_room(struct posh__self *self, uint64_t dict, uint64_t n,
		struct posh__dview *v)
{
	return has_room(v, n) ? 0 : posh__dict_anew(self, dict, 0, n, v);
}

/* SPDX-License-Identifier: MIT */
/* slots.c - where a block keeps values, for those who treat all kinds alike:
 * destruction, the recount and the check.  Numbers that do not fit the
 * block's memory are cut, so that a damaged heap is walked without harm. */
#include "config.h"

#include "slots.h"

/* The body at this handle has a kind and lies in a live block: how many bytes
 * has it?  0: it is none. */
static uint64_t
body_bytes(struct posh_heap *h, uint64_t body, uint16_t kind)
{
	posh__word *w = posh__block_word(h, body);

	if (!w || !posh__load(w) || posh__body_at(h, body)->kind != kind)
		return 0;
	return posh__block_bytes(h, body);
}

static uint64_t
at_most(uint64_t n, uint64_t max)
{
	return n < max ? n : max;
}

/* How many words fit behind a front. */
static uint64_t
words(uint64_t bytes, uint64_t front)
{
	return bytes > front ? (bytes - front) / 8 : 0;
}

int
posh__body_rows(struct posh_heap *h, uint64_t body, struct posh__row *row)
{
	uint64_t bytes = body_bytes(h, body, POSH__KIND_BODY), n;

	if (bytes >= sizeof(struct posh__body)) {
		n = posh__load(&posh__body_at(h, body)->length);
		row[0] = (struct posh__row){
			body + sizeof(struct posh__body),
			at_most(n, words(bytes, sizeof(struct posh__body))), 8};
		return 1;
	}
	bytes = body_bytes(h, body, POSH__KIND_DBODY);
	if (bytes >= sizeof(struct posh__dbody)) {
		const uint64_t entry = sizeof(struct posh__entry);

		n = POSH__USED(posh__load(&posh__dbody_at(h, body)->fill));
		n = at_most(n, (bytes - sizeof(struct posh__dbody)) / entry);
		row[0] = (struct posh__row){
			body + sizeof(struct posh__dbody) + 16, n, entry};
		row[1] = (struct posh__row){row[0].off + 8, n, entry};
		return 2;
	}
	bytes = body_bytes(h, body, POSH__KIND_RING);
	if (bytes >= sizeof(struct posh__ring)) {
		/* All of it: what is outside of the queue owns nothing. */
		n = posh__half_load(&posh__ring_at(h, body)->capacity);
		row[0] = (struct posh__row){
			body + sizeof(struct posh__ring),
			at_most(n, words(bytes, sizeof(struct posh__ring))), 8};
		return 1;
	}
	return 0;
}

int
posh__rows(struct posh_heap *h, uint64_t block, struct posh__row *row,
	   uint64_t *body)
{
	struct posh__object *o = posh__object(h, block);
	uint64_t bytes = posh__block_bytes(h, block), n;

	*body = 0;
	if (bytes < sizeof(struct posh__object))
		return 0; /* damaged */
	switch (o->kind) {
	case POSH__KIND_LIST:
	case POSH__KIND_DICT:
	case POSH__KIND_SET:
	case POSH__KIND_DEQUE:
		*body = posh__load(&o->body);
		return *body ? posh__body_rows(h, *body, row) : 0;
	case POSH__KIND_TUPLE:
		n = posh__load(&((struct posh__tuple *)o)->length);
		row[0] = (struct posh__row){
			block + sizeof(struct posh__tuple),
			at_most(n, words(bytes, sizeof(struct posh__tuple))),
			8};
		return 1;
	case POSH__KIND_INSTANCE:
		n = (uint64_t)o->flags + 1; /* the class lies ahead of them */
		row[0] = (struct posh__row){
			block + sizeof(struct posh__object),
			at_most(n, words(bytes, sizeof(struct posh__object))),
			8};
		row[1] = (struct posh__row){block + 16, 1, 8};
		return 2;
	case POSH__KIND_BUFFER:
		row[0] = (struct posh__row){
			block + sizeof(struct posh__object),
			at_most(2, words(bytes, sizeof(struct posh__object))),
			8};
		return 1;
	case POSH__KIND_BOXTUPLE:
		n = posh__load((posh__word *)posh__at(h, block + 16));
		row[0] = (struct posh__row){block + 24,
					    at_most(n, words(bytes, 24)), 8};
		return 1;
	case POSH__KIND_BODY:
	case POSH__KIND_DBODY:
	case POSH__KIND_RING:
		return posh__body_rows(h, block, row);
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* scratch.c - the memory of a thread that its reads return data in.
 *
 * Chunks of private memory, taken from front to back.  A chunk never moves,
 * so that what was taken stays where it is; a reset makes all of it void, and
 * keeps one chunk.
 */
#include "config.h"

#include <stdlib.h>

#include "value.h"

enum { FIRST = 4096, KEEP = 1 << 20 };

static struct posh__chunk *
chunk_alloc(size_t bytes)
{
	struct posh__chunk *c;

	if (bytes > SIZE_MAX / 2)
		return NULL;
	bytes = (bytes + 15) & ~(size_t)15;
	c = malloc(sizeof(*c) + bytes);
	if (c)
		c->bytes = bytes;
	return c;
}

static void
begin(struct posh__scratch *s)
{
	s->begin = s->at = (char *)s->chunk->data;
	s->end = s->at + s->chunk->bytes;
}

static void
chunks_free(struct posh__chunk *c)
{
	while (c) {
		struct posh__chunk *next = c->next;

		free(c);
		c = next;
	}
}

void *
posh__scratch_more(struct posh__self *self, size_t bytes)
{
	struct posh__scratch *s = self->scratch;
	size_t size = s && s->chunk ? s->chunk->bytes * 2 : FIRST;
	struct posh__chunk *c;

	/* Doubled up to what is kept; beyond that as asked. */
	if (size > KEEP)
		size = KEEP;
	c = chunk_alloc(size < bytes ? bytes : size);
	if (!c)
		return NULL;
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s) {
			free(c);
			return NULL;
		}
		self->scratch = s;
	}
	c->next = s->chunk;
	s->chunk = c;
	s->trim = c->next || c->bytes > KEEP;
	begin(s);
	return posh__scratch(self, bytes);
}

/* Keep the largest chunk that is not too large; where all are, a new one of
 * the size that is kept or, without memory for that, the last one. */
void
posh__scratch_trim(struct posh__self *self)
{
	struct posh__scratch *s = self->scratch;
	struct posh__chunk *keep = NULL, *c;

	for (c = s->chunk; c; c = c->next)
		if (c->bytes <= KEEP && (!keep || c->bytes > keep->bytes))
			keep = c;
	if (!keep)
		keep = chunk_alloc(KEEP);
	if (keep) {
		struct posh__chunk **at = &s->chunk;

		while (*at && *at != keep)
			at = &(*at)->next;
		if (*at)
			*at = keep->next;
	} else {
		keep = s->chunk;
		s->chunk = keep->next;
	}
	chunks_free(s->chunk);
	keep->next = NULL;
	s->chunk = keep;
	s->trim = keep->bytes > KEEP;
	begin(s);
}

void
posh__scratch_flip(struct posh__self *self)
{
	struct posh__scratch *s = self->scratch;

	if (!s)
		return;
	if (!s->other) {
		s->other = calloc(1, sizeof(*s));
		if (!s->other)
			return;
		s->other->other = s;
	}
	self->scratch = s->other;
}

void
posh__scratch_free(struct posh__self *self)
{
	struct posh__scratch *s = self->scratch;

	self->scratch = NULL;
	if (!s)
		return;
	if (s->other) {
		chunks_free(s->other->chunk);
		free(s->other);
	}
	chunks_free(s->chunk);
	free(s);
}

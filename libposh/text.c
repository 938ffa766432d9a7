/* SPDX-License-Identifier: MIT */
/* text.c - the canonical form of an input text: its narrowest width. */
#include "config.h"

#include "canon.h"

/* Input of width 2 and 4 need not be aligned. */
static inline uint32_t
char_at(const uint8_t *p, unsigned width)
{
	uint16_t two;
	uint32_t four;

	if (width == 1)
		return *p;
	if (width == 2) {
		memcpy(&two, p, 2);
		return two;
	}
	memcpy(&four, p, 4);
	return four;
}

static void
set_width(struct posh__text *t, uint32_t largest)
{
	t->width = largest < 0x100 ? 1 : largest < 0x10000 ? 2 : 4;
	t->ascii = largest < 0x80;
}

/* Every character is or-ed in, which gives the width and nothing more; one
 * that is too large is found by itself. */
static int
scan_wide(struct posh__text *t)
{
	uint32_t bits = 0, c;
	const uint8_t *p;
	bool bad = false;

	for (p = t->at; p < t->end; p += t->from) {
		c = char_at(p, t->from);
		bits |= c;
		bad |= c > 0x10ffff;
	}
	set_width(t, bits);
	return bad ? -EINVAL : 0;
}

static int
scan_utf8(struct posh__text *t)
{
	const uint8_t *p = t->at;
	uint32_t largest = 0, c;

	for (t->chars = 0; p < t->end; t->chars++) {
		c = posh__utf8_next(&p, t->end);
		if (c == UINT32_MAX)
			return -EINVAL;
		if (c > largest)
			largest = c;
	}
	set_width(t, largest);
	return 0;
}

int
posh__text_begin(const struct posh_value *in, struct posh__text *t)
{
	unsigned width = in->type == POSH_UTF8 ? 1 : in->width;

	if ((width != 1 && width != 2 && width != 4) ||
	    in->size > (SIZE_MAX >> 16) || (!in->data && in->size))
		return -EINVAL;
	t->at = in->data;
	t->end = in->size ? t->at + in->size * width : t->at;
	t->chars = in->size;
	t->from = width;
	t->width = 1;
	if (width > 1)
		return scan_wide(t);
	t->ascii = posh__all_ascii(t->at, t->chars);
	if (in->type == POSH_STR || t->ascii)
		return 0;
	t->from = 0;
	return scan_utf8(t);
}

static inline void
put(void *to, size_t i, unsigned width, uint32_t c)
{
	if (width == 1)
		((uint8_t *)to)[i] = (uint8_t)c;
	else if (width == 2)
		((uint16_t *)to)[i] = (uint16_t)c;
	else
		((uint32_t *)to)[i] = c;
}

size_t
posh__text_take(struct posh__text *t, void *to, size_t max)
{
	size_t left, i;

	if (t->from == 0) {
		for (i = 0; i < max && t->at < t->end; i++)
			put(to, i, t->width, posh__utf8_next(&t->at, t->end));
		return i;
	}
	left = (size_t)(t->end - t->at) / t->from;
	if (left > max)
		left = max;
	if (t->from == t->width) {
		if (left)
			memcpy(to, t->at, left * t->width);
	} else {
		for (i = 0; i < left; i++)
			put(to, i, t->width,
			    char_at(t->at + i * t->from, t->from));
	}
	t->at += left * t->from;
	return left;
}

bool
posh__text_immediate(const struct posh_value *in, uint64_t *out)
{
	const uint8_t *p = in->data;
	uint8_t text[6];
	size_t i;

	if (in->type == POSH_UTF8 || in->width == 1)
		return posh__ascii_immediate(p, in->size, out);
	if ((in->width != 2 && in->width != 4) || in->size > 6 ||
	    (in->size && !p))
		return false;
	for (i = 0; i < in->size; i++) {
		uint32_t c = char_at(p + i * in->width, in->width);

		if (c >= 0x80)
			return false;
		text[i] = (uint8_t)c;
	}
	return posh__ascii_immediate(text, in->size, out);
}

/* SPDX-License-Identifier: MIT */
/* utf8.c - texts from and to UTF-8.
 *
 * Strict, but for surrogates: a lone one is three bytes, as with Python's
 * "surrogatepass", so that every str has its UTF-8.
 */
#include "config.h"

#include <stdlib.h>

#include "canon.h"

uint32_t
posh__utf8_next(const uint8_t **at, const uint8_t *end)
{
	/* The least character that needs 2, 3 and 4 bytes. */
	static const uint32_t least[] = {0x80, 0x800, 0x10000};
	const uint8_t *p = *at;
	uint32_t c = *p++;
	int more, i;

	if (c < 0x80) {
		*at = p;
		return c;
	}
	if (c < 0xc2 || c > 0xf4)
		return UINT32_MAX;
	more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	if (end - p < more)
		return UINT32_MAX;
	c &= 0x3fu >> more;
	for (i = 0; i < more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return UINT32_MAX;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[more - 1] || c > 0x10ffff)
		return UINT32_MAX;
	*at = p + more;
	return c;
}

static char *
put(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*to++ = (char)(0xe0 | c >> 12);
		} else {
			*to++ = (char)(0xf0 | c >> 18);
			*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (c & 0x3f));
	return to;
}

/* Write n characters of this width to `to`. */
static char *
encode(char *to, const void *from, size_t n, unsigned width)
{
	const uint32_t *four = from;
	const uint16_t *two = from;
	const uint8_t *one = from;
	size_t i;

	for (i = 0; i < n; i++)
		to = put(to, width == 1   ? one[i]
			     : width == 2 ? two[i]
					  : four[i]);
	return to;
}

char *
posh_value_utf8(const struct posh_value *v, size_t *bytes)
{
	uint32_t piece[64];
	struct posh__text t;
	char *out, *end;
	size_t n;

	if ((v->type != POSH_STR && v->type != POSH_UTF8) ||
	    posh__text_begin(v, &t) || t.chars > SIZE_MAX / 8)
		return NULL;
	/* A character of width 1, 2, 4 takes at most 2, 3, 4 bytes. */
	n = t.ascii ? 1 : t.width + (t.width < 4);
	end = out = malloc(t.chars * n + 1);
	if (!out)
		return NULL;
	while ((n = posh__text_take(&t, piece, 64)) > 0)
		end = encode(end, piece, n, t.width);
	*end = '\0';
	if (bytes)
		*bytes = (size_t)(end - out);
	return out;
}

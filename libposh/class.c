/* SPDX-License-Identifier: MIT */
/* class.c - classes: lists of names in the heap's dict of classes.  Nothing
 * is ever taken out of either, so a class needs no hold, and the number of
 * an attribute's slot is its place for ever. */
#include "config.h"

#include <string.h>

#include "op.h"

int
posh_class_intern(posh_heap *h, const char *name, posh_handle *out)
{
	posh_handle classes = posh_heap_place(h, POSH_CLASSES), made;
	struct posh_value key = posh_utf8(name, strlen(name)), v, got;
	int rc;

	if (!*name)
		return -EINVAL;
	rc = posh_dict_get(h, classes, &key, &got);
	if (rc == -ENOENT) {
		/* Named before it is seen: a class has always a name. */
		rc = posh_list_new(h, &made);
		if (rc)
			return rc;
		v = key;
		rc = posh_list_append(h, made, &v);
		v = posh_object(made);
		if (rc == 0)
			rc = posh_dict_setdefault(h, classes, &key, &v, &got);
		posh_object_drop(h, made);
	}
	if (rc < 0)
		return rc;
	if (got.type != POSH_OBJECT)
		return -EUCLEAN;
	*out = got.object;
	posh_object_drop(h, got.object);
	return 0;
}

static bool
same(const struct posh_value *a, const struct posh_value *b)
{
	return a->type == POSH_STR && a->width == b->width &&
	       a->size == b->size &&
	       memcmp(a->data, b->data, a->size * a->width) == 0;
}

/* Find a name from slot *from on; the names do not change. */
static int
find(posh_heap *h, posh_handle cls, const struct posh_value *name, int64_t from)
{
	struct posh_value v;
	int64_t i, n = posh_list_len(h, cls);

	if (n < 0)
		return (int)n;
	for (i = from + 1; i < n; i++) {
		int rc = posh_list_get(h, cls, i, &v);

		if (rc)
			return rc;
		if (same(&v, name))
			return (int)i - 1;
	}
	return -ENOENT;
}

int
posh_class_slot(posh_heap *h, posh_handle cls, const struct posh_value *name,
		unsigned create)
{
	struct posh_value v = *name;
	int rc;

	if (name->type != POSH_STR)
		return -EINVAL;
	rc = find(h, cls, name, 0);
	if (rc != -ENOENT || !create)
		return rc;
	rc = posh_object_lock(h, cls, -1);
	if (rc)
		return rc;
	rc = find(h, cls, name, 0);
	if (rc == -ENOENT) {
		int64_t n = posh_list_len(h, cls);

		rc = n > POSH_CLASS_SLOTS ? -ERANGE
					  : posh_list_append(h, cls, &v);
		if (rc == 0)
			rc = (int)n - 1;
	}
	posh_object_unlock(h, cls);
	return rc;
}

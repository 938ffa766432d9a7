/* SPDX-License-Identifier: MIT */
/* check.h - the parts of posh_heap_check.
 *
 * Writers stand still, readers do not: they enter holds, make their table of
 * holds larger, and take a monitor where they meet a dead one's.  What one of
 * those may be in the middle of, or have died in, is not wrong.
 */
#ifndef POSH_CHECK_H
#define POSH_CHECK_H

#include "walk.h"

struct posh__check {
	struct posh__self *self;
	struct posh__census census;
	void (*report)(const char *what, void *arg);
	void *arg;
	int wrong;
	uint64_t budget;  /* of boxes and their items yet to be looked at */
	uint64_t looks;   /* at indexes of dicts, yet to be had */
	uint16_t *lists;  /* who has a span in its list; see checkspans.c */
	uint64_t orphans; /* spans without an owner */
};

/* Report something that is wrong. */
void posh__say(struct posh__check *c, const char *fmt, ...)
	__attribute__((__format__(__printf__, 2, 3)));

/* checkspans.c: the table of spans, and the lists through them.
 *   -ENOMEM */
int posh__check_spans(struct posh__check *c);

/* checkmembers.c: members, their holds, and threads; and the monitor of an
 * object. */
void posh__check_members(struct posh__check *c);
void posh__check_threads(struct posh__check *c);
void posh__check_lock(struct posh__check *c, uint64_t object);
void posh__check_mutex(struct posh__check *c, const posh__half *w,
		       const char *what);

/* checkboxes.c: a boxed value; a value in a slot of a block, or elsewhere
 * (block 0). */
void posh__check_box(struct posh__check *c, uint64_t box);
void posh__check_value(struct posh__check *c, uint64_t block, uint64_t value);

/* What is wrong with the form of a tuple, or NULL; all n slots are there. */
const char *posh__form_wrong(struct posh__check *c, unsigned form,
			     const posh__word *slot, uint64_t n);

/* checkobjects.c: a live block of these kinds; and the objects that are always
 * there. */
void posh__check_object(struct posh__check *c, uint64_t object);
void posh__check_places(struct posh__check *c);

/* For messages. */
static inline unsigned long long
posh__hex(uint64_t n)
{
	return n;
}

#endif

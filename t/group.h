/* SPDX-License-Identifier: MIT */
/* group.h - a memory control group, where one can be made. */
#ifndef POSH_GROUP_H
#define POSH_GROUP_H

#include <stdbool.h>

enum { GROUP_NAME = 100 };

/* Make one for so many bytes, a number in words; false if that cannot be
 * done.  Its name goes to group. */
bool group_make(char group[GROUP_NAME], const char *bytes);

/* Move this process there. */
bool group_join(const char *group);

/* Remove it, when the last process in it has ended. */
void group_remove(const char *group);

#endif

/* SPDX-License-Identifier: MIT */
/* file.h - the files that heaps are in: names, and descriptors. */
#ifndef POSH_FILE_H
#define POSH_FILE_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "format.h"

enum { POSH__PATH_MAX = 4096 };

/* The path of a heap's name.
 *   -EINVAL */
int posh__file_path(const char *name, char path[POSH__PATH_MAX]);

/* Open a file of that path for a heap; or a negative errno of
 * posh_heap_open. */
int posh__file_open(const char *path);

/* Open what a link under /proc leads to. */
int posh__link_open(const char *link);

/* Make a file without a name: for no name at all, or to be published under
 * path.  Where the file system has no such files it is called temp for now;
 * else temp is "". */
int posh__file_anonymous(void);
int posh__file_unnamed(const char *path, unsigned mode,
		       char temp[POSH__PATH_MAX]);

/* Give it its name, or -EEXIST; discard is for one that will get none. */
int posh__file_publish(int fd, const char *temp, const char *path);
void posh__file_discard(const char *temp);

int posh__file_unlink(const char *path);

/* Read the header of a heap's file, and verify it.
 *   as posh__format_check */
int posh__file_header(int fd, struct posh__header *out, struct stat *st);

/* Are a file's pages the machine's memory, for good? */
bool posh__file_in_ram(const struct statfs *fs);

#endif

/* SPDX-License-Identifier: MIT */
/* error.c - the library's version, and what its errors mean. */
#include "config.h"

#include <errno.h>

#include "posh.h"

const char *
posh_version(void)
{
	return POSH_VERSION_STRING;
}

static const struct {
	int error;
	const char *text;
} table[] = {
	{0, "no error"},
	{EACCES, "the heap belongs to another user, or may only be read"},
	{EAGAIN, "more threads use the heap than it can name"},
	{EBADF, "the file descriptor is not open, or was closed"},
	{EBADMSG, "the file is not a heap"},
	{ECHILD, "this process was forked without posh_fork_arm(), or "
		 "the fork could not make it a member"},
	{EDEADLK, "waiting would close a circle of waiting threads"},
	{EEXIST, "there is a heap of this name already"},
	{EINTR, "a signal came while the call waited"},
	{EINVAL, "an argument is not valid"},
	{EIO, "the file cannot be read"},
	{EMFILE, "the process has too many open files"},
	{ENFILE, "the system has too many open files"},
	{ENOENT, "there is none of this name"},
	{ENOMEM, "there is no memory left for it"},
	{EPERM, "the calling thread is not inside the monitor"},
	{EPROTONOSUPPORT, "the heap has another layout or byte order"},
	{ERANGE, "the index is out of range"},
	{ESHUTDOWN, "the heap was closed"},
	{ESTALE, "the object was changed meanwhile"},
	{ETIMEDOUT, "somebody else was inside all the time"},
	{EUCLEAN, "the heap is damaged"},
	{EXDEV, "the object is of another heap"},
};

const char *
posh_error_text(int error)
{
	unsigned i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].error == -error)
			return table[i].text;
	return "an unknown error";
}

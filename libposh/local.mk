# SPDX-License-Identifier: MIT
LIBPOSH_SOURCES = \
	%D%/alive.c \
	%D%/alloc.c \
	%D%/alloc.h \
	%D%/atomic.h \
	%D%/attach.h \
	%D%/blob.c \
	%D%/box.c \
	%D%/buffer.c \
	%D%/cancel.h \
	%D%/canon.h \
	%D%/check.c \
	%D%/check.h \
	%D%/checkboxes.c \
	%D%/checkmembers.c \
	%D%/checkobjects.c \
	%D%/checkspans.c \
	%D%/circle.c \
	%D%/circle.h \
	%D%/class.c \
	%D%/collect.c \
	%D%/dbody.c \
	%D%/death.c \
	%D%/deque.c \
	%D%/dict.c \
	%D%/dict.h \
	%D%/dread.c \
	%D%/equal.c \
	%D%/error.c \
	%D%/fd.c \
	%D%/file.c \
	%D%/file.h \
	%D%/fork.c \
	%D%/format.c \
	%D%/format.h \
	%D%/gate.c \
	%D%/gate.h \
	%D%/grow.c \
	%D%/hash.c \
	%D%/heap.c \
	%D%/heap.h \
	%D%/hold.c \
	%D%/instance.c \
	%D%/layout.h \
	%D%/link.c \
	%D%/list.c \
	%D%/lock.c \
	%D%/lock.h \
	%D%/member.c \
	%D%/memory.c \
	%D%/memory.h \
	%D%/number.c \
	%D%/object.c \
	%D%/op.c \
	%D%/op.h \
	%D%/quick.h \
	%D%/quiesce.c \
	%D%/quiesce.h \
	%D%/read.c \
	%D%/recount.c \
	%D%/recover.c \
	%D%/ref.h \
	%D%/rehearse.c \
	%D%/rule.h \
	%D%/scratch.c \
	%D%/slots.c \
	%D%/slots.h \
	%D%/span.c \
	%D%/span.h \
	%D%/stats.c \
	%D%/step.c \
	%D%/text.c \
	%D%/thread.c \
	%D%/thread.h \
	%D%/tuple.c \
	%D%/utf8.c \
	%D%/value.c \
	%D%/value.h \
	%D%/wait.c \
	%D%/walk.c \
	%D%/walk.h

lib_LTLIBRARIES = %D%/libposh.la
%C%_libposh_la_SOURCES = $(LIBPOSH_SOURCES)
%C%_libposh_la_CPPFLAGS = $(POSH_CPPFLAGS)
%C%_libposh_la_CFLAGS = $(AM_CFLAGS) $(VISIBILITY_CFLAGS) -Wwrite-strings
%C%_libposh_la_LIBADD = $(XXHASH_LIBS) $(ATOMIC_OPS_LIBS)
%C%_libposh_la_LDFLAGS = -no-undefined -version-info $(POSH_ABI)
if HAVE_VSCRIPT
%C%_libposh_la_LDFLAGS += $(VSCRIPT_LDFLAGS),$(top_srcdir)/%D%/libposh.map
EXTRA_%C%_libposh_la_DEPENDENCIES = $(top_srcdir)/%D%/libposh.map
endif
EXTRA_DIST += %D%/libposh.map

# The same sources with their steps live, for the tests.
check_LTLIBRARIES = %D%/libposh-check.la
%C%_libposh_check_la_SOURCES = $(LIBPOSH_SOURCES)
%C%_libposh_check_la_LIBADD = $(XXHASH_LIBS) $(ATOMIC_OPS_LIBS)

include_HEADERS = %D%/posh.h
nodist_pkginclude_HEADERS = %D%/posh/version.h
pkgconfig_DATA = %D%/posh.pc

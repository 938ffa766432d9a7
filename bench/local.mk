# SPDX-License-Identifier: MIT
# The allocator's benchmark has the sources in it: libposh hides the allocator.
EXTRA_PROGRAMS += %D%/alloc
%C%_alloc_SOURCES = %D%/alloc.c %D%/peer.h $(LIBPOSH_SOURCES)
%C%_alloc_CPPFLAGS = $(POSH_CPPFLAGS)
%C%_alloc_LDADD = $(XXHASH_LIBS) $(ATOMIC_OPS_LIBS) -ldl
if HAVE_BOOST
%C%_alloc_SOURCES += %D%/boost.cc
%C%_alloc_CPPFLAGS += -DHAVE_BOOST
endif
CLEANFILES += %D%/alloc

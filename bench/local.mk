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
CLEANFILES += %D%/alloc %D%/recover
CLEANFILES += bench.json
EXTRA_DIST += %D%/bench.py

EXTRA_PROGRAMS += %D%/recover
%C%_recover_SOURCES = %D%/recover.c
%C%_recover_LDADD = libposh/libposh.la

# One table a layer, and bench.json.  BENCHFLAGS are bench.py's options.
if ENABLE_PYTHON
bench: all %D%/alloc %D%/recover
	$(AM_V_at)$(UNINSTALLED) \
	$(PYTHON) $(srcdir)/%D%/bench.py --alloc %D%/alloc \
	  --recover %D%/recover --json bench.json \
	  $(BENCHFLAGS)
else
bench: %D%/alloc %D%/recover
	$(AM_V_at)%D%/alloc
	$(AM_V_at)%D%/recover
endif

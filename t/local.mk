# SPDX-License-Identifier: MIT
# make check; one test: make check TESTS=t/heap.t
TEST_EXTENSIONS = .t .py
TEST_LIMIT = 600
TAP_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) \
	$(top_srcdir)/build-aux/tap-driver.sh
T_LOG_DRIVER = $(TAP_DRIVER)
T_LOG_COMPILER = timeout -k 5 $(TEST_LIMIT)
PY_LOG_DRIVER = $(TAP_DRIVER)
PY_LOG_COMPILER = timeout -k 5 $(TEST_LIMIT) $(PYTHON)
AM_TESTS_ENVIRONMENT = $(UNINSTALLED) \
	POSH_MAP='$(abs_top_srcdir)/libposh/libposh.map'; export POSH_MAP; \
	POSH_TMP='$(abs_top_builddir)/%D%'; export POSH_TMP; \
	srcdir='$(abs_top_srcdir)'; export srcdir; \
	builddir='$(abs_top_builddir)'; export builddir; \
	CC='$(CC)'; export CC; CXX='$(CXX)'; export CXX; \
	NM='$(NM)'; export NM; MAKE='$(MAKE)'; export MAKE; \
	PKG_CONFIG='$(PKG_CONFIG)'; export PKG_CONFIG; \
	pkgconfigdir='$(pkgconfigdir)'; export pkgconfigdir; \
	libdir='$(libdir)'; export libdir; \
	pyexecdir='$(pyexecdir)'; export pyexecdir; \
	PYTHON='$(PYTHON)'; export PYTHON;

check_LIBRARIES += %D%/libtap.a
%C%_libtap_a_SOURCES = \
	%D%/actor.c \
	%D%/actor.h \
	%D%/bytes.c \
	%D%/bytes.h \
	%D%/clock.c \
	%D%/clock.h \
	%D%/damage.c \
	%D%/damage.h \
	%D%/dying.c \
	%D%/dying.h \
	%D%/graph.c \
	%D%/graph.h \
	%D%/group.c \
	%D%/group.h \
	%D%/roster.c \
	%D%/roster.h \
	%D%/tap.c \
	%D%/tap.h

# Tests of libposh's inside: they link with libposh-check.
C_TESTS = \
	%D%/beside.t \
	%D%/box.t \
	%D%/buffer.t \
	%D%/check-heap.t \
	%D%/check-kinds.t \
	%D%/check-live.t \
	%D%/check-values.t \
	%D%/crash.t \
	%D%/deque.t \
	%D%/descriptors.t \
	%D%/dict.t \
	%D%/explore.t \
	%D%/files.t \
	%D%/fork-crash.t \
	%D%/fuzz.t \
	%D%/heap.t \
	%D%/journal.t \
	%D%/lifecycle.t \
	%D%/lock-crash.t \
	%D%/lock.t \
	%D%/member-crash.t \
	%D%/member.t \
	%D%/misread.t \
	%D%/names.t \
	%D%/nomem.t \
	%D%/pairs.t \
	%D%/reboot.t \
	%D%/refs.t \
	%D%/soak.t \
	%D%/stale.t \
	%D%/storm.t \
	%D%/threads.t \
	%D%/value.t \
	%D%/weak.t

check_PROGRAMS += $(C_TESTS)
LDADD = %D%/libtap.a libposh/libposh-check.la
# It brings its own malloc: not for an archive.
%C%_crash_t_SOURCES = %D%/crash.c %D%/scenario.c %D%/scenario.h %D%/world.c \
	%D%/world.h
%C%_pairs_t_SOURCES = %D%/pairs.c %D%/explorer.c %D%/explorer.h \
	%D%/scenario.c %D%/scenario.h %D%/world.c %D%/world.h
%C%_explore_t_SOURCES = %D%/explore.c %D%/explorer.c %D%/explorer.h
%C%_journal_t_SOURCES = %D%/journal.c %D%/scenario.c %D%/scenario.h \
	%D%/world.c %D%/world.h
%C%_nomem_t_LDFLAGS = \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
%C%_weak_t_SOURCES = \
	%D%/litmus.c \
	%D%/machine.c \
	%D%/machine.h \
	%D%/model.h \
	%D%/order.c \
	%D%/program.c \
	%D%/program.h \
	%D%/search.c \
	%D%/weak.c \
	%D%/weak.h \
	%D%/weak-alloc.c \
	%D%/weak-hold.c \
	%D%/weak-quiet.c \
	%D%/weak-read.c
%C%_fuzz_t_SOURCES = %D%/fuzz.c fuzz/fuzz.h fuzz/image.c fuzz/visit.c

# Tests of the tree itself.
TREE_TESTS = \
	%D%/bootstrap.t \
	%D%/headers.t \
	%D%/interop.t \
	%D%/readme.t \
	%D%/steps.t \
	%D%/symbols.t \
	%D%/tree.t \
	%D%/twins.t

dist_check_SCRIPTS = $(TREE_TESTS)

PYTHON_TESTS = \
	%D%/pyarray.py \
	%D%/pyatomic.py \
	%D%/pybench.py \
	%D%/pybytearray.py \
	%D%/pyclasses.py \
	%D%/pycollect.py \
	%D%/pycpython.py \
	%D%/pycrash.py \
	%D%/pydeque.py \
	%D%/pydict.py \
	%D%/pydoctable.py \
	%D%/pyerrors.py \
	%D%/pyexception.py \
	%D%/pyexample.py \
	%D%/pyfuzz.py \
	%D%/pyheap.py \
	%D%/pyimmutable.py \
	%D%/pyinstance.py \
	%D%/pykeys.py \
	%D%/pylist.py \
	%D%/pymatrix.py \
	%D%/pynumpy.py \
	%D%/pypaper.py \
	%D%/pypolicy.py \
	%D%/pyproc.py \
	%D%/pyproperty.py \
	%D%/pyprotocols.py \
	%D%/pyrebase.py \
	%D%/pyregister.py \
	%D%/pyset.py \
	%D%/pyshare.py \
	%D%/pystorm.py \
	%D%/pystub.py \
	%D%/pystubtest.py \
	%D%/pyvalues.py \
	%D%/pywait.py

TESTS += $(check_PROGRAMS) $(TREE_TESTS)
if ENABLE_PYTHON
TESTS += $(PYTHON_TESTS)
endif
EXTRA_DIST += $(PYTHON_TESTS) %D%/aarch64.sh %D%/cpython.py \
	%D%/cpython_exclude.py %D%/pythons.sh %D%/sanitize.sh \
	%D%/members.py %D%/source.sh %D%/tap.py %D%/twin.py

# Storms, which go on for so many seconds each; soak-all, all tests with the
# larger bounds.
SOAK_SECONDS = 60
SOAK_LIMIT = 36000
SOAK_TESTS = %D%/soak.t %D%/storm.t %D%/fuzz.t
if ENABLE_PYTHON
SOAK_TESTS += %D%/pycrash.py %D%/pyfuzz.py %D%/pystorm.py
endif
soak:
	POSH_SOAK=$(SOAK_SECONDS) $(MAKE) $(AM_MAKEFLAGS) check \
		TESTS='$(SOAK_TESTS)' TEST_LIMIT=$(SOAK_LIMIT)
	grep '^# .*[0-9]' $(patsubst %.t,%.log,$(filter %.t,$(SOAK_TESTS)))
soak-all:
	$(MAKE) $(AM_MAKEFLAGS) soak SOAK_TESTS='$(TESTS)'

# Generated sequences by the thousand: so many for each type, each way.
SEQUENCES = 2000
property:
	POSH_SEQUENCES=$(SEQUENCES) $(MAKE) $(AM_MAKEFLAGS) check \
		TESTS=%D%/pyproperty.py TEST_LIMIT=$(SOAK_LIMIT)
	grep '^# ' %D%/pyproperty.log

# Builds of their own, for another machine or with the compiler's checkers.
aarch64 sanitize:
	CC='$(CC)' $(srcdir)/%D%/$@.sh

# What was installed works without the tree.
installcheck-local:
	$(AM_V_at)$(AM_TESTS_ENVIRONMENT) \
	mkdir -p %D% && POSH_INSTALLED=1 $(srcdir)/%D%/interop.t

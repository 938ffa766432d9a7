# SPDX-License-Identifier: MIT
# A fuzzer for heaps from files, with clang's libFuzzer.
#
#   make fuzz                      build it
#   make fuzz-run FUZZ_SECONDS=60  and run it, from a corpus that t/fuzz.t
#                                  writes; what it finds stays in fuzz/
#
# t/fuzz.t does without a fuzzer, and replays what it has found.
FUZZ_FILES = \
	%D%/fuzz.h \
	%D%/image.c \
	%D%/visit.c

FUZZ_CC = clang
FUZZ_CFLAGS = -g -O1 -fno-omit-frame-pointer \
	-fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=undefined
FUZZ_SECONDS = 60
FUZZ_FLAGS = -timeout=30 -rss_limit_mb=1500 -max_len=97 -len_control=0

EXTRA_DIST += $(FUZZ_FILES) %D%/seeds.txt
CLEANFILES += %D%/fuzz

fuzz: %D%/fuzz
%D%/fuzz: $(FUZZ_FILES) $(LIBPOSH_SOURCES)
	@$(MKDIR_P) %D%
	$(AM_V_CCLD)$(FUZZ_CC) $(DEFS) -I. -I$(srcdir)/%D% $(AM_CPPFLAGS) \
	  $(CPPFLAGS) $(FUZZ_CFLAGS) -pthread -o $@ \
	  `for f in $(FUZZ_FILES) $(LIBPOSH_SOURCES); do \
	     case $$f in *.c) echo $(srcdir)/$$f ;; esac; done` \
	  $(XXHASH_LIBS) $(ATOMIC_OPS_LIBS)

fuzz-run: %D%/fuzz t/fuzz.t
	@$(MKDIR_P) %D%/corpus
	srcdir='$(srcdir)' t/fuzz.t --seeds %D%/corpus
	%D%/fuzz $(FUZZ_FLAGS) -max_total_time=$(FUZZ_SECONDS) \
	  -artifact_prefix=%D%/ %D%/corpus

clean-local:
	rm -rf %D%/corpus

.PHONY: fuzz fuzz-run

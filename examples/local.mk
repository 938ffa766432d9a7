# SPDX-License-Identifier: MIT
EXAMPLES = \
	%D%/demo.py \
	%D%/dog.py \
	%D%/interop.c \
	%D%/interop.py \
	%D%/killed.py \
	%D%/list.py \
	%D%/matrix.py \
	%D%/policy.py \
	%D%/prodcons.py

EXTRA_DIST += $(EXAMPLES)

# The main job: the matrix of the paper, producers and consumers, and a
# worker that is killed.  DEMOFLAGS are its options.
if ENABLE_PYTHON
demo: all
	$(AM_V_at)$(UNINSTALLED) \
	$(PYTHON) $(srcdir)/%D%/demo.py $(DEMOFLAGS)
else
demo:
	@echo 'The demo is in Python; configure with it.' >&2; exit 1
endif

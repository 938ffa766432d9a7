# SPDX-License-Identifier: MIT
# The module _posh inside the package posh.
EXT_SOURCES = \
	%D%/_posh/attribute.c \
	%D%/_posh/buffer.c \
	%D%/_posh/buffer.h \
	%D%/_posh/bufferitem.c \
	%D%/_posh/class.c \
	%D%/_posh/decode.c \
	%D%/_posh/deque.c \
	%D%/_posh/dict.c \
	%D%/_posh/dict.h \
	%D%/_posh/dictiter.c \
	%D%/_posh/dictkey.c \
	%D%/_posh/dictops.c \
	%D%/_posh/dictviews.c \
	%D%/_posh/errors.c \
	%D%/_posh/form.c \
	%D%/_posh/heap.c \
	%D%/_posh/instance.c \
	%D%/_posh/kindbuffer.c \
	%D%/_posh/kinddeque.c \
	%D%/_posh/kinddict.c \
	%D%/_posh/kindinstance.c \
	%D%/_posh/kindlist.c \
	%D%/_posh/kinds.c \
	%D%/_posh/kindset.c \
	%D%/_posh/kindtuple.c \
	%D%/_posh/layout.c \
	%D%/_posh/list.c \
	%D%/_posh/list.h \
	%D%/_posh/listiter.c \
	%D%/_posh/listops.c \
	%D%/_posh/listslice.c \
	%D%/_posh/listsort.c \
	%D%/_posh/map.c \
	%D%/_posh/missing.c \
	%D%/_posh/module.c \
	%D%/_posh/module.h \
	%D%/_posh/monitor.c \
	%D%/_posh/proxy.c \
	%D%/_posh/renew.h \
	%D%/_posh/set.c \
	%D%/_posh/set.h \
	%D%/_posh/setops.c \
	%D%/_posh/share.c \
	%D%/_posh/sharing.h \
	%D%/_posh/synch.c \
	%D%/_posh/unshare.c \
	%D%/_posh/values.c

if ENABLE_PYTHON
pkgpyexec_LTLIBRARIES = %D%/_posh/_posh.la
%C%__posh__posh_la_SOURCES = $(EXT_SOURCES)
%C%__posh__posh_la_CPPFLAGS = $(POSH_CPPFLAGS) $(PYTHON_CPPFLAGS)
%C%__posh__posh_la_CFLAGS = $(AM_CFLAGS) $(VISIBILITY_CFLAGS) \
	-Wno-missing-field-initializers
%C%__posh__posh_la_LIBADD = libposh/libposh.la
%C%__posh__posh_la_LDFLAGS = -module -avoid-version -shared \
	-shrext $(PYTHON_EXT_SUFFIX) -export-symbols-regex '^PyInit__posh$$'
pkgpyexec_PYTHON = \
	%D%/posh/__init__.py \
	%D%/posh/_atomic.py \
	%D%/posh/_builtin.py \
	%D%/posh/_bytes.py \
	%D%/posh/_class.py \
	%D%/posh/_exception.py \
	%D%/posh/_heap.py \
	%D%/posh/_known.py \
	%D%/posh/_numpy.py \
	%D%/posh/_policy.py \
	%D%/posh/_pprint.py \
	%D%/posh/_process.py \
	%D%/posh/_rebase.py \
	%D%/posh/_ticket.py \
	%D%/posh/_values.py
dist_pkgpyexec_DATA = \
	%D%/posh/_posh.pyi \
	%D%/posh/py.typed

# Nobody links with a module: leave no .la beside it.
install-exec-hook:
	rm -f $(DESTDIR)$(pkgpyexecdir)/_posh.la
uninstall-local:
	rm -f $(DESTDIR)$(pkgpyexecdir)/_posh$(PYTHON_EXT_SUFFIX)
endif

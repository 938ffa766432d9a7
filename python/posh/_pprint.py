# SPDX-License-Identifier: MIT
"""pprint, mended for shared objects.

It goes by type(x), which is no list for a shared list.  So what it knows to
break into lines, to sort and to cut at a depth is given to it as a private
copy, which has proxies for what is inside.
"""

from __future__ import annotations

import dataclasses
import functools
import pprint
from typing import Any

from . import _posh


def _is_shown(printer: Any, x: Any) -> bool:
    """Does pprint know what x looks like, without its own __repr__?"""
    if not _posh.is_shared(x) or isinstance(x, type):
        return False
    tp = x.__class__
    return dataclasses.is_dataclass(tp) or tp.__repr__ in printer._dispatch


def _once(x: Any, context: Any, recursion: Any, show: Any) -> Any:
    """Show a copy of x, but not within x."""
    if id(x) in context:
        return recursion()
    try:
        shallow = _posh._copy(x)
    except _posh.ClassNotFoundError:
        return show(x)
    context[id(x)] = 1
    try:
        return show(shallow)
    finally:
        del context[id(x)]


def _mend_pprint(cls: Any) -> None:
    as_text, on_lines = cls._safe_repr, cls._format

    @functools.wraps(as_text)
    def _safe_repr(self, x, context, *args):
        if not _is_shown(self, x):
            return as_text(self, x, context, *args)
        return _once(
            x,
            context,
            lambda: (pprint._recursion(x), False, True),
            lambda x: as_text(self, x, context, *args),
        )

    @functools.wraps(on_lines)
    def _format(self, x, stream, indent, allowance, context, *args):
        def recursion():
            stream.write(pprint._recursion(x))
            self._recursive = True
            self._readable = False

        if not _is_shown(self, x):
            return on_lines(self, x, stream, indent, allowance, context, *args)
        return _once(
            x,
            context,
            recursion,
            lambda x: on_lines(
                self, x, stream, indent, allowance, context, *args
            ),
        )

    cls._safe_repr = _safe_repr
    cls._format = _format


# Their names are CPython's own business: without one, nothing is mended.
if hasattr(pprint.PrettyPrinter, "_safe_repr"):
    _mend_pprint(pprint.PrettyPrinter)

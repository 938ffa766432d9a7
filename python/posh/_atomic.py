# SPDX-License-Identifier: MIT
"""Two operations in one that users of shared objects ask for.

They are functions, as methods would collide with users' attributes.
"""

from __future__ import annotations

import array
import collections
from collections.abc import Callable
from typing import Any

from . import _posh


def _get_item(x, key):
    return x[key]


def _set_item(x, key, value):
    x[key] = value


#: Where a key is an index or a key; elsewhere it names an attribute.
_INDEXED: tuple[type, ...] = (
    list,
    dict,
    collections.deque,
    bytearray,
    array.array,
)


def _access(x: Any) -> tuple[Callable[..., Any], Callable[..., None]]:
    """Return how to read and write what a key names in an object."""
    if isinstance(x, _INDEXED):
        return _get_item, _set_item
    return getattr, setattr


def incr(x: Any, key: Any, by: Any = 1) -> Any:
    """Add to a value of a shared object, and return the sum.

    key is an index, a key, or the name of an attribute of an instance.  No
    other process changes the object between the reading and the writing, so
    no increment is lost.  IndexError, KeyError or AttributeError if there is
    no such value; without it, dict.setdefault() makes one first.
    """
    get, put = _access(x)
    _posh._lock(x)
    try:
        value = get(x, key) + by
        put(x, key, value)
    finally:
        _posh._unlock(x)
    return value


def compare_and_set(x: Any, key: Any, old: Any, new: Any) -> bool:
    """Set a value of a shared object if it equals old.

    key is as with incr().  Returns whether it was equal, and is new now.  No
    other process changes the object between the comparison and the writing.
    IndexError, KeyError or AttributeError if there is no such value.
    """
    get, put = _access(x)
    _posh._lock(x)
    try:
        value = get(x, key)
        same = value is old or bool(value == old)
        if same:
            put(x, key, new)
    finally:
        _posh._unlock(x)
    return same

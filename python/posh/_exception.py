# SPDX-License-Identifier: MIT
"""Exceptions, by value: their arguments and attributes, and their notes.

As in pickle there is no traceback, cause or context: these belong to the
process that raised.  Unlike there nothing of the class is called, which may
want other arguments than those it handed on.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from ._posh import FORM_TYPED, Form
from ._values import name_of_class

_HEAP_TYPE = 1 << 9
_NOTES = "__notes__"


def _solid(tp):
    """Return which of CPython's own exceptions has the fields of a class."""
    while tp.__flags__ & _HEAP_TYPE:
        tp = tp.__base__
    return tp


def codec_of(tp: type) -> Callable[[Any], Form]:
    """Return a function that returns the form of an exception."""
    name, solid = name_of_class(tp), _solid(tp)
    opaque = tp.__eq__ is not object.__eq__ or tp.__hash__ is not object.__hash__
    slots = [
        slot
        for cls in tp.__mro__
        if cls.__flags__ & _HEAP_TYPE
        for slot, value in vars(cls).items()
        if isinstance(value, types.MemberDescriptorType)
    ]

    def encode(x):
        _, args, *more = solid.__reduce__(x)
        found = dict(more[0] or ()) if more else {}
        for slot in slots:
            try:
                found[slot] = object.__getattribute__(x, slot)
            except AttributeError:
                pass
        if type(found.get(_NOTES)) is list:
            found[_NOTES] = tuple(found[_NOTES])
        if solid is BaseExceptionGroup:
            args = solid.message.__get__(x), solid.exceptions.__get__(x)
        return Form(FORM_TYPED, (name, (args, tuple(found.items()))), opaque)

    return encode


def builder_of(tp: type) -> Callable[..., Any]:
    """Return a function that makes an exception of a state."""
    solid = _solid(tp)

    def build(state):
        args, found = state
        if solid is BaseExceptionGroup:
            message, members = args
            args = message, list(members)
        x = solid.__new__(tp, *args)
        try:
            solid.__init__(x, *args)
        except TypeError:  # the class calls it with others, or not at all
            x.args = args
        for name, value in found:
            if name == _NOTES and type(value) is tuple:
                value = list(value)
            object.__setattr__(x, name, value)
        return x

    return build

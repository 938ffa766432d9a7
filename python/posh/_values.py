# SPDX-License-Identifier: MIT
"""Immutable values of other types than the simplest: register_value().

Such a value is copied into the heap as a *form*: the name of its type, and a
state, which is a value itself.  Each process makes an ordinary object of it
again.  A *codec* returns the form of an object, a *builder* the object of a
state; what is found by its name is never unpickled or evaluated.

Values of FORM_TYPED are equal, as keys, if type and state are.  FORM_LIKE has
something in front of the state that the value is equal to as a key: 1 for
Decimal("1.0"), a tuple for a namedtuple, or a Form.  So a key is found by
whatever is equal to it, in each process, whatever its hash is there.

The types that are known here are told by the names of their modules: none is
imported before it is used.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from . import _posh
from ._builtin import SHAREABLE
from ._posh import FORM_LIKE, FORM_TYPED, Form

_T = TypeVar("_T")

#: type -> codec, and name -> builder: what the extension looks up first.
_codecs: dict[type, Callable[[Any], Form]] = {}
_builders: dict[str, Callable[[Any], Any]] = {}

#: What register_value() was told: type -> its name.
_registered: dict[type, str] = {}


#
# Names.
#


def qualified_name(x: Any) -> str:
    """Return the name of a class or function, the same in all processes."""
    module = x.__module__
    if module == "__mp_main__":
        module = "__main__"
    return f"{module}:{x.__qualname__}"


def find(name: str) -> Any:
    """Return what has a qualified name, or raise ClassNotFoundError."""
    module, _, path = name.partition(":")
    try:
        if module not in sys.modules:
            importlib.import_module(module)
        x = sys.modules[module]
        for part in path.split("."):
            x = getattr(x, part)
    except Exception as e:
        raise _posh.ClassNotFoundError(
            f"{name!r}, which a shared value is or belongs to, can't be found"
            f" in this process ({type(e).__name__}: {e}): define it in a"
            " module that both can import",
            name=name,
        ) from e
    return x


#
# register_value().
#


def register_value(
    tp: type[_T],
    to_state: Callable[[_T], Any],
    from_state: Callable[[Any], _T],
) -> None:
    """Have the objects of an immutable type shared by value.

    tp          the type; not its subclasses
    to_state    returns the state of an object: an immutable value, such as
                a number, a str or a tuple of such, which is shareable
    from_state  returns an object that is equal, for a state

    Objects are equal, as dict keys, if their states are.  Other processes
    know the type by its qualified name and have to register it as well: until
    then, reading such an object is a ClassNotFoundError.  Registering a type
    anew replaces its functions.
    """
    if not isinstance(tp, type):
        raise TypeError(f"a class was expected, not {tp!r}")
    for f in (to_state, from_state):
        if not callable(f):
            raise TypeError(f"{f!r} is not callable")
    if tp in SHAREABLE or known(tp) and tp not in _registered:
        raise TypeError(f"{tp.__qualname__!r} is shared in its own way")
    if _posh._shared_type(tp) is not None:
        raise TypeError(f"{tp.__qualname__!r} is shareable already")
    name = qualified_name(tp)
    _registered[tp] = name
    _codecs[tp] = lambda x: Form(FORM_TYPED, (name, to_state(x)))
    _builders[name] = from_state


#
# What is known here.
#


def _typed(name):
    """Return a function that makes a codec of what returns a state."""

    def codec_of(to_state):
        return lambda x: Form(FORM_TYPED, (name, to_state(x)))

    return codec_of


def _varied(name, state, key):
    """Return the form of what has the state, but is equal to all that have
    the key, which is one of them."""
    if state == key:
        return Form(FORM_TYPED, (name, state))
    return Form(FORM_LIKE, (name, Form(FORM_TYPED, (name, key)), state))


def _encode_range(x):
    name = "builtins:range"
    n = len(x)
    key = (0, 0, 1)
    if n == 1:
        key = (x.start, x.start + 1, 1)
    elif n:
        key = (x.start, x.start + n * x.step, x.step)
    return _varied(name, (x.start, x.stop, x.step), key)


def _simple(tp, name, to_state, from_state):
    _codecs[tp] = _typed(name)(to_state)
    _builders[name] = from_state


_codecs[range] = _encode_range
_builders["builtins:range"] = lambda state: range(*state)
_simple(
    slice,
    "builtins:slice",
    lambda x: (x.start, x.stop, x.step),
    lambda state: slice(*state),
)
_simple(
    type(NotImplemented),
    "types:NotImplementedType",
    lambda x: None,
    lambda state: NotImplemented,
)


#
# What the extension asks for.
#


def known(tp: type) -> bool:
    """Are objects of a type shared by value?"""
    return tp is frozenset or tp in _codecs or _find_codec(tp)


def parts(x: Any) -> Iterator[tuple[str, Any]]:
    """Yield (how to write it, object) of what such a value is made of."""
    if isinstance(x, Form):
        for item in x.items:
            yield "", item
    elif isinstance(x, tuple):
        for i, item in enumerate(tuple.__iter__(x)):
            yield f"[{i}]", item
    elif isinstance(x, frozenset):
        for item in frozenset.__iter__(x):
            yield f"'s element {item!r}", item
    if type(x) in _codecs:
        form = _codecs[type(x)](x)
        yield "'s state", form.items[-1]


def _find_codec(tp):
    """Put the codec of a type into _codecs, if there is one: is there?"""
    return False


def _find_builder(name):
    """Return the builder of a class."""
    cls = find(name)
    if name in _builders:  # its module registered it
        return _builders[name]
    raise _posh.ClassNotFoundError(
        f"a shared value is of the class {cls.__qualname__!r}, which is not"
        " registered in this process: call posh.register_value() in a module"
        " that both import",
        name=name,
    )


_posh._set_hooks(
    codecs=_codecs,
    find_codec=_find_codec,
    builders=_builders,
    find_builder=_find_builder,
)

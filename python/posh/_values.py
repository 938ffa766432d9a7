# SPDX-License-Identifier: MIT
"""Immutable values of other types than the simplest: register_value().

Such a value is copied into the heap as a *form*: the name of its type, and a
state, which is a value itself.  Each process makes an ordinary object of it
again.  A *codec* returns the form of an object, or None for one that can't be
shared; a *builder* makes the object.  Nothing is ever unpickled or evaluated:
classes and functions are found by their names.

Values of FORM_TYPED are equal, as keys, if type and state are.  FORM_LIKE has
something in front of the state that the value is equal to as a key: 1 for
Decimal("1.0"), a tuple for a namedtuple, or a Form.  So a key is found by
whatever is equal to it, in each process, whatever its hash is there.  A
builder is called with what is behind the name: (state), or (like), which then
is the state, or (like, state).

The types of the standard library are in _known.py.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from . import _posh
from ._builtin import SHAREABLE
from ._posh import FORM_LIKE, FORM_TYPED, Form

_T = TypeVar("_T")

#: type -> codec, and name -> builder: what the extension looks up first.
codecs: dict[type, Callable[[Any], Form | None]] = {}
builders: dict[str, Callable[..., Any]] = {}

#: What register_value() was told about.
_registered: set[type] = set()

#: Classes that were stored here but can't be found by their names: those that
#: a function made.  This process and its forks know them.
_made: dict[str, type] = {}


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
        if name in _made:
            return _made[name]
        raise _posh.ClassNotFoundError(
            f"{name!r}, which a shared value is or belongs to, can't be found"
            f" in this process ({type(e).__name__}: {e}): define it in a"
            " module that both can import",
            name=name,
        ) from e
    return x


def is_found(x: Any) -> bool:
    """Is a class or function found by its name?"""
    try:
        return find(qualified_name(x)) is x
    except (_posh.ClassNotFoundError, AttributeError):
        return False


def name_of_class(tp: type) -> str:
    """Return the name of a class whose objects are stored."""
    name = qualified_name(tp)
    if not is_found(tp):
        _made[name] = tp
    return name


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
    _registered.add(tp)
    codecs[tp] = lambda x: Form(FORM_TYPED, (name, to_state(x)))
    builders[name] = from_state


#
# What codecs are made of.
#


def varied(name: str, state: Any, key: Any) -> Form:
    """Return the form of what has the state, but is equal to all that have
    the key, which is one of them."""
    if state == key:
        return Form(FORM_TYPED, (name, state))
    return Form(FORM_LIKE, (name, Form(FORM_TYPED, (name, key)), state))


def add(
    tp: type,
    name: str,
    codec: Callable[[Any], Form | None],
    from_state: Callable[[Any], Any],
) -> None:
    """Make a type known, with a builder that needs the state only."""
    codecs[tp] = codec
    builders[name] = lambda *parts: from_state(parts[-1])


def add_simple(
    tp: type,
    name: str,
    to_state: Callable[[Any], Any],
    from_state: Callable[[Any], Any],
) -> None:
    """Make a type known whose objects are equal if their states are."""
    add(
        tp,
        name,
        lambda x: Form(FORM_TYPED, (name, to_state(x))),
        from_state,
    )


#
# What others ask for.
#


def known(tp: type) -> bool:
    """Are objects of a type shared by value?"""
    return tp is frozenset or tp in codecs or find_codec(tp)


def find_codec(tp: type) -> bool:
    """Put the codec of a type into codecs: is there one?"""
    from . import _known

    return _known.find_codec(tp)


def find_builder(name: str) -> Callable[..., Any]:
    """Return the builder of a class, or raise ClassNotFoundError."""
    from . import _known

    if _known.load(name.partition(":")[0], True) and name in builders:
        return builders[name]
    cls = find(name)
    if name in builders:  # its module registered it
        return builders[name]
    builder = _known.builder_of(cls) if isinstance(cls, type) else None
    if builder is None:
        raise _posh.ClassNotFoundError(
            f"a shared value is of the class {name!r}, which is not"
            " registered in this process: call posh.register_value() in a"
            " module that both import",
            name=name,
        )
    return builder


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
    form = codecs[type(x)](x) if type(x) in codecs else None
    if form is None:
        return
    if len(form.items) == 3 and isinstance(form.items[2], tuple):
        for item in form.items[2]:
            if isinstance(item, tuple) and len(item) == 2:
                yield f".{item[0]}", item[1]
    yield "'s state", form.items[-1]


_posh._set_hooks(
    codecs=codecs,
    find_codec=find_codec,
    builders=builders,
    find_builder=find_builder,
)

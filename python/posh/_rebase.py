# SPDX-License-Identifier: MIT
"""Classes that derive from mutable builtins: class Names(list).

C code reads an object that derives from list from memory of its own, and
would find a proxy empty.  So the shared type of Names must not derive from
list, nor from Names.  It derives from a copy of Names, and of each class
between Names and list, whose bases are copies too; in the place of list
stands a class of this file, which has list's methods and passes them on to
the *content*, a shared list that the instance has in a slot of its own.

A copy has Names' functions.  Those that mention super() or __class__ are
made anew, with the copy in the place of Names.  When Names changes, its copy
is brought up to date before the next use.

What can't work is code that insists on the builtin: list.append(self, x) or
super(Names, self) in place of super().
"""
# Classes that are made at run time are nothing to a type checker.
# mypy: ignore-errors

from __future__ import annotations

import collections
import collections.abc
import functools
import sys
import types
from typing import Any

from . import _posh
from ._bytes import SharedBytearray

#: The attribute that is the content.
CONTENT = _posh._CONTENT

#: What has a meaning of its own in a class that is made.
_OWN = {
    "__abstractmethods__",
    "__buffer__",
    "__class__",
    "__class_getitem__",
    "__copy__",
    "__deepcopy__",
    "__dict__",
    "__doc__",
    "__getstate__",
    "__init_subclass__",
    "__module__",
    "__new__",
    "__qualname__",
    "__reduce_ex__",
    "__release_buffer__",
    "__slots__",
    "__synch__",
    "__weakref__",
}

#: Methods in which the content may call code of users while it is locked: the
#: instance comes first.  Items are set without, for speed: there an __eq__ of a
#: key that wants the instance of a class without a policy may be a DeadlockError.
_LOCKING = {
    "add", "difference_update", "intersection_update", "pop", "popitem",
    "popleft", "remove", "setdefault", "sort", "symmetric_difference_update",
    "update",
}  # fmt: skip


def _content_of(x):
    """Return the content of what is shared and re-based, else x itself."""
    return _posh._content(x) if isinstance(x, _Container) else x


#
# In the place of builtins.
#


class _Replacement:
    """The base of what stands in the place of a builtin."""

    __slots__ = ()

    def __new__(cls, *args, **kwargs):
        return object.__new__(cls)

    __class_getitem__ = classmethod(types.GenericAlias)


class _Container(_Replacement):
    """The same of builtins whose objects have a content."""

    __slots__ = ()


def _forwarder(method):
    """Return a function that calls a method of the content."""

    @functools.wraps(method)
    def forward(self, /, *args, **kwargs):
        content = _posh._content(self)
        if len(args) == 1:
            args = (_content_of(args[0]),)
        result = method(content, *args, **kwargs)
        return self if result is content else result

    return forward


def _locking(forward):
    @functools.wraps(forward)
    def locked(self, /, *args, **kwargs):
        _posh._lock(self)
        try:
            return forward(self, *args, **kwargs)
        finally:
            _posh._unlock(self)

    return locked


_pop_first = _locking(lambda self: _posh._content(self)._popfirst())


def _forwarding(name, shared):
    """Return a class that passes the methods of a shared type on."""
    namespace = {"__slots__": (), "__module__": __name__}
    members = {}
    for cls in reversed(shared.__mro__[:-2]):  # not object's, nor Proxy's
        members.update(vars(cls))
    for method, f in members.items():
        hidden = method[0] == "_" != method[1]
        if hidden or method in _OWN or not (callable(f) or f is None):
            continue
        namespace[method] = f and _forwarder(f)
        if method in _LOCKING:
            namespace[method] = _locking(namespace[method])
    return type(name, (_Container,), namespace)


class RebasedList(_forwarding("RebasedList", _posh.SharedList)):
    """In the place of list."""

    __slots__ = ()

    def __radd__(self, other):
        # CPython asks here first for `plain += self`, too.
        if type(other) is list and _posh._is_in_place(sys._getframe(1)):
            other.extend(self)
            return other
        return super().__radd__(other)


_missing = object()


class RebasedDict(_forwarding("RebasedDict", _posh.SharedDict)):
    """In the place of dict."""

    __slots__ = ()

    def __getitem__(self, key):
        value = _posh._content(self).get(key, _missing)
        if value is not _missing:
            return value
        missing = getattr(type(self), "__missing__", None)
        if missing is None:
            raise KeyError(key)
        return missing(self, key)

    # `dict | dict` is a dict, whatever class both are of.

    def __or__(self, other):
        if not isinstance(other, dict):
            return NotImplemented
        new = _posh._content(self).copy()
        new.update(other)
        return new

    def __ror__(self, other):
        if not isinstance(other, dict):
            return NotImplemented
        if _posh.is_shared(other):
            return super().__ror__(other)
        plain = _posh._copy(self)
        result = type(other).__or__(other, plain)
        if result is NotImplemented:
            result = dict.__ror__(plain, other)
        return result

    @classmethod
    def fromkeys(cls, iterable, value=None):
        d = cls()
        for key in iterable:
            d[key] = value
        return d


def _merging(like):
    """Return copy, __or__ and __ror__ that make like(self, items): objects of
    self's class, which the builtin returns too."""

    def copy(self):
        return like(self, self)

    def __or__(self, other):
        if not isinstance(other, dict):
            return NotImplemented
        new = self.copy()
        new.update(other)
        return new

    def __ror__(self, other):
        if not isinstance(other, dict):
            return NotImplemented
        mro = self.__class__.__mro__
        own = mro[: mro.index(type(other))] if type(other) in mro else ()
        overridden = any({"__or__", "__ror__"} & vars(c).keys() for c in own)
        if not overridden and not _posh.is_shared(other):
            # It was asked first, refused a proxy, and would take a dict.
            result = type(other).__or__(other, _posh._copy(self))
            if result is not NotImplemented:
                return result
        new = like(self, other)
        new.update(self)
        return new

    return copy, __or__, __ror__


class RebasedDefaultDict(RebasedDict):
    """In the place of collections.defaultdict."""

    __slots__ = ()

    def __init__(self, default_factory=None, /, *args, **kwargs):
        if default_factory is not None and not callable(default_factory):
            raise TypeError("first argument must be callable or None")
        super().__init__(*args, **kwargs)
        self.default_factory = default_factory

    def __missing__(self, key):
        if self.default_factory is None:
            raise KeyError(key)
        value = self.default_factory()
        # Another process may have been faster: its value counts.
        return self.setdefault(key, value)

    def __repr__(self):
        return (
            f"{self.__class__.__name__}({self.default_factory!r},"
            f" {super().__repr__()})"
        )

    copy, __or__, __ror__ = _merging(
        lambda self, items: self.__class__(self.default_factory, items)
    )


def _shown(read):
    """Return what read() does, for a repr: without what can't be read."""
    try:
        return read()
    except _posh.ClassNotFoundError:
        before = _posh._show_missing(True)
        try:
            return read()
        finally:
            _posh._show_missing(before)


def _plain_ordered(x):
    """Return a plain OrderedDict of a mapping's items as of one moment."""
    return collections.OrderedDict(_content_of(x).copy())


class RebasedOrderedDict(RebasedDict):
    """In the place of collections.OrderedDict."""

    __slots__ = ()

    def move_to_end(self, key, last=True):
        """Move an item to the end, or with last=False to the beginning.

        Raises KeyError if there is no such key.
        """
        _posh._content(self)._move(key, last)

    def popitem(self, last=True):
        """Remove and return the last item, or with last=False the first.

        Raises KeyError if the dict is empty.
        """
        if not last:
            return _pop_first(self)
        try:
            return super().popitem()
        except KeyError:
            raise KeyError("dictionary is empty") from None

    def __eq__(self, other):
        if not isinstance(other, collections.OrderedDict):
            return super().__eq__(other)
        return _plain_ordered(self) == _plain_ordered(other)

    def __ne__(self, other):
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    __hash__ = None

    def __repr__(self):
        plain = _shown(_posh._content(self).copy)
        text = repr(collections.OrderedDict(plain))
        return self.__class__.__name__ + text[len("OrderedDict") :]

    copy, __or__, __ror__ = _merging(
        lambda self, items: self.__class__(items)
    )


class RebasedNamespace(_Replacement):
    """In the place of types.SimpleNamespace."""

    __slots__ = ()

    def __init__(self, mapping_or_iterable=(), /, **kwargs):
        if mapping_or_iterable != () and sys.version_info < (3, 13):
            raise TypeError("no positional arguments expected")
        vars(self).update(mapping_or_iterable)
        vars(self).update(kwargs)

    def __repr__(self):
        name = self.__class__.__name__
        if self.__class__ is types.SimpleNamespace:
            name = "namespace"
        return _namespace_repr(self, name)

    def __eq__(self, other):
        if not isinstance(other, types.SimpleNamespace):
            return NotImplemented
        return vars(self) == vars(other)

    __hash__ = None

    def __replace__(self, /, **changes):
        new = self.__class__(**vars(self))
        vars(new).update(changes)
        return new


_showing = set()


def _namespace_repr(x, name):
    key = id(x)
    if key in _showing:
        return f"{name}(...)"
    _showing.add(key)
    try:
        items = (f"{n}={v!r}" for n, v in _shown(vars(x).copy).items())
        return f"{name}({', '.join(items)})"
    finally:
        _showing.remove(key)


class RebasedDeque(_forwarding("RebasedDeque", _posh.SharedDeque)):
    """In the place of collections.deque."""

    __slots__ = ()

    @property
    def maxlen(self):
        return _posh._content(self).maxlen

    def __repr__(self):
        text = repr(_posh._content(self))
        if text.startswith("deque("):  # not so inside itself
            text = self.__class__.__name__ + text[len("deque") :]
        return text

    # Objects of self's class, which the builtin returns too.

    def copy(self):
        content = _posh._content(self)
        plain = content.copy()
        args = (plain,) if plain.maxlen is None else (plain, plain.maxlen)
        new = self.__class__(*args)
        if not isinstance(new, collections.deque):
            raise TypeError(
                f"{self.__class__.__name__}() must return a deque,"
                f" not {type(new).__name__}"
            )
        return new

    def __add__(self, other):
        if not isinstance(other, collections.deque):
            return NotImplemented
        new = self.copy()
        new.extend(other)
        return new

    def __mul__(self, n):
        new = self.copy()
        new *= n
        return new

    __rmul__ = __mul__

    def __radd__(self, other):
        # As with list.
        if type(other) is collections.deque and _posh._is_in_place(
            sys._getframe(1)
        ):
            other.extend(self)
            return other
        return super().__radd__(other)


def _changing(name, change):
    """As with list: `x |= p` changes x."""
    forward = _forwarder(getattr(_posh.SharedSet, name))

    @functools.wraps(forward)
    def reflected(self, other):
        if isinstance(other, set) and _posh._is_in_place(sys._getframe(1)):
            getattr(other, change)(_posh._content(self).copy())
            return other
        return forward(self, other)

    return reflected


class RebasedSet(_forwarding("RebasedSet", _posh.SharedSet)):
    """In the place of set."""

    __slots__ = ()

    __ror__ = _changing("__ror__", "update")
    __rand__ = _changing("__rand__", "intersection_update")
    __rsub__ = _changing("__rsub__", "difference_update")
    __rxor__ = _changing("__rxor__", "symmetric_difference_update")

    def remove(self, element):
        try:
            super().remove(element)
        except KeyError:
            raise KeyError(element) from None

    def __repr__(self):
        text = repr(_posh._content(self))
        name = self.__class__.__name__
        if text.startswith("set("):  # empty, or inside itself
            return name + text[len("set") :]
        return f"{name}({text})"


class RebasedBytearray(_forwarding("RebasedBytearray", SharedBytearray)):
    """In the place of bytearray.  What has its buffer is the extension."""

    __slots__ = ()

    insert = _locking(_forwarder(SharedBytearray.insert))
    maketrans = staticmethod(bytearray.maketrans)

    @classmethod
    def fromhex(cls, text, /):
        return cls(bytearray.fromhex(text))

    def __repr__(self):
        text = repr(_posh._content(self))
        return self.__class__.__name__ + text[len("bytearray") :]

    __str__ = __repr__


collections.abc.MutableSequence.register(RebasedList)
collections.abc.MutableSequence.register(RebasedDeque)
collections.abc.MutableMapping.register(RebasedDict)
collections.abc.MutableSet.register(RebasedSet)

#: builtin -> what stands in its place
REPLACEMENTS = {
    list: RebasedList,
    dict: RebasedDict,
    set: RebasedSet,
    bytearray: RebasedBytearray,
    collections.deque: RebasedDeque,
    collections.defaultdict: RebasedDefaultDict,
    collections.OrderedDict: RebasedOrderedDict,
    types.SimpleNamespace: RebasedNamespace,
}

#: Classes that need no declaration, by the name that they have in a heap.
KNOWN = {
    f"{tp.__module__}:{tp.__qualname__}": tp
    for tp in (
        collections.Counter,
        collections.OrderedDict,
        collections.defaultdict,
        types.SimpleNamespace,
    )
}


def builtin_of(tp: type) -> type | None:
    """Return the mutable builtin that a class derives from, or None."""
    return next((c for c in tp.__mro__ if c in REPLACEMENTS), None)


def content_of(builtin: type | None) -> type | None:
    """Return the type of the content of a builtin's instances, or None."""
    for tp in (list, dict, set, bytearray, collections.deque):
        if builtin is not None and issubclass(builtin, tp):
            return tp
    return None


#
# From plain objects and back.
#


def plain_content(x: Any, builtin: type) -> Any:
    """Return the content of a plain object, calling none of its methods."""
    if builtin is collections.OrderedDict:
        get = dict.__getitem__
        return {key: get(x, key) for key in builtin.__iter__(x)}
    if builtin is collections.deque:
        return builtin(builtin.__iter__(x), x.maxlen)
    if issubclass(builtin, dict):
        # dict.copy() would call keys() of a class that has its own.
        return dict(dict.items(x))
    if builtin is set:
        return set(set.__iter__(x))
    if builtin is bytearray:
        return bytearray.copy(x)
    return list.copy(x)


def fill_plain(x: Any, builtin: type, content: Any) -> None:
    """Give a plain object, which is empty, its content."""
    if _posh.is_shared(content):
        content = content.copy()
    if builtin in (list, bytearray):
        builtin.extend(x, content)
    elif builtin is set:
        set.update(x, content)
    elif builtin is collections.deque:
        builtin.__init__(x, content, content.maxlen)
    else:
        for key, value in content.items():
            builtin.__setitem__(x, key, value)


#
# Copies of classes.
#


def _rebound(value, copies):
    """Return what a copy has for a member of the original."""
    tp = type(value)
    if tp is types.FunctionType:
        return _rebound_function(value, copies, {})
    if tp in (staticmethod, classmethod):
        return tp(_rebound(value.__func__, copies))
    if tp is property:
        get, put, remove = (
            f and _rebound(f, copies)
            for f in (value.fget, value.fset, value.fdel)
        )
        return property(get, put, remove, value.__doc__)
    if tp is functools.partialmethod:
        f = _rebound(value.func, copies)
        return functools.partialmethod(f, *value.args, **value.keywords)
    if tp is functools.cached_property:
        new = functools.cached_property(_rebound(value.func, copies))
        new.attrname = value.attrname
        return new
    return value


def _rebound_function(f, copies, done):
    """Return the function with copies in the place of classes, where super()
    and __class__ find them; also inside of decorators."""
    if id(f) in done or f.__closure__ is None:
        return done.get(id(f), f)
    done[id(f)] = f
    cells = []
    for name, cell in zip(f.__code__.co_freevars, f.__closure__):
        try:
            value = cell.cell_contents
        except ValueError:
            value = None
        new = value
        if name == "__class__":
            new = copies.get(value, value)
        elif type(value) is types.FunctionType:
            new = _rebound_function(value, copies, done)
        cells.append(cell if new is value else types.CellType(new))
    if all(a is b for a, b in zip(cells, f.__closure__)):
        return f
    new = types.FunctionType(
        f.__code__, f.__globals__, f.__name__, f.__defaults__, tuple(cells)
    )
    done[id(f)] = new
    new.__kwdefaults__ = f.__kwdefaults__
    new.__dict__.update(f.__dict__)
    for name in functools.WRAPPER_ASSIGNMENTS:
        if hasattr(f, name):
            setattr(new, name, getattr(f, name))
    if hasattr(f, "__wrapped__"):
        new.__wrapped__ = _rebound(f.__wrapped__, copies)
    return new


def _quiet():
    """Return a base that keeps __init_subclass__ of others from running."""

    def __init_subclass__(cls, **kwargs):
        pass

    return type(
        "_Quiet", (), {"__slots__": (), "__init_subclass__": __init_subclass__}
    )


#: Comparison -> what Python asks the other operand for.
_REFLECTED = {
    "__eq__": "__eq__",
    "__ne__": "__ne__",
    "__lt__": "__gt__",
    "__le__": "__ge__",
    "__gt__": "__lt__",
    "__ge__": "__le__",
}


def _comparing(f, name, builtin):
    """Return a comparison that stands in for the builtin's own.

    When a class says NotImplemented, Python asks a plain list or dict on the
    other side, which would compare the contents, but sees no list in a proxy.
    """
    base = content_of(builtin) or builtin
    own = getattr(REPLACEMENTS[builtin], name)

    @functools.wraps(f)
    def compare(self, other):
        result = f(self, other)
        if result is not NotImplemented or isinstance(other, _Replacement):
            return result
        asked = getattr(other.__class__, _REFLECTED[name], None)
        if isinstance(other, base) and isinstance(
            asked, types.WrapperDescriptorType
        ):
            return own(self, other)
        return result

    return compare


def _uniting(f):
    """Return an __or__ that asks dict as _comparing() does."""

    @functools.wraps(f)
    def unite(self, other):
        result = f(self, other)
        if result is not NotImplemented or not isinstance(other, dict):
            return result
        asked = other.__class__.__ror__
        if not isinstance(asked, types.WrapperDescriptorType):
            return result
        return asked(_posh._copy(other), _posh._copy(self))

    return unite


class Rebased:
    """The copies of a class and of its bases, each one of which changes with
    its original."""

    __slots__ = ("_copies", "_seen", "type")

    def __init__(self, tp: type) -> None:
        self._copies = {}
        self._seen = {}
        self.type = self._copy(tp)
        self.refresh()

    def _copy(self, cls):
        """Return what stands for a class among the bases."""
        if cls in REPLACEMENTS:
            return REPLACEMENTS[cls]
        if cls in self._copies or builtin_of(cls) is None:
            return self._copies.get(cls, cls)
        bases = tuple(self._copy(base) for base in cls.__bases__)
        namespace = {
            "__slots__": (),
            "__module__": cls.__module__,
            "__qualname__": cls.__qualname__,
            "__doc__": cls.__doc__,
        }
        copy = type.__new__(
            type(cls), cls.__name__, (_quiet(), *bases), namespace
        )
        self._copies[cls] = copy
        self._seen[cls] = {}
        return copy

    def refresh(self) -> None:
        """Take over what has changed in the originals."""
        for cls, copy in self._copies.items():
            now, seen = dict(vars(cls)), self._seen[cls]
            for name, value in now.items():
                if name not in _SKIPPED and seen.get(name) is not value:
                    self._set(copy, name, value, builtin_of(cls))
            for name in seen.keys() - now.keys() - _SKIPPED:
                if name in vars(copy):
                    type.__delattr__(copy, name)
            self._seen[cls] = now

    def _set(self, copy, name, value, builtin):
        if isinstance(value, types.MemberDescriptorType):
            return  # of __slots__: the heap has the attribute
        new = _rebound(value, self._copies)
        if name in _REFLECTED and type(new) is types.FunctionType:
            new = _comparing(new, name, builtin)
        elif name == "__or__" and issubclass(builtin, dict):
            new = _uniting(new)
        type.__setattr__(copy, name, new)


_SKIPPED = {
    "__abstractmethods__",
    "__dict__",
    "__doc__",
    "__module__",
    "__qualname__",
    "__slots__",
    "__weakref__",
}

# SPDX-License-Identifier: MIT
"""User classes: from a shareable class Dog to its shared type.

The shared type derives from Dog, so that isinstance() and super() are right,
but none of Dog's code runs when it is made.  Its method resolution order is

    shared type, _Quiet, Dog, ..., InstanceBase, object

A Dog that derives from a mutable builtin is replaced by a copy (_rebase.py).
InstanceBase is where attribute access arrives, also by way of super(); the
shared type itself has wrappers for Dog's methods and properties, which put
the policy around them, and a descriptor for each attribute that is known.
"""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import dis
import importlib
import inspect
import sys
import types
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from . import _posh
from ._builtin import IMMUTABLE, SHAREABLE, set_builtin_policy
from ._known import advice
from ._policy import MONITOR, check_policy, synchronized
from ._rebase import (
    CONTENT,
    KNOWN,
    REPLACEMENTS,
    Rebased,
    builtin_of,
    content_of,
    fill_plain,
    plain_content,
)
from ._values import add_simple, known, parts, qualified_name

_T = TypeVar("_T")

#: At most this many attributes get a slot before they are first used.
_FORESEEN = 48

_by_name: dict[str, type] = {}  # qualified name -> shared type
#: class -> what it was made shareable with
_options: dict[type, tuple[Any, ...]] = {}
_metatypes: dict[type, type] = {}  # metaclass -> the one of the shared types
_bases: dict[type, type] = {}  # shared type -> class
#: shared type -> Rebased, of classes that have a copy
_rebased: dict[type, Any] = {}
#: shared type -> attributes that are not in its __dict__
_slots: dict[Any, Any] = {}


class _Quiet:
    """Keeps Dog.__init_subclass__ from running for the shared type."""

    __slots__ = ()

    def __init_subclass__(cls, **kwargs):
        pass


#
# The live __dict__.
#


class Attributes(collections.abc.MutableMapping):
    """The attributes of a shared object: what vars(p) is.

    Those that the class's __slots__ name are none of them.  Shared, it is the
    object, whose attributes it goes on to be.
    """

    __slots__ = ("_object", "_slots")

    def __init__(self, x):
        self._object = x
        self._slots = _slots.get(type(x), ())

    @property  # type: ignore[misc]
    def __class__(self):
        return dict

    def __getitem__(self, name):
        if name in self._slots:
            raise KeyError(name)
        return _posh._attrs_get(self._object, name)

    def __setitem__(self, name, value):
        if name in self._slots:
            raise KeyError(f"{name!r} is in __slots__")
        _posh._attrs_set(self._object, name, value)

    def __delitem__(self, name):
        if name in self._slots:
            raise KeyError(name)
        _posh._attrs_set(self._object, name)

    def __iter__(self):
        return iter(self.copy())

    def __reversed__(self):
        return reversed(self.copy())

    def __len__(self):
        return len(self.copy())

    def __contains__(self, name):
        try:
            self[name]
        except KeyError:
            return False
        return True

    def setdefault(self, name, default=None):
        """Return the attribute; without it, set it first."""
        with synchronized(self._object):
            if name not in self:
                self[name] = default
            return self[name]

    def pop(self, name, *default):
        """Remove an attribute and return it; without it, the default."""
        with synchronized(self._object):
            return super().pop(name, *default)

    def popitem(self):
        """Remove the last attribute and return its name and value."""
        with synchronized(self._object):
            found = self.copy()
            if not found:
                raise KeyError("popitem(): dictionary is empty")
            item = found.popitem()
            del self[item[0]]
            return item

    def copy(self):
        """Return the attributes in a plain dict."""
        found = _posh._attrs(self._object)
        for name in self._slots:
            found.pop(name, None)
        return found

    def __eq__(self, other):
        return self.copy() == _plain(other)

    __hash__ = None  # type: ignore[assignment]

    def __or__(self, other):
        return self.copy() | _plain(other)

    def __ror__(self, other):
        return other | self.copy()

    def __ior__(self, other):
        self.update(other)
        return self

    def __repr__(self):
        return repr(self.copy())

    def __reduce__(self):
        return dict, (self.copy(),)


# An object that is copied, by unshare(), has its own.
add_simple(
    Attributes,
    "posh:Attributes",
    lambda x: x._object,
    lambda x: Attributes(x) if _posh.is_shared(x) else vars(x),
)


def _plain(x):
    return x.copy() if type(x) is Attributes else x


def _get_dict(self):
    return Attributes(self)


def _set_dict(self, value):
    attributes = Attributes(self)
    for name in set(attributes) - set(value):
        del attributes[name]
    attributes.update(value)


#
# Metaclasses: what is written to the shared type reaches Dog.
#


class _SharedMeta(type):
    def __setattr__(cls, name, value):
        if isinstance(value, _WRAPPERS):
            value = value._original
        setattr(_bases[cls], name, value)
        _refresh(cls)

    def __delattr__(cls, name):
        delattr(_bases[cls], name)
        _refresh(cls)

    def __new__(meta, name, bases, namespace, **kwargs):
        raise TypeError(
            f"{name!r} can't derive from the type of a shared object:"
            " derive from its __class__"
        )


def _refresh(shared):
    """Have the copy of a class, if it has one, be as the class is."""
    if shared in _rebased:
        _rebased[shared].refresh()


#: isinstance() would believe a wrapper's __class__.
_WRAPPERS = (_posh.Monitored, _posh.MonitoredProperty)


def _metatype(meta):
    found = _metatypes.get(meta)
    if found is None:
        namespace = {
            n: vars(_SharedMeta)[n]
            for n in ("__setattr__", "__delattr__", "__new__")
        }
        found = type.__new__(type, meta.__name__, (meta,), namespace)
        _metatypes[meta] = found
    return found


#
# What is known of a class beforehand.
#


def _members(cls):
    """Yield the names that __slots__ of one class made members for."""
    for name, value in vars(cls).items():
        if isinstance(value, types.MemberDescriptorType):
            yield name


def _annotated(cls):
    fields = vars(cls).get("__dataclass_fields__")
    if fields is not None:
        for name, field in fields.items():
            if field._field_type.name == "_FIELD":
                yield name
        return
    for name, value in vars(cls).get("__annotations__", {}).items():
        if "ClassVar" not in str(value):
            yield name


def _codes(code):
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _codes(const)


def _functions(cls):
    for value in vars(cls).values():
        if isinstance(value, property):
            candidates = (value.fget, value.fset, value.fdel)
        else:
            candidates = (getattr(value, "__func__", value),)
        for f in candidates:
            if isinstance(f, types.FunctionType):
                yield f


def _stored(cls):
    """Yield the names of the attributes that the code of a class stores."""
    for f in _functions(cls):
        for code in _codes(f.__code__):
            by_hand = "__setattr__" in code.co_names + code.co_freevars
            for op in dis.get_instructions(code):
                if op.opname == "STORE_ATTR":
                    yield op.argval
            if by_hand:
                for const in code.co_consts:
                    if isinstance(const, str) and const.isidentifier():
                        yield const


def _spells_setattr(tp):
    """Does any code of the class call object.__setattr__ or the like?"""
    for cls in tp.__mro__[:-1]:
        if "__setattr__" in vars(cls) or "__delattr__" in vars(cls):
            return True
        for f in _functions(cls):
            for code in _codes(f.__code__):
                names = code.co_names + code.co_freevars
                if "__setattr__" in names or "__delattr__" in names:
                    return True
    return False


def _has_dict(tp):
    return tp.__dictoffset__ != 0


def _attribute_names(tp):
    """Return the names of attributes that instances will have."""
    names = {}
    classes = tp.__mro__[-2::-1]
    for cls in classes:
        names.update(dict.fromkeys(_members(cls)))
    if _has_dict(tp):
        for scan in (_annotated, _stored):
            for cls in classes:
                names.update(dict.fromkeys(scan(cls)))
    return tuple(n for n in names if _is_plain_attribute(tp, n))[:_FORESEEN]


def _is_plain_attribute(tp, name):
    """May an instance have an attribute of that name?"""
    if name.startswith("__") and name.endswith("__"):
        return False
    value = inspect.getattr_static(tp, name, None)
    if isinstance(value, types.MemberDescriptorType):
        return True
    return not hasattr(type(value), "__set__")


#
# The shared type.
#


#: Py_TPFLAGS_...
_HEAPTYPE, _BASETYPE = 1 << 9, 1 << 10


def _check(tp):
    """Raise TypeError if instances of the class can't be shared."""
    if type(tp) in _metatypes.values():
        raise TypeError(f"{tp.__qualname__!r} is a shared type itself")
    for cls in tp.__mro__[:-1]:
        if cls in REPLACEMENTS:
            continue
        made_in_c = isinstance(
            vars(cls).get("__new__"), types.BuiltinFunctionType
        )
        flags = cls.__flags__
        if made_in_c or not flags & _HEAPTYPE or not flags & _BASETYPE:
            raise _posh.NotShareableError(
                f"instances of {tp.__qualname__!r} can't be shared, because"
                f" it derives from {cls.__qualname__!r}; have the"
                f" {cls.__qualname__} as an attribute instead"
            )


def _wrappers(tp, synch):
    """Return {name: wrapper type} of what a policy is put around.

    What stands in the place of a builtin has operations of its content, each
    of which is inside a monitor anyway.
    """
    kinds = {}
    ours = REPLACEMENTS.values()
    for cls in tp.__mro__[:-1]:
        for name, value in vars(cls).items():
            if name in kinds or name in ("__del__", "__new__"):
                continue
            kinds[name] = None
            if synch is MONITOR and any(issubclass(t, cls) for t in ours):
                continue
            if isinstance(value, types.FunctionType):
                kinds[name] = _posh.Monitored
            elif isinstance(value, property):
                kinds[name] = _posh.MonitoredProperty
    return {n: k for n, k in kinds.items() if k is not None}


def _depth():
    """Return the stacklevel, for the caller, of what is not this file."""
    level, frame = 1, sys._getframe(1)
    while frame.f_globals is globals():
        level, frame = level + 1, frame.f_back
    return level


def _warn_of_generators(tp, names):
    for name in names:
        f = inspect.getattr_static(tp, name)
        if (
            inspect.isgeneratorfunction(f)
            or inspect.iscoroutinefunction(f)
            or inspect.isasyncgenfunction(f)
        ):
            warnings.warn(
                f"{tp.__qualname__}.{name} is inside the policy only while"
                " it is created, not while it runs",
                RuntimeWarning,
                stacklevel=_depth(),
            )


def _no_del(self):
    """The object lives on: no finalizer runs for a proxy."""


def _defines(tp, name):
    """Does a class, or one of its bases in Python, define a name?"""
    return any(name in vars(c) for c in tp.__mro__ if c not in REPLACEMENTS)


def _namespace(tp, synch, source):
    slots = ("_posh_ref",)
    if not source.__weakrefoffset__:
        slots += ("__weakref__",)
    namespace = {
        "__slots__": slots,
        "__module__": tp.__module__,
        "__qualname__": tp.__qualname__,
        "__doc__": tp.__doc__,
        "__class__": property(lambda self: tp),
        "__reduce_ex__": _reduce,
        "__reduce__": lambda self: _reduce(self, 2),
        "__del__": _no_del,
        "__synch__": synch,
    }
    for name, copy in (
        ("__copy__", _posh_copy),
        ("__deepcopy__", _posh_deepcopy),
    ):
        if not _defines(tp, name):
            namespace[name] = copy
    if _is_frozen(tp):
        namespace["__setattr__"] = _frozen_set
        namespace["__delattr__"] = _frozen_delete
    if tp.__dir__ is object.__dir__ and _has_dict(tp):
        namespace["__dir__"] = _dir
    if _has_dict(tp):
        namespace["__dict__"] = property(_get_dict, _set_dict)
    return namespace


def _is_frozen(tp):
    """Is it a frozen dataclass, whose __setattr__ asks if `type(self) is cls`,
    which is not so for a proxy?"""
    f = vars(tp).get("__setattr__")
    params = vars(tp).get("__dataclass_params__")
    if type(f) is not types.FunctionType or not (params and params.frozen):
        return False
    cells = dict(zip(f.__code__.co_freevars, f.__closure__ or ()))
    return "cls" in cells and cells["cls"].cell_contents is tp


def _frozen_set(self, name, value):
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _frozen_delete(self, name):
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _dir(self):
    return sorted({*object.__dir__(self), *_posh._attrs(self)})


def _reduce(self, protocol):
    from ._ticket import reduce_proxy

    return reduce_proxy(self)


def _posh_copy(self):
    return _posh._copy(self)


def _posh_deepcopy(self, memo):
    return _posh._deepcopy(self, memo)


def _floor(tp):
    return (
        _posh.InstanceSlowBase if _spells_setattr(tp) else _posh.InstanceBase
    )


def _make(tp, synch, source):
    """Make the shared type, as yet without attributes and wrappers."""
    floors = (_floor(tp),)
    if source is not tp:
        floors = (_posh.InstanceRebased, *floors)
    return type.__new__(
        _metatype(type(tp)),
        tp.__name__,
        (_Quiet, source, *floors),
        _namespace(tp, synch, source),
    )


#: From these a shared type learns names, so they need a wrapper anyway.
_LEARNING = ("__getattribute__", "__setattr__")


def _furnish(shared, tp, info, names, synch, source):
    """Give the shared type its attributes and wrappers."""
    give = type.__setattr__
    for name in names:
        give(shared, name, _posh.Attribute(name))
    kinds = _wrappers(source, synch)
    if synch is None:
        kinds = {n: k for n, k in kinds.items() if n in _LEARNING}
    for name, kind in kinds.items():
        if name not in vars(shared):
            original = inspect.getattr_static(tp, name, None)
            if original is None:  # of what stands in a builtin's place
                original = inspect.getattr_static(source, name)
            give(shared, name, kind(info, name, original))
    if synch is MONITOR:
        _warn_of_generators(source, kinds)
    if _has_dict(tp):
        members = {n for cls in tp.__mro__ for n in _members(cls)}
        if members:
            _slots[shared] = frozenset(members)
    type.__delattr__(shared, "_posh_ref")
    type.__delattr__(shared, "__slots__")


def allow_sharing(
    tp: type,
    init: Callable[[type, Any], Any] | None = None,
    synch: Any = MONITOR,
    *,
    closed: bool = False,
    hash: Callable[[Any], Any] | None = None,
    name: str | None = None,
) -> None:
    """Make a class shareable.

    Then share() takes its instances, and they may be put into shared
    containers.  To the processes that share such an object it is an object
    of the class; its attributes are in shared memory.

    tp      the class; its attributes have to be shareable
    init    init(S, x) returns a new instance of the shared type S for the
            plain object x; without it, or with generic_init, the attributes
            are copied; default_init calls S(x)
    synch   the policy: posh.MONITOR (each call of a method is inside the
            object's monitor), None, or an object with enter(x, opname) and
            leave(x, state)
    closed  True: objects have only the attributes that the class mentions
    hash    for a class with an __eq__ and __hash__ of its own: hash(x) returns
            an immutable value, the same for all that are equal to x, by which
            an object is looked for as a key; without it, that takes a look at
            all keys
    name    what the class is called in shared memory, instead of its module
            and qualified name

    Other processes find the class by its name; they import its module if
    they have to, which has to make the class shareable as well.
    """
    check_policy(synch)
    if not isinstance(tp, type):
        raise TypeError(f"a class was expected, not {tp!r}")
    by_value = tp in IMMUTABLE or known(tp)
    if tp in SHAREABLE or by_value:
        if init is not None or (by_value and synch is not MONITOR):
            raise TypeError(f"{tp.__name__!r} is shared in its own way")
        if not by_value:
            set_builtin_policy(tp, synch)
        return
    _check(tp)
    options = (init, synch, closed, hash, name)
    if tp in _options:
        if _options[tp] != options:
            raise ValueError(f"{tp.__qualname__!r} is shareable already")
        return
    if init is not None and not callable(init):
        raise TypeError(f"{init!r} is not callable")
    if hash is not None and not callable(hash):
        raise TypeError(f"{hash!r} is not callable")
    _register(tp, init, synch, closed, name, hash)
    _options[tp] = options


def _register(tp, init, synch, closed, name, hash):
    if name is None:
        name = qualified_name(tp)
    if init is generic_init:
        init = None
    names = _attribute_names(tp)
    builtin = builtin_of(tp)
    content = content_of(builtin)
    rebased = Rebased(tp) if builtin else None
    source = rebased.type if rebased else tp
    shared = _make(tp, synch, source)
    _bases[shared] = tp
    if rebased:
        _rebased[shared] = rebased
    info = _posh._class_new(
        shared,
        tp,
        name,
        names if content is None else (CONTENT, *names),
        init,
        synch,
        bool(closed) or not _has_dict(tp),
        source,
        builtin,
        content,
        hash,
    )
    _furnish(shared, tp, info, names, synch, source)
    if name in _by_name:
        _posh._class_retire(_by_name[name])
    _by_name[name] = shared


def _adopt(tp):
    """Make one of the classes shareable that need no declaration."""
    if tp in KNOWN.values() and tp not in _options:
        allow_sharing(tp)


def shareable(tp: Any = None, /, **options: Any) -> Any:
    """Make a class shareable: a decorator, with allow_sharing's arguments.

    @posh.shareable
    class Dog: ...

    @posh.shareable(synch=None)
    class Cat: ...
    """
    if tp is None:
        return lambda tp: shareable(tp, **options)
    allow_sharing(tp, **options)
    return tp


def default_init(S: type[_T], x: Any) -> _T:
    """Return S(x), a new instance of the shared type S."""
    return S(x)  # type: ignore[call-arg]


def generic_init(S: type[_T], x: Any) -> _T:
    """Return a new instance of the shared type S with x's attributes."""
    return _posh.generic_init(S, x)


#
# Finding the class of an object that another process shared.
#


def _resolve(name):
    """Return the shared type of that name."""
    if name in KNOWN:
        _adopt(KNOWN[name])
    shared = _by_name.get(name)
    if shared is not None:
        return shared
    module, colon, _ = name.partition(":")
    reason = "and this process has made no class of that name shareable"
    cause = None
    if colon and module != "__main__" and module not in sys.modules:
        try:
            importlib.import_module(module)
        except Exception as e:
            reason = f"and its module can't be imported: {e}"
            cause = e
        shared = _by_name.get(name)
        if shared is not None:
            return shared
    raise _posh.ClassNotFoundError(
        f"the object's class is called {name!r}, {reason};"
        " posh.allow_sharing() it in a module that both can import",
        name=name,
    ) from cause


#
# Refusing.
#


def _children(x):
    """Yield (how to write it, object) of what share() would go on to."""
    if type(x) in (list, tuple, collections.deque):
        for i, item in enumerate(x):
            yield f"[{i}]", item
    elif type(x) is set:
        for item in x:
            yield f"'s element {item!r}", item
    elif type(x) is dict:
        for key, item in x.items():
            yield f"[{key!r}]", item
            yield f"'s key {key!r}", key
    elif type(x) in _options:
        if content_of(builtin_of(type(x))) is not None:
            yield from _children(plain_content(x, builtin_of(type(x))))
        state = getattr(x, "__dict__", {})
        for name, item in state.items():
            yield f".{name}", item
        for cls in type(x).__mro__:
            for name in _members(cls):
                if hasattr(x, name):
                    yield f".{name}", getattr(x, name)
    elif known(type(x)):
        yield from parts(x)


def _path(root, target):
    """Return how target is reached from root, the shortest way."""
    found = _search(root, lambda x: x is target)
    if found is None:  # a part of a state, which is made anew each time
        found = _search(root, lambda x: type(x) is type(target))
    return found or "x"


def _search(root, matches):
    """Return how the first object that matches is reached, or None."""
    if matches(root):
        return "x"
    seen = {id(root)}
    kept = []  # ids are of living objects
    front = [("x", root)]
    while front:
        following = []
        for path, x in front:
            for step, item in _children(x):
                if matches(item):
                    return path + step
                kept.append(item)
                if id(item) not in seen:
                    seen.add(id(item))
                    following.append((path + step, item))
        front = following
    return None


_ADVICE = {
    "dtype": "because its dtype has Python objects in it: share its .tolist(),"
    " or give it another dtype",
    "hash": "as a key, because it has another hash each time that it is read",
    "attribute": "because it has an attribute whose name is no string",
}


def _advice(x):
    tp = type(x)
    why = advice(x)
    if why:
        return why
    try:
        _check(tp)
    except TypeError:
        return (
            "share what it is made of instead, or call"
            f" posh.register_value({tp.__qualname__}, ...) if it is immutable"
        )
    if tp is object:
        return "it has no attributes to share"
    return f"call posh.allow_sharing({tp.__qualname__}) first"


def _not_shareable(root, x, why):
    """Raise NotShareableError for x, a part of root."""
    path = _path(root, x)
    text = f"{type(x).__qualname__!r} object can't be shared"
    if why:
        text += " " + _ADVICE[why]
    if path != "x":
        text += f" ({path})"
    if not why:
        text += f": {_advice(x)}"
    raise _posh.NotShareableError(text)


_posh._set_hooks(
    adopt=_adopt,
    refresh=_refresh,
    plain_content=plain_content,
    fill_plain=fill_plain,
)
_posh._set_sharing_hooks(_resolve, _not_shareable, MONITOR)

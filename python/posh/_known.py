# SPDX-License-Identifier: MIT
"""The immutable types of Python and its standard library, by value.

A module is imported here only when an object of one of its types is read.
Nothing that an object's class overrides is called: str(x) of a subclass of
str may be anything.  A class with an __eq__ or __hash__ of its own is marked
as opaque: its objects are compared by Python.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable
from typing import Any

from . import _exception, _posh
from ._builtin import IMMUTABLE
from ._posh import FORM_LIKE, FORM_TYPED, Form
from ._values import (
    add,
    add_simple,
    builders,
    codecs,
    find,
    is_found,
    name_of_class,
    qualified_name,
    varied,
)

#
# Builtins.
#


def _encode_range(x):
    key = (0, 0, 1)
    if x:
        last, step = x[-1], x.step
        if last == x.start:
            step = 1
        key = (x.start, last + step, step)
    return varied("builtins:range", (x.start, x.stop, x.step), key)


add(range, "builtins:range", _encode_range, lambda state: range(*state))
add_simple(
    slice,
    "builtins:slice",
    lambda x: (x.start, x.stop, x.step),
    lambda state: slice(*state),
)
add_simple(
    type(NotImplemented),
    "types:NotImplementedType",
    lambda x: None,
    lambda state: NotImplemented,
)


#
# Functions and classes, by name.
#


def _encode_function(x):
    if not is_found(x):
        return None
    return Form(FORM_TYPED, ("types:FunctionType", qualified_name(x)))


def _encode_class(x):
    if is_found(x):
        name = qualified_name(x)
    elif _posh._shared_type(x) is not None:
        name = name_of_class(x)
    else:
        for key, value in vars(types).items():
            if value is x:
                name = f"types:{key}"
                break
        else:
            return None
    return Form(FORM_TYPED, ("builtins:type", name))


add(types.FunctionType, "types:FunctionType", _encode_function, find)
codecs[types.BuiltinFunctionType] = _encode_function


def _encode_descriptor(x):
    name = f"{qualified_name(x.__objclass__)}.{x.__name__}"
    try:
        if find(name) is not x:
            return None
    except _posh.ClassNotFoundError:
        return None
    return Form(FORM_TYPED, ("types:FunctionType", name))


codecs[types.MethodDescriptorType] = _encode_descriptor
codecs[types.WrapperDescriptorType] = _encode_descriptor


def _encode_method(x):
    """A bound method is its object, and its name."""
    name = x.__name__
    if getattr(x.__self__, name, None) != x:
        return None
    return Form(FORM_TYPED, ("types:MethodType", (name, x.__self__)))


def _build_method(state):
    name, x = state
    method = getattr(x, name, None)
    if not isinstance(method, types.MethodType):
        raise _posh.ClassNotFoundError(
            f"{type(x).__qualname__!r} has no method {name!r} in this process",
            name=qualified_name(type(x)),
        )
    return method


add(types.MethodType, "types:MethodType", _encode_method, _build_method)
builders["builtins:type"] = find


#
# Types that others may derive from.
#


def _slot(base, name, x):
    """Return what is in a slot of an object, whatever its class says."""
    return vars(base)[name].__get__(x)


def _reduced(base):
    """Return a copy for _COPY, by what base's own pickles have."""
    if "__reduce_ex__" in vars(base):
        return lambda tp, x: base.__new__(tp, *base.__reduce_ex__(x, 4)[1])
    return lambda tp, x: base.__new__(tp, *base.__reduce__(x)[1])


#: type -> copy(tp, x), which returns an object of tp, this type or a class that
#: derives from it, with the value of x, another one, and calls nothing of
#: either class.  Attributes are another matter.
_COPY: dict[type, Callable[[Any, Any], Any]] = {
    int: lambda tp, x: int.__new__(tp, int.__int__(x)),
    str: lambda tp, x: str.__new__(tp, str.__str__(x)),
    float: lambda tp, x: float.__new__(tp, float.__float__(x)),
    complex: lambda tp, x: complex.__new__(tp, complex.__pos__(x)),
    bytes: lambda tp, x: bytes.__new__(tp, bytes.__getitem__(x, slice(None))),
    tuple: lambda tp, x: tuple.__new__(tp, tuple.__getitem__(x, slice(None))),
    frozenset: lambda tp, x: frozenset.__new__(tp, frozenset.__iter__(x)),
}
_BUILTIN = frozenset(_COPY)

_HEAPTYPE = 1 << 9  # in __flags__: made by a class statement, or might be

#
# Modules, each with a function that adds its types.
#

_modules: dict[str, Callable[[Any], None]] = {}
_loaded: set[str] = set()


def _module(function):
    _modules[function.__name__[1:]] = function
    return function


def load(name: str, import_it: bool) -> bool:
    """Add the types of a module: is it one whose types are known here?"""
    name = name.partition(".")[0]
    if name not in _modules:
        return False
    if name not in _loaded and (import_it or name in sys.modules):
        _loaded.add(name)
        _modules[name](importlib.import_module(name))
    return True


#: Numbers with more digits than this are equal to others of their type only.
_DIGITS = 1000


def _ratio_key(ratio):
    """Return what a rational number is equal to as a key."""
    numerator, denominator = ratio
    if denominator == 1:
        return numerator
    if abs(numerator) < 1 << 1023 and denominator <= 1 << 1074:
        near = numerator / denominator
        if near.as_integer_ratio() == ratio:
            return near
    return Form(FORM_TYPED, ("fractions:Fraction", ratio))


@_module
def _fractions(fractions):
    def encode(x):
        ratio = x.numerator, x.denominator
        key = _ratio_key(ratio)
        if isinstance(key, Form):
            return key
        return Form(FORM_LIKE, ("fractions:Fraction", key, ratio))

    add(
        fractions.Fraction,
        "fractions:Fraction",
        encode,
        lambda state: fractions.Fraction(*state),
    )
    base = fractions.Fraction
    _COPY[base] = lambda tp, x: base.__new__(
        tp, _slot(base, "_numerator", x), _slot(base, "_denominator", x)
    )


@_module
def _decimal(decimal):
    name = "decimal:Decimal"

    def key_of(x):
        if x.is_nan():
            return Form(FORM_TYPED, (name, "NaN"))
        if x.is_infinite():
            return float(x)
        if not x:
            return 0
        sign, digits, exponent = x.as_tuple()
        text = "".join(map(str, digits))
        short = text.rstrip("0")
        exponent += len(text) - len(short)
        if abs(exponent) <= _DIGITS >= len(short):
            return _ratio_key(x.as_integer_ratio())
        return Form(FORM_TYPED, (name, (sign, short, exponent)))

    add(
        decimal.Decimal,
        name,
        lambda x: Form(FORM_LIKE, (name, key_of(x), str(x))),
        decimal.Decimal,
    )
    _COPY[decimal.Decimal] = decimal.Decimal.__new__


@_module
def _uuid(uuid):
    def encode(x):
        state = x.int
        if x.is_safe is not uuid.SafeUUID.unknown:
            state = x.int, x.is_safe.value
        return varied("uuid:UUID", state, x.int)

    def build(state):
        if isinstance(state, int):
            return uuid.UUID(int=state)
        return uuid.UUID(int=state[0], is_safe=uuid.SafeUUID(state[1]))

    def copy(tp, x):
        y = object.__new__(tp)
        for name in ("int", "is_safe"):
            object.__setattr__(y, name, _slot(uuid.UUID, name, x))
        return y

    add(uuid.UUID, "uuid:UUID", encode, build)
    _COPY[uuid.UUID] = copy


@_module
def _datetime(datetime):
    """Times are counted in microseconds."""
    unit = datetime.timedelta(microseconds=1)
    first = datetime.datetime.min

    def of_delta(x):
        return x // unit

    def to_delta(state):
        return datetime.timedelta(microseconds=state)

    def time_since(x):  # midnight
        seconds = (x.hour * 60 + x.minute) * 60 + x.second
        return seconds * 1000000 + x.microsecond

    def since(x):
        """Return the time and fold as a state, and as a key."""
        if isinstance(x, datetime.time):
            count = time_since(x)
        else:
            count = of_delta(x.replace(tzinfo=None, fold=0) - first)
        if x.tzinfo is None and not x.fold:
            return count, count
        offset = x.replace(fold=0).utcoffset()
        key = count
        if offset is not None:
            key = "utc", count - of_delta(offset)
        return (count, x.fold, x.tzinfo), key

    def to_datetime(state):
        count, fold, tz = state if isinstance(state, tuple) else (state, 0, None)
        return (first + to_delta(count)).replace(tzinfo=tz, fold=fold)

    def encode_timezone(x):
        offset, *name = x.__getinitargs__()
        key = of_delta(offset)
        state = (key, *name) if name else key
        return varied("datetime:timezone", state, key)

    def build_timezone(state):
        if isinstance(state, int):
            return datetime.timezone(to_delta(state))
        return datetime.timezone(to_delta(state[0]), state[1])

    add_simple(
        datetime.date,
        "datetime:date",
        datetime.date.toordinal,
        datetime.date.fromordinal,
    )
    add_simple(
        datetime.timedelta, "datetime:timedelta", of_delta, to_delta
    )
    add(
        datetime.datetime,
        "datetime:datetime",
        lambda x: varied("datetime:datetime", *since(x)),
        to_datetime,
    )
    add(
        datetime.time,
        "datetime:time",
        lambda x: varied("datetime:time", *since(x)),
        lambda state: to_datetime(state).timetz(),
    )
    add(
        datetime.timezone,
        "datetime:timezone",
        encode_timezone,
        build_timezone,
    )
    for base in (
        datetime.date, datetime.datetime, datetime.time, datetime.timedelta
    ):  # fmt: skip
        _COPY[base] = _reduced(base)


@_module
def _zoneinfo(zoneinfo):
    name = "zoneinfo:ZoneInfo"

    def encode(x):
        return None if x.key is None else Form(FORM_TYPED, (name, x.key))

    add(zoneinfo.ZoneInfo, name, encode, zoneinfo.ZoneInfo)


@_module
def _pathlib(pathlib):
    def add_path(tp, pure, key_of):
        name, pure_name = (f"pathlib:{t.__name__}" for t in (tp, pure))

        def encode(x):
            text = pure.__str__(x)
            key = key_of(text)
            if tp is pure:
                return varied(name, text, key)
            return Form(
                FORM_LIKE, (name, Form(FORM_TYPED, (pure_name, key)), text)
            )

        add(tp, name, encode, tp)

    posix, windows = pathlib.PurePosixPath, pathlib.PureWindowsPath
    for tp in (posix, pathlib.PosixPath):
        add_path(tp, posix, lambda text: text)
    for tp in (windows, pathlib.WindowsPath):
        add_path(tp, windows, lambda text: text.lower())

    def copy(tp, x):
        text = pathlib.PurePath.__str__(x)
        y = pathlib.PurePath.__new__(tp, text)
        if pathlib.PurePath.__init__ is not object.__init__:
            pathlib.PurePath.__init__(y, text)
        return y

    for tp in (posix, windows, type(pathlib.Path())):
        _COPY[tp] = copy
    # From 3.12 on, what derives from these needs no system's own.
    _COPY[pathlib.Path] = lambda tp, x: copy(
        type(pathlib.Path()) if tp is pathlib.Path else tp, x
    )
    _COPY[pathlib.PurePath] = lambda tp, x: copy(
        type(pathlib.PurePath()) if tp is pathlib.PurePath else tp, x
    )


@_module
def _re(re):
    add_simple(
        re.Pattern,
        "re:Pattern",
        lambda x: (x.pattern, x.flags & ~int(re.DEBUG)),
        lambda state: re.compile(*state),
    )


@_module
def _ipaddress(ipaddress):
    for version in "46":
        for kind in ("Address", "Network", "Interface"):
            tp = getattr(ipaddress, f"IPv{version}{kind}")
            add_simple(tp, f"ipaddress:{tp.__name__}", str, tp)


@_module
def _numpy(numpy):
    """What arrays have in them; arrays themselves are _numpy.py's."""

    times = numpy.datetime64, numpy.timedelta64

    def add_scalar(tp):
        name = f"numpy:{tp.__name__}"

        def encode(x):
            # What is no number or text of Python's is equal to its kind only.
            text = next((t for t in (str, bytes) if issubclass(tp, t)), None)
            like = _COPY[text](text, x) if text else x.item()
            if type(like) not in IMMUTABLE or issubclass(tp, times):
                return Form(FORM_TYPED, (name, (x.dtype.str, x.tobytes())))
            return Form(FORM_LIKE, (name, like))

        def build(state):
            if isinstance(state, tuple):
                dtype, data = state
                return numpy.frombuffer(data, dtype)[0]
            return tp(state)

        codecs[tp] = encode
        builders[name] = build

    def add_long(tp):
        """Its bytes have padding, so its state is text."""
        name = f"numpy:{tp.__name__}"
        narrow = complex if issubclass(tp, numpy.complexfloating) else float

        def encode(x):
            text = str(x.real), str(x.imag)
            with numpy.errstate(all="ignore"):
                like = x.astype(narrow)
            key = like.item() if like == x else Form(FORM_TYPED, (name, text))
            return Form(FORM_LIKE, (name, key, text))

        def build(text):
            x = numpy.zeros(1, tp)
            if narrow is complex:
                x.real, x.imag = map(numpy.longdouble, text)
            else:
                x[0] = numpy.longdouble(text[0])
            return x[0]

        add(tp, name, encode, build)

    for tp in set(numpy.sctypeDict.values()):
        if issubclass(tp, (numpy.longdouble, numpy.clongdouble)):
            add_long(tp)
        elif not issubclass(tp, (numpy.object_, numpy.void)):
            add_scalar(tp)


@_module
def _functools(functools):
    def encode(x):
        attributes = tuple(vars(x).items())
        state = x.func, x.args, tuple(x.keywords.items()), attributes
        return Form(FORM_TYPED, ("functools:partial", state))

    def build(state):
        function, args, keywords, attributes = state
        x = functools.partial(function, *args, **dict(keywords))
        vars(x).update(attributes)
        return x

    add(functools.partial, "functools:partial", encode, build)


#
# Classes that derive from immutable types, and enumerations.
#

def _base(tp):
    """Return which known type a class derives from, or None."""
    return next((c for c in tp.__mro__ if c in _COPY), None)


def _is_made(tp, base):
    """Is all that a class adds to its base written in Python?  What C adds,
    as in numpy.float64, is not known here."""
    own = [c for c in tp.__mro__ if c not in base.__mro__]
    return (
        all(c.__flags__ & _HEAPTYPE for c in own)
        and tp.__basicsize__ <= base.__basicsize__ + 8 * (len(_slots(own)) + 2)
    )


def _overrides(tp, base):
    """Does a class compare its objects in another way than base?"""
    return (
        tp.__eq__ is not base.__eq__ or tp.__hash__ is not base.__hash__
    )


def _has_form(base):
    return base is frozenset or base not in _BUILTIN


def _slots(classes):
    return [
        name
        for cls in classes
        for name, value in vars(cls).items()
        if isinstance(value, types.MemberDescriptorType)
    ]


def _codec_of_derived(tp, base):
    name, copy = name_of_class(tp), _COPY[base]
    slots = _slots([c for c in tp.__mro__ if c not in base.__mro__])
    has_dict, opaque = tp.__dictoffset__ != 0, _overrides(tp, base)

    def attributes(x):
        found = []
        if has_dict:
            found += object.__getattribute__(x, "__dict__").items()
        for slot in slots:
            try:
                found.append((slot, object.__getattribute__(x, slot)))
            except AttributeError:
                pass
        return tuple(found)

    def encode(x):
        value = copy(base, x)
        state = attributes(x) if has_dict or slots else ()
        if opaque:
            like = Form(FORM_TYPED, (name, value), True)
            return Form(FORM_LIKE, (name, like, (value, state)), True)
        if state and _has_form(base):
            return Form(FORM_LIKE, (name, value, (value, state)))
        if state:
            return Form(FORM_LIKE, (name, value, state))
        return Form(FORM_LIKE, (name, value))

    return encode


def _builder_of_derived(tp, base):
    """What has a form is not built in front of a state (form_is_key)."""

    def build(value, state=()):
        if state and (_has_form(base) or _overrides(tp, base)):
            value, state = state
        x = _COPY[base](tp, value)
        for name, attribute in state:
            object.__setattr__(x, name, attribute)
        return x

    return build


def _is_structseq(tp):
    return issubclass(tp, tuple) and hasattr(tp, "n_sequence_fields")


def _codec_of_structseq(tp):
    name = name_of_class(tp)

    def encode(x):
        _, (items, more) = x.__reduce__()
        return Form(FORM_LIKE, (name, items, tuple(more.items())))

    return encode


def _enum():
    """Return the module, if anybody uses it."""
    return sys.modules.get("enum")


def _codec_of_enum(tp, enum):
    name, base = name_of_class(tp), tp._member_type_
    is_flag = issubclass(tp, enum.Flag)
    copy = _COPY.get(base) if base in _BUILTIN else None
    if base is object:
        opaque = (
            tp.__eq__ is not object.__eq__
            or tp.__hash__ is not enum.Enum.__hash__
        )
    else:
        opaque = copy is None or _overrides(tp, base)

    def encode(x):
        state = x._value_ if is_flag else x._name_
        if copy is None or opaque:
            return Form(FORM_TYPED, (name, state), opaque)
        return Form(FORM_LIKE, (name, copy(base, x), state))

    return encode


def _builder_of_enum(tp, enum):
    def build(*parts):
        if issubclass(tp, enum.Flag):
            return tp(parts[-1])
        try:
            return tp._member_map_[parts[-1]]
        except KeyError:
            raise _posh.ClassNotFoundError(
                f"{tp.__qualname__!r} has no member {parts[-1]!r} in this"
                " process",
                name=qualified_name(tp),
            ) from None

    return build


#
# What _values.py asks for.
#


def _load_bases(tp):
    """Add the types of all modules that a class derives from."""
    for cls in tp.__mro__:
        if isinstance(cls.__module__, str):
            load(cls.__module__, False)


def find_codec(tp: type) -> bool:
    """Put the codec of a type into codecs: is there one?"""
    enum = _enum()
    _load_bases(tp)
    if tp in codecs:
        return True
    base = _base(tp)
    if issubclass(tp, type):
        codecs[tp] = _encode_class
    elif enum and issubclass(tp, enum.Enum):
        codecs[tp] = _codec_of_enum(tp, enum)
    elif _is_structseq(tp):
        codecs[tp] = _codec_of_structseq(tp)
    elif base is not None and base is not tp and _is_made(tp, base):
        codecs[tp] = _codec_of_derived(tp, base)
    elif issubclass(tp, BaseException):
        codecs[tp] = _exception.codec_of(tp)
    return tp in codecs


def builder_of(tp: type) -> Callable[..., Any] | None:
    """Return the builder of a class that was found by its name, or None."""
    enum = _enum()
    _load_bases(tp)
    base = _base(tp)
    if enum and issubclass(tp, enum.Enum):
        return _builder_of_enum(tp, enum)
    if _is_structseq(tp):
        return lambda items, more: tp(items, dict(more))
    if base is not None and base is not tp:
        return _builder_of_derived(tp, base)
    if issubclass(tp, BaseException):
        return _exception.builder_of(tp)
    return None


def advice(x: Any) -> str | None:
    """Say what to do about an object whose codec declined it, or None."""
    if isinstance(x, (type, types.FunctionType, types.BuiltinFunctionType)):
        return (
            f"it can't be found under its name, {x.__qualname__!r}: define it"
            " at the top of a module, with def or class"
        )
    return None

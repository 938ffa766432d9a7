# SPDX-License-Identifier: MIT
"""What a programmer would try first: every protocol on every kind of object.

Two tables: KINDS of objects, and the PROTOCOLS, each a function.  Each
function is called with a plain object and with a shared copy of it; what it
returns or raises, and what the object is afterwards, have to be the same.
Operators are tried with each kind of second operand, plain and shared, both
ways.  What is different is named in DIFFERENT, with the reason; an entry that
is not different any more is a failure.
"""
import array
import ast
import bisect
import collections
import collections.abc
import contextlib
import copy
import dataclasses
import functools
import gc
import heapq
import inspect
import io
import itertools
import json
import math
import operator
import os
import pickle
import pprint
import random
import re
import reprlib
import statistics
import string
import struct
import sys
import textwrap
import types
import typing
import unittest
import warnings
import weakref

import posh

try:
    import numpy
except ImportError:
    numpy = None

# Each is called with each kind, sensible or not.
warnings.filterwarnings("ignore")

#
# Classes.
#


@posh.shareable
class Dog:
    def __init__(self, name, tricks=()):
        self.name = name
        self.tricks = list(tricks)


@posh.shareable(synch=None)
class Vector:
    __slots__ = ("x", "y")
    __match_args__ = ("x", "y")

    def __init__(self, x, y):
        self.x, self.y = x, y

    def _pair(self, other):
        if isinstance(other, Vector):
            return other.x, other.y
        if isinstance(other, (int, float)):
            return other, other
        return None

    def __add__(self, other):
        pair = self._pair(other)
        if pair is None:
            return NotImplemented
        return Vector(self.x + pair[0], self.y + pair[1])

    __radd__ = __add__

    def __sub__(self, other):
        pair = self._pair(other)
        if pair is None:
            return NotImplemented
        return Vector(self.x - pair[0], self.y - pair[1])

    def __iadd__(self, other):
        pair = self._pair(other)
        if pair is None:
            return NotImplemented
        self.x += pair[0]
        self.y += pair[1]
        return self

    def __neg__(self):
        return Vector(-self.x, -self.y)

    def __abs__(self):
        return math.hypot(self.x, self.y)

    def __eq__(self, other):
        if not isinstance(other, Vector):
            return NotImplemented
        return (self.x, self.y) == (other.x, other.y)

    def __lt__(self, other):
        if not isinstance(other, Vector):
            return NotImplemented
        return abs(self) < abs(other)

    def __hash__(self):
        return hash((self.x, self.y))

    def __bool__(self):
        return bool(self.x or self.y)

    def __index__(self):
        return int(self.x)

    def __int__(self):
        return int(self.x)

    def __float__(self):
        return float(self.x)

    def __complex__(self):
        return complex(self.x, self.y)

    def __round__(self, n=None):
        return Vector(round(self.x, n), round(self.y, n))

    def __bytes__(self):
        return bytes((self.x, self.y))

    def __iter__(self):
        yield self.x
        yield self.y

    def __len__(self):
        return 2

    def __repr__(self):
        return f"Vector({self.x!r}, {self.y!r})"

    def __format__(self, spec):
        return f"<{self.x:{spec}}, {self.y:{spec}}>"

    def __fspath__(self):
        return f"/{self.x}/{self.y}"


@posh.shareable
class Pages(collections.abc.MutableMapping):
    """A mapping of its own."""

    def __init__(self, *args, **kwargs):
        self.pages = {}
        self.update(*args, **kwargs)

    def __getitem__(self, key):
        return self.pages[key]

    def __setitem__(self, key, value):
        self.pages[key] = value

    def __delitem__(self, key):
        del self.pages[key]

    def __iter__(self):
        return iter(self.pages)

    def __len__(self):
        return len(self.pages)


@posh.shareable
class Roll(collections.abc.Sequence):
    """A sequence of its own."""

    def __init__(self, *names):
        self.names = names

    def __getitem__(self, i):
        return self.names[i]

    def __len__(self):
        return len(self.names)

    def __reversed__(self):
        return reversed(self.names)


_T = typing.TypeVar("_T")


@posh.shareable
class Box(typing.Generic[_T]):
    def __init__(self, content):
        self.content = content
        self.open = False

    def __enter__(self):
        self.open = True
        return self

    def __exit__(self, *exc):
        self.open = False
        return True

    def __call__(self, *args, **kwargs):
        return self.content, args, sorted(kwargs)

    def __contains__(self, x):
        return x == self.content

    @functools.cached_property
    def size(self):
        return len(str(self.content))


@posh.shareable
class Counting:
    """An iterator."""

    def __init__(self, end):
        self.at, self.end = 0, end

    def __iter__(self):
        return self

    def __next__(self):
        if self.at == self.end:
            raise StopIteration
        self.at += 1
        return self.at


@posh.shareable
@dataclasses.dataclass
class Account:
    owner: str
    balance: int = 0
    history: list = dataclasses.field(default_factory=list)


@posh.shareable
@dataclasses.dataclass(frozen=True, order=True)
class Version:
    major: int
    minor: int = 0


@posh.shareable
@dataclasses.dataclass(slots=True)
class Point:
    x: float
    y: float


@posh.shareable
class Names(list):
    def first(self):
        return self[0]


@posh.shareable
class Table(dict):
    def __missing__(self, key):
        return f"no {key}"


@posh.shareable
class Ring(collections.deque):
    pass


@posh.shareable
class Tags(set):
    pass


@posh.shareable
class Frame(bytearray):
    pass


@posh.shareable
class Ordered(collections.OrderedDict):
    pass


@posh.shareable
class Filled(collections.defaultdict):
    pass


@posh.shareable
class Sour:
    """Can't be hashed at times."""

    bad = False

    def __hash__(self):
        return 1 // (not Sour.bad)

    def __eq__(self, other):
        return isinstance(other, Sour)


@posh.shareable
class Votes(collections.Counter):
    pass


@posh.shareable
class Words(collections.UserList):
    pass


@posh.shareable
class Config(collections.UserDict):
    pass


Pair = collections.namedtuple("Pair", "left right")

#
# Objects: functions that make them, each time the same.
#

KINDS = {
    "list": lambda: [3, 1, 2],
    "list of str": lambda: ["b", "a", "c"],
    "list of lists": lambda: [[1, 2], [3], []],
    "list of pairs": lambda: [("a", 1), ("b", [2])],
    "empty list": list,
    "dict": lambda: {"b": 1, "a": 2},
    "dict of dicts": lambda: {"x": {"y": [1]}, "z": None},
    "dict of ints": lambda: {3: "c", 1: "a"},
    "empty dict": dict,
    "set": lambda: {5, 3, 4},
    "empty set": set,
    "deque": lambda: collections.deque([3, 1, 2]),
    "bounded deque": lambda: collections.deque("abc", 3),
    "defaultdict": lambda: collections.defaultdict(list, {"a": [1]}),
    "defaultdict without": lambda: collections.defaultdict(None, {"a": 1}),
    "Counter": lambda: collections.Counter("abca"),
    "OrderedDict": lambda: collections.OrderedDict(b=1, a=[2]),
    "SimpleNamespace": lambda: types.SimpleNamespace(b=1, a=[2]),
    "bytearray": lambda: bytearray(b"\x03ab\x01"),
    "array": lambda: array.array("i", [3, 1, 2]),
    "array of float": lambda: array.array("d", [0.5, 2.5]),
    "instance": lambda: Dog("Rex", ["sit"]),
    "Vector": lambda: Vector(3, 4),
    "mapping": lambda: Pages(a=1, b=[2]),
    "sequence": lambda: Roll("b", "a"),
    "generic": lambda: Box(5),
    "iterator": lambda: Counting(3),
    "dataclass": lambda: Account("Ann", 5, [1, 2]),
    "frozen dataclass": lambda: Version(3, 11),
    "slots dataclass": lambda: Point(1.5, 2.5),
    "from list": lambda: Names([3, 1, 2]),
    "from dict": lambda: Table(a=1, b=[2]),
    "from deque": lambda: Ring([3, 1, 2], 5),
    "from set": lambda: Tags({5, 3, 4}),
    "from bytearray": lambda: Frame(b"\x03ab\x01"),
    "from OrderedDict": lambda: Ordered(b=1, a=[2]),
    "from defaultdict": lambda: Filled(list, {"a": [1]}),
    "from Counter": lambda: Votes("abca"),
    "UserList": lambda: Words([3, 1, 2]),
    "UserDict": lambda: Config(a=1, b=[2]),
    "tuple with a list": lambda: (1, [2]),
    "namedtuple with a list": lambda: Pair(1, [2]),
}
if numpy:
    KINDS["ndarray"] = lambda: numpy.array([3, 1, 2])
    KINDS["structured ndarray"] = lambda: numpy.array(
        [(1, 0.5), (2, 1.5)], dtype=[("n", "i4"), ("x", "f8")]
    )

#
# Protocols.
#

PROTOCOLS = {}


def protocol(f):
    PROTOCOLS[f.__name__.strip("_")] = f
    return f


def protocols(**functions):
    PROTOCOLS.update(functions)


class PurePython(json.JSONEncoder):
    """Without the encoder that is written in C."""

    def iterencode(self, o, _one_shot=False):
        return super().iterencode(o)


def unpack_two(x):
    a, b = x
    return a, b


def unpack_star(x):
    a, *b = x
    return a, b


def positional(*args):
    return args


def keywords(**kwargs):
    return kwargs


protocols(
    json=lambda x: json.dumps(x, default=posh.unshare),
    json_indent=lambda x: json.dumps(x, default=posh.unshare, indent=2),
    json_sorted=lambda x: json.dumps(x, default=posh.unshare, sort_keys=True),
    json_pure=lambda x: PurePython(default=posh.unshare).encode(x),
    json_nested=lambda x: json.dumps(
        {"k": [x, (x,)], "n": 1}, default=posh.unshare
    ),
    json_dump=lambda x: json.dump(x, io.StringIO(), default=posh.unshare),
    json_unshared=lambda x: json.dumps(posh.unshare(x)),
    pformat=pprint.pformat,
    pformat_narrow=lambda x: pprint.pformat(x, width=5),
    pformat_nested=lambda x: pprint.pformat({"k": [x]}),
    pformat_deep=lambda x: pprint.pformat([x] * 9, depth=2),
    isreadable=pprint.isreadable,
    saferepr=pprint.saferepr,
    repr=repr,
    reprlib=reprlib.repr,
    str=str,
    ascii=ascii,
    format=format,
    format_spec=lambda x: format(x, ">20"),
    f_string=lambda x: f"{x} {x!r} {x!s:>5} {x=}",
    percent_s=lambda x: "%s" % (x,),
    percent_bare=lambda x: "%s" % x,
    percent_names=lambda x: "%(a)s" % x,
    str_format=lambda x: "{}".format(x),
    format_item=lambda x: "{x[a]}".format(x=x),
    format_index=lambda x: "{x[0]}".format(x=x),
    format_attribute=lambda x: "{0.name}".format(x),
    format_map=lambda x: "{a}".format_map(x),
    format_keywords=lambda x: "{a}".format(**x),
    template=lambda x: string.Template("$a").substitute(x),
    literal_eval=lambda x: ast.literal_eval(repr(x)),
    sorted=sorted,
    sorted_reverse=lambda x: sorted(x, reverse=True),
    sorted_key=lambda x: sorted(x, key=str),
    min=min,
    max=max,
    max_key=lambda x: max(x, key=str),
    min_default=lambda x: min(x, default=None),
    sum=sum,
    sum_start=lambda x: sum(x, []),
    any=any,
    all=all,
    list=list,
    tuple=tuple,
    set=set,
    frozenset=frozenset,
    dict=dict,
    dict_keywords=lambda x: dict(x, more=1),
    deque=collections.deque,
    bytes=bytes,
    bytearray=bytearray,
    memoryview=lambda x: memoryview(x).tolist(),
    memoryview_format=lambda x: memoryview(x).format,
    array=lambda x: array.array("i", x),
    counter=collections.Counter,
    ordered=collections.OrderedDict,
    default=lambda x: collections.defaultdict(list, x),
    namespace=lambda x: types.SimpleNamespace(**x),
    proxytype=lambda x: dict(types.MappingProxyType(x)),
    int=int,
    float=float,
    complex=complex,
    index=operator.index,
    index_list=lambda x: [10, 11, 12, 13][x],
    range=lambda x: range(x),
    round=round,
    abs=abs,
    neg=operator.neg,
    pos=operator.pos,
    invert=operator.invert,
    bool=bool,
    not_=operator.not_,
    len=len,
    length_hint=operator.length_hint,
    hash=lambda x: hash(x) and None,
    as_key=lambda x: {x: 1}[x],
    as_element=lambda x: x in {x},
    callable=callable,
    call=lambda x: x(1, k=2),
    iter=lambda x: list(iter(x)),
    next_iter=lambda x: next(iter(x)),
    next=next,
    reversed=lambda x: list(reversed(x)),
    enumerate=lambda x: list(enumerate(x, 1)),
    zip=lambda x: list(zip(x, x)),
    zip_strict=lambda x: list(zip(x, "abc", strict=True)),
    map=lambda x: list(map(str, x)),
    filter=lambda x: list(filter(None, x)),
    comprehension=lambda x: [i for i in x],
    dict_comprehension=lambda x: {k: v for k, v in x.items()},
    starargs=lambda x: positional(0, *x),
    star_list=lambda x: [0, *x, *x],
    star_set=lambda x: {*x},
    kwargs=lambda x: keywords(**x),
    kwargs_more=lambda x: keywords(more=1, **x),
    dict_display=lambda x: {"more": 1, **x},
    unpack_two=unpack_two,
    unpack_three=lambda x: (lambda a, b, c: (a, b, c))(*x),
    unpack_star=unpack_star,
    contains=lambda x: [y in x for y in (1, 2.0, "a", b"a", None)],
    contains_list=lambda x: [1, 2] in x,
    not_contains=lambda x: "zz" not in x,
    count=lambda x: x.count(1),
    index_method=lambda x: x.index(2),
    getitem=lambda x: x[0],
    getitem_key=lambda x: x["a"],
    getitem_missing=lambda x: x["zz"],
    getitem_negative=lambda x: x[-1],
    getitem_bool=lambda x: x[True],
    getitem_vector=lambda x: x[Vector(0, 0)],
    slice=lambda x: x[1:],
    slice_step=lambda x: x[::-1],
    slice_copy=lambda x: x[:],
    itemgetter=operator.itemgetter(0, 1),
    attrgetter=operator.attrgetter("name"),
    methodcaller=operator.methodcaller("copy"),
    copy=copy.copy,
    deepcopy=copy.deepcopy,
    deepcopy_nested=lambda x: copy.deepcopy([x, {"k": x}]),
    copy_nested=lambda x: copy.copy([x]),
    copy_method=lambda x: x.copy(),
    pickle=lambda x: posh.unshare(pickle.loads(pickle.dumps(x))),
    pickle_nested=lambda x: copy.deepcopy(
        pickle.loads(pickle.dumps([x, {"k": x}]))
    ),
    pickle_pure=lambda x: posh.unshare(pickle._loads(pickle._dumps(x))),
    isinstance=lambda x: [
        isinstance(x, t)
        for t in (
            object, int, str, bytes, tuple, list, dict, set, frozenset,
            bytearray, array.array, collections.deque,
            collections.defaultdict, collections.Counter,
            collections.OrderedDict, types.SimpleNamespace, Dog, Vector, Box,
            collections.UserDict, collections.UserList,
        )
    ],
    abcs=lambda x: [
        name
        for name in collections.abc.__all__
        if isinstance(x, getattr(collections.abc, name))
    ],
    typing_protocols=lambda x: [
        isinstance(x, t)
        for t in (
            typing.SupportsInt, typing.SupportsFloat, typing.SupportsIndex,
            typing.SupportsAbs, typing.SupportsBytes, typing.SupportsRound,
            typing.SupportsComplex, contextlib.AbstractContextManager,
        )
    ],
    class_=lambda x: x.__class__,
    class_name=lambda x: (x.__class__.__name__, type(x).__name__),
    qualname=lambda x: (x.__class__.__module__, type(x).__qualname__),
    issubclass=lambda x: issubclass(x.__class__, list),
    vars=lambda x: dict(vars(x)),
    vars_order=lambda x: list(vars(x)),
    vars_repr=lambda x: repr(vars(x)),
    vars_json=lambda x: json.dumps(vars(x), default=posh.unshare),
    getattr=lambda x: getattr(x, "name"),
    getattr_default=lambda x: getattr(x, "zz", 5),
    getattr_missing=lambda x: getattr(x, "zz"),
    hasattr=lambda x: [hasattr(x, n) for n in ("name", "append", "keys")],
    dir=lambda x: [n for n in dir(x) if not n.startswith("_")],
    dunders=lambda x: set(dir(x)) - _INNER,
    weakref=lambda x: weakref.ref(x)() is x,
    chain=lambda x: list(itertools.chain(x, [0])),
    chain_from=lambda x: list(itertools.chain.from_iterable([x, x])),
    chain_of=lambda x: list(itertools.chain.from_iterable(x)),
    islice=lambda x: list(itertools.islice(x, 2)),
    product=lambda x: list(itertools.product(x, repeat=2)),
    permutations=lambda x: len(list(itertools.permutations(x))),
    groupby=lambda x: [(k, list(g)) for k, g in itertools.groupby(x)],
    accumulate=lambda x: list(itertools.accumulate(x)),
    starmap=lambda x: list(itertools.starmap(positional, x)),
    pairwise=lambda x: list(itertools.pairwise(x)),
    tee=lambda x: [list(i) for i in itertools.tee(x)],
    cycle=lambda x: list(itertools.islice(itertools.cycle(x), 5)),
    reduce=lambda x: functools.reduce(operator.add, x),
    partial=lambda x: functools.partial(len, x)(),
    lru_cache=lambda x: functools.lru_cache(len)(x),
    singledispatch=lambda x: dispatched(x),
    fsum=math.fsum,
    prod=math.prod,
    dist=lambda x: math.dist(x, (0, 0, 0)),
    mean=statistics.mean,
    median=statistics.median,
    mode=statistics.mode,
    nlargest=lambda x: heapq.nlargest(2, x),
    heapq_merge=lambda x: list(heapq.merge(x, [9])),
    bisect=lambda x: bisect.bisect(x, 2),
    bisect_key=lambda x: bisect.bisect_left(x, "b", key=str),
    choice=lambda x: random.Random(1).choice(x),
    sample=lambda x: random.Random(1).sample(x, 2),
    choices=lambda x: random.Random(1).choices(x, k=4),
    join=lambda x: "-".join(x),
    join_bytes=lambda x: b"-".join(x),
    join_shared_bytes=lambda x: x.join([b"a", b"b"]),
    startswith=lambda x: "abc".startswith(tuple(x)),
    translate=lambda x: "abc".translate(x),
    maketrans=lambda x: str.maketrans(x),
    writelines=lambda x: io.StringIO().writelines(x),
    write_bytes=lambda x: io.BytesIO().write(x),
    readinto=lambda x: io.BytesIO(b"zz").readinto(x),
    hex=lambda x: x.hex(),
    decode=lambda x: x.decode(),
    str_decode=lambda x: str(x, "latin-1"),
    int_of_bytes=lambda x: int.from_bytes(x, "little"),
    bytes_fromhex=lambda x: bytes.fromhex(x.hex()),
    unpack_from=lambda x: struct.unpack_from("<I", x),
    unpack=lambda x: struct.unpack("<I", x),
    pack_into=lambda x: struct.pack_into("<H", x, 1, 0x4142),
    iter_unpack=lambda x: list(struct.iter_unpack("<H", x)),
    textwrap=lambda x: textwrap.wrap(" ".join(x), 3),
    print=lambda x: printed(x),
    print_star=lambda x: printed(*x),
    print_sep=lambda x: printed(*x, sep="/", end=""),
    exec_globals=lambda x: eval("a", {}, x),
    chainmap=lambda x: dict(collections.ChainMap(x, {"k": 1})),
    chainmap_set=lambda x: collections.ChainMap(x).__setitem__("k", 1),
    match_sequence=lambda x: matched_sequence(x),
    match_mapping=lambda x: matched_mapping(x),
    match_class=lambda x: matched_class(x),
    extend_list=lambda x: operator.methodcaller("extend", x)([0]),
    nullcontext=lambda x: contextlib.nullcontext(x).__enter__(),
    closing=lambda x: contextlib.closing(x).__exit__(None, None, None),
    exit_stack=lambda x: contextlib.ExitStack().enter_context(x) is x,
    suppress=lambda x: contextlib.suppress(*x),
    is_dataclass=dataclasses.is_dataclass,
    asdict=dataclasses.asdict,
    astuple=dataclasses.astuple,
    fields=lambda x: [(f.name, f.type) for f in dataclasses.fields(x)],
    replace=lambda x: dataclasses.replace(x),
    replace_x=lambda x: dataclasses.replace(x, x=9),
    replace_major=lambda x: dataclasses.replace(x, major=9),
    copy_replace=lambda x: copy.replace(x, x=9),
    namedtuple_replace=lambda x: x._replace(left=9),
    namedtuple_asdict=lambda x: x._asdict(),
    getmembers=lambda x: [
        n for n, _ in inspect.getmembers(x) if not n.startswith("_")
    ],
    signature=lambda x: str(inspect.signature(x)),
    sizeof=lambda x: sys.getsizeof(x) > 0,
    bool_and=lambda x: x and 1,
    ternary=lambda x: 1 if x else 2,
    identity=lambda x: (x is x, x == x, x != x),
    eq_copy=lambda x: copy.deepcopy(x) == x,
    eq_mirror=lambda x: x == copy.deepcopy(x),
    ne_copy=lambda x: copy.deepcopy(x) != x,
    keys=lambda x: list(x.keys()),
    values=lambda x: list(x.values()),
    items=lambda x: list(x.items()),
    keys_or=lambda x: x.keys() | {"k"},
    keys_and=lambda x: {"a"} & x.keys(),
    items_sub=lambda x: x.items() - [("a", 2)],
    keys_eq=lambda x: (x.keys() == {"a", "b"}, {"a", "b"} == x.keys()),
    views_repr=lambda x: f"{x.keys()} {x.values()} {x.items()}",
    views_len=lambda x: (len(x.keys()), "a" in x.keys(), 1 in x.values()),
    views_reversed=lambda x: list(reversed(x.items())),
    get=lambda x: (x.get("a"), x.get("zz"), x.get("zz", 5)),
    most_common=lambda x: x.most_common(1),
    total=lambda x: x.total(),
    elements=lambda x: sorted(x.elements()),
    fromkeys=lambda x: dict.fromkeys(x, 0),
    default_of=lambda x: x["new"],
    generator=lambda x: sum(1 for _ in x),
    fspath=os.fspath,
    isclose=lambda x: math.isclose(x, 3),
    trunc=math.trunc,
    divmod=lambda x: divmod(x, 2),
    pow=lambda x: pow(x, 2),
    chr=chr,
    bin=bin,
    exec_=exec,
    class_getitem=lambda x: x.__class__[int],
    sum_of_values=lambda x: sum(x.values()),
    max_of_dict=lambda x: max(x, key=x.get),
    sorted_items=lambda x: sorted(x.items(), key=str),
    dict_of_zip=lambda x: dict(zip("abc", x)),
    strings=lambda x: ", ".join(map(str, x)),
    set_union=lambda x: set().union(x),
    set_of_plain=lambda x: {1, 3, "a"} & set(x),
    issubset=lambda x: {3}.issubset(x),
    isdisjoint=lambda x: {3}.isdisjoint(x),
)

#: What object and shared types have beyond what a class declares.
_INNER = {
    "__class__", "__copy__", "__deepcopy__", "__dict__", "__weakref__",
    "__synch__", "__module__", "__reduce__", "__reduce_ex__", "__slots__",
}


@functools.singledispatch
def dispatched(x):
    return "object"


for _tp in (list, dict, set, collections.deque, collections.abc.Mapping, Dog):
    dispatched.register(_tp, lambda x, _tp=_tp: _tp.__name__)


def printed(*args, **kwargs):
    out = io.StringIO()
    print(*args, **kwargs, file=out)
    return out.getvalue()


def matched_sequence(x):
    match x:
        case []:
            return "empty"
        case [one]:
            return "one", one
        case [first, *rest]:
            return first, rest
    return None


def matched_mapping(x):
    match x:
        case {"a": value, **rest}:
            return value, rest
        case {}:
            return "mapping"
    return None


def matched_class(x):
    match x:
        case list(y):
            return "list", y
        case dict(y):
            return "dict", y
        case set(y):
            return "set", y
        case bytearray(y):
            return "bytearray", y
        case Dog(name=name):
            return "Dog", name
        case Vector(a, b) | Point(a, b) | Version(a, b):
            return a, b
        case Account(owner, balance=b):
            return owner, b
        case types.SimpleNamespace(a=a):
            return a
        case collections.deque():
            return "deque"
    return None


#
# Protocols that change the object.
#


@protocol
def set_item(x):
    x[0] = 7


@protocol
def set_key(x):
    x["k"] = [7]


@protocol
def delete_item(x):
    del x[0]


@protocol
def delete_key(x):
    del x["a"]


@protocol
def set_slice(x):
    x[1:2] = [8, 9]


@protocol
def slice_of_plain(x):
    plain = [0, 1, 2]
    plain[1:2] = x
    return plain


@protocol
def step_of_plain(x):
    plain = list(range(6))
    plain[::2] = x
    return plain


@protocol
def extend_plain(x):
    plain = [0]
    plain.extend(x)
    plain += x
    return plain


@protocol
def update_plain(x):
    plain = {"a": 0}
    plain.update(x)
    plain |= x
    return plain


@protocol
def update_plain_set(x):
    plain = {0}
    plain.update(x)
    plain.difference_update(x)
    return plain


@protocol
def append(x):
    x.append(5)


@protocol
def extend(x):
    x.extend([5, 6])


@protocol
def extend_itself(x):
    x.extend(x)


@protocol
def update(x):
    x.update({"k": 1})


@protocol
def update_keywords(x):
    x.update(k=1)


@protocol
def add(x):
    x.add(9)


@protocol
def pop(x):
    return x.pop()


@protocol
def popleft(x):
    return x.popleft()


@protocol
def popitem(x):
    return x.popitem()


@protocol
def setdefault(x):
    return x.setdefault("k", 5), x.setdefault("k", 6)


@protocol
def reverse(x):
    x.reverse()


@protocol
def sort(x):
    x.sort()


@protocol
def sort_key(x):
    x.sort(key=str, reverse=True)


@protocol
def clear(x):
    x.clear()


@protocol
def rotate(x):
    x.rotate(1)


@protocol
def insert(x):
    x.insert(1, 9)


@protocol
def remove(x):
    x.remove(2)


@protocol
def insort(x):
    bisect.insort(x, 2)


@protocol
def heap(x):
    heapq.heapify(x)
    heapq.heappush(x, 0)
    return heapq.heappop(x)


@protocol
def shuffle(x):
    random.Random(1).shuffle(x)


@protocol
def swap(x):
    x[0], x[1] = x[1], x[0]


@protocol
def augmented_item(x):
    x[0] += 1


@protocol
def augmented_key(x):
    x["a"] += 1


@protocol
def set_attribute(x):
    x.name = "Fido"


@protocol
def new_attribute(x):
    x.brand_new = [1]
    return x.brand_new


@protocol
def delete_attribute(x):
    del x.name


@protocol
def setattr_delattr(x):
    setattr(x, "z", 1)
    delattr(x, "z")


@protocol
def vars_update(x):
    vars(x).update(name="Fido", z=1)


@protocol
def with_(x):
    with x as y:
        return y is x


@protocol
def drain(x):
    return list(x), list(x)


@protocol
def move_to_end(x):
    x.move_to_end("b")


@protocol
def subtract(x):
    x.subtract("ab")


@protocol
def default_append(x):
    x["new"].append(1)


@protocol
def iterate_and_change(x):
    for y in x:
        x[y] = 0
        x[str(y) + "z"] = 0


@protocol
def cached(x):
    first = x.size
    x.content = "longer"
    return first, x.size


@protocol
def memory_write(x):
    memoryview(x)[0] = 66


#
# Operators, with a second operand.
#

OPERATORS = {
    name: getattr(operator, name)
    for name in (
        "eq", "ne", "lt", "le", "gt", "ge", "add", "sub", "mul", "truediv",
        "mod", "or_", "and_", "xor", "matmul", "contains",
    )
}


def in_place(sign):
    namespace = {}
    exec(f"def f(x, y):\n    x {sign}= y\n    return x", namespace)
    return namespace["f"]


OPERATORS.update({f"{sign}=": in_place(sign) for sign in "+-*|&^@"})

#: What stands on the other side, beside another object of the same kind.
OTHERS = {
    "2": lambda: 2,
    "str": lambda: "ab",
    "tuple": lambda: (1, 2),
    "list": lambda: [1, 2],
    "pairs": lambda: [("a", 3), ("k", 4)],
    "dict": lambda: {"a": 3, "k": 4},
    "set": lambda: {3},
    "frozenset": lambda: frozenset([3, "a"]),
    "deque": lambda: collections.deque([1, 2]),
    "Counter": lambda: collections.Counter("ab"),
    "OrderedDict": lambda: collections.OrderedDict(a=3),
    "defaultdict": lambda: collections.defaultdict(int, a=3),
    "bytes": lambda: b"ab",
    "bytearray": lambda: bytearray(b"ab"),
    "array": lambda: array.array("i", [1, 2]),
    "Vector": lambda: Vector(1, 1),
    "Names": lambda: Names([1, 2]),
    "Table": lambda: Table(a=3),
    "keys": lambda: {"a": 3}.keys(),
    "None": lambda: None,
}

#
# Comparing.
#


NAMED = (type, types.ModuleType, types.FunctionType)


def parts(x):
    """Return the ids of x and of all that it refers to."""
    found, front = {}, [x]
    while front:
        y = front.pop()
        if id(y) not in found and not isinstance(y, NAMED):
            found[id(y)] = y
            front += gc.get_referents(y)
    return found


def alike(a, b, known, seen=()):
    """Is b, of a shared object, as a is, of its twin?  What was part of the
    twin (known) is shared, and nothing else is."""
    if (id(a), id(b)) in seen:
        return True
    seen = (*seen, (id(a), id(b)))
    if numpy and isinstance(a, numpy.ndarray):
        # Views are shared as well: t/pynumpy.py
        return (
            isinstance(b, numpy.ndarray)
            and a.dtype == b.dtype
            and a.tolist() == b.tolist()
        )
    shared = posh.is_shared(b)
    if shared != (id(a) in known and posh.is_shared(posh.share([a])[0])):
        return False
    if (b.__class__ if shared else type(b)) is not type(a):
        return False
    if isinstance(a, (list, tuple, collections.deque)):
        return len(a) == len(b) and all(
            alike(i, j, known, seen) for i, j in zip(a, b)
        ) and getattr(a, "maxlen", None) == getattr(b, "maxlen", None)
    if isinstance(a, dict):
        return (
            getattr(a, "default_factory", None)
            == getattr(b, "default_factory", None)
            and len(a) == len(b)
            and all(
                alike(i, j, known, seen) and alike(a[i], b[j], known, seen)
                for i, j in zip(a, b)
            )
        )
    if isinstance(a, array.array):
        return a.typecode == b.typecode and a == b
    state = getattr(a, "__dict__", None)
    if type(state) is dict and not isinstance(a, NAMED):
        other = dict(vars(b))
        return list(state) == list(other) and all(
            alike(state[n], other[n], known, seen) for n in state
        )
    return bool(a == b) or repr(a) == repr(b)


def _neutral(x):
    """Return a text without addresses, and without the modules that messages
    name before a type that is made in C."""
    if type(x) is not str:
        return x
    x = re.sub("0x[0-9a-f]+", "0x", x)
    x = x.replace("set.update() takes", "update() takes")
    x = x.replace(" and no __dict__ for setting new attributes", "")
    return re.sub(r"\b(builtins|collections|types|array|numpy|posh)\.(?=[A-Za-z])", "", x)


def outcome(function, *args):
    """Call the function: what it returned or raised."""
    try:
        result = function(*args)
    except Exception as e:
        return type(e), _neutral(str(e))
    if any(result is x for x in args):
        return "its operand"
    return _neutral(result)


#
# What is different, and why.
#

LISTS = ("list", "list of str", "list of lists", "list of pairs", "empty list")
DICTS = ("dict", "dict of dicts", "dict of ints", "empty dict")
DEQUES = ("deque", "bounded deque", "from deque")

#: reason -> {protocol: kinds}
DIFFERENT = {
    "C code insists on the builtin": {
        "heap": (*LISTS, "from list"),
        "maketrans": DICTS,
        "array": ("bytearray", "from bytearray"),
    },
    "C code refuses a builtin by its type, and does not know a proxy": {
        "proxytype": (*LISTS, "deque", "bounded deque", "from list",
                      "from deque"),
        "bisect": ("defaultdict", "defaultdict without", "OrderedDict"),
        "bisect_key": ("defaultdict", "defaultdict without", "OrderedDict"),
        "insort": ("defaultdict", "defaultdict without", "OrderedDict"),
    },
    "d[-1] is one operation, so a deque is a mapping to C code": {
        "percent_names": DEQUES,
        "exec_globals": DEQUES,
    },
    "all shared objects can be referred to weakly": {
        "weakref": (*LISTS, *DICTS, "defaultdict", "defaultdict without",
                    "SimpleNamespace", "bytearray", "Vector",
                    "slots dataclass"),
    },
    "the text of the message": {
        "pop": ("OrderedDict", "from OrderedDict"),
        "delete_item": ("SimpleNamespace",),
        "iterate_and_change": ("OrderedDict", "from OrderedDict"),
    },
    "sets have no order": {"pop": ("set", "from set")},
    "views are those of dict": {
        "views_repr": ("OrderedDict", "from OrderedDict"),
    },
    "texts with an address in them": {
        "reprlib": ("instance", "mapping", "sequence", "generic", "iterator"),
    },
    "dataclasses makes a list by type(x)(...)": {"astuple": ("dataclass",)},
    "a shared ndarray is of a subclass": {
        name: ("ndarray", "structured ndarray")
        for name in ("class_", "qualname", "dunders", "class_getitem")
    },
}
if sys.version_info < (3, 12):
    DIFFERENT["CPython's own mistake: the class that had no __slots__"] = {
        "getmembers": ("slots dataclass",),
    }
if sys.version_info < (3, 13):
    DIFFERENT["dataclasses makes a list by type(x)(...)"]["asdict"] = (
        "dataclass",
    )
if sys.version_info >= (3, 13):
    DIFFERENT["C code insists on the builtin"]["copy_replace"] = (
        "SimpleNamespace",
    )

#: reason -> does it hold for an operator with operands of these kinds, of
#: which these are shared?
DIFFERENT_OPERATORS = {
    "a call that fails has done nothing": lambda op, a, b, shared: (
        op == "|=" and b == "list of lists"
    ),
    "C code looks for a set among frozensets, and knows no proxy": (
        lambda op, a, b, shared: op == "contains"
        and a in ("set", "frozenset", "empty set", "from set")
        and b in ("set", "empty set", "from set")
        and (shared == (False, True) or a == "from set" and shared[1])
    ),
    "d[-1] is one operation, so a deque is a mapping to %": (
        lambda op, a, b, shared: op == "mod"
        and b in DEQUES
        and a in ("str", "bytes", "bytearray", "from bytearray")
    ),
    "C code insists on the builtin": lambda op, a, b, shared: (
        op == "mod"
        and a in ("bytes", "bytearray", "from bytearray")
        and b in ("bytearray", "from bytearray")
    ),
    "CPython's oddity: n * [1] is allowed, n *= [1] is not": (
        lambda op, a, b, shared: op == "*=" and a == "Vector" and shared[1]
    ),
    "a list's += comes ahead of what a UserList would do": (
        lambda op, a, b, shared: op == "+=" and b == "UserList"
    ),
}

#
# Tests.
#


def private(x):
    """Return x without anything shared in it."""
    return x if isinstance(x, collections.abc.KeysView) else copy.deepcopy(x)


def is_made_shared(x):
    try:
        return posh.share(x) is not x
    except posh.NotShareableError:
        return False


def equal(a, b, known):
    try:
        return alike(a, b, known)
    except Exception:  # of a comparison
        return False


def compare(function, make):
    """Call a function with an object and with a shared one: what is
    different, or None."""
    plain, shared = make(), posh.share(make())
    known = parts(plain)
    a = outcome(function, plain)
    known.update(parts(plain))
    b = outcome(function, shared)
    if not equal(a, b, known):
        return a, b
    after = posh.unshare(shared)
    return None if equal(plain, after, {}) else (plain, after)


def compare_operator(function, makes, shares):
    """The same of an operator, with operands of which some are shared."""
    plain = [make() for make in makes]
    mixed = [
        posh.share(make()) if shares_it else make()
        for make, shares_it in zip(makes, shares)
    ]
    a, b = outcome(function, *plain), outcome(function, *mixed)
    if type(a) is tuple and type(b) is tuple and type(a[0]) is type:
        same = a[0] is b[0]
    else:
        same = equal(a, private(b), {})
    after = [private(x) for x in mixed]
    if not same:
        return a, b
    return None if all(map(equal, plain, after, ({}, {}))) else (plain, after)


class ProtocolTest(unittest.TestCase):
    """A test for each kind."""

    def check(self, kind):
        expected = {
            name: reason
            for reason, names in DIFFERENT.items()
            for name, kinds in names.items()
            if kind in kinds
        }
        for name, function in PROTOCOLS.items():
            found = compare(function, KINDS[kind])
            with self.subTest(name, kind=kind):
                if name in expected:
                    self.assertIsNotNone(found, f"{name}: {expected[name]}")
                elif found is not None:
                    self.fail(
                        f"{name}\nplain: %.300r\nshared: %.300r" % found
                    )


class OperatorTest(unittest.TestCase):
    """A test for each kind, on the left and on the right of all others."""

    used = set()

    def check(self, kind):
        others = {**OTHERS, kind: KINDS[kind]}
        for other, op in itertools.product(others, OPERATORS):
            for pair in {(kind, other), (other, kind)}:
                makes = [KINDS[kind] if k == kind else others[k] for k in pair]
                self.pair(op, pair, makes)

    def pair(self, op, pair, makes):
        mutable = [is_made_shared(make()) for make in makes]
        for shares in ((True, False), (False, True), (True, True)):
            if any(s and not m for s, m in zip(shares, mutable)):
                continue
            found = compare_operator(OPERATORS[op], makes, shares)
            reasons = {
                reason
                for reason, holds in DIFFERENT_OPERATORS.items()
                if holds(op, *pair, shares)
            }
            if found is None:
                continue
            OperatorTest.used |= reasons
            if not reasons:
                with self.subTest(op, pair=pair, shared=shares):
                    self.fail(
                        f"{pair[0]} {op} {pair[1]}, shared: {shares}\n"
                        "plain: %.300r\nshared: %.300r" % found
                    )

    def test_used(self):  # after all others
        """each reason for a difference of operators holds for some"""
        self.assertEqual(OperatorTest.used, set(DIFFERENT_OPERATORS))


def _add_tests():
    for i, kind in enumerate(KINDS):
        for case in (ProtocolTest, OperatorTest):
            if case is OperatorTest and "ndarray" in kind:
                continue  # numpy's operators are numpy's

            def test(self, kind=kind):
                self.check(kind)

            what = "operators" if case is OperatorTest else "protocols"
            test.__doc__ = f"{what}: {kind}"
            setattr(case, f"test_{i:02}_{kind.replace(' ', '_')}", test)


_add_tests()


class JsonTest(unittest.TestCase):
    def test_insisting(self):
        """a full dict is never {}: without default=, json raises TypeError"""
        for kind in ("list", "dict", "dict of dicts", "OrderedDict", "Counter",
                     "from dict", "from list"):
            p = posh.share(KINDS[kind]())
            for x in (p, [p], {"k": p}):
                for options in ({}, {"indent": 2}, {"sort_keys": True}):
                    if "indent" not in options:  # else it is all Python
                        with self.assertRaises(TypeError):
                            json.dumps(x, **options)
                    self.assertEqual(
                        json.dumps(x, default=posh.unshare, **options),
                        json.dumps(copy.deepcopy(x), **options),
                    )

    def test_pure(self):
        """the encoder in Python takes proxies as they are"""
        p = posh.share({"a": [1, {"b": None}], "c": ()})
        self.assertEqual(
            PurePython().encode(p), json.dumps(posh.unshare(p))
        )


class CopyTest(unittest.TestCase):
    def test_memo(self):
        """one object, reached in two ways, is one copy"""
        a = posh.share([1])
        d = posh.share({"a": a, "dog": Dog("Rex")})
        dog = d["dog"]
        dog.friend = a
        x = copy.deepcopy([a, d, (dog, a), {"d": d}])
        self.assertFalse(posh.is_shared(x[0]))
        self.assertIs(type(x[0]), list)
        self.assertIs(x[1]["a"], x[0])
        self.assertIs(x[2][1], x[0])
        self.assertIs(x[2][0], x[1]["dog"])
        self.assertIs(x[2][0].friend, x[0])
        self.assertIs(x[3]["d"], x[1])
        x[0].append(2)
        self.assertEqual(a, [1])

    def test_memo_of_others(self):
        """so it is with buffers, deques, sets, and cycles"""
        for make in (bytearray, set, collections.deque, Names,
                     lambda: array.array("i"), lambda: Account("Ann")):
            p = posh.share(make())
            x = copy.deepcopy([posh.share([p]), p])
            self.assertIs(x[0][0], x[1])
            self.assertIs(type(x[1]), type(posh.unshare(p)))
        a, b = posh.share([]), posh.share([])
        a.append(b)
        b.append(a)
        x, y = copy.deepcopy([a, b])
        self.assertIs(x[0], y)
        self.assertIs(y[0], x)

    @unittest.skipUnless(numpy, "needs numpy")
    def test_memo_of_arrays(self):
        p = posh.share([numpy.arange(3)])
        x = copy.deepcopy([p, p[0]])
        self.assertIs(x[0][0], x[1])
        self.assertIs(type(x[1]), numpy.ndarray)
        self.assertEqual(x[1].tolist(), [0, 1, 2])

    def test_memo_holds(self):
        """an object that dies meanwhile is not taken for the next one"""

        class Killer:
            def __deepcopy__(self, memo):
                outer.clear()
                self.made = [posh.share([i]) for i in range(100)]
                return copy.deepcopy(self.made, memo)

        outer = posh.share([[["first"]]])
        x = copy.deepcopy([outer, Killer()])
        self.assertEqual(x[0], [[["first"]]])
        self.assertEqual(x[1], [[i] for i in range(100)])

    def test_two_heaps(self):
        with posh.Heap() as heap:
            a, b = posh.share([1], heap=heap), posh.share([2])
            x = copy.deepcopy([a, b, [a, b]])
            self.assertEqual(x, [[1], [2], [[1], [2]]])
            self.assertIs(x[0], x[2][0])
            self.assertIs(x[1], x[2][1])

    def test_failure(self):
        """what could not be copied is not taken for a copy later"""
        p, memo = posh.share([[1], {Sour(): 1}]), {}
        self.addCleanup(setattr, Sour, "bad", False)
        Sour.bad = True
        with self.assertRaises(ZeroDivisionError):
            copy.deepcopy(p, memo)
        Sour.bad = False
        self.assertEqual(memo, {})
        self.assertEqual(len(copy.deepcopy(p, memo)[1]), 1)

    def test_memo(self):
        """what was copied with a memo is not copied again"""
        a = posh.share([1, [2]])
        d = {}
        self.assertEqual(a.__deepcopy__(d), [1, [2]])
        self.assertEqual(a.__deepcopy__(None), [1, [2]])
        self.assertIs(a.__deepcopy__(d), a.__deepcopy__(d))

    def test_dataclass(self):
        """asdict() of what was unshared has nothing that is shared"""
        p = posh.share([Account("Ann", 1, [{"x": 1}])])[0]
        self.assertEqual(dataclasses.asdict(p)["history"], [{"x": 1}])
        self.assertEqual(
            json.dumps(dataclasses.asdict(posh.unshare(p))),
            '{"owner": "Ann", "balance": 1, "history": [{"x": 1}]}',
        )


class PprintTest(unittest.TestCase):
    def test_recursion(self):
        a = posh.share({"k": [1] * 30})
        a["self"] = a
        text = pprint.pformat(a)
        self.assertIn("<Recursion on dict with id=", text)
        self.assertFalse(pprint.isreadable(a))
        self.assertTrue(pprint.isrecursive(a))
        self.assertFalse(pprint.isrecursive([posh.share([1]), [2]]))
        b = posh.share([1])
        self.assertEqual(pprint.pformat([b, b]), "[[1], [1]]")


class InPlaceTest(unittest.TestCase):
    def test_functions(self):
        """operator.iadd(plain, shared) can't be told from operator.add"""
        for plain, f in (([1], operator.iadd), ({1}, operator.ior)):
            p = posh.share(type(plain)([2]))
            result = f(plain, p)
            self.assertEqual(result, type(plain)([1, 2]))
            self.assertIsNot(result, plain)
            q = posh.share(plain)
            self.assertIs(f(q, p), q)
        d = {1: 1}
        self.assertIs(operator.ior(d, posh.share({2: 2})), d)
        self.assertEqual(
            functools.reduce(operator.iadd, posh.share([[1], [2]]), []), [1, 2]
        )


if __name__ == "__main__":
    import tap

    tap.main()

# SPDX-License-Identifier: MIT
"""Immutable values of the standard library, and of classes that derive from
immutable types, are read back as the exact same."""
import array
import collections
import datetime
import enum
import functools
import ipaddress
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap
import time
import typing
import unittest
import uuid
import zoneinfo
from decimal import Decimal
from fractions import Fraction

import posh
from members import (
    Bits, Color, Day, Level, Mixed, Numbers, Point, Row, Word,
)

class Here(enum.Enum):
    """What another program has the half of."""

    RED = 1
    BLUE = "blue"


class Name(str):
    """With attributes."""


class Slotted(float):
    __slots__ = ("unit", "unset")


class Loud(int):
    """Overrides all that might be called behind its back."""

    def __new__(cls, *args):
        if not args:
            raise ZeroDivisionError
        return super().__new__(cls, *args)

    def __init__(self, *args):
        calls.append(self)

    def _never(self, *args):
        raise ZeroDivisionError

    __int__ = __index__ = __str__ = __setattr__ = __reduce_ex__ = _never
    __getstate__ = _never


class LoudText(str):
    def __new__(cls, *args):
        if not args:
            raise ZeroDivisionError
        return super().__new__(cls, *args)

    def __str__(self):
        raise ZeroDivisionError

    __len__ = __getitem__ = __iter__ = __str__


class LoudPair(tuple):
    def __new__(cls, *args):
        if not args:
            raise ZeroDivisionError
        return super().__new__(cls, *args)

    def __len__(self):
        raise ZeroDivisionError

    __getitem__ = __iter__ = __len__


class Folded(str):
    def __eq__(self, other):
        return isinstance(other, str) and self.lower() == other.lower()

    def __hash__(self):
        return hash(self.lower())


class Derived(Decimal):
    """These derive from types of the standard library."""

    def _never(self, *args):
        raise ZeroDivisionError

    def __new__(cls, *args):
        if not args:
            raise ZeroDivisionError
        return super().__new__(cls, *args)

    __init__ = __str__ = __setattr__ = __reduce__ = as_tuple = _never


class Half(Fraction):
    __slots__ = ("unit", "unset")

    numerator = denominator = property(Derived._never)


class Identity(uuid.UUID):
    __str__ = __int__ = Derived._never


class Birthday(datetime.date):
    toordinal = __reduce_ex__ = Derived._never


class Instant(datetime.datetime):
    """With arguments of its own."""

    def __new__(cls):
        raise ZeroDivisionError

    replace = utcoffset = __reduce__ = __reduce_ex__ = Derived._never


class Clock(datetime.time):
    pass


class Duration(datetime.timedelta):
    total_seconds = __reduce__ = Derived._never


class File(type(pathlib.Path())):
    __fspath__ = __bytes__ = joinpath = Derived._never


class Drive(pathlib.PureWindowsPath):
    pass


class SameDay(datetime.date):
    """Compares in another way: opaque."""

    def __eq__(self, other):
        return isinstance(other, datetime.date) and self.day == other.day

    def __hash__(self):
        return hash(self.day)


class Letters(frozenset):
    pass


if sys.version_info >= (3, 12):

    class AnyPath(pathlib.Path):
        pass

    class AnyPurePath(pathlib.PurePath):
        pass


def base_of(x):
    """Return what of the standard library an object's class derives from."""
    return next(c for c in type(x).__mro__ if c.__module__ != __name__)


def derived():
    """Yield objects of these, with and without attributes."""
    for tp, args in (
        (Derived, ("1.50",)), (Derived, ("sNaN12",)), (Identity, (None,)),
        (Birthday, (2020, 2, 29)), (Clock, (1, 2, 3, 4)),
        (Instant, (2020, 10, 25, 2, 30, 1, 2, BERLIN)), (Duration, (1, 2, 3)),
        (Drive, ("C:/Dir",)), (SameDay, (2020, 2, 29)), (Letters, ("a",)),
        (File, ("/a/b c",)),
    ):  # fmt: skip
        base = tp.__mro__[1]
        for attributes in ({}, {"a": 1, "b": (Decimal(1), Color.RED)}):
            if base is uuid.UUID:
                x = object.__new__(tp)
                object.__setattr__(x, "int", 1 << 99)
                object.__setattr__(x, "is_safe", uuid.SafeUUID.safe)
            else:
                x = base.__new__(tp, *args)
                if base.__init__ is not object.__init__:
                    base.__init__(x, *args)
            x.__dict__.update(attributes)
            yield x
    yield Half(1, 2)
    x = Half(1, 3)
    x.unit = "m"
    yield x


def state_of(x):
    """Return all that there is of such an object."""
    base = base_of(x)
    attributes = dict(getattr(x, "__dict__", {}), unit=getattr(x, "unit", 0))
    if base is uuid.UUID:
        return base.int.__get__(x), base.is_safe.__get__(x), attributes
    if base is Fraction:
        return Fraction.__repr__(posh._known._COPY[base](base, x)), attributes
    if issubclass(base, pathlib.PurePath):
        return base.__str__(x), attributes
    if issubclass(base, (datetime.date, datetime.time, datetime.timedelta)):
        x = posh._known._COPY[base](base, x)
        return x.__reduce_ex__(4), attributes
    return base.__repr__(x), attributes


def function():
    pass


@posh.shareable
class Dog:
    def __init__(self, name):
        self.name = name


calls = []


def attributed(x, **attributes):
    for name, value in attributes.items():
        setattr(x, name, value)
    return x


BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
EAST = datetime.timezone(datetime.timedelta(hours=2), "East")

FUNCTIONS = tuple(map(type, (function, len, str.upper, int.__add__)))
VALUES = [
    NotImplemented, range(0), range(5, 3), range(0, 10, 3), range(1 << 70),
    slice(None), slice(1, "x", (2,)),
    frozenset(), frozenset([1, "two", 3.5, (4, frozenset([5]))]),
    *map(Decimal, ["1", "1.0", "1.00E+3", "-0", "0E-99", "Infinity",
                   "-Infinity", "NaN", "sNaN12", "1E+5000", "1E-5000", "0.1",
                   "3.14159265358979323846264338327950288"]),
    Fraction(1, 3), Fraction(-4, 2), Fraction(1, 2), Fraction(10**400, 3),
    uuid.UUID(int=0), uuid.uuid4(),
    uuid.UUID(int=5, is_safe=uuid.SafeUUID.safe),
    datetime.date.min, datetime.date.max, datetime.date(2020, 2, 29),
    datetime.time.min, datetime.time.max, datetime.time(1, 2, 3, 4, fold=1),
    datetime.time(1, 2, tzinfo=EAST), datetime.time(1, 2, tzinfo=BERLIN),
    datetime.datetime.min, datetime.datetime.max,
    datetime.datetime(2020, 2, 29, 1, 2, 3, 456789),
    datetime.datetime(2020, 10, 25, 2, 30, tzinfo=BERLIN),
    datetime.datetime(2020, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
    datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
    datetime.datetime.min.replace(tzinfo=EAST),
    datetime.timedelta.min, datetime.timedelta.max, datetime.timedelta(0),
    datetime.timedelta(days=-1, microseconds=3),
    datetime.timezone.utc, EAST,
    datetime.timezone(datetime.timedelta(microseconds=-1)),
    BERLIN,
    pathlib.Path("/a/b c"), pathlib.Path("."), pathlib.PurePosixPath("x/../y"),
    pathlib.PureWindowsPath("C:\\Dir\\x"), pathlib.PureWindowsPath("a"),
    *Color, Level.LOW, Word.YES, Mixed.LONG, Bits.A, Bits.A | Bits.B, Bits(0),
    Numbers.A, Numbers.A | Numbers.B, Numbers(1 << 40), Day.FIRST,
    Point(1), Point("x", Point(2, (3,))), Row(1, "text"), Row(Row(2)),
    Name(), Name("text"), Name("a text of some length"),
    attributed(Name("x"), a=1, b=(Decimal(1), Color.RED)),
    Slotted(1.5), attributed(Slotted(2.5), unit="C"),
    Loud(5), Loud(1 << 99), LoudText("a loud text"), LoudPair((1, (2, "x"))),
    Folded("Text"), attributed(Folded("Text"), a=1),
    function, len, os.getpid, str.upper, int.__add__, int, Color, Point, Name, type, type(None),
    type(function), collections.OrderedDict, typing.NamedTuple,
    time.gmtime(0), os.stat("/"),
    re.compile("a+", re.I), re.compile(b"x"), re.compile("(?x) b"),
    *map(ipaddress.ip_address, ["127.0.0.1", "::1", "fe80::1%2", 2**128 - 1]),
    *map(ipaddress.ip_network, ["10.0.0.0/8", "::/0"]),
    *map(ipaddress.ip_interface, ["10.1.2.3/8", "::1/64"]),
]  # fmt: skip


def parts(x):
    """Return the parts of what is made of any, and the attributes."""
    found = [getattr(x, n) for n in ("unit", "unset") if hasattr(x, n)]
    if isinstance(x, tuple):
        found += tuple.__iter__(x)
    elif isinstance(x, slice):
        found += x.start, x.stop, x.step
    for name, value in getattr(x, "__dict__", {}).items():
        found += name, value
    return found


def exact(a, b):
    """Are they of the same type, and the same in every respect?"""
    if type(a) is not type(b):
        return False
    if isinstance(a, (type, *FUNCTIONS, enum.Enum)):
        return a is b or isinstance(a, enum.Flag) and a == b
    if len(parts(a)) != len(parts(b)):
        return False
    if not all(map(exact, parts(a), parts(b))):
        return False
    if isinstance(a, (tuple, slice)):
        return True
    if isinstance(a, LoudText):
        return str.__eq__(a, b) is True
    if isinstance(a, frozenset):
        return a == b
    for name in ("fold", "tzinfo", "is_safe"):
        if getattr(a, name, None) != getattr(b, name, None):
            return False
    if isinstance(a, Loud):
        return a == b
    return repr(a) == repr(b) and ("NaN" in repr(a) or a == b)


class ExactTest(unittest.TestCase):
    def check(self, got, want):
        self.assertTrue(exact(got, want), (type(want), type(got)))

    def test_each(self):
        """every value, as an element, a value, an attribute, in a tuple"""
        p = posh.list([0])
        dog = posh.share(Dog("x"))
        for x in VALUES:
            self.assertIs(posh.share(x), x)
            p[0] = x
            self.check(p[0], x)
            p.append((x, [x]))
            self.check(p[1][0], x)
            self.check(p.pop()[1][0], x)
            dog.name = x
            self.check(dog.name, x)
            self.check(vars(dog)["name"], x)
            self.check(posh.unshare(dog).name, x)
            self.assertFalse(posh.is_shared(p[0]))
        self.assertEqual(posh.default_heap().check(), [])

    def test_all(self):
        """all at once, in every way to read many"""
        p = posh.share([VALUES])[0]
        d = posh.share(dict(enumerate(VALUES)))
        q = posh.share(collections.deque(VALUES))
        for got in (
            p[:], list(p), list(reversed(p))[::-1], p.copy(), posh.unshare(p),
            p + [], [*p], list(d.values()), list(d.copy().values()),
            list(posh.unshare(d).values()), list(q), list(q.copy()),
            [p[i] for i in range(len(p))], [d[i] for i in range(len(d))],
            [x for _, x in d.items()], list(posh.share(tuple(VALUES))),
        ):  # fmt: skip
            self.assertEqual(len(got), len(VALUES))
            for x, y in zip(got, VALUES):
                self.check(x, y)

    def test_nested(self):
        """in each other"""
        for x in VALUES:
            for y in (
                Point(x, (x, 1)), (1, (x,)), attributed(Name("n"), k=x),
                slice(x, None), Row(2, Point(x)),
            ):  # fmt: skip
                p = posh.share([y, {"k": [y]}])
                self.check(p[0], y)
                self.check(p[1]["k"][0], y)
            try:
                y = frozenset([x, 1])
            except TypeError:
                continue
            p = posh.share([y])
            self.assertIs(type(p[0]), frozenset)
            rest = [z for z in p[0] if type(z) is not int]
            if rest:
                self.check(rest[0], x)

    def test_nothing_runs(self):
        """no __new__, __init__ or other code of a class runs"""
        p = posh.share([VALUES])[0]
        before = len(calls)
        for got in (p[:], list(p), posh.unshare(p)):
            self.assertEqual(len(got), len(VALUES))
        self.assertEqual(len(calls), before)

    def test_elsewhere(self):
        """another process reads the same"""
        p = posh.share([VALUES])[0]

        def child():
            bad = [i for i, x in enumerate(VALUES) if not exact(p[i], x)]
            p.append(bad)

        pid = posh.forkcall(child)
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertEqual(p[-1], [])


class PartialTest(unittest.TestCase):
    def test_partial(self):
        """a partial has its function, arguments and attributes"""
        x = functools.partial(sorted, key=len, reverse=True)
        x.name = "by length"
        y = posh.share([x])[0]
        self.assertEqual(y(["a", "ccc", "bb"]), ["ccc", "bb", "a"])
        self.assertEqual(y.__reduce__(), x.__reduce__())
        y = posh.share([functools.partial(list.append, [1])])[0]
        y.args[0].append(2)
        self.assertEqual(y.args[0], [1, 2])
        with self.assertRaisesRegex(posh.NotShareableError, "lambda"):
            posh.share([functools.partial(lambda: 0)])


class MutableTest(unittest.TestCase):
    def test_parts(self):
        """what is mutable in a value is shared as an object"""
        values = [
            Point([1], {"k": [2]}),
            (Row([1]), 2),
            attributed(Name("x"), seen=[1]),
            attributed(Folded("x"), seen=[1]),
            slice([1], None),
            Point(Point([1], Color.RED), Dog("Rex")),
        ]
        p = posh.share(values)
        p[0].x.append(3)
        p[1][0].number.append(3)
        p[2].seen.append(3)
        p[3].seen.append(3)
        p[4].start.append(3)
        p[5].x.x.append(3)
        p[5].y.name = "Max"

        def mutable(v):
            return [
                v[0].x, v[1][0].number, v[2].seen, v[3].seen, v[4].start,
                v[5].x.x,
            ]  # fmt: skip

        self.assertEqual([type(x) for x in p], [type(x) for x in values])
        self.assertEqual(mutable(p), [[1, 3]] * 6)
        self.assertTrue(all(map(posh.is_shared, mutable(p))))
        plain = posh.unshare(p)
        self.assertEqual(mutable(plain), [[1, 3]] * 6)
        self.assertFalse(any(map(posh.is_shared, mutable(plain))))
        self.assertIs(type(plain[5].y), Dog)
        self.assertEqual(plain[5].y.name, "Max")
        self.assertFalse(posh.is_shared(posh.unshare(p[0]).x))
        self.assertFalse(posh.is_shared(posh.unshare(p[2]).seen))
        self.assertEqual(posh.share(Point([1])).x, [1])
        self.assertEqual(posh.default_heap().check(), [])

    def test_circle(self):
        """circles through values are kept"""
        x = []
        x.append(Point(x, (x,)))
        p = posh.share(x)
        self.assertIs(p[0].x, p)
        self.assertIs(p[0].y[0], p)
        plain = posh.unshare(p)
        self.assertIs(plain[0].x, plain)
        self.assertIs(plain[0].y[0], plain)
        value = posh.unshare(posh.share(x[0]))
        self.assertIs(type(value), Point)
        self.assertIs(type(value.x), list)
        self.assertIs(value.x[0].x, value.x)

    def test_sets(self):
        """objects in a frozenset"""
        a, b = Dog("a"), Dog("b")
        p = posh.share([frozenset([a, b, (a, 1)]), a])
        self.assertIs(type(p[0]), frozenset)
        self.assertIn(p[1], p[0])
        self.assertIn((p[1], 1), p[0])
        plain = posh.unshare(p)
        self.assertIn(plain[1], plain[0])
        self.assertEqual(
            sorted(x.name for x in plain[0] if type(x) is Dog), ["a", "b"]
        )
        self.assertEqual(len(posh.share(frozenset([Dog("c")]))), 1)


class DefaultDictTest(unittest.TestCase):
    def test_factories(self):
        """a factory is a class or a function"""
        d = posh.share(collections.defaultdict(list, a=[1]))
        d["b"].append(2)
        self.assertEqual(d, {"a": [1], "b": [2]})
        self.assertIs(d.default_factory, list)
        plain = posh.unshare(d)
        self.assertIs(type(plain), collections.defaultdict)
        self.assertIs(plain.default_factory, list)
        d = posh.share(collections.defaultdict(int))

        def child():
            for _ in range(100):
                with posh.synchronized(d):
                    d["n"] += 1

        pids = [posh.forkcall(child) for _ in range(2)]
        self.assertEqual(set(posh.waitall(pids).values()), {0})
        self.assertEqual(d, {"n": 200})
        d = posh.share(collections.defaultdict(function))
        self.assertIsNone(d["x"])
        with self.assertRaisesRegex(posh.NotShareableError, "default_factory"):
            posh.share(collections.defaultdict(lambda: 1))


class RefusedTest(unittest.TestCase):
    def test_derived(self):
        """what derives from them is of its class, and none of its code runs"""
        values = list(derived())
        p = posh.share(values)
        self.assertEqual(len(p), 24)
        for x, y in zip(values, p):
            self.assertIs(type(y), type(x))
            self.assertEqual(state_of(y), state_of(x))
        x = Letters("ab")
        x.a = [1]
        p = posh.share([x])
        p[0].a.append(2)
        self.assertEqual((p[0], p[0].a), (x, [1, 2]))
        u = posh.unshare(p)[0]
        self.assertEqual((type(u), u, u.a), (Letters, x, [1, 2]))

    def test_derived_keys(self):
        """they are found as what they derive from, and the other way round"""
        for x in derived():
            if isinstance(x, Derived) and x.is_nan() or isinstance(x, SameDay):
                continue
            base = base_of(x)
            plain = posh._known._COPY[base](base, x)
            self.assertIs(type(plain), base)
            for a, b in ((x, x), (x, plain), (plain, x)):
                self.assertEqual(posh.dict({a: 1})[b], 1, type(x))
        d = posh.dict({SameDay(2020, 2, 29): 1})
        self.assertEqual(d[SameDay(2000, 1, 29)], 1)
        self.assertNotIn(SameDay(2020, 2, 28), d)

    @unittest.skipIf(sys.version_info < (3, 12), "Path has no such classes")
    def test_paths(self):
        """from 3.12 on, classes may derive from Path itself"""
        for tp in (AnyPath, AnyPurePath):
            x = tp("/a/b")
            x.a = 1
            y = posh.share([x])[0]
            self.assertIs(type(y), tp)
            self.assertEqual((y, y.a, str(y / "c")), (x, 1, "/a/b/c"))
            self.assertEqual(posh.dict({y: 1})[x], 1)

    def test_refused(self):
        """what can't be found again says so"""

        class Local:
            pass

        for x, words in (
            (lambda: 1, ("'function'", "'RefusedTest", "top of a module")),
            ([].append, ("'builtin_function_or_method'",)),
            (Local, ("'type'", "top of a module")),
            (array, ("'module'",)),
        ):
            with self.assertRaises(posh.NotShareableError) as caught:
                posh.share([1, {"k": x}])
            for word in (*words, "x[1]['k']"):
                self.assertIn(word, str(caught.exception))
        with self.assertRaisesRegex(posh.NotShareableError, r"x\[0\]\[1\]"):
            posh.share([Point(1, object())])
        with self.assertRaisesRegex(posh.NotShareableError, r"x\[0\]\.k"):
            posh.share([attributed(Name(), k=object())])

    def test_local(self):
        """classes of a function's are known here and in forks"""

        class Local(enum.Enum):
            A = 1

        Pair = collections.namedtuple("Pair", "a b")
        p = posh.share([Local.A, Pair(1, 2)])
        self.assertEqual(p, [Local.A, Pair(1, 2)])

        def child():
            return not (p[0] is Local.A and type(p[1]) is Pair)

        pid = posh.forkcall(child)
        self.assertEqual(posh.waitall([pid]), {pid: 0})

    def test_elsewhere(self):
        """what another program does not have is an error on access only"""
        with tempfile.TemporaryDirectory() as directory:
            heap = posh.Heap(os.path.join(directory, "heap"))
            heap.root["p"] = [Here.RED, Here.BLUE, 7, function, Slotted(1), Name]
            heap.root["d"] = {1: Here.RED, 2: Name("x"), 3: 3}
            program = """
                import enum, posh, sys
                class Here(enum.Enum):
                    RED = 1
                heap = posh.attach(sys.argv[1])
                p = heap.root["p"]
                assert p[0] is Here.RED and p[2] == 7
                for i in (1, 3, 4, 5):
                    try:
                        p[i]
                    except posh.ClassNotFoundError as e:
                        print(e)
                d = heap.root["d"]
                seen = []
                values = iter(d.values())
                try:
                    for x in values:
                        seen.append(x)
                except posh.ClassNotFoundError:
                    print(seen)
                assert d[3] == 3
                """
            done = subprocess.run(
                [sys.executable, "-c", textwrap.dedent(program), heap.name],
                capture_output=True,
                text=True,
            )
            heap.close()
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 5, lines)
        self.assertIn("no member 'BLUE'", lines[0])
        for line, name in zip(lines[1:], ("function", "Slotted", "Name")):
            self.assertIn(name, line)
            self.assertIn("define it in a module", line)
        self.assertEqual(lines[4], "[<Here.RED: 1>]")


if __name__ == "__main__":
    import tap

    tap.main()

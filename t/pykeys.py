# SPDX-License-Identifier: MIT
"""Keys are found by whatever is equal to them, in every process: what str and
others hash to there, PYTHONHASHSEED, makes no difference."""
import datetime
import functools
import ipaddress
import multiprocessing
import os
import pathlib
import re
import unittest
import uuid
import zoneinfo
from decimal import Decimal
from fractions import Fraction

import posh
from members import Bits, Color, Day, Level, Mixed, Numbers, Point, Row


@posh.shareable
class Dog:
    pass


def number(x):
    return x.number


class City:
    """What it hashes by does not tell all cities apart."""

    def __init__(self, number, name):
        self.number = number
        self.name = name

    def __eq__(self, other):
        if not isinstance(other, City):
            return NotImplemented
        return (self.number, self.name) == (other.number, other.name)

    def __hash__(self):
        return hash((self.number, self.name))

    def __repr__(self):
        return f"City({self.number}, {self.name!r})"


posh.allow_sharing(City, hash=number)


class Town(City):
    """Without hash=."""


posh.allow_sharing(Town)


class Alias:
    """Claims to be equal to a plain value."""

    compared = 0

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        Alias.compared += 1
        return self.value == getattr(other, "value", other)

    def __hash__(self):
        return hash(self.value)

    def __repr__(self):
        return f"Alias({self.value!r})"


posh.allow_sharing(Alias)


class HashedAlias(Alias):
    """The same, with hash=."""


posh.allow_sharing(HashedAlias, hash=lambda x: x.value)


#: What an Alias is equal to.
VALUES = ["key", "a key of some length", 7, 1 << 80, 2.5, (1, "two"), b"x",
          datetime.date(2001, 1, 1), frozenset([1, "two"]), None]


def alias_operations(d, other):
    """Do to a dict with aliases of all VALUES, or with these, all that may find
    or miss a key, and say what came of it."""
    out = [len(d), [d.get(other(v)) for v in VALUES],
           [other(v) in d for v in VALUES], d.get(other("none")),
           other(8) in d, d.pop(other("none"), 5)]
    for i, v in enumerate(VALUES):
        if i % 5 == 0:
            d[other(v)] = -i
        elif i % 5 == 1:
            out.append(d.setdefault(other(v), "new"))
        elif i % 5 == 2:
            out.append(d.pop(other(v)))
        elif i % 5 == 3:
            del d[other(v)]
        else:
            d.update({other(v): "updated", other("an extra key"): v})
    d |= {other(VALUES[0]): "or", other("more"): 1}
    out.append(d.setdefault(other("new"), "new"))
    try:
        d.pop(other("none"))
    except KeyError as e:
        out.append(repr(e))
    # Whose object a key is: the one that came first.
    return out + [repr(d), list(map(repr, d.values()))]


def alias_lookups(d, other):
    """Return the values that are not found as they ought to be."""
    return [repr(v) for i, v in enumerate(VALUES) if d.get(other(v)) != i]


class Money:
    """Shared by register_value()."""

    def __init__(self, amount, currency):
        self.amount = amount
        self.currency = currency

    def __eq__(self, other):
        return type(other) is Money and self.pair() == other.pair()

    def __hash__(self):
        return hash(self.pair())

    def __repr__(self):
        return f"Money{self.pair()}"

    def pair(self):
        return self.amount, self.currency


posh.register_value(Money, Money.pair, lambda state: Money(*state))


class Name(str):
    pass


class Unstable(str):
    """Hashes by its address."""

    def __hash__(self):
        return id(self)


class Celsius(float):
    pass


class Count(int):
    pass


class Raw(bytes):
    pass


class Pair(tuple):
    pass


class Tags(frozenset):
    @classmethod
    def fromone(cls, tag):
        return cls([tag])


class Folded(str):
    """Compares as it likes."""

    def __eq__(self, other):
        return isinstance(other, Folded) and self.lower() == other.lower()

    def __hash__(self):
        return hash(self.lower())


def function():
    pass


def attributed(x, **attributes):
    vars(x).update(attributes)
    return x


UTC = datetime.timezone.utc
EAST = datetime.timezone(datetime.timedelta(hours=2))
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
SUMMER = datetime.datetime(2020, 7, 1, 14, 30, tzinfo=UTC)
LATE = datetime.datetime(2020, 10, 25, 2, 30)

#: Each line is a class of equal keys; those of two lines differ.
LINES = [
    [None],
    [...],
    [NotImplemented],
    [1, 1.0, True, 1 + 0j, Decimal(1), Decimal("1.00"), Fraction(1),
     Level.LOW, Celsius(1), Count(1)],
    [0, -0.0, False, Decimal("-0"), Decimal("0E+5000"), Fraction(0)],
    [1 << 70, float(1 << 70), Decimal(1 << 70), Fraction(1 << 70), Count(1 << 70)],
    [(1 << 70) + 1],
    [0.5, Decimal("0.5"), Decimal("0.500"), Fraction(1, 2), Celsius(0.5)],
    [Decimal("0.1"), Fraction(1, 10), Decimal("0.10")],
    [0.1, Decimal(0.1), Fraction(0.1)],
    [Fraction(1, 3)],
    [5e-324, Fraction(5e-324)],
    [Decimal("1E+400"), 10**400, Decimal("10E+399")],
    [Decimal("1E+5000"), Decimal("10E+4999")],
    [Decimal("-1E-5000")],
    [Decimal("Infinity"), float("inf")],
    [77, Level.HIGH],
    [24, Numbers.A | Numbers.B],
    [str.upper],
    [int.__add__],
    [re.compile("a+")],
    [re.compile("a+", re.I)],
    [re.compile(b"a+")],
    *([f(x)] for f, x in (
        (ipaddress.ip_address, "127.0.0.1"), (ipaddress.ip_address, "::1"),
        (ipaddress.ip_network, "127.0.0.0/8"), (ipaddress.ip_network, "::/8"),
        (ipaddress.ip_interface, "127.0.0.2/8"),
        (ipaddress.ip_interface, "::2/8"),
    )),
    [Bits.A],
    [Bits.A | Bits.B],
    [Bits(0)],
    [Color.RED, Color.CRIMSON],
    [Color.BLUE],
    [Color.MANY],
    [Day.FIRST],
    ["a word of some length", Mixed.LONG, Name("a word of some length"),
     attributed(Name("a word of some length"), more=[1])],
    [Folded("Straight"), Folded("STRAIGHT")],
    [(Folded("Straight"), 1), (Folded("STRAIGHT"), 1)],
    [b"raw", Raw(b"raw")],
    [(1, 2), Point(1, 2), Point(Decimal(1), 2.0), Pair((1, 2))],
    [Row(5), (5, "a name of some length")],
    [(Point(1, Color.RED), "x")],
    [uuid.UUID(int=1 << 100)],
    [datetime.date(2020, 2, 29)],
    [datetime.datetime(2020, 2, 29)],
    [SUMMER, SUMMER.astimezone(EAST), SUMMER.astimezone(BERLIN)],
    [SUMMER.replace(tzinfo=None), SUMMER.replace(tzinfo=None, fold=1)],
    [LATE.replace(tzinfo=BERLIN)],
    [datetime.time(12, 30)],
    [datetime.time(12, 30, tzinfo=UTC), datetime.time(14, 30, tzinfo=EAST)],
    [datetime.timedelta(days=1), datetime.timedelta(hours=24)],
    [UTC, datetime.timezone(datetime.timedelta(0), "other name")],
    [EAST],
    [BERLIN],
    [pathlib.PurePosixPath("a/b"), pathlib.Path("a/b"), pathlib.Path("a//b")],
    [pathlib.PureWindowsPath("C:/Dir/x"), pathlib.PureWindowsPath("c:\\dir\\X")],
    [function],
    [len],
    [Tags.fromone],
    [Name],
    [Color],
    [int],
    [type(None)],
    [(int, function)],
    [2.5j],
    ["a"],
    ["a text of some length", "".join(["a text of ", "some length"])],
    ["Grüße \u20ac \U0001f600"],
    [b"a"],
    [b"bytes of some length"],
    [()],
    [(1, "a"), (True, "a"), (1.0, "a")],
    [((1, ("deep", b"b")), 2)],
    [frozenset(), Tags()],
    [frozenset([1, "a", "longer than a word"]), frozenset(["longer than a word", 1.0, "a"])],
    [frozenset(f"item {i}" for i in range(100))],
    [frozenset([frozenset(["inner one", 2]), ("pair", 3)])],
    [(frozenset(["in a tuple", "x"]), 1)],
    [range(3), range(0, 3, 1)],
    [range(0), range(5, 2), range(1, 1, 7)],
    [range(0, 10, 3), range(0, 12, 3)],
    [range(5, 6), range(5, 9, 50)],
    [(range(2), "in a tuple")],
    [Tags([1, "tag"]), frozenset([Decimal(1), "tag"])],
    [frozenset([Color.RED, "x", Point(1, 2)]), frozenset([(1, 2), "x", Color.CRIMSON])],
    [Money(5, "EUR")],
    [Money(5, "a currency with a name")],
    [(Money(1, "x"), Money(2, "y"))],
    [frozenset([Money(1, "x"), Money(2, "y")])],
]


def store(d, choose):
    """Set the value of each key to the number of its line."""
    for i, line in enumerate(LINES):
        d[line[choose % len(line)]] = i
    return len(d)


def wrong(d):
    """Return the keys that are not found, or not as what they were."""
    out = []
    there = list(d)
    for i, line in enumerate(LINES):
        for key in line:
            if key not in d or d[key] != i or d.get(key) != i:
                out.append(f"{key!r} is not found")
        if there[i] not in line:
            out.append(f"{line[0]!r} is {there[i]!r}")
        if type(there[i]) not in map(type, line):
            out.append(f"{line[0]!r} is a {type(there[i])}")
    return out


def take(d, seed):
    """Remove all keys, and return those that can't be, and what is left."""
    if os.environ["PYTHONHASHSEED"] != str(seed):
        return ["the seed is another one"]
    out = [line[-1] for line in LINES if d.pop(line[-1], None) is None]
    return [repr(key) for key in out + list(d)]


def make(tp, n):
    """Return n objects, of which each four have the same number."""
    return [tp(i // 4, f"city {i}") for i in range(n)]


def store_objects(d, tp, n):
    for i, x in enumerate(make(tp, n)):
        d[x] = i
    return len(d)


def wrong_objects(d, tp, n):
    """Return what is not found as it ought to be."""
    out = []
    for i, x in enumerate(make(tp, n)):
        shared = posh.share(x)
        if d.get(x) != i or d[shared] != i or x not in d:
            out.append(f"{x} is not found")
        if d.setdefault(x, "new") != i:
            out.append(f"{x} was set")
        d[shared] = i
    for x in (tp(0, "another"), tp(n, "city 0"), tp(-1, "")):
        if x in d or d.get(x) is not None or posh.share(x) in d:
            out.append(f"{x} is found")
    if len(d) != n or d != {x: i for i, x in enumerate(make(tp, n))}:
        out.append("the dict is another one")
    return out


def take_objects(d, tp, n):
    out = [d.pop(x) for x in make(tp, n)[::2]]
    for x in make(tp, n)[1::2]:
        out.append(d[x])
        del d[x]
    return sorted(out)


def str_or_same(value):
    return value


def run(function, args, results):
    results.append(function(*args))


def spawn(seed, function, *args):
    """Call a function in a new process with another seed."""
    results = posh.list()
    old = os.environ.get("PYTHONHASHSEED")
    os.environ["PYTHONHASHSEED"] = str(seed)
    try:
        process = multiprocessing.get_context("spawn").Process(
            target=run, args=(function, args, results)
        )
        process.start()
    finally:
        os.environ.pop("PYTHONHASHSEED")
        if old is not None:
            os.environ["PYTHONHASHSEED"] = old
    process.join()
    assert process.exitcode == 0, process.exitcode
    return posh.unshare(results[0])


class KeysTest(unittest.TestCase):
    def test_here(self):
        """keys are found by what is equal to them"""
        for choose in range(10):
            d = posh.dict()
            self.assertEqual(store(d, choose), len(LINES))
            self.assertEqual(wrong(d), [])
            self.assertEqual(wrong(posh.share(posh.unshare(d))), [])

    def test_as_the_builtin(self):
        """as in a plain dict"""
        d = {}
        self.assertEqual(store(d, 1), len(LINES))
        self.assertEqual(wrong(d), [])

    def test_spawned(self):
        """what one process stored another one finds, with another seed"""
        d = posh.dict()
        self.assertEqual(spawn(1, store, d, 0), len(LINES))
        self.assertEqual(wrong(d), [])
        self.assertEqual(spawn(2, wrong, d), [])
        self.assertEqual(spawn(3, store, d, 1), len(LINES))
        self.assertEqual(spawn(4, take, d, 4), [])
        self.assertEqual(len(d), 0)
        self.assertEqual(posh.default_heap().check(), [])

    def test_every_type(self):
        """every type of the docs that may be a key is one here"""
        here = {type(key) for line in LINES for key in line}
        here |= {cls for tp in here for cls in tp.__mro__}
        for tp in (*posh._values.codecs, *posh._builtin.IMMUTABLE):
            ours = Name.__module__, Point.__module__
            if tp.__module__ in ours or not tp.__hash__:
                continue
            if tp in (slice, pathlib.WindowsPath, datetime.tzinfo, functools.partial):
                continue
            self.assertIn(tp, here)

    def test_hash(self):
        """hash= says what objects of a class are looked for by"""
        for tp in (City, Town):
            for start in ({}, {"a": 1}):
                d = posh.share(dict(start))
                self.assertEqual(store_objects(d, tp, 20), 20 + len(start))
                d.pop("a", None)
                self.assertEqual(wrong_objects(d, tp, 20), [])
                self.assertEqual(list(d), make(tp, 20))
                self.assertTrue(all(map(posh.is_shared, d)))
                plain = posh.unshare(d)
                self.assertEqual(plain, dict(d))
                self.assertFalse(any(map(posh.is_shared, plain)))
                again = posh.share([plain])[0]
                self.assertEqual(wrong_objects(again, tp, 20), [])
                self.assertEqual(take_objects(d, tp, 20), list(range(20)))
                self.assertEqual(d, {})
        self.assertEqual(posh.default_heap().check(), [])

    def test_hash_spawned(self):
        """so they are found by another process"""
        for tp in (City, Town):
            d = posh.dict()
            self.assertEqual(spawn(1, store_objects, d, tp, 20), 20)
            self.assertEqual(wrong_objects(d, tp, 20), [])
            self.assertEqual(spawn(2, wrong_objects, d, tp, 20), [])
            self.assertEqual(spawn(3, take_objects, d, tp, 20), [*range(20)])
            self.assertEqual(len(d), 0)

    def test_hash_in_parts(self):
        """in tuples and sets, too"""
        a, b = City(1, "a"), City(1, "b")
        d = posh.share({(a, 1): 1, frozenset([a, b]): 2, a: 3})
        d[b, (b, 2)] = 4
        for x, y in ((a, b), (posh.share(a), posh.share(b))):
            self.assertEqual(d[x, 1], 1)
            self.assertEqual(d[frozenset([y, x])], 2)
            self.assertEqual(d[x], 3)
            self.assertEqual(d[y, (y, 2)], 4)
            self.assertNotIn(y, d)
            self.assertNotIn((y, 1), d)

    def test_hash_of_many(self):
        """looking for one does not look at all"""
        d = posh.dict()
        eq, seen = City.__eq__, []
        store_objects(d, City, 400)
        try:
            City.__eq__ = lambda x, y: seen.append(1) or eq(x, y)
            self.assertEqual(d[City(50, "city 201")], 201)
        finally:
            City.__eq__ = eq
        self.assertLessEqual(len(seen), 4)

    def test_hash_arguments(self):
        """hash= is checked"""

        class Bad:
            def __eq__(self, other):
                return self is other

            def __hash__(self):
                return 1

        with self.assertRaisesRegex(TypeError, "callable"):
            posh.allow_sharing(Bad, hash=5)
        posh.allow_sharing(Bad, hash=lambda x: [1])
        d = posh.dict()
        for f in (
            lambda: d.__setitem__(Bad(), 1),
            lambda: d.get(Bad()),
            lambda: posh.share({Bad(): 1}),
        ):
            with self.assertRaisesRegex(TypeError, "immutable value, not 'list'"):
                f()
        self.assertEqual(d, {})

    def test_claims(self):
        """what claims to be equal to a value is found by it, and finds it"""
        for tp in (Alias, HashedAlias):
            for mine, other in ((tp, lambda v: v), (lambda v: v, tp),
                                (tp, tp)):
                def make(tp=mine):
                    return {tp(v): i for i, v in enumerate(VALUES)}

                twin = make()
                expected = alias_operations(twin, other)
                built = posh.dict()
                for key, i in make().items():
                    built[key] = i
                grown = posh.dict({i: i for i in range(1000, 1100)})
                for i, v in enumerate(VALUES):
                    self.assertIs(grown.setdefault(mine(v), i), i)
                for i in range(1000, 1100):
                    del grown[i]
                updated = posh.dict(x=1)
                updated.update(make())
                del updated["x"]
                again = posh.dict({Alias("old"): 1})
                again.clear()
                again.update(make())
                for d in (posh.share(make()), posh.share([make()])[0], built,
                          grown, updated, again):
                    with self.subTest(tp=tp, mine=mine):
                        self.assertEqual(
                            alias_operations(d, other), expected)
                        self.assertEqual(len(d), len(twin))
        self.assertEqual(posh.default_heap().check(), [])

    def test_claims_in_sets(self):
        """in sets, and in tuples, too"""
        for tp in (Alias, HashedAlias):
            x = posh.share({tp("a"), "b", (tp("c"), 1)})
            for y in ("a", tp("b"), ("c", 1), (tp("c"), 1)):
                self.assertIn(y, x)
            self.assertEqual(len(x), 3)
            x |= {"a", tp("b"), ("c", 1)}
            self.assertEqual(len(x), 3)
            self.assertNotIn("d", x)
            x.remove("a")
            x.discard(("c", 1))
            self.assertEqual(x, {"b"})

    def test_claims_spawned(self):
        """by another process as well"""
        for tp in (Alias, HashedAlias):
            d = posh.share({tp(v): i for i, v in enumerate(VALUES)})
            for other in (str_or_same, tp):
                self.assertEqual(spawn(1, alias_lookups, d, other), [])

    def test_claims_cost_nothing(self):
        """and nothing is compared that libposh can tell apart"""
        plain = posh.dict({i: i for i in range(50)})
        mixed = posh.dict({i: i for i in range(50)})
        mixed[Alias("x")] = 1
        hashed = posh.dict({HashedAlias(f"key {i}"): i for i in range(50)})
        before = Alias.compared
        for d in (plain, mixed):
            self.assertEqual([d[i] for i in range(50)], list(range(50)))
        self.assertNotIn("none", plain)
        self.assertNotIn("none", hashed)
        hashed["none"] = 1
        self.assertEqual(Alias.compared, before)
        self.assertEqual(hashed["key 7"], 7)
        self.assertLessEqual(Alias.compared, before + 2)

    def test_objects(self):
        """objects are keys by identity, in tuples and sets, too"""
        a, b = posh.share(Dog()), posh.share(Dog())
        d = posh.dict()
        keys = [a, b, (a, 1), (b, 1), frozenset([a, b]), frozenset([a]),
                frozenset([(a, i) for i in range(20)]), ((a, b), "x")]
        for i, key in enumerate(keys):
            d[key] = i
        self.assertEqual(len(d), len(keys))
        for i, key in enumerate(keys):
            self.assertEqual(d[key], i)
        self.assertEqual(d[frozenset([b, a])], 4)
        self.assertEqual(d[frozenset([(a, 19 - i) for i in range(20)])], 6)
        self.assertEqual(list(d), keys)

    def test_unstable(self):
        """nor is a value with a hash of its own"""
        bad = Unstable("x")
        d = posh.dict({1: 1})
        s = posh.set()
        for f in (
            lambda: d.__setitem__(bad, 1), lambda: d.update({bad: 1}),
            lambda: d.setdefault(bad, 1), lambda: s.add(bad),
            lambda: s.update([(bad, 1)]), lambda: posh.share({bad: 1}),
            lambda: posh.share([{(1, bad)}]),
            lambda: s.add(frozenset([bad])),
        ):
            with self.assertRaisesRegex(
                posh.NotShareableError, "key.* it has another hash each time"
            ):
                f()
        self.assertEqual(d, {1: 1})
        self.assertNotIn(bad, d)
        self.assertEqual(posh.share([bad])[0].lower(), "x")

    def test_unhashable(self):
        """what has no hash is no key"""
        d = posh.dict({1: 1})
        for key in ([], {}, ([],), (1, {}), posh.list(), (posh.list(),)):
            with self.assertRaises(TypeError):
                d[key]
            with self.assertRaises(TypeError):
                d[key] = 1
            with self.assertRaises(TypeError):
                key in d
        self.assertEqual(d, {1: 1})


if __name__ == "__main__":
    import tap

    tap.main()

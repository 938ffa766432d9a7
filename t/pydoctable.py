# SPDX-License-Identifier: MIT
"""Each row of the tables in doc/python.md is true, and none is missing."""
import array
import collections
import copy
import datetime
import decimal
import enum
import fractions
import functools
import ipaddress
import math
import os
import pathlib
import re
import time
import types
import unittest
import uuid
import zoneinfo

import posh
from posh import _builtin, _values

try:
    import numpy
except ImportError:
    numpy = None

DOC = os.path.join(
    os.environ.get("srcdir", os.path.join(os.path.dirname(__file__), "..")),
    "doc",
    "python.md",
)


@posh.shareable
class Dog:
    def __init__(self, name):
        self.name = name
        self.pair = (0, 0)
        self.first = self.second = 0

    def __eq__(self, other):
        return isinstance(other, Dog) and self.name == other.name

    def change(self, k):
        self.first = k
        self.second = k

    def both(self):
        return self.first, self.second


class Names(list):
    pass


class Config(dict):
    pass


class Tags(set):
    pass


class Recent(collections.deque):
    pass


class Frame(bytearray):
    pass


for derived in (Names, Config, Tags, Recent, Frame):
    posh.allow_sharing(derived)


class Color(enum.Enum):
    RED = 1

    @classmethod
    def first(cls):
        return cls.RED


class Name(str):
    pass


Point = collections.namedtuple("Point", "x y")


def function():
    pass


class Money:
    def __init__(self, amount, currency):
        self.pair = amount, currency

    def __eq__(self, other):
        return isinstance(other, Money) and self.pair == other.pair


posh.register_value(Money, lambda m: m.pair, lambda state: Money(*state))


with open(DOC, encoding="utf-8") as f:
    TEXT = f.read()


def table(heading):
    """Return the rows of the table with that first heading, as cells."""
    lines = TEXT.splitlines()
    at = next(i for i, s in enumerate(lines) if s.startswith(f"| {heading} |"))
    rows = []
    for line in lines[at + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([c.strip() for c in line.strip("|").split("|")])
    return rows


def example(row):
    """Evaluate the example of a row."""
    return eval(row[1].strip("`"), globals())


def same(a, b):
    if isinstance(a, (BaseException, functools.partial)):
        a, b = a.__reduce__(), b.__reduce__()
    return type(a) is type(b) and (a == b or math.isnan(a) and math.isnan(b))


class TypesTest(unittest.TestCase):
    def rows(self, shared):
        rows = [r for r in table("type") if r[2] == shared]
        self.assertGreater(len(rows), 0)
        for row in rows:
            if row[0].startswith("numpy.") and numpy is None:
                continue
            with self.subTest(row[0]):
                yield row, example(row)

    def test_values(self):
        """by value: read back as itself, here and elsewhere"""
        self.values("by value")

    def test_names(self):
        """by name: found again"""
        self.values("by name")

    def values(self, shared):
        for row, x in self.rows(shared):
            self.assertEqual(row[3:], ["itself", "yes"])
            if shared == "by name":
                self.assertIs(posh.share([x])[0], x)
            if not row[0].startswith("a "):
                self.assertIn(
                    type(x).__name__, re.findall(r"\w+", row[0]), row[0]
                )
            self.assertIs(posh.share(x), x)
            box = posh.share([x, {"k": x}])
            self.assertTrue(same(box[0], x) and same(box[1]["k"], x))
            self.assertFalse(posh.is_shared(box[0]))

            def child():
                if not same(box[0], x):
                    return 1
                box.append(box[0])

            pid = posh.forkcall(child)
            self.assertEqual(posh.waitall([pid]), {pid: 0})
            self.assertTrue(same(box[2], x))

    def test_tuples(self):
        """the elements of a tuple are shared"""
        for row, x in self.rows("its elements"):
            self.assertEqual(row[3], "a tuple of proxies")
            box = posh.share([x])
            back = box[0]
            self.assertIs(type(back), tuple)
            self.assertEqual(back, x)
            inner = [y for y in back if posh.is_shared(y)]
            self.assertTrue(inner)
            pid = posh.forkcall(lambda: box[0][-1].append("seen"))
            self.assertEqual(posh.waitall([pid]), {pid: 0})
            self.assertEqual(inner[-1][-1], "seen")

    def test_objects(self):
        """as an object: one, reached through one proxy a process"""
        for row, x in self.rows("as an object"):
            self.assertEqual(row[3], "a proxy")
            p = posh.share(x)
            self.assertEqual(p, x)
            box = posh.share([p, {"k": p}])
            self.assertIs(box[0], p)
            self.assertIs(box[1]["k"], p)
            self.assertTrue(posh.is_shared(p))
            plain = posh.unshare(p)
            self.assertIs(p.__class__, type(plain))
            self.assertIsInstance(p, type(plain))
            self.assertIsNot(type(p), type(plain))
            self.assertEqual(plain, x)
            self.assertFalse(posh.is_shared(copy.deepcopy(p)))

            def child():
                return not (box[0] is p and box[1]["k"] is p)

            pid = posh.forkcall(child)
            self.assertEqual(posh.waitall([pid]), {pid: 0})

    def test_memory(self):
        """as memory: C code gets at the bytes, which all processes have"""
        for row, x in self.rows("as memory"):
            p = posh.share(x)
            box = posh.share([p])
            self.assertIsInstance(p, type(x))
            self.assertEqual(memoryview(p).tobytes(), memoryview(x).tobytes())
            pid = posh.forkcall(lambda: box[0].__setitem__(1, 7))
            self.assertEqual(posh.waitall([pid]), {pid: 0})
            self.assertEqual(p[1], 7)
            self.assertEqual(box[0][1], 7)
            self.assertIs(type(posh.unshare(p)), type(x))
            self.assertNotEqual(x[1], 7)

    def changes(self, p):
        """Return how to change all of p at once, and how to look at it."""
        if isinstance(p, list):
            p[:] = [0] * 50
            return (
                lambda k: p.__setitem__(slice(None), [k] * 50),
                lambda: p.copy(),
            )
        if isinstance(p, dict):
            keys = [str(i) for i in range(50)]
            p.clear()
            p.update(dict.fromkeys(keys, 0))
            return (
                lambda k: p.update(dict.fromkeys(keys, k)),
                lambda: list(p.copy().values()),
            )
        if isinstance(p, set):
            p.clear()
            p.update(range(50))
            return (
                lambda k: p.symmetric_difference_update(range(100)),
                lambda: [i // 50 for i in p.copy()],
            )
        if isinstance(p, collections.deque):
            p.extend([0] * p.maxlen)
            return lambda k: p.extend([k] * p.maxlen), lambda: list(p.copy())
        if isinstance(p, types.SimpleNamespace):
            return lambda k: setattr(p, "first", k), lambda: [p.first]
        return p.change, p.both

    def test_atomic(self):
        """each call: others see all of it, or nothing"""
        for row, x in self.rows("as an object"):
            self.assertTrue(row[4].startswith("each "), row)
            p = posh.share(x)
            change, look = self.changes(p)
            stop = posh.share([])

            def child():
                k = 0
                while not stop:
                    k += 1
                    change(k)

            pid = posh.forkcall(child)
            try:
                end = time.monotonic() + 0.3
                states = set()
                while time.monotonic() < end or len(states) < 2:
                    seen = set(look())
                    self.assertEqual(len(seen), 1, row[0])
                    states |= seen
                    self.assertLess(time.monotonic(), end + 60)
            finally:
                stop.append(1)
                status = posh.waitall([pid])
            self.assertEqual(status, {pid: 0})

    def test_complete(self):
        """no type is missing"""
        words = [re.findall(r"\w+", row[0]) for row in table("type")]
        named = {word for row in words for word in row}
        for row in table("type"):
            if numpy is not None or not row[0].startswith("numpy."):
                posh.share([example(row)])  # its module is known now
        for tp in (*_builtin.SHAREABLE, *_values.codecs):
            own = tp.__module__ in (Dog.__module__, "block")
            own |= tp.__module__ == "numpy" and tp.__name__ != "float64"
            if not own and not issubclass(tp, tuple):
                self.assertIn(tp.__name__, named | {"tuple", "EnumType"})
        shared = [n for n in posh.__all__ if n.startswith("Shared")]
        for name in shared:
            self.assertIn(name[6:].lower(), {n.lower() for n in named})


class ErrorsTest(unittest.TestCase):
    def test_table(self):
        """the errors derive from what the table says, and all are in it"""
        rows = {row[0]: row[1] for row in table("error")}
        there = {
            n
            for n in posh.__all__
            if n.endswith("Error") and n != "Error"
        }
        self.assertEqual(set(rows), there)
        for name, base in rows.items():
            error = getattr(posh, name)
            self.assertEqual(
                [b.__name__ for b in error.__bases__], ["Error", base]
            )


class TestingTest(unittest.TestCase):
    def test_names(self):
        """each test that doc/testing.md names in its table is there"""
        with open(os.path.join(os.path.dirname(DOC), "testing.md")) as f:
            text = f.read()
        rows = re.findall(r"(?m)^\| [^|]* \| (`t/py[^|]*) \|$", text)
        self.assertGreater(len(rows), 15)
        for file, names in re.findall(r"`t/(\w+\.py)`([\w ,]*)", ",".join(rows)):
            with open(os.path.join(os.path.dirname(__file__), file)) as f:
                source = f.read()
            for name in re.findall(r"\w+", names):
                self.assertIn(f"\nclass {name}(", source, file)


class TextTest(unittest.TestCase):
    def test_code(self):
        """every code block runs"""
        blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
        self.assertTrue(blocks)
        for block in blocks:
            exec(compile(block, DOC, "exec"), {"__name__": "block"})

    def test_names(self):
        """every name of posh that the text mentions is there"""
        for name in re.findall(r"posh\.([a-zA-Z_]+)", TEXT):
            self.assertTrue(hasattr(posh, name), name)

    def test_limits(self):
        """what the limits say is so"""
        import json

        p = posh.share({"a": [1]})
        with self.assertRaises(TypeError):
            json.dumps(p)
        self.assertEqual(json.dumps(p, default=posh.unshare), '{"a": [1]}')
        self.assertEqual("".join(posh.share(["a", "b"])), "ab")


if __name__ == "__main__":
    import tap

    tap.main()

# SPDX-License-Identifier: MIT
"""What is stored by value is read back as the exact same value."""
import enum
import gc
import math
import random
import struct
import unittest

import posh
from tap import SOAK



class Level(enum.IntEnum):
    LOW = 1


class Name(str):
    pass


def kinds_of_values():
    ints = [0, 1, -1, 255, 256, -5, -6]
    for bits in (15, 30, 31, 32, 47, 48, 62, 63, 64, 65, 127, 128, 1000):
        for near in (-1, 0, 1):
            ints += [(1 << bits) + near, -(1 << bits) + near]
    floats = [0.0, -0.0, 1.5, -1e308, 5e-324, math.inf, -math.inf, math.pi,
              struct.unpack("<d", struct.pack("<Q", 0x7fefffffffffffff))[0]]
    texts = ["", "a", "abcdef", "abcdefg", "\0", "a\0b", "\x7f", "\x80",
             "\xff", "\u0100", "\ud800", "\udfff", "\uffff", "\U0010ffff",
             "x" * 70000, "\xe9" * 999, "\u20ac" * 999, "\U0001f600" * 999,
             "ascii and \udc80"]
    rest = [None, True, False, ..., b"", b"\0", b"abc", bytes(range(256)),
            b"x" * 70000, 0j, 1 + 2j, complex(-0.0, math.inf)]
    tuples = [(), (1,), ((),), (1, ("a", (2.5, None, b"x"), ())),
              tuple(range(1000)), ("\u20ac" * 50, 1 << 99)]
    return ints + floats + texts + rest + tuples


def exact(a, b):
    if type(a) is not type(b):
        return False
    if type(a) is tuple:
        return len(a) == len(b) and all(map(exact, a, b))
    if type(a) in (float, complex):
        return repr(a) == repr(b)
    return a == b


class ValueTest(unittest.TestCase):
    def test_each_by_itself(self):
        p = posh.list([0])
        d = posh.dict()
        for x in kinds_of_values():
            p[0] = x
            self.assertTrue(exact(p[0], x), repr(x)[:80])
            d["k"] = x
            self.assertTrue(exact(d["k"], x), repr(x)[:80])
            p.append(x)
            self.assertTrue(exact(p.pop(), x), repr(x)[:80])

    def test_all_at_once(self):
        values = kinds_of_values()
        p = posh.list(values)
        for got in (list(p), p[:], p.copy(), [v for v in p],
                    p[1:] and [p[0]] + p[1:], list(reversed(p))[::-1],
                    [p[i] for i in range(len(p))]):
            self.assertEqual(len(got), len(values))
            for a, b in zip(got, values):
                self.assertTrue(exact(a, b), repr(b)[:80])

    def test_as_keys(self):
        values = kinds_of_values()
        twin = {v: i for i, v in enumerate(values)}
        d = posh.dict()
        for i, v in enumerate(values):
            d[v] = i
        self.assertEqual(list(d.values()), list(twin.values()))
        for a, b in zip(d, twin):
            self.assertTrue(exact(a, b), repr(b)[:80])
        for v in values:
            self.assertEqual(d[v], twin[v], repr(v)[:80])
            self.assertIn(v, d)
        self.assertEqual(d, twin)

    def test_nan(self):
        nan = float("nan")
        p = posh.list([nan])
        self.assertTrue(math.isnan(p[0]))
        self.assertIs(type(p[0]), float)
        self.assertIs(type(posh.share(nan)), float)
        p = posh.list([math.nan, (1, nan)])
        self.assertEqual(p, [math.nan, (1, math.nan)])
        self.assertEqual(p, p[:])
        self.assertIn(math.nan, p)
        self.assertEqual(p.index(p[0]), 0)
        d = posh.dict({nan: nan})
        self.assertEqual(d, d.copy())
        self.assertIs(d[math.nan], d.copy()[math.nan])

    def test_random_values(self):
        def make(r, depth):
            pick = r.randrange(9 if depth else 7)
            if pick == 0:
                return r.getrandbits(r.randrange(1, 200)) - (1 << 60)
            if pick == 1:
                return struct.unpack("<d", r.randbytes(8))[0]
            if pick == 2:
                top = r.choice([127, 255, 65535, 0x10ffff])
                return "".join(chr(r.randrange(top + 1))
                               for _ in range(r.randrange(30)))
            if pick == 3:
                return r.randbytes(r.randrange(50))
            if pick == 4:
                return r.choice([None, True, False, ...])
            if pick == 5:
                return complex(r.random(), -r.random())
            if pick == 6:
                return r.randrange(-300, 300)
            return tuple(make(r, depth - 1) for _ in range(r.randrange(5)))

        r = random.Random(9)
        for _ in range(50000 if SOAK else 1500):
            x = make(r, 3)
            p = posh.list([x])
            self.assertTrue(exact(p[0], x) or "nan" in repr(x), repr(x))

    def test_immutable_values_come_back_as_themselves(self):
        for x in (7, "text", None, 1.5, (1, 2), b"x", 1 << 99):
            self.assertTrue(exact(posh.share(x), x))

    def test_subclasses(self):
        p = posh.list()
        for x in (Level.LOW, Name("a")):
            p.append(x)
            self.assertIs(type(p[-1]), type(x))
            self.assertEqual(p.pop(), x)

    def test_tuples_with_objects(self):
        p = posh.list([(1, [2], (3, {"a": [4]}))])
        t = p[0]
        self.assertIs(type(t), tuple)
        self.assertEqual(t, (1, [2], (3, {"a": [4]})))
        self.assertIsInstance(t[1], posh.SharedList)
        t[1].append(5)
        t[2][1]["a"].append(6)
        self.assertEqual(p[0], (1, [2, 5], (3, {"a": [4, 6]})))
        p.append((t[1], 7))
        self.assertIs(p[1][0], t[1])
        values = [v for i in range(40) for v in (
            (i, [i], "in a tuple %d " % i * 9), "behind it %d " % i * 9)]
        p = posh.list(values)
        d = posh.dict(enumerate(values))
        for got in (p[:], list(p), list(d.values()),
                    list(d.copy().values()), p + []):
            self.assertEqual(got, values)
        x = []
        x.append((1, x))
        q = posh.share(x)
        self.assertIs(q[0][1], q)

    def test_deep_tuples(self):
        for leaf in ((), [1]):
            x = leaf
            p = posh.list()
            d = posh.dict()
            for depth in range(400):
                x = (x, depth)
                p.append(x)
                if leaf == () and depth < 190:
                    d[x] = depth
            self.assertEqual(p[-1], x)
            self.assertEqual(p[150], p[151][0])
            self.assertEqual(list(d), p[:190] if leaf == () else [])
            for t in d:
                self.assertEqual(d[t], t[1])
            self.assertRaises(TypeError, d.__setitem__, x, 1)
        for _ in range(100000):
            x = (x,)
        self.assertRaises((RecursionError, posh.NotShareableError),
                          p.append, x)
        while x[0] is not leaf:
            x = x[0]

    def test_finalizers_do_not_come_between(self):
        other = posh.list(["clobbered " * 9, (b"clobbered",) * 9] * 30)
        values = [("tuple %d" % i, "text " * 20, (b"bytes" * 9, 1 << 90))
                  for i in range(50)]
        p = posh.list(values)
        d = posh.dict(enumerate(values))
        freed = []

        class Node:
            def __init__(self):
                self.me = self

            def __del__(self):
                freed.append(len(other[:]))

        old = gc.get_threshold()
        for read in (lambda: p[:], lambda: list(p), lambda: p[3:20],
                     lambda: [p[7]], lambda: list(d.values()),
                     lambda: d.copy(), lambda: p.index(values[40])):
            right = read()
            gc.disable()
            for _ in range(20):
                Node()
            gc.set_threshold(1, 1, 1)
            gc.enable()
            got = read()
            gc.set_threshold(*old)
            gc.collect()
            self.assertEqual(got, right)
        self.assertEqual(freed, [60] * 140)

    def test_another_heap(self):
        h = posh.Heap(max_size=16 << 20)
        p = posh.list([1], heap=h)
        q = posh.list()
        for op in (lambda: q.append(p), lambda: q.extend([p]),
                   lambda: posh.dict().update(a=p), lambda: q.append((1, p))):
            with self.assertRaisesRegex(posh.WrongHeapError, "unshare"):
                op()
        self.assertEqual(q, [])
        a = posh.list(heap=posh.Heap(max_size=4 << 20))
        b = posh.list(heap=posh.Heap(max_size=4 << 20))
        self.assertRaises(posh.WrongHeapError, a.append, b)
        q.append(posh.unshare(p))
        self.assertEqual(q, [[1]])
        q.extend(p)
        self.assertEqual(q, [[1], 1])
        del p

    def test_heap_full(self):
        h = posh.Heap(max_size=4 << 20)
        p = posh.list([1, 2], heap=h)
        with self.assertRaises(MemoryError) as e:
            for i in range(100):
                p.append("x" * 100000 + str(i))
        self.assertIsInstance(e.exception, posh.HeapFullError)
        n = len(p)
        self.assertGreater(n, 10)
        self.assertEqual(p[:2], [1, 2])
        with self.assertRaises(posh.HeapFullError):
            p.extend(["y" * 100000] * 100)
        self.assertEqual(len(p), n)
        del p[2:]
        self.assertEqual(p, [1, 2])
        p.append("x" * 100000)
        self.assertEqual(h.check(), [])

    def test_closed_heap(self):
        h = posh.Heap(max_size=4 << 20)
        p = posh.list([1, [2]], heap=h)
        d = posh.dict(a=1, heap=h)
        row = p[1]
        i = iter(p)
        next(i)
        h.close()
        for op in (lambda: p[0], lambda: p.append(1), lambda: len(p),
                   lambda: d["a"], lambda: list(d), lambda: row[0],
                   lambda: p == [1], lambda: repr(p), lambda: list(i),
                   lambda: posh.list(heap=h)):
            self.assertRaises(posh.ClosedError, op)
            self.assertRaises(ValueError, op)
        del p, row, d, i
        h.close()


if __name__ == "__main__":
    import tap
    tap.main()

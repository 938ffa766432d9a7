# SPDX-License-Identifier: MIT
"""Shared array.arrays: the builtin's behaviour, and its memory."""
import array
import collections.abc
import io
import random
import unittest
import warnings

import posh
import tap

warnings.simplefilter("ignore", DeprecationWarning)  # of 'u'

CODES = array.typecodes


def values(code, n=6):
    """Return some values of a type code."""
    if code in "uw":
        return [chr(0x41 + i * 300) for i in range(n)]
    if code in "fd":
        return [i / 2 for i in range(n)]
    return list(range(n))


def outcome(f, *args):
    try:
        r = f(*args)
    except Exception as e:
        return type(e), str(e)
    return type(r).__name__, repr(r)


class TwinTest(unittest.TestCase):
    """The same done to an array and to a shared one."""

    def same(self, f, code):
        plain = array.array(code, values(code))
        shared = posh.share(array.array(code, values(code)))
        self.assertEqual(outcome(f, plain), outcome(f, shared))
        self.assertEqual(plain.tobytes(), shared.tobytes())

    def test_operations(self):
        """operations give the same results and errors, for all type codes"""
        for code in CODES:
            v = values(code)[3]
            more = array.array(code, values(code, 3))
            other = array.array("B" if code != "B" else "d", [1])
            for f in (
                len,
                list,
                bytes,
                repr,
                lambda p: p[2],
                lambda p: p[-7],
                lambda p: p[9],
                lambda p: p["x"],
                lambda p: p[1:4],
                lambda p: p[::-2],
                lambda p: p.typecode + str(p.itemsize),
                lambda p: p.__setitem__(1, v),
                lambda p: p.__setitem__(9, v),
                lambda p: p.__setitem__(1, -1),
                lambda p: p.__setitem__(1, 1 << 70),
                lambda p: p.__setitem__(1, 255),
                lambda p: p.__setitem__(1, "xy"),
                lambda p: p.__setitem__(1, 1.5),
                lambda p: p.__setitem__(slice(1, 3), more),
                lambda p: p.__setitem__(slice(1, 2), p),
                lambda p: p.__setitem__(slice(1, 3), other),
                lambda p: p.__setitem__(slice(1, 3), [v]),
                lambda p: p.__setitem__(slice(None, None, 2), more),
                lambda p: p.__delitem__(1),
                lambda p: p.__delitem__(slice(1, 3)),
                lambda p: p.__delitem__(slice(None, None, 2)),
                lambda p: p.append(v),
                lambda p: p.append("xyz"),
                lambda p: p.extend(more),
                lambda p: p.extend(p),
                lambda p: p.extend(other),
                lambda p: p.extend([v, v]),
                lambda p: p.extend(7),
                lambda p: p.insert(1, v),
                lambda p: p.pop(),
                lambda p: p.pop(9),
                lambda p: p.remove(v),
                lambda p: p.remove("no"),
                lambda p: p.reverse(),
                lambda p: p.byteswap(),
                lambda p: p.count(v),
                lambda p: p.index(v),
                lambda p: p.index("no"),
                lambda p: p.tolist(),
                lambda p: p.tobytes(),
                lambda p: p.tounicode(),
                lambda p: p.fromlist([v]),
                lambda p: p.fromlist([v, "xyz"]),
                lambda p: p.frombytes(more.tobytes()),
                lambda p: p.frombytes(b"xyz"),
                lambda p: p.fromunicode("ab"),
                lambda p: p.fromfile(io.BytesIO(more.tobytes()), 2),
                lambda p: p.fromfile(io.BytesIO(more.tobytes()), 9),
                lambda p: p.tofile(io.BytesIO()),
                lambda p: p.__iadd__(more) is p,
                lambda p: p.__iadd__(other),
                lambda p: p.__iadd__([v]),
                lambda p: p.__imul__(2) is p,
                lambda p: p + more,
                lambda p: more + p,
                lambda p: p + other,
                lambda p: p + [v],
                lambda p: p * 2,
                lambda p: 2 * p,
                lambda p: v in p,
                lambda p: p == array.array(code, values(code)),
                lambda p: array.array(code, values(code)) == p,
                lambda p: p == [v],
                lambda p: p < more,
                lambda p: more < p,
                lambda p: [x for x in reversed(p)],
                lambda p: isinstance(p, collections.abc.MutableSequence),
                lambda p: array.array(code, p),
                lambda p: memoryview(p).format,
                lambda p: memoryview(p).tolist() if code not in "uw" else 0,
                lambda p: p.buffer_info()[1],
            ):
                with self.subTest(code=code, line=getattr(f, "__code__", f)):
                    self.same(f, code)

    def test_plain_in_place(self):
        """plain += proxy changes the plain array"""
        plain = x = array.array("i", [1])
        x += posh.share(array.array("i", [2]))
        self.assertIs(x, plain)
        self.assertEqual(plain, array.array("i", [1, 2]))

    def test_match(self):
        """it is a sequence to match"""
        space = {}
        exec("def f(p):\n match p:\n  case [*x]:\n   return x", space)
        self.same(space["f"], "i")

    def test_random(self):
        """random operations"""
        seed = random.randrange(1 << 30)
        r = random.Random(seed)
        for code in "bhiqdf":
            plain = array.array(code)
            shared = posh.share(plain)
            for _ in range(700):
                i, j = r.randrange(-3, 20), r.randrange(-3, 20)
                more = array.array(code, values(code, r.randrange(9)))
                f = r.choice((
                    lambda p: p.__setitem__(slice(i, j), more),
                    lambda p: p.__delitem__(slice(i, j)),
                    lambda p: p.__delitem__(slice(15, None)),
                    lambda p: p.extend(more),
                    lambda p: p.append(j),
                    lambda p: p.insert(i, j),
                    lambda p: p.pop(i),
                    lambda p: p.__setitem__(i, j),
                    lambda p: p.reverse(),
                    lambda p: p[i:j:2],
                    lambda p: p[i],
                ))
                a, b = outcome(f, plain), outcome(f, shared)
                self.assertEqual(a, b, f"seed {seed}")
                self.assertEqual(plain, shared, f"seed {seed}")


class MemoryTest(unittest.TestCase):
    def test_in_place(self):
        """a view is of the shared items, and keeps the length"""
        p = posh.share(array.array("d", [1, 2, 3]))
        with memoryview(p) as m:
            m[1] = 9.5
            self.assertEqual(p[1], 9.5)
            p[2] = 4
            self.assertEqual(m[2], 4.0)
            self.assertRaises(BufferError, p.append, 1)
            self.assertRaises(BufferError, p.pop)
            p.reverse()
            self.assertEqual(m.tolist(), [4, 9.5, 1])
        p.append(1)
        self.assertEqual(len(p), 4)

    def test_processes(self):
        """others see writes, and lose none"""
        p = posh.share({"a": array.array("q", bytes(80))})["a"]

        def work(n):
            for k in range(200):
                p[n] = k
                p.append(n)

        pids = [posh.forkcall(work, n) for n in range(4)]
        self.assertEqual(posh.waitall(pids), dict.fromkeys(pids, 0))
        self.assertEqual(list(p[:4]), [199] * 4)
        self.assertEqual(len(p), 810)

    def test_copies(self):
        """unshare and posh.array"""
        p = posh.array("i", [1, 2])
        self.assertTrue(posh.is_shared(p))
        self.assertEqual(posh.array("i", p), p)
        self.assertIs(type(posh.unshare(p)), array.array)
        self.assertRaises(ValueError, posh.array, "?")
        self.assertEqual(type(p).__name__, "array")
        self.assertRaises(TypeError, hash, p)
        self.assertEqual(posh.default_heap().check(), [])


if __name__ == "__main__":
    tap.main()

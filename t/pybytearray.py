# SPDX-License-Identifier: MIT
"""Shared bytearrays: the builtin's behaviour, and its memory."""
import collections.abc
import hashlib
import io
import os
import random
import re
import signal
import socket
import struct
import time
import unittest

import posh
import tap


def outcome(f, *args):
    """Return what a call returns or raises, proxies as what they stand for."""
    try:
        r = f(*args)
    except Exception as e:
        return type(e), str(e)
    return (type(r).__name__, r)


class TwinTest(unittest.TestCase):
    """The same done to a bytearray and to a shared one."""

    def same(self, f, data=b"some bytes of it"):
        plain = bytearray(data)
        shared = posh.share(bytearray(data))
        a, b = outcome(f, plain), outcome(f, shared)
        self.assertEqual(a, b)
        self.assertEqual(bytes(plain), bytes(shared))
        self.assertEqual(repr(plain), repr(shared))

    def test_operations(self):
        """operations give the same results and errors"""
        for f in (
            len,
            list,
            bytes,
            repr,
            str,
            sorted,
            hash,
            lambda p: p[3],
            lambda p: p[-1],
            lambda p: p[99],
            lambda p: p[-99],
            lambda p: p["x"],
            lambda p: p[True],
            lambda p: p[2:5],
            lambda p: p[::-2],
            lambda p: p[5:2],
            lambda p: p.__setitem__(0, 65),
            lambda p: p.__setitem__(0, 256),
            lambda p: p.__setitem__(0, -1),
            lambda p: p.__setitem__(0, b"a"),
            lambda p: p.__setitem__(99, 1),
            lambda p: p.__setitem__(-1, 1),
            lambda p: p.__setitem__(slice(2, 4), b"longer than that"),
            lambda p: p.__setitem__(slice(2, 4), [1, 2, 3]),
            lambda p: p.__setitem__(slice(2, 4), [1, 999]),
            lambda p: p.__setitem__(slice(2, 4), 7),
            lambda p: p.__setitem__(slice(4, 2), b"x"),
            lambda p: p.__setitem__(slice(None, None, 2), b"x"),
            lambda p: p.__setitem__(slice(None, 4, 2), b"xy"),
            lambda p: p.__setitem__(slice(None), p),
            lambda p: p.__setitem__(slice(2, 2), p),
            lambda p: p.__delitem__(3),
            lambda p: p.__delitem__(99),
            lambda p: p.__delitem__(slice(3, 6)),
            lambda p: p.__delitem__(slice(None, 6)),
            lambda p: p.__delitem__(slice(None, None, 3)),
            lambda p: p.append(3),
            lambda p: p.append(300),
            lambda p: p.append("x"),
            lambda p: p.extend(b"abc"),
            lambda p: p.extend([1, 2]),
            lambda p: p.extend([1, 256]),
            lambda p: p.extend(p),
            lambda p: p.insert(3, 65),
            lambda p: p.insert(-100, 65),
            lambda p: p.pop(),
            lambda p: p.pop(0),
            lambda p: p.pop(99),
            lambda p: p.remove(101),
            lambda p: p.remove(1),
            lambda p: p.reverse(),
            lambda p: p.clear(),
            lambda p: p.copy(),
            lambda p: p.__iadd__(b"xyz") is p,
            lambda p: p.__iadd__(7),
            lambda p: p.__imul__(3) is p,
            lambda p: p.__imul__(0) is p,
            lambda p: p + b"x",
            lambda p: b"x" + p,
            lambda p: bytearray(b"x") + p,
            lambda p: p + 7,
            lambda p: 3 * p,
            lambda p: p * -1,
            lambda p: b"by" in p,
            lambda p: 101 in p,
            lambda p: 300 in p,
            lambda p: "x" in p,
            lambda p: p == b"some bytes of it",
            lambda p: b"some bytes of it" == p,
            lambda p: bytearray(b"some bytes of it") == p,
            lambda p: p != b"other",
            lambda p: p < b"t",
            lambda p: p >= bytearray(b"t"),
            lambda p: b"t" > p,
            lambda p: p == "some",
            lambda p: p < "some",
            lambda p: p.upper(),
            lambda p: p.split(),
            lambda p: p.find(b"y"),
            lambda p: p.index(b"zz"),
            lambda p: p.count(b"o", 3),
            lambda p: p.startswith(b"some"),
            lambda p: p.startswith((b"x", b"some")),
            lambda p: p.startswith("some"),
            lambda p: p.endswith(b"it"),
            lambda p: p.replace(b"some", b"any"),
            lambda p: p.translate(None, b"e"),
            lambda p: p.join([b"a", b"b"]),
            lambda p: p.decode(),
            lambda p: p.hex(":"),
            lambda p: p.partition(b" "),
            lambda p: p.zfill(30),
            lambda p: p.removeprefix(b"some "),
            lambda p: p.fromhex("0aff"),
            lambda p: p.maketrans(b"a", b"b"),
            lambda p: b"-".join([p, p]),
            lambda p: p.no_such_method,
            lambda p: list(reversed(p)),
            lambda p: [x for x in p],
            lambda p: int(bytearray(b"12")) + len(p),
            lambda p: struct.unpack_from("<HI", p, 1),
            lambda p: re.sub(rb"\w+", b"w", p),
            lambda p: hashlib.sha1(p).digest(),
            lambda p: isinstance(p, (bytearray, collections.abc.Sequence)),
            lambda p: isinstance(p, collections.abc.MutableSequence),
            lambda p: bool(p),
        ):
            line = getattr(f, "__code__", None)
            with self.subTest(line=line and line.co_firstlineno, f=f):
                self.same(f)

    def test_format(self):
        """the % operator"""
        self.same(lambda p: p % (1, b"x"), b"%d and %s")
        self.same(lambda p: p % b"x", b"%d")

    def test_match(self):
        """it is no sequence to match"""
        match_it = {}
        exec("def f(p):\n match p:\n  case [*x]:\n   return 1", match_it)
        self.same(match_it["f"])

    def test_random(self):
        """random operations"""
        seed = random.randrange(1 << 30)
        r = random.Random(seed)
        plain, shared = bytearray(), posh.share(bytearray())
        for n in range(4000):
            i, j = r.randrange(-3, 40), r.randrange(-3, 40)
            data = r.randbytes(r.choice((0, 1, j + 3, 300 * (n % 50 == 0))))
            f = r.choice((
                lambda p: p.__setitem__(slice(i, j), data),
                lambda p: p.__delitem__(slice(i, j)),
                lambda p: p.__delitem__(slice(0, i)),
                lambda p: p.__delitem__(slice(200, None)),
                lambda p: p.__delitem__(slice(i, None, 3)),
                lambda p: p.extend(data),
                lambda p: p.append(j + 4),
                lambda p: p.insert(i, j + 4),
                lambda p: p.pop(i),
                lambda p: p.__setitem__(i, j + 4),
                lambda p: p.__setitem__(slice(i, i + len(data)), data),
                lambda p: p.reverse(),
                lambda p: p[i:j],
                lambda p: p[i],
                lambda p: p.find(data),
            ))
            a, b = outcome(f, plain), outcome(f, shared)
            self.assertEqual(a, b, f"seed {seed}")
            self.assertEqual(plain, shared, f"seed {seed}")


class MemoryTest(unittest.TestCase):
    """The buffer is the shared memory itself."""

    def test_in_place(self):
        """what C writes through the buffer is in the shared bytes"""
        p = posh.share(bytearray(16))
        struct.pack_into("<Q", p, 3, 0x0102030405060708)
        self.assertEqual(p[3:11], bytes(range(8, 0, -1)))
        io.BytesIO(b"from a file").readinto(p)
        self.assertEqual(p[:11], b"from a file")
        a, b = socket.socketpair()
        a.sendall(b"by a socket")
        b.recv_into(p)
        self.assertEqual(p[:11], b"by a socket")
        m = memoryview(p)
        m[0] = 66
        self.assertEqual((m.format, m.readonly, m.nbytes), ("B", False, 16))
        self.assertEqual(p[0], 66)
        p[1] = 33
        self.assertEqual(m[1], 33)
        a.close()
        b.close()

    def test_exported(self):
        """with a view, nothing changes the length"""
        for f in (
            lambda p: p.append(1),
            lambda p: p.pop(),
            lambda p: p.clear(),
            lambda p: p.extend(b"x"),
            lambda p: p.extend(b""),
            lambda p: p.__delitem__(0),
            lambda p: p.__delitem__(slice(0, 2)),
            lambda p: p.__delitem__(slice(2, 2)),
            lambda p: p.__setitem__(slice(0, 2), b"x"),
            lambda p: p.__setitem__(slice(0, 2), b"xy"),
            lambda p: p.__imul__(2) is p,
            lambda p: p.__imul__(1) is p,
            lambda p: p.reverse(),
            lambda p: p.insert(0, 1),
        ):
            plain, shared = bytearray(b"abc"), posh.share(bytearray(b"abc"))
            with memoryview(plain), memoryview(shared) as m:
                self.assertEqual(outcome(f, plain), outcome(f, shared))
                self.assertEqual(bytes(m), bytes(plain))
            self.assertEqual(outcome(f, plain), outcome(f, shared))
            self.assertEqual(plain, shared)

    def test_other_process(self):
        """another's change of length leaves a view its memory"""
        p = posh.share(bytearray(b"abc"))
        m = memoryview(p)

        def work():
            m.release()
            p.extend(bytes(10000))

        pid = posh.forkcall(work)
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertEqual((bytes(m), len(p)), (b"abc", 10003))
        m.release()

    def test_view(self):
        """view() is read-only, and keeps the memory"""
        p = posh.share(bytearray(b"abc"))
        v = posh.view(p)
        self.assertTrue(v.readonly)
        p[0] = 88
        del p
        self.assertEqual(bytes(v), b"Xbc")
        self.assertRaises(TypeError, posh.view, "text")


class SharingTest(unittest.TestCase):
    def test_nested(self):
        """bytearrays in other objects, and the same one twice"""
        b = bytearray(b"x")
        d = posh.share({"a": b, "l": [b, b"bytes"]})
        self.assertIs(d["a"], d["l"][0])
        d["a"].append(1)
        self.assertEqual(d["l"][0], b"x\x01")
        self.assertEqual(b, b"x")
        d["l"].append(bytearray(b"new"))
        self.assertEqual(d["l"][2], bytearray(b"new"))
        copy = posh.unshare(d)
        self.assertIs(type(copy["a"]), bytearray)
        self.assertIs(copy["a"], copy["l"][0])

    def test_constructor(self):
        """posh.bytearray makes a shared one"""
        self.assertEqual(posh.bytearray(3), bytes(3))
        self.assertEqual(posh.bytearray("\xe9", "latin-1"), b"\xe9")
        self.assertTrue(posh.is_shared(posh.bytearray(b"x")))
        self.assertRaises(TypeError, posh.bytearray, "x")
        self.assertEqual(type(posh.bytearray()).__name__, "bytearray")

    def test_processes(self):
        """no append of several processes is lost"""
        p = posh.share(bytearray())

        def work(n):
            for _ in range(300):
                p.append(n)

        pids = [posh.forkcall(work, n) for n in range(4)]
        self.assertEqual(posh.waitall(pids), dict.fromkeys(pids, 0))
        self.assertEqual([p.count(n) for n in range(4)], [300] * 4)

    def test_killed(self):
        """a process that is killed with a view leaves nothing"""
        heap = posh.default_heap()
        p = posh.share(bytearray(100000))
        r, w = os.pipe()

        def work():
            m = memoryview(p)
            os.write(w, b"x")
            while True:
                time.sleep(1)
                m[0]

        pid = posh.forkcall(work)
        os.read(r, 1)
        p.extend(bytes(200000))
        os.kill(pid, signal.SIGKILL)
        posh.waitall([pid])
        posh.reap()
        p.append(1)
        self.assertEqual(len(p), 300001)
        before = heap.stats().live_bytes
        del p
        self.assertLess(heap.stats().live_bytes, before - 300000)
        self.assertEqual(heap.check(), [])
        os.close(r)
        os.close(w)


if __name__ == "__main__":
    tap.main()

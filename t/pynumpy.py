# SPDX-License-Identifier: MIT
"""numpy.ndarrays in shared memory, without copies."""
import array
import copy
import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import time
import unittest

import posh
import tap

try:
    import numpy as np
except ImportError:
    np = None

RECORD = [("a", "u1"), ("b", "<f8", (2,)), ("c", "S3"), ("d", [("e", "<i2")])]


def double(x):
    """In a child: change the array, and return a part of it."""
    x *= 2
    return x[1:]


@unittest.skipUnless(np, "numpy is not installed")
class ArrayTest(unittest.TestCase):
    def test_kinds(self):
        """each dtype, shape and order comes out as it went in"""
        for dtype in (
            *"?bBhHiIlLqQefdFD",
            ">i4",
            "S5",
            "U3",
            "V7",
            "M8[ns]",
            "m8[D]",
            "S0",
            RECORD,
            np.dtype(RECORD, align=True),
            np.dtype({"names": ["x"], "formats": ["i4"], "offsets": [4],
                      "itemsize": 16, "titles": ["a title"]}),
        ):
            for shape in ((), (0,), (5,), (2, 3), (2, 0, 3), (3, 1, 2)):
                raw = np.frombuffer(random.randbytes(10000), "u1") & 1
                for order in "CF":
                    n = int(np.prod(shape)) * np.dtype(dtype).itemsize
                    x = np.ndarray(shape, dtype, raw[:n].copy(), order=order)
                    y = posh.share(x)
                    with self.subTest(dtype=dtype, shape=shape, order=order):
                        self.assertIsInstance(y, np.ndarray)
                        self.assertEqual(y.dtype, x.dtype)
                        self.assertEqual(y.shape, x.shape)
                        self.assertEqual(y.tobytes(), x.tobytes())
                        self.assertTrue(
                            y.flags.f_contiguous or not x.flags.f_contiguous
                        )
                        z = posh.unshare(y)
                        self.assertIs(type(z), np.ndarray)
                        if x.dtype.names:  # the padding is nobody's
                            self.assertEqual(repr(z), repr(x))
                        else:
                            self.assertEqual(z.tobytes(), x.tobytes())

    def test_identity(self):
        """one array a process, one memory for all of its views"""
        x = np.arange(12.0).reshape(3, 4)
        y = posh.share(x)
        d = posh.share({"x": y, "twice": [y, y]})
        self.assertIs(d["x"], y)
        self.assertIs(d["twice"][1], y)
        d["part"] = y[1:, ::-2]
        self.assertTrue(np.shares_memory(d["part"], y))
        self.assertEqual(d["part"].tolist(), x[1:, ::-2].tolist())
        d["part"][0, 0] = 99
        self.assertEqual((y[1, 3], x[1, 3]), (99, 7))
        d["turned"] = y.T
        self.assertTrue(np.shares_memory(d["turned"], y))
        both = posh.share([x, x])
        self.assertIs(both[0], both[1])
        del d["x"], d["twice"], y
        self.assertEqual(d["part"][0, 0], 99)

    def test_strided(self):
        """what is not contiguous is packed"""
        x = np.arange(24).reshape(4, 6)[::-1, ::2]
        y = posh.share(x)
        self.assertTrue(np.array_equal(x, y))
        self.assertTrue(y.flags.c_contiguous)
        wide = posh.share(np.broadcast_to(np.arange(3), (2, 3)))
        self.assertEqual(wide.tolist(), [[0, 1, 2]] * 2)

    def test_read_only(self):
        """an array that may not be written stays one"""
        x = np.arange(3)
        x.flags.writeable = False
        y = posh.share(x)
        with self.assertRaises(ValueError):
            y[0] = 1
        self.assertFalse(posh.unshare(y).flags.writeable)

    def test_refused(self):
        """arrays of objects say so"""
        for x in (
            np.array([None]),
            np.zeros(2, [("a", "i4"), ("b", "O")]),
            np.zeros(2, [("a", "O", (2,))]),
        ):
            with self.assertRaisesRegex(
                posh.NotShareableError, r"dtype.*\(x\['k'\]\[0\]\)"
            ):
                posh.share({"k": [x]})
        self.assertRaises(posh.NotShareableError, posh.ndarray, 3, object)
        self.assertRaises(TypeError, posh.share, np.ma.array([1]))

    def test_create(self):
        """posh.ndarray makes zeros in place, and takes no pages for them"""
        heap = posh.Heap(f"numpy-{os.getpid()}", create=True)
        self.addCleanup(heap.unlink)
        self.addCleanup(heap.close)
        x = posh.ndarray((3, 4), "i4", heap=heap)
        self.assertEqual((x.shape, x.sum(), x.dtype), ((3, 4), 0, "i4"))
        self.assertTrue(posh.ndarray((2, 3), order="F").flags.f_contiguous)
        self.assertEqual(posh.ndarray(3, ("f4", (2,))).shape, (3, 2))
        self.assertEqual(posh.ndarray(0).shape, (0,))
        self.assertRaises(ValueError, posh.ndarray, -1)
        self.assertRaises(ValueError, posh.ndarray, 1, order="x")
        self.assertRaises(MemoryError, posh.ndarray, 1 << 45)
        big = posh.ndarray(100 << 20, "u1")
        big[5] = 1
        with open("/proc/self/statm") as f:
            before = int(f.read().split()[2])
        big = posh.ndarray(100 << 20, "u1")
        with open("/proc/self/statm") as f:
            pages = int(f.read().split()[2]) - before
        self.assertLess(pages, 5000)
        self.assertEqual((big[0], big[-1]), (0, 0))

    def test_results(self):
        """results that are copies are plain arrays"""
        y = posh.share(np.arange(4.0))
        for x in (y + 1, np.sin(y), y.copy(), copy.copy(y), copy.deepcopy(y)):
            self.assertIs(type(x), np.ndarray)
        self.assertIsInstance(y.sum(), float)
        self.assertEqual(repr(y), repr(np.arange(4.0)))
        self.assertIs(np.add(y, 1, out=y), y)
        self.assertEqual(y[0], 1)
        y += 1
        self.assertEqual(y.tolist(), [2, 3, 4, 5])
        self.assertTrue(posh.is_shared(y))
        self.assertEqual(pickle.loads(pickle.dumps(y[[0, 1]])).tolist(), [2, 3])
        b = posh.share(bytearray(8))
        np.frombuffer(b, "<i4")[1] = 7
        self.assertEqual(b, b"\0\0\0\0\7\0\0\0")
        a = posh.share(array.array("d", [1, 2]))
        np.asarray(a)[0] = 5
        self.assertEqual(a[0], 5)

    def test_reshaped(self):
        """an array whose shape is set is another than the shared one"""
        y = posh.share(np.arange(6))
        l = posh.share([y])
        y.shape = (2, 3)
        self.assertEqual((l[0].shape, y.shape), ((6,), (2, 3)))
        l.append(y)
        self.assertEqual(l[1].shape, (2, 3))
        y[0, 0] = 9
        self.assertEqual((l[0][0], l[1][0, 0]), (9, 9))

    def test_ticket(self):
        """a pickle moves no data, of a view neither"""
        y = posh.share(np.zeros(1000000))
        for x in (y, y[5:]):
            self.assertLess(len(pickle.dumps(x)), 300)
            self.assertTrue(np.shares_memory(pickle.loads(pickle.dumps(x)), y))
        self.assertIs(pickle.loads(pickle.dumps(y)), y)

    def test_start_methods(self):
        """children of all start methods write to the same memory"""
        for method in ("fork", "spawn", "forkserver"):
            y = posh.share(np.ones(5))
            context = multiprocessing.get_context(method)
            with context.Pool(1) as pool:
                part = pool.apply(double, (y,))
            self.assertEqual(y.tolist(), [2] * 5, method)
            self.assertTrue(np.shares_memory(part, y), method)

    def test_attribute(self):
        """an attribute of a shared instance"""
        s = posh.share(Holder(np.zeros(3)))
        s.data[1] = 4
        self.assertEqual(s.data.tolist(), [0, 4, 0])
        s.data = s.data[1:]
        self.assertEqual(s.data.tolist(), [4, 0])

    def test_killed(self):
        """a process that is killed in the middle of writing leaves nothing"""
        heap = posh.default_heap()
        y = posh.share([np.zeros(100000)])
        r, w = os.pipe()

        def work():
            x = y[0]
            os.write(w, b"x")
            while True:
                x += 1

        pid = posh.forkcall(work)
        os.read(r, 1)
        time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        posh.waitall([pid])
        posh.reap()
        before = heap.stats().live_bytes
        y.clear()
        self.assertLess(heap.stats().live_bytes, before - 700000)
        self.assertEqual(heap.check(), [])

    def test_scalars(self):
        """what arrays have in them comes back as it was, and is a key"""
        types = set(np.sctypeDict.values()) - {np.object_, np.void}
        values = [tp("7" if issubclass(tp, (str, bytes)) else 1)
                  for tp in types - {np.datetime64, np.timedelta64, np.bytes_}]
        values += [np.bytes_(b"x"), np.float32(0.1), np.float64("nan"),
                   np.datetime64("2001-01-01T12:00", "m"),
                   np.timedelta64(5, "ns"), np.timedelta64("NaT"),
                   np.arange(3.0).mean(), np.int8(-1), np.uint64(2**64 - 1)]
        p = posh.share(values)
        d = posh.dict()
        for i, x in enumerate(values):
            self.assertIs(type(p[i]), type(x))
            self.assertEqual((p[i].dtype, repr(p[i])), (x.dtype, repr(x)))
            d[x] = i
            self.assertEqual(d[x], i)
        self.assertEqual(posh.dict({np.float64(1.5): 1})[1.5], 1)
        for one in np.longdouble(1), np.clongdouble(1):
            twice = posh.dict({one: 1})
            twice[one + one - one] = 2
            self.assertEqual((len(twice), twice[1]), (1, 2))
        for x in np.str_("a\0"), np.bytes_(b"a\0"), np.longdouble("1e4000"):
            self.assertEqual(repr(posh.share([x])[0]), repr(x))
        self.assertEqual(posh.dict({7: 1})[np.int16(7)], 1)
        pid = posh.forkcall(p.append, p[0])
        self.assertEqual(posh.waitall([pid]), {pid: 0})

        class Mine(np.float64):
            pass

        with self.assertRaises(posh.NotShareableError):
            posh.share([Mine(1)])

    def test_random(self):
        """random views of views are those of the private twin"""
        seed = random.randrange(1 << 30)
        r = random.Random(seed)
        for _ in range(100):
            shape = [r.randrange(1, 6) for _ in range(r.randrange(1, 4))]
            x = np.arange(np.prod(shape)).reshape(shape)
            l = posh.share([x])
            a, b = x.copy(), l[0]
            whole = a
            for _ in range(4):
                key = tuple(
                    slice(r.choice((None, 1)), None, r.choice((1, 2, -1)))
                    for _ in a.shape
                )
                a, b = a[key], b[key]
                if r.random() < 0.3:
                    a, b = a.T, b.T
                l.append(b)
                b = l[-1]
                a += 1
                b += 1
                self.assertEqual(a.tolist(), b.tolist(), f"seed {seed}")
            self.assertEqual(whole.tolist(), l[0].tolist(), f"seed {seed}")


@posh.shareable
class Holder:
    def __init__(self, data):
        self.data = data


class ImportTest(unittest.TestCase):
    def test_import(self):
        """numpy is imported by nobody who does not use it"""
        code = (
            "import posh, sys, array;"
            "posh.share([bytearray(b'x'), array.array('i', [1])]);"
            "sys.exit('numpy' in sys.modules)"
        )
        self.assertEqual(subprocess.call([sys.executable, "-c", code]), 0)


if __name__ == "__main__":
    tap.main()

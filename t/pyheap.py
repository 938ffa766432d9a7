# SPDX-License-Identifier: MIT
"""Heaps: anonymous and named, figures, limits, errors."""
import gc
import os
import random
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import posh

SIZE = 1 << 26


class AnonymousTest(unittest.TestCase):
    def test_default(self):
        heap = posh.default_heap()
        self.assertIsInstance(heap, posh.Heap)
        self.assertIs(heap, posh.default_heap())
        self.assertIsNone(heap.name)
        self.assertFalse(heap.closed)

    def test_root(self):
        """the root is a dict that is always there"""
        with posh.Heap(max_size=SIZE) as heap:
            self.assertEqual(heap.root, {})
            heap.root["a"] = [1]
            self.assertEqual(heap.root["a"], [1])
            self.assertIs(heap.root, heap.root)

    def test_make(self):
        with posh.Heap(max_size=SIZE) as heap:
            a, b = heap.list("ab"), heap.dict({"x": 1}, y=[2])
            self.assertEqual((a, b), (["a", "b"], {"x": 1, "y": [2]}))
            self.assertTrue(posh.is_shared(a) and posh.is_shared(b))
            heap.root["a"] = a
            self.assertIs(heap.share([a])[0], a)
            self.assertEqual(heap.list(), [])
            self.assertEqual(heap.dict(), {})
            del a, b

    def test_stats(self):
        with posh.Heap(max_size=SIZE) as heap:
            before = heap.stats()
            x = heap.share([b"x" * 10000])
            after = heap.stats()
            self.assertEqual(after.members, 1)
            self.assertEqual(after.suspects, 0)
            self.assertEqual(after.max_size, SIZE)
            self.assertLessEqual(after.size, SIZE)
            self.assertGreaterEqual(
                after.live_bytes, before.live_bytes + 10000
            )
            del x
            self.assertEqual(heap.stats().live_bytes, before.live_bytes)
            with self.assertRaises(AttributeError):
                after.size = 1

    def test_closed(self):
        heap = posh.Heap(max_size=SIZE)
        x = heap.share([1, [2]])
        inner = x[1]
        heap.close()
        heap.close()
        self.assertTrue(heap.closed)
        for f in (
            lambda: x[0],
            lambda: x.append(1),
            lambda: len(inner),
            lambda: heap.share([1]),
            lambda: heap.root,
            lambda: heap.stats(),
        ):
            with self.assertRaises(posh.ClosedError):
                f()
        self.assertIn("closed", repr(heap))
        del x, inner, heap
        gc.collect()

    def test_full(self):
        """a full heap is a MemoryError, and nothing changes"""
        with posh.Heap(max_size=4 << 20) as heap:
            x = heap.share([1])
            with self.assertRaises(posh.HeapFullError) as caught:
                x.append(b"x" * (8 << 20))
            self.assertIsInstance(caught.exception, MemoryError)
            with self.assertRaises(posh.HeapFullError):
                x.append([b"y" * (1 << 20) for _ in range(8)])
            with self.assertRaises(posh.HeapFullError):
                while True:
                    x.append(b"z" * 100000)
            n = len(x)
            self.assertGreater(n, 10)
            del x[1:]
            for _ in range(n - 2):
                x.append(b"z" * 100000)
            self.assertEqual(x[0], 1)
            self.assertEqual(heap.check(), [])
            del x

    def test_check_and_reap(self):
        with posh.Heap(max_size=SIZE) as heap:
            heap.root["x"] = {"a": [1, (2, [3])]}
            self.assertEqual(heap.check(), [])
            self.assertEqual(heap.reap(), 0)
        self.assertEqual(posh.reap(), 0)

    def test_arguments(self):
        with self.assertRaises(ValueError):
            posh.Heap(max_size=-1)
        with self.assertRaises(ValueError):
            posh.Heap(max_size=1)
        with self.assertRaises(TypeError):
            posh.Heap("name", fd=3)
        with self.assertRaises(TypeError):
            posh.Heap(create=False)
        with self.assertRaises(TypeError):
            posh.Heap(5)
        with self.assertRaises(TypeError):
            posh.share([], heap="default")
        with self.assertRaises(ValueError):
            posh.Heap(max_size=SIZE).unlink()


class NamedTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "heap")

    def make(self, **options):
        options.setdefault("max_size", SIZE)
        return posh.Heap(self.path, **options)

    def test_create(self):
        """create: None either, True only new, False only there"""
        with self.assertRaises(posh.HeapNotFoundError):
            self.make(create=False)
        with self.assertRaises(FileNotFoundError):
            posh.attach(self.path)
        with self.make(create=True) as heap:
            self.assertEqual(heap.name, self.path)
            self.assertIn(self.path, repr(heap))
            self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)
            with self.assertRaises(posh.HeapExistsError):
                self.make(create=True)
            with self.make() as same:
                self.assertIs(same, heap)
            self.assertFalse(heap.closed)

    def test_stays(self):
        """what is in a named heap outlives its processes"""
        with self.make() as heap:
            heap.root["x"] = {"list": [1, 2], "text": "é" * 100}
        gc.collect()
        with posh.attach(self.path) as heap:
            self.assertEqual(
                heap.root["x"], {"list": [1, 2], "text": "é" * 100}
            )
            self.assertEqual(heap.check(), [])

    def test_bare_name(self):
        name = f"posh-test-{os.getpid()}"
        with posh.Heap(name, create=True, max_size=SIZE) as heap:
            self.assertTrue(os.path.exists("/dev/shm/" + name))
            heap.unlink()
            self.assertFalse(os.path.exists("/dev/shm/" + name))
            heap.root["still"] = "there"
            with self.assertRaises(posh.HeapNotFoundError):
                heap.unlink()

    def test_other_program(self):
        """an unrelated process attaches by name"""
        program = (
            "import posh, sys; h = posh.attach(sys.argv[1]);"
            "h.root['list'].append({'from': 'other'});"
            "h.root['new'] = posh.share([h.root['list']], heap=h)"
        )
        with self.make() as heap:
            heap.root["list"] = [1]
            subprocess.run(
                [sys.executable, "-c", program, self.path],
                check=True,
                timeout=60,
            )
            self.assertEqual(heap.root["list"], [1, {"from": "other"}])
            self.assertIs(heap.root["new"][0], heap.root["list"])

    def test_killed_program(self):
        """one that is killed leaves the heap whole"""
        program = (
            "import posh, sys, os; h = posh.attach(sys.argv[1]);"
            "x = h.share(['lost' * 1000]);"
            "h.root['list'].append(2); os.kill(os.getpid(), 9)"
        )
        with self.make() as heap:
            heap.root["list"] = [1]
            before = heap.stats()
            subprocess.run(
                [sys.executable, "-c", program, self.path], timeout=60
            )
            heap.reap()
            self.assertEqual(heap.root["list"], [1, 2])
            after = heap.stats()
            self.assertEqual(after.members, 1)
            self.assertLess(after.live_bytes, before.live_bytes + 2000)
            self.assertEqual(heap.check(), [])

    def test_no_heap(self):
        """a file that is no heap is a clear error"""
        for content in (b"", b"text", bytes(1 << 16), b"x" * (1 << 20)):
            with open(self.path, "wb") as f:
                f.write(content)
            with self.assertRaises(posh.CorruptHeapError) as caught:
                self.make()
            self.assertIsInstance(caught.exception, OSError)
        with self.assertRaises((OSError, ValueError)):
            posh.Heap(os.path.dirname(self.path) + "/")

    def test_truncated(self):
        """a heap that was cut is refused"""
        with self.make() as heap:
            heap.root["x"] = ["y" * 1000]
            size = os.stat(self.path).st_size
        gc.collect()
        for length in (size // 2, 1 << 16, 4096, 100):
            os.truncate(self.path, length)
            with self.assertRaises(posh.CorruptHeapError):
                self.make()

    def test_damaged(self):
        """nor does any byte of the head that is not right crash anybody"""
        with self.make() as heap:
            heap.root["x"] = ["y" * 1000]
        gc.collect()
        with open(self.path, "rb") as f:
            head = f.read(512)

        def look():
            with posh.Heap(self.path) as heap:
                heap.root["x"].append(1)
                heap.stats()
                heap.check()

        rng = random.Random(1)
        outcomes = set()
        for _ in range(60):
            bad = bytearray(head)
            bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
            with open(self.path, "r+b") as f:
                f.write(bad)
            with open(os.devnull, "w") as devnull:
                with mock.patch("sys.stderr", devnull):
                    pid = posh.forkcall(look)
            outcomes.add(posh.waitall([pid])[pid])
        self.assertEqual(outcomes - {0, 256}, set())

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_other_user(self):
        """another user gets a PermissionError"""
        os.chmod(os.path.dirname(self.path), 0o755)

        def look():
            os.setgid(65534)
            os.setuid(65534)
            try:
                posh.Heap(self.path)
            except PermissionError:
                return 7

        with self.make():
            pid = posh.forkcall(look)
            self.assertEqual(posh.waitall([pid]), {pid: 7 << 8})

    def test_bad_names(self):
        for name in ("", ".", "..", "a\0b"):
            with self.assertRaises(ValueError):
                posh.Heap(name)


class NothingLeftTest(unittest.TestCase):
    def test_dev_shm(self):
        """an anonymous heap leaves nothing in /dev/shm"""
        program = (
            "import posh, os; x = posh.share([b'x' * 100000]);"
            "os.kill(os.getpid(), 9)"
        )
        before = set(os.listdir("/dev/shm"))
        subprocess.run([sys.executable, "-c", program], timeout=60)
        left = set(os.listdir("/dev/shm")) - before
        self.assertEqual({n for n in left if "posh" in n}, set())


if __name__ == "__main__":
    import tap

    tap.main()

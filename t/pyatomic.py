# SPDX-License-Identifier: MIT
"""posh.incr() and posh.compare_and_set(), from several processes."""
import array
import collections
import unittest

import posh

TIMES, WORKERS = 300, 3


@posh.shareable(synch=None)
class Counter:
    def __init__(self):
        self.n = 0


def places():
    """Yield shared objects and keys of all kinds; each value is 0."""
    yield posh.share([1, 0]), 1
    yield posh.share([1, 0]), -1
    yield posh.share({"a": 0}), "a"
    yield posh.share({(1, 2): 0}), (1, 2)
    yield posh.share(collections.deque([1, 0])), 1
    yield posh.share(Counter()), "n"


def value(x, key):
    return x.n if isinstance(x, Counter) else x[key]


class AtomicTest(unittest.TestCase):
    def in_workers(self, f):
        pids = [posh.forkcall(f) for _ in range(WORKERS)]
        self.assertEqual(set(posh.waitall(pids).values()), {0})

    def test_incr(self):
        for x, key in places():
            self.assertEqual(posh.incr(x, key), 1)
            self.assertEqual(posh.incr(x, key, 2.5), 3.5)
            self.assertEqual(posh.incr(x, key, by=-3.5), 0)
            self.assertEqual(value(x, key), 0)

    def test_incr_processes(self):
        """no increment is lost"""
        for x, key in places():

            def work(x=x, key=key):
                for _ in range(TIMES):
                    posh.incr(x, key)

            self.in_workers(work)
            self.assertEqual(value(x, key), WORKERS * TIMES)

    def test_memory(self):
        """the items of bytearrays and arrays, too"""
        for x in posh.share([array.array("q", [1, 0]), bytearray(2)]):
            n = WORKERS * (80 if isinstance(x, bytearray) else TIMES)

            def work(x=x, n=n):
                for _ in range(n // WORKERS):
                    posh.incr(x, 1)

            self.in_workers(work)
            self.assertEqual(x[1], n)
            self.assertIs(posh.compare_and_set(x, -1, 0, 5), False)
            self.assertIs(posh.compare_and_set(x, -1, n, 5), True)
            self.assertEqual(x[1], 5)
            self.assertRaises(IndexError, posh.incr, x, 2)

    def test_compare_and_set(self):
        for x, key in places():
            self.assertIs(posh.compare_and_set(x, key, 1, 2), False)
            self.assertEqual(value(x, key), 0)
            self.assertIs(posh.compare_and_set(x, key, 0, "new"), True)
            self.assertEqual(value(x, key), "new")

    def test_compare_and_set_processes(self):
        """of all that try, one succeeds"""
        for x, key in places():

            def work(x=x, key=key):
                for _ in range(TIMES):
                    while True:
                        n = value(x, key)
                        if posh.compare_and_set(x, key, n, n + 1):
                            break

            self.in_workers(work)
            self.assertEqual(value(x, key), WORKERS * TIMES)

    def test_errors(self):
        """errors are those of the access, and leave the monitor"""
        for x, key, error in (
            (posh.share([]), 0, IndexError),
            (posh.share({}), "a", KeyError),
            (posh.share(Counter()), "m", AttributeError),
            (posh.share(["text"]), 0, TypeError),
        ):
            with self.assertRaises(error):
                posh.incr(x, key)
            self.assertFalse(posh._posh._unlock(x))
        with self.assertRaisesRegex(TypeError, "a shared object"):
            posh.incr([0], 0)
        with self.assertRaises(KeyError):
            posh.compare_and_set(posh.share({}), 1, None, 2)

    def test_proxies(self):
        """what is compared and set may be shared objects"""
        x = posh.share({"a": [1]})
        self.assertTrue(posh.compare_and_set(x, "a", x["a"], {"b": []}))
        self.assertTrue(posh.compare_and_set(x, "a", {"b": []}, 1))
        self.assertEqual(x, {"a": 1})


if __name__ == "__main__":
    import tap

    tap.main()

# SPDX-License-Identifier: MIT
"""What the original POSH could not do: one test for each line of its list."""
import gc
import multiprocessing
import os
import signal
import time
import unittest
import weakref

import posh

LIMIT = 60


@posh.shareable
class Slotted:
    __slots__ = ("x", "y")

    def __init__(self, x):
        self.x = x


@posh.shareable
class Careful:
    """Overrides how attributes are read and written."""

    def __init__(self):
        self.n = 1

    def __setattr__(self, name, value):
        if name == "bad":
            raise AttributeError("no such thing")
        super().__setattr__(name, value * 2)

    def __getattribute__(self, name):
        if name == "answer":
            return 42
        return super().__getattribute__(name)


@posh.shareable
class Node:
    def __init__(self):
        self.me = None

    def tie(self):
        self.me = self
        return self

    def half(self):
        """Change one thing of two, and die."""
        self.first = 1
        os.kill(os.getpid(), signal.SIGKILL)
        self.second = 1

    def both(self):
        self.first = self.second = 2


def append(x, value):
    x.append(value)


class PaperTest(unittest.TestCase):
    def test_cyclic_garbage(self):
        """cyclic garbage is collected"""
        heap = posh.default_heap()
        posh.collect()
        before = heap.stats().live_blocks
        for _ in range(20):
            x = posh.share([])
            x.append({"back": x, "text": "long enough to be a block" * 2})
            del x
        gc.collect()
        self.assertGreater(heap.stats().live_blocks, before + 40)
        self.assertGreaterEqual(posh.collect(), 40)
        self.assertLessEqual(heap.stats().live_blocks, before)

    def test_spawn(self):
        """processes that are spawned, not forked"""
        x = posh.share([])
        child = multiprocessing.get_context("spawn").Process(
            target=append, args=(x, 1)
        )
        child.start()
        child.join(LIMIT)
        self.assertEqual((child.exitcode, x), (0, [1]))

    def test_slots(self):
        """classes with nonempty __slots__"""
        p = posh.share(Slotted([1]))
        pid = posh.forkcall(setattr, p, "y", 2)
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertEqual((p.x, p.y), ([1], 2))
        with self.assertRaises(AttributeError):
            p.z = 1

    def test_attribute_access(self):
        """classes that override __getattribute__ and __setattr__"""
        p = posh.share(Careful())
        self.assertEqual(p.n, 2)
        pid = posh.forkcall(setattr, p, "m", 5)
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertEqual((p.m, p.answer), (10, 42))
        with self.assertRaisesRegex(AttributeError, "no such thing"):
            p.bad = 1

    def test_store_self(self):
        """a method that stores self"""
        p = posh.share(Node())
        pid = posh.forkcall(lambda: p.tie() is not p)
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertIs(p.me, p)
        self.assertIs(p.me.me.tie(), p)

    def test_none_and_bools(self):
        """None, True and False are shared as themselves"""
        x = posh.share([None, True, False, {None: True}])
        self.assertIs(x[0], None)
        self.assertIs(x[1], True)
        self.assertIs(x[2], False)
        self.assertIs(x[3][None], True)
        self.assertIs(posh.share(None), None)

    def test_two_proxies(self):
        """comparisons between two proxies"""
        a, b, c = posh.share([1, [2]]), posh.share([1, [2]]), posh.share([2])
        self.assertTrue(a == b and not a != b and a != c)
        self.assertTrue(a < c and c > b and a <= b and b >= a)
        self.assertEqual(posh.share({"k": a}), posh.share({"k": b}))

    def test_dicts(self):
        """iterators and comparisons of dicts"""
        d = posh.share({"a": 1, "b": [2]})
        self.assertEqual(list(d), ["a", "b"])
        self.assertEqual(list(reversed(d)), ["b", "a"])
        self.assertEqual(list(d.items()), [("a", 1), ("b", [2])])
        self.assertEqual([v for v in d.values()], [1, [2]])
        self.assertTrue(d == {"b": [2], "a": 1} and {"a": 1} != d)
        self.assertEqual(d.keys() & {"a", "z"}, {"a"})
        with self.assertRaises(TypeError):
            d < {}
        with self.assertRaises(RuntimeError):
            for key in d:
                d[key * 2] = 1

    def test_list_methods(self):
        """every method of list"""
        twin, p = [3, 1, 2], posh.share([3, 1, 2])
        for name, args in (
            ("append", (1,)),
            ("extend", ([5, 4],)),
            ("insert", (1, 9)),
            ("remove", (1,)),
            ("pop", ()),
            ("pop", (0,)),
            ("index", (5,)),
            ("count", (1,)),
            ("sort", ()),
            ("reverse", ()),
            ("copy", ()),
            ("__contains__", (9,)),
            ("__mul__", (2,)),
            ("__imul__", (2,)),
            ("__getitem__", (slice(1, 3),)),
            ("__setitem__", (slice(1, 3), [7, 7, 7])),
            ("__delitem__", (slice(0, 2),)),
            ("clear", ()),
        ):
            self.assertEqual(
                getattr(p, name)(*args), getattr(twin, name)(*args), name
            )
            self.assertEqual(p, twin, name)
        for name in vars(list):
            self.assertTrue(hasattr(p, name), name)

    def test_fork_race(self):
        """the parent goes on at once: neither waits for the other"""
        began = time.monotonic()
        x = posh.share([])
        for i in range(20):
            y = posh.share([str(i) * 20])
            pid = posh.forkcall(x.append, y)
            del y  # the child has it all the same
            self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertEqual([y[0] for y in x], [str(i) * 20 for i in range(20)])
        self.assertLess(time.monotonic() - began, 20)  # not a second each

    def test_deadlock(self):
        """a deadlock is found"""
        a, b, news = posh.share([[], [], []])

        def meet(first, second):
            with posh.synchronized(first):
                news.append("inside")
                while news.count("inside") < 2:
                    time.sleep(0.001)
                try:
                    with posh.synchronized(second):
                        news.append("passed")
                except posh.DeadlockError:
                    news.append("deadlock")

        pid = posh.forkcall(meet, b, a)
        meet(a, b)
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertEqual(sorted(news[2:]), ["deadlock", "passed"])

    def test_weak_references(self):
        """weak references to what is shared"""
        for x in ([1], {"a": 1}, Node(), Slotted(1)):
            p = posh.share(x)
            called = []
            ref = weakref.ref(p, called.append)
            self.assertIs(ref(), p)
            self.assertIs(weakref.proxy(p).__class__, type(x))
            del p
            gc.collect()
            self.assertIsNone(ref())
            self.assertEqual(called, [ref])

    def test_death_inside(self):
        """an object is as usable after a death in it as before"""
        p = posh.share(Node())
        pid = posh.forkcall(p.half)
        self.assertEqual(posh.waitall([pid]), {pid: signal.SIGKILL})
        self.assertEqual(p.first, 1)
        self.assertFalse(hasattr(p, "second"))
        p.both()
        self.assertEqual((p.first, p.second), (2, 2))
        self.assertEqual(posh.default_heap().check(), [])

    def test_many_processes(self):
        """more processes than the 128 of its map"""
        x = posh.share([])
        gate = posh.share([])
        pids = []

        def child(i):
            x.append(i)
            while not gate:
                time.sleep(0.05)

        try:
            for i in range(140):
                pids.append(posh.forkcall(child, i))
            end = time.monotonic() + LIMIT
            while len(x) < 140 and time.monotonic() < end:
                time.sleep(0.02)
            self.assertGreater(posh.default_heap().stats().members, 140)
        finally:
            gate.append("open")
            statuses = posh.waitall(pids)
        self.assertEqual(set(statuses.values()), {0})
        self.assertEqual(sorted(x), list(range(140)))


if __name__ == "__main__":
    import tap

    tap.main()

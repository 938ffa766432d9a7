# SPDX-License-Identifier: MIT
"""A shared set does what a set does."""
import collections.abc
import copy
import gc
import operator
import os
import pickle
import random
import signal
import unittest

import posh
from pylist import call
from tap import SOAK
from twin import TwinTest, outcome



@posh.shareable
class Dog:
    def __init__(self, name):
        self.name = name


def random_element(r):
    return r.choice([
        lambda: r.randrange(8),
        lambda: r.choice("abcdef"),
        lambda: r.choice([1.0, 2.5, True, None, 1 << 65, -1, b"k", ...,
                          1 + 0j, "\u20ac", "a longer text than fits"]),
        lambda: (r.randrange(3), r.choice("ab")),
    ])()


def random_elements(r):
    return [random_element(r) for _ in range(r.randrange(6))]


def random_other(r):
    kind = r.choice([set, frozenset, list, tuple, dict.fromkeys, iter,
                     posh.set])
    return lambda elements=random_elements(r): kind(elements)


def ior(s, x):
    s |= x
    return s


def iand(s, x):
    s &= x
    return s


def isub(s, x):
    s -= x
    return s


def ixor(s, x):
    s ^= x
    return s


IN_PLACE = [ior, iand, isub, ixor]
BINARY = [operator.or_, operator.and_, operator.sub, operator.xor,
          operator.eq, operator.ne, operator.lt, operator.le, operator.gt,
          operator.ge]
CHANGING = ["update", "intersection_update", "difference_update",
            "symmetric_difference_update"]
ASKING = ["union", "intersection", "difference", "symmetric_difference",
          "issubset", "issuperset", "isdisjoint"]


def random_operation(r, n):
    x, other = random_element(r), random_other(r)
    op = r.choice(IN_PLACE), r.choice(BINARY)
    name = r.choice(CHANGING), r.choice(ASKING)
    clear = r.random() < .1
    several = [random_other(r) for _ in range(r.randrange(3))]
    return r.choice([
        lambda s: s.add(x),
        lambda s: s.add(x),
        lambda s: s.remove(x),
        lambda s: s.discard(x),
        lambda s: x in s,
        lambda s: len(s),
        lambda s: sorted(map(repr, s)) and None,
        lambda s: op[0](s, other()),
        lambda s: op[1](s, other()),
        lambda s: op[1](other(), s),
        lambda s: getattr(s, name[0])(other()),
        lambda s: getattr(s, name[1])(other()),
        lambda s: s.update(*(o() for o in several)),
        lambda s: s.union(*(o() for o in several)),
        lambda s: s.difference_update(*(o() for o in several)),
        lambda s: s.copy(),
        lambda s: s.clear() if clear else None,
        lambda s: {x} in s,
        lambda s: s.discard({x}),
    ])


class Raises:
    def __iter__(self):
        yield 1
        raise ZeroDivisionError("half-way")


class SetTest(TwinTest):
    shared = staticmethod(posh.share)

    def test_random(self):
        for seed in range(4000 if SOAK else 60):
            r = random.Random(seed)
            self.pair(set(random_elements(r)))
            for step in range(60):
                self.do(random_operation(r, 0), f"seed {seed} step {step}")

    def test_turns(self):
        for seed in range(50 if SOAK else 3):
            self.turns(seed, {1, "a"}, random_operation, 60)

    def test_errors(self):
        for function in (
            call("add", []), call("add", {1: 2}), call("add"),
            call("add", 1, 2), call("remove", 77), call("remove", {1, 77}),
            call("remove", []), call("discard", []), call("update", 3),
            call("update", [[]]), call("update", Raises()),
            call("pop", 1), call("clear", 1), call("copy", 1),
            call("union", 3), call("intersection", [[]]),
            call("difference_update", 3), call("isdisjoint"),
            call("isdisjoint", 1, 2), call("issubset", x=1),
            call("update", x=1), call("symmetric_difference_update"),
            lambda s: s | [1], lambda s: [1] | s, lambda s: s - 3,
            lambda s: s < [1], lambda s: s == [1], lambda s: s + s,
            lambda s: s[0], lambda s: hash(s), lambda s: [] in s,
            lambda s: operator.ior(s, [1]), lambda s: s.nothing,
        ):
            self.pair({1, 2, "x"})
            self.do(function)

    def test_pop(self):
        s = posh.share({1, 2, "three"})
        self.assertEqual({s.pop(), s.pop(), s.pop()}, {1, 2, "three"})
        with self.assertRaisesRegex(KeyError, "pop from an empty set"):
            s.pop()

    def test_equals(self):
        """which of equal elements stays"""
        for others in ({1.0}, {1.0, 2}, [1.0, 2], (1.0,), {1.0: 0}):
            for elements in ({1}, {1, 2}, {1, 2, 3}):
                for change in (set.intersection_update, set.update,
                               set.difference_update,
                               set.symmetric_difference_update):
                    s = posh.share(elements)
                    plain = set(elements)
                    change(plain, others)
                    getattr(s, change.__name__)(others)
                    self.assertEqual(sorted(map(repr, s)),
                                     sorted(map(repr, plain)))

    def test_what_it_is(self):
        s = posh.share({1})
        self.assertIsInstance(s, set)
        self.assertIsInstance(s, collections.abc.MutableSet)
        self.assertIs(s.__class__, set)
        self.assertNotIsInstance(s, frozenset)
        self.assertEqual(posh.set[int].__origin__, posh.SharedSet)
        self.assertEqual(repr(s), "{1}")
        self.assertEqual(repr(posh.set()), "set()")
        self.assertEqual(f"{s}", "{1}")
        self.assertFalse(posh.set())
        self.assertRaises(TypeError, posh.set, 1)
        self.assertRaises(TypeError, posh.set, [1], [2])

    def test_copies(self):
        s = posh.share({1, (2, 3), "x"})
        for c in (copy.copy(s), copy.deepcopy(s), s.copy(), posh.unshare(s),
                  set(s)):
            self.assertIs(type(c), set)
            self.assertEqual(c, {1, (2, 3), "x"})
        self.assertIs(pickle.loads(pickle.dumps(s)), s)

    def test_in_place_on_a_plain_set(self):
        s = posh.share({1, 2})
        plain = alias = {2, 3}
        plain |= s
        self.assertIs(plain, alias)
        self.assertEqual(plain, {1, 2, 3})
        plain &= s
        plain -= posh.share({1})
        plain ^= posh.share({2, 9})
        self.assertIs(plain, alias)
        self.assertEqual(plain, {9})
        self.assertIs(type(plain), set)
        self.assertIs(type(frozenset((1,)) | s), frozenset)

    def test_views_and_sets(self):
        s, d = posh.share({1, 2}), posh.share({1: 1, 2: 2})
        self.assertEqual(s, d.keys())
        self.assertEqual(d.keys(), s)
        self.assertEqual({1: 0, 2: 0}.keys(), s)
        self.assertEqual({1: 0}.keys() | s, {1, 2})
        self.assertEqual(d.keys() - s, set())

    def test_nested(self):
        d = posh.share({"s": {1}})
        self.assertIs(d["s"], d["s"])
        d["s"].add(2)
        self.assertEqual(d, {"s": {1, 2}})
        d["t"] = {3}
        self.assertIsInstance(d["t"], posh.SharedSet)
        self.assertEqual(posh.unshare(d), {"s": {1, 2}, "t": {3}})

    def test_objects(self):
        rex = posh.share(Dog("Rex"))
        s = posh.share({rex, 1})
        self.assertIn(rex, s)
        self.assertNotIn(posh.share(Dog("Rex")), s)
        s.remove(rex)
        self.assertEqual(s, {1})
        plain = Dog("Fido")
        l = posh.share([plain, {plain}])
        self.assertIn(l[0], l[1])
        c = posh.unshare(l)
        self.assertIn(c[0], c[1])
        self.assertIs(type(c[0]), Dog)

    def test_iteration(self):
        s = posh.share(set(range(100)))
        with self.assertRaisesRegex(RuntimeError, "Set changed size"):
            for x in s:
                s.discard(x)
        s = posh.share(set(range(100)))
        it = iter(s)
        seen = [next(it)]
        pid = posh.forkcall(s.difference_update, range(50, 100))
        posh.waitall([pid])
        seen += it
        self.assertEqual(len(seen), len(set(seen)))
        self.assertLessEqual(set(range(50)), set(seen))
        self.assertLessEqual(set(seen), set(range(100)))

    def test_all_or_nothing(self):
        s = posh.share({1})
        self.assertRaises(ZeroDivisionError, s.update, [5], Raises())
        self.assertRaises(ZeroDivisionError, s.difference_update, Raises())
        self.assertEqual(s, {1})

    def test_policy(self):
        log = []

        class Log:
            def enter(self, x, opname):
                log.append(opname)

            def leave(self, x, state):
                pass

        posh.allow_sharing(set, synch=Log())
        try:
            s = posh.share({1})
            s.add(2)
            self.assertEqual(len(s), 2)
        finally:
            posh.allow_sharing(set, synch=posh.MONITOR)
        self.assertEqual(log, ["add", "__len__"])

    def test_processes(self):
        s = posh.set()

        def work(k):
            for i in range(200):
                s.add((k, i % 50))
                s.update({k, "all"})
                s.discard(k)
        pids = [posh.forkcall(work, k) for k in range(3)]
        self.assertEqual(set(posh.waitall(pids).values()), {0})
        self.assertEqual(s, {(k, i) for k in range(3) for i in range(50)}
                         | {"all"})

    def test_death_in_an_update(self):
        heap = posh.Heap()
        s = posh.set({0}, heap=heap)
        both = {"left", "right", 1 << 70}

        def work():
            while True:
                s.update(both)
                s.difference_update(both)
        for _ in range(10):
            pid = os.fork()
            if pid == 0:
                try:
                    work()
                finally:
                    os._exit(1)
            try:
                os.kill(pid, 0)
                for _ in range(50):
                    self.assertIn(len(s & both), (0, 3))
            finally:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            posh.reap()
            self.assertIn(len(s & both), (0, 3))
        self.assertEqual(heap.check(), [])

    def test_memory(self):
        heap = posh.Heap(max_size=64 << 20)
        s = posh.set(heap=heap)
        for _ in range(3):
            s |= {str(i) * 10 for i in range(1000)}
            s &= {1}
            gc.collect()
        del s
        self.assertEqual(heap.check(), [])
        heap.close()


if __name__ == "__main__":
    import tap
    tap.main()

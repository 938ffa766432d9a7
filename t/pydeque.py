# SPDX-License-Identifier: MIT
"""Shared deques against collections.deque."""
import collections
import copy
import json
import pickle
import random
import unittest

import posh

deque = collections.deque


def in_child(f, *args):
    pid = posh.forkcall(lambda: f(*args) and None)
    status = posh.waitall([pid])
    assert status == {pid: 0}, status


def outcome(f, d):
    """Return what f does to d: its result or its exception."""
    try:
        result = f(d)
    except Exception as e:
        return type(e)
    if result is d:
        return "itself"
    return result.__class__, result


class TwinTest(unittest.TestCase):
    """What is done to a shared deque and to its twin has one outcome."""

    def check(self, f, *args):
        for start in (deque(*args), deque(), deque("abc", 3)):
            p = posh.share(start)
            ours, theirs = outcome(f, p), outcome(f, start)
            self.assertEqual(ours, theirs)
            self.assertEqual(list(p), list(start))
            self.assertEqual(p.maxlen, start.maxlen)

    def test_methods(self):
        for f in (
            lambda d: d.append(1),
            lambda d: d.append(),
            lambda d: d.appendleft([1]),
            lambda d: d.extend("xyz"),
            lambda d: d.extend(d),
            lambda d: d.extend(5),
            lambda d: d.extendleft("xyz"),
            lambda d: d.extendleft(d),
            lambda d: d.pop(),
            lambda d: d.pop(1),
            lambda d: d.popleft(),
            lambda d: d.insert(2, "new"),
            lambda d: d.insert(-100, "new"),
            lambda d: d.insert("x", 1),
            lambda d: d.remove("c"),
            lambda d: d.remove("nothing"),
            lambda d: d.index("c"),
            lambda d: d.index("c", 1, 2),
            lambda d: d.count("a"),
            lambda d: d.rotate(),
            lambda d: d.rotate(2),
            lambda d: d.rotate(-100),
            lambda d: d.rotate("x"),
            lambda d: d.reverse(),
            lambda d: d.clear(),
            lambda d: d.copy(),
            lambda d: len(d),
            lambda d: bool(d),
            lambda d: "b" in d,
            lambda d: d[1],
            lambda d: d[-1],
            lambda d: d[100],
            lambda d: d[0:1],
            lambda d: d.__setitem__(1, [2]),
            lambda d: d.__setitem__(100, 2),
            lambda d: d.__delitem__(1),
            lambda d: d.__delitem__(-1),
            lambda d: d.__delitem__(100),
            lambda d: d + d,
            lambda d: d + deque("x"),
            lambda d: deque("x") + d,
            lambda d: d + [1],
            lambda d: d * 2,
            lambda d: 2 * d,
            lambda d: d.__iadd__("xyz"),
            lambda d: d.__imul__(3),
            lambda d: d.__imul__(0),
            lambda d: d == deque("abc"),
            lambda d: deque("abc") == d,
            lambda d: d == list(d),
            lambda d: d < deque("b"),
            lambda d: repr(d),
            lambda d: list(reversed(d)),
            lambda d: sorted(d),
            lambda d: (lambda *a: a)(*d),
            lambda d: f"{d}",
            lambda d: hash(d),
            lambda d: setattr(d, "maxlen", 5),
            lambda d: d.__init__("pq", 1),
        ):
            self.check(f, "abcbd")

    def test_random(self):
        """some thousand operations, with bounds and without"""
        rng = random.Random(5)
        for maxlen in (None, 0, 1, 7, 64):
            twin = deque(maxlen=maxlen)
            p = posh.share(twin)
            for _ in range(600):
                n = rng.randrange(-9, 10)
                x = rng.choice([n, str(n) * 9, float(n), [n], None])
                f = rng.choice(
                    [
                        lambda d: d.append(x),
                        lambda d: d.appendleft(x),
                        lambda d: d.extend([x] * abs(n)),
                        lambda d: d.extendleft([n, x]),
                        lambda d: d.pop(),
                        lambda d: d.popleft(),
                        lambda d: d.rotate(n),
                        lambda d: d.insert(n, x),
                        lambda d: d.__delitem__(n),
                        lambda d: d.__setitem__(n, x),
                        lambda d: d.reverse(),
                    ]
                )
                self.assertEqual(outcome(f, p), outcome(f, twin))
                self.assertEqual(list(p), list(twin))

    def test_in_place(self):
        """plain += shared extends the plain one in place"""
        plain = same = deque("a")
        plain += posh.share(deque("b"))
        self.assertIs(plain, same)
        self.assertEqual(plain, deque("ab"))


class DequeTest(unittest.TestCase):
    def test_is_one(self):
        p = posh.share(deque([1], 2))
        self.assertIsInstance(p, deque)
        self.assertIsInstance(p, collections.abc.MutableSequence)
        self.assertIs(p.__class__, deque)
        self.assertEqual(posh.deque([1, 2, 3], maxlen=2), deque([2, 3]))
        with self.assertRaises(ValueError):
            posh.deque(maxlen=-1)
        match p:
            case [1]:
                pass
            case _:
                self.fail("no sequence")

    def test_nested(self):
        """elements are shared, aliases and cycles are kept"""
        inner = [1]
        plain = deque([inner, inner], 5)
        plain.append(plain)
        p = posh.share({"d": plain})["d"]
        p[0].append(2)
        self.assertEqual(p[1], [1, 2])
        self.assertIs(p[0], p[1])
        self.assertIs(p[2], p)
        self.assertEqual(repr(p), "deque([[1, 2], [1, 2], [...]], maxlen=5)")
        u = posh.unshare(p)
        self.assertIs(type(u), deque)
        self.assertEqual(u.maxlen, 5)
        self.assertIs(u[0], u[1])
        self.assertIs(u[2], u)
        p.clear()
        with self.assertRaisesRegex(posh.NotShareableError, r"x\[1\]"):
            posh.share(deque([1, object()]))

    def test_copies(self):
        p = posh.share(deque([[1]], 3))
        c = copy.copy(p)
        self.assertIs(type(c), deque)
        self.assertIs(c[0], p[0])
        self.assertEqual(c.maxlen, 3)
        d = copy.deepcopy(p)
        self.assertFalse(posh.is_shared(d[0]))
        self.assertIs(pickle.loads(pickle.dumps(p)), p)
        self.assertEqual(json.dumps(list(p), default=posh.unshare), "[[1]]")

    def test_iteration(self):
        """changes of others don't disturb an iterator, own ones end it"""
        p = posh.share(deque(range(200)))
        it = iter(p)
        self.assertEqual([next(it) for _ in range(5)], [0, 1, 2, 3, 4])
        in_child(p.popleft)
        in_child(p.appendleft, "left")
        in_child(p.append, "right")
        self.assertEqual(list(it), [*range(5, 200), "right"])
        for change in (p.pop, p.rotate, lambda: p.append(1)):
            for begin in (iter, reversed):
                it = begin(p)
                next(it)
                change()
                with self.assertRaises(RuntimeError):
                    next(it)
        it = iter(p)
        next(it)
        p[1] = "set"
        self.assertEqual(next(it), "set")

    def test_mutating_compare(self):
        p = posh.share(deque([1, 2, 3]))

        class Mutating:
            def __eq__(self, other):
                p.append(4)
                return False

        for f in (p.count, p.index, p.__contains__):
            with self.assertRaises((RuntimeError, ValueError)):
                f(Mutating())
        with self.assertRaises(IndexError):
            p.remove(Mutating())

    def test_queue(self):
        """several consumers take each element once"""
        p = posh.share(deque())
        taken = posh.share([])

        def consume():
            while True:
                try:
                    x = p.popleft()
                except IndexError:
                    continue
                if x is None:
                    return
                taken.append(x)

        pids = [posh.forkcall(consume) for _ in range(3)]
        for i in range(2000):
            p.append(i)
        p.extend([None] * 3)
        self.assertEqual(set(posh.waitall(pids).values()), {0})
        self.assertEqual(sorted(taken), list(range(2000)))
        self.assertEqual(len(p), 0)

    def test_bounded(self):
        """a full deque is never longer, and loses the oldest"""
        p = posh.share(deque(maxlen=10))

        def produce(n):
            for i in range(500):
                p.append((n, i))
                assert len(p) <= 10

        pids = [posh.forkcall(produce, n) for n in range(3)]
        self.assertEqual(set(posh.waitall(pids).values()), {0})
        self.assertEqual(len(p), 10)
        for n in range(3):
            mine = [i for m, i in p if m == n]
            self.assertEqual(mine, sorted(mine))

    def test_policy(self):
        """a policy is called for each operation"""
        calls = []

        class Log:
            def enter(self, x, opname):
                calls.append(opname)

            def leave(self, x, state):
                pass

        posh.allow_sharing(deque, synch=Log())
        try:
            p = posh.share(deque())
            p.append(1)
            p.popleft()
        finally:
            posh.allow_sharing(deque)
        self.assertEqual(calls, ["append", "popleft"])

    def test_memory(self):
        with posh.Heap(max_size=1 << 26) as heap:
            heap.share(deque(["long text" * 9, []]))
            before = heap.stats().live_bytes
            p = heap.share(deque(maxlen=20))
            for i in range(300):
                p.append(["text " * 9])
                p.rotate(i)
            p.append(p)
            del p
            heap.collect()
            self.assertEqual(heap.stats().live_bytes, before)
            self.assertEqual(heap.check(), [])


if __name__ == "__main__":
    import tap

    tap.main()

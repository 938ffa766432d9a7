# SPDX-License-Identifier: MIT
"""Policies: MONITOR, None, and objects of one's own; synchronized()."""
import os
import pickle
import signal
import time
import unittest

import posh


def pause(ready, stop):
    """Say that we are here, and wait; not for ever, if the test fails."""
    signal.alarm(60)
    os.write(ready, b"x")
    os.read(stop, 1)


class Log:
    """A policy that notes all calls."""

    def __init__(self):
        self.calls = []

    def enter(self, x, opname):
        self.calls.append(("enter", opname))
        return opname

    def leave(self, x, state):
        self.calls.append(("leave", state))

    def take(self):
        calls, self.calls = self.calls, []
        return calls


def make(policy):
    class Thing:
        def __init__(self):
            self.n = 0

        def bump(self):
            self.n += 1
            return self.n

        def outer(self):
            return self.bump()

        @property
        def double(self):
            return 2 * self.n

        @double.setter
        def double(self, value):
            self.n = value // 2

        def __len__(self):
            return self.n

        def fail(self):
            raise KeyError

    posh.allow_sharing(Thing, synch=policy)
    return Thing


class CustomTest(unittest.TestCase):
    def setUp(self):
        self.log = Log()
        self.p = posh.share(make(self.log)())
        self.log.take()

    def test_calls(self):
        """enter and leave are called around methods and properties"""
        self.assertEqual(self.p.bump(), 1)
        self.assertEqual(
            self.log.take(), [("enter", "bump"), ("leave", "bump")]
        )
        self.p.double = 6
        self.assertEqual((self.p.double, len(self.p)), (6, 3))
        self.assertEqual(
            [name for what, name in self.log.take() if what == "enter"],
            ["double", "double", "__len__"],
        )

    def test_nested(self):
        self.p.outer()
        self.assertEqual(
            self.log.take(),
            [
                ("enter", "outer"),
                ("enter", "bump"),
                ("leave", "bump"),
                ("leave", "outer"),
            ],
        )

    def test_attributes(self):
        """single attributes are no calls"""
        self.p.n = 4
        self.assertEqual(self.p.n, 4)
        self.assertEqual(self.log.take(), [])

    def test_error(self):
        """leave is called in any case"""
        with self.assertRaises(KeyError):
            self.p.fail()
        self.assertEqual(
            self.log.take(), [("enter", "fail"), ("leave", "fail")]
        )

    def test_error_in_policy(self):
        """what enter raises prevents the call, what leave raises is raised"""

        class Bad:
            def enter(self, x, opname):
                if opname == "bump":
                    raise ZeroDivisionError

            def leave(self, x, state):
                raise OverflowError

        p = posh.share(make(Bad())())
        with self.assertRaises(ZeroDivisionError):
            p.bump()
        self.assertEqual(p.n, 0)
        with self.assertRaises(OverflowError) as caught:
            p.fail()
        self.assertIsInstance(caught.exception.__context__, KeyError)

    def test_monitor_by_hand(self):
        """a policy may use MONITOR's enter and leave"""

        class Loud(Log):
            def enter(self, x, opname):
                super().enter(x, opname)
                return posh.MONITOR.enter(x, opname)

            def leave(self, x, state):
                posh.MONITOR.leave(x, state)

        p = posh.share(make(Loud())())

        def child():
            for _ in range(500):
                p.bump()

        pids = [posh.forkcall(child) for _ in range(2)]
        self.assertEqual(set(posh.waitall(pids).values()), {0})
        self.assertEqual(p.n, 1000)

    def test_builtin(self):
        """lists and dicts, too"""
        log = Log()
        posh.allow_sharing(list, synch=log)
        posh.allow_sharing(dict, synch=log)
        try:
            p = posh.share({"a": [1]})
            log.take()
            a = p["a"]
            a.append(2)
            self.assertEqual(len(a), 2)
            self.assertEqual(
                [name for what, name in log.take() if what == "enter"],
                ["__getitem__", "append", "__len__"],
            )
            self.assertEqual(p, {"a": [1, 2]})
            self.assertIsInstance(a, list)
            with self.assertRaises(IndexError):
                a[9]
            self.assertEqual(log.calls[-1], ("leave", "__getitem__"))
        finally:
            posh.allow_sharing(list)
            posh.allow_sharing(dict)
        p = posh.share([1])
        log.take()
        p.append(2)
        self.assertEqual(log.take(), [])


class BuiltinPolicyTest(unittest.TestCase):
    def test_nosynch(self):
        """without a policy, methods are not inside the monitor"""

        class Free:
            def inside(self):
                return posh._posh._unlock(self)

        posh.allow_sharing(Free, synch=posh.NOSYNCH)
        self.assertFalse(posh.share(Free()).inside())

    def test_synch_attribute(self):
        """__synch__ says which policy it is"""
        log = Log()
        for policy in (posh.MONITOR, None, log):
            p = posh.share(make(policy)())
            self.assertIs(type(p).__synch__, policy)
        for x in ([], {}):
            self.assertIs(posh.share(x).__synch__, posh.MONITOR)
        self.assertIsNone(posh.nslist.__synch__)

    def test_monitor_object(self):
        self.assertEqual(repr(posh.MONITOR), "posh.MONITOR")
        self.assertIs(pickle.loads(pickle.dumps(posh.MONITOR)), posh.MONITOR)

    def test_nslist(self):
        p = posh.nslist([1, 2])
        p.append(3)
        self.assertEqual(p, [1, 2, 3])
        self.assertTrue(posh.is_shared(p))
        self.assertIsInstance(p, list)


class SynchronizedTest(unittest.TestCase):
    def test_one(self):
        """several operations are one"""
        p = posh.share([0])

        def child():
            for _ in range(500):
                with posh.synchronized(p):
                    n = p[0]
                    p[0] = n + 1

        pids = [posh.forkcall(child) for _ in range(2)]
        child()
        self.assertEqual(set(posh.waitall(pids).values()), {0})
        self.assertEqual(p[0], 1500)

    def test_order(self):
        """any order of the objects will do"""
        a, b = posh.share([0]), posh.share({"n": 0})

        def child(x, y):
            for _ in range(300):
                with posh.synchronized(x, y):
                    a[0] += 1
                    b["n"] -= 1

        pids = [posh.forkcall(child, a, b), posh.forkcall(child, b, a)]
        self.assertEqual(set(posh.waitall(pids).values()), {0})
        self.assertEqual((a[0], b["n"]), (600, -600))

    def test_value(self):
        a, b = posh.share([0]), posh.share({})
        with posh.synchronized(a) as x:
            self.assertIs(x, a)
            with posh.synchronized(a, b) as (x, y):
                self.assertIs(y, b)
        self.assertFalse(posh._posh._unlock(a))
        self.assertFalse(posh._posh._unlock(b))

    def test_error(self):
        a = posh.share([0])
        with self.assertRaises(KeyError):
            with posh.synchronized(a):
                raise KeyError
        self.assertFalse(posh._posh._unlock(a))

    def test_timeout(self):
        """who can't enter in time gets LockTimeoutError, and nothing"""
        a, b = posh.share([0]), posh.share([])
        ready, stop = os.pipe(), os.pipe()

        def child():
            with posh.synchronized(a):
                pause(ready[1], stop[0])

        pid = posh.forkcall(child)
        os.read(ready[0], 1)
        start = time.monotonic()
        with self.assertRaises(posh.LockTimeoutError):
            with posh.synchronized(b, a, timeout=0.1):
                self.fail("entered")
        self.assertGreaterEqual(time.monotonic() - start, 0.09)
        self.assertFalse(posh._posh._unlock(b))
        with self.assertRaises(posh.LockTimeoutError):
            with posh.synchronized(a, timeout=0):
                self.fail("entered")
        os.write(stop[1], b"x")
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        with posh.synchronized(a, timeout=1):
            pass
        for fd in ready + stop:
            os.close(fd)

    def test_deadlock(self):
        """a circle of waits is an error in one of them"""
        a, b = posh.share([]), posh.share([])
        first, second = os.pipe(), os.pipe()

        def child():
            with posh.synchronized(b):
                pause(first[1], second[0])
                try:
                    with posh.synchronized(a):
                        return 0
                except posh.DeadlockError:
                    return 1

        pid = posh.forkcall(child)
        mine = 0
        with posh.synchronized(a):
            os.read(first[0], 1)
            os.write(second[1], b"x")
            try:
                with posh.synchronized(b, timeout=20):
                    pass
            except posh.DeadlockError:
                mine = 1
        theirs = os.WEXITSTATUS(posh.waitall([pid])[pid])
        self.assertEqual(mine + theirs, 1)
        for fd in first + second:
            os.close(fd)

    def test_bad(self):
        with self.assertRaises(TypeError):
            posh.synchronized()
        with self.assertRaises(TypeError):
            posh.synchronized([1])
        with self.assertRaises(ValueError):
            with posh.synchronized(posh.share([]), timeout=-1):
                pass


if __name__ == "__main__":
    import tap

    tap.main()

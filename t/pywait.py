# SPDX-License-Identifier: MIT
"""Waiting for a monitor: other threads run, signals are handled, circles are
noticed, and the dead are not waited for."""
import os
import signal
import threading
import time
import unittest

import posh

LONG = 60.0  # seconds: what takes so long has failed


def wait_for(condition):
    end = time.monotonic() + LONG
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.001)


class Holder:
    """A process that is inside the monitor of x until told."""

    def __init__(self, x, work=None):
        self.flags = posh.list([0, 0])
        self.pid = posh.forkcall(self.hold, x, work)
        wait_for(lambda: self.flags[0])

    def hold(self, x, work):
        with posh.synchronized(x):
            if work:
                work(x)
            self.flags[0] = 1
            wait_for(lambda: self.flags[1])

    def release(self):
        self.flags[1] = 1
        assert posh.waitall([self.pid]) == {self.pid: 0}


class WaitTest(unittest.TestCase):
    def test_other_threads_run_meanwhile(self):
        p = posh.list()
        holder = Holder(p)
        done = []
        t = threading.Thread(target=lambda: (p.append(1), done.append(1)))
        t.start()
        count = 0
        while count < 100000:
            count += 1
        self.assertEqual(done, [])
        self.assertEqual(p, [])
        holder.release()
        t.join(LONG)
        self.assertEqual((done, p), ([1], [1]))

    def test_readers_see_nothing_half_done(self):
        p = posh.list([1, 2])
        holder = Holder(p, lambda p: p.append(3))
        seen = []
        t = threading.Thread(target=lambda: seen.append(p[:]))
        t.start()
        time.sleep(0.02)
        self.assertEqual(seen, [])
        holder.release()
        t.join(LONG)
        self.assertEqual(seen, [[1, 2, 3]])

    def test_a_handler_ends_the_wait(self):
        class Stop(Exception):
            pass

        def handler(number, frame):
            raise Stop

        old = signal.signal(signal.SIGALRM, handler)
        for operate in (lambda p: p.append(1), lambda p: p.sort(),
                        lambda p: p.extend([1, 2]),
                        lambda p: p.__delitem__(slice(0, 1)),
                        lambda p: posh.synchronized(p).__enter__()):
            p = posh.list([1])
            holder = Holder(p)
            with self.assertRaises(Stop):
                signal.setitimer(signal.ITIMER_REAL, 0.02)
                operate(p)
            holder.release()
            self.assertEqual(p, [1])
        signal.signal(signal.SIGALRM, old)

    def test_a_handler_that_returns_does_not(self):
        p = posh.dict()
        holder = Holder(p)
        calls = []

        def handler(number, frame):
            calls.append(number)
            if len(calls) == 5:
                holder.flags[1] = 1

        old = signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        p["a"] = 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
        self.assertGreaterEqual(len(calls), 5)
        holder.release()
        self.assertEqual(p, {"a": 1})

    def test_a_killed_owner_is_not_waited_for(self):
        p = posh.list([1, 2, 3])
        holder = Holder(p, lambda p: p.append(4))
        t = threading.Thread(target=lambda: p.append(5))
        t.start()
        os.kill(holder.pid, signal.SIGKILL)
        t.join(LONG)
        self.assertFalse(t.is_alive())
        self.assertEqual(p, [1, 2, 3, 4, 5])
        os.waitpid(holder.pid, 0)
        self.assertEqual(posh.default_heap().check(), [])

    def test_a_circle_is_noticed(self):
        a, b = posh.list(), posh.list()
        inside = posh.list([0, 0])

        def enter(me, first, second):
            with posh.synchronized(first):
                inside[me] = 1
                wait_for(lambda: inside[1 - me])
                try:
                    with posh.synchronized(second):
                        second.append(me)
                except posh.DeadlockError:
                    raise SystemExit(3)

        pids = [posh.forkcall(enter, 0, a, b), posh.forkcall(enter, 1, b, a)]
        ends = sorted(os.WEXITSTATUS(s)
                      for s in posh.waitall(pids).values())
        self.assertIn(ends, ([0, 3], [3, 3]))
        self.assertEqual(len(a) + len(b), ends.count(0))

    def test_closing_while_a_thread_waits(self):
        h = posh.Heap(max_size=4 << 20)
        p = posh.list(heap=h)
        holder = Holder(p)
        t = threading.Thread(target=p.append, args=(1,))
        t.start()
        wait_for(lambda: h._waiting)
        self.assertRaises(RuntimeError, h.close)
        pid = posh.forkcall(h.close)  # the child has no such thread
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        holder.release()
        t.join(LONG)
        self.assertEqual(p, [1])
        h.close()
        self.assertRaises(posh.ClosedError, p.append, 2)

    def test_threads_count(self):
        p = posh.list([0])

        def work():
            for _ in range(300):
                with posh.synchronized(p):
                    p[0] += 1

        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(LONG)
        self.assertEqual(p[0], 1200)

    def test_processes_count(self):
        p = posh.dict(n=0)
        q = posh.list()

        def work(me):
            for i in range(300):
                with posh.synchronized(p):
                    p["n"] += 1
                q.append((me, i))

        pids = [posh.forkcall(work, i) for i in range(3)]
        self.assertEqual(set(posh.waitall(pids).values()), {0})
        self.assertEqual(p["n"], 900)
        self.assertEqual(sorted(q), [(m, i) for m in range(3)
                                     for i in range(300)])
        for me in range(3):
            self.assertEqual([i for m, i in q if m == me], list(range(300)))

    def test_readers_beside_a_writer(self):
        p = posh.list([7] * 50)
        d = posh.dict(a=(1, 1), b="x" * 50)
        stop = posh.list([0])

        def write():
            i = 0
            while not stop[0]:
                i += 1
                p[:] = [i] * (50 + i % 3)
                d.update(a=(i, i), b=str(i % 10) * 50)

        pid = posh.forkcall(write)
        for _ in range(1500):
            x = p[:]
            self.assertEqual(len(set(x)), 1)
            self.assertEqual(len(x), 50 + x[0] % 3 if x[0] != 7 else len(x))
            a, b = d["a"]
            self.assertEqual(a, b)
            self.assertEqual(len(set(d["b"])), 1)
            c = d.copy()
            self.assertTrue(c["b"][0] in ("x", str(c["a"][0] % 10)))
            self.assertLessEqual(len(list(p)), 52)
        stop[0] = 1
        self.assertEqual(posh.waitall([pid]), {pid: 0})


if __name__ == "__main__":
    import tap
    tap.main()

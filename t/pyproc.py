# SPDX-License-Identifier: MIT
"""Processes: fork, forkcall, waitall, multiprocessing, pickled proxies."""
import concurrent.futures
import gc
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from unittest import mock

import posh
from posh import _ticket

LIMIT = 30  # seconds until something counts as hanging


@posh.shareable
class Counter:
    def __init__(self):
        self.n = 0

    def add(self, k):
        n = self.n
        self.n = n + k


def append(x, value):
    x.append(value)


def first(x):
    return x[0]


def add(counter, k):
    counter.add(k)


def pair(x):
    return posh.share([x, [x]])


def put(queue, n):
    queue.put(posh.share([n]))


def in_grandchild(context, x):
    p = multiprocessing.get_context(context).Process(target=append, args=(x, 3))
    p.start()
    p.join()


def same_default(number):
    return posh.default_heap()._id == number


class ForkTest(unittest.TestCase):
    def test_forkcall(self):
        """both processes change one object"""
        p = posh.share({"a": [1]})
        pid = posh.forkcall(p["a"].append, 2)
        p["b"] = 3
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertEqual(p, {"a": [1, 2], "b": 3})

    def test_status(self):
        """the child exits with what the function returns"""
        with mock.patch("sys.stderr", open(os.devnull, "w")) as devnull:
            cases = {
                posh.forkcall(lambda: None): 0,
                posh.forkcall(lambda: 7): 7,
                posh.forkcall(lambda: True): 1,
                posh.forkcall(lambda: "text"): 1,
                posh.forkcall(lambda: 1 / 0): 1,
                posh.forkcall(sys.exit, 5): 5,
                posh.forkcall(sys.exit): 0,
                posh.forkcall(int, "12"): 12,
                posh.forkcall(pow, 2, 40): 0,
            }
            statuses = posh.waitall(cases)
            devnull.close()
        self.assertEqual(
            {p: os.WEXITSTATUS(s) for p, s in statuses.items()}, cases
        )

    def test_keywords(self):
        p = posh.share([3, 1, 2])
        pid = posh.forkcall(p.sort, reverse=True)
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertEqual(p, [3, 2, 1])

    def test_waitall(self):
        """without pids, all children are waited for"""
        pids = [posh.forkcall(posh.sleep, 0.01) for _ in range(3)]
        self.assertEqual(posh.waitall(), dict.fromkeys(pids, 0))
        self.assertEqual(posh.waitall(), {})

    def test_killed(self):
        pid = posh.forkcall(time.sleep, LIMIT)
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(posh.waitall([pid]), {pid: signal.SIGKILL})

    def test_fork(self):
        p = posh.share([])
        pid = posh.fork()
        if pid == 0:
            p.append(posh.getpid())
            posh._exit(3)
        self.assertEqual(posh.waitpid(pid, 0), (pid, 3 << 8))
        self.assertEqual(p, [pid])

    def test_os_fork(self):
        p = posh.share([[]])
        inner = p[0]
        pid = os.fork()
        if pid == 0:
            inner.append(1)
            p.append(p[0])
            os._exit(0)
        os.waitpid(pid, 0)
        self.assertEqual(p, [[1], [1]])
        self.assertIs(p[1], inner)

    def test_made_in_child(self):
        """what a child makes stays, also when the child is gone"""
        p = posh.share([])

        def child():
            c = posh.share(Counter())
            c.n = ["long text " * 9]
            p.append(c)
            p.append({"x": [1, c]})

        pid = posh.forkcall(child)
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertEqual(p[0].n, ["long text " * 9])
        self.assertIs(p[1]["x"][1], p[0])

    def test_generations(self):
        """grandchildren share as well"""
        p = posh.share([])

        def child():
            p.append(1)
            pid = posh.forkcall(p.append, 2)
            return posh.waitall([pid])[pid]

        pid = posh.forkcall(child)
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertEqual(p, [1, 2])

    def test_monitor(self):
        """no update is lost in a method"""
        c = posh.share(Counter())

        def child():
            for _ in range(2000):
                c.add(1)

        pids = [posh.forkcall(child) for _ in range(3)]
        child()
        self.assertEqual(set(posh.waitall(pids).values()), {0})
        self.assertEqual(c.n, 8000)

    def test_new_attribute(self):
        """an attribute that another process made first is found"""
        c = posh.share(Counter())
        with self.assertRaises(AttributeError):
            c.brand_new
        c.add(0)

        def child():
            c.brand_new = [1]
            c.add = "hidden"

        pid = posh.forkcall(child)
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertEqual(c.brand_new, [1])
        self.assertEqual(c.add, "hidden")

    def test_fork_inside(self):
        """a child that is forked inside a monitor is not inside"""

        class Forks:
            def go(self):
                return os.fork()

        posh.allow_sharing(Forks)
        x = posh.share(Forks())
        pid = x.go()
        if pid == 0:
            os._exit(posh._posh._unlock(x))
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertFalse(posh._posh._unlock(x))

    def test_dies_inside(self):
        """a process that dies inside a method blocks nobody"""
        c = posh.share(Counter())

        def child():
            with posh.synchronized(c):
                c.n = 5
                os.kill(os.getpid(), signal.SIGKILL)

        pid = posh.forkcall(child)
        self.assertEqual(posh.waitall([pid]), {pid: signal.SIGKILL})
        c.add(1)
        self.assertEqual(c.n, 6)

    def test_threads(self):
        """threads of several processes use one object"""
        c = posh.share(Counter())

        def work():
            for _ in range(300):
                c.add(1)

        def child():
            threads = [threading.Thread(target=work) for _ in range(3)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()

        pids = [posh.forkcall(child) for _ in range(2)]
        child()
        self.assertEqual(set(posh.waitall(pids).values()), {0})
        self.assertEqual(c.n, 2700)

    def test_fork_beside_threads(self):
        """a fork while another thread writes is safe"""
        p = posh.share([0])
        stop = threading.Event()

        def work():
            while not stop.is_set():
                p[0] += 1
                p.append(1)
                p.pop()

        t = threading.Thread(target=work)
        t.start()
        try:
            for _ in range(20):
                pid = posh.forkcall(p.count, 5)
                self.assertEqual(posh.waitall([pid]), {pid: 0})
                q = posh.share([])
                pid = posh.forkcall(append, q, 1)
                self.assertEqual(posh.waitall([pid]), {pid: 0})
                self.assertEqual(q, [1])
        finally:
            stop.set()
            t.join(LIMIT)

    def test_leaves(self):
        """a child that has ended is no member any more"""
        p = posh.share([1])
        heap = posh.default_heap()
        before = heap.stats().members
        for _ in range(5):
            pid = posh.forkcall(p.append, 1)
            self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertEqual(heap.stats().members, before)


class MultiprocessingTest(unittest.TestCase):
    METHODS = ("fork", "spawn", "forkserver")

    def each(self, *methods):
        for method in methods or self.METHODS:
            with self.subTest(method=method):
                yield multiprocessing.get_context(method)

    def test_process(self):
        """an argument of a Process, by every start method"""
        for context in self.each():
            p = posh.share([1])
            q = posh.share({"p": p})
            c = posh.share(Counter())
            child = context.Process(target=append, args=(q["p"], 2))
            other = context.Process(target=add, args=(c, 5))
            child.start()
            other.start()
            child.join(LIMIT)
            other.join(LIMIT)
            self.assertEqual((child.exitcode, other.exitcode), (0, 0))
            self.assertEqual(p, [1, 2])
            self.assertEqual(c.n, 5)

    def test_pool(self):
        """arguments and results of a Pool"""
        for context in self.each():
            with context.Pool(2) as pool:
                p = posh.share([[5]])
                self.assertEqual(pool.map(first, [p] * 4), [[5]] * 4)
                r = pool.apply(pair, (p,))
                self.assertIs(r[0], p)
                self.assertIs(r[1][0], p)
                self.assertTrue(
                    pool.apply(same_default, (posh.default_heap()._id,))
                )
                pool.map(append, [], 1)
                pool.starmap(append, [(p, i) for i in range(10)])
            self.assertEqual(sorted(p[1:]), list(range(10)))

    def test_queue(self):
        """through a Queue, also when the sender is gone"""
        for context in self.each("fork", "spawn"):
            queue = context.Queue()
            child = context.Process(target=put, args=(queue, 7))
            child.start()
            x = queue.get(timeout=LIMIT)
            child.join(LIMIT)
            self.assertEqual(x, [7])
            x.append(8)
            p = posh.share([x])
            self.assertIs(p[0], x)
            queue.close()
            queue.join_thread()

    def test_sender_gone(self):
        queue = multiprocessing.get_context("fork").Queue()
        child = multiprocessing.get_context("fork").Process(
            target=put, args=(queue, 7)
        )
        child.start()
        child.join(LIMIT)
        self.assertEqual(queue.get(timeout=LIMIT), [7])
        queue.close()
        queue.join_thread()

    def test_grandchild(self):
        """a grandchild has the heap as well"""
        for context in self.each("fork", "spawn"):
            p = posh.share([])
            child = context.Process(
                target=in_grandchild, args=(context.get_start_method(), p)
            )
            child.start()
            child.join(LIMIT)
            self.assertEqual(p, [3])

    def test_preload(self):
        """a forkserver that has imported posh already"""
        program = (
            "import multiprocessing, operator, posh;"
            "c = multiprocessing.get_context('forkserver');"
            "c.set_forkserver_preload(['posh']);"
            "p = posh.share([[5]]); pool = c.Pool(1);"
            "assert pool.apply(operator.getitem, (p, 0)) is p[0];"
            "assert pool.apply(posh.default_heap)._id"
            " == posh.default_heap()._id; pool.terminate()"
        )
        subprocess.run(
            [sys.executable, "-c", program], check=True, timeout=LIMIT
        )

    def test_manager_and_pipe(self):
        p = posh.share([[5]])
        with multiprocessing.get_context("spawn").Manager() as manager:
            queue = manager.Queue()
            queue.put(p)
            self.assertIs(queue.get(), p)
        a, b = multiprocessing.Pipe()
        a.send(p)
        self.assertIs(b.recv(), p)
        a.close()
        b.close()

    def test_executor(self):
        for context in self.each("fork", "spawn"):
            p = posh.share([[1], [2]])
            with concurrent.futures.ProcessPoolExecutor(
                2, mp_context=context
            ) as executor:
                results = list(executor.map(first, [p] * 3))
            self.assertTrue(all(r is p[0] for r in results))

    def test_other_heap(self):
        """every anonymous heap comes along"""
        with posh.Heap(max_size=1 << 26) as heap:
            for context in self.each("fork", "spawn"):
                p = heap.share([])
                child = context.Process(target=append, args=(p, 2))
                child.start()
                child.join(LIMIT)
                self.assertEqual(p, [2])
                del p

    def test_subprocess(self):
        """a program finds a heap by its descriptor"""
        heap = posh.default_heap()
        heap.root["answer"] = [42]
        program = (
            "import posh, sys; h = posh.Heap(fd=int(sys.argv[1]));"
            "h.root['answer'].append(43)"
        )
        fd = heap.fileno()
        subprocess.run(
            [sys.executable, "-c", program, str(fd)],
            pass_fds=[fd],
            check=True,
            timeout=LIMIT,
        )
        self.assertEqual(heap.root.pop("answer"), [42, 43])


class TicketTest(unittest.TestCase):
    def test_round_trip(self):
        """pickling gives the same object"""
        for x in ([1], {"a": 1}, Counter()):
            p = posh.share(x)
            self.assertIs(pickle.loads(pickle.dumps(p)), p)
            q, r = pickle.loads(pickle.dumps([p, (p,)]))
            self.assertIs(q, p)
            self.assertIs(r[0], p)

    def test_twice(self):
        """a pickle can be read more than once"""
        p = posh.share([1])
        data = pickle.dumps(p)
        self.assertIs(pickle.loads(data), pickle.loads(data))

    def test_keeps_alive(self):
        """an object lives while it is on its way"""
        data = pickle.dumps(posh.share(["alive"]))
        gc.collect()
        self.assertEqual(pickle.loads(data), ["alive"])

    def test_bounded(self):
        """one object takes one ticket"""
        tickets = _ticket._tickets(posh.default_heap())
        p = posh.share([1])
        pickle.dumps(p)
        before = len(tickets)
        for _ in range(500):
            pickle.dumps(p)
        self.assertEqual(len(tickets), before)

    def test_renewed(self):
        """pickling again prolongs the ticket"""
        tickets = _ticket._tickets(posh.default_heap())
        tickets.clear()
        p = posh.share([1])
        pickle.dumps(p)
        (ticket,) = tickets.values()
        ticket[1] = time.time() + 1
        pickle.dumps(p)
        self.assertGreater(ticket[1], time.time() + _ticket.CLAIMED)

    def test_expires(self):
        """tickets are given back; a late claim says what to do"""
        tickets = _ticket._tickets(posh.default_heap())
        tickets.clear()
        with mock.patch.object(_ticket, "UNCLAIMED", -1.0):
            data = pickle.dumps(posh.share([1]))
            for i in range(3 * _ticket._SWEEP):
                pickle.dumps(posh.share([i]))
        self.assertLessEqual(len(tickets), _ticket._SWEEP + 1)
        with self.assertRaisesRegex(posh.StaleReferenceError, "unshare"):
            pickle.loads(data)

    def test_claimed(self):
        """a claimed ticket lives on for a while"""
        tickets = _ticket._tickets(posh.default_heap())
        tickets.clear()
        data = pickle.dumps(posh.share([1]))
        (ticket,) = tickets.values()
        self.assertGreater(ticket[1], time.time() + _ticket.CLAIMED + 1)
        pickle.loads(data)
        self.assertLess(ticket[1], time.time() + _ticket.CLAIMED + 1)
        self.assertEqual(pickle.loads(data), [1])

    def test_other_heap_of_that_name(self):
        """nor is another heap taken for it that has its name now"""
        with tempfile.TemporaryDirectory() as directory:
            name = os.path.join(directory, "heap")
            with posh.Heap(name, max_size=1 << 26) as heap:
                data = pickle.dumps(heap.share([1]))
                self.assertEqual(pickle.loads(data), [1])
                heap.unlink()
            del heap
            gc.collect()
            with posh.Heap(name, max_size=1 << 26):
                with self.assertRaises(posh.StaleReferenceError):
                    pickle.loads(data)

    def test_no_such_heap(self):
        """a heap that this process doesn't have is a clear error"""
        heap = posh.Heap(max_size=1 << 26)
        data = pickle.dumps(heap.share([1]))
        heap.close()
        del heap
        gc.collect()
        with self.assertRaises(posh.StaleReferenceError):
            pickle.loads(data)


if __name__ == "__main__":
    import tap

    tap.main()

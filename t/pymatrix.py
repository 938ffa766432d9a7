# SPDX-License-Identifier: MIT
"""Each way to start a process, with each way for an object to get there.

The rows are fork, spawn and forkserver of multiprocessing, and programs that
attach to a heap by name; the columns are the methods of Cells.  Then Pool,
managers, executors, joblib, classes of __main__, keys under two hash seeds,
and the tickets that pickled proxies travel with.
"""
import concurrent.futures
import gc
import importlib.util
import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from unittest import mock

import posh
from posh import _ticket

LIMIT = 60  # seconds until something counts as hanging
METHODS = ("fork", "spawn", "forkserver")


@posh.shareable
class Counter:
    """A user class that multiprocessing's children import."""

    def __init__(self):
        self.n = 0
        self.log = []

    def add(self, k):
        self.n += k

    @property
    def twice(self):
        return 2 * self.n


class Trouble(Exception):
    """An exception that carries an object."""


#
# What children run.
#


def serve(take, give, given):
    """Do what is asked for, by name, until that is None."""
    while True:
        task = take()
        if task is None:
            break
        name, args = task
        try:
            give((True, globals()[name](given, *args)))
        except Exception as e:
            give((False, e))


def serve_queues(inbox, outbox, given):
    serve(inbox.get, outbox.put, given)


def serve_program(path):
    """The same for a program that was only told the heap's name."""
    heap = posh.attach(path)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def give(x):
        pickle.dump(x, out)
        out.flush()

    serve(lambda: pickle.load(sys.stdin.buffer), give, heap.root["given"])


def use_given(given):
    given.append("seen")
    return len(given)


def make(given):
    made = posh.share([1, {"k": []}], heap=posh._posh._heap_of(given))
    given.append(made)
    return made


def extend(given, x, *items):
    x.extend(items)
    return x


def change_nested(given, x):
    inner = x["a"][1]["b"]
    inner.append(2)
    x["again"] = inner
    x["alias"] = x["a"][1]["b"] is x["c"][0]
    return {"plain": [inner, (inner, 1)]}


def use_counter(given, c):
    right = isinstance(c, Counter) and type(c).__name__ == "Counter"
    c.add(5)
    c.log.append(c.twice)
    c.new = {"me": c}
    return right, c


def fail(given, x):
    raise Trouble("no", x, {"in": [x]})


def work_in_threads(given, c):
    def work():
        for _ in range(100):
            c.add(1)
        c.log.append("thread")

    threads = [threading.Thread(target=work) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def change_array(given, a):
    import numpy

    right = isinstance(a, numpy.ndarray)
    a[1] = 7.5
    a[2:] *= 2
    return right, a


#
# The matrix.
#


class Peer:
    """A child that serves, and the way to it."""

    def __init__(self, method):
        self.method = method
        self.context = multiprocessing.get_context(method)
        self.given = posh.share(["given"])
        self.inbox = self.context.Queue()
        self.outbox = self.context.Queue()
        self.child = self.context.Process(
            target=serve_queues, args=(self.inbox, self.outbox, self.given)
        )
        self.child.start()

    heap = None

    def put(self, task):
        self.inbox.put(task)

    def get(self):
        return self.outbox.get(timeout=LIMIT)

    def call(self, function, *args):
        self.put((function.__name__, args))
        good, x = self.get()
        if not good:
            raise x
        return x

    def end(self):
        self.put(None)
        self.child.join(LIMIT)
        for queue in (self.inbox, self.outbox):
            queue.close()
            queue.join_thread()
        return self.child.exitcode


class Program(Peer):
    """A program that has the heap by its name, and its standard files."""

    method = "subprocess"

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory()
        path = os.path.join(self.directory.name, "heap")
        self.heap = posh.Heap(path, create=True, max_size=1 << 28)
        self.given = self.heap.root["given"] = ["given"]
        self.given = self.heap.root["given"]
        self.child = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import pymatrix, sys; pymatrix.serve_program(sys.argv[1])",
                path,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def put(self, task):
        pickle.dump(task, self.child.stdin)
        self.child.stdin.flush()

    def get(self):
        return pickle.load(self.child.stdout)

    def end(self):
        self.put(None)
        self.child.wait(LIMIT)
        self.child.stdin.close()
        self.child.stdout.close()
        self.given = self.heap = None
        gc.collect()
        self.directory.cleanup()
        return self.child.returncode


class Cells:
    """The columns: one test for each."""

    @classmethod
    def setUpClass(cls):
        cls.peer = cls.start()

    @classmethod
    def tearDownClass(cls):
        status = cls.peer.end()
        if status:
            raise AssertionError(f"the child exited with {status}")

    def shortDescription(self):
        return f"{self.peer.method}: {self._testMethodName[5:]}"

    def share(self, x):
        return posh.share(x, heap=self.peer.heap)

    def test_argument(self):
        """what the child was started with is the same object"""
        given = self.peer.given
        n = len(given)
        self.assertEqual(self.peer.call(use_given), n + 1)
        self.assertEqual(given[-1], "seen")

    def test_result(self):
        """what the child makes is the parent's as well"""
        made = self.peer.call(make)
        self.assertTrue(posh.is_shared(made))
        self.assertIs(made, self.peer.given[-1])
        self.assertEqual(made, [1, {"k": []}])
        made[1]["k"].append("from the parent")
        back = self.peer.call(extend, made, 2)
        self.assertIs(back, made)
        self.assertEqual(made, [1, {"k": ["from the parent"]}, 2])

    def test_queue(self):
        """many on their way at once arrive in order, each as itself"""
        lists = [self.share([i]) for i in range(40)]
        for x in lists:
            self.peer.put(("extend", (x, "there")))
        for i, x in enumerate(lists):
            good, back = self.peer.get()
            self.assertTrue(good)
            self.assertIs(back, x)
            self.assertEqual(x, [i, "there"])

    def test_nested(self):
        """in containers, shared and plain, with aliases"""
        inner = self.share([1])
        x = self.share({"a": [0, {"b": inner}], "c": (inner,)})
        plain = self.peer.call(change_nested, x)["plain"]
        self.assertEqual(inner, [1, 2])
        self.assertIs(plain[0], inner)
        self.assertIs(plain[1][0], inner)
        self.assertIs(x["again"], inner)
        self.assertIs(x["alias"], True)

    def test_class(self):
        """an instance of a user class, its methods and attributes"""
        c = self.share(Counter())
        right, back = self.peer.call(use_counter, c)
        self.assertTrue(right)
        self.assertIs(back, c)
        self.assertEqual((c.n, c.log), (5, [10]))
        self.assertIs(c.new["me"], c)

    def test_exception(self):
        """an exception that carries it"""
        x = self.share(["cargo"])
        with self.assertRaises(Trouble) as caught:
            self.peer.call(fail, x)
        text, cargo, more = caught.exception.args
        self.assertEqual(text, "no")
        self.assertIs(cargo, x)
        self.assertIs(more["in"][0], x)

    def test_threads(self):
        """threads of the child and of the parent change one object"""
        c = self.share(Counter())
        self.peer.put(("work_in_threads", (c,)))
        work_in_threads(None, c)
        self.assertEqual(self.peer.get(), (True, None))
        self.assertEqual(c.n, 600)
        self.assertEqual(c.log, ["thread"] * 6)

    @unittest.skipUnless(hasattr(posh, "ndarray"), "arrays are not shared yet")
    def test_numpy(self):
        """an array, without a copy"""
        numpy = importlib.util.find_spec("numpy") and __import__("numpy")
        if not numpy:
            self.skipTest("no numpy")
        a = self.share(numpy.arange(4.0))
        right, back = self.peer.call(change_array, a)
        self.assertTrue(right)
        self.assertEqual(list(a), [0.0, 7.5, 4.0, 6.0])
        a[0] = 9.0
        self.assertEqual(back[0], 9.0)


def _row(method, start):
    """Make the test case of a row."""
    name = f"{method.capitalize()}Test"
    body = {"start": staticmethod(start), "__module__": __name__}
    globals()[name] = type(name, (Cells, unittest.TestCase), body)


for method in METHODS:
    _row(method, lambda method=method: Peer(method))
_row("subprocess", Program)
del method


#
# What multiprocessing and others make of it.
#


def first(x):
    return x[0]


def keep(x, k):
    """The initializer of a pool."""
    global kept
    kept = x
    x.append(k)


def use_kept(k):
    kept.append(k)
    return kept


def fail_plainly(x):
    raise Trouble(x)


#: A Pool that is older than all sharing, and classes of __main__.
SCRIPT = """
import multiprocessing, sys
import posh

@posh.shareable
class Dog:
    def __init__(self, name):
        self.name = name
    def rename(self, name):
        self.name = name
        return self

def rename(dog, name):
    assert isinstance(dog, Dog)
    return dog.rename(name), Dog("puppy")

def pup(k):
    return posh.share(Dog(k))

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with context.Pool(2) as pool:
        pool.map(abs, range(4))
        x = posh.share({"dog": Dog("Rex"), "list": []})
        dog, puppy = pool.apply(rename, (x["dog"], "Fido"))
        assert dog is x["dog"] and dog.name == "Fido" == x["dog"].name
        assert type(puppy) is Dog and puppy.name == "puppy"
        pool.map(x["list"].append, range(20))
        assert sorted(x["list"]) == list(range(20)), x
        pups = pool.map(pup, range(5))
        assert [p.name for p in pups] == list(range(5))
        assert all(isinstance(p, Dog) and posh.is_shared(p) for p in pups)
    print("fine")
"""


class ToolsTest(unittest.TestCase):
    def each(self, *methods):
        for method in methods or METHODS:
            with self.subTest(method=method):
                yield multiprocessing.get_context(method)

    def test_script(self):
        """a Pool older than the first share; classes of __main__"""
        with tempfile.TemporaryDirectory() as directory:
            script = os.path.join(directory, "script.py")
            with open(script, "w") as f:
                f.write(SCRIPT)
            children = {
                method: subprocess.Popen(
                    [sys.executable, script, method],
                    stdout=subprocess.PIPE,
                    text=True,
                )
                for method in METHODS
            }
            for method, child in children.items():
                with self.subTest(method=method):
                    out = child.communicate(timeout=LIMIT)[0]
                    self.assertEqual((child.returncode, out), (0, "fine\n"))

    def test_pool(self):
        """arguments, results, initargs and errors of a Pool"""
        for context in self.each():
            x = posh.share([])
            with context.Pool(2, keep, (x, "start")) as pool:
                back = pool.map(use_kept, range(10))
                self.assertTrue(all(b is x for b in back))
                got = sorted(n for n in x if n != "start")
                self.assertEqual(got, list(range(10)))
                y = posh.share([["inner"]])
                for z in pool.imap_unordered(first, [y] * 4):
                    self.assertIs(z, y[0])
                with self.assertRaises(Trouble) as caught:
                    pool.apply(fail_plainly, (y,))
                self.assertIs(caught.exception.args[0], y)
                pool.close()
                pool.join()
            self.assertEqual(x.count("start"), 2)

    def test_executor(self):
        """concurrent.futures.ProcessPoolExecutor"""
        for context in self.each("fork", "spawn"):
            x = posh.share([])
            with concurrent.futures.ProcessPoolExecutor(
                2, mp_context=context, initializer=keep, initargs=(x, "start")
            ) as executor:
                self.assertIs(executor.submit(use_kept, 1).result(LIMIT), x)
                y = posh.share([["inner"]])
                for z in executor.map(first, [y] * 4):
                    self.assertIs(z, y[0])
                error = executor.submit(fail_plainly, y).exception(LIMIT)
                self.assertIs(error.args[0], y)

    def test_pipe(self):
        """both ends of a Pipe"""
        for context in self.each():
            ours, theirs = context.Pipe()
            x, y = posh.share([[1], [2]])
            child = context.Process(target=answer, args=(theirs, x))
            child.start()
            ours.send({"y": y})
            self.assertTrue(ours.poll(LIMIT))
            back = ours.recv()
            self.assertIs(back[0], x)
            self.assertIs(back[1], y)
            child.join(LIMIT)
            self.assertEqual((x, y), ([1, "x"], [2, "y"]))
            ours.close()
            theirs.close()

    def test_manager(self):
        """a manager's process holds proxies for others"""
        with multiprocessing.get_context("fork").Manager() as manager:
            x = posh.share([1])
            d, items = manager.dict(), manager.list()
            queue, space = manager.Queue(), manager.Namespace()
            d["x"] = x
            items.append(x)
            queue.put(x)
            space.x = x
            for back in (d["x"], items[0], queue.get(), space.x):
                self.assertIs(back, x)
            c = posh.share(Counter())
            d["c"] = c
            where = posh._posh._where(c)
            del c
            gc.collect()
            back = d["c"]  # held by the manager alone
            self.assertEqual(posh._posh._where(back), where)
            back.add(2)
            self.assertEqual(d["c"].n, 2)

    @unittest.skipUnless(importlib.util.find_spec("joblib"), "no joblib")
    def test_joblib(self):
        """joblib, with loky's processes and with multiprocessing's"""
        import joblib

        for backend in ("loky", "multiprocessing"):
            with self.subTest(backend=backend):
                x = posh.share([])
                parallel = joblib.Parallel(n_jobs=2, backend=backend)
                back = parallel(
                    joblib.delayed(extend)(None, x, i) for i in range(6)
                )
                self.assertTrue(all(b is x for b in back))
                self.assertEqual(sorted(x), list(range(6)))


def answer(connection, x):
    y = connection.recv()["y"]
    x.append("x")
    y.append("y")
    connection.send((x, y))


#
# Keys.
#


def keys():
    """Return a key of each type."""
    found = [None, True, 7, -1, 1 << 80, 0.5, -0.0, 1e300, 2 + 1j]
    found += ["", "abc", "longer than a word", "é" * 9, b"", b"bytes" * 9]
    found += [(), (1, "a"), ("b" * 20, (2.5, None)), (1 << 70, b"c")]
    if hasattr(posh, "register_value"):
        import datetime
        import decimal
        import enum
        import fractions
        import pathlib
        import uuid

        found += [
            frozenset(["a", 1, ("b", 2.5)]),
            frozenset(),
            decimal.Decimal("1.25"),
            fractions.Fraction(1, 3),
            uuid.UUID(int=5),
            datetime.date(2020, 2, 29),
            datetime.datetime(2020, 2, 29, 1, 2, 3, 4),
            datetime.timedelta(1, 2, 3),
            pathlib.PurePosixPath("/a/b"),
            range(1, 9, 2),
            ...,
            enum.Enum,
            len,
            (frozenset("abc"), decimal.Decimal("0.1")),
        ]
    return found


def look_up(d, out):
    """Find every key in a process with another hash of strings."""
    for i, key in enumerate(keys()):
        if d.get(key) != i or key not in d:
            out.append(f"{key!r}: {d.get(key)!r}")
        d[key] = i
    out.append(hash("abc"))
    out.append(len(d))


class KeysTest(unittest.TestCase):
    def test_seeds(self):
        """keys of every type are found under another PYTHONHASHSEED"""
        d = posh.share({key: i for i, key in enumerate(keys())})
        context = multiprocessing.get_context("spawn")
        children, hashes = [], {hash("abc")}
        for seed in ("1", "2"):
            with mock.patch.dict(os.environ, PYTHONHASHSEED=seed):
                out = posh.share([])
                child = context.Process(target=look_up, args=(d, out))
                child.start()
                children.append((child, out))
        for child, out in children:
            child.join(LIMIT)
            self.assertEqual(child.exitcode, 0)
            self.assertEqual(out[:-2], [])
            hashes.add(out[-2])
            self.assertEqual(out[-1], len(keys()))
        self.assertEqual(len(hashes), 3)
        for i, key in enumerate(keys()):
            self.assertEqual(d[key], i)
            self.assertIs(type(list(d)[i]), type(key))


#
# Tickets.
#


def send(connection, value):
    """Make an object, send it off, and be gone."""
    connection.send_bytes(pickle.dumps(posh.share(value)))
    connection.close()


def load(data, x, out):
    y = pickle.loads(data)
    out.append(y is x)


class TicketsTest(unittest.TestCase):
    def setUp(self):
        self.tickets = _ticket._tickets(posh.default_heap())
        self.tickets.clear()
        self.addCleanup(posh.transit_timeout, posh.transit_timeout())

    def test_sender_gone(self):
        """the sender exits before the receiver reads"""
        for method in METHODS:
            with self.subTest(method=method):
                context = multiprocessing.get_context(method)
                ours, theirs = context.Pipe(duplex=False)
                child = context.Process(
                    target=send, args=(theirs, ["from", {"the": "grave"}])
                )
                child.start()
                theirs.close()
                child.join(LIMIT)
                self.assertEqual(child.exitcode, 0)
                posh.reap()
                posh.collect()
                x = pickle.loads(ours.recv_bytes())
                self.assertEqual(x, ["from", {"the": "grave"}])
                x.append(1)
                ours.close()

    def test_twice(self):
        """one pickle is read by two processes, and twice by this one"""
        x = posh.share([1])
        data = pickle.dumps(x)
        out = posh.share([])
        context = multiprocessing.get_context("fork")
        children = [
            context.Process(target=load, args=(data, x, out)) for _ in range(2)
        ]
        for child in children:
            child.start()
        for child in children:
            child.join(LIMIT)
        self.assertEqual(out, [True, True])
        self.assertIs(pickle.loads(data), x)
        self.assertIs(pickle.loads(data), x)
        self.assertEqual(len(self.tickets), 1)

    def test_given_back(self):
        """what nobody refers to is freed in the end"""
        heap = posh.default_heap()
        posh.transit_timeout(0.2)
        before = heap.stats().live_blocks
        data = [pickle.dumps(posh.share([str(i) * 50])) for i in range(50)]
        self.assertGreater(heap.stats().live_blocks, before + 50)
        for d in data:
            pickle.loads(d)
        time.sleep(0.25)
        posh.collect()
        self.assertEqual(len(self.tickets), 0)
        self.assertLessEqual(heap.stats().live_blocks, before + 2)
        with self.assertRaisesRegex(posh.StaleReferenceError, "unshare"):
            pickle.loads(data[0])

    def test_bounded(self):
        """the table follows what is on its way, not what ever was"""
        posh.transit_timeout(1e-6)
        most = 0
        for _ in range(2000):
            pickle.dumps(posh.share([0]))
            most = max(most, len(self.tickets))
        self.assertLessEqual(most, 4 * _ticket._SWEEP)
        x = posh.share([1])
        for _ in range(2000):
            pickle.dumps(x)
        self.assertLessEqual(len(self.tickets), 4 * _ticket._SWEEP)

    def test_timeout(self):
        """transit_timeout() says how long, and what it was"""
        self.assertEqual(posh.transit_timeout(), 3600)
        self.assertEqual(posh.transit_timeout(7.5), 3600)
        self.assertEqual(posh.transit_timeout(), 7.5)
        pickle.dumps(posh.share([1]))
        (ticket,) = self.tickets.values()
        self.assertLess(ticket[_ticket._EXPIRY], time.time() + 8)
        for bad in (-1, 0, float("nan")):
            with self.assertRaisesRegex(ValueError, "seconds"):
                posh.transit_timeout(bad)
        with self.assertRaises(TypeError):
            posh.transit_timeout("1")

    def test_late(self):
        """a claim that comes too late says what to do"""
        posh.transit_timeout(0.01)
        data = pickle.dumps(posh.share([1]))
        time.sleep(0.02)
        posh.collect()
        with self.assertRaisesRegex(posh.StaleReferenceError, "unshare"):
            pickle.loads(data)

    def test_others_still_to_claim(self):
        """one receiver's claim does not hurry the others"""
        x = posh.share([1])
        first, second = pickle.dumps(x), pickle.dumps(x)
        (ticket,) = self.tickets.values()
        pickle.loads(first)
        later = time.time() + _ticket.CLAIMED + 10
        self.assertGreater(ticket[_ticket._EXPIRY], later)
        pickle.loads(second)
        self.assertLess(ticket[_ticket._EXPIRY], later)


if __name__ == "__main__":
    import tap

    # Programs that are no children of ours know the classes by this name.
    tap.main("pymatrix")

# SPDX-License-Identifier: MIT
"""Errors: what raises each, what it is to those who don't know posh, and
what it says: what was wrong, with what, and what to do."""
import collections
import contextlib
import copy
import errno
import gc
import inspect
import os
import pickle
import pprint
import re
import sys
import tempfile
import threading
import time
import types
import unittest

import posh

try:
    import _interpreters as interpreters
except ImportError:
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        interpreters = None

SIZE = 1 << 26

#: Each error and the builtin that a caller would catch.
HIERARCHY = {
    "Error": Exception,
    "NotShareableError": TypeError,
    "HeapFullError": MemoryError,
    "HeapExistsError": FileExistsError,
    "HeapNotFoundError": FileNotFoundError,
    "LockTimeoutError": TimeoutError,
    "DeadlockError": RuntimeError,
    "OwnerDiedError": RuntimeError,
    "ClosedError": ValueError,
    "CorruptHeapError": OSError,
    "StaleReferenceError": ReferenceError,
    "WrongHeapError": ValueError,
    "ClassNotFoundError": ImportError,
}

#: Those that no situation raises: a monitor passes on by itself when its
#: owner dies, with the object as it is.  It is there for policies to raise.
UNRAISED = {"Error", "OwnerDiedError"}


@posh.shareable
class Dog:
    def __init__(self, name):
        self.name = name

    def rename(self, name):
        self.name = name


@posh.shareable
class Pack(list):
    pass


def dog_with(ape):
    dog = Dog("Rex")
    dog.ape = ape
    return dog


class Cat:
    """Not shareable, and says so."""


class Names(list):
    pass


class ErrorsTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "heap")

    @contextlib.contextmanager
    def says(self, name, *parts):
        """The error of that name is raised, and its text has the parts."""
        error = getattr(posh, name)
        with self.assertRaises(HIERARCHY[name]) as caught:
            yield caught
        self.assertIs(type(caught.exception), error)
        for part in parts:
            self.assertIn(part, str(caught.exception))


class HierarchyTest(ErrorsTest):
    def test_bases(self):
        """each derives from posh.Error and from what a caller would catch"""
        for name, builtin in HIERARCHY.items():
            error = getattr(posh, name)
            bases = (builtin,) if name == "Error" else (posh.Error, builtin)
            self.assertEqual(error.__bases__, bases)
            self.assertEqual(error.__module__, "posh")
            self.assertEqual(error.__qualname__, name)
            self.assertTrue(error.__doc__, name)

    def test_complete(self):
        """all are exported, documented here, and raised here"""
        there = {
            name
            for name, x in vars(posh._posh).items()
            if isinstance(x, type) and issubclass(x, BaseException)
        }
        self.assertEqual(there, set(HIERARCHY))
        self.assertLessEqual(there, set(posh.__all__))
        source = inspect.getsource(sys.modules[__name__])
        source = re.sub(r"\(\s+", "(", source)
        for name in there - UNRAISED:
            says, catches = f'self.says("{name}"', f"except posh.{name} "
            self.assertTrue(says in source or catches in source, name)

    def test_old_name(self):
        self.assertIs(posh.error, posh.Error)
        self.assertIn("error", posh.__all__)

    def test_pickled(self):
        """errors travel between processes"""
        with self.assertRaises(posh.Error) as caught:
            posh.share([Cat()])
        e = pickle.loads(pickle.dumps(caught.exception))
        self.assertIs(type(e), posh.NotShareableError)
        self.assertEqual(str(e), str(caught.exception))


class NotShareableTest(ErrorsTest):
    def test_type_and_advice(self):
        """the text names the type, and what to do about this one"""
        with self.says("NotShareableError", "'Cat'", "allow_sharing(Cat)"):
            posh.share(Cat())
        with self.says("NotShareableError", "'object'", "no attributes"):
            posh.share(object())
        with self.says("NotShareableError", "'lock'", "what it is made of"):
            posh.share(threading.Lock())
        with self.says("NotShareableError", "'generator'"):
            posh.share(x for x in ())
        with self.says("NotShareableError", "'module'"):
            posh.share(sys)

    def test_where(self):
        """the text says where in the structure it is"""
        bad = Cat()
        dog = Dog([{"b": (1, bad)}])
        for x, path in (
            ([1, bad], "x[1]"),
            ({"a": [0, 0, 0, bad]}, "x['a'][3]"),
            (dog, "x.name[0]['b'][1]"),
            ({"a": (0, [{}, {"k": dog}])}, "x['a'][1][1]['k'].name[0]['b'][1]"),
            ({1: {(2, 3): bad}}, "x[1][(2, 3)]"),
        ):
            with self.says("NotShareableError", "'Cat'", f"({path})"):
                posh.share(x)

    def test_where_stored(self):
        """also when it is stored rather than shared"""
        items, table, dog = map(posh.share, ([1], {"k": 1}, Dog("Rex")))
        bad = ["fine", {"deep": Cat()}]
        for f in (
            lambda: items.append(bad),
            lambda: items.insert(0, bad),
            lambda: items.__setitem__(0, bad),
            lambda: table.__setitem__("k", bad),
            lambda: table.setdefault("new", bad),
            lambda: setattr(dog, "name", bad),
            lambda: dog.rename(bad),
        ):
            with self.says("NotShareableError", "'Cat'", "x[1]['deep']"):
                f()
        for f in (
            lambda: items.extend(["fine", bad]),
            lambda: items.__setitem__(slice(0, 1), ["fine", bad]),
            lambda: table.update({"new": "fine", "k": bad}),
            lambda: table.__ior__({"new": "fine", "k": bad}),
        ):
            with self.says("NotShareableError", "'Cat'", "['deep']"):
                f()
        self.assertEqual((items, table, dog.name), ([1], {"k": 1}, "Rex"))

    def test_shared_twice(self):
        """the path is the shortest, and circles end"""
        bad = Cat()
        x = {"far": [[[bad]]], "near": bad}
        x["self"] = x
        with self.says("NotShareableError", "(x['near'])"):
            posh.share(x)

    def test_allowing(self):
        """a class that can't be made shareable says why"""
        with self.says("NotShareableError", "'Names'"):
            posh.share(Names("ab"))

        class Shed(threading.local):
            pass

        with self.says("NotShareableError", "Shed'", "attribute instead"):
            posh.allow_sharing(Shed)


class HeapFullTest(ErrorsTest):
    """All is as it was before."""

    def fill(self, heap, pile):
        """Fill the heap until nothing more goes in."""
        for size in (1 << 16, 4096, 512, 64, 24):
            with contextlib.suppress(MemoryError):
                while True:
                    pile.append(b"x" * size)

    def test_nothing_changes(self):
        """an operation that does not fit changes nothing"""
        heap = posh.Heap(max_size=4 << 20)
        root = heap.root
        root["items"] = [3, 1, 2]
        root["table"] = {"a": 1, "b": [2]}
        root["dog"] = Dog("Rex")
        items, table, dog = root["items"], root["table"], root["dog"]
        big = "y" * (1 << 16)
        deep = [["small"], {"k": [big]}]
        operations = [
            lambda: items.append(big),
            lambda: items.append(deep),
            lambda: items.insert(1, deep),
            lambda: items.extend([0, deep, big]),
            lambda: items.__setitem__(0, big),
            lambda: items.__setitem__(slice(0, 2), [5, big, 7]),
            lambda: items.__iadd__([big]),
            lambda: items.__imul__(1 << 20),
            lambda: table.__setitem__("a", big),
            lambda: table.__setitem__(big, 1),
            lambda: table.__setitem__("c", deep),
            lambda: table.setdefault("c", deep),
            lambda: table.update(a=5, c=big),
            lambda: table.__ior__({"a": 5, "c": deep}),
            lambda: table.update({str(i): i for i in range(1 << 16)}),
            lambda: setattr(dog, "name", big),
            lambda: setattr(dog, "other", deep),
            lambda: dog.rename(deep),
            lambda: vars(dog).update(name=big),
            lambda: heap.share(deep),
            lambda: heap.share(Dog(deep)),
            lambda: heap.list(deep),
            lambda: heap.dict(k=big),
        ]
        self.fill(heap, root.setdefault("pile", []))
        state = posh.unshare([items, table, vars(dog)])
        heap.collect()
        before = heap.stats()
        for f in operations:
            where = inspect.getsource(f).strip()
            with self.subTest(where):
                with self.says("HeapFullError", "full", "max_size"):
                    f()
                now = posh.unshare([items, table, vars(dog)])
                self.assertEqual(now, state)
        after = heap.stats()
        self.assertEqual(after.live_blocks, before.live_blocks)
        self.assertEqual(after.live_bytes, before.live_bytes)
        self.assertEqual(heap.check(), [])
        # There is a way out.
        root["pile"].clear()
        for f in operations[:7] + operations[8:11]:
            f()
        self.assertEqual(heap.check(), [])
        heap.close()

    def test_memory_error(self):
        """who knows nothing of posh catches a MemoryError"""
        with posh.Heap(max_size=2 << 20) as heap:
            with self.assertRaises(MemoryError):
                heap.share([b"x" * (4 << 20)])


class NameTest(ErrorsTest):
    def test_exists(self):
        with posh.Heap(self.path, max_size=SIZE):
            with self.says(
                "HeapExistsError", self.path, "already", "posh.attach"
            ) as caught:
                posh.Heap(self.path, create=True)
        self.assertEqual(caught.exception.filename, self.path)
        self.assertEqual(caught.exception.errno, errno.EEXIST)

    def test_not_found(self):
        for f in (
            lambda: posh.attach(self.path),
            lambda: posh.Heap(self.path, create=False),
        ):
            with self.says(
                "HeapNotFoundError", self.path, "no such heap", "posh.Heap("
            ) as caught:
                f()
            self.assertEqual(caught.exception.filename, self.path)
            self.assertEqual(caught.exception.errno, errno.ENOENT)

    def test_corrupt(self):
        """a file that is no heap, one of another version, a damaged one"""
        with open(self.path, "wb") as f:
            f.write(b"text" * 1000)
        with self.says("CorruptHeapError", self.path, "not a heap") as caught:
            posh.attach(self.path)
        self.assertEqual(caught.exception.filename, self.path)
        with open(self.path, "rb") as f:
            self.assertEqual(f.read(), b"text" * 1000)
        os.unlink(self.path)
        with posh.Heap(self.path, max_size=SIZE) as heap:
            heap.root["x"] = ["y" * 1000]
        del heap
        gc.collect()
        os.truncate(self.path, 1 << 16)
        with self.says("CorruptHeapError", self.path, "damaged", "anew"):
            posh.attach(self.path)

    def test_closed(self):
        heap = posh.Heap(max_size=SIZE)
        x, d, dog = heap.share([1]), heap.share({}), heap.share(Dog("Rex"))
        heap.close()
        for f in (
            lambda: x.append(1),
            lambda: x[0],
            lambda: list(x),
            lambda: d["k"],
            lambda: d.update(k=1),
            lambda: dog.name,
            lambda: dog.rename("Fido"),
            lambda: heap.share([]),
            lambda: heap.root,
            lambda: heap.stats(),
            lambda: posh.unshare(x),
            lambda: pickle.dumps(x),
            lambda: posh.synchronized(x).__enter__(),
        ):
            with self.subTest(inspect.getsource(f).strip()):
                with self.says("ClosedError", "closed", "unshare"):
                    f()

    def test_wrong_heap(self):
        with posh.Heap(max_size=SIZE) as one, posh.Heap(max_size=SIZE) as two:
            x, d, dog = one.share([1]), one.share({}), one.share(Dog("Rex"))
            other = two.share([2])
            for f in (
                lambda: x.append(other),
                lambda: x.append([{"deep": other}]),
                lambda: d.update(k=other),
                lambda: setattr(dog, "name", other),
                lambda: one.share({"k": other}),
            ):
                with self.says("WrongHeapError", "another heap", "unshare"):
                    f()
            self.assertEqual((x, d, dog.name), ([1], {}, "Rex"))
            x.append(posh.unshare(other))
            self.assertEqual(x, [1, [2]])
            del x, d, dog, other


class WaitingTest(ErrorsTest):
    def test_timeout(self):
        x = posh.share([1])
        inside, leave = threading.Event(), threading.Event()

        def hold():
            with posh.synchronized(x):
                inside.set()
                leave.wait(30)

        t = threading.Thread(target=hold)
        t.start()
        self.assertTrue(inside.wait(30))
        try:
            with self.says(
                "LockTimeoutError", "0.05 s", "'list'", "more time"
            ):
                with posh.synchronized(x, timeout=0.05):
                    pass
        finally:
            leave.set()
            t.join()
        with posh.synchronized(x, timeout=0.05):
            pass

    def test_deadlock(self):
        """the last to close the circle gets an error"""
        a, b, news = posh.share([[], [], []])

        def meet(first, second):
            with posh.synchronized(first):
                news.append("inside")
                while news.count("inside") < 2:
                    time.sleep(0.001)
                try:
                    with posh.synchronized(second):
                        news.append("passed")
                except posh.DeadlockError as e:
                    news.append(str(e))

        pid = posh.forkcall(meet, b, a)
        meet(a, b)
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertEqual(news.count("passed"), 1, news)
        self.assertEqual(len(news), 4, news)
        text = next(n for n in news if n not in ("inside", "passed"))
        self.assertIn("circle", text)
        self.assertIn("synchronized(x, y)", text)


class ReferenceTest(ErrorsTest):
    def test_stale(self):
        """a pickle that outlived its ticket, or its heap"""
        from posh import _ticket

        data = pickle.dumps(posh.share([1]))
        _ticket._tickets(posh.default_heap()).clear()
        with self.says("StaleReferenceError", "expired", "posh.unshare(x)"):
            pickle.loads(data)
        with posh.Heap(max_size=SIZE) as heap:
            data = pickle.dumps(heap.share([1]))
        del heap
        gc.collect()
        with self.says("StaleReferenceError", "heap", "named"):
            pickle.loads(data)

    def module(self, text):
        """Make a module for children to import, and import it in one."""
        directory = os.path.dirname(self.path)
        name = f"zoo{os.getpid()}{id(self)}"
        file = os.path.join(directory, name + ".py")
        with open(file, "w") as f:
            f.write(text)

        def stock():
            sys.path.insert(0, directory)
            zoo = __import__(name)
            heap.root["ape"] = [1, zoo.Ape("Cheeta")]
            getattr(zoo, "stock", len)(heap.root)

        heap = posh.Heap(self.path, max_size=SIZE)
        heap.root["plain"] = [1]
        pid = posh.forkcall(stock)
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        return heap, file, name

    ZOO = (
        "import posh\n@posh.shareable\nclass Ape:\n"
        "    def __init__(self, name): self.name = name\n"
    )

    def test_class(self):
        """a class that is not to be found troubles who looks at its objects"""
        heap, file, name = self.module(self.ZOO)
        root = heap.root
        for f in (
            lambda: root["ape"][1],
            lambda: list(root["ape"]),
            lambda: posh.unshare(root["ape"]),
        ):
            with self.says(
                "ClassNotFoundError", f"{name}:Ape", "allow_sharing"
            ) as caught:
                f()
            self.assertEqual(caught.exception.name, f"{name}:Ape")
        # Everything else goes on, what is beside it as well.
        self.assertEqual(root["ape"][0], 1)
        self.assertEqual(len(root["ape"]), 2)
        self.assertEqual(root["plain"], [1])
        self.assertEqual(set(root), {"ape", "plain"})
        heap.collect()
        self.assertEqual(heap.check(), [])
        sys.path.insert(0, os.path.dirname(file))
        self.addCleanup(sys.path.pop, 0)
        self.assertEqual(root["ape"][1].name, "Cheeta")
        heap.close()

    #: What removes and returns, from what has the ape at that place.
    POPS = (
        (lambda ape: [1, ape], lambda x: x.pop()),
        (lambda ape: [ape, 1], lambda x: x.pop(0)),
        (lambda ape: [(1, ape)], lambda x: x.pop()[1]),
        (lambda ape: {"k": ape, "l": 1}, lambda x: x.pop("k")),
        (lambda ape: {"k": ape}, lambda x: x.pop("k", None)),
        (lambda ape: {"l": 1, "k": ape}, lambda x: x.popitem()[1]),
        (lambda ape: {"l": 1, ape: 1}, lambda x: x.popitem()[0]),
        (lambda ape: {ape}, lambda x: x.pop()),
        (lambda ape: collections.deque([1, ape]), lambda x: x.pop()),
        (lambda ape: collections.deque([ape, 1]), lambda x: x.popleft()),
        (
            lambda ape: collections.OrderedDict(a=1, b=ape),
            lambda x: x.popitem()[1],
        ),
        (
            lambda ape: collections.OrderedDict(b=ape, a=1),
            lambda x: x.popitem(last=False)[1],
        ),
        (lambda ape: Pack([1, ape]), lambda x: x.pop()),
        (dog_with, lambda x: vars(x).pop("ape")),
        (dog_with, lambda x: vars(x).popitem()[1]),
    )

    def test_class_pop(self):
        """what can't be read here is not removed either"""
        heap, file, name = self.module(
            self.ZOO + "import enum\nclass Kind(enum.Enum): APE = 1\n"
        )

        def stock():
            sys.path.insert(0, os.path.dirname(file))
            zoo = __import__(name)
            for ape in (zoo.Ape("Cheeta"), zoo.Kind.APE):
                root["cages"] += [make(ape) for make, _ in self.POPS]

        root = heap.root
        root["cages"] = []
        pid = posh.forkcall(stock)
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        pops = [pop for _, pop in self.POPS] * 2
        cages = list(root["cages"])
        self.assertEqual(len(cages), len(pops))
        for cage, pop in zip(cages, pops):
            with self.says("ClassNotFoundError", name):
                pop(cage)
        self.assertEqual(heap.check(), [])
        sys.path.insert(0, os.path.dirname(file))
        self.addCleanup(sys.path.pop, 0)
        names = [pop(cage).name for cage, pop in zip(cages, pops)]
        self.assertEqual(
            names, ["Cheeta"] * len(self.POPS) + ["APE"] * len(self.POPS)
        )
        self.assertEqual(heap.check(), [])
        heap.close()

    def test_class_repr(self):
        """a repr shows all else"""
        heap, file, name = self.module(
            "import collections, enum, types\n" + self.ZOO + "class Color(enum.Enum):\n"
            "    RED = 1\n"
            "def stock(root):\n"
            "    a, b, c, d = (Ape(n) for n in 'abcd')\n"
            "    root['dict'] = {1: a, 'k': 'v', 'in': [[b]]}\n"
            "    root['deque'] = collections.deque([c, 2], 5)\n"
            "    root['pair'] = [(1, d)]\n"
            "    root['set'] = {Color.RED}\n"
            "    root['color'] = [Color.RED, (2, Color.RED)]\n"
            "    root['space'] = types.SimpleNamespace(k=a)\n"
            "    root['order'] = collections.OrderedDict(k=a)\n"
            "    root['default'] = collections.defaultdict(list, k=a)\n"
        )
        ape, color = (
            f"<posh: class {name}.{what} not found>" for what in ("Ape", "Color")
        )
        shown = {
            "ape": f"[1, {ape}]",
            "dict": f"{{1: {ape}, 'k': 'v', 'in': [[{ape}]]}}",
            "deque": f"deque([{ape}, 2], maxlen=5)",
            "pair": f"[(1, {ape})]",
            "set": f"{{{color}}}",
            "color": f"[{color}, (2, {color})]",
            "plain": "[1]",
            "space": f"namespace(k={ape})",
            "default": f"defaultdict(<class 'list'>, {{'k': {ape}}})",
        }
        root = heap.root
        for key, text in shown.items():
            with self.subTest(key):
                self.assertEqual(repr(root[key]), text)
        self.assertEqual(pprint.pformat(root["pair"]), shown["pair"])
        self.assertIn(ape, repr(root["order"]))
        self.assertIn(f"[1, {ape}]", str(root))
        # Only a repr does so.
        for f in (lambda x: x[:], list, posh.unshare, lambda x: x[1], copy.copy):
            with self.assertRaises(posh.ClassNotFoundError):
                f(root["ape"])
        heap.close()

    def test_class_not_shareable(self):
        """nor is a class taken that nobody made shareable here"""
        heap, file, name = self.module(self.ZOO)
        module = types.ModuleType(name)
        module.Ape = Cat
        sys.modules[name] = module
        self.addCleanup(sys.modules.pop, name)
        with self.says("ClassNotFoundError", f"{name}:Ape", "no class"):
            heap.root["ape"][1]
        heap.close()

    def test_class_broken(self):
        """a module that fails says how"""
        heap, file, name = self.module(self.ZOO)
        with open(file, "w") as f:
            f.write("1 / 0\n")
        sys.path.insert(0, os.path.dirname(file))
        self.addCleanup(sys.path.pop, 0)
        with self.says("ClassNotFoundError", name, "division") as caught:
            heap.root["ape"][1]
        self.assertIsInstance(caught.exception.__cause__, ZeroDivisionError)
        self.assertEqual(heap.root["plain"], [1])
        heap.close()


class InterpreterTest(unittest.TestCase):
    PROGRAM = """
try:
    import posh
except ImportError as e:
    text = str(e)
else:
    text = "imported"
import os
os.write({}, text.encode())
"""

    @unittest.skipUnless(interpreters, "no subinterpreters")
    def test_refused(self):
        """another interpreter of the process gets an ImportError"""
        out, end = os.pipe()
        self.addCleanup(os.close, out)
        other = interpreters.create()
        interpreters.run_string(other, self.PROGRAM.format(end))
        interpreters.destroy(other)
        os.close(end)
        self.assertIn("subinterpreters", os.read(out, 1000).decode())


class ArgumentsTest(ErrorsTest):
    def test_arguments(self):
        """a caller's mistake is a builtin error that says which"""
        for f, error, part in (
            (lambda: posh.Heap(".."), ValueError, "'..'"),
            (lambda: posh.Heap(self.path, max_size=5), ValueError, "1 MiB"),
            (lambda: posh.share([], heap=5), TypeError, "posh.Heap"),
            (lambda: posh.synchronized(), TypeError, "one object"),
            (lambda: posh.synchronized([1]), TypeError, "'list'"),
            (lambda: posh.allow_sharing(5), TypeError, "class"),
            (
                lambda: posh.allow_sharing(Cat, synch=5),
                TypeError,
                "enter(x, opname)",
            ),
        ):
            with self.assertRaises(error) as caught:
                f()
            self.assertIn(part, str(caught.exception))

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_other_user(self):
        """another user's heap is a PermissionError with its name"""
        directory = os.path.dirname(self.path)
        os.chmod(directory, 0o755)

        def look():
            os.setgid(65534)
            os.setuid(65534)
            for f in (
                lambda: posh.attach(self.path),
                lambda: posh.Heap(self.path),
                lambda: posh.Heap(os.path.join(directory, "new")),
            ):
                with self.assertRaises(PermissionError) as caught:
                    f()
                self.assertIn("user", str(caught.exception))
                self.assertIn(directory, str(caught.exception))

        with posh.Heap(self.path, max_size=SIZE):
            pid = posh.forkcall(look)
            self.assertEqual(posh.waitall([pid]), {pid: 0})


if __name__ == "__main__":
    import tap

    tap.main()

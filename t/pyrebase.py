# SPDX-License-Identifier: MIT
"""Classes that derive from mutable builtins, and those of collections."""
import collections
import collections.abc
import copy
import functools
import gc
import io
import json
import pickle
import pprint
import random
import time
import types
import typing
import unittest
from unittest import mock

import posh


def in_child(f, *args):
    pid = posh.forkcall(lambda: f(*args) and None)
    status = posh.waitall([pid])
    assert status == {pid: 0}, status


def loud(f):
    @functools.wraps(f)
    def wrapper(self, *args):
        return f(self, *args)

    return wrapper


@posh.shareable
class Names(list):
    kind = "names"

    def __init__(self, names=(), owner=None):
        super().__init__(names)
        self.owner = owner

    def append(self, name):
        super().append(name.upper())

    @loud
    def insert(self, i, name):
        super().insert(i, name.lower())

    @property
    def first(self):
        return super().__getitem__(0)

    @classmethod
    def of(cls, *names):
        return cls(names)

    @staticmethod
    def sound():
        return "ho"

    def twin(self):
        return type(self)(self, self.owner)

    def two(self, a, b):
        self.append(a)
        self.append(b)


@posh.shareable
class Loud(Names):
    def append(self, name):
        super().append(name + "!")


class Tracked:
    def __setitem__(self, key, value):
        self.last = key
        super().__setitem__(key, value)


@posh.shareable
class Config(Tracked, dict):
    def __missing__(self, key):
        return "no " + key

    def __getattr__(self, name):
        return self[name]


@posh.shareable
class Recent(collections.deque):
    def __init__(self, items=()):
        super().__init__(items, maxlen=3)

    def newest(self):
        return self[-1]


@posh.shareable
class Tags(set):
    def __init__(self, items=()):
        super().__init__(items)
        self.seen = 0

    def add(self, tag):
        self.seen += 1
        super().add(tag.lower())


@posh.shareable
class Frame(bytearray):
    def __init__(self, *args, owner=None):
        super().__init__(*args)
        self.owner = owner

    def append(self, byte):
        super().append(byte & 0x7F)

    def twin(self):
        return type(self)(self, owner=self)

    def two(self, byte):
        self[0] = byte
        n = self.owner
        time.sleep(1e-4)  # others' turn
        self.owner = n + 1
        self[-1] = byte


@posh.shareable
class OrderedCounter(collections.Counter, collections.OrderedDict):
    pass


class ListTest(unittest.TestCase):
    def setUp(self):
        self.p = posh.share(Names(["Rex"], "me"))

    def test_methods(self):
        """overridden methods, and those of list; super() is right"""
        p = self.p
        p.append("max")
        p.insert(0, "LAIKA")
        p.extend(["a", "b"])
        self.assertEqual(p, ["laika", "Rex", "MAX", "a", "b"])
        self.assertEqual((p.first, p[-1], len(p)), ("laika", "b", 5))
        self.assertEqual(p[1:3], ["Rex", "MAX"])
        self.assertIs(type(p[1:3]), list)
        self.assertEqual((p.pop(), "Rex" in p, p.index("a")), ("b", True, 3))
        p.sort(key=str.lower, reverse=True)
        self.assertEqual(list(reversed(p)), ["a", "laika", "MAX", "Rex"])
        del p[:2]
        p[0] = [1]
        p[0].append(2)
        self.assertEqual(repr(p), "[[1, 2], 'a']")
        q = posh.share(Loud())
        q.append("x")
        self.assertEqual(q, ["X!"])
        self.assertEqual((p.sound(), p.of("x")), ("ho", ["x"]))

    def test_is_one(self):
        p = self.p
        self.assertIs(p.__class__, Names)
        self.assertIsInstance(p, list)
        self.assertIsInstance(p, collections.abc.MutableSequence)
        self.assertNotIsInstance(p, dict)
        match p:
            case [x]:
                self.assertEqual(x, "Rex")
            case _:
                self.fail("no sequence")
        with self.assertRaises(TypeError):
            hash(p)

    def test_attributes(self):
        p = self.p
        self.assertEqual(vars(p), {"owner": "me"})
        p.tags = ["t"]
        p.tags.append("u")
        self.assertEqual((p.tags, p.owner), (["t", "u"], "me"))
        self.assertEqual(p.kind, "names")
        self.assertNotIn("<content>", dir(p))

    def test_operators(self):
        p = self.p
        self.assertTrue(p == ["Rex"] and ["Rex"] == p and p != [1])
        self.assertTrue(p == posh.share(["Rex"]) and posh.share(["Rex"]) == p)
        self.assertTrue(p == posh.share(Names(["Rex"])) and p <= ["Rex", 1])
        self.assertEqual([p + [1], [1] + p], [["Rex", 1], [1, "Rex"]])
        self.assertEqual(p + p, ["Rex", "Rex"])
        self.assertEqual(2 * p, ["Rex", "Rex"])
        q = p
        p += ["x"]
        p *= 2
        self.assertIs(p, q)
        self.assertEqual(p, ["Rex", "x"] * 2)
        plain = same = [1]
        plain += p
        self.assertIs(plain, same)
        self.assertEqual(len(plain), 5)
        self.assertEqual((lambda *a: a)(*p), tuple(plain[1:]))
        self.assertEqual(f"{p}", "['Rex', 'x', 'Rex', 'x']")

    def test_make(self):
        """type(p)(...) makes a shared one, p.__class__(...) a plain one"""
        t = self.p.twin()
        self.assertTrue(posh.is_shared(t))
        self.assertEqual((t, t.owner), (["Rex"], "me"))
        t.append("x")
        self.assertEqual(self.p, ["Rex"])
        self.assertFalse(posh.is_shared(self.p.__class__()))

    def test_copies(self):
        self.p.append("x")
        self.p.extend([[1], self.p])
        for f in (posh.unshare, copy.deepcopy):
            u = f(self.p)
            self.assertIs(type(u), Names)
            self.assertEqual((u[:3], u.owner), (["Rex", "X", [1]], "me"))
            self.assertIs(u[3], u)
            self.assertFalse(posh.is_shared(u[2]))
        c = copy.copy(self.p)
        self.assertIs(type(c), Names)
        self.assertIs(c[2], self.p[2])
        self.assertIs(pickle.loads(pickle.dumps(self.p)), self.p)
        self.p.clear()

    def test_json(self):
        text = json.dumps({"p": self.p}, default=posh.unshare)
        self.assertEqual(text, '{"p": ["Rex"]}')
        self.assertEqual(pprint.pformat(self.p), "['Rex']")

    def test_other_process(self):
        """other processes see content and attributes"""

        def child():
            self.p.append("child")
            self.p.owner = "child"
            box[0].append("box")

        box = posh.share([self.p])
        in_child(child)
        self.assertEqual(self.p, ["Rex", "CHILD", "BOX"])
        self.assertEqual(self.p.owner, "child")

    def test_monitor(self):
        """a method is one operation, for those who use list's too"""
        p = posh.share(Names())

        def child():
            for _ in range(100):
                p.two("a", "b")

        pids = [posh.forkcall(child) for _ in range(3)]
        while len(p) < 600:
            seen = p.copy()
            self.assertEqual(len(seen) % 2, 0)
            self.assertEqual(seen, ["A", "B"] * (len(seen) // 2))
        self.assertEqual(set(posh.waitall(pids).values()), {0})
        with posh.synchronized(p):
            p.two("x", "y")
        self.assertFalse(posh._posh._unlock(p))

    def test_changes(self):
        """what changes in the class changes for shared instances"""
        p = self.p
        self.assertIsNone(p.append("x"))
        with mock.patch.object(Names, "append", lambda self, x: "patched"):
            self.assertEqual(p.append("y"), "patched")
        with mock.patch.object(Names, "__len__", lambda self: 77, create=True):
            p.owner
            self.assertEqual(len(p), 77)
        p.owner  # special methods follow with the next attribute
        self.assertEqual(len(p), 2)
        with mock.patch.object(type(p), "kind", "other"):
            self.assertEqual((p.kind, Names.kind), ("other", "other"))
        self.assertEqual((p.kind, Names.kind), ("names", "names"))
        p.append("z")
        self.assertEqual(p, ["Rex", "X", "Z"])

    def test_nothing_runs(self):
        """no code of the class runs when it is shared"""
        log = []

        class Meta(type):
            def __call__(cls, *args):
                log.append("call")
                return super().__call__(*args)

        class Base(list, metaclass=Meta):
            def __init_subclass__(cls, **kwargs):
                log.append("init_subclass")

        class Quiet(Base):
            def __new__(cls, *args):
                log.append("new")
                return super().__new__(cls, *args)

            def __init__(self, *args):
                log.append("init")
                super().__init__(*args)

            def __iter__(self):
                log.append("iter")
                return super().__iter__()

            def extend(self, items):
                log.append("extend")

            def another(self):
                return type(self)([1])

        q = Quiet([1])
        log.clear()
        posh.allow_sharing(Quiet)
        p = posh.share(q)
        u = posh.unshare(p)
        self.assertEqual(log, [])
        self.assertEqual((len(p), len(u)), (1, 1))
        self.assertTrue(posh.is_shared(p.another()))
        self.assertEqual(log, ["call", "new", "init"])

    def test_generic(self):
        T = typing.TypeVar("T")

        @posh.shareable
        class Bag(list, typing.Generic[T]):
            def add(self, x: T):
                self.append(x)

        p = posh.share(Bag[int]([1]))
        p.add(2)
        self.assertEqual(p, [1, 2])

    def test_policies(self):
        calls = []

        class Log:
            def enter(self, x, opname):
                calls.append(opname)

            def leave(self, x, state):
                pass

        class Logged(list):
            def add(self, x):
                return self.append(x)

        class Free(list):
            pass

        posh.allow_sharing(Logged, synch=Log())
        posh.allow_sharing(Free, synch=None)
        p = posh.share(Logged())
        p.add(1)
        self.assertEqual(calls, ["add", "append"])
        p = posh.share(Free([1]))
        p.append(2)
        self.assertEqual(p, [1, 2])

    def test_refused(self):
        class Unknown(list):
            pass

        with self.assertRaisesRegex(posh.NotShareableError, "allow_sharing"):
            posh.share([Unknown()])
        with self.assertRaisesRegex(posh.NotShareableError, r"\(x\[1\]\)"):
            posh.share(Names([1, object()]))

    def test_memory(self):
        with posh.Heap(max_size=1 << 26) as heap:
            heap.share(Names(["x"], "y"))
            before = heap.stats().live_bytes
            p = heap.share(Names([["long text" * 9], []], "owner" * 9))
            p.extend([p])
            del p
            heap.collect()
            self.assertEqual(heap.stats().live_bytes, before)
            self.assertEqual(heap.check(), [])


class DictTest(unittest.TestCase):
    def test_methods(self):
        p = posh.share(Config(a=1))
        p["b"] = [2]
        p["b"].append(3)
        self.assertEqual((p["a"], p["b"], p.last), (1, [2, 3], "b"))
        self.assertEqual((p["c"], p.d), ("no c", "no d"))
        self.assertEqual((p.get("c"), "c" in p), (None, False))
        self.assertEqual(p, {"a": 1, "b": [2, 3]})
        self.assertEqual({"a": 1, "b": [2, 3]}, p)
        self.assertEqual(list(p.items()), [("a", 1), ("b", [2, 3])])
        self.assertEqual((dict(p), {**p}), (dict(p.copy()),) * 2)
        self.assertEqual((lambda **k: k)(**p), p)
        self.assertEqual(p | {"z": 1}, {"a": 1, "b": [2, 3], "z": 1})
        self.assertEqual({"z": 1} | p, {"z": 1, "a": 1, "b": [2, 3]})
        q = p
        p |= {"z": 1}
        self.assertIs(p, q)
        self.assertEqual((p.pop("z"), p.popitem()), (1, ("b", [2, 3])))
        self.assertTrue(posh.is_shared(type(p).fromkeys("xy")))
        u = posh.unshare(p)
        self.assertIs(type(u), Config)
        self.assertEqual((u, u.last), ({"a": 1}, "b"))
        self.assertIsInstance(p, dict)


class DequeTest(unittest.TestCase):
    def test_methods(self):
        p = posh.share(Recent([1]))
        p.extend([2, 3, 4])
        self.assertEqual((list(p), p.maxlen, p.newest()), ([2, 3, 4], 3, 4))
        q = type(p)("abcd")
        self.assertTrue(posh.is_shared(q))
        self.assertEqual(q, collections.deque("bcd"))
        u = posh.unshare(p)
        self.assertIs(type(u), Recent)
        self.assertEqual((list(u), u.maxlen), ([2, 3, 4], 3))


class SetTest(unittest.TestCase):
    def test_methods(self):
        p = posh.share(Tags("ab"))
        pid = posh.forkcall(p.add, "C")
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertEqual((p, p.seen), ({"a", "b", "c"}, 1))
        self.assertEqual({"a", "b", "c"}, p)
        self.assertIsInstance(p, set)
        self.assertIsInstance(p, Tags)
        q = posh.share(Tags("cd"))
        self.assertEqual(p | q, set("abcd"))
        self.assertIs(type(p | q), set)
        self.assertIs(type(p.copy()), set)
        self.assertIs(type(copy.copy(p)), Tags)
        self.assertEqual(set("xc") & p, {"c"})
        self.assertEqual((p - q, p ^ {"a"}), ({"a", "b"}, {"b", "c"}))
        self.assertTrue(p > {"a"} and {"a"} < p and not p <= q)
        self.assertEqual(p.union(q, ["e"]), set("abcde"))
        same = p
        p |= q
        p -= {"a"}
        p.discard("b")
        self.assertIs(p, same)
        self.assertEqual((sorted(p), "c" in p, len(p)), (["c", "d"], True, 2))
        with self.assertRaises(KeyError):
            p.remove("b")
        with self.assertRaises(TypeError):
            hash(p)
        p.clear()
        self.assertEqual((repr(p), repr(q & {"c"})), ("Tags()", "{'c'}"))
        p.add("Z")
        self.assertEqual(repr(p), "Tags({'z'})")
        u = posh.unshare(p)
        self.assertIs(type(u), Tags)
        self.assertEqual((u, u.seen), ({"z"}, 2))


class BytearrayTest(unittest.TestCase):
    def setUp(self):
        self.p = posh.share(Frame(b"ab", owner=["me"]))

    def test_methods(self):
        p = same = self.p
        in_child(p.append, 0xE3)
        p.owner.append("you")
        self.assertEqual((p, p.owner), (b"abc", ["me", "you"]))
        self.assertEqual((bytes(p), list(p), len(p)), (b"abc", [*b"abc"], 3))
        self.assertTrue(b"abc" == p == bytearray(b"abc") and p != b"ab")
        self.assertTrue(p < b"b" and b"b" > p >= p)
        p += b"d"
        p *= 2
        p[1:3] = b"-"
        del p[-1]
        self.assertIs(p, same)
        self.assertEqual((p, p[0], p[-2:]), (b"a-dabc", 97, b"bc"))
        self.assertEqual((p.pop(), p.find(b"d"), 100 in p), (99, 2, True))
        p.insert(0, 33)
        p.remove(45)
        p.reverse()
        self.assertEqual(p, b"bada!")
        p.extend([65, 66])
        self.assertEqual((p.upper(), p.hex()), (b"BADA!AB", "62616461214142"))
        self.assertEqual(p.translate(p.maketrans(b"!", b"?")), b"bada?AB")
        with self.assertRaises(IndexError):
            p[99]
        with self.assertRaises(ValueError):
            p[0] = 256
        with self.assertRaises(TypeError):
            hash(p)
        p.clear()
        self.assertEqual((repr(p), str(p)), ("Frame(b'')",) * 2)

    def test_results(self):
        """what is made anew is a bytearray, as the builtin's are"""
        p = self.p
        q = posh.share(Frame(b"q"))
        for result, value in (
            (p + b"c", b"abc"), (p + q, b"abq"), (p * 2, b"abab"),
            (bytearray(b"c") + p, b"cab"), (p[:1], b"a"), (p.copy(), b"ab"),
            (p.center(4), b" ab "), (p.replace(b"b", q), b"aq"),
            (p.join([q, p]), b"qabab"),
        ):
            self.assertIs(type(result), bytearray)
            self.assertEqual(result, value)
        self.assertEqual(b"-".join([p, q]), b"ab-q")
        plain = bytearray(b"c")
        plain += p
        self.assertEqual(plain, b"cab")
        t = p.twin()
        self.assertTrue(posh.is_shared(t) and t.owner is p)
        self.assertEqual(t, b"ab")
        t = type(p).fromhex("00ff")
        self.assertTrue(posh.is_shared(t))
        self.assertEqual((t, t.owner), (b"\0\xff", None))

    def test_is_one(self):
        p = self.p
        self.assertIsInstance(p, bytearray)
        self.assertIs(p.__class__, Frame)
        match p:
            case [*_]:
                self.fail("bytes are no sequence to match")
        for u in (posh.unshare(p), copy.deepcopy(p), copy.copy(p)):
            self.assertIs(type(u), Frame)
            self.assertEqual((u, u.owner), (b"ab", ["me"]))
        self.assertIs(pickle.loads(pickle.dumps(p)), p)
        self.assertEqual(vars(p), {"owner": ["me"]})

    def test_buffer(self):
        """C code gets at the bytes, without a copy"""
        p = self.p
        with memoryview(p) as view:
            self.assertIs(view.obj, p)
            in_child(p.__setitem__, 0, 65)
            self.assertEqual((view[0], view.readonly), (65, False))
            view[1] = 66
            self.assertEqual(p, b"AB")
            with self.assertRaises(BufferError):
                p.append(1)
            with self.assertRaises(BufferError):
                p.clear()
        p.append(67)
        self.assertEqual(io.BytesIO(b"xy").readinto(p), 2)
        self.assertEqual(posh.view(p), b"xyC")
        # A view keeps what it shows.
        view = memoryview(posh.share(Frame(b"alone")))
        gc.collect()
        self.assertEqual(view, b"alone")

    def test_empty(self):
        """one that was made without its __init__"""
        p = type(self.p).__new__(type(self.p))
        self.assertEqual((p, len(p), bytes(p)), (b"", 0, b""))
        in_child(p.append, 1)
        self.assertEqual(p, b"\1")
        self.assertEqual(posh.default_heap().check(), [])

    def test_monitor(self):
        """a method is one operation"""
        p = posh.share(Frame(b"ab", owner=-1))

        def child():
            for i in range(100):
                p.two(i)

        p.two(0)
        pids = [posh.forkcall(child) for _ in range(2)]
        for _ in range(100):
            seen = p.copy()
            self.assertEqual(seen[0], seen[-1])
        self.assertEqual(set(posh.waitall(pids).values()), {0})
        self.assertEqual(p.owner, 200)

    def test_memory(self):
        with posh.Heap(max_size=1 << 26) as heap:
            heap.share(Frame(b"x"))
            before = heap.stats().live_bytes
            p = heap.share(Frame(b"y" * 5000, owner=[]))
            p.owner.append(p)
            p.append(1)
            del p
            heap.collect()
            self.assertEqual(heap.stats().live_bytes, before)
            self.assertEqual(heap.check(), [])


class CollectionsTest(unittest.TestCase):
    """Classes that need no declaration."""

    def test_counter(self):
        p = posh.share(collections.Counter("abca"))
        p["x"] += 2
        p.update("bb")
        p.subtract("c")
        self.assertEqual(p, collections.Counter(a=2, b=3, c=0, x=2))
        self.assertEqual((p["nothing"], p.most_common(1)), (0, [("b", 3)]))
        self.assertEqual(p + p, collections.Counter(a=4, b=6, x=4))
        self.assertEqual(sorted(p.elements()), list("aabbbxx"))
        self.assertEqual(repr(p), repr(posh.unshare(p)))
        self.assertIs(type(posh.unshare(p)), collections.Counter)

        def child():
            for _ in range(100):
                p.update("z")

        pids = [posh.forkcall(child) for _ in range(3)]
        self.assertEqual(set(posh.waitall(pids).values()), {0})
        self.assertEqual(p["z"], 300)

    def test_ordered_ends(self):
        """whatever is moved and popped at either end, as with the builtin"""
        r = random.Random(1)
        plain = collections.OrderedDict()
        p = posh.share(plain)
        for step in range(3000):
            key = r.choice((int, str, float))(r.randrange(30))
            last = r.random() < 0.5
            name, *args = r.choice((("__setitem__", key, step),
                                    ("setdefault", key, step),
                                    ("move_to_end", key, last),
                                    ("move_to_end", key, last),
                                    ("popitem", last)))
            try:
                want = getattr(plain, name)(*args)
            except KeyError:
                with self.assertRaises(KeyError):
                    getattr(p, name)(*args)
            else:
                self.assertEqual(getattr(p, name)(*args), want)
            if step % 20 == 0:
                self.assertEqual(list(p.items()), list(plain.items()))
        self.assertEqual(list(p.items()), list(plain.items()))

    def test_ordered_queue(self):
        """each end of a long one is near"""
        n = 20000
        p = posh.share(collections.OrderedDict.fromkeys(range(n)))
        for last in True, False:
            for i in range(n) if last else reversed(range(n)):
                p.move_to_end(i, last)
        for i in range(n):
            self.assertEqual(p.popitem(last=False), (i, None))
        self.assertEqual(len(p), 0)

    def test_ordered(self):
        """order across processes, move_to_end, popitem, equality"""
        OD = collections.OrderedDict
        p = posh.share(OD(a=1, b=2, c=3))
        in_child(p.move_to_end, "a")
        self.assertEqual(list(p), ["b", "c", "a"])
        in_child(p.move_to_end, "c", False)
        self.assertEqual(list(p), ["c", "b", "a"])
        self.assertEqual(p, OD(c=3, b=2, a=1))
        self.assertEqual(OD(c=3, b=2, a=1), p)
        self.assertNotEqual(p, OD(a=1, b=2, c=3))
        self.assertNotEqual(OD(a=1, b=2, c=3), p)
        self.assertEqual(p, {"a": 1, "b": 2, "c": 3})
        self.assertEqual(p, posh.share(OD(c=3, b=2, a=1)))
        self.assertEqual(repr(p), repr(OD(c=3, b=2, a=1)))
        p["c"] = 4
        self.assertEqual(p.popitem(last=False), ("c", 4))
        self.assertEqual(p.popitem(), ("a", 1))
        self.assertEqual(list(reversed(p)), ["b"])
        with self.assertRaises(KeyError):
            p.move_to_end("nothing")
        with self.assertRaises(TypeError):
            p.move_to_end([])
        p.clear()
        for last in (True, False):
            with self.assertRaises(KeyError):
                p.popitem(last=last)
        plain = OD(a=1, b=[])
        plain.move_to_end("a")
        p = posh.share(plain)
        self.assertEqual(list(p), ["b", "a"])
        u = posh.unshare(p)
        self.assertIs(type(u), OD)
        self.assertEqual(u, plain)
        u.move_to_end("b")
        self.assertEqual(list(u), ["a", "b"])
        self.assertEqual(list(p | {"z": 1}), ["b", "a", "z"])

    def test_ordered_counter(self):
        p = posh.share(OrderedCounter("abca"))
        p.update("b")
        p.move_to_end("a")
        self.assertEqual(list(p.items()), [("b", 2), ("c", 1), ("a", 2)])
        self.assertIsInstance(p, collections.Counter)

    def test_namespace(self):
        p = posh.share(types.SimpleNamespace(a=1, b=[2]))
        p.b.append(3)
        p.c = p
        in_child(setattr, p, "d", 4)
        self.assertEqual(
            repr(p), "namespace(a=1, b=[2, 3], c=namespace(...), d=4)"
        )
        del p.c
        plain = types.SimpleNamespace(a=1, b=[2, 3], d=4)
        self.assertEqual(p, plain)
        self.assertEqual(plain, p)
        self.assertNotEqual(p, types.SimpleNamespace(a=1))
        self.assertEqual(vars(p), {"a": 1, "b": [2, 3], "d": 4})
        u = posh.unshare(p)
        self.assertIs(type(u), types.SimpleNamespace)
        self.assertEqual(u, plain)
        with self.assertRaises(AttributeError):
            p.nothing
        self.assertTrue(posh.is_shared(type(p)(x=1)))

    def test_default(self):
        """a defaultdict without a factory; others name what is missing"""
        p = posh.share(collections.defaultdict(None, a=1))
        self.assertEqual((p, p.default_factory), ({"a": 1}, None))
        with self.assertRaises(KeyError):
            p["b"]
        self.assertEqual(repr(p), "defaultdict(None, {'a': 1})")
        u = posh.unshare(p)
        self.assertIs(type(u), collections.defaultdict)
        self.assertEqual(u, {"a": 1})


if __name__ == "__main__":
    import tap

    tap.main()

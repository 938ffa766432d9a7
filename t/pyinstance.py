# SPDX-License-Identifier: MIT
"""Instances of user classes: as the plain object, but in shared memory."""
import abc
import asyncio
import contextlib
import copy
import dataclasses
import functools
import gc
import inspect
import io
import typing
import unittest
import warnings
import weakref
from unittest import mock


import posh


@posh.shareable
class Dog:
    """A dog."""

    legs = 4
    born = 0

    def __init__(self, name):
        self.name = name
        self.tricks = []

    def add(self, trick, *more, loud=False):
        self.tricks.append(trick.upper() if loud else trick)
        self.tricks.extend(more)
        return self

    def me(self):
        return self

    def clone(self):
        return type(self)(self.name)

    def count(self):
        type(self).born += 1

    @property
    def best(self):
        return self.tricks[0]

    @best.setter
    def best(self, value):
        self.tricks.insert(0, value)

    @best.deleter
    def best(self):
        del self.tricks[0]

    @classmethod
    def kind(cls):
        return cls.__name__

    @staticmethod
    def sound():
        return "wuff"

    def fail(self):
        raise KeyError("no")


@posh.shareable
class Puppy(Dog):
    def __init__(self, name, age):
        super().__init__(name)
        self.age = age

    def add(self, trick):
        return super().add("small " + trick)


@posh.shareable
class Slots:
    __slots__ = ("x", "__y")

    def __init__(self, x):
        self.x = x
        self.__y = x

    def y(self):
        return self.__y


@posh.shareable
@dataclasses.dataclass
class Point:
    x: int
    y: list = dataclasses.field(default_factory=list)
    origin: typing.ClassVar = "o"


@posh.shareable
@dataclasses.dataclass(frozen=True)
class Frozen:
    x: int


@posh.shareable
@dataclasses.dataclass(order=True)
class Ordered:
    x: int


class AttributeTest(unittest.TestCase):
    def test_same(self):
        """attributes are those of the plain object"""
        p = posh.share(Dog("Rex"))
        self.assertEqual(p.name, "Rex")
        self.assertEqual(p.tricks, [])
        self.assertTrue(posh.is_shared(p.tricks))
        self.assertEqual(p.legs, 4)

    def test_set_and_delete(self):
        p = posh.share(Dog("Rex"))
        p.name = "Max"
        p.new = [1]
        p.new.append(2)
        self.assertEqual((p.name, p.new), ("Max", [1, 2]))
        del p.new
        with self.assertRaisesRegex(
            AttributeError, "'Dog' object has no attribute 'new'"
        ):
            p.new
        with self.assertRaises(AttributeError):
            del p.new
        with self.assertRaises(AttributeError):
            del p.legs
        self.assertFalse(hasattr(p, "new"))

    def test_shadow_and_uncover(self):
        """an attribute hides the class's, until it is deleted"""
        p = posh.share(Dog("Rex"))
        p.legs = 3
        self.assertEqual((p.legs, Dog.legs), (3, 4))
        del p.legs
        self.assertEqual(p.legs, 4)

    def test_shadow_method(self):
        """also a method's name can be an attribute"""
        p = posh.share(Dog("Rex"))
        self.assertEqual(p.sound(), "wuff")
        p.me = 5
        self.assertEqual(p.me, 5)
        del p.me
        self.assertIs(p.me(), p)

    def test_cover_later(self):
        """a property that the class gets later comes first"""

        @posh.shareable
        class Covered:
            def __init__(self):
                self.x = 1

        p = posh.share(Covered())
        for _ in range(3):
            self.assertEqual(p.x, 1)
        Covered.x = property(lambda self: "property")
        self.assertEqual(p.x, "property")
        with self.assertRaises(AttributeError):
            p.x = 2
        del Covered.x
        self.assertEqual(p.x, 1)
        p.x = 3
        self.assertEqual(p.x, 3)

    def test_two_heaps(self):
        """the same class has other slots in another heap"""

        @posh.shareable
        class Both:
            pass

        with posh.Heap(max_size=1 << 26) as heap:
            p, q = posh.share(Both()), heap.share(Both())
            names = ["dynamic%d" % i for i in range(4)]
            for name in names:
                setattr(p, name, name)
            for name in reversed(names):
                setattr(q, name, name.upper())
            for name in names:
                self.assertEqual(getattr(p, name), name)
                self.assertEqual(getattr(q, name), name.upper())
                setattr(p, name, 1)
                setattr(q, name, 2)
            self.assertEqual(set(vars(p).values()), {1})
            self.assertEqual(set(vars(q).values()), {2})
            del q

    def test_many(self):
        """there is no limit on the number of attributes"""
        p = posh.share(Dog("Rex"))
        for i in range(200):
            setattr(p, f"many{i}", [i])
        for i in range(200):
            self.assertEqual(getattr(p, f"many{i}"), [i])
        self.assertEqual(len(vars(p)), 202)
        for i in range(0, 200, 2):
            delattr(p, f"many{i}")
        self.assertFalse(hasattr(p, "many100"))
        self.assertEqual(p.many101, [101])
        q = posh.share(Dog("Max"))
        q.many150 = 1
        self.assertEqual(vars(q), {"name": "Max", "tricks": [], "many150": 1})
        u = posh.unshare(p)
        self.assertEqual(u.many199, [199])

    def test_many_at_once(self):
        """nor when a plain object is shared"""
        d = Dog("Rex")
        for i in range(200):
            setattr(d, f"once{i}", i)
        p = posh.share(d)
        self.assertEqual(vars(p), vars(d))

    def test_dict(self):
        """__dict__ is live"""
        p = posh.share(Dog("Rex"))
        d = p.__dict__
        self.assertEqual(d, {"name": "Rex", "tricks": []})
        d["name"] = "Max"
        self.assertEqual(p.name, "Max")
        d.update(a=1, b=[2])
        self.assertEqual((p.a, p.b), (1, [2]))
        p.c = 3
        self.assertEqual(d["c"], 3)
        self.assertEqual(sorted(d), ["a", "b", "c", "name", "tricks"])
        del d["a"]
        self.assertFalse(hasattr(p, "a"))
        with self.assertRaises(KeyError):
            d["a"]
        with self.assertRaises(KeyError):
            del d["a"]
        self.assertNotIn("a", d)
        p.__dict__ = {"only": 1}
        self.assertEqual(vars(p), {"only": 1})

    def test_dir(self):
        p = posh.share(Dog("Rex"))
        p.extra = 1
        self.assertEqual(
            {"name", "tricks", "extra", "add", "legs"} - set(dir(p)), set()
        )
        self.assertNotIn("_posh_ref", dir(p))

    def test_refused(self):
        """what can't be shared can't be an attribute; nothing changes"""
        p = posh.share(Dog("Rex"))
        with self.assertRaises(posh.NotShareableError):
            p.name = object()
        with self.assertRaises(posh.NotShareableError):
            p.other = [object()]
        self.assertEqual(vars(p), {"name": "Rex", "tricks": []})

    def test_proxy_is_one(self):
        """an object has one proxy in a process"""
        p = posh.share([Dog("Rex")])
        self.assertIs(p[0], p[0])
        p[0].friend = p[0]
        self.assertIs(p[0].friend, p[0])

    def test_gone(self):
        """the object goes with its last reference, however many proxies"""
        with posh.Heap(max_size=1 << 26) as heap:
            p = heap.share([Dog("Rex"), None])
            p[1] = p[0]
            p[:] = []
            before = heap.stats().live_bytes
            for _ in range(10):
                p.append(Dog("Rex" * 20))
                d = p[0]
                d.tricks.append("long text " * 9)
                p.clear()
                self.assertEqual(d.tricks, ["long text " * 9])
                del d
            p.clear()
            self.assertEqual(heap.stats().live_bytes, before)
            del p


class MethodTest(unittest.TestCase):
    def setUp(self):
        self.p = posh.share(Dog("Rex"))

    def test_call(self):
        p = self.p
        self.assertIs(p.me(), p)
        self.assertIs(p.add("sit"), p)
        p.add("roll", "beg", loud=True)
        self.assertEqual(p.tricks, ["sit", "ROLL", "beg"])
        self.assertIs(Dog.add(p, "bark"), p)
        self.assertIs(type(p).add(p, "run"), p)
        self.assertEqual(p.tricks[-2:], ["bark", "run"])

    def test_property(self):
        p = self.p
        p.best = "sit"
        p.best = "roll"
        self.assertEqual(p.best, "roll")
        del p.best
        self.assertEqual(p.tricks, ["sit"])
        self.assertIsInstance(inspect.getattr_static(Dog, "best"), property)

    def test_class_and_static(self):
        self.assertEqual(self.p.kind(), "Dog")
        self.assertEqual(self.p.sound(), "wuff")

    def test_errors(self):
        """exceptions pass, and the monitor is left"""
        with self.assertRaises(KeyError):
            self.p.fail()
        with self.assertRaises(TypeError) as ours:
            self.p.add()
        with self.assertRaises(TypeError) as theirs:
            Dog("x").add()
        self.assertEqual(str(ours.exception), str(theirs.exception))
        pid = posh.forkcall(lambda: self.p.add("child") and None)
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertEqual(self.p.tricks, ["child"])

    def test_looks(self):
        """a method looks like the function"""
        p = self.p
        self.assertEqual(p.add.__name__, "add")
        self.assertEqual(p.add.__qualname__, "Dog.add")
        self.assertIs(p.add.__self__, p)
        self.assertEqual(
            inspect.signature(p.add), inspect.signature(Dog("x").add)
        )
        self.assertTrue(inspect.ismethod(p.add))

    def test_patch(self):
        """patching Dog patches what is shared"""
        self.p.me()
        with mock.patch.object(Dog, "me", lambda self: "patched"):
            self.assertEqual(self.p.me(), "patched")
        self.assertIs(self.p.me(), self.p)
        with mock.patch.object(Dog, "me") as m:
            self.p.me(1)
        m.assert_called_once_with(1)
        with mock.patch.object(Dog, "best", 5):
            self.assertEqual(self.p.best, 5)
        with mock.patch.object(type(self.p), "me", lambda self: "patched"):
            self.assertEqual(self.p.me(), "patched")
            self.assertEqual(Dog("x").me(), "patched")
        self.assertIs(self.p.me(), self.p)
        d = Dog("x")
        self.assertIs(d.me(), d)

    def test_new_method(self):
        """a method that Dog gets later is there, inside the monitor"""
        seen = []

        def late(self):
            seen.append(posh._posh._unlock(self))
            posh._posh._lock(self)
            return self

        Dog.late = late
        try:
            self.assertIs(self.p.late(), self.p)
        finally:
            del Dog.late
        self.assertEqual(seen, [True])
        with self.assertRaises(AttributeError):
            self.p.late

    def test_monitor(self):
        """a method runs inside the monitor, and leaves it"""
        inside = []

        @posh.shareable
        class Probe:
            def __len__(self):
                inside.append(posh._posh._unlock(self))
                posh._posh._lock(self)
                return 3

            @property
            def value(self):
                return len(self)

        p = posh.share(Probe())
        self.assertEqual(len(p), 3)
        self.assertEqual(p.value, 3)
        self.assertEqual(inside, [True, True])
        self.assertFalse(posh._posh._unlock(p))

    def test_coroutine(self):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")

            @posh.shareable
            class Async:
                async def get(self):
                    return 5

                def each(self):
                    yield 1

        self.assertEqual(len(caught), 2)
        self.assertEqual({w.filename for w in caught}, {__file__})
        p = posh.share(Async())
        self.assertTrue(inspect.iscoroutinefunction(p.get))
        self.assertEqual(asyncio.run(p.get()), 5)
        self.assertEqual(list(p.each()), [1])


class ClassTest(unittest.TestCase):
    def test_class(self):
        """the proxy is a Dog"""
        p = posh.share(Dog("Rex"))
        self.assertIs(p.__class__, Dog)
        self.assertIsInstance(p, Dog)
        self.assertIsNot(type(p), Dog)
        self.assertEqual(type(p).__name__, "Dog")
        self.assertRegex(repr(p), "^<.*Dog object at ")

    def test_make(self):
        """type(p)(...) makes a shared object, p.__class__(...) a plain one"""
        p = posh.share(Dog("Rex"))
        q = p.clone()
        self.assertTrue(posh.is_shared(q))
        self.assertIsNot(q, p)
        self.assertEqual(q.name, "Rex")
        q.tricks.append("x")
        self.assertEqual(p.tricks, [])
        self.assertFalse(posh.is_shared(p.__class__("x")))
        box = posh.share([q])
        self.assertIs(box[0], q)

    def test_class_attribute(self):
        """what is written to type(p) reaches Dog"""
        p = posh.share(Dog("Rex"))
        before = Dog.born
        p.count()
        p.count()
        self.assertEqual(Dog.born, before + 2)
        self.assertEqual(p.born, before + 2)

    def test_inheritance(self):
        p = posh.share(Puppy("Rex", 1))
        self.assertIsInstance(p, Dog)
        self.assertEqual((p.name, p.age), ("Rex", 1))
        p.add("sit")
        self.assertEqual(p.tricks, ["small sit"])
        self.assertEqual(p.kind(), "Puppy")

    def test_not_inherited(self):
        """a subclass has to be made shareable itself"""

        class Wolf(Dog):
            pass

        with self.assertRaises(posh.NotShareableError):
            posh.share(Wolf("x"))

    def test_no_derived(self):
        """nobody derives from the shared type"""
        with self.assertRaises(TypeError):
            type("X", (type(posh.share(Dog("Rex"))),), {})

    def test_nothing_runs(self):
        """no code of the class runs when it is shared"""
        log = []

        class Meta(type):
            def __new__(mcs, name, bases, namespace):
                log.append("metaclass")
                return super().__new__(mcs, name, bases, namespace)

        class Quiet(metaclass=Meta):
            def __init_subclass__(cls, *, required):
                log.append("init_subclass")

            def __new__(cls):
                log.append("new")
                return super().__new__(cls)

            def __init__(self):
                log.append("init")

            def __del__(self):
                log.append("del")

        q = Quiet()
        log.clear()
        posh.allow_sharing(Quiet)
        p = posh.share(q)
        u = posh.unshare(p)
        self.assertEqual(log, [])
        del p
        self.assertEqual(log, [])
        del u, q
        self.assertEqual(log, ["del", "del"])
        p = posh.share(Quiet())
        Quiet.__del__ = lambda self: log.append("later")
        log.clear()
        del p
        self.assertEqual(log, [])

    def test_slots(self):
        p = posh.share(Slots(1))
        self.assertEqual((p.x, p.y()), (1, 1))
        p.x = [2]
        p.x.append(3)
        self.assertEqual(p.x, [2, 3])
        with self.assertRaises(AttributeError):
            p.z = 1
        with self.assertRaises(AttributeError):
            p.__dict__
        del p.x
        with self.assertRaises(AttributeError):
            p.x
        u = posh.unshare(p)
        self.assertEqual(u.y(), 1)
        self.assertFalse(hasattr(u, "x"))

    def test_closed(self):
        class Closed:
            def __init__(self):
                self.a = 1

        posh.allow_sharing(Closed, closed=True)
        p = posh.share(Closed())
        p.a = 2
        with self.assertRaises(AttributeError):
            p.b = 1
        self.assertEqual(vars(p), {"a": 2})

    def test_dataclass(self):
        p = posh.share(Point(1, [2]))
        self.assertEqual(p, Point(1, [2]))
        self.assertEqual(Point(1, [2]), p)
        self.assertNotEqual(p, Point(1, [3]))
        self.assertEqual(repr(p), "Point(x=1, y=[2])")
        self.assertEqual(p.origin, "o")
        self.assertEqual(dataclasses.replace(p, x=5), Point(5, [2]))
        self.assertEqual([f.name for f in dataclasses.fields(p)], ["x", "y"])
        self.assertLess(posh.share(Ordered(1)), Ordered(2))
        self.assertLess(Ordered(1), posh.share(Ordered(2)))
        with self.assertRaises(TypeError):
            hash(p)

    def test_frozen(self):
        p = posh.share(Frozen(1))
        with self.assertRaises(dataclasses.FrozenInstanceError):
            p.x = 2
        self.assertEqual(p, Frozen(1))
        self.assertEqual(hash(p), hash(Frozen(1)))
        q = type(p)(7)
        self.assertEqual(q.x, 7)
        self.assertTrue(posh.is_shared(q))

    def test_setattr_by_hand(self):
        """object.__setattr__ and super().__setattr__ arrive in the heap"""

        @posh.shareable
        class ByHand:
            def __init__(self, **kwargs):
                object.__setattr__(self, "first", 1)
                super().__setattr__("second", [2])
                for name, value in kwargs.items():
                    super().__setattr__(name, value)

            def __setattr__(self, name, value):
                super().__setattr__(name, (value,))

            def __getattr__(self, name):
                return "no " + name

        p = posh.share(ByHand())
        q = type(p)(third=3)
        self.assertEqual((p.first, p.second), (1, [2]))
        self.assertEqual((q.first, q.second, q.third), (1, [2], 3))
        q.fourth = 4
        self.assertEqual(q.fourth, (4,))
        self.assertEqual(q.fifth, "no fifth")
        self.assertEqual(set(vars(q)), {"first", "second", "third", "fourth"})

    def test_getattribute(self):
        @posh.shareable
        class Get:
            def __init__(self):
                self.x = 1

            def __getattribute__(self, name):
                if name == "magic":
                    return "magic"
                return super().__getattribute__(name)

        p = posh.share(Get())
        p.new = 2
        self.assertEqual((p.x, p.new, p.magic), (1, 2, "magic"))
        self.assertEqual(object.__getattribute__(p, "x"), 1)

    def test_cached_property(self):
        runs = []

        @posh.shareable
        class Cached:
            @functools.cached_property
            def value(self):
                runs.append(1)
                return [42]

        p = posh.share(Cached())
        self.assertEqual(p.value, [42])
        self.assertIs(p.value, p.value)
        self.assertEqual(runs, [1])
        self.assertTrue(posh.is_shared(p.value))

    def test_abc(self):
        class Base(abc.ABC):
            @abc.abstractmethod
            def f(self):
                pass

        @posh.shareable
        class Real(Base):
            def f(self):
                return self

        p = posh.share(Real())
        self.assertIs(p.f(), p)
        self.assertIsInstance(p, Base)
        self.assertNotIsInstance(p, int)

    def test_generic(self):
        T = typing.TypeVar("T")

        @posh.shareable
        class Box(typing.Generic[T]):
            def __init__(self, x):
                self.x = x

        self.assertEqual(posh.share(Box[int](5)).x, 5)

    def test_operators(self):
        @posh.shareable
        class Number:
            def __init__(self, n):
                self.n = n

            def __add__(self, other):
                return Number(self.n + getattr(other, "n", other))

            __radd__ = __add__

            def __iadd__(self, other):
                self.n += other
                return self

            def __eq__(self, other):
                return self.n == other.n

            def __hash__(self):
                return hash(self.n)

            def __getitem__(self, i):
                return self.n + i

            def __contains__(self, x):
                return x == self.n

            def __call__(self, x):
                return (self, x)

            def __bool__(self):
                return self.n != 0

            def __int__(self):
                return self.n

        p = posh.share(Number(3))
        self.assertEqual((p + 1).n, 4)
        self.assertEqual((1 + p).n, 4)
        self.assertFalse(posh.is_shared(p + 1))
        q = p
        q += 5
        self.assertIs(q, p)
        self.assertEqual((p.n, p[1], 8 in p, int(p)), (8, 9, True, 8))
        self.assertEqual(p(1), (p, 1))
        self.assertEqual(p, Number(8))
        self.assertEqual(hash(p), hash(8))
        p.n = 0
        self.assertFalse(p)

    def test_context_and_iteration(self):
        @posh.shareable
        class Bag:
            def __init__(self):
                self.items = [1, 2]
                self.open = 0

            def __enter__(self):
                self.open += 1
                return self

            def __exit__(self, *exc):
                self.open -= 1

            def __iter__(self):
                return iter(self.items)

            def __len__(self):
                return len(self.items)

        p = posh.share(Bag())
        with p as q:
            self.assertIs(p, q)
            self.assertEqual(p.open, 1)
        self.assertEqual((p.open, list(p), len(p)), (0, [1, 2], 2))

    def test_descriptor(self):
        """a descriptor of the user's own has its way"""

        class Positive:
            def __set_name__(self, owner, name):
                self.name = "_" + name

            def __get__(self, obj, tp=None):
                return self if obj is None else getattr(obj, self.name)

            def __set__(self, obj, value):
                if value < 0:
                    raise ValueError
                setattr(obj, self.name, value)

        @posh.shareable
        class Account:
            balance = Positive()

            def __init__(self):
                self.balance = 5

        p = posh.share(Account())
        p.balance = 7
        self.assertEqual((p.balance, p._balance), (7, 7))
        with self.assertRaises(ValueError):
            p.balance = -1

    def test_weakref(self):
        p = posh.share(Dog("Rex"))
        w = weakref.ref(p)
        self.assertIs(w(), p)
        del p
        self.assertIsNone(w())
        p = posh.share(Slots(1))
        self.assertIs(weakref.ref(p)(), p)

    def test_garbage(self):
        """proxies in a private cycle are collected"""
        p = posh.share(Dog("Rex"))
        w = weakref.ref(p)
        cycle = [p]
        cycle.append(cycle)
        del p, cycle
        gc.collect()
        self.assertIsNone(w())

    def test_circle(self):
        """objects that only refer to each other are collected"""
        with posh.Heap(max_size=1 << 26) as heap:
            heap.share(Dog("Rex")).add("x")
            before = heap.stats().live_bytes
            p, q = heap.share([Dog("Rex"), Dog("Max")])
            p.friend, q.friend = q, p
            p.tricks.append([p])
            del q
            self.assertEqual(heap.collect(), 0)
            self.assertEqual(p.friend.name, "Max")
            self.assertIs(p.friend.friend, p)
            del p
            self.assertGreater(heap.stats().live_bytes, before)
            self.assertGreater(heap.collect(), 0)
            self.assertEqual(heap.stats().live_bytes, before)

    def test_identity_hash(self):
        p = posh.share(Dog("Rex"))
        self.assertEqual({p: 1}[p], 1)
        self.assertEqual(p, p)
        self.assertNotEqual(p, Dog("Rex"))

    def test_copy(self):
        p = posh.share(Puppy("Rex", 1))
        c = copy.deepcopy(p)
        self.assertIs(type(c), Puppy)
        self.assertEqual(vars(c), {"name": "Rex", "tricks": [], "age": 1})

    def test_match(self):
        self.assertEqual(Point.__match_args__, ("x", "y"))
        self.assertEqual(posh.share(Point(1)).__match_args__, ("x", "y"))


class InitTest(unittest.TestCase):
    def make(self, init):
        class Box:
            def __init__(self, x):
                self.x = [x.x] if isinstance(x, Box) else x

        posh.allow_sharing(Box, init)
        return Box

    def test_default_init(self):
        """default_init calls S(x)"""
        Box = self.make(posh.default_init)
        self.assertEqual(posh.share(Box(1)).x, [1])

    def test_generic_init(self):
        """generic_init copies the attributes"""
        Box = self.make(posh.generic_init)
        self.assertEqual(posh.share(Box(1)).x, 1)

    def test_own_init(self):
        """an init of one's own may do anything that makes an S"""

        def init(S, x):
            s = posh.generic_init(S, x)
            s.from_init = True
            return s

        Box = self.make(init)
        b = Box(1)
        p = posh.share([b, [b]])
        self.assertTrue(p[0].from_init)
        self.assertIs(p[0], p[1][0])

    def test_heap(self):
        """what init makes is in the heap of share()"""
        Box = self.make(posh.default_init)
        with posh.Heap(max_size=1 << 26) as heap:
            p = heap.share([Box([1])])
            self.assertEqual(p[0].x, [[1]])
            p.append(p[0])
            q = type(p[0])(5)
            self.assertIs(posh._posh._heap_of(q), posh.default_heap())
            del p

    def test_bad_init(self):
        Box = self.make(lambda S, x: 5)
        with self.assertRaises(TypeError):
            posh.share(Box(1))
        Box = self.make(lambda S, x: 1 / 0)
        with self.assertRaises(ZeroDivisionError):
            posh.share([1, Box(1)])


class AllowTest(unittest.TestCase):
    def test_twice(self):
        """the same again is fine, something else is not"""
        posh.allow_sharing(Dog)
        with self.assertRaises(ValueError):
            posh.allow_sharing(Dog, synch=None)

    def test_builtin(self):
        posh.allow_sharing(int)
        posh.allow_sharing(list)
        with self.assertRaises(TypeError):
            posh.allow_sharing(list, posh.default_init)

    def test_bad(self):
        for bad in (5, "Dog", posh.share([])):
            with self.assertRaises(TypeError):
                posh.allow_sharing(bad)
        with self.assertRaises(TypeError):
            posh.allow_sharing(type(posh.share(Dog("x"))))
        with self.assertRaises(TypeError):
            posh.allow_sharing(type("A", (), {}), init=5)
        with self.assertRaises(TypeError):
            posh.allow_sharing(type("A", (), {}), synch="MONITOR")

    def test_not_possible(self):
        """classes over C types are refused, with advice"""
        for base in (io.StringIO, io.BytesIO):
            with self.assertRaises(posh.NotShareableError):
                posh.allow_sharing(type("Derived", (base,), {}))

    def test_redefined(self):
        """a new class of the same name takes the name over"""

        def make(n):
            @posh.shareable
            class Same:
                def number(self):
                    return n

            return Same

        p = posh.share(make(1)())
        box = posh.share([p])
        new = make(2)
        self.assertEqual(p.number(), 1)
        self.assertIs(box[0], p)
        del p
        self.assertEqual(box[0].number(), 2)
        self.assertIs(box[0].__class__, new)

    def test_not_found(self):
        """a class that is not known is an error on access only"""
        made = []

        def hide():
            class Hidden:
                pass

            posh.allow_sharing(Hidden, name="no.such.module:Hidden")
            box.append(Hidden())

        box = posh.share([1])
        pid = posh.forkcall(hide)
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertEqual(len(box), 2)
        self.assertEqual(box[0], 1)
        with self.assertRaisesRegex(
            posh.ClassNotFoundError, "no.such.module:Hidden"
        ):
            box[1]
        with contextlib.suppress(posh.ClassNotFoundError):
            made.append(posh.unshare(box))
        self.assertEqual(made, [])
        del box[1]
        self.assertEqual(box, [1])


if __name__ == "__main__":
    import tap

    tap.main()

# SPDX-License-Identifier: MIT
"""What classes can do, shared instances of them can do."""
import abc
import asyncio
import collections
import collections.abc
import copy
import dataclasses
import functools
import json
import os
import types
import typing
import unittest
import warnings
import weakref
from unittest import mock

import posh

warnings.filterwarnings("ignore", ".*inside the policy only")


def in_child(f, *args):
    """Run f in a child process; it has to return without an exception."""
    pid = posh.forkcall(lambda: f(*args) and None)
    status = posh.waitall([pid])
    assert status == {pid: 0}, status


class InheritanceTest(unittest.TestCase):
    def test_diamond(self):
        """super() goes the way of the method resolution order"""

        class A:
            def __init__(self):
                self.log = ["A"]

            def f(self):
                return ["A"]

        class B(A):
            def __init__(self):
                super().__init__()
                self.log.append("B")

            def f(self):
                return ["B", *super().f()]

        class C(A):
            def __init__(self):
                super().__init__()
                self.log.append("C")

            def f(self):
                return ["C", *super().f()]

        @posh.shareable
        class D(B, C):
            def f(self):
                return ["D", *super().f()]

        p = posh.share(D())
        self.assertEqual(p.f(), ["D", "B", "C", "A"])
        self.assertEqual(p.log, ["A", "C", "B"])
        self.assertEqual(type(p)().log, ["A", "C", "B"])
        self.assertEqual(super(B, p).f(), ["C", "A"])
        self.assertIsInstance(p, C)

    def test_base_is_not_shareable(self):
        """only the class itself has to be shareable; bases may be patched"""

        class Base:
            def __init__(self, x):
                self.x = x

            def f(self):
                return "base"

            def __eq__(self, other):
                return self.x == other.x

            __hash__ = None

        @posh.shareable
        class Sub(Base):
            def __init__(self, x):
                Base.__init__(self, x)

        p = posh.share(Sub(1))
        self.assertEqual(p, Sub(1))
        self.assertEqual(type(p)(1), p)
        with self.assertRaises(TypeError):
            hash(p)
        with mock.patch.object(Base, "f", lambda self: "patched"):
            self.assertEqual(p.f(), "patched")
        self.assertEqual(p.f(), "base")

    def test_no_hooks(self):
        """no hook of the class's makers runs for what posh makes"""
        log = []

        class Desc:
            def __set_name__(self, owner, name):
                log.append(name)

            def __get__(self, obj, tp=None):
                return 7

        class Meta(type):
            def __call__(cls, *args):
                log.append("call")
                return super().__call__(*args)

            def __iter__(cls):
                return iter("meta")

        class Base(metaclass=Meta):
            def __init_subclass__(cls, **kwargs):
                log.append("subclass")

        class Sub(Base):
            d = Desc()

            def twin(self):
                return type(self)()

        x = Sub()
        log.clear()
        posh.allow_sharing(Sub)
        p = posh.share(x)
        posh.unshare(p)
        copy.copy(p)
        self.assertEqual(log, [])
        self.assertEqual(p.d, 7)
        self.assertEqual("".join(type(p)), "meta")
        self.assertTrue(posh.is_shared(p.twin()))
        self.assertEqual(log, ["call"])

    def test_new(self):
        """type(self)(...) runs the class's own __new__ and __init__"""

        @posh.shareable
        class New:
            def __new__(cls, *args):
                x = super().__new__(cls)
                x.made = True
                return x

            def __init__(self, *args):
                self.args = args

            def twin(self):
                return type(self)(*self.args)

        q = posh.share(New(1, 2)).twin()
        self.assertTrue(posh.is_shared(q))
        self.assertEqual((q.made, q.args), (True, (1, 2)))

    def test_class_attributes(self):
        """class methods and self.__class__ reach the class"""

        @posh.shareable
        class Counted:
            count = 0

            def __init__(self):
                self.__class__.count += 1
                self.number = type(self).count

            @classmethod
            def reset(cls):
                cls.count = 0

        p = posh.share(Counted())
        self.assertEqual(type(p)().number, 2)
        self.assertEqual((p.count, Counted.count), (2, 2))
        p.reset()
        self.assertEqual((p.count, Counted.count), (0, 0))
        with self.assertRaises((AttributeError, TypeError)):
            p.__class__ = int


class SlotsTest(unittest.TestCase):
    def test_beside_dict(self):
        """vars() has no slots in it, also where a class has both"""

        class A:
            __slots__ = ("a", "__dict__")

        @posh.shareable
        class B(A):
            __slots__ = ("b", "__weakref__")

        x = B()
        x.a, x.b, x.c = 1, 2, 3
        p = posh.share(x)
        self.assertEqual((p.a, p.b, p.c), (1, 2, 3))
        p.d = 4
        self.assertEqual(vars(p), {"c": 3, "d": 4})
        with self.assertRaises(KeyError):
            vars(p)["a"]
        u = posh.unshare(p)
        self.assertEqual((u.a, u.b, vars(u)), (1, 2, {"c": 3, "d": 4}))

    def test_property(self):
        @posh.shareable
        class C:
            __slots__ = {"a": "what it is", "_b": "hidden"}

            @property
            def b(self):
                return self._b

            @b.setter
            def b(self, value):
                self._b = value

        x = C()
        x.a = 1
        p = posh.share(x)
        with self.assertRaises(AttributeError):
            p.b
        p.b = 2
        c = copy.copy(p)
        self.assertEqual((c.a, c.b), (1, 2))
        self.assertIs(type(c), C)
        self.assertFalse(hasattr(p, "__dict__"))
        self.assertIn("a", dir(p))


class AccessTest(unittest.TestCase):
    def test_object_setattr(self):
        """object.__setattr__ and __getattribute__ know every name"""

        @posh.shareable
        class ByHand:
            def __setattr__(self, name, value):
                object.__setattr__(self, name, [value])

            def __getattribute__(self, name):
                if name == "magic":
                    return "magic"
                return object.__getattribute__(self, name)

        def child():
            assert p.brandnew == [1]
            p.fromchild = 2

        p = posh.share(ByHand())
        p.brandnew = 1
        self.assertEqual((p.brandnew, p.magic), ([1], "magic"))
        in_child(child)
        self.assertEqual(p.fromchild, [2])
        self.assertEqual(vars(p), {"brandnew": [1], "fromchild": [2]})
        with self.assertRaises(AttributeError):
            p.nothing

    def test_without_policy(self):
        """the same for a class that has no policy"""

        @posh.shareable(synch=None)
        class ByDict:
            def __setattr__(self, name, value):
                self.__dict__[name] = value

            def __getattribute__(self, name):
                return object.__getattribute__(self, name)

        p = posh.share(ByDict())
        p.a = 5
        self.assertEqual((p.a, p.__dict__), (5, {"a": 5}))

    def test_getattr(self):
        """__getattr__ is asked last, also behind a property that fails"""

        @posh.shareable
        class Fallback:
            @property
            def broken(self):
                raise AttributeError("inner")

            def __getattr__(self, name):
                return "no " + name

        p = posh.share(Fallback())
        self.assertEqual((p.x, p.broken), ("no x", "no broken"))
        p.x = 1
        self.assertEqual(p.x, 1)
        del p.x
        self.assertEqual(p.x, "no x")

    def test_delattr(self):
        @posh.shareable
        class Noted:
            def __init__(self):
                self.x = 1

            def __delattr__(self, name):
                super().__delattr__(name)
                self.last = name

        p = posh.share(Noted())
        del p.x
        self.assertEqual(vars(p), {"last": "x"})

    def test_names(self):
        """any str is a name, of a subclass too; nothing else is"""

        @posh.shareable
        class C:
            pass

        class Name(str):
            pass

        p = posh.share(C())
        setattr(p, "weird name!", 1)
        setattr(p, Name("sub"), 2)
        self.assertEqual(getattr(p, "weird name!"), 1)
        self.assertEqual((p.sub, getattr(p, Name("sub"))), (2, 2))
        self.assertEqual(vars(p)[Name("sub")], 2)
        self.assertIs(type(list(vars(p))[1]), str)
        with self.assertRaises(TypeError):
            setattr(p, 5, 1)
        x = C()
        x.__dict__[Name("given")] = 3
        self.assertEqual(posh.share(x).given, 3)

    def test_descriptors(self):
        """descriptors that use the instance's __dict__; non-data ones"""

        class Typed:
            def __set_name__(self, owner, name):
                self.name = name

            def __get__(self, obj, tp=None):
                return self if obj is None else obj.__dict__[self.name]

            def __set__(self, obj, value):
                obj.__dict__[self.name] = value

            def __delete__(self, obj):
                del obj.__dict__[self.name]

        class NonData:
            def __get__(self, obj, tp=None):
                return "from the class"

        @posh.shareable
        class C:
            a = Typed()
            n = NonData()

            def __init__(self, a):
                self.a = a

        p = posh.share(C(1))
        self.assertEqual(p.a, 1)
        p.a = [2]
        p.a.append(3)
        self.assertEqual(p.a, [2, 3])
        self.assertEqual(posh.unshare(p).a, [2, 3])
        del p.a
        with self.assertRaises(KeyError):
            p.a
        p.n = 5
        self.assertEqual(p.n, 5)
        del p.n
        self.assertEqual(p.n, "from the class")

    def test_wrapped(self):
        """methods made by decorators and functools"""

        def twice(f):
            @functools.wraps(f)
            def wrapper(self, *args):
                return [f(self, *args), f(self, *args)]

            return wrapper

        @posh.shareable
        class C:
            runs = 0

            @twice
            def m(self, x):
                self.x = x
                return x

            @functools.lru_cache(None)
            def cached(self, x):
                return [x]

            @functools.singledispatchmethod
            def kind(self, x):
                return "any"

            @kind.register
            def _(self, x: int):
                return "int"

            partial = functools.partialmethod(lambda self, a, b: (a, b), 1)

            @functools.cached_property
            def value(self):
                type(self).runs += 1
                return self.runs

        p = posh.share(C())
        self.assertEqual((p.m(3), p.x), ([3, 3], 3))
        self.assertIs(p.cached(1), p.cached(1))
        self.assertEqual((p.kind(1), p.kind("")), ("int", "any"))
        self.assertEqual(p.partial(2), (1, 2))
        self.assertEqual((p.value, p.value), (1, 1))
        del p.value
        self.assertEqual(p.value, 2)
        del p.__dict__["value"]
        self.assertEqual(p.value, 3)

    def test_patch(self):
        """mock.patch.object of all kinds of members, and autospec"""

        @posh.shareable
        class Dog:
            def m(self):
                return 1

            @property
            def p(self):
                return 1

            @staticmethod
            def s():
                return 1

            @classmethod
            def c(cls):
                return 1

        p = posh.share(Dog())
        with mock.patch.object(Dog, "m", autospec=True, return_value=6) as m:
            self.assertEqual(p.m(), 6)
            m.assert_called_once_with(p)
        new = mock.PropertyMock
        with mock.patch.object(Dog, "p", new_callable=new, return_value=7):
            self.assertEqual(p.p, 7)
        with mock.patch.object(Dog, "s", return_value=8):
            self.assertEqual(p.s(), 8)
        with mock.patch.object(Dog, "c", return_value=9):
            self.assertEqual(p.c(), 9)
        self.assertEqual((p.m(), p.p, p.s(), p.c()), (1, 1, 1, 1))


class MappingTest(unittest.TestCase):
    """vars(p) is as the dict that it stands for."""

    def setUp(self):
        @posh.shareable
        class C:
            def __init__(self, **kwargs):
                self.__dict__.update(kwargs)

            def __eq__(self, other):
                return self.__dict__ == other.__dict__

            def __repr__(self):
                return f"C({self.__dict__})"

        self.C = C
        self.p = posh.share(C(a=1, b=[2]))

    def test_init(self):
        self.assertEqual(self.p, self.C(a=1, b=[2]))
        self.assertEqual(self.C(a=1, b=[2]), self.p)
        self.assertEqual(type(self.p)(a=1, b=[2]), self.p)
        self.assertEqual(repr(self.p), "C({'a': 1, 'b': [2]})")

    def test_order(self):
        """it has the order that the object had when it was shared"""
        for names in ("ab", "ba", "cab", "bca"):
            x = self.C(**dict.fromkeys(names, [1]))
            p = posh.share(x)
            self.assertEqual("".join(vars(p)), names)
            self.assertEqual("".join(vars(posh.unshare(p))), names)
            self.assertEqual("".join(vars(copy.copy(p))), names)
            p.x = 1
            self.assertEqual("".join(vars(p)), names + "x")
            del p.b
            self.assertEqual("".join(vars(p)), names.replace("b", "") + "x")
            self.assertNotIn("<order>", dir(p))
        many = [f"n{i * 7 % 90}" for i in range(90)]  # more than slots
        p = posh.share(self.C(**dict.fromkeys(many)))
        self.assertEqual(list(vars(p)), many)
        many.reverse()
        q = posh.share(self.C(**dict.fromkeys(many)))
        self.assertEqual(list(vars(q)), many)
        first = posh.share(types.SimpleNamespace(a=1, z=2))
        second = posh.share(types.SimpleNamespace(z=1, a=2))
        self.assertEqual(repr(first), "namespace(a=1, z=2)")
        self.assertEqual(repr(second), "namespace(z=1, a=2)")

    def test_methods(self):
        d = vars(self.p)
        self.assertIsInstance(d, dict)
        self.assertEqual((d.get("a"), d.get("z"), len(d)), (1, None, 2))
        self.assertEqual(list(d.items()), [("a", 1), ("b", [2])])
        self.assertEqual(d | {"c": 3}, {"a": 1, "b": [2], "c": 3})
        self.assertEqual({**d}, dict(d))
        d |= {"c": 3}
        self.assertEqual(self.p.c, 3)
        d.setdefault("list", []).append(1)
        self.assertEqual(self.p.list, [1])
        self.assertEqual(d.pop("c"), 3)
        self.assertFalse(hasattr(self.p, "c"))
        self.assertEqual(sorted(d), ["a", "b", "list"])
        d.clear()
        self.assertFalse(hasattr(self.p, "a"))
        self.assertEqual(vars(self.p), {})

    def test_json(self):
        text = json.dumps(vars(self.p), default=posh.unshare)
        self.assertEqual(json.loads(text), {"a": 1, "b": [2]})
        u = posh.unshare(vars(self.p))
        self.assertIs(type(u), dict)
        self.assertFalse(posh.is_shared(u["b"]))

    def test_shared(self):
        """shared or stored, it goes on to be the object's attributes"""
        p = self.p
        for d in (posh.share(vars(p)), posh.share([vars(p)])[0],
                  posh.share({"d": (1, vars(p))})["d"][1]):
            self.assertIsInstance(d, dict)
            self.assertEqual(d, {"a": 1, "b": [2]})
            d["a"] = 7
            self.assertEqual(p.a, 7)
            p.a = 1
            self.assertEqual(d["a"], 1)
            self.assertIs(d["b"], p.b)
        p.me = vars(p)
        pid = posh.forkcall(p.me["me"].__setitem__, "a", 5)
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.assertEqual(p.a, 5)
        u = posh.unshare(p)
        self.assertIs(u.me, vars(u))
        self.assertIs(posh.unshare(vars(p))["me"]["me"]["b"][0], 2)
        with self.assertRaises(TypeError):
            posh.dict({vars(p): 1})
        with posh.Heap() as other:
            with self.assertRaises(posh.WrongHeapError):
                other.share([vars(p)])
        del p, u, d
        self.p = None
        posh.collect()
        self.assertEqual(posh.default_heap().check(), [])


class OperatorTest(unittest.TestCase):
    def setUp(self):
        @posh.shareable
        @functools.total_ordering
        class V:
            def __init__(self, x):
                self.x = x

            def __eq__(self, other):
                return isinstance(other, V) and self.x == other.x

            def __lt__(self, other):
                return self.x < other.x

            def __hash__(self):
                return hash(self.x)

            def __add__(self, other):
                return type(self)(self.x + other.x)

            def __mul__(self, n):
                return V(self.x * n)

            __rmul__ = __mul__

            def __neg__(self):
                return V(-self.x)

            def __matmul__(self, other):
                return self.x * other.x

            def __pow__(self, n, mod=None):
                return pow(self.x, n, mod)

            def __divmod__(self, n):
                return divmod(self.x, n)

            def __index__(self):
                return self.x

            def __float__(self):
                return float(self.x)

            def __round__(self, digits=None):
                return round(self.x, digits)

            def __format__(self, spec):
                return format(self.x, spec)

            def __str__(self):
                return f"V{self.x}"

            def __bytes__(self):
                return b"v"

            def __getitem__(self, i):
                if isinstance(i, slice):
                    return i
                if i >= self.x:
                    raise IndexError(i)
                return i

            def __setitem__(self, i, value):
                self.item = (i, value)

            def __delitem__(self, i):
                self.item = i

            def __reversed__(self):
                return iter("reversed")

            def __iand__(self, n):
                self.x &= n
                return self

            def __call__(self, *args, **kwargs):
                return args, kwargs

            def __fspath__(self):
                return "/v"

        self.V = V
        self.p, self.q = posh.share([V(3), V(4)])

    def test_comparisons(self):
        p, q, V = self.p, self.q, self.V
        self.assertTrue(p < q and q > p and p <= V(3) and V(2) < p)
        self.assertTrue(p == V(3) and V(3) == p and p != q)
        self.assertEqual(sorted([q, p]), [p, q])
        self.assertEqual({p: "three"}[V(3)], "three")

    def test_numbers(self):
        p, q = self.p, self.q
        self.assertTrue(posh.is_shared(p + q))
        self.assertFalse(posh.is_shared(p * 2))
        results = [p + q, p * 2, 2 * p, -p]
        self.assertEqual([r.x for r in results], [7, 6, 6, -3])
        self.assertEqual([p @ q, p**2, pow(p, 2, 5)], [12, 9, 4])
        self.assertEqual(divmod(p, 2), (1, 1))
        self.assertEqual(["abcd"[p], float(p), round(p)], ["d", 3.0, 3])
        r = p
        p &= 1
        self.assertIs(p, r)
        self.assertEqual(p.x, 1)

    def test_texts(self):
        p = self.p
        self.assertEqual([f"{p:03d}", str(p), bytes(p)], ["003", "V3", b"v"])
        self.assertEqual(os.fspath(p), "/v")

    def test_items(self):
        p = self.p
        self.assertEqual(list(p), [0, 1, 2])
        self.assertEqual(p[1:2], slice(1, 2))
        self.assertEqual("".join(reversed(p)), "reversed")
        p[1] = [2]
        self.assertEqual(p.item, (1, [2]))
        del p[7]
        self.assertEqual(p.item, 7)
        self.assertEqual(p(1, a=2), ((1,), {"a": 2}))

    def test_iterator(self):
        """an object that is its own iterator, used by two processes"""

        @posh.shareable
        class Down:
            def __init__(self, n):
                self.n = n

            def __iter__(self):
                return self

            def __next__(self):
                if not self.n:
                    raise StopIteration
                self.n -= 1
                return self.n

        p = posh.share(Down(4))
        self.assertEqual(next(p), 3)
        in_child(next, p)
        first, *rest = p
        self.assertEqual((first, rest, next(p, None)), (1, [0], None))

    def test_context(self):
        """__exit__ may swallow the exception"""

        @posh.shareable
        class Swallow:
            def __enter__(self):
                return self

            def __exit__(self, tp, value, tb):
                self.seen = tp.__name__
                return tp is ZeroDivisionError

        p = posh.share(Swallow())
        with p as q:
            self.assertIs(p, q)
            1 / 0
        self.assertEqual(p.seen, "ZeroDivisionError")
        with self.assertRaises(KeyError), p:
            {}[1]

    def test_async(self):
        @posh.shareable(synch=None)
        class Async:
            def __init__(self):
                self.n = 0

            async def __aenter__(self):
                self.n += 1
                return self

            async def __aexit__(self, *exc):
                self.n -= 1

            def __aiter__(self):
                return self

            async def __anext__(self):
                self.n += 1
                if self.n > 3:
                    raise StopAsyncIteration
                return self.n

            def __await__(self):
                yield
                return 5

        async def main(p):
            async with p as q:
                self.assertIs(p, q)
                self.assertEqual(p.n, 1)
            self.assertEqual([x async for x in p], [1, 2, 3])
            self.assertEqual(await p, 5)

        asyncio.run(main(posh.share(Async())))


class AbstractTest(unittest.TestCase):
    def test_abc(self):
        """abstract bases, virtual subclasses, protocols"""

        class Shape(abc.ABC):
            @property
            @abc.abstractmethod
            def area(self): ...

            def double(self):
                return 2 * self.area

        @posh.shareable
        class Square(Shape):
            side = 3

            @property
            def area(self):
                return self.side**2

        class Virtual(abc.ABC):
            pass

        @typing.runtime_checkable
        class HasDouble(typing.Protocol):
            def double(self): ...

        Virtual.register(Square)
        p = posh.share(Square())
        p.side = 2
        self.assertEqual(p.double(), 8)
        self.assertEqual(type(p)().double(), 18)
        for base in (Shape, Virtual, HasDouble):
            self.assertIsInstance(p, base)
        self.assertNotIsInstance(p, collections.abc.Sized)

    def test_sequence(self):
        @posh.shareable
        class Seq(collections.abc.Sequence):
            def __init__(self, *items):
                self.items = list(items)

            def __len__(self):
                return len(self.items)

            def __getitem__(self, i):
                return self.items[i]

        p = posh.share(Seq(1, 2, 3))
        self.assertEqual((list(p), list(reversed(p))), ([1, 2, 3], [3, 2, 1]))
        self.assertEqual((p.index(3), p.count(1), 2 in p), (2, 1, True))
        match p:
            case [1, *rest]:
                self.assertEqual(rest, [2, 3])
            case _:
                self.fail("no sequence")

    def test_mapping(self):
        @posh.shareable
        class Map(collections.abc.MutableMapping):
            def __init__(self, **items):
                self.items_ = items

            def __len__(self):
                return len(self.items_)

            def __iter__(self):
                return iter(self.items_)

            def __getitem__(self, key):
                return self.items_[key]

            def __setitem__(self, key, value):
                self.items_[key] = value

            def __delitem__(self, key):
                del self.items_[key]

        p = posh.share(Map(a=1))
        p.update(b=2)
        self.assertEqual(p, {"a": 1, "b": 2})
        self.assertEqual((dict(p), {**p}), ({"a": 1, "b": 2},) * 2)
        self.assertEqual((lambda **k: k)(**p), {"a": 1, "b": 2})
        self.assertEqual(p.setdefault("c", 3), 3)
        self.assertEqual(p.popitem(), ("a", 1))
        match p:
            case {"b": 2, **rest}:
                self.assertEqual(rest, {"c": 3})
            case _:
                self.fail("no mapping")

    def test_collections(self):
        """UserList and UserDict derive from nothing builtin"""

        @posh.shareable
        class Doubled(collections.UserDict):
            def __getitem__(self, key):
                return 2 * super().__getitem__(key)

        @posh.shareable
        class Names(collections.UserList):
            pass

        p = posh.share(Doubled(a=1))
        p["b"] = 5
        self.assertEqual((p["a"], p["b"], len(p)), (2, 10, 2))
        p = posh.share(Names([1, 2]))
        p.append(3)
        self.assertEqual(p, [1, 2, 3])
        self.assertEqual((p + [4]).data, [1, 2, 3, 4])

    def test_generic(self):
        T = typing.TypeVar("T")

        @posh.shareable
        class Stack(typing.Generic[T]):
            def __init__(self):
                self.items = []

            def push(self, x: T):
                self.items.append(x)

        @posh.shareable
        class Ints(Stack[int]):
            pass

        for cls in (Ints, Stack, Stack[int]):
            p = posh.share(cls())
            p.push(1)
            self.assertEqual(p.items, [1])
        self.assertEqual(typing.get_origin(type(p)[int]), type(p))


class DataclassTest(unittest.TestCase):
    def test_frozen(self):
        """a frozen one takes no attribute, one that derives from it new ones"""

        @posh.shareable
        @dataclasses.dataclass(frozen=True)
        class F:
            x: int = 1

        @posh.shareable
        class Derived(F):
            pass

        p, q = posh.share(F()), posh.share(Derived())
        for o, names in ((p, ("x", "new")), (F(), ("x", "new")), (q, ("x",))):
            for name in names:
                with self.assertRaises(dataclasses.FrozenInstanceError):
                    setattr(o, name, 5)
                with self.assertRaises(dataclasses.FrozenInstanceError):
                    delattr(o, name)
        q.new = 5
        self.assertEqual((p, vars(p), q.new), (F(), {"x": 1}, 5))
        del q.new
        self.assertEqual(vars(q), {"x": 1})

    def test_frozen_slots(self):
        @posh.shareable
        @dataclasses.dataclass(frozen=True, slots=True, order=True)
        class F:
            x: int
            y: int = 2
            z: list = dataclasses.field(default_factory=list, compare=False)

        p = posh.share(F(1))
        for change in (
            lambda: setattr(p, "x", 3),
            lambda: delattr(p, "x"),
            lambda: setattr(p, "new", 3),
        ):
            with self.assertRaises((AttributeError, TypeError)):
                change()
        self.assertTrue(p == F(1) and F(1) == p and p < F(2) and F(0) < p)
        self.assertEqual(hash(p), hash(F(1)))
        p.z.append(1)
        self.assertEqual(dataclasses.asdict(p), {"x": 1, "y": 2, "z": [1]})
        self.assertEqual(dataclasses.astuple(p), (1, 2, [1]))
        self.assertEqual(dataclasses.replace(p, y=5).y, 5)
        q = type(p)(9)
        self.assertTrue(posh.is_shared(q))
        self.assertEqual((q.x, q.y, q.z), (9, 2, []))
        u = posh.unshare(p)
        self.assertIs(type(u), F)
        self.assertEqual((u, u.z), (F(1), [1]))
        match p:
            case F(1, y=y):
                self.assertEqual(y, 2)
            case _:
                self.fail("no match")

    def test_post_init(self):
        @dataclasses.dataclass
        class A:
            a: int

            def __post_init__(self):
                self.sum = self.a

        @posh.shareable
        @dataclasses.dataclass(kw_only=True)
        class B(A):
            b: int = 1
            extra: dataclasses.InitVar[int] = 5

            def __post_init__(self, extra):
                super().__post_init__()
                self.sum += extra

        p = posh.share(B(1, b=2))
        self.assertEqual((p.sum, p.b, type(p)(2).sum), (6, 2, 7))
        self.assertEqual([f.name for f in dataclasses.fields(p)], ["a", "b"])

    def test_match_args(self):
        @posh.shareable
        class P:
            __match_args__ = ("x", "y")

            def __init__(self, x, y):
                self.x, self.y = x, y

        match posh.share(P(1, [2, {"k": 3}])):
            case P(1, [2, {"k": value}]):
                self.assertEqual(value, 3)
            case _:
                self.fail("no match")


class CopyTest(unittest.TestCase):
    def test_own(self):
        """a class's own __copy__ and __deepcopy__ have their way"""

        @posh.shareable
        class Own:
            def __copy__(self):
                return ["copy", self]

            def __deepcopy__(self, memo):
                return ["deep", self]

        p = posh.share(Own())
        self.assertEqual(copy.copy(p), ["copy", p])
        self.assertEqual(copy.deepcopy(p), ["deep", p])

    def test_never_by_pickle(self):
        """copies are not made by __reduce__ or __getstate__"""

        @posh.shareable
        class C:
            def __init__(self):
                self.list, self.me = [1], self

            def __getstate__(self):
                raise RuntimeError

            def __reduce__(self):
                raise RuntimeError

        p = posh.share(C())
        c = copy.copy(p)
        self.assertIs(type(c), C)
        self.assertIs(c.list, p.list)
        self.assertIs(c.me, p)
        d = copy.deepcopy(p)
        self.assertIs(d.me, d)
        self.assertFalse(posh.is_shared(d.list))


class WeakTest(unittest.TestCase):
    def test_collections(self):
        """weak references die with the proxy"""

        @posh.shareable
        class W:
            def m(self):
                return 1

        p = posh.share(W())
        box = posh.share([p])
        keys = weakref.WeakKeyDictionary({p: 1})
        values = weakref.WeakValueDictionary(p=p)
        method = weakref.WeakMethod(p.m)
        done = []
        weakref.finalize(p, done.append, 1)
        self.assertEqual((len(keys), len(values), method()()), (1, 1, 1))
        del p
        self.assertEqual((len(keys), len(values), done), (0, 0, [1]))
        self.assertIsNone(method())
        self.assertEqual(box[0].m(), 1)


if __name__ == "__main__":
    import tap

    tap.main()

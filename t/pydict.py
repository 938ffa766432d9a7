# SPDX-License-Identifier: MIT
"""A shared dict does what a dict does."""
import collections.abc
import copy
import enum
import gc
import json
import operator
import random
import sys
import unittest
from decimal import Decimal

import posh
from pylist import (BadEq, Raises, assign, call, delete, random_value)
from tap import SOAK
from twin import TwinTest, outcome, plain, same



class Keys:
    """A mapping as dict.update takes it."""

    def __init__(self, **items):
        self.items = items

    def keys(self):
        return self.items.keys()

    def __getitem__(self, key):
        return self.items[key]


class Color(enum.IntEnum):
    RED = 1


class Word(str):
    pass


@posh.shareable
class Dog:
    def __init__(self, name):
        self.name = name


@posh.shareable
class Cat(Dog):
    def __eq__(self, other):
        return isinstance(other, Cat) and self.name == other.name

    def __hash__(self):
        return hash(self.name)


def ior(other):
    def do(x):
        x |= other
        return x
    return do


def random_key(r):
    return r.choice([
        lambda: r.randrange(6),
        lambda: r.choice("abcdef"),
        lambda: r.choice([1.0, 2.5, True, None, 1 << 65, -1, b"k", ...,
                          1 + 0j, "\u20ac", "a longer key than fits"]),
        lambda: (r.randrange(3), r.choice("ab")),
    ])()


def random_items(r):
    return {random_key(r): random_value(r) for _ in range(r.randrange(5))}


def random_operation(r, n):
    key = random_key(r)
    value = random_value(r)
    items = random_items(r)
    return r.choice([
        lambda: operator.itemgetter(key),
        lambda: assign(key, value),
        lambda: assign(key, value),
        lambda: assign(key, value),
        lambda: delete(key),
        lambda: call("get", key),
        lambda: call("get", key, value),
        lambda: call("setdefault", key, value),
        lambda: call("setdefault", key),
        lambda: call("pop", key),
        lambda: call("pop", key, value),
        lambda: call("popitem"),
        lambda: call("update", items),
        lambda: call("update", list(items.items())),
        lambda: call("update", items, z=1),
        lambda: call("update", Keys(a=value, q=2)),
        lambda: call("copy"),
        lambda: lambda x: key in x,
        lambda: lambda x: (x == items, x != items),
        lambda: lambda x: x | items,
        lambda: lambda x: items | x,
        lambda: ior(items),
        lambda: ior(list(items.items())),
        lambda: list,
        lambda: lambda x: list(x.items()),
        lambda: lambda x: list(x.values()),
        lambda: lambda x: list(reversed(x)),
        lambda: lambda x: list(reversed(x.items())),
        lambda: lambda x: x.keys() & items.keys(),
        lambda: lambda x: x.items() - items.items(),
        lambda: lambda x: items.keys() | x.keys(),
        lambda: lambda x: x.keys() ^ set(items),
        lambda: repr,
        lambda: lambda x: repr(x.keys()) + repr(x.items()),
        lambda: len,
        lambda: bool,
        lambda: call("clear") if r.randrange(20) == 0 else len,
    ])()


class DictTest(TwinTest):
    shared = posh.dict

    def test_random_operations(self):
        for seed in range(2000 if SOAK else 100):
            r = random.Random(seed)
            self.pair(random_items(r))
            for step in range(60):
                op = random_operation(r, len(self.twin))
                self.do(op, "seed %d step %d" % (seed, step))

    def test_two_processes_take_turns(self):
        for seed in range(200 if SOAK else 8):
            self.turns(seed, {1: "a"}, random_operation, 40)

    def test_made(self):
        self.assertEqual(posh.dict(), {})
        self.assertEqual(posh.dict(a=1), {"a": 1})
        self.assertEqual(posh.dict({"a": 1}, b=2), {"a": 1, "b": 2})
        self.assertEqual(posh.dict([("a", 1), "bc"]), {"a": 1, "b": "c"})
        self.assertEqual(posh.dict(Keys(a=1)), {"a": 1})
        self.assertEqual(posh.dict(posh.dict(a=1)), {"a": 1})
        self.assertEqual(posh.dict(heap=posh.default_heap(), a=1), {"a": 1})
        for args in ((1,), ({}, {}), ([1],), (["abc"],), ([([], 1)],)):
            a = outcome(lambda f: f(*args), dict)
            b = outcome(lambda f: f(*args), posh.dict)
            self.assertEqual(a, b)
        p = posh.dict.fromkeys("abc", 1)
        self.assertIs(type(p), posh.SharedDict)
        self.assertEqual(p, {"a": 1, "b": 1, "c": 1})
        self.assertEqual(posh.dict.fromkeys([1]), {1: None})

    def test_looks_like_a_dict(self):
        p = posh.dict()
        self.assertIsInstance(p, dict)
        self.assertIs(p.__class__, dict)
        self.assertNotIsInstance(p, collections.abc.Hashable)
        self.assertIsInstance(p, collections.abc.MutableMapping)
        for name in dir({}):
            self.assertTrue(hasattr(p, name), name)
        self.assertRaises(TypeError, operator.concat, p, p)

    def test_errors(self):
        self.pair({"a": 1, 2: 3})
        for op in (
            operator.itemgetter("b"), operator.itemgetter([]),
            operator.itemgetter(({},)), operator.itemgetter((1, 2)),
            assign([], 1), assign(set(), 1), assign(([],), 1),
            delete("b"), delete([]), delete((1,)),
            call("get"), call("get", 1, 2, 3), call("get", []),
            call("get", key=1), call("setdefault"), call("setdefault", []),
            call("pop"), call("pop", "b"), call("pop", []),
            call("pop", [], 1), call("pop", 1, 2, 3), call("popitem", 1),
            call("update", 1), call("update", {}, {}), call("update", [1]),
            call("update", ["abc"]), call("update", [([], 1)]),
            call("update", None), call("keys", 1), call("clear", 1),
            call("copy", 1), call("nosuch"), hash, ior(5), ior(None),
            lambda x: x | [], lambda x: [] | x, lambda x: x + x,
            lambda x: x < x, lambda x: x < {}, lambda x: [] in x,
            lambda x: x * 2, lambda x: x(), lambda x: {x: 1},
            lambda x: x.keys() + x.keys(), lambda x: x.keys() - 5,
            lambda x: hash(x.keys()), lambda x: x.keys()[0],
            lambda x: [] in x.keys(), lambda x: ([], 1) in x.items(),
            lambda x: x.keys() < 5, lambda x: x.values() < x.values(),
            lambda x: x.keys().isdisjoint(5), lambda x: x.keys().isdisjoint(),
            lambda x: x.keys().nosuch, lambda x: list(x.items(1)),
        ):
            self.do(op)
        p = posh.dict()
        for key in (posh.list(), posh.dict(), (1, posh.list())):
            self.assertRaisesRegex(TypeError, "unhashable", p.get, key)
            self.assertRaisesRegex(TypeError, "unhashable",
                                   p.__setitem__, key, 1)
        self.do(call("popitem"))
        self.do(call("popitem"))
        self.do(call("popitem"))

    def test_all_or_nothing(self):
        p = posh.dict(a=1)
        for op in (call("update", [("b", 1), ([], 2)]),
                   call("update", b=2, c=object()),
                   call("update", ((v, v) for v in Raises())),
                   ior([("b", 1), ([], 2)]), assign("b", object()),
                   call("setdefault", "b", object()),
                   assign(object(), 1)):
            self.assertRaises((TypeError, ZeroDivisionError), op, p)
            self.assertEqual(p, {"a": 1})

    def test_equal_keys(self):
        self.pair({1: "a"})
        for key in (1, 1.0, True, 1 + 0j, Decimal(1), Color.RED):
            self.do(operator.itemgetter(key))
            self.do(lambda x: key in x)
            self.do(assign(key, "b"))
            self.do(call("setdefault", key, "c"))
            self.do(lambda x: (key, "b") in x.items())
            self.do(call("update", {key: "d"}))
        self.do(call("pop", Decimal(1)))
        self.pair({"a": 1, "b": 2})
        self.do(operator.itemgetter(Word("a")))
        self.do(assign(Word("b"), 3))
        self.do(delete(Word("a")))
        self.do(lambda x: Word("c") in x)
        self.do(call("pop", Word("c"), 0))
        big = 1 << 53
        self.pair({big + 1: 1, float(big): 2, -1: 3, -2: 4, 0: 5})
        for key in (big, big + 1, big + 2, -0.0, -1.0, -2 + 0j, False):
            self.do(call("get", key))
        for key in (Decimal(1), Color.RED, 1):
            p = posh.dict()
            p[key] = 1
            for other in (1, 1.0, Decimal("1.0"), Color.RED):
                self.assertEqual(p.get(other), 1)
            self.assertIs(type(list(p)[0]), type(key))

    def test_objects_as_keys(self):
        p = posh.dict()
        a, b = posh.share(Dog("a")), posh.share(Dog("a"))
        p[a] = 1
        p[b] = 2
        p[a, 1] = 3
        p[1, (b, "x")] = 4
        self.assertEqual((p[a], p[b], len(p)), (1, 2, 4))
        self.assertEqual((p[a, 1], p[1, (b, "x")]), (3, 4))
        self.assertNotIn((b, 1), p)
        self.assertIs(list(p)[0], a)
        self.assertEqual(list(p)[2], (a, 1))
        p[a, True] = 5
        self.assertEqual(p.pop((a, 1)), 5)
        self.assertEqual(len(p), 3)
        del p[a]
        self.assertNotIn(a, p)

        p = posh.dict()
        x, y = posh.share(Cat("x")), posh.share(Cat("x"))
        self.assertEqual(x, y)
        p[x] = 1
        p[x, 1] = 2
        self.assertEqual((p[y], p[Cat("x")], p[y, 1]), (1, 1, 2))
        p[y] = 3
        p.update({(y, 1): 4})
        self.assertEqual(len(p), 2)
        self.assertIs(list(p)[0], x)
        self.assertEqual((p[x], p[x, 1]), (3, 4))
        self.assertEqual((p.pop(y), len(p)), (3, 1))
        other = posh.share(Dog("b"), heap=posh.Heap(max_size=4 << 20))
        self.assertNotIn(other, p)
        self.assertRaises(posh.WrongHeapError, p.__setitem__, other, 1)

    def test_order(self):
        self.pair({})
        for k in "abcdefgh":
            self.do(assign(k, 1))
        self.do(delete("c"))
        self.do(assign("c", 2))
        self.do(assign("a", 2))
        self.do(list)
        self.do(lambda x: list(reversed(x.keys())))
        self.do(call("popitem"))
        self.do(lambda x: list(x.items()))

    def test_views(self):
        self.pair({"a": 1, "b": 2, "c": 3})
        for name in ("keys", "items", "values"):
            self.do(lambda x: repr(getattr(x, name)()))
            self.do(lambda x: len(getattr(x, name)()))
            self.do(lambda x: list(getattr(x, name)()))
            self.do(lambda x: list(reversed(getattr(x, name)())))
            view = getattr(self.proxy, name)()
            right = getattr({}, name)()
            self.assertIs(view.__class__, type(right))
            self.assertEqual(view.mapping, self.proxy)
            for attribute in dir(right):
                self.assertTrue(hasattr(view, attribute), attribute)
        self.assertIsInstance(self.proxy.keys(), collections.abc.KeysView)
        self.assertIsInstance(self.proxy.items(), collections.abc.ItemsView)
        keys = self.proxy.keys()
        self.proxy["d"] = 4
        self.assertEqual(list(keys), ["a", "b", "c", "d"])
        self.assertIn("d", keys)

    def test_set_operations_of_views(self):
        a = {"a": 1, "b": 2}
        others = [{"b", "z"}, frozenset("ab"), {"b": 2, "q": 1}.keys(),
                  posh.dict(b=2, q=1).keys(), ["b", "x"], "bx", set(),
                  {("a", 1), ("z", 2)}, {"a": 1}.items(),
                  posh.dict(a=1).items(), [("a", 1)], 5]
        for other in others:
            for name in ("keys", "items"):
                for op in (operator.and_, operator.or_, operator.sub,
                           operator.xor, operator.eq, operator.ne,
                           operator.lt, operator.le, operator.gt,
                           operator.ge, operator.isub, operator.ior):
                    if isinstance(other, set):
                        def fresh():
                            return set(other)
                    else:
                        def fresh():
                            return other
                    self.pair(a)
                    self.do(lambda x: op(getattr(x, name)(), fresh()))
                    self.do(lambda x: op(fresh(), getattr(x, name)()))
                self.do(lambda x: getattr(x, name)().isdisjoint(other))
                as_tuple = tuple(other) if isinstance(other, (set, list)) else ()
                self.do(lambda x: getattr(x, name)().isdisjoint(as_tuple))

    def test_iterator(self):
        self.pair({i: str(i) for i in range(200)})
        self.do(list)
        self.do(lambda x: list(x.items()))
        self.do(lambda x: dict(x))
        self.do(lambda x: {**x})
        self.do(lambda x: iter(x).__length_hint__())
        i = iter(self.proxy.items())
        for _ in range(10):
            next(i)
        self.assertEqual(i.__length_hint__(), 190)
        rest = [(k, str(k)) for k in range(10, 200)]
        self.assertEqual(list(copy.copy(i)), rest)
        self.assertEqual(list(i), rest)
        self.assertEqual(list(i), [])

    def test_iteration_and_size(self):
        def add(x):
            for k in x:
                x[len(x) + 100] = 1

        def remove(x):
            for k in x.values():
                x.pop(3, None)

        def set_values(x):
            return [(k, v, x.__setitem__((k + 1) % 40, k)) for k, v in
                    x.items()]

        def swap(x):
            seen = []
            for k in x:
                seen.append(k)
                if k == 20:
                    x.update({5: "new", 6: "new"})
            return seen

        def end(x):
            i = iter(x)
            for _ in x:
                next(i)
            x[100] = 1
            next(i)

        def clear(x):
            for k in x:
                x.clear()

        for op in (add, remove, set_values, swap, end, clear):
            self.pair({i: i for i in range(40)})
            self.do(op)
            # The same in a transaction that has written already.
            self.pair({i: i for i in range(40)})
            with posh.synchronized(self.proxy):
                self.do(assign(0, 7))
                self.do(op)
        i = iter(self.proxy)
        self.proxy["new"] = 1
        for _ in range(2):
            self.assertRaises(RuntimeError, next, i)
        p = posh.dict({0: 0, 1: 1})
        with self.assertRaisesRegex(RuntimeError, "keys changed"):
            for k in p:
                del p[0]
                p[0] = k

    def test_iteration_while_another_process_changes_it(self):
        p = posh.dict({i: i for i in range(300)})
        seen = []
        for k in p:
            seen.append(k)
            if len(seen) == 10:
                pid = posh.forkcall(change, p)
                self.assertEqual(posh.waitall([pid]), {pid: 0})
        stay = [k for k in range(300) if k % 3]
        self.assertEqual([k for k in seen if k % 3 and k < 300], stay)
        self.assertEqual(len(seen), len(set(seen)))
        self.assertEqual([k for k in seen if k % 3 == 0 and k < 300],
                         [0, 3, 6, 9])

    def test_nested(self):
        p = posh.dict(a={"b": [1]}, t=(1, {}))
        self.assertIs(p["a"], p["a"])
        p["a"]["b"].append(2)
        p["a"]["c"] = {"d": 4}
        p["t"][1]["x"] = 1
        self.assertEqual(plain(p), {"a": {"b": [1, 2], "c": {"d": 4}},
                                    "t": (1, {"x": 1})})
        q = p.setdefault("new", [])
        q.append(1)
        self.assertEqual(p["new"], [1])
        self.assertIs(p.pop("new"), q)
        self.assertEqual(q, [1])
        p["self"] = p
        self.assertIs(p["self"], p)
        self.assertIn("'self': {...}", repr(p))
        del p["self"]
        p["order"] = [1]
        p["order"] *= 3
        self.assertEqual(p["order"], [1, 1, 1])

    def test_keys_only_need_no_proxies(self):
        p = posh.dict({i: [i] for i in range(50)})
        self.assertEqual(list(p), list(range(50)))
        live = posh.default_heap().stats().live_blocks
        list(p), list(p.keys()), list(reversed(p))
        p.clear()
        gc.collect()
        self.assertLessEqual(posh.default_heap().stats().live_blocks,
                             live - 50)

    def test_copies_are_plain(self):
        p = posh.dict(a=[1])
        for q in (copy.copy(p), p.copy(), dict(p), {**p}, p | {}, {} | p):
            self.assertIs(type(q), dict)
            self.assertIs(q["a"], p["a"])
        q = copy.deepcopy(p)
        self.assertIs(type(q["a"]), list)
        self.assertEqual(q, {"a": [1]})

    def test_from_both_sides(self):
        p = posh.dict(a=1)
        self.assertTrue({"a": 1} == p and not {"a": 1} != p)
        d = {"b": 2}
        e = d
        e |= p
        self.assertIs(d, e)
        self.assertEqual(d, {"b": 2, "a": 1})
        d.update(p)
        q = p
        q |= {"c": 3}
        self.assertIs(p, q)
        self.assertEqual(p, {"a": 1, "c": 3})
        self.assertEqual((lambda **k: k)(**p), {"a": 1, "c": 3})
        self.assertEqual("%(a)s" % p, "1")
        self.assertEqual("{a}".format(**p), "1")
        self.assertEqual(json.dumps(p, default=posh.unshare),
                         '{"a": 1, "c": 3}')
        self.assertGreater(sys.getsizeof(p), 0)
        self.assertEqual(posh.dict[str, int].__args__, (str, int))
        match p:
            case {"a": v, **rest}:
                self.assertEqual((v, rest), (1, {"c": 3}))
            case _:
                self.fail("it is no mapping")

    def test_big(self):
        self.pair({})
        for i in range(3000):
            self.twin[i] = self.twin[str(i)] = i
            self.proxy[i] = self.proxy[str(i)] = i
        for i in range(0, 3000, 3):
            del self.twin[i], self.proxy[i]
        self.do(lambda x: list(x.items()))
        self.do(lambda x: [x.get(i) for i in range(3000)])
        self.do(lambda x: x.update({i: -i for i in range(2000, 5000)}))
        self.do(call("clear"))
        self.do(assign("a", 1))

    def test_subclass(self):
        class Named(posh.SharedDict):
            __slots__ = ()

        p = Named(a=1)
        self.assertEqual(p, {"a": 1})
        q = posh.list([p])
        self.assertIs(q[0], p)
        self.assertIs(type(Named.fromkeys("a")), Named)


def change(p):
    for k in range(0, 300, 3):
        del p[k]
    for k in range(1000, 1100):
        p[k] = k
    for k in range(1, 300, 3):
        p[k] = -k


if __name__ == "__main__":
    import tap
    tap.main()

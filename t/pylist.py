# SPDX-License-Identifier: MIT
"""A shared list does what a list does."""
import collections.abc
import copy
import gc
import operator
import random
import sys
import unittest
import weakref

import posh
from tap import SOAK
from twin import TwinTest, plain



class Index:
    def __init__(self, i):
        self.i = i

    def __index__(self):
        return self.i


class Raises:
    """An iterable that raises half-way."""

    def __iter__(self):
        yield 1
        raise ZeroDivisionError("half-way")


def reflected(op, left):
    """Compare with the list on the right: a message then names the operands
    of the reflected operation."""
    def do(x):
        try:
            return op(left, x)
        except TypeError:
            raise TypeError from None
    return do


class Endless:
    """An iterable that says it is longer than memory."""

    def __iter__(self):
        yield 1

    def __length_hint__(self):
        return sys.maxsize


class BadEq:
    def __eq__(self, other):
        raise ZeroDivisionError("eq")


def assign(key, value):
    def do(x):
        x[key] = value() if callable(value) else value
    return do


def delete(key):
    def do(x):
        del x[key]
    return do


def call(name, *args, **kwds):
    return lambda x: getattr(x, name)(*args, **kwds)


def iadd(other):
    def do(x):
        x += other
        return x
    return do


def imul(n):
    def do(x):
        x *= n
        return x
    return do


def random_value(r):
    return r.choice([
        lambda: r.randrange(-5, 6),
        lambda: r.randrange(-1 << 70, 1 << 70),
        lambda: r.choice([0.0, -0.0, 1.5, float("inf"), 2.0]),
        lambda: r.choice(["", "a", "abc", "\xe9t\xe9", "\u20ac", "\U0001f600",
                          "long " * 9]),
        lambda: r.choice([None, True, False, ..., b"", b"bytes\0", 1j]),
        lambda: (1, "x", (2.5, None)),
    ])()


def random_bound(r, n):
    return r.choice([None, r.randrange(-n - 3, n + 4), Index(r.randrange(4))])


def random_slice(r, n):
    return slice(random_bound(r, n), random_bound(r, n),
                 r.choice([None, 1, 1, 1, 2, 3, -1, -2, -5]))


def random_operation(r, n):
    """Return an operation on a list of about n elements."""
    key = r.randrange(-n - 2, n + 2)
    value = random_value(r)
    values = [random_value(r) for _ in range(r.randrange(6))]
    part = random_slice(r, n)
    return r.choice([
        lambda: operator.itemgetter(key),
        lambda: operator.itemgetter(part),
        lambda: assign(key, value),
        lambda: assign(part, values),
        lambda: assign(part, lambda: iter(values)),
        lambda: delete(key),
        lambda: delete(part),
        lambda: call("append", value),
        lambda: call("append", value),
        lambda: call("insert", key, value),
        lambda: call("extend", r.choice([values, tuple(values)])),
        lambda: call("pop"),
        lambda: call("pop", key),
        lambda: call("remove", value),
        lambda: call("index", value),
        lambda: call("index", value, key),
        lambda: call("index", value, key, key + 3),
        lambda: call("count", value),
        lambda: call("reverse"),
        lambda: call("sort", key=repr),
        lambda: call("sort", key=str, reverse=True),
        lambda: sorted,
        lambda: call("copy"),
        lambda: lambda x: value in x,
        lambda: lambda x: x + values,
        lambda: lambda x: values + x,
        lambda: lambda x: x * (key % 3),
        lambda: iadd(values),
        lambda: imul(r.choice([0, 1, 1, 2]) if n < 40 else 0),
        lambda: lambda x: (x == values, x != values),
        lambda: lambda x: x < values,
        lambda: reflected(operator.ge, values),
        lambda: repr,
        lambda: len,
        lambda: list,
        lambda: lambda x: list(reversed(x)),
        lambda: bool,
    ])()


class ListTest(TwinTest):
    shared = posh.list

    def test_random_operations(self):
        for seed in range(2000 if SOAK else 100):
            r = random.Random(seed)
            self.pair([random_value(r) for _ in range(r.randrange(12))])
            for step in range(60):
                op = random_operation(r, len(self.twin))
                self.do(op, "seed %d step %d" % (seed, step))

    def test_two_processes_take_turns(self):
        for seed in range(200 if SOAK else 8):
            self.turns(seed, [1, "a"], random_operation, 40)

    def test_made(self):
        self.assertEqual(posh.list(), [])
        self.assertEqual(posh.list("abc"), ["a", "b", "c"])
        self.assertEqual(posh.list(x * x for x in range(3)), [0, 1, 4])
        for args in ((1,), ([], []), (None,)):
            with self.assertRaises(TypeError) as e:
                posh.list(*args)
            with self.assertRaises(TypeError) as f:
                list(*args)
            self.assertEqual(str(e.exception), str(f.exception))
        with self.assertRaises(TypeError):
            posh.list(iterable=[])
        with self.assertRaises(TypeError):
            posh.list(heap=3)

    def test_init_replaces(self):
        self.pair([1, 2])
        self.do(call("__init__", "xyz"))
        self.do(call("__init__"))

    def test_looks_like_a_list(self):
        p = posh.list()
        self.assertIsInstance(p, list)
        self.assertIs(p.__class__, list)
        self.assertIsNot(type(p), list)
        self.assertNotIsInstance(p, collections.abc.Hashable)
        self.assertIsInstance(p, collections.abc.MutableSequence)
        for name in dir([]):
            self.assertTrue(hasattr(p, name), name)

    def test_errors(self):
        self.pair([1, 2, 3])
        for op in (
            operator.itemgetter(3), operator.itemgetter(-4),
            operator.itemgetter("a"), operator.itemgetter(1.0),
            operator.itemgetter(None), operator.itemgetter(1 << 80),
            operator.itemgetter(slice("a", None)),
            operator.itemgetter(slice(None, None, 0)),
            assign(3, 0), assign(-4, 0), assign("a", 0), assign(1 << 80, 0),
            assign(slice(0, 1), 5), assign(slice(None, None, 2), [1]),
            assign(slice(None, None, 2), 5), assign(slice(0, 0, 0), []),
            delete(3), delete("a"), delete(slice(None, None, 0)),
            call("pop", 3), call("pop", "a"), call("pop", 1, 2),
            call("pop", 1 << 80), call("append"), call("append", 1, 2),
            call("append", x=1), call("insert", 1), call("insert", "a", 1),
            call("insert", 1 << 80, 1), call("extend"), call("extend", 5),
            call("extend", None), call("remove", 9), call("remove"),
            call("index", 9), call("index"), call("index", 1, 2, 3, 4),
            call("index", 1, "a"), call("count"), call("count", 1, 2),
            call("sort", 1), call("sort", foo=1), call("sort", key=5),
            call("sort", reverse="a"), call("reverse", 1), call("copy", 1),
            call("clear", 1), call("nosuch"), hash, iadd(5), iadd(None),
            lambda x: x + (1,), lambda x: (1,) + x, lambda x: x + None,
            lambda x: x * "a", lambda x: x * 1.5, lambda x: x @ x,
            lambda x: x < 5, lambda x: x < (1, 2), lambda x: x - x,
            lambda x: x(), lambda x: x.sort(key=lambda v: 1 / (v - 2)),
            lambda x: BadEq() in x, lambda x: x.index(BadEq()),
            lambda x: {x: 1},
            lambda x: "%d" % x, lambda x: int(x),
        ):
            self.do(op)

    def test_all_or_nothing(self):
        p = posh.list([1, 2, 3])
        for op in (call("extend", Raises()), iadd(Raises()),
                   assign(slice(0, 2), Raises), call("__init__", Raises()),
                   assign(slice(None, None, 2), Raises),
                   call("extend", [4, object()]), call("append", object()),
                   assign(slice(1, 2), [5, object()]), assign(0, object()),
                   call("insert", 0, object())):
            self.assertRaises((ZeroDivisionError, posh.NotShareableError),
                              op, p)
            self.assertEqual(p, [1, 2, 3])
        live = posh.default_heap().stats().live_bytes
        for _ in range(20):
            self.assertRaises(posh.NotShareableError, p.extend,
                              [[1] * 100, {}, object()])
        self.assertEqual(posh.default_heap().stats().live_bytes, live)

    def test_slices_of_many_sizes(self):
        for n in (0, 1, 7, 64, 65, 200):
            for key in (slice(None), slice(1, -1), slice(n // 2, None),
                        slice(None, None, -1), slice(3, n, 7), slice(5, 2),
                        slice(-3, None), slice(n, 2, -3)):
                self.pair(list(range(n)))
                self.do(operator.itemgetter(key))
                self.do(assign(key, list(range(1000, 1000 + len(
                    self.twin[key])))))
                self.do(delete(key))

    def test_assigned_to_itself(self):
        for op in (
            lambda x: x.extend(x), iadd_self, lambda x: x.__setitem__(
                slice(1, 2), x), lambda x: x.__setitem__(
                slice(None, None, -1), x),
        ):
            self.pair([1, 2, 3])
            self.do(op)
        self.do(call("extend", Endless()))

    def test_operators_from_both_sides(self):
        p = posh.list([1, 2])
        self.assertEqual([9] + p, [9, 1, 2])
        self.assertIs(type([9] + p), list)
        self.assertEqual(p + p, [1, 2, 1, 2])
        self.assertEqual(2 * p, [1, 2, 1, 2])
        self.assertEqual(operator.concat(p, [3]), [1, 2, 3])
        self.assertEqual(operator.concat(p, p), [1, 2, 1, 2])
        self.assertEqual(sum([[0], p, p], []), [0, 1, 2, 1, 2])
        a = b = [9]
        a += p
        self.assertIs(a, b)
        self.assertEqual(b, [9, 1, 2])
        for _ in range(100):
            a += p
        self.assertIs(a, b)
        self.assertEqual(len(b), 203)
        b = [7]
        c = b + p
        self.assertEqual((b, c), ([7], [7, 1, 2]))
        q = p
        q += (3,)
        q *= 2
        self.assertIs(q, p)
        self.assertEqual(p, [1, 2, 3] * 2)

    def test_compared_with_lists(self):
        values = ([], [1], [1, 2], [2], [1, "a"], [1, [2]], [1.0], [None])
        for a in values:
            p = posh.list(a)
            for b in values:
                q = posh.list(b)
                for op in (operator.eq, operator.ne, operator.lt,
                           operator.le, operator.gt, operator.ge):
                    self.pair(a)
                    right = self.do(lambda x: op(x, b))
                    self.do(reflected(op, b))
                    try:
                        result = "returned", op(p, q)
                    except TypeError as e:
                        result = "raised", TypeError, str(e)
                    self.assertEqual(result, right)

    def test_nested(self):
        p = posh.list([[1, 2], {"a": [3]}, (4, [5])])
        self.assertIs(p[0], p[0])
        self.assertIsInstance(p[0], posh.SharedList)
        p[0].append(9)
        p[1]["a"].append(9)
        p[2][1].append(9)
        self.assertEqual(plain(p), [[1, 2, 9], {"a": [3, 9]}, (4, [5, 9])])
        row = p[0]
        p[0] = 0
        row.append(10)
        self.assertEqual(row, [1, 2, 9, 10])
        self.assertIn([5, 9], p[2])
        p.append(p)
        self.assertIs(p[3], p)
        self.assertEqual(p.index(p), 3)

    def test_repr_of_one_in_itself(self):
        p = posh.list([1])
        p.append(p)
        self.assertEqual(repr(p), "[1, [...]]")
        self.assertEqual(str(p), "[1, [...]]")
        self.assertEqual(f"{p}", "[1, [...]]")
        q = posh.list([1])
        q.append(q)
        self.assertRaises(RecursionError, lambda: p == q)

    def test_iterator(self):
        self.pair(list(range(150)))
        self.do(list)
        self.do(tuple)
        self.do(sum)
        self.do(lambda x: [*x])
        self.do(lambda x: iter(x).__length_hint__())
        self.do(lambda x: reversed(x).__length_hint__())
        self.do(lambda x: [v for v in zip(x, reversed(x))])
        i = iter(self.proxy)
        for _ in range(10):
            next(i)
        self.assertEqual(i.__length_hint__(), 140)
        self.assertEqual(list(copy.copy(i)), list(range(10, 150)))
        i.__setstate__(148)
        self.assertEqual(list(i), [148, 149])
        self.assertEqual(list(i), [])
        self.proxy.append(1)
        self.assertEqual(list(i), [])

    def test_iteration_sees_changes(self):
        def grow(x):
            for v in x:
                if len(x) < 200:
                    x.append(v + 1)

        def shrink(x):
            seen = []
            for v in x:
                seen.append(v)
                x.remove(v)
            return seen

        def scale(x):
            for i, v in enumerate(x):
                x[i] = v * 2
                if i + 1 < len(x):
                    x[i + 1] += 1

        def backwards(x):
            seen = []
            for v in reversed(x):
                seen.append(v)
                del x[-3:-1]
            return seen

        for op in (grow, shrink, scale, backwards):
            self.pair(list(range(100)))
            self.do(op)
            # The same in a transaction that has written already.
            self.pair(list(range(100)))
            with posh.synchronized(self.proxy):
                self.do(assign(0, 7))
                self.do(op)

    def test_numbers_that_a_loop_drops(self):
        r = random.Random(4)
        for make in (
            lambda: r.choice([1, -1]) * r.getrandbits(r.randrange(1, 35)),
            lambda: r.random() - 0.5,
            lambda: r.choice([r.randrange(-9, 300), r.random(), "text",
                              1 << 70, float("nan"), -r.getrandbits(29)]),
        ):
            values = [make() for _ in range(1000)]
            p = posh.list(values)
            kept = {}
            last = None
            for i, v in enumerate(p):
                self.assertEqual(repr(v), repr(values[i]))
                if v == v:
                    self.assertEqual(hash(v), hash(values[i]))
                if r.randrange(4) == 0:
                    kept[i] = v
                    last = v, last if i % 50 else None
            for i, v in kept.items():
                self.assertEqual(repr(v), repr(values[i]))
            self.assertEqual(repr(list(p)), repr(values))

    def test_sort(self):
        r = random.Random(5)
        self.pair([r.randrange(50) for _ in range(300)])
        self.do(call("sort"))
        self.do(call("sort", reverse=True))
        self.do(call("sort", key=lambda v: v % 7))
        self.do(call("sort", key=lambda v: v % 5, reverse=True))
        self.do(call("sort", key=None))
        self.pair([3, "a", 1])
        with self.assertRaises(TypeError):
            self.proxy.sort()
        self.assertEqual(self.proxy, [3, "a", 1])

        p = posh.list([3, 1, 2])
        with self.assertRaisesRegex(ValueError, "modified during sort"):
            p.sort(key=lambda v: p.append(v) or v)
        with posh.synchronized(p):
            p[:] = [3, 1, 2]
            with self.assertRaisesRegex(ValueError, "modified during sort"):
                p.sort(key=lambda v: p.__setitem__(0, 9) or v)
        p = posh.list([[3], [1], [2]])
        row = p[0]
        p.sort()
        self.assertEqual(p, [[1], [2], [3]])
        self.assertIs(p[2], row)

    def test_copies_are_plain(self):
        p = posh.list([1, [2]])
        for q in (copy.copy(p), p.copy(), p[:], list(p)):
            self.assertIs(type(q), list)
            self.assertIs(q[1], p[1])
        q = copy.deepcopy(p)
        self.assertIs(type(q), list)
        self.assertIs(type(q[1]), list)
        self.assertEqual(q, [1, [2]])

    def test_pattern(self):
        match posh.list([1, 2, 3]):
            case {}:
                self.fail("it is no mapping")
            case [a, *rest]:
                self.assertEqual((a, rest), (1, [2, 3]))
            case _:
                self.fail("it is no sequence")

    def test_for_c_code(self):
        p = posh.list([3, 1, 2])
        self.assertEqual("".join(posh.list("abc")), "abc")
        self.assertEqual(sorted(p), [1, 2, 3])
        self.assertEqual(max(p), 3)
        self.assertEqual(dict(posh.list([("a", 1)])), {"a": 1})
        self.assertEqual((lambda *a: a)(*p), (3, 1, 2))
        a, *b = p
        self.assertEqual((a, b), (3, [1, 2]))
        self.assertEqual(bytes(p), b"\3\1\2")
        self.assertEqual(operator.length_hint(p), 3)
        self.assertGreater(sys.getsizeof(p), 0)
        self.assertEqual(posh.list[int].__args__, (int,))

    def test_one_proxy(self):
        p = posh.list([[1]])
        r = weakref.ref(p[0])
        self.assertIsNone(r())
        row = p[0]
        r = weakref.ref(row)
        self.assertIs(r(), row)
        seen = []
        s = weakref.ref(row, lambda _: seen.append(p[0]))
        del row
        self.assertIsNone(s())
        self.assertEqual(seen, [[1]])
        self.assertIs(p[0], seen[0])
        others = [posh.list([[i]])[0] for i in range(200)]
        self.assertEqual(others[7], [7])
        seen[0].append(2)
        self.assertEqual(p, [[1, 2]])

    def test_many_proxies(self):
        p = posh.list([[i] for i in range(400)])
        r = random.Random(3)
        kept = {}
        for _ in range(4000):
            i = r.randrange(400)
            if i in kept and r.randrange(2):
                self.assertIs(p[i], kept.pop(i))
            else:
                row = p[i]
                self.assertIs(kept.setdefault(i, row), row)
        for i, row in kept.items():
            self.assertIs(p[i], row)
            self.assertEqual(row, [i])

    def test_as_a_sequence_of_c(self):
        import ctypes
        get = ctypes.pythonapi.PySequence_GetItem
        get.restype = ctypes.py_object
        get.argtypes = [ctypes.py_object, ctypes.c_ssize_t]
        put = ctypes.pythonapi.PySequence_SetItem
        put.argtypes = [ctypes.py_object, ctypes.c_ssize_t, ctypes.py_object]
        cut = ctypes.pythonapi.PySequence_DelItem
        cut.argtypes = [ctypes.py_object, ctypes.c_ssize_t]
        for i in (0, 2, -1, -3, 3, -4, -5):
            self.pair([1, 2, 3])
            self.do(lambda x: get(x, i))
            self.do(lambda x: put(x, i, 9))
            self.do(lambda x: cut(x, i))

    def test_a_search_is_of_one_moment(self):
        p = posh.list([0] * 63 + [5] + [0] * 100)

        class Five:
            first = True

            def __eq__(self, other):
                if self.first:
                    self.first = False
                    p.insert(0, 0)
                return other == 5

        self.assertEqual(p.count(Five()), 1)
        p = posh.list([0] * 63 + [5] + [0] * 100)
        with posh.synchronized(p):
            p[0] = 0
            self.assertEqual(p.count(Five()), 1)

    def test_proxies_are_given_back(self):
        p = posh.list([[i] for i in range(500)])
        live = posh.default_heap().stats().live_blocks
        for _ in range(3):
            rows = list(p)
            self.assertEqual([r[0] for r in rows], list(range(500)))
            del rows
        self.assertEqual(posh.default_heap().stats().live_blocks, live)
        del p
        gc.collect()
        self.assertLessEqual(posh.default_heap().stats().live_blocks,
                             live - 501)

    def test_holds_of_a_search_are_given_back(self):
        p = posh.list([7] + [[i] for i in range(100)])
        live = posh.default_heap().stats().live_blocks
        for x in (7, "no", None, [3]):
            self.assertEqual(x in p, x in (7, [3]))
        self.assertEqual(p.count([3]), 1)
        p.clear()
        self.assertLessEqual(posh.default_heap().stats().live_blocks,
                             live - 100)

    def test_big(self):
        self.pair(list(range(20000)))
        self.do(lambda x: sum(x))
        self.do(lambda x: x[100:19000:3])
        self.do(call("reverse"))
        self.do(call("extend", range(1000)))
        self.do(delete(slice(10, 20000)))

    def test_subclass(self):
        class Named(posh.SharedList):
            __slots__ = ()

            def first(self):
                return self[0]

        p = Named([1, 2])
        self.assertEqual(p.first(), 1)
        self.assertEqual(p, [1, 2])
        self.assertIsInstance(p, list)
        q = posh.list([p])
        self.assertIs(q[0], p)
        self.assertRaises(TypeError, hash, p)


def iadd_self(x):
    x += x
    return x


if __name__ == "__main__":
    import tap
    tap.main()

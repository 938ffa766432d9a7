# SPDX-License-Identifier: MIT
"""share(), unshare(): deep copies that keep what refers to what."""
import copy
import json
import unittest

import posh


class Plain:
    pass


@posh.shareable
class Node:
    def __init__(self, value=None):
        self.value = value


def nested(depth):
    top = x = []
    for _ in range(depth):
        x.append([])
        x = x[0]
    return top


def depth(x):
    n = 0
    while x:
        x = x[0]
        n += 1
    return n


class ShareTest(unittest.TestCase):
    VALUES = (
        None, True, False, ..., 0, -1, 2**47, -(2**47), 2**48, 2**63, -(2**63),
        10**100, -(10**100), 0.0, -0.0, 1.5, float("inf"), 1e308, 5e-324,
        1j, 2.5 - 0.5j, "", "a", "abcdef", "abcdefg" * 10, "é", "日本語", "𝄞",
        "\0", "a\0b", "\ud800", "x\udfff\U0001f600", b"", b"a\0b",
        bytes(range(256)), (), (1,), (1, (2, ("x", None))), ((),) * 3,
    )

    def test_values(self):
        """immutable values are returned as they are, and read back exactly"""
        for x in self.VALUES:
            self.assertIs(posh.share(x), x)
            back = posh.share([x])[0]
            self.assertIs(type(back), type(x))
            self.assertEqual(repr(back), repr(x))

    def test_nan(self):
        """a nan is read back as one"""
        x = posh.share([float("nan")])[0]
        self.assertNotEqual(x, x)

    def test_equal(self):
        """a shared object equals the object, from both sides"""
        for x in ([], {}, [1, [2]], {"a": {"b": [1]}}, {1: 2, (1, 2): 3}):
            self.assertTrue(x == posh.share(x))
            self.assertTrue(posh.share(x) == x)
            self.assertFalse(x != posh.share(x))

    def test_no_copy_behind(self):
        """the original is not changed by what happens to the copy"""
        x = {"a": [1]}
        p = posh.share(x)
        p["a"].append(2)
        p["b"] = 1
        self.assertEqual(x, {"a": [1]})

    def test_proxy(self):
        """sharing a proxy returns it"""
        p = posh.share([1])
        self.assertIs(posh.share(p), p)
        self.assertIs(posh.share([p])[0], p)

    def test_aliasing(self):
        """what was one object is one object"""
        a, b = [1], {}
        p = posh.share([a, a, {"a": a, "b": b}, (a, b), b])
        self.assertIs(p[0], p[1])
        self.assertIs(p[2]["a"], p[0])
        self.assertIs(p[2]["b"], p[4])
        self.assertIs(p[3][0], p[0])
        p[0].append(2)
        self.assertEqual(p[3][0], [1, 2])

    def test_aliasing_in_long_ones(self):
        """also across the batches of a long list and dict"""
        a = []
        p = posh.share([a if i % 7 == 0 else i for i in range(1000)])
        self.assertEqual(len(p), 1000)
        self.assertTrue(all(p[i] is p[0] for i in range(0, 1000, 7)))
        self.assertEqual(p[999], 999)
        d = posh.share({i: a if i % 5 == 0 else [i] for i in range(1000)})
        self.assertEqual(list(d), list(range(1000)))
        self.assertTrue(all(d[i] is d[0] for i in range(0, 1000, 5)))
        self.assertEqual(d[999], [999])

    def test_alias_within_one_operation(self):
        """extend() shares one graph"""
        a = [1]
        p = posh.list()
        p.extend([a, [a]])
        self.assertIs(p[0], p[1][0])

    def test_cycles(self):
        """cycles through lists, dicts, tuples and instances are kept"""
        x = []
        x.append(x)
        p = posh.share(x)
        self.assertIs(p[0], p)
        d = {}
        d["d"] = [d]
        p = posh.share(d)
        self.assertIs(p["d"][0], p)
        t = ([],)
        t[0].append(t)
        p = posh.share(t)
        self.assertIs(type(p), tuple)
        self.assertIs(p[0][0][0], p[0])
        n = Node()
        n.value = [n]
        p = posh.share(n)
        self.assertIs(p.value[0], p)

    def test_deep(self):
        """100,000 nested lists are shared, copied back and dropped"""
        p = posh.share(nested(100000))
        back = posh.unshare(p)
        del p
        self.assertEqual(depth(back), 100000)
        while back:
            back = back.pop()

    def test_tuple(self):
        """a tuple with objects in it comes back as a tuple with proxies"""
        p = posh.share(([1], 2, ({},)))
        self.assertIs(type(p), tuple)
        self.assertEqual(p, ([1], 2, ({},)))
        self.assertTrue(posh.is_shared(p[0]))
        self.assertTrue(posh.is_shared(p[2][0]))

    def test_is_shared(self):
        self.assertTrue(posh.is_shared(posh.share([])))
        self.assertTrue(posh.is_shared(posh.share({})))
        self.assertTrue(posh.is_shared(posh.share(Node())))
        for x in ([], {}, 7, "a", Node(), (), None):
            self.assertFalse(posh.is_shared(x))

    def test_key_object(self):
        """an object that equals itself only can be a key"""
        n = Node(1)
        p = posh.share({n: n, "n": n, 1: [n]})
        key = p["n"]
        self.assertIs(p[key], key)
        self.assertIs(p[1][0], key)
        self.assertIn(key, p)
        self.assertNotIn(Node(1), p)
        u = posh.unshare(p)
        self.assertIs(u[u["n"]], u["n"])

    def test_key_objects_in_batches(self):
        """many objects as keys live until they are in the dict"""
        nodes = [Node(i) for i in range(300)]
        p = posh.share({n: [n] for n in nodes})
        self.assertEqual(len(p), 300)
        self.assertEqual([k.value for k in p], list(range(300)))
        self.assertTrue(all(v[0] is k for k, v in p.items()))


    def test_key_objects_go(self):
        """and go with the dict"""
        with posh.Heap(max_size=1 << 26) as heap:
            heap.share(Node())
            before = heap.stats().live_bytes
            p = heap.share({Node("long text " * 9): i for i in range(100)})
            self.assertEqual(len(posh.unshare(p)), 100)
            del p
            self.assertEqual(heap.stats().live_bytes, before)


class RefuseTest(unittest.TestCase):
    def refused(self, x, *words):
        with self.assertRaises(posh.NotShareableError) as caught:
            posh.share(x)
        for word in words:
            self.assertIn(word, str(caught.exception))
        self.assertIsInstance(caught.exception, TypeError)

    def test_path(self):
        """the error names the type and the way to it"""
        self.refused({"a": [1, 2, 3, object()]}, "'object'", "x['a'][3]")
        self.refused([1, (2, {"k": object()})], "x[1][1]['k']")
        self.refused(Node([object()]), "x.value[0]", "'object'")
        self.refused({(1, object()): 1}, "'object'", "key (1, <object")

    def test_advice(self):
        """and says what to do"""
        self.refused([Plain()], "x[0]", "allow_sharing(Plain)")

        class Names(list):
            pass

        self.refused(Names(), "call posh.allow_sharing(")
        self.refused([lambda: 1], "'function'")

    def test_cyclic(self):
        """the way is found in a cycle, too"""
        x = []
        x.append(x)
        x.append(Plain())
        self.refused(x, "x[1]")

    def test_key(self):
        """an object with its own equality is a key"""

        @posh.shareable
        class Point:
            def __init__(self, x):
                self.x = x

            def __eq__(self, other):
                return self.x == other.x

            def __hash__(self):
                return hash(self.x)

        p = posh.share({Point(1): 1, Point(2): 2})
        self.assertEqual((p[Point(1)], p[Point(2)]), (1, 2))
        self.assertNotIn(Point(3), p)

    def test_nothing_is_left(self):
        """nothing of a graph that can't be shared stays in the heap"""
        with posh.Heap(max_size=1 << 26) as heap:
            keep = heap.share([1])
            before = heap.stats().live_bytes
            for bad in (
                [[1], ["long text " * 9], {"a": [2]}, object()],
                {"a": {"b": ["x" * 99]}, "z": object()},
                ([1], [2], object()),
                [[i] for i in range(500)] + [object()],
            ):
                with self.assertRaises(posh.NotShareableError):
                    heap.share(bad)
                with self.assertRaises(posh.NotShareableError):
                    keep.append(bad)
                with self.assertRaises(posh.NotShareableError):
                    keep.extend([[3], bad])
            self.assertEqual(keep, [1])
            self.assertEqual(heap.stats().live_bytes, before)
            self.assertEqual(heap.check(), [])
            del keep

    def test_other_heap(self):
        """a proxy of another heap can't be put into this one"""
        with posh.Heap(max_size=1 << 26) as heap:
            x = heap.share([1])
            p = posh.share([])
            with self.assertRaises(posh.WrongHeapError):
                p.append(x)
            with self.assertRaises(posh.WrongHeapError):
                p.append([1, [x]])
            self.assertEqual(p, [])
            p.append(posh.unshare(x))
            self.assertEqual(p, [[1]])
            del x


class UnshareTest(unittest.TestCase):
    def test_deep_copy(self):
        """everything in the copy is private"""
        p = posh.share({"a": [1, {"b": (2, [3])}]})
        u = posh.unshare(p)
        self.assertIs(type(u), dict)
        self.assertIs(type(u["a"]), list)
        self.assertIs(type(u["a"][1]), dict)
        self.assertIs(type(u["a"][1]["b"][1]), list)
        self.assertEqual(u, p)
        u["a"][1]["b"][1].append(4)
        self.assertEqual(p, {"a": [1, {"b": (2, [3])}]})

    def test_aliasing_and_cycles(self):
        a = [1]
        x = [a, a, (a,)]
        x.append(x)
        u = posh.unshare(posh.share(x))
        self.assertIs(u[0], u[1])
        self.assertIs(u[2][0], u[0])
        self.assertIs(u[3], u)

    def test_aliases(self):
        """of many things"""
        x = [[i] for i in range(50)]
        u = posh.unshare(posh.share(x + x))
        self.assertTrue(all(u[i] is u[i + 50] for i in range(50)))
        self.assertEqual(len({id(y) for y in u}), 50)

    def test_leaves_no_hold(self):
        """what was copied goes when its last proxy does"""
        with posh.Heap(max_size=1 << 26) as heap:
            heap.share(Node())
            before = heap.stats().live_bytes
            p = heap.share([[1], {"a": ([2], "x" * 99)}, Node([3])])
            posh.unshare(p)
            copy.copy(p[2])
            del p
            self.assertEqual(heap.stats().live_bytes, before)

    def test_tuple_as_key(self):
        """a tuple with an object in it is hashed when it is complete"""
        p, n = posh.share({}), posh.share(Node(1))
        p[(n, "x")] = [2]
        u = posh.unshare(p)
        (key,) = u
        self.assertIs(type(key[0]), Node)
        self.assertEqual(u[(key[0], "x")], [2])

    def test_tuple_is_one(self):
        """a tuple that was one object is one object"""
        t = ([],)
        u = posh.unshare(posh.share([t, t]))
        self.assertIs(u[0], u[1])

    def test_instance(self):
        n = Node([1])
        n.more = n
        u = posh.unshare(posh.share(n))
        self.assertIs(type(u), Node)
        self.assertIs(u.more, u)
        self.assertEqual(u.value, [1])
        self.assertIs(type(u.value), list)

    def test_not_shared(self):
        """what is not shared is returned as it is"""
        for x in (1, "a", [], {}, (1, 2)):
            self.assertIs(posh.unshare(x), x)
        t = posh.share(([1],))
        u = posh.unshare(t)
        self.assertEqual(u, ([1],))
        self.assertFalse(posh.is_shared(u[0]))

    def test_copy(self):
        """copy gives a private copy of proxies, deepcopy of all"""
        p = posh.share({"a": [1], "n": Node([2])})
        c = copy.copy(p)
        self.assertIs(type(c), dict)
        self.assertIs(c["a"], p["a"])
        d = copy.deepcopy(p)
        self.assertIs(type(d["a"]), list)
        n = copy.copy(p["n"])
        self.assertIs(type(n), Node)
        self.assertFalse(posh.is_shared(n))
        self.assertIs(n.value, p["n"].value)
        n = copy.deepcopy(p["n"])
        self.assertIs(type(n.value), list)

    def test_json(self):
        """json takes unshare as its default"""
        p = posh.share({"a": [1, {"b": None}]})
        self.assertEqual(
            json.dumps(p, default=posh.unshare), '{"a": [1, {"b": null}]}'
        )


if __name__ == "__main__":
    import tap

    tap.main()

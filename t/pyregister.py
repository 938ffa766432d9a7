# SPDX-License-Identifier: MIT
"""posh.register_value(): immutable types of one's own are shared by value."""
import copy
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

import posh


class Point:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __eq__(self, other):
        return type(other) is Point and (self.x, self.y) == (other.x, other.y)

    def __hash__(self):
        return hash((self.x, self.y))

    def __repr__(self):
        return f"Point({self.x!r}, {self.y!r})"


class Derived(Point):
    pass


class Bad:
    """Its state can't be shared."""


class Unregistered:
    pass


def point_state(p):
    return p.x, p.y


posh.register_value(Point, point_state, lambda state: Point(*state))
posh.register_value(Bad, lambda x: (1, Unregistered()), lambda state: Bad())


class RegisterTest(unittest.TestCase):
    def test_round_trip(self):
        """objects of the type are read back as plain, equal ones"""
        for x in (
            Point(1, 2),
            Point("a text of some length", None),
            Point(Point(1, 2), (Point(3, 4), frozenset([Point(5, 6)]))),
        ):
            self.assertIs(posh.share(x), x)
            p = posh.share([x, {"k": x, x: (x, 1)}])
            for y in (p[0], p[1]["k"], p[1][x][0], list(p[1])[1], p[:][0]):
                self.assertIs(type(y), Point)
                self.assertEqual(y, x)
                self.assertFalse(posh.is_shared(y))
            self.assertEqual(posh.unshare(p), [x, {"k": x, x: (x, 1)}])
            self.assertEqual(copy.deepcopy(p)[0], x)
            self.assertEqual(p, [x, {"k": x, x: (x, 1)}])
            self.assertIn(x, p)
            self.assertEqual(p.index(x), 0)

    def test_mutable_parts(self):
        """what is mutable in a state is shared as an object"""
        p = posh.share([Point([1], 2)])
        self.assertIs(type(p[0]), Point)
        p[0].x.append(3)
        self.assertEqual(p[0].x, [1, 3])
        self.assertTrue(posh.is_shared(p[0].x))
        plain = posh.unshare(p)
        self.assertFalse(posh.is_shared(plain[0].x))
        self.assertEqual(plain, [Point([1, 3], 2)])
        self.assertFalse(posh.is_shared(posh.unshare(p[0]).x))
        self.assertEqual(posh.share(Point([1], 2)).x, [1])

    def test_iteration(self):
        """what comes between others is read in its place"""
        values = []
        for i in range(200):
            values += [i, Point(i, "text"), "a text of some length", [i]]
        p = posh.share(values)
        self.assertEqual(list(p), values)
        self.assertEqual(list(reversed(p)), values[::-1])
        d = posh.share(dict(enumerate(values)))
        self.assertEqual(list(d.values()), values)
        self.assertEqual(d, dict(enumerate(values)))

    def test_refused(self):
        """errors name the type, and where it is"""
        for f, words in (
            (lambda: posh.share([1, Bad()]), ("'Unregistered'", "x[1]")),
            (lambda: posh.list().append(Bad()), ("'Unregistered'",)),
            (lambda: posh.share({Bad(): 1}), ("'Unregistered'",)),
            (lambda: posh.share([Derived(1, 2)]), ("'Derived'", "x[0]")),
        ):
            with self.assertRaises(posh.NotShareableError) as caught:
                f()
            for word in words:
                self.assertIn(word, str(caught.exception))

    def test_arguments(self):
        """arguments are checked"""
        register = posh.register_value
        for args, word in (
            ((3, repr, int), "class was expected"),
            ((Unregistered, 3, int), "not callable"),
            ((Unregistered, repr, 3), "not callable"),
            ((int, repr, int), "own way"),
            ((list, repr, int), "own way"),
            ((frozenset, repr, int), "own way"),
            ((range, repr, int), "own way"),
            ((Dog, repr, int), "shareable already"),
        ):
            with self.assertRaisesRegex(TypeError, word):
                register(*args)
        with self.assertRaisesRegex(TypeError, "own way"):
            posh.allow_sharing(Point, synch=None)
        posh.allow_sharing(Point)
        self.assertIs(type(posh.share([Point(1, 2)])[0]), Point)

    def test_again(self):
        """a type may be registered anew"""
        p = posh.share([Point(1, 2)])
        posh.register_value(
            Point, point_state, lambda state: Point(state[0], "new")
        )
        try:
            self.assertEqual(p[0], Point(1, "new"))
        finally:
            posh.register_value(
                Point, point_state, lambda state: Point(*state)
            )

    def test_state_raises(self):
        """what the functions raise comes out, and changes nothing"""

        class Angry:
            pass

        def angry(x):
            raise ZeroDivisionError

        posh.register_value(Angry, angry, angry)
        p = posh.share([1])
        d = posh.share({1: 1})
        for f in (
            lambda: p.append(Angry()),
            lambda: p.extend([2, Angry()]),
            lambda: d.update({2: Angry()}),
            lambda: d.__setitem__(Angry(), 1),
            lambda: posh.share([Angry()]),
        ):
            with self.assertRaises(ZeroDivisionError):
                f()
        self.assertEqual((p, d), ([1], {1: 1}))


@posh.shareable
class Dog:
    pass


class ElsewhereTest(unittest.TestCase):
    """Another program, which attaches by name."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.heap = posh.Heap(os.path.join(self.directory, "heap"))
        self.addCleanup(self.heap.close)

    def run_program(self, text):
        env = dict(os.environ)
        path = [self.directory, env.get("PYTHONPATH", "")]
        env["PYTHONPATH"] = os.pathsep.join(path)
        program = "import posh\nheap = posh.attach(%r)\n" % self.heap.name
        done = subprocess.run(
            [sys.executable, "-c", program + textwrap.dedent(text)],
            env=env,
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def write(self, name, text):
        with open(os.path.join(self.directory, name), "w") as f:
            f.write(textwrap.dedent(text))

    def test_unknown(self):
        """a type that is unknown there is an error on access to it only"""
        self.heap.root["l"] = [1, Point(2, 3), "text", Point(4, 5), [6]]
        self.heap.root["d"] = {"a": 1, "p": Point(2, 3), "z": 2}
        out = self.run_program(
            """
            p = heap.root["l"]
            assert (p[0], p[2], p[4], len(p)) == (1, "text", [6], 5)
            try:
                p[1]
            except posh.ClassNotFoundError as e:
                print(isinstance(e, ImportError), e.name)
                print(e)
            it = iter(p)
            assert next(it) == 1
            try:
                next(it)
            except posh.ClassNotFoundError:
                print("in its place")
            d = heap.root["d"]
            assert (d["a"], d["z"]) == (1, 2)
            assert list(d) == ["a", "p", "z"]
            p[1] = 7
            del d["p"]
            assert d == {"a": 1, "z": 2}
            """
        )
        self.assertIn("True __main__:Point", out)
        self.assertIn("can't be found", out)
        self.assertIn("in its place", out)
        self.assertEqual(self.heap.root["l"][1], 7)

    def test_not_registered(self):
        """a class that is there, but not registered, is one, too"""
        self.heap.root["p"] = Point(1, 2)
        out = self.run_program(
            """
            class Point:
                pass
            try:
                heap.root["p"]
            except posh.ClassNotFoundError as e:
                print(e)
            posh.register_value(Point, str, list)
            assert heap.root["p"] == [1, 2]
            """
        )
        self.assertIn("register_value", out)

    def test_imported(self):
        """its module is imported, which registers it"""
        self.write(
            "posh_money.py",
            """
            import posh
            class Money:
                def __init__(self, n):
                    self.n = n
            posh.register_value(Money, lambda x: x.n, Money)
            """,
        )
        self.run_program(
            """
            import posh_money
            heap.root["m"] = posh_money.Money(5)
            """
        )
        out = self.run_program("m = heap.root['m']; print(type(m), m.n)")
        self.assertEqual(out, "<class 'posh_money.Money'> 5\n")


if __name__ == "__main__":
    import tap

    tap.main()

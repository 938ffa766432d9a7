# SPDX-License-Identifier: MIT
"""Exceptions are stored by value, and read back as they were."""
import json
import subprocess
import unittest

import posh


class Own(Exception):
    """Wants other arguments than it hands on."""

    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")
        self.a, self.b = a, b


class Deaf(UnicodeDecodeError):
    """Has the fields of its base, and never fills them."""

    def __init__(self, n):
        self.n = n


class Slotted(ValueError):
    __slots__ = ("limit", "unset")


class Both(KeyError, OSError):
    pass


class Loud(Exception):
    """Overrides all that might be called behind its back."""

    def __init__(self, *args):
        super().__init__(*args)
        if made:
            raise ZeroDivisionError

    def never(self, *args):
        raise ZeroDivisionError

    __reduce__ = __reduce_ex__ = __setattr__ = __getstate__ = never
    __setstate__ = never


class Equal(Exception):
    def __eq__(self, other):
        return isinstance(other, Equal) and self.args == other.args

    def __hash__(self):
        return hash(self.args)


made = []

FIELDS = {
    OSError: ("errno", "strerror", "filename", "filename2"),
    ImportError: ("name", "path"),
    SyntaxError: ("filename", "lineno", "offset", "text", "end_lineno"),
    StopIteration: ("value",),
    SystemExit: ("code",),
    UnicodeError: ("encoding", "object", "start", "end", "reason"),
    Own: ("a", "b"),
    Slotted: ("limit",),
}


class ExceptionTest(unittest.TestCase):
    def round_trip(self, x):
        y = posh.share([x])[0]
        self.assertFalse(posh.is_shared(y))
        self.assertIsNot(y, x)
        self.assertIs(type(y), type(x))
        self.assertEqual(y.args, x.args)
        self.assertEqual((str(y), repr(y)), (str(x), repr(x)))
        self.assertEqual(vars(y), vars(x))
        for tp, names in FIELDS.items():
            if isinstance(x, tp):
                for name in names:
                    self.assertEqual(getattr(y, name), getattr(x, name), name)
        return y

    def test_builtin(self):
        """those of CPython, with all their fields"""
        for x in (
            ValueError("a text"),
            KeyError(("a", 1)),
            KeyboardInterrupt(),
            FileNotFoundError(2, "not there", "a file"),
            OSError(5, "a", "from", None, "to"),
            BlockingIOError(11, "would block", 5),
            StopIteration(4),
            SystemExit(3),
            SyntaxError("bad", ("a file", 1, 2, "a text", 3, 4)),
            ImportError("none", name="n", path="p"),
            UnicodeDecodeError("utf-8", b"\xff", 0, 1, "why"),
            json.JSONDecodeError("bad", "a document", 1),
            subprocess.CalledProcessError(1, "a command", b"out"),
            posh.HeapFullError("full"),
        ):
            with self.subTest(repr(x)):
                self.round_trip(x)

    def test_own(self):
        """classes of one's own: neither __init__ nor __reduce__ is called"""
        x = Slotted("too large")
        x.limit = 5
        self.assertFalse(hasattr(self.round_trip(x), "unset"))
        x = self.round_trip(Deaf(3))
        self.assertEqual((x.n, x.args), (3, (3,)))
        self.round_trip(Own(1, "b"))
        self.round_trip(Both(1))
        x = Loud(1)
        made.append(x)
        self.addCleanup(made.clear)
        self.round_trip(x)

    def test_group(self):
        """a group has its members, and can be split"""
        x = ExceptionGroup("several", [ValueError(1), Own(1, 2)])
        y = posh.share([x])[0]
        self.assertEqual(repr(y), repr(x))
        self.assertEqual(y.split(Own)[0].exceptions[0].b, 2)
        y = posh.share([BaseExceptionGroup("g", [KeyboardInterrupt(), x])])[0]
        self.assertEqual(y.exceptions[1].exceptions[0].args, (1,))

    def test_notes(self):
        """notes are copied, and more may be added"""
        x = ValueError(1)
        x.add_note("a note")
        box = posh.share([x])
        y = box[0]
        y.add_note("another")
        self.assertEqual(y.__notes__, ["a note", "another"])
        self.assertEqual(box[0].__notes__, ["a note"])

    def test_raised(self):
        """a traceback, cause and context are not"""
        errors = posh.share([])

        def child():
            try:
                try:
                    1 / 0
                except ZeroDivisionError as e:
                    raise Own(1, [2]) from e
            except Own as e:
                errors.append(e)

        pid = posh.forkcall(child)
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        with self.assertRaises(Own) as caught:
            raise errors[0]
        e = caught.exception
        self.assertEqual((str(e), e.a), ("1 and [2]", 1))
        self.assertEqual(e.b, [2])
        self.assertIsNone(errors[0].__traceback__)
        self.assertIsNone(errors[0].__cause__)
        self.assertIsNone(errors[0].__context__)

    def test_key(self):
        """as keys they are equal if their classes say so"""
        d = posh.share({Equal(1): "one"})
        self.assertEqual(d[Equal(1)], "one")
        self.assertNotIn(Equal(2), d)

    def test_not_shareable(self):
        """what can't be shared in one is named"""
        for x in (ValueError(iter(())), Own(iter(()), 1)):
            with self.assertRaisesRegex(posh.NotShareableError, "iterator"):
                posh.share([x])


if __name__ == "__main__":
    import tap

    tap.main()

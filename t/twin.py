# SPDX-License-Identifier: MIT
"""Do the same to a shared object and to its builtin twin, and compare."""
import array
import collections
import random
import time
import unittest

import posh


def plain(x):
    """Return a plain copy of a result, whatever it is made of."""
    kind = type(x)
    if issubclass(kind, posh.SharedList):
        return [plain(v) for v in x]
    if issubclass(kind, posh.SharedDict):
        return {plain(k): plain(v) for k, v in x.items()}
    if issubclass(kind, posh.SharedSet):
        return {plain(v) for v in x}
    if kind in (list, tuple, set, frozenset):
        return kind(map(plain, x))
    if kind is dict:
        return {plain(k): plain(v) for k, v in x.items()}
    return x


def same(a, b):
    """Are the two equal, types, signs, bounds and order included?"""
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    if isinstance(a, collections.deque):
        return a.maxlen == b.maxlen and same(list(a), list(b))
    if isinstance(a, array.array):
        return a.typecode == b.typecode and same(list(a), list(b))
    if isinstance(a, (set, frozenset)):
        return a == b and same(sorted(map(repr, a)), sorted(map(repr, b)))
    if isinstance(a, (float, complex)):
        return repr(a) == repr(b)
    return a == b


def outcome(function, x):
    """Call the function: what it returned or raised, comparable."""
    try:
        result = function(x)
    except Exception as e:
        return "raised", type(e), str(e)
    if result is x:
        return "returned", "its operand"
    return "returned", plain(result)


class TwinTest(unittest.TestCase):
    """twin(plain, shared).do(function): the same on both."""

    def pair(self, value):
        self.twin = value
        self.proxy = type(self).shared(value)

    def do(self, function, text=""):
        a = outcome(function, self.twin)
        b = outcome(function, self.proxy)
        self.assertTrue(same(a, b), "%s\n plain:  %.300r\n shared: %.300r"
                        % (text or function, a, b))
        self.assertTrue(same(plain(self.twin), plain(self.proxy)),
                        "%s\n plain:  %.300r\n shared: %.300r"
                        % (text or function, self.twin, self.proxy))
        return a

    def turns(self, seed, value, operation, steps):
        """Two processes take turns in operating on one shared object; each
        operates on its own twin each time, and compares."""
        turn = posh.list([0])
        self.pair(value)

        def play(me):
            r = random.Random(seed)
            for step in range(steps):
                op = operation(r, len(self.twin))
                text = "seed %d step %d process %d" % (seed, step, me)
                while turn[0] != 2 * step + (step + me) % 2:
                    if turn[0] < 0:
                        raise SystemExit(1)
                    time.sleep(0)
                try:
                    if step % 2 == me:
                        self.do(op, text)
                    else:
                        outcome(op, self.twin)
                        self.assertTrue(same(plain(self.twin),
                                             plain(self.proxy)), text)
                except BaseException:
                    turn[0] = -1
                    raise
                turn[0] += 1

        pid = posh.forkcall(play, 1)
        try:
            play(0)
        finally:
            status = posh.waitall([pid])[pid]
        self.assertEqual(status, 0)

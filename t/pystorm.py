# SPDX-License-Identifier: MIT
"""A storm of kills: what each did to its own objects is done or not done.

Workers change shared lists, dicts, sets, deques and instances, each some of
its own and all a common one.  Of its own, each says in a pipe what it is about to do, and then that it
has done it.  They are killed at any moment and replaced.  Whatever was
killed, its objects are as its log says, and as builtin ones would be.
"""
import gc
import os
import random
import select
import signal
import time
import unittest
from collections import deque

import posh
from tap import SOAK

KILLS = 1000 if SOAK else 100
WORKERS = 3


NAMES = "abcdefghij"


class Node:
    """Some attributes, and as many others as you like."""

    __slots__ = ("a", "b", "c", "__dict__")

    def __eq__(self, other):
        return state(self) == state(other)

    def __repr__(self):
        return f"Node with {state(self)}"


posh.allow_sharing(Node)


def state(node):
    """The attributes of a node that it has."""
    return {n: getattr(node, n) for n in NAMES if hasattr(node, n)}


def copied(model):
    """Another of the same, for what a step would make of it."""
    if not isinstance(model, Node):
        return model.copy()
    twin = Node()
    for name, value in state(model).items():
        setattr(twin, name, value)
    return twin


def text(rng):
    """Some text that says itself whether it is whole."""
    part = chr(rng.choice((97, 233, 9731, 128512))) * rng.randrange(40)
    return f"{part}{rng.randrange(1 << 40)}|" * 2


def whole(x):
    """Is a value one that text() made, or made of such?"""
    if isinstance(x, str):
        return x[: len(x) // 2] == x[len(x) // 2 :]
    if isinstance(x, dict):
        return all(map(whole, x.values()))
    if isinstance(x, Node):
        return all(map(whole, state(x).values()))
    if isinstance(x, (list, tuple, set, deque)):
        return all(map(whole, x))
    return True


def list_step(rng, model):
    """Choose something to do to a list of texts."""
    n = len(model)
    i, j = rng.randrange(n + 1), rng.randrange(n + 1)
    some = [text(rng) for _ in range(rng.randrange(4))]
    choice = [
        ("append", text(rng)),
        ("insert", i, text(rng)),
        ("extend", some),
        ("__setitem__", slice(i, j), some),
        ("__setitem__", slice(None, None, -1), [text(rng)] * n),
        ("__delitem__", slice(i, j)),
        ("__iadd__", some),
        ("sort",),
        ("reverse",),
    ]
    if n:
        choice += [("pop", i % n), ("__setitem__", j % n, text(rng))]
    return ("clear",) if n > 40 else rng.choice(choice)


def dict_step(rng, model):
    """Choose something to do to a dict of texts."""
    keys = list(model)
    k, some = rng.randrange(20), {rng.randrange(20): text(rng), "": 1.5}
    choice = [
        ("__setitem__", k, text(rng)),
        ("__setitem__", text(rng), k),
        ("setdefault", k, text(rng)),
        ("update", some),
        ("__ior__", some),
        ("pop", k, None),
    ]
    if keys:
        choice += [("__delitem__", rng.choice(keys)), ("popitem",)]
    return ("clear",) if len(keys) > 30 else rng.choice(choice)


def set_step(rng, model):
    """Choose something to do to a set of numbers and texts."""
    some = {rng.randrange(20) for _ in range(rng.randrange(6))}
    choice = [
        ("add", rng.randrange(20)),
        ("add", text(rng)),
        ("discard", rng.randrange(20)),
        ("update", some),
        ("__ior__", some),
        ("__iand__", set(model) - some),
        ("__isub__", some),
        ("__ixor__", some),
    ]
    if model:
        choice.append(("remove", rng.choice(sorted(model, key=str))))
    return ("clear",) if len(model) > 30 else rng.choice(choice)


def deque_step(rng, model):
    """Choose something to do to a deque of texts, which may be bounded."""
    n = len(model)
    some = [text(rng) for _ in range(rng.randrange(4))]
    choice = [
        ("append", text(rng)),
        ("appendleft", text(rng)),
        ("extend", some),
        ("extendleft", some),
        ("__iadd__", some),
        ("rotate", rng.randrange(-5, 6)),
        ("reverse",),
    ]
    if n:
        i = rng.randrange(n)
        choice += [("pop",), ("popleft",), ("__delitem__", i)]
        choice.append(("__setitem__", i, text(rng)))
    if n != model.maxlen:
        choice.append(("insert", rng.randrange(n + 1), text(rng)))
    return ("clear",) if n > 30 else rng.choice(choice)


def node_step(rng, model):
    """Choose something to do to an instance."""
    names = list(state(model))
    if names and rng.randrange(3) == 0:
        return "__delattr__", rng.choice(names)
    return "__setattr__", rng.choice(NAMES), text(rng)


#: What a worker has of its own, and what it may do to that.
OWN = (
    (list, list_step),
    (dict, dict_step),
    (set, set_step),
    (deque, deque_step),
    (lambda: deque(maxlen=5), deque_step),
    (Node, node_step),
)


def common_step(x, rng):
    """Do something to what all have; others are at it as well."""
    n = rng.randrange(14)
    try:
        if n == 0:
            x["list"].append([text(rng), {"n": text(rng)}])
        elif n == 1:
            x["list"][rng.randrange(20)].append((text(rng), [text(rng)]))
        elif n == 2:
            del x["list"][: rng.randrange(3)]
        elif n == 3:
            x["dict"][rng.randrange(9)] = {"a": [text(rng)]}
        elif n == 4:
            x["dict"][rng.randrange(9)]["a"].insert(0, text(rng))
        elif n == 5:
            x["dict"].popitem()
        elif n == 6 and len(x["list"]) > 30:
            x["list"] = []
        elif n == 7:
            x["set"] ^= {rng.randrange(9), text(rng)}
        elif n == 8:
            x["set"].pop()
        elif n == 9:
            x["deque"].append({"d": deque([text(rng)])})
        elif n == 10:
            x["deque"][0]["d"].rotate(1)
            x["deque"].popleft()["d"].append(text(rng))
        elif n == 11:
            x["node"].a = Node()
            x["node"].j = {text(rng)}
        elif n == 12:
            x["node"].a.b = text(rng)
            x["dict"][rng.randrange(9)] = {"a": [], "node": x["node"].a}
        elif not whole(posh.unshare(x)):
            os._exit(3)
    except (KeyError, IndexError, AttributeError):
        pass  # somebody was faster


def do(target, step):
    """Do it to a container or an instance, shared or not."""
    getattr(target, step[0])(*step[1:])


def work(x, mine, models, seed, log):
    """Change things until killed; say each step ahead, and when it is done."""
    rng = random.Random(seed)
    while True:
        common_step(x, rng)
        k = rng.randrange(len(OWN))
        model = models[k]
        step = OWN[k][1](rng, model)
        os.write(log, repr((k, step)).encode() + b"\n")
        do(mine[k], step)
        do(model, step)
        os.write(log, b"done\n")
        if rng.randrange(8) == 0 and mine[k] != model:
            os._exit(4)


class Worker:
    """A process, its objects, and what they have to be."""

    def __init__(self, heap, x):
        self.heap, self.x = heap, x
        self.models = [make() for make, step in OWN]
        self.mine = [heap.share(model) for model in self.models]

    def start(self, seed):
        """Fork it."""
        self.log, end = os.pipe()
        self.said, self.step = b"", None
        self.pid = posh.forkcall(
            work, self.x, self.mine, self.models, seed, end
        )
        os.close(end)

    def listen(self, timeout=0):
        """Read a part of what it said; False: it is gone."""
        if not select.select([self.log], [], [], timeout)[0]:
            return True
        data = os.read(self.log, 1 << 16)
        self.said += data
        *lines, self.said = self.said.split(b"\n")
        for line in lines:
            if line != b"done":
                self.step = eval(line)
                continue
            do(self.models[self.step[0]], self.step[1])
            self.step = None
        return bool(data)

    def kill(self):
        """Kill it; say what is wrong then."""
        os.kill(self.pid, signal.SIGKILL)
        status = posh.waitpid(self.pid, 0)[1]
        self.pid = 0
        while self.listen(10):
            pass
        os.close(self.log)
        if status != signal.SIGKILL:
            return f"status {status:#x}"
        if self.step:
            k, step = self.step
            after = copied(self.models[k])
            do(after, step)
            if self.mine[k] == after:
                self.models[k] = after
        for mine, model in zip(self.mine, self.models):
            same = isinstance(model, set) or repr(mine) == repr(model)
            if mine != model or not same:
                return f"{mine!r} is not {model!r}, nor after {self.step}"
        return ""

    def stop(self):
        """Leave no process behind a test that failed."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            posh.waitpid(self.pid, 0)


class StormTest(unittest.TestCase):
    def test_storm(self):
        """what the killed did is done or not done, and nothing is lost"""
        seed = int(os.environ.get("POSH_SEED", random.randrange(1 << 30)))
        print("# seed", seed, flush=True)
        rng = random.Random(seed)
        with posh.Heap(max_size=1 << 28) as heap:
            node = Node()
            for name in NAMES:
                setattr(node, name, name)
            heap.share(node)  # the heap keeps the class, and its names
            start = heap.stats().live_bytes
            x = heap.share(
                {
                    "list": [],
                    "dict": {},
                    "set": set(),
                    "deque": deque(maxlen=20),
                    "node": Node(),
                }
            )
            workers = [Worker(heap, x) for _ in range(WORKERS)]
            for worker in workers:
                worker.start(rng.random())
                self.addCleanup(worker.stop)
            for i in range(KILLS):
                end = time.monotonic() + 0.02 * rng.random()
                while (left := end - time.monotonic()) > 0:
                    for worker in workers:
                        worker.listen(min(left, 0.001))
                worker = rng.choice(workers)
                with self.subTest(seed=seed, kill=i):
                    self.assertEqual(worker.kill(), "")
                    if i % 10 == 0:  # the others are at work
                        self.assertEqual(heap.check(), [])
                        self.assertTrue(whole(posh.unshare(x)))
                worker.start(rng.random())
            with self.subTest(seed=seed):
                for worker in workers:
                    self.assertEqual(worker.kill(), "")
            for worker in workers:
                del worker.x, worker.mine
            del x
            gc.collect()
            self.assertEqual(heap.check(), [])
            self.assertLessEqual(heap.stats().suspects, KILLS + WORKERS)
            heap.reap()
            stats = heap.stats()
            self.assertEqual(stats.suspects, 0)
            self.assertEqual(stats.live_bytes, start)
            self.assertEqual(stats.members, 1)


if __name__ == "__main__":
    import tap

    tap.main()

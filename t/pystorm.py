# SPDX-License-Identifier: MIT
"""A storm of kills: what each did to its own objects is done or not done.

Workers change shared lists and dicts, each some of its own and all a common
one.  Of its own, each says in a pipe what it is about to do, and then that it
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

import posh
from tap import SOAK

KILLS = 1000 if SOAK else 100
WORKERS = 3


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
    return all(map(whole, x)) if isinstance(x, (list, tuple)) else True


def list_step(rng, n):
    """Choose something to do to a list of n texts."""
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


def dict_step(rng, keys):
    """Choose something to do to a dict with these keys."""
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


def common_step(x, rng):
    """Do something to what all have; others are at it as well."""
    n = rng.randrange(8)
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
        elif not whole(posh.unshare(x)):
            os._exit(3)
    except (KeyError, IndexError, AttributeError):
        pass  # somebody was faster


def do(target, step):
    """Do it to a list or dict, shared or not."""
    getattr(target, step[0])(*step[1:])


def work(x, mine, models, seed, log):
    """Change things until killed; say each step ahead, and when it is done."""
    rng = random.Random(seed)
    while True:
        common_step(x, rng)
        k = rng.randrange(2)
        model = models[k]
        step = dict_step(rng, list(model)) if k else list_step(rng, len(model))
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
        self.mine = [heap.list(), heap.dict()]
        self.models = [[], {}]

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
            after = self.models[k].copy()
            do(after, step)
            if self.mine[k] == after:
                self.models[k] = after
        for mine, model in zip(self.mine, self.models):
            if mine != model or repr(mine) != repr(model):
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
            start = heap.stats().live_bytes
            x = heap.share({"list": [], "dict": {}})
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

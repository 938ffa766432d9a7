# SPDX-License-Identifier: MIT
"""Processes killed at any moment: the others go on and nothing is lost."""
import gc
import os
import random
import signal
import time
import unittest

import posh
from tap import SOAK

ROUNDS = 1000 if SOAK else 60
LIMIT = 0.1  # seconds that the other one may be kept waiting


@posh.shareable
class Part:
    def __init__(self, n):
        self.n = n
        self.text = "some long text " * 3

    def change(self, other):
        self.n, self.other = self.text, other
        del self.other
        self.n = 1


def change(x, rng, end):
    """Change a nested structure until the time is over; the longest step."""
    longest = 0
    while (start := time.monotonic()) < end:
        n = rng.randrange(1000)
        kind = n % 12
        if kind == 0:
            x["list"].append([n, "text that is not short", {"n": n}])
        elif kind == 1:
            x["list"][:] = x["list"][-20:]
        elif kind == 2:
            x["dict"][n % 30] = [n, [n]]
        elif kind == 3:
            x["dict"].pop(n % 30, None)
        elif kind == 4:
            x["list"].insert(0, (n, [n], "tuple"))
        elif kind == 5:
            x["part"].change([n])
        elif kind == 6:
            x["list"].extend([[n]] * 3)
        elif kind == 7:
            x["dict"].update({n % 30: "x" * n, "k": Part(n)})
        elif kind == 8:
            del x["list"][: n % 5]
        elif kind == 9:
            x["dict"] = {}
        elif kind == 10:
            with posh.synchronized(x["list"]):
                x["list"].append(n)
                x["list"].append([n])
        else:
            x["part"] = Part([n])
        longest = max(longest, time.monotonic() - start)
    return longest


def child(x, seed):
    change(x, random.Random(seed), time.monotonic() + 10)


class CrashTest(unittest.TestCase):
    def round(self, heap, seed):
        """Kill a process in the middle of it; the longest wait."""
        rng = random.Random(seed)
        x = heap.share({"list": [], "dict": {}, "part": Part(0)})
        pid = posh.forkcall(child, x, seed + 1)
        change(x, rng, time.monotonic() + 0.002 + 0.01 * rng.random())
        os.kill(pid, signal.SIGKILL)
        longest = change(x, rng, time.monotonic() + 0.01)
        self.assertEqual(posh.waitall([pid]), {pid: signal.SIGKILL})
        change(x, rng, time.monotonic() + 0.002)
        return longest

    def test_kill(self):
        """one of two is killed; the other finishes, the heap is whole"""
        seed = int(os.environ.get("POSH_SEED", random.randrange(1 << 30)))
        print("# seed", seed, flush=True)
        with posh.Heap(max_size=1 << 28) as heap:
            heap.share(Part(0)).change([])
            start = heap.stats().live_bytes
            late = 0
            for i in range(ROUNDS):
                with self.subTest(seed=seed + 2 * i):
                    late += self.round(heap, seed + 2 * i) > LIMIT
                    gc.collect()
                    stats = heap.stats()
                    self.assertLessEqual(stats.suspects, 1)
                    self.assertEqual(heap.check(), [])
                    heap.reap()
                    stats = heap.stats()
                    self.assertEqual(stats.suspects, 0)
                    self.assertEqual(stats.live_bytes, start)
                    self.assertEqual(stats.members, 1)
                if i == 0:
                    start = stats.live_bytes
            # The machine may be busy elsewhere for once.
            self.assertLessEqual(late, ROUNDS // 50 + 1)

    def test_kill_many(self):
        """killing all but one of many, again and again"""
        with posh.Heap(max_size=1 << 28) as heap:
            x = heap.share({"list": [], "dict": {}, "part": Part(0)})
            for i in range(ROUNDS // 10):
                pids = [posh.forkcall(child, x, i) for _ in range(4)]
                change(x, random.Random(i), time.monotonic() + 0.02)
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                posh.waitall(pids)
                change(x, random.Random(i), time.monotonic() + 0.005)
                self.assertEqual(heap.check(), [])
            self.assertEqual(heap.stats().members, 1)
            del x

    def test_nothing_in_dev_shm(self):
        """after all are killed nothing is left in /dev/shm"""
        before = set(os.listdir("/dev/shm"))
        pid = posh.forkcall(
            child, posh.share({"list": [], "dict": {}, "part": Part(0)}), 1
        )
        time.sleep(0.02)
        os.kill(pid, signal.SIGKILL)
        posh.waitall([pid])
        left = set(os.listdir("/dev/shm")) - before
        self.assertEqual({n for n in left if "posh" in n}, set())


if __name__ == "__main__":
    import tap

    tap.main()

# SPDX-License-Identifier: MIT
"""Cycles of shared objects are freed."""
import gc
import unittest

import posh
import tap


@posh.shareable
class Node:
    def __init__(self):
        self.other = None


class CollectTest(unittest.TestCase):
    def setUp(self):
        self.heap = posh.Heap(max_size=64 << 20)
        self.empty = self.heap.stats().live_bytes

    def tearDown(self):
        self.heap.close()

    def test_cycles_of_all_kinds(self):
        a = self.heap.share([1, "a text that is boxed"])
        a.append(a)
        d = self.heap.share({"list": a})
        a.append(d)
        n = self.heap.share(Node())
        n.other, n.name = n, "a node"
        a.append((n, a))
        before = self.heap.stats().live_bytes
        del a, d, n
        gc.collect()
        self.assertEqual(self.heap.stats().live_bytes, before)
        self.assertEqual(self.heap.collect(), 4)
        self.assertEqual(self.heap.check(), [])
        left = self.heap.stats().live_bytes
        self.assertLess(left, before)
        self.assertEqual(self.heap.collect(), 0)
        self.assertEqual(self.heap.stats().live_bytes, left)

    def test_what_is_held_or_in_the_root_stays(self):
        a = self.heap.share([[]])
        a[0].append(a)
        b = self.heap.share({"x": []})
        b["x"].append(b)
        self.heap.root["b"] = b
        del b
        self.assertEqual(self.heap.collect(), 0)
        self.assertIs(a[0][0], a)
        self.assertEqual(len(self.heap.root["b"]["x"]), 1)

    def test_by_itself_as_the_heap_grows(self):
        for _ in range(300):
            x = self.heap.list([b"-" * 1_000_000])
            x.append(x)
            del x
        self.assertLess(self.heap.stats().size, 64 << 20)

    def test_what_another_process_holds_stays(self):
        a = self.heap.share([[7]])
        a[0].append(a)

        def child():
            posh.sleep(0.2)
            return 0 if a[0][0] == 7 and a[0][1] is a else 1

        pid = posh.forkcall(child)
        del a
        self.assertEqual(self.heap.collect(), 0)
        self.assertEqual(posh.waitall([pid]), {pid: 0})
        self.heap.reap()
        self.assertEqual(self.heap.collect(), 2)
        self.assertEqual(self.heap.stats().live_bytes, self.empty)


if __name__ == "__main__":
    tap.main()

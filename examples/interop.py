# SPDX-License-Identifier: MIT
"""One half of a pair: interop.c is the other.

Both open the same heap and count in its root dict, each ROUNDS times and both
at once; each leaves a list there that the other reads and checks::

    ./interop HEAP ROUNDS & python3 interop.py HEAP ROUNDS; wait
"""
import sys
import time

import posh


def main(name, rounds):
    heap = posh.Heap(name, max_size=64 << 20)
    root = heap.root
    root["python"] = [0, 1, 8, "Python", -0.5]
    for _ in range(rounds):
        with posh.synchronized(root):
            root["turns"] = root.get("turns", 0) + 1
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        if root.get("turns") == 2 * rounds and "c" in root:
            break
        time.sleep(0.001)
    print("Python sees", root["turns"], "turns")
    good = root["turns"] == 2 * rounds and root["c"] == [0, 1, 4, "C", 0.5]
    heap.close()
    return 0 if good else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: interop.py HEAP ROUNDS")
    sys.exit(main(sys.argv[1], int(sys.argv[2])))

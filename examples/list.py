#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A shared list: parent and child append to it, and both see it all."""
import posh


def work(shared, who, n):
    for i in range(n):
        shared.append((who, i))


def main():
    shared = posh.share([])
    pid = posh.forkcall(work, shared, "child", 1000)
    work(shared, "parent", 1000)
    status = posh.waitall([pid])[pid]

    print("elements:", len(shared))
    for who in ("parent", "child"):
        numbers = [i for w, i in shared if w == who]
        print(f"{who}'s: {len(numbers)}, in their order:", end=" ")
        print(numbers == list(range(1000)))
    changes = sum(a[0] != b[0] for a, b in zip(shared, shared[1:]))
    print("they took turns", changes, "times")
    return status or len(shared) != 2000


if __name__ == "__main__":
    posh.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Producers and consumers on a queue of one's own.

No method of Queue has a lock in it: each call runs inside the monitor of the
queue, because that is the policy of its class.
"""
import argparse
import time

import posh


@posh.shareable
class Queue:
    def __init__(self, limit):
        self.items = []
        self.limit = limit
        self.producers = 0
        self.taken = 0

    def put(self, item):
        """Put an item; False if the queue is full."""
        if len(self.items) >= self.limit:
            return False
        self.items.append(item)
        return True

    def get(self):
        """Return an item, None if there is none yet, "end" at the end."""
        if self.items:
            self.taken += 1
            return self.items.pop(0)
        return "end" if self.producers == 0 else None

    def join(self):
        self.producers += 1

    def leave(self):
        self.producers -= 1


def wait_for(call, *args):
    """Repeat a call until it has a result."""
    pause = 1e-6
    while not (result := call(*args)):
        time.sleep(pause)
        pause = min(2 * pause, 1e-3)
    return result


def produce(queue, who, n):
    for i in range(n):
        wait_for(queue.put, {"who": who, "number": i})
    queue.leave()


def consume(queue, results):
    mine = []
    while True:
        item = wait_for(queue.get)
        if item == "end":
            break
        mine.append((item["who"], item["number"]))
    results.append(mine)


def run(producers, consumers, n, limit):
    """Return what each consumer got."""
    queue = posh.share(Queue(limit))
    results = posh.share([])
    pids = []
    for who in range(producers):
        queue.join()
        pids.append(posh.forkcall(produce, queue, who, n))
    for _ in range(consumers):
        pids.append(posh.forkcall(consume, queue, results))
    if any(posh.waitall(pids).values()):
        raise SystemExit("a process failed")
    return posh.unshare(results)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-p", "--producers", type=int, default=2)
    parser.add_argument("-c", "--consumers", type=int, default=2)
    parser.add_argument("-n", "--items", type=int, default=5000)
    parser.add_argument("-l", "--limit", type=int, default=50)
    options = parser.parse_args(argv)
    start = time.perf_counter()
    results = run(
        options.producers, options.consumers, options.items, options.limit
    )
    seconds = time.perf_counter() - start
    got = sorted(item for mine in results for item in mine)
    expected = [
        (who, i)
        for who in range(options.producers)
        for i in range(options.items)
    ]
    print(
        f"{options.producers} producers, {options.consumers} consumers:"
        f" {len(got)} items in {seconds:.2f} s;"
        f" consumers got {[len(mine) for mine in results]};"
        f" each item once: {got == expected}"
    )
    return got != expected


if __name__ == "__main__":
    posh.exit(main())

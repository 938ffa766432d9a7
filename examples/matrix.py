#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Matrix multiplication: threads beside processes.

The rows of the product are divided over the workers.  A worker runs the same
code whether it is a thread or a process, and whether the matrices are plain
lists of lists or shared ones.

Two arrangements are tried: (a) only the result is shared, and the processes
have the factors from their parent; (b) all three matrices are shared.  The
weights are seconds with a plain single-threaded run as 100.
"""
import argparse
import os
import random
import threading
import time

import posh


def multiply(a, b, c, rows):
    """Compute some rows of c = a * b."""
    n = len(b[0])
    for i in rows:
        row = a[i]
        result = [0] * n
        for k, x in enumerate(row):
            j = 0
            for y in b[k]:
                result[j] += x * y
                j += 1
        c[i] = result


def zeros(n):
    return [[0] * n for _ in range(n)]


def make(n, seed=0):
    """Return a random matrix of small integers."""
    rng = random.Random(seed)
    return [[rng.randrange(-9, 10) for _ in range(n)] for _ in range(n)]


def parts(n, workers):
    """Divide n rows: worker w takes w, w + workers, ..."""
    return [range(w, n, workers) for w in range(workers)]


def with_threads(a, b, c, workers):
    threads = [
        threading.Thread(target=multiply, args=(a, b, c, rows))
        for rows in parts(len(a), workers)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def with_processes(a, b, c, workers):
    pids = [
        posh.forkcall(multiply, a, b, c, rows)
        for rows in parts(len(a), workers)
    ]
    if any(posh.waitall(pids).values()):
        raise SystemExit("a worker failed")


def timed(run, *args):
    start = time.perf_counter()
    run(*args)
    return time.perf_counter() - start


COLUMNS = {
    "threads": (with_threads, False, False),
    "result shared": (with_processes, False, True),
    "all shared": (with_processes, True, True),
}


class Table:
    """The best of some rounds, for each arrangement and number of workers."""

    def __init__(self, n, counts):
        self.n = n
        self.counts = counts
        self.a, self.b = make(n, 1), make(n, 2)
        self.expected = zeros(n)
        self.plain = float("inf")
        self.seconds = {}  # (column, workers) -> seconds
        self.wrong = []  # the same, of products that were not right

    def measure(self, column, workers):
        run, factors_shared, result_shared = COLUMNS[column]
        a, b, c = self.a, self.b, zeros(self.n)
        if factors_shared:
            a, b = posh.share(a), posh.share(b)
        if result_shared:
            c = posh.share(c)
        seconds = timed(run, a, b, c, workers)
        key = column, workers
        self.seconds[key] = min(seconds, self.seconds.get(key, seconds))
        if c != self.expected:
            self.wrong.append(key)

    def round(self):
        seconds = timed(
            multiply, self.a, self.b, self.expected, range(self.n)
        )
        self.plain = min(seconds, self.plain)
        for workers in self.counts:
            for column in COLUMNS:
                self.measure(column, workers)

    def weight(self, column, workers):
        return 100 * self.seconds[column, workers] / self.plain

    def print(self):
        n = self.n
        print(f"{n}x{n} matrices; seconds, and weights with a plain")
        print(f"single-threaded run ({self.plain:.2f} s) as 100")
        print("         threads          (a) result       (b) all three")
        print("                          shared           shared")
        print("workers ", "  ".join(["       s weight"] * 3))
        for workers in self.counts:
            cells = [
                f"{self.seconds[column, workers]:8.2f}"
                f" {self.weight(column, workers):6.1f}"
                for column in COLUMNS
            ]
            print(f"{workers:7} ", "  ".join(cells))


def numbers_of_workers(most):
    counts = [w for w in (1, 2, 4, 8, 16, 32, 64, 128) if w <= most]
    return counts if most in counts else counts + [most]


def main(argv=None):
    cores = max(2, os.cpu_count() or 2)
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-n", "--size", type=int, default=200)
    parser.add_argument(
        "-w", "--workers", type=int, default=min(cores, 8), help="at most"
    )
    parser.add_argument(
        "-r", "--rounds", type=int, default=3, help="the best one counts"
    )
    parser.add_argument("-s", "--silent", action="store_true")
    options = parser.parse_args(argv)
    if min(options.size, options.workers, options.rounds) < 1:
        parser.error("size, workers and rounds have to be positive")
    table = Table(options.size, numbers_of_workers(options.workers))
    for _ in range(options.rounds):
        table.round()
    if not options.silent:
        table.print()
    for column, workers in table.wrong:
        print(f"WRONG PRODUCT: {column}, {workers} workers")
    if not table.wrong and not options.silent:
        print("every product was checked and is right")
    return bool(table.wrong)


if __name__ == "__main__":
    posh.exit(main())

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


class Table:
    """Runs all arrangements and prints a line for each number of workers."""

    def __init__(self, n, silent=False):
        self.n = n
        self.silent = silent
        self.a, self.b = make(n, 1), make(n, 2)
        self.expected = zeros(n)
        self.plain = timed(
            multiply, self.a, self.b, self.expected, range(n)
        )
        self.wrong = 0
        self.weights = {}  # (column, workers) -> weight

    def say(self, *words):
        if not self.silent:
            print(*words, flush=True)

    def measure(self, column, workers, run, a, b, c):
        seconds = timed(run, a, b, c, workers)
        if c != self.expected:
            self.wrong += 1
            print(f"WRONG PRODUCT: {column}, {workers} workers")
        weight = self.weights[column, workers] = 100 * seconds / self.plain
        return f"{seconds:8.2f} {weight:6.1f}"

    def row(self, workers):
        a, b, zero = self.a, self.b, zeros(self.n)
        cells = [
            self.measure("threads", workers, with_threads, a, b, zeros(self.n)),
            self.measure(
                "result", workers, with_processes, a, b, posh.share(zero)
            ),
            self.measure(
                "all",
                workers,
                with_processes,
                posh.share(a),
                posh.share(b),
                posh.share(zero),
            ),
        ]
        self.say(f"{workers:7} ", "  ".join(cells))

    def run(self, counts):
        n = self.n
        self.say(f"{n}x{n} matrices; seconds, and weights with a plain")
        self.say(f"single-threaded run ({self.plain:.2f} s) as 100")
        self.say("         threads          (a) result       (b) all three")
        self.say("                          shared           shared")
        self.say("workers ", "  ".join(["       s weight"] * 3))
        for workers in counts:
            self.row(workers)
        return self.wrong


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
    parser.add_argument("-s", "--silent", action="store_true")
    options = parser.parse_args(argv)
    if options.size < 1 or options.workers < 1:
        parser.error("size and workers have to be positive")
    counts = [w for w in (1, 2, 4, 8, 16, 32, 64) if w <= options.workers]
    if options.workers not in counts:
        counts.append(options.workers)
    wrong = Table(options.size, options.silent).run(counts)
    if wrong == 0 and not options.silent:
        print("every product was checked and is right")
    return wrong != 0


if __name__ == "__main__":
    posh.exit(main())

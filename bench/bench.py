#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What shared objects cost, beside native ones and other ways to share.

Each number is the median of several rounds (--rounds); in a round each peer
does each row once, by turns, so that what the machine does meanwhile meets
all of them.  One table a layer is printed; --json writes the numbers.
"""
import argparse
import array
import functools
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
import timeit
from multiprocessing import shared_memory

import posh

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "examples"))

SIZE = 1000  # elements of a list, keys of a dict
UNROLL = 20  # copies of a statement in a loop
PEERS = ["native", "posh", "Manager", "ShareableList", "Array", "array.array"]


class Point:
    """A user's class with a few attributes."""

    def __init__(self):
        self.w, self.x, self.y, self.z = 1, 2, 3, 4

    def get(self):
        return self.x


posh.allow_sharing(Point)

KEYS = [f"key{i}" for i in range(SIZE)]

# Row: statement, how many operations it is, what it works on, the ratio to
# native that is aimed at.
ROWS = {
    "l[i]": ("v[i]", 1, "list", 3.0),
    "l[i] = x": ("v[i] = x", 1, "list", 3.0),
    "for x in l": ("for _ in v: pass", SIZE, "list", 2.5),
    "l.append(x)": (
        f"for _ in range({SIZE}): a(x)\ndel e[:]", SIZE, "empty", 3.5),
    "d[str]": ("d[k]", 1, "dict", 2.5),
    "d[str] = x": ("d[k] = x", 1, "dict", 3.0),
    "o.x": ("o.x", 1, "object", 3.5),
    "o.x = x": ("o.x = x", 1, "object", None),
    "o.get()": ("o.get()", 1, "object", None),
    "m[r][x]": ("m[i][i]", 1, "matrix", 4.5),
}


def things(manager):
    """Return {peer: {what: variables}} for the rows' statements."""
    numbers = list(range(SIZE))
    pairs = dict(zip(KEYS, numbers))
    grid = [list(range(30)) for _ in range(30)]
    shareable = shared_memory.ShareableList(numbers)
    managed = manager.Namespace()
    managed.x = 2

    def lists(v, empty=None):
        out = {"list": {"v": v}}
        if empty is not None:
            out["empty"] = {"e": empty, "a": empty.append}
        return out

    return {
        "native": {
            **lists(list(numbers), []), "dict": {"d": dict(pairs)},
            "object": {"o": Point()}, "matrix": {"m": grid}},
        "posh": {
            **lists(posh.share(numbers), posh.list()),
            "dict": {"d": posh.share(pairs)},
            "object": {"o": posh.share(Point())},
            "matrix": {"m": posh.share(grid)}},
        "Manager": {
            **lists(manager.list(numbers), manager.list()),
            "dict": {"d": manager.dict(pairs)}, "object": {"o": managed},
            "matrix": {"m": manager.list([manager.list(r) for r in grid])}},
        "ShareableList": lists(shareable),
        "Array": lists(multiprocessing.Array("q", numbers)),
        "array.array": lists(array.array("q", numbers), array.array("q")),
    }, shareable


def timer(row, peer, variables):
    """Return a function that times n of the row's statements once."""
    statement, operations, what, _ = ROWS[row]
    if what not in variables or (peer, row) == ("Manager", "o.get()"):
        return None
    names = dict(variables[what], i=7, x=5, k=KEYS[SIZE // 2])
    setup = "; ".join(f"{name} = the_{name}" for name in names)
    copies = UNROLL if operations == 1 else 1
    t = timeit.Timer("\n".join([statement] * copies), setup,
                     globals={f"the_{n}": v for n, v in names.items()})
    return lambda n: t.timeit(n) / n / operations / copies * 1e9


def fit(run, seconds):
    """Return how many statements take about that long, at least one."""
    n = 1
    while True:
        start = time.perf_counter()
        run(n)
        took = time.perf_counter() - start
        if took >= seconds / 4:
            return max(1, int(n * seconds / took))
        n *= 4


def operations(rounds, seconds):
    """Return {row: {peer: ns an operation}}."""
    with multiprocessing.Manager() as manager:
        peers, shareable = things(manager)
        runs = {}
        for row in ROWS:
            for peer in PEERS:
                run = timer(row, peer, peers[peer])
                if run:
                    slow = peer not in ("native", "posh")
                    runs[row, peer] = run, fit(run, seconds / (1 + slow))
        took = {key: [] for key in runs}
        for _ in range(rounds):
            for key, (run, n) in runs.items():
                took[key].append(run(n))
        shareable.shm.close()
        shareable.shm.unlink()
    return {row: {peer: statistics.median(took[row, peer])
                  for peer in PEERS if (row, peer) in took} for row in ROWS}


def read(v, n):
    """Read a list n times through."""
    i = 7
    for _ in range(n):
        for _ in range(50):
            v[i]; v[i]; v[i]; v[i]; v[i]; v[i]; v[i]; v[i]; v[i]; v[i]


def in_threads(workers, v, n):
    each = [threading.Thread(target=read, args=(v, n)) for _ in range(workers)]
    for t in each:
        t.start()
    for t in each:
        t.join()


def in_processes(workers, v, n):
    pids = [posh.forkcall(read, v, n) for _ in range(workers)]
    assert not any(posh.waitall(pids).values())


def two_readers(rounds, seconds):
    """Return {peer: how much faster two readers are than one}."""
    numbers = list(range(SIZE))
    out = {}
    with multiprocessing.Manager() as manager:
        peers = {
            "posh": (in_processes, posh.share(numbers)),
            "threads": (in_threads, posh.share(numbers)),
            "native": (in_processes, numbers),
            "Manager": (in_processes, manager.list(numbers)),
            "Array": (in_processes, multiprocessing.Array("q", numbers)),
        }
        runs = {peer: (run, v, fit(functools.partial(run, 1, v), seconds))
                for peer, (run, v) in peers.items()}
        gains = {peer: [] for peer in peers}
        for _ in range(rounds):
            for peer, (run, v, n) in runs.items():
                took = [0, 0, 0]
                for workers in 1, 2:
                    start = time.perf_counter()
                    run(workers, v, n)
                    took[workers] = time.perf_counter() - start
                gains[peer].append(2 * took[1] / took[2])
    for peer in peers:
        out[peer] = statistics.median(gains[peer])
    return out


def matrices(rounds, n):
    """Return {(arrangement, workers): weight}, with plain = 100."""
    import matrix

    a, b = matrix.make(n, 1), matrix.make(n, 2)
    sa, sb = posh.share(a), posh.share(b)
    zero = matrix.zeros(n)
    ways = {
        "threads": lambda w: matrix.with_threads(a, b, matrix.zeros(n), w),
        "result shared": lambda w: matrix.with_processes(
            a, b, posh.share(zero), w),
        "all shared": lambda w: matrix.with_processes(
            sa, sb, posh.share(zero), w),
    }
    weights = {(way, w): [] for way in ways for w in (1, 2)}
    for _ in range(rounds):
        plain = matrix.timed(matrix.multiply, a, b, matrix.zeros(n), range(n))
        for way, w in weights:
            took = matrix.timed(ways[way], w)
            weights[way, w].append(100 * took / plain)
    return {key: statistics.median(w) for key, w in weights.items()}


def allocator(program, rounds):
    """Return {workload: {peer: ns}} from the C benchmark."""
    text = subprocess.run([program, "-m", str(rounds)], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    out = {}
    for line in text.splitlines():
        load, peer, ns = line.split("\t")
        out.setdefault(load, {})[peer] = float(ns)
    return out


def recovery(program, rounds):
    """Return [(row, ms)] from the C benchmark of deaths and collections."""
    text = subprocess.run([program, "-m", str(rounds)], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    return [(row, float(ms)) for row, ms in
            (line.split("\t") for line in text.splitlines())]


def table(title, head, rows):
    """Print rows of words below their heads."""
    rows = [head] + [[str(cell) for cell in row] for row in rows]
    width = [max(map(len, column)) for column in zip(*rows)]
    print(f"\n{title}")
    for row in rows:
        print("  ".join([row[0].ljust(width[0])] + [
            cell.rjust(w) for cell, w in zip(row[1:], width[1:])]).rstrip())
    sys.stdout.flush()


def number(x):
    if x is None:
        return "-"
    return f"{x:.1f}" if x < 1000 else f"{x:.0f}"


def print_allocator(out):
    peers = list(next(iter(out.values())))
    table("Allocator: ns to allocate and free", [""] + peers + ["posh/malloc"],
          [[load] + [number(row[p]) for p in peers]
           + [f"{row['posh'] / row['malloc']:.2f}"]
           for load, row in out.items()])


def print_operations(out):
    rows = []
    for row, ns in out.items():
        aim = ROWS[row][3]
        rows.append([row, number(ns["native"]), number(ns["posh"]),
                     f"{ns['posh'] / ns['native']:.2f}", aim or "-"]
                    + [number(ns.get(peer)) for peer in PEERS[2:]])
    table("Python: ns an operation",
          ["", "native", "posh", "ratio", "aim"] + PEERS[2:], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.02,
                        help="of each measurement (default: %(default)s)")
    parser.add_argument("--size", type=int, default=200,
                        help="of the matrices (default: %(default)s)")
    parser.add_argument("--alloc", help="the allocator's benchmark")
    parser.add_argument("--recover", help="the benchmark of recovery")
    parser.add_argument("--json", help="file for the numbers")
    args = parser.parse_args()

    result = {"machine": {
        "cpus": len(os.sched_getaffinity(0)), "cpu": platform.machine(),
        "python": platform.python_version(), "posh": posh.__version__,
        "rounds": args.rounds}}
    print(f"CPython {platform.python_version()}, "
          f"{result['machine']['cpus']} CPUs; medians of {args.rounds}")
    if args.alloc:
        out = result["allocator"] = allocator(args.alloc, args.rounds)
        print_allocator(out)
    if args.recover:
        out = result["recovery"] = recovery(args.recover, args.rounds)
        table("Deaths and collections: what the living wait", ["", "ms"],
              [[row, f"{ms:.3f}"] for row, ms in out])
    out = result["operations"] = operations(args.rounds, args.seconds)
    print_operations(out)
    out = result["two readers"] = two_readers(args.rounds, args.seconds)
    table("Python: two readers of one list, times as fast as one (aim: 1.6)",
          list(out), [[f"{x:.2f}" for x in out.values()]])
    out = matrices(max(5, args.rounds // 2), args.size)
    result["matrix"] = {f"{way}, {w}": x for (way, w), x in out.items()}
    table(f"Python: {args.size} x {args.size} matrices, plain run = 100",
          ["workers", "threads", "result shared", "all shared"],
          [[w] + [number(out[way, w])
                  for way in ("threads", "result shared", "all shared")]
           for w in (1, 2)])
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(result, f, indent=1)
            f.write("\n")


if __name__ == "__main__":
    main()

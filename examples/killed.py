#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A worker is killed in the middle of its work; the others finish.

Workers take tasks from a shared list and put results into a shared dict.
One of them is killed at a moment that nobody chose.  What it was doing to
the shared objects is finished or undone, the monitor that it may have been
inside is taken over, and the task that it had is done by somebody else.
"""
import argparse
import os
import random
import signal
import time

import posh


@posh.shareable
class Work:
    def __init__(self, n):
        self.tasks = list(range(n))
        self.doing = {}
        self.results = {}

    def take(self, worker):
        """Return a task, or None at the end.

        A worker that dies in here takes nothing along: the task is noted
        before it leaves the list.
        """
        if not self.tasks:
            return None
        task = self.tasks[-1]
        self.doing[worker] = task
        self.tasks.pop()
        return task

    def finish(self, worker, task, result):
        self.results[task] = result
        del self.doing[worker]

    def give_back(self, worker):
        """Put back what a dead worker had not finished."""
        task = self.doing.pop(worker, None)
        if task is not None and task not in self.results:
            if task not in self.tasks:
                self.tasks.append(task)


def work(shared):
    me = posh.getpid()
    while (task := shared.take(me)) is not None:
        result = sum(i * i for i in range(task % 97 + 200))
        shared.finish(me, task, [task, result])


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--tasks", type=int, default=8000)
    parser.add_argument("-w", "--workers", type=int, default=3)
    options = parser.parse_args(argv)
    n = options.tasks
    heap = posh.default_heap()
    shared = posh.share(Work(n))
    pids = [posh.forkcall(work, shared) for _ in range(options.workers)]
    moment = random.uniform(0.3, 0.8) * n
    while len(shared.tasks) > moment:
        time.sleep(1e-4)
    os.kill(pids[0], signal.SIGKILL)
    left = len(shared.tasks)
    statuses = posh.waitall(pids)
    shared.give_back(pids[0])
    work(shared)
    right = sorted(shared.results) == list(range(n)) and not shared.doing
    wrong = heap.check()
    print(
        f"killed worker {pids[0]} with {left} of {n} tasks left;"
        f" statuses {list(statuses.values())}"
    )
    print(
        f"all results are there: {right};"
        f" the heap's check finds {wrong or 'nothing wrong'}"
    )
    expected = [signal.SIGKILL] + [0] * (len(pids) - 1)
    return not right or bool(wrong) or list(statuses.values()) != expected


if __name__ == "__main__":
    posh.exit(main())

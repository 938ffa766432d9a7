#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A policy of one's own, which logs every call of a class's methods."""
import posh


class Logging:
    """Writes a line for each call, and keeps calls apart as MONITOR does."""

    def __init__(self, log):
        self.log = log

    def enter(self, x, opname):
        posh.MONITOR.enter(x, opname)
        self.log.append((posh.getpid(), "enter", opname))
        return opname

    def leave(self, x, opname):
        self.log.append((posh.getpid(), "leave", opname))
        posh.MONITOR.leave(x, opname)


class Account:
    def __init__(self, balance):
        self.balance = balance

    def deposit(self, amount):
        self.balance += amount

    def transfer(self, amount, other):
        self.deposit(-amount)
        other.deposit(amount)


def main():
    log = posh.list()
    posh.allow_sharing(Account, synch=Logging(log))
    a, b = posh.share(Account(100)), posh.share(Account(0))
    pids = [posh.forkcall(a.transfer, 30, b), posh.forkcall(a.deposit, 1)]
    statuses = posh.waitall(pids)
    for pid in pids:
        print("process", pids.index(pid) + 1)
        depth = 0
        for _, what, opname in (line for line in log if line[0] == pid):
            depth -= what == "leave"
            print("   ", "  " * depth + what, opname)
            depth += what == "enter"
    print("balances:", a.balance, b.balance)
    calls = [line[1:] for line in log if line[0] == pids[0]]
    right = calls == [
        ("enter", "transfer"),
        ("enter", "deposit"),
        ("leave", "deposit"),
        ("enter", "deposit"),
        ("leave", "deposit"),
        ("leave", "transfer"),
    ]
    right = right and (a.balance, b.balance) == (71, 30)
    return any(statuses.values()) or not right


if __name__ == "__main__":
    posh.exit(main())

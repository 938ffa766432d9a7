# SPDX-License-Identifier: MIT
"""Tickets: how proxies are pickled.

A pickled proxy names its heap and the number of a ticket.  Tickets are in a
dict of the heap; each keeps its object alive until it expires: a while after
it was last claimed, longer while it was pickled more often than claimed.  So
an object stays alive on its way, also if its sender exits meanwhile; a pickle
that is read later is a StaleReferenceError.

There is one ticket for an object and pickling process.  What has expired is
taken away by whoever makes new ones, and by collect().
"""

from __future__ import annotations

import random
import time

from . import _posh
from ._heap import _find_heap

#: A ticket is a list: its object, when it expires (the system's time, which
#: all processes share), how often it was pickled and not claimed since.
_OBJECT, _EXPIRY, _OPEN = 0, 1, 2

#: How long a ticket lives: after the last claim, and unclaimed (in seconds).
CLAIMED, UNCLAIMED = 60.0, 3600.0

_random = random.SystemRandom()
#: (heap id, handle) -> number of this process's ticket
_numbers: dict[tuple[int, int], int] = {}
#: heap id -> how many tickets until the next sweep
_due: dict[int, int] = {}

_SWEEP = 64  # at least


def transit_timeout(seconds: float | None = None) -> float:
    """Return how long a pickled proxy keeps its object alive unclaimed.

    In seconds; at first an hour.  A pickle that was unpickled keeps it for
    another minute, or for that time if it is less.  With seconds, it is set
    for what this process pickles and unpickles from now on.
    """
    global UNCLAIMED
    before = UNCLAIMED
    if seconds is not None:
        if not seconds > 0:
            raise ValueError(
                f"the seconds of a transit must be more than 0: {seconds!r}"
            )
        UNCLAIMED = seconds
    return before


def _tickets(heap):
    return heap._place(2)


def sweep(heap: _posh.HeapBase) -> int:
    """Take away the tickets that have expired; return how many are left."""
    tickets = _tickets(heap)
    left, now = 0, time.time()
    for number, ticket in tickets.copy().items():
        _posh._lock(ticket)
        try:
            if ticket[_EXPIRY] < now:
                tickets.pop(number, None)
            else:
                left += 1
        finally:
            _posh._unlock(ticket)
    return left


def _renew(tickets, number, ticket, change):
    """Note that a ticket was pickled (1) or claimed (-1).

    Returns False if it was taken away meanwhile.
    """
    _posh._lock(ticket)
    try:
        still = max(0, ticket[_OPEN] + change)
        ticket[_OPEN] = still
        wait = UNCLAIMED if still else min(CLAIMED, UNCLAIMED)
        ticket[_EXPIRY] = time.time() + wait
        return number in tickets
    finally:
        _posh._unlock(ticket)


def _issue(heap, x, where):
    """Return the number of a ticket for x."""
    tickets = _tickets(heap)
    number = _numbers.get(where)
    if number is not None:
        ticket = tickets.get(number)
        if ticket is not None and ticket[_OBJECT] is x:
            if _renew(tickets, number, ticket, 1):
                return number
    due = _due.get(where[0], _SWEEP) - 1
    if due <= 0:  # sweeping costs as much as what was made since
        due = max(_SWEEP, sweep(heap))
        if len(_numbers) > 16 * due:
            _numbers.clear()
    _due[where[0]] = due
    number = _random.getrandbits(47)
    tickets[number] = [x, time.time() + UNCLAIMED, 1]
    _numbers[where] = number
    return number


def reduce_proxy(x):
    """Return what __reduce_ex__ of a proxy returns."""
    heap = _posh._heap_of(x)
    where = _posh._where(x)
    return _claim, (heap._id, heap._name, _issue(heap, x, where))


def _claim(heap_id, heap_name, number):
    """Return the object of a ticket."""
    tickets = _tickets(_find_heap(heap_id, heap_name))
    ticket = tickets.get(number)
    if ticket is None:
        raise _posh.StaleReferenceError(
            "the pickled reference to a shared object has expired: pickle"
            " posh.unshare(x) for what is to be kept, or raise"
            " posh.transit_timeout()"
        )
    x = ticket[_OBJECT]
    _renew(tickets, number, ticket, -1)
    return x


_posh._set_hooks(reduce=reduce_proxy)

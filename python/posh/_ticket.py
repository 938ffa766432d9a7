# SPDX-License-Identifier: MIT
"""Tickets: how proxies are pickled.

A pickled proxy names its heap and the number of a ticket.  Tickets are in a
dict of the heap; each keeps its object alive until it expires: a while after
it was last claimed, longer if it never was.  So an object stays alive on its
way, also if its sender exits meanwhile; a pickle that is read later is a
StaleReferenceError.
"""

import random
import time

from . import _posh
from ._heap import _find_heap

_OBJECT, _EXPIRY = 0, 1  # a ticket is a list

#: How long a ticket lives: after a claim, and unclaimed (in seconds).
CLAIMED, UNCLAIMED = 60.0, 3600.0

_random = random.SystemRandom()
_numbers = {}  # (heap id, handle) -> number of this process's ticket
_made = {}  # heap id -> how many tickets since the last sweep

_SWEEP = 64  # new tickets between two sweeps


def _tickets(heap):
    return heap._place(2)


def _sweep(tickets, now):
    """Take away the tickets that have expired."""
    for number, ticket in tickets.copy().items():
        if ticket[_EXPIRY] < now:
            tickets.pop(number, None)


def _issue(heap, x, where):
    """Return the number of a ticket for x."""
    tickets = _tickets(heap)
    now = time.time()
    number = _numbers.get(where)
    if number is not None:
        ticket = tickets.get(number)
        if ticket is not None and ticket[_OBJECT] is x:
            ticket[_EXPIRY] = now + UNCLAIMED
            if number in tickets:
                return number
    made = _made[where[0]] = _made.get(where[0], 0) + 1
    if made % _SWEEP == 0:
        _sweep(tickets, now)
        if len(_numbers) > 16 * _SWEEP:
            _numbers.clear()
    number = _random.getrandbits(47)
    tickets[number] = [x, now + UNCLAIMED]
    _numbers[where] = number
    return number


def reduce_proxy(x):
    """Return what __reduce_ex__ of a proxy returns."""
    heap = _posh._heap_of(x)
    where = _posh._where(x)
    return _claim, (heap._id, heap._name, _issue(heap, x, where))


def _claim(heap_id, heap_name, number):
    """Return the object of a ticket."""
    ticket = _tickets(_find_heap(heap_id, heap_name)).get(number)
    if ticket is None:
        raise _posh.StaleReferenceError(
            "the pickled reference to a shared object has expired; pickle"
            " posh.unshare(x) for what is to be kept"
        )
    x = ticket[_OBJECT]
    ticket[_EXPIRY] = time.time() + CLAIMED
    return x


_posh._set_hooks(reduce=reduce_proxy, unshare=_posh.unshare)

# SPDX-License-Identifier: MIT
"""Policies: what is put around the operations on a shared object.

A single operation on a list or dict, and a single attribute access, is
atomic under every policy.  The policy of a user class decides what happens
around a whole call of a method:

MONITOR     the call runs inside the object's monitor: one at a time
NOSYNCH     (None) nothing happens
an object   its enter(x, opname) is called before, and its leave(x, state)
            after, with what enter returned; leave is called in any case
"""

from __future__ import annotations

from typing import Any

from . import _posh

NOSYNCH = None


class _Monitor:
    """The policy that puts each method call inside the object's monitor.

    Its enter and leave may be called by other policies.
    """

    __slots__ = ()

    def enter(self, x: Any, opname: str) -> None:
        """Enter the monitor of x."""
        _posh._lock(x)

    def leave(self, x: Any, state: None) -> None:
        """Leave the monitor of x."""
        _posh._unlock(x)

    def __repr__(self) -> str:
        return "posh.MONITOR"

    def __reduce__(self) -> str:
        return "MONITOR"


_Monitor.__module__ = "posh"
MONITOR = _Monitor()


def check_policy(synch: Any) -> None:
    """Raise TypeError if synch is no policy."""
    if synch is None or synch is MONITOR:
        return
    if not callable(getattr(synch, "enter", None)) or not callable(
        getattr(synch, "leave", None)
    ):
        raise TypeError(
            "synch has to be posh.MONITOR, None, or an object with"
            f" enter(x, opname) and leave(x, state), not {synch!r}"
        )


class synchronized:
    """Make several operations on shared objects one.

    with posh.synchronized(x, y): enters the monitors of x and y, in the same
    order in all processes, whatever order they are given in.  Others that
    want to change the objects wait.  Monitors are recursive.

    With a timeout in seconds, posh.LockTimeoutError is raised if they could
    not be entered in time.
    """

    __slots__ = ("_objects", "_order", "_timeout")

    def __init__(self, *objects: Any, timeout: float | None = None) -> None:
        if not objects:
            raise TypeError("synchronized() needs at least one object")
        self._objects = objects
        self._order = sorted(objects, key=_posh._where)
        self._timeout = timeout

    def __enter__(self) -> Any:
        entered = 0
        try:
            for x in self._order:
                _posh._lock(x, self._timeout)
                entered += 1
        except BaseException:
            for x in reversed(self._order[:entered]):
                _posh._unlock(x)
            raise
        return self._objects[0] if len(self._objects) == 1 else self._objects

    def __exit__(self, *exc: object) -> None:
        for x in reversed(self._order):
            _posh._unlock(x)

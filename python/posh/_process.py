# SPDX-License-Identifier: MIT
"""Processes.

Plain os.fork and multiprocessing work as well; these are the short ways.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterable
from os import _exit, getpid, wait, waitpid
from sys import exit
from time import sleep
from typing import Any

from . import _heap

__all__ = [
    "_exit",
    "exit",
    "fork",
    "forkcall",
    "getpid",
    "sleep",
    "wait",
    "waitall",
    "waitpid",
]


def fork() -> int:
    """Fork the process: return 0 in the child, the child's pid in the parent.

    The same as os.fork().
    """
    return os.fork()


def _status(result):
    """Return the exit status for what sys.exit() would be given."""
    if result is None:
        return 0
    if isinstance(result, int):
        return result & 0xFF
    print(result, file=sys.stderr)
    return 1


def _run(function, args, kwargs):
    try:
        return _status(function(*args, **kwargs))
    except SystemExit as e:
        return _status(e.code)
    except BaseException:
        traceback.print_exc()
        return 1


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass


def forkcall(
    function: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> int:
    """Call function(*args) in a new process and return its pid.

    The child exits with what the function returns, as with sys.exit(): None
    is 0, an exception prints its traceback and is 1.  It ends at once, without
    the exit functions that it has from its parent.
    """
    _flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        status = _run(function, args, kwargs)
        _flush()
        _heap._leave()
    finally:
        os._exit(status)


def waitall(pids: Iterable[int] | None = None) -> dict[int, int]:
    """Wait for processes to end and return {pid: status}.

    The status is as os.wait() gives it: os.waitstatus_to_exitcode() makes a
    number of it.  Without pids, all children are waited for.  What a process
    that was killed left in shared memory is put in order.

    Don't wait inside the monitor of an object that a child has to enter.
    """
    statuses = {}
    if pids is None:
        while True:
            try:
                pid, status = os.wait()
            except ChildProcessError:
                break
            statuses[pid] = status
    else:
        for pid in pids:
            statuses[pid] = os.waitpid(pid, 0)[1]
    if any(os.WIFSIGNALED(s) for s in statuses.values()):
        _heap.reap()
    return statuses

# SPDX-License-Identifier: MIT
"""Ordinary Python objects in shared memory.

    >>> import posh
    >>> d = posh.share({'a': [1, 2]})
    >>> pid = posh.forkcall(d['a'].append, 3)
    >>> posh.waitall([pid]) == {pid: 0}
    True
    >>> d
    {'a': [1, 2, 3]}

share() copies an object into shared memory and returns a proxy, which is
used like the object.  All processes that have the heap see the same object.
"""

import os as _os

if _os.environ.get("POSH_EXT_DIR"):  # running from a build tree
    __path__.append(_os.environ["POSH_EXT_DIR"])

from ._posh import (
    ClassNotFoundError,
    ClosedError,
    CorruptHeapError,
    DeadlockError,
    Error,
    HeapExistsError,
    HeapFullError,
    HeapNotFoundError,
    LockTimeoutError,
    NotShareableError,
    OwnerDiedError,
    SharedDeque,
    SharedDict,
    SharedList,
    SharedSet,
    StaleReferenceError,
    WrongHeapError,
    is_shared,
    share,
    unshare,
)
from ._posh import version as __version__
from ._policy import MONITOR, NOSYNCH, synchronized
from ._heap import Heap, Stats, attach, collect, default_heap, reap
from ._class import allow_sharing, default_init, generic_init, shareable
from ._builtin import nslist
from ._bytes import SharedArray, SharedBytearray, ndarray, view
from ._atomic import compare_and_set, incr
from ._values import register_value
from ._process import (
    _exit,
    exit,
    fork,
    forkcall,
    getpid,
    sleep,
    wait,
    waitall,
    waitpid,
)
from ._ticket import transit_timeout
from . import _pprint

error = Error  # the name of old
array = SharedArray
bytearray = SharedBytearray
list = SharedList
dict = SharedDict
deque = SharedDeque
set = SharedSet

__all__ = [
    "ClassNotFoundError",
    "ClosedError",
    "CorruptHeapError",
    "DeadlockError",
    "Error",
    "Heap",
    "HeapExistsError",
    "HeapFullError",
    "HeapNotFoundError",
    "LockTimeoutError",
    "MONITOR",
    "NOSYNCH",
    "NotShareableError",
    "OwnerDiedError",
    "SharedArray",
    "SharedBytearray",
    "SharedDeque",
    "SharedDict",
    "SharedList",
    "SharedSet",
    "StaleReferenceError",
    "Stats",
    "WrongHeapError",
    "allow_sharing",
    "attach",
    "collect",
    "compare_and_set",
    "default_heap",
    "default_init",
    "error",
    "fork",
    "forkcall",
    "generic_init",
    "getpid",
    "incr",
    "is_shared",
    "ndarray",
    "nslist",
    "reap",
    "register_value",
    "share",
    "shareable",
    "sleep",
    "synchronized",
    "transit_timeout",
    "unshare",
    "view",
    "wait",
    "waitall",
    "waitpid",
]

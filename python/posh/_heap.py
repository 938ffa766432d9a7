# SPDX-License-Identifier: MIT
"""Heaps, and the default one.

The default heap is anonymous.  It is made at import, so that processes that
are forked at any time later have the same one.  Children that start anew
(spawn, forkserver) find it in the _config of multiprocessing's process
object, which travels to each of them ahead of the arguments: there lies an
object that reduces to one duplicated file descriptor for each anonymous heap
while a child is being started, and to nothing else at any other time.
"""

from __future__ import annotations

import atexit
import builtins
import os
import threading
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing import context, process, reduction, util
from typing import Any, TypeVar

from . import _posh

_T = TypeVar("_T")

_CREATE, _EXCLUSIVE = 1, 2

#: id -> Heap, all that are open
_heaps: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
_default: Any = None
_default_used = False
_lock = threading.RLock()


@dataclass(frozen=True)
class Stats:
    """Figures of a heap, in bytes where nothing else is said.

    Those of a heap in use are not of one moment.
    """

    live_bytes: int  #: in live objects; tables do not count
    live_blocks: int  #: how many blocks those are
    free_bytes: int  #: free for new objects without growth
    size: int  #: memory that the heap has taken
    max_size: int  #: memory that it may take
    members: int  #: processes attached
    dead: int  #: of these, dead and not yet recovered
    suspects: int  #: blocks whose count may be too high after a death


class Heap(_posh.HeapBase):
    """A region of shared memory with objects in it.

    Heap() makes an anonymous heap, for this process and its children; it
    leaves nothing behind.  Heap(name) opens the heap of that name or makes
    it: a file in /dev/shm, or anywhere if the name has a slash, which stays
    until unlink().  With create=False it has to be there, with create=True
    it must not.  Heap(fd=n) opens the heap behind a file descriptor.

    A heap grows by itself up to max_size bytes (by default half of what the
    machine or cgroup has).  Opening a heap that is open in this process gives
    the same object, and close() is due as often.
    """

    _name: str | None

    def __new__(
        cls,
        name: str | os.PathLike[str] | None = None,
        *,
        create: bool | None = None,
        max_size: int | None = None,
        mode: int = 0o600,
        fd: int | None = None,
    ) -> Heap:
        size = 0 if max_size is None else max_size
        if size < 0:
            raise ValueError("max_size must not be negative")
        if fd is not None:
            if name is not None or create or max_size is not None:
                raise TypeError("fd goes with no other argument")
            self = cls._open_fd(fd)
        elif name is None:
            if create is False:
                raise TypeError("an anonymous heap is always made")
            self = cls._create(max_size=size)
        else:
            flags = {None: _CREATE, False: 0}.get(
                create, _CREATE | _EXCLUSIVE
            )
            self = cls._open(name, flags=flags, max_size=size, mode=mode)
            self._name = os.fspath(name)
        return _known(self)

    @property
    def name(self) -> str | None:
        """The heap's name, or None if it is anonymous."""
        return self._name

    @property
    def root(self) -> _posh.SharedDict[Any, Any]:
        """The shared dict for the users of the heap: always there."""
        return self._place(0)

    def share(self, x: _T) -> _T:
        """Copy x into this heap and return a proxy: see posh.share()."""
        return _posh.share(x, heap=self)

    def list(self, iterable: Iterable[_T] = ()) -> _posh.SharedList[_T]:
        """Make a shared list in this heap."""
        return _posh.SharedList(iterable, heap=self)

    def dict(self, *args: Any, **kwargs: Any) -> _posh.SharedDict[Any, Any]:
        """Make a shared dict in this heap."""
        return _posh.share(builtins.dict(*args, **kwargs), heap=self)

    def collect(self) -> int:
        """Free shared objects that only refer to each other.

        Returns how many there were.  Happens by itself as the heap grows.
        Writers in all processes wait meanwhile, readers do not.  What was
        kept for pickles that have expired is given up as well.
        """
        from . import _ticket

        _ticket.sweep(self)
        return super().collect()

    def stats(self) -> Stats:
        """Return a posh.Stats."""
        figures = self._stats()
        figures["size"] = figures.pop("bytes")
        return Stats(**figures)

    def unlink(self) -> None:
        """Take away the heap's name; who has the heap keeps it."""
        if self._name is None:
            raise ValueError("the heap has no name")
        self._unlink(self._name)

    def __enter__(self) -> Heap:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.closed:
            return "<posh.Heap, closed>"
        if self._name is None:
            return f"<posh.Heap, anonymous, {self._id:#018x}>"
        return f"<posh.Heap {self._name!r}>"

    def __reduce__(self):
        return _find_heap, (self._id, self._name)


Heap.__module__ = Stats.__module__ = "posh"


def _known(heap):
    """Note a heap that was opened."""
    if not hasattr(heap, "_name"):
        heap._name = None
    _heaps[heap._id] = heap
    _announce()
    return heap


def _find_heap(number, name):
    """Return the heap of that id, for what another process pickled."""
    heap = _heaps.get(number)
    if heap is None and name is not None:
        heap = Heap(name, create=False)
        if heap._id != number:
            heap.close()
            heap = None
    if heap is None or heap.closed:
        raise _posh.StaleReferenceError(
            "this process does not have the heap that the object lives in;"
            " send posh.unshare(x), or use a named heap"
        )
    return heap


def attach(name: str | os.PathLike[str]) -> Heap:
    """Open the heap of that name, which has to be there."""
    return Heap(name, create=False)


def default_heap() -> Heap:
    """Return the heap that is used where none is named."""
    global _default, _default_used
    _default_used = True
    if _default is None:
        with _lock:
            if _default is None:
                _default = Heap()
    return _default


def collect() -> int:
    """Free shared objects that only refer to each other, in all open heaps.

    Returns how many there were.  This happens by itself as a heap grows.
    """
    return sum(h.collect() for h in _opened())


def reap() -> int:
    """Recover what dead processes left, in all heaps that are open.

    Returns how many dead processes there were.  This happens by itself
    where it is needed.
    """
    return sum(h.reap() for h in _opened())


def _opened():
    return [h for h in list(_heaps.values()) if not h.closed]


#
# The way of an anonymous heap to children that start anew.
#


class _Inheritance:
    """What Process._config has under 'posh'."""

    def __reduce__(self):
        popen = context.get_spawning_popen()
        if popen is None:
            return _Inheritance, ()
        parts = getattr(popen, "_posh_heaps", None)
        if parts is None:  # once for each child
            parts = popen._posh_heaps = [
                (h is _default, reduction.DupFd(h.fileno()))
                for h in _opened()
                if h._name is None
            ]
        return _inherit, (parts,)


_inherited = []  # heaps that the parent sent stay open


def _inherit(parts):
    global _default, _default_used
    for is_default, dup in parts:
        fd = dup.detach()
        try:
            heap = Heap(fd=fd)
        finally:
            os.close(fd)
        _inherited.append(heap)
        if is_default and not _default_used:
            old, _default = _default, heap
            if old is not None and old is not heap:
                old.close()
    return _Inheritance()


def _announce():
    """Have the children of this process get its heaps."""
    process.current_process()._config["posh"] = _Inheritance()


#
# Leaving.
#


def _leave():
    """Give up all heaps; proxies that are freed later do nothing.

    Not while other threads may be inside: what does not leave is recovered
    like the dead.
    """
    if threading.active_count() > 1:
        return
    for heap in _opened():
        try:
            while not heap.closed:
                heap.close()
        except (RuntimeError, OSError):
            pass


def _leave_at_end(_=None):
    """Children of multiprocessing run no atexit functions."""
    util.Finalize(None, _leave, exitpriority=-100)


_posh._set_hooks(default_heap=default_heap)
if not getattr(process.current_process(), "_inheriting", False):
    try:
        _default = Heap()
    except (OSError, MemoryError):  # the first use will say why
        pass
_announce()
atexit.register(_leave)
_leave_at_end()
util.register_after_fork(_Inheritance, _leave_at_end)
os.register_at_fork(
    before=_posh._fork_arm,
    after_in_parent=_posh._fork_disarm,
    after_in_child=_posh._fork_disarm,
)

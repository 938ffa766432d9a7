# SPDX-License-Identifier: MIT
"""bytearray and array.array in shared memory, and views of bytes.

What reads works on a snapshot, as of one moment, and lets the builtin do it.
What changes more than one item does it to a private copy, inside the monitor,
and then puts the bytes in place at once.  Arguments are made into bytes
before the monitor is entered.
"""

from __future__ import annotations

import array as _array
import builtins
import collections.abc
import operator
import sys
import types

from . import _posh

_EXPORTED = {
    builtins.bytearray: "Existing exports of data: object cannot be re-sized",
    _array.array: "cannot resize an array that is exporting buffers",
}


class _Bytes(_posh.Buffer):
    """What bytearrays and arrays do alike."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def _plain(self, data=None):
        raise NotImplementedError

    def _store(self, old, new):
        """Have new in place of all bytes; inside the monitor."""
        if len(new) != len(old):
            self._resizable()
        if new != old:
            self._splice(0, len(old), new)

    def _resizable(self):
        if self._exports:
            raise BufferError(_EXPORTED[self._builtin])

    def _change(self, change):
        """Return change(a private copy), and keep what it did."""
        self._enter()
        try:
            old = self._read()
            plain = self._plain(old)
            result = change(plain)
            self._store(old, plain.tobytes() if self._array else plain)
            return result
        finally:
            self._leave()

    def _put(self, key, data):
        """Replace the items of a slice of step 1 by bytes."""
        self._enter()
        try:
            start, stop, _ = key.indices(len(self))
            stop = max(start, stop)
            size = self.itemsize if self._array else 1
            if len(data) != (stop - start) * size:
                self._resizable()
            self._splice(start * size, (stop - start) * size, data)
        finally:
            self._leave()

    def _add(self, data):
        """Append bytes."""
        if data:
            self._put(slice(sys.maxsize, None), data)

    # The C part calls these for what it does not do itself.

    def _get(self, key):
        if isinstance(key, slice):
            step = 1 if key.step is None else key.step
            if step == 1 and not self._array:
                return self._slice(key)
        return self._plain()[key]

    def _slice(self, key):
        """Return the bytes of a slice, reading nothing else."""
        while True:
            n = len(self)
            start, stop, _ = key.indices(n)
            data = self._read(start, max(stop - start, 0))
            if len(self) == n:
                return self._plain(data)

    def _set(self, key, value):
        if isinstance(key, slice):
            value = self._operand(value)
            if key.step is None or key.step == 1:
                probe = self._plain(b"")
                probe[0:0] = value
                return self._put(
                    key, probe.tobytes() if self._array else probe
                )
        else:
            key, value = self._item(key, value)
        self._change(lambda plain: plain.__setitem__(key, value))

    def _item(self, key, value):
        """Return index and item, having run what there is to run of it."""
        key = operator.index(key) if hasattr(key, "__index__") else key
        probe = self._plain(builtins.bytes(self.itemsize if self._array else 1))
        try:
            probe[0] = value
        except Exception:
            # Whether the index or the item is wrong first, it knows.
            self._plain()[key] = value
        return key, probe[0]

    def _del(self, key):
        if isinstance(key, slice) and (key.step is None or key.step == 1):
            return self._put(key, b"")
        self._change(lambda plain: plain.__delitem__(key))

    def _operand(self, value):
        """Return what the builtin takes in place of a proxy."""
        return value._plain() if isinstance_(value, _Bytes) else value

    def __contains__(self, x):
        return x in self._plain()

    def __repr__(self):
        return repr(self._plain())

    def __eq__(self, other):
        return self._plain().__eq__(self._operand(other))

    def __ne__(self, other):
        return self._plain().__ne__(self._operand(other))

    def __lt__(self, other):
        return self._plain().__lt__(self._operand(other))

    def __le__(self, other):
        return self._plain().__le__(self._operand(other))

    def __gt__(self, other):
        return self._plain().__gt__(self._operand(other))

    def __ge__(self, other):
        return self._plain().__ge__(self._operand(other))

    def __add__(self, other):
        return self._plain() + self._operand(other)

    def __mul__(self, n):
        return self._plain() * n

    __rmul__ = __mul__

    def __iadd__(self, other):
        # Not +=, which would ask the other one's __radd__ first.
        probe = self._plain(b"").__iadd__(self._operand(other))
        self._add(probe.tobytes() if self._array else probe)
        return self

    def __imul__(self, n):
        n = n.__index__() if hasattr(n, "__index__") else n
        self._change(lambda plain: plain.__imul__(n) and None)
        return self

    def __copy__(self):
        """Return a private copy."""
        return self._plain()

    def __sizeof__(self):
        return self._plain().__sizeof__()

    def append(self, item):
        """Append an item."""
        probe = self._plain(b"")
        probe.append(item)
        self._add(probe.tobytes() if self._array else probe)

    def extend(self, items):
        """Append all items of an iterable, or none."""
        probe = self._plain(b"")
        probe.extend(self._operand(items))
        self._add(probe.tobytes() if self._array else probe)

    def pop(self, index=-1):
        """Remove the item at an index and return it."""
        return self._change(lambda plain: plain.pop(index))


#: For isinstance() by what a proxy is, not what it says it is.
def isinstance_(x, tp):
    return issubclass(type(x), tp)


def _reader(name, method):
    def read(self, *args, **kwargs):
        args = map(_unproxied, args)
        return method(self._plain(), *args, **kwargs)

    return _dressed(read, name, method)


def _writer(name, method):
    def write(self, *args, **kwargs):
        args = builtins.list(map(_unproxied, args))
        return self._change(lambda plain: method(plain, *args, **kwargs))

    return _dressed(write, name, method)


def _dressed(function, name, method):
    function.__name__ = name
    function.__doc__ = method.__doc__
    if getattr(method, "__text_signature__", None):
        function.__text_signature__ = method.__text_signature__
    return function


def _methods(tp, changing, static=()):
    """Give a type the methods of its builtin that it has not itself."""
    for name in dir(tp._builtin):
        if name in vars(tp) or name in vars(_Bytes) or name.startswith("_"):
            continue
        method = getattr(tp._builtin, name)
        if name in static:
            setattr(tp, name, staticmethod(method))
        elif callable(method):
            make = _writer if name in changing else _reader
            setattr(tp, name, make(name, method))


class SharedBytearray(_Bytes):
    """bytearray(source=b'', /, encoding='utf-8', errors='strict', *,
    heap=None)

    A bytearray in shared memory.  Each single operation is atomic.  It has a
    buffer: memoryview(p), struct, re, sockets and files read and write the
    shared memory itself, and what they do is not atomic.
    """

    __slots__ = ()
    _builtin = builtins.bytearray
    _array = False

    def __new__(cls, *args, heap=None, **kwargs):
        """Return an empty one."""
        return _posh._new_buffer(heap, None, 0)

    def __init__(self, *args, heap=None, **kwargs):
        data = builtins.bytearray(*args, **kwargs)
        self._put(slice(None), data)

    @property  # type: ignore[misc]
    def __class__(self):
        return builtins.bytearray

    def _plain(self, data=None):
        return builtins.bytearray(self._read() if data is None else data)

    def _operand(self, value):
        return value

    def __str__(self):
        return str(self._plain())

    def __mod__(self, args):
        return self._plain() % args

    def __rmod__(self, other):
        return NotImplemented

    def __getstate__(self):
        return None

    def startswith(self, prefix, *where):
        """Return whether the bytes begin with a prefix, or one of several."""
        if not where and isinstance(prefix, (bytes, builtins.bytearray)):
            return self._read(0, len(prefix)) == prefix
        return self._plain().startswith(prefix, *where)

    def hex(self, *args, **kwargs):
        """Return the bytes in hexadecimal digits."""
        return self._plain().hex(*args, **kwargs)


class SharedArray(_Bytes):
    """array(typecode, initializer=(), /, *, heap=None)

    An array.array in shared memory.  Each single operation is atomic.  It has
    a buffer, as a bytearray has.
    """

    __slots__ = ()
    _builtin = _array.array
    _array = True

    def __new__(cls, typecode, *args, heap=None):
        """Return a new one."""
        plain = _array.array(typecode, *map(_unproxied, args))
        return _posh._new_buffer(heap, typecode, plain)

    @property  # type: ignore[misc]
    def __class__(self):
        return _array.array

    @property
    def typecode(self):
        """The character that says what the items are."""
        return self._meta

    @property
    def itemsize(self):
        """The size of an item in bytes."""
        return _array.array(self._meta).itemsize

    def _plain(self, data=None):
        plain = _array.array(self._meta)
        plain.frombytes(self._read() if data is None else data)
        return plain

    def __radd__(self, other):
        if not isinstance(other, _array.array):
            return NotImplemented
        if _posh._is_in_place(sys._getframe(1)):
            other += self._plain()
            return other
        return other + self._plain()

    def __getstate__(self):
        return None

    __class_getitem__ = classmethod(types.GenericAlias)

    def buffer_info(self):
        """Return the address of the bytes in this process, and how many items
        there are."""
        import ctypes

        view = memoryview(self)
        if not view.nbytes:
            return 0, 0
        raw = view.cast("B")
        return ctypes.addressof(ctypes.c_char.from_buffer(raw)), len(view)

    def _take(self, name, *args):
        probe = self._plain(b"")
        try:
            getattr(probe, name)(*args)
        except EOFError:  # what there was is taken
            self._add(probe.tobytes())
            raise
        self._add(probe.tobytes())

    def fromfile(self, f, n):
        """Append n items that are read from a file object."""
        self._take("fromfile", f, n)

    def frombytes(self, data):
        """Append items whose memory these bytes are."""
        self._take("frombytes", data)

    def fromlist(self, items):
        """Append the items of a list."""
        self._take("fromlist", _unproxied(items))

    def fromunicode(self, text):
        """Append the characters of a str."""
        self._take("fromunicode", text)


def _unproxied(x):
    if isinstance_(x, _Bytes):
        return x._plain()
    if isinstance_(x, _posh.SharedList):
        return x.copy()
    return x


_methods(
    SharedBytearray,
    {"insert", "remove", "reverse", "clear", "resize"},
    {"fromhex", "maketrans"},
)
_methods(SharedArray, {"insert", "remove", "reverse", "clear", "byteswap"})

SharedBytearray.__name__ = SharedBytearray.__qualname__ = "bytearray"
SharedArray.__name__ = SharedArray.__qualname__ = "array"
SharedBytearray.__module__ = SharedArray.__module__ = "posh"
collections.abc.MutableSequence.register(SharedArray)


class _Memory(_posh.Buffer):
    """The memory of an ndarray."""

    __slots__ = ()


#
# Sharing.
#


def _describe(heap, x):
    """Return (meta, bytes) of what is to be shared, or why it can't be."""
    if type(x) is _array.array:
        return x.typecode, x
    from . import _numpy

    return _numpy.describe(heap, x)


def _private(meta, data):
    """Return a private copy of a buffer."""
    if meta is None:
        return builtins.bytearray(data)
    if isinstance(meta, str):
        plain = _array.array(meta)
        plain.frombytes(data)
        return plain
    from . import _numpy

    return _numpy.private(meta, data)


def _present(memory):
    """Return the ndarray that shows this memory."""
    view = memory._view
    x = view() if view is not None else None
    if x is not None:
        return x
    from . import _numpy

    return _numpy.present(memory)


_posh._set_buffer_types(
    (SharedBytearray, SharedArray, _Memory), _describe, _private, _present
)


def view(x):
    """Return a read-only memoryview of the bytes of x, without a copy.

    x is a shared bytearray, array or ndarray, or anything else that has a
    buffer.  The memory stays as long as the view; if x changes its length,
    the view may go on showing what was there before.
    """
    return memoryview(x).toreadonly()


def ndarray(shape, dtype=float, *, order="C", heap=None):
    """Return a numpy.ndarray of zeros in shared memory, made in place.

    Memory that is not used takes no page.  order is 'C' or 'F'.
    HeapFullError: the heap has no room for it.
    """
    from . import _numpy

    return _numpy.create(shape, dtype, order, heap)

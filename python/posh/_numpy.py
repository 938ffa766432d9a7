# SPDX-License-Identifier: MIT
"""numpy.ndarray in shared memory; imported only where there is one.

What stands for a shared array is an ndarray, of a subclass, whose memory is
the heap's: everything that numpy does works on it, without a copy.  An array
that is a view of such memory is shared as another view of it.
"""

from __future__ import annotations

import weakref

import numpy as np

from . import _posh
from ._ticket import reduce_proxy

_TAG = "ndarray"  # of the meta: (tag, dtype, shape, strides, offset, writeable)


def _written(dtype):
    """Return a dtype as a value, or None if it is none of those that have
    just bytes."""
    if dtype.hasobject or dtype.kind == "T":
        return None
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        base = _written(base)
        return base and ("sub", base, shape)
    if dtype.names is None:
        return dtype.str if np.dtype(dtype.str) == dtype else None
    fields = []
    for name in dtype.names:
        kind, offset, *title = dtype.fields[name]
        kind = _written(kind)
        if kind is None or not all(type(t) is str for t in title):
            return None
        fields.append((name, kind, offset, title[0] if title else None))
    return "record", dtype.itemsize, dtype.isalignedstruct, tuple(fields)


def _dtype(written):
    """Return the dtype of such a value."""
    if isinstance(written, str):
        dtype = np.dtype(written)
        if dtype.hasobject:
            raise _posh.CorruptHeapError("an array of objects in the heap")
        return dtype
    if written[0] == "sub":
        return np.dtype((_dtype(written[1]), written[2]))
    _, size, aligned, fields = written
    spec = {
        "names": [f[0] for f in fields],
        "formats": [_dtype(f[1]) for f in fields],
        "offsets": [f[2] for f in fields],
        "itemsize": size,
    }
    if any(f[3] is not None for f in fields):
        spec["titles"] = [f[3] for f in fields]
    return np.dtype(spec, align=aligned)


def _memory_of(x):
    """Return what has the shared memory that x is a view of, or None."""
    while isinstance(x, np.ndarray):
        memory = getattr(x, "_posh_memory", None)
        if memory is not None:
            return memory
        x = x.base
    if isinstance(x, memoryview):
        x = x.obj
    return x if issubclass(type(x), _posh.Buffer) else None


class SharedNdarray(np.ndarray):
    """A numpy.ndarray whose memory is shared.

    Pickling one, or a view of one, moves a ticket and not the data; copies
    are private arrays.
    """

    __slots__ = ("_posh_memory",)

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        memory = getattr(self, "_posh_memory", None)
        if memory is not None and name in ("shape", "dtype", "strides"):
            # Another array than the one that is in the heap.
            memory._view = None
            del self._posh_memory

    def __array_wrap__(self, array, *args):
        array = super().__array_wrap__(array, *args)
        if not isinstance(array, SharedNdarray) or self is array:
            return array
        if array.shape == ():
            return array[()]
        return array if _memory_of(array) else array.view(np.ndarray)

    def __repr__(self):
        return repr(self.view(np.ndarray))

    def __reduce_ex__(self, protocol):
        memory = _memory_of(self)
        if memory is None:
            return self.view(np.ndarray).__reduce_ex__(protocol)
        if hasattr(self, "_posh_memory"):
            return reduce_proxy(self)
        return reduce_proxy(_posh.share(self, _posh._heap_of(memory)))

    def __copy__(self):
        return self.view(np.ndarray).copy(order="K")

    def __deepcopy__(self, memo):
        if hasattr(self, "_posh_memory"):
            return _posh._deepcopy(self, memo)
        return self.view(np.ndarray).copy(order="K")

    def copy(self, order="C"):
        """Return a private copy."""
        return self.view(np.ndarray).copy(order)


SharedNdarray.__name__ = SharedNdarray.__qualname__ = "ndarray"
SharedNdarray.__module__ = "posh"


def describe(heap, x):
    """Return (meta, bytes or blob), or why x can't be shared."""
    dtype = _written(x.dtype)
    if dtype is None:
        return "dtype"
    start = x.__array_interface__["data"][0]
    low = start + sum(min((n - 1) * s, 0) for n, s in zip(x.shape, x.strides))
    found = _posh._blob_at(heap, low) if x.nbytes else None
    if found is not None:
        blob, at = found
        where = x.strides, start - low + at, x.flags.writeable
        return (_TAG, dtype, x.shape, *where), (blob,)
    plain = x.view(np.ndarray)
    turned = plain.flags.f_contiguous and not plain.flags.c_contiguous
    packed = np.asarray(plain.T if turned else plain, order="C")
    strides = packed.strides[::-1] if turned else packed.strides
    data = packed.reshape(-1).view(np.uint8) if x.nbytes else b""
    return (_TAG, dtype, x.shape, strides, 0, x.flags.writeable), data


def _array_of(tp, meta, buffer):
    """Return the array of a meta over a buffer; damage is an error."""
    try:
        tag, dtype, shape, strides, offset, writeable = meta
        if tag != _TAG:
            raise ValueError(tag)
        x = np.ndarray.__new__(
            tp, shape, _dtype(dtype), buffer, offset, strides
        )
    except (TypeError, ValueError, LookupError) as e:
        raise _posh.CorruptHeapError(f"no array: {e}") from None
    if not writeable:
        x.flags.writeable = False
    return x


def present(memory):
    """Return the array that shows this memory."""
    x = _array_of(SharedNdarray, memory._meta, memory)
    x._posh_memory = memory
    memory._view = weakref.ref(x)
    return x


def private(meta, data):
    """Return a private array of a copy of the bytes."""
    x = _array_of(np.ndarray, meta, bytearray(data))
    if not x.itemsize:
        return x  # numpy gives copies of these another dtype
    copy = x.copy(order="K")
    copy.flags.writeable = x.flags.writeable
    return copy


def create(shape, dtype, order, heap):
    """Return a new array of zeros."""
    dtype = np.dtype(dtype)
    written = _written(dtype)
    if written is None:
        raise _posh.NotShareableError(
            f"arrays of dtype {dtype} can't be shared: they have Python"
            " objects in them"
        )
    if order not in ("C", "F"):
        raise ValueError(f"order must be 'C' or 'F', not {order!r}")
    shape = shape if isinstance(shape, (tuple, list)) else (shape,)
    shape = tuple(n.__index__() for n in shape)
    if dtype.subdtype is not None:
        dtype, more = dtype.subdtype
        written, shape = _written(dtype), shape + more
    if any(n < 0 for n in shape):
        raise ValueError("negative dimensions are not allowed")
    strides, size = [], dtype.itemsize
    for n in shape if order == "F" else shape[::-1]:
        strides.append(size)
        size *= n
    if order == "C":
        strides.reverse()
    meta = _TAG, written, shape, tuple(strides), 0, True
    return _posh._new_buffer(heap, meta, size)


_posh._set_ndarray_type(SharedNdarray)

# SPDX-License-Identifier: MIT
"""The builtin types: nslist, policies for list, dict and deque, abcs."""

from __future__ import annotations

import collections
import collections.abc
import functools
from typing import Any, TypeVar

from . import _posh
from ._policy import MONITOR, check_policy

collections.abc.MutableSequence.register(_posh.SharedList)
collections.abc.MutableMapping.register(_posh.SharedDict)
collections.abc.MutableSet.register(_posh.SharedSet)
collections.abc.MutableSequence.register(_posh.SharedDeque)

_T = TypeVar("_T")

_shared: Any
for _shared in (
    _posh.SharedList,
    _posh.SharedDict,
    _posh.SharedSet,
    _posh.SharedDeque,
):
    _shared.__synch__ = MONITOR

#: What policies are not called for: making, finding out about the type, and
#: copies, which consist of other operations.
_BARE = {
    "__class__",
    "__class_getitem__",
    "__copy__",
    "__deepcopy__",
    "__doc__",
    "__getattribute__",
    "__hash__",
    "__init__",
    "__init_subclass__",
    "__module__",
    "__new__",
    "__reduce__",
    "__reduce_ex__",
    "__sizeof__",
    "fromkeys",
}


class nslist(_posh.SharedList[_T]):
    """A shared list without a policy: nslist(iterable=(), *, heap=None).

    Each single operation is atomic all the same.
    """

    __slots__ = ()
    __synch__ = None


nslist.__module__ = "posh"


def _called(policy, opname, method):
    @functools.wraps(method)
    def wrapper(self, *args, **kwargs):
        state = policy.enter(self, opname)
        try:
            return method(self, *args, **kwargs)
        finally:
            policy.leave(self, state)

    return wrapper


def _with_policy(base, policy):
    """Return a subtype of base whose operations the policy is called for."""
    namespace = {"__slots__": (), "__synch__": policy}
    for name, method in vars(base).items():
        if name not in _BARE and callable(method):
            namespace[name] = _called(policy, name, method)
    return type(base.__name__, (base,), namespace)


_SHARED: dict[type, type] = {
    list: _posh.SharedList,
    dict: _posh.SharedDict,
    set: _posh.SharedSet,
    collections.deque: _posh.SharedDeque,
}
_policies: dict[type, Any] = {}


def set_builtin_policy(tp: type, synch: Any) -> None:
    """Have the proxies of a builtin made from now on use a policy."""
    check_policy(synch)
    base = shared = _SHARED[tp]
    if _policies.get(tp, MONITOR) is synch:
        return
    _policies[tp] = synch
    if synch is not None and synch is not MONITOR:
        shared = _with_policy(base, synch)
    _posh._set_proxy_type(base, shared)


#: Types that need no declaration, of which only the mutable ones have a
#: policy.
IMMUTABLE = frozenset(
    (type(None), bool, int, float, complex, str, bytes, tuple, type(...))
)
SHAREABLE = IMMUTABLE | frozenset(_SHARED)

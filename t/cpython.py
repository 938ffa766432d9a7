# SPDX-License-Identifier: MIT
"""Load CPython's own tests, with shared objects in the place of plain ones.

The source of a module of the package test is read, rewritten and run; its
text is nowhere in our tree.  What is rewritten depends on its plan:

types     calls of these builtins make shared objects, also in class bodies
          and through self.type2test
literals  [...], {...} and comprehensions of these make shared ones, too

classes   of these classes, too, each instance is shared

values    True: each member of an enumeration that an expression finds is stored
          in the heap and read again

Classes that the module defines are made shareable, and each instance of them
that a call makes is shared.

What can't be shared, such as a list of generators, stays as it is.
"""
import ast
import builtins
import collections
import contextlib
import enum
import importlib
import importlib.util
import sys
import types
import unittest

import posh

#: How many objects were shared, and how many could not be.
made = refused = 0


def share(x):
    """Return x shared, or x itself if it is not shareable."""
    global made, refused
    try:
        shared = posh.share(x)
    except posh.NotShareableError:
        refused += 1
        return x
    made += posh.is_shared(shared)
    return shared


#: While it is True, instances of the tests' classes are not shared.
_leave = False


@contextlib.contextmanager
def leave_instances():
    """Have instances counted as refused, and not shared."""
    global _leave
    _leave = True
    try:
        yield
    finally:
        _leave = False


#: The names of the modules that were rewritten.
_loaded = set()

#: The classes of the tests that were to be made shareable, and that were.
_asked = set()
declared = set()

#: Exceptions are no objects of theirs, enumerations make none when called.
_NEVER = (unittest.TestCase, BaseException, enum.Enum)


def read(x):
    """Return a member of an enumeration as it is read from the heap."""
    global made, refused
    if not isinstance(x, enum.Enum):
        return x
    tp = type(x)
    try:
        if x._name_ not in tp._member_map_ and not issubclass(tp, enum.Flag):
            return x
    except AttributeError:
        return x  # its class is being made
    if tp not in _asked:
        back = _learn(tp, x)
    else:
        back = posh.share([x])[0]
    made += 1
    return back


def _learn(tp, x):
    """Have POSH know a local class by a name under which it is found."""
    _asked.add(tp)
    names = tp.__module__, tp.__qualname__
    type.__setattr__(tp, "__module__", __name__)
    type.__setattr__(tp, "__qualname__", f"_Enum{len(_asked)}")
    globals()[tp.__qualname__] = tp
    try:
        return posh.share([x])[0]
    finally:
        type.__setattr__(tp, "__module__", names[0])
        type.__setattr__(tp, "__qualname__", names[1])


class Thing:
    """What object() makes has no attributes: these have none, too."""


posh.allow_sharing(Thing)


class Maker:
    """In the place of a builtin: what it makes is shared."""

    def __init__(self, plain, shared):
        object.__setattr__(self, "types", (plain, shared))

    def __call__(self, *args, **kwargs):
        return share(plain_of(self)(*args, **kwargs))

    def __getattribute__(self, name):
        if name == "__mro_entries__":
            return object.__getattribute__(self, name)
        plain, shared = object.__getattribute__(self, "types")
        mine = getattr(plain, name)
        if name == "__new__" or not callable(mine):
            return mine
        if not hasattr(type(mine), "__objclass__"):
            return getattr(shared, name)  # a class or static method

        def method(x, *args, **kwargs):
            # The builtin's own for the builtin, also to one that is on its
            # way to be shared; ours for a proxy.
            tp = shared if posh.is_shared(x) else plain
            return getattr(tp, name)(x, *args, **kwargs)

        return method

    def __getitem__(self, key):
        return plain_of(self)[key]

    def __instancecheck__(self, x):
        return isinstance(x, plain_of(self))

    def __subclasscheck__(self, cls):
        return issubclass(cls, plain_of(self))

    def __mro_entries__(self, bases):
        return (plain_of(self),)

    def __eq__(self, other):
        return other is self or other is plain_of(self)

    def __hash__(self):
        return hash(plain_of(self))


def plain_of(maker):
    """Return the builtin that a Maker stands for."""
    return object.__getattribute__(maker, "types")[0]


#: builtin -> the type of its shared objects
SHARED = {
    list: posh.SharedList,
    dict: posh.SharedDict,
    collections.deque: posh.SharedDeque,
    bytearray: posh.SharedBytearray,
    set: posh.SharedSet,
}
MAKERS = {tp: Maker(tp, shared) for tp, shared in SHARED.items()}

_DISPLAYS = {
    list: (ast.List, ast.ListComp),
    dict: (ast.Dict, ast.DictComp),
    set: (ast.Set, ast.SetComp),
}


class _Rewriter(ast.NodeTransformer):
    """Put _posh_share() round displays, and _posh_callee() round what is
    called."""

    def __init__(self, plan):
        self._values = plan.values
        self._displays = tuple(
            node for tp in plan.literals for node in _DISPLAYS[tp]
        )

    def generic_visit(self, node):
        super().generic_visit(node)
        if not isinstance(node, self._displays):
            return node
        if not isinstance(getattr(node, "ctx", None), (ast.Load, type(None))):
            return node
        return self._call("_posh_share", node)

    def visit_Call(self, node):
        super().generic_visit(node)
        node.func = self._call("_posh_callee", node.func)
        return self._found(node)

    def visit_Attribute(self, node):
        super().generic_visit(node)
        return self._found(node)

    visit_Subscript = visit_Attribute

    def visit_MatchValue(self, node):
        return node  # a pattern has no calls

    def _found(self, node):
        loads = isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
        if self._values and loads:
            return self._call("_posh_read", node)
        return node

    def visit_Assign(self, node):
        # __slots__, __all__ and the like are read by CPython itself.
        names = [t.id for t in node.targets if isinstance(t, ast.Name)]
        if any(n.startswith("__") for n in names):
            return node
        return self.generic_visit(node)

    def _call(self, name, node):
        load = ast.Load()
        call = ast.Call(ast.Name(name, load), [node], [])
        return ast.fix_missing_locations(ast.copy_location(call, node))


class Plan:
    """How to rewrite one module, and which of its classes to run."""

    def __init__(self, module, types=(), *, literals=(), classes=(),
                 values=False, only=None):
        self.module = module
        self.types = types
        self.literals = literals
        self.classes = classes
        self.values = values
        self.only = only


class _Namespace:
    """What a rewritten module calls."""

    def __init__(self, plan):
        self._makers = {tp: MAKERS[tp] for tp in plan.types}
        self.builtins = dict(vars(builtins))
        for tp in plan.types:
            if tp.__module__ == "builtins":
                self.builtins[tp.__name__] = self._makers[tp]
        for cls in plan.classes:
            self.declare(cls)
        self.builtins["_posh_share"] = share
        self.builtins["_posh_read"] = read
        self.builtins["_posh_callee"] = self._callee

    def declare(self, cls):
        """Make a class shareable if it can be."""
        _asked.add(cls)
        if issubclass(cls, _NEVER):
            return
        try:
            posh.allow_sharing(cls, name=f"{id(cls)}:{cls.__qualname__}")
            declared.add(cls)
        except (TypeError, ValueError):
            pass

    def _callee(self, f):
        """Return what is called in the place of f."""
        if f is object:
            return lambda: share(Thing())
        if isinstance(f, type):
            if f in self._makers:
                return self._makers[f]
            if f not in _asked and f.__module__ in _loaded:
                self.declare(f)
            if f in declared:
                return lambda *a, **k: self._instance(f(*a, **k))
        return f

    @staticmethod
    def _instance(x):
        global refused
        if not _leave:
            return share(x)
        refused += 1
        return x


def available():
    """Is there a package test of the CPython that runs?"""
    return importlib.util.find_spec("test.list_tests") is not None


def load(plan):
    """Return the module of a plan, rewritten and run."""
    name = "test." + plan.module
    spec = importlib.util.find_spec(name)
    with open(spec.origin, encoding="utf-8") as f:
        tree = ast.parse(f.read(), spec.origin)
    tree = _Rewriter(plan).visit(tree)
    names = _Namespace(plan)
    module = types.ModuleType(name)
    module.__file__ = spec.origin
    module.__package__ = "test"
    if spec.submodule_search_locations:
        module.__package__ = name
        module.__path__ = list(spec.submodule_search_locations)
    module.__dict__["__builtins__"] = names.builtins
    _loaded.add(name)
    # Where pickle and other tests look for it.
    sys.modules[name] = module
    setattr(importlib.import_module("test"), plan.module, module)
    exec(compile(tree, spec.origin, "exec"), module.__dict__)
    for key, value in list(vars(module).items()):
        if isinstance(value, type) and value in names._makers:
            module.__dict__[key] = names._makers[value]
        elif key in ("ALWAYS_EQ", "NEVER_EQ"):
            names.declare(type(value))
            module.__dict__[key] = share(value)
    return module

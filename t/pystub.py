# SPDX-License-Identifier: MIT
"""The declared types are those that are there, and all that is public has a
docstring."""
import array
import ast
import collections
import inspect
import os
import typing
import unittest

import posh
from posh import _posh

PACKAGE = os.path.dirname(posh.__file__)

#: What every class has.
COMMON = {"__doc__", "__module__", "__hash__", "__class__", "__class_getitem__"}


def declared(body):
    """Return {name: node} of what a body declares."""
    names = {}
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names[node.name] = node
        elif isinstance(node, ast.AnnAssign):
            names[node.target.id] = node
    return names


class StubTest(unittest.TestCase):
    def setUp(self):
        with open(os.path.join(PACKAGE, "_posh.pyi")) as f:
            self.names = declared(ast.parse(f.read()).body)

    def test_names(self):
        """the stub declares what the module has, and nothing else"""
        there = {n for n in dir(_posh) if not n.startswith("__")}
        self.assertEqual(set(self.names) ^ there, set())

    def test_bases(self):
        """exceptions derive from what the stub says"""
        for name, node in self.names.items():
            thing = getattr(_posh, name)
            if isinstance(thing, type) and issubclass(thing, BaseException):
                bases = tuple(b.id for b in node.bases)
                self.assertEqual(
                    tuple(b.__name__ for b in thing.__bases__), bases
                )

    def test_methods(self):
        """methods of the heap and of the proxies are there"""
        for name, node in self.names.items():
            if not isinstance(node, ast.ClassDef):
                continue
            thing = getattr(_posh, name)
            for member in declared(node.body):
                self.assertTrue(hasattr(thing, member), f"{name}.{member}")
        heap = declared(self.names["HeapBase"].body)
        there = {n for n in vars(_posh.HeapBase)} - COMMON - {"__new__"}
        self.assertEqual(set(heap), there)

    def test_as_builtin(self):
        """proxies have every method of their builtin"""
        for shared, builtin in (
            (posh.list, list),
            (posh.dict, dict),
            (posh.set, set),
            (posh.deque, collections.deque),
            (posh.bytearray, bytearray),
            (posh.array, array.array),
        ):
            self.assertEqual(shared.__name__, builtin.__name__)
            for name in vars(builtin).keys() - {"__alloc__"}:
                self.assertTrue(hasattr(shared, name), name)

    def test_generics(self):
        """they are generic where their builtin is, and can be called then"""
        for shared, args in (
            (posh.list, [1]),
            (posh.nslist, [1]),
            (posh.dict, {"a": 1}),
            (posh.set, {1}),
            (posh.deque, [1]),
        ):
            alias = shared[int]
            self.assertIs(typing.get_origin(alias), shared)
            self.assertEqual(typing.get_args(alias), (int,))
            self.assertIs(type(alias(args)), shared)
            self.assertEqual(shared[int, ...].__args__, (int, ...))
        self.assertIs(typing.get_origin(posh.array[int]), posh.array)
        with self.assertRaises(TypeError):
            posh.bytearray[int]

    def test_signatures(self):
        """functions take what the stub says"""
        for name, node in self.names.items():
            if not isinstance(node, ast.FunctionDef):
                continue
            try:
                signature = inspect.signature(getattr(_posh, name))
            except ValueError:
                continue
            there = [p.lstrip("*") for p in signature.parameters]
            args = node.args.posonlyargs + node.args.args
            says = [a.arg for a in args]
            if node.args.kwarg:
                says.append(node.args.kwarg.arg)
            self.assertEqual(there, says, name)


class PublicTest(unittest.TestCase):
    def test_all(self):
        """__all__ is there, and hides no builtin"""
        import builtins

        for name in posh.__all__:
            self.assertTrue(hasattr(posh, name), name)
            self.assertFalse(hasattr(builtins, name), name)
        self.assertEqual(sorted(set(posh.__all__)), sorted(posh.__all__))
        self.assertIs(posh.list, posh.SharedList)
        self.assertIs(posh.dict, posh.SharedDict)
        self.assertIs(posh.error, posh.Error)

    def test_names_of_old(self):
        """the public names of the original are there"""
        for name in (
            "share allow_sharing default_init generic_init nslist MONITOR"
            " fork forkcall waitall wait waitpid getpid sleep exit _exit error"
        ).split():
            self.assertTrue(hasattr(posh, name), name)

    def test_docstrings(self):
        """everything public has a docstring"""
        for name in posh.__all__:
            thing = getattr(posh, name)
            if not callable(thing):
                continue
            self.assertTrue(inspect.getdoc(thing), name)
            if not isinstance(thing, type):
                continue
            if issubclass(thing, BaseException):
                continue
            for method, f in vars(thing).items():
                if not method.startswith("_") and callable(f):
                    self.assertTrue(inspect.getdoc(f), f"{name}.{method}")

    def test_typed(self):
        self.assertTrue(os.path.exists(os.path.join(PACKAGE, "py.typed")))


if __name__ == "__main__":
    import tap

    tap.main()

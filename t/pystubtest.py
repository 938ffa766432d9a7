# SPDX-License-Identifier: MIT
"""mypy's stubtest finds no difference between what is declared and what is
there, and type checkers infer what generics promise."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import posh

try:
    import mypy
except ImportError:
    mypy = None

#: What stubtest says and is no fault of the stubs.
ALLOWED = r"""
# typeshed's own declaration of dict.get(), which the stub inherits
posh\._posh\.SharedDict\.get
# a name of collections.abc, imported for annotations
posh\..*\.(Iterable|Iterator|Callable)\.__class_getitem__
posh\._[a-z]+\.(Callable|Iterable|Iterator)
# C types that are not generic to mypy 1.0; a property called __class__
posh\._class\._WRAPPERS
posh\._class\.Attributes\.__class__
posh\._rebase\._Replacement\.__class_getitem__
# they have the builtin's methods, which are made at import
posh(\._[a-z]+)?\.(Shared)?(Array|Bytearray|array|bytearray)\..*
posh\._rebase\.RebasedBytearray\.maketrans
posh\.[A-Z].*\.get
posh\.dict\.get
"""

#: A program, and what mypy infers for its expressions.
PROGRAM = """
import posh
numbers: posh.list[int] = posh.list([1])
reveal_type(numbers[0])
table = posh.share({"a": 1.5})
reveal_type(table["a"])
reveal_type(posh.unshare(numbers))
class Dog: ...
reveal_type(posh.share(Dog()))
reveal_type(posh.Heap("x").root)
"""
INFERRED = [
    "builtins.int",
    "builtins.float",
    "builtins.list[builtins.int]",
    "program.Dog",
    "posh._posh.SharedDict[Any, Any]",
]


@unittest.skipUnless(mypy, "no mypy")
class StubTest(unittest.TestCase):
    def setUp(self):
        """Put the package and the extension into one folder."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        package = os.path.join(self.directory, "posh")
        shutil.copytree(os.path.dirname(posh.__file__), package)
        built = os.path.dirname(posh._posh.__file__)
        for file in glob.glob(os.path.join(built, "_posh*.so")):
            shutil.copy(file, package)

    def run_in(self, *words):
        env = {**os.environ, "MYPYPATH": self.directory}
        env["PYTHONPATH"] = self.directory
        env.pop("POSH_EXT_DIR", None)
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self.directory,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=200,
        )
        return done.returncode, done.stdout

    def test_stubtest(self):
        """stubtest is clean"""
        allowed = os.path.join(self.directory, "allowed")
        with open(allowed, "w") as f:
            f.write(ALLOWED)
        status, out = self.run_in(
            "mypy.stubtest",
            "posh",
            "--concise",
            "--ignore-unused-allowlist",
            "--allowlist",
            allowed,
        )
        self.assertEqual(status, 0, out)

    def test_inferred(self):
        """generics mean what they say"""
        with open(os.path.join(self.directory, "program.py"), "w") as f:
            f.write(PROGRAM)
        out = self.run_in("mypy", "program.py")[1]
        found = [
            line.split('"')[1] for line in out.splitlines() if "Revealed" in line
        ]
        self.assertEqual(found, INFERRED, out)


if __name__ == "__main__":
    import tap

    tap.main()

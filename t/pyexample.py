# SPDX-License-Identifier: MIT
"""Every example checks itself; its exit status says whether it is right."""
import os
import re
import subprocess
import sys
import unittest

EXAMPLES = os.path.join(
    os.environ.get("srcdir", os.path.join(os.path.dirname(__file__), "..")),
    "examples",
)


def run(name, *words):
    """Run an example and return what it prints."""
    return subprocess.run(
        [sys.executable, "-B", os.path.join(EXAMPLES, name), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


class ExampleTest(unittest.TestCase):
    def right(self, name, *words):
        done = run(name, *words)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_list(self):
        self.assertIn("elements: 2000", self.right("list.py"))

    def test_dog(self):
        self.assertIn("who can fetch, roll, sit\n", self.right("dog.py"))

    def test_prodcons(self):
        out = self.right("prodcons.py", "-n", "500", "-p", "3")
        self.assertIn("1500 items", out)

    def test_matrix(self):
        out = self.right("matrix.py", "--size", "40", "--workers", "3")
        self.assertEqual(len(re.findall(r"^ +[123] ", out, re.M)), 3)
        self.assertEqual(self.right("matrix.py", "-n", "9", "--silent"), "")
        self.assertNotEqual(run("matrix.py", "-n", "0").returncode, 0)

    def test_policy(self):
        self.assertIn("balances: 71 30", self.right("policy.py"))

    def test_killed(self):
        for _ in range(5):
            self.assertIn("statuses [9, 0, 0]", self.right("killed.py"))

    def test_demo(self):
        out = self.right("demo.py", "--size", "40", "-r", "1")
        self.assertIn("Producers and consumers", out)
        self.assertTrue(out.endswith("all right\n"))

    def test_all(self):
        """no example is forgotten"""
        here = {f"test_{f[:-3]}" for f in os.listdir(EXAMPLES) if f[-3:] == ".py"}
        self.assertEqual(here - set(dir(self)), {"test_interop"})


if __name__ == "__main__":
    import tap

    tap.main()

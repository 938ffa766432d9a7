# SPDX-License-Identifier: MIT
"""The benchmark runs, and writes what it measured; what comes out is not
tested."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

BENCH = os.path.join(
    os.environ.get("srcdir", os.path.join(os.path.dirname(__file__), "..")),
    "bench", "bench.py")


class BenchTest(unittest.TestCase):
    def test_all_rows(self):
        with tempfile.TemporaryDirectory() as here:
            out = os.path.join(here, "bench.json")
            done = subprocess.run(
                [sys.executable, "-B", BENCH, "--rounds", "1",
                 "--seconds", "0.0001", "--size", "10", "--json", out],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                timeout=120, check=False)
            self.assertEqual(done.returncode, 0, done.stdout)
            with open(out, encoding="utf-8") as f:
                result = json.load(f)
        self.assertEqual(
            set(result), {"machine", "operations", "two readers", "matrix"})
        for row, ns in result["operations"].items():
            self.assertIn(row, done.stdout)
            self.assertGreater(ns["native"], 0)
            self.assertGreater(ns["posh"], 0)
        self.assertEqual(len(result["matrix"]), 6)
        self.assertIn("posh", result["two readers"])


if __name__ == "__main__":
    import tap

    tap.main()

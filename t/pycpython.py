# SPDX-License-Identifier: MIT
"""CPython's own tests, with shared objects in the place of plain ones.

    t/pycpython.py                  all modules
    t/pycpython.py test_list pop    those of a module whose name has "pop"

One line of TAP for each test that shared something; cpython_exclude.py says
which can't pass, and why: if one of these passes, that is a failure.  In the
totals, "objects" were shared, and "refused" were not, since something in them
is not shareable; "unshared" tests shared nothing.
"""
import collections
import contextlib
import faulthandler
import io
import os
import sys
import unittest
import warnings

import cpython
import posh
from cpython import Plan
from cpython_exclude import EXCLUDED, UNSHAREABLE, Why

#: What the modules derive their tests from: of no type yet.
BASES = [
    Plan("seq_tests"),
    Plan("list_tests", literals=[list]),
    Plan("mapping_tests", literals=[list]),
    Plan("string_tests"),
]

PLANS = [
    Plan("test_list", [list], literals=[list]),
    Plan("test_dict", [dict], literals=[dict]),
    Plan("test_userdict", classes=[collections.UserDict]),
    Plan("test_deque", [collections.deque, list], literals=[list]),
    Plan("test_bytes", [bytearray], only=[
        "ByteArrayTest", "AssortedBytesTest", "BytearrayPEP3137Test",
        "ByteArrayAsStringTest", "ByteArraySubclassTest",
        "ByteArraySubclassWithSlotsTest"]),
    Plan("test_set", [set], literals=[set]),
]
#: Nothing to substitute here: each instance that a test makes is shared.
INSTANCES = [
    Plan("test_copy", [list, dict], literals=[list, dict]),
    Plan("test_dataclasses", [list], literals=[list]),
    Plan("test_enum", values=True),
]

_INSTANCES = {plan.module for plan in INSTANCES}


class Outcome(unittest.TestResult):
    """What came of one test."""

    def __init__(self):
        super().__init__()
        self.subtests = []
        self.refused = False

    def addError(self, test, err):
        super().addError(test, err)
        self.refused |= issubclass(err[0], posh.NotShareableError)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.subtests.append(str(subtest))

    @property
    def problem(self):
        """The first traceback, or None."""
        for _, text in self.errors + self.failures:
            return text
        return None


class Report:
    """Print TAP, and count."""

    COLUMNS = ("run", "passed", "excluded", "failed", "unshared", "skipped",
               "objects", "refused")

    def __init__(self, stream):
        self._out = stream
        self._lines = 0
        self.failed = 0
        self.counts = collections.defaultdict(collections.Counter)
        self.reasons = collections.Counter()

    def say(self, text):
        print(text, file=self._out, flush=True)

    def line(self, good, text, note=""):
        self._lines += 1
        self.failed += not good
        self.say(f"{'ok' if good else 'not ok'} {self._lines} - {text}{note}")

    def comment(self, text):
        for line in text.rstrip().splitlines():
            self.say("# " + line)

    def add(self, name, origin, outcome, shared, refused):
        excluded = exclusion(name)
        count = self.counts[origin]
        count["objects"] += shared
        count["refused"] += refused
        if outcome.skipped:
            count["skipped"] += 1
            return
        if not shared and not outcome.problem and not excluded:
            count["unshared"] += 1
            self.comment(f"{name} shares nothing")
            return
        count["run"] += 1
        if excluded and outcome.problem:
            count["excluded"] += 1
            self.reasons[excluded[0]] += 1
            return
        good = not outcome.problem and not excluded
        count["passed" if good else "failed"] += 1
        self.line(good, name)
        if excluded and not outcome.problem:
            self.comment("It passes: take it out of cpython_exclude.py")
        elif not good:
            self.comment(outcome.problem)

    def totals(self):
        self.say(f"# {'':16}" + "".join(f"{c:>10}" for c in self.COLUMNS))
        for title, modules in (
            ("types", self.counts.keys() - _INSTANCES),
            ("instances", self.counts.keys() & _INSTANCES),
        ):
            sums = collections.Counter()
            for module in self.counts:
                if module in modules:
                    sums.update(self.counts[module])
                    self._row(module, self.counts[module])
            self._row(f"all {title}", sums)
        for why in Why:
            self.say(f"# excluded: {self.reasons[why]:4} {why.value}")
        self.say(f"1..{self._lines}")

    def _row(self, name, count):
        self.say(f"# {name:16}"
                 + "".join(f"{count[c]:10}" for c in self.COLUMNS))


def exclusion(name):
    found = EXCLUDED.get(name)
    if found and len(found) > 2 and sys.version_info[1] not in found[2]:
        return None
    return found


def tests(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests(test)
        else:
            yield test


def cases(plan, module):
    """Yield the tests of the classes that a module defines."""
    loader = unittest.TestLoader()
    for cls in list(vars(module).values()):
        if (isinstance(cls, type) and issubclass(cls, unittest.TestCase)
                and cls.__module__ == module.__name__
                and (plan.only is None or cls.__name__ in plan.only)):
            yield from tests(loader.loadTestsFromTestCase(cls))


def run(plan, report, word):
    module = cpython.load(plan)
    for test in cases(plan, module):
        if word not in test._testMethodName:
            continue
        name = f"{plan.module}.{type(test).__name__}.{test._testMethodName}"
        method = getattr(test, test._testMethodName)
        origin = method.__module__.replace("test.", "")
        if name in UNSHAREABLE:
            outcome = Outcome()
            test.run(outcome)
            report.line(outcome.refused, f"{name}: {UNSHAREABLE[name]} can't"
                        " be shared")
        outcome = Outcome()
        made, refused = cpython.made, cpython.refused
        with (cpython.leave_instances() if name in UNSHAREABLE
              else contextlib.nullcontext()):
            test.run(outcome)
        report.add(name, origin, outcome, cpython.made - made,
                   cpython.refused - refused)


def main(only="", word=""):
    # What the tests print goes beside the protocol, not into it.
    stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    faulthandler.enable()
    warnings.simplefilter("ignore")
    # A plain object is gone as soon as it is shared, and its __del__ finds
    # variables unbound.
    sys.unraisablehook = lambda unraisable: None
    if not cpython.available():
        print("1..0 # SKIP no package test: Debian has it in "
              "libpython3-testsuite", file=stream, flush=True)
        return 0
    report = Report(stream)
    for plan in BASES:
        cpython.load(plan)
    for plan in PLANS + INSTANCES:
        if not only or only == plan.module:
            run(plan, report, word)
    report.totals()
    return report.failed > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

# SPDX-License-Identifier: MIT
"""Report the unittests of a program in the Test Anything Protocol.

A test file ends with::

    if __name__ == "__main__":
        import tap
        tap.main()

Its words choose tests as unittest's do: ``t/pylist.py ListTest.test_pop``.
"""
import faulthandler
import os
import sys
import unittest

#: For how many seconds what has no end of its own shall go on; what has bounds
#: takes the larger ones then.  0: in all, quickly.
SOAK = int(os.environ.get("POSH_SOAK") or 0)


class TapResult(unittest.TestResult):
    """Print one line for each test, and what went wrong below it."""

    def __init__(self, stream):
        super().__init__()
        self._out = stream
        self._count = 0
        self._ended = set()

    def _line(self, good, test, note=""):
        self._count += 1
        text = test.shortDescription() or test.id().replace("__main__.", "")
        text = text.replace("#", "\\#")
        print("ok" if good else "not ok", self._count, "-", text + note,
              file=self._out, flush=True)

    def _bad(self, test, text):
        self._ended.add(id(test))
        self._line(False, test)
        for line in text.splitlines():
            print("#", line, file=self._out, flush=True)

    def addSuccess(self, test):
        if id(test) not in self._ended:       # a subtest of it failed
            self._line(True, test)

    def addError(self, test, err):
        super().addError(test, err)
        self._bad(test, self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._bad(test, self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._ended.add(id(test))
            self._line(False, subtest)
            for line in self._exc_info_to_string(err, test).splitlines():
                print("#", line, file=self._out, flush=True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._line(True, test, f" # SKIP {reason}")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self._line(False, test, " # TODO expected")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._line(False, test)

    def plan(self):
        print(f"1..{self._count}", file=self._out, flush=True)


class _Runner:
    def __init__(self, stream):
        self._stream = stream

    def run(self, suite):
        result = TapResult(self._stream)
        suite.run(result)
        result.plan()
        return result


def main(module="__main__"):
    """Run the unittests of a module, the main one or another, and exit."""
    # What the tests print goes beside the protocol, not into it.
    stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    faulthandler.enable()
    program = unittest.main(module, testRunner=_Runner(stream), exit=False)
    stream.flush()
    sys.exit(not program.result.wasSuccessful())

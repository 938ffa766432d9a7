# SPDX-License-Identifier: MIT
"""Damaged heaps: whatever is in them, Python gets exceptions at most.

A heap of all kinds of objects is left by a process, in order or killed in the
middle; words of its file are changed, by a fixed sequence of random numbers.
A child opens such files and does with each what one can do with a heap.  It
has to end by itself, in bounded time.

    t/pyfuzz.py 17              do number 17 alone, in this process
"""
import array
import collections
import copy
import faulthandler
import gc
import mmap
import os
import pickle
import random
import resource
import signal
import struct
import sys
import time
import unittest

import posh
from tap import SOAK

BATCH = 10  # heaps for a child
LIMIT = 120  # seconds for them, on a busy machine
QUICK = 12  # seconds for all of them
MEMORY = 1 << 30  # bytes that one may take beyond what it begins with
PAGE = 4096

QUIET, BROKEN = 0, 10  # how a child ends by itself


@posh.shareable
class Part:
    __slots__ = ("left", "right", "__dict__")

    def __init__(self, left, right):
        self.left, self.right = left, right
        self.extra = [left]

    def change(self, x):
        self.left, self.right, self.extra = self.right, x, x
        return self.left


#
# Images
#


def fill(heap):
    root, inner = heap.root, heap.share(["inner", 1])
    root["list"] = [
        None, True, -3, 2.5, 1 << 90, 1j, "tiny", "é" * 9, "€" * 9, "😀" * 9,
        "a text that is too long for a word", b"\0\1\2\3\4\5\6\7\10",
        (7, "a tuple", (b"in a tuple of one type",)), (1, inner), [], inner,
    ]
    root["dict"] = {"a": 1, "a longer key": inner, 5: "five", (1, 2): [3]}
    root["dict"]["itself"] = root["dict"]
    root["part"] = Part("the left side of it", inner)
    root["set"] = {1, "a text in a set", (1, 2)}
    root["deque"] = collections.deque(["left", inner, 2.5], maxlen=6)
    root["deque"].appendleft("a text on the left")
    root["bytes"] = bytearray(b"bytes that may be changed")
    root["array"] = array.array("d", range(20))
    root["numbers"] = list(range(100))
    root["big"] = bytes(100000)
    root["gone"] = ["something " * 9]
    del root["gone"]


def leaves(how):
    """Have a process make a heap and leave it, in this way; the file."""
    with posh.Heap(max_size=4 << 20) as heap:
        fd = os.dup(heap.fileno())
    pid = os.fork()
    if pid == 0:
        heap = posh.Heap(fd=fd)
        fill(heap)
        if how == "killed":
            with posh.synchronized(heap.root["list"]):
                x = [heap.root["dict"], heap.share([1, Part(2, [3])])]
                heap.root["list"].append(x)
                pickle.dumps(x[0])
                os.kill(os.getpid(), signal.SIGKILL)
        heap.close()
        os._exit(0)
    os.waitpid(pid, 0)
    data = os.pread(fd, os.fstat(fd).st_size, 0)
    os.close(fd)
    return data


class Image:
    """The file of a heap, and where something is in it."""

    def __init__(self, how):
        self.data = leaves(how)
        self.pages = [
            at
            for at in range(0, len(self.data), PAGE)
            if any(self.data[at:at + PAGE])
        ]
        self.words = [
            at
            for page in self.pages
            for at in range(page, page + PAGE, 8)
            if self.word(at)
        ]

    def word(self, at):
        return struct.unpack_from("<Q", self.data, at)[0]

    def changed(self, rng, old):
        """What is there in place of a word."""
        kind = rng.randrange(8)
        if kind == 0:
            return rng.getrandbits(64)
        if kind == 1:
            return old ^ 1 << rng.randrange(64)
        if kind == 2:
            return rng.randrange(256)
        if kind == 3:
            return (old + rng.choice((-16, -1, 1, 16, 4096))) % (1 << 64)
        if kind == 4:
            return old >> 32 << 32 | rng.getrandbits(32)
        if kind == 5:
            return old & 0xFFFFFFFF | rng.getrandbits(6) << 32
        return self.word(rng.choice(self.words))  # one from elsewhere

    def damaged(self, rng):
        """A file with one to four words changed."""
        fd = os.memfd_create("damaged")
        os.truncate(fd, len(self.data))
        for at in self.pages:
            os.pwrite(fd, self.data[at:at + PAGE], at)
        for _ in range(rng.randrange(1, 5)):
            at = rng.choice(self.words)
            if rng.random() < 0.1:
                at = min(at + 8, len(self.data) - 8)
            new = self.changed(rng, self.word(at))
            os.pwrite(fd, struct.pack("<Q", new), at)
        return fd


#
# What one can do with a heap
#

def read_list(x, rng):
    yield lambda: repr(x)
    yield lambda: list(x)
    yield lambda: [*reversed(x)]
    yield lambda: [x[0], x[-1], *x[1:9:2]] if x else x[:]
    yield lambda: "tiny" in x
    yield lambda: x == list(x)
    yield lambda: x.count(5)
    yield lambda: x + [1]


def read_dict(x, rng):
    yield lambda: repr(x)
    yield lambda: [x[k] for k in x]
    yield lambda: [*reversed(x.items())]
    yield lambda: [x.get("a"), x.get((1, 2)), x.get("no such key")]
    yield lambda: "a longer key" in x
    yield lambda: x.copy() == x
    yield lambda: x.keys() & {"a", 5}
    yield lambda: [*x.values()]


def read_part(x, rng):
    yield lambda: [getattr(x, n) for n in ("left", "right", "extra", "__dict__")]
    yield lambda: vars(x).copy()
    yield lambda: [hasattr(x, n) for n in ("left", "none")]
    yield lambda: [type(x), x.__class__, isinstance(x, Part)]


def read_set(x, rng):
    yield lambda: repr(x)
    yield lambda: list(x)
    yield lambda: ["a text in a set" in x, (1, 2) in x, 7 in x]
    yield lambda: x == set(x)
    yield lambda: [x | {1}, x & {1}, {1} - x]


def read_deque(x, rng):
    yield lambda: repr(x)
    yield lambda: list(x)
    yield lambda: [*reversed(x)]
    yield lambda: [x[0], x[-1], x.maxlen] if x else None
    yield lambda: x.count("left")
    yield lambda: x == collections.deque(x)


def read_buffer(x, rng):
    yield lambda: repr(x)
    yield lambda: list(x)
    yield lambda: bytes(posh.view(x))
    yield lambda: [x[0], x[-1], x[1:9:2]] if x else x[:]
    yield lambda: x.count(98)
    yield lambda: x == x[:]


def write_list(x, rng):
    yield lambda: x.append(["in a list", x])
    yield lambda: x.insert(1, "a text to be inserted")
    yield lambda: x.extend([1, (2, "two"), x, {"k": 3}])
    yield lambda: [x.append(1), x.__setitem__(0, "a text in place of one")]
    yield lambda: x.__setitem__(slice(1, 3), [{}, 2.5, b"x" * 5000])
    yield lambda: [x.append([1]), x.pop(0), x.append(2), x.pop()]
    yield lambda: x.__delitem__(slice(1, 3))
    yield lambda: x.sort(key=lambda v: len(str(type(v))))
    yield lambda: x.reverse()
    yield lambda: x.__iadd__([1, 2])
    yield lambda: x.__imul__(2)


def write_dict(x, rng):
    yield lambda: x.__setitem__("a new key", [x])
    yield lambda: x.__setitem__("a", "a text in place of one")
    yield lambda: x.update({n: n for n in range(20)}, a=x)
    yield lambda: x.setdefault("another new key", {"k": x})
    yield lambda: x.pop("a", None)
    yield lambda: [x.__setitem__("last", 1), x.popitem()]
    yield lambda: x.__ior__({"b": 1})


def write_set(x, rng):
    yield lambda: x.add("a text that comes to a set")
    yield lambda: x.update(range(20))
    yield lambda: x.discard(1)
    yield lambda: [x.add(7), x.pop()]
    yield lambda: x.__isub__({(1, 2)})
    yield lambda: x.__ixor__({1, 2, 3})


def write_deque(x, rng):
    yield lambda: x.append(["in a deque", x])
    yield lambda: x.extendleft([1, (2, "two"), {"k": 3}])
    yield lambda: x.rotate(2)
    yield lambda: x.reverse()
    yield lambda: [x.append(1), x.insert(1, "text") if len(x) < 6 else None]
    yield lambda: [x.append(1), x.__delitem__(0)]
    yield lambda: [x.append(1), x.pop(), x.append(2), x.popleft()]


def write_buffer(x, rng):
    yield lambda: x.append(7)
    yield lambda: x.insert(1, 8)
    yield lambda: [x.append(9), x.__setitem__(0, 65), x.pop()]
    yield lambda: x.extend(x[:4])
    yield lambda: [x.append(1), x.__delitem__(slice(0, 2))]
    yield lambda: x.reverse()


def write_part(x, rng):
    yield lambda: setattr(x, "left", ["new", x])
    yield lambda: setattr(x, "more", "a text for an attribute")
    yield lambda: [setattr(x, "right", 1), x.change({"k": x})]
    yield lambda: [setattr(x, "more", 1), delattr(x, "more")]


def whatever(x, rng):
    yield lambda: posh.unshare(x)
    yield lambda: copy.copy(x)
    yield lambda: copy.deepcopy(x)
    yield lambda: pickle.loads(pickle.dumps(x))
    yield lambda: x == x
    yield lambda: bool(x)
    yield lambda: dir(x)


def inside(x, rng):
    with posh.synchronized(x):
        return [f() for f in whatever(x, rng)]


KINDS = (
    (posh.SharedList, read_list, write_list),
    (posh.SharedDict, read_dict, write_dict),
    (posh.SharedSet, read_set, write_set),
    (posh.SharedDeque, read_deque, write_deque),
    ((posh.SharedBytearray, posh.SharedArray), read_buffer, write_buffer),
    (object, read_part, write_part),
)


def survey(heap):
    yield heap.check
    yield heap.stats
    yield heap.reap
    yield heap.collect
    yield lambda: repr(heap)
    yield gc.collect


class Visit:
    """A heap, and all that is done with it."""

    def __init__(self, heap, rng):
        self.heap, self.rng = heap, rng
        self.errors = []
        self.found = []

    def do(self, functions):
        """Call all of them; what they raise is noted."""
        out = []
        for f in functions:
            try:
                out.append(f())
            except SystemError:  # the extension is wrong, not the heap
                raise
            except Exception as e:
                self.errors.append(e)
        return out

    def shuffled(self, functions):
        functions = list(functions)
        self.rng.shuffle(functions)
        return functions

    def note(self, x):
        """Find the proxies in what was read."""
        if posh.is_shared(x):
            if len(self.found) < 30 and not any(x is y for y in self.found):
                self.found.append(x)
        elif type(x) in (list, tuple):
            for y in x:
                self.note(y)

    def see(self, x):
        read, write = next(k[1:] for k in KINDS if isinstance(x, k[0]))
        if isinstance(x, (posh.SharedList, posh.SharedSet, posh.SharedDeque)):
            self.do([lambda: self.note(list(x))])
        elif isinstance(x, posh.SharedDict):
            self.do([lambda: self.note(list(x.items()))])
        elif isinstance(x, Part):
            self.do([lambda: self.note([x.left, x.right, x.extra])])
        self.do(self.shuffled([*read(x, self.rng), *whatever(x, self.rng)]))
        self.do(self.shuffled(write(x, self.rng)))
        self.do([lambda: inside(x, self.rng)])

    def all(self):
        if self.rng.random() < 0.5:
            self.do(survey(self.heap))
        self.do([lambda: self.note(self.heap.root)])
        self.do([lambda: self.note(self.heap.share([1, {"k": Part(1, 2)}]))])
        for x in self.found:  # which grows meanwhile
            self.see(x)
        x = None
        self.found.clear()
        reports = self.do(survey(self.heap))
        self.do([self.heap.close])
        return self.errors or any(r for r in reports if isinstance(r, list))


def visit(fd, rng):
    """Return whether the heap in this file was seen to be damaged."""
    try:
        heap = posh.Heap(fd=fd)
    except (posh.Error, OSError, MemoryError):
        return True
    return Visit(heap, rng).all()


#
# Children
#


def limit_memory():
    with open("/proc/self/statm") as f:
        now = int(f.read().split()[0]) * PAGE
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, hard))


def child_of(f, limit):
    """Have a child call f; how it ended, or the signal's name."""
    pid = os.fork()
    if pid == 0:
        status = BROKEN
        try:
            # Say where it is stuck, and be stopped.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            faulthandler.register(signal.SIGALRM, chain=True)
            signal.alarm(limit)
            limit_memory()
            f()
            gc.collect()
            status = QUIET
        except BaseException as e:
            sys.excepthook(type(e), e, e.__traceback__)
        finally:
            os._exit(status)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return os.WEXITSTATUS(status)


IMAGES = "closed", "killed"


class FuzzTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.images = [Image(how) for how in IMAGES]
        gc.freeze()  # children collect what is theirs
        cls.addClassCleanup(gc.unfreeze)

    @classmethod
    def try_one(cls, number):
        """Damage and visit a heap; whether one sees that it is."""
        rng = random.Random(number)
        fd = cls.images[number % len(cls.images)].damaged(rng)
        try:
            return visit(fd, rng)
        finally:
            os.close(fd)

    def test_judge(self):
        """a child that crashes, hangs or breaks the rules is noticed"""

        def hang():
            while True:
                pass

        def break_rules():
            raise SystemError("planted")

        def crash():
            os.kill(os.getpid(), signal.SIGSEGV)

        def outcome(f, limit=LIMIT):
            return child_of(lambda: [os.dup2(null.fileno(), 2), f()], limit)

        with open(os.devnull, "w") as null:  # no trace of what is on purpose
            self.assertEqual(outcome(lambda: None), QUIET)
            self.assertEqual(outcome(crash), "SIGSEGV")
            self.assertEqual(outcome(hang, 1), "SIGALRM")
            self.assertEqual(outcome(break_rules), BROKEN)

    def test_whole(self):
        """in a heap without damage everything works"""
        for image in self.images:
            for number in range(3):
                rng = random.Random(number)

                def look():
                    fd = os.memfd_create("whole")
                    os.write(fd, image.data)
                    v = Visit(posh.Heap(fd=fd), rng)
                    v.all()
                    for e in v.errors:
                        raise e

                self.assertEqual(child_of(look, LIMIT), QUIET)

    def test_damaged(self):
        """a damaged heap raises exceptions, and does nothing else"""
        seconds = SOAK or QUICK
        end, wrong = time.monotonic() + seconds, {}
        with mmap.mmap(-1, 8) as memory:
            done = memoryview(memory).cast("I")  # how many; and of them seen

            def batch():
                for _ in range(BATCH):
                    done[1] += bool(self.try_one(done[0]))
                    done[0] += 1

            while time.monotonic() < end:
                how = child_of(batch, LIMIT)
                if how != QUIET:
                    wrong[done[0]] = how
                    done[0] += 1
            number, noticed = done
            done.release()
        print(number, "heaps,", noticed, "seen to be damaged")
        self.assertEqual(wrong, {})
        self.assertGreater(noticed, number // 4)


def alone(number):
    """Do one without a child, in a debugger for instance."""
    FuzzTest.setUpClass()
    print("damaged" if FuzzTest.try_one(number) else "in order")


if __name__ == "__main__":
    import tap

    if sys.argv[1:] and sys.argv[1].isdigit():
        alone(int(sys.argv[1]))
    else:
        tap.main()

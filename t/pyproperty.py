# SPDX-License-Identifier: MIT
"""Random operations on a shared object and on its builtin twin: the same.

Hypothesis makes sequences of operations.  Each one is done to both; what it
returns or raises has to be equal, and so has the state afterwards.  Then the
same with two processes, which take turns.

    make property                       many sequences
    POSH_SEQUENCES=5000 t/pyproperty.py that many for each type, each way
"""
import array
import ast
import collections
import copy
import datetime
import decimal
import fractions
import multiprocessing
import operator
import os
import pathlib
import sys
import tempfile
import types
import unittest
import uuid

import posh
from twin import same

# What hypothesis keeps is no part of the build; children have the parent's.
if "HYPOTHESIS_STORAGE_DIRECTORY" not in os.environ:
    storage = tempfile.TemporaryDirectory()
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = storage.name

try:
    import hypothesis
    from hypothesis import strategies as st
except ImportError:
    print("1..0 # SKIP no hypothesis: Debian has it in python3-hypothesis")
    sys.exit(0)

SEQUENCES = int(os.environ.get("POSH_SEQUENCES", 0))
SOAK = SEQUENCES > 0
#: How many sequences were done: {"one process": n, ...}
counts = collections.Counter()


@posh.shareable
class Record:
    """An object with the attributes that it is given."""

    default = "of the class"

    def __init__(self, **attributes):
        vars(self).update(attributes)


@posh.shareable
class Slotted:
    __slots__ = ("a", "b", "c")


@posh.shareable
class Names(list):
    """A list with an attribute, a method, and one that it overrides."""

    owner = "nobody"

    def insert(self, i, x):  # not append: copy.copy() of a list calls it
        super().insert(i, x)
        self.owner = "somebody"

    def twice(self):
        return self * 2


@posh.shareable
class Defaults(dict):
    def __missing__(self, key):
        return [key]


@posh.shareable
class Line(collections.deque):
    pass


@posh.shareable
class Tags(set):
    """The same of a set; not add, which pickle calls."""

    owner = "nobody"

    def discard(self, x):
        super().discard(x)
        self.owner = "somebody"


@posh.shareable
class Frame(bytearray):
    """The same of a bytearray."""

    owner = "nobody"

    def insert(self, i, x):
        super().insert(i, x)
        self.owner = "somebody"


_DERIVED = (Names, Defaults, Line, Tags, Frame, collections.Counter,
            collections.OrderedDict, collections.defaultdict)
_EXACT = {list, dict, collections.deque, tuple, set, frozenset, bytearray}

#
# Comparing.
#


def plain(x):
    """Return what is left of something if nothing of it is shared.

    It is read one element at a time, which unshare() does not do.
    """
    derived = next((c for c in _DERIVED if isinstance(x, c)), None)
    if derived:
        base = next(c for c in derived.__mro__ if c in _EXACT)
        return [derived.__name__, plain(vars(x)) if hasattr(x, "__dict__")
                else {}, getattr(x, "default_factory", None),
                plain(base(x, x.maxlen) if base is collections.deque
                      else base(x))]
    if isinstance(x, (list, tuple)):
        made = map(plain, x)
        return list(made) if isinstance(x, list) else tuple(made)
    if isinstance(x, dict):
        return {plain(k): plain(v) for k, v in x.items()}
    if isinstance(x, collections.deque):
        return collections.deque(map(plain, x), x.maxlen)
    if isinstance(x, (set, frozenset)):
        kind = set if isinstance(x, set) else frozenset
        return kind(map(plain, x))
    if isinstance(x, bytearray):
        return bytearray(bytes(x))
    if isinstance(x, array.array):
        return array.array(x.typecode, list(x))
    if isinstance(x, (Record, Slotted)):
        return [type(x).__name__, state_of(x)]
    return x


def state_of(x):
    if isinstance(x, Slotted):
        return {n: plain(getattr(x, n)) for n in Slotted.__slots__
                if hasattr(x, n)}
    return dict(sorted(plain(vars(x)).items()))


def outcome(do, x, args):
    """Do it: what it returned or raised, comparable and fit for a pipe."""
    try:
        result = do(x, *copy.deepcopy(args))
    except Exception as e:
        text = str(e)
        # What CPython says of a missing slot is only its name; and that a
        # list concatenates only lists, it does not say of our classes.
        if isinstance(x, Slotted) or (
                isinstance(e, TypeError) and isinstance(x, _DERIVED)):
            text = ""
        # An OrderedDict takes a tuple for all arguments of its KeyError.
        if isinstance(x, collections.OrderedDict):
            text = ""
        if "{" in text:  # a set's repr has an order of its own
            text = "".join(sorted(text))
        # The type of a shared array has no dot in its name.
        return "raised", type(e), text.replace("array.array", "array")
    return "returned", "its operand" if result is x else plain(result)


#
# Values.
#

ints = st.integers() | st.sampled_from(
    [0, 1, -1, 2**31, 2**47 - 1, 2**47, -(2**47) - 1, 2**63, -(2**63)]
)
texts = st.text(max_size=9) | st.sampled_from(["", "a", "seven77", "Grüße"])
scalars = st.one_of(
    st.none(), st.booleans(), ints, st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False), texts, st.binary(max_size=9),
    st.just(...),
)
# Few, so that they meet; some are equal without being the same.
few = st.sampled_from([0, 0.0, -0.0, False, 1, 1.0, True, 1 + 0j, "a", "b",
                       b"a", (), (1,), (True,), None])
keys = few | scalars | st.tuples(scalars, few)


def _shareable(x):
    try:
        posh.share([x])
    except TypeError:
        return False
    return True


#: Immutable types that are shared by value, if they are.
OTHERS = [
    (frozenset(), st.frozensets(scalars, max_size=4)),
    (range(1), st.builds(range, st.integers(-99, 99), st.integers(-99, 99),
                         st.integers(1, 9))),
    (slice(1), st.builds(slice, st.none() | st.integers(), st.integers())),
    (datetime.date(1, 1, 1), st.dates()),
    (datetime.time(), st.times()),
    (datetime.datetime(1, 1, 1), st.datetimes()),
    (datetime.timedelta(), st.timedeltas()),
    (decimal.Decimal(), st.decimals(allow_nan=False)),
    (fractions.Fraction(), st.fractions()),
    (uuid.UUID(int=0), st.uuids()),
    (pathlib.PurePosixPath("a"), st.builds(pathlib.PurePosixPath,
                                           st.sampled_from("abc"))),
]
others = [s for sample, s in OTHERS if _shareable(sample)]

typecodes = st.sampled_from("bBhHiIlLqQfd")
deques = st.builds(collections.deque, st.lists(few, max_size=5),
                   st.none() | st.integers(0, 6))
arrays = st.builds(array.array, typecodes,
                   st.lists(st.integers(0, 99), max_size=5))
ordered = [
    st.lists(few, max_size=4),
    st.dictionaries(keys, few, max_size=4),
    st.binary(max_size=9).map(bytearray),
    deques, arrays,
]
mutables = [*ordered, st.sets(keys, max_size=4)]
#: What may be iterable: with the same result in another process.
operands = st.one_of(few, scalars, st.tuples(few, scalars), *ordered)
values = operands | mutables[-1]


def nested(leaves):
    """Return a strategy of values of all shareable types, in one another."""

    def inside(v):
        kinds = [
            st.lists(v, max_size=4),
            st.lists(v, max_size=3).map(tuple),
            st.dictionaries(keys, v, max_size=4),
            st.builds(collections.deque, st.lists(v, max_size=3),
                      st.none() | st.integers(0, 6)),
            st.dictionaries(st.sampled_from(["a", "b", "long name"]), v).map(
                lambda attributes: Record(**attributes)),
        ]
        return st.one_of(kinds)

    return st.recursive(leaves, inside, max_leaves=12)


anything = nested(st.one_of(
    scalars, st.floats(), st.complex_numbers(), *others, *mutables
))

#
# Operations: name -> (function of the object and arguments, their strategies).
#

index = st.integers(-8, 8)
slices = st.builds(slice, *[st.none() | index] * 2,
                   st.none() | st.sampled_from([1, -1, 2, -3, 0]))
lists = st.lists(few, max_size=5)
count = st.integers(-1, 3)


def method(name):
    def call(x, *args):
        return getattr(x, name)(*args)

    return call


def methods(**table):
    return {name: (method(name), args) for name, args in table.items()}


def op(name):
    return getattr(operator, name)


def shown(x):
    """Return repr(x), with what sets in it list in an order of its own."""
    tree = ast.parse(repr(x), mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Set):
            node.elts.sort(key=ast.dump)
    return ast.dump(tree)


def sort(x, reverse):
    sorted(x)  # where sort() gives up, CPython leaves any order
    return x.sort(reverse=reverse)


def comparing(with_what):
    return {name: (op(name), [with_what])
            for name in ("eq", "ne", "lt", "le", "gt", "ge")}


SEQUENCE = {
    "getitem": (op("getitem"), [index | slices]),
    "setitem": (op("setitem"), [index, values]),
    "delitem": (op("delitem"), [index]),
    "contains": (op("contains"), [values]),
    "iadd": (op("iadd"), [lists]),
    "imul": (op("imul"), [count]),
    "mul": (op("mul"), [count]),
    "len": (len, []),
    "bool": (bool, []),
    "iter": (list, []),
    "reversed": (lambda x: list(reversed(x)), []),
    "repr": (shown, []),
    "copy.copy": (copy.copy, []),
    **methods(append=[values], extend=[lists | operands], clear=[], copy=[],
              count=[values], index=[values, index, index], pop=[],
              insert=[index, values], remove=[values], reverse=[]),
}

LIST = {
    **SEQUENCE,
    **comparing(lists),
    "setitem slice": (op("setitem"), [slices, lists | operands]),
    "delitem slice": (op("delitem"), [slices]),
    "add": (op("add"), [lists | values]),
    "radd": (lambda x, y: y + x, [lists]),
    "pop at": (method("pop"), [index]),
    "sort": (sort, [st.booleans()]),
    "sort by key": (lambda x: x.sort(key=shown), []),
    "unpack": (lambda x: [*x], []),
    "bad index": (op("getitem"), [values]),
}

DEQUE = {
    **SEQUENCE,
    **comparing(deques),
    "add": (op("add"), [deques]),
    **methods(appendleft=[values], extendleft=[lists], popleft=[],
              rotate=[index]),
    "maxlen": (op("attrgetter")("maxlen"), []),
}

DICT = {
    "getitem": (op("getitem"), [keys]),
    "setitem": (op("setitem"), [keys, values]),
    "delitem": (op("delitem"), [keys]),
    "contains": (op("contains"), [keys]),
    "unhashable": (op("getitem"), [lists]),
    "eq": (op("eq"), [st.dictionaries(keys, few, max_size=3)]),
    "or": (op("or_"), [st.dictionaries(keys, few, max_size=3)]),
    "ror": (lambda x, y: y | x, [st.dictionaries(keys, few, max_size=3)]),
    "ior": (op("ior"), [st.dictionaries(keys, few, max_size=3)]),
    "len": (len, []),
    "iter": (list, []),
    "reversed": (lambda x: list(reversed(x)), []),
    "repr": (shown, []),
    "items": (lambda x: list(x.items()), []),
    "values": (lambda x: list(reversed(x.values())), []),
    "keys and": (lambda x, y: x.keys() & y, [st.sets(few, max_size=4)]),
    "keys sub": (lambda x, y: x.keys() - y, [st.sets(few, max_size=4)]),
    "in items": (lambda x, y: y in x.items(), [st.tuples(keys, few)]),
    "unpack": (lambda x: {**x}, []),
    "pop or": (method("pop"), [keys, few]),
    "update pairs": (method("update"),
                     [st.lists(st.tuples(keys, values), max_size=4)]),
    "fromkeys": (method("fromkeys"), [st.lists(keys, max_size=3), few]),
    **methods(get=[keys, few], setdefault=[keys, values], pop=[keys],
              popitem=[], clear=[], copy=[],
              update=[st.dictionaries(keys, values, max_size=4)]),
}

#: Bytes that an argument is made of.
pieces = st.binary(max_size=4) | st.sampled_from([b"a", b"ab", b"\0", b""])
byte = st.integers(0, 255) | st.integers(-2, 300)
bytearrays = pieces.map(bytearray)

BYTEARRAY = {
    **comparing(pieces | bytearrays),
    "getitem": (op("getitem"), [index | slices]),
    "setitem": (op("setitem"), [index, byte | few]),
    "setitem slice": (op("setitem"), [slices, pieces | bytearrays | lists]),
    "delitem": (op("delitem"), [index | slices]),
    "contains": (op("contains"), [byte | pieces]),
    "add": (op("add"), [pieces | bytearrays]),
    "radd": (lambda x, y: y + x, [bytearrays]),
    "iadd": (op("iadd"), [pieces | bytearrays]),
    "mul": (op("mul"), [count]),
    "imul": (op("imul"), [count]),
    "len": (len, []),
    "iter": (list, []),
    "reversed": (lambda x: list(reversed(x)), []),
    "repr": (repr, []),
    "bytes": (bytes, []),
    "memoryview": (lambda x: memoryview(x).tolist(), []),
    **methods(append=[byte | few], extend=[pieces | lists], clear=[], copy=[],
              pop=[index], insert=[index, byte], remove=[byte], reverse=[],
              find=[pieces, index], rfind=[pieces], index=[pieces],
              count=[pieces], replace=[pieces, pieces], split=[pieces],
              partition=[pieces], rpartition=[pieces], splitlines=[],
              strip=[pieces], upper=[], isdigit=[], hex=[],
              startswith=[pieces], endswith=[pieces], join=[
                  st.lists(pieces | bytearrays, max_size=3)],
              center=[index, bytearrays | pieces], translate=[
                  st.just(bytes(range(255, -1, -1)))],
              decode=[st.sampled_from(["latin-1", "ascii"])]),
}

items = st.integers(0, 99) | few
ARRAY = {
    **comparing(arrays),
    "getitem": (op("getitem"), [index | slices]),
    "setitem": (op("setitem"), [index, items | ints]),
    "setitem slice": (op("setitem"), [slices, arrays]),
    "delitem": (op("delitem"), [index | slices]),
    "contains": (op("contains"), [items]),
    "add": (op("add"), [arrays]),
    "iadd": (op("iadd"), [arrays]),
    "mul": (op("mul"), [count]),
    "imul": (op("imul"), [count]),
    "len": (len, []),
    "iter": (list, []),
    "repr": (repr, []),
    # Of items that are wrong in the middle, the builtin keeps what came
    # before.
    **methods(append=[items | ints], pop=[index],
              extend=[arrays | st.lists(st.integers(0, 99), max_size=3)],
              insert=[index, items], remove=[items], reverse=[], tolist=[],
              tobytes=[], byteswap=[], count=[items], index=[items],
              frombytes=[pieces], fromlist=[lists]),
}

members = st.sets(keys, max_size=4)
member_lists = members | st.lists(keys, max_size=4)
SET = {
    **{name: (op(name), [members])
       for name in ("eq", "lt", "le", "gt", "ge", "or_", "and_", "sub", "xor",
                    "ior", "iand", "isub", "ixor")},
    "rsub": (lambda x, y: y - x, [members]),
    "contains": (op("contains"), [keys | lists]),
    "len": (len, []),
    "iter": (set, []),
    "repr": (shown, []),
    "pop all": (lambda x: {x.pop() for _ in range(len(x))}, []),
    "copy.copy": (copy.copy, []),
    **methods(add=[keys | lists], discard=[keys], remove=[keys], clear=[],
              copy=[], isdisjoint=[member_lists], issubset=[member_lists],
              issuperset=[member_lists], union=[member_lists, member_lists],
              intersection=[member_lists], difference=[member_lists],
              symmetric_difference=[member_lists], update=[member_lists],
              intersection_update=[member_lists],
              difference_update=[member_lists],
              symmetric_difference_update=[member_lists]),
}

names = st.sampled_from(["a", "b", "c", "default", "long name"])
RECORD = {
    "getattr": (getattr, [names]),
    "getattr or": (getattr, [names, few]),
    "setattr": (setattr, [names, values]),
    "delattr": (delattr, [names]),
    "hasattr": (hasattr, [names]),
    "vars": (lambda x: state_of(x), []),
    "in vars": (lambda x, n: n in vars(x), [names]),
    "vars get": (lambda x, n: vars(x).get(n), [names]),
    "vars set": (lambda x, n, v: vars(x).__setitem__(n, v), [names, values]),
    "vars pop": (lambda x, n: vars(x).pop(n), [names]),
    "vars len": (lambda x: len(vars(x)), []),
    "vars update": (lambda x, d: vars(x).update(d),
                    [st.dictionaries(names, values, max_size=3)]),
    "vars setdefault": (lambda x, n, v: vars(x).setdefault(n, v),
                        [names, few]),
    "class": (op("attrgetter")("__class__"), []),
}
SLOTTED = {n: RECORD[n] for n in ("getattr", "setattr", "delattr", "hasattr",
                                  "class", "getattr or")}

dicts = st.dictionaries(keys, values, max_size=6)
ORDERED = {
    **DICT,
    "move to end": (method("move_to_end"), [keys, st.booleans()]),
    "pop first": (lambda x: x.popitem(last=False), []),
    "eq ordered": (lambda x, y: x == collections.OrderedDict(y),
                   [st.dictionaries(few, few, max_size=3)]),
}
numbers = st.dictionaries(few, st.integers(-9, 9), max_size=5)
COUNTER = {
    **{n: DICT[n] for n in ("getitem", "delitem", "contains", "len", "iter",
                            "repr", "pop", "pop or", "popitem", "clear",
                            "copy", "unpack", "items")},
    "setitem": (op("setitem"), [keys, st.integers(-9, 9)]),
    "elements": (lambda x: list(x.elements()), []),
    "+": (lambda x, y: x + collections.Counter(y), [numbers]),
    "-": (lambda x, y: x - collections.Counter(y), [numbers]),
    "&": (lambda x, y: x & collections.Counter(y), [numbers]),
    "|=": (lambda x, y: op("ior")(x, collections.Counter(y)), [numbers]),
    "+=": (lambda x, y: op("iadd")(x, collections.Counter(y)), [numbers]),
    "negative": (op("neg"), []),
    "eq": (op("eq"), [numbers]),
    **methods(most_common=[], total=[], update=[numbers],
              subtract=[numbers]),
}
NAMES = {**LIST, **methods(twice=[]),
         "owner": (op("attrgetter")("owner"), []),
         "set owner": (lambda x, v: setattr(x, "owner", v), [few])}
FRAME = {**BYTEARRAY, "owner": NAMES["owner"],
         "set owner": NAMES["set owner"]}
TAGS = {**SET, "owner": NAMES["owner"], "set owner": NAMES["set owner"]}

#: name -> (what it is in the beginning, its operations)
KINDS = {
    "list": (st.lists(values, max_size=6), LIST),
    "dict": (st.dictionaries(keys, values, max_size=6), DICT),
    "deque": (deques, DEQUE),
    "bytearray": (st.binary(max_size=12).map(bytearray), BYTEARRAY),
    "bytearray subclass": (st.binary(max_size=12).map(Frame), FRAME),
    "array": (arrays, ARRAY),
    "attributes": (st.dictionaries(st.sampled_from("ab"), values).map(
        lambda attributes: Record(**attributes)), RECORD),
    "slots": (st.builds(Slotted), SLOTTED),
    "list subclass": (st.lists(values, max_size=6).map(Names), NAMES),
    "dict subclass": (dicts.map(Defaults), DICT),
    "deque subclass": (st.builds(Line, lists, st.none() | st.integers(0, 6)),
                       DEQUE),
    "OrderedDict": (dicts.map(collections.OrderedDict), ORDERED),
    "Counter": (numbers.map(collections.Counter), COUNTER),
    "set": (st.sets(keys, max_size=6), SET),
    "set subclass": (st.sets(keys, max_size=6).map(Tags), TAGS),
}


def sequences(operations):
    """Return a strategy of lists of (name, arguments)."""
    return st.lists(st.one_of([
        st.tuples(st.just(name), st.tuples(*args))
        for name, (_, args) in operations.items()
    ]), min_size=1, max_size=16)


#
# The other process.
#


def serve(pipe, box):
    """Do what the pipe says to the object in the box, until it says None."""
    for kind, name, args in iter(pipe.recv, None):
        x = box[0]
        result = outcome(KINDS[kind][1][name][0], x, args)
        pipe.send((result, plain(x)))


class Peer:
    """Another process, the same one for all sequences."""

    def __init__(self, method="spawn"):
        context = multiprocessing.get_context(method)
        self._pipe, end = context.Pipe()
        self.box = posh.list([None])
        self._process = context.Process(target=serve, args=(end, self.box),
                                        daemon=True)
        self._process.start()
        end.close()

    def do(self, kind, name, args):
        self._pipe.send((kind, name, args))
        return self._pipe.recv()

    def close(self):
        self._pipe.send(None)
        self._process.join(60)
        assert self._process.exitcode == 0, self._process.exitcode


#
# Tests.
#


def settings(n):
    return hypothesis.settings(
        max_examples=SEQUENCES or n,
        deadline=None,
        database=None,
        derandomize=not SOAK,
        print_blob=SOAK,
        suppress_health_check=list(hypothesis.HealthCheck),
    )


class PropertyTest(unittest.TestCase):
    def check(self, what, a, b):
        self.assertTrue(same(a, b), "%s\n plain:  %.500r\n shared: %.500r"
                        % (what, a, b))

    def play(self, kind, value, sequence, peer=None):
        """Do a sequence to a value and its shared copy."""
        operations = KINDS[kind][1]
        proxy = posh.share(value)
        if peer:
            peer.box[0] = proxy
        for i, (name, args) in enumerate(sequence):
            do = operations[name][0]
            what = f"{name} {args!r}"
            expected = outcome(do, value, args)
            if peer and i % 2:
                result, seen = peer.do(kind, name, args)
                self.check(f"{what}, as the other sees it", plain(value), seen)
            else:
                result = outcome(do, proxy, args)
            self.check(what, expected, result)
            self.check(f"{what}, afterwards", plain(value), plain(proxy))
        counts["two processes" if peer else "one process"] += 1

    def run_kind(self, kind, n, peer=None):
        initial, operations = KINDS[kind]

        @settings(n)
        @hypothesis.given(initial, sequences(operations))
        def run(value, sequence):
            self.play(kind, value, sequence, peer)

        run()


def _add_tests():
    for kind in KINDS:
        def one(self, kind=kind):
            self.run_kind(kind, 250)

        def two(self, kind=kind):
            self.run_kind(kind, 100, self.peer)

        one.__doc__ = f"{kind}: in one process"
        two.__doc__ = f"{kind}: two processes take turns"
        name = "test_" + kind.replace(" ", "_")
        setattr(OneTest, name, one)
        setattr(TwoTest, name, two)


class OneTest(PropertyTest):
    pass


class TwoTest(PropertyTest):
    @classmethod
    def setUpClass(cls):
        cls.peer = Peer()

    @classmethod
    def tearDownClass(cls):
        cls.peer.close()


_add_tests()


def private(x):
    """Is nothing in a plain object shared?"""
    if posh.is_shared(x):
        return False
    if isinstance(x, dict):
        return all(private(k) and private(v) for k, v in x.items())
    if isinstance(x, (list, tuple, set, frozenset, collections.deque)):
        return all(map(private, x))
    return not isinstance(x, Record) or private(vars(x))


class RoundTripTest(PropertyTest):
    def test_unshare(self):
        """what was shared is unshared exactly"""

        @settings(400)
        @hypothesis.given(anything)
        def run(value):
            shared = posh.share([value, value])
            self.check("read", plain([value, value]), plain(shared))
            back = posh.unshare(shared)
            self.check("unshared", plain([value, value]), plain(back))
            self.assertTrue(private(back), back)
            if posh.is_shared(shared[0]):
                self.assertIs(back[0], back[1])
            counts["round trips"] += 1

        run()

    def test_other_process(self):
        """another process reads what was shared"""
        peer = Peer("fork")

        @settings(200)
        @hypothesis.given(anything)
        def run(value):
            peer.box[0] = [value]
            result, _ = peer.do("list", "getitem", (0,))
            self.check("read", ("returned", plain(value)), result)
            counts["round trips"] += 1

        run()
        peer.close()


if __name__ == "__main__":
    import atexit

    import tap

    atexit.register(lambda: print("#", dict(counts)))
    tap.main()

# SPDX-License-Identifier: MIT
"""Enums and namedtuples that tests store, and find by their names."""
import collections
import datetime
import enum
import typing

Point = collections.namedtuple("Point", "x y", defaults=[0])


class Row(typing.NamedTuple):
    number: int
    name: str = "a name of some length"


class Color(enum.Enum):
    RED = 1
    CRIMSON = 1
    BLUE = "blue"
    MANY = [1, 2]

    @property
    def lower(self):
        return self.name.lower()


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 77


class Word(enum.StrEnum):
    YES = "yes"


class Mixed(str, enum.Enum):
    LONG = "a word of some length"


class Bits(enum.Flag):
    A = 1
    B = 2


class Numbers(enum.IntFlag):
    A = 8
    B = 16


class Day(datetime.date, enum.Enum):
    FIRST = 2001, 1, 1

"""Tables: in how many ways a fragment can be unfolded, row by row, and how each row came about."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from deep_arch.language.fragment import Call, Fragment
from deep_arch.language.hyperparameters import Independent
from deep_arch.spaces.place import Place

Count = int | float
"""How many architectures there are: an exact integer, or infinity."""


class Endless(Exception):
    """A rule that leads back to itself, or an interval: there are infinitely many architectures."""


ANY: Final = -1
"""Marks a hyperparameter that is used, with a value that makes no difference to the structure."""


class Variable(NamedTuple):
    """A hyperparameter at one place: `home` decides when it is summed over, `path` where it stands below that."""

    home: Fragment
    path: str
    hyperparameter: Independent


class Key(NamedTuple):
    """What one row of a table is about."""

    wanted: frozenset[tuple[int, int | None]]  # values of the fragment that are wanted, by index and port
    captured: frozenset[tuple[Fragment, int, int | None]]
    bound: frozenset[tuple[Variable, int]]


class Part(NamedTuple):
    """One way to unfold a call: the table and row of what stands there, and what it asks of the fragment."""

    key: Key
    ways: Count
    table: Table | None
    row: Key | None


Origin = tuple[Key, Part | None, tuple[tuple[Variable, int], ...], Count]
"""How a row came about: the row before, the part that was joined, what was summed over, and in how many ways."""


@dataclass(eq=False)
class Table:
    """In how many ways a fragment can be unfolded at a place, row by row, with the way to each row for drawing."""

    place: Place
    rows: dict[Key, Count] = field(default_factory=dict[Key, Count])
    stages: list[dict[Key, list[Origin]]] = field(default_factory=list[dict[Key, list[Origin]]])
    calls: list[Call | None] = field(default_factory=list["Call | None"])


def join(
    a: frozenset[tuple[Variable, int]], b: frozenset[tuple[Variable, int]]
) -> frozenset[tuple[Variable, int]] | None:
    """Return what both bind, or None where they contradict each other."""
    if not a or not b:
        return a or b
    joined = dict(a)
    for variable, value in b:
        before = joined.get(variable, ANY)
        if before == ANY:
            joined[variable] = value
        elif value not in (ANY, before):
            return None
    return frozenset(joined.items())


def plus(a: Count, b: Count) -> Count:
    """Return the sum, infinite where one is."""
    return math.inf if math.inf in (a, b) else a + b


def times(a: Count, b: Count) -> Count:
    """Return the product; nothing times infinity is nothing."""
    if a == 0 or b == 0:
        return 0
    return math.inf if math.inf in (a, b) else a * b


def sum_counts(counts: Iterable[Count]) -> Count:
    """Return the sum of several."""
    total: Count = 0
    for count in counts:
        total = plus(total, count)
    return total

"""Counts: how many ways there are, as one number, or apart by how many rules are applied.

A limit on the size of programs makes counts polynomials: of the ways with coefficient k, each applies k rules, so a
choice between ways adds polynomials, and independent parts multiply them (generating functions; Flajolet and Sedgewick,
Analytic Combinatorics, 2009, chapter I). What is larger than the limit is cut off.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable

Number = int | float
"""An exact integer, or infinity."""


class BySize:
    """How many ways there are that apply no rule, one rule, two, ..., up to a limit; one of them is not 0."""

    __slots__ = ("numbers",)

    def __init__(self, numbers: tuple[Number, ...]) -> None:
        self.numbers = numbers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BySize) and self.numbers == other.numbers

    def __hash__(self) -> int:
        return hash(self.numbers)


Count = Number | BySize
"""How many ways there are; a number where none of them applies a rule, or no limit asks how many."""


def of_size(count: Count, size: int) -> Number:
    """Return how many of some ways apply so many rules."""
    if isinstance(count, BySize):
        return count.numbers[size] if size < len(count.numbers) else 0
    return count if size == 0 else 0


def all_sizes(count: Count) -> Number:
    """Return how many ways there are, whatever rules they apply."""
    return _sum(count.numbers) if isinstance(count, BySize) else count


def one_more(count: Count, most: int) -> Count:
    """Return a count where each way applies one more rule, and none more than `most`."""
    return _by_size([0, *(of_size(count, size) for size in range(most))])


def times(a: Count, b: Count) -> Count:
    """Return the product; nothing times infinity is nothing."""
    if not isinstance(a, BySize):
        return _scaled(b, a) if isinstance(b, BySize) else _times(a, b)
    if not isinstance(b, BySize):
        return _scaled(a, b)
    finite = math.inf not in a.numbers and math.inf not in b.numbers
    multiplied, added = (operator.mul, operator.add) if finite else (_times, _plus)
    numbers: list[Number] = [0] * max(len(a.numbers), len(b.numbers))
    for i, left in enumerate(a.numbers[: len(numbers)]):
        for j, right in enumerate(b.numbers[: len(numbers) - i] if left else (), i):
            numbers[j] = added(numbers[j], multiplied(left, right))
    return _by_size(numbers)


def sum_counts(counts: Iterable[Count]) -> Count:
    """Return the sum, infinite where one is."""
    counts = list(counts)
    lengths = [len(count.numbers) for count in counts if isinstance(count, BySize)]
    if not lengths:
        return _sum(count for count in counts if not isinstance(count, BySize))
    return _by_size([_sum(of_size(count, size) for count in counts) for size in range(max(lengths))])


def _by_size(numbers: list[Number]) -> Count:
    return BySize(tuple(numbers)) if any(numbers) else 0


def _scaled(count: BySize, by: Number) -> Count:
    return count if by == 1 else _by_size([_times(number, by) for number in count.numbers])


def _times(a: Number, b: Number) -> Number:
    if a == 0 or b == 0:
        return 0
    return math.inf if math.inf in (a, b) else a * b


def _plus(a: Number, b: Number) -> Number:
    return math.inf if math.inf in (a, b) else a + b


def _sum(numbers: Iterable[Number]) -> Number:
    numbers = list(numbers)
    return math.inf if math.inf in numbers else sum(numbers)

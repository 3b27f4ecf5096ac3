"""Ways: in how many ways something can be decided, and which they are: sums and products that lead to each.

A way is picked from the top: of a sum one option, of a product each part. So nothing is listed, and what several places
have in common is kept once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from deep_arch.counting.factors import Variable
    from deep_arch.language.fragment import Call, Fragment
    from deep_arch.language.hyperparameters import Independent

Count = int | float
"""How many ways there are: an exact integer, or infinity."""


class Endless(Exception):
    """A rule that leads back to itself, or an interval: there are infinitely many ways."""


class Ways:
    """Some ways to decide something."""

    __slots__ = ("count",)

    count: Count


class Product(Ways):
    """Each part decided in one of its ways."""

    __slots__ = ("parts",)

    def __init__(self, parts: tuple[Ways, ...], count: Count) -> None:
        self.parts, self.count = parts, count


class Sum(Ways):
    """One of the options, decided in one of its ways."""

    __slots__ = ("options",)

    def __init__(self, options: tuple[Ways, ...], count: Count) -> None:
        self.options, self.count = options, count


class Chosen(Ways):
    """One of the values of a hyperparameter whose positions in its domain are set in `mask`."""

    __slots__ = ("decisive", "mask", "variable")

    def __init__(self, variable: Variable, mask: int, count: Count) -> None:
        self.variable, self.mask, self.count = variable, mask, count


class Inside(Ways):
    """What a call unfolds to, decided in one of the ways there: as many whatever decided the call.

    Attributes:
        call: the call.
        decisive: the hyperparameters that decided it.
        found: the fragment and the ways in it, by the positions of their values.
    """

    __slots__ = ("call", "decisive", "found")

    def __init__(
        self, call: Call, decisive: tuple[Independent, ...], found: Mapping[tuple[int, ...], tuple[Fragment, Ways]]
    ) -> None:
        self.count = next(iter(found.values()))[1].count
        self.call, self.decisive, self.found = call, decisive, found


ONE: Final = Product((), 1)
"""Nothing left to decide."""

NONE: Final = Sum((), 0)
"""What cannot be decided in any way."""


def product(a: Ways, b: Ways) -> Ways:
    """Return the ways to decide both."""
    if a is ONE or b is ONE:
        return b if a is ONE else a
    return Product((a, b), times(a.count, b.count))


def either(options: Iterable[Ways]) -> Ways:
    """Return the ways to decide one of several."""
    options = tuple(options)
    return options[0] if len(options) == 1 else Sum(options, sum_counts(option.count for option in options))


def times(a: Count, b: Count) -> Count:
    """Return the product; nothing times infinity is nothing."""
    if a == 0 or b == 0:
        return 0
    return math.inf if math.inf in (a, b) else a * b


def sum_counts(counts: Iterable[Count]) -> Count:
    """Return the sum, infinite where one is."""
    counts = list(counts)
    return math.inf if math.inf in counts else sum(counts)

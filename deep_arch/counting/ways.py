"""Ways: in how many ways something can be decided, and which they are: sums and products that lead to each.

A way is picked from the top: of a sum one option, of a product each part. So nothing is listed, and what several places
have in common is kept once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from deep_arch.counting.counts import Count, Number, one_more, sum_counts, times
from deep_arch.language.fragment import Call, Fragment
from deep_arch.language.hyperparameters import Independent
from deep_arch.spaces.place import Place


class Endless(Exception):
    """A rule that leads back to itself, or an interval: there are infinitely many ways."""


@dataclass(frozen=True, eq=False, slots=True)
class Variable:
    """A hyperparameter at one place: `home` decides when it is summed over, `path` where it stands below that.

    Attributes:
        leading: those that its domain depends on.
        rank: how many domains lead to it that depend on one another; 0 where its own depends on nothing.
        tied: whether its domain depends on another's value, or another's domain on its.
    """

    home: Fragment
    path: str
    hyperparameter: Independent
    leading: tuple[Variable, ...]
    tied: bool

    @property
    def rank(self) -> int:
        return max([1 + variable.rank for variable in self.leading], default=0)

    def address(self, place: Place) -> str | None:
        """Return its address as seen from a place; None without a prefix."""
        home = place.up(place.fragment.level - self.home.level)
        return None if home.prefix is None else home.prefix + self.path


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

    def __init__(self, variable: Variable, mask: int, count: Number) -> None:
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


class Applied(Ways):
    """One application of a rule, and what is decided inside in one of its ways; no more than `most` rules in all."""

    __slots__ = ("inside",)

    def __init__(self, inside: Ways, most: int) -> None:
        self.inside, self.count = inside, one_more(inside.count, most)


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

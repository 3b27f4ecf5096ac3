"""Kernel density estimates over architectures, whose hyperparameters appear and disappear.

A density is a mean of product kernels, one factor for each address. All are relative to the uniform density, so that
an address that only one of two architectures has counts as 1.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import add
from typing import Any, Final

from deep_arch.language.domains import Choice
from deep_arch.searchers.parts.decisions import Decision

Axis = tuple[str, int]
"""An address, and its number of options; 0 for numbers."""

Point = Mapping[Axis, float]
"""The position among the options, or the place on the unit scale."""

_FLOOR: Final = math.log(1e-32)
"""The least density, as in the implementation of BOHB by its authors: further out, densities are noise."""

_LEAST_BANDWIDTH: Final = 1e-3
"""For points that agree, as there."""


def axis(address: str, domain: Any) -> Axis:
    """Return the axis on which a `Choice` or `Numeric` domain lies at an address."""
    return address, len(domain.options) if isinstance(domain, Choice) else 0


def place(domain: Any, value: Any) -> float:
    """Return where a value lies on its axis."""
    return domain.position(value) or 0 if isinstance(domain, Choice) else domain.unit(value)


def point(decisions: Iterable[Decision]) -> Point:
    """Return an architecture's decisions as a point."""
    return {axis(address, domain): place(domain, value) for address, domain, value in decisions}


class KernelDensity:
    """The density of some points.

    Numbers have a Gaussian kernel on their unit scale, options the kernel of Aitchison and Aitken: 1 - h for the same
    option, and h shared by the others. The bandwidths h follow the normal reference rule, 1.06 s n**(-1 / (4 + d)),
    with the standard deviation s; that of options is the root of their Gini impurity.

    Args:
        points: at least one.

    References:
        Silverman, Density estimation for statistics and data analysis (1986), sections 3.4 and 4.3.
        Aitchison and Aitken, Multivariate binary discrimination by the kernel method (Biometrika 1976).
    """

    def __init__(self, points: Sequence[Point]) -> None:
        self.points: Final = points
        self._n_axes = max(map(len, points))
        self._log_kernels: dict[tuple[Axis, float], list[float]] = {}
        self._bandwidths: dict[Axis, float] = {}

    def log(self, point: Point) -> float:
        """Return the logarithm of the density at a point, relative to the uniform density."""
        logs = [0.0] * len(self.points)
        for axis, place in point.items():
            logs = list(map(add, logs, self._factors(axis, place)))
        largest = max(logs)
        return max(largest + math.log(sum([math.exp(log - largest) for log in logs]) / len(logs)), _FLOOR)

    def _factors(self, axis: Axis, place: float) -> list[float]:
        """Return the logarithm of each point's kernel on one axis."""
        if (found := self._log_kernels.get((axis, place))) is None:
            places = [point.get(axis) for point in self.points]
            kernel = _log_aitken if axis[1] else _log_gauss
            found = [0.0 if p is None else kernel(place - p, self.bandwidth(axis), axis[1]) for p in places]
            self._log_kernels[axis, place] = found
        return found

    def bandwidth(self, axis: Axis) -> float:
        """Return how far the kernels reach on an axis that a point has."""
        if (found := self._bandwidths.get(axis)) is None:
            places, n_options = [point[axis] for point in self.points if axis in point], axis[1]
            spread = _impurity(places) if n_options else _variance(places)
            found = max(1.06 * math.sqrt(spread) * len(places) ** (-1 / (4 + self._n_axes)), _LEAST_BANDWIDTH)
            self._bandwidths[axis] = found = min(found, 1 - 1 / n_options) if n_options else found
        return found


def _impurity(places: list[float]) -> float:
    return 1 - sum([(count / len(places)) ** 2 for count in Counter(places).values()])


def _variance(places: list[float]) -> float:
    mean = sum(places) / len(places)
    return sum([(place - mean) ** 2 for place in places]) / len(places)


def _log_aitken(difference: float, h: float, n_options: int) -> float:
    return math.log((h / (n_options - 1) if difference else 1 - h) * n_options)


def _log_gauss(difference: float, h: float, _: int) -> float:
    return -0.5 * (difference / h) ** 2 - math.log(h * math.sqrt(2 * math.pi))

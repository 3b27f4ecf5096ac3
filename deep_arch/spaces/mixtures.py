"""Mixtures: relaxed decisions, which take several values of a domain at once, each with a weight."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deep_arch.errors import BadArgument
from deep_arch.language.foreign import unboxed


@dataclass(frozen=True, eq=False)
class Mixture:
    """A decision that is relaxed: a weight for each of several values.

    A super-network runs the values at the active positions, and adds what they give by their weights. So one class
    serves every relaxation: a softmax with all positions active (DARTS), a one-hot weight that carries a gradient with
    one active position (GDAS), two sampled ones (TAS).

    Attributes:
        values: of the decision's domain.
        weights: one for each value: numbers, or scalars of a framework that carry gradients, such as the elements of a
            tensor of one axis.
        active: the positions that are computed, all of them if left out. The weights of the others count for nothing.
        interpolated: whether relaxed widths are brought to the largest active one by averages over neighbouring
            channels, as TAS does, and not by leaving channels out.

    Raises:
        BadArgument: another number of weights than values, a weight that is negative or no finite number, two equal
            values, or a position that there is not.

    Example:
        >>> Mixture((3, 5, 7), (0.2, 0.5, 0.3))
        Mixture(3: 0.2, 5: 0.5, 7: 0.3)
        >>> Mixture((3, 5, 7), (0.2, 0.5, 0.3), active=[1]).most_likely
        5
    """

    values: tuple[Any, ...]
    weights: Any
    active: Sequence[int] = ()
    interpolated: bool = False

    def __post_init__(self) -> None:
        if not hasattr(self.values, "__iter__") or not hasattr(self.weights, "__len__"):
            raise self._wrong("values, and a weight for each", f"{self.values!r} and {self.weights!r}")
        object.__setattr__(self, "values", tuple(self.values))
        n, n_weights = len(self.values), len(self.weights)
        if n == 0 or n != n_weights:
            raise self._wrong("a weight for each of at least one value", f"{n_weights} weights for {n} values")
        if _repeats(self.values):
            raise self._wrong("values that differ", repr(self.values))
        for weight in self.weights:
            wrong = isinstance(weight, int | float) and not (math.isfinite(weight) and weight >= 0)
            if wrong or isinstance(weight, str):
                raise self._wrong("weights that are finite numbers from 0", repr(weight))
        given = tuple([unboxed(i) for i in self.active]) or tuple(range(n))
        if len(set(given)) != len(given) or not all(type(i) is int and 0 <= i < n for i in given):
            raise self._wrong(f"active positions from 0 to {n - 1}, each once", repr(self.active))
        object.__setattr__(self, "active", given)

    @property
    def numbers(self) -> tuple[float, ...]:
        """The weights as plain numbers."""
        return tuple([float(getattr(weight, "detach", lambda w=weight: w)()) for weight in self.weights])

    @property
    def most_likely(self) -> Any:
        """The value with the largest weight, the first of several."""
        numbers = self.numbers
        return self.values[max(range(len(numbers)), key=numbers.__getitem__)]

    def _wrong(self, expected: str, got: str) -> BadArgument:
        return BadArgument(
            f"Mixture: expected {expected}.\n  Got {got}.\n"
            "  Give the values of the decision's domain, and a weight for each: da.Mixture((3, 5), (0.4, 0.6))."
        )

    def __repr__(self) -> str:
        listed = zip(self.values, self.numbers, strict=True)
        return f"Mixture({', '.join([f'{value!r}: {weight:.3g}' for value, weight in listed])})"


def _repeats(values: Sequence[Any]) -> bool:
    return any(a is b or (type(a) is type(b) and a == b) for i, a in enumerate(values) for b in values[:i])

"""Weighted choices: options that are drawn more or less often."""

from __future__ import annotations

import bisect
import itertools
import math
import random
from collections.abc import Iterable, Sequence
from typing import Any

from deep_arch.errors import InvalidDomain, is_kind
from deep_arch.language.domains import Choice
from deep_arch.language.foreign import plain
from deep_arch.language.options import distinct


class Weighted(Choice):
    """One of several options, each drawn as often as its weight says, by which nothing else is told apart."""

    __slots__ = ("_cumulative", "_last", "weights")

    def __init__(self, options: Iterable[Any], weights: Sequence[float]) -> None:
        super().__init__(options)
        self.weights = _checked(weights, len(self.options))
        self._cumulative = list(itertools.accumulate(self.weights))
        self._last = max(i for i, weight in enumerate(self.weights) if weight > 0)

    def draw(self, rng: random.Random) -> Any:
        cumulative = self._cumulative
        return self.options[bisect.bisect_right(cumulative, rng.random() * cumulative[-1], 0, self._last)]

    def part(self, options: Sequence[Any]) -> Choice:
        weights = [self.weights[p] for p in map(self.position, options) if p is not None]
        return Weighted(options, weights) if any(weights) else Choice(options)


def _checked(weights: Any, n_options: int) -> tuple[float, ...]:
    found = [plain(weight) for weight in weights] if hasattr(weights, "__iter__") and not is_kind(weights, str) else []
    numbers = all(is_kind(w, int | float) and not is_kind(w, bool) and math.isfinite(w) and w >= 0 for w in found)
    if len(found) != n_options or not numbers or not any(found) or not math.isfinite(sum(found)):
        raise InvalidDomain(
            f"choice: weights are as many finite numbers of at least 0 as there are options, {n_options}, not all 0.\n"
            f"  Got {weights!r}.\n  Write da.choice(['a', 'b'], weights=[3, 1]) to draw 'a' three times as often."
        )
    return tuple(map(float, found))


def merged(options: Sequence[Any], weights: Sequence[float] | None) -> Choice:
    """Return the choice among options of which some may be equal: they are one then, which has the weight of all."""
    known = Choice(distinct(options))
    if weights is None:
        return known
    total = [0.0] * known.size
    for option, weight in zip(options, _checked(weights, len(options)), strict=True):
        position = known.position(option)
        assert position is not None, "every option is known"
        total[position] += weight
    return Weighted(known.options, total)

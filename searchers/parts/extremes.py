"""Extremes: the largest and the smallest value of a decision."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from deep_arch.language.domains import Choice, Numeric
from deep_arch.spaces.choice_points import ChoicePoint


def extreme(point: ChoicePoint, largest: bool, rng: random.Random) -> Any:
    """Return the largest or smallest number of a decision; where it is not between numbers, one that is drawn.

    Of `False` and `True` the latter is larger, as a part that is left out is none.
    """
    domain = point.domain
    if isinstance(domain, Numeric):
        return domain.at_unit(1.0 if largest else 0.0)
    if isinstance(domain, Choice) and _numbers(domain.options):
        return max(domain.options) if largest else min(domain.options)
    return domain.draw(rng)


def _numbers(options: Sequence[Any]) -> bool:
    return all(isinstance(option, int | float) for option in options)

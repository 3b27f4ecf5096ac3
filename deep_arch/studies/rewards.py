"""Rewards: one number of a quality and a cost, for searchers that learn from one score.

The quality is better the higher, such as an accuracy; the cost is in any unit, that of its target.
"""

from __future__ import annotations

from typing import Any

from deep_arch.errors import BadArgument
from deep_arch.studies.told import finite


def absolute(quality: Any, cost: Any, target: float, weight: float = -0.1) -> Any:
    """Return `quality + weight * |cost / target - 1|`, whose best is at the target.

    Too small costs as much as too large, so that the search uses what it may, and ends near the target.

    Raises:
        BadArgument: the target is not above 0, or the weight above 0.

    Example:
        >>> absolute(0.9, cost=150, target=100)
        0.85

    References:
        Bender et al., Can weight sharing outperform random architecture search? An investigation with TuNAS (CVPR
        2020), equation 4.
    """
    _check(target, weight)
    return quality + weight * abs(cost / target - 1)


def soft_exponential(quality: Any, cost: Any, target: float, weight: float = -0.07) -> Any:
    """Return `quality * (cost / target) ** weight`.

    Raises:
        BadArgument: the target is not above 0, the weight above 0, or the quality below 0, of which a higher cost would
            make more.

    References:
        Tan et al., MnasNet (CVPR 2019), equations 2 and 3, with alpha = beta = weight.
    """
    _check(target, weight, quality)
    return quality * (cost / target) ** weight


def hard_exponential(quality: Any, cost: Any, target: float, weight: float = -1.0) -> Any:
    """Return the quality where the cost is within its target, and else `quality * (cost / target) ** weight`.

    Raises:
        BadArgument: the target is not above 0, the weight above 0, or the quality below 0.

    References:
        Tan et al., MnasNet (CVPR 2019), equations 2 and 3, with alpha = 0 and beta = weight.
    """
    _check(target, weight, quality)
    return quality * (cost / target) ** weight if cost > target else quality


def _check(target: float, weight: float, quality: Any = 0) -> None:
    above, below = finite(target), finite(weight)
    if above is None or below is None or not above > 0 or below > 0:
        wrong_target = above is None or not above > 0
        name, got, expected = ("target", target, "above 0") if wrong_target else ("weight", weight, "at most 0")
        raise BadArgument(
            f"rewards: {name} is to be {expected}.\n  Got {got!r}.\n"
            "  Give the cost that is wanted, in the cost's unit, and a weight such as -0.1: more cost is worse."
        )
    if quality < 0:
        raise BadArgument(
            f"rewards: quality is to be at least 0 where a factor of the cost is applied.\n  Got {quality!r}.\n"
            "  Give an accuracy, or use rewards.absolute, which takes a negative loss too."
        )

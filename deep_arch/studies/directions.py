"""Directions: whether more of an objective is better, or less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from deep_arch.errors import BadArgument

Direction = Literal["maximize", "minimize"]


def listed_directions(given: Any) -> tuple[Direction, ...]:
    """Return a direction for each objective, where one may stand alone.

    Raises:
        BadArgument: what is neither a direction nor a sequence of some.
    """
    directions: tuple[Any, ...] = (given,) if isinstance(given, str) or not hasattr(given, "__iter__") else tuple(given)
    if not directions or any(d not in ("maximize", "minimize") for d in directions):
        raise BadArgument(
            "search: directions is 'maximize', 'minimize', or a sequence of these for several objectives.\n"
            f"  Got {given!r}.\n  Write directions='minimize' for a loss."
        )
    return directions


def upward(scores: Sequence[float], directions: Sequence[Direction]) -> tuple[float, ...]:
    """Return scores, of which there are none unless a trial is complete, turned so that more is better."""
    return tuple([score * sign(direction) for score, direction in zip(scores, directions, strict=False)])


def sign(direction: Direction) -> int:
    """Return what a score is multiplied with, so that more is better."""
    return -1 if direction == "minimize" else 1

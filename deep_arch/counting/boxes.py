"""Boxes: combinations of values with the same effect, as few products of sets of values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from deep_arch.counting.factors import ANY

_Effect = TypeVar("_Effect")

Box = tuple[int, ...]
"""For each hyperparameter a set of values, as a mask of their positions, or ANY for all."""


def boxes(
    found: Iterable[tuple[tuple[int, ...], _Effect]], sizes: Sequence[Mapping[tuple[int, ...], int | float]]
) -> list[tuple[Box, _Effect]]:
    """Return boxes, no two of which have a combination in common, with the effect of all in each.

    Values of the last hyperparameter with one effect become one set; then those of the one before with the same sets
    behind them, and so on: a decision tree reduced from its leaves (Bryant, Graph-based algorithms for Boolean function
    manipulation, 1986, section 4.2).

    Args:
        found: the position of each hyperparameter's value, or ANY for one that stands for all, and the effect. Effects
            are hashable.
        sizes: for each hyperparameter the size of its domain by the positions before it. One whose domain is of
            another size is another decision.
    """
    level: dict[tuple[int, ...], Any] = dict(found)
    for i in reversed(range(len(sizes))):
        children: dict[tuple[int, ...], dict[Any, list[int]]] = {}
        for positions, effect in level.items():
            children.setdefault(positions[:i], {}).setdefault(effect, []).append(positions[i])
        level = {
            before: (size := sizes[i][before], tuple([(_mask(p, size), effect) for effect, p in groups.items()]))
            for before, groups in children.items()
        }
    return list(_paths(level[()], len(sizes)))


def _mask(positions: list[int], size: int | float) -> int:
    if positions[0] == ANY or len(positions) == size:
        return ANY
    if len(positions) < 64:
        return sum([1 << position for position in positions])
    bits = bytearray(max(positions) // 8 + 1)
    for position in positions:
        bits[position // 8] |= 1 << position % 8
    return int.from_bytes(bits, "little")


def _paths(tree: Any, depth: int) -> Iterable[tuple[Box, Any]]:
    todo: list[tuple[Box, Any]] = [((), tree)]
    while todo:
        box, rest = todo.pop()
        if len(box) == depth:
            yield box, rest
        else:
            todo += [((*box, mask), inner) for mask, inner in reversed(rest[1])]

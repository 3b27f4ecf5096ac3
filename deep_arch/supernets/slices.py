"""Slices: what part of the largest weight an operation uses, by the roles of its axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from deep_arch.language.weights import Axis, Role, Weight

Segments: TypeAlias = tuple[tuple[int, int], ...]
"""Which of the widest channels a value has, as ranges from and to; None in its place for the first ones."""

Factor: TypeAlias = tuple[Sequence[int], int]
"""The positions that are used along an axis, or along one of several that are one axis, and how many there are."""


def factors(weight: Weight, largest: Weight, channels: Sequence[Segments | None]) -> list[list[Factor]]:
    """Return for each axis of a weight what is used of the largest one.

    Args:
        weight: what an operation holds on some inputs.
        largest: of the same kind.
        channels: for each input, which of the widest channels it has.

    Example:
        The middle of a window of 5, all of 2 input channels, and the first 4 of 8 filters:

        >>> axes = ("kernel", "in", "out")
        >>> factors(Weight((3, 2, 4), axes=axes), Weight((5, 2, 8), axes=axes), [None])
        [[(range(1, 4), 5)], [(range(0, 2), 2)], [(range(0, 4), 8)]]
    """
    if weight.axes is None or largest.axes is None:
        return [[(range(n), n)] for n in weight.shape]
    sizes = zip(weight.axes, weight.shape, largest.axes, largest.shape, strict=True)
    return [_axis(axis, n, most_axis, most, channels) for axis, n, most_axis, most in sizes]


def _axis(axis: Axis, n: int, most_axis: Axis, most: int, channels: Sequence[Segments | None]) -> list[Factor]:
    if isinstance(axis, str) or isinstance(most_axis, str):
        return [_factor(axis, n, most, channels)] if isinstance(axis, str) else [(range(n), most)]
    pairs = zip(axis, most_axis, strict=True)
    return [_factor(role, size, largest, channels) for (role, size), (_, largest) in pairs]


def _factor(role: Role, n: int, most: int, channels: Sequence[Segments | None]) -> Factor:
    if role == "kernel":
        start = (most - 1) // 2 - (n - 1) // 2  # which agrees with padding "same", for even windows too
        return range(start, start + n), most
    if role in ("in", "in1", "in2"):
        number = int(role[2:] or 0)
        segments = channels[number] if number < len(channels) else None
        if segments is not None:
            taken = [i for start, stop in segments for i in range(start, stop)]
            if len(taken) == n and taken[-1] < most:
                return taken, most
    return range(n), most


def positions(parts: Sequence[Factor]) -> Sequence[int]:
    """Return the positions along an axis that is several in one; a range where they lie side by side.

    Example:
        >>> positions([(range(0, 2), 2), (range(0, 3), 4)])
        [0, 1, 2, 4, 5, 6]
    """
    found: list[int] = [0]
    for taken, most in parts:
        found = [at * most + i for at in found for i in taken]
    whole = range(found[0], found[-1] + 1) if found else range(0)
    return whole if len(whole) == len(found) else found


def segments_of(taken: Sequence[int]) -> Segments | None:
    """Return positions as ranges; None for the first ones."""
    found: list[tuple[int, int]] = []
    for i in taken:
        if found and found[-1][1] == i:
            found[-1] = found[-1][0], i + 1
        else:
            found.append((i, i + 1))
    return None if len(found) == 1 and found[0][0] == 0 else tuple(found)

"""Several objectives at once: domination, fronts, crowding and hypervolume. More is better in every objective."""

from __future__ import annotations

import math
import operator
from bisect import bisect_left
from collections.abc import Sequence
from functools import partial

Point = tuple[float, ...]


def dominates(a: Point, b: Point) -> bool:
    """Return whether `a` is at least as good as `b` everywhere and better somewhere."""
    return a != b and all(map(operator.ge, a, b))


def fronts(points: Sequence[Point]) -> list[list[int]]:
    """Return the positions of the points, front by front.

    No other point dominates one of the first front; without the first front none dominates one of the second; and so
    on. Each front stands in falling order of the first objective, and equal points in the order in which they came.

    Example:
        >>> fronts([(1, 1), (3, 1), (1, 3), (0, 0)])
        [[1, 2], [0], [3]]

    References:
        Deb, Agrawal, Pratap and Meyarivan, A fast elitist non-dominated sorting genetic algorithm (PPSN 2000), for
        the fronts; Zhang, Tian, Cheng and Jin, An efficient approach to nondominated sorting (IEEE Transactions on
        Evolutionary Computation, 2015), algorithm 1 with binary search, for the way to find them.
    """
    found: list[list[int]] = []
    for i in sorted(range(len(points)), key=points.__getitem__, reverse=True):
        # Nothing later in this order dominates a point, and what a front dominates, all fronts before it dominate.
        rank = bisect_left(found, True, key=partial(_undominated, points, i))
        if rank == len(found):
            found.append([])
        found[rank].append(i)
    return found


def _undominated(points: Sequence[Point], i: int, front: list[int]) -> bool:
    return not any(dominates(points[j], points[i]) for j in reversed(front))


def crowding_distances(points: Sequence[Point]) -> list[float]:
    """Return how far apart the neighbours of each point of a front are, summed over the objectives.

    The points at the ends of an objective have the distance infinity. Distances are shares of the front's range.

    References:
        Deb, Pratap, Agarwal and Meyarivan, A fast and elitist multiobjective genetic algorithm: NSGA-II (IEEE
        Transactions on Evolutionary Computation, 2002), section III.B.
    """
    distances = [0.0] * len(points)
    for scores in zip(*points, strict=True):
        order = sorted(range(len(points)), key=scores.__getitem__)
        distances[order[0]] = distances[order[-1]] = math.inf
        span = scores[order[-1]] - scores[order[0]]
        if span > 0:
            for before, here, after in zip(order, order[1:], order[2:], strict=False):
                distances[here] += (scores[after] - scores[before]) / span
    return distances


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """Return the exact volume that the points dominate above a reference point.

    Example:
        >>> hypervolume([(3, 1), (1, 3), (2, 2)], reference=(0, 0))
        6.0

    References:
        While, Bradstreet and Barone, A fast way of calculating exact hypervolumes (IEEE Transactions on Evolutionary
        Computation, 2012): the algorithm WFG, with slicing along the first objective.
    """
    above = [tuple(map(operator.sub, point, reference)) for point in points]
    return float(_volume([point for point in above if min(point) > 0]))


def _volume(points: list[Point]) -> float:
    """Return the volume between the origin and points above it."""
    if not points or len(points[0]) == 1:
        return max(points, default=(0.0,))[0]
    front = [points[i] for i in fronts(points)[0]]
    if len(front[0]) == 2:
        return sum(a * (b - below) for (a, b), (_, below) in zip(front, [(0, 0), *front], strict=False))
    total = 0.0
    for i, (first, *rest) in enumerate(front):
        # Those before reach further along the first objective, so what they share with this point has its length.
        shared = [tuple(map(min, rest, other[1:])) for other in front[:i]]
        total += first * (math.prod(rest) - _volume(shared))
    return total

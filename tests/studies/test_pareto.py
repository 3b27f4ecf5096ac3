"""Domination, fronts, crowding and hypervolume, beside what their definitions give by brute force."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from deep_arch.studies.pareto import Point, crowding_distances, dominates, fronts, hypervolume


def points(n: int, objectives: int, seed: int) -> list[Point]:
    """Return points on a small grid, so that many scores and some points are equal."""
    rng = random.Random(seed)
    return [tuple([rng.randint(0, 6) for _ in range(objectives)]) for _ in range(n)]


def peeled(given: list[Point]) -> list[list[int]]:
    """Return the fronts by their definition: what nothing that is left dominates, again and again."""
    left, found = list(range(len(given))), list[list[int]]()
    while left:
        found.append([i for i in left if not any(dominates(given[j], given[i]) for j in left)])
        left = [i for i in left if i not in found[-1]]
    return found


def covered(given: list[Point], reference: Point) -> int:
    """Return the hypervolume of points on a grid, cell by cell."""
    cells = itertools.product(*[range(int(low), 7) for low in reference])
    return sum(any(all(c < s for c, s in zip(cell, point, strict=True)) for point in given) for cell in cells)


def test_domination_is_better_somewhere_and_worse_nowhere() -> None:
    assert dominates((1, 2), (1, 1)) and dominates((2, 2), (1, 1))
    assert not dominates((1, 1), (1, 1)) and not dominates((2, 0), (1, 1)) and not dominates((1, 1), (1, 2))


@pytest.mark.parametrize("objectives", [1, 2, 3, 5])
def test_fronts_are_what_peeling_gives(objectives: int) -> None:
    for seed in range(20):
        given = points(40, objectives, seed)
        assert [sorted(front) for front in fronts(given)] == peeled(given)


def test_no_points_have_no_fronts_and_no_volume() -> None:
    assert fronts([]) == [] and crowding_distances([]) == [] and hypervolume([], (0, 0)) == 0


def test_crowding_adds_the_shares_of_the_neighbours_distances() -> None:
    inner = (3 - 0) / 10 + (10 - 2) / 10, (10 - 1) / 10 + (7 - 0) / 10
    assert crowding_distances([(0, 10), (1, 7), (3, 2), (10, 0)]) == pytest.approx([math.inf, *inner, math.inf])


def test_crowding_ignores_an_objective_in_which_all_are_equal() -> None:
    assert crowding_distances([(0, 5), (1, 5), (4, 5)])[1] == 1
    assert crowding_distances([(2, 5)]) == [math.inf]


@pytest.mark.parametrize(("objectives", "n"), [(1, 5), (2, 12), (3, 12), (4, 10), (5, 8)])
def test_hypervolume_is_the_number_of_dominated_cells(objectives: int, n: int) -> None:
    expected = [covered(points(n, objectives, seed), (0,) * objectives) for seed in range(8)]
    assert sum(expected) > 30
    assert [hypervolume(points(n, objectives, seed), (0,) * objectives) for seed in range(8)] == expected


def test_only_what_is_better_than_the_reference_everywhere_has_volume() -> None:
    assert hypervolume([(2, 0), (0, 2)], reference=(0, 0)) == 0
    assert hypervolume([(2, 0), (1, 2)], reference=(-1, -1)) == 3 * 1 + 2 * 3 - 2 * 1


def test_hypervolume_of_huge_points_is_no_error() -> None:
    assert hypervolume([(1e300, 1e8), (1e200, 1e108), (1e8, 1e300)], (0, 0)) == math.inf

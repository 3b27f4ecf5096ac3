from __future__ import annotations

import random
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searchers import LocalSearch, RandomSearch
from deep_arch.studies.searcher import FinishedTrial, Values
from deep_arch.testing.searcher_contract import SearcherContract


class TestLocalSearch(SearcherContract):
    def make(self) -> LocalSearch:
        return LocalSearch()


class TestOfBestMove(SearcherContract):
    def make(self) -> LocalSearch:
        return LocalSearch(move="best", restarts=False)


@da.space
def grid(x: Any) -> Any:
    """Have two hyperparameters of five options each."""
    return ops.Dense(units=da.choice([1, 2, 3, 4, 5], name="a"))(
        ops.Dense(units=da.choice([1, 2, 3, 4, 5], name="b"))(x)
    )


def climb(searcher: LocalSearch, score: Any, n: int) -> list[Values]:
    searcher.start(grid, random.Random(0))
    asked: list[Values] = []
    for number in range(n):
        values = searcher.ask()
        if values is None:
            break
        asked.append(values)
        searcher.tell(FinishedTrial(number, values, (score(values),)))
    return asked


def n_different(a: Values, b: Values) -> int:
    return sum(a[address] != b[address] for address in a)


def test_tries_every_neighbour_and_ends_at_the_top() -> None:
    asked = climb(LocalSearch(restarts=False), lambda values: 0, 100)
    assert len(asked) == 1 + 8
    assert all(n_different(asked[0], other) == 1 for other in asked[1:])
    assert len({tuple(values.items()) for values in asked}) == 9


def test_the_first_move_leaves_the_neighbourhood_and_the_best_one_does_not() -> None:
    def score(values: Values) -> float:
        return float(values["a"] + 10 * values["b"])

    best = climb(LocalSearch("best", restarts=False), score, 100)
    start, first_round, second_round = best[0], best[1:9], best[9:17]
    assert all(n_different(start, other) == 1 for other in first_round)
    top = max(first_round, key=score)
    assert all(n_different(top, other) == 1 for other in second_round)
    first = climb(LocalSearch("first", restarts=False), score, 100)
    better = next(i for i, values in enumerate(first) if score(values) > score(first[0]))
    assert all(n_different(first[0], other) == 1 for other in first[1 : better + 1])
    assert n_different(first[better], first[better + 1]) == 1
    assert max(map(score, first)) == max(map(score, best)) == 55


def test_starts_again_from_every_top() -> None:
    asked = climb(LocalSearch(), lambda values: 0, 100)
    starts = asked[::9]
    assert len({tuple(values.items()) for values in starts}) > 5


def test_never_waits_for_results() -> None:
    searcher = LocalSearch()
    searcher.start(grid, random.Random(0))
    assert all(searcher.ask() is not None for _ in range(50))


def test_finds_more_than_random_search() -> None:
    net = da.space(lambda x: ops.Dense(units=da.subset(range(20), 5))(x))

    def best(searcher: da.Searcher, seed: int) -> float:
        search = da.search(net, searcher, trials=100, seed=seed)
        for trial in search:
            trial.tell(sum(trial.values["dense.units"]))
        return search.best.score or 0.0

    assert sum(best(LocalSearch(), s) for s in range(5)) > sum(best(RandomSearch(), s) for s in range(5))


def test_an_unknown_move_is_refused() -> None:
    with pytest.raises(BadArgument, match=r"LocalSearch: move is 'first' or 'best'(.|\n)*Got 'worst'"):
        LocalSearch("worst")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("n_out", [1, 2, 4, 8])
def test_a_hill_is_left_at_its_top_however_many_are_out(n_out: int) -> None:
    # Ten hills of 20 numbers each, with steps of one: what is asked after a top stands on the hill of a new start.
    hills = da.space(lambda x: ops.Dense(units=da.integer(0, 199))(x))

    def height(units: int) -> float:
        return -abs(units % 20 - 10)

    searcher = LocalSearch()
    searcher.start(hills, random.Random(0))
    out: list[Values] = []
    tops: set[int] = set()
    for number in range(600):
        out.append(searcher.ask() or {})
        if len(out) == n_out:
            values = out.pop(0)
            tops.update([values["dense.units"]] if values["dense.units"] % 20 == 10 else [])
            searcher.tell(FinishedTrial(number, values, (height(values["dense.units"]),)))
    assert len(tops) >= 8


def test_a_late_neighbour_is_heard_only_above_its_top() -> None:
    line = da.space(lambda x: ops.Dense(units=da.integer(0, 100, name="n"))(x))

    def told(late: float) -> Values | None:
        searcher = LocalSearch()
        searcher.start(line, random.Random(0))
        top = searcher.ask() or {}
        searcher.tell(FinishedTrial(0, top, (5.0,)))
        neighbours = [searcher.ask() or {} for _ in range(2)]
        start = searcher.ask() or {}
        assert {abs(n["n"] - top["n"]) for n in neighbours} == {1} and abs(start["n"] - top["n"]) > 1
        searcher.tell(FinishedTrial(1, start, (1.0,)))
        searcher.tell(FinishedTrial(2, neighbours[0], (late,)))
        asked = searcher.ask() or {}
        return start if abs(asked["n"] - start["n"]) == 1 else neighbours[0]

    assert told(4.0) == told(5.0) != told(6.0)

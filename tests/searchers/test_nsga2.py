from __future__ import annotations

import random
import statistics

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searchers import NSGA2, RandomSearch
from deep_arch.searchers.parts.generations import Member
from deep_arch.studies.pareto import hypervolume
from deep_arch.studies.searcher import FinishedTrial, Searcher
from deep_arch.testing.searcher_contract import SearcherContract


class TestNSGA2(SearcherContract):
    n_objectives = 2

    def make(self) -> NSGA2:
        return NSGA2(population=6)


def member(*scores: float) -> Member:
    return Member({"scores": scores}, scores)


def test_survivors_are_the_first_fronts_and_the_least_crowded_of_the_last() -> None:
    parents = [member(0, 10), member(10, 0), member(5, 5), member(1, 1)]
    children = [member(2, 8.5), member(2.5, 8), member(9, 0.5), member(4, 4)]
    # The range of both objectives is 10, so of the first front, in order of the first objective:
    #   (2, 8.5)  (2.5 - 0) + (10 - 8)     = 4.5
    #   (2.5, 8)  (5 - 2)   + (8.5 - 5)    = 6.5
    #   (5, 5)    (9 - 2.5) + (8 - 0.5)    = 14
    #   (9, 0.5)  (10 - 5)  + (5 - 0)      = 10
    survivors = NSGA2(population=7).survivors(parents, children)
    assert {m.gains for m in survivors[:2]} == {(0, 10), (10, 0)}
    assert [m.gains for m in survivors[2:]] == [(5, 5), (9, 0.5), (2.5, 8), (2, 8.5), (4, 4)]
    assert NSGA2(population=5).survivors(parents, children) == survivors[:5]


def test_with_one_objective_the_best_of_parents_and_children_survive() -> None:
    survivors = NSGA2(population=3).survivors([member(1), member(4)], [member(3), member(5), member(2)])
    assert [m.gains for m in survivors] == [(5,), (4,), (3,)]


N_PARTS = 12


@da.space
def trade_off(x: da.Value) -> da.Value:
    """Let each of twelve parts serve one of two objectives, best if all that serve the first stand in front."""
    return da.sequential(*[lambda: ops.Dense(units=da.choice([0, 1, 2, 3])) for _ in range(N_PARTS)])(x)


def scores(values: da.Values) -> tuple[float, float]:
    units = list(values.values())
    first = sum(u == 0 for u in units[: N_PARTS // 2]) + sum(u == 1 for u in units)
    return first, sum(u == 2 for u in units[N_PARTS // 2 :]) + sum(u == 1 for u in units) / 2


def reached(searcher: Searcher, seed: int) -> float:
    """Return the hypervolume after 300 trials."""
    searcher.start(trade_off, random.Random(seed))
    found: list[tuple[float, ...]] = []
    for number in range(300):
        values = searcher.ask()
        assert values is not None
        found.append(scores(values))
        searcher.tell(FinishedTrial(number, values, found[-1]))
    return hypervolume(found, (0, 0))


def test_beats_random_search() -> None:
    ours, random_search = (
        statistics.mean(reached(make(), seed) for seed in range(5)) for make in (lambda: NSGA2(20), RandomSearch)
    )
    assert ours > 1.3 * random_search


def test_proposes_nothing_again_that_is_in_the_population_or_out() -> None:
    searcher = NSGA2(population=5)
    space = da.space(lambda x: ops.Dense(units=da.integer(1, 60))(x))
    searcher.start(space, random.Random(0))
    asked = [searcher.ask()["dense.units"] for _ in range(20)]
    assert len(set(asked)) == 20


def test_generations_pass_without_the_results_that_are_still_out() -> None:
    searcher = NSGA2(population=4, crossover_rate=0.0, mutation=lambda space, values, rng: values)
    searcher.start(trade_off, random.Random(0))
    proposals = [searcher.ask() for _ in range(8)]
    for number in (5, 7, 6, 4):
        searcher.tell(FinishedTrial(number, proposals[number], (float(number), 0.0)))
    assert {tuple(searcher.ask().items()) for _ in range(30)} <= {tuple(p.items()) for p in proposals[4:]}


def test_rates_are_checked() -> None:
    with pytest.raises(BadArgument, match=r"NSGA2: crossover_rate is a number from 0 to 1.\n  Got 2 "):
        NSGA2(crossover_rate=2)
    with pytest.raises(BadArgument, match=r"NSGA2: population is an int of at least 1.\n  Got 0 "):
        NSGA2(population=0)

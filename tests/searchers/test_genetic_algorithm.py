from __future__ import annotations

import random
import statistics
from collections import Counter
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searchers import GeneticAlgorithm, RandomSearch
from deep_arch.searchers.parts.generations import Member
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values
from deep_arch.testing.searcher_contract import SearcherContract


class TestGeneticAlgorithm(SearcherContract):
    def make(self) -> GeneticAlgorithm:
        return GeneticAlgorithm(population=6, tournament=2, elite=2)


def member(score: float) -> Member:
    return Member({"score": score}, (score,))


def scores(members: list[Member]) -> list[float]:
    return [m.gains[0] for m in members]


def test_the_elite_takes_the_place_of_the_worst_children() -> None:
    parents, children = [member(9), member(8), member(7)], [member(1), member(5), member(3)]
    assert scores(GeneticAlgorithm(population=3, elite=1).survivors(parents, children)) == [9, 5, 3]
    assert scores(GeneticAlgorithm(population=3, elite=2).survivors(parents, children)) == [9, 8, 5]
    assert scores(GeneticAlgorithm(population=3, elite=0).survivors(parents, children)) == [5, 3, 1]


@da.space
def bits(x: Any) -> Any:
    """Choose 16 of four options each."""
    return da.sequential(*[lambda: ops.Dense(units=da.choice([1, 2, 3, 4])) for _ in range(16)])(x)


def ones(values: Values) -> float:
    return float(sum(value == 1 for value in values.values()))


def best(searcher: Searcher, seed: int) -> float:
    """Return the best score of 300 trials."""
    searcher.start(bits, random.Random(seed))
    found: list[float] = []
    for number in range(300):
        values = searcher.ask()
        assert values is not None
        found.append(ones(values))
        searcher.tell(FinishedTrial(number, values, (found[-1],)))
    return max(found)


def test_beats_random_search() -> None:
    ours = statistics.mean(best(GeneticAlgorithm(population=20), seed) for seed in range(5))
    assert ours > 3 + statistics.mean(best(RandomSearch(), seed) for seed in range(5))


def kept(space: da.SearchSpace, values: Values, rng: random.Random) -> Values:
    return values


def bred(n: int, **settings: Any) -> tuple[list[Values], list[Values]]:
    """Return a population, best first, and `n` of its children when nothing is mutated."""
    searcher = GeneticAlgorithm(population=4, elite=0, mutation=kept, **settings)
    searcher.start(bits, random.Random(0))
    parents = [searcher.ask() for _ in range(4)]
    for number, values in enumerate(parents):
        searcher.tell(FinishedTrial(number, values, (-float(number),)))
    return parents, [searcher.ask() for _ in range(n)]


def test_a_tournament_of_k_is_won_by_the_best_of_k_drawn() -> None:
    n = 2000
    parents, children = bred(n, tournament=3, crossover_rate=0.0)
    wins = Counter(parents.index(child) for child in children)
    for place in range(4):  # not won by one of the better ones, and not by one of the worse ones
        expected = ((4 - place) / 4) ** 3 - ((3 - place) / 4) ** 3
        assert wins[place] / n == pytest.approx(expected, abs=4 * (expected * (1 - expected) / n) ** 0.5)


def test_children_of_two_parents_have_the_values_of_both() -> None:
    parents, children = bred(50, tournament=1, crossover_rate=1.0)
    for child in children:
        assert all(any(parent[address] == value for parent in parents) for address, value in child.items())
    assert sum(child not in parents for child in children) > 25


def test_the_first_generation_is_drawn_until_it_is_full_of_scores() -> None:
    searcher = GeneticAlgorithm(population=3, mutation=kept, crossover_rate=0.0)
    searcher.start(bits, random.Random(0))
    for number in range(30):
        searcher.tell(FinishedTrial(number, searcher.ask(), state="failed"))
    assert len({tuple(searcher.ask().items()) for _ in range(20)}) == 20


def test_arguments_are_checked() -> None:
    with pytest.raises(BadArgument, match=r"GeneticAlgorithm: elite is an int of at least 0.\n  Got -1 "):
        GeneticAlgorithm(elite=-1)
    with pytest.raises(BadArgument, match=r"GeneticAlgorithm: tournament is an int of at least 1.\n  Got 2.5 "):
        GeneticAlgorithm(tournament=2.5)  # type: ignore[arg-type]

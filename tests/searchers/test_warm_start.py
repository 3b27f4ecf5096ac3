from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searchers import (
    EarlyStopping,
    MonteCarloTreeSearch,
    ProximalPolicy,
    RandomSearch,
    RegularizedEvolution,
    SurrogateSearch,
    WarmStart,
    median_rule,
)
from deep_arch.studies.searcher import FinishedTrial, Searcher
from deep_arch.testing.searcher_contract import SearcherContract
from deep_arch.testing.searcher_spaces import SPACES


@da.space
def line(x: Any) -> Any:
    return ops.Dense(units=da.integer(1, 1000))(x)


def earlier(direction: Any = "maximize") -> da.Search:
    search = da.search(line, RandomSearch(), trials=60, seed=0, directions=direction)
    for trial in search:
        distance = abs(trial.values["dense.units"] - 420)
        trial.tell(distance if direction == "minimize" else -distance)
    return search


KNOWN = [
    FinishedTrial(n, SPACES["conditional"].sample(n).values, (float(n),), {0: n / 2, 1: float(n)}) for n in range(8)
]


@pytest.mark.filterwarnings("ignore:.*earlier trials:deep_arch.SearchWarning")
class TestWarmStart(SearcherContract):
    """With earlier trials of one of the contract's spaces, which are no architectures of the others."""

    def make(self) -> WarmStart:
        return WarmStart(RegularizedEvolution(population=5, sample=2), KNOWN)


class TestOfPolicy(TestWarmStart):
    def make(self) -> WarmStart:
        return WarmStart(ProximalPolicy(batch=5), KNOWN)


class TestOfTree(TestWarmStart):
    def make(self) -> WarmStart:
        return WarmStart(MonteCarloTreeSearch(), KNOWN)


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_a_searcher_goes_on_from_what_is_known(direction: Any) -> None:
    before = earlier(direction)
    search = da.search(line, WarmStart(RegularizedEvolution(population=50), before.results), trials=100, seed=1)
    first = next(search)
    assert abs(first.values["dense.units"] - 420) < 500
    first.skip()
    evolved = []
    for trial in search:
        evolved.append(abs(trial.values["dense.units"] - 420))
        trial.tell(-evolved[-1])
    assert sum(evolved) / len(evolved) < 130, "drawn at random it would be 250"


def test_results_are_what_a_searcher_is_told() -> None:
    results = earlier("minimize").results
    assert len(results) == 60 and all(result.gains[0] <= 0 for result in results)


def test_trials_of_another_space_are_left_out() -> None:
    told: list[Mapping[str, Any]] = []

    class Recording(RandomSearch):
        def tell(self, trial: FinishedTrial) -> None:
            told.append(trial.values)

    trials = [FinishedTrial(0, {"dense.units": n}, (1.0,)) for n in (10, 2000)] + [FinishedTrial(1, {"n": 1}, (1.0,))]
    with pytest.warns(da.SearchWarning, match="line: 2 of 3 earlier trials are no architectures"):
        WarmStart(Recording(), trials).start(line, random.Random(0))
    assert told == [{"dense.units": 10}]


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(BadArgument, match="WarmStart: expected a searcher to wrap"):
        WarmStart("random", ())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadArgument, match=r"WarmStart: expected finished trials(.|\n)*search.results"):
        WarmStart(RandomSearch(), [3])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("make", [MonteCarloTreeSearch, SurrogateSearch, lambda: RegularizedEvolution(population=20)])
def test_what_is_known_leads_to_what_is_good(make: Callable[[], Searcher]) -> None:
    def mean_distance(trials: Sequence[FinishedTrial]) -> float:
        search = da.search(line, WarmStart(make(), trials), trials=20, seed=1)
        for trial in search:
            trial.tell(-abs(trial.values["dense.units"] - 420))
        return -sum(trial.score or 0.0 for trial in search.trials) / 20

    assert mean_distance(earlier().results) < mean_distance(()) / 2


def test_earlier_curves_are_told_apart() -> None:
    curves = [FinishedTrial(n, {"dense.units": n + 1}, (1.0,), {0: 1.0}) for n in range(6)]
    inside = WarmStart(EarlyStopping(RandomSearch(), median_rule()), curves[:3])
    search = da.search(line, WarmStart(inside, curves[3:]), trials=1, seed=0)
    trial = next(search)
    trial.report(0.5, step=0)
    assert trial.should_stop()
    trial.skip()

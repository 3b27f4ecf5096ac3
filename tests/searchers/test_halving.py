"""Successive halving in all its forms: rungs, brackets, promotions, and what several workers do to them."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searcher import FinishedTrial, Searcher, Values
from deep_arch.searchers import BOHB, AsynchronousHalving, Hyperband, SuccessiveHalving
from deep_arch.searchers.kernel_density import KernelDensity
from deep_arch.testing.searcher_contract import SearcherContract


class TestSuccessiveHalving(SearcherContract):
    def make(self) -> SuccessiveHalving:
        return SuccessiveHalving(max_budget=9)


class TestHyperband(SearcherContract):
    def make(self) -> Hyperband:
        return Hyperband(max_budget=9)


class TestAsynchronousHalving(SearcherContract):
    def make(self) -> AsynchronousHalving:
        return AsynchronousHalving(max_budget=9)


class TestBOHB(SearcherContract):
    def make(self) -> BOHB:
        return BOHB(max_budget=9, least_points=3, samples=8)


@da.space
def line(x: Any) -> Any:
    return ops.Dense(units=da.integer(1, 1000))(x)


def score(values: Values) -> float:
    return -abs(values["dense.units"] - 420.0)


def trials(searcher: Searcher, n: int) -> list[FinishedTrial]:
    """Return what came of `n` proposals, each told before the next."""
    searcher.start(line, random.Random(0))
    found: list[FinishedTrial] = []
    for number in range(n):
        values = searcher.ask()
        assert values is not None
        found.append(FinishedTrial(number, values, (score(values),), budget=searcher.budget(values)))
        searcher.tell(found[-1])
    return found


def test_the_brackets_of_hyperband_are_those_of_the_paper() -> None:
    # Table 1 of Li et al. (2018): R = 81, eta = 3.
    sizes = [(n, list(budgets)) for n, budgets in Hyperband(max_budget=81).brackets()]
    assert sizes == [(81, [1, 3, 9, 27, 81]), (34, [3, 9, 27, 81]), (15, [9, 27, 81]), (8, [27, 81]), (5, [81])]


def test_the_best_third_goes_on() -> None:
    told = trials(SuccessiveHalving(max_budget=9), 13)
    rungs = [told[:9], told[9:12], told[12:]]
    assert [{trial.budget for trial in rung} for rung in rungs] == [{1}, {3}, {9}]
    for lower, upper in itertools.pairwise(rungs):
        best = sorted((trial.scores[0] for trial in lower), reverse=True)[: len(upper)]
        assert sorted((trial.scores[0] for trial in upper), reverse=True) == best


def test_a_rung_waits_for_its_results_and_failures_do_not_block_it() -> None:
    searcher = SuccessiveHalving(max_budget=3)
    searcher.start(line, random.Random(0))
    out = [searcher.ask() for _ in range(3)]
    assert searcher.ask() is None
    for number, values in enumerate(out):
        assert values is not None
        searcher.tell(FinishedTrial(number, values, state="failed", budget=1))
    assert searcher.ask() is not None, "another bracket begins"


def test_asha_promotes_before_a_rung_is_full_and_never_waits() -> None:
    told = trials(AsynchronousHalving(max_budget=9), 60)
    counts = Counter(trial.budget for trial in told)
    assert counts[1] > counts[3] > counts[9] >= 2
    searcher = AsynchronousHalving(max_budget=9)
    searcher.start(line, random.Random(0))
    assert all(searcher.ask() is not None for _ in range(20))


def test_budgets_are_whole_where_they_are_given_so() -> None:
    assert SuccessiveHalving(max_budget=100).budgets == (1, 3, 11, 33, 100)
    assert SuccessiveHalving(0.1, 0.9).budgets == pytest.approx((0.1, 0.3, 0.9))


@pytest.mark.parametrize("make", [SuccessiveHalving, Hyperband, AsynchronousHalving, BOHB])
def test_wrong_budgets_are_refused(make: Any) -> None:
    with pytest.raises(BadArgument, match=r"budgets have 0 < min_budget <= max_budget(.|\n)*min_budget=9"):
        make(min_budget=9, max_budget=3)
    with pytest.raises(BadArgument, match="eta is an int of at least 2"):
        make(eta=1)


def test_training_goes_on_in_the_folder_of_the_smaller_budget(tmp_path: Path) -> None:
    trained: Counter[str] = Counter()
    search = da.search(line, Hyperband(max_budget=9), trials=40, seed=0, directory=tmp_path / "runs")
    for trial in search:
        checkpoint = trial.directory / "epochs"
        done = int(checkpoint.read_text()) if checkpoint.exists() else 0
        assert (done > 0) == (trial.continues is not None) and trial.budget is not None
        trained[str(trial.directory)] += int(trial.budget) - done
        checkpoint.write_text(str(trial.budget))
        trial.tell(score(trial.values))
    continued = [trial for trial in search.trials if trial.continues is not None]
    assert continued and max(trained.values()) == 9, "no epoch is trained twice"
    assert all(trial.values == search.trials[trial.continues or 0].values for trial in continued)


def test_bohb_finds_more_than_hyperband() -> None:
    net = da.space(
        lambda x: ops.Dense(units=da.integer(1, 1000, name="b"))(ops.Dense(units=da.integer(1, 1000, name="a"))(x))
    )

    def best(searcher: Searcher, seed: int) -> float:
        search = da.search(net, searcher, trials=150, seed=seed)
        for trial in search:
            trial.tell(-abs(trial.values["a"] - 420) - abs(trial.values["b"] - 42))
        return search.best.score or 0.0

    assert sum(best(BOHB(max_budget=9), s) for s in range(4)) > sum(best(Hyperband(max_budget=9), s) for s in range(4))


def test_a_density_is_high_where_its_points_are_and_one_where_they_say_nothing() -> None:
    density = KernelDensity([{("a", 0): 0.2, ("k", 3): 1}, {("a", 0): 0.25, ("k", 3): 1}, {("a", 0): 0.3, ("k", 3): 2}])
    assert density.log({("a", 0): 0.25}) > 0 > density.log({("a", 0): 0.9})
    assert density.log({("k", 3): 1}) > density.log({("k", 3): 2}) > density.log({("k", 3): 0})
    assert density.log({("elsewhere", 0): 0.5}) == pytest.approx(0)

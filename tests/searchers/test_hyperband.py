"""Hyperband: the published brackets, and that it finds more than random search for the same total budget."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searchers import AsynchronousHalving, Hyperband, RandomSearch, SuccessiveHalving
from deep_arch.studies.searcher import Searcher
from deep_arch.testing.searcher_contract import SearcherContract


class TestHyperband(SearcherContract):
    def make(self) -> Hyperband:
        return Hyperband(max_budget=3)


@da.space
def net(x: Any) -> Any:
    da.config(rate=da.real(1e-5, 1, log=True), decay=da.real(1e-5, 1, log=True))
    return ops.Dense(units=da.integer(1, 10**6, log=True))(x)


TABLE_1 = [
    [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
    [(34, 3), (11, 9), (3, 27), (1, 81)],
    [(15, 9), (5, 27), (1, 81)],
    [(8, 27), (2, 81)],
    [(5, 81)],
]
"""Configurations and budgets of the brackets for R = 81 and eta = 3, by algorithm 1 of Li et al. (2018)."""


def test_brackets_are_those_of_the_paper() -> None:
    search = da.search(net, Hyperband(max_budget=81), 206 * 2, seed=0)
    for trial in search:
        trial.tell(random.Random(trial.number).random())
    rungs = [(len(list(group)), budget) for budget, group in itertools.groupby(t.budget for t in search.trials)]
    # The last bracket of a round and the one before end alike, with trials of the largest budget.
    assert rungs == 2 * [*itertools.chain(*TABLE_1[:3]), (8, 27), (2 + 5, 81)]
    assert [(n, budgets[0]) for n, budgets in Hyperband().brackets()] == [bracket[0] for bracket in TABLE_1]


def test_each_bracket_spends_about_the_same() -> None:
    for low, high, eta in [(1, 81, 3), (1, 64, 2), (0.5, 300.0, 4)]:
        searcher = Hyperband(low, high, eta)
        for n, budgets in searcher.brackets():
            assert n >= eta ** (len(budgets) - 1), "one reaches the largest budget"
            assert budgets[-1] == high
            assert n * budgets[0] <= high * (len(searcher.budgets) + 1)


def quality(trial: da.Trial) -> float:
    """Return what training without end would reach: the best is at one place of each scale."""
    rate, decay, units = trial.values["rate"], trial.values["decay"], trial.values["dense.units"]
    return 3 - abs(math.log10(rate / 1e-3)) - abs(math.log10(decay / 1e-2)) - abs(math.log10(units / 256))


def reached(searcher: Searcher, seed: int) -> float:
    """Return the quality of the best fully trained trial after 1,350 epochs; little training is noisy."""
    rng, spent = random.Random(seed), 0.0
    search = da.search(net, searcher, 10**4, seed=seed)
    for trial in search:
        spent += (budget := trial.budget or 27)
        trial.tell(quality(trial) + rng.gauss(0, 1) / budget**0.5)
        if spent >= 27 * 50:
            break
    return quality(max([t for t in search.trials if t.budget in (None, 27)], key=lambda t: t.score or -math.inf))


def test_it_beats_random_search() -> None:
    ours, theirs = ([reached(make(), seed) for seed in range(10)] for make in (lambda: Hyperband(1, 27), RandomSearch))
    assert sum(ours) > sum(theirs) + 1


@pytest.mark.parametrize("searcher", [Hyperband, SuccessiveHalving, AsynchronousHalving])
def test_draw_is_a_function(searcher: Any) -> None:
    with pytest.raises(BadArgument, match=f"{searcher.__name__}: draw is a function"):
        searcher(draw="random")

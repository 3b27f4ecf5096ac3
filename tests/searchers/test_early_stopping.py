from __future__ import annotations

from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searchers import EarlyStopping, RandomSearch, RegularizedEvolution, halving_rule, median_rule
from deep_arch.searchers.early_stopping import Curve
from deep_arch.testing.searcher_contract import SearcherContract


class TestEarlyStopping(SearcherContract):
    def make(self) -> EarlyStopping:
        return EarlyStopping(RegularizedEvolution(population=5, sample=2), median_rule(least_trials=2))


def curve(*scores: float, complete: bool = True) -> Curve:
    return Curve(dict(enumerate(scores)), complete)


def test_the_median_rule_compares_the_best_with_the_averages_so_far() -> None:
    others = [curve(1, 3, 100), curve(2, 4, 100), curve(3, 5, 100)]  # averages up to step 1: 2, 3, 4
    rule = median_rule(least_trials=3)
    assert rule(curve(0, 2.9), others) and not rule(curve(0, 3.1), others)
    assert not rule(curve(3.1, 0), others), "the best so far counts"
    assert not median_rule(least_trials=4)(curve(0, 0), others)
    assert not median_rule(warmup_steps=2, least_trials=3)(curve(0, 0), others)
    assert not rule(curve(0, 0), [*others[:2], curve(9, 9, complete=False)])


def test_the_halving_rule_keeps_the_best_third_of_each_rung() -> None:
    others = [curve(0, 1), curve(0, 2), curve(0, 3), curve(0, 4), curve(0, 5)]
    rule = halving_rule(eta=3, first_step=1)
    assert rule(curve(9, 3.5), others) and not rule(curve(9, 4.5), others)
    assert not rule(curve(0), others), "no rung is reached"
    assert not rule(curve(9, 9, 0), others), "nothing stops between rungs"


def test_a_search_stops_what_falls_behind() -> None:
    net = da.space(lambda x: ops.Dense(units=da.integer(1, 1000))(x))
    search = da.search(net, EarlyStopping(RandomSearch(), median_rule()), trials=40, seed=0)
    stopped: list[int] = []
    for trial in search:
        for epoch in range(5):
            trial.report(trial.values["dense.units"], step=epoch)
            if trial.should_stop():
                stopped.append(trial.number)
                break
        trial.tell(trial.values["dense.units"])
    widths = [trial.values["dense.units"] for trial in search.trials]
    assert 5 < len(stopped) < 30 and min(stopped) >= 5
    assert max(widths[i] for i in stopped) < max(widths)


def test_wrong_arguments_are_refused() -> None:
    rule: Any = "median"
    with pytest.raises(BadArgument, match=r"EarlyStopping: expected a rule(.|\n)*median_rule\(\)"):
        EarlyStopping(RandomSearch(), rule)
    with pytest.raises(BadArgument, match="median_rule: least_trials is an int of at least 1"):
        median_rule(least_trials=0)
    with pytest.raises(BadArgument, match="halving_rule: eta is an int of at least 2"):
        halving_rule(eta=1)

"""Successive halving: how many are given which budget, who goes on, and what waits for what."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searchers import SuccessiveHalving
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values
from deep_arch.testing.searcher_contract import SearcherContract

UNITS = "dense.units"


class TestSuccessiveHalving(SearcherContract):
    def make(self) -> SuccessiveHalving:
        return SuccessiveHalving(max_budget=9)


@da.space
def net(x: Any) -> Any:
    return ops.Dense(units=da.integer(1, 10**6))(x)


def started(searcher: Searcher, seed: int = 0) -> Searcher:
    searcher.start(net, random.Random(seed))
    return searcher


def result(
    searcher: Searcher, values: Values, score: float | None = None, budget: float | None = None
) -> FinishedTrial:
    budget = searcher.budget(values) if budget is None else budget
    return FinishedTrial(0, values, (values[UNITS] if score is None else score,), budget=budget)


def asked(searcher: Searcher, n: int) -> list[Values]:
    found = [searcher.ask() for _ in range(n)]
    return [values for values in found if values is not None]


def test_each_rung_holds_the_best_of_the_one_below() -> None:
    search = da.search(net, SuccessiveHalving(max_budget=27), 40 * 2, seed=0)
    for trial in search:
        trial.tell(trial.values[UNITS])
    for begin in (0, 40):  # two brackets
        bracket = search.trials[begin : begin + 40]
        assert Counter(trial.budget for trial in bracket) == {1: 27, 3: 9, 9: 3, 27: 1}
        for budget, n in [(1, 9), (3, 3), (9, 1)]:
            rung = [trial.values[UNITS] for trial in bracket if trial.budget == budget]
            above = [trial.values[UNITS] for trial in bracket if trial.budget == 3 * budget]
            assert above == sorted(rung)[::-1][:n]
    assert search.trials[0].values != search.trials[40].values


def test_the_number_of_configurations_can_be_chosen() -> None:
    search = da.search(net, SuccessiveHalving(max_budget=27, configurations=5), 12, seed=0)
    for trial in search:
        trial.tell(trial.values[UNITS])
    assert [trial.budget for trial in search.trials] == [1] * 5 + [3, 9, 27] + [1] * 4


def test_a_rung_waits_for_all_of_its_results() -> None:
    searcher = started(SuccessiveHalving(max_budget=9))
    out = asked(searcher, 20)
    assert len(out) == 9
    for values in out[:0:-1]:
        searcher.tell(result(searcher, values))
        assert searcher.ask() is None
    searcher.tell(result(searcher, out[1]))  # told twice
    assert searcher.ask() is None
    searcher.tell(result(searcher, out[0]))
    assert [values[UNITS] for values in asked(searcher, 5)] == sorted(values[UNITS] for values in out)[:-4:-1]


def test_late_news_of_a_lower_rung_changes_nothing() -> None:
    searcher = started(SuccessiveHalving(max_budget=9))
    for values in asked(searcher, 9):
        searcher.tell(result(searcher, values))
    out = asked(searcher, 3)
    for values in out:
        searcher.tell(result(searcher, values, budget=1))
    assert searcher.ask() is None
    for values in out:
        searcher.tell(result(searcher, values))
    assert searcher.ask() == out[0]


def test_failed_trials_block_nothing_and_never_go_on() -> None:
    searcher = started(SuccessiveHalving(max_budget=9))
    first = asked(searcher, 9)
    for values in first[:-2]:
        searcher.tell(FinishedTrial(0, values, state="failed", budget=1))
    for values in first[-2:]:
        searcher.tell(result(searcher, values))
    second = asked(searcher, 9)
    assert len(second) == 2 and all(values in first[-2:] for values in second)
    for values in second:
        searcher.tell(FinishedTrial(0, values, state="skipped", budget=3))
    assert len(asked(searcher, 20)) == 9, "a new bracket, since none is left"


def test_it_resumes_with_trials_out() -> None:
    searcher = started(SuccessiveHalving(max_budget=9))
    out = asked(searcher, 9)
    for values in out[:4]:
        searcher.tell(result(searcher, values))
    resumed = started(SuccessiveHalving(max_budget=9), seed=1)
    resumed.load_state_dict(json.loads(json.dumps(searcher.state_dict())))
    histories: list[list[Values]] = []
    for each in (searcher, resumed):
        assert each.ask() is None
        for values in out[4:]:
            each.tell(result(each, values, budget=1))
        history = asked(each, 2)  # one is left to give
        each.tell(result(each, history[0]))
        histories.append(history)
    resumed.load_state_dict(json.loads(json.dumps(searcher.state_dict())))
    assert histories[0] == histories[1]
    assert asked(searcher, 5) == asked(resumed, 5) != []


def test_a_small_space_is_still_climbed() -> None:
    search = da.search(net.fix({UNITS: 7}), SuccessiveHalving(max_budget=9), 3, seed=0)
    for trial in search:
        trial.tell(1)
    assert [(trial.budget, trial.continues) for trial in search.trials] == [(1, None), (3, 0), (9, 1)]


def test_new_configurations_can_be_drawn_otherwise() -> None:
    searcher = SuccessiveHalving(max_budget=9, draw=lambda space, rng: {UNITS: rng.choice([5, 6])})
    assert {values[UNITS] for values in asked(started(searcher), 9)} == {5, 6}


def test_a_wrong_number_of_configurations_is_refused() -> None:
    with pytest.raises(BadArgument, match=r"SuccessiveHalving: configurations is an int of at least 1\.\n  Got 0 "):
        SuccessiveHalving(configurations=0)

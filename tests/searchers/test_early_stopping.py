"""Early stopping: the rules by hand, and searches that end trials by them."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searchers import EarlyStopping, Hyperband, RandomSearch, halving_rule, median_rule
from deep_arch.searchers.early_stopping import Curve
from deep_arch.studies.searcher import FinishedTrial
from deep_arch.testing.searcher_contract import SearcherContract

UNITS = "dense.units"


class TestEarlyStopping(SearcherContract):
    def make(self) -> EarlyStopping:
        return EarlyStopping(Hyperband(max_budget=3), median_rule())


@da.space
def net(x: Any) -> Any:
    return ops.Dense(units=da.integer(1, 1000))(x)


def curve(*scores: float, complete: bool = True, first: int = 0) -> Curve:
    return Curve(dict(enumerate(scores, first)), complete)


# --- the median rule -------------------------------------------------------------------------------------------------

OTHERS = [curve(1, 3, 8), curve(2, 4, 9), curve(3, 9, 9)]
"""Their averages up to the step 1 are 2, 3 and 6, of which the median is 3."""


def test_a_trial_stops_below_the_median_of_averages() -> None:
    rule = median_rule(least_trials=3)
    assert rule(curve(0, 2.9), OTHERS)
    assert not rule(curve(0, 3.0), OTHERS), "as good as the median"
    assert not rule(curve(3.5, 0), OTHERS), "its best so far counts"
    assert rule(curve(0, 3, 4.9), OTHERS), "up to step 2 the averages are 4, 5 and 7"
    assert not rule(curve(0, 3, 5), OTHERS)


def test_the_median_waits_for_steps_and_trials() -> None:
    low = curve(0, 0)
    assert not median_rule(warmup_steps=2, least_trials=3)(low, OTHERS)
    assert median_rule(warmup_steps=1, least_trials=3)(low, OTHERS)
    assert not median_rule(least_trials=4)(low, OTHERS)
    assert not median_rule()(low, [])


def test_only_complete_trials_make_the_median() -> None:
    running = [curve(9, 9, complete=False)] * 9
    assert not median_rule(least_trials=3)(curve(3, 3), [*running, *OTHERS])
    later = [curve(9, first=5)] * 9
    assert not median_rule(least_trials=3)(curve(3, 3), [*later, *OTHERS]), "nothing reported up to this step"


# --- the halving rule ------------------------------------------------------------------------------------------------


def test_a_trial_stops_unless_among_the_best_share() -> None:
    others = [curve(score, first=1, complete=False) for score in (1, 2, 3, 4, 5)]
    rule = halving_rule(eta=3)
    assert not rule(curve(4.5, first=1), others), "the second of six"
    assert not rule(curve(5, first=1), others)
    assert rule(curve(3.5, first=1), others), "the third of six"
    assert not rule(curve(0, first=1), []), "the first is the best"
    assert rule(curve(0, first=1), others[:1]), "the best of less than eta goes on"


def test_trials_compete_at_rungs_only() -> None:
    better = [curve(*[9] * 20)] * 5
    rule = halving_rule(eta=2, first_step=3)
    stops = [step for step in range(20) if rule(curve(*[0] * (step + 1)), better)]
    assert stops == [3, 6, 12]


def test_a_report_after_the_rung_stands_for_it() -> None:
    others = [Curve({2: 5.0, 7: 1.0}), Curve({5: 5.0})]
    rule = halving_rule(eta=2, first_step=4)
    assert not rule(Curve({3: 0.0}), others)
    assert rule(Curve({3: 9.0, 6: 0.5}), others), "of the others 1 and 5 count"
    assert not rule(Curve({3: 9.0, 6: 5.0}), others)
    assert not rule(Curve({5: 9.0, 6: 0.5}), others), "it competed at step 5"


# --- the wrapper -----------------------------------------------------------------------------------------------------


def curves_so_far(searcher: EarlyStopping) -> Any:
    return json.loads(json.dumps(searcher.state_dict()))["curves"]


def test_curves_of_trials_that_are_out_count() -> None:
    seen: list[list[Curve]] = []

    def rule(own: Curve, others: Any) -> bool:
        seen.append(list(others))
        return max(own.scores) > 0

    searcher = EarlyStopping(RandomSearch(), rule)
    searcher.start(net, random.Random(0))
    assert not searcher.should_stop(0, {UNITS: 1}, {})
    assert not searcher.should_stop(0, {UNITS: 1}, {0: 0.5})
    assert searcher.should_stop(1, {UNITS: 2}, {0: 0.25, 1: 0.75})
    for _ in range(2):
        searcher.tell(FinishedTrial(0, {UNITS: 1}, (1.0,), {0: 0.5, 1: 1.0}))
    searcher.tell(FinishedTrial(2, {UNITS: 3}, state="failed"))
    searcher.should_stop(1, {UNITS: 2}, {0: 0.25})
    running, ended = Curve({0: 0.5}), Curve({0: 0.5, 1: 1.0}, complete=True)
    assert seen == [[], [running], [ended]]
    resumed = EarlyStopping(RandomSearch(), rule)
    resumed.start(net, random.Random(1))
    resumed.load_state_dict(json.loads(json.dumps(searcher.state_dict())))
    assert (
        curves_so_far(resumed) == curves_so_far(searcher) == [[0, [[0, 0.5], [1, 1.0]], True], [1, [[0, 0.25]], False]]
    )


@pytest.mark.parametrize(("rule", "most"), [(median_rule(), 0.75), (halving_rule(), 0.5)])
def test_a_search_ends_what_falls_behind(rule: Any, most: float) -> None:
    search = da.search(net, EarlyStopping(RandomSearch(), rule), 60, seed=0)
    for trial in search:
        score = 0.0
        for epoch in range(1, 28):
            score = trial.values[UNITS] * (1 - 0.8**epoch)
            trial.report(score, step=epoch)
            if trial.should_stop():
                break
        trial.tell(score)
    assert sum(len(trial.intermediate) for trial in search.trials) < most * 60 * 27
    assert search.best.values[UNITS] == max(trial.values[UNITS] for trial in search.trials)
    assert len(search.best.intermediate) == 27


def test_losses_stop_when_they_are_high() -> None:
    search = da.search(
        net, EarlyStopping(RandomSearch(), median_rule(least_trials=1)), 2, directions="minimize", seed=0
    )
    first, second = search.ask(), search.ask()
    assert first is not None and second is not None
    first.report(0.5, step=0)
    first.tell(0.5)
    second.report(0.4, step=0)
    assert not second.should_stop()
    second.report(0.6, step=0)
    assert second.should_stop()


def test_the_searcher_inside_is_heard() -> None:
    always = EarlyStopping(EarlyStopping(RandomSearch(), lambda own, others: True), lambda own, others: False)
    always.start(net, random.Random(0))
    assert always.should_stop(0, {UNITS: 1}, {0: 1.0})
    assert EarlyStopping(Hyperband(max_budget=9), median_rule()).searcher.__class__ is Hyperband
    search = da.search(net, EarlyStopping(Hyperband(max_budget=9), median_rule()), 13, seed=0)
    for trial in search:
        trial.tell(1)
    assert [trial.budget for trial in search.trials] == [1] * 9 + [3] * 3 + [9]


def untyped(wrong: Any) -> Any:
    return wrong


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: EarlyStopping(untyped(RandomSearch), median_rule()), r"EarlyStopping: expected a searcher to wrap"),
        (
            lambda: EarlyStopping(RandomSearch(), untyped("median")),
            r"EarlyStopping: expected a rule(.|\n)*median_rule\(\)\)",
        ),
        (lambda: EarlyStopping(RandomSearch(), untyped(median_rule)), r"EarlyStopping: expected a rule"),
        (lambda: median_rule(warmup_steps=-1), r"median_rule: warmup_steps is an int of at least 0\.\n  Got -1"),
        (lambda: median_rule(least_trials=0), r"median_rule: least_trials is an int of at least 1\.\n  Got 0"),
        (lambda: halving_rule(eta=1), r"halving_rule: eta is an int of at least 2\.\n  Got 1"),
        (lambda: halving_rule(first_step=0), r"halving_rule: first_step is an int of at least 1\.\n  Got 0"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, text: str) -> None:
    with pytest.raises(BadArgument, match=text):
        make()

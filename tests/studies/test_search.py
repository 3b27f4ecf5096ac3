"""The search loop: what a trial may do, what the searcher is told, when the loop ends, and what every error says."""

from __future__ import annotations

import concurrent.futures
import math
import pickle
import random
import subprocess
import sys
import tracemalloc
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, TrialError, ValueOutsideDomain
from deep_arch.searchers import (
    EarlyStopping,
    Feasible,
    RandomSearch,
    RegularizedEvolution,
    halving_rule,
    median_rule,
    within,
)
from deep_arch.studies.search import MAX_DUPLICATES, Search
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values
from deep_arch.studies.trial import SearchWarning, Trial

UNITS = "dense.units"


@da.space
def large(x: Any) -> Any:
    """Hold more than any test asks for."""
    da.config(rate=da.real(0, 1))
    return ops.Dense(units=da.integer(1, 10**6))(x)


@da.space
def four(x: Any) -> Any:
    return ops.Dense(units=da.choice([1, 2, 3, 4]))(x)


@da.space
def twins(x: Any) -> Any:
    """Hold two architectures behind four assignments: the dead branch has no effect."""
    return ops.Dense(units=da.choice([1, 2]))(da.or_([ops.Identity, lambda: da.repeat(ops.ReLU, 0)])(x))


class Script(Searcher):
    """Propose what it was given, and remember what it is told."""

    def __init__(self, proposals: Iterable[Values] = (), budgets: Mapping[int, float] = {}) -> None:
        self.proposals = list(proposals)
        self.budgets = budgets
        self.told: list[FinishedTrial] = []
        self.stops: list[tuple[int, Values, Mapping[int, float]]] = []
        self.asked = 0

    def ask(self) -> Values | None:
        self.asked += 1
        if not self.proposals:
            return None
        return self.proposals.pop(0)

    def budget(self, values: Values) -> float | None:
        return self.budgets.get(self.asked)

    def should_stop(self, number: int, values: Values, intermediate: Mapping[int, float]) -> bool:
        self.stops.append((number, values, dict(intermediate)))
        return len(intermediate) > 1

    def tell(self, trial: FinishedTrial) -> None:
        self.told.append(trial)


def units(*numbers: int) -> list[Values]:
    return [{UNITS: number} for number in numbers]


def one(space: da.SearchSpace = four, values: Values | None = None, **options: Any) -> tuple[Trial, Script]:
    """Return the only trial of a search, and its searcher."""
    searcher = Script([values or {UNITS: 3}])
    return next(da.search(space, searcher, 1, **options)), searcher


def run(searcher: Searcher, space: da.SearchSpace = four, trials: int = 100, **options: Any) -> Search:
    search = da.search(space, searcher, trials, **options)
    for trial in search:
        trial.tell(trial.values[UNITS])
    return search


# --- what a trial holds ----------------------------------------------------------------------------------------------


def test_a_trial_holds_its_architecture_values_and_config() -> None:
    for number, trial in enumerate(da.search(large, RandomSearch(), trials=3, seed=0)):
        assert trial.number == number
        assert trial.state == "running"
        assert trial.budget is None
        assert trial.score is None
        assert trial.architecture == large.at(trial.values)
        assert trial.architecture is trial.architecture, "a running trial keeps its graph"
        assert trial.config == {"rate": trial.values["rate"]}
        trial.tell(1)
        assert trial.architecture == large.at(trial.values)


def test_a_trial_shows_its_state() -> None:
    trial, _ = one()
    assert repr(trial) == "<trial 0: running>"
    trial.tell(0.25)
    assert repr(trial) == "<trial 0: complete, 0.25>"


# --- tell ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [2, 2.0, True + 1, (2,), [2.0]])
def test_tell_takes_any_number(score: Any) -> None:
    trial, searcher = one()
    trial.tell(score)
    assert (trial.state, trial.score, trial.scores) == ("complete", 2.0, (2.0,))
    assert type(trial.score) is float
    assert searcher.told == [FinishedTrial(0, {UNITS: 3}, (2.0,))]


@pytest.mark.parametrize(("library", "kind"), [("numpy", "float32"), ("numpy", "array"), ("torch", "tensor")])
def test_tell_and_report_take_the_numbers_of_libraries(library: str, kind: str) -> None:
    number = getattr(pytest.importorskip(library), kind)
    trial, searcher = one()
    trial.report(number(0.5), step=0)
    trial.tell(number(2.0))
    assert type(trial.score) is float and searcher.told == [FinishedTrial(0, {UNITS: 3}, (2.0,), {0: 0.5})]
    with pytest.warns(SearchWarning, match="a score must be a finite number"):
        one()[0].tell(number(math.nan))


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, None, "0.5", 1j, 10**400])
def test_a_score_that_is_no_finite_number_is_a_failure_with_a_warning(score: Any) -> None:
    trial, searcher = one()
    with pytest.warns(
        SearchWarning, match=r"trial 0: a score must be a finite number\.\n  Got (.|\n)*goes on"
    ) as caught:
        trial.tell(score)
    assert caught[0].filename == __file__, "the warning points at the line that told the score"
    assert (trial.state, trial.score) == ("failed", None)
    assert trial.error is not None and repr(score) in trial.error
    assert searcher.told == [FinishedTrial(0, {UNITS: 3}, state="failed")]


def test_one_bad_score_of_several_is_a_failure() -> None:
    trial, searcher = one(directions=["maximize", "maximize"])
    with pytest.warns(SearchWarning, match="nan"):
        trial.tell((1.0, math.nan))
    assert (trial.state, trial.scores, searcher.told[0].gains) == ("failed", (), ())


@pytest.mark.parametrize("score", [(1, 2), [], np.ones(3)])
def test_the_wrong_number_of_scores_is_an_error(score: Any) -> None:
    trial, searcher = one()
    with pytest.raises(TrialError, match=r"trial 0: expected 1 score, (.|\n)*Got \d: (.|\n)*sequence of directions"):
        trial.tell(score)
    assert (trial.state, searcher.told) == ("running", [])


def test_one_score_for_two_objectives_is_an_error() -> None:
    trial, _ = one(directions=["maximize", "minimize"])
    with pytest.raises(TrialError, match=r"expected 2 scores, one for each objective\.\n  Got 1: 0\.5 \(float\)"):
        trial.tell(0.5)


ENDINGS: list[tuple[Callable[[Trial], None], str]] = [
    (lambda trial: trial.tell(0.5), r"complete with 0\.5"),
    (lambda trial: trial.skip(), "skipped"),
    (lambda trial: trial.fail("no"), "failed"),
]
LATER: list[tuple[Callable[[Trial], Any], str]] = [
    *((end, called) for (end, _), called in zip(ENDINGS, ["tell", "skip", "fail"], strict=True)),
    (lambda trial: trial.report(1, 0), "report"),
    (lambda trial: trial.should_stop(), "should_stop"),
]


@pytest.mark.parametrize(("end", "ended"), ENDINGS)
@pytest.mark.parametrize(("later", "called"), LATER)
def test_an_ended_trial_takes_no_more(
    end: Callable[[Trial], None], ended: str, later: Callable[[Trial], Any], called: str
) -> None:
    trial, searcher = one()
    end(trial)
    with pytest.raises(TrialError, match=rf"trial 0: has ended as {ended}\.\n  Got a later call of {called}\.\n  End"):
        later(trial)
    assert len(searcher.told) == 1


# --- skip and fail ---------------------------------------------------------------------------------------------------


def test_skip_is_told() -> None:
    trial, searcher = one()
    trial.skip()
    assert (trial.state, trial.error) == ("skipped", None)
    assert searcher.told == [FinishedTrial(0, {UNITS: 3}, state="skipped")]


def test_fail_keeps_the_traceback_and_the_search_goes_on() -> None:
    search = da.search(four, Script(units(1, 2)), 2)
    first = next(search)
    try:
        raise ZeroDivisionError("by nothing")
    except ZeroDivisionError as error:
        first.fail(error)
    assert first.state == "failed"
    assert first.error is not None
    assert "test_search.py" in first.error and first.error.endswith("ZeroDivisionError: by nothing\n")
    next(search).fail("in words")
    assert [trial.error for trial in search.trials][1] == "in words"


def test_with_records_what_is_raised_as_a_failure() -> None:
    for trial in (search := da.search(four, Script(units(1, 2, 3)), 3)):
        with trial:
            trial.tell(1 / (trial.values[UNITS] - 2))
    assert [trial.state for trial in search.trials] == ["complete", "failed", "complete"]
    assert "ZeroDivisionError" in (search.trials[1].error or "")


def test_with_lets_a_misused_trial_raise() -> None:
    trial, _ = one()
    with pytest.raises(TrialError, match="expected 1 score"), trial:
        trial.tell((1, 2))
    with pytest.raises(ZeroDivisionError), trial:  # after the result, nothing can be recorded
        trial.tell(1)
        raise ZeroDivisionError


def test_with_lets_an_interruption_through() -> None:
    trial, _ = one()
    with pytest.raises(KeyboardInterrupt), trial:
        raise KeyboardInterrupt
    assert trial.state == "running"


# --- report and should_stop ------------------------------------------------------------------------------------------


def test_reports_reach_the_searcher() -> None:
    trial, searcher = one()
    trial.report(0.5, step=0)
    assert not trial.should_stop()
    trial.report(0.75, step=1)
    assert trial.should_stop()
    trial.report(0.8, step=1)
    trial.tell(1)
    assert trial.intermediate == {0: 0.5, 1: 0.8}
    assert searcher.stops == [(0, {UNITS: 3}, {0: 0.5}), (0, {UNITS: 3}, {0: 0.5, 1: 0.75})]
    assert searcher.told[0].intermediate == {0: 0.5, 1: 0.8}


def test_what_was_told_stays_as_it_was() -> None:
    trial, searcher = one()
    trial.report(0.5, step=0)
    trial.tell(1)
    trial.intermediate[1] = 7.0
    assert searcher.told[0].intermediate == {0: 0.5}


def test_a_report_that_is_no_finite_number_is_left_out() -> None:
    trial, _ = one()
    with pytest.warns(SearchWarning, match=r"Got nan \(float\)\.\n  The report for step 3 is left out"):
        trial.report(math.nan, step=3)
    assert (trial.intermediate, trial.state) == ({}, "running")


def test_steps_may_be_integers_of_numpy() -> None:
    trial, _ = one()
    for step in np.arange(2):
        trial.report(1, step)
    assert trial.intermediate == {0: 1, 1: 1} and {type(step) for step in trial.intermediate} == {int}


@pytest.mark.parametrize("step", [-1, 0.5, True, None])
def test_a_step_is_a_count(step: Any) -> None:
    trial, _ = one()
    with pytest.raises(TrialError, match=r"trial 0: a step is an int of at least 0(.|\n)*Got (.|\n)*step=epoch"):
        trial.report(1, step)


def test_a_searcher_without_opinion_never_stops() -> None:
    trial = next(da.search(four, RandomSearch(), 1, seed=0))
    trial.report(-1, 0)
    assert not trial.should_stop()


def test_a_budget_comes_from_the_searcher() -> None:
    searcher = Script(units(1, 1, 1), budgets={1: 2, 2: 4, 3: 4})
    search = run(searcher)
    assert [trial.budget for trial in search.trials] == [2, 4], "more budget is no duplicate"
    assert [told.budget for told in searcher.told] == [2, 4, 4]


# --- the loop --------------------------------------------------------------------------------------------------------


def test_a_trial_left_without_a_result_raises_at_the_next_step() -> None:
    search = da.search(four, RandomSearch(), 2, seed=0)
    next(search)
    with pytest.raises(
        TrialError,
        match=r"trial 0: was left without a result\.\n  Got neither (.|\n)*trial\.tell\(score\)(.|\n)*with trial",
    ):
        next(search)


def test_a_searcher_is_told_what_was_kept_with_a_trial() -> None:
    searcher = Script([{UNITS: 1}, {UNITS: 1}, {UNITS: 2}])
    for trial in da.search(four, searcher, 3):
        trial.set_attribute("answers", [0, trial.values[UNITS]])
        trial.tell(0)
    assert [told.attributes for told in searcher.told] == [{"answers": [0, 1]}] * 2 + [{"answers": [0, 2]}]
    searcher.start(four, random.Random(0))
    assert searcher.decode_trial(searcher.encode_trial(searcher.told[0])) == searcher.told[0]


def test_batches_give_trials_that_are_out_at_once() -> None:
    search = da.search(large, RandomSearch(), 7, seed=0)
    lengths: list[int] = []
    for trials in search.batches(3):
        assert [trial.state for trial in trials] == ["running"] * len(trials)
        lengths.append(len(trials))
        for trial in reversed(trials):
            trial.tell(trial.values[UNITS])
    assert lengths == [3, 3, 1] and search.ending == "all 7 trials were given out"
    one_by_one = da.search(large, RandomSearch(), 7, seed=0)
    for trial in one_by_one:
        trial.tell(trial.values[UNITS])
    assert [trial.values for trial in one_by_one.trials] == [trial.values for trial in search.trials]


def test_batches_are_shorter_where_a_searcher_waits() -> None:
    class Pairs(Script):
        """Propose two at a time, and more once both have results."""

        def ask(self) -> Values | None:
            return None if len(self.told) < self.asked // 2 * 2 else super().ask()

    searcher = Pairs([{UNITS: n} for n in (1, 2, 3, 4)])
    lengths: list[int] = []
    for trials in da.search(four, searcher, 10, seed=0).batches(3):
        lengths.append(len(trials))
        for trial in trials:
            trial.tell(0)
    assert lengths == [2, 2]


def test_a_batch_with_a_trial_left_without_a_result_raises() -> None:
    batches = da.search(four, RandomSearch(), 4, seed=0).batches(2)
    first, _ = next(batches)
    first.tell(1)
    with pytest.raises(TrialError, match=r"trial 1: was left without a result"):
        next(batches)


@pytest.mark.parametrize("n", [0, "3", 1.5, True])
def test_a_batch_has_at_least_one_trial(n: Any) -> None:
    message = r"search: expected batches of at least 1 trial\.\n  Got .*\n  Write search\.batches\(100\)\."
    with pytest.raises(BadArgument, match=message):
        da.search(four, RandomSearch(), 4, seed=0).batches(n)


def test_the_last_trial_left_without_a_result_raises_too() -> None:
    with pytest.raises(TrialError, match="trial 1: was left without"):
        for trial in da.search(four, RandomSearch(), 2, seed=0):
            if trial.number == 0:
                trial.tell(1)


def test_a_loop_that_was_left_can_be_entered_again() -> None:
    search = da.search(four, Script(units(1, 2, 3)), 3)
    for trial in search:
        trial.tell(1)
        break
    for trial in search:
        trial.skip()
    assert [trial.state for trial in search.trials] == ["complete", "skipped", "skipped"]
    assert next(search, None) is None


def test_the_number_of_trials_is_the_limit() -> None:
    search = run(RandomSearch(), large.fix({"rate": 0.5}), trials=5, seed=0)
    assert len(search.trials) == 5
    assert repr(search) == "<search of large: 5 of 5 trials, ended: all 5 trials were given out>"
    assert not run(RandomSearch(), trials=0).trials


def test_a_searcher_without_more_ends_the_search() -> None:
    search = run(Script(units(1, 2)))
    assert len(search.trials) == 2
    assert search.ending == "the searcher had nothing left to propose"


def test_several_trials_may_be_out_at_once() -> None:
    searcher = Script(units(1, 2, 3))
    search = da.search(four, searcher, 3)
    trials = [search.ask() for _ in range(3)]
    assert search.ask() is None
    for trial in reversed(trials):
        assert trial is not None
        trial.tell(trial.number)
    assert [told.number for told in searcher.told] == [2, 1, 0]


def test_a_search_that_waits_for_results_has_not_ended() -> None:
    search = da.search(four, Script(units(1)), trials=9)
    trial = search.ask()
    assert search.ask() is None and search.ending is None and trial is not None
    trial.tell(1)
    assert search.ask() is None and search.ending == "the searcher had nothing left to propose"


def test_threads_ask_and_tell_at_once() -> None:
    told: list[int] = []

    class Checking(RandomSearch):
        inside = 0

        def ask(self) -> Values | None:
            Checking.inside += 1
            values = super().ask()
            assert Checking.inside == 1, "two threads are in the searcher"
            Checking.inside -= 1
            return values

        def tell(self, trial: FinishedTrial) -> None:
            Checking.inside += 1
            told.append(trial.number)
            assert Checking.inside == 1, "two threads are in the searcher"
            Checking.inside -= 1

    search = da.search(large, Checking(), trials=400, seed=0)

    def work() -> None:
        while (trial := search.ask()) is not None:
            trial.report(1, step=0)
            trial.should_stop()
            trial.tell(1)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for future in [pool.submit(work) for _ in range(8)]:
                future.result()
    finally:
        sys.setswitchinterval(interval)
    assert sorted(told) == [trial.number for trial in search.trials] == list(range(400))


def test_two_searches_do_not_share_a_searcher() -> None:
    searcher = RandomSearch()
    outer = da.search(large, searcher, trials=5, seed=0)
    trial = next(outer)
    next(da.search(four, searcher, trials=2, seed=0)).tell(1)
    for use in (outer.ask, lambda: trial.tell(1)):
        with pytest.raises(TrialError, match=r"search of large: another search(.|\n)*one RandomSearch in both"):
            use()


def test_a_search_goes_on_from_a_file_as_if_nothing_had_happened() -> None:
    def history(search: Search) -> list[Any]:
        for trial in search:
            trial.tell(trial.values[UNITS])
        return [(trial.values, trial.scores) for trial in search.trials]

    whole, half = (da.search(large, RegularizedEvolution(5, 2), trials=40, seed=0) for _ in range(2))
    for _, trial in zip(range(20), half, strict=False):
        trial.tell(trial.values[UNITS])
    assert history(pickle.loads(pickle.dumps(half))) == history(whole)


@pytest.mark.parametrize(
    "searcher",
    [
        EarlyStopping(RandomSearch(), median_rule()),
        EarlyStopping(RandomSearch(), halving_rule()),
        Feasible(RandomSearch(), within(da.vector(8), parameters=10**9)),
    ],
)
def test_rules_and_bounds_are_pickled(searcher: Searcher) -> None:
    search = da.search(large, searcher, trials=2, seed=0)
    next(search).tell(1)
    next(pickle.loads(pickle.dumps(search))).tell(1)


def test_a_search_that_has_ended_stays_over() -> None:
    search = da.search(four, Script(units(1) * (MAX_DUPLICATES + 1) + units(2)), trials=9)
    with pytest.warns(SearchWarning, match="the search ends after 1 of 9 trials"):
        for trial in search:
            trial.tell(1)
    assert search.ask() is None and len(search.trials) == 1


def test_a_proposal_outside_the_space_is_an_error() -> None:
    with pytest.raises(ValueOutsideDomain, match=r"dense\.units: 9 is not one of"):
        next(da.search(four, Script(units(9)), 1))


def test_a_searcher_without_choose_or_ask_says_so() -> None:
    class Empty(Searcher):
        def tell(self, trial: FinishedTrial) -> None: ...

    with pytest.raises(NotImplementedError, match=r"Empty: a searcher overrides `choose`, or `ask`(.|\n)*draw"):
        next(da.search(four, Empty(), 1))


def test_a_choice_outside_the_domain_is_an_error() -> None:
    class Wrong(RandomSearch):
        def choose(self, point: da.ChoicePoint) -> Any:
            return 9

    with pytest.raises(ValueOutsideDomain, match=r"dense\.units: 9 is not one of(.|\n)*from Wrong\.choose(.|\n)*draw"):
        next(da.search(four, Wrong(), 1))


def test_choose_sees_what_was_decided_before() -> None:
    seen: list[tuple[str, dict[str, Any], str | None]] = []

    class Watching(RandomSearch):
        def choose(self, point: da.ChoicePoint) -> Any:
            seen.append((point.name, dict(point.values), point.tag))
            return next(point.domain.values())

    @da.space
    def net(x: Any) -> Any:
        n = da.choice([1, 2], name="n", tag="size")
        return da.repeat(lambda: ops.Dense(units=da.choice([5, 6])), n)(x)

    next(da.search(net, Watching(), 1)).skip()
    next(da.search(net.fix({"n": 1}), Watching(), 1)).skip()
    assert seen == [("n", {}, "size"), (UNITS, {"n": 1}, None), (UNITS, {"n": 1}, None)]


# --- duplicates ------------------------------------------------------------------------------------------------------


def test_a_duplicate_is_told_from_the_record() -> None:
    searcher = Script(units(1, 1, 2, 1))
    search = run(searcher)
    assert [trial.values[UNITS] for trial in search.trials] == [1, 2]
    assert [(told.number, told.gains) for told in searcher.told] == [
        (0, (1.0,)),
        (0, (1.0,)),
        (1, (2.0,)),
        (0, (1.0,)),
    ]


def test_a_duplicate_does_not_count() -> None:
    assert len(run(Script(units(1, 1, 1, 2, 3)), trials=3).trials) == 3


def test_duplicates_are_known_by_what_they_compute() -> None:
    searcher = Script([{"or.which": which, UNITS: n} for n in (1, 2) for which in (0, 1)])
    search = run(searcher, twins)
    assert [trial.values["or.which"] for trial in search.trials] == [0, 0]
    assert searcher.told[1].values == {"or.which": 1, UNITS: 1}, "the searcher hears of the values that it proposed"


@pytest.mark.parametrize(("end", "state"), [(Trial.skip, "skipped"), (Trial.fail, "failed")])
def test_a_duplicate_of_a_trial_without_score_is_told_as_such(end: Callable[[Trial], None], state: str) -> None:
    searcher = Script(units(1, 1))
    for trial in da.search(four, searcher, 2):
        end(trial)
    assert [told.state for told in searcher.told] == [state, state]


def test_a_duplicate_of_a_trial_that_is_out_waits_for_its_result() -> None:
    searcher = Script(units(1, 1, 2))
    search = da.search(four, searcher, 3)
    first, second = search.ask(), search.ask()
    assert first is not None and second is not None and second.values == {UNITS: 2}
    assert searcher.told == []
    first.tell(7)
    assert [told.gains for told in searcher.told] == [(7.0,), (7.0,)]


def test_duplicates_are_given_out_if_asked_for() -> None:
    search = run(Script(units(1, 1, 1)), duplicates="give")
    assert len(search.trials) == 3


def test_partial_architectures_are_known_by_their_values() -> None:
    space = large.where(lambda point: point.name == UNITS)
    search = run(Script(units(1, 1, 2)), space)
    assert [dict(trial.values) for trial in search.trials] == [{UNITS: 1}, {UNITS: 2}]
    assert not search.trials[0].architecture.is_specified


def test_the_search_ends_when_everything_was_seen() -> None:
    search = run(RandomSearch(), seed=0)
    assert sorted(trial.values[UNITS] for trial in search.trials) == [1, 2, 3, 4]
    assert search.ending == "every architecture of the space was seen"


def test_everything_is_seen_though_some_compute_the_same() -> None:
    search = run(RandomSearch(), twins, seed=0)
    assert len(search.trials) == 2
    assert search.ending == "every architecture of the space was seen"


def test_a_space_without_choices_has_one_trial() -> None:
    search = da.search(four.fix({UNITS: 2}), RandomSearch(), 10, seed=0)
    for trial in search:
        trial.tell(1)
    assert len(search.trials) == 1
    assert search.ending == "every architecture of the space was seen"


def test_the_search_ends_with_a_warning_when_all_proposals_are_duplicates() -> None:
    searcher = Script(units(1) * (MAX_DUPLICATES + 5))
    with pytest.warns(
        SearchWarning, match=r"four: the search ends after 1 of 9 trials(.|\n)*duplicates='give'"
    ) as caught:
        search = run(searcher, trials=9)
    assert caught[0].filename == __file__
    assert search.ending == f"{MAX_DUPLICATES} proposals in a row were duplicates"
    assert len(searcher.told) == MAX_DUPLICATES + 1


# --- results ---------------------------------------------------------------------------------------------------------


def test_the_best_trial_is_the_first_with_the_best_score() -> None:
    search = da.search(four, Script(units(1, 2, 3, 4)), 4)
    for trial, score in zip(search, [1, 3, 3, 2], strict=True):
        trial.tell(score)
    assert search.best.number == 1
    assert [trial.number for trial in search.front] == [1, 2]


def test_minimized_scores_are_told_upside_down() -> None:
    searcher = Script(units(3, 1, 2))
    search = da.search(four, searcher, 3, directions="minimize")
    for trial in search:
        trial.report(0.5, step=0)
        trial.should_stop()
        trial.tell(trial.values[UNITS])
    assert search.best.score == 1.0
    assert [told.gains for told in searcher.told] == [(-3.0,), (-1.0,), (-2.0,)]
    assert [told.intermediate for told in searcher.told] == [{0: -0.5}] * 3
    assert [intermediate for _, _, intermediate in searcher.stops] == [{0: -0.5}] * 3
    assert search.best.intermediate == {0: 0.5}


def test_several_objectives_have_a_front() -> None:
    searcher = Script(units(1, 2, 3, 4))
    search = da.search(four, searcher, 4, directions=("maximize", "minimize"))
    for trial, scores in zip(search, [(1, 1), (2, 2), (2, 3), (0, 1)], strict=True):
        trial.tell(scores)
    assert [trial.scores for trial in search.front] == [(1, 1), (2, 2)]
    assert searcher.told[1].gains == (2.0, -2.0)
    with pytest.raises(TrialError, match=r"2 objectives have no single best trial(.|\n)*`front`"):
        _ = search.best
    with pytest.raises(TrialError, match=r"trial 0: has 2 objectives, and no single score(.|\n)*trial\.scores"):
        _ = search.trials[0].score


def test_no_complete_trial_has_no_best() -> None:
    search = da.search(four, Script(units(1)), 1)
    with pytest.raises(TrialError, match=r"no trial is complete yet(.|\n)*Got 0 trials(.|\n)*tell\(score\)\.$"):
        _ = search.best
    with next(search):
        raise ZeroDivisionError
    with pytest.raises(TrialError, match=r"Got 1 trials without a score(.|\n)*Trial 0 failed with:(.|\n)*ZeroDivision"):
        _ = search.front


# --- nested searches -------------------------------------------------------------------------------------------------


@da.space
def nested(x: Any) -> Any:
    n = da.choice([1, 2, 3], name="n", tag="outer")
    return da.repeat(lambda: ops.Dense(units=da.choice([1, 2])), n)(x)


def test_loops_over_sub_spaces_nest() -> None:
    outer = da.search(nested.where(lambda point: point.tag == "outer"), RandomSearch(), 10, seed=0)
    for trial in outer:
        inner = da.search(nested.fix(trial.values), RandomSearch(), 20, seed=0)
        for part in inner:
            part.tell(sum(v for k, v in part.values.items() if k.endswith("units")))
        assert inner.best.values["n"] == trial.values["n"]
        trial.tell(inner.best.score)
    assert (outer.best.score, dict(outer.best.values)) == (6.0, {"n": 3})


# --- randomness ------------------------------------------------------------------------------------------------------


def history(seed: Any) -> list[Values]:
    return [dict(trial.values) for trial in run(RandomSearch(), large, trials=5, seed=seed).trials]


def test_the_seed_decides_the_history() -> None:
    assert history(0) == history(0) == history(random.Random(0)) != history(1)
    assert history(None) != history(None)


def test_no_global_random_state_is_moved() -> None:
    before = random.getstate(), repr(np.random.get_state(legacy=False))
    history(0)
    history(None)
    assert (random.getstate(), repr(np.random.get_state(legacy=False))) == before


def test_a_searcher_can_search_again() -> None:
    searcher = RandomSearch()
    first = [trial.values for trial in run(searcher, large, trials=3, seed=0).trials]
    assert [trial.values for trial in run(searcher, large, trials=3, seed=0).trials] == first


def test_importing_the_language_imports_no_searcher() -> None:
    code = "import sys, deep_arch; print([m for m in sys.modules if m.startswith('deep_arch.searchers')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


# --- arguments -------------------------------------------------------------------------------------------------------


def plain(x: Any) -> Any:
    return x


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((plain, RandomSearch(), 1), r"first argument is a search space(.|\n)*Got <function plain(.|\n)*@da\.space"),
        ((four, RandomSearch, 1), r"second argument is a searcher(.|\n)*Pass an instance: RandomSearch\(\)"),
        ((four, "random", 1), r"second argument is a searcher(.|\n)*Got 'random' \(str\)"),
        ((four, RandomSearch(), -1), r"trials is an int of at least 0(.|\n)*Got -1(.|\n)*break"),
        ((four, RandomSearch(), 1.5), r"trials is an int of at least 0(.|\n)*Got 1\.5 \(float\)"),
        ((four, RandomSearch(), 1, "zero"), r"seed is an int, a random\.Random or None(.|\n)*Got 'zero'"),
        ((four, RandomSearch(), 1, np.random.default_rng(0)), r"seed is an int(.|\n)*seed=0"),
    ],
)
def test_a_wrong_argument_is_refused(arguments: tuple[Any, ...], text: str) -> None:
    with pytest.raises(BadArgument, match=text):
        da.search(*arguments)


@pytest.mark.parametrize("directions", ["up", [], ["maximize", "down"], 5, None])
def test_an_unknown_direction_is_refused(directions: Any) -> None:
    with pytest.raises(BadArgument, match=r"directions is 'maximize', 'minimize', or (.|\n)*Got (.|\n)*for a loss"):
        da.search(four, RandomSearch(), 1, directions=directions)


def test_an_unknown_way_with_duplicates_is_refused() -> None:
    wrong: Any = "drop"
    with pytest.raises(BadArgument, match=r"duplicates is 'record' or 'give'\.\n  Got 'drop'"):
        da.search(four, RandomSearch(), 1, duplicates=wrong)


def test_nothing_warns_in_an_ordinary_search() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(RandomSearch(), large, trials=20, seed=0)


@pytest.mark.parametrize("state", ["failed", "skipped"])
def test_a_trial_without_a_score_has_no_gain(state: Any) -> None:
    with pytest.raises(da.errors.TrialError, match=rf"trial 3: has no gain, since it is {state}(.|\n)*if trial.gains"):
        _ = da.FinishedTrial(3, {}, state=state).gain


def test_a_record_of_another_kind_is_refused() -> None:
    space: Any = da.space(lambda x: ops.ReLU()(x))
    record: Any = []
    with pytest.raises(da.errors.BadArgument, match=r"search: expected record to be a Record(.|\n)*Got \[\]"):
        da.Search(space, RandomSearch(), 1, record=record)


def test_giving_duplicates_out_costs_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("computed what only the record of duplicates needs")

    for name in ("fingerprint", "to_json"):
        monkeypatch.setattr(da.Architecture, name, never)
    space = da.space(lambda x: ops.Dense(units=da.choice([1, 2]))(x))
    search = da.search(space, RandomSearch(), trials=3000, seed=0, duplicates="give")
    tracemalloc.start()
    for trial in search:
        trial.tell(trial.values["dense.units"])
    n_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(search.trials) == 3000 and n_bytes < 3000 * 1200

"""Running a study: what an objective may do, what ends a run, and what goes on after it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch.errors import BadArgument, StudyError, TrialError
from deep_arch.searchers import EarlyStopping, RandomSearch, median_rule
from deep_arch.studies.searcher import FinishedTrial
from deep_arch.studies.study import Study
from deep_arch.studies.trial import SearchWarning
from tests.studies import objectives
from tests.studies.objectives import UNITS, four, net, units


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Study]:
    one = made(tmp_path)
    yield one
    one.close()


def made(folder: Path, searcher: Any = None) -> Study:
    return da.Study(net, searcher or RandomSearch(), folder / "runs.db", "digits", seed=0)


def run(study: Study, objective: Any = units, trials: int | None = 3, **options: Any) -> Study:
    study.run(objective, trials, progress=False, **options)
    return study


# --- what an objective may do ----------------------------------------------------------------------------------------


def test_a_score_is_what_an_objective_returns(study: Study) -> None:
    run(study)
    assert study.counts == {"complete": 3}
    assert [trial.scores for trial in study.trials] == [(units(trial),) for trial in study.trials]


def test_what_an_objective_raises_is_kept(study: Study) -> None:
    run(study, objectives.raises)
    assert study.counts == {"failed": 3}
    assert "in raises\n" in (study.trials[1].error or "") and "ZeroDivisionError: in trial 1" in (
        study.trials[1].error or ""
    )


@pytest.mark.parametrize(("kind", "score"), [("numpy", 0.5), ("array", 0.5), ("truth", 1.0)])
def test_a_number_of_any_library_is_a_score(study: Study, kind: str, score: float) -> None:
    run(study, lambda _: objectives.returns(kind))
    assert [trial.score for trial in study.trials] == [score] * 3


def test_a_tensor_is_a_score(study: Study) -> None:
    torch = pytest.importorskip("torch")
    run(study, lambda _: torch.tensor(0.5, requires_grad=True))
    assert [trial.score for trial in study.trials] == [0.5] * 3


@pytest.mark.parametrize("kind", ["nan", "infinite", "nothing", "text"])
def test_what_is_no_number_is_a_failure(study: Study, kind: str) -> None:
    with pytest.warns(SearchWarning, match=r"trial 0: a score must be a finite number"):
        run(study, lambda _: objectives.returns(kind), 1)
    assert study.counts == {"failed": 1} and f"Got {objectives.returns(kind)!r}" in (study.trials[0].error or "")


@pytest.mark.parametrize("kind", ["too many", "none of several"])
def test_another_number_of_scores_is_a_failure(study: Study, kind: str) -> None:
    run(study, lambda _: objectives.returns(kind))
    assert study.counts == {"failed": 3}
    assert (study.trials[0].error or "").startswith("trial 0: expected 1 score, one for each objective.\n  Got ")


def test_an_objective_may_end_its_trial_by_itself(study: Study) -> None:
    run(study, objectives.tells_by_itself)
    assert [(trial.state, trial.score, trial.error) for trial in study.trials] == [
        ("complete", 7.0, None),
        ("skipped", None, None),
        ("failed", None, "by itself"),
    ]


def test_what_is_raised_after_a_trial_was_told_changes_nothing(study: Study) -> None:
    def objective(trial: da.Trial) -> float:
        trial.tell(1)
        raise ZeroDivisionError

    run(study, objective)
    assert study.counts == {"complete": 3}


def test_several_scores(tmp_path: Path) -> None:
    one = da.Study(net, RandomSearch(), tmp_path / "runs.db", directions=("maximize", "minimize"))
    run(one, lambda trial: (units(trial), trial.number))
    assert [trial.scores for trial in one.trials] == [(units(trial), float(trial.number)) for trial in one.trials]


def test_leaving_the_interpreter_is_a_failure(study: Study) -> None:
    run(study, objectives.exits)
    assert study.counts == {"failed": 3}
    assert (study.trials[0].error or "").startswith("trial 0: its objective exits the interpreter.\n")


def test_what_a_trial_keeps(study: Study) -> None:
    run(study, objectives.keeps)
    for trial in study.trials:
        assert trial.attributes["notes"] == {"of": ["any", 1.5, None]}
        assert (trial.directory / "weights").read_text() == str(trial.number)


def test_a_trial_may_stop_early(tmp_path: Path) -> None:
    one = run(made(tmp_path, EarlyStopping(RandomSearch(), median_rule())), objectives.reports, 20)
    stopped = [trial for trial in one.trials if "stopped" in trial.attributes]
    assert stopped and all(len(trial.intermediate) == trial.attributes["stopped"] + 1 for trial in stopped)
    assert {len(trial.intermediate) for trial in one.trials if trial not in stopped} >= {10}


# --- what ends a run -------------------------------------------------------------------------------------------------


def test_trials_count_over_all_runs(study: Study) -> None:
    run(study, trials=3)
    run(study, trials=5)
    assert len(study.trials) == 5
    run(study, trials=5)
    run(study, trials=0)
    assert len(study.trials) == 5 and study.ending == "all 0 trials were given out"


def test_a_space_that_is_exhausted_ends_each_run(tmp_path: Path) -> None:
    one = da.Study(four, RandomSearch(), tmp_path / "runs.db")
    for _ in range(3):
        run(one, trials=None)
        assert (len(one.trials), one.ending) == (4, "every architecture of the space was seen")
    run(da.Study(four, RandomSearch(), tmp_path / "runs.db"), trials=None)
    assert len(one.trials) == 4


def test_what_is_enqueued_after_the_end_is_run(tmp_path: Path) -> None:
    one = da.Study(four.fix({UNITS: 2}), RandomSearch(), tmp_path / "runs.db", "digits", duplicates="record")
    run(one, trials=None)
    one.enqueue({UNITS: 2})
    run(one, trials=None)
    assert len(one.trials) == 1


def test_too_many_failures_in_a_row_end_a_run(study: Study) -> None:
    def objective(trial: da.Trial) -> float:
        return 1.0 if trial.number == 2 else objectives.raises(trial)

    with pytest.raises(
        StudyError, match=r"study 'digits': stops after 4 failures in a row(.|\n)*max_failures"
    ) as caught:
        run(study, objective, 100, max_failures=4)
    assert study.counts == {"failed": 6, "complete": 1}
    assert [f"ZeroDivisionError: in trial {i}" in str(caught.value) for i in (3, 4, 5, 6)] == [False, True, True, True]


def test_a_callback_may_stop_a_run(study: Study) -> None:
    seen: list[tuple[int, str]] = []

    def callback(of: Study, trial: da.Trial) -> None:
        assert of is study
        seen.append((trial.number, trial.state))
        if trial.number == 4:
            of.stop()

    run(study, trials=100, callbacks=(each for each in [callback]))
    assert seen == [(i, "complete") for i in range(5)] and study.counts == {"complete": 5}
    run(study, trials=7)
    assert study.counts == {"complete": 7}


@pytest.mark.parametrize("executor", [False, True])
def test_what_a_callback_raises_ends_a_run(study: Study, executor: bool) -> None:
    def callback(of: Study, trial: da.Trial) -> None:
        raise KeyError("shown")

    with ThreadPoolExecutor(2) as pool, pytest.raises(KeyError, match="shown"):
        run(study, trials=9, callbacks=[callback], executor=pool if executor else None, max_parallel=5)
    assert study.counts.get("running", 0) == 0 and study.counts["complete"] >= 1
    n_waiting = study.counts.get("waiting", 0)
    assert bool(n_waiting) == executor
    run(study, trials=1 + n_waiting)
    assert study.counts == {"complete": 1 + n_waiting}


def test_what_waits_in_an_executor_as_a_run_ends_is_not_run(study: Study) -> None:
    began, goes_on = threading.Event(), threading.Event()
    ran: list[int] = []

    def objective(trial: da.Trial) -> float:
        ran.append(trial.number)
        if trial.number == 0:
            raise StudyError
        began.set()
        goes_on.wait(60)
        return 0.0

    def callback(of: Study, trial: da.Trial) -> None:
        began.wait(60)
        raise KeyError

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(KeyError):
            run(study, objective, 9, callbacks=[callback], executor=pool, max_parallel=4)
        goes_on.set()
    assert ran == [0, 1]
    run(study, trials=4)
    assert study.counts == {"failed": 1, "complete": 3}


def test_an_interrupt_lets_trials_be_given_out_again(study: Study) -> None:
    def objective(trial: da.Trial) -> float:
        if trial.number == 2 and objectives.first_time(trial):
            trial.report(0.5, 0)
            raise KeyboardInterrupt
        return units(trial)

    with pytest.raises(KeyboardInterrupt):
        run(study, objective, 5)
    assert study.counts == {"complete": 2, "waiting": 1}
    before = study.trials[2]
    run(study, objective, 5)
    assert study.counts == {"complete": 5}
    assert (study.trials[2].values, study.trials[2].intermediate) == (before.values, {})


def test_a_run_takes_over_from_what_was_interrupted_by_hand(study: Study, tmp_path: Path) -> None:
    trial = next(study)
    (trial.directory / "weights").write_text("half")
    study.close()
    other = made(tmp_path)
    run(other, lambda trial: (trial.directory / "weights").exists(), 2)
    assert [trial.score for trial in other.trials] == [1.0, 0.0]


def test_a_trial_asked_for_by_hand_is_ended_by_hand(study: Study) -> None:
    trial = next(study)
    with pytest.raises(TrialError, match=r"trial 0: was left without a result"):
        run(study)
    trial.tell(1)
    run(study)
    assert study.counts == {"complete": 3}


def test_time_ends_a_run(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**6))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    run(study, trials=None, timeout=50)
    n = len(study.trials)
    assert 1 <= n < 50 and study.counts == {"complete": n}


class Stumbling(RandomSearch):
    """Cannot be told of a score."""

    def tell(self, trial: FinishedTrial) -> None:
        raise ZeroDivisionError("told")


def test_what_cannot_be_kept_ends_a_run(tmp_path: Path) -> None:
    one = made(tmp_path, Stumbling())

    def tells(trial: da.Trial) -> None:
        trial.tell(1)

    for objective in (units, tells):
        with pytest.raises(ZeroDivisionError, match="told"):
            run(one, objective)
        assert one.counts == {"waiting": 1}


# --- how it looks, and what is refused -------------------------------------------------------------------------------


def test_without_progress_nothing_is_written(study: Study, capfd: pytest.CaptureFixture[str]) -> None:
    run(study)
    assert capfd.readouterr() == ("", "")
    study.run(units, trials=5)
    assert "5/5 trials" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"objective": 3}, r"run: expected an objective, a function of a trial(.|\n)*Got 3"),
        ({"trials": -1}, r"run: expected trials to be an int of at least 0(.|\n)*Got -1"),
        ({"trials": 2.5}, r"run: expected trials to be an int of at least 0(.|\n)*Got 2\.5"),
        ({"trials": "9"}, r"run: expected trials to be an int of at least 0(.|\n)*Got '9'"),
        ({"timeout": 0}, r"run: expected timeout to be a number of seconds(.|\n)*Got 0"),
        ({"timeout": math.nan}, r"run: expected timeout to be a number of seconds(.|\n)*Got nan"),
        ({"timeout": "1 h"}, r"run: expected timeout to be a number of seconds(.|\n)*Got '1 h'"),
        ({"trial_timeout": math.inf}, r"run: expected trial_timeout to be a number of seconds(.|\n)*Got inf"),
        ({"trial_timeout": True}, r"run: expected trial_timeout to be a number of seconds(.|\n)*Got True"),
        ({"max_parallel": 0}, r"run: expected max_parallel to be an int of at least 1(.|\n)*Got 0"),
        ({"max_failures": 0}, r"run: expected max_failures to be an int of at least 1(.|\n)*Got 0"),
        ({"max_failures": None}, r"run: expected max_failures to be an int of at least 1(.|\n)*Got None"),
        ({"callbacks": print}, r"run: expected callbacks to be functions(.|\n)*Got <built-in function print>"),
        ({"callbacks": [3]}, r"run: expected callbacks to be functions(.|\n)*Got \(3,\)"),
        (
            {"executor": "threads"},
            r"executor: expected None, a number of processes, or an executor(.|\n)*Got 'threads'",
        ),
        ({"executor": 0}, r"executor: expected None, a number of processes(.|\n)*Got 0"),
        ({"executor": ThreadPoolExecutor}, r"executor: expected None(.|\n)*Pass ThreadPoolExecutor\(\)"),
    ],
)
def test_a_wrong_argument_is_refused(study: Study, options: dict[str, Any], text: str) -> None:
    with pytest.raises(BadArgument, match=text):
        study.run(**{"objective": units, "progress": False, **options})
    assert study.counts == {}
    run(study)

"""Studies whose trials run in other processes: our pool, that of the standard library, and what dies there."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch.errors import BadArgument, StudyError
from deep_arch.executors import ProcessPool
from deep_arch.searchers import EarlyStopping, Hyperband, RandomSearch, median_rule
from deep_arch.studies import running
from deep_arch.studies.study import Study
from tests.studies import objectives
from tests.studies.objectives import net, units


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Study]:
    one = da.Study(net, RandomSearch(), tmp_path / "runs.db", "digits", seed=0)
    yield one
    one.close()


def run(study: Study, objective: Any = units, trials: int | None = 3, **options: Any) -> Study:
    study.run(objective, trials, progress=False, **options)
    return study


def standard(n: int = 1) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(n, multiprocessing.get_context("spawn"))


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPool]:
    """One process for many tests, as it takes long to begin."""
    with ProcessPool(1) as one:
        yield one


# --- what travels ----------------------------------------------------------------------------------------------------


def test_so_many_processes_run_a_study(study: Study) -> None:
    run(study, objectives.process, 12, executor=2)
    assert study.counts == {"complete": 12}
    processes = {trial.score for trial in study.trials}
    assert len(processes) == 2 and os.getpid() not in processes


def test_programs_of_recorded_calls_travel(tmp_path: Path, pool: ProcessPool) -> None:
    study = da.Study(objectives.PROGRAM, RandomSearch(), tmp_path / "runs.db", seed=0)
    run(study, objectives.rate, 4, executor=pool)
    assert [trial.scores for trial in study.trials] == [(trial.values["rate"],) for trial in study.trials]
    study.close()


def test_an_objective_that_cannot_be_imported_is_refused_before_any_trial(study: Study, pool: ProcessPool) -> None:
    with pytest.raises(BadArgument, match=r"expected an objective that worker processes can import(.|\n)*Define it at"):
        run(study, lambda trial: 1.0, executor=pool)
    assert not study.counts


def test_what_a_trial_keeps_arrives(study: Study, pool: ProcessPool) -> None:
    run(study, objectives.keeps, executor=pool)
    for trial in study.trials:
        assert trial.score == units(trial)
        assert trial.attributes["process"] != os.getpid() and trial.attributes["notes"] == {"of": ["any", 1.5, None]}
        assert (trial.directory / "weights").read_text() == str(trial.number)


def test_a_trial_is_stopped_early_elsewhere(tmp_path: Path, pool: ProcessPool) -> None:
    searcher = EarlyStopping(RandomSearch(), median_rule())
    one = run(da.Study(net, searcher, tmp_path / "runs.db", seed=0), objectives.reports, 20, executor=pool)
    here = da.search(net, EarlyStopping(RandomSearch(), median_rule()), 20, seed=0)
    for trial in here:
        trial.tell(objectives.reports(trial))
    assert [trial.intermediate for trial in one.trials] == [trial.intermediate for trial in here.trials]
    assert any("stopped" in trial.attributes for trial in one.trials)


def test_an_objective_may_end_its_trial_elsewhere(study: Study, pool: ProcessPool) -> None:
    run(study, objectives.tells_by_itself, executor=pool)
    assert [(trial.state, trial.score, trial.error) for trial in study.trials] == [
        ("complete", 7.0, None),
        ("skipped", None, None),
        ("failed", None, "by itself"),
    ]


@pytest.mark.parametrize(
    ("objective", "text"),
    [
        (objectives.raises, "ZeroDivisionError: in trial 0"),
        (objectives.exits, "trial 0: its objective exits the interpreter."),
    ],
    ids=["raises", "exits"],
)
def test_what_goes_wrong_elsewhere_is_kept(study: Study, pool: ProcessPool, objective: Any, text: str) -> None:
    run(study, objective, 2, executor=pool)
    assert study.counts == {"failed": 2} and text in (study.trials[0].error or "")


def test_budgets_and_folders_travel(tmp_path: Path, pool: ProcessPool) -> None:
    one = da.Study(net, Hyperband(max_budget=3), tmp_path / "runs.db", seed=0)
    run(one, objectives.trains, 8, executor=pool)
    assert {trial.budget for trial in one.trials} == {1, 3}
    assert [trial.score for trial in one.trials if trial.continues is not None] == [
        2.0
    ]  # 3 epochs, of which 1 was done
    assert {trial.score for trial in one.trials if trial.continues is None} == {1.0, 3.0}


def test_a_callback_stops_a_run_elsewhere(study: Study, pool: ProcessPool) -> None:
    run(study, trials=50, executor=pool, callbacks=[lambda of, trial: of.stop()])
    assert study.counts == {"complete": 1}


# --- what dies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: 1, standard], ids=["ours", "standard"])
def test_a_process_that_ends_is_replaced(study: Study, make: Any) -> None:
    run(study, objectives.dies_once, 4, executor=make())
    assert study.counts == {"complete": 4}
    assert [row.lost for row in study.storage.rows("digits")] == [0, 1, 0, 1]


@pytest.mark.parametrize("make", [lambda: 1, standard], ids=["ours", "standard"])
def test_a_trial_that_ends_its_process_twice_has_failed(study: Study, make: Any) -> None:
    seen: list[tuple[int, str]] = []
    with pytest.raises(StudyError, match=r"stops after 2 failures in a row(.|\n)*2 workers died while they ran it"):
        run(
            study,
            objectives.dies,
            9,
            executor=make(),
            max_failures=2,
            callbacks=[lambda _, t: seen.append((t.number, t.state))],
        )
    assert seen == [(0, "failed"), (1, "failed")]
    assert study.counts == {"failed": 2}
    text = study.trials[0].error or ""
    assert text.startswith("trial 0: 2 workers died while they ran it.\n  Got, of the last: ")
    assert text.endswith("\n  Is it killed for its memory, or does compiled code crash?")


@pytest.mark.slow
@pytest.mark.parametrize("make", [lambda: 1, standard], ids=["ours", "standard"])
@pytest.mark.parametrize("objective", [objectives.is_killed, objectives.ends_quietly])
def test_however_a_process_ends(study: Study, make: Any, objective: Any) -> None:
    run(study, objective, 2, executor=make())
    assert study.counts == {"failed": 2}


def test_a_process_that_dies_between_runs_is_replaced(study: Study) -> None:
    with standard() as pool:
        run(study, objectives.dies, 1, executor=pool)
        run(study, units, 3, executor=pool)
    assert study.counts == {"failed": 1, "complete": 2}


class Own(ProcessPoolExecutor):
    """A pool that nobody can make another of."""


def test_a_pool_that_cannot_be_replaced_ends_a_run(study: Study) -> None:
    with (
        Own(1, multiprocessing.get_context("spawn")) as pool,
        pytest.raises(
            StudyError, match=r"takes no more tasks, since a worker died(.|\n)*Got <(.|\n)*ProcessPool, which su"
        ),
    ):
        run(study, objectives.dies, 3, executor=pool)
    assert study.counts == {"waiting": 1}


# --- what hangs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", [objectives.sleeps, objectives.loops])
def test_what_takes_too_long_elsewhere_is_stopped(study: Study, pool: ProcessPool, objective: Any) -> None:
    run(study, objective, 1, executor=pool, trial_timeout=0.2)
    assert study.counts == {"failed": 1}
    assert (study.trials[0].error or "").startswith("trial 0: took longer than it may.\n  Got more than 0.2 s.\n")
    run(study, objectives.process, 2, executor=pool)
    assert study.counts == {"failed": 1, "complete": 1}


@pytest.mark.parametrize("make", [lambda: 1, standard], ids=["ours", "standard"])
def test_what_does_not_stop_is_killed(study: Study, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_GRACE_S", 0.2)
    run(study, objectives.is_deaf, 2, executor=make(), trial_timeout=0.2)
    assert study.counts == {"failed": 2}
    error = "took longer than 0.2 s and did not stop; what ran it was killed."
    assert [trial.error for trial in study.trials] == [f"trial 0: {error}", f"trial 1: {error}"]


def test_a_thread_that_does_not_stop_is_left(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_GRACE_S", 0.2)
    goes_on = multiprocessing.get_context("spawn").Event()

    def waits(trial: da.Trial) -> float:
        if trial.number == 0:
            goes_on.wait(60)  # in compiled code, where no exception arrives
        return 0.0

    with ThreadPoolExecutor(2) as pool:
        run(study, waits, 3, executor=pool, trial_timeout=0.2)
        assert study.counts == {"failed": 1, "complete": 2}
        goes_on.set()
    assert study.counts == {"failed": 1, "complete": 2}


# --- runs that end before their trials -------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: 2, lambda: standard(2)], ids=["ours", "standard"])
def test_an_interrupt_stops_what_runs_elsewhere(
    study: Study, make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waits = time.sleep

    def interrupted(*_: Any, **__: Any) -> Any:
        while len(list(tmp_path.rglob("process"))) < 2:
            waits(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "wait", interrupted)
    executor: Executor | int = make()
    with pytest.raises(KeyboardInterrupt):
        run(study, objectives.writes_process_and_sleeps, 5, executor=executor)
    processes = [int(path.read_text()) for path in tmp_path.rglob("process")]
    assert len(processes) == 2 and study.counts == {"waiting": 2}
    from deep_arch.testing.waiting import has_ended, wait_until

    wait_until(lambda: all(map(has_ended, processes)), "both processes to end")
    if not isinstance(executor, int):
        executor.shutdown()
    monkeypatch.undo()
    run(study, trials=2)
    assert study.counts == {"complete": 2}

"""Workers that die, or seem to: their trials are taken over by others, once, and what comes of them late is dropped."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch.studies.stored_search import StoredSearch
from deep_arch.studies.study import Study
from deep_arch.studies.trial import SearchWarning
from deep_arch.testing.waiting import wait_until
from tests.studies.objectives import ask_and_wait, opened, run_with_others, units

BEAT_S = 0.05
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@contextmanager
def child(file: Path) -> Iterator[tuple[SpawnProcess, Connection[Any, Any], int]]:
    """Begin a process that has a trial, and give it, a line to it, and the number of the trial."""
    line, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=ask_and_wait, args=(file, theirs, BEAT_S))
    process.start()
    theirs.close()
    try:
        assert line.poll(60), "it asked for no trial"
        yield process, line, line.recv()
    finally:
        process.kill()
        process.join()


def asked(study: Study) -> da.Trial:
    """Ask for a trial, and look at once who has died."""
    study._next_look = 0.0
    trial = study.ask()
    assert trial is not None
    return trial


def lost(study: Study, number: int = 0) -> int:
    row = study.storage.row("digits", number)
    assert row is not None
    return row.lost


def change(file: Path, statement: str, *values: Any) -> None:
    """Change the tables behind the back of everybody."""
    with closing(sqlite3.connect(file, timeout=60)) as database, database:
        assert database.execute(statement, values).rowcount > 0


def test_a_trial_of_a_worker_that_is_killed_is_taken_over_once(file: Path) -> None:
    first, second = opened(file, BEAT_S), opened(file, BEAT_S)
    with child(file) as (process, _, number):
        values = first.trials[number].values
        assert number == 0 and asked(first).number == 1
        process.kill()
        process.join()
    trial, other = asked(second), asked(first)
    assert (trial.number, trial.values, other.number, lost(first)) == (0, values, 2, 1)
    trial.tell(units(trial))
    assert first.trials[0].score == units(trial)
    for study in (first, second):
        study.close()


def test_a_trial_that_kills_two_workers_has_failed(file: Path) -> None:
    study = opened(file, BEAT_S)
    for n in (1, 2):
        with child(file) as (process, _, number):
            assert (number, lost(study)) == (0, n - 1)
            who = study.trials[0].worker
            process.kill()
            process.join()
        if n == 1:
            study.release([trial := asked(study)])  # what it was given goes on to the next
            assert trial.number == 0
    assert asked(study).number == 1
    assert study.trials[0].state == "failed"
    assert study.trials[0].error == (
        f"trial 0: 2 workers died while they ran it.\n  Got, of the last: its worker {who} died\n"
        "  Is it killed for its memory, or does compiled code crash?"
    )
    study.close()


def test_a_study_that_is_stopped_with_its_only_worker_goes_on_ten_times(file: Path) -> None:
    with child(file) as (process, _, _):
        dead, born = process.pid, 0.0
        process.kill()
        process.join()
    for n in range(1, 10):
        study = opened(file)
        trial = asked(study)
        assert (trial.number, lost(study)) == (0, n)
        id = study._heart.worker.id
        change(file, "UPDATE deep_arch_workers SET process = ?, born = ? WHERE id = ?", dead, born, id)
    last = opened(file)
    assert asked(last).number == 1
    assert (last.trials[0].error or "").startswith("trial 0: 10 workers died while they ran it.")
    last.close()


def test_a_worker_that_is_held_is_not_dead(file: Path) -> None:
    study = opened(file, BEAT_S)
    with child(file) as (process, line, _):
        assert process.pid is not None
        os.kill(process.pid, signal.SIGSTOP)
        worker = study.storage.row("digits", 0)
        assert worker is not None and worker.worker is not None
        wait_until(lambda: silent_for(study, worker.worker or "") > 6 * BEAT_S, "six beats to be missing")
        assert asked(study).number == 1
        os.kill(process.pid, signal.SIGCONT)
        line.send("end")
        assert line.poll(60) and line.recv() == []
    assert (study.trials[0].score, lost(study)) == (-1.0, 0)
    study.close()


def silent_for(study: Study, id: str) -> float:
    worker = study.storage.worker(id)
    assert worker is not None and worker.beat is not None
    return study.storage.now() - worker.beat


def test_a_worker_of_another_machine_is_dead_when_it_is_silent(file: Path) -> None:
    study = opened(file, BEAT_S)
    with child(file) as (process, line, _):
        change(file, "UPDATE deep_arch_workers SET machine = 'elsewhere'")
        patient = opened(file)
        assert asked(patient).number == 1, "it beats"
        assert process.pid is not None
        os.kill(process.pid, signal.SIGSTOP)
        id = study.storage.row("digits", 0)
        assert id is not None
        wait_until(lambda: silent_for(study, id.worker or "") > 6 * BEAT_S, "six beats to be missing")
        trial = asked(study)
        assert (trial.number, lost(study)) == (0, 1)
        os.kill(process.pid, signal.SIGCONT)
        line.send("end")
        assert line.poll(60)
        (warning,) = line.recv()
    assert warning.startswith("trial 0: was given to another worker, since this one gave no sign of life; what came of")
    assert "raise `heartbeat_s`" in warning
    assert study.trials[0].state == "running"
    trial.tell(5)
    assert study.trials[0].score == 5.0
    for each in (study, patient):
        each.close()


def test_what_is_reported_late_is_dropped(file: Path) -> None:
    study, other = opened(file), opened(file)
    trial = asked(study)
    trial.report(0.25, 0)
    study._heart.stop()
    again = asked(other)
    assert again.number == 0 and other.trials[0].intermediate == {}
    trial.report(0.5, 1)
    trial.set_attribute("late", True)
    assert other.trials[0].intermediate == {} and other.trials[0].attributes == {}
    with pytest.warns(SearchWarning, match=r"trial 0: was given to another worker(.|\n)*dropped") as caught:
        trial.tell(1)
    assert caught[0].filename == __file__
    again.tell(2)
    assert study.trials[0].score == 2.0
    for each in (study, other):
        each.close()


def test_a_result_is_kept_once_where_the_answer_was_lost(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn that counted, though its worker does not know: what it tells again is told already."""
    study = opened(file)
    trial = asked(study)
    save = StoredSearch._save

    def cut(self: StoredSearch, turn: Any) -> None:
        save(self, turn)
        raise KeyboardInterrupt

    monkeypatch.setattr(StoredSearch, "_save", cut)
    with pytest.raises(KeyboardInterrupt):
        trial.tell(1)
    monkeypatch.undo()
    assert study.counts == {"running": 1}
    study.ended(trial)
    study.ended(trial)
    assert study.counts == {"complete": 1} and study.here == {}
    study.close()


def test_what_was_to_be_given_out_as_a_turn_failed_is_not_out(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(self: StoredSearch, turn: Any) -> None:
        raise KeyboardInterrupt

    study = opened(file)
    monkeypatch.setattr(StoredSearch, "_save", cut)
    with pytest.raises(KeyboardInterrupt):
        study.ask()
    monkeypatch.undo()
    assert study.counts == {} and study.here == {}
    assert next(study).number == 0
    study.close()


def test_several_processes_run_one_study(file: Path) -> None:
    study = opened(file)
    workers = [SPAWN.Process(target=run_with_others, args=(file, 40, seed)) for seed in (1, 2)]
    for worker in workers:
        worker.start()
    study.run(units, 40, progress=False)
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert study.counts == {"complete": 40}
    alone = da.search(study.space, type(study.searcher)(), 40, seed=0)
    for trial in alone:
        trial.tell(0)
    assert [trial.values for trial in study.trials] == [trial.values for trial in alone.trials]
    study.close()

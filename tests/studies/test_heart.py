"""Signs of life: a worker beats from its first trial on, says when it leaves, and is dead when it does neither."""

from __future__ import annotations

import gc
import multiprocessing
import os
import weakref
from dataclasses import replace
from pathlib import Path

import pytest

from deep_arch.storage import engines, sql_storage
from deep_arch.storage.memory_storage import MemoryStorage
from deep_arch.storage.rows import WorkerRow
from deep_arch.studies.heart import Heart
from deep_arch.studies.machine import is_gone, new_worker, shown, this_machine
from deep_arch.studies.study import Study
from deep_arch.testing.waiting import wait_until
from tests.studies.objectives import ask_and_leave, opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def worker(study: Study) -> WorkerRow | None:
    return study.storage.worker(study._heart.worker.id)


def beat(study: Study) -> float | None:
    found = worker(study)
    assert found is not None
    return found.beat


# --- beating ---------------------------------------------------------------------------------------------------------


def test_a_study_beats_from_its_first_trial_on_until_it_is_closed(file: Path) -> None:
    study = opened(file, heartbeat_s=0.01)
    assert worker(study) is None
    trial = next(study)
    first = beat(study)
    assert first is not None and abs(first - study.storage.now()) < 60
    wait_until(lambda: (beat(study) or 0) > first, "another beat")
    study.close()
    assert beat(study) is None
    study.close()
    trial.tell(1)
    next(study).tell(1)
    assert beat(study) is not None
    study.close()


def test_a_worker_is_shown_with_its_trial(file: Path) -> None:
    study = opened(file)
    trial = next(study)
    trial.tell(1)
    name = f"{os.uname().nodename}:{os.getpid()}"
    assert trial.worker == opened(file).trials[0].worker == shown(new_worker()) == name
    study.close()


def test_a_study_that_is_forgotten_leaves(file: Path) -> None:
    study = opened(file)
    values = next(study).values
    storage, id = study.storage, study._heart.worker.id
    gone = weakref.ref(study)
    del study
    gc.collect()
    assert gone() is None
    wait_until(lambda: (row := storage.worker(id)) is not None and row.beat is None, "the worker to leave")
    other = opened(file)
    assert next(other).values == values
    other.close()


def test_a_study_that_is_forgotten_within_a_turn_leaves_after_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector runs its finalizer in whatever thread, also in that which holds the file."""
    monkeypatch.setattr(engines, "PATIENCE_S", 5)
    other = opened(file)
    study = opened(file)
    next(study)
    storage, id = sql_storage.SqlStorage(f"sqlite:///{file}"), study._heart.worker.id
    gone = weakref.ref(study)
    gc.disable()
    try:
        with other.storage.turn("digits"):
            del study
            gc.collect()
            assert gone() is None
    finally:
        gc.enable()
    monkeypatch.undo()
    wait_until(lambda: (row := storage.worker(id)) is not None and row.beat is None, "the worker to leave")
    other.close()


def test_a_process_that_ends_leaves(file: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=ask_and_leave, args=(file,))
    process.start()
    process.join()
    assert process.exitcode == 1
    study = opened(file)
    assert study.counts == {"running": 1}
    trial = next(study)
    row = study.storage.row("digits", 0)
    assert row is not None and (trial.number, row.lost) == (0, 0)
    study.close()


# --- who is dead -----------------------------------------------------------------------------------------------------


def ended() -> WorkerRow:
    """Return a worker of this machine whose process has ended."""
    process = multiprocessing.get_context("spawn").Process(target=int)
    process.start()
    found = replace(new_worker(), process=process.pid or 0)
    process.join()
    return found


def test_a_worker_of_this_machine_is_gone_with_its_process() -> None:
    here = new_worker()
    before = replace(here, born=here.born - 100)  # of which the number was used again since
    assert is_gone(here) is False
    assert is_gone(before) is True
    assert is_gone(ended()) is True
    assert is_gone(replace(here, machine="elsewhere")) is None


def test_a_process_that_waits_to_be_fetched_is_gone() -> None:
    psutil = pytest.importorskip("psutil")
    process = multiprocessing.get_context("spawn").Process(target=int)
    process.start()
    assert process.pid is not None
    child = psutil.Process(process.pid)
    worker = replace(new_worker(), process=process.pid, born=child.create_time())
    wait_until(lambda: child.status() == psutil.STATUS_ZOMBIE, "the child to end")
    assert is_gone(worker) is True
    process.join()


@pytest.mark.parametrize(("passed", "dead"), [(0.0, False), (59.0, False), (61.0, True)])
def test_a_worker_of_another_machine_is_dead_after_six_beats(passed: float, dead: bool) -> None:
    heart = Heart(MemoryStorage(), 10.0)
    assert heart.is_dead(WorkerRow("a", "elsewhere", 1, 0.0, beat=1000.0), 1000.0 + passed) is dead


def test_who_left_or_was_never_there_is_dead() -> None:
    heart = Heart(MemoryStorage(), 10.0)
    assert heart.is_dead(None, 0.0) and heart.is_dead(replace(new_worker(), beat=None), 0.0)


def test_a_machine_has_one_name() -> None:
    assert this_machine() == this_machine() and this_machine().startswith(os.uname().nodename)

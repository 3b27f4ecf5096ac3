"""Running a study in several threads, of one executor or of its user, and beside other workers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import ScopeError
from deep_arch.searchers import RandomSearch, RegularizedEvolution
from deep_arch.studies.study import Study
from tests.studies import objectives
from tests.studies.objectives import UNITS, net, units


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


def test_two_threads_run_one_study(study: Study) -> None:
    meet = threading.Barrier(2)
    both = threading.local()

    def objective(trial: da.Trial) -> float:
        if not hasattr(both, "met"):  # each thread has a trial at the same time
            both.met = True
            meet.wait(60)
        return units(trial)

    threads = [threading.Thread(target=run, args=(study, objective, 20)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert study.counts == {"complete": 20}
    assert len({trial.values[UNITS] for trial in study.trials}) == 20


def test_what_ends_the_run_of_one_thread_leaves_that_of_another(study: Study) -> None:
    begun, ended = threading.Event(), threading.Event()

    def waits(trial: da.Trial) -> float:
        begun.set()
        ended.wait(60)
        return 5.0

    thread = threading.Thread(target=run, args=(study, waits, 1))
    thread.start()
    begun.wait(60)

    def interrupted(trial: da.Trial) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(study, interrupted, 2)
    assert study.counts == {"running": 1, "waiting": 1}
    ended.set()
    thread.join()
    run(study, trials=2)
    assert study.counts == {"complete": 2} and study.trials[0].score == 5.0


def test_threads_of_an_executor(study: Study) -> None:
    with ThreadPoolExecutor(3) as pool:
        run(study, objectives.keeps, 12, executor=pool)
    assert study.counts == {"complete": 12}
    assert all(trial.attributes["notes"] and trial.directory.exists() for trial in study.trials)


def test_a_space_without_a_name_runs_in_threads(tmp_path: Path) -> None:
    one = da.Study(da.space(lambda x: ops.Dense(units=da.integer(1, 99))(x)), RandomSearch(), tmp_path / "runs.db")
    with ThreadPoolExecutor(2) as pool:
        run(one, executor=pool)
    assert one.counts == {"complete": 3}


def test_a_space_without_a_name_runs_in_no_other_process(tmp_path: Path) -> None:
    one = da.Study(da.space(lambda x: ops.Dense(units=da.integer(1, 99))(x)), RandomSearch(), tmp_path / "runs.db")
    with pytest.raises(
        ScopeError, match=r"<lambda>: a space needs a name under which another process finds it, for wor"
    ):
        run(one, executor=1)
    assert one.counts == {}


def test_as_many_are_out_as_may_be(study: Study) -> None:
    out, most, lock = [0], [0], threading.Lock()
    both = threading.Barrier(2)

    def objective(trial: da.Trial) -> float:
        with lock:
            out[0] += 1
            most[0] = max(most[0], out[0])
        if trial.number < 2:
            both.wait(60)
        with lock:
            out[0] -= 1
        return 0.0

    with ThreadPoolExecutor(8) as pool:
        run(study, objective, 12, executor=pool, max_parallel=2)
    assert most == [2]


class Refusing(Executor):
    """Takes two tasks."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1)
        self.n = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.n += 1
        if self.n > 2:
            raise RuntimeError("cannot schedule new futures")
        return self.pool.submit(fn, *args, **kwargs)


def test_an_executor_that_takes_no_more_ends_a_run(tmp_path: Path) -> None:
    one = da.Study(net, RandomSearch(), tmp_path / "runs.db", seed=0)
    with pytest.raises(RuntimeError, match="cannot schedule new futures"):
        run(one, executor=Refusing(), trials=9, max_parallel=1)
    assert one.counts == {"complete": 2, "waiting": 1}
    run(one, trials=3)
    assert one.counts == {"complete": 3}


def test_what_others_run_is_waited_for(study: Study, tmp_path: Path) -> None:
    other = made(tmp_path)
    theirs = other.ask()
    assert theirs is not None
    thread = threading.Thread(target=run, args=(study, units, 3))
    thread.start()
    while study.counts.get("complete", 0) < 2:
        pass
    assert thread.is_alive()
    theirs.tell(1)
    thread.join()
    assert study.counts == {"complete": 3}
    other.close()


def test_evolution_in_threads_goes_on_exactly(tmp_path: Path) -> None:
    """Whatever the order in which the threads ended, another worker finds that the proposals follow from it."""
    one = made(tmp_path, RegularizedEvolution(population=4, sample=2))
    one._save_after = 10**9  # so that the other goes through it from the beginning
    with ThreadPoolExecutor(4) as pool:
        run(one, trials=30, executor=pool)
    other = made(tmp_path, RegularizedEvolution(population=4, sample=2))
    run(other, trials=40)
    assert other.counts == {"complete": 40}

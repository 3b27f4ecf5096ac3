"""Print what studies take: a trial beside Optuna on the same disk, a study of 100,000 trials, two busy workers.

The objective is empty, so a trial takes what it takes to propose, keep and tell it. Ours also looks whether the same
graph was given out before. Optuna writes each hyperparameter by itself, and in SQLite waits for the disk each time;
ours writes a trial when it is given out and when it ends, and leaves it to the system when this reaches the disk: what
a killed process wrote is there, and a loss of power may take the last trials. Each row is the mean of several runs,
each in a new study, and their standard deviation; a run ends after `ENOUGH_S` even if it has fewer trials, on both
sides. With DEEP_ARCH_POSTGRES, the URL of a database that may be written, rows of PostgreSQL are added. Run with `make
bench`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import spaces

import deep_arch as da
from deep_arch import FinishedTrial, Searcher, ops, searchers
from deep_arch.executors import ProcessPool
from deep_arch.storage.rows import End, TrialRow
from deep_arch.storage.sql_storage import SqlStorage
from deep_arch.studies.about import about_study
from deep_arch.studies.record import digest

RUNS, TRIALS, ENOUGH_S = 5, 100, 4.0
N_LARGE = 100_000
N_TASKS, TASK_S, WORKERS = 40, 0.5, 2

Run = Callable[[Path], int]
"""One run in a folder, which returns how many trials it had."""

SPACES = {"the README's": spaces.poster, "chain of 100": spaces.chain}
SEARCHERS: dict[str, tuple[Callable[[], Searcher], str]] = {
    "random": (searchers.RandomSearch, "RandomSampler"),
    "evolution, TPE": (searchers.RegularizedEvolution, "TPESampler"),
}
"""Ours, and Optuna's."""

POSTGRES = os.environ.get("DEEP_ARCH_POSTGRES", "")

STORAGES = ("memory", "SQLite", *(("PostgreSQL",) if POSTGRES else ()))


def empty(trial: Any) -> float:
    return float(trial.number % 7)


# --- a trial ---------------------------------------------------------------------------------------------------------


def ours(space: da.SearchSpace, searcher: Callable[[], Searcher], storage: str) -> Run:
    """Return a run of ours."""

    def run(folder: Path) -> int:
        name = uuid.uuid4().hex
        where = {"memory": None, "SQLite": folder / "ours.db", "PostgreSQL": POSTGRES}[storage]
        study = da.Study(space, searcher(), storage=where, name=name, seed=0)
        study.run(empty, trials=TRIALS, timeout=ENOUGH_S, progress=False)
        n = sum(study.counts.values())
        study.close()
        if storage == "PostgreSQL":
            study.storage.remove(name)
        return n

    return run


def optuna(suggest: str, sampler: str, storage: str) -> Run:
    """Return a run of Optuna's on the same space."""
    import optuna
    import peer_optuna
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    suggestions = {"the README's": peer_optuna.poster, "chain of 100": peer_optuna.chain}[suggest]

    def objective(trial: Any) -> float:
        suggestions(trial)
        return empty(trial)

    def run(folder: Path) -> int:
        name = uuid.uuid4().hex
        where: Any = None
        if storage == "SQLite":
            where = RDBStorage(f"sqlite:///{folder}/optuna.db")
        elif storage == "journal":
            where = JournalStorage(JournalFileBackend(str(folder / "optuna.log")))
        elif storage == "PostgreSQL":
            where = RDBStorage(POSTGRES.replace("postgresql://", "postgresql+psycopg://"))
        made = getattr(optuna.samplers, sampler)(seed=0)
        study = optuna.create_study(storage=where, sampler=made, study_name=name, direction="maximize")
        study.optimize(objective, n_trials=TRIALS, timeout=ENOUGH_S)
        n = len(study.get_trials(deepcopy=False))
        if storage == "PostgreSQL":
            optuna.delete_study(study_name=name, storage=where)
        return n

    return run


def timed(*runs: Run) -> list[list[float]]:
    """Return the milliseconds that one trial took, in each of the runs; the first, which imports, does not count.

    Those that are compared take turns, since disks have their moods.
    """
    found: list[list[float]] = [[] for _ in runs]
    for _ in range(RUNS + 1):
        for run, times in zip(runs, found, strict=True):
            with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
                before = time.perf_counter()
                n = run(Path(folder))
                times.append((time.perf_counter() - before) * 1e3 / n)
    return [times[1:] for times in found]


def shown(ms: list[float]) -> str:
    return f"{statistics.fmean(ms):9.2f} ± {statistics.stdev(ms):5.2f} ms"


def ratio(theirs: list[float], mine: list[float]) -> str:
    """Return a ratio of means; its spread is that of both."""
    mean = statistics.fmean(theirs) / statistics.fmean(mine)
    spread = mean * sum([(statistics.stdev(ms) / statistics.fmean(ms)) ** 2 for ms in (theirs, mine)]) ** 0.5
    return f"{mean:7.1f} ± {spread:4.1f} x"


def print_trials() -> None:
    peer = importlib.util.find_spec("optuna") is not None
    print(f"{'space':15}{'searcher':17}{'storage':12}{'deep_arch':>20}{'Optuna':>20}{'ratio':>16}")
    for space_name, space in SPACES.items():
        for searcher_name, (searcher, sampler) in SEARCHERS.items():
            for storage in STORAGES:
                print(f"{space_name:15}{searcher_name:17}{storage:12}", end="", flush=True)
                others = (storage, "journal") if storage == "SQLite" else (storage,)
                peers = [optuna(space_name, sampler, other) for other in others if peer]
                mine, *theirs = timed(ours(space, searcher, storage), *peers)
                rows = [f"{shown(times)}{ratio(times, mine)}" for times in theirs]
                print(
                    f"\n{'':32}{'a file of its journal beside it':32}".join(
                        [shown(mine) + "".join(rows[:1]), *rows[1:]]
                    )
                )


# --- a large study ---------------------------------------------------------------------------------------------------


@da.space
def perceptrons(x: da.Value) -> da.Value:
    """Some 10**21 perceptrons."""
    return da.repeat(lambda: ops.Dense(units=da.integer(8, 512)), da.integer(1, 8))(x)


def fill(path: Path, searcher: Searcher, n_trials: int) -> None:
    """Put finished trials into a file, a thousand to a turn, and the searcher that was told of them."""
    study = da.Study(perceptrons, searcher, storage=path, name="large", seed=0)
    for first in range(0, n_trials, 1000):
        with study.storage.turn("large") as turn:
            for number in range(first, first + 1000):
                architecture = perceptrons.sample(number)
                values, score = architecture.to_json(), float(number * 7919 % 104729)
                turn.give(TrialRow(number, values, digest(values), turn.position + 1, key=digest(f"{number}")))
                turn.end(number, End("complete", (score,)))
                searcher.tell(FinishedTrial(number, architecture.values, (score,)))
            turn.save(study.state())
    study.close()


def hand_over(path: Path, searcher: Searcher, n_trials: int) -> None:
    """Let another searcher go on with the trials in a file."""
    study = da.Study(perceptrons, searcher, storage=None, seed=0)
    for number in range(n_trials - 100, n_trials):
        values = perceptrons.sample(number).values
        searcher.tell(FinishedTrial(number, values, (float(number * 7919 % 104729),)))
    storage = SqlStorage(f"sqlite:///{path}")
    about = about_study(perceptrons, searcher, study.directions, "record")
    storage.change("large", about)
    with storage.turn("large") as turn:
        turn.save(study.state())
    storage.close()


def measure(path: str, searcher: str) -> None:
    """Print how long a study takes to open and go on, in a process of its own."""
    import sqlalchemy as sqlalchemy  # which is not what is measured
    from sqlalchemy.dialects import sqlite as sqlite

    before, found = time.perf_counter(), dict[str, float]()
    found["imported_MB"] = peak_mb()

    def lap(name: str) -> None:
        nonlocal before
        found[name], before = (time.perf_counter() - before) * 1e3, time.perf_counter()

    study = da.Study(perceptrons, getattr(searchers, searcher)(), storage=path, name="large")
    lap("open_ms")
    assert study.best.score is not None
    lap("best_ms")
    trial = study.ask()
    lap("next_ms")
    assert trial is not None and trial.number >= N_LARGE
    trial.tell(0.0)
    lap("tell_ms")
    for trial in study:
        trial.tell(0.0)
        if trial.number % 100 == 99:
            break
    lap("hundred_ms")
    found["peak_MB"] = peak_mb()
    assert sum(1 for trial in study.trials if trial.state == "complete") > N_LARGE
    lap("all_rows_ms")
    found["peak_with_rows_MB"] = peak_mb()
    study.close()
    print(json.dumps(found))


def peak_mb() -> float:
    """Return the largest part of memory that this process had so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def print_large() -> None:
    columns = {"open_ms": "open", "best_ms": "best", "next_ms": "next", "tell_ms": "tell", "hundred_ms": "next 100"}
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        path = Path(folder) / "large.db"
        before = time.perf_counter()
        fill(path, searchers.RandomSearch(), N_LARGE)
        took, size = time.perf_counter() - before, path.stat().st_size / 2**20
        print(f"\n{N_LARGE:,} finished trials in an SQLite file of {size:.0f} MB, written in {took:.0f} s")
        print(f"{'searcher':24}", *[f"{name:>12}" for name in columns.values()], f"{'all trials':>12}  peak memory")
        for name in ("RandomSearch", "RegularizedEvolution"):
            if name != "RandomSearch":
                hand_over(path, getattr(searchers, name)(), N_LARGE)
            command = [sys.executable, __file__, "measure", str(path), name]
            took_by = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            print(f"{name:24}", *[f"{took_by[column]:9.1f} ms" for column in columns], end=" ")
            print(f"{took_by['all_rows_ms'] / 1e3:10.1f} s", end="  ")
            print(f"{took_by['peak_MB']:.0f} MB, of which {took_by['imported_MB']:.0f} MB imports;", end=" ")
            print(f"{took_by['peak_with_rows_MB']:.0f} MB once all were read")


# --- two workers -----------------------------------------------------------------------------------------------------


def sleep(trial: da.Trial) -> float:
    time.sleep(TASK_S)
    return 0.0


def compute(trial: da.Trial) -> float:
    end = time.process_time() + TASK_S
    while time.process_time() < end:
        pass
    return 0.0


def print_workers() -> None:
    ideal = N_TASKS * TASK_S / WORKERS
    print(f"\n{N_TASKS} objectives of {TASK_S} s on {WORKERS} processes: the share of the time that they run")
    for name, objective in {"sleep": sleep, "compute": compute}.items():
        for storage in ("memory", "SQLite"):
            with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder, ProcessPool(WORKERS) as pool:
                where = None if storage == "memory" else Path(folder) / "workers.db"
                study = da.Study(spaces.poster, searchers.RandomSearch(), storage=where, seed=0)
                begun = time.perf_counter()
                study.run(objective, trials=WORKERS, executor=pool, progress=False)
                started = time.perf_counter()
                study.run(objective, trials=WORKERS + N_TASKS, executor=pool, progress=False)
                share = ideal / (time.perf_counter() - started)
                study.close()
                print(
                    f"{name:10}{storage:10}{share:8.1%}, after {started - begun - TASK_S:.1f} s of starting processes"
                )


def main() -> None:
    if sys.argv[1:2] == ["measure"]:
        measure(*sys.argv[2:])
        return
    warnings.filterwarnings("ignore", module="optuna")  # says that some storages are experimental
    print_trials()
    print_large()
    print_workers()


if __name__ == "__main__":
    main()

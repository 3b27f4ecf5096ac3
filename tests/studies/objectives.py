"""Spaces and objectives that other processes import."""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import deep_arch as da
from deep_arch import ops
from deep_arch.searchers import RandomSearch

UNITS = "dense.units"


@da.space
def net(x: Any) -> Any:
    """Hold more than any test asks for."""
    da.config(rate=da.real(0, 1))
    return ops.Dense(units=da.integer(1, 10**6))(x)


@da.space
def four(x: Any) -> Any:
    return ops.Dense(units=da.choice([1, 2, 3, 4]))(x)


class Settings:
    """What a program of recorded calls makes."""

    def __init__(self, rate: float) -> None:
        self.rate = rate


PROGRAM = da.symbolize(Settings)(rate=da.real(0, 1))


def rate(trial: da.Trial) -> float:
    settings: Settings = da.build(trial)
    return settings.rate


def units(trial: da.Trial) -> float:
    return float(trial.values[UNITS])


def process(trial: da.Trial) -> float:
    """Return which process runs the trial."""
    return os.getpid()


def raises(trial: da.Trial) -> float:
    raise ZeroDivisionError(f"in trial {trial.number}")


def exits(trial: da.Trial) -> float:
    sys.exit(3)


def dies(trial: da.Trial) -> float:
    os._exit(3)


def ends_quietly(trial: da.Trial) -> float:
    os._exit(0)


def is_killed(trial: da.Trial) -> float:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0.0


def dies_once(trial: da.Trial) -> float:
    """Die the first time that a trial with an odd number runs."""
    if trial.number % 2 and first_time(trial):
        os._exit(3)
    return units(trial)


def first_time(trial: da.Trial) -> bool:
    """Return whether a trial runs for the first time, as its folder tells."""
    mark = trial.directory / "begun"
    known = mark.exists()
    mark.touch()
    return not known


def sleeps(trial: da.Trial) -> float:
    time.sleep(600)
    return 0.0


def loops(trial: da.Trial) -> float:
    """Catch whatever is to stop it, the first time."""
    for _ in range(2):
        try:
            while True:
                pass
        except Exception:
            continue
    return 0.0


def is_deaf(trial: da.Trial) -> float:
    """Neither wake from a signal nor run Python, as compiled code does."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(600)
    return 0.0


def sleeps_if_odd(trial: da.Trial) -> float:
    return sleeps(trial) if trial.number % 2 else units(trial)


def reports(trial: da.Trial) -> float:
    """Report a curve, and stop where that is advised."""
    for step in range(10):
        score = units(trial) * (1 - 0.5**step)
        trial.report(score, step)
        if trial.should_stop():
            trial.set_attribute("stopped", step)
            return score
    return units(trial)


def keeps(trial: da.Trial) -> float:
    """Keep an attribute and a file."""
    trial.set_attribute("process", os.getpid())
    trial.set_attribute("notes", {"of": ["any", 1.5, None]})
    (trial.directory / "weights").write_text(str(trial.number))
    return units(trial)


def trains(trial: da.Trial) -> float:
    """Train for as many epochs as are left of the budget, and return how many these were."""
    done = trial.directory / "epochs"
    before = int(done.read_text()) if done.exists() else 0
    assert bool(before) == (trial.continues is not None) and trial.budget is not None
    done.write_text(str(trial.budget))
    return trial.budget - before


def writes_process_and_sleeps(trial: da.Trial) -> float:
    path = trial.directory / "written"
    path.write_text(str(os.getpid()))
    path.rename(trial.directory / "process")
    return sleeps(trial)


def tells_by_itself(trial: da.Trial) -> None:
    if trial.number % 3 == 0:
        trial.tell(7)
    elif trial.number % 3 == 1:
        trial.skip()
    else:
        trial.fail("by itself")


def returns(kind: str) -> Any:
    """Return what an objective may return, by name."""
    return {
        "numpy": np.float32(0.5),
        "array": np.array([0.5]),
        "nan": float("nan"),
        "infinite": float("inf"),
        "nothing": None,
        "text": "0.5",
        "truth": True,
        "too many": (0.5, 0.5),
        "none of several": (),
    }[kind]


def opened(file: Path, heartbeat_s: float = 10.0, seed: int = 0) -> da.Study:
    return da.Study(net, RandomSearch(), file, "digits", seed, heartbeat_s=heartbeat_s)


def ask_and_wait(file: Path, line: Any, heartbeat_s: float) -> None:
    """Ask for a trial, say which, end it once something is said, and say which warnings that gave."""
    trial = opened(file, heartbeat_s).ask()
    assert trial is not None
    line.send(trial.number)
    line.recv()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trial.tell(-1.0)
    line.send([str(warning.message) for warning in caught])


def ask_and_leave(file: Path) -> None:
    """Ask for a trial, and end as a program does that is interrupted."""
    study = opened(file)
    next(study)
    sys.exit(1)


def run_with_others(file: Path, trials: int, seed: int) -> None:
    opened(file, seed=seed).run(units, trials, progress=False)

"""A program that runs a study, for tests that kill it: `python searching.py '{"storage": ..., ...}'`."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import deep_arch as da
from deep_arch import ops
from deep_arch.searchers import RegularizedEvolution
from deep_arch.studies.trial import Trial


@da.space
def net(x: Any) -> Any:
    for _ in range(3):
        x = da.repeat(lambda: ops.Dense(units=da.integer(1, 100)), da.choice([1, 2, 3]))(x)
    return x


def searcher() -> RegularizedEvolution:
    return RegularizedEvolution(population=20, sample=5)


def score(trial: Trial) -> float:
    return float(sum(value for address, value in trial.values.items() if address.endswith("units")))


class Objective:
    """Takes a while, writes a line into a journal where it ends, and dies where it is told to.

    Args:
        takes_s: how long a trial takes.
        journal: a file for one line a trial that came to its end.
        deadly: trial to how many times it kills the process that runs it, counted by files in the trial's directory.
    """

    def __init__(self, takes_s: float, journal: str, deadly: dict[int, int]) -> None:
        self.takes_s, self.journal, self.deadly = takes_s, journal, deadly

    def __call__(self, trial: Trial) -> float:
        died = len(list(trial.directory.glob("died-*")))
        if died < self.deadly.get(trial.number, 0):
            (trial.directory / f"died-{died}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.takes_s)
        with Path(self.journal).open("a") as file:
            file.write(f"{trial.number} {os.getpid()}\n")
        return score(trial)


def executor(kind: str) -> Any:
    """Return an executor by its name, as a tuple of what is entered and what gives it."""
    if kind == "pool":
        from deep_arch.executors import ProcessPool

        return ProcessPool(2)
    if kind == "ray":
        from deep_arch.executors import RayExecutor

        return RayExecutor()
    if kind == "dask":
        from distributed import Client, LocalCluster

        return Client(LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)).get_executor()  # type: ignore[no-untyped-call]
    return None


def main() -> None:
    given = json.loads(sys.argv[1])
    deadly = {int(number): times for number, times in given.get("deadly", {}).items()}
    study = da.Study(net, searcher(), given["storage"], seed=3, directory=given.get("directory"), heartbeat_s=1.0)
    print("begins", flush=True)
    objective = Objective(given.get("takes_s", 0.0), given["journal"], deadly)
    running = executor(given.get("executor", ""))
    study.run(objective, given["trials"], executor=running, progress=False)
    print(json.dumps({"counts": study.counts, "ending": study.ending}), flush=True)
    if running is not None:
        running.shutdown()


if __name__ == "__main__":
    main()

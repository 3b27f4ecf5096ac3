"""Trials in other processes: what is sent there, how they are run, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.channel import Address, Line, who
from deep_arch.studies.evaluating import Objective, evaluate
from deep_arch.studies.trial import Trial

if TYPE_CHECKING:
    from deep_arch.spaces.choice_points import ChoicePoint
    from deep_arch.spaces.mixtures import Mixture


@dataclass(frozen=True, slots=True)
class Task:
    """A trial as it is sent to a worker.

    Attributes:
        space: what is searched; it is found there by its name.
        values: of the architecture, as JSON text.
        number, budget, continues: of the trial.
        folder: where it has its directory.
        n_objectives: how many scores it is told.
        limit_s: how long it may take.
        address: where its reports go.
    """

    space: SearchSpace
    values: str
    number: int
    budget: float | None
    continues: int | None
    folder: Path
    n_objectives: int
    limit_s: float | None
    address: Address


class _Elsewhere:
    """What a trial reports to where it runs in a worker: the study, at the other end of the line."""

    relaxes = False

    def __init__(self, task: Task, line: Line) -> None:
        self.n_objectives = task.n_objectives
        self._folder, self._line = task.folder, line

    def reported(self, trial: Trial, step: int, score: float) -> None:
        trial.intermediate[step] = score
        self._line.call("report", step=step, score=score)

    def marked(self, trial: Trial) -> None:
        if trial.state == "running":
            self._line.call("mark", attributes=trial.attributes)

    def advises_stop(self, trial: Trial) -> bool:
        return bool(self._line.call("stop"))

    def ended(self, trial: Trial) -> None:
        """Leave it at that: what came of it goes back as the result of the task."""

    def folder(self, number: int) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def weighed(self, trial: Trial, point: ChoicePoint) -> Mixture | None:
        return None


def run_task(objective: Objective, task: Task) -> dict[str, Any]:
    """Run an objective on the trial of a task, in a worker, and return how it ended."""
    line = Line(task.address, task.number)
    try:
        architecture = Architecture.from_json(task.values, task.space)
        trial = Trial(task.number, architecture, task.budget, _Elsewhere(task, line))
        trial.continues = task.continues
        if line.call("begin", **who()) is False:
            trial.fail(f"trial {task.number}: the workers that ran it died, time and again.")
            return _outcome(trial)
        evaluate(objective, trial, task.limit_s)
        outcome = _outcome(trial)
        line.call("end", outcome=outcome)  # for some executors lose what a worker found that dies at its next task
        return outcome
    finally:
        line.close()


def _outcome(trial: Trial) -> dict[str, Any]:
    kept = ("state", "scores", "error", "attributes")
    steps = list(trial.intermediate.items())  # which JSON holds, whose names are no numbers
    return {"intermediate": steps, **{name: getattr(trial, name) for name in kept}}


def take_back(trial: Trial, outcome: Mapping[str, Any]) -> None:
    """End a trial as it ended in a worker."""
    trial.attributes = dict(outcome["attributes"])
    trial.intermediate = dict(outcome["intermediate"])
    trial.end(outcome["state"], tuple(outcome["scores"]), outcome["error"])

"""Rows: what a storage keeps of a trial and of a worker, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

RowState = Literal["waiting", "running", "complete", "failed", "skipped"]
"""How a trial stands: "waiting" is one that was begun and given up, to be given out again."""

ENDED: tuple[RowState, ...] = ("complete", "failed", "skipped")


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """Who runs trials: one study object in one process.

    Attributes:
        id: unlike any other.
        machine: where the process runs, equal for processes that can see one another.
        process, born: its number, and when it began as the machine tells it, since numbers are used again.
        beat: when it last gave a sign of life, in seconds of the storage's clock; None for one that has left.
    """

    id: str
    machine: str
    process: int
    born: float
    beat: float | None = None


@dataclass(frozen=True, slots=True)
class TrialRow:
    """All of a trial.

    Attributes:
        number: from 0, in the order in which trials were given out.
        values: the architecture's values, as JSON.
        digest: of the values.
        given: the event at which it was given out first.
        key: what duplicates have in common; None where duplicates are given out.
        budget, continues: as the trial's.
        proposed: the queued values that it came from, as JSON; None for a proposal of the searcher's own.
        state: how it stands.
        ended: the event at which it ended; None before.
        scores, intermediate, error, attributes: as the trial's.
        worker: the id of the worker that runs it, or did; its machine and process are kept with the workers.
        lost: how many times its worker died.
        ranked: as its end's.
        started, finished: when it was last given out, and ended, in seconds of the storage's clock.
    """

    number: int
    values: str
    digest: str
    given: int
    key: str | None = None
    budget: float | None = None
    continues: int | None = None
    proposed: str | None = None
    state: RowState = "running"
    ended: int | None = None
    scores: tuple[float, ...] = ()
    intermediate: Mapping[int, float] = field(default_factory=dict[int, float])
    error: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    worker: str | None = None
    lost: int = 0
    started: float | None = None
    finished: float | None = None
    ranked: bool = True


@dataclass(frozen=True, slots=True)
class End:
    """How a trial ended.

    Attributes:
        state, scores, intermediate, error, attributes: as the trial's.
        ranked: whether it may be the best: not one with holes, which is no program.
    """

    state: RowState
    scores: tuple[float, ...] = ()
    intermediate: Mapping[int, float] = field(default_factory=dict[int, float])
    error: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    ranked: bool = True

"""A turn in memory, and the study that it changes."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from deep_arch.storage.rows import End, TrialRow, WorkerRow
from deep_arch.storage.storage import Turn

_Result = TypeVar("_Result", TrialRow, End)


@dataclass
class MemoryStudy:
    """A study in memory; its turn is held by `lock`, and `changing` for as long as what was read belongs together."""

    about: Mapping[str, Any]
    saved: str
    saved_at: int = 0
    position: int = 0
    n_ended: int = 0
    rows: list[TrialRow] = field(default_factory=list[TrialRow])
    events: list[int] = field(default_factory=list[int])  # the number of the trial that each was about; -1 for none
    first: dict[str, int] = field(default_factory=dict[str, int])
    latest: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    seen: set[str] = field(default_factory=set[str])
    queue: deque[str] = field(default_factory=deque[str])
    waiting: list[int] = field(default_factory=list[int])
    running: dict[int, None] = field(default_factory=dict[int, None])
    lock: threading.Lock = field(default_factory=threading.Lock)
    changing: threading.Lock = field(default_factory=threading.Lock)
    turn: MemoryTurn | None = None

    @property
    def my_turn(self) -> MemoryTurn | None:
        """The turn, where this thread has it."""
        return self.turn if self.turn is not None and self.turn.thread == threading.get_ident() else None


class MemoryTurn(Turn):
    """A turn that undoes what it did where it does not come to its end."""

    def __init__(self, study: MemoryStudy, workers: Mapping[str, WorkerRow]) -> None:
        self.thread = threading.get_ident()
        self._study, self._workers = study, workers
        self.position, self.n_given, self.n_ended = study.position, len(study.rows), study.n_ended
        self.saved_at, self._saved = study.saved_at, study.saved
        self._given: list[TrialRow] = []
        self._changed: dict[int, TrialRow] = {}
        self._seen: list[str] = []
        self._events: list[int] = []
        self._queue: list[str] = []
        self._n_taken = 0

    def commit(self) -> None:
        """Keep what the turn changed."""
        study = self._study
        for row in self._given:
            if row.key is not None:
                study.first.setdefault(row.key, row.number)
            study.latest.setdefault(row.digest, []).append(row.number)
            study.rows.append(row)
            study.running[row.number] = None
        for number, row in self._changed.items():
            study.rows[number] = row
            study.running.pop(number, None)
            if row.state == "running":
                study.running[number] = None
            if (row.state == "waiting") != (number in study.waiting):
                (study.waiting.append if row.state == "waiting" else study.waiting.remove)(number)
        study.waiting.sort()
        study.seen.update(self._seen)
        study.events += self._events
        study.queue.extend(self._queue)
        for _ in range(self._n_taken):
            study.queue.popleft()
        study.position, study.n_ended = self.position, self.n_ended
        study.saved, study.saved_at = self._saved, self.saved_at

    def saved(self) -> str:
        return self._saved

    def save(self, state: str, counts: bool = False) -> None:
        if counts:
            self._count(-1)
        self._saved, self.saved_at = state, self.position

    def _count(self, number: int) -> int:
        self.position += 1
        self._events.append(number)
        return self.position

    def row(self, number: int) -> TrialRow:
        """Return a trial as this turn leaves it."""
        known = len(self._study.rows)
        return self._changed.get(number) or (
            self._study.rows[number] if number < known else self._given[number - known]
        )

    def events(self, since: int) -> list[TrialRow]:
        happened = {*self._study.events[since:], *self._events[max(0, since - len(self._study.events)) :]}
        return [self.row(number) for number in sorted(happened - {-1})]

    def first(self, key: str, before: int) -> TrialRow | None:
        found = self._study.first.get(key)
        if found is None:
            found = next((row.number for row in self._given if row.key == key), None)
        row = self.row(found) if found is not None else None
        return row if row is not None and row.given < before else None

    def latest(self, digest: str, before: int) -> TrialRow | None:
        mine = [row.number for row in reversed(self._given) if row.digest == digest]
        rows = map(self.row, [*mine, *reversed(self._study.latest.get(digest, []))])
        return next((row for row in rows if row.given < before), None)

    def saw(self, digest: str) -> None:
        self._seen.append(digest)

    def n_seen(self) -> int:
        return len(self._study.latest.keys() | self._study.seen | set(self._seen) | {r.digest for r in self._given})

    def give(self, row: TrialRow) -> None:
        assert (row.number, row.given) == (self.n_given, self.position + 1), "numbers and events follow one another"
        self._given.append(replace(as_kept(row), started=time.time()))
        self.n_given += 1
        self._count(row.number)

    def change(self, number: int, **values: Any) -> TrialRow:
        """Change what is known of a trial."""
        row = self._changed[number] = replace(self.row(number), **values)
        return row

    def end(self, number: int, end: End) -> int:
        event = self._count(number)
        self.n_ended += 1
        result = {field.name: getattr(as_kept(end), field.name) for field in fields(End)}
        self.change(number, **result, ended=event, finished=time.time())
        return event

    def owner(self, number: int) -> str | None:
        row = self.row(number) if 0 <= number < self.n_given else None
        return row.worker if row is not None and row.state == "running" else None

    def waiting(self) -> TrialRow | None:
        rows = [self.row(number) for number in sorted({*self._study.waiting, *self._changed})]
        return next((row for row in rows if row.state == "waiting"), None)

    def claim(self, number: int, worker: str) -> TrialRow:
        return self.change(number, state="running", worker=worker, intermediate={}, attributes={}, started=time.time())

    def release(self, number: int, lost: int) -> None:
        self.change(number, state="waiting", worker=None, lost=lost)

    def running(self) -> list[tuple[TrialRow, WorkerRow | None]]:
        numbers = sorted({*self._study.running, *self._changed, *[row.number for row in self._given]})
        return [(row, self._workers.get(row.worker or "")) for row in map(self.row, numbers) if row.state == "running"]

    def queue(self, values: str) -> None:
        self._queue.append(values)

    def n_queued(self) -> int:
        return len(self._study.queue) + len(self._queue) - self._n_taken

    def take(self) -> str | None:
        queue, taken = self._study.queue, self._n_taken
        found = queue[taken] if taken < len(queue) else next(iter(self._queue[taken - len(queue) :]), None)
        self._n_taken += found is not None
        return found


def as_json(value: Mapping[str, Any]) -> Any:
    """Return a copy as it comes back from any other storage."""
    return json.loads(json.dumps(dict(value))) if value else {}


def as_kept(row: _Result) -> _Result:
    """Return a row or end that no one else can change."""
    return replace(row, intermediate=dict(row.intermediate), attributes=as_json(row.attributes))

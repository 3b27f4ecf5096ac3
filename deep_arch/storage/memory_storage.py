"""Storage in memory: for a search that one process runs and that ends with it."""

from __future__ import annotations

import copy
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from deep_arch.errors import StudyError, nearest
from deep_arch.storage.rows import End, RowState, TrialRow, WorkerRow
from deep_arch.storage.storage import Storage, Turn


@dataclass
class _Study:
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
    lock: threading.RLock = field(default_factory=threading.RLock)


class _MemoryTurn(Turn):
    """A turn that undoes what it did where it does not come to its end."""

    def __init__(self, study: _Study, workers: Mapping[str, WorkerRow]) -> None:
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

    def _row(self, number: int) -> TrialRow:
        known = len(self._study.rows)
        return self._changed.get(number) or (
            self._study.rows[number] if number < known else self._given[number - known]
        )

    def events(self, since: int) -> list[TrialRow]:
        happened = {*self._study.events[since:], *self._events[max(0, since - len(self._study.events)) :]}
        return [self._row(number) for number in sorted(happened - {-1})]

    def first(self, key: str, before: int) -> TrialRow | None:
        found = self._study.first.get(key)
        row = self._row(found) if found is not None else None
        return row if row is not None and row.given < before else None

    def latest(self, digest: str, before: int) -> TrialRow | None:
        rows = [self._row(number) for number in reversed(self._study.latest.get(digest, []))]
        return next((row for row in rows if row.given < before), None)

    def saw(self, digest: str) -> None:
        self._seen.append(digest)

    def n_seen(self) -> int:
        return len(self._study.latest.keys() | self._study.seen | set(self._seen) | {r.digest for r in self._given})

    def give(self, row: TrialRow) -> None:
        assert (row.number, row.given) == (self.n_given, self.position + 1), "numbers and events follow one another"
        self._given.append(replace(row, started=time.time()))
        self.n_given += 1
        self._count(row.number)

    def _change(self, number: int, **values: Any) -> TrialRow:
        row = self._changed[number] = replace(self._row(number), **values)
        return row

    def end(self, number: int, end: End) -> int:
        event = self._count(number)
        self.n_ended += 1
        result = {name: getattr(end, name) for name in ("state", "scores", "intermediate", "error", "attributes")}
        self._change(number, **result, ended=event, finished=time.time())
        return event

    def owner(self, number: int) -> str | None:
        row = self._row(number)
        return row.worker if row.state == "running" else None

    def waiting(self) -> TrialRow | None:
        rows = [self._row(number) for number in sorted({*self._study.waiting, *self._changed})]
        return next((row for row in rows if row.state == "waiting"), None)

    def claim(self, number: int, worker: str) -> TrialRow:
        renewed = {"intermediate": {}, "attributes": {}, "started": time.time()}
        return self._change(number, state="running", worker=worker, **renewed)

    def release(self, number: int, lost: int) -> None:
        self._change(number, state="waiting", worker=None, lost=lost)

    def running(self) -> list[tuple[TrialRow, WorkerRow | None]]:
        numbers = sorted({*self._study.running, *self._changed, *[row.number for row in self._given]})
        return [(row, self._workers.get(row.worker or "")) for row in map(self._row, numbers) if row.state == "running"]

    def queue(self, values: str) -> None:
        self._queue.append(values)

    def n_queued(self) -> int:
        return len(self._study.queue) + len(self._queue) - self._n_taken

    def take(self) -> str | None:
        queue, taken = self._study.queue, self._n_taken
        found = queue[taken] if taken < len(queue) else next(iter(self._queue[taken - len(queue) :]), None)
        self._n_taken += found is not None
        return found


class MemoryStorage(Storage):
    """Studies in this process's memory, which several threads may share."""

    url = "memory"
    shared = False

    def __init__(self) -> None:
        self._studies: dict[str, _Study] = {}
        self._lock = threading.Lock()
        self._workers: dict[str, WorkerRow] = {}

    def _study(self, name: str) -> _Study:
        if name not in self._studies:
            raise StudyError(
                f"{name}: expected the name of a study in memory.\n  Got {name!r}, which is none of its "
                f"{len(self._studies)}.\n  Begin it with da.Study.{nearest(name, self._studies)}"
            )
        return self._studies[name]

    def names(self) -> list[str]:
        """Return the names of the studies, in the order in which they began."""
        return list(self._studies)

    def begin(self, name: str, about: Mapping[str, Any], state: str, queue: Sequence[str] = ()) -> Mapping[str, Any]:
        """Begin a study unless there is one of this name."""
        with self._lock:
            return self._studies.setdefault(name, _Study(copy.deepcopy(about), state, queue=deque(queue))).about

    def about(self, name: str) -> Mapping[str, Any] | None:
        """Return what is known about a study."""
        return self._studies[name].about if name in self._studies else None

    def change(self, name: str, about: Mapping[str, Any]) -> None:
        """Change what is known about a study."""
        self._study(name).about = copy.deepcopy(about)

    def remove(self, name: str) -> None:
        """Remove a study and its trials."""
        self._study(name)
        del self._studies[name]

    @contextmanager
    def turn(self, name: str) -> Iterator[Turn]:
        """Wait for a turn, and give it."""
        study = self._study(name)
        with study.lock:
            turn = _MemoryTurn(study, self._workers)
            yield turn
            turn.commit()

    def rows(self, name: str, first: int = 0, state: RowState | None = None) -> Iterator[TrialRow]:
        """Return the trials from a number on, by number."""
        rows = self._study(name).rows
        for number in range(first, len(rows)):
            if state is None or rows[number].state == state:
                yield rows[number]

    def row(self, name: str, number: int) -> TrialRow | None:
        """Return one trial."""
        rows = self._study(name).rows
        return rows[number] if 0 <= number < len(rows) else None

    def counts(self, name: str) -> dict[RowState, int]:
        """Return how many trials stand in which way."""
        counts: dict[RowState, int] = {}
        for row in self._study(name).rows:
            counts[row.state] = counts.get(row.state, 0) + 1
        return counts

    def best(self, name: str, largest: bool) -> TrialRow | None:
        """Return the complete trial with the largest or smallest first score."""
        sign = 1 if largest else -1
        return max(self.rows(name, state="complete"), key=lambda row: sign * row.scores[0], default=None)

    def scores(self, name: str) -> list[tuple[int, tuple[float, ...]]]:
        """Return the numbers and scores of complete trials."""
        return [(row.number, row.scores) for row in self.rows(name, state="complete")]

    def keep(
        self, name: str, number: int, worker: str, intermediate: Mapping[int, float], attributes: Mapping[str, Any]
    ) -> bool:
        """Keep what a running trial reported so far."""
        study = self._study(name)
        with study.lock:
            row = study.rows[number]
            owned = row.worker == worker and row.state == "running"
            if owned:
                study.rows[number] = replace(row, intermediate=dict(intermediate), attributes=dict(attributes))
            return owned

    def mark(self, name: str, number: int, attributes: Mapping[str, Any]) -> None:
        """Keep the attributes of a trial that ended."""
        study = self._study(name)
        with study.lock:
            study.rows[number] = replace(study.rows[number], attributes=dict(attributes))

    def beat(self, worker: WorkerRow, leaves: bool = False) -> None:
        """Keep a sign of life of a worker, or that it leaves."""
        self._workers[worker.id] = replace(worker, beat=None if leaves else time.time())

    def worker(self, id: str) -> WorkerRow | None:
        """Return a worker."""
        return self._workers.get(id)

    def now(self) -> float:
        """Return the time."""
        return time.time()

    def close(self) -> None:
        """Keep everything: it goes with this object."""

    def __repr__(self) -> str:
        return f"MemoryStorage({len(self._studies)} studies)"

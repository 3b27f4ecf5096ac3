"""Storage in memory: for a search that one process runs and that ends with it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from deep_arch.storage.memory_turn import MemoryStudy, MemoryTurn, as_json
from deep_arch.storage.rows import RowState, TrialRow, WorkerRow
from deep_arch.storage.storage import Storage, Turn, no_study, was_removed


class MemoryStorage(Storage):
    """Studies in this process's memory, which several threads may share."""

    url = "memory"
    shared = False

    def __init__(self) -> None:
        self._studies: dict[str, MemoryStudy] = {}
        self._workers: dict[str, WorkerRow] = {}

    def _study(self, name: str) -> MemoryStudy:
        if (study := self._studies.get(name)) is None:
            raise no_study(name, self)
        return study

    def names(self) -> list[str]:
        """Return the names of the studies, in the order in which they began."""
        return list(self._studies)

    def begin(self, name: str, about: Mapping[str, Any], state: str, queue: Sequence[str] = ()) -> Mapping[str, Any]:
        """Begin a study unless there is one of this name."""
        new = MemoryStudy(as_json(about), state, queue=deque(queue))
        known: Mapping[str, Any] = as_json(self._studies.setdefault(name, new).about)
        return known

    def about(self, name: str) -> Mapping[str, Any] | None:
        """Return what is known about a study."""
        study = self._studies.get(name)
        return None if study is None else as_json(study.about)

    def change(self, name: str, about: Mapping[str, Any]) -> None:
        """Change what is known about a study."""
        self._study(name).about = as_json(about)

    def remove(self, name: str) -> None:
        """Remove a study and its trials, in a turn of it."""
        with self.turn(name):
            del self._studies[name]

    @contextmanager
    def turn(self, name: str) -> Generator[Turn, None, None]:
        """Wait for a turn, and give it."""
        study = self._study(name)
        assert study.my_turn is None, "turns of one thread do not nest"
        with study.lock:
            if self._studies.get(name) is not study:
                raise was_removed(name, self)
            study.turn = turn = MemoryTurn(study, self._workers)
            try:
                yield turn
                with study.changing:
                    turn.commit()
            finally:
                study.turn = None

    def rows(self, name: str, first: int = 0, state: RowState | None = None) -> Iterator[TrialRow]:
        """Return the trials from a number on, by number."""
        number = max(0, first)
        while (row := self.row(name, number)) is not None:
            if state is None or row.state == state:
                yield row
            number += 1

    def row(self, name: str, number: int) -> TrialRow | None:
        """Return one trial."""
        study = self._study(name)
        turn = study.my_turn
        if turn is not None:  # in which all is as it leaves it
            return turn.row(number) if 0 <= number < turn.n_given else None
        return study.rows[number] if 0 <= number < len(study.rows) else None

    def counts(self, name: str) -> dict[RowState, int]:
        """Return how many trials stand in which way."""
        study, counts = self._study(name), dict[RowState, int]()
        with study.changing:
            for row in self.rows(name):
                counts[row.state] = counts.get(row.state, 0) + 1
        return counts

    def best(self, name: str, largest: bool) -> TrialRow | None:
        """Return the ranked trial with the largest or smallest first score."""
        sign = 1 if largest else -1
        return max(self._ranked(name), key=lambda row: sign * row.scores[0], default=None)

    def scores(self, name: str) -> list[tuple[int, tuple[float, ...]]]:
        """Return the numbers and scores of ranked trials."""
        return [(row.number, row.scores) for row in self._ranked(name)]

    def _ranked(self, name: str) -> Iterator[TrialRow]:
        return (row for row in self.rows(name, state="complete") if row.ranked)

    def keep(
        self, name: str, number: int, worker: str, intermediate: Mapping[int, float], attributes: Mapping[str, Any]
    ) -> bool:
        """Keep what a running trial reported so far."""
        reported = {"intermediate": dict(intermediate), "attributes": as_json(attributes)}
        return self._change(name, number, worker, **reported)

    def mark(self, name: str, number: int, attributes: Mapping[str, Any]) -> None:
        """Keep the attributes of a trial that ended."""
        self._change(name, number, None, attributes=as_json(attributes))

    def _change(self, name: str, number: int, worker: str | None, **values: Any) -> bool:
        """Change a trial, of a worker that still runs it if one is given: in a turn of this thread, or in none."""
        study = self._study(name)
        with study.changing:
            turn = study.my_turn
            n_given = len(study.rows) if turn is None else turn.n_given
            if not 0 <= number < n_given:
                return False
            row = study.rows[number] if turn is None else turn.row(number)
            if worker is not None and (row.worker, row.state) != (worker, "running"):
                return False
            if turn is None:
                study.rows[number] = replace(row, **values)
            else:
                turn.change(number, **values)
            return True

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

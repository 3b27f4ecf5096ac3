"""The record of a search in a storage, so that what it holds survives the process."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast, overload

from deep_arch.spaces.architecture import Architecture
from deep_arch.storage.rows import ENDED, End, TrialRow, WorkerRow
from deep_arch.storage.storage import Storage, Turn
from deep_arch.studies.directions import Direction, sign, upward
from deep_arch.studies.machine import shown
from deep_arch.studies.pareto import fronts
from deep_arch.studies.record import Key, Record, computed, digest, had_less, no_best
from deep_arch.studies.searcher import FinishedTrial, Values
from deep_arch.studies.trial import FinalState, Owner, Trial

if TYPE_CHECKING:
    from deep_arch.spaces.space import SearchSpace


class StoredRecord(Record):
    """What a study gave out and what came of it, as the storage holds it.

    It is changed within a turn of the storage alone, and shows what was known at the event `at`: so events of other
    workers, and of a process that died, are gone through again as they happened.

    Args:
        directions: "maximize" or "minimize", for each objective.
        storage, name: where the trials are.
        space: what is searched.
        worker: who runs the trials that are given out here.

    Attributes:
        turn: the turn that is taken; None outside.
        at: the event that is gone through again; None at the present.
        again: the configurations that the event took from the queue, where it is gone through again.
    """

    def __init__(
        self, directions: tuple[Direction, ...], storage: Storage, name: str, space: SearchSpace, worker: WorkerRow
    ) -> None:
        super().__init__(directions)
        self.turn: Turn | None = None
        self.at: int | None = None
        self.again: deque[str] | None = None
        self._storage, self._name, self._space, self.worker = storage, name, space, worker
        self._taken: list[str] = []
        self.owner: Owner
        self._early: list[Values] = []  # what was queued before the study began
        self._given_key: str | None = None
        self._written: tuple[Architecture | None, str] = (None, "")  # what was proposed last, as text
        self._workers: dict[str, str] = {}

    @property
    def open_turn(self) -> Turn:
        """The turn that is taken."""
        assert self.turn is not None, "a record is changed within a turn"
        return self.turn

    @property
    def _before(self) -> int:
        """The event before which all is known."""
        if self.at is not None:
            return self.at
        return sys.maxsize if self.turn is None else self.turn.position + 1

    @property
    def here(self) -> dict[int, Trial]:
        """The trials that are to end in this process, by number."""
        return self._running

    # --- events --------------------------------------------------------------------------------------------------

    def given(self, architecture: Architecture, budget: float | None, owner: Owner, key: Key | None = None) -> Trial:
        """Take in what is given out."""
        turn, values = self.open_turn, self._text(architecture)
        latest = None if budget is None else turn.latest(digest(values), self._before)
        continued = self.then(latest) if latest is not None else None
        trial = Trial(turn.n_given, architecture, budget, owner, continued if had_less(continued, budget) else None)
        row = TrialRow(
            trial.number,
            values,
            digest(values),
            turn.position + 1,
            key=None if key is None else written_key(key),
            budget=budget,
            continues=trial.continues,
            proposed=json.dumps(self._taken) if self._taken else None,
            worker=self.worker.id,
        )
        turn.give(row)
        return self.runs_here(trial)

    def runs_here(self, trial: Trial) -> Trial:
        """Take a trial for one that is to end in this process."""
        self._running[trial.number] = trial
        trial.worker = shown(self.worker)
        return trial

    def reported(self, trial: Trial, step: int, score: float) -> None:
        """Take in a score on the way."""
        super().reported(trial, step, score)
        self._keep(trial)

    def marked(self, trial: Trial) -> None:
        """Take in what a user keeps with a trial."""
        if trial.state == "running":
            self._keep(trial)
        else:
            self._storage.mark(self._name, trial.number, trial.attributes)

    def _keep(self, trial: Trial) -> None:
        self._storage.keep(self._name, trial.number, self.worker.id, trial.intermediate, trial.attributes)

    def ended(self, trial: Trial) -> list[Values]:
        """Take in how a trial ended, and return the duplicates that waited for it."""
        is_program = not trial.holes
        end = End(trial.state, trial.scores, trial.intermediate, trial.error, trial.attributes, ranked=is_program)
        self.open_turn.end(trial.number, end)
        return self.waiting.pop(trial.number, [])

    # --- duplicates, and what is tried first ---------------------------------------------------------------------

    def key(self, architecture: Architecture, budget: float | None) -> Key:
        """Return what is equal for those that compute the same with the same budget."""
        text = self._text(architecture)
        return computed(architecture, text), budget

    def _text(self, architecture: Architecture) -> str:
        if self._written[0] is not architecture:
            self._written = architecture, architecture.to_json()
        return self._written[1]

    def first(self, key: Key) -> Trial | None:
        """Return the trial that was given out with a key."""
        written = written_key(key)
        if self.again is not None and written == self._given_key:  # what was given out there, so no duplicate
            return None
        row = self.open_turn.first(written, self._before)
        if row is None:
            return None
        if self.again is None:
            self.open_turn.saw(digest(self._written[1]))
        return self.then(row)

    def queue(self, values: Values) -> None:
        """Add values to those that are tried first."""
        if self.turn is None:
            self._early.append(values)
        else:
            self.turn.queue(written_values(self._space, values))

    def early(self) -> list[str]:
        """Return what was queued before the study began, written."""
        return [written_values(self._space, values) for values in self._early]

    def take(self) -> Values | None:
        """Take the first values out of the queue."""
        if self.again is not None:
            text = self.again.popleft() if self.again else None
        elif (text := self.open_turn.take()) is not None:
            self._taken.append(text)
        return None if text is None else self._space.decoded(json.loads(text))

    def next_event(self, row: TrialRow | None = None) -> None:
        """Begin with an event: a new one, or that at which a trial was given out before."""
        self._taken = []
        self.again = None if row is None else deque(json.loads(row.proposed or "[]"))
        self._given_key = None if row is None else row.key

    @property
    def n_seen(self) -> int:
        """How many architectures were proposed, by values; none where an event is gone through again, as nothing ended
        the search there."""
        return self.open_turn.n_seen() if self.again is None else 0

    # --- what came of it -----------------------------------------------------------------------------------------

    def trial(self, row: TrialRow) -> Trial:
        """Return a trial, for whoever reads, at any time and in any thread; one that runs here is itself."""
        mine = self._running.get(row.number) if row.ended is None else None
        return self._restored(row, sys.maxsize) if mine is None else mine

    def then(self, row: TrialRow) -> Trial:
        """Return a trial as it stood before the event `at`, for what happens within a turn."""
        return self._restored(row, self._before)

    def _restored(self, row: TrialRow, before: int) -> Trial:
        trial = Trial.restored(row.values, row.number, self._space, row.budget, self.owner)
        trial.continues, trial.started, trial.worker = row.continues, row.started or 0.0, self._worker(row.worker)
        if row.state in ENDED and (row.ended or 0) < before:
            trial.state, trial.finished = cast(FinalState, row.state), row.finished
            trial.scores, trial.error = row.scores, row.error
        trial.intermediate, trial.attributes = dict(row.intermediate), dict(row.attributes)
        return trial

    def began(self, number: int) -> int:
        """Return the number of the trial that began the folder of this one."""
        while (row := self._storage.row(self._name, number)) is not None and row.continues is not None:
            number = row.continues
        return number

    def _worker(self, id: str | None) -> str | None:
        if id is not None and id not in self._workers and (worker := self._storage.worker(id)) is not None:
            self._workers[id] = shown(worker)
        return None if id is None else self._workers.get(id)

    @property
    def n_given(self) -> int:
        """How many trials were given out."""
        return self.open_turn.n_given if self.turn is not None else sum(self._storage.counts(self._name).values())

    @property
    def n_out(self) -> int:
        """How many trials have no result yet, whoever runs them."""
        return self.open_turn.n_given - self.open_turn.n_ended

    @property
    def trials(self) -> Trials:
        """The trials given out, read as they are asked for."""
        return Trials(self, self._storage, self._name)

    @property
    def results(self) -> tuple[FinishedTrial, ...]:
        """What came of the trials that ended."""
        return tuple([self.as_told(trial, trial.values) for trial in self.trials if trial.state != "running"])

    @property
    def best(self) -> Trial:
        """The complete trial of a program with the best score, the first of several."""
        row = self._storage.best(self._name, largest=sign(self.directions[0]) > 0)
        return self.trial(row) if row is not None else self._no_best()

    @property
    def front(self) -> tuple[Trial, ...]:
        """The Pareto front of the complete trials."""
        scores = self._storage.scores(self._name)
        if not scores:
            self._no_best()
        first = fronts([upward(score, self.directions) for _, score in scores])[0]
        rows = [self._storage.row(self._name, scores[i][0]) for i in sorted(first)]
        return tuple([self.trial(row) for row in rows if row is not None])

    def _no_best(self) -> Any:
        raise no_best(self.trials)


class Trials(Sequence[Trial]):
    """The trials of a study, by number, read from its storage as they are asked for."""

    def __init__(self, record: StoredRecord, storage: Storage, name: str) -> None:
        self._record, self._storage, self._name = record, storage, name

    def __len__(self) -> int:
        return sum(self._storage.counts(self._name).values())

    def __iter__(self) -> Iterator[Trial]:
        return map(self._record.trial, self._storage.rows(self._name))

    @overload
    def __getitem__(self, index: int) -> Trial: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Trial, ...]: ...

    def __getitem__(self, index: int | slice) -> Trial | tuple[Trial, ...]:
        if isinstance(index, slice):
            return tuple([self[i] for i in range(*index.indices(len(self)))])
        number = index + len(self) if index < 0 else index
        row = self._storage.row(self._name, number) if number >= 0 else None
        if row is None:
            raise IndexError(f"trials: expected a number below {len(self)}.\n  Got {index}.")
        return self._record.trial(row)

    def __repr__(self) -> str:
        return f"<the {len(self)} trials of study {self._name!r}>"


def written_key(key: Key) -> str:
    """Return what duplicates have in common as one short text."""
    computed, budget = key
    return digest(computed) if budget is None else f"{digest(computed)} {budget!r}"


def written_values(space: SearchSpace, values: Values) -> str:
    """Return values, of which some may be missing, as JSON text."""
    domains = space.domains({**space.restrictions.fixed, **values})
    return json.dumps({address: domains[address].encode(value) for address, value in values.items()})

"""A turn in a database: a transaction that holds the study's row."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import bindparam, delete, distinct, func, insert, select, update
from sqlalchemy.dialects import postgresql

from deep_arch.storage.database import Transaction
from deep_arch.storage.rows import ENDED, End, TrialRow, WorkerRow
from deep_arch.storage.schema import clock, queued, seen, studies, trials
from deep_arch.storage.sql_rows import find_trials, find_workers, of_study, trial_rows, written, written_result
from deep_arch.storage.storage import Turn

# Statements are made once: to make one takes longer than to run it.

_the_study: Final = studies.c.id == bindparam("of_study")
_the_trial: Final = of_study & (trials.c.number == bindparam("of_number"))
_before: Final = trials.c.given < bindparam("before")
_in_queue: Final = queued.c.study == bindparam("of_study")

_CHANGE_STUDY: Final = update(studies).where(_the_study)
_SAVED: Final = select(studies.c.saved).where(_the_study)

_GIVEN: Final = find_trials.where(trials.c.given > bindparam("since"))
_ENDED: Final = find_trials.where(trials.c.ended > bindparam("since"), trials.c.given <= bindparam("since"))
_FIRST: Final = find_trials.where(trials.c.key == bindparam("key"), _before).order_by(trials.c.given).limit(1)
_LATEST: Final = (
    find_trials.where(trials.c.digest == bindparam("digest"), _before).order_by(trials.c.given.desc()).limit(1)
)
# Few trials wait or run. Ordered by the bare number, they would be looked for by it, which goes through all trials.
_IN_STATE: Final = find_trials.where(trials.c.state == bindparam("of_state")).order_by(trials.c.number + 0)
_FIRST_IN_STATE: Final = _IN_STATE.limit(1)
_TRIAL: Final = find_trials.where(trials.c.number == bindparam("of_number"))
_OWNER: Final = select(trials.c.worker).where(_the_trial, trials.c.state == "running")

_GIVE: Final = insert(trials).values(study=bindparam("of_study"), started=clock())
_CHANGE: Final = update(trials).where(_the_trial)
_END: Final = _CHANGE.values(finished=clock())
_CLAIM: Final = _CHANGE.values(state="running", started=clock(), intermediate="[]", attributes="{}")

_SAW: Final = postgresql.insert(seen).values(study=bindparam("of_study")).on_conflict_do_nothing()  # SQLite's words too
_N_GIVEN: Final = select(func.count(distinct(trials.c.digest))).where(of_study)
_N_OTHERS: Final = select(func.count()).where(
    seen.c.study == bindparam("of_study"),
    ~select(trials.c.number).where(of_study, trials.c.digest == seen.c.digest).exists(),
)

_WORKERS: Final = find_workers.where(
    find_workers.selected_columns.id.in_(select(trials.c.worker).where(of_study, trials.c.state == "running"))
)

_QUEUE: Final = insert(queued).values(study=bindparam("of_study"))
_N_QUEUED: Final = select(func.count()).where(_in_queue)
_NEXT: Final = select(queued.c.id, queued.c["values"]).where(_in_queue).order_by(queued.c.id).limit(1)
_TAKE: Final = delete(queued).where(queued.c.id == bindparam("of_id"))


class SqlTurn(Turn):
    """A turn within a transaction, in SQLite the only one that writes.

    Args:
        transaction: in which the study's row is held.
        study: the study's id.
        position, n_given, n_ended, saved_at: what the row holds.
    """

    def __init__(
        self, transaction: Transaction, study: int, position: int, n_given: int, n_ended: int, saved_at: int
    ) -> None:
        self._transaction, self._study = transaction, study
        self.position, self.n_given, self.n_ended, self.saved_at = position, n_given, n_ended, saved_at
        self._saved: str | None = None
        self._before = self._counts()

    def _counts(self) -> dict[str, int]:
        names = ("position", "n_given", "n_ended", "saved_at")
        return {name: getattr(self, name) for name in names}

    def flush(self) -> None:
        """Write what the study's own row is to hold."""
        counts = self._counts()
        saved = {} if self._saved is None else {"saved": self._saved}
        if saved or counts != self._before:
            self._transaction.write(_CHANGE_STUDY, of_study=self._study, **counts, **saved)

    def saved(self) -> str:
        """Return the state that was saved last."""
        if self._saved is None:
            return str(self._transaction.value(_SAVED, of_study=self._study))
        return self._saved

    def save(self, state: str, counts: bool = False) -> None:
        """Keep the state of the searcher at this position."""
        self.position += counts
        self._saved, self.saved_at = state, self.position

    def _rows(self, query: Any, **values: Any) -> list[TrialRow]:
        return trial_rows(self._transaction, query, of_study=self._study, **values)

    def _row(self, query: Any, **values: Any) -> TrialRow | None:
        return next(iter(self._rows(query, **values)), None)

    def _change(self, query: Any, number: int, **values: Any) -> None:
        self._transaction.write(query, of_study=self._study, of_number=number, **values)

    def events(self, since: int) -> list[TrialRow]:
        """Return the trials that were given out or ended after a position, by number."""
        found = [*self._rows(_ENDED, since=since), *self._rows(_GIVEN, since=since)]
        return sorted(found, key=lambda row: row.number)

    def first(self, key: str, before: int) -> TrialRow | None:
        """Return the first trial with a key that was given out before an event."""
        return self._row(_FIRST, key=key, before=before)

    def latest(self, digest: str, before: int) -> TrialRow | None:
        """Return the last trial with a digest of values that was given out before an event."""
        return self._row(_LATEST, digest=digest, before=before)

    def saw(self, digest: str) -> None:
        """Keep the digest of values that were proposed and not given out."""
        self._transaction.write(_SAW, of_study=self._study, digest=digest)

    def n_seen(self) -> int:
        """Return how many digests there are."""
        return sum(int(self._transaction.value(query, of_study=self._study)) for query in (_N_GIVEN, _N_OTHERS))

    def give(self, row: TrialRow) -> None:
        """Keep a new trial."""
        assert (row.number, row.given) == (self.n_given, self.position + 1), "numbers and events follow one another"
        self._transaction.write(_GIVE, of_study=self._study, **written(row))
        self.position += 1
        self.n_given += 1

    def end(self, number: int, end: End) -> int:
        """Keep how a trial ended, and return the event."""
        assert end.state in ENDED, "a trial ends in a final state"
        self.position += 1
        self.n_ended += 1
        self._change(_END, number, state=end.state, error=end.error, ended=self.position, **written_result(end))
        return self.position

    def owner(self, number: int) -> str | None:
        """Return the id of the worker that runs a trial; None for one that does not run."""
        worker: str | None = self._transaction.value(_OWNER, of_study=self._study, of_number=number)
        return worker

    def waiting(self) -> TrialRow | None:
        """Return the first trial that waits to be given out again."""
        return self._row(_FIRST_IN_STATE, of_state="waiting")

    def claim(self, number: int, worker: str) -> TrialRow:
        """Give a waiting trial to a worker."""
        self._change(_CLAIM, number, worker=worker)
        return self._rows(_TRIAL, of_number=number)[0]

    def release(self, number: int, lost: int) -> None:
        """Let a running trial wait to be given out again."""
        self._change(_CHANGE, number, state="waiting", worker=None, lost=lost)

    def running(self) -> list[tuple[TrialRow, WorkerRow | None]]:
        """Return the trials that run, and their workers."""
        rows = self._rows(_IN_STATE, of_state="running")
        workers = [WorkerRow(*row) for row in self._transaction.all(_WORKERS, of_study=self._study)] if rows else []
        known: dict[str | None, WorkerRow] = {worker.id: worker for worker in workers}
        return [(row, known.get(row.worker)) for row in rows]

    def queue(self, values: str) -> None:
        """Add values to those that are tried first."""
        self._transaction.write(_QUEUE, of_study=self._study, values=values)

    def n_queued(self) -> int:
        """Return how many values are in the queue."""
        return int(self._transaction.value(_N_QUEUED, of_study=self._study))

    def take(self) -> str | None:
        """Take the first values out of the queue."""
        found = self._transaction.first(_NEXT, of_study=self._study)
        if found is None:
            return None
        self._transaction.write(_TAKE, of_id=found[0])
        return str(found[1])

"""A turn in a database: a transaction that holds the study's row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, or_, select, update

from deep_arch.storage.rows import ENDED, End, TrialRow, WorkerRow
from deep_arch.storage.schema import queued, seen, studies, trials, workers
from deep_arch.storage.sql_rows import trial_row, worker_row, written, written_result
from deep_arch.storage.storage import Turn

if TYPE_CHECKING:
    from sqlalchemy import Connection


class SqlTurn(Turn):
    """A turn within a transaction, in SQLite the only one that writes.

    Args:
        connection: in that transaction.
        study: the study's id.
        now: the time.
    """

    def __init__(self, connection: Connection, study: int, now: float) -> None:
        self._connection, self._study, self._now = connection, study, now
        counts = (studies.c.position, studies.c.n_given, studies.c.n_ended, studies.c.saved_at)
        held = select(*counts).where(studies.c.id == study).with_for_update()  # which SQLite leaves out
        self.position, self.n_given, self.n_ended, self.saved_at = connection.execute(held).one()
        self._changes: dict[str, Any] = {}

    def flush(self) -> None:
        """Write what the study's own row is to hold."""
        if self._changes:
            self._connection.execute(update(studies).where(studies.c.id == self._study).values(**self._changes))

    def saved(self) -> str:
        """Return the state that was saved last."""
        if "saved" in self._changes:
            return str(self._changes["saved"])
        return str(self._connection.execute(select(studies.c.saved).where(studies.c.id == self._study)).scalar_one())

    def save(self, state: str, counts: bool = False) -> None:
        """Keep the state of the searcher at this position."""
        if counts:
            self._count()
        self.saved_at = self.position
        self._changes |= {"saved": state, "saved_at": self.position}

    def _count(self, name: str | None = None) -> int:
        self.position += 1
        self._changes["position"] = self.position
        if name is not None:
            setattr(self, name, getattr(self, name) + 1)
            self._changes[name] = getattr(self, name)
        return self.position

    def _rows(self, *conditions: Any, by: Any = trials.c.number, most: int | None = None) -> list[TrialRow]:
        query = select(trials).where(trials.c.study == self._study, *conditions).order_by(by).limit(most)
        return [trial_row(row) for row in self._connection.execute(query)]

    def events(self, since: int) -> list[TrialRow]:
        """Return the trials that were given out or ended after a position, by number."""
        return self._rows(or_(trials.c.given > since, trials.c.ended > since))

    def first(self, key: str, before: int) -> TrialRow | None:
        """Return the first trial with a key that was given out before an event."""
        return next(iter(self._rows(trials.c.key == key, trials.c.given < before, most=1)), None)

    def latest(self, digest: str, before: int) -> TrialRow | None:
        """Return the last trial with a digest of values that was given out before an event."""
        found = self._rows(trials.c.digest == digest, trials.c.given < before, by=trials.c.number.desc(), most=1)
        return next(iter(found), None)

    def saw(self, digest: str) -> None:
        """Keep the digest of values that were proposed and not given out."""
        known = select(seen.c.digest).where(seen.c.study == self._study, seen.c.digest == digest)
        if self._connection.execute(known).first() is None:
            self._connection.execute(insert(seen).values(study=self._study, digest=digest))

    def n_seen(self) -> int:
        """Return how many digests there are."""
        given = select(trials.c.digest).where(trials.c.study == self._study)
        others = select(seen.c.digest).where(seen.c.study == self._study)
        both = given.union(others).subquery()
        return self._connection.execute(select(func.count()).select_from(both)).scalar_one()

    def give(self, row: TrialRow) -> None:
        """Keep a new trial."""
        assert (row.number, row.given) == (self.n_given, self.position + 1), "numbers and events follow one another"
        values = {**written(self._study, row), "started": self._now}
        self._connection.execute(insert(trials).values(**values))
        self._count("n_given")

    def _change(self, number: int, **values: Any) -> None:
        chosen = update(trials).where(trials.c.study == self._study, trials.c.number == number)
        self._connection.execute(chosen.values(**values))

    def end(self, number: int, end: End) -> int:
        """Keep how a trial ended, and return the event."""
        assert end.state in ENDED
        event = self._count("n_ended")
        result = {**written_result(end), "state": end.state, "error": end.error}
        self._change(number, **result, ended=event, finished=self._now)
        return event

    def owner(self, number: int) -> str | None:
        """Return the id of the worker that runs a trial; None for one that does not run."""
        of = select(trials.c.worker).where(trials.c.study == self._study, trials.c.number == number)
        return self._connection.execute(of.where(trials.c.state == "running")).scalar()

    def waiting(self) -> TrialRow | None:
        """Return the first trial that waits to be given out again."""
        return next(iter(self._rows(trials.c.state == "waiting", most=1)), None)

    def claim(self, number: int, worker: str) -> TrialRow:
        """Give a waiting trial to a worker."""
        self._change(number, state="running", worker=worker, started=self._now, intermediate="[]", attributes="{}")
        return self._rows(trials.c.number == number)[0]

    def release(self, number: int, lost: int) -> None:
        """Let a running trial wait to be given out again."""
        self._change(number, state="waiting", worker=None, lost=lost)

    def running(self) -> list[tuple[TrialRow, WorkerRow | None]]:
        """Return the trials that run, and their workers."""
        rows = self._rows(trials.c.state == "running")
        ids = {row.worker for row in rows}
        known = {
            row.id: worker_row(row) for row in self._connection.execute(select(workers).where(workers.c.id.in_(ids)))
        }
        return [(row, known.get(row.worker or "")) for row in rows]

    def queue(self, values: str) -> None:
        """Add values to those that are tried first."""
        self._connection.execute(insert(queued).values(study=self._study, values=values))

    def n_queued(self) -> int:
        """Return how many values are in the queue."""
        query = select(func.count()).select_from(queued).where(queued.c.study == self._study)
        return self._connection.execute(query).scalar_one()

    def take(self) -> str | None:
        """Take the first values out of the queue."""
        query = (
            select(queued.c.id, queued.c["values"]).where(queued.c.study == self._study).order_by(queued.c.id).limit(1)
        )
        found = self._connection.execute(query).first()
        if found is None:
            return None
        self._connection.execute(delete(queued).where(queued.c.id == found[0]))
        return str(found[1])

"""Storage in a database: SQLite in a file, or PostgreSQL on a server, through SQLAlchemy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, insert, literal, select, update
from sqlalchemy.dialects import postgresql

from deep_arch.storage.addresses import full_address, shown
from deep_arch.storage.database import Database, Found, Transaction
from deep_arch.storage.faults import malformed
from deep_arch.storage.rows import RowState, TrialRow, WorkerRow
from deep_arch.storage.schema import clock, queued, seen, studies, trials, workers
from deep_arch.storage.sql_rows import find_trials, find_workers, of_study, trial_rows, written_report
from deep_arch.storage.sql_turn import SqlTurn
from deep_arch.storage.storage import Storage, Turn, no_study, was_removed

_CHUNK: Final = 1000
"""Rows that are read at once: some megabytes, where each has a thousand hyperparameters."""

# Statements are made once: to make one takes longer than to run it.

_named: Final = studies.c.digest == bindparam("of_name")
_the_trial: Final = of_study & (trials.c.number == bindparam("of_number"))
_complete: Final = of_study & (trials.c.state == "complete")

_NAMES: Final = select(studies.c.name).order_by(studies.c.id)
_ID: Final = select(studies.c.id).where(_named)
_HELD: Final = (
    select(studies.c.id, studies.c.position, studies.c.n_given, studies.c.n_ended, studies.c.saved_at)
    .where(_named)
    .with_for_update()  # which SQLite leaves out: it has one writer at a time
)
_BEGIN: Final = (
    postgresql.insert(studies).inline().on_conflict_do_nothing().execution_options(preserve_rowcount=True)
)  # in SQLite's words too
_QUEUE: Final = insert(queued)
_ABOUT: Final = select(studies.c.id, studies.c.about).where(_named)
_CHANGE: Final = update(studies).where(studies.c.id == bindparam("of_id"))
_REMOVE: Final = [delete(table).where(table.c.study == bindparam("of_id")) for table in (trials, queued, seen)]
_REMOVE_STUDY: Final = delete(studies).where(studies.c.id == bindparam("of_id"))

_ROWS: Final = find_trials.where(trials.c.number >= bindparam("first")).order_by(trials.c.number).limit(_CHUNK)
_ROWS_IN_STATE: Final = _ROWS.where(trials.c.state == bindparam("of_state"))
_ROW: Final = find_trials.where(trials.c.number == bindparam("of_number"))
_COUNTS: Final = (
    select(trials.c.state, func.count())
    .where(of_study, trials.c.state.in_(["waiting", "running", "failed", "skipped"]))
    .group_by(trials.c.state)
    .union_all(select(literal("complete"), studies.c.n_given).where(studies.c.id == bindparam("of_study")))
)
"""How many stand in each way; for "complete", of which there are most, the number of all."""
_BEST: Final = {
    largest: find_trials.where(
        trials.c.number
        == select(func.min(trials.c.number))
        .where(_complete, trials.c.score == select(extreme(trials.c.score)).where(_complete).scalar_subquery())
        .scalar_subquery()
    )
    for largest, extreme in ((True, func.max), (False, func.min))
}
_SCORES: Final = (
    select(trials.c.number, trials.c.scores).where(_complete, trials.c.score.is_not(None)).order_by(trials.c.number)
)
_MARK: Final = update(trials).where(_the_trial)
_KEEP: Final = _MARK.where(trials.c.worker == bindparam("of_worker"), trials.c.state == "running")

_WORKER: Final = find_workers.where(workers.c.id == bindparam("of_id"))
_BEAT: Final = {
    leaves: postgresql.insert(workers)
    .values(beat=None if leaves else clock())
    .on_conflict_do_update(index_elements=["id"], set_={"beat": None if leaves else clock()})
    for leaves in (True, False)
}
_NOW: Final = select(clock())


class SqlStorage(Storage):
    """Studies in tables of a database; one trial is one row.

    Args:
        url: such as "sqlite:///runs.db" or "postgresql://user:password@host/database".

    Raises:
        BadArgument: the URL is none, or of another database.
        StudyError: the database cannot be reached, is none, or is of a later version.
        MissingDependency: the database's driver is not installed.
    """

    shared = True

    def __init__(self, url: str) -> None:
        self.url = full_address(url)
        self._database = Database(self.url)
        self._ids: dict[str, int] = {}
        with self._database.transaction():  # so that what is wrong shows here
            pass

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.url, self._ids = state["url"], {}
        self._database = Database(self.url)

    @property
    def shown(self) -> str:
        """The URL without a password."""
        return shown(self.url)

    def __repr__(self) -> str:
        return f"SqlStorage({self.shown!r})"

    # --- studies -------------------------------------------------------------------------------------------------

    def _known(self, name: str, found: Found | None) -> Found:
        """Return a row that begins with a study's id, having checked that this name was always that study's here."""
        if found is None and name not in self._ids:
            raise no_study(name, self)
        if found is None or self._ids.setdefault(name, found[0]) != found[0]:
            raise was_removed(name, self)
        return found

    def _id(self, transaction: Transaction, name: str) -> int:
        id: int = self._known(name, transaction.first(_ID, of_name=_digest(name)))[0]
        return id

    def names(self) -> list[str]:
        """Return the names of the studies, in the order in which they began."""
        with self._database.transaction() as transaction:
            return [name for (name,) in transaction.all(_NAMES)]

    def begin(self, name: str, about: Mapping[str, Any], state: str, queue: Sequence[str] = ()) -> Mapping[str, Any]:
        """Begin a study unless there is one of this name, and return what is known about it."""
        known = self.about(name)
        if known is None:
            with self._database.transaction(writes=True) as transaction:
                begun = {"digest": _digest(name), "name": name, "about": json.dumps(about), "saved": state}
                if transaction.write(_BEGIN, **begun) == 1:  # no other has begun it meanwhile
                    study = transaction.value(_ID, of_name=_digest(name))
                    for values in queue:
                        transaction.write(_QUEUE, study=study, values=values)
            known = self.about(name)
        if known is None:
            raise was_removed(name, self)
        return known

    def about(self, name: str) -> Mapping[str, Any] | None:
        """Return what is known about a study."""
        with self._database.transaction() as transaction:
            found = transaction.first(_ABOUT, of_name=_digest(name))
        if found is None:
            self._ids.pop(name, None)
            return None
        self._ids[name] = found[0]
        try:
            about: Mapping[str, Any] = json.loads(found[1])
        except ValueError as error:
            raise malformed(self.url, f"row of study {name!r}", error) from error
        return about

    def change(self, name: str, about: Mapping[str, Any]) -> None:
        """Change what is known about a study."""
        with self._database.transaction(writes=True) as transaction:
            transaction.write(_CHANGE, of_id=self._id(transaction, name), about=json.dumps(about))

    def remove(self, name: str) -> None:
        """Remove a study and its trials, in a turn of it."""
        with self._database.turn() as transaction:
            held = self._known(name, transaction.first(_HELD, of_name=_digest(name)))
            for statement in (*_REMOVE, _REMOVE_STUDY):
                transaction.write(statement, of_id=held[0])
        del self._ids[name]

    @contextmanager
    def turn(self, name: str) -> Generator[Turn, None, None]:
        """Wait for a turn, and give it: a transaction that holds the study's row."""
        with self._database.turn() as transaction:
            turn = SqlTurn(transaction, *self._known(name, transaction.first(_HELD, of_name=_digest(name))))
            yield turn
            turn.flush()

    # --- trials --------------------------------------------------------------------------------------------------

    def rows(self, name: str, first: int = 0, state: RowState | None = None) -> Iterator[TrialRow]:
        """Return the trials from a number on, a thousand at a time."""
        query, values = (_ROWS, {}) if state is None else (_ROWS_IN_STATE, {"of_state": state})
        while True:
            found = self._find(name, query, first=first, **values)
            yield from found
            if len(found) < _CHUNK:
                return
            first = found[-1].number + 1

    def _find(self, name: str, query: Any, **values: Any) -> list[TrialRow]:
        with self._database.transaction() as transaction:
            return trial_rows(transaction, query, of_study=self._id(transaction, name), **values)

    def row(self, name: str, number: int) -> TrialRow | None:
        """Return one trial."""
        return next(iter(self._find(name, _ROW, of_number=number)), None)

    def counts(self, name: str) -> dict[RowState, int]:
        """Return how many trials stand in which way."""
        with self._database.transaction() as transaction:
            found = transaction.all(_COUNTS, of_study=self._id(transaction, name))
        counts: dict[RowState, int] = {state: n for state, n in found}  # noqa: C416  # dict() has no type for it
        if "complete" not in counts:
            raise was_removed(name, self)
        counts["complete"] = 2 * counts["complete"] - sum(counts.values())
        return {state: n for state, n in counts.items() if n}

    def best(self, name: str, largest: bool) -> TrialRow | None:
        """Return the ranked trial with the largest or smallest first score."""
        return next(iter(self._find(name, _BEST[largest])), None)

    def scores(self, name: str) -> list[tuple[int, tuple[float, ...]]]:
        """Return the numbers and scores of ranked trials."""
        with self._database.transaction() as transaction:
            found = transaction.all(_SCORES, of_study=self._id(transaction, name))
        try:
            return [(number, tuple(json.loads(scores))) for number, scores in found]
        except (ValueError, TypeError) as error:
            raise malformed(self.url, "row of a trial", error) from error

    def keep(
        self, name: str, number: int, worker: str, intermediate: Mapping[int, float], attributes: Mapping[str, Any]
    ) -> bool:
        """Keep what a running trial reported so far."""
        reported = written_report(intermediate, attributes)
        return self._report(_KEEP, name, of_number=number, of_worker=worker, **reported)

    def mark(self, name: str, number: int, attributes: Mapping[str, Any]) -> None:
        """Keep the attributes of a trial that ended."""
        self._report(_MARK, name, of_number=number, attributes=written_report({}, attributes)["attributes"])

    def _report(self, query: Any, name: str, **values: Any) -> bool:
        with self._database.transaction(writes=True) as transaction:
            study = self._ids.get(name) or self._id(transaction, name)
            return transaction.write(query, of_study=study, **values) == 1

    # --- workers -------------------------------------------------------------------------------------------------

    def beat(self, worker: WorkerRow, leaves: bool = False) -> None:
        """Keep a sign of life of a worker, or that it leaves."""
        row = {name: getattr(worker, name) for name in ("id", "machine", "process", "born")}
        with self._database.transaction(writes=True) as transaction:
            transaction.write(_BEAT[leaves], **row)

    def worker(self, id: str) -> WorkerRow | None:
        """Return a worker."""
        with self._database.transaction() as transaction:
            found = transaction.first(_WORKER, of_id=id)
        return None if found is None else WorkerRow(*found)

    def now(self) -> float:
        """Return the time by the server's clock."""
        with self._database.transaction() as transaction:
            return float(transaction.value(_NOW))


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()

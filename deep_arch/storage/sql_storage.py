"""Storage in a database: SQLite in a file, or PostgreSQL on a server, through SQLAlchemy."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from deep_arch.errors import StudyError
from deep_arch.storage.faults import told
from deep_arch.storage.rows import RowState, TrialRow, WorkerRow
from deep_arch.storage.storage import Storage, Turn

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Executable

PATIENCE_S: Final = 60
"""How long SQLite waits for another process's turn; a turn lasts as long as the searcher thinks."""

_CHUNK: Final = 1000
"""Rows that are read at once: some megabytes, where each has a thousand hyperparameters."""


class SqlStorage(Storage):
    """Studies in tables of a database; one trial is one row.

    Args:
        url: as SQLAlchemy has it, such as "sqlite:///runs.db" or "postgresql+psycopg://user@host/database".

    Raises:
        StudyError: the database cannot be reached, is none, or is of a later version.
        MissingDependency: SQLAlchemy or the database's driver is not installed.
    """

    shared = True

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine: Engine | None = None
        self._studies: dict[str, int] = {}
        with self._connection():  # so that what is wrong shows here
            pass

    # --- connections ---------------------------------------------------------------------------------------------

    @contextmanager
    def _connection(self, writes: bool = False) -> Iterator[Connection]:
        """Give a connection in a transaction, of those that read or, all of SQLite's one after the other, write."""
        with told(self.url):
            if self._engine is None:
                self._engine = _engine(self.url)
            with self._engine.connect().execution_options(deep_arch_writes=writes) as connection, connection.begin():
                yield connection

    def _id(self, connection: Connection, name: str) -> int:
        from sqlalchemy import select

        from deep_arch.storage.schema import studies

        if name not in self._studies:
            found = connection.execute(select(studies.c.id).where(studies.c.name == name)).scalar()
            if found is None:
                raise _no_study(name, self)
            self._studies[name] = found
        return self._studies[name]

    def close(self) -> None:
        """Close the connections."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url, "_engine": None, "_studies": {}}

    @property
    def shown(self) -> str:
        """The URL without a password."""
        return shown(self.url)

    def __repr__(self) -> str:
        return f"SqlStorage({self.shown!r})"

    # --- studies -------------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Return the names of the studies, in the order in which they began."""
        from sqlalchemy import select

        from deep_arch.storage.schema import studies

        with self._connection() as connection:
            return list(connection.execute(select(studies.c.name).order_by(studies.c.id)).scalars())

    def begin(self, name: str, about: Mapping[str, Any], state: str, queue: Sequence[str] = ()) -> Mapping[str, Any]:
        """Begin a study unless there is one of this name, and return what is known about it."""
        from sqlalchemy import insert
        from sqlalchemy.exc import IntegrityError

        from deep_arch.storage.schema import queued, studies

        known = self.about(name)
        if known is None:
            try:
                with self._connection(writes=True) as connection:
                    begun = insert(studies).values(name=name, about=json.dumps(about), saved=state)
                    id = connection.execute(begun.returning(studies.c.id)).scalar_one()
                    for values in queue:
                        connection.execute(insert(queued).values(study=id, values=values))
            except IntegrityError:  # another one began it meanwhile
                pass
            known = self.about(name)
        assert known is not None, "it was just begun"
        return known

    def about(self, name: str) -> Mapping[str, Any] | None:
        """Return what is known about a study."""
        from sqlalchemy import select

        from deep_arch.storage.schema import studies

        with self._connection() as connection:
            found = connection.execute(select(studies.c.about).where(studies.c.name == name)).scalar()
        return None if found is None else json.loads(found)

    def change(self, name: str, about: Mapping[str, Any]) -> None:
        """Change what is known about a study."""
        from sqlalchemy import update

        from deep_arch.storage.schema import studies

        with self._connection(writes=True) as connection:
            connection.execute(update(studies).where(studies.c.name == name).values(about=json.dumps(about)))

    def remove(self, name: str) -> None:
        """Remove a study and its trials."""
        from sqlalchemy import delete

        from deep_arch.storage.schema import queued, seen, studies, trials

        with self._connection(writes=True) as connection:
            study = self._id(connection, name)
            for table in (trials, queued, seen):
                connection.execute(delete(table).where(table.c.study == study))
            connection.execute(delete(studies).where(studies.c.id == study))
        del self._studies[name]

    @contextmanager
    def turn(self, name: str) -> Iterator[Turn]:
        """Wait for a turn, and give it: a transaction that holds the study's row."""
        from deep_arch.storage.sql_turn import SqlTurn

        with self._connection(writes=True) as connection:
            turn = SqlTurn(connection, self._id(connection, name), self._clock(connection))
            yield turn
            turn.flush()

    # --- trials --------------------------------------------------------------------------------------------------

    def rows(self, name: str, first: int = 0, state: RowState | None = None) -> Iterator[TrialRow]:
        """Return the trials from a number on, a thousand at a time."""
        from sqlalchemy import select

        from deep_arch.storage.schema import trials
        from deep_arch.storage.sql_rows import trial_row

        while True:
            with self._connection() as connection:
                wanted = (trials.c.study == self._id(connection, name)) & (trials.c.number >= first)
                if state is not None:
                    wanted &= trials.c.state == state
                query = select(trials).where(wanted).order_by(trials.c.number).limit(_CHUNK)
                found = [trial_row(row) for row in connection.execute(query)]
            yield from found
            if len(found) < _CHUNK:
                return
            first = found[-1].number + 1

    def row(self, name: str, number: int) -> TrialRow | None:
        """Return one trial."""
        return next((row for row in self._chosen(name, number=number)), None)

    def _chosen(self, name: str, **equal: Any) -> list[TrialRow]:
        from sqlalchemy import select

        from deep_arch.storage.schema import trials
        from deep_arch.storage.sql_rows import trial_row

        with self._connection() as connection:
            query = select(trials).where(trials.c.study == self._id(connection, name))
            return [trial_row(row) for row in connection.execute(query.filter_by(**equal))]

    def counts(self, name: str) -> dict[RowState, int]:
        """Return how many trials stand in which way."""
        from sqlalchemy import func, select

        from deep_arch.storage.schema import trials

        with self._connection() as connection:
            query = select(trials.c.state, func.count()).where(trials.c.study == self._id(connection, name))
            return {state: n for state, n in connection.execute(query.group_by(trials.c.state))}

    def best(self, name: str, largest: bool) -> TrialRow | None:
        """Return the complete trial with the largest or smallest first score."""
        from sqlalchemy import func, select

        from deep_arch.storage.schema import trials

        with self._connection() as connection:
            of = (trials.c.study == self._id(connection, name)) & (trials.c.state == "complete")
            score = connection.execute(select((func.max if largest else func.min)(trials.c.score)).where(of)).scalar()
            number = connection.execute(
                select(func.min(trials.c.number)).where(of & (trials.c.score == score))
            ).scalar()
        return None if number is None else self.row(name, number)

    def scores(self, name: str) -> list[tuple[int, tuple[float, ...]]]:
        """Return the numbers and scores of complete trials."""
        from sqlalchemy import select

        from deep_arch.storage.schema import trials

        with self._connection() as connection:
            of = (trials.c.study == self._id(connection, name)) & (trials.c.state == "complete")
            query = select(trials.c.number, trials.c.scores).where(of).order_by(trials.c.number)
            return [(number, tuple(json.loads(scores))) for number, scores in connection.execute(query)]

    def keep(
        self, name: str, number: int, worker: str, intermediate: Mapping[int, float], attributes: Mapping[str, Any]
    ) -> bool:
        """Keep what a running trial reported so far."""
        from deep_arch.storage.schema import trials

        reported = {"intermediate": json.dumps(list(intermediate.items())), "attributes": json.dumps(attributes)}
        return self._update(name, number, trials.c.worker == worker, trials.c.state == "running", **reported)

    def mark(self, name: str, number: int, attributes: Mapping[str, Any]) -> None:
        """Keep the attributes of a trial that ended."""
        self._update(name, number, attributes=json.dumps(attributes))

    def _update(self, name: str, number: int, *conditions: Any, **values: Any) -> bool:
        from sqlalchemy import update

        from deep_arch.storage.schema import trials

        with self._connection(writes=True) as connection:
            chosen = update(trials).where(trials.c.study == self._id(connection, name), trials.c.number == number)
            return connection.execute(chosen.where(*conditions).values(**values)).rowcount == 1

    # --- workers -------------------------------------------------------------------------------------------------

    def beat(self, worker: WorkerRow, leaves: bool = False) -> None:
        """Keep a sign of life of a worker, or that it leaves."""
        from sqlalchemy import insert, update

        from deep_arch.storage.schema import workers

        with self._connection(writes=True) as connection:
            beat = None if leaves else self._clock(connection)
            again = update(workers).where(workers.c.id == worker.id).values(beat=beat)
            if connection.execute(again).rowcount == 0:
                row = {name: getattr(worker, name) for name in ("id", "machine", "process", "born")}
                connection.execute(insert(workers).values(**row, beat=beat))

    def worker(self, id: str) -> WorkerRow | None:
        """Return a worker."""
        from sqlalchemy import select

        from deep_arch.storage.schema import workers
        from deep_arch.storage.sql_rows import worker_row

        with self._connection() as connection:
            found = connection.execute(select(workers).where(workers.c.id == id)).first()
        return None if found is None else worker_row(found)

    def now(self) -> float:
        """Return the time by the server's clock."""
        with self._connection() as connection:
            return self._clock(connection)

    def _clock(self, connection: Connection) -> float:
        if connection.dialect.name == "sqlite":
            return time.time()  # all who share a file share a clock
        from sqlalchemy import text

        query: Executable = text("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS float8)")
        return float(connection.execute(query).scalar_one())


def shown(url: str) -> str:
    """Return a URL without its password."""
    from sqlalchemy import make_url

    return make_url(url).render_as_string(hide_password=True)


def _no_study(name: str, storage: SqlStorage) -> StudyError:
    from deep_arch.errors import nearest

    names = storage.names()
    return StudyError(
        f"{name}: expected the name of a study in {shown(storage.url)}.\n"
        f"  Got {name!r}, which is none of its {len(names)}.\n  Begin it with da.Study(space, searcher, "
        f"storage=..., name={name!r}).{nearest(name, names)}"
    )


def _engine(url: str) -> Engine:
    from sqlalchemy import create_engine, event

    from deep_arch.storage.schema import prepare

    sqlite = url.startswith("sqlite")
    engine = create_engine(url, pool_pre_ping=not sqlite, connect_args={"timeout": PATIENCE_S} if sqlite else {})
    if sqlite:
        event.listen(engine, "connect", _connected)
        event.listen(engine, "begin", _begun)
    with engine.connect().execution_options(deep_arch_writes=False) as connection, connection.begin():
        ready = _is_ready(connection)
    if not ready:
        with engine.connect().execution_options(deep_arch_writes=True) as connection, connection.begin():
            if not sqlite:  # of several that begin at once, one makes the tables
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(5723011)")
            prepare(connection)
    return engine


def _is_ready(connection: Connection) -> bool:
    """Return whether the tables are of this version, so that a database that cannot be written can be read."""
    from sqlalchemy import inspect, select

    from deep_arch.storage.schema import VERSION, versions

    if not inspect(connection).has_table(versions.name):
        return False
    return connection.execute(select(versions.c.version)).scalar() == VERSION


def _connected(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say so, not before the first statement that writes
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA journal_mode=WAL")
    except Exception:  # of a file that cannot be written, which is still read
        pass
    cursor.execute("PRAGMA synchronous=NORMAL")  # in WAL, only a loss of power can then take the last turns
    cursor.close()


def _begun(connection: Connection) -> None:
    writes = connection.get_execution_options().get("deep_arch_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

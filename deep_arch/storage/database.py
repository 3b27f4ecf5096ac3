"""A database and its transactions, for all threads, and for processes that are forked."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, cast

from sqlalchemy import Connection, Engine, Executable
from sqlalchemy.exc import SQLAlchemyError

from deep_arch.storage.engines import begin, new_engine
from deep_arch.storage.faults import told

Found = tuple[Any, ...]
"""A row that a query found."""

_OF_PARENTS: Final[list[Engine]] = []
"""The connections of processes that this one was forked from: kept, since to drop them may close them there."""


class Transaction:
    """What runs statements, and tells their faults in our words.

    Args:
        url: of the database.
        connection: in which a transaction has begun.
    """

    def __init__(self, url: str, connection: Connection) -> None:
        self.url, self._connection = url, connection

    def all(self, statement: Executable, **values: Any) -> Sequence[Found]:
        """Return the rows of a query."""
        with told(self.url):
            return cast(Sequence[Found], self._connection.execute(statement, values).all())

    def first(self, statement: Executable, **values: Any) -> Found | None:
        """Return the first row of a query; None where there is none."""
        with told(self.url):
            return cast("Found | None", self._connection.execute(statement, values).first())

    def value(self, statement: Executable, **values: Any) -> Any:
        """Return the first value of the first row of a query; None where there is none."""
        found = self.first(statement, **values)
        return None if found is None else found[0]

    def write(self, statement: Executable, **values: Any) -> int:
        """Change rows, and return how many."""
        with told(self.url):
            return self._connection.execute(statement, values).rowcount


class Database:
    """Connections to a database, of which each thread uses one at a time.

    Args:
        url: of an SQLite file, or of a PostgreSQL server.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: _Opened | None = None

    @contextmanager
    def transaction(self, writes: bool = False) -> Generator[Transaction, None, None]:
        """Give a transaction, of those that read or write: in a turn of this thread, the turn's own."""
        opened = self._here()
        if (turn := opened.turns.mine) is not None:
            yield turn
            return
        with told(self._url):
            connection = opened.engine.connect()
        try:
            with told(self._url):
                begin(connection, writes)
            yield Transaction(self._url, connection)
            with told(self._url):
                connection.commit()
        finally:
            with suppress(SQLAlchemyError):  # which would hide why it rolls back
                connection.close()

    @contextmanager
    def turn(self) -> Generator[Transaction, None, None]:
        """Give a transaction that is this thread's only one until it is over."""
        turns = self._here().turns
        assert turns.mine is None, "turns of one thread do not nest"
        with self.transaction(writes=True) as transaction:
            turns.mine = transaction
            try:
                yield transaction
            finally:
                turns.mine = None

    def close(self) -> None:
        """Close the connections; what is used again opens again."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _here(self) -> _Opened:
        """Return what this process opened: connections go through no fork."""
        opened = self._opened
        if opened is None or opened.process != os.getpid():
            with told(self._url):
                opened = self._opened = _Opened(self, new_engine(self._url))
        return opened


class _Opened:
    """What one process opened, and the turn that each thread has there."""

    def __init__(self, database: Database, engine: Engine) -> None:
        self.engine, self.process = engine, os.getpid()
        self.turns = _Turns()
        self.close: Final = weakref.finalize(database, _close, engine, self.process)


class _Turns(threading.local):
    mine: Transaction | None = None


def _close(engine: Engine, process: int) -> None:
    if os.getpid() == process:
        engine.dispose()
    else:
        _OF_PARENTS.append(engine)

"""Engines of databases, as SQLAlchemy calls what gives connections, with the tables made."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from deep_arch.errors import StudyError
from deep_arch.storage import schema
from deep_arch.storage.addresses import file_of, shown

PATIENCE_S: Final = 60
"""How long SQLite waits for another process's turn; a turn lasts as long as the searcher thinks."""

_ANSWER_S: Final = 30
"""How long a server may take to answer, and to notice that a machine is gone that has a turn."""


def new_engine(url: str) -> Engine:
    """Return what connects to a database, whose tables are made or brought up to this version.

    Raises:
        StudyError: they are of a later version.
    """
    engine = _sqlite(url) if url.startswith("sqlite") else _postgresql(url)
    try:
        _prepare(engine, url)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _prepare(engine: Engine, url: str) -> None:
    with engine.connect() as connection:
        found = schema.found_version(connection)
    if found is not None and found > schema.VERSION:
        raise StudyError(
            f"storage: expected tables of version {schema.VERSION} or earlier in {shown(url)}.\n"
            f"  Got tables of version {found}, made by a later deep_arch.\n"
            "  Upgrade this one: pip install --upgrade deep_arch."
        )
    if found != schema.VERSION:
        with engine.connect() as connection:
            begin(connection, writes=True)
            if connection.dialect.name == "postgresql":  # of several that begin at once, one makes the tables
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(5723011)")
            schema.prepare(connection)
            connection.commit()


def begin(connection: Connection, writes: bool) -> None:
    """Begin a transaction: one that reads or, all of SQLite's one after the other, writes."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ValueError:
        raise ArgumentError("the port is no number") from None
    waits = {} if "connect_timeout" in parsed.query else {"connect_timeout": _ANSWER_S}
    engine = create_engine(
        parsed, pool_pre_ping=True, max_overflow=-1, isolation_level="READ COMMITTED", connect_args=waits
    )
    event.listen(engine, "connect", _server_connected)
    return engine


def _server_connected(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:  # so that a machine without power does not keep its turn for hours
        for setting, value in {"idle": _ANSWER_S, "interval": 10, "count": 3}.items():
            cursor.execute(f"SET tcp_keepalives_{setting} = {value}")
    connection.commit()


# --- SQLite --------------------------------------------------------------------------------------------------------


def _sqlite(url: str) -> Engine:
    scheme, _, rest = url.partition(":///")
    path, _, query = rest.partition("?")
    parsed = URL.create(scheme, database=unquote(path), query=dict(parse_qsl(query)))
    file = file_of(url)
    pool: dict[str, Any] = {"max_overflow": -1}
    if file is not None and not _is_writable(file):  # each connection looks anew whether one writes who may
        pool = {"poolclass": NullPool}
    engine = create_engine(parsed, connect_args={"timeout": PATIENCE_S}, **pool)
    event.listen(engine, "connect", _file_connected)
    if file is not None and "poolclass" in pool:
        event.listen(engine, "do_connect", partial(_open_at_rest, file))
    return engine


def _is_writable(file: Path) -> bool:
    return os.access(file.parent, os.W_OK) and (os.access(file, os.W_OK) or not file.exists())


def _open_at_rest(file: Path, _dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> None:
    """Open a file that cannot be written, and that no one else writes, as it is: SQLite would make others beside it."""
    if file.is_file() and not any(map(_size, (f"{file}-wal", f"{file}-journal"))):  # which one would have to mend
        arguments[0] = f"file:{quote(str(file))}?immutable=1"
        options["uri"] = True


def _size(file: str) -> int:
    return os.path.getsize(file) if os.path.exists(file) else 0


def _file_connected(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say so, not before the first statement that writes
    connection.create_function("deep_arch_clock", 0, time.time)
    mode = ""
    with suppress(Exception):  # a file that cannot be written is still read
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode == "wal":  # only a loss of power can then take the last turns
        connection.execute("PRAGMA synchronous=NORMAL")

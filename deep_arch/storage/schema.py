"""The schema of the database, of which a later version migrates the earlier ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from deep_arch.storage.any_text import AnyText

VERSION: Final = 1

metadata = MetaData()

_number = BigInteger().with_variant(Integer, "sqlite")
"""The type of a key that the database counts up; SQLite does so for this one alone."""

versions = Table("deep_arch_version", metadata, Column("version", Integer, nullable=False))

studies = Table(
    "deep_arch_studies",
    metadata,
    Column("id", _number, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("name", AnyText, nullable=False),
    Column("position", Integer, nullable=False, default=0),
    Column("n_given", Integer, nullable=False, default=0),
    Column("n_ended", Integer, nullable=False, default=0),
    Column("saved_at", Integer, nullable=False, default=0),
    Column("about", AnyText, nullable=False),
    Column("saved", AnyText, nullable=False),
    sqlite_autoincrement=True,
)
"""A study is found by the digest of its name, which may be longer than what an index holds. No id is used again."""

trials = Table(
    "deep_arch_trials",
    metadata,
    Column("study", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("given", Integer, nullable=False),
    Column("ended", Integer),
    Column("state", String(8), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("key", String(120)),
    Column("budget", Float(53)),
    Column("continues", Integer),
    Column("score", Float(53)),
    Column("worker", String(64)),
    Column("lost", Integer, nullable=False),
    Column("started", Float(53)),
    Column("finished", Float(53)),
    Column("values", AnyText, nullable=False),
    Column("proposed", AnyText),
    Column("scores", Text, nullable=False),
    Column("intermediate", Text, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("error", AnyText),
    Index("deep_arch_trials_given", "study", "given"),
    Index("deep_arch_trials_ended", "study", "ended"),
    Index("deep_arch_trials_state", "study", "state", "score", "number"),
    Index("deep_arch_trials_key", "study", "key", "given"),
    Index("deep_arch_trials_digest", "study", "digest", "given"),
)
"""One trial is one row; `values` and what is JSON stand last, so that the short columns are read without them."""

queued = Table(
    "deep_arch_queue",
    metadata,
    Column("id", _number, primary_key=True),
    Column("study", BigInteger, nullable=False, index=True),
    Column("values", AnyText, nullable=False),
)

seen = Table(
    "deep_arch_seen",
    metadata,
    Column("study", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", String(64), primary_key=True),
)
"""Digests of what was proposed and not given out."""

workers = Table(
    "deep_arch_workers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("machine", AnyText, nullable=False),
    Column("process", BigInteger, nullable=False),
    Column("born", Float(53), nullable=False),
    Column("beat", Float(53)),
)

MIGRATIONS: Final[dict[int, Callable[[Connection], None]]] = {}
"""Version to what makes it the next one."""


class clock(GenericFunction[float]):
    """The time, in seconds since 1970: by a server's clock, or by that which all who share a file share."""

    type = Float(53)
    name = "deep_arch_clock"  # which SQLite's connections are given
    inherit_cache = True


@compiles(clock, "postgresql")
def _server_clock(_element: Any, _compiler: Any, **_options: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS float8)"


def found_version(connection: Connection) -> int | None:
    """Return the version of the tables; None where there are none."""
    if not inspect(connection).has_table(versions.name):
        return None
    found: int = connection.execute(select(versions.c.version)).scalar_one()
    return found


def prepare(connection: Connection) -> None:
    """Make the tables, or bring those of an earlier version up to this one; in a transaction that no other disturbs."""
    found = found_version(connection)
    if found is None:
        metadata.create_all(connection)
        connection.execute(insert(versions).values(version=VERSION))
        return
    for version in range(found, VERSION):
        MIGRATIONS[version](connection)
    if found < VERSION:
        connection.execute(update(versions).values(version=VERSION))

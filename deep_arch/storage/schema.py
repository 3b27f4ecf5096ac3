"""The schema of the database, of which a later version migrates the earlier ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

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
    UniqueConstraint,
    insert,
    inspect,
    select,
    update,
)

from deep_arch.errors import StudyError

VERSION: Final = 1

metadata = MetaData()

versions = Table("deep_arch_version", metadata, Column("version", Integer, nullable=False))

studies = Table(
    "deep_arch_studies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("about", Text, nullable=False),
    Column("position", Integer, nullable=False, default=0),
    Column("n_given", Integer, nullable=False, default=0),
    Column("n_ended", Integer, nullable=False, default=0),
    Column("saved", Text, nullable=False),
    Column("saved_at", Integer, nullable=False, default=0),
)

trials = Table(
    "deep_arch_trials",
    metadata,
    Column("study", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("given", Integer, nullable=False),
    Column("ended", Integer),
    Column("state", String(8), nullable=False),
    Column("digest", String(32), nullable=False),
    Column("key", String(120)),
    Column("budget", Float(53)),
    Column("continues", Integer),
    Column("score", Float(53)),
    Column("worker", String(32)),
    Column("lost", Integer, nullable=False),
    Column("started", Float(53)),
    Column("finished", Float(53)),
    Column("values", Text, nullable=False),
    Column("proposed", Text),
    Column("scores", Text, nullable=False),
    Column("intermediate", Text, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("error", Text),
    Index("deep_arch_trials_given", "study", "given"),
    Index("deep_arch_trials_ended", "study", "ended"),
    Index("deep_arch_trials_state", "study", "state", "score"),
    Index("deep_arch_trials_key", "study", "key"),
    Index("deep_arch_trials_digest", "study", "digest"),
)
"""One trial is one row; `values` and what is JSON stand last, so that the short columns are read without them."""

queued = Table(
    "deep_arch_queue",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("study", Integer, nullable=False, index=True),
    Column("values", Text, nullable=False),
)

seen = Table(
    "deep_arch_seen",
    metadata,
    Column("study", Integer, nullable=False),
    Column("digest", String(32), nullable=False),
    UniqueConstraint("study", "digest"),
)
"""Digests of what was proposed and not given out."""

workers = Table(
    "deep_arch_workers",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("machine", Text, nullable=False),
    Column("process", BigInteger, nullable=False),
    Column("born", Float(53), nullable=False),
    Column("beat", Float(53)),
)

MIGRATIONS: Final[dict[int, Callable[[Connection], None]]] = {}
"""Version to what makes it the next one."""


def prepare(connection: Connection) -> None:
    """Make the tables, or bring those of an earlier version up to this one; in one transaction.

    Raises:
        StudyError: they are of a later version.
    """
    if not inspect(connection).has_table(versions.name):
        metadata.create_all(connection)
        connection.execute(insert(versions).values(version=VERSION))
        return
    found: int = connection.execute(select(versions.c.version)).scalar_one()
    if found > VERSION:
        raise StudyError(
            f"storage: its tables are of version {found}, and this deep_arch knows versions up to {VERSION}.\n"
            f"  Got {connection.engine.url}.\n  Upgrade deep_arch: pip install --upgrade deep_arch."
        )
    for version in range(found, VERSION):
        MIGRATIONS[version](connection)
    if found < VERSION:
        connection.execute(update(versions).values(version=VERSION))

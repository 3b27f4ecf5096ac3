"""Opening a storage by what a user names it."""

from __future__ import annotations

import os
from typing import Any, Final, cast

from deep_arch.errors import StudyError, is_kind, nearest, wrong_kind
from deep_arch.storage.memory_storage import MemoryStorage
from deep_arch.storage.storage import Storage

_MEND: Final = (
    "Write storage='runs.db' for a file, 'postgresql://user@host/database' for a server, or leave it out for memory."
)


def open_storage(given: Any) -> Storage:
    """Return the storage of a URL, a path of an SQLite file, a storage itself, or None for memory.

    Raises:
        BadArgument: what is none of these.
        StudyError: the database cannot be reached, is none, or is of a later version.
        MissingDependency: SQLAlchemy or the database's driver is not installed.
    """
    if given is None:
        return MemoryStorage()
    if is_kind(given, Storage):
        return cast(Storage, given)
    if not is_kind(given, str | os.PathLike) or not (name := os.fspath(given)):
        raise wrong_kind("storage", "the URL of a database, or the path of a file", given, _MEND)
    if "://" not in name:
        name = f"sqlite:///{os.path.abspath(name)}"
    if name in ("sqlite://", "sqlite:///:memory:"):
        return MemoryStorage()
    from deep_arch.storage.sql_storage import SqlStorage

    return SqlStorage(_with_driver(name))


def _with_driver(url: str) -> str:
    scheme, _, rest = url.partition("://")
    if scheme in ("postgres", "postgresql"):
        return f"postgresql+psycopg://{rest}"
    if scheme.startswith("sqlite") and rest.startswith("/") and not rest.startswith("//"):
        return f"{scheme}:///{os.path.abspath(rest[1:])}"  # so that a change of the working directory moves nothing
    if scheme.partition("+")[0] not in ("sqlite", "postgresql"):
        raise wrong_kind("storage", "an SQLite file or a PostgreSQL server", url, _MEND)
    return url


def no_study(name: str, storage: Storage) -> StudyError:
    """Return the error for a study that a storage does not hold."""
    names = storage.names()
    return StudyError(
        f"{name}: expected the name of a study in {storage.shown}.\n  Got {name!r}, which is none of its {len(names)}.\n"
        f"  Begin it with da.Study(space, searcher, storage=..., name={name!r}).{nearest(name, names)}"
    )

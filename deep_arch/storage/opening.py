"""Opening a storage by what a user names it."""

from __future__ import annotations

import os
from typing import Any, cast

from deep_arch.errors import is_kind, wrong_kind
from deep_arch.storage.addresses import MEND, full_address
from deep_arch.storage.memory_storage import MemoryStorage
from deep_arch.storage.sql_storage import SqlStorage
from deep_arch.storage.storage import Storage
from deep_arch.storage.storage import no_study as no_study


def open_storage(given: Any) -> Storage:
    """Return the storage of a URL, a path of an SQLite file, a storage itself, or None for memory.

    Raises:
        BadArgument: what is none of these.
        StudyError: the database cannot be reached, is none, or is of a later version.
        MissingDependency: the database's driver is not installed.
    """
    if given is None:
        return MemoryStorage()
    if is_kind(given, Storage):
        return cast(Storage, given)
    name: Any = os.fspath(cast("str | os.PathLike[str]", given)) if is_kind(given, str | os.PathLike) else None
    if not is_kind(name, str) or not name:
        raise wrong_kind("storage", "the URL of a database, or the path of a file", given, MEND)
    if name in (":memory:", "sqlite://", "sqlite:///:memory:"):
        return MemoryStorage()
    return SqlStorage(full_address(name))

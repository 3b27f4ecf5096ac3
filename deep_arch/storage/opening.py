"""Opening a storage by what a user names it."""

from __future__ import annotations

import os
from typing import Any, Final, cast

from deep_arch.errors import StudyError, is_kind, wrong_kind
from deep_arch.storage.addresses import MEND, file_of, full_address
from deep_arch.storage.memory_storage import MemoryStorage
from deep_arch.storage.sql_storage import SqlStorage
from deep_arch.storage.storage import Storage
from deep_arch.storage.storage import no_study as no_study

_IN_MEMORY: Final = (":memory:", "sqlite://", "sqlite:///:memory:")


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
    name = _named(given)
    return MemoryStorage() if name in _IN_MEMORY else SqlStorage(full_address(name))


def existing_storage(given: Any) -> Storage:
    """Return a storage as `open_storage` does, for reading: it makes no file.

    Raises:
        StudyError: there is no such file; and what `open_storage` raises.
    """
    if given is None or is_kind(given, Storage) or (name := _named(given)) in _IN_MEMORY:
        return open_storage(given)
    file = file_of(full_address(name))
    if file is not None and not file.exists():
        raise StudyError(
            f"storage: expected a file with studies.\n  Got {name!r}, and there is no {file}.\n"
            "  Begin a study there, with da.Study or `deep-arch search`, or name its file."
        )
    return open_storage(given)


def _named(given: Any) -> str:
    name: Any = os.fspath(cast("str | os.PathLike[str]", given)) if is_kind(given, str | os.PathLike) else None
    if not is_kind(name, str) or not name:
        raise wrong_kind("storage", "the URL of a database, or the path of a file", given, MEND)
    return str(name)

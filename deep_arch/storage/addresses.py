"""Addresses of storages: what a user names one by, as the URL that opens it anywhere on the machine."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from deep_arch.errors import wrong_kind

MEND: Final = (
    "Write storage='runs.db' for a file, 'postgresql://user@host/database' for a server, or leave it out for memory."
)

_SQLITE: Final = "sqlite:///"

_PASSWORD: Final = re.compile(r"(^[^:/?@]*:).*(?=@)|(password=)[^&]*")


def full_address(given: str) -> str:
    """Return the URL of a database, given it or the path of an SQLite file.

    Raises:
        BadArgument: it is of neither.
    """
    if "://" not in given:
        return f"{_SQLITE}{quoted(os.path.abspath(given))}"
    scheme, _, rest = given.partition("://")
    if scheme in ("postgres", "postgresql"):
        return f"postgresql+psycopg://{rest}"
    if scheme == "postgresql+psycopg":
        return given
    if scheme not in ("sqlite", "sqlite+pysqlite") or not rest.startswith("/"):
        raise wrong_kind("storage", "an SQLite file or a PostgreSQL server", shown(given), MEND)
    path, mark, query = rest[1:].partition("?")
    if query and "uri=true" not in query:
        raise wrong_kind("storage", "an SQLite file without options", given, MEND)
    if not path.startswith("file:"):  # so that a change of the working directory moves nothing
        path = quoted(os.path.abspath(unquote(path)))
    return f"{_SQLITE}{path}{mark}{query}"


def quoted(path: str) -> str:
    """Return a path without what has a meaning in URLs."""
    return path.replace("%", "%25").replace("?", "%3F")


def file_of(url: str) -> Path | None:
    """Return the file of an SQLite database; None for other databases."""
    if not url.startswith(_SQLITE):
        return None
    path = unquote(url.removeprefix(_SQLITE).partition("?")[0])
    return Path(path.removeprefix("file:"))


def shown(url: str) -> str:
    """Return a URL without its password.

    Example:
        >>> shown("postgresql://me:secret@host/runs")
        'postgresql://me:***@host/runs'
    """
    scheme, mark, rest = url.partition("://")
    return scheme.removesuffix("+psycopg") + mark + _PASSWORD.sub(lambda found: f"{found[1] or found[2]}***", rest)

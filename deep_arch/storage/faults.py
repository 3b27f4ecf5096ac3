"""Faults of a database, told in our words: what is wrong, and what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from deep_arch.errors import StudyError, StudyUnreachable, wrong_kind
from deep_arch.extras import missing
from deep_arch.storage.addresses import MEND, file_of, shown

_KEPT: Final = "run the script again: what was finished is kept, and it goes on there."

_LOCKED: Final = "is locked"

_MENDS: Final = {
    _LOCKED: f"Wait for the process that has its turn, or end it, and {_KEPT}",
    "disk is full": f"Make room on the disk and {_KEPT}",
    "no space left": f"Make room on the server's disk and {_KEPT}",
    "disk i/o": f"See to the disk (is it full, or a network's, which SQLite cannot lock?), and {_KEPT}",
    "readonly": "Make the file and its folder writable, or copy it elsewhere; reading it needs neither.",
    "read-only": "Give the address of a server that can be written: this one is a copy of another, or protected.",
    "not a database": "Give another file, or restore this one from a copy: it holds something else.",
    "malformed": "Restore the file from a copy, or save what can be read with `sqlite3 FILE .recover`.",
    "could not decode": "Restore the file from a copy, or save what can be read with `sqlite3 FILE .recover`.",
    "no such table": "Restore the file from a copy: some of its tables are gone.",
    "no such column": "Restore the file from a copy: its tables are not as deep_arch makes them.",
    "password": "Give the right user and password: postgresql://user:password@host/database.",
    "authentication failed": "Give the right user and password: postgresql://user:password@host/database.",
    "permission denied": "Let this user make and write tables: GRANT CREATE ON SCHEMA public TO its name.",
    "column": "Restore the database from a copy, or empty it: its tables are not as deep_arch makes them.",
    "relation": "Restore the database from a copy, or empty it: some of its tables are gone.",
    "role": "Make the user first, createuser NAME, or give another: postgresql://user:password@host/database.",
    "does not exist": "Make the database first: createdb NAME.",
    "connection option": "Write the URL as postgresql://user:password@host:port/database, without this option.",
}
"""What a database says, in part, and how it is mended; the first that fits."""

_PASSING: Final = (
    *("is busy", "connection", "server closed", "shutting down", "starting up", "terminating", "deadlock"),
    *("recovery mode", "could not serialize", "too many clients", "resolve host", "timeout"),
)
"""What a database says, in part, where it may work again in a moment."""


@contextmanager
def told(url: str) -> Generator[None, None, None]:
    """Raise what a database raises as StudyError, and as StudyUnreachable where it may pass.

    Raises:
        BadArgument: the URL is none.
        MissingDependency: the database's driver is not installed.
    """
    try:
        yield
    except (ArgumentError, NoSuchModuleError):  # whose texts may show passwords
        raise wrong_kind("storage", "the URL of a database", shown(url), MEND) from None
    except ImportError as error:
        raise missing((error.name or "psycopg").partition(".")[0]) from None
    except PoolTimeout as error:
        raise _fault(url, str(error), True) from error
    except DBAPIError as error:
        raise _fault(url, str(error.orig), error.connection_invalidated) from error.orig
    except SQLAlchemyError as error:
        raise _fault(url, str(error), False) from error


def malformed(url: str, what: str, error: Exception) -> StudyError:
    """Return the error for what was read and cannot be what was written."""
    return _fault(url, f"malformed {what}: {error}", False)


def _fault(url: str, said: str, cut: bool) -> StudyError:
    said = re.sub(r"\s+", " ", said).strip()
    lower = said.lower()
    mend = next((mend for part, mend in _MENDS.items() if part in lower), None)
    if "unable to open" in lower and (file := file_of(url)) is not None:
        mend = _unopened(file)
    passes = cut or _LOCKED in lower or (mend is None and any(part in lower for part in _PASSING))
    kind = StudyUnreachable if passes else StudyError
    mend = mend or f"See that the database runs and can be reached, and {_KEPT}"
    return kind(f"storage: expected to read and write {shown(url)}.\n  Got: {said}\n  {mend}")


def _unopened(file: Path) -> str:
    if file.is_dir():
        return f"Give a file in this folder: storage={str(file / 'runs.db')!r}."
    if not file.parent.is_dir():
        return f"Make the folder first: mkdir -p {str(file.parent)!r}."
    if Path(f"{file}-wal").exists() and not os.access(file.parent, os.W_OK):
        return f"Copy {file.name} and {file.name}-wal, which holds the last turns, to a folder that can be written."
    return "See that the file and its folder may be read and written."

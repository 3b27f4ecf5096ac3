"""Faults of a database, told in our words: what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from deep_arch.errors import StudyError, StudyUnreachable
from deep_arch.extras import missing

_MENDS: Final = {
    "disk is full": "Make room on the disk and run the script again: what was finished is kept, and it goes on there.",
    "no space left": "Make room on the disk and run the script again: what was finished is kept, and it goes on there.",
    "disk i/o": "See to the disk (is it full, or a network's that SQLite cannot lock?), and run the script again.",
    "too big": "Raise the limit on the size of files, and run the script again: what was finished is kept.",
    "readonly": "Make the file and its folder writable, or copy it elsewhere; reading it needs neither.",
    "read-only": "Make the file and its folder writable, or copy it elsewhere; reading it needs neither.",
    "unable to open": "See that the folder exists and may be written.",
    "not a database": "Give another file, or restore this one from a copy: it holds something else.",
    "malformed": "Restore the file from a copy, or save what can be read with `sqlite3 FILE .recover`.",
    "password": "Give the right user and password: postgresql://user:password@host/database.",
    "does not exist": "Make the database first: createdb NAME.",
    "no such table": "Restore the file from a copy: some of its tables are gone.",
}
"""What a database says, in part, and how it is mended."""

_PASSING: Final = (
    *("is locked", "is busy", "connection", "server closed", "shutting down", "starting up", "terminating", "deadlock"),
    *("recovery mode", "could not serialize"),
)
"""What a database says, in part, where it may work again in a moment."""


@contextmanager
def told(url: str) -> Iterator[None]:
    """Raise what a database raises as StudyError, and as StudyUnreachable where it may pass.

    Raises:
        MissingDependency: SQLAlchemy, or the database's driver, is not installed.
    """
    try:
        from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, SQLAlchemyError
    except ModuleNotFoundError:
        raise missing("sqlalchemy") from None
    try:
        yield
    except IntegrityError:
        raise
    except (ArgumentError, NoSuchModuleError) as error:
        raise StudyError(
            f"storage: expected the URL of a database.\n  Got {url!r} ({error}).\n"
            "  Write storage='sqlite:///runs.db', or 'postgresql://user@host/database'."
        ) from error
    except ModuleNotFoundError as error:
        raise missing(error.name or "psycopg") from None
    except DBAPIError as error:
        raise _fault(url, str(error.orig), error.connection_invalidated) from error
    except SQLAlchemyError as error:
        raise _fault(url, str(error), False) from error
    except UnicodeDecodeError as error:  # of a damaged file
        raise _fault(url, f"malformed text: {error}", False) from error


def _fault(url: str, said: str, cut: bool) -> StudyError:
    from deep_arch.storage.sql_storage import shown

    lower = said.lower()
    mend = next((mend for part, mend in _MENDS.items() if part in lower), None)
    passes = mend is None and (cut or any(part in lower for part in _PASSING))
    kind = StudyUnreachable if passes else StudyError
    mend = mend or "See that the database runs and can be reached, and run the script again: what was finished is kept."
    return kind(f"storage: expected to read and write {shown(url)}.\n  Got: {said.strip()}\n  {mend}")

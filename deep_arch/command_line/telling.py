"""Telling: what a command prints, its errors, and its exit codes."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
import traceback
from collections.abc import Generator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Final, TextIO

import typer

from deep_arch.errors import DeepArchError, is_kind

FAILED: Final = 1
"""Something was wrong, and the error says what."""

NOTHING_FOUND: Final = 3
"""A search ended, and no trial of it is complete."""

INTERRUPTED: Final = 130
"""The user pressed Ctrl-C; what was finished is kept."""

_OWN: Final = str(Path(__file__).parents[1])

_LIBRARIES: Final = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


@contextmanager
def errors_told() -> Generator[TextIO]:
    """Give what results are printed to, the standard output, and tell what a command raises.

    Errors are printed as text, with DEEP_ARCH_DEBUG=1 also where they were raised, and end with the code of their kind.
    """
    try:
        with _long_numbers(), _own_output() as out:
            yield out
    except KeyboardInterrupt:
        _tell("interrupted")
        raise typer.Exit(INTERRUPTED) from None
    except DeepArchError as error:
        _tell(f"error: {error}")
        raise typer.Exit(FAILED) from None
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as error:
        _tell(f"error: {_place(error)}{error}\n  DEEP_ARCH_DEBUG=1 shows the whole traceback.")
        raise typer.Exit(FAILED) from None


@contextmanager
def _own_output() -> Generator[TextIO]:
    """Give the standard output; what modules and objectives print, also in other processes, goes to standard error."""
    out = sys.stdout
    if not _is_real(out):  # such as a test's
        with redirect_stdout(sys.stderr):
            yield out
        return
    out.flush()
    own = os.fdopen(os.dup(out.fileno()), "w", encoding=out.encoding, errors=out.errors)
    os.dup2(sys.stderr.fileno(), out.fileno())
    try:
        with redirect_stdout(sys.stderr):
            yield own
        own.flush()
    except BrokenPipeError:  # who read it has seen enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), own.fileno())
    finally:
        os.dup2(own.fileno(), out.fileno())
        own.close()


def _is_real(out: Any) -> bool:
    try:
        return bool(out.fileno() == 1 and sys.stderr.fileno() == 2)
    except (AttributeError, OSError, ValueError):
        return False


def say(text: str) -> None:
    """Print what is no result."""
    print(text, file=sys.stderr)


def _tell(text: str) -> None:
    if os.environ.get("DEEP_ARCH_DEBUG"):
        traceback.print_exc()
    say(text)


def _place(error: Exception) -> str:
    """Return the file and line of the user's code that raised, or called what raised, and what it raised."""
    frames = traceback.extract_tb(error.__traceback__)
    others = [frame for frame in frames if not frame.filename.startswith((_OWN, "<frozen"))]
    users = [frame for frame in others if not frame.filename.startswith(_LIBRARIES)]
    if not users and isinstance(error, OSError):  # of a file that the command itself was to write
        return ""
    last = (users or others or frames)[-1]
    return f"{last.filename}:{last.lineno}: {type(error).__name__}: "


@contextmanager
def _long_numbers() -> Generator[None]:
    """Let numbers of any length be printed, as sizes of spaces may be, which Python refuses beyond 4300 digits."""
    if not hasattr(sys, "set_int_max_str_digits"):  # pragma: no cover (before Python 3.10.7)
        yield
        return
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(before)


def as_text(value: Any) -> str:
    """Return a value as a JSON document."""
    return json.dumps(value, indent=2, default=_plain)


def _plain(value: Any) -> Any:
    return value.__qualname__ if is_kind(value, type) or callable(value) else repr(value)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as text, with as many characters a line as it takes, so that other programs can read it."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (headings, *rows)]
    return "\n".join(lines)


def shown(text: str) -> str:
    """Return a text of anyone's, such as the name of a study, in one line and without what a terminal would obey."""
    return text if text.isprintable() and text.strip() == text else repr(text)

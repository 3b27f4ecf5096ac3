"""Telling: what a command prints, its errors, and its exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

from deep_arch.errors import DeepArchError, is_kind

FAILED: Final = 1
"""Something was wrong, and the error says what."""

NOTHING_FOUND: Final = 3
"""A search ended, and no trial of it is complete."""

INTERRUPTED: Final = 130
"""The user pressed Ctrl-C; what was finished is kept."""

_OWN: Final = str(Path(__file__).parent.parent)


def print_json(value: Any) -> None:
    """Print a value as the one JSON document of a command."""
    print(json.dumps(value, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    return value.__qualname__ if is_kind(value, type) or callable(value) else repr(value)


@contextlib.contextmanager
def errors_told() -> Generator[None]:
    """Print errors as text, and end with the exit code of their kind; DEEP_ARCH_DEBUG=1 shows where they were raised."""
    import typer

    try:
        yield
    except DeepArchError as error:
        _print(f"error: {error}")
        raise typer.Exit(FAILED) from None
    except (KeyboardInterrupt, BrokenPipeError):
        raise typer.Exit(INTERRUPTED) from None
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as error:
        where = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_OWN)]
        place = f"{where[-1].filename}:{where[-1].lineno}: " if where else ""
        _print(f"error: {place}{type(error).__name__}: {error}\n  DEEP_ARCH_DEBUG=1 shows the whole traceback.")
        raise typer.Exit(FAILED) from None


def _print(text: str) -> None:
    if os.environ.get("DEEP_ARCH_DEBUG"):
        traceback.print_exc()
    print(text, file=sys.stderr)

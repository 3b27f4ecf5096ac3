"""Travelling: tasks and what comes of them as bytes, so that what cannot be read is an error of that task alone."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from deep_arch.errors import ExecutorError


class RemoteTraceback(Exception):
    """Where an exception was raised in its own process; the cause of the exception that arrives here."""


def packed(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
    """Return a task as it is sent."""
    return pickle.dumps((function, args, kwargs), pickle.HIGHEST_PROTOCOL)


def answer(task: bytes) -> bytes:
    """Run a task, in its worker, and return what came of it."""
    try:
        function, args, kwargs = pickle.loads(task)
        return _written(function(*args, **kwargs), None)
    except BaseException as error:
        return _written(None, portable(error), "".join(traceback.format_exception(error)))


def outcome(answered: bytes) -> tuple[Any, Exception | None]:
    """Return what a task returned, and what it raised."""
    try:
        result, error, text = pickle.loads(answered)
    except Exception as unreadable:
        return None, unreadable
    if error is not None:
        error.__cause__ = RemoteTraceback(f'\n"""\n{text}"""')
    return result, error


def portable(error: BaseException, pickler: Any = pickle) -> Exception:
    """Return the exception of a task, or one that tells of it where it cannot be sent, or would end who gets it."""
    with suppress(Exception):
        # Classes with arguments of their own can often be written, and not read.
        if isinstance(error, Exception) and pickler.loads(pickler.dumps(error)) is not None:
            return error
    return ExecutorError(
        "executor: expected a task to return, or to raise an exception that can be pickled.\n"
        f"  Got {error!r} ({type(error).__name__}).\n"
        "  Raise a RuntimeError with a text; the traceback stands above, as the cause."
    )


def _written(result: Any, error: Exception | None, text: str = "") -> bytes:
    return pickle.dumps((result, error, text), pickle.HIGHEST_PROTOCOL)

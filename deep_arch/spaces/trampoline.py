"""Recursion without Python's own stack, whose limit deep spaces would meet."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar, cast

_Result = TypeVar("_Result")

Recursive = Generator[Any, Any, _Result]
"""A function that yields the generator of each call that it makes, is sent its result, and returns its own."""


def run(generator: Recursive[_Result]) -> _Result:
    """Run a recursive generator to its end and return its result."""
    stack: list[Any] = [generator]
    result: Any = None
    error: BaseException | None = None
    while stack:
        try:
            inner = stack[-1].send(result) if error is None else stack[-1].throw(error)
        except StopIteration as stop:
            stack.pop()
            result, error = stop.value, None
        except BaseException as raised:
            stack.pop()
            result, error = None, raised
        else:
            stack.append(inner)
            result, error = None, None
    if error is not None:
        raise error
    return cast("_Result", result)

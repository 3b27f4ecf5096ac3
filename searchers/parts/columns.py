"""Columns: what a value is on each of several rows, and operations on whole columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from deep_arch.errors import ArityMismatch
from deep_arch.grammars.blocks import Operation
from deep_arch.searchers.parts.answers import NO_ANSWER, Column, Partial

FAILURES: Final = (ArithmeticError, LookupError, ValueError)
"""Errors with which an operation says that it has no answer: division by zero, overflow, an empty list, ..."""


def run_strictly(segment: Iterable[Operation], env: list[Any], n_rows: int) -> None:
    """Run operations on the columns in their slots; an error of one on any row goes through."""
    for operation in segment:
        function, inputs, outputs = operation.function, operation.inputs, operation.outputs
        if len(inputs) == 1:
            column = tuple(map(function, env[inputs[0]]))
        elif inputs:
            column = tuple(map(function, *[env[i] for i in inputs]))
        else:
            column = tuple([function() for _ in range(n_rows)])
        put(column, outputs, env)


def run_leniently(segment: Iterable[Operation], env: list[Any], n_rows: int) -> None:
    """Run operations on the columns in their slots; where one fails there is no answer."""
    for operation in segment:
        column = mapped(operation.function, [env[i] for i in operation.inputs], n_rows)
        put(column, operation.outputs, env)


def mapped(function: Callable[..., Any], columns: Sequence[Column], n_rows: int) -> Column:
    """Return what a function gives on each row, which is nothing where it fails or a value is missing."""
    if not any(column.__class__ is Partial for column in columns):
        try:
            return tuple(map(function, *columns)) if columns else tuple([function() for _ in range(n_rows)])
        except FAILURES:
            pass
    rows: Iterable[Column] = zip(*columns, strict=True) if columns else [()] * n_rows
    return Partial([_answer(function, row) for row in rows])


def _answer(function: Callable[..., Any], row: Column) -> Any:
    if any(value is NO_ANSWER for value in row):
        return NO_ANSWER
    try:
        return function(*row)
    except FAILURES:
        return NO_ANSWER


def put(column: Column, slots: tuple[int, ...], env: list[Any]) -> None:
    """Put a column into its slot, or its parts into theirs.

    Raises:
        ArityMismatch: what stands on a row is not as many values.
    """
    if len(slots) == 1:
        env[slots[0]] = column
        return
    for slot, part in zip(slots, _parts(column, len(slots)), strict=True):
        env[slot] = part


def _parts(column: Column, n: int) -> Sequence[Column]:
    nothing = (NO_ANSWER,) * n
    rows = [nothing if row is NO_ANSWER else tuple(row) for row in column]
    for row in rows:
        if len(row) != n:
            raise ArityMismatch(
                f"expected {n} values, as many as are unpacked.\n  Got {len(row)}: {row!r}.\n  Return {n} values."
            )
    kind = column.__class__
    return [kind([row[i] for row in rows]) for i in range(n)]


def joined(columns: Sequence[Column]) -> Column:
    """Return a column of tuples, one of each of some columns."""
    rows = zip(*columns, strict=True)
    if not any(column.__class__ is Partial for column in columns):
        return tuple(rows)
    return Partial([NO_ANSWER if any(value is NO_ANSWER for value in row) else row for row in rows])


def picked(column: Column, rows: Sequence[int]) -> Column:
    """Return what stands on some rows; none of them where a number is negative."""
    if column.__class__ is not Partial and min(rows, default=0) >= 0:
        return tuple([column[i] for i in rows])
    return Partial([column[i] if i >= 0 else NO_ANSWER for i in rows])

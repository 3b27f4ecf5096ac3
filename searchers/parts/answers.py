"""Answers: what a program gives on several rows, on some of which it may have none."""

from __future__ import annotations

from typing import Any, Final, TypeAlias


class NoAnswer:
    """The class of NO_ANSWER."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_ANSWER"


NO_ANSWER: Final = NoAnswer()
"""Stands in a column on a row where an operation failed."""

Column: TypeAlias = "tuple[Any, ...]"
"""What a value is on each row."""


class Partial(tuple[Any, ...]):
    """A column in which NO_ANSWER may stand."""

    __slots__ = ()

    @property
    def is_empty(self) -> bool:
        """Whether there are rows, and nothing else stands on them."""
        return bool(self) and all(answer is NO_ANSWER for answer in self)

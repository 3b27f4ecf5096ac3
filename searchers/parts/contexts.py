"""Contexts: sets of rows on which terms are compared."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from deep_arch.searchers.parts.answers import NO_ANSWER, Column, Partial
from deep_arch.searchers.parts.exact import exact


class Context:
    """A set of rows.

    Attributes:
        columns: what each input is, on each row.
        position: of each row, by its exact key.
        lenient: whether a term need not have an answer on every row, since each meets only some.
        views: other contexts that blocks make of the inputs alone, by the slots of these.
    """

    __slots__ = ("columns", "lenient", "position", "views")

    def __init__(self, columns: tuple[Column, ...], keys: Iterable[Hashable], lenient: bool) -> None:
        self.columns, self.lenient = columns, lenient
        self.position: dict[Hashable, int] = {key: i for i, key in enumerate(keys)}
        self.views: dict[tuple[int, ...], View] = {}


class View(NamedTuple):
    """A context as seen from another: for each row of that, the row of this; None where these are the same."""

    context: Context
    rows: tuple[int, ...] | None


class Contexts:
    """Contexts, one for each set of rows."""

    def __init__(self) -> None:
        self._contexts: dict[Hashable, Context] = {}

    def view(self, columns: Sequence[Column], lenient: bool) -> View:
        """Return the context of the rows of some columns, as seen from these; without rows that lack an answer."""
        rows = list(zip(*columns, strict=True))
        keys = list(map(exact, rows))
        partial = any(column.__class__ is Partial for column in columns)
        known = {k: r for k, r in zip(keys, rows, strict=True) if not partial or not any(v is NO_ANSWER for v in r)}
        key = (len(columns), lenient, frozenset(known))
        context = self._contexts.get(key)
        if context is None:
            unique = tuple(zip(*known.values(), strict=True)) or ((),) * len(columns)
            context = self._contexts[key] = Context(unique, known, lenient)
        position = context.position
        if keys == [*position]:
            return View(context, None)
        return View(context, tuple([position.get(key, -1) for key in keys]))

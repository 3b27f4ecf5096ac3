"""Bodies: the terms of a scan's body, in the contexts that they meet.

The frames of a map are known before its body is, and so are the rows on which the body is tried. The states of a fold
are what the body itself makes. So its bank begins with the rows of the first states, and each term that is kept there
is run along time; rows that one of them meets are added, on which terms may differ that did not before, until no new
ones are met. Then all terms that one stands for meet only rows on which they are equal, and so give what it gives.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

from deep_arch.grammars.blocks import Loop, Nonterminal
from deep_arch.grammars.terms import Term, frames_of, run_loop, run_term
from deep_arch.searchers.parts.answers import NO_ANSWER, Column, Partial
from deep_arch.searchers.parts.columns import FAILURES, mapped
from deep_arch.searchers.parts.contexts import Context, View
from deep_arch.searchers.parts.exact import exact

MOST_ROWS: Final = 5_000
"""Rows of states and frames on which the bodies of one fold are told apart. Where more are met, bodies that are equal
on so many are taken for equal; what is found still gives the answers that it is found with."""

Filler = Callable[[int], Iterator[tuple[Column, Term]]]
"""From a size to what terms give on each row, and these terms."""


class Bank(Protocol):
    """The terms of a rule in a context; see `banks`."""

    context: Context

    def of_size(self, size: int) -> Iterable[Term]:
        """Return the terms of a size."""
        ...


class Store(Protocol):
    """The banks of some contexts; see `banks`."""

    folds: dict[Hashable, Fold]

    def view(self, columns: Sequence[Column], lenient: bool) -> View:
        """Return the context of the rows of some columns, as seen from these."""
        ...

    def bank(self, of: Nonterminal, context: Context) -> Bank:
        """Return the bank of a rule's terms in a context."""
        ...

    def is_over(self) -> bool:
        """Return whether no bank will ever have a term that it has not now."""
        ...

    def fresh(self) -> Store:
        """Return a store without banks."""
        ...

    def leave(self) -> Store:
        """Return a fresh store, for which this one is given up."""
        ...


def of_loop(store: Store, loop: Loop, columns: Sequence[Column], lenient: bool) -> Filler:
    """Return what gives the terms for the body of a scan, with what the scan gives on each row."""
    if not loop.carry:
        return _Map(store, loop, columns, lenient).terms
    key = (loop, lenient, exact(tuple(zip(*columns, strict=True))))
    if key not in store.folds:
        store.folds[key] = Fold(store, loop, columns, lenient)
    return store.folds[key].terms


class _Map:
    """A scan without states: its body is tried on the frames of all rows, which are rows themselves."""

    def __init__(self, store: Store, loop: Loop, columns: Sequence[Column], lenient: bool) -> None:
        self._lengths: list[int] = []
        self._kinds: list[type[Any] | None] = []
        self._outputs = len(loop.outputs)
        rows: list[tuple[Any, ...]] = []
        for values in zip(*columns, strict=True):
            found = _framed(loop, values, lenient)
            rows += found or []
            self._lengths.append(len(found or []))
            self._kinds.append(None if found is None else tuple if isinstance(values[0], tuple) else list)
        inner = tuple(zip(*rows, strict=True)) or ((),) * len(columns)
        context, self._rows = store.view(inner, lenient)
        self._bank = store.bank(loop.of, context)
        self._reverse = loop.reverse

    def terms(self, size: int) -> Iterator[tuple[Column, Term]]:
        for term in self._bank.of_size(size):
            yield self._gathered(term.answers), term

    def _gathered(self, answers: Column) -> Column:
        flat = answers if self._rows is None else [answers[i] for i in self._rows]
        found: list[Any] = []
        start = 0
        for length, kind in zip(self._lengths, self._kinds, strict=True):
            part = flat[start : start + length]
            start += length
            if kind is None or any(answer is NO_ANSWER for answer in part):
                found.append(NO_ANSWER)
            elif self._outputs == 1:
                found.append(kind([answer[0] for answer in part]))
            else:
                found.append(tuple([kind([answer[i] for answer in part]) for i in range(self._outputs)]))
        return Partial(found) if answers.__class__ is Partial or None in self._kinds else tuple(found)


def _framed(loop: Loop, values: Column, lenient: bool) -> list[tuple[Any, ...]] | None:
    """Return the rows of a map's frames on one row; None where there are none, for want of an answer."""
    if any(value is NO_ANSWER for value in values):
        return None
    captured = values[loop.n_sequences :]
    try:
        return [(*frame, *captured) for frame in frames_of(loop, values)]
    except FAILURES:
        if lenient:
            return None
        raise


class Fold:
    """A scan with states, on some rows: the terms of its body in a context that is closed under what they do.

    Args:
        store: where the fold is remembered; its banks are in stores of their own, which are left when rows come.
        loop: the scan.
        columns: what it is called on.
        lenient: whether terms need not have an answer on each row.
    """

    def __init__(self, store: Store, loop: Loop, columns: Sequence[Column], lenient: bool) -> None:
        self._loop, self._columns, self._lenient = loop, columns, lenient
        self._store = store.fresh()
        self._rows: dict[Hashable, tuple[Any, ...]] = {}
        self._met: dict[Hashable, tuple[Any, ...]] = {}
        self._given: dict[int, Column] = {}  # by the identity of a term of the bank
        self._closed = -1
        for values in zip(*columns, strict=True):
            for row in _first_rows(loop, values):
                self._rows[exact(row)] = row
        self._bank = self._renewed()

    def _renewed(self) -> Bank:
        """Return a bank of the body on all rows."""
        columns = tuple(zip(*self._rows.values(), strict=True)) or ((),) * len(self._columns)
        context, _ = self._store.view(columns, lenient=True)
        return self._store.bank(self._loop.of, context)

    def terms(self, size: int) -> Iterator[tuple[Column, Term]]:
        """Yield the terms of a size, each with what the scan gives on each row."""
        self._close(size)
        for term in self._bank.of_size(size):
            column = self._given.get(id(term)) or self._run(term)
            if self._lenient or column.__class__ is not Partial:
                yield column, term

    def is_over(self) -> bool:
        """Return whether there will be no further terms."""
        return self._store.is_over()

    def _close(self, size: int) -> None:
        """Add rows until the terms of up to a size meet no others."""
        while self._closed < size:
            self._met = {}
            self._given = {id(term): self._run(term) for term in _up_to(self._bank, size)}
            room = MOST_ROWS - len(self._rows)
            if not self._met or room <= 0:
                self._closed = size
                return
            self._rows.update(itertools.islice(self._met.items(), room))
            self._store = self._store.leave()
            self._bank = self._renewed()

    def _run(self, term: Term) -> Column:
        position, answers = self._bank.context.position, term.answers

        def step(row: tuple[Any, ...]) -> Any:
            key = exact(row)
            at = position.get(key)
            if at is None:
                self._met[key] = row
                return run_term(term, row)
            if answers[at] is NO_ANSWER:
                raise ValueError("the body has no answer here")
            return answers[at]

        return mapped(lambda *values: run_loop(self._loop, values, step), self._columns, 0)


def _up_to(bank: Bank, size: int) -> Iterable[Term]:
    for each in range(size + 1):
        yield from bank.of_size(each)


def _first_rows(loop: Loop, values: Column) -> list[tuple[Any, ...]]:
    """Return the rows of all frames with the first states, of which the first row is met by each body."""
    if any(value is NO_ANSWER for value in values):
        return []
    try:
        frames = frames_of(loop, values)
    except FAILURES:
        return []
    return [(*values[: loop.carry], *frame, *values[loop.carry + loop.n_sequences :]) for frame in frames]

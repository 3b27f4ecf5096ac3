"""Bodies: the terms of a scan's body, in the contexts that they meet.

The frames of a map are known before its body is, and so are the rows on which the body is tried. The states of a fold
are what the body itself makes. So its bank begins with the rows of the first states, and each term that is kept there is
run along time; the rows that one of them meets are added, on which terms may differ that did not before, until no new
ones are met. Then all terms that one stands for meet only rows on which they are equal, and so give what it gives.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Final

from deep_arch.searchers.parts.banks import Bank, Store, Term
from deep_arch.searchers.parts.columns import FAILURES, NO_ANSWER, Column, Partial, mapped
from deep_arch.searchers.parts.exact import exact
from deep_arch.searchers.parts.productions import Hole, Loop

MOST_ROWS: Final = 5_000
"""Rows of states and frames on which the bodies of one fold are told apart. Where more are met, bodies that are equal on
so many are taken for equal; what is proposed is still what its body gives."""

Filler = Callable[[int], Iterator[tuple[Column, Term]]]
"""From a size to what terms give on each row, and these terms."""


def of_loop(store: Store, loop: Loop, columns: Sequence[Column], lenient: bool) -> Filler:
    """Return what gives the terms for the body of a scan, with what the scan gives on each row."""
    if not loop.carry:
        return _Map(store, loop, columns, lenient).terms
    key = (loop, lenient, exact(tuple(zip(*columns, strict=True))))
    if key not in store.folds:
        store.folds[key] = Fold(store, loop, columns, lenient)
    return store.folds[key].terms  # type: ignore[no-any-return]


def frames_of(loop: Loop, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the frames of a scan's sequences, in the order of time."""
    sequences = [list(sequence) for sequence in values[loop.carry : loop.carry + loop.n_sequences]]
    frames = list(zip(*sequences, strict=True))  # a ValueError where they are not of one length
    return frames[::-1] if loop.reverse else frames


def run_loop(loop: Loop, values: Sequence[Any], step: Callable[[tuple[Any, ...]], Sequence[Any]]) -> Any:
    """Return what a scan gives on some values, as `python_backend` does; `step` is the body."""
    carry = loop.carry
    states, captured = values[:carry], values[carry + loop.n_sequences :]
    steps: list[Sequence[Any]] = []
    for frame in frames_of(loop, values):
        given = step((*states, *frame, *captured))
        states = given[:carry]
        steps.append(given)
    if loop.reverse:
        steps.reverse()
    kind = tuple if isinstance(values[carry], tuple) else list
    found = (*states, *[kind([given[i] for given in steps]) for i in range(carry, len(loop.outputs))])
    return found[0] if len(found) == 1 else found


def run_term(term: Term, row: Sequence[Any]) -> Any:
    """Return what a term gives for the values of its inputs."""
    block = term.production.block
    env: list[Any] = [*row, *[None] * (block.n_slots - block.n_inputs)]
    for i, segment in enumerate(block.segments):
        for operation in segment:
            _put(operation.function(*[env[j] for j in operation.inputs]), operation.outputs, env)
        if i < len(block.holes):
            hole, argument = block.holes[i], term.arguments[i]
            given = [env[j] for j in hole.inputs]
            of_hole = isinstance(hole, Hole)
            result = run_term(argument, given) if of_hole else run_loop(hole, given, _stepping(argument))
            _put(result, hole.outputs, env)
    return env[block.outputs[0]] if block.single else tuple([env[j] for j in block.outputs])


def _stepping(term: Term) -> Callable[[tuple[Any, ...]], Sequence[Any]]:
    return lambda row: run_term(term, row)


def _put(result: Any, slots: tuple[int, ...], env: list[Any]) -> None:
    for slot, part in zip(slots, [result] if len(slots) == 1 else result, strict=True):
        env[slot] = part


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
            if kind is None or any([answer is NO_ANSWER for answer in part]):
                found.append(NO_ANSWER)
            elif self._outputs == 1:
                found.append(kind([answer[0] for answer in part]))
            else:
                found.append(tuple([kind([answer[i] for answer in part]) for i in range(self._outputs)]))
        return Partial(found) if answers.__class__ is Partial or None in self._kinds else tuple(found)


def _framed(loop: Loop, values: Column, lenient: bool) -> list[tuple[Any, ...]] | None:
    """Return the rows of a map's frames on one row; None where there are none, for want of an answer."""
    if any([value is NO_ANSWER for value in values]):
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
        self._effort, self._loop, self._columns, self._lenient = store.effort, loop, columns, lenient
        self._rows: dict[Hashable, tuple[Any, ...]] = {}
        self._met: dict[Hashable, tuple[Any, ...]] = {}
        self._closed = -1
        for values in zip(*columns, strict=True):
            for row in _first_rows(loop, values):
                self._rows[exact(row)] = row
        self._renew()

    def _renew(self) -> None:
        self._store = Store(self._effort)
        columns = tuple(zip(*self._rows.values(), strict=True)) or ((),) * len(self._columns)
        context, _ = self._store.view(columns, lenient=True)
        self._bank: Bank = self._store.bank(self._loop.of, context)

    def terms(self, size: int) -> Iterator[tuple[Column, Term]]:
        """Yield the terms of a size, each with what the scan gives on each row."""
        self._close(size)
        for term in self._bank.of_size(size):
            column = self._run(term)
            if self._lenient or column.__class__ is not Partial:
                yield column, term

    def is_over(self) -> bool:
        """Return whether there will be no further terms."""
        return self._store.is_over()

    def _close(self, size: int) -> None:
        """Add rows until the terms of up to a size meet no others."""
        while self._closed < size:
            self._met = {}
            for term in _up_to(self._bank, size):
                self._run(term)
            if self._met and len(self._rows) < MOST_ROWS:
                self._rows |= self._met
                self._store.forget()
                self._renew()
            else:
                self._closed = size

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
    if any([value is NO_ANSWER for value in values]):
        return []
    try:
        frames = frames_of(loop, values)
    except FAILURES:
        return []
    return [(*values[: loop.carry], *frame, *values[loop.carry + loop.n_sequences :]) for frame in frames]

"""Bottom-up enumeration of programs, smallest first, of those that give equal answers on examples only the first."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from deep_arch.errors import BadArgument, is_kind, wrong_kind
from deep_arch.language.modules import Module
from deep_arch.searchers.parts.banks import Effort, FullError, Store
from deep_arch.searchers.parts.checks import check_count, check_function
from deep_arch.searchers.parts.exact import exact
from deep_arch.searchers.parts.productions import Grammar, meaning_of
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values


class Found(NamedTuple):
    """A program, and what it does.

    Attributes:
        size: its number of applications of rules.
        values: address to value.
        answers: one for each example.
    """

    size: int
    values: Values
    answers: tuple[Any, ...]


class Programs:
    """The programs of a space that give distinct answers on examples, smallest first; see `programs`.

    Attributes:
        tried: how many terms were run so far, whole programs and parts of them.
        kept: how many of them are held.
        is_full: whether it ended since `most` terms were held.
    """

    def __init__(
        self,
        space: SearchSpace,
        inputs: Sequence[Any],
        *,
        merge: bool = True,
        most: int | None = 1_000_000,
        meaning: Callable[[Module], Callable[..., Any]] = meaning_of,
    ) -> None:
        self.space, self.is_full = space, False
        self._effort = Effort(merge, most)
        self._store = Store(self._effort)
        self._grammar = Grammar(space, meaning)
        self._columns = _columns(space, inputs)

    @property
    def tried(self) -> int:
        return self._effort.tried

    @property
    def kept(self) -> int:
        return self._effort.kept

    def __iter__(self) -> Iterator[Found]:
        try:
            for size, term, answers in self._terms():
                yield Found(size, self.values(term.values()), answers)
        except FullError:
            self.is_full = True

    def matching(self, outputs: Sequence[Any]) -> Iterator[Found]:
        """Yield those that give these outputs."""
        wanted = exact(tuple(outputs))
        try:
            for size, term, answers in self._terms():
                if exact(answers) == wanted:
                    yield Found(size, self.values(term.values()), answers)
        except FullError:
            self.is_full = True

    def _terms(self) -> Iterator[Any]:
        context, rows = self._store.view(self._columns, lenient=False)
        bank = self._store.bank(self._grammar.root, context)
        size, most = 0, getattr(self.space.restrictions, "max_size", None)
        while most is None or size <= most:
            before = self._effort.tried
            for term in bank.of_size(size):
                yield size, term, term.answers if rows is None else tuple([term.answers[i] for i in rows])
            if self._effort.tried == before and self._store.is_over():
                return
            size += 1

    def values(self, chosen: Values) -> Values:
        """Return the values of an architecture: what was chosen, and the first values of what changes no answer."""

        def pick(point: ChoicePoint) -> Any:
            return chosen[point.address] if point.address in chosen else first_value(point.domain)

        return self.space.decide(pick).values


def first_value(domain: Any) -> Any:
    return domain.at_unit(0.0) if domain.size == float("inf") else domain.at(0)


def _columns(space: SearchSpace, inputs: Sequence[Any]) -> list[tuple[Any, ...]]:
    names = space.inputs
    if len(names) == 1:
        return [tuple(inputs)]
    return [tuple([example[name] if isinstance(example, Mapping) else example[i] for example in inputs]) for i, name in enumerate(names)]

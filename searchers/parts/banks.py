"""Banks: the terms of a rule that give distinct answers in a context, smallest first.

A context is a set of rows, each with what the inputs of a rule are: on one example, or at one frame of one example. A
term's answers are what it gives on the rows. Of the terms that give equal answers on all rows a bank keeps the first;
since no operation can tell them apart, nothing is lost. What stands at a hole is enumerated in the context that the
terms before it make, and remembered by rule and context: so each body of a scan is tried on just the frames that it
meets. This is observational equivalence, and for bodies lifted interpretation, without its automata.

References:
    Albarghouthi, Gulwani and Kincaid, Recursive program synthesis (2013), section 4: observational equivalence.
    Li, Zhou, Dong, Zhang and Wang, Efficient bottom-up synthesis for programs with local variables (2024): contexts.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from deep_arch.errors import DeepArchError
from deep_arch.grammars.blocks import Block, Hole, Loop, Nonterminal
from deep_arch.grammars.terms import Term
from deep_arch.searchers.parts.answers import Column, Partial
from deep_arch.searchers.parts.bodies import Fold, of_loop
from deep_arch.searchers.parts.columns import FAILURES, joined, picked, put, run_leniently, run_strictly
from deep_arch.searchers.parts.contexts import Context, Contexts, View
from deep_arch.searchers.parts.exact import exact


class FullError(DeepArchError):
    """More terms than are to be kept."""


class Effort:
    """What an enumeration does.

    Attributes:
        merge: whether of terms with equal answers only the first is kept.
        most: how many terms may be kept at once; None for any number.
        tried, kept: how many terms were run, and how many are held now.
    """

    def __init__(self, merge: bool = True, most: int | None = None) -> None:
        self.merge, self.most = merge, most
        self.tried = self.kept = 0


class Store(Contexts):
    """The banks of some contexts."""

    def __init__(self, effort: Effort) -> None:
        super().__init__()
        self.effort, self.kept = effort, 0
        self.folds: dict[Hashable, Fold] = {}
        self._banks: dict[tuple[Nonterminal, Context], Bank] = {}

    def bank(self, of: Nonterminal, context: Context) -> Bank:
        """Return the bank of a rule's terms in a context."""
        bank = self._banks.get((of, context))
        if bank is None:
            bank = self._banks[of, context] = Bank(self, of, context)
        return bank

    def is_over(self) -> bool:
        """Return whether no bank will ever have a term that it has not now."""
        return all(bank.is_over() for bank in self._banks.values()) and all(f.is_over() for f in self.folds.values())

    def keep(self) -> None:
        """Count one more term."""
        if self.effort.kept == self.effort.most:
            raise FullError(f"more than {self.effort.most} terms")
        self.kept += 1
        self.effort.kept += 1

    def fresh(self) -> Store:
        """Return a store without banks, of the same effort."""
        return Store(self.effort)

    def leave(self) -> Store:
        """Return a fresh store, for which this one is given up."""
        self.effort.kept -= self.kept
        return self.fresh()


class Bank:
    """The terms of one rule in one context, those of each size once they are asked for."""

    def __init__(self, store: Store, of: Nonterminal, context: Context) -> None:
        self.of, self.context, self._store = of, context, store
        self._seen: set[Hashable] = set()
        self._terms: list[list[Term]] = [[]]
        self._growing = self._grown(0)

    def of_size(self, size: int) -> Iterable[Term]:
        """Return the terms of a size, which are found while one goes over them."""
        while len(self._terms) <= size:
            for _ in self._stream(len(self._terms) - 1):
                pass
        return self._terms[size] if size < len(self._terms) - 1 else self._stream(size)

    def _stream(self, size: int) -> Iterator[Term]:
        terms, position = self._terms[size], 0
        while True:
            if position < len(terms):
                yield terms[position]
                position += 1
            elif len(self._terms) - 1 > size:
                return
            elif (term := next(self._growing, None)) is not None:
                terms.append(term)
            else:
                self._terms.append([])
                self._growing = self._grown(size + 1)

    def _grown(self, size: int) -> Iterator[Term]:
        """Yield the terms of a size whose answers no earlier one has."""
        seen, merge = self._seen, self._store.effort.merge
        for production in self.of.productions():
            block = production.block
            for columns, arguments in filled(self._store, block, self.context, size - self.of.weight):
                key = exact(columns[0] if block.single else columns) if merge else None
                if merge and key in seen:
                    continue
                seen.add(key)
                answers = columns[0] if block.single else joined(columns)
                if not (isinstance(answers, Partial) and answers.is_empty):
                    self._store.keep()
                    self.of.largest = max(self.of.largest, size)
                    yield Term(answers, production, arguments)

    def is_over(self) -> bool:
        """Return whether all sizes were tried that terms made of those that are known can have."""
        return all(self._could_be(production.block) < len(self._terms) - 1 for production in self.of.productions())

    def _could_be(self, block: Block) -> int:
        return self.of.weight + sum([max(hole.of.largest, hole.of.least) for hole in block.holes])


# --- terms out of a block ---------------------------------------------------------------------------------------------


def filled(
    store: Store, block: Block, context: Context, size: int
) -> Iterator[tuple[tuple[Column, ...], tuple[Term, ...]]]:
    """Yield the outputs of a block with terms in its holes that have a size together, and those terms."""
    holes = block.holes
    if size < 0 or (size and not holes):
        return iter(())
    after = [0]
    for hole in reversed(holes):
        after.insert(0, after[0] + hole.of.least)
    if after[0] > size:
        return iter(())
    env: list[Any] = [*context.columns, *[()] * (block.n_slots - block.n_inputs)]
    return _Filling(store, block, context, env, after).from_hole(0, size)


class _Filling:
    """One way through the terms that may stand in the holes of a block, one hole inside another."""

    def __init__(self, store: Store, block: Block, context: Context, env: list[Any], after: list[int]) -> None:
        self._store, self._block, self._context, self._env, self._after = store, block, context, env, after
        self._n_rows = len(context.position)
        self._chosen: list[Any] = [None] * len(block.holes)
        self._run = run_leniently if context.lenient else run_strictly

    def from_hole(self, index: int, size: int) -> Iterator[tuple[tuple[Column, ...], tuple[Term, ...]]]:
        """Yield what comes of terms in the hole with an index and in those after it, which have a size together."""
        block, env, chosen, n_rows = self._block, self._env, self._chosen, self._n_rows
        effort, run = self._store.effort, self._run
        is_last = index == len(block.holes)
        effort.tried += is_last
        try:
            run(block.segments[index], env, n_rows)
            filler = None if is_last else self._filler(block.holes[index])
        except FAILURES:
            return
        if filler is None:
            yield tuple([env[slot] for slot in block.outputs]), tuple(chosen)
            return
        hole, most = block.holes[index], size - self._after[index + 1]
        for part in range(most if index == len(block.holes) - 1 else hole.of.least, most + 1):
            for column, term in filler(part):
                put(column, hole.outputs, env)
                chosen[index] = term
                yield from self.from_hole(index + 1, size - part)

    def _filler(self, hole: Hole | Loop) -> Callable[[int], Iterator[tuple[Column, Term]]]:
        """Return what gives the terms for a hole of some size, each with its answers on the rows here."""
        if not isinstance(hole, Hole):
            return of_loop(self._store, hole, [self._env[i] for i in hole.inputs], self._context.lenient)
        context, rows = self._view(hole.inputs)
        bank = self._store.bank(hole.of, context)
        if rows is None:
            return lambda size: ((term.answers, term) for term in bank.of_size(size))
        return lambda size: ((picked(term.answers, rows), term) for term in bank.of_size(size))

    def _view(self, inputs: tuple[int, ...]) -> View:
        context, n = self._context, self._block.n_inputs
        if inputs == tuple(range(n)):
            return View(context, None)
        if max(inputs) >= n:
            return self._store.view([self._env[i] for i in inputs], context.lenient)
        if inputs not in context.views:
            context.views[inputs] = self._store.view([context.columns[i] for i in inputs], context.lenient)
        return context.views[inputs]

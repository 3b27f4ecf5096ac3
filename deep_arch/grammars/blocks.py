"""Blocks: straight programs with holes for terms, and the nonterminals whose terms these are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from deep_arch.errors import NotCountable

_MOST_NESTED: Final = 1000
"""Applications of rules after which a rule is taken for one that cannot end."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A function of values in slots, and the slots of what it gives."""

    function: Callable[..., Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Hole:
    """Where a term of a rule stands: the slots of its inputs and outputs, and what its addresses begin with."""

    of: Nonterminal
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    prefix: str


@dataclass(frozen=True, slots=True)
class Loop:
    """Where a scan stands, whose body may have holes; its inputs are states, sequences, and what the body captures."""

    of: Nonterminal
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    carry: int
    n_sequences: int
    reverse: bool
    prefix: str = ""


@dataclass(eq=False)
class Block:
    """A straight program with holes: operations, a hole, operations, ..., operations.

    Attributes:
        n_inputs: the slots of its inputs are the first ones.
        segments: the operations before each hole, and after the last.
        holes: in an order in which their inputs are known.
        outputs: their slots.
        single: whether it gives its only output itself, not in a tuple.
        n_slots: how many there are.
    """

    n_inputs: int
    segments: list[list[Operation]] = field(default_factory=lambda: [[]])
    holes: list[Hole | Loop] = field(default_factory=list["Hole | Loop"])
    outputs: tuple[int, ...] = ()
    single: bool = True
    n_slots: int = 0

    def add(self, step: Operation | Hole | Loop) -> tuple[int, ...]:
        """Append a step and return the slots of what it gives."""
        if isinstance(step, Operation):
            self.segments[-1].append(step)
        else:
            self.holes.append(step)
            self.segments.append([])
        return step.outputs

    def slots(self, n: int) -> tuple[int, ...]:
        """Return so many new slots."""
        self.n_slots += n
        return tuple(range(self.n_slots - n, self.n_slots))


@dataclass(frozen=True, slots=True)
class Production:
    """One alternative of a rule: a block, and the rule's own choices by their addresses within it."""

    block: Block
    values: Mapping[str, Any]


class Nonterminal:
    """A rule at some arguments, a body of a scan, or the whole space: what has terms.

    Attributes:
        name: for messages.
        weight: what it adds to the size of a term: 1 for a rule, else 0.
        largest: the size of the largest term that was kept in any context; -1 for none.
    """

    def __init__(self, name: str, weight: int, productions: Iterator[Production]) -> None:
        self.name, self.weight, self.largest = name, weight, -1
        self._read: list[Production] = []
        self._rest = productions
        self._least: int | None = None
        self._none_within = -1

    def productions(self) -> Iterator[Production]:
        """Yield the productions, which are read once, when they are first needed."""
        position = 0
        while True:
            if position == len(self._read):
                if (production := next(self._rest, None)) is None:
                    return
                self._read.append(production)
            yield self._read[position]
            position += 1

    @property
    def least(self) -> int:
        """The size of its smallest terms.

        Raises:
            NotCountable: it has none.
        """
        for size in range(self._none_within + 1, _MOST_NESTED):
            if (found := self._least_within(size)) is not None:
                return found
        raise NotCountable(
            f"{self.name}: has no term that ends.\n  Got none of up to {_MOST_NESTED:,} applications of rules.\n"
            "  Give the rule an alternative without rules inside."
        )

    def _least_within(self, budget: int) -> int | None:
        if self._least is None and budget > self._none_within:
            found = [size for p in self.productions() if (size := self._least_of(p.block, budget)) is not None]
            self._least = min(found, default=None)
            self._none_within = max(self._none_within, budget)
        return self._least if self._least is not None and self._least <= budget else None

    def _least_of(self, block: Block, budget: int) -> int | None:
        size = self.weight
        for hole in block.holes:
            if size > budget or (part := hole.of._least_within(budget - size)) is None:
                return None
            size += part
        return size if size <= budget else None

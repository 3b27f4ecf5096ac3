"""Blocks: straight programs with holes for terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deep_arch.searchers.parts.productions import Nonterminal


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

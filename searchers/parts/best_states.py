"""States of a relaxed search in which some decisions are fixed, and what comes next of them, best first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deep_arch.searchers.parts.policy import Parameter

Logits = dict[str, dict[str, Parameter]]


@dataclass
class State:
    """A relaxed state, of which some decisions are fixed.

    Attributes:
        number: which one, from 0.
        parent: the state that it goes on from; None for the first.
        left: by address the keys of the alternatives that are left, where it is not all.
        logits: of all decisions, by address and key.
        met: by address the depth, and the keys that were met there, in the order in which they were.
        score: what it is worth, once it has been trained.
    """

    number: int = 0
    parent: int | None = None
    left: dict[str, list[str]] = field(default_factory=dict[str, Any])
    logits: Logits = field(default_factory=dict[str, Any])
    met: dict[str, tuple[int, list[str]]] = field(default_factory=dict[str, Any])
    score: float = -math.inf

    def open(self) -> str | None:
        """Return the address of the first decision of several alternatives, of those that are least deep."""
        several = [(depth, address) for address, (depth, keys) in self.met.items() if len(keys) > 1]
        return min(several, key=lambda each: each[0])[1] if several else None

    def size(self) -> int:
        """Return how many decisions there are, those counted twice that are open."""
        return sum([1 + (len(keys) > 1) for _, keys in self.met.values()])

    def prune(self, keep: int) -> None:
        """Leave the likeliest alternatives of each decision that was met."""
        for address, (_, keys) in self.met.items():
            ranked = sorted(keys, key=lambda key: -self.logits[address][key].value)[:keep]
            self.left[address] = [key for key in keys if key in ranked]

    def fixed(self, address: str, key: str, number: int) -> State:
        """Return the state in which one more decision is fixed, which goes on with these logits."""
        return State(number, self.number, {**self.left, address: [key]}, copied(self.logits))

    def written(self) -> list[Any]:
        """Return all of it as JSON can hold it."""
        logits = {a: {k: p.state() for k, p in found.items()} for a, found in self.logits.items()}
        score = self.score if math.isfinite(self.score) else None
        return [self.number, self.parent, self.left, logits, {a: [d, k] for a, (d, k) in self.met.items()}, score]

    @classmethod
    def read(cls, written: Sequence[Any]) -> State:
        """Return what `written` wrote."""
        number, parent, left, logits, met, score = written
        state = cls(number, parent, {a: [*keys] for a, keys in left.items()})
        state.logits = {a: {k: _restored(numbers) for k, numbers in found.items()} for a, found in logits.items()}
        state.met = {a: (depth, [*keys]) for a, (depth, keys) in met.items()}
        state.score = -math.inf if score is None else score
        return state


@dataclass
class BestStates:
    """The states of a best-first selection.

    Attributes:
        made: how many there were.
        waiting: those that are to be trained, in order.
        frontier: those that were trained, and have decisions to fix.
        best: the best in which none is open.
    """

    made: int = 1
    waiting: list[State] = field(default_factory=list[State])
    frontier: list[State] = field(default_factory=list[State])
    best: State | None = None

    def take(self, state: State) -> None:
        """Take a state that was trained, and leave those that are no better than the best program."""
        if state.open() is not None:
            self.frontier.append(state)
        elif self.best is None or state.score > self.best.score:
            self.best = state
        if self.best is not None:
            self.frontier = [each for each in self.frontier if each.score > self.best.score]

    def next(self) -> State | None:
        """Return the state to train next; None where none promises more."""
        if not self.waiting and self.frontier:
            parent = max(self.frontier, key=lambda state: (state.score, -state.number))
            self.frontier.remove(parent)
            self.waiting = [*self._children(parent)]
        return self.waiting.pop(0) if self.waiting else None

    def needed(self) -> frozenset[int]:
        """Return the numbers of the states that others may go on from, and of the best."""
        parents = [state.parent for state in self.waiting if state.parent is not None]
        best = [] if self.best is None else [self.best.number]
        return frozenset([*parents, *best, *[state.number for state in self.frontier]])

    def _children(self, parent: State) -> Iterator[State]:
        address = parent.open()
        assert address is not None, "a state of the frontier has something open"
        for key in parent.met[address][1]:
            yield parent.fixed(address, key, self.made)
            self.made += 1

    def written(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        best = None if self.best is None else self.best.written()
        waiting, frontier = [[s.written() for s in states] for states in (self.waiting, self.frontier)]
        return {"made": self.made, "waiting": waiting, "frontier": frontier, "best": best}

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> BestStates:
        """Return what `written` wrote."""
        best = None if written["best"] is None else State.read(written["best"])
        waiting, frontier = [[State.read(s) for s in written[name]] for name in ("waiting", "frontier")]
        return cls(written["made"], waiting, frontier, best)


def copied(logits: Logits) -> Logits:
    """Return logits that move by themselves."""
    return {a: {k: _restored(p.state()) for k, p in found.items()} for a, found in logits.items()}


def _restored(numbers: Sequence[Any]) -> Parameter:
    parameter = Parameter()
    parameter.restore(numbers)
    return parameter

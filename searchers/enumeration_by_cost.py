"""Enumeration by cost: every program once, the cheapest first."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from deep_arch.errors import TooDeep
from deep_arch.searchers.parts.decisions import identity
from deep_arch.searchers.parts.prices import Price, Prices
from deep_arch.searchers.parts.replayed import Replayed
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.enumeration import to_decide
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import Values


@dataclass(order=True, slots=True)
class _Entry:
    """A program, or a partial one with the values that its next decision may still take.

    Attributes:
        cost: of the program; of a partial one with the next of these values, what it leads to costs at least.
        size: how many values that has at least.
        left: how many of them are not decided; so that programs are found before all partial ones are looked at.
        number: of what is equal in all this, what came first goes first.
        state: the program.
        point, value: what is decided next, and how; None for a whole program.
        rest: the other values.
    """

    cost: float
    size: int
    left: int
    number: int
    state: Architecture = field(compare=False)
    point: ChoicePoint | None = field(default=None, compare=False)
    value: Any = field(default=None, compare=False)
    rest: Iterator[Any] = field(default=iter(()), compare=False)


class EnumerationByCost(Replayed):
    """Propose every program once, the cheapest first, and then end.

    A program costs what its values cost together. Partial programs are extended in the order of what they lead to costs
    at least, so that little more of an infinite space is looked at than is proposed; of programs that cost the same,
    those of fewer values go first.

    Args:
        price: what each value costs; or a mapping from value, such as the name of a production, to its price, where
            all others cost nothing; or a function of address and value.

    Raises:
        BadArgument: a price below 0.
        NotCountable: when asked, where a real number is to be decided, of which `space.discretize` makes a grid.

    Example:
        >>> import deep_arch as da
        >>> from deep_arch import ops
        >>> from deep_arch.searchers import EnumerationByCost
        >>> @da.rule
        ... def expr():
        ...     parts = {"relu": ops.ReLU, "tanh": ops.Tanh, "sum": lambda x: ops.Add()(expr()(x), expr()(x))}
        ...     return da.or_(parts)
        >>> by_cost = EnumerationByCost(price={"relu": 2, "tanh": 1, "sum": 0.5})
        >>> search = da.search(da.space(lambda x: expr()(x)), by_cost, trials=4)
        >>> for trial in search:
        ...     print(da.text(trial.architecture), by_cost.cost(trial.values))
        ...     trial.tell(0.0)
        tanh 1.0
        relu 2.0
        sum(tanh, tanh) 2.5
        sum(tanh, relu) 3.5

    References:
        Shah et al., Learning differentiable programs with admissible neural heuristics (NeurIPS 2020), section 5: the
        baseline "enumeration".
    """

    def __init__(self, price: Price = 1.0) -> None:
        self.price: Final = price
        self._prices = Prices(self, price)

    def start(self, space: SearchSpace, rng: random.Random) -> None:
        """Begin with nothing decided."""
        super().start(space, rng)
        self._heap: list[_Entry] = []
        self._n_entries = 0
        # Where structure stays open, what counts may depend on the order of decisions.
        self._seen: set[Any] | None = None if space.restrictions.predicate is None else set()
        self._push(space.start())

    def cost(self, values: Values) -> float:
        """Return what a program costs."""
        return self._prices.total(values)

    def following(self) -> Values | None:
        """Return the next program, or None after the last."""
        while self._heap:
            entry = heapq.heappop(self._heap)
            if entry.point is None:
                if self._is_new(entry.state.values):
                    return entry.state.values
                continue
            self._push_next(entry.state, entry.point, entry.rest)
            try:
                self._push(entry.state.assign(entry.point, entry.value))
            except TooDeep:  # a choice that several parts share let one of them end, and another not
                continue
        return None

    def _is_new(self, values: Values) -> bool:
        if self._seen is None:
            return True
        key, n = identity(values), len(self._seen)
        self._seen.add(key)
        return len(self._seen) > n

    def _push(self, state: Architecture) -> None:
        if points := to_decide(state):
            self._push_next(state, points[0], self._prices.cheapest_first(points[0]))
        else:
            self._add(self.cost(state.values), len(state.values), 0, state)

    def _push_next(self, state: Architecture, point: ChoicePoint, rest: Iterator[Any]) -> None:
        """Add the next way to decide, if there is one."""
        prices, certain = self._prices, state.structure
        for value in rest:
            open_points = [p for p in state.unassigned if p.address in certain or not certain]
            others = [prices.least_of(p) for p in open_points if p.address != point.address]
            others += [] if certain else [prices.least] * len(state.waiting)
            known = [prices.of(address, each) for address, each in state.values.items()]
            cost = math.fsum([*known, prices.of(point.address, value), *others])
            self._add(cost, len(known) + 1 + len(others), len(others), state, point, value, rest)
            return

    def _add(self, cost: float, size: int, left: int, *what: Any) -> None:
        heapq.heappush(self._heap, _Entry(cost, size, left, self._n_entries, *what))
        self._n_entries += 1

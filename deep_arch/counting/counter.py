"""Counting: the number of architectures of a space, exactly, and the one with a number, or one drawn uniformly.

`tabulating` makes the tables, which say in how many ways each part can be unfolded; the walk here goes through these
ways from the number of an architecture to its values.
"""

from __future__ import annotations

import itertools
import math
import random
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from deep_arch.counting.counts import Number, all_sizes, of_size, times
from deep_arch.counting.factors import ANY, TooLarge
from deep_arch.counting.structures import set_bits
from deep_arch.counting.tabulating import Tabulator
from deep_arch.counting.tickets import Draw, Ticket
from deep_arch.counting.ways import Applied, Chosen, Endless, Inside, Product, Sum, Variable, Ways
from deep_arch.errors import NotCountable
from deep_arch.language.dependence import domain_at
from deep_arch.language.program import Program
from deep_arch.spaces.alternatives import listed_names
from deep_arch.spaces.place import Place
from deep_arch.spaces.restrictions import Restrictions


class Counter:
    """Counts the architectures of a program within restrictions, and draws from them."""

    def __init__(self, program: Program, restrictions: Restrictions) -> None:
        self._program, self._restrictions = program, restrictions
        self._top: Ways | None = None
        self._lock = threading.RLock()

    def size(self) -> Number:
        """Return the number of architectures."""
        with self._lock:
            try:
                return all_sizes(self._ways().count)
            except Endless:
                return math.inf

    def draw(self, rng: random.Random) -> dict[str, Any]:
        """Return the values of an architecture, each architecture equally likely.

        Raises:
            NotCountable: there are infinitely many, or none.
        """
        if (total := self.size()) in (0, math.inf):
            raise NotCountable(
                f"{self._program.name}: drawing uniformly over the architectures needs a finite space that is not "
                f"empty.\n"
                f"  Got a space of {total} architectures.\n"
                "  Limit recursion with space.limit(max_depth=...), turn real numbers into a grid with "
                "space.discretize(levels=...), or draw uniformly over the choices."
            )
        return self._walk(Draw(rng))

    def at(self, index: int) -> dict[str, Any]:
        """Return the values of the architecture number `index`, from 0 to `size()` - 1."""
        self.size()
        return self._walk(Ticket(index))

    def _walk(self, ticket: Draw) -> dict[str, Any]:
        """Return the values of the architecture that the ticket leads to, from the top of the ways down."""
        values: dict[str, Any] = {}
        positions: dict[str | None, int] = {}
        top = self._ways()
        size = ticket.pick([(n, of_size(top.count, n)) for n in range(1 + (self._restrictions.max_size or 0))])
        todo: list[_Task] = [(top, Place(self._program.root, "", None), size)]
        waiting: list[_Task] = []
        while todo:
            ways, place, size = todo.pop()
            if isinstance(ways, Product):
                todo += [(part, place, n) for part, n in _divided(ways, size, ticket)]
            elif isinstance(ways, Sum):
                options = [(option, of_size(option.count, size)) for option in ways.options]
                todo.append((ticket.pick(options), place, size))
            elif isinstance(ways, Applied):
                todo.append((ways.inside, place, size - 1))
            elif not all(address in positions for address in _decisive(ways, place)):
                waiting.append((ways, place, size))  # what decides this stands in another factor, and comes later
            elif isinstance(ways, Inside):
                fragment, inner = ways.found[tuple([positions[address] for address in _decisive(ways, place)])]
                todo.append((inner, place.inside(ways.call, fragment), size))
            else:
                assert isinstance(ways, Chosen), "ways are of five kinds"
                self._choose(ways, place, ticket, values, positions)
            if not todo:
                todo, waiting = waiting, []
        return values

    def _choose(
        self, chosen: Chosen, place: Place, ticket: Draw, values: dict[str, Any], positions: dict[str | None, int]
    ) -> None:
        """Choose a value of a hyperparameter, each one as likely, also on a log scale."""
        address = f"{place.prefix}{chosen.variable.path}"
        known = {v.hyperparameter: values[at] for v in chosen.variable.leading if (at := v.address(place)) is not None}
        whole = domain_at(chosen.variable.hyperparameter, known)
        if self._restrictions.fixes(address, whole):
            values[address], positions[address] = self._restrictions.fixed[address], ANY
            return
        domain = self._restrictions.narrowed(chosen.variable.hyperparameter, whole, address)
        position = ticket.below(int(of_size(chosen.count, 0)))  # which applies no rule
        if chosen.mask != ANY:
            position = next(itertools.islice(set_bits(chosen.mask), position, None))
        values[address], positions[address] = domain.at(position), position

    def _ways(self) -> Ways:
        if self._top is None:
            try:
                self._top = Tabulator(self._program, self._restrictions).ways()
            except TooLarge as error:
                raise self._too_large(error.variables) from error
        return self._top

    def _too_large(self, variables: Sequence[Variable]) -> NotCountable:
        shown = listed_names([variable.hyperparameter for variable in variables])
        return NotCountable(
            f"{self._program.name}: too many hyperparameters decide together what there is to decide, so they would "
            f"be counted combination by combination.\n  Got {shown}.\n"
            "  Make hyperparameters inside the function that uses them, fix some with space.fix, or draw uniformly "
            "over the choices, which needs no counting."
        )


_Task = tuple[Ways, Place, int]
"""Ways that are to be decided, where, and how many rules they apply."""


def _divided(ways: Product, size: int, ticket: Draw) -> Iterator[tuple[Ways, int]]:
    """Yield the parts of a product, the last first, with how many rules each applies."""
    if ways.parts:
        first, last = ways.parts
        divisions = [(n, times(of_size(first.count, n), of_size(last.count, size - n))) for n in range(size + 1)]
        n = ticket.pick([(n, all_sizes(count)) for n, count in divisions])
        yield last, size - n
        yield first, n


def _decisive(ways: Ways, place: Place) -> list[str | None]:
    """Return the addresses of what has to be decided before some ways can be told apart."""
    if isinstance(ways, Chosen):
        return [variable.address(place) for variable in ways.variable.leading]
    return [place.address_of(h) for h in ways.decisive] if isinstance(ways, Inside) else []

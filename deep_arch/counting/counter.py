"""Counting: the number of architectures of a space, exactly, and the one with a number, or one drawn uniformly.

`tabulating` makes the tables, which say in how many ways each part can be unfolded; the walk here goes back through
them from the number of an architecture to its values.
"""

from __future__ import annotations

import math
import random
import threading
from typing import Any

from deep_arch.counting.tables import ANY, Count, Endless, Table, Variable, sum_counts
from deep_arch.counting.tabulating import Tabulator
from deep_arch.counting.tickets import Draw, Ticket
from deep_arch.errors import NotCountable
from deep_arch.language.program import Program
from deep_arch.spaces.place import Place
from deep_arch.spaces.restrictions import Restrictions


class Counter:
    """Counts the architectures of a program within restrictions, and draws from them."""

    def __init__(self, program: Program, restrictions: Restrictions) -> None:
        self._program, self._restrictions = program, restrictions
        self._top: Table | None = None
        self._lock = threading.RLock()

    def size(self) -> Count:
        """Return the number of architectures."""
        with self._lock:
            try:
                return sum_counts(self._table().rows.values())
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
        """Return the values of the architecture that the ticket leads to, going back through the tables."""
        values: dict[str, Any] = {}
        top = self._table()
        todo = [(top, ticket.pick(list(top.rows.items())), Place(self._program.root, "", None))]
        while todo:
            table, row, place = todo.pop()
            for stage, call in zip(reversed(table.stages), reversed(table.calls), strict=True):
                origins = stage[row]
                row, part, summed, _ = ticket.pick([(origin, origin[3]) for origin in origins])
                for variable, value in summed:
                    address = f"{place.prefix}{variable.path}"
                    values[address] = self._value(variable, value, address, ticket)
                if part is None or part.table is None or part.row is None or call is None:
                    continue
                if call.home == 0:  # what stands in a module from further out is summed over there
                    todo.append((part.table, part.row, place.inside(call, part.table.place.fragment)))
        return values

    def _value(self, variable: Variable, value: int, address: str, ticket: Draw) -> Any:
        domain = self._restrictions.narrowed(variable.hyperparameter.domain)
        if address in self._restrictions.fixed:
            return self._restrictions.fixed[address]
        if value == ANY:
            return domain.at(ticket.below(int(domain.size)))  # each counts the same, also on a log scale
        return next(v for i, v in enumerate(domain.values()) if i == value)

    def _table(self) -> Table:
        if self._top is None:
            self._top = Tabulator(self._program, self._restrictions).table()
        return self._top

"""Copies: the tables of the first few of some copies one after another."""

from __future__ import annotations

from collections.abc import Callable

from deep_arch.counting.effects import Part
from deep_arch.counting.factors import UNIT, Budget, Gated, Term, add, gated, multiply
from deep_arch.counting.structures import Rows, Structure, Structures
from deep_arch.counting.variables import Exposed
from deep_arch.language.fragment import Call
from deep_arch.language.values import Reference
from deep_arch.spaces.liveness import Ports
from deep_arch.spaces.place import Place
from deep_arch.spaces.trampoline import Recursive

PartsOf = Callable[[Place, Call, int, Exposed], Recursive[list[Part]]]
"""Gives the ways to unfold a call of which the outputs with some numbers are wanted."""


class Copies:
    """The tables of the first n of some copies one after another, each made from that of one fewer."""

    def __init__(
        self, place: Place, exposed: Exposed, structures: Structures, parts_of: PartsOf, budget: Budget
    ) -> None:
        self._place, self._exposed = place, exposed
        self._structures, self._parts_of, self._budget = structures, parts_of, budget
        self._known: dict[tuple[int, int], Rows] = {}

    def first(self, n: int, ports: Ports) -> Recursive[Rows]:
        """Return the table of the first `n` copies, of which some outputs are wanted."""
        fragment = self._place.fragment
        several = fragment.n_inputs > 1
        wanted = range(fragment.n_inputs) if None in ports else [port for port in ports if port is not None]
        if n == 0:
            outputs = [Reference(0, i) for i in wanted]
        else:
            outputs = [Reference(0, fragment.calls[n - 1].index, i if several else None) for i in wanted]
        return self._first(n, self._structures.asked(fragment, outputs).wanted)

    def _first(self, n: int, wanted: int) -> Recursive[Rows]:
        if not n or not wanted:
            return {Structure(wanted, frozenset()): UNIT}
        if (n, wanted) not in self._known:
            budget, call = self._budget, self._place.fragment.calls[n - 1]
            parts: list[Part] = yield self._parts_of(self._place, call, wanted, self._exposed)
            together: dict[Structure, list[Gated]] = {}
            for part in parts:
                together.setdefault(part.structure, []).append(part.gated)
            found: dict[Structure, list[Term]] = {}
            for structure, some in together.items():
                term = gated(some, budget)
                before: Rows = yield self._first(n - 1, structure.wanted)
                for (rest, captured), others in before.items():
                    both = Structure(rest, captured | structure.captured)
                    found.setdefault(both, []).append(multiply(others, term, budget))
            self._known[n, wanted] = {structure: add(terms, budget) for structure, terms in found.items()}
        return self._known[n, wanted]

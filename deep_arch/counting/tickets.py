"""Tickets: what leads from a number, or from chance, through weighted options to one architecture."""

from __future__ import annotations

import random
from typing import Any

from deep_arch.counting.counts import Number


class Draw:
    """Leads to an architecture drawn at random: each pick is drawn anew."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def below(self, total: int) -> int:
        """Return a number below `total`."""
        return self._rng.randrange(total)

    def give_back(self, rest: int, weight: int) -> None:
        """Take back what is left of a number after a pick: `rest`, below `weight`, tells apart what follows from it."""

    def pick(self, options: list[tuple[Any, Number]]) -> Any:
        """Return one of some weighted options."""
        if len(options) == 1:
            return options[0][0]
        place = self.below(sum([int(weight) for _, weight in options]))
        for option, weight in options:
            if place < weight:
                self.give_back(place, int(weight))
                return option
            place -= int(weight)
        raise AssertionError("a ticket is below the sum of the weights")


class Ticket(Draw):
    """Leads to the architecture with a number, which the picks use up: no two numbers lead to the same one."""

    def __init__(self, index: int) -> None:
        self._index = index

    def below(self, total: int) -> int:
        """Return the part of the number that is below `total`, and keep the rest."""
        self._index, place = divmod(self._index, total)
        return place

    def give_back(self, rest: int, weight: int) -> None:
        """Join what is left to the number."""
        self._index = self._index * weight + rest

"""Prices: what the values of a program cost, and the programs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from deep_arch.errors import is_kind
from deep_arch.searchers.parts.checks import check_number
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.studies.searcher import Values

Price = float | Mapping[Any, float] | Callable[[str, Any], float]
"""Of each value; or by value, such as the name of a production, where others cost nothing; or of address and value."""


class Prices:
    """What values cost, never less than nothing.

    Args:
        searcher: whose argument `price` is, for errors.
        price: of values.

    Raises:
        BadArgument: a price that is no finite number of at least 0; of a function, when it is called.
    """

    def __init__(self, searcher: object, price: Price) -> None:
        self._searcher: Final = searcher
        self._price: Final = price
        if is_kind(price, Mapping):
            check_number(searcher, 0, **{f"price[{value!r}]": each for value, each in price.items()})
        elif not callable(price):
            check_number(searcher, 0, price=price)

    def of(self, address: str, value: Any) -> float:
        """Return what a value costs."""
        price = self._price
        if callable(price):
            found = price(address, value)
            check_number(self._searcher, 0, **{f"price({address!r}, {value!r})": found})
            return float(found)
        if not is_kind(price, Mapping):
            return float(price)
        try:
            return float(price.get(value, 0.0))
        except TypeError:  # an option such as a list
            return 0.0

    def total(self, values: Values) -> float:
        """Return what a program, or the decided part of one, costs; the same in whatever order it was decided."""
        return math.fsum([self.of(address, value) for address, value in values.items()])

    def cheapest_first(self, point: ChoicePoint) -> Iterator[Any]:
        """Yield the values of what waits for one; of those that cost the same in the order of the domain."""
        dear: list[tuple[float, Any]] = []
        for value in point.domain.values():
            if (price := self.of(point.address, value)) <= self.least:
                yield value
            else:
                dear.append((price, value))
        yield from [value for _, value in sorted(dear, key=lambda pair: pair[0])]

    @property
    def least(self) -> float:
        """What any value costs at least."""
        return 0.0 if callable(self._price) or is_kind(self._price, Mapping) else float(self._price)

    def least_of(self, point: ChoicePoint) -> float:
        """Return what the values of what waits for one cost at least."""
        price = self._price
        if is_kind(price, Mapping) and point.domain.size > len(price):
            return self.least
        return self.of(point.address, next(self.cheapest_first(point)))

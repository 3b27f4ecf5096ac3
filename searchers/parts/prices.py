"""Prices: what the values of a program cost, and the programs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

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
        self._by_value: dict[Any, float] = {}
        self._function: Callable[[str, Any], float] | None = None
        self._each: float | None = None
        if isinstance(price, Mapping):
            check_number(searcher, 0, **{f"price[{value!r}]": each for value, each in price.items()})
            self._by_value = {value: float(each) for value, each in price.items()}
        elif callable(price):
            self._function = price
        else:
            check_number(searcher, 0, price=price)
            self._each = float(price)

    def of(self, address: str, value: Any) -> float:
        """Return what a value costs."""
        if self._each is not None:
            return self._each
        if self._function is not None:
            found = self._function(address, value)
            check_number(self._searcher, 0, **{f"price({address!r}, {value!r})": found})
            return float(found)
        try:
            return self._by_value.get(value, 0.0)
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
        return self._each or 0.0

    def least_of(self, point: ChoicePoint) -> float:
        """Return what the values of what waits for one cost at least."""
        if self._each is not None or (self._function is None and point.domain.size > len(self._by_value)):
            return self.least
        return self.of(point.address, next(self.cheapest_first(point)))

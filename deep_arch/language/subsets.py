"""Subsets: domains whose values are tuples of several options, in an order or in none."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from deep_arch.errors import InvalidDomain
from deep_arch.language.domains import REJECTED, Domain
from deep_arch.language.foreign import plain
from deep_arch.language.options import Options, listed

_FEW: Final = 1000
"""Exchanges of one member that are still listed to draw one of them."""


class Subset(Domain):
    """Tuples of `length` of the options: distinct or not, in the drawn order or in the options' own."""

    __slots__ = ("_options", "distinct", "length", "options", "ordered")
    word = "subset"

    def __init__(self, options: Iterable[Any], length: int, distinct: bool = True, ordered: bool = False) -> None:
        self._options = Options(options, "subset")
        self.options = self._options.items
        length, distinct, ordered = plain(length), plain(distinct), plain(ordered)
        if type(length) is not int or length < 0 or (distinct and length > len(self.options)):
            raise InvalidDomain(
                f"subset: size must be an int from 0 to the number of options, {len(self.options)}.\n"
                f"  Got {length!r}.\n  Lower it, or allow repeats with distinct=False."
            )
        self.length, self.distinct, self.ordered = length, distinct, ordered

    @property
    def size(self) -> int:
        n, k = len(self.options), self.length
        if self.ordered:
            return math.perm(n, k) if self.distinct else n**k
        return _combinations(n, k, self.distinct)

    def draw(self, rng: random.Random) -> tuple[Any, ...]:
        n, k = len(self.options), self.length
        if self.distinct:
            positions = rng.sample(range(n), k)
        elif self.ordered:
            positions = [int(rng.random() * n) for _ in range(k)]
        else:  # stars and bars: a multiset is a distinct subset of a longer range, less its own places
            positions = [p - i for i, p in enumerate(sorted(rng.sample(range(n + k - 1), k)))]
        return self.at_positions(positions)

    def at_positions(self, positions: Sequence[int]) -> tuple[Any, ...]:
        """Return the value whose members stand at these positions, in their order or in the options' own."""
        return tuple([self.options[p] for p in (positions if self.ordered else sorted(positions))])

    def accept(self, value: Any) -> Any:
        members = value.tolist() if hasattr(value.__class__, "tolist") else value  # of an array
        if not isinstance(members, list | tuple) or len(members) != self.length:  # pyright: ignore[reportUnknownArgumentType]
            return REJECTED
        return self._from([self._options.closest(v) for v in members])  # pyright: ignore[reportUnknownVariableType]

    def _from(self, found: list[int | None]) -> Any:
        positions = [p for p in found if p is not None]
        if len(positions) < len(found) or (self.distinct and len(set(positions)) < len(positions)):
            return REJECTED
        return self.at_positions(positions)

    def values(self) -> Iterator[tuple[Any, ...]]:
        places = range(len(self.options))
        if self.distinct:
            drawn = itertools.permutations(places, self.length) if self.ordered else None
            return map(self.at_positions, drawn or itertools.combinations(places, self.length))
        if self.ordered:
            return map(self.at_positions, itertools.product(places, repeat=self.length))
        return map(self.at_positions, itertools.combinations_with_replacement(places, self.length))

    def at(self, position: int) -> tuple[Any, ...]:
        places = list(range(len(self.options)))
        positions: list[int] = []
        for left in range(self.length - 1, -1, -1):
            n_places = len(places) - self.distinct
            if self.ordered:
                i, position = divmod(position, math.perm(n_places, left) if self.distinct else n_places**left)
                positions.append(places.pop(i) if self.distinct else places[i])
                continue
            # In the options' own order, what comes before a member cannot follow it.
            while position >= (ways := _combinations(len(places) - self.distinct, left, self.distinct)):
                position -= ways
                del places[0]
            positions.append(places[0])
            del places[: int(self.distinct)]
        return self.at_positions(positions)

    def neighbours(self, value: Any) -> Iterator[tuple[Any, ...]]:
        """Yield the tuples with one member exchanged for another option, or, if ordered, with its neighbour."""
        positions = [self._options.find(v) for v in value]
        seen = {self.positions(value)}
        others = range(0 if self.distinct and self.length == len(self.options) else len(self.options))
        for i in range(self.length):
            for p in others:
                other = self._from([*positions[:i], p, *positions[i + 1 :]])
                if other is not REJECTED and self.positions(other) not in seen:
                    seen.add(self.positions(other))
                    yield other
        if self.ordered and self.distinct:
            yield from _exchanges(value)

    def neighbour(self, value: Any, rng: random.Random) -> Any:
        n, k = len(self.options), self.length
        n_exchanges = k - 1 if self.ordered and self.distinct else 0
        n_others = k * (n - (k if self.distinct else 1))
        if n_others <= _FEW:
            return super().neighbour(value, rng)
        if rng.random() * (n_others + n_exchanges) < n_exchanges:
            return rng.choice(list(_exchanges(value)))
        positions = [p for p in self.positions(value) if p is not None]
        i, p = rng.randrange(k), rng.randrange(n)
        while p in positions if self.distinct else p == positions[i]:
            p = rng.randrange(n)
        return self.at_positions([*positions[:i], p, *positions[i + 1 :]])

    def positions(self, value: Sequence[Any]) -> tuple[int | None, ...]:
        """Return the positions of a value's members among the options."""
        return tuple([self._options.find(v) for v in value])

    def encode(self, value: Any) -> Any:
        return [self._options.encode(p) for p in self.positions(value) if p is not None]

    def decode(self, written: Any) -> Any:
        if not isinstance(written, list) or len(written) != self.length:  # pyright: ignore[reportUnknownArgumentType]
            return REJECTED
        return self._from([self._options.decode(w) for w in written])  # pyright: ignore[reportUnknownVariableType]

    @classmethod
    def worded(cls, *arguments: str) -> str:
        options, size, distinct, ordered = arguments
        how = _if(distinct, "", ", repeats allowed") + _if(ordered, ", in order", "")
        return f"{size} of {options}{how}"

    def __str__(self) -> str:
        return self.worded(listed(self.options), *map(str, (self.length, self.distinct, self.ordered)))


def _if(flag: str, yes: str, no: str) -> str:
    return {"True": yes, "False": no}.get(flag, f"{yes or no} {'if' if yes else 'unless'} {flag}")


def _exchanges(value: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield a tuple with each two neighbouring members exchanged."""
    for i in range(len(value) - 1):
        yield (*value[:i], value[i + 1], value[i], *value[i + 2 :])


def _combinations(n: int, k: int, distinct: bool) -> int:
    """Return in how many ways `k` of `n` options can be taken when their order does not count."""
    return math.comb(n, k) if distinct else math.comb(max(n + k - 1, 0), k)


class Permutation(Subset):
    """The orders of all the options, as tuples."""

    __slots__ = ()
    word = "permutation"

    def __init__(self, options: Iterable[Any]) -> None:
        options = tuple(options)
        super().__init__(options, len(options), distinct=True, ordered=True)

    def neighbours(self, value: Any) -> Iterator[tuple[Any, ...]]:
        """Yield the orders with two neighbouring members exchanged."""
        return _exchanges(value)

    @classmethod
    def worded(cls, *arguments: str) -> str:
        return f"an order of {arguments[0]}"

    def __str__(self) -> str:
        return self.worded(listed(self.options))

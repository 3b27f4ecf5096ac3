"""Structures: which values of a fragment, and of those around it, something depends on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from deep_arch.counting.factors import Term
from deep_arch.language.fragment import Fragment
from deep_arch.language.values import Reference
from deep_arch.spaces.liveness import Ports

Captured = tuple[Fragment, int, int | None]
"""A value of an enclosing function, by index and port."""


class Structure(NamedTuple):
    """What a row of a table depends on.

    Attributes:
        wanted: values of the fragment, as a mask of their numbers.
        captured: values of enclosing functions.
    """

    wanted: int
    captured: frozenset[Captured]


Rows = dict[Structure, Term]
"""A table: in how many ways a fragment can be unfolded, apart for each structure."""


class Structures:
    """Makes structures, in which the values of each fragment have numbers."""

    def __init__(self) -> None:
        self._numbers: dict[Fragment, Numbers] = {}

    def numbers(self, fragment: Fragment) -> Numbers:
        """Return the numbers of a fragment's values."""
        return self._numbers.get(fragment) or self._numbers.setdefault(fragment, Numbers(fragment))

    def asked(self, fragment: Fragment, references: Iterable[Reference]) -> Structure:
        """Return what wants these values of a fragment and of those around it."""
        numbers = self.numbers(fragment)
        wanted, captured = 0, set[Captured]()
        for levels, index, port in references:
            if levels == 0:
                wanted |= 1 << numbers.of(index, port)
            else:
                captured.add((fragment.owner_at(levels), index, port))
        return Structure(wanted, frozenset(captured))


class Numbers:
    """The numbers of a fragment's values: their index, and further ones for those of several outputs."""

    def __init__(self, fragment: Fragment) -> None:
        self._next = fragment.n_slots
        self._of_index: dict[int, dict[int | None, int]] = {}

    def of(self, index: int, port: int | None) -> int:
        """Return the number of a value."""
        if port is None:
            return index
        ports = self._of_index.setdefault(index, {})
        if port not in ports:
            ports[port], self._next = self._next, self._next + 1
        return ports[port]

    def of_call(self, index: int) -> int:
        """Return the numbers of what a call gives, as a mask."""
        mask = 1 << index
        for number in self._of_index.get(index, {}).values():
            mask |= 1 << number
        return mask

    def ports(self, index: int, wanted: int) -> Ports:
        """Return which outputs of a call are among some values."""
        found: list[int | None] = [None] if wanted >> index & 1 else []
        several = self._of_index.get(index, {})
        return (
            *found,
            *sorted([port for port, number in several.items() if port is not None and wanted >> number & 1]),
        )


def set_bits(mask: int) -> Iterator[int]:
    """Yield the numbers of the bits that are set."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest

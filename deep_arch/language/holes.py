"""Holes: an alternative for what is not decided yet, which no program of the space has.

A hole is a value that a choice accepts and never offers: it is not listed, counted, drawn or searched. So a partial
program becomes an architecture like any other once its open choices are at their holes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from deep_arch.language.domains import REJECTED, Choice, Domain

HOLE: Final = "hole"
"""The value of a choice that is at its hole; addresses inside begin with `or[hole]/`."""


class Holed(Choice):
    """One of several options, beside which a hole is accepted."""

    __slots__ = ()

    def accept(self, value: Any) -> Any:
        return HOLE if is_hole(self, value) else super().accept(value)

    def part(self, options: Sequence[Any]) -> Choice:
        return Holed(options)

    def decode(self, written: Any) -> Any:
        return HOLE if is_hole(self, written) else super().decode(written)


def is_hole(domain: Domain, value: object) -> bool:
    """Return whether a value is the hole of a choice with this domain."""
    return value.__class__ is str and value == HOLE and isinstance(domain, Holed)


def may_have_hole(values: Iterable[object]) -> bool:
    """Return whether some value may be a hole; if not, none is, and nobody needs to look at domains."""
    return any(value.__class__ is str and value == HOLE for value in values)


def without_hole(domain: Domain, value: Any) -> Any:
    """Return the domain's own value equal to `value`, as `Domain.accept` does; a hole is none."""
    return REJECTED if is_hole(domain, value) else domain.accept(value)

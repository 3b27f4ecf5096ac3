"""Decisions: every domain as picks from simple ones, so that an algorithm need only know options and numbers.

A tuple of options, from `da.subset` or `da.permutation`, is picked member by member: the first among all options, the
next among those that are left, as Fisher and Yates shuffle.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeGuard, TypeVar

from deep_arch.language.domains import Choice, Domain
from deep_arch.language.subsets import Subset
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.studies.searcher import Values

Known = TypeVar("Known")

Pick = Callable[[str, Domain], Any]
"""From what is added to the address, and a `Choice` or `Numeric` domain, to a value of that domain."""

Decision = tuple[str, Domain, Any]
"""An address, a simple domain, and the value that was picked."""


def composed(point: ChoicePoint, pick: Pick) -> Any:
    """Return a value of a hyperparameter that is made of picks from simple domains.

    Args:
        point: the hyperparameter; the members of a tuple get `address[0]`, `address[1]`, ...
        pick: called with an address and a `Choice` or `Numeric` domain; returns a value of it.
    """
    domain, address = point.domain, point.address
    if not _has_members(domain):
        return pick(address, domain)
    return domain.at_positions(_members(domain, address, lambda name, left: pick(name, _positions(len(left)))))


def decisions(domain: Domain, address: str, value: Any) -> Iterator[Decision]:
    """Yield the picks of which `composed` makes `value`."""
    if not _has_members(domain):
        yield address, domain, value
        return
    members = iter(domain.positions(value))
    picked: list[Decision] = []

    def pick(name: str, left: list[int]) -> int:
        place = left.index(next(members) or 0)
        picked.append((name, _positions(len(left)), place))
        return place

    _members(domain, address, pick)
    yield from picked


def _has_members(domain: Domain) -> TypeGuard[Subset]:
    # Domains are abstract classes, which are slow to tell what is none of theirs, so the usual case comes first.
    return not isinstance(domain, Choice) and isinstance(domain, Subset)


def _members(domain: Subset, address: str, pick: Callable[[str, list[int]], int]) -> list[int]:
    left, members = list(range(len(domain.options))), list[int]()
    for i in range(domain.length):
        place = pick(f"{address}[{i}]", left)
        members.append(left[place])
        if domain.distinct:
            left[place] = left[-1]  # so that only the last option changes its place
            left.pop()
    return members


@functools.lru_cache(maxsize=1024)
def _positions(n: int) -> Choice:
    return Choice(range(n))


MOST_OUT: Final = 1000
"""How many proposals without a result are remembered, so that those that are never told take no memory."""


def remember(out: dict[Any, Known], values: Values, known: Known) -> None:
    """Keep what is known of a proposal by its identity until its result comes."""
    key = identity(values)
    out.pop(key, None)  # so that what is proposed again becomes the newest
    out[key] = known
    if len(out) > MOST_OUT:
        del out[next(iter(out))]


def identity(values: Values) -> Any:
    """Return what can be hashed and is equal for equal values, to know a proposal again when its result comes."""
    try:
        return frozenset([(address, value.__class__, value) for address, value in values.items()])
    except TypeError:  # an option such as a list
        return frozenset([(address, repr(value)) for address, value in values.items()])

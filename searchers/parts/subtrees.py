"""Operators on programs of a grammar: what stands below one application of a rule is exchanged, or drawn anew."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

from deep_arch.errors import TooDeep
from deep_arch.programs.applications import Application, reached
from deep_arch.searchers.parts.decisions import identity
from deep_arch.searchers.parts.mutation import cross_branches, mutate_each
from deep_arch.spaces.place import below
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import Values

_ATTEMPTS: Final = 10
"""After so many subtrees that do not fit, or change nothing, operators for all spaces take over."""


def cross_subtrees(space: SearchSpace, first: Values, second: Values, rng: random.Random) -> Values:
    """Put a subtree of the second parent, from anywhere in it, in place of one of the same type in the first.

    The crossover of genetic programming: an application of a rule takes what stands below another application of that
    rule, to the same arguments. Each application of the first parent is as likely, and each subtree that fits there:
    within the limits of the space, and other than what it replaces. Where a space has no rules, and for what is decided
    outside of them, `cross_branches` does it. Programs grow by this, so give the space a `limit`.

    References:
        Koza, Genetic programming (1992). Montana, Strongly typed genetic programming (1995), for the types.
    """
    if not space.program.rules:
        return cross_branches(space, first, second, rng)
    mine, theirs = _Program(space, first), _Program(space, second)
    sources: dict[Any, list[Application]] = {}
    for application in theirs.movable:
        sources.setdefault(application.type, []).append(application)
    places = [application for application in mine.movable if application.type in sources]
    if places and not _outside(first, mine.movable, rng):
        for _ in range(_ATTEMPTS):
            place = rng.choice(places)
            given = _fitting(space, mine, place, theirs, sources[place.type], rng)
            if given is None:
                continue
            child = _completed(space, {**mine.around(place), **given}, rng)
            if child is not None and identity(_inside(child, place)) == identity(given):
                return child  # else `fix`, `where` or `without` hold at that place
    return cross_branches(space, first, second, rng)


def mutate_subtree(space: SearchSpace, values: Values, rng: random.Random) -> Values:
    """Draw what stands below one application of a rule anew, each as likely.

    Where a space has no rules, and for what is decided outside of them, `mutate_each` does it.

    References:
        Koza, Genetic programming (1992).
    """
    if not space.program.rules:
        return mutate_each(space, values, rng)
    program = _Program(space, values)
    if program.applications and not _outside(values, program.applications, rng):
        before = identity(values)
        for _ in range(_ATTEMPTS):
            child = _completed(space, program.around(rng.choice(program.applications)), rng)
            if child is not None and identity(child) != before:
                return child
    return mutate_each(space, values, rng)


class _Program:
    """Values with the applications of rules that they lead to."""

    def __init__(self, space: SearchSpace, values: Values) -> None:
        self.values = values
        self.applications, self.movable = reached(space.program, values)

    def around(self, place: Application) -> dict[str, Any]:
        """Return the values that do not stand below an application."""
        return {address: value for address, value in self.values.items() if not below(address, place.address)}

    def within(self, place: Application) -> list[Application]:
        """Return the applications at and below one."""
        return [each for each in self.applications if below(each.address, place.address)]


def _fitting(
    space: SearchSpace,
    program: _Program,
    place: Application,
    other: _Program,
    sources: Sequence[Application],
    rng: random.Random,
) -> dict[str, Any] | None:
    """Return the values at a place that a subtree of another program gives it, which fits there and differs."""
    known = identity(_inside(program.values, place))
    for source in rng.sample(sources, len(sources)):
        if _fits(space, program, place, other, source):
            n, inside = len(source.address), _inside(other.values, source)
            given = {place.address + address[n:]: value for address, value in inside.items()}
            if given and identity(given) != known:
                return given
    return None


def _fits(space: SearchSpace, program: _Program, place: Application, other: _Program, source: Application) -> bool:
    """Return whether a subtree of another program has room at a place."""
    depth, size = space.restrictions.max_depth, space.restrictions.max_size
    if depth is None and size is None:
        return True
    moved = other.within(source)
    if depth is not None and place.depth + max([each.depth for each in moved]) - source.depth > depth:
        return False
    left = len(program.applications) - len(program.within(place))
    return size is None or left + len(moved) <= size


def _inside(values: Values, place: Application) -> dict[str, Any]:
    return {address: value for address, value in values.items() if below(address, place.address)}


def _outside(values: Values, places: Sequence[Application], rng: random.Random) -> bool:
    """Return whether to change what stands at none of these places: each value there is as likely as each place."""
    n = sum([not any(below(address, place.address) for place in places) for address in values])
    return rng.random() * (n + len(places)) < n


def _completed(space: SearchSpace, values: Mapping[str, Any], rng: random.Random) -> Values | None:
    try:
        return space.complete(values, rng).values
    except TooDeep:
        return None

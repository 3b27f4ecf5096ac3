"""Mutation and crossover: operators on values, which evolution, local search and candidate pools share.

They work by address, on conditional and recursive spaces too: what stays valid is kept, what is newly reached is
drawn, so whatever an operator asks for, an architecture of the space comes out. An operator is a function; write
another, which returns all values of an architecture as `space.complete` makes them, and pass it to a searcher.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from deep_arch.errors import TooDeep, is_kind, wrong_kind
from deep_arch.language.domains import Domain, Numeric
from deep_arch.searchers.parts.decisions import identity
from deep_arch.spaces.place import below
from deep_arch.spaces.space import SearchSpace
from deep_arch.studies.searcher import Values

Mutation = Callable[[SearchSpace, Values, random.Random], Values]
Crossover = Callable[[SearchSpace, Values, Values, random.Random], Values]

_ATTEMPTS: Final = 10
"""After so many completions that no recursion ends in time, an architecture is drawn anew."""

_STEP: Final = 0.1
"""The standard deviation of a step between numbers, as a share of the domain's scale: as far as `Domain.neighbours`."""


def applied(operator: Callable[..., Values], *arguments: Any) -> Values:
    """Return what a mutation or crossover makes of a space, values and a generator.

    Raises:
        BadArgument: it returned no values.
    """
    made = operator(*arguments)
    if not is_kind(made, Mapping):
        name = getattr(operator, "__name__", repr(operator))
        mend = "Let it return a mapping, as `space.complete({**values, address: value}, rng).values` is."
        raise wrong_kind(name, "an operator to return values by address", made, mend)
    return made


_ARGUMENT: Final = re.compile(r"\.[^./\[\]]*$")
"""The end of an address that names an argument; the dot in `or[0.5]/n` is in the name of an alternative."""


def complete(space: SearchSpace, values: Mapping[str, Any], rng: random.Random) -> Values:
    """Return the values of an architecture that has these where they are valid, and drawn ones elsewhere."""
    for _ in range(_ATTEMPTS):
        try:
            return space.complete(values, rng).values
        except TooDeep:
            continue
    return space.sample(rng).values


def another(domain: Domain, value: Any, rng: random.Random) -> Any:
    """Return a value of the domain other than `value`: any other option, or a number near it on the domain's scale."""
    if isinstance(domain, Numeric):
        near = domain.at_unit(_reflected(domain.unit(value) + rng.gauss(0, _STEP)))
        if near != value:
            return near
    return domain.neighbour(value, rng)


MOST_STEPS: Final = 500
"""Neighbours of one value that are listed; of more, so many are drawn."""


def steps(domain: Domain, value: Any, rng: random.Random) -> list[Any]:
    """Return the neighbours of a value, or some drawn ones where there are many."""
    found = list(itertools.islice(domain.neighbours(value), MOST_STEPS + 1))
    if len(found) <= MOST_STEPS:
        return found
    drawn = [domain.neighbour(value, rng) for _ in range(MOST_STEPS)]
    return list({identity({"": step}): step for step in drawn}.values())


def _reflected(unit: float) -> float:
    """Return the place from 0 to 1 that a step beyond the ends is thrown back to."""
    unit = abs(unit) % 2
    return 2 - unit if unit > 1 else unit


def mutable(space: SearchSpace, values: Values) -> dict[str, Domain]:
    """Return address to domain for what a searcher may change here: what has more than one value."""
    return {address: domain for address, domain in space.decidable(values).items() if domain.size > 1}


def mutate_one(space: SearchSpace, values: Values, rng: random.Random) -> Values:
    """Give one hyperparameter another value, each as likely to be changed."""
    domains = mutable(space, values)
    if not domains:
        return values
    address = rng.choice(list(domains))
    return complete(space, {**values, address: another(domains[address], values[address], rng)}, rng)


def mutate_each(space: SearchSpace, values: Values, rng: random.Random, rate: float | None = None) -> Values:
    """Give each hyperparameter another value with probability `rate`, one of n on average, and at least one."""
    domains = mutable(space, values)
    if not domains:
        return values
    rate = 1 / len(domains) if rate is None else rate
    changed = [address for address in domains if rng.random() < rate] or [rng.choice(list(domains))]
    return complete(space, {**values, **{a: another(domains[a], values[a], rng) for a in changed}}, rng)


def cross_uniformly(space: SearchSpace, first: Values, second: Values, rng: random.Random) -> Values:
    """Take each value from either of two parents, as likely from one as from the other (Syswerda, 1989)."""
    mixed = {**second, **first}
    for address in first:
        if address in second and rng.random() < 0.5:
            mixed[address] = second[address]
    return complete(space, mixed, rng)


def cross_branches(space: SearchSpace, first: Values, second: Values, rng: random.Random) -> Values:
    """Take all that stands at and below one place from the second parent, and the rest from the first.

    The crossover of genetic programming (Koza, 1992) at one place: a part that works is passed on whole. What the first
    parent says nothing of, since it has no such part, is as in the second.
    """
    shared = [address for address in first if address in second]
    if not shared:
        return first
    branch = _branch(rng.choice(shared), {**first, **second})
    kept = {address: value for address, value in first.items() if not below(address, branch)}
    return complete(space, {**second, **kept}, rng)  # what is decided elsewhere for the part comes along with it


def _branch(address: str, values: Values) -> str:
    """Return the place that a value decides about: a choice between recorded parts itself, or else its module.

    `or.which` decides what stands below `or[0]/` and `or[1]/`, `repeat.times` what below `repeat[1]/`.
    """
    if any(below(other, address) for other in values if other != address):
        return address
    return _ARGUMENT.sub("", address) or address

"""Enumeration: every architecture of a space, once, one at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deep_arch.errors import NotCountable, TooDeep
from deep_arch.language.domains import Domain
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.choice_points import ChoicePoint

if TYPE_CHECKING:
    from deep_arch.spaces.space import SearchSpace


def architectures(space: SearchSpace) -> Iterator[Architecture]:
    """Yield every architecture of a space once, in the order of the domains.

    What decides structure is decided first, and only what the outputs depend on for certain, so that nothing is
    decided that turns out not to count.
    """
    if space.restrictions.predicate is None:
        yield from _found(space)
        return
    seen: set[Architecture] = set()  # where structure stays open, what counts may depend on the order of decisions
    for architecture in _found(space):
        if architecture not in seen:
            seen.add(architecture)
            yield architecture


def _found(space: SearchSpace) -> Iterator[Architecture]:
    nothing: dict[str, Any] = {}
    stack = [iter([nothing])]
    while stack:
        values = next(stack[-1], None)
        if values is None:
            stack.pop()
            continue
        try:
            architecture = Architecture(space, space.replay(values, required=()))
        except TooDeep:
            continue
        points = to_decide(architecture)
        if not points:
            yield architecture
        elif architecture.structure or architecture.waiting:
            stack.append(_extended(architecture.values, points))
        else:  # the graph is settled, so what is open are independent arguments of its nodes
            for settled in _extended(architecture.values, points):
                yield Architecture(space, space.replay(settled, required=()))


def to_decide(architecture: Architecture) -> Sequence[ChoicePoint]:
    """Return what may be decided next, so that nothing is decided that turns out not to count; the first by itself.

    Raises:
        NotCountable: it is real.
    """
    points, structure = architecture.unassigned, architecture.structure
    if structure:
        points = tuple([point for point in points if point.address in structure])[:1] or points[:1]
    for point in points:
        if point.domain.size == math.inf:
            raise NotCountable(
                f"{point.address}: a space with a real number in it cannot be enumerated.\n"
                f"  Got {point.domain}.\n"
                "  Turn it into a grid with space.discretize(levels=10), fix it, or leave it out with space.where."
            )
    return points


def _extended(values: Mapping[str, Any], points: Sequence[ChoicePoint]) -> Iterator[dict[str, Any]]:
    addresses = [point.address for point in points]
    for combination in product([point.domain for point in points]):
        yield {**values, **dict(zip(addresses, combination, strict=True))}


def product(domains: Sequence[Domain]) -> Iterator[tuple[Any, ...]]:
    """Yield every combination of values, without listing any domain first, as itertools.product would."""
    wheels = [domain.values() for domain in domains]
    current = [next(wheel) for wheel in wheels]
    turning = len(domains) - 1
    while turning >= 0:
        yield tuple(current)
        turning = len(domains) - 1
        while turning >= 0:
            try:
                current[turning] = next(wheels[turning])
                break
            except StopIteration:
                wheels[turning] = domains[turning].values()
                current[turning] = next(wheels[turning])
                turning -= 1

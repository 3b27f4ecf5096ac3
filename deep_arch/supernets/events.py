"""Events: what relaxed decisions come out as, and how probable that is, exactly.

A decision is drawn independently of the others. A conjunction is a set of outcomes, one for each decision that it is
about; an event is a set of conjunctions, of which one at least holds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from deep_arch.errors import NotSupported

Variable: TypeAlias = int
"""A decision, by a number that tells it apart from others."""

Conjunction: TypeAlias = frozenset[tuple[Variable, int]]

ALWAYS: Final[Conjunction] = frozenset()

_MOST: Final = 100_000
"""Conjunctions that are looked at for one event."""


class Outcome:
    """A conjunction that multiplies like a weight.

    Attributes:
        holds: the outcomes; None where two contradict one another.
    """

    __slots__ = ("holds",)

    def __init__(self, holds: Conjunction) -> None:
        self.holds = holds

    def __mul__(self, other: Outcome) -> Outcome:
        return Outcome(self.holds | other.holds)


def both(a: Conjunction, b: Conjunction) -> Conjunction | None:
    """Return what holds where both do; None where they contradict one another."""
    if not a or not b:
        return a or b
    joined = a | b
    return joined if len({variable for variable, _ in joined}) == len(joined) else None


def absorbed(conjunctions: Iterable[Conjunction]) -> frozenset[Conjunction]:
    """Return an event without the conjunctions that another one of it implies.

    Example:
        >>> a, b = frozenset({(0, 0)}), frozenset({(0, 0), (1, 1)})
        >>> absorbed([b, a]) == {a}
        True
    """
    found: list[Conjunction] = []
    for each in sorted(set(conjunctions), key=len):
        if not any(known <= each for known in found):
            found.append(each)
    return frozenset(found)


def merged(conjunctions: Iterable[Conjunction], weights: Sequence[Sequence[Any]]) -> set[Conjunction]:
    """Return conjunctions that exclude one another, without decisions of which each outcome stands for the same.

    Args:
        conjunctions: which exclude one another.
        weights: one for each outcome of each decision.

    Example:
        Of a decision with two outcomes either will do:

        >>> merged([frozenset({(0, 0), (1, 0)}), frozenset({(0, 1), (1, 0)})], [(0.5, 0.5), (0.2, 0.8)])
        {frozenset({(1, 0)})}
    """
    found, before = set(conjunctions), -1
    while len(found) != before:
        before = len(found)
        for variable in sorted({variable for each in found for variable, _ in each}):
            groups: defaultdict[Conjunction, list[Conjunction]] = defaultdict(list)
            for each in found:
                for outcome in each:
                    if outcome[0] == variable:
                        groups[each - {outcome}].append(each)
            for rest, group in groups.items():
                if len(group) == len(weights[variable]):
                    found.difference_update(group)
                    found.add(rest)
    return found


class Odds:
    """The probabilities of events, remembered.

    Args:
        weights: those of the outcomes of each decision, which sum to 1: floats, or scalars that carry gradients.
    """

    def __init__(self, weights: Sequence[Sequence[Any]]) -> None:
        self._weights = weights
        self._known: dict[frozenset[Conjunction], Any] = {frozenset(): 0.0, frozenset([ALWAYS]): 1.0}

    def simplified(self, conjunctions: Iterable[Conjunction]) -> frozenset[Conjunction]:
        """Return an event without decisions that are immaterial, since it holds whatever they come out as."""
        event = absorbed(conjunctions)
        while len(event) > 1:
            groups: defaultdict[tuple[Variable, Conjunction], int] = defaultdict(int)
            for each in event:
                for outcome in each:
                    groups[outcome[0], each - {outcome}] += 1
            whole = [rest for (variable, rest), n in groups.items() if n == len(self._weights[variable])]
            if not whole:
                break
            event = absorbed([*event, *whole])
        return event

    def of(self, event: frozenset[Conjunction]) -> Any:
        """Return the probability that one of the conjunctions holds.

        Raises:
            NotSupported: too many decisions are entangled.
        """
        known = self._known.get(event)
        if known is not None:
            return known
        if len(self._known) > _MOST:
            raise NotSupported(
                "expected cost: too many relaxed decisions decide together what is needed.\n"
                f"  Got more than {_MOST:,} combinations of them.\n  Relax fewer decisions, or fix some."
            )
        if len(event) == 1:
            (only,) = event
            result = self._product(only)
        elif ALWAYS in event:
            result = 1.0
        else:
            result = self._branched(event)
        self._known[event] = result
        return result

    def _product(self, conjunction: Conjunction) -> Any:
        result: Any = 1.0
        for variable, i in sorted(conjunction):
            result = result * self._weights[variable][i]
        return result

    def _branched(self, event: frozenset[Conjunction]) -> Any:
        counts = Counter(variable for each in event for variable, _ in each)
        variable = min(counts, key=lambda v: (-counts[v], v))
        total: Any = 0.0
        for i, weight in enumerate(self._weights[variable]):
            left = [each - {(variable, i)} for each in event if (variable, i) in each or not _is_about(each, variable)]
            total = total + weight * self.of(self.simplified(left))
        return total


def _is_about(conjunction: Conjunction, variable: Variable) -> bool:
    return any(known == variable for known, _ in conjunction)

"""The likeliest architectures of independent decisions, without listing the space."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from deep_arch.errors import TooDeep
from deep_arch.searchers.parts.decisions import identity
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.spaces.space import MOST_ATTEMPTS, SearchSpace
from deep_arch.studies.searcher import Values

Ranked = Callable[[ChoicePoint], list[tuple[float, Any]]]
"""From a decision to its options with the logarithms of their probabilities, the likeliest first."""


class _Found(NamedTuple):
    ranks: list[int]
    """Of each decision, how many options are likelier than what was taken."""
    counts: list[int]
    log_probability: float
    values: Values | TooDeep


def likeliest(space: SearchSpace, ranked: Ranked) -> Iterator[Values]:
    """Yield the values of architectures from the likeliest on.

    From an architecture one goes to those that take, in one of its decisions, the next likely option, and from there
    on the likeliest of each decision. Where no decision decides what others there are, that is the exact order;
    elsewhere each branch stands for its likeliest decisions, one by one.

    Raises:
        TooDeep: nothing that was tried lets a recursion end within the space's limit.

    References:
        Lawler, A procedure for computing the K best solutions to discrete optimization problems (Management Science,
        1972).
    """
    order = itertools.count()
    first = _completed(space, ranked, [])
    heap = [(-first.log_probability, next(order), 0, first)]
    seen: set[Any] = set()
    n_failed = 0
    while heap:
        _, _, start, found = heapq.heappop(heap)
        if isinstance(found.values, TooDeep):
            n_failed += 1
            if n_failed == MOST_ATTEMPTS:
                raise found.values
        elif (key := identity(found.values)) not in seen:  # equal ones differ in what nothing depends on
            seen.add(key)
            yield found.values
        for i in range(start, len(found.counts)):
            if (rank := found.ranks[i] + 1) < found.counts[i]:
                other = _completed(space, ranked, [*found.ranks[:i], rank])
                heapq.heappush(heap, (-other.log_probability, next(order), i, other))


def _completed(space: SearchSpace, ranked: Ranked, ranks: list[int]) -> _Found:
    """Return the architecture whose first decisions have these ranks, and whose others are the likeliest."""
    taken: list[int] = []
    counts: list[int] = []
    logs: dict[str, float] = {}

    def pick(point: ChoicePoint) -> Any:
        options = ranked(point)
        rank = ranks[len(taken)] if len(taken) < len(ranks) else 0
        taken.append(min(rank, len(options) - 1))
        counts.append(len(options))
        logs[point.address], value = options[taken[-1]]
        return value

    try:
        values = space.decide(pick).values
    except TooDeep as error:
        return _Found(taken, counts, math.fsum(logs.values()), error)
    total = math.fsum([log for address, log in logs.items() if address in values])
    return _Found(taken, counts, total, values)

"""Every searcher goes on for long in a conditional space without proposing what is no architecture of it."""

from __future__ import annotations

import inspect
import math
import random
from collections.abc import Callable
from typing import Any

import pytest

import deep_arch.searchers
from deep_arch.searchers import (
    EarlyStopping,
    Feasible,
    LocalSearch,
    NoRepeats,
    Partitioned,
    RandomSearch,
    WarmStart,
    WidestFirst,
    median_rule,
)
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values
from deep_arch.testing.readme_space import net

pytestmark = pytest.mark.slow

WRAPPED: dict[str, Callable[[], Searcher]] = {
    "EarlyStopping": lambda: EarlyStopping(RandomSearch(), median_rule()),
    "Feasible": lambda: Feasible(RandomSearch(), lambda architecture: len(architecture.graph) < 14),
    "NoRepeats": lambda: NoRepeats(RandomSearch("architectures")),
    "Partitioned": lambda: Partitioned(
        [(lambda point: point.address == "n", LocalSearch()), (lambda point: point.address != "n", RandomSearch())]
    ),
    "WarmStart": lambda: WarmStart(RandomSearch(), ()),
    "WidestFirst": lambda: WidestFirst(RandomSearch(), trials=100),
}
"""Searchers that are made of others."""

SLOW = {"OptunaSearcher": 300, "SurrogateSearch": 300}
"""Searchers whose steps take milliseconds, and fewer steps for them."""

OF_GRAMMARS = ("BestFirstSearch", "BottomUp", "DPads", "EnumerationByCost", "Growth")
"""Searchers of grammars, which end where there is nothing left to grow."""

EXPORTED: list[str] = [
    name
    for name, cls in inspect.getmembers(deep_arch.searchers, inspect.isclass)
    if issubclass(cls, Searcher) and not inspect.isabstract(cls) and name not in OF_GRAMMARS
]


def make(name: str) -> Searcher:
    factory: Any = WRAPPED.get(name) or getattr(deep_arch.searchers, name)
    searcher: Searcher = factory()
    return searcher


def score(values: Values) -> float:
    """Reward width late and dropout early, so that the best architectures are large ones."""
    widths = [values[address] for address in values if address.endswith("filters")]
    rate: float = values.get("optional/dropout.rate", 0.6)
    total: float = sum(width / 64 * math.sqrt(i) for i, width in enumerate(widths))
    return total - rate


def search(name: str, n_steps: int) -> int:
    """Return how many valid proposals a searcher made."""
    searcher, rng = make(name), random.Random(1)
    searcher.start(net, random.Random(0))
    for number in range(n_steps):
        values = searcher.ask()
        assert values is not None, f"{name} ended after {number} proposals"
        assert net.at(values).is_specified
        budget, state = searcher.budget(values), "failed" if rng.random() < 0.05 else "complete"
        scores = (score(values),) if state == "complete" else ()
        searcher.tell(FinishedTrial(number, values, scores, {1: rng.random()}, state, budget))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return n_steps


@pytest.mark.parametrize("name", EXPORTED)
def test_proposes_valid_architectures_for_long(name: str) -> None:
    steps = SLOW.get(name, 10_000)
    assert search(name, steps) == steps

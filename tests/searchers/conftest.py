"""Fixtures of the policies' tests: a space, a score of its values, and a search."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values


def _cell(x: Any) -> Any:
    for i in range(6):
        x = ops.Dense(units=da.choice([1, 2, 3, 4, 5], name=f"edge_{i}"))(x)
    return x


def _matches(values: Values) -> float:
    return float(sum(value == 1 + i % 5 for i, value in enumerate(values.values())))


def _learn(searcher: Searcher, space: da.SearchSpace, score: Callable[[Values], float], n: int) -> list[Values]:
    searcher.start(space, random.Random(0))
    asked: list[Values] = []
    for number in range(n):
        values = searcher.ask()
        assert values is not None
        asked.append(values)
        searcher.tell(FinishedTrial(number, values, (score(values),)))
    return asked


@pytest.fixture(scope="session")
def cell() -> da.SearchSpace:
    """A space in which each of six edges has one of five numbers."""
    return da.space(_cell)


@pytest.fixture(scope="session")
def matches() -> Callable[[Values], float]:
    """What counts the edges of `cell` that have their number."""
    return _matches


@pytest.fixture(scope="session")
def learn() -> Callable[..., list[Values]]:
    """What searches a space for the score that a function gives, and returns the proposals."""
    return _learn

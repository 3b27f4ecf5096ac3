from __future__ import annotations

import itertools
import random

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import ImpureFunction


def test_pure_spaces_pass() -> None:
    da.check(da.space(lambda x: da.repeat(lambda: ops.Dense(da.choice([1, 2])), da.choice([0, 1, 2]))(x)))


def test_random_numbers_and_counters_are_found() -> None:
    drawn = random.Random(0)
    counter = itertools.count()
    with pytest.raises(ImpureFunction, match=r"repeat\[0\]: the function gave another graph"):
        da.check(da.space(lambda x: da.repeat(lambda: ops.Dense(drawn.randint(1, 10**9)), 2)(x)))
    with pytest.raises(ImpureFunction, match=r"optional"):
        da.check(da.space(lambda x: da.optional(lambda: ops.Scale(da.choice([next(counter), -1])))(x)))
    with pytest.raises(ImpureFunction, match="another graph"):
        da.check(da.space(lambda x: ops.Dense(next(counter))(x)))

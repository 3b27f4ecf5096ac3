"""Searchers that train shared weights, and the rewards that they are told."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searchers import FairSampling, RandomSearch, Reinforce, Sandwich, WidestFirst
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values
from deep_arch.testing.searcher_contract import SearcherContract


class TestFairSampling(SearcherContract):
    def make(self) -> Searcher:
        return FairSampling()


class TestSandwich(SearcherContract):
    def make(self) -> Searcher:
        return Sandwich()


class TestWidestFirst(SearcherContract):
    def make(self) -> Searcher:
        return WidestFirst(Reinforce(), trials=40, fraction=0.5)


@da.space
def net(x: Any) -> Any:
    x = da.repeat(lambda: ops.Dense(da.choice([4, 8, 16])), da.choice([1, 2, 3], name="n"))(x)
    x = da.optional(ops.ReLU)(x)
    return da.or_([ops.Tanh, ops.Sigmoid, ops.Identity, ops.GELU])(x)


def values_of(searcher: Searcher, n: int) -> list[Values]:
    search = da.search(net, searcher, trials=n, seed=0, duplicates="give")
    for trial in search:
        trial.tell(0.0)
    return [trial.values for trial in search.trials]


def test_every_option_has_its_turn() -> None:
    found = values_of(FairSampling(), 24)
    assert Counter(values["n"] for values in found) == {1: 8, 2: 8, 3: 8}
    assert Counter(values["or.which"] for values in found) == {0: 6, 1: 6, 2: 6, 3: 6}
    for start in range(0, 24, 3):
        assert {values["n"] for values in found[start : start + 3]} == {1, 2, 3}


def test_a_sandwich_has_the_largest_and_the_smallest() -> None:
    found = values_of(Sandwich(n_random=1), 6)
    for largest, smallest in ((found[0], found[1]), (found[3], found[4])):
        assert (largest["n"], largest["optional.use"], largest["repeat[2]/dense.units"]) == (3, True, 16)
        assert (smallest["n"], smallest["optional.use"], smallest["repeat[0]/dense.units"]) == (1, False, 4)


def test_the_warm_up_proposes_the_widest_and_ends() -> None:
    class Told(RandomSearch):
        def __init__(self) -> None:
            super().__init__()
            self.numbers: list[int] = []

        def tell(self, trial: FinishedTrial) -> None:
            self.numbers.append(trial.number)

    inner = Told()
    found = values_of(WidestFirst(inner, trials=400, fraction=0.5), 400)
    widest = [v["n"] == 3 and all(x == 16 for a, x in v.items() if a.endswith("units")) for v in found]
    assert all(widest[:5]) and 70 < sum(widest[:200]) < 140 and sum(widest[200:]) < 20
    assert all(number in inner.numbers for number in range(200, 400))
    assert len(inner.numbers) == 400 - sum(1 for i in range(200) if i not in inner.numbers)
    assert 60 < 200 - len([number for number in inner.numbers if number < 200]) < 140


def test_rewards() -> None:
    rewards = da.rewards
    assert rewards.absolute(0.9, 80, target=100) == pytest.approx(0.88)
    assert rewards.soft_exponential(0.9, 200, target=100) == pytest.approx(0.9 * 2**-0.07)
    assert rewards.hard_exponential(0.9, 50, target=100) == 0.9
    assert rewards.hard_exponential(0.9, 200, target=100) == pytest.approx(0.45)
    for wrong in ({"target": 0}, {"target": 10, "weight": 0.1}):
        with pytest.raises(BadArgument, match=r"rewards: (target|weight) is to be"):
            rewards.absolute(0.9, 1, **wrong)


def test_arguments_are_checked() -> None:
    with pytest.raises(BadArgument, match="Sandwich: n_random is an int of at least 0"):
        Sandwich(n_random=-1)
    with pytest.raises(BadArgument, match="WidestFirst: fraction is a number from 0 to 1"):
        WidestFirst(RandomSearch(), trials=10, fraction=2.0)

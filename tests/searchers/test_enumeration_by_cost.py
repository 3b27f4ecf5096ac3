"""The searcher keeps its contract, and proposes every program once, in the order of costs."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Callable
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, NotCountable
from deep_arch.searchers import EnumerationByCost
from deep_arch.studies.searcher import Values
from deep_arch.testing.searcher_contract import SearcherContract
from deep_arch.testing.searcher_spaces import SPACES, holed

UNEVEN = {"leaf": 0.7, "layer": 0.1, "sum": 0.1, 2: 0.2, 4: 0.15, "none": 3.0, False: 0.5, "deep": 0.25}
FINITE = sorted(name for name in SPACES if SPACES[name].size() < 2000)


def _by_length(address: str, value: Any) -> float:
    return len(address) / 7 + (value in (4, "leaf")) / 3


def proposals(space: da.SearchSpace, searcher: EnumerationByCost, n: int = 5000) -> list[Values]:
    searcher.start(space, random.Random(0))
    return list(itertools.islice(iter(searcher.ask, None), n))


class TestEnumerationByCost(SearcherContract):
    refused = ("flat",)

    def make(self) -> EnumerationByCost:
        return EnumerationByCost(price=UNEVEN)


@pytest.mark.parametrize("price", [1.0, 0.0, UNEVEN, _by_length])
@pytest.mark.parametrize("name", FINITE)
def test_every_program_once_in_the_order_of_costs(name: str, price: Any) -> None:
    space, searcher = SPACES[name], EnumerationByCost(price)
    found = proposals(space, searcher)
    expected = [a.values for a in space.enumerate()]
    assert sorted(map(space.written, found)) == sorted(map(space.written, expected))
    costs = [searcher.cost(values) for values in found]
    assert costs == sorted(map(searcher.cost, expected))


def test_costs_are_what_the_values_cost() -> None:
    values = {"a": "leaf", "b": 2, "c": ["no", "key"], "d": "other"}
    assert EnumerationByCost(UNEVEN).cost(values) == pytest.approx(0.9)
    assert EnumerationByCost(2).cost(values) == 8
    assert EnumerationByCost(lambda address, value: float(address == "b")).cost(values) == 1


def test_an_infinite_space_is_looked_at_no_further_than_it_is_proposed() -> None:
    met: list[int] = []

    @da.rule
    def number(n: int) -> Any:
        met.append(n)
        return da.or_({"stop": ops.ReLU, "on": lambda x: number(n + 1)(x)})

    space = da.space(lambda x: number(0)(x))
    searcher = EnumerationByCost()
    found = proposals(space, searcher, 7)
    assert [len(values) for values in found] == [1, 2, 3, 4, 5, 6, 7] and max(met) <= 7
    assert found == [a.values for a in space.limit(7).enumerate()]


def test_what_costs_nothing_hides_nothing() -> None:
    free = {"sum": 0.0, "leaf": 0.0, "layer": 1.0}
    found = proposals(holed, EnumerationByCost(free), 40)
    assert [len(values) for values in found] == sorted(map(len, found)), "of equal costs the smaller first"
    assert {a.to_json() for a in holed.limit(2).enumerate() if "layer" not in a.values.values()} <= {
        holed.at(values).to_json() for values in found
    }


def test_the_cheapest_of_infinitely_many_are_those_of_a_limit() -> None:
    searcher = EnumerationByCost({"sum": 1.0, "layer": 0.3, "leaf": 0.2, 4: 0.05})
    costs = [searcher.cost(values) for values in proposals(holed, searcher, 60)]
    within = sorted([searcher.cost(a.values) for a in holed.limit(max_size=7).enumerate()])
    assert costs == within[:60] and costs[-1] < 3 + 4 * 0.2, "what is larger has three sums or more"


def test_a_wide_domain_is_not_listed() -> None:
    space = da.space(lambda x: ops.Dense(units=da.integer(1, 10**12))(ops.Dense(units=da.integer(1, 10**12))(x)))
    found = proposals(space, EnumerationByCost(), 3)
    assert [[*values.values()] for values in found] == [[1, 1], [1, 2], [1, 3]]


def test_real_numbers_are_refused_until_they_are_a_grid() -> None:
    searcher = EnumerationByCost()
    with pytest.raises(NotCountable, match=r"rate: a space with a real number(.|\n)*space.discretize"):
        proposals(SPACES["flat"], searcher)
    space = da.space(lambda x: ops.Dropout(rate=da.real(0, 0.5))(x)).discretize(levels=3)
    assert len(proposals(space, searcher)) == 3


@pytest.mark.parametrize("space", [holed, SPACES["some"], SPACES["narrowing"]])
def test_it_goes_on_from_its_state(space: da.SearchSpace) -> None:
    expected, searcher = proposals(space, EnumerationByCost(UNEVEN), 20), EnumerationByCost(UNEVEN)
    for stop in range(len(expected)):
        proposals(space, searcher, stop)
        state, resumed = json.dumps(searcher.state_dict()), EnumerationByCost(UNEVEN)
        resumed.start(space, random.Random(1))
        resumed.load_state_dict(json.loads(state))
        assert list(itertools.islice(iter(resumed.ask, None), 20 - stop)) == expected[stop:]


def test_it_says_that_a_state_is_of_a_larger_space() -> None:
    searcher = EnumerationByCost()
    proposals(holed.limit(3), searcher)
    state = searcher.state_dict()
    searcher.start(holed.limit(2), random.Random(0))
    with pytest.raises(BadArgument, match="expected a space and arguments that give 147 programs"):
        searcher.load_state_dict(state)


def test_a_search_ends_with_the_space_and_may_be_in_several_hands() -> None:
    search = da.search(holed.limit(2), EnumerationByCost(UNEVEN), trials=100, seed=0, duplicates="give")
    batches: list[int] = []
    for batch in search.batches(5):
        batches.append(len(batch))
        for trial in reversed(batch):
            trial.tell(float(trial.number))
    assert batches == [5, 5, 2] and search.ending == "the searcher had nothing left to propose"
    assert not any(trial.architecture.holes for trial in search.trials)


@pytest.mark.parametrize("price", [-1, math.inf, "dear", {"sum": -1}])
def test_wrong_prices_are_told(price: Any) -> None:
    with pytest.raises(BadArgument, match=r"EnumerationByCost: price.* is a number of at least 0"):
        EnumerationByCost(price)
    wrong: Callable[[str, Any], Any] = lambda _address, _value: "dear"  # noqa: E731
    with pytest.raises(BadArgument, match=r"price\('term/or.which', 'leaf'\) is a number"):
        proposals(holed, EnumerationByCost(wrong))

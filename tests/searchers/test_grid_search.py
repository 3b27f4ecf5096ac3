from __future__ import annotations

import json
import random
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, NotCountable
from deep_arch.searchers import GridSearch
from deep_arch.searchers.grid_search import shuffled
from deep_arch.testing.readme_space import net
from deep_arch.testing.searcher_contract import SearcherContract
from deep_arch.testing.searcher_spaces import SPACES, recursive


class TestGridSearch(SearcherContract):
    def make(self) -> GridSearch:
        return GridSearch(order="shuffled", levels=3)


def proposals(space: da.SearchSpace, searcher: GridSearch, seed: int = 0, n: int = 10**6) -> list[str]:
    searcher.start(space, random.Random(seed))
    asked = (searcher.ask() for _ in range(n))
    return [space.at(values).to_json() for values in iter(lambda: next(asked), None)]


@pytest.mark.parametrize("order", ["fixed", "shuffled"])
@pytest.mark.parametrize("name", ["constant", "shared_and_dependent", "conditional", "limited", "fixed", "some"])
def test_proposes_each_architecture_once_and_ends(name: str, order: Any) -> None:
    space = SPACES[name]
    proposed = proposals(space, GridSearch(order))
    assert len(proposed) == space.size()
    if name != "some":  # which is enumerated with other hyperparameters open, as it is searched
        assert sorted(proposed) == sorted(a.to_json() for a in space.enumerate())


def test_a_real_number_takes_its_levels() -> None:
    space = da.space(lambda x: ops.Dropout(rate=da.real(0, 0.5))(x))
    searcher = GridSearch(levels=3)
    searcher.start(space, random.Random(0))
    rates = [values["dropout.rate"] for values in iter(searcher.ask, None)]
    assert sorted(rates) == [0, 0.25, 0.5]


def test_seeds_shuffle_differently_and_the_fixed_order_not() -> None:
    assert proposals(net, GridSearch("shuffled"), 0, 20) != proposals(net, GridSearch("shuffled"), 1, 20)
    assert proposals(net, GridSearch(), 0, 20) == proposals(net, GridSearch(), 1, 20)


def test_resumes_in_the_middle_of_an_astronomically_large_space() -> None:
    long = da.space(lambda x: da.repeat(lambda: ops.Dense(units=da.integer(1, 10)), 200)(x))
    searcher = GridSearch("shuffled")
    searcher.start(long, random.Random(0))
    searcher.ask()
    state = {**searcher.state_dict(), "next": 10**199}
    resumed = GridSearch("shuffled")
    resumed.start(long, random.Random(1))
    resumed.load_state_dict(json.loads(json.dumps(state)))
    proposed = [resumed.ask() for _ in range(3)]
    assert len({json.dumps(dict(values or {})) for values in proposed}) == 3
    state["next"] = 10**200 - 1
    resumed.load_state_dict(state)
    assert resumed.ask() is not None and resumed.ask() is None


def test_endless_recursion_is_searched_by_depth() -> None:
    proposed = proposals(recursive, GridSearch(), n=30)
    sizes = [recursive.limit(depth).size() for depth in (1, 2, 3, 4)]
    assert sizes == [1, 2, 5, 26] and len(set(proposed)) == 30
    for depth, size in zip((1, 2, 3, 4), sizes, strict=True):
        assert set(proposed[: int(size)]) == {a.to_json() for a in recursive.limit(depth).enumerate()}


def test_recursion_without_a_rule_is_refused() -> None:
    def endless() -> Any:
        return da.optional(lambda: endless())

    with pytest.raises(NotCountable, match=r"@da.rule"):
        GridSearch().start(da.space(lambda x: endless()(x)), random.Random(0))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 1000])
def test_a_shuffled_order_is_a_permutation(size: int) -> None:
    rng = random.Random(size)
    keys = [rng.getrandbits(64) for _ in range(4)]
    order = [shuffled(i, size, keys) for i in range(size)]
    assert sorted(order) == list(range(size))
    assert size < 60 or order != sorted(order)


def test_a_shuffled_order_begins_anywhere() -> None:
    rng = random.Random(0)
    firsts = [shuffled(0, 10, [rng.getrandbits(64) for _ in range(4)]) for _ in range(2000)]
    # 27.88 is the 0.999 quantile of the chi-square distribution with nine degrees of freedom.
    assert sum((firsts.count(i) - 200) ** 2 / 200 for i in range(10)) < 27.88


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(BadArgument, match=r"GridSearch: order is 'fixed' or 'shuffled'(.|\n)*Got 'random'"):
        GridSearch("random")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadArgument, match=r"GridSearch: levels is an int of at least 2(.|\n)*Got 1 "):
        GridSearch(levels=1)


def test_a_state_of_another_order_is_refused() -> None:
    searchers = [GridSearch("shuffled"), GridSearch()]
    for searcher in searchers:
        searcher.start(net, random.Random(0))
    with pytest.raises(BadArgument, match=r"expected the state of \['fixed', 10\](.|\n)*Got \['shuffled', 10\]"):
        searchers[1].load_state_dict(searchers[0].state_dict())


def test_a_grid_is_searched_as_it_is() -> None:
    space = da.space(lambda x: ops.Dropout(rate=da.real(0, 0.5))(x)).discretize(3)
    assert len(proposals(space, GridSearch())) == 3

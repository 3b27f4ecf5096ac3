from __future__ import annotations

import random
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searchers import Feasible, RandomSearch, within
from deep_arch.studies.searcher import FinishedTrial
from deep_arch.testing.readme_space import net
from deep_arch.testing.searcher_contract import SearcherContract

IMAGE = da.image(channels=3, height=8, width=8)


class TestFeasible(SearcherContract):
    def make(self) -> Feasible:
        return Feasible(RandomSearch(), lambda architecture: architecture.values.get("activation") is not ops.Tanh)


def test_only_what_is_within_the_bounds_is_proposed() -> None:
    searcher = Feasible(RandomSearch(), within(IMAGE, parameters=300_000, macs=2e7))
    search = da.search(net, searcher, trials=30, seed=0)
    for trial in search:
        cost = trial.architecture.cost(IMAGE)
        assert cost.parameters <= 300_000 and cost.macs <= 2e7
        trial.skip()
    assert len(search.trials) == 30
    costs = [net.sample(seed).cost(IMAGE) for seed in range(30)]
    assert any(cost.parameters > 300_000 for cost in costs), "the bounds reject something"


def test_shapes_that_do_not_fit_are_infeasible() -> None:
    space = da.space(lambda x: ops.Dense(units=4)(ops.Reshape(da.choice([(3, 4), (5, 5)]))(x)))
    search = da.search(space, Feasible(RandomSearch(), within(da.vector(12))), 20, seed=0, duplicates="give")
    for trial in search:
        trial.skip()
    assert {trial.values["reshape.target_shape"] for trial in search.trials} == {(3, 4)}


def test_the_searcher_inside_is_told_of_what_is_rejected() -> None:
    told: list[FinishedTrial] = []

    class Recording(RandomSearch):
        def tell(self, trial: FinishedTrial) -> None:
            told.append(trial)

    searcher = Feasible(Recording(), lambda architecture: architecture.values["n"] == 4)
    searcher.start(net, random.Random(0))
    for _ in range(10):
        values = searcher.ask()
        assert values is not None and values["n"] == 4
    assert told and all(trial.state == "failed" and trial.values["n"] != 4 for trial in told)


def test_a_search_without_anything_feasible_ends_with_a_warning() -> None:
    search = da.search(net, Feasible(RandomSearch(), lambda _: False, attempts=20), trials=5, seed=0)
    with pytest.warns(da.SearchWarning, match=r"net: the search ends, since 20 proposals in a row were infeasible"):
        assert list(search) == []
    assert search.ending == "the searcher had nothing left to propose"


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(BadArgument, match=r"Feasible: expected a function of an architecture(.|\n)*within"):
        Feasible(RandomSearch(), 3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadArgument, match=r"within: expected bounds by the names (.|\n)*Did you mean 'parameters'"):
        within(IMAGE, parameter=3)
    with pytest.raises(BadArgument, match=r"within: expected bounds(.|\n)*macs='many'"):
        within(IMAGE, macs="many")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_bounds_are_upper_ones() -> None:
    architecture: Any = da.space(lambda x: ops.Dense(units=4)(x)).sample(seed=0)
    parameters = architecture.cost(da.vector(3)).parameters
    assert within(da.vector(3), parameters=parameters)(architecture)
    assert not within(da.vector(3), parameters=parameters - 1)(architecture)

"""Separate, joint and factorised searches of one space."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searchers import (
    Hyperband,
    LocalSearch,
    NoRepeats,
    OptunaSearcher,
    Partitioned,
    RandomSearch,
    RegularizedEvolution,
    SurrogateSearch,
)
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.testing.readme_space import net
from deep_arch.testing.searcher_contract import SearcherContract


def is_name(point: ChoicePoint) -> bool:
    return point.name in ("n", "units", "activation")


def is_no_name(point: ChoicePoint) -> bool:
    return not is_name(point)


class TestPartitioned(SearcherContract):
    def make(self) -> Partitioned:
        return Partitioned([(is_name, LocalSearch()), (is_no_name, RegularizedEvolution(5, 2))])


@da.space
def two_parts(x: Any) -> Any:
    """Have two operations, and two widths."""
    for _ in range(2):
        x = ops.Dense(units=da.integer(1, 50, tag="width"), use_bias=da.boolean(tag="bias"))(x)
    return x


def is_width(point: ChoicePoint) -> bool:
    return point.tag == "width"


def score(values: Any) -> float:
    return sum(-abs(v - 30) if type(v) is int else 5 * v for v in values.values())


def search(space: da.SearchSpace, searcher: da.Searcher, trials: int) -> da.Trial:
    found = da.search(space, searcher, trials, seed=0)
    for trial in found:
        trial.tell(score(trial.values))
    return found.best


def test_a_joint_search_has_a_searcher_for_each_part() -> None:
    searcher = Partitioned([(is_width, LocalSearch()), (lambda p: p.tag == "bias", RandomSearch())])
    assert search(two_parts, searcher, 200).values.keys() == two_parts.sample(seed=0).values.keys()
    assert score(search(two_parts, searcher, 200).values) >= 5


def test_a_separate_search_fixes_one_part_after_the_other() -> None:
    biases = search(two_parts.where(lambda p: p.tag == "bias"), RandomSearch(), 4)
    widths = search(two_parts.fix(biases.values), LocalSearch(), 300)
    assert dict(widths.values) == {
        "dense.units": 30,
        "dense_1.units": 30,
        "dense.use_bias": True,
        "dense_1.use_bias": True,
    }


def test_a_factorised_search_nests_loops() -> None:
    outer = da.search(two_parts.where(lambda p: p.tag == "bias"), RandomSearch(), trials=4, seed=0)
    for trial in outer:
        trial.tell(search(two_parts.fix(trial.values), LocalSearch(), 300).score)
    assert outer.best.score == 10 and all(outer.best.values.values())


def test_each_searcher_sees_its_part_only() -> None:
    seen: dict[str, set[str]] = {"widths": set(), "others": set()}

    class Recording(RandomSearch):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def tell(self, trial: da.FinishedTrial) -> None:
            seen[self.name].update(trial.values)

    parts = [(is_width, Recording("widths")), (lambda p: not is_width(p), Recording("others"))]
    search(two_parts, Partitioned(parts), 10)
    assert seen == {"widths": {"dense.units", "dense_1.units"}, "others": {"dense.use_bias", "dense_1.use_bias"}}


def test_what_no_part_reaches_is_drawn() -> None:
    searcher = Partitioned([(lambda p: p.address == "n", LocalSearch())])
    searcher.start(net, random.Random(0))
    proposed = [searcher.ask() for _ in range(20)]
    assert all(values is not None and net.at(values).is_specified for values in proposed)


def test_a_part_that_is_over_ends_the_search() -> None:
    searcher = Partitioned([(is_width, LocalSearch(restarts=False)), (lambda p: p.tag == "bias", RandomSearch())])
    found = da.search(two_parts, searcher, trials=1000, seed=0, duplicates="give")
    for trial in found:
        trial.tell(score(trial.values))
    assert found.ending == "the searcher had nothing left to propose" and len(found.trials) < 1000


@pytest.mark.parametrize(
    "parts", [3, [], [RandomSearch()], [(is_width, "random")], [(is_width, s := RandomSearch()), (is_name, s)]]
)
def test_what_are_no_parts_is_refused(parts: Any) -> None:
    with pytest.raises(BadArgument, match=r"Partitioned: expected pairs of a predicate and a searcher of its own"):
        Partitioned(parts)


def test_a_part_with_budgets_is_refused() -> None:
    searcher = Partitioned([(is_width, Hyperband()), (lambda p: not is_width(p), RandomSearch())])
    with pytest.raises(BadArgument, match=r"expected parts without budgets(.|\n)*from Hyperband"):
        next(da.search(two_parts, searcher, trials=10, seed=0))


@pytest.mark.parametrize("inner", [SurrogateSearch, OptunaSearcher, LocalSearch, lambda: NoRepeats(RandomSearch())])
def test_a_part_is_told_what_it_proposed_though_it_does_not_count_in_the_whole(inner: Any) -> None:
    @da.space
    def pick(x: Any) -> Any:
        wide = ops.Dense(units=da.integer(1, 50))(x)
        return da.or_([lambda a, b: a, lambda a, b: b])(wide, x)

    def is_which(point: ChoicePoint) -> bool:
        return point.name == "or.which"

    def make() -> Partitioned:
        return Partitioned([(is_which, RandomSearch()), (lambda p: not is_which(p), inner())])

    searcher = make()
    found = da.search(pick, searcher, trials=16, seed=0, duplicates="give")
    out = [trial for trial in (found.ask(), found.ask()) if trial is not None]
    for trial in iter(found.ask, None):
        out.append(trial)
        out.pop(0).tell(trial.number)
    resumed = make()
    resumed.start(pick, random.Random(1))
    resumed.load_state_dict(json.loads(json.dumps(searcher.state_dict())))
    assert resumed.state_dict() == searcher.state_dict() or inner is OptunaSearcher  # which pickles
    assert resumed.ask() == searcher.ask()

"""Known configurations: what comes first in a search, what is refused, and what searchers make of it."""

from __future__ import annotations

import concurrent.futures
import inspect
import json
import pickle
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

import deep_arch as da
import deep_arch.searchers
from deep_arch import ops
from deep_arch.errors import BadArgument, DeepArchError, UnknownAddress, UnreachedAddress, ValueOutsideDomain
from deep_arch.searchers import (
    BOHB,
    AsynchronousHalving,
    EarlyStopping,
    Feasible,
    GridSearch,
    Hyperband,
    LocalSearch,
    MonteCarloTreeSearch,
    NoRepeats,
    Partitioned,
    RandomSearch,
    SuccessiveHalving,
    WarmStart,
    WidestFirst,
    median_rule,
)
from deep_arch.studies.search import Search
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values
from deep_arch.testing.searcher_spaces import SPACES


@da.space
def net(x: Any) -> Any:
    return da.repeat(lambda: ops.Dense(da.integer(1, 100, name="u")), da.integer(1, 3, name="n"))(x)


@da.space
def nested(x: Any) -> Any:
    """Hide a width behind choices, so that one in thousands of random architectures has it."""

    def inner(depth: int) -> Any:
        if depth == 0:
            return ops.Dense(da.integer(1, 9, name="u"))
        return da.or_([ops.ReLU, ops.Tanh, ops.Sigmoid, lambda: inner(depth - 1), ops.ELU], name="o")

    return da.sequential(lambda: inner(6), name="s")(x)


class Recording(RandomSearch):
    """Remember what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[FinishedTrial] = []

    def tell(self, trial: FinishedTrial) -> None:
        self.told.append(trial)


def run(
    searcher: Searcher, first: Iterable[Any], space: da.SearchSpace = net, trials: int = 8, **kwargs: Any
) -> Search:
    """Run a search that scores the first width, or how many hyperparameters there are."""
    search = da.search(space, searcher, trials=trials, seed=0, first=first, **kwargs)
    for trial in search:
        trial.tell(trial.values.get("repeat[0]/u", len(trial.values)), slopes={} if trial.relaxed else None)
    return search


def values_of(search: Search) -> list[dict[str, Any]]:
    return [dict(trial.values) for trial in search.trials]


WHOLE = {"n": 2, "repeat[0]/u": 7, "repeat[1]/u": 8}

SEARCHERS = [
    name
    for name, cls in inspect.getmembers(deep_arch.searchers, inspect.isclass)
    if issubclass(cls, Searcher)
    and not inspect.isabstract(cls)
    and name not in ("BestFirstSearch", "BottomUp")  # of which one needs holes, and one runs plain Python
]

WRAPPED: dict[str, Callable[[], Searcher]] = {
    "EarlyStopping": lambda: EarlyStopping(RandomSearch(), median_rule()),
    "Feasible": lambda: Feasible(RandomSearch(), lambda architecture: True),
    "NoRepeats": lambda: NoRepeats(LocalSearch()),
    "Partitioned": lambda: Partitioned(
        [(lambda point: point.name == "n", MonteCarloTreeSearch()), (lambda point: point.name != "n", LocalSearch())]
    ),
    "WidestFirst": lambda: WidestFirst(RandomSearch(), trials=12),
    "WarmStart": lambda: WarmStart(Hyperband(), [FinishedTrial(0, {"n": 1, "repeat[0]/u": 3}, (1.0,))]),
}


def made(name: str) -> Searcher:
    searcher: Searcher = WRAPPED[name]() if name in WRAPPED else getattr(deep_arch.searchers, name)()
    return searcher


# --- what comes first ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SEARCHERS)
def test_every_searcher_begins_with_what_is_known(name: str) -> None:
    if name == "OptunaSearcher":
        pytest.importorskip("optuna")
    if name == "SurrogateSearch":
        pytest.importorskip("sklearn")
    first = [WHOLE, {"n": 3}, {"repeat[2]/u": 5}]
    search = run(made(name), first, trials=12)
    whole, some, deep, *_ = found = values_of(search)
    assert (whole, some["n"], deep["repeat[2]/u"]) == (WHOLE, 3, 5)
    assert len(found) == 12, "the searcher goes on"
    assert values_of(run(made(name), first, trials=12)) == found


def test_the_searcher_is_told_of_it_like_of_any_other() -> None:
    searcher = Recording()
    run(searcher, [WHOLE, {"n": 1}])
    assert searcher.told[0] == FinishedTrial(0, WHOLE, (7.0,))
    assert [trial.number for trial in searcher.told] == list(range(8))


def test_every_way_to_write_a_configuration() -> None:
    architecture = net.at(WHOLE)
    before = run(RandomSearch(), [WHOLE], trials=1)
    for given in (
        WHOLE,
        architecture,
        architecture.to_json(),
        json.loads(json.dumps(WHOLE)),
        before.best,
        before.results[0],
        {address: float(value) for address, value in WHOLE.items()},
    ):
        assert values_of(run(RandomSearch(), [given], trials=1)) == [WHOLE]
    assert values_of(run(RandomSearch(), (trial for trial in before.trials), trials=1)) == [WHOLE]
    flat = SPACES["flat"].sample(seed=1)  # with options that JSON does not hold
    assert values_of(run(RandomSearch(), [flat.to_json()], SPACES["flat"], 1)) == [flat.values]


def test_what_is_left_open_is_drawn_from_the_seed() -> None:
    def drawn(seed: int) -> list[dict[str, Any]]:
        return [dict(next(da.search(net, RandomSearch(), 1, seed, first=[{"n": 3}])).values)]

    assert drawn(0) == drawn(0) != drawn(1)
    assert drawn(0)[0]["n"] == 3


def test_what_leads_to_a_value_need_not_be_given() -> None:
    address = "s[0]/" + "o[3]/" * 6 + "u"
    for seed in range(3):
        assert next(da.search(nested, RandomSearch(), 1, seed, first=[{address: 4}])).values[address] == 4
    large = da.space(lambda x: da.repeat(lambda: ops.Dense(da.integer(1, 9, name="u")), da.integer(1, 200))(x))
    assert len(next(da.search(large, RandomSearch(), 1, 0, first=[{"repeat[199]/u": 4}])).values) == 201


def test_a_short_search_takes_the_first_of_them() -> None:
    search = run(RandomSearch(), [{"n": 1}, {"n": 2}, {"n": 3}], trials=2)
    assert [trial.values["n"] for trial in search.trials] == [1, 2]
    assert search.ending == "all 2 trials were given out"
    assert not run(RandomSearch(), [{"n": 1}], trials=0).trials


def test_a_repeat_is_answered_from_the_record() -> None:
    searcher = Recording()
    search = run(searcher, [WHOLE, WHOLE, {"n": 1}], trials=2)
    assert [trial.values["n"] for trial in search.trials] == [2, 1]
    assert [trial.number for trial in searcher.told] == [0, 0, 1]
    assert values_of(run(RandomSearch(), [WHOLE, WHOLE], trials=2, duplicates="give")) == [WHOLE, WHOLE]


def test_a_pickled_search_goes_on_with_the_rest_of_them() -> None:
    def searching() -> Search:
        search = da.search(net, MonteCarloTreeSearch(), trials=6, seed=0, first=[WHOLE, {"n": 3}, {"n": 1}])
        next(search).tell(1)
        return search

    searches = searching(), pickle.loads(pickle.dumps(searching()))
    for search in searches:
        for trial in search:
            trial.tell(len(trial.values))
    assert values_of(searches[0]) == values_of(searches[1])
    assert [values["n"] for values in values_of(searches[1])[:3]] == [2, 3, 1]


def test_several_threads_share_them() -> None:
    first = [{"n": n, "repeat[0]/u": u} for n in (1, 2, 3) for u in (10, 20, 30)]
    search = da.search(net, AsynchronousHalving(max_budget=9), trials=30, seed=0, first=first)

    def work() -> None:
        while (trial := search.ask()) is not None:
            trial.tell(trial.values["n"])

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work) for _ in range(4)]:
            done.result()
    given = [{key: trial.values[key] for key in ("n", "repeat[0]/u")} for trial in search.trials]
    assert given[:9] == first and len(given) == 30


def test_in_a_sub_space_they_are_of_that_one() -> None:
    fixed = net.fix({"n": 2})
    assert values_of(run(RandomSearch(), [{"repeat[0]/u": 9}], fixed, 1))[0]["n"] == 2
    assert values_of(run(RandomSearch(), [WHOLE], fixed, 1)) == [WHOLE]
    some = net.where(lambda point: point.name == "n")
    assert values_of(run(RandomSearch(), [{"n": 3}], some, 1)) == [{"n": 3}]
    grid = da.space(lambda x: ops.Dropout(da.real(0, 0.5))(x)).discretize(levels=3)
    assert values_of(run(RandomSearch(), [{"dropout.rate": 0.25}], grid, 1)) == [{"dropout.rate": 0.25}]
    with pytest.raises(
        UnreachedAddress, match=r"first\[0\]: repeat\[0\]/u: is left open(.|\n)*`where`(.|\n)*Got 7 for it"
    ):
        run(RandomSearch(), [WHOLE], some)
    assert values_of(run(RandomSearch(), [WHOLE], some.fix({"repeat[0]/u": 7, "repeat[1]/u": 8}), 1)) == [WHOLE]
    for space, given, error in (
        (fixed, {"n": 3}, ValueOutsideDomain),
        (some, WHOLE, UnreachedAddress),
        (grid, {"dropout.rate": 0.3}, ValueOutsideDomain),
        (
            SPACES["limited"],
            {"or.which": "sum", "or[sum]/expression/or[sum]/expression/or.which": "sum"},
            DeepArchError,
        ),
    ):
        with pytest.raises(error, match=r"^search: first\[1\]: "):
            run(RandomSearch(), [{}, given], space)


# --- what searchers make of it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [Hyperband, SuccessiveHalving, BOHB, AsynchronousHalving])
def test_with_budgets_they_begin_small_and_compete(make: Any) -> None:
    good, poor = {"n": 1, "repeat[0]/u": 100}, {"n": 1, "repeat[0]/u": 1}
    search = run(make(max_budget=9), [poor, good], trials=40)
    budgets = [(trial.values, trial.budget) for trial in search.trials]
    assert budgets[:2] == [(poor, 1), (good, 1)]
    assert (good, 3) in budgets and (good, 9) in budgets and (poor, 3) not in budgets
    continued = next(trial for trial in search.trials if trial.values == good and trial.budget == 3)
    assert continued.continues == 1


def test_more_of_them_than_a_bracket_begins_with_make_it_larger() -> None:
    first = [{"n": 1, "repeat[0]/u": u} for u in range(1, 13)]
    search = run(SuccessiveHalving(max_budget=9), first, trials=17)
    assert [trial.budget for trial in search.trials] == [1] * 12 + [3] * 4 + [9]
    assert search.trials[-1].values == first[-1]


def test_they_take_the_place_of_what_a_bracket_would_draw() -> None:
    search = run(SuccessiveHalving(max_budget=9), [WHOLE, {"n": 1}], trials=13)
    assert [trial.budget for trial in search.trials] == [1] * 9 + [3] * 3 + [9]


def test_a_tree_learns_from_them() -> None:
    searcher = MonteCarloTreeSearch()
    search = da.search(net, searcher, trials=3, seed=0, first=[WHOLE, {"n": 1}])
    for scored, trial in enumerate(search, 1):
        trial.tell(scored)
        root = searcher.state_dict()["tree"][0]
        assert root[2:4] == [scored, scored], "visits, and those with a score"
    assert searcher.state_dict()["range"] == [1.0, 3.0]


def test_local_search_climbs_from_it() -> None:
    line = da.space(lambda x: ops.Dense(da.integer(1, 10**6, name="u"))(x))
    search = da.search(line, LocalSearch(), trials=4, seed=0, first=[{"u": 500_000}])
    for trial in search:
        trial.tell(-abs(trial.values["u"] - 500_000))
    assert {trial.values["u"] for trial in search.trials[1:3]} == {499_999, 500_001}


def test_a_grid_goes_through_the_rest() -> None:
    space = da.space(lambda x: ops.Dense(da.choice([1, 2, 3, 4], name="u"))(x))
    search = run(GridSearch(), [{"u": 3}], space)
    assert [trial.values["u"] for trial in search.trials] == [3, 1, 2, 4]


def test_what_is_left_open_is_feasible_and_what_is_given_need_not_be() -> None:
    def small(architecture: da.Architecture) -> bool:
        return all(call.module.arguments["units"] < 50 for call in architecture.graph.calls)

    search = run(Feasible(RandomSearch(), small), [{"n": 3}, {"n": 1, "repeat[0]/u": 90}], trials=5)
    assert [trial.values.get("repeat[0]/u", 0) < 50 for trial in search.trials] == [True, False, True, True, True]
    none = run(Feasible(RandomSearch(), lambda architecture: False, attempts=3), [{"n": 3}], trials=1)
    assert none.trials[0].values["n"] == 3


def test_without_repeats_they_are_not_proposed_again() -> None:
    space = da.space(lambda x: ops.Dense(da.choice([1, 2, 3], name="u"))(x))
    searcher = NoRepeats(RandomSearch())
    searcher.start(space, random.Random(0))
    assert searcher.propose({"u": 2}) == {"u": 2}
    proposed = [searcher.ask() for _ in range(2)]
    assert sorted(values["u"] for values in proposed if values) == [1, 3]


def test_parts_are_told_of_their_own() -> None:
    told: dict[str, list[Values]] = {"n": [], "u": []}

    class Part(RandomSearch):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def tell(self, trial: FinishedTrial) -> None:
            told[self.name].append(dict(trial.values))

    parts = [(lambda point: point.name == "n", Part("n")), (lambda point: point.name == "u", Part("u"))]
    run(Partitioned(parts), [WHOLE], trials=1)
    assert told["n"] == [{"n": 2}]
    with pytest.raises(BadArgument, match="expected parts without budgets"):
        run(Partitioned([(lambda point: True, Hyperband())]), [WHOLE])


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "error", "message"),
    [
        ([{"n": 2}, {"m": 2}], UnknownAddress, r"search: first\[1\]: m: space `net` has no such hyperparameter"),
        ([{"n": 7}], ValueOutsideDomain, r"search: first\[0\]: n: 7 is not an integer from 1 to 3"),
        ([WHOLE, {"repeat[0]/u": 0}], ValueOutsideDomain, r"search: first\[1\]: repeat\[0\]/u: 0 is not an integer"),
        ([{"n": 1, "repeat[1]/u": 3}], UnreachedAddress, r"search: first\[0\]: repeat\[1\]/u: is not reached"),
        ([{"repeat[3]/u": 3}], UnknownAddress, r"search: first\[0\]: repeat\[3\]/u: space `net` has no such"),
        (["n = 2"], BadArgument, r"search: first\[0\]: from_json: expected the text that Architecture.to_json writes"),
        ([{}, 2], BadArgument, r"search: first\[1\]: net: expected a mapping(.|\n)*Got 2 \(int\)"),
        ({"n": 2}, BadArgument, r"search: expected first to be a list(.|\n)*Got {'n': 2} \(dict\)(.|\n)*first=\[{"),
        (2, BadArgument, r"search: expected first to be a list"),
        ("n", BadArgument, r"search: expected first to be a list"),
        ([nested.sample(seed=0)], UnknownAddress, r"search: first\[0\]: s\[0\]/"),
    ],
)
def test_what_is_not_of_the_space_is_refused_when_given(first: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        da.search(net, RandomSearch(), trials=3, seed=0, first=first)


def test_a_searcher_that_ignores_them_is_no_architecture_of_another_space() -> None:
    class Elsewhere(RandomSearch):
        def propose(self, values: Mapping[str, Any]) -> Values:
            return {"m": 2}

    with pytest.raises(UnknownAddress):
        next(da.search(net, Elsewhere(), trials=3, seed=0, first=[{"n": 2}]))


def test_what_a_domain_depends_on_is_found_for_a_value() -> None:
    def rising(x: Any) -> Any:
        a = da.integer(0, 20, name="a")
        b = da.integer(a + 1, 21, name="b")
        return ops.Dense(da.integer(b + 1, 22, name="c"))(x)

    space = da.space(rising)
    for first in ({"c": 5}, {"b": 3}, {"b": 21}, {"a": 7, "c": 22}):
        values = values_of(run(RandomSearch(), [first], space, trials=1))[0]
        assert {**values, **first} == values and space.at(values).is_specified
    for first in ({"c": 99}, {"b": 0}, {"a": 4, "c": 5}):
        with pytest.raises(ValueOutsideDomain, match=r"search: first\[0\]: [bc]: "):
            da.search(space, RandomSearch(), trials=1, seed=0, first=[first])

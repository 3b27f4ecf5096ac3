"""The searcher keeps its contract, finds what exact relaxations lead to, and proposes programs with holes."""

from __future__ import annotations

import itertools
import json
import math
import random
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, NotSpecified, TrialError
from deep_arch.searchers import BestFirstSearch
from deep_arch.studies.searcher import FinishedTrial, Values
from deep_arch.testing.searcher_contract import SearcherContract
from deep_arch.testing.searcher_spaces import SPACES, holed, recursive

WITHOUT_HOLES = frozenset(SPACES) - {"constant", "holed"}
PRICES = {"leaf": 0.01, "layer": 0.02, "sum": 0.03}

limited = holed.limit(max_depth=3)


class TestBestFirstSearch(SearcherContract):
    refused = WITHOUT_HOLES
    proposes_holes = True

    def make(self) -> BestFirstSearch:
        return BestFirstSearch(frontier=6)


class TestDepthFirst(SearcherContract):
    refused = WITHOUT_HOLES
    proposes_holes = True

    def make(self) -> BestFirstSearch:
        return BestFirstSearch(order="depth", frontier=6, first_depth=1)


def quality(values: Values, seed: int = 0) -> float:
    """Return what a program gains, as a number that nothing tells in advance."""
    return random.Random(f"{seed} {sorted(map(str, values.items()))}").random()


def cost(values: Values) -> float:
    return math.fsum([PRICES.get(value, 0.0) for value in values.values()])


class Exact:
    """Scores of programs, and of relaxations the best that may come of them, which is admissible without slack."""

    def __init__(self, seed: int) -> None:
        self.programs = {a.to_json(): a.values for a in limited.enumerate()}
        self.gains = {text: quality(values, seed) for text, values in self.programs.items()}
        self.least = min([cost(values) - self.gains[text] for text, values in self.programs.items()])

    def __call__(self, architecture: da.Architecture) -> float:
        if not architecture.holes:
            return self.gains[architecture.to_json()]
        decided = {address: value for address, value in architecture.values.items() if value != "hole"}
        below = [
            cost(values) - self.gains[text]
            for text, values in self.programs.items()
            if decided.items() <= values.items()
        ]
        return cost(decided) - min(below)


def searched(searcher: BestFirstSearch, score: Any, space: da.SearchSpace = limited, trials: int = 10_000) -> da.Search:
    search = da.search(space, searcher, trials=trials, seed=0, duplicates="give")
    for trial in search:
        trial.tell(score(trial.architecture))
    return search


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "searcher", [BestFirstSearch(PRICES), *[BestFirstSearch(PRICES, "depth", first_depth=n) for n in (1, 2, 9)]]
)
def test_exact_relaxations_lead_to_the_best_program(searcher: BestFirstSearch, seed: int) -> None:
    score = Exact(seed)
    search = searched(searcher, score)
    assert searcher.best is not None and search.ending == "the searcher had nothing left to propose"
    assert cost(searcher.best) - score.gains[limited.at(searcher.best).to_json()] == pytest.approx(score.least)
    assert len(search.trials) < 80, "few of the 147 programs, and of the relaxations around them"


def test_relaxations_that_promise_too_much_lead_to_every_program() -> None:
    for order in ("best", "depth"):
        searcher = BestFirstSearch(PRICES, order)
        search = searched(searcher, lambda a: 1e3 if a.holes else quality(a.values))
        proposed = [trial.architecture for trial in search.trials]
        assert {a for a in proposed if not a.holes} == {*limited.enumerate()}
        assert len({*proposed}) == len(proposed), "nothing twice"
        best = max(limited.enumerate(), key=lambda a: quality(a.values) - cost(a.values))
        assert searcher.best == best.values


def test_what_is_no_better_than_the_best_program_is_dropped() -> None:
    search = searched(BestFirstSearch(PRICES), lambda a: 0.0 if a.holes else float(a.values["term/or.which"] == "leaf"))
    assert [len(trial.architecture.holes) for trial in search.trials] == [0, 0, 0, 2]


def test_a_failed_relaxation_drops_what_it_stands_for() -> None:
    search = da.search(limited, BestFirstSearch(), trials=100, seed=0)
    for trial in search:
        if trial.architecture.holes:
            trial.fail("diverged")
        else:
            trial.tell(0.0)
    assert [trial.state for trial in search.trials] == ["complete"] * 3 + ["failed"]


@pytest.mark.parametrize("order", ["best", "depth"])
def test_no_more_are_kept_than_the_frontier_holds(order: Any) -> None:
    searcher = BestFirstSearch(PRICES, order, frontier=2, first_depth=1)
    searcher.start(holed, random.Random(0))
    for number in range(200):
        values = searcher.ask()
        assert values is not None
        score = quality(values) + (10 if holed.proposed(values).holes else 0)
        searcher.tell(FinishedTrial(number, values, (score,)))
        state = searcher.state_dict()
        assert len(state["kept"]) <= 2
    losses = [node[0] for node in state["kept"]]
    assert losses == sorted(losses, reverse=True)


def test_the_orders_differ_in_what_is_decided_next() -> None:
    histories: dict[str, list[list[int]]] = {}
    for order in ("best", "depth"):
        search = da.search(holed, BestFirstSearch(0.0, order, first_depth=3), trials=60, seed=0, duplicates="give")
        histories[order] = []
        for batch in search.batches(100):
            histories[order].append(sorted({len(trial.values) for trial in batch}))
            for trial in batch:  # the larger, the worse
                trial.tell(10.0 - len(trial.values) if trial.architecture.holes else -100.0)
    assert histories["best"] != histories["depth"]
    deepest = [max(sizes) for sizes in histories["best"]]
    assert deepest == sorted(deepest), "what is small goes first"
    deepest = [max(sizes) for sizes in histories["depth"]]
    assert deepest != sorted(deepest), "deep first, then back"


@pytest.mark.parametrize("order", ["best", "depth"])
def test_trials_out_at_once_change_nothing(order: Any) -> None:
    histories: list[list[Values]] = []
    for n in (1, 4, 1000):
        search, rng = da.search(holed, BestFirstSearch(PRICES, order), trials=150, seed=0), random.Random(n)
        for batch in search.batches(n):
            for trial in rng.sample(batch, len(batch)):
                trial.tell(quality(trial.values) + len(trial.architecture.holes))
        histories.append([trial.values for trial in search.trials])
    assert histories[0] == histories[1] == histories[2] and len(histories[0]) == 150


@pytest.mark.parametrize("order", ["best", "depth"])
def test_it_goes_on_from_its_state_at_any_point(order: Any) -> None:
    score = Exact(3)
    expected = [t.values for t in searched(BestFirstSearch(PRICES, order), score).trials]
    for stop in range(1, len(expected), 5):
        one, two = BestFirstSearch(PRICES, order), BestFirstSearch(PRICES, order)
        for searcher in (one, two):
            searcher.start(limited, random.Random(0))
        for number, values in enumerate(itertools.islice(iter(one.ask, None), stop)):
            one.tell(FinishedTrial(number, values, (score(limited.proposed(values)),)))
        out = one.ask()  # one is out meanwhile
        two.load_state_dict(json.loads(json.dumps(one.state_dict(), allow_nan=False)))
        assert two.best == one.best
        if out is None:
            continue
        two.tell(FinishedTrial(stop, out, (score(limited.proposed(out)),)))
        rest = [out]
        for number, values in enumerate(iter(two.ask, None), stop + 1):
            rest.append(values)
            two.tell(FinishedTrial(number, values, (score(limited.proposed(values)),)))
        assert rest == expected[stop:]


def test_relaxations_are_never_the_best() -> None:
    searcher = BestFirstSearch(0.0)
    search = da.search(limited, searcher, trials=20, seed=0)
    for trial in search:
        trial.tell(trial.number if trial.architecture.holes else -float(trial.number))
        if not any(not other.architecture.holes for other in search.trials):
            with pytest.raises(TrialError, match="no trial is complete"):
                _ = search.best
    assert any(trial.architecture.holes for trial in search.trials)
    assert not search.best.architecture.holes and searcher.best == search.best.values
    assert all(not trial.architecture.holes for trial in search.front)


def test_what_the_user_has_in_mind_prunes_too() -> None:
    known = next(a.values for a in limited.enumerate() if len(a.values) > 3)
    search = da.search(limited, BestFirstSearch(PRICES), trials=100, seed=0, first=[known])
    for trial in search:
        trial.tell(1.0 if trial.values == known else 0.0)
    assert search.trials[0].values == known and search.best.number == 0
    assert len(search.trials) == 5, "the first decision, of which nothing promises more"


def test_prices_of_each_kind() -> None:
    for price in (0.1, {"sum": 0.1}, lambda address, value: 0.1 * (value == "sum")):
        search = searched(BestFirstSearch(price), lambda a: 0.0)
        assert len(search.trials) == 4 and search.best.values == {"term/or.which": "leaf"}


def test_choices_without_holes_are_tried_in_every_way() -> None:
    @da.space
    def mixed(x: Any) -> Any:
        x = ops.Dense(units=da.choice([2, 4]))(x)
        return da.or_({"a": ops.ReLU, "b": lambda: ops.Dropout(rate=da.choice([0.1, 0.2, 0.3]))}, hole=ops.Tanh)(x)

    search = searched(BestFirstSearch(), lambda a: float(bool(a.holes)), mixed)
    assert [len(trial.architecture.holes) for trial in search.trials] == [1] * 2 + [0] * 8
    assert {t.architecture for t in search.trials[2:]} == {*mixed.enumerate()}


@pytest.mark.parametrize("name", sorted(WITHOUT_HOLES))
def test_it_says_why_it_refuses_a_space(name: str) -> None:
    with pytest.raises(
        BadArgument, match=r"\w+: expected a (space with holes|choice with a hole)(.|\n)*da.or_\(..., h"
    ):
        BestFirstSearch().start(SPACES[name], random.Random(0))


def test_it_refuses_what_cannot_be_relaxed() -> None:
    @da.space
    def real(x: Any) -> Any:
        return da.or_({"a": ops.ReLU, "b": lambda: ops.Dropout(rate=da.real(0, 0.5))}, hole=ops.Tanh)(x)

    with pytest.raises(BadArgument, match=r"or\[b\]/dropout.rate: expected a choice with a hole(.|\n)*discretize"):
        BestFirstSearch().start(real, random.Random(0))
    assert len(searched(BestFirstSearch(), lambda a: 0.0, real.discretize(levels=3)).trials) == 4
    endless = da.space(lambda x: da.or_({"shallow": ops.ReLU, "deep": lambda: recursive}, hole=ops.Tanh)(x))
    with pytest.raises(BadArgument, match=r"expression/or\[sum\](.|\n)*more than 300 partial programs"):
        BestFirstSearch().start(endless, random.Random(0))
    inside = da.space(lambda x: da.or_([ops.ReLU], hole=lambda: ops.Dense(da.choice([2, 4])))(x))
    twice = da.space(lambda x: inside(inside(x)))
    searcher = BestFirstSearch()
    searcher.start(twice, random.Random(0))
    with pytest.raises(NotSpecified, match=r"or\[hole\]/dense.units: is open, and has no hole"):
        searcher.ask()


def test_wrong_arguments_are_told() -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"price": -1}, "price is a number of at least 0"),
        ({"price": {"sum": math.nan}}, r"price\['sum'\] is a number of at least 0"),
        ({"order": "worst"}, "order is 'best' or 'depth'"),
        ({"frontier": 0}, "frontier is an int of at least 1"),
        ({"first_depth": 1.5}, "first_depth is an int of at least 1"),
    ]
    for arguments, text in wrong:
        with pytest.raises(BadArgument, match=f"BestFirstSearch: {text}"):
            BestFirstSearch(**arguments)
    with pytest.raises(BadArgument, match=r"price\('term/or.which', 'leaf'\) is a number of at least 0"):
        searched(BestFirstSearch(lambda _address, _value: -1.0), lambda a: 0.0)

"""Every searcher searches domains that depend on other hyperparameters, and proposes valid values only."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops, searchers
from deep_arch.language.domains import REJECTED
from deep_arch.spaces.unfolding import unfold
from deep_arch.testing.searcher_spaces import DEPENDING

SEARCHERS: dict[str, Callable[[], da.Searcher]] = {
    "random": searchers.RandomSearch,
    "evolution": lambda: searchers.RegularizedEvolution(population=8, sample=3),
    "genetic": lambda: searchers.GeneticAlgorithm(population=6),
    "branches": lambda: searchers.GeneticAlgorithm(population=6, crossover=searchers.cross_branches),
    "subtrees": lambda: searchers.GeneticAlgorithm(
        population=6, crossover=searchers.cross_subtrees, mutation=searchers.mutate_subtree
    ),
    "nsga2": lambda: searchers.NSGA2(population=6),
    "local": searchers.LocalSearch,
    "tree": searchers.MonteCarloTreeSearch,
    "reinforce": searchers.Reinforce,
    "proximal": lambda: searchers.ProximalPolicy(batch=4),
    "bohb": lambda: searchers.BOHB(max_budget=3, random_fraction=0.1, least_points=2),
    "hyperband": lambda: searchers.Hyperband(max_budget=3),
    "surrogate": lambda: searchers.SurrogateSearch(initial=4, candidates=10, pool=20),
    "forest": lambda: searchers.SurrogateSearch("forest", initial=4, candidates=10, pool=20),
    "optuna": searchers.OptunaSearcher,
    "partitioned": lambda: searchers.Partitioned(
        [
            (lambda p: p.name in ("a", "c", "width", "n"), searchers.LocalSearch()),
            (lambda p: p.name not in ("a", "c", "width", "n"), searchers.Reinforce()),
        ]
    ),
    "no repeats": lambda: searchers.NoRepeats(searchers.MonteCarloTreeSearch()),
}


def assert_valid(space: da.SearchSpace, values: da.Values) -> None:
    """Check each value against the domain at the values before it, which are found anew without memory."""

    def choose(hyperparameter: Any, address: str, _frame: Any) -> Any:
        kept = hyperparameter.domain.accept(values[address])
        assert kept is not REJECTED, f"{address}: {values[address]!r} is not {hyperparameter.domain}"
        assert type(kept) is type(values[address])
        assert repr(kept) == repr(values[address])
        return values[address]

    unfold(space.program, choose)


@pytest.mark.parametrize("space", ["rising", "dividing", "narrowing", "gridded"])
@pytest.mark.parametrize("name", SEARCHERS)
def test_every_value_is_valid_and_kept_by_json_and_state(name: str, space: str) -> None:
    searched = DEPENDING[space]
    searcher, other = SEARCHERS[name](), SEARCHERS[name]()
    searcher.start(searched, random.Random(1))
    for number in range(40):
        values = searcher.ask()
        assert values is not None
        assert_valid(searched, values)
        architecture = searched.at(values)
        again = da.Architecture.from_json(architecture.to_json(), searched)
        assert again == architecture
        assert list(again.values.items()) == list(architecture.values.items())
        score = zlib.crc32(architecture.to_json().encode()) / 2**32
        searcher.tell(da.FinishedTrial(number, architecture.values, (score,), budget=searcher.budget(values)))
        if number == 25:
            other.start(searched, random.Random(2))
            other.load_state_dict(json.loads(json.dumps(searcher.state_dict())))
        if number > 25:
            same = other.ask()
            assert same == values
            budget = other.budget(values)
            other.tell(da.FinishedTrial(number, architecture.values, (score,), budget=budget))


@pytest.mark.filterwarnings("error")
def test_optuna_finds_every_number_of_a_step_that_is_no_decimal() -> None:
    space = da.space(lambda x: ops.Scale(initial=da.real(0.5, 1.1, step=0.1 * 3, name="h"))(x))
    searcher = searchers.OptunaSearcher()
    searcher.start(space, random.Random(0))
    found = set[float]()
    for number in range(30):
        values = searcher.ask() or {}
        found.add(values["h"])
        searcher.tell(da.FinishedTrial(number, values, (float(number % 3),)))
    assert found == {0.5, 0.8, 1.1}

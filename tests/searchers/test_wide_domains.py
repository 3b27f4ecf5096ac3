"""No searcher lists a wide domain, or learns a number for each of its values."""

from __future__ import annotations

import itertools
import random
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import deep_arch as da
from deep_arch import searchers
from deep_arch.language.domains import Choice, Integer
from deep_arch.language.subsets import Permutation, Subset
from deep_arch.measures.fingerprints import kind_of

DOMAINS: dict[str, Callable[[], Any]] = {
    "subset": lambda: da.subset(range(10_000), 10, name="h"),
    "ordered": lambda: da.subset(range(10_000), 10, ordered=True, name="h"),
    "choice": lambda: da.choice(range(100_000), name="h"),
    "words": lambda: da.choice([f"word {i}" for i in range(100_000)], name="h"),
    "integer": lambda: da.integer(0, 10**9, name="h"),
    "order": lambda: da.permutation(range(200), name="h"),
}

SEARCHERS: dict[str, Callable[[], Any]] = {
    "evolution": lambda: searchers.RegularizedEvolution(population=4, sample=2),
    "genetic": lambda: searchers.GeneticAlgorithm(population=4),
    "local": searchers.LocalSearch,
    "tree": searchers.MonteCarloTreeSearch,
    "reinforce": searchers.Reinforce,
    "proximal": lambda: searchers.ProximalPolicy(batch=4),
    "bohb": lambda: searchers.BOHB(max_budget=3, least_points=2),
    "surrogate": lambda: searchers.SurrogateSearch(initial=4, candidates=10, pool=20),
    "optuna": searchers.OptunaSearcher,
}


def searched(searcher: da.Searcher, domain: str, n_trials: int = 16) -> None:
    make = DOMAINS[domain]
    space = da.space(lambda x: da.wrap(dict)(value=make())(x))
    searcher.start(space, random.Random(0))
    for number in range(n_trials):
        values = searcher.ask()
        assert values is not None
        score = zlib.crc32(repr(values).encode()) / 2**32
        architecture = space.at(values)
        searcher.tell(da.FinishedTrial(number, architecture.values, (score,), budget=searcher.budget(values)))


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many values and neighbours each listing gave."""
    counts: list[int] = []

    def counted(method: Any) -> Any:
        def listing(self: Any, *arguments: Any) -> Iterator[Any]:
            counts.append(0)
            place = len(counts) - 1
            for value in method(self, *arguments):
                counts[place] += 1
                yield value

        return listing

    for kind, name in itertools.product((Choice, Integer, Subset, Permutation), ("values", "neighbours")):
        if name in vars(kind):
            monkeypatch.setattr(kind, name, counted(vars(kind)[name]))
    return counts


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("name", SEARCHERS)
def test_no_searcher_lists_a_wide_domain(name: str, domain: str, listed: list[int]) -> None:
    searched(SEARCHERS[name](), domain)
    assert max(listed, default=0) <= 1001


@pytest.mark.parametrize("domain", DOMAINS)
def test_features_of_a_wide_domain_are_few(domain: str) -> None:
    searcher = searchers.SurrogateSearch(initial=4, candidates=30, pool=100)
    searched(searcher, domain, 30)
    assert len(searcher._table.columns) <= 64 + 10 + (200 if domain == "order" else 10)  # pyright: ignore[reportPrivateUsage]
    assert len(searcher._table.blocks()) < 10  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("domain", ["subset", "choice", "words"])
def test_a_policy_has_numbers_for_what_was_picked(domain: str) -> None:
    searcher = searchers.Reinforce()
    searched(searcher, domain, 30)
    assert len(searcher.policy.state_dict(searcher.encode)["parameters"]) <= 30 * (10 if domain == "subset" else 1)


def test_a_policy_learns_which_of_many_options_are_good() -> None:
    space = da.space(lambda x: da.wrap(dict)(value=da.choice(range(100), name="h"))(x))
    searcher, rng = searchers.Reinforce(learning_rate=0.1, entropy=0.0), random.Random(0)
    searcher.start(space, rng)
    for number in range(600):
        values = searcher.ask()
        assert values is not None
        searcher.tell(da.FinishedTrial(number, values, (1.0 if values["h"] < 10 else 0.0,)))
    (decision,) = searcher.policy.picks({"h": 3})
    drawn = [decision[0].draw(rng) for _ in range(200)]
    assert sum(value < 10 for value in drawn) > 150  # 20 of the uniform distribution


def test_a_wide_choice_makes_no_kind_of_call_for_each_option() -> None:
    space = da.space(lambda x: da.wrap(dict)(value=DOMAINS["choice"]())(x))
    first, second = [space.at({"h": value}) for value in (3, 4)]
    kinds = [kind_of(architecture.graph.calls[0]) for architecture in (first, second)]
    assert kinds[0].sort == kinds[1].sort
    assert first.fingerprint() != second.fingerprint()

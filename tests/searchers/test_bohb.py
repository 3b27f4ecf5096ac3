"""BOHB: what it learns from, what it proposes, and that it finds more than Hyperband and random search."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searchers import BOHB, Hyperband, RandomSearch
from deep_arch.studies.searcher import FinishedTrial, Searcher, Values
from deep_arch.testing.searcher_contract import SearcherContract
from deep_arch.testing.searcher_spaces import SPACES


class TestBOHB(SearcherContract):
    def make(self) -> BOHB:
        return BOHB(max_budget=3, samples=4, least_points=3)


@da.space
def letters(x: Any) -> Any:
    da.config(**{f"edge{i}": da.choice(list("abcde")) for i in range(4)})
    return ops.ReLU()(x)


@da.space
def branches(x: Any) -> Any:
    """Have other hyperparameters in each branch."""
    dense = lambda: ops.Dense(units=da.integer(1, 1000, log=True))  # noqa: E731
    return da.or_({"short": dense, "long": lambda: da.repeat(dense, da.integer(2, 4))})(x)


def taught(
    space: da.SearchSpace, score: Callable[[Values], float | None], budgets: dict[int, int], **options: Any
) -> BOHB:
    """Return a searcher that was told of random configurations, so many with each budget."""
    searcher = BOHB(**options)
    searcher.start(space, random.Random(0))
    for budget, n in budgets.items():
        for number in range(n):
            values = space.sample(seed=1000 * budget + number).values
            found = score(values)
            told = FinishedTrial(number, values, () if found is None else (found,), budget=budget)
            searcher.tell(told)
    return searcher


def drawn(searcher: BOHB, n: int = 20) -> list[Values]:
    return [searcher._draw(searcher.space, searcher.rng) for _ in range(n)]  # pyright: ignore[reportPrivateUsage]


def n_a(values: Values) -> float:
    return list(values.values()).count("a")


def test_it_draws_near_what_was_good() -> None:
    searcher = taught(letters, n_a, {1: 60}, random_fraction=0)
    assert sum(map(n_a, drawn(searcher))) / 20 > 2.3
    at_random = taught(letters, n_a, {1: 60}, random_fraction=1)
    assert sum(map(n_a, drawn(at_random))) / 20 < 1.2


def test_it_learns_from_the_largest_budget_with_enough_results() -> None:
    def by_budget(least: int) -> float:
        # Small budgets mislead: they praise "b".
        searcher = taught(
            letters, lambda v: list(v.values()).count("b"), {1: 60}, random_fraction=0, least_points=least
        )
        for number in range(30):
            values = letters.sample(seed=number).values
            searcher.tell(FinishedTrial(number, values, (n_a(values),), budget=9))
        return sum(map(n_a, drawn(searcher))) / 20

    assert by_budget(least=5) > 1.5
    assert by_budget(least=50) < 1


def test_too_few_results_leave_it_at_random() -> None:
    # Four hyperparameters: five good ones at least, and two results more.
    untaught, at_random = taught(letters, n_a, {1: 6}, random_fraction=0), random.Random(0)
    assert drawn(untaught, 3) == [letters.sample(at_random).values for _ in range(3)]
    enough, at_random = taught(letters, n_a, {1: 7}, random_fraction=0), random.Random(0)
    assert drawn(enough, 3) != [letters.sample(at_random).values for _ in range(3)]


def test_failed_trials_are_bad_ones() -> None:
    fails_without_a = taught(letters, lambda v: 1.0 if v["edge0"] == "a" else None, {1: 80}, random_fraction=0)
    assert Counter(values["edge0"] for values in drawn(fails_without_a))["a"] > 15
    all_failed = taught(letters, lambda v: None, {1: 80}, random_fraction=0)
    assert len(drawn(all_failed)) == 20


def test_it_learns_which_branch_and_what_in_it() -> None:
    def score(values: Values) -> float:
        if values["or.which"] == "short":
            return 0.0
        units = [value for address, value in values.items() if address.endswith("units")]
        return len(units) - sum(abs(math.log(value / 100)) for value in units)

    searcher = taught(branches, score, {1: 150}, random_fraction=0)
    found = drawn(searcher)
    assert sum(map(score, found)) / 20 > sum(score(branches.sample(seed=i).values) for i in range(200)) / 200 + 2


def test_a_recursion_that_cannot_end_costs_only_samples() -> None:
    space = SPACES["limited"]
    searcher = taught(space, lambda values: len(values), {1: 60}, random_fraction=0, least_points=5)
    for values in drawn(searcher):
        assert space.at(values).is_specified


def test_a_result_told_twice_counts_once() -> None:
    once = taught(letters, n_a, {1: 40}, random_fraction=0)
    twice = taught(letters, n_a, {1: 40}, random_fraction=0)
    for number in range(40):
        values = letters.sample(seed=1000 + number).values
        twice.tell(FinishedTrial(number, values, (n_a(values),), budget=1))
    assert drawn(once) == drawn(twice)


def test_the_densities_resume() -> None:
    searcher = taught(letters, lambda v: n_a(v) or None, {1: 40, 3: 5})
    resumed = BOHB()
    resumed.start(letters, random.Random(1))
    resumed.load_state_dict(json.loads(json.dumps(searcher.state_dict(), allow_nan=False)))
    assert drawn(resumed) == drawn(searcher)


# --- against others --------------------------------------------------------------------------------------------------


@da.space
def counting(x: Any) -> Any:
    """Count ones, by choice or in draws with a chosen probability: the toy problem of the paper, section 5.1."""
    da.config(**{f"bit{i}": da.boolean() for i in range(4)}, **{f"chance{i}": da.real(0, 1) for i in range(4)})
    return ops.ReLU()(x)


def reached(searcher: Searcher, seed: int) -> float:
    """Return the true value of what is best with the largest budget, after a total of 50 times as much."""
    rng, spent = random.Random(seed), 0
    search = da.search(counting, searcher, 10**4, seed=seed)
    for trial in search:
        budget = int(trial.budget or 27)
        bits, chances = list(trial.values.values())[:4], list(trial.values.values())[4:]
        spent += budget
        trial.tell(sum(bits) + sum(sum(rng.random() < p for _ in range(budget)) / budget for p in chances))
        if spent >= 27 * 50:
            break
    best = max([t for t in search.trials if t.budget in (None, 27)], key=lambda t: t.score or 0)
    return float(sum(best.values.values()))


def test_it_beats_hyperband_and_random_search() -> None:
    makers: list[Callable[[], Searcher]] = [lambda: BOHB(1, 27), lambda: Hyperband(1, 27), RandomSearch]
    ours, hyperband, at_random = (sum(reached(make(), seed) for seed in range(4)) / 4 for make in makers)
    assert ours > max(hyperband, at_random) + 0.3


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"gamma": 2}, r"BOHB: gamma is a number from 0 to 1\.\n  Got 2 \(int\)"),
        ({"random_fraction": -0.1}, r"BOHB: random_fraction is a number from 0 to 1"),
        ({"bandwidth_factor": None}, r"BOHB: bandwidth_factor is a number of at least 0"),
        ({"samples": 0}, r"BOHB: samples is an int of at least 1\.\n  Got 0"),
        ({"least_points": 0}, r"BOHB: least_points is an int of at least 1\.\n  Got 0"),
        ({"eta": 1}, r"eta is an int of at least 2"),
    ],
)
def test_wrong_arguments_are_refused(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(BadArgument, match=text):
        BOHB(**wrong)

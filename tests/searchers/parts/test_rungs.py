"""Rungs: which budgets there are, who goes on, and which results count."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deep_arch.errors import BadArgument
from deep_arch.searchers import AsynchronousHalving, Hyperband, SuccessiveHalving
from deep_arch.searchers.parts.rungs import Rung, rung_budgets
from deep_arch.studies.searcher import FinishedTrial


def budgets(low: float, high: float, eta: int = 3) -> tuple[float, ...]:
    return rung_budgets(Hyperband(), low, high, eta)


def test_budgets_are_powers_of_eta_below_the_largest() -> None:
    assert budgets(1, 81) == (1, 3, 9, 27, 81)
    assert budgets(2, 81) == (3, 9, 27, 81)
    assert budgets(1, 100) == (1, 3, 11, 33, 100)
    assert budgets(5, 5) == (5,)
    assert budgets(1, 16, eta=2) == (1, 2, 4, 8, 16)
    assert all(type(budget) is int for budget in budgets(1, 100))


def test_fractions_stay_fractions() -> None:
    assert budgets(0.1, 0.3) == pytest.approx((0.1, 0.3))
    assert budgets(1.0, 10) == pytest.approx((10 / 9, 10 / 3, 10))


def told(units: int, score: float | None, budget: float = 1) -> FinishedTrial:
    values = {"units": units}
    if score is None:
        return FinishedTrial(units, values, state="failed", budget=budget)
    return FinishedTrial(units, values, (score,), budget=budget)


def rung(*scores: float | None) -> Rung:
    made = Rung(1)
    for units, score in enumerate(scores):
        made.give({"units": units})
        made.take(told(units, score))
    return made


def promoted(made: Rung, eta: int = 3) -> list[int]:
    found: list[int] = []
    while made.has_promotable(eta):
        found.append(made.promote()["units"])
    return found


def test_the_best_share_goes_on() -> None:
    assert promoted(rung(1, 5, 3, 4, 2, 0)) == [1, 3]
    assert promoted(rung(1, 5)) == [], "fewer than eta"
    assert promoted(rung(1, 1, 1)) == [0], "the first of equals"


def test_failures_count_as_the_worst() -> None:
    assert promoted(rung(None, 1, None)) == [1]
    assert promoted(rung(None, None, None)) == []


def test_what_was_overtaken_takes_no_place_twice() -> None:
    made = rung(1, 2, 3)
    assert promoted(made) == [2]
    for units, score in [(3, 9), (4, 8), (5, 7)]:
        made.give({"units": units})
        made.take(told(units, score))
    # The best two of six are 3 and 4, neither of which was promoted.
    assert promoted(made) == [3, 4]


def test_results_count_once_and_on_their_own_rung() -> None:
    made = Rung(3)
    made.give({"units": 0})
    for stray in [told(0, 1, budget=1), told(1, 1, budget=3)]:
        made.take(stray)
    assert made.n_told == 0
    made.take(told(0, 1, budget=3))
    made.take(told(0, 1, budget=3))
    assert (made.n_told, made.out) == (1, {})
    for _ in range(2):  # drawn twice
        made.give({"units": 0})
    made.take(told(0, 1, budget=3))
    assert (made.n_told, [len(same) for same in made.out.values()]) == (2, [1])


def test_a_rung_resumes() -> None:
    made = rung(1, None, 3, 2)
    made.give({"units": 9})
    made.promote()
    resumed = Rung(1)
    resumed.load_state_dict(json.loads(json.dumps(made.state_dict(json.dumps))), json.loads)
    assert vars(resumed) == vars(made)


@pytest.mark.parametrize("searcher", [SuccessiveHalving, Hyperband, AsynchronousHalving])
@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"min_budget": 0}, r"0 < min_budget <= max_budget\.\n  Got min_budget=0, max_budget=81\.\n  Write"),
        ({"min_budget": 9, "max_budget": 3}, "Got min_budget=9, max_budget=3"),
        ({"max_budget": "81"}, r"max_budget is a number of at least 0\.\n  Got '81' \(str\)"),
        ({"eta": 1}, r"eta is an int of at least 2\.\n  Got 1 \(int\)"),
        ({"eta": 2.5}, r"eta is an int of at least 2\.\n  Got 2\.5 \(float\)"),
    ],
)
def test_wrong_arguments_are_refused(searcher: Any, wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(BadArgument, match=f"{searcher.__name__}: (.|\n)*{text}"):
        searcher(**wrong)

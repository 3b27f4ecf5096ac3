"""Asynchronous halving: what is promoted when, with several trials out at once."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import deep_arch as da
from deep_arch import ops
from deep_arch.searchers import AsynchronousHalving
from deep_arch.studies.searcher import FinishedTrial, Values
from deep_arch.testing.searcher_contract import SearcherContract

UNITS = "dense.units"


class TestAsynchronousHalving(SearcherContract):
    def make(self) -> AsynchronousHalving:
        return AsynchronousHalving(max_budget=9)


@da.space
def net(x: Any) -> Any:
    return ops.Dense(units=da.integer(1, 10**6))(x)


def started(max_budget: int = 9, eta: int = 3) -> AsynchronousHalving:
    searcher = AsynchronousHalving(max_budget=max_budget, eta=eta)
    searcher.start(net, random.Random(0))
    return searcher


def tell(searcher: AsynchronousHalving, values: Values, budget: float, score: float | None) -> None:
    scores, state = ((), "failed") if score is None else ((score,), "complete")
    searcher.tell(FinishedTrial(0, values, scores, state=state, budget=budget))  # type: ignore[arg-type]


def test_it_never_waits() -> None:
    searcher = started()
    out = [searcher.ask() for _ in range(20)]
    assert len({values[UNITS] for values in out}) == 20
    assert searcher.budget(out[-1]) == 1


def test_the_best_third_is_promoted_as_results_come() -> None:
    searcher = started()
    a, b, c, d, e, f = [searcher.ask() for _ in range(6)]
    for values, score in [(c, 3.0), (a, 1.0)]:
        tell(searcher, values, 1, score)
    g = searcher.ask()
    assert searcher.budget(g) == 1, "two results are too few"
    tell(searcher, b, 1, 2.0)
    assert searcher.ask() == c and searcher.budget(c) == 3
    h = searcher.ask()
    assert searcher.budget(h) == 1, "the best third was promoted"
    tell(searcher, d, 1, None)
    tell(searcher, e, 1, None)
    tell(searcher, f, 1, 0.0)
    assert searcher.ask() == b and searcher.budget(b) == 3, "failed trials count, as the worst"


def test_equals_a_literal_reading_of_algorithm_2() -> None:
    """Replay a history against `get_job` as the paper writes it, with sorted lists and sets."""
    searcher, rng = started(max_budget=27, eta=2), random.Random(1)
    rungs: list[list[tuple[float, int]]] = [[] for _ in searcher.budgets]
    done: list[set[int]] = [set() for _ in searcher.budgets]
    out: list[tuple[int, Values]] = []
    seen: Counter[int] = Counter()
    for _ in range(400):
        expected = None
        for k in reversed(range(len(rungs) - 1)):
            best = sorted(rungs[k], reverse=True)[: len(rungs[k]) // 2]
            if fresh := [units for _, units in best if units not in done[k]]:
                expected = (k + 1, fresh[0])
                done[k].add(fresh[0])
                break
        values = searcher.ask()
        level = searcher.budgets.index(searcher.budget(values))
        assert (level, values[UNITS]) == expected if expected else level == 0
        seen[level] += 1
        out.append((level, values))
        if len(out) == 5:
            level, values = out.pop(rng.randrange(5))
            score = rng.random()
            rungs[level].append((score, values[UNITS]))
            tell(searcher, values, searcher.budgets[level], score)
    assert set(seen) == set(range(len(rungs))) and seen[0] > seen[1] > seen[2]


def test_a_result_told_twice_counts_once() -> None:
    searcher = started()
    first = searcher.ask()
    for _ in range(9):
        tell(searcher, first, 1, 1.0)
    assert searcher.ask() != first


def test_it_resumes_with_trials_out() -> None:
    searcher, resumed = started(), started()
    out = [searcher.ask() for _ in range(6)]
    for score, values in enumerate(out[:4]):
        tell(searcher, values, 1, float(score))
    resumed.load_state_dict(json.loads(json.dumps(searcher.state_dict())))
    for each in (searcher, resumed):
        tell(each, out[5], 1, 9.0)
    for _ in range(5):
        values = searcher.ask()
        assert resumed.ask() == values and resumed.budget(values) == searcher.budget(values)


def test_a_small_space_is_still_climbed() -> None:
    search = da.search(net.fix({UNITS: 7}), AsynchronousHalving(max_budget=9), 3, seed=0)
    for trial in search:
        trial.tell(1)
    assert [(trial.budget, trial.continues) for trial in search.trials] == [(1, None), (3, 0), (9, 1)]

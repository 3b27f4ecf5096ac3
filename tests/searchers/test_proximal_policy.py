from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.searchers import ProximalPolicy, RandomSearch
from deep_arch.searchers.parts.policy import Distribution
from deep_arch.searchers.proximal_policy import normalised, surrogate_slope
from deep_arch.studies.searcher import FinishedTrial, Values
from deep_arch.testing.searcher_contract import SearcherContract
from deep_arch.testing.searcher_spaces import SPACES

Learn = Callable[..., list[Values]]


class TestProximalPolicy(SearcherContract):
    def make(self) -> ProximalPolicy:
        return ProximalPolicy(batch=4)


@da.space
def coin(x: Any) -> Any:
    """Choose one of two."""
    return ops.Dense(units=da.choice([1, 2], name="side"))(x)


def tossed(searcher: ProximalPolicy) -> Distribution:
    ((found, _),) = searcher.policy.picks({"side": 1})
    return found


# --- the clipped surrogate -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "advantage", "slope"),
    [
        (1.0, 2.0, 2.0),
        (1.1, 2.0, 2.2),
        (1.3, 2.0, 0.0),  # a good decision became likely enough
        (0.5, 2.0, 1.0),  # and is made likelier however unlikely it has become
        (0.9, -2.0, -1.8),
        (0.7, -2.0, 0.0),  # a bad decision became unlikely enough
        (1.5, -2.0, -3.0),
        (1.5, 0.0, 0.0),
    ],
)
def test_the_slope_of_equation_7(ratio: float, advantage: float, slope: float) -> None:
    assert surrogate_slope(math.log(ratio), advantage, clip=0.2) == pytest.approx(slope)

    def surrogate(log_ratio: float) -> float:
        r = math.exp(log_ratio)
        return min(r * advantage, min(max(r, 0.8), 1.2) * advantage)

    difference = surrogate(math.log(ratio) + 1e-6) - surrogate(math.log(ratio) - 1e-6)
    assert difference / 2e-6 == pytest.approx(slope, abs=1e-6)


def test_ratios_do_not_overflow() -> None:
    assert surrogate_slope(2000.0, -1.0, 0.2) == -math.exp(5)
    assert surrogate_slope(2000.0, 1.0, 0.2) == 0


def test_advantages_have_mean_0_and_deviation_1() -> None:
    assert normalised([1.0, 2.0, 3.0]) == pytest.approx([-math.sqrt(1.5), 0, math.sqrt(1.5)])
    for equal in (7.0, 0.1, 0.7):  # of the last two the mean is another number, by rounding
        assert normalised([equal] * 10) == [0.0] * 10


# --- batches ---------------------------------------------------------------------------------------------------------


def test_a_batch_by_hand() -> None:
    searcher = ProximalPolicy(batch=2, epochs=3, clip=0.2, learning_rate=0.5, entropy=0)
    searcher.start(coin, random.Random(0))
    searcher.tell(FinishedTrial(0, {"side": 1}, (3.0,)))
    assert [logit.n_steps for logit in tossed(searcher).parameters] == [0, 0]
    searcher.tell(FinishedTrial(1, {"side": 2}, (5.0,)))
    # Advantages -1 and 1 at probabilities 1/2: slopes -1 and 1, and Adam's first step is the rate. Then the ratios
    # are 0.538 and 1.462, both clipped, and only the moments carry on.
    for logit, sign in zip(tossed(searcher).parameters, (-1, 1), strict=True):
        assert logit.n_steps == 3
        assert logit.mean == pytest.approx(sign * 0.1 * 0.9**2)
        assert logit.square == pytest.approx(0.001 * 0.999**2)


def test_a_ratio_is_to_the_probability_at_the_time_of_proposing() -> None:
    searcher = ProximalPolicy(batch=2, epochs=1, learning_rate=0.1, entropy=0)
    searcher.start(coin, random.Random(0))
    late = searcher.ask()
    assert late is not None
    other = {"side": 3 - late["side"]}
    searcher.tell(FinishedTrial(1, other, (0.0,)))
    searcher.tell(FinishedTrial(2, other, (1.0,)))  # equal proposals with opposite advantages move nothing
    for logit, value in zip(tossed(searcher).parameters, (0.0, 0.3), strict=True):
        logit.value = value if late["side"] == 2 else -value
    resumed = ProximalPolicy(batch=2, epochs=1, learning_rate=0.1, entropy=0)
    resumed.start(coin, random.Random(0))
    resumed.load_state_dict(json.loads(json.dumps(searcher.state_dict())))
    for told in (searcher, resumed):
        told.tell(FinishedTrial(0, late, (1.0,)))
        told.tell(FinishedTrial(3, other, (0.0,)))
        # What was proposed is now 0.574 / 0.5 = 1.149 times as likely; the other was drawn, as far as is known, at
        # its probability of now, 0.426: its ratio is 1. The slopes are 1.149 * 0.426 + 0.574 of the logit and less.
        p = 1 / (1 + math.exp(-0.3))
        slope = p / 0.5 * (1 - p) + p
        means = [logit.mean for logit in tossed(told).parameters]
        sign = 1 if late["side"] == 2 else -1
        assert means == pytest.approx([-sign * 0.1 * slope, sign * 0.1 * slope])


def test_equal_scores_leave_only_the_entropy() -> None:
    for entropy, moves in ((0.0, False), (0.1, True)):
        searcher = ProximalPolicy(batch=2, entropy=entropy)
        searcher.start(coin, random.Random(0))
        first, second = tossed(searcher).parameters
        first.value = 1.0
        for number in range(2):
            searcher.tell(FinishedTrial(number, {"side": 1}, (1.0,)))
        assert (first.value < 1 and second.value > 0) is moves


def test_trials_without_scores_are_no_part_of_a_batch() -> None:
    searcher = ProximalPolicy(batch=2)
    searcher.start(coin, random.Random(0))
    searcher.tell(FinishedTrial(0, {"side": 1}, (0.0,)))
    searcher.tell(FinishedTrial(1, {"side": 2}, state="failed"))
    assert len(searcher.state_dict()["told"]) == 1


def test_proposals_are_remembered_until_their_result_and_only_the_latest() -> None:
    searcher = ProximalPolicy()
    searcher.start(SPACES["flat"], random.Random(0))
    asked = [searcher.ask() for _ in range(1005)]
    assert len(searcher.state_dict()["out"]) == 1000
    assert asked[-1] is not None
    searcher.tell(FinishedTrial(1004, asked[-1], state="skipped"))
    assert len(searcher.state_dict()["out"]) == 999


# --- search ----------------------------------------------------------------------------------------------------------


def test_settles_on_the_better_side(learn: Learn) -> None:
    noise, searcher = random.Random(1), ProximalPolicy()
    learn(searcher, coin, lambda values: noise.gauss(values["side"], 1), 600)
    assert math.exp(tossed(searcher).log_probability(2)) > 0.9


def test_proposes_better_than_random(learn: Learn, cell: da.SearchSpace, matches: Callable[[Values], float]) -> None:
    late = [sum(map(matches, learn(s, cell, matches, 400)[-100:])) / 100 for s in (ProximalPolicy(), RandomSearch())]
    assert late[0] > late[1] + 3  # of 6, of which random proposals have 1.2


def test_numbers_come_near_the_best(learn: Learn) -> None:
    @da.space
    def line(x: Any) -> Any:
        return ops.Dropout(rate=da.real(0.0, 1.0, name="rate"))(ops.Dense(units=da.integer(1, 1000, name="units"))(x))

    def score(values: Values) -> float:
        return -float(abs(values["rate"] - 0.2) + abs(values["units"] - 800) / 1000)

    late = learn(ProximalPolicy(), line, score, 600)[-100:]
    assert sum(map(score, late)) / 100 > -0.1  # random proposals have -0.68


def test_learns_how_deep_a_recursion_goes(learn: Learn) -> None:
    late = learn(ProximalPolicy(), SPACES["limited"], len, 400)[-50:]
    assert sum(map(len, late)) / 50 > 12  # of 15, of which random proposals have 3.4


def test_the_largest_scores_leave_a_state_that_json_holds(learn: Learn) -> None:
    searcher = ProximalPolicy()
    learn(searcher, coin, lambda values: 1.7e308 * (-1) ** values["side"], 25)
    assert json.dumps(searcher.state_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch": 1}, r"ProximalPolicy: batch is an int of at least 2\.\n  Got 1 \(int\)\."),
        ({"epochs": 0}, r"ProximalPolicy: epochs is an int of at least 1\.\n  Got 0 \(int\)\."),
        ({"clip": -0.2}, r"ProximalPolicy: clip is a number of at least 0\.\n  Got -0\.2 \(float\)\."),
        ({"learning_rate": math.nan}, r"ProximalPolicy: learning_rate is a number of at least 0\.\n  Got nan"),
        ({"entropy": None}, r"ProximalPolicy: entropy is a number of at least 0\.\n  Got None \(NoneType\)\."),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BadArgument, match=message):
        ProximalPolicy(**arguments)

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
from deep_arch.searchers import RandomSearch, Reinforce
from deep_arch.searchers.parts.policy import Categorical
from deep_arch.studies.searcher import FinishedTrial, Values
from deep_arch.testing.searcher_contract import SearcherContract
from deep_arch.testing.searcher_spaces import SPACES

Learn = Callable[..., list[Values]]


class TestReinforce(SearcherContract):
    def make(self) -> Reinforce:
        return Reinforce()


@da.space
def bandit(x: Any) -> Any:
    """Choose one of five arms."""
    return ops.Dense(units=da.choice([1, 2, 3, 4, 5], name="arm"))(x)


def logits(searcher: Reinforce) -> Categorical:
    ((found, _),) = searcher.policy.picks({"arm": 1})
    assert isinstance(found, Categorical)
    return found


def test_two_results_by_hand() -> None:
    searcher = Reinforce(learning_rate=0.01, entropy=0)
    searcher.start(bandit, random.Random(0))
    searcher.tell(FinishedTrial(0, {"arm": 2}, (50.0,)))
    # The baseline takes the score in first, so the first advantage is 0.
    assert [logit.value for logit in logits(searcher).parameters] == [0.0] * 5
    searcher.tell(FinishedTrial(1, {"arm": 4}, (69.0,)))
    advantage = 69 - (0.9 * 0.1 * 50 + 0.1 * 69) / 0.19  # which is 9
    slopes = [-advantage / 5, -advantage / 5, -advantage / 5, advantage * 4 / 5, -advantage / 5]
    found = logits(searcher).parameters
    assert [logit.mean for logit in found] == pytest.approx([0.1 * slope for slope in slopes])
    assert [logit.square for logit in found] == pytest.approx([0.001 * slope**2 for slope in slopes])
    step = 0.01 * (0.1 / 0.19) / (0.001 / 0.001999) ** 0.5
    assert [logit.value for logit in found] == pytest.approx([-step, -step, -step, step, -step])


def test_entropy_is_weighed_in_units_of_the_advantages() -> None:
    means: list[float] = []
    for entropy in (0.0, 0.5):
        searcher = Reinforce(entropy=entropy)
        searcher.start(bandit, random.Random(0))
        for logit, start in zip(logits(searcher).parameters, (0.0, 0.0, 0.0, 0.0, 1.0), strict=True):
            logit.value = start
        searcher.tell(FinishedTrial(0, {"arm": 2}, (50.0,)))
        searcher.tell(FinishedTrial(1, {"arm": 4}, (69.0,)))
        means.append(logits(searcher).parameters[4].mean)
    # Advantages 0 and 9 have a moving mean square of 81 * 0.1 / 0.19.
    scale = (81 * 0.1 / 0.19) ** 0.5
    p = math.e / (4 + math.e)
    rest = (1 - p) / 4
    entropy_now = -p * math.log(p) - 4 * rest * math.log(rest)
    assert means[1] - means[0] == pytest.approx(0.1 * 0.5 * scale * -p * (math.log(p) + entropy_now))


def test_settles_on_the_best_arm(learn: Learn) -> None:
    noise, searcher = random.Random(1), Reinforce()
    learn(searcher, bandit, lambda values: noise.gauss(values["arm"] == 3, 0.5), 600)
    assert logits(searcher).probabilities()[2] > 0.9


def test_proposes_better_than_random(learn: Learn, cell: da.SearchSpace, matches: Callable[[Values], float]) -> None:
    late = [sum(map(matches, learn(s, cell, matches, 400)[-100:])) / 100 for s in (Reinforce(), RandomSearch())]
    assert late[0] > late[1] + 3  # of 6, of which random proposals have 1.2


def test_the_scale_and_origin_of_scores_do_not_matter(
    learn: Learn, cell: da.SearchSpace, matches: Callable[[Values], float]
) -> None:
    assert learn(Reinforce(), cell, matches, 200) == learn(Reinforce(), cell, lambda v: 1000 * matches(v) - 8000, 200)


@pytest.mark.parametrize("entropy", [0, 0.1])
def test_numbers_come_near_the_best(learn: Learn, entropy: float) -> None:
    @da.space
    def line(x: Any) -> Any:
        return ops.Dropout(rate=da.real(0.0, 1.0, name="rate"))(ops.Dense(units=da.integer(1, 1000, name="units"))(x))

    def score(values: Values) -> float:
        return -float(abs(values["rate"] - 0.2) + abs(values["units"] - 800) / 1000)

    late = learn(Reinforce(entropy=entropy), line, score, 800)[-100:]
    assert sum(map(score, late)) / 100 > -0.15  # random proposals have -0.68


def test_what_is_not_reached_stays(learn: Learn) -> None:
    searcher, space = Reinforce(), SPACES["conditional"]
    learn(searcher, space, lambda values: random.Random(len(values)).random(), 100)
    all_values = [space.sample(seed=seed).values for seed in range(30)]
    before = [searcher.policy.picks(values) for values in all_values]
    states = {parameter: parameter.state() for picks in before for found, _ in picks for parameter in found.parameters}
    told = next(values for values in all_values if values["or.which"] == "none")
    searcher.tell(FinishedTrial(100, told, (2.0,)))
    reached = {parameter for found, _ in searcher.policy.picks(told) for parameter in found.parameters}
    assert 0 < len(reached) < len(states)
    for parameter, state in states.items():
        assert (parameter.state() == state) is (parameter not in reached)


def test_learns_how_deep_a_recursion_goes(learn: Learn) -> None:
    late = learn(Reinforce(), SPACES["limited"], len, 400)[-50:]
    assert sum(map(len, late)) / 50 > 12  # of 15, of which random proposals have 3.4


def test_trials_without_scores_teach_nothing(learn: Learn) -> None:
    searcher = Reinforce()
    learn(searcher, bandit, lambda values: values["arm"], 20)
    before = searcher.state_dict()
    searcher.tell(FinishedTrial(20, {"arm": 5}, state="failed"))
    assert searcher.state_dict() == before


def test_the_largest_scores_leave_a_state_that_json_holds(learn: Learn) -> None:
    searcher = Reinforce()
    learn(searcher, bandit, lambda values: 1.7e308 * (-1) ** values["arm"], 20)
    assert json.loads(json.dumps(searcher.state_dict(), allow_nan=False))["averages"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learning_rate": -0.1}, r"Reinforce: learning_rate is a number of at least 0\.\n  Got -0\.1 \(float\)\."),
        ({"momentum": 1}, r"Reinforce: momentum is a number from 0\.01 to 0\.999\.\n  Got 1 \(int\)\."),
        ({"entropy": "much"}, r"Reinforce: entropy is a number of at least 0\.\n  Got 'much' \(str\)\."),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BadArgument, match=message):
        Reinforce(**arguments)

"""What relaxed searchers have in common, and what each makes of slopes."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, NotSupported, TrialError
from deep_arch.searchers import DARTS, GDAS, SETN, GumbelMasking, InterpolatedWidths, RandomSearch
from deep_arch.searchers.parts.relaxation import Annealed, Relaxed
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.studies.searcher import FinishedTrial, Searcher
from deep_arch.testing.searcher_contract import SearcherContract


class TestDARTS(SearcherContract):
    def make(self) -> Searcher:
        return DARTS()


class TestGDAS(SearcherContract):
    def make(self) -> Searcher:
        return GDAS()


class TestSETN(SearcherContract):
    def make(self) -> Searcher:
        return SETN()


class TestGumbelMasking(SearcherContract):
    def make(self) -> Searcher:
        return GumbelMasking()


class TestInterpolatedWidths(SearcherContract):
    def make(self) -> Searcher:
        return InterpolatedWidths()


def made(kind: type[Relaxed], rate: float = 0.1) -> Relaxed:
    if issubclass(kind, Annealed):
        return kind(steps=200, temperatures=(2.0, 0.2), learning_rate=rate)
    return kind(learning_rate=rate)


ALL = [DARTS, GDAS, SETN, GumbelMasking, InterpolatedWidths]


@da.space
def net(x: Any) -> Any:
    x = da.or_({"relu": ops.ReLU, "tanh": ops.Tanh, "dense": lambda: ops.Dense(da.choice([2, 4, 8]))})(x)
    return ops.Dense(da.choice([1, 2, 3, 4], name="units"))(x)


POINTS = {
    "or.which": ("relu", "tanh", "dense"),
    "or[dense]/dense.units": (2, 4, 8),
    "units": (1, 2, 3, 4),
}
WORTH: dict[Any, float] = {"tanh": 1.0, "relu": 0.2, "dense": 0.0, 2: 0.3, 4: 0.9, 8: 0.1, 1: 0.0, 3: 1.0}


def points() -> list[ChoicePoint]:
    arch = net.at({"or.which": "dense", "or[dense]/dense.units": 2, "units": 1})
    return [ChoicePoint(address, domain) for address, domain in net.decidable(arch.values).items()]


def learnt(searcher: Relaxed, n: int, seed: int = 0) -> list[Any]:
    """Tell the slopes of the expected worth, and return all weights."""
    weights: list[Any] = []
    for trial in da.search(net, searcher, trials=n, seed=seed):
        slopes: dict[str, tuple[float, ...]] = {}
        for point in points():
            mixture = trial.weigh(point)
            assert mixture is not None
            weights.append((mixture.weights, mixture.active))
            of = POINTS[point.address]
            slopes[point.address] = tuple([WORTH[v] if i in mixture.active else 0.0 for i, v in enumerate(of)])
        trial.tell(0.5, slopes=slopes)
    return weights


@pytest.mark.parametrize("kind", ALL)
def test_weights_sum_to_one_over_what_is_active(kind: type[Relaxed]) -> None:
    for weights, active in learnt(made(kind), 30):
        assert sum([weights[i] for i in active]) == pytest.approx(1)
        assert all(0 <= weight <= 1 for weight in weights)
        expected = 1 if kind is GDAS else 2 if kind is InterpolatedWidths else len(weights)
        assert len(active) == expected


@pytest.mark.parametrize("kind", ALL)
def test_the_likeliest_architecture_becomes_the_best(kind: type[Relaxed]) -> None:
    searcher = made(kind)
    learnt(searcher, 300)
    (best,) = searcher.best()
    assert best == {"or.which": "tanh", "units": 3}
    if kind is not SETN:
        assert searcher.ask() == best
    first, second = searcher.best(2)
    assert first == best and second != best


@pytest.mark.parametrize("kind", ALL)
def test_the_k_best_differ_and_come_in_order(kind: type[Relaxed]) -> None:
    searcher = made(kind)
    learnt(searcher, 50)
    found = searcher.best(100)
    assert len(found) == net.size() == 20
    assert len({json.dumps(values, sort_keys=True) for values in found}) == 20
    by_address = {point.address: searcher.probabilities(point) for point in points()}
    odds = [math.prod([by_address[a][v] for a, v in values.items()]) for values in found]
    assert odds[0] == max(odds)


@pytest.mark.parametrize("kind", ALL)
def test_it_goes_on_exactly_with_a_trial_out(kind: type[Relaxed]) -> None:
    ends: list[Any] = []
    for resumes in (False, True):
        searcher = made(kind)
        learnt(searcher, 20)
        values = searcher.ask() or {}
        for point in points():
            searcher.weigh(point)
        if resumes:
            state = json.dumps(searcher.state_dict(), allow_nan=False)
            searcher = made(kind)
            searcher.start(net, random.Random(7))
            searcher.load_state_dict(json.loads(state))
        slopes = {a: tuple([0.1 * i for i in range(len(of))]) for a, of in POINTS.items()}
        searcher.tell(FinishedTrial(20, values, (0.0,), slopes=slopes))
        ends.append([searcher.weigh(point).weights for point in points()])  # type: ignore[union-attr]
    assert ends[0] == ends[1]


def test_a_step_of_the_softmax_by_hand() -> None:
    searcher = DARTS(learning_rate=0.01, weight_decay=0.0)
    searcher.start(net, random.Random(0))
    point = points()[0]
    mixture = searcher.weigh(point)
    assert mixture is not None and mixture.weights == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    searcher.tell(FinishedTrial(0, {}, (0.0,), slopes={point.address: (1.0, 0.0, -1.0)}))
    # The slopes of the logits are w (s - mean), so 1/3, 0, -1/3; Adam's first step is the rate times the sign.
    expected = [math.exp(0.01), 1.0, math.exp(-0.01)]
    found = searcher.probabilities(point)
    assert [*found.values()] == pytest.approx([e / sum(expected) for e in expected], rel=1e-6)


def test_slopes_are_turned_where_less_is_better() -> None:
    searcher = DARTS(learning_rate=0.1)
    for trial in da.search(net, searcher, trials=50, seed=0, directions="minimize"):
        trial.weigh(points()[-1])
        trial.tell(1.0, slopes={"units": (0.0, 1.0, 1.0, 1.0)})
    assert searcher.best()[0]["units"] == 1


def test_a_relaxed_trial_needs_slopes() -> None:
    trial = next(da.search(net, DARTS(), trials=1, seed=0))
    with pytest.raises(TrialError, match=r"trial 0: expected slopes(.|\n)*model\.slopes\(score\)"):
        trial.tell(0.5)
    trial.weigh(points()[-1])
    with pytest.raises(TrialError, match=r"units: expected 4 slopes\.\n  Got 2"):
        trial.tell(0.5, slopes={"units": (0.0, 1.0)})
    with pytest.raises(TrialError, match=r"or\.which: expected no slope"):
        trial.tell(0.5, slopes={"or.which": (0.0, 1.0, 2.0)})
    assert trial.state == "running" and [*trial.mixtures] == ["units"]


def test_a_trial_weighs_once() -> None:
    trial = next(da.search(net, GDAS(), trials=1, seed=0))
    assert trial.weigh(points()[0]) is trial.weigh(points()[0])


def test_other_trials_are_not_relaxed() -> None:
    trial = next(da.search(net, RandomSearch(), trials=1, seed=0))
    assert not trial.relaxed and trial.weigh(points()[0]) is None


def test_real_numbers_have_no_logits() -> None:
    space = da.space(lambda x: ops.Dropout(da.real(0.0, 0.5))(x))
    searcher = DARTS()
    searcher.start(space, random.Random(0))
    with pytest.raises(NotSupported, match=r"dropout\.rate: DARTS has a logit for each option(.|\n)*discretize"):
        searcher.weigh(ChoicePoint("dropout.rate", space.start().unassigned[0].domain))
    few = space.discretize(3)
    searcher.start(few, random.Random(0))
    mixture = searcher.weigh(few.start().unassigned[0])
    assert mixture is not None and mixture.values == (0.0, 0.25, 0.5)


def test_arguments_are_checked() -> None:
    with pytest.raises(BadArgument, match="GDAS: steps is a number of at least 1"):
        GDAS(steps=0)
    with pytest.raises(BadArgument, match=r"DARTS: momentum is a number from 0 to 0\.999"):
        DARTS(momentum=1.0)

"""Where relaxed searchers are easily wrong: several trials out, options of any kind, decisions that lead to others."""

from __future__ import annotations

import functools
import json
import math
import operator
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, NotSupported
from deep_arch.searchers import DARTS, GDAS, SETN, GumbelMasking, InterpolatedWidths
from deep_arch.searchers.parts.relaxation import Relaxed
from deep_arch.spaces.choice_points import ChoicePoint
from deep_arch.studies.searcher import FinishedTrial
from deep_arch.testing.searcher_spaces import SPACES

ALL: list[Callable[[], Relaxed]] = [
    lambda: DARTS(learning_rate=0.1),
    lambda: GDAS(300, (2.0, 0.2), 0.1),
    lambda: SETN(learning_rate=0.1),
    lambda: GumbelMasking(300, (2.0, 0.2), 0.1),
    lambda: InterpolatedWidths(300, (2.0, 0.2), 0.1),
]

on_each = pytest.mark.parametrize("make", ALL, ids=["DARTS", "GDAS", "SETN", "GumbelMasking", "InterpolatedWidths"])


@da.space
def chain(x: Any) -> Any:
    for i in range(3):
        x = ops.Dense(units=da.choice([1, 2, 3, 4], name=f"u{i}"))(x)
    return x


def points(space: da.SearchSpace) -> list[ChoicePoint]:
    """Return the decisions of one architecture."""
    found: list[ChoicePoint] = []

    def pick(point: ChoicePoint) -> Any:
        found.append(point)
        return point.domain.at(0)

    space.decide(pick)
    return found


def slopes_of(mixture: da.Mixture, worth: Callable[[Any], float]) -> tuple[float, ...]:
    """Return what a super-network gives whose gain is the expected worth: none for what is not active."""
    return tuple([worth(v) if i in mixture.active else 0.0 for i, v in enumerate(mixture.values)])


def searched(searcher: Relaxed, space: da.SearchSpace, worth: Callable[[Any], float], n: int) -> None:
    """Tell the slopes of the expected worth of each decision on the way to the trial's architecture."""
    for trial in da.search(space, searcher, trials=n, seed=0):
        for address, domain in space.decidable(trial.values).items():
            trial.weigh(ChoicePoint(address, domain))
        trial.tell(0.0, slopes={a: slopes_of(mixture, worth) for a, mixture in trial.mixtures.items()})


@on_each
def test_the_best_of_a_separable_gain_is_found(make: Callable[[], Relaxed]) -> None:
    searcher = make()
    searched(searcher, chain, lambda n: -abs(n - 3), 300)
    assert searcher.best()[0] == {"u0": 3, "u1": 3, "u2": 3}


@on_each
def test_the_best_of_a_quadratic_gain_is_found(make: Callable[[], Relaxed]) -> None:
    # The gain is -(expected sum - 3)^2, whose slope depends on the weights; 3 is the only sum of ones alone.
    searcher, here = make(), points(chain)
    for trial in da.search(chain, searcher, trials=300, seed=0):
        mixtures = [m for m in map(trial.weigh, here) if m is not None]
        total = sum([w * v for m in mixtures for w, v in zip(m.weights, m.values, strict=True)])
        slope = -2 * (total - 3)
        told = {
            p.address: slopes_of(m, functools.partial(operator.mul, slope)) for p, m in zip(here, mixtures, strict=True)
        }
        trial.tell(-((total - 3) ** 2), slopes=told)
    assert searcher.best()[0] == {"u0": 1, "u1": 1, "u2": 1}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_each_trial_learns_through_its_own_draw(order: tuple[int, int]) -> None:
    def end(out: int, first: int) -> list[Any]:
        searcher = GDAS(10, (1.0, 1.0), 0.1)
        search, (u0, *_) = da.search(chain, searcher, trials=3, seed=3), points(chain)
        trials = [trial for trial in (search.ask() for _ in range(out)) if trial is not None]
        drawn = [trial.weigh(u0) for trial in trials]
        mixture = drawn[first]
        assert mixture is not None
        trials[first].tell(0.0, slopes={"u0": slopes_of(mixture, lambda _: 1.0)})
        return list(searcher.probabilities(u0).weights)

    # The first draw of a seed is the same, whether or not a second trial weighs after it.
    assert end(2, 0) == end(1, 0)
    assert end(2, order[0]) != end(2, order[1])


def test_two_widths_are_two_however_sure_the_logits_are() -> None:
    searcher = InterpolatedWidths(1, (1.0, 0.001), 1.0, weight_decay=0.0)
    (u0, *_) = points(chain)
    for trial in da.search(chain, searcher, trials=300, seed=0):
        mixture = trial.weigh(u0)
        assert mixture is not None and len(mixture.active) == 2
        assert sum([mixture.weights[i] for i in mixture.active]) == pytest.approx(1)
        trial.tell(0.0, slopes={"u0": slopes_of(mixture, float)})


def test_two_widths_are_drawn_as_probability_says() -> None:
    searcher, n = InterpolatedWidths(1, (1.0, 1.0)), 4000
    searcher.start(chain, random.Random(0))
    (u0, *_) = points(chain)
    counts = [0, 0, 0, 0]
    for _ in range(n):
        mixture = searcher.weigh(u0)
        assert mixture is not None
        for i in mixture.active:
            counts[i] += 1
    assert all(abs(count / n - 0.5) < 4 * math.sqrt(0.25 / n) for count in counts)


def test_a_gumbel_draw_is_one_from_the_softmax() -> None:
    searcher, n = GDAS(1, (1.0, 1.0)), 4000
    searcher.start(chain, random.Random(0))
    (u0, *_) = points(chain)
    drawn = [m.active[0] for m in (searcher.weigh(u0) for _ in range(n)) if m is not None]
    assert all(abs(drawn.count(i) / n - 0.25) < 4 * math.sqrt(0.1875 / n) for i in range(4))


@on_each
def test_a_single_option_is_weighed_too(make: Callable[[], Relaxed]) -> None:
    # A super-network may meet it in an alternative of which the trial's architecture knows nothing.
    space = da.space(lambda x: ops.Dense(units=da.choice([7]))(x))
    searcher = make()
    searcher.start(space, random.Random(0))
    mixture = searcher.weigh(points(space)[0])
    assert mixture is not None and (mixture.values, tuple(mixture.weights), mixture.active) == ((7,), (1.0,), (0,))


@da.rule
def _twice(deep: Any) -> Any:
    """End, or nest; both parts do what one shared choice says."""
    return da.or_({"leaf": ops.ReLU, "nest": lambda: da.sequential(lambda: _twice(deep), lambda: _twice(deep))}, deep)


def test_recursion_that_a_shared_choice_does_not_let_end() -> None:
    @da.space
    def shared(x: Any) -> Any:
        return _twice(da.choice(["nest", "leaf"], name="deep"))(x)

    searcher = DARTS()
    space = shared.limit(3)
    searched(searcher, space, lambda _: 0.0, 3)
    assert searcher.ask() == {"deep": "leaf"} and searcher.best(3) == [{"deep": "leaf"}]


@on_each
@pytest.mark.parametrize("name", ["shared_and_dependent", "conditional", "decided_by_shapes", "limited", "dividing"])
def test_candidates_are_architectures_and_differ(make: Callable[[], Relaxed], name: str) -> None:
    searcher, space = make(), SPACES[name]
    searched(searcher, space, lambda v: float(len(str(v))), 20)
    texts = [space.at(values).to_json() for values in searcher.best(40)]
    assert len(set(texts)) == len(texts) and len(texts) == min(40, space.size())


def test_candidates_come_in_order_where_decisions_are_independent() -> None:
    searcher = DARTS(learning_rate=0.3)
    searched(searcher, chain, lambda n: [0.0, 0.3, 1.0, 0.1][n - 1], 9)
    here = points(chain)
    weights = {p.address: dict(zip(p.domain.values(), searcher.probabilities(p).weights, strict=True)) for p in here}

    def log(values: Mapping[str, Any]) -> float:
        return sum([math.log(weights[a][v]) for a, v in values.items()])

    found = [log(values) for values in searcher.best(64)]
    assert len(found) == 64 and found == pytest.approx(sorted(found, reverse=True), abs=1e-12)


def test_options_of_any_kind_keep_their_own_logits() -> None:
    options = [True, 1, 1.0, ops.ReLU, ops.Tanh, [1, 2], {"a": 1}, (1, ops.ReLU)]

    @da.space
    def space(x: Any) -> Any:
        da.config(what=da.choice(options, name="what"))
        return ops.ReLU()(x)

    searcher = DARTS(learning_rate=0.1)
    searched(searcher, space, lambda v: float(v is ops.Tanh), 30)
    (here,) = points(space)
    assert searcher.probabilities(here).most_likely is ops.Tanh
    state = json.loads(json.dumps(searcher.state_dict(), allow_nan=False))
    again = DARTS(learning_rate=0.1)
    again.start(space, random.Random(0))
    again.load_state_dict(state)
    assert again.probabilities(here).weights == searcher.probabilities(here).weights


def test_options_that_json_cannot_hold_are_not_taken_for_each_other() -> None:
    kinds: dict[str, list[Any]] = {"smooth": [ops.Tanh, ops.Sigmoid], "sharp": [ops.ReLU, ops.LeakyReLU]}

    @da.space
    def net(x: Any) -> Any:
        kind = da.choice(list(kinds), name="kind")
        da.config(of=da.choice(da.dependent(kinds.__getitem__, kind), name="of"))
        return ops.ReLU()(x)

    searcher = DARTS(learning_rate=0.1)
    searcher.start(net, random.Random(0))
    here = {k: ChoicePoint("of", net.decidable({"kind": k, "of": kinds[k][0]})["of"]) for k in kinds}
    for number in range(10):
        mixture = searcher.weigh(here["smooth"])
        assert mixture is not None
        told = {"of": slopes_of(mixture, lambda v: float(v is ops.Sigmoid))}
        searcher.tell(FinishedTrial(number, {}, (0.0,), slopes=told, mixtures={"of": mixture}))
    assert searcher.probabilities(here["smooth"]).most_likely is ops.Sigmoid
    assert tuple(searcher.probabilities(here["sharp"]).weights) == pytest.approx((0.5, 0.5))


def test_a_long_search_keeps_as_much_as_a_short_one() -> None:
    # Domains that depend on others are made anew for each architecture.
    searcher = SETN()
    searched(searcher, SPACES["dividing"], lambda _: 0.0, 10)
    known = len(searcher._options)  # pyright: ignore[reportPrivateUsage]
    searched(searcher, SPACES["dividing"], lambda _: 0.0, 200)
    assert len(searcher._options) <= known + 2  # pyright: ignore[reportPrivateUsage]


def test_slopes_as_large_as_floats_can_be_do_no_harm() -> None:
    searcher = DARTS(learning_rate=0.1)
    searched(searcher, chain, lambda n: 1e308 * (-1) ** n, 5)
    assert all(math.isfinite(w) for p in points(chain) for w in searcher.probabilities(p).weights)
    json.dumps(searcher.state_dict(), allow_nan=False)


def test_arguments_are_checked() -> None:
    searcher = DARTS()
    searcher.start(chain, random.Random(0))
    with pytest.raises(BadArgument, match="DARTS: k is an int of at least 1"):
        searcher.best(0)
    space = da.space(lambda x: ops.Dense(units=da.integer(1, 5000))(x))
    searcher.start(space, random.Random(0))
    with pytest.raises(NotSupported, match=r"dense\.units: DARTS has a logit(.|\n)*integer from 1 to 5000"):
        searcher.weigh(points(space)[0])

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.language.domains import Choice, Domain, Integer, Numeric, Real
from deep_arch.searchers.parts.policy import (
    Categorical,
    Distribution,
    Gaussian,
    Gradient,
    Parameter,
    Policy,
    ascend,
    bounded,
)
from deep_arch.testing.searcher_spaces import SPACES


def categorical(*logits: float) -> Categorical:
    return Categorical(Choice("abcde"[: len(logits)]), [Parameter(logit) for logit in logits])


def gaussian(domain: Numeric, mean: float, deviation: float) -> Gaussian:
    return Gaussian(domain, [Parameter(mean), Parameter(math.log(deviation))])


def slopes(distribution: Distribution, fn: Callable[[], float]) -> list[float]:
    """Return the central differences of a function over each parameter; their error is some h**2 = 1e-10."""
    found: list[float] = []
    for parameter in distribution.parameters:
        here, ends = parameter.value, list[float]()
        for there in (here - 1e-5, here + 1e-5):
            parameter.value = there
            ends.append(fn())
        parameter.value = here
        found.append((ends[1] - ends[0]) / 2e-5)
    return found


def gradient_of(distribution: Distribution, value: Any, weight: float, entropy: float) -> list[float]:
    gradient: Gradient = {}
    distribution.add_gradient(value, weight, entropy, gradient)
    return [gradient[parameter] for parameter in distribution.parameters]


# --- distributions ---------------------------------------------------------------------------------------------------

CASES = [
    (categorical(0.3, -1.2, 2.0), "b"),
    (categorical(0.0, 0.0), "a"),
    (gaussian(Real(1e-4, 1e-1, log=True), 0.4, 1.3), 2e-3),
    (gaussian(Integer(1, 1000), -1.0, 0.2), 700),
]


@pytest.mark.parametrize(("distribution", "value"), CASES)
def test_the_gradient_is_that_of_the_log_probability(distribution: Distribution, value: Any) -> None:
    expected = slopes(distribution, lambda: 3 * distribution.log_probability(value))
    assert gradient_of(distribution, value, weight=3, entropy=0) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("distribution", "value"), CASES)
def test_the_gradient_is_that_of_the_entropy(distribution: Distribution, value: Any) -> None:
    def entropy() -> float:
        if isinstance(distribution, Categorical):
            return -sum(p * math.log(p) for p in distribution.probabilities())
        return distribution.parameters[1].value + math.log(2 * math.pi * math.e) / 2

    expected = slopes(distribution, lambda: 2 * entropy())
    assert gradient_of(distribution, value, weight=0, entropy=2) == pytest.approx(expected, abs=1e-6)


def test_gradients_of_several_proposals_add_up() -> None:
    distribution, gradient = categorical(0.0, 1.0), Gradient()
    for value in "ab":
        distribution.add_gradient(value, 1.0, 0.0, gradient)
    apart = zip(gradient_of(distribution, "a", 1, 0), gradient_of(distribution, "b", 1, 0), strict=True)
    assert list(gradient.values()) == pytest.approx([a + b for a, b in apart])


def test_options_are_drawn_as_often_as_the_softmax_says() -> None:
    distribution, rng, n = categorical(*map(math.log, (1, 3, 6))), random.Random(0), 4000
    drawn = [distribution.draw(rng) for _ in range(n)]
    # Four standard deviations of a share are at most 4 * 0.5 / sqrt(4000) = 0.032.
    assert [drawn.count(option) / n for option in "abc"] == pytest.approx([0.1, 0.3, 0.6], abs=0.032)


def test_vanished_probabilities_have_finite_logarithms_and_slopes() -> None:
    distribution = categorical(0.0, 2000.0)
    assert distribution.log_probability("a") < -600
    assert all(map(math.isfinite, gradient_of(distribution, "a", 1.0, 1.0)))


def test_the_density_is_that_of_the_latent_line() -> None:
    # The middle of a scale is at 0 on the latent line, and 1 / (1 + exp(-1)) at 1.
    distribution = gaussian(Real(0, 1), 0.0, 2.0)
    assert math.exp(distribution.log_probability(0.5)) == pytest.approx(1 / (2 * math.sqrt(2 * math.pi)))
    assert distribution.log_probability(1 / (1 + math.exp(-1))) - distribution.log_probability(0.5) == pytest.approx(
        -1 / 8
    )


def test_drawn_numbers_have_the_latent_mean_and_deviation() -> None:
    distribution, rng, n = gaussian(Real(-3, 7), 0.5, 0.4), random.Random(0), 4000
    units = [distribution.domain.unit(distribution.draw(rng)) for _ in range(n)]
    latent = [math.log(unit / (1 - unit)) for unit in units]
    mean = sum(latent) / n
    deviation = math.sqrt(sum((z - mean) ** 2 for z in latent) / n)
    # Four standard errors: 4 * 0.4 / sqrt(4000) = 0.025.
    assert (mean, deviation) == pytest.approx((0.5, 0.4), abs=0.025)


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_the_ends_of_a_scale_have_a_density(end: float) -> None:
    assert math.isfinite(gaussian(Real(0, 1), 0.0, 1.0).log_probability(end))


def test_far_latent_values_are_the_ends() -> None:
    assert gaussian(Real(0, 1), -2000.0, 1.0).draw(random.Random(0)) == 0
    assert gaussian(Integer(1, 1000), 2000.0, 1.0).draw(random.Random(0)) == 1000


# --- Adam ------------------------------------------------------------------------------------------------------------


def test_two_steps_of_adam_by_hand() -> None:
    parameter = Parameter(1.0)
    ascend({parameter: 2.0}, 0.1)
    assert parameter.value == pytest.approx(1.1)  # the first step is the rate, up the slope
    ascend({parameter: -1.0}, 0.1)
    # Moments 0.9 * 0.2 - 0.1 = 0.08 and 0.999 * 0.004 + 0.001 = 0.004996, over 1 - 0.9**2 and 1 - 0.999**2.
    assert parameter.value == pytest.approx(1.1 + 0.1 * (0.08 / 0.19) / math.sqrt(0.004996 / 0.001999))


def test_no_slope_at_first_is_no_step() -> None:
    parameter = Parameter(1.0)
    ascend({parameter: 0.0}, 0.1)
    assert parameter.value == 1.0


def test_a_parameter_stays_within_its_bounds() -> None:
    parameter = Parameter(0.0, low=-0.05, high=0.05)
    ascend({parameter: 1.0}, 0.1)
    assert parameter.value == 0.05
    for _ in range(10):
        ascend({parameter: -5.0}, 0.1)
    assert parameter.value == -0.05


@pytest.mark.parametrize("score", [1e308, -1e308])
def test_the_square_of_a_bounded_score_is_finite(score: float) -> None:
    assert math.isfinite(bounded(score) ** 2) and bounded(score) * score > 0
    assert bounded(-12.5) == -12.5


# --- the policy of a space -------------------------------------------------------------------------------------------


def policy(name: str = "flat") -> Policy:
    return Policy(SPACES[name])


@pytest.mark.parametrize(
    ("domain", "kind"),
    [
        (Choice("ab"), Categorical),
        (Integer(1, 16), Categorical),
        (Integer(1, 17), Gaussian),
        (Integer(1, 4, log=True), Gaussian),  # the same logit for each would not be the log scale
        (Real(0, 1), Gaussian),
    ],
)
def test_options_and_short_ranges_have_logits_and_numbers_a_gaussian(domain: Domain, kind: type) -> None:
    assert isinstance(policy().distribution("x", domain), kind)


def test_a_short_range_offers_its_integers() -> None:
    found = policy().distribution("x", Integer(2, 9, step=3))
    assert isinstance(found, Categorical) and found.domain.options == (2, 5, 8)


def test_options_begin_uniform() -> None:
    found = policy().distribution("x", Choice("abcd"))
    assert isinstance(found, Categorical) and found.probabilities() == [0.25] * 4


@pytest.mark.parametrize("domain", [Real(0, 1), Integer(0, 999)])
def test_numbers_begin_near_the_uniform_distribution(domain: Numeric) -> None:
    found, rng = policy().distribution("x", domain), random.Random(0)
    units = [domain.unit(found.draw(rng)) for _ in range(4000)]
    # Each tenth holds 0.088 to 0.107 of the logit-normal distribution; four standard deviations are 0.02.
    shares = [sum(low <= 10 * unit < low + 1 for unit in units) / 4000 for low in range(10)]
    assert shares == pytest.approx([0.1] * 10, abs=0.035)


def test_a_narrowed_domain_has_the_logits_of_its_options() -> None:
    of = policy()
    all_three = of.distribution("x", Choice("abc"))
    ascend({all_three.parameters[1]: 1.0}, 0.5)
    narrowed = of.distribution("x", Choice("bd"))
    assert isinstance(narrowed, Categorical)
    assert narrowed.parameters[0] is all_three.parameters[1]
    assert narrowed.probabilities() == pytest.approx([1 / (1 + math.exp(-0.5)), 1 / (1 + math.exp(0.5))])
    again = of.distribution("x", Choice("dca"))
    assert list(again.parameters) == [narrowed.parameters[1], all_three.parameters[2], all_three.parameters[0]]


def test_options_of_other_types_are_others() -> None:
    of = policy()
    number, flag = of.distribution("x", Choice([1, 2])), of.distribution("x", Choice([True, 2]))
    assert number.parameters[0] is not flag.parameters[0] and number.parameters[1] is flag.parameters[1]


def test_one_address_can_have_options_and_a_wide_range() -> None:
    of = policy()
    wide, narrowed = of.distribution("x", Integer(0, 99)), of.distribution("x", Choice([0, 1]))
    assert isinstance(wide, Gaussian) and isinstance(narrowed, Categorical)
    assert of.distribution("x", Integer(0, 99)).parameters == wide.parameters


@pytest.mark.parametrize("name", SPACES)
def test_picks_are_all_that_was_decided(name: str) -> None:
    of, space = policy(name), SPACES[name]
    for seed in range(10):
        values = space.sample(seed=seed).values
        n_members = [
            len(values[address]) if isinstance(values[address], tuple) else 1 for address in space.decidable(values)
        ]
        assert len(of.picks(values)) == sum(n_members)


@da.space
def kinds(x: Any) -> Any:
    """Offer classes, which JSON cannot hold, other ones for each number of them."""
    activations: Sequence[Any] = [ops.ReLU, ops.Tanh, ops.Sigmoid, ops.GELU]

    def kind(n: int) -> Any:
        return da.substitute(lambda kind: kind, kind=da.choice(activations[-n:], name="kind"))

    return da.substitute(kind, n=da.choice([2, 3, 4], name="n"))(x)


@pytest.mark.parametrize("space", [*SPACES.values(), kinds], ids=[*SPACES, "kinds"])
def test_a_state_holds_every_parameter(space: da.SearchSpace) -> None:
    old, new = Policy(space), Policy(space)
    samples = [space.sample(seed=seed).values for seed in range(20)]
    for values, slope in zip(samples, itertools.count(1), strict=False):
        parameters = [parameter for found, _ in old.picks(values) for parameter in found.parameters]
        ascend({parameter: float(slope * (1 + i)) for i, parameter in enumerate(parameters)}, 0.01 * slope)
    text = json.dumps(old.state_dict(lambda values: space.at(values).to_json()))
    samples.reverse()  # so that what is met first is another
    new.load_state_dict(json.loads(text), lambda text: da.Architecture.from_json(text, space).values)
    for values in samples:
        for (was, value), (found, same) in zip(old.picks(values), new.picks(values), strict=True):
            assert value == same and found.log_probability(value) == was.log_probability(value)
            assert [p.state() for p in found.parameters] == [p.state() for p in was.parameters]

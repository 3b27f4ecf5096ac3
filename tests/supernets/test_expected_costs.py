"""Expected costs are those of all architectures, weighed by their probabilities."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import MissingValues
from deep_arch.supernets.events import ALWAYS, Odds, absorbed
from deep_arch.supernets.expected_costs import ExpectedCost, expected_cost
from deep_arch.supernets.shared_weights import shared_weights
from deep_arch.testing.network_spaces import RandomNetwork, networks
from deep_arch.testing.readme_space import net as readme
from deep_arch.testing.spaces import Plan, plans, space_of

MOST = 300


def some_mixtures(space: da.SearchSpace, inputs: Any, seed: int) -> dict[str, da.Mixture]:
    """Return a mixture with random weights for every decision."""
    rng, found = random.Random(seed), dict[str, da.Mixture]()
    for address, domain in shared_weights(space, inputs).decisions.items():
        weights = [rng.random() + 0.05 for _ in domain.values()]
        found[address] = da.Mixture(tuple(domain.values()), [weight / sum(weights) for weight in weights])
    return found


def listed_cost(space: da.SearchSpace, inputs: Any, mixtures: Mapping[str, da.Mixture]) -> ExpectedCost:
    """Return the cost by listing all architectures."""
    sums = [0.0] * 5
    for arch in space.enumerate():
        odds = math.prod([weight_of(mixtures[address], value) for address, value in arch.values.items()])
        cost = arch.cost(inputs)
        numbers = cost.parameters, cost.macs, cost.activation_bytes, cost.non_trainable, 1
        sums = [total + odds * number for total, number in zip(sums, numbers, strict=True)]
    assert sums[-1] == pytest.approx(1), "the weights are probabilities"
    return ExpectedCost(*sums[:4])


def weight_of(mixture: da.Mixture, value: Any) -> float:
    (place,) = [i for i, v in enumerate(mixture.values) if type(v) is type(value) and v == value]
    return mixture.numbers[place]


def check(space: da.SearchSpace, inputs: Any, seed: int = 0) -> None:
    mixtures = some_mixtures(space, inputs, seed)
    found, expected = expected_cost(space, inputs, mixtures), listed_cost(space, inputs, mixtures)
    for name in ("parameters", "macs", "activation_bytes", "non_trainable"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-9), name


@settings(max_examples=40, deadline=None)
@given(plans(4))
def test_random_spaces(plan: Plan) -> None:
    space = space_of(plan)
    if space.size() <= MOST:
        check(space, da.vector(4))


@settings(max_examples=25, deadline=None)
@given(networks())
def test_random_networks(network: RandomNetwork) -> None:
    if network.space.size() <= MOST:
        check(network.space, network.inputs)


def test_the_comparison_can_fail() -> None:
    space = da.space(lambda x: ops.Dense(da.choice([2, 4]))(x))
    mixtures = some_mixtures(space, da.vector(3), 0)
    other = {"dense.units": da.Mixture((2, 4), (0.5, 0.5))}
    assert expected_cost(space, da.vector(3), mixtures).macs != pytest.approx(
        listed_cost(space, da.vector(3), other).macs
    )


def test_one_hot_is_the_architecture() -> None:
    arch = readme.sample(seed=2)
    inputs = da.image(channels=3, height=8, width=8)
    decisions = shared_weights(readme, inputs).decisions
    mixtures: dict[str, Any] = {}
    for address, domain in decisions.items():
        value = arch.values.get(address, domain.at(0))
        mixtures[address] = da.Mixture(tuple(domain.values()), [float(v == value) for v in domain.values()])
    found, cost = expected_cost(readme, inputs, mixtures), arch.cost(inputs)
    assert (found.parameters, found.macs) == pytest.approx((cost.parameters, cost.macs))


def test_a_width_that_two_layers_share_is_one_draw() -> None:
    @da.space
    def net(x: Any) -> Any:
        n = da.choice([2, 10], name="n")
        return ops.Dense(n, use_bias=False)(ops.Dense(n, use_bias=False)(x))

    found = expected_cost(net, da.vector(1), {"n": da.Mixture((2, 10), (0.5, 0.5))})
    assert found.macs == (2 + 4) / 2 + (10 + 100) / 2, "and not the product of mean widths, 6 + 36"


def test_what_only_some_alternatives_use_counts_only_there() -> None:
    @da.space
    def net(x: Any) -> Any:
        costly = ops.Dense(100, use_bias=False)(x)
        return da.or_({"skip": lambda x: x, "sum": lambda x: ops.Dense(1, use_bias=False)(costly)})(x)

    mixture = da.Mixture(("skip", "sum"), (0.75, 0.25))
    assert expected_cost(net, da.vector(1), {"or.which": mixture}).macs == 0.25 * 200


def test_latency_is_summed_call_by_call() -> None:
    @da.space
    def net(x: Any) -> Any:
        return da.or_({"a": ops.ReLU, "b": lambda: ops.Dense(da.choice([2, 4], name="n"))})(x)

    table = {"or[a]/relu": 1.0, "or[b]/dense": 10.0}
    mixtures = {"or.which": da.Mixture(("a", "b"), (0.5, 0.5)), "or[b]/n": 4}
    seen: list[Any] = []

    def latency(address: str, module: Any, specs: Any) -> float:
        seen.append((address, specs[0].shape, getattr(module, "units", None)))
        return table[address]

    assert expected_cost(net, da.vector(3), mixtures, latency).latency == 5.5
    assert seen == [("or[a]/relu", (3,), None), ("or[b]/dense", (3,), 4)]


def test_what_a_limit_does_not_offer_is_left_out() -> None:
    @da.rule
    def term() -> Any:
        return da.or_({"leaf": ops.Tanh, "more": lambda x: ops.Dense(3, use_bias=False)(term()(x))})

    space = da.space(lambda x: term()(x)).limit(max_depth=2)
    both = da.Mixture(("leaf", "more"), (0.25, 0.75))
    mixtures = {"term/or.which": both, "term/or[more]/term/or.which": both}
    assert expected_cost(space, da.vector(3), mixtures).macs == 0.75 * 9, "the inner one can only be a leaf"


def test_a_decision_that_is_missing_is_named() -> None:
    with pytest.raises(MissingValues, match=r"dense\.units: this relaxed state reaches it"):
        expected_cost(da.space(lambda x: ops.Dense(da.choice([1, 2]))(x)), da.vector(2), {})


def test_gradients_go_through(torch: Any) -> None:
    from deep_arch.backends import torch_backend

    inputs = da.image(channels=3, height=8, width=8)
    supernet = torch_backend.supernet(readme, inputs, seed=0).double()
    mixtures = some_mixtures(readme, inputs, 5)
    weights = {a: torch.tensor(m.weights, dtype=torch.float64, requires_grad=True) for a, m in mixtures.items()}

    def macs(given: Mapping[str, Any]) -> Any:
        state = {a: da.Mixture(m.values, given[a]) for a, m in mixtures.items()}
        return supernet.at(state).cost().macs

    slopes = torch.autograd.grad(macs(weights), [*weights.values()])
    for (address, w), slope in zip(weights.items(), slopes, strict=True):
        for i in range(len(w)):
            step = torch.zeros_like(w)
            step[i] = 1e-5
            moved = [macs({**weights, address: w.detach() + sign * step}).item() for sign in (1, -1)]
            assert slope[i].item() == pytest.approx((moved[0] - moved[1]) / 2e-5, rel=1e-4, abs=1.0)


def test_events() -> None:
    a0, a1, b0 = [frozenset([each]) for each in ((0, 0), (0, 1), (1, 0))]
    odds = Odds([(0.25, 0.75), (0.5, 0.5)])
    assert odds.of(frozenset([a0, b0])) == pytest.approx(1 - 0.75 * 0.5)
    assert odds.of(frozenset([a0, a1])) == pytest.approx(1)
    assert odds.of(absorbed([a0 | b0, a0])) == 0.25
    assert odds.of(frozenset([ALWAYS])) == 1.0 and odds.of(frozenset()) == 0.0


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")

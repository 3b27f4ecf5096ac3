"""Laws of paths: what a view of one architecture computes is what its built model does, with the same weights."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.searchers import RandomSearch
from deep_arch.testing import supernet_contract as contract
from deep_arch.testing.language_networks import DECODER, decoder, gpt_2
from deep_arch.testing.network_spaces import RandomNetwork, networks
from deep_arch.testing.supernet_spaces import IMAGE, NAMED

SOME = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def check(supernet: Any, architecture: da.Architecture, inputs: Mapping[str, Tensor]) -> None:
    for training in (False, True):
        contract.check_path(supernet, architecture, inputs, training)


@pytest.mark.parametrize("name", NAMED)
def test_a_path_is_the_built_model(name: str) -> None:
    space, inputs, *_ = NAMED[name]
    supernet, batch = contract.network_of(space, inputs), contract.examples(space, inputs)
    for seed in range(3):
        check(supernet, space.sample(seed=seed), batch)


@SOME
@given(network=networks(), seed=st.integers(0, 100))
def test_a_path_of_a_random_space_is_the_built_model(network: RandomNetwork, seed: int) -> None:
    batch = contract.examples(network.space, network.inputs)
    check(contract.network_of(network.space, network.inputs), network.space.sample(seed=seed), batch)


def test_a_path_is_the_built_model_in_float32_too() -> None:
    space, inputs, *_ = NAMED["once for all"]
    supernet = torch_backend.supernet(space, inputs, seed=0)
    x = contract.examples(space, inputs)["x"].float()
    for seed in range(5):
        architecture = space.sample(seed=seed)
        model = supernet.build(architecture)
        for training in (False, True):
            assert torch.equal(supernet.at(architecture).train(training)(x), model.train(training)(x))


def own_convolution() -> Any:
    """Return a wrapped layer whose kernel is searched: each size has weights of its own."""
    return torch_backend.wrap(nn.Conv2d)(4, 4, da.choice([1, 3]), padding="same")


@dataclass(eq=False)
class Shifted(da.Operation):
    """Adds a number to each of its units, each of which is a sum of the inputs; it lowers itself."""

    units: int
    by: float = 0.0
    stateless = False

    def shape(self, x: Any) -> Any:
        return x.with_shape(self.units)

    def weights(self, x: Any) -> dict[str, da.Weight]:
        return {"weight": da.Weight((self.units, x.channels)), "bias": da.Weight((self.units,))}

    def to_torch(self, emit: Any, specs: Any, x: Any) -> Any:
        y = emit.module(lambda: nn.Linear(specs[0].channels, self.units), x)
        return emit.function(torch.add, y, self.by)


def own(x: da.Value) -> da.Value:
    x = Shifted(da.choice([2, 4]), by=da.choice([0.0, 0.5]))(x)
    return torch_backend.wrap(nn.LazyLinear)(3)(da.repeat(lambda: ops.Dense(4), da.choice([1, 2]))(x))


def convolved(x: da.Value) -> da.Value:
    x = da.repeat(own_convolution, da.choice([1, 2]))(ops.Conv2D(4, da.choice([1, 3]))(x))
    return torch_backend.wrap(nn.BatchNorm2d)(4)(x)


@pytest.mark.parametrize(("function", "inputs"), [(own, da.vector(3)), (convolved, IMAGE)])
def test_a_path_of_modules_that_torch_knows_is_the_built_model(function: Any, inputs: da.Spec) -> None:
    space = da.space(function)
    supernet, batch = contract.network_of(space, inputs), contract.examples(space, inputs)
    for architecture in space.enumerate():
        check(supernet, architecture, batch)


def test_a_network_without_decisions_is_the_built_model() -> None:
    for space, inputs in ((gpt_2(1, 2, 8, 11, 5), da.tokens(5, 11)), (da.space(decoder), DECODER)):
        check(contract.network_of(space, inputs), space.start(), contract.examples(space, inputs))


def test_values_and_trials_are_paths() -> None:
    space, inputs, *_ = NAMED["fixed"]
    supernet, batch = contract.network_of(space, inputs), contract.examples(space, inputs)
    for trial in da.search(space, RandomSearch(), trials=2, seed=0):
        views = [supernet.at(given) for given in (trial, trial.architecture, trial.architecture.values)]
        outputs = [view(**batch) for view in views]
        assert torch.equal(outputs[0], outputs[1])
        assert torch.equal(outputs[0], outputs[2])
        assert [view.architecture for view in views] == [trial.architecture] * 3
        trial.tell(0.0)


def test_inputs_in_order_are_inputs_by_name() -> None:
    space, inputs, *_ = NAMED["two of each"]
    supernet, batch = contract.network_of(space, inputs), contract.examples(space, inputs)
    view = supernet.at(space.sample(seed=0))
    by_name, in_order = view(**batch), view(*batch.values())
    assert [*by_name] == [*in_order] == ["sum", "gate"]
    assert all(torch.equal(by_name[name], in_order[name]) for name in by_name)


def test_parameters_are_those_that_are_reached() -> None:
    space = da.space(lambda x: da.repeat(lambda: ops.Dense(3), da.choice([1, 2], name="n"))(x))
    supernet = contract.network_of(space, da.vector(3))
    counts = {n: [*supernet.at({"n": n}).parameters()] for n in (1, 2)}
    everything = [*supernet.parameters()]
    assert len(everything) == 4
    assert [[p is q for p in everything].index(True) for q in counts[1]] == [0, 1]
    assert all(p is q for p, q in zip(counts[2], everything, strict=True))


def test_several_paths_are_one_step() -> None:
    """Their statistics move in between, and no slope needs these."""
    space, inputs, *_ = NAMED["joined widths"]
    supernet, batch = contract.network_of(space, inputs), contract.examples(space, inputs)
    architectures = [*space.enumerate()][::-1]
    alone = []
    for architecture in architectures:
        supernet.zero_grad(set_to_none=True)
        contract.run(supernet.at(architecture), batch, training=True)
        alone.append([torch.zeros_like(p) if p.grad is None else p.grad for p in supernet.parameters()])
    supernet.zero_grad(set_to_none=True)
    scores = [contract.score_of(supernet.at(architecture)(**batch)) for architecture in architectures]
    contract.backward(torch.stack(scores).sum())
    together = [p.grad for p in supernet.parameters()]
    contract.assert_close(together, [torch.stack(each).sum(0) for each in zip(*alone, strict=True)], "gradients")


def test_a_view_trains_like_a_model() -> None:
    space, inputs, *_ = NAMED["mobile"]
    supernet, batch = contract.network_of(space, inputs), contract.examples(space, inputs)
    architecture = space.sample(seed=1)
    where = contract.places(supernet, architecture)
    model, view = supernet.build(architecture), supernet.at(architecture)
    for each in (model, view):
        optimizer = torch.optim.SGD(each.parameters(), lr=1e-3)
        for _ in range(3):
            optimizer.zero_grad(set_to_none=True)
            contract.run(each, batch, training=True)
            optimizer.step()
    before = contract.shared_tensors(supernet)
    after = contract.scattered(contract.shared_tensors(model), where, before)
    contract.assert_close([*before.values()], [*after.values()], "weights and statistics", 1e-9)

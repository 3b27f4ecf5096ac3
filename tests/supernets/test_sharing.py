"""Laws of sharing: which weights there are, how large, who shares them; and to and from models."""

# The functions of the spaces here are lambdas, whose parameters have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.testing import supernet_contract as contract
from deep_arch.testing.language_networks import gpt_2
from deep_arch.testing.network_spaces import RandomNetwork, networks
from deep_arch.testing.supernet_spaces import IMAGE, NAMED

SOME = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
SMALL = (
    "joined widths",
    "dependent counts",
    "tied and captured",
    "permuted",
    "fixed",
    "squeezed",
    "decided by shapes",
    "split",
)


def largest(space: da.SearchSpace, inputs: Any) -> dict[str, tuple[int, ...]]:
    """Return the largest shape of each weight of built models, axis by axis."""
    found: dict[str, tuple[int, ...]] = {}
    for architecture in space.enumerate():
        for name, array in torch_backend.get_weights(torch_backend.build(architecture, inputs, seed=0)).items():
            found[name] = tuple(np.maximum(found.get(name, array.shape), array.shape).tolist())
    return found


def shapes_of(supernet: Any) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in torch_backend.get_weights(supernet).items()}


@pytest.mark.parametrize("name", SMALL)
def test_the_largest_is_enough(name: str) -> None:
    space, inputs, *_ = NAMED[name]
    assert shapes_of(contract.network_of(space, inputs)) == largest(space, inputs)


@pytest.mark.parametrize("name", SMALL)
def test_every_weight_is_reached(name: str) -> None:
    space, inputs, *_ = NAMED[name]
    supernet = contract.network_of(space, inputs)
    reached: set[str] = set()
    for architecture in space.enumerate():
        for where in contract.places(supernet, architecture).values():
            reached.update(where)
    assert reached == set(contract.shared_tensors(supernet))


@SOME
@given(network=networks(max_leaves=2), seed=st.integers(0, 100))
def test_a_random_space_holds_what_its_architectures_do(network: RandomNetwork, seed: int) -> None:
    supernet = contract.network_of(network.space, network.inputs)
    architecture = network.space.sample(seed=seed)
    held = shapes_of(supernet)
    for name, array in torch_backend.get_weights(torch_backend.build(architecture, network.inputs, seed=0)).items():
        assert name in held, f"{name} is nowhere in the super-network"
        assert all(n <= most for n, most in zip(array.shape, held[name], strict=True))


def test_every_number_is_reached_where_decisions_are_independent() -> None:
    def net(x: da.Value) -> da.Value:
        x = ops.Conv2D(da.choice([2, 4]), da.choice([1, 3, 5]))(x)
        return ops.Conv2D(da.choice([1, 3]), da.choice([1, 2, 4]))(x)

    supernet = contract.network_of(da.space(net), IMAGE)
    held = contract.shared_tensors(supernet)
    left = {name: torch.ones(tensor.numel(), dtype=torch.bool) for name, tensor in held.items()}
    for architecture in supernet.space.enumerate():
        for where in contract.places(supernet, architecture).values():
            for name, positions in where.items():
                left[name][positions] = False
    assert not any(bool(each.any()) for each in left.values())


def test_a_slice_is_the_first_filters_and_the_middle_of_a_window() -> None:
    space = da.space(lambda x: ops.Conv2D(da.choice([2, 4], name="f"), da.choice([1, 3], name="k"))(x))
    supernet = contract.network_of(space, IMAGE)
    (weight, bias) = supernet.parameters()
    assert weight.shape == (4, 3, 3, 3)
    small = supernet.build(space.at({"f": 2, "k": 1}))
    assert torch.equal(small.conv2d.weight, weight[:2, :, 1:2, 1:2])
    assert torch.equal(small.conv2d.bias, bias[:2])


def test_sharing_is_by_address() -> None:
    """Training one path moves what shares an address with it, and nothing else."""
    space, inputs, *_ = NAMED["fixed"]
    supernet, batch = contract.network_of(space, inputs), contract.examples(space, inputs)
    architectures = [*space.enumerate()]
    where = [contract.places(supernet, architecture) for architecture in architectures]
    before = {name: tensor.clone() for name, tensor in contract.shared_tensors(supernet).items()}
    trained = supernet.at(architectures[0])
    contract.run(trained, batch, training=True)
    torch.optim.SGD(supernet.parameters(), lr=0.1).step()
    after = contract.shared_tensors(supernet)
    own = {name: positions for each in where[0].values() for name, positions in each.items()}
    for name, tensor in after.items():
        moved = (tensor != before[name]).flatten().nonzero().flatten().tolist()
        assert set(moved) <= set(own.get(name, torch.tensor([])).tolist())
        assert bool(moved) == (name in own)


def test_alternatives_share_nothing_and_copies_share_over_counts() -> None:
    space = da.space(lambda x: da.or_([lambda: ops.Dense(3), lambda: ops.Dense(3)])(x))
    assert len([*contract.network_of(space, da.vector(3)).parameters()]) == 4
    space = da.space(lambda x: da.repeat(lambda: ops.Dense(3), da.choice([1, 2, 3]))(x))
    assert len([*contract.network_of(space, da.vector(3)).parameters()]) == 6


# --- from and to models ----------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_weights_where_nothing_is_elastic() -> None:
    for space, inputs in ((gpt_2(1, 2, 8, 11, 5), da.tokens(5, 11)), *[NAMED[n][:2] for n in ("permuted", "grammar")]):
        supernet = torch_backend.supernet(space, inputs, seed=3)
        shared = torch_backend.get_weights(supernet)
        model = torch_backend.build(space.sample(seed=0), inputs, seed=3)
        for name, array in torch_backend.get_weights(model).items():
            assert np.array_equal(shared[name], array), name


def test_another_seed_gives_other_weights() -> None:
    space, inputs, *_ = NAMED["fixed"]
    a, b, c = (torch_backend.get_weights(torch_backend.supernet(space, inputs, seed=seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert not all(np.array_equal(a[name], c[name]) for name in a)


def test_making_a_super_network_leaves_torchs_random_numbers() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    torch_backend.supernet(NAMED["fixed"].space, NAMED["fixed"].inputs, seed=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_built_model_has_the_moving_statistics() -> None:
    space, inputs, *_ = NAMED["nats size"]
    supernet, batch = contract.network_of(space, inputs), contract.examples(space, inputs)
    architecture = space.sample(seed=0)
    supernet.at(architecture).train()(**batch)
    model = supernet.build(architecture)
    assert model.training
    assert torch.equal(model.eval()(**batch), supernet.at(architecture).eval()(**batch))
    assert not supernet.build(architecture).training
    with torch.no_grad():
        next(model.parameters()).zero_()
    assert bool(next(supernet.parameters()).any())


@pytest.mark.parametrize("name", ["nats size", "once for all", "kernels", "recurrent", "transformer", "joined widths"])
@pytest.mark.parametrize("given", ["model", "weights"])
def test_a_loaded_model_is_its_path(name: str, given: str) -> None:
    space, inputs, *_ = NAMED[name]
    for seed in range(3):
        architecture = space.sample(seed=seed)
        model = contract.network_of(space, inputs, seed=7).build(architecture).eval()
        supernet, batch = contract.network_of(space, inputs), contract.examples(space, inputs)
        supernet.load(model if given == "model" else torch_backend.get_weights(model), architecture)
        contract.assert_close(
            contract.listed(supernet.at(architecture).eval()(**batch)), contract.listed(model(**batch)), "outputs"
        )


def test_a_model_is_loaded_without_its_architecture_where_nothing_is_joined() -> None:
    space, inputs, *_ = NAMED["nats size"]
    architecture = space.sample(seed=0)
    model = contract.network_of(space, inputs, seed=7).build(architecture).eval()
    supernet, batch = contract.network_of(space, inputs), contract.examples(space, inputs)
    supernet.load(torch_backend.get_weights(model))
    contract.assert_close([supernet.at(architecture).eval()(**batch)], [model(**batch)], "outputs")


def test_calibration_is_of_one_path() -> None:
    space, inputs, *_ = NAMED["nats size"]
    supernet = contract.network_of(space, inputs).eval()
    batches = [contract.examples(space, inputs, n=8, seed=seed)["x"] for seed in range(3)]
    one, other = space.sample(seed=0), space.sample(seed=1)
    before = {name: tensor.clone() for name, tensor in contract.shared_tensors(supernet).items()}
    view = supernet.calibrate(one, batches)
    assert all(torch.equal(tensor, before[name]) for name, tensor in contract.shared_tensors(supernet).items())
    assert not supernet.training
    expected = supernet.at(one).train()(batches[0])
    with torch.no_grad():
        for name, tensor in supernet.named_buffers():
            tensor.copy_(before[name])
    supernet.eval()
    same = supernet.calibrate(one, [batches[0]] * 4)
    assert not torch.equal(same(batches[0]), supernet.at(one)(batches[0]))
    assert (same(batches[0]) - expected).abs().max() < (supernet.at(one)(batches[0]) - expected).abs().max()
    first, again = view(batches[0]), view(batches[0])
    assert torch.equal(first, again)
    uncalibrated = supernet.at(other)(batches[0])
    assert torch.equal(uncalibrated, supernet.at(other)(batches[0]))


def test_what_runs_several_times_a_batch_is_calibrated_by_all_of_these() -> None:
    def norm() -> ops.BatchNormalization:
        return ops.BatchNormalization(center=False, scale=False, epsilon=1e-12)

    @da.space
    def net(x: Any) -> Any:
        once = norm()
        return da.map_(lambda frame: norm()(frame))(x), ops.Add()(once(x), once(ops.Multiply()(x, x)))

    supernet = contract.network_of(net, da.sequence(5, 3)).eval()
    batches = [contract.examples(net, da.sequence(5, 3), n=8, seed=seed)["x"] for seed in range(3)]
    view = supernet.calibrate(net.start(), batches)
    zeros, ones = [view(torch.full_like(batches[0], value)) for value in (0.0, 1.0)]
    means = [(zero / (zero - one))[0, :, 0] for zero, one in zip(zeros, ones, strict=True)]
    each = [
        torch.stack([x.mean((0, 2)) for x in batches]),
        torch.stack([(x + x * x).mean((0, 2)) / 2 for x in batches]),
    ]
    contract.assert_close(means, [mean.mean(0) for mean in each], "the mean", 1e-9)


def test_calibrated_statistics_are_the_means_over_batches() -> None:
    space = da.space(lambda x: ops.BatchNormalization(center=False, scale=False, epsilon=1e-12)(x))
    supernet = contract.network_of(space, da.vector(3)).eval()
    batches = [contract.examples(space, da.vector(3), n=8, seed=seed)["x"] for seed in range(3)]
    view = supernet.calibrate(space.start(), batches)
    mean = torch.stack([batch.mean(0) for batch in batches]).mean(0)
    variances = [torch.stack([batch.var(0, correction=n) for batch in batches]).mean(0) for n in (0, 1)]
    expected = [(batches[0] - mean) / variance.sqrt() for variance in variances]
    assert any(torch.allclose(view(batches[0]), each, rtol=0, atol=1e-9) for each in expected)

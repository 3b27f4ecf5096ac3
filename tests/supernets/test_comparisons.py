"""The comparisons of the laws: each fails where it must."""

# pyright: reportUnknownMemberType=false, reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import deep_arch as da
from deep_arch import ops
from deep_arch.testing import supernet_contract as contract

VECTOR = da.vector(3)


@da.space
def net(x: da.Value) -> da.Value:
    x = ops.BatchNormalization()(ops.Dense(da.choice([2, 4], name="width"))(x))
    return ops.Dense(2)(da.or_([ops.Identity, lambda: ops.Scale(0.5)], name="d")(x))


STATE = {"width": 2, "d.which": 0}


class Other:
    """A super-network, but for what a test replaces."""

    def __init__(self, supernet: Any, **replaced: Any) -> None:
        self.__dict__.update(supernet=supernet, **replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["supernet"], name)


def changed(supernet: Any, change: Callable[[nn.Module], Any]) -> Other:
    """Return a super-network whose built models are changed."""

    def build(architecture: da.Architecture) -> nn.Module:
        model: nn.Module = supernet.build(architecture)
        if not bool((next(model.parameters()) % 1 == 0).all()):  # not while positions are asked for
            with torch.no_grad():
                change(model)
        return model

    return Other(supernet, build=build)


@pytest.fixture
def supernet() -> Any:
    return contract.network_of(net, VECTOR)


@pytest.fixture
def batch() -> Any:
    return contract.examples(net, VECTOR)


def test_tensors_that_differ() -> None:
    zeros = torch.zeros(2, dtype=torch.float64)
    contract.assert_close([zeros], [zeros + 1e-13], "what")
    for other in (zeros + 1e-11, torch.zeros(3), torch.tensor([0.0, float("nan")])):
        with pytest.raises(AssertionError, match="what 0"):
            contract.assert_close([zeros], [other], "what")
    with pytest.raises(AssertionError, match="expected 2 tensors"):
        contract.assert_close([zeros], [zeros, zeros], "what")


def test_a_path_with_other_weights(supernet: Any, batch: Any) -> None:
    other = changed(supernet, lambda model: next(model.parameters()).add_(1e-6))
    for training in (False, True):
        with pytest.raises(AssertionError, match="outputs"):
            contract.check_path(other, net.at(STATE), batch, training)


def test_a_path_with_other_statistics(supernet: Any, batch: Any) -> None:
    other = changed(supernet, lambda model: next(model.buffers()).add_(1e-6))
    with pytest.raises(AssertionError, match="moving statistics"):
        contract.check_path(other, net.at(STATE), batch, training=True)


def test_a_path_with_other_gradients(supernet: Any, batch: Any) -> None:
    next(supernet.parameters()).register_hook(lambda slope: 2 * slope)
    with pytest.raises(AssertionError, match="gradients"):
        contract.check_path(supernet, net.at(STATE), batch, training=False)


def test_a_gradient_that_is_zero_and_not_none(supernet: Any, batch: Any) -> None:
    architecture = net.at(STATE)
    view = supernet.at(architecture)

    class Touching(nn.Module):
        def train(self, mode: bool = True) -> Any:
            view.train(mode)
            return self

        def forward(self, **inputs: Any) -> Any:
            return view(**inputs) + 0.0 * torch.stack([p.sum() for p in supernet.parameters()]).sum()

    with pytest.raises(AssertionError, match="a gradient where there is none"):
        contract.check_path(Other(supernet, at=lambda _: Touching()), architecture, batch, training=False)


def test_one_hot_states_of_another_path(supernet: Any, batch: Any) -> None:
    def at(state: Any) -> Any:
        return supernet.at(net.at({**STATE, "d.which": 1}) if isinstance(state, da.Architecture) else state)

    with pytest.raises(AssertionError, match="outputs"):
        contract.check_one_hot(Other(supernet, at=at), STATE, batch, training=False)


@pytest.mark.parametrize("training", [False, True])
def test_a_mixture_that_is_no_expectation(supernet: Any, batch: Any, training: bool) -> None:
    """What is mixed before a normalisation that computes over the batch, or has other weights, is not."""

    def at(state: Any) -> Any:
        if isinstance(state, da.Architecture):
            return supernet.at(state)
        mixture = state["d.which"]
        return supernet.at({**state, "d.which": da.Mixture(mixture.values, mixture.weights * 1.001)})

    contract.check_expectation(supernet, STATE, "d.which", batch, training)
    with pytest.raises(AssertionError, match="outputs"):
        contract.check_expectation(Other(supernet, at=at), STATE, "d.which", batch, training)


def test_a_masked_value_that_is_divided_out() -> None:
    """A function of a sum is no sum of the function: what is not linear after a decision breaks the law."""
    space = da.space(lambda x: ops.Tanh()(ops.Dense(2)(ops.Dense(da.choice([2, 4], name="width"))(x))))
    with pytest.raises(AssertionError, match="outputs"):
        contract.check_expectation(
            contract.network_of(space, VECTOR), {}, "width", contract.examples(space, VECTOR), False
        )


def test_slopes_that_are_wrong(supernet: Any, batch: Any) -> None:
    supernet.eval()

    class Doubled:
        def __init__(self, view: Any) -> None:
            self.view = view

        def slopes(self, score: Any) -> Any:
            return {a: tuple([1.01 * slope for slope in each]) for a, each in self.view.slopes(score).items()}

    def score(state: Any) -> Any:
        view = supernet.at(state)
        return view, contract.score_of(view(**batch))

    def wrong(state: Any) -> Any:
        view, number = score(state)
        return Doubled(view), number

    state = contract.softened(supernet, STATE)
    contract.check_slopes(score, state, 1e-6)
    with pytest.raises(AssertionError, match="slopes at"):
        contract.check_slopes(wrong, state, 1e-6)


def test_places_are_where_numbers_stand(supernet: Any) -> None:
    before = {name: tensor.clone() for name, tensor in contract.shared_tensors(supernet).items()}
    where = contract.places(supernet, net.at(STATE))
    held = contract.shared_tensors(supernet)
    assert all(torch.equal(tensor, before[name]) for name, tensor in held.items())
    model = supernet.build(net.at(STATE))
    for name, tensor in model.named_parameters():
        ((shared, positions),) = where[name].items()
        assert torch.equal(held[shared].flatten()[positions], tensor.flatten())
    assert where["dense.weight"]["dense.weight"].tolist() == [0, 1, 2, 3, 4, 5]


def test_what_runs_is_counted() -> None:
    space = da.space(lambda x: contract.counting("b")(contract.counting("a")(x)))
    view = contract.network_of(space, VECTOR).at(space.start())
    assert contract.runs_of(view, contract.examples(space, VECTOR)) == ["a", "b"]


def test_channels_that_are_alive() -> None:
    assert contract.alive(torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]])).tolist() == [[1.0, 0.0], [0.0, 2.0]]

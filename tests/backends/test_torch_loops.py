"""Loops in torch models: what was made around one and is called in it stands in one place of the model, by one name."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, fx

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.backends.torch_backend.weights import get_gradients

INPUTS = {"x": da.sequence(length=5, features=2)}


def folded(dense: Any, x: Any, first: Any = None) -> Any:
    """Return the last state of a scan whose body calls a module."""
    step: Any = lambda h, f: ops.Tanh()(ops.Add()(dense(f), h))  # noqa: E731
    return da.scan(step)(ops.Zeros(2)(x) if first is None else first, x)


def inside(x: Any) -> Any:
    return folded(ops.Dense(2), x)


def before(x: Any) -> Any:
    dense = ops.Dense(2)
    return folded(dense, x, dense(ops.GlobalAveragePooling1D()(x)))


def after(x: Any) -> Any:
    dense = ops.Dense(2)
    return dense(folded(dense, x))


def two_scans(x: Any) -> Any:
    dense = ops.Dense(2)
    return folded(dense, x, folded(dense, x))


def nested(x: Any) -> Any:
    dense = ops.Dense(2)
    return da.scan(lambda h, f: folded(dense, x, ops.Add()(f, h)))(ops.Zeros(2)(x), x)


def made_in_the_outer_body(x: Any) -> Any:
    return da.scan(lambda h, f: folded(ops.Dense(2), x, ops.Add()(f, h)))(ops.Zeros(2)(x), x)


def mapped(x: Any) -> Any:
    dense = ops.Dense(2)
    return da.map_(lambda f: ops.Tanh()(dense(f)))(x)


def a_module_as_body(x: Any) -> Any:
    return da.map_(ops.Dense(2))(x)


def repeated(x: Any) -> Any:
    """Call in each copy a module of all copies, and one of the copy."""
    shared = ops.Dense(2)

    def block(x: Any) -> Any:
        own = ops.Dense(2)
        return da.map_(lambda f: ops.Add()(own(f), shared(f)))(x)

    return da.repeat(block, 2)(x)


def with_submodules(x: Any) -> Any:
    attention = ops.MultiHeadAttention(2, 2)
    return da.map_(lambda f: ops.Flatten()(attention(ops.Reshape((1, 2))(f))))(x)


NETS: dict[Callable[..., Any], list[str]] = {
    inside: ["dense"],
    before: ["dense"],
    after: ["dense"],
    two_scans: ["dense"],
    nested: ["dense"],
    made_in_the_outer_body: ["scan.dense"],
    mapped: ["dense"],
    a_module_as_body: ["dense"],
    repeated: ["dense", "repeat_0.dense", "repeat_1.dense"],
    with_submodules: [f"multi_head_attention.{part}" for part in ("key", "output", "query", "value")],
}


@pytest.fixture(params=NETS, ids=lambda fn: fn.__name__)
def net(request: pytest.FixtureRequest) -> Any:
    return request.param


def built(net: Any, seed: int = 0) -> fx.GraphModule:
    return torch_backend.build(da.space(net).at({}), INPUTS, seed)


def example() -> Tensor:
    return torch.randn(3, 2, 5, generator=torch.manual_seed(0))


def test_each_weight_has_one_name_which_is_its_address(net: Any) -> None:
    model = built(net)
    names = [f"{owner}.{kind}" for owner in NETS[net] for kind in ("bias", "weight")]
    assert sorted(model.state_dict()) == sorted(dict(model.named_parameters(remove_duplicate=False))) == names


def test_weights_are_set_and_read_back(net: Any) -> None:
    model, other = built(net), built(net, seed=1)
    weights = {name: weight + 0.5 for name, weight in torch_backend.get_weights(model).items()}
    for one in (model, other):
        torch_backend.set_weights(one, weights)
        assert all(np.array_equal(weight, weights[name]) for name, weight in torch_backend.get_weights(one).items())
    assert torch.equal(model(example()), other(example()))


def test_state_dicts_go_from_model_to_model(net: Any) -> None:
    model, other = built(net), built(net, seed=1)
    assert not torch.equal(model(example()), other(example()))
    other.load_state_dict(model.state_dict())
    assert torch.equal(model(example()), other(example()))


def test_gradients_reach_the_weights(net: Any) -> None:
    model = built(net)
    model(example()).square().sum().backward()
    reached = {name for name, gradient in get_gradients(model).items() if np.abs(gradient).sum() > 0}
    shifts_all_scores_alike = {"multi_head_attention.key.bias"}
    assert reached | shifts_all_scores_alike >= set(torch_backend.get_weights(model))


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_and_pickles_hold_the_module_once(net: Any, again: Callable[[Any], Any]) -> None:
    model = built(net)
    other = again(again(model))
    assert list(other.state_dict()) == list(model.state_dict())
    assert torch.equal(other(example()), model(example()))
    weights = {name: weight * 2 + 0.1 for name, weight in torch_backend.get_weights(other).items()}
    torch_backend.set_weights(other, weights)
    torch_backend.set_weights(model, weights)
    assert torch.equal(other(example()), model(example())), (
        "the module that is called is the one whose weights were set"
    )


def test_models_are_compiled_and_exported(net: Any) -> None:
    model, x = built(net).eval(), example()
    compiled: Any = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), model(x))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(model, (x,))
    assert sorted(exported.state_dict) == sorted(model.state_dict())
    torch.testing.assert_close(exported.module()(x), model(x))


def test_a_loop_runs_again_with_what_it_read_before() -> None:
    """Loops of one module on other shapes share what was made in their body and around it."""

    def net(x: Any) -> Any:
        dense, own = ops.Dense(2), ops.Dense(2, name="own")
        body = da.map_(lambda f: ops.Add()(dense(f), own(f)))
        return ops.Concatenate(axis=1)(body(x), body(ops.Cropping1D(1)(x)))

    model = built(net)
    assert sorted(model.state_dict()) == ["dense.bias", "dense.weight", "own.bias", "own.weight"]
    assert len([node for node in model.graph.nodes if node.op == "call_module"]) == 2
    assert model(example()).shape == (3, 2, 8)


class Halved(ops.Identity):
    """An operation of a user's, whose function asks for its input's values."""

    def to_torch(self, emit: Any, specs: Any, x: Any) -> Any:
        return emit.function(halved, x)


def halved(x: Tensor) -> Tensor:
    return x / 2 if x.is_floating_point() else x // 2


def test_functions_that_ask_for_types_are_pickled() -> None:
    model = built(lambda x: Halved()(ops.Zeros(2)(ops.WindowAverage(1, 1)(x))))
    other: Any = pickle.loads(pickle.dumps(model))
    assert [node.target for node in other.graph.nodes] == [node.target for node in model.graph.nodes]
    assert torch.equal(other(example()), model(example()))

"""Weights of torch models: their neutral layouts, what they begin with, their types, and where they are remembered."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, fx, nn

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.backends.torch_backend.storage import Layout
from deep_arch.backends.torch_backend.weights import get_gradients
from deep_arch.errors import BadArgument
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.language.weights import Weight
from deep_arch.testing.operation_strategies import OPERATIONS
from deep_arch.testing.substitution_pairs import space_of

IMAGE = da.image(channels=4, height=8, width=8)


def build(fn: Any, inputs: Any = IMAGE, seed: int | None = 0) -> Any:
    return torch_backend.build(da.space(fn).at({}), inputs, seed)


def weights_of(op: Operation, *specs: Spec) -> tuple[Any, list[Any]]:
    """Return the submodule of one operation with random weights, and those weights in order."""
    space = space_of(op, len(specs))
    model: Any = torch_backend.build(space.at({}), dict(zip(space.inputs, specs, strict=True)), 0)
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(size=x.shape) for name, x in torch_backend.get_weights(model).items()}
    torch_backend.set_weights(model, weights)
    return next(model.children()), [np.float32(x) for x in weights.values()]


def assert_equal(tensor: Tensor, array: Any) -> None:
    np.testing.assert_array_equal(tensor.detach().numpy(), array)


# --- layouts ---------------------------------------------------------------------------------------------------------


def test_kernels_have_channels_last() -> None:
    layer, (kernel, bias) = weights_of(ops.Conv2D(6, (3, 2), groups=2), IMAGE)
    assert_equal(layer.weight[5, 1], kernel[:, :, 1, 5])
    assert_equal(layer.bias, bias)
    layer, (kernel, _) = weights_of(ops.Conv2DTranspose(6, (3, 2)), IMAGE)
    assert_equal(layer.weight[1, 5], kernel[:, :, 5, 1])
    layer, (kernel, _) = weights_of(ops.Dense(3), IMAGE)
    assert_equal(layer.weight, kernel.T)


def test_depthwise_kernels_have_the_multiplier_last() -> None:
    layer, (kernel, _) = weights_of(ops.DepthwiseConv2D(3, depth_multiplier=2), IMAGE)
    for channel in range(4):
        for multiple in range(2):
            assert_equal(layer.weight[2 * channel + multiple, 0], kernel[:, :, channel, multiple])


def test_gates_stand_in_the_order_of_keras() -> None:
    x = da.sequence(length=5, features=3)
    layer, (kernel, recurrent, bias) = weights_of(ops.GRU(2), x)
    update, reset, new = kernel.T.reshape(3, 2, 3)
    assert_equal(layer.weight_ih_l0, np.concatenate([reset, update, new]))
    update, reset, new = recurrent.T.reshape(3, 2, 2)
    assert_equal(layer.weight_hh_l0, np.concatenate([reset, update, new]))
    for tensor, row in zip((layer.bias_ih_l0, layer.bias_hh_l0), bias, strict=True):
        assert_equal(tensor, np.concatenate([row[2:4], row[:2], row[4:]]))
    layer, (kernel, recurrent, bias) = weights_of(ops.GRU(2, reset_after=False), x)
    assert_equal(layer.bias, np.concatenate([bias[2:4], bias[:2], bias[4:]]))
    layer, (kernel, recurrent, bias) = weights_of(ops.LSTM(2), x)
    assert_equal(layer.weight_ih_l0, kernel.T)
    assert_equal(layer.weight_hh_l0, recurrent.T)
    assert_equal(layer.bias_ih_l0, bias)


def test_attention_has_an_axis_of_heads() -> None:
    x = da.sequence(length=5, features=3)
    layer, weights = weights_of(ops.MultiHeadAttention(2, 4, value_dim=6), x)
    query, query_bias, value, output, output_bias = (weights[i] for i in (0, 1, 4, 6, 7))
    assert_equal(layer.query.weight[4:], query[:, 1].T)
    assert_equal(layer.query.bias[4:], query_bias[1])
    assert_equal(layer.value.weight[6:], value[:, 1].T)
    assert_equal(layer.output.weight[:, 6:], output[1].T)
    assert_equal(layer.output.bias, output_bias)


def test_a_layout_goes_there_and_back() -> None:
    layout = Layout(shape=(4, 6), split=(3, 2, 4), axes=(2, 0, 1), parts=(1, 0, 2))
    tensor = torch.randn(6, 4)
    neutral = layout.to_neutral(tensor)
    assert neutral.shape == (4, 6) and not torch.equal(neutral, tensor.T)
    assert torch.equal(layout.to_native(neutral, (6, 4)), tensor)


@pytest.mark.parametrize("cls", OPERATIONS, ids=lambda cls: cls.__name__)
def test_trained_weights_are_the_parameters(cls: type[Operation]) -> None:
    @settings(max_examples=5, deadline=None, database=None)
    @given(OPERATIONS[cls].filter(lambda case: len(case[1]) <= 4))
    def agree(case: tuple[Operation, tuple[Spec, ...]]) -> None:
        op, specs = case
        space = space_of(op, len(specs))
        model = torch_backend.build(space.at({}), dict(zip(space.inputs, specs, strict=True)), 0)
        for p in model.parameters():
            p.grad = p.detach() + 1.0
        weights, expected = torch_backend.get_weights(model), op.weights(*specs)
        gradients = get_gradients(model)
        assert [name.partition(".")[2] for name in gradients] == [n for n, weight in expected.items() if weight.trained]
        for name, gradient in gradients.items():
            np.testing.assert_array_equal(gradient, weights[name] + 1.0)
        assert sum(x.size for x in gradients.values()) == sum(p.numel() for p in model.parameters())

    agree()


# --- what they begin with --------------------------------------------------------------------------------------------


def test_layers_begin_as_those_of_keras() -> None:
    model = build(lambda x: ops.BatchNormalization()(ops.PReLU()(ops.Conv2D(8, 3)(x))))
    weights = torch_backend.get_weights(model)
    bound = (6 / (9 * (4 + 8))) ** 0.5
    assert 0.9 * bound < np.abs(weights["conv2d.kernel"]).max() < bound
    constants = {"bias": 0, "alpha": 0, "gamma": 1, "beta": 0, "moving_mean": 0, "moving_variance": 1}
    assert {name.partition(".")[2]: float(x.mean()) for name, x in weights.items() if x.ndim == 1} == constants


def test_every_device_gets_the_same_weights_and_none_needs_memory() -> None:
    with torch.device("meta"):
        assert all(p.is_meta for p in build(lambda x: ops.LSTM(3)(x), da.sequence(5, 3), seed=None).parameters())


class Shift(Operation):
    """An operation of a user, with a weight that torch names otherwise than it does."""

    def shape(self, *inputs: Spec) -> Spec:
        return inputs[0]

    def weights(self, *inputs: Spec) -> dict[str, Weight]:
        return {"shift": Weight((inputs[0].channels,))}

    def to_torch(self, emit: torch_backend.Emitter, specs: Any, x: fx.Node) -> fx.Node:
        return emit.module(lambda: nn.BatchNorm2d(specs[0].channels), x, name="norm")


def test_modules_that_lower_themselves_keep_torchs_names_and_first_weights() -> None:
    model = build(lambda x: torch_backend.wrap(nn.Conv2d)(4, 4, 3)(Shift(name="forward")(x)), seed=5)
    norm = [f"forward.norm.{name}" for name in ("weight", "bias", "running_mean", "running_var")]
    assert list(torch_backend.get_weights(model)) == [*norm, "conv2d.weight", "conv2d.bias"]
    assert list(get_gradients(model)) == [*norm[:2], "conv2d.weight", "conv2d.bias"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        torch.testing.assert_close(model.conv2d.state_dict(), nn.Conv2d(4, 4, 3).state_dict())


# --- types -----------------------------------------------------------------------------------------------------------


def everything(x: Any) -> Any:
    x = ops.Scale(0.5)(ops.PReLU()(ops.BatchNormalization(center=False)(ops.Conv2D(6, 3)(x))))
    x = ops.Reshape((6, -1))(ops.GroupNormalization(2)(ops.SeparableConv2D(6, 3)(x)))
    x = ops.LayerNormalization(scale=False)(ops.RMSNormalization()(ops.MultiHeadAttention(2, 3)(x)))
    x = ops.GRU(4, return_sequences=True, reset_after=False)(ops.GRU(4, return_sequences=True)(x))
    return ops.Dense(2)(ops.GaussianNoise(0.1)(ops.DropPath(0.1)(ops.LSTM(4)(x))))


@pytest.mark.parametrize("default", [torch.float32, torch.float64])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_have_the_type_of_the_inputs(dtype: str, default: torch.dtype) -> None:
    before = torch.get_default_dtype()
    torch.set_default_dtype(default)
    try:
        model = build(everything, da.image(4, 4, 4, dtype=dtype))
        y = model(torch.randn(3, 4, 4, 4, dtype=getattr(torch, dtype)))
        embedding = build(lambda x: ops.Dense(2)(ops.Embedding(7, 3)(x)), da.tokens(5, vocabulary=7))
    finally:
        torch.set_default_dtype(before)
    floats = [*model.parameters(), *(b for b in model.buffers() if b.is_floating_point())]
    assert {str(x.dtype) for x in (y, *floats)} == {f"torch.{dtype}"}
    assert {str(x.dtype) for x in torch_backend.get_weights(model).values()} == {dtype}
    assert {p.dtype for p in embedding.parameters()} == {torch.float32}


def test_half_types_are_set_and_got() -> None:
    model, whole = (build(lambda x: ops.Dense(3)(x), da.vector(4, dtype=dtype)) for dtype in ("float16", "float32"))
    weights = torch_backend.get_weights(whole)
    torch_backend.set_weights(model, weights)
    half = torch_backend.get_weights(model)
    assert {x.dtype for x in half.values()} == {np.dtype("float16")}
    np.testing.assert_allclose(half["dense.kernel"], weights["dense.kernel"], rtol=1e-3)
    assert {x.dtype for x in torch_backend.get_weights(whole.bfloat16()).values()} == {np.dtype("float32")}


# --- where they are remembered ---------------------------------------------------------------------------------------


def test_copies_and_pickles_remember_their_weights() -> None:
    model = build(everything)
    weights = torch_backend.get_weights(model)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    unpickled = pickle.loads(pickle.dumps(model))
    others = [copy.copy(model), copy.deepcopy(model), unpickled, torch.load(file, weights_only=False)]
    for other in [*others, copy.deepcopy(unpickled), pickle.loads(pickle.dumps(copy.copy(unpickled)))]:
        np.testing.assert_equal(torch_backend.get_weights(other), weights)
        torch_backend.set_weights(other, {name: x + 1 for name, x in weights.items()})
        torch_backend.set_weights(model, weights)


def test_a_compiled_model_remembers_its_weights() -> None:
    model = build(everything)
    compiled: Any = torch.compile(model, backend="eager")
    np.testing.assert_equal(torch_backend.get_weights(compiled), torch_backend.get_weights(model))


def test_arrays_that_cannot_be_written_to_are_taken() -> None:
    model = build(lambda x: ops.Dense(2)(x))
    weights = torch_backend.get_weights(model)
    for array in weights.values():
        array += 1.0
        array.flags.writeable = False
    torch_backend.set_weights(model, weights)
    np.testing.assert_equal(torch_backend.get_weights(model), weights)


def test_a_model_from_elsewhere_is_refused() -> None:
    model = build(lambda x: ops.ReLU()(x))
    for other in (nn.Linear(2, 2), fx.symbolic_trace(model)):
        with pytest.raises(BadArgument, match=r"torch_backend\.get_weights: (.|\n)*torch_backend\.build"):
            torch_backend.get_weights(other)

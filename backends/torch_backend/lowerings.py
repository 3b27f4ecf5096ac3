"""One lowering for each neutral operation.

Tensors are (batch, channels, *spatial), so a sequence is (batch, features, length). What torch computes over a last
axis, such as a linear layer, is given a view with the channels last.
"""

# The operator module has types that pyright takes for partially unknown.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from deep_arch import ops
from deep_arch.backends.torch_backend import layers, shapes, windows
from deep_arch.backends.torch_backend.attention import attention, rotary_embedding
from deep_arch.backends.torch_backend.batch_norm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from deep_arch.backends.torch_backend.context import Emitter, Lowered, Lowering
from deep_arch.backends.torch_backend.layout import channels_first, channels_last, in_either_layout
from deep_arch.language.specs import Spec
from deep_arch.ops.dense import is_reversed
from deep_arch.ops.windows import tuple_of

Specs = Sequence[Spec]


def _over_channels(factory: Callable[[Any, int], nn.Module]) -> Lowering:
    """Lower to a layer that works on the last axis."""

    def lower(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
        rank, channels = specs[0].rank, specs[0].channels
        x = emit.module(lambda: factory(op, channels), channels_last(x, emit, rank))
        return channels_first(x, emit, rank)

    return lower


def _layer(factory: Callable[[Any, int], nn.Module]) -> Lowering:
    """Lower to a layer that takes (batch, channels, *spatial)."""

    def lower(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
        return emit.module(lambda: factory(op, specs[0].channels), x)

    return lower


def _random(factory: Callable[[Any], nn.Module]) -> Lowering:
    """Lower to a layer that treats each number or each example alone, and so takes the channels anywhere."""

    def lower(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
        return in_either_layout([x], emit, specs[0].rank, lambda xs, _: emit.module(lambda: factory(op), *xs))

    return lower


def _activation(function: Callable[..., Any], *arguments: str) -> Lowering:
    """Lower to a function of each number, and of some of the operation's arguments."""

    def lower(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
        given = [getattr(op, name) for name in arguments]
        return in_either_layout([x], emit, specs[0].rank, lambda xs, _: emit.function(function, *xs, *given))

    return lower


def _softmax(function: Callable[..., Any]) -> Lowering:
    def lower(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
        return in_either_layout([x], emit, specs[0].rank, lambda xs, axis: emit.function(function, *xs, dim=axis))

    return lower


def _merge(function: Callable[..., Any], mean: bool = False) -> Lowering:
    """Lower to a function of two inputs, number by number and from the left; `mean` divides by how many there are."""

    def lower(op: Any, emit: Emitter, specs: Specs, *xs: fx.Node) -> fx.Node:
        def write(xs: Sequence[fx.Node], axis: int) -> fx.Node:
            merged = functools.reduce(lambda a, b: emit.function(function, a, b), xs)
            return emit.function(operator.truediv, merged, len(xs)) if mean and len(xs) > 1 else merged

        return in_either_layout(xs, emit, specs[0].rank, write)

    return lower


def _where(op: Any, emit: Emitter, specs: Specs, condition: fx.Node, a: fx.Node, b: fx.Node) -> fx.Node:
    given, rank = specs[0], specs[1].rank

    def choice(condition: fx.Node) -> fx.Node:
        return emit.function(operator.gt, condition, 0) if op.hard else emit.function(torch.sigmoid, condition)

    def write(xs: Sequence[fx.Node], axis: int) -> fx.Node:
        *conditions, a, b = xs
        chosen = choice(*conditions or [condition])
        if given.rank < rank:
            ones = (1,) * (rank - 1)
            shape = (given.channels, *ones) if axis == 1 else (*ones, given.channels)
            chosen = emit.function(torch.reshape, chosen, (-1, *shape))
        return emit.function(torch.where, chosen, a, b) if op.hard else emit.function(torch.lerp, b, a, chosen)

    nodes = [a, b] if given.rank < rank else [condition, a, b]
    return in_either_layout(nodes, emit, rank, write)


def _matmul(op: Any, emit: Emitter, specs: Specs, a: fx.Node, b: fx.Node) -> fx.Node:
    return emit.function(operator.matmul, a, b)


# --- layers with parameters ------------------------------------------------------------------------------------------


def _affine(op: Any, layer: nn.Module) -> nn.Module:
    """Make constants of the parameters that a normalisation is asked not to train."""
    for name, trained in (("weight", op.scale), ("bias", op.center)):
        if not trained and getattr(layer, name) is not None:
            layers.freeze(layer, name)
    return layer


_BATCH_NORMS: tuple[Any, ...] = (BatchNorm1d, BatchNorm1d, BatchNorm2d, BatchNorm3d, BatchNorm1d)  # by rank, from 1


def _batch_normalization(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
    spec = specs[0]
    layer, affine = _BATCH_NORMS[min(spec.rank, 5) - 1], op.scale or op.center
    if spec.rank > 4:
        x = emit.function(torch.flatten, x, 2)  # torch stops at three axes after the channels
    # Keras's momentum is the part that stays, torch's the part that is new.
    x = emit.module(lambda: _affine(op, layer(spec.channels, op.epsilon, 1.0 - op.momentum, affine)), x)
    return emit.function(torch.reshape, x, (-1, *spec.shape)) if spec.rank > 4 else x


def _layer_norm(op: Any, channels: int) -> nn.Module:
    return _affine(op, nn.LayerNorm(channels, op.epsilon, elementwise_affine=op.scale or op.center))


def _group_norm(op: Any, channels: int) -> nn.Module:
    return _affine(op, nn.GroupNorm(op.groups, channels, op.epsilon, affine=op.scale or op.center))


def _embedding(op: Any, emit: Emitter, specs: Specs, tokens: fx.Node) -> fx.Node:
    x = emit.module(lambda: nn.Embedding(op.input_dim, op.output_dim), tokens)
    return channels_first(x, emit, specs[0].rank + 1)


def _reversible_embedding(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
    back, rank = is_reversed(specs[0]), specs[0].rank
    x = channels_last(x, emit, rank) if back else x
    x = emit.module(lambda: layers.ReversibleEmbedding(op.input_dim, op.output_dim), x)
    return channels_first(x, emit, rank if back else rank + 1)


def _position_embedding(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
    shape = op.weights(specs[0])["embeddings"].shape
    x = emit.module(lambda: layers.PositionEmbedding(*shape), channels_last(x, emit, 2))
    return channels_first(x, emit, 2)


def _lstm(op: Any, features: int) -> nn.Module:
    return layers.SingleBiasLSTM(features, op.units)


def _gru(op: Any, features: int) -> nn.Module:
    if op.reset_after:
        return nn.GRU(features, op.units, batch_first=True)
    return layers.ResetBeforeGRU(features, op.units)


def _recurrent(factory: Callable[[Any, int], nn.Module]) -> Lowering:
    def lower(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
        x = channels_last(x, emit, 2)
        if op.go_backwards:
            x = emit.function(torch.flip, x, (1,))
        x = emit.module(lambda: factory(op, specs[0].channels), x)
        x = emit.function(operator.getitem, x, 0)
        return channels_first(x, emit, 2) if op.return_sequences else emit.function(torch.select, x, 1, -1)

    return lower


# --- the rest --------------------------------------------------------------------------------------------------------


def _gelu(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
    form = {"approximate": "tanh"} if op.approximate else {}
    return in_either_layout([x], emit, specs[0].rank, lambda xs, _: emit.function(F.gelu, *xs, **form))


def _hard_sigmoid(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> Lowered:
    if specs[0].dtype != "float64":
        return _activation(F.hardsigmoid)(op, emit, specs, x)
    clipped = emit.function(F.relu6, emit.function(operator.add, x, 3.0))
    return emit.function(operator.truediv, clipped, 6.0)  # the gradient of torch's own rounds 1/6 to float32


def _identity(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
    return x


def _zeros(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
    return emit.function(layers.zeros, x, op.units)


def _zero(op: Any, emit: Emitter, specs: Specs, x: fx.Node) -> fx.Node:
    strides = tuple_of(op.strides, max(specs[0].rank - 1, 0))
    if any(stride > 1 for stride in strides):
        steps = (slice(None, None, stride) for stride in strides)
        x = emit.function(operator.getitem, x, (slice(None), slice(None), *steps))
    return emit.function(torch.zeros_like, x)


LOWERINGS: Mapping[type, Lowering] = {
    **windows.LOWERINGS,
    **shapes.LOWERINGS,
    ops.Dense: _over_channels(lambda op, channels: nn.Linear(channels, op.units, op.use_bias)),
    ops.Embedding: _embedding,
    ops.ReversibleEmbedding: _reversible_embedding,
    ops.PositionEmbedding: _position_embedding,
    ops.Parameter: _layer(lambda op, _: layers.Parameter(op.target_shape)),
    ops.MatMul: _matmul,
    ops.BatchNormalization: _batch_normalization,
    ops.LayerNormalization: _over_channels(_layer_norm),
    ops.GroupNormalization: _layer(_group_norm),
    ops.RMSNormalization: _over_channels(lambda op, channels: nn.RMSNorm(channels, op.epsilon)),
    ops.LSTM: _recurrent(_lstm),
    ops.GRU: _recurrent(_gru),
    ops.MultiHeadAttention: attention,
    ops.GroupQueryAttention: attention,
    ops.RotaryEmbedding: rotary_embedding,
    ops.Dropout: _random(lambda op: nn.Dropout(op.rate)),
    ops.SpatialDropout1D: _layer(lambda op, channels: nn.Dropout1d(op.rate)),
    ops.SpatialDropout2D: _layer(lambda op, channels: nn.Dropout2d(op.rate)),
    ops.DropPath: _random(lambda op: layers.DropPath(op.rate)),
    ops.GaussianNoise: _random(lambda op: layers.GaussianNoise(op.stddev)),
    ops.Scale: _layer(lambda op, channels: layers.Scale(channels, op.initial)),
    ops.PReLU: _layer(lambda op, channels: nn.PReLU(channels)),
    ops.ReLU: _activation(torch.relu),
    ops.ReLU6: _activation(F.relu6),
    ops.LeakyReLU: _activation(F.leaky_relu, "negative_slope"),
    ops.ELU: _activation(F.elu, "alpha"),
    ops.SELU: _activation(torch.selu),
    ops.GELU: _gelu,
    ops.SiLU: _activation(F.silu),
    ops.Sigmoid: _activation(torch.sigmoid),
    ops.Tanh: _activation(torch.tanh),
    ops.Softplus: _activation(F.softplus),
    ops.Softsign: _activation(F.softsign),
    ops.HardSigmoid: _hard_sigmoid,
    ops.HardSwish: _activation(F.hardswish),
    ops.Mish: _activation(F.mish),
    ops.Exponential: _activation(torch.exp),
    ops.Softmax: _softmax(torch.softmax),
    ops.LogSoftmax: _softmax(torch.log_softmax),
    ops.Add: _merge(operator.add),
    ops.Subtract: _merge(operator.sub),
    ops.Multiply: _merge(operator.mul),
    ops.Average: _merge(operator.add, mean=True),
    ops.Maximum: _merge(torch.maximum),
    ops.Minimum: _merge(torch.minimum),
    ops.Where: _where,
    ops.Identity: _identity,
    ops.Zero: _zero,
    ops.Zeros: _zeros,
}

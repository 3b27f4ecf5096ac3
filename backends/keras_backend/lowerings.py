"""One lowering for each neutral operation.

Arrays are (batch, *spatial, channels), so a sequence is (batch, length, features). Keras's own layers are used wherever
they mean what the operation means, so that a model reads, and loads, as if it were written by hand.
"""

# Keras has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import keras
from keras import layers

from deep_arch import ops
from deep_arch.backends.keras_backend import shapes, windows
from deep_arch.backends.keras_backend.attention import attention, rotary_embedding
from deep_arch.backends.keras_backend.context import Emitter, Lowering, Tensor
from deep_arch.backends.keras_backend.layers import Parameter, PositionEmbedding, Scale, Where, Zeros
from deep_arch.backends.keras_backend.layout import by_rank, channels_first
from deep_arch.backends.keras_backend.windows import LAST
from deep_arch.backends.specs import native_shape
from deep_arch.language.specs import Spec
from deep_arch.ops.dense import is_reversed
from deep_arch.ops.windows import tuple_of

Specs = Sequence[Spec]
Make = Callable[..., Any]


def _layer(layer: Make, *arguments: str, **given: Any) -> Lowering:
    """Lower to a layer that takes some of the operation's arguments by the same names."""

    def lower(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
        return emit.layer(partial(layer, **{name: getattr(op, name) for name in arguments}, **given), x)

    return lower


def _random(layer: Make, *arguments: str, **given: Any) -> Lowering:
    def lower(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
        return _layer(layer, *arguments, seed=emit.seed, **given)(op, emit, specs, x)

    return lower


def _activation(name: str) -> Lowering:
    return _layer(layers.Activation, activation=name)


def _merge(layer: Make) -> Lowering:
    def lower(op: Any, emit: Emitter, specs: Specs, *xs: Tensor) -> Tensor:
        return xs[0] if len(xs) == 1 else emit.layer(layer, list(xs))

    return lower


def _on_cells(lower: Lowering) -> Lowering:
    """Lower what treats all cells alike to one layer for inputs of all ranks, as (batch, cells, channels)."""

    def lower_on_cells(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
        if not emit.ranks_vary:
            return lower(op, emit, specs, x)
        cells = Spec((specs[0].channels, math.prod(specs[0].spatial)), specs[0].dtype)
        x = emit.function(keras.ops.reshape, x, (-1, *native_shape(cells)))
        return emit.function(keras.ops.reshape, lower(op, emit, [cells], x), (-1, *native_shape(specs[0])))

    return lower_on_cells


# --- layers with weights ---------------------------------------------------------------------------------------------


def _embedding(op: Any, emit: Emitter, specs: Specs, tokens: Tensor) -> Tensor:
    tokens = channels_first(tokens, emit, specs[0])
    return emit.layer(partial(layers.Embedding, op.input_dim, op.output_dim), tokens)


def _reversible_embedding(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
    make = partial(layers.ReversibleEmbedding, op.input_dim, op.output_dim)
    if is_reversed(specs[0]):
        return emit.layer(make, x, reverse=True)
    return emit.layer(make, channels_first(x, emit, specs[0]))


def _position_embedding(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
    return emit.layer(partial(PositionEmbedding, op.sequence_length or specs[0].shape[1]), x)


def _prelu(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
    shared = list(range(1, specs[0].rank)) or None
    return emit.layer(partial(layers.PReLU, shared_axes=shared), x)


def _drop_path(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
    one_an_example = (None, *(1,) * specs[0].rank)
    make = partial(layers.Dropout, op.rate, noise_shape=one_an_example, seed=emit.seed)
    return emit.layer(make, x, name=by_rank(emit, specs[0].rank))


# --- the rest --------------------------------------------------------------------------------------------------------


def _matmul(op: Any, emit: Emitter, specs: Specs, a: Tensor, b: Tensor) -> Tensor:
    return emit.function(keras.ops.matmul, b, a)  # Keras has each matrix transposed


def _where(op: Any, emit: Emitter, specs: Specs, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    given, rank = specs[0], specs[1].rank
    if given.rank < rank:
        condition = emit.function(keras.ops.reshape, condition, (-1, *(1,) * (rank - 1), given.channels))
    return emit.layer(partial(Where, op.hard), [condition, a, b])


def _gelu(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
    if op.approximate:
        return emit.function(keras.ops.gelu, x, approximate=True)
    return _activation("gelu")(op, emit, specs, x)


def _identity(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
    return x


def _zero(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
    strides = tuple_of(op.strides, max(specs[0].rank - 1, 0))
    if any(stride > 1 for stride in strides):
        steps = (slice(None, None, stride) for stride in strides)
        x = emit.function(operator.getitem, x, (slice(None), *steps))
    return emit.function(keras.ops.zeros_like, x)


LOWERINGS: Mapping[type, Lowering] = {
    **windows.LOWERINGS,
    **shapes.LOWERINGS,
    ops.Dense: _layer(layers.Dense, "units", "use_bias"),
    ops.Embedding: _embedding,
    ops.ReversibleEmbedding: _reversible_embedding,
    ops.PositionEmbedding: _position_embedding,
    ops.Parameter: _layer(Parameter, "target_shape"),
    ops.MatMul: _matmul,
    ops.BatchNormalization: _on_cells(_layer(layers.BatchNormalization, "momentum", "epsilon", "center", "scale")),
    ops.LayerNormalization: _layer(layers.LayerNormalization, "epsilon", "center", "scale"),
    ops.GroupNormalization: _on_cells(_layer(layers.GroupNormalization, "groups", "epsilon", "center", "scale")),
    ops.RMSNormalization: _layer(layers.RMSNormalization, "epsilon"),
    ops.LSTM: _layer(layers.LSTM, "units", "return_sequences", "go_backwards"),
    ops.GRU: _layer(layers.GRU, "units", "return_sequences", "go_backwards", "reset_after"),
    ops.MultiHeadAttention: attention,
    ops.GroupQueryAttention: attention,
    ops.RotaryEmbedding: rotary_embedding,
    ops.Dropout: _random(layers.Dropout, "rate"),
    ops.SpatialDropout1D: _random(layers.SpatialDropout1D, "rate"),
    ops.SpatialDropout2D: _random(layers.SpatialDropout2D, "rate", **LAST),
    ops.DropPath: _drop_path,
    ops.GaussianNoise: _random(layers.GaussianNoise, "stddev"),
    ops.Scale: _layer(Scale, "initial"),
    ops.PReLU: _on_cells(_prelu),
    ops.ReLU: _layer(layers.ReLU),
    ops.ReLU6: _activation("relu6"),
    ops.LeakyReLU: _layer(layers.LeakyReLU, "negative_slope"),
    ops.ELU: _layer(layers.ELU, "alpha"),
    ops.SELU: _activation("selu"),
    ops.GELU: _gelu,
    ops.SiLU: _activation("silu"),
    ops.Sigmoid: _activation("sigmoid"),
    ops.Tanh: _activation("tanh"),
    ops.Softplus: _activation("softplus"),
    ops.Softsign: _activation("softsign"),
    ops.HardSigmoid: _activation("hard_sigmoid"),
    ops.HardSwish: _activation("hard_silu"),
    ops.Mish: _activation("mish"),
    ops.Exponential: _activation("exponential"),
    ops.Softmax: _layer(layers.Softmax),
    ops.LogSoftmax: _activation("log_softmax"),
    ops.Add: _merge(layers.Add),
    ops.Subtract: _merge(layers.Subtract),
    ops.Multiply: _merge(layers.Multiply),
    ops.Average: _merge(layers.Average),
    ops.Maximum: _merge(layers.Maximum),
    ops.Minimum: _merge(layers.Minimum),
    ops.Where: _where,
    ops.Identity: _identity,
    ops.Zero: _zero,
    ops.Zeros: _layer(Zeros, "units"),
}

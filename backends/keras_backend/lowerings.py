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
from deep_arch.backends.keras_backend import windows
from deep_arch.backends.keras_backend.attention import attention, rotary_embedding
from deep_arch.backends.keras_backend.context import Emitter, Lowering, Tensor
from deep_arch.backends.keras_backend.layers import PositionEmbedding, Scale
from deep_arch.backends.keras_backend.layout import by_rank, channels_first, channels_last, permuted
from deep_arch.backends.keras_backend.windows import LAST
from deep_arch.backends.specs import native_shape
from deep_arch.language.specs import Spec
from deep_arch.ops.dense import is_reversed
from deep_arch.ops.resizing import sides_of
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


# --- shapes ----------------------------------------------------------------------------------------------------------


def _alike_in_both_orders(spec: Spec) -> bool:
    """Return whether the numbers stand in one order whether the channels come first or last."""
    return spec.channels == 1 or math.prod(spec.spatial) == 1


def _flatten(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
    if specs[0].rank == 1:
        return x
    x = x if _alike_in_both_orders(specs[0]) else channels_first(x, emit, specs[0])
    return emit.layer(partial(layers.Flatten, **LAST), x)


def _reshape(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
    target: tuple[int, ...] = op.target_shape
    result = op.shape(specs[0])
    if result.shape == specs[0].shape:
        return x
    x = x if _alike_in_both_orders(specs[0]) else channels_first(x, emit, specs[0])
    if _alike_in_both_orders(result) and not emit.sizes_vary:
        return emit.layer(partial(layers.Reshape, (*target[1:], target[0])), x)
    x = emit.layer(partial(layers.Reshape, target), x)
    return channels_last(x, emit, len(target))


def _transpose(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
    rank = len(op.permutation)
    if list(op.permutation) == sorted(op.permutation):
        return x
    first, *rest = (axis or rank for axis in op.permutation)  # the axis where Keras has what the operation names
    return permuted(x, emit, (*rest, first))


def _split(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> tuple[Tensor, ...]:
    return tuple(emit.function(keras.ops.split, x, op.sections, axis=-1))


def _stack(op: Any, emit: Emitter, specs: Specs, *xs: Tensor) -> Tensor:
    x = emit.function(keras.ops.stack, list(xs), axis=-1)  # what were channels stand before the new ones
    rank = specs[0].rank
    return x if rank < 2 else permuted(x, emit, (rank, *range(1, rank), rank + 1))


def _matmul(op: Any, emit: Emitter, specs: Specs, a: Tensor, b: Tensor) -> Tensor:
    return emit.function(keras.ops.matmul, b, a)  # Keras has each matrix transposed


def _upsampling(layer: Make, **given: Any) -> Lowering:
    def lower(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
        size = tuple_of(op.size, op.ndim)
        more = {"interpolation": op.interpolation} if op.ndim == 2 else {}
        return emit.layer(partial(layer, size if op.ndim > 1 else size[0], **more, **given), x)

    return lower


def _edges(layer: Make, argument: str, **given: Any) -> Lowering:
    """Lower to a layer that adds cells to the spatial axes, or cuts them off."""

    def lower(op: Any, emit: Emitter, specs: Specs, x: Tensor) -> Tensor:
        sides = sides_of(getattr(op, argument), op.ndim)
        if not any(map(any, sides)):
            return x
        return emit.layer(partial(layer, sides if op.ndim > 1 else sides[0], **given), x)

    return lower


# --- the rest --------------------------------------------------------------------------------------------------------


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
    ops.Dense: _layer(layers.Dense, "units", "use_bias"),
    ops.Embedding: _embedding,
    ops.ReversibleEmbedding: _reversible_embedding,
    ops.PositionEmbedding: _position_embedding,
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
    ops.Flatten: _flatten,
    ops.Reshape: _reshape,
    ops.Transpose: _transpose,
    ops.Split: _split,
    ops.UpSampling1D: _upsampling(layers.UpSampling1D),
    ops.UpSampling2D: _upsampling(layers.UpSampling2D, **LAST),
    ops.UpSampling3D: _upsampling(layers.UpSampling3D, **LAST),
    ops.ZeroPadding1D: _edges(layers.ZeroPadding1D, "padding"),
    ops.ZeroPadding2D: _edges(layers.ZeroPadding2D, "padding", **LAST),
    ops.ZeroPadding3D: _edges(layers.ZeroPadding3D, "padding", **LAST),
    ops.Cropping1D: _edges(layers.Cropping1D, "cropping"),
    ops.Cropping2D: _edges(layers.Cropping2D, "cropping", **LAST),
    ops.Cropping3D: _edges(layers.Cropping3D, "cropping", **LAST),
    ops.Add: _merge(layers.Add),
    ops.Subtract: _merge(layers.Subtract),
    ops.Multiply: _merge(layers.Multiply),
    ops.Average: _merge(layers.Average),
    ops.Maximum: _merge(layers.Maximum),
    ops.Minimum: _merge(layers.Minimum),
    ops.Concatenate: _merge(layers.Concatenate),
    ops.Stack: _stack,
    ops.Identity: _identity,
    ops.Zero: _zero,
}

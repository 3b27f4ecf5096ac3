"""One lowering for each neutral operation, run whenever the model is called.

Tensors are (batch, *spatial, channels), so a sequence is (batch, length, features).
"""

# TensorFlow has few types.
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from deep_arch import ops
from deep_arch.backends.tensorflow_backend import layers, windows
from deep_arch.backends.tensorflow_backend.attention import attention, rotary_embedding
from deep_arch.backends.tensorflow_backend.context import Context, Lowering
from deep_arch.backends.tensorflow_backend.layers import drop, matmul
from deep_arch.backends.tensorflow_backend.layout import channels_first, channels_last
from deep_arch.backends.tensorflow_backend.windows import biased, cut, every, pad
from deep_arch.ops.dense import is_reversed
from deep_arch.ops.resizing import sides_of
from deep_arch.ops.windows import tuple_of


def _activation(function: Callable[[Any], Any]) -> Lowering:
    return lambda op, context, x: function(x)


def _leaky_relu(op: Any, context: Context, x: Any) -> Any:
    if x.dtype == tf.float64:  # the kernel rounds the slope to float32
        return tf.where(x > 0, x, op.negative_slope * x)
    return tf.nn.leaky_relu(x, op.negative_slope)


def _elu(op: Any, context: Context, x: Any) -> Any:
    y = tf.nn.elu(x)
    return y if op.alpha == 1.0 else tf.where(x > 0, y, op.alpha * y)


def _gelu(op: Any, context: Context, x: Any) -> Any:
    # tf.nn.gelu rounds its constants to float32.
    if op.approximate:
        return 0.5 * x * (1.0 + tf.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1.0 + tf.math.erf(math.sqrt(0.5) * x))


def _hard_sigmoid(x: Any) -> Any:
    return tf.nn.relu6(x + 3.0) / 6.0


def _prelu(op: Any, context: Context, x: Any) -> Any:
    return tf.where(x > 0, x, context.weights["alpha"] * x)


def _scale(op: Any, context: Context, x: Any) -> Any:
    return x * context.weights["scale"]


# --- products and merges ---------------------------------------------------------------------------------------------


def _dense(op: Any, context: Context, x: Any) -> Any:
    return biased(matmul(x, context.weights["kernel"]), context.weights)


def _embedding(op: Any, context: Context, tokens: Any) -> Any:
    return tf.nn.embedding_lookup(context.weights["embeddings"], channels_first(tokens, context.specs[0]))


def _reversible_embedding(op: Any, context: Context, x: Any) -> Any:
    if not is_reversed(context.specs[0]):
        return _embedding(op, context, x)
    return matmul(x, tf.transpose(context.weights["embeddings"]))


def _position_embedding(op: Any, context: Context, x: Any) -> Any:
    return x + context.weights["embeddings"][: context.specs[0].shape[1]]


def _matmul(op: Any, context: Context, a: Any, b: Any) -> Any:
    return tf.matmul(b, a)  # both are transposed, and so is the product


def _merge(function: Callable[[Any, Any], Any]) -> Lowering:
    """Lower to a function of two inputs, number by number and from the left."""
    return lambda op, context, *xs: functools.reduce(function, xs)


def _average(op: Any, context: Context, *xs: Any) -> Any:
    return functools.reduce(operator.add, xs) / len(xs)


def _concatenate(op: Any, context: Context, *xs: Any) -> Any:
    return tf.concat(xs, -1)


def _stack(op: Any, context: Context, *xs: Any) -> Any:
    return tf.stack([channels_first(x, context.specs[0]) for x in xs], -1)


# --- randomness ------------------------------------------------------------------------------------------------------


def _dropout(op: Any, context: Context, x: Any) -> Any:
    return drop(x, op.rate, context)


def _spatial_dropout(op: Any, context: Context, x: Any) -> Any:
    return drop(x, op.rate, context, range(1, op.ndim + 1))


def _drop_path(op: Any, context: Context, x: Any) -> Any:
    return drop(x, op.rate, context, range(1, context.specs[0].rank + 1))


def _gaussian_noise(op: Any, context: Context, x: Any) -> Any:
    return x + op.stddev * context.generator.normal(tf.shape(x), dtype=x.dtype) if context.training else x


# --- shapes ----------------------------------------------------------------------------------------------------------


def _flatten(op: Any, context: Context, x: Any) -> Any:
    spec = context.specs[0]
    return x if spec.rank == 1 else tf.reshape(channels_first(x, spec), (-1, spec.size))


def _reshape(op: Any, context: Context, x: Any) -> Any:
    spec, new = context.specs[0], op.shape(context.specs[0])
    if new.shape == spec.shape:
        return x
    return channels_last(tf.reshape(channels_first(x, spec), (-1, *new.shape)), new)


def _transpose(op: Any, context: Context, x: Any) -> Any:
    rank = len(op.permutation)
    native = [*range(1, rank), 0]  # the neutral axis that stands at each of TensorFlow's
    order = [native.index(op.permutation[axis]) + 1 for axis in native]
    return x if order == sorted(order) else tf.transpose(x, (0, *order))


def _split(op: Any, context: Context, x: Any) -> Any:
    return tuple(tf.split(x, op.sections, -1))


def _upsampling(op: Any, context: Context, x: Any) -> Any:
    factors = tuple_of(op.size, op.ndim)
    if op.interpolation == "bilinear":
        return _interpolated(x, context.specs[0].spatial, factors)
    if op.ndim == 2:
        sizes = [n * factor for n, factor in zip(context.specs[0].spatial, factors, strict=True)]
        return tf.image.resize(x, sizes, "nearest")
    for axis, factor in enumerate(factors, 1):
        x = tf.repeat(x, factor, axis)
    return x


def _interpolated(x: Any, sizes: tuple[int, ...], factors: tuple[int, ...]) -> Any:
    if x.dtype != tf.float64:
        new = [n * factor for n, factor in zip(sizes, factors, strict=True)]
        return tf.cast(tf.image.resize(x, new, "bilinear"), x.dtype)
    rows, columns = (_interpolation(n, factor) for n, factor in zip(sizes, factors, strict=True))
    return tf.einsum("ih,jw,bhwc->bijc", rows, columns, x)  # the kernel gives float32 only


def _interpolation(n: int, factor: int) -> npt.NDArray[np.float64]:
    """Return the matrix that interpolates between `n` cells whose centres are half a cell from the edge."""
    places = np.clip((np.arange(n * factor) + 0.5) / factor - 0.5, 0, n - 1)
    return np.maximum(1.0 - np.abs(places[:, None] - np.arange(n)), 0.0)


def _zero_padding(op: Any, context: Context, x: Any) -> Any:
    return pad(x, *zip(*sides_of(op.padding, op.ndim), strict=True))


def _cropping(op: Any, context: Context, x: Any) -> Any:
    return cut(x, *zip(*sides_of(op.cropping, op.ndim), strict=True))


def _zero(op: Any, context: Context, x: Any) -> Any:
    return tf.zeros_like(every(x, tuple_of(op.strides, max(context.specs[0].rank - 1, 0))))


LOWERINGS: Mapping[type, Lowering] = {
    **windows.LOWERINGS,
    ops.Dense: _dense,
    ops.Embedding: _embedding,
    ops.ReversibleEmbedding: _reversible_embedding,
    ops.PositionEmbedding: _position_embedding,
    ops.MatMul: _matmul,
    ops.BatchNormalization: layers.batch_normalization,
    ops.LayerNormalization: layers.layer_normalization,
    ops.GroupNormalization: layers.group_normalization,
    ops.RMSNormalization: layers.rms_normalization,
    ops.LSTM: layers.lstm,
    ops.GRU: layers.gru,
    ops.MultiHeadAttention: attention,
    ops.GroupQueryAttention: attention,
    ops.RotaryEmbedding: rotary_embedding,
    ops.Dropout: _dropout,
    ops.SpatialDropout1D: _spatial_dropout,
    ops.SpatialDropout2D: _spatial_dropout,
    ops.DropPath: _drop_path,
    ops.GaussianNoise: _gaussian_noise,
    ops.Scale: _scale,
    ops.PReLU: _prelu,
    ops.ReLU: _activation(tf.nn.relu),
    ops.ReLU6: _activation(tf.nn.relu6),
    ops.LeakyReLU: _leaky_relu,
    ops.ELU: _elu,
    ops.SELU: _activation(tf.nn.selu),
    ops.GELU: _gelu,
    ops.SiLU: _activation(tf.nn.silu),
    ops.Sigmoid: _activation(tf.sigmoid),
    ops.Tanh: _activation(tf.tanh),
    ops.Softplus: _activation(tf.nn.softplus),
    ops.Softsign: _activation(tf.nn.softsign),
    ops.HardSigmoid: _activation(_hard_sigmoid),
    ops.HardSwish: _activation(lambda x: x * _hard_sigmoid(x)),
    ops.Mish: _activation(lambda x: x * tf.tanh(tf.nn.softplus(x))),
    ops.Exponential: _activation(tf.exp),
    ops.Softmax: _activation(tf.nn.softmax),
    ops.LogSoftmax: _activation(tf.nn.log_softmax),
    ops.Flatten: _flatten,
    ops.Reshape: _reshape,
    ops.Transpose: _transpose,
    ops.Split: _split,
    ops.UpSampling1D: _upsampling,
    ops.UpSampling2D: _upsampling,
    ops.UpSampling3D: _upsampling,
    ops.ZeroPadding1D: _zero_padding,
    ops.ZeroPadding2D: _zero_padding,
    ops.ZeroPadding3D: _zero_padding,
    ops.Cropping1D: _cropping,
    ops.Cropping2D: _cropping,
    ops.Cropping3D: _cropping,
    ops.Add: _merge(operator.add),
    ops.Subtract: _merge(operator.sub),
    ops.Multiply: _merge(operator.mul),
    ops.Average: _average,
    ops.Maximum: _merge(tf.maximum),
    ops.Minimum: _merge(tf.minimum),
    ops.Concatenate: _concatenate,
    ops.Stack: _stack,
    ops.Identity: _activation(lambda x: x),
    ops.Zero: _zero,
}

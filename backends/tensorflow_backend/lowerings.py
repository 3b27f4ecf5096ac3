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

import tensorflow as tf

from deep_arch import ops
from deep_arch.backends.tensorflow_backend import layers, shapes, windows
from deep_arch.backends.tensorflow_backend.attention import attention, rotary_embedding
from deep_arch.backends.tensorflow_backend.context import Context, Lowering, batch_of
from deep_arch.backends.tensorflow_backend.layers import drop, matmul
from deep_arch.backends.tensorflow_backend.layout import channels_first, channels_last
from deep_arch.backends.tensorflow_backend.windows import biased, every
from deep_arch.ops.dense import is_reversed
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


def _parameter(op: Any, context: Context, x: Any) -> Any:
    spec = op.shape(context.specs[0])
    value = channels_last(context.weights["value"][None], spec)
    return tf.broadcast_to(value, (batch_of(x), *value.shape[1:]))


def _matmul(op: Any, context: Context, a: Any, b: Any) -> Any:
    return tf.matmul(b, a)  # both are transposed, and so is the product


def _merge(function: Callable[[Any, Any], Any]) -> Lowering:
    """Lower to a function of two inputs, number by number and from the left."""
    return lambda op, context, *xs: functools.reduce(function, xs)


def _average(op: Any, context: Context, *xs: Any) -> Any:
    return functools.reduce(operator.add, xs) / len(xs)


def _where(op: Any, context: Context, condition: Any, a: Any, b: Any) -> Any:
    given, x, _ = context.specs
    if given.rank < x.rank:
        condition = tf.reshape(condition, (-1, *(1,) * (x.rank - 1), given.channels))
    if op.hard:
        return tf.where(condition if condition.dtype == tf.bool else condition > 0, a, b)
    weight = tf.sigmoid(condition)
    return weight * a + (1.0 - weight) * b


# --- randomness ------------------------------------------------------------------------------------------------------


def _dropout(op: Any, context: Context, x: Any) -> Any:
    return drop(x, op.rate, context)


def _spatial_dropout(op: Any, context: Context, x: Any) -> Any:
    return drop(x, op.rate, context, range(1, op.ndim + 1))


def _drop_path(op: Any, context: Context, x: Any) -> Any:
    return drop(x, op.rate, context, range(1, context.specs[0].rank + 1))


def _gaussian_noise(op: Any, context: Context, x: Any) -> Any:
    return x + op.stddev * context.generator.normal(tf.shape(x), dtype=x.dtype) if context.training else x


# --- the rest --------------------------------------------------------------------------------------------------------


def _zero(op: Any, context: Context, x: Any) -> Any:
    return tf.zeros_like(every(x, tuple_of(op.strides, max(context.specs[0].rank - 1, 0))))


def _zeros(op: Any, context: Context, x: Any) -> Any:
    return tf.zeros((batch_of(x), op.units), op.shape(context.specs[0]).dtype)


LOWERINGS: Mapping[type, Lowering] = {
    **windows.LOWERINGS,
    **shapes.LOWERINGS,
    ops.Dense: _dense,
    ops.Embedding: _embedding,
    ops.ReversibleEmbedding: _reversible_embedding,
    ops.PositionEmbedding: _position_embedding,
    ops.Parameter: _parameter,
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
    ops.Add: _merge(operator.add),
    ops.Subtract: _merge(operator.sub),
    ops.Multiply: _merge(operator.mul),
    ops.Average: _average,
    ops.Maximum: _merge(tf.maximum),
    ops.Minimum: _merge(tf.minimum),
    ops.Where: _where,
    ops.Identity: _activation(lambda x: x),
    ops.Zero: _zero,
    ops.Zeros: _zeros,
}

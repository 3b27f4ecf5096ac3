"""Lowerings of attention and of rotary positions. Sequences are (batch, length, features)."""

# TensorFlow has few types.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from deep_arch.backends.rotation import rotation
from deep_arch.backends.tensorflow_backend.context import Context
from deep_arch.backends.tensorflow_backend.layers import drop, matmul
from deep_arch.backends.tensorflow_backend.layout import channels_first
from deep_arch.language.specs import Spec
from deep_arch.ops.attention import is_masked, roles


def attention(op: Any, context: Context, *inputs: Any) -> Any:
    """Map (batch, queries, features), two of (batch, keys, features) and a mask to (batch, queries, features)."""
    query, value, key, mask = roles(inputs, is_masked(context.specs))
    queries, keys = _heads("query", context, query), _heads("key", context, key)
    values = _heads("value", context, value)
    if op.rope_max_wavelength is not None:
        queries, keys = rotated(queries, op.rope_max_wavelength), rotated(keys, op.rope_max_wavelength)
    serves = op.heads.queries // op.heads.keys
    if serves > 1:
        keys, values = tf.repeat(keys, serves, 1), tf.repeat(values, serves, 1)
    scores = tf.matmul(queries * op.heads.key_dim**-0.5, keys, transpose_b=True)
    mask = None if mask is None else _aligned(mask, context.specs[-1])
    parts = _softmax(scores, _allowed(op, scores, mask), masked=mask is not None)
    attended = tf.transpose(tf.matmul(drop(parts, op.dropout, context), values), (0, 2, 1, 3))
    heads, size, features = context.weights["attention_output.kernel"].shape
    attended = tf.reshape(attended, (-1, attended.shape[1], heads * size))
    kernel = tf.reshape(context.weights["attention_output.kernel"], (heads * size, features))
    return _add(matmul(attended, kernel), context, "attention_output")


def rotary_embedding(op: Any, context: Context, x: Any) -> Any:
    """Map (batch, length, features) to the same shape."""
    return rotated(x, op.max_wavelength, op.scaling_factor)


def rotated(x: Any, max_wavelength: float, scaling_factor: float = 1.0) -> Any:
    """Turn the pairs of features of (..., length, features) by angles that grow with the position."""
    length, features = x.shape[-2:]
    angles = rotation(length, features, max_wavelength, scaling_factor)
    cos, sin = (tf.cast(tf.constant(numbers), x.dtype) for numbers in angles)
    a, b = tf.split(x, 2, -1)
    return tf.concat((a * cos - b * sin, b * cos + a * sin), -1)


def _softmax(scores: Any, allowed: Any, masked: bool) -> Any:
    """Return the parts that the keys have in each query; with a mask, a query may attend to none, and they are 0."""
    if allowed is None:
        return tf.nn.softmax(scores)
    parts = tf.nn.softmax(tf.where(allowed, scores, scores.dtype.min))
    return tf.where(allowed, parts, tf.zeros((), parts.dtype)) if masked else parts


def _allowed(op: Any, scores: Any, mask: Any) -> Any:
    """Return which keys each query may attend to, or None for all."""
    if not op.use_causal_mask:
        return mask
    causal = np.tri(*scores.shape[2:], dtype=np.bool_)
    return causal if mask is None else tf.logical_and(mask, causal)


def _aligned(mask: Any, spec: Spec) -> Any:
    """Bring a mask to (batch, heads, queries, keys), where an axis may have size 1."""
    return tf.reshape(channels_first(mask, spec), (-1, *(1,) * (3 - spec.rank), *spec.shape))


def _heads(name: str, context: Context, x: Any) -> Any:
    """Map (batch, length, features) to (batch, heads, length, size)."""
    kernel = context.weights[f"{name}.kernel"]
    features, heads, size = kernel.shape
    projected = matmul(x, tf.reshape(kernel, (features, heads * size)))
    return tf.transpose(_add(tf.reshape(projected, (-1, x.shape[1], heads, size)), context, name), (0, 2, 1, 3))


def _add(x: Any, context: Context, name: str) -> Any:
    bias = context.weights.get(f"{name}.bias")
    return x if bias is None else x + bias

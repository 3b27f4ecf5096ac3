"""Means over windows of time, of (batch, length, channels)."""

# TensorFlow has few types.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import tensorflow as tf

from deep_arch.backends.averages import WHOLE, blocks, last_window, sizes
from deep_arch.backends.tensorflow_backend.context import Context, batch_of


def window_average(op: Any, context: Context, x: Any, *mask: Any) -> Any:
    """Return the mean around the last frame, or each."""
    length, window = context.specs[0].shape[1], (op.before, op.after)
    if mask and op.each:
        there = _there(x, *mask)
        n = tf.cast(_running_sums(tf.cast(there, tf.float32), *window), x.dtype)
        return _running_sums(_only(there, x), *window) / tf.maximum(n, 1)
    if mask:
        return masked_average(x, mask[0], *window)
    if op.each:
        return _running_sums(x, *window) / tf.constant(sizes(length, *window)[:, None], x.dtype)
    return tf.reduce_mean(x[:, slice(*last_window(length, *window))], 1)


def masked_average(x: Any, mask: Any, before: int = WHOLE, after: int = 0) -> Any:
    """Return the mean of the frames around the last that is there, of those that are there; 0 where none is."""
    there = _there(x, mask)
    frames = tf.range(x.shape[1])[:, None]
    last = tf.reduce_max(tf.where(there, frames, -1), 1, keepdims=True)
    inside = there & (frames >= last - min(before, x.shape[1])) & (frames <= last + after)
    n = tf.reduce_sum(tf.cast(inside, x.dtype), 1)
    return tf.reduce_sum(_only(inside, x), 1) / tf.maximum(n, 1)


def _running_sums(x: Any, before: int, after: int) -> Any:
    """Return the sum of the frames around each; see `deep_arch.backends.averages`."""
    length, channels = x.shape[1:]
    width, *zeros = blocks(length, before, after)
    parts = tf.reshape(tf.pad(x, ((0, 0), zeros, (0, 0))), (batch_of(x), -1, width, channels))
    ends, beginnings = (
        tf.reshape(tf.cumsum(parts, 2, exclusive=exclusive, reverse=not exclusive), (batch_of(x), -1, channels))
        for exclusive in (False, True)
    )
    return ends[:, :length] + beginnings[:, width : width + length]


def _there(x: Any, mask: Any) -> Any:
    """Return which frames are there, (batch, length, 1)."""
    return tf.reshape(mask if mask.dtype == tf.bool else mask > 0, (-1, x.shape[1], 1))


def _only(there: Any, x: Any) -> Any:
    return tf.where(there, x, tf.zeros((), x.dtype))  # unlike a product, also where what is not there is no number

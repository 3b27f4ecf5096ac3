"""Lowerings of layers that take more than a line: normalisation and recurrence."""

# TensorFlow has few types.
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from deep_arch.backends.tensorflow_backend.context import Context, batch_of

_UNROLLED = 64
"""The most steps that a graph holds one by one: they run up to three times as fast as a loop, but are slow to trace."""


def matmul(x: Any, kernel: Any) -> Any:
    """Multiply the last axis by a matrix; one product for all cells is faster than one for each example."""
    if len(x.shape) == 2:
        return tf.matmul(x, kernel)
    product = tf.matmul(tf.reshape(x, (-1, x.shape[-1])), kernel)
    return tf.reshape(product, (-1, *x.shape[1:-1], product.shape[-1]))


def drop(x: Any, rate: float, context: Context, alike: Sequence[int] = ()) -> Any:
    """Zero a random part of the numbers in training, and scale the others so that the mean stays.

    Numbers that differ only in their places along the axes `alike` are kept or lost together.
    """
    if not context.training or rate == 0.0:
        return x
    shape = [1 if axis in alike else size for axis, size in enumerate((batch_of(x), *x.shape[1:]))]
    kept = context.generator.uniform(shape, dtype=x.dtype) >= rate
    return tf.where(kept, x / (1.0 - rate), tf.zeros((), x.dtype))


# --- normalisation ---------------------------------------------------------------------------------------------------


def batch_normalization(op: Any, context: Context, x: Any) -> Any:
    """Map (batch, *spatial, channels) to the same shape, and in training move the running statistics."""
    if x.dtype == tf.float32:
        return _fused(op, context, x)
    weights = context.weights
    mean, variance = weights["moving_mean"], weights["moving_variance"]
    if context.training:
        mean, variance = tf.nn.moments(x, tuple(range(len(x.shape) - 1)))
        _move(op, context, mean, variance)
    return _normalized(op, x, mean, variance, weights.get("beta"), weights.get("gamma"))


def _fused(op: Any, context: Context, x: Any) -> Any:
    """Use the kernels for images, which are several times as fast, for any number of axes."""
    weights, channels = context.weights, x.shape[-1]
    none = tf.constant([], tf.float32)  # in training the kernel asks for no statistics, it gives them
    result = tf.raw_ops.FusedBatchNormV3(
        x=x if len(x.shape) == 4 else tf.reshape(x, (-1, 1, 1, channels)),
        scale=weights["gamma"] if op.scale else tf.ones(channels),
        offset=weights["beta"] if op.center else tf.zeros(channels),
        mean=none if context.training else weights["moving_mean"],
        variance=none if context.training else weights["moving_variance"],
        epsilon=op.epsilon,
        exponential_avg_factor=1.0,  # the default is an int, with which TensorFlow takes a slower way
        is_training=context.training,
    )
    if context.training:
        count = batch_of(x) * math.prod(x.shape[1:-1])
        # The kernel divides the sum of squares by one less than there are numbers.
        biased = 1.0 - 1.0 / (count if isinstance(count, int) else tf.cast(count, tf.float32))
        _move(op, context, result.batch_mean, result.batch_variance * biased)
    return result.y if len(x.shape) == 4 else tf.reshape(result.y, (-1, *x.shape[1:]))


def _move(op: Any, context: Context, mean: Any, variance: Any) -> None:
    for name, new in (("moving_mean", mean), ("moving_variance", variance)):
        moving = context.weights[name]
        moving.assign_sub((moving - new) * (1.0 - op.momentum))


def layer_normalization(op: Any, context: Context, x: Any) -> Any:
    """Map (batch, *spatial, channels) to the same shape."""
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    return _normalized(op, x, mean, variance, context.weights.get("beta"), context.weights.get("gamma"))


def group_normalization(op: Any, context: Context, x: Any) -> Any:
    """Map (batch, *spatial, channels) to the same shape."""
    parted: Callable[[Any], Any] = lambda w: None if w is None else tf.reshape(w, (op.groups, -1))  # noqa: E731
    beta, gamma = parted(context.weights.get("beta")), parted(context.weights.get("gamma"))
    spec = context.specs[0]
    cells = tf.reshape(x, (-1, math.prod(spec.spatial), op.groups, spec.channels // op.groups))
    mean, variance = tf.nn.moments(cells, (1, 3), keepdims=True)
    return tf.reshape(_normalized(op, cells, mean, variance, beta, gamma), (-1, *spec.spatial, spec.channels))


def _normalized(op: Any, x: Any, mean: Any, variance: Any, beta: Any, gamma: Any) -> Any:
    """Give `x` mean 0 and variance 1, then scale and shift it; `beta` and `gamma` may be None."""
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, op.epsilon)


def rms_normalization(op: Any, context: Context, x: Any) -> Any:
    """Map (batch, *spatial, channels) to the same shape."""
    square = tf.reduce_mean(tf.square(x), -1, keepdims=True)
    return x * tf.math.rsqrt(square + op.epsilon) * context.weights["scale"]


# --- recurrence ------------------------------------------------------------------------------------------------------


def lstm(op: Any, context: Context, x: Any) -> Any:
    """Map (batch, length, features) to (batch, units), or (batch, length, units)."""
    recurrent = tf.convert_to_tensor(context.weights["recurrent_kernel"])

    def step(given: Any, state: Any, memory: Any) -> tuple[Any, Any]:
        i, f, c, o = tf.split(given + tf.matmul(state, recurrent), 4, -1)
        memory = tf.sigmoid(f) * memory + tf.sigmoid(i) * tf.tanh(c)
        return tf.sigmoid(o) * tf.tanh(memory), memory

    return _run(op, step, x, context, context.weights["bias"], n_states=2)


def gru(op: Any, context: Context, x: Any) -> Any:
    """Map (batch, length, features) to (batch, units), or (batch, length, units)."""
    recurrent, bias = (tf.convert_to_tensor(context.weights[name]) for name in ("recurrent_kernel", "bias"))
    sizes = (2 * op.units, op.units)

    def reset_after(given: Any, state: Any) -> tuple[Any]:
        gates, new = tf.split(given, sizes, -1)
        state_gates, state_new = tf.split(tf.nn.bias_add(tf.matmul(state, recurrent), bias[1]), sizes, -1)
        update, reset = tf.split(tf.sigmoid(gates + state_gates), 2, -1)
        new = tf.tanh(new + reset * state_new)
        return (new + update * (state - new),)

    def reset_before(given: Any, state: Any) -> tuple[Any]:
        gates, new = tf.split(given, sizes, -1)
        update, reset = tf.split(tf.sigmoid(gates + tf.matmul(state, recurrent[:, : sizes[0]])), 2, -1)
        new = tf.tanh(new + tf.matmul(reset * state, recurrent[:, sizes[0] :]))
        return (new + update * (state - new),)

    if op.reset_after:
        return _run(op, reset_after, x, context, bias[0], n_states=1)
    return _run(op, reset_before, x, context, bias, n_states=1)


def _run(op: Any, step: Callable[..., tuple[Any, ...]], x: Any, context: Context, bias: Any, n_states: int) -> Any:
    """Step through a sequence: `step` takes what the input gives and the states, and gives the states."""
    if op.go_backwards:
        x = tf.reverse(x, (1,))
    given = tf.nn.bias_add(matmul(x, context.weights["kernel"]), bias)
    states = (tf.zeros((batch_of(x), op.units), x.dtype),) * n_states
    length = context.specs[0].shape[1]
    if length > _UNROLLED and not tf.executing_eagerly():
        return _loop(op, step, given, states, length)
    outputs: list[Any] = []
    for now in tf.unstack(given, length, axis=1):
        states = step(now, *states)
        outputs.append(states[0])
    return tf.stack(outputs, 1) if op.return_sequences else states[0]


def _loop(op: Any, step: Callable[..., tuple[Any, ...]], given: Any, states: tuple[Any, ...], length: int) -> Any:
    source = tf.TensorArray(given.dtype, length).unstack(tf.transpose(given, (1, 0, 2)))
    shape = states[0].shape
    outputs = [tf.TensorArray(given.dtype, length, element_shape=shape)] if op.return_sequences else []

    def body(t: Any, outputs: list[Any], *states: Any) -> tuple[Any, ...]:
        states = step(source.read(t), *states)
        return t + 1, [array.write(t, states[0]) for array in outputs], *states

    before: Callable[..., Any] = lambda t, *_: t < length  # noqa: E731
    _, outputs, last, *_ = tf.while_loop(before, body, (0, outputs, *states), maximum_iterations=length)
    return tf.transpose(outputs[0].stack(), (1, 0, 2)) if op.return_sequences else last

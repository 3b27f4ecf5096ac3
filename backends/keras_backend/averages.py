"""Means over windows of time, of (batch, length, channels)."""

# Keras has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedClassDecorator=false, reportUntypedBaseClass=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras

from deep_arch.backends.averages import WHOLE, blocks, last_window, sizes
from deep_arch.backends.keras_backend.context import Emitter, Tensor
from deep_arch.language.specs import Spec

_registered: Any = keras.saving.register_keras_serializable(package="deep_arch")
_ops: Any = keras.ops


@_registered
class WindowAverage(keras.layers.Layer):  # type: ignore[misc]
    """Take the mean of the frames around the last frame, or around each, of those that a mask says are there.

    Args:
        before: frames before.
        after: frames after; a negative one leaves out the frames nearest to the last one.
        each: whether there is a mean for each frame, or one for the last.
    """

    def __init__(self, before: int, after: int, each: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.before, self.after, self.each = before, after, each

    def call(self, inputs: Any) -> Any:
        """Map (batch, length, channels), and a mask, to (batch, channels), or (batch, length, channels)."""
        if isinstance(inputs, list | tuple):
            return (self._masked_each if self.each else self._masked_last)(*inputs)
        length = int(inputs.shape[1])  # which is a tensor while torch traces
        if self.each:
            n = _ops.convert_to_tensor(sizes(length, self.before, self.after)[:, None], dtype=inputs.dtype)
            return self._running_sums(inputs) / n
        return _ops.mean(inputs[:, slice(*last_window(length, self.before, self.after))], axis=1)

    def _masked_each(self, x: Any, mask: Any) -> Any:
        there = _there(x, mask)
        n = _ops.cast(self._running_sums(_ops.cast(there, "float32")), x.dtype)
        return self._running_sums(_only(there, x)) / _ops.maximum(n, 1.0)

    def _masked_last(self, x: Any, mask: Any) -> Any:
        there, length = _there(x, mask), int(x.shape[1])
        frames = _ops.arange(length, dtype="int32")[:, None]
        last = _ops.max(_ops.where(there, frames, -1), axis=1, keepdims=True)
        inside = _ops.logical_and(there, frames >= last - min(self.before, length))
        inside = _ops.logical_and(inside, frames <= last + self.after)
        n = _ops.sum(_ops.cast(inside, x.dtype), axis=1)
        return _ops.sum(_only(inside, x), axis=1) / _ops.maximum(n, 1.0)

    def _running_sums(self, x: Any) -> Any:
        """Return the sum of the frames around each; see `deep_arch.backends.averages`."""
        length, channels = map(int, x.shape[1:])
        width, *zeros = blocks(length, self.before, self.after)
        parts = _ops.reshape(
            _ops.pad(x, ((0, 0), zeros, (0, 0))), (-1, (length + sum(zeros)) // width, width, channels)
        )
        ends = _ops.flip(_ops.cumsum(_ops.flip(parts, 2), 2), 2)
        beginnings = _ops.cumsum(_ops.pad(parts, ((0, 0), (0, 0), (1, 0), (0, 0)))[:, :, :-1], 2)
        ends, beginnings = (_ops.reshape(sums, (-1, length + sum(zeros), channels)) for sums in (ends, beginnings))
        return ends[:, :length] + beginnings[:, width : width + length]

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made again from."""
        return {**super().get_config(), "before": self.before, "after": self.after, "each": self.each}


def _there(x: Any, mask: Any) -> Any:
    """Return which frames are there, (batch, length, 1)."""
    there = mask if keras.backend.standardize_dtype(mask.dtype) == "bool" else mask > 0
    return _ops.reshape(there, (-1, int(x.shape[1]), 1))


def _only(there: Any, x: Any) -> Any:
    return _ops.where(there, x, _ops.zeros((), x.dtype))  # unlike a product, also where what is not there is no number


def window_average(op: Any, emit: Emitter, specs: Sequence[Spec], *xs: Tensor) -> Tensor:
    """Lower the mean around the last frame, or each."""
    if op.each and op.before == op.after == 0 and len(xs) == 1:
        return xs[0]
    return emit.layer(partial(WindowAverage, op.before, op.after, op.each), xs[0] if len(xs) == 1 else list(xs))


def global_masked(op: Any, emit: Emitter, x: Tensor, mask: Tensor) -> Tensor:
    """Lower the mean of all frames that are there."""
    x = emit.layer(partial(WindowAverage, WHOLE, 0), [x, mask], name="masked")
    return emit.function(keras.ops.expand_dims, x, 1) if op.keepdims else x

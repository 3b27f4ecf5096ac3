"""Layers that Keras lacks, or that not all of its backends define alike.

Arrays are (batch, *spatial, channels). Each layer registers itself, so that `keras.models.load_model` finds it once
`deep_arch.backends.keras_backend` is imported.
"""

# Keras has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedClassDecorator=false, reportUntypedBaseClass=false, reportUnknownParameterType=false

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from deep_arch.ops.windows import output_size, same_padding, span, transposed_crop, transposed_output_size

Shape = tuple[int | None, ...]
_registered: Any = keras.saving.register_keras_serializable(package="deep_arch")
_ops: Any = keras.ops


@_registered
class Scale(keras.layers.Layer):  # type: ignore[misc]
    """Multiply each channel by a trained factor.

    Args:
        initial: the factors before training.
    """

    def __init__(self, initial: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape: Shape) -> None:
        """Make the factors."""
        constant = keras.initializers.Constant(self.initial)
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer=constant, name="scale")

    def call(self, inputs: Any) -> Any:
        """Map (batch, *spatial, channels) to the same shape."""
        return inputs * self.scale

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the output."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made again from."""
        return {**super().get_config(), "initial": self.initial}


@_registered
class PositionEmbedding(keras.layers.Layer):  # type: ignore[misc]
    """Add a trained vector to each position.

    Args:
        sequence_length: the positions that have a vector, at least as many as an input has.
    """

    def __init__(self, sequence_length: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sequence_length = sequence_length

    def build(self, input_shape: Shape) -> None:
        """Make the vectors, (sequence_length, features)."""
        self.embeddings = self.add_weight(shape=(self.sequence_length, input_shape[-1]), name="embeddings")

    def call(self, inputs: Any) -> Any:
        """Map (batch, length, features) to the same shape."""
        return inputs + self.embeddings[: inputs.shape[1]]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the output."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made again from."""
        return {**super().get_config(), "sequence_length": self.sequence_length}


@_registered
class Parameter(keras.layers.Layer):  # type: ignore[misc]
    """Give a trained constant for each example.

    Args:
        target_shape: (channels, *spatial), the order in which the constant is kept.
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(target_shape)

    def build(self, input_shape: Shape) -> None:
        """Make the constant."""
        self.value = self.add_weight(shape=self.target_shape, initializer="uniform", name="value")

    def call(self, inputs: Any) -> Any:
        """Map (batch, ...) to (batch, *spatial, channels)."""
        value = _ops.moveaxis(_ops.convert_to_tensor(self.value), 0, -1)
        return _ops.broadcast_to(value, (_ops.shape(inputs)[0], *value.shape))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the output."""
        return (input_shape[0], *self.target_shape[1:], self.target_shape[0])

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made again from."""
        return {**super().get_config(), "target_shape": self.target_shape}


@_registered
class Zeros(keras.layers.Layer):  # type: ignore[misc]
    """Give a vector of zeros for each example.

    Args:
        units: the channels.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units

    def call(self, inputs: Any) -> Any:
        """Map (batch, ...) to (batch, units)."""
        return _ops.zeros((_ops.shape(inputs)[0], self.units), self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the output."""
        return (input_shape[0], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made again from."""
        return {**super().get_config(), "units": self.units}


@_registered
class Take(keras.layers.Layer):  # type: ignore[misc]
    """Take chosen channels, as slices of neighbours: `keras.ops.take` makes on torch what ONNX cannot hold.

    Args:
        indices: the channels in their new order; a negative one is counted from the end.
    """

    def __init__(self, indices: Sequence[int], **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.indices = tuple(indices)

    def call(self, inputs: Any) -> Any:
        """Map (batch, *spatial, channels) to (batch, *spatial, number of indices)."""
        n = int(inputs.shape[-1])
        places = [index % n for index in self.indices]
        runs = itertools.groupby(enumerate(places), lambda pair: pair[1] - pair[0])
        parts = [[index for _, index in run] for _, run in runs]
        taken = [inputs[..., part[0] : part[-1] + 1] for part in parts]
        return taken[0] if len(taken) == 1 else _ops.concatenate(taken, -1)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made again from."""
        return {**super().get_config(), "indices": self.indices}


@_registered
class Where(keras.layers.Layer):  # type: ignore[misc]
    """Choose between two inputs by a condition.

    Args:
        hard: whether to take the one or the other, and no mean of them.
    """

    def __init__(self, hard: bool = False, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)  # a condition may be of another type than what it chooses between
        self.hard = hard

    def call(self, inputs: Sequence[Any]) -> Any:
        """Map a condition and two arrays to one of their shape."""
        condition, a, b = inputs
        if self.hard:
            kind = keras.backend.standardize_dtype(condition.dtype)
            return _ops.where(condition if kind == "bool" else condition > 0, a, b)
        weight = _ops.sigmoid(condition)
        return weight * a + (1.0 - weight) * b

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made again from."""
        return {**super().get_config(), "hard": self.hard}


@_registered
class SameAveragePooling(keras.layers.Layer):  # type: ignore[misc]
    """Take the mean of those cells of each window that lie inside, for "same" padding that is not even.

    Keras on torch counts copies of the edge there.

    Args:
        pool_size: cells of the window along each axis.
        strides: cells from one window to the next along each axis.
    """

    def __init__(self, pool_size: Sequence[int], strides: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pool_size = tuple(pool_size)
        self.strides = tuple(strides)

    def call(self, inputs: Any) -> Any:
        """Map (batch, *spatial, channels) to (batch, *new spatial, channels)."""
        pool = functools.partial(_ops.average_pool, data_format="channels_last")
        if keras.config.backend() != "torch":
            return pool(inputs, self.pool_size, self.strides, "same")
        sizes = map(int, inputs.shape[1:-1])  # which are tensors while torch traces
        windows = list(zip(sizes, self.pool_size, self.strides, strict=True))
        padding = [same_padding(*window) for window in windows]
        padded = _ops.pad(inputs, ((0, 0), *padding, (0, 0)))
        inside = functools.reduce(operator.mul, np.ix_(*[_inside(*window) for window in windows]))
        factors = math.prod(self.pool_size) / inside[None, ..., None]
        means = pool(padded, self.pool_size, self.strides, "valid")
        return means * _ops.convert_to_tensor(factors, dtype=means.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the output."""
        batch, *sizes, channels = input_shape
        new = [None if n is None else output_size(n, 1, stride) for n, stride in zip(sizes, self.strides, strict=True)]
        return (batch, *new, channels)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made again from."""
        return {**super().get_config(), "pool_size": self.pool_size, "strides": self.strides}


def _inside(size: int, kernel: int, stride: int) -> Any:
    """Return for each window of "same" along an axis how many of its cells lie inside."""
    starts = np.arange(output_size(size, kernel, stride)) * stride - same_padding(size, kernel, stride)[0]
    return np.minimum(starts + kernel, size) - np.maximum(starts, 0)


@_registered
class TransposedConvolution(keras.layers.Layer):  # type: ignore[misc]
    """Convolve backwards, with what Keras's own layers do not do on TensorFlow: dilation, and no output to spare.

    The arguments are those of `keras.layers.Conv2DTranspose`, sizes with one int for each axis.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Sequence[int],
        strides: Sequence[int],
        padding: str,
        output_padding: Sequence[int] | None,
        dilation_rate: Sequence[int],
        use_bias: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = tuple(kernel_size)
        self.strides = tuple(strides)
        self.padding = padding
        self.output_padding = None if output_padding is None else tuple(output_padding)
        self.dilation_rate = tuple(dilation_rate)
        self.use_bias = use_bias

    def build(self, input_shape: Shape) -> None:
        """Make the kernel, (*kernel_size, filters, channels), and the bias."""
        self.kernel = self.add_weight(shape=(*self.kernel_size, self.filters, input_shape[-1]), name="kernel")
        if self.use_bias:
            self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        """Map (batch, *spatial, channels) to (batch, *new spatial, filters)."""
        kernel = self.kernel
        for axis, gap in enumerate(self.dilation_rate):
            kernel = _spread(kernel, axis, gap)
        full = _ops.conv_transpose(inputs, kernel, self.strides, "valid", data_format="channels_last")
        for axis, (taps, stride, gap, more) in enumerate(self._axes(), start=1):
            before, after = transposed_crop(taps, stride, self.padding, gap, more)
            # "valid" gives at least a stride for the last cell, so a window shorter than that has zeros after it.
            full = _cut(full, axis, before, after + max(stride - span(taps, gap), 0))
        return full + self.bias if self.use_bias else full

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the output."""
        new = [
            None if n is None else transposed_output_size(n, taps, stride, self.padding, gap, more)
            for n, (taps, stride, gap, more) in zip(input_shape[1:-1], self._axes(), strict=True)
        ]
        return (input_shape[0], *new, self.filters)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made again from."""
        names = ("filters", "kernel_size", "strides", "padding", "output_padding", "dilation_rate", "use_bias")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _axes(self) -> list[tuple[int, int, int, int | None]]:
        extra = self.output_padding or (None,) * len(self.strides)
        return list(zip(self.kernel_size, self.strides, self.dilation_rate, extra, strict=True))


def _spread(kernel: Any, axis: int, gap: int) -> Any:
    """Put the taps of a kernel `gap` apart along an axis, with zeros between."""
    if gap == 1:
        return kernel
    shape = list(kernel.shape)
    widths = [(0, 0)] * (len(shape) + 1)
    widths[axis + 1] = (0, gap - 1)
    spread = _ops.pad(_ops.expand_dims(kernel, axis + 1), widths)
    shape[axis] *= gap
    return _cut(_ops.reshape(spread, shape), axis, 0, gap - 1)


def _cut(x: Any, axis: int, before: int, after: int) -> Any:
    """Cut cells off the ends of an axis; a negative count adds zeros after it."""
    if after < 0:
        widths = [(0, 0)] * len(x.shape)
        widths[axis] = (0, -after)
        return _ops.pad(x, widths)
    if before == after == 0:
        return x
    return x[(slice(None),) * axis + (slice(before, -after or None),)]

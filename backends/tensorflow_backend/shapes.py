"""Lowerings of what puts numbers elsewhere and computes none: reshaping, parting, joining, padding, enlarging."""

# TensorFlow has few types.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from deep_arch import ops
from deep_arch.backends.specs import native_axis, placed
from deep_arch.backends.tensorflow_backend.context import Context, Lowering
from deep_arch.backends.tensorflow_backend.layout import channels_first, channels_last
from deep_arch.backends.tensorflow_backend.windows import cut, pad
from deep_arch.ops.resizing import sides_of
from deep_arch.ops.windows import tuple_of


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
    return tuple(tf.split(x, op.sizes(context.specs[0]), native_axis(op.axis)))


def _slice(op: Any, context: Context, x: Any) -> Any:
    return x[placed(slice(*op.bounds(context.specs[0])), op.axis)]


def _take(op: Any, context: Context, x: Any) -> Any:
    return tf.gather(x, op.places(context.specs[0]), axis=-1)


def _concatenate(op: Any, context: Context, *xs: Any) -> Any:
    return tf.concat(xs, native_axis(op.axis))


def _stack(op: Any, context: Context, *xs: Any) -> Any:
    return tf.stack([channels_first(x, context.specs[0]) for x in xs], -1)


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


LOWERINGS: Mapping[type, Lowering] = {
    ops.Flatten: _flatten,
    ops.Reshape: _reshape,
    ops.Transpose: _transpose,
    ops.Split: _split,
    ops.Slice: _slice,
    ops.Take: _take,
    ops.UpSampling1D: _upsampling,
    ops.UpSampling2D: _upsampling,
    ops.UpSampling3D: _upsampling,
    ops.ZeroPadding1D: _zero_padding,
    ops.ZeroPadding2D: _zero_padding,
    ops.ZeroPadding3D: _zero_padding,
    ops.Cropping1D: _cropping,
    ops.Cropping2D: _cropping,
    ops.Cropping3D: _cropping,
    ops.Concatenate: _concatenate,
    ops.Stack: _stack,
}

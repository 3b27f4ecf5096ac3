"""Lowerings of what slides a window: convolutions and pooling.

Padding is TensorFlow's, as in Keras, whose layers are used wherever each of its backends computes them so.
"""

# Keras has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import keras
from keras import layers

from deep_arch import ops
from deep_arch.backends.keras_backend.averages import global_masked, window_average
from deep_arch.backends.keras_backend.context import Emitter, Lowering, Tensor
from deep_arch.backends.keras_backend.layers import SameAveragePooling, TransposedConvolution
from deep_arch.backends.windows import Sizes, kernel_padding, kernel_windows, pool_windows
from deep_arch.language.specs import Spec
from deep_arch.ops.windows import leaves_cells, same_padding, tuple_of

Make: TypeAlias = Callable[..., Any]

LAST: Mapping[str, Any] = {"data_format": "channels_last"}  # whatever the user's own setting


def _sliding(layer: Make, refused: Callable[[Sizes, Sizes], bool]) -> Lowering:
    """Lower to a convolution, made from strides, padding and dilation.

    What Keras refuses slides over every cell instead, and then keeps those that the strides meet.
    """

    def lower(op: Any, emit: Emitter, specs: Sequence[Spec], x: Tensor) -> Tensor:
        kernel, strides, dilation = kernel_windows(op)
        make = partial(layer, op, kernel_size=kernel, dilation_rate=dilation, use_bias=op.use_bias, **LAST)
        every_cell, padding = refused(strides, dilation), op.padding
        if padding == "causal" or (padding == "same" and (every_cell or _misplaced(op, emit, specs[0]))):
            x, padding = _padded(op, emit, specs[0], x), "valid"
        if not every_cell:
            return emit.layer(partial(make, strides=strides, padding=padding), x)
        x = emit.layer(partial(make, strides=1, padding="valid"), x)
        return emit.function(operator.getitem, x, (slice(None), *(slice(None, None, stride) for stride in strides)))

    return lower


def _padded(op: Any, emit: Emitter, spec: Spec, x: Tensor) -> Tensor:
    cells = list(zip(*kernel_padding(op, spec), strict=True))
    return emit.function(keras.ops.pad, x, ((0, 0), *cells, (0, 0))) if any(map(any, cells)) else x


def _misplaced(op: Any, emit: Emitter, spec: Spec) -> bool:
    """Return whether TensorFlow may begin the windows of a volume too late, where they leave some of its cells."""
    kernel, strides, _ = kernel_windows(op)
    strided = op.ndim == 3 and max(strides) > 1
    return strided and (emit.sizes_vary or any(map(leaves_cells, spec.spatial, kernel, strides)))


def _convolution(layer: Make) -> Lowering:
    def make(op: Any, **given: Any) -> Any:
        return layer(op.filters, groups=op.groups, **given)

    return _sliding(make, lambda strides, dilation: max(strides) > 1 and max(dilation) > 1)


def _depthwise(layer: Make) -> Lowering:
    def make(op: Any, **given: Any) -> Any:
        return layer(depth_multiplier=op.depth_multiplier, **given)

    return _sliding(make, lambda strides, _: len(set(strides)) > 1)  # TensorFlow has one stride for both axes


def _separable(layer: Make) -> Lowering:
    def make(op: Any, **given: Any) -> Any:
        return layer(op.filters, depth_multiplier=op.depth_multiplier, **given)

    return _sliding(make, lambda strides, _: len(set(strides)) > 1)


def _transposed(layer: Make) -> Lowering:
    def lower(op: Any, emit: Emitter, specs: Sequence[Spec], x: Tensor) -> Tensor:
        kernel, strides, dilation = kernel_windows(op)
        extra = None if op.output_padding is None else tuple_of(op.output_padding, op.ndim)
        short = extra is not None and any(n % 2 + more < 1 for n, more in zip(kernel, extra, strict=True))
        # Of volumes, TensorFlow may begin the windows of the gradient too late where strides leave cells between them.
        apart = op.ndim == 3 and any(map(operator.lt, kernel, strides))
        if max(dilation) > 1 or (op.padding == "same" and (short or apart)):
            arguments = (op.filters, kernel, strides, op.padding, extra, dilation, op.use_bias)
            return emit.layer(partial(TransposedConvolution, *arguments), x)
        make = partial(layer, op.filters, kernel, strides, op.padding, output_padding=extra)
        return emit.layer(partial(make, use_bias=op.use_bias, **LAST), x)

    return lower


# --- pooling ---------------------------------------------------------------------------------------------------------


def _pooling(layer: Make, plane: Make) -> Lowering:
    """Lower to a layer made from a window, strides, padding and the spatial sizes; `plane` is that for two axes."""

    def lower(op: Any, emit: Emitter, specs: Sequence[Spec], x: Tensor) -> Tensor:
        pool, strides = pool_windows(op)
        if op.ndim == 3 and emit.dtype == "float64":
            return _by_planes(plane, op, emit, specs[0], x, pool, strides)
        return emit.layer(partial(layer, pool, strides, op.padding, sizes=_sizes(emit, specs[0])), x)

    return lower


def _sizes(emit: Emitter, spec: Spec) -> Sizes | None:
    return None if emit.sizes_vary else spec.spatial


def _by_planes(plane: Make, op: Any, emit: Emitter, spec: Spec, x: Tensor, pool: Sizes, strides: Sizes) -> Tensor:
    """Pool along two axes and then along the third, since TensorFlow pools no volumes of float64.

    A maximum of maxima is the same, and so is a mean of means, each over as many cells as the others of its window.
    """
    depth, height, width = spec.spatial
    _, new_depth, new_height, new_width = op.shape(spec).shape
    x = emit.layer(partial(layers.Reshape, (depth, height, width * spec.channels)), x, name="planes")
    make = partial(plane, pool[:2], strides[:2], op.padding, sizes=(depth, height))
    x = emit.layer(make, x, name="first")
    x = emit.layer(partial(layers.Reshape, (new_depth * new_height, width, spec.channels)), x, name="rows")
    make = partial(plane, (1, pool[2]), (1, strides[2]), op.padding, sizes=(new_depth * new_height, width))
    x = emit.layer(make, x, name="second")
    return emit.layer(partial(layers.Reshape, (new_depth, new_height, new_width, spec.channels)), x, name="volume")


def _max(layer: Make) -> Make:
    def make(pool: Sizes, strides: Sizes, padding: str, sizes: Sizes | None, **given: Any) -> Any:
        return layer(pool, strides, padding, **LAST, **given)

    return make


def _average(layer: Make) -> Make:
    def make(pool: Sizes, strides: Sizes, padding: str, sizes: Sizes | None, **given: Any) -> Any:
        cells = [] if sizes is None else list(map(same_padding, sizes, pool, strides))
        # Keras on torch pads what is even right, but refuses a window larger than its volume.
        even = all(before == after for before, after in cells) and all(map(operator.ge, sizes or (), pool))
        if padding == "valid" or (sizes is not None and even):
            return layer(pool, strides, padding, **LAST, **given)
        return SameAveragePooling(pool, strides, **given)

    return make


def _global(layer: Make) -> Lowering:
    def lower(op: Any, emit: Emitter, specs: Sequence[Spec], x: Tensor, *mask: Tensor) -> Tensor:
        if mask:
            return global_masked(op, emit, x, *mask)
        return emit.layer(partial(layer, keepdims=op.keepdims, **LAST), x)

    return lower


LOWERINGS: Mapping[type, Lowering] = {
    ops.Conv1D: _convolution(layers.Conv1D),
    ops.Conv2D: _convolution(layers.Conv2D),
    ops.Conv3D: _convolution(layers.Conv3D),
    ops.DepthwiseConv1D: _depthwise(layers.DepthwiseConv1D),
    ops.DepthwiseConv2D: _depthwise(layers.DepthwiseConv2D),
    ops.SeparableConv1D: _separable(layers.SeparableConv1D),
    ops.SeparableConv2D: _separable(layers.SeparableConv2D),
    ops.Conv1DTranspose: _transposed(layers.Conv1DTranspose),
    ops.Conv2DTranspose: _transposed(layers.Conv2DTranspose),
    ops.Conv3DTranspose: _transposed(layers.Conv3DTranspose),
    ops.MaxPooling1D: _pooling(_max(layers.MaxPooling1D), _max(layers.MaxPooling2D)),
    ops.MaxPooling2D: _pooling(_max(layers.MaxPooling2D), _max(layers.MaxPooling2D)),
    ops.MaxPooling3D: _pooling(_max(layers.MaxPooling3D), _max(layers.MaxPooling2D)),
    ops.AveragePooling1D: _pooling(
        _average(layers.AveragePooling1D),
        _pooling(_average(layers.AveragePooling2D), _average(layers.AveragePooling2D)),
    ),
    ops.AveragePooling2D: _pooling(_average(layers.AveragePooling2D), _average(layers.AveragePooling2D)),
    ops.AveragePooling3D: _pooling(_average(layers.AveragePooling3D), _average(layers.AveragePooling2D)),
    ops.GlobalMaxPooling1D: _global(layers.GlobalMaxPooling1D),
    ops.GlobalMaxPooling2D: _global(layers.GlobalMaxPooling2D),
    ops.GlobalMaxPooling3D: _global(layers.GlobalMaxPooling3D),
    ops.GlobalAveragePooling1D: _global(layers.GlobalAveragePooling1D),
    ops.GlobalAveragePooling2D: _global(layers.GlobalAveragePooling2D),
    ops.GlobalAveragePooling3D: _global(layers.GlobalAveragePooling3D),
    ops.WindowAverage: window_average,
}

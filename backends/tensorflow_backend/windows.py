"""Lowerings of what slides a window: convolutions and pooling.

The padding is TensorFlow's own, so it is left to the kernels. What no kernel takes on every machine is computed with
those that are there: strides together with dilation, unequal strides of a depthwise convolution, groups, volumes.
"""

# TensorFlow has few types.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from deep_arch import ops
from deep_arch.backends.tensorflow_backend.averages import masked_average, window_average
from deep_arch.backends.tensorflow_backend.context import Context, Lowering, batch_of
from deep_arch.backends.windows import Sizes, kernel_padding, kernel_windows, pool_windows
from deep_arch.language.specs import Spec
from deep_arch.ops.windows import leaves_cells, span, transposed_crop, tuple_of

_PLAIN: Mapping[int, Any] = {1: tf.nn.conv1d, 2: tf.nn.conv2d, 3: tf.nn.conv3d}


def cut(x: Any, before: Sequence[int], after: Sequence[int]) -> Any:
    """Cut cells off the ends of the spatial axes."""
    if not any(before) and not any(after):
        return x
    return x[(slice(None), *(slice(b, -a or None) for b, a in zip(before, after, strict=True)))]


def pad(x: Any, before: Sequence[int], after: Sequence[int]) -> Any:
    """Add cells of zero to the ends of the spatial axes."""
    if not any(before) and not any(after):
        return x
    return tf.pad(x, ((0, 0), *zip(before, after, strict=True), (0, 0)))


def every(x: Any, strides: Sizes) -> Any:
    """Keep the first of each `strides` cells along the spatial axes."""
    return x if max(strides, default=1) == 1 else x[(slice(None), *(slice(None, None, stride) for stride in strides))]


def biased(x: Any, weights: Mapping[str, Any]) -> Any:
    """Add the constants of each channel, where there are such."""
    return tf.nn.bias_add(x, weights["bias"]) if "bias" in weights else x


# --- convolution -----------------------------------------------------------------------------------------------------


def _padded(op: Any, spec: Spec, x: Any) -> Any:
    """Return the input with the cells that are added to it, so that nothing is left to a kernel."""
    return pad(x, *kernel_padding(op, spec))


def _convolution(op: Any, context: Context, x: Any) -> Any:
    kernel, spec = context.weights["kernel"], context.specs[0]
    taps, strides, dilation = kernel_windows(op)
    if max(strides) > 1 and max(dilation) > 1:
        x = every(_slide(_padded(op, spec, x), kernel, (1,) * op.ndim, dilation, "VALID"), strides)
    elif op.padding == "causal" or (op.ndim == 3 and any(map(leaves_cells, spec.spatial, taps, strides))):
        x = _slide(_padded(op, spec, x), kernel, strides, dilation, "VALID")  # "SAME" of a volume may begin too late
    else:
        x = _slide(x, kernel, strides, dilation, op.padding.upper())
    return biased(x, context.weights)


def _slide(x: Any, kernel: Any, strides: Sizes, dilation: Sizes, padding: Any) -> Any:
    """Convolve with strides or dilation, but not both, in as many groups as the kernel is narrower than the input."""
    groups = x.shape[-1] // kernel.shape[-2]
    if groups > 1 and not (len(strides) < 3 and _groups_have_gradients(x.dtype)):
        parts = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
        return tf.concat([_slide(part, taps, strides, dilation, padding) for part, taps in parts], -1)
    if max(dilation) > 1:
        return tf.nn.convolution(x, kernel, strides, padding, dilations=dilation)
    return _PLAIN[len(strides)](x, kernel, (1, *strides, 1), padding)


@functools.cache
def _groups_have_gradients(dtype: Any) -> bool:
    """Ask whether kernels here differentiate a convolution in groups; on a CPU only those of oneDNN do, in float32."""
    with tf.init_scope():
        two = tf.zeros((1, 1, 1, 2), dtype)
        try:
            tf.raw_ops.Conv2DBackpropInput(
                input_sizes=two.shape, filter=two, out_backprop=two, strides=(1, 1, 1, 1), padding="VALID"
            )
        except tf.errors.OpError:
            return False
    return True


def _depthwise(op: Any, context: Context, x: Any) -> Any:
    return biased(_each_channel(op, context.specs[0], x, context.weights["kernel"]), context.weights)


def _separable(op: Any, context: Context, x: Any) -> Any:
    x = _each_channel(op, context.specs[0], x, context.weights["depthwise_kernel"])
    ones = (1,) * op.ndim
    return biased(_slide(x, context.weights["pointwise_kernel"], ones, ones, "VALID"), context.weights)


def _each_channel(op: Any, spec: Spec, x: Any, kernel: Any) -> Any:
    """Convolve each channel alone: the kernels take one stride for all axes, and none with dilation."""
    _, strides, dilation = kernel_windows(op)
    step = math.gcd(*strides) if max(dilation) == 1 else 1
    padding = op.padding.upper()
    if set(strides) != {step} or op.padding == "causal":
        x, padding = _padded(op, spec, x), "VALID"
    if op.ndim == 1:  # an image of one row
        x, kernel, dilation = tf.expand_dims(x, 1), tf.expand_dims(kernel, 0), (1, *dilation)
    x = tf.nn.depthwise_conv2d(x, kernel, (1, step, step, 1), padding, dilations=dilation)
    return every(tf.squeeze(x, 1) if op.ndim == 1 else x, tuple(stride // step for stride in strides))


def _transposed(op: Any, context: Context, x: Any) -> Any:
    taps, strides, dilation = kernel_windows(op)
    spec, kernel = context.specs[0], _spread(context.weights["kernel"], dilation)
    # Of volumes, the gradient of "SAME" may begin its windows too late where strides leave cells between them.
    apart = op.ndim == 3 and any(map(operator.lt, taps, strides))
    if op.output_padding is None and not apart:
        shape: Any = (batch_of(x), *op.shape(spec).spatial, op.filters)
        x = tf.nn.conv_transpose(x, kernel, shape, strides, op.padding.upper())
    else:
        reach = map(span, taps, dilation)
        whole = [(n - 1) * step + cells for n, step, cells in zip(spec.spatial, strides, reach, strict=True)]
        shape = (batch_of(x), *whole, op.filters)
        x = _cropped(op, tf.nn.conv_transpose(x, kernel, shape, strides, "VALID"))
    return biased(x, context.weights)


def _cropped(op: Any, x: Any) -> Any:
    extra = (None,) * op.ndim if op.output_padding is None else tuple_of(op.output_padding, op.ndim)
    windows = zip(*kernel_windows(op), extra, strict=True)
    cuts = [transposed_crop(taps, stride, op.padding, gap, more) for taps, stride, gap, more in windows]
    before, after = zip(*cuts, strict=True)
    x = cut(x, before, [max(cells, 0) for cells in after])
    return pad(x, (0,) * op.ndim, [max(-cells, 0) for cells in after])


def _spread(kernel: Any, dilation: Sizes) -> Any:
    """Put zeros between the taps: kernels of transposed convolutions take no dilation."""
    if max(dilation) == 1:
        return kernel
    shape = tuple(kernel.shape)
    ends = [slice((taps - 1) * gap + 1) for taps, gap in zip(shape, dilation, strict=False)]
    for axis, gap in enumerate(dilation):
        kernel = tf.expand_dims(kernel, 2 * axis + 1)
        kernel = tf.pad(kernel, [(0, gap - 1) if i == 2 * axis + 1 else (0, 0) for i in range(len(kernel.shape))])
    spread = [taps * gap for taps, gap in zip(shape, dilation, strict=False)]
    return tf.reshape(kernel, (*spread, *shape[-2:]))[tuple(ends)]


# --- pooling ---------------------------------------------------------------------------------------------------------


def _pooling(function: Callable[..., Any]) -> Lowering:
    """Lower to a pooling function of images; a mean of TensorFlow's counts only cells inside."""

    def lower(op: Any, context: Context, x: Any) -> Any:
        pool, strides = pool_windows(op)
        padding = op.padding.upper()
        if op.ndim == 1:
            return tf.squeeze(function(tf.expand_dims(x, 1), (1, *pool), (1, *strides), padding), 1)
        if op.ndim == 2:
            return function(x, pool, strides, padding)
        # The kernels for volumes lack float64; a maximum of maxima, or a mean of means, over planes is the same.
        depth, height, width = context.specs[0].spatial
        channels = x.shape[-1]
        x = function(tf.reshape(x, (-1, height, width, channels)), pool[1:], strides[1:], padding)
        height, width = x.shape[1:3]
        x = function(tf.reshape(x, (-1, depth, height * width, channels)), (pool[0], 1), (strides[0], 1), padding)
        return tf.reshape(x, (-1, x.shape[1], height, width, channels))

    return lower


def _global(function: Callable[..., Any]) -> Lowering:
    def lower(op: Any, context: Context, x: Any, *mask: Any) -> Any:
        if mask:
            x = masked_average(x, *mask)
            return x[:, None] if op.keepdims else x
        return function(x, tuple(range(1, op.ndim + 1)), keepdims=op.keepdims)

    return lower


LOWERINGS: Mapping[type, Lowering] = {
    ops.Conv1D: _convolution,
    ops.Conv2D: _convolution,
    ops.Conv3D: _convolution,
    ops.DepthwiseConv1D: _depthwise,
    ops.DepthwiseConv2D: _depthwise,
    ops.SeparableConv1D: _separable,
    ops.SeparableConv2D: _separable,
    ops.Conv1DTranspose: _transposed,
    ops.Conv2DTranspose: _transposed,
    ops.Conv3DTranspose: _transposed,
    ops.MaxPooling1D: _pooling(tf.nn.max_pool2d),
    ops.MaxPooling2D: _pooling(tf.nn.max_pool2d),
    ops.MaxPooling3D: _pooling(tf.nn.max_pool2d),
    ops.AveragePooling1D: _pooling(tf.nn.avg_pool2d),
    ops.AveragePooling2D: _pooling(tf.nn.avg_pool2d),
    ops.AveragePooling3D: _pooling(tf.nn.avg_pool2d),
    ops.GlobalMaxPooling1D: _global(tf.reduce_max),
    ops.GlobalMaxPooling2D: _global(tf.reduce_max),
    ops.GlobalMaxPooling3D: _global(tf.reduce_max),
    ops.GlobalAveragePooling1D: _global(tf.reduce_mean),
    ops.GlobalAveragePooling2D: _global(tf.reduce_mean),
    ops.GlobalAveragePooling3D: _global(tf.reduce_mean),
    ops.WindowAverage: window_average,
}

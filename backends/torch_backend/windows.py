"""Lowerings of what slides a window: convolutions and pooling.

Padding is TensorFlow's: "same" adds the odd cell after, so that an axis may need more cells after than before. Torch's
own layers pad evenly, at no cost, and are used as they are wherever even is right.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from deep_arch import ops
from deep_arch.backends.torch_backend.averages import global_masked, window_average
from deep_arch.backends.torch_backend.context import Emitter, Lowering
from deep_arch.backends.torch_backend.layout import source_with_channels_last
from deep_arch.backends.windows import Sizes, kernel_padding, kernel_windows, pool_windows
from deep_arch.language.specs import Spec
from deep_arch.ops.windows import same_padding, transposed_crop, tuple_of

_CONVOLUTIONS: tuple[Any, ...] = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED: tuple[Any, ...] = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def brief(sizes: Sequence[int]) -> int | Sizes:
    """Return one int for equal sizes, as one would write them by hand."""
    return sizes[0] if len(set(sizes)) == 1 else tuple(sizes)


def keep(node: fx.Node, emit: Emitter, before: Sequence[int], after: Sequence[int]) -> fx.Node:
    """Cut cells off the ends of the spatial axes."""
    if not any(before) and not any(after):
        return node
    cuts = [slice(b or None, -a or None) for b, a in zip(before, after, strict=True)]
    return emit.function(operator.getitem, node, (slice(None), slice(None), *cuts))


def pad(node: fx.Node, emit: Emitter, before: Sequence[int], after: Sequence[int]) -> fx.Node:
    """Add cells of zero to the ends of the spatial axes."""
    if not any(before) and not any(after):
        return node
    pairs = list(zip(before, after, strict=True))
    return emit.function(F.pad, node, tuple(cells for pair in reversed(pairs) for cells in pair))


# --- convolution -----------------------------------------------------------------------------------------------------


def _padded(op: Any, emit: Emitter, spec: Spec, x: fx.Node) -> tuple[fx.Node, Sizes]:
    """Return the input, padded if need be, and the padding that is left to the convolution."""
    none, strides = (0,) * op.ndim, tuple_of(op.strides, op.ndim)
    before, after = kernel_padding(op, spec)
    if before == after and not (emit.sizes_vary and max(strides) > 1):  # without strides, sizes do not matter
        return x, before
    return pad(x, emit, before, after), none


def _convolution(op: Any, emit: Emitter, specs: Sequence[Spec], x: fx.Node) -> fx.Node:
    kernel, strides, dilation = kernel_windows(op)
    x, padding = _padded(op, emit, specs[0], x)
    layer = _CONVOLUTIONS[op.ndim - 1]
    channels = specs[0].channels
    return emit.module(
        lambda: layer(channels, op.filters, kernel, strides, padding, dilation, op.groups, op.use_bias), x
    )


def _depthwise(op: Any, emit: Emitter, specs: Sequence[Spec], x: fx.Node) -> fx.Node:
    return _each_channel(op, emit, specs[0], x, op.use_bias)


def _each_channel(op: Any, emit: Emitter, spec: Spec, x: fx.Node, bias: bool, name: str = "") -> fx.Node:
    kernel, strides, dilation = kernel_windows(op)
    x, padding = _padded(op, emit, spec, x)
    layer = _CONVOLUTIONS[op.ndim - 1]
    inner = spec.channels * op.depth_multiplier
    return emit.module(
        lambda: layer(spec.channels, inner, kernel, strides, padding, dilation, spec.channels, bias), x, name=name
    )


def _separable(op: Any, emit: Emitter, specs: Sequence[Spec], x: fx.Node) -> fx.Node:
    layer = _CONVOLUTIONS[op.ndim - 1]
    inner = specs[0].channels * op.depth_multiplier
    x = _each_channel(op, emit, specs[0], x, bias=False, name="depthwise")
    return emit.module(lambda: layer(inner, op.filters, 1, bias=op.use_bias), x, name="pointwise")


def _transposed(op: Any, emit: Emitter, specs: Sequence[Spec], x: fx.Node) -> fx.Node:
    kernel, strides, dilation = kernel_windows(op)
    given: Any = op.output_padding
    extra: tuple[int | None, ...] = (None,) * op.ndim if given is None else tuple_of(given, op.ndim)
    cuts = [
        transposed_crop(taps, stride, op.padding, gap, more)
        for taps, stride, gap, more in zip(kernel, strides, dilation, extra, strict=True)
    ]
    before = tuple(b for b, _ in cuts)  # torch's `padding` cuts as much after; `output_padding` gives some of it back
    back = tuple(max(b - a, 0) for b, a in cuts)
    layer, channels = _TRANSPOSED[op.ndim - 1], specs[0].channels
    x = emit.module(lambda: layer(channels, op.filters, kernel, strides, before, back, 1, op.use_bias, dilation), x)
    return keep(x, emit, (0,) * op.ndim, [max(a - b, 0) for b, a in cuts])


# --- pooling ---------------------------------------------------------------------------------------------------------


def _pooling(function: Callable[..., Any], **options: Any) -> Lowering:
    """Lower to a pooling function; `options` are given where there is padding."""

    def lower(op: Any, emit: Emitter, specs: Sequence[Spec], x: fx.Node) -> fx.Node:
        pool, strides = pool_windows(op)
        if op.padding == "valid":
            return emit.function(function, x, brief(pool), **_stride(pool, strides))
        return _pool_same(emit, x, function, specs[0].spatial, pool, strides, options)

    return lower


def _stride(pool: Sizes, strides: Sizes) -> dict[str, Any]:
    return {} if pool == strides else {"stride": brief(strides)}


def _pool_same(
    emit: Emitter,
    x: fx.Node,
    function: Callable[..., Any],
    sizes: Sequence[int],
    pool: Sizes,
    strides: Sizes,
    options: Mapping[str, Any],
) -> fx.Node:
    padding, ceil, cut = _edges(sizes, pool, strides)
    given = _stride(pool, strides)
    if any(padding) or ceil:
        given |= {"padding": brief(padding), "ceil_mode": ceil, **options}
    return keep(emit.function(function, x, brief(pool), **given), emit, cut, (0,) * len(pool))


def _edges(sizes: Sequence[int], pool: Sizes, strides: Sizes) -> tuple[Sizes, bool, Sizes]:
    """Return even padding, whether to round the output's size up, and what to cut, that amount to "same".

    Padding by hand would copy the input, and a mean would count the cells that it adds. Where windows overlap by
    strides of 1, one cell more before gives one output more before, which is cut; where strides are longer, rounding up
    makes the last window reach over the edge by itself.
    """
    pairs = list(map(same_padding, sizes, pool, strides))
    uneven = [after > before for before, after in pairs]
    padding = tuple(a if stride == 1 else b for (b, a), stride in zip(pairs, strides, strict=True))
    cut = tuple(int(odd and stride == 1) for odd, stride in zip(uneven, strides, strict=True))
    return padding, any(odd and stride > 1 for odd, stride in zip(uneven, strides, strict=True)), cut


_MEAN: Mapping[str, Any] = {"count_include_pad": False}


def _average_3d(op: Any, emit: Emitter, specs: Sequence[Spec], x: fx.Node) -> fx.Node:
    spec, (pool, strides) = specs[0], pool_windows(op)
    depth, height, width = spec.spatial
    if op.padding == "valid":
        return emit.function(F.avg_pool3d, x, brief(pool), **_stride(pool, strides))
    if depth >= pool[0] and height >= pool[1] and width >= pool[2]:
        return _pool_same(emit, x, F.avg_pool3d, spec.spatial, pool, strides, _MEAN)
    # avg_pool3d refuses a window larger than its input, avg_pool2d does not; a mean of means over planes is the same.
    _, new_depth, new_height, new_width = op.shape(spec).shape
    x = emit.function(torch.flatten, x, 1, 2)
    x = _pool_same(emit, x, F.avg_pool2d, (height, width), pool[1:], strides[1:], _MEAN)
    plane = new_height * new_width
    x = emit.function(torch.reshape, x, (-1, spec.channels, depth, plane))
    x = _pool_same(emit, x, F.avg_pool2d, (depth, plane), (pool[0], 1), (strides[0], 1), _MEAN)
    return emit.function(torch.reshape, x, (-1, spec.channels, new_depth, new_height, new_width))


def _global(function: Callable[..., Any]) -> Lowering:
    def lower(op: Any, emit: Emitter, specs: Sequence[Spec], x: fx.Node, *mask: fx.Node) -> fx.Node:
        if mask:
            return global_masked(op, emit, x, *mask)
        first, source = 2, source_with_channels_last(x, op.ndim + 1)
        if source is not None and not op.keepdims:
            first, x = 1, source
        axes = tuple(range(first, first + op.ndim))
        return emit.function(function, x, dim=brief(axes), **({"keepdim": True} if op.keepdims else {}))

    return lower


LOWERINGS: dict[type, Lowering] = {
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
    ops.MaxPooling1D: _pooling(F.max_pool1d),
    ops.MaxPooling2D: _pooling(F.max_pool2d),
    ops.MaxPooling3D: _pooling(F.max_pool3d),
    ops.AveragePooling1D: _pooling(F.avg_pool1d, **_MEAN),
    ops.AveragePooling2D: _pooling(F.avg_pool2d, **_MEAN),
    ops.AveragePooling3D: _average_3d,
    ops.GlobalMaxPooling1D: _global(torch.amax),
    ops.GlobalMaxPooling2D: _global(torch.amax),
    ops.GlobalMaxPooling3D: _global(torch.amax),
    ops.GlobalAveragePooling1D: _global(torch.mean),
    ops.GlobalAveragePooling2D: _global(torch.mean),
    ops.GlobalAveragePooling3D: _global(torch.mean),
    ops.WindowAverage: window_average,
}

"""Networks whose blocks do not know the channels of what they are called on: shapes decide what they are made of."""

from __future__ import annotations

import operator
from typing import Any

import deep_arch as da
from deep_arch import ops
from deep_arch.language.values import Value

# --- ResNet-50 -------------------------------------------------------------------------------------------------------

_BOTTLENECKS = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Inner filters, blocks, and strides of the first block: conv2_x to conv5_x of the paper's table 1."""


def _conv(filters: Any, kernel_size: int, strides: int = 1) -> da.Module:
    """Make a convolution whose outputs are normalised."""
    return da.sequential(
        lambda: ops.Conv2D(filters, kernel_size, strides=strides, use_bias=False),
        lambda: ops.BatchNormalization(momentum=0.9, epsilon=1e-5),
    )


def _bottleneck(filters: int, strides: int) -> da.Module:
    """Make a block that projects its shortcut where the shapes differ: option B of the paper."""
    return da.residual(
        lambda: da.sequential(
            *(lambda: _conv(filters, 1), ops.ReLU, lambda: _conv(filters, 3, strides), ops.ReLU),
            lambda: _conv(4 * filters, 1),
        ),
        project=lambda: _conv(4 * filters, 1, strides),
    )


@da.space
def resnet_50(x: Value) -> Value:
    """Build ResNet-50 up to the logits, with the strides in the convolutions of 3, as torchvision has it."""
    x = ops.MaxPooling2D(3, strides=2)(ops.ReLU()(_conv(64, 7, strides=2)(x)))
    for filters, n_blocks, first_strides in _BOTTLENECKS:
        for i in range(n_blocks):
            x = ops.ReLU()(_bottleneck(filters, first_strides if i == 0 else 1)(x))
    return ops.Dense(1000)(ops.GlobalAveragePooling2D()(x))


# --- EfficientNet-B0 -------------------------------------------------------------------------------------------------

_MB_CONVS = (
    *((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3)),
    *((6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)),
)
"""Expansion, filters, blocks, strides of the first block, and kernel size: stages 2 to 8 of the paper's table 1."""


def _normalize(x: Value) -> Value:
    return ops.BatchNormalization(momentum=0.99, epsilon=1e-3)(x)


def _squeeze_and_excite(x: Value, squeezed: Any) -> Value:
    """Weigh the channels by what all cells together say of them."""
    y = ops.GlobalAveragePooling2D()(x)
    y = ops.Dense(da.channels(x))(ops.SiLU()(ops.Dense(squeezed)(y)))
    return ops.Multiply()(x, ops.Reshape((da.channels(x), 1, 1))(ops.Sigmoid()(y)))


def _add_where_equal(x: Value, y: Value) -> Value:
    def add(y: Value) -> Value:
        return ops.Add()(ops.DropPath(0.2)(y), x)

    return da.optional(add, use=da.dependent(operator.eq, da.shape(x), da.shape(y)))(y)


def _mb_conv(x: Value, expansion: int, filters: int, strides: int, kernel_size: int) -> Value:
    """Widen, convolve each channel alone, weigh the channels, and narrow; add the input where it has that shape."""
    y = x
    if expansion != 1:
        y = ops.Conv2D(expansion * da.channels(x), kernel_size=1, use_bias=False)(y)
        y = ops.SiLU()(_normalize(y))
    y = ops.DepthwiseConv2D(kernel_size, strides=strides, use_bias=False)(y)
    y = _squeeze_and_excite(ops.SiLU()(_normalize(y)), da.channels(x) // 4)
    y = _normalize(ops.Conv2D(filters, kernel_size=1, use_bias=False)(y))
    return _add_where_equal(x, y)


@da.space
def efficientnet_b0(x: Value) -> Value:
    """Build EfficientNet-B0 up to the logits."""
    x = ops.SiLU()(_normalize(ops.Conv2D(32, kernel_size=3, strides=2, use_bias=False)(x)))
    for expansion, filters, n_blocks, first_strides, kernel_size in _MB_CONVS:
        for i in range(n_blocks):
            x = _mb_conv(x, expansion, filters, first_strides if i == 0 else 1, kernel_size)
    x = ops.SiLU()(_normalize(ops.Conv2D(1280, kernel_size=1, use_bias=False)(x)))
    return ops.Dense(1000)(ops.Dropout(0.2)(ops.GlobalAveragePooling2D()(x)))

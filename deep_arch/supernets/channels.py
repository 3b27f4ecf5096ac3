"""Channels: which of the widest channels a value has, once parts of elastic width have been joined."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from deep_arch import ops
from deep_arch.language.specs import Spec
from deep_arch.supernets.slices import Segments, segments_of

_EACH_CHANNEL: Final[tuple[type, ...]] = (
    *(ops.BatchNormalization, ops.LayerNormalization, ops.GroupNormalization, ops.RMSNormalization, ops.Scale),
    *(ops.PReLU, ops.PositionEmbedding, ops.Dropout, ops.DropPath, ops.SpatialDropout1D, ops.SpatialDropout2D),
    *(ops.GaussianNoise, ops.ReLU, ops.ReLU6, ops.LeakyReLU, ops.ELU, ops.SELU, ops.GELU, ops.SiLU, ops.Sigmoid),
    *(ops.Tanh, ops.Softplus, ops.Softsign, ops.HardSigmoid, ops.HardSwish, ops.Mish, ops.Exponential, ops.Softmax),
    *(ops.LogSoftmax, ops.Identity, ops.Zero, ops.MaxPooling1D, ops.MaxPooling2D, ops.MaxPooling3D),
    *(ops.AveragePooling1D, ops.AveragePooling2D, ops.AveragePooling3D, ops.GlobalMaxPooling1D),
    *(ops.GlobalMaxPooling2D, ops.GlobalMaxPooling3D, ops.GlobalAveragePooling1D, ops.GlobalAveragePooling2D),
    *(ops.GlobalAveragePooling3D, ops.UpSampling1D, ops.UpSampling2D, ops.UpSampling3D, ops.ZeroPadding1D),
    *(ops.ZeroPadding2D, ops.ZeroPadding3D, ops.Cropping1D, ops.Cropping2D, ops.Cropping3D, ops.MultiHeadAttention),
    *(ops.GroupQueryAttention, ops.Add, ops.Subtract, ops.Multiply, ops.Average, ops.Maximum, ops.Minimum),
    *(ops.Where, ops.WindowAverage),
)
"""Operations whose output has the channels of its first input, or of the first of those that are as wide as it."""

_DEPTHWISE: Final[tuple[type, ...]] = (ops.DepthwiseConv1D, ops.DepthwiseConv2D)


MERGES: Final = (ops.Add, ops.Subtract, ops.Multiply, ops.Average, ops.Maximum, ops.Minimum)
"""Operations on several inputs, number by number."""

_OVER_CHANNELS: Final = (
    *(ops.LayerNormalization, ops.GroupNormalization, ops.RMSNormalization, ops.Softmax, ops.LogSoftmax),
    *(ops.MultiHeadAttention, ops.GroupQueryAttention, ops.PositionEmbedding),
)

IN_EACH_CHANNEL: Final[tuple[type, ...]] = tuple(
    [kind for kind in (*_EACH_CHANNEL, *_DEPTHWISE, ops.Flatten) if kind not in (*MERGES, *_OVER_CHANNELS, ops.Where)]
)
"""Operations on one input that treat each of its channels by itself."""

MIXES: Final = (
    *(ops.Conv1D, ops.Conv2D, ops.Conv3D, ops.Dense, ops.SeparableConv1D, ops.SeparableConv2D),
    *(ops.Conv1DTranspose, ops.Conv2DTranspose, ops.Conv3DTranspose),
)
"""Operations that add up channels, to which one that is zero adds nothing."""


def passed_on(
    operation: Any, specs: Sequence[Spec], channels: Sequence[Segments | None], widest: Sequence[int]
) -> Segments | None:
    """Return which of the widest channels an operation's output has.

    Args:
        operation: what is called.
        specs: of its inputs.
        channels: for each input, which of the widest channels it has.
        widest: how many channels each input has where it is widest.

    Example:
        The second part of a concatenation begins where the first one ends at its widest:

        >>> from deep_arch.language.specs import vector
        >>> passed_on(ops.Concatenate(), [vector(4), vector(2)], [None, None], [8, 8])
        ((0, 4), (8, 10))
    """
    if isinstance(operation, ops.Concatenate) and operation.axis == 0:
        return _joined(specs, channels, widest)
    first = channels[_leading(operation, specs)] if channels else None
    if first is None:
        return None
    if isinstance(operation, ops.Flatten):
        n = math.prod(specs[0].spatial)
        return tuple([(start * n, stop * n) for start, stop in first])
    if isinstance(operation, _DEPTHWISE):
        kind: Any = operation
        m: int = kind.depth_multiplier
        return tuple([(start * m, stop * m) for start, stop in first])
    return first if isinstance(operation, _EACH_CHANNEL) else None


def _leading(operation: Any, specs: Sequence[Spec]) -> int:
    """Return which input the output has its channels from: not from one of a single channel, which all others share."""
    if not isinstance(operation, (*MERGES, ops.Where)):
        return 0
    begin = 1 if isinstance(operation, ops.Where) else 0
    return max(range(begin, len(specs)), key=lambda i: specs[i].channels)


def _joined(specs: Sequence[Spec], channels: Sequence[Segments | None], widest: Sequence[int]) -> Segments | None:
    taken: list[int] = []
    offset = 0
    for spec, segments, most in zip(specs, channels, widest, strict=False):
        for start, stop in segments or ((0, spec.channels),):
            taken += range(start + offset, stop + offset)
        offset += most
    return segments_of(taken)

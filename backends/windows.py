"""The windows of convolutions and pooling, with a size for each spatial axis."""

from __future__ import annotations

from typing import Any, TypeAlias

from deep_arch.language.specs import Spec
from deep_arch.ops.windows import padding_cells, tuple_of

Sizes: TypeAlias = tuple[int, ...]


def kernel_windows(op: Any) -> tuple[Sizes, Sizes, Sizes]:
    """Return the kernel's sizes, the strides and the dilation of a convolution."""
    return tuple_of(op.kernel_size, op.ndim), tuple_of(op.strides, op.ndim), tuple_of(op.dilation_rate, op.ndim)


def kernel_padding(op: Any, spec: Spec) -> tuple[Sizes, Sizes]:
    """Return the cells of zero that a convolution adds before and after each spatial axis of its input."""
    axes = zip(spec.spatial, *kernel_windows(op), strict=True)
    before, after = zip(*[padding_cells(op.padding, *axis) for axis in axes], strict=True)
    return before, after


def pool_windows(op: Any) -> tuple[Sizes, Sizes]:
    """Return the window's sizes and the strides of pooling, whose windows do not overlap unless told."""
    pool = tuple_of(op.pool_size, op.ndim)
    return pool, pool if op.strides is None else tuple_of(op.strides, op.ndim)

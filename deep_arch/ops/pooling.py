"""Pooling over windows, and over everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.ops import checks
from deep_arch.ops.windows import Padding, Sizes


@dataclass(eq=False)
class _Pooling(Operation):
    """A summary of each window along `ndim` axes."""

    ndim: ClassVar[int]

    pool_size: Sizes = 2
    strides: Sizes | None = None
    padding: Padding = "same"

    def shape(self, x: Spec) -> Spec:
        checks.spatial(self, x, self.ndim)
        checks.padding(self)
        pool = checks.sizes(self, "pool_size", self.ndim)
        strides = pool if self.strides is None else checks.sizes(self, "strides", self.ndim)
        return x.with_shape(x.shape[0], *checks.slide(self, x, pool, strides, (1,) * self.ndim))


class MaxPooling1D(_Pooling):
    """Take the maximum of each window along one axis.

    Shape: (channels, length) -> (channels, new length)

    The arguments are those of `MaxPooling2D`.
    """

    ndim = 1


class MaxPooling2D(_Pooling):
    """Take the maximum of each window along two axes.

    Shape: (channels, height, width) -> (channels, new height, new width), where a new size is size / strides,
    rounded up, for "same", and the number of windows that lie wholly inside for "valid".

    Args:
        pool_size: cells of the window, one int or one an axis.
        strides: cells from one window to the next, one int or one an axis; None for pool_size.
        padding: "same" lets windows reach over the edge, where they see only the cells inside; "valid" does not.

    Raises:
        BadArgument: an argument is not of these kinds.
        ShapeMismatch: the input is of another rank or not of floats, or smaller than a window that is not padded.
    """

    ndim = 2


class MaxPooling3D(_Pooling):
    """Take the maximum of each window along three axes.

    Shape: (channels, depth, height, width) -> (channels, new depth, new height, new width)

    The arguments are those of `MaxPooling2D`.
    """

    ndim = 3


class AveragePooling1D(_Pooling):
    """Take the mean of each window along one axis.

    Shape: (channels, length) -> (channels, new length)

    The arguments are those of `MaxPooling2D`; a mean counts only cells inside the input.
    """

    ndim = 1


class AveragePooling2D(_Pooling):
    """Take the mean of each window along two axes.

    Shape: (channels, height, width) -> (channels, new height, new width)

    The arguments are those of `MaxPooling2D`; a mean counts only cells inside the input.
    """

    ndim = 2


class AveragePooling3D(_Pooling):
    """Take the mean of each window along three axes.

    Shape: (channels, depth, height, width) -> (channels, new depth, new height, new width)

    The arguments are those of `MaxPooling2D`; a mean counts only cells inside the input.
    """

    ndim = 3


@dataclass(eq=False)
class _GlobalPooling(Operation):
    """A summary of each channel over `ndim` axes."""

    ndim: ClassVar[int]

    keepdims: bool = False

    def shape(self, x: Spec) -> Spec:
        checks.spatial(self, x, self.ndim)
        checks.flag(self, "keepdims")
        return x.with_shape(x.shape[0], *(1,) * self.ndim) if self.keepdims else x.with_shape(x.shape[0])


class GlobalMaxPooling1D(_GlobalPooling):
    """Take the maximum of each channel.

    Shape: (channels, length) -> (channels,), or (channels, 1) with keepdims

    The arguments are those of `GlobalAveragePooling2D`.
    """

    ndim = 1


class GlobalMaxPooling2D(_GlobalPooling):
    """Take the maximum of each channel.

    Shape: (channels, height, width) -> (channels,), or (channels, 1, 1) with keepdims

    The arguments are those of `GlobalAveragePooling2D`.
    """

    ndim = 2


class GlobalMaxPooling3D(_GlobalPooling):
    """Take the maximum of each channel.

    Shape: (channels, depth, height, width) -> (channels,), or (channels, 1, 1, 1) with keepdims

    The arguments are those of `GlobalAveragePooling2D`.
    """

    ndim = 3


class GlobalAveragePooling1D(_GlobalPooling):
    """Take the mean of each channel.

    It may be called on a mask too, which says of each frame whether it is there, for sequences of several lengths: only
    frames where the mask is above 0, or True, count, and the mean of none is 0.

    Shape: (channels, length)[, mask] -> (channels,), or (channels, 1) with keepdims; a mask is (length,) or (1, length)

    The arguments are those of `GlobalAveragePooling2D`.
    """

    ndim = 1

    def shape(self, x: Spec, mask: Spec | None = None) -> Spec:
        if mask is not None:
            checks.spatial(self, x, 1)
            checks.frames(self, x, mask)
        return super().shape(x)


class GlobalAveragePooling2D(_GlobalPooling):
    """Take the mean of each channel.

    Shape: (channels, height, width) -> (channels,), or (channels, 1, 1) with keepdims

    Args:
        keepdims: whether the pooled axes stay, with size 1, so that the result can multiply the input.

    Raises:
        BadArgument: keepdims is not a bool.
        ShapeMismatch: the input is of another rank or not of floats.
    """

    ndim = 2


class GlobalAveragePooling3D(_GlobalPooling):
    """Take the mean of each channel.

    Shape: (channels, depth, height, width) -> (channels,), or (channels, 1, 1, 1) with keepdims

    The arguments are those of `GlobalAveragePooling2D`.
    """

    ndim = 3

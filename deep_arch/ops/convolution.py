"""Convolutions: ordinary, depthwise and separable, along one, two or three axes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.language.weights import Axis, Weight, bias, matrix
from deep_arch.ops import checks
from deep_arch.ops.windows import CausalPadding, Sizes
from deep_arch.ops.windows import output_size as output_size
from deep_arch.ops.windows import same_padding as same_padding
from deep_arch.ops.windows import tuple_of as tuple_of


@dataclass(eq=False)
class _Convolution(Operation):
    """An ordinary convolution along `ndim` axes."""

    stateless: ClassVar[bool] = False
    ndim: ClassVar[int]

    filters: int
    kernel_size: Sizes
    strides: Sizes = 1
    padding: CausalPadding = "same"
    dilation_rate: Sizes = 1
    groups: int = 1
    use_bias: bool = True

    def shape(self, x: Spec) -> Spec:
        checks.spatial(self, x, self.ndim)
        checks.flag(self, "use_bias")
        filters, groups = checks.positive(self, "filters"), checks.positive(self, "groups")
        if filters % groups:
            raise checks.bad(
                self,
                "groups",
                f"a divisor of filters, {filters}",
                "Choose filters and groups so that each group has as many.",
            )
        if x.shape[0] % groups:
            raise checks.misfit(
                self,
                f"channels that its {groups} groups divide",
                str(x),
                "Change groups, or the channels of what comes before.",
            )
        return x.with_shape(filters, *_slide(self, x))

    def weights(self, x: Spec) -> dict[str, Weight]:
        kernel = tuple_of(self.kernel_size, self.ndim)
        # with groups, one row serves a channel of each group: rows are places within a group, not channels of the input
        axes: tuple[Axis, ...] = ("in", "out") if self.groups == 1 else ("out", "out")
        shape = (*kernel, x.shape[0] // self.groups, self.filters)
        return {"kernel": matrix(*shape, axes=axes), **bias(self, self.filters)}

    def macs(self, x: Spec) -> int:
        taps = math.prod(tuple_of(self.kernel_size, self.ndim))
        return self.shape(x).size * (x.shape[0] // self.groups) * taps


class Conv1D(_Convolution):
    """Convolve along one axis.

    Shape: (channels, length) -> (filters, new length)

    The arguments are those of `Conv2D`, and padding may be "causal" too: all zeros stand before, so that no output
    sees a later cell than its own. The new length is then that of "same".

    References:
        van den Oord et al. (2016), WaveNet: A Generative Model for Raw Audio, section 2.1.
    """

    ndim = 1


class Conv2D(_Convolution):
    """Convolve along two axes.

    Shape: (channels, height, width) -> (filters, new height, new width), where a new size is size / strides,
    rounded up, for "same", and the number of windows that lie wholly inside for "valid".

    Args:
        filters: output channels.
        kernel_size: cells of the window, one int or one an axis.
        strides: cells from one window to the next, one int or one an axis.
        padding: "same" pads with zeros, evenly, the odd cell after; "valid" does not pad.
        dilation_rate: cells from one tap of the window to the next, one int or one an axis.
        groups: parts that the channels are split into, each convolved alone.
        use_bias: whether each filter adds a trained constant.

    Raises:
        BadArgument: an argument is not of these kinds, or groups does not divide filters.
        ShapeMismatch: the input is of another rank or not of floats, groups does not divide its channels,
            or a window that is not padded is larger than it.

    Example:
        >>> from deep_arch.language.specs import image
        >>> str(Conv2D(64, 3, strides=2).shape(image(3, 32, 32)))
        '(64, 16, 16)'
    """

    ndim = 2


class Conv3D(_Convolution):
    """Convolve along three axes.

    Shape: (channels, depth, height, width) -> (filters, new depth, new height, new width)

    The arguments are those of `Conv2D`.
    """

    ndim = 3


@dataclass(eq=False)
class _DepthwiseConvolution(Operation):
    """A convolution of each channel alone along `ndim` axes."""

    stateless: ClassVar[bool] = False
    ndim: ClassVar[int]

    kernel_size: Sizes
    strides: Sizes = 1
    padding: CausalPadding = "same"
    depth_multiplier: int = 1
    dilation_rate: Sizes = 1
    use_bias: bool = True

    def shape(self, x: Spec) -> Spec:
        checks.spatial(self, x, self.ndim)
        checks.flag(self, "use_bias")
        return x.with_shape(x.shape[0] * checks.positive(self, "depth_multiplier"), *_slide(self, x))

    def weights(self, x: Spec) -> dict[str, Weight]:
        kernel = tuple_of(self.kernel_size, self.ndim)
        return {
            "kernel": matrix(*kernel, x.shape[0], self.depth_multiplier),
            **bias(self, x.shape[0] * self.depth_multiplier, axes=(_outputs(x.shape[0], self.depth_multiplier),)),
        }

    def macs(self, x: Spec) -> int:
        return self.shape(x).size * math.prod(tuple_of(self.kernel_size, self.ndim))


class DepthwiseConv1D(_DepthwiseConvolution):
    """Convolve each channel alone along one axis.

    Shape: (channels, length) -> (channels * depth_multiplier, new length)

    The arguments are those of `DepthwiseConv2D`, and padding may be "causal" too, as in `Conv1D`.
    """

    ndim = 1


class DepthwiseConv2D(_DepthwiseConvolution):
    """Convolve each channel alone along two axes.

    Shape: (channels, height, width) -> (channels * depth_multiplier, new height, new width), where the outputs
    of one channel are neighbours.

    Args:
        kernel_size: cells of the window, one int or one an axis.
        strides: cells from one window to the next, one int or one an axis.
        padding: "same" or "valid", as in `Conv2D`.
        depth_multiplier: output channels for each input channel.
        dilation_rate: cells from one tap of the window to the next, one int or one an axis.
        use_bias: whether each output channel adds a trained constant.

    Raises:
        BadArgument: an argument is not of these kinds.
        ShapeMismatch: the input is of another rank or not of floats, or smaller than a window that is not padded.
    """

    ndim = 2


@dataclass(eq=False)
class _SeparableConvolution(Operation):
    """A depthwise convolution along `ndim` axes, then a mix of the channels."""

    stateless: ClassVar[bool] = False
    ndim: ClassVar[int]

    filters: int
    kernel_size: Sizes
    strides: Sizes = 1
    padding: CausalPadding = "same"
    dilation_rate: Sizes = 1
    depth_multiplier: int = 1
    use_bias: bool = True

    def shape(self, x: Spec) -> Spec:
        checks.spatial(self, x, self.ndim)
        checks.flag(self, "use_bias")
        checks.positive(self, "depth_multiplier")
        return x.with_shape(checks.positive(self, "filters"), *_slide(self, x))

    def weights(self, x: Spec) -> dict[str, Weight]:
        kernel, multiplier = tuple_of(self.kernel_size, self.ndim), self.depth_multiplier
        cells: tuple[Axis, ...] = ("fixed",)
        axes = (*cells * self.ndim, _outputs(x.shape[0], multiplier), "out")
        return {
            "depthwise_kernel": matrix(*kernel, x.shape[0], multiplier),
            "pointwise_kernel": matrix(*(1,) * self.ndim, x.shape[0] * multiplier, self.filters, axes=axes),
            **bias(self, self.filters),
        }

    def macs(self, x: Spec) -> int:
        inner = x.shape[0] * self.depth_multiplier
        taps = math.prod(tuple_of(self.kernel_size, self.ndim))
        return math.prod(self.shape(x).spatial) * inner * (taps + self.filters)


class SeparableConv1D(_SeparableConvolution):
    """Convolve each channel alone along one axis, then mix the channels cell by cell.

    Shape: (channels, length) -> (filters, new length)

    The arguments are those of `SeparableConv2D`, and padding may be "causal" too, as in `Conv1D`.
    """

    ndim = 1


class SeparableConv2D(_SeparableConvolution):
    """Convolve each channel alone along two axes, then mix the channels cell by cell.

    Shape: (channels, height, width) -> (filters, new height, new width)

    Args:
        filters: output channels.
        kernel_size: cells of the first step's window, one int or one an axis.
        strides: cells from one window to the next, one int or one an axis.
        padding: "same" or "valid", as in `Conv2D`.
        dilation_rate: cells from one tap of the window to the next, one int or one an axis.
        depth_multiplier: channels between the steps for each input channel.
        use_bias: whether each filter adds a trained constant; the first step has none.

    Raises:
        BadArgument: an argument is not of these kinds.
        ShapeMismatch: the input is of another rank or not of floats, or smaller than a window that is not padded.
    """

    ndim = 2


def _outputs(channels: int, multiplier: int) -> Axis:
    """Return the role of an axis of all outputs of a depthwise step, those of one channel being neighbours."""
    return ("in", channels), ("out", multiplier)


def _slide(op: _Convolution | _DepthwiseConvolution | _SeparableConvolution, x: Spec) -> tuple[int, ...]:
    n = op.ndim
    checks.padding(op, causal=n == 1)
    return checks.slide(
        op,
        x,
        checks.sizes(op, "kernel_size", n),
        checks.sizes(op, "strides", n),
        checks.sizes(op, "dilation_rate", n),
    )

"""Transposed convolutions, along one, two or three axes."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import ClassVar

from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.language.weights import Weight, bias, matrix
from deep_arch.ops import checks
from deep_arch.ops.windows import Padding, Sizes, transposed_output_size, tuple_of


@dataclass(eq=False)
class _TransposedConvolution(Operation):
    """A transposed convolution along `ndim` axes."""

    stateless: ClassVar[bool] = False
    ndim: ClassVar[int]

    filters: int
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "same"
    output_padding: Sizes | None = None
    dilation_rate: Sizes = 1
    use_bias: bool = True

    def shape(self, x: Spec) -> Spec:
        checks.spatial(self, x, self.ndim)
        checks.flag(self, "use_bias")
        checks.padding(self)
        kernel, strides, dilation = (
            checks.sizes(self, a, self.ndim) for a in ("kernel_size", "strides", "dilation_rate")
        )
        extra = self._output_padding(strides)
        axes = zip(x.shape[1:], kernel, strides, dilation, extra, strict=True)
        spatial = [transposed_output_size(n, taps, step, self.padding, gap, more) for n, taps, step, gap, more in axes]
        if min(spatial) < 1:
            raise checks.misfit(
                self,
                "an input of which some output is left",
                f"{x}, which would give {tuple(spatial)}",
                "Raise output_padding, or leave it None.",
            )
        return x.with_shape(checks.positive(self, "filters"), *spatial)

    def weights(self, x: Spec) -> dict[str, Weight]:
        kernel = tuple_of(self.kernel_size, self.ndim)
        backwards = matrix(*kernel, self.filters, x.shape[0], axes=("out", "in"))
        return {"kernel": backwards, **bias(self, self.filters)}

    def macs(self, x: Spec) -> int:
        return x.size * self.filters * math.prod(tuple_of(self.kernel_size, self.ndim))

    def _output_padding(self, strides: tuple[int, ...]) -> tuple[int | None, ...]:
        value = self.output_padding
        if value is None:
            return (None,) * self.ndim
        extra = checks.ints((value,) * self.ndim if isinstance(value, int) else value, 0)
        if extra is not None and len(extra) == self.ndim and all(map(operator.lt, extra, strides)):
            return extra
        raise checks.bad(
            self,
            "output_padding",
            f"None, or an int below its stride for each of {self.ndim} axes",
            f"Give ints from 0 to strides - 1, where strides is {strides}, or leave it None.",
        )


class Conv1DTranspose(_TransposedConvolution):
    """Convolve backwards along one axis: each cell adds a window to the output.

    Shape: (channels, length) -> (filters, new length)

    The arguments are those of `Conv2DTranspose`.
    """

    ndim = 1


class Conv2DTranspose(_TransposedConvolution):
    """Convolve backwards along two axes: each cell adds a window to the output.

    Shape: (channels, height, width) -> (filters, new height, new width), where a new size is size * strides for
    "same" and (size - 1) * strides + max(window, strides) for "valid", the window counted with its dilation. With
    output_padding it is (size - 1) * strides + output_padding, plus window % 2 for "same" or window for "valid".

    Args:
        filters: output channels.
        kernel_size: cells of the window, one int or one an axis.
        strides: cells from one window to the next in the output, one int or one an axis.
        padding: "same" cuts the edges of the output, "valid" keeps them.
        output_padding: cells to add after each axis, below its stride; None for the sizes above.
        dilation_rate: cells from one tap of the window to the next, one int or one an axis.
        use_bias: whether each filter adds a trained constant.

    Raises:
        BadArgument: an argument is not of these kinds.
        ShapeMismatch: the input is of another rank or not of floats, or nothing of the output would be left.
    """

    ndim = 2


class Conv3DTranspose(_TransposedConvolution):
    """Convolve backwards along three axes: each cell adds a window to the output.

    Shape: (channels, depth, height, width) -> (filters, new depth, new height, new width)

    The arguments are those of `Conv2DTranspose`.
    """

    ndim = 3

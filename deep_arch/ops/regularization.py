"""Randomness in training: dropout of cells, channels and branches, and noise. Each is the identity in inference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.ops import checks


@dataclass(eq=False)
class Dropout(Operation):
    """Set a random part of the numbers to 0 in training, and divide the rest by 1 - rate.

    Shape: any -> the same

    Args:
        rate: the part that is set to 0, from 0 to below 1.

    Raises:
        BadArgument: rate is not such a number.
        ShapeMismatch: the input is not of floats, or has no axis.
    """

    stateless: ClassVar[bool] = False

    rate: float

    def shape(self, x: Spec) -> Spec:
        checks.floating(self, x)
        checks.number(self, "rate", 0, 1)
        return x


@dataclass(eq=False)
class _SpatialDropout(Operation):
    """Dropout of whole channels that have `ndim` axes."""

    stateless: ClassVar[bool] = False
    ndim: ClassVar[int]

    rate: float

    def shape(self, x: Spec) -> Spec:
        checks.spatial(self, x, self.ndim)
        checks.number(self, "rate", 0, 1)
        return x


class SpatialDropout1D(_SpatialDropout):
    """Set random whole channels of a sequence to 0 in training, and divide the rest by 1 - rate.

    Shape: (channels, length) -> (channels, length)

    The arguments are those of `SpatialDropout2D`.
    """

    ndim = 1


class SpatialDropout2D(_SpatialDropout):
    """Set random whole channels of an image to 0 in training, and divide the rest by 1 - rate.

    Shape: (channels, height, width) -> (channels, height, width)

    Args:
        rate: the part of the channels that is set to 0, from 0 to below 1.

    Raises:
        BadArgument: rate is not such a number.
        ShapeMismatch: the input is of another rank or not of floats.
    """

    ndim = 2


@dataclass(eq=False)
class DropPath(Operation):
    """Set random whole examples to 0 in training, and divide the rest by 1 - rate: stochastic depth.

    Shape: any -> the same

    Args:
        rate: the part of the examples that is set to 0, from 0 to below 1.

    Raises:
        BadArgument: rate is not such a number.
        ShapeMismatch: the input is not of floats, or has no axis.

    References:
        Huang et al. (2016), Deep Networks with Stochastic Depth, equation 2.
    """

    stateless: ClassVar[bool] = False

    rate: float

    def shape(self, x: Spec) -> Spec:
        checks.floating(self, x)
        checks.number(self, "rate", 0, 1)
        return x


@dataclass(eq=False)
class GaussianNoise(Operation):
    """Add normal noise of mean 0 in training.

    Shape: any -> the same

    Args:
        stddev: the standard deviation of the noise, at least 0.

    Raises:
        BadArgument: stddev is not such a number.
        ShapeMismatch: the input is not of floats, or has no axis.
    """

    stateless: ClassVar[bool] = False

    stddev: float

    def shape(self, x: Spec) -> Spec:
        checks.floating(self, x)
        checks.number(self, "stddev", 0)
        return x

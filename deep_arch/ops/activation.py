"""Activations: functions of single numbers, and softmax over the channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.language.weights import Weight, constants
from deep_arch.ops import checks


class _Activation(Operation):
    """A function of real numbers that keeps the shape."""

    def shape(self, x: Spec) -> Spec:
        checks.floating(self, x)
        return x


class ReLU(_Activation):
    """Give max(x, 0).

    Shape: any -> the same

    Raises:
        ShapeMismatch: the input is not of floats, or has no axis.
    """


class ReLU6(_Activation):
    """Give x, cut off below 0 and above 6.

    Shape: any -> the same

    Raises:
        ShapeMismatch: the input is not of floats, or has no axis.
    """


class SELU(_Activation):
    """Give 1.0507 x where x > 0 and 1.7581 (exp(x) - 1) elsewhere, the constants of the paper in full.

    Shape: any -> the same

    Raises:
        ShapeMismatch: the input is not of floats, or has no axis.

    References:
        Klambauer et al. (2017), Self-Normalizing Neural Networks, equation 2.
    """


class SiLU(_Activation):
    """Give x sigmoid(x), also called swish.

    Shape: any -> the same

    Raises:
        ShapeMismatch: the input is not of floats, or has no axis.
    """


class Sigmoid(_Activation):
    """Give 1 / (1 + exp(-x)).

    Shape: any -> the same

    Raises:
        ShapeMismatch: the input is not of floats, or has no axis.
    """


class Tanh(_Activation):
    """Give the hyperbolic tangent.

    Shape: any -> the same

    Raises:
        ShapeMismatch: the input is not of floats, or has no axis.
    """


class Softplus(_Activation):
    """Give log(1 + exp(x)).

    Shape: any -> the same

    Raises:
        ShapeMismatch: the input is not of floats, or has no axis.
    """


class Softsign(_Activation):
    """Give x / (1 + |x|).

    Shape: any -> the same

    Raises:
        ShapeMismatch: the input is not of floats, or has no axis.
    """


class HardSigmoid(_Activation):
    """Give x / 6 + 1 / 2, cut off below 0 and above 1.

    Shape: any -> the same

    Raises:
        ShapeMismatch: the input is not of floats, or has no axis.
    """


class HardSwish(_Activation):
    """Give x times the hard sigmoid of x.

    Shape: any -> the same

    Raises:
        ShapeMismatch: the input is not of floats, or has no axis.
    """


class Mish(_Activation):
    """Give x tanh(log(1 + exp(x))).

    Shape: any -> the same

    Raises:
        ShapeMismatch: the input is not of floats, or has no axis.
    """


class Exponential(_Activation):
    """Give exp(x).

    Shape: any -> the same

    Raises:
        ShapeMismatch: the input is not of floats, or has no axis.
    """


@dataclass(eq=False)
class LeakyReLU(Operation):
    """Give x where x > 0 and negative_slope x elsewhere.

    Shape: any -> the same

    Args:
        negative_slope: the slope below 0, at least 0.

    Raises:
        BadArgument: negative_slope is not such a number.
        ShapeMismatch: the input is not of floats, or has no axis.
    """

    negative_slope: float = 0.3

    def shape(self, x: Spec) -> Spec:
        checks.number(self, "negative_slope", 0)
        checks.floating(self, x)
        return x


class PReLU(_Activation):
    """Give x where x > 0 and a trained slope times x elsewhere, one slope a channel.

    Shape: (channels, *spatial) -> (channels, *spatial)

    Raises:
        ShapeMismatch: the input is not of floats, or has no axis.

    References:
        He et al. (2015), Delving Deep into Rectifiers, equation 1.
    """

    stateless: ClassVar[bool] = False

    def weights(self, x: Spec) -> dict[str, Weight]:
        return {"alpha": constants(x.shape[0], axes=("in",))}


@dataclass(eq=False)
class ELU(Operation):
    """Give x where x > 0 and alpha (exp(x) - 1) elsewhere.

    Shape: any -> the same

    Args:
        alpha: minus the limit far below 0.

    Raises:
        BadArgument: alpha is not a number.
        ShapeMismatch: the input is not of floats, or has no axis.
    """

    alpha: float = 1.0

    def shape(self, x: Spec) -> Spec:
        checks.number(self, "alpha")
        checks.floating(self, x)
        return x


@dataclass(eq=False)
class GELU(Operation):
    """Give x times the normal distribution function at x.

    Shape: any -> the same

    Args:
        approximate: whether that function is approximated by a hyperbolic tangent.

    Raises:
        BadArgument: approximate is not a bool.
        ShapeMismatch: the input is not of floats, or has no axis.

    References:
        Hendrycks and Gimpel (2016), Gaussian Error Linear Units, section 2.
    """

    approximate: bool = False

    def shape(self, x: Spec) -> Spec:
        checks.flag(self, "approximate")
        checks.floating(self, x)
        return x


class Softmax(_Activation):
    """Make the channels of each cell positive with sum 1: exp(x) over its sum.

    Shape: (channels, *spatial) -> (channels, *spatial)

    Raises:
        ShapeMismatch: the input is not of floats, or has no axis.
    """


class LogSoftmax(_Activation):
    """Give the logarithm of the softmax over the channels of each cell.

    Shape: (channels, *spatial) -> (channels, *spatial)

    Raises:
        ShapeMismatch: the input is not of floats, or has no axis.
    """

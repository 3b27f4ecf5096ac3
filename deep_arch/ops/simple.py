"""The identity, zeros, first states, and a trained factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.language.weights import Weight, constants
from deep_arch.ops import checks
from deep_arch.ops.windows import Sizes, output_size


class Identity(Operation):
    """Give the input.

    Shape: any -> the same
    """

    def shape(self, x: Spec) -> Spec:
        return x


@dataclass(eq=False)
class Zero(Operation):
    """Give zeros, whatever the input: a connection that is absent.

    Shape: (channels, *spatial) -> (channels, *(spatial / strides)), rounded up

    Args:
        strides: what divides the spatial axes, one int or one an axis.

    Raises:
        BadArgument: strides is not of these kinds.
    """

    strides: Sizes = 1

    def shape(self, x: Spec) -> Spec:
        spatial = x.shape[1:]
        strides = checks.sizes(self, "strides", len(spatial))
        new = (output_size(n, 1, stride) for n, stride in zip(spatial, strides, strict=True))
        return x.with_shape(*x.shape[:1], *new)


@dataclass(eq=False)
class Zeros(Operation):
    """Give a vector of zeros for each example: the first state of a scan.

    It is called on any value, which says how many examples there are: `da.scan(cell)(ops.Zeros(8)(x), x)`.

    Shape: any -> (units,), of the input's type if that is of floats, else float32

    Args:
        units: the channels.

    Raises:
        BadArgument: units is not a positive int.

    Example:
        >>> from deep_arch.language.specs import sequence, tokens
        >>> str(Zeros(8).shape(sequence(length=20, features=4))), str(Zeros(8).shape(tokens(20)))
        ('(8)', '(8)')
    """

    units: int

    def shape(self, x: Spec) -> Spec:
        return Spec((checks.positive(self, "units"),), x.dtype if checks.is_floating(x) else "float32")


@dataclass(eq=False)
class Scale(Operation):
    """Multiply each channel by a trained factor.

    Shape: (channels, *spatial) -> (channels, *spatial)

    Args:
        initial: the factors before training.

    Raises:
        BadArgument: initial is not a number.
        ShapeMismatch: the input is not of floats, or has no axis.

    References:
        Touvron et al. (2021), Going deeper with Image Transformers, section 2.
    """

    stateless: ClassVar[bool] = False

    initial: float = 1.0

    def shape(self, x: Spec) -> Spec:
        checks.floating(self, x)
        checks.number(self, "initial")
        return x

    def weights(self, x: Spec) -> dict[str, Weight]:
        return {"scale": constants(x.shape[0], initial=self.initial, axes=("in",))}

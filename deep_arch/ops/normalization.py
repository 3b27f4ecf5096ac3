"""Normalisation over the batch, the channels, or groups of channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.language.weights import Weight, constants, statistics
from deep_arch.ops import checks


def _check_affine(op: BatchNormalization | LayerNormalization | GroupNormalization) -> None:
    checks.number(op, "epsilon", 0)
    checks.flag(op, "center")
    checks.flag(op, "scale")


def _affine(op: BatchNormalization | LayerNormalization | GroupNormalization, x: Spec) -> dict[str, Weight]:
    gamma = {"gamma": constants(x.shape[0], initial=1.0, axes=("in",))} if op.scale else {}
    return {**gamma, **({"beta": constants(x.shape[0], axes=("in",))} if op.center else {})}


@dataclass(eq=False)
class BatchNormalization(Operation):
    """Give each channel mean 0 and variance 1 over the batch and all cells; then scale and shift it.

    Shape: (channels, *spatial) -> (channels, *spatial)

    Args:
        momentum: the part of the running mean and variance that a step keeps, from 0 to below 1.
        epsilon: added to the variance.
        center: whether each channel adds a trained constant.
        scale: whether each channel is multiplied by a trained factor.

    Raises:
        BadArgument: an argument is not of these kinds.
        ShapeMismatch: the input is not of floats, or has no axis.
    """

    stateless: ClassVar[bool] = False

    momentum: float = 0.99
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True

    def shape(self, x: Spec) -> Spec:
        checks.floating(self, x)
        checks.number(self, "momentum", 0, 1)
        _check_affine(self)
        return x

    def weights(self, x: Spec) -> dict[str, Weight]:
        return {
            **_affine(self, x),
            "moving_mean": statistics(x.shape[0], initial=0.0, axes=("in",)),
            "moving_variance": statistics(x.shape[0], initial=1.0, axes=("in",)),
        }


@dataclass(eq=False)
class LayerNormalization(Operation):
    """Give each cell mean 0 and variance 1 over its channels; then scale and shift each channel.

    Shape: (channels, *spatial) -> (channels, *spatial)

    Args:
        epsilon: added to the variance.
        center: whether each channel adds a trained constant.
        scale: whether each channel is multiplied by a trained factor.

    Raises:
        BadArgument: an argument is not of these kinds.
        ShapeMismatch: the input is not of floats, or has no axis.
    """

    stateless: ClassVar[bool] = False

    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True

    def shape(self, x: Spec) -> Spec:
        checks.floating(self, x)
        _check_affine(self)
        return x

    def weights(self, x: Spec) -> dict[str, Weight]:
        return _affine(self, x)


@dataclass(eq=False)
class GroupNormalization(Operation):
    """Give each group of channels mean 0 and variance 1 over its channels and all cells; then scale and shift.

    Shape: (channels, *spatial) -> (channels, *spatial)

    Args:
        groups: parts of equal size that the channels are split into.
        epsilon: added to the variance.
        center: whether each channel adds a trained constant.
        scale: whether each channel is multiplied by a trained factor.

    Raises:
        BadArgument: an argument is not of these kinds.
        ShapeMismatch: the input is not of floats, or groups does not divide its channels.
    """

    stateless: ClassVar[bool] = False

    groups: int = 32
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True

    def shape(self, x: Spec) -> Spec:
        checks.floating(self, x)
        _check_affine(self)
        groups = checks.positive(self, "groups")
        if x.shape[0] % groups:
            raise checks.misfit(
                self,
                f"channels that its {groups} groups divide",
                str(x),
                "Change groups, or the channels of what comes before.",
            )
        return x

    def weights(self, x: Spec) -> dict[str, Weight]:
        return _affine(self, x)


@dataclass(eq=False)
class RMSNormalization(Operation):
    """Divide each cell by the root of the mean square of its channels; then scale each channel.

    Shape: (channels, *spatial) -> (channels, *spatial)

    Args:
        epsilon: added to the mean square.

    Raises:
        BadArgument: epsilon is not a number of at least 0.
        ShapeMismatch: the input is not of floats, or has no axis.

    References:
        Zhang and Sennrich (2019), Root Mean Square Layer Normalization, equation 4.
    """

    stateless: ClassVar[bool] = False

    epsilon: float = 1e-6

    def shape(self, x: Spec) -> Spec:
        checks.floating(self, x)
        checks.number(self, "epsilon", 0)
        return x

    def weights(self, x: Spec) -> dict[str, Weight]:
        return {"scale": constants(x.shape[0], initial=1.0, axes=("in",))}

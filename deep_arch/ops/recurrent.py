"""Recurrent layers over a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.language.weights import Axis, Weight, constants, matrix
from deep_arch.ops import checks


@dataclass(eq=False)
class _Recurrent(Operation):
    """A recurrent layer, whose `gates` matrices each take the input and the state; `flags` names its bools."""

    stateless: ClassVar[bool] = False
    gates: ClassVar[int]
    flags: ClassVar[tuple[str, ...]] = ("return_sequences", "go_backwards")

    units: int
    return_sequences: bool = False
    go_backwards: bool = False

    def shape(self, x: Spec) -> Spec:
        checks.spatial(self, x, 1)
        for argument in self.flags:
            checks.flag(self, argument)
        units = checks.positive(self, "units")
        return x.with_shape(units, x.shape[1]) if self.return_sequences else x.with_shape(units)

    def macs(self, x: Spec) -> int:
        return x.shape[1] * self.gates * self.units * (x.shape[0] + self.units)

    def _matrices(self, x: Spec) -> dict[str, Weight]:
        width = self.gates * self.units
        return {
            "kernel": matrix(x.shape[0], width, axes=("in", self._width)),
            "recurrent_kernel": Weight((self.units, width), "orthogonal", axes=("out", self._width)),
        }

    @property
    def _width(self) -> Axis:
        """The role of an axis of all units of all gates."""
        return ("fixed", self.gates), ("out", self.units)


class LSTM(_Recurrent):
    """Run a long short-term memory over a sequence and give its last state, or each.

    Shape: (features, length) -> (units,), or (units, length) with return_sequences

    Args:
        units: features of the state.
        return_sequences: whether to give the state of every step, in the order of the steps.
        go_backwards: whether to step from the end; the states then come in that order too.

    The gates stand in the weights in the order input, forget, cell, output.

    Raises:
        BadArgument: an argument is not of these kinds.
        ShapeMismatch: the input is not a sequence of floats.

    References:
        Hochreiter and Schmidhuber (1997), Long Short-Term Memory; with the forget gate of Gers et al. (2000).
    """

    gates = 4

    def weights(self, x: Spec) -> dict[str, Weight]:
        return {**self._matrices(x), "bias": Weight((4 * self.units,), "unit_forget", axes=(self._width,))}


@dataclass(eq=False)
class GRU(_Recurrent):
    """Run gated recurrent units over a sequence and give their last state, or each.

    Shape: (features, length) -> (units,), or (units, length) with return_sequences

    Args:
        units: features of the state.
        return_sequences: whether to give the state of every step, in the order of the steps.
        go_backwards: whether to step from the end; the states then come in that order too.
        reset_after: whether the reset gate acts after the matrix product, which then has a bias of its own.

    The gates stand in the weights in the order update, reset, new.

    Raises:
        BadArgument: an argument is not of these kinds.
        ShapeMismatch: the input is not a sequence of floats.

    References:
        Cho et al. (2014), Learning Phrase Representations using RNN Encoder-Decoder, section 2.3.
    """

    gates: ClassVar[int] = 3
    flags: ClassVar[tuple[str, ...]] = ("return_sequences", "go_backwards", "reset_after")

    reset_after: bool = True

    def weights(self, x: Spec) -> dict[str, Weight]:
        width = 3 * self.units
        two = constants(2, width, axes=("fixed", self._width))
        return {**self._matrices(x), "bias": two if self.reset_after else constants(width, axes=(self._width,))}

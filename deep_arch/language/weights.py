"""Weights: the arrays that an operation holds, under names and layouts that belong to no framework.

Names, layouts and initial distributions are those of Keras 3: what is multiplied from the right stands as
(*kernel, input channels, output channels).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from deep_arch.language.foreign import plain

Initial: TypeAlias = float | Literal["glorot_uniform", "orthogonal", "uniform", "unit_forget"]
"""What a weight holds before training: a number throughout, or draws.

- "glorot_uniform": uniform within sqrt(6 / (fan_in + fan_out)), see `Weight.fans` (Glorot and Bengio 2010, eq. 16).
- "orthogonal": a matrix with orthonormal rows or columns (Saxe et al. 2014, section 3).
- "uniform": uniform within 0.05.
- "unit_forget": the bias of an LSTM: 1 for the forget gate, the second quarter, and 0 elsewhere
  (Jozefowicz et al. 2015, section 2.2).
"""


Role: TypeAlias = Literal["out", "in", "in1", "in2", "kernel", "fixed"]
"""What an axis of a weight is, which tells what part of the largest weight of a super-network an architecture uses.

- "out": the operation's own width, such as filters, heads or a vocabulary: the first so many.
- "in": the channels of the first input, "in1" and "in2" those of the second and third: those that the input has of the
  widest one.
- "kernel": a window's axis, from its centre.
- "fixed": equal in all architectures that share the weight.
"""

Axis: TypeAlias = Role | tuple[tuple[Role, int], ...]
"""The role of an axis; of an axis that is several in one, such as gates times units, each with its size."""


_KERNEL: tuple[Axis, ...] = ("kernel",)
_OUT: tuple[Axis, ...] = ("out",)


@dataclass(frozen=True, slots=True)
class Weight:
    """One array of an operation.

    Attributes:
        shape: in the neutral layout.
        initial: what it holds before training.
        trained: whether an optimizer changes it; running statistics are not trained.
        axes: the role of each axis, by which architectures share the weight at different sizes; None for one that is
            shared only by those that need it in the same shape.
    """

    shape: tuple[int, ...]
    initial: Initial = "glorot_uniform"
    trained: bool = True
    axes: tuple[Axis, ...] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        for n in self.shape:
            if type(n) is not int:  # an operation of one's own may compute it with NumPy
                object.__setattr__(self, "shape", tuple([plain(axis) for axis in self.shape]))
                break

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def fans(self) -> tuple[int, int]:
        """Numbers that feed one output, and that one input feeds, as Keras counts them.

        Example:
            >>> Weight((3, 3, 16, 32)).fans, Weight((8, 4)).fans, Weight((8,)).fans
            ((144, 288), (8, 4), (8, 8))
        """
        if len(self.shape) < 2:
            return self.size, self.size
        field = math.prod(self.shape[:-2])
        return field * self.shape[-2], field * self.shape[-1]


class HasBias(Protocol):
    """An operation that may add trained constants."""

    use_bias: bool


def matrix(*shape: int, axes: tuple[Axis, ...] = ("in", "out")) -> Weight:
    """Return a weight that is multiplied with, (*kernel, input channels, output channels).

    Args:
        shape: in the neutral layout.
        axes: the roles of the last axes; those before are a window's.

    Example:
        >>> matrix(3, 3, 16, 32).axes
        ('kernel', 'kernel', 'in', 'out')
    """
    return Weight(shape, axes=_KERNEL * (len(shape) - len(axes)) + axes)


def constants(*shape: int, initial: float = 0.0, axes: tuple[Axis, ...] | None = None) -> Weight:
    """Return a trained weight that starts with one number throughout, such as a bias."""
    return Weight(shape, initial, axes=axes)


def statistics(*shape: int, initial: float, axes: tuple[Axis, ...] | None = None) -> Weight:
    """Return a weight that training updates and no optimizer does."""
    return Weight(shape, initial, trained=False, axes=axes)


def bias(op: HasBias, *shape: int, name: str = "bias", axes: tuple[Axis, ...] | None = None) -> dict[str, Weight]:
    """Return the constants that an operation adds, if it does; without `axes` they are one for each output."""
    return {name: constants(*shape, axes=_OUT * len(shape) if axes is None else axes)} if op.use_bias else {}

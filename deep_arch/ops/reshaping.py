"""Changing the axes of one input: flatten, reshape, transpose and split."""

from __future__ import annotations

import math
from dataclasses import dataclass

from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.ops import checks


class Flatten(Operation):
    """Put all numbers along one axis, channel by channel.

    Shape: any -> (size,)
    """

    def shape(self, x: Spec) -> Spec:
        return x.with_shape(x.size)


@dataclass(eq=False)
class Reshape(Operation):
    """Put the numbers, channel by channel, into another shape of the same size.

    Shape: any -> target_shape

    Args:
        target_shape: the new shape (channels, *spatial), without the batch; one axis may be -1, for what is left.

    Raises:
        BadArgument: target_shape is not a tuple of positive ints with at most one -1.
        ShapeMismatch: the input has another number of numbers.

    Example:
        >>> from deep_arch.language.specs import vector
        >>> str(Reshape((8, -1)).shape(vector(32)))
        '(8, 4)'
    """

    target_shape: tuple[int, ...]

    def shape(self, x: Spec) -> Spec:
        target = checks.ints(self.target_shape, -1)
        if target is None or 0 in target or target.count(-1) > 1:
            raise checks.bad(
                self,
                "target_shape",
                "a tuple of positive ints, at most one of them -1",
                "Give a shape without batch, such as (8, -1).",
            )
        known = math.prod(n for n in target if n > 0)
        size = x.size
        if size % known or (known != size and -1 not in target):
            raise checks.misfit(
                self,
                f"an input that fills {target}",
                f"{x}, of {size} numbers",
                "Change target_shape, or leave one axis -1.",
            )
        return x.with_shape(*(size // known if n == -1 else n for n in target))


@dataclass(eq=False)
class Transpose(Operation):
    """Put the axes in another order.

    Shape: (channels, *spatial) -> the same axes, in the order of permutation

    Args:
        permutation: the axis of the input that becomes each axis; 0 is the channels, and the batch is not counted.

    Raises:
        BadArgument: permutation is not an order of the ints from 0.
        ShapeMismatch: the input has another number of axes.
    """

    permutation: tuple[int, ...]

    def shape(self, x: Spec) -> Spec:
        order = checks.ints(self.permutation, 0)
        if order is None or sorted(order) != list(range(len(order))):
            raise checks.bad(
                self,
                "permutation",
                "a tuple with each int from 0 to rank - 1 once",
                "Give an order such as (1, 0); 0 is the channels.",
            )
        if len(order) != len(x.shape):
            raise checks.misfit(
                self,
                f"an input of rank {len(order)}",
                f"{x}, of rank {x.rank}",
                "Give permutation as many axes as the input has, batch not counted.",
            )
        return x.with_shape(*(x.shape[axis] for axis in order))


@dataclass(eq=False)
class Split(Operation):
    """Cut the channels into parts of equal size, one output each.

    Shape: (channels, *spatial) -> (channels / sections, *spatial), as many times as sections

    Args:
        sections: the number of parts.

    Raises:
        BadArgument: sections is not a positive int.
        ShapeMismatch: sections does not divide the channels.
    """

    sections: int

    @property
    def n_outputs(self) -> int:
        return self.sections

    def shape(self, x: Spec) -> tuple[Spec, ...]:
        sections = checks.positive(self, "sections")
        if not x.shape or x.shape[0] % sections:
            raise checks.misfit(
                self,
                f"channels that {sections} sections divide",
                str(x),
                "Change sections, or the channels of what comes before.",
            )
        return (x.with_shape(x.shape[0] // sections, *x.shape[1:]),) * sections

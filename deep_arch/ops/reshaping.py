"""Changing the axes of one input: flatten, reshape, transpose, split, slice and take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from deep_arch.language.hyperparameters import Hyperparameter, length_of
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
    """Cut the channels into parts, one output each.

    Shape: (channels, *spatial) -> (channels / sections, *spatial), as many times as sections; or, for sizes, one
    output (size, *spatial) for each of them

    Args:
        sections: the number of equal parts, or the size of each part, as `torch.split` takes them: (85, 1) cuts 86
            channels after the 85th. `numpy.split` and `keras.ops.split` are given the places of the cuts instead, [85].
        axis: what is cut; 0 is the channels, and the batch is not counted.

    Raises:
        BadArgument: sections is neither a positive int nor a tuple of such, or axis is no axis.
        ShapeMismatch: the number of sections does not divide the channels, or the sizes do not add up to them.

    Example:
        >>> from deep_arch.language.specs import vector
        >>> [str(part) for part in Split((85, 1)).shape(vector(86))]
        ['(85)', '(1)']
    """

    sections: int | Sequence[int]
    axis: int = 0

    @property
    def n_outputs(self) -> int:
        given = self._checked()
        return given if isinstance(given, int) else len(given)

    def count_outputs(self, n_inputs: int) -> int:
        if not isinstance(self.sections, Hyperparameter):
            return self.n_outputs
        return length_of(self.sections) or super().count_outputs(n_inputs)

    def shape(self, x: Spec) -> tuple[Spec, ...]:
        axis = checks.axis(self, x)
        return tuple([x.with_shape(*x.shape[:axis], n, *x.shape[axis + 1 :]) for n in self.sizes(x)])

    def sizes(self, x: Spec) -> tuple[int, ...]:
        """Return the size of each part of an input."""
        given, n = self._checked(), x.shape[self.axis]
        if isinstance(given, int):
            if n % given:
                mend = f"Change sections, give the size of each, such as ({n - 1}, 1), or change what comes before."
                raise checks.misfit(self, f"{checks.along(self.axis)} that {given} sections divide", str(x), mend)
            return (n // given,) * given
        if sum(given) != n:
            total = f", which are {' + '.join(map(str, given))}" if len(given) > 1 else ""
            raise checks.misfit(
                self,
                f"{sum(given)} {checks.along(self.axis)}{total}",
                f"{x}, which has {n}",
                "Give the sizes of all parts, not the places of the cuts; or change what comes before.",
            )
        return given

    def _checked(self) -> int | tuple[int, ...]:
        if type(self.sections) is int and self.sections > 0:
            return self.sections
        sizes = checks.ints(self.sections, 1)
        if sizes:
            return sizes
        raise checks.bad(
            self,
            "sections",
            "a positive int, or a tuple of them",
            "Give the number of equal parts, such as 2, or the size of each, such as (85, 1).",
        )


@dataclass(eq=False)
class Slice(Operation):
    """Take the channels from one to another.

    Shape: (channels, *spatial) -> (stop - start, *spatial)

    Args:
        start: the first that is taken; a negative one is counted from the end, as in Python.
        stop: the first after it that is not taken, likewise; None for none.
        axis: what is cut; 0 is the channels, and the batch is not counted.

    Raises:
        BadArgument: an argument is not of these kinds.
        ShapeMismatch: the input has no such channels, or none would be left.

    Example:
        >>> from deep_arch.language.specs import sequence, vector
        >>> str(Slice(0, 85).shape(vector(86))), str(Slice(-1, None, axis=1).shape(sequence(length=9, features=4)))
        ('(85)', '(4, 1)')
    """

    start: int
    stop: int | None
    axis: int = 0

    def shape(self, x: Spec) -> Spec:
        axis = checks.axis(self, x)
        start, stop = self.bounds(x)
        return x.with_shape(*x.shape[:axis], stop - start, *x.shape[axis + 1 :])

    def bounds(self, x: Spec) -> tuple[int, int]:
        """Return the first place that is taken of an input, and the first after it that is not, from the beginning."""
        n = x.shape[self.axis]
        if type(self.start) is not int:
            raise checks.bad(self, "start", "an int", "Give the first place that is taken, such as 0.")
        if self.stop is not None and type(self.stop) is not int:
            raise checks.bad(self, "stop", "an int or None", "Give the first place that is not taken, None for none.")
        start = self.start + n if self.start < 0 else self.start
        stop = n if self.stop is None else self.stop + n if self.stop < 0 else self.stop
        if 0 <= start < stop <= n:
            return start, stop
        span = f"{self.start}:{'' if self.stop is None else self.stop}"
        raise checks.misfit(
            self,
            f"{checks.along(self.axis)} of which {span} is a part that is not empty",
            f"{x}, which has {n}",
            "Change start or stop, which itself is not taken; or change what comes before.",
        )


@dataclass(eq=False)
class Take(Operation):
    """Take chosen channels, alike at every cell.

    Shape: (channels, *spatial) -> (number of indices, *spatial)

    Args:
        indices: the channels in the order in which they are given; one may be there several times, and a negative one
            is counted from the end, as in Python.

    Raises:
        BadArgument: indices is not a tuple of ints, or is empty.
        ShapeMismatch: the input has no such channel.

    Example:
        >>> from deep_arch.language.specs import sequence
        >>> str(Take((4, 5, -1)).shape(sequence(length=13, features=18)))
        '(3, 13)'
    """

    indices: Sequence[int]

    def shape(self, x: Spec) -> Spec:
        return x.with_shape(len(self.places(x)), *x.shape[1:])

    def places(self, x: Spec) -> tuple[int, ...]:
        """Return which channels are taken of an input, all counted from the beginning."""
        indices = checks.ints(self.indices)
        if not indices:
            mend = "Give the channels that are taken, such as (0, 1), or (2,) for one."
            raise checks.bad(self, "indices", "a tuple of ints with at least one", mend)
        n = x.shape[0] if x.shape else 0
        missing = [i for i in indices if not -n <= i < n]
        if missing:
            mend = f"Give indices from {-n} to {n - 1}, or change what comes before." if n else "Give it channels."
            raise checks.misfit(self, f"an input with channel {missing[0]}", f"{x}, which has {n}", mend)
        return tuple([i + n if i < 0 else i for i in indices])

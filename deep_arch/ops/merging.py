"""Merging several inputs into one, and choosing between two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.ops import checks


def _broadcast(op: Operation, inputs: tuple[Spec, ...]) -> Spec:
    """Return the spec of an element-wise merge: in each axis, the inputs have one size or size 1."""
    first = inputs[0]
    if all(x.shape == first.shape for x in inputs):
        checks.same_dtype(op, inputs)
        return first if first.vocabulary is None else first.with_shape(*first.shape)
    if len({len(x.shape) for x in inputs}) > 1:
        raise _unlike(op, inputs, "Put an ops.Reshape before it, or use keepdims=True where axes were pooled away.")
    shape = tuple(max(axis) for axis in zip(*(x.shape for x in inputs), strict=True))
    if any(n not in (1, most) for x in inputs for n, most in zip(x.shape, shape, strict=True)):
        mend = (
            "Bring them to one shape, such as by an ops.Conv2D of kernel_size 1 with the filters and strides it takes."
        )
        raise _unlike(op, inputs, mend)
    checks.same_dtype(op, inputs)
    return first.with_shape(*shape)


def _unlike(op: Operation, inputs: tuple[Spec, ...], mend: str) -> Exception:
    return checks.misfit(op, "inputs of one shape, or of size 1 where they differ", checks.listed(inputs), mend)


class _Merge(Operation):
    """A merge number by number, in which the order of the inputs is immaterial."""

    commutative: ClassVar[bool] = True

    def shape(self, *inputs: Spec) -> Spec:
        return _broadcast(self, inputs)


class Add(_Merge):
    """Add any number of inputs.

    Shape: (channels, *spatial), ... -> (channels, *spatial), where an input may have size 1 in any axis

    Raises:
        ShapeMismatch: the shapes differ otherwise, or the dtypes differ.

    Example:
        >>> from deep_arch.language.specs import image
        >>> str(Add().shape(image(8, 4, 4), image(8, 1, 1)))
        '(8, 4, 4)'
    """


class Multiply(_Merge):
    """Multiply any number of inputs, number by number.

    Shape: (channels, *spatial), ... -> (channels, *spatial), where an input may have size 1 in any axis

    Raises:
        ShapeMismatch: the shapes differ otherwise, or the dtypes differ.
    """


class Maximum(_Merge):
    """Take the largest of any number of inputs, number by number.

    Shape: (channels, *spatial), ... -> (channels, *spatial), where an input may have size 1 in any axis

    Raises:
        ShapeMismatch: the shapes differ otherwise, or the dtypes differ.
    """


class Minimum(_Merge):
    """Take the smallest of any number of inputs, number by number.

    Shape: (channels, *spatial), ... -> (channels, *spatial), where an input may have size 1 in any axis

    Raises:
        ShapeMismatch: the shapes differ otherwise, or the dtypes differ.
    """


class Average(Operation):
    """Take the mean of any number of inputs, number by number.

    Shape: (channels, *spatial), ... -> (channels, *spatial), where an input may have size 1 in any axis

    Raises:
        ShapeMismatch: the shapes differ otherwise, or the dtypes differ or are not floats.
    """

    commutative: ClassVar[bool] = True

    def shape(self, *inputs: Spec) -> Spec:
        checks.floating(self, inputs[0])
        return _broadcast(self, inputs)


class Subtract(Operation):
    """Subtract the second input from the first.

    Shape: (channels, *spatial), (channels, *spatial) -> (channels, *spatial), where either may have size 1 in any axis

    Raises:
        ShapeMismatch: the shapes differ otherwise, or the dtypes differ.
    """

    def shape(self, a: Spec, b: Spec) -> Spec:
        return _broadcast(self, (a, b))


@dataclass(eq=False)
class Concatenate(Operation):
    """Put the channels of any number of inputs one after another.

    Shape: (channels, *spatial), (more channels, *spatial), ... -> (sum of the channels, *spatial)

    Args:
        axis: what is joined; 0 is the channels, and the batch is not counted.

    Raises:
        BadArgument: axis is no axis.
        ShapeMismatch: the inputs differ in an axis other than that, or in dtype, or have no such axis.

    Example:
        >>> from deep_arch.language.specs import sequence
        >>> str(Concatenate(axis=1).shape(sequence(length=1, features=4), sequence(length=9, features=4)))
        '(4, 10)'
    """

    axis: int = 0

    def shape(self, *inputs: Spec) -> Spec:
        axis, first = checks.axis(self, inputs[0]), inputs[0].shape
        for x in inputs:
            if (x.shape[:axis], x.shape[axis + 1 :]) != (first[:axis], first[axis + 1 :]) or len(x.shape) <= axis:
                raise checks.misfit(
                    self,
                    f"inputs that differ in their {checks.along(axis)} only",
                    checks.listed(inputs),
                    "Bring the other axes to one size, such as by pooling, upsampling or cropping.",
                )
        checks.same_dtype(self, inputs)
        total = sum([x.shape[axis] for x in inputs])
        return inputs[0].with_shape(*first[:axis], total, *first[axis + 1 :])


class Stack(Operation):
    """Put any number of inputs of one shape along a new first axis.

    Shape: (channels, *spatial), ... -> (number of inputs, channels, *spatial)

    Raises:
        ShapeMismatch: the shapes or the dtypes differ.
    """

    def shape(self, *inputs: Spec) -> Spec:
        first = inputs[0]
        if any(x.shape != first.shape for x in inputs):
            raise checks.misfit(
                self,
                "inputs of one shape",
                checks.listed(inputs),
                "Bring them to one shape, or use ops.Concatenate to join channels.",
            )
        checks.same_dtype(self, inputs)
        return first.with_shape(len(inputs), *first.shape)


@dataclass(eq=False)
class Where(Operation):
    """Choose between two inputs by a condition: `Where()(condition, a, b)`.

    The choice is soft, sigmoid(condition) * a + (1 - sigmoid(condition)) * b, so that the condition is trained too; a
    hard one gives a where the condition is above 0, or True, and else b. In plain Python it chooses between numbers,
    and a hard one between anything.

    Shape: (1 or channels[, *spatial]), (channels, *spatial), (channels, *spatial) -> (channels, *spatial), where any
    may have size 1 in any axis, and a condition without spatial axes, or without any, is the same at every cell

    Args:
        hard: whether it takes the one or the other. The condition may then be of any type, and has no gradient.

    Raises:
        BadArgument: hard is not a bool.
        ShapeMismatch: the shapes or the dtypes differ otherwise, or are not of floats for a soft choice.

    References:
        Shah et al. (2020), Learning Differentiable Programs with Admissible Neural Heuristics, section 2.

    Example:
        >>> from deep_arch.language.specs import sequence, vector
        >>> str(Where().shape(vector(1), sequence(length=13, features=4), sequence(length=13, features=4)))
        '(4, 13)'
    """

    hard: bool = False

    def shape(self, condition: Spec, a: Spec, b: Spec) -> Spec:
        checks.flag(self, "hard")
        if not self.hard:
            for x in (condition, a, b):
                if not checks.is_floating(x):
                    mend = "Use ops.Where(hard=True), whose condition may be of any type, or give it a float dtype."
                    raise checks.misfit(self, "real numbers for a soft choice", str(x), mend)
            checks.same_dtype(self, (condition, a, b))
        result = _broadcast(self, (a, b))
        if condition.rank not in (0, min(1, result.rank), result.rank) or any(
            map(_exceeds, condition.shape, result.shape)
        ):
            raise checks.misfit(
                self,
                f"a condition of 1 or {result.channels} channels, and of size 1 or that of a and b in other axes, or "
                "without these",
                f"{condition} for {a} and {b}",
                "Let what gives the condition have one channel, such as by an ops.Dense(1).",
            )
        return result


def _exceeds(size: int, most: int) -> bool:
    return size not in (1, most)

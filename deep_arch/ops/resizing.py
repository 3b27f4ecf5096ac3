"""Changing the size of the spatial axes: upsampling, padding and cropping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.ops import checks
from deep_arch.ops.windows import Sizes

Sides: TypeAlias = int | tuple[int, ...] | tuple[tuple[int, int], ...]


def sides_of(value: Sides, n: int) -> tuple[tuple[int, int], ...]:
    """Return the cells (before, after) each of `n` axes.

    Example:
        >>> sides_of(1, 2), sides_of((1, 2), 2), sides_of(((0, 1), (2, 3)), 2)
        (((1, 1), (1, 1)), ((1, 1), (2, 2)), ((0, 1), (2, 3)))
        >>> sides_of((1, 2), 1), sides_of((3,), 1)
        (((1, 2),), ((3, 3),))
    """
    if isinstance(value, int):
        return ((value, value),) * n
    entries: Any = (value,) if n == 1 and len(value) == 2 else value  # one axis takes a bare pair, as in Keras
    pairs: list[tuple[int, int]] = [(entry, entry) if isinstance(entry, int) else entry for entry in entries]
    return tuple([(before, after) for before, after in pairs])


def _sides(op: Operation, argument: str, n: int) -> tuple[tuple[int, int], ...]:
    value = getattr(op, argument)
    try:
        result = sides_of(value, n)
    except (TypeError, ValueError):
        result = ()
    if len(result) == n and all(type(cells) is int and cells >= 0 for pair in result for cells in pair):
        return result
    raise checks.bad(
        op,
        argument,
        f"an int of at least 0, or for each of {n} axes such an int or a pair (before, after)",
        f"Give {argument} an int such as 1.",
    )


@dataclass(eq=False)
class _UpSampling(Operation):
    """Enlarging of `ndim` axes."""

    ndim: ClassVar[int]

    size: Sizes = 2
    interpolation: Literal["nearest", "bilinear"] = "nearest"

    def shape(self, x: Spec) -> Spec:
        checks.spatial(self, x, self.ndim)
        checks.one_of(self, "interpolation", ("nearest", "bilinear") if self.ndim == 2 else ("nearest",))
        factors = checks.sizes(self, "size", self.ndim)
        return x.with_shape(x.shape[0], *(n * factor for n, factor in zip(x.shape[1:], factors, strict=True)))


class UpSampling1D(_UpSampling):
    """Repeat each cell of a sequence.

    Shape: (channels, length) -> (channels, length * size)

    The arguments are those of `UpSampling2D`, with interpolation "nearest" only.
    """

    ndim = 1


class UpSampling2D(_UpSampling):
    """Enlarge an image by a whole factor.

    Shape: (channels, height, width) -> (channels, height * size, width * size)

    Args:
        size: the factor, one int or one an axis.
        interpolation: "nearest" repeats each cell; "bilinear" takes means of the four nearest cells, where the
            centres of cells are half a cell from the edge.

    Raises:
        BadArgument: an argument is not of these kinds.
        ShapeMismatch: the input is of another rank or not of floats.
    """

    ndim = 2


class UpSampling3D(_UpSampling):
    """Repeat each cell of a volume.

    Shape: (channels, depth, height, width) -> (channels, depth * size, height * size, width * size)

    The arguments are those of `UpSampling2D`, with interpolation "nearest" only.
    """

    ndim = 3


@dataclass(eq=False)
class _ZeroPadding(Operation):
    """Zeros around `ndim` axes."""

    ndim: ClassVar[int]

    padding: Sides = 1

    def shape(self, x: Spec) -> Spec:
        checks.spatial(self, x, self.ndim)
        sides = _sides(self, "padding", self.ndim)
        return x.with_shape(
            x.shape[0], *(n + before + after for n, (before, after) in zip(x.shape[1:], sides, strict=True))
        )


class ZeroPadding1D(_ZeroPadding):
    """Add zeros before and after a sequence.

    Shape: (channels, length) -> (channels, before + length + after)

    Args:
        padding: cells on either side, or (before, after).

    Raises:
        BadArgument: padding is not of these kinds, or negative.
        ShapeMismatch: the input is of another rank or not of floats.
    """

    ndim = 1


class ZeroPadding2D(_ZeroPadding):
    """Add zeros around an image.

    Shape: (channels, height, width) -> (channels, before + height + after, before + width + after)

    Args:
        padding: cells on every side; or one int an axis; or (before, after) each axis.

    Raises:
        BadArgument: padding is not of these kinds, or negative.
        ShapeMismatch: the input is of another rank or not of floats.
    """

    ndim = 2


class ZeroPadding3D(_ZeroPadding):
    """Add zeros around a volume.

    Shape: (channels, depth, height, width) -> the same, where each spatial axis is before + size + after

    The arguments are those of `ZeroPadding2D`.
    """

    ndim = 3


@dataclass(eq=False)
class _Cropping(Operation):
    """Cutting of the edges of `ndim` axes."""

    ndim: ClassVar[int]

    cropping: Sides = 1

    def shape(self, x: Spec) -> Spec:
        checks.spatial(self, x, self.ndim)
        sides = _sides(self, "cropping", self.ndim)
        spatial = tuple(n - before - after for n, (before, after) in zip(x.shape[1:], sides, strict=True))
        if min(spatial) < 1:
            raise checks.misfit(
                self,
                f"an input larger than its cropping of {sides}",
                str(x),
                "Use a smaller cropping, or less downsampling before it.",
            )
        return x.with_shape(x.shape[0], *spatial)


class Cropping1D(_Cropping):
    """Cut cells off both ends of a sequence.

    Shape: (channels, length) -> (channels, length - before - after)

    Args:
        cropping: cells on either side, or (before, after).

    Raises:
        BadArgument: cropping is not of these kinds, or negative.
        ShapeMismatch: the input is of another rank or not of floats, or nothing would be left.
    """

    ndim = 1


class Cropping2D(_Cropping):
    """Cut cells off the edges of an image.

    Shape: (channels, height, width) -> (channels, height - before - after, width - before - after)

    Args:
        cropping: cells on every side; or one int an axis; or (before, after) each axis.

    Raises:
        BadArgument: cropping is not of these kinds, or negative.
        ShapeMismatch: the input is of another rank or not of floats, or nothing would be left.
    """

    ndim = 2


class Cropping3D(_Cropping):
    """Cut cells off the edges of a volume.

    Shape: (channels, depth, height, width) -> the same, where each spatial axis is size - before - after

    The arguments are those of `Cropping2D`.
    """

    ndim = 3

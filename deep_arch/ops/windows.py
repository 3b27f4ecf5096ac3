"""The arithmetic of sliding windows along one axis, for shapes here and for the backends' lowerings.

"same", "valid" and "causal" mean what they mean in TensorFlow and Keras, on every backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

Padding: TypeAlias = Literal["same", "valid"]
CausalPadding: TypeAlias = Padding | Literal["causal"]
Sizes: TypeAlias = int | tuple[int, ...]


def tuple_of(value: int | Sequence[int], n: int) -> tuple[int, ...]:
    """Return one int for each of `n` axes.

    Example:
        >>> tuple_of(3, 2), tuple_of((3, 5), 2)
        ((3, 3), (3, 5))
    """
    return (value,) * n if isinstance(value, int) else tuple(value)


def span(kernel: int, dilation: int = 1) -> int:
    """Return the cells from the first to the last that a window of `kernel` taps, `dilation` apart, touches."""
    return (kernel - 1) * dilation + 1


def output_size(size: int, kernel: int, stride: int = 1, padding: str = "same", dilation: int = 1) -> int:
    """Return the number of positions of a window along an axis of `size` cells; below 1 where it does not fit.

    Example:
        >>> output_size(7, kernel=3, stride=2), output_size(7, kernel=3, stride=2, padding="valid")
        (4, 3)
    """
    if padding == "valid":
        return (size - span(kernel, dilation)) // stride + 1
    return -(-size // stride)


def same_padding(size: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """Return the cells that "same" adds before and after an axis of `size` cells; the odd one goes after.

    Example:
        >>> same_padding(8, kernel=3, stride=2), same_padding(7, kernel=3, stride=2)
        ((0, 1), (1, 1))
    """
    total = max((output_size(size, kernel, stride) - 1) * stride + span(kernel, dilation) - size, 0)
    return total // 2, total - total // 2


def padding_cells(padding: str, size: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """Return the cells of zero that are added before and after an axis of `size` cells.

    "causal" adds them all before, so that no window reaches further than the cell that its position stands at.

    Example:
        >>> padding_cells("same", 8, kernel=3), padding_cells("causal", 8, kernel=3)
        ((1, 1), (2, 0))
    """
    if padding == "same":
        return same_padding(size, kernel, stride, dilation)
    return (span(kernel, dilation) - 1 if padding == "causal" else 0), 0


def leaves_cells(size: int, kernel: int, stride: int = 1) -> bool:
    """Return whether the windows of "same" end before an axis of `size` cells does.

    Example:
        >>> leaves_cells(3, kernel=1, stride=3), leaves_cells(3, kernel=1, stride=2)
        (True, False)
    """
    return (output_size(size, kernel, stride) - 1) * stride + kernel < size


def transposed_crop(
    kernel: int, stride: int = 1, padding: str = "same", dilation: int = 1, output_padding: int | None = None
) -> tuple[int, int]:
    """Return the cells to cut before and after an axis of an unpadded transposed convolution's output.

    That output has (size - 1) * stride + span cells. What is left is the gradient of the convolution with
    this padding, as in TensorFlow. A negative count means zeros to add instead.

    Example:
        >>> transposed_crop(kernel=3, stride=2), transposed_crop(kernel=2, stride=3, padding="valid")
        ((0, 1), (0, -1))
    """
    reach = span(kernel, dilation)
    if padding == "same":
        last = stride if output_padding is None else reach % 2 + output_padding
    else:
        last = max(reach, stride) if output_padding is None else reach + output_padding
    total = reach - last
    before = max(total // 2, 0)
    return before, total - before


def transposed_output_size(
    size: int,
    kernel: int,
    stride: int = 1,
    padding: str = "same",
    dilation: int = 1,
    output_padding: int | None = None,
) -> int:
    """Return the cells that a transposed convolution makes of an axis of `size` cells; below 1 where it does not fit.

    Example:
        >>> transposed_output_size(4, kernel=3, stride=2), transposed_output_size(4, 3, 2, "valid")
        (8, 9)
    """
    before, after = transposed_crop(kernel, stride, padding, dilation, output_padding)
    return (size - 1) * stride + span(kernel, dilation) - before - after

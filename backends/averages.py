"""Means over windows that move along a sequence: the arithmetic that backends share.

The frames are cut into blocks as long as a window. A window then is the end of one block and the beginning of the next,
so that its sum is that of two cumulative sums within blocks. Nothing is subtracted, so nothing cancels, however long
the sequence and whatever its level; the work does not grow with the window.

References:
    van Herk (1992), A fast algorithm for local minimum and maximum filters on rectangular and octagonal kernels,
    section 2, for sums in place of minima.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

WHOLE: Final = 2**31 - 1
"""Frames before a frame, for all of them."""


class Blocks(NamedTuple):
    """How a sequence is cut.

    Attributes:
        width: the frames of a window, and of a block.
        before, after: the zeros that stand before and after the sequence, so that the blocks are full.
    """

    width: int
    before: int
    after: int


def blocks(length: int, before: int, after: int) -> Blocks:
    """Return how to cut a sequence for windows from `before` frames before to `after` frames after each.

    The window around a frame then begins at the frame's own place, and ends within the block after that one's.

    Example:
        >>> blocks(5, before=2, after=0), blocks(5, before=100, after=1)
        (Blocks(width=3, before=2, after=2), Blocks(width=6, before=4, after=3))
    """
    before, after = min(before, length - 1), min(after, length - 1)
    width = before + after + 1
    n_blocks = (length - 1) // width + 2
    return Blocks(width, before, n_blocks * width - before - length)


def last_window(length: int, before: int, after: int) -> tuple[int, int]:
    """Return where the window around the last frame begins and ends.

    Example:
        >>> last_window(13, before=4, after=0), last_window(13, before=8, after=-4), last_window(3, before=4, after=2)
        ((8, 13), (4, 9), (0, 3))
    """
    return max(0, length - 1 - before), min(length, length + after)


def sizes(length: int, before: int, after: int) -> npt.NDArray[np.int64]:
    """Return how many frames the window around each frame holds.

    Example:
        >>> sizes(5, before=2, after=1).tolist()
        [2, 3, 4, 4, 3]
    """
    at = np.arange(length)
    return np.minimum(at + after + 1, length) - np.maximum(at - before, 0)

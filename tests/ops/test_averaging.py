"""Means over windows of time, and masks of frames: shapes and errors."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_arch import ops
from deep_arch.backends.averages import blocks, last_window, sizes
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.specs import Spec, image, sequence, tensor, tokens, vector

X = sequence(length=13, features=4)
MASKS = [tensor(13, dtype="bool"), tensor(1, 13, dtype="bool"), tensor(1, 13), tensor(13), tokens(13)]


def frames(length: int, t: int, before: int, after: int) -> set[int]:
    return set(range(t - before, t + after + 1)) & set(range(length))


@given(st.integers(1, 20), st.integers(0, 25), st.integers(-25, 25))
def test_windows_are_clipped_to_the_sequence(length: int, before: int, after: int) -> None:
    window = frames(length, length - 1, before, after)
    try:
        assert ops.WindowAverage(before, after).shape(sequence(length, 4)) == vector(4)
    except (BadArgument, ShapeMismatch):
        assert not window
    else:
        assert window == set(range(*last_window(length, before, after)))


@given(st.integers(1, 20), st.integers(0, 25), st.integers(0, 25))
def test_a_window_is_the_end_of_a_block_and_the_beginning_of_the_next(length: int, before: int, after: int) -> None:
    width, left, right = blocks(length, before, after)
    assert (left + length + right) % width == 0 and width <= 2 * length
    for t, n in enumerate(sizes(length, before, after)):
        end = range(t, t - t % width + width)
        beginning = range(t - t % width + width, t + width)
        assert t + width <= left + length + right, "the block after a frame's own is there"
        inside = {i - left for i in (*end, *beginning)} & set(range(length))
        assert inside == frames(length, t, before, after) and len(inside) == n


def test_shapes() -> None:
    assert ops.WindowAverage(before=4).shape(X) == vector(4)
    assert ops.WindowAverage(before=2, after=2, each=True).shape(X) == X
    assert ops.WindowAverage(before=12, after=-12).shape(X) == vector(4)
    assert ops.WindowAverage(before=0).shape(sequence(13, 4, "float64")) == vector(4, "float64")


@pytest.mark.parametrize("mask", MASKS)
def test_a_mask_has_a_number_for_each_frame(mask: Spec) -> None:
    assert ops.WindowAverage(4).shape(X, mask) == vector(4)
    assert ops.WindowAverage(4, each=True).shape(X, mask) == X
    assert ops.GlobalAveragePooling1D().shape(X, mask) == vector(4)
    assert ops.GlobalAveragePooling1D(keepdims=True).shape(X, mask) == sequence(1, 4)


@pytest.mark.parametrize(
    ("op", "inputs", "error", "text"),
    [
        (
            ops.WindowAverage(-1),
            (X,),
            BadArgument,
            "window_average: expected before to be an int of at least 0.\n  Got before=-1 (int).\n"
            "  Its window would lie behind the last frame; one that ends before that has a negative after.",
        ),
        (ops.WindowAverage(2.0), (X,), BadArgument, "Got before=2.0 (float)"),  # type: ignore[arg-type]
        (
            ops.WindowAverage(3, -4),
            (X,),
            BadArgument,
            "window_average: expected after to be an int of at least -3, or its window is empty.\n"
            "  Got after=-4 (int).\n  Give after=-3 or more.",
        ),
        (
            ops.WindowAverage(6, -6, each=True),
            (X,),
            BadArgument,
            "expected after to be an int of at least 0, with each, as no frame lies before the first.\n"
            "  Got after=-6 (int).\n  Use each=False, or shift the means by ops.ZeroPadding1D and ops.Cropping1D.",
        ),
        (ops.WindowAverage(1, each=1), (X,), BadArgument, "expected each to be True or False"),  # type: ignore[arg-type]
        (
            ops.WindowAverage(20, -13),
            (X,),
            ShapeMismatch,
            "window_average: expected a sequence of at least 14 frames, as its window ends 13 before the last.\n"
            "  Got (4, 13).\n  Give after at least -12, or a longer sequence.",
        ),
        (ops.WindowAverage(1), (image(3, 4, 4),), ShapeMismatch, "window_average: expected (channels, length)"),
        (ops.WindowAverage(1), (tokens(13),), ShapeMismatch, "window_average: expected real numbers"),
        (
            ops.WindowAverage(1),
            (X, tensor(4, 13)),
            ShapeMismatch,
            "window_average: expected a mask of (13) or (1, 13), a number for each frame.\n"
            "  Got (4, 13) for a sequence (4, 13).\n"
            '  Give the mask a spec such as da.tensor(13, dtype="bool"), which is the same for all features.',
        ),
        (ops.GlobalAveragePooling1D(), (X, vector(4)), ShapeMismatch, "global_average_pooling1d: expected a mask of"),
        (ops.GlobalAveragePooling1D(), (image(3, 4, 4), X), ShapeMismatch, "expected (channels, length)"),
    ],
)
def test_errors(op: Any, inputs: tuple[Spec, ...], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        op.shape(*inputs)

from __future__ import annotations

import re
from typing import Any

import pytest

from deep_arch import ops
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.specs import image, sequence, tensor


def test_strides_are_the_window_unless_given() -> None:
    assert ops.MaxPooling2D((2, 3)).shape(image(4, 9, 9)) == image(4, 5, 3)
    assert ops.MaxPooling2D(3, strides=1).shape(image(4, 9, 9)) == image(4, 9, 9)
    assert ops.AveragePooling2D(3, strides=2, padding="valid").shape(image(4, 8, 9)) == image(4, 3, 4)
    assert ops.MaxPooling1D().shape(sequence(5, 3)) == sequence(3, 3)
    assert ops.AveragePooling3D(2, padding="valid").shape(tensor(3, 5, 4, 3)) == tensor(3, 2, 2, 1)


def test_keepdims_keeps_the_pooled_axes() -> None:
    assert ops.GlobalAveragePooling2D(keepdims=True).shape(image(4, 9, 9)) == image(4, 1, 1)
    assert ops.GlobalMaxPooling3D(keepdims=True).shape(tensor(4, 2, 3, 4)) == tensor(4, 1, 1, 1)


@pytest.mark.parametrize(
    ("op", "error", "text"),
    [
        (ops.MaxPooling2D(0), BadArgument, "max_pooling2d: expected pool_size to be a positive int"),
        (ops.MaxPooling2D(2, strides=0), BadArgument, "max_pooling2d: expected strides to be a positive int"),
        (ops.AveragePooling2D(2, padding="sane"), BadArgument, "average_pooling2d: expected padding to be 'same' or"),  # type: ignore[arg-type]
        (
            ops.GlobalMaxPooling2D(keepdims=None),  # type: ignore[arg-type]
            BadArgument,
            "global_max_pooling2d: expected keepdims to be True or False",
        ),
        (ops.MaxPooling1D(), ShapeMismatch, "max_pooling1d: expected (channels, length).\n  Got (3, 4, 4), of rank 3."),
        (ops.MaxPooling2D(5, padding="valid"), ShapeMismatch, "no smaller than its window of (5, 5)"),
        (ops.GlobalAveragePooling1D(), ShapeMismatch, "global_average_pooling1d: expected (channels, length)"),
    ],
)
def test_errors(op: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        op.shape(image(3, 4, 4))

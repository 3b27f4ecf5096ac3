from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_arch import ops
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.specs import image, sequence, tensor

X = image(6, 4, 5)
PAIRS = st.tuples(st.integers(0, 3), st.integers(0, 3))


@given(PAIRS, PAIRS)
def test_cropping_undoes_padding(rows: tuple[int, int], columns: tuple[int, int]) -> None:
    padded = ops.ZeroPadding2D((rows, columns)).shape(X)
    assert padded == image(6, 4 + sum(rows), 5 + sum(columns))
    assert ops.Cropping2D((rows, columns)).shape(padded) == X


def test_the_forms_of_padding() -> None:
    assert ops.ZeroPadding2D((1, 2)).shape(X) == image(6, 6, 9)
    assert ops.ZeroPadding2D((1, (0, 2))).shape(X) == image(6, 6, 7)  # type: ignore[arg-type]
    assert ops.ZeroPadding1D((1, 2)).shape(sequence(4, 3)) == sequence(7, 3)
    assert ops.ZeroPadding1D(((1, 2),)).shape(sequence(4, 3)) == sequence(7, 3)
    assert ops.ZeroPadding1D((2,)).shape(sequence(4, 3)) == sequence(8, 3)
    assert ops.Cropping3D(((1, 0), (0, 1), (0, 0))).shape(tensor(2, 3, 3, 3)) == tensor(2, 2, 2, 3)


def test_upsampling() -> None:
    assert ops.UpSampling2D((2, 3), interpolation="bilinear").shape(X) == image(6, 8, 15)
    assert ops.UpSampling1D(3).shape(sequence(4, 3)) == sequence(12, 3)


SIDES = "an int of at least 0, or for each of 2 axes such an int or a pair (before, after)"


@pytest.mark.parametrize(
    ("op", "error", "text"),
    [
        (ops.UpSampling2D(0), BadArgument, "up_sampling2d: expected size to be a positive int"),
        (ops.UpSampling2D(interpolation="cubic"), BadArgument, "interpolation to be 'nearest' or 'bilinear'"),  # type: ignore[arg-type]
        (ops.UpSampling1D(), ShapeMismatch, "up_sampling1d: expected (channels, length)"),
        (
            ops.ZeroPadding2D(-1),
            BadArgument,
            f"zero_padding2d: expected padding to be {SIDES}.\n  Got padding=-1 (int).\n",
        ),
        (ops.ZeroPadding2D((1, 2, 3)), BadArgument, "Got padding=(1, 2, 3) (tuple)"),
        (ops.ZeroPadding2D(((1, 2, 3), (1, 2))), BadArgument, "Got padding=((1, 2, 3), (1, 2)) (tuple)"),  # type: ignore[arg-type]
        (ops.ZeroPadding2D(1.5), BadArgument, "Got padding=1.5 (float)"),  # type: ignore[arg-type]
        (ops.ZeroPadding2D("12"), BadArgument, "Got padding='12' (str)"),  # type: ignore[arg-type]
        (ops.ZeroPadding2D(True), BadArgument, "Got padding=True (bool)"),
        (ops.Cropping2D(-1), BadArgument, f"cropping2d: expected cropping to be {SIDES}."),
        (
            ops.Cropping2D(2),
            ShapeMismatch,
            "cropping2d: expected an input larger than its cropping of ((2, 2), (2, 2)).\n  Got (6, 4, 5).\n  Use a",
        ),
    ],
)
def test_errors(op: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        op.shape(X)


def test_bilinear_is_for_two_axes() -> None:
    with pytest.raises(BadArgument, match=re.escape("up_sampling1d: expected interpolation to be 'nearest'.")):
        ops.UpSampling1D(interpolation="bilinear").shape(sequence(4, 3))

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_arch import ops
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.specs import image, tensor, tokens, vector

X = image(6, 4, 5)


def test_flatten_keeps_the_dtype_but_no_vocabulary() -> None:
    assert ops.Flatten().shape(X) == vector(120)
    assert ops.Flatten().shape(tensor()) == vector(1)
    assert ops.Flatten().shape(tokens(4, 10)) == tokens(4)


def test_reshape() -> None:
    assert ops.Reshape((120,)).shape(X) == vector(120)
    assert ops.Reshape((-1, 2, 3)).shape(X) == image(20, 2, 3)
    assert ops.Reshape([2, -1]).shape(X) == tensor(2, 60)  # type: ignore[arg-type]
    assert ops.Reshape((-1,)).shape(X) == vector(120)


@given(st.permutations(range(4)))
def test_transpose_is_that_of_numpy(order: list[int]) -> None:
    assert ops.Transpose(tuple(order)).shape(tensor(2, 3, 4, 5)).shape == np.zeros((2, 3, 4, 5)).transpose(order).shape


def test_split_gives_as_many_outputs_as_sections() -> None:
    assert ops.Split(3).shape(X) == (image(2, 4, 5),) * 3
    assert ops.Split(1).shape(X) == (X,)


@pytest.mark.parametrize(
    ("op", "error", "text"),
    [
        (
            ops.Reshape((-1, -1)),
            BadArgument,
            "reshape: expected target_shape to be a tuple of positive ints, at most one of them -1.\n"
            "  Got target_shape=(-1, -1) (tuple).\n  Give a shape without batch",
        ),
        (ops.Reshape((0, 120)), BadArgument, "Got target_shape=(0, 120) (tuple)"),
        (ops.Reshape((-2, 60)), BadArgument, "Got target_shape=(-2, 60) (tuple)"),
        (ops.Reshape(120), BadArgument, "Got target_shape=120 (int)"),  # type: ignore[arg-type]
        (
            ops.Reshape((7, -1)),
            ShapeMismatch,
            "reshape: expected an input that fills (7, -1).\n  Got (6, 4, 5), of 120",
        ),
        (ops.Reshape((60,)), ShapeMismatch, "an input that fills (60,)"),
        (ops.Reshape((240,)), ShapeMismatch, "an input that fills (240,)"),
        (
            ops.Transpose((0, 0, 1)),
            BadArgument,
            "transpose: expected permutation to be a tuple with each int from 0 to rank - 1 once.\n"
            "  Got permutation=(0, 0, 1) (tuple).\n  Give an order such as (1, 0)",
        ),
        (ops.Transpose((1, 2, 3)), BadArgument, "Got permutation=(1, 2, 3) (tuple)"),
        (
            ops.Transpose((1, 0)),
            ShapeMismatch,
            "transpose: expected an input of rank 2.\n  Got (6, 4, 5), of rank 3.\n",
        ),
        (ops.Split(0), BadArgument, "split: expected sections to be a positive int"),
        (ops.Split(4), ShapeMismatch, "split: expected channels that 4 sections divide.\n  Got (6, 4, 5).\n  Change"),
    ],
)
def test_errors(op: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        op.shape(X)

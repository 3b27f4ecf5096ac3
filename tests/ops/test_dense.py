from __future__ import annotations

import re
from typing import Any

import pytest

from deep_arch import ops
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.specs import Spec, image, sequence, tensor, tokens, vector


def test_dense_acts_on_the_channels_of_any_rank() -> None:
    assert ops.Dense(10).shape(vector(64)) == vector(10)
    assert ops.Dense(10).shape(image(3, 8, 9)) == image(10, 8, 9)
    assert ops.Dense(10, use_bias=False).parameters(image(3, 8, 9)) == 30
    assert ops.Dense(10).macs(image(3, 8, 9)) == 10 * 3 * 72


def test_embedding_gives_features_first() -> None:
    assert ops.Embedding(100, 16).shape(tokens(7, 100)) == sequence(length=7, features=16)
    assert ops.Embedding(100, 16).shape(Spec((4, 7), "int32")) == tensor(16, 4, 7)


@pytest.mark.parametrize(
    ("op", "inputs", "error", "text"),
    [
        (ops.Dense(0), (vector(4),), BadArgument, "dense: expected units to be a positive int.\n  Got units=0 (int)."),
        (ops.Dense(4, 5), (vector(4),), BadArgument, "dense: expected use_bias to be True or False"),  # type: ignore[arg-type]
        (ops.Dense(4), (tokens(4),), ShapeMismatch, "dense: expected real numbers.\n  Got (4) int64."),
        (ops.Dense(4), (tensor(),), ShapeMismatch, "dense: expected at least one axis"),
        (ops.Embedding(9, -1), (tokens(4),), BadArgument, "embedding: expected output_dim to be a positive int"),
        (ops.Embedding(0, 4), (tokens(4),), BadArgument, "embedding: expected input_dim to be a positive int"),
        (
            ops.Embedding(9, 4),
            (vector(4),),
            ShapeMismatch,
            "embedding: expected tokens of int32 or int64.\n  Got (4,) of float32.\n  Give it a value such as",
        ),
        (
            ops.Embedding(9, 4),
            (tokens(4, 10),),
            ShapeMismatch,
            "embedding: expected tokens below input_dim, 9.\n  Got (4) int64 with a vocabulary of 10.\n  Raise",
        ),
        (
            ops.MatMul(),
            (tensor(2, 3), tensor(2, 3)),
            ShapeMismatch,
            "mat_mul: expected (rows, inner) and (inner, columns).\n  Got (2, 3) and (2, 3).\n  Put an ops.Transpose",
        ),
        (
            ops.MatMul(),
            (tensor(2, 3), vector(3)),
            ShapeMismatch,
            "mat_mul: expected (rows, inner) and (inner, columns)",
        ),
        (ops.MatMul(), (vector(4), tokens(4)), ShapeMismatch, "mat_mul: expected inputs of one dtype"),
        (ops.MatMul(), (tokens(4), tokens(4)), ShapeMismatch, "mat_mul: expected real numbers"),
    ],
)
def test_errors(op: Any, inputs: tuple[Spec, ...], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        op.shape(*inputs)

from __future__ import annotations

import re
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.specs import Spec, image, sequence, tokens, vector
from deep_arch.language.weights import Weight


def test_a_position_has_a_vector_of_as_many_features() -> None:
    x = sequence(length=7, features=4)
    assert ops.PositionEmbedding().shape(x) == x
    assert ops.PositionEmbedding().weights(x)["embeddings"].shape == (7, 4)
    assert ops.PositionEmbedding(9).weights(x)["embeddings"].shape == (9, 4)


def test_a_table_of_one_length_is_shared_by_sequences_of_others() -> None:
    def net(a: Any, b: Any) -> Any:
        positions = ops.PositionEmbedding(sequence_length=9)
        return positions(a), positions(b)

    inputs = {"a": sequence(length=7, features=4), "b": sequence(length=9, features=4)}
    assert da.space(net).at({}).cost(inputs).parameters == 36


def test_a_parameter_has_a_shape_of_its_own_and_the_type_of_its_input() -> None:
    token = ops.Parameter((8, 1), initial=0)
    assert token.shape(image(3, 4, 4)) == Spec((8, 1)) == token.shape(tokens(7))
    assert token.shape(vector(3, dtype="float64")) == Spec((8, 1), "float64")
    assert token.weights(vector(3)) == {"value": Weight((8, 1), 0)}
    assert ops.Parameter([8]).weights(vector(3)) == {"value": Weight((8,), "uniform")}


def test_a_class_token_stands_before_a_sequence_whose_width_is_chosen() -> None:
    def net(x: Any) -> Any:
        width = da.choice([16, 32], name="width")
        x = ops.Dense(width)(x)
        x = ops.Concatenate(axis=1)(ops.Parameter((width, 1), name="class_token")(x), x)
        return ops.Flatten()(ops.Slice(0, 1, axis=1)(ops.PositionEmbedding()(x)))

    architecture, x = da.space(net).at({"width": 32}), sequence(length=9, features=4)
    assert architecture.shapes(x)["flatten"] == (32,)
    assert architecture.cost(x).parameters == 32 * 5 + 32 + 10 * 32


@pytest.mark.parametrize(
    ("op", "x", "error", "text"),
    [
        (
            ops.PositionEmbedding(6),
            sequence(length=7, features=4),
            ShapeMismatch,
            "position_embedding: expected a sequence no longer than sequence_length, 6.\n"
            "  Got (4, 7), of length 7.\n  Raise sequence_length to 7",
        ),
        (
            ops.PositionEmbedding(0),
            sequence(length=7, features=4),
            BadArgument,
            "position_embedding: expected sequence_length to be a positive int.\n  Got sequence_length=0 (int).",
        ),
        (
            ops.Parameter(768),  # type: ignore[arg-type]
            vector(3),
            BadArgument,
            "parameter: expected target_shape to be a tuple of positive ints.\n  Got target_shape=768 (int).\n"
            "  Give a shape without batch, such as (768, 1)",
        ),
        (ops.Parameter(()), vector(3), BadArgument, "Got target_shape=() (tuple)"),
        (ops.Parameter((8, -1)), vector(3), BadArgument, "Got target_shape=(8, -1) (tuple)"),
        (
            ops.Parameter((8,), initial="zeros"),  # type: ignore[arg-type]
            vector(3),
            BadArgument,
            "parameter: expected initial to be a number or 'uniform'.\n  Got initial='zeros' (str).\n  Give the number",
        ),
        (ops.Parameter((8,), initial=float("nan")), vector(3), BadArgument, "Got initial=nan (float)"),
        (ops.PositionEmbedding("7"), sequence(7, 4), BadArgument, "Got sequence_length='7' (str)"),  # type: ignore[arg-type]
        (ops.PositionEmbedding(), image(3, 4, 4), ShapeMismatch, "position_embedding: expected (channels, length)"),
        (ops.PositionEmbedding(), vector(3), ShapeMismatch, "position_embedding: expected (channels, length)"),
        (ops.PositionEmbedding(), tokens(7), ShapeMismatch, "position_embedding: expected real numbers"),
    ],
)
def test_errors(op: Any, x: Spec, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        op.shape(x)

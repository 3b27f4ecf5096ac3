from __future__ import annotations

import re
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.specs import Spec, image, sequence, tokens, vector


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
        (ops.PositionEmbedding("7"), sequence(7, 4), BadArgument, "Got sequence_length='7' (str)"),  # type: ignore[arg-type]
        (ops.PositionEmbedding(), image(3, 4, 4), ShapeMismatch, "position_embedding: expected (channels, length)"),
        (ops.PositionEmbedding(), vector(3), ShapeMismatch, "position_embedding: expected (channels, length)"),
        (ops.PositionEmbedding(), tokens(7), ShapeMismatch, "position_embedding: expected real numbers"),
    ],
)
def test_errors(op: Any, x: Spec, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        op.shape(x)

"""Recurrent layers and attention."""

from __future__ import annotations

import re
from typing import Any

import pytest

from deep_arch import ops
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.specs import Spec, image, sequence

X = sequence(length=10, features=8)


def test_known_values_of_recurrent_layers() -> None:
    assert ops.LSTM(4, return_sequences=True).shape(X) == sequence(length=10, features=4)
    # Keras: LSTM(64) on 32 features has 24,832 parameters; GRU(64) has 18,816, and 18,624 with reset_after=False.
    assert ops.LSTM(64).parameters(sequence(5, 32)) == 24832
    assert ops.GRU(64).parameters(sequence(5, 32)) == 18816
    assert ops.GRU(64, reset_after=False).parameters(sequence(5, 32)) == 18624
    assert ops.GRU(64).macs(sequence(5, 32)) == 5 * 3 * 64 * 96


def test_attention_to_another_sequence() -> None:
    op = ops.MultiHeadAttention(num_heads=2, key_dim=3, value_dim=5)
    value, key = sequence(6, 7), sequence(6, 9)
    assert op.shape(X, value, key) == op.shape(X, value) == op.shape(X) == X
    queries, keys, values, result = 8 * 6 + 6, 9 * 6 + 6, 7 * 10 + 10, 10 * 8 + 8
    assert op.parameters(X, value, key) == queries + keys + values + result
    projections = 10 * 8 * 6 + 6 * 9 * 6 + 6 * 7 * 10 + 10 * 10 * 8
    assert op.macs(X, value, key) == projections + 10 * 6 * 6 + 10 * 6 * 10


def test_what_is_left_out_of_attention_is_what_came_before() -> None:
    op, value = ops.MultiHeadAttention(2, 3, use_bias=False), sequence(6, 7)
    for rule in (op.parameters, op.macs):
        assert rule(X) == rule(X, X) == rule(X, X, X)
        assert rule(X, value) == rule(X, value, value)
    assert op.parameters(X) == 4 * 8 * 6


@pytest.mark.parametrize(
    ("op", "inputs", "error", "text"),
    [
        (ops.LSTM(0), (X,), BadArgument, "lstm: expected units to be a positive int"),
        (ops.LSTM(4, return_sequences=1), (X,), BadArgument, "lstm: expected return_sequences to be True or False"),  # type: ignore[arg-type]
        (ops.GRU(4, go_backwards=1), (X,), BadArgument, "gru: expected go_backwards to be True or False"),  # type: ignore[arg-type]
        (ops.GRU(4, reset_after=1), (X,), BadArgument, "gru: expected reset_after to be True or False"),  # type: ignore[arg-type]
        (ops.GRU(4), (image(3, 4, 4),), ShapeMismatch, "gru: expected (channels, length).\n  Got (3, 4, 4), of rank 3"),
        (ops.MultiHeadAttention(0, 4), (X,), BadArgument, "multi_head_attention: expected num_heads to be a positive"),
        (ops.MultiHeadAttention(2, 0), (X,), BadArgument, "expected key_dim to be a positive int"),
        (ops.MultiHeadAttention(2, 4, 0), (X,), BadArgument, "expected value_dim to be a positive int"),
        (
            ops.MultiHeadAttention(2, 4, dropout=1.0),
            (X,),
            BadArgument,
            "expected dropout to be a number of at least 0 and below 1.\n  Got dropout=1.0 (float).\n  Give dropout",
        ),
        (ops.MultiHeadAttention(2, 4, use_bias=None), (X,), BadArgument, "expected use_bias to be True or False"),  # type: ignore[arg-type]
        (ops.MultiHeadAttention(2, 4), (X, image(3, 4, 4)), ShapeMismatch, "expected (channels, length)"),
        (
            ops.MultiHeadAttention(2, 4),
            (X, sequence(6, 8), sequence(5, 8)),
            ShapeMismatch,
            "expected a value and a key of one length.\n  Got value (8, 6) and key (8, 5).\n  Give the inputs as",
        ),
        (ops.MultiHeadAttention(2, 4), (X, sequence(6, 8, "float64")), ShapeMismatch, "expected inputs of one dtype"),
    ],
)
def test_errors(op: Any, inputs: tuple[Spec, ...], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        op.shape(*inputs)

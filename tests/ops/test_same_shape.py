"""Normalisation, regularisation, activations and the simple operations."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from deep_arch import ops
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.specs import image, sequence, tensor, tokens, vector

X = image(8, 4, 5)


def test_parameters_of_normalisation() -> None:
    for kind in (ops.BatchNormalization, ops.LayerNormalization, ops.GroupNormalization):
        groups: dict[str, Any] = {"groups": 4} if kind is ops.GroupNormalization else {}
        assert kind(**groups).parameters(X) == 16
        assert kind(**groups, center=False).parameters(X) == kind(**groups, scale=False).parameters(X) == 8
        assert kind(**groups, center=False, scale=False).parameters(X) == 0


def test_zero_strides_the_spatial_axes() -> None:
    assert ops.Zero().shape(X) == X
    assert ops.Zero(2).shape(X) == image(8, 2, 3)
    assert ops.Zero((1, 5)).shape(X) == image(8, 4, 1)
    assert ops.Zero(2).shape(vector(8)) == vector(8)
    assert ops.Zero().shape(tensor()) == tensor()


def test_zeros_are_a_vector_whatever_the_input() -> None:
    for x in (X, tensor(), vector(8), tokens(4, 10)):
        assert ops.Zeros(3).shape(x) == vector(3)
    assert ops.Zeros(3).shape(image(8, 4, 5, "float64")) == vector(3, "float64")


def test_identity_keeps_everything() -> None:
    assert ops.Identity().shape(tokens(4, 10)) == tokens(4, 10)


@pytest.mark.parametrize(
    ("op", "error", "text"),
    [
        (
            ops.BatchNormalization(momentum=1),
            BadArgument,
            "batch_normalization: expected momentum to be a number of at least 0 and below 1.\n  Got momentum=1 (int).",
        ),
        (ops.BatchNormalization(epsilon=-1.0), BadArgument, "expected epsilon to be a number of at least 0.\n"),
        (ops.LayerNormalization(center=1), BadArgument, "layer_normalization: expected center to be True or False"),  # type: ignore[arg-type]
        (ops.LayerNormalization(scale=1), BadArgument, "layer_normalization: expected scale to be True or False"),  # type: ignore[arg-type]
        (
            ops.RMSNormalization(math.nan),
            BadArgument,
            "rms_normalization: expected epsilon to be a number of at least 0",
        ),
        (ops.Zeros(0), BadArgument, "zeros: expected units to be a positive int.\n  Got units=0 (int)."),
        (ops.GroupNormalization(0), BadArgument, "group_normalization: expected groups to be a positive int"),
        (
            ops.GroupNormalization(3),
            ShapeMismatch,
            "group_normalization: expected channels that its 3 groups divide.\n  Got (8, 4, 5).\n  Change groups",
        ),
        (
            ops.Dropout(1.0),
            BadArgument,
            "dropout: expected rate to be a number of at least 0 and below 1.\n  Got rate=1.0",
        ),
        (ops.Dropout("half"), BadArgument, "Got rate='half' (str)"),  # type: ignore[arg-type]
        (ops.Dropout(True), BadArgument, "Got rate=True (bool)"),
        (ops.DropPath(-0.1), BadArgument, "drop_path: expected rate to be"),
        (ops.SpatialDropout2D(2), BadArgument, "spatial_dropout2d: expected rate to be"),
        (ops.SpatialDropout1D(0.5), ShapeMismatch, "spatial_dropout1d: expected (channels, length)"),
        (ops.GaussianNoise(-1), BadArgument, "gaussian_noise: expected stddev to be a number of at least 0."),
        (ops.LeakyReLU(-1), BadArgument, "leaky_relu: expected negative_slope to be a number of at least 0."),
        (ops.ELU(math.inf), BadArgument, "elu: expected alpha to be a number.\n  Got alpha=inf (float)"),
        (ops.GELU("tanh"), BadArgument, "gelu: expected approximate to be True or False"),  # type: ignore[arg-type]
        (ops.Scale("one"), BadArgument, "scale: expected initial to be a number.\n  Got initial='one' (str)"),  # type: ignore[arg-type]
        (ops.Zero(0), BadArgument, "zero: expected strides to be a positive int, or a tuple of 2 of them"),
    ],
)
def test_errors(op: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        op.shape(X)


NEED_FLOATS = [ops.ReLU(), ops.PReLU(), ops.Softmax(), ops.Dropout(0.1), ops.BatchNormalization(), ops.Scale()]


@pytest.mark.parametrize("op", NEED_FLOATS, ids=lambda op: op.base_name)
def test_tokens_are_no_numbers(op: Any) -> None:
    with pytest.raises(ShapeMismatch, match=r"expected real numbers\.\n  Got \(4\) int64\.\n  Put an ops\.Embedding"):
        op.shape(tokens(4))


@pytest.mark.parametrize("op", NEED_FLOATS, ids=lambda op: op.base_name)
def test_the_shape_stays_whatever_the_rank(op: Any) -> None:
    for x in (vector(8), sequence(5, 8), X, tensor(8, 2, 3, 4), tensor(8, 2, dtype="float16")):
        assert op.shape(x) == x

"""Specs of inputs as text."""

from __future__ import annotations

import re

import pytest

import deep_arch as da
from deep_arch.command_line.written_specs import read_specs


@pytest.mark.parametrize(
    "text, spec",
    [
        ("image:3x32x24", da.image(3, 32, 24)),
        ("image:3x32x24:float64", da.image(3, 32, 24, dtype="float64")),
        ("vector:8", da.vector(8)),
        ("sequence:10x4", da.sequence(10, 4)),
        ("tokens:10", da.tokens(10)),
        ("tokens:10x500", da.tokens(10, 500)),
        ("tensor:2x3x4x5", da.tensor(2, 3, 4, 5)),
        ("a=vector:8, b=tokens:3", {"a": da.vector(8), "b": da.tokens(3)}),
        ("x=vector:8", {"x": da.vector(8)}),
    ],
)
def test_specs_are_read(text: str, spec: object) -> None:
    assert read_specs(text) == spec


@pytest.mark.parametrize(
    "text, told",
    [
        (
            "imgae:3x4x5",
            "expected one of image, vector, sequence, tokens, tensor, a colon, and sizes without the batch.",
        ),
        ("imgae:3x4x5", "Did you mean 'image'?"),
        ("vector", "Write --inputs image:3x32x32, or image:3x32x32:float64 for another type."),
        ("vector:-1", "Got 'vector:-1'."),
        (
            "vector:8x8",
            "expected vector:FEATURES.\n  Got 'vector:8x8', which has 2 sizes.\n  Write --inputs vector:8, say.",
        ),
        ("vector:0", "every axis must be a positive int"),
        ("vector:8:floating", "dtype must be one of"),
        ("tokens:8:int32", "tokens are int64.\n  Got 'tokens:8:int32'.\n  Leave the type out."),
        (
            "vector:8,b=vector:8",
            "expected the name of each input.\n  Got 'vector:8' without one, in 'vector:8,b=vector:8'.",
        ),
        ("", "Got ''."),
    ],
)
def test_what_is_no_spec_is_told(text: str, told: str) -> None:
    with pytest.raises(da.DeepArchError, match=re.escape(told)):
        read_specs(text)

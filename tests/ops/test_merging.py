from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_arch import ops
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.specs import Spec, image, tensor, tokens, vector

ELEMENTWISE = [ops.Add, ops.Multiply, ops.Average, ops.Maximum, ops.Minimum]
A = image(8, 4, 4)


@pytest.mark.parametrize("kind", [*ELEMENTWISE, ops.Concatenate])
def test_one_input_comes_back(kind: Any) -> None:
    assert kind().shape(A) == A


@pytest.mark.parametrize("kind", ELEMENTWISE)
def test_axes_of_size_one_stretch(kind: Any) -> None:
    assert kind().shape(A, image(8, 1, 1)) == kind().shape(image(8, 1, 1), A) == A
    assert kind().shape(image(8, 1, 4), image(1, 4, 1), A) == A


@given(st.lists(st.tuples(*[st.sampled_from([1, 1, 2, 3])] * 3), min_size=1, max_size=4))
def test_elementwise_merges_broadcast_as_numpy_does(shapes: list[tuple[int, ...]]) -> None:
    inputs = [tensor(*shape) for shape in shapes]
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        with pytest.raises(ShapeMismatch):
            ops.Add().shape(*inputs)
    else:
        assert ops.Add().shape(*inputs).shape == expected


def test_subtract_stretches_too() -> None:
    assert ops.Subtract().shape(A, image(8, 1, 1)) == A


@pytest.mark.parametrize(
    "condition", [vector(8), vector(1), image(1, 4, 4), image(8, 1, 1), image(1, 1, 1), tensor(), A]
)
def test_a_condition_has_one_channel_or_all_and_may_lack_axes(condition: Spec) -> None:
    assert ops.Where().shape(condition, A, A) == A
    assert ops.Where().shape(condition, image(1, 4, 4), image(8, 1, 4)) == A


def test_a_hard_condition_and_what_it_chooses_between_may_be_of_any_type() -> None:
    for condition in (tensor(1, 4, 4, dtype="bool"), tensor(dtype="int64"), vector(8, "float64")):
        assert ops.Where(hard=True).shape(condition, A, A) == A
    assert ops.Where(hard=True).shape(vector(4), tokens(4, 10), tokens(4, 10)) == tokens(4)
    assert ops.Where().shape(tensor(), tensor(), tensor()) == tensor()


def test_concatenate_and_stack() -> None:
    assert ops.Concatenate().shape(A, image(3, 4, 4), A) == image(19, 4, 4)
    assert ops.Concatenate().shape(vector(2), vector(3)) == vector(5)
    assert ops.Concatenate(axis=2).shape(A, image(8, 4, 1)) == image(8, 4, 5)
    assert ops.Stack().shape(A) == tensor(1, 8, 4, 4)
    assert ops.Stack().shape(A, A, A) == tensor(3, 8, 4, 4)


@pytest.mark.parametrize("axis", [-1, 1.0, True, None])
def test_an_axis_is_counted_from_the_channels(axis: Any) -> None:
    text = (
        rf"expected axis to be an int of at least 0\.\n  Got axis={axis}(.|\n)*axis 0, the first axis after them is 1"
    )
    for op in (ops.Concatenate(axis), ops.Split(2, axis), ops.Slice(0, 1, axis)):
        with pytest.raises(BadArgument, match=text):
            op.shape(A)


def test_a_vocabulary_does_not_outlive_a_merge() -> None:
    assert ops.Add().shape(tokens(4, 10), tokens(4, 10)) == tokens(4)


@pytest.mark.parametrize(
    ("op", "inputs", "text"),
    [
        (
            ops.Add(),
            (A, image(8, 2, 2)),
            "add: expected inputs of one shape, or of size 1 where they differ.\n  Got (8, 4, 4) and (8, 2, 2).\n"
            "  Bring them to one shape, such as by an ops.Conv2D of kernel_size 1",
        ),
        (
            ops.Multiply(),
            (A, vector(8)),
            "Got (8, 4, 4) and (8).\n  Put an ops.Reshape before it, or use keepdims=True",
        ),
        (ops.Subtract(), (A, image(4, 4, 4)), "subtract: expected inputs of one shape"),
        (
            ops.Add(),
            (vector(4), tokens(4)),
            "add: expected inputs of one dtype.\n  Got (4,) float32 and (4,) int64.\n  Give",
        ),
        (ops.Add(), (vector(4), Spec((1,), "int64")), "add: expected inputs of one dtype"),
        (ops.Average(), (tokens(4), tokens(4)), "average: expected real numbers.\n  Got (4) int64"),
        (
            ops.Concatenate(),
            (A, image(8, 4, 2)),
            "concatenate: expected inputs that differ in their channels only.\n  Got (8, 4, 4) and (8, 4, 2).\n  Bring",
        ),
        (
            ops.Concatenate(),
            (tensor(), tensor()),
            "concatenate: expected an input with an axis 0.\n  Got (), of rank 0.",
        ),
        (ops.Concatenate(), (vector(4), tensor()), "concatenate: expected inputs that differ in their channels only"),
        (
            ops.Concatenate(axis=3),
            (A, A),
            "concatenate: expected an input with an axis 3.\n  Got (8, 4, 4), of rank 3.",
        ),
        (
            ops.Concatenate(axis=1),
            (A, image(8, 4, 2)),
            "concatenate: expected inputs that differ in their cells along axis 1 only.\n  Got (8, 4, 4) and (8,",
        ),
        (
            ops.Concatenate(axis=2),
            (image(8, 4, 4), tensor(8, 4)),
            "inputs that differ in their cells along axis 2 only",
        ),
        (ops.Concatenate(), (vector(4), tokens(4)), "concatenate: expected inputs of one dtype"),
        (
            ops.Stack(),
            (A, image(8, 1, 1)),
            "stack: expected inputs of one shape.\n  Got (8, 4, 4) and (8, 1, 1).\n  Bring",
        ),
        (ops.Stack(), (vector(4), tokens(4)), "stack: expected inputs of one dtype"),
        (
            ops.Where(),
            (vector(3), A, A),
            "where: expected a condition of 1 or 8 channels, and of size 1 or that of a and b in other axes, or "
            "without these.\n  Got (3) for (8, 4, 4) and (8, 4, 4).\n"
            "  Let what gives the condition have one channel, such as",
        ),
        (ops.Where(), (tensor(8, 4), A, A), "where: expected a condition of 1 or 8 channels"),
        (ops.Where(), (A, image(1, 4, 4), image(1, 4, 4)), "where: expected a condition of 1 or 1 channels"),
        (ops.Where(), (vector(1), tensor(), tensor()), "where: expected a condition of 1 or 1 channels"),
        (ops.Where(), (vector(8), A, vector(8)), "where: expected inputs of one shape"),
        (
            ops.Where(),
            (tensor(dtype="bool"), A, A),
            "where: expected real numbers for a soft choice.\n  Got () bool.\n  Use ops.Where(hard=True), whose",
        ),
        (ops.Where(), (vector(8, "float64"), A, A), "where: expected inputs of one dtype"),
        (ops.Where(hard=True), (vector(4), tokens(4), vector(4)), "where: expected inputs of one dtype"),
    ],
)
def test_misfits(op: Any, inputs: tuple[Spec, ...], text: str) -> None:
    with pytest.raises(ShapeMismatch, match=re.escape(text)):
        op.shape(*inputs)


def test_hard_is_a_bool() -> None:
    with pytest.raises(BadArgument, match=r"where: expected hard to be True or False\.\n  Got hard=1 \(int\)"):
        ops.Where(1).shape(A, A, A)  # type: ignore[arg-type]

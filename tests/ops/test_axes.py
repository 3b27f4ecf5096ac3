"""The roles of the axes of all weights: they tell what of a weight depends on widths, channels and windows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import deep_arch as da
from deep_arch import ops
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec, image, sequence, tensor, tokens
from deep_arch.language.weights import Role, Weight, bias, constants, matrix, statistics
from deep_arch.testing.operation_corners import CORNERS
from deep_arch.testing.operation_strategies import OPERATIONS, Case
from tests.ops.test_every_operation import EXPORTED, USES

HOLDING = sorted(name for name, kind in EXPORTED.items() if kind.weights is not Operation.weights)
INPUTS = {"in": 0, "in1": 1, "in2": 2}

# What makes each operation that has a width of its own wider, in all that is its own.
WIDER: dict[str, dict[str, Any]] = {
    **{name: {"filters": 5} for name in ("Conv1D", "Conv2D", "Conv3D")},
    **{name: {"filters": 5} for name in ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")},
    **{name: {"depth_multiplier": 2} for name in ("DepthwiseConv1D", "DepthwiseConv2D")},
    **{name: {"filters": 5, "depth_multiplier": 2} for name in ("SeparableConv1D", "SeparableConv2D")},
    **{name: {"input_dim": 120, "output_dim": 20} for name in ("Embedding", "ReversibleEmbedding")},
    **{name: {"units": 5} for name in ("GRU", "LSTM")},
    "Dense": {"units": 5},
    "GroupQueryAttention": {"head_dim": 5, "num_query_heads": 9, "num_key_value_heads": 3},
    "MultiHeadAttention": {"num_heads": 3, "key_dim": 5},
    "Parameter": {"target_shape": (9, 3)},
    "PositionEmbedding": {"sequence_length": 9},
}


def factors(weight: Weight) -> list[list[tuple[str, int]]]:
    """Return role and size of each axis, or of each that it is made of."""
    assert weight.axes is not None, "it has no axes"
    pairs = zip(weight.axes, weight.shape, strict=True)
    return [[(axis, n)] if isinstance(axis, str) else list(axis) for axis, n in pairs]


def check(weight: Weight, inputs: Sequence[Spec]) -> None:
    """Check that the axes are those of the shape, and read as many channels as the inputs have."""
    for axis, n in zip(factors(weight), weight.shape, strict=True):
        assert math.prod(size for _, size in axis) == n, f"{axis} does not multiply to {n}"
        for role, size in axis:
            assert role in get_args(Role)
            assert role not in INPUTS or size == inputs[INPUTS[role]].channels, (
                f"{role} is not the channels of its input"
            )


@pytest.mark.parametrize("name", HOLDING)
@given(data=st.data())
def test_axes_fit_the_shape_and_the_inputs(name: str, data: st.DataObject) -> None:
    op, inputs = data.draw(OPERATIONS[EXPORTED[name]])
    for weight in op.weights(*inputs).values():
        check(weight, inputs)


@pytest.mark.parametrize("case", CORNERS.values(), ids=CORNERS)
def test_axes_fit_in_the_corners(case: Case) -> None:
    op, inputs = case
    for weight in op.weights(*inputs).values():
        check(weight, inputs)


@pytest.mark.parametrize(
    ("weight", "text"),
    [
        (Weight((8, 3)), "no axes"),
        (Weight((8, 3), axes=("in", (("fixed", 2), ("out", 2)))), "does not multiply to 3"),
        (Weight((7, 3), axes=("in", "out")), "not the channels"),
        (Weight((8, 3), axes=("in", "in1")), "not the channels"),
    ],
)
def test_the_check_fails_for_other_axes(weight: Weight, text: str) -> None:
    with pytest.raises(AssertionError, match=text):
        check(weight, (sequence(7, 8), sequence(7, 4)))


def test_the_check_fails_for_too_few_axes() -> None:
    with pytest.raises(ValueError, match="zip"):
        check(Weight((8, 3), axes=("in",)), (sequence(7, 8),))


def varied(name: str, role: str) -> tuple[Operation, Operation, Sequence[Spec], Sequence[Spec]]:
    """Return the use of an operation and another with other channels, widths or windows; with the inputs of both."""
    op, inputs = EXPORTED[name](*USES[name][0]), USES[name][1]
    if role == "in":
        return op, op, inputs, [x.with_shape(12, *x.spatial) for x in inputs]
    changes = WIDER.get(name, {}) if role == "out" else {"kernel_size": 5} if hasattr(op, "kernel_size") else {}
    arguments = {f.name: getattr(op, f.name) for f in dataclasses.fields(op) if f.name != "name"}
    return op, EXPORTED[name](**{**arguments, **changes}), inputs, inputs


@pytest.mark.parametrize("role", ["in", "out", "kernel"])
@pytest.mark.parametrize("name", HOLDING)
def test_what_changes_a_width_changes_the_axes_of_its_role_alone(name: str, role: str) -> None:
    op, other, inputs, others = varied(name, role)
    before, after = op.weights(*inputs), other.weights(*others)
    assert before.keys() == after.keys()
    for key, weight in before.items():
        for axis, changed in zip(factors(weight), factors(after[key]), strict=True):
            assert [r for r, _ in axis] == [r for r, _ in changed]
            for (kind, n), (_, m) in zip(axis, changed, strict=True):
                assert (n != m) == (kind == role), f"{key}: {kind} is {n}, then {m}"


def test_all_that_have_a_width_or_a_window_are_varied() -> None:
    roles = {name: set[str]() for name in HOLDING}
    for name in HOLDING:
        for weight in EXPORTED[name](*USES[name][0]).weights(*USES[name][1]).values():
            roles[name] |= {role for axis in factors(weight) for role, _ in axis}
    assert {name for name in HOLDING if "out" in roles[name]} == set(WIDER)
    assert {name for name in HOLDING if "kernel" in roles[name]} == {n for n in HOLDING if "Conv" in n}
    without_input = {"Embedding", "Parameter", "ReversibleEmbedding"}
    assert {name for name in HOLDING if "in" not in roles[name]} == without_input


def test_rows_of_groups_are_no_channels_of_the_input() -> None:
    weights = ops.Conv2D(6, 3, groups=2).weights(image(8, 6, 5))
    assert factors(weights["kernel"]) == [[("kernel", 3)], [("kernel", 3)], [("out", 4)], [("out", 6)]]
    assert weights["bias"].axes == ("out",)


def test_outputs_of_one_channel_are_neighbours() -> None:
    depthwise = ops.DepthwiseConv2D(3, depth_multiplier=2).weights(image(8, 6, 5))
    assert depthwise["bias"].axes == ((("in", 8), ("out", 2)),)
    separable = ops.SeparableConv2D(4, 3, depth_multiplier=2).weights(image(8, 6, 5))
    assert separable["pointwise_kernel"].axes == ("fixed", "fixed", (("in", 8), ("out", 2)), "out")


def test_gates_stand_before_units() -> None:
    x = sequence(7, 8)
    assert ops.LSTM(5).weights(x)["bias"].axes == ((("fixed", 4), ("out", 5)),)
    assert ops.GRU(5).weights(x)["bias"].axes == ("fixed", (("fixed", 3), ("out", 5)))
    assert ops.GRU(5, reset_after=False).weights(x)["bias"].axes == ((("fixed", 3), ("out", 5)),)


def test_a_table_has_the_same_axes_both_ways() -> None:
    table = ops.ReversibleEmbedding(100, 8)
    forwards, backwards = table.weights(tokens(7, 100)), table.weights(sequence(7, 8))
    assert forwards["embeddings"].axes == backwards["embeddings"].axes == ("out", "out")


@pytest.mark.parametrize(
    "op", [ops.MultiHeadAttention(2, 3), ops.GroupQueryAttention(3, 4, 2)], ids=lambda op: type(op).__name__
)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("n", "reads"), [(1, ("in", "in", "in")), (2, ("in", "in1", "in1")), (3, ("in", "in1", "in2"))]
)
def test_each_projection_reads_its_input(op: Operation, masked: bool, n: int, reads: tuple[str, ...]) -> None:
    inputs = [tensor(5, 7), tensor(6, 7), tensor(4, 7)][:n] + [tensor(7, dtype="bool")] * masked
    weights = op.weights(*inputs)
    for name, read in zip(("query", "value", "key"), reads, strict=True):
        assert weights[f"{name}.kernel"].axes == (read, "out", "out")
        assert weights[f"{name}.bias"].axes == ("out", "out")
        check(weights[f"{name}.kernel"], inputs)
    assert weights["attention_output.kernel"].axes == ("out", "out", "in")
    assert weights["attention_output.bias"].axes == ("in",)


def test_what_is_left_out_of_the_axes_of_a_matrix_is_a_window() -> None:
    assert matrix(8, 4).axes == ("in", "out")
    assert matrix(3, 5, 8, 4).axes == ("kernel", "kernel", "in", "out")
    assert matrix(3, 4, 8, axes=("out", "in")).axes == ("kernel", "out", "in")


def test_constants_are_of_each_output_only_where_they_are_a_bias() -> None:
    op = ops.Dense(4)
    assert bias(op, 4)["bias"].axes == ("out",)
    assert bias(op, 2, 4)["bias"].axes == ("out", "out")
    assert bias(op, 8, axes=("in",))["bias"].axes == ("in",)
    assert constants(4).axes is None
    assert statistics(4, initial=0.0).axes is None


def test_a_weight_is_equal_whatever_its_axes() -> None:
    assert da.Weight((8, 4)) == da.Weight((8, 4), axes=("in", "out"))

"""What programs on sequences are made of, on torch: zeros, chosen channels, conditions, means over windows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.language.specs import Spec


def mean(x: Tensor, t: int, before: int, after: int) -> Tensor:
    """Return the mean of the frames around one, as one would write it."""
    return x[..., max(0, t - before) : max(0, t + after + 1)].mean(-1)


@settings(max_examples=30, deadline=None, database=None)
@given(length=st.integers(1, 9), before=st.integers(0, 10), after=st.integers(0, 10))
def test_running_means_are_those_of_their_definition(compute: Any, length: int, before: int, after: int) -> None:
    x = torch.randn(2, 3, length)
    expected = torch.stack([mean(x, t, before, after) for t in range(length)], -1)
    torch.testing.assert_close(compute(ops.WindowAverage(before, after, each=True), x), expected)


@pytest.mark.parametrize("window", [(4, 0), (6, -6), (8, -4), (12, 0), (99, 99)])
def test_the_mean_around_the_last_frame_is_that_of_its_definition(compute: Any, window: tuple[int, int]) -> None:
    x = torch.randn(2, 3, 13)
    torch.testing.assert_close(compute(ops.WindowAverage(*window), x), mean(x, 12, *window))


def test_a_running_mean_is_that_of_each_prefix(compute: Any) -> None:
    x = torch.randn(2, 3, 9)
    each = compute(ops.WindowAverage(4, each=True), x)
    for t in range(9):
        torch.testing.assert_close(each[..., t], compute(ops.WindowAverage(4), x[..., : t + 1]))


def test_a_mask_may_have_gaps_and_numbers(compute: Any) -> None:
    x = torch.arange(1.0, 7.0).reshape(1, 1, 6)
    mask = torch.tensor([[1.0, 0.0, 1.0, -1.0, 0.5, 0.0]])
    assert compute(ops.GlobalAveragePooling1D(), x, mask).item() == (1 + 3 + 5) / 3
    assert compute(ops.WindowAverage(2), x, mask).item() == (3 + 5) / 2
    assert compute(ops.WindowAverage(3, -2), x, mask).item() == 3
    assert compute(ops.WindowAverage(1, each=True), x, mask[:, None]).flatten().tolist() == [1, 1, 3, 3, 5, 5]


@pytest.mark.parametrize("op", [ops.GlobalAveragePooling1D(), ops.WindowAverage(3), ops.WindowAverage(1, each=True)])
def test_what_is_not_there_has_no_part_in_means_and_gradients(compute: Any, op: Any) -> None:
    x = torch.tensor([[[1.0, torch.nan]], [[torch.nan, torch.inf]]], requires_grad=True)
    y = compute(op, x, torch.tensor([[True, False], [False, False]]))
    assert y[0].flatten().tolist() in ([1.0], [1.0, 1.0]) and not y[1].any()
    y.sum().backward()
    assert x.grad is not None and (x.grad != 0).tolist() == [[[True, False]], [[False, False]]]


def test_a_condition_chooses_softly_or_not(compute: Any) -> None:
    a, b = torch.randn(2, 2, 3, 4).unbind(0)
    for c in (torch.randn(2, 3, 4), torch.randn(2, 1, 4), torch.randn(2, 3), torch.randn(2, 1), torch.randn(2)):
        full = c if c.dim() == 3 else c.reshape(2, -1, 1)
        weight = torch.sigmoid(full)
        torch.testing.assert_close(compute(ops.Where(), c, a, b), weight * a + (1 - weight) * b)
        torch.testing.assert_close(compute(ops.Where(hard=True), c, a, b), torch.where(full > 0, a, b))


def test_choices_keep_channels_last_where_they_are() -> None:
    def net(x: Any) -> Any:
        whole = ops.Dense(4, name="whole")(ops.GlobalAveragePooling1D()(x))
        a, b = ops.Dense(4, name="a")(x), ops.Dense(4, name="b")(x)
        return ops.Dense(2, name="last")(ops.Take((3, 0))(ops.Where()(whole, a, b)))

    model: Any = torch_backend.build(da.space(net).at({}), da.sequence(length=5, features=3), seed=0)
    assert sum(node.target is torch.transpose for node in model.graph.nodes) == 2, "in and out"
    x = torch.randn(2, 3, 5)
    weight, a, b = torch.sigmoid(model.whole(x.mean(-1)))[:, None], model.a(x.mT), model.b(x.mT)
    torch.testing.assert_close(model(x), model.last((weight * a + (1 - weight) * b)[..., [3, 0]]).mT)


def test_chosen_channels_are_those_of_the_input(compute: Any) -> None:
    x = torch.randn(2, 5, 3, 4)
    torch.testing.assert_close(compute(ops.Take((4, -5, 4)), x), x[:, [4, 0, 4]])
    assert compute(ops.Take((1, 2)), x).data_ptr() == x[:, 1:].data_ptr(), "neighbours are no copy"
    assert compute(ops.Take((0, 1, 2, 3, 4)), x).data_ptr() == x.data_ptr()


def test_zeros_have_the_type_of_floats(lowered: Any) -> None:
    for spec, x in ((Spec((4,), "int64"), torch.ones(3, 4, dtype=torch.int64)), (Spec((2, 4)), torch.ones(3, 2, 4))):
        torch.testing.assert_close(lowered(ops.Zeros(5), spec)(x), torch.zeros(3, 5))
    nothing = lowered(ops.Zeros(5), Spec((4,)))(torch.full((3, 4), torch.nan, dtype=torch.float64))
    torch.testing.assert_close(nothing, torch.zeros(3, 5, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_means_in_half_precision(compute: Any, dtype: torch.dtype) -> None:
    x, mask = torch.rand(2, 3, 20), torch.arange(20) < torch.tensor([[20], [7]])
    for op in (ops.WindowAverage(4, 2, each=True), ops.WindowAverage(9)):
        result = compute(op, x.to(dtype), mask)
        assert result.dtype == dtype
        torch.testing.assert_close(result.float(), compute(op, x, mask), rtol=0, atol=2e-2)

"""Lowerings of convolutions and pooling: padding is TensorFlow's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from deep_arch import ops
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec
from deep_arch.ops.windows import same_padding


def windows_of(x: Any, pool: int, stride: int) -> list[list[Any]]:
    """Return the cells inside the image (height, width) that each window of "same" padding sees."""
    (top, _), (left, _) = (same_padding(n, pool, stride) for n in x.shape)
    rows, columns = (range(-(-n // stride)) for n in x.shape)

    def cut(i: int, before: int) -> slice:
        return slice(max(i * stride - before, 0), max(i * stride - before + pool, 0))

    return [[x[cut(i, top), cut(j, left)] for j in columns] for i in rows]


@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 4), st.integers(1, 4))
@settings(deadline=None, database=None)
def test_same_pooling_sees_only_cells_inside(compute: Any, height: int, width: int, pool: int, stride: int) -> None:
    x = torch.randn(1, 1, height, width) - 5.0  # below zero, so that a padding of zeros would show
    windows = windows_of(x[0, 0].numpy(), pool, stride)
    largest = np.array([[w.max() for w in row] for row in windows])
    means = np.array([[w.mean() for w in row] for row in windows])
    np.testing.assert_allclose(compute(ops.MaxPooling2D(pool, stride), x)[0, 0], largest)
    np.testing.assert_allclose(compute(ops.AveragePooling2D(pool, stride), x)[0, 0], means, rtol=1e-5)


@given(
    st.tuples(st.integers(1, 8), st.integers(1, 8)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
@settings(deadline=None, database=None)
def test_same_pooling_with_other_strides_on_each_axis_is_that_of_padded_input(
    compute: Any, sizes: tuple[int, int], pool: tuple[int, int], strides: tuple[int, int]
) -> None:
    x = torch.randn(1, 2, *sizes)
    (top, bottom), (left, right) = map(same_padding, sizes, pool, strides)
    padded = F.pad(x, (left, right, top, bottom), value=-torch.inf)
    torch.testing.assert_close(compute(ops.MaxPooling2D(pool, strides), x), F.max_pool2d(padded, pool, strides))
    ones = F.pad(torch.ones_like(x), (left, right, top, bottom))
    padded = F.pad(x, (left, right, top, bottom))
    mean = F.avg_pool2d(padded, pool, strides) / F.avg_pool2d(ones, pool, strides)
    torch.testing.assert_close(compute(ops.AveragePooling2D(pool, strides), x), mean)


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
@settings(deadline=None, database=None)
def test_a_causal_convolution_is_written_out_cell_by_cell(
    compute: Any, size: int, kernel: int, stride: int, gap: int
) -> None:
    x, weight = torch.randn(2, 3, size), torch.randn(4, 3, kernel)
    expected = torch.zeros(2, 4, -(-size // stride))
    for out, cell in enumerate(range(0, size, stride)):
        for tap in range(kernel):
            seen = cell - (kernel - 1 - tap) * gap
            if seen >= 0:
                expected[:, :, out] += x[:, :, seen] @ weight[:, :, tap].T
    op = ops.Conv1D(4, kernel, stride, "causal", gap, use_bias=False)
    torch.testing.assert_close(compute(op, x, weight=weight), expected, atol=1e-5, rtol=1e-5)


@given(
    st.tuples(*[st.integers(1, 4)] * 3),
    st.tuples(*[st.integers(1, 4)] * 3),
    st.tuples(*[st.integers(1, 3)] * 3),
)
@settings(deadline=None, database=None)
def test_same_pooling_of_volumes_smaller_than_the_window(
    compute: Any, sizes: tuple[int, ...], pool: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    x = torch.randn(2, 3, *sizes)
    pads = [cells for axis in reversed(list(map(same_padding, sizes, pool, strides))) for cells in axis]
    total, ones = (F.avg_pool3d(F.pad(t, pads), pool, strides) for t in (x, torch.ones_like(x)))
    torch.testing.assert_close(compute(ops.AveragePooling3D(pool, strides), x), total / ones)
    largest = F.max_pool3d(F.pad(x, pads, value=-torch.inf), pool, strides)
    torch.testing.assert_close(compute(ops.MaxPooling3D(pool, strides), x), largest)


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
@settings(deadline=None, database=None)
def test_same_convolution_pads_as_tensorflow_does(
    compute: Any, size: int, kernel: int, stride: int, dilation: int
) -> None:
    x, weight = np.random.default_rng(0).normal(size=size), np.arange(1.0, kernel + 1)
    n, reach = -(-size // stride), (kernel - 1) * dilation + 1
    before = max((n - 1) * stride + reach - size, 0) // 2
    cells = [[i * stride - before + tap * dilation for tap in range(kernel)] for i in range(n)]
    taps = [[w * x[c] for w, c in zip(weight, seen, strict=True) if 0 <= c < size] for seen in cells]
    expected = np.array([sum(terms, 0.0) for terms in taps])
    op = ops.Conv1D(1, kernel, stride, dilation_rate=dilation, use_bias=False)
    result = compute(op, torch.tensor(x, dtype=torch.float32)[None, None], weight=torch.tensor(weight)[None, None])
    np.testing.assert_allclose(result.detach()[0, 0], expected, rtol=1e-4, atol=1e-5)


def test_even_padding_is_left_to_the_convolution(lowered: Any) -> None:
    op, x = ops.Conv2D(4, 3), Spec((3, 8, 8))
    assert [node.op for node in lowered(op, x).graph.nodes] == ["placeholder", "call_module", "output"]
    assert lowered(op, x).layer.padding == (1, 1)


@pytest.mark.parametrize("cls", [ops.Conv1D, ops.DepthwiseConv1D, ops.SeparableConv1D])
def test_strided_convolution_whose_sizes_vary_pads_outside(lowered: Any, cls: type[Operation]) -> None:
    arguments: dict[str, Any] = {"kernel_size": 3, "strides": 2} | (
        {} if cls is ops.DepthwiseConv1D else {"filters": 1}
    )
    x = Spec((1, 7))
    outside, inside = lowered(cls(**arguments), x, sizes_vary=True), lowered(cls(**arguments), x)
    outside.load_state_dict(inside.state_dict())
    assert "pad" in outside.code and "pad" not in inside.code
    tensor = torch.randn(2, *x.shape)
    torch.testing.assert_close(outside(tensor), inside(tensor))


@given(
    st.integers(1, 6),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(1, 2),
    st.sampled_from(["same", "valid"]),
)
@settings(deadline=None, database=None)
def test_transposed_convolution_is_the_gradient_of_the_convolution(
    compute: Any, size: int, kernel: int, stride: int, dilation: int, padding: Any
) -> None:
    """TensorFlow defines it so: for y of the output's shape, <transposed(x), y> = <x, conv(y)>."""
    op = ops.Conv1DTranspose(1, kernel, stride, padding, dilation_rate=dilation, use_bias=False)
    weight = torch.randn(1, 1, kernel)
    x = torch.randn(1, 1, size)
    up = compute(op, x, weight=weight)
    y = torch.randn(up.shape)
    down = compute(ops.Conv1D(1, kernel, stride, padding, dilation, use_bias=False), y, weight=weight)
    assert down.shape == x.shape
    torch.testing.assert_close((up * y).sum(), (x * down).sum())


def test_depthwise_outputs_of_one_channel_are_neighbours(compute: Any) -> None:
    x = torch.randn(1, 2, 4)
    y = compute(ops.DepthwiseConv1D(1, depth_multiplier=2, use_bias=False), x, weight=torch.ones(4, 1, 1))
    torch.testing.assert_close(y, x.repeat_interleave(2, dim=1))


def test_separable_convolution_is_depthwise_then_pointwise(lowered: Any) -> None:
    model = lowered(ops.SeparableConv2D(5, 3, depth_multiplier=2), Spec((3, 6, 6)))
    assert {name: tuple(p.shape) for name, p in model.named_parameters()} == {
        "layer.depthwise.weight": (6, 1, 3, 3),
        "layer.pointwise.weight": (5, 6, 1, 1),
        "layer.pointwise.bias": (5,),
    }

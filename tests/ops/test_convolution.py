from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_arch import ops
from deep_arch.errors import BadArgument, ShapeMismatch
from deep_arch.language.specs import image, sequence, tensor, tokens, vector
from deep_arch.ops.convolution import output_size, same_padding, tuple_of
from deep_arch.ops.windows import span, transposed_crop, transposed_output_size

SIZES, KERNELS, STRIDES, DILATIONS = st.integers(1, 40), st.integers(1, 9), st.integers(1, 5), st.integers(1, 4)


@given(SIZES, KERNELS, STRIDES, DILATIONS)
def test_valid_counts_the_windows_that_lie_inside(size: int, kernel: int, stride: int, dilation: int) -> None:
    starts = [start for start in range(0, size, stride) if start + (kernel - 1) * dilation < size]
    assert max(output_size(size, kernel, stride, "valid", dilation), 0) == len(starts)


@given(SIZES, KERNELS, STRIDES, DILATIONS)
def test_same_is_valid_after_padding_and_pads_as_little_as_it_can(
    size: int, kernel: int, stride: int, dilation: int
) -> None:
    before, after = same_padding(size, kernel, stride, dilation)
    out = output_size(size, kernel, stride, "same", dilation)
    padded = size + before + after
    assert out == -(-size // stride)
    assert 0 <= after - before <= 1
    assert output_size(padded, kernel, stride, "valid", dilation) == out
    assert before + after == 0 or output_size(padded - 1, kernel, stride, "valid", dilation) < out


@given(SIZES, KERNELS, STRIDES, DILATIONS)
def test_same_transposed_is_the_gradient_of_same(size: int, kernel: int, stride: int, dilation: int) -> None:
    large = transposed_output_size(size, kernel, stride, "same", dilation)
    assert large == size * stride
    before, after = transposed_crop(kernel, stride, "same", dilation)
    # Where the window is shorter than its stride nothing is cut, and zeros fill the gap after.
    assert (max(before, 0), max(after, 0)) == same_padding(large, kernel, stride, dilation)


@given(SIZES, KERNELS, STRIDES, DILATIONS)
def test_valid_transposed_undoes_the_size_of_valid(size: int, kernel: int, stride: int, dilation: int) -> None:
    large = transposed_output_size(size, kernel, stride, "valid", dilation)
    assert large == (size - 1) * stride + max(span(kernel, dilation), stride)
    assert output_size(large, kernel, stride, "valid", dilation) == size


# Keras 3: same gives (n - 1) s + k % 2 + p and valid (n - 1) s + k + p, where k counts the dilation.
@pytest.mark.parametrize(
    ("padding", "expected"), [("same", (4 * 2 + 1 + 1, 3 * 3 + 0 + 2)), ("valid", (4 * 2 + 3 + 1, 3 * 3 + 4 + 2))]
)
def test_output_padding(padding: Any, expected: tuple[int, int]) -> None:
    op = ops.Conv2DTranspose(4, (3, 4), strides=(2, 3), padding=padding, output_padding=(1, 2))
    assert op.shape(image(3, 5, 4)).spatial == expected


def test_tuple_of() -> None:
    assert tuple_of(3, 2) == (3, 3)
    assert tuple_of((3, 5), 2) == tuple_of([3, 5], 2) == (3, 5)


def test_known_values() -> None:
    x = image(3, 32, 32)
    assert ops.Conv2D(64, 3).parameters(x) == 1792
    assert ops.Conv2D(64, 3).macs(x) == 32 * 32 * 64 * 27
    assert ops.Conv2D(64, 3, use_bias=False).parameters(x) == 1728
    assert ops.Conv2D(64, 7, strides=2).shape(image(3, 224, 224)) == image(64, 112, 112)
    assert ops.Conv2D(64, 3, padding="valid").shape(x) == image(64, 30, 30)
    assert ops.Conv2D(64, 3, padding="valid", dilation_rate=2).shape(x) == image(64, 28, 28)
    assert ops.Conv2D(64, (1, 7), strides=(1, 2)).shape(x) == image(64, 32, 16)
    assert ops.SeparableConv2D(64, 3).parameters(x) == 27 + 192 + 64
    assert ops.DepthwiseConv2D(3, depth_multiplier=2).shape(x) == image(6, 32, 32)
    assert ops.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False).parameters(x) == 54
    assert ops.Conv2DTranspose(8, 4, strides=2).shape(x) == image(8, 64, 64)
    assert ops.Conv2DTranspose(8, 4, strides=2).parameters(x) == 8 * (3 * 16 + 1)


def test_groups_divide_the_work() -> None:
    x = image(8, 4, 4)
    whole, grouped = ops.Conv2D(16, 3, use_bias=False), ops.Conv2D(16, 3, groups=4, use_bias=False)
    assert grouped.shape(x) == whole.shape(x)
    assert grouped.parameters(x) * 4 == whole.parameters(x)
    assert grouped.macs(x) * 4 == whole.macs(x)


def test_depthwise_is_a_convolution_of_as_many_groups_as_channels() -> None:
    x = image(8, 4, 4)
    for stride, dilation in itertools.product((1, 2), (1, 2)):
        one = ops.DepthwiseConv2D(3, stride, "valid" if dilation == 1 else "same", 2, dilation)
        other = ops.Conv2D(16, 3, stride, one.padding, dilation, groups=8)
        assert one.shape(x) == other.shape(x)
        assert (one.parameters(x), one.macs(x)) == (other.parameters(x), other.macs(x))


@pytest.mark.parametrize(
    ("op", "text"),
    [
        (
            ops.Conv2D(0, 3),
            "conv2d: expected filters to be a positive int.\n  Got filters=0 (int).\n  Give filters an int",
        ),
        (ops.Conv2D(8.0, 3), "Got filters=8.0 (float)"),  # type: ignore[arg-type]
        (ops.Conv2D(True, 3), "Got filters=True (bool)"),
        (ops.Conv2D(8, 0), "expected kernel_size to be a positive int, or a tuple of 2 of them.\n  Got kernel_size=0"),
        (ops.Conv2D(8, (3, 3, 3)), "Got kernel_size=(3, 3, 3) (tuple)"),
        (ops.Conv2D(8, 3, strides=1.5), "Got strides=1.5 (float)"),  # type: ignore[arg-type]
        (ops.Conv2D(8, 3, dilation_rate=-1), "Got dilation_rate=-1 (int)"),
        (ops.Conv2D(8, 3, padding="full"), "expected padding to be 'same' or 'valid'.\n  Got padding='full' (str)"),  # type: ignore[arg-type]
        (
            ops.Conv2D(8, 3, padding="causal"),
            "conv2d: expected padding to be 'same' or 'valid'.\n  Got padding='causal' (str).\n"
            "  'causal' is for Conv1D, DepthwiseConv1D and SeparableConv1D; elsewhere put an ops.Zero",
        ),
        (
            ops.Conv2D(8, 3, padding=1),  # type: ignore[arg-type]
            "conv2d: expected padding to be 'same' or 'valid'.\n  Got padding=1 (int).\n"
            "  For a number of cells put an ops.ZeroPadding2D before it, and use padding='valid'.",
        ),
        (ops.Conv2D(8, 3, padding="SAME"), "Got padding='SAME' (str).\n  Check its spelling; names are in lower case."),  # type: ignore[arg-type]
        (ops.AveragePooling2D(padding=(1, 1)), "Got padding=(1, 1) (tuple).\n  For a number of cells"),  # type: ignore[arg-type]
        (ops.MaxPooling2D(padding="causal"), "max_pooling2d: expected padding to be 'same' or 'valid'"),  # type: ignore[arg-type]
        (ops.Conv2DTranspose(8, 3, padding="causal"), "conv2d_transpose: expected padding to be 'same' or 'valid'"),  # type: ignore[arg-type]
        (ops.Conv2D(8, 3, groups=3), "expected groups to be a divisor of filters, 8.\n  Got groups=3 (int).\n  Choose"),
        (ops.Conv2D(8, 3, use_bias=1), "expected use_bias to be True or False.\n  Got use_bias=1 (int)"),  # type: ignore[arg-type]
        (ops.DepthwiseConv2D(3, depth_multiplier=0), "depthwise_conv2d: expected depth_multiplier"),
        (ops.SeparableConv2D(8, 3, depth_multiplier=0), "separable_conv2d: expected depth_multiplier"),
        (ops.Conv2DTranspose(8, 3, padding="full"), "conv2d_transpose: expected padding"),  # type: ignore[arg-type]
        (
            ops.Conv2DTranspose(8, 3, strides=2, output_padding=2),
            "expected output_padding to be None, or an int below its stride for each of 2 axes.\n"
            "  Got output_padding=2 (int).\n  Give ints from 0 to strides - 1, where strides is (2, 2), or",
        ),
        (ops.Conv2DTranspose(8, 3, output_padding=(0,)), "Got output_padding=(0,) (tuple)"),
    ],
)
def test_bad_arguments(op: Any, text: str) -> None:
    with pytest.raises(BadArgument, match=re.escape(text)):
        op.shape(image(4, 9, 9))


@pytest.mark.parametrize(
    ("op", "x", "text"),
    [
        (
            ops.Conv2D(8, 3),
            vector(10),
            "conv2d: expected (channels, height, width).\n  Got (10), of rank 1.\n  Use the operation for that many",
        ),
        (ops.Conv1D(8, 3), image(3, 4, 4), "conv1d: expected (channels, length).\n  Got (3, 4, 4), of rank 3."),
        (ops.Conv3D(8, 3), image(3, 4, 4), "conv3d: expected (channels, depth, height, width)."),
        (ops.Conv1D(8, 3), tokens(9), "conv1d: expected real numbers.\n  Got (9) int64.\n  Put an ops.Embedding"),
        (ops.Conv1D(8, 3), tensor(), "conv1d: expected at least one axis.\n  Got ().\n  Give it a value with channels"),
        (
            ops.Conv2D(8, 7, padding="valid"),
            image(3, 9, 5),
            "conv2d: expected an input no smaller than its window of (7, 7), since padding is 'valid'.\n"
            "  Got (3, 9, 5).\n  Use padding='same', a smaller window, or less downsampling before it.",
        ),
        (ops.Conv2D(8, 3, padding="valid", dilation_rate=4), image(3, 8, 8), "its window of (9, 9)"),
        (
            ops.Conv2D(8, 3, groups=2),
            image(3, 8, 8),
            "conv2d: expected channels that its 2 groups divide.\n  Got (3, 8, 8).\n  Change groups, or the channels",
        ),
        (ops.DepthwiseConv1D(3), image(3, 8, 8), "depthwise_conv1d: expected (channels, length)"),
        (ops.SeparableConv1D(8, 3), image(3, 8, 8), "separable_conv1d: expected (channels, length)"),
        (
            ops.Conv1DTranspose(8, 4, strides=2, output_padding=0),
            sequence(1, 3),
            "conv1d_transpose: expected an input of which some output is left.\n"
            "  Got (3, 1), which would give (0,).\n  Raise output_padding, or leave it None.",
        ),
    ],
)
def test_misfits(op: Any, x: Any, text: str) -> None:
    with pytest.raises(ShapeMismatch, match=re.escape(text)):
        op.shape(x)


@pytest.mark.parametrize("kind", [ops.Conv1D, ops.DepthwiseConv1D, ops.SeparableConv1D])
@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
def test_causal_windows_begin_at_every_so_many_cells(kind: Any, size: int, kernel: int, stride: int, gap: int) -> None:
    first = () if kind is ops.DepthwiseConv1D else (2,)
    op = kind(*first, kernel_size=kernel, strides=stride, padding="causal", dilation_rate=gap)
    assert op.shape(sequence(size, 2)) == sequence(len(range(0, size, stride)), 2)
    assert op.parameters(sequence(size, 2)) == kind(*first, kernel_size=kernel).parameters(sequence(size, 2))


def test_a_misspelt_padding_of_one_axis_names_causal_too() -> None:
    with pytest.raises(BadArgument, match=r"'same' or 'valid' or 'causal'(.|\n)*Got padding='casual'"):
        ops.Conv1D(8, 3, padding="casual").shape(sequence(9, 2))  # type: ignore[arg-type]


def test_a_chosen_name_stands_in_the_message() -> None:
    with pytest.raises(BadArgument, match=r"^stem: expected filters"):
        ops.Conv2D(0, 3, name="stem").shape(image(3, 8, 8))

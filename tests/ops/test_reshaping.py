from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import ArityMismatch, BadArgument, ShapeMismatch
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec, image, tensor, tokens, vector

X = image(6, 4, 5)


def test_flatten_keeps_the_dtype_but_no_vocabulary() -> None:
    assert ops.Flatten().shape(X) == vector(120)
    assert ops.Flatten().shape(tensor()) == vector(1)
    assert ops.Flatten().shape(tokens(4, 10)) == tokens(4)


def test_reshape() -> None:
    assert ops.Reshape((120,)).shape(X) == vector(120)
    assert ops.Reshape((-1, 2, 3)).shape(X) == image(20, 2, 3)
    assert ops.Reshape([2, -1]).shape(X) == tensor(2, 60)  # type: ignore[arg-type]
    assert ops.Reshape((-1,)).shape(X) == vector(120)


@given(st.permutations(range(4)))
def test_transpose_is_that_of_numpy(order: list[int]) -> None:
    assert ops.Transpose(tuple(order)).shape(tensor(2, 3, 4, 5)).shape == np.zeros((2, 3, 4, 5)).transpose(order).shape


def test_split_gives_as_many_outputs_as_sections() -> None:
    assert ops.Split(3).shape(X) == (image(2, 4, 5),) * 3
    assert ops.Split(1).shape(X) == (X,)
    assert ops.Split(5, axis=2).shape(X) == (image(6, 4, 1),) * 5


def test_split_gives_an_output_for_each_size() -> None:
    assert ops.Split((1, 3, 2)).shape(X) == (image(1, 4, 5), image(3, 4, 5), image(2, 4, 5))
    assert ops.Split([6]).shape(X) == (X,)
    assert ops.Split([1, 3], axis=1).shape(X) == (image(6, 1, 5), image(6, 3, 5))
    assert ops.Split((3, 1)).shape(tokens(4, 10)) == (tokens(3), tokens(1))


@given(st.integers(-9, 9), st.none() | st.integers(-9, 9), st.integers(0, 2))
def test_slice_is_that_of_numpy_where_it_reaches_no_further_than_the_input(
    start: int, stop: int | None, axis: int
) -> None:
    n = X.shape[axis]
    expected = np.zeros(X.shape)[(slice(None),) * axis + (slice(start, stop),)].shape
    inside = -n <= start < n and (stop is None or -n < stop <= n) and expected[axis] > 0
    if inside:
        assert ops.Slice(start, stop, axis).shape(X).shape == expected
    else:
        with pytest.raises(ShapeMismatch, match="is a part that is not empty"):
            ops.Slice(start, stop, axis).shape(X)


@given(st.lists(st.integers(-8, 8), min_size=1, max_size=4))
def test_take_is_that_of_numpy(indices: list[int]) -> None:
    try:
        expected = np.arange(6)[indices]
    except IndexError:
        with pytest.raises(ShapeMismatch, match="take: expected an input with channel"):
            ops.Take(indices).shape(X)
    else:
        assert ops.Take(tuple(indices)).shape(X) == image(len(indices), 4, 5)
        assert list(ops.Take(indices).places(X)) == expected.tolist()


def test_take_of_tokens_and_by_a_hyperparameter() -> None:
    assert ops.Take((0, 0)).shape(tokens(4, 10)) == tokens(2)
    space = da.space(lambda x: ops.Take(da.subset(range(6), size=2))(x))
    shapes = {architecture.shapes(X)["take"] for architecture in space.enumerate()}
    assert space.size() == 15 and shapes == {(2, 4, 5)}


@pytest.mark.parametrize(
    ("op", "error", "text"),
    [
        (
            ops.Take(()),
            BadArgument,
            "take: expected indices to be a tuple of ints with at least one.\n"
            "  Got indices=() (tuple).\n  Give the chan",
        ),
        (ops.Take(2), BadArgument, "Got indices=2 (int)"),  # type: ignore[arg-type]
        (ops.Take((True,)), BadArgument, "Got indices=(True,) (tuple)"),
        (
            ops.Take((0, 6, 7)),
            ShapeMismatch,
            "take: expected an input with channel 6.\n  Got (6, 4, 5), which has 6.\n  Give indices from -6 to 5, or",
        ),
        (ops.Take((-7,)), ShapeMismatch, "take: expected an input with channel -7."),
        (
            ops.Reshape((-1, -1)),
            BadArgument,
            "reshape: expected target_shape to be a tuple of positive ints, at most one of them -1.\n"
            "  Got target_shape=(-1, -1) (tuple).\n  Give a shape without batch",
        ),
        (ops.Reshape((0, 120)), BadArgument, "Got target_shape=(0, 120) (tuple)"),
        (ops.Reshape((-2, 60)), BadArgument, "Got target_shape=(-2, 60) (tuple)"),
        (ops.Reshape(120), BadArgument, "Got target_shape=120 (int)"),  # type: ignore[arg-type]
        (
            ops.Reshape((7, -1)),
            ShapeMismatch,
            "reshape: expected an input that fills (7, -1).\n  Got (6, 4, 5), of 120",
        ),
        (ops.Reshape((60,)), ShapeMismatch, "an input that fills (60,)"),
        (ops.Reshape((240,)), ShapeMismatch, "an input that fills (240,)"),
        (
            ops.Transpose((0, 0, 1)),
            BadArgument,
            "transpose: expected permutation to be a tuple with each int from 0 to rank - 1 once.\n"
            "  Got permutation=(0, 0, 1) (tuple).\n  Give an order such as (1, 0)",
        ),
        (ops.Transpose((1, 2, 3)), BadArgument, "Got permutation=(1, 2, 3) (tuple)"),
        (
            ops.Transpose((1, 0)),
            ShapeMismatch,
            "transpose: expected an input of rank 2.\n  Got (6, 4, 5), of rank 3.\n",
        ),
        (
            ops.Split(0),
            BadArgument,
            "split: expected sections to be a positive int, or a tuple of them.\n  Got sections=0 (int).\n"
            "  Give the number of equal parts, such as 2, or the size of each, such as (85, 1).",
        ),
        (
            ops.Split(4),
            ShapeMismatch,
            "split: expected channels that 4 sections divide.\n  Got (6, 4, 5).\n"
            "  Change sections, give the size of each, such as (5, 1), or change what comes before.",
        ),
        (ops.Split(2, axis=2), ShapeMismatch, "split: expected cells along axis 2 that 2 sections divide"),
        (ops.Split(2, axis=3), ShapeMismatch, "split: expected an input with an axis 3.\n  Got (6, 4, 5), of rank 3."),
        (
            ops.Split([4, 3]),
            ShapeMismatch,
            "split: expected 7 channels, which are 4 + 3.\n  Got (6, 4, 5), which has 6.\n"
            "  Give the sizes of all parts, not the places of the cuts; or change what comes before.",
        ),
        (ops.Split([4]), ShapeMismatch, "split: expected 4 channels.\n  Got (6, 4, 5), which has 6."),
        (
            ops.Slice(0, 7),
            ShapeMismatch,
            "slice: expected channels of which 0:7 is a part that is not empty.\n  Got (6, 4, 5), which has 6.",
        ),
        (ops.Slice(-1, 0, axis=1), ShapeMismatch, "slice: expected cells along axis 1 of which -1:0 is a part"),
        (ops.Slice(6, None), ShapeMismatch, "slice: expected channels of which 6: is a part"),
        (ops.Slice("0", 1), BadArgument, "slice: expected start to be an int.\n  Got start='0' (str)."),  # type: ignore[arg-type]
        (ops.Slice(0, 1.0), BadArgument, "slice: expected stop to be an int or None.\n  Got stop=1.0 (float)."),  # type: ignore[arg-type]
    ],
)
def test_errors(op: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        op.shape(X)


@pytest.mark.parametrize(
    "sections", [None, "2", "ab", 2.0, 0, -1, True, (), [3, 0], (3, -1, 2), [3, 1.0], [3, None], {3: 1}]
)
def test_sections_of_another_kind_are_refused_before_they_are_counted(sections: Any) -> None:
    def net(x: Any) -> Any:
        return da.repeat(lambda x: ops.Split(sections)(x)[0], 1)(x)

    with pytest.raises(BadArgument, match=r"^repeat\[0\]/split: expected sections to be(.|\n)*Got sections="):
        da.space(net).sample(seed=0).shapes(vector(4))
    with pytest.raises(BadArgument, match=r"split: expected sections to be"):
        da.space(lambda x: next(iter(ops.Split(sections)(x)))).sample(seed=0)


@pytest.mark.parametrize("n", [None, "2", 2.0, 0, True, [2]])
def test_an_operation_whose_number_of_outputs_is_none_is_refused_by_name(n: Any) -> None:
    class Halves(Operation):
        @property
        def n_outputs(self) -> int:
            return n  # type: ignore[no-any-return]

        def shape(self, x: Spec) -> tuple[Spec, ...]:
            return x, x

    for use in (lambda x: Halves()(x)[0], lambda x: next(iter(Halves()(x)))):
        with pytest.raises(BadArgument, match=r"halves: expected n_outputs to give a positive int(.|\n)*Got"):
            da.space(use).sample(seed=0)


def test_parts_are_unpacked_where_their_number_is_known() -> None:
    def net(x: Any) -> Any:
        n = da.integer(1, 7, name="n")
        a, b = ops.Split((n, 8 - n))(x)
        c, d = ops.Split(da.choice([[3, 1], [2, 2]], name="sizes"))(ops.Dense(4)(a))
        return ops.Concatenate()(d, b, c)

    architecture = da.space(net).at({"n": 5, "sizes": [3, 1]})
    shapes = architecture.shapes(vector(8))
    assert (shapes["split"], shapes["split_1"], shapes["concatenate"]) == (((5,), (3,)), ((3,), (1,)), (7,))
    assert da.space(net).size() == 14
    with pytest.raises(ArityMismatch, match=r"depends on open hyperparameters(.|\n)*Index the outputs"):
        da.space(lambda x: list(ops.Split(da.choice([[3, 1], 4]))(x))).start()


def test_sizes_of_parts_may_come_from_shapes() -> None:
    def net(x: Any) -> Any:
        a, b = ops.Split((da.channels(x) // 4, da.channels(x) - da.channels(x) // 4))(x)
        return ops.Concatenate()(b, ops.Slice(0, da.channels(a))(b), a)

    assert da.space(net).sample(seed=0).shapes(vector(10)) == {
        "split": ((2,), (8,)),
        "slice": (2,),
        "concatenate": (12,),
    }


def test_parts_may_be_as_many_as_a_hyperparameter_says() -> None:
    space = da.space(lambda x: ops.Split(da.choice([[3, 1], [2, 1, 1], 4], name="sizes"))(x)[1])
    assert [space.at({"sizes": sizes}).shapes(vector(4))["split"][1] for sizes in ([3, 1], [2, 1, 1], 4)] == [(1,)] * 3
    with pytest.raises(ArityMismatch, match=r"split gives 2 values\.\n  Got a use of output 2"):
        da.space(lambda x: ops.Split([3, 1])(x)[2]).sample(seed=0)

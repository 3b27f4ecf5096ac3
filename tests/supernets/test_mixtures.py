"""Laws of relaxed states: what a mixture gives is what its values give, added by their weights."""

# The functions of the spaces here are lambdas, whose parameters have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import NotSupported, ShapeMismatch
from deep_arch.testing import supernet_contract as contract
from deep_arch.testing.network_spaces import WIDTH, RandomNetwork, keeping, networks
from deep_arch.testing.supernet_spaces import NAMED

SOME = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
IMAGE = da.image(channels=3, height=4, width=4)

# --- one-hot ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMED)
def test_one_hot_is_the_path(name: str) -> None:
    space, inputs, as_values, is_random = NAMED[name]
    supernet, batch = contract.network_of(space, inputs), contract.examples(space, inputs)
    for seed in range(3):
        values = contract.decisions_of(supernet, seed)
        for training in (False,) if is_random else (False, True):
            contract.check_one_hot(supernet, values, batch, training, as_values)


@SOME
@given(network=networks(), seed=st.integers(0, 100))
def test_one_hot_is_the_path_in_a_random_space(network: RandomNetwork, seed: int) -> None:
    supernet = contract.network_of(network.space, network.inputs)
    batch = contract.examples(network.space, network.inputs)
    try:
        contract.check_one_hot(supernet, contract.decisions_of(supernet, seed), batch, training=False)
    except (ShapeMismatch, NotSupported) as error:
        assert "sample paths" in str(error).lower()
        assume(False)


# --- widths and kernels ----------------------------------------------------------------------------------------------

_EACH_CHANNEL: Mapping[str, Callable[[], Any]] = {
    "batch norm": ops.BatchNormalization,
    "plain batch norm": lambda: ops.BatchNormalization(center=False, scale=False),
    "relu": ops.ReLU,
    "mish": ops.Mish,
    "sigmoid": ops.Sigmoid,
    "prelu": ops.PReLU,
    "scale": lambda: ops.Scale(0.5),
    "depthwise": lambda: ops.DepthwiseConv2D(3),
    "two of each": lambda: ops.DepthwiseConv2D(1, depth_multiplier=2, use_bias=False),
    "max": lambda: ops.MaxPooling2D(3, strides=1),
    "mean": lambda: ops.AveragePooling2D(2, strides=2),
    "padding": lambda: ops.ZeroPadding2D(1),
    "doubled": lambda: lambda x: ops.Add()(x, ops.Tanh()(x)),
    "gated": lambda: lambda x: ops.Maximum()(ops.Sigmoid()(x), x),
}

_ENDS: Mapping[str, Callable[[], Any]] = {
    "nothing": ops.Identity,
    "convolution": lambda: ops.Conv2D(3, 3),
    "separable": lambda: ops.SeparableConv2D(3, 3),
    "dense": lambda: ops.Dense(2),
    "mean": lambda: da.sequential(ops.GlobalAveragePooling2D, lambda: ops.Dense(2)),
    "flat": lambda: da.sequential(ops.Flatten, lambda: ops.Dense(2)),
    "transposed": lambda: ops.Conv2DTranspose(2, 3, strides=2),
    "joined": lambda: lambda x: ops.Conv2D(2, 1)(ops.Concatenate()(ops.Conv2D(3, 1, name="side")(x), x)),
}


@SOME
@given(
    between=st.lists(st.sampled_from([*_EACH_CHANNEL]), max_size=4),
    end=st.sampled_from([*_ENDS]),
    source=st.sampled_from(["conv", "separable", "dense", "transposed"]),
    training=st.booleans(),
)
def test_a_mask_is_the_expectation(between: list[str], end: str, source: str, training: bool) -> None:
    def net(x: da.Value) -> da.Value:
        filters = da.choice([2, 3, 6], name="width")
        kinds: Mapping[str, Any] = {
            "conv": ops.Conv2D,
            "separable": ops.SeparableConv2D,
            "transposed": ops.Conv2DTranspose,
        }
        x = ops.Dense(filters)(x) if source == "dense" else kinds[source](filters, 3)(x)
        for name in between:
            x = _EACH_CHANNEL[name]()(x)
        last: Any = _ENDS[end]()
        return last(x)  # type: ignore[no-any-return]

    _check(net, "width", training, widest=end == "nothing")


def _check(net: Any, address: str, training: bool, inputs: Any = IMAGE, widest: bool = False) -> None:
    """Check the expectation; or of outputs of elastic width, once a layer has made of them outputs of one."""
    space = da.space((lambda x: ops.Dense(2)(net(x))) if widest else net)
    supernet = contract.network_of(space, inputs)
    batch, values = contract.examples(space, inputs), contract.decisions_of(supernet)
    contract.check_expectation(supernet, values, address, batch, training)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("merge", [ops.Add, ops.Multiply, ops.Maximum, ops.Average, ops.Subtract])
def test_values_that_one_decision_makes_wide_keep_their_mask(merge: Any, training: bool) -> None:
    def net(x: da.Value) -> da.Value:
        width = da.choice([2, 4, 6], name="width")
        x = merge()(ops.Conv2D(width, 1)(x), ops.Conv2D(width, 3)(x))
        return ops.Conv2D(3, 1)(ops.ReLU()(ops.BatchNormalization()(x)))

    _check(net, "width", training)


@pytest.mark.parametrize("training", [False, True])
def test_a_mask_of_joined_parts_is_the_expectation(training: bool) -> None:
    def net(x: da.Value) -> da.Value:
        a, b = ops.Conv2D(da.choice([2, 4], name="width"), 1)(x), ops.Conv2D(da.choice([1, 3]), 1)(x)
        x = ops.ReLU()(ops.BatchNormalization()(ops.Concatenate()(a, b, x)))
        return ops.Dense(3)(ops.Flatten()(ops.DepthwiseConv2D(3)(x)))

    _check(net, "width", training)


def _of_frames(x: da.Value) -> da.Value:
    return ops.Reshape((3, 16))(x)


_PROGRAMS: Mapping[str, Callable[[da.Value, Any], da.Value]] = {
    "a gate of one channel": lambda x, width: ops.Where()(
        ops.Dense(1)(x), ops.Conv1D(width, 1)(x), ops.Conv1D(width, 3)(x)
    ),
    "a gate of each channel": lambda x, width: ops.Where()(*[ops.Conv1D(width, k)(x) for k in (1, 2, 3)]),
    "a gate for all cells": lambda x, width: ops.Where()(
        ops.GlobalAveragePooling1D()(ops.Dense(1)(x)), ops.Conv1D(width, 1)(x), ops.Conv1D(width, 3)(x)
    ),
    "running means": lambda x, width: ops.WindowAverage(2, 1, each=True)(ops.Conv1D(width, 1)(x)),
    "means of what is there": lambda x, width: ops.WindowAverage(2, 1, each=True)(
        ops.Conv1D(width, 1)(x), ops.Dense(1)(x)
    ),
    "chosen channels": lambda x, width: ops.Take((1, -1))(ops.Tanh()(ops.Conv1D(width, 1)(x))),
    "first states": lambda x, width: ops.Add()(x, ops.Reshape((3, 1))(ops.Zeros(3)(ops.Conv1D(width, 1)(x)))),
}


@pytest.mark.parametrize("name", _PROGRAMS)
def test_what_programs_are_made_of_is_the_expectation(name: str) -> None:
    def net(x: da.Value) -> da.Value:
        return ops.Dense(2)(_PROGRAMS[name](_of_frames(x), da.choice([2, 3, 6], name="width")))

    _check(net, "width", training=False)


def test_a_gate_leaves_joined_parts_of_elastic_width_their_channels() -> None:
    def net(x: da.Value) -> da.Value:
        a, b = (ops.Dense(da.choice([2, 4], name=name))(x) for name in ("a", "b"))
        wide = ops.Concatenate()(a, b)
        return ops.Dense(3)(ops.Where()(ops.Dense(1)(x), ops.Multiply()(ops.Dense(1)(x), wide), wide))

    space, vector = da.space(net), da.vector(3)
    supernet, batch = contract.network_of(space, vector), contract.examples(space, vector)
    for architecture in space.enumerate():
        built = supernet.build(architecture)
        expected = built(**batch)
        contract.assert_close([supernet.at(architecture)(**batch)], [expected], "outputs")
        last = [name for name in dict(built.named_parameters()) if name.endswith("weight")][-1]
        taken = [*range(architecture.values["a"]), *range(4, 4 + architecture.values["b"])]
        full = dict(supernet.named_parameters())[last]
        assert (dict(built.named_parameters())[last] == full[:, taken]).all()


@pytest.mark.parametrize("norm", [ops.LayerNormalization, ops.RMSNormalization, ops.Softmax])
def test_a_width_over_channels_is_the_expectation(norm: Any) -> None:
    def net(x: da.Value) -> da.Value:
        return ops.Dense(3)(norm()(ops.Tanh()(ops.Dense(da.choice([2, 4, 7], name="width"))(x))))

    _check(net, "width", training=False, inputs=da.vector(3))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "conv",
    [
        lambda k: ops.Conv2D(3, k),
        lambda k: ops.Conv2D(3, k, dilation_rate=2),
        lambda k: ops.Conv2D(3, k, groups=3),
        lambda k: ops.DepthwiseConv2D(k),
        lambda k: ops.SeparableConv2D(3, k),
        lambda k: ops.Conv2D(3, k, strides=2),
        lambda k: ops.Conv2DTranspose(3, k, strides=2),
    ],
)
def test_a_masked_kernel_is_the_mixture(conv: Any, training: bool) -> None:
    for sizes in ([1, 3, 5], [1, 2, 3, 4], [(1, 3), (3, 1), (3, 3)]):
        _check(lambda x, sizes=sizes: conv(da.choice(sizes, name="kernel"))(x), "kernel", training)


def test_kernels_of_sequences_are_mixtures() -> None:
    for padding in ("same", "causal"):
        _check(
            lambda x, padding=padding: ops.Conv1D(3, da.choice([1, 2, 3, 4], name="kernel"), padding=padding)(x),
            "kernel",
            training=False,
            inputs=da.sequence(6, 3),
        )


# --- structure -------------------------------------------------------------------------------------------------------

_PARTS = sorted(set(keeping(2)) - {"random", "projected"})  # these draw, or are as wide as the widest


@SOME
@given(names=st.lists(st.sampled_from(_PARTS), min_size=3, max_size=3), kind=st.integers(0, 7), training=st.booleans())
def test_structure_mixes_what_its_values_give(names: list[str], kind: int, training: bool) -> None:
    a, b, c = [keeping(2)[name] for name in names]
    kinds: list[tuple[Any, str]] = [
        (lambda: da.or_([a, b, c], name="d"), "d.which"),
        (lambda: da.or_({"a": a, "b": lambda: da.sequential(b, c)}, name="d"), "d.which"),
        (lambda: da.optional(lambda: da.sequential(a, b), name="d"), "d.use"),
        (lambda: da.repeat(a, da.choice([0, 1, 2, 4]), name="d"), "d.times"),
        (lambda: da.dense_block(a, da.choice([0, 1, 3]), ops.Add, name="d"), "d.times"),
        (lambda: da.split_combine(a, ops.Add, da.choice([1, 2, 3]), name="d"), "d.times"),
        (lambda: da.permute([a, b, c], name="d"), "d.order"),
        (lambda: da.substitute(lambda n: [a, b, c][n], n=da.integer(0, 2), name="d"), "d.n"),
    ]
    make, address = kinds[kind]
    try:
        _check(lambda x: make()(ops.Dense(WIDTH, name="stem")(x)), address, training)
    except NotSupported:
        assume(False)


def test_a_dense_block_of_elastic_depth_is_the_expectation() -> None:
    def net(x: da.Value) -> da.Value:
        x = da.dense_block(lambda: ops.Conv2D(2, 3), da.choice([1, 2, 4]), name="d")(x)
        return ops.Dense(3)(ops.Flatten()(x))

    for training in (False, True):
        _check(net, "d.times", training)


def test_a_count_that_depends_is_the_expectation() -> None:
    def net(x: da.Value) -> da.Value:
        n = da.choice([1, 2], name="n")
        return da.repeat(lambda: ops.Dense(3), 2 * n)(x)

    _check(net, "n", training=False, inputs=da.vector(3))


def test_a_width_that_shapes_decide_by_is_the_expectation() -> None:
    def net(x: da.Value) -> da.Value:
        width = da.choice([3, 4], name="width")
        x = da.residual(lambda: ops.Dense(width), project=lambda: ops.Dense(width))(x)
        return ops.Dense(2)(x)

    for training in (False, True):
        _check(net, "width", training)


def test_sizes_that_differ_are_mixed_where_they_agree_again() -> None:
    def net(x: da.Value) -> da.Value:
        x = ops.ReLU()(ops.BatchNormalization()(ops.Conv2D(4, 3, strides=da.choice([1, 2], name="strides"))(x)))
        return ops.Dense(2)(ops.GlobalAveragePooling2D()(ops.ReLU()(ops.Conv2D(4, 3)(x))))

    for training in (False, True):
        _check(net, "strides", training)

"""Errors of super-networks: where, what was expected, what arrived, and how to mend it."""

# pyright: reportUnknownMemberType=false, reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.errors import (
    BadArgument,
    MissingValues,
    NotCountable,
    NotSpecified,
    NotSupported,
    ShapeMismatch,
    TrialError,
    UnknownAddress,
    ValueOutsideDomain,
)
from deep_arch.testing import supernet_contract as contract

VECTOR = da.vector(3)
IMAGE = da.image(channels=3, height=4, width=4)


@da.space
def net(x: da.Value) -> da.Value:
    return ops.Dense(2)(da.or_([ops.Tanh, lambda: ops.Dense(da.choice([2, 4], name="width"))], name="d")(x))


def relaxed(function: Any, inputs: Any, state: dict[str, Any]) -> Any:
    """Return what a relaxed state gives."""
    space = da.space(function)
    return contract.network_of(space, inputs).at(state)(**contract.examples(space, inputs))


def raises(kind: Any, *parts: str) -> Any:
    return pytest.raises(kind, match="(?s)" + ".*".join([re.escape(part) for part in parts]))


# --- making ----------------------------------------------------------------------------------------------------------


def test_what_is_no_space() -> None:
    with raises(BadArgument, "torch_backend.supernet: expected a search space", "not an architecture of it"):
        torch_backend.supernet(net.sample(seed=0), VECTOR)


def test_a_real_number_that_decides_structure() -> None:
    space = da.space(lambda x: da.substitute(lambda r: ops.Tanh if r < 0.5 else ops.ReLU, r=da.real(0.0, 1.0))(x))
    with raises((NotCountable, NotSupported), "real", "discretize(levels="):
        torch_backend.supernet(space, VECTOR)
    torch_backend.supernet(space.discretize(levels=3), VECTOR)


def test_a_real_number_that_decides_a_shape() -> None:
    space = da.space(lambda x: ops.Dense(da.dependent(lambda r: 1 + int(8 * r), da.real(0.0, 1.0)))(x))
    with raises((NotCountable, NotSupported), "dense.units", "real", "discretize(levels="):
        torch_backend.supernet(space, VECTOR)


def test_a_sub_space_that_leaves_decisions_open() -> None:
    space = net.where(lambda point: point.address == "d.which")
    with raises(NotSpecified, "d[1]/width", "leaves it open", "where", "whole space"):
        torch_backend.supernet(space, VECTOR)


def test_recursion_without_a_limit() -> None:
    @da.rule
    def expression(x: da.Value) -> da.Value:
        return da.or_([ops.Tanh, lambda: expression])(x)

    with raises(NotCountable, "limit(max_depth="):
        torch_backend.supernet(da.space(lambda x: expression(x)), VECTOR)


def test_recursion_without_a_rule() -> None:
    def expression(x: da.Value) -> da.Value:
        return da.or_([ops.Tanh, lambda: expression])(x)

    with raises(NotCountable, "without end", "@da.rule", "limit(max_depth="):
        torch_backend.supernet(da.space(expression), VECTOR)


def test_too_many_joint_values() -> None:
    options = range(40)
    space = da.space(
        lambda x: da.substitute(
            lambda a, b, c: ops.Scale(float(a + b + c)),
            a=da.choice(options),
            b=da.choice(options),
            c=da.choice(options),
        )(x)
    )
    with raises(NotSupported, "too many joint values", "space.fix"):
        torch_backend.supernet(space, VECTOR)


def test_inputs_that_do_not_fit() -> None:
    with raises(ShapeMismatch, "conv2d"):
        torch_backend.supernet(da.space(lambda x: ops.Conv2D(da.choice([2, 3]), 1)(x)), VECTOR)


# --- states ----------------------------------------------------------------------------------------------------------


def test_what_is_no_state() -> None:
    supernet = contract.network_of(net, VECTOR)
    with raises(BadArgument, "supernet.at: expected a trial, an architecture, or values", "Got 3 (int)"):
        supernet.at(3)


def test_an_architecture_of_another_space() -> None:
    other = da.space(lambda x: ops.Dense(2)(x))
    supernet = contract.network_of(net, VECTOR)
    for use in (supernet.at, supernet.build, lambda given: supernet.calibrate(given, [])):
        with raises(BadArgument, "expected an architecture of net", "another space"):
            use(other.start())


def test_an_architecture_that_is_not_specified() -> None:
    with raises(NotSpecified, "net: a view needs a value", "Got none for d.which", "da.Mixture"):
        contract.network_of(net, VECTOR).at(net.start())


def test_a_path_whose_values_lack_one() -> None:
    with raises(MissingValues, "d.which: has no value"):
        contract.network_of(net, VECTOR).at({})


def test_a_relaxed_state_whose_values_lack_one() -> None:
    supernet, batch = contract.network_of(net, VECTOR), contract.examples(net, VECTOR)
    (width,) = set(supernet.decisions) - {"d.which"}
    with raises(MissingValues, f"{width}: this relaxed state reaches it", "every alternative of a mixture"):
        supernet.at({"d.which": da.Mixture((0, 1), (0.5, 0.5))})(**batch)


def test_an_address_that_there_is_not() -> None:
    with raises(UnknownAddress, "d.wich", "d.which"):
        contract.network_of(net, VECTOR).at({"d.wich": da.Mixture((0, 1), (0.5, 0.5))})


def test_a_value_outside_the_domain() -> None:
    supernet, batch = contract.network_of(net, VECTOR), contract.examples(net, VECTOR)
    (width,) = set(supernet.decisions) - {"d.which"}
    for state in (
        {"d.which": da.Mixture((0, 7), (0.5, 0.5)), width: 2},
        {"d.which": da.Mixture((0, 1), (0.5, 0.5)), width: 7},
    ):
        with raises(ValueOutsideDomain, "7 is not"):
            supernet.at(state)(**batch)


@pytest.mark.parametrize(
    ("values", "weights", "active", "text"),
    [
        ((1, 2), (0.5,), (), "1 weights for 2 values"),
        ((), (), (), "at least one value"),
        ((1, 2), (0.5, -0.5), (), "finite numbers from 0"),
        ((1, 2), (0.5, float("nan")), (), "finite numbers from 0"),
        ((1, 1), (0.5, 0.5), (), "values that differ"),
        ((1, 2), (0.5, 0.5), (2,), "active positions from 0 to 1"),
        ((1, 2), (0.5, 0.5), (0, 0), "each once"),
    ],
)
def test_a_mixture_that_is_none(values: Any, weights: Any, active: Any, text: str) -> None:
    with raises(BadArgument, "Mixture: expected", text):
        da.Mixture(values, weights, active)


def test_weights_that_leave_nothing_of_what_is_offered() -> None:
    """Where a limit offers only some values, and these have no weight, there is nothing to share out."""

    @da.rule
    def expression(x: da.Value) -> da.Value:
        return da.or_({"end": ops.Tanh, "more": lambda: expression}, name="d")(x)

    space = da.space(lambda x: expression(x)).limit(max_depth=2)
    supernet, batch = contract.network_of(space, VECTOR), contract.examples(space, VECTOR)
    state = {address: da.Mixture(("end", "more"), (0.0, 1.0)) for address in supernet.decisions}
    with raises(ValueOutsideDomain, "none of the active values can be taken here", "space.start() offers"):
        supernet.at(state)(**batch)


def test_inputs_that_are_missing() -> None:
    view = contract.network_of(net, VECTOR).at(net.sample(seed=0))
    with raises(BadArgument, "net: expected a tensor for each of the inputs x", "Got 0 in order"):
        view()
    with raises(BadArgument, "expected a tensor for each of the inputs x"):
        view(torch.zeros(1, 3), torch.zeros(1, 3))


# --- running ---------------------------------------------------------------------------------------------------------


def test_alternatives_of_different_sizes() -> None:
    def strided(x: da.Value) -> da.Value:
        return ops.Conv2D(2, 3, strides=da.choice([1, 2], name="strides"))(x)

    with raises(ShapeMismatch, "conv2d", "come to one size", "(2, 4, 4)", "(2, 2, 2)", "equal strides", "sample paths"):
        relaxed(strided, IMAGE, {"strides": da.Mixture((1, 2), (0.5, 0.5))})


def test_several_widths_that_an_operation_computes_over() -> None:
    def joined(x: da.Value) -> da.Value:
        parts = [ops.Dense(da.choice([2, 4], name=name))(x) for name in ("a", "b")]
        return ops.Dense(2)(ops.LayerNormalization()(ops.Concatenate()(*parts)))

    soft = da.Mixture((2, 4), (0.5, 0.5))
    with raises(NotSupported, "layer_normalization: LayerNormalization computes over channels", "Sample paths"):
        relaxed(joined, VECTOR, {"a": soft, "b": soft})


def test_shapes_that_decide_and_are_relaxed() -> None:
    def chosen(x: da.Value) -> da.Value:
        width = da.choice([3, 4], name="width")
        return da.residual(lambda: ops.Dense(width), project=lambda: ops.Dense(width))(x)

    with raises(NotSupported, "shapes decide here", "Sample paths"):
        relaxed(chosen, VECTOR, {"width": da.Mixture((3, 4), (0.5, 0.5))})


def test_slopes_of_what_does_not_depend_on_mixtures() -> None:
    supernet = contract.network_of(net, VECTOR)
    view = supernet.at({**contract.decisions_of(supernet), "d.which": da.Mixture((0, 1), (0.5, 0.5))})
    with raises(TrialError, "slopes: expected a score that was computed with this view", "supernet.at(trial)"):
        view.slopes(torch.zeros(()))


# --- models ----------------------------------------------------------------------------------------------------------


def test_building_what_is_relaxed() -> None:
    supernet = contract.network_of(net, VECTOR)
    state = {**contract.decisions_of(supernet), "d.which": da.Mixture((0, 1), (0.5, 0.5))}
    for use, name in ((supernet.build, "build"), (lambda s: supernet.calibrate(s, []), "calibrate")):
        with raises(NotSpecified, f"supernet.{name}: expected one architecture", "Got a relaxed state"):
            use(state)


def test_calibrating_with_nothing() -> None:
    with raises(BadArgument, "supernet.calibrate: expected at least one batch"):
        contract.network_of(net, VECTOR).calibrate(net.sample(seed=0), [])


def test_loading_what_does_not_fit() -> None:
    supernet = contract.network_of(net, VECTOR)
    name, array = next(iter(torch_backend.get_weights(supernet).items()))
    with raises(BadArgument, "supernet.load: expected a built model"):
        supernet.load(3)
    with raises(BadArgument, "no module of net holds such a weight"):
        supernet.load({name + "x": array})
    with raises(ShapeMismatch, f"{name}: expected a weight that fits"):
        supernet.load({name: torch.zeros(*[n + 1 for n in array.shape]).numpy()})

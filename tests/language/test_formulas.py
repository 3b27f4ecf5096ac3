"""Formulas of shapes: what they do to a space while it is written, counted, searched and replayed."""

from __future__ import annotations

import json
import operator
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import (
    ArityMismatch,
    BadArgument,
    DependentFailed,
    HyperparameterMisuse,
    InvalidDomain,
    NotKnownYet,
    ScopeError,
    ShapeMismatch,
    TooDeep,
)
from deep_arch.language.modules import Operation
from deep_arch.language.values import Value
from deep_arch.testing.spaces import Plan, Scope, compose, plans

IMAGE = da.image(channels=3, height=8, width=8)


def arguments(architecture: da.Architecture, inputs: da.Spec = IMAGE) -> dict[str, dict[str, Any]]:
    """Return the arguments of each call by its address, as they are built."""
    return {call.address: dict(call.module.arguments) for call in architecture.settled(inputs).calls}


def squeeze_and_excite(x: Value, ratio: Any = 4) -> Value:
    y = ops.ReLU()(ops.Conv2D(da.channels(x) // ratio, 1)(x))
    return ops.Multiply()(x, ops.Sigmoid()(ops.Conv2D(da.channels(x), 1)(y)))


@da.space
def stacked(x: Value) -> Value:
    """Two blocks, each of its own width, and squeezed to a part of that which both share."""
    ratio = da.choice([2, 8], name="ratio")

    def block(x: Value) -> Value:
        return squeeze_and_excite(ops.Conv2D(da.choice([16, 32]), 3)(x), ratio)

    return da.repeat(block, 2)(x)


def test_each_copy_of_a_repeat_takes_the_shapes_that_arrive_there() -> None:
    values = {"ratio": 8, "repeat[0]/conv2d.filters": 16, "repeat[1]/conv2d.filters": 32}
    found = arguments(stacked.at(values))
    filters = {address: given["filters"] for address, given in found.items() if "conv2d" in address}
    assert list(filters.values()) == [16, 2, 16, 32, 4, 32]


def test_a_formula_is_no_hyperparameter() -> None:
    addresses = ["repeat[0]/conv2d.filters", "ratio", "repeat[1]/conv2d.filters"]
    assert [point.address for point in stacked.start().unassigned] == addresses
    architecture = stacked.sample(0)
    assert list(architecture.values) == addresses and architecture.is_specified
    assert list(json.loads(architecture.to_json())["values"]) == addresses
    assert da.Architecture.from_json(architecture.to_json(), stacked) == architecture
    assert pickle.loads(pickle.dumps(architecture)).fingerprint() == architecture.fingerprint()
    assert stacked.size() == len(list(stacked.enumerate())) == 8
    assert stacked.fix({"ratio": 2}).size() == 4
    assert stacked.where(lambda point: point.address != "ratio").size() == 4
    assert {a.fingerprint() for a in stacked.enumerate()}.__len__() == 8
    da.check(stacked)


def test_formulas_mix_with_all_that_arguments_can_be() -> None:
    @da.space
    def net(x: Value) -> Value:
        n, half = da.choice([2], name="n"), da.dependent(lambda c, n: c // n, da.channels(x), 2)
        x = ops.Conv2D(n * da.channels(x) + half, (da.channels(x), 3))(x)
        return ops.Reshape((da.channels(x), da.dependent(lambda s: s[1] * s[2], da.shape(x))))(x)

    found = arguments(net.sample(0))
    assert (found["conv2d"]["filters"], found["conv2d"]["kernel_size"]) == (7, (3, 3))
    assert found["reshape"]["target_shape"] == (7, 64)


def test_values_are_of_enclosing_functions_or_one_of_several_outputs() -> None:
    @da.space
    def net(x: Value) -> Value:
        wide = ops.Conv2D(24, 3)(x)
        left = ops.Split(3)(wide)[0]
        return da.repeat(lambda y: da.optional(lambda: ops.Conv2D(da.channels(left), 1), use=True)(y), 2)(x)

    assert [given["filters"] for address, given in arguments(net.sample(0)).items()] == [8, 8]


def test_what_only_formulas_look_at_is_not_built() -> None:
    @da.space
    def net(x: Value) -> Value:
        wide = ops.Conv2D(da.choice([16, 32]), 3)(x)
        return ops.Conv2D(da.channels(wide), 1, name="only")(x)

    assert net.size() == 2, "the choice counts, since the other convolution has as many filters"
    assert arguments(net.at({"conv2d.filters": 32})).keys() == {"only"}
    assert net.at({"conv2d.filters": 32}).cost(IMAGE).parameters == 4 * 32


def test_a_tied_module_has_one_value_for_an_argument() -> None:
    def tied(x: Value) -> Value:
        shared = ops.Conv2D(da.channels(x), 3)
        return shared(shared(x))

    architecture = da.space(tied).sample(0)
    assert architecture.cost(IMAGE).parameters == 3 * 27 + 3

    def of_two_shapes(x: Value) -> Value:
        shared = da.sequential(lambda x: ops.Reshape((da.channels(x), 64))(x))
        return ops.Concatenate()(shared(x), shared(ops.Conv2D(5, 3)(x)))

    with pytest.raises(ShapeMismatch, match=r"reshape@1: is the same module as sequential\[0\]/reshape, so it has"):
        da.space(of_two_shapes).sample(0).shapes(IMAGE)
    assert "is the same module as" in da.space(of_two_shapes).sample(0).summary(IMAGE)


# --- structure -------------------------------------------------------------------------------------------------------


def is_even(x: Value) -> Any:
    return da.dependent(lambda n: n % 2 == 0, da.channels(x))


def test_shapes_decide_whether_a_part_is_used() -> None:
    @da.space
    def net(x: Value) -> Value:
        def block(x: Value) -> Value:
            x = ops.Conv2D(da.choice([3, 4]), 3)(x)
            return da.optional(lambda: ops.Conv2D(da.choice([1, 5]), 1), use=is_even(x))(x)

        return da.repeat(block, 2)(x)

    inside = "repeat[1]/optional/conv2d"
    assert net.size() == len(list(net.enumerate())) == 16, "what is inside counts, used or not"
    values = {
        "repeat[0]/conv2d.filters": 3,
        "repeat[0]/optional/conv2d.filters": 1,
        "repeat[1]/conv2d.filters": 4,
        f"{inside}.filters": 5,
    }
    assert list(arguments(net.at(values))) == ["repeat[0]/conv2d", "repeat[1]/conv2d", inside]


@pytest.mark.parametrize("by_key", [False, True])
def test_shapes_decide_between_parts(by_key: bool) -> None:
    parts: list[Callable[[], da.Module]] = [ops.Tanh, lambda: ops.Conv2D(da.choice([1, 5]), 1), ops.ReLU]
    names = ["small", "even", "odd"]

    @da.space
    def net(x: Value) -> Value:
        which = da.dependent(
            lambda n: (names.index if not by_key else str)("small" if n < 3 else "odd" if n % 2 else "even"),
            da.channels(x),
        )
        return da.or_(dict(zip(names, parts, strict=True)) if by_key else parts, which=which)(x)

    chosen = {2: ("small", "tanh"), 3: ("odd", "relu"), 4: ("even", "conv2d")}
    for channels, (key, operation) in chosen.items():
        found = net.sample(0).shapes(da.image(channels, 8, 8))
        assert list(found) == [f"or[{key if by_key else names.index(key)}]/{operation}"]
    assert [p.address for p in net.start().unassigned] == [f"or[{'even' if by_key else 1}]/conv2d.filters"]


def test_alternatives_of_several_values() -> None:
    @da.space
    def net(a: Value, b: Value) -> tuple[Value, ...]:
        swap = da.or_([lambda a, b: (a, b), lambda a, b: (b, a)], which=da.dependent(operator.mod, da.channels(a), 2))
        a, b = swap(a, b)
        a, b = da.optional(lambda a, b: (ops.ReLU()(a), b), use=is_even(a))(a, b)
        first, _, third = da.or_([ops.Split(3), lambda x: ops.Split(3)(x)], which=da.channels(b) % 2)(b)
        return a, first, third

    architecture = net.sample(0)
    found = architecture.settled({"a": da.vector(3), "b": da.vector(6)})
    assert [call.address for call in found.calls] == ["optional/relu", "or_1[1]/split"]
    assert found.outputs == (2, 3, 5)
    other = architecture.settled({"a": da.vector(6), "b": da.vector(9)})
    assert [call.address for call in other.calls] == ["optional/relu", "or_1[1]/split"]
    with pytest.raises(ArityMismatch, match=r"or: expected as many values .*\n  Got 1 from 0, 2 from 1"):
        da.space(lambda x: da.or_([ops.ReLU, lambda x: (x, x)], which=da.channels(x))(x)).sample(0)


def test_alternatives_that_are_not_chosen_need_not_fit() -> None:
    @da.space
    def net(x: Value) -> Value:
        return da.or_([lambda: ops.Reshape((2, 2)), lambda: ops.Reshape((7, 1))], which=da.channels(x) % 2)(x)

    assert net.sample(0).shapes(da.vector(4)) == {"or[0]/reshape": (2, 2)}
    assert net.sample(0).shapes(da.vector(7)) == {"or[1]/reshape": (7, 1)}


@pytest.mark.parametrize(("width", "projects"), [(16, False), (32, True)])
def test_a_shortcut_is_projected_only_where_the_shapes_differ(width: int, projects: bool) -> None:
    def block() -> da.Module:
        filters = da.choice([16, 32], name="w")
        return da.residual(lambda: ops.Conv2D(filters, 3), project=lambda: ops.Conv2D(filters, 1, name="project"))

    net = da.space(lambda x: da.repeat(block, 2)(x))
    shapes = net.at({"repeat[0]/w": 16, "repeat[1]/w": width}).shapes(da.image(3, 8, 8))
    assert ("repeat[1]/residual[1]/project" in shapes) == projects and "repeat[0]/residual[1]/project" in shapes
    assert shapes["repeat[1]/residual/add"] == (width, 8, 8)


def test_strides_alone_are_a_difference_of_shapes() -> None:
    def halved() -> da.Module:
        return da.residual(lambda: ops.Conv2D(3, 3, strides=2), project=lambda: ops.Conv2D(3, 1, strides=2))

    assert da.space(lambda x: halved()(x)).sample(0).cost(IMAGE).parameters == 84 + 12


# --- errors ----------------------------------------------------------------------------------------------------------


def configured(x: Value) -> Value:
    da.config(rate=1 / da.channels(x))
    return x


REFUSED: dict[str, Callable[[Value], Any]] = {
    r"repeat: what it unfolds to cannot depend on a shape": lambda x: da.repeat(ops.ReLU, da.channels(x))(x),
    r"split_combine: what it unfolds": lambda x: da.split_combine(ops.ReLU, ops.Add, da.channels(x) // 2)(x),
    r"dense_block: what it unfolds": lambda x: da.dense_block(ops.ReLU, da.channels(x))(x),
    r"permute: what it unfolds": lambda x: da.permute([ops.ReLU], order=(da.channels(x) - 3,))(x),
    r"substitute: .*\n  Got n=<channels of .*\n  Shapes decide .* da\.optional": lambda x: da.substitute(
        lambda n: ops.Dense(n), n=da.channels(x)
    )(x),
    r"config: rate cannot depend on a shape": configured,
    r"channels: expected a value.*\n  Got .* \(ReLU\)": lambda x: da.channels(ops.ReLU()),  # type: ignore[arg-type]
    r"shape: expected a value": lambda x: da.shape(da.choice([1, 2])),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_shapes_cannot_decide_is_refused_where_it_is_written(message: str) -> None:
    with pytest.raises(BadArgument, match=message):
        da.space(REFUSED[message]).start()


def test_the_number_of_outputs_cannot_depend_on_a_shape() -> None:
    with pytest.raises(HyperparameterMisuse, match=r"channels of .*has a value only when shapes are known"):
        da.space(lambda x: ops.Split(da.channels(x))(x)[0]).sample(0)


def test_a_formula_has_no_value_while_the_space_is_written() -> None:
    with pytest.raises(HyperparameterMisuse, match="has no value while the space is being written"):
        da.space(lambda x: ops.ReLU()(x) if da.channels(x) == 3 else x).start()


class Parts(Operation):
    """An operation with as many outputs as there are sizes, whatever these are."""

    def __init__(self, *sizes: Any) -> None:
        self.sizes = sizes
        da.Module.__init__(self, {"sizes": sizes})

    @property
    def n_outputs(self) -> int:
        return len(self.sizes)

    def count_outputs(self, n_inputs: int) -> int:
        return len(self.sizes)

    def shape(self, x: da.Spec) -> tuple[da.Spec, ...]:
        return tuple([x.with_shape(n) for n in self.arguments["sizes"]])


def test_sizes_of_outputs_can_depend_on_a_shape() -> None:
    @da.space
    def net(x: Value) -> tuple[Value, ...]:
        first, second = Parts(da.channels(x) // 4, da.channels(x) - da.channels(x) // 4)(x)
        return ops.ReLU()(second), first

    assert net.sample(0).shapes(da.vector(10)) == {"parts": ((2,), (8,)), "relu": (8,)}


def test_attributes_of_values_are_answered_with_formulas() -> None:
    with pytest.raises(
        NotKnownYet, match=r"input 0>: shapes are known .*\n  Got a use of \.shape\.\n.*da\.channels\(x\)"
    ):
        da.space(lambda x: ops.Dense(x.shape[-1])(x)).start()
    with pytest.raises(AttributeError, match="no attribute 'depth'"):
        da.space(lambda x: ops.Dense(x.depth)(x)).start()
    assert da.space(lambda x: x if hasattr(x, "shape") else ops.ReLU()(x)).start().graph.calls


def test_a_value_of_another_function_has_no_shape_here() -> None:
    kept: list[Value] = []

    def keep(x: Value) -> Value:
        kept.append(ops.ReLU()(x))
        return kept[0]

    da.space(lambda x: da.sequential(keep)(x)).sample(0)

    with pytest.raises(ScopeError, match="does not exist here"):
        da.space(lambda x: da.sequential(keep, lambda x: ops.Dense(da.channels(kept[0]))(x))(x)).sample(0)


def test_an_error_in_a_formula_names_the_call_the_shapes_and_the_function() -> None:
    def share(channels: int, heads: int) -> int:
        return channels // (heads - 4)

    @da.space
    def net(x: Value) -> Value:
        return da.repeat(lambda x: ops.Dense(da.dependent(share, da.channels(x), da.choice([4], name="h")))(x), 1)(x)

    message = (
        r"repeat\[0\]/dense\.units, from the shapes \(3, 8, 8\): the function of .* raised ZeroDivisionError.*\n"
        r"  Got share\(3, 4\)\."
    )
    with pytest.raises(DependentFailed, match=message):
        net.sample(0).cost(IMAGE)
    assert "share(3, 4)" in net.sample(0).summary(IMAGE)


def test_a_formula_that_names_no_alternative() -> None:
    net = da.space(lambda x: da.or_([ops.ReLU, ops.Tanh], which=da.channels(x))(x))
    with pytest.raises(InvalidDomain, match=r"or/select\.which: 3 names none of the alternatives \(0, 1\)"):
        net.sample(0).shapes(IMAGE)
    assert "names none" in net.sample(0).summary(IMAGE)


def test_an_argument_that_a_formula_makes_unfit_is_told_with_its_address() -> None:
    net = da.space(lambda x: ops.Conv2D(da.channels(x) // 4, 3)(x))
    with pytest.raises(BadArgument, match=r"conv2d: expected filters .*\n  Got filters=0"):
        net.sample(0).shapes(IMAGE)


@pytest.mark.parametrize("kind", ["function", "rule", "or"])
def test_shapes_cannot_end_a_recursion(kind: str) -> None:
    def down(x: Value) -> Value:
        x = ops.Conv2D(8, 3, strides=2)(x)
        is_large = da.dependent(lambda shape: shape[1] > 4, da.shape(x))
        if kind == "or":
            return da.or_({False: ops.Identity, True: again}, which=is_large)(x)
        return da.optional(again, use=is_large)(x)

    again = down if kind == "function" else da.rule(down)
    with pytest.raises(TooDeep, match=r"shapes cannot end a recursion.*\n  Got a .*part of itself.*\n.*da\.repeat"):
        da.space(lambda x: again(x)).sample(0)


# --- random spaces ---------------------------------------------------------------------------------------------------


def _leaf(plan: Plan, scope: Scope) -> Callable[[Value], Value]:
    kind, n = plan

    def made(x: Value) -> Value:
        far, size = scope.values[0], da.choice([*range(1, n + 1)])
        if kind == "argument":
            return ops.Scale(initial=da.channels(far) * size + scope.shared[-1])(x)
        if kind == "use":
            return da.optional(lambda: ops.Scale(size), use=is_even(far))(x)
        if kind == "which":
            return da.or_([ops.ReLU, lambda: ops.Scale(size)], which=da.channels(x) % 2)(x)
        return da.residual(lambda: ops.Dense(size + 2), ops.Maximum, project=lambda: ops.Dense(size + 2))(x)

    return made


KINDS = st.tuples(st.sampled_from(["argument", "use", "which", "project"]), st.integers(1, 2))


@settings(max_examples=60, deadline=None)
@given(plans(4, KINDS), st.integers(0, 99))
def test_random_spaces_with_formulas_count_replay_and_settle(plan: Plan, seed: int) -> None:
    @da.space
    def net(x: Value) -> Value:
        shared = da.choice([0, 1], name="shared")
        tied = ops.Scale(initial=da.choice([0.5, 2.0]), name="tied")
        return compose(plan, Scope([x], [shared], tied, _leaf))(x)

    if net.size() < 2000:
        assert len(set(net.enumerate())) == net.size()
    architecture = net.sample(seed)
    assert net.at(architecture.values) == architecture == da.Architecture.from_json(architecture.to_json(), net)
    assert net.at(architecture.values).fingerprint() == architecture.fingerprint()
    spec = da.vector(3)
    try:
        settled, cost = architecture.settled(spec), architecture.cost(spec)
    except ShapeMismatch:  # parts of other widths that are added, or tied
        return
    assert not any(call.measured or call.is_open for call in settled.calls)
    assert len(architecture.value_specs(spec)) == settled.n_values
    assert cost.activation_bytes == sum(s.n_bytes for s in architecture.value_specs(spec)[1:])
    da.check(net, samples=2)


@pytest.mark.parametrize(
    "make", [lambda c: da.integer(1, c), lambda c: da.choice([1, c]), lambda c: da.subset([1, 2], c // 2)]
)
def test_a_domain_cannot_depend_on_a_shape(make: Callable[[Any], Any]) -> None:
    with pytest.raises(InvalidDomain, match=r"cannot depend on a shape(.|\n)*Got .*channels(.|\n)*da\.dependent"):
        da.space(lambda x: ops.Dense(make(da.channels(x)))(x)).start()

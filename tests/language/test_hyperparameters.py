from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import (
    AlreadyAssigned,
    BadArgument,
    DependentFailed,
    DuplicateName,
    HyperparameterMisuse,
    InvalidDomain,
    NotAssignable,
    ScopeError,
    ValueOutsideDomain,
)
from deep_arch.language.values import Value


def scales(architecture: da.Architecture) -> list[Any]:
    return [call.module.arguments["initial"] for call in architecture.graph.calls]


def test_a_hyperparameter_made_outside_a_repeated_function_is_one_decision() -> None:
    @da.space
    def shared(x: Value) -> Value:
        h = da.choice([1.0, 2.0])
        return da.repeat(lambda: ops.Scale(h), 3)(x)

    @da.space
    def own(x: Value) -> Value:
        return da.repeat(lambda: ops.Scale(da.choice([1.0, 2.0])), 3)(x)

    assert (shared.size(), own.size()) == (2, 8)
    assert shared.at({"choice": 2.0}) is not None
    assert list(own.sample(0).values) == [f"repeat[{i}]/scale.initial" for i in range(3)]


@pytest.mark.parametrize("leaf_first", [False, True])
def test_one_hyperparameter_drives_a_repeat_and_a_module_inside_it(leaf_first: bool) -> None:
    @da.space
    def net(x: Value) -> Value:
        h = da.choice([1, 2], name="h")
        if leaf_first:
            x = ops.Scale(h)(x)
        x = da.repeat(lambda: da.repeat(lambda: ops.Scale(h), h), h)(x)
        return x if leaf_first else ops.Scale(h)(x)

    assert net.size() == 2
    assert scales(net.at({"h": 2})) == [2] * 5
    assert scales(net.at({"h": 1})) == [1] * 2


def test_dependents() -> None:
    @da.space
    def net(x: Value) -> Value:
        a, b = da.choice([1, 2], name="a"), da.choice([4, 5], name="b")
        total = da.dependent(lambda p, q: p + q, a, b)
        twice = da.dependent(lambda p, q: p + q, a, a)
        chained = total * 2 + 1
        constant = da.dependent(lambda: 7)
        for h in (total, twice, chained, constant):
            x = ops.Scale(h)(x)
        return x

    partial = net.start().assign("a", 1)
    assert [point.address for point in partial.unassigned] == ["b"]
    by_call = {call.address: call.arguments[0] for call in partial.graph.calls}
    assert by_call["scale"].is_open and by_call["scale_1"].value == 2 and by_call["scale_3"].value == 7
    assert scales(partial.assign("b", 4)) == [5, 2, 11, 7]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (lambda h: h + 1, 7),
        (lambda h: 1 + h, 7),
        (lambda h: h - 1, 5),
        (lambda h: 10 - h, 4),
        (lambda h: h * 2, 12),
        (lambda h: 2 * h, 12),
        (lambda h: h / 4, 1.5),
        (lambda h: 3 / h, 0.5),
        (lambda h: h // 4, 1),
        (lambda h: 13 // h, 2),
        (lambda h: h % 4, 2),
        (lambda h: 10 % h, 4),
        (lambda h: h**2, 36),
        (lambda h: 2**h, 64),
        (lambda h: -h, -6),
        (lambda h: h * h - h, 30),
    ],
)
def test_operators(expression: Callable[[Any], Any], value: float) -> None:
    net = da.space(lambda x: ops.Scale(expression(da.choice([6, 7], name="h")))(x))
    assert scales(net.at({"h": 6})) == [value]


def test_hyperparameters_inside_tuples_and_dicts() -> None:
    net = da.space(lambda x: ops.Conv2D(8, (da.choice([1, 3], name="k"), 5))(x))
    (call,) = net.at({"k": 3}).graph.calls
    assert call.module.arguments["kernel_size"] == (3, 5)


@pytest.mark.parametrize("use", [bool, lambda h: h < 3, lambda h: h >= 3, range, int, list, lambda h: h == 3])
def test_a_hyperparameter_has_no_truth_value_and_no_order(use: Callable[[Any], Any]) -> None:
    with pytest.raises(HyperparameterMisuse, match=r"da\.optional.*da\.or_.*da\.dependent"):
        use(da.choice([1, 2]))


def test_a_dependent_that_raises_leaves_the_state_as_it_was() -> None:
    @da.space
    def net(x: Value) -> Value:
        a = da.choice([0, 1], name="a")
        return ops.Scale(da.dependent(lambda v: 1 / v, a, name="inverse"))(x)

    start = net.start()
    with pytest.raises(DependentFailed, match=r"inverse: .*ZeroDivisionError") as caught:
        start.assign("a", 0)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert start.values == {} and [p.address for p in start.unassigned] == ["a"]
    assert scales(start.assign("a", 1)) == [1.0]


def test_wrong_assignments_leave_the_state_as_it_was() -> None:
    @da.space
    def net(x: Value) -> Value:
        n = da.choice([1, 2], name="n")
        return da.repeat(lambda: ops.Scale(n), 2 * n)(x)

    start = net.start()
    once = start.assign("n", 1)
    with pytest.raises(AlreadyAssigned, match=r"n: has the value 1"):
        once.assign("n", 2)
    with pytest.raises(NotAssignable, match=r"repeat\.times: a dependent hyperparameter cannot be assigned"):
        once.assign("repeat.times", 2)
    with pytest.raises(ValueOutsideDomain, match=r"n: 3 is not one of \(1, 2\)") as caught:
        start.assign("n", 3)
    assert "Got 3 (int)" in str(caught.value)
    with pytest.raises(ValueOutsideDomain, match=r"True is not one of \(1, 2\)"):
        start.assign("n", True)
    with pytest.raises(BadArgument, match="expected an address"):
        start.assign(7, 1)  # type: ignore[arg-type]
    assert start.values == {} and once.values == {"n": 1}


def test_options_may_be_unhashable() -> None:
    @da.space
    def net(x: Value) -> Value:
        shape = da.choice([[1, 2], [2, 1]], name="shape")
        x = ops.Reshape(shape)(x)
        return da.substitute(lambda s: ops.Reshape((s[0] * s[1],)), s=shape)(x)

    assert net.size() == 2
    assert net.at({"shape": [2, 1]}) == net.at(net.at({"shape": [2, 1]}).values)
    assert hash(net.at({"shape": [2, 1]})) == hash(net.at({"shape": [2, 1]}))
    assert len(set(net.enumerate())) == 2


def test_errors_at_construction() -> None:
    with pytest.raises(InvalidDomain, match="has lists for its values"):
        da.choice(da.integer(1, 3))
    with pytest.raises(BadArgument, match="identifier"):
        da.choice([1], name="a/b")
    with pytest.raises(BadArgument, match="first argument is the function"):
        da.dependent(3, da.choice([1]))  # type: ignore[arg-type]

    @da.space
    def twice(x: Value) -> Value:
        return ops.Scale(da.choice([1, 2], name="h") + da.choice([1, 2], name="h"))(x)

    with pytest.raises(DuplicateName, match=r"named 'h' for the second time"):
        twice.start()


def test_a_hyperparameter_of_another_function_is_out_of_scope() -> None:
    leaked: list[Any] = []

    def inner(x: Value) -> Value:
        leaked.append(da.choice([1, 2]))
        return ops.Scale(leaked[0])(x)

    @da.space
    def net(x: Value) -> Value:
        x = da.sequential(inner)(x)
        return da.sequential(lambda y: ops.Scale(leaked[0])(y))(x)

    with pytest.raises(ScopeError, match="made in another function"):
        net.start()


def test_hyperparameters_made_outside_every_function_belong_to_the_space() -> None:
    width = da.choice([1.0, 2.0], name="width")
    shared = ops.Scale(da.choice([3.0, 4.0]), name="shared")

    @da.space
    def net(x: Value) -> Value:
        return shared(da.repeat(lambda: ops.Scale(width * 2), 2)(x))

    assert net.size() == 4
    assert scales(net.at({"width": 2.0, "shared.initial": 3.0})) == [4.0, 4.0, 3.0]
    unnamed = da.choice([1.0, 2.0])
    with pytest.raises(ScopeError, match="needs a name"):
        da.space(lambda x: da.repeat(lambda: ops.Scale(unnamed), 1)(x)).start()


def test_long_chains_of_dependents_meet_no_recursion_limit() -> None:
    @da.space
    def net(x: Value) -> Value:
        h = da.choice([1, 2], name="h")
        for _ in range(3000):
            h = h + 1
        return ops.Scale(h)(x)

    assert scales(net.at({"h": 1})) == [3001]
    assert net.size() == 2


def test_operator_functions_name_dependents() -> None:
    h = da.choice([1, 2])
    assert (h * 2).symbol == operator.mul.__name__

"""Functions given to `sequential` and `residual`: each is a part of its own."""

from __future__ import annotations

from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, DuplicateName, UnknownAddress

X = da.vector(8)


def block(x: da.Value) -> da.Value:
    da.config(rate=da.choice([0.1, 0.2], name="rate"))
    return ops.ReLU()(ops.Dense(da.choice([8, 16], name="width"), name="dense")(x))


def test_one_function_may_be_given_twice() -> None:
    space = da.space(lambda x: da.sequential(block, ops.Tanh, block)(x))
    assert space.size() == 16
    architecture = space.sample(seed=0)
    assert set(architecture.values) == {f"sequential[{i}]/{name}" for i in (0, 2) for name in ("rate", "width")}
    assert list(architecture.shapes(X)) == [
        "sequential[0]/dense",
        "sequential[0]/relu",
        "sequential[1]/tanh",
        "sequential[2]/dense",
        "sequential[2]/relu",
    ]
    assert space.at(architecture.values) == architecture
    assert space.fix({"sequential[2]/width": 8}).size() == 8
    assert set(architecture.config) == {"sequential[0]/rate", "sequential[2]/rate"}
    with pytest.raises(UnknownAddress, match=r"(?s)several things are called 'rate'.*sequential\[0\]/rate, sequential"):
        architecture.config["rate"]
    repeated = da.space(lambda x: da.repeat(block, 2)(x))
    assert repeated.size() == space.size()
    da.check(space)


def test_a_module_keeps_its_name() -> None:
    def net(x: da.Value) -> da.Value:
        shared = ops.Dense(8)
        return da.sequential(shared, ops.ReLU, shared, lambda: ops.Dense(da.choice([8])))(x)

    architecture = da.space(net).sample()
    assert list(architecture.shapes(X)) == ["dense", "sequential[1]/relu", "dense@1", "sequential[3]/dense"]
    assert list(architecture.values) == ["sequential[3]/dense.units"]


def test_parts_nest_and_are_named() -> None:
    def stage(name: str) -> da.Module:
        return da.sequential(block, lambda: da.residual(lambda: da.sequential(block, lambda: ops.Dense(8))), name=name)

    space = da.space(lambda x: stage("second")(stage("first")(x)))
    names = set(space.start().values) | {p.address for p in space.start().unassigned}
    assert "second[1]/residual[0]/sequential[0]/width" in names and "first[0]/width" in names


def test_a_projection_is_a_part_too() -> None:
    space = da.space(
        lambda x: da.residual(lambda: ops.Dense(4, name="linear"), project=lambda: ops.Dense(4, name="linear"))(x)
    )
    assert list(space.sample().shapes(X)) == ["residual[0]/linear", "residual[1]/linear", "residual/add"]


def test_a_second_name_in_one_function_is_told_both_mends() -> None:
    with pytest.raises(DuplicateName, match=r"(?s)Make it once.*share it.*da\.sequential\(block, name=\"stage1\"\)"):
        da.space(lambda x: ops.Dense(da.choice([1], name="h"))(ops.Dense(da.choice([1], name="h"))(x))).start()
    staged = da.space(lambda x: da.sequential(block, name="stage2")(da.sequential(block, name="stage1")(x)))
    assert {"stage1[0]/width", "stage2[0]/width"} <= set(staged.sample().values)


def test_config_finds_what_is_attached_further_in() -> None:
    def optimizer(x: da.Value) -> da.Value:
        da.config(momentum=da.choice([0.9], name="m"), deep=1)
        return ops.ReLU()(x)

    def net(x: da.Value) -> da.Value:
        da.config(rate=0.1)
        return da.sequential(lambda y: da.optional(optimizer, use=True, name="optimizer")(y))(x)

    config = da.space(net).sample().config
    assert set(config) == {"rate", "sequential[0]/optimizer/momentum", "sequential[0]/optimizer/deep"}
    assert config["momentum"] == config["optimizer/momentum"] == config.get("momentum") == 0.9 and "momentum" in config
    assert config == dict(config) and config.get("nothing", 3) == 3 and "nothing" not in config
    with pytest.raises(KeyError, match=r"(?s)'momentun'.*Did you mean"):
        config["momentun"]


class Callable:
    """A callable object whose attributes are called like those of a space."""

    def __init__(self) -> None:
        self.program, self.restrictions, self.size, self.sample = "program", "restrictions", 3, None

    def __call__(self, x: da.Value) -> da.Value:
        return ops.Dense(da.choice([1, 2]))(x)


def test_a_callable_object_makes_a_space_whatever_its_attributes() -> None:
    space = da.space(Callable())
    assert space.size() == 2 and space.fix({"dense.units": 1}).size() == 1
    assert space.sample(seed=0).shapes(X)


@pytest.mark.parametrize(
    "fn",
    [lambda x, n: ops.Dense(n)(x), lambda m: lambda x: x, lambda: ops.ReLU(), lambda x: x],
)
def test_substitute_says_where_the_inputs_go(fn: Any) -> None:
    with pytest.raises(BadArgument, match="the inputs reach the function that it returns"):
        da.space(lambda x: da.substitute(fn, n=da.choice([8]))(x)).sample()


def test_substitute_refuses_a_value_in_place_of_a_function() -> None:
    with pytest.raises(BadArgument, match="the inputs reach the function that it returns"):
        da.space(lambda x: da.substitute(lambda n: ops.Dense(n)(x), n=da.choice([8]))(x)).sample()

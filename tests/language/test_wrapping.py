"""Wrapping: arguments by name however they are given, and by place where they have none."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import pytest

import deep_arch as da
from deep_arch.backends import python_backend
from deep_arch.errors import BadArgument
from deep_arch.language.wrapping import in_order, made_with, name_of, signature_of


def scale(a: Any, /, b: Any = 1, *rest: Any, c: Any = 3, **more: Any) -> Any:
    return lambda x: (x, a, b, rest, c, more)


SCALE = signature_of(scale)


@pytest.mark.parametrize(
    ("args", "kwargs", "positional", "named"),
    [
        ((1,), {}, (1,), {}),
        ((1, 2), {}, (1,), {"b": 2}),
        ((1,), {"c": 4, "b": 2}, (1,), {"b": 2, "c": 4}),
        ((1, 2, 3), {"c": 4}, (1, 2, 3), {"c": 4}),
        ((1,), {"a": 5, "z": 6}, (1,), {"a": 5, "z": 6}),
    ],
)
def test_arguments_come_in_one_order(args: Any, kwargs: Any, positional: Any, named: Any) -> None:
    assert in_order(scale, SCALE, args, kwargs) == (positional, named)
    assert scale(*positional, **named)(0) == scale(*args, **kwargs)(0)


def test_what_lacks_arguments_keeps_those_by_position() -> None:
    assert in_order(scale, SCALE, (), {"b": 2}, partial=True) == ((), {"b": 2})
    assert in_order(scale, SCALE, (1, 2), {"z": 3}, partial=True) == ((1, 2), {"z": 3})
    with pytest.raises(BadArgument, match="multiple values for argument 'b'"):
        in_order(scale, SCALE, (1, 2), {"b": 3}, partial=True)
    assert in_order(max, None, (1, 2), {"key": 3}) == ((1, 2), {"key": 3})


class Passing(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("more", None)
        return super().__call__(*args, **kwargs)


class Passed(metaclass=Passing):
    def __init__(self, a: int) -> None: ...


class New:
    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return super().__new__(cls)

    def __init__(self, a: int) -> None: ...


class OnlyNew:
    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return super().__new__(cls)


def test_signatures_are_those_that_say_something() -> None:
    assert [list(getattr(signature_of(kind), "parameters", ())) for kind in (Passed, New, OnlyNew)] == [
        ["a"],
        ["a"],
        ["args", "kwargs"],
    ]
    assert signature_of(dict) is None and signature_of(scale) == inspect.signature(scale)
    assert in_order(Passed, signature_of(Passed), (3,), {"more": 1}) == ((3,), {"more": 1})
    with pytest.raises(BadArgument, match="unexpected keyword argument 'more'"):
        in_order(New, signature_of(New), (3,), {"more": 1})
    assert name_of(functools.partial(functools.partial(scale, 1), 2)) == "scale" and name_of(New) == "New"


def net(x: da.Value) -> Any:
    wrapped = da.wrap(scale)
    return wrapped(da.choice([1, 2]), da.choice([3, 4]), da.choice([5, 6]), 7, c=da.choice([8]), z=9)(x)


def test_arguments_without_a_name_are_hyperparameters_too() -> None:
    space = da.space(net)
    assert space.size() == 8
    architecture = space.sample(seed=0)
    assert list(architecture.values) == ["scale[0]", "scale[1]", "scale[2]", "scale.c"]
    fixed = space.fix({"scale[0]": 2, "scale[1]": 3, "scale[2]": 6})
    assert python_backend.build(fixed.sample())(0) == (0, 2, 3, (6, 7), 8, {"z": 9})
    assert space.at(architecture.values) == architecture
    assert len({a.fingerprint() for a in space.enumerate()}) == 8
    assert da.space(lambda x: da.wrap(scale)(da.choice([1, 2]), name="mine")(x)).sample(seed=0).values.keys() == {
        "mine[0]"
    }


def test_shared_hyperparameters_made_outside_are_named_by_their_place() -> None:
    size = da.choice([1, 2])
    space = da.space(lambda x: da.wrap(scale)(size)(x))
    assert list(space.sample(seed=0).values) == ["scale[0]"]


def test_wrap_tells_what_is_wrong() -> None:
    with pytest.raises(
        BadArgument, match=r"scale\(a, /, b=1, \*rest, c=3, \*\*more\): missing a(?s:.*)'a'.\n  Got \(\)"
    ):
        da.wrap(scale)()
    with pytest.raises(BadArgument, match=r"scale: names of arguments are not like places.\n  Got '\[0\]' by name"):
        da.wrap(scale)(1, **{"[0]": 3})
    with pytest.raises(BadArgument, match=r"(?s)'filters'.\n  Got \(filtres=3\).\n  Did you mean 'filters'"):
        da.wrap(lambda filters: filters)(filtres=3)


def test_places_come_first() -> None:
    assert made_with(scale, {"[0]": 1, "[1]": 2, "[2]": 3, "c": 4, "z": 5})(0) == (0, 1, 2, (3,), 4, {"z": 5})
    assert made_with(dict, {"a": 1}) == {"a": 1} and made_with(dict, {}) == {}


def test_a_symbol_is_wrapped_as_its_class() -> None:
    inner: Any = da.symbolize(dict)

    class Block:
        def __init__(self, n: int) -> None:
            self.parts = inner(n=n)

        def __call__(self, x: int) -> Any:
            return {**self.parts, "x": x}

    wrapped = da.wrap(da.symbolize(Block))
    space = da.space(lambda x: wrapped(da.choice([3]))(x))
    assert python_backend.build(space.sample())(1) == {"n": 3, "x": 1}
    assert list(space.sample().values) == ["block.n"]


def test_torch_builds_what_takes_arguments_by_place() -> None:
    torch = pytest.importorskip("torch")
    from deep_arch.backends import torch_backend

    linear, stack = torch_backend.wrap(da.symbolize(torch.nn).Linear), torch_backend.wrap(torch.nn.Sequential)
    relu, flat = torch.nn.ReLU(), torch.nn.Flatten()

    def layers(x: da.Value) -> Any:
        return linear(3, da.choice([4, 5]))(stack(da.choice([relu, flat]), torch.nn.Identity())(x))

    space = da.space(layers)
    assert set(space.sample(seed=0).values) == {"sequential[0]", "linear.out_features"}
    architecture = space.at({"sequential[0]": flat, "linear.out_features": 5})
    model = torch_backend.build(architecture, inputs=da.vector(3))
    assert model(torch.zeros(2, 3)).shape == (2, 5) and architecture.cost(da.vector(3)).parameters == 20

"""What Python does with a hyperparameter: dependents where that has one meaning, and what is told elsewhere."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import HyperparameterMisuse, InvalidDomain
from deep_arch.visualization.plan.planning import plan_drawing


def values_of(fn: Callable[[Any], Any], options: list[Any]) -> list[Any]:
    """Return what a function of a hyperparameter becomes for each of its options."""
    space = da.space(lambda x: _configured(x, fn(da.choice(options, name="h"))))
    return [a.config["made"] for a in space.enumerate()]


def _configured(x: da.Value, made: Any) -> da.Value:
    da.config(made=made)
    return ops.ReLU()(x)


@pytest.mark.parametrize(
    "fn",
    [
        round,
        lambda h: round(h, 1),
        lambda h: round(h * 16),
        abs,
        math.floor,
        math.ceil,
        math.trunc,
        lambda h: +h,
        lambda h: -h,
        lambda h: divmod(h, 2)[0],
        lambda h: divmod(7, h)[1],
    ],
)
def test_functions_of_numbers(fn: Callable[[Any], Any]) -> None:
    options = [-1.26, 1.0, 2.5]
    assert values_of(fn, options) == [fn(option) for option in options]


@pytest.mark.parametrize("fn", [lambda h: h & 6, lambda h: 6 | h, lambda h: h ^ 1, lambda h: h << 2, lambda h: 64 >> h])
def test_bitwise_operators(fn: Callable[[Any], Any]) -> None:
    assert values_of(fn, [1, 5]) == [fn(1), fn(5)]
    both = da.space(lambda x: da.optional(ops.Tanh, use=da.boolean(name="a") & da.boolean(name="b"))(x))
    assert sorted(len(a.graph) for a in both.enumerate()) == [0, 0, 0, 1]


def test_items_of_options() -> None:
    sizes = [{"width": 8, "kernel": (3, 1)}, {"width": 16, "kernel": (5, 3)}]

    def net(x: da.Value) -> da.Value:
        size, pair = da.choice(sizes, name="size"), da.choice([(4, 2), (2, 1)], name="pair")
        return ops.Dense(pair[0] + pair[-1])(ops.Dense(size["width"] * size["kernel"][0])(x))

    space = da.space(net)
    architecture = space.at({"size": sizes[1], "pair": (4, 2)})
    assert [c.module.arguments["units"] for c in architecture.graph.calls] == [80, 6]
    assert da.Architecture.from_json(architecture.to_json(), space) == architecture
    wanting = da.space(lambda x: ops.Dense(da.choice([{"a": 1}], name="size")["b"])(x))
    with pytest.raises(da.errors.DependentFailed, match="KeyError"):
        wanting.sample()


def test_items_are_drawn_as_they_are_written() -> None:
    space = da.space(lambda x: ops.Dense(round(da.choice([{"w": 8.2}], name="size")["w"] * 2))(x))
    rows = [row.text for box in plan_drawing(space.start()).boxes for row in box.rows]
    assert "units = round(size['w'] · 2)" in rows


@pytest.mark.parametrize(
    "fn",
    [
        lambda h: h.width,
        lambda h: h.get("width"),
        lambda h: h(),
        lambda h: f"{h:.2f}",
        lambda h: 3 in h,
        lambda h: ~h,
        lambda h: list(h),
        lambda h: [*h],
        lambda h: dict(h),
        lambda h: reversed(h),
        lambda h: bytes(h),
        lambda h: complex(h),
        lambda h: math.sqrt(h),
        lambda h: sorted([h, h]),
        lambda h: min(h, 3),
        lambda h: h == {3},
    ],
)
def test_what_needs_a_value_is_told(fn: Callable[[Any], Any]) -> None:
    with pytest.raises(HyperparameterMisuse, match=r"da\.dependent\(lambda v: v"):
        fn(da.choice([1, 2]))


def test_numpy_on_either_side() -> None:
    np: Any = pytest.importorskip("numpy")
    assert values_of(lambda h: np.int64(6) // h, [2, 3]) == [3, 2]
    assert values_of(lambda h: np.clip(h, 1, 2), [0, 3]) == [1, 2]
    assert values_of(lambda h: np.round(h), [1.6]) == [2.0]
    for fn in (np.asarray, lambda h: h == np.int64(3), lambda h: np.int64(3) == h, lambda h: np.less(h, 1), np.arange):
        with pytest.raises(HyperparameterMisuse):
            fn(da.choice([1, 2]))


def test_protocols_that_ask_for_attributes_get_none() -> None:
    h = da.choice([1, 2], name="h")
    assert not hasattr(h, "width") and not hasattr(h, "__array_interface__") and not hasattr(h, "_repr_html_")
    assert repr(copy.copy(h)) == repr(copy.deepcopy(h)) == repr(pickle.loads(pickle.dumps(h))) == f"{h}"
    for wrong in (da.optional, da.space, da.wrap, da.dependent, da.substitute, da.sequential):
        with pytest.raises(da.DeepArchError):
            wrong(h)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: da.choice("relu"), r"Did you mean da\.choice\(\['relu'\]\)"),
        (lambda: da.choice(b"ab"), r"Did you mean da\.choice\(\[b'ab'\]\)"),
        (lambda: da.subset("abc", 2), r"Did you mean da\.subset\(\['abc'\]\)"),
        (lambda: da.permutation("abc"), r"Did you mean da\.permutation\(\['abc'\]\)"),
        (lambda: da.choice(3), r"da\.choice\(range\(3\)\)"),
        (lambda: da.choice({"b", "a"}), r"da\.choice\(sorted\(options\)\)"),
        (lambda: da.permutation(frozenset("ab")), r"da\.permutation\(sorted\(options\)\)"),
    ],
)
def test_what_is_no_list_of_options_is_told(make: Callable[[], Any], told: str) -> None:
    with pytest.raises(InvalidDomain, match=told):
        make()


def test_any_iterable_is_a_list_of_options() -> None:
    for options in ((x for x in "ab"), {"a": 1, "b": 2}, {"a": 1, "b": 2}.keys(), ["a", "b"], ("a", "b"), iter("ab")):
        assert values_of(lambda h: h, list(options)) == ["a", "b"]

"""Descriptions of spaces: equal for equal spaces in every process, and another for every edit."""

from __future__ import annotations

import enum
import functools
import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import DeepArchError, MissingValues
from deep_arch.language.values import Value
from deep_arch.spaces.describing import changes, description, digest
from deep_arch.testing.programs import program_of, whole_plan
from deep_arch.testing.spaces import spaces

EVERY_SPACE = """
import deep_arch as da
from deep_arch.testing import published_networks as networks
from deep_arch.testing import published_spaces, readme_space, searcher_spaces, supernet_spaces, vision_networks
from deep_arch.testing.programs import program_of, whole_plan

SPACES = {
    "nats_bench": published_spaces.nats_bench(5),
    "darts": published_spaces.darts(4),
    "once_for_all": published_spaces.once_for_all(),
    "nb201": networks.nb201(),
    "nats_sizes": networks.nats_sizes(),
    "elastic_mobilenet": networks.elastic_mobilenet(),
    "darts_cells": networks.darts_cells(4, 3, 3),
    "elastic_transformer": networks.elastic_transformer(),
}
for module in (readme_space, searcher_spaces, supernet_spaces, vision_networks):
    found = {name: value for name, value in vars(module).items() if isinstance(value, da.SearchSpace)}
    SPACES.update({f"{module.__name__}:{name}": value for name, value in found.items()})
SPACES.update({f"program {seed}": da.space(program_of(whole_plan(seed))) for seed in range(30)})
"""

_PRINTED = """
import json
from deep_arch.spaces.describing import description, digest
print(json.dumps({name: digest(description(space)) for name, space in SPACES.items()}))
"""


@functools.cache
def every_space() -> dict[str, da.SearchSpace]:
    names: dict[str, Any] = {}
    exec(EVERY_SPACE, names)
    found: dict[str, da.SearchSpace] = names["SPACES"]
    return found


def test_every_process_has_the_same_descriptions() -> None:
    assert len(every_space()) > 60
    for space in every_space().values():  # what was unfolded before does not count
        space.sample(seed=7)
    here = {name: digest(description(space)) for name, space in every_space().items()}
    for seed in ("1", "2"):
        code = [sys.executable, "-c", EVERY_SPACE + _PRINTED]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(code, env=environment, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout) == here


@pytest.mark.parametrize("name", ["nats_bench", "darts", "once_for_all", "nb201", "darts_cells", "elastic_mobilenet"])
def test_published_spaces_are_walked_to_the_end(name: str) -> None:
    assert not [
        line for line in description(every_space()[name]) if "followed" in line or "more" in line or "Error" in line
    ]


@settings(deadline=None)
@given(spaces(), st.builds(random.Random, st.integers()))
def test_no_space_is_refused(space: da.SearchSpace, rng: random.Random) -> None:
    lines = description(space)
    assert lines == description(da.space(space.program.fn))  # made anew
    values = dict(space.sample(rng).values)
    try:
        part = space.fix(values)
    except MissingValues:  # of what another architecture has at the same address
        return
    assert description(part) == description(da.space(space.program.fn).fix(values))
    assert (description(part) != lines) == bool(values)


def test_what_was_met_before_does_not_count() -> None:
    for seed in range(40):
        one, other = (da.space(program_of(whole_plan(seed))) for _ in range(2))
        for draw in range(5):
            one.sample(draw)
        assert description(one) == description(other)


# --- edits -----------------------------------------------------------------------------------------------------------


def _base(
    *,
    units: Any = 8,
    kinds: tuple[Any, ...] = (ops.ReLU, ops.Tanh),
    name: str = "width",
    deep: tuple[Any, ...] = (ops.ReLU, ops.Sigmoid),
    order: tuple[str, ...] = ("a", "b"),
    captured: str = "a",
    is_tied: bool = True,
    scale: Callable[[int], int] = lambda n: n * 2,
    low: float = 0.1,
    constant: float = 0.5,
) -> da.SearchSpace:
    def net(x: Value) -> Value:
        width = da.choice([8, 16, 32], name=name)
        values = {"a": ops.Dense(units=units)(x), "b": ops.Dense(units=width)(x)}
        tied = ops.Dense(4, name="tied")
        other = tied if is_tied else ops.Dense(4, name="other")
        y = ops.Concatenate()(*[values[key] for key in order])
        y = da.substitute(lambda kind: kind, kind=da.choice(kinds))(other(tied(y)))
        y = da.optional(lambda z: ops.Add()(ops.Scale(constant)(z), values[captured]), name="captures")(y)
        y = da.repeat(lambda: da.sequential(ops.ReLU, lambda: da.or_(deep)), da.integer(1, 3))(y)
        y = ops.Dropout(rate=da.real(low, 0.5))(y)
        return ops.Dense(units=da.dependent(scale, width))(y)

    return da.space(net)


EDITS: dict[str, dict[str, Any]] = {
    "a constant": {"units": 16},
    "a hyperparameter in place of a constant": {"units": da.choice([8, 16], name="units")},
    "an option more": {"kinds": (ops.ReLU, ops.Tanh, ops.Sigmoid)},
    "another order of options": {"kinds": (ops.Tanh, ops.ReLU)},
    "another operation among the options": {"kinds": (ops.ReLU, ops.Sigmoid)},
    "another name": {"name": "n_units"},
    "an alternative more, deep inside": {"deep": (ops.ReLU, ops.Sigmoid, ops.Tanh)},
    "an operation swapped, deep inside": {"deep": (ops.ReLU, ops.Tanh)},
    "inputs in another order": {"order": ("b", "a")},
    "another value that is captured": {"captured": "b"},
    "weights that are not tied": {"is_tied": False},
    "another formula under the same name": {"scale": lambda n: n * 3},
    "another bound": {"low": 0.2},
    "a constant in a part": {"constant": 0.25},
}


@pytest.mark.parametrize("edit", EDITS)
def test_each_edit_shows(edit: str) -> None:
    before, now = description(_base()), description(_base(**EDITS[edit]))
    assert before != now and digest(before) != digest(now)
    assert changes(before, now).startswith(("- ", "+ "))


def _plain(x: Value) -> Value:
    return da.or_([lambda: ops.Dense(da.choice([8, 16])), ops.ReLU])(ops.Conv2D(4, 3)(x))


def _written_otherwise(image: Value) -> Value:
    """Return the same as `_plain`, in other words."""
    stem = ops.Conv2D(kernel_size=3, filters=2 * 2, strides=1)  # a default that is written out

    def wide() -> da.Module:
        widths = [2**n for n in (3, 4)]
        return ops.Dense(units=da.choice(widths))

    return da.or_([wide, lambda y: ops.ReLU()(y)])(stem(image))


def test_the_same_in_other_words_is_the_same() -> None:
    assert description(da.space(_plain)) == description(da.space(_written_otherwise))
    assert description(_base()) == description(_base())


def test_restrictions_show() -> None:
    space = _base()
    restricted = [
        space,
        space.fix({"width": 8}),
        space.fix({"width": 16}),
        space.fix({"repeat[0]/sequential[1]/or.which": 1}),
        space.fix({"repeat[1]/sequential[1]/or.which": 1}),
        space.where(_is_width),
        space.where(lambda point: point.address.startswith(("repeat.times", "repeat[1]"))),
        space.where(lambda point: point.address.startswith(("repeat.times", "repeat[2]"))),
        space.limit(3),
        space.limit(4),
        space.discretize(3),
        space.discretize(4),
    ]
    assert len({description(each) for each in restricted}) == len(restricted)
    assert description(space.fix({"width": 8, "captures.use": True})) == description(
        _base().fix({"captures.use": True}).fix({"width": 8})
    )
    assert description(space.where(_is_width).discretize(3)) == description(_base().discretize(3).where(_is_width))
    lines = description(space.where(_is_width).fix({"captures.use": True}))
    assert "width: choice(options=(8, 16, 32))" in lines
    assert "captures.use: choice(options=(False, True)), fixed to True" in lines
    assert any(line.endswith(", left open") for line in lines) and "where _is_width" in lines
    assert not [line for line in lines if line.startswith("captures{use=False}")]  # which fix excludes


def _is_width(point: da.ChoicePoint) -> bool:
    return point.name == "width"


def test_what_fix_excludes_does_not_count() -> None:
    def make(constant: float) -> da.SearchSpace:
        return da.space(lambda x: da.repeat(lambda: da.or_([ops.ReLU, lambda: ops.Scale(constant)]), 2)(x))

    both = {"repeat[0]/or.which": 0, "repeat[1]/or.which": 0}
    assert description(make(1.0)) != description(make(2.0))
    assert description(make(1.0).fix(both)) == description(make(2.0).fix(both))
    one = {"repeat[0]/or.which": 0}  # the other copy may still be what it was
    assert description(make(1.0).fix(one)) != description(make(2.0).fix(one))


# --- recursion, and what has no end --------------------------------------------------------------------------------


def _grammar(leaf: Any, n: int = 2) -> da.SearchSpace:
    @da.rule
    def expr(depth: int) -> Any:
        return da.or_([leaf, lambda: da.sequential(expr(depth), expr(3 - depth if n == 2 else depth))])

    return da.space(lambda x: expr(1)(x))


def test_recursion_ends_and_shows_where_it_leads() -> None:
    lines = description(_grammar(ops.ReLU))
    assert len(lines) < 30
    assert description(_grammar(ops.Tanh)) != lines != description(_grammar(ops.ReLU, 1))
    assert description(_grammar(ops.ReLU).limit(2)) != lines


def test_rules_that_grow_end_too() -> None:
    @da.rule
    def grow(n: int) -> Any:
        return da.or_([ops.ReLU, lambda: da.sequential(ops.Dense(n), grow(n + 1))])

    lines = description(da.space(lambda x: grow(1)(x)))
    assert lines[-1].endswith("is nested too deep to be followed") and max(map(len, lines)) < 2000


def test_endless_alternatives_are_followed_at_the_ends() -> None:
    space = da.space(lambda x: da.substitute(lambda v: ops.Scale(v), v=da.real(0, 2))(x))
    lines = description(space)
    assert "substitute: inf combinations of values more" in lines
    assert "substitute{v=2.0}/scale = Scale(initial=2.0) of input 0" in lines
    assert description(space.discretize(3)) != lines and space.discretize(3).size() == 3
    long = da.space(lambda x: da.substitute(lambda n: ops.Dense(n), n=da.integer(1, 10**6))(x))
    assert "substitute: 999,996 combinations of values more" in description(long)
    assert len(description(da.space(lambda x: da.repeat(ops.ReLU, da.integer(0, 10**9))(x)))) < 20


def test_very_many_combinations_are_followed_one_by_one() -> None:
    def make(width: int) -> da.SearchSpace:
        def part(**n: int) -> da.Module:
            return ops.Dense(width if n["d"] == 9 else sum(n.values()))

        return da.space(lambda x: da.substitute(part, **{k: da.integer(1, 9) for k in "abcd"})(x))

    assert description(make(77)) != description(make(78))
    assert "substitute: 6,528 combinations of values more" in description(make(77))


def test_parts_declared_closed_are_described() -> None:
    def make(kind: Any) -> da.SearchSpace:
        return da.space(lambda x: da.substitute(lambda n: kind, n=da.integer(1, 9), closed=True)(x))

    assert description(make(ops.ReLU)) != description(make(ops.Tanh))


def test_values_that_do_not_fit_are_noted() -> None:
    space = da.space(lambda x: da.repeat(ops.ReLU, da.choice([3]) - da.integer(1, 4))(x))
    assert "repeat{times=-1}: ValueOutsideDomain" in description(space.fix({"integer": 4}))
    space = da.space(lambda x: ops.Dense(da.dependent(lambda n: 8 // n, da.integer(0, 1)))(x))
    assert [line for line in description(space) if line.endswith("<lambda>(integer), such as DependentFailed, 8")]


def test_very_large_spaces_are_described_in_part() -> None:
    def net(x: Value) -> Value:
        for _ in range(60):
            x = da.or_([lambda k=k: ops.Dense(k) for k in range(1, 101)])(x)
        return x

    lines = description(da.space(net))
    assert "or_29: is the last that is followed, as there are very many" in lines
    assert len(lines) < 10_000 and lines[-1] == "or_29[99]/ returns dense"


# --- values ----------------------------------------------------------------------------------------------------------


class Colour(enum.Enum):
    RED = 1


class Plain:
    """Has the repr of every object, with an address."""


class Loud:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def made_by(**_: Any) -> Callable[[Any], Any]:
    return lambda x: x


OBJECTS: dict[str, tuple[Any, str]] = {
    "function": (math.sqrt, "math.sqrt"),
    "class": (Plain, "Plain"),
    "object": (Plain(), "Plain"),
    "without a repr": (Loud(), "Loud"),
    "partial": (functools.partial(made_by, rate=2), "functools.partial(made_by, rate=2)"),
    "enum": (Colour.RED, "Colour(RED)"),
    "set": ({"b", "a"}, "set('a', 'b')"),
    "nested": ({"layers": [8, (Plain(),)]}, "{'layers': [8, (Plain,)]}"),
}


@pytest.mark.parametrize("kind", OBJECTS)
def test_objects_are_described_without_addresses(kind: str) -> None:
    value, text = OBJECTS[kind]
    space = da.space(lambda x: da.wrap(made_by)(value=value, other=da.choice([value, 3]))(x))
    lines = description(space)
    assert not [line for line in lines if "0x" in line]
    assert f"made_by = made_by(value={text}, other=made_by.other) of input 0" in lines
    assert f"made_by.other: choice(options=({text}, 3))" in lines


def test_arrays_and_long_values_are_told_apart() -> None:
    def make(value: Any) -> tuple[str, ...]:
        return description(da.space(lambda x: da.wrap(made_by)(value=value)(x)))

    array = np.arange(3000)
    other = array.copy()
    other[1500] = 0
    assert make(array) == make(array.copy()) != make(other)
    long = [*range(1000)]
    assert make(long) != make([*long[:500], -1, *long[501:]]) and max(map(len, make(long))) < 600


def test_things_made_outside_come_last() -> None:
    width = da.choice([8, 16], name="width")
    shared = ops.Dense(da.choice([4, 5]), name="shared")

    def net(x: Value) -> Value:
        return da.repeat(lambda y: shared(ops.Dense(width)(y)), 2)(x)

    lines = description(da.space(net))
    assert lines[-2:] == ("shared.units: choice(options=(4, 5))", "width: choice(options=(8, 16))")
    assert "repeat[0]//shared = Dense(units=/shared.units) of dense" in lines


def test_configuration_tags_weights_and_named_outputs_count() -> None:
    def make(tag: str = "t", weights: Any = None, config: float = 0.1, out: str = "class") -> tuple[str, ...]:
        def net(x: Value) -> Any:
            da.config(lr=config, batch=da.choice([1, 2]))
            return {out: ops.Dense(da.choice([8, 16], tag=tag, weights=weights))(x)}

        return description(da.space(net))

    assert len({make(), make("u"), make(weights=(1, 2)), make(config=0.2), make(out="box")}) == 5
    assert "config lr = 0.1" in make() and "returns class=dense" in make()


def _is_wide(n: int) -> bool:
    return n > 8


def test_shapes_that_decide_count() -> None:
    def make(divisor: int, use: bool) -> tuple[str, ...]:
        def net(x: Value) -> Value:
            y = ops.Dense(da.channels(x) // divisor)(x)
            return da.optional(ops.ReLU, use=da.dependent(_is_wide, da.channels(x if use else y)))(y)

        return description(da.space(net))

    assert len({make(2, True), make(4, True), make(2, False)}) == 3


# --- texts -----------------------------------------------------------------------------------------------------------


def test_changes_are_short_and_say_how_many_more() -> None:
    before, now = [f"line {i}" for i in range(100)], [f"line {i if i % 5 else -i}" for i in range(100)]
    lines = changes(before, now).splitlines()
    assert lines[:2] == ["- line 5", "+ line -5"] and len(lines) == 13 and lines[-1] == "and 26 lines more"
    assert changes(before, before) == "" and changes(before, before[1:]) == "- line 0"
    assert changes(tuple(before), list(before)) == ""


def test_digests_are_short_texts() -> None:
    one = digest(["a", "b"])
    assert len(one) == 32 and one == digest(("a", "b")) != digest(["a b"])


def test_a_broken_space_raises_what_it_raises_anywhere() -> None:
    with pytest.raises(DeepArchError):
        description(da.space(lambda x: ops.ReLU()(cast(Any, 3))))

"""Domains that depend on other hyperparameters: sampled, enumerated, replayed, assigned, fixed and left open."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import InvalidDomain, MissingValues, UnreachedAddress, ValueOutsideDomain
from deep_arch.language.dependence import domain_at, roots
from deep_arch.language.values import Value
from deep_arch.testing.searcher_spaces import DEPENDING
from deep_arch.testing.spaces import plans, space_of

MODERATE = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def every(space: da.SearchSpace) -> Iterator[da.Architecture]:
    """Yield every architecture, found by asking for one decision after another in all ways."""
    path: list[list[Any]] = []
    while True:
        place = 0

        def pick(point: da.ChoicePoint) -> Any:
            nonlocal place
            if place == len(path):
                path.append(list(point.domain.values()))
            place += 1
            return path[place - 1][0]

        yield space.decide(pick)
        while path and len(path[-1]) == 1:
            path.pop()
        if not path:
            return
        path[-1].pop(0)


@da.space
def rising(x: Value) -> Value:
    a = da.integer(1, 5, name="a")
    b = da.integer(a + 1, 6, name="b")
    c = da.integer(b + 1, 7, name="c")
    return ops.Dense(units=a * b * c)(x)


def test_rising_numbers() -> None:
    found = [tuple(a.values.values()) for a in rising.enumerate()]
    assert found == [(a, b, c) for a in range(1, 6) for b in range(a + 1, 7) for c in range(b + 1, 8)]


def test_heads_divide_the_width() -> None:
    @da.space
    def net(x: Value) -> Value:
        width = da.choice([8, 12, 18], name="width")
        heads = da.choice(da.dependent(lambda w: [n for n in range(1, 7) if w % n == 0], width), name="heads")
        return ops.MultiHeadAttention(num_heads=heads, key_dim=width // heads)(x)

    found = [(a.values["width"], a.values["heads"]) for a in net.enumerate()]
    assert found == [(w, h) for w in (8, 12, 18) for h in range(1, 7) if w % h == 0]
    with pytest.raises(ValueOutsideDomain, match=r"heads: 3 is not one of \(1, 2, 4\)"):
        net.at({"width": 8, "heads": 3})


def test_options_of_other_types_stay_what_they_are() -> None:
    space = DEPENDING["dividing"].fix(
        {"width": 8, "heads": 1, "several": 1, "ordered": ["a", "b"], "order": ("a", "b")}
    )
    found = [(a.values["kind"], a.values["of_kind"]) for a in space.fix({"integer": 0, "some": ()}).enumerate()]
    assert [value for kind, value in found if kind == "truth"] == [True, 1, 1.0]
    assert [type(value) for kind, value in found if kind == "truth"] == [bool, int, float]
    assert [value for kind, value in found if kind == "class"] == [ops.ReLU, ops.Tanh]
    for architecture in space.enumerate():
        written = json.loads(architecture.to_json())["values"]["of_kind"]
        assert written == ({"option": 1} if architecture.values["of_kind"] is ops.Tanh else written)
        again = da.Architecture.from_json(architecture.to_json(), space)
        assert repr(again.values) == repr(architecture.values)


def test_options_that_are_equal_at_some_values_are_one_there() -> None:
    @da.space
    def net(x: Value) -> Value:
        n = da.integer(1, 3, name="n")
        return ops.Dense(units=da.choice([1, n, 2 * n], weights=[1, 1, 2], name="units"))(x)

    assert [a.values["units"] for a in net.fix({"n": 1}).enumerate()] == [1, 2]
    assert [a.values["units"] for a in net.fix({"n": 3}).enumerate()] == [1, 3, 6]
    rng = random.Random(0)
    drawn = [net.fix({"n": 1}).sample(rng).values["units"] for _ in range(2000)]
    assert 900 < drawn.count(1) < 1100  # weights 1 and 1 against 2


def test_what_depends_is_assigned_after_what_it_depends_on() -> None:
    start = rising.start()
    assert [p.address for p in start.unassigned] == ["a"]
    assert {address: str(domain) for address, domain in start.waiting.items()} == {
        "b": "an integer from a + 1 to 6",
        "c": "an integer from b + 1 to 7",
    }
    second = start.assign("a", 4)
    assert [(p.address, str(p.domain)) for p in second.unassigned] == [("b", "an integer from 5 to 6")]
    assert not second.is_specified
    assert second.assign("b", 5).assign("c", 7).is_specified
    with pytest.raises(
        MissingValues, match=r"b: is to be an integer from a \+ 1 to 6(.|\n)*no value yet: a(.|\n)*Give"
    ):
        start.assign("b", 3)
    with pytest.raises(MissingValues, match="c: is to be"):
        rising.at({"c": 7})
    with pytest.raises(MissingValues, match="a: has no value"):
        rising.at({})
    with pytest.raises(ValueOutsideDomain, match="b: 3 is not an integer from 5 to 6"):
        second.assign("b", 3)


def test_an_empty_domain_names_the_address_and_what_it_depends_on() -> None:
    @da.space
    def net(x: Value) -> Value:
        n = da.integer(0, 1, name="n")
        return da.repeat(lambda: ops.Dense(units=da.integer(1, n)), 1)(x)

    assert net.at({"n": 1, "repeat[0]/dense.units": 1}).is_specified
    with pytest.raises(InvalidDomain, match=r"repeat\[0\]/dense.units: (.|\n)*from 1 to n(.|\n)*Got n = 0(.|\n)*max"):
        net.start().assign("n", 0)

    @da.space
    def none(x: Value) -> Value:
        return ops.Dense(units=da.choice(da.dependent(lambda n: [8] * n, da.integer(0, 2, name="n")), name="units"))(x)

    with pytest.raises(InvalidDomain, match=r"units: (.|\n)*= \[\](.|\n)*at least one option"):
        none.start().assign("n", 0)
    assert none.at({"n": 2, "units": 8}).is_specified


def test_fix_takes_what_a_domain_depends_on_as_well() -> None:
    with pytest.raises(MissingValues, match=r"b: is to be(.|\n)*no fixed value for a(.|\n)*Fix a as well"):
        rising.fix({"b": 5})
    assert [a.values["c"] for a in rising.fix({"b": 5, "a": 2}).enumerate()] == [6, 7]
    assert [a.values["c"] for a in rising.fix({"a": 2}).fix({"b": 5}).enumerate()] == [6, 7]
    assert {a.values["b"] for a in rising.fix({"a": 4}).enumerate()} == {5, 6}
    with pytest.raises(ValueOutsideDomain, match="b: 3 is not an integer from 4 to 6"):
        rising.fix({"a": 3, "b": 3})


def test_fix_finds_what_a_domain_depends_on_at_its_own_place() -> None:
    @da.space
    def net(x: Value) -> Value:
        most = da.integer(1, 4, name="most")

        def block() -> Any:
            width = da.integer(1, most, name="width")
            return ops.Dense(units=da.integer(1, width, name="units"))

        return da.repeat(block, 12)(x)

    two = net.fix({"most": 4, "repeat[1]/width": 2, "repeat[11]/width": 3, "repeat[11]/units": 3})
    assert two.sample(0).values["repeat[11]/units"] == 3
    with pytest.raises(ValueOutsideDomain, match=r"repeat\[1\]/units: 3 is not an integer from 1 to 2"):
        two.fix({"repeat[1]/units": 3})
    with pytest.raises(MissingValues, match=r"repeat\[10\]/units(.|\n)*Fix width as well"):
        two.fix({"repeat[10]/units": 1})


def test_where_leaves_open_what_depends_on_what_it_leaves_open() -> None:
    kept = rising.where(lambda point: point.name != "b")
    assert sorted({tuple(a.values.items()) for a in kept.enumerate()}) == [(("a", n),) for n in range(1, 6)]
    architecture = kept.sample(0)
    assert not architecture.is_specified and not architecture.unassigned
    assert list(architecture.waiting) == ["c"]
    rest = rising.fix(architecture.values).sample(0)
    assert rest.is_specified


def test_a_grid_is_laid_between_the_bounds_at_each_place() -> None:
    @da.space
    def net(x: Value) -> Value:
        n = da.integer(1, 3, name="n")
        return ops.Dropout(rate=da.real(0.0, 0.25 * n, name="rate"))(x)

    found = [(a.values["n"], a.values["rate"]) for a in net.discretize(3).enumerate()]
    assert found == [(n, rate * 0.25 * n) for n in (1, 2, 3) for rate in (0.0, 0.5, 1.0)]


def test_neighbours_are_valid_and_keep_what_stays_so() -> None:
    architecture = rising.at({"a": 2, "b": 3, "c": 7})
    found = [tuple(n.values.values()) for n in rising.neighbours(architecture)]
    assert found[0] == (1, 3, 7)
    assert found[1][0] == 3 and found[1][1] in (4, 5, 6)
    assert (2, 4, 7) in found and (2, 3, 6) in found
    assert all(a < b < c for a, b, c in found)
    assert set(rising.complete({"a": 5, "b": 3, "c": 4}, random.Random(0)).values.items()) == {
        ("a", 5),
        ("b", 6),
        ("c", 7),
    }


def test_what_is_made_outside_is_bounded_by_what_is_made_outside() -> None:
    space = DEPENDING["narrowing"]
    for seed in range(50):
        values = space.sample(seed).values
        assert values.get("n", 1) <= values["most"]
        assert values.get("width", 1) <= values["most"]
        assert all(v <= values["n"] + values["width"] for a, v in values.items() if "/integer" in a)
    few = space.fix({"most": 1})
    assert len(list(few.enumerate())) == len(set(every(few)))


def test_only_what_counts_is_asked_for() -> None:
    @da.space
    def net(x: Value) -> Value:
        n = da.integer(1, 3, name="n")
        bounded = da.integer(1, n, name="bounded")
        return da.optional(lambda: ops.Dense(units=bounded))(x)

    assert net.sample(0).values.keys() in ({"optional.use"}, {"optional.use", "n", "bounded"})
    assert len(list(net.enumerate())) == 1 + 1 + 2 + 3
    with pytest.raises(UnreachedAddress):
        net.at({"optional.use": False, "n": 1})


def test_what_a_later_choice_ignores_does_not_count() -> None:
    @da.space
    def net(x: Value) -> Value:
        n = da.integer(1, 2, name="n")
        side = ops.Dense(units=da.integer(1, n, name="units"))(x)
        return da.or_([lambda a, b: a, lambda a, b: b])(x, side)

    assert next(net.enumerate()).values == {"or.which": 0}
    assert len(list(net.enumerate())) == 1 + 1 + 2


def test_a_limit_offers_what_ends_in_time_of_a_domain_that_depends() -> None:
    @da.rule
    def nested() -> Any:
        def sums(x: Value) -> Value:
            n = da.integer(1, 2, name="n")
            ways = {"leaf": ops.ReLU, "sum": lambda y: ops.Add()(nested()(y), nested()(y)), "one": nested}
            names = da.dependent(lambda n: ["leaf", "sum", "one"][: n + 1], n)
            return da.or_(ways, da.choice(names, name="way"))(x)

        return sums

    space = da.space(lambda x: nested()(x)).limit(3)
    found = {space.sample(seed) for seed in range(200)}
    assert len(found) > 10 and all(a.is_specified for a in found)


def test_roots_come_after_what_their_domains_depend_on() -> None:
    a, b = da.integer(1, 5, name="a"), da.integer(1, 2, name="b")
    c = da.integer(a, 2 * a + b, name="c")
    assert roots([c + 1, b]) == [a, b, c]
    assert str(domain_at(c, {a: 2, b: 1})) == "an integer from 2 to 5"
    assert domain_at(c, {a: 2, b: 1}) is domain_at(c, {a: 2, b: 1})
    assert domain_at(a, {}) is a.domain
    with pytest.raises(InvalidDomain, match=r"d: is to be an integer from 3 to a(.|\n)*Got a = 2"):
        domain_at(da.integer(3, a, name="d"), {a: 2})


def test_equal_arguments_of_other_types_are_told_apart() -> None:
    pair = da.choice([0, 1], name="pair")
    option = da.choice(da.dependent(lambda p: (1, 2) if p else (True, 2.0), pair), name="option")
    assert [repr(list(domain_at(option, {pair: p}).values())) for p in (0, 1)] == ["[True, 2.0]", "[1, 2]"]


def test_options_that_cannot_be_hashed_or_pickled() -> None:
    made = [lambda: 1, lambda: 2, {"a": [1]}]
    flag = da.boolean(name="flag")
    option = da.choice(da.dependent(lambda f: made if f else made[:2], flag), name="option")
    assert domain_at(option, {flag: True}) is domain_at(option, {flag: True})
    assert domain_at(option, {flag: True}).size == 3
    assert domain_at(option, {flag: False}).size == 2


def test_summaries_say_what_waits() -> None:
    assert "b: an integer from a + 1 to 6" in rising.start().summary()


@MODERATE
@given(plans(4, entangled=True), st.integers(0, 10**6))
def test_random_spaces_with_depending_domains(plan: tuple[Any, ...], seed: int) -> None:
    space = space_of(plan)
    architecture = space.sample(seed)
    assert space.at(architecture.values) == architecture
    assert da.Architecture.from_json(architecture.to_json(), space) == architecture
    partial, rng = space.start(), random.Random(seed)
    while partial.unassigned:
        point = rng.choice(partial.unassigned)
        value = architecture.values.get(point.address)
        partial = partial.assign(point, point.domain.draw(rng) if value is None else value)
    assert partial == architecture
    found = list(itertools.islice(every(space), 100))
    if len(found) < 100:  # what is decided and then ignored comes several times
        listed = list(space.enumerate())
        assert len(listed) == len(set(listed)) and set(listed) == set(found)
    for neighbour in itertools.islice(space.neighbours(architecture), 20):
        assert space.at(neighbour.values) == neighbour
        assert all(not isinstance(v, float) or math.isfinite(v) for v in neighbour.values.values())

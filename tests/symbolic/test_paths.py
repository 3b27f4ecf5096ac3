"""Paths, changes, differences and equality of programs, beyond what random programs show."""

from __future__ import annotations

import dataclasses
import functools
import math
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import deep_arch as da
from deep_arch.errors import BadArgument, UnknownAddress
from deep_arch.language.chosen_parts import copies
from deep_arch.language.likeness import alike, content_hash
from deep_arch.language.parts import DELETE, walk
from deep_arch.symbolic.json_text import from_json, to_json
from deep_arch.symbolic.paths import diff, get, rebind
from deep_arch.symbolic.symbols import symbolize


class Conv:
    def __init__(self, filters: Any = 8, kernel: Any = (3, 3), act: Any = None) -> None:
        self.filters, self.kernel, self.act = filters, kernel, act


class Net:
    def __init__(self, *layers: Any, name: str = "net", **rest: Any) -> None:
        self.layers = layers


def merge(a: Any, b: Any = 2, /, c: Any = 3, *rest: Any, d: Any = 4) -> Any:
    return a, b, c, rest, d


class Point(NamedTuple):
    x: Any
    y: Any = 0


@dataclasses.dataclass(frozen=True)
class Schedule:
    rate: Any
    steps: Any = 10


@da.rule
def grown(width: Any = 1) -> Any:
    return da.choice([Conv_(width), Net_(grown(2))])


Conv_: Any = symbolize(Conv)
Net_: Any = symbolize(Net)
Merge: Any = symbolize(merge)


def everything() -> Any:
    """Return a program of every kind of holder."""
    n = da.integer(1, 3, name="n")
    return Net_(
        Conv_(n, kernel=(n, 2 * n)),
        [[1], (2, [n])],
        {"a": 1, 2: Conv_(3), "two words": [4], (1, 2): 5, "nested": {"b": n}},
        OrderedDict(first=1, second=[n]),
        Point(n, [1]),
        Schedule(da.real(0, 1), steps=[n]),
        functools.partial(Conv, n, act=[1]),
        da.choice([Conv_(da.choice([1, 2])), 5, None], name="op"),
        da.choice({"sgd": Conv_(1), "two words": Conv_(2), 3: Conv_(3)}),
        da.choice([Conv_(1), Conv_(2)], which=n - 1),
        da.subset([Conv_(1), Conv_(n), 3], 2),
        da.permutation([Conv_(1), 2]),
        copies(lambda: Conv_(da.choice([1, 2])), n),
        da.choice([n, da.real(0, 1)]),
        da.choice([1, 2], weights=[2, 1]),
        grown(n),
        Merge(1, 2, 3, 4, d=Conv_.partial(1)),
        name="all",
        extra=da.dependent(math.sqrt, n),
    )


def applied(one: Any, other: Any) -> Any:
    return rebind(one, {path: new for path, (_, new) in diff(one, other).items()})


# --- get -------------------------------------------------------------------------------------------------------------


def test_get_gives_what_walk_yields() -> None:
    program = everything()
    places = [*walk(program)]
    assert len(places) == 85
    for path, value, _ in places:
        assert get(program, path) is value, path


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("", "the program itself"),
        ("[0].act", None),
        ("[2].a", 1),
        ("[2][2].filters", 3),
        ("[2]['two words'][0]", 4),
        ("[2][(1, 2)]", 5),
        ("[8][sgd].filters", 1),
        ("[8]['two words'].filters", 2),
        ("[8][3].filters", 3),
        ("[16][0]", 1),
        ("name", "all"),
        (".name", "all"),
    ],
)
def test_get_by_path(path: str, wanted: Any) -> None:
    program = everything()
    assert get(program, path) is (program if wanted == "the program itself" else wanted)


def test_get_gives_defaults_of_calls() -> None:
    assert get([Conv_()], "[0].kernel") == (3, 3) and get([Conv_()], "[0].kernel[1]") == 3
    assert get(Merge(1), "[1]") == 2 and get(Merge(1), "c") == 3 and get(Net_(), "name") == "net"
    with pytest.raises(UnknownAddress):
        get(Conv_.partial(), "[0]")


def test_get_takes_a_position() -> None:
    assert get([4, 5], 1) == 5 and Net_(4, 5)[1] == 5


def test_the_title_of_what_is_decided_leads_as_in_addresses() -> None:
    program = da.choice([Conv_(1), Conv_(2)])
    assert get(program, "choice[1].filters") == get(program, "[1].filters") == 2
    assert rebind(program, {"choice[1].filters": 3}) == da.choice([Conv_(1), Conv_(3)])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            "[0].filter",
            r"^\[0\]\.filter: nothing stands there\.\n  Got 'filter' in Conv.*has filters, kernel\.\n.*filters",
        ),
        ("[0].filters.low", r"^\[0\]\.filters\.low: .*\n  Got 'low' in <n: .*which has nothing in it"),
        (
            "[1][2]",
            r"^\[1\]\[2\]: nothing stands there\.\n  Got '\[2\]' in \[\[1\], .*\(list\), which has \[0\], \[1\]",
        ),
        ("[1][-1]", r"nothing stands there"),
        ("[1].a", r"Got 'a' in \[\[1\]"),
        ("[8][adam]", r"Got '\[adam\]' in choice.*\[sgd\]"),
        ("[2].c.d", r"Got 'c' in \{.*\n  Take paths from walk\(program\)\."),
        ("nam", r"Did you mean 'name'"),
        ("[1][00]", r"nothing stands there"),
        ("[0]filters", r"nothing stands there"),
        (".", r"nothing stands there"),
        ("[0].", r"nothing stands there"),
        ("[", r"nothing stands there"),
    ],
)
def test_get_tells_where_nothing_stands(path: str, text: str) -> None:
    with pytest.raises(UnknownAddress, match=text):
        get(everything(), path)


@pytest.mark.parametrize("path", [None, 1.5, ["a"], b"a"])
def test_a_path_is_a_text(path: Any) -> None:
    with pytest.raises(
        BadArgument, match=r"^path: expected a text, such as 'model\.op\[2\]\.filters'\.\n  Got .*\n  Take"
    ):
        get(Conv_(), path)
    with pytest.raises(BadArgument, match=r"^path: expected a text"):
        rebind(Conv_(), {path if isinstance(path, bytes) else ("a",): 1})


# --- rebind by path --------------------------------------------------------------------------------------------------


def test_rebind_changes_one_place_and_shares_the_rest() -> None:
    program = everything()
    for path, _value, _ in walk(program):
        if path and not path.endswith((".times", "[]")):
            marker = object()
            changed = rebind(program, {path: marker})
            assert get(changed, path) is marker, path
            others = [p for p, _, _ in walk(program) if not p.startswith(path) and not path.startswith(p)]
            assert all(get(changed, p) is get(program, p) for p in others), path
    assert program == everything()


def test_rebind_by_name_and_by_path_together() -> None:
    program = Net_(Conv_(1), name="a")
    assert (
        rebind(program, {"[0].filters": 2}, name="b")
        == Net_(Conv_(2), name="b")
        == program.rebind({"[0].filters": 2}, name="b")
    )
    assert rebind(program) is program and rebind(program, {}) is program
    assert rebind(program, {"": 3}) == 3


def test_rebind_adds_what_was_left_out() -> None:
    assert rebind(Conv_(1), {"act": "relu"}) == Conv_(1, act="relu")
    assert rebind([Conv_(1)], {"[0].act": "relu", "[0].kernel": 1}) == [Conv_(1, 1, "relu")]
    assert rebind({"a": 1}, {"b": 2, "[3]": 4, "['two words']": 5}) == {"a": 1, "b": 2, 3: 4, "two words": 5}
    assert rebind(Net_(), {"rate": 0.5}) == Net_(rate=0.5)
    assert rebind(Net_(opts={}), {"opts.deep": 1}) == Net_(opts={"deep": 1})


def test_rebind_deletes() -> None:
    assert rebind([1, 2, 3], {"[0]": DELETE, "[2]": DELETE}) == [2]
    assert rebind(Conv_(1, act=2), {"act": DELETE}) == Conv_(1) and rebind(Net_(1, 2), {"[0]": DELETE}) == Net_(2)
    assert rebind({"a": 1, "b": 2}, {"a": DELETE}) == {"b": 2}
    with pytest.raises(UnknownAddress, match=r"^b: nothing stands there"):
        rebind({"a": 1}, {"b": DELETE})
    kept = rebind(da.choice([Conv_(1), Conv_(2), Conv_(3)], name="op"), {"[1]": DELETE})
    assert kept == da.choice([Conv_(1), Conv_(3)], name="op")
    assert rebind(da.subset([Conv_(1), 2, 3], 2), {"[1]": DELETE}) == da.subset([Conv_(1), 3], 2)
    for program, path in [(Point(1), "x"), (Point(1), "[0]"), (Schedule(1), "rate")]:
        with pytest.raises((BadArgument, UnknownAddress)):
            rebind(program, {path: DELETE})
    with pytest.raises(BadArgument, match="has each of its fields"):
        rebind(Schedule(1), {"rate": DELETE})


@pytest.mark.parametrize(
    ("program", "changes", "kind", "text"),
    [
        (lambda: Conv_(1), {"filter": 2}, BadArgument, r"^Conv\(.*'filter'.*\n.*\n  Did you mean 'filters'"),
        (lambda: [Conv_(1)], {"[1]": 2}, UnknownAddress, r"^\[1\]: nothing stands there"),
        (lambda: Conv_(1), {"[0]": 2}, UnknownAddress, r"^\[0\]: nothing stands there"),
        (lambda: Conv_(1), {"act.x": 2}, UnknownAddress, r"^act\.x: nothing stands there\.\n  Got 'x' in None"),
        (lambda: Conv_(1), {"acts.x": 2}, UnknownAddress, r"^acts\.x: nothing stands there"),
        (
            lambda: [[1]],
            {"[0]": 2, "[0][0]": 3},
            BadArgument,
            r"^rebind: one change lies within another, at \[0\]\[0\]",
        ),
        (
            lambda: [[1]],
            {"[0][0]": 3, "[0]": 2},
            BadArgument,
            r"at \[0\]\.\n  Got \[0\]\[0\], \[0\]\.\n  Make the inner",
        ),
        (lambda: [1], {"": 2, "[0]": 3}, BadArgument, "one change lies within another"),
        (lambda: [1], {"[0]": 2, ".[0]": 2}, UnknownAddress, "nothing stands there"),
        (lambda: Conv_(1), {"filters": 2, ".filters": 3}, BadArgument, "one change lies within another"),
        (
            lambda: Conv_(1),
            5,
            BadArgument,
            r"^rebind: expected a dict from path to new value, or a function\.\n  Got 5",
        ),
        (lambda: Conv_(1), Conv_(2), BadArgument, r"^rebind: expected a dict .*\n  Got Conv\(filters=2\)"),
        (
            lambda: Conv_(1),
            lambda value: value,
            BadArgument,
            r"called with path, value and parent: .*\n  Got <.*\n  Write",
        ),
        (lambda: Merge(1, 2), {"[0]": DELETE, "[1]": DELETE}, BadArgument, "missing a required argument: 'a'"),
    ],
)
def test_rebind_tells_what_it_does_not_take(
    program: Callable[[], Any], changes: Any, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text):
        rebind(program(), changes)


# --- rebind by a function --------------------------------------------------------------------------------------------


def test_the_identity_gives_the_program_itself() -> None:
    program = everything()
    assert rebind(program, lambda path, value, parent: value) is program


def test_the_function_is_asked_from_the_leaves_up_with_path_value_and_parent() -> None:
    program = Net_([Conv_(1)], a=2)
    asked: list[tuple[str, Any, Any]] = []

    def note(path: str, value: Any, parent: Any) -> Any:
        asked.append((path, value, parent))
        return value + 1 if type(value) is int else value

    assert rebind(program, note) == Net_([Conv_(2)], a=3)
    assert [path for path, _, _ in asked] == ["[0][0].filters", "[0][0]", "[0]", "a", ""]
    assert asked[1][1] == Conv_(2) and asked[1][2] == [Conv_(1)] and asked[0][2] == Conv_(1) and asked[-1][2] is None


def test_what_stands_in_several_places_is_asked_once_and_stays_shared() -> None:
    width, conv = da.choice([8, 16]), Conv_(1)
    asked: list[str] = []

    def change(path: str, value: Any, parent: Any) -> Any:
        asked.append(path)
        return da.choice([1, 2]) if value is width else Conv_(2) if value is conv else value

    changed = rebind(Net_(width, 2 * width, da.integer(1, width), conv, [conv]), change)
    assert get(changed, "[3]") is get(changed, "[4][0]") and get(changed, "[3]") == Conv_(2)
    new = get(changed, "[0]")
    assert new.domain.options == (1, 2) and get(changed, "[1]").parents[1] is new
    assert get(changed, "[2]").parents[1] is new
    assert asked.count("[0]") == 1 and asked.count("[3]") == 1 and "[4][0]" not in asked
    assert da.space(changed).size() == 1 + 2


def test_what_is_computed_from_a_plain_value_is_plain() -> None:
    n = da.integer(1, 3, name="n")

    def fixed(path: str, value: Any, parent: Any) -> Any:
        return 2 if value is n else value

    assert rebind(Net_(n, 2 * n + 1, (n, [n])), fixed) == Net_(2, 5, (2, [2]))
    narrowed = get(rebind(Net_(da.integer(1, n, name="m", tag="t")), fixed), "[0]")
    assert (narrowed.domain.high, narrowed.name, narrowed.tag) == (2, "m", "t")


# --- differences -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        (lambda: 1, lambda: 1, {}),
        (lambda: 1, lambda: True, {"": (1, True)}),
        (lambda: [1, 2], lambda: [1, 3], {"[1]": (2, 3)}),
        (lambda: [1], lambda: [1, 2], {"": ([1], [1, 2])}),
        (lambda: {"a": 1, "b": 2}, lambda: {"b": 3, "c": 4}, {"a": (1, DELETE), "b": (2, 3), "c": (DELETE, 4)}),
        (lambda: {1: 1}, lambda: {True: 1}, {"[1]": (1, DELETE), "[True]": (DELETE, 1)}),
        (lambda: (1,), lambda: [1], {"": ((1,), [1])}),
        (lambda: Conv_(1), lambda: Conv_(2, act=3), {"filters": (1, 2), "act": (None, 3)}),
        (lambda: Conv_(act=3), lambda: Conv_(), {"act": (3, None)}),
        (lambda: [Conv_(1)], lambda: [Conv_.partial(1)], {"[0]": (Conv_(1), Conv_.partial(1))}),
        (lambda: math.nan, lambda: float("nan"), {}),
        (lambda: Point(1), lambda: Point(1, 2), {"[1]": (0, 2)}),
        (lambda: Schedule(1), lambda: Schedule(2), {"rate": (1, 2)}),
    ],
)
def test_differences(one: Callable[[], Any], other: Callable[[], Any], wanted: Any) -> None:
    assert diff(one(), other()) == wanted
    assert alike(applied(one(), other()), other())


CHANGES: list[Callable[[Any], Any]] = [
    lambda p: rebind(p, {"[0].filters": 3}),
    lambda p: rebind(p, {"[0].filters": da.integer(1, 4)}),
    lambda p: rebind(p, {"[2]": {"a": 1, "b": Conv_()}}),
    lambda p: rebind(p, {"[3].second[0]": 4}),
    lambda p: rebind(p, {"[6].act": DELETE}),
    lambda p: rebind(p, {"[7][0].filters": 3}),
    lambda p: rebind(p, {"[7]": da.choice([Conv_(da.choice([1, 2])), 5, None])}),
    lambda p: rebind(p, {"[8]['two words']": 3}),
    lambda p: rebind(p, {"[9].which": da.choice([0, 1])}),
    lambda p: rebind(p, {"[10][1]": DELETE}),
    lambda p: rebind(p, {"[12].times": 2}),
    lambda p: rebind(p, {"[14]": da.choice([1, 2], weights=[1, 2])}),
    lambda p: rebind(p, {"[15]": grown(1)}),
    lambda p: rebind(p, {"[16].d": DELETE}),
    lambda p: rebind(p, {"extra": DELETE}),
    lambda p: rebind(p, {"more": 1}),
    lambda p: rebind(p, lambda path, value, parent: da.integer(1, 3, name="m") if is_named(value, "n") else value),
    lambda p: rebind(p, lambda path, value, parent: value + 1 if type(value) is int else value),
]


def is_named(value: Any, name: str) -> bool:
    return type(value).__name__ == "Independent" and value.name == name


@pytest.mark.parametrize("change", CHANGES)
def test_a_difference_applied_gives_the_other_both_ways(change: Callable[[Any], Any]) -> None:
    program = everything()
    other = change(everything())
    assert program != other and hash(program) == hash(everything())
    assert applied(program, other) == other and applied(other, program) == program
    related = change(program)  # which shares most with the program
    assert applied(program, related) == related and applied(related, program) == program


def test_a_decision_that_became_two_is_a_difference() -> None:
    n, m = da.integer(1, 3), da.integer(1, 3)
    one, other = Net_(n, n), Net_(n, m)
    assert one != other and diff(one, other) == {"": (one, other)} and applied(one, other) == other
    tied, apart = Net_(Conv_(1)), Net_(Conv_(1))
    assert tied == apart
    conv = Conv_(1)
    assert Net_(conv, conv) != Net_(Conv_(1), Conv_(1))


# --- equality --------------------------------------------------------------------------------------------------------


def test_equality_and_hash_survive_pickle_and_json() -> None:
    program = everything()
    for other in (everything(), pickle.loads(pickle.dumps(program)), from_json(to_json(program))):
        assert other == program and hash(other) == hash(program) and diff(program, other) == {}


def test_equality_goes_by_what_is_said() -> None:
    assert Conv_(8) == Conv_() == Conv_(kernel=(3, 3)) and hash(Conv_(8)) == hash(Conv_())
    assert Net_(a=1, b=2) == Net_(b=2, a=1)
    assert {Conv_(1): "found"}[Conv_(1)] == "found"


PAIRS: list[tuple[Any, Any]] = [
    (Conv_(1), Conv_(2)),
    (Conv_(1), Conv_(1.0)),
    (Conv_(1), Conv_(True)),
    (Conv_(0.0), Conv_(0)),
    (Conv_([1]), Conv_((1,))),
    (Conv_(1), Conv_.partial(1)),
    (Conv_(Conv), Conv_(Conv_)),
    (Conv_(1), 1),
    (Conv_(1), None),
    (Conv_({"a": 1}), Conv_({"b": 1})),
    (Conv_({"a": 1}), Conv_(OrderedDict(a=1))),
    (Conv_({1, 2}), Conv_(frozenset({1, 2}))),
    (Conv_(da.choice([1, 2])), Conv_(da.choice([2, 1]))),
    (Conv_(da.choice([1, 2])), Conv_(da.choice([1, 2.0]))),
    (Conv_(da.choice([1, 2])), Conv_(da.choice([1, 2], name="n"))),
    (Conv_(da.choice([1, 2])), Conv_(da.choice([1, 2], tag="n"))),
    (Conv_(da.choice([1, 2])), Conv_(da.choice([1, 2], weights=[1, 2]))),
    (Conv_(da.choice([1, 2])), Conv_(da.integer(1, 2))),
    (Conv_(da.integer(1, 4)), Conv_(da.integer(1, 4, log=True))),
    (Conv_(da.real(0, 1)), Conv_(da.real(0, 1, step=0.5))),
    (Conv_(da.subset([1, 2], 1)), Conv_(da.subset([1, 2], 1, ordered=True))),
    (Conv_(da.subset([1, 2], 2, ordered=True)), Conv_(da.permutation([1, 2]))),
    (Conv_(da.integer(1, 3) + 1), Conv_(da.integer(1, 3) + 2)),
    (Conv_(da.integer(1, 3) + 1), Conv_(da.integer(1, 3) * 1)),
    (da.choice([Conv_(1), 2]), da.choice([Conv_(1), 3])),
    (da.choice([Conv_(1), 2]), da.choice({"a": Conv_(1), "b": 2})),
    (da.choice([Conv_(1), 2]), da.choice([Conv_(1), 2], weights=[1, 2])),
    (da.subset([Conv_(1), 2], 1), da.permutation([Conv_(1), 2])),
    (copies(Conv_(1), 2), copies(Conv_(1), 3)),
    (grown(1), grown(2)),
    (Conv_(np.zeros(2)), Conv_(np.zeros(3))),
    (Conv_(np.zeros(2)), Conv_(np.zeros(2, np.float32))),
]


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda value: f"{value!r:.40}")
def test_what_differs_is_not_equal(one: Any, other: Any) -> None:
    assert one != other and other != one
    assert applied([one], [other])[0] == other
    assert one == one and alike(one, one)


def with_partial_options() -> Any:
    return Conv_(da.choice([functools.partial(merge, 1), functools.partial(merge, d=[1])]))


SAME: list[Callable[[], Any]] = [
    lambda: Conv_(np.arange(4).reshape(2, 2)),
    lambda: Conv_([float("nan"), complex(float("nan"), 1)]),
    lambda: Conv_(da.choice([float("nan"), 1])),
    lambda: Conv_(da.choice([np.arange(2), np.arange(3)])),
    lambda: Conv_(da.choice([{"a": [1]}, [{}], Schedule([1])])),
    lambda: Conv_(functools.partial(merge, functools.partial(merge, 1))),
    with_partial_options,
    lambda: Conv_(da.choice([{"lr": da.real(0, 1)}, {"lr": 1}])),
    lambda: Conv_(da.dependent(functools.partial(math.pow, 2.0), da.integer(1, 2))),
    lambda: symbolize(functools.partial(merge, 1))(2),
    lambda: symbolize(functools.partial(merge, [1]))(2),
    lambda: Conv_({1, "a"}),
    lambda: Conv_(Schedule(Conv_(da.choice([1, 2])))),
]


@pytest.mark.parametrize("make", SAME)
def test_what_says_the_same_is_equal(make: Callable[[], Any]) -> None:
    one = make()
    for other in (make(), pickle.loads(pickle.dumps(one))):
        assert one == other and hash(one) == hash(other) and diff(one, other) == {}


# --- size ------------------------------------------------------------------------------------------------------------


def deep(n: int, filters: int = 0) -> Any:
    program: Any = Conv_(filters)
    for i in range(n):
        program = (Conv_(act=program), [program], da.choice([Net_(program), i]))[i % 3]
    return program


def test_deep_programs() -> None:
    one, other = deep(900), deep(900, filters=1)
    path = next(path for path, value, _ in walk(one) if type(value) is int and path.endswith("filters"))
    assert get(one, path) == 0 and rebind(one, {path: 1}) == other != one
    assert diff(one, other) == {path: (0, 1)} and hash(one) == hash(deep(900))
    assert rebind(one, lambda path, value, parent: value) is one
    assert rebind(one, lambda path, value, parent: 1 if path.endswith("filters") else value) == other


def test_deep_formulas() -> None:
    def formula() -> Any:
        found: Any = da.integer(1, 2, name="n")
        for _ in range(900):
            found = found + 1
        return Conv_(found)

    assert formula() == formula() and hash(formula()) == hash(formula())
    assert rebind(formula(), lambda path, value, parent: 1 if is_named(value, "n") else value) == Conv_(901)


def test_long_programs() -> None:
    items = [Conv_(da.choice([i, i + 1])) for i in range(10_000)]
    one, other = Net_(*items), Net_(*items[:-1], Conv_(1))
    assert get(one, "[9999]") is items[-1]
    assert [*diff(one, other)] == ["[9999].filters"]
    assert applied(one, other) == other
    changes = {f"[{i}].filters": i for i in range(10_000)}
    assert rebind(one, changes) == Net_(*[Conv_(i) for i in range(10_000)])
    assert content_hash(one) == content_hash(Net_(*items))
    named = {f"k{i}": i for i in range(10_000)}
    assert rebind({}, named) == named and rebind(named, {key: i + 1 for key, i in named.items()})["k9"] == 10
    assert rebind(Net_(**named), dict.fromkeys(named, 0)) == Net_(**dict.fromkeys(named, 0))


def test_what_is_shared_in_many_places_is_looked_at_once() -> None:
    def tower() -> Any:
        found: Any = Conv_(da.choice([1, 2]))
        for _ in range(200):  # 2 ** 200 places
            found = Net_(found, found)
        return found

    one = tower()
    assert one == tower() and hash(one) == hash(tower())
    assert rebind(one, lambda path, value, parent: value) is one
    assert get(one, "[0]" * 200 + ".filters") is get(one, "[1]" * 200 + ".filters")

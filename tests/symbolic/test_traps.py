"""What goes wrong, and is said."""

from __future__ import annotations

import collections
import warnings
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import (
    BadArgument,
    DuplicateName,
    InvalidDomain,
    NotSpecified,
    ScopeError,
    UnknownAddress,
    UnknownName,
    UnreachedAddress,
    ValueOutsideDomain,
)
from deep_arch.symbolic import DELETE, SharedDecision, Symbolic, copies, making_objects, to_json


class Layer:
    def __init__(self, units: int = 1, inner: Any = None, *more: Any) -> None:
        if units < 0:
            raise ValueError("units is negative")
        self.units, self.inner, self.more = units, inner, more


class Weighty:
    def __init__(self) -> None:
        self.values = [0.0]

    def parameters(self) -> list[Any]:
        return self.values


Recorded = da.symbolize(Layer)


@pytest.mark.parametrize(
    ("make", "path", "n"),
    [
        (lambda h: Recorded(1, [h] * 3), "inner", 3),
        (lambda h: Recorded(1, {"widths": (h, h, h, h)}), "inner.widths", 4),
        (lambda h: [1, h, 2, h, h], "program", 3),
        (lambda h: Recorded(1, [Recorded(h)] * 5), "inner", 5),
        (lambda h: Recorded(1, [da.choice([Recorded(1), Recorded(h)])] * 6), "inner", 6),
        (lambda h: Recorded(1, None, h, h, h), "program", 3),
    ],
)
def test_one_decision_many_times_in_a_list_warns(make: Any, path: str, n: int) -> None:
    with pytest.warns(SharedDecision, match=rf"^{path}: {n} items are one and the same, so they are decided once"):
        space = da.space(make(da.choice([1, 2])))
    assert space.size() <= 3


@pytest.mark.parametrize(
    "make",
    [
        lambda: Recorded(1, [da.choice([1, 2])] * 2),
        lambda: Recorded(1, [da.choice([1, 2], name="width")] * 3),
        lambda: Recorded(da.choice([1, 2]), [Recorded(3)] * 3),
        lambda: Recorded(1, [da.choice([1, 2]) for _ in range(3)]),
    ],
)
def test_what_is_meant_does_not_warn(make: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert da.space(make()).size() > 1


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda: Recorded(da.choice([1, 2]), Weighty()), "layer.inner"),
        (lambda: Recorded(da.choice([1, 2]), [3, {"a": Weighty()}]), r"layer.inner.\[1\].a"),
        (lambda: Recorded(1, Recorded(da.choice([1, 2]), Weighty())), "inner.inner"),
    ],
)
def test_an_object_with_weights_is_named_by_check(make: Any, path: str) -> None:
    with pytest.raises(
        BadArgument, match=rf"{path}: expected what is made anew for each trial(.|\n)*Symbolize its class"
    ):
        da.check(make())
    da.check(da.space(Recorded(da.choice([1, 2]), Weighty)))


def test_what_a_constructor_raises_goes_through_with_its_place() -> None:
    space = da.space(Recorded(1, [Recorded(da.choice([-1, -2]))]))
    with pytest.raises(ValueError, match="units is negative") as raised:
        da.build(space.sample(seed=0))
    if hasattr(raised.value, "__notes__"):
        assert raised.value.__notes__ == [
            f"while making inner[0] with units={space.sample(seed=0).values['inner[0].units']}"
        ]


def test_an_open_program_is_not_built() -> None:
    with pytest.raises(NotSpecified, match=r"leaves open units, inner\[0\](.|\n)*da.search\(program"):
        da.build(Recorded(da.choice([1, 2]), [da.choice([Recorded(), Recorded(2)])]))
    space = da.space(Recorded(da.choice([1, 2]), da.choice([3, 4])))
    with pytest.raises(NotSpecified, match=r"a partial architecture has no object.\n  Got no value for units, inner"):
        da.build(space.start())
    with pytest.raises(NotSpecified, match="no value for inner"):
        da.resolve(space.start().assign("units", 1))


def test_a_network_is_built_by_a_backend() -> None:
    net = da.space(lambda x: ops.Dense(units=da.choice([1, 2]))(x))
    with pytest.raises(BadArgument, match="A network is built by a backend"):
        da.build(net.sample(seed=0))


def test_a_program_has_no_inputs() -> None:
    architecture = da.space(Recorded(da.choice([1, 2]))).sample(seed=0)
    with pytest.raises(BadArgument, match=r"layer: has no inputs(.|\n)*da.build\(architecture\)"):
        architecture.shapes(da.vector(3))


def test_wrong_addresses_and_values_are_those_of_any_space() -> None:
    space = da.space(Recorded(1, da.choice([Recorded(da.choice([1, 2])), Recorded()])))
    with pytest.raises(UnreachedAddress, match=r"inner\[0\].units: is not reached"):
        space.at({"inner": 1, "inner[0].units": 1})
    with pytest.raises(UnknownAddress, match="Did you mean 'inner'"):
        space.fix({"innr": 1})
    with pytest.raises(ValueOutsideDomain, match="inner: 7 is not one of"):
        space.at({"inner": 7})


def test_two_hyperparameters_of_one_name_are_refused() -> None:
    with pytest.raises(DuplicateName, match="'width'"):
        da.space([da.choice([1, 2], name="width"), da.choice([1, 2], name="width")]).start()
    with pytest.raises(DuplicateName, match="'units'"):
        da.space(Recorded(da.choice([1, 2]), da.choice([1, 2], name="units"))).start()


def test_what_chooses_names_a_candidate() -> None:
    candidates = [Recorded(1), Recorded(2)]
    with pytest.raises(InvalidDomain, match="names none of the candidates"):
        da.choice(candidates, which=da.choice([0, 2]))
    with pytest.raises(InvalidDomain, match="expected at least one candidate"):
        da.choice([], which=0)
    with pytest.raises(InvalidDomain, match="what which decides has no weights, name or tag"):
        da.choice(candidates, which=da.choice([0, 1]), name="op")
    space = da.space(da.choice(candidates, which=da.dependent(lambda h: h + 1, da.choice([0, 1]))))
    with pytest.raises(InvalidDomain, match="2 names none of the candidates"):
        list(space.enumerate())


def test_what_belongs_to_another_function_is_refused() -> None:
    kept: list[Any] = []

    @da.space
    def net(x: Any) -> Any:
        kept.append(da.choice([1, 2]))
        return ops.Dense(units=kept[0])(x)

    net.start()
    with pytest.raises(ScopeError, match="was made in another function"):
        da.space(Recorded(kept[0])).start()


def test_a_restricted_space_is_no_argument() -> None:
    net = da.space(lambda x: ops.Dense(units=da.choice([1, 2]))(x))
    program = Recorded(1, net.fix({"dense.units": 1}))
    with pytest.raises(BadArgument, match=r"only a whole space can be an argument(.|\n)*restrict the program's"):
        da.space(program).start()
    assert da.space(Recorded(1, net)).fix({"inner/dense.units": 1}).size() == 1


def test_copies_are_a_number_of_parts() -> None:
    with pytest.raises(InvalidDomain, match="times must be an int of at least 0"):
        da.space(copies(Recorded(), -1)).start()
    with pytest.raises(BadArgument, match="a function without arguments"):
        copies(lambda x: x, 2)


def test_text_needs_names() -> None:
    with pytest.raises(BadArgument, match="inner"):
        to_json(Recorded(1, lambda: 3))


def test_hyperparameters_of_pyglove_are_refused() -> None:
    pg = pytest.importorskip("pyglove")
    with pytest.raises(BadArgument, match=r"Write da.choice"):
        Recorded(pg.oneof([1, 2]))
    with pytest.raises(BadArgument, match=r"Write da.real"):
        Recorded(1, [pg.floatv(0.0, 1.0)])
    with pytest.raises(BadArgument, match=r"Write da.choice"):
        da.symbolize(pg.oneof([1, 2]))


def test_hidden_arguments_are_said() -> None:
    class Changing:
        def __init__(self, rebind: int, symbol: int) -> None:
            self.total = rebind + symbol

    call: Any = da.symbolize(Changing)(rebind=1, symbol=da.choice([2, 3]))
    with pytest.raises(
        UnknownName, match=r"'rebind' is an argument of it(.|\n)*call\['rebind'\] for the argument, and da.rebind"
    ):
        _ = call.rebind
    assert call["rebind"] == 1
    assert da.build(da.rebind(call, symbol=4)).total == 5


def test_a_record_is_no_object() -> None:
    call: Any = Recorded(3)
    wrongs: tuple[Any, ...] = (lambda: bool(call), lambda: call(1), lambda: iter(call))
    for wrong in wrongs:
        with pytest.raises(da.DeepArchError, match="Make"):
            wrong()
    with pytest.raises(BadArgument, match="never changes"):
        call.units = 4


def positional(a: Any, b: Any = 2, /, c: Any = 3, **more: Any) -> Any:
    return a, b, c, more


def test_changes_reach_what_was_left_to_defaults() -> None:
    record: Any = da.symbolize(positional)
    assert da.rebind(record(1), {"[1]": 5, "c": 9, "z": 1}) == record(1, 5, c=9, z=1)
    assert da.rebind(record(1, **{"a b": 3}), {"c": 1}) == record(1, c=1, **{"a b": 3})
    assert da.rebind(record(1, z=2), {"z": DELETE, "c": 4}) == record(1, c=4)
    program = record(1)
    assert da.rebind(program, {"[0]": 1}) is program


def test_rules_are_asked_of_what_is_written_and_not_of_formulas() -> None:
    record: Any = da.symbolize(positional)
    h = da.choice([1, 2])
    asked: list[Any] = []

    def ask(path: str, value: Any, parent: Any) -> Any:
        asked.append(value)
        return value

    da.rebind(record(7, c=[3 * h, da.integer(4, h + 5)]), ask)
    assert [value for value in asked if isinstance(value, int)] == [7]


def test_what_cannot_be_deleted_is_said() -> None:
    record: Any = da.symbolize(positional)
    h = da.choice([1, 2])
    with pytest.raises(UnknownAddress, match=r"Got 'b' in \{'a': 1\}"):
        da.rebind(record({"a": 1}), {"[0].b": DELETE})
    with pytest.raises(BadArgument, match="is computed from what is to be deleted"):
        da.rebind(record(2 * h), lambda path, value, parent: DELETE if value is h else value)
    with pytest.raises(UnknownAddress, match="expected a new key of a dict"):
        da.rebind(record({"a": 1}), {"[0][x y]": 1})
    with pytest.raises(BadArgument, match="has a part and a number of copies"):
        da.rebind(record(1, c=copies(record(1), 2)), {"c[]": DELETE})
    assert da.rebind(record({"a": 1}), {"[0]['x y']": 1, "[0].a": DELETE}) == record({"x y": 1})


class Holder:
    def __init__(self) -> None:
        self.layer = Recorded(3)


def test_code_that_makes_objects_elsewhere_says_so() -> None:
    assert isinstance(Holder().layer, Symbolic)
    with making_objects():
        assert type(Holder().layer) is Layer
    assert isinstance(Holder().layer, Symbolic)
    assert type(da.build(da.symbolize(Holder)()).layer) is Layer


class OwnList(list[Any]):
    pass


@pytest.mark.parametrize(
    "hide",
    [
        lambda h: {h},
        lambda h: frozenset([Recorded(h)]),
        lambda h: collections.deque([h]),
        lambda h: collections.defaultdict(int, a=h),
        lambda h: collections.ChainMap({"a": h}),
        lambda h: OwnList([h]),
        lambda h: {h: 1},
        lambda h: [1, {"a": {Recorded(1)}}],
        lambda h: Layer(1, h),
        lambda h: Layer(1, [h]),
        lambda h: Recorded(1, Layer(1, {"a": Recorded(2)})),
    ],
)
def test_nothing_open_is_hidden(hide: Any) -> None:
    h = da.choice([1, 2])
    with pytest.raises(
        BadArgument, match=r"inner.*are not looked for elsewhere\.\n  Got .*\n  (Write a list|Symbolize its)"
    ):
        da.space(Recorded(da.choice([1, 2]), hide(h)))


def test_an_architecture_may_be_an_argument() -> None:
    inner = da.space(Recorded(da.choice([1, 2]))).sample(seed=0)
    assert da.build(da.space(Recorded(da.choice([1, 2]), inner)).sample(seed=0)).inner is inner


def test_programs_and_networks_are_not_mixed() -> None:
    for fn in (lambda x: da.or_([Recorded(1), Recorded(2)])(x), lambda x: da.optional(Recorded(1))(x)):
        with pytest.raises(BadArgument, match=r"Got Layer\(units=1\), a recorded call(.|\n)*da.choice"):
            da.space(fn).start()
    with pytest.raises(BadArgument, match=r"expected a function that returns values of a network, or a program"):
        da.space(lambda x: (x, Recorded(1))).start()
    for wrong in (3, None, "x", [1, 2]):
        with pytest.raises(BadArgument, match=r"^build: expected a program, or an architecture or trial of its space"):
            da.build(wrong)

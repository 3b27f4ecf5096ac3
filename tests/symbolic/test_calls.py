"""Recorded calls: what they hold, how they read, that they never change, and that they go deep."""

from __future__ import annotations

import copy
import dataclasses
import enum
import functools
import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest

import deep_arch as da
from deep_arch.errors import BadArgument, HyperparameterMisuse, UnknownName
from deep_arch.language.expressions import expression
from deep_arch.language.parts import DELETE, children, is_open, walk, with_children
from deep_arch.symbolic.calls import Symbolic, said
from deep_arch.symbolic.symbols import symbolize


class Conv:
    def __init__(self, filters: Any, kernel: Any = (3, 3), act: Any = None) -> None:
        self.filters = filters


class Net:
    def __init__(self, *layers: Any, name: str = "net", **extra: Any) -> None:
        self.layers = layers


def merge(a: Any, b: Any = 2, /, c: Any = 3, *rest: Any, d: Any = 4, **more: Any) -> Any:
    return (a, b, c, rest, d, more)


class Awkward:
    def __init__(self, rebind: int, symbol: int = 2, held: int = 3, *, title: str = "t", _said: int = 4) -> None:
        self.all = rebind, symbol, held, title, _said


Dict: Any = symbolize(dict)
Conv_: Any = symbolize(Conv)
Net_: Any = symbolize(Net)
Merge: Any = symbolize(merge)
Awkward_: Any = symbolize(Awkward)


def test_arguments_are_told_by_name_however_they_were_given() -> None:
    call = Conv_(4, (1, 1))
    assert call.held() == [(".filters", 4), (".kernel", (1, 1))] == Conv_(kernel=(1, 1), filters=4).held()
    assert call.args == () and call.kwargs == {"filters": 4, "kernel": (1, 1)} and call.symbol == Conv_
    assert (call.filters, call.kernel, call.act) == (4, (1, 1), None) and not call.is_partial
    assert {"filters", "act", "rebind"} <= set(dir(call))


def test_what_has_no_name_is_told_by_place() -> None:
    net = Net_(Conv_(1), Conv_(2), name="n", rate=0.5)
    assert [step for step, _ in net.held()] == ["[0]", "[1]", ".name", ".rate"]
    assert net.layers == net.args and net.rate == 0.5 and Net_().layers == ()
    assert repr(net) == "Net(Conv(filters=1), Conv(filters=2), name='n', rate=0.5)"
    assert [step for step, _ in Net_(**{"a b": 1}).held()] == ["['a b']"]
    assert repr(Net_(**{"a b": 1, "c": 2})) == "Net(c=2, **{'a b': 1})"
    assert eval(repr(Net_(**{"a b": 1, "c": 2})), {"Net": Net_}).held() == Net_(**{"a b": 1, "c": 2}).held()[::-1]
    assert Merge(1).held() == [("[0]", 1)] and Merge(1, 5, 6).held() == [("[0]", 1), ("[1]", 5), (".c", 6)]
    call = Merge(1, 5, 6, 7, 8, d=9, a=10)
    assert call.args == (1, 5, 6, 7, 8) and call.kwargs == {"d": 9, "a": 10}
    assert (call.b, call.c, call.rest, call.d, call.a) == (5, 6, (7, 8), 9, 10)
    assert (Merge(1).a, Merge(1).b, Merge(1).c, Merge(1).d, Merge(1).rest) == (1, 2, 3, 4, ())
    assert call.made(call.args, call.kwargs) == merge(1, 5, 6, 7, 8, d=9, a=10)


def test_defaults_count_as_given() -> None:
    for one, other in [
        (Conv_(4), Conv_(4, (3, 3), None)),
        (Conv_(act=None, filters=4), Conv_(4, kernel=(3, 3))),
        (Merge(1), Merge(1, 2, 3, d=4)),
        (Merge(1, x=1, y=2), Merge(1, 2, y=2, x=1)),
        (Net_(), Net_(name="net")),
        (Conv_.partial(filters=4), Conv_.partial(filters=4, act=None)),
    ]:
        assert one.held_with_defaults() == other.held_with_defaults() and one.likeness() == other.likeness()
        assert one == other and hash(one) == hash(other)
    for one, other in [
        (Conv_(4), Conv_.partial(filters=4)),
        (Net_(1), Net_(1, 2)),
        (Net_(x=1), Net_(y=1)),
        (Conv_(4), Dict(filters=4, kernel=(3, 3), act=None)),
    ]:
        assert one.likeness() != other.likeness() and one != other
    assert [step for step, _ in Net_(1, z=1, name="n", b=2).held_with_defaults()] == ["[0]", ".name", ".b", ".z"]
    assert [step for step, _ in Merge(1, z=0).held_with_defaults()] == ["[0]", "[1]", ".c", ".d", ".z"]


def test_calls_are_looked_into_and_changed_by_path() -> None:
    net = Net_(Conv_(4), rate=0.5)
    assert net["[0].filters"] == 4 and net["rate"] == 0.5 and Awkward_(1)["rebind"] == 1
    assert net.rebind({"[0].filters": 8}) == Net_(Conv_(8), rate=0.5) and net.rebind(rate=1) == Net_(Conv_(4), rate=1)
    assert Conv_.partial(act=1).rebind(act=2) == Conv_.partial(act=2) and Conv_(4).rebind(act=2).act == 2
    assert Conv_.partial(act=1).rebind(filters=2) == Conv_.partial(filters=2, act=1)


def test_partials_say_what_is_given() -> None:
    call = Conv_.partial(kernel=5)
    assert call.is_partial and call.kernel == 5 and call.held() == [(".kernel", 5)] and call.act is None
    assert repr(call) == "Conv.partial(kernel=5)"
    made = call.made((), {"kernel": 5})
    assert isinstance(made, functools.partial) and made(1).filters == 1
    with pytest.raises(UnknownName, match=r"Conv.partial: 'filters' is no argument"):
        _ = call.filters
    by_place = Merge.partial(1, x=3)  # what comes later may be given by position, so this stays so
    assert by_place.args == (1,) and by_place.a == 1 and by_place.made(by_place.args, by_place.kwargs)(5)[:2] == (1, 5)
    assert Conv_.partial(3).made((3,), {})(7).filters == 3 and Conv_.partial(3).filters == 3
    with pytest.raises(
        BadArgument, match=r"Conv\(filters, kernel=\(3, 3\), act=None\): got an unexpected(?s:.*)'filters'"
    ):
        Conv_.partial(filtres=3)


def test_other_arguments_make_another_call() -> None:
    call = Merge(1, 5, 6, 7, d=8)
    assert call.holding([v for _, v in call.held()]).held() == call.held()
    assert call.holding([1, DELETE, 6, 7, 9]).held() == [("[0]", 1), ("[1]", 6), (".c", 7), (".d", 9)]
    assert Conv_(4, act="x").holding([5, DELETE]).held() == [(".filters", 5)]
    assert call.with_arguments((1,), {"d": 3}).kwargs == {"d": 3} and call.of((1, 2), {}).args == (1, 2)
    assert Conv_.partial(act=1).holding([2]).is_partial
    with pytest.raises(BadArgument, match="missing a required argument: 'filters'"):
        Conv_(4).holding([DELETE])
    assert [v for _, v in children(Conv_([1]))] == [[1]] and with_children(Conv_(1), [2]).filters == 2
    assert [path for path, _, _ in walk(Net_(Conv_([8])))] == ["", "[0]", "[0].filters", "[0].filters[0]"]
    assert not is_open(Conv_(4)) and is_open(Net_(Conv_([da.choice([1, 2])])))


def refused(act: Callable[[], Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        act()


def test_errors_teach() -> None:
    call = Conv_(4)
    refused(
        lambda: Conv_(kernel=2),
        BadArgument,
        r"Conv\(filters, kernel=\(3, 3\), act=None\): missing a required argument: 'filters'.\n  Got \(kernel=2\).\n"
        r"  Arguments that come later are recorded with .partial\(...\).",
    )
    refused(lambda: Conv_(4, kernal=2), BadArgument, r"'kernal'.\n  Got \(4, kernal=2\).\n  Did you mean 'kernel'\?")
    refused(
        lambda: Conv_(filtres=4), BadArgument, r"missing a required argument: 'filters'(?s:.*)Did you mean 'filters'"
    )
    refused(lambda: Conv_(4, filters=4), BadArgument, r"multiple values for argument 'filters'")
    refused(
        lambda: call.filtres,
        UnknownName,
        r"Conv: 'filtres' is no argument of this recorded call.\n  It has filters, kernel, act."
        r"  Did you mean 'filters'\?\n  What the object itself has is there once da.build\(...\) has made it.",
    )
    refused(lambda: call.__array__, AttributeError, "__array__")
    refused(
        lambda: setattr(call, "filters", 8),
        BadArgument,
        r"Conv.filters: a recorded call never changes.\n  Got 8 \(int\).\n  Write other = call.rebind\(filters=...\).",
    )
    refused(
        lambda: delattr(call, "act"), BadArgument, r"Conv.act: a recorded call never changes(?s:.*)rebind\(act=DELETE"
    )
    refused(lambda: call.kwargs.update(filters=3), AttributeError, "update")
    refused(
        lambda: call(3),
        HyperparameterMisuse,
        r"Conv: a recorded call has made nothing yet that could be called.\n  Got a call of Conv\(filters=4\).\n"
        r"  Make the object first, with da.build\(program\); code that runs later uses the class itself",
    )
    for act in (lambda: [*call], lambda: len(call), lambda: 3 in call, lambda: dict(**call)):
        refused(act, TypeError, r"Conv: a recorded call has made nothing yet that could have items|mapping")
    refused(lambda: bool(call), HyperparameterMisuse, r"Conv\(filters=4\): is recorded, not made")


def test_values_of_networks_are_no_arguments() -> None:
    def net(x: da.Value) -> Any:
        return Conv_([x])

    with pytest.raises(
        BadArgument, match=r"Conv: a recorded call is given arguments, not values of a network.\n  Got <v"
    ):
        da.space(net).sample()


def test_arguments_that_are_called_like_what_calls_have() -> None:
    call = Awkward_(1, title="x")
    kind = type(call)
    for name in ("rebind", "symbol"):
        refused(
            lambda name=name: getattr(call, name),  # type: ignore[misc]
            UnknownName,
            rf"Awkward: '{name}' is an argument of it, and also what recorded calls have.\n  Got a use of .{name}.\n"
            rf"  Write call\['{name}'\] for the argument",
        )
    refused(lambda: call.rebind, UnknownName, r"and da.rebind\(call, ...\) for the function")
    assert (call.title, call.held, call._said) == ("x", 3, 4) and kind.title(call) == "Awkward"
    assert kind.held(call) == [(".rebind", 1), (".title", "x")] and said(call).symbol == Awkward_
    assert repr(call) == "Awkward(rebind=1, title='x')" and isinstance(call, Awkward_) and isinstance(call, Symbolic)
    assert kind.holding(call, [2, "y"]).title == "y" and kind.made(call, (1,), {}).all == (1, 2, 3, "t", 4)
    assert kind.held(pickle.loads(pickle.dumps(call))) == kind.held(call)
    extra = Net_(args=1, made=2)
    assert extra.made == 2 and type(extra).held(extra) == [(".args", 1), (".made", 2)]
    both: Any = symbolize(lambda *args, **kwargs: (args, kwargs))
    star = both(1, 2, x=3)
    assert star.args == (1, 2) and star.kwargs == {"x": 3} and star.held()[0] == ("[0]", 1)


@dataclasses.dataclass(frozen=True)
class Point:
    x: Any
    y: Any = 0
    z: Any = dataclasses.field(default=1, repr=False)


@dataclasses.dataclass
class Shy:
    x: Any

    def __repr__(self) -> str:
        return "shy"


class Pair(NamedTuple):
    a: Any
    b: Any


class Colour(enum.Enum):
    RED = 1


def test_reprs_are_the_code_that_makes_it() -> None:
    conv = Conv_(4)
    held: Sequence[tuple[Any, str]] = [
        ([conv, (conv,), ()], "[Conv(filters=4), (Conv(filters=4),), ()]"),
        ({"a": conv, 3: {}}, "{'a': Conv(filters=4), 3: {}}"),
        (OrderedDict(a=conv), "OrderedDict({'a': Conv(filters=4)})"),
        (OrderedDict(), "OrderedDict()"),
        (Pair(1, conv), "Pair(a=1, b=Conv(filters=4))"),
        (Point(conv), "Point(x=Conv(filters=4), y=0)"),
        (Shy(conv), "shy"),
        (functools.partial(divmod, conv, y=2), "partial(divmod, Conv(filters=4), y=2)"),
        ((Conv_, Conv, merge, len), "(Conv, Conv, merge, len)"),
        (Colour.RED, "<Colour.RED: 1>"),
        ("a'b", '"a\'b"'),
    ]
    for value, text in held:
        assert expression(value) == text and repr(Conv_(value)) == f"Conv(filters={text})"
    names = {"Conv": Conv_, "Pair": Pair, "Point": Point, "partial": functools.partial, "OrderedDict": OrderedDict}
    for _, text in [*held[:6], held[7]]:
        assert expression(eval(text, names)) == text


def nested(depth: int, around: Callable[[Any], Any]) -> Any:
    program = Conv_(1)
    for _ in range(depth):
        program = Conv_(around(program))
    return program


AROUND: dict[str, Callable[[Any], Any]] = {
    "bare": lambda x: x,
    "list": lambda x: [x],
    "tuple": lambda x: (0, x),
    "dict": lambda x: {"k": [x]},
    "dataclass": Point,
    "named tuple": lambda x: Pair(x, 1),
    "partial": lambda x: functools.partial(divmod, x),
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_programs_go_deep(around: Callable[[Any], Any]) -> None:
    program = nested(900, around)
    assert sys.getrecursionlimit() <= 1000
    text = repr(program)
    assert text.count("Conv(filters=") >= 901 and text.endswith(")")
    again = pickle.loads(pickle.dumps(program))
    assert again == program and repr(again) == text and said(again).depth == 901


def test_choices_between_parts_go_deep() -> None:
    program = nested(900, lambda x: da.choice([x, Conv_(2)]))
    assert said(program).depth == 901 and said(pickle.loads(pickle.dumps(program))).depth == 901


def test_programs_go_very_deep() -> None:
    program = nested(10_000, lambda x: x)
    assert repr(pickle.loads(pickle.dumps(program))) == repr(program)


def test_pickled_programs_share_what_they_shared() -> None:
    shared = Conv_(1)
    deep = nested(100, lambda x: [x, shared])
    one, other, alone = pickle.loads(pickle.dumps([deep, Net_(deep, shared), shared]))
    assert other.args[0] is one and other.args[1] is alone and one.filters[1] is alone
    assert one.filters[0].filters[0].filters[1] is alone


def test_pickling_takes_time_in_proportion() -> None:
    sizes = [len(pickle.dumps(nested(n, lambda x: [x]))) for n in (1000, 2000)]
    assert sizes[1] < 2.2 * sizes[0]
    wide = Conv_([Conv_(i) for i in range(10_000)])
    assert len(pickle.loads(pickle.dumps(wide)).filters) == 10_000


def test_copies_are_the_call_itself() -> None:
    call = Conv_([1])
    assert copy.copy(call) is call and copy.deepcopy({"a": call})["a"] is call

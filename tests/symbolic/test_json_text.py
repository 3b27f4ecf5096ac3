"""Programs as JSON: that they come back equal, what stands once, and what messages say."""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import math
import operator
import os
import subprocess
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, DeepArchError, InvalidDomain, MissingDependency, UnknownName
from deep_arch.language.chosen_parts import copies
from deep_arch.language.parts import walk
from deep_arch.symbolic.building import build
from deep_arch.symbolic.json_text import from_json, to_json
from deep_arch.symbolic.paths import get, rebind
from deep_arch.symbolic.symbols import Symbol, symbolize


class Conv:
    def __init__(self, filters: Any = 8, kernel: Any = (3, 3), act: Any = None) -> None:
        self.filters, self.kernel, self.act = filters, kernel, act

    @classmethod
    def small(cls) -> Conv:
        return cls(1)


class Net:
    def __init__(self, *layers: Any, **rest: Any) -> None:
        self.layers, self.rest = layers, rest


@symbolize
class Block:
    def __init__(self, op: Any, times: int = 1) -> None:
        self.op, self.times = op, times

    class Inner:
        pass


@symbolize
def doubled(value: Any, /, by: int = 2) -> Any:
    return value * by


class Point(NamedTuple):
    x: Any
    y: Any = 0


@dataclasses.dataclass(frozen=True)
class Schedule:
    rate: Any
    steps: Any = dataclasses.field(default=10, kw_only=True)
    total: Any = dataclasses.field(init=False, default=0)


@dataclasses.dataclass
class Forgetful:
    rate: Any
    seed: dataclasses.InitVar[int]


class Mode(enum.Enum):
    FAST = "fast"
    SLOW = object()


class Access(enum.IntFlag):
    READ = 1
    WRITE = 2


def squared(n: int) -> int:
    return n * n


@da.rule
def grown(width: Any = 1) -> Any:
    return da.choice([Conv_(width), Block(grown(width=2))])


@da.space
def network(x: Any) -> Any:
    return ops.Dense(units=da.choice([4, 8]))(x)


WHOLE = da.space(lambda x: ops.Dense(units=da.choice([4, 8]))(x))
FIXED = network.fix({"dense.units": 4})

BLOCK: Any = Block.factory  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess]
Conv_: Any = symbolize(Conv)
Net_: Any = symbolize(Net)


def again(program: Any) -> Any:
    return from_json(to_json(program))


def with_all_domains() -> Any:
    n = da.integer(1, 4, name="n", tag="size")
    return Net_(
        n,
        da.integer(2, 64, 2, log=True),
        da.real(1e-4, 1.0, log=True),
        da.real(0.1, 0.5, step=0.1),
        da.boolean(),
        da.choice(["relu", None, 2, 2.0, True, math.nan, math.inf, Conv_, Conv, squared, [1], {"a": (1,)}]),
        da.choice(["a", "b"], weights=[3, 1]),
        da.choice(["a"]),
        da.subset([1, 2, 3], 2),
        da.subset([1, 2, 3], 4, distinct=False, ordered=True),
        da.permutation(["a", "b", "c"]),
        da.integer(1, n),
        da.real(0, n),
        da.real(0, n, step=0.5),
        da.choice([n, da.real(0, 1), 5]),
        da.choice([1, 2], weights=[1, 2], name="weighted"),
        da.choice([{"lr": n}, {"lr": 1, 2: (n, [n])}]),
        da.subset(["a", "b", "c"], da.integer(1, 2)),
        da.permutation([n, n + 1, 9]),
        da.dependent(squared, n, name="area"),
        da.dependent(functools.partial(math.pow, 2.0), n),
        2 * n + 1,
        -n % 3,
        abs(round(n / 2)),
    )


def with_all_parts() -> Any:
    width = da.choice([8, 16], name="width")
    which = da.choice([0, 1])
    return Net_(
        da.choice([Conv_(width), Conv_(kernel=da.choice([1, 3])), None], name="op", tag="ops", weights=[1, 2, 3]),
        da.choice({"sgd": Conv_(1), "adam": Conv_(width)}),
        da.choice([Conv_(1), 2], which=which),
        da.choice([Conv_(3), 4], which=which),
        da.subset([Conv_(1), Conv_(2), Conv_(3)], 2),
        da.subset([Conv_(1), Conv_(2)], 3, distinct=False, ordered=True, name="row"),
        da.permutation([Conv_(1), Conv_(2)]),
        copies(lambda: Conv_(da.choice([1, 2])), da.integer(1, 3)),
        grown(width=da.choice([1, 2])),
        network,
        WHOLE,
        Block(Conv_.partial(8, act=Conv_), times=2),
        doubled(width),
        symbolize(functools.partial(Conv, 4))(act=1),
        symbolize(Conv.small)(),
    )


PLAIN: list[Any] = [
    None, True, 1, -7, 2**63, -(2**80), 1 << 200, 0.1, -0.0, 1e-320, math.inf, -math.inf, math.nan,
    complex(1, -0.0), complex(math.nan, math.inf), "", "a\u2028\"\\\ud800", b"", b"\x00\xff", bytearray(b"ab"),
    range(0, 9, 2), slice(None, 3), [], [[]], (), (1,), {}, {"a": 1, 2: [None], (1, 2): {}}, OrderedDict(b=1, a=2),
    {1, 2}, set(), frozenset({"b", "a"}), Point(1, [2]), Schedule(0.1, steps=5), Mode.FAST, Mode.SLOW, Access.READ,
    Access.READ | Access.WRITE, functools.partial(squared, 3), functools.partial(Conv, 8, act=[1]), ..., NotImplemented,
    Conv, squared, Block, Conv_, doubled, BLOCK, BLOCK.Inner, Conv.small, Conv.__init__, int, type(None), len,
    math.floor, operator.mul, str.lower, dict.fromkeys, np.sqrt, np.float32, math, Exception,
]  # fmt: skip


@pytest.mark.parametrize("value", PLAIN, ids=range(len(PLAIN)))
def test_values_come_back_equal_and_of_the_same_type(value: Any) -> None:
    program = Conv_(value, kernel=[value])
    found = again(program)
    assert type(found.filters) is type(value)
    if value.__class__ not in (float, complex):  # of which some are not equal to themselves
        assert found.filters == value or value == slice(None, 3) or type(value) is functools.partial
    assert repr(found.filters) == repr(value) or isinstance(value, (set, frozenset))  # whose order is free
    assert to_json(found) == to_json(program)
    assert type(again(value)) is type(value)


def test_integers_of_any_length_come_back() -> None:
    assert again([1 << 20_000, -1 << 64]) == [1 << 20_000, -1 << 64]  # longer than Python reads as decimals


@pytest.mark.parametrize("make", [with_all_domains, with_all_parts])
def test_programs_come_back_equal(make: Callable[[], Any]) -> None:
    program = make()
    found = again(program)
    assert found == program and hash(found) == hash(program) and found is not program
    assert repr(found) == repr(program)
    assert to_json(found) == to_json(program) == to_json(make())


def test_what_comes_back_is_the_same_space() -> None:
    space, found = da.space(with_all_domains()), da.space(again(with_all_domains()))
    for i in range(5):
        assert repr(found.sample(seed=i).values) == repr(space.sample(seed=i).values)
    space, found = da.space(with_all_parts()), da.space(again(with_all_parts()))
    assert found.size() == space.size()
    assert found.sample(seed=1).to_json() == space.sample(seed=1).to_json()


def test_what_stands_in_several_places_stands_there_again() -> None:
    width, conv, sizes = da.choice([8, 16]), Conv_(4), [1, 2]
    found = again(Net_(width, 2 * width, conv, [conv], sizes, (sizes,)))
    assert get(found, "[0]") is get(found, "[1]").parents[1]
    assert get(found, "[2]") is get(found, "[3][0]") and get(found, "[4]") is get(found, "[5][0]")
    apart = again(Net_(da.choice([8, 16]), da.choice([8, 16]), Conv_(4), Conv_(4), [1], [1]))
    assert len({id(value) for step, value in apart.held()}) == 6


def test_what_stands_in_many_places_is_written_once() -> None:
    item: Any = Conv_(1)
    for _ in range(200):  # 2 ** 200 places
        item = [item, item]
    assert to_json(item).count("list") == 200 and len(from_json(to_json(item))) == 2


def test_deep_and_long_programs() -> None:
    deep: Any = Conv_(0)
    for i in range(900):
        deep = Block(deep, times=i) if i % 2 else [deep]
    found = again(deep)
    assert found == deep
    formula: Any = da.choice([1, 2])
    for _ in range(900):
        formula = formula + 1
    assert again(Conv_(formula)) == Conv_(formula)
    long = Net_(*[Conv_(da.choice([i, i + 1])) for i in range(10_000)])
    assert again(long) == long


def test_names_are_the_ones_that_a_user_would_write() -> None:
    text = to_json([Block(1), BLOCK, Conv_(1), doubled, grown(), network, WHOLE])
    names = [node["name"].rpartition(":")[2] for node in json.loads(text)["nodes"] if "name" in node]
    assert names == ["Block", "Conv", "doubled", "grown", "network", "WHOLE"]
    found = from_json(text)
    assert type(found[3]) is Symbol and found[1] is BLOCK and found[5] is network and found[6] is WHOLE
    assert found[4].rule is grown


def test_text_of_a_class_that_is_decorated_by_now_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = to_json([Conv_(1), Conv])
    monkeypatch.setitem(globals(), "Conv", Conv_)
    found = from_json(text)
    assert found[0] == Conv_(1) and found[1] is Conv_.factory
    assert to_json(found) == text


def test_a_choice_among_hyperparameters_comes_back_after_a_rebind() -> None:
    program = rebind(Net_(da.choice([da.real(0, 1), da.real(0, 2)])), {"[0][1]": 5.0})
    assert again(program) == program


def test_what_comes_back_is_built_alike() -> None:
    made = build(again(Net_(Block(Conv_(8, act=Conv_)), mode=Mode.SLOW, at=Point(1))))
    block = made.layers[0]
    assert type(block) is BLOCK and type(block.op) is Conv and block.op.act is Conv
    assert made.rest == {"mode": Mode.SLOW, "at": Point(1)}


MODULE = """
import deep_arch as da
from deep_arch.symbolic.symbols import symbolize

@symbolize
class Net:
    def __init__(self, *layers, **rest):
        self.layers = layers

def double(n):
    return 2 * n

@da.rule
def grown():
    return da.choice([Net(), Net(grown())])

def program():
    n = da.integer(1, 3, name="n")
    return Net(n, da.dependent(double, n), grown(), da.choice([Net(n), {"b", "a"}]), names={"c", "a", "b"})
"""


def test_programs_come_back_in_a_new_process(tmp_path: Path) -> None:
    (tmp_path / "own_nets.py").write_text(MODULE)

    def run(code: str, seed: str) -> str:
        paths = [str(tmp_path), *filter(None, sys.path)]
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(paths)}
        return subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True).stdout

    imports = "from deep_arch.symbolic.json_text import from_json, to_json\n"
    text = run(f"{imports}import own_nets\nprint(to_json(own_nets.program()), end='')", "1")
    (tmp_path / "program.json").write_text(text)
    read = f"{imports}text = open({str(tmp_path / 'program.json')!r}).read()\nfound = from_json(text)\n"
    checks = "import own_nets\nassert to_json(found) == text\nprint(found == own_nets.program(), hash(found) != 0)"
    assert run(read + checks, "2") == "True True\n"


# --- what has no text ------------------------------------------------------------------------------------------------


def local(value: Any = 0) -> Any:
    return value


def _local_function() -> Any:
    def inner() -> None: ...

    return inner


def _local_class() -> Any:
    class Inner: ...

    return Inner


def _network() -> Any:
    return da.space(lambda x: ops.ReLU()(x))


@pytest.mark.parametrize(
    ("program", "text"),
    [
        (lambda: Net_(Conv_(act=lambda: 0)), r"^\[0\]\.act: <lambda> is not found again.*\n  Got <.*\n  Define it at"),
        (lambda: Net_(a={"b": [_local_function()]}), r"^a\.b\[0\]: inner is not found"),
        (lambda: Net_(_local_class()), r"^\[0\]: Inner is not found again by a name, so it has no JSON"),
        (lambda: symbolize(_local_class())(), "^program: Inner is not found again"),
        (lambda: Conv_(da.dependent(lambda n: n, da.choice([1, 2]))), "^filters: <lambda> is not found again"),
        (lambda: Conv_(da.choice([1, _local_class()])), r"^filters\.options\[1\]: Inner is not found"),
        (
            lambda: Conv_(Conv(1)),
            r"^filters: an object of this kind has no JSON.\n.*Conv.* object.*\(Conv\)\.\n  Symbol",
        ),
        (lambda: [SimpleNamespace()], r"^\[0\]: .*\n.*\n  Symbolize its class, da.symbolize\(SimpleNamespace\)"),
        (lambda: Conv_(Conv(1).__init__), r"^filters: __init__ is not found"),  # type: ignore[misc]
        (lambda: Conv_(Counter("ab")), r"^filters: an object of this kind has no JSON"),
        (lambda: Conv_(np.zeros(2)), r"^filters: .*\n.*\n  Record a call that loads or makes it"),
        (lambda: Conv_(np.float32(1.5)), r"^filters: .*\n  Got .*\n.*of one number, take \.item\(\)"),
        (lambda: Conv_(Forgetful(0.1, 3)), r"^filters: .*\n.*\n  It does not keep what it is made of.*'seed'"),
        (lambda: Conv_(_network()), r"^filters: .* is not found again by a name"),
        (lambda: Conv_(FIXED.fix({})), r"^filters: network is not found again by a name"),
        (lambda: Conv_(list[int]), r"^filters: an object of this kind has no JSON"),
    ],
)
def test_what_no_text_says_is_told_with_its_path(program: Callable[[], Any], text: str) -> None:
    with pytest.raises(BadArgument, match=text):
        to_json(program())


def test_what_holds_itself_is_told() -> None:
    items: list[Any] = [1]
    items.append({"again": items})
    with pytest.raises(BadArgument, match=r"^\[1\]\.again: holds itself.\n  Got a list inside of itself.\n.*da\.rule"):
        to_json(items)


# --- text that is not read -------------------------------------------------------------------------------------------


def written(*nodes: dict[str, Any], program: Any = None, **other: Any) -> str:
    slot = [len(nodes) - 1] if program is None else program
    return json.dumps({"format": "deep_arch.program", "version": 1, "nodes": nodes, "program": slot, **other})


NAME = {"kind": "name", "name": "fractions:Fraction", "of": []}
SYMBOL = {"kind": "symbol", "of": [[0]]}


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        (None, BadArgument, r"^from_json: expected the text that to_json writes.\n  Got None \(NoneType\)\.\n  Pass"),
        (b"{}", BadArgument, r"^from_json: expected the text"),
        ("{", BadArgument, r"Got '\{', which is no JSON: .*\n  Pass the text that to_json\(program\) returns"),
        ("[" * 100_000, BadArgument, r"which is no JSON"),
        ("[1]", BadArgument, r"expected the text that to_json writes.\n  Got '\[1\]'"),
        ('{"space": "net", "values": {}}', BadArgument, "expected the text that to_json writes"),
        (written(version=2), BadArgument, "^from_json: reads version 1 of the text.\n  Got version 2.\n  Read it with"),
        (written(version=None), BadArgument, "Got version None"),
        (written(nodes=None), BadArgument, "lacks its nodes or its program"),
        (written(program=[0]), BadArgument, r"program refers to a node.*\n  Got \[0\], where 0 stand before"),
        (
            written({"kind": "list", "of": [[0]]}),
            BadArgument,
            r"node 0 refers to .*\n  Got \[0\], where 0 stand before",
        ),
        (written({"kind": "list", "of": [[-1]]}), BadArgument, r"Got \[-1\]"),
        (written({"kind": "list", "of": [[True]]}), BadArgument, r"Got \[True\]"),
        (written({"kind": "list", "of": [{}]}), BadArgument, r"Got \{\}"),
        (written({"kind": "list", "of": 3}), BadArgument, "node 0 cannot be read: it has no list"),
        (written({"kind": "lists", "of": []}), BadArgument, "node 0 has a kind that is known.*\n(.*\n)*.*mean 'list'"),
        (written({"kind": ["list"], "of": []}), BadArgument, "node 0 has a kind that is known"),
        (written(3), BadArgument, "node 0 has a kind that is known.\n  Got 3"),  # type: ignore[arg-type]
        (written({"kind": "int", "of": []}), BadArgument, "node 0 cannot be read: KeyError: 'hex'"),
        (written({"kind": "dict", "of": [1]}), BadArgument, "node 0 cannot be read: ValueError"),
        (written({"kind": "domain", "domain": "integer", "of": [3, 1, 1, False]}), InvalidDomain, "low <= high"),
        (written({**NAME, "name": "fraction"}), BadArgument, "expected a name, such as 'package.module:Class'"),
        (written({**NAME, "name": 3}), BadArgument, "expected a name, .*\n  Got 3"),
        (
            written({**NAME, "name": "no_such:A"}),
            MissingDependency,
            "^no_such:A: its module cannot be imported: No mod",
        ),
        (written({**NAME, "name": "fractions:Fractoin"}), UnknownName, "^fractions:Fractoin: .*\n(.*\n)*.*'Fraction'"),
        (written({**NAME, "name": "fractions:Fraction.x.y"}), UnknownName, "'x' is not in <class"),
        (
            written(NAME, SYMBOL, {"kind": "call", "partial": False, "keys": ["numerater"], "of": [[1], 3]}),
            BadArgument,
            "^Fraction.*numerater(.*\n)*.*'numerator'",
        ),
        (written({"kind": "call", "partial": False, "keys": [], "of": [3]}), BadArgument, "node 0 cannot be read"),
        (written({"kind": "call", "partial": False, "keys": [], "of": []}), BadArgument, "node 0 cannot be read"),
    ],
)
def test_text_that_is_none_of_a_program_is_told(given: Any, kind: type[DeepArchError], text: str) -> None:
    with pytest.raises(kind, match=text):
        from_json(given)


def test_any_text_is_read_or_told() -> None:
    """What is cut, or has a character exchanged, is a program or told by an error of ours."""
    text = to_json(Net_(da.choice([Conv_(1), 2]), da.integer(1, 3)))
    for i in range(0, len(text), 3):
        for other in (text[:i], text[:i] + "0" + text[i + 1 :], text[:i] + text[i + 1 :]):
            try:
                assert [*walk(from_json(other))]
            except DeepArchError as error:
                assert "Got" in str(error)

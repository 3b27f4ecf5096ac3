"""Programs that users write, with the numbers that are known of them."""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import math
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.searchers import RandomSearch, RegularizedEvolution
from deep_arch.symbolic import copies, from_json, get, to_json, walk

ROOT = Path(__file__).parents[2]


class Thing:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs

    def __getattr__(self, name: str) -> Any:
        if name in ("args", "kwargs"):
            raise AttributeError(name)
        return self.kwargs[name]


class Identity(Thing):
    pass


class MaxPool(Thing):
    pass


class Conv:
    def __init__(self, filters: Any, kernel: Any = (3, 3)) -> None:
        self.filters, self.kernel = filters, kernel


class Stacked:
    def __init__(self, op: Any, repeats: int = 1) -> None:
        self.op, self.repeats = op, repeats


class Adam:
    def __init__(self, lr: float = 1e-3) -> None:
        self.lr = lr


class RMSProp:
    def __init__(self, lr: float, momentum: float = 0.0) -> None:
        self.lr, self.momentum = lr, momentum


class Trainer:
    def __init__(self, model: Any, optimizer: Any, epochs: int = 1, schedule: Any = None) -> None:
        self.model, self.optimizer, self.epochs, self.schedule = model, optimizer, epochs, schedule


identity, max_pool, conv, stacked, adam, rms_prop, trainer = map(
    da.symbolize, (Identity, MaxPool, Conv, Stacked, Adam, RMSProp, Trainer)
)
A, B, C = identity(), max_pool(), conv(3)


def slides(lr: Any) -> Any:
    op = da.choice([identity(), max_pool((3, 3)), conv(da.choice([4, 8]), (3, 3))])
    return trainer(stacked(op, 3), da.choice([adam(2e-2), rms_prop(lr)]))


def size(program: Any) -> Any:
    return da.space(program).size()


def test_the_trainer_of_the_slides() -> None:
    assert size(slides(da.real(1e-6, 1e-3))) == math.inf
    space = da.space(slides(da.choice([1e-6, 1e-3])))
    assert space.size() == 12
    assert {address for a in space.enumerate() for address in a.values} == {
        *("model.op", "model.op[2].filters", "optimizer", "optimizer[1].lr")
    }
    built = da.build(space.at({"model.op": 2, "model.op[2].filters": 8, "optimizer": 1, "optimizer[1].lr": 1e-6}))
    assert (built.model.op.filters, built.model.op.kernel, built.model.repeats, built.optimizer.lr) == (
        8,
        (3, 3),
        3,
        1e-6,
    )


def test_rules_swap_and_relax() -> None:
    program = trainer(stacked(conv(8), 3), adam())
    swapped = da.rebind(program, lambda path, value, parent: identity() if isinstance(value, conv) else value)
    assert swapped == trainer(stacked(identity(), 3), adam())

    def relax(path: str, value: Any, parent: Any) -> Any:
        is_filters = isinstance(parent, conv) and path.endswith("filters")
        return da.choice([value // 2, value, value * 2]) if is_filters else value

    relaxed = da.rebind(program, relax)
    assert size(relaxed) == 3
    assert program == trainer(stacked(conv(8), 3), adam()) and da.space(program).size() == 1
    assert [a.values for a in da.space(relaxed).enumerate()] == [{"model.op.filters": n} for n in (4, 8, 16)]


def test_published_programs() -> None:
    bits = [da.choice([0, 1]) for _ in range(21)]
    assert size(stacked([bits, da.subset([A, B, C], 5, distinct=False, ordered=True)])) == 509_607_936
    pyramid = stacked(da.subset([conv(n) for n in range(4)], 2))
    assert size(pyramid) == 6
    residual = da.choice(
        [identity(), da.choice([conv(da.choice([8, 16, 24]), da.choice([3, 5, 7])) for _ in range(2)])]
    )
    assert size(stacked(residual)) == 19
    assert size(stacked(da.subset([A, B, C, conv(1), conv(5)], 6, distinct=False, ordered=True))) == 15_625
    link = [identity(), max_pool(), conv(da.choice([1, 2]))]
    assert size(stacked([da.choice(link) for _ in range(100)])) == 4**100


@pytest.mark.parametrize(
    ("distinct", "ordered", "plain", "with_two"),
    [(True, True, 6, 10), (True, False, 3, 5), (False, True, 9, 16), (False, False, 6, 11)],
)
def test_subsets(distinct: bool, ordered: bool, plain: int, with_two: int) -> None:
    assert size(stacked(da.subset([A, B, C], 2, distinct=distinct, ordered=ordered))) == plain
    assert size(stacked(da.subset([A, B, conv(da.choice([1, 2]))], 2, distinct=distinct, ordered=ordered))) == with_two


def test_a_subset_is_a_list_and_an_order_of_all_too() -> None:
    assert size(stacked(da.permutation([A, B, conv(da.choice([1, 2]))]))) == 12
    for architecture in da.space(stacked(da.subset([A, B, C], 2))).enumerate():
        built = da.build(architecture).op
        assert isinstance(built, list) and len(built) == 2
        assert [type(thing) for thing in built] == [(Identity, MaxPool, Conv)[i] for i in architecture.values["op"]]
    orders = {tuple(map(type, da.build(a).op)) for a in da.space(stacked(da.permutation([A, B, C]))).enumerate()}
    assert len(orders) == 6


def test_one_learning_rate_is_one_decision() -> None:
    lr = da.choice([0.1, 0.2, 0.3])
    space = da.space(
        trainer(stacked(A), da.choice({"sgd": rms_prop(lr, da.choice([0.0, 0.9])), "adam": adam(lr)}), 1, 10 * lr)
    )
    assert space.size() == 9
    built = da.build(space.sample(seed=3))
    assert built.schedule == 10 * built.optimizer.lr
    optimizer = da.space(adam.partial(lr=lr)).sample(seed=0)
    assert isinstance(da.build(optimizer), functools.partial) and da.build(optimizer)().lr in (0.1, 0.2, 0.3)


WIDTH = da.choice([8, 16], name="width")


@da.space
def network(x: da.Value) -> da.Value:
    x = ops.Dense(units=WIDTH)(x)
    return da.repeat(lambda: ops.Dense(units=da.choice([1, 2, 3])), da.choice([0, 1, 2]))(x)


def test_a_network_and_its_trainer_are_one_space() -> None:
    program = trainer(network, da.choice([adam(), rms_prop(da.choice([1, 2]))]), epochs=WIDTH)
    space = da.space(program)
    assert network.size() == 2 * (1 + 3 + 9) and space.size() == 3 * network.size()
    architecture = space.sample(seed=1)
    built = da.build(architecture)
    assert isinstance(built.model, da.Architecture) and built.epochs == built.model.values["width"]
    assert built.model == network.at(built.model.values)

    alone = space.where(lambda point: point.address.startswith("model/") or point.address == "width")
    rest = space.where(lambda point: point.address.startswith("optimizer"))
    assert (alone.size(), rest.size()) == (26, 3)
    best = []
    for outer in da.search(alone, RandomSearch(), trials=4, seed=0):
        inner = da.search(space.fix(outer.values), RandomSearch(), trials=3, seed=0)
        for trial in inner:
            trial.tell(float(da.build(trial).optimizer.lr))
        best.append(inner.best.score)
        outer.tell(inner.best.score)
    assert best == [2.0] * 4


def test_a_space_of_a_program_is_the_program() -> None:
    inner = da.space(conv(da.choice([1, 2])))

    @da.space
    def returned() -> Any:
        return conv(da.choice([1, 2, 3]))

    space = da.space(stacked([inner, returned, da.choice([returned, A])]))
    assert space.size() == 2 * 3 * 2  # the same space further in is the same part
    architecture = space.sample(seed=0)
    assert {"op[0].filters", "op[1].filters", "op[2]"} <= set(architecture.values)
    built = da.build(architecture)
    assert [thing.filters for thing in built.op[:2]] == [architecture.values[f"op[{i}].filters"] for i in (0, 1)]
    assert size(stacked(da.space([A, da.choice([1, 2])]))) == 2


def test_copies_of_a_part() -> None:
    n = da.choice([1, 2, 3])
    assert size(stacked(copies(lambda: conv(da.choice([1, 2])), n))) == 14
    m = da.choice([1, 2], name="m")
    program = stacked(copies(conv(da.choice([1, 2])), 2 * m), m)
    assert size(program) == 4 + 16
    built = da.build(da.space(program).sample(seed=0))
    assert len(built.op) == 2 * built.repeats and len({id(thing) for thing in built.op}) == len(built.op)
    architecture = da.space(stacked(copies(conv(da.choice([1, 2])), 2))).sample(seed=0)
    assert set(architecture.values) == {"op[0].filters", "op[1].filters"}
    assert size(stacked(copies(A, 0))) == 1


def test_choices_decided_together() -> None:
    which = da.choice([0, 1, 2])
    assert size(stacked([da.choice([A, B, C], which=which), da.choice([C, B, A], which=which)])) == 3
    assert size(stacked([da.choice([A, B, C], which=which), da.choice([C, B, A], which=2 - which)])) == 3
    same = da.space(stacked([da.choice([A, B, C], which=which), da.choice([C, B, A], which=2 - which)]))
    assert all(type(built.op[0]) is type(built.op[1]) for built in map(da.build, same.enumerate()))


class Leaf:
    pass


class Pair:
    def __init__(self, left: Any, right: Any) -> None:
        self.left, self.right = left, right


leaf, pair = da.symbolize(Leaf), da.symbolize(Pair)


@da.rule
def tree() -> Any:
    return da.choice([leaf(), pair(tree(), tree())])


def test_a_grammar_of_programs() -> None:
    space = da.space(tree())
    assert space.size() == math.inf
    assert [space.limit(depth).size() for depth in (1, 2, 3, 4)] == [1, 2, 5, 26]
    limited = space.limit(4)
    search = da.search(limited, RegularizedEvolution(population=5, sample=2), trials=20, seed=0)
    for trial in search:
        trial.tell(float(len([path for path, _, _ in walk(da.resolve(trial))])))
    best = da.resolve(search.best)
    assert from_json(to_json(best)) == best and repr(best).startswith("Pair(left=")
    assert da.resolve(limited.sample(seed=0, uniform="architectures")) == da.resolve(
        limited.sample(seed=0, uniform="architectures")
    )


def test_an_encoder_in_two_places_is_one() -> None:
    encoder = conv(da.choice([1, 2]))
    program = stacked([encoder, pair(encoder, da.choice([pair(encoder, A), B]))])
    assert size(program) == 4
    built = da.build(da.space(program).at({"op[0].filters": 1, "op[1].right": 0}))
    assert built.op[0] is built.op[1].left is built.op[1].right.left


def nameless(first: Any, second: Any = 2, /, *more: Any, name: str = "", **extra: Any) -> Any:
    return first, second, more, name, extra


class Point(NamedTuple):
    x: Any
    y: Any = 0


@dataclasses.dataclass(frozen=True)
class Frozen:
    width: Any
    depth: Any = 1


class Colour(enum.Enum):
    RED = 1


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def test_whatever_python_has() -> None:
    record = da.symbolize(nameless)
    array = np.arange(3)
    h = da.choice([1, 2])
    program = record(
        Point(h, da.choice([3, 4])),
        Frozen(width=h),
        functools.partial(max, h),
        collections.OrderedDict(a=h),
        name="all",
        colour=Colour.RED,
        array=array,
        key={"b c": [h, (h,)], 3: lambda: 5},
        slotted=da.symbolize(Slotted)(h),
    )
    space = da.space(program)
    assert space.size() == 4
    architecture = space.sample(seed=0)
    first, second, more, name, extra = da.build(architecture)
    value = architecture.values["[0][0]"]
    assert first == Point(value, architecture.values["[0][1]"]) and type(first) is Point
    assert second == Frozen(value, 1) and more[0](0) == value and more[1] == collections.OrderedDict(a=value)
    assert name == "all" and extra["colour"] is Colour.RED and extra["array"] is array
    assert extra["key"]["b c"] == [value, (value,)] and extra["key"][3]() == 5 and extra["slotted"].value == value
    assert get(program, "key['b c'][1][0]") is h


@da.symbolize
class Decorated:
    """Decorated."""

    count = 0

    def __init__(self, width: int) -> None:
        self.width = width

    @classmethod
    def wide(cls) -> str:
        return cls.__name__


class Below(Decorated):
    pass


def test_a_decorated_class_is_a_class() -> None:
    built = da.build(da.space(Decorated(da.choice([1, 2]))).sample(seed=0))
    assert isinstance(built, Decorated) and pickle.loads(pickle.dumps(built)).width == built.width
    assert Decorated.wide() == "Decorated" and Decorated.__doc__ == "Decorated."
    assert isinstance(Below(3), Decorated) and Below(3).width == 3


RESUMED = """
import pickle, sys
import deep_arch as da
search = pickle.load(open(sys.argv[1], "rb"))
for trial in search:
    trial.tell(float(trial.number % 3))
print([sorted(trial.values.items()) for trial in search.trials])
"""


def test_a_search_goes_on_in_another_process(tmp_path: Path) -> None:
    def run(trials: int, stop: int) -> Any:
        search = da.search(
            slides(da.choice([1e-6, 1e-3])), RegularizedEvolution(population=3, sample=2), trials=trials, seed=0
        )
        for trial in search:
            trial.tell(float(trial.number % 3))
            if trial.number == stop:
                break
        return search

    whole, part = run(9, -1), run(9, 4)
    path = tmp_path / "search.pickle"
    path.write_bytes(pickle.dumps(part))
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{RESUMED}"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str([sorted(trial.values.items()) for trial in whole.trials])


def test_scale() -> None:
    listed = [identity(), max_pool(), conv(1)]
    space = da.space(stacked([da.choice(listed) for _ in range(10_000)]))
    assert space.size() == 3**10_000
    assert len(da.build(space.sample(seed=0)).op) == 10_000
    deep: Any = conv(da.choice([1, 2]))
    for i in range(900):
        deep = stacked([deep]) if i % 2 else da.choice([stacked(deep), A])
    space = da.space(deep)
    assert space.size() == 452
    assert da.resolve(space.sample(seed=0, uniform="architectures")) is not None
    deep = conv(da.choice([1, 2]))
    for _ in range(900):
        deep = stacked(op={"inner": [deep]})
    (address,) = da.space(deep).sample(seed=0).values
    assert get(deep, address) is get(deep, "op.inner[0]." * 900 + "filters")

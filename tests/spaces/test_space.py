from __future__ import annotations

import itertools
import json
import math
import os
import pickle
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import (
    BadArgument,
    MissingValues,
    NotCountable,
    UnknownAddress,
    UnreachedAddress,
    ValueOutsideDomain,
)
from deep_arch.language.values import Value
from deep_arch.testing.readme_space import conv, net


def in_new_process(code: str, hash_seed: int = 1) -> str:
    """Return what a fresh interpreter with another hash seed prints."""
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    return done.stdout.strip()


def test_size_and_enumeration_of_the_space_of_the_readme() -> None:
    assert net.size() == 25008
    sizes = {n: int(net.fix({"n": n}).size()) for n in (1, 2, 4)}
    assert sizes == {1: 48, 2: 384, 4: 24576}
    first = list(itertools.islice(net.enumerate(), 48 + 384 + 100))  # in order: few modules, then many
    assert len(set(first)) == len(first)
    assert Counter(architecture.values["n"] for architecture in first) == {1: 48, 2: 384, 4: 100}


def test_uniform_over_architectures_and_over_choices() -> None:
    rng = random.Random(0)
    by_architecture = Counter(net.sample(rng, uniform="architectures").values["n"] for _ in range(4000))
    by_choice = Counter(net.sample(rng).values["n"] for _ in range(4000))
    deviation = math.sqrt(4000 * 0.983 * 0.017)
    assert abs(by_architecture[4] - 4000 * 24576 / 25008) < 4 * deviation
    assert all(abs(by_choice[n] - 4000 / 3) < 4 * math.sqrt(4000 * 2 / 9) for n in (1, 2, 4))
    with pytest.raises(BadArgument, match="'choices' or 'architectures'"):
        net.sample(0, uniform="nothing")


def test_steps_of_an_assignment() -> None:
    partial = net.start()
    first = partial.unassigned[0]
    assert (first.address, first.tag, first.name) == ("n", None, "n")
    assert [p.address for p in partial.unassigned] == ["n", "conv2d.filters", "optional.use"]
    after = partial.assign(first, 4)
    assert len(after.unassigned) == 14 and partial.values == {} and after.values == {"n": 4}
    assert not after.is_specified
    while after.unassigned:
        after = after.assign(after.unassigned[0], next(after.unassigned[0].domain.values()))
    assert after.is_specified and after.values["n"] == 4 and after.values["optional.use"] is False


def test_replay() -> None:
    for seed in range(50):
        architecture = net.sample(seed)
        again = net.at(architecture.values)
        assert again == architecture and hash(again) == hash(architecture)
        assert again.graph.edges == architecture.graph.edges
        assert da.Architecture.from_json(architecture.to_json(), net) == architecture
        assert pickle.loads(pickle.dumps(architecture)) == architecture
    assert net.sample(1) != net.sample(2)
    partial = net.start().assign("n", 2)
    assert da.Architecture.from_json(partial.to_json(), net) == partial == pickle.loads(pickle.dumps(partial))


def test_replay_in_a_fresh_process() -> None:
    code = (
        "import json, deep_arch as da; from deep_arch.testing.readme_space import net; a = net.sample(7);"
        "drawn = [net.sample(s, uniform='architectures').to_json() for s in range(5)];"
        "print(json.dumps([a.to_json(), a.fingerprint(), drawn]))"
    )
    text, fingerprint, drawn = json.loads(in_new_process(code, 99))
    architecture = net.sample(7)
    assert da.Architecture.from_json(text, net) == architecture
    assert (text, fingerprint) == (architecture.to_json(), architecture.fingerprint())
    assert drawn == [net.sample(s, uniform="architectures").to_json() for s in range(5)]


def test_errors_of_replay() -> None:
    values = dict(net.at({"n": 1, "conv2d.filters": 64, "optional.use": False, **dict.fromkeys(BODY, 64)}).values)
    with pytest.raises(MissingValues, match=r"conv2d\.filters: has no value; it must be one of \(64, 128\)"):
        net.at({k: v for k, v in values.items() if k != "conv2d.filters"})
    with pytest.raises(UnreachedAddress, match=r"optional/dropout\.rate: is not reached with these values"):
        net.at({**values, "optional/dropout.rate": 0.25})
    with pytest.raises(UnreachedAddress, match="not reached"):
        net.at({**values, "repeat_1[7]/conv2d.filters": 64})
    with pytest.raises(
        ValueOutsideDomain, match=r"repeat\[0\]/conv2d\.filters: 48 is not one of \(64, 128\)"
    ) as caught:
        net.at({**values, "repeat[0]/conv2d.filters": 48})
    assert "space `net`" in str(caught.value)
    misspelt = {("conv2d.filter" if k == "conv2d.filters" else k): v for k, v in values.items()}
    with pytest.raises(UnknownAddress, match=r"conv2d\.filter: space `net` has no such[\s\S]*'conv2d\.filters'"):
        net.at(misspelt)
    with pytest.raises(UnknownAddress, match="no such"):
        net.start().assign("repeat[9]/conv2d.filters", 64)
    with pytest.raises(UnreachedAddress):
        net.start().assign("optional/dropout.rate", 0.25)
    with pytest.raises(BadArgument, match="mapping"):
        net.at([1])  # type: ignore[arg-type]
    with pytest.raises(BadArgument, match="to_json"):
        da.Architecture.from_json("[]", net)
    with pytest.raises(ValueOutsideDomain):
        da.Architecture.from_json('{"values": {"n": 3}}', net)


BODY = ["repeat[0]/conv2d.filters", "repeat_1[0]/conv2d.filters", "repeat_1[1]/conv2d.filters"]


def test_a_specified_architecture_reports_its_structural_choices() -> None:
    values = net.sample(0).values
    assert "n" in values and "optional.use" in values


def test_the_same_seed_gives_the_same_and_no_global_state_moves() -> None:
    state = random.getstate()
    assert [net.sample(s) for s in range(5)] == [net.sample(s) for s in range(5)]
    assert net.sample(random.Random(4)) == net.sample(4)
    net.sample()
    net.sample(1, uniform="architectures")
    list(net.neighbours(net.sample(0)))
    assert random.getstate() == state


def test_two_threads_sampling_one_space_do_not_interfere() -> None:
    def fresh(x: Value) -> Value:
        return da.repeat(lambda: da.or_([conv, lambda: da.optional(conv), ops.ReLU]), da.choice(range(6)))(x)

    space = da.space(fresh)
    found: dict[int, list[da.Architecture]] = {}

    def work(seed: int) -> None:
        rng = random.Random(seed)
        found[seed] = [space.sample(rng) for _ in range(300)]

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, drawn in found.items():
        rng = random.Random(seed)
        alone = da.space(fresh)
        assert [a.values for a in drawn] == [alone.sample(rng).values for _ in range(300)]


def test_fix() -> None:
    two = net.fix({"n": 2})
    assert two.size() == 384 == len(list(two.enumerate()))
    assert all(two.sample(s).values["n"] == 2 for s in range(5))
    assert two.at(two.sample(0).values) == net.at(two.sample(0).values) == two.sample(0)
    assert "n" not in [p.address for p in two.start().unassigned]
    deep = net.fix({"n": 2, "repeat_1[3]/conv2d.filters": 64, "optional/dropout.rate": 0.25})
    assert deep.size() == 384 // 2 // 3 * 2 == len(list(deep.enumerate()))
    assert Counter(deep.sample(s, uniform="architectures").values["optional.use"] for s in range(200))[True] > 60
    inner = net.fix({"repeat_1[3]/conv2d.filters": 64})  # fixed only where it is reached
    assert inner.size() == 48 + 384 // 2 + 24576 // 2
    with pytest.raises(UnknownAddress, match="'n'"):
        net.fix({"nn": 2})
    with pytest.raises(ValueOutsideDomain):
        net.fix({"n": 3})
    with pytest.raises(ValueOutsideDomain):
        two.fix({"n": 4})
    with pytest.raises(ValueOutsideDomain):
        two.at({**net.fix({"n": 4}).sample(0).values})
    assert two.fix({"optional.use": False}).size() == 128
    assert pickle.loads(pickle.dumps(two)).size() == 384


def is_structural(point: da.ChoicePoint) -> bool:
    return not point.address.endswith(("filters", "rate"))


def test_where_gives_separate_and_factorised_searches() -> None:
    structure = net.where(is_structural)
    assert structure.size() == 6 == len(list(structure.enumerate()))
    outer = structure.sample(0)
    assert set(outer.values) == {"n", "optional.use"} and outer.unassigned == () and not outer.is_specified
    assert structure.sample(0, uniform="architectures").unassigned == ()
    total = sum(int(net.fix(a.values).size()) for a in structure.enumerate())
    assert total == 25008
    filters = net.where(lambda p: p.address == "conv2d.filters")
    assert filters.size() == 2
    tagged = da.space(lambda x: ops.Scale(da.choice([1, 2], tag="width"))(ops.Dense(da.choice([3, 4]))(x)))
    assert [p.address for p in tagged.where(lambda p: p.tag == "width").start().unassigned] == ["scale.initial"]
    assert pickle.loads(pickle.dumps(structure)).size() == 6


def test_neighbours() -> None:
    architecture = net.at({"n": 1, "conv2d.filters": 64, "optional.use": False, **dict.fromkeys(BODY, 64)})
    neighbours = list(net.neighbours(architecture))
    assert len(neighbours) == 2 + 1 + 1 + 3
    assert all(net.at(other.values) == other != architecture for other in neighbours)
    deeper = [other for other in neighbours if other.values["n"] == 4]
    assert len(deeper) == 1 and deeper[0].values["repeat[0]/conv2d.filters"] == 64
    assert neighbours == list(net.neighbours(architecture))


def test_real_hyperparameters() -> None:
    @da.space
    def mixed(x: Value) -> Value:
        da.config(rate=da.real(1e-4, 1e-1, log=True))
        return da.repeat(conv, da.choice([1, 2], name="n"))(x)

    assert mixed.size() == math.inf
    assert 1e-4 <= mixed.sample(0).config["rate"] <= 1e-1
    with pytest.raises(NotCountable, match=r"rate: a space with a real number"):
        next(mixed.enumerate())
    with pytest.raises(NotCountable, match="finite space"):
        mixed.sample(0, uniform="architectures")
    assert mixed.fix({"rate": 0.01}).size() == 6
    assert mixed.where(lambda p: p.address != "rate").size() == 6
    assert len(list(mixed.where(lambda p: p.address != "rate").enumerate())) == 6


def two_of(wide: Callable[[], Any]) -> da.SearchSpace:
    """Return a space of two like alternatives, in which a wide hyperparameter decides structure further inside."""

    def alternative(x: Value) -> Value:
        def several(x: Value) -> Value:
            return da.repeat(lambda: ops.Scale(da.choice([1.0, 2.0])), da.dependent(int, r))(x)

        r = wide()
        return da.optional(several)(x)

    return da.space(lambda x: da.or_({"a": alternative, "b": alternative})(x))


@pytest.mark.parametrize("wide", [lambda: da.real(0, 3, name="r"), lambda: da.integer(0, 10**9, name="r")])
def test_what_decides_structure_inside_is_counted_once_it_is_fixed(wide: Callable[[], Any]) -> None:
    both = two_of(wide).fix({"or[a]/r": 2, "or[b]/r": 1})
    assert both.size() == (1 + 4) + (1 + 2)
    assert {both.nth(i) for i in range(8)} == set(both.enumerate())


def test_what_is_fixed_at_one_place_is_open_at_another() -> None:
    real, integer = (two_of(wide) for wide in (lambda: da.real(0, 3, name="r"), lambda: da.integer(0, 10**9, name="r")))
    assert real.fix({"or[a]/r": 2}).size() == math.inf
    with pytest.raises(NotCountable, match="too many values decide"):
        integer.fix({"or[a]/r": 2}).size()
    grid = real.fix({"or[a]/r": 2.5}).discretize(4)  # a value that is not on the grid
    assert grid.size() == (1 + 4) + 1 + (1 + 2 + 4 + 8)
    assert {grid.nth(i) for i in range(21)} == set(grid.enumerate())


def test_a_chain_of_a_hundred_choices_counts_exactly() -> None:
    @da.space
    def chain(x: Value) -> Value:
        for _ in range(100):
            x = da.or_(
                [
                    lambda: ops.Conv2D(da.choice([8, 16, 32]), da.choice([1, 2, 3, 4, 5, 6])),
                    lambda: ops.SeparableConv2D(da.choice([8, 16, 32]), 3, strides=da.choice([1, 2])),
                    lambda: ops.MaxPooling2D(da.choice([2, 3]), da.choice([1, 2])),
                ]
            )(x)
        return x

    assert chain.size() == 28**100
    rng = random.Random(0)
    blocks = Counter(
        chain.sample(rng, uniform="architectures").values[f"or{f'_{i}' if i else ''}.which"]
        for _ in range(20)
        for i in range(100)
    )
    expected = {0: 2000 * 18 / 28, 1: 2000 * 6 / 28, 2: 2000 * 4 / 28}
    assert sum((blocks[k] - e) ** 2 / e for k, e in expected.items()) < 13.8  # chi-square, 2 free, p = 0.001


def test_long_and_deep_spaces_meet_no_recursion_limit() -> None:
    long = da.space(lambda x: da.repeat(lambda: ops.Scale(da.choice([1.0, 2.0])), 100_000)(x))
    assert len(long.sample(0).graph) == 100_000

    def nest(depth: int) -> da.Module:
        return ops.ReLU() if depth == 0 else da.optional(lambda: nest(depth - 1))

    deep = da.space(lambda x: nest(400)(x))
    on = {"/".join(["optional"] * (i + 1)) + ".use": True for i in range(400)}
    assert len(deep.at(on).graph) == 1
    assert deep.size() == 401
    assert deep.sample(0, uniform="architectures").is_specified


def test_wide_domains_are_never_listed() -> None:
    def wide(x: Value) -> Value:
        return ops.Scale(da.integer(1, 10**12, name="factor"))(ops.Scale(da.integer(1, 10**9, log=True, name="log"))(x))

    space = da.space(wide)
    assert space.size() == 10**21
    assert space.fix({"log": 7}).size() == 10**12
    first = next(space.enumerate())
    assert first.values == {"log": 1, "factor": 1}
    assert len(list(space.neighbours(first))) == 2
    halves = sum(space.sample(s, uniform="architectures").values["log"] > 5 * 10**8 for s in range(200))
    assert 60 < halves < 140


def test_notebook_display_summary_and_repr() -> None:
    assert "text/plain" in net.sample(0)._repr_mimebundle_()
    assert "25,008 architectures" in net.summary() and "conv2d.filters" in net.summary()
    assert repr(net) == "<space net>" and "unassigned" in repr(net.start())
    assert repr(net.limit(3).fix({"n": 1})) == "<space net, fix {'n': 1}, limit 3>"


@pytest.mark.parametrize("fn", [3, lambda *xs: xs[0], lambda *, x: x])
def test_what_is_no_space(fn: Any) -> None:
    with pytest.raises(BadArgument, match=r"space|inputs"):
        da.space(fn).start()


def test_a_space_is_called_on_values_only() -> None:
    with pytest.raises(BadArgument, match=r"net\.sample\(seed=0\)"):
        net(3)  # type: ignore[arg-type]


# --- numbered architectures, and real numbers as a grid ----------------------------------------------------------


def test_the_numbered_architectures_are_the_enumerated_ones() -> None:
    two = net.fix({"n": 2})
    assert {two.nth(i) for i in range(384)} == set(two.enumerate())
    narrow = net.fix({f"repeat_1[{i}]/conv2d.filters": 64 for i in range(8)})  # n is open
    assert narrow.size() == 6 * (2 + 2**2 + 2**4)
    assert {narrow.nth(i) for i in range(132)} == set(narrow.enumerate())
    some = net.where(lambda point: point.name != "n")
    assert {some.nth(i) for i in range(int(some.size()))} == set(some.enumerate())


def test_numbers_reach_into_an_astronomically_large_space() -> None:
    long = da.space(lambda x: da.repeat(lambda: ops.Dense(units=da.integer(1, 10)), 200)(x))
    assert long.size() == 10**200
    assert len({long.nth(i) for i in (0, 1, 10**100, 10**200 - 2, 10**200 - 1)}) == 5


@pytest.mark.parametrize("index", [-1, 25008, 1.0, True, "first"])
def test_a_number_that_no_architecture_has_is_refused(index: Any) -> None:
    with pytest.raises(BadArgument, match=r"net.nth: expected an int from 0 to 25007(.|\n)*space.size()"):
        net.nth(index)


def with_rates(x: Value) -> Value:
    da.config(rate=da.real(0, 1, name="rate"))
    return da.repeat(lambda: ops.Dropout(rate=da.real(0.1, 0.9)), da.choice([1, 2]))(x)


def test_real_numbers_become_a_grid() -> None:
    space = da.space(with_rates)
    with pytest.raises(NotCountable, match=r"with_rates: only the architectures of a finite(.|\n)*discretize"):
        space.nth(0)
    with pytest.raises(NotCountable, match=r"cannot be enumerated(.|\n)*discretize"):
        list(space.enumerate())
    grid = space.discretize(3)
    assert grid.size() == 3 * (3 + 9)
    architectures = list(grid.enumerate())
    assert len(set(architectures)) == 36 == len({grid.nth(i) for i in range(36)})
    assert set(architectures) == {grid.nth(i) for i in range(36)}
    assert {a.values["rate"] for a in architectures} == {0.0, 0.5, 1.0}
    assert all(point.domain.size == 3 for point in grid.start().unassigned if point.address == "rate")
    assert pickle.loads(pickle.dumps(grid)).size() == 36
    assert repr(grid) == "<space with_rates, discretize 3>"


def test_a_grid_decides_structure_too() -> None:
    @da.space
    def deep(x: Value) -> Value:
        times = da.dependent(lambda share: round(2 * share), da.real(0, 1, name="share"))
        return da.repeat(lambda: ops.Dense(units=da.choice([1, 2])), times)(x)

    grid = deep.discretize(3)
    assert grid.size() == 1 + 2 + 4 == len({grid.nth(i) for i in range(7)})


@pytest.mark.parametrize("levels", [0, 1, 2.0, "many"])
def test_a_grid_of_less_than_two_levels_is_refused(levels: Any) -> None:
    with pytest.raises(BadArgument, match=r"discretize: expected an int of at least 2"):
        net.discretize(levels)


def test_what_a_searcher_decides() -> None:
    values = net.sample(seed=0).values
    assert net.decidable(values).keys() == values.keys()
    assert "n" not in net.fix({"n": values["n"]}).decidable(values)
    some = net.where(lambda point: point.name == "n")
    assert list(some.decidable(some.sample(seed=0).values)) == ["n"]


# --- restrictions together -----------------------------------------------------------------------------------------


@da.rule
def endless() -> da.Module:
    return da.or_([ops.ReLU, lambda: da.sequential(endless, endless)])


def test_recursion_at_ever_longer_addresses_is_infinite() -> None:
    @da.space
    def tied(x: Value) -> Value:
        shared = endless()
        return ops.Add()(shared(x), shared(x))

    assert tied.size() == math.inf
    assert da.space(lambda x: endless()(x)).where(lambda point: True).size() == math.inf


@da.space
def orders(x: Value) -> Value:
    n = da.choice([1, 2], name="n")
    x = da.optional(lambda: ops.Dense(units=da.choice([4, 8])))(x)
    return da.permute([lambda: da.repeat(ops.Tanh, n), ops.ReLU])(x)


@da.space
def tied_part(x: Value) -> Value:
    part = da.optional(lambda y: da.optional(ops.ReLU)(y))
    return ops.Add()(part(x), da.optional(lambda y: part(y))(x))


@pytest.mark.parametrize(
    ("space", "fixed"), [(orders, {"optional/dense.units": 4}), (tied_part, {"optional/optional.use": True})]
)
def test_fixing_what_some_alternatives_reach_counts_each_once(space: da.SearchSpace, fixed: dict[str, Any]) -> None:
    part = space.fix(fixed)
    listed = list(part.enumerate())
    assert part.size() == len(listed) == len(set(listed))
    assert {part.nth(i) for i in range(len(listed))} == set(listed)


@da.space
def rated(x: Value) -> Value:
    da.config(rate=da.real(0, 1))
    return ops.Dense(units=da.choice([4, 8]))(x)


def test_where_is_shown_whole_domains() -> None:
    def is_real(point: da.ChoicePoint) -> bool:
        return point.domain.size == math.inf

    for part in (rated.discretize(3).where(is_real), rated.where(is_real).discretize(3)):
        assert part.size() == len(list(part.enumerate())) == 3
        assert set(part.sample(0, uniform="architectures").values) == {"rate"}
        assert [point.domain.size for point in part.start().unassigned] == [3]


def test_a_grid_is_not_made_another_grid() -> None:
    with pytest.raises(BadArgument, match=r"rated.discretize: expected a space with intervals(.|\n)*discretize 3"):
        rated.discretize(3).discretize(5)


def test_what_where_leaves_out_makes_no_architecture_twice() -> None:
    @da.space
    def net(x: Value) -> Value:
        a = da.optional(ops.ReLU)(x)
        y = da.or_([lambda a, b: a, lambda a, b: b])(x, a)
        return da.optional(ops.Tanh, use=da.boolean(name="k"))(y)

    part = net.where(lambda point: point.name != "k")
    listed = list(part.enumerate())
    assert len(listed) == len(set(listed)) == part.size() == 3


def kinds(kind: tuple[str]) -> Any:
    return {"s": lambda x: ops.Add()(rec()(x), rec()(x)), "r": ops.ReLU(), "t": ops.Tanh()}[kind[0]]


@da.rule
def rec() -> da.Module:
    return da.substitute(kinds, kind=da.choice([("s",), ("r",), ("t",)]))


@pytest.mark.parametrize(
    "space",
    [
        da.space(lambda x: rec()(x)).limit(1),
        da.space(lambda x: da.permute([ops.ReLU, ops.Tanh])(x)).fix({"permute.order": (1, 0)}),
        da.space(lambda x: da.wrap(dict)(of=da.choice([ops.ReLU, ops.Tanh], name="op"))(x)).fix({"op": ops.Tanh}),
        rated.discretize(3),
    ],
)
def test_json_is_read_in_the_sub_space_that_wrote_it(space: da.SearchSpace) -> None:
    for architecture in space.enumerate():
        assert da.Architecture.from_json(architecture.to_json(), space) == architecture


def test_outputs_are_named_by_texts() -> None:
    with pytest.raises(BadArgument, match=r"names of outputs are texts(.|\n)*\[1\]"):
        da.space(lambda x: {1: ops.ReLU()(x)}).start()

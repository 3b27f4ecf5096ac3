"""Counting: spaces whose decisions are shared, repeated, or made by one function from many values."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.counting import exploring, tabulating
from deep_arch.errors import BadArgument, NotCountable
from deep_arch.language.values import Value
from deep_arch.searchers import GridSearch
from deep_arch.testing.published_spaces import darts, nats_bench, once_for_all


def drawn_and_numbered(space: da.SearchSpace) -> None:
    """Check that architectures drawn uniformly and by number are of the space, and a grid search begins."""
    size = int(space.size())
    rng = random.Random(0)
    for architecture in [space.sample(rng, uniform="architectures"), space.nth(0), space.nth(size - 1)]:
        assert space.at(architecture.values) == architecture and architecture.is_specified
    search = da.search(space, GridSearch(order="shuffled"), trials=1, seed=0)
    for trial in search:
        trial.tell(1.0)
    assert len(search.trials) == 1


def test_copies_of_a_cell_that_share_its_decisions_count_as_one() -> None:
    for copies in (1, 2, 15):
        assert nats_bench(copies).size() == 5**6
    drawn_and_numbered(nats_bench(15))


def test_operations_with_decisions_of_their_own_are_told_apart_in_shared_cells() -> None:
    operations = {
        "skip": ops.Identity,
        "none": ops.Zero,
        "conv": lambda: ops.Conv2D(16, da.choice([1, 3])),
        "two": lambda: da.sequential(lambda: ops.Conv2D(16, da.choice([1, 3, 5])), ops.ReLU),
    }
    for copies in (1, 4):
        assert nats_bench(copies, operations).size() == (1 + 1 + 2**copies + 3**copies) ** 6
    drawn_and_numbered(nats_bench(4, operations))


def test_two_cells_whose_nodes_take_two_of_their_inputs() -> None:
    of_a_cell = math.prod(math.comb(j + 2, 2) * 7**2 for j in range(4))
    assert darts(8).size() == of_a_cell**2
    drawn_and_numbered(darts(8))


def test_stages_of_several_blocks() -> None:
    assert once_for_all().size() == (9**2 + 9**3 + 9**4) ** 5
    drawn_and_numbered(once_for_all())


def test_a_repeat_of_any_number_of_times() -> None:
    own = da.space(lambda x: da.repeat(lambda: ops.Dense(da.choice([4, 8])), da.integer(0, 2000))(x))
    assert own.size() == 2**2001 - 1
    drawn_and_numbered(own)
    at_least = da.space(lambda x: da.repeat(lambda: ops.Dense(da.choice([4, 8])), da.choice([3, 1, 700]))(x))
    assert at_least.size() == 2**1 + 2**3 + 2**700

    def both(x: Value) -> Value:
        times = da.integer(0, 30, name="n")
        x = da.repeat(lambda: ops.Dense(da.choice([4, 8])), times)(x)
        return da.repeat(lambda: ops.Dense(da.choice([1, 2, 3])), times * 2)(x)

    assert da.space(both).size() == sum(2**n * 3 ** (2 * n) for n in range(31))


def test_repeats_of_functions_of_several_values_that_ignore_some() -> None:
    def swap(a: Value, b: Value) -> tuple[Value, Value]:
        kept = da.optional(lambda x: x, use=False)(b)
        return da.or_([lambda u, v: u, lambda u, v: v, ops.Add])(ops.Scale(initial=da.choice([1, 2]))(a), kept), a

    space = da.space(lambda x: da.repeat(swap, da.integer(0, 3))(x, ops.Scale(initial=da.choice([3, 4]))(x))[0])
    architectures = list(space.enumerate())
    assert space.size() == len(architectures) == len(set(architectures))
    assert {space.nth(i) for i in range(len(architectures))} == set(architectures)


def test_calls_with_ten_thousand_inputs() -> None:
    def net(x: Value) -> Value:
        return da.or_([ops.Add, ops.Multiply])(*[ops.Dense(da.choice([4, 8]))(x) for _ in range(10_000)])

    space = da.space(net)
    assert space.size() == 2**10_001
    assert len(space.nth(10**9).values) == 10_001


def test_shared_hyperparameters_that_meet_in_pairs_only() -> None:
    def ring(n: int) -> Callable[[Value], Value]:
        def decided(a: int, b: int) -> Callable[[], da.Module]:
            return lambda: ops.Dense(da.choice(range(1, 2 + (a + b) % 2)))

        def net(x: Value) -> Value:
            shared = [da.choice([0, 1, 2], name=f"h{i}") for i in range(n)]
            for i in range(n):
                x = da.substitute(decided, a=shared[i], b=shared[(i + 1) % n])(x)
            return x

        return net

    small = da.space(ring(4))
    assert small.size() == len(list(small.enumerate()))
    weights = [[1 + (a + b) % 2 for b in range(3)] for a in range(3)]
    power = [[int(a == b) for b in range(3)] for a in range(3)]
    for _ in range(60):
        power = [[sum(row[k] * weights[k][b] for k in range(3)) for b in range(3)] for row in power]
    assert da.space(ring(60)).size() == sum(power[i][i] for i in range(3))
    drawn_and_numbered(da.space(ring(60)))


# --- closed functions -------------------------------------------------------------------------------------------


def nas_bench_101(x: Value) -> Value:
    """Compose a cell that 21 booleans and 5 operations decide in one function (NAS-Bench-101, section 2)."""
    edges = {f"e{i}{j}": da.boolean(name=f"e{i}{j}") for i, j in itertools.combinations(range(7), 2)}
    operations = {f"op{i}": da.choice(["conv1", "conv3", "pool"], name=f"op{i}") for i in range(5)}

    def build(**decided: Any) -> Callable[[Value], Value]:
        units = 1 + sum(1 for key, value in decided.items() if key[0] == "e" and value)
        return lambda x: da.repeat(lambda: ops.Dense(units), 2)(x)

    return da.substitute(build, closed=True, **edges, **operations)(x)


def test_one_function_of_many_values_counts_without_running_where_it_is_declared_closed() -> None:
    space = da.space(nas_bench_101)
    assert space.size() == 2**21 * 3**5
    assert space.fix({"e01": True, "op3": "pool"}).size() == 2**20 * 3**4
    assert space.where(lambda point: point.name[0] == "e").size() == 2**21
    drawn_and_numbered(space)


def test_a_subset_of_many_options() -> None:
    features = da.subset(range(30), 10, name="features")
    space = da.space(
        lambda x: da.substitute(lambda features: ops.Dense(sum(features)), closed=True, features=features)(x)
    )
    assert space.size() == math.comb(30, 10)
    drawn_and_numbered(space)


def with_optional(closed: Callable[..., Any]) -> da.SearchSpace:
    def net(x: Value) -> Value:
        width, side = da.choice([1, 2], name="width"), ops.Dense(3)(x)
        part, once = da.optional(lambda: ops.ReLU()), da.optional(lambda: ops.ReLU(), use=True)
        return da.substitute(closed(width, side, part, once), closed=True, n=da.choice([1, 2], name="n"))(x)

    return da.space(net)


@da.rule
def nested() -> Any:
    return da.or_([ops.ReLU, lambda: da.sequential(nested, nested)])


def attaching(width: Any) -> Callable[[int], Any]:
    def build(n: int) -> Callable[[Value], Value]:
        def part(x: Value) -> Value:
            da.config(width=width)
            return ops.ReLU()(x)

        return part

    return build


@pytest.mark.parametrize(
    ("closed", "named"),
    [
        (lambda width, side, part, once: lambda n: lambda: ops.Dense(da.choice([1, 2])), "one of"),
        (lambda width, side, part, once: lambda n: lambda: ops.Dense(width), "width"),
        (lambda width, side, part, once: lambda n: lambda: ops.Dense(width * n), "width"),
        (lambda width, side, part, once: lambda n: lambda x: ops.Add()(x, side), "value of the function around"),
        (lambda width, side, part, once: lambda n: lambda x: part(x), "one of"),
        (lambda width, side, part, once: lambda n: lambda x: once(x), "made outside"),
        (lambda width, side, part, once: lambda n: lambda x: nested()(x), "the rule nested"),
        (
            lambda width, side, part, once: lambda n: lambda: da.repeat(lambda: ops.Dense(da.choice([1, 2])), n),
            "one of",
        ),
        (lambda width, side, part, once: lambda n: lambda x: ops.ReLU()(side), "value of the function around"),
        (lambda width, side, part, once: attaching(width), "width"),
    ],
)
def test_what_is_declared_closed_and_is_not_is_told_when_it_runs(closed: Callable[..., Any], named: str) -> None:
    space = with_optional(closed)
    with pytest.raises(BadArgument, match=rf"substitute.*declared closed(.|\n)*{named}(.|\n)*leave out closed=True"):
        space.sample(seed=0)


def test_a_closed_function_uses_all_of_its_inputs() -> None:
    space = da.space(
        lambda x: da.substitute(lambda n: lambda a, b: a, closed=True, n=da.choice([1, 2]))(x, ops.ReLU()(x))
    )
    with pytest.raises(BadArgument, match="ignores one of its inputs"):
        space.sample(seed=0)


# --- what is too large ------------------------------------------------------------------------------------------


def test_many_values_of_one_function_are_refused_at_once() -> None:
    def net(x: Value) -> Value:
        edges = {f"e{i}": da.boolean(name=f"e{i}") for i in range(40)}
        return da.substitute(lambda **decided: ops.Dense(1 + sum(decided.values())), **edges)(x)

    with pytest.raises(NotCountable, match=r"too many values(.|\n)*e0(.|\n)*closed=True"):
        da.space(net).size()


def test_many_functions_are_refused_with_what_decides_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploring, "MOST_UNFOLDED", 3_000)

    def net(x: Value) -> Value:
        for i in range(4):
            x = da.substitute(lambda n: ops.Dense(n + 1), n=da.integer(0, 1_000, name=f"n{i}"))(x)
        return x

    with pytest.raises(NotCountable, match=r"different functions(.|\n)*n\d: an integer(.|\n)*space\.fix"):
        da.space(net).size()


def test_hyperparameters_that_all_decide_together_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabulating, "MOST_WORK", 100_000)

    def decided(a: int, b: int) -> Callable[[], da.Module]:
        return lambda: ops.Dense(da.choice(range(1, 2 + (a * b) % 5)))

    def net(x: Value) -> Value:
        shared = [da.choice(range(10), name=f"h{i}") for i in range(12)]
        for a, b in itertools.combinations(shared, 2):
            x = da.substitute(decided, a=a, b=b)(x)
        return x

    space = da.space(net)
    with pytest.raises(NotCountable, match=r"decide together(.|\n)*h\d+: one of(.|\n)*space\.fix"):
        space.size()
    assert space.fix({f"h{i}": 3 for i in range(11)}).size() > 0
    assert space.sample(seed=0).is_specified


def test_closed_is_true_or_false() -> None:
    with pytest.raises(BadArgument, match="closed to be True or False"):
        da.space(lambda x: da.substitute(lambda n: ops.Dense(n), closed="yes", n=da.choice([1, 2]))(x)).start()  # type: ignore[arg-type]

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, NotCountable, TooDeep
from deep_arch.language.values import Value


@da.rule
def expr() -> da.Module:
    return da.or_([ops.ReLU, lambda: da.sequential(expr, expr)])


@da.space
def grammar(x: Value) -> Value:
    result: Value = expr()(x)
    return result


def test_a_recursive_rule_is_infinite_and_counts_exactly_under_a_limit() -> None:
    assert grammar.size() == math.inf
    assert [grammar.limit(max_depth=d).size() for d in range(7)] == [0, 1, 2, 5, 26, 677, 458330]
    for depth in range(1, 5):
        limited = grammar.limit(max_depth=depth)
        assert len(set(limited.enumerate())) == limited.size()


def test_sampling_under_a_limit_offers_only_what_can_end() -> None:
    limited = grammar.limit(max_depth=3)
    assert [list(p.domain.values()) for p in limited.start().unassigned] == [[0, 1]]
    one = grammar.limit(max_depth=1)
    assert [list(p.domain.values()) for p in one.start().unassigned] == [[0]]
    rng = random.Random(0)
    everything = set(limited.enumerate())
    assert {limited.sample(rng) for _ in range(300)} == everything
    counts = Counter(limited.sample(rng, uniform="architectures") for _ in range(1000))
    assert sum((counts[a] - 200) ** 2 / 200 for a in everything) < 18.5  # chi-square, 4 free, p = 0.001
    assert all(limited.at(a.values) == a for a in everything)
    with pytest.raises(NotCountable, match="0 architectures"):
        grammar.limit(0).sample(0, uniform="architectures")


def test_deep_recursion_meets_no_recursion_limit() -> None:
    @da.rule
    def chain() -> da.Module:
        return da.or_([ops.ReLU, lambda: da.sequential(ops.ReLU, chain)])

    space = da.space(lambda x: chain()(x))
    values: dict[str, int] = {}
    prefix = "chain"
    for _ in range(1500):
        values[f"{prefix}/or.which"] = 1
        prefix += "/or[1]/sequential[1]/chain"
    values[f"{prefix}/or.which"] = 0
    assert len(space.at(values).graph) == 1501
    limited = space.limit(max_depth=2000)
    assert limited.size() == 2000
    assert limited.sample(3, uniform="architectures").is_specified


def test_what_cannot_end_is_not_counted() -> None:
    @da.rule
    def endless() -> da.Module:
        return da.sequential(ops.ReLU, endless)

    assert da.space(lambda x: endless()(x)).limit(5).size() == 0
    either = da.space(lambda x: da.or_([ops.ReLU, endless])(x))
    assert either.size() == 1
    assert either.limit(4).sample(0).values == {"or.which": 0}


def test_rules_are_remembered_by_their_arguments() -> None:
    runs: list[int] = []

    @da.rule
    def tower(n: int) -> da.Module:
        runs.append(n)
        return ops.Scale(da.choice([1.0, 2.0])) if n == 0 else da.sequential(lambda: tower(n - 1), lambda: tower(n - 1))

    space = da.space(lambda x: tower(6)(x))
    assert space.size() == 2**64
    assert len(space.sample(0).values) == 64
    assert sorted(runs) == list(range(7))


def test_rules_take_hyperparameters_and_values() -> None:
    @da.rule
    def wide(h: int) -> da.Module:
        return da.repeat(lambda: ops.Scale(h), 2)

    @da.rule
    def twice(x: Value) -> Value:
        return da.or_([lambda y: y, lambda y: twice(twice(y))])(ops.ReLU()(x))

    @da.space
    def net(x: Value) -> Value:
        h = da.choice([1.0, 2.0], name="h")
        result: Value = wide(h)(da.optional(lambda: wide(h))(x))
        return result

    assert net.size() == 4
    recursive = da.space(lambda x: twice(x))
    assert recursive.size() == math.inf
    assert [recursive.limit(d).size() for d in (1, 2, 3)] == [1, 2, 5]
    with pytest.raises(BadArgument, match="values alone, or on plain arguments alone"):
        da.space(lambda x: wide(x, 3)).start()


def test_outside_of_a_function_a_use_of_a_rule_is_a_part_of_a_program() -> None:
    @da.rule
    def tree() -> Any:
        return da.choice(["leaf", [tree(), tree()]])

    space = da.space(tree())
    assert space.size() == math.inf
    assert [space.limit(depth).size() for depth in (1, 2, 3, 4)] == [1, 2, 5, 26]
    assert da.resolve(space.limit(2).at({"tree": 1, "tree[1][0]": 0, "tree[1][1]": 0})) == ["leaf", "leaf"]
    network = da.space(lambda x: tree()(x))
    with pytest.raises(BadArgument, match="expected a function of values"):
        network.start()


def test_undecorated_recursion_is_told_from_a_large_space() -> None:
    def forever() -> da.Module:
        return da.or_([ops.ReLU, lambda: da.sequential(forever, forever)])

    space = da.space(lambda x: forever()(x))
    assert space.at({"or.which": 0}).is_specified
    with pytest.raises(NotCountable, match=r"@da\.rule"):
        space.size()


def test_limit_leaves_other_spaces_as_they_are() -> None:
    space = da.space(lambda x: da.repeat(lambda: ops.Scale(da.choice([1.0, 2.0])), 2)(x))
    assert space.limit(0).size() == space.size() == 4
    with pytest.raises(BadArgument, match="max_depth"):
        space.limit(-1)


def test_a_shared_choice_that_cannot_end_is_drawn_again() -> None:
    @da.rule
    def again(h: int) -> da.Module:
        return da.or_([ops.ReLU, lambda: again(h)], which=h)

    space = da.space(lambda x: again(da.choice([0, 1], name="h"))(x)).limit(3)
    assert space.size() == 1
    assert all(space.sample(seed).values == {"h": 0} for seed in range(8))


@da.rule
def _forever() -> Any:
    return da.sequential(ops.ReLU, _forever)


def _nested() -> da.Module:
    return da.optional(_nested, use=True)


@pytest.mark.parametrize("endless", [lambda x: _forever()(x), lambda x: _nested()(x)])
def test_what_nests_without_end_is_told_and_fills_no_memory(endless: Callable[[Value], Value]) -> None:
    with pytest.raises(TooDeep, match=r"nest without end(.|\n)*@da\.rule"):
        da.space(endless).sample(seed=0)

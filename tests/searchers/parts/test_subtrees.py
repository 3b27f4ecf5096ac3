"""Crossover and mutation of subtrees, by their laws, in whole grammars and in sub-spaces."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.searchers import (
    GeneticAlgorithm,
    cross_branches,
    cross_subtrees,
    mutate_each,
    mutate_subtree,
)
from deep_arch.spaces.place import below
from deep_arch.studies.searcher import Values
from deep_arch.testing.program_language import language
from deep_arch.testing.program_tasks import GROUPS, WINDOWS
from deep_arch.testing.random_rules import random_grammar
from deep_arch.testing.searcher_contract import SearcherContract
from deep_arch.testing.searcher_spaces import conditional, flat


class TestSubtrees(SearcherContract):
    def make(self) -> GeneticAlgorithm:
        return GeneticAlgorithm(population=6, crossover=cross_subtrees, mutation=mutate_subtree)


PROGRAMS = language(GROUPS, WINDOWS)
SPACES = {
    "depth": PROGRAMS.limit(max_depth=4),
    "size": PROGRAMS.limit(max_size=9),
    "depth and size": PROGRAMS.limit(max_depth=5, max_size=12),
    "without": PROGRAMS.limit(max_depth=4).without("Multiply", {"sequence/or[SimpleITE]/sequence/or.which": "Last4"}),
    "fixed": PROGRAMS.limit(max_depth=4).fix({"sequence/or.which": "Last8", "sequence/or[Last8]/atom/or.which": "Add"}),
    "left open": PROGRAMS.limit(max_depth=5).where(lambda point: "[ITE]" not in point.address),
}


def parents(space: da.SearchSpace, n: int, least: int = 4) -> Iterator[tuple[Values, Values, random.Random]]:
    """Yield pairs of programs that are no leaves."""
    rng = random.Random(0)
    while n:
        first, second = space.sample(rng).values, space.sample(rng).values
        if min(len(first), len(second)) >= least:
            n -= 1
            yield first, second, rng


def subtrees(space: da.SearchSpace, values: Values) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Yield the address and type of each application, and the values below it as seen from there."""
    for each in space.partial(values).applications():
        n = len(each.address)
        yield each.address, each.type, {a[n:]: v for a, v in values.items() if below(a, each.address)}


def assert_crossed(space: da.SearchSpace, first: Values, second: Values, child: Values) -> None:
    """Check that one subtree comes from the second, and all else from the first."""
    for address, kind, inside in subtrees(space, child):
        around = {a: v for a, v in child.items() if not below(a, address)}
        if around == {a: v for a, v in first.items() if not below(a, address)} and any(
            kind == other and inside == given for _, other, given in subtrees(space, second)
        ):
            return
    raise AssertionError(f"{child} is no cross of {first} and {second}")


@pytest.mark.parametrize("name", SPACES)
def test_a_child_is_the_first_parent_with_one_subtree_of_the_second(name: str) -> None:
    space, n_moved = SPACES[name], 0
    for first, second, rng in parents(space, 60):
        child = cross_subtrees(space, first, second, rng)
        assert space.partial(child).values == child and not space.partial(child).unassigned
        assert child != first, "something else stands somewhere"
        assert_crossed(space, first, second, child)
        n_moved += any(address not in first and address not in second for address in child)
    assert n_moved > 5, "to places where neither parent has them"


@pytest.mark.parametrize("name", SPACES)
def test_a_mutant_differs_below_one_application(name: str) -> None:
    space = SPACES[name]
    for values, _, rng in parents(space, 60):
        child = mutate_subtree(space, values, rng)
        assert space.partial(child).values == child != values
        assert any(
            {a: v for a, v in child.items() if not below(a, address)}
            == {a: v for a, v in values.items() if not below(a, address)}
            for address, _, _ in subtrees(space, child)
        )


def test_every_subtree_of_the_second_reaches_every_place_of_its_type() -> None:
    first = da.parse("Last4(Add(Speed, Turn))", PROGRAMS).values
    second = da.parse("Last8(Multiply(Touch, Size))", PROGRAMS).values
    rng = random.Random(0)
    found = {da.text(PROGRAMS.at(cross_subtrees(PROGRAMS, first, second, rng))) for _ in range(400)}
    parts = ["Multiply(Touch, Size)", "Touch", "Size"]
    assert found == {
        "Last8(Multiply(Touch, Size))",
        *[f"Last4({part})" for part in parts],
        *[f"Last4(Add({part}, Turn))" for part in parts],
        *[f"Last4(Add(Speed, {part}))" for part in parts],
    }
    small = PROGRAMS.limit(max_size=4)
    found = {da.text(small.at(cross_subtrees(small, first, second, rng))) for _ in range(400)}
    assert found == {
        "Last8(Multiply(Touch, Size))",
        *[f"Last4({part})" for part in parts],
        *[f"Last4(Add({part}, Turn))" for part in parts[1:]],
        *[f"Last4(Add(Speed, {part}))" for part in parts[1:]],
    }, "what would be larger is tried elsewhere"


def test_types_are_rules_with_their_arguments() -> None:
    @da.rule
    def term(size: int) -> Any:
        pair = lambda x: ops.Concatenate()(term(size)(x), term(3 - size)(x))  # noqa: E731
        return da.or_({"pair": pair, "one": lambda: ops.Dense(size), "two": lambda: ops.Dense(size, use_bias=False)})

    space = da.space(lambda x: term(1)(x)).limit(max_depth=6)
    for first, second, rng in parents(space, 40):
        child = cross_subtrees(space, first, second, rng)
        assert_crossed(space, first, second, child)


@pytest.mark.parametrize("seed", range(60))
def test_children_of_any_grammar_are_of_the_space(seed: int) -> None:
    space = random_grammar(seed).limit(max_depth=4)
    rng = random.Random(seed)
    for _ in range(5):
        first, second = space.sample(rng).values, space.sample(rng).values
        for child in (cross_subtrees(space, first, second, rng), mutate_subtree(space, first, rng)):
            assert space.at(child).values == child


def test_what_is_decided_outside_of_rules_changes_too() -> None:
    @da.rule
    def term() -> Any:
        return da.or_({"leaf": ops.ReLU, "sum": lambda x: ops.Add()(term()(x), term()(x))})

    @da.space
    def net(x: Any) -> Any:
        da.config(rate=da.choice([1, 2]))
        return term()(x)

    space, rng = net.limit(4), random.Random(0)
    (rate,) = [address for address in space.sample(rng).values if "rate" in address]
    first, second = [{**da.parse("sum(leaf, leaf)", net.fix({rate: n})).values, rate: n} for n in (1, 2)]
    assert {cross_subtrees(space, first, second, rng)[rate] for _ in range(60)} == {1, 2}
    assert {mutate_subtree(space, first, rng)[rate] for _ in range(60)} == {1, 2}


@pytest.mark.parametrize("space", [flat, conditional], ids=["flat", "conditional"])
def test_without_rules_it_is_the_operator_for_all_spaces(space: da.SearchSpace) -> None:
    for seed in range(10):
        first, second = space.sample(seed).values, space.sample(seed + 1).values
        a, b = random.Random(seed), random.Random(seed)
        assert cross_subtrees(space, first, second, a) == cross_branches(space, first, second, b)
        assert mutate_subtree(space, first, a) == mutate_each(space, first, b)


def test_equal_parents_and_a_space_of_one_program_come_back() -> None:
    leaf = PROGRAMS.limit(max_depth=2).sample(0).values
    rng = random.Random(0)
    assert cross_subtrees(PROGRAMS, leaf, leaf, rng) == leaf
    fixed = PROGRAMS.fix(leaf)
    assert cross_subtrees(fixed, leaf, leaf, rng) == mutate_subtree(fixed, leaf, rng) == leaf


def test_parts_that_use_what_is_around_them_stay_where_they_are() -> None:
    @da.space
    def net(x: Any) -> Any:
        @da.rule
        def scaled(n: int) -> Any:
            return da.or_({"n": lambda: ops.Scale(initial=units), "more": lambda y: scaled(n)(ops.Tanh()(y))})

        units = da.choice([1, 2, 3], name="units")
        return scaled(1)(x)

    space = net.limit(max_depth=4)
    for first, second, rng in parents(space, 30, least=3):
        again = random.Random()
        again.setstate(rng.getstate())
        assert cross_subtrees(space, first, second, rng) == cross_branches(space, first, second, again)


def kept(space: da.SearchSpace, values: Values, rng: random.Random) -> Values:
    return values


def best(crossover: Callable[..., Values], seed: int) -> float:
    """Return the most uses of one leaf that a search by crossover alone finds."""
    searcher = GeneticAlgorithm(population=30, crossover=crossover, mutation=kept)
    search = da.search(PROGRAMS.limit(max_depth=6), searcher, 200, seed, duplicates="give")
    for trial in search:
        trial.tell(da.text(trial.architecture).count("Touch"))
    return max(trial.score for trial in search.trials if trial.score is not None)


def test_a_part_that_works_spreads() -> None:
    spread, in_place = [
        sum(best(crossover, seed) for seed in range(2)) for crossover in (cross_subtrees, cross_branches)
    ]
    assert spread > 1.5 * in_place

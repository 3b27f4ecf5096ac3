"""The crossover of branches, by its law: one place with all below it from one parent, the rest from the other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deep_arch as da
from deep_arch import ops
from deep_arch.language.domains import REJECTED
from deep_arch.searchers import cross_branches
from deep_arch.spaces.place import below, module_address, slot_address, up
from deep_arch.studies.searcher import Values
from deep_arch.testing.programs import program_of, whole_plan
from deep_arch.testing.random_rules import random_grammar
from deep_arch.testing.spaces import spaces


def places(architecture: da.Architecture) -> Iterator[str]:
    """Yield where functions, modules and hyperparameters stand."""
    for frame in architecture._unfolding.frames.values():
        yield frame.prefix.rstrip("/")
        yield from [module_address(up(frame, call.home), call) for call in frame.fragment.calls]
        for address in [slot_address(frame, slot) for slot in range(len(frame.fragment.hyperparameters))]:
            yield address
            holder = address.rpartition(".")[0]  # a recorded part is no module
            if holder.count("[") == holder.count("]"):
                yield holder


def mixed(first: Values, second: Values, place: str) -> Values:
    """Return the second's values at and below a place, the first's elsewhere, and the second's where it has none."""
    return {**second, **{address: value for address, value in first.items() if not below(address, place)}}


def obeys(space: da.SearchSpace, child: Values, expected: Values) -> bool:
    """Return whether a child has the values that are expected, where these are of its domains."""
    domains = space.domains(child)
    return all(
        domains[address].accept(expected[address]) in (value, REJECTED)
        for address, value in child.items()
        if address in expected
    )


def assert_law(space: da.SearchSpace, seed: int) -> None:
    rng = random.Random(seed)
    first, second = space.sample(rng), space.sample(rng)
    child = cross_branches(space, first.values, second.values, rng)
    assert space.at(child).values == child
    known = {place: None for parent in (first, second) for place in places(parent)}
    branches = [place for place in known if any(below(address, place) for address in first.values)]
    assert not branches or any(obeys(space, child, mixed(first.values, second.values, place)) for place in branches)


@settings(max_examples=200, deadline=None)
@given(spaces(), st.integers(0, 10**6))
def test_a_child_is_the_second_at_one_place_and_the_first_elsewhere(space: da.SearchSpace, seed: int) -> None:
    assert_law(space, seed)


@pytest.mark.parametrize("seed", range(100))
def test_so_it_is_in_grammars_with_any_names_and_in_programs(seed: int) -> None:
    grammar, program = random_grammar(seed).limit(max_depth=4), da.space(program_of(whole_plan(seed)))
    for again in range(4):
        assert_law(grammar, 100 * seed + again)
        assert_law(program, 100 * seed + again)


def children(space: da.SearchSpace, first: Values, second: Values) -> list[Values]:
    """Return the different children of two parents."""
    found = [cross_branches(space, first, second, random.Random(seed)) for seed in range(60)]
    return [child for i, child in enumerate(found) if child not in found[:i]]


def test_neighbours_whose_names_begin_alike_stay() -> None:
    width = [1, 2, 3]

    def branch(x: Any) -> Any:
        return da.repeat(lambda: ops.Dense(units=da.choice(width)), da.choice([11, 12]))(x)

    @da.space
    def net(x: Any) -> Any:
        x = da.or_({"a": branch, "b": ops.ReLU})(x)
        return da.or_({"a": branch, "b": ops.ReLU})(x)

    inside = [f"[a]/repeat[{i}]/dense.units" for i in range(11)]
    ones, twos = [
        {f"{at}{rest}": value for at in ("or", "or_1") for rest, value in
         {".which": "a", "[a]/repeat.times": 11, **dict.fromkeys(inside, n)}.items()}
        for n in (1, 2)
    ]  # fmt: skip
    found = children(net, ones, twos)
    taken = [[address for address, value in child.items() if value == 2] for child in found]
    assert [f"or_1[a]/repeat[{i}]/dense.units" for i in range(11)] in taken, "the second branch alone"
    assert ["or[a]/repeat[1]/dense.units"] in taken and ["or[a]/repeat[10]/dense.units"] in taken


def test_a_dot_in_the_name_of_an_alternative_ends_no_module() -> None:
    @da.space
    def net(x: Any) -> Any:
        two = lambda: ops.Scale(initial=da.choice([1, 2], name="m") * da.choice([1, 2], name="n"))  # noqa: E731
        return da.or_({0.5: two, 0.7: ops.ReLU})(x)

    first, second = [{"or.which": 0.5, "or[0.5]/m": i, "or[0.5]/n": i} for i in (1, 2)]
    assert {(child["or[0.5]/m"], child["or[0.5]/n"]) for child in children(net, first, second)} == {
        (1, 2),
        (2, 1),
        (2, 2),
    }


def test_a_choice_between_recorded_parts_is_taken_without_what_stands_beside_it() -> None:
    class Part:
        def __init__(self, **arguments: Any) -> None:
            self.arguments = arguments

    part = da.symbolize(Part)
    either = da.choice([part(rate=da.choice([1, 2])), part(rate=da.choice([3, 4]))])
    net = da.space(part(inner=part(either=either, size=da.choice([1, 2]))))
    first = {"inner.either": 0, "inner.either[0].rate": 1, "inner.size": 1}
    second = {"inner.either": 1, "inner.either[1].rate": 4, "inner.size": 2}
    found = children(net, first, second)
    assert {"inner.either": 1, "inner.either[1].rate": 4, "inner.size": 1} in found
    assert all(child["inner.either"] == 1 for child in found), "the other place is the part, with both"


def test_what_a_part_needs_elsewhere_comes_with_it() -> None:
    @da.space
    def net(x: Any) -> Any:
        which = da.choice(["plain", "wide"], name="kind")
        return da.or_({"plain": ops.ReLU, "wide": lambda: ops.Dense(units=da.integer(1, 1000))}, which)(x)

    first, second = {"kind": "plain"}, {"kind": "wide", "or[wide]/dense.units": 123}
    assert children(net, first, second) == [second]

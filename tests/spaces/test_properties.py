"""Properties that every space has, over random spaces."""

from __future__ import annotations

import math
import random
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import deep_arch as da
from deep_arch.errors import MissingValues
from deep_arch.spaces.finding import find
from deep_arch.testing.spaces import plans, space_of, spaces

MODERATE = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@MODERATE
@given(spaces(8))
def test_the_size_is_the_length_of_the_enumeration(space: da.SearchSpace) -> None:
    size = space.size()
    if size <= 600:
        architectures = list(space.enumerate())
        assert len(architectures) == len(set(architectures)) == size
        assert all(space.at(a.values) == a and a.is_specified for a in architectures)


@MODERATE
@given(spaces(8))
def test_each_architecture_has_one_number(space: da.SearchSpace) -> None:
    size = int(space.size())
    if size <= 600:
        assert {space.nth(i) for i in range(size)} == set(space.enumerate())


@MODERATE
@given(spaces(6))
def test_sampling_uniformly_over_architectures_is_uniform(space: da.SearchSpace) -> None:
    size = int(space.size())
    if 1 < size <= 150:
        rng = random.Random(0)
        counts = Counter(space.sample(rng, uniform="architectures") for _ in range(40 * size))
        chi_square = sum((counts[a] - 40) ** 2 / 40 for a in space.enumerate())
        assert chi_square < size - 1 + 6 * math.sqrt(2 * (size - 1)) + 8  # six standard deviations, and the tail of few


@MODERATE
@given(spaces(8), st.integers(0, 10**6))
def test_replay_gives_the_same_graph(space: da.SearchSpace, seed: int) -> None:
    architecture = space.sample(seed)
    again = space.at(architecture.values)
    assert again == architecture and again.graph.edges == architecture.graph.edges
    assert da.Architecture.from_json(architecture.to_json(), space) == architecture
    assert again.fingerprint() == architecture.fingerprint()


@MODERATE
@given(plans(8), st.integers(0, 10**6))
def test_the_order_of_assignment_does_not_matter(plan: tuple[object, ...], seed: int) -> None:
    space = space_of(plan)
    whole = space.sample(seed)
    rng = random.Random(seed)
    partial = space.start()
    while partial.unassigned:
        known = [point for point in partial.unassigned if point.address in whole.values]
        assert known, "what the outputs depend on is among what is open"
        point = rng.choice(known)
        partial = partial.assign(point, whole.values[point.address])
        if not partial.unassigned:
            break
        if not [p for p in partial.unassigned if p.address in whole.values]:
            raise AssertionError("an open hyperparameter does not count in the specified architecture")
    again = space_of(plan).at(partial.values)
    assert partial == whole and again.graph.edges == whole.graph.edges and list(again.values) == list(whole.values)


@MODERATE
@given(spaces(6), st.integers(0, 10**6))
def test_fixing_splits_the_size(space: da.SearchSpace, seed: int) -> None:
    points = space.start().unassigned
    if points and space.size() <= 10**6:
        structure = space.start().structure
        point = random.Random(seed).choice([p for p in points if not structure or p.address in structure])
        parts = [space.fix({point.address: value}) for value in point.domain.values()]
        assert sum(int(part.size()) for part in parts) == space.size()
        for part in parts:
            drawn = part.sample(seed, uniform="architectures")
            assert part.at(drawn.values) == space.at(drawn.values) == drawn


@MODERATE
@given(spaces(6), st.integers(0, 10**6))
def test_fixing_keeps_what_agrees_wherever_it_is_reached(space: da.SearchSpace, seed: int) -> None:
    if space.size() <= 500:
        rng, values = random.Random(seed), space.sample(seed).values
        fixed = {address: value for address, value in values.items() if rng.random() < 0.4}
        fixed = {address: value for address, value in fixed.items() if len(find(space.program, address)) == 1}
        try:
            part = space.fix(fixed)
        except MissingValues:  # what a domain depends on is not among them
            return
        kept = {a for a in space.enumerate() if all(a.values.get(address, v) == v for address, v in fixed.items())}
        assert set(part.enumerate()) == kept and part.size() == len(kept)
        assert {part.nth(i) for i in range(len(kept))} == kept


@MODERATE
@given(spaces(6), st.integers(0, 10**6))
def test_every_space_has_shapes_costs_and_tables(space: da.SearchSpace, seed: int) -> None:
    architecture = space.sample(seed)
    vector = da.vector(4)
    assert all(shape == (4,) for shape in architecture.shapes(vector).values())
    assert architecture.cost(vector).parameters == 4 * len(
        {call.module_address for call in architecture.graph.calls if "scale" in call.address or "tied" in call.address}
    )
    assert "parameters" in architecture.summary(vector)
    assert set(architecture.to_networkx()) >= {call.address for call in architecture.graph.calls}
    da.check(space, samples=2)


@MODERATE
@given(spaces(6), st.integers(0, 10**6))
def test_neighbours_differ_in_a_value_and_are_of_the_space(space: da.SearchSpace, seed: int) -> None:
    architecture = space.sample(seed)
    for other in space.neighbours(architecture):
        assert other != architecture and space.at(other.values) == other

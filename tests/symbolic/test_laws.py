"""The laws of symbolic programs, on random ones."""

from __future__ import annotations

import json
import pickle
import random
import threading
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import deep_arch as da
from deep_arch import searchers
from deep_arch.language.parts import is_open, is_part
from deep_arch.symbolic import DELETE, diff, from_json, get, to_json, walk
from deep_arch.testing.programs import KINDS, OURS, Language, Thing, program_of, whole_plan

MOST = 400
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
seeds = st.integers(0, 10_000)


def small(seed: int) -> tuple[Any, da.SearchSpace]:
    program = program_of(whole_plan(seed, depth=2))
    space = da.space(program)
    assume(1 < space.size() <= MOST)
    return program, space


def of_pyglove() -> Language:
    pg = pytest.importorskip("pyglove")
    kinds = [pg.symbolize(kind) for kind in KINDS]
    return Language(
        call=lambda kind, **arguments: kinds[kind](**arguments),
        choice=lambda candidates: pg.oneof(candidates),
        several=lambda candidates, size, distinct, is_sorted: pg.manyof(
            size, candidates, distinct=distinct, sorted=is_sorted
        ),
        order=lambda candidates: pg.permutate(candidates),
    )


def test_size_is_that_of_pyglove() -> None:
    peer, pg = of_pyglove(), pytest.importorskip("pyglove")
    sizes = []
    for seed in range(150):
        plan = whole_plan(seed)
        size = da.space(program_of(plan)).size()
        assert size == pg.dna_spec(program_of(plan, peer)).space_size, plan
        sizes.append(size)
    assert len(set(sizes)) > 30 and max(sizes) > 10_000


@few
@given(seeds)
def test_size_is_the_number_enumerated(seed: int) -> None:
    _, space = small(seed)
    found = list(space.enumerate())
    assert len(found) == space.size() == len(set(found))


@few
@given(seeds)
def test_equal_programs_have_equal_fingerprints(seed: int) -> None:
    _, space = small(seed)
    pairs = [(da.resolve(a), a.fingerprint()) for a in space.enumerate()]
    by_program: dict[Any, set[str]] = {}
    for program, fingerprint in pairs:
        by_program.setdefault(program, set()).add(fingerprint)
    assert all(len(fingerprints) == 1 for fingerprints in by_program.values())
    assert len(by_program) == len({fingerprint for _, fingerprint in pairs})


@few
@given(seeds)
def test_nth_is_a_bijection(seed: int) -> None:
    _, space = small(seed)
    size = space.size()
    assert isinstance(size, int)
    assert {space.nth(i) for i in range(size)} == set(space.enumerate())


@few
@given(seeds, st.integers(0, 99))
def test_values_json_and_pickle_give_it_back(seed: int, draw: int) -> None:
    _, space = small(seed)
    architecture = space.sample(seed=draw)
    assert space.at(architecture.values) == architecture
    assert da.Architecture.from_json(architecture.to_json(), space) == architecture
    again = pickle.loads(pickle.dumps(architecture))
    assert again.values == architecture.values and da.resolve(again) == da.resolve(architecture)
    json.loads(architecture.to_json())


@few
@given(seeds, st.integers(0, 99))
def test_build_is_what_resolve_says(seed: int, draw: int) -> None:
    _, space = small(seed)
    architecture = space.sample(seed=draw)
    resolved, built = da.resolve(architecture), da.build(architecture)
    assert not is_open(resolved)
    assert built == da.build(resolved)
    for path, value, _ in walk(resolved):
        made = found(built, path)
        if is_part(value):
            assert isinstance(made, value.symbol.factory)
        elif not isinstance(value, list | dict):
            assert made == value


def found(built: Any, path: str) -> Any:
    """Return what stands in an object where a path leads in its program."""
    for step in path.replace("[", ".[").split("."):
        if step.startswith("["):
            built = built[int(step[1:-1])]
        elif step:
            built = built[step] if isinstance(built, dict) else getattr(built, step)
    return built


@few
@given(seeds, st.randoms(use_true_random=False))
def test_any_order_of_assignment_reaches_a_child(seed: int, rng: random.Random) -> None:
    _, space = small(seed)
    partial = space.start()
    while partial.unassigned:
        point = rng.choice(partial.unassigned)
        partial = partial.assign(point, point.domain.draw(rng))
    assert isinstance(da.build(partial), Thing)
    assert space.at(partial.values) == partial


@few
@given(seeds)
def test_rebind_with_the_identity_is_the_program_itself(seed: int) -> None:
    program = program_of(whole_plan(seed))
    assert da.rebind(program, lambda path, value, parent: value) is program
    assert da.rebind(program) is program


@few
@given(seeds)
def test_get_finds_what_walk_yields(seed: int) -> None:
    program = program_of(whole_plan(seed))
    assert all(get(program, path) is value for path, value, _ in walk(program))


@few
@given(seeds)
def test_equal_programs_have_equal_hashes(seed: int) -> None:
    program, again = program_of(whole_plan(seed)), program_of(whole_plan(seed))
    for other in (again, pickle.loads(pickle.dumps(program)), from_json(to_json(program))):
        assert other == program and hash(other) == hash(program)
    assert program != program_of(whole_plan(seed + 1)) or whole_plan(seed) == whole_plan(seed + 1)


@few
@given(seeds, seeds)
def test_a_difference_applied_gives_the_other(one: int, other: int) -> None:
    a, b = program_of(whole_plan(one)), program_of(whole_plan(other))
    assert da.rebind(a, {path: new for path, (_, new) in diff(a, b).items()}) == b
    assert diff(a, a) == {} and DELETE not in [new for _, new in diff(a, program_of(whole_plan(one))).values()]
    _, space = small(one)
    first, second = da.resolve(space.sample(seed=0)), da.resolve(space.sample(seed=1))
    assert da.rebind(first, {path: new for path, (_, new) in diff(first, second).items()}) == second


@few
@given(seeds)
def test_builds_share_nothing_that_is_made(seed: int) -> None:
    program, space = small(seed)
    architecture = space.sample(seed=0)
    one, other = da.build(architecture), da.build(architecture)
    assert made(one) and not set(made(one)) & set(made(other))
    written = {id(value) for _, value, _ in walk(program) if isinstance(value, list | dict)}
    assert not written & set(made(one))


def made(built: Any) -> dict[int, Any]:
    """Return the objects, lists and dicts in an object, by identity."""
    todo, seen = [built], dict[int, Any]()
    while todo:
        value = todo.pop()
        if isinstance(value, Thing | list | dict):
            seen[id(value)] = value
            inner = vars(value) if isinstance(value, Thing) else value
            todo += inner.values() if isinstance(inner, dict) else inner
    return seen


def test_a_build_shares_what_the_program_shares() -> None:
    red, blue = da.symbolize(KINDS[0]), da.symbolize(KINDS[2])
    one, listed = blue(da.choice([1, 2])), [1]
    built = da.build(da.space(red(a=[one, one], b=red(one, listed), c=blue(3), d=blue(3))).sample(seed=0))
    assert built.a[0] is built.a[1] is built.b.a
    assert built.rest["c"] == built.rest["d"] and built.rest["c"] is not built.rest["d"]
    assert built.b.b == listed and built.b.b is not listed


def test_no_constructor_is_called_before_all_is_known() -> None:
    calls: list[str] = []

    def note(name: str, *_: Any) -> str:
        calls.append(name)
        return name

    record = da.symbolize(note)
    program = record("outer", record("inner", da.choice([1, 2])), da.choice([record("left"), record("right")]))
    space = da.space(program)
    assert space.size() == 4
    for architecture in space.enumerate():
        architecture.fingerprint()
        da.resolve(architecture)
        space.at(architecture.values)
    da.rebind(program, lambda path, value, parent: value)
    assert calls == []
    arguments = next(a for a in space.enumerate() if [*a.values.values()] == [2, 1])
    assert da.build(arguments) == "outer" and calls == ["inner", "right", "outer"]


class Checked(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__call__(*args, **kwargs)
        made.checked = True
        return made


class Watched(metaclass=Checked):
    def __init__(self, width: int, *rest: int, **more: int) -> None:
        self.width, self.rest, self.more = width, rest, more

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, f"_{name}", value)

    @property
    def width(self) -> int:
        return int(vars(self)["_width"]) + 1

    @width.setter
    def width(self, value: int) -> None:
        raise AssertionError("the class sets attributes in its own way")

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other)


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a: int, /, b: int = 2) -> None:
        self.a, self.b = a, b


def test_a_build_of_a_class_is_a_call_of_it() -> None:
    watched, slotted = da.symbolize(Watched), da.symbolize(Slotted)
    built, called = da.build(watched(1, 2, 3, four=4)), Watched(1, 2, 3, four=4)
    assert type(built) is type(called) and vars(built) == vars(called) and built.width == called.width == 2
    small, again = da.build(da.space(slotted(da.choice([1]), b=3)).sample(seed=0)), Slotted(1, b=3)
    assert type(small) is type(again) and (small.a, small.b) == (again.a, again.b)
    assert da.build(da.symbolize(cast("Any", dict))(a=1)) == {"a": 1} and da.build(da.symbolize(int)("12")) == 12


LEARNERS = {
    "RandomSearch": {},
    "RegularizedEvolution": {"population": 5, "sample": 2},
    "GeneticAlgorithm": {"population": 4},
    "LocalSearch": {},
    "GridSearch": {},
    "Reinforce": {},
    "ProximalPolicy": {},
    "MonteCarloTreeSearch": {},
    "NSGA2": {"population": 4},
    "SurrogateSearch": {"initial": 5},
    "Hyperband": {"max_budget": 4},
    "BOHB": {"max_budget": 4},
    "SuccessiveHalving": {"max_budget": 4},
    "AsynchronousHalving": {"max_budget": 4},
    "OptunaSearcher": {},
}


@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_every_searcher_proposes_what_builds(name: str) -> None:
    red, blue = da.symbolize(KINDS[0]), da.symbolize(KINDS[2])
    optimizer = da.choice({"sgd": red(da.choice([1, 2, 3])), "adam": blue(da.choice([1, 2]), da.integer(1, 4))})
    program = red(
        [da.choice([red(), blue(da.choice([4, 5]))]) for _ in range(3)],
        optimizer,
        order=da.permutation(["a", "b", "c"]),
    )
    directions: Any = ["maximize", "minimize"] if name == "NSGA2" else "maximize"
    search = da.search(program, getattr(searchers, name)(**LEARNERS[name]), trials=12, seed=0, directions=directions)
    for trial in search:
        built = da.build(trial)
        assert isinstance(built, KINDS[0]) and len(built.a) == 3
        score = float(sum(thing.a for thing in built.a))
        trial.tell((score, 1.0) if name == "NSGA2" else score)
    assert len(search.trials) == 12


def test_one_name_is_one_decision_and_candidates_of_two_choices_are_two() -> None:
    red, blue = da.symbolize(KINDS[0]), da.symbolize(KINDS[2])
    width = da.choice([1, 2], name="width")
    assert da.space(red(width, da.choice([blue(width), blue(2 * width)]))).size() == 4
    listed = [red(da.choice([1, 2])), blue()]
    assert da.space(red([da.choice(listed), da.choice(listed)])).size() == 9
    twice = da.choice(listed)
    assert da.space(red([twice, twice])).size() == 3


@few
@given(seeds, st.integers(0, 99))
def test_addresses_are_paths(seed: int, draw: int) -> None:
    program = program_of(_without_several(whole_plan(seed)))
    architecture = da.space(program).sample(seed=draw)
    for address, value in architecture.values.items():
        decided = get(program, address)
        candidates = getattr(decided, "candidates", None)
        if candidates is not None:
            assert value in range(len(candidates))
        else:
            assert value in da.space(program).domains(architecture.values)[address].values()


def _without_several(plan: Any) -> Any:
    """Return a plan without copies, whose addresses also have their place in between."""
    if not isinstance(plan, tuple):
        return plan
    if plan and plan[0] in ("several", "order"):
        return "list", tuple(_without_several(p) for p in plan[1])
    return tuple(_without_several(p) for p in plan)


def test_limits_of_a_grammar_count_as_those_of_networks() -> None:
    red, blue = da.symbolize(KINDS[0]), da.symbolize(KINDS[2])

    @da.rule
    def expression() -> Any:
        return da.choice([blue(), red(expression(), expression())])

    space = da.space(expression())
    assert [space.limit(depth).size() for depth in (1, 2, 3, 4)] == [1, 2, 5, 26]
    drawn = {da.resolve(space.limit(3).sample(seed=seed, uniform="architectures")) for seed in range(100)}
    assert len(drawn) == 5


def test_building_in_one_thread_does_not_make_in_another() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow() -> int:
        inside.set()
        assert go_on.wait(10)
        return 1

    record, found = da.symbolize(slow), []
    thread = threading.Thread(target=lambda: found.append(da.build(record())))
    thread.start()
    assert inside.wait(10)
    assert is_part(record()) and OURS.call(0) == OURS.call(0)
    go_on.set()
    thread.join()
    assert found == [1]

from __future__ import annotations

import itertools
import pickle
import random
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, TooDeep, ValueOutsideDomain
from deep_arch.language.values import Value
from deep_arch.searchers import GeneticAlgorithm, GridSearch, LocalSearch, RandomSearch, RegularizedEvolution
from deep_arch.spaces.describing import description, digest


def size(architecture: da.Architecture) -> int:
    """Return how many addresses of applications of rules the graph has."""
    frames = architecture._unfolding.frames.values()  # pyright: ignore[reportPrivateUsage]
    return sum(frame.call.module.deepens for frame in frames if frame.call is not None)


@da.rule
def term() -> Any:
    return da.or_(
        {
            "leaf": ops.ReLU,
            "dense": lambda: ops.Dense(da.choice([4, 8])),
            "chain": lambda: da.sequential(term, term),
            "add": lambda x: ops.Add()(term()(x), term()(x), term()(x)),
        }
    )


@da.rule
def pair() -> Any:
    return da.or_({"leaf": ops.ReLU, "two": lambda: da.sequential(pair, pair)}, hole=ops.Identity)


@da.rule
def typed(n: int) -> Any:
    """A rule with arguments, which leads to another rule and has no leaf at 1."""
    more = {"down": lambda x: ops.Add()(typed(n - 1)(x), pair()(x))} if n else {"leaf": ops.ReLU}
    return da.or_({**more, "both": lambda x: ops.Add()(typed(n)(x), typed(0)(x))})


@da.rule
def ignoring() -> Any:
    """One alternative ignores its input, so what came before it does not count."""
    return da.or_(
        {
            "leaf": ops.ReLU,
            "constant": lambda x: da.or_([lambda y: ops.Dense(3)(x), ops.Tanh])(ignoring()(x)),
        }
    )


@da.space
def shared_value(x: Value) -> Any:
    """One choice decides two parts, in opposite ways."""
    which = da.choice(["left", "right"], name="which")
    left = da.or_({"left": ops.ReLU, "right": pair}, which)(x)
    return ops.Add()(left, da.or_({"left": lambda: da.sequential(pair, pair), "right": ops.Tanh}, which)(left))


@da.space
def shared_further_in(x: Value) -> Any:
    """The same, where the choice is met within other functions."""
    which = da.choice([1, 2, 3], name="which")
    first = da.optional(lambda y: da.repeat(pair, which)(y))(x)
    return da.sequential(lambda y: da.repeat(pair, 4 - which)(y), ops.ReLU)(first)


@da.space
def shared_in_rules(x: Value) -> Any:
    """A choice of the outermost function decides in each application of a rule."""
    which = da.choice(["leaf", "two"], name="which")

    @da.rule
    def inner(n: int) -> Any:
        if n == 0:
            return ops.ReLU
        return da.or_({"leaf": lambda: inner(0), "two": lambda: da.sequential(inner(n - 1), inner(n - 1))}, which)

    return ops.Add()(inner(2)(x), da.or_({"leaf": lambda: da.sequential(pair, pair, pair), "two": pair}, which)(x))


@da.space
def shared_module(x: Value) -> Any:
    """A module that is called at two places counts once, also where it stands in others."""
    part = pair()
    return da.sequential(part, da.optional(lambda: da.sequential(part, pair())), part)(x)


@da.space
def modules_made_around(x: Value) -> Any:
    return da.or_([pair(), da.sequential(pair(), term())])(x)


@da.space
def tied(x: Value) -> Any:
    part = term()
    return da.repeat(part, da.integer(0, 3))(x)


@da.space
def ordered(x: Value) -> Any:
    parts = [pair, lambda: ops.Dense(da.choice([1, 2])), lambda: da.repeat(pair, da.integer(0, 2))]
    return da.permute(parts)(x)


@da.space
def folded(x: Value, h: Value) -> Any:
    return da.scan(lambda h, frame: ops.Add()(pair()(h), ops.Dense(4)(frame)))(h, x)


@da.space
def forked(x: Value) -> Any:
    """Several outputs, of which one is used, and captured values."""
    y = pair()(x)
    a, b = da.substitute(lambda: lambda x: (pair()(x), term()(x)))(x)
    return ops.Add()(da.or_([lambda z: ops.Add()(y, z), ops.ReLU])(a), b) if a is not b else b


@da.space
def unequal(x: Value) -> Any:
    """The number of copies decides together with a shared choice."""
    n = da.integer(1, 3, name="n")
    return da.repeat(lambda: da.or_([ops.ReLU, lambda: da.repeat(pair, 4 - n)], name="inner"), n)(x)


SPACES: dict[str, tuple[da.SearchSpace, int]] = {
    "term": (da.space(lambda x: term()(x)), 5),
    "two terms": (da.space(lambda x: term()(term()(x))), 5),
    "typed": (da.space(lambda x: typed(1)(x)), 6),
    "ignoring": (da.space(lambda x: ignoring()(x)), 4),
    "shared value": (shared_value, 5),
    "shared further in": (shared_further_in, 5),
    "shared in rules": (shared_in_rules, 8),
    "shared module": (shared_module, 3),
    "modules made around": (modules_made_around, 5),
    "tied": (tied, 3),
    "ordered": (ordered, 5),
    "folded": (folded, 5),
    "forked": (forked, 3),
    "unequal": (unequal, 5),
    "without rules": (da.space(lambda x: ops.Dense(da.choice([1, 2]))(x)), 3),
    "fixed": (da.space(lambda x: ops.Add()(pair()(x), pair()(x))).fix({"pair/or.which": "two"}), 8),
    "fixed further in": (
        da.space(lambda x: ops.Add()(pair()(x), pair()(x))).fix({"pair/or[two]/sequential[1]/pair/or.which": "two"}),
        8,
    ),
    "deep": (da.space(lambda x: ops.Add()(pair()(x), pair()(x))).limit(3), 9),
}


def listed(space: da.SearchSpace, most: int, margin: int = 0) -> dict[str, int]:
    """Return all programs of at most so many applications with their sizes, from a space without that limit.

    Args:
        space: the space.
        most: the size.
        margin: how many applications may have been gone through that turn out to be ignored.
    """
    found: dict[str, int] = {}
    todo = [space.start()]
    while todo:
        state = todo.pop()
        if size(state) > most + margin:
            continue
        points, structure = state.unassigned, state.structure
        if not points:
            found[state.to_json()] = size(state)
        for point in [p for p in points if p.address in structure][:1] or points[:1]:
            todo += [state.assign(point, value) for value in point.domain.values()]
    return {program: n for program, n in found.items() if n <= most}


@pytest.mark.parametrize("name", SPACES)
def test_the_programs_within_a_size_are_those(name: str) -> None:
    space, most = SPACES[name]
    programs = listed(space, most, margin=3 if name == "ignoring" else 0)
    smallest = min(programs.values())
    for n in range(smallest, most + 1):
        limited = space.limit(max_size=n)
        found = [architecture.to_json() for architecture in limited.enumerate()]
        assert len(found) == len(set(found)) and set(found) == {p for p, size_of in programs.items() if size_of <= n}
        assert limited.size() == len(found)
        assert {limited.nth(i).to_json() for i in range(len(found))} == set(found)
    if smallest:
        with pytest.raises(BadArgument, match=f"no program applies so few rules; the smallest one applies {smallest}"):
            space.limit(max_size=smallest - 1)


@pytest.mark.parametrize("name", [name for name in SPACES if name not in ("ignoring", "forked")])
def test_no_choice_leads_to_a_dead_end(name: str) -> None:
    space, most = SPACES[name]
    limited, rng = space.limit(max_size=most), random.Random(0)
    for _ in range(30):
        limited.unfold(lambda h, _address, _frame: h.draw(rng))  # raises TooDeep in a dead end


def test_where_something_is_ignored_dead_ends_are_drawn_again() -> None:
    for name in ("ignoring", "forked"):
        limited = SPACES[name][0].limit(max_size=3)
        assert all(size(limited.sample(seed)) <= 3 for seed in range(20))


@da.rule
def atom(n_leaves: int) -> Any:
    """The language of functions of a frame in CalMS21, as far as its counts go."""
    leaves = {f"leaf{i}": lambda i=i: ops.Dense(i + 1) for i in range(n_leaves)}
    return da.or_(
        {
            **leaves,
            "Add": _of(ops.Add, 2, n_leaves),
            "Multiply": _of(ops.Multiply, 2, n_leaves),
            "ITE": _of(ops.Add, 3, n_leaves),
        }
    )


def _of(operation: Callable[[], Any], n: int, n_leaves: int) -> Callable[[Value], Any]:
    return lambda x: operation()(*[atom(n_leaves)(x) for _ in range(n)])


@da.rule
def to_atom(n_leaves: int, n_averages: int) -> Any:
    """From a list to an atom."""
    one = ["Fold", *[f"average{i}" for i in range(n_averages)]]
    branches = lambda x: ops.Add()(*[to_atom(n_leaves, n_averages)(x) for _ in range(3)])  # noqa: E731
    return da.or_({**{name: lambda: atom(n_leaves) for name in one}, "ITE": branches})


@da.rule
def to_list(n_leaves: int, n_averages: int) -> Any:
    def branches(x: Value) -> Any:
        inner = to_list(n_leaves, n_averages)
        return ops.Add()(to_atom(n_leaves, n_averages)(x), inner(x), to_list(n_leaves, n_averages)(x))

    return da.or_(
        {"Map": lambda: atom(n_leaves), "MapPrefixes": lambda: to_atom(n_leaves, n_averages), "ITE": branches}
    )


def recurrence(kind: str, n_leaves: int, n_averages: int, depth: int) -> int:
    """Return the number of terms of a depth, by hand."""
    if depth == 0:
        return 0
    a, la, ll = (recurrence(k, n_leaves, n_averages, depth - 1) if k else 0 for k in ("a", "la", "ll"))
    if kind == "a":
        return n_leaves + 2 * a**2 + a**3
    return (1 + n_averages) * a + la**3 if kind == "la" else a + la + la * ll**2


@pytest.mark.parametrize(
    ("kind", "n_leaves", "n_averages", "known"),
    [
        ("la", 1, 0, [0, 1, 5, 222, 11_872_540]),
        ("ll", 1, 0, [0, 1, 6, 282, 18_586_042]),
        ("la", 11, 4, [0, 55, 174_295]),
        ("ll", 11, 4, [0, 11, 8_294, 11_993_808_579_742]),
    ],
)
def test_counts_of_typed_languages_by_depth(kind: str, n_leaves: int, n_averages: int, known: list[int]) -> None:
    rule = to_atom if kind == "la" else to_list
    space = da.space(lambda x: rule(n_leaves, n_averages)(x))
    counts = [space.limit(depth).size() for depth in range(1, 7)]
    assert counts[: len(known)] == known
    assert counts == [recurrence(kind, n_leaves, n_averages, depth) for depth in range(1, 7)]


def test_counts_of_a_language_by_size() -> None:
    space = da.space(lambda x: atom(11)(x))
    totals = [0, *[space.limit(max_size=n).size() for n in range(1, 9)]]
    exactly = [after - before for before, after in itertools.pairwise(totals)]
    assert exactly == [11, 0, 242, 1_331, 10_648, 146_410, 1_068_793, 13_528_284]


def test_both_limits() -> None:
    space = da.space(lambda x: pair()(x))
    for depth in (1, 2, 3, 4):
        sizes = Counter(map(size, space.limit(depth).enumerate()))
        for most in (1, 2, 3, 5, 7):
            both = space.limit(depth, max_size=most)
            assert both.size() == sum(n for size_of, n in sizes.items() if size_of <= most)
            assert both.restrictions == space.limit(max_size=most).limit(depth).restrictions
            assert both.size() == space.limit(max_size=most).limit(max_depth=depth).size() == len([*both.enumerate()])
    assert space.limit(3, max_size=500).size() == space.limit(3).size()


def test_uniform_samples_are_uniform() -> None:
    limited, rng = SPACES["term"][0].limit(max_size=3), random.Random(0)
    counts = Counter(limited.sample(rng, uniform="architectures").to_json() for _ in range(1_200))
    assert len(counts) == limited.size() == 12
    chi_square = sum((n - 100) ** 2 / 100 for n in counts.values())
    assert chi_square < 33  # of 11 degrees of freedom, at which one seed of 2,000 fails


def test_large_limits() -> None:
    limited = da.space(lambda x: pair()(x)).limit(max_size=201)
    catalan, total = 1, 0
    for n in range(101):
        total += catalan
        catalan = catalan * 2 * (2 * n + 1) // (n + 2)
    assert limited.size() == total
    last = limited.nth(total - 1)
    assert size(last) <= 201 and limited.at(last.values) == last
    assert size(limited.sample(0, uniform="architectures")) > 100


def test_real_numbers_in_a_program() -> None:
    space = da.space(lambda x: ops.Dropout(da.real(0.0, 0.5))(pair()(x))).limit(max_size=3)
    assert space.size() == float("inf") and space.discretize(3).size() == 6
    assert size(space.sample(0)) <= 3


def test_what_lies_beyond_the_limit_is_refused() -> None:
    space = da.space(lambda x: pair()(x))
    limited = space.limit(max_size=3)
    state = limited.partial({"pair/or.which": "two"})
    assert [[*point.domain.values()] for point in state.unassigned] == [["leaf"], ["leaf"]]
    assert state.completed().holes and state.unassigned[0].has_hole
    inner = "pair/or[two]/sequential[0]/pair/or.which"
    with pytest.raises(ValueOutsideDomain, match=f"{re.escape(inner)}: 'two' is not one of"):
        state.assign(inner, "two")
    larger = space.partial({"pair/or.which": "two", inner: "two"})
    with pytest.raises(ValueOutsideDomain):
        limited.partial(larger.values)
    with pytest.raises(TooDeep, match=r"nested more deeply than the space's limit, 3.\n.*\n  Raise max_size"):
        limited.unfold(lambda _h, _address, _frame: "two")


def test_what_turns_out_too_large_is_refused() -> None:
    @da.space
    def perhaps(x: Value) -> Any:
        return da.or_([lambda _: ops.Tanh()(x), ops.ReLU])(pair()(x))

    limited = perhaps.limit(max_size=2)
    leaves = dict.fromkeys([f"pair/or[two]/sequential[{i}]/pair/or.which" for i in range(2)], "leaf")
    with pytest.raises(TooDeep, match=r"limit: expected at most 2 applications of rules.*\n.*3 is the least") as error:
        limited.at({"or.which": 1, "pair/or.which": "two", **leaves})
    assert "Raise max_size" in str(error.value)
    assert limited.size() == len([*limited.enumerate()]) == 2


def test_refusals() -> None:
    space = da.space(lambda x: pair()(x))
    with pytest.raises(BadArgument, match=r"limit: max_size is an int of at least 0.\n  Got -1"):
        space.limit(max_size=-1)
    with pytest.raises(BadArgument, match="expected max_depth, max_size or both"):
        space.limit()
    two = da.space(lambda x: pair()(pair()(x)))
    with pytest.raises(
        BadArgument, match=r"no program applies so few rules; the smallest one applies 2.\n  Got max_size=1"
    ):
        two.limit(max_size=1)

    @da.rule
    def endless() -> Any:
        return da.sequential(endless, ops.ReLU)

    with pytest.raises(BadArgument, match=r"none ends.\n  Got max_size=5.\n  Let an alternative of each rule end"):
        da.space(lambda x: endless()(x)).limit(max_size=5)
    with pytest.raises(BadArgument, match="none ends within a depth of 0"):
        space.limit(0, max_size=5)


grammar = da.space(lambda x: pair()(x))
limited_grammar = grammar.limit(max_size=5)


def test_a_limit_goes_along() -> None:
    copied = pickle.loads(pickle.dumps(limited_grammar))
    assert copied.size() == limited_grammar.size() == 4 and copied.restrictions == limited_grammar.restrictions
    assert "at most 5 rules are applied" in description(limited_grammar)
    assert digest(description(limited_grammar)) != digest(description(grammar.limit(5)))
    assert "limit size 5" in repr(limited_grammar)
    assert limited_grammar.fix({"pair/or.which": "two"}).size() == 3


def test_searchers_stay_within_the_limit() -> None:
    space = SPACES["term"][0].limit(max_size=5)
    searchers = [RandomSearch(), GridSearch(), RegularizedEvolution(population=5, sample=2), LocalSearch()]
    for searcher in [*searchers, GeneticAlgorithm(population=6)]:
        for trial in da.search(space, searcher, trials=25, seed=0, duplicates="give"):
            assert size(trial.architecture) <= 5
            trial.tell(float(len(trial.values)))
    for neighbour in space.neighbours(space.sample(3)):
        assert size(neighbour) <= 5

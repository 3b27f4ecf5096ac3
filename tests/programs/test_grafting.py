"""Applications, subtrees and grafts, by their laws and by the text of what is refused."""

from __future__ import annotations

import itertools
import pickle
import random
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import (
    BadArgument,
    DeepArchError,
    MissingValues,
    ScopeError,
    UnknownAddress,
    UnreachedAddress,
    ValueOutsideDomain,
)
from deep_arch.programs import Subtree
from deep_arch.programs.applications import movable
from deep_arch.testing.random_rules import random_grammar


@da.rule
def atom(size: int = 1) -> Any:
    return da.or_(
        {
            "Add": lambda x: ops.Add()(atom(size)(x), atom(size)(x)),
            "Gate": lambda x: ops.Multiply()(atom()(x), atom(size)(x)),
            "Speed": lambda: ops.Dense(size, use_bias=da.boolean()),
            "Angle": lambda: ops.Dense(size),
        }
    )


@da.rule
def top() -> Any:
    return da.or_({"Last": lambda x: atom(2)(x), "Both": lambda x: ops.Add()(top()(x), atom(2)(x))})


programs = da.space(lambda x: top()(x))
GATE = {
    "top/or.which": "Last",
    "top/or[Last]/atom/or.which": "Gate",
    "top/or[Last]/atom/or[Gate]/atom/or.which": "Angle",
    "top/or[Last]/atom/or[Gate]/atom_1/or.which": "Speed",
    "top/or[Last]/atom/or[Gate]/atom_1/or[Speed]/dense.use_bias": True,
}
OUTER, ONE, TWO = "top/or[Last]/atom", "top/or[Last]/atom/or[Gate]/atom", "top/or[Last]/atom/or[Gate]/atom_1"


def test_applications_have_addresses_types_and_depths() -> None:
    found = programs.at(GATE).applications()
    assert [(str(a), a.address, a.depth) for a in found] == [
        ("top()", "top", 1),
        ("atom(2)", OUTER, 2),
        ("atom(1)", ONE, 3),
        ("atom(2)", TWO, 3),
    ]
    assert found[1].type == found[3].type != found[2].type
    assert found[2].arguments == (1,), "defaults count as arguments"


def test_a_subtree_is_the_values_with_one_prefix() -> None:
    gate = programs.at(GATE)
    assert gate.subtree(TWO) == {"or.which": "Speed", "or[Speed]/dense.use_bias": True}
    assert gate.subtree(gate.applications()[2]) == {"or.which": "Angle"}
    assert gate.subtree(ONE).application == gate.applications()[2]


def test_a_subtree_of_a_rule_of_a_module_is_pickled_with_its_application() -> None:
    again = pickle.loads(pickle.dumps(leaf_of_module().subtree("chain")))
    assert again == {"or.which": "leaf"}
    assert again.application.type == leaf_of_module().subtree("chain").application.type


@da.rule
def chain() -> Any:
    return da.or_({"leaf": ops.ReLU, "more": lambda x: chain()(ops.Tanh()(x))})


chains = da.space(lambda x: chain()(x))


def leaf_of_module() -> da.Architecture:
    return chains.at({"chain/or.which": "leaf"})


def test_a_graft_changes_what_is_below_and_nothing_else() -> None:
    small = programs.at(GATE).graft(OUTER, {"or.which": "Angle"})
    assert small.values == {"top/or.which": "Last", "top/or[Last]/atom/or.which": "Angle"}
    grown = small.graft("top", {"or.which": "Both", "or[Both]/top/or.which": "Last",
                                **small.subtree(OUTER).below("or[Both]/top/or[Last]/atom"),
                                **programs.at(GATE).subtree(TWO).below("or[Both]/atom")})  # fmt: skip
    assert grown == programs.at(grown.values)
    assert grown.subtree("top/or[Both]/atom") == programs.at(GATE).subtree(TWO)


def test_partial_architectures_stay_partial() -> None:
    state = programs.start().assign("top/or.which", "Last").assign("top/or[Last]/atom/or.which", "Gate")
    grafted = state.graft(TWO, {"or.which": "Angle"})
    assert [point.address for point in grafted.unassigned] == [f"{ONE}/or.which"]
    assert grafted.graft(OUTER, grafted.subtree(OUTER)) == grafted


def samples() -> Any:
    """Yield architectures of random grammars, in whole spaces and limited ones."""
    for seed in range(25):
        space = random_grammar(seed).limit(max_depth=5)
        yield from [space.sample(seed=i) for i in range(6)]


def test_a_graft_of_the_own_subtree_is_the_identity() -> None:
    n = 0
    for architecture in samples():
        for each in architecture.applications():
            assert architecture.graft(each, architecture.subtree(each)) == architecture
            n += 1
    assert n > 300


def test_what_was_grafted_is_the_subtree_and_the_architecture_valid_or_refused() -> None:
    rng, made, refused = random.Random(0), 0, 0
    for first, second in itertools.pairwise(samples()):
        if first.space.program is not second.space.program:
            continue
        pairs = [(a, b) for a in first.applications() for b in second.applications() if a.type == b.type]
        for a, b in rng.sample(pairs, min(8, len(pairs))):
            moved = second.subtree(b)
            try:
                child = first.graft(a, moved)
            except DeepArchError as error:
                assert isinstance(error, ValueOutsideDomain | MissingValues | UnreachedAddress), error
                refused += 1
                continue
            made += 1
            assert child.subtree(a.address) == moved
            assert child == first.space.at(child.values)
            assert max(each.depth for each in child.applications()) <= 5
    assert made > 200
    assert 0 < refused < made


def test_an_address_without_an_application_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownAddress, match=r"top/or\[Last\]/atm: no rule is applied here(.|\n)*'top/or.Last./atom'"):
        programs.at(GATE).subtree("top/or[Last]/atm")
    with pytest.raises(UnknownAddress, match=r"top/or.which: no rule is applied here.\n  Got .*there are 4 applica"):
        programs.at(GATE).graft("top/or.which", {})
    with pytest.raises(BadArgument, match=r"subtree: expected the address of an application(.|\n)*Got 3 \(int\)"):
        programs.at(GATE).subtree(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_another_type_is_refused_with_where_it_fits() -> None:
    gate = programs.at(GATE)
    with pytest.raises(
        BadArgument,
        match=r"top/or\[Last\]/atom/or\[Gate\]/atom: expected what stands below an application of atom\(1\).\n"
        r"  Got what stood below one of atom\(2\), at '.*atom_1'.\n  Graft it where .*, such as 'top/or\[Last\]/atom'",
    ):
        gate.graft(ONE, gate.subtree(TWO))
    angle = gate.graft(OUTER, {"or.which": "Angle"})
    with pytest.raises(BadArgument, match=r"atom\(1\) is applied, of which this architecture has none"):
        angle.graft(OUTER, gate.subtree(ONE))
    assert gate.graft(ONE, dict(gate.subtree(TWO))).subtree(ONE) == gate.subtree(TWO), "plain values have no type"


def test_what_does_not_fit_is_refused() -> None:
    gate = programs.at(GATE)
    with pytest.raises(BadArgument, match=r"atom: expected values by address as seen from the application(.|\n)*Got 3"):
        gate.graft(OUTER, 3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(MissingValues, match=r"dense.use_bias: has no value after the graft(.|\n)*Add the value"):
        gate.graft(OUTER, {"or.which": "Speed"})
    with pytest.raises(UnknownAddress, match=r"atom/or\[Angle\]/units: space"):
        gate.graft(OUTER, {"or.which": "Angle", "or[Angle]/units": 3})
    with pytest.raises(ValueOutsideDomain, match=r"or.which: 'Sped' is not one of"):
        gate.graft(OUTER, {"or.which": "Sped"})


def test_a_limit_is_kept() -> None:
    gate = programs.limit(max_depth=3).at(GATE)
    with pytest.raises(
        ValueOutsideDomain,
        match=r"atom_1: what would stand here is outside of the sub-space.\n  Got <space .*limit(.|\n)*smaller",
    ):
        gate.graft(TWO, gate.subtree(OUTER))
    whole = programs.at(GATE)
    assert whole.graft(TWO, whole.subtree(OUTER)).applications()[-1].depth == 4


# --- what depends on more than the rule and its arguments -----------------------------------------------------------


def test_arguments_of_an_enclosing_function_are_refused() -> None:
    @da.rule
    def dense(units: Any) -> Any:
        return lambda x: ops.Dense(units)(x)

    net = da.space(lambda x: dense(da.choice([1, 2], name="units"))(dense(3)(x)))
    found = net.sample(seed=0)
    with pytest.raises(ScopeError, match=r"dense: what stands below depends(.|\n)*among the arguments.\n  Give the"):
        found.subtree("dense")
    assert found.subtree("dense_1") == {}
    assert [each.address for each in movable(found._unfolding)] == ["dense_1"]


def test_what_an_enclosing_function_made_is_refused() -> None:
    @da.space
    def net(x: Any) -> Any:
        tied = ops.Dense(3, name="tied")
        width = da.choice([1, 2], name="width")

        @da.rule
        def calls_outer() -> Any:
            return lambda y: tied(y)

        @da.rule
        def captures() -> Any:
            return da.or_({"a": lambda y: ops.Add()(x, y), "b": lambda y: free()(y)})

        @da.rule
        def uses() -> Any:
            return da.sequential(free, lambda: ops.Dense(width))

        @da.rule
        def free() -> Any:
            return da.or_([ops.ReLU, ops.Tanh])

        return uses()(captures()(calls_outer()(x)))

    values = {"width": 1, "uses/sequential[0]/free/or.which": 0, "captures/or.which": "a"}
    found = net.at(values)
    for address in ("calls_outer", "captures", "uses"):
        with pytest.raises(ScopeError, match=rf"{address}: what stands below(.|\n)*enclosing function made, in '"):
            found.graft(address, {})
    assert found.graft("uses/sequential[0]/free", {"or.which": 1}).values["uses/sequential[0]/free/or.which"] == 1
    free = net.at({**values, "captures/or.which": "b", "captures/or[b]/free/or.which": 0})
    assert free.subtree("captures") == {"or.which": "b", "or[b]/free/or.which": 0}
    assert [each.address for each in movable(free._unfolding)] == [
        *("captures", "captures/or[b]/free", "uses/sequential[0]/free"),
    ]


def test_subtrees_are_dicts() -> None:
    subtree = programs.at(GATE).subtree(ONE)
    assert isinstance(subtree, Subtree)
    assert {**subtree} == subtree == {"or.which": "Angle"}

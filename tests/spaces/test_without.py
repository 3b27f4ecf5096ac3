from __future__ import annotations

import pickle
import random
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, InvalidDomain, UnknownAddress, ValueOutsideDomain
from deep_arch.language.values import Value
from deep_arch.searchers import GridSearch, LocalSearch, RandomSearch
from deep_arch.spaces.describing import description, digest


@da.rule
def expr() -> Any:
    return da.or_(
        {
            "relu": ops.ReLU,
            "dense": lambda: ops.Dense(da.choice([4, 8, 16], tag="width")),
            "pair": lambda x: ops.Add()(expr()(x), expr()(x)),
            "chain": lambda: da.repeat(expr, da.integer(1, 3)),
        },
        hole=ops.Identity,
    )


grammar = da.space(lambda x: expr()(x))


@da.space
def net(x: Value) -> Any:
    width = da.choice([8, 16, 32, 64], name="width")
    x = ops.Dense(width)(x)
    x = da.repeat(lambda: ops.Dropout(da.choice([0.1, 0.2, 0.5])), da.integer(1, 3, name="n"))(x)
    return ops.Dense(da.choice([8, 16]))(x)


CASES: dict[str, tuple[da.SearchSpace, tuple[Any, ...], Any]] = {
    "name of an alternative": (grammar.limit(2), ("pair",), lambda _, value: value == "pair"),
    "several": (grammar.limit(2), ("pair", "dense"), lambda _, value: value in ("pair", "dense")),
    "name": (grammar.limit(2), ({"dense.units": [4, 8]},), lambda a, v: a.endswith("dense.units") and v < 16),
    "tag": (grammar.limit(2), ({"width": 16},), lambda a, v: a.endswith("dense.units") and v == 16),
    "pattern": (grammar.limit(2), ({"*.units": {4}},), lambda a, v: a.endswith(".units") and v == 4),
    "integer": (grammar.limit(2), ({"repeat.times": 2},), lambda a, v: a.endswith("repeat.times") and v == 2),
    "predicate": (grammar.limit(2), (lambda point, v: point.tag == "width" and v > 4,), lambda a, v: v in (8, 16)),
    "size": (grammar.limit(max_size=3), ("chain",), lambda _, value: value == "chain"),
    "both limits": (grammar.limit(2, max_size=3), ("pair", {"dense.units": 4}), lambda _, v: v in ("pair", 4)),
    "in turn": (net, ({"width": [8, 16]}, {"n": 2}), lambda a, v: (a, v) in (("width", 8), ("width", 16), ("n", 2))),
    "address": (net, ({"repeat[1]/dropout.rate": 0.2},), lambda a, v: (a, v) == ("repeat[1]/dropout.rate", 0.2)),
    "two addresses": (
        net,
        ({"repeat[1]/dropout.rate": (0.2, 0.5), "repeat[0]/dropout.rate": 0.1},),
        lambda a, v: (a, v) in {("repeat[1]/dropout.rate", x) for x in (0.2, 0.5)} | {("repeat[0]/dropout.rate", 0.1)},
    ),
    "fixed": (net.fix({"n": 2}), ({"dropout.rate": 0.1},), lambda a, v: a.endswith("dropout.rate") and v == 0.1),
    "address in a grammar": (
        grammar.limit(3, max_size=3),
        ({"expr/or[pair]/expr/or.which": "dense"},),
        lambda a, v: (a, v) == ("expr/or[pair]/expr/or.which", "dense"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_left_is_all_without_what_is_taken_out(name: str) -> None:
    space, given, taken = CASES[name]
    left = space.without(*given)
    expected = {
        architecture.to_json()
        for architecture in space.enumerate()
        if not any(taken(address, value) for address, value in architecture.values.items())
    }
    found = [architecture.to_json() for architecture in left.enumerate()]
    assert set(found) == expected and len(found) == len(expected) == left.size() < space.size()
    assert {left.nth(i).to_json() for i in range(len(found))} == expected
    rng = random.Random(0)
    for _ in range(20):
        assert left.sample(rng).to_json() in expected
        assert left.sample(rng, uniform="architectures").to_json() in expected


def test_one_after_another_is_both_at_once() -> None:
    limited = grammar.limit(2)
    one, both = limited.without("pair").without({"dense.units": 4}), limited.without("pair", {"dense.units": 4})
    assert one.restrictions == both.restrictions and one.size() == both.size()
    assert grammar.without("pair").limit(2).size() == limited.without("pair").size()


def test_an_infinite_space_becomes_finite() -> None:
    assert grammar.size() == float("inf")
    assert grammar.without("pair", "chain").size() == 4
    assert [a.values["expr/or.which"] for a in grammar.without("pair", "chain").enumerate()] == ["relu", *["dense"] * 3]


def test_limits_know_what_can_end() -> None:
    @da.rule
    def term() -> Any:
        return da.or_({"leaf": ops.ReLU, "call": lambda: other()})

    @da.rule
    def other() -> Any:
        return da.or_({"end": ops.Tanh, "more": lambda x: ops.Add()(term()(x), term()(x))})

    space = da.space(lambda x: term()(x))
    left = space.without("end")
    assert [left.limit(d).size() for d in (1, 2, 3)] == [1, 1, 2]
    assert [*left.limit(2).start().unassigned[0].domain.values()] == ["leaf"]
    assert [*left.limit(max_size=3).start().unassigned[0].domain.values()] == ["leaf"]
    assert left.limit(max_size=4).size() == 2
    with pytest.raises(
        InvalidDomain, match=r"no program can end without what is taken out.\n  Got <space <lambda>, with"
    ):
        space.without("leaf", "end")
    with pytest.raises(InvalidDomain, match="Leave in an alternative of each rule that ends, or raise the limit"):
        space.limit(max_size=1).without("leaf")
    assert space.limit(max_size=2).without("leaf").size() == 1


def test_what_is_taken_out_is_refused() -> None:
    left = grammar.without("pair")
    with pytest.raises(ValueOutsideDomain, match=r"'pair' is not one of \('relu', 'dense', 'chain'\)"):
        left.at({"expr/or.which": "pair"})
    with pytest.raises(ValueOutsideDomain, match="'pair' is not one of"):
        left.fix({"expr/or.which": "pair"})
    assert left.start().unassigned[0].has_hole and left.start().completed().holes
    fixed = grammar.fix({"expr/or.which": "pair"})
    with pytest.raises(InvalidDomain, match=r"expr/or.which: is fixed to 'pair', so that cannot be taken out"):
        fixed.without("pair")


def test_nothing_is_left_of_a_domain() -> None:
    with pytest.raises(InvalidDomain, match=r"nothing is left of one of \(8, 16\).*\n.*\n  Leave one of them in"):
        net.without({"dense_1.units": [8, 16]})
    with pytest.raises(InvalidDomain, match=r"dense.units: nothing is left of one of \(4, 8, 16\)"):
        grammar.without({"dense.units": [4, 8, 16]})
    assert grammar.without({"dense.units": [4, 8, 16]}, "dense").limit(1).size() == 1


def test_names_that_mean_nothing() -> None:
    with pytest.raises(ValueOutsideDomain, match=r"none of the alternatives.\n  Got 'Pair'(.|\n)*Did you mean 'pair'"):
        grammar.without("Pair")
    with pytest.raises(ValueOutsideDomain, match=r"dense.units: 5 is none of the alternatives there"):
        grammar.without({"dense.units": [4, 5]})
    with pytest.raises(UnknownAddress, match=r"no hyperparameter with this address(.|\n)*Did you mean 'dense.units'"):
        grammar.without({"dense.unit": 4})
    with pytest.raises(UnknownAddress, match=r"repeat\[9\]/dropout.rate: space `net` has no"):
        net.without({"repeat[9]/dropout.rate": 0.1})
    with pytest.raises(BadArgument, match=r"expected names, a mapping or a function.*\n  Got 5"):
        net.without(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadArgument, match="expected what to leave out"):
        net.without()


def test_intervals() -> None:
    space = da.space(lambda x: ops.Dropout(da.real(0.0, 0.5))(x))
    with pytest.raises(InvalidDomain, match=r"dropout.rate: single values(.|\n)*space.discretize"):
        space.without({"dropout.rate": 0.25})
    assert space.without(lambda _point, value: value == 0.25).sample(0).values
    assert [a.values["dropout.rate"] for a in space.discretize(3).without(_half).enumerate()] == [0.0, 0.25]


def _half(point: da.ChoicePoint, value: Any) -> bool:
    return point.name == "dropout.rate" and value == 0.5


def test_collections_that_are_values() -> None:
    space = da.space(lambda x: ops.Conv2D(4, da.choice([(1, 1), (3, 3), 5]))(x))
    assert space.without({"conv2d.kernel_size": (3, 3)}).size() == 2
    assert space.without({"conv2d.kernel_size": [(3, 3), 5]}).size() == 1


def test_dependent_domains_and_weights() -> None:
    @da.space
    def depending(x: Value) -> Any:
        n = da.integer(1, 3, name="n")
        m = da.choice([1, n, 4], name="m")
        return ops.Dense(da.choice([8, 16], weights=[1, 3]))(da.repeat(lambda: ops.Dropout(0.1), m)(ops.Dense(n)(x)))

    left = depending.without({"m": 4, "dense.units": 8})
    listed = [architecture.values for architecture in left.enumerate()]
    assert len(listed) == left.size() == 5 and all(v["m"] != 4 and v["dense.units"] == 16 for v in listed)


net_without = net.without({"width": 8}, {"repeat[1]/dropout.rate": 0.2})


def test_it_goes_along() -> None:
    copied = pickle.loads(pickle.dumps(net_without))
    assert copied.restrictions == net_without.restrictions and copied.size() == net_without.size()
    assert "without width: (8,)" in description(net_without)
    assert digest(description(net_without)) != digest(description(net)) != digest(description(net.without({"n": 1})))
    assert "without width: 8" in repr(net_without)
    assert any("_half" in line for line in description(net.without(_half)))


def test_searchers_and_neighbours() -> None:
    space = grammar.limit(2).without("pair", {"dense.units": 8})
    for searcher in (RandomSearch(), GridSearch(), LocalSearch()):
        for trial in da.search(space, searcher, trials=15, seed=0, duplicates="give"):
            assert not {"pair", 8} & set(trial.values.values())
            trial.tell(float(len(trial.values)))
    for neighbour in space.neighbours(space.sample(1)):
        assert not {"pair", 8} & set(neighbour.values.values())

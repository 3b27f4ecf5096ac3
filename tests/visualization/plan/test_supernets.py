"""A super-network is drawn with every alternative of what is relaxed, each as wide as its weight."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import ArityMismatch, BadArgument, NotCountable, UnknownAddress, ValueOutsideDomain
from deep_arch.language.values import Value
from deep_arch.spaces.graph import Graph
from deep_arch.testing.spaces import spaces
from deep_arch.visualization.plan.drawing import Box, Drawing, Row, Share
from deep_arch.visualization.plan.planning import plan_drawing
from deep_arch.visualization.plan.relaxed import Forked, Mixed, Passing, Relaxed
from deep_arch.visualization.plan.relaxing import MOST_BOXES, relax
from deep_arch.visualization.plan.supernets import plan_supernet

HALF = da.Mixture((False, True), (0.5, 0.5))
BRANCHES = {"conv": lambda: ops.Dense(8), "twice": lambda: da.sequential(ops.ReLU, ops.Tanh), "skip": lambda x: x}


@da.space
def chosen(x: Value) -> Value:
    return ops.Dense(4, name="head")(da.or_(BRANCHES)(x))


@da.space
def nested(x: Value) -> Value:
    parts = {"a": lambda: ops.Dense(da.choice([3, 5])), "b": lambda: da.repeat(ops.ReLU, da.integer(0, 2))}
    return da.optional(lambda: da.or_(parts))(x)


def _box(drawing: Drawing, key: str) -> Box:
    return next(box for box in drawing.boxes if box.key == key)


def _lines(drawing: Drawing) -> dict[tuple[str, str], tuple[str, float | None]]:
    """Return the label and weight of each line, its weight rounded."""
    lines = [edge for edge in drawing.edges if edge.kind == "data"]
    return {(e.tail, e.head): (e.label, None if e.weight is None else round(e.weight, 6)) for e in lines}


def _rows(drawing: Drawing, key: str) -> list[tuple[str, str, tuple[Share, ...]]]:
    return [(row.kind, row.text, row.shares) for row in _box(drawing, key).rows]


# --- alternatives --------------------------------------------------------------------------------------------------


def test_a_relaxed_body_of_a_scan_has_its_way_back() -> None:
    kinds = {"tanh": ops.Tanh, "relu": ops.ReLU}
    space = da.space(lambda x, h: da.scan(lambda state, frame: da.or_(kinds)(ops.Add()(state, frame)))(h, x))
    drawing = plan_supernet(space, {"scan/or.which": da.Mixture(("tanh", "relu"), (0.3, 0.7))})
    assert [(edge.tail, edge.head) for edge in drawing.edges if edge.kind == "back"] == [
        ("call scan/exit", "call scan/enter")
    ]
    lines = _lines(drawing)
    assert [lines["call scan/or<", f"call scan/or[{kind}]/{kind}"][1] for kind in kinds] == [0.3, 0.7]


def test_alternatives_are_branches_between_the_same_inputs_and_outputs() -> None:
    drawing = plan_supernet(chosen, {"or.which": da.Mixture(("conv", "twice", "skip"), (0.7, 0.2, 0.1))})
    assert _lines(drawing) == {
        ("input x", "call or<"): ("", None),
        ("call or<", "call or[conv]/dense"): ("", 0.7),
        ("call or<", "call or[twice]/sequential[0]/relu"): ("", 0.2),
        ("call or[twice]/sequential[0]/relu", "call or[twice]/sequential[1]/tanh"): ("", 0.2),
        ("call or<", "call or[skip]/(skip)"): ("", 0.1),
        ("call or[conv]/dense", "call or+"): ("0.70", 0.7),
        ("call or[twice]/sequential[1]/tanh", "call or+"): ("0.20", 0.2),
        ("call or[skip]/(skip)", "call or+"): ("0.10", 0.1),
        ("call or+", "call head"): ("", None),
        ("call head", "output output"): ("", None),
    }
    assert [(cluster.key, cluster.headings[0].name) for cluster in drawing.clusters] == [
        ("or", "or"),
        ("or[twice]/sequential", "twice"),
    ]
    assert drawing.state == "super-network, 1 relaxed"


def test_an_alternative_shows_its_value_and_weight() -> None:
    drawing = plan_supernet(chosen, {"or.which": da.Mixture(("conv", "skip"), (0.7, 0.3))})
    for key, name, weight in [("call or[conv]/dense", "conv", 0.7), ("call or[skip]/(skip)", "skip", 0.3)]:
        (heading,) = _box(drawing, key).headings
        assert heading.name == name
        assert heading.rows == (Row("relaxed", "", "", (Share("", weight),)),)
    assert _box(drawing, "call or+").tip == "or: 0.7 · conv + 0.3 · skip"


def test_weights_multiply_inside_alternatives() -> None:
    mixtures = {
        "optional.use": da.Mixture((False, True), (0.2, 0.8)),
        "optional/or.which": da.Mixture(("a", "b"), (0.25, 0.75)),
        "optional/or[b]/repeat.times": da.Mixture((0, 1, 2), (0.5, 0.0, 0.5)),
        "optional/or[a]/dense.units": da.Mixture((3, 5), (0.1, 0.9)),
    }
    drawing = plan_supernet(nested, mixtures)
    weights = {box.key: box.weight for box in drawing.boxes if box.kind in ("module", "empty", "mixed")}
    expected = {
        "call optional/(False)": 0.2,
        "call optional/or[a]/dense": 0.2,
        "call optional/or[b]/repeat(0)": 0.3,
        "call optional/or[b]/repeat[0]/relu": 0.3,
        "call optional/or[b]/repeat[1]/relu": 0.3,
        "call optional/or[b]/repeat+": 0.6,
        "call optional/or+": 0.8,
    }
    assert weights == {**{key: pytest.approx(weight) for key, weight in expected.items()}, "call optional+": None}
    lines = _lines(drawing)
    assert lines["call optional/or[b]/repeat[0]/relu", "call optional/or[b]/repeat+"] == ("1: 0.00", 0.0)
    assert lines["call optional/or[b]/repeat[1]/relu", "call optional/or[b]/repeat+"] == ("2: 0.50", 0.3)
    assert lines["call optional/or+", "call optional+"] == ("True: 0.80", 0.8)
    assert _rows(drawing, "call optional/or[a]/dense") == [("relaxed", "units", (Share("3", 0.1), Share("5", 0.9)))]


def test_counts_share_their_first_copies(net: da.SearchSpace) -> None:
    drawing = plan_supernet(net, {"n": da.Mixture((1, 2, 4), (0.2, 0.5, 0.3)), "optional.use": False})
    copies = [_box(drawing, f"call repeat[{i}]/conv2d").weight for i in range(4)]
    assert copies == [None, pytest.approx(0.8), pytest.approx(0.3), pytest.approx(0.3)]
    assert [label for (_, head), (label, _) in _lines(drawing).items() if head == "call repeat_1+"] == [
        *("2: 0.20", "4: 0.50", "8: 0.30")
    ]
    assert ("input x", "call repeat[0]/conv2d") not in _lines(drawing)
    assert "call repeat<" not in {box.key for box in drawing.boxes}  # one copy takes the input, so nothing forks
    shares = (Share("1", 0.2), Share("2", 0.5), Share("4", 0.3))
    assert _rows(drawing, "hyperparameter n") == [("relaxed", "n", shares)]


def test_what_is_not_mentioned_is_drawn_as_while_open_and_what_is_decided_as_decided(net: da.SearchSpace) -> None:
    assert plan_supernet(net, {}).boxes == plan_drawing(net.start()).boxes
    sample = net.sample(seed=1)
    ours, plain = plan_supernet(net, sample.values), plan_drawing(sample)
    assert (ours.boxes, ours.edges, ours.clusters) == (plain.boxes, plain.edges, plain.clusters)


def test_what_weighs_nothing_or_is_not_active_reaches_nothing() -> None:
    mixture = da.Mixture(("conv", "twice", "skip"), (0.6, 0.0, 0.4), active=(0, 1))
    drawing = plan_supernet(chosen, {"or.which": mixture})
    assert [
        _box(drawing, f"call or[{k}").weight for k in ("conv]/dense", "twice]/sequential[0]/relu", "skip]/(skip)")
    ] == [*(0.6, 0.0, 0.0)]
    assert _lines(drawing)["call or[skip]/(skip)", "call or+"] == ("0.40", 0.0)  # its weight is told all the same
    assert _box(drawing, "call or[skip]/(skip)").headings[0].rows[0].shares == (Share("", 0.4, False),)


def test_of_many_values_the_heaviest_are_told() -> None:
    space = da.space(lambda x: ops.Dense(da.integer(1, 20))(x))
    weights = [1.0 if i in (4, 11) else 0.5 for i in range(20)]
    ((_, _, shares),) = _rows(
        plan_supernet(space, {"dense.units": da.Mixture(tuple(range(1, 21)), weights)}), "call dense"
    )
    assert len(shares) == 8 and {"5", "12"} < {share.text for share in shares}
    assert shares[-1].text == "13 others" and shares[-1].weight == 6.5


def test_alternatives_of_several_outputs_are_joined_one_by_one() -> None:
    @da.space
    def pairs(x: Value, y: Value) -> Value:
        straight, crossed = (lambda a, b: (a, b)), (lambda a, b: (ops.ReLU()(b), a))
        a, b = da.or_({"straight": straight, "crossed": crossed})(x, y)
        return ops.Subtract()(a, b)

    drawing = plan_supernet(pairs, {"or.which": da.Mixture(("straight", "crossed"), (0.9, 0.1))})
    into = [(e.tail, e.tail_mark, e.label) for e in drawing.edges if e.head == "call or+"]
    assert into == [
        ("call or[straight]/(straight)", "0", "0.90"),
        ("call or[straight]/(straight)", "1", "0.90"),
        ("call or[crossed]/relu", "", "0.10"),
        ("call or<", "", "0.10"),
    ]
    assert [e.tail_mark for e in drawing.edges if e.tail == "call or+"] == ["0", "1"]


def test_a_decision_whose_domain_depends_on_a_relaxed_one_is_relaxed_for_each_of_its_values() -> None:
    space = da.space(lambda x: da.repeat(ops.ReLU, da.integer(0, da.integer(1, 2, name="n"), name="m"))(x))
    drawing = plan_supernet(space, {"n": da.Mixture((1, 2), (0.5, 0.5)), "m": da.Mixture((1, 2), (0.5, 0.5))})
    labels = [label for (_, head), (label, _) in _lines(drawing).items() if head == "call repeat+"]
    assert labels == ["1: 0.50", "2: 0.25"]  # 2 is none of the values where n is 1


def test_a_decision_that_several_use_has_one_value_in_each_alternative() -> None:
    @da.space
    def twice(x: Value) -> Value:
        n = da.integer(0, 2, name="n")
        return da.optional(lambda y: da.repeat(ops.ReLU, n)(y), use=da.dependent(lambda n: n > 0, n))(x)

    drawing = plan_supernet(twice, {"n": da.Mixture((0, 1, 2), (0.2, 0.5, 0.3))})
    weights = {box.key: box.weight for box in drawing.boxes if box.kind == "module"}
    assert weights == pytest.approx({"call optional/repeat[0]/relu": 0.8, "call optional/repeat[1]/relu": 0.3})
    labels = [label for (_, head), (label, _) in _lines(drawing).items() if head == "call optional+"]
    assert labels == ["0.20", "True: 0.50", "True: 0.30"]


def test_a_tied_module_is_tied_between_alternatives() -> None:
    @da.space
    def tied(x: Value) -> Value:
        dense = ops.Dense(4)
        return da.or_({"once": lambda y: dense(y), "then": lambda y: dense(ops.ReLU()(y))})(x)

    drawing = plan_supernet(tied, {"or.which": da.Mixture(("once", "then"), (0.5, 0.5))})
    assert {box.key: box.tie for box in drawing.boxes if box.tie is not None} == {"call dense": 0, "call dense@1": 0}


def test_a_captured_value_is_made_once() -> None:
    @da.space
    def captured(x: Value) -> Value:
        y = ops.Dense(3)(x)
        return da.optional(lambda z: ops.Add()(z, y))(x)

    drawing = plan_supernet(captured, {"optional.use": HALF})
    assert [box.key for box in drawing.boxes if box.kind == "module"] == ["call dense", "call optional/add"]


def test_recursion_ends_where_it_is_limited_or_not_mentioned(recursive: da.SearchSpace) -> None:
    mixture = da.Mixture(("end", "more"), (0.5, 0.5))
    drawing = plan_supernet(recursive, {"_tail/or.which": mixture})
    assert [box.kind for box in drawing.boxes if box.key.endswith("/or")] == ["substitution"]
    inner = "_tail/or[more]/sequential[1]/_tail/or"
    limited = plan_supernet(recursive.limit(max_depth=2), {"_tail/or.which": mixture, f"{inner}.which": mixture})
    assert _box(limited, f"call {inner}[end]/relu").weight == 0.25
    assert not any(box.kind == "substitution" for box in limited.boxes)


def test_shapes_are_known_beyond_what_is_relaxed() -> None:
    drawing = plan_supernet(chosen, {"or.which": da.Mixture(("conv", "skip"), (0.7, 0.3))}, da.vector(8))
    assert _box(drawing, "call head").shapes == "4"


# --- laws ----------------------------------------------------------------------------------------------------------


def _calls(relaxed: Relaxed, least: float) -> Counter[str]:
    calls = [
        call
        for call in Graph(relaxed.unfolding).calls
        if not isinstance(call.template, Forked | Mixed | Passing) and relaxed.reach.get(call.outputs[0], 1.0) >= least
    ]
    return Counter([call.module_address for call in calls])


@given(spaces(max_leaves=4), st.integers(0, 1000))
def test_one_hot_mixtures_reach_the_calls_of_the_architecture(space: da.SearchSpace, seed: int) -> None:
    architecture = space.sample(seed=seed)
    mixtures: dict[str, Any] = {}
    domains = space.domains(architecture.values)
    for address, chosen_value in architecture.values.items():
        values = [*itertools.islice(domains[address].values(), 6)]
        values += [] if any(value == chosen_value for value in values) else [chosen_value]
        mixtures[address] = da.Mixture(tuple(values), [float(value == chosen_value) for value in values])
    try:
        found = _calls(relax(space, mixtures), 0.5)
    except NotCountable:  # too large to draw
        return
    assert found == Counter([call.module_address for call in architecture.graph.calls])


@given(spaces(max_leaves=3))
def test_a_super_network_holds_the_calls_of_all_architectures(space: da.SearchSpace) -> None:
    samples = [space.sample(seed=seed) for seed in range(10)]
    found_values: dict[str, dict[Any, None]] = {}
    for sample in samples:
        for address, domain in space.domains(sample.values).items():
            found_values.setdefault(address, {}).update(dict.fromkeys(domain.values()))
    mixtures = {address: da.Mixture(tuple(values), [1.0] * len(values)) for address, values in found_values.items()}
    try:
        found = _calls(relax(space, mixtures), 0.0)
    except (NotCountable, ValueOutsideDomain):  # one address may stand for decisions of unlike domains
        assume(False)
    for sample in samples:
        assert {call.module_address for call in sample.graph.calls} <= {*found}


# --- errors --------------------------------------------------------------------------------------------------------


def test_an_address_that_the_space_does_not_have_is_an_error_with_the_nearest() -> None:
    with pytest.raises(UnknownAddress, match=r"(?s)or\.wich: space `chosen` has no such.*'or\.which'"):
        plan_supernet(chosen, {"or.wich": HALF})


def test_what_is_decided_away_may_be_among_the_mixtures() -> None:
    mixtures = {"optional.use": False, "optional/or.which": da.Mixture(("a", "b"), (0.5, 0.5))}
    assert plan_supernet(nested, mixtures).state == "super-network, 0 relaxed, 1 decided"


@pytest.mark.parametrize("given", ["cnv", da.Mixture(("conv", "cnv"), (0.5, 0.5))])
def test_a_value_outside_the_domain_is_an_error(given: Any) -> None:
    with pytest.raises(ValueOutsideDomain, match=r"(?s)or\.which: 'cnv' is not .*Got 'cnv' \(str\)"):
        plan_supernet(chosen, {"or.which": given})


def test_the_error_for_a_mixture_shows_it_and_the_nearest_value() -> None:
    with pytest.raises(
        ValueOutsideDomain, match=r"(?s)in Mixture\('cnv': 1\), for space `chosen`.*Did you mean 'conv'"
    ):
        plan_supernet(chosen, {"or.which": da.Mixture(("cnv",), (1.0,))})


def test_too_much_to_draw_is_an_error_that_says_what_to_do() -> None:
    space = da.space(lambda x: da.repeat(ops.ReLU, da.integer(0, 1000))(x))
    with pytest.raises(NotCountable, match=rf"(?s)repeat.*more than {MOST_BOXES} boxes.*Leave decisions out"):
        plan_supernet(space, {"repeat.times": da.Mixture((0, 1000), (0.5, 0.5))})


def test_mixtures_that_are_no_mapping_are_an_error() -> None:
    with pytest.raises(BadArgument, match=r"(?s)mapping from address.*Got \[\] \(list\).*trial\.mixtures"):
        plan_supernet(chosen, [])  # type: ignore[arg-type]


def test_alternatives_of_unlike_numbers_of_outputs_are_an_error() -> None:
    @da.space
    def unlike(x: Value) -> Any:
        return da.or_({"one": lambda y: y, "two": lambda y: (y, y)})(x)

    with pytest.raises(ArityMismatch, match="1 from one, 2 from two"):
        plan_supernet(unlike, {"or.which": da.Mixture(("one", "two"), (0.5, 0.5))})

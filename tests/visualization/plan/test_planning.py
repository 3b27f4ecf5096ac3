"""Each thing that a reader must tell apart is another kind in what a drawing shows."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument
from deep_arch.language.values import Value
from deep_arch.visualization.plan.clusters import MOST_NESTED
from deep_arch.visualization.plan.drawing import Box, Drawing, Edge, Row
from deep_arch.visualization.plan.planning import plan_drawing
from deep_arch.visualization.plan.sharing import MOST_LINES

IMAGE = da.image(channels=3, height=32, width=32)


def _box(drawing: Drawing, key: str) -> Box:
    return next(box for box in drawing.boxes if box.key == key)


def _edges(drawing: Drawing, kind: str) -> list[tuple[str, str]]:
    return [(edge.tail, edge.head) for edge in drawing.edges if edge.kind == kind]


def _texts(rows: tuple[Row, ...]) -> list[tuple[str, str]]:
    return [(row.kind, row.text) for row in rows]


# --- scans ---------------------------------------------------------------------------------------------------------


def test_a_scan_is_a_frame_with_a_way_back_however_deep_it_lies() -> None:
    def folded(x: Value, h: Value) -> Value:
        return da.scan(lambda state, frame: (ops.Add()(state, ops.Dense(8)(frame)), frame))(h, x)[0]

    def nested(x: Value, h: Value, depth: int = MOST_NESTED + 2) -> Any:
        if depth == 0:
            return folded(x, h)
        return da.or_([lambda a, b: ops.ReLU()(nested(a, b, depth - 1))])(x, h)

    drawing = plan_drawing(
        da.space(lambda x, h: nested(x, h)).sample(seed=0), {"x": da.sequence(9, 4), "h": da.vector(8)}
    )
    scan = next(cluster for cluster in drawing.clusters if cluster.key.endswith("/scan"))
    assert [heading.name for heading in scan.headings][-1] == "scan"
    bars = {box.title: box for box in drawing.boxes if box.kind == "bar"}
    assert {box.cluster for box in bars.values()} == {scan.key}
    assert [(box.title, box.shapes) for box in bars.values()] == [
        ("states, frames", "8, 4"),
        ("last states, all steps", "8, 4\u00d79"),
    ]
    begin, end = bars["states, frames"].key, bars["last states, all steps"].key
    assert _edges(drawing, "back") == [(end, begin)]
    assert (begin, end) not in [edge for edge in _edges(drawing, "data") if edge == (begin, end)][1:], (
        "states are compared, not drawn"
    )


def test_a_map_has_no_way_back() -> None:
    drawing = plan_drawing(da.space(lambda x: da.map_(lambda frame: ops.ReLU()(frame))(x)).at({}))
    assert [box.title for box in drawing.boxes if box.kind == "bar"] == ["frames", "all steps"]
    assert _edges(drawing, "back") == []


# --- hyperparameters -----------------------------------------------------------------------------------------------


def test_a_domain_that_depends_is_drawn_as_decided_by_what_it_depends_on() -> None:
    @da.space
    def bounded(x: Value) -> Value:
        n = da.integer(1, 9, name="n")
        heads = da.choice(da.dependent(range, n, name="heads"), name="head")
        da.config(share=da.real(0.0, 0.1 * n, log=False), some=da.subset([1, 2], n), each=da.choice([n, 2 * n]))
        return ops.Dense(units=da.integer(n, 2 * n, 2, name="units") * heads)(x)

    before = plan_drawing(bounded.start())
    assert _texts(_box(before, "config ").rows) == [
        ("open", "share ∈ [0, 0.1 · n]"),
        ("open", "some ∈ n of (1, 2)"),
        ("open", "each ∈ (n, 2 · n)"),
    ]
    assert _texts(_box(before, "hyperparameter units").rows) == [("open", "units ∈ {n, …, 2 · n} by 2")]
    assert _texts(_box(before, "hyperparameter head").rows) == [("open", "head ∈ options heads")]
    assert ("hyperparameter n", "hyperparameter units") in _edges(before, "depends")
    assert ("hyperparameter n", "config ") in _edges(before, "depends")
    assert before.state == "0 assigned, 1 open, 5 waiting for these"
    after = plan_drawing(bounded.start().assign("n", 2))
    assert _texts(_box(after, "hyperparameter units").rows) == [("open", "units ∈ {2, 4}")]
    assert after.state == "1 assigned, 5 open"


def test_an_open_hyperparameter_shows_its_domain_and_an_assigned_one_its_value(net: da.SearchSpace) -> None:
    before, after = net.start(), net.start().assign("conv2d.filters", 64)
    assert _texts(_box(plan_drawing(before), "call conv2d").rows) == [("open", "filters ∈ {64, 128}")]
    assert _texts(_box(plan_drawing(after), "call conv2d").rows) == [("assigned", "filters = 64")]


def test_a_dependent_one_shows_its_formula_and_a_line_from_what_it_depends_on(net: da.SearchSpace) -> None:
    drawing = plan_drawing(net.start())
    assert _texts(_box(drawing, "call repeat_1").rows) == [("dependent", "times = 2 · n")]
    assert _edges(drawing, "depends") == [("hyperparameter n", "call repeat"), ("hyperparameter n", "call repeat_1")]


def test_a_formula_of_shapes_is_shown_until_shapes_are_known() -> None:
    @da.space
    def net(x: Value) -> Value:
        ratio = da.choice([2, 4], name="ratio")
        x = da.residual(lambda: ops.Conv2D(8, 3), project=lambda: ops.Conv2D(8, 1))(x)
        y = ops.Conv2D(da.channels(x) // ratio, 1)(x)
        return ops.Conv2D(da.channels(x), 1)(y)

    for state in (net.start(), net.at({"ratio": 4})):
        drawing = plan_drawing(state)
        assert _texts(_box(drawing, "call conv2d").rows) == [("dependent", "filters = channels(residual/add) // ratio")]
        assert _texts(_box(drawing, "call conv2d_1").rows) == [("dependent", "filters = channels(residual/add)")]
        assert ("dependent", "which = shape(x) ≠ shape(residual[0]/conv2d)") in _texts(
            _box(drawing, "call residual/select").rows
        )
        assert _edges(drawing, "depends") == [("hyperparameter ratio", "call conv2d")]
    known = plan_drawing(net.at({"ratio": 4}), da.image(channels=8, height=32, width=32))
    assert _texts(_box(known, "call conv2d").rows) == [("dependent", "filters = 2")]
    assert [box.title for box in known.boxes if box.kind == "module"] == ["Conv2D", "Add", "Conv2D", "Conv2D"]
    assert ("input x", "call residual/add") in _edges(known, "data")
    partial = plan_drawing(net.start(), da.image(channels=8, height=32, width=32))
    assert _box(partial, "call residual/select").shapes == "8×32×32" and not _box(partial, "call conv2d").shapes


def test_one_that_several_use_is_drawn_once_and_referred_to(net: da.SearchSpace) -> None:
    drawing = plan_drawing(net.start())
    assert _texts(_box(drawing, "hyperparameter n").rows) == [("open", "n ∈ {1, 2, 4}")]
    assert _texts(_box(drawing, "call repeat").rows) == [("open", "times = n")]
    assert [box.key for box in drawing.boxes if box.kind == "hyperparameter"] == ["hyperparameter n"]


def test_lines_to_an_expanded_substitution_end_at_its_frame(net: da.SearchSpace) -> None:
    drawing = plan_drawing(net.start().assign("n", 2))
    ends = {edge.cluster: edge.head for edge in drawing.edges if edge.kind == "depends"}
    assert ends == {"repeat": "call repeat[0]/conv2d", "repeat_1": "call repeat_1[0]/conv2d"}


def test_one_that_many_use_has_no_lines_but_a_count(cells: da.SearchSpace) -> None:
    drawing = plan_drawing(cells.start())
    assert not _edges(drawing, "depends")
    assert _box(drawing, "hyperparameter width").detail == "used in 30 places"
    assert MOST_LINES < 30


def test_a_chain_of_dependents_is_drawn_with_each_step() -> None:
    @da.space
    def net(x: Value) -> Value:
        n = da.choice([1, 2])
        m = da.dependent(lambda a: a + 1, n, name="m")
        x = ops.Dense(m)(x)
        return ops.Dense(-(2 * m) + n)(x)

    drawing = plan_drawing(net.start())
    assert _texts(_box(drawing, "hyperparameter m").rows) == [("dependent", "m = f(choice)")]
    assert _texts(_box(drawing, "call dense_1").rows) == [("dependent", "units = −(2 · m) + choice")]
    assert ("hyperparameter choice", "hyperparameter m") in _edges(drawing, "depends")
    assert {tail for tail, head in _edges(drawing, "depends") if head == "call dense_1"} == {
        "hyperparameter m",
        "hyperparameter choice",
    }


def test_a_limited_space_shows_the_domain_that_is_left() -> None:
    @da.rule
    def expr() -> da.Module:
        return da.or_({"leaf": ops.ReLU, "pair": lambda: da.sequential(expr, expr)})

    @da.space
    def net(x: Value) -> Value:
        result: Value = expr()(x)
        return result

    drawing = plan_drawing(net.limit(1).start())
    assert [row.text for box in drawing.boxes for row in box.rows] == ["which ∈ leaf: ReLU"]


# --- substitutions -------------------------------------------------------------------------------------------------


def test_substitutions_and_modules_are_different_kinds(net: da.SearchSpace) -> None:
    kinds = {box.key: box.kind for box in plan_drawing(net.start()).boxes if box.key.startswith("call")}
    assert kinds == {
        "call conv2d": "module",
        "call optional": "substitution",
        "call repeat": "substitution",
        "call repeat_1": "substitution",
        "call concatenate": "module",
    }


def test_an_expanded_group_is_a_cluster_with_what_decided_it(net: da.SearchSpace) -> None:
    drawing = plan_drawing(net.start().assign("n", 2))
    titles = {cluster.key: [(h.name, _texts(h.rows)) for h in cluster.headings] for cluster in drawing.clusters}
    assert titles == {
        "repeat": [("repeat", [("assigned", "times = n = 2")])],
        "repeat_1": [("repeat", [("dependent", "times = 2 · n = 4")])],
    }
    assert _box(drawing, "call repeat_1[3]/conv2d").cluster == "repeat_1"
    assert _box(drawing, "call repeat_1[3]/conv2d").caption == "[3]/conv2d"


def test_a_group_with_one_module_is_a_line_on_top_of_it(net: da.SearchSpace) -> None:
    drawing = plan_drawing(net.start().assign("optional.use", True))
    dropout = _box(drawing, "call optional/dropout")
    assert [(h.name, _texts(h.rows)) for h in dropout.headings] == [("optional", [("assigned", "use = True")])]
    assert not drawing.clusters


def test_a_group_that_left_nothing_is_marked_where_it_stood(net: da.SearchSpace) -> None:
    drawing = plan_drawing(net.start().assign("optional.use", False))
    mark = _box(drawing, "empty optional")
    assert mark.kind == "empty"
    assert [_texts(heading.rows) for heading in mark.headings] == [[("assigned", "use = False")]]
    assert _edges(drawing, "absent") == [("call conv2d", "empty optional")]


def test_groups_that_left_nothing_at_one_place_share_a_mark() -> None:
    @da.space
    def net(x: Value) -> Value:
        x = da.repeat(ops.Tanh, da.choice([0, 1]))(da.optional(ops.ReLU)(x))
        return ops.Dense(1)(x)

    drawing = plan_drawing(net.at({"optional.use": False, "repeat.times": 0}))
    assert [heading.name for heading in _box(drawing, "empty optional").headings] == ["optional", "repeat"]
    assert _edges(drawing, "absent") == [("input x", "empty optional")]


def test_a_mark_stands_right_where_something_was_dropped_before_it() -> None:
    @da.space
    def net(x: Value) -> Value:
        dropped, kept = ops.Dense(1)(x), ops.Dense(2)(x)
        kept = da.optional(ops.ReLU)(kept)
        either: Value = da.or_([lambda a, b: ops.Add()(a, b), lambda a, b: ops.Tanh()(b)])(dropped, kept)
        return either

    drawing = plan_drawing(net.at({"optional.use": False, "or.which": 1}))
    assert [box.key for box in drawing.boxes if box.title == "Dense"] == ["call dense_1"]
    assert _edges(drawing, "absent") == [("call dense_1", "empty optional")]


def test_nested_groups_are_nested_clusters_and_single_ones_are_joined() -> None:
    def block() -> Any:
        return da.sequential(lambda: ops.Dense(da.choice([1, 2])), ops.ReLU)

    @da.space
    def net(x: Value) -> Value:
        return da.repeat(lambda: da.residual(lambda: da.repeat(block, 1)), 2)(x)

    drawing = plan_drawing(net.start())
    inner = next(c for c in drawing.clusters if c.key.startswith("repeat[1]/residual[0]/repeat"))
    assert [heading.name for heading in inner.headings] == ["repeat", "[0]", "sequential"]
    assert (inner.parent, inner.depth) == ("repeat[1]/residual", 2)
    assert [c.key for c in drawing.clusters if c.depth == 0] == ["repeat"]


def test_repeat_and_repeat_1_are_not_taken_for_one_another(net: da.SearchSpace) -> None:
    drawing = plan_drawing(net.start().assign("n", 4))
    assert {box.cluster for box in drawing.boxes if "repeat_1[" in box.key} == {"repeat_1"}


def test_frames_nest_no_deeper_than_a_reader_can_tell(recursive: da.SearchSpace) -> None:
    state = recursive.start()
    while not state.is_specified:
        state = state.assign(state.unassigned[0], "more" if len(state.values) < 20 else "end")
    drawing = plan_drawing(state)
    assert max(cluster.depth for cluster in drawing.clusters) == MOST_NESTED - 1
    shown = [row.address for owner in (*drawing.boxes, *drawing.clusters) for row in _rows(owner)]
    assert sorted(shown) == sorted(state.values)


# --- ports, order, ties, config ------------------------------------------------------------------------------------


def test_ports_are_kinds_of_their_own(ties: da.SearchSpace) -> None:
    ports = [(n.kind, n.title) for n in plan_drawing(ties.start()).boxes if n.kind in ("input", "output")]
    assert ports == [("input", "x"), ("input", "y"), ("output", "sum"), ("output", "difference")]


def test_inputs_are_numbered_where_their_order_matters(ties: da.SearchSpace) -> None:
    drawing = plan_drawing(ties.start())
    assert [e.head_mark for e in drawing.edges if e.head == "call subtract"] == ["0", "1"]
    assert [e.head_mark for e in drawing.edges if e.head == "call add" and e.kind == "data"] == ["", "", ""]
    assert [e.tail_mark for e in drawing.edges if e.tail == "call halves"] == ["1", "0", "0"]


def test_the_calls_of_one_module_are_tied(ties: da.SearchSpace) -> None:
    drawing = plan_drawing(ties.start())
    assert [box.key for box in drawing.boxes if box.tie == 0] == ["call conv2d", "call conv2d@1"]
    assert [e for e in drawing.edges if e.kind == "tied"] == [Edge("call conv2d", "call conv2d@1", "tied", tie=0)]


def test_config_is_a_box_with_a_row_for_each_entry(ties: da.SearchSpace) -> None:
    assert _texts(_box(plan_drawing(ties.start()), "config ").rows) == [
        ("open", "rate ∈ [1e-05, 0.1] log"),
        ("dependent", "batch = 4 · size"),
        ("constant", "rule = 'sgd'"),
    ]


def test_constants_show_where_they_differ_from_the_defaults(net: da.SearchSpace) -> None:
    assert _box(plan_drawing(net.start()), "call conv2d").detail == "3×3"


def test_every_call_and_every_open_hyperparameter_is_shown_once(cells: da.SearchSpace) -> None:
    for state in (cells.start(), cells.sample(seed=0)):
        drawing = plan_drawing(state)
        keys = [box.key for box in drawing.boxes]
        assert len(set(keys)) == len(keys)
        assert {f"call {call.address}" for call in state.graph.calls} <= set(keys)
        shown = {row.address for owner in (*drawing.boxes, *drawing.clusters) for row in _rows(owner)}
        assert {point.address for point in state.unassigned} | set(state.values) == shown


def _rows(owner: Any) -> list[Row]:
    own: tuple[Row, ...] = getattr(owner, "rows", ())
    return [*own, *itertools.chain(*[heading.rows for heading in owner.headings])]


# --- shapes --------------------------------------------------------------------------------------------------------


def test_shapes_are_shown_as_far_as_they_are_known(net: da.SearchSpace) -> None:
    state = net.start().assign("conv2d.filters", 64)
    shapes = {box.key: box.shapes for box in plan_drawing(state, IMAGE).boxes if box.shapes}
    assert shapes == {"input x": "3×32×32", "call conv2d": "64×32×32"}
    assert _box(plan_drawing(net.sample(seed=0), IMAGE), "output output").shapes


def test_a_module_that_its_inputs_do_not_fit_is_marked() -> None:
    @da.space
    def net(x: Value) -> Value:
        return ops.ReLU()(ops.Conv2D(4, 3)(x))

    drawing = plan_drawing(net.start(), da.vector(3))
    assert [box.key for box in drawing.boxes if box.misfit] == ["call conv2d"]
    assert _box(drawing, "call relu").shapes == ""


def test_specs_that_are_missing_are_an_error(ties: da.SearchSpace) -> None:
    with pytest.raises(BadArgument, match="x, y"):
        plan_drawing(ties.start(), {"x": IMAGE})

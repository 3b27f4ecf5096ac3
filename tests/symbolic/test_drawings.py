"""Drawings and summaries of programs of recorded calls, and what differs between two."""

from __future__ import annotations

import functools
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, NotSpecified
from deep_arch.language.values import Value
from deep_arch.symbolic import changes, copies, symbolize
from deep_arch.visualization import render_changes, render_steps
from deep_arch.visualization.plan.drawing import Box, Drawing
from deep_arch.visualization.plan.lists import MOST_ABREAST
from deep_arch.visualization.plan.planning import plan_drawing


class _Object:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs


def _symbol(name: str) -> Any:
    return symbolize(type(name, (_Object,), {}))


Conv, MaxPool, Identity, Trainer, Model, Adam, RMSProp = map(
    _symbol, ["Conv", "MaxPool", "Identity", "Trainer", "Model", "Adam", "RMSProp"]
)


def _trainer() -> Any:
    op = da.choice([Identity(), MaxPool((3, 3)), Conv(filters=da.choice([4, 8]), kernel=(3, 3))])
    optimizer = da.choice({"adam": Adam(lr=2e-2), "rms": RMSProp(lr=da.choice([1e-6, 1e-3]))})
    return Trainer(model=Model(op=op, repeats=3), optimizer=optimizer)


def _box(drawing: Drawing, title: str) -> Box:
    found = [box for box in drawing.boxes if box.title == title]
    assert len(found) == 1, [box.title for box in drawing.boxes]
    return found[0]


def _texts(drawing: Drawing) -> list[str]:
    headings = [h for box in drawing.boxes for h in box.headings] + [h for c in drawing.clusters for h in c.headings]
    rows = [row for box in drawing.boxes for row in box.rows] + [row for h in headings for row in h.rows]
    return [row.text for row in rows]


def _labels(drawing: Drawing) -> list[str]:
    return [edge.label for edge in drawing.edges if edge.label]


# --- choices ---------------------------------------------------------------------------------------------------------


def test_an_open_choice_shows_its_candidates_by_their_names() -> None:
    drawing = plan_drawing(da.space(_trainer()).start())
    assert _texts(drawing) == ["op ∈ Identity | MaxPool | Conv", "optimizer ∈ adam: Adam | rms: RMSProp"]
    assert [box.title for box in drawing.boxes if box.kind == "substitution"] == ["choice", "choice"]


def test_an_assigned_choice_shows_the_name_of_the_candidate_beside_the_position() -> None:
    state = da.space(_trainer()).start().assign("model.op", 2).assign("optimizer", "adam")
    conv, adam = _box(plan_drawing(state), "Conv"), _box(plan_drawing(state), "Adam")
    assert [(h.name, [row.text for row in h.rows]) for h in conv.headings] == [("choice", ["op = 2 (Conv)"])]
    assert [row.text for row in conv.rows] == ["filters ∈ {4, 8}"]
    assert adam.headings[0].rows[0].text == "optimizer = 'adam' (Adam)"


def test_a_closed_choice_that_decides_elsewhere_is_called_which() -> None:
    which = da.choice([0, 1], name="which")
    program = Model(a=da.choice([Identity(), Conv()], which=which), b=da.choice([Conv(), Identity()], which=which))
    texts = _texts(plan_drawing(da.space(program).at({"which": 1})))
    assert texts == ["which = 1", "which = 1 (Conv)", "which = 1 (Identity)"]


@pytest.mark.parametrize(
    ("fns", "text"),
    [
        ([ops.ReLU, ops.Tanh], "which ∈ ReLU | Tanh"),
        ({"relu": ops.ReLU, "Tanh": ops.Tanh}, "which ∈ relu: ReLU | Tanh"),
        ([lambda: ops.ReLU(), lambda: ops.Tanh()], "which ∈ {0, 1}"),
        ([lambda: ops.ReLU(), ops.Tanh], "which ∈ 0 | 1: Tanh"),
        ([functools.partial(ops.Dense, 8), ops.Tanh], "which ∈ Dense | Tanh"),
    ],
)
def test_functions_of_networks_show_the_names_that_they_have(fns: Any, text: str) -> None:
    assert _texts(plan_drawing(da.space(lambda x: da.or_(fns)(x)).start())) == [text]


@pytest.mark.parametrize(
    ("candidate", "name"),
    [
        (3, "3"),
        (None, "None"),
        ([Conv(), 1], "list of Conv, 1"),
        ([Conv(), Conv(), Conv(), Conv()], "list of Conv, Conv, Conv, …"),
        (da.choice([Conv(), MaxPool()]), "choice"),
        (da.choice([1, 2], name="n"), "n"),
        (tuple(range(30)), "(0, 1, 2, 3, 4, 5, 6, 7, 8,…"),
    ],
)
def test_candidates_that_are_no_calls_have_names_too(candidate: Any, name: str) -> None:
    drawing = plan_drawing(da.space(Model(op=da.choice([Identity(), candidate]))).start())
    assert _texts(drawing) == [f"op ∈ Identity | {name}"]


def test_many_candidates_are_told_by_their_number() -> None:
    drawing = plan_drawing(da.space(Model(op=da.choice([Identity()] * 20))).start())
    assert _texts(drawing)[0].endswith(" | … 20 in all")


def test_a_limit_leaves_the_candidates_out_that_it_forbids() -> None:
    @da.rule
    def expr() -> Any:
        return da.choice([Identity(), Conv(l=expr(), r=expr())])

    space = da.space(Trainer(net=expr()))
    assert _texts(plan_drawing(space.start())) == ["net ∈ Identity | Conv"]
    assert _texts(plan_drawing(space.limit(1).start())) == ["net ∈ Identity"]


# --- lists -----------------------------------------------------------------------------------------------------------


def _several() -> Any:
    parts = [Identity(), MaxPool(2), Conv(filters=da.choice([4, 8]))]
    return Model(two=da.subset(parts, 2), order=da.permutation(parts))


def test_subsets_and_permutations_show_names_open_and_assigned() -> None:
    space = da.space(_several())
    opened = ["two ∈ 2 of Identity | MaxPool | Conv", "order ∈ orders of Identity | MaxPool | Conv"]
    assert _texts(plan_drawing(space.start())) == opened
    state = space.start().assign("two", (0, 2)).assign("order", (1, 0, 2))
    drawing = plan_drawing(state)
    headings = [(h.name, h.rows[0].text) for cluster in drawing.clusters for h in cluster.headings]
    assert headings == [
        ("subset", "two = (0, 2) (Identity, Conv)"),
        ("permutation", "order = (1, 0, 2) (MaxPool, Identity, Conv)"),
    ]


def test_a_list_stands_with_its_items_in_one_frame_and_has_the_path_of_the_argument() -> None:
    drawing = plan_drawing(da.space(_several()).sample(seed=0))
    lists = [box for box in drawing.boxes if box.title == "list"]
    assert [box.caption for box in lists] == ["two", "order"]
    for box in lists:
        items = [edge.tail for edge in drawing.edges if edge.head == box.key and edge.kind == "data"]
        assert {b.cluster for b in drawing.boxes if b.key in items} == {box.cluster} != {""}
    assert not any("[]" in box.caption or box.caption.endswith("[") for box in drawing.boxes)


def test_copies_are_numbered_and_tell_how_many() -> None:
    n = da.choice([2, 3], name="n")
    space = da.space(Model(layers=copies(lambda: Conv(op=Identity(), filters=da.choice([4, 8])), n), n=n))
    assert "times = n" in _texts(plan_drawing(space.start()))
    drawing = plan_drawing(space.start().assign("n", 2))
    assert [[h.name for h in cluster.headings] for cluster in drawing.clusters] == [["copies"], ["copy 0"], ["copy 1"]]
    assert [b.caption for b in drawing.boxes if b.title == "Conv"] == ["layers[0]", "layers[1]"]


@pytest.mark.parametrize("n", [MOST_ABREAST, MOST_ABREAST + 1, 30])
def test_the_items_of_a_long_list_stand_in_a_frame_with_one_line_from_it(n: int) -> None:
    program = Model(layers=[da.choice([Identity(), Conv()]) for _ in range(n)])
    drawing = plan_drawing(da.space(program).start())
    lines = [edge for edge in drawing.edges if edge.head == _box(drawing, "Model").key]
    if n <= MOST_ABREAST:
        assert [line.label for line in lines] == [f"layers[{i}]" for i in range(n)]
        assert not drawing.clusters
        return
    (frame,), (line,) = drawing.clusters, lines
    assert (line.label, line.tail_cluster, frame.headings[0].name) == ("layers", frame.key, f"layers: {n} items")
    assert len([box for box in drawing.boxes if box.cluster == frame.key]) == n
    assert f"ltail=cluster_{drawing.clusters.index(frame)}" in da.space(program).render()


def test_an_item_that_takes_something_or_stands_elsewhere_too_keeps_its_own_line() -> None:
    shared = Identity()
    layers = [Conv(op=MaxPool()), shared, *[Identity() for _ in range(MOST_ABREAST + 1)]]
    drawing = plan_drawing(da.space(Model(layers=layers, last=shared)).start())
    assert _labels(drawing) == ["op", "layers[0]", "layers[1]", "last", "layers"]


# --- calls -----------------------------------------------------------------------------------------------------------


def test_parts_are_told_by_the_argument_on_their_line_and_not_in_the_box() -> None:
    drawing = plan_drawing(da.space(Model(MaxPool(2), op=[Conv(), {"a": Identity()}], n=3)).start())
    assert sorted(_labels(drawing)) == ["[0]", "op[0]", "op[1].a"]
    assert (_box(drawing, "Model").detail, _box(drawing, "MaxPool").detail) == ("n=3", "2")
    assert 'label=" op[1].a"' in da.space(Model(MaxPool(2), op=[Conv(), {"a": Identity()}])).render()


def test_plain_arguments_are_shown_whole_and_long_ones_shortened() -> None:
    drawing = plan_drawing(da.space(Model(a=[1, 2], b={"c": {"d": 1}}, z=list(range(100)), act=max, cls=Conv)).start())
    detail = "a=[1, 2], b={'c': {'d': 1}}, z=[0, 1, 2, 3, 4, 5, 6, 7, 8,…, act=max, cls=Conv"
    assert _box(drawing, "Model").detail == detail


def test_of_many_constants_beside_something_open_the_first_are_shown() -> None:
    drawing = plan_drawing(da.space(Model(z=[*range(50), da.choice([1, 2])], y=5)).start())
    detail = _box(drawing, "Model").detail
    assert detail.startswith("z[0]=0, z[1]=1, ")
    assert detail.endswith(", … 39 more")
    assert [row.text for row in _box(drawing, "Model").rows] == ["z[50] ∈ {1, 2}"]


def test_partials_and_containers_are_told_from_calls() -> None:
    drawing = plan_drawing(da.space([Adam.partial(lr=1), da.choice([1, 2])]).start())
    assert [box.title for box in drawing.boxes] == ["Adam.partial", "list", "output"]
    assert [row.text for row in _box(drawing, "list").rows] == ["[1] ∈ {1, 2}"]


def test_choices_inside_candidates_stand_inside_their_frames() -> None:
    inner = da.choice([Conv(op=Identity()), MaxPool()])
    space = da.space(Model(op=da.choice([Conv(x=inner), Identity()])))
    drawing = plan_drawing(space.at({"op": 0, "op[0].x": 0}))
    outer, nested = drawing.clusters
    assert (nested.parent, nested.headings[0].rows[0].text) == (outer.key, "x = 0 (Conv)")


def test_deep_and_wide_programs_are_drawn() -> None:
    program = Conv(f=1)
    for _ in range(900):
        program = Conv(x=program)
    assert len(plan_drawing(da.space(program).start()).boxes) == 902
    wide = plan_drawing(da.space([Conv(f=da.choice([1, 2])) for _ in range(2000)]).start())
    assert len(wide.clusters) == 1


# --- networks in programs --------------------------------------------------------------------------------------------


def _with_network() -> da.SearchSpace:
    width = da.choice([8, 16], name="width")

    @da.space
    def net(x: Value) -> Value:
        result: Value = ops.Dense(units=da.choice([4, 8]))(ops.Dense(width)(x))
        return result

    return da.space(Trainer(model=net, epochs=width))


def test_a_network_is_a_frame_with_its_name_and_ports() -> None:
    drawing = plan_drawing(_with_network().start())
    (frame,) = drawing.clusters
    assert [h.name for h in frame.headings] == ["net"]
    ports = [(box.kind, box.title) for box in drawing.boxes if box.cluster == frame.key and box.kind != "module"]
    assert ports == [("input", "x"), ("output", "Architecture")]
    assert _labels(drawing) == ["model"]


# --- summaries -------------------------------------------------------------------------------------------------------


def _cells(table: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in table.splitlines()]
    return [row for row in rows if row and not row[0].startswith("─")]


def test_the_summary_of_a_space_names_the_candidates() -> None:
    pytest.importorskip("rich")
    table = _cells(da.space(_trainer()).summary())
    assert ["model.op", "Identity | MaxPool | Conv", "3"] in table
    assert ["optimizer", "adam: Adam | rms: RMSProp", "2"] in table
    assert table[-1][0].startswith("12 architectures")
    several = _cells(da.space(_several()).summary())
    assert ["two", "2 of Identity | MaxPool | Conv", "3"] in several


def test_the_summary_of_an_architecture_lists_calls_and_needs_no_inputs() -> None:
    pytest.importorskip("rich")
    values = {"model.op": 2, "model.op[2].filters": 8, "optimizer": "adam"}
    architecture = da.space(_trainer()).at(values)
    assert _cells(architecture.summary()) == [
        ["trainer"],
        ["path", "class", "arguments"],
        ["model.op[2]", "Conv", "filters=8, kernel=(3, 3)"],
        ["model", "Model", "op=model.op[2], repeats=3"],
        ["optimizer[adam]", "Adam", "lr=0.02"],
        ["trainer", "Trainer", "model=model, optimizer=optimizer[adam]"],
    ]
    assert architecture.summary({}) == architecture.summary()


def test_the_summary_of_a_partial_architecture_names_what_is_open() -> None:
    pytest.importorskip("rich")
    table = _cells(da.space(_trainer()).start().assign("model.op", 2).summary())
    assert ["model.op[2]", "Conv", "filters=<one of (4, 8)>, kernel=(3, 3)"] in table
    assert ["optimizer", "choice", "<adam: Adam | rms: RMSProp>"] in table
    assert ["optimizer: adam: Adam | rms: RMSProp"] in table


def test_the_summary_tells_lists_and_networks() -> None:
    pytest.importorskip("rich")
    table = _cells(da.space(_several()).at({"two": (0, 1), "order": (0, 1, 2), "order[2][2].filters": 4}).summary())
    assert ["two", "list", "two[0][0], two[1][1]"] in table
    table = _cells(da.space([Identity(), da.choice([1, 2], name="n")]).at({"n": 1}).summary())
    assert ["(all)", "list", "[0]=[0], 1"] in table
    table = _cells(_with_network().sample(seed=0).summary())
    assert ["model/x", "input"] in table
    assert table[-1][-1].startswith("model=model/architecture, epochs=")


# --- what differs ----------------------------------------------------------------------------------------------------


def test_changes_are_a_table_of_paths() -> None:
    one = Trainer(model=Model(op=Identity(), n=3), lr=1)
    other = Trainer(model=Model(op=Conv(f=4), n=5), lr=1)
    assert changes(one, other).splitlines() == [
        "path      before      after",
        "model.op  Identity()  Conv(f=4)",
        "model.n   3           5",
    ]
    assert changes(one, one) == "nothing differs"
    shared = Conv(1)
    assert changes(Model(a=shared, b=shared), Model(a=Conv(1), b=Conv(1))) == (
        "nothing differs at any place, but not the same places hold one and the same part"
    )
    assert changes(Model(a=shared, b=shared), Model(a=Conv(2), b=Conv(1))).splitlines()[1:] == ["a[0]  1       2"]
    rows = changes({"a": 1, "b": Conv()}, {"b": Conv(), "c": 2}).splitlines()[1:]
    assert rows == ["c     –       2", "a     1       –"]
    assert changes(Conv(1), MaxPool(1)).splitlines()[1].split() == ["program", "Conv(1)", "MaxPool(1)"]


def test_changes_take_architectures_and_shorten_what_is_long() -> None:
    space = da.space(Model(op=da.choice([Identity(), Conv(f=1)]), long="x" * 100))
    one, other = space.at({"op": 0}), space.at({"op": 1})
    assert changes(one, other).splitlines()[1:] == ["op    Identity()  Conv(f=1)"]
    assert changes(Model(a="x" * 100), Model(a=1)).splitlines()[1] == f"a     '{'x' * 58}…  1"
    with pytest.raises(NotSpecified, match="a partial architecture has no object"):
        changes(space.start(), other)


def _compared(one: Any, other: Any) -> Drawing:
    from deep_arch.visualization.plan.changes import find_changes

    return plan_drawing(da.space(other).start(), changes=find_changes(one, other))


def test_a_picture_of_changes_tells_arguments_old_and_new() -> None:
    drawing = _compared(Trainer(model=Model(n=3, m=1), lr=2), Trainer(model=Model(n=5, m=1), lr=2))
    model = _box(drawing, "Model")
    assert (model.detail, [(row.kind, row.text) for row in model.rows]) == ("m=1", [("changed", "n: 3 → 5")])
    assert drawing.state == "1 change"
    assert [box.title for box in drawing.boxes if box.change or box.rows] == ["Model"]


def test_a_picture_of_changes_marks_added_parts_with_all_in_them() -> None:
    drawing = _compared(Model(a=Identity(), b=None), Model(a=Conv(x=MaxPool(), f=3), b=None))
    assert {box.title: box.change for box in drawing.boxes if box.change} == {
        "Conv": "was Identity()",
        "MaxPool": "added",
    }
    drawing = _compared({"a": Identity()}, {"a": Identity(), "b": Conv()})
    assert {box.title: box.change for box in drawing.boxes if box.change} == {"Conv": "added"}


def test_a_picture_of_changes_tells_what_is_gone_and_which_items_are_new() -> None:
    drawing = _compared({"a": Identity(), "b": Conv(1)}, {"a": Identity()})
    assert [row.text for row in _box(drawing, "dict").rows] == ["b: Conv(1) → nothing"]
    drawing = _compared(Model(layers=[Conv(1), MaxPool()]), Model(layers=[Conv(1), Identity(), MaxPool()]))
    assert [row.text for row in _box(drawing, "Model").rows] == ["layers: 2 items → 3 items"]
    assert [box.title for box in drawing.boxes if box.change] == ["Identity"]


def test_a_picture_of_changes_shows_a_part_in_several_places_once() -> None:
    before, after = Conv(n=1), Conv(n=2)
    drawing = _compared(Model(a=before, b=before), Model(a=after, b=after))
    assert [(box.title, box.rows[0].text) for box in drawing.boxes if box.rows] == [("Conv", "n: 1 → 2")]


def test_a_picture_of_changes_reads_what_was_open_by_domain_and_candidates() -> None:
    drawing = _compared(_trainer(), da.rebind(_trainer(), {"model.op": Conv(f=1), "optimizer": Adam(lr=1)}))
    assert _box(drawing, "Conv").change == "was Identity | MaxPool | Conv"
    drawing = _compared(Conv(f=da.choice([4, 8])), Conv(f=4))
    assert [row.text for row in _box(drawing, "Conv").rows] == ["f: {4, 8} → 4"]


def test_changes_are_rendered_of_programs_and_architectures(tmp_path: Any) -> None:
    pytest.importorskip("graphviz")
    space = da.space(Model(op=da.choice([Identity(), Conv(f=1)])))
    text = render_changes(Model(op=Identity()), space.at({"op": 1}), tmp_path / "changes.dot")
    assert (tmp_path / "changes.dot").read_text(encoding="utf-8") == text
    assert "≠ was Identity()" in text
    assert "added, or in place of another" in text
    with pytest.raises(BadArgument, match="render: has no option 'legends'"):
        render_changes(Conv(), Conv(), legends=False)


def test_the_legend_tells_only_what_is_there() -> None:
    pytest.importorskip("graphviz")
    text = da.space([da.choice([Identity(), Conv()]) for _ in range(MOST_ABREAST + 1)]).render()
    assert "argument that it gives" not in text
    assert ">expanded" not in text
    assert "argument that it gives" in da.space(_trainer()).render()
    assert ">expanded" in da.space(_several()).sample(seed=0).render()


def test_every_step_of_a_program_is_drawn(tmp_path: Any) -> None:
    pytest.importorskip("graphviz")
    paths = render_steps(da.space(_trainer()), tmp_path, format="dot", seed=0)
    assert len(paths) == 1 + len(da.space(_trainer()).sample(seed=0).values)
    assert "op ∈ Identity | MaxPool | Conv" in paths[0].read_text(encoding="utf-8")

"""Settling: what formulas and selections of a graph become when shapes are known."""

from __future__ import annotations

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import NotSpecified, ShapeMismatch
from deep_arch.language.values import Value
from deep_arch.measures.settling import settle, settled

IMAGE = da.image(channels=3, height=8, width=8)


def block(x: Value) -> Value:
    width = da.choice([4, 8], name="width")
    x = da.residual(lambda: ops.Conv2D(width, 3), project=lambda: ops.Conv2D(width, 1))(x)
    return ops.Multiply()(x, ops.Conv2D(da.channels(x) // da.choice([1, 2], name="ratio"), 1)(x))


net = da.space(lambda x: da.repeat(block, 2)(x))
VALUES = {f"repeat[{i}]/{name}": value for i in range(2) for name, value in (("width", 4), ("ratio", 1))}


def test_a_graph_that_no_shape_decides_is_returned_as_it_is() -> None:
    graph = da.space(lambda x: ops.Conv2D(da.choice([4, 8]), 3)(x)).sample(0).graph
    assert settled(graph, [IMAGE]) is graph
    again = settled(net.at(VALUES).graph, [IMAGE])
    assert settled(again, [IMAGE]) is again


def test_a_settled_graph_is_one_of_its_own() -> None:
    graph = net.at(VALUES).settled(IMAGE)
    addresses = [call.address for call in graph.calls]
    assert addresses == [
        *[f"repeat[0]/{part}" for part in ("residual[0]/conv2d", "residual[1]/conv2d", "residual/add")],
        *["repeat[0]/conv2d", "repeat[0]/multiply", "repeat[1]/residual[0]/conv2d", "repeat[1]/residual/add"],
        *["repeat[1]/conv2d", "repeat[1]/multiply"],
    ]
    assert ("repeat[0]/multiply", "repeat[1]/residual/add") in graph.edges, "the shortcut, which is not projected"
    assert [i for call in graph.calls for i in call.outputs] == list(range(1, graph.n_values))
    assert all(max(call.inputs) < call.outputs[0] for call in graph.calls)
    assert graph.outputs == (9,) and graph.output_names == ("output",)


def test_a_substitution_of_which_nothing_is_left_is_no_group() -> None:
    @da.space
    def unused(x: Value) -> Value:
        x = da.optional(lambda: da.sequential(ops.ReLU), use=da.channels(x) - 3)(x)
        return da.sequential(ops.Tanh)(x)

    architecture = unused.sample(0)
    assert [g.address for g in architecture.graph.groups] == ["optional", "optional/sequential", "sequential"]
    assert [g.address for g in architecture.settled(IMAGE).groups] == ["sequential"]


def test_summaries_show_formulas_until_shapes_are_known() -> None:
    text = net.at({**VALUES, "repeat[0]/ratio": 2}).summary()
    assert "Conv2D(filters=channels(residual/add) // 2, kernel_size=1)" in text
    assert "Select(which=shape(x) ≠ shape(residual[0]/conv2d), options=(False, True))" in text
    assert "channels(residual/add) // ratio" in net.start().summary()
    known = net.at(VALUES).summary(IMAGE)
    assert "Conv2D(filters=4, kernel_size=1)" in known and "Select" not in known and "channels" not in known


def test_a_summary_ends_where_a_shape_does_not_fit() -> None:
    lines = net.at({**VALUES, "repeat[0]/ratio": 2}).summary(IMAGE).splitlines()
    rows = [line.split()[0] for line in lines if line.startswith("  repeat")]
    assert rows[-1] == "repeat[0]/multiply" and rows[0] == "repeat[0]/residual[0]/conv2d" and len(rows) == 5
    assert any("does not fit" in line for line in lines)
    with pytest.raises(ShapeMismatch, match=r"repeat\[0\]/multiply"):
        net.at({**VALUES, "repeat[0]/ratio": 2}).cost(IMAGE)


def test_a_partial_graph_settles_up_to_what_is_open() -> None:
    partial = net.start().assign("repeat[0]/width", 4)
    found = settle(partial.graph, [IMAGE])
    assert found.failed is not None and found.failed.address == "repeat[0]/conv2d"
    assert [call.address for call in found.graph.calls][-1] == "repeat[0]/residual/add"
    with pytest.raises(NotSpecified, match=r"repeat\[0\]/ratio"):
        partial.shapes(IMAGE)


def test_networkx_has_formulas_as_text() -> None:
    nodes = net.at(VALUES).to_networkx().nodes
    assert nodes["repeat[0]/conv2d"]["arguments"]["filters"] == "channels(residual/add) // 1"


def test_long_networks_settle_without_recursion() -> None:
    deep = da.space(lambda x: da.repeat(lambda: da.residual(ops.ReLU, project=lambda: ops.Conv2D(1, 1)), 2000)(x))
    assert len(deep.sample(0).settled(IMAGE).calls) == 4000


def test_formulas_of_formulas_are_computed_once_each() -> None:
    @da.space
    def doubled(x: Value) -> Value:
        width = da.channels(x)
        for _ in range(60):
            width = width + width
        return ops.Dense(da.dependent(lambda n: n // 2**60, width))(x)

    assert doubled.sample(0).shapes(da.vector(5)) == {"dense": (5,)}

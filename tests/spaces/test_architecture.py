from __future__ import annotations

import dataclasses

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import BadArgument, NotSpecified, NotSupported, ShapeMismatch
from deep_arch.language.values import Value
from deep_arch.testing.readme_space import net

IMAGE = da.image(channels=3, height=32, width=32)
BODY = ["repeat[0]/conv2d.filters", "repeat_1[0]/conv2d.filters", "repeat_1[1]/conv2d.filters"]
SMALL = net.at(
    {"n": 1, "conv2d.filters": 64, "optional.use": True, "optional/dropout.rate": 0.5, **dict.fromkeys(BODY, 64)}
)


def test_graph() -> None:
    graph = SMALL.graph
    assert graph.inputs == ("x",) and graph.output_names == ("output",)
    assert [call.address for call in graph.calls] == [
        "conv2d",
        "optional/dropout",
        "repeat[0]/conv2d",
        "repeat_1[0]/conv2d",
        "repeat_1[1]/conv2d",
        "concatenate",
    ]
    assert ("optional/dropout", "repeat_1[0]/conv2d") in graph.edges and ("concatenate", "output") in graph.edges
    groups = {group.address: group for group in graph.groups}
    assert [(a.name, a.address, a.value) for a in groups["repeat_1"].arguments] == [("times", "repeat_1.times", 2)]
    assert groups["repeat_1"].arguments[0].parents[1].address == "n"
    assert graph.n_values == 7 and len(graph) == 6


def test_shapes_and_cost() -> None:
    shapes = SMALL.shapes(IMAGE)
    assert shapes["concatenate"] == (128, 32, 32)

    def conv(channels: int) -> int:
        return 64 * (channels * 9 + 1)

    cost = SMALL.cost(inputs=IMAGE)
    assert cost.parameters == conv(3) + 3 * conv(64)
    assert cost.macs == 1024 * 64 * 9 * (3 + 3 * 64)
    assert cost.activation_bytes == 4 * 1024 * (64 * 5 + 128)
    assert cost + cost == da.Cost(2 * cost.parameters, 2 * cost.macs, 2 * cost.activation_bytes)


def test_tied_parameters_count_once() -> None:
    @da.space
    def tied(x: Value) -> Value:
        layer = ops.Dense(4)
        return layer(layer(x))

    architecture = tied.sample(0)
    assert architecture.cost(da.vector(4)).parameters == 20 and architecture.cost(da.vector(4)).macs == 32
    with pytest.raises(ShapeMismatch, match=r"dense@1: shares its parameters with dense, which needs 36"):
        architecture.cost(da.vector(8))


def test_a_misfit_names_the_address_the_shapes_and_the_mend() -> None:
    wrong = da.space(lambda x, y: ops.Concatenate(name="join")(ops.Conv2D(8, 3, strides=2)(x), y))
    image = da.image(3, 8, 8)
    with pytest.raises(ShapeMismatch, match=r"^join: [\s\S]*\(8, 4, 4\)[\s\S]*\(3, 8, 8\)"):
        wrong.sample(0).shapes({"x": image, "y": image})
    table = wrong.sample(0).summary({"x": image, "y": image})
    assert "does not fit" in table and "join:" in table.splitlines()[-3] + table
    with pytest.raises(ShapeMismatch, match="does not take 1 inputs"):
        da.space(lambda x: ops.Subtract()(x)).sample(0).shapes(image)
    with pytest.raises(BadArgument, match=r"^conv2d: "):
        da.space(lambda x: ops.Conv2D(-1, 3)(x)).sample(0).shapes(image)


def test_inputs_are_checked() -> None:
    two = da.space(lambda left, right: ops.Add()(left, right)).sample(0)
    vector = da.vector(3)
    assert two.shapes({"left": vector, "right": vector}) == {"add": (3,)}
    with pytest.raises(BadArgument, match=r"'right' is missing"):
        two.shapes({"left": vector})
    with pytest.raises(BadArgument, match=r"'rihgt' is no input of the space[\s\S]*'right'"):
        two.shapes({"left": vector, "right": vector, "rihgt": vector})
    with pytest.raises(BadArgument, match="one spec, or a mapping"):
        two.shapes(vector)


def test_partial_and_wrapped_ones_have_no_shapes() -> None:
    with pytest.raises(NotSpecified, match=r"conv2d: has no shape before it is decided[\s\S]*conv2d\.filters"):
        net.start().shapes(IMAGE)
    assert "unassigned:" in net.start().summary(IMAGE)
    wrapped = da.space(lambda x: da.wrap(lambda: abs)(name="absolute")(x)).sample(0)
    with pytest.raises(NotSupported, match=r"absolute: a wrapped callable has no shape rule"):
        wrapped.shapes(da.vector(2))


@dataclasses.dataclass(eq=False)
class Shapeless(da.Operation):
    size: int = 1


def test_an_operation_without_a_shape_rule_says_so() -> None:
    with pytest.raises(NotSupported, match=r"shapeless: an operation needs a shape rule"):
        da.space(lambda x: Shapeless()(x)).sample(0).shapes(da.vector(2))


def test_wrap() -> None:
    def scale(factor: float, shift: float = 0.0) -> object:
        return lambda x: factor * x + shift

    times = da.wrap(scale)
    space = da.space(lambda x: times(da.choice([2.0, 3.0]), shift=1.0)(x))
    assert space.size() == 2
    (call,) = space.at({"scale.factor": 3.0}).graph.calls
    assert call.module.arguments == {"factor": 3.0, "shift": 1.0}
    with pytest.raises(BadArgument, match=r"'factor'"):
        times(facto=2.0)
    with pytest.raises(BadArgument, match="expected a class or function"):
        da.wrap(3)  # type: ignore[arg-type]
    pair = da.wrap(lambda: divmod, outputs=2)
    assert len(da.space(lambda x, y: tuple(pair(name="both")(x, y))).sample(0).graph.outputs) == 2


def test_networkx() -> None:
    networkx = pytest.importorskip("networkx")
    graph = SMALL.to_networkx()
    assert networkx.is_directed_acyclic_graph(graph)
    assert graph.nodes["conv2d"]["operation"] == "Conv2D" and graph.nodes["conv2d"]["arguments"]["filters"] == 64
    assert graph.nodes["x"]["kind"] == "input" and graph.nodes["output"]["kind"] == "output"
    assert sorted(d["position"] for *_, d in graph.in_edges("concatenate", data=True)) == [0, 1]
    twice = da.space(lambda x: ops.Add()(x, x)).sample(0).to_networkx()
    assert twice.number_of_edges("x", "add") == 2
    assert net.start().to_networkx().nodes["repeat"]["kind"] == "open"


def test_summary() -> None:
    table = SMALL.summary(IMAGE)
    assert "Conv2D(filters=64, kernel_size=3)" in table and "(128, 32, 32)" in table
    assert f"{SMALL.cost(IMAGE).parameters:,} parameters" in table
    assert "filters=<one of (64, 128)>" in net.start().summary()


def test_addresses_may_hold_any_character() -> None:
    odd = da.space(lambda x: da.or_({"a@b/c": lambda: da.sequential(ops.Dense, ops.Tanh)})(x))
    with pytest.raises(BadArgument, match="Dense cannot be made without units"):
        odd.sample(0)
    odd = da.space(lambda x: da.or_({"a@b/c": lambda: da.sequential(ops.ReLU, ops.Tanh)})(x))
    assert [c.module_address for c in odd.sample(0).graph.calls] == [
        "or[a@b/c]/sequential[0]/relu",
        "or[a@b/c]/sequential[1]/tanh",
    ]


def test_equality_and_hash() -> None:
    other = da.space(lambda x: x)
    assert other.sample(0) != SMALL and SMALL != 3
    assert len({SMALL, net.at(SMALL.values), net.sample(1)}) == 2

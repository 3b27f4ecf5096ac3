"""Views with the channels last: they change what a model is made of, never what it computes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, fx, nn

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import torch_backend
from deep_arch.backends.torch_backend.context import Emitter
from deep_arch.backends.torch_backend.lowerings import LOWERINGS
from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec

CHANNELS = 4
UNARY = (
    lambda: ops.Dense(CHANNELS),
    ops.LayerNormalization,
    ops.RMSNormalization,
    ops.GELU,
    lambda: ops.LeakyReLU(0.2),
    lambda: ops.Dropout(0.5),
    ops.Softmax,
    lambda: ops.Scale(0.5),
    lambda: ops.MultiHeadAttention(2, 3),
    lambda: ops.LSTM(CHANNELS, return_sequences=True),
    lambda: ops.Conv1D(CHANNELS, 3),
    ops.PositionEmbedding,
)
ANY_RANK = UNARY[:8]
BINARY = (ops.Add, ops.Average, ops.Maximum, ops.Subtract)


def lower(
    op: Operation, root: nn.Module, target: str, specs: list[Spec], graph: fx.Graph, xs: list[fx.Node]
) -> fx.Node:
    node = LOWERINGS[type(op)](op, Emitter(graph, root, target), specs, *xs)
    assert isinstance(node, fx.Node)
    return node


def alone(op: Operation, root: nn.Module, target: str, *xs: Tensor) -> Tensor:
    """Run one operation in a graph of its own, with the submodule that `root` already has."""
    graph = fx.Graph()
    nodes = [graph.placeholder(f"x{i}") for i in range(len(xs))]
    graph.output(lower(op, root, target, [Spec(tuple(x.shape[1:])) for x in xs], graph, nodes))
    result: Tensor = fx.GraphModule(root, graph).eval()(*xs)
    return result


@given(st.data(), st.integers(1, 3))
@settings(deadline=None, database=None, max_examples=100)
def test_operations_in_one_graph_compute_what_each_computes_alone(data: st.DataObject, n_axes: int) -> None:
    spec = Spec((CHANNELS, 5, 3, 2)[: n_axes + 1])
    graph, root = fx.Graph(), nn.Module()
    x = torch.randn(2, *spec.shape)
    nodes, values = [graph.placeholder("x")], [x]
    with torch.no_grad():
        for step in range(data.draw(st.integers(1, 8))):
            make: Any = data.draw(st.sampled_from((*(UNARY if n_axes == 1 else ANY_RANK), *BINARY)))
            op = make()
            taken = data.draw(st.lists(st.integers(0, step), min_size=2, max_size=2))[: 2 if make in BINARY else 1]
            inputs = [nodes[i] for i in taken]
            nodes.append(lower(op, root, f"layer_{step}", [spec] * len(inputs), graph, inputs))
            values.append(alone(op, root, f"layer_{step}", *(values[i] for i in taken)))
        ends = [
            (ops.Concatenate(), nodes[-2:], values[-2:]),
            (ops.Concatenate(axis=1), nodes[-2:], values[-2:]),
            (ops.Slice(1, 3, axis=0), nodes[-1:], values[-1:]),
            (ops.Slice(1, 3, axis=1), nodes[-1:], values[-1:]),
            (
                [ops.GlobalMaxPooling1D, ops.GlobalMaxPooling2D, ops.GlobalMaxPooling3D][n_axes - 1](),
                nodes[-1:],
                values[-1:],
            ),
        ]
        outputs = [lower(op, root, "end", [spec] * len(xs), graph, xs) for op, xs, _ in ends]
        graph.output(tuple(outputs))
        expected = [alone(op, root, "end", *xs) for op, _, xs in ends]
        for got, value in zip(fx.GraphModule(root, graph).eval()(x), expected, strict=True):
            torch.testing.assert_close(got, value)


def block(x: Any) -> Any:
    x = da.residual(lambda: da.sequential(ops.LayerNormalization, lambda: ops.MultiHeadAttention(2, 4)))(x)
    return da.residual(lambda: da.sequential(lambda: ops.Dense(16), ops.GELU, lambda: ops.Dense(8)))(x)


def functions(fn: Any, spec: Spec) -> list[str]:
    """Return the functions that a model calls, in order."""
    model = torch_backend.build(da.space(fn).at({}), spec)
    return [node.target.__name__ for node in model.graph.nodes if node.op == "call_function"]


def test_a_transformer_keeps_the_channels_last() -> None:
    def net(tokens: Any) -> Any:
        return ops.GlobalAveragePooling1D()(da.repeat(lambda: block, 2)(ops.Embedding(9, 8)(tokens)))

    assert functions(net, da.tokens(5, 9)) == ["add", "gelu", "add", "add", "gelu", "add", "mean"]


@pytest.mark.parametrize(("spec", "view"), [(da.sequence(5, 8), "transpose"), (da.image(8, 3, 3), "movedim")], ids=str)
def test_views_that_undo_one_another_are_left_out(spec: Spec, view: str) -> None:
    def net(x: Any) -> Any:
        return da.sequential(ops.LayerNormalization, lambda: ops.Dense(3), ops.Softmax)(x)

    assert functions(net, spec) == [view, "softmax", view]


def test_an_image_that_is_seen_both_ways_keeps_its_layout_for_convolutions() -> None:
    def net(x: Any) -> Any:
        return ops.Conv2D(8, 3)(ops.ReLU()(ops.Conv2D(8, 3)(x)))

    assert functions(net, da.image(8, 4, 4)) == ["relu"]

"""Graphs of networkx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deep_arch.extras import require
from deep_arch.measures.formulas import value_or_formula
from deep_arch.spaces.graph import Graph, GraphCall

if TYPE_CHECKING:
    import networkx


def to_networkx(graph: Graph, name: str) -> networkx.MultiDiGraph[str]:
    """Return the graph of `Architecture.to_networkx`, with the name of its space."""
    require("networkx")
    import networkx

    made: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(name=name)
    for port in graph.inputs:
        made.add_node(port, kind="input")
    for call in graph.calls:
        made.add_node(call.address, **_attributes(call))
    sources = graph.sources
    for call in graph.calls:
        for position, value in enumerate(call.inputs):
            made.add_edge(sources[value], call.address, position=position)
    for port, value in zip(graph.output_names, graph.outputs, strict=True):
        made.add_node(port, kind="output")
        made.add_edge(sources[value], port, position=0)
    return made


def _attributes(call: GraphCall) -> dict[str, Any]:
    given = {argument.name: value_or_formula(argument) for argument in call.arguments if not argument.is_open}
    names = {argument.name for argument in call.arguments}
    constants = {name: value for name, value in call.template.arguments.items() if name not in names}
    return {
        "kind": "open" if call.is_open else "call",
        "operation": type(call.template).__name__,
        "module": call.module_address,
        "arguments": {**constants, **given},
    }

"""From a drawing as plain data to Graphviz's own graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Final

from deep_arch.visualization import palette
from deep_arch.visualization.dot.graphviz_program import graphviz_package
from deep_arch.visualization.dot.labels import box_label, heading_label
from deep_arch.visualization.dot.legend import caption
from deep_arch.visualization.plan.drawing import Box, Cluster, Drawing, Edge, Heading, described

_GRAPH: Final = {
    "fontname": palette.FONT,
    "labelloc": "t",
    "labeljust": "l",
    "nodesep": "0.3",
    "ranksep": "0.35",
    "compound": "true",  # lets a line end at a cluster
    "bgcolor": palette.PAPER,
    "pad": "0.15",
}
_NODE: Final = {"fontname": palette.FONT, "fontsize": "10", "shape": "box", "margin": "0.06,0.03", "height": "0.3"}
_EDGE: Final = {
    "fontname": palette.FONT,
    "fontsize": "8",
    "fontcolor": palette.MUTED,
    "color": palette.WIRE,
    "arrowsize": "0.6",
    "labeldistance": "1.7",
    "labelangle": "-30",  # beside the line rather than on it
}

_BOXES: Final[dict[str, dict[str, str]]] = {
    "input": {"shape": "invhouse", "style": "filled", "margin": "0.1,0.02"},
    "output": {"shape": "house", "style": "filled", "margin": "0.1,0.02"},
    "module": {"style": "filled"},
    "substitution": {"style": "filled,dashed", "peripheries": "2", "penwidth": "1.2"},
    "hyperparameter": {"shape": "ellipse", "style": "filled", "margin": "0.02,0.02"},
    "config": {"shape": "note", "style": "filled"},
    "empty": {"style": "filled,rounded,dashed", "margin": "0.02,0"},
    "bar": {"style": "filled,rounded", "margin": "0.1,0", "height": "0.2"},
    "forked": {"shape": "point", "style": "filled", "width": "0.09"},
    "mixed": {
        "shape": "circle",
        "style": "filled",
        "margin": "0",
        "width": "0.24",
        "height": "0.24",
        "fixedsize": "true",
    },
}
_SIDEWAYS: Final = {"input": {"shape": "cds"}, "output": {"shape": "rarrow"}}
"""Ports that point to the right, where the graph runs from left to right."""

_COLOURS: Final = {
    "input": palette.PORT,
    "output": palette.PORT,
    "module": palette.MODULE,
    "substitution": palette.SUBSTITUTION,
    "config": palette.CONFIG,
    "empty": palette.EMPTY,
    "bar": palette.EMPTY,
    "forked": (palette.FLOW, palette.FLOW),
    "mixed": palette.MIXED,
}
_THINNEST: Final = 0.8
_WIDEST: Final = 4.5
"""Points of a line of weight 0 and 1."""

BACKSLASH: Final = "\N{REVERSE SOLIDUS OPERATOR}"

# Only the data's own lines pull boxes together; the others follow where these lead.
_EDGES: Final[dict[str, dict[str, str]]] = {
    "data": {"weight": "8"},
    "depends": {"style": "dashed", "color": palette.ROWS["dependent"][1], "arrowhead": "open", "weight": "1"},
    "tied": {"style": "dotted", "arrowhead": "none", "constraint": "false", "penwidth": "2"},
    "back": {"style": "dashed", "constraint": "false", "penwidth": "1.4"},
    "beside": {"style": "invis", "weight": "1"},
    "below": {"style": "invis", "weight": "1"},
    "absent": {"style": "dotted", "color": palette.EMPTY[1], "arrowhead": "none", "weight": "0"},
}


def make_digraph(drawing: Drawing, legend: bool, direction: str) -> Any:
    """Return a `graphviz.Digraph` of a drawing.

    Raises:
        MissingDependency: the graphviz package is not installed.
    """
    graphviz = graphviz_package()
    graph_attributes = {**_GRAPH, "rankdir": direction, "label": f"<{caption(drawing, legend)}>"}
    digraph = graphviz.Digraph(drawing.name, graph_attr=graph_attributes, node_attr=_NODE, edge_attr=_EDGE)
    # Addresses hold colons and brackets that DOT and Graphviz's own package read as ports, so boxes are numbered.
    ids = {box.key: f"n{i}" for i, box in enumerate(drawing.boxes)}
    clusters = {cluster.key: f"cluster_{i}" for i, cluster in enumerate(drawing.clusters)}
    shapes = _BOXES if direction == "TB" else {kind: _BOXES[kind] | _SIDEWAYS.get(kind, {}) for kind in _BOXES}
    _Writer(drawing, graphviz.escape, shapes, ids, clusters).write(digraph, "")
    forks = {box.key for box in drawing.boxes if box.kind == "forked"}
    for edge in drawing.edges:
        attributes = _edge_attributes(edge, clusters, graphviz.escape)
        if edge.tail in forks:
            attributes["weight"] = "16"  # so that alternatives begin beside one another
        if edge.head in forks:
            attributes["arrowhead"] = "none"
        digraph.edge(ids[edge.tail], ids[edge.head], **attributes)
    return digraph


class _Writer:
    def __init__(
        self,
        drawing: Drawing,
        escape: Callable[[str], str],
        shapes: dict[str, dict[str, str]],
        ids: dict[str, str],
        clusters: dict[str, str],
    ) -> None:
        self._escape, self._shapes, self._ids, self._names = escape, shapes, ids, clusters
        self._boxes: dict[str, list[Box]] = defaultdict(list)
        self._clusters: dict[str, list[Cluster]] = defaultdict(list)
        self._level: dict[str, list[Edge]] = defaultdict(list)
        places = {box.key: box.cluster for box in drawing.boxes}
        for box in drawing.boxes:
            self._boxes[box.cluster].append(box)
        for edge in drawing.edges:
            if edge.kind in ("absent", "beside") and places[edge.tail] == places[edge.head]:
                self._level[places[edge.tail]].append(edge)
        for cluster in drawing.clusters:
            self._clusters[cluster.parent].append(cluster)

    def write(self, graph: Any, key: str) -> None:
        for box in self._boxes[key]:
            graph.node(self._ids[box.key], label=f"<{_inked(box)}>", **self._box_attributes(box))
        for edge in self._level[key]:
            with graph.subgraph() as line:  # a mark beside what it follows takes no room of the graph's own
                line.attr(rank="same")
                line.node(self._ids[edge.tail])
                line.node(self._ids[edge.head])
        for cluster in self._clusters[key]:
            with graph.subgraph(name=self._names[cluster.key]) as inner:
                inner.attr(label=f"<{heading_label(cluster.headings)}>", **self._cluster_attributes(cluster))
                self.write(inner, cluster.key)

    def _box_attributes(self, box: Box) -> dict[str, str]:
        fill, line = _COLOURS.get(box.kind) or palette.ROWS[box.rows[0].kind]
        attributes = {**self._shapes[box.kind], "fillcolor": fill, "color": line, "class": box.kind}
        if box.change:
            attributes |= {"fillcolor": palette.CHANGED[0], "color": palette.CHANGED[1], "penwidth": "2"}
        if box.tie is not None:
            attributes |= {"color": palette.tie_colour(box.tie), "penwidth": "2"}
        if box.kind == "hyperparameter" and box.rows[0].kind == "open":
            attributes["style"] = "filled,dashed"
        if box.weight == 0:
            attributes |= {"color": palette.FAINT, "style": f"{attributes['style'].removesuffix(',dashed')},dashed"}
        return attributes | {"tooltip": self._tooltip(box.tip, box.headings)}

    def _tooltip(self, tip: str, headings: Iterable[Heading]) -> str:
        text = "\n".join([tip, *[described(row) for heading in headings for row in heading.rows]])
        # How often dot expands the backslashes of a tooltip depends on its version, so another stroke stands for them.
        return self._escape(text.replace("&", "&amp;").replace("\\", BACKSLASH))

    def _cluster_attributes(self, cluster: Cluster) -> dict[str, str]:
        return {
            "style": "filled,rounded",
            "fillcolor": palette.CLUSTERS[cluster.depth % len(palette.CLUSTERS)],
            "color": palette.CLUSTER_LINE,
            "class": "expanded",
            "tooltip": self._tooltip(cluster.tip, cluster.headings),
            "margin": "7",
        }


def _inked(box: Box) -> str:
    """Return the label of a box, in grey where nothing of it reaches the outputs."""
    label = box_label(box)
    return label.replace(palette.INK, palette.FAINT) if box.weight == 0 else label


def _flow(weight: float) -> dict[str, str]:
    """Return how a line looks that carries a part of what reaches the outputs."""
    if weight == 0:
        return {"style": "dashed", "color": palette.FAINT, "penwidth": "0.7", "fontcolor": palette.FAINT}
    width = _THINNEST + (_WIDEST - _THINNEST) * min(weight, 1.0)
    return {"color": palette.FLOW, "penwidth": f"{width:.2f}", "fontcolor": palette.MIXED[1]}


def _edge_attributes(edge: Edge, clusters: dict[str, str], escape: Callable[[str], str]) -> dict[str, str]:
    attributes = {**_EDGES[edge.kind], "class": edge.kind}
    if edge.tie is not None:
        attributes["color"] = palette.tie_colour(edge.tie)
    if edge.weight is not None:
        attributes |= _flow(edge.weight)
    if edge.tail_mark:
        attributes["taillabel"] = edge.tail_mark
    if edge.head_mark:
        attributes["headlabel"] = edge.head_mark
    if edge.label:
        attributes["label"] = escape(f" {edge.label}")
    if edge.tail_cluster:
        attributes["ltail"] = clusters[edge.tail_cluster]
    if edge.cluster:
        attributes["lhead"] = clusters[edge.cluster]
    return attributes

"""Which expanded substitutions become frames around nodes.

A frame around everything that was ever expanded would hide the graph. So a substitution that left no module
becomes a small mark, one with a single module inside becomes a line on top of that module, a frame that holds
nothing but another frame is drawn as one with it, and no more than a few frames lie within one another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from deep_arch.visualization.plan.drawing import Cluster, Heading, Node
from deep_arch.visualization.plan.nesting import enclosing

MOST_NESTED: Final = 6
"""Frames within frames that can still be told apart; a recursive space may nest hundreds."""

_CAPTION_LENGTH: Final = 44
_CUT: Final = "…/"


@dataclass
class _Box:
    headings: tuple[Heading, ...]
    parent: str
    nodes: list[str] = field(default_factory=list[str])
    boxes: list[str] = field(default_factory=list[str])


@dataclass
class Arrangement:
    """Where everything is drawn.

    Attributes:
        nodes: by key, each in its cluster; with the marks for what left no module.
        clusters: outer ones first.
        shown: key of an expanded substitution to the key of the cluster or node that shows it.
    """

    nodes: dict[str, Node]
    clusters: list[Cluster]
    shown: dict[str, str]


def mark_key(key: str) -> str:
    """Return the key of the node that marks an expanded substitution which left no module."""
    return f"empty {key}"


def arrange(headings: Mapping[str, Heading], nodes: Sequence[Node]) -> Arrangement:
    """Decide how substitutions are drawn.

    Args:
        headings: key of each expanded substitution to its heading, outer ones first.
        nodes: in each, `cluster` is the substitution that it stands in, or empty.
    """
    arranger = _Arranger(headings, nodes)
    for key in reversed([*headings]):
        arranger.settle(key)
    arranger.flatten(headings)
    placed = {key: replace(node, caption=_caption(node)) for key, node in arranger.nodes.items()}
    return Arrangement(placed, arranger.clusters(headings), arranger.shown)


class _Arranger:
    def __init__(self, headings: Mapping[str, Heading], nodes: Sequence[Node]) -> None:
        self.boxes = {key: _Box((heading,), enclosing(key, headings)) for key, heading in headings.items()}
        self.boxes[""] = _Box((), "")
        self.nodes = {node.key: node for node in nodes}
        self.shown: dict[str, str] = {}
        for node in nodes:
            place = node.cluster if node.cluster in self.boxes else ""
            self.nodes[node.key] = replace(node, cluster=place)
            self.boxes[place].nodes.append(node.key)

    def settle(self, key: str) -> None:
        """Decide how one substitution is drawn, when all inside it are decided."""
        box = self.boxes[key]
        if not box.nodes and not box.boxes and not box.headings[-1].rows:
            return  # nothing decided it and nothing is left of it, so there is nothing to tell
        if not box.nodes and not box.boxes:
            mark = Node(mark_key(key), "empty", "", tip=f"{key}: left no module", headings=box.headings)
            self._show_as_node(key, mark)
        elif not box.boxes and len(box.nodes) == 1 and self._takes_headings(box.nodes[0]):
            self._show_as_node(key, _headed(self.nodes[box.nodes[0]], box.headings))
        elif not box.nodes and len(box.boxes) == 1:
            self._merge_into(key, box.boxes[0])
        else:
            self.boxes[box.parent].boxes.append(key)
            self.shown[key] = key

    def _takes_headings(self, key: str) -> bool:
        return self.nodes[key].kind in ("module", "substitution", "empty")

    def _show_as_node(self, key: str, node: Node) -> None:
        parent = self.boxes[key].parent
        self.nodes[node.key] = replace(node, cluster=parent)
        self.boxes[parent].nodes.append(node.key)
        self.shown[key] = node.key

    def _merge_into(self, key: str, only: str) -> None:
        box, inner = self.boxes[key], self.boxes[only]
        inner.headings, inner.parent = box.headings + inner.headings, box.parent
        self.boxes[box.parent].boxes.append(only)
        self.shown[key] = only

    def _is_drawn(self, key: str) -> bool:
        return self.shown.get(key) == key

    def flatten(self, keys: Iterable[str]) -> None:
        """Turn the frames nested too deep into lines on top of the first module inside."""
        first = self._first_headed()
        depths = {"": -1}
        flat: dict[str, str] = {}  # to the frame that is left around it
        for key in filter(self._is_drawn, keys):
            parent = self.boxes[key].parent
            self.boxes[key].parent = parent = flat.get(parent, parent)
            depths[key] = depths[parent] + 1
            if depths[key] >= MOST_NESTED and key in first:
                flat[key] = parent
        for key in reversed(flat):
            self.nodes[first[key]] = _headed(self.nodes[first[key]], self.boxes[key].headings)
        self.nodes.update({k: replace(n, cluster=flat[n.cluster]) for k, n in self.nodes.items() if n.cluster in flat})
        self.shown = {key: first[shown] if shown in flat else shown for key, shown in self.shown.items()}

    def _first_headed(self) -> dict[str, str]:
        headed = (node for node in self.nodes.values() if self._takes_headings(node.key))
        return first_inside(headed, {key: box.parent for key, box in self.boxes.items()})

    def clusters(self, keys: Iterable[str]) -> list[Cluster]:
        """Return the frames that are drawn, outer ones first."""
        clusters: dict[str, Cluster] = {}
        for key in filter(self._is_drawn, keys):
            box = self.boxes[key]
            depth = clusters[box.parent].depth + 1 if box.parent else 0
            clusters[key] = Cluster(key, box.headings, key, box.parent, depth)
        return list(clusters.values())


def _headed(node: Node, headings: Iterable[Heading]) -> Node:
    """Return the node with lines on top for what was decided; its address tells of copies and rules."""
    return replace(node, headings=(*[heading for heading in headings if heading.rows], *node.headings))


def first_inside(nodes: Iterable[Node], parents: Mapping[str, str]) -> dict[str, str]:
    """Return the key of the first of `nodes` inside each frame."""
    first: dict[str, str] = {}
    for node in nodes:
        cluster = node.cluster
        while cluster and cluster not in first:
            first[cluster] = node.key
            cluster = parents[cluster]
    return first


def _caption(node: Node) -> str:
    """Return what of a node's address the cluster around it does not tell, and of that no more than fits."""
    rest = node.caption.removeprefix(node.cluster)
    inside = node.cluster and rest[:1] in ("/", "[") and rest != node.caption
    caption = rest.lstrip("/") if inside else node.caption
    while len(caption) > _CAPTION_LENGTH and "/" in caption.removeprefix(_CUT):
        caption = _CUT + caption.removeprefix(_CUT).partition("/")[2]
    return caption

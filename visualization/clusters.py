"""Which expanded substitutions become frames around nodes.

A frame around everything that was ever expanded would hide the graph. So a substitution that left no module
becomes a small mark, a frame that holds nothing but another frame is drawn as one with it, and one copy of a
`repeat` with a single node inside needs no frame of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from deep_arch.visualization.places import enclosing
from deep_arch.visualization.plan import Cluster, Heading, Node


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
        clusters: outer ones first.
        marks: the nodes for what left no module.
        inside: key of a node to the key of the cluster around it, or empty.
        shown: key of an expanded substitution to the cluster or the mark that shows it; without those that nothing shows.
    """

    clusters: list[Cluster]
    marks: list[Node]
    inside: dict[str, str]
    shown: dict[str, str]


def mark_key(key: str) -> str:
    """Return the key of the node that marks an expanded substitution which left no module."""
    return f"empty {key}"


def arrange(headings: Mapping[str, Heading], places: Mapping[str, str]) -> Arrangement:
    """Decide which substitutions are drawn as clusters.

    Args:
        headings: key of each expanded substitution to its heading, outer ones first.
        places: key of each node to the substitution it stands in, or empty.
    """
    boxes = {key: _Box((heading,), enclosing(key, headings)) for key, heading in headings.items()}
    boxes[""] = root = _Box((), "")
    inside = dict(places)
    for node, place in places.items():
        boxes.get(place, root).nodes.append(node)
    shown: dict[str, str] = {}
    marks: list[Node] = []
    for key in reversed(headings):
        _settle(key, boxes, inside, shown, marks)
    return Arrangement(_clusters(headings, boxes, shown), marks[::-1], inside, shown)


def _settle(
    key: str, boxes: dict[str, _Box], inside: dict[str, str], shown: dict[str, str], marks: list[Node]
) -> None:
    """Decide how one substitution is drawn, when all inside it are decided."""
    box = boxes[key]
    around = boxes[box.parent]
    if not box.nodes and not box.boxes:
        mark = Node(mark_key(key), "empty", "", tip=f"{key}: left no module", headings=box.headings)
        marks.append(mark)
        around.nodes.append(mark.key)
        inside[mark.key] = box.parent
        shown[key] = mark.key
    elif not box.nodes and len(box.boxes) == 1:
        only = boxes[box.boxes[0]]
        only.headings = box.headings + only.headings
        only.parent = box.parent
        around.boxes += box.boxes
        shown[key] = box.boxes[0]
    elif not box.boxes and len(box.nodes) == 1 and not any(heading.rows for heading in box.headings):
        around.nodes += box.nodes
        inside[box.nodes[0]] = box.parent
    else:
        around.boxes.append(key)
        shown[key] = key


def _clusters(keys: Iterable[str], boxes: dict[str, _Box], shown: Mapping[str, str]) -> list[Cluster]:
    clusters: dict[str, Cluster] = {}
    for key in keys:
        if shown.get(key) == key:
            parent = boxes[key].parent
            depth = clusters[parent].depth + 1 if parent else 0
            clusters[key] = Cluster(key, boxes[key].headings, key, parent, depth)
    return list(clusters.values())


def relative(address: str, cluster: str) -> str:
    """Return what of an address the cluster around it does not tell."""
    rest = address.removeprefix(cluster)
    return rest.lstrip("/") if rest != address and rest[:1] in ("/", "[") else address

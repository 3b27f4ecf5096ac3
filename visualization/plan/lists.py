"""Long lists of parts of programs, drawn as a frame in which the items stand in rows, with one line from it."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from deep_arch.visualization.plan.drawing import Box, Cluster, Drawing, Edge, Heading

MOST_ABREAST: Final = 6
"""Boxes beside one another that a screen shows with a line from each."""

_ITEM: Final = re.compile(r"(.*)\[\d+\]\Z")


def frame_lists(drawing: Drawing) -> Drawing:
    """Return a drawing in which the items of long lists stand in frames, as far as they take nothing themselves."""
    boxes = {box.key: box for box in drawing.boxes}
    clusters, edges = [*drawing.clusters], dict.fromkeys(drawing.edges)
    for (head, name, place), lines in _lists(drawing, boxes).items():
        edges.update(dict.fromkeys(_rows(lines)))
        if len(lines) <= MOST_ABREAST:
            continue
        frame = _frame(head, name, place, len(lines), clusters)
        clusters.append(frame)
        for line in lines:
            boxes[line.tail] = replace(boxes[line.tail], cluster=frame.key)
            del edges[line]
        edges[_line(lines, frame, name)] = None
    return replace(drawing, boxes=tuple(boxes.values()), clusters=tuple(clusters), edges=tuple(edges))


def _lists(drawing: Drawing, boxes: dict[str, Box]) -> dict[tuple[str, str, str], list[Edge]]:
    """Return the lines from items, by the box that takes them, the argument, and the frame in which they stand."""
    given = Counter(edge.tail for edge in drawing.edges if edge.kind == "data")
    fed = {edge.head for edge in drawing.edges if edge.kind == "data"}
    lists: dict[tuple[str, str, str], list[Edge]] = defaultdict(list)
    for edge in drawing.edges:
        name = _list_name(edge, boxes[edge.head])
        if name is not None and edge.tail not in fed and given[edge.tail] == 1:
            lists[edge.head, name, boxes[edge.tail].cluster].append(edge)
    return lists


def _list_name(edge: Edge, head: Box) -> str | None:
    if edge.kind == "data" and (item := _ITEM.match(edge.label)) is not None:
        return item[1]
    return "" if edge.kind == "data" and head.listed and edge.head_mark else None


def _frame(head: str, name: str, place: str, n: int, clusters: Sequence[Cluster]) -> Cluster:
    depth = next((cluster.depth + 1 for cluster in clusters if cluster.key == place), 0)
    title = f"{name}: {n} items" if name else f"{n} items"
    return Cluster(f"list {name} of {head} in {place}", (Heading(title),), title, place, depth, listed=True)


def _rows(lines: Sequence[Edge]) -> Iterator[Edge]:
    """Yield what keeps items beside and below one another, in their order."""
    for i, (left, right) in enumerate(itertools.pairwise(lines), start=1):
        if i % MOST_ABREAST:
            yield Edge(left.tail, right.tail, "beside")
    for above, below in zip(lines, lines[MOST_ABREAST:], strict=False):
        yield Edge(above.tail, below.tail, "below")


def _line(lines: Sequence[Edge], frame: Cluster, name: str) -> Edge:
    """Return the line from a frame, which begins at the middle of its last row."""
    last = lines[(len(lines) - 1) // MOST_ABREAST * MOST_ABREAST :]
    return Edge(last[len(last) // 2].tail, lines[0].head, "data", label=name, tail_cluster=frame.key)

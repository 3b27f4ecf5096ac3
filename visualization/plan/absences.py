"""The marks of expanded substitutions that left no module, such as an optional that is not used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from deep_arch.spaces.graph import Graph, Group
from deep_arch.visualization.plan.clusters import Arrangement, mark_key
from deep_arch.visualization.plan.nesting import group_key, taken_values


def join_marks(arrangement: Arrangement, graph: Graph) -> dict[str, tuple[int, ...]]:
    """Make one mark of those that follow the same values, and return what each follows: ids of values, by key."""
    follows: dict[str, tuple[int, ...]] = {}
    kept: dict[tuple[str, tuple[int, ...]], str] = {}
    for key, taken in taken_values(graph, _unseen(arrangement, graph)).items():
        mark = arrangement.boxes[mark_key(key)]
        first = kept.setdefault((mark.cluster, taken), mark.key) if taken else mark.key
        follows[first] = taken
        if first != mark.key:
            _join(arrangement, mark.key, first)
    return follows


def _unseen(arrangement: Arrangement, graph: Graph) -> Iterator[Group]:
    return (group for group in graph.groups if mark_key(group_key(group)) in arrangement.boxes)


def _join(arrangement: Arrangement, key: str, into: str) -> None:
    first, other = arrangement.boxes[into], arrangement.boxes.pop(key)
    joined = replace(first, headings=first.headings + other.headings, tip=f"{first.tip}\n{other.tip}")
    arrangement.boxes[into] = joined
    arrangement.shown.update({group: into for group, shown in arrangement.shown.items() if shown == key})

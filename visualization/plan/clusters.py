"""Which expanded substitutions become frames around boxes.

A frame around everything that was ever expanded would hide the graph. So a substitution that left no module
becomes a small mark, one with a single module inside becomes a line on top of that module, a frame that holds
nothing but another frame is drawn as one with it, and no more than a few frames lie within one another.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from deep_arch.visualization.plan.drawing import Box, Cluster, Heading
from deep_arch.visualization.plan.nesting import enclosing

MOST_NESTED: Final = 6
"""Frames within frames that can still be told apart; a recursive space may nest hundreds."""

_CAPTION_LENGTH: Final = 44
_CUT: Final = "…/"


@dataclass
class _Contents:
    headings: tuple[Heading, ...]
    parent: str
    boxes: list[str] = field(default_factory=list[str])
    inner: list[str] = field(default_factory=list[str])


@dataclass
class Arrangement:
    """Where everything is drawn.

    Attributes:
        boxes: by key, each in its cluster; with the marks for what left no module.
        clusters: outer ones first.
        shown: key of an expanded substitution to the key of the cluster or box that shows it.
    """

    boxes: dict[str, Box]
    clusters: list[Cluster]
    shown: dict[str, str]


def mark_key(key: str) -> str:
    """Return the key of the box that marks an expanded substitution which left no module."""
    return f"empty {key}"


def arrange(headings: Mapping[str, Heading], boxes: Sequence[Box], kept: Container[str] = ()) -> Arrangement:
    """Decide how substitutions are drawn.

    Args:
        headings: key of each expanded substitution to its heading, outer ones first.
        boxes: in each, `cluster` is the substitution that it stands in, or empty.
        kept: those that are frames however deep they lie.
    """
    arranger = _Arranger(headings, boxes, kept)
    for key in reversed([*headings]):
        arranger.settle(key)
    arranger.flatten(headings)
    placed = {key: replace(box, caption=_caption(box)) for key, box in arranger.boxes.items()}
    return Arrangement(placed, arranger.clusters(headings), arranger.shown)


class _Arranger:
    def __init__(self, headings: Mapping[str, Heading], boxes: Sequence[Box], kept: Container[str]) -> None:
        self.kept = kept
        self.contents = {key: _Contents((heading,), enclosing(key, headings)) for key, heading in headings.items()}
        self.contents[""] = _Contents((), "")
        self.boxes = {box.key: box for box in boxes}
        self.shown: dict[str, str] = {}
        for box in boxes:
            place = box.cluster if box.cluster in self.contents else ""
            self.boxes[box.key] = replace(box, cluster=place)
            self.contents[place].boxes.append(box.key)

    def settle(self, key: str) -> None:
        """Decide how one substitution is drawn, when all inside it are decided."""
        contents = self.contents[key]
        if not contents.boxes and not contents.inner and not contents.headings[-1].rows:
            return  # nothing decided it and nothing is left of it, so there is nothing to tell
        if not contents.boxes and not contents.inner:
            mark = Box(mark_key(key), "empty", "", tip=f"{key}: left no module", headings=contents.headings)
            self._show_as_box(key, mark)
        elif not contents.inner and len(contents.boxes) == 1 and self._takes_headings(contents.boxes[0]):
            self._show_as_box(key, _headed(self.boxes[contents.boxes[0]], contents.headings))
        elif not contents.boxes and len(contents.inner) == 1:
            self._merge_into(key, contents.inner[0])
        else:
            self.contents[contents.parent].inner.append(key)
            self.shown[key] = key

    def _takes_headings(self, key: str) -> bool:
        return self.boxes[key].kind in ("module", "substitution", "empty")

    def _show_as_box(self, key: str, box: Box) -> None:
        parent = self.contents[key].parent
        self.boxes[box.key] = replace(box, cluster=parent)
        self.contents[parent].boxes.append(box.key)
        self.shown[key] = box.key

    def _merge_into(self, key: str, only: str) -> None:
        contents, inner = self.contents[key], self.contents[only]
        inner.headings, inner.parent = contents.headings + inner.headings, contents.parent
        self.contents[contents.parent].inner.append(only)
        self.shown[key] = only

    def _is_drawn(self, key: str) -> bool:
        return self.shown.get(key) == key

    def flatten(self, keys: Iterable[str]) -> None:
        """Turn the frames nested too deep into lines on top of the first module inside."""
        first = self._first_headed()
        depths = {"": -1}
        flat: dict[str, str] = {}  # to the frame that is left around it
        for key in filter(self._is_drawn, keys):
            parent = self.contents[key].parent
            self.contents[key].parent = parent = flat.get(parent, parent)
            depths[key] = depths[parent] + 1
            if depths[key] >= MOST_NESTED and key in first and key not in self.kept:
                flat[key] = parent
        for key in reversed(flat):
            self.boxes[first[key]] = _headed(self.boxes[first[key]], self.contents[key].headings)
        self.boxes.update({k: replace(n, cluster=flat[n.cluster]) for k, n in self.boxes.items() if n.cluster in flat})
        self.shown = {key: first[shown] if shown in flat else shown for key, shown in self.shown.items()}

    def _first_headed(self) -> dict[str, str]:
        headed = (box for box in self.boxes.values() if self._takes_headings(box.key))
        return first_inside(headed, {key: contents.parent for key, contents in self.contents.items()})

    def clusters(self, keys: Iterable[str]) -> list[Cluster]:
        """Return the frames that are drawn, outer ones first."""
        clusters: dict[str, Cluster] = {}
        for key in filter(self._is_drawn, keys):
            contents = self.contents[key]
            depth = clusters[contents.parent].depth + 1 if contents.parent else 0
            clusters[key] = Cluster(key, contents.headings, key, contents.parent, depth)
        return list(clusters.values())


def _headed(box: Box, headings: Iterable[Heading]) -> Box:
    """Return the box with lines on top for what was decided; its address tells of copies and rules."""
    return replace(box, headings=(*[heading for heading in headings if heading.rows], *box.headings))


def first_inside(boxes: Iterable[Box], parents: Mapping[str, str]) -> dict[str, str]:
    """Return the key of the first of `boxes` inside each frame."""
    first: dict[str, str] = {}
    for box in boxes:
        cluster = box.cluster
        while cluster and cluster not in first:
            first[cluster] = box.key
            cluster = parents[cluster]
    return first


def _caption(box: Box) -> str:
    """Return what of a box's address the cluster around it does not tell, and of that no more than fits."""
    rest = box.caption.removeprefix(box.cluster)
    inside = box.cluster and rest[:1] in ("/", "[") and rest != box.caption
    caption = rest.lstrip("/") if inside else box.caption
    while len(caption) > _CAPTION_LENGTH and "/" in caption.removeprefix(_CUT):
        caption = _CUT + caption.removeprefix(_CUT).partition("/")[2]
    return caption

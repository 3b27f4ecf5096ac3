"""What a drawing shows, before anything is drawn: boxes, edges and clusters as plain data.

`planning` makes it of an architecture, the room `dot` writes it as DOT text. Whatever else draws (a page, a report)
can start from the same data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BoxKind = Literal[
    "input", "output", "module", "substitution", "hyperparameter", "config", "empty", "forked", "mixed", "bar"
]
"""`empty` marks an expanded substitution that left no module, such as an optional that is not used; a relaxed
decision is `forked` into its alternatives, and what they give is `mixed`. A `bar` is where a scan begins or ends."""

RowKind = Literal["open", "assigned", "dependent", "constant", "changed", "relaxed"]
"""`changed` is an argument that was another in the program which a drawing compares with, `relaxed` one that takes
several values at once."""

EdgeKind = Literal["data", "depends", "tied", "absent", "back", "beside", "below"]
"""`depends` leads from a hyperparameter to what uses it, `tied` joins two calls of one module, and `absent` leads
to the mark of a substitution that left no module. `back` leads from where a scan ends a step to where it begins the
next. `beside` and `below` are not seen: they keep the items of a list in rows."""


@dataclass(frozen=True, slots=True)
class Share:
    """One value of a relaxed decision.

    Attributes:
        text: the value; empty where something else says it.
        weight: its weight.
        active: whether it is computed, so that the weight counts.
    """

    text: str
    weight: float
    active: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One hyperparameter, or one constant, as a line of text.

    Attributes:
        address: the hyperparameter's address; empty for a constant.
        shares: the values of a relaxed one.
    """

    kind: RowKind
    text: str
    address: str = ""
    shares: tuple[Share, ...] = ()


def described(row: Row) -> str:
    """Return a row with its address, for a reader who points at it."""
    shares = ", ".join([f"{share.text} {share.weight:.3g}".strip() for share in row.shares])
    text = f"{row.text}: {shares}" if row.text and shares else row.text or shares
    return f"{row.address}: {text}" if row.address else text


@dataclass(frozen=True, slots=True)
class Heading:
    """The name of an expanded substitution, and what decided it."""

    name: str
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Box:
    """One box, port or oval.

    Attributes:
        key: unique among the boxes: the kind of thing and its address.
        title: the operation's name, or the port's.
        headings: the expanded substitutions around this box alone, outer ones first.
        detail: the constant arguments that differ from their defaults.
        caption: the address, as far as the clusters around the box do not tell it.
        tip: everything in full, for a reader who points at the box.
        shapes: the shape of what it gives, where that is known.
        misfit: whether its inputs do not fit it.
        tie: equal for the calls of one module, counted from 0; None for a module that is called once.
        cluster: the key of the innermost cluster around it, or empty.
        listed: whether it makes a list of what it takes.
        weight: how much of what it gives reaches the outputs, where relaxed decisions lie on the way; else None.
        change: what tells it from what stood there in the program which a drawing compares with.
    """

    key: str
    kind: BoxKind
    title: str
    tip: str
    cluster: str = ""
    detail: str = ""
    caption: str = ""
    rows: tuple[Row, ...] = ()
    headings: tuple[Heading, ...] = ()
    shapes: str = ""
    misfit: bool = False
    tie: int | None = None
    change: str = ""
    listed: bool = False
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """A line between two boxes, given by their keys.

    Attributes:
        tail_mark, head_mark: the position among the outputs and inputs, where the order of several matters.
        cluster: the cluster that the line ends at, with `head` as one of the boxes inside; or empty.
        label: the argument that it gives to a recorded call.
        tail_cluster: the cluster that the line begins at, with `tail` as one of the boxes inside; or empty.
        weight: how much of what flows here reaches the outputs, where relaxed decisions lie on the way; else None.
    """

    tail: str
    head: str
    kind: EdgeKind
    tail_mark: str = ""
    head_mark: str = ""
    cluster: str = ""
    tie: int | None = None
    label: str = ""
    tail_cluster: str = ""
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Expanded substitutions drawn as one frame: several where each holds nothing but the next.

    Attributes:
        key: the prefix of the addresses inside, without its last slash.
        parent: the key of the cluster around it, or empty.
        depth: the number of clusters around it.
        listed: whether it stands around the items of a list instead.
    """

    key: str
    headings: tuple[Heading, ...]
    tip: str
    parent: str = ""
    depth: int = 0
    listed: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """A whole drawing. Boxes and clusters stand in the order of the graph, outer clusters first."""

    name: str
    state: str
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    clusters: tuple[Cluster, ...]

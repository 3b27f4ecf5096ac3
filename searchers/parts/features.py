"""Features of architectures, for surrogates: hyperparameters at addresses, and paths and subtrees of the graph.

Features come in blocks, each about one thing, so that a kernel can give each block a length of its own.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from deep_arch.language.canonical import digest
from deep_arch.language.domains import Choice, Domain, Numeric
from deep_arch.measures.fingerprints import Kind, kind_of
from deep_arch.searchers.parts.decisions import decisions
from deep_arch.spaces.architecture import Architecture
from deep_arch.spaces.graph import Graph

Features = dict[tuple[str, str], float]
"""From block and label to a number; what is left out is 0."""

OPTIONS: Final = "options"
NUMBERS: Final = "numbers"
PATHS: Final = "paths"
SUBTREES: Final = "subtrees"

_MOST_LABELS: Final = 64
"""Labels that the options of one hyperparameter have, so that features stay few."""

_MOST_PATHS: Final = 64
"""Paths that are followed to one call. Their number doubles with each branch of a graph; these tell cells apart."""

_LONGEST_PATH: Final = 8
"""Calls that a path remembers, the last ones: longer paths are all different, and say nothing of one another."""


def features(architecture: Architecture, depth: int = 1) -> Features:
    """Return the features of a specified architecture, or of what is decided of a partial one.

    Args:
        depth: of the subtrees; 0 counts calls, 1 also what they are called on, and so on.
    """
    found = hyperparameter_features(architecture)
    if architecture.is_specified:
        vertices = simplified(architecture.graph)
        found.update({(PATHS, path): n for path, n in Counter(paths(vertices)).items()})
        for level, labels in enumerate(subtrees(vertices, depth)):
            found.update({(f"{SUBTREES} {level}", label): n for label, n in Counter(labels).items()})
    return found


def hyperparameter_features(architecture: Architecture) -> Features:
    """Return an indicator for each option, and the place on its scale for each number.

    A number at an address of the outermost function has a block of its own.
    """
    found: Features = {}
    values = architecture.values
    for own, own_domain in architecture.space.decidable(values).items():
        for address, domain, value in decisions(own_domain, own, values[own]):
            if (unit := _unit(domain, value)) is None:
                found[OPTIONS, f"{address}={_label(domain, value)}"] = 1.0
            else:
                found[NUMBERS if "/" in address else f"{NUMBERS} {address}", address] = unit
                found[OPTIONS, address] = 1.0
    return found


def _label(domain: Domain, value: Any) -> Any:
    """Return what tells an option from the others, in every process; of many options, some share one."""
    if not isinstance(domain, Choice):
        return value
    place = domain.position(value) or 0
    if domain.size > _MOST_LABELS:
        return f"{place % _MOST_LABELS} of many"
    # Options that depend on other hyperparameters stand at other positions for other values.
    return repr(value) if type(value) in (bool, int, float, str) else place


def _unit(domain: Domain, value: Any) -> float | None:
    """Return where a number stands from 0 to 1, also one of several that rise; None for what has no order."""
    if isinstance(domain, Numeric):
        return domain.unit(value)
    if isinstance(domain, Choice) and _rises(domain):
        return ((domain.position(value) or 0) + 0.5) / domain.size
    return None


@functools.lru_cache(maxsize=10_000)
def _rises(domain: Choice) -> bool:
    options = domain.options
    numbers = all(type(option) in (int, float) for option in options)
    return numbers and len(options) > 2 and all(a < b for a, b in itertools.pairwise(options))


Vertex = tuple[Kind, tuple[int, ...]]
"""What a call computes, and the positions of the vertices that it is called on."""


def simplified(graph: Graph) -> list[Vertex]:
    """Return what the outputs depend on: without identities, and without what only ever gives zeros."""
    source: list[int | None] = list(range(len(graph.inputs)))
    vertices: list[Vertex] = [(_INPUT, ()) for _ in graph.inputs]
    for call in graph.calls:
        kind = kind_of(call)
        live = tuple([place for place in [source[i] for i in call.inputs] if place is not None])
        if kind.is_zero or (call.inputs and not live):
            place = None
        elif kind.is_identity or (kind.is_sum and len(live) == 1):
            place = live[0]
        else:
            place = len(vertices)
            vertices.append((kind, tuple(sorted(live)) if kind.commutative else live))
        source += [place] * len(call.outputs)
    ends = tuple([place for place in [source[i] for i in graph.outputs] if place is not None])
    return _reachable([*vertices, (_OUTPUT, ends)])


_INPUT: Final = Kind("input", "input")
_OUTPUT: Final = Kind("output", "output")


def _reachable(vertices: list[Vertex]) -> list[Vertex]:
    """Return the vertices that the last one depends on, numbered anew."""
    live = {len(vertices) - 1}
    for i in range(len(vertices) - 1, -1, -1):
        if i in live:
            live.update(vertices[i][1])
    place = {i: n for n, i in enumerate(sorted(live))}
    return [(vertices[i][0], tuple([place[j] for j in vertices[i][1]])) for i in place]


def paths(vertices: list[Vertex]) -> Iterator[str]:
    """Yield what stands on each way from an input to the outputs, sums left out, as in BANANAS (White et al., 2021)."""
    ways: list[list[tuple[str, ...]]] = []
    for kind, inputs in vertices:
        step = () if kind.is_sum or kind is _INPUT or kind is _OUTPUT else (kind.sort,)
        found = [(way + step)[-_LONGEST_PATH:] for i in inputs for way in ways[i]]
        ways.append(found[:_MOST_PATHS] if inputs else [()])
    return map(" ".join, ways[-1]) if vertices[-1][1] else iter(())


def subtrees(vertices: list[Vertex], depth: int) -> Iterator[list[str]]:
    """Yield for each depth from 0 a label for each vertex: itself, and with what it is called on, down to that depth.

    The relabelling of Weisfeiler and Lehman (Shervashidze et al., JMLR 2011), along the edges backwards.
    """
    labels = [kind.sort for kind, _ in vertices]
    yield labels
    for _ in range(depth):
        below = [[labels[i] for i in inputs] for _, inputs in vertices]
        labels = [
            digest(label, *(sorted(inner) if kind.commutative else inner))
            for label, inner, (kind, _) in zip(labels, below, vertices, strict=True)
        ]
        yield labels

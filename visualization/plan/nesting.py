"""Where the calls and the expanded substitutions of a graph stand, as prefixes of addresses.

A call of a module that was made elsewhere has the address of its module, which does not tell where the call
stands, so this reads the frames of the unfolding.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from deep_arch.spaces.graph import Graph, GraphCall, Group


def call_place(call: GraphCall) -> str:
    """Return the key of the expanded substitution in which a call stands, or an empty string."""
    return call.node.frame.prefix.rstrip("/")


def group_key(group: Group) -> str:
    """Return what the addresses inside an expanded substitution begin with, without the last slash."""
    return group.prefix.rstrip("/")


def enclosing(key: str, keys: Container[str]) -> str:
    """Return the longest of `keys` inside which the address or key stands, or an empty string."""
    for end in range(len(key) - 1, 0, -1):
        if (key[end] in "/[." or key[end - 1] == "[") and key[:end] in keys:
            return key[:end]
    return ""


def taken_values(graph: Graph, groups: Iterable[Group]) -> dict[str, tuple[int, ...]]:
    """Return the ids of the values that expanded substitutions were called on, by key, as far as the graph has them."""
    ids = {i: i for i in range(len(graph.inputs))}
    for call in graph.calls:
        # What is not needed was dropped and the rest renumbered, but frames hold the numbers from before.
        made, frame = call.node.call, call.node.frame
        before = frame.env[made.index]
        ids.update(zip([before] if type(before) is int else before, call.outputs, strict=False))
    taken: dict[str, tuple[int, ...]] = {}
    for group in groups:
        frame = graph._unfolding.frames[group.prefix]  # pyright: ignore[reportPrivateUsage]
        raw = frame.env[: frame.fragment.n_inputs]
        taken[group_key(group)] = tuple([ids[i] for i in raw if type(i) is int and i in ids])
    return taken

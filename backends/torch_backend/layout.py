"""Views with the channels last, for what torch computes over a last axis.

A view costs no copy, but a little time, and gradients through it may be copied. So one that would only undo another is
left out, and what works in either layout is written in that of its inputs: a transformer keeps its channels last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx

from deep_arch.backends.torch_backend.context import Emitter


def channels_last(node: fx.Node, emit: Emitter, rank: int) -> fx.Node:
    """Return a view (batch, *spatial, channels) of a value whose spec has `rank` axes."""
    return _moved(node, emit, rank, to_last=True)


def channels_first(node: fx.Node, emit: Emitter, rank: int) -> fx.Node:
    """Return a view (batch, channels, *spatial) of what has the channels last."""
    return _moved(node, emit, rank, to_last=False)


def in_either_layout(
    nodes: Sequence[fx.Node], emit: Emitter, rank: int, write: Callable[[Sequence[fx.Node], int], fx.Node]
) -> fx.Node:
    """Write what leaves channels where they are: `write` takes the nodes and the axis of their channels, 1 or -1."""
    sources = [source_with_channels_last(node, rank) for node in nodes]
    if not any(sources) or not all(s or _view(n, rank, to_last=True) for s, n in zip(sources, nodes, strict=True)):
        return write(nodes, 1)
    return channels_first(write([channels_last(node, emit, rank) for node in nodes], -1), emit, rank)


def source_with_channels_last(node: fx.Node, rank: int) -> fx.Node | None:
    """Return what has the channels last, where a node is a view of such."""
    return _source(node, rank, to_last=False)


def _move(rank: int, to_last: bool) -> tuple[Callable[..., Any], tuple[int, int]]:
    """Return a function that moves the channels, and its arguments after the tensor."""
    if rank == 2:
        return torch.transpose, (1, 2)
    return torch.movedim, (1, -1) if to_last else (-1, 1)


def _moved(node: fx.Node, emit: Emitter, rank: int, to_last: bool) -> fx.Node:
    if rank < 2:
        return node
    function, arguments = _move(rank, to_last)
    return _source(node, rank, not to_last) or _view(node, rank, to_last) or emit.function(function, node, *arguments)


def _source(node: fx.Node, rank: int, to_last: bool) -> fx.Node | None:
    """Return what a node is such a view of."""
    function, arguments = _move(rank, to_last)
    if node.target is function and node.args[1:] == arguments and isinstance(node.args[0], fx.Node):
        return node.args[0]
    return None


def _view(node: fx.Node, rank: int, to_last: bool) -> fx.Node | None:
    """Return such a view of a node, if there is one."""
    function, arguments = _move(rank, to_last)
    return next((user for user in node.users if user.target is function and user.args[1:] == arguments), None)

"""What a lowering writes with: the nodes and submodules of one operation in a torch.fx graph."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import fx, nn

Lowered: TypeAlias = "fx.Node | tuple[fx.Node, ...]"

Lowering: TypeAlias = Callable[..., Lowered]
"""Called as lowering(op, emit, specs, *nodes): a resolved operation, an `Emitter`, the inputs' specs and nodes.

It returns the node that holds the output, or one for each output. Every tensor is (batch, channels, *spatial).
"""


class Emitter:
    """Write one call of an operation into a graph.

    Attributes:
        target: the path of the operation's submodule, such as `repeat_1.conv2d`.
        sizes_vary: whether the same module is also called on inputs of another shape, so that nothing which
            depends on their spatial sizes may be fixed in its submodule.
        dtype: of the floats of its submodule, if it is not made in another than torch's default; None for any.
    """

    def __init__(
        self,
        graph: fx.Graph,
        root: nn.Module,
        target: str,
        sizes_vary: bool = False,
        dtype: torch.dtype | None = None,
    ) -> None:
        self._graph = graph
        self._root = root
        self.target = target
        self.sizes_vary = sizes_vary
        self.dtype = dtype

    def module(self, factory: Callable[[], nn.Module], *nodes: fx.Node, name: str = "") -> fx.Node:
        """Call a submodule, which `factory` makes the first time that the operation's module is called.

        Args:
            factory: makes the submodule.
            nodes: its inputs.
            name: tells the submodules of one operation apart; empty where there is only one.
        """
        target = f"{self.target}.{name}" if name else self.target
        container, leaf = parent_of(self._root, target)
        if not hasattr(container, leaf):
            layer = factory()
            container.add_module(
                leaf, layer if self.dtype in (None, torch.get_default_dtype()) else layer.to(self.dtype)
            )
        return self._graph.call_module(target, nodes)

    def function(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> fx.Node:
        """Call a function of torch, Python's operator module, or the user's."""
        return self._graph.call_function(function, args, kwargs)


def parent_of(root: nn.Module, path: str) -> tuple[nn.Module, str]:
    """Return the submodule that holds what has a path, which is made where there is none, and its name there."""
    *parents, leaf = path.split(".")
    for parent in parents:
        if not hasattr(root, parent):
            root.add_module(parent, nn.Module())
        root = root.get_submodule(parent)
    return root, leaf


def unpacked(node: fx.Node, emit: Emitter, n: int) -> Lowered:
    """Return the nodes of a result that is a tuple of `n`; the node itself where it is no tuple, for 1."""
    return node if n == 1 else tuple(emit.function(operator.getitem, node, i) for i in range(n))

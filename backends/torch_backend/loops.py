"""Loops: a body that runs once for each frame of its sequences."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

from torch import Tensor, fx, nn

from deep_arch.backends.torch_backend.context import parent_of
from deep_arch.backends.torch_backend.frames import frames, stacked
from deep_arch.spaces.regions import Region


class Loop(nn.Module):
    """A body along the last axis of its sequences; see `da.scan`.

    What was made in the body are its submodules. What the body calls from around it is given at each call, as tensors
    are, so that it stands in one place of the model alone and has one name there. The body is code that torch.fx
    generated, and not a module of its own, since calling one would cost as much as a small body.
    """

    def __init__(self, code: str, reads: Mapping[str, Any], carry: int, n_sequences: int, reverse: bool) -> None:
        super().__init__()
        self._code = code
        self._imports = {name: value.__name__ for name, value in reads.items() if isinstance(value, ModuleType)}
        self._reads = {name: value for name, value in reads.items() if name not in self._imports}
        self._carry, self._n_sequences, self._reverse = carry, n_sequences, reverse
        self._compile()

    def _compile(self) -> None:
        names = {**self._reads, **{name: importlib.import_module(path) for name, path in self._imports.items()}}
        exec(self._code, names)
        self._step = names["forward"]

    def runs(self, code: str) -> bool:
        """Return whether this is the loop of a body with such code."""
        return self._code == code

    def forward(self, *given: Any) -> tuple[Tensor, ...]:
        """Map states, sequences (batch, ..., length), and what the body reads besides, to last states and sequences.

        What it reads besides are tensors that are the same at each step, and modules.
        """
        carry, step = self._carry, self._step
        end = carry + self._n_sequences
        states, captured = given[:carry], given[end:]
        steps: list[tuple[Tensor, ...]] = []
        for each in frames(given[carry:end], self._reverse):
            found = step(self, *states, *each, *captured)
            states = found[:carry]
            steps.append(found[carry:])
        return (*states, *stacked(steps, self._reverse))

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: functions that were generated are not."""
        return {**self.__dict__, "_step": None}

    def __setstate__(self, state: Any) -> None:
        """Take what was pickled, and generate the body anew."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._compile()

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"carry={self._carry}" + ", reverse" * self._reverse


def put_loop(root: nn.Module, path: str, body: fx.Graph, region: Region) -> tuple[str, list[str]]:
    """Put a loop in the place of the container in which the submodules of its body stand.

    A module that is called twice has one loop, unless it has another body there, as shapes may want.

    Returns:
        The loop's path, and the paths of the modules that it takes besides tensors.
    """
    outside = _take_from_outside(body, path)
    code = body.python_code("self")
    place, n = path, 0
    while isinstance(found := _submodule(root, place), Loop):
        if found.runs(code.src):
            return place, outside
        n += 1
        place = f"{path}.{_AGAIN}{n}"
    loop = Loop(code.src, code.globals, region.carry, len(region.frames), region.reverse)
    container = _submodule(root, path)
    for name, module in () if container is None else container.named_children():
        if not name.startswith(_AGAIN):
            loop.add_module(name, module)
    parent, leaf = parent_of(root, place)
    parent.add_module(leaf, loop)
    return place, outside


_AGAIN: Final = "_again"
"""What names begin with that no address has."""


def _take_from_outside(body: fx.Graph, path: str) -> list[str]:
    """Let a body reach submodules from a path and take others as its last inputs; return where those others stand."""
    taken: dict[str, fx.Node] = {}
    last = [node for node in body.nodes if node.op == "placeholder"][-1]
    for node in body.nodes:
        if node.op not in ("call_module", "get_attr"):
            continue
        if node.target.startswith(f"{path}."):
            node.target = node.target.removeprefix(f"{path}.")
            continue
        if node.target not in taken:
            with body.inserting_after(last):
                last = taken[node.target] = body.placeholder(f"module_{len(taken)}")
        module = taken[node.target]
        if node.op == "call_module":
            with body.inserting_before(node):
                module = body.call_method("__call__", (module, *node.args))
        node.replace_all_uses_with(module)
        body.erase_node(node)
    return list(taken)


def _submodule(root: nn.Module, path: str) -> nn.Module | None:
    try:
        return root.get_submodule(path)
    except AttributeError:
        return None

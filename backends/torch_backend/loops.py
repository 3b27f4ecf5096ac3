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

    What the body calls are its submodules. The body is code that torch.fx generated, and not a module of its own, since
    calling one would cost as much as a small body.
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

    def runs(self, code: str, outside: Mapping[str, nn.Module]) -> bool:
        """Return whether this is the loop of a body with such code that calls such modules from outside of it."""
        return self._code == code and all(getattr(self, name) is module for name, module in outside.items())

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """Map states, sequences (batch, ..., length), and what the body reads besides, to last states and sequences."""
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


def put_loop(root: nn.Module, path: str, body: fx.Graph, region: Region) -> str:
    """Put a loop in the place of the container in which the submodules of its body stand, and return its path.

    A module that is called twice has one loop, unless it has another body there, as shapes may want.
    """
    outside = {name: root.get_submodule(target) for name, target in _made_relative(body, path).items()}
    code = body.python_code("self")
    place, n = path, 0
    while isinstance(found := _submodule(root, place), Loop):
        if found.runs(code.src, outside):
            return place
        n += 1
        place = f"{path}.{_AGAIN}{n}"
    loop = Loop(code.src, code.globals, region.carry, len(region.frames), region.reverse)
    container = _submodule(root, path)
    held = {} if container is None else dict(container.named_children())
    for name, module in {**held, **outside}.items():
        if not name.startswith(_AGAIN):
            loop.add_module(name, module)
    parent, leaf = parent_of(root, place)
    parent.add_module(leaf, loop)
    return place


_AGAIN: Final = "_again"
_OUTSIDE: Final = "_outside"
"""What names begin with that no address has."""


def _made_relative(body: fx.Graph, path: str) -> dict[str, str]:
    """Let calls of submodules begin at a path, and return the targets of those elsewhere by the names that they get."""
    outside: dict[str, str] = {}
    for node in body.nodes:
        if node.op == "call_module":
            target: str = node.target
            if target.startswith(f"{path}."):
                node.target = target.removeprefix(f"{path}.")
            else:
                node.target = outside.setdefault(target, f"{_OUTSIDE}{len(outside)}")
    return {name: target for target, name in outside.items()}


def _submodule(root: nn.Module, path: str) -> nn.Module | None:
    try:
        return root.get_submodule(path)
    except AttributeError:
        return None

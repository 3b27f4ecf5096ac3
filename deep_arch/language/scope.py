"""What is being recorded right now, one stack for each thread.

A search-space function runs while a recorder, which is a fragment, records it; hyperparameters and modules that it
makes report to that recorder, and so does each call of a module on values.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from deep_arch.language.hyperparameters import Hyperparameter
    from deep_arch.language.modules import Module
    from deep_arch.language.values import Value


class Recorder(Protocol):
    """What records a function as it runs."""

    def where(self, module: Module | None = None) -> str:
        """Return the address of the function, or of a module in it, for messages."""
        ...

    def configure(self, name: str, value: Any) -> None:
        """Take in what `config` attaches under a name: a hyperparameter or a plain value."""
        ...

    def add_hyperparameter(self, hyperparameter: Hyperparameter) -> int:
        """Take in a hyperparameter that was just made, and return its slot."""
        ...

    def add_module(self, module: Module) -> None:
        """Take in a module that was just made."""
        ...

    def call(self, module: Module, values: Sequence[Value]) -> Value:
        """Record a call of a module on values, and return its result."""
        ...


class _Stack(threading.local):
    def __init__(self) -> None:
        self.recorders: list[Recorder] = []


_stack = _Stack()


def current() -> Recorder | None:
    """Return the innermost recorder of this thread, or None outside every search-space function."""
    recorders = _stack.recorders
    return recorders[-1] if recorders else None


@contextmanager
def recording(recorder: Recorder) -> Generator[None, None, None]:
    """Make `recorder` the innermost one while the block runs."""
    _stack.recorders.append(recorder)
    try:
        yield
    finally:
        _stack.recorders.pop()

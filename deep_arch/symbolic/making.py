"""Recorded calls as modules: their plain and open arguments are its arguments, and parts come in by edges."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from deep_arch.language.filling import Filling
from deep_arch.language.modules import snake_case
from deep_arch.language.part_modules import Maker
from deep_arch.language.recording import Recording
from deep_arch.language.values import Value
from deep_arch.language.wrapping import name_of
from deep_arch.symbolic.calls import said

if TYPE_CHECKING:
    from deep_arch.symbolic.calls import Symbolic


class Call(Maker):
    """One recorded call; what it makes is what the class or function returns."""

    def __init__(self, recording: Recording, call: Symbolic, path: str) -> None:
        symbol, args, kwargs, is_partial, _ = said(call)
        self._call, self._filling = call, Filling(recording, args, kwargs)
        self.inputs, self.written = self._filling.inputs, self._filling.written
        self._fixed = self._filling.fixed
        factory = symbol.factory
        self._make: Callable[..., Any] = functools.partial(functools.partial, factory) if is_partial else factory
        name = snake_case(name_of(factory))
        super().__init__(factory, self._filling.arguments, path=recording.path(path, name))
        self.base_name = name

    @property
    def title(self) -> str:
        return f"{super().title}.partial" if said(self._call).is_partial else super().title

    def make(self, taken: Sequence[Any], given: Sequence[Any], real: bool) -> Any:
        args, kwargs = self._fixed[real] if self._fixed else self._filling.filled(taken, given, real)
        return self._make(*args, **kwargs) if real else self._call.__class__.of(self._call, args, kwargs)


def record_call(call: Symbolic, recording: Recording, path: str) -> Value:
    """Record a call whose parts are recorded."""
    made = Call(recording, call, path)
    return recording.call(made, made.inputs)

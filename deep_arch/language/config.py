"""Configuration: hyperparameters of a space that belong to no module."""

from __future__ import annotations

from typing import Any

from deep_arch.errors import DuplicateName, ScopeError
from deep_arch.language import scope
from deep_arch.language.hyperparameters import lift


def config(**hyperparameters: Any) -> None:
    """Attach hyperparameters that belong to no module, such as a learning rate, to the space.

    They count wherever the function that holds the call is reached, and come back as `architecture.config`.

    Raises:
        ScopeError: no search-space function is running.
    """
    recorder = scope.current()
    if recorder is None:
        raise ScopeError(
            "config: is called inside a search-space function.\n  Got a call with no such function running."
        )
    for name, value in hyperparameters.items():
        if name in recorder.config:
            raise DuplicateName(f"{recorder.where()}: config has {name!r} already.\n  Got it twice in one function.")
        recorder.config[name] = lift(value)

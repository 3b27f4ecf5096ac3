"""Configuration: hyperparameters of a space that belong to no module."""

from __future__ import annotations

from typing import Any

from deep_arch.errors import ScopeError
from deep_arch.language import scope
from deep_arch.language.hyperparameters import lift


def config(**hyperparameters: Any) -> None:
    """Attach hyperparameters that belong to no module, such as a learning rate, to the space.

    They count wherever the function that holds the call is reached, and come back as `architecture.config`.

    Raises:
        ScopeError: no search-space function is running.
        DuplicateName: the function that runs has attached something by that name.
    """
    recorder = scope.current()
    if recorder is None:
        raise ScopeError(
            "config: is called inside a search-space function.\n  Got a call with no such function running."
        )
    for name, value in hyperparameters.items():
        recorder.configure(name, lift(value))

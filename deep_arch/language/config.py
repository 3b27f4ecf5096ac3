"""Configuration: hyperparameters of a space that belong to no module."""

from __future__ import annotations

from typing import Any

from deep_arch.errors import BadArgument, ScopeError
from deep_arch.language import scope
from deep_arch.language.formulas import needs_shapes
from deep_arch.language.hyperparameters import lift


def config(**hyperparameters: Any) -> None:
    """Attach hyperparameters that belong to no module, such as a learning rate, to the space.

    They count wherever the function that holds the call is reached, and come back as `architecture.config`.

    Raises:
        ScopeError: no search-space function is running.
        BadArgument: a formula of shapes.
        DuplicateName: the function that runs has attached something by that name.
    """
    recorder = scope.current()
    if recorder is None:
        raise ScopeError(
            "config: is called inside a search-space function.\n  Got a call with no such function running."
        )
    for name, value in hyperparameters.items():
        entry = lift(value)
        if needs_shapes(entry):
            raise BadArgument(
                f"config: {name} cannot depend on a shape, since configuration is known before shapes are.\n"
                f"  Got {entry!r}.\n  Compute it after the search, from architecture.shapes(inputs)."
            )
        recorder.configure(name, entry)

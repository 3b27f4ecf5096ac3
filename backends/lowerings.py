"""How a backend finds the lowering of a step, and what it takes from one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from deep_arch.backends.build_plan import BuildStep
from deep_arch.errors import BadArgument, NotSupported


def lowering(step: BuildStep, table: Mapping[type, Callable[..., Any]], method: str, backend: str, example: str) -> Any:
    """Return what lowers a step's module, called without it: its own method of that name, or an entry of the table.

    Raises:
        NotSupported: there is neither, and the message shows the `example`; or the entry is that of a base class with
            other weights.
    """
    own = getattr(step.module, method, None)
    if own is not None:
        return own
    for cls in type(step.module).__mro__:
        if cls in table:
            _check_inherited(step, cls, method, backend)
            return functools.partial(table[cls], step.module)
    raise NotSupported(
        f"{step.address}: {backend} has no lowering of {type(step.module).__name__}.\n"
        f"  Got {step.module!r}.\n  {example}"
    )


def _check_inherited(step: BuildStep, cls: Any, method: str, backend: str) -> None:
    """Raise NotSupported where an operation has other weights than the one whose lowering it inherits."""
    module: Any = step.module
    if type(module) is cls or type(module).weights is cls.weights:
        return
    own, inherited = (
        {name: weight.shape for name, weight in weights.items()}
        for weights in (module.weights(*step.specs), cls.weights(module, *step.specs))
    )
    if own != inherited:
        raise NotSupported(
            f"{step.address}: {backend} lowers {type(module).__name__} as {cls.__name__}, which holds {inherited}.\n"
            f"  Got weights {own}.\n  Leave `weights` as it is, or give the class a method `{method}` of its own."
        )


def results(step: BuildStep, lowered: Any, kind: type, method: str) -> tuple[Any, ...]:
    """Return what a lowering gave as one value for each output.

    Raises:
        BadArgument: it gave another number of values, or something else than values of that kind.
    """
    given: tuple[Any, ...] = lowered if isinstance(lowered, tuple) else (lowered,)
    if len(given) == len(step.outputs) and all(isinstance(value, kind) for value in given):
        return given
    kinds = ", ".join(type(value).__name__ for value in given)
    raise BadArgument(
        f"{step.address}: expected {method} of {type(step.module).__name__} to return a {kind.__name__} for each "
        f"of its outputs: {len(step.outputs)}.\n  Got {len(given)}: {kinds or 'none'}.\n"
        f"  Return a {kind.__name__}, or a tuple of several, as many as n_outputs says."
    )

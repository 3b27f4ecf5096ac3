"""Pickling: a space goes as the name under which its module holds it, or as its function, and its restrictions."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from deep_arch.errors import ScopeError
from deep_arch.spaces.restrictions import Restrictions

if TYPE_CHECKING:
    from deep_arch.spaces.space import SearchSpace


def reduced(space: SearchSpace) -> tuple[Any, ...]:
    """Return what pickle writes of a space: a function that finds or makes it, and its arguments."""
    module = getattr(space.program.fn, "__module__", None)
    name = getattr(space.program.fn, "__qualname__", None)
    found = _find(module, name) if module and name else None
    is_found = getattr(found, "program", None) is space.program
    if is_found and not space.restrictions:
        return _lookup, (module, name)
    return _rebuild, (found if is_found else space.program.fn, space.restrictions)


def _lookup(module: str, name: str) -> Any:
    found = _find(module, name)
    if found is None:
        raise ScopeError(
            f"{name}: the space of what is being loaded is not here.\n  Got no {name!r} in the module {module!r}.\n"
            "  Import the program that defines the space under the same module name before loading."
        )
    return found


def _find(module: str, name: str) -> Any:
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return None
    return found


def _rebuild(whole: SearchSpace | Callable[..., Any], restrictions: Restrictions) -> SearchSpace:
    from deep_arch.spaces.space import SearchSpace, restricted

    return restricted(whole if isinstance(whole, SearchSpace) else SearchSpace(whole), restrictions)

"""Bound names: under which names modules hold a space."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

from deep_arch.language.by_value import Origin
from deep_arch.spaces.restrictions import Restrictions

if TYPE_CHECKING:
    from deep_arch.spaces.space import SearchSpace


def bound_names(space: SearchSpace, exactly: bool) -> Iterator[Origin]:
    """Yield where modules hold a space, beginning with the module of its function.

    Args:
        space: the space.
        exactly: whether with the same restrictions; else any space of the same function is meant.
    """

    def is_meant(found: Any) -> bool:
        is_one = issubclass(type(found), type(space)) and found.program is space.program
        return is_one and (not exactly or equal(found.restrictions, space.restrictions))

    home: Any = getattr(space.program.fn, "__module__", None)
    home = "__main__" if home == "__mp_main__" else home
    if isinstance(home, str):
        direct = Origin.at(home, str(getattr(space.program.fn, "__qualname__", "")))
        if is_meant(direct.found()):
            yield direct
    others = [name for name in [*sys.modules] if name != "__mp_main__"]
    for name in dict.fromkeys([home, "__main__", *others]):
        module = sys.modules.get(name)
        if isinstance(module, ModuleType):
            yield from (Origin.at(name, path) for path in _paths(vars(module), name, "", is_meant))


def _paths(names: Mapping[str, Any], module: str, lead: str, is_meant: Callable[[Any], bool]) -> Iterator[str]:
    """Yield the names of what is meant in a module, and the paths to it in the module's own classes."""
    for name, value in [*names.items()]:
        if is_meant(value):
            yield lead + name
        elif _is_class(value) and value.__module__ == module and value.__name__ == name:
            yield from _paths(value.__dict__, module, f"{lead}{name}.", is_meant)


def _is_class(value: Any) -> bool:
    """Return whether a value is a class; `isinstance` would load what stands in for something else in a module."""
    return issubclass(type(value), type)


def equal(one: Restrictions, other: Restrictions) -> bool:
    """Return whether two sub-spaces of one space leave the same open, as far as is known."""
    try:
        return one == other
    except ValueError:  # of arrays among the values that are fixed
        return False

"""Pickling: a space goes as the name under which a module holds it, or as its function, and its restrictions.

A space of a script goes by value as well, for processes that run another program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from deep_arch.language import by_value
from deep_arch.language.by_value import Origin, found_or_made
from deep_arch.spaces.bound_names import bound_names, equal
from deep_arch.spaces.restrictions import Restrictions

if TYPE_CHECKING:
    from deep_arch.spaces.space import SearchSpace


def reduced(space: SearchSpace) -> tuple[Any, ...]:
    """Return what pickle writes of a space: a function that finds or makes it, and its arguments."""
    fn = space.program.fn
    if space.arrived is not None and not by_value.is_writing():
        return _found, (*space.arrived, space.restrictions)
    origin = None if by_value.is_writing() else next(bound_names(space, exactly=False), None)
    if origin is None:
        return _made, (fn, space.restrictions)
    return _found, (origin, by_value.written(fn, origin.module), space.restrictions)


def _found(origin: Origin, data: bytes | None, restrictions: Restrictions) -> SearchSpace:
    from deep_arch.spaces.loading import load_script
    from deep_arch.spaces.restricting import restricted
    from deep_arch.spaces.space import SearchSpace

    load_script(origin.module, origin.script)
    found = found_or_made(SearchSpace, origin, data)
    return found if equal(found.restrictions, restrictions) else restricted(found, restrictions)


def _made(fn: Callable[..., Any], restrictions: Restrictions) -> SearchSpace:
    from deep_arch.spaces.restricting import restricted
    from deep_arch.spaces.space import SearchSpace

    return restricted(SearchSpace(fn), restrictions)

"""Arguments: what a class or function takes, and what that makes of the arguments that it is given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from deep_arch.language.wrapping import in_order, signature_of

_LATER: Final = "Arguments that come later are recorded with .partial(...)."
_BY_NAME: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Arguments:
    """What a class or function takes.

    Attributes:
        factory: the class or function.
        signature: None where it is not known, as for some builtins; arguments then stay as they are given.
    """

    def __init__(self, factory: Callable[..., Any]) -> None:
        self.factory = factory
        self.signature = signature_of(factory)
        parameters = [*self.signature.parameters.values()] if self.signature else []
        self._starred = next((i for i, p in enumerate(parameters) if p.kind is p.VAR_POSITIONAL), len(parameters))
        self._star = [p.name for p in parameters if p.kind is p.VAR_POSITIONAL and p.name != "args"]  # as it is anyway
        self._placed = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self._nameless = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]
        given = [p for p in parameters if p.default is not p.empty]
        self._defaults = {p.name: p.default for p in given if p.kind in _BY_NAME}
        self._nameless_defaults = {p.name: p.default for p in given if p.kind is p.POSITIONAL_ONLY}
        self._order = {name: i for i, name in enumerate(p.name for p in parameters if p.kind in _BY_NAME)}
        self._names = frozenset([*self._placed, *self._star, *(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)])

    def in_order(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], partial: bool
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return those that have no name, and the rest by name.

        Raises:
            BadArgument: it does not take them.
        """
        return in_order(self.factory, self.signature, args, kwargs, partial, _LATER)

    def overlap(self, names: Collection[str]) -> bool:
        """Return whether a parameter has one of these names."""
        return not self._names.isdisjoint(names)

    def sorted(self, names: Iterable[str]) -> list[str]:
        """Return names in the order of the parameters, and others after them in that of the alphabet."""
        return sorted(names, key=lambda name: (self._order.get(name, len(self._names)), name))

    def by_place(self, args: Sequence[Any]) -> dict[str, Any]:
        """Return what is given by position under the names of the parameters."""
        named = dict(zip(self._placed, args, strict=False))
        return {**named, **dict.fromkeys(self._star, args[self._starred :])}

    def defaults(self, n_args: int, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return what has a name and is left to its default, where so many are given by position."""
        by_place = self._placed[:n_args]
        return {k: v for k, v in self._defaults.items() if k not in kwargs and k not in by_place}

    def nameless_defaults(self, n_args: int) -> dict[str, Any]:
        """Return what has no name and is left to its default, under the names of the parameters."""
        lacking = self._nameless[n_args:]
        return {k: v for k, v in self._nameless_defaults.items() if k in lacking}

"""Wording: values, domains and functions as text that is the same in every process and for every hash seed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from enum import Enum
from typing import Any, Final

from deep_arch.language.domains import Domain
from deep_arch.language.filling import Form, Hole
from deep_arch.language.foreign import PLAIN, contents
from deep_arch.language.hyperparameters import Hyperparameter
from deep_arch.language.likeness import attributes
from deep_arch.language.modules import Module, Wrapped
from deep_arch.language.parts import StandIn, as_part, children
from deep_arch.language.qualified import module_of

_LONGEST: Final = 400
"""Characters of one value; of a longer text both ends are shown, and a digest of all."""

_MOST_NESTED: Final = 30
"""Values inside one another that are still looked into; more is taken for an object that leads back to itself."""

_ADDRESS: Final = re.compile(r"\b0x[0-9a-fA-F]{4,}")
_OWN: Final = ("deep_arch", "builtins", "_operator")
_SETS: Final[tuple[Any, ...]] = (set, frozenset)
_DICT: Final[Any] = dict


class Wording:
    """Writes what stands in a space.

    Args:
        home: the module of the space's function. What this defines goes by its name there, since the module may be
            `__main__` in one process and have a name of its own in another.
    """

    def __init__(self, home: str) -> None:
        self._home = home

    def of(self, value: Any, level: int = 0) -> str:
        """Return a value as text: functions and classes by name, and other objects by what they hold or their type."""
        if value.__class__ in PLAIN or value.__class__ is Hole:
            return shortened(repr(value))
        if level > _MOST_NESTED:
            return "..."
        return shortened(self._of(value, level + 1))

    def called(self, thing: Any) -> str:
        """Return what a class or function is called, with its module where that is not known anyway."""
        module, name = module_of(thing), str(getattr(thing, "__qualname__", type(thing).__qualname__))
        if module.partition(".")[0] in _OWN:
            return name.lstrip("_")
        return name if module == self._home else f"{module}.{name}"

    def kind(self, module: Module) -> str:
        """Return what a module is one of: its class, or what it was wrapped around."""
        return self.of(module.factory if isinstance(module, Wrapped) else type(module))

    def domain(self, domain: Domain) -> str:
        """Return a domain with all that it was made of, which `str` shortens."""
        said = [f"{name}={self.of(value)}" for name, value in attributes(domain)]
        return f"{domain.word}({', '.join(said)})" if said else self._stable(domain)

    def _of(self, value: Any, level: int) -> str:
        if isinstance(value, StandIn | Form):
            return self.of(value.stands_for if isinstance(value, StandIn) else value.kind, level)
        if inspect.ismethod(value):
            return f"{self.called(value.__func__)} of {self.of(value.__self__, level)}"
        if isinstance(value, type) or inspect.isroutine(value):
            return self.called(value)
        if isinstance(value, Enum):
            name: Any = value.name  # of several flags none
            return f"{self.called(type(value))}({repr(value.value) if name is None else name})"
        if isinstance(value, Hyperparameter):
            return value.text
        if isinstance(value, Domain):
            return self.domain(value)
        if isinstance(value, Module):
            return f"{self.kind(value)}({self._items(value.arguments.items(), level)})"
        return self._held(value, level)

    def _held(self, value: Any, level: int) -> str:
        kind: Any = value.__class__
        if kind in _SETS:
            return f"{kind.__name__}({', '.join(sorted(self.of(item, level) for item in value))})"
        if kind in (list, tuple):
            inner = ", ".join([self.of(item, level) for item in value])
            return f"[{inner}]" if kind is list else f"({inner},)" if len(value) == 1 else f"({inner})"
        if kind is _DICT:
            return "{" + ", ".join([f"{self.of(k, level)}: {self.of(v, level)}" for k, v in value.items()]) + "}"
        if (held := contents(value)) is not None:
            from deep_arch.language.canonical import digest  # late: it loads OpenSSL

            return f"{self.called(kind)}({held.dtype}, {held.shape}, {digest(held.data)})"
        if found := children(value):
            part = as_part(value)
            name = self.called(kind) if part is None else part.__class__.title(part)
            of = [self.of(value.func, level)] if hasattr(kind, "func") else []
            return f"{name}({', '.join([*of, self._items(found, level)])})"
        return self._stable(value)

    def _items(self, items: Iterable[tuple[str, Any]], level: int) -> str:
        return ", ".join([f"{name.lstrip('.')}={self.of(value, level)}" for name, value in items])

    def _stable(self, value: Any) -> str:
        """Return the repr of an object, or its class where that shows an address in memory."""
        try:
            shown = " ".join(repr(value).split())
        except Exception:  # of whatever kind, from code of the user's
            return self.called(type(value))
        return self.called(type(value)) if _ADDRESS.search(shown) else shown


def shortened(text: str, most: int = _LONGEST) -> str:
    """Return a text, or the ends of a long one and a digest that is equal for equal ones."""
    if len(text) <= most:
        return text
    from deep_arch.language.canonical import digest  # late: it loads OpenSSL

    return f"{text[: most // 2]} ...{digest(text)[:12]}... {text[-most // 4 :]}"

"""Terms: how addresses of an architecture are places in a term, the same for who writes and for who reads it.

A *production* is an alternative of an `or_` that its own hyperparameter decides. It is a term's head, and the
productions below it are the term's parts, in the order of unfolding; rules, copies and the like do not show. Every
other hyperparameter is a named argument of the production that it stands in, and called by so much of its address as
tells it from the others there.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, Generic, TypeVar

from deep_arch.language.domains import Domain
from deep_arch.language.hyperparameters import Independent
from deep_arch.language.substitutions import Or
from deep_arch.spaces.frames import Frame

_Term = TypeVar("_Term")

OPEN: Final = "?"
"""What stands for a choice without a value: an open one, or one that decides nothing here."""

WORD: Final = re.compile(r"[^\W\d]\w*")
"""A text that is written without quotes, unless it is one of `LITERALS`."""

KEY: Final = re.compile(r"[^\W\d]\w*(?:[./]\w+|\[[\w.]*\])*")
"""A name of an argument that is written without quotes."""

LITERALS: Final = {"True": True, "False": False, "None": None}


class Scopes(Generic[_Term]):
    """The terms of a program by what the addresses inside each begin with."""

    def __init__(self, root: _Term) -> None:
        self.root = root
        self._inside: dict[str, _Term] = {}

    def enter(self, alternatives: str, value: Any, term: _Term) -> None:
        """Take in a term: that of one of the alternatives at an address."""
        self._inside[f"{alternatives}[{value}]/"] = term

    def around(self, address: str) -> tuple[_Term, str]:
        """Return the term that something stands in, and its address as seen from there."""
        end = len(address)
        while (end := address.rfind("/", 0, end)) >= 0:
            term = self._inside.get(address[: end + 1])
            if term is not None:
                return term, address[end + 1 :]
        return self.root, address


def alternatives_of(hyperparameter: Independent, home: Frame) -> str | None:
    """Return the address of the `or_` that a hyperparameter decides alone, or None where it decides another thing.

    Args:
        hyperparameter: of any kind.
        home: where the function stands that made it.
    """
    made = hyperparameter.made
    modules = [(m, name) for m, name in home.fragment.named_modules() if type(m) is Or]
    names = [name for module, name in modules if module.arguments["which"] is made]
    return home.prefix + names[0] if len(names) == 1 else None


def short_name(address: str, others: Iterable[str]) -> str:
    """Return the shortest end of an address that tells it from others, or the whole if no end is a plain name."""
    rest = [other for other in others if other != address]
    for name in _ends(address):
        if KEY.fullmatch(name) and not any(is_called(other, name) for other in rest):
            return name
    return address


def is_called(address: str, name: str) -> bool:
    """Return whether a name is an address or an end of it."""
    return address == name or address.endswith((f".{name}", f"/{name}"))


def _ends(address: str) -> Iterator[str]:
    for i in range(len(address) - 1, 0, -1):
        if address[i - 1] in "./":
            yield address[i:]
    yield address


def written(value: Any, domain: Domain) -> str:
    """Return a value of a domain as text: a literal of Python, a bare word, or its number or JSON after a `#`."""
    return _literal(value) if _is_literal(value) else _literal(domain.encode(value))


def _is_literal(value: Any) -> bool:
    if type(value) in (tuple, list):
        return all(map(_is_literal, value))
    return value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value))


def _literal(value: Any) -> str:
    if isinstance(value, tuple):
        items: list[str] = [_literal(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    if isinstance(value, list):
        return f"[{', '.join([_literal(item) for item in value])}]"  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return f"#{value['option'] if list(value) == ['option'] else json.dumps(value, ensure_ascii=False)}"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, str):
        return word(value)
    return repr(value)


def word(text: str) -> str:
    """Return a text bare if it is a word, else in quotes."""
    return text if WORD.fullmatch(text) and text not in LITERALS else quoted(text)


def quoted(text: str) -> str:
    """Return a text in quotes, on one line."""
    return json.dumps(text, ensure_ascii=not text.isprintable())

"""Options: what a choice is among, and how one option is told from another.

Equal values of different types are different options: `True` is not `1`. Options may be anything, also what cannot be
hashed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from deep_arch.errors import InvalidDomain


class Options:
    """Options told apart by type and equality; they may be unhashable."""

    __slots__ = ("_positions", "items")

    def __init__(self, items: Iterable[Any], kind: str) -> None:
        self.items = tuple(items)
        self._positions: dict[Any, int] = {}
        if not self.items:
            raise InvalidDomain(f"{kind}: a domain needs at least one option.\n  Got none.\n  Give it its options.")
        for position, option in enumerate(self.items):
            if self.find(option, position) is not None:
                raise InvalidDomain(
                    f"{kind}: options must differ.\n  Got {option!r} twice in {self.items!r}.\n  Remove the repeat."
                )
            try:
                self._positions[type(option), option] = position
            except TypeError:
                continue

    def find(self, value: Any, end: int | None = None) -> int | None:
        """Return the position of the option of the same type that equals `value`."""
        try:
            position = self._positions.get((type(value), value))
        except TypeError:
            position = None
            for i, option in enumerate(self.items[:end]):
                if same(option, value):
                    return i
        return position

    def closest(self, value: Any) -> int | None:
        """Return `find`, or else the position of the number that equals `value`, whatever its numeric type."""
        position = self.find(value)
        if position is None and not isinstance(value, bool | type):
            number = plain(value)
            if isinstance(number, int | float) and not isinstance(number, bool):
                for i, option in enumerate(self.items):
                    if type(option) in (int, float) and option == number:
                        return i
            elif number is not value:
                position = self.find(number)
        return position

    def encode(self, position: int) -> Any:
        option = self.items[position]
        return option if _is_json(option) else {"option": position}

    def decode(self, written: Any) -> int | None:
        if isinstance(written, dict) and list(written) == ["option"]:  # pyright: ignore[reportUnknownArgumentType]
            position = written["option"]  # pyright: ignore[reportUnknownVariableType]
            return position if isinstance(position, int) and 0 <= position < len(self.items) else None
        return self.closest(written)


def same(a: Any, b: Any) -> bool:
    """Return whether two values are of one type and equal; arrays are if all of their elements are."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    try:
        equal = a == b
        return bool(equal.all()) if hasattr(equal, "all") else bool(equal)
    except (TypeError, ValueError):  # arrays of other shapes, or what has no truth value
        return False


def plain(value: Any) -> Any:
    """Return a NumPy scalar as the Python number that it holds."""
    return value.item() if hasattr(value, "dtype") and getattr(value, "ndim", None) == 0 else value


def distinct(items: Iterable[Any]) -> tuple[Any, ...]:
    """Return the items without those that repeat an earlier one."""
    kept: list[Any] = []
    seen: set[Any] = set()
    for item in items:
        try:
            repeats = (type(item), item) in seen
            seen.add((type(item), item))
        except TypeError:  # what cannot be hashed
            repeats = any(same(item, other) for other in kept)
        if not repeats:
            kept.append(item)
    return tuple(kept)


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(type(k) is str and _is_json(v) for k, v in value.items()) and list(value) != ["option"]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if type(value) is list:
        return all(map(_is_json, value))  # pyright: ignore[reportUnknownArgumentType]
    return value is None or type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value))


def listed(options: Sequence[Any]) -> str:
    """Return the first options as text, for messages."""
    shown = [getattr(o, "__name__", None) or repr(o) for o in options[:8]]
    return "(" + ", ".join(shown) + (", ..." if len(options) > 8 else "") + ")"

"""Options: what a choice is among, and how one option is told from another.

Equal values of different types are different options: `True` is not `1`. Options may be anything, also what cannot be
hashed, and arrays, which count by what they hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from deep_arch.errors import InvalidDomain
from deep_arch.language.foreign import FAILURES, PLAIN, contents, is_array, plain


class Options:
    """Options told apart by type and equality; they may be unhashable. Numbers of NumPy become Python's."""

    __slots__ = ("_positions", "items")

    def __init__(self, items: Iterable[Any], kind: str) -> None:
        self.items = tuple([plain(item) for item in items])
        self._positions: dict[Any, int] = {}
        if not self.items:
            raise InvalidDomain(f"{kind}: a domain needs at least one option.\n  Got none.\n  Give it its options.")
        for position, option in enumerate(self.items):
            if self._positions.setdefault(content_key(option), position) != position:
                raise InvalidDomain(
                    f"{kind}: options must differ.\n  Got {option!r} twice in {self.items!r}.\n  Remove the repeat."
                )

    def find(self, value: Any) -> int | None:
        """Return the position of the option of the same type that equals `value`."""
        return self._positions.get(content_key(value))

    def closest(self, value: Any) -> int | None:
        """Return `find`, or else the position of the number that equals `value`, whatever its numeric type."""
        kind = value.__class__
        if kind in PLAIN:  # most are, and searches look up every value that they choose
            position = self._positions.get((kind, value))
            if position is not None:
                return position
        value = plain(value)
        position = self.find(value)
        if position is None and isinstance(value, int | float) and not isinstance(value, bool):
            for i, option in enumerate(self.items):
                if type(option) in (int, float) and option == value:
                    return i
        return position

    def encode(self, position: int) -> Any:
        option = self.items[position]
        return option if _is_json(option) else {"option": position}

    def decode(self, written: Any) -> int | None:
        if isinstance(written, dict) and list(written) == ["option"]:  # pyright: ignore[reportUnknownArgumentType]
            position = written["option"]  # pyright: ignore[reportUnknownVariableType]
            return position if isinstance(position, int) and 0 <= position < len(self.items) else None
        return self.closest(written)


def content_key(value: Any) -> tuple[type, Any]:
    """Return what a value is found by in a dict: its type, and itself or, where that has no use, what it holds."""
    kind = value.__class__
    if kind in PLAIN:
        return kind, value
    if not _holds_array(value):
        try:
            hash(value)
        except TypeError:
            pass
        else:
            return kind, value
    return kind, _ByContent(value)


class _ByContent:
    """A value that is found by what it holds."""

    __slots__ = ("_hash", "_value")

    def __init__(self, value: Any) -> None:
        self._value, self._hash = value, _content_hash(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByContent) and same(self._value, other._value)

    def __hash__(self) -> int:
        return self._hash


def _holds_array(value: Any) -> bool:
    return any(map(_holds_array, value)) if value.__class__ is tuple else is_array(value)


def _content_hash(value: Any) -> int:
    """Return a hash that is equal for what is the `same`."""
    kind = value.__class__
    if kind is tuple or kind is list:
        return hash((kind, *map(_content_hash, value)))
    if kind is dict:
        return hash(frozenset([(key, _content_hash(item)) for key, item in value.items()]))
    held = contents(value)
    try:
        return hash((kind, value if held is None else held))
    except TypeError:
        return hash(kind)


def same(a: Any, b: Any) -> bool:
    """Return whether two values are of one type and equal, arrays and tables by what they hold."""
    kind = a.__class__
    if a is b or kind is not b.__class__:
        return a is b
    if kind is tuple or kind is list:
        return len(a) == len(b) and all(map(same, a, b))
    if kind is dict:
        return a.keys() == b.keys() and all(same(item, b[key]) for key, item in a.items())
    held = contents(a)
    try:
        return bool(a == b) if held is None else held == contents(b)
    except FAILURES:  # what has no truth value
        return False


def distinct(items: Iterable[Any]) -> tuple[Any, ...]:
    """Return the items without those that repeat an earlier one."""
    return tuple({content_key(item): item for item in reversed(tuple(items))}.values())[::-1]


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

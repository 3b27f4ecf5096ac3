"""Expressions: programs written as the Python code that makes them."""

from __future__ import annotations

import dataclasses
import functools
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from deep_arch.language.foreign import PLAIN
from deep_arch.language.parts import StandIn, as_part
from deep_arch.language.wrapping import name_of


class Code(str):
    """A piece of code, among values that are yet to be written."""

    __slots__ = ()


def expression(value: Any) -> str:
    """Return the code that makes a value: calls, containers and what they hold, however deep, without recursion.

    A part says what its own is in a method `pieces`, which returns pieces of code and values in their order.

    Example:
        >>> expression({"layers": [8, (16,)], "act": None})
        "{'layers': [8, (16,)], 'act': None}"
    """
    written: list[str] = []
    todo = [value]
    while todo:
        value = todo.pop()
        pieces = (value,) if value.__class__ is Code else _pieces(value)
        if len(pieces) == 1 and pieces[0].__class__ is Code:
            written.append(pieces[0])
        else:
            todo += reversed(pieces)
    return "".join(written)


def call_pieces(name: str, positional: Iterable[Any], named: Iterable[tuple[Any, Any]]) -> list[Any]:
    """Return the pieces of a call; names that are no identifiers are those of a dict."""
    items: list[tuple[Any, ...]] = [(value,) for value in positional]
    rest: list[tuple[Any, ...]] = []
    for key, value in named:
        if isinstance(key, str) and key.isidentifier():
            items.append((Code(f"{key}="), value))
        else:
            rest.append((key, Code(": "), value))
    if rest:
        items.append((*joined("**{", rest, "}"),))
    return joined(f"{name}(", items, ")")


def joined(before: str, items: Iterable[Iterable[Any]], after: str) -> list[Any]:
    """Return the pieces of items with commas between them."""
    pieces: list[Any] = [Code(before)]
    for i, item in enumerate(items):
        pieces += (Code(", "), *item) if i else item
    return [*pieces, Code(after)]


def _pieces(value: Any) -> list[Any]:
    kind = value.__class__
    if kind not in PLAIN:
        part = as_part(value)
        own = getattr(part.__class__, "pieces", None)
        if own is not None:
            return own(part)  # type: ignore[no-any-return]
        for fits, pieces in _WRITERS:
            if fits(value, kind):
                return pieces(value)
    return [Code(repr(value))]


def _of_list(value: Any) -> list[Any]:
    return joined("[", ((item,) for item in value), "]")


def _of_tuple(value: Any) -> list[Any]:
    return joined("(", ((item,) for item in value), ",)" if len(value) == 1 else ")")


def _of_dict(value: Any) -> list[Any]:
    return joined("{", ((key, Code(": "), item) for key, item in value.items()), "}")


def _of_ordered(value: Any) -> list[Any]:
    return call_pieces("OrderedDict", [dict(value)] if value else [], ())


def _of_named_tuple(value: Any) -> list[Any]:
    return call_pieces(type(value).__name__, (), zip(value._fields, value, strict=True))


def _of_partial(value: Any) -> list[Any]:
    return call_pieces("partial", (value.func, *value.args), value.keywords.items())


def _of_dataclass(value: Any) -> list[Any]:
    fields = [field.name for field in dataclasses.fields(value) if field.init and field.repr]
    return call_pieces(type(value).__name__, (), _held(value, fields))


def _held(value: Any, names: Iterable[str]) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(value, name)) for name in names if hasattr(value, name))


def _of_named(value: Any) -> list[Any]:
    return [Code(name_of(value))]


def _has_written_repr(value: Any, kind: Any) -> bool:
    """Return whether a dataclass has the `__repr__` that the decorator writes."""
    return dataclasses.is_dataclass(kind) and hasattr(kind.__repr__, "__wrapped__")


def _has_name(value: Any, kind: Any) -> bool:
    """Return whether code would lead to a class or function by its name."""
    named = isinstance(value, type) or kind.__name__ in ("function", "builtin_function_or_method")
    return named and str(getattr(value, "__name__", "")).isidentifier()


_WRITERS: Final[tuple[tuple[Callable[[Any, Any], bool], Callable[[Any], list[Any]]], ...]] = (
    (lambda value, kind: kind is list, _of_list),
    (lambda value, kind: kind is tuple, _of_tuple),
    (lambda value, kind: kind is dict, _of_dict),
    (lambda value, kind: kind is OrderedDict, _of_ordered),
    (lambda value, kind: isinstance(value, StandIn), lambda value: [Code(name_of(value.stands_for))]),
    (_has_name, _of_named),
    (lambda value, kind: isinstance(value, tuple) and hasattr(kind, "_fields"), _of_named_tuple),
    (lambda value, kind: kind is functools.partial, _of_partial),
    (_has_written_repr, _of_dataclass),
)
"""Which values are written otherwise than `repr` does, and how."""

"""Pickling of programs that go deeper than Python's recursion."""

from __future__ import annotations

from typing import Any, Final

from deep_arch.language.foreign import PLAIN
from deep_arch.language.parts import children
from deep_arch.symbolic.calls import Symbolic, said

_EVERY: Final = 20
"""So many calls inside each other are pickled by recursion, of the 1000 or so that Python has room for."""


def first_to_pickle(call: Symbolic) -> tuple[Symbolic, ...]:
    """Return calls further in that are pickled first, so that pickling this finds them done and does not go so deep."""
    depth = said(call).depth
    if depth % _EVERY:
        return ()
    every = _EVERY
    while depth % (every * _EVERY) == 0:
        every *= _EVERY
    found: list[Symbolic] = []
    seen: dict[int, Any] = {}  # which keeps what it knows by identity
    todo: list[Any] = [value for _, value in children(call)]
    while todo:
        value = todo.pop()
        if value.__class__ in PLAIN or id(value) in seen:
            continue
        seen[id(value)] = value
        if isinstance(value, Symbolic) and said(value).depth % every == 0:
            found.append(value)
        else:
            todo += [child for _, child in children(value)]
    return tuple(found)

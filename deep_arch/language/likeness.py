"""Likeness: whether two programs say the same, and a hash that is equal for such.

Calls are compared with their defaults, hyperparameters by their domains, names and tags, arrays by what they hold. What
stands in several places of one program must stand in the same places of the other: there it is one decision, and one
object.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from deep_arch.language.domains import Domain
from deep_arch.language.hyperparameters import Dependent, Hyperparameter, Independent
from deep_arch.language.options import content_key
from deep_arch.language.parts import Part, children


def alike(one: Any, other: Any) -> bool:
    """Return whether two values of programs say the same."""
    there: dict[int, int] = {}
    back: dict[int, int] = {}
    todo = [(one, other)]
    while todo:
        a, b = todo.pop()
        if isinstance(a, Part | Hyperparameter):
            if there.get(id(a)) == id(b) and back.get(id(b)) == id(a):
                continue
            if id(a) in there or id(b) in back:
                return False
            there[id(a)], back[id(b)] = id(b), id(a)
        if itself(a) != itself(b):
            return False
        inner, others = dict(inside(a)), dict(inside(b))
        if inner.keys() != others.keys():
            return False
        todo += [(value, others[step]) for step, value in inner.items()]
    return True


def content_hash(value: Any) -> int:
    """Return a hash that is equal for values of programs that are alike."""
    total, todo, seen = 0, [("", value)], set[int]()
    while todo:
        step, value = todo.pop()
        total += hash((step, itself(value)))
        if isinstance(value, Part | Hyperparameter):
            if id(value) in seen:
                continue
            seen.add(id(value))
        todo += inside(value)
    return hash(total)


def inside(value: Any) -> list[tuple[str, Any]]:
    """Return what is compared of a value beside `itself`: what it holds, is decided by, or is computed from."""
    if isinstance(value, Part):
        kind: Any = value.__class__
        held: list[tuple[str, Any]] = getattr(kind, "held_with_defaults", kind.held)(value)
        decision = kind.decided_by(value)
        return held if decision is None else [*held, (".", decision)]
    if isinstance(value, Dependent):
        return [("fn", value.fn), *[(f"{i}", parent) for i, parent in enumerate(value.parents)]]
    if isinstance(value, Independent):
        parents = [(f"{i}", parent) for i, parent in enumerate(value.parents)]
        return parents if value.depending is not None else attributes(value.domain)
    return children(value)


def itself(value: Any) -> Any:
    """Return what is equal for values that are alike, what is `inside` of them aside."""
    kind: Any = value.__class__
    if isinstance(value, Part):
        return kind, kind.likeness(value)
    if isinstance(value, Hyperparameter):
        return _hyperparameter(value), value.name, value.tag
    if kind is functools.partial:
        return kind, content_key(value.func)
    if children(value) or kind in (list, tuple, dict):
        return kind
    return (kind, repr(value)) if kind in (float, complex) and value != value else content_key(value)


def _hyperparameter(value: Any) -> Any:
    """Return what kind of hyperparameter it is: of which domain, among which options, or computed."""
    if isinstance(value, Independent):
        depending = value.depending
        return value.kind, depending is None, depending is not None and depending.written is not None
    return Dependent if isinstance(value, Dependent) else id(value)


def attributes(domain: Domain) -> list[tuple[str, Any]]:
    """Return what a domain was made of, by the names of its attributes."""
    names = [name for kind in type(domain).__mro__ for name in _slots(kind) if name[0] != "_"]
    return [(name, getattr(domain, name)) for name in names]


def _slots(kind: type) -> Iterator[str]:
    yield from kind.__dict__.get("__slots__", ())

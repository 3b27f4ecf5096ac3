"""What of a program is different in another one, by what is drawn for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from deep_arch.language.chosen_parts import OneOf
from deep_arch.language.hyperparameters import Hyperparameter, Independent
from deep_arch.language.parts import DELETE, as_part, children, is_part, walk
from deep_arch.measures.naming import candidate_name
from deep_arch.symbolic.changes import differences
from deep_arch.visualization.plan.wording import domain_text, shorten, value_text

ROOT: Final = ""
"""Stands for the address of the outermost call, which is called by its class."""

_LENGTH: Final = 60


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different, by the addresses of calls.

    Attributes:
        n: how many places are different.
        arguments: of a call: the argument to what it was and is, such as `4 → 8`.
        marks: of a call that was not there before: that it was added, or what was there.
    """

    n: int = 0
    arguments: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    marks: Mapping[str, str] = field(default_factory=dict[str, str])


def find_changes(one: Any, other: Any) -> Changes:
    """Return what of a program is different from another one that it came from.

    Args:
        one: the program before.
        other: the program that is drawn.
    """
    places = _Places(other)
    arguments: dict[str, dict[str, str]] = defaultdict(dict)
    marks: dict[str, str] = {}
    found = differences(one, other)
    for path, (before, after) in found.items():
        known = {child for _, child in children(before) if is_part(child)} if not is_part(before) else set[Any]()
        if is_part(after):
            marks[places.address(after)] = "added" if before is DELETE else f"was {_text(before)}"
        else:
            address, step = places.holder(path)
            arguments[address][step] = f"{_text(before)} → {_text(after)}"
        for part in _new_parts(after, known):
            marks.setdefault(places.address(part), "added")
    return Changes(len(found), arguments, marks)


def _new_parts(value: Any, known: set[Any]) -> list[Any]:
    """Return the parts in a value, but for what stood in the container before that it replaces."""
    found: list[Any] = []
    todo = [child for _, child in children(value)]
    while todo:
        value = todo.pop()
        if not (is_part(value) and value in known):
            found += [value] if is_part(value) else []
            todo += [child for _, child in children(value)]
    return found


class _Places:
    """Where what a program holds is drawn: what stands in several places, at the first."""

    def __init__(self, program: Any) -> None:
        self._parts: dict[str, Any] = {}
        self._first: dict[int, str] = {}
        for path, value, _ in walk(program):
            if is_part(value):
                self._parts[path] = value
                self._first.setdefault(id(value), path)

    def address(self, part: Any) -> str:
        return self._first[id(part)]

    def holder(self, path: str) -> tuple[str, str]:
        """Return the address of the innermost call around a path, and the rest of the path."""
        for end in range(len(path) - 1, 0, -1):
            if path[end] in ".[" and path[:end] in self._parts:
                return self.address(self._parts[path[:end]]), path[end:].removeprefix(".")
        return ROOT, path or "program"


def _text(value: Any) -> str:
    if value is DELETE:
        return "nothing"
    if isinstance(value, Independent) and not is_part(value) and value.depending is None:
        return domain_text(value.domain)
    part = as_part(value)
    if isinstance(part, OneOf):
        return shorten(" | ".join(map(candidate_name, part.candidates.values())), _LENGTH)
    if part is not None or isinstance(value, Hyperparameter):
        return shorten(" ".join(repr(value).split()), _LENGTH)
    if isinstance(value, list | tuple) and any(is_part(item) for item in value):
        return f"{len(value)} items"
    return value_text(value)

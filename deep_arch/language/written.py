"""Written programs: what makes a program of recorded calls the function of a search space."""

from __future__ import annotations

import warnings
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

from deep_arch.errors import BadArgument, is_kind
from deep_arch.language.foreign import PLAIN
from deep_arch.language.hyperparameters import Hyperparameter
from deep_arch.language.modules import snake_case
from deep_arch.language.parts import Part, StandIn, as_part, children, is_open, is_part, things
from deep_arch.language.recording import record
from deep_arch.language.values import Value


class SharedDecision(UserWarning):
    """One hyperparameter or part that stands several times in a list, where several were probably meant."""


_SEVERAL = 3
"""Two may well be meant to be one, such as the sides of a kernel."""


class Written:
    """A program as the function of a space."""

    def __init__(self, program: Any) -> None:
        self.program = program
        self.__name__ = snake_case(_title(program))
        for path, value, held in _places(program):
            _check_seen(path, value, held)
            _warn_of_repeats(path, held)

    def __call__(self) -> Value:
        return record(self.program)

    def __repr__(self) -> str:
        return repr(self.program)


def _warn_of_repeats(path: str, held: list[tuple[str, Any]]) -> None:
    """Warn of what is open and unnamed and stands several times in one list."""
    if len(held) < _SEVERAL:
        return
    counts = Counter([id(v) for step, v in held if step.startswith("[") and _is_anonymous(v)])
    for i, thing in {id(v): v for _, v in held if counts[id(v)] >= _SEVERAL}.items():
        if (n := counts[i]) and is_open(thing):
            warnings.warn(
                f"{path or 'program'}: {n} items are one and the same, so they are decided once, together.\n"
                f"  Got {thing!r} {n} times in one list.\n  Give it name= if that is meant; else make each afresh, "
                f"[da.choice(options) for _ in range({n})], or write da.subset(options, {n}, distinct=False, "
                "ordered=True).",
                SharedDecision,
                stacklevel=4,
            )


def is_program(value: Any) -> bool:
    """Return whether a value is a part of a program, or a container that holds parts or hyperparameters."""
    if isinstance(value, Part):
        return True
    if isinstance(value, Hyperparameter):
        return is_part(value)
    held = children(value)
    return bool(held) and any(isinstance(v, Hyperparameter) or is_part(v) for v in things(value))


def _title(program: Any) -> str:
    part = as_part(program)
    return type(program).__name__ if part is None else part.__class__.title(part)


def _places(program: Any) -> Iterator[tuple[str, Any, list[tuple[str, Any]]]]:
    """Yield path, value and what it holds of everything in a program, once."""
    seen: dict[int, Any] = {}  # which keeps what it knows by identity
    todo: list[tuple[str, Any]] = [("", program)]
    while todo:
        path, value = todo.pop()
        if value.__class__ not in PLAIN and id(value) not in seen:
            seen[id(value)] = value
            held = children(value)
            yield path.lstrip("."), value, held
            todo += [(path + step, child) for step, child in reversed(held)]


def _check_seen(path: str, value: Any, held: list[tuple[str, Any]]) -> None:
    """Check that a value holds no hyperparameter or part where none is looked for, so that it would not be decided.

    Raises:
        BadArgument: it does, as a set or an object of a class that is not symbolic may.
    """
    is_holder, kind = is_kind(value, _HOLDERS), value.__class__.__name__
    items: Any = ()
    if is_holder and (not held or is_kind(value, Mapping)):
        items = [*value, *(value.values() if is_kind(value, Mapping) and not held else ())]
    elif not is_kind(value, type | FunctionType | ModuleType | StandIn | Part | Hyperparameter):
        items = [] if held else [*getattr(value, "__dict__", {}).values()]
    for item in items:
        inner = things(item) if item.__class__ in (list, tuple, dict) else (item,)
        found = next((thing for thing in inner if isinstance(thing, Hyperparameter | Part)), None)
        if found is not None:
            mend = (
                "Write a list, tuple or dict, and parts as values of it."
                if is_holder
                else (f"Symbolize its class, {kind} = da.symbolize({kind}), so that the call is recorded.")
            )
            raise BadArgument(
                f"{path or 'program'}: hyperparameters and recorded calls stand among the arguments of recorded calls, "
                "in lists, tuples, dicts, dataclasses and partials, and are not looked for elsewhere.\n"
                f"  Got {found!r:.100} in {value!r:.100} ({kind}).\n  {mend}"
            )


_HOLDERS = (list, tuple, set, frozenset, deque, Mapping)


def _is_anonymous(value: Any) -> bool:
    """Return whether a value is one decision or part without a name of the user's."""
    if isinstance(value, Hyperparameter):
        return value.name is None
    part = as_part(value)
    return part is not None and getattr(part.__class__.decided_by(part), "name", None) is None

"""Written programs: what makes a program of recorded calls the function of a search space."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

from deep_arch.language.hyperparameters import Hyperparameter
from deep_arch.language.modules import snake_case
from deep_arch.language.parts import Part, as_part, children, is_open, is_part, things
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
        for path, thing, n in _repeated(program):
            warnings.warn(
                f"{path or 'program'}: {n} items are one and the same, so they are decided once, together.\n"
                f"  Got {thing!r} {n} times in one list.\n  Give it name= if that is meant; else make each afresh, "
                f"[da.choice(options) for _ in range({n})], or write da.subset(options, {n}, distinct=False, "
                "ordered=True).",
                SharedDecision,
                stacklevel=4,
            )

    def __call__(self) -> Value:
        return record(self.program)

    def __repr__(self) -> str:
        return repr(self.program)


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


def _repeated(program: Any) -> Iterator[tuple[str, Any, int]]:
    """Yield what is open and unnamed and stands several times in one list, with the path of that."""
    seen: set[int] = set()
    todo: list[tuple[str, Any]] = [("", program)]
    while todo:
        path, value = todo.pop()
        if id(value) in seen:
            continue
        held = children(value)
        if held:  # which the program keeps, and so its identity
            seen.add(id(value))
        todo += [(path + step, child) for step, child in reversed(held)]
        counts = Counter([id(v) for step, v in held if step.startswith("[") and _is_anonymous(v)])
        repeated = {id(v): v for _, v in held if counts[id(v)] >= _SEVERAL}
        yield from [(path.lstrip("."), thing, counts[i]) for i, thing in repeated.items() if is_open(thing)]


def _is_anonymous(value: Any) -> bool:
    """Return whether a value is one decision or part without a name of the user's."""
    if isinstance(value, Hyperparameter):
        return value.name is None
    part = as_part(value)
    return part is not None and getattr(part.__class__.decided_by(part), "name", None) is None

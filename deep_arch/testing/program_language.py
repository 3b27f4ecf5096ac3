"""The language of sequences' behaviour, as a space: windows and folds of functions of a frame, with a number as result.

A type is a rule, and a production a named alternative; see `program_tasks` for programs of it whose answers are known.
"""

# The functions of the spaces here are lambdas, whose parameters have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import deep_arch as da
from deep_arch import ops
from deep_arch.language.applying import Fn

Groups = Mapping[str, Sequence[int]]
"""The features that each leaf reads."""

Windows = Mapping[str, tuple[int, int]]
"""The frames that are averaged: from so many before the last one to so many after it."""


def language(groups: Groups, windows: Windows, fold: bool = True) -> da.SearchSpace:
    """Return the space of programs from a sequence to a number.

    Args:
        groups: a leaf for each.
        windows: an average for each.
        fold: whether a body may run along time, which then reads its state too.
    """

    def pair(operation: Callable[[], da.Module]) -> Fn:
        return lambda *x: operation()(atom()(*x), atom()(*x))

    def either(*x: Any) -> Any:
        return ops.Where()(atom()(*x), atom()(*x), atom()(*x))

    @da.rule
    def atom() -> Any:
        """Give a number for a frame, and for the state of a fold where there is one."""
        leaves = {name: _affine(tuple(indices)) for name, indices in groups.items()}
        return da.or_({"Add": pair(ops.Add), "Multiply": pair(ops.Multiply), "ITE": either, **leaves})

    def averaged(window: tuple[int, int]) -> Fn:
        return lambda x: atom()(ops.WindowAverage(*window)(x))

    def either_list(x: Any) -> Any:
        return ops.Where()(to_atom()(x), to_atom()(x), to_atom()(x))

    def folded(x: Any) -> Any:
        return da.scan(lambda state, frame: atom()(frame, state))(ops.Zeros(1)(x), x)

    @da.rule
    def to_atom() -> Any:
        """Give a number for a sequence."""
        averages = {name: averaged(window) for name, window in windows.items()}
        return da.or_({**averages, "SimpleITE": either_list, **({"Fold": folded} if fold else {})})

    return da.space(lambda x: to_atom()(x))


def _affine(indices: tuple[int, ...]) -> Fn:
    def affine(x: Any, *state: Any) -> Any:
        read = ops.Take(indices)(x)
        return ops.Dense(1)(ops.Concatenate()(read, *state) if state else read)

    return affine


def text(architecture: Any) -> str:
    """Return a program as a term such as `Last4(Add(Speed, Turn))`."""
    values: Mapping[str, Any] = architecture.values
    return _term(values, next(iter(values)))


def _term(values: Mapping[str, Any], address: str) -> str:
    name = values[address]
    inside = address.removesuffix(".which") + f"[{name}]/"
    parts: list[str] = []
    for other in values:
        if other.startswith(inside) and not any(other.startswith(part.removesuffix("or.which")) for part in parts):
            parts.append(other)
    return f"{name}({', '.join([_term(values, part) for part in parts])})" if parts else name

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


def language(groups: Groups, windows: Windows, fold: bool = True, hole_units: int | None = None) -> da.SearchSpace:
    """Return the space of programs from a sequence to a number.

    Args:
        groups: a leaf for each.
        windows: an average for each.
        fold: whether a body may run along time, which then reads its state too.
        hole_units: of the networks at holes: a perceptron in place of a function of a frame, an LSTM in place of one of
            a sequence. Without it there are no holes.
    """

    def pair(operation: Callable[[], da.Module]) -> Fn:
        return lambda *x: operation()(atom()(*x), atom()(*x))

    def either(*x: Any) -> Any:
        return ops.Where()(atom()(*x), atom()(*x), atom()(*x))

    @da.rule
    def atom() -> Any:
        """Give a number for a frame, and for the state of a fold where there is one."""
        leaves = {name: _affine(tuple(indices)) for name, indices in groups.items()}
        terms = {"Add": pair(ops.Add), "Multiply": pair(ops.Multiply), "ITE": either, **leaves}
        return da.or_(terms, hole=None if hole_units is None else _perceptron(hole_units))

    def averaged(window: tuple[int, int]) -> Fn:
        return lambda x: atom()(ops.WindowAverage(*window)(x))

    def either_list(x: Any) -> Any:
        return ops.Where()(sequence()(x), sequence()(x), sequence()(x))

    def folded(x: Any) -> Any:
        return da.scan(lambda state, frame: atom()(frame, state))(ops.Zeros(1)(x), x)

    @da.rule
    def sequence() -> Any:
        """Give a number for a sequence."""
        averages = {name: averaged(window) for name, window in windows.items()}
        terms = {**averages, "SimpleITE": either_list, **({"Fold": folded} if fold else {})}
        return da.or_(terms, hole=None if hole_units is None else _recurrent(hole_units))

    return da.space(lambda x: sequence()(x))


def _affine(indices: tuple[int, ...]) -> Fn:
    return lambda x, *state: ops.Dense(1)(_joined(ops.Take(indices)(x), *state))


def _perceptron(units: int) -> Fn:
    return lambda *x: ops.Dense(1)(ops.ReLU()(ops.Dense(units)(_joined(*x))))


def _recurrent(units: int) -> Fn:
    return lambda x: ops.Dense(1)(ops.LSTM(units)(x))


def _joined(x: Any, *state: Any) -> Any:
    return ops.Concatenate()(x, *state) if state else x

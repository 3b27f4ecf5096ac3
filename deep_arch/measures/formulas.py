"""How what a dependent hyperparameter is computed from reads, such as `2 · n` or `channels(x) // 4`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from deep_arch.language.values import Late
from deep_arch.spaces.graph import Argument

_BINARY: Final = {
    "or_": ("|", 1),
    "xor": ("^", 2),
    "and_": ("&", 3),
    "lshift": ("<<", 4),
    "rshift": (">>", 4),
    "eq": ("=", 0),
    "ne": ("≠", 0),
    "lt": ("<", 0),
    "le": ("≤", 0),
    "gt": (">", 0),
    "ge": ("≥", 0),
    "add": ("+", 5),
    "sub": ("−", 5),
    "mul": ("·", 6),
    "truediv": ("/", 6),
    "floordiv": ("//", 6),
    "mod": ("%", 6),
    "matmul": ("@", 6),
    "pow": ("**", 8),
}
_NEGATION: Final = 7
_ATOM: Final = 9
_UNNAMED: Final = re.compile(r"dependent(_\d+)?\Z")


def last_part(address: str) -> str:
    """Return what stands after the last slash."""
    return address.rpartition("/")[2]


def is_unnamed(argument: Argument) -> bool:
    """Whether it is a step of a formula, such as `2 * n` in `2 * n + 1`, which has no name to show it by."""
    return argument.needs_shapes or (
        argument.domain is None and _UNNAMED.match(last_part(argument.address)) is not None
    )


def formula_text(argument: Argument, show: Callable[[Any], str] = repr, with_values: bool = False) -> str:
    """Return what a dependent hyperparameter is computed from.

    Args:
        argument: the hyperparameter.
        show: makes the text of a constant.
        with_values: whether a hyperparameter that has a value reads as that, and not as its name.
    """
    return _expression(argument, lambda parent: _operand(parent, show, with_values))[0]


def operand_text(parent: Any, show: Callable[[Any], str]) -> str:
    """Return how a parent of a dependent hyperparameter, or of a domain, reads."""
    return _operand(parent, show, with_values=False)[0]


def _operand(parent: Any, show: Callable[[Any], str], with_values: bool) -> tuple[str, int]:
    if not isinstance(parent, Argument):
        return show(parent), _ATOM
    if with_values and not parent.is_open and not parent.needs_shapes:
        return show(parent.value), _ATOM
    if is_unnamed(parent):
        return _expression(parent, lambda inner: _operand(inner, show, with_values))
    return last_part(parent.address), _ATOM


def value_or_formula(argument: Argument) -> Any:
    """Return the value of an argument, or the text of the formula that gives it when shapes are known."""
    return formula_text(argument, with_values=True) if isinstance(argument.value, Late) else argument.value


def _expression(argument: Argument, operand: Callable[[Any], tuple[str, int]]) -> tuple[str, int]:
    """Return a formula and how tightly its outermost operator binds."""
    operands = [operand(parent) for parent in argument.parents]
    if argument.symbol == "neg" and len(operands) == 1:
        return "−" + _enclosed(operands[0], _NEGATION), _NEGATION
    if argument.symbol in _BINARY and len(operands) == 2:
        symbol, strength = _BINARY[argument.symbol]
        left, right = operands
        left_least, right_least = (strength + 1, strength) if symbol == "**" else (strength, strength + 1)
        return f"{_enclosed(left, left_least)} {symbol} {_enclosed(right, right_least)}", strength
    if argument.symbol == "getitem" and len(operands) == 2:
        return f"{_enclosed(operands[0], _ATOM)}[{operands[1][0]}]", _ATOM
    name = argument.symbol if not argument.symbol or argument.symbol.isidentifier() else "f"
    return f"{name}({', '.join(text for text, _ in operands)})", _ATOM


def _enclosed(operand: tuple[str, int], least: int) -> str:
    text, strength = operand
    return text if strength >= least else f"({text})"

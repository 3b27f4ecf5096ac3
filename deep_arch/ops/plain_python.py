"""What operations compute on values of plain Python: own ones by `to_python`, and a few neutral ones."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from functools import partial, reduce
from typing import Any, Final

from deep_arch import ops
from deep_arch.language.modules import Module


def _identity(op: Any, x: Any) -> Any:
    return x


def _sigmoid(x: float) -> float:
    return 0.5 + 0.5 * math.tanh(0.5 * x)  # which does not overflow


def _where(op: Any, condition: Any, a: Any, b: Any) -> Any:
    if op.hard:
        return a if condition > 0 else b
    weight = _sigmoid(condition)
    return weight * a + (1.0 - weight) * b


def _merged(function: Callable[[Any, Any], Any], op: Any, *values: Any) -> Any:
    return reduce(function, values)


def _average(op: Any, *values: Any) -> Any:
    return reduce(operator.add, values) / len(values)


def _relu(op: Any, x: float) -> float:
    return max(x, 0.0)


def _of_number(function: Callable[[float], float], op: Any, x: float) -> float:
    return function(x)


_FUNCTIONS: Final[Mapping[type, Callable[..., Any]]] = {
    ops.Identity: _identity,
    ops.Where: _where,
    ops.Add: partial(_merged, operator.add),
    ops.Subtract: partial(_merged, operator.sub),
    ops.Multiply: partial(_merged, operator.mul),
    ops.Average: _average,
    ops.Maximum: partial(_merged, max),
    ops.Minimum: partial(_merged, min),
    ops.ReLU: _relu,
    ops.Sigmoid: partial(_of_number, _sigmoid),
    ops.Tanh: partial(_of_number, math.tanh),
}


def plain_function(module: Module) -> Callable[..., Any] | None:
    """Return what an operation computes on values of plain Python; None where it has no meaning for them."""
    own: Callable[..., Any] | None = getattr(module, "to_python", None)
    if own is not None:
        return own
    known = [_FUNCTIONS[cls] for cls in type(module).__mro__ if cls in _FUNCTIONS]
    return partial(known[0], module) if known else None

"""What the few neutral operations compute that have a meaning for values of plain Python."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from functools import partial, reduce
from typing import Any

from deep_arch import ops


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


LOWERINGS: Mapping[type, Callable[..., Any]] = {
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

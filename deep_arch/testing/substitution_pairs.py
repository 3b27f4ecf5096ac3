"""Substitutions, each beside the graph that it stands for."""

# The functions of the spaces here are lambdas, whose parameters have no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import deep_arch as da
from deep_arch import ops
from deep_arch.language.modules import Operation

Function = Callable[..., Any]


def conv(filters: Any = 4) -> Operation:
    """Return what most graphs here are made of; it keeps the height and width."""
    return ops.Conv2D(filters=filters, kernel_size=3)


def space_of(op: Operation, n_inputs: int) -> da.SearchSpace:
    """Return a space of one call of an operation like `op`."""
    call: Function = lambda *xs: type(op)(**op.arguments)(*xs)  # noqa: E731
    spaces: dict[int, Function] = {
        1: lambda a: call(a),
        2: lambda a, b: call(a, b),
        3: lambda a, b, c: call(a, b, c),
        4: lambda a, b, c, d: call(a, b, c, d),
    }
    return da.space(spaces[n_inputs])


Pair = tuple[Function, Mapping[str, Any], Function]


def both(x: Any) -> Any:
    return ops.Concatenate()(conv(3)(x), conv(5)(x))


def captured(x: Any) -> Any:
    first = conv(6)(x)
    return da.optional(lambda y: ops.Add()(conv(6)(y), first), use=True)(first)


def tied_twice(x: Any) -> Any:
    shared = conv(4)
    return shared(shared(x))


def _is_narrow(x: Any) -> Any:
    return da.dependent(lambda n: n < 5, da.channels(x))


PAIRS: dict[str, Pair] = {
    "repeat": (lambda x: da.repeat(conv, 2)(x), {}, lambda x: conv()(conv()(x))),
    "repeat_never": (lambda x: conv()(da.repeat(conv, 0)(x)), {}, lambda x: conv()(x)),
    "repeat_chosen": (
        lambda x: da.repeat(conv, da.choice([1, 3], name="n"))(x),
        {"n": 3},
        lambda x: conv()(conv()(conv()(x))),
    ),
    "repeat_tied": (lambda x: da.repeat(conv(), 2)(x), {}, tied_twice),
    "optional_on": (lambda x: da.optional(conv)(x), {"optional.use": True}, lambda x: conv()(x)),
    "optional_off": (lambda x: conv()(da.optional(conv)(x)), {"optional.use": False}, lambda x: conv()(x)),
    "or": (lambda x: da.or_([ops.ReLU, conv])(x), {"or.which": 1}, lambda x: conv()(x)),
    "or_by_key": (
        lambda x: da.or_({"a b": lambda: conv(8), "1/2": lambda: conv(2)})(x),
        {"or.which": "1/2"},
        lambda x: conv(2)(x),
    ),
    "permute": (
        lambda x: da.permute([conv, ops.Tanh, lambda: conv(2)])(x),
        {"permute.order": (2, 1, 0)},
        lambda x: conv()(ops.Tanh()(conv(2)(x))),
    ),
    "split_combine": (
        lambda x: da.split_combine(conv, ops.Multiply, 2)(x),
        {},
        lambda x: ops.Multiply()(conv()(x), conv()(x)),
    ),
    "residual": (lambda x: da.residual(conv)(x), {}, lambda x: ops.Add()(conv()(x), x)),
    "residual_projected": (
        lambda x: da.residual(lambda: conv(6), ops.Maximum, project=lambda: ops.Conv2D(6, 1))(x),
        {},
        lambda x: ops.Maximum()(conv(6)(x), ops.Conv2D(6, 1)(x)),
    ),
    "residual_not_projected": (
        lambda x: da.residual(conv, project=lambda: ops.Conv2D(4, 1))(x),
        {},
        lambda x: ops.Add()(conv()(x), x),
    ),
    "optional_by_shape": (
        lambda x: da.repeat(lambda x: da.optional(lambda: conv(6), use=_is_narrow(x))(x), 2)(x),
        {},
        lambda x: conv(6)(x),
    ),
    "or_by_shape": (
        lambda x: da.or_([ops.ReLU, ops.Tanh, lambda: conv(2)], which=da.channels(x) // 2)(x),
        {},
        lambda x: conv(2)(x),
    ),
    "formula": (
        lambda x: conv(da.channels(x))(conv(da.channels(x) // da.choice([2, 4], name="ratio"))(x)),
        {"ratio": 4},
        lambda x: conv(4)(conv(1)(x)),
    ),
    "dense_block": (
        lambda x: da.dense_block(lambda: conv(3), 2)(x),
        {},
        lambda x: (lambda a: ops.Concatenate()(x, a, conv(3)(ops.Concatenate()(x, a))))(conv(3)(x)),
    ),
    "sequential": (
        lambda x: da.sequential(conv, ops.ReLU, lambda: conv(2))(x),
        {},
        lambda x: conv(2)(ops.ReLU()(conv()(x))),
    ),
    "substitute": (
        lambda x: da.substitute(lambda n: lambda: conv(n), n=da.choice([2, 4], name="n"))(x),
        {"n": 2},
        lambda x: conv(2)(x),
    ),
    "function": (lambda x: da.optional(both, use=True)(x), {}, both),
    "captured": (captured, {}, lambda x: (lambda first: ops.Add()(conv(6)(first), first))(conv(6)(x))),
    "nested": (
        lambda x: da.repeat(lambda: da.residual(lambda: da.sequential(conv, ops.ReLU)), 2)(x),
        {},
        lambda x: (lambda a: ops.Add()(ops.ReLU()(conv()(a)), a))(ops.Add()(ops.ReLU()(conv()(x)), x)),
    ),
}

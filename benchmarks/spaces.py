"""The three spaces of the speed table in the language."""

from __future__ import annotations

import deep_arch as da
from deep_arch import ops
from deep_arch.language.values import Value
from deep_arch.testing.readme_space import net as poster

__all__ = ["cell", "chain", "poster"]


OPERATIONS = {
    "zero": ops.Zero,
    "identity": ops.Identity,
    "conv1": lambda: ops.Conv2D(16, 1),
    "conv3": lambda: ops.Conv2D(16, 3),
    "pool": lambda: ops.AveragePooling2D(3, 1),
}


def edge(x: Value) -> Value:
    return da.or_(OPERATIONS)(x)


@da.space
def cell(x: Value) -> Value:
    """A cell of six edges, each one of five operations, whose sums are its nodes."""
    first = edge(x)
    second = ops.Add()(edge(x), edge(first))
    return ops.Add()(edge(x), edge(first), edge(second))


@da.space
def chain(x: Value) -> Value:
    """A chain of 100 blocks, each one of three operations with two or three hyperparameters."""
    blocks = [
        lambda: ops.Conv2D(filters=da.choice([8, 16, 32]), kernel_size=da.choice([1, 2, 3, 4, 5, 6])),
        lambda: ops.SeparableConv2D(da.choice([8, 16, 32]), da.choice([3]), strides=da.choice([1, 2])),
        lambda: ops.MaxPooling2D(pool_size=da.choice([2, 3]), strides=da.choice([1, 2])),
    ]
    for _ in range(100):
        x = da.or_(blocks)(x)
    return x

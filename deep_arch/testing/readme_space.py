"""The space of the README, shared by tests and benchmarks."""

from __future__ import annotations

import deep_arch as da
from deep_arch import ops
from deep_arch.language.values import Value


def conv() -> da.Module:
    return ops.Conv2D(filters=da.choice([64, 128]), kernel_size=3)


@da.space
def net(x: Value) -> Value:
    n = da.choice([1, 2, 4], name="n")
    x = conv()(x)
    x = da.optional(lambda: ops.Dropout(rate=da.choice([0.25, 0.5])))(x)
    a = da.repeat(conv, n)(x)
    b = da.repeat(conv, 2 * n)(x)
    return ops.Concatenate()(a, b)

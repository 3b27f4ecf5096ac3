from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.errors import NotSpecified
from deep_arch.language.values import Value


def fingerprint(fn: Callable[..., Any]) -> str:
    return da.space(fn).sample(0).fingerprint()


def dense(n: int = 3, name: str | None = None) -> da.Module:
    return ops.Dense(n, name=name)


def with_dead_code(x: Value) -> Value:
    dense(7)(x)
    return ops.Add()(dense()(x), ops.ReLU()(x))


SAME: list[list[Callable[..., Any]]] = [
    [
        lambda x: ops.Add()(dense()(x), ops.ReLU()(x)),
        lambda x: ops.Add()(ops.ReLU()(x), dense()(x)),
        lambda x: ops.Add(name="sum")(ops.ReLU(name="q")(x), dense(name="z")(x)),
        lambda x: da.split_combine(lambda: da.sequential(ops.Identity), ops.Identity, 1)(
            ops.Add()(da.sequential(dense)(x), ops.ReLU()(x))
        ),
        with_dead_code,
    ],
    [
        lambda x: ops.Multiply()(ops.ReLU()(x), ops.ReLU()(x)),
        lambda x: (lambda y: ops.Multiply()(y, y))(ops.ReLU()(x)),
    ],
    [
        lambda x: (lambda y: ops.Dense(da.channels(y) // 2)(ops.Add()(y, x)))(ops.Sigmoid()(x)),
        lambda x: (lambda y: ops.Dense(da.channels(ops.Identity()(y)) // 2, name="z")(ops.Add()(x, y)))(
            ops.Sigmoid(name="z1")(x)
        ),
        lambda x: da.sequential(
            lambda x: (ops.Sigmoid()(x), x),
            lambda y, x: ops.Dense(da.channels(ops.Sigmoid()(x)) // 2)(ops.Add()(x, y)),
        )(x),
    ],
    [
        lambda x: da.or_([ops.ReLU, ops.Tanh], which=da.channels(x) % 2)(x),
        lambda x: da.sequential(lambda x: da.or_({0: ops.ReLU, 1: lambda: ops.Tanh(name="t")}, da.channels(x) % 2)(x))(
            x
        ),
    ],
    [
        lambda x: ops.Add()(*[da.sequential(dense, ops.ReLU, dense)(x) for _ in range(3)]),
        lambda x: da.split_combine(lambda: da.sequential(dense, ops.ReLU, dense), ops.Add, 3)(x),
    ],
]


@pytest.mark.parametrize("functions", SAME)
def test_equal_up_to_order_and_renaming(functions: list[Callable[..., Any]]) -> None:
    assert len({fingerprint(fn) for fn in functions}) == 1


def ring(pairs: list[tuple[int, int]]) -> Callable[[Value], Value]:
    def fn(x: Value) -> Value:
        points = [dense()(x) for _ in range(6)]
        return ops.Add()(*[ops.Multiply()(points[i], points[j]) for i, j in pairs])

    return fn


HEXAGON = [(i, (i + 1) % 6) for i in range(6)]
RENUMBERED = [(5, 0), (3, 5), (1, 3), (4, 1), (2, 4), (0, 2)]
TRIANGLES = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3)]


def test_graphs_that_refinement_alone_cannot_tell_apart() -> None:
    assert fingerprint(ring(HEXAGON)) == fingerprint(ring(RENUMBERED))
    assert fingerprint(ring(HEXAGON)) != fingerprint(ring(TRIANGLES))


def configured(rate: float) -> Callable[[Value], Value]:
    def net(x: Value) -> Value:
        da.config(rate=rate)
        return dense(3)(x)

    return net


DIFFERENT: list[Callable[..., Any]] = [
    lambda x: dense(3)(x),
    lambda x: dense(4)(x),
    lambda x: ops.Dense(3, use_bias=False)(x),
    lambda x: dense()(dense()(x)),
    lambda x: (lambda m: m(m(x)))(dense()),
    lambda x: ops.Add()(dense()(x), dense()(x)),
    lambda x: (lambda y: ops.Add()(y, y))(dense()(x)),
    lambda x: ops.Multiply()(dense()(x), dense()(x)),
    lambda x: ops.Concatenate()(dense()(x), ops.ReLU()(x)),
    lambda x: ops.Concatenate()(ops.ReLU()(x), dense()(x)),
    lambda x: ops.Subtract()(*ops.Split(2)(x)),
    lambda x: ops.Subtract()(*list(ops.Split(2)(x))[::-1]),
    lambda x: (dense()(x), ops.ReLU()(x)),
    lambda x: (ops.ReLU()(x), dense()(x)),
    lambda x: ops.Dense(da.channels(x))(x),
    lambda x: ops.Dense(da.channels(x) // 2)(x),
    lambda x: ops.Dense(da.channels(x) // 3)(x),
    lambda x: ops.Dense(2 // da.channels(x))(x),
    lambda x: ops.Dense(da.dependent(lambda n: n + 1, da.channels(x)))(x),
    lambda x: ops.Dense(da.dependent(lambda n: n + 2, da.channels(x)))(x),
    lambda x: ops.Dense(da.channels(ops.Split(2)(x)[0]))(x),
    lambda x: ops.Dense(da.channels(ops.Dropout(0.5)(x)))(ops.ReLU()(x)),
    lambda x: da.optional(ops.ReLU, use=da.channels(x) % 2)(x),
    lambda x: da.or_([ops.ReLU, lambda x: x], which=da.channels(x) % 2)(x),
    lambda x: da.residual(ops.ReLU, project=dense)(x),
    lambda x: x,
    lambda x, y: ops.Dense(da.channels(x))(y),
    lambda x, y: ops.Dense(da.channels(y))(x),
    lambda x, y: ops.Subtract()(x, y),
    lambda x, y: ops.Subtract()(y, x),
    configured(0.1),
    configured(0.2),
    lambda x: ops.Dropout(0.5)(x),
    lambda x: ops.Add()(ops.Dropout(0.5)(x), ops.Dropout(0.5)(x)),
    lambda x: (lambda y: ops.Add()(y, y))(ops.Dropout(0.5)(x)),
    lambda x: da.wrap(lambda k=1: lambda v: v + k)()(x),
    lambda x: da.wrap(lambda k=1: lambda v: v - k)()(x),
]


def test_different_when_anything_computed_differs() -> None:
    assert len({fingerprint(fn) for fn in DIFFERENT}) == len(DIFFERENT)


def test_the_same_in_another_process() -> None:
    code = (
        "import deep_arch as da; from deep_arch import ops;"
        "print(da.space(lambda x: ops.Add()(ops.Dense(3)(x), ops.ReLU()(x))).sample(0).fingerprint())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == fingerprint(SAME[0][0])


def test_a_partial_architecture_has_none() -> None:
    with pytest.raises(NotSpecified, match=r"dense\.units"):
        da.space(lambda x: ops.Dense(da.choice([1, 2]))(x)).start().fingerprint()

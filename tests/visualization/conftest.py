from __future__ import annotations

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.language.values import Value
from deep_arch.testing import readme_space


@pytest.fixture
def net() -> da.SearchSpace:
    """A space with a hyperparameter that two substitutions use, one through a formula."""
    return readme_space.net


@pytest.fixture
def ties() -> da.SearchSpace:
    """A space with two inputs and outputs, a module called twice, several outputs, a config, and a strange key."""
    halves = da.wrap(_halves, outputs=2)

    @da.space
    def ties(x: Value, y: Value) -> dict[str, Value]:
        size = da.choice([1, 3], name="size")
        conv = ops.Conv2D(da.choice([3, 4]), (size, 3))
        da.config(rate=da.real(1e-5, 1e-1, log=True), batch=4 * size, rule="sgd")
        a, b = halves()(conv(x))
        b = da.or_({STRANGE: ops.ReLU, "id": ops.Identity})(b)
        return {"sum": ops.Add()(a, b, conv(y)), "difference": ops.Subtract()(a, y)}

    return ties


STRANGE = 'a<b>&"c"\\N:\n'
"""A key with every character that DOT, HTML or Graphviz's own escapes give a meaning."""


def _halves() -> None:
    """Stand for a layer with two outputs; drawings never call it."""


@pytest.fixture
def strange() -> str:
    return STRANGE


@pytest.fixture
def cells() -> da.SearchSpace:
    """A space of about a hundred modules: cells that one hyperparameter runs through."""

    @da.space
    def cells(x: Value) -> Value:
        width = da.choice([16, 32], name="width")
        for _ in range(30):
            a = ops.Conv2D(width, da.choice([1, 3]))(x)
            b = da.or_([lambda: ops.MaxPooling2D(3, strides=1), ops.Identity])(x)
            x = da.optional(ops.BatchNormalization)(ops.Concatenate()(a, b))
        return x

    return cells


@da.rule
def _tail() -> da.Module:
    return da.or_({"end": ops.ReLU, "more": lambda: da.sequential(ops.Tanh, _tail)})


@pytest.fixture
def recursive() -> da.SearchSpace:
    @da.space
    def recursive(x: Value) -> Value:
        result: Value = _tail()(x)
        return result

    return recursive

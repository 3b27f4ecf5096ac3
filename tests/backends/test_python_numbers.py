"""Neutral operations in the Python backend compute with numbers what they compute in torch."""

from __future__ import annotations

import itertools
import pickle
from fractions import Fraction
from typing import Any

import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import python_backend


@pytest.mark.parametrize(
    ("operation", "arity"),
    [(cls, n) for cls in (ops.Add, ops.Multiply, ops.Average, ops.Maximum, ops.Minimum) for n in (2, 3)]
    + [(ops.Subtract, 2), (ops.Where, 3), (ops.ReLU, 1), (ops.Sigmoid, 1), (ops.Tanh, 1)],
)
def test_operations_of_numbers_compute_what_they_do_in_torch(operation: Any, arity: int) -> None:
    torch = pytest.importorskip("torch")
    from deep_arch.backends import torch_backend

    fn = {1: lambda a: operation()(a), 2: lambda a, b: operation()(a, b), 3: lambda a, b, c: operation()(a, b, c)}[
        arity
    ]
    architecture = da.space(fn).at({})
    program = pickle.loads(pickle.dumps(python_backend.build(architecture)))
    model = torch_backend.build(architecture, {name: da.vector(1) for name in "abc"[:arity]}).double()
    for numbers in itertools.product([-3.5, -1.0, 0.0, 0.5, 800.0], repeat=arity):
        tensors = [torch.tensor([[number]], dtype=torch.float64) for number in numbers]
        assert program(*numbers) == pytest.approx(model(*tensors).item(), rel=1e-12), numbers


def test_sums_and_products_are_those_of_python() -> None:
    np = pytest.importorskip("numpy")
    net = da.space(lambda a, b: ops.Multiply()(ops.Add()(a, b), ops.Subtract()(a, b)))
    program = python_backend.build(net.at({}))
    assert program(Fraction(1, 2), Fraction(1, 3)) == Fraction(5, 36)
    np.testing.assert_array_equal(program(np.arange(4), 2), [-4, -3, 0, 5])

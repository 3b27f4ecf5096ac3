"""Fixtures of the torch backend's tests: one operation as a model. And which files are collected."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from deep_arch.language.modules import Operation
from deep_arch.language.specs import Spec

# A process has one Keras backend: `test_keras_backends.py` runs the files on each.
collect_ignore = [] if "KERAS_BACKEND" in os.environ else ["test_keras_backend.py", "test_keras_shared.py"]


def _lowered(op: Operation, *specs: Spec, sizes_vary: bool = False) -> Any:
    """Return a model of one operation."""
    from torch import fx, nn

    from deep_arch.backends.torch_backend.context import Emitter
    from deep_arch.backends.torch_backend.lowerings import LOWERINGS

    graph, root = fx.Graph(), nn.Module()
    nodes = [graph.placeholder(f"x{i}") for i in range(len(specs))]
    graph.output(LOWERINGS[type(op)](op, Emitter(graph, root, "layer", sizes_vary), specs, *nodes))
    return fx.GraphModule(root, graph).eval()


def _compute(op: Operation, *inputs: Any, **weights: Any) -> Any:
    """Run an operation on tensors that have a batch axis, with some of its weights set by name."""
    model = _lowered(op, *(Spec(tuple(x.shape[1:])) for x in inputs))
    for name, value in weights.items():
        model.get_parameter(f"layer.{name.replace('__', '.')}").data.copy_(value)
    return model(*inputs)


@pytest.fixture(scope="session")
def lowered() -> Callable[..., Any]:
    """What makes a model of one operation for the specs of its inputs."""
    return _lowered


@pytest.fixture(scope="session")
def compute() -> Callable[..., Any]:
    """What runs one operation on tensors."""
    return _compute

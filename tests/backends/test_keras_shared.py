"""Keras modules called on inputs of several ranks, models of any depth, and names of weights."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import deep_arch as da
from deep_arch import ops
from deep_arch.backends import keras_backend
from deep_arch.errors import BadArgument
from deep_arch.language.specs import Spec
from deep_arch.testing.keras_runner import KerasRunner
from deep_arch.testing.parity import assert_close, draw
from deep_arch.testing.torch_runner import TorchRunner

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's, from NumPy 2
layers = keras.layers
RANKS: dict[str, tuple[Callable[[], da.Module], Spec, Spec]] = {
    "batch": (ops.BatchNormalization, da.vector(4), da.image(4, 3, 5)),
    "batch of volumes": (ops.BatchNormalization, da.tensor(4, 2, 3, 2), da.vector(4)),
    "group": (lambda: ops.GroupNormalization(2), da.image(4, 3, 5), da.vector(4)),
    "slopes": (ops.PReLU, da.image(4, 3, 5), da.sequence(length=6, features=4)),
    "flatten": (ops.Flatten, da.image(4, 3, 5), da.sequence(length=6, features=4)),
    "reshape": (lambda: ops.Reshape((2, -1)), da.image(4, 3, 5), da.sequence(length=6, features=4)),
    "embedding": (lambda: ops.Embedding(5, 3), Spec((2, 3), "int32"), Spec((2, 3, 2), "int32")),
    "path": (lambda: ops.DropPath(0.0), da.image(4, 3, 5), da.vector(4)),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("case", RANKS)
def test_a_shared_module_takes_inputs_of_several_ranks(case: str, training: bool, tmp_path: Path) -> None:
    make, *specs = RANKS[case]

    def tied(a: Any, b: Any) -> Any:
        shared = make()
        return shared(a), shared(b)

    architecture, inputs = da.space(tied).at({}), dict(zip("ab", specs, strict=True))
    arrays = {name: draw(spec) for name, spec in inputs.items()}
    runner, reference = KerasRunner(), TorchRunner()
    model = runner.build(architecture, inputs, 0)
    expected = reference.run(reference.build(architecture, inputs, 0), arrays, training)
    model.save(tmp_path / "model.keras")
    for m in (keras.models.load_model(tmp_path / "model.keras"), model):
        assert_close(runner.run(m, arrays, training), expected, 1e-4)


def test_a_model_may_be_deeper_than_the_limit_of_recursion() -> None:
    limit = sys.getrecursionlimit()
    space = da.space(lambda x: da.repeat(ops.SiLU, limit + 100)(x))
    model = keras_backend.build(space.at({}), da.vector(1), 0)
    assert len(model.layers) == limit + 101 and sys.getrecursionlimit() == limit


# --- weights ----------------------------------------------------------------------------------------------------------

WRAPPED: dict[str, tuple[Callable[[int], Any], Spec, list[str]]] = {
    "sequential": (
        lambda units: keras.Sequential([layers.Dense(units), layers.Dense(units)]),
        da.vector(4),
        ["dense.kernel", "dense.bias", "dense_1.kernel", "dense_1.bias"],
    ),
    "bidirectional": (
        lambda units: layers.Bidirectional(layers.SimpleRNN(units, use_bias=False)),
        da.sequence(length=3, features=2),
        [
            f"{way}_simple_rnn.simple_rnn_cell.{name}"
            for way in ("forward", "backward")
            for name in ("kernel", "recurrent_kernel")
        ],
    ),
    "cells": (
        lambda units: layers.RNN([layers.SimpleRNNCell(units, use_bias=False) for _ in range(2)]),
        da.sequence(length=3, features=2),
        [
            f"stacked_rnn_cells.{cell}.{name}"
            for cell in ("simple_rnn_cell", "simple_rnn_cell_1")
            for name in ("kernel", "recurrent_kernel")
        ],
    ),
}


@pytest.mark.parametrize("case", WRAPPED)
def test_weights_of_a_wrapped_layer_have_the_same_names_each_time(case: str) -> None:
    make, spec, expected = WRAPPED[case]
    space = da.space(lambda x: keras_backend.wrap(make)(3, name="own")(x))
    first, again = (keras_backend.build(space.at({}), spec, seed) for seed in (0, 1))
    weights = keras_backend.get_weights(first)
    assert list(weights) == [f"own.{name}" for name in expected]
    keras_backend.set_weights(again, weights)
    for name, array in keras_backend.get_weights(again).items():
        np.testing.assert_array_equal(array, weights[name])


def test_weights_that_a_layer_gives_one_name_are_told_apart() -> None:
    class Twice(keras.layers.Layer):  # type: ignore[misc]
        def build(self, input_shape: Any) -> None:
            self.parts = [self.add_weight(shape=(n,), name="part") for n in (2, 3)]

        def call(self, x: Any) -> Any:
            return x * self.parts[0][0]

    space = da.space(lambda x: keras_backend.wrap(Twice)()(x))
    weights = keras_backend.get_weights(keras_backend.build(space.at({}), da.vector(4), 0))
    assert {name: x.shape for name, x in weights.items()} == {"twice.part": (2,), "twice.part_1": (3,)}


@pytest.mark.parametrize("model", [None, "model", layers.Dense(3)])
def test_what_is_no_model_is_refused(model: Any, tmp_path: Path) -> None:
    for name, arguments in (("get_weights", ()), ("set_weights", ({},)), ("export_onnx", (tmp_path / "model.onnx",))):
        with pytest.raises(
            BadArgument, match=rf"^keras_backend.{name}: expected a model .*\n  Got {type(model).__name__}"
        ):
            getattr(keras_backend, name)(model, *arguments)

"""The TensorFlow backend by its contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

import deep_arch as da
from deep_arch.backends import tensorflow_backend
from deep_arch.testing.backend_contract import BackendContract
from deep_arch.testing.parity import Array, Arrays, channels_first, channels_last, listed
from deep_arch.testing.torch_runner import TorchRunner


class Linear(tf.Module):  # type: ignore[misc]
    """A dense layer as TensorFlow's guides write it, which makes its variables when it is first called."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = units
        self.kernel: Any = None

    def __call__(self, x: Any) -> Any:
        if self.kernel is None:
            self.kernel = tf.Variable(tf.random.normal((x.shape[-1], self.units)))
            self.bias = tf.Variable(tf.zeros(self.units))
        return x @ self.kernel + self.bias


class TestTensorFlowBackend(BackendContract):
    module = "deep_arch.backends.tensorflow_backend"
    reference = TorchRunner()

    def named(self, model: Any, arrays: Arrays) -> dict[str, Array]:
        return {name: channels_first(y.numpy()) for name, y in model(**_tensors(arrays)).items()}

    def run(self, model: Any, arrays: Arrays, training: bool = False) -> list[Array]:
        return [channels_first(y.numpy()) for y in _outputs(model, _tensors(arrays), training)]

    def gradients(
        self, model: Any, arrays: Arrays, cotangents: Sequence[Array], training: bool = False
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        tensors = _tensors(arrays)
        floats = {name: x for name, x in tensors.items() if x.dtype.is_floating}
        trained = {name: variable for name, variable in model.weights.items() if variable.trainable}
        with tf.GradientTape() as tape:
            tape.watch(floats)
            outputs = _outputs(model, tensors, training)
            loss = [tf.reduce_sum(y * channels_last(c)) for y, c in zip(outputs, cotangents, strict=True)]
        kinds = {"unconnected_gradients": tf.UnconnectedGradients.ZERO}
        by_input, by_weight = tape.gradient(loss, [list(floats.values()), list(trained.values())], **kinds)
        return (
            {name: channels_first(g.numpy()) for name, g in zip(floats, by_input, strict=True)},
            {name: tf.convert_to_tensor(g).numpy() for name, g in zip(trained, by_weight, strict=True)},
        )

    def native(self, units: Any) -> da.Module:
        return tensorflow_backend.wrap(Linear)(units)


def _tensors(arrays: Arrays) -> dict[str, Any]:
    return {name: tf.constant(channels_last(x)) for name, x in arrays.items()}


def _outputs(model: Any, tensors: dict[str, Any], training: bool) -> tuple[Any, ...]:
    return tuple(listed(model(**tensors, training=training)))

"""Print the time of a training step of built TensorFlow models, as a ratio to the same models written by hand.

Run with `make bench`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from model_spaces import BATCH, SPACES, compare, print_header

from deep_arch.backends import tensorflow_backend


def variable(*shape: int) -> Any:
    return tf.Variable(tf.random.normal(shape, stddev=0.05))


class Block(tf.Module):  # type: ignore[misc]
    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.kernel = variable(3, 3, channels, filters)
        self.gamma, self.beta = variable(filters), variable(filters)
        self.mean = tf.Variable(tf.zeros(filters), trainable=False)
        self.variance = tf.Variable(tf.ones(filters), trainable=False)

    def __call__(self, x: Any) -> Any:
        x = tf.nn.conv2d(x, self.kernel, 1, "SAME")
        x, mean, variance = tf.compat.v1.nn.fused_batch_norm(x, self.gamma, self.beta, epsilon=1e-3)
        self.mean.assign_add((mean - self.mean) * 0.01)
        self.variance.assign_add((variance - self.variance) * 0.01)
        return tf.nn.relu(x)


class Convolutional(tf.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.wide = Block(3, 32), Block(32, 64)
        self.first, self.second = [Block(32, 32) for _ in range(3)], [Block(64, 64) for _ in range(3)]
        self.kernel, self.bias = variable(64, 10), variable(10)

    def __call__(self, x: Any) -> Any:
        x = self.stem(x)
        for block in self.first:
            x = block(x) + x
        x = self.wide(tf.nn.max_pool2d(x, 2, 2, "SAME"))
        for block in self.second:
            x = block(x) + x
        return tf.nn.bias_add(tf.reduce_mean(x, (1, 2)) @ self.kernel, self.bias)


class Dense(tf.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        sizes = [512, 512, 512, 512, 512, 10]
        self.kernels = [variable(a, b) for a, b in itertools.pairwise(sizes)]
        self.biases = [variable(size) for size in sizes[1:]]

    def __call__(self, x: Any) -> Any:
        for kernel, bias in zip(self.kernels[:-1], self.biases[:-1], strict=True):
            x = tf.nn.relu(tf.nn.bias_add(x @ kernel, bias))
        return tf.nn.bias_add(x @ self.kernels[-1], self.biases[-1])


class Recurrent(tf.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.kernel, self.recurrent, self.bias = variable(32, 256), variable(64, 256), variable(256)
        self.head, self.head_bias = variable(64, 10), variable(10)

    def __call__(self, x: Any) -> Any:
        state = cell = tf.zeros((tf.shape(x)[0], 64))
        projected = tf.nn.bias_add(tf.matmul(x, self.kernel), self.bias)
        for step in tf.unstack(projected, axis=1):
            i, f, c, o = tf.split(step + state @ self.recurrent, 4, axis=1)
            cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(c)
            state = tf.sigmoid(o) * tf.tanh(cell)
        return tf.nn.bias_add(state @ self.head, self.head_bias)


BY_HAND: dict[str, Callable[[], Any]] = {"convolutional": Convolutional, "dense": Dense, "recurrent": Recurrent}


def step(call: Callable[[Any], Any], variables: Any, x: Any) -> Callable[[], Any]:
    """Return what runs one forward and backward pass."""

    def run() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(call(x)))
        return tape.gradient(loss, variables)

    return run


def main() -> None:
    print_header()
    for name, (space, spec) in SPACES.items():
        x = tf.random.normal((BATCH, *spec.spatial, spec.channels))
        architecture = space.sample(0)

        def ours(in_graph: bool, architecture: Any = architecture, spec: Any = spec, x: Any = x) -> Callable[[], Any]:
            model = tensorflow_backend.build(architecture, spec)
            run = step(functools.partial(model, training=True), model.trainable_variables, x)
            return tf.function(run) if in_graph else run

        def theirs(in_graph: bool, name: str = name, x: Any = x) -> Callable[[], Any]:
            model = BY_HAND[name]()
            run = step(model, model.trainable_variables, x)
            return tf.function(run) if in_graph else run

        assert _shapes(ours(False)()) == _shapes(theirs(False)()), "both are the same model"
        for kind, in_graph in (("", True), (", eager", False)):
            pair = functools.partial(ours, in_graph), functools.partial(theirs, in_graph)
            compare(f"TensorFlow {name}{kind}", *pair, at_most=1.05)


def _shapes(gradients: Any) -> list[tuple[int, ...]]:
    return sorted(tuple(g.shape) for g in gradients)


if __name__ == "__main__":
    main()

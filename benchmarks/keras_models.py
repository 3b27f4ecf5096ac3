"""Print the time of a training step of built Keras models, as a ratio to the same models written by hand.

Run with `make bench`, which runs it with KERAS_BACKEND of tensorflow, torch and jax.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers
from model_spaces import BATCH, SPACES, compare, print_header

from deep_arch.backends import keras_backend


def block(x: Any, filters: int) -> Any:
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def convolutional(x: Any) -> Any:
    x = block(x, 32)
    for _ in range(3):
        x = layers.Add()([block(x, 32), x])
    x = block(layers.MaxPooling2D(padding="same")(x), 64)
    for _ in range(3):
        x = layers.Add()([block(x, 64), x])
    return layers.Dense(10)(layers.GlobalAveragePooling2D()(x))


def dense(x: Any) -> Any:
    for _ in range(4):
        x = layers.ReLU()(layers.Dense(512)(x))
    return layers.Dense(10)(x)


def recurrent(x: Any) -> Any:
    return layers.Dense(10)(layers.LSTM(64)(x))


BY_HAND: dict[str, Callable[[Any], Any]] = {"convolutional": convolutional, "dense": dense, "recurrent": recurrent}


def step(model: Any, x: Any) -> Callable[[], object]:
    """Return what runs one step of gradient descent."""
    model.compile(keras.optimizers.SGD(0.0), "mse")
    y = np.zeros((BATCH, 10), "float32")
    return lambda: model.train_on_batch(x, y)


def by_hand(name: str, shape: tuple[int, ...]) -> Any:
    inputs = keras.Input(shape)
    return keras.Model(inputs, BY_HAND[name](inputs))


def main() -> None:
    print_header()
    for name, (space, spec) in SPACES.items():
        shape = (*spec.spatial, spec.channels)
        x = np.random.default_rng(0).standard_normal((BATCH, *shape), "float32")
        makes = functools.partial(keras_backend.build, space.sample(0), spec), functools.partial(by_hand, name, shape)
        assert makes[0]().count_params() == makes[1]().count_params(), "both are the same model"
        ours, theirs = (functools.partial(_made, make, x) for make in makes)
        compare(f"Keras on {keras.config.backend()} {name}", ours, theirs, at_most=1.05)


def _made(make: Callable[[], Any], x: Any) -> Callable[[], object]:
    return step(make(), x)


if __name__ == "__main__":
    main()
